//! `prog build`: compile to an image file.

use crate::args::BuildArgs;
use crate::output::{Outcome, Output};
use crate::program;
use offload_compiler::{CompileOptions, compile};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    program: String,
    profile: &'static str,
    image: String,
    bytes: usize,
    words: usize,
    maps: usize,
    map_bytes: u64,
    budget_cycles: u32,
    dispatch: super::DispatchReport,
}

/// Compiles and writes.
pub(super) fn run(args: &BuildArgs, output: &mut Output<'_>) -> Outcome {
    let profile = program::profile(&args.program)?;
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let (_, chosen) = program::choose(&args.program, &object)?;
    let compiled = compile(&object, chosen, profile, &CompileOptions::default())
        .map_err(program::in_file(&args.program.object))?;
    let bytes = compiled.image.to_bytes();
    program::write_file(&args.output, &bytes)?;
    let copies = |kind: offwire_image::MapKind| if kind.is_per_cpu() { u64::from(profile.vcpus) } else { 1 };
    let report = Report {
        program: chosen.name.clone(),
        profile: profile.name,
        image: args.output.display().to_string(),
        bytes: bytes.len(),
        words: compiled.image.words.len(),
        maps: compiled.image.maps.len(),
        map_bytes: compiled
            .image
            .maps
            .iter()
            .map(|map| {
                (u64::from(map.key_size) + u64::from(map.value_size) * copies(map.kind))
                    .saturating_mul(u64::from(map.max_entries))
            })
            .sum(),
        budget_cycles: compiled.image.budget_cycles,
        dispatch: super::DispatchReport::of(&compiled.image.dispatch),
    };
    output.result(&report, || {
        format!(
            "{}: {} words of {}, {} maps with {} bytes, {} bytes written for {}\n  dispatch {}: {}\n",
            report.program,
            report.words,
            profile.instruction_store_words,
            report.maps,
            report.map_bytes,
            report.bytes,
            profile.name,
            report.dispatch.mode,
            report.dispatch.reason
        )
    });
    Ok(0)
}
