//! Where a packet lies in its buffer, and other sizes that the kernel's `bpf_prog_test_run_xdp` (net/bpf/test_run.c) and
//! `bpf_xdp_adjust_head` (net/core/filter.c) fix.

/// Bytes before a packet at dispatch (`XDP_PACKET_HEADROOM`).
pub const HEADROOM: u32 = 256;
/// Bytes at the front of the headroom that a program cannot have (`sizeof(struct xdp_frame)`).
pub const RESERVED_HEADROOM: u32 = 40;
/// Least bytes of a packet (`ETH_HLEN`), at arrival and after a helper changed it.
pub const MIN_PACKET: u32 = 14;
/// Most bytes of a linear packet at arrival: a 4,096 B page without headroom and `struct skb_shared_info` (320 B).
pub const MAX_PACKET: u32 = 3520;
/// Where a packet's end can be at most, from the start of its buffer: `data_hard_end` of a linear packet.
pub const HARD_END: u32 = HEADROOM + MAX_PACKET;
/// Most bytes of metadata (`xdp_metalen_invalid` of include/net/xdp.h).
pub const META_MAX: u32 = 255;
/// Local calls that have not returned, at most.
pub const CALLS_MAX: usize = 8;
/// Bytes of a line of the packet store.
pub const LINE: u32 = 64;
/// Bytes of the program's stack.
pub const STACK: u32 = offwire_isa::STACK_BYTES as u32;
/// Bytes of scratch: metadata and spills.
pub const SCRATCH: u32 = offwire_isa::SCRATCH_BYTES as u32;
/// Bytes of scratch that the program can only read: the packet's metadata.
pub const METADATA: u32 = offwire_isa::METADATA_BYTES as u32;
/// Bytes of stack or scratch that share a valid bit.
pub const VALID_LINE: u32 = 16;
/// Posted stores and adds of one context that the map unit has not yet taken; a word that would post one more is refused.
pub const POSTED_CREDITS: usize = 4;
/// Longest key of a hash map.
pub const KEY_BYTES_MAX: u32 = 512;
/// Most bytes that a request takes from memory at K: what `bpf_perf_event_output` can put into one event (`u16` sizes of
/// include/uapi/linux/perf_event.h). More is out of bounds.
pub const DATA_BYTES_MAX: u32 = 0xffff;
/// Records of ring buffers that a packet can hold at a time; a reserve beyond that finds no room.
pub const RECORDS_MAX: usize = 8;
/// Maps of a device.
pub const MAPS: usize = 1024;
/// Programs of a device.
pub const PROGRAMS: usize = 64;
/// Ports of a device.
pub const PORTS: u16 = 64;
