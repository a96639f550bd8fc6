//! `map`: maps on a device, with bpftool's keys.

use crate::args::device::{KeyArgs, MapArgs, MapVerb, NextArgs, PinArgs, ShowArgs, UpdateArgs};
use crate::backends::numbers::Numbers;
use crate::connect::{self, Origin, Session, failure};
use crate::entries::{self, EntryReport, Part, Values};
use crate::output::{Failure, Outcome, Output};
use crate::state::Kind;
use driver::{Map, MapInfo, Update};
use offwire_diag::{Diagnostic, codes};
use offwire_image::MapKind;
use serde::Serialize;
use std::fmt::Write;

/// The verb.
pub(super) fn run(verb: &MapVerb, output: &mut Output<'_>) -> Outcome {
    match verb {
        MapVerb::Show(args) => show(args, output),
        MapVerb::Dump(args) => dump(args, output),
        MapVerb::Lookup(args) => lookup(args, output),
        MapVerb::Update(args) => update(args, output),
        MapVerb::Delete(args) => delete(args, output),
        MapVerb::Getnext(args) => getnext(args, output),
        MapVerb::Freeze(args) => freeze(args, output),
        MapVerb::Pin(args) => pin(args, output),
    }
}

#[derive(Serialize)]
struct Report {
    id: u16,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    flags: u32,
    bytes_key: u32,
    bytes_value: u32,
    max_entries: u32,
    bytes_memlock: u64,
    frozen: u32,
    pinned: Vec<String>,
    programs: u32,
}

fn report(session: &Session, info: &MapInfo) -> Report {
    Report {
        id: info.id.0,
        kind: info.kind.name(),
        name: info.name.clone(),
        flags: info.flags,
        bytes_key: info.key_bytes,
        bytes_value: info.value_bytes,
        max_entries: info.max_entries,
        bytes_memlock: info.memory,
        frozen: info.frozen.into(),
        pinned: session.state.pins_of(Kind::Map, info.id.0),
        programs: info.programs,
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}  name {}  flags {:#x}\n\tkey {}B  value {}B  max_entries {}  memlock {}B",
            self.id,
            self.kind,
            self.name,
            self.flags,
            self.bytes_key,
            self.bytes_value,
            self.max_entries,
            self.bytes_memlock
        );
        if self.frozen != 0 {
            text += "  frozen";
        }
        for pin in &self.pinned {
            let _ = write!(text, "\n\tpinned {pin}");
        }
        text + "\n"
    }
}

fn show(args: &ShowArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let maps: Vec<Report> = session.maps(&args.chosen)?.iter().map(|info| report(&session, info)).collect();
    match (maps.as_slice(), args.chosen.id.is_some() || args.chosen.pinned.is_some()) {
        ([only], true) => output.result(only, || only.text()),
        _ => output.result(&maps, || maps.iter().map(Report::text).collect()),
    }
    Ok(0)
}

/// An open map with what is known of it.
struct Opened {
    map: Map,
    origin: Option<Origin>,
    numbers: Option<Numbers>,
}

impl Opened {
    fn new(session: &Session, chosen: &crate::args::device::Chosen) -> Result<Self, Failure> {
        let info = session.map(chosen)?;
        let map = session.device.map(info.id).map_err(|error| failure(&error))?;
        let origin = session.object_of(info.id)?;
        // Maps of maps hold numbers of the device; the object has its own.
        let numbers = origin.as_ref().map(|origin| Numbers::of_maps(origin.record.maps.clone()));
        Ok(Opened { map, origin, numbers })
    }

    /// Types, but for elements that name programs: those are numbers of an image that nobody keeps.
    fn types(&self) -> Option<entries::Types<'_>> {
        self.origin.as_ref().filter(|_| self.map.info().kind != MapKind::ProgArray).and_then(Origin::types)
    }

    fn read(&self, part: Part, tokens: &[String]) -> Result<Vec<u8>, Failure> {
        let info = self.map.info();
        let size = if part == Part::Key { info.key_bytes } else { info.value_bytes };
        let bytes = entries::parse(part, tokens, size, self.types())?;
        // A name in JSON was turned into the object's number; a number as it stands is the device's.
        let named = matches!(tokens, [one] if one.starts_with('"'));
        match (&self.origin, &self.numbers) {
            (Some(origin), Some(numbers)) if part == Part::Value && named => match origin.types() {
                Some(types) => Ok(numbers.to_device(&types.map.spec, &bytes)?),
                None => Ok(bytes),
            },
            _ => Ok(bytes),
        }
    }

    fn entry(&self, key: &[u8], value: &[u8]) -> EntryReport {
        let info = self.map.info();
        let value = match &self.numbers {
            Some(numbers) if !info.kind.is_per_cpu() => numbers.to_object(info.kind, value),
            _ => value.to_vec(),
        };
        EntryReport::new(key, &Values::new(&value, info.value_bytes, info.kind.is_per_cpu()), self.types())
    }

    fn no_key(&self, key: &[u8]) -> Failure {
        Diagnostic::error(codes::driver::REFUSED, format!("map {} has no such key", self.map.info().name))
            .with_reason(format!("{} is not there", entries::hex(key).join(" ")))
            .into()
    }
}

