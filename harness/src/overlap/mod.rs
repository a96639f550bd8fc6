//! Many packets in flight, checked against the order in which their operations on maps took effect.
//!
//! A device that runs packets side by side tells a log: each operation on a shared map, in the order in which it took effect, with
//! the packet that did it and the answer that it got ([`Logged`]). [`check`] asks two questions of it. Would the program, packet by
//! packet, do what the device did, if maps told it what the log says? And do maps on which the logged operations happen one after the
//! other give these answers, and hold at the end what the device's maps hold? If both are so, the run is one that eBPF allows.
//! docs/testing.md has the rules.

mod world;

use crate::mapfile::{self, Contents};
use crate::reference::Ref;
use crate::{Backend, Entry, PacketIn, PacketOut};
use offload_compiler::object::Object;
use offwire_image::MapKind;
use serde::Serialize;
use std::collections::BTreeMap;
use world::World;

/// An operation on a map. `element` names where a value lives: the index in an array (without the CPU), anything in other maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A lookup.
    Lookup {
        /// The key.
        key: Vec<u8>,
        /// Where the value lives, if there is one.
        element: Option<u32>,
    },
    /// An update.
    Update {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
        /// BPF_ANY, BPF_NOEXIST or BPF_EXIST, with or without BPF_F_LOCK; or what no map has.
        flags: u64,
        /// 0 or a negative error number.
        answer: i64,
    },
    /// A delete.
    Delete {
        /// The key.
        key: Vec<u8>,
        /// 0 or a negative error number.
        answer: i64,
    },
    /// An LRU map gave an entry away.
    Evict {
        /// Its key.
        key: Vec<u8>,
    },
    /// Bytes of a value were written.
    Store {
        /// Whose value.
        element: u32,
        /// Where in it.
        offset: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A number in a value was added to, without an answer.
    Add {
        /// Whose value.
        element: u32,
        /// Where in it.
        offset: u32,
        /// 4 or 8.
        size: u8,
        /// What was added.
        value: u64,
    },
    /// A number in a value was changed, with its old value as the answer.
    Atomic {
        /// Whose value.
        element: u32,
        /// Where in it.
        offset: u32,
        /// 4 or 8.
        size: u8,
        /// What was there.
        old: u64,
        /// What is there now.
        new: u64,
    },
    /// Bytes of a value were read.
    Read {
        /// Whose value.
        element: u32,
        /// Where in it.
        offset: u32,
        /// What was there.
        bytes: Vec<u8>,
    },
    /// A lock was taken (true) or given back.
    Lock {
        /// Whose value.
        element: u32,
        /// Where in it.
        offset: u32,
        /// Taken.
        taken: bool,
    },
    /// A helper that draws on something shared that is no map value answered: clocks, random numbers, ring buffers, perf events.
    Answer {
        /// Number of the helper.
        helper: u32,
        /// r0; for bpf_ringbuf_reserve 0 or not.
        answer: u64,
    },
}

impl Op {
    /// True for requests, which a program makes one after the other.
    pub(crate) fn is_ordered(&self) -> bool {
        !matches!(self, Op::Read { .. } | Op::Store { .. } | Op::Add { .. } | Op::Evict { .. })
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Number of the packet, from 0.
    pub packet: u64,
    /// CPU that the packet ran on.
    pub cpu: u32,
    /// Number of the map; anything for [`Op::Answer`].
    pub map: u16,
    /// What happened.
    pub op: Op,
}

/// What a device tells of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// All operations, in the order in which they took effect.
    pub log: Vec<Logged>,
    /// What became of each packet, by its number; `None` if it did not come out.
    pub packets: Vec<Option<PacketOut>>,
    /// CPU of each packet.
    pub cpus: Vec<u32>,
    /// The maps after the last packet.
    pub after: Contents,
}

