//! Waiting for a file descriptor, with a deadline on the monotonic clock.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read, or the peer left.
    Readable,
    /// Something can be written, or the peer left.
    Writable,
}

/// Waits until the file descriptor is ready; false if the deadline passed first. A signal does not shorten or lengthen the wait.
pub fn wait(fd: BorrowedFd<'_>, interest: Interest, deadline: Instant) -> io::Result<bool> {
    let events = match interest {
        Interest::Readable => libc::POLLIN,
        Interest::Writable => libc::POLLOUT,
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the loop does not spin through the last millisecond.
        let millis = i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // SAFETY: one pollfd that lives until the call returns.
        match unsafe { libc::poll(&mut poll, 1, millis) } {
            0 if left.is_zero() => return Ok(false),
            0 => {}
            1.. => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}
