//! What a driver did to its device, so that it can be done again after a reset.
//!
//! A [`Journal`] is not a log but the state that the calls left: objects in the order in which they were made, what the
//! host wrote to each map last, what is attached where. What programs wrote to maps is lost with the device.

mod replay;
#[cfg(test)]
mod tests;

pub use replay::Replayed;

use crate::device::{Device, Inner};
use crate::map::{MapId, MapInfo};
use crate::program::ProgramId;
use offwire_hostif::DispatchChoice;
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

/// What is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Journaling {
    /// Nothing.
    #[default]
    Off,
    /// Programs, maps, attachments, ports.
    Objects,
    /// These, and what the host wrote to maps and froze. Costs a copy of each key and value.
    Contents,
}

/// A map that was made by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MadeMap {
    id: MapId,
    spec: MapSpec,
    lock: Option<u32>,
    inner: Option<MapId>,
}

/// A program that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Loaded {
    id: ProgramId,
    image: Vec<u8>,
    bindings: Vec<Option<MapId>>,
    /// Maps by slot, bound ones and those that were made with it.
    maps: Vec<MapId>,
}

impl Loaded {
    /// True if the map was made with the program.
    fn made(&self, map: MapId) -> bool {
        self.maps
            .iter()
            .enumerate()
            .any(|(slot, &own)| own == map && self.bindings.get(slot).is_none_or(Option::is_none))
    }
}

/// Something that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Object {
    Map(MadeMap),
    Program(Loaded),
}

/// What was done to a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PortRecord {
    /// Flags and ifindex.
    settings: Option<(u16, Option<u32>)>,
    attached: Option<(ProgramId, DispatchChoice)>,
}

/// Values by key; `None`: an initial element was deleted.
type Contents = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a driver did to its device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// In order. True: it is gone, but something that is there was made from it.
    objects: Vec<(Object, bool)>,
    contents: BTreeMap<MapId, Contents>,
    frozen: BTreeSet<MapId>,
    ports: BTreeMap<u16, PortRecord>,
}

impl Journal {
    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Journal::default()
    }

    /// Programs that it loads.
    pub fn programs(&self) -> impl Iterator<Item = ProgramId> + '_ {
        self.objects.iter().filter_map(|(object, gone)| match object {
            Object::Program(program) if !gone => Some(program.id),
            _ => None,
        })
    }

    /// Maps that it makes, by themselves or with programs.
    pub fn maps(&self) -> impl Iterator<Item = MapId> + '_ {
        self.objects.iter().flat_map(|(object, gone)| match object {
            Object::Map(map) => {
                if *gone {
                    vec![]
                } else {
                    vec![map.id]
                }
            }
            Object::Program(program) => {
                program.maps.iter().copied().filter(|&map| program.made(map)).collect::<Vec<_>>()
            }
        })
    }

    /// Entries of maps that it writes or deletes.
    pub fn writes(&self) -> usize {
        self.contents.values().map(BTreeMap::len).sum()
    }

    /// Forgets what is gone and what nothing that is there was made from.
    fn tidy(&mut self) {
        loop {
            let needed = |at: usize, object: &Object| {
                self.objects[at + 1..].iter().any(|(later, _)| match later {
                    Object::Map(map) => map.inner.is_some_and(|inner| object.has(inner)),
                    Object::Program(program) => program.maps.iter().any(|&map| !program.made(map) && object.has(map)),
                })
            };
            let useless = |(at, (object, gone)): (usize, &(Object, bool))| (*gone && !needed(at, object)).then_some(at);
            let Some(at) = self.objects.iter().enumerate().find_map(useless) else { return };
            let (object, _) = self.objects.remove(at);
            self.contents.retain(|&map, _| !object.has(map));
            self.frozen.retain(|&map| !object.has(map));
        }
    }
}

impl Object {
    /// True if the map was made by it.
    fn has(&self, map: MapId) -> bool {
        match self {
            Object::Map(made) => made.id == map,
            Object::Program(program) => program.made(map),
        }
    }
}

