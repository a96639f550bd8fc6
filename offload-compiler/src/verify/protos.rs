//! Helpers that offwire supports: their arguments, results and side effects (include/uapi/linux/bpf.h, kernel/bpf/helpers.c,
//! net/core/filter.c). One table for the verifier, its liveness and the facts.

use crate::ebpf::MapIdx;
use crate::object::Object;
use offwire_image::MapKind;

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    /// `ARG_CONST_MAP_PTR`.
    Map,
    /// `ARG_PTR_TO_MAP_KEY`: readable memory of the map's key size.
    MapKey,
    /// `ARG_PTR_TO_MAP_VALUE`: readable memory of the map's value size.
    MapValue,
    /// `ARG_PTR_TO_CTX`.
    Ctx,
    /// `ARG_ANYTHING`; pointers are refused, as the device does not show them as numbers.
    Number,
}

/// What r0 is afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Result {
    /// `RET_PTR_TO_MAP_VALUE_OR_NULL`.
    MapValueOrNull,
    /// `RET_INTEGER`.
    Number,
    /// A 32-bit number, zero-extended.
    Number32,
}

/// A helper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proto {
    /// The kernel's number.
    pub(crate) id: u32,
    pub(crate) args: &'static [Arg],
    pub(crate) result: Result,
    /// It may move or resize the packet (`bpf_helper_changes_pkt_data`).
    pub(crate) moves_packet: bool,
    /// It changes the map (refused for maps that are read-only to programs).
    pub(crate) writes_map: bool,
}

/// `bpf_map_lookup_elem`.
pub(crate) const MAP_LOOKUP: u32 = 1;

/// Elements of an array map with the usual key of 4 bytes: a lookup with a smaller key always finds one.
pub(crate) fn array_size(object: &Object, map: MapIdx) -> Option<u64> {
    let spec = &object.maps.get(usize::from(map.0))?.spec;
    (matches!(spec.kind, MapKind::Array | MapKind::PercpuArray) && spec.key_size == 4)
        .then_some(spec.max_entries.into())
}

const PROTOS: &[Proto] = &[
    Proto {
        id: MAP_LOOKUP,
        args: &[Arg::Map, Arg::MapKey],
        result: Result::MapValueOrNull,
        moves_packet: false,
        writes_map: false,
    },
    Proto {
        id: 2, // bpf_map_update_elem
        args: &[Arg::Map, Arg::MapKey, Arg::MapValue, Arg::Number],
        result: Result::Number,
        moves_packet: false,
        writes_map: true,
    },
    Proto {
        id: 3, // bpf_map_delete_elem
        args: &[Arg::Map, Arg::MapKey],
        result: Result::Number,
        moves_packet: false,
        writes_map: true,
    },
    Proto {
        id: 8, // bpf_get_smp_processor_id
        args: &[],
        result: Result::Number32,
        moves_packet: false,
        writes_map: false,
    },
    Proto {
        id: 44, // bpf_xdp_adjust_head
        args: &[Arg::Ctx, Arg::Number],
        result: Result::Number,
        moves_packet: true,
        writes_map: false,
    },
];

/// The helper with the kernel's number, if it is supported.
pub(crate) fn find(id: u32) -> Option<&'static Proto> {
    PROTOS.iter().find(|proto| proto.id == id)
}
