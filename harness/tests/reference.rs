//! What the interpreter must notice: programs that a verifier should have refused, and facts that are not true.

mod common;

use common::*;
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};
use offload_compiler::facts::{Fact, Facts, PtrKind, Range, State, Tnum};
use offwire_diag::{Code, codes::host as code};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue, PacketIn};
use offwire_image::{MapKind, MapSpec};

fn maps() -> Vec<MapSpec> {
    vec![
        map_spec("first", MapKind::Array, 4, 12, 4),
        map_spec("second", MapKind::Hash, 4, 8, 4),
        MapSpec { frozen: true, ..map_spec(".rodata", MapKind::Array, 4, 8, 1) },
    ]
}

/// Runs a program on a packet of 64 bytes; it must end with this code, and the reason must say this.
fn refused(insns: &[Insn], expected: Code, reason: &str) {
    let mut reference = Ref::new(&object(insns, &maps()), 0).expect("the interpreter takes the program");
    match reference.run(&packet(&[0; 64])) {
        Ok(out) => panic!("{insns:?} must not run to its end: {out:?}"),
        Err(diagnostic) => {
            assert_eq!(diagnostic.code, expected, "{diagnostic}");
            let text = diagnostic.reason.clone().unwrap_or_default();
            assert!(text.contains(reason), "{text:?} should contain {reason:?}");
            let outside = reason.contains("leaves the program");
            assert!(diagnostic.span.insn.is_some() && (outside || diagnostic.span.insn_text.is_some()), "{diagnostic}");
        }
    }
}

fn with_exit(mut insns: Vec<Insn>) -> Vec<Insn> {
    insns.extend([mov(R0, 2), Insn::Exit]);
    insns
}

#[test]
fn accesses_outside_of_their_region() {
    let data = load(Size::B4, R2, R1, 0);
    let end = load(Size::B4, R2, R1, 4);
    let bounds = code::REF_BOUNDS;
    for (body, reason) in [
        (vec![data, load(Size::B1, R0, R2, 64)], "read of 1 bytes at offset 64 of a packet of 64 bytes"),
        (vec![data, load(Size::B8, R0, R2, 57)], "read of 8 bytes at offset 57"),
        (vec![data, load(Size::B1, R0, R2, -1)], "at offset -1"),
        (vec![data, store_imm(Size::B2, R2, 63, 1)], "write of 2 bytes at offset 63"),
        (vec![end, load(Size::B1, R0, R2, 0)], "at offset 64"),
        (vec![load(Size::B8, R0, R10, 0)], "at r10+0 of stack frame 0"),
        (vec![load(Size::B8, R0, R10, -520)], "at r10-520"),
        (vec![store_imm(Size::B1, R10, -513, 1)], "write of 1 bytes at r10-513"),
        (vec![load(Size::B8, R0, R1, 0)], "struct xdp_md is read with 8 bytes"),
        (vec![load(Size::B4, R0, R1, 24)], "no field at offset 24"),
        (vec![store_imm(Size::B4, R1, 16, 1)], "write of 4 bytes at offset 16 of struct xdp_md"),
        (vec![mov(R2, 0), load(Size::B1, R0, R2, 0)], "which is no pointer"),
        (vec![mov(R2, -1), load(Size::B1, R0, R2, 0)], "which is no pointer"),
    ] {
        refused(&with_exit(body), bounds, reason);
    }
    for (map_index, offset, insn, reason) in [
        (0, 0, load(Size::B4, R0, R6, 9), "at offset 9 of value 0 of map first, whose values have 12 bytes"),
        (0, 12, load(Size::B1, R0, R6, 0), "at offset 12 of value 0 of map first"),
        (2, 0, store_imm(Size::B4, R6, 0, 1), "map .rodata, which is read-only"),
        (1, 0, load(Size::B8, R0, R6, 0), "value 0 of map second"),
    ] {
        let mut body = map_value(R6, map_index, offset).to_vec();
        body.push(insn);
        refused(&with_exit(body), bounds, reason);
    }
    let mut body = map(R6, 0).to_vec();
    body.push(load(Size::B8, R0, R6, 0));
    refused(&with_exit(body), bounds, "of map first itself");
}

#[test]
fn pointers_from_before_adjust_head() {
    let body = vec![load(Size::B4, R6, R1, 0), mov(R2, 4), Insn::CallHelper { id: 44 }, load(Size::B1, R0, R6, 0)];
    refused(&with_exit(body), code::REF_BOUNDS, "a packet pointer from before the packet was adjusted");
}

