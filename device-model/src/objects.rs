//! Maps as the user has them: created and freed while packets are in flight, and their entries.

use offwire_image::{MapKind, MapSpec};

use crate::counters::MapUse;
use crate::device::Device;
use crate::error::{MapCreateError, MapError, MapFreeError};
use crate::geometry::MAPS;
use crate::id::MapId;
use crate::map::control::{Entry, Update, Values};
use crate::map::table::{self, InnerType};
use crate::reclaim::PendingFrees;
use crate::trace::Trace;

/// A map of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapState {
    /// As it was created, without the initial contents. `max_entries` of a perf event array is the device's.
    pub spec: MapSpec,
    /// Where its values hold a spin lock.
    pub lock: Option<u32>,
    /// For maps of maps what all inner ones are like, if that is said.
    pub inner: Option<InnerType>,
    /// The user can no longer change it.
    pub frozen: bool,
    /// Bytes of map memory.
    pub memory: u64,
    /// Programs that hold it.
    pub programs: u32,
    /// Elements of maps of maps that name it.
    pub outers: u32,
}

impl<T: Trace> Device<T> {
    /// Creates a map with its initial contents. `lock`: the byte of its values where they hold a spin lock. `inner`: for a map of
    /// maps a map that all inner ones are like; it is looked at now and not held.
    ///
    /// # Errors
    /// What the device cannot hold, or has no room for.
    pub fn map_create(
        &mut self,
        spec: &MapSpec,
        lock: Option<u32>,
        inner: Option<MapId>,
    ) -> Result<MapId, MapCreateError> {
        self.reap();
        if spec.kind == MapKind::ProgArray {
            return Err(MapCreateError::ProgArray);
        }
        let mut info = table::info(spec, self.profile)?;
        if let Some(offset) = lock {
            if !table::can_lock(&info, offset) {
                return Err(MapCreateError::Lock(offset));
            }
            info.lock = lock;
        }
        let inner = match inner {
            Some(map) => {
                let like = self.map.table.object(map).map(|_| self.map.table.infos[map.index()]);
                let like = like.filter(|like| info.is_outer() && like.is_ordinary());
                Some(like.ok_or(MapCreateError::Inner(map))?.as_inner())
            }
            None => None,
        };
        if self.map.table.free_numbers() == 0 {
            return Err(MapCreateError::TooMany);
        }
        let needed = table::memory(&info, self.profile);
        let (used, total) = self.map_memory();
        if needed > total - used {
            return Err(MapCreateError::Memory { needed, available: total - used });
        }
        let map = self.map.table.create(spec, info, self.profile);
        if let Some(object) = self.map.table.object_mut(map) {
            object.inner = inner;
        }
        Ok(map)
    }

    /// Frees a map that no program and no map of maps holds. Its number and memory are free again when the last packet that may
    /// know of it has left.
    ///
    /// # Errors
    /// There is no such map, or somebody holds it.
    pub fn map_free(&mut self, map: MapId) -> Result<(), MapFreeError> {
        let object = self.map.table.object(map).ok_or(MapFreeError::NoMap(map))?;
        let (programs, outers) = (object.programs, object.outers);
        if programs > 0 || outers > 0 {
            return Err(MapFreeError::InUse { programs, outers });
        }
        self.map.leave(map, &mut self.reclaim);
        self.reap();
        Ok(())
    }

    /// From now on the user cannot change the map (`BPF_MAP_FREEZE`); programs can.
    ///
    /// # Errors
    /// There is no such map.
    pub fn map_freeze(&mut self, map: MapId) -> Result<(), MapError> {
        self.map.table.object(map).ok_or(MapError::NoMap(map))?;
        self.map.table.infos[map.index()].frozen = true;
        Ok(())
    }

    /// What a map is.
    ///
    /// # Errors
    /// There is no such map.
    pub fn map_info(&self, map: MapId) -> Result<MapState, MapError> {
        let object = self.map.table.object(map).ok_or(MapError::NoMap(map))?;
        let info = &self.map.table.infos[map.index()];
        Ok(MapState {
            spec: MapSpec { max_entries: info.max_entries, ..object.spec.clone() },
            lock: info.lock,
            inner: object.inner,
            frozen: info.frozen,
            memory: object.memory,
            programs: object.programs,
            outers: object.outers,
        })
    }

