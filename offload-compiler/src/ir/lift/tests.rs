//! The lift on programs by hand and on the checked-in examples.

use super::divide::Reciprocal;
use crate::ebpf::{AluOp, Cond, Insn, InsnIdx, Reg, Size};
use crate::object::{Map, Object, Program};
use crate::testing::{self, alu, alu_imm, alu32, jump_imm, load, load_map, mov, mov_imm, store_imm};
use crate::{facts, ir, object};
use offwire_diag::{Diagnostic, codes::compiler};
use offwire_image::MapKind;

/// The IR of every program of an example.
fn lift_example(name: &str) -> Vec<ir::Func> {
    let path = format!("{}/../examples/{name}/{name}.o", env!("CARGO_MANIFEST_DIR"));
    let object = object::load(&std::fs::read(path).unwrap(), &object::LoadOptions::default()).unwrap();
    let lift = |program| ir::lift(&object, program, &facts::analyze(&object, program).unwrap()).unwrap();
    object.programs.iter().map(lift).collect()
}

#[test]
fn examples_lift_to_well_formed_ir() {
    for name in ["drop", "pass", "count", "firewall", "learn", "decap", "swap"] {
        for func in lift_example(name) {
            assert_eq!(ir::check(&func), Ok(()), "{name}\n{func}");
            assert_eq!(ir::parse(&func.to_string()).as_ref(), Ok(&func));
        }
    }
}

#[test]
fn bounds_checks_become_guards() {
    let text = lift_example("firewall")[0].to_string();
    assert!(text.contains("guard 14 then") && text.contains("guard 34 then"), "{text}");
    assert!(text.contains("lookup map0, stack[496]"), "{text}");
}

#[test]
fn division_by_constants_is_exact() {
    let divide = |x: u32, d: u32| {
        let Reciprocal { low, log } = Reciprocal::of(d);
        let high = (u64::from(x) * u64::from(low)) >> 32;
        ((u64::from(x) + high) >> log) as u32
    };
    let near = |d: u32| [d - 2, d - 1, d, d.saturating_add(1), d.saturating_add(2)];
    let divisors =
        (3..2000).chain((2..32).flat_map(|n| near(1 << n))).chain([u32::MAX - 1, u32::MAX, 641, 6_700_417, 1_000_003]);
    for d in divisors.filter(|d| *d > 2 && !d.is_power_of_two()) {
        // A wrong reciprocal shows first where the remainder is largest.
        let last = u32::MAX / d;
        for q in [0, 1, 2, last / 2, last.saturating_sub(1), last] {
            let at = q.saturating_mul(d);
            for x in [at, at.saturating_sub(1), at.saturating_add(d - 1), u32::MAX, u32::MAX - 1] {
                assert_eq!(divide(x, d), x / d, "{x} / {d}");
            }
        }
    }
}

#[test]
fn differences_of_two_pointers_have_32_bits_where_the_program_has() {
    let lift = |insns: Vec<Insn>| {
        let (object, program) = (testing::object(Vec::new()), testing::program(insns));
        let facts = facts::analyze(&object, &program).unwrap();
        ir::lift(&object, &program, &facts).map(|func| func.to_string())
    };
    // On the stack both offsets are known: r10 is 512.
    let text = lift(vec![mov(0, 10), alu_imm(AluOp::Add, 0, -8), alu32(AluOp::Sub, 0, 10), Insn::Exit]).unwrap();
    assert!(text.contains("sub.32") && text.contains("const 0xfffffff8"), "{text}");
    let packet = [load(Size::B4, 2, 1, 0), load(Size::B4, 0, 1, 4)];
    let text = lift([&packet[..], &[alu32(AluOp::Sub, 0, 2), Insn::Exit]].concat()).unwrap();
    assert!(text.contains("sub.32"), "{text}");
    // A half in 64 bits is no pointer, and no number either.
    let half = alu32(AluOp::Mov, 0, 0);
    for insns in [vec![half], vec![half, alu(AluOp::Sub, 0, 2)], vec![half, alu_imm(AluOp::Add, 0, 1)]] {
        let refused = lift([&packet[..], &insns, &[Insn::Exit]].concat()).expect_err("it is refused");
        assert_eq!(refused.code, compiler::POINTER_AS_NUMBER, "{refused}");
    }
}

