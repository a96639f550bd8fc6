//! What can go wrong with memory and eventfds.

use std::io;

/// Why there is no such memory or eventfd.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The kernel refused.
    #[error("{call}: {source}")]
    System {
        /// System call.
        call: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// No bytes, or more than an address space has.
    #[error("there is no memory of {0:#x} B")]
    Size(u64),
    /// The range leaves the file.
    #[error("the range of {size:#x} B at {offset:#x} leaves the file of {file:#x} B")]
    Range {
        /// Start in the file.
        offset: u64,
        /// Bytes.
        size: u64,
        /// Bytes of the file.
        file: u64,
    },
    /// The range does not begin and end on a page.
    #[error("the range of {size:#x} B at {offset:#x} is not made of pages of {page:#x} B")]
    Alignment {
        /// Start in the file.
        offset: u64,
        /// Bytes.
        size: u64,
        /// Bytes of a page.
        page: u64,
    },
    /// The peer could make the file shorter while it is mapped.
    #[error("the file is not sealed against shrinking (F_SEAL_SHRINK)")]
    NotSealed,
    /// A pipe, a socket, a device.
    #[error("the file descriptor is no file in memory")]
    NotFile,
    /// Anything but an eventfd.
    #[error("the file descriptor is no eventfd")]
    NotEventFd,
}

impl MemoryError {
    /// The last error of the calling thread, from `call`.
    pub(crate) fn last(call: &'static str) -> Self {
        MemoryError::System { call, source: io::Error::last_os_error() }
    }
}
