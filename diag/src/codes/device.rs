//! 06xx: the device.

crate::codes::codes! {
    LOAD_REFUSED = 0601, "the device refused the image";
}
