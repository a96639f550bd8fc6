//! `prog dump`: a program in one of its forms.

use crate::args::{DumpArgs, DumpForm};
use crate::output::{Outcome, Output};
use crate::program;
use offload_compiler::{CompileOptions, compile};
use serde::Serialize;

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
        DumpForm::Xlated => ("xlated", chosen.dump(&object)),
        DumpForm::Ir | DumpForm::Ucode => {
            let compiled = compile(&object, chosen, profile, &CompileOptions::default())
                .map_err(program::in_file(&args.program.object))?;
            match args.form {
                DumpForm::Ir => ("ir", compiled.func.to_string()),
                _ => ("ucode", offload_compiler::emit::dump(&compiled.image, Some(chosen))),
            }
        }
    };
    let report = Report { program: chosen.name.clone(), form, lines: text.lines().map(str::to_owned).collect() };
    output.result(&report, || text);
    Ok(0)
}
