//! Many packets in flight on the device model, and the log of what they did to maps; `offwire_harness::overlap` checks it.

use crate::backends::{self, Prepared};
use crate::throughput::WireClock;
use device_model::{Admission, Departure, Device, Event, MapId, SharedOp, Trace};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::mapfile::Contents;
use offwire_harness::overlap::{Logged, Op, Run};
use offwire_harness::{Entry, EntryValue, PacketIn};
use offwire_image::{DispatchMode, MapSpec};
use offwire_isa::{Handle, RequestOp};
use std::collections::BTreeMap;

/// Numbers of helpers whose answers come from shared units (include/uapi/linux/bpf.h).
mod helper {
    pub(super) const KTIME_GET_NS: u32 = 5;
    pub(super) const GET_PRANDOM_U32: u32 = 7;
    pub(super) const PERF_EVENT_OUTPUT: u32 = 25;
    pub(super) const JIFFIES64: u32 = 118;
    pub(super) const RINGBUF_OUTPUT: u32 = 130;
    pub(super) const RINGBUF_RESERVE: u32 = 131;
    pub(super) const RINGBUF_QUERY: u32 = 134;
}

/// A sink that keeps what `offwire_harness::overlap` wants to know.
#[derive(Debug)]
struct Log {
    maps: Vec<MapSpec>,
    vcpus: u32,
    log: Vec<Logged>,
    cpus: BTreeMap<u64, u32>,
}

impl Log {
    /// The index of a value without the CPU.
    fn element(&self, map: MapId, element: u32) -> u32 {
        let per_cpu = self.maps.get(usize::from(map)).is_some_and(|spec| spec.kind.is_per_cpu());
        if per_cpu { element / self.vcpus.max(1) } else { element }
    }

    fn op(&self, map: MapId, op: SharedOp<'_>) -> Option<Op> {
        let at = |element: u32| self.element(map, element);
        let answer = |helper, answer: u64| Some(Op::Answer { helper, answer });
        let errno = |answer: i32| i64::from(answer) as u64;
        match op {
            SharedOp::Lookup { key, answer } => {
                let element = Handle::unpack(answer).map(|handle| at(handle.element));
                Some(Op::Lookup { key: key.to_vec(), element })
            }
            SharedOp::Update { key, value, flags, answer, .. } => {
                Some(Op::Update { key: key.to_vec(), value: value.to_vec(), flags, answer: answer.into() })
            }
            SharedOp::Delete { key, answer } => Some(Op::Delete { key: key.to_vec(), answer: answer.into() }),
            SharedOp::Evict { key } => Some(Op::Evict { key: key.to_vec() }),
            SharedOp::Store { element, offset, bytes } => {
                Some(Op::Store { element: at(element), offset, bytes: bytes.to_vec() })
            }
            SharedOp::Add { element, offset, size, value } => {
                Some(Op::Add { element: at(element), offset, size, value })
            }
            SharedOp::Atomic { op, element, offset, operand, compare, old } => {
                let (size, new) = atomic(op, operand, compare, old)?;
                Some(Op::Atomic { element: at(element), offset, size, old, new })
            }
            SharedOp::Lock { element, offset } => Some(Op::Lock { element: at(element), offset, taken: true }),
            SharedOp::Unlock { element, offset } => Some(Op::Lock { element: at(element), offset, taken: false }),
            SharedOp::Read { element, offset, bytes } => {
                Some(Op::Read { element: at(element), offset, bytes: bytes.to_vec() })
            }
            SharedOp::RingReserve { answer: handle, .. } => answer(helper::RINGBUF_RESERVE, handle),
            SharedOp::RingOutput { answer: code, .. } => answer(helper::RINGBUF_OUTPUT, errno(code)),
            SharedOp::RingQuery { answer: position, .. } => answer(helper::RINGBUF_QUERY, position),
            SharedOp::PerfOutput { answer: code, .. } => answer(helper::PERF_EVENT_OUTPUT, errno(code)),
            // The update that names the element follows.
            SharedOp::Write { .. } => None,
            // Events and targets leave with the packet; what prog arrays and devmaps hold, no packet changes.
            SharedOp::RingSubmit { .. }
            | SharedOp::RingDiscard { .. }
            | SharedOp::RingRead
            | SharedOp::RedirectMap { .. }
            | SharedOp::TailCall { .. } => None,
        }
    }
}

