//! What programs do with state that outlives a packet.

use super::cpu::builds_on_cpu;
use super::origins::Origins;
use crate::ebpf::MapIdx;
use crate::ir::{Func, Mem, Op, Request, Value};
use crate::object::{Initial, Object};
use offwire_image::MapKind;
use offwire_isa::{KeyUse, RequestOp, Space};
use std::collections::{BTreeMap, BTreeSet};

/// Stands for maps that are put into a map of maps from outside.
pub(super) const INNER: MapIdx = MapIdx(u16::MAX);

/// Bytes of a map's values that accesses touch: all of them where an access is not at a known place.
#[derive(Default)]
struct Bytes {
    all: bool,
    /// First byte, and the one behind the last.
    ranges: BTreeSet<(i64, i64)>,
}

impl Bytes {
    fn add(&mut self, place: Option<(i64, i64)>) {
        match place {
            Some(range) => drop(self.ranges.insert(range)),
            None => self.all = true,
        }
    }

    fn is_empty(&self) -> bool {
        !self.all && self.ranges.is_empty()
    }

    fn meets(&self, other: &Bytes) -> bool {
        let crossing = |a: &(i64, i64)| other.ranges.iter().any(|b| a.0 < b.1 && b.0 < a.1);
        !self.is_empty() && !other.is_empty() && (self.all || other.all || self.ranges.iter().any(crossing))
    }
}

/// What is known of all programs together.
#[derive(Default)]
pub(super) struct Traffic {
    /// Maps with values that are stored to, or with entries that come and go.
    pub(super) changed: BTreeSet<MapIdx>,
    /// Maps with values that are added to atomically.
    pub(super) added: BTreeSet<MapIdx>,
    /// Which bytes of them.
    added_bytes: BTreeMap<MapIdx, Bytes>,
    /// Which bytes of which maps are read, also as keys or values of requests.
    read_bytes: BTreeMap<MapIdx, Bytes>,
    /// Maps in which a mere lookup leaves a trace.
    pub(super) reordering: BTreeSet<MapIdx>,
    /// Ring buffers and perf arrays that events leave through.
    events: BTreeSet<MapIdx>,
    /// Lines are printed.
    prints: bool,
    /// Spin locks are taken.
    pub(super) locks: bool,
    /// It is not known which map is accessed.
    pub(super) unknown: bool,
    /// The number of the vCPU is used for anything but being stored as it is.
    pub(super) builds_on_cpu: bool,
    /// Maps that an access to an inner map may mean.
    inner: BTreeSet<MapIdx>,
    /// Of the function that is looked at: what its pointers may be of.
    origins: Origins,
    /// Memory of a ring buffer's records is the packet's own.
    own: BTreeSet<MapIdx>,
}

impl Traffic {
    pub(super) fn of(funcs: &[Func], object: &Object) -> Self {
        let rings = (0..).map(MapIdx).zip(&object.maps).filter(|(_, map)| map.spec.kind == MapKind::Ringbuf);
        let mut traffic = Traffic {
            builds_on_cpu: funcs.iter().any(|func| builds_on_cpu(func, object)),
            inner: inner_maps(object),
            own: rings.map(|(index, _)| index).collect(),
            ..Traffic::default()
        };
        for func in funcs {
            traffic.function(func, object);
        }
        traffic
    }

    fn function(&mut self, func: &Func, object: &Object) {
        let traffic = self;
        let starts = starts(func);
        let inner = |map: MapIdx| {
            let holds_maps = object.maps.get(usize::from(map.0)).is_some_and(|map| map.inner.is_some());
            holds_maps.then(|| traffic.inner.clone())
        };
        let origins = Origins::new(func, inner);
        traffic.origins = origins;
        // Only what lies at a constant distance from the start of a value is at a known place.
        let place = |mem: &Mem, size: u32| {
            let from = i64::from(mem.offset);
            mem.base.is_some_and(|base| starts.contains(&base)).then(|| (from, from + i64::from(size)))
        };
        for inst in func.blocks.iter().flat_map(|block| &block.insts) {
            match &inst.op {
                Op::Load { mem, size, .. } => traffic.reads_bytes(mem, place(mem, (*size).into())),
                Op::Store { mem, .. } => traffic.changes(mem),
                Op::AtomicAdd { mem, size, .. } => traffic.adds(mem, place(mem, (*size).into())),
                Op::Lookup { map, key } => {
                    traffic.reads(key);
                    if object.maps.get(usize::from(map.0)).is_none_or(|map| map.spec.kind == MapKind::LruHash) {
                        traffic.reordering.insert(*map);
                    }
                }
                Op::Update { map, key, value, .. } => {
                    traffic.reads(key);
                    traffic.reads(value);
                    traffic.changed.insert(*map);
                }
                Op::Delete { map, key } => {
                    traffic.reads(key);
                    traffic.changed.insert(*map);
                }
                Op::Request(request) => traffic.request(request, inst.result.is_some(), object),
                Op::Const(_) | Op::Alu { .. } | Op::AdjustHead { .. } | Op::Call { .. } | Op::Named(_) => {}
            }
        }
    }

