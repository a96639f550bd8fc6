//! Doing it again.

use super::{Contents, Journal, Loaded, MadeMap, Object};
use crate::device::Device;
use crate::error::Error;
use crate::map::{Map, MapId, Update};
use crate::program::ProgramId;
use offwire_hostif::{DispatchChoice, Status};
use offwire_image::MapKind;
use std::collections::BTreeMap;

/// What became of the journal's programs and maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Old program ids and new ones.
    pub programs: BTreeMap<ProgramId, ProgramId>,
    /// Old map ids and new ones.
    pub maps: BTreeMap<MapId, MapId>,
}

impl Replayed {
    fn map(&self, old: MapId) -> Result<MapId, Error> {
        self.maps.get(&old).copied().ok_or(Error::Journal { what: "map", id: old.0 })
    }

    fn program(&self, old: ProgramId) -> Result<ProgramId, Error> {
        self.programs.get(&old).copied().ok_or(Error::Journal { what: "program", id: old.0 })
    }
}

pub(super) fn replay(device: &Device, journal: &Journal) -> Result<Replayed, Error> {
    let mut done = Replayed::default();
    let mut gone = (Vec::new(), Vec::new());
    for (object, is_gone) in &journal.objects {
        match object {
            Object::Map(map) => {
                let new = make(device, map, &done)?;
                done.maps.insert(map.id, new);
                if *is_gone {
                    gone.1.push(new);
                }
            }
            Object::Program(program) => {
                let new = load(device, program, &mut done)?;
                done.programs.insert(program.id, new);
                if *is_gone {
                    gone.0.push(new);
                }
            }
        }
    }
    for (&map, contents) in &journal.contents {
        write(&device.map(done.map(map)?)?, contents, &done)?;
    }
    for &map in &journal.frozen {
        device.map(done.map(map)?)?.freeze()?;
    }
    for (&port, record) in &journal.ports {
        if let Some((flags, ifindex)) = record.settings {
            device.set_port(port, flags, ifindex)?;
        }
        if let Some((program, dispatch)) = record.attached {
            attach(device, port, done.program(program)?, dispatch)?;
        }
    }
    gone.0.into_iter().try_for_each(|program| device.unload(program))?;
    gone.1.into_iter().try_for_each(|map| device.free_map(map))?;
    Ok(done)
}

fn make(device: &Device, map: &MadeMap, done: &Replayed) -> Result<MapId, Error> {
    let inner = map.inner.map(|inner| done.map(inner)).transpose()?;
    device.create_map(&map.spec, map.lock, inner)
}

fn load(device: &Device, program: &Loaded, done: &mut Replayed) -> Result<ProgramId, Error> {
    let bound = |binding: &Option<MapId>| binding.map(|map| done.map(map)).transpose();
    let bindings = program.bindings.iter().map(bound).collect::<Result<Vec<_>, _>>()?;
    let new = device.load_bytes(&program.image, &bindings)?;
    let maps = device.program(new)?.maps;
    if maps.len() != program.maps.len() {
        return Err(Error::Nonsense { what: "the maps of a program", value: maps.len() as u64 });
    }
    done.maps.extend(program.maps.iter().copied().zip(maps));
    Ok(new)
}

fn write(map: &Map, contents: &Contents, done: &Replayed) -> Result<(), Error> {
    let holds_maps = matches!(map.info().kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps);
    let mut entries = Vec::with_capacity(contents.len());
    for (key, value) in contents {
        match value {
            // It may have had initial contents, or none at all.
            None => map.delete(key).map(drop)?,
            Some(value) if holds_maps => entries.push((key, translate(value, done)?)),
            Some(value) => entries.push((key, value.clone())),
        }
    }
    map.update_batch(entries.iter().map(|(key, value)| (&key[..], &value[..])), Update::Any).map(drop)
}

/// The value of a map of maps: a map id, 4 B.
fn translate(value: &[u8], done: &Replayed) -> Result<Vec<u8>, Error> {
    let wrong = || Error::Nonsense { what: "the size of a map id", value: value.len() as u64 };
    let id = u32::from_le_bytes(value.try_into().map_err(|_| wrong())?);
    let old = u16::try_from(id).map_err(|_| Error::Nonsense { what: "a map id", value: id.into() })?;
    Ok(u32::from(done.map(MapId(old))?.0).to_le_bytes().to_vec())
}

fn attach(device: &Device, port: u16, program: ProgramId, dispatch: DispatchChoice) -> Result<(), Error> {
    match device.attach(port, program, dispatch, Some(None)) {
        // The device is not as after power on; the journal wins.
        Err(error) if error.status() == Some(Status::Changed) => device.attach(port, program, dispatch, None).map(drop),
        other => other.map(drop),
    }
}
