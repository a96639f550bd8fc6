//! What a back end did with a feature's packets, as text: the form of the `.expected` files.

use crate::directives::{MEMBERS, REQUEST};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::Object;
use offwire_diag::Diagnostic;
use offwire_harness::{Backend, Entry, EntryValue, Event, PacketIn, PacketOut, RedirectTarget, Verdict, mapfile};
use offwire_image::MapKind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Bytes that are shown one by one; of longer packets head and tail, and a hash of all.
const SHOWN: usize = 160;

/// Entries of the maps as they were last seen.
pub(crate) type Seen = Vec<BTreeMap<Vec<u8>, Entry>>;

/// What came out of a packet.
pub(crate) fn packet(object: &Object, sent: &PacketIn, out: &PacketOut) -> String {
    let mut text = String::from("  ");
    text += &match Verdict::ALL.get(out.retval as usize) {
        Some(verdict) => format!("{verdict:?}").to_uppercase(),
        None => format!("return value {}", out.retval),
    };
    let same = sent.bytes.len() == out.bytes.len()
        && out.bytes.get(REQUEST..) == sent.bytes.get(REQUEST..)
        && out.bytes.len() >= REQUEST;
    if same {
        for (name, at, size) in MEMBERS {
            let bytes = out.bytes.get(at..at + size).unwrap_or(&[]);
            if sent.bytes.get(at..at + size) != Some(bytes) {
                let _ = write!(text, " {name}={}", number(bytes));
            }
        }
        text.push('\n');
    } else if sent.bytes == out.bytes {
        text.push_str(" unchanged\n");
    } else {
        let _ = write!(text, "\n  {} bytes: {}\n", out.bytes.len(), hex(&out.bytes));
    }
    if !out.meta.is_empty() {
        let _ = writeln!(text, "  metadata, {} bytes: {}", out.meta.len(), hex(&out.meta));
    }
    if let Some(target) = &out.redirect {
        let name = |map: u16| object.maps.get(usize::from(map)).map_or("?", |map| map.spec.name.as_str());
        let _ = match target {
            RedirectTarget::Ifindex(ifindex) => writeln!(text, "  to interface {ifindex}"),
            RedirectTarget::Entry { map, key } => writeln!(text, "  to {}[{key}]", name(*map)),
            RedirectTarget::Broadcast { map, exclude_ingress } => {
                let but = if *exclude_ingress { ", but not back" } else { "" };
                writeln!(text, "  to all in {}{but}", name(*map))
            }
        };
    }
    for event in &out.events {
        let _ = writeln!(text, "  {}", show_event(object, event));
    }
    if let Some(fault) = &out.fault {
        let _ = writeln!(text, "  fault: {fault}");
    }
    text
}

fn show_event(object: &Object, event: &Event) -> String {
    let name = |map: u16| object.maps.get(usize::from(map)).map_or("?", |map| map.spec.name.as_str());
    match event {
        Event::Ringbuf { map, bytes } => format!("ringbuf {}, {} bytes: {}", name(*map), bytes.len(), hex(bytes)),
        Event::Perf { map, bytes } => format!("perf {}, {} bytes: {}", name(*map), bytes.len(), hex(bytes)),
        Event::PerfPadded { map, bytes } => {
            format!("perf {}, {} bytes with padding: {}", name(*map), bytes.len(), hex(bytes))
        }
        Event::Trace { text } => format!("trace {text:?}"),
    }
}

/// Small numbers in decimal, small negative ones too, others in hexadecimal.
fn number(bytes: &[u8]) -> String {
    let mut wide = [0; 8];
    wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let value = u64::from_le_bytes(wide);
    match value as i64 {
        small @ -65536..=0xffff_ffff => small.to_string(),
        _ => format!("{value:#x}"),
    }
}

/// Hexadecimal; a run of 8 equal bytes or more as `{00 x 12}`.
fn hex(bytes: &[u8]) -> String {
    if bytes.len() > SHOWN {
        let (head, tail) = (bytes.get(..64).unwrap_or(&[]), bytes.get(bytes.len() - 16..).unwrap_or(&[]));
        return format!("{} .. {} fnv {:016x}", runs(head), runs(tail), fnv(bytes));
    }
    runs(bytes)
}

fn runs(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        let byte = run.first().copied().unwrap_or_default();
        if run.len() >= 8 {
            let _ = write!(text, "{{{byte:02x} x {}}}", run.len());
        } else {
            run.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        }
    }
    text
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Reads all maps, and tells what changed since `seen`; of maps in `capacity` only whether they hold more than they may.
pub(crate) fn maps(
    object: &Object,
    backend: &mut dyn Backend,
    capacity: &[String],
    seen: &mut Seen,
) -> Result<String, Diagnostic> {
    let mut text = String::new();
    seen.resize_with(object.maps.len(), BTreeMap::new);
    for (at, (map, before)) in object.maps.iter().zip(seen.iter_mut()).enumerate() {
        let spec = &map.spec;
        if matches!(spec.kind, MapKind::Ringbuf | MapKind::PerfEventArray) {
            continue;
        }
        let entries = backend.map_entries(MapIdx(u16::try_from(at).unwrap_or(u16::MAX)))?;
        if capacity.contains(&spec.name) {
            if entries.len() > spec.max_entries as usize {
                let _ = writeln!(text, "  {}: {} entries are too many", spec.name, entries.len());
            }
            continue;
        }
        let array = matches!(spec.kind, MapKind::Array | MapKind::PercpuArray);
        let now: BTreeMap<Vec<u8>, Entry> = entries
            .into_iter()
            .map(normalize)
            .filter(|entry| !(array && is_zero(entry)))
            .map(|entry| (entry.key.clone(), entry))
            .collect();
        let show = |entry: &Entry| mapfile::show_entry(object, map, entry);
        for (_, entry) in before.iter().filter(|(key, _)| !now.contains_key(*key)) {
            // In an array nothing goes: the value is zero now.
            let what = if array { "now zero" } else { "gone" };
            let _ = writeln!(text, "  {}: {what}, was {}", spec.name, show(entry));
        }
        for (key, entry) in &now {
            match before.get(key) {
                Some(old) if old == entry => {}
                Some(_) => {
                    let _ = writeln!(text, "  {}: now {}", spec.name, show(entry));
                }
                None => {
                    let _ = writeln!(text, "  {}: new {}", spec.name, show(entry));
                }
            }
        }
        *before = now;
    }
    Ok(text)
}

/// Copies of zero are left out of per-CPU values: a machine has more CPUs than another.
fn normalize(mut entry: Entry) -> Entry {
    if let EntryValue::PerCpu(values) = &mut entry.value {
        values.retain(|(_, value)| value.iter().any(|&byte| byte != 0));
        values.sort_unstable();
    }
    entry
}

fn is_zero(entry: &Entry) -> bool {
    match &entry.value {
        EntryValue::One(value) => value.iter().all(|&byte| byte == 0),
        EntryValue::PerCpu(values) => values.is_empty(),
    }
}
