//! Clocks and random numbers: the interpreter against the kernel, where calls have become accesses to a map.

mod common;

use common::*;
use offload_compiler::ebpf::{Cond, Insn, InsnIdx, Operand, Size};
use offwire_harness::{Backend, Chance, PacketIn};
use offwire_image::MapKind;

const KTIME: u32 = 5;
const PRANDOM: u32 = 7;
const JIFFIES: u32 = 118;
const BOOT: u32 = 125;
const COARSE: u32 = 160;

fn at(arrival_ns: u64, count: u8) -> PacketIn {
    let mut bytes = vec![0; 64];
    bytes[0] = count;
    PacketIn { arrival_ns, ..packet(&bytes) }
}

/// Each clock into the packet, and random numbers in a loop that jumps over them both ways.
fn draws() -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(64)).put([copy(R6, R5), load(Size::B1, R7, R6, 0), mov(R8, 0)]);
    for (place, helper) in [(8, KTIME), (16, BOOT), (24, COARSE), (32, JIFFIES)] {
        asm.helper(helper).put([store(Size::B8, R6, place, R0)]);
    }
    asm.jump_if(Cond::Gt, R7, 15, "out");
    asm.label("again").jump_if(Cond::Ge, R8, 16, "out").put([jump_if(Cond::Ge, R8, Operand::Reg(R7), 0)]);
    let over = asm.insns.len() - 1;
    asm.helper(PRANDOM)
        .put([copy(R9, R0), store(Size::B8, R6, 40, R9)])
        .call("double")
        .put([add(R8, 1), store(Size::B8, R6, 48, R0)]);
    asm.jump("again").label("out");
    let out = asm.insns.len() as u32;
    asm.put([mov(R0, 2), Insn::Exit]);
    asm.label("double").helper(PRANDOM).helper(KTIME).helper(PRANDOM).put([Insn::Exit]);
    let mut insns = asm.done();
    if let Insn::JumpIf { target, .. } = &mut insns[over] {
        *target = InsnIdx(out);
    }
    insns
}

#[test]
fn clocks_stand_still_and_numbers_go_on() {
    if !host_works() {
        return;
    }
    let packets: Vec<PacketIn> = (0..40).map(|n| at(n * 1_300_000, n as u8 % 17)).collect();
    same_without_facts("draws", &draws(), &[map_spec("other", MapKind::Array, 4, 8, 1)], &packets);
}

/// Without a call of set_chance before the packet, the generator goes on from where the packet before left it.
#[test]
fn the_generator_is_carried_from_packet_to_packet() {
    if !host_works() {
        return;
    }
    let object = object(&draws(), &[]);
    let mut reference = offwire_harness::reference::Ref::new(&object, 0).expect("loads");
    let mut kernel = host(&object);
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..20 {
        let packet = at(0, 3);
        let (ours, theirs) = (reference.run(&packet).expect("runs"), kernel.run(&packet).expect("runs"));
        assert_eq!(ours.bytes, theirs.bytes, "packet {n}");
        seen.insert(ours.bytes[48..56].to_vec());
    }
    assert_eq!(seen.len(), 20, "each packet has numbers of its own");
}

/// What the generator is, in numbers that were computed by hand (Python, from the formula in docs/testing.md).
#[test]
fn numbers_are_those_of_the_formula() {
    let mut chance = Chance { ktime_ns: 0, jiffies: 0, random_state: 1 };
    let numbers: Vec<u32> = (0..4).map(|_| chance.random()).collect();
    assert_eq!(numbers, FOUR);
    let first = Chance::of_packet(0, 8_000_000);
    assert_eq!((first.ktime_ns, first.jiffies), (1_008_000_000, 4_294_667_548));
}

const FOUR: [u32; 4] = [1817669548, 2187888307, 2784682393, 1644385741];
