//! Maps of maps from the user's side. Who puts a map there gives it a slot in the map table of each program that has the outer
//! map, so that a lookup has something to answer; and who holds which map is counted.

use super::control::{Update, Values};
use super::table::{Contents, Directory, MapInfo, Table};
use super::unit::MapUnit;
use crate::context::load;
use crate::error::MapError;
use crate::id::MapId;
use crate::reclaim::Reclaim;

impl Contents {
    /// What the elements of a map of maps name.
    fn named(&self, info: &MapInfo) -> Vec<MapId> {
        if !info.is_outer() {
            return Vec::new();
        }
        let number = |at: u32| MapId(load(self.elements.value(at, 4), 4) as u16);
        match &self.directory {
            Directory::Sparse(there) => {
                (0..).zip(there).filter(|(_, there)| **there).map(|(at, _)| number(at)).collect()
            }
            Directory::Hash(index) => index.elements(&self.elements).map(number).collect(),
            _ => Vec::new(),
        }
    }
}

impl Table {
    /// The maps that stand in a map, if it is a map of maps.
    pub(crate) fn named(&self, map: MapId) -> Vec<MapId> {
        self.contents[map.index()].named(&self.infos[map.index()])
    }
}

impl MapUnit {
    /// An update by the user.
    #[inline]
    pub(crate) fn update(
        &mut self,
        map: MapId,
        key: &[u8],
        values: Values<'_>,
        update: Update,
        reclaim: &mut Reclaim,
    ) -> Result<(), MapError> {
        if !self.table.infos.get(map.index()).is_some_and(|info| info.is_outer()) {
            return self.table.update(map, key, values, update);
        }
        if self.table.map(map, Some(key))?.info.frozen {
            return Err(MapError::Frozen);
        }
        self.put_inner(map, key, values, update, reclaim)
    }

    /// An update of a map of maps, also of a frozen one.
    pub(crate) fn put_inner(
        &mut self,
        map: MapId,
        key: &[u8],
        values: Values<'_>,
        update: Update,
        reclaim: &mut Reclaim,
    ) -> Result<(), MapError> {
        let inner = self.table.checked_inner(map, key, values, update)?;
        let old = self.inner_at(map, key);
        let wanting = |view: &super::view::View| view.owns(map.0) && view.slot_of(inner.0).is_none();
        if self.views.iter().any(|view| wanting(view) && !view.leaving && self.room(view, reclaim).is_none()) {
            return Err(MapError::Full);
        }
        self.table.set(map, key, values, update)?;
        let info = self.table.infos[inner.index()];
        for at in 0..self.views.len() {
            if let (true, Some(slot)) = (wanting(&self.views[at]), self.room(&self.views[at], reclaim)) {
                self.views[at].put(slot, info);
            }
        }
        if let Some(object) = self.table.object_mut(inner) {
            object.outers += 1;
        }
        if let Some(old) = old {
            self.unname(old, reclaim);
        }
        Ok(())
    }

    /// A slot for one map more in a program's table.
    fn room(&self, view: &super::view::View, reclaim: &Reclaim) -> Option<usize> {
        view.room(|map| {
            let object = self.table.objects.get(usize::from(map)).and_then(Option::as_ref);
            object.is_none_or(|object| object.outers == 0 && reclaim.epochs.passed(object.unnamed))
        })
    }

    fn inner_at(&self, map: MapId, key: &[u8]) -> Option<MapId> {
        let map = self.table.map(map, Some(key)).ok()?;
        let element = map.element(key)?;
        Some(MapId(load(map.contents.elements.value(element, 4), 4) as u16))
    }

    /// A delete by the user.
    pub(crate) fn delete(&mut self, map: MapId, key: &[u8], reclaim: &mut Reclaim) -> Result<(), MapError> {
        let outer = self.table.infos.get(map.index()).is_some_and(|info| info.is_outer());
        let old = if outer { self.inner_at(map, key) } else { None };
        self.table.delete(map, key)?;
        if let Some(old) = old {
            self.unname(old, reclaim);
        }
        Ok(())
    }

    /// An element that named the map is gone.
    fn unname(&mut self, map: MapId, reclaim: &mut Reclaim) {
        let Some(object) = self.table.object_mut(map) else { return };
        object.outers = object.outers.saturating_sub(1);
        if object.outers == 0 {
            object.unnamed = reclaim.epochs.request();
            self.drop_follower(map, reclaim);
        }
    }

    /// A program holds the map no longer.
    pub(crate) fn unhold(&mut self, map: MapId, reclaim: &mut Reclaim) {
        if let Some(object) = self.table.object_mut(map) {
            object.programs = object.programs.saturating_sub(1);
            self.drop_follower(map, reclaim);
        }
    }

    /// A map that came with a program goes when nobody holds it.
    fn drop_follower(&mut self, map: MapId, reclaim: &mut Reclaim) {
        if self.table.object(map).is_some_and(|object| object.follows && object.programs == 0 && object.outers == 0) {
            self.leave(map, reclaim);
        }
    }

    /// Frees a map that nobody holds.
    pub(crate) fn leave(&mut self, map: MapId, reclaim: &mut Reclaim) {
        let Some(object) = self.table.object_mut(map) else { return };
        object.leaving = true;
        reclaim.map(map);
        for inner in self.table.named(map) {
            self.unname(inner, reclaim);
        }
    }

    /// True if a write to a map is on its way, or what an ended packet held of it.
    pub(crate) fn is_on_its_way_to(&self, map: MapId) -> bool {
        self.ports.iter().any(|port| port.is_on_its_way_to(map.0))
    }
}
