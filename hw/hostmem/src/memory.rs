//! Shared memory and mapped BARs.

use crate::error::MemoryError;
use crate::file::{self, FileId};
use crate::mapping::Mapping;
use offwire_hostif::HostMemory;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of a huge page.
const HUGE: u64 = 2 << 20;

/// A range of a file, mapped; the file can be sent to another process.
///
/// Sizes and offsets are whole pages. The memory starts as zeros if we made it.
pub struct SharedMemory {
    mapping: Mapping,
    file: OwnedFd,
    id: FileId,
    offset: u64,
    page: u64,
}

impl SharedMemory {
    /// Makes memory of at least `size` bytes, rounded up to pages, sealed so that its size stays. `name` shows in
    /// `/proc/PID/maps`.
    pub fn new(name: &str, size: u64) -> Result<Self, MemoryError> {
        Self::make(name, size, false, Mapping::new)
    }

    /// As [`SharedMemory::new`] with huge pages of 2 MiB; with ordinary ones if the machine has none to give, and then the
    /// reason is returned too.
    pub fn huge(name: &str, size: u64) -> Result<(Self, Option<MemoryError>), MemoryError> {
        match Self::make(name, size, true, Mapping::new) {
            Ok(memory) => Ok((memory, None)),
            Err(reason @ MemoryError::System { .. }) => Ok((Self::new(name, size)?, Some(reason))),
            Err(error) => Err(error),
        }
    }

    /// As [`SharedMemory::new`] between two pages that nobody can touch, so that a test sees what leaves the memory.
    pub fn guarded(name: &str, size: u64) -> Result<Self, MemoryError> {
        Self::make(name, size, false, Mapping::guarded)
    }

    /// Maps a range of the file that a peer sent. The file must be a memfd and is sealed against
    /// shrinking, by us if it is not yet.
    pub fn from_peer(fd: OwnedFd, offset: u64, size: u64) -> Result<Self, MemoryError> {
        file::seal(fd.as_fd())?;
        Self::of_file(fd, offset, size, Mapping::new)
    }

    /// As [`SharedMemory::from_peer`] between guard pages.
    pub fn from_peer_guarded(fd: OwnedFd, offset: u64, size: u64) -> Result<Self, MemoryError> {
        file::seal(fd.as_fd())?;
        Self::of_file(fd, offset, size, Mapping::guarded)
    }

    /// Maps a range of a file whose owner is trusted not to make it shorter: a guest's memory in a file on hugetlbfs, which knows
    /// no seals. If the owner does it all the same, the next access ends the process (SIGBUS).
    pub fn from_trusted(fd: OwnedFd, offset: u64, size: u64) -> Result<Self, MemoryError> {
        Self::of_file(fd, offset, size, Mapping::new)
    }

    fn make(name: &str, size: u64, huge: bool, map: MapFn) -> Result<Self, MemoryError> {
        let page = if huge { HUGE } else { file::system_page() };
        if size == 0 {
            return Err(MemoryError::Size(size));
        }
        let rounded = size.checked_next_multiple_of(page).ok_or(MemoryError::Size(size))?;
        Self::of_file(file::memfd(name, rounded, huge)?, 0, rounded, map)
    }

    fn of_file(file: OwnedFd, offset: u64, size: u64, map: MapFn) -> Result<Self, MemoryError> {
        let facts = file::facts(file.as_fd())?;
        let page = facts.page;
        if size == 0 {
            return Err(MemoryError::Size(size));
        }
        if !offset.is_multiple_of(page) || !size.is_multiple_of(page) {
            return Err(MemoryError::Alignment { offset, size, page });
        }
        if offset.checked_add(size).is_none_or(|end| end > facts.size) {
            return Err(MemoryError::Range { offset, size, file: facts.size });
        }
        let mapping = map(file.as_fd(), offset, size)?;
        Ok(SharedMemory { mapping, file, id: facts.id, offset, page })
    }

    /// The file.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Which file it is.
    pub fn file_id(&self) -> FileId {
        self.id
    }

    /// Where the memory starts in the file, bytes.
    pub fn file_offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of a page: 2 MiB if these are huge ones.
    pub fn page_size(&self) -> u64 {
        self.page
    }

    /// Address in this process, for the kernel (`VFIO_IOMMU_MAP_DMA`). Not to be made a reference.
    pub fn address(&self) -> *mut u8 {
        self.mapping.address()
    }
}

type MapFn = fn(BorrowedFd<'_>, u64, u64) -> Result<Mapping, MemoryError>;

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("file", &self.id)
            .field("offset", &self.offset)
            .field("size", &self.mapping.size())
            .field("page", &self.page)
            .finish()
    }
}

/// A mapped range of a device file: a BAR.
///
/// Bulk copies are 8 B wide accesses. The file must stay open in somebody else's hands for as long as the device is to live;
/// the mapping itself keeps the device busy.
pub struct DeviceMemory {
    mapping: Mapping,
}

impl DeviceMemory {
    /// Maps `size` bytes of the device file from `offset` on, both whole pages. If the device stops decoding the range, accesses
    /// end the process (SIGBUS) or read ones.
    pub fn new(fd: BorrowedFd<'_>, offset: u64, size: u64) -> Result<Self, MemoryError> {
        let page = file::system_page();
        if !offset.is_multiple_of(page) || !size.is_multiple_of(page) {
            return Err(MemoryError::Alignment { offset, size, page });
        }
        Ok(DeviceMemory { mapping: Mapping::new(fd, offset, size)? })
    }
}

impl fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceMemory").field("size", &self.mapping.size()).finish()
    }
}

macro_rules! host_memory {
    ($name:ty, $fence:ident) => {
        impl HostMemory for $name {
            fn size(&self) -> u64 {
                self.mapping.size()
            }

            fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
                self.mapping.read(offset, bytes)
            }

            fn write(&self, offset: u64, bytes: &[u8]) -> bool {
                self.mapping.write(offset, bytes)
            }

            fn load_acquire(&self, offset: u64) -> Option<u32> {
                self.mapping.load_acquire(offset)
            }

            fn store_release(&self, offset: u64, value: u32) -> bool {
                $fence();
                self.mapping.store_release(offset, value)
            }
        }
    };
}

host_memory!(SharedMemory, no_fence);
host_memory!(DeviceMemory, device_fence);

/// Between memory that processors share Release is enough.
fn no_fence() {}

/// Makes what was stored before visible to devices before what is stored next. On x86 every store is ordered so; on Arm a Release
/// only speaks to other processors.
fn device_fence() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier touches neither memory nor registers.
    unsafe {
        std::arch::asm!("dmb oshst", options(nostack, preserves_flags));
    }
}
