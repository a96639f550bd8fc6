#![allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a panic is a failed test"
)]

use super::{Limits, Verified, verify};
use crate::ebpf::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};
use crate::facts;
use crate::object::{Map, Member, Object, Program, TypeRef};
use crate::testing::*;
use offwire_diag::codes::verify as codes;
use offwire_diag::{Code, Diagnostic};
use offwire_image::MapKind;

const RDONLY_PROG: u32 = 1 << 7;
const WRONLY_PROG: u32 = 1 << 8;

/// Map 0: hash of 16-byte values. 1: array, read-only to programs. 2: write-only. 3: prog array. 4: array with a lock in its
/// value. 5: frozen data.
fn maps() -> Vec<Map> {
    let mut maps = vec![
        map(MapKind::Hash, 4, 16, 8),
        map(MapKind::Array, 4, 16, 8),
        map(MapKind::Array, 4, 16, 1),
        map(MapKind::ProgArray, 4, 4, 8),
        map(MapKind::Array, 4, 16, 1),
        map(MapKind::Array, 4, 16, 1),
    ];
    maps[1].spec.flags = RDONLY_PROG;
    maps[2].spec.flags = WRONLY_PROG;
    let lock = TypeRef::Struct { name: "bpf_spin_lock".into(), size: 4, members: vec![] };
    let member = Member { name: "lock".into(), bit_offset: 64, bit_width: 0, ty: lock };
    maps[4].value_type = Some(TypeRef::Struct { name: "value".into(), size: 16, members: vec![member] });
    maps[5].spec.frozen = true;
    maps[5].spec.init = vec![1, 2, 3, 4];
    maps
}

fn run(insns: Vec<Insn>) -> Result<Verified, Diagnostic> {
    verify(&object(maps()), &program(insns), &Limits::default())
}

fn accepted(insns: Vec<Insn>) -> Verified {
    run(insns).unwrap_or_else(|diagnostic| panic!("refused: {diagnostic}"))
}

fn refused(insns: Vec<Insn>, code: Code) -> Diagnostic {
    match run(insns) {
        Ok(_) => panic!("accepted instead of {code}"),
        Err(diagnostic) => {
            assert_eq!(diagnostic.code, code, "{diagnostic}");
            assert!(diagnostic.span.insn_text.is_some(), "no instruction in {diagnostic}");
            diagnostic
        }
    }
}

fn join(parts: &[&[Insn]]) -> Vec<Insn> {
    parts.concat()
}

/// r0 = value of the map with key 0 on the stack, or null; 7 slots.
fn lookup(map: u16) -> Vec<Insn> {
    let mut insns = vec![store_imm(Size::B4, 10, -4, 1), mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    insns.extend(load_map(1, map));
    insns.push(helper(1));
    insns
}

const EXIT: [Insn; 2] =
    [Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg(0), src: Operand::Imm(2) }, Insn::Exit];

/// The kernel takes null on a path on which a packet pointer is null; it proves nothing about the packet.
#[test]
fn null_is_compared_with_the_packets_end() {
    let ends = [load(Size::B4, 2, 1, 0), load(Size::B4, 3, 1, 4), mov_imm(4, 0)];
    for cond in [Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le] {
        accepted(join(&[&ends, &[jump_if(cond, 4, 3, 4)], &EXIT]));
        accepted(join(&[&ends, &[jump_if(cond, 3, 4, 4)], &EXIT]));
    }
    refused(join(&[&ends, &[jump_if(Cond::Sgt, 4, 3, 4)], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&ends, &[mov_imm(4, 1), jump_if(Cond::Gt, 4, 3, 5)], &EXIT]), codes::POINTER_AS_NUMBER);
    let read = [jump_if(Cond::Gt, 4, 3, 5), load(Size::B1, 0, 2, 0)];
    refused(join(&[&ends, &read, &EXIT]), codes::PACKET_BOUNDS);
}

