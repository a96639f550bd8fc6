//! Helpers of the reference back end, with the kernel's return codes (net/core/filter.c, kernel/bpf/helpers.c).

use super::exec::Fault;
use super::maps::{E2BIG, EINVAL, ENOSPC, MapStore};
use super::mem::{Mem, Place, RecordState, Violation};
use super::printk::{self, Printed};
use crate::overlap::Op;
use crate::{Event, PERF_RING_BYTES, RedirectTarget};
use offload_compiler::ebpf::MapIdx;
use offwire_image::MapKind;

/// Helper numbers (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER).
pub(crate) mod number {
    pub(crate) const MAP_LOOKUP_ELEM: u32 = 1;
    pub(crate) const MAP_UPDATE_ELEM: u32 = 2;
    pub(crate) const MAP_DELETE_ELEM: u32 = 3;
    pub(crate) const KTIME_GET_NS: u32 = 5;
    pub(crate) const TRACE_PRINTK: u32 = 6;
    pub(crate) const GET_PRANDOM_U32: u32 = 7;
    pub(crate) const GET_SMP_PROCESSOR_ID: u32 = 8;
    pub(crate) const TAIL_CALL: u32 = 12;
    pub(crate) const REDIRECT: u32 = 23;
    pub(crate) const PERF_EVENT_OUTPUT: u32 = 25;
    pub(crate) const CSUM_DIFF: u32 = 28;
    pub(crate) const XDP_ADJUST_HEAD: u32 = 44;
    pub(crate) const REDIRECT_MAP: u32 = 51;
    pub(crate) const XDP_ADJUST_META: u32 = 54;
    pub(crate) const XDP_ADJUST_TAIL: u32 = 65;
    pub(crate) const SPIN_LOCK: u32 = 93;
    pub(crate) const SPIN_UNLOCK: u32 = 94;
    pub(crate) const JIFFIES64: u32 = 118;
    pub(crate) const KTIME_GET_BOOT_NS: u32 = 125;
    pub(crate) const RINGBUF_OUTPUT: u32 = 130;
    pub(crate) const RINGBUF_RESERVE: u32 = 131;
    pub(crate) const RINGBUF_SUBMIT: u32 = 132;
    pub(crate) const RINGBUF_DISCARD: u32 = 133;
    pub(crate) const RINGBUF_QUERY: u32 = 134;
    pub(crate) const KTIME_GET_COARSE_NS: u32 = 160;
    pub(crate) const LOOP: u32 = 181;
    pub(crate) const XDP_GET_BUFF_LEN: u32 = 188;
    pub(crate) const XDP_LOAD_BYTES: u32 = 189;
    pub(crate) const XDP_STORE_BYTES: u32 = 190;
}

const EAGAIN: i64 = -11;
const EOPNOTSUPP: i64 = -95;
/// Flags of bpf_perf_event_output: BPF_F_CTXLEN_MASK, BPF_F_INDEX_MASK, BPF_F_CURRENT_CPU.
const CTXLEN_MASK: u64 = 0xf_ffff << 32;
const INDEX_MASK: u64 = 0xffff_ffff;
const CURRENT_CPU: u64 = INDEX_MASK;

const EFAULT: i64 = -14;
/// BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP.
const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
/// XDP_ABORTED and XDP_REDIRECT.
const ABORTED: u64 = 0;
const REDIRECT: u64 = 4;
/// Flags of bpf_redirect_map: the action if the entry is missing; BPF_F_BROADCAST and BPF_F_EXCLUDE_INGRESS.
const ACTION_MASK: u64 = 3;
const BROADCAST: u64 = 8;
const EXCLUDE_INGRESS: u64 = 16;

