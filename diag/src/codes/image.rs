//! 05xx: the program image.

crate::codes::codes! {
    BAD_IMAGE = 0501, "not a valid program image";
}
