//! `diff`: one program on several back ends.

use crate::args::{DiffArgs, DispatchArg};
use crate::backends::{self, Prepared};
use crate::output::{Outcome, Output};
use crate::program;
use offload_compiler::CompileOptions;
use offwire_harness::{Backend, capture, diff, mapfile};

/// Runs the capture, and random packets if asked for, on all back ends.
pub(super) fn run(args: &DiffArgs, output: &mut Output<'_>) -> Outcome {
    let profile = program::profile(&args.program)?;
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let chosen = program::choose(&args.program, &object)?;
    let prepared = Prepared::new(&object, chosen, profile, &CompileOptions::default(), DispatchArg::Auto)
        .map_err(program::in_file(&args.program.object))?;
    let bytes = program::read_file(&args.pcap)?;
    let capture = capture::read(&bytes).map_err(program::in_file(&args.pcap))?;
    let mut packets = capture.packets_in();
    packets.extend(diff::random_packets(&packets, args.random, args.seed));
    let initial = match &args.maps {
        Some(path) => {
            let bytes = program::read_file(path)?;
            mapfile::parse(&bytes, &object).map_err(program::in_file(path))?
        }
        None => Vec::new(),
    };
    let mut made = Vec::new();
    for &on in &args.on {
        made.push(backends::make(on, &prepared)?);
    }
    let mut list: Vec<&mut dyn Backend> = made.iter_mut().map(|backend| &mut **backend as &mut dyn Backend).collect();
    let report = diff::run(&object, chosen, &mut list, &packets, &initial)?;
    output.result(&report, || report.to_string());
    Ok(u8::from(!report.is_equal()))
}
