//! Which packets may be in flight together: the proof of the loosest legal dispatch mode.
//!
//! | mode | the device keeps apart | legal if |
//! |---|---|---|
//! | `any` | nothing | the only changes that other packets could see are atomic adds to values that no packet reads |
//! | `flow` | packets of one order bucket | the same for per-CPU values; maps that all CPUs share may change in any way |
//! | `cpu` | packets of one vCPU | always |
//!
//! Why: with `cpu` the device does what a host with receive-side scaling does, where packets of one CPU never overlap. With `flow`
//! it does what a host with as many CPUs as order buckets does, as far as shared maps go: packets of different flows overlap there
//! too. But a vCPU's per-CPU values are then met by several packets at a time, which no host does: so they may only be added to
//! atomically, or only be read; and a program that learns on which vCPU it runs must not build on being alone there. With `any`
//! even packets of one flow overlap, in any order: additions are the only changes whose order nobody can tell.
//!
//! When in doubt, it is `cpu`.

use crate::ebpf::MapIdx;
use crate::ir::{Func, Mem, Op, Term};
use crate::object::Object;
use offwire_image::{Dispatch, DispatchMode, MapKind};
use offwire_isa::{METADATA_VCPU, STACK_BYTES, Space};
use std::collections::BTreeSet;

/// The loosest legal mode, with a sentence that says why it is legal, or why a looser one is not.
pub fn prove(object: &Object, func: &Func) -> Dispatch {
    let traffic = Traffic::of(func, object);
    let dispatch = |mode, reason: String| Dispatch { mode, reason };
    if traffic.unknown {
        return dispatch(DispatchMode::Cpu, "a pointer of an unknown map is used".into());
    }
    let only_adds = |maps: &BTreeSet<MapIdx>| {
        maps.is_disjoint(&traffic.changed) && {
            let mut added = maps.intersection(&traffic.added);
            added.all(|map| !traffic.read.contains(map))
        }
    };
    let (per_cpu, all): (BTreeSet<MapIdx>, BTreeSet<MapIdx>) =
        (maps_where(object, MapKind::is_per_cpu), maps_where(object, |_| true));
    let name = |map: &MapIdx| object.maps.get(usize::from(map.0)).map_or("?", |map| map.spec.name.as_str());
    let list = |maps: &BTreeSet<MapIdx>| maps.iter().map(name).collect::<Vec<_>>().join(", ");
    if only_adds(&all) && traffic.reordering.is_empty() {
        return dispatch(
            DispatchMode::Any,
            if traffic.added.is_empty() {
                "no packet changes anything that another one could see".into()
            } else {
                format!(
                    "packets change nothing but by atomic adds to {}, which the program never reads",
                    list(&traffic.added)
                )
            },
        );
    }
    let mut culprits: BTreeSet<MapIdx> = traffic.changed.union(&traffic.reordering).copied().collect();
    culprits.extend(traffic.added.intersection(&traffic.read));
    if !only_adds(&per_cpu) {
        let culprits = culprits.intersection(&per_cpu).copied().collect();
        let reason = format!("per-CPU values of {} are changed other than by adds, or read back", list(&culprits));
        return dispatch(DispatchMode::Cpu, reason);
    }
    if traffic.builds_on_cpu {
        let reason = format!(
            "the program changes {} and computes with the number of its CPU, so it may rely on being alone there",
            list(&culprits)
        );
        return dispatch(DispatchMode::Cpu, reason);
    }
    let reason = format!(
        "packets change {}, so those of one flow must not overlap; per-CPU values are only added to or read",
        list(&culprits)
    );
    dispatch(DispatchMode::Flow, reason)
}

/// Maps of certain kinds.
fn maps_where(object: &Object, which: impl Fn(MapKind) -> bool) -> BTreeSet<MapIdx> {
    let maps = (0..).map(MapIdx).zip(&object.maps);
    maps.filter(|(_, map)| which(map.spec.kind)).map(|(index, _)| index).collect()
}

/// What a program does with state that outlives a packet.
#[derive(Default)]
struct Traffic {
    /// Maps with values that are stored to, or with entries that come and go.
    changed: BTreeSet<MapIdx>,
    /// Maps with values that are added to atomically.
    added: BTreeSet<MapIdx>,
    /// Maps with values that are read, also as keys or values of requests.
    read: BTreeSet<MapIdx>,
    /// Maps in which a mere lookup leaves a trace.
    reordering: BTreeSet<MapIdx>,
    /// It is not known which map is accessed.
    unknown: bool,
    /// The number of the vCPU is used for anything but being stored as it is.
    builds_on_cpu: bool,
}

