//! 09xx: the command line.

crate::codes::codes! {
    USAGE = 0901, "wrong use of the command line";
    FILE = 0902, "a file cannot be read or written";
    UNKNOWN_CODE = 0903, "no such diagnostic code";
    LOOSE_DISPATCH = 0904, "dispatch mode looser than proven";
    IMAGE_FORM = 0905, "not a form that an image has";
}
