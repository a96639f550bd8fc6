//! 08xx: back ends that stand beside the device: the host kernel (080x) and the reference interpreter (081x).

crate::codes::codes! {
    HOST_UNAVAILABLE = 0801, "the kernel back end is not available";
    HOST_REJECTED = 0802, "the kernel's verifier refuses the program";
    HOST_FAILED = 0803, "the kernel refuses a request";
    NOT_COMPARABLE = 0804, "the kernel cannot run this packet";
    MAP_UPDATE = 0805, "a map refuses an entry";
    REF_BOUNDS = 0811, "a verified program leaves its bounds";
    REF_FACT = 0812, "a fact does not hold";
    REF_LIMIT = 0813, "the program runs too long";
    REF_UNSUPPORTED = 0814, "not supported by the reference interpreter";
}
