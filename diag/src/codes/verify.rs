//! 03xx: the verifier.

crate::codes::codes! {
    PACKET_BOUNDS = 0301, "packet access out of bounds";
}
