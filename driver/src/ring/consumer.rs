//! The side that takes what the device writes: completions, events.

use super::{DESCRIPTOR, Entries, PHASE, RingError, copy, outside, prepare};
use offwire_hostif::{HostMemory, USED};
use std::ops::Deref;

/// A ring that the device fills.
#[derive(Debug)]
pub struct Consumer<M> {
    memory: M,
    entries: Entries,
    /// Descriptors taken.
    head: u32,
    /// What the doorbell said last.
    rung: u32,
}

impl<M: Deref<Target: HostMemory>> Consumer<M> {
    /// A ring in memory that nobody uses yet; it is filled with zeros.
    ///
    /// # Errors
    /// The memory does not hold it.
    pub fn new(memory: M, entries: Entries) -> Result<Self, RingError> {
        Self::starting_at(memory, entries, 0)
    }

    /// As [`Consumer::new`] after `index` descriptors, a whole number of laps of two, for tests of the wrap at 32 bits.
    pub(crate) fn starting_at(memory: M, entries: Entries, index: u32) -> Result<Self, RingError> {
        prepare(&*memory, entries)?;
        Ok(Consumer { memory, entries, head: index, rung: index })
    }

    /// The ring's memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Its entries.
    pub fn entries(&self) -> Entries {
        self.entries
    }

    /// Index of the descriptor that is taken next.
    pub fn head(&self) -> u32 {
        self.head
    }

    /// Takes the next descriptor; `None` if the device has not written it yet.
    ///
    /// # Errors
    /// The device wrote an impossible phase word.
    pub fn take(&mut self) -> Result<Option<[u8; DESCRIPTOR]>, RingError> {
        let index = self.head;
        let at = self.entries.offset(index);
        let word = self.memory.load_acquire(at + PHASE as u64).ok_or_else(|| outside(&*self.memory, self.entries))?;
        if word & !USED != 0 {
            return Err(RingError::Phase { index, word });
        }
        if (word & USED != 0) != self.entries.phase(index) {
            return Ok(None);
        }
        let bytes = copy(&*self.memory, at, word).ok_or_else(|| outside(&*self.memory, self.entries))?;
        self.head = index.wrapping_add(1);
        Ok(Some(bytes))
    }

    /// Descriptors taken of which the device does not know.
    pub fn unrung(&self) -> u32 {
        self.head.wrapping_sub(self.rung)
    }

    /// What the doorbell must say now, if at least `batch` descriptors were taken since it was last rung. The device
    /// may then write over them.
    pub fn news(&mut self, batch: u32) -> Option<u32> {
        if self.unrung() < batch.max(1) {
            return None;
        }
        self.rung = self.head;
        Some(self.head)
    }
}
