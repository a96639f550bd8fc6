//! How long verification and facts take: `cargo run --release -p offload-compiler --example verify_speed -- OBJECT...`; without
//! objects, a loop that processes as many instructions as the budget allows.

use offload_compiler::ebpf::{AluOp, Cond, Insn, InsnIdx, Operand, Reg, Size, Width};
use offload_compiler::facts;
use offload_compiler::object::{LoadOptions, Object, Program, load};
use offload_compiler::verify::{Limits, verify};
use std::time::{Duration, Instant};

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    for path in &paths {
        let object = match std::fs::read(path).map(|bytes| load(&bytes, &LoadOptions::default())) {
            Ok(Ok(object)) => object,
            Ok(Err(diagnostic)) => {
                println!("{path}: {diagnostic}");
                continue;
            }
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        for program in &object.programs {
            measure(&format!("{path} {}", program.name), &object, program);
        }
    }
    if paths.is_empty() {
        let program = long_loop();
        let object = Object {
            programs: Vec::new(),
            refused: Vec::new(),
            maps: Vec::new(),
            license: String::new(),
            warnings: Vec::new(),
            btf: Vec::new(),
        };
        measure("long loop", &object, &program);
    }
}

fn measure(name: &str, object: &Object, program: &Program) {
    let (verdict, time) = timed(|| verify(object, program, &Limits::default()));
    let (_, facts_time) = timed(|| facts::analyze(object, program));
    match verdict {
        Ok(verified) => {
            println!("{name}: {} insns, {time:?}, facts {facts_time:?}, {:?}", program.insns.len(), verified.stats)
        }
        Err(diagnostic) => {
            println!("{name}: {} insns, {time:?}, facts {facts_time:?}, {}", program.insns.len(), diagnostic.message)
        }
    }
}

/// The best of a few runs.
fn timed<T>(mut run: impl FnMut() -> T) -> (T, Duration) {
    let mut best = Duration::MAX;
    let mut runs = 0;
    loop {
        let start = Instant::now();
        let result = run();
        best = best.min(start.elapsed());
        runs += 1;
        if runs == 10 || best > Duration::from_millis(200) {
            return (result, best);
        }
    }
}

/// A counted loop over packet bytes, of seven instructions.
fn long_loop() -> Program {
    let add = |dst, imm| Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(dst), src: Operand::Imm(imm) };
    let mov = |dst, src| Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg(dst), src };
    let jump =
        |cond, dst, src, target| Insn::JumpIf { width: Width::W64, cond, dst: Reg(dst), src, target: InsnIdx(target) };
    let insns = vec![
        Insn::Load { size: Size::B4, signed: false, dst: Reg(2), base: Reg(1), off: 0 },
        Insn::Load { size: Size::B4, signed: false, dst: Reg(3), base: Reg(1), off: 4 },
        mov(4, Operand::Reg(Reg(2))),
        add(4, 64),
        mov(0, Operand::Imm(0)),
        mov(5, Operand::Imm(0)),
        jump(Cond::Gt, 4, Operand::Reg(Reg(3)), 14),
        // 7: loop
        Insn::Load { size: Size::B1, signed: false, dst: Reg(6), base: Reg(2), off: 12 },
        Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(6), src: Operand::Imm(15) },
        add(0, 1),
        Insn::Alu { width: Width::W64, op: AluOp::Xor, dst: Reg(0), src: Operand::Reg(Reg(6)) },
        Insn::Store { size: Size::B8, base: Reg(10), off: -8, src: Operand::Reg(Reg(0)) },
        add(5, 1),
        jump(Cond::Lt, 5, Operand::Imm(140_000), 7),
        Insn::Exit,
    ];
    Program {
        name: "loop".into(),
        section: "xdp".into(),
        insns,
        raw: Vec::new(),
        lines: Vec::new(),
        functions: vec![(InsnIdx(0), "loop".into())],
        func_info: Vec::new(),
    }
}
