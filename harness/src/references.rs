//! Entries that name programs, maps and devices.
//!
//! In an [`Entry`] the value of a program array is the program's number in the object, that of a map of maps the map's number,
//! that of a devmap an ifindex, followed (8-byte values) by the number of a program and 1, or zero; each as a little-endian `u32`.
//! Back ends turn these into what they use themselves.

use crate::{Entry, EntryValue};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::{Initial, Object};
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};

/// True for kinds of maps whose values name something; only user space writes them.
pub(crate) fn holds_references(kind: MapKind) -> bool {
    use MapKind::{ArrayOfMaps, Devmap, DevmapHash, HashOfMaps, ProgArray};
    matches!(kind, ArrayOfMaps | Devmap | DevmapHash | HashOfMaps | ProgArray)
}

/// The numbers in a value.
pub(crate) fn numbers(value: &[u8]) -> impl Iterator<Item = u32> {
    value.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Entries that the object itself puts into program arrays and maps of maps.
///
/// # Errors
/// `OW0805` for a program that is not there.
pub(crate) fn initial(object: &Object) -> Result<Vec<(MapIdx, Entry)>, Diagnostic> {
    let mut entries = Vec::new();
    for (index, map) in object.maps.iter().enumerate() {
        let index = MapIdx(u16::try_from(index).unwrap_or(u16::MAX));
        for (key, what) in &map.initial {
            let value = match what {
                Initial::Map(inner) => u32::from(inner.0),
                Initial::Program(name) => {
                    let at = object.programs.iter().position(|program| program.name == *name);
                    at.and_then(|at| u32::try_from(at).ok())
                        .ok_or_else(|| refuse(&map.spec, format!("the object has no program {name} that can run")))?
                }
            };
            let value = EntryValue::One(value.to_le_bytes().to_vec());
            entries.push((index, Entry { key: key.to_le_bytes().to_vec(), value }));
        }
    }
    Ok(entries)
}

/// Whether the programs and maps that an entry names exist.
pub(crate) fn check(spec: &MapSpec, entry: &Entry, programs: usize, maps: usize) -> Result<(), Diagnostic> {
    let EntryValue::One(value) = &entry.value else { return Ok(()) };
    let exists = |number: Option<u32>, count: usize| number.is_none_or(|number| (number as usize) < count);
    let mut named = numbers(value);
    match spec.kind {
        MapKind::ProgArray if !exists(named.next(), programs) => Err(refuse(spec, "there is no such program".into())),
        MapKind::ArrayOfMaps | MapKind::HashOfMaps if !exists(named.next(), maps) => {
            Err(refuse(spec, "there is no such map".into()))
        }
        MapKind::Devmap | MapKind::DevmapHash if numbers(value).next() == Some(0) => {
            Err(refuse(spec, "no device has ifindex 0".into()))
        }
        MapKind::Devmap | MapKind::DevmapHash
            if !exists(named.nth(1).and_then(|number| number.checked_sub(1)), programs) =>
        {
            Err(refuse(spec, "there is no such program".into()))
        }
        _ => Ok(()),
    }
}

fn refuse(spec: &MapSpec, reason: String) -> Diagnostic {
    Diagnostic::error(codes::host::MAP_UPDATE, format!("map {} refuses an entry", spec.name)).with_reason(reason)
}
