//! The proof on small functions, one rule each.

use super::prove;
use crate::ebpf::MapIdx;
use crate::ir::{check, parse, parse_all};
use crate::object::{Initial, Map, Object};
use offwire_image::{DispatchMode, MapKind, MapSpec};

fn map(name: &str, kind: MapKind) -> Map {
    let spec = MapSpec {
        name: name.into(),
        kind,
        key_size: 4,
        value_size: 8,
        max_entries: 4,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    Map::from(spec)
}

/// Maps 0 to 8.
fn object() -> Object {
    let mut outer = map("outer", MapKind::HashOfMaps);
    outer.inner = Some(Box::new(map("outer.inner", MapKind::Hash).spec));
    outer.initial = vec![(1, Initial::Map(MapIdx(1)))];
    let maps = vec![
        map("cpu", MapKind::PercpuArray),
        map("hash", MapKind::Hash),
        map("lru", MapKind::LruHash),
        map("ring", MapKind::Ringbuf),
        map("perf", MapKind::PerfEventArray),
        map("dev", MapKind::Devmap),
        map("progs", MapKind::ProgArray),
        outer,
        map("trie", MapKind::LpmTrie),
    ];
    Object { maps, ..Object::default() }
}

/// Mode and reason for a function of one block; `v0` is 0.
fn proof(lines: &str) -> (DispatchMode, String) {
    let text = format!("func f\nb0:\n  v0 = const 0\n{lines}\n  exit v0\n");
    let func = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(check(&func), Ok(()), "{text}");
    let dispatch = prove(&object(), &[func]);
    (dispatch.mode, dispatch.reason)
}

#[track_caller]
fn is(lines: &str, mode: DispatchMode, words: &str) {
    let (found, reason) = proof(lines);
    assert!(found == mode && reason.contains(words), "{found:?}: {reason}\n{lines}");
}

#[test]
fn looks_at_maps_that_no_program_changes_need_no_order() {
    let lines = "v1 = request.redirect_map map5 value v0 third v0\nv2 = request.ktime_ns\nv3 = request.prandom\n\
                 v4 = lookup map8, stack[0]\nv5 = load.4 map8[v4]\nv6 = lookup map7, stack[0]\n\
                 v7 = request.lookup_in map7 key stack[0]:4 third v6\nv8 = load.8 map[v7]\n\
                 v9 = request.divu64 value v8 third v3\nrequest.tail_call map6 value v0";
    is(lines, DispatchMode::Any, "no packet changes anything");
}

#[test]
fn adds_that_nobody_reads_need_no_order() {
    is("v1 = lookup map1, stack[0]\natomic_add.8 map1[v1], v0", DispatchMode::Any, "atomic adds to hash");
    is(
        "v1 = lookup map1, stack[0]\nrequest.fetch_add64 key map1[v1]:8 value v0",
        DispatchMode::Any,
        "atomic adds to hash",
    );
}

/// If this fails, a change of one of several maps counts for none of them.
#[test]
fn a_pointer_that_depends_on_the_path_means_all_of_its_maps() {
    let hash = "v1 = const 0x5010000000000000\n";
    let look = "v4 = request.lookup_in map1 key stack[0]:4 third v3\nstore.8 map[v4], v0";
    is(&format!("{hash}v3 = mov.64 v1\n{look}"), DispatchMode::Flow, "packets change hash");
    let both = format!("{hash}v2 = const 0x5000000000000000\nv3 = or.64 v1, v2\n");
    is(&format!("{both}{look}"), DispatchMode::Cpu, "per-CPU values of cpu");
    let spilled = "store.8 stack[0], v3\nv5 = load.8 stack[8]\nv4 = request.delete_in map1 key stack[0]:4 third v5";
    is(&format!("{both}{spilled}"), DispatchMode::Cpu, "per-CPU values of cpu");
    is(&look.replace("v3", "v0"), DispatchMode::Cpu, "unknown map");
}

/// If this fails, a counter beside what a program reads makes packets wait for each other, or a program reads a counter that others add to.
#[test]
fn adds_beside_what_is_read_need_no_order() {
    let beside = |offset: u32, size: u32| {
        format!("v1 = lookup map1, stack[0]\natomic_add.4 map1[v1 + 4], v0\nv2 = load.{size} map1[v1 + {offset}]")
    };
    is(&beside(0, 4), DispatchMode::Any, "adds to bytes of hash");
    is(&beside(8, 8), DispatchMode::Any, "adds to bytes of hash");
    is(&beside(0, 6), DispatchMode::Flow, "packets change hash");
    is(&beside(7, 1), DispatchMode::Flow, "packets change hash");
    let moved = "v1 = lookup map1, stack[0]\nv3 = add.64 v1, v0\natomic_add.4 map1[v1 + 4], v0\nv2 = load.4 map1[v3]";
    is(moved, DispatchMode::Flow, "packets change hash");
    let as_key = "v1 = lookup map1, stack[0]\natomic_add.4 map1[v1 + 4], v0\nv2 = lookup map8, map1[v1]";
    is(as_key, DispatchMode::Flow, "packets change hash");
}

#[test]
fn answers_of_atomics_have_an_order() {
    let fetch = |map: &str| format!("v1 = lookup {map}, stack[0]\nv2 = request.fetch_add64 key {map}[v1]:8 value v0");
    is(&fetch("map1"), DispatchMode::Flow, "packets change hash");
    is(&fetch("map0"), DispatchMode::Cpu, "per-CPU values of cpu");
    is(
        "v1 = lookup map1, stack[0]\nrequest.fetch_or64 key map1[v1]:8 value v0",
        DispatchMode::Flow,
        "packets change hash",
    );
}

#[test]
fn events_keep_the_order_of_their_flow() {
    is("v1 = request.ring.output map3 key pkt[0]:4 value v0 third v0", DispatchMode::Flow, "events leave through ring");
    is("v1 = request.perf.output map4 key pkt[0]:4 value v0 third v0", DispatchMode::Flow, "events leave through perf");
    is("v1 = request.printk key pkt[0]:4 value v0", DispatchMode::Flow, "bpf_trace_printk");
    let record = "v1 = request.ring.reserve map3 value v0 third v0\nstore.8 map3[v1], v0\nv2 = load.8 map3[v1]\n\
                  v3 = request.ring.submit value v1 third v0";
    is(record, DispatchMode::Flow, "events leave through ring, in the order");
    // An event with the number of the CPU builds nothing on it.
    let number = "v1 = load.4 scr[20]\nstore.8 stack[0], v1\n\
                  v2 = request.perf.output map4 key stack[0]:8 value v0 third v0";
    is(number, DispatchMode::Flow, "events leave");
}

#[test]
fn lookups_in_an_lru_hash_change_it() {
    is("v1 = lookup map2, stack[0]", DispatchMode::Flow, "lookups change the order in which lru forgets");
}

#[test]
fn a_lock_keeps_values_whole_but_not_the_order() {
    let lines = "v1 = lookup map1, stack[0]\nv2 = request.spin.lock value v1\nstore.4 map1[v1 + 4], v0\n\
                 v3 = request.spin.unlock value v1";
    is(lines, DispatchMode::Flow, "spin lock");
}

#[test]
fn changes_of_inner_maps_are_changes_of_all_that_may_stand_there() {
    let update = "v1 = lookup map7, stack[0]\nv2 = request.update_in.any map7 key stack[0]:4 at stack[8]:8 third v1";
    is(update, DispatchMode::Flow, "packets change hash, inner maps");
    let store = "v1 = lookup map7, stack[0]\nv2 = request.lookup_in map7 key stack[0]:4 third v1\nstore.4 map[v2], v0";
    is(store, DispatchMode::Flow, "packets change hash, inner maps");
}

#[test]
fn a_number_of_the_cpu_that_is_looked_up_with_is_built_on() {
    let lines = "v1 = load.4 scr[20]\nstore.4 stack[0], v1\nv2 = lookup map7, stack[4]\n\
                 v3 = request.update_in.any map7 key stack[0]:4 at stack[8]:8 third v2";
    is(lines, DispatchMode::Cpu, "number of its CPU");
}

#[test]
fn programs_of_a_set_count_together() {
    let func = |lines: &str| parse(&format!("func f\nb0:\n  v0 = const 0\n{lines}\n  exit v0\n")).unwrap();
    let add = func("v1 = lookup map1, stack[0]\natomic_add.8 map1[v1], v0");
    let read = func("v1 = lookup map1, stack[0]\nv2 = load.8 map1[v1]");
    assert_eq!(prove(&object(), std::slice::from_ref(&add)).mode, DispatchMode::Any);
    assert_eq!(prove(&object(), std::slice::from_ref(&read)).mode, DispatchMode::Any);
    assert_eq!(prove(&object(), &[add, read]).mode, DispatchMode::Flow);
}

/// A function that is called counts like the program, and what it is passed is looked at no closer.
#[test]
fn functions_that_are_called_count_together() {
    let mode = |text: &str| {
        let dispatch = prove(&object(), &parse_all(text).unwrap());
        (dispatch.mode, dispatch.reason)
    };
    let store = "func g\nb0:\n v0 = named r1\n store.8 map0[v0], v0\n return v0\n";
    let call = "func f\nb0:\n v0 = lookup map0, stack[0]\n v1 = call f1(v0)\n exit v1\n";
    assert_eq!(mode(&format!("{call}{store}")).0, DispatchMode::Cpu);
    // The CPU's number is passed to a function, which may look up with it.
    let number = "func f\nb0:\n v0 = load.4 scr[20]\n v1 = call f1(v0)\n exit v1\n";
    let update = "func g\nb0:\n v0 = named r1\n update.any map1, stack[0], stack[8]\n return v0\n";
    let (found, reason) = mode(&format!("{number}{update}"));
    assert!(found == DispatchMode::Cpu && reason.contains("number of its CPU"), "{reason}");
    // It lies where the function may read it.
    let stored = "func f\nb0:\n v0 = load.4 scr[20]\n store.4 stack[500], v0\n v2 = const 500\n \
                  v1 = call.stack f1(v2)\n exit v1\n";
    assert_eq!(mode(&format!("{stored}{update}")).0, DispatchMode::Cpu);
    let other = "func f\nb0:\n v0 = const 1\n v1 = call f1(v0)\n exit v1\n";
    assert_eq!(mode(&format!("{other}{update}")).0, DispatchMode::Flow);
}
