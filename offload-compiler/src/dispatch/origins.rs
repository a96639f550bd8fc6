//! Which maps pointers may be of whose map no instruction names: those into inner maps, and those that depend on the path.

use crate::ebpf::MapIdx;
use crate::ir::{Func, Mem, Op, Value};
use offwire_isa::{Handle, MapPointer, RequestOp, Space};
use std::collections::{BTreeMap, BTreeSet};

/// By value the maps that it may be of, as a pointer to the map or to one of its values.
#[derive(Default)]
pub(super) struct Origins {
    of: BTreeMap<Value, BTreeSet<MapIdx>>,
}

impl Origins {
    /// `inner`: what a lookup in the map gives that holds maps; `None` for other maps.
    pub(super) fn new(func: &Func, inner: impl Fn(MapIdx) -> Option<BTreeSet<MapIdx>>) -> Self {
        // Pointers pass through registers and the stack, where all that are stored may be loaded again.
        let mut flows: Vec<(Place, Place)> = Vec::new();
        let mut found: BTreeMap<Place, BTreeSet<MapIdx>> = BTreeMap::new();
        let mut source =
            |value: Value, maps: BTreeSet<MapIdx>| found.entry(Place::Value(value)).or_default().extend(maps);
        for inst in func.blocks.iter().flat_map(|block| &block.insts) {
            if let (Op::Store { mem: Mem { space: Space::Stack, .. }, value, .. }, None) = (&inst.op, inst.result) {
                flows.push((Place::Value(*value), Place::Stack));
            }
            let Some(result) = inst.result else { continue };
            let to = Place::Value(result);
            match &inst.op {
                Op::Const(constant) => {
                    let handle = Handle::unpack(*constant).map(|handle| handle.slot);
                    let slot = handle.or(MapPointer::unpack(*constant).map(|pointer| pointer.slot));
                    source(result, slot.into_iter().map(|slot| MapIdx(slot.into())).collect());
                }
                Op::Alu { a, b, .. } => flows.extend([(Place::Value(*a), to), (Place::Value(*b), to)]),
                Op::Load { mem: Mem { space: Space::Stack, .. }, .. } => flows.push((Place::Stack, to)),
                Op::Lookup { map, .. } => source(result, inner(*map).unwrap_or_else(|| BTreeSet::from([*map]))),
                Op::Request(request) if request.op == RequestOp::LookupIn => {
                    flows.extend(request.third.map(|map| (Place::Value(map), to)));
                }
                _ => {}
            }
        }
        for jump in func.blocks.iter().flat_map(|block| block.term.jumps()) {
            let params = func.blocks.get(jump.block.at()).map_or(&[][..], |block| &block.params);
            flows.extend(params.iter().zip(&jump.args).map(|(to, from)| (Place::Value(*from), Place::Value(*to))));
        }
        let mut goes: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (from, to) in flows {
            goes.entry(from).or_default().push(to);
        }
        let mut work: Vec<Place> = found.keys().copied().collect();
        while let Some(from) = work.pop() {
            let maps = found.get(&from).cloned().unwrap_or_default();
            for to in goes.get(&from).into_iter().flatten() {
                let known = found.entry(*to).or_default();
                let before = known.len();
                known.extend(&maps);
                if known.len() > before {
                    work.push(*to);
                }
            }
        }
        let value = |(place, maps)| match place {
            Place::Value(value) => Some((value, maps)),
            Place::Stack => None,
        };
        Origins { of: found.into_iter().filter_map(value).collect() }
    }

    /// The maps that the value may be of; none if it is no pointer.
    pub(super) fn of(&self, value: Option<Value>) -> BTreeSet<MapIdx> {
        value.and_then(|value| self.of.get(&value)).cloned().unwrap_or_default()
    }
}

/// Where pointers stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Value(Value),
    Stack,
}
