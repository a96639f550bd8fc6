//! Pruning must not hide anything. Each program has two ways to one place; the first is safe, the second is not, and what
//! tells them apart matters only later. Should the check that keeps them apart be lost, the second way would be covered by
//! the first and the program accepted.
#![allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a panic is a failed test"
)]

use super::prune::{Ids, covers};
use super::state::{BEYOND_END, Byte, Kind, Lock, MapRef, Reference, Reg, State};
use super::trace::NodeId;
use super::{Limits, verify};
use crate::ebpf::{self, AluOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Size};
use crate::object::{Member, TypeRef};
use crate::range::Num;
use crate::testing::*;
use offwire_image::MapKind;
use std::rc::Rc;

/// r6: context, r7: 16 readable bytes, r8: number of 8 bits, r0: number of 32 bits.
fn start() -> Vec<Insn> {
    let mut insns = vec![mov(6, 1)];
    insns.extend(load_map_value(7, 0, 0));
    insns.extend([load(Size::B4, 8, 6, 16), alu_imm(AluOp::And, 8, 255), load(Size::B4, 0, 6, 12)]);
    insns
}

/// The first way, the second way, what comes after both, and a function to call at the end.
fn diamond(first: &[Insn], second: &[Insn], after: &[Insn], function: &[Insn]) -> Vec<Insn> {
    let mut insns = start();
    let branch = insns.len() as u32;
    let second_at = branch + 2 + first.len() as u32;
    let after_at = second_at + second.len() as u32;
    insns.push(jump_imm(Cond::Eq, 0, 5, second_at));
    insns.extend_from_slice(first);
    insns.push(jump(after_at));
    insns.extend_from_slice(second);
    insns.extend_from_slice(after);
    insns.extend([mov_imm(0, 2), Insn::Exit]);
    let entry = insns.len() as u32;
    insns.extend_from_slice(function);
    for insn in &mut insns {
        // Calls are written as calls of instruction 0, exits as jumps to it.
        match insn {
            Insn::CallLocal { target } if target.0 == 0 => target.0 = entry,
            Insn::JumpIf { target, .. } if target.0 == 0 => target.0 = entry - 2,
            _ => {}
        }
    }
    insns
}

/// The verdict, which must not depend on pruning.
fn accepted(insns: Vec<Insn>) -> bool {
    let mut frozen = map(MapKind::Array, 4, 16, 1);
    frozen.spec.frozen = true;
    let mut locked = map(MapKind::Array, 4, 16, 8);
    let lock = TypeRef::Struct { name: "bpf_spin_lock".into(), size: 4, members: vec![] };
    let member = Member { name: "lock".into(), bit_offset: 0, bit_width: 0, ty: lock };
    locked.value_type = Some(TypeRef::Struct { name: "value".into(), size: 16, members: vec![member] });
    let object = object(vec![frozen, map(MapKind::Array, 4, 16, 8), map(MapKind::Ringbuf, 0, 0, 4096), locked]);
    let program = program(insns);
    let verdicts = [(0, true), (1000, false), (1000, true)].map(|(max_states, every_state)| {
        let limits = Limits { max_states, every_state, ..Limits::default() };
        verify(&object, &program, &limits).map(|_| ())
    });
    let all = verdicts.each_ref().map(Result::is_ok);
    assert!(all.iter().all(|&ok| ok == all[0]), "pruning changes the verdict: {verdicts:#?}");
    all[0]
}

/// Good before good is accepted, good before bad refused, bad before good as well.
fn tells_apart(good: &[Insn], bad: &[Insn], after: &[Insn], function: &[Insn]) {
    assert!(accepted(diamond(good, good, after, function)), "the good way alone");
    assert!(!accepted(diamond(good, bad, after, function)), "good, then bad");
    assert!(!accepted(diamond(bad, good, after, function)), "bad, then good");
}

/// A byte at the index is read.
fn index(reg: u8) -> [Insn; 3] {
    [mov(1, 7), alu(AluOp::Add, 1, reg), load(Size::B1, 5, 1, 0)]
}

