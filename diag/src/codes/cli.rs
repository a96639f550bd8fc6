//! 09xx: the command line.

crate::codes::codes! {
    USAGE = 0901, "wrong use of the command line";
}