/// What the lift alone says of a program that no verifier saw.
fn refusal(insns: Vec<Insn>, maps: Vec<Map>) -> Diagnostic {
    let (object, program) = (testing::object(maps), testing::program(insns));
    let facts = facts::analyze(&object, &program).unwrap();
    ir::lift(&object, &program, &facts).expect_err("it is refused")
}

/// OW0403: the verifier refuses most of these before; the compiler does not build on it.
#[test]
fn a_lookup_needs_a_map_with_entries() {
    let [map, wide] = load_map(1, 0);
    let insns = vec![map, wide, mov(2, 10), alu_imm(AluOp::Add, 2, -8), Insn::CallHelper { id: 1 }, Insn::Exit];
    let refused = refusal(insns, vec![testing::map(MapKind::Ringbuf, 0, 0, 4096)]);
    assert_eq!(refused.code, compiler::MAP_KIND, "{refused}");
}

/// OW0404.
#[test]
fn operations_of_odd_width_do_not_exist() {
    let refused = refusal(vec![mov_imm(0, 1), Insn::Bswap { bits: 24, dst: Reg(0) }, Insn::Exit], Vec::new());
    assert_eq!(refused.code, compiler::INSTRUCTION, "{refused}");
}

/// A function at instruction 4 that stores to r10 - 16, called with r5 = r10 + `far`.
fn two_frames(far: i32, uses: bool) -> (Object, Program) {
    let base = if uses { 5 } else { 10 };
    let insns = vec![
        mov(5, 10),
        alu_imm(AluOp::Add, 5, far),
        Insn::CallLocal { target: InsnIdx(4) },
        Insn::Exit,
        store_imm(Size::B8, 10, -16, 1),
        store_imm(Size::B8, base, -8, 1),
        mov_imm(0, 2),
        Insn::Exit,
    ];
    let functions = vec![(InsnIdx(0), "prog".to_string()), (InsnIdx(4), "local".to_string())];
    (testing::object(Vec::new()), Program { functions, ..testing::program(insns) })
}

/// If this fails, a number that is loaded from the stack just before two ways meet is refused as a possible pointer (OW0406).
#[test]
fn what_the_facts_know_of_the_stack_holds_where_ways_meet() {
    let insns = vec![
        store_imm(Size::B8, 10, -8, 5),
        store_imm(Size::B8, 10, -16, 6),
        mov(1, 10),
        alu_imm(AluOp::Add, 1, -16),
        Insn::CallLocal { target: InsnIdx(13) },
        load(Size::B8, 6, 10, -8), // taken for a number: the callee may have written it
        store_imm(Size::B8, 10, -24, 7),
        jump_imm(Cond::Eq, 0, 0, 10),
        load(Size::B8, 6, 10, -24), // known, and the last one before the ways meet
        Insn::Jump { target: InsnIdx(10) },
        mov(0, 6),
        alu_imm(AluOp::And, 0, 1),
        Insn::Exit,
        load(Size::B8, 0, 1, 0),
        Insn::Exit,
    ];
    let fall = [&insns[..9], &insns[10..]].concat();
    let at = |target| {
        move |insn: Insn| match insn {
            Insn::JumpIf { width, cond, dst, src, .. } => {
                Insn::JumpIf { width, cond, dst, src, target: InsnIdx(target) }
            }
            Insn::CallLocal { .. } => Insn::CallLocal { target: InsnIdx(target + 3) },
            insn => insn,
        }
    };
    let fall: Vec<Insn> = fall.into_iter().map(at(9)).collect();
    for (insns, local) in [(insns, 13), (fall, 12)] {
        let functions = vec![(InsnIdx(0), "prog".to_string()), (InsnIdx(local), "local".to_string())];
        let (object, program) = (testing::object(Vec::new()), Program { functions, ..testing::program(insns) });
        let facts = facts::analyze(&object, &program).unwrap();
        ir::lift(&object, &program, &facts).unwrap();
    }
}

