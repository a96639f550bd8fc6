//! A Unix socket that carries file descriptors, with deadlines.

use super::wire::MOST_FDS;
use offwire_hostmem::{Interest, wait};
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Words of the buffer for control messages: room for [`MOST_FDS`] descriptors behind a header. If more come, the kernel gives us
/// those that fit and says so.
const CONTROL_WORDS: usize = 12;

/// Why nothing went over.
#[derive(Debug)]
pub(super) enum Broken {
    /// The deadline passed.
    Late,
    /// The peer left.
    Closed,
    /// The peer sent more file descriptors than a message may have.
    TooManyFds,
    /// The kernel refused.
    System(io::Error),
}

/// Sends all bytes, and the descriptors with the first of them.
pub(super) fn send(
    socket: &UnixStream,
    mut bytes: &[u8],
    mut fds: &[BorrowedFd<'_>],
    deadline: Instant,
) -> Result<(), Broken> {
    while !bytes.is_empty() {
        match send_some(socket, bytes, fds) {
            Ok(sent) => {
                bytes = bytes.get(sent..).unwrap_or_default();
                fds = &[];
            }
            Err(error) => ready(socket, Interest::Writable, deadline, error)?,
        }
    }
    Ok(())
}

/// Fills the buffer, and puts the descriptors that come with it to the others; they are closed when dropped.
pub(super) fn receive(
    socket: &UnixStream,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    deadline: Instant,
) -> Result<(), Broken> {
    let mut filled = 0;
    while filled < buffer.len() {
        match receive_some(socket, &mut buffer[filled..], fds) {
            Ok((_, true)) => return Err(Broken::TooManyFds),
            Ok((0, false)) => return Err(Broken::Closed),
            Ok((received, false)) => filled += received,
            Err(error) => ready(socket, Interest::Readable, deadline, error)?,
        }
        if fds.len() > MOST_FDS {
            return Err(Broken::TooManyFds);
        }
    }
    Ok(())
}

/// Waits after a call that failed, if waiting is what helps.
fn ready(socket: &UnixStream, interest: Interest, deadline: Instant, error: io::Error) -> Result<(), Broken> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => match wait(socket.as_fd(), interest, deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Broken::Late),
            Err(error) => Err(Broken::System(error)),
        },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Err(Broken::Closed),
        _ => Err(Broken::System(error)),
    }
}

/// Bytes of the descriptors' control message.
fn rights(count: usize) -> u32 {
    (count * mem::size_of::<RawFd>()) as u32
}

/// An empty message header.
fn message(iov: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: a msghdr of zeros is an empty one.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = iov;
    message.msg_iovlen = 1;
    message
}

/// One `sendmsg`; at most [`MOST_FDS`] descriptors.
fn send_some(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut control = [0u64; CONTROL_WORDS];
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = message(&mut iov);
    let fds = fds.get(..MOST_FDS).unwrap_or(fds);
    if !fds.is_empty() {
        let length = rights(fds.len());
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: arithmetic only.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(length) } as _;
        // SAFETY: the buffer is aligned for the header and has room for 16 descriptors behind it; `fds` has no more. The header is
        // written before its data is.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(length) as _;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for (at, fd) in fds.iter().enumerate() {
                data.add(at).write_unaligned(fd.as_raw_fd());
            }
        }
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the message points to buffers that live until the call returns; the bytes are only read.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// One `recvmsg`: bytes, and whether descriptors were lost for want of room.
fn receive_some(socket: &UnixStream, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<(usize, bool)> {
    let mut control = [0u64; CONTROL_WORDS];
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = message(&mut iov);
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: arithmetic only.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(rights(MOST_FDS)) } as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: the message points to buffers that live until the call returns.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel filled the control buffer; the macros walk the headers that it wrote, inside the length that it set.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                // The type of the length differs between C libraries.
                let bytes = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for at in 0..bytes / mem::size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(at).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&message, header);
        }
    }
    Ok((received, message.msg_flags & libc::MSG_CTRUNC != 0))
}

/// True if the peer left; what it sent before may still be there.
pub(super) fn closed(socket: &UnixStream) -> bool {
    let mut byte = 0u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: a byte of our own is filled.
    match unsafe { libc::recv(socket.as_raw_fd(), (&raw mut byte).cast(), 1, flags) } {
        0 => true,
        1.. => false,
        _ => !matches!(io::Error::last_os_error().kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
    }
}
