//! Rules of helpers: sizes, records, metadata, tail calls.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a panic is a failed test")]

use super::{Limits, verify};
use crate::ebpf::{AluOp, Cond, Insn, Size};
use crate::object::Map;
use crate::testing::*;
use offwire_diag::{Code, Diagnostic, codes::verify as codes};
use offwire_image::MapKind;

const EXIT: [Insn; 2] = [mov_zero(), Insn::Exit];

const fn mov_zero() -> Insn {
    use crate::ebpf::{Operand, Reg, Width};
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg(0), src: Operand::Imm(0) }
}

/// Map 0: array of maps with 16-byte values. 1: ring buffer. 2: program array. 3: perf event array. 4: hash. 5: device map.
fn maps() -> Vec<Map> {
    let mut outer = map(MapKind::ArrayOfMaps, 4, 4, 8);
    outer.inner = Some(Box::new(map(MapKind::Hash, 4, 16, 8).spec));
    vec![
        outer,
        map(MapKind::Ringbuf, 0, 0, 4096),
        map(MapKind::ProgArray, 4, 4, 8),
        map(MapKind::PerfEventArray, 4, 4, 8),
        map(MapKind::Hash, 4, 16, 8),
        map(MapKind::Devmap, 4, 4, 8),
    ]
}

fn run(insns: Vec<Insn>) -> Result<(), Diagnostic> {
    verify(&object(maps()), &program(insns), &Limits::default()).map(|_| ())
}

fn accepted(insns: Vec<Insn>) {
    run(insns).unwrap_or_else(|diagnostic| panic!("refused: {diagnostic}"));
}

fn refused(insns: Vec<Insn>, code: Code) {
    match run(insns) {
        Ok(()) => panic!("accepted instead of {code}"),
        Err(diagnostic) => assert_eq!(diagnostic.code, code, "{diagnostic}"),
    }
}

fn join(parts: &[&[Insn]]) -> Vec<Insn> {
    parts.concat()
}

/// Reserves 8 bytes; r0 and r6 are the record or null, r9 is the context.
fn reserve() -> Vec<Insn> {
    join(&[&[mov(9, 1)], &load_map(1, 1), &[mov_imm(2, 8), mov_imm(3, 0), helper(131), mov(6, 0)]])
}

/// The same, and returns if it is null.
fn record() -> Vec<Insn> {
    let mut insns = reserve();
    insns.extend([jump_imm(Cond::Ne, 0, 0, 10), mov_imm(0, 0), Insn::Exit]);
    insns
}

/// Gives r6 back.
fn give_back(helper_number: u32) -> [Insn; 3] {
    [mov(1, 6), mov_imm(2, 0), helper(helper_number)]
}

#[test]
fn records_are_given_back_once() {
    for number in [132, 133] {
        accepted(join(&[&record(), &give_back(number), &EXIT]));
        refused(join(&[&reserve(), &give_back(number), &EXIT]), codes::NULL_POINTER);
        refused(join(&[&record(), &give_back(number), &give_back(132), &EXIT]), codes::RELEASED);
        refused(join(&[&record(), &give_back(number), &[load(Size::B1, 1, 6, 0)], &EXIT]), codes::RELEASED);
        refused(join(&[&record(), &[alu_imm(AluOp::Add, 6, 4)], &give_back(number), &EXIT]), codes::HELPER_ARGUMENT);
    }
    refused(join(&[&record(), &EXIT]), codes::REFERENCE_LEAK);
    // The pointer is lost, the record is not.
    refused(join(&[&record(), &[mov_imm(6, 0), mov_imm(0, 0)], &EXIT]), codes::REFERENCE_LEAK);
    let tail = join(&[&[mov(1, 9)], &load_map(2, 2), &[mov_imm(3, 0), helper(12)]]);
    refused(join(&[&record(), &tail, &give_back(132), &EXIT]), codes::REFERENCE_LEAK);
}

