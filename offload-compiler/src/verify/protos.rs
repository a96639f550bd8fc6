//! Helpers that offwire supports: their arguments, results and side effects (include/uapi/linux/bpf.h, kernel/bpf/helpers.c,
//! kernel/bpf/ringbuf.c, net/core/filter.c). One table for the verifier, its liveness and the facts.

use crate::ebpf::MapIdx;
use crate::object::Object;
use offwire_image::{MapKind, MapSpec};

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
    /// `ARG_DONTCARE`: may hold nothing at all.
    Any,
    /// `ARG_PTR_TO_MEM | MEM_RDONLY`: readable memory of the size in the next argument.
    Mem,
    /// `ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY`: the same, or 0 if the size is 0.
    MemOrNull,
    /// `ARG_PTR_TO_UNINIT_MEM`: memory that the helper fills, of the size in the next argument.
    UninitMem,
    /// `ARG_CONST_SIZE`: size of the memory in the argument before, not 0.
    Size,
    /// `ARG_CONST_SIZE_OR_ZERO`.
    SizeOrZero,
    /// `ARG_CONST_ALLOC_SIZE_OR_ZERO`: a known number, the size of the memory that is returned.
    AllocSize,
    /// `ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE`: a reserved record, gone afterwards.
    Record,
    /// `ARG_PTR_TO_SPIN_LOCK`: a `struct bpf_spin_lock` in a map value.
    SpinLock,
    /// `ARG_PTR_TO_FUNC`: a function that is called back.
    Callback,
    /// `ARG_PTR_TO_STACK_OR_NULL`: what is handed to it.
    CallbackContext,
}

/// What r0 is afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Result {
    /// `RET_PTR_TO_MAP_VALUE_OR_NULL`; of a map of maps, a map or null.
    MapValueOrNull,
    /// `RET_PTR_TO_RINGBUF_MEM_OR_NULL`.
    RecordOrNull,
    /// `RET_INTEGER`.
    Number,
    /// A 32-bit number, zero-extended.
    Number32,
    /// `RET_VOID`.
    Nothing,
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
    /// It takes memory in the packet (`pkt_access`).
    pub(crate) reads_packet: bool,
}

/// Numbers of helpers with rules of their own.
pub(crate) mod number {
    pub(crate) const MAP_LOOKUP: u32 = 1;
    pub(crate) const MAP_UPDATE: u32 = 2;
    pub(crate) const MAP_DELETE: u32 = 3;
    pub(crate) const TAIL_CALL: u32 = 12;
    pub(crate) const PERF_EVENT_OUTPUT: u32 = 25;
    pub(crate) const REDIRECT_MAP: u32 = 51;
    pub(crate) const SPIN_LOCK: u32 = 93;
    pub(crate) const SPIN_UNLOCK: u32 = 94;
    pub(crate) const RINGBUF_OUTPUT: u32 = 130;
    pub(crate) const RINGBUF_RESERVE: u32 = 131;
    pub(crate) const RINGBUF_QUERY: u32 = 134;
    pub(crate) const LOOP: u32 = 181;
}

/// `BPF_F_INNER_MAP`: maps in one map of maps may have different numbers of elements.
const INNER_MAP: u32 = 1 << 12;

/// Elements of an array map with the usual key of 4 bytes: a lookup with a smaller key always finds one.
pub(crate) fn array_size(spec: &MapSpec) -> Option<u64> {
    let fixed = matches!(spec.kind, MapKind::Array | MapKind::PercpuArray) && spec.flags & INNER_MAP == 0;
    (fixed && spec.key_size == 4).then_some(spec.max_entries.into())
}

/// Calls of a callback by one `bpf_loop`, at most (`BPF_MAX_LOOPS`): a power of 2.
pub(crate) const MAX_LOOPS_LOG2: u32 = 23;

/// The map's own description, or that of the maps which stand in it.
pub(crate) fn spec(object: &Object, map: MapIdx, inner: bool) -> Option<&MapSpec> {
    let map = object.maps.get(usize::from(map.0))?;
    if inner { map.inner.as_deref() } else { Some(&map.spec) }
}

/// True if the helper works on maps of the kind (`check_map_func_compatibility`).
pub(crate) fn takes_map(helper: u32, kind: MapKind) -> bool {
    use MapKind::{
        Array, ArrayOfMaps, Cpumap, Devmap, DevmapHash, Hash, HashOfMaps, LpmTrie, LruHash, PercpuArray, PercpuHash,
        PerfEventArray, ProgArray, Ringbuf, Xskmap,
    };
    let holds_values = matches!(kind, Hash | Array | PercpuHash | PercpuArray | LruHash | LpmTrie);
    match helper {
        // The kernel also looks up sockets in an XSKMAP.
        number::MAP_LOOKUP => holds_values || matches!(kind, Devmap | DevmapHash | ArrayOfMaps | HashOfMaps),
        number::MAP_UPDATE | number::MAP_DELETE => holds_values,
        number::TAIL_CALL => kind == ProgArray,
        number::PERF_EVENT_OUTPUT => kind == PerfEventArray,
        number::REDIRECT_MAP => matches!(kind, Devmap | DevmapHash | Cpumap | Xskmap),
        number::RINGBUF_OUTPUT | number::RINGBUF_RESERVE | number::RINGBUF_QUERY => kind == Ringbuf,
        _ => false,
    }
}

