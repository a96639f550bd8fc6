//! The DMA table: which host memory the device may use, by IOVA. What is not in it does not exist for the device.

use std::sync::Arc;

use offwire_hostif::{DmaAccess, DmaError, HostMemory, Iova};

/// Mappings that the function holds: 4 KiB pages of a guest with 256 MiB, as a vIOMMU scatters them.
pub(crate) const MAPPINGS_MAX: usize = 1 << 16;

/// An access that the table does not allow, with the address of the first byte that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DmaFault(pub(crate) u64);

struct Mapping {
    start: u64,
    /// The last byte: the range may end with the address space.
    last: u64,
    access: DmaAccess,
    memory: Arc<dyn HostMemory>,
    /// Where `start` lies in the memory.
    offset: u64,
}

/// Mappings, and the right to use them.
#[derive(Default)]
pub(crate) struct DmaTable {
    /// In order of their addresses, apart from each other.
    mappings: Vec<Mapping>,
    /// The mapping that was used last; ring and buffers of a burst mostly lie in one.
    recent: usize,
    /// Bus Master of the command register.
    pub(crate) master: bool,
}

impl DmaTable {
    /// As [`offwire_hostif::PciFunction::dma_map`].
    pub(crate) fn map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError> {
        let range = DmaError::Range { iova: iova.0, size };
        let last = last(iova, size).ok_or(range)?;
        if offset.checked_add(size).is_none_or(|end| end > memory.size()) {
            return Err(range);
        }
        let at = self.mappings.partition_point(|mapping| mapping.last < iova.0);
        if self.mappings.get(at).is_some_and(|next| next.start <= last) {
            return Err(DmaError::Overlap { iova: iova.0, size });
        }
        if self.mappings.len() >= MAPPINGS_MAX {
            return Err(DmaError::TooMany(MAPPINGS_MAX));
        }
        self.mappings.insert(at, Mapping { start: iova.0, last, access, memory, offset });
        Ok(())
    }

    /// As [`offwire_hostif::PciFunction::dma_unmap`].
    pub(crate) fn unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        let last = last(iova, size).ok_or(DmaError::Range { iova: iova.0, size })?;
        let from = self.mappings.partition_point(|mapping| mapping.last < iova.0);
        let to = self.mappings.partition_point(|mapping| mapping.start <= last);
        let Some(inside) = self.mappings.get(from..to) else { return Ok(0) };
        if inside.iter().any(|mapping| mapping.start < iova.0 || mapping.last > last) {
            return Err(DmaError::Split { iova: iova.0, size });
        }
        // A mapping has at most 2^64 - 1 bytes, and those inside a range together not more than the range.
        let bytes = self.mappings.drain(from..to).map(|mapping| mapping.last - mapping.start + 1).sum();
        Ok(bytes)
    }

    /// Takes all mappings away.
    pub(crate) fn clear(&mut self) {
        self.mappings.clear();
    }

    /// The number of the mapping in which an address lies.
    #[inline]
    fn find(&mut self, address: u64) -> Option<usize> {
        let holds = |mapping: &Mapping| mapping.start <= address && address <= mapping.last;
        if self.mappings.get(self.recent).is_some_and(holds) {
            return Some(self.recent);
        }
        let at = self.mappings.partition_point(|mapping| mapping.last < address);
        self.mappings.get(at).filter(|mapping| holds(mapping))?;
        self.recent = at;
        Some(at)
    }

    /// Walks the mappings of `size` bytes; `run` gets memory, offset in it, first and last byte of the buffer that lie there.
    fn walk(
        &mut self,
        start: u64,
        size: usize,
        allowed: fn(DmaAccess) -> bool,
        mut run: impl FnMut(&dyn HostMemory, u64, usize, usize) -> bool,
    ) -> Result<(), DmaFault> {
        if !self.master {
            return Err(DmaFault(start));
        }
        let mut done = 0;
        while done < size {
            // Wraps only behind the last address, where no mapping goes on.
            let address = start.checked_add(done as u64).ok_or(DmaFault(u64::MAX))?;
            let at = self.find(address).ok_or(DmaFault(address))?;
            let mapping = &self.mappings[at];
            if !allowed(mapping.access) {
                return Err(DmaFault(address));
            }
            let there = (mapping.last - address).saturating_add(1);
            let bytes = usize::try_from(there).unwrap_or(usize::MAX).min(size - done);
            if !run(&*mapping.memory, mapping.offset + (address - mapping.start), done, done + bytes) {
                return Err(DmaFault(address));
            }
            done += bytes;
        }
        Ok(())
    }

    /// Copies from host memory. On a fault some of `bytes` may have been filled.
    pub(crate) fn read(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), DmaFault> {
        self.walk(from, bytes.len(), DmaAccess::reads, |memory, offset, a, b| memory.read(offset, &mut bytes[a..b]))
    }

    /// Copies to host memory. On a fault the bytes before it may have been written.
    pub(crate) fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        self.walk(to, bytes.len(), DmaAccess::writes, |memory, offset, a, b| memory.write(offset, &bytes[a..b]))
    }

    /// True if the device may read all of the range; nothing is touched.
    pub(crate) fn may_read(&mut self, from: u64, size: usize) -> Result<(), DmaFault> {
        self.walk(from, size, DmaAccess::reads, |_, _, _, _| true)
    }

    /// True if the device may write all of the range; nothing is touched.
    pub(crate) fn may_write(&mut self, to: u64, size: usize) -> Result<(), DmaFault> {
        self.walk(to, size, DmaAccess::writes, |_, _, _, _| true)
    }

    /// A word of a ring, acquired.
    pub(crate) fn load(&mut self, from: u64) -> Result<u32, DmaFault> {
        let mut word = None;
        self.walk(from, 4, DmaAccess::reads, |memory, offset, a, b| {
            word = if (a, b) == (0, 4) { memory.load_acquire(offset) } else { None };
            word.is_some()
        })?;
        word.ok_or(DmaFault(from))
    }

    /// A word of a ring, released.
    pub(crate) fn store(&mut self, to: u64, word: u32) -> Result<(), DmaFault> {
        self.walk(to, 4, DmaAccess::writes, |memory, offset, a, b| {
            (a, b) == (0, 4) && memory.store_release(offset, word)
        })
    }
}

