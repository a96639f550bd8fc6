//! The lift and the passes against the eBPF interpreter: random programs that are safe by construction, with everything that the
//! compiler translates. The interpreter asserts the facts on the way.

mod examples;
mod programs;

use offload_compiler::ebpf::MapIdx;
use offload_compiler::facts;
use offload_compiler::ir::interp::{self, Maps, Outcome, Packet, World};
use offload_compiler::ir::{FuncIdx, Op, callees_first, check, lift, lift_within, print_all};
use offload_compiler::object::{Initial, LoadOptions, Object, load};
use offload_compiler::opt::{MapTable, optimize, optimize_all};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, Entry, EntryValue, Event, PacketIn, RedirectTarget};
use offwire_image::MapKind;
use programs::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// How many programs are tried.
fn seeds(default: u64) -> std::ops::Range<u64> {
    0..std::env::var("OFFWIRE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// All entries of a map of the interpreter; of a per-CPU map those of CPU 0.
fn entries(reference: &mut Ref, map: MapIdx, zero: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let value = |value| match value {
        EntryValue::One(value) => value,
        EntryValue::PerCpu(values) => values.into_iter().next().map_or(zero.to_vec(), |(_, value)| value),
    };
    let entries = reference.map_entries(map).expect("the interpreter has the map");
    entries.into_iter().map(|entry| (entry.key, value(entry.value))).collect()
}

fn holds_values(kind: MapKind) -> bool {
    use MapKind::{Array, Hash, LruHash, PercpuArray};
    matches!(kind, Hash | Array | LruHash | PercpuArray)
}

/// Events as the harness tells them.
fn events(world: &World) -> Vec<Event> {
    let event = |event: &interp::Event| match event {
        interp::Event::Ring { map, bytes } => Event::Ringbuf { map: map.0, bytes: bytes.clone() },
        interp::Event::Perf { map, bytes, packet, .. } => {
            Event::Perf { map: map.0, bytes: [&bytes[..], packet].concat() }
        }
        interp::Event::Print { format, .. } => panic!("no program here prints {format:?}"),
    };
    world.events.iter().map(event).collect()
}

/// The same, those of each map together.
fn by_map(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| match event {
        Event::Ringbuf { map, .. } | Event::Perf { map, .. } | Event::PerfPadded { map, .. } => *map,
        Event::Trace { .. } => u16::MAX,
    });
    events
}

fn redirect(world: &World) -> Option<RedirectTarget> {
    world.redirect.map(|target| match target {
        interp::Redirect::Interface { ifindex } => RedirectTarget::Ifindex(ifindex),
        interp::Redirect::Map { map, key, .. } => RedirectTarget::Entry { map: map.0, key },
    })
}

/// Gives the requests of the program.
fn check_program(object: &Object, seed: u64) -> BTreeSet<&'static str> {
    let program = &object.programs[0];
    let listing = || {
        let lines = program.insns.iter().enumerate().map(|(at, insn)| format!("{at}: {insn:?}\n"));
        format!("seed {seed}\n{}", lines.collect::<String>())
    };
    let facts = facts::analyze(object, program).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
    let plain = lift(object, program, &facts).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
    assert_eq!(check(&plain), Ok(()), "{}\n{plain}", listing());
    let small = optimize(plain.clone(), &MapTable::of(object));
    // The same with every call a call.
    let calling = lift_within(object, program, &facts, 0).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
    for func in &calling {
        assert_eq!(check(func), Ok(()), "{}\n{func}", listing());
    }
    assert_eq!(callees_first(&calling).map(|order| order.len()), Ok(calling.len()), "{}", listing());
    let few = optimize_all(calling.clone(), &MapTable::of(object));
    let mut reference = Ref::new(object, 0).expect("the interpreter takes it").with_facts(&facts);
    let specs: Vec<_> = object.maps.iter().map(|map| &map.spec).collect();
    let mut maps = Maps::new(specs.iter().copied());
    for (index, map) in (0..).map(MapIdx).zip(&object.maps) {
        for (key, initial) in &map.initial {
            if let Initial::Map(inner) = initial {
                maps.link(index, &key.to_le_bytes(), inner.0.into());
            }
        }
        if map.spec.kind == MapKind::Devmap {
            for (key, ifindex) in [(1u32, 5u32), (map.spec.max_entries - 1, 7)] {
                let (key, value) = (key.to_le_bytes().to_vec(), ifindex.to_le_bytes().to_vec());
                maps.update(index, &key, &value, 0).expect("it has that map");
                reference.map_update(index, &Entry { key, value: EntryValue::One(value) }).expect("it has that map");
            }
        }
    }
    let forms = [std::slice::from_ref(&plain), std::slice::from_ref(&small), &calling, &few];
    let mut ours = forms.map(|funcs| (funcs, maps.clone()));
    let mut rng = Rng(seed);
    for n in 0..8 {
        let len = 14 + rng.below(80);
        let bytes: Vec<u8> = (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect();
        let input = PacketIn { bytes: bytes.clone(), port: 2, rx_queue: 3, arrival_ns: 0 };
        reference.set_chance(Chance { ktime_ns: 1000 + n, jiffies: 77 * n, random_state: seed });
        let wanted = reference.run(&input).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
        for (funcs, maps) in &mut ours {
            let func = print_all(*funcs);
            let mut packet = Packet::new(&bytes);
            (packet.ingress_ifindex, packet.rx_queue_index) = (3, 3);
            let mut world = World { ktime_ns: 1000 + n, jiffies: 77 * n, random: seed, ..World::default() };
            let got = interp::run_all(funcs, FuncIdx(0), &mut packet, maps, &mut world)
                .unwrap_or_else(|f| panic!("{f:?}\n{func}\n{}", listing()));
            if matches!(got, Outcome::TailCall(_)) {
                // The interpreter goes on in the other program.
                return BTreeSet::new();
            }
            assert_eq!(got, Outcome::Exit(wanted.retval), "return value, packet {n}\n{func}\n{}", listing());
            assert_eq!(packet.meta(), wanted.meta, "metadata, packet {n}\n{func}\n{}", listing());
            // Who reads a ring does not see how its records lie to those of another one.
            assert_eq!(by_map(events(&world)), by_map(wanted.events.clone()), "packet {n}\n{func}\n{}", listing());
            if wanted.retval == 4 {
                assert_eq!(redirect(&world), wanted.redirect, "packet {n}\n{func}\n{}", listing());
            }
            assert_eq!(packet.bytes(), wanted.bytes, "packet {n}\n{func}\n{}", listing());
            for (map, spec) in (0..).map(MapIdx).zip(&specs).filter(|(_, spec)| holds_values(spec.kind)) {
                let zero = vec![0; spec.value_size as usize];
                let wanted = entries(&mut reference, map, &zero);
                assert_eq!(maps.entries(map), wanted, "{}, packet {n}\n{func}\n{}", spec.name, listing());
            }
        }
    }
    let ops = calling.iter().flat_map(|func| &func.blocks).flat_map(|block| &block.insts).map(|inst| &inst.op);
    let name = |op: &Op| match op {
        Op::Request(request) => Some(request.op.asm()),
        Op::Call { .. } => Some("call"),
        _ => None,
    };
    ops.filter_map(name).collect()
}

/// What the random programs must have among them, or they say nothing of it.
const REQUESTS: [&str; 41] = [
    "call",
    "adjust_tail",
    "adjust_meta",
    "load_bytes",
    "store_bytes",
    "csum",
    "redirect",
    "redirect_map",
    "ktime_ns",
    "jiffies",
    "prandom",
    "lookup_in",
    "update_in.any",
    "update_in.noexist",
    "update_in.exist",
    "delete_in",
    "ring.reserve",
    "ring.submit",
    "ring.discard",
    "ring.output",
    "perf.output",
    "fetch_add32",
    "fetch_add64",
    "fetch_or32",
    "fetch_or64",
    "fetch_and32",
    "fetch_and64",
    "fetch_xor32",
    "fetch_xor64",
    "xchg32",
    "xchg64",
    "cmpxchg32",
    "cmpxchg64",
    "divu32",
    "divu64",
    "divs32",
    "divs64",
    "modu32",
    "modu64",
    "mods32",
    "mods64",
];

#[test]
fn ir_does_what_the_program_does() {
    let mut met = BTreeSet::new();
    for seed in seeds(500) {
        met.extend(check_program(&programs::object(seed, 5 + (seed % 60) as u32), seed));
    }
    let missing: Vec<_> = REQUESTS.iter().filter(|request| !met.contains(*request)).collect();
    assert!(missing.is_empty(), "no program has {missing:?}");
}

/// Programs that clang made, with local functions, callbacks, records, inner maps: what the random ones have in one form, these have as
/// people write it.
#[test]
fn ir_of_safe_objects_does_what_they_do() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/safe");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the folder is there").flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "o"));
    paths.sort();
    assert!(paths.len() > 30, "only {} objects", paths.len());
    for (seed, path) in (0..).zip(&paths) {
        let bytes = std::fs::read(path).expect("readable");
        let object = load(&bytes, &LoadOptions::default()).unwrap_or_else(|d| panic!("{}: {d}", path.display()));
        check_program(&object, seed);
    }
}
