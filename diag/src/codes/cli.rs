//! 09xx: the command line.

crate::codes::codes! {
    USAGE = 0901, "wrong use of the command line";
    FILE = 0902, "a file cannot be read or written";
    UNKNOWN_CODE = 0903, "no such diagnostic code";
    WHICH_PROGRAM = 0904, "which program is meant is not clear";
    LOOSE_DISPATCH = 0905, "dispatch mode looser than proven";
}