/// Number of register arguments of a helper; `None` if the interpreter does not know it.
pub(crate) fn arguments(id: u32) -> Option<u32> {
    Some(match id {
        number::GET_SMP_PROCESSOR_ID
        | number::KTIME_GET_NS
        | number::KTIME_GET_BOOT_NS
        | number::KTIME_GET_COARSE_NS
        | number::JIFFIES64
        | number::GET_PRANDOM_U32 => 0,
        number::XDP_GET_BUFF_LEN | number::SPIN_LOCK | number::SPIN_UNLOCK => 1,
        number::MAP_LOOKUP_ELEM
        | number::MAP_DELETE_ELEM
        | number::XDP_ADJUST_HEAD
        | number::XDP_ADJUST_META
        | number::XDP_ADJUST_TAIL
        | number::RINGBUF_SUBMIT
        | number::RINGBUF_DISCARD
        | number::RINGBUF_QUERY
        | number::REDIRECT => 2,
        number::REDIRECT_MAP | number::TAIL_CALL | number::RINGBUF_RESERVE => 3,
        number::LOOP
        | number::RINGBUF_OUTPUT
        | number::MAP_UPDATE_ELEM
        | number::XDP_LOAD_BYTES
        | number::XDP_STORE_BYTES => 4,
        number::CSUM_DIFF | number::PERF_EVENT_OUTPUT => 5,
        // The arguments behind the format are read if something was put there.
        number::TRACE_PRINTK => 2,
        _ => return None,
    })
}

/// The program that bpf_tail_call goes to, by its number; `None` if the entry is missing.
pub(crate) fn tail_call_target(regs: &[u64; 16], mem: &Mem) -> Result<Option<usize>, Violation> {
    let [_, r1, r2, r3, ..] = *regs;
    ctx_argument(mem, r1)?;
    let map = map_argument(mem, r2)?;
    match mem.maps.get(usize::from(map.0)) {
        Some(store) if store.spec().kind == MapKind::ProgArray => Ok(store.reference(&(r3 as u32).to_le_bytes())),
        _ => Err(Violation("bpf_tail_call without a program array in r2".into())),
    }
}

