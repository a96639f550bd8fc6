//! A Unix socket that carries file descriptors, with deadlines.

use super::wire::MOST_FDS;
use offwire_hostmem::{Interest, wait};
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

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

/// Connects to who listens at the path. A listener that does not accept makes an ordinary `connect` wait for ever.
pub(super) fn connect(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    // SAFETY: an address of zeros is an empty one.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    // The last byte stays zero.
    if bytes.is_empty() || bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no path of a socket, or one of more than 107 B"));
    }
    for (to, &from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed() as libc::c_char;
    }
    // SAFETY: no pointers.
    let raw = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(raw) });
    let size = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    loop {
        // SAFETY: the address lives until the call returns, and is as large as said.
        if unsafe { libc::connect(raw, (&raw const address).cast(), size) } == 0 {
            return Ok(socket);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            // The queue of the listener is full. Nothing tells when it no longer is.
            io::ErrorKind::WouldBlock if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            io::ErrorKind::Interrupted => {}
            _ => return Err(error),
        }
    }
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