fn with(parts: &[&[Insn]]) -> Vec<Insn> {
    parts.concat()
}

#[test]
fn numbers_that_are_added_to_pointers() {
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &index(2), &[]);
    // Through a sum: both operands count.
    let sum = with(&[&[mov_imm(3, 1), alu(AluOp::Add, 3, 2)], &index(3)]);
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &sum, &[]);
}

#[test]
fn numbers_that_decide_a_branch() {
    // r2 decides whether the bad access is reached.
    let after = [jump_imm(Cond::Lt, 2, 50, 0), load(Size::B1, 5, 7, 16)];
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &after, &[]);
    let after = [mov_imm(3, 50), jump_if(Cond::Gt, 3, 2, 0), load(Size::B1, 5, 7, 16)];
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &after, &[]);
}

#[test]
fn numbers_that_bound_others() {
    // r8 is only bounded by r2.
    let after = with(&[&[jump_if(Cond::Gt, 8, 2, 0)], &index(8)]);
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &after, &[]);
    // And so is what is linked with it, by a sum or as a copy.
    let after = with(&[&[mov(3, 8), alu_imm(AluOp::Add, 3, 1), jump_if(Cond::Gt, 8, 2, 0)], &index(3)]);
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &after, &[]);
    let after = with(&[&[mov(3, 8), jump_if(Cond::Gt, 8, 2, 0)], &index(3)]);
    tells_apart(&[mov_imm(2, 3)], &[mov_imm(2, 100)], &after, &[]);
}

#[test]
fn links_between_numbers() {
    // r3 is a copy of r8, or just some number as well.
    let other = [load(Size::B4, 3, 6, 12), alu_imm(AluOp::And, 3, 255)];
    let after = with(&[&[jump_imm(Cond::Gt, 8, 3, 0)], &index(3)]);
    tells_apart(&[mov(3, 8)], &other, &after, &[]);
    // At another distance.
    let sum = |by| vec![mov(3, 8), alu_imm(AluOp::Add, 3, by), alu_imm(AluOp::And, 8, -1)];
    assert!(!accepted(diamond(&sum(1), &sum(100), &after, &[])), "the mask cuts the link");
    let sum = |by| [mov(3, 8), alu_imm(AluOp::Add, 3, by)];
    tells_apart(&sum(1), &sum(100), &after, &[]);
    // Only in the low half.
    let half = |by| [mov(3, 8), alu32_imm(AluOp::Add, 3, by)];
    tells_apart(&half(1), &half(100), &after, &[]);
}

#[test]
fn spilled_numbers() {
    let store = |value| [store_imm(Size::B8, 10, -8, value)];
    let fill = |insn| with(&[&[insn], &index(3)]);
    tells_apart(&store(3), &store(100), &fill(load(Size::B8, 3, 10, -8)), &[]);
    tells_apart(&store(3), &store(100), &fill(load(Size::B1, 3, 10, -8)), &[]);
    let signed = Insn::Load { size: Size::B4, signed: true, dst: ebpf::Reg(3), base: ebpf::Reg(10), off: -8 };
    tells_apart(&store(3), &store(100), &fill(signed), &[]);
    // Spilled or just written.
    let bytes = [
        store_imm(Size::B4, 10, -4, 0),
        store_imm(Size::B2, 10, -6, 0),
        store_imm(Size::B1, 10, -7, 0),
        store_imm(Size::B1, 10, -8, 3),
    ];
    assert!(!accepted(diamond(&store(3), &bytes, &fill(load(Size::B8, 3, 10, -8)), &[])));
}

#[test]
fn zero_bytes() {
    let byte = |value| [store_imm(Size::B1, 10, -3, value)];
    let after = with(&[&[load(Size::B1, 3, 10, -3)], &index(3)]);
    tells_apart(&byte(0), &byte(100), &after, &[]);
    // A write to other bytes of the slot leaves them as they are.
    let after = with(&[&[store_imm(Size::B1, 10, -8, 1), load(Size::B1, 3, 10, -3)], &index(3)]);
    tells_apart(&byte(0), &byte(100), &after, &[]);
    // The zero comes from a register.
    let after = with(&[&[store(Size::B1, 10, -3, 2), load(Size::B1, 3, 10, -3)], &index(3)]);
    tells_apart(&[mov_imm(2, 0)], &[mov_imm(2, 100)], &after, &[]);
}

