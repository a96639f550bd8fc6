//! `prog dump`: a program in one of its forms.

use crate::args::{DumpArgs, DumpForm};
use crate::output::{Outcome, Output};
use crate::program;
use offload_compiler::{CompileOptions, compile};
use offwire_diag::{Diagnostic, codes};
use offwire_image::Image;
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    program: String,
    form: &'static str,
    lines: Vec<String>,
}

/// Prints the program.
pub(super) fn run(args: &DumpArgs, output: &mut Output<'_>) -> Outcome {
    if let Some(image) = program::image(&args.program)? {
        return image_code(args, &image, output);
    }
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
                DumpForm::Ir => {
                    let funcs = std::iter::once(&compiled.func).chain(&compiled.functions);
                    ("ir", offload_compiler::ir::print_all(funcs))
                }
                _ => ("ucode", offload_compiler::emit::dump(&compiled.image, Some(chosen))),
            }
        }
    };
    let report = Report { program: chosen.name.clone(), form, lines: text.lines().map(str::to_owned).collect() };
    output.result(&report, || text);
    Ok(0)
}

/// An image has only its microcode to show.
fn image_code(args: &DumpArgs, image: &Image, output: &mut Output<'_>) -> Outcome {
    if args.form != DumpForm::Ucode {
        let form = if args.form == DumpForm::Ir { "IR" } else { "eBPF instructions" };
        let diagnostic = Diagnostic::error(codes::cli::IMAGE_FORM, format!("an image holds no {form}"))
            .with_help("dump it with --as ucode, or dump the object that it was built from");
        return Err(program::in_file(&args.program.object)(diagnostic));
    }
    let text = offload_compiler::emit::dump(image, None);
    let report =
        Report { program: image.name.clone(), form: "ucode", lines: text.lines().map(str::to_owned).collect() };
    output.result(&report, || text);
    Ok(0)
}
