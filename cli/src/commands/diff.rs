//! `diff`: one program on several back ends.

use crate::args::{DiffArgs, DispatchArg, Where};
use crate::backends::remote::{DEADLINE, Idle, Remote};
use crate::backends::{self, Prepared};
use crate::output::{self, Failure, Output};
use crate::program;
use offload_compiler::CompileOptions;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::diff::{self, Outcome, Report};
use offwire_harness::mapfile::Contents;
use offwire_harness::overlap::{self, Finding};
use offwire_harness::random::RandomPackets;
use offwire_harness::{Backend, PacketIn, capture};
use offwire_image::DispatchMode;
use serde::Serialize;

/// Runs the capture, and random packets if asked for, on all back ends.
pub(super) fn run(args: &DiffArgs, output: &mut Output<'_>) -> output::Outcome {
    let idle = idle(&args.on)?;
    // A device knows its own profile.
    let profile = match idle.first() {
        Some(idle) => idle.profile,
        None => program::profile(&args.program)?,
    };
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
    if args.overlap {
        let packets: Vec<PacketIn> = packets.iter().cloned().chain(random).filter(backends::fits_device).collect();
        return overlapping(&prepared, &contents, &packets, output);
    }
    let mut made: Vec<Box<dyn Backend + '_>> = Vec::new();
    let mut devices = idle.iter();
    for on in &args.on {
        made.push(match on {
            Where::Backend(on) => backends::make(*on, &prepared)?,
            Where::Device(_) => match devices.next() {
                Some(idle) => Box::new(Remote::new(&prepared, idle)?),
                None => continue,
            },
        });
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

/// The devices among the back ends, open. They must be of one kind, as the program is compiled once.
fn idle(on: &[Where]) -> Result<Vec<Idle>, Failure> {
    let devices = on.iter().filter_map(|on| match on {
        Where::Device(device) => Some(Idle::open(device, DEADLINE)),
        Where::Backend(_) => None,
    });
    let devices = devices.collect::<Result<Vec<Idle>, Failure>>()?;
    if devices.windows(2).any(|pair| matches!(pair, [a, b] if a.profile.hash != b.profile.hash)) {
        return Err(Failure::usage(codes::cli::USAGE, "the devices have different profiles"));
    }
    Ok(devices)
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

/// A run with many packets in flight.
#[derive(Serialize)]
struct Overlapped {
    /// Dispatch mode.
    mode: &'static str,
    packets: usize,
    /// Operations on maps, in the order in which they took effect.
    operations: usize,
    /// Most packets that were between their first and last operation at the same time.
    overlapping: usize,
    /// What no order explains.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Finding>,
}

#[derive(Serialize)]
struct OverlapReport {
    result: Outcome,
    on: [&'static str; 2],
    packets: usize,
    modes: Vec<Overlapped>,
}

/// Runs the packets on the device in each mode up to the proven one, and checks what it tells.
fn overlapping(
    prepared: &Prepared<'_>,
    contents: &Contents,
    packets: &[PacketIn],
    output: &mut Output<'_>,
) -> output::Outcome {
    let proven = prepared.compiled.image.dispatch.mode;
    let mut report =
        OverlapReport { result: Outcome::Equal, on: ["ref", "model"], packets: packets.len(), modes: Vec::new() };
    let mut found = None;
    for mode in [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any].into_iter().filter(|mode| *mode <= proven) {
        let run = crate::overlap::run(prepared, mode, contents, packets)?;
        let first = overlap::check(prepared.object, prepared.index, contents, packets, &run).err();
        if let Some(finding) = &first {
            let at = finding.packet.map_or(String::new(), |packet| format!(" at packet {packet}"));
            let mode = super::mode_name(mode);
            found.get_or_insert_with(|| {
                Diagnostic::error(codes::data::DIFFER, format!("ref and model differ{at} in dispatch mode {mode}"))
                    .with_reason(finding.what.clone())
            });
            report.result = Outcome::Differ;
        }
        report.modes.push(Overlapped {
            mode: super::mode_name(mode),
            packets: packets.len(),
            operations: run.log.len(),
            overlapping: run.overlapping(),
            first,
        });
    }
    output.result(&report, || overlap_text(&report));
    match found {
        None => Ok(0),
        Some(diagnostic) => {
            output.diagnostic(&diagnostic);
            Ok(1)
        }
    }
}

fn overlap_text(report: &OverlapReport) -> String {
    let line = |run: &Overlapped| {
        let result = if run.first.is_some() { "differ" } else { "equal" };
        format!(
            "{}, dispatch {}: {result}, {} packets, {} map operations, at most {} packets in between theirs\n",
            report.on.join(", "),
            run.mode,
            run.packets,
            run.operations,
            run.overlapping
        )
    };
    report.modes.iter().map(line).collect()
}
