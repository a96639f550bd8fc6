//! Which packets may be in flight together: the proof of the loosest legal dispatch mode.
//!
//! | mode | the device keeps apart | legal if |
//! |---|---|---|
//! | `any` | nothing | the only changes that other packets could see are atomic adds to bytes of values that no packet reads |
//! | `flow` | packets of one order bucket | the same for per-CPU values; maps that all CPUs share may change in any way |
//! | `cpu` | packets of one vCPU | always |
//!
//! Why: with `cpu` the device does what a host with receive-side scaling does, where packets of one CPU never overlap. With `flow`
//! it does what a host with as many CPUs as order buckets does, as far as shared maps go: packets of different flows overlap there
//! too. But a vCPU's per-CPU values are then met by several packets at a time, which no host does: so they may only be added to
//! atomically, or only be read; and a program that learns on which vCPU it runs must not build on being alone there. With `any`
//! even packets of one flow overlap, in any order: additions are the only changes whose order nobody can tell.
//!
//! What the requests do to that:
//!
//! | request | it is |
//! |---|---|
//! | redirect into a map, tail call, lookup of an inner map | a look at a map that programs cannot change: nothing |
//! | time and random numbers | different for each packet anyway: nothing |
//! | records, perf events, printed lines | events, which leave in the order of their flow's packets: not `any` |
//! | lookup in an LRU hash | a change of its order: not `any`; the host's CPUs overlap there, too |
//! | atomic operation that answers, exchange, or, and, xor | a change: its answer or its effect depends on the order |
//! | spin lock | nothing by itself: what is stored while it is held is a change of a shared map, so `flow` |
//! | anything about an inner map | the same about every map that may stand in a map of maps |
//!
//! A set of programs that call each other has one mode: what all of them do together counts. When in doubt, it is `cpu`.

mod cpu;
mod origins;
#[cfg(test)]
mod tests;
mod traffic;

use crate::ebpf::MapIdx;
use crate::ir::Func;
use crate::object::Object;
use offwire_image::{Dispatch, DispatchMode, MapKind};
use std::collections::BTreeSet;
use traffic::{INNER, Traffic};

/// The loosest legal mode of programs that run as one, with a sentence that says why it is legal, or why a looser one is not.
pub fn prove(object: &Object, funcs: &[Func]) -> Dispatch {
    let traffic = Traffic::of(funcs, object);
    let dispatch = |mode, reason: String| Dispatch { mode, reason };
    if traffic.unknown {
        return dispatch(DispatchMode::Cpu, "a pointer of an unknown map is used".into());
    }
    let only_adds = |maps: &BTreeSet<MapIdx>| {
        maps.is_disjoint(&traffic.changed) && {
            let mut added = maps.intersection(&traffic.added);
            !added.any(|map| traffic.reads_back(map))
        }
    };
    let (per_cpu, all): (BTreeSet<MapIdx>, BTreeSet<MapIdx>) =
        (maps_where(object, MapKind::is_per_cpu), maps_where(object, |_| true));
    let name = |map: &MapIdx| match object.maps.get(usize::from(map.0)) {
        Some(map) => map.spec.name.as_str(),
        None => "inner maps",
    };
    let list = |maps: &BTreeSet<MapIdx>| maps.iter().map(name).collect::<Vec<_>>().join(", ");
    let quiet = only_adds(&all) && traffic.reordering.is_empty();
    if quiet && !traffic.sends() {
        return dispatch(
            DispatchMode::Any,
            if traffic.added.is_empty() {
                "no packet changes anything that another one could see".into()
            } else if traffic.added.iter().all(|map| traffic.never_reads(map)) {
                format!(
                    "packets change nothing but by atomic adds to {}, which the program never reads",
                    list(&traffic.added)
                )
            } else {
                format!(
                    "packets change nothing but by atomic adds to bytes of {} that the program never reads",
                    list(&traffic.added)
                )
            },
        );
    }
    let mut culprits: BTreeSet<MapIdx> = traffic.changed.union(&traffic.reordering).copied().collect();
    culprits.extend(traffic.added.iter().filter(|map| traffic.reads_back(map)));
    if !only_adds(&per_cpu) {
        let culprits = culprits.intersection(&per_cpu).copied().collect();
        let reason = format!("per-CPU values of {} are changed other than by adds, or read back", list(&culprits));
        return dispatch(DispatchMode::Cpu, reason);
    }
    if traffic.builds_on_cpu && !quiet {
        let reason = format!(
            "the program changes {} and computes with the number of its CPU, so it may rely on being alone there",
            list(&culprits)
        );
        return dispatch(DispatchMode::Cpu, reason);
    }
    let reason = if quiet {
        format!(
            "events leave through {}, in the order in which the packets of a flow came; nothing else has an order",
            traffic.ways(list)
        )
    } else if culprits.is_subset(&traffic.reordering) && traffic.changed.is_empty() {
        format!(
            "lookups change the order in which {} forgets, so packets of one flow must not overlap; the host's CPUs do overlap there",
            list(&culprits)
        )
    } else if traffic.locks {
        format!(
            "packets change {}, partly under a spin lock, which keeps values whole but not the order of one flow's packets",
            list(&culprits)
        )
    } else {
        format!(
            "packets change {}, so those of one flow must not overlap; per-CPU values are only added to or read",
            list(&culprits)
        )
    };
    dispatch(DispatchMode::Flow, reason)
}

/// Maps of certain kinds, maps that stand in maps of maps among them.
fn maps_where(object: &Object, which: impl Fn(MapKind) -> bool) -> BTreeSet<MapIdx> {
    let inner = object.maps.iter().filter_map(|map| map.inner.as_deref());
    let inner = inner.map(|spec| (INNER, spec.kind));
    let maps = (0..).map(MapIdx).zip(object.maps.iter().map(|map| map.spec.kind)).chain(inner);
    maps.filter(|(_, kind)| which(*kind)).map(|(index, _)| index).collect()
}
