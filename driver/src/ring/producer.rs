//! The side that fills descriptors: commands, buffers to receive into, frames to send.

use super::{DESCRIPTOR, Entries, PHASE, RingError, copy, outside, prepare};
use offwire_hostif::{AVAIL, HostMemory, USED};
use std::ops::Deref;

/// How descriptors come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// Not at all: another ring tells that they have been consumed (commands).
    Elsewhere,
    /// The device writes them back with the used phase, in order (receive, transmit).
    InPlace,
}

/// A ring that the host fills.
#[derive(Debug)]
pub struct Producer<M> {
    memory: M,
    entries: Entries,
    returns: Return,
    /// Descriptors written.
    head: u32,
    /// Descriptors that came back.
    tail: u32,
    /// What the doorbell said last.
    rung: u32,
}

impl<M: Deref<Target: HostMemory>> Producer<M> {
    /// A ring in memory that nobody uses yet; it is filled with zeros.
    ///
    /// # Errors
    /// The memory does not hold it.
    pub fn new(memory: M, entries: Entries, returns: Return) -> Result<Self, RingError> {
        Self::starting_at(memory, entries, returns, 0)
    }

    /// As [`Producer::new`] after `index` descriptors, a whole number of laps of two, for tests of the wrap at 32 bits.
    pub(crate) fn starting_at(memory: M, entries: Entries, returns: Return, index: u32) -> Result<Self, RingError> {
        prepare(&*memory, entries)?;
        Ok(Producer { memory, entries, returns, head: index, tail: index, rung: index })
    }

    /// The ring's memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Index of the descriptor that is written next.
    pub fn head(&self) -> u32 {
        self.head
    }

    /// Descriptors that have not come back.
    pub fn outstanding(&self) -> u32 {
        self.head.wrapping_sub(self.tail)
    }

    /// Descriptors that can be written now.
    pub fn room(&self) -> u32 {
        self.entries.count() - self.outstanding()
    }

    /// Writes a descriptor (its phase word is ours) and gives its index; `None` if the ring is full.
    ///
    /// # Errors
    /// None but a memory that has become smaller.
    pub fn push(&mut self, descriptor: &[u8; DESCRIPTOR]) -> Result<Option<u32>, RingError> {
        if self.room() == 0 {
            return Ok(None);
        }
        let index = self.head;
        let at = self.entries.offset(index);
        let written = self.memory.write(at, &descriptor[..PHASE])
            && self.memory.store_release(at + PHASE as u64, self.handed_over(index));
        if !written {
            return Err(outside(&*self.memory, self.entries));
        }
        self.head = index.wrapping_add(1);
        Ok(Some(index))
    }

    /// The phase word of a descriptor that the host has written.
    fn handed_over(&self, index: u32) -> u32 {
        match (self.returns, self.entries.phase(index)) {
            (_, true) => AVAIL,
            (Return::Elsewhere, false) => 0,
            // The used bit is still that of the lap before.
            (Return::InPlace, false) => USED,
        }
    }

    /// True if the next descriptor came back in place.
    ///
    /// # Errors
    /// The device wrote an impossible phase word.
    pub fn ready(&self) -> Result<bool, RingError> {
        self.returned().map(|word| word.is_some())
    }

    /// The phase word of the next descriptor, if it came back.
    fn returned(&self) -> Result<Option<u32>, RingError> {
        if self.returns == Return::Elsewhere || self.outstanding() == 0 {
            return Ok(None);
        }
        let index = self.tail;
        let at = self.entries.offset(index) + PHASE as u64;
        let word = self.memory.load_acquire(at).ok_or_else(|| outside(&*self.memory, self.entries))?;
        let ours = self.handed_over(index);
        match word {
            _ if word == ours => Ok(None),
            _ if word == ours ^ USED => Ok(Some(word)),
            _ => Err(RingError::Phase { index, word }),
        }
    }

    /// Takes the next descriptor that came back in place; `None` if there is none (yet).
    ///
    /// # Errors
    /// The device wrote an impossible phase word.
    pub fn take(&mut self) -> Result<Option<(u32, [u8; DESCRIPTOR])>, RingError> {
        let Some(word) = self.returned()? else { return Ok(None) };
        let index = self.tail;
        let bytes = copy(&*self.memory, self.entries.offset(index), word);
        self.tail = index.wrapping_add(1);
        bytes.map(|bytes| Some((index, bytes))).ok_or_else(|| outside(&*self.memory, self.entries))
    }

    /// Another ring told that the next `count` descriptors have been consumed; more than are outstanding count as
    /// those.
    pub fn retire(&mut self, count: u32) {
        self.tail = self.tail.wrapping_add(count.min(self.outstanding()));
    }

    /// What the doorbell must say now, if it has not said it yet: one write for all descriptors since the last.
    pub fn news(&mut self) -> Option<u32> {
        if self.rung == self.head {
            return None;
        }
        self.rung = self.head;
        Some(self.head)
    }
}
