//! XDP actions (`enum xdp_action` of include/uapi/linux/bpf.h).

/// `XDP_ABORTED`.
pub const ABORTED: u32 = 0;
/// `XDP_DROP`.
pub const DROP: u32 = 1;
/// `XDP_PASS`.
pub const PASS: u32 = 2;
/// `XDP_TX`.
pub const TX: u32 = 3;
/// `XDP_REDIRECT`.
pub const REDIRECT: u32 = 4;

/// True if a packet with this return value goes on; the kernel drops those with unknown values like aborted ones.
pub fn leaves(retval: u32) -> bool {
    matches!(retval, PASS | TX | REDIRECT)
}