#[test]
fn registers_that_hold_nothing() {
    refused(&[Insn::Exit], code::REF_BOUNDS, "it reads r0");
    refused(&[copy(R0, R7), Insn::Exit], code::REF_BOUNDS, "it reads r7");
    let mut body = map(R1, 0).to_vec();
    body.extend([store_imm(Size::B4, R10, -4, 0), copy(R2, R10), add(R2, -4), Insn::CallHelper { id: 1 }]);
    body.push(copy(R0, R2));
    refused(&with_exit(body), code::REF_BOUNDS, "it reads r2");
    // A callee has its arguments and r10 only.
    let mut asm = Asm::default();
    asm.put([mov(R6, 1)]).call("f").put([Insn::Exit]).label("f").put([copy(R0, R6), Insn::Exit]);
    refused(&asm.done(), code::REF_BOUNDS, "it reads r6");
}

#[test]
fn helper_arguments_that_are_none() {
    let body = vec![copy(R2, R10), Insn::CallHelper { id: 1 }];
    refused(&with_exit(body), code::REF_BOUNDS, "which is no map");
    let mut body = map(R1, 0).to_vec();
    body.extend([copy(R2, R10), add(R2, -3), Insn::CallHelper { id: 1 }]);
    refused(&with_exit(body), code::REF_BOUNDS, "read of 4 bytes at r10-3");
    let mut body = map(R1, 0).to_vec();
    body.extend([copy(R2, R10), add(R2, -4), copy(R3, R10), add(R3, -8), mov(R4, 0), Insn::CallHelper { id: 2 }]);
    refused(&with_exit(body), code::REF_BOUNDS, "read of 12 bytes at r10-8");
    let body = vec![copy(R1, R10), mov(R2, 0), Insn::CallHelper { id: 44 }];
    refused(&with_exit(body), code::REF_BOUNDS, "wants ctx in r1");
}

#[test]
fn atomics_only_on_stack_and_map_values() {
    let atomic = |base| Insn::Atomic { size: Size::B8, op: AtomicOp::Add, fetch: false, base, off: 0, src: R3 };
    let body = vec![load(Size::B4, R2, R1, 0), mov(R3, 1), atomic(R2)];
    refused(&with_exit(body), code::REF_BOUNDS, "atomic operation");
}

#[test]
fn control_that_leaves_the_program() {
    refused(&[mov(R0, 0), Insn::Jump { target: InsnIdx(7) }], code::REF_BOUNDS, "execution leaves the program");
    let mut body = vec![Insn::Jump { target: InsnIdx(2) }];
    body.extend(map(R1, 0));
    refused(&with_exit(body), code::REF_BOUNDS, "second half of a 64-bit immediate load");
    refused(&[Insn::CallLocal { target: InsnIdx(0) }], code::REF_BOUNDS, "more than 8 nested calls");
}

/// A static function of C that returns void ends with r0 unwritten; so does the kernel's verifier see it.
#[test]
fn functions_without_a_result() {
    let call = |rest: [Insn; 2]| [Insn::CallLocal { target: InsnIdx(3) }, rest[0], rest[1], Insn::Exit];
    let object = object(&call([mov(R0, 2), Insn::Exit]), &[]);
    let out = Ref::new(&object, 0).expect("loads").run(&packet(&[0; 64])).expect("runs");
    assert_eq!(out.retval, 2);
    refused(&call([copy(R6, R0), Insn::Exit]), code::REF_BOUNDS, "it reads r0");
    refused(&[Insn::Exit], code::REF_BOUNDS, "it reads r0");
}

#[test]
fn endless_loops() {
    let insns = [mov(R0, 0), Insn::Jump { target: InsnIdx(1) }, Insn::Exit];
    let object = object(&insns, &[]);
    let mut reference = Ref::new(&object, 0).expect("loads").with_limit(1000);
    let diagnostic = reference.run(&packet(&[0; 64])).expect_err("it never ends");
    assert_eq!(diagnostic.code, code::REF_LIMIT);
    assert_eq!(reference.insns(), 1000);
}

