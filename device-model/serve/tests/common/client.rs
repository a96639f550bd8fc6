//! A vfio-user client that checks nothing and may say anything. Layouts are written down a second time here, from the
//! specification, so that a mistake in the server's is seen.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use vmm_sys_util::sock_ctrl_msg::ScmSocket;

pub(crate) const VERSION: u16 = 1;
pub(crate) const DMA_MAP: u16 = 2;
pub(crate) const DMA_UNMAP: u16 = 3;
pub(crate) const DEVICE_INFO: u16 = 4;
pub(crate) const REGION_INFO: u16 = 5;
pub(crate) const IRQ_INFO: u16 = 7;
pub(crate) const SET_IRQS: u16 = 8;
pub(crate) const REGION_READ: u16 = 9;
pub(crate) const REGION_WRITE: u16 = 10;
pub(crate) const RESET: u16 = 13;

/// Concatenates numbers and bytes as a payload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

pub(crate) fn body() -> Body {
    Body::default()
}

/// A message with its header.
pub(crate) fn message(id: u16, command: u16, flags: u32, body: &[u8]) -> Vec<u8> {
    let header = super::client::body().u16(id).u16(command).u32(16 + body.len() as u32).u32(flags).u32(0);
    header.bytes(body).0
}

/// The message that opens a conversation.
pub(crate) fn hello() -> Vec<u8> {
    let capabilities = b"{\"capabilities\":{\"max_msg_fds\":16}}\0";
    message(0, VERSION, 0, &body().u16(0).u16(1).bytes(capabilities).0)
}

/// Why there is no answer, or no good one.
#[derive(Debug)]
pub(crate) enum No {
    Errno(u32),
    Io(io::Error),
}

impl No {
    pub(crate) fn errno(&self) -> i32 {
        match self {
            No::Errno(errno) => *errno as i32,
            No::Io(error) => panic!("no answer: {error}"),
        }
    }
}

impl From<io::Error> for No {
    fn from(error: io::Error) -> Self {
        No::Io(error)
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    id: u16,
}

impl Client {
    /// Connects and says nothing.
    pub(crate) fn silent(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        Client { stream, id: 0 }
    }

    /// Connects and agrees on a version.
    pub(crate) fn new(path: &Path) -> Self {
        let mut client = Client::silent(path);
        client.stream.write_all(&hello()).expect("sent");
        client.answer(0, VERSION).expect("a version");
        client
    }

    /// The next answer: its payload and the descriptor with it.
    pub(crate) fn answer_with_fd(&mut self, id: u16, command: u16) -> Result<(Vec<u8>, Option<OwnedFd>), No> {
        let mut header = [0u8; 16];
        let (count, file) =
            self.stream.recv_with_fd(&mut header).map_err(|e| io::Error::from_raw_os_error(e.errno()))?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.stream.read_exact(&mut header[count..])?;
        let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes(*header[at..].first_chunk().expect("inside"));
        assert_eq!((u16_at(0), u16_at(2)), (id, command), "the answer is to another message");
        assert_eq!(u32_at(8) & 0xf, 1, "it is no reply");
        let size = u32_at(4) as usize;
        assert!((16..=16 + (1 << 20)).contains(&size), "a reply of {size} bytes");
        let mut payload = vec![0; size - 16];
        self.stream.read_exact(&mut payload)?;
        if u32_at(8) & 0x20 != 0 {
            assert!(payload.is_empty() && file.is_none(), "an error comes alone");
            assert_ne!(u32_at(12), 0, "an error has a number");
            return Err(No::Errno(u32_at(12)));
        }
        Ok((payload, file.map(OwnedFd::from)))
    }

    pub(crate) fn answer(&mut self, id: u16, command: u16) -> Result<Vec<u8>, No> {
        self.answer_with_fd(id, command).map(|(payload, _)| payload)
    }