#[test]
fn rules_of_maps() {
    // The value is 16 bytes.
    let checked = |map: u16, access: &[Insn]| {
        join(&[&lookup(map), &[jump_imm(Cond::Eq, 0, 0, 7 + access.len() as u32)], access, &EXIT])
    };
    accepted(checked(0, &[load(Size::B8, 1, 0, 8), store(Size::B8, 0, 0, 1)]));
    refused(checked(0, &[load(Size::B8, 1, 0, 9)]), codes::MAP_VALUE_BOUNDS);
    refused(checked(0, &[load(Size::B1, 1, 0, -1)]), codes::MAP_VALUE_BOUNDS);
    refused(checked(0, &[store(Size::B8, 0, 0, 10)]), codes::POINTER_AS_NUMBER);
    refused(checked(0, &[store(Size::B8, 0, 0, 0)]), codes::POINTER_AS_NUMBER);
    refused(join(&[&lookup(0), &[load(Size::B1, 1, 0, 0)], &EXIT]), codes::NULL_POINTER);
    refused(join(&[&lookup(0), &[alu_imm(AluOp::Add, 0, 1)], &EXIT]), codes::NULL_POINTER);
    accepted(checked(1, &[load(Size::B8, 1, 0, 0)]));
    refused(checked(1, &[store_imm(Size::B8, 0, 0, 1)]), codes::READ_ONLY);
    accepted(checked(2, &[store_imm(Size::B8, 0, 0, 1)]));
    refused(checked(2, &[load(Size::B8, 1, 0, 0)]), codes::READ_ONLY);
    refused(lookup(3).into_iter().chain(EXIT).collect(), codes::MAP_UNSUPPORTED);
    accepted(checked(4, &[load(Size::B8, 1, 0, 0), load(Size::B4, 1, 0, 12)]));
    refused(checked(4, &[load(Size::B8, 1, 0, 8)]), codes::SPECIAL_FIELD);
    refused(checked(4, &[store_imm(Size::B1, 0, 11, 1)]), codes::SPECIAL_FIELD);
    refused(join(&[&load_map_value(1, 5, 0), &[store_imm(Size::B1, 1, 0, 1)], &EXIT]), codes::READ_ONLY);
    refused(join(&[&load_map_value(1, 5, 16), &EXIT]), codes::MAP_VALUE_BOUNDS);
    refused(join(&[&load_map_value(1, 1, 0), &EXIT]), codes::BAD_INSTRUCTION);
    refused(join(&[&load_map(1, 9), &EXIT]), codes::BAD_INSTRUCTION);
    refused(join(&[&load_map(1, 0), &[load(Size::B8, 2, 1, 0)], &EXIT]), codes::BAD_POINTER);
}

#[test]
fn known_keys_of_arrays_need_no_null_check() {
    let read = |setup: &[Insn], off: i32, map: u16| {
        let key = [mov(2, 10), alu_imm(AluOp::Add, 2, off)];
        join(&[setup, &key, &load_map(1, map), &[helper(1), load(Size::B1, 1, 0, 0)], &EXIT])
    };
    accepted(read(&[store_imm(Size::B4, 10, -4, 0)], -4, 1));
    accepted(read(&[store_imm(Size::B4, 10, -8, 7)], -8, 1));
    // Out of the array; of a hash; not aligned to a slot; of a size that is not the key's; overwritten.
    refused(read(&[store_imm(Size::B4, 10, -8, 8)], -8, 1), codes::NULL_POINTER);
    refused(read(&[store_imm(Size::B4, 10, -8, 7)], -8, 0), codes::NULL_POINTER);
    refused(read(&[store_imm(Size::B4, 10, -4, 7)], -4, 1), codes::NULL_POINTER);
    refused(read(&[store_imm(Size::B2, 10, -8, 7)], -8, 1), codes::NULL_POINTER);
    refused(read(&[store_imm(Size::B4, 10, -4, 0), store_imm(Size::B1, 10, -2, 1)], -4, 1), codes::NULL_POINTER);
}

#[test]
fn rules_of_the_context() {
    let read = |size, off| vec![load(size, 0, 1, off), mov_imm(0, 0), Insn::Exit];
    for off in [0, 4, 8, 12, 16] {
        accepted(read(Size::B4, off));
    }
    refused(read(Size::B4, 20), codes::CONTEXT_FIELD);
    refused(read(Size::B4, 24), codes::CONTEXT_ACCESS);
    refused(read(Size::B4, -4), codes::CONTEXT_ACCESS);
    refused(read(Size::B4, 2), codes::CONTEXT_ACCESS);
    refused(read(Size::B8, 0), codes::CONTEXT_ACCESS);
    refused(read(Size::B2, 12), codes::CONTEXT_ACCESS);
    refused(join(&[&[store_imm(Size::B4, 1, 16, 0)], &EXIT]), codes::CONTEXT_ACCESS);
    refused(join(&[&[alu_imm(AluOp::Add, 1, 4), load(Size::B4, 0, 1, 0)], &EXIT]), codes::CONTEXT_ACCESS);
    refused(join(&[&[mov_imm(2, 1), atomic(Size::B4, AtomicOp::Add, false, 1, 0, 2)], &EXIT]), codes::ATOMIC);
    let mut devmap = program(read(Size::B4, 20));
    for section in ["xdp/devmap", "xdp.frags/devmap"] {
        devmap.section = section.into();
        assert!(verify(&object(vec![]), &devmap, &Limits::default()).is_ok(), "{section} has egress_ifindex");
    }
}