#[test]
fn what_the_interpreter_does_not_know() {
    for insns in
        [[Insn::CallHelper { id: 4 }, mov(R0, 0), Insn::Exit], [Insn::CallKfunc { btf_id: 5 }, mov(R0, 0), Insn::Exit]]
    {
        let refusal = Ref::new(&object(&insns, &[]), 0).map(drop).expect_err("not known");
        assert_eq!(refusal.code, code::REF_UNSUPPORTED);
        assert_eq!(refusal.span.insn, Some(0));
    }
    let sockets = map_spec("sockets", MapKind::Xskmap, 4, 4, 4);
    let refusal = Ref::new(&object(&[mov(R0, 0), Insn::Exit], &[sockets]), 0).map(drop).expect_err("not known");
    assert!(refusal.reason.is_some_and(|reason| reason.contains("xskmap")));
    let huge = map_spec("huge", MapKind::Array, 4, u32::MAX, u32::MAX);
    assert!(Ref::new(&object(&[mov(R0, 0), Insn::Exit], &[huge]), 0).is_err(), "no memory for such a map");
}

#[test]
fn what_one_packet_leaves_the_next_does_not_see() {
    // Shows the word at r10-8 in the packet, then fills it; a callee does the same in its own frame.
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put([copy(R6, R5), load(Size::B8, R2, R10, -8), store(Size::B8, R6, 0, R2)])
        .put([store_imm(Size::B8, R10, -8, -1)])
        .call("f")
        .put([store(Size::B8, R6, 8, R0), mov(R0, 2), Insn::Exit])
        .label("f")
        .put([load(Size::B8, R0, R10, -512), store_imm(Size::B8, R10, -512, -1), Insn::Exit]);
    let mut reference = Ref::new(&object(&asm.done(), &[]), 0).expect("loads");
    for _ in 0..2 {
        let out = reference.run(&packet(&[7; 64])).expect("runs");
        assert_eq!(out.bytes[..16], [0; 16], "the stack of the last packet shows through");
    }
}

fn anything() -> Range {
    Range { umin: 0, umax: u64::MAX, smin: i64::MIN, smax: i64::MAX, bits: Tnum { value: 0, mask: u64::MAX } }
}

fn exactly(value: u64) -> Range {
    let smin = value as i64;
    Range { umin: value, umax: value, smin, smax: smin, bits: Tnum { value, mask: 0 } }
}

fn unknown() -> State {
    State { regs: [Fact::Unknown; 11], slots: [Fact::Unknown; 64] }
}

/// A program with one of everything, and facts that say nothing.
fn subject() -> (Vec<Insn>, Facts) {
    let mut insns = prologue(64);
    insns.extend([copy(R6, R5), add(R6, 3), store(Size::B8, R10, -16, R6), mov(R7, 42)]);
    insns.extend(map_value(R8, 0, 4));
    insns.extend(map(R9, 1));
    insns.push(Insn::Alu { width: Width::W32, op: AluOp::Mov, dst: R2, src: Operand::Reg(R6) });
    insns.extend([mov(R0, 2), Insn::Exit]);
    let before = insns.iter().map(|insn| (*insn != Insn::Wide).then(unknown)).collect();
    (insns, Facts { before })
}

fn run_with(facts: &Facts, insns: &[Insn]) -> Result<(), offwire_diag::Diagnostic> {
    let object = object(insns, &maps());
    Ref::new(&object, 0).expect("loads").with_facts(facts).run(&packet(&[0; 64])).map(drop)
}