#[test]
fn keys_of_lookups_that_always_find() {
    let mut after = vec![mov(2, 10), alu_imm(AluOp::Add, 2, -8)];
    after.extend(load_map(1, 1));
    after.extend([helper(1), load(Size::B1, 5, 0, 0)]);
    tells_apart(&[store_imm(Size::B4, 10, -8, 1)], &[store_imm(Size::B4, 10, -8, 100)], &after, &[]);
    let number = [load(Size::B4, 3, 6, 12), store(Size::B4, 10, -8, 3)];
    tells_apart(&[store_imm(Size::B4, 10, -8, 1)], &number, &after, &[]);
    let mut zero = vec![mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    zero.extend_from_slice(&after[2..]);
    tells_apart(&[store_imm(Size::B4, 10, -4, 0)], &[store_imm(Size::B4, 10, -4, 1)], &zero, &[]);
}

#[test]
fn pointers() {
    tells_apart(&[mov(2, 7)], &[mov(2, 7), alu_imm(AluOp::Add, 2, 10)], &[load(Size::B8, 5, 2, 8)], &[]);
    tells_apart(&[mov(2, 7)], &[mov(2, 8)], &[load(Size::B8, 5, 2, 8)], &[]);
    let spill = |reg| [store(Size::B8, 10, -8, reg)];
    tells_apart(&spill(7), &spill(8), &[load(Size::B8, 2, 10, -8), load(Size::B8, 5, 2, 8)], &[]);
    // A pointer where a number was, which is then compared.
    tells_apart(&spill(8), &spill(7), &[load(Size::B8, 2, 10, -8), jump_imm(Cond::Gt, 2, 5, 0)], &[]);
    let never_written: [Insn; 1] = [mov_imm(4, 0)];
    tells_apart(&never_written, &spill(7), &[load(Size::B8, 2, 10, -8), jump_imm(Cond::Gt, 2, 5, 0)], &[]);
}

#[test]
fn packet_bounds() {
    // r2: packet, r3: its end.
    let begin = [load(Size::B4, 2, 6, 0), load(Size::B4, 3, 6, 4)];
    let checked = |bytes| with(&[&begin, &[mov(4, 2), alu_imm(AluOp::Add, 4, bytes), jump_if(Cond::Gt, 4, 3, 0)]]);
    tells_apart(&checked(14), &checked(13), &[load(Size::B1, 5, 2, 13)], &[]);
    tells_apart(&checked(14), &begin, &[load(Size::B1, 5, 2, 13)], &[]);
    // Two pointers with one variable part, or with two.
    let one = with(&[&begin, &[alu(AluOp::Add, 2, 8), mov(4, 2)]]);
    let two = with(&[&begin, &[mov(4, 2), alu(AluOp::Add, 2, 8), alu(AluOp::Add, 4, 8)]]);
    let after = [mov(1, 2), alu_imm(AluOp::Add, 1, 1), jump_if(Cond::Gt, 1, 3, 0), load(Size::B1, 5, 4, 0)];
    tells_apart(&one, &two, &after, &[]);
    // The pointer is known to be behind the end, so what follows is never reached.
    let end = |cond| with(&[&begin, &[mov(4, 2), alu_imm(AluOp::Add, 4, 1), jump_if(cond, 4, 3, 0)]]);
    let after = [jump_if(Cond::Gt, 4, 3, 0), load(Size::B1, 5, 7, 16)];
    tells_apart(&end(Cond::Le), &end(Cond::Gt), &after, &[]);
}

#[test]
fn lookups() {
    let mut one = vec![store_imm(Size::B4, 10, -4, 99), mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    one.extend(load_map(1, 1));
    one.extend([helper(1), mov(8, 0), store(Size::B8, 10, -16, 0)]);
    // A second result takes the place of the spilled one.
    let mut two = one.clone();
    two.extend([mov(2, 10), alu_imm(AluOp::Add, 2, -4)]);
    two.extend(load_map(1, 1));
    two.extend([helper(1), store(Size::B8, 10, -16, 0)]);
    let after = [jump_imm(Cond::Eq, 8, 0, 0), load(Size::B8, 2, 10, -16), load(Size::B1, 5, 2, 0)];
    tells_apart(&one, &two, &after, &[]);
    let mut checked = one.clone();
    checked.push(jump_imm(Cond::Eq, 8, 0, 0));
    tells_apart(&checked, &one, &[load(Size::B1, 5, 8, 0)], &[]);
}

#[test]
fn callers_and_call_sites() {
    let function = [mov_imm(0, 0), jump_imm(Cond::Eq, 1, 7, 0), Insn::Exit];
    let function = |entry: u32| {
        let mut function = function;
        function[1] = jump_imm(Cond::Eq, 1, 7, entry + 2);
        function
    };
    // A number of the caller is used after the call.
    let after = with(&[&[mov(1, 8), call(0)], &index(9)]);
    let ways = |first: i32, second: i32| {
        let (first, second) = ([mov_imm(9, first)], [mov_imm(9, second)]);
        let entry = diamond(&first, &second, &after, &[]).len() as u32;
        diamond(&first, &second, &after, &function(entry))
    };
    assert!(accepted(ways(3, 3)));
    assert!(!accepted(ways(3, 100)));
    // What comes after the call depends on where it was.
    let way = |value| [mov(1, 8), call(0), mov_imm(9, value)];
    let entry = diamond(&way(3), &way(3), &index(9), &[]).len() as u32;
    tells_apart(&way(3), &way(100), &index(9), &function(entry));
    // The callee reads the caller's stack.
    let store = |value| [store_imm(Size::B8, 10, -8, value)];
    let after = with(&[&[mov(1, 10), alu_imm(AluOp::Add, 1, -8), call(0)], &index(0)]);
    tells_apart(&store(3), &store(100), &after, &[load(Size::B8, 0, 1, 0), Insn::Exit]);
}

#[test]
fn precision_goes_back_over_covered_states() {
    // The checkpoint at the end is finished first (way one). Way two is covered there, and so its own checkpoint, where way
    // three joins it, depends on the same number.
    let program = |second: &[Insn], third: &[Insn], use_it: &[Insn], first: &[Insn]| {
        let mut insns = start();
        let at = insns.len() as u32;
        let len = |insns: &[Insn]| insns.len() as u32;
        let a = at + 2 + len(first);
        let b = a + 2 + len(second);
        let c = b + len(third);
        let m = c + 2;
        insns.push(jump_imm(Cond::Gt, 0, 1, a));
        insns.extend_from_slice(first);
        insns.push(jump(m));
        insns.push(jump_imm(Cond::Eq, 0, 2, b));
        insns.extend_from_slice(second);
        insns.push(jump(c));
        insns.extend_from_slice(third);
        insns.extend([mov_imm(5, 0), jump(m)]);
        insns.extend_from_slice(use_it);
        insns.extend([mov_imm(0, 2), Insn::Exit]);
        insns
    };
    let ranged = [mov(2, 8), alu_imm(AluOp::And, 2, 15)];
    let in_register = |value| program(&[mov_imm(2, 4)], &[mov_imm(2, value)], &index(2), &ranged);
    assert!(accepted(in_register(5)));
    assert!(!accepted(in_register(100)));
    let spilled = with(&[&ranged, &[store(Size::B8, 10, -8, 2)]]);
    let fill = with(&[&[load(Size::B8, 3, 10, -8)], &index(3)]);
    let on_stack =
        |value| program(&[store_imm(Size::B8, 10, -8, 4)], &[store_imm(Size::B8, 10, -8, value)], &fill, &spilled);
    assert!(accepted(on_stack(5)));
    assert!(!accepted(on_stack(100)));
    // A spilled zero stands for zero bytes.
    let fill = with(&[&[load(Size::B1, 3, 10, -5)], &index(3)]);
    let zero = |value| {
        program(
            &[store_imm(Size::B8, 10, -8, 0)],
            &[store_imm(Size::B8, 10, -8, value)],
            &fill,
            &[store_imm(Size::B1, 10, -5, 0)],
        )
    };
    assert!(accepted(zero(0)));
    assert!(!accepted(zero(-1)));
}

#[test]
fn unfinished_checkpoints_cover_nothing() {
    // The loop's first turns look alike as far as they are safe; the bad access comes in a later one.
    let mut insns = start();
    let top = insns.len() as u32 + 1;
    insns.push(mov_imm(9, 0));
    insns.extend([mov(1, 7), alu(AluOp::Add, 1, 9), load(Size::B1, 5, 1, 0), alu_imm(AluOp::Add, 9, 1)]);
    let turns = |turns| {
        let mut insns = insns.clone();
        insns.extend([jump_imm(Cond::Lt, 9, turns, top), mov_imm(0, 2), Insn::Exit]);
        insns
    };
    assert!(accepted(turns(16)));
    assert!(!accepted(turns(17)));
}

/// One register or slot of a finished checkpoint against that of a state.
fn reg_covers(old: Reg, current: Reg) -> bool {
    let state = |reg| {
        let mut state = State::new();
        state.set(2, reg);
        state
    };
    let slot = |reg| {
        let mut state = State::new();
        if let Some(slot) = state.top_mut().slot_mut(0) {
            slot.spilled = Some(Rc::new(reg));
            slot.bytes = [Byte::Spill; 8];
        }
        state
    };
    let covered = covers(&state(old), &state(current), &mut Ids::default());
    let on_stack = covers(&slot(old), &slot(current), &mut Ids::default());
    assert_eq!(covered, on_stack, "register and stack differ on {old:?} and {current:?}");
    covered
}

#[test]
fn single_registers() {
    let number = |num: Num, precise| Reg { precise, ..Reg::scalar(num, NodeId::NONE) };
    let (small, large) = (Num::between(0, 7), Num::between(0, 9));
    assert!(reg_covers(number(small, false), number(large, false)));
    assert!(reg_covers(number(large, true), number(small, false)));
    assert!(!reg_covers(number(small, true), number(large, false)));
    let packet = |off, range| Reg { off, range, ..Reg::pointer(Kind::Packet) };
    assert!(reg_covers(packet(4, 14), packet(4, 20)));
    assert!(!reg_covers(packet(4, 14), packet(4, 13)));
    assert!(!reg_covers(packet(4, 14), packet(5, 14)));
    assert!(!reg_covers(packet(4, BEYOND_END), packet(4, 14)));
    assert!(!reg_covers(packet(4, 0), number(large, false)));
    assert!(!reg_covers(number(large, false), packet(4, 0)));
    let value = |map| Reg::pointer(Kind::MapValue(MapRef::new(MapIdx(map))));
    assert!(reg_covers(value(0), value(0)));
    assert!(!reg_covers(value(0), value(1)));
    assert!(!reg_covers(value(0), Reg::pointer(Kind::MapValueOrNull(MapRef::new(MapIdx(0))))));
    assert!(!reg_covers(Reg::pointer(Kind::Ctx), value(0)));
    assert!(!reg_covers(Reg::pointer(Kind::Stack(0)), Reg::pointer(Kind::Stack(1))));
    assert!(!reg_covers(Reg { num: small, ..value(0) }, Reg { num: large, ..value(0) }));
}

#[test]
fn pairs_of_linked_registers() {
    let precise = Reg { precise: true, ..Reg::scalar(Num::between(0, 7), NodeId::NONE) };
    let linked = |id, delta| Reg { id, delta, ..precise };
    let pair = |a, b| {
        let mut state = State::new();
        state.set(2, a);
        state.set(3, b);
        state
    };
    let covered = |old: (Reg, Reg), current: (Reg, Reg)| {
        covers(&pair(old.0, old.1), &pair(current.0, current.1), &mut Ids::default())
    };
    let same = (linked(1, 0), linked(1, 4));
    assert!(covered(same, (linked(7, 0), linked(7, 4))));
    assert!(covered(same, (linked(7, 1), linked(7, 5))));
    assert!(!covered(same, (linked(7, 0), linked(7, 5))), "at another distance");
    assert!(!covered(same, (linked(7, 0), linked(8, 4))), "not linked");
    assert!(!covered(same, (linked(0, 0), linked(0, 4))), "not linked at all");
    let half = |id, delta| Reg { half: true, ..linked(id, delta) };
    assert!(!covered(same, (linked(7, 0), half(7, 4))), "linked in the low half only");
    // More links than the checkpoint knew of do no harm.
    assert!(covered((linked(1, 0), linked(2, 0)), (linked(7, 0), linked(7, 0))));
    assert!(covered((linked(0, 0), linked(0, 0)), (linked(7, 0), linked(7, 0))));
}

/// A record in the register, or the end.
fn reserve(into: u8) -> Vec<Insn> {
    let mut insns = Vec::from(load_map(1, 2));
    insns.extend([mov_imm(2, 8), mov_imm(3, 0), helper(131), jump_imm(Cond::Ne, 0, 0, 0), mov(into, 0)]);
    insns
}

/// Gives a record back.
fn submit(reg: u8) -> [Insn; 3] {
    [mov(1, reg), mov_imm(2, 0), helper(132)]
}

#[test]
fn what_is_to_be_given_back() {
    let taken = reserve(8);
    // The target 0 of the null case is the end of the program.
    let end = |insns: &[Insn]| {
        let mut insns = insns.to_vec();
        insns.iter_mut().for_each(|insn| {
            if let Insn::JumpIf { cond, target, .. } = insn {
                (*cond, target.0) = (Cond::Eq, 0);
            }
        });
        insns
    };
    let lose = [mov_imm(8, 0), mov_imm(0, 0)];
    let good = end(&[&taken[..], &submit(8), &lose].concat());
    let bad = end(&[&taken[..], &lose].concat());
    tells_apart(&good, &bad, &[], &[]);
    // What is held stands in r8 on one way, and on the other in nothing.
    let good = end(&taken);
    let bad = end(&[&taken[..], &[mov(9, 8)], &submit(9), &[mov_imm(9, 0)]].concat());
    let after = submit(8);
    assert!(accepted(diamond(&good, &good, &after, &[])));
    assert!(!accepted(diamond(&good, &bad, &after, &[])));
    assert!(!accepted(diamond(&bad, &good, &after, &[])));
}

#[test]
fn which_is_to_be_given_back() {
    let state = |ids: (u32, u32), references: &[u32]| {
        let mut state = State::new();
        for (reg, id) in [(8, ids.0), (9, ids.1)] {
            state.set(reg, Reg { id, ..Reg::pointer(Kind::Record(MapRef::new(MapIdx(2)), 8)) });
        }
        state.references = references.iter().map(|&id| Reference { id, insn: 1 }).collect();
        state
    };
    let covered = |old: &State, current: &State| covers(old, current, &mut Ids::default());
    let old = state((1, 2), &[1, 2]);
    assert!(covered(&old, &state((5, 7), &[5, 7])));
    assert!(!covered(&old, &state((7, 5), &[5, 7])), "the other one");
    assert!(!covered(&old, &state((5, 5), &[5, 7])), "one of them twice");
    assert!(!covered(&old, &state((5, 7), &[5])), "one is gone");
    assert!(!covered(&state((1, 1), &[1]), &state((5, 5), &[5, 6])), "one more");
}

/// r8 and r9: values of the map with locks, by two lookups.
fn values() -> Vec<Insn> {
    let lookup = |into| {
        let mut insns = vec![store_imm(Size::B4, 10, -8, 0), mov(2, 10), alu_imm(AluOp::Add, 2, -8)];
        insns.extend(load_map(1, 3));
        insns.extend([helper(1), mov(into, 0)]);
        insns
    };
    [lookup(8), lookup(9)].concat()
}

#[test]
fn locks_that_are_held() {
    let lock = |reg, number| [mov(1, reg), helper(number)];
    let held = [&values()[..], &lock(8, 93)].concat();
    let other = [&values()[..], &lock(9, 93)].concat();
    let none = [&values()[..], &lock(8, 93), &lock(8, 94)].concat();
    tells_apart(&held, &none, &lock(8, 94), &[]);
    tells_apart(&held, &other, &lock(8, 94), &[]);
    tells_apart(&none, &held, &[], &[]);
    let state = |id| {
        let mut state = State::new();
        state.lock = Some(Lock { map: MapRef::new(MapIdx(3)), id, insn: 1 });
        state.set(8, Reg { id: 5, ..Reg::pointer(Kind::MapValue(MapRef::new(MapIdx(3)))) });
        state
    };
    assert!(!covers(&state(5), &state(6), &mut Ids::default()));
}

/// A state that has more turns of a loop ahead is not covered by one with fewer.
#[test]
fn turns_of_loops() {
    let state = |turns| {
        let mut state = State::new();
        state.top_mut().turns = turns;
        state
    };
    let covered = |old, current| covers(&state(old), &state(current), &mut Ids::default());
    assert!(covered(2, 2) && covered(1, 2));
    assert!(!covered(2, 1));
}

/// A callback that takes a value of the context as an index in one turn, after others wrote it: what is written last decides.
#[test]
fn a_turn_decides_what_the_next_may_do() {
    let with = |count: i32, written: i32| {
        let mut insns = vec![store_imm(Size::B8, 10, -8, 3), mov(3, 10), alu_imm(AluOp::Add, 3, -8), mov_imm(1, count)];
        let function = insns.len();
        insns.extend([mov_imm(2, 0), mov_imm(2, 0), mov_imm(4, 0), helper(181), mov_imm(0, 0), Insn::Exit]);
        let entry = insns.len() as u32;
        insns[function] = Insn::LoadImm64 { dst: ebpf::Reg(2), value: Imm64::Func(InsnIdx(entry)) };
        insns[function + 1] = Insn::Wide;
        insns.push(jump_imm(Cond::Set, 1, 1, entry + 7)); // to the writes
        insns.extend(load_map_value(3, 0, 0));
        insns.extend([load(Size::B8, 4, 2, 0), alu(AluOp::Add, 3, 4), load(Size::B1, 5, 3, 0), jump(entry + 11)]);
        insns.extend([jump_imm(Cond::Gt, 1, 100, entry + 10), store_imm(Size::B8, 2, 0, 2), jump(entry + 11)]);
        insns.extend([store_imm(Size::B8, 2, 0, written), mov_imm(0, 0), Insn::Exit]);
        insns
    };
    for count in [2, 1000] {
        assert!(accepted_loop(with(count, 15)), "{count} turns, all within");
        assert!(!accepted_loop(with(count, 16)), "{count} turns, one beyond");
    }
    assert!(accepted_loop(with(1, 16)), "nobody reads what the only turn wrote");
}

/// As [`accepted`], but checkpoints are needed where functions are called back.
fn accepted_loop(insns: Vec<Insn>) -> bool {
    let mut frozen = map(MapKind::Array, 4, 16, 1);
    frozen.spec.frozen = true;
    let (object, program) = (object(vec![frozen]), program(insns));
    let verdicts = [(1000, false), (1000, true), (0, false)].map(|(max_states, every_state)| {
        verify(&object, &program, &Limits { max_states, every_state, ..Limits::default() }).map(|_| ())
    });
    let all = verdicts.each_ref().map(Result::is_ok);
    assert!(all.iter().all(|&ok| ok == all[0]), "pruning changes the verdict: {verdicts:#?}");
    all[0]
}
