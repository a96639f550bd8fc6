//! `prog run --coverage`: which instructions of a program a capture reaches.
//!
//! The capture runs on the reference interpreter, which asserts the program's facts on the way and counts the executions of each
//! instruction. Programs that tail calls may reach from the chosen one count too: the program array's entries name them, those of
//! the object and those of the map file.

use crate::args::RunArgs;
use crate::output::{Outcome, Output};
use crate::program;
use bitvec::vec::BitVec;
use offload_compiler::ebpf::Insn;
use offload_compiler::facts;
use offload_compiler::object::{Initial, Object, Program};
use offload_compiler::verify::{Limits, verify};
use offwire_harness::mapfile::{self, Contents};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, EntryValue, capture};
use offwire_image::MapKind;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What a capture reached of a program and of those that it may call.
#[derive(Serialize)]
struct Report {
    program: String,
    on: &'static str,
    packets: u64,
    /// eBPF instructions executed.
    ebpf_insns: u64,
    coverage: Share,
    programs: Vec<Part>,
}

/// Instructions that were executed at least once; a 64-bit immediate load is one instruction.
#[derive(Clone, Copy, Serialize)]
struct Share {
    insns: usize,
    reached: usize,
    percent: f64,
}

impl Share {
    fn of(insns: usize, reached: usize) -> Self {
        // One decimal, downwards: 100.0 means all.
        let percent = (reached * 1000).checked_div(insns).map_or(100.0, |tenths| tenths as f64 / 10.0);
        Share { insns, reached, percent }
    }
}

#[derive(Serialize)]
struct Part {
    program: String,
    #[serde(flatten)]
    share: Share,
    unreached: Vec<Unreached>,
}

/// Instructions of one source line that were never executed.
#[derive(Serialize)]
struct Unreached {
    file: String,
    line: u32,
    source: String,
    /// As the kernel numbers them, 8-byte slots.
    insns: Vec<usize>,
}

/// Runs the capture and says what it reached.
pub(crate) fn run(args: &RunArgs, output: &mut Output<'_>) -> Outcome {
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let (index, chosen) = program::choose(&args.program, &object)?;
    let bytes = program::read_file(&args.pcap)?;
    let capture = capture::read(&bytes).map_err(program::in_file(&args.pcap))?;
    if let Some(warning) = capture.warning() {
        output.diagnostic(&warning.with_file(args.pcap.display().to_string()));
    }
    let contents = program::map_contents(args.maps.as_deref(), &object)?;

    let reachable = reachable(&object, index, &contents);
    let in_object = program::in_file(&args.program.object);
    let mut interpreter = Ref::new(&object, index).map_err(&in_object)?.with_coverage();
    for &(number, program) in &reachable {
        verify(&object, program, &Limits::default()).map_err(&in_object)?;
        let facts = facts::analyze(&object, program).map_err(&in_object)?;
        interpreter = interpreter.with_facts_of(number, &facts);
    }
    mapfile::apply(&mut interpreter, &contents)?;
    let packets = capture.packets_in();
    for (number, packet) in (0..).zip(&packets) {
        interpreter.set_chance(Chance::of_packet(number, packet.arrival_ns));
        interpreter.run(packet)?;
    }

    let programs: Vec<Part> =
        reachable.iter().map(|&(number, program)| part(program, interpreter.coverage_of(number))).collect();
    let total = |of: fn(&Share) -> usize| programs.iter().map(|part| of(&part.share)).sum();
    let report = Report {
        program: chosen.name.clone(),
        on: "ref",
        packets: packets.len() as u64,
        ebpf_insns: interpreter.insns(),
        coverage: Share::of(total(|share| share.insns), total(|share| share.reached)),
        programs,
    };
    output.result(&report, || text(&report));
    Ok(0)
}

/// The program with this number, then those that program arrays name, in the order of the object.
fn reachable<'a>(object: &'a Object, index: usize, contents: &Contents) -> Vec<(usize, &'a Program)> {
    let mut named = BTreeSet::new();
    for (number, map) in object.maps.iter().enumerate().filter(|(_, map)| map.spec.kind == MapKind::ProgArray) {
        for (_, what) in &map.initial {
            if let Initial::Program(name) = what {
                named.extend(object.programs.iter().position(|program| program.name == *name));
            }
        }
        for (_, entries) in contents.iter().filter(|(map, _)| usize::from(map.0) == number) {
            for entry in entries {
                if let EntryValue::One(value) = &entry.value
                    && let Some(value) = value.first_chunk()
                {
                    named.extend(usize::try_from(u32::from_le_bytes(*value)).ok());
                }
            }
        }
    }
    named.remove(&index);
    std::iter::once(index).chain(named).filter_map(|at| Some((at, object.programs.get(at)?))).collect()
}

fn part(program: &Program, counts: &[u64]) -> Part {
    // The second half of a 64-bit immediate is no instruction.
    let insns: BitVec = program.insns.iter().map(|insn| !matches!(insn, Insn::Wide)).collect();
    let reached: BitVec = counts.iter().map(|&count| count > 0).collect();
    let missed = insns.clone() & !reached.clone();
    let mut unreached: Vec<Unreached> = Vec::new();
    for at in missed.iter_ones() {
        let line = program.lines.iter().rfind(|line| line.insn.at() <= at);
        let (file, number, source) = line.map_or(("", 0, ""), |line| (&line.file, line.line, line.text.trim()));
        match unreached.iter_mut().find(|known| (known.file.as_str(), known.line) == (file, number)) {
            Some(known) => known.insns.push(at),
            None => unreached.push(Unreached {
                file: file.to_owned(),
                line: number,
                source: source.to_owned(),
                insns: vec![at],
            }),
        }
    }
    unreached.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let share = Share::of(insns.count_ones(), insns.count_ones() - missed.count_ones());
    Part { program: program.name.clone(), share, unreached }
}

fn text(report: &Report) -> String {
    let share = |share: &Share| format!("{:.1} %, {} of {} instructions", share.percent, share.reached, share.insns);
    let mut text = format!("{} on {}: {} packets\n", report.program, report.on, report.packets);
    let _ = writeln!(text, "  {:<22} {}", "eBPF instructions", report.ebpf_insns);
    let _ = writeln!(text, "  {:<22} {}", "coverage", share(&report.coverage));
    for part in &report.programs {
        if report.programs.len() > 1 {
            let _ = writeln!(text, "  {:<22} {}", part.program, share(&part.share));
        }
        for line in &part.unreached {
            let insns: Vec<String> = line.insns.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                text,
                "  {:<22} {}:{} at {}: {}",
                "not reached",
                line.file,
                line.line,
                insns.join(", "),
                line.source
            );
        }
    }
    text
}
