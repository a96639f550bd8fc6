//! `dev show`, `dev stats`, `dev reset`, `dev port`.

use crate::args::device::{DeviceArgs, PortArgs};
use crate::connect::{self, Session, failure};
use crate::output::{Failure, Outcome, Output};
use driver::{CounterOf, PortInfo};
use offwire_hostif::{DispatchChoice, PortFlag, TimeMode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The word for a dispatch mode, as `--dispatch` takes it.
pub(crate) fn mode(choice: DispatchChoice) -> &'static str {
    match choice {
        DispatchChoice::Proven => "auto",
        DispatchChoice::Cpu => "cpu",
        DispatchChoice::Flow => "flow",
        DispatchChoice::Any => "any",
    }
}

fn time(mode: TimeMode) -> &'static str {
    match mode {
        TimeMode::Virtual => "virtual",
        TimeMode::Real => "real",
        TimeMode::Free => "free",
    }
}

#[derive(Serialize)]
struct Attached {
    id: u16,
    name: String,
    dispatch: &'static str,
}

#[derive(Serialize)]
struct Port {
    port: u16,
    ifindex: u32,
    up: bool,
    loopback: bool,
    gbps: u32,
    program: Option<Attached>,
}

impl Port {
    fn new(session: &Session, info: &PortInfo) -> Result<Self, Failure> {
        let program = match info.program {
            Some((id, choice)) => {
                let name = session.device.program(id).map_err(|error| failure(&error))?.name;
                Some(Attached { id: id.0, name, dispatch: mode(choice) })
            }
            None => None,
        };
        Ok(Port {
            port: info.port,
            ifindex: info.ifindex,
            up: info.flags & PortFlag::UP != 0,
            loopback: info.flags & PortFlag::LOOPBACK != 0,
            gbps: info.gbps,
            program,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("port {}  ifindex {}  {}", self.port, self.ifindex, if self.up { "up" } else { "down" });
        if self.loopback {
            text += "  loopback";
        }
        if let Some(program) = &self.program {
            let _ = write!(text, "  program {} {} ({})", program.id, program.name, program.dispatch);
        }
        text + "\n"
    }

    /// As after power on.
    fn is_plain(&self) -> bool {
        self.up && !self.loopback && self.program.is_none() && self.ifindex == u32::from(self.port) + 1
    }
}

#[derive(Serialize)]
struct Limits {
    programs: u32,
    maps: u32,
    instruction_store_words: u32,
    map_memory_bytes: u32,
    queue_pairs: u8,
    vectors: u16,
}

#[derive(Serialize)]
struct Report {
    dev: String,
    transport: String,
    interface: String,
    isa_version: u32,
    profile: Option<&'static str>,
    profile_hash: String,
    clock_mhz: u32,
    vcpus: u32,
    time: &'static str,
    time_choices: Vec<&'static str>,
    instance: u64,
    resets: u32,
    cycle: u64,
    limits: Limits,
    programs: usize,
    maps: usize,
    ports: Vec<Port>,
}

pub(super) fn show(args: &DeviceArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(args, output)?;
    let device = &session.device;
    let inventory = device.inventory().map_err(|error| failure(&error))?;
    let info = &session.info;
    let ports = inventory.ports.iter().map(|port| Port::new(&session, port)).collect::<Result<Vec<_>, _>>()?;
    let report = Report {
        dev: session.spec.to_string(),
        transport: device.describe(),
        interface: format!("{}.{}", info.interface.0, info.interface.1),
        isa_version: info.isa_version,
        profile: session.profile().ok().map(|profile| profile.name),
        profile_hash: format!("{:#018x}", info.profile_hash),
        clock_mhz: info.clock_mhz,
        vcpus: info.vcpus,
        time: time(info.time_mode),
        time_choices: info.time_choices.iter().map(|&mode| time(mode)).collect(),
        instance: info.life.instance,
        resets: info.life.resets,
        cycle: device.cycle().map_err(|error| failure(&error))?,
        limits: Limits {
            programs: info.max_programs,
            maps: info.max_maps,
            instruction_store_words: info.store_words,
            map_memory_bytes: info.map_memory,
            queue_pairs: info.queue_pairs,
            vectors: info.vectors,
        },
        programs: inventory.programs.len(),
        maps: inventory.maps.len(),
        ports,
    };
    output.result(&report, || text(&report));
    Ok(0)
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{}\n  {}\n  interface {}, ISA version {}, profile {}, {} MHz, {} vCPUs, time {}\n",
        report.dev,
        report.transport,
        report.interface,
        report.isa_version,
        report.profile.unwrap_or("unknown"),
        report.clock_mhz,
        report.vcpus,
        report.time
    );
    let _ = writeln!(
        text,
        "  instance {:#x}, {} resets, cycle {}\n  {} programs of {}, {} maps of {}",
        report.instance,
        report.resets,
        report.cycle,
        report.programs,
        report.limits.programs,
        report.maps,
        report.limits.maps
    );
    let shown: Vec<&Port> = report.ports.iter().filter(|port| !port.is_plain()).collect();
    let rest = report.ports.len() - shown.len();
    for port in shown {
        let _ = write!(text, "  {}", port.text());
    }
    let _ = writeln!(text, "  {rest} ports without a program");
    text
}

type Counters = BTreeMap<&'static str, u64>;

#[derive(Serialize)]
struct OfPort {
    port: u16,
    #[serde(flatten)]
    counters: Counters,
}

#[derive(Serialize)]
struct OfProgram {
    id: u16,
    name: String,
    #[serde(flatten)]
    counters: Counters,
}

#[derive(Serialize)]
struct Stats {
    device: Counters,
    ports: Vec<OfPort>,
    programs: Vec<OfProgram>,
}

pub(super) fn stats(args: &DeviceArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(args, output)?;
    let device = &session.device;
    let read = |of| -> Result<Counters, Failure> {
        let counters = device.counters(of).map_err(|error| failure(&error))?;
        Ok(counters.iter().collect())
    };
    let mut stats = Stats { device: read(CounterOf::Device)?, ports: Vec::new(), programs: Vec::new() };
    for port in 0..device.port_count() {
        let counters = read(CounterOf::Port(port))?;
        if counters.values().any(|&count| count != 0) {
            stats.ports.push(OfPort { port, counters });
        }
    }
    for id in device.programs().map_err(|error| failure(&error))? {
        let name = device.program(id).map_err(|error| failure(&error))?.name;
        stats.programs.push(OfProgram { id: id.0, name, counters: read(CounterOf::Program(id))? });
    }
    output.result(&stats, || {
        let mut text = lines("device", &stats.device);
        for port in &stats.ports {
            text += &lines(&format!("port {}", port.port), &port.counters);
        }
        for program in &stats.programs {
            text += &lines(&format!("program {} {}", program.id, program.name), &program.counters);
        }
        text
    });
    Ok(0)
}

fn lines(of: &str, counters: &Counters) -> String {
    let mut text = format!("{of}\n");
    for (name, count) in counters.iter().filter(|(_, count)| **count != 0) {
        let _ = writeln!(text, "  {name:<16} {count}");
    }
    text
}

#[derive(Serialize)]
struct Life {
    instance: u64,
    resets: u32,
}

pub(super) fn reset(args: &DeviceArgs, output: &mut Output<'_>) -> Outcome {
    let mut session = connect::open(args, output)?;
    session.device.reset().map_err(|error| failure(&error))?;
    let life = session.device.info().map_err(|error| failure(&error))?.life;
    session.state.clear(life.instance, life.resets);
    session.state.save()?;
    let life = Life { instance: life.instance, resets: life.resets };
    output.result(&life, || format!("reset; it is reset number {}\n", life.resets));
    Ok(0)
}

pub(super) fn port(args: &PortArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let device = &session.device;
    let now = device.port(args.port).map_err(|error| failure(&error))?;
    let put = |flags: u16, flag: u16, on: Option<bool>| match on {
        Some(true) => flags | flag,
        Some(false) => flags & !flag,
        None => flags,
    };
    let up = if args.up { Some(true) } else { args.down.then_some(false) };
    let flags = put(put(now.flags, PortFlag::UP, up), PortFlag::LOOPBACK, args.loopback);
    device.set_port(args.port, flags, Some(args.ifindex.unwrap_or(now.ifindex))).map_err(|error| failure(&error))?;
    let port = Port::new(&session, &device.port(args.port).map_err(|error| failure(&error))?)?;
    output.result(&port, || port.text());
    Ok(0)
}
