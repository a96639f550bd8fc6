//! Numbers of the objects that a device holds. Both are reused: the lowest free one is given first, and a number is free again
//! when the last packet that may know of the object has left.

use std::fmt;

/// A map of the device. What programs name are slots of their own map table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapId(pub u16);

/// A program of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId(pub u16);

impl MapId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ProgramId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl From<MapId> for u16 {
    fn from(map: MapId) -> Self {
        map.0
    }
}

impl From<MapId> for usize {
    fn from(map: MapId) -> Self {
        map.index()
    }
}

impl fmt::Display for MapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
