//! Values that name programs, maps and devices.

use super::json::Json;
use super::typed::{self, Misfit};
use crate::references;
use offload_compiler::object::{Map, Object};
use offwire_image::MapKind;

/// True for maps whose keys are indices below their size.
pub(super) fn is_array(kind: MapKind) -> bool {
    use MapKind::{Array, ArrayOfMaps, Devmap, PercpuArray, ProgArray};
    matches!(kind, Array | ArrayOfMaps | Devmap | PercpuArray | ProgArray)
}

/// The value as an entry holds it; see `references`.
pub(super) fn to_bytes(object: &Object, map: &Map, json: &Json) -> Result<Vec<u8>, Misfit> {
    let mut numbers = match map.spec.kind {
        MapKind::ProgArray => vec![program(object, json)?],
        MapKind::ArrayOfMaps | MapKind::HashOfMaps => vec![inner_map(object, map, json)?],
        _ => device(object, json)?,
    };
    let count = map.spec.value_size as usize / 4;
    if numbers.len() > count {
        return Err(Misfit::new("its values have no room for a program").inside("prog"));
    }
    numbers.resize(count, 0);
    Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn position<'a>(mut names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<u32> {
    names.position(|name| name == wanted).and_then(|at| u32::try_from(at).ok())
}

fn program(object: &Object, json: &Json) -> Result<u32, Misfit> {
    let Json::String(name) = json else {
        return Err(Misfit::new(format!("{} where the name of a program is wanted", json.kind())));
    };
    position(object.programs.iter().map(|program| program.name.as_str()), name)
        .ok_or_else(|| Misfit::new(format!("the object has no program {name}")))
}

fn inner_map(object: &Object, outer: &Map, json: &Json) -> Result<u32, Misfit> {
    let Json::String(name) = json else {
        return Err(Misfit::new(format!("{} where the name of a map is wanted", json.kind())));
    };
    let at = position(object.maps.iter().map(|map| map.spec.name.as_str()), name);
    let found = at.and_then(|at| Some((at, &object.maps.get(at as usize)?.spec)));
    let Some((at, spec)) = found else { return Err(Misfit::new(format!("the object has no map {name}"))) };
    let fits = outer.inner.as_ref().is_none_or(|inner| {
        (inner.kind, inner.key_size, inner.value_size, inner.flags)
            == (spec.kind, spec.key_size, spec.value_size, spec.flags)
    });
    if fits { Ok(at) } else { Err(Misfit::new(format!("map {name} is not like the maps that may stand there"))) }
}

fn device(object: &Object, json: &Json) -> Result<Vec<u32>, Misfit> {
    let ifindex = |json: &Json| match json {
        Json::Unsigned(number @ 1..=0xffff_ffff) => Ok(*number as u32),
        _ => Err(Misfit::new("an ifindex is a number from 1")),
    };
    let Json::Object(members) = json else { return Ok(vec![ifindex(json)?]) };
    let find = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, json)| json);
    match (find("ifindex"), find("prog"), members.len()) {
        (Some(number), None, 1) => Ok(vec![ifindex(number)?]),
        (Some(number), Some(name), 2) => {
            Ok(vec![ifindex(number)?, program(object, name).map_err(|misfit| misfit.inside("prog"))?.saturating_add(1)])
        }
        _ => Err(Misfit::new("a device is an ifindex or {\"ifindex\": n, \"prog\": name}")),
    }
}

/// The value as a map file shows it; bytes if they name nothing.
pub(super) fn from_bytes(object: &Object, map: &Map, value: &[u8]) -> Json {
    let numbers: Vec<u32> = references::numbers(value).collect();
    let program = |at: u32| object.programs.get(at as usize).map(|program| Json::String(program.name.clone()));
    let shown = match (map.spec.kind, numbers.as_slice()) {
        (MapKind::ProgArray, [at]) => program(*at),
        (MapKind::ArrayOfMaps | MapKind::HashOfMaps, [at]) => {
            object.maps.get(*at as usize).map(|map| Json::String(map.spec.name.clone()))
        }
        (MapKind::Devmap | MapKind::DevmapHash, [ifindex] | [ifindex, 0]) => Some(Json::Unsigned(u64::from(*ifindex))),
        (MapKind::Devmap | MapKind::DevmapHash, [ifindex, at]) => program(at - 1).map(|name| {
            let ifindex = ("ifindex".to_string(), Json::Unsigned(u64::from(*ifindex)));
            Json::Object(vec![ifindex, ("prog".to_string(), name)])
        }),
        _ => None,
    };
    shown.unwrap_or_else(|| typed::from_bytes(value, None))
}