/// A helper call; gives r0.
pub(crate) fn call(id: u32, regs: &[u64; 16], mem: &mut Mem) -> Result<u64, Fault> {
    let [_, r1, r2, r3, r4, r5, ..] = *regs;
    Ok(match id {
        number::MAP_LOOKUP_ELEM => {
            let map = map_argument(mem, r1)?;
            mem.refresh(r2, key_size(mem, map));
            let key = mem.bytes(r2, key_size(mem, map))?;
            let store = mem.maps.get(usize::from(map.0));
            if store.is_some_and(|store| matches!(store.spec().kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps)) {
                let inner = store.and_then(|store| store.reference(key)).and_then(|inner| u16::try_from(inner).ok());
                return Ok(inner.map_or(0, |inner| mem.map_pointer(MapIdx(inner))));
            }
            if mem.replay.is_some() && store.is_some_and(|store| is_keyed(store.spec().kind)) {
                let (key, slots) = (key.to_vec(), store.map_or(0, MapStore::slots));
                let slot = mem.replay.as_mut().map_or(Ok(None), |replay| replay.lookup(map.0, &key, slots))?;
                if let (Some(slot), Some(store)) = (slot, mem.maps.get_mut(usize::from(map.0))) {
                    store.value_grown(slot);
                }
                return Ok(slot.and_then(|slot| mem.value_pointer(map, slot)).unwrap_or(0));
            }
            let slot = store.and_then(|store| store.lookup(key));
            slot.and_then(|slot| mem.value_pointer(map, slot)).unwrap_or(0)
        }
        number::MAP_UPDATE_ELEM => {
            let map = map_argument(mem, r1)?;
            mem.refresh(r2, key_size(mem, map));
            let key = mem.bytes(r2, key_size(mem, map))?.to_vec();
            let size = mem.maps.get(usize::from(map.0)).map_or(0, |store| store.spec().value_size as usize);
            mem.refresh(r3, size);
            let value = mem.bytes(r3, size)?.to_vec();
            match (mem.maps.get_mut(usize::from(map.0)), &mut mem.replay) {
                (Some(store), None) if !store.read_only() => store.update(&key, &value, r4) as u64,
                (Some(store), Some(replay)) if !store.read_only() => {
                    replay.change(map.0, &Op::Update { key, value, flags: r4, answer: 0 })? as u64
                }
                _ => return Err(Violation("bpf_map_update_elem on a read-only map".into()).into()),
            }
        }
        number::MAP_DELETE_ELEM => {
            let map = map_argument(mem, r1)?;
            mem.refresh(r2, key_size(mem, map));
            let key = mem.bytes(r2, key_size(mem, map))?.to_vec();
            match (mem.maps.get_mut(usize::from(map.0)), &mut mem.replay) {
                (Some(store), None) if !store.read_only() => store.delete(&key) as u64,
                (Some(store), Some(replay)) if !store.read_only() => {
                    replay.change(map.0, &Op::Delete { key, answer: 0 })? as u64
                }
                _ => return Err(Violation("bpf_map_delete_elem on a read-only map".into()).into()),
            }
        }
        number::GET_SMP_PROCESSOR_ID => u64::from(mem.cpu),
        number::KTIME_GET_NS | number::KTIME_GET_BOOT_NS | number::KTIME_GET_COARSE_NS => {
            told(mem, number::KTIME_GET_NS).unwrap_or(mem.chance.ktime_ns)
        }
        number::JIFFIES64 => told(mem, number::JIFFIES64).unwrap_or(mem.chance.jiffies),
        number::GET_PRANDOM_U32 => match told(mem, number::GET_PRANDOM_U32) {
            Some(number) => number,
            None => u64::from(mem.chance.random()),
        },
        number::XDP_ADJUST_HEAD | number::XDP_ADJUST_META | number::XDP_ADJUST_TAIL => {
            ctx_argument(mem, r1)?;
            let code = match id {
                number::XDP_ADJUST_HEAD => mem.adjust_head(r2 as i32),
                number::XDP_ADJUST_META => mem.adjust_meta(r2 as i32),
                _ => mem.adjust_tail(r2 as i32),
            };
            mem.invalidate_packet_pointers();
            code as u64
        }
        number::XDP_GET_BUFF_LEN => {
            ctx_argument(mem, r1)?;
            mem.packet().len() as u64
        }
        number::XDP_LOAD_BYTES => {
            ctx_argument(mem, r1)?;
            match packet_range(mem, r2, r4) {
                Ok(range) => {
                    let bytes = mem.packet().get(range).unwrap_or(&[]).to_vec();
                    mem.writes(r3, bytes.len());
                    mem.bytes_mut(r3, bytes.len())?.copy_from_slice(&bytes);
                    mem.wrote(r3, bytes.len());
                    0
                }
                Err(code) => code as u64,
            }
        }
        number::XDP_STORE_BYTES => {
            ctx_argument(mem, r1)?;
            mem.refresh(r3, r4 as u32 as usize);
            let bytes = mem.bytes(r3, r4 as u32 as usize)?.to_vec();
            match packet_range(mem, r2, r4) {
                Ok(range) => {
                    if let Some(to) = mem.packet_mut().get_mut(range) {
                        to.copy_from_slice(&bytes);
                    }
                    0
                }
                Err(code) => code as u64,
            }
        }
        // Nobody else runs; what is left to check is that the lock is one, in the state that the call expects.
        number::SPIN_LOCK | number::SPIN_UNLOCK => {
            let (Place::Value { .. }, _) = mem.place(r1) else {
                return Err(Violation("a spin lock outside map values".into()).into());
            };
            let held = id == number::SPIN_LOCK;
            if mem.replay.is_some() {
                // Whether it was free is what the order of all packets tells.
                mem.bytes_mut(r1, 4)?;
                if let ((Place::Value { map, slot }, offset), Some(replay)) = (mem.place(r1), &mut mem.replay) {
                    replay.lock((map.0, slot), usize::try_from(offset).unwrap_or(usize::MAX), held)?;
                }
                return Ok(0);
            }
            let word = mem.bytes_mut(r1, 4)?;
            if word != u32::from(!held).to_le_bytes() {
                return Err(
                    Violation(format!("a spin lock is {} twice", if held { "taken" } else { "released" })).into()
                );
            }
            word.copy_from_slice(&u32::from(held).to_le_bytes());
            0
        }
        number::RINGBUF_OUTPUT => {
            let map = ring_argument(mem, r1)?;
            let answer = told(mem, id);
            if r4 & !(NO_WAKEUP | FORCE_WAKEUP) != 0 {
                return Ok(EINVAL as u64);
            }
            let len = usize::try_from(r3).unwrap_or(usize::MAX);
            mem.refresh(r2, len);
            let bytes = mem.bytes(r2, len)?.to_vec();
            if let Some(refused) = answer.filter(|answer| *answer != 0) {
                return Ok(refused);
            }
            match mem.reserve(map, r3, RecordState::Submitted) {
                None => EAGAIN as u64,
                Some(at) => {
                    if let Some(record) = mem.records.get_mut(at) {
                        record.bytes = bytes;
                    }
                    0
                }
            }
        }
        number::RINGBUF_RESERVE => {
            let map = ring_argument(mem, r1)?;
            if told(mem, id) == Some(0) {
                return Ok(0);
            }
            let record = if r3 == 0 { mem.reserve(map, r2, RecordState::Reserved) } else { None };
            record.map_or(0, |at| mem.record_pointer(at))
        }
        number::RINGBUF_SUBMIT | number::RINGBUF_DISCARD => {
            let (Place::Record(at), 0) = mem.place(r1) else {
                return Err(Violation("what is submitted or discarded is no reserved record".into()).into());
            };
            if let Some(record) = mem.records.get_mut(at) {
                let submit = id == number::RINGBUF_SUBMIT;
                record.state = if submit { RecordState::Submitted } else { RecordState::Discarded };
            }
            0
        }
        number::RINGBUF_QUERY => {
            let map = ring_argument(mem, r1)?;
            told(mem, id).unwrap_or_else(|| mem.query(map, r2))
        }
        number::PERF_EVENT_OUTPUT => {
            ctx_argument(mem, r1)?;
            mem.refresh(r4, usize::try_from(r5).unwrap_or(usize::MAX));
            match told(mem, id) {
                None => perf_event_output(mem, r2, r3, (r4, r5))? as u64,
                // Other CPUs have readers of their own.
                Some(0) => perf_event_output(mem, r2, r3 | CURRENT_CPU, (r4, r5))? as u64,
                Some(refused) => refused,
            }
        }
        number::TRACE_PRINTK => {
            let text = mem.bytes(r1, r2 as u32 as usize)?.to_vec();
            let known = |addr: u64, len: usize| mem.bytes(addr, len).ok().map(<[u8]>::to_vec);
            match printk::format(&text, [r3, r4, r5], &known) {
                Printed::Error(code) => code as u64,
                Printed::Unsupported(what) => return Err(Fault::Unsupported(what)),
                Printed::Line { length, text } => {
                    mem.other_events.push(Event::Trace { text: String::from_utf8_lossy(&text).into_owned() });
                    length as u64
                }
            }
        }
        number::REDIRECT if r2 != 0 => ABORTED,
        number::REDIRECT => {
            mem.redirect = Some(RedirectTarget::Ifindex(r1 as u32));
            REDIRECT
        }
        number::REDIRECT_MAP => redirect_map(mem, r1, r2, r3)?,
        number::CSUM_DIFF => {
            mem.refresh(r1, r2 as u32 as usize);
            mem.refresh(r3, r4 as u32 as usize);
            csum_diff(mem, (r1, r2 as u32), (r3, r4 as u32), r5 as u32)?
        }
        _ => return Err(Fault::Unsupported(format!("helper {id}"))),
    })
}