    /// Sends one command with descriptors; gives its number.
    pub(crate) fn send(&mut self, command: u16, flags: u32, body: &Body, fds: &[&OwnedFd]) -> io::Result<u16> {
        self.id = self.id.wrapping_add(1);
        let bytes = message(self.id, command, flags, &body.0);
        if fds.is_empty() {
            self.stream.write_all(&bytes)?;
        } else {
            let raw: Vec<i32> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
            let sent =
                self.stream.send_with_fds(&[&bytes[..]], &raw).map_err(|e| io::Error::from_raw_os_error(e.errno()))?;
            self.stream.write_all(&bytes[sent..])?;
        }
        Ok(self.id)
    }

    pub(crate) fn call_with(&mut self, command: u16, body: &Body, fds: &[&OwnedFd]) -> Result<Vec<u8>, No> {
        let id = self.send(command, 0, body, fds)?;
        self.answer(id, command)
    }

    pub(crate) fn call(&mut self, command: u16, body: &Body) -> Result<Vec<u8>, No> {
        self.call_with(command, body, &[])
    }

    pub(crate) fn read(&mut self, region: u32, offset: u64, count: u32) -> Result<Vec<u8>, No> {
        let request = body().u64(offset).u32(region).u32(count);
        let answer = self.call(REGION_READ, &request)?;
        assert_eq!(answer[..16], request.0, "the answer repeats the request");
        assert_eq!(answer.len(), 16 + count as usize);
        Ok(answer[16..].to_vec())
    }

    pub(crate) fn write(&mut self, region: u32, offset: u64, bytes: &[u8]) -> Result<(), No> {
        let request = body().u64(offset).u32(region).u32(bytes.len() as u32);
        let answer = self.call(REGION_WRITE, &request.clone().bytes(bytes))?;
        assert_eq!(answer, request.0, "the answer repeats the request");
        Ok(())
    }

    pub(crate) fn register(&mut self, at: u64) -> u32 {
        let bytes = self.read(0, at, 4).expect("a register");
        u32::from_le_bytes(*bytes.first_chunk().expect("4 bytes"))
    }

    pub(crate) fn set_register(&mut self, at: u64, value: u32) {
        self.write(0, at, &value.to_le_bytes()).expect("a register");
    }

    pub(crate) fn map(
        &mut self,
        flags: u32,
        offset: u64,
        iova: u64,
        size: u64,
        fd: Option<&OwnedFd>,
    ) -> Result<(), No> {
        let request = body().u32(32).u32(flags).u64(offset).u64(iova).u64(size);
        let answer = self.call_with(DMA_MAP, &request, fd.as_slice())?;
        assert!(answer.is_empty());
        Ok(())
    }

    pub(crate) fn unmap(&mut self, flags: u32, iova: u64, size: u64) -> Result<(), No> {
        let request = body().u32(24).u32(flags).u64(iova).u64(size);
        let answer = self.call(DMA_UNMAP, &request)?;
        assert_eq!(answer, request.0, "the answer repeats the request");
        Ok(())
    }

    pub(crate) fn set_irqs(
        &mut self,
        flags: u32,
        index: u32,
        start: u32,
        count: u32,
        fds: &[&OwnedFd],
    ) -> Result<(), No> {
        let request = body().u32(20).u32(flags).u32(index).u32(start).u32(count);
        let answer = self.call_with(SET_IRQS, &request, fds)?;
        assert!(answer.is_empty());
        Ok(())
    }
}

/// Another descriptor of the same file, to be sent away.
pub(crate) fn copy(of: &impl AsFd) -> OwnedFd {
    of.as_fd().try_clone_to_owned().expect("a descriptor")
}

/// An anonymous file of `size` bytes; with `sealable` its size can be sealed.
pub(crate) fn memfd(size: u64, sealable: bool) -> OwnedFd {
    let flags = libc::MFD_CLOEXEC | if sealable { libc::MFD_ALLOW_SEALING } else { 0 };
    // SAFETY: the name is a C string.
    let fd = unsafe { libc::memfd_create(c"test".as_ptr(), flags) };
    assert!(fd >= 0);
    // SAFETY: memfd_create made it.
    let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(size).expect("a size");
    file.into()
}
