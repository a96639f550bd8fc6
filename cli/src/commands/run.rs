//! `prog run`: a capture through a program.
//!
//! Two passes. The first runs one packet at a time on vCPU 0, as `diff` does, so that verdicts, bytes and maps are the same on each
//! back end; words, slots, cycles and latency come from it. The second, on the device model only, offers the capture over and over
//! at the port's wire rate, with as many packets in flight as the dispatch mode allows: that gives the sustained rate and its limit. The
//! single-flow rate is that of one packet over and over: the shortest one that takes at least as many slots as half of all.

use crate::args::{On, RunArgs, Where};
use crate::backends::remote::{DEADLINE, Idle, Remote};
use crate::backends::{self, Prepared, TimedBackend};
use crate::output::{Failure, Outcome, Output};
use crate::program;
use crate::throughput::{self, Throughput};
use offload_compiler::CompileOptions;
use offwire_harness::mapfile::{self, Contents};
use offwire_harness::{Chance, Entry, PacketIn, PacketOut, Verdict, capture};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Verdicts {
    #[serde(rename = "ABORTED")]
    aborted: u64,
    #[serde(rename = "DROP")]
    drop: u64,
    #[serde(rename = "PASS")]
    pass: u64,
    #[serde(rename = "TX")]
    tx: u64,
    #[serde(rename = "REDIRECT")]
    redirect: u64,
}

#[derive(Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    max: u64,
}

#[derive(Serialize)]
struct MapChange {
    map: String,
    entries_before: usize,
    entries_after: usize,
    changed: usize,
}

#[derive(Serialize)]
struct Report {
    program: String,
    on: String,
    profile: &'static str,
    packets: u64,
    verdicts: Verdicts,
    ebpf_insns: u64,
    words: Option<u64>,
    slots: Option<u64>,
    cycles: Option<u64>,
    words_per_packet: Option<f64>,
    slots_per_packet: Option<f64>,
    ebpf_insns_per_word: Option<f64>,
    latency_cycles: Option<Latency>,
    clock_mhz: Option<u32>,
    dispatch: Option<super::DispatchReport>,
    mpps: Option<f64>,
    limit: Option<String>,
    single_flow_mpps: Option<f64>,
    single_flow_limit: Option<String>,
    faults: u64,
    not_comparable: u64,
    map_changes: Vec<MapChange>,
}

/// Runs the capture.
pub(super) fn run(args: &RunArgs, output: &mut Output<'_>) -> Outcome {
    if args.coverage {
        return crate::coverage::run(args, output);
    }
    let idle = match &args.on {
        Where::Device(device) => Some(Idle::open(device, DEADLINE)?),
        Where::Backend(_) => None,
    };
    // A device knows its own profile.
    let profile = idle.as_ref().map_or_else(|| program::profile(&args.program), |idle| Ok(idle.profile))?;
    let object = program::load(&args.program)?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let chosen = program::choose(&args.program, &object)?;
    let contents = program::map_contents(args.maps.as_deref(), &object)?;
    let options =
        CompileOptions { tail_programs: program::tail_programs(&contents, &object), ..CompileOptions::default() };
    let prepared = Prepared::new(&object, chosen, profile, &options, args.dispatch)
        .map_err(program::in_file(&args.program.object))?;
    let bytes = program::read_file(&args.pcap)?;
    let capture = capture::read(&bytes).map_err(program::in_file(&args.pcap))?;
    if let Some(warning) = capture.warning() {
        output.diagnostic(&warning.with_file(args.pcap.display().to_string()));
    }
    let packets = capture.packets_in();
    if let Some(warning) = prepared.dispatch_warning() {
        output.diagnostic(&warning);
    }

    let pass = functional_pass(args, idle.as_ref(), &prepared, &packets, &contents)?;
    let model = match args.on {
        Where::Backend(On::Model) => {
            let typical = typical(&pass.packets, &packets);
            Some((
                throughput::measure(&prepared, packets.iter(), &contents)?,
                throughput::measure(&prepared, typical.into_iter(), &contents)?,
            ))
        }
        Where::Backend(On::Ref | On::Host) | Where::Device(_) => None,
    };
    if let Some(path) = &args.dump_maps {
        program::write_file(path, mapfile::dump(&object, &pass.after).to_string().as_bytes())?;
    }
    if let Some(path) = &args.out {
        program::write_file(path, &outgoing(&packets, &pass.packets))?;
    }
    let report = report(&args.on, chosen.1.name.clone(), &prepared, &pass, model.as_ref(), &object);
    output.result(&report, || text(&report));
    Ok(0)
}

/// What the first pass found.
struct Pass {
    /// One a packet; `None` if the back end could not run it.
    packets: Vec<Option<PacketOut>>,
    insns: u64,
    before: Contents,
    after: Contents,
    cycles: Option<u64>,
    latencies: Vec<u64>,
}