/// What a shared unit answered this packet, in a replay.
fn told(mem: &mut Mem, helper: u32) -> Option<u64> {
    mem.replay.as_mut().and_then(|replay| replay.answer(helper))
}

/// True for maps in which a program finds elements by a key that other packets may insert or delete.
fn is_keyed(kind: MapKind) -> bool {
    matches!(kind, MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LpmTrie)
}

/// bpf_xdp_pointer: the bytes `len` at `offset`, or an error number. Both arguments are 32 bits wide.
fn packet_range(mem: &Mem, offset: u64, len: u64) -> Result<std::ops::Range<usize>, i64> {
    let (offset, len) = (offset as u32 as usize, len as u32 as usize);
    if offset > 0xffff || len > 0xffff {
        return Err(EFAULT);
    }
    if offset + len > mem.packet().len() {
        return Err(EINVAL);
    }
    Ok(offset..offset + len)
}

/// __bpf_xdp_redirect_map (include/linux/filter.h).
fn redirect_map(mem: &mut Mem, r1: u64, key: u64, flags: u64) -> Result<u64, Violation> {
    let map = map_argument(mem, r1)?;
    let Some(store) = mem.maps.get(usize::from(map.0)) else { return Ok(ABORTED) };
    let allowed = match store.spec().kind {
        MapKind::Devmap | MapKind::DevmapHash => BROADCAST | EXCLUDE_INGRESS,
        MapKind::Cpumap | MapKind::Xskmap => 0,
        _ => return Err(Violation("bpf_redirect_map on a map that holds no targets".into())),
    };
    if flags & !(ACTION_MASK | allowed) != 0 {
        return Ok(ABORTED);
    }
    let found = store.lookup(&(key as u32).to_le_bytes()).is_some();
    let (target, code) = match (flags & BROADCAST != 0, found) {
        (true, _) => {
            let exclude_ingress = flags & EXCLUDE_INGRESS != 0;
            (Some(RedirectTarget::Broadcast { map: map.0, exclude_ingress }), REDIRECT)
        }
        (false, true) => (Some(RedirectTarget::Entry { map: map.0, key: key as u32 }), REDIRECT),
        (false, false) => (None, flags & ACTION_MASK),
    };
    mem.redirect = target;
    Ok(code)
}

