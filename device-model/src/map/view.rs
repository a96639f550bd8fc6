//! The map table of a program: the maps that its handles and map pointers can name, by slot.
//!
//! A program reaches the maps of its own table and no other. The first slots are the image's; the others are given, one each, to
//! the maps that stand in its maps of maps.

use offwire_image::MAPS_MAX;

use super::table::MapInfo;

/// No slot.
const NONE: u16 = u16::MAX;

/// The map table of one program.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The maps by slot; [`MapInfo::NONE`] where there is none.
    pub infos: Vec<MapInfo>,
    /// Slots of the image.
    own: usize,
    /// Slots by the map's number.
    slots: Vec<u16>,
    /// The program was unloaded and waits for its packets.
    pub leaving: bool,
}

impl View {
    /// The table of an image, each map in it once.
    pub(crate) fn new(infos: Vec<MapInfo>) -> Self {
        let mut view = View { own: infos.len(), infos, slots: Vec::new(), leaving: false };
        for slot in 0..view.own {
            view.name(view.infos[slot].id, slot as u16);
        }
        view
    }

    fn name(&mut self, map: u16, slot: u16) {
        let map = usize::from(map);
        if map >= self.slots.len() {
            self.slots.resize(map + 1, NONE);
        }
        self.slots[map] = slot;
    }

    /// The slot of a map.
    #[inline]
    pub(crate) fn slot_of(&self, map: u16) -> Option<u8> {
        self.slots.get(usize::from(map)).and_then(|&slot| u8::try_from(slot).ok())
    }

    /// True if the image itself names the map.
    pub(crate) fn owns(&self, map: u16) -> bool {
        self.slot_of(map).is_some_and(|slot| usize::from(slot) < self.own)
    }

    /// A slot for a map that has none: a free one, or one whose map `gone` says nobody can name any more. `None` if all are taken.
    pub(crate) fn room(&self, gone: impl Fn(u16) -> bool) -> Option<usize> {
        let next = self.infos.len();
        let find = |free: &dyn Fn(u16) -> bool| (self.own..next).find(|&slot| free(self.infos[slot].id));
        find(&|map| map == NONE).or((next < MAPS_MAX).then_some(next)).or_else(|| find(&gone))
    }

    /// Puts a map in a slot that [`View::room`] gave.
    pub(crate) fn put(&mut self, slot: usize, info: MapInfo) {
        if slot == self.infos.len() {
            self.infos.push(MapInfo::NONE);
        }
        self.remove(self.infos[slot].id);
        self.infos[slot] = info;
        self.name(info.id, slot as u16);
    }

    /// Takes a map that is none of the image's out. False if it has no slot.
    pub(crate) fn remove(&mut self, map: u16) -> bool {
        let Some(slot) = self.slot_of(map).map(usize::from).filter(|&slot| slot >= self.own) else { return false };
        self.infos[slot] = MapInfo::NONE;
        self.slots[usize::from(map)] = NONE;
        true
    }
}