#[test]
fn records_have_their_size() {
    let with = |insn| join(&[&record(), &[insn], &give_back(132), &EXIT]);
    accepted(with(load(Size::B8, 1, 6, 0)));
    accepted(with(store_imm(Size::B4, 6, 4, 1)));
    refused(with(load(Size::B8, 1, 6, 1)), codes::RECORD_BOUNDS);
    refused(with(load(Size::B1, 1, 6, -1)), codes::RECORD_BOUNDS);
    refused(with(store(Size::B8, 6, 0, 9)), codes::POINTER_AS_NUMBER);
    let size = |insn| join(&[&[mov(9, 1)], &load_map(1, 1), &[insn, mov_imm(3, 0), helper(131)], &EXIT]);
    refused(size(load(Size::B4, 2, 9, 16)), codes::HELPER_ARGUMENT);
}

/// r6 is the context, r3 16 bytes of stack, r4 as given; they are filled from the packet.
fn load_bytes(size: &[Insn]) -> Vec<Insn> {
    join(&[
        &[mov(6, 1), mov_imm(2, 0), mov(3, 10), alu_imm(AluOp::Add, 3, -16)],
        size,
        &[helper(189), load(Size::B8, 1, 10, -16)],
        &EXIT,
    ])
}

#[test]
fn sizes_are_bounded() {
    let number = load(Size::B4, 4, 6, 16);
    accepted(load_bytes(&[mov_imm(4, 16)]));
    accepted(load_bytes(&[number, alu_imm(AluOp::And, 4, 7), alu_imm(AluOp::Add, 4, 9)]));
    refused(load_bytes(&[number, alu_imm(AluOp::And, 4, 7), alu_imm(AluOp::Add, 4, 10)]), codes::STACK_BOUNDS);
    refused(load_bytes(&[number, alu_imm(AluOp::And, 4, 7)]), codes::HELPER_SIZE);
    refused(load_bytes(&[number, alu_imm(AluOp::And, 4, 7), alu_imm(AluOp::Sub, 4, 8)]), codes::HELPER_SIZE);
    refused(load_bytes(&[number]), codes::HELPER_SIZE);
    refused(load_bytes(&[mov_imm(4, 0)]), codes::HELPER_SIZE);
    // Nothing is left of what stood there before.
    let index = |value: &[Insn]| {
        join(&[
            &[store_imm(Size::B8, 10, -16, 0)],
            &load_bytes(value)[..5 + value.len()],
            &[load(Size::B8, 1, 10, -16), alu(AluOp::Add, 1, 10), load(Size::B1, 1, 1, -8)],
            &EXIT,
        ])
    };
    refused(index(&[mov_imm(4, 4)]), codes::POINTER_RANGE);
    refused(index(&[number, alu_imm(AluOp::And, 4, 7), alu_imm(AluOp::Add, 4, 1)]), codes::POINTER_RANGE);
}

#[test]
fn null_goes_with_no_bytes() {
    let sum = |from: [Insn; 2]| join(&[&from, &[mov_imm(3, 0), mov_imm(4, 0), mov_imm(5, 0), helper(28)], &EXIT]);
    accepted(sum([mov_imm(1, 0), mov_imm(2, 0)]));
    refused(sum([mov_imm(1, 0), mov_imm(2, 4)]), codes::NULL_POINTER);
    refused(sum([mov_imm(1, 1), mov_imm(2, 0)]), codes::HELPER_ARGUMENT);
}

