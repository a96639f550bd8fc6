//! Programs that the kernel takes only with types: spin locks, updates under them, callbacks.

mod common;

use common::*;
use offload_compiler::object::{LoadOptions, Object, load};
use offwire_harness::PacketIn;
use offwire_harness::host::Host;
use offwire_harness::reference::Ref;

fn typed() -> Object {
    load(include_bytes!("objects/typed.o"), &LoadOptions::default()).expect("the object loads")
}

/// struct request of typed.c.
fn request(what: u32, key: u32, flags: u64, sum: u64) -> PacketIn {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&what.to_le_bytes());
    bytes.extend_from_slice(&key.to_le_bytes());
    for word in [flags, 0, sum] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.resize(64, 0);
    packet(&bytes)
}

fn run_both(name: &str, packets: &[PacketIn]) {
    let object = typed();
    let program = object.programs.iter().position(|program| program.name == name).expect("the program is there");
    let mut reference = Ref::new(&object, program).unwrap_or_else(|d| panic!("{d}"));
    let mut kernel = Host::new(&object, program).unwrap_or_else(|d| panic!("{d}"));
    compare(name, &mut reference, &mut kernel, object.maps.len(), packets);
}

/// Locks, and updates that leave them alone: by flags, under the lock (4), full, of missing and present entries.
#[test]
fn locks_in_values() {
    if !host_works() {
        return;
    }
    let mut rng = Rng(11);
    let flags = [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1 << 40];
    let packets: Vec<PacketIn> =
        (0..1500).map(|_| request(rng.below(4) as u32, rng.below(5) as u32, rng.pick(&flags), rng.next())).collect();
    run_both("xdp_lock", &packets);
}

#[test]
fn loops_with_callbacks() {
    if !host_works() {
        return;
    }
    let counts = [0, 1, 2, 19, 20, 21, 22, 1000, 1 << 23, (1 << 23) + 1, u32::MAX];
    let packets: Vec<PacketIn> =
        counts.iter().flat_map(|&count| [0, 1, 1 << 33].map(|flags| request(0, count, flags, 77))).collect();
    run_both("xdp_loop", &packets);
}
