//! The same packets through several back ends, compared after each.
//!
//! One packet at a time on vCPU 0. Compared are the return value, the packet's bytes and faults after each packet, and the
//! contents of all maps: after each packet while they are small, else every [`Options::maps_every`] packets and at the end.
//! Nothing is masked. A packet that one of the back ends cannot run is given to none of them, counted, and never called equal.
//! docs/testing.md has the rules and their reasons.

use crate::mapfile::{self, Contents};
use crate::{Backend, Chance, Entry, EntryValue, Event, PacketIn, PacketOut, RedirectTarget, Verdict};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::Object;
use offwire_diag::{Diagnostic, Span, codes};
use offwire_image::MapKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// How to compare.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Packets between two comparisons of maps that are not small.
    pub maps_every: u64,
    /// Maps whose entries have no more bytes than this together are compared after each packet.
    pub small: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { maps_every: 500, small: 1024 }
    }
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All packets that could be compared were equal, and there was at least one, or no packet at all.
    Equal,
    /// Two back ends differed.
    Differ,
    /// The comparison could not be made; [`Report::diagnostic`] says why.
    Refused,
}

/// Result of a comparison; `diff -j` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Equal, differ or refused.
    pub result: Outcome,
    /// The back ends; the first one is what the others are compared with.
    pub on: Vec<&'static str>,
    /// Packets taken from the input, those not comparable included.
    pub packets: u64,
    /// Packets that some back end cannot run.
    pub not_comparable: u64,
    /// Packet at which an LRU map was seen full. From there on packets run, but count as not comparable: which entry goes is each
    /// back end's own choice. That no LRU map holds more than it may is still checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lru_full: Option<u64>,
    /// The first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<First>,
    /// Why the comparison was refused, or what a back end said at the first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<Diagnostic>,
}

/// What differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// r0 at exit, low 32 bits.
    Retval,
    /// The packet after the program ran.
    Bytes,
    /// The metadata before the packet.
    Meta,
    /// The events that the program made.
    Event,
    /// Where the packet is redirected to.
    Redirect,
    /// One back end ended the packet with a fault.
    Fault,
    /// One back end found a mistake in the program or its facts.
    Diagnostic,
    /// An entry of a map.
    Map,
    /// A copy of a per-CPU value that belongs to a CPU on which nothing ran.
    #[serde(rename = "other_cpu")]
    OtherCpu,
}

