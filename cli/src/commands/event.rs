//! `event pipe`: what programs and the device tell, one line each, until the user or a limit ends it.

use crate::args::device::PipeArgs;
use crate::backends;
use crate::connect::{self, failure};
use crate::entries;
use crate::output::{Outcome, Output};
use driver::{Event, Origin};
use offwire_harness::Event as Told;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long one wait lasts: the device is looked at again after it.
const WAIT: Duration = Duration::from_millis(500);

#[derive(Default, Serialize)]
struct Line {
    event: &'static str,
    cycle: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<u64>,
    lost: u64,
}

impl Line {
    fn of(event: &'static str, origin: &Origin) -> Self {
        Line {
            event,
            cycle: origin.cycle,
            seq: Some(origin.seq),
            port: Some(origin.port),
            program: origin.program.map(|program| program.0),
            ..Line::default()
        }
    }

    fn new(event: Event, names: &BTreeMap<u16, String>) -> Self {
        let name = |map: u16| (Some(map), names.get(&map).cloned());
        match event {
            Event::Ringbuf { origin, map, data } => {
                let (map, map_name) = name(map.0);
                Line { map, map_name, data: Some(entries::hex(&data)), ..Line::of("ringbuf", &origin) }
            }
            Event::Perf { origin, map, index, data, packet } => {
                let (map, map_name) = name(map.0);
                let packet = (!packet.is_empty()).then(|| entries::hex(&packet));
                let data = Some(entries::hex(&data));
                Line { map, map_name, index: Some(index), data, packet, ..Line::of("perf", &origin) }
            }
            Event::Printk { origin, format, arguments } => {
                let text = match backends::printed(format, arguments) {
                    Ok(Some(Told::Trace { text })) => text,
                    // The kernel prints nothing for a format that it does not take.
                    Ok(_) => String::new(),
                    Err(diagnostic) => diagnostic.message,
                };
                Line { text: Some(text), ..Line::of("printk", &origin) }
            }
            Event::Drop { origin, reason } => {
                Line { reason: Some(reason.doc().to_owned()), ..Line::of("drop", &origin) }
            }
            Event::Fault { origin, cause, address } => {
                let reason = backends::fault_name(cause).map_or_else(|| format!("cause {cause}"), str::to_owned);
                Line { reason: Some(reason), word: Some(address), ..Line::of("fault", &origin) }
            }
            Event::Ring { cycle, ring, fault, .. } => Line {
                event: "ring",
                cycle,
                index: Some(ring.number()),
                reason: Some(fault.doc().to_owned()),
                ..Line::default()
            },
            _ => Line { event: "unknown", ..Line::default() },
        }
    }

    fn text(&self) -> String {
        let mut text = format!("[{}] {}", self.cycle, self.event);
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!("  {name} {value}");
            }
        };
        let plain =
            |bytes: &Vec<String>| bytes.iter().map(|byte| byte.trim_start_matches("0x")).collect::<Vec<_>>().join(" ");
        add("port", self.port.map(|port| port.to_string()));
        add("program", self.program.map(|program| program.to_string()));
        add("map", self.map_name.clone().or(self.map.map(|map| map.to_string())));
        add("index", self.index.map(|index| index.to_string()));
        add("data", self.data.as_ref().map(plain));
        add("packet", self.packet.as_ref().map(plain));
        add("text", self.text.clone());
        add("reason", self.reason.clone());
        add("word", self.word.map(|word| word.to_string()));
        text + "\n"
    }
}

/// Prints events until a limit is reached or the device is gone.
pub(super) fn pipe(args: &PipeArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let device = session.device.clone();
    let mut names = BTreeMap::new();
    for id in device.maps().map_err(|error| failure(&error))? {
        names.insert(id.0, device.map_info(id).map_err(|error| failure(&error))?.name);
    }
    // Others may use the names while this command waits.
    drop(session);
    let mut events = device.events().map_err(|error| failure(&error))?;
    let idle = args.idle.map(Duration::from_secs);
    let mut last = Instant::now();
    let mut printed = 0u64;
    while args.count.is_none_or(|count| printed < count) {
        match events.wait(idle.map_or(WAIT, |idle| idle.min(WAIT))).map_err(|error| failure(&error))? {
            // Whoever listens only to programs is not told of every packet without a receive ring.
            Some(Event::Drop { .. }) if !args.drops => {}
            Some(event) => {
                let line = Line { lost: events.lost(), ..Line::new(event, &names) };
                output.line(&line, || line.text());
                printed += 1;
                last = Instant::now();
            }
            None => {}
        }
        if idle.is_some_and(|idle| last.elapsed() >= idle) {
            break;
        }
    }
    Ok(0)
}