#[test]
fn rules_of_the_stack() {
    let with = |insns: &[Insn]| join(&[insns, &EXIT]);
    accepted(with(&[store(Size::B8, 10, -512, 1), load(Size::B8, 2, 10, -512), load(Size::B4, 3, 2, 0)]));
    // Never written: some number.
    accepted(with(&[load(Size::B8, 2, 10, -8), alu_imm(AluOp::Add, 2, 1)]));
    refused(with(&[store_imm(Size::B8, 10, -520, 0)]), codes::STACK_BOUNDS);
    refused(with(&[store_imm(Size::B1, 10, 0, 0)]), codes::STACK_BOUNDS);
    refused(with(&[store_imm(Size::B4, 10, -6, 0)]), codes::MISALIGNED);
    refused(with(&[store(Size::B4, 10, -8, 1)]), codes::SPILL);
    refused(with(&[store(Size::B8, 10, -8, 1), load(Size::B4, 2, 10, -8)]), codes::SPILL);
    refused(with(&[store(Size::B8, 10, -8, 1), load(Size::B1, 2, 10, -1)]), codes::SPILL);
    // What is left of a pointer is no number, and no pointer; what overwrote a part of it is a number.
    let left = [store(Size::B8, 10, -8, 1), store_imm(Size::B4, 10, -4, 0)];
    refused(with(&join(&[&left, &[load(Size::B8, 2, 10, -8)]])), codes::SPILL);
    refused(with(&join(&[&left, &[load(Size::B4, 2, 10, -8)]])), codes::SPILL);
    accepted(with(&join(&[&left, &[load(Size::B4, 2, 10, -4)]])));
    accepted(with(&join(&[&left, &[store_imm(Size::B4, 10, -8, 0), load(Size::B8, 2, 10, -8)]])));
    refused(with(&join(&[&left, &[mov_imm(2, 1), atomic(Size::B4, AtomicOp::Add, false, 10, -8, 2)]])), codes::SPILL);
    // A pointer that was overwritten is a number.
    refused(
        with(&[
            store(Size::B8, 10, -8, 1),
            store_imm(Size::B8, 10, -8, 9),
            load(Size::B8, 2, 10, -8),
            load(Size::B4, 3, 2, 0),
        ]),
        codes::BAD_POINTER,
    );
    // A variable offset over a slot with a pointer.
    let variable = [
        load(Size::B4, 2, 1, 12),
        alu_imm(AluOp::And, 2, 7),
        alu_imm(AluOp::Add, 2, -16),
        mov(3, 10),
        alu(AluOp::Add, 3, 2),
    ];
    accepted(with(&join(&[&variable, &[store_imm(Size::B1, 3, 0, 1), load(Size::B1, 4, 3, 8)]])));
    refused(with(&join(&[&[store(Size::B8, 10, -16, 1)], &variable, &[store_imm(Size::B1, 3, 0, 1)]])), codes::SPILL);
    refused(with(&join(&[&[store(Size::B8, 10, -16, 1)], &variable, &[load(Size::B1, 4, 3, 0)]])), codes::SPILL);
    refused(with(&join(&[&variable, &[load(Size::B1, 4, 3, 9)]])), codes::STACK_BOUNDS);
    refused(with(&join(&[&variable, &[load(Size::B4, 4, 3, 0)]])), codes::MISALIGNED);
    // Keys must not hold pointers.
    let mut key = vec![store(Size::B8, 10, -8, 1), mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    key.extend(load_map(1, 0));
    key.push(helper(1));
    refused(with(&key), codes::POINTER_AS_NUMBER);
    let atomic = |base, off| atomic(Size::B8, AtomicOp::Add, false, base, off, 2);
    accepted(with(&[mov_imm(2, 1), atomic(10, -8)]));
    refused(with(&[mov_imm(2, 1), store(Size::B8, 10, -8, 1), atomic(10, -8)]), codes::POINTER_AS_NUMBER);
    refused(with(&[mov_imm(2, 1), atomic(10, -12)]), codes::MISALIGNED);
}

#[test]
fn rules_of_pointers_as_numbers() {
    refused(vec![mov(0, 1), Insn::Exit], codes::POINTER_AS_NUMBER);
    refused(vec![mov(0, 10), alu32(AluOp::Mov, 0, 0), Insn::Exit], codes::POINTER_AS_NUMBER);
    refused(join(&[&[Insn::Neg { width: Width::W64, dst: Reg(1) }], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&[jump_imm(Cond::Gt, 1, 0, 1)], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&[jump_imm(Cond::Eq, 1, 1, 1)], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&[jump32_imm(Cond::Eq, 1, 0, 1)], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&[jump_if(Cond::Eq, 1, 10, 1)], &EXIT]), codes::POINTER_AS_NUMBER);
    refused(join(&[&[alu(AluOp::Add, 1, 10)], &EXIT]), codes::POINTER_ARITHMETIC);
    refused(join(&[&[alu(AluOp::Sub, 1, 10)], &EXIT]), codes::POINTER_ARITHMETIC);
    refused(join(&[&[alu32_imm(AluOp::Add, 1, 1)], &EXIT]), codes::POINTER_ARITHMETIC);
    refused(join(&[&[mov(2, 10), alu_imm(AluOp::Sub, 2, 8)], &EXIT]), codes::POINTER_ARITHMETIC);
    refused(join(&[&[alu_imm(AluOp::Add, 1, i32::MAX)], &EXIT]), codes::POINTER_RANGE);
    // The length of the packet is a number, also as 32 bits.
    let length = |sub| vec![load(Size::B4, 2, 1, 0), load(Size::B4, 0, 1, 4), sub, Insn::Exit];
    accepted(length(alu(AluOp::Sub, 0, 2)));
    accepted(length(alu32(AluOp::Sub, 0, 2)));
    // A pointer that cannot be null is not 0: the other side is not followed.
    let dead =
        accepted(vec![jump_imm(Cond::Eq, 1, 0, 3), mov_imm(0, 0), Insn::Exit, load(Size::B8, 0, 9, 0), Insn::Exit]);
    assert_eq!(dead.dead, [InsnIdx(3), InsnIdx(4)]);
}

#[test]
fn rules_of_halves_of_packet_pointers() {
    // w2 = low half of data, w3 = of data_end, r4 = data, r5 = data_end.
    let start = [
        load(Size::B4, 4, 1, 0),
        load(Size::B4, 5, 1, 4),
        load(Size::B4, 6, 1, 8),
        alu32(AluOp::Mov, 2, 4),
        alu32(AluOp::Mov, 3, 5),
        mov_imm(7, 3),
    ];
    let after = |insns: &[Insn]| join(&[&start, insns, &EXIT]);
    let number = |insns: &[Insn], reg: u8| join(&[&start, insns, &[mov(0, reg), Insn::Exit]]);
    for insns in [
        vec![alu32(AluOp::Sub, 3, 2)],
        vec![alu32(AluOp::Sub, 3, 4)],
        vec![alu32(AluOp::Mov, 3, 6), alu32(AluOp::Sub, 3, 5)],
        vec![alu32_imm(AluOp::Add, 3, -14), alu32(AluOp::Add, 3, 7), alu32(AluOp::Sub, 3, 7), alu32(AluOp::Sub, 3, 2)],
        vec![alu32(AluOp::Add, 7, 3), alu32(AluOp::Mov, 3, 7), alu32(AluOp::Sub, 3, 2)],
        vec![mov(3, 2), alu32(AluOp::Mov, 3, 3), alu32(AluOp::Sub, 3, 2)],
        vec![mov(3, 4), alu32_imm(AluOp::Sub, 3, 1), alu32(AluOp::Sub, 3, 2)],
        vec![store(Size::B8, 10, -8, 2), load(Size::B8, 2, 10, -8), alu32(AluOp::Sub, 3, 2)],
    ] {
        accepted(number(&insns, 3));
    }
    // The difference has 32 bits: no array is that large, but it is bounded.
    accepted(number(&[alu32(AluOp::Sub, 5, 4), alu_imm(AluOp::Rsh, 5, 31), alu(AluOp::Add, 4, 5)], 5));
    accepted(after(&[jump32_if(Cond::Eq, 2, 3, 7), jump_if(Cond::Ne, 2, 3, 8), jump32_if(Cond::Ne, 2, 5, 9)]));
    // ctx->data is not null, but both ways are followed.
    accepted(after(&[jump32_imm(Cond::Eq, 4, 0, 7), jump32_imm(Cond::Ne, 4, 0, 8)]));
    refused(after(&[jump32_imm(Cond::Ne, 4, 0, 8), load(Size::B1, 0, 4, 0)]), codes::PACKET_BOUNDS);
    for insns in [
        vec![alu(AluOp::Sub, 3, 2)],
        vec![alu_imm(AluOp::Add, 3, 1)],
        vec![alu32(AluOp::Add, 3, 2)],
        vec![alu32(AluOp::Sub, 7, 2)],
        vec![alu32_imm(AluOp::And, 3, 1)],
        vec![alu32_imm(AluOp::Lsh, 3, 1)],
        vec![alu32(AluOp::Mov, 3, 10)],
        vec![Insn::Neg { width: Width::W32, dst: Reg(3) }],
        vec![Insn::MovSx { width: Width::W64, bits: 32, dst: Reg(3), src: Reg(3) }],
        vec![jump32_if(Cond::Gt, 2, 3, 7)],
        vec![jump32_if(Cond::Sgt, 2, 3, 7)],
        vec![jump32_if(Cond::Gt, 4, 5, 7)],
        vec![jump32_imm(Cond::Eq, 2, 0, 7)],
        vec![jump_imm(Cond::Eq, 2, 0, 7)],
        vec![jump32_imm(Cond::Eq, 5, 0, 7)],
        vec![alu_imm(AluOp::Add, 4, 1), jump32_imm(Cond::Eq, 4, 0, 8)],
        vec![jump_if(Cond::Eq, 2, 4, 7)],
    ] {
        refused(after(&insns), codes::POINTER_AS_NUMBER);
    }
    refused(number(&[], 2), codes::POINTER_AS_NUMBER);
    // In 4 bytes of the stack, with a number beside it or without.
    let spill = store(Size::B4, 10, -8, 2);
    let number_beside = store_imm(Size::B4, 10, -4, 5);
    accepted(number(&[spill, number_beside, load(Size::B4, 2, 10, -8), alu32(AluOp::Sub, 3, 2)], 3));
    accepted(number(&[number_beside, spill, load(Size::B4, 3, 10, -4)], 3));
    refused(number(&[spill, load(Size::B4, 3, 10, -8)], 3), codes::POINTER_AS_NUMBER);
    let signed = Insn::Load { size: Size::B4, signed: true, dst: Reg(3), base: Reg(10), off: -8 };
    for reading in [load(Size::B8, 3, 10, -8), load(Size::B2, 3, 10, -8), signed] {
        refused(number(&[spill, number_beside, reading], 3), codes::SPILL);
    }
    refused(after(&[store(Size::B4, 10, -4, 2)]), codes::SPILL);
    refused(after(&[store(Size::B2, 10, -8, 2)]), codes::SPILL);
    refused(after(&[store(Size::B8, 10, -8, 2), load(Size::B4, 2, 10, -8)]), codes::SPILL);
    refused(after(&[load(Size::B1, 0, 2, 0)]), codes::BAD_POINTER);
    refused(after(&[alu32_imm(AluOp::Add, 4, 1)]), codes::POINTER_ARITHMETIC);
    // They are stale when the packet has moved, also on the stack.
    let moved = |insns: &[Insn]| {
        after(
            &[&[alu32(AluOp::Mov, 8, 2), store(Size::B8, 10, -8, 3), mov(9, 1), mov_imm(2, 0), helper(44)], insns]
                .concat(),
        )
    };
    accepted(moved(&[load(Size::B4, 8, 9, 0)]));
    refused(moved(&[alu32(AluOp::Mov, 8, 8)]), codes::STALE_PACKET);
    refused(moved(&[load(Size::B4, 4, 9, 4), alu32(AluOp::Sub, 4, 8)]), codes::STALE_PACKET);
    let moved_after_spill =
        |insns: &[Insn]| after(&[&[spill, number_beside, mov(9, 1), mov_imm(2, 0), helper(44)], insns].concat());
    accepted(moved_after_spill(&[load(Size::B4, 3, 10, -4), load(Size::B4, 2, 10, -8)]));
    refused(
        moved_after_spill(&[load(Size::B4, 4, 9, 0), load(Size::B4, 3, 10, -8), alu32(AluOp::Sub, 3, 4)]),
        codes::STALE_PACKET,
    );
    refused(moved(&[load(Size::B4, 4, 9, 0), load(Size::B8, 3, 10, -8), alu32(AluOp::Sub, 3, 4)]), codes::STALE_PACKET);
}

#[test]
fn rules_of_calls() {
    refused(join(&[&[Insn::CallKfunc { btf_id: 1 }], &EXIT]), codes::KFUNC_UNSUPPORTED);
    refused(join(&[&[helper(165)], &EXIT]), codes::HELPER_UNSUPPORTED);
    refused(join(&[&[helper(9999)], &EXIT]), codes::HELPER_UNSUPPORTED);
    let callback = Insn::LoadImm64 { dst: Reg(2), value: Imm64::Func(InsnIdx(0)) };
    // A function that gives itself to a helper would call itself.
    refused(join(&[&[callback, Insn::Wide], &EXIT]), codes::CALL_DEPTH);
    refused(vec![call(0), Insn::Exit], codes::CALL_DEPTH);
    // r6 to r9 survive a call, r1 to r5 do not, and the callee sees none of the caller's.
    accepted(vec![mov(6, 1), call(4), load(Size::B4, 0, 6, 12), Insn::Exit, mov_imm(0, 0), Insn::Exit]);
    refused(vec![mov_imm(2, 1), call(4), mov(0, 2), Insn::Exit, mov_imm(0, 0), Insn::Exit], codes::UNINITIALISED);
    refused(vec![mov_imm(6, 1), call(3), Insn::Exit, mov(0, 6), Insn::Exit], codes::UNINITIALISED);
    refused(vec![mov_imm(0, 1), call(3), Insn::Exit, Insn::Exit], codes::UNINITIALISED);
    // A callee may use its caller's frame, but not the other way round.
    accepted(vec![
        mov(1, 10),
        call(4),
        load(Size::B8, 0, 10, -8),
        Insn::Exit,
        store_imm(Size::B8, 1, -8, 1),
        mov_imm(0, 0),
        Insn::Exit,
    ]);
    refused(vec![call(2), Insn::Exit, mov(0, 10), Insn::Exit], codes::STACK_BOUNDS);
    refused(
        vec![mov(1, 10), call(4), mov_imm(0, 0), Insn::Exit, store(Size::B8, 1, -8, 10), mov_imm(0, 0), Insn::Exit],
        codes::SPILL,
    );
    // 256 + 256 bytes fit, 264 + 256 do not.
    let frames = |bytes: i16| {
        vec![
            store_imm(Size::B8, 10, -bytes, 0),
            call(4),
            mov_imm(0, 0),
            Insn::Exit,
            store_imm(Size::B8, 10, -256, 0),
            mov_imm(0, 0),
            Insn::Exit,
        ]
    };
    assert_eq!(accepted(frames(256)).stack_depth, 512);
    refused(frames(264), codes::CALL_DEPTH);
    // What the callee learns of its argument is true in the caller, too.
    accepted(join(&[
        &lookup(0),
        &[mov(6, 0), mov(1, 0), call(13), jump_imm(Cond::Ne, 0, 1, 11), load(Size::B1, 1, 6, 0)],
        &EXIT,
        &[mov_imm(0, 0), jump_imm(Cond::Eq, 1, 0, 16), mov_imm(0, 1), Insn::Exit],
    ]));
}

/// What a branch tells of a number holds for its spilled copy if the load gives the same number again: not if it extends a sign.
#[test]
fn links_of_numbers_that_come_back_from_the_stack() {
    let spilled = |below: i32, then: &[Insn]| {
        let mut insns = lookup(1);
        let out = insns.len() as u32 + 6 + then.len() as u32;
        insns.push(jump_imm(Cond::Eq, 0, 0, out));
        insns.extend([load(Size::B2, 6, 0, 0), jump_imm(Cond::Gt, 6, below, out), store(Size::B8, 10, -8, 6)]);
        insns.push(Insn::Load { size: Size::B2, signed: true, dst: Reg(7), base: Reg(10), off: -8 });
        insns.push(jump_imm(Cond::Sgt, 7, 12, out));
        insns.extend_from_slice(then);
        join(&[&insns, &EXIT])
    };
    let access = [alu(AluOp::Add, 0, 6), load(Size::B1, 0, 0, 0)];
    accepted(spilled(0x7fff, &access));
    refused(spilled(0x8000, &access), codes::MAP_VALUE_BOUNDS);
}

#[test]
fn moved_packets() {
    let start = [mov(6, 1), load(Size::B4, 7, 1, 0), store(Size::B8, 10, -8, 7), mov_imm(2, 4), helper(44)];
    let after = |insns: &[Insn]| join(&[&start, insns, &EXIT]);
    accepted(after(&[load(Size::B4, 7, 6, 0), load(Size::B4, 8, 6, 4)]));
    for insns in [
        vec![load(Size::B1, 0, 7, 0)],
        vec![alu_imm(AluOp::Add, 7, 1)],
        vec![load(Size::B8, 3, 10, -8), load(Size::B1, 0, 3, 0)],
        vec![load(Size::B4, 8, 6, 4), jump_if(Cond::Gt, 7, 8, 7)],
        vec![load(Size::B4, 8, 6, 4), alu(AluOp::Sub, 8, 7)],
    ] {
        let diagnostic = refused(after(&insns), codes::STALE_PACKET);
        assert!(diagnostic.reason.as_deref().is_some_and(|reason| reason.contains("instruction 4")), "{diagnostic}");
    }
    // In a callee it counts as well.
    refused(
        vec![
            load(Size::B4, 7, 1, 0),
            load(Size::B4, 8, 1, 4),
            call(6),
            load(Size::B1, 0, 7, 0),
            mov_imm(0, 0),
            Insn::Exit,
            mov_imm(2, 0),
            helper(44),
            Insn::Exit,
        ],
        codes::STALE_PACKET,
    );
}

#[test]
fn malformed_programs() {
    let wrong = |insn: Insn| refused(join(&[&[insn], &EXIT]), codes::BAD_INSTRUCTION);
    wrong(mov(11, 1));
    wrong(store(Size::B8, 10, -8, 200));
    wrong(alu_imm(AluOp::Lsh, 1, 64));
    wrong(alu32_imm(AluOp::Rsh, 1, 32));
    wrong(alu_imm(AluOp::Arsh, 1, -1));
    wrong(alu_imm(AluOp::Div, 1, 0));
    wrong(alu32_imm(AluOp::Smod, 1, 0));
    wrong(Insn::MovSx { width: Width::W32, bits: 32, dst: Reg(1), src: Reg(1) });
    wrong(Insn::Endian { bits: 8, to_be: true, dst: Reg(1) });
    wrong(Insn::LoadImm64 { dst: Reg(1), value: Imm64::Const(1) });
    wrong(Insn::Load { size: Size::B8, signed: true, dst: Reg(1), base: Reg(1), off: 0 });
    refused(join(&[&[mov_imm(10, 1)], &EXIT]), codes::FRAME_POINTER);
    refused(join(&[&[mov_imm(1, 1), atomic(Size::B8, AtomicOp::Add, true, 1, 0, 10)], &EXIT]), codes::FRAME_POINTER);
    refused(join(&[&[jump(9)], &EXIT]), codes::BAD_JUMP);
    refused(join(&[&load_map(1, 0), &[jump(1)], &EXIT]), codes::BAD_JUMP);
    refused(vec![mov_imm(0, 0), jump_imm(Cond::Eq, 0, 0, 0)], codes::BAD_JUMP);
    refused(vec![mov_imm(0, 0), Insn::Exit, mov_imm(0, 0), Insn::Exit], codes::UNREACHABLE);
    // Into another function.
    refused(vec![call(3), jump(4), Insn::Exit, mov_imm(0, 0), Insn::Exit], codes::BAD_JUMP);
    assert_eq!(run(vec![]).expect_err("no instructions").code, codes::BAD_JUMP);
    refused(vec![jump(0)], codes::ENDLESS_LOOP);
    refused(vec![mov_imm(1, 0), alu_imm(AluOp::Xor, 1, 1), jump(1)], codes::ENDLESS_LOOP);
}

#[test]
fn budgets_end_the_exploration() {
    let forever = vec![mov_imm(0, 0), alu_imm(AluOp::Add, 0, 1), jump(1)];
    let limits = Limits { max_processed: 500, ..Limits::default() };
    let diagnostic = verify(&object(vec![]), &program(forever), &limits).expect_err("it never ends");
    assert_eq!(diagnostic.code, codes::TOO_COMPLEX);
    assert!(diagnostic.reason.is_some_and(|reason| reason.contains("500 instructions")));
    // As many loads as instructions between two jumps back: every turn leaves a branch behind.
    let branches = vec![
        mov(6, 1),
        mov_imm(7, 0),
        load(Size::B4, 0, 6, 12), // 2: loop
        jump_imm(Cond::Eq, 0, 5, 6),
        alu_imm(AluOp::Add, 7, 1),
        jump_imm(Cond::Ne, 7, 1000, 2),
        mov_imm(0, 0),
        Insn::Exit,
    ];
    let limits = Limits { max_pending: 100, ..Limits::default() };
    let diagnostic =
        verify(&object(vec![]), &program(branches.clone()), &limits).expect_err("more than 100 branches wait");
    assert_eq!(diagnostic.code, codes::TOO_COMPLEX);
    assert!(accepted(branches).stats.peak_pending >= 1000);
}

#[test]
fn independent_decisions_are_pruned() {
    // 40 decisions that change nothing that matters: 2^40 paths without pruning.
    let mut insns = vec![mov(6, 1), mov_imm(7, 0)];
    for _ in 0..40 {
        let next = insns.len() as u32 + 3;
        insns.extend([load(Size::B4, 0, 6, 12), jump_imm(Cond::Eq, 0, 5, next), alu_imm(AluOp::Add, 7, 1)]);
    }
    insns.extend([mov(0, 7), Insn::Exit]);
    let stats = accepted(insns).stats;
    assert!(stats.processed < 5_000, "r7 decides nothing, but the paths are not joined: {stats:?}");
}

#[test]
fn messages_show_values_and_the_path() {
    let mut insns = lookup(0);
    insns.extend([
        jump_imm(Cond::Eq, 0, 0, 12), // 6
        load(Size::B1, 2, 0, 0),
        jump_imm(Cond::Gt, 2, 200, 12), // 8
        alu(AluOp::Add, 0, 2),
        load(Size::B1, 1, 0, 0), // 10
        mov_imm(1, 0),
        mov_imm(0, 0),
        Insn::Exit,
    ]);
    let diagnostic = refused(insns, codes::MAP_VALUE_BOUNDS);
    assert_eq!(diagnostic.span.insn, Some(10));
    let reason = diagnostic.reason.as_deref().unwrap_or("");
    assert!(reason.contains("0 to 200") && reason.contains("size is 16") && reason.contains("R0"), "{reason}");
    assert!(diagnostic.help.is_some());
    let steps: Vec<&str> = diagnostic.path.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["branch not taken, so r0 != 0", "branch not taken, so r2 <= 200"]);
    // Long paths show their end.
    let mut insns = vec![mov(6, 1)];
    for imm in 0..30 {
        let next = insns.len() as u32 + 2;
        insns.extend([load(Size::B4, 0, 6, 12), jump_imm(Cond::Eq, 0, imm, next)]);
    }
    insns.extend([load(Size::B8, 0, 7, 0), Insn::Exit]);
    let diagnostic = refused(insns, codes::UNINITIALISED);
    assert_eq!(diagnostic.path.len(), 13, "{diagnostic}");
    assert!(diagnostic.path[0].what.starts_with("18 earlier"), "{diagnostic}");
}

