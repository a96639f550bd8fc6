//! Map files: map contents as JSON.
//!
//! `{"map name": [{"key": K, "value": V}]}`; per-CPU maps have `"values": [{"cpu": n, "value": V}]`. K and V follow the BTF
//! types of the map as bpftool prints them: structs are objects by member name, integers numbers (or strings, decimal or `0x`),
//! enums names or numbers, char arrays strings where they are text. Or they are arrays of all bytes. A `formatted` member, which
//! bpftool adds, is passed over. What is dumped reads back to the same bytes.
//!
//! V of a program array is a program's name, of a map of maps a map's name, of a devmap an ifindex or `{"ifindex": n, "prog":
//! name}`.

mod json;
mod named;
mod single;
mod typed;

use crate::references::holds_references;
use crate::{Backend, Entry, EntryValue};
use json::Json;
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::{Map, Object, TypeRef};
use offwire_diag::{Code, Diagnostic, codes};
use offwire_image::MapKind;
use serde::{Serialize, Serializer};
use std::fmt;
use typed::Misfit;

pub use single::{Shown, read_key, read_value, show_key, show_value};

/// Contents of maps: for each one its entries, ascending by key bytes.
pub type Contents = Vec<(MapIdx, Vec<Entry>)>;

/// Largest key or value, in bytes (the kernel's limit is KMALLOC_MAX_SIZE).
const MAX_SIZE: u32 = 4 << 20;

/// Reads a map file for an object.
///
/// # Errors
/// `OW0711` if it is not JSON of the right shape, `OW0712` for an unknown map, `OW0713` for an entry that does not fit, `OW0714`
/// for a map that cannot be filled.
pub fn parse(text: &[u8], object: &Object) -> Result<Contents, Diagnostic> {
    let document: Json = serde_json::from_slice(text).map_err(|error| bad_file(error.to_string()))?;
    let Json::Object(maps) = document else {
        return Err(bad_file(format!("it is {}, not an object with map names", document.kind())));
    };
    let mut contents: Contents = Vec::with_capacity(maps.len());
    for (name, entries) in &maps {
        let Some(index) = object.maps.iter().position(|map| map.spec.name == *name) else {
            let known: Vec<&str> = object.maps.iter().map(|map| map.spec.name.as_str()).collect();
            return Err(Diagnostic::error(codes::data::UNKNOWN_MAP, format!("the object has no map {name}"))
                .with_help(if known.is_empty() {
                    "it has no maps".into()
                } else {
                    format!("it has {}", known.join(", "))
                }));
        };
        let index = MapIdx(u16::try_from(index).unwrap_or(u16::MAX));
        if contents.iter().any(|(other, _)| *other == index) {
            return Err(bad_file(format!("map {name} stands there twice")));
        }
        let Some(map) = object.maps.get(usize::from(index.0)) else { continue };
        contents.push((index, parse_map(object, name, map, entries)?));
    }
    contents.sort_unstable();
    Ok(contents)
}

fn parse_map(object: &Object, name: &str, map: &Map, entries: &Json) -> Result<Vec<Entry>, Diagnostic> {
    let refuse = |reason: String| {
        Diagnostic::error(codes::data::MAP_NOT_WRITABLE, format!("map {name} cannot be filled from a file"))
            .with_reason(reason)
    };
    if map.spec.frozen {
        return Err(refuse("it is read-only once the program is loaded".into()).with_help("use --set VAR=VALUE"));
    }
    if !supported(map.spec.kind) {
        return Err(refuse(format!("maps of kind {} are not supported", map.spec.kind.name())));
    }
    if map.spec.key_size.max(map.spec.value_size) > MAX_SIZE {
        return Err(refuse(format!("its keys or values are larger than {MAX_SIZE} bytes")));
    }
    let Json::Array(entries) = entries else {
        return Err(bad_file(format!("map {name} is {}, not an array of entries", entries.kind())));
    };
    let mut parsed = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        parsed.push(parse_entry(object, map, entry).map_err(|problem| problem.into_diagnostic(name, at))?);
    }
    parsed.sort_unstable();
    let twice = parsed.windows(2).find(|pair| matches!(pair, [a, b] if a.key == b.key));
    if let Some([entry, ..]) = twice {
        let key = typed::from_bytes(&entry.key, map.key_type.as_ref());
        return Err(Diagnostic::error(codes::data::BAD_MAP_ENTRY, format!("map {name} has key {key} twice")));
    }
    Ok(parsed)
}