    /// The map with the next higher number, or the first one. Maps that are being freed are not listed.
    pub fn map_next_id(&self, after: Option<MapId>) -> Option<MapId> {
        let from = after.map_or(0, |map| map.0.saturating_add(1));
        (from..MAPS as u16).map(MapId).find(|&map| self.map.table.object(map).is_some())
    }

    /// Bytes of map memory that are taken, also by what is still being freed, and all.
    pub fn map_memory(&self) -> (u64, u64) {
        (self.map.table.memory, self.profile.map_memory_bytes.into())
    }

    /// Values of a key: one for each vCPU in per-CPU maps, else 1.
    ///
    /// # Errors
    /// There is no such map.
    pub fn map_copies(&self, map: MapId) -> Result<u32, MapError> {
        self.map.table.object(map).ok_or(MapError::NoMap(map))?;
        Ok(self.map.table.infos[map.index()].copies(self.profile.vcpus))
    }

    /// What programs did with the map since it was created.
    ///
    /// # Errors
    /// There is no such map.
    pub fn map_counters(&self, map: MapId) -> Result<MapUse, MapError> {
        self.map.table.object(map).ok_or(MapError::NoMap(map))?;
        Ok(self.map.table.contents[map.index()].counted)
    }

    /// The value of a key; of a per-CPU map the copy of vCPU `cpu`.
    ///
    /// # Errors
    /// What the kernel refuses too, except that there is no such key.
    pub fn map_lookup(&self, map: MapId, key: &[u8], cpu: u16) -> Result<Option<Vec<u8>>, MapError> {
        self.map.table.lookup(map, key, cpu)
    }

    /// Sets the value of a key. A per-CPU map takes a value for each vCPU from 0 on; vCPUs without one get zeros.
    ///
    /// # Errors
    /// What the kernel refuses too.
    pub fn map_update(&mut self, map: MapId, key: &[u8], values: &[Vec<u8>], update: Update) -> Result<(), MapError> {
        self.map.update(map, key, Values::Each(values), update, &mut self.reclaim)
    }

    /// Sets the value of a key, as bpf(2) takes it: of a per-CPU map the values of all vCPUs, each in steps of 8 B. An element of a
    /// map of maps is a [`MapId`] in 4 B.
    ///
    /// # Errors
    /// What the kernel refuses too.
    pub fn map_update_bytes(&mut self, map: MapId, key: &[u8], value: &[u8], update: Update) -> Result<(), MapError> {
        self.map.update(map, key, Values::Flat(value), update, &mut self.reclaim)
    }

    /// Reads the value of a key into `out`, as [`Device::map_update_bytes`] takes it.
    ///
    /// # Errors
    /// What the kernel refuses too.
    pub fn map_lookup_into(&self, map: MapId, key: &[u8], out: &mut Vec<u8>) -> Result<(), MapError> {
        self.map.table.lookup_into(map, key, out)
    }

    /// Reads the key behind `key` into `out`, or the first one if there is no such key; all keys in some order if the map is not
    /// changed meanwhile. A walk through n entries takes time for n and for what the map is built for.
    ///
    /// # Errors
    /// `NoSuchKey` behind the last key; what the kernel refuses too.
    pub fn map_next_key(&self, map: MapId, key: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), MapError> {
        self.map.table.next_key(map, key, out)
    }

    /// Takes a key out of a map.
    ///
    /// # Errors
    /// What the kernel refuses too.
    pub fn map_delete(&mut self, map: MapId, key: &[u8]) -> Result<(), MapError> {
        self.map.delete(map, key, &mut self.reclaim)
    }

    /// All entries of a map: of arrays in order of the index, else in order of the key's bytes.
    ///
    /// # Errors
    /// There is no such map.
    pub fn map_entries(&self, map: MapId) -> Result<Vec<Entry>, MapError> {
        self.map.table.entries(map)
    }

    /// What was freed and waits for packets that may know of it. All zero: it is all gone.
    pub fn pending_frees(&self) -> PendingFrees {
        self.reclaim.pending()
    }

    pub(crate) fn reap(&mut self) {
        self.reclaim.reap(&mut self.map, &mut self.programs);
    }
}
