//! The contract of bpf_conformance's plugins, with programs of our own.

mod common;

use common::offwire;
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, Operand, Size, Width, encode};
use offwire_harness::programs::{Asm, R0, R1, R2, R3, R10, add, copy, jump_if, load, mov, store, store_imm};

fn hex(insns: &[Insn]) -> String {
    let raw = encode(insns).expect("a program made by hand encodes");
    raw.concat().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn conform(program: &str, memory: Option<&str>, on: &str) -> common::Ran {
    let mut arguments = vec!["conform"];
    arguments.extend(memory);
    arguments.extend(["--program", program, "--on", on]);
    offwire(&arguments)
}

/// Program, memory, r0.
fn programs() -> Vec<(&'static str, Vec<Insn>, Option<&'static str>, &'static str)> {
    let alu = |op, dst, src| Insn::Alu { width: Width::W64, op, dst, src };
    let mut sum = Asm::default();
    sum.put([mov(R0, 0), mov(R3, 0)]).label("again");
    sum.put([load(Size::B1, R2, R1, 0), alu(AluOp::Add, R0, Operand::Reg(R2)), add(R1, 1), add(R3, 1)]);
    sum.branch(Width::W64, Cond::Lt, R3, Operand::Imm(5), "again").put([Insn::Exit]);
    let mut called = Asm::default();
    called.put([mov(R1, 20)]).call("twice").put([add(R0, 2), Insn::Exit]);
    called.label("twice").put([copy(R0, R1), alu(AluOp::Add, R0, Operand::Reg(R1)), Insn::Exit]);
    let mut either = Asm::default();
    either.put([load(Size::B2, R0, R1, 2)]).branch(Width::W64, Cond::Eq, R0, Operand::Imm(0x0403), "yes");
    either.put([mov(R0, 1), Insn::Exit]).label("yes").put([mov(R0, 2), Insn::Exit]);
    vec![
        ("constant", vec![mov(R0, -1), Insn::Exit], None, "ffffffffffffffff"),
        ("length", vec![copy(R0, R2), Insn::Exit], Some("00112233445566778899aabbccddeeff"), "10"),
        ("load", vec![load(Size::B8, R0, R1, 1), Insn::Exit], Some("00 01 02 03 04 05 06 07 08"), "807060504030201"),
        ("stack", vec![store_imm(Size::B8, R10, -8, 7), load(Size::B8, R0, R10, -8), Insn::Exit], None, "7"),
        (
            "store",
            vec![mov(R2, 9), store(Size::B4, R1, 0, R2), load(Size::B8, R0, R1, 0), Insn::Exit],
            Some("ffffffffffffffff"),
            "ffffffff00000009",
        ),
        ("loop", sum.done(), Some("0102030405"), "f"),
        ("call", called.done(), None, "2a"),
        ("two ends", either.done(), Some("01020304"), "2"),
    ]
}

#[test]
fn programs_give_r0_everywhere() {
    for (name, insns, memory, expected) in programs() {
        for on in ["ref", "model"] {
            let ran = conform(&hex(&insns), memory, on);
            assert_eq!((ran.code, ran.stdout.trim()), (0, expected), "{name} on {on}: {}", ran.stderr);
        }
    }
}

/// What is no XDP program at all runs on the interpreter alone.
#[test]
fn the_interpreter_asks_for_no_verifier() {
    let atomic = Insn::Atomic { size: Size::B8, op: AtomicOp::Add, fetch: true, base: R1, off: 0, src: R2 };
    let insns = [mov(R2, 5), atomic, load(Size::B8, R0, R1, 0), Insn::Exit];
    let ran = conform(&hex(&insns), Some("0300000000000000"), "ref");
    assert_eq!((ran.code, ran.stdout.trim()), (0, "8"), "{}", ran.stderr);
    let negative = [mov(R0, 1), copy(R3, R1), add(R3, 16), add(R3, -9), load(Size::B1, R0, R3, 0), Insn::Exit];
    let ran = conform(&hex(&negative), Some("0001020304050607"), "ref");
    assert_eq!((ran.code, ran.stdout.trim()), (0, "7"), "{}", ran.stderr);
}

#[test]
fn what_goes_wrong_is_told_on_stderr() {
    let endless = [mov(R0, 0), Insn::Jump { target: offload_compiler::ebpf::InsnIdx(0) }];
    let beyond = [load(Size::B8, R0, R1, 1), Insn::Exit];
    let unknown = [Insn::CallHelper { id: 9999 }, Insn::Exit];
    let jump = [mov(R0, 0), jump_if(Cond::Eq, R0, Operand::Imm(0), 9), Insn::Exit];
    for (name, program, memory, code) in [
        ("no end", hex(&endless), None, "OW0813"),
        ("out of bounds", hex(&beyond), Some("0011223344556677"), "OW0811"),
        ("no memory", hex(&beyond), None, "OW0811"),
        ("an unknown helper", hex(&unknown), None, "OW0814"),
        ("out of the program", hex(&jump), None, "OW08"),
        ("half an instruction", "b7000000".to_owned(), None, "OW0814"),
        ("nothing", String::new(), None, "OW0814"),
        ("no digits", "zz".to_owned(), None, "OW0901"),
        ("half a byte", "b70".to_owned(), None, "OW0901"),
        ("memory without digits", hex(&beyond), Some("0x00"), "OW0901"),
    ] {
        let ran = conform(&program, memory, "ref");
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}");
        assert!(ran.stderr.contains(code), "{name}: {}", ran.stderr);
    }
    let ran = conform(&hex(&beyond), None, "model");
    assert_eq!(ran.code, 1, "the verifier refuses what has no bounds");
}