impl Traffic {
    fn of(func: &Func, object: &Object) -> Self {
        let mut traffic = Traffic { builds_on_cpu: builds_on_cpu(func, object), ..Traffic::default() };
        for inst in func.blocks.iter().flat_map(|block| &block.insts) {
            match &inst.op {
                Op::Load { mem, .. } => traffic.reads(mem),
                Op::Store { mem, .. } if mem.space == Space::MapValue => match mem.map {
                    Some(map) => drop(traffic.changed.insert(map)),
                    None => traffic.unknown = true,
                },
                Op::AtomicAdd { mem, .. } => match mem.map {
                    Some(map) => drop(traffic.added.insert(map)),
                    None => traffic.unknown = true,
                },
                Op::Lookup { map, key } => {
                    traffic.reads(key);
                    let kind = object.maps.get(usize::from(map.0)).map(|map| map.spec.kind);
                    let plain = [MapKind::Hash, MapKind::Array, MapKind::PercpuHash, MapKind::PercpuArray];
                    if !kind.is_some_and(|kind| plain.contains(&kind)) {
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
                Op::Request(request) => traffic.unknown |= !request.op.is_division(),
                Op::Store { .. } | Op::Const(_) | Op::Alu { .. } | Op::AdjustHead { .. } => {}
            }
        }
        traffic
    }

    fn reads(&mut self, mem: &Mem) {
        if mem.space == Space::MapValue {
            match mem.map {
                Some(map) => drop(self.read.insert(map)),
                None => self.unknown = true,
            }
        }
    }
}

/// True unless the vCPU's number is only stored: into packet or map values, or on the stack where nothing but the value of an
/// update reads it.
fn builds_on_cpu(func: &Func, object: &Object) -> bool {
    let insts = || func.blocks.iter().flat_map(|block| &block.insts);
    let mut numbers = BTreeSet::new();
    for inst in insts() {
        if let (Op::Load { mem: Mem { space: Space::Scratch, offset, .. }, size, .. }, Some(result)) =
            (&inst.op, inst.result)
            && *offset < i32::from(METADATA_VCPU) + 4
            && offset + i32::from(*size) > i32::from(METADATA_VCPU)
        {
            numbers.insert(result);
        }
    }
    if numbers.is_empty() {
        return false;
    }
    let mut builds = false;
    let mut on_stack: Vec<(i64, i64)> = Vec::new();
    for inst in insts() {
        match &inst.op {
            Op::Store { mem, size, value, .. } if numbers.contains(value) => {
                builds |= mem.base.is_some_and(|base| numbers.contains(&base));
                if mem.space == Space::Stack {
                    builds |= mem.base.is_some();
                    on_stack.push((i64::from(mem.offset), i64::from(mem.offset) + i64::from(*size)));
                }
            }
            op => op.for_each_use(|value| builds |= numbers.contains(&value)),
        }
    }
    for block in &func.blocks {
        block.term.for_each_own_use(|value| builds |= numbers.contains(&value) && !matches!(block.term, Term::Exit(_)));
        // A parameter is another name that would have to be followed.
        block.term.jumps().flat_map(|jump| &jump.args).for_each(|value| builds |= numbers.contains(value));
        if let Term::Exit(value) = block.term {
            builds |= numbers.contains(&value);
        }
    }
    // Who reads those bytes of the stack?
    let meets = |mem: &Mem, size: u32| {
        let (start, end) = (i64::from(mem.offset), i64::from(mem.offset) + i64::from(size));
        mem.space == Space::Stack
            && (mem.base.is_some() || on_stack.iter().any(|(low, high)| *low < end && start < *high))
    };
    for inst in insts().filter(|_| !on_stack.is_empty()) {
        builds |= match &inst.op {
            Op::Load { mem, size, .. } => meets(mem, u32::from(*size)),
            Op::Lookup { map, key } | Op::Delete { map, key } | Op::Update { map, key, .. } => {
                let size = object.maps.get(usize::from(map.0)).map_or(u32::from(STACK_BYTES), |map| map.spec.key_size);
                meets(key, size)
            }
            _ => false,
        };
    }
    builds
}
