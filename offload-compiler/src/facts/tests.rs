#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use super::{Fact, Facts, PtrKind, analyze};
use crate::ebpf::{AluOp, Cond, Insn, MapIdx, Size};
use crate::object::Map;
use crate::testing::*;
use offwire_image::MapKind;

fn facts(maps: Vec<Map>, insns: Vec<Insn>) -> Facts {
    analyze(&object(maps), &program(insns)).expect("the analysis takes every program")
}

fn reg(facts: &Facts, insn: usize, reg: usize) -> Fact {
    facts.before[insn].as_ref().expect("reached").regs[reg]
}

fn bounds(fact: Fact) -> (i64, i64) {
    match fact {
        Fact::Scalar(range) | Fact::Ptr { offset: range, .. } => (range.smin, range.smax),
        Fact::Unknown | Fact::Func(_) => panic!("no number and no offset"),
    }
}

#[test]
fn packet_pointers_keep_kind_and_offset_through_parsing() {
    let facts = facts(
        vec![],
        vec![
            load(Size::B4, 2, 1, 0),
            load(Size::B4, 3, 1, 4),
            mov(4, 2),
            alu_imm(AluOp::Add, 4, 34),
            jump_if(Cond::Gt, 4, 3, 11),
            load(Size::B1, 5, 2, 14),
            alu_imm(AluOp::And, 5, 15),
            alu_imm(AluOp::Lsh, 5, 2),
            alu(AluOp::Add, 2, 5),
            mov_imm(0, 2),
            Insn::Exit,
            mov_imm(0, 1),
            Insn::Exit,
        ],
    );
    assert!(matches!(reg(&facts, 3, 4), Fact::Ptr { kind: PtrKind::Packet, maybe_null: false, .. }));
    assert_eq!(bounds(reg(&facts, 4, 4)), (34, 34));
    assert!(matches!(reg(&facts, 2, 3), Fact::Ptr { kind: PtrKind::PacketEnd, .. }));
    assert!(matches!(reg(&facts, 9, 2), Fact::Ptr { kind: PtrKind::Packet, .. }));
    assert_eq!(bounds(reg(&facts, 9, 2)), (0, 60));
}

#[test]
fn halves_of_packet_pointers_keep_their_offset_and_subtract() {
    let facts = facts(
        vec![],
        vec![
            load(Size::B4, 2, 1, 0),
            load(Size::B4, 3, 1, 4),
            mov(4, 2),
            alu_imm(AluOp::Add, 4, 34),
            alu32(AluOp::Mov, 5, 2),
            alu32_imm(AluOp::Sub, 5, 2),
            alu32(AluOp::Mov, 6, 4),
            mov_imm(7, 5),
            alu32(AluOp::Add, 7, 6),
            alu32(AluOp::Mov, 8, 3),
            mov(9, 8),
            alu32(AluOp::Sub, 9, 5),
            alu32(AluOp::Sub, 7, 5), // 12
            store(Size::B4, 10, -8, 6),
            store_imm(Size::B4, 10, -4, 1),
            load(Size::B4, 6, 10, -8), // 15
            mov(6, 1),
            mov_imm(2, 0),
            helper(44),
            mov_imm(0, 2),
            Insn::Exit,
        ],
    );
    let half = |insn, number| match reg(&facts, insn, number) {
        Fact::Ptr { kind: PtrKind::PacketHalf, maybe_null: false, offset } => (offset.umin, offset.umax),
        fact => panic!("{fact:?} is no half"),
    };
    assert_eq!(half(5, 5), (0, 0));
    // Two bytes in front of the packet, modulo 2^32.
    assert_eq!(half(6, 5), (0xffff_fffe, 0xffff_fffe));
    assert_eq!(half(7, 6), (34, 34));
    assert_eq!(half(9, 7), (39, 39));
    assert_eq!(half(10, 8), (0, u32::MAX.into()));
    assert_eq!(half(11, 9), half(11, 8));
    assert_eq!(bounds(reg(&facts, 12, 9)), (0, u32::MAX.into()));
    assert!(matches!(reg(&facts, 12, 9), Fact::Scalar(_)));
    assert_eq!(bounds(reg(&facts, 13, 7)), (41, 41));
    assert!(matches!(reg(&facts, 13, 7), Fact::Scalar(_)));
    assert_eq!(half(16, 6), (34, 34));
    // The packet moved.
    assert_eq!(reg(&facts, 19, 8), Fact::Unknown);
}

