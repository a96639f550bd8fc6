//! Which accesses may touch the same bytes.
//!
//! Spaces are disjoint, so are different maps, so are constant ranges from one base value. Everything else may overlap.

use super::MapTable;
use crate::ebpf::MapIdx;
use crate::ir::{Mem, Op, Request, Value};
use offwire_isa::{
    KeyUse, METADATA_BYTES, METADATA_PACKET_LEN, PRINTK_ARGUMENT_BYTES, PRINTK_ARGUMENTS, RequestOp, STACK_BYTES, Space,
};

/// Bytes from a memory operand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mem: Mem,
    /// How many bytes.
    pub(super) size: u32,
}

/// How two places lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// No byte in common.
    None,
    /// Bytes in common; the second one starts that many bytes behind the first one.
    At(i64),
    /// Not known.
    Maybe,
}

impl Place {
    pub(super) fn new(mem: Mem, size: impl Into<u32>) -> Self {
        Place { mem, size: size.into() }
    }

    /// Offset of the first byte and behind the last one.
    pub(super) fn range(&self) -> (i64, i64) {
        let start = i64::from(self.mem.offset);
        (start, start + i64::from(self.size))
    }
}

/// Same base, also if it is the same constant from two instructions.
pub(super) fn same_base(constants: &[Option<u64>], a: Option<Value>, b: Option<Value>) -> bool {
    let constant = |base: Option<Value>| base.and_then(|base| constants.get(base.at()).copied().flatten());
    a == b || (constant(a).is_some() && constant(a) == constant(b))
}

/// How the bytes of two accesses lie to each other.
pub(super) fn overlap(constants: &[Option<u64>], a: &Place, b: &Place) -> Overlap {
    if a.mem.space != b.mem.space {
        return Overlap::None;
    }
    if let (Some(x), Some(y)) = (a.mem.map, b.mem.map)
        && x != y
    {
        return Overlap::None;
    }
    if !same_base(constants, a.mem.base, b.mem.base) {
        return Overlap::Maybe;
    }
    let ((a_start, a_end), (b_start, b_end)) = (a.range(), b.range());
    if a_end <= b_start || b_end <= a_start { Overlap::None } else { Overlap::At(b_start - a_start) }
}

/// Bytes of key and value that a request reads; up to the end of the stack if the map's sizes are not known.
pub(super) fn request_reads(op: &Op, maps: &MapTable) -> Vec<Place> {
    let sizes = |map: MapIdx| maps.get(map).map(|map| (map.key_size, map.value_size));
    let unknown = u32::from(STACK_BYTES);
    match op {
        Op::Lookup { map, key } | Op::Delete { map, key } => {
            vec![Place::new(*key, sizes(*map).map_or(unknown, |(key, _)| key))]
        }
        Op::Update { map, key, value, .. } => vec![
            Place::new(*key, sizes(*map).map_or(unknown, |(key, _)| key)),
            Place::new(*value, sizes(*map).map_or(unknown, |(_, value)| value)),
        ],
        // Of its own frames it reads nothing that it has not written, and others it only knows by addresses.
        Op::Call { stack: true, .. } => {
            let whole = Mem { space: Space::Stack, map: None, base: None, offset: 0 };
            vec![Place::new(whole, u32::from(STACK_BYTES))]
        }
        Op::Request(request) => {
            let at = |mem: Option<Mem>, bytes: u32| mem.map(|mem| Place::new(mem, bytes));
            // The arguments of a printk stand in scratch.
            let scratch = Mem { space: Space::Scratch, map: None, base: None, offset: PRINTK_ARGUMENTS };
            let printed = (request.op == RequestOp::Printk).then(|| Place::new(scratch, PRINTK_ARGUMENT_BYTES));
            let written = matches!(request.op.shape().key, KeyUse::WritesW);
            let key = if written { None } else { at(request.key, request.key_bytes) };
            key.into_iter().chain(at(request.value_at, request.value_bytes)).chain(printed).collect()
        }
        _ => Vec::new(),
    }
}

/// All bytes that an operation reads from memory.
pub(super) fn reads(op: &Op, maps: &MapTable) -> Vec<Place> {
    match op {
        Op::Load { mem, size, .. } | Op::AtomicAdd { mem, size, .. } => vec![Place::new(*mem, *size)],
        op => request_reads(op, maps),
    }
}

/// Bytes that an operation writes beside stores.
pub(super) fn request_writes(op: &Op) -> Option<Place> {
    match op {
        Op::Request(request) if matches!(request.op.shape().key, KeyUse::WritesW) => {
            request.key.map(|mem| Place::new(mem, request.key_bytes))
        }
        _ => None,
    }
}

/// True if the operation may change bytes of the place, or where it lies.
pub(super) fn clobbers(constants: &[Option<u64>], op: &Op, place: &Place) -> bool {
    match op {
        Op::Store { mem, size, .. } | Op::AtomicAdd { mem, size, .. } => {
            overlap(constants, &Place::new(*mem, *size), place) != Overlap::None
        }
        Op::Update { map, .. } | Op::Delete { map, .. } => {
            place.mem.space == Space::MapValue && place.mem.map.is_none_or(|own| own == *map)
        }
        // The packet's first byte is another one, and its length.
        Op::AdjustHead { .. } => match place.mem.space {
            Space::Packet => true,
            Space::Scratch => i64::from(METADATA_PACKET_LEN) + 8 > place.range().0,
            Space::Stack | Space::MapValue => false,
        },
        Op::Request(request) => request_clobbers(constants, request, place),
        Op::Call { stack, .. } => *stack || place.mem.space != Space::Stack,
        Op::Named(_) | Op::Const(_) | Op::Alu { .. } | Op::Load { .. } | Op::Lookup { .. } => false,
    }
}

/// The same for a request.
fn request_clobbers(constants: &[Option<u64>], request: &Request, place: &Place) -> bool {
    let shape = request.op.shape();
    let touches = |mem: &Mem| overlap(constants, &Place::new(*mem, request.key_bytes), place) != Overlap::None;
    match shape.key {
        KeyUse::WritesW => return request.key.as_ref().is_some_and(touches),
        // Others may change the value meanwhile.
        KeyUse::Atomic(_) => return place.mem.space == Space::MapValue,
        _ => {}
    }
    match place.mem.space {
        Space::Packet => request.op.moves_packet() || request.op == RequestOp::StoreBytes,
        Space::Scratch => request.op.moves_packet() && i64::from(METADATA_BYTES) > place.range().0,
        Space::Stack => false,
        // Waiting for a lock, values change; a record that is submitted is none any more.
        Space::MapValue => {
            request.op.changes_map()
                || matches!(
                    request.op,
                    RequestOp::SpinLock
                        | RequestOp::SpinUnlock
                        | RequestOp::RingReserve
                        | RequestOp::RingSubmit
                        | RequestOp::RingDiscard
                )
        }
    }
}

/// True if the operation changes memory at all.
pub(super) fn writes(op: &Op) -> bool {
    matches!(
        op,
        Op::Store { .. }
            | Op::AtomicAdd { .. }
            | Op::Update { .. }
            | Op::Delete { .. }
            | Op::AdjustHead { .. }
            | Op::Call { .. }
    ) || matches!(op, Op::Request(request) if !request.op.is_silent())
}