/// xorshift64*; seeded.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Any instruction that the types can hold, mostly with sensible registers.
fn any_insn(random: &mut Random, count: u32) -> Insn {
    use AluOp::{Add, And, Arsh, Div, Lsh, Mod, Mov, Mul, Or, Rsh, Sdiv, Smod, Sub, Xor};
    use Cond::{Eq, Ge, Gt, Le, Lt, Ne, Set, Sge, Sgt, Sle, Slt};
    let reg =
        |random: &mut Random| Reg(if random.below(50) == 0 { random.next() as u8 } else { random.below(11) as u8 });
    let (dst, base) = (reg(random), reg(random));
    let imm = random.pick(&[0, 1, -1, 8, -8, 64, i32::MIN, i32::MAX, 255]);
    let src = if random.below(2) == 0 { Operand::Reg(base) } else { Operand::Imm(imm) };
    let width = random.pick(&[Width::W32, Width::W64]);
    let size = random.pick(&[Size::B1, Size::B2, Size::B4, Size::B8]);
    let off = random.pick(&[0, 4, -4, -8, -16, -512, 12, i16::MIN, i16::MAX]);
    let bits = random.pick(&[8, 16, 32, 64, 0, 255]);
    let target = InsnIdx(if random.below(50) == 0 { u32::MAX } else { random.below(count.into()) as u32 });
    let (maps, offset) = (MapIdx(random.below(7) as u16), random.below(20) as u32);
    match random.below(24) {
        0..=6 => {
            let op = random.pick(&[Add, Sub, Mul, Div, Sdiv, Or, And, Lsh, Rsh, Mod, Smod, Xor, Mov, Arsh, Mov, Add]);
            Insn::Alu { width, op, dst, src }
        }
        7 => Insn::MovSx { width, bits, dst, src: base },
        8 => Insn::Neg { width, dst },
        9 => Insn::Endian { bits, to_be: random.below(2) == 0, dst },
        10 => Insn::Bswap { bits, dst },
        11 => Insn::LoadImm64 {
            dst,
            value: random.pick(&[
                Imm64::Const(1 << 40),
                Imm64::Map(maps),
                Imm64::MapValue { map: maps, offset },
                Imm64::Func(target),
            ]),
        },
        12 => Insn::Wide,
        13 | 14 => Insn::Load { size, signed: random.below(4) == 0, dst, base, off },
        15 | 16 => Insn::Store { size, base, off, src },
        17 => {
            let op = random.pick(&[AtomicOp::Add, AtomicOp::Xchg, AtomicOp::Cmpxchg]);
            Insn::Atomic { size, op, fetch: random.below(2) == 0, base, off, src: dst }
        }
        18 => Insn::Jump { target },
        19 | 20 => {
            let cond = random.pick(&[Eq, Ne, Gt, Ge, Lt, Le, Set, Sgt, Sge, Slt, Sle]);
            Insn::JumpIf { width, cond, dst, src, target }
        }
        21 => Insn::CallHelper {
            id: random.pick(&[
                1,
                2,
                3,
                6,
                8,
                12,
                25,
                28,
                44,
                51,
                54,
                65,
                93,
                94,
                130,
                131,
                132,
                181,
                188,
                189,
                190,
                u32::MAX,
            ]),
        },
        22 => Insn::CallLocal { target },
        _ => Insn::Exit,
    }
}

