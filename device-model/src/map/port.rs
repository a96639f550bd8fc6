//! A context's port to the map unit: its request entry, its posted writes, and the window of a map value that it holds.

use offwire_isa::RequestOp;

use crate::context::WINDOW;
use crate::geometry::{KEY_BYTES_MAX, POSTED_CREDITS};

/// Bytes that a value window can be built with.
pub(crate) const WINDOW_MAX: usize = 64;

/// Where bytes of a map value are; checked against the map table when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueAddress {
    pub slot: u8,
    pub element: u32,
    pub offset: u32,
}

/// Bytes of one map value that a context holds: filled by a lookup's answer and by loads that missed it.
#[derive(Clone, Debug)]
pub(crate) struct ValueWindow {
    pub valid: bool,
    pub at: ValueAddress,
    pub len: u32,
    /// More than it holds, so that a window at the last byte needs no second check.
    bytes: [u8; WINDOW_MAX + WINDOW],
}

impl ValueWindow {
    fn new() -> Self {
        ValueWindow { valid: false, at: ValueAddress::default(), len: 0, bytes: [0; WINDOW_MAX + WINDOW] }
    }

    /// The bytes at `at` if all `size` of them are here.
    #[inline(always)]
    pub(crate) fn get(&self, at: ValueAddress, size: u32) -> Option<&[u8]> {
        let index = at.offset.wrapping_sub(self.at.offset);
        let hit = self.valid
            && at.element == self.at.element
            && at.slot == self.at.slot
            && at.offset >= self.at.offset
            && index + size <= self.len;
        if hit { Some(&self.bytes[index as usize..]) } else { None }
    }

    /// Takes the bytes of a value from `at` on.
    pub(crate) fn fill(&mut self, at: ValueAddress, from: &[u8]) {
        let len = from.len().min(WINDOW_MAX);
        self.valid = true;
        self.at = at;
        self.len = len as u32;
        self.bytes[..len].copy_from_slice(&from[..len]);
    }

    /// An own store writes through to what is held.
    #[inline(always)]
    pub(crate) fn write_through(&mut self, at: ValueAddress, size: u8, value: u64) {
        if size == 0 || !self.valid || at.element != self.at.element || at.slot != self.at.slot {
            return;
        }
        for (n, byte) in value.to_le_bytes().into_iter().take(usize::from(size)).enumerate() {
            let index = (at.offset + n as u32).wrapping_sub(self.at.offset);
            if index < self.len {
                self.bytes[index as usize] = byte;
            }
        }
    }
}

/// What a posted write does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PostedKind {
    #[default]
    Store,
    Add32,
    Add64,
}

/// A posted store or add: up to two inserts into one value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Posted {
    pub kind: PostedKind,
    pub slot: u8,
    pub element: u32,
    /// Offset, size (0: off) and value of each insert; the second wins.
    pub parts: [(u32, u8, u64); 2],
    /// Packet and vCPU that posted it.
    pub seq: u64,
    pub vcpu: u16,
}

/// A key on its way; its bytes lie in the port.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    len: u16,
    bytes: [u8; KEY_BYTES_MAX as usize],
}

impl Key {
    /// Makes room for `len` bytes, whatever they are.
    pub(crate) fn resize(&mut self, len: u32) -> &mut [u8] {
        self.len = len.min(KEY_BYTES_MAX) as u16;
        &mut self.bytes[..usize::from(self.len)]
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A context's port. What most requests touch comes first.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Port {
    pub op: RequestOp,
    pub slot: u8,
    /// A load missed the window: the answer fills it and nothing else.
    pub reads: bool,
    /// vCPU and number of the context's packet.
    pub vcpu: u16,
    /// Element that the request is about.
    pub element: u32,
    /// Hash of the key.
    pub hash: u32,
    pub seq: u64,
    pub answer: u64,
    /// The key, or the value, is read from a map by the map unit itself.
    pub key_from: Option<ValueAddress>,
    pub value_from: Option<ValueAddress>,
    /// Where the window is to be filled from.
    pub wanted: ValueAddress,
    pub window: ValueWindow,
    /// Cycle from which each credit is free again; `u64::MAX` while the map unit has not taken the write.
    pub credits: [u64; POSTED_CREDITS],
    /// The writes that hold the credits.
    pub posted: [Posted; POSTED_CREDITS],
    pub value: Vec<u8>,
    pub key: Key,
}

impl Port {
    pub(crate) fn new() -> Self {
        Port {
            op: RequestOp::None,
            slot: 0,
            reads: false,
            vcpu: 0,
            element: 0,
            hash: 0,
            seq: 0,
            answer: 0,
            key_from: None,
            value_from: None,
            wanted: ValueAddress::default(),
            window: ValueWindow::new(),
            credits: [0; POSTED_CREDITS],
            posted: [Posted::default(); POSTED_CREDITS],
            value: Vec::new(),
            key: Key { len: 0, bytes: [0; KEY_BYTES_MAX as usize] },
        }
    }

    /// A free credit at cycle `now`.
    #[inline(always)]
    pub(crate) fn credit(&self, now: u64) -> Option<u8> {
        self.credits.iter().position(|&free| free <= now).map(|index| index as u8)
    }
}