impl Run {
    /// Most packets that were between their first and last operation at the same time.
    pub fn overlapping(&self) -> usize {
        let mut spans: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for (at, logged) in self.log.iter().enumerate() {
            spans.entry(logged.packet).and_modify(|(_, last)| *last = at).or_insert((at, at));
        }
        let mut ends: Vec<(usize, bool)> = Vec::new();
        for (first, last) in spans.into_values() {
            ends.extend([(2 * first, true), (2 * last + 1, false)]);
        }
        ends.sort_unstable();
        let (mut now, mut most) = (0usize, 0usize);
        for (_, starts) in ends {
            now = if starts { now + 1 } else { now.saturating_sub(1) };
            most = most.max(now);
        }
        most
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The packet, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl Finding {
    fn new(packet: Option<u64>, what: impl Into<String>) -> Self {
        Self { packet, what: what.into() }
    }
}

/// Attempts to find out which of several values a packet read where.
const ATTEMPTS: usize = 512;

/// Elements of a map beyond its entries that one packet may see.
const SPARES: u32 = 256;

/// Checks a run of program number `program`.
///
/// # Errors
/// The first thing that no execution of the program on these maps explains.
pub fn check(
    object: &Object,
    program: usize,
    contents: &Contents,
    packets: &[PacketIn],
    run: &Run,
) -> Result<(), Finding> {
    if run.packets.len() != packets.len() {
        return Err(Finding::new(None, format!("{} packets came out of {}", run.packets.len(), packets.len())));
    }
    let told = |diagnostic: offwire_diag::Diagnostic| Finding::new(None, diagnostic.to_string());
    let mut reference = Ref::new(&roomy(object), program).map_err(told)?;
    mapfile::apply(&mut reference, contents).map_err(told)?;
    let initial: Vec<Vec<Entry>> = (0..object.maps.len())
        .map(|map| reference.map_entries(offload_compiler::ebpf::MapIdx(u16::try_from(map).unwrap_or(u16::MAX))))
        .collect::<Result<_, _>>()
        .map_err(told)?;
    // Records of ring buffers are the packet's own until it submits them, and then events of it.
    let record = |logged: &&Logged| {
        let ring = object.maps.get(usize::from(logged.map)).is_some_and(|map| map.spec.kind == MapKind::Ringbuf);
        !(ring && matches!(logged.op, Op::Store { .. } | Op::Add { .. } | Op::Atomic { .. } | Op::Read { .. }))
    };
    let mut own: Vec<Vec<(u16, Op)>> = vec![Vec::new(); packets.len()];
    for logged in run.log.iter().filter(record) {
        let number = usize::try_from(logged.packet).unwrap_or(usize::MAX);
        match own.get_mut(number) {
            Some(own) => own.push((logged.map, logged.op.clone())),
            None => return Err(Finding::new(Some(logged.packet), "the log tells of a packet that was not offered")),
        }
    }
    for (number, (packet, log)) in packets.iter().zip(own).enumerate() {
        let number = number as u64;
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(Some(out)) = run.packets.get(at) else {
            return Err(Finding::new(Some(number), "the packet did not come out"));
        };
        let cpu = run.cpus.get(at).copied().unwrap_or(0);
        one(&mut reference, packet, cpu, &log, out).map_err(|what| Finding::new(Some(number), what))?;
    }
    let mut world = World::new(object, &initial);
    for logged in run.log.iter().filter(record) {
        world.step(logged).map_err(|what| Finding::new(Some(logged.packet), what))?;
    }
    world.compare(&run.after).map_err(|what| Finding::new(None, what))
}

/// The object with room for the spare elements that a device has: one packet may see more elements than there can be entries.
fn roomy(object: &Object) -> Object {
    let mut object = object.clone();
    for map in &mut object.maps {
        if matches!(map.spec.kind, MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LpmTrie) {
            map.spec.max_entries = map.spec.max_entries.saturating_add(SPARES);
        }
    }
    object
}

/// One packet: some choice of values must explain all that the device did.
fn one(reference: &mut Ref, packet: &PacketIn, cpu: u32, log: &[(u16, Op)], out: &PacketOut) -> Result<(), String> {
    let mut script = Vec::new();
    let mut first = None;
    for _ in 0..ATTEMPTS {
        let (result, next) = reference.replay(packet, cpu, log.to_vec(), script);
        let what = match result {
            Err(diagnostic) => diagnostic,
            Ok(ours) => match crate::diff::explain(&ours, out) {
                None => return Ok(()),
                Some(what) => what,
            },
        };
        first.get_or_insert(what);
        match next {
            Some(next) => script = next,
            None => break,
        }
    }
    Err(first.unwrap_or_default())
}
