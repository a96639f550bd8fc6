//! What is certainly true before each instruction of a verified program.
//!
//! The verifier's states are no facts: pruning lets later paths hold values that no stored state covers. Facts come from a
//! dataflow of their own that joins at merges until nothing changes. The compiler uses nothing else, and the reference
//! interpreter asserts every fact at every step.
//!
//! How: [`analyze`] cuts the program into blocks and propagates states along edges until nothing grows, loosening what keeps
//! growing to landmarks (`fixpoint`); `step` holds the effect of one instruction, `value` the lattice. Local functions are
//! analysed once for all their call sites. The analysis ends on every input; its results mean something only for programs that
//! the verifier accepted: "a load that is executed is in bounds" is used, for example, to conclude that its base is not null.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]

mod blocks;
mod fixpoint;
mod step;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use blocks::packet_movers;
pub use fixpoint::analyze;
pub(crate) use fixpoint::visit;
pub(crate) use step::read_frozen;

use crate::ebpf::{InsnIdx, MapIdx};

/// Known bits: a bit is unknown where `mask` has a one, else it is the bit of `value` (`value & mask == 0`). The kernel's tnum
/// (kernel/bpf/tnum.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the kernel's names")]
pub struct Tnum {
    pub value: u64,
    pub mask: u64,
}

/// A set of 64-bit numbers: everything within all five bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "names say it")]
pub struct Range {
    pub umin: u64,
    pub umax: u64,
    pub smin: i64,
    pub smax: i64,
    pub bits: Tnum,
}

/// Two or more of an object's first 64 maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapSet(u64);

impl MapSet {
    /// The set of one map; `None` if the map is not one of the first 64.
    fn of(map: MapIdx) -> Option<Self> {
        1u64.checked_shl(map.0.into()).map(MapSet)
    }

    fn with(self, other: Self) -> Self {
        MapSet(self.0 | other.0)
    }

    /// True if the map is in the set.
    pub fn contains(self, map: MapIdx) -> bool {
        Self::of(map).is_some_and(|one| self.0 & one.0 != 0)
    }

    /// Its maps, ascending.
    pub fn maps(self) -> impl Iterator<Item = MapIdx> {
        (0..64).map(MapIdx).filter(move |map| self.contains(*map))
    }
}

impl PtrKind {
    /// What points to the one or the other.
    fn either(self, other: Self) -> Option<Self> {
        let map = |kind| match kind {
            PtrKind::Map(map) => MapSet::of(map),
            PtrKind::OneOf(set) => Some(set),
            _ => None,
        };
        let value = |kind| match kind {
            PtrKind::MapValue(map) => MapSet::of(map),
            PtrKind::ValueOf(set) => Some(set),
            _ => None,
        };
        match (map(self), map(other), value(self), value(other)) {
            _ if self == other => Some(self),
            (Some(a), Some(b), ..) => Some(PtrKind::OneOf(a.with(b))),
            (.., Some(a), Some(b)) => Some(PtrKind::ValueOf(a.with(b))),
            _ => None,
        }
    }
}

/// What a pointer points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PtrKind {
    /// struct xdp_md; offset 0.
    Ctx,
    /// The frame of the current function: offset 0 is r10, so valid offsets are -512 to -1.
    Stack,
    /// Packet data; offset 0 is `ctx->data`.
    Packet,
    /// `ctx->data_end`; offset relative to it.
    PacketEnd,
    /// Packet metadata; offset 0 is `ctx->data_meta`.
    PacketMeta,
    /// The low 32 bits of a pointer into the packet, the high ones zero; the offset is relative to those of `ctx->data`, modulo 2^32.
    PacketHalf,
    /// A value of the map; offset 0 is its first byte.
    MapValue(MapIdx),
    /// The map itself (argument of helpers).
    Map(MapIdx),
    /// One of several maps: which, depends on the path.
    OneOf(MapSet),
    /// A value of one of several maps; offset 0 is its first byte.
    ValueOf(MapSet),
    /// A map that stands in this map of maps.
    InnerMap(MapIdx),
    /// A value of a map that stands in this map of maps; offset 0 is its first byte.
    InnerValue(MapIdx),
    /// A record reserved in this ring buffer and not yet submitted or discarded; offset 0 is its first byte.
    Record(MapIdx),
    /// The frame of some function that waits for the current one; the offset may be any.
    CallerStack,
}

/// What a register may point to, as far as it matters for stack accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing.
    Number,
    /// The frame of the current function, at an offset from r10 within these bounds.
    Stack { from: i64, to: i64 },
    /// The map itself, or one that stands in it.
    Map { map: MapIdx, inner: bool },
    /// An object, but not the frame of the current function.
    Other,
    /// Anything, also a frame.
    Unknown,
}

/// What is known of a register or of an aligned 8-byte stack slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Anything, also never written: no use may rely on it.
    Unknown,
    /// A number.
    Scalar(Range),
    /// The address of the function that starts there.
    Func(InsnIdx),
    /// A pointer with byte offset in the range (two's complement); null instead if `maybe_null`.
    Ptr {
        /// To what.
        kind: PtrKind,
        /// Offset from the kind's origin.
        offset: Range,
        /// True if it may also be the number 0.
        maybe_null: bool,
    },
}

/// Facts before one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// r0 to r10.
    pub regs: [Fact; 11],
    /// Stack slots of the current frame, slot n is bytes r10 - 8(n+1) to r10 - 8n - 1; only slots written by one 8-byte
    /// store are known (64 of them).
    pub slots: [Fact; 64],
}

/// Facts of a whole program: indexed by instruction slot; `None` where no execution comes. A branch whose outcome is certain
/// (also "a pointer that cannot be null is compared with 0") has `None` on its other side if nothing else leads there.
///
/// In a local function the facts hold for all its callers, and [`PtrKind::Stack`] is its own frame. Arguments that point into a
/// caller's frame are [`PtrKind::CallerStack`]; what is loaded from there may be a pointer and is [`Fact::Unknown`].
#[derive(Clone, Debug)]
pub struct Facts {
    /// One state an instruction slot.
    pub before: Vec<Option<State>>,
}