/// True if map files can hold such a map.
fn supported(kind: MapKind) -> bool {
    use MapKind::{Array, Hash, LpmTrie, LruHash, PercpuArray, PercpuHash};
    matches!(kind, Array | Hash | LpmTrie | LruHash | PercpuArray | PercpuHash) || holds_references(kind)
}

/// What is wrong with an entry.
struct Problem {
    code: Code,
    /// "key", "value", "values[2].value".
    part: String,
    misfit: Misfit,
}

impl Problem {
    fn shape(what: impl Into<String>) -> Self {
        Self { code: codes::data::BAD_MAP_FILE, part: String::new(), misfit: Misfit::new(what) }
    }

    fn into_diagnostic(self, map: &str, entry: usize) -> Diagnostic {
        let place = format!("{}{}{}", self.part, typed::gap(&self.misfit.member), self.misfit.member);
        let reason = if place.is_empty() { self.misfit.what } else { format!("{place}: {}", self.misfit.what) };
        Diagnostic::error(self.code, format!("entry {entry} of map {map} does not fit")).with_reason(reason)
    }
}

fn parse_entry(object: &Object, map: &Map, entry: &Json) -> Result<Entry, Problem> {
    let Json::Object(members) = entry else {
        return Err(Problem::shape(format!("it is {}, not an object with key and value", entry.kind())));
    };
    let (mut key, mut value, mut values) = (None, None, None);
    for (name, json) in members {
        let place = match name.as_str() {
            "key" => &mut key,
            "value" => &mut value,
            "values" => &mut values,
            "formatted" => continue,
            other => return Err(Problem::shape(format!("it has a member {other:?}"))),
        };
        if place.replace(json).is_some() {
            return Err(Problem::shape(format!("it has two members {name:?}")));
        }
    }
    let Some(key) = key else { return Err(Problem::shape("it has no key")) };
    let key = part("key", key, map.key_type.as_ref(), map.spec.key_size)?;
    if named::is_array(map.spec.kind) {
        let index = key.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
        if index >= map.spec.max_entries {
            let what = format!("index {index} is not below {}", map.spec.max_entries);
            return Err(Problem { code: codes::data::BAD_MAP_ENTRY, part: "key".into(), misfit: Misfit::new(what) });
        }
    }
    let value = match (map.spec.kind.is_per_cpu(), value, values) {
        (false, Some(value), None) if holds_references(map.spec.kind) => {
            let bytes = named::to_bytes(object, map, value).map_err(|misfit| Problem {
                code: codes::data::BAD_MAP_ENTRY,
                part: "value".into(),
                misfit,
            })?;
            EntryValue::One(bytes)
        }
        (false, Some(value), None) => {
            EntryValue::One(part("value", value, map.value_type.as_ref(), map.spec.value_size)?)
        }
        (true, None, Some(values)) => parse_values(map, values)?,
        (true, ..) => return Err(Problem::shape("a per-CPU map wants \"values\": [{\"cpu\": n, \"value\": V}]")),
        (false, ..) => return Err(Problem::shape("it wants one \"value\"")),
    };
    Ok(Entry { key, value })
}

fn part(name: &str, json: &Json, ty: Option<&TypeRef>, size: u32) -> Result<Vec<u8>, Problem> {
    typed::to_bytes(json, ty, size as usize).map_err(|misfit| Problem {
        code: codes::data::BAD_MAP_ENTRY,
        part: name.into(),
        misfit,
    })
}

