//! Pointers to map values, as registers hold them.

/// A map-value pointer: {tag:4 = 4, slot:8, element:28, offset:24}, most significant first. Never a physical address; the map
/// unit checks it against the running image at each use. Byte offsets are added with ordinary 64-bit adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Slot of the image's map table.
    pub slot: u8,
    /// Element; for per-CPU maps index * vCPUs + vCPU.
    pub element: u32,
    /// Byte offset in the value.
    pub offset: u32,
}

impl Handle {
    /// The value of the tag field.
    pub const TAG: u64 = crate::HANDLE_TAG;

    /// Packs the handle. Element is cut to 28 bits, offset to 24.
    pub const fn pack(self) -> u64 {
        Self::TAG << 60
            | (self.slot as u64) << 52
            | ((self.element & 0x0fff_ffff) as u64) << 24
            | (self.offset & 0x00ff_ffff) as u64
    }

    /// Unpacks a register value; `None` if the tag is wrong.
    pub const fn unpack(value: u64) -> Option<Self> {
        if value >> 60 != Self::TAG {
            return None;
        }
        Some(Handle {
            slot: (value >> 52) as u8,
            element: (value >> 24) as u32 & 0x0fff_ffff,
            offset: value as u32 & 0x00ff_ffff,
        })
    }
}

/// A pointer to a map, the answer of a lookup in a map of maps: {tag:4 = 5, slot:8, zero:52}. The map unit checks the slot at
/// each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapPointer {
    /// Slot of the image's map table.
    pub slot: u8,
}

impl MapPointer {
    /// The value of the tag field.
    pub const TAG: u64 = Handle::TAG + 1;

    /// Packs the pointer.
    pub const fn pack(self) -> u64 {
        Self::TAG << 60 | (self.slot as u64) << 52
    }

    /// Unpacks a register value; `None` if it is no map pointer.
    pub const fn unpack(value: u64) -> Option<Self> {
        let pointer = MapPointer { slot: (value >> 52) as u8 };
        if pointer.pack() == value { Some(pointer) } else { None }
    }
}
