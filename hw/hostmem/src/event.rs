//! Interrupts as eventfds.

use crate::error::MemoryError;
use crate::wait::{Interest, wait};
use offwire_hostif::Interrupt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// An eventfd, non-blocking: a counter that signals add to and that a reader takes.
#[derive(Debug)]
pub struct EventFd {
    fd: OwnedFd,
    /// The peer has it too and may have made it blocking.
    foreign: bool,
}

impl EventFd {
    /// Makes one; the counter is 0.
    pub fn new() -> Result<Self, MemoryError> {
        // SAFETY: no pointers.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if raw < 0 {
            return Err(MemoryError::last("eventfd"));
        }
        // SAFETY: a new descriptor that nobody else owns.
        Ok(EventFd { fd: unsafe { OwnedFd::from_raw_fd(raw) }, foreign: false })
    }

    /// Takes one that a peer sent, and makes it non-blocking. Anything but an eventfd is refused: a write to a full pipe would
    /// block whoever signals.
    pub fn from_peer(fd: OwnedFd) -> Result<Self, MemoryError> {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
            .map_err(|source| MemoryError::System { call: "readlink(/proc/self/fd)", source })?;
        if link.as_os_str() != "anon_inode:[eventfd]" {
            return Err(MemoryError::NotEventFd);
        }
        // SAFETY: no pointers.
        let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
        // SAFETY: no pointers.
        if flags < 0 || unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } != 0 {
            return Err(MemoryError::last("fcntl(F_SETFL)"));
        }
        Ok(EventFd { fd, foreign: true })
    }

    /// Takes the count and sets it to 0, without waiting; 0 if nobody signalled.
    pub fn take(&self) -> Result<u64, MemoryError> {
        let mut count = 0u64;
        loop {
            // SAFETY: 8 B of our own are filled.
            match unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut count).cast(), 8) } {
                8 => return Ok(count),
                _ => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    source => return Err(MemoryError::System { call: "read(eventfd)", source }),
                },
            }
        }
    }

    /// Waits for a signal and takes the count; `None` if there was none for so long.
    pub fn wait(&self, at_most: Duration) -> Result<Option<u64>, MemoryError> {
        let now = Instant::now();
        let deadline = now.checked_add(at_most).unwrap_or(now + Duration::from_secs(1 << 30));
        loop {
            // Another reader may take the count between the two calls.
            match self.take()? {
                0 => {}
                count => return Ok(Some(count)),
            }
            let ready = wait(self.fd.as_fd(), Interest::Readable, deadline);
            if !ready.map_err(|source| MemoryError::System { call: "poll", source })? {
                return Ok(None);
            }
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Interrupt for EventFd {
    fn signal(&self) {
        // A peer may have made its eventfd blocking again and filled it; then the signal is one of many and is not needed.
        if self.foreign && !wait(self.fd.as_fd(), Interest::Writable, Instant::now()).unwrap_or(false) {
            return;
        }
        let one = 1u64;
        loop {
            // SAFETY: 8 B of our own are read.
            let done = unsafe { libc::write(self.fd.as_raw_fd(), (&raw const one).cast(), 8) };
            // A full counter (EAGAIN) is a signal that was not taken yet.
            if done == 8 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return;
            }
        }
    }
}
