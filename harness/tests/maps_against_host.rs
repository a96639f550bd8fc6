//! Kinds of maps beside arrays and hashes: the interpreter against the kernel.

mod common;

use common::*;
use offload_compiler::ebpf::{Cond, Insn, MapIdx, Size};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue, PacketIn};
use offwire_image::{MapKind, MapSpec};

const NO_PREALLOC: u32 = 1;
const FLAGS: [u64; 10] = [0, 0, 1, 2, 3, 4, 5, 8, 1 << 32, u64::MAX];

fn operations(seed: u64, count: usize, mut key: impl FnMut(&mut Rng) -> u32) -> Vec<PacketIn> {
    let mut rng = Rng(seed);
    (0..count)
        .map(|_| {
            let key = key(&mut rng);
            let flags = if rng.below(3) == 0 { rng.pick(&FLAGS) } else { 0 };
            operation(rng.below(3) as u8, key, rng.next(), flags)
        })
        .collect()
}

/// Below its capacity an LRU map is a hash map; flags and return codes are its own.
#[test]
fn an_lru_map_below_its_capacity_is_a_hash() {
    if !host_works() {
        return;
    }
    let spec = map_spec("recent", MapKind::LruHash, 4, 8, 512);
    let packets = operations(21, 1500, |rng| rng.below(12) as u32);
    same_without_facts("lru", &map_operations(), &[spec], &packets);
}

/// At its capacity which entry goes is the kernel's own choice. Both take each new entry, keep it, and hold no more than allowed.
#[test]
fn a_full_lru_map_takes_what_comes() {
    if !host_works() {
        return;
    }
    let object = object(&map_operations(), &[map_spec("recent", MapKind::LruHash, 4, 8, 16)]);
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
    let mut kernel = host(&object);
    let backends: [&mut dyn Backend; 2] = [&mut reference, &mut kernel];
    for backend in backends {
        let name = backend.name();
        for key in 0..200u32 {
            let out = backend.run(&operation(1, key, u64::from(key) + 7, 0)).expect("runs");
            assert_eq!(out.bytes[24..32], [0; 8], "{name}: an update of a full LRU map does not fail");
            let entries = backend.map_entries(MapIdx(0)).expect("reads");
            assert!(entries.len() <= 16, "{name}: {} entries", entries.len());
            let entry = entries.iter().find(|entry| entry.key == key.to_le_bytes()).expect("the new entry is there");
            assert_eq!(entry.value, EntryValue::One((u64::from(key) + 7).to_le_bytes().to_vec()), "{name}");
        }
    }
}

/// As [`map_operations`], with an 8-byte key at 32 of the packet.
fn trie_operations() -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put([
            copy(R6, R5),
            load(Size::B8, R7, R6, 32),
            store(Size::B8, R10, -8, R7),
            load(Size::B8, R7, R6, 8),
            store(Size::B8, R10, -16, R7),
            load(Size::B1, R7, R6, 0),
        ])
        .put(map(R1, 0))
        .put([copy(R2, R10), add(R2, -8)])
        .jump_if(Cond::Eq, R7, 1, "update")
        .jump_if(Cond::Eq, R7, 2, "delete")
        .helper(1)
        .jump_if(Cond::Eq, R0, 0, "out")
        .put([load(Size::B8, R0, R0, 0)])
        .jump("out")
        .label("update")
        .put([copy(R3, R10), add(R3, -16), load(Size::B8, R4, R6, 16)])
        .helper(2)
        .jump("out")
        .label("delete")
        .helper(3)
        .label("out")
        .put([store(Size::B8, R6, 24, R0), mov(R0, 2), Insn::Exit]);
    asm.done()
}

#[test]
fn a_trie_finds_the_longest_prefix() {
    if !host_works() {
        return;
    }
    let mut rng = Rng(5);
    let mut packets = Vec::new();
    for _ in 0..4000 {
        let flags = if rng.below(3) == 0 { rng.pick(&FLAGS) } else { 0 };
        let mut packet = operation(rng.below(4) as u8, 0, rng.next(), flags);
        // Few addresses that share prefixes of many lengths; lengths up to one too many and far beyond.
        let address = 0x0a00_0000u32 | [0, 1, 0x80, 0xff, 0x8000, 0x8001, 0xff_ffff][rng.below(7)];
        let length = rng.pick(&[0, 7, 8, 9, 16, 17, 24, 25, 31, 32, 32, 32, 33, 1000]);
        packet.bytes[32..36].copy_from_slice(&u32::to_le_bytes(length));
        packet.bytes[36..40].copy_from_slice(&address.to_be_bytes());
        packets.push(packet);
    }
    for entries in [1, 6, 100] {
        let spec = MapSpec { flags: NO_PREALLOC, ..map_spec("routes", MapKind::LpmTrie, 8, 8, entries) };
        same_without_facts(&format!("trie of {entries}"), &trie_operations(), &[spec], &packets);
    }
}

/// What user space may put into a trie is what both take.
#[test]
fn user_space_fills_a_trie_alike() {
    if !host_works() {
        return;
    }
    let spec = MapSpec { flags: NO_PREALLOC, ..map_spec("routes", MapKind::LpmTrie, 8, 8, 3) };
    let object = object(&trie_operations(), &[spec]);
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
    let mut kernel = host(&object);
    let (mut taken, mut refused) = (0, 0);
    for (length, address) in
        [(8u32, 0x0aff_ffffu32), (8, 0x0a00_0001), (33, 0), (0, 5), (32, 1), (31, 2), (32, 1), (0, 0), (u32::MAX, 0)]
    {
        let key = [length.to_le_bytes(), address.to_be_bytes()].concat();
        let entry = Entry { key, value: EntryValue::One(vec![length as u8; 8]) };
        let ours = reference.map_update(MapIdx(0), &entry);
        let theirs = kernel.map_update(MapIdx(0), &entry);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{length} {address:#x}: {ours:?} {theirs:?}");
        if ours.is_ok() {
            taken += 1
        } else {
            refused += 1
        }
        assert_eq!(reference.map_entries(MapIdx(0)), kernel.map_entries(MapIdx(0)), "after {length} {address:#x}");
    }
    assert!(taken > 3 && refused > 2, "{taken} {refused}");
}
