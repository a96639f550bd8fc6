//! 04xx: the compiler.

crate::codes::codes! {
    UNSUPPORTED = 0401, "not supported by the offload compiler";
}