/// Size of an atomic operation and what it leaves behind; `None` for what is none.
fn atomic(op: RequestOp, operand: u64, compare: u64, old: u64) -> Option<(u8, u64)> {
    use RequestOp::{
        Cmpxchg32, Cmpxchg64, FetchAdd32, FetchAdd64, FetchAnd32, FetchAnd64, FetchOr32, FetchOr64, FetchXor32,
        FetchXor64, Xchg32, Xchg64,
    };
    let low = |value: u64| value & 0xffff_ffff;
    Some(match op {
        FetchAdd32 => (4, low(old.wrapping_add(operand))),
        FetchAdd64 => (8, old.wrapping_add(operand)),
        FetchOr32 => (4, low(old | operand)),
        FetchOr64 => (8, old | operand),
        FetchAnd32 => (4, low(old & operand)),
        FetchAnd64 => (8, old & operand),
        FetchXor32 => (4, low(old ^ operand)),
        FetchXor64 => (8, old ^ operand),
        Xchg32 => (4, low(operand)),
        Xchg64 => (8, operand),
        Cmpxchg32 => (4, if low(old) == low(compare) { low(operand) } else { old }),
        Cmpxchg64 => (8, if old == compare { operand } else { old }),
        _ => return None,
    })
}

impl Trace for Log {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { at, vcpu } => {
                self.cpus.insert(at.seq, u32::from(vcpu));
            }
            Event::Shared { seq, vcpu, map, op, .. } => {
                if let Some(op) = self.op(map, op) {
                    self.log.push(Logged { packet: seq, cpu: u32::from(vcpu), map: map.into(), op });
                }
            }
            Event::Answered { seq, request, answer, .. } => {
                let helper = match request {
                    RequestOp::KtimeNs => helper::KTIME_GET_NS,
                    RequestOp::Jiffies => helper::JIFFIES64,
                    RequestOp::Prandom => helper::GET_PRANDOM_U32,
                    _ => return,
                };
                let op = Op::Answer { helper, answer };
                self.log.push(Logged { packet: seq, cpu: 0, map: u16::MAX, op });
            }
            _ => {}
        }
    }
}

/// Runs the packets in a dispatch mode, as many at the same time as it allows, at wire rate.
///
/// # Errors
/// What the device refuses: image, map entry, packet.
pub fn run(
    prepared: &Prepared<'_>,
    mode: DispatchMode,
    contents: &Contents,
    packets: &[PacketIn],
) -> Result<Run, Diagnostic> {
    let maps = prepared.compiled.image.maps.clone();
    let log = Log { maps: maps.clone(), vcpus: prepared.profile.vcpus, log: Vec::new(), cpus: BTreeMap::new() };
    let mut device = backends::traced_device(prepared, mode, contents, log)?;
    device.set_admission(Admission::Hold);
    let mut wire = WireClock::new(prepared.profile);
    let mut run = Run { packets: vec![None; packets.len()], cpus: vec![0; packets.len()], ..Run::default() };
    let start = device.now();
    for packet in packets {
        let cycle = start + wire.arrival(packet.bytes.len());
        device.offer(backends::arrival(packet, cycle)).map_err(|error| {
            Diagnostic::error(codes::device::PACKET, "the device did not take the packet")
                .with_reason(error.to_string())
        })?;
    }
    device.run_until_idle();
    let departures: Vec<Departure> = device.departures().collect();
    for departure in departures {
        let place = usize::try_from(departure.seq).ok().and_then(|seq| run.packets.get_mut(seq));
        if let Some(place) = place {
            *place = Some(backends::packet_out(departure)?);
        }
    }
    let Log { log, cpus, .. } = std::mem::replace(
        device.trace_mut(),
        Log { maps: Vec::new(), vcpus: 1, log: Vec::new(), cpus: BTreeMap::new() },
    );
    for (seq, cpu) in cpus {
        if let Some(place) = usize::try_from(seq).ok().and_then(|seq| run.cpus.get_mut(seq)) {
            *place = cpu;
        }
    }
    run.log = log;
    run.after = after(&device, &maps)?;
    Ok(run)
}

/// All that the maps hold, with the values of every vCPU.
fn after(device: &Device<Log>, maps: &[MapSpec]) -> Result<Contents, Diagnostic> {
    let mut contents = Contents::new();
    for (slot, spec) in (0..).zip(maps) {
        let Ok(entries) = device.map_entries(MapId(slot)) else { continue };
        let entry = |(key, values): (Vec<u8>, Vec<Vec<u8>>)| {
            let value = if spec.kind.is_per_cpu() {
                EntryValue::PerCpu((0..).zip(values).collect())
            } else {
                EntryValue::One(values.into_iter().next().unwrap_or_default())
            };
            Entry { key, value }
        };
        contents.push((MapIdx(slot), entries.into_iter().map(entry).collect()));
    }
    Ok(contents)
}
