//! `prog dump`: a program in one of its forms.

use crate::args::{DumpArgs, DumpForm};
use crate::output::{Outcome, Output};
use crate::program;
use offload_compiler::object::{Object, Program};
use offload_compiler::{CompileOptions, compile, ebpf};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Report {
    program: String,
    form: &'static str,
    lines: Vec<String>,
}

/// Prints the program.
pub(super) fn run(args: &DumpArgs, output: &mut Output<'_>) -> Outcome {
    let profile = program::profile(&args.program)?;
    let object = program::load(&args.program)?;
    let (_, chosen) = program::choose(&args.program, &object)?;
    let (form, text) = match args.form {
        // The loaded program, verified or not: one wants to see it most when it is refused.
        DumpForm::Xlated => ("xlated", xlated(&object, chosen)),
        DumpForm::Ir | DumpForm::Ucode => {
            let compiled = compile(&object, chosen, profile, &CompileOptions::default())
                .map_err(program::in_file(&args.program.object))?;
            match args.form {
                DumpForm::Ir => ("ir", compiled.func.to_string()),
                _ => ("ucode", offload_compiler::emit::dump(&compiled.image, chosen)),
            }
        }
    };
    let report = Report { program: chosen.name.clone(), form, lines: text.lines().map(str::to_owned).collect() };
    output.result(&report, || text);
    Ok(0)
}

/// As `bpftool prog dump xlated linum` prints: C lines between instructions.
fn xlated(object: &Object, program: &Program) -> String {
    let mut text = String::new();
    let mut lines = program.lines.iter().peekable();
    for (at, insn) in program.insns.iter().enumerate() {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        if let Some((_, name)) = program.functions.iter().find(|(first, _)| first.0 == at) {
            let _ = writeln!(text, "{name}:");
        }
        while let Some(line) = lines.next_if(|line| line.insn.0 <= at) {
            let _ = writeln!(text, "; {} [{}:{}]", line.text.trim(), line.file, line.line);
        }
        if *insn != ebpf::Insn::Wide {
            let _ = writeln!(text, "{at:>4}: {}", object.disassemble(program, ebpf::InsnIdx(at)));
        }
    }
    text
}
