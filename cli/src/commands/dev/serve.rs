//! `dev serve`: the software device as a process, until SIGINT or SIGTERM.

use crate::args::{ServeArgs, TimeArg};
use crate::output::{Failure, Outcome, Output};
use device_model::host::HostConfig;
use offwire_diag::{Diagnostic, codes};
use offwire_hostif::TimeMode;
use offwire_isa::Profile;
use offwire_serve::{Options, PortKind, PortSpec, ServeError, Service, Stop, Summary, device};
use serde::Serialize;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};

/// What is said once it listens; with -j the only document.
#[derive(Serialize)]
struct Listening {
    socket: String,
    profile: &'static str,
    time: &'static str,
    ports: Vec<Wire>,
}

#[derive(Serialize)]
struct Wire {
    port: u16,
    wire: String,
}

/// Serves.
pub(crate) fn run(args: &ServeArgs, output: &mut Output<'_>) -> Outcome {
    let wrong = |message: String| Failure::usage(codes::cli::USAGE, message);
    let profile =
        Profile::by_name(&args.profile).ok_or_else(|| wrong(format!("there is no profile {:?}", args.profile)))?;
    let ports: Vec<PortSpec> = args
        .ports
        .iter()
        .map(|text| text.parse().map_err(|error| wrong(format!("--port {text}: {error}"))))
        .collect::<Result<_, _>>()?;
    let is_live = |port: &PortSpec| !matches!(port.kind, PortKind::Capture { .. });
    let time = match args.time {
        Some(TimeArg::Virtual) => TimeMode::Virtual,
        Some(TimeArg::Real) => TimeMode::Real,
        Some(TimeArg::Free) => TimeMode::Free,
        None if ports.iter().any(is_live) => TimeMode::Real,
        None => TimeMode::Virtual,
    };

    let failed = |error: ServeError| Failure::from(error.diagnostic());
    // Before any thread is made, so that none of them dies of the signal.
    let stop = Stop::on_signals().map_err(failed)?;
    let mut config = HostConfig::new(profile);
    config.instance = instance();
    config.time = time;
    config.choices = TimeMode::ALL.iter().fold(0, |bits, mode| bits | 1 << mode.code());
    config.wires = ports.iter().filter(|port| port.port < 64).fold(0, |bits, port| bits | 1 << port.port);
    let (function, doorbells) = device(config).map_err(failed)?;
    let options = Options { socket: args.socket.clone(), ports };
    let service = Service::new(function, Some(doorbells), &options).map_err(failed)?;
    for warning in service.warnings() {
        output.diagnostic(warning);
    }
    let report = Listening {
        socket: args.socket.display().to_string(),
        profile: profile.name,
        time: name(time),
        ports: options.ports.iter().map(|port| Wire { port: port.port, wire: port.kind.to_string() }).collect(),
    };
    output.result(&report, || {
        format!(
            "{}: device {} listens, {} time, {} ports\n",
            report.socket,
            report.profile,
            report.time,
            report.ports.len()
        )
    });
    let summary = service.run(&stop).map_err(failed)?;
    for complaint in &summary.complaints {
        output.diagnostic(&Diagnostic::warning(codes::device::SERVE_TROUBLE, complaint.clone()));
    }
    output.more(|| text(&summary));
    Ok(0)
}

fn name(time: TimeMode) -> &'static str {
    match time {
        TimeMode::Virtual => "virtual",
        TimeMode::Real => "real",
        TimeMode::Free => "free",
    }
}

/// A number that another device of this machine hardly has.
fn instance() -> u64 {
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

fn text(summary: &Summary) -> String {
    let clients = summary.clients;
    let mut text = format!(
        "ended: {} clients, {} messages, {} of them refused\n",
        clients.connections, clients.messages, clients.refused
    );
    for (port, counters) in &summary.ports {
        let _ = write!(text, "  port {port}: {} in, {} out", counters.received, counters.sent);
        for (count, what) in [(counters.refused, "refused"), (counters.late, "late"), (counters.unsent, "not sent")] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        text.push('\n');
    }
    text
}
