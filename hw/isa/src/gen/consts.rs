// Generated from hw/spec by `cargo xtask codegen`; do not edit.

use super::enums::Src;

/// Version of the encoding and of its meaning.
pub const ISA_VERSION: u32 = 1;

/// Bits of a word.
pub const WORD_BITS: usize = 288;

/// Bytes of an encoded word.
pub const WORD_BYTES: usize = 36;

/// Registers of a context, 64 bits each.
pub const REGISTERS: usize = 16;

/// Bits of a code address.
pub const CODE_ADDRESS_BITS: u32 = 12;

/// Bytes of the space `Stack`.
pub const STACK_BYTES: u16 = 512;

/// Bytes of the space `Scratch`, packet metadata included.
pub const SCRATCH_BYTES: u16 = 256;

/// Bytes of read-only packet metadata at the start of the scratch.
pub const METADATA_BYTES: u16 = 64;

/// Scratch address of `packet_len` (8 bytes): data_end - data, bytes, now.
pub const METADATA_PACKET_LEN: u16 = 0;

/// Scratch address of `ingress_ifindex` (4 bytes): xdp_md.ingress_ifindex.
pub const METADATA_INGRESS_IFINDEX: u16 = 8;

/// Scratch address of `rx_queue_index` (4 bytes): xdp_md.rx_queue_index.
pub const METADATA_RX_QUEUE_INDEX: u16 = 12;

/// Scratch address of `egress_ifindex` (4 bytes): xdp_md.egress_ifindex; 0.
pub const METADATA_EGRESS_IFINDEX: u16 = 16;

/// Scratch address of `vcpu` (4 bytes): What bpf_get_smp_processor_id returns.
pub const METADATA_VCPU: u16 = 20;

/// Scratch address of `meta_len` (8 bytes): data - data_meta, bytes, now.
pub const METADATA_META_LEN: u16 = 24;

/// Tag of a map-value handle, bits 63 to 60.
pub const HANDLE_TAG: u64 = 4;

/// What the operands of unit `alu1` may select.
pub const ALU1_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `alu2` may select.
pub const ALU2_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `compare1` may select.
pub const COMPARE1_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `compare2` may select.
pub const COMPARE2_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `store` may select.
pub const STORE_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `write` may select.
pub const WRITE_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::I1, Src::Iw];

/// What the operands of unit `request` may select.
pub const REQUEST_SOURCES: &[Src] = &[Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::I1, Src::Iw];