#[test]
fn true_facts_hold_and_false_ones_are_found() {
    let (insns, _) = subject();
    let last = insns.len() - 1;
    let pointer = |kind, offset: u64| Fact::Ptr { kind, offset: exactly(offset), maybe_null: false };
    let scalar = |range: Range| Fact::Scalar(range);
    let home = |reg: Reg, fact: Fact| {
        let (_, mut facts) = subject();
        facts.before[last].as_mut().expect("reached").regs[usize::from(reg.0)] = fact;
        facts
    };
    let slot = |number: usize, fact: Fact| {
        let (_, mut facts) = subject();
        facts.before[last].as_mut().expect("reached").slots[number] = fact;
        facts
    };
    let map = |index| PtrKind::MapValue(MapIdx(index));
    let cases = [
        ("number", home(R7, scalar(exactly(42))), home(R7, scalar(exactly(43)))),
        (
            "umax",
            home(R7, scalar(Range { umax: 42, ..anything() })),
            home(R7, scalar(Range { umax: 41, ..anything() })),
        ),
        (
            "umin",
            home(R7, scalar(Range { umin: 42, ..anything() })),
            home(R7, scalar(Range { umin: 43, ..anything() })),
        ),
        (
            "smin",
            home(R7, scalar(Range { smin: 42, ..anything() })),
            home(R7, scalar(Range { smin: 43, ..anything() })),
        ),
        (
            "smax",
            home(R7, scalar(Range { smax: 42, ..anything() })),
            home(R7, scalar(Range { smax: 41, ..anything() })),
        ),
        (
            "bits",
            home(R7, scalar(Range { bits: Tnum { value: 2, mask: !3 }, ..anything() })),
            home(R7, scalar(Range { bits: Tnum { value: 3, mask: !3 }, ..anything() })),
        ),
        ("kind", home(R6, pointer(PtrKind::Packet, 3)), home(R6, pointer(PtrKind::Stack, 3))),
        ("offset", home(R6, pointer(PtrKind::Packet, 3)), home(R6, pointer(PtrKind::Packet, 4))),
        ("end", home(R3, pointer(PtrKind::PacketEnd, 0)), home(R3, pointer(PtrKind::PacketEnd, 64))),
        ("half", home(R2, pointer(PtrKind::PacketHalf, 3)), home(R2, pointer(PtrKind::PacketHalf, 4))),
        ("whole", home(R6, pointer(PtrKind::Packet, 3)), home(R6, pointer(PtrKind::PacketHalf, 3))),
        ("map", home(R8, pointer(map(0), 4)), home(R8, pointer(map(1), 4))),
        ("map itself", home(R9, pointer(PtrKind::Map(MapIdx(1)), 0)), home(R9, pointer(PtrKind::Map(MapIdx(0)), 0))),
        ("frame", home(R10, pointer(PtrKind::Stack, 0)), home(R10, pointer(PtrKind::Ctx, 0))),
        ("ctx", home(R1, pointer(PtrKind::Ctx, 0)), home(R1, pointer(PtrKind::Packet, 0))),
        ("slot", slot(1, pointer(PtrKind::Packet, 3)), slot(1, scalar(exactly(3)))),
        ("other slot", slot(0, scalar(exactly(0))), slot(2, scalar(exactly(1)))),
    ];
    for (what, right, wrong) in cases {
        run_with(&right, &insns).unwrap_or_else(|diagnostic| panic!("{what}: a true fact is refused: {diagnostic}"));
        let diagnostic = run_with(&wrong, &insns).expect_err(what);
        assert_eq!(diagnostic.code, code::REF_FACT, "{what}");
        assert_eq!(diagnostic.span.insn, Some(last as u32), "{what}");
    }
    // Null is not a pointer, unless the fact says so.
    let maybe = Fact::Ptr { kind: map(0), offset: exactly(0), maybe_null: true };
    let zero = [mov(R6, 0), mov(R0, 2), Insn::Exit];
    for (fact, good) in [(maybe, true), (pointer(map(0), 0), false)] {
        let mut facts = Facts { before: vec![Some(unknown()); 3] };
        facts.before[2].as_mut().expect("reached").regs[6] = fact;
        assert_eq!(run_with(&facts, &zero).is_ok(), good);
    }
    // Where the facts say that nobody comes.
    let mut facts = subject().1;
    facts.before[last] = None;
    assert_eq!(run_with(&facts, &insns).expect_err("it does come").code, code::REF_FACT);
}

/// A fact that stands at many instructions is asserted once, but again wherever it could have changed.
#[test]
fn facts_are_asserted_again_after_every_change() {
    let wrong_after = |insn: Insn, home_is_slot: bool| {
        let insns = [store_imm(Size::B8, R10, -8, 5), mov(R6, 5), insn, mov(R0, 2), Insn::Exit];
        let mut facts = Facts { before: vec![Some(unknown()); 5] };
        for state in facts.before.iter_mut().skip(2).flatten() {
            if home_is_slot {
                state.slots[0] = Fact::Scalar(exactly(5));
            } else {
                state.regs[6] = Fact::Scalar(exactly(5));
            }
        }
        run_with(&facts, &insns).map_err(|diagnostic| (diagnostic.code, diagnostic.span.insn))
    };
    let found = Err((code::REF_FACT, Some(3)));
    assert_eq!(wrong_after(mov(R7, 1), false), Ok(()));
    assert_eq!(wrong_after(add(R6, 1), false), found);
    assert_eq!(wrong_after(store_imm(Size::B1, R10, -7, 1), true), found);
    assert_eq!(wrong_after(add(R6, 1), true), Ok(()));
    let atomic = Insn::Atomic { size: Size::B8, op: AtomicOp::Add, fetch: true, base: R10, off: -8, src: R6 };
    assert_eq!(wrong_after(atomic, true), found);
    // A jump around the instruction that makes the fact true.
    let insns = [mov(R6, 1), jump_if(Cond::Eq, R6, Operand::Imm(1), 3), mov(R6, 5), mov(R0, 2), Insn::Exit];
    let mut facts = Facts { before: vec![Some(unknown()); 5] };
    facts.before[3].as_mut().expect("reached").regs[6] = Fact::Scalar(exactly(5));
    assert_eq!(run_with(&facts, &insns).expect_err("false").span.insn, Some(3));
}

