//! Files in memory: making, sealing, measuring.

use crate::error::MemoryError;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A file, however many descriptors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// What `fstat` says.
pub(crate) struct Facts {
    pub(crate) id: FileId,
    pub(crate) size: u64,
    /// Bytes of a page of the file: the block size that tmpfs and hugetlbfs report, else the system's page.
    pub(crate) page: u64,
}

/// Bytes of a page of this machine.
pub(crate) fn system_page() -> u64 {
    // SAFETY: no pointers.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Asks about a file; refuses what is none.
pub(crate) fn facts(fd: BorrowedFd<'_>) -> Result<Facts, MemoryError> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure or fails.
    if unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(MemoryError::last("fstat"));
    }
    // SAFETY: fstat succeeded.
    let stat = unsafe { stat.assume_init() };
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(MemoryError::NotFile);
    }
    let huge = huge_page(fd)?;
    Ok(Facts {
        id: FileId { device: stat.st_dev, inode: stat.st_ino },
        size: u64::try_from(stat.st_size).unwrap_or(0),
        page: huge.unwrap_or_else(system_page),
    })
}

/// Bytes of a page of a file on hugetlbfs, `None` elsewhere.
fn huge_page(fd: BorrowedFd<'_>) -> Result<Option<u64>, MemoryError> {
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel fills the structure or fails.
    if unsafe { libc::fstatfs(fd.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return Err(MemoryError::last("fstatfs"));
    }
    // SAFETY: fstatfs succeeded.
    let stat = unsafe { stat.assume_init() };
    // The types differ between C libraries.
    if i128::from(stat.f_type) != i128::from(libc::HUGETLBFS_MAGIC) {
        return Ok(None);
    }
    Ok(u64::try_from(stat.f_bsize).ok().filter(|page| page.is_power_of_two()))
}

/// Makes a memfd of `size` bytes, all of them there, sealed so that nobody makes it shorter or longer.
///
/// `size` is a multiple of the page.
pub(crate) fn memfd(name: &str, size: u64, huge: bool) -> Result<OwnedFd, MemoryError> {
    let clean: Vec<u8> = name.bytes().filter(|&byte| byte != 0).take(200).collect();
    let name = CString::new(clean).unwrap_or_default();
    let kind = if huge { libc::MFD_HUGETLB | libc::MFD_HUGE_2MB } else { 0 };
    // SAFETY: the name is a C string that lives until the call returns.
    let raw = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | kind) };
    if raw < 0 {
        return Err(MemoryError::last("memfd_create"));
    }
    // SAFETY: a new descriptor that nobody else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    let length = libc::off_t::try_from(size).map_err(|_| MemoryError::Size(size))?;
    // SAFETY: no pointers. Allocating now turns a later SIGBUS into an error here.
    if unsafe { libc::fallocate(fd.as_raw_fd(), 0, 0, length) } != 0 {
        return Err(MemoryError::last("fallocate"));
    }
    // SAFETY: no pointers.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK | libc::F_SEAL_GROW) } != 0 {
        return Err(MemoryError::last("fcntl(F_ADD_SEALS)"));
    }
    Ok(fd)
}

/// Makes sure that nobody makes the file shorter: it is sealed, or it lets us seal it.
pub(crate) fn seal(fd: BorrowedFd<'_>) -> Result<(), MemoryError> {
    // SAFETY: no pointers.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    if seals < 0 {
        return Err(MemoryError::NotSealed);
    }
    if seals & libc::F_SEAL_SHRINK != 0 {
        return Ok(());
    }
    // SAFETY: no pointers.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) } != 0 {
        return Err(MemoryError::NotSealed);
    }
    Ok(())
}