#[test]
fn null_checks_refine_copies_and_spills() {
    let mut insns = vec![store_imm(Size::B4, 10, -4, 0), mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    insns.extend(load_map(1, 0));
    insns.extend([
        helper(1),
        mov(6, 0),
        store(Size::B8, 10, -16, 0),
        jump_imm(Cond::Eq, 6, 0, 12),
        load(Size::B8, 7, 10, -16), // 9
        load(Size::B8, 1, 0, 0),
        load(Size::B8, 1, 7, 8),
        mov_imm(0, 2),
        Insn::Exit,
    ]);
    let facts = facts(vec![map(MapKind::Hash, 4, 16, 1)], insns);
    let value = |maybe_null| Fact::Ptr {
        kind: PtrKind::MapValue(MapIdx(0)),
        offset: crate::range::Num::<64, 32>::constant(0).to_range(),
        maybe_null,
    };
    assert_eq!(reg(&facts, 6, 0), value(true));
    assert_eq!(reg(&facts, 9, 0), value(false), "the copy in r0 is not refined");
    assert_eq!(facts.before[9].as_ref().expect("reached").slots[1], value(false), "the spill is not refined");
    assert_eq!(reg(&facts, 10, 7), value(false));
    assert!(matches!(reg(&facts, 12, 6), Fact::Ptr { maybe_null: true, .. } | Fact::Unknown), "joined with 0");
}

#[test]
fn different_kinds_join_to_unknown_and_zero_joins_to_maybe_null() {
    let facts = facts(
        vec![],
        vec![
            load(Size::B4, 2, 1, 0),
            load(Size::B4, 3, 1, 12),
            mov_imm(4, 0),
            mov(5, 10),
            jump_imm(Cond::Eq, 3, 1, 7),
            mov(4, 2),
            mov(5, 2),
            mov_imm(0, 0),
            Insn::Exit,
        ],
    );
    assert!(matches!(reg(&facts, 7, 4), Fact::Ptr { kind: PtrKind::Packet, maybe_null: true, .. }));
    assert_eq!(reg(&facts, 7, 5), Fact::Unknown);
}

/// Whether a map or a value comes from the one or the other map stays known; a map and a value, or a value and a packet, do not join.
#[test]
fn maps_of_two_paths_join_to_one_of_them() {
    let map = || map(MapKind::Hash, 4, 8, 4);
    let insns = [
        vec![load(Size::B4, 6, 1, 12), store_imm(Size::B4, 10, -4, 1)],
        vec![mov(2, 10), alu_imm(AluOp::Add, 2, -4)],
        load_map(1, 0).to_vec(), // 4
        vec![jump_imm(Cond::Eq, 6, 1, 9)],
        load_map(1, 1).to_vec(),                    // 7
        vec![helper(1), mov_imm(0, 0), Insn::Exit], // 9
    ];
    let facts = facts(vec![map(), map()], insns.concat());
    let Fact::Ptr { kind: PtrKind::OneOf(set), maybe_null: false, .. } = reg(&facts, 9, 1) else {
        panic!("{:?}", reg(&facts, 9, 1))
    };
    assert_eq!(set.maps().collect::<Vec<_>>(), [MapIdx(0), MapIdx(1)]);
    assert!(matches!(reg(&facts, 10, 0), Fact::Ptr { kind: PtrKind::ValueOf(of), maybe_null: true, .. } if of == set));
    let (one, other) = (PtrKind::Map(MapIdx(0)), PtrKind::MapValue(MapIdx(0)));
    assert_eq!((one.either(other), other.either(PtrKind::Packet)), (None, None));
    assert_eq!(one.either(PtrKind::Map(MapIdx(64))), None, "only the first 64 maps");
    assert_eq!(PtrKind::OneOf(set).either(one), Some(PtrKind::OneOf(set)));
}

#[test]
fn loops_end_and_their_bounds_come_back() {
    let facts = facts(
        vec![],
        vec![
            mov_imm(6, 0),
            alu_imm(AluOp::Add, 6, 1), // 1: loop
            jump_imm(Cond::Lt, 6, 64, 1),
            mov_imm(0, 0),
            Insn::Exit,
        ],
    );
    assert_eq!(bounds(reg(&facts, 1, 6)), (0, 63));
    assert_eq!(bounds(reg(&facts, 2, 6)), (1, 64));
    assert_eq!(bounds(reg(&facts, 3, 6)), (64, 64));
}

#[test]
fn a_redefined_register_is_no_longer_linked_to_its_old_copy() {
    // r7 holds the value of the last turn: bounds of the new r6 must not refine it.
    let facts = facts(
        vec![],
        vec![
            load(Size::B4, 6, 1, 12),
            mov_imm(7, 1000),
            load(Size::B4, 6, 1, 12), // 2: loop
            jump_imm(Cond::Gt, 6, 10, 6),
            mov_imm(0, 0),
            Insn::Exit, // here r7 may be 1000 or what r6 was
            mov(7, 6),  // 6
            jump(2),
        ],
    );
    assert!(bounds(reg(&facts, 4, 7)).1 >= 1000, "r7 was refined with r6");
}

#[test]
fn stack_slots_are_forgotten_when_overwritten() {
    let facts = facts(
        vec![],
        vec![
            mov_imm(2, 7),
            store(Size::B8, 10, -8, 2),
            store(Size::B8, 10, -16, 10),
            store_imm(Size::B1, 10, -3, 1),
            mov_imm(0, 0),
            Insn::Exit,
        ],
    );
    let slots = |insn: usize| facts.before[insn].as_ref().expect("reached").slots;
    assert_eq!(bounds(slots(3)[0]), (7, 7));
    assert_eq!(slots(4)[0], Fact::Unknown, "a byte of the slot changed");
    assert!(matches!(slots(4)[1], Fact::Ptr { kind: PtrKind::Stack, .. }));
}

/// A table on the stack, read and written at an index: numbers as long as nothing but numbers is stored in its slots.
#[test]
fn numbers_on_the_stack_are_numbers_at_any_index() {
    let table = |spilled: i16| {
        facts(
            vec![],
            vec![
                store_imm(Size::B8, 10, -8, 1),
                store_imm(Size::B8, 10, -16, 2),
                store(Size::B8, 10, spilled, 1),
                load(Size::B4, 2, 1, 12),
                alu_imm(AluOp::And, 2, 8),
                mov(3, 10),
                alu(AluOp::Add, 3, 2),
                load(Size::B8, 4, 3, -16), // 7
                store(Size::B8, 3, -16, 2),
                load(Size::B8, 5, 10, -8),
                store(Size::B8, 3, -16, 3), // 10
                load(Size::B8, 5, 10, -8),
                mov_imm(0, 0),
                Insn::Exit,
            ],
        )
    };
    let beside = table(-24);
    assert!(matches!(reg(&beside, 8, 4), Fact::Scalar(_)), "a pointer lies beside the table");
    assert!(matches!(reg(&beside, 10, 5), Fact::Scalar(range) if range.umin < range.umax), "1, or what was stored");
    assert_eq!(reg(&beside, 12, 5), Fact::Unknown, "a pointer was stored somewhere");
    let inside = table(-16);
    assert_eq!(reg(&inside, 8, 4), Fact::Unknown, "a pointer lies in the table");
    assert!(matches!(reg(&inside, 10, 5), Fact::Scalar(_)), "the other slot held a number, and may hold another one");
}

#[test]
fn adjust_head_and_calls_that_reach_it_forget_packet_pointers() {
    let facts = facts(
        vec![],
        vec![
            mov(6, 1),
            load(Size::B4, 7, 1, 0),
            load(Size::B4, 8, 1, 12),
            call(7), // 3
            load(Size::B4, 9, 6, 0),
            mov_imm(0, 2),
            Insn::Exit,
            mov_imm(2, 0), // 7: callee
            helper(44),
            mov_imm(0, 5),
            Insn::Exit,
        ],
    );
    assert!(matches!(reg(&facts, 3, 7), Fact::Ptr { kind: PtrKind::Packet, .. }));
    assert_eq!(reg(&facts, 4, 7), Fact::Unknown);
    assert!(matches!(reg(&facts, 4, 8), Fact::Scalar(_)));
    assert_eq!(bounds(reg(&facts, 4, 0)), (5, 5), "the result of the call");
    assert!(matches!(reg(&facts, 7, 1), Fact::Ptr { kind: PtrKind::Ctx, .. }), "the argument of the call");
}

#[test]
fn a_callee_with_a_pointer_to_the_stack_may_write_there() {
    let facts = facts(
        vec![],
        vec![
            mov_imm(2, 7),
            store(Size::B8, 10, -8, 2),
            mov(1, 10),
            call(6), // 3
            mov_imm(0, 2),
            Insn::Exit,
            store_imm(Size::B8, 1, -8, 9), // 6
            mov_imm(0, 0),
            Insn::Exit,
        ],
    );
    assert_eq!(facts.before[4].as_ref().expect("reached").slots[0], Fact::Unknown);
    let caller = reg(&facts, 6, 1);
    assert!(matches!(caller, Fact::Ptr { kind: PtrKind::CallerStack, maybe_null: false, .. }), "{caller:?}");
    assert_eq!(bounds(caller), (i64::MIN, i64::MAX), "offsets from r10 of another frame say nothing");
}

#[test]
fn what_stands_in_a_callers_frame_may_be_a_pointer() {
    let facts = facts(
        vec![],
        vec![
            store(Size::B8, 10, -8, 1),
            mov(1, 10),
            alu_imm(AluOp::Add, 1, -8),
            call(6),
            mov_imm(0, 2),
            Insn::Exit,
            store_imm(Size::B8, 10, -8, 7), // 6
            load(Size::B8, 2, 1, 0),
            load(Size::B4, 3, 2, 0), // 8
            mov_imm(0, 0),           // 9
            Insn::Exit,
        ],
    );
    assert_eq!(reg(&facts, 8, 2), Fact::Unknown);
    assert_eq!(reg(&facts, 9, 3), Fact::Unknown, "ctx->data, read through a pointer of which nothing is known");
    let own = facts.before[9].as_ref().expect("reached").slots[0];
    assert_eq!(bounds(own), (7, 7), "a pointer to the caller's frame does not reach the callee's");
}

/// Map 0: array of maps with 16-byte values. 1: ring buffer.
fn maps_of_maps_and_rings() -> Vec<Map> {
    let mut outer = map(MapKind::ArrayOfMaps, 4, 4, 8);
    outer.inner = Some(Box::new(map(MapKind::Array, 4, 16, 8).spec));
    vec![outer, map(MapKind::Ringbuf, 0, 0, 4096)]
}

#[test]
fn maps_in_maps_and_their_values_have_kinds_of_their_own() {
    let key = [store_imm(Size::B4, 10, -4, 0), mov(2, 10), alu_imm(AluOp::Add, 2, -4)];
    let mut insns = Vec::from(key);
    insns.extend(load_map(1, 0));
    insns.extend([helper(1), jump_imm(Cond::Eq, 0, 0, 13), mov(1, 0), mov(2, 10), alu_imm(AluOp::Add, 2, -4)]);
    insns.extend([helper(1), load(Size::B8, 3, 0, 8), mov_imm(0, 2), Insn::Exit]);
    let facts = facts(maps_of_maps_and_rings(), insns);
    assert!(matches!(reg(&facts, 6, 0), Fact::Ptr { kind: PtrKind::InnerMap(MapIdx(0)), maybe_null: true, .. }));
    assert!(matches!(reg(&facts, 8, 1), Fact::Ptr { kind: PtrKind::InnerMap(MapIdx(0)), maybe_null: false, .. }));
    let value = reg(&facts, 11, 0);
    assert!(
        matches!(value, Fact::Ptr { kind: PtrKind::InnerValue(MapIdx(0)), maybe_null: false, .. }),
        "key 0 of 8 is always there: {value:?}"
    );
}

#[test]
fn records_are_known_until_they_are_given_back() {
    let mut insns = Vec::from(load_map(1, 1));
    insns.extend([mov_imm(2, 8), mov_imm(3, 0), helper(131), jump_imm(Cond::Eq, 0, 0, 11), mov(6, 0), mov(1, 0)]);
    insns.extend([mov_imm(2, 0), helper(132), mov_imm(1, 0), mov_imm(0, 2), Insn::Exit]);
    let facts = facts(maps_of_maps_and_rings(), insns);
    assert!(matches!(reg(&facts, 5, 0), Fact::Ptr { kind: PtrKind::Record(MapIdx(1)), maybe_null: true, .. }));
    assert!(matches!(reg(&facts, 8, 6), Fact::Ptr { kind: PtrKind::Record(MapIdx(1)), maybe_null: false, .. }));
    assert_eq!(reg(&facts, 10, 6), Fact::Unknown);
}

#[test]
fn metadata_has_an_origin_of_its_own() {
    let insns = vec![
        mov(6, 1),
        load(Size::B4, 7, 6, 8),
        alu_imm(AluOp::Add, 7, 4),
        mov(1, 6),
        mov_imm(2, -4),
        helper(54),
        mov_imm(0, 2),
        Insn::Exit,
    ];
    let facts = facts(vec![], insns);
    assert!(matches!(reg(&facts, 3, 7), Fact::Ptr { kind: PtrKind::PacketMeta, maybe_null: false, .. }));
    assert_eq!(bounds(reg(&facts, 3, 7)), (4, 4));
    assert_eq!(reg(&facts, 6, 7), Fact::Unknown, "the packet's bounds moved");
}

#[test]
fn helpers_that_fill_memory_leave_numbers() {
    let insns = vec![
        mov(6, 1),
        store_imm(Size::B8, 10, -8, 5),
        store_imm(Size::B8, 10, -16, 6),
        store_imm(Size::B8, 10, -24, 7),
        mov_imm(2, 0),
        mov(3, 10),
        alu_imm(AluOp::Add, 3, -16),
        mov_imm(4, 4),
        helper(189), // 8
        mov_imm(0, 2),
        Insn::Exit,
    ];
    let facts = facts(vec![], insns);
    let slots = &facts.before[9].as_ref().expect("reached").slots;
    assert_eq!((bounds(slots[0]), bounds(slots[2])), ((5, 5), (7, 7)), "beside what is filled");
    assert_eq!(slots[1], Fact::Unknown, "4 of the 8 bytes are new");
}

/// Behind the call of a function that makes a tail call, another program may have run.
#[test]
fn a_tail_call_may_return_to_the_caller() {
    let mut insns = vec![mov(6, 1), load(Size::B4, 7, 6, 0), call(5), mov(0, 0), Insn::Exit]; // r0 at 3
    insns.extend(load_map(2, 0)); // 5
    insns.extend([mov_imm(3, 0), helper(12), mov_imm(0, 1), Insn::Exit]);
    let facts = facts(vec![map(MapKind::ProgArray, 4, 4, 8)], insns);
    assert_eq!(reg(&facts, 3, 7), Fact::Unknown, "a packet pointer from before");
    assert_eq!(bounds(reg(&facts, 3, 0)), (i64::MIN, i64::MAX), "the other program's return value");
}

#[test]
fn frozen_data_decides_branches() {
    let mut rodata = map(MapKind::Array, 4, 8, 1);
    rodata.spec.frozen = true;
    rodata.spec.init = vec![0, 0, 0, 0, 3];
    let mut insns = Vec::from(load_map_value(1, 0, 4));
    insns.extend([
        load(Size::B4, 2, 1, 0),
        jump_imm(Cond::Eq, 2, 3, 6),
        mov_imm(0, 1),
        Insn::Exit,
        mov_imm(0, 2),
        Insn::Exit,
    ]);
    let facts = facts(vec![rodata], insns);
    assert_eq!(bounds(reg(&facts, 3, 2)), (3, 3));
    assert!(facts.before[4].is_none(), "no execution comes here");
    assert!(facts.before[6].is_some());
}

#[test]
fn strange_programs_end_without_panic() {
    for insns in [
        vec![],
        vec![jump(0)],
        vec![jump(99)],
        vec![call(0), Insn::Exit],
        vec![call(2), Insn::Exit, call(0), Insn::Exit],
        vec![store(Size::B8, 200, 0, 201), load(Size::B8, 12, 0, -1)],
        vec![alu_imm(AluOp::Add, 10, i32::MIN), store(Size::B8, 10, -32768, 10), jump_imm(Cond::Set, 10, -1, 0)],
        vec![mov_imm(1, 1), alu_imm(AluOp::Mul, 1, 3), jump(1)],
    ] {
        facts(vec![], insns);
    }
}
