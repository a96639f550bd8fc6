//! `prog check`: verify and compile, run nothing.

use crate::args::CheckArgs;
use crate::output::{Failure, Outcome, Output};
use crate::program;
use offload_compiler::{CompileOptions, compile, verify};
use offwire_diag::Diagnostic;
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Report {
    object: String,
    profile: &'static str,
    programs: Vec<ProgramReport>,
}

#[derive(Serialize)]
struct ProgramReport {
    name: String,
    section: String,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ebpf_insns: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processed_insns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch: Option<super::DispatchReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Diagnostic>,
}

/// Checks the named program, or all of them.
pub(super) fn run(args: &CheckArgs, output: &mut Output<'_>) -> Outcome {
    let profile = program::profile(&args.program)?;
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let all = args.program.prog.is_none() && !(object.programs.is_empty() && object.refused.is_empty());
    let chosen: Vec<_> =
        if all { object.programs.iter().collect() } else { vec![program::choose(&args.program, &object)?.1] };
    let limits = verify::Limits { max_processed: args.max_insns, ..Default::default() };
    let options = CompileOptions { limits, ..Default::default() };
    let mut report =
        Report { object: args.program.object.display().to_string(), profile: profile.name, programs: Vec::new() };
    let mut failures = Vec::new();
    for program in object.refused.iter().filter(|_| all) {
        let Failure { diagnostics, .. } = program::in_file(&args.program.object)(program.diagnostic.clone());
        report.programs.push(ProgramReport {
            name: program.name.clone(),
            section: program.section.clone(),
            result: "refused",
            ebpf_insns: None,
            processed_insns: None,
            words: None,
            image_bytes: None,
            dispatch: None,
            diagnostics: diagnostics.clone(),
        });
        failures.extend(diagnostics);
    }
    for program in chosen {
        let mut entry = ProgramReport {
            name: program.name.clone(),
            section: program.section.clone(),
            result: "accepted",
            ebpf_insns: Some(program.insns.len()),
            processed_insns: None,
            words: None,
            image_bytes: None,
            dispatch: None,
            diagnostics: Vec::new(),
        };
        match compile(&object, program, profile, &options) {
            Ok(compiled) => {
                entry.processed_insns = Some(compiled.verified.stats.processed);
                entry.words = Some(compiled.image.words.len());
                entry.image_bytes = Some(compiled.image.to_bytes().len());
                entry.dispatch = Some(super::DispatchReport::of(&compiled.image.dispatch));
            }
            Err(diagnostic) => {
                entry.result = "refused";
                let Failure { diagnostics, .. } = program::in_file(&args.program.object)(diagnostic);
                entry.diagnostics = diagnostics.clone();
                failures.extend(diagnostics);
            }
        }
        report.programs.push(entry);
    }
    output.result(&report, || text(&report));
    for diagnostic in &failures {
        output.diagnostic(diagnostic);
    }
    Ok(u8::from(!failures.is_empty()))
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.programs {
        let _ = write!(text, "{} ({}): {}", entry.name, entry.section, entry.result);
        if let Some(insns) = entry.ebpf_insns {
            let _ = write!(text, ", {insns} eBPF instructions");
        }
        if let (Some(words), Some(bytes), Some(processed)) = (entry.words, entry.image_bytes, entry.processed_insns) {
            let _ =
                write!(text, " ({processed} verified), {words} words, image of {bytes} bytes for {}", report.profile);
        }
        text.push('\n');
        if let Some(dispatch) = &entry.dispatch {
            let _ = writeln!(text, "  dispatch {}: {}", dispatch.mode, dispatch.reason);
        }
    }
    text
}
