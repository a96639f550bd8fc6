//! What programs do with state that outlives a packet.

use super::cpu::builds_on_cpu;
use crate::ebpf::MapIdx;
use crate::ir::{Func, Mem, Op, Request};
use crate::object::{Initial, Object};
use offwire_image::MapKind;
use offwire_isa::{KeyUse, RequestOp, Space};
use std::collections::BTreeSet;

/// Stands for maps that are put into a map of maps from outside.
pub(super) const INNER: MapIdx = MapIdx(u16::MAX);

/// What is known of all programs together.
#[derive(Default)]
pub(super) struct Traffic {
    /// Maps with values that are stored to, or with entries that come and go.
    pub(super) changed: BTreeSet<MapIdx>,
    /// Maps with values that are added to atomically.
    pub(super) added: BTreeSet<MapIdx>,
    /// Maps with values that are read, also as keys or values of requests.
    pub(super) read: BTreeSet<MapIdx>,
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
        for inst in funcs.iter().flat_map(|func| &func.blocks).flat_map(|block| &block.insts) {
            match &inst.op {
                Op::Load { mem, .. } => traffic.reads(mem),
                Op::Store { mem, .. } => traffic.changes(mem),
                Op::AtomicAdd { mem, .. } => traffic.adds(mem),
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
                Op::Const(_) | Op::Alu { .. } | Op::AdjustHead { .. } => {}
            }
        }
        traffic
    }

    fn request(&mut self, request: &Request, answered: bool, object: &Object) {
        use RequestOp::*;
        let key = request.key.as_ref();
        match request.op.shape().key {
            KeyUse::Key | KeyUse::ReadsV | KeyUse::ReadsW => key.into_iter().for_each(|key| self.reads(key)),
            KeyUse::WritesW => key.into_iter().for_each(|key| self.changes(key)),
            KeyUse::Atomic(_) => {
                let adds = !answered && matches!(request.op, FetchAdd32 | FetchAdd64);
                key.into_iter().for_each(|key| if adds { self.adds(key) } else { self.changes(key) });
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
                self.reordering.extend(self.inner.iter().filter(|map| lru(map)));
            }
            UpdateInAny | UpdateInNoExist | UpdateInExist | DeleteIn => self.changed.extend(&self.inner),
            RingOutput | RingReserve | RingQuery | PerfOutput => self.events.extend(request.map),
            Printk => self.prints = true,
            SpinLock => self.locks = true,
            _ => {}
        }
    }

    /// The maps that a memory operand may lie in.
    fn maps(&mut self, mem: &Mem) -> BTreeSet<MapIdx> {
        match (mem.space, mem.map) {
            (Space::MapValue, Some(map)) if self.own.contains(&map) => BTreeSet::new(),
            (Space::MapValue, Some(map)) => BTreeSet::from([map]),
            (Space::MapValue, None) => {
                self.unknown |= self.inner.is_empty();
                self.inner.clone()
            }
            _ => BTreeSet::new(),
        }
    }

    fn reads(&mut self, mem: &Mem) {
        let maps = self.maps(mem);
        self.read.extend(maps);
    }

    fn changes(&mut self, mem: &Mem) {
        let maps = self.maps(mem);
        self.changed.extend(maps);
    }

    fn adds(&mut self, mem: &Mem) {
        let maps = self.maps(mem);
        self.added.extend(maps);
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
