//! Unix sockets: made for their owner alone, removed at the end, with file descriptors beside the bytes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sys::{self, Watch, check, check_size, control_len, len_of};
use crate::wire::MAX_FDS;

/// A client that takes none of its answers for so long has lost its connection.
const SEND_TIME: Duration = Duration::from_secs(5);

/// A message that is not complete so long after its first byte ends the connection.
const MESSAGE_TIME: Duration = Duration::from_secs(5);

/// A socket that is bound to a path. Dropping it removes the path, if it is still this socket's.
#[derive(Debug)]
pub(crate) struct Bound {
    fd: OwnedFd,
    path: PathBuf,
    /// Device and inode of the path.
    inode: (u64, u64),
}

/// Why a path cannot be bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error("somebody listens there already")]
    InUse,
    #[error("there is a file of that name that is no socket")]
    NotSocket,
    #[error("a socket's path has at most 107 bytes and no NUL")]
    Path,
    #[error("{0}")]
    Os(#[from] io::Error),
}

/// The path as the kernel wants it.
fn address(path: &Path) -> Option<libc::sockaddr_un> {
    // SAFETY: an all-zero sockaddr_un is a valid value of the type.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    // The last byte stays NUL.
    if bytes.is_empty() || bytes.contains(&0) || bytes.len() >= address.sun_path.len() {
        return None;
    }
    for (to, &from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from as libc::c_char;
    }
    Some(address)
}