/// The journal of a device's handles, as far as it is kept.
pub(crate) struct Record {
    level: Journaling,
    journal: Journal,
}

impl Record {
    pub(crate) fn new(level: Journaling) -> Self {
        Record { level, journal: Journal::default() }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn is_on(&self) -> bool {
        self.level >= Journaling::Objects
    }

    pub(crate) fn clear(&mut self) {
        self.journal = Journal::default();
    }

    pub(crate) fn restore(&mut self, journal: Journal) {
        self.journal = journal;
    }

    pub(crate) fn loaded(&mut self, id: ProgramId, image: &[u8], bindings: &[Option<MapId>], maps: &[MapId]) {
        if self.is_on() {
            let (image, bindings, maps) = (image.to_vec(), bindings.to_vec(), maps.to_vec());
            self.journal.objects.push((Object::Program(Loaded { id, image, bindings, maps }), false));
        }
    }

    pub(crate) fn unloaded(&mut self, id: ProgramId) {
        self.mark(|object| matches!(object, Object::Program(program) if program.id == id));
    }

    pub(crate) fn created(&mut self, id: MapId, spec: &MapSpec, lock: Option<u32>, inner: Option<MapId>) {
        if self.is_on() {
            let map = MadeMap { id, spec: spec.clone(), lock, inner };
            self.journal.objects.push((Object::Map(map), false));
        }
    }

    pub(crate) fn freed(&mut self, id: MapId) {
        self.mark(|object| matches!(object, Object::Map(map) if map.id == id));
    }

    /// What fits is gone.
    fn mark(&mut self, fits: impl Fn(&Object) -> bool) {
        if let Some((_, gone)) = self.journal.objects.iter_mut().find(|(object, gone)| !gone && fits(object)) {
            *gone = true;
            self.journal.tidy();
        }
    }

    pub(crate) fn attached(&mut self, port: u16, program: ProgramId, dispatch: DispatchChoice) {
        if self.is_on() {
            self.journal.ports.entry(port).or_default().attached = Some((program, dispatch));
        }
    }

    pub(crate) fn detached(&mut self, port: u16) {
        if let Some(record) = self.journal.ports.get_mut(&port) {
            record.attached = None;
        }
    }

    pub(crate) fn port_set(&mut self, port: u16, flags: u16, ifindex: Option<u32>) {
        if self.is_on() {
            self.journal.ports.entry(port).or_default().settings = Some((flags, ifindex));
        }
    }

    pub(crate) fn wrote(&mut self, map: &MapInfo, key: &[u8], value: Option<&[u8]>) {
        // Of these kinds images have initial elements, so that a deletion is more than nothing.
        let initial = matches!(map.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps | MapKind::ProgArray);
        let contents = self.journal.contents.entry(map.id).or_default();
        match value {
            None if !initial => drop(contents.remove(key)),
            value => drop(contents.insert(key.to_vec(), value.map(<[u8]>::to_vec))),
        }
    }

    pub(crate) fn froze(&mut self, map: MapId) {
        if self.level >= Journaling::Contents {
            self.journal.frozen.insert(map);
        }
    }
}

impl Inner {
    /// The journal.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        // Each entry is whole.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if what the host writes to maps is kept.
    pub(crate) fn keeps_contents(&self) -> bool {
        self.options.journal >= Journaling::Contents
    }

    /// The host wrote an entry, or deleted it.
    pub(crate) fn wrote(&self, map: &MapInfo, key: &[u8], value: Option<&[u8]>) {
        if self.keeps_contents() {
            self.record().wrote(map, key, value);
        }
    }
}

impl Device {
    /// Does again what a journal says, on a device on which nothing of it is there. Programs and maps may get other
    /// ids.
    ///
    /// # Errors
    /// [`crate::Error::Journal`] if it needs a program or map that it did not make (one that a predecessor left, say);
    /// as the commands. What was done before stays.
    pub fn replay(&self, journal: &Journal) -> Result<Replayed, crate::Error> {
        replay::replay(self, journal)
    }
}