#[test]
fn helpers_work_on_their_maps() {
    let event = |map| {
        join(&[
            &[store_imm(Size::B8, 10, -8, 0)],
            &load_map(2, map),
            &[mov_imm(3, 0), mov(4, 10), alu_imm(AluOp::Add, 4, -8), mov_imm(5, 8), helper(25)],
            &EXIT,
        ])
    };
    accepted(event(3));
    refused(event(1), codes::MAP_UNSUPPORTED);
    let lookup = |map| {
        join(&[
            &[store_imm(Size::B8, 10, -8, 0), mov(2, 10), alu_imm(AluOp::Add, 2, -8)],
            &load_map(1, map),
            &[helper(1), mov(6, 0)],
        ])
    };
    for map in [1, 2, 3] {
        refused(join(&[&lookup(map), &EXIT]), codes::MAP_UNSUPPORTED);
    }
    let end = 11;
    let found = [jump_imm(Cond::Eq, 0, 0, end), load(Size::B4, 1, 6, 0), mov_zero(), mov_zero()];
    accepted(join(&[&lookup(5), &found, &EXIT]));
    let written = [jump_imm(Cond::Eq, 0, 0, end), store_imm(Size::B4, 6, 0, 1), mov_zero(), mov_zero()];
    refused(join(&[&lookup(5), &written, &EXIT]), codes::READ_ONLY);
    // A map in a map is no value, and may be missing.
    refused(join(&[&lookup(0), &found, &EXIT]), codes::BAD_POINTER);
    let inner = [mov(1, 6), mov(2, 10), alu_imm(AluOp::Add, 2, -8), helper(1)];
    refused(join(&[&lookup(0), &inner, &EXIT]), codes::NULL_POINTER);
    let checked = [jump_imm(Cond::Eq, 0, 0, 13)];
    accepted(join(&[&lookup(0), &checked, &inner, &[mov_zero()], &EXIT]));
    let value = [jump_imm(Cond::Eq, 0, 0, 15), load(Size::B8, 1, 0, 8), mov_zero()];
    accepted(join(&[&lookup(0), &[jump_imm(Cond::Eq, 0, 0, 15)], &inner, &value, &EXIT]));
    let beyond = [jump_imm(Cond::Eq, 0, 0, 15), load(Size::B8, 1, 0, 9), mov_zero()];
    refused(join(&[&lookup(0), &[jump_imm(Cond::Eq, 0, 0, 15)], &inner, &beyond, &EXIT]), codes::MAP_VALUE_BOUNDS);
}

#[test]
fn metadata_ends_at_the_packet() {
    let meta = |cond: Cond, ptr, end, off| {
        vec![
            load(Size::B4, 2, 1, 8),
            load(Size::B4, 3, 1, 0),
            load(Size::B4, 4, 1, 4),
            mov(5, 2),
            alu_imm(AluOp::Add, 5, 4),
            jump_if(cond, ptr, end, 8),
            load(Size::B4, 0, 2, off),
            Insn::Exit,
            mov_imm(0, 0),
            Insn::Exit,
        ]
    };
    accepted(meta(Cond::Gt, 5, 3, 0));
    accepted(meta(Cond::Ge, 5, 3, 0));
    accepted(meta(Cond::Lt, 3, 5, 0));
    accepted(meta(Cond::Le, 3, 5, 0));
    refused(meta(Cond::Lt, 5, 3, 0), codes::PACKET_BOUNDS);
    refused(meta(Cond::Ge, 3, 5, 0), codes::PACKET_BOUNDS);
    refused(meta(Cond::Gt, 5, 3, 1), codes::PACKET_BOUNDS);
    refused(meta(Cond::Gt, 5, 4, 0), codes::PACKET_BOUNDS);
}

/// The other program may do anything to the packet before it returns to the caller; r0 is its number.
#[test]
fn tail_calls_in_functions_may_come_back() {
    let with = |after: &[Insn]| {
        let start = [mov(6, 1), load(Size::B4, 7, 6, 0), load(Size::B4, 8, 6, 4), mov(2, 7)];
        let checked = [alu_imm(AluOp::Add, 2, 1), jump_if(Cond::Gt, 2, 8, 9), call(11)];
        let rest = [after[0], after[1], mov_imm(0, 0), Insn::Exit];
        join(&[&start, &checked, &rest, &load_map(2, 2), &[mov_imm(3, 0), helper(12), mov_imm(0, 1), Insn::Exit]])
    };
    accepted(with(&[mov_zero(), mov_zero()]));
    refused(with(&[load(Size::B1, 1, 7, 0), mov_zero()]), codes::STALE_PACKET);
    refused(with(&[alu(AluOp::Add, 0, 10), load(Size::B1, 1, 0, -8)]), codes::POINTER_RANGE);
    // Where it fails, nothing has happened.
    let here = join(&[
        &[mov(6, 1), load(Size::B4, 7, 6, 0), load(Size::B4, 8, 6, 4), mov(2, 7), alu_imm(AluOp::Add, 2, 1)],
        &[jump_if(Cond::Gt, 2, 8, 11)],
        &load_map(2, 2),
        &[mov_imm(3, 0), helper(12), load(Size::B1, 1, 7, 0)],
        &EXIT,
    ]);
    accepted(here);
    refused(join(&[&load_map(2, 2), &[mov_imm(3, 0), helper(12), Insn::Exit]]), codes::UNINITIALISED);
}