    fn request(&mut self, request: &Request, answered: bool, object: &Object) {
        use RequestOp::*;
        let key = request.key.as_ref();
        match request.op.shape().key {
            KeyUse::Key | KeyUse::ReadsV | KeyUse::ReadsW => key.into_iter().for_each(|key| self.reads(key)),
            KeyUse::WritesW => key.into_iter().for_each(|key| self.changes(key)),
            KeyUse::Atomic(_) => {
                let adds = !answered && matches!(request.op, FetchAdd32 | FetchAdd64);
                key.into_iter().for_each(|key| if adds { self.adds(key, Option::None) } else { self.changes(key) });
            }
            KeyUse::None => {}
        }
        request.value_at.iter().for_each(|value| self.reads(value));
        match request.op {
            LookupIn => {
                let lru = |map: &MapIdx| match object.maps.get(usize::from(map.0)) {
                    Some(map) => map.spec.kind == MapKind::LruHash,
                    Option::None => {
                        let mut inner = object.maps.iter().filter_map(|map| map.inner.as_deref());
                        inner.any(|spec| spec.kind == MapKind::LruHash)
                    }
                };
                let maps = self.named(request);
                self.reordering.extend(maps.into_iter().filter(lru));
            }
            UpdateFlags => self.changed.extend(request.map),
            UpdateInAny | UpdateInNoExist | UpdateInExist | UpdateInFlags | DeleteIn => {
                let maps = self.named(request);
                self.changed.extend(maps);
            }
            RingOutput | RingReserve | RingQuery | PerfOutput => self.events.extend(request.map),
            Printk => self.prints = true,
            SpinLock => self.locks = true,
            _ => {}
        }
    }

    /// The maps that a request's map pointer may name.
    fn named(&mut self, request: &Request) -> BTreeSet<MapIdx> {
        let maps = self.origins.of(request.third);
        self.unknown |= maps.is_empty();
        maps
    }

    /// The maps that a memory operand may lie in.
    fn maps(&mut self, mem: &Mem) -> BTreeSet<MapIdx> {
        match (mem.space, mem.map) {
            (Space::MapValue, Some(map)) if self.own.contains(&map) => BTreeSet::new(),
            (Space::MapValue, Some(map)) => BTreeSet::from([map]),
            (Space::MapValue, None) => {
                let maps = self.origins.of(mem.base);
                self.unknown |= maps.is_empty();
                maps
            }
            _ => BTreeSet::new(),
        }
    }

    fn reads(&mut self, mem: &Mem) {
        self.reads_bytes(mem, None);
    }

    fn reads_bytes(&mut self, mem: &Mem, place: Option<(i64, i64)>) {
        for map in self.maps(mem) {
            self.read_bytes.entry(map).or_default().add(place);
        }
    }

    fn changes(&mut self, mem: &Mem) {
        let maps = self.maps(mem);
        self.changed.extend(maps);
    }

    fn adds(&mut self, mem: &Mem, place: Option<(i64, i64)>) {
        for map in self.maps(mem) {
            self.added.insert(map);
            self.added_bytes.entry(map).or_default().add(place);
        }
    }

    /// True if bytes of the map's values are read that are also added to.
    pub(super) fn reads_back(&self, map: &MapIdx) -> bool {
        match (self.added_bytes.get(map), self.read_bytes.get(map)) {
            (Some(added), Some(read)) => added.meets(read),
            _ => false,
        }
    }

    /// True if nothing of the map's values is read.
    pub(super) fn never_reads(&self, map: &MapIdx) -> bool {
        self.read_bytes.get(map).is_none_or(Bytes::is_empty)
    }

    /// True if something leaves for the host besides the packet.
    pub(super) fn sends(&self) -> bool {
        self.prints || !self.events.is_empty()
    }

    /// Where that leaves.
    pub(super) fn ways(&self, list: impl Fn(&BTreeSet<MapIdx>) -> String) -> String {
        match (self.prints, self.events.is_empty()) {
            (true, true) => "bpf_trace_printk".into(),
            (true, false) => format!("{} and bpf_trace_printk", list(&self.events)),
            (false, _) => list(&self.events),
        }
    }
}

/// Values that point to the first byte of a map's value: answers of lookups, and parameters that are nothing else.
fn starts(func: &Func) -> BTreeSet<Value> {
    let insts = func.blocks.iter().flat_map(|block| &block.insts);
    let mut starts: BTreeSet<Value> =
        insts.filter(|inst| matches!(inst.op, Op::Lookup { .. })).filter_map(|inst| inst.result).collect();
    let mut arguments: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for jump in func.blocks.iter().flat_map(|block| block.term.jumps()) {
        for (param, arg) in func.blocks[jump.block.at()].params.iter().zip(&jump.args) {
            arguments.entry(*param).or_default().push(*arg);
        }
    }
    loop {
        let before = starts.len();
        for (param, args) in &arguments {
            if args.iter().all(|arg| starts.contains(arg)) {
                starts.insert(*param);
            }
        }
        if starts.len() == before {
            return starts;
        }
    }
}

/// Maps that stand in a map of maps or may be put there: those that it names, those of the same form, and others from outside.
fn inner_maps(object: &Object) -> BTreeSet<MapIdx> {
    let mut inner = BTreeSet::new();
    for outer in &object.maps {
        let Some(form) = &outer.inner else { continue };
        inner.insert(INNER);
        inner.extend(outer.initial.iter().filter_map(|(_, initial)| match initial {
            Initial::Map(map) => Some(*map),
            Initial::Program(_) => None,
        }));
        let same = (0..).map(MapIdx).zip(&object.maps).filter(|(_, map)| {
            let spec = &map.spec;
            (spec.kind, spec.key_size, spec.value_size) == (form.kind, form.key_size, form.value_size) && !spec.frozen
        });
        inner.extend(same.map(|(index, _)| index));
    }
    inner
}
