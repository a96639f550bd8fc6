//! Single keys and values as text, for commands that work on one entry.

use super::json::Json;
use super::typed::{self, Misfit};
use super::{holds_references, named};
use offload_compiler::object::{Map, Object};
use offwire_diag::{Diagnostic, codes};
use serde::{Serialize, Serializer};
use std::fmt;

/// A key or value as a map file shows it: prints as JSON, and serializes as part of a larger document.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown(Json);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A key by its BTF type; without one the list of its bytes.
pub fn show_key(map: &Map, key: &[u8]) -> Shown {
    Shown(typed::from_bytes(key, map.key_type.as_ref()))
}

/// A value by its BTF type, or by the name of what it refers to.
pub fn show_value(object: &Object, map: &Map, value: &[u8]) -> Shown {
    Shown(if holds_references(map.spec.kind) {
        named::from_bytes(object, map, value)
    } else {
        typed::from_bytes(value, map.value_type.as_ref())
    })
}

/// Reads a key as a map file has it.
///
/// # Errors
/// `OW0713` if it is no JSON or does not fit the map's keys.
pub fn read_key(map: &Map, text: &str) -> Result<Vec<u8>, Diagnostic> {
    let json = parse("key", map, text)?;
    typed::to_bytes(&json, map.key_type.as_ref(), map.spec.key_size as usize)
        .map_err(|misfit| refuse("key", map, &misfit))
}

/// Reads a value as a map file has it.
///
/// # Errors
/// `OW0713` if it is no JSON or does not fit the map's values.
pub fn read_value(object: &Object, map: &Map, text: &str) -> Result<Vec<u8>, Diagnostic> {
    let json = parse("value", map, text)?;
    let bytes = if holds_references(map.spec.kind) {
        named::to_bytes(object, map, &json)
    } else {
        typed::to_bytes(&json, map.value_type.as_ref(), map.spec.value_size as usize)
    };
    bytes.map_err(|misfit| refuse("value", map, &misfit))
}

fn parse(what: &str, map: &Map, text: &str) -> Result<Json, Diagnostic> {
    serde_json::from_str(text).map_err(|error| {
        let misfit = Misfit::new(format!("{text:?} is no JSON: {error}"));
        refuse(what, map, &misfit)
    })
}

fn refuse(what: &str, map: &Map, misfit: &Misfit) -> Diagnostic {
    let place = format!("{what}{}{}", typed::gap(&misfit.member), misfit.member);
    Diagnostic::error(codes::data::BAD_MAP_ENTRY, format!("the {what} does not fit map {}", map.spec.name))
        .with_reason(format!("{place}: {}", misfit.what))
}