/// OW0407: a buffer that the callee is given counts, an address that is merely left in a register does not.
#[test]
fn frames_must_fit_the_stack() {
    let lift =
        |(object, program): (Object, Program)| ir::lift(&object, &program, &facts::analyze(&object, &program).unwrap());
    let refused = lift(two_frames(-504, true)).expect_err("504 and 16 bytes");
    assert_eq!(refused.code, compiler::STACK_TOO_DEEP, "{refused}");
    lift(two_frames(-504, false)).unwrap();
    lift(two_frames(-496, true)).unwrap();
}

#[test]
fn a_callers_variable_is_an_address_on_the_one_stack() {
    let (object, program) = two_frames(-24, true);
    let func = ir::lift(&object, &program, &facts::analyze(&object, &program).unwrap()).unwrap();
    let small = crate::opt::optimize_with(func.clone(), &Default::default(), &mut |_, _| {});
    assert_eq!(ir::check(&func), Ok(()));
    assert!(small.to_string().contains("exit"), "{small}");
    // r10 - 24 of the caller is 488; the callee stores 8 below.
    assert!(func.to_string().contains("const 488") && func.to_string().contains("- 8], "), "{func}");
}

/// Two calls of a function of 20 instructions that calls one of 3 twice.
fn two_functions() -> (Object, Program) {
    let mut insns = vec![mov_imm(1, 5), testing::call(5), mov(1, 0), testing::call(5), Insn::Exit];
    insns.extend([mov(6, 1), testing::call(24), mov(1, 0), testing::call(24)]);
    insns.extend((0..14).map(|n| alu_imm(AluOp::Xor, 0, n)));
    insns.push(Insn::Exit);
    insns.extend([mov(0, 1), alu_imm(AluOp::Add, 0, 1), Insn::Exit]);
    let functions = [(0, "prog"), (5, "middle"), (24, "leaf")].map(|(at, name)| (InsnIdx(at), name.to_string()));
    (testing::object(Vec::new()), Program { functions: functions.into(), ..testing::program(insns) })
}

#[test]
fn functions_stay_functions_as_far_as_the_budget_wants_it() {
    let (object, program) = two_functions();
    let facts = facts::analyze(&object, &program).unwrap();
    let names = |budget: usize| {
        let funcs = ir::lift_within(&object, &program, &facts, budget).unwrap();
        funcs.iter().map(|func| func.name.clone()).collect::<Vec<_>>()
    };
    // Inlined it is 5 + 2 * (19 + 2 * 3) instructions.
    assert_eq!(names(55), ["prog"]);
    // Once of the larger function is enough; what is smaller than a call is not worth one.
    assert_eq!(names(54), ["prog", "middle"]);
    assert_eq!(names(1), ["prog", "middle"]);
    assert_eq!(names(0), ["prog", "middle", "leaf"]);
    let text = ir::print_all(&ir::lift_within(&object, &program, &facts, 0).unwrap());
    assert!(text.contains("call f1(") && text.contains("call f2(") && text.contains("return v"), "{text}");
}

/// OW0408: what must be inlined has a limit.
#[test]
fn callbacks_have_no_place_for_513_copies() {
    use crate::ebpf::Imm64;
    // Each bpf_loop takes a copy of the callback.
    let count = 600u32;
    let callback = 7 * count + 2;
    let mut insns = Vec::new();
    for _ in 0..count {
        insns.extend([
            mov_imm(1, 2),
            Insn::LoadImm64 { dst: Reg(2), value: Imm64::Func(InsnIdx(callback)) },
            Insn::Wide,
            mov_imm(3, 0),
            mov_imm(4, 0),
            Insn::CallHelper { id: 181 },
            mov_imm(0, 0),
        ]);
    }
    insns.extend([mov_imm(0, 2), Insn::Exit, mov_imm(0, 0), Insn::Exit]);
    let program = testing::program(insns);
    let object = testing::object(Vec::new());
    let facts = facts::analyze(&object, &program).unwrap();
    let refused = ir::lift_within(&object, &program, &facts, 0).expect_err("it is refused");
    assert_eq!(refused.code, compiler::TOO_LARGE, "{refused}");
}
