//! Passes against the interpreter: whatever a pass does, return values, packets and maps stay the same.

mod idioms;

use super::{LATE, MapEntry, MapTable, PASSES, optimize, run_pass};
use crate::backend::random::{self, Rng};
use crate::ebpf::MapIdx;
use crate::ir::interp::{self, Maps, Packet, World};
use crate::ir::{Func, check};
use crate::{facts, ir, object};
use offwire_image::MapSpec;

fn table(specs: &[MapSpec]) -> MapTable {
    let entry = |spec: &MapSpec| MapEntry {
        key_size: spec.key_size,
        value_size: spec.value_size,
        per_cpu: spec.kind.is_per_cpu(),
    };
    MapTable(specs.iter().map(entry).collect())
}

/// Runs both functions on the same packets, one after the other, so that maps fill up. `None` if the first one faults.
fn compare(before: &Func, after: &Func, maps: &Maps, specs: &[MapSpec], seed: u64) -> Option<()> {
    let mut rng = Rng::new(seed);
    let (mut maps_a, mut maps_b) = (maps.clone(), maps.clone());
    for n in 0..8 {
        let len = 14 + rng.below(100) as usize;
        let bytes: Vec<u8> = (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect();
        let (mut a, mut b) = (Packet::new(&bytes), Packet::new(&bytes));
        let world = World { ktime_ns: 7 * n, jiffies: n, random: seed, ..World::default() };
        let (mut world_a, mut world_b) = (world.clone(), world);
        let wanted = interp::run_in(before, &mut a, &mut maps_a, &mut world_a).ok()?;
        let got = interp::run_in(after, &mut b, &mut maps_b, &mut world_b);
        assert_eq!(got, Ok(wanted), "outcome, packet {n}\n{before}\nbecame\n{after}");
        assert_eq!((a.meta(), a.bytes()), (b.meta(), b.bytes()), "packet {n}\n{before}\nbecame\n{after}");
        assert_eq!(world_a, world_b, "packet {n}\n{before}\nbecame\n{after}");
        for map in (0..specs.len()).map(|map| MapIdx(map as u16)) {
            assert_eq!(maps_a.entries(map), maps_b.entries(map), "map {map:?}, packet {n}\n{before}\nbecame\n{after}");
        }
    }
    Some(())
}

/// Every pass by itself on the function as it is and on the result of the passes before it, then all of them.
fn check_passes(func: &Func, filled: &Maps, specs: &[MapSpec], seed: u64) {
    let maps = table(specs);
    assert_eq!(check(func), Ok(()), "seed {seed}\n{func}");
    let mut so_far = func.clone();
    for pass in PASSES.iter().chain(LATE) {
        for from in [func, &so_far.clone()] {
            let mut after = from.clone();
            (pass.run)(&mut after, &maps);
            assert_eq!(check(&after), Ok(()), "{} with seed {seed}:\n{from}\nbecame\n{after}", pass.name);
            compare(from, &after, filled, specs, seed).expect("what is made here never faults");
            so_far = after;
        }
    }
    let after = optimize(func.clone(), &maps);
    compare(func, &after, filled, specs, seed);
    assert_eq!(optimize(func.clone(), &maps), after, "the same input gives the same output");
}

/// How many functions each property looks at.
fn seeds(default: u64) -> std::ops::Range<u64> {
    0..std::env::var("OFFWIRE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn passes_keep_the_meaning_of_random_functions() {
    for seed in seeds(300) {
        let func = random::function(seed, 10 + (seed % 90) as u32);
        check_passes(&func, &random::filled(), &random::maps(), seed);
    }
}

#[test]
fn passes_keep_the_meaning_of_idioms() {
    for seed in seeds(600) {
        let func = idioms::function(seed, 8 + (seed % 50) as u32);
        check_passes(&func, &Maps::new(&idioms::maps()), &idioms::maps(), seed);
    }
}

#[test]
fn passes_keep_the_meaning_of_requests() {
    for seed in seeds(300) {
        check_passes(&random::asking(seed, 10 + (seed % 70) as u32), &random::filled(), &random::maps(), seed);
    }
}

#[test]
fn passes_do_not_know_other_names() {
    let mut func = random::function(0, 10);
    assert!(run_pass("no such pass", &mut func, &MapTable::default()).is_none());
}

/// The optimised programs of an example.
fn example(name: &str) -> Vec<Func> {
    let path = format!("{}/../examples/{name}/{name}.o", env!("CARGO_MANIFEST_DIR"));
    let object = object::load(&std::fs::read(path).unwrap(), &object::LoadOptions::default()).unwrap();
    let optimized = |program| {
        let func = ir::lift(&object, program, &facts::analyze(&object, program).unwrap()).unwrap();
        optimize(func, &MapTable::of(&object))
    };
    object.programs.iter().map(optimized).collect()
}

/// How many instructions the text has that start so.
fn count(func: &Func, what: &str) -> usize {
    func.to_string().lines().filter(|line| line.trim_start().contains(what)).count()
}

#[test]
fn the_firewall_is_as_small_as_it_should_be() {
    let func = &example("firewall")[0];
    let loads = count(func, "= load.");
    let stores = count(func, "store.");
    assert!(loads <= 7, "{loads} loads\n{func}");
    assert!(stores <= 2, "{stores} stores: the key is 16 bytes, in one word\n{func}");
    assert_eq!(count(func, "atomic_add."), 2, "{func}");
    assert_eq!(count(func, "guard "), 4, "{func}");
    assert_eq!(count(func, "jump "), 0, "everything is joined or ends\n{func}");
}

#[test]
fn mac_addresses_are_copied_whole() {
    let func = &example("swap")[0];
    assert_eq!(count(func, "store.6 pkt"), 2, "{func}");
    assert_eq!(count(func, "store.") - count(func, "store.6 pkt"), 1, "the key\n{func}");
}
