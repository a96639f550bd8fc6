//! The files behind a peer's mappings, each mapped once.

use crate::error::MemoryError;
use crate::file::{self, FileId};
use crate::memory::SharedMemory;
use offwire_hostif::HostMemory;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

/// Whole files of one peer, each mapped once however many ranges of it the peer names.
///
/// A guest behind a virtual IOMMU maps memory page by page: one `mmap` a message would meet the kernel's limit of 65,530
/// mappings a process at 256 MiB. A file is unmapped when the last range of it goes. Not to be shared between peers: a file that
/// one of them may write would be writable for all.
#[derive(Debug, Default)]
pub struct Backings {
    files: BTreeMap<FileId, Weak<SharedMemory>>,
}

/// Above so many remembered files those that are gone are forgotten.
const TIDY_ABOVE: usize = 64;

impl Backings {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole file behind the descriptor, under the rules of [`SharedMemory::from_peer`]; offsets in it are offsets in the file.
    pub fn map(&mut self, fd: OwnedFd) -> Result<Arc<SharedMemory>, MemoryError> {
        file::seal(fd.as_fd())?;
        self.map_with(fd, SharedMemory::from_trusted)
    }

    /// As [`Backings::map`] under the rules of [`SharedMemory::from_trusted`].
    pub fn map_trusted(&mut self, fd: OwnedFd) -> Result<Arc<SharedMemory>, MemoryError> {
        self.map_with(fd, SharedMemory::from_trusted)
    }

    fn map_with(
        &mut self,
        fd: OwnedFd,
        map: fn(OwnedFd, u64, u64) -> Result<SharedMemory, MemoryError>,
    ) -> Result<Arc<SharedMemory>, MemoryError> {
        let facts = file::facts(fd.as_fd())?;
        // The tail of a file that does not end on a page cannot be used for DMA.
        let size = facts.size - facts.size % facts.page;
        if let Some(memory) = self.files.get(&facts.id).and_then(Weak::upgrade)
            && memory.size() >= size
        {
            return Ok(memory);
        }
        let memory = Arc::new(map(fd, 0, size)?);
        if self.files.len() >= TIDY_ABOVE {
            self.files.retain(|_, file| file.strong_count() > 0);
        }
        self.files.insert(facts.id, Arc::downgrade(&memory));
        Ok(memory)
    }

    /// Files that are mapped now.
    pub fn mapped(&self) -> usize {
        self.files.values().filter(|file| file.strong_count() > 0).count()
    }
}
