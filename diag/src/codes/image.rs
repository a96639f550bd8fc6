//! 05xx: the program image.

crate::codes::codes! {
    BAD_IMAGE = 0501, "not a valid program image";
    IMAGE_BINDING = 0502, "image made for another device";
    IMAGE_CHECK = 0503, "image refused by the checker";
}