#[test]
fn counts_and_coverage() {
    let mut insns = vec![mov(R6, 3), mov(R0, 2)];
    insns.extend([add(R6, -1), jump_if(Cond::Ne, R6, Operand::Imm(0), 2)]);
    insns.extend(map(R1, 0));
    insns.push(Insn::Exit);
    let mut reference = Ref::new(&object(&insns, &maps()), 0).expect("loads").with_coverage();
    for _ in 0..2 {
        let out = reference.run(&packet(&[0; 64])).expect("runs");
        assert_eq!(out.insns, Some(2 + 3 * 2 + 2), "a 64-bit load counts once");
    }
    assert_eq!(reference.coverage(), [2, 2, 6, 6, 2, 0, 2]);
    assert_eq!(reference.insns(), 20);
    assert_eq!(reference.last_branch().and_then(|span| span.insn), Some(3));
}

#[test]
fn entries_that_do_not_fit() {
    let mut reference = Ref::new(&object(&[mov(R0, 2), Insn::Exit], &maps()), 0).expect("loads");
    let entry = |key: &[u8], value: &[u8]| Entry { key: key.to_vec(), value: EntryValue::One(value.to_vec()) };
    let per_cpu = Entry { key: vec![0; 4], value: EntryValue::PerCpu(vec![]) };
    for (map, entry, reason) in [
        (0, entry(&[0; 3], &[0; 12]), "the key has 3 bytes, not 4"),
        (0, entry(&[0; 4], &[0; 11]), "the value has 11 bytes, not 12"),
        (0, entry(&[4, 0, 0, 0], &[0; 12]), "the index is not below 4"),
        (0, per_cpu, "only per-CPU maps"),
        (2, entry(&[0; 4], &[0; 8]), "read-only"),
    ] {
        let diagnostic = reference.map_update(MapIdx(map), &entry).expect_err(reason);
        assert_eq!(diagnostic.code, code::MAP_UPDATE);
        assert!(diagnostic.reason.as_deref().is_some_and(|text| text.contains(reason)), "{diagnostic}");
    }
    for key in 0..4u8 {
        reference.map_update(MapIdx(1), &entry(&[key, 0, 0, 0], &[key; 8])).expect("there is room");
    }
    let diagnostic = reference.map_update(MapIdx(1), &entry(&[9; 4], &[0; 8])).expect_err("full");
    assert!(diagnostic.reason.is_some_and(|text| text.contains("full with 4 entries")));
    assert!(reference.map_update(MapIdx(3), &entry(&[0; 4], &[0; 8])).is_err(), "there is no such map");
    assert!(reference.map_entries(MapIdx(3)).is_err(), "there is no such map");
}

#[test]
fn packets_of_any_length_run() {
    let mut reference = Ref::new(&object(&[mov(R0, 2), Insn::Exit], &[]), 0).expect("loads");
    for len in [0, 1, 13, 14, 9000, 65536] {
        let given = PacketIn { port: u32::MAX, ..packet(&vec![1; len]) };
        assert_eq!(reference.run(&given).expect("runs").bytes.len(), len);
    }
    assert!(reference.run(&packet(&vec![0; 65537])).is_err());
}

/// r0 is cut to 32 bits, and an unknown action counts as aborted.
#[test]
fn return_values() {
    let insns = [mov(R0, -1), Insn::Exit];
    let mut reference = Ref::new(&object(&insns, &[]), 0).expect("loads");
    let out = reference.run(&packet(&[0; 64])).expect("runs");
    assert_eq!(out.retval, u32::MAX);
    assert_eq!(offwire_harness::Verdict::from_retval(out.retval), offwire_harness::Verdict::Aborted);
    let shift = Insn::Alu { width: Width::W64, op: AluOp::Lsh, dst: R0, src: Operand::Imm(32) };
    let mut reference = Ref::new(&object(&[mov(R0, 3), shift, Insn::Exit], &[]), 0).expect("loads");
    assert_eq!(reference.run(&packet(&[0; 64])).expect("runs").retval, 0);
}