/// The first difference.
#[derive(Clone, Debug, Serialize)]
pub struct First {
    /// Number of the packet in the input, from 0; for maps the last packet before the comparison.
    pub packet: u64,
    /// For maps: the packet after which they were last seen equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal_after: Option<u64>,
    /// The two back ends.
    pub backends: [&'static str; 2],
    /// What differs.
    pub what: What,
    /// More about where: byte offset, map and key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Both values, in the order of `backends`.
    pub values: [String; 2],
    /// The packet on its way in, in hexadecimal.
    pub input: String,
    /// Where the packet took its last conditional branch, if a back end knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_branch: Option<Span>,
}

impl Report {
    /// The report as an error, unless the result is equal.
    pub fn to_diagnostic(&self) -> Option<Diagnostic> {
        let Some(first) = &self.first else { return self.diagnostic.clone() };
        let [a, b] = first.backends;
        let what = match first.what {
            What::Retval => "return value",
            What::Bytes => "packet bytes",
            What::Meta => "packet metadata",
            What::Event => "events",
            What::Redirect => "the target of a redirect",
            What::Fault => "fault",
            What::Diagnostic => "outcome",
            What::Map => "map contents",
            What::OtherCpu => "values of a CPU on which nothing ran",
        };
        let gap = if first.at.is_empty() { "" } else { ": " };
        let since = first.equal_after.map_or(String::new(), |n| format!(" (equal after packet {n})"));
        let diagnostic =
            Diagnostic::error(codes::data::DIFFER, format!("{a} and {b} differ at packet {} in {what}", first.packet))
                .with_reason(format!(
                    "{}{gap}{a} has {}, {b} has {}{since}; the packet is {}",
                    first.at, first.values[0], first.values[1], first.input
                ));
        Some(diagnostic.with_span(first.last_branch.clone().unwrap_or_default()))
    }
}

/// Runs the packets through all back ends, after filling their maps with `contents`. Back ends must be fresh.
pub fn run(
    backends: &mut [Box<dyn Backend + '_>],
    object: &Object,
    contents: &Contents,
    packets: impl IntoIterator<Item = PacketIn>,
    options: Options,
) -> Report {
    let on = backends.iter().map(|backend| backend.name()).collect();
    let mut run = Run {
        backends,
        object,
        initial: Vec::new(),
        packets: 0,
        not_comparable: 0,
        lru_full: None,
        maps_seen: None,
        maps_changed: false,
        maps_small: true,
        options,
    };
    let stop = run.all(contents, packets).err();
    let (packets, not_comparable, lru_full) = (run.packets, run.not_comparable, run.lru_full);
    let report =
        |result, first, diagnostic| Report { result, on, packets, not_comparable, lru_full, first, diagnostic };
    match stop.map(|stop| *stop) {
        None if packets > 0 && packets == not_comparable => {
            let nothing = Diagnostic::error(codes::host::NOT_COMPARABLE, "no packet can be compared")
                .with_reason(format!("each of {packets} packets is beyond what one of the back ends can run"));
            report(Outcome::Refused, None, Some(nothing))
        }
        None => report(Outcome::Equal, None, None),
        Some(Stop::Refused(diagnostic)) => report(Outcome::Refused, None, Some(diagnostic)),
        Some(Stop::Differ(first, diagnostic)) => report(Outcome::Differ, Some(first), diagnostic),
    }
}

/// Why a comparison ends early.
#[expect(clippy::large_enum_variant, reason = "there is one of it, and it is boxed")]
enum Stop {
    Refused(Diagnostic),
    Differ(First, Option<Diagnostic>),
}

impl From<Diagnostic> for Box<Stop> {
    fn from(diagnostic: Diagnostic) -> Self {
        Box::new(Stop::Refused(diagnostic))
    }
}

struct Run<'a, 'b> {
    backends: &'a mut [Box<dyn Backend + 'b>],
    object: &'a Object,
    /// Map contents before the first packet.
    initial: Vec<Vec<Entry>>,
    packets: u64,
    not_comparable: u64,
    /// Packet at which an LRU map was seen full.
    lru_full: Option<u64>,
    /// Packet after which maps were last compared.
    maps_seen: Option<u64>,
    /// True if packets ran since.
    maps_changed: bool,
    maps_small: bool,
    options: Options,
}

impl Run<'_, '_> {
    fn all(&mut self, contents: &Contents, packets: impl IntoIterator<Item = PacketIn>) -> Result<(), Box<Stop>> {
        for backend in self.backends.iter_mut() {
            mapfile::apply(backend.as_mut(), contents)?;
        }
        if let Some(first) = self.backends.first_mut() {
            for map in map_indices(self.object) {
                self.initial.push(first.map_entries(map)?.into_iter().map(normalize).collect());
            }
        }
        let mut last = None;
        for packet in packets {
            let number = self.packets;
            self.packets += 1;
            if self.admit(&packet)? {
                self.one(number, &packet)?;
                self.maps_changed = true;
                if self.maps_small || (number + 1).is_multiple_of(self.options.maps_every.max(1)) {
                    self.maps(number, &packet)?;
                }
                last = Some((number, packet));
            } else {
                self.not_comparable += 1;
            }
        }
        match last {
            Some((number, packet)) if self.maps_changed => self.maps(number, &packet),
            _ => Ok(()),
        }
    }

    /// True if all back ends can run the packet.
    fn admit(&mut self, packet: &PacketIn) -> Result<bool, Box<Stop>> {
        for backend in self.backends.iter_mut() {
            match backend.admits(packet) {
                Ok(()) => {}
                Err(diagnostic) if diagnostic.code == codes::host::NOT_COMPARABLE => return Ok(false),
                Err(diagnostic) => return Err(diagnostic.into()),
            }
        }
        Ok(true)
    }

