//! The lift and the passes against the eBPF interpreter: random programs that are safe by construction, with everything that the
//! compiler translates. The interpreter asserts the facts on the way.

mod programs;

use offload_compiler::ebpf::MapIdx;
use offload_compiler::ir::interp::{self, Maps, Packet};
use offload_compiler::ir::{check, lift};
use offload_compiler::opt::{MapTable, optimize};
use offload_compiler::{facts, object::Object};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, EntryValue, PacketIn};
use programs::Rng;
use std::collections::BTreeMap;

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

fn check_program(object: &Object, seed: u64) {
    let program = &object.programs[0];
    let listing = || {
        let lines = program.insns.iter().enumerate().map(|(at, insn)| format!("{at}: {insn:?}\n"));
        format!("seed {seed}\n{}", lines.collect::<String>())
    };
    let facts = facts::analyze(object, program).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
    let plain = lift(object, program, &facts).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
    assert_eq!(check(&plain), Ok(()), "{}\n{plain}", listing());
    let small = optimize(plain.clone(), &MapTable::of(object));
    let mut reference = Ref::new(object, 0).expect("the interpreter takes it").with_facts(&facts);
    let specs: Vec<_> = object.maps.iter().map(|map| &map.spec).collect();
    let mut ours = [&plain, &small].map(|func| (func, Maps::new(specs.iter().copied())));
    let mut rng = Rng(seed);
    for n in 0..8 {
        let len = 14 + rng.below(80);
        let bytes: Vec<u8> = (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect();
        let input = PacketIn { bytes: bytes.clone(), port: 2, rx_queue: 3, arrival_ns: 0 };
        let wanted = reference.run(&input).unwrap_or_else(|d| panic!("{d}\n{}", listing()));
        for (func, maps) in &mut ours {
            let mut packet = Packet::new(&bytes);
            (packet.ingress_ifindex, packet.rx_queue_index) = (3, 3);
            let got = interp::run(func, &mut packet, maps).unwrap_or_else(|f| panic!("{f:?}\n{func}\n{}", listing()));
            assert_eq!(got, wanted.retval, "return value, packet {n}\n{func}\n{}", listing());
            assert_eq!(packet.bytes(), wanted.bytes, "packet {n}\n{func}\n{}", listing());
            for (map, spec) in (0..).map(MapIdx).zip(&specs) {
                let zero = vec![0; spec.value_size as usize];
                let wanted = entries(&mut reference, map, &zero);
                assert_eq!(maps.entries(map), wanted, "{}, packet {n}\n{func}\n{}", spec.name, listing());
            }
        }
    }
}

#[test]
fn ir_does_what_the_program_does() {
    for seed in seeds(500) {
        check_program(&programs::object(seed, 5 + (seed % 60) as u32), seed);
    }
}
