//! What the standard library has no name for: poll over many descriptors, signals as a descriptor, clocks.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// -1 becomes `errno`.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Bytes moved, or `errno`.
pub(crate) fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Takes a new file descriptor over.
///
/// # Safety
/// `fd` comes from a call that made it, and nobody else owns it.
pub(crate) unsafe fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: as demanded above.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The length of a structure as the socket calls want it.
pub(crate) fn len_of<T>() -> libc::socklen_t {
    // No structure of the kernel comes near 4 GiB.
    size_of::<T>() as libc::socklen_t
}

/// Bytes of a control message with its header.
#[allow(clippy::unnecessary_cast, reason = "other C libraries have 32 bits there")]
pub(crate) fn control_len(header: &libc::cmsghdr) -> usize {
    header.cmsg_len as usize
}

/// What to wait for on a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch<'a> {
    fd: BorrowedFd<'a>,
    events: libc::c_short,
}

impl<'a> Watch<'a> {
    /// Something to read, or the other side is gone.
    pub(crate) fn input(fd: BorrowedFd<'a>) -> Self {
        Watch { fd, events: libc::POLLIN }
    }

    /// Room to write.
    pub(crate) fn output(fd: BorrowedFd<'a>) -> Self {
        Watch { fd, events: libc::POLLOUT }
    }
}

/// Descriptors that [`wait`] takes at the most: the ports of a device and a few more.
const WATCHES: usize = 80;

/// Waits for one of the descriptors; `None` waits as long as it takes. Bit n of the answer: descriptor n has something.
/// A signal ends the wait early.
pub(crate) fn wait(watches: &[Watch<'_>], timeout: Option<Duration>) -> io::Result<u128> {
    let mut fds = [libc::pollfd { fd: -1, events: 0, revents: 0 }; WATCHES];
    let count = watches.len().min(WATCHES);
    for (slot, watch) in fds.iter_mut().zip(watches) {
        *slot = libc::pollfd { fd: watch.fd.as_raw_fd(), events: watch.events, revents: 0 };
    }
    let timeout = timeout.map(|time| libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(time.subsec_nanos() as i32),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `count` entries of `fds` exist; the time is null or lives in this frame; no signal mask is given.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), count as libc::nfds_t, timeout, std::ptr::null()) };
    match check(ready) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
        Err(error) => return Err(error),
    }
    Ok((0..count).filter(|&n| fds[n].revents != 0).fold(0, |bits, n| bits | 1 << n))
}

/// SIGINT and SIGTERM of this process as a descriptor that becomes readable. The calling thread, and threads that it
/// makes from now on, do not die of them any more.
pub(crate) fn signals() -> io::Result<OwnedFd> {
    // SAFETY: an all-zero sigset_t is a valid value of the type; sigemptyset sets it anyway.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is ours for all four calls; the old mask is not asked for; -1 makes a new descriptor.
    let fd = unsafe {
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::sigaddset(&mut set, libc::SIGTERM);
        let failed = libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    // SAFETY: signalfd made it.
    Ok(unsafe { own(check(fd)?) })
}

/// Nanoseconds of a clock.
fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    unsafe { libc::clock_gettime(id, &mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000) + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// CLOCK_MONOTONIC, nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME, nanoseconds since 1970.
pub(crate) fn realtime_ns() -> u64 {
    clock(libc::CLOCK_REALTIME)
}
