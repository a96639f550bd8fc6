//! 08xx: the host kernel.

crate::codes::codes! {
    HOST_UNAVAILABLE = 0801, "the kernel back end is not available";
}