fn parse_values(map: &Map, values: &Json) -> Result<EntryValue, Problem> {
    let Json::Array(values) = values else {
        return Err(Problem::shape(format!("\"values\" is {}, not an array", values.kind())));
    };
    let mut parsed: Vec<(u32, Vec<u8>)> = Vec::with_capacity(values.len());
    for (at, item) in values.iter().enumerate() {
        let Json::Object(members) = item else {
            return Err(Problem::shape(format!("values[{at}] is {}, not an object", item.kind())));
        };
        let find = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, json)| json);
        let (Some(Json::Unsigned(cpu)), Some(value), 2) = (find("cpu"), find("value"), members.len()) else {
            return Err(Problem::shape(format!("values[{at}] wants \"cpu\": n and \"value\": V")));
        };
        let Ok(cpu) = u32::try_from(*cpu) else {
            return Err(Problem::shape(format!("values[{at}]: CPU {cpu} does not exist")));
        };
        if parsed.iter().any(|(other, _)| *other == cpu) {
            return Err(Problem::shape(format!("values[{at}]: CPU {cpu} is given twice")));
        }
        let value = part(&format!("values[{at}].value"), value, map.value_type.as_ref(), map.spec.value_size)?;
        parsed.push((cpu, value));
    }
    parsed.sort_unstable();
    Ok(EntryValue::PerCpu(parsed))
}

fn bad_file(reason: String) -> Diagnostic {
    Diagnostic::error(codes::data::BAD_MAP_FILE, "the map file is not readable").with_reason(reason)
}

/// Puts the contents of a map file into a back end.
///
/// # Errors
/// What the back end says.
pub fn apply(backend: &mut (impl Backend + ?Sized), contents: &Contents) -> Result<(), Diagnostic> {
    for (map, entries) in contents {
        for entry in entries {
            backend.map_update(*map, entry)?;
        }
    }
    Ok(())
}

/// Reads all maps of a back end that a map file can hold; read-only ones are left out.
///
/// # Errors
/// What the back end says.
pub fn collect(backend: &mut (impl Backend + ?Sized), object: &Object) -> Result<Contents, Diagnostic> {
    let wanted = object.maps.iter().enumerate().filter(|(_, map)| !map.spec.frozen && supported(map.spec.kind));
    wanted
        .map(|(index, _)| {
            let index = MapIdx(u16::try_from(index).unwrap_or(u16::MAX));
            Ok((index, backend.map_entries(index)?))
        })
        .collect()
}

/// Map contents in the shape of a map file: prints as the file, and serializes as part of a larger document.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump(Vec<(String, Vec<Json>)>);

/// The map file that holds these contents.
pub fn dump(object: &Object, contents: &Contents) -> Dump {
    let maps = contents.iter().filter_map(|(index, entries)| {
        let map = object.maps.get(usize::from(index.0))?;
        Some((map.spec.name.clone(), entries.iter().map(|entry| dump_entry(object, map, entry)).collect()))
    });
    Dump(maps.collect())
}

/// One entry as a map file shows it, for messages.
pub fn show_entry(object: &Object, map: &Map, entry: &Entry) -> String {
    dump_entry(object, map, entry).to_string()
}

fn dump_entry(object: &Object, map: &Map, entry: &Entry) -> Json {
    let typed = |bytes: &[u8]| typed::from_bytes(bytes, map.value_type.as_ref());
    let value = match &entry.value {
        EntryValue::One(value) if holds_references(map.spec.kind) => {
            ("value".to_string(), named::from_bytes(object, map, value))
        }
        EntryValue::One(value) => ("value".to_string(), typed(value)),
        EntryValue::PerCpu(values) => {
            let items = values.iter().map(|(cpu, value)| {
                let cpu = ("cpu".to_string(), Json::Unsigned(u64::from(*cpu)));
                Json::Object(vec![cpu, ("value".to_string(), typed(value))])
            });
            ("values".to_string(), Json::Array(items.collect()))
        }
    };
    Json::Object(vec![("key".to_string(), typed::from_bytes(&entry.key, map.key_type.as_ref())), value])
}

impl fmt::Display for Dump {
    /// One entry a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{{")?;
        for (at, (name, entries)) in self.0.iter().enumerate() {
            write!(f, "  {}: [", Json::String(name.clone()))?;
            for (at, entry) in entries.iter().enumerate() {
                write!(f, "{}\n    {entry}", if at == 0 { "" } else { "," })?;
            }
            let comma = if at + 1 == self.0.len() { "" } else { "," };
            writeln!(f, "{}]{comma}", if entries.is_empty() { "" } else { "\n  " })?;
        }
        writeln!(f, "}}")
    }
}

impl Serialize for Dump {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, entries)| (name, entries)))
    }
}
