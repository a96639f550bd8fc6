//! Buffers of commands: small ones that each place of the command queue has, some large ones for batches, and ones made
//! to measure.

use crate::device::options::OpenOptions;
use crate::dma::{DmaBuf, DmaSpace};
use crate::error::Error;
use crossbeam_queue::ArrayQueue;
use offwire_hostif::{DmaAccess, HostMemory};
use std::sync::Arc;

/// Bytes of a small buffer.
const SMALL: usize = 4096;
/// Bytes of a large buffer.
pub(crate) const LARGE: usize = 64 << 10;
/// How many of them: enough for two threads that keep two batches in flight.
const LARGE_COUNT: usize = 4;
/// Most bytes of a buffer made to measure: what the largest image or a per-CPU value of a large map may need.
const MOST: usize = 256 << 20;

/// Buffers of one command.
#[derive(Debug)]
pub(crate) enum Buffers {
    /// Those of its place.
    Small(u16),
    /// Taken from the pool.
    Large(u16),
    /// Made for it.
    Own { input: Option<DmaBuf>, output: Option<DmaBuf> },
}

/// All buffers of a command queue. Inputs are read-only for the device, outputs write-only.
pub(crate) struct Pool {
    small: (DmaBuf, DmaBuf),
    large: (DmaBuf, DmaBuf),
    free: ArrayQueue<u16>,
    options: OpenOptions,
}

impl Pool {
    /// Buffers for so many commands.
    pub(crate) fn new(space: &Arc<DmaSpace>, options: &OpenOptions, places: u32) -> Result<Self, Error> {
        let pair = |size: usize, count: usize| -> Result<(DmaBuf, DmaBuf), Error> {
            let bytes = (size * count) as u64;
            Ok((
                options.allocate(space, "offwire inputs", bytes, DmaAccess::Read)?,
                options.allocate(space, "offwire outputs", bytes, DmaAccess::Write)?,
            ))
        };
        let free = ArrayQueue::new(LARGE_COUNT);
        for index in 0..LARGE_COUNT as u16 {
            // There is room for all.
            let _ = free.push(index);
        }
        Ok(Pool { small: pair(SMALL, places as usize)?, large: pair(LARGE, LARGE_COUNT)?, free, options: *options })
    }

    /// Buffers of at least so many bytes for the command at a place.
    pub(crate) fn buffers(
        &self,
        space: &Arc<DmaSpace>,
        place: u16,
        input: usize,
        output: usize,
    ) -> Result<Buffers, Error> {
        let most = input.max(output);
        if most <= SMALL {
            return Ok(Buffers::Small(place));
        }
        if most <= LARGE
            && let Some(index) = self.free.pop()
        {
            return Ok(Buffers::Large(index));
        }
        if most > MOST {
            return Err(Error::TooLarge { what: "a buffer of a command", bytes: most });
        }
        let own = |name, bytes: usize, access| match bytes {
            0 => Ok(None),
            _ => self.options.allocate(space, name, bytes as u64, access).map(Some),
        };
        Ok(Buffers::Own {
            input: own("offwire input", input, DmaAccess::Read)?,
            output: own("offwire output", output, DmaAccess::Write)?,
        })
    }

    /// They may be used by others; what was made to measure goes.
    pub(crate) fn give_back(&self, buffers: Buffers) {
        match buffers {
            Buffers::Small(_) => {}
            Buffers::Large(index) => {
                // There is room for all.
                let _ = self.free.push(index);
            }
            Buffers::Own { input, output } => drop((input, output)),
        }
    }

    /// Device addresses of input and output.
    pub(crate) fn addresses(&self, buffers: &Buffers) -> (u64, u64) {
        let at = |pair: &(DmaBuf, DmaBuf), offset: u64| (pair.0.iova().0 + offset, pair.1.iova().0 + offset);
        match buffers {
            Buffers::Small(index) => at(&self.small, u64::from(*index) * SMALL as u64),
            Buffers::Large(index) => at(&self.large, u64::from(*index) * LARGE as u64),
            Buffers::Own { input, output } => {
                let address = |buffer: &Option<DmaBuf>| buffer.as_ref().map_or(0, |buffer| buffer.iova().0);
                (address(input), address(output))
            }
        }
    }

    /// Copies to the input; false if it does not fit.
    pub(crate) fn write(&self, buffers: &Buffers, at: usize, bytes: &[u8]) -> bool {
        let place = |memory: &DmaBuf, size: usize, index: u16| {
            let fits = at.checked_add(bytes.len()).is_some_and(|end| end <= size);
            fits && memory.write((usize::from(index) * size + at) as u64, bytes)
        };
        match buffers {
            Buffers::Small(index) => place(&self.small.0, SMALL, *index),
            Buffers::Large(index) => place(&self.large.0, LARGE, *index),
            Buffers::Own { input, .. } => input.as_ref().is_some_and(|memory| memory.write(at as u64, bytes)),
        }
    }

    /// Copies the beginning of the output; false if it is longer than the buffer.
    pub(crate) fn read(&self, buffers: &Buffers, bytes: &mut [u8]) -> bool {
        match buffers {
            Buffers::Small(index) => bytes.len() <= SMALL && self.small.1.read(u64::from(*index) * SMALL as u64, bytes),
            Buffers::Large(index) => bytes.len() <= LARGE && self.large.1.read(u64::from(*index) * LARGE as u64, bytes),
            Buffers::Own { output, .. } => output.as_ref().is_some_and(|memory| memory.read(0, bytes)),
        }
    }
}
