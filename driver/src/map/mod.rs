//! Maps: making and listing them, and handles by which they are read and written.
//!
//! A [`Map`] handles bytes as the kernel's user does: a value of a per-CPU map is the value of each vCPU, each padded
//! to 8 B. A [`TypedMap`] is the same for types that are [`Plain`].

mod batch;
mod entries;
mod handle;
mod plain;
mod typed;

pub use entries::{Entries, Entry};
pub use handle::{Map, Update};
pub use plain::Plain;
pub use typed::TypedMap;

use crate::device::{Device, Request, id};
use crate::error::Error;
use crate::name;
use offwire_hostif::{Opcode, desc};
use offwire_image::{MapKind, MapSpec};
use std::fmt;
use std::sync::atomic::Ordering;

/// A map on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapId(pub u16);

impl fmt::Display for MapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// No map, no lock, where a record names one.
const NONE: u32 = u32::MAX;
/// Bit of MapInfo's `frozen`: the host cannot change it.
const HOST_FROZEN: u32 = 1 << 0;
/// Bit of MapInfo's `frozen`: programs cannot change it.
const PROGRAM_FROZEN: u32 = 1 << 1;

/// What a map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Id.
    pub id: MapId,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: MapKind,
    /// Bytes of a key.
    pub key_bytes: u32,
    /// Bytes of a value, as declared.
    pub value_bytes: u32,
    /// Most entries.
    pub max_entries: u32,
    /// The kernel's `BPF_F_*` bits.
    pub flags: u32,
    /// Offset of a `struct bpf_spin_lock` in the value.
    pub lock: Option<u32>,
    /// True if the host cannot change it.
    pub frozen: bool,
    /// True if programs cannot change it.
    pub read_only: bool,
    /// Copies of a value: vCPUs, or 1.
    pub copies: u32,
    /// Programs that hold it.
    pub programs: u32,
    /// Bytes of map memory.
    pub memory: u64,
}

impl MapInfo {
    /// Bytes of a value as the device's commands have it: of a per-CPU map all copies, each padded to 8 B.
    pub fn value_size(&self) -> usize {
        let bytes = self.value_bytes as usize;
        if self.kind.is_per_cpu() { bytes.next_multiple_of(8) * self.copies as usize } else { bytes }
    }
}

impl Device {
    /// Makes a map. `lock`: offset of a `struct bpf_spin_lock` in the value; `inner`: the map that all inner maps of a
    /// map of maps are like.
    ///
    /// # Errors
    /// [`Error::Command`] if the device refuses.
    pub fn create_map(&self, spec: &MapSpec, lock: Option<u32>, inner: Option<MapId>) -> Result<MapId, Error> {
        let record = desc::MapCreate {
            kind: spec.kind as u32,
            key_bytes: spec.key_size,
            value_bytes: spec.value_size,
            max_entries: spec.max_entries,
            flags: spec.flags,
            lock: lock.unwrap_or(NONE),
            inner: inner.map_or(NONE, |map| map.0.into()),
            init_bytes: spec.init.len() as u32,
            frozen: spec.frozen.into(),
            name: name::encode(&spec.name),
            ..desc::MapCreate::default()
        };
        let reply = self.run(&Request::new(Opcode::MapCreate).input(&[&record.encode(), &spec.init]))?;
        let map = MapId(id(reply.result(), "a map id")?);
        self.inner.record().created(map, spec, lock, inner);
        Ok(map)
    }

    /// Frees a map that no program and no outer map holds. Its memory is free once each older packet has left.
    ///
    /// # Errors
    /// [`Error::Command`].
    pub fn free_map(&self, map: MapId) -> Result<(), Error> {
        self.run(&Request::new(Opcode::MapFree).object(map.0.into()))?;
        self.inner.record().freed(map);
        Ok(())
    }

    /// All maps, by id.
    ///
    /// # Errors
    /// As any command.
    pub fn maps(&self) -> Result<Vec<MapId>, Error> {
        Ok(self.ids(Opcode::MapNext, "a map id")?.into_iter().map(MapId).collect())
    }

    /// What a map is.
    ///
    /// # Errors
    /// [`Error::Command`] if there is none with this id.
    pub fn map_info(&self, map: MapId) -> Result<MapInfo, Error> {
        let request = Request::new(Opcode::MapInfo).object(map.0.into()).output(desc::MapInfo::BYTES);
        let info = desc::MapInfo::decode(&self.run(&request)?.record("a map record's size")?);
        let nonsense = |what, value: u32| Error::Nonsense { what, value: value.into() };
        let kind = MapKind::from_kernel(info.kind).ok_or_else(|| nonsense("a kind of map", info.kind))?;
        let copies = if kind.is_per_cpu() { self.vcpus() } else { 1 };
        if info.copies != copies {
            return Err(nonsense("the copies of a value", info.copies));
        }
        Ok(MapInfo {
            id: MapId(id(info.id.into(), "a map id")?),
            name: name::decode(&info.name),
            kind,
            key_bytes: info.key_bytes,
            value_bytes: info.value_bytes,
            max_entries: info.max_entries,
            flags: info.flags,
            lock: (info.lock != NONE).then_some(info.lock),
            frozen: info.frozen & HOST_FROZEN != 0,
            read_only: info.frozen & PROGRAM_FROZEN != 0,
            copies,
            programs: info.programs,
            memory: info.memory,
        })
    }

    /// A handle on a map.
    ///
    /// # Errors
    /// [`Error::Command`] if there is none with this id.
    pub fn map(&self, map: MapId) -> Result<Map, Error> {
        let epoch = self.inner.objects_epoch.load(Ordering::Acquire);
        Ok(Map::new(self.clone(), self.map_info(map)?, epoch))
    }

    /// A handle on the map with this name that a program holds; `None` if it has none.
    ///
    /// # Errors
    /// As any command.
    pub fn map_of(&self, program: crate::ProgramId, name: &str) -> Result<Option<Map>, Error> {
        for map in self.program(program)?.maps {
            let map = self.map(map)?;
            if map.info().name == name {
                return Ok(Some(map));
            }
        }
        Ok(None)
    }
}