/// The last byte of a range; `None` if it has none or leaves 64 bits.
fn last(iova: Iova, size: u64) -> Option<u64> {
    iova.0.checked_add(size.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Doorbells;

    fn memory() -> Arc<dyn HostMemory> {
        Arc::new(Doorbells::new())
    }

    fn table() -> DmaTable {
        DmaTable { master: true, ..DmaTable::default() }
    }

    #[test]
    fn a_buffer_may_lie_in_many_mappings() {
        let mut table = table();
        let (a, b) = (memory(), memory());
        table.map(Iova(0x1000), 0x10, DmaAccess::ReadWrite, a.clone(), 0x100).unwrap();
        table.map(Iova(0x1010), 0x10, DmaAccess::Write, b.clone(), 0x40).unwrap();
        let bytes: Vec<u8> = (0..0x20).collect();
        table.write(0x1000, &bytes).unwrap();
        let mut half = [0; 0x10];
        assert!(a.read(0x100, &mut half));
        assert_eq!(half[..], bytes[..0x10]);
        assert!(b.read(0x40, &mut half));
        assert_eq!(half[..], bytes[0x10..]);
        // Where reading is not allowed, and where nothing is.
        assert_eq!(table.read(0x1000, &mut [0; 0x11]), Err(DmaFault(0x1010)));
        assert_eq!(table.write(0x1018, &[0; 9]), Err(DmaFault(0x1020)));
        assert_eq!(table.write(0xfff, &[0]), Err(DmaFault(0xfff)));
        table.master = false;
        assert_eq!(table.write(0x1000, &bytes), Err(DmaFault(0x1000)));
    }

    #[test]
    fn words_do_not_straddle_mappings() {
        let mut table = table();
        table.map(Iova(0x1000), 6, DmaAccess::ReadWrite, memory(), 0).unwrap();
        table.map(Iova(0x1006), 10, DmaAccess::ReadWrite, memory(), 2).unwrap();
        assert_eq!(table.store(0x1000, 7), Ok(()));
        assert_eq!(table.load(0x1000), Ok(7));
        assert_eq!(table.load(0x1004), Err(DmaFault(0x1004)));
        // Aligned there, but not in the memory behind it.
        assert_eq!(table.load(0x1008), Ok(0));
        assert_eq!(table.load(0x1009), Err(DmaFault(0x1009)));
    }

    #[test]
    fn ranges_end_with_the_address_space() {
        let mut table = table();
        table.map(Iova(u64::MAX - 7), 8, DmaAccess::ReadWrite, memory(), 0).unwrap();
        assert_eq!(table.write(u64::MAX - 3, &[1; 4]), Ok(()));
        assert_eq!(table.write(u64::MAX - 3, &[1; 5]), Err(DmaFault(u64::MAX)));
        let range = |iova, size| Err(DmaError::Range { iova, size });
        assert_eq!(table.map(Iova(u64::MAX), 2, DmaAccess::Read, memory(), 0), range(u64::MAX, 2));
        assert_eq!(table.map(Iova(0), 0, DmaAccess::Read, memory(), 0), range(0, 0));
        assert_eq!(table.map(Iova(0), 9, DmaAccess::Read, memory(), u64::MAX - 4), range(0, 9));
        let size = memory().size();
        assert_eq!(table.map(Iova(0), 9, DmaAccess::Read, memory(), size - 8), range(0, 9));
    }

    #[test]
    fn overlaps_and_splits_are_refused() {
        let mut table = table();
        let mut map = |iova, size| table.map(Iova(iova), size, DmaAccess::ReadWrite, memory(), 0);
        assert_eq!(map(0x2000, 0x1000), Ok(()));
        assert_eq!(map(0x1000, 0x1000), Ok(()));
        for (iova, size) in [(0x2000, 1), (0x2fff, 1), (0x1800, 0x1000), (0, 0x8000)] {
            assert_eq!(map(iova, size), Err(DmaError::Overlap { iova, size }));
        }
        for (iova, size) in [(0x2000, 0xfff), (0x2001, 0xfff), (0x1800, 0x2000)] {
            assert_eq!(table.unmap(Iova(iova), size), Err(DmaError::Split { iova, size }));
        }
        assert_eq!(table.unmap(Iova(0x8000), 0x1000), Ok(0));
        assert_eq!(table.load(0x2ffc), Ok(0));
        assert_eq!(table.unmap(Iova(0), 0x8000), Ok(0x2000));
        assert_eq!(table.load(0x2ffc), Err(DmaFault(0x2ffc)));
    }

    #[test]
    fn there_is_a_most() {
        let mut table = table();
        let memory = memory();
        for at in 0..MAPPINGS_MAX as u64 {
            table.map(Iova(at * 8), 4, DmaAccess::Read, memory.clone(), 0).unwrap();
        }
        let one_more = table.map(Iova(u64::MAX), 1, DmaAccess::Read, memory.clone(), 0);
        assert_eq!(one_more, Err(DmaError::TooMany(MAPPINGS_MAX)));
        assert_eq!(table.unmap(Iova(8), 4), Ok(4));
        assert_eq!(table.map(Iova(u64::MAX), 1, DmaAccess::Read, memory, 0), Ok(()));
    }
}
