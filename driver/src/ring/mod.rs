//! Rings in host memory: who may write which descriptor when.
//!
//! A ring is a power of two of 64 B descriptors; indices count on and wrap at 32 bits. The last word of a descriptor
//! carries its phase: bit 0 (avail) is the host's, bit 1 (used) the device's, and each is 1 on the first lap and
//! alternates from lap to lap. Whoever hands a descriptor over writes its 60 other bytes first and the phase word last
//! (release); whoever takes it looks at the phase word first (acquire) and copies the bytes then. That one word orders
//! everything: buffers that a descriptor names are written before it too.
//!
//! - [`Producer`] fills descriptors: commands, where the device only reads, and packets, where it writes each
//!   descriptor back;
//! - [`Consumer`] takes what the device writes: completions and events;
//! - [`Doorbell`] tells the device how far either has come, once for a burst.
//!
//! Neither believes the device: a phase word that nobody may have written is a [`RingError`], an index is never read
//! from memory, and the only memory that is touched is the ring's own. The code is generic over the memory, so that a
//! model checker (loom) runs the very same lines.

mod consumer;
mod doorbell;
mod producer;
#[cfg(test)]
mod tests;

pub use consumer::Consumer;
pub use doorbell::Doorbell;
pub use producer::{Producer, Return};

use offwire_hostif::{DESCRIPTOR_BYTES, HostMemory, RING_LOG2_MAX, RING_LOG2_MIN};

/// Bytes of a descriptor.
pub const DESCRIPTOR: usize = DESCRIPTOR_BYTES as usize;
/// Offset of the phase word in a descriptor.
const PHASE: usize = DESCRIPTOR - 4;

/// Entries of a ring: a power of two from 2 to 65,536.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entries(u8);

impl Entries {
    /// The fewest.
    pub const MIN: Entries = Entries(RING_LOG2_MIN as u8);
    /// The most.
    pub const MAX: Entries = Entries(RING_LOG2_MAX as u8);

    /// So many; `None` if a ring cannot have so many.
    pub const fn new(entries: u32) -> Option<Self> {
        if !entries.is_power_of_two() {
            return None;
        }
        Self::from_log2(entries.trailing_zeros())
    }

    /// `1 << log2` of them; `None` if a ring cannot have so many.
    pub const fn from_log2(log2: u32) -> Option<Self> {
        if log2 < RING_LOG2_MIN || log2 > RING_LOG2_MAX { None } else { Some(Entries(log2 as u8)) }
    }

    /// Binary logarithm.
    pub const fn log2(self) -> u32 {
        self.0 as u32
    }

    /// How many.
    pub const fn count(self) -> u32 {
        1 << self.0
    }

    /// Bytes of a ring with so many.
    pub const fn bytes(self) -> u64 {
        (self.count() as u64) * DESCRIPTOR as u64
    }

    /// Twice as many, but not more than the most.
    pub const fn doubled(self) -> Self {
        if self.0 < RING_LOG2_MAX as u8 { Entries(self.0 + 1) } else { self }
    }

    /// Where the descriptor with this index is.
    const fn offset(self, index: u32) -> u64 {
        (index & (self.count() - 1)) as u64 * DESCRIPTOR as u64
    }

    /// Its phase bit.
    const fn phase(self, index: u32) -> bool {
        offwire_hostif::phase(index, self.log2())
    }
}

/// What a device may not do to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// A phase word that neither side writes.
    #[error("descriptor {index} has the phase word {word:#x}, which nobody may have written")]
    Phase {
        /// Index of the descriptor.
        index: u32,
        /// The word.
        word: u32,
    },
    /// The memory is smaller than the ring.
    #[error("a memory of {size} B does not hold a ring of {entries} entries")]
    Memory {
        /// Bytes of the memory.
        size: u64,
        /// Entries of the ring.
        entries: u32,
    },
}

/// Checks that the memory holds the ring and fills it with zeros, as both sides expect it when the ring is enabled.
fn prepare<H: HostMemory + ?Sized>(memory: &H, entries: Entries) -> Result<(), RingError> {
    let blank = [0; DESCRIPTOR];
    for index in 0..entries.count() {
        let at = entries.offset(index);
        if !(memory.write(at, &blank[..PHASE]) && memory.store_release(at + PHASE as u64, 0)) {
            return Err(outside(memory, entries));
        }
    }
    Ok(())
}

/// The memory does not hold what it was checked to hold.
fn outside<H: HostMemory + ?Sized>(memory: &H, entries: Entries) -> RingError {
    RingError::Memory { size: memory.size(), entries: entries.count() }
}

/// Copies a descriptor out whose phase word has been read.
fn copy<H: HostMemory + ?Sized>(memory: &H, at: u64, word: u32) -> Option<[u8; DESCRIPTOR]> {
    let mut bytes = [0; DESCRIPTOR];
    let (body, phase) = bytes.split_at_mut(PHASE);
    phase.copy_from_slice(&word.to_le_bytes());
    memory.read(at, body).then_some(bytes)
}