/// A helper without side effects that the verifier cares for.
const PLAIN: Proto =
    Proto { id: 0, args: &[], result: Result::Number, moves_packet: false, writes_map: false, reads_packet: false };

const PROTOS: &[Proto] = &[
    Proto {
        id: number::MAP_LOOKUP,
        args: &[Arg::Map, Arg::MapKey],
        result: Result::MapValueOrNull,
        reads_packet: true,
        ..PLAIN
    },
    Proto {
        id: number::MAP_UPDATE,
        args: &[Arg::Map, Arg::MapKey, Arg::MapValue, Arg::Number],
        writes_map: true,
        reads_packet: true,
        ..PLAIN
    },
    Proto { id: number::MAP_DELETE, args: &[Arg::Map, Arg::MapKey], writes_map: true, reads_packet: true, ..PLAIN },
    // bpf_ktime_get_ns, bpf_ktime_get_boot_ns, bpf_ktime_get_coarse_ns, bpf_jiffies64
    Proto { id: 5, ..PLAIN },
    Proto { id: 125, ..PLAIN },
    Proto { id: 160, ..PLAIN },
    Proto { id: 118, ..PLAIN },
    // bpf_trace_printk: the format tells which of the others are used
    Proto { id: 6, args: &[Arg::Mem, Arg::Size, Arg::Any, Arg::Any, Arg::Any], ..PLAIN },
    // bpf_get_prandom_u32, bpf_get_smp_processor_id
    Proto { id: 7, result: Result::Number32, ..PLAIN },
    Proto { id: 8, result: Result::Number32, ..PLAIN },
    // Behind it nothing has happened: a call that succeeds does not come back.
    Proto { id: number::TAIL_CALL, args: &[Arg::Ctx, Arg::Map, Arg::Number], result: Result::Nothing, ..PLAIN },
    // bpf_redirect
    Proto { id: 23, args: &[Arg::Number, Arg::Number], ..PLAIN },
    Proto {
        id: number::PERF_EVENT_OUTPUT,
        args: &[Arg::Ctx, Arg::Map, Arg::Number, Arg::Mem, Arg::SizeOrZero],
        ..PLAIN
    },
    // bpf_csum_diff
    Proto {
        id: 28,
        args: &[Arg::MemOrNull, Arg::SizeOrZero, Arg::MemOrNull, Arg::SizeOrZero, Arg::Number],
        reads_packet: true,
        ..PLAIN
    },
    // bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_adjust_tail
    Proto { id: 44, args: &[Arg::Ctx, Arg::Number], moves_packet: true, ..PLAIN },
    Proto { id: 54, args: &[Arg::Ctx, Arg::Number], moves_packet: true, ..PLAIN },
    Proto { id: 65, args: &[Arg::Ctx, Arg::Number], moves_packet: true, ..PLAIN },
    Proto { id: number::REDIRECT_MAP, args: &[Arg::Map, Arg::Number, Arg::Number], ..PLAIN },
    Proto { id: number::RINGBUF_OUTPUT, args: &[Arg::Map, Arg::Mem, Arg::SizeOrZero, Arg::Number], ..PLAIN },
    Proto {
        id: number::RINGBUF_RESERVE,
        args: &[Arg::Map, Arg::AllocSize, Arg::Number],
        result: Result::RecordOrNull,
        ..PLAIN
    },
    // bpf_ringbuf_submit, bpf_ringbuf_discard
    Proto { id: 132, args: &[Arg::Record, Arg::Number], result: Result::Nothing, ..PLAIN },
    Proto { id: 133, args: &[Arg::Record, Arg::Number], result: Result::Nothing, ..PLAIN },
    Proto { id: number::RINGBUF_QUERY, args: &[Arg::Map, Arg::Number], ..PLAIN },
    Proto { id: number::SPIN_LOCK, args: &[Arg::SpinLock], result: Result::Nothing, ..PLAIN },
    Proto { id: number::SPIN_UNLOCK, args: &[Arg::SpinLock], result: Result::Nothing, ..PLAIN },
    Proto { id: number::LOOP, args: &[Arg::Number, Arg::Callback, Arg::CallbackContext, Arg::Number], ..PLAIN },
    // bpf_xdp_get_buff_len, bpf_xdp_load_bytes, bpf_xdp_store_bytes
    Proto { id: 188, args: &[Arg::Ctx], result: Result::Number32, ..PLAIN },
    Proto { id: 189, args: &[Arg::Ctx, Arg::Number, Arg::UninitMem, Arg::Size], ..PLAIN },
    Proto { id: 190, args: &[Arg::Ctx, Arg::Number, Arg::Mem, Arg::Size], ..PLAIN },
];

/// The helper with the kernel's number, if it is supported.
pub(crate) fn find(id: u32) -> Option<&'static Proto> {
    PROTOS.iter().find(|proto| proto.id == id)
}

/// Names of all helpers that are supported, in the order of their numbers.
pub fn supported_helpers() -> Vec<&'static str> {
    let mut ids: Vec<u32> = PROTOS.iter().map(|proto| proto.id).collect();
    ids.sort_unstable();
    ids.into_iter().filter_map(crate::ebpf::helper_name).collect()
}