fn dump(args: &MapArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let opened = Opened::new(&session, &args.map)?;
    let mut all = Vec::new();
    let mut entries = opened.map.entries();
    while let Some((key, value)) = entries.advance().map_err(|error| failure(&error))? {
        all.push(opened.entry(key, value));
    }
    output.result(&all, || {
        let mut text: String = all.iter().map(EntryReport::text).collect();
        let _ = writeln!(text, "{} entries", all.len());
        text
    });
    Ok(0)
}

fn lookup(args: &KeyArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let opened = Opened::new(&session, &args.map)?;
    let key = opened.read(Part::Key, &args.key)?;
    let Some(value) = opened.map.lookup(&key).map_err(|error| failure(&error))? else {
        return Err(opened.no_key(&key));
    };
    let entry = opened.entry(&key, &value);
    output.result(&entry, || entry.text());
    Ok(0)
}

fn update(args: &UpdateArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.at.device, output)?;
    let opened = Opened::new(&session, &args.at.map)?;
    let key = opened.read(Part::Key, &args.at.key)?;
    let value = opened.read(Part::Value, &args.value)?;
    let info = opened.map.info();
    let value = if info.kind.is_per_cpu() {
        let mut padded = value;
        padded.resize((info.value_bytes as usize).next_multiple_of(8), 0);
        padded.repeat(info.copies as usize)
    } else {
        value
    };
    let how = match (args.noexist, args.exist) {
        (true, _) => Update::New,
        (_, true) => Update::Existing,
        _ => Update::Any,
    };
    opened.map.update(&key, &value, how).map_err(|error| failure(&error))?;
    let entry = opened.entry(&key, &value);
    output.result(&entry, String::new);
    Ok(0)
}

fn delete(args: &KeyArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let opened = Opened::new(&session, &args.map)?;
    let key = opened.read(Part::Key, &args.key)?;
    if !opened.map.delete(&key).map_err(|error| failure(&error))? {
        return Err(opened.no_key(&key));
    }
    output.result(&serde_json::json!({ "key": entries::hex(&key) }), String::new);
    Ok(0)
}

#[derive(Serialize)]
struct Next {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Vec<String>>,
    next_key: Vec<String>,
}

fn getnext(args: &NextArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let opened = Opened::new(&session, &args.map)?;
    let key = if args.key.is_empty() { None } else { Some(opened.read(Part::Key, &args.key)?) };
    let Some(next) = opened.map.next_key(key.as_deref()).map_err(|error| failure(&error))? else {
        return Err(Diagnostic::error(
            codes::driver::REFUSED,
            format!("map {} has no further key", opened.map.info().name),
        )
        .into());
    };
    let report = Next { key: key.as_deref().map(entries::hex), next_key: entries::hex(&next) };
    output.result(&report, || format!("next key: {}\n", report.next_key.join(" ")));
    Ok(0)
}

fn freeze(args: &MapArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let opened = Opened::new(&session, &args.map)?;
    opened.map.freeze().map_err(|error| failure(&error))?;
    let info = session.device.map_info(opened.map.info().id).map_err(|error| failure(&error))?;
    let report = report(&session, &info);
    output.result(&report, || report.text());
    Ok(0)
}

fn pin(args: &PinArgs, output: &mut Output<'_>) -> Outcome {
    let mut session = connect::open(&args.device, output)?;
    let info = session.map(&args.chosen)?;
    session.state.check_pin(Kind::Map, &args.pin)?;
    session.state.pin(Kind::Map, &args.pin, info.id.0);
    session.state.save()?;
    let report = report(&session, &info);
    output.result(&report, || report.text());
    Ok(0)
}
