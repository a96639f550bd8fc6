//! `diff`: one program on several back ends.

use crate::args::{DiffArgs, DispatchArg};
use crate::backends::{self, Prepared};
use crate::output::{self, Output};
use crate::program;
use offload_compiler::CompileOptions;
use offwire_harness::diff::{self, Outcome, Report};
use offwire_harness::random::RandomPackets;
use offwire_harness::{Backend, capture};

/// Runs the capture, and random packets if asked for, on all back ends.
pub(super) fn run(args: &DiffArgs, output: &mut Output<'_>) -> output::Outcome {
    let profile = program::profile(&args.program)?;
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let chosen = program::choose(&args.program, &object)?;
    let contents = program::map_contents(args.maps.as_deref(), &object)?;
    let options =
        CompileOptions { tail_programs: program::tail_programs(&contents, &object), ..CompileOptions::default() };
    let prepared = Prepared::new(&object, chosen, profile, &options, DispatchArg::Auto)
        .map_err(program::in_file(&args.program.object))?;
    let bytes = program::read_file(&args.pcap)?;
    let capture = capture::read(&bytes).map_err(program::in_file(&args.pcap))?;
    if let Some(warning) = capture.warning() {
        output.diagnostic(&warning.with_file(args.pcap.display().to_string()));
    }
    let packets = capture.packets_in();
    let random = usize::try_from(args.random).unwrap_or(usize::MAX);
    let random = RandomPackets::new(args.seed, &packets).take(random);
    let mut made: Vec<Box<dyn Backend + '_>> = Vec::new();
    for &on in &args.on {
        made.push(backends::make(on, &prepared)?);
    }
    let report =
        diff::run(&mut made, &object, &contents, packets.iter().cloned().chain(random), diff::Options::default());
    output.result(&report, || text(&report));
    match report.to_diagnostic() {
        None => Ok(0),
        Some(diagnostic) => {
            output.diagnostic(&diagnostic);
            Ok(1)
        }
    }
}

fn text(report: &Report) -> String {
    let result = match report.result {
        Outcome::Equal => "equal",
        Outcome::Differ => "differ",
        Outcome::Refused => "refused",
    };
    let on = report.on.join(", ");
    format!("{on}: {result}, {} packets, {} not comparable\n", report.packets, report.not_comparable)
}