/// bpf_xdp_event_output (net/core/filter.c) and __bpf_perf_event_output (kernel/trace/bpf_trace.c). Entry 0 has a reader on
/// CPU 0, all others have one on another CPU.
fn perf_event_output(mem: &mut Mem, r2: u64, flags: u64, (data, len): (u64, u64)) -> Result<i64, Violation> {
    let map = map_argument(mem, r2)?;
    let entries = match mem.maps.get(usize::from(map.0)).map(|store| store.spec()) {
        Some(spec) if spec.kind == MapKind::PerfEventArray => u64::from(spec.max_entries),
        _ => return Err(Violation("bpf_perf_event_output without a perf event array in r2".into())),
    };
    let bytes = mem.bytes(data, usize::try_from(len).unwrap_or(usize::MAX))?;
    let appended = ((flags & CTXLEN_MASK) >> 32) as usize;
    if flags & !(CTXLEN_MASK | INDEX_MASK) != 0 {
        return Ok(EINVAL);
    }
    let Some(packet) = mem.packet().get(..appended) else { return Ok(EFAULT) };
    let bytes = [bytes, packet].concat();
    match flags & INDEX_MASK {
        CURRENT_CPU => {}
        index if index >= entries => return Ok(E2BIG),
        0 => {}
        _ => return Ok(EOPNOTSUPP),
    }
    // A record has a header of 8 bytes and a length of 4; user space empties the ring after each packet.
    let room = (bytes.len() + 4).next_multiple_of(8) as u64 + 8;
    if mem.perf_bytes + room >= PERF_RING_BYTES {
        return Ok(ENOSPC);
    }
    mem.perf_bytes += room;
    mem.other_events.push(Event::Perf { map: map.0, bytes });
    Ok(0)
}

/// bpf_csum_diff (net/core/filter.c): the sum of `to` less that of `from`, folded to 16 bits since Linux 6.13, which
/// takes sizes that are no multiple of 4 as well.
fn csum_diff(mem: &Mem, from: (u64, u32), to: (u64, u32), seed: u32) -> Result<u64, Violation> {
    let sum = |(addr, len): (u64, u32), seed: u32| -> Result<u32, Violation> {
        if len == 0 {
            return Ok(seed);
        }
        let words = mem.bytes(addr, len as usize)?.chunks(4).map(|bytes| {
            let mut word = [0; 4];
            word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            u32::from_le_bytes(word)
        });
        Ok(words.fold(seed, ones_add))
    };
    let sum = match (from.1, to.1) {
        (0, _) => sum(to, seed)?,
        (_, 0) => !sum(from, !seed)?,
        _ => ones_add(sum(to, seed)?, !sum(from, 0)?),
    };
    // csum_from32to16
    Ok(u64::from(sum.wrapping_add(sum.rotate_left(16)) >> 16))
}

/// Addition in ones' complement.
fn ones_add(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u32::from(carry))
}

fn ctx_argument(mem: &Mem, r1: u64) -> Result<(), Violation> {
    if r1 == mem.ctx_pointer() {
        Ok(())
    } else {
        Err(Violation("a helper that wants ctx in r1 gets something else".into()))
    }
}

fn map_argument(mem: &Mem, r1: u64) -> Result<MapIdx, Violation> {
    match mem.place(r1) {
        (Place::Map(map), 0) => Ok(map),
        _ => Err(Violation(format!("a helper call with {r1:#x} in r1, which is no map"))),
    }
}

fn ring_argument(mem: &Mem, r1: u64) -> Result<MapIdx, Violation> {
    let map = map_argument(mem, r1)?;
    match mem.maps.get(usize::from(map.0)) {
        Some(store) if store.spec().kind == MapKind::Ringbuf => Ok(map),
        _ => Err(Violation("a ring buffer helper on another map".into())),
    }
}

fn key_size(mem: &Mem, map: MapIdx) -> usize {
    mem.maps.get(usize::from(map.0)).map_or(0, |store| store.spec().key_size as usize)
}
