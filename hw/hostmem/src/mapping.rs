//! A range of a file in the address space, with or without guard pages.

use crate::access;
use crate::error::MemoryError;
use crate::file::system_page;
use memmap2::{MmapOptions, MmapRaw};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// A shared, writable mapping; unmapped when dropped.
pub(crate) enum Mapping {
    /// As the kernel placed it.
    Plain(MmapRaw),
    /// A page that cannot be touched on each side.
    Guarded(Guarded),
}

impl Mapping {
    /// Maps `size` bytes of the file from `offset` on.
    pub(crate) fn new(fd: BorrowedFd<'_>, offset: u64, size: u64) -> Result<Self, MemoryError> {
        let length = length_of(size)?;
        let map = MmapOptions::new().offset(offset).len(length).map_raw(fd.as_raw_fd());
        map.map(Mapping::Plain).map_err(|source| MemoryError::System { call: "mmap", source })
    }

    /// As [`Mapping::new`] between two guard pages: an access beyond an end is a SIGSEGV, not somebody else's memory.
    pub(crate) fn guarded(fd: BorrowedFd<'_>, offset: u64, size: u64) -> Result<Self, MemoryError> {
        Guarded::new(fd, offset, size).map(Mapping::Guarded)
    }

    /// Bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Mapping::Plain(map) => map.len() as u64,
            Mapping::Guarded(map) => map.size as u64,
        }
    }

    /// First byte.
    pub(crate) fn address(&self) -> *mut u8 {
        match self {
            Mapping::Plain(map) => map.as_mut_ptr(),
            Mapping::Guarded(map) => map.start.as_ptr(),
        }
    }

    /// The address of `size` bytes from `offset` on, if the mapping has them.
    fn at(&self, offset: u64, size: usize) -> Option<*mut u8> {
        let end = offset.checked_add(u64::try_from(size).ok()?)?;
        if end > self.size() {
            return None;
        }
        Some(self.address().wrapping_add(usize::try_from(offset).ok()?))
    }

    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(at) = self.at(offset, bytes.len()) else { return false };
        // SAFETY: `at` checked that the bytes are mapped; nobody makes a reference to them.
        unsafe { access::read(at, bytes) };
        true
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let Some(at) = self.at(offset, bytes.len()) else { return false };
        // SAFETY: `at` checked that the bytes are mapped; nobody makes a reference to them.
        unsafe { access::write(at, bytes) };
        true
    }

    pub(crate) fn load_acquire(&self, offset: u64) -> Option<u32> {
        let at = self.at(offset, 4).filter(|_| offset.is_multiple_of(4))?;
        // SAFETY: `at` checked that the bytes are mapped; a mapping starts on a page, so they are aligned.
        Some(unsafe { access::load_acquire(at) })
    }

    pub(crate) fn store_release(&self, offset: u64, value: u32) -> bool {
        let Some(at) = self.at(offset, 4).filter(|_| offset.is_multiple_of(4)) else { return false };
        // SAFETY: `at` checked that the bytes are mapped; a mapping starts on a page, so they are aligned.
        unsafe { access::store_release(at, value) };
        true
    }
}

/// A mapping between two pages without any right.
pub(crate) struct Guarded {
    /// First byte of the mapping.
    start: NonNull<u8>,
    /// Its bytes.
    size: usize,
    /// First byte of what was reserved.
    reserved: NonNull<u8>,
    /// Bytes that were reserved.
    reserve: usize,
}

// SAFETY: the mapping belongs to the value alone, and all accesses are atomic.
unsafe impl Send for Guarded {}
// SAFETY: as above.
unsafe impl Sync for Guarded {}

/// Alignment of the start: that of a huge page, so that a hugetlb file can be placed there.
const START_ALIGNMENT: usize = 2 << 20;

impl Guarded {
    fn new(fd: BorrowedFd<'_>, offset: u64, size: u64) -> Result<Self, MemoryError> {
        let page = length_of(system_page())?;
        let length = length_of(size)?;
        let too_large = || MemoryError::Size(size);
        let length_in_pages = length.checked_next_multiple_of(page).ok_or_else(too_large)?;
        // A page before, the slack of the alignment, the mapping, a page behind.
        let reserve = length_in_pages.checked_add(START_ALIGNMENT + 2 * page).ok_or_else(too_large)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping where the kernel likes; it replaces nothing.
        let raw = unsafe { libc::mmap(ptr::null_mut(), reserve, libc::PROT_NONE, flags, -1, 0) };
        if raw == libc::MAP_FAILED {
            return Err(MemoryError::last("mmap"));
        }
        let reserved = NonNull::new(raw.cast::<u8>()).ok_or(MemoryError::Size(size))?;
        let first = (reserved.as_ptr() as usize + page).next_multiple_of(START_ALIGNMENT) - reserved.as_ptr() as usize;
        // SAFETY: `first` is at most a page and the alignment behind the start of the reserve.
        let start = unsafe { reserved.add(first) };
        let guarded = Guarded { start, size: length, reserved, reserve };
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let place = libc::MAP_SHARED | libc::MAP_FIXED;
        let offset = libc::off_t::try_from(offset).map_err(|_| MemoryError::Size(offset))?;
        // SAFETY: it replaces pages of our own reserve only, to which nobody has a pointer yet.
        let raw = unsafe { libc::mmap(start.as_ptr().cast(), length, rights, place, fd.as_raw_fd(), offset) };
        if raw == libc::MAP_FAILED {
            return Err(MemoryError::last("mmap"));
        }
        Ok(guarded)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped; no pointer into it outlives the value.
        unsafe { libc::munmap(self.reserved.as_ptr().cast(), self.reserve) };
    }
}

/// Bytes of a mapping: not none, and not more than the address space has.
fn length_of(size: u64) -> Result<usize, MemoryError> {
    match usize::try_from(size) {
        Ok(length) if length > 0 && isize::try_from(length).is_ok() => Ok(length),
        _ => Err(MemoryError::Size(size)),
    }
}