fn functional_pass(
    args: &RunArgs,
    idle: Option<&Idle>,
    prepared: &Prepared<'_>,
    packets: &[PacketIn],
    contents: &Contents,
) -> Result<Pass, Failure> {
    let mut backend: Box<dyn TimedBackend + '_> = match (&args.on, idle) {
        (Where::Backend(on), _) => backends::make(*on, prepared)?,
        (Where::Device(_), Some(idle)) => Box::new(Remote::new(prepared, idle)?),
        (Where::Device(device), None) => Box::new(Remote::new(prepared, &Idle::open(device, DEADLINE)?)?),
    };
    // Instructions are counted by the interpreter, whatever executes the program.
    let mut counter = match args.on {
        Where::Backend(On::Ref) => None,
        Where::Backend(On::Model | On::Host) | Where::Device(_) => Some(backends::make(On::Ref, prepared)?),
    };
    mapfile::apply(backend.as_mut(), contents)?;
    if let Some(counter) = &mut counter {
        mapfile::apply(counter.as_mut(), contents)?;
    }
    let before = mapfile::collect(backend.as_mut(), prepared.object)?;
    let mut pass = Pass {
        packets: Vec::with_capacity(packets.len()),
        insns: 0,
        before,
        after: Vec::new(),
        cycles: None,
        latencies: Vec::new(),
    };
    for (number, packet) in (0..).zip(packets) {
        let chance = Chance::of_packet(number, packet.arrival_ns);
        backend.set_chance(chance);
        if let Some(counter) = &mut counter {
            counter.set_chance(chance);
        }
        let out = match backend.admits(packet) {
            Ok(()) => Some(backend.run(packet)?),
            Err(_) => None,
        };
        let counted = match &mut counter {
            Some(counter) if out.is_some() => counter.run(packet)?.insns,
            _ => out.as_ref().and_then(|out| out.insns),
        };
        pass.insns += counted.unwrap_or(0);
        pass.packets.push(out);
    }
    pass.after = mapfile::collect(backend.as_mut(), prepared.object)?;
    if let Some(timing) = backend.timing() {
        pass.cycles = Some(timing.cycles);
        pass.latencies = timing.latencies;
    }
    Ok(pass)
}

/// The shortest of the packets that take at least as many slots as half of all: the one to repeat for the single-flow rate.
fn typical<'p>(ran: &[Option<PacketOut>], packets: &'p [PacketIn]) -> Option<&'p PacketIn> {
    let mut slots: Vec<u64> = ran.iter().flatten().filter_map(|out| out.slots).collect();
    slots.sort_unstable();
    let median = *slots.get(slots.len() / 2)?;
    let takes_long =
        |out: &Option<PacketOut>| out.as_ref().and_then(|out| out.slots).is_some_and(|slots| slots >= median);
    let long = ran.iter().zip(packets).filter(|(out, _)| takes_long(out)).map(|(_, packet)| packet);
    long.min_by_key(|packet| packet.bytes.len())
}

/// The packets that a NIC would send on or hand up, as a capture with the times of arrival.
fn outgoing(packets: &[PacketIn], out: &[Option<PacketOut>]) -> Vec<u8> {
    let kept = packets.iter().zip(out).filter_map(|(packet, out)| {
        let out = out.as_ref()?;
        match Verdict::from_retval(out.retval) {
            Verdict::Pass | Verdict::Tx | Verdict::Redirect => Some((packet.arrival_ns, out.bytes.as_slice())),
            Verdict::Aborted | Verdict::Drop => None,
        }
    });
    capture::write(kept)
}

