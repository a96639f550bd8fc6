//! 07xx: captures and map files.

crate::codes::codes! {
    BAD_CAPTURE = 0701, "not a readable capture";
}