    /// Runs one packet everywhere and compares what comes out.
    fn one(&mut self, number: u64, packet: &PacketIn) -> Result<(), Box<Stop>> {
        let mut expected: Option<(&'static str, PacketOut)> = None;
        let mut redirect: Option<(&'static str, Option<RedirectTarget>)> = None;
        self.not_comparable += u64::from(self.lru_full.is_some());
        for at in 0..self.backends.len() {
            let Some(backend) = self.backends.get_mut(at) else { continue };
            let name = backend.name();
            backend.set_chance(Chance::of_packet(number, packet.arrival_ns));
            let out = match backend.run(packet) {
                Ok(out) => out,
                Err(diagnostic) if is_finding(&diagnostic) => {
                    let what = diagnostic.reason.clone().unwrap_or_else(|| diagnostic.message.clone());
                    let (other, theirs) = match &expected {
                        Some((other, out)) => (*other, format!("return value {}", out.retval)),
                        None => (name, "nothing to compare with".into()),
                    };
                    let mut first = self.first(number, packet, [other, name], What::Diagnostic, [theirs, what]);
                    first.last_branch = Some(diagnostic.span.clone());
                    return Err(Box::new(Stop::Differ(first, Some(diagnostic))));
                }
                // Others may have run the packet already: the states are no longer the same.
                Err(diagnostic) => return Err(diagnostic.into()),
            };
            if self.lru_full.is_none() && self.backends.get(at).is_some_and(|backend| backend.tells_redirect()) {
                match redirect {
                    None => redirect = Some((name, out.redirect)),
                    Some((other, theirs))
                        if theirs != out.redirect && expected_retval(&expected) == Some(out.retval) =>
                    {
                        let values = [show_redirect(theirs), show_redirect(out.redirect)];
                        let first = self.first(number, packet, [other, name], What::Redirect, values);
                        return Err(Box::new(Stop::Differ(first, None)));
                    }
                    Some(_) => {}
                }
            }
            match &expected {
                None => expected = Some((name, out)),
                Some((other, theirs)) => {
                    if self.lru_full.is_none()
                        && let Some((what, at, values)) = difference(theirs, &out)
                    {
                        if self.find_full_lru(number)? {
                            self.not_comparable += 1;
                            continue;
                        }
                        let mut first = self.first(number, packet, [other, name], what, values);
                        first.at = at;
                        return Err(Box::new(Stop::Differ(first, None)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares all maps.
    fn maps(&mut self, number: u64, packet: &PacketIn) -> Result<(), Box<Stop>> {
        let mut bytes = 0;
        if self.lru_full.is_some() || (self.has_lru() && self.find_full_lru(number)?) {
            self.maps_changed = false;
            return self.lru_capacity(number, packet);
        }
        for map in map_indices(self.object) {
            let mut expected: Option<(&'static str, Vec<Entry>)> = None;
            for at in 0..self.backends.len() {
                let Some(backend) = self.backends.get_mut(at) else { continue };
                let name = backend.name();
                let entries: Vec<Entry> = backend.map_entries(map)?.into_iter().map(normalize).collect();
                self.untouched(map, number, packet, name, &entries)?;
                match &expected {
                    None => {
                        bytes += entries.iter().map(entry_bytes).sum::<usize>();
                        expected = Some((name, entries));
                    }
                    Some((other, theirs)) if *theirs != entries => {
                        let (key, values) = self.first_entry(map, theirs, &entries);
                        let mut first = self.first(number, packet, [other, name], What::Map, values);
                        first.at = key;
                        first.equal_after = self.maps_seen;
                        return Err(Box::new(Stop::Differ(first, None)));
                    }
                    Some(_) => {}
                }
            }
        }
        self.maps_small = bytes <= self.options.small;
        self.maps_seen = Some(number);
        self.maps_changed = false;
        Ok(())
    }

    fn lru_maps(&self) -> impl Iterator<Item = (MapIdx, usize)> + use<> {
        let lru = self.object.maps.iter().zip(map_indices(self.object));
        let lru = lru.filter(|(map, _)| map.spec.kind == MapKind::LruHash);
        lru.map(|(map, index)| (index, map.spec.max_entries as usize)).collect::<Vec<_>>().into_iter()
    }

    fn has_lru(&self) -> bool {
        self.lru_maps().next().is_some()
    }

    /// Looks for an LRU map that is full or nearly so; a back end that evicts may hold less by now, another one still shows it.
    fn find_full_lru(&mut self, number: u64) -> Result<bool, Box<Stop>> {
        if self.backends.iter().any(|backend| backend.filled_lru()) {
            self.lru_full = Some(number);
            return Ok(true);
        }
        for (map, max) in self.lru_maps() {
            for backend in self.backends.iter_mut() {
                if backend.map_entries(map)?.len() > crate::lru_limit(max) {
                    self.lru_full = Some(number);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What holds for LRU maps at their capacity too.
    fn lru_capacity(&mut self, number: u64, packet: &PacketIn) -> Result<(), Box<Stop>> {
        for (map, max) in self.lru_maps() {
            for at in 0..self.backends.len() {
                let Some(backend) = self.backends.get_mut(at) else { continue };
                let (name, count) = (backend.name(), backend.map_entries(map)?.len());
                if count > max {
                    let values = [format!("at most {max} entries"), format!("{count} entries")];
                    let mut first = self.first(number, packet, ["capacity", name], What::Map, values);
                    first.at = self.map_name(map);
                    return Err(Box::new(Stop::Differ(first, None)));
                }
            }
        }
        Ok(())
    }

    /// Per-CPU values of CPUs on which nothing ran must be what they were, or zero if the entry is new.
    fn untouched(
        &self,
        map: MapIdx,
        number: u64,
        packet: &PacketIn,
        name: &'static str,
        entries: &[Entry],
    ) -> Result<(), Box<Stop>> {
        let initial = self.initial.get(usize::from(map.0)).map_or(&[][..], Vec::as_slice);
        for entry in entries {
            let others = other_cpus(entry);
            if others.is_empty() {
                continue;
            }
            let before =
                initial.binary_search_by(|other| other.key.cmp(&entry.key)).ok().and_then(|at| initial.get(at));
            if before.map(other_cpus) != Some(others) {
                let show = |entry: &Entry| self.show(map, Some(entry));
                let values = [before.map_or_else(|| "no entry".to_string(), show), show(entry)];
                let mut first = self.first(number, packet, ["before", name], What::OtherCpu, values);
                first.at = self.map_name(map);
                return Err(Box::new(Stop::Differ(first, None)));
            }
        }
        Ok(())
    }

    fn first(
        &self,
        packet: u64,
        input: &PacketIn,
        backends: [&'static str; 2],
        what: What,
        values: [String; 2],
    ) -> First {
        let last_branch = self.backends.iter().find_map(|backend| backend.last_branch());
        let input = hex(&input.bytes);
        First { packet, equal_after: None, backends, what, at: String::new(), values, input, last_branch }
    }

    /// The first key whose entries differ, and both entries.
    fn first_entry(&self, map: MapIdx, ours: &[Entry], theirs: &[Entry]) -> (String, [String; 2]) {
        let mut keys: BTreeMap<&[u8], [Option<&Entry>; 2]> = BTreeMap::new();
        for (side, entries) in [ours, theirs].into_iter().enumerate() {
            for entry in entries {
                if let Some(place) = keys.entry(&entry.key).or_default().get_mut(side) {
                    *place = Some(entry);
                }
            }
        }
        let [a, b] = keys.into_values().find(|[a, b]| a != b).unwrap_or_default();
        (self.map_name(map), [self.show(map, a), self.show(map, b)])
    }

    fn map_name(&self, map: MapIdx) -> String {
        self.object.maps.get(usize::from(map.0)).map_or_else(String::new, |map| format!("map {}", map.spec.name))
    }

    fn show(&self, map: MapIdx, entry: Option<&Entry>) -> String {
        match (self.object.maps.get(usize::from(map.0)), entry) {
            (Some(map), Some(entry)) => mapfile::show_entry(self.object, map, entry),
            _ => "no entry".into(),
        }
    }
}

fn map_indices(object: &Object) -> impl Iterator<Item = MapIdx> + use<> {
    (0..object.maps.len()).map(|at| MapIdx(u16::try_from(at).unwrap_or(u16::MAX)))
}

/// True if a back end has found that the program or its facts are wrong.
fn is_finding(diagnostic: &Diagnostic) -> bool {
    [codes::host::REF_BOUNDS, codes::host::REF_FACT, codes::host::REF_LIMIT].contains(&diagnostic.code)
}

/// What differs between what a program does and what a device did, in words.
pub(crate) fn explain(ours: &PacketOut, theirs: &PacketOut) -> Option<String> {
    if let Some((what, at, [a, b])) = difference(ours, theirs) {
        let gap = if at.is_empty() { "" } else { " " };
        return Some(format!("{what:?}{gap}{at}: the program gives {a}, the device {b}").to_lowercase());
    }
    (ours.redirect != theirs.redirect).then(|| {
        format!(
            "the program redirects to {}, the device to {}",
            show_redirect(ours.redirect),
            show_redirect(theirs.redirect)
        )
    })
}

fn difference(ours: &PacketOut, theirs: &PacketOut) -> Option<(What, String, [String; 2])> {
    if ours.fault != theirs.fault {
        let show = |fault: &Option<String>| fault.clone().unwrap_or_else(|| "no fault".into());
        return Some((What::Fault, String::new(), [show(&ours.fault), show(&theirs.fault)]));
    }
    if ours.retval != theirs.retval {
        let show = |retval: u32| format!("{retval} ({:?})", Verdict::from_retval(retval));
        return Some((What::Retval, String::new(), [show(ours.retval), show(theirs.retval)]));
    }
    if ours.bytes.len() != theirs.bytes.len() {
        let show = |out: &PacketOut| format!("{} bytes", out.bytes.len());
        return Some((What::Bytes, "length".into(), [show(ours), show(theirs)]));
    }
    if ours.meta != theirs.meta {
        return Some((What::Meta, String::new(), [hex(&ours.meta), hex(&theirs.meta)]));
    }
    let (sorted, others) = (by_source(ours), by_source(theirs));
    let count = sorted.len().max(others.len());
    let same = |at: &usize| match (sorted.get(*at), others.get(*at)) {
        (Some(ours), Some(theirs)) => ours.same(theirs),
        _ => false,
    };
    if let Some(at) = (0..count).find(|at| !same(at)) {
        return Some((
            What::Event,
            format!("event {at}"),
            [show_event(sorted.get(at).copied()), show_event(others.get(at).copied())],
        ));
    }
    let at = ours.bytes.iter().zip(&theirs.bytes).position(|(a, b)| a != b)?;
    let show = |out: &PacketOut| hex(out.bytes.get(at..(at + 8).min(out.bytes.len())).unwrap_or(&[]));
    Some((What::Bytes, format!("byte {at}"), [show(ours), show(theirs)]))
}

fn expected_retval(expected: &Option<(&'static str, PacketOut)>) -> Option<u32> {
    expected.as_ref().map(|(_, out)| out.retval)
}

fn show_redirect(target: Option<RedirectTarget>) -> String {
    match target {
        None => "no target".into(),
        Some(RedirectTarget::Ifindex(ifindex)) => format!("ifindex {ifindex}"),
        Some(RedirectTarget::Entry { map, key }) => format!("entry {key} of map {map}"),
        Some(RedirectTarget::Broadcast { map, exclude_ingress: false }) => format!("all of map {map}"),
        Some(RedirectTarget::Broadcast { map, exclude_ingress: true }) => format!("all of map {map} but the ingress"),
    }
}

/// Events by map, in order within each: user space reads map by map, and sees no order between two of them.
fn by_source(out: &PacketOut) -> Vec<&Event> {
    let mut events: Vec<&Event> = out.events.iter().collect();
    events.sort_by_key(|event| match event {
        Event::Ringbuf { map, .. } => (0, *map),
        Event::Perf { map, .. } | Event::PerfPadded { map, .. } => (1, *map),
        Event::Trace { .. } => (2, 0),
    });
    events
}

fn show_event(event: Option<&Event>) -> String {
    match event {
        None => "no event".into(),
        Some(Event::Ringbuf { map, bytes }) => format!("a ring buffer record in map {map}: {}", hex(bytes)),
        Some(Event::Perf { map, bytes }) => format!("a perf event in map {map}: {}", hex(bytes)),
        Some(Event::PerfPadded { map, bytes }) => format!("a perf event in map {map}, padded: {}", hex(bytes)),
        Some(Event::Trace { text }) => format!("a trace line {text:?}"),
    }
}

/// Copies that are zero are left out, so that it does not matter who names them.
fn normalize(mut entry: Entry) -> Entry {
    if let EntryValue::PerCpu(values) = &mut entry.value {
        values.retain(|(_, value)| value.iter().any(|&byte| byte != 0));
        values.sort_unstable();
    }
    entry
}

/// Copies of other CPUs than 0.
fn other_cpus(entry: &Entry) -> &[(u32, Vec<u8>)] {
    match &entry.value {
        EntryValue::One(_) => &[],
        EntryValue::PerCpu(values) => match values.split_first() {
            Some(((0, _), others)) => others,
            _ => values,
        },
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    entry.key.len()
        + match &entry.value {
            EntryValue::One(value) => value.len(),
            EntryValue::PerCpu(values) => values.iter().map(|(_, value)| value.len()).sum(),
        }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