fn report(
    on: &Where,
    program: String,
    prepared: &Prepared<'_>,
    pass: &Pass,
    model: Option<&(Throughput, Throughput)>,
    object: &offload_compiler::object::Object,
) -> Report {
    let ran = || pass.packets.iter().flatten();
    let count = |verdict| ran().filter(|out| Verdict::from_retval(out.retval) == verdict).count() as u64;
    let packets = ran().count() as u64;
    let words: Option<u64> = ran().map(|out| out.words).sum();
    let slots: Option<u64> = ran().map(|out| out.slots).sum();
    let per_packet = |total: Option<u64>| total.filter(|_| packets > 0).map(|total| total as f64 / packets as f64);
    let mut latencies = pass.latencies.clone();
    latencies.sort_unstable();
    let rank =
        |percent: usize| latencies.get((latencies.len().saturating_sub(1)) * percent / 100).copied().unwrap_or(0);
    Report {
        program,
        on: match on {
            Where::Backend(on) => backends::name(*on).to_owned(),
            Where::Device(device) => device.to_string(),
        },
        profile: prepared.profile.name,
        packets,
        verdicts: Verdicts {
            aborted: count(Verdict::Aborted),
            drop: count(Verdict::Drop),
            pass: count(Verdict::Pass),
            tx: count(Verdict::Tx),
            redirect: count(Verdict::Redirect),
        },
        ebpf_insns: pass.insns,
        words,
        slots,
        cycles: pass.cycles,
        words_per_packet: per_packet(words),
        slots_per_packet: per_packet(slots),
        ebpf_insns_per_word: words.filter(|&words| words > 0).map(|words| pass.insns as f64 / words as f64),
        latency_cycles: pass.cycles.map(|_| Latency { p50: rank(50), p99: rank(99), max: rank(100) }),
        clock_mhz: pass.cycles.map(|_| prepared.profile.clock_mhz),
        dispatch: pass.cycles.map(|_| super::DispatchReport::chosen(prepared)),
        mpps: model.map(|(all, _)| all.mpps),
        limit: model.map(|(all, _)| all.limit.clone()),
        single_flow_mpps: model.map(|(_, one)| one.mpps),
        single_flow_limit: model.map(|(_, one)| one.limit.clone()),
        faults: ran().filter(|out| out.fault.is_some()).count() as u64,
        not_comparable: pass.packets.iter().filter(|out| out.is_none()).count() as u64,
        map_changes: changes(pass, object),
    }
}

/// The entry with the same key; entries ascend by key.
fn find<'a>(entries: &'a [Entry], like: &Entry) -> Option<&'a Entry> {
    entries.binary_search_by(|entry| entry.key.cmp(&like.key)).ok().and_then(|at| entries.get(at))
}

fn changes(pass: &Pass, object: &offload_compiler::object::Object) -> Vec<MapChange> {
    let mut changes = Vec::new();
    for ((map, before), (_, after)) in pass.before.iter().zip(&pass.after) {
        let changed = after.iter().filter(|entry| find(before, entry) != Some(*entry)).count()
            + before.iter().filter(|entry| find(after, entry).is_none()).count();
        if changed > 0 {
            changes.push(MapChange {
                map: object.maps.get(usize::from(map.0)).map_or_else(String::new, |map| map.spec.name.clone()),
                entries_before: before.len(),
                entries_after: after.len(),
                changed,
            });
        }
    }
    changes
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    let _ =
        writeln!(text, "{} on {}, profile {}: {} packets", report.program, report.on, report.profile, report.packets);
    for (name, count) in [
        ("ABORTED", report.verdicts.aborted),
        ("DROP", report.verdicts.drop),
        ("PASS", report.verdicts.pass),
        ("TX", report.verdicts.tx),
        ("REDIRECT", report.verdicts.redirect),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  XDP_{name:<9} {count:>8}");
        }
    }
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22} {value}");
    };
    if report.not_comparable > 0 {
        row("not run here", report.not_comparable.to_string());
    }
    if report.faults > 0 {
        row("faults", report.faults.to_string());
    }
    row("eBPF instructions", report.ebpf_insns.to_string());
    if let (Some(words), Some(per_packet), Some(ratio)) =
        (report.words, report.words_per_packet, report.ebpf_insns_per_word)
    {
        row("words", format!("{words} ({per_packet:.2} a packet, {ratio:.1} eBPF instructions a word)"));
    }
    if let (Some(slots), Some(per_packet)) = (report.slots, report.slots_per_packet) {
        row("slots", format!("{slots} ({per_packet:.2} a packet)"));
    }
    if let (Some(latency), Some(clock)) = (&report.latency_cycles, report.clock_mhz) {
        let nanoseconds = |cycles: u64| cycles * 1000 / u64::from(clock);
        row(
            "latency, unloaded",
            format!(
                "p50 {}, p99 {}, max {} cycles ({}, {}, {} ns)",
                latency.p50,
                latency.p99,
                latency.max,
                nanoseconds(latency.p50),
                nanoseconds(latency.p99),
                nanoseconds(latency.max)
            ),
        );
    }
    if let (Some(mpps), Some(limit)) = (report.mpps, &report.limit) {
        row("modelled rate", format!("{mpps:.1} Mpps, limited by {limit}"));
    }
    if let (Some(mpps), Some(limit)) = (report.single_flow_mpps, &report.single_flow_limit) {
        row("single-flow rate", format!("{mpps:.1} Mpps, limited by {limit}"));
    }
    if let Some(dispatch) = &report.dispatch {
        row("dispatch", format!("{}: {}", dispatch.mode, dispatch.reason));
    }
    for change in &report.map_changes {
        row(
            &format!("map {}", change.map),
            format!(
                "{} entries changed, {} before, {} after",
                change.changed, change.entries_before, change.entries_after
            ),
        );
    }
    text
}