#[test]
fn no_program_makes_verifier_or_facts_panic() {
    let mut random = Random(11);
    let object: Object = object(maps());
    let limits = Limits { max_processed: 20_000, ..Limits::default() };
    let mut past_structure = 0;
    for _ in 0..30_000 {
        let count = random.below(20) as u32 + 1;
        let mut insns = vec![mov(6, 1), mov_imm(0, 0)];
        while insns.len() < count as usize {
            let insn = any_insn(&mut random, count);
            insns.push(insn);
            if matches!(insn, Insn::LoadImm64 { .. }) {
                insns.push(Insn::Wide);
            }
        }
        insns.push(Insn::Exit);
        let program: Program = program(insns);
        if let Err(diagnostic) = verify(&object, &program, &limits) {
            let structure = [codes::BAD_INSTRUCTION, codes::BAD_JUMP, codes::UNREACHABLE, codes::FRAME_POINTER];
            past_structure += usize::from(!structure.contains(&diagnostic.code));
        }
        facts::analyze(&object, &program).expect("the analysis takes every program");
    }
    assert!(past_structure > 1_000, "only {past_structure} programs got as far as being explored");
}

/// A number between 1 and 20 whose low 4 bits are zero is 16, and a pointer moved back by it is moved by a constant.
#[test]
fn bounds_and_bits_leave_one_value() {
    let mut insns = vec![load(Size::B4, 2, 1, 16), alu_imm(AluOp::And, 2, -16)];
    insns.extend(load_map_value(3, 5, 0));
    insns.extend([mov_imm(0, 0), jump_imm(Cond::Sgt, 2, 20, 10), jump_imm(Cond::Slt, 2, 1, 10)]);
    insns.extend([alu_imm(AluOp::Add, 3, 31), alu(AluOp::Sub, 3, 2), load(Size::B1, 0, 3, 0), Insn::Exit]);
    accepted(insns);
}

/// Of 0 and 16, what is not below 2 is 16: its bytes swapped are 4,096, and no path goes on.
#[test]
fn bounds_move_to_the_next_number_of_the_known_bits() {
    accepted(vec![
        load(Size::B4, 2, 1, 16),
        mov_imm(0, 0),
        alu_imm(AluOp::And, 2, 16),
        jump_imm(Cond::Slt, 2, 2, 7),
        Insn::Bswap { bits: 16, dst: Reg(2) },
        jump_imm(Cond::Gt, 2, 58, 7),
        load(Size::B1, 0, 2, 0),
        Insn::Exit,
    ]);
}