fn new_socket(kind: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers only.
    let fd = check(unsafe { libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call above made it.
    Ok(unsafe { sys::own(fd) })
}

fn is_socket(fd: &OwnedFd) -> io::Result<bool> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills one stat.
    check(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat has succeeded.
    Ok(unsafe { stat.assume_init() }.st_mode & libc::S_IFMT == libc::S_IFSOCK)
}

/// True if somebody reads what is sent to the path.
fn is_served(address: &libc::sockaddr_un, kind: libc::c_int) -> io::Result<bool> {
    let probe = new_socket(kind | libc::SOCK_NONBLOCK)?;
    // SAFETY: the address lives in the caller's frame and has the length that is given.
    let result =
        unsafe { libc::connect(probe.as_raw_fd(), std::ptr::from_ref(address).cast(), len_of::<libc::sockaddr_un>()) };
    match check(result) {
        Ok(_) => Ok(true),
        // A full queue is a listener's.
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(true),
        // A socket of another type is somebody's too.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => Ok(true),
        Err(error) if [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Bound {
    /// Makes a socket of the kind (`SOCK_STREAM`, `SOCK_DGRAM`) at `path`, mode 0600 (or less, as the umask has it). A
    /// socket that nobody serves any more is replaced.
    pub(crate) fn new(path: &Path, kind: libc::c_int) -> Result<Self, BindError> {
        let address = address(path).ok_or(BindError::Path)?;
        let fd = new_socket(kind)?;
        // SAFETY: fchmod takes numbers only. Linux gives the path the mode that the socket has when it is bound.
        check(unsafe { libc::fchmod(fd.as_raw_fd(), 0o600) })?;
        let bind = || {
            // SAFETY: the address lives in this frame and has the length that is given.
            let result = unsafe {
                libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), len_of::<libc::sockaddr_un>())
            };
            check(result)
        };
        if let Err(error) = bind() {
            if error.kind() != io::ErrorKind::AddrInUse {
                return Err(error.into());
            }
            if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(BindError::NotSocket);
            }
            if is_served(&address, kind)? {
                return Err(BindError::InUse);
            }
            std::fs::remove_file(path)?;
            bind()?;
        }
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Bound { fd, path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) })
    }

    /// Lets clients connect.
    pub(crate) fn listen(&self) -> io::Result<()> {
        // SAFETY: listen takes numbers only.
        check(unsafe { libc::listen(self.fd.as_raw_fd(), 16) }).map(|_| ())
    }

    /// The next client; `None` if it went away again.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        // SAFETY: the address of the peer is not asked for.
        let result = unsafe {
            libc::accept4(self.fd.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC)
        };
        match check(result) {
            // SAFETY: accept made it.
            Ok(fd) => Ok(Some(Stream(unsafe { sys::own(fd) }))),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ECONNABORTED | libc::EPROTO) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Sends one datagram to a path. False if nobody took it.
    pub(crate) fn send_to(&self, bytes: &[u8], to: &Destination) -> io::Result<bool> {
        // SAFETY: bytes and address live as long as the call, with the lengths that are given.
        let result = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                std::ptr::from_ref(&to.0).cast(),
                len_of::<libc::sockaddr_un>(),
            )
        };
        match check_size(result) {
            Ok(_) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ENOBUFS | libc::ENOENT | libc::ECONNREFUSED) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Takes one datagram; `None` if there is none. The length is that of the datagram, also if `bytes` is shorter.
    pub(crate) fn receive(&self, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: the kernel writes at most `bytes.len()` bytes into `bytes`.
        let result = unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            )
        };
        match check_size(result) {
            Ok(len) => Ok(Some(len)),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED | libc::ECONNRESET) => Ok(None),
                _ => Err(error),
            },
        }
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.inode);
        if ours {
            // Nobody can be told any more; who comes next replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The path of a socket that datagrams go to.
pub(crate) struct Destination(libc::sockaddr_un);

impl Destination {
    pub(crate) fn new(path: &Path) -> Result<Self, BindError> {
        address(path).map(Destination).ok_or(BindError::Path)
    }
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Gone {
    /// The client closed it.
    Closed,
    /// The server is to end.
    Stopped,
    /// It breaks the protocol, or takes no answers.
    Broken(&'static str),
    /// The system says so.
    Os(io::Error),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Gone::Os(error)
    }
}

/// Room for the control message with `MAX_FDS` descriptors, aligned as its header. One more than may come, so that too
/// many are seen, and not cut.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 128]);

impl Control {
    fn new() -> Self {
        Control([MaybeUninit::uninit(); 128])
    }
}

/// A connection to one client.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

impl Stream {
    /// Fills `bytes`; descriptors that come with them are appended to `fds`. With `fresh` the client may close before
    /// the first byte.
    pub(crate) fn read_exact(
        &self,
        bytes: &mut [u8],
        fds: &mut Vec<OwnedFd>,
        stop: BorrowedFd<'_>,
        fresh: bool,
    ) -> Result<(), Gone> {
        let (mut done, mut end) = (0, None);
        while done < bytes.len() {
            match self.read(&mut bytes[done..], fds) {
                Ok(0) if fresh && done == 0 => return Err(Gone::Closed),
                Ok(0) => return Err(Gone::Broken("it ended in the middle of a message")),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let begun = !fresh || done > 0;
                    let end = begun.then(|| *end.get_or_insert_with(|| Instant::now() + MESSAGE_TIME));
                    let left = end.map(|end| end.saturating_duration_since(Instant::now()));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Err(Gone::Broken("it stopped in the middle of a message"));
                    }
                    let ready = sys::wait(&[Watch::input(self.0.as_fd()), Watch::input(stop)], left)?;
                    if ready & 2 != 0 {
                        return Err(Gone::Stopped);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(Gone::Closed),
                Err(error) => return Err(error.into()),
            }
            if fds.len() > MAX_FDS {
                return Err(Gone::Broken("too many file descriptors in one message"));
            }
            // No command takes a socket, and one could be the client's own end, which would outlive the client in our
            // hands.
            for fd in fds.iter() {
                if is_socket(fd)? {
                    return Err(Gone::Broken("a socket in a message"));
                }
            }
        }
        Ok(())
    }

    /// One recvmsg that does not wait.
    fn read(&self, bytes: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut control = Control::new();
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        // SAFETY: an all-zero msghdr is a valid value of the type.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        // SAFETY: the message points to one part, which is `bytes`, and to the control buffer, each with its length.
        let result =
            unsafe { libc::recvmsg(self.0.as_raw_fd(), &mut message, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) };
        let count = check_size(result)?;
        // SAFETY: the kernel has filled `msg_controllen` bytes of the control buffer; CMSG_FIRSTHDR and CMSG_NXTHDR
        // stay inside of them, and each header tells the length of its data. The descriptors are new and ours.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&message);
            while let Some(found) = header.as_ref() {
                if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                    let data = libc::CMSG_DATA(header).cast::<libc::c_int>();
                    let bytes = control_len(found).saturating_sub(libc::CMSG_LEN(0) as usize);
                    for n in 0..bytes / size_of::<libc::c_int>() {
                        fds.push(sys::own(data.add(n).read_unaligned()));
                    }
                }
                header = libc::CMSG_NXTHDR(&message, header);
            }
        }
        if message.msg_flags & libc::MSG_CTRUNC != 0 {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        Ok(count)
    }

    /// Sends all of `bytes`, and `fd` with the first of them.
    pub(crate) fn write_all(
        &self,
        bytes: &[u8],
        mut fd: Option<BorrowedFd<'_>>,
        stop: BorrowedFd<'_>,
    ) -> Result<(), Gone> {
        let end = Instant::now() + SEND_TIME;
        let mut done = 0;
        while done < bytes.len() {
            match self.write(&bytes[done..], fd) {
                Ok(count) => {
                    done += count;
                    fd = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Gone::Broken("it takes no answers"));
                    }
                    let ready = sys::wait(&[Watch::output(self.0.as_fd()), Watch::input(stop)], Some(left))?;
                    if ready & 2 != 0 {
                        return Err(Gone::Stopped);
                    }
                }
                Err(error) if [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset].contains(&error.kind()) => {
                    return Err(Gone::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// One sendmsg that does not wait.
    fn write(&self, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<usize> {
        let mut control = Control::new();
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: an all-zero msghdr is a valid value of the type.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if let Some(fd) = fd {
            let size = size_of::<libc::c_int>() as libc::c_uint;
            // SAFETY: the control buffer is aligned for a header and has room for one with one descriptor (24 of 128
            // bytes), so the first header exists; its data may be unaligned.
            unsafe {
                message.msg_control = control.0.as_mut_ptr().cast();
                message.msg_controllen = libc::CMSG_SPACE(size) as _;
                let header = libc::CMSG_FIRSTHDR(&message);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(size) as _;
                libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(fd.as_raw_fd());
            }
        }
        // SAFETY: the message points to one part, which is `bytes` and only read, and to the control buffer.
        let result = unsafe { libc::sendmsg(self.0.as_raw_fd(), &message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        check_size(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("offwire-socket-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test's files");
        path
    }

    #[test]
    fn the_path_is_the_owners_alone_and_goes_with_the_socket() {
        let path = folder("mode").join("s");
        let bound = Bound::new(&path, libc::SOCK_STREAM).expect("bound");
        bound.listen().expect("listens");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may connect: {mode:o}");
        assert!(matches!(Bound::new(&path, libc::SOCK_STREAM), Err(BindError::InUse)));
        UnixStream::connect(&path).expect("it listens still");
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_server_left_is_replaced_and_what_is_no_socket_is_not() {
        let folder = folder("stale");
        let path = folder.join("s");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "the standard library leaves the path");
        let bound = Bound::new(&path, libc::SOCK_STREAM).expect("nobody listens there");
        // Somebody else took the name: it stays.
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "mine").expect("written");
        drop(bound);
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), "mine");
        assert!(matches!(Bound::new(&path, libc::SOCK_STREAM), Err(BindError::NotSocket)));
        let long = folder.join("x".repeat(120));
        assert!(matches!(Bound::new(&long, libc::SOCK_STREAM), Err(BindError::Path)));
    }
}
