//! 06xx: the device.

crate::codes::codes! {
    LOAD_REFUSED = 0601, "the device refused the image";
    MAP = 0602, "the device refused a map operation";
    PACKET = 0603, "the device does not take the packet";
    EVENT = 0604, "the device cannot tell what the program printed";
}
