//! The vfio-user protocol 0.1 on the wire: what we send and what of it we understand.
//!
//! Source: docs/interop/vfio-user.rst of QEMU. All numbers are little-endian. A message is a header of 16 B and a body.

use crate::transport::caps::{u16_at, u32_at};
use serde_json::Value;

/// Bytes of a header.
pub(super) const HEADER: usize = 16;
/// Version that we speak: major and minor.
pub(super) const VERSION: (u16, u16) = (0, 1);
/// Most file descriptors of a message, ours or theirs.
pub(super) const MOST_FDS: usize = 16;
/// Most bytes of a region read or written by one message.
pub(super) const MOST_DATA: usize = 1 << 20;
/// Bytes of the body of a region access, before its data.
pub(super) const ACCESS: usize = 16;
/// Bytes of a region's description, before its capabilities.
pub(super) const REGION_INFO: usize = 32;
/// Most bytes of a region's description with its capabilities.
pub(super) const MOST_REGION_INFO: usize = REGION_INFO + 4096;
/// Most bytes of the answer to the version, text and all.
pub(super) const MOST_VERSION: usize = 4096;

/// Low bits of the flags: what sort of message it is.
const TYPE: u32 = 0xf;
const TYPE_COMMAND: u32 = 0;
const TYPE_REPLY: u32 = 1;
const NO_REPLY: u32 = 1 << 4;
const ERROR: u32 = 1 << 5;

/// Commands that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Command {
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceGetInfo = 4,
    DeviceGetRegionInfo = 5,
    DeviceGetIrqInfo = 7,
    DeviceSetIrqs = 8,
    RegionRead = 9,
    RegionWrite = 10,
    DeviceReset = 13,
}

impl Command {
    /// What it asks for, for people.
    pub(super) fn what(self) -> &'static str {
        match self {
            Command::Version => "the protocol version",
            Command::DmaMap => "a DMA mapping",
            Command::DmaUnmap => "the end of a DMA mapping",
            Command::DeviceGetInfo => "the device's description",
            Command::DeviceGetRegionInfo => "a region's description",
            Command::DeviceGetIrqInfo => "the description of the interrupts",
            Command::DeviceSetIrqs => "interrupts",
            Command::RegionRead => "a read of a region",
            Command::RegionWrite => "a write to a region",
            Command::DeviceReset => "a reset",
        }
    }
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) command: u16,
    /// Bytes of the message, the header included.
    pub(super) size: u32,
    flags: u32,
    /// The error's number, if the error flag is set.
    pub(super) errno: u32,
}

impl Header {
    /// That of a command with `body` bytes.
    pub(super) fn command(id: u16, command: Command, body: usize) -> Self {
        let size = u32::try_from(HEADER + body).unwrap_or(u32::MAX);
        Header { id, command: command as u16, size, flags: TYPE_COMMAND, errno: 0 }
    }

    /// The answer that a command of the server was not done.
    pub(super) fn refusal(&self) -> Self {
        Header { size: HEADER as u32, flags: TYPE_REPLY | ERROR, errno: libc::EOPNOTSUPP as u32, ..*self }
    }

    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&self.id.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.command.to_le_bytes());
        for (at, word) in [(4, self.size), (8, self.flags), (12, self.errno)] {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER]) -> Self {
        let word = |at| u32_at(bytes, at).unwrap_or(0);
        let half = |at| u16_at(bytes, at).unwrap_or(0);
        Header { id: half(0), command: half(2), size: word(4), flags: word(8), errno: word(12) }
    }

    /// Bytes behind the header; `None` if the size is less than a header's.
    pub(super) fn body(&self) -> Option<usize> {
        usize::try_from(self.size).ok()?.checked_sub(HEADER)
    }

    pub(super) fn is_command(&self) -> bool {
        self.flags & TYPE == TYPE_COMMAND
    }

    pub(super) fn is_reply(&self) -> bool {
        self.flags & TYPE == TYPE_REPLY
    }

    pub(super) fn wants_reply(&self) -> bool {
        self.flags & NO_REPLY == 0
    }

    pub(super) fn is_error(&self) -> bool {
        self.flags & ERROR != 0
    }
}

/// A body that is being written.
#[derive(Debug, Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    /// Words of 32 bits.
    pub(super) fn words<const N: usize>(words: [u32; N]) -> Self {
        Body(words.iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    /// Then words of 64 bits.
    pub(super) fn long<const N: usize>(mut self, words: [u64; N]) -> Self {
        self.0.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }

    /// That of a region access: offset, region, bytes.
    pub(super) fn access(offset: u64, region: u32, count: u32) -> Self {
        let mut body = Body::default().long([offset]).0;
        body.extend(Body::words([region, count]).0);
        Body(body)
    }

    /// That of the version, with what we can.
    pub(super) fn version() -> Self {
        let mut body = VERSION.0.to_le_bytes().to_vec();
        body.extend(VERSION.1.to_le_bytes());
        let text = format!(r#"{{"capabilities":{{"max_msg_fds":{MOST_FDS},"max_data_xfer_size":{MOST_DATA}}}}}"#);
        body.extend(text.as_bytes());
        body.push(0);
        Body(body)
    }
}

/// What the server can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// File descriptors of a message, 1 to 16.
    pub(super) fds: usize,
    /// Bytes of a region access, 8 to 1 MiB.
    pub(super) data: usize,
}

impl Limits {
    /// Reads the answer to the version.
    pub(super) fn decode(body: &[u8]) -> Result<Self, &'static str> {
        let (major, minor) = u16_at(body, 0).zip(u16_at(body, 2)).ok_or("the version is cut short")?;
        if major != VERSION.0 || minor > VERSION.1 {
            return Err("it speaks another version than 0.1 and below");
        }
        let mut limits = Limits { fds: 1, data: MOST_DATA };
        let text = body.get(4..).unwrap_or_default();
        let Some(end) = text.iter().position(|&byte| byte == 0) else {
            return if text.is_empty() { Ok(limits) } else { Err("its capabilities do not end") };
        };
        let text: Value = serde_json::from_slice(&text[..end]).map_err(|_| "its capabilities are not JSON")?;
        let number = |name: &str| text.get("capabilities")?.get(name)?.as_u64();
        if let Some(fds) = number("max_msg_fds") {
            limits.fds = usize::try_from(fds.clamp(1, MOST_FDS as u64)).unwrap_or(1);
        }
        if let Some(data) = number("max_data_xfer_size") {
            if data < 8 {
                return Err("it takes less than 8 B at once");
            }
            limits.data = usize::try_from(data.min(MOST_DATA as u64)).unwrap_or(MOST_DATA);
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_wire() {
        let header = Header::command(0x1234, Command::RegionRead, 16);
        let bytes = header.encode();
        assert_eq!(bytes, [0x34, 0x12, 9, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Header::decode(&bytes), header);
        assert_eq!(header.body(), Some(16));
        let refusal = Header::decode(&header.refusal().encode());
        assert!(refusal.is_reply() && refusal.is_error() && refusal.id == 0x1234 && refusal.body() == Some(0));
        assert_eq!(Header { size: 15, ..header }.body(), None);
    }

    #[test]
    fn limits_are_read_and_bounded() {
        let decode = |text: &str| Limits::decode(&[&[0, 0, 0, 0], text.as_bytes(), &[0]].concat());
        assert_eq!(decode("{}"), Ok(Limits { fds: 1, data: MOST_DATA }));
        let text = r#"{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":4096,"migration":{"pgsize":4096}}}"#;
        assert_eq!(decode(text), Ok(Limits { fds: 8, data: 4096 }));
        let text = r#"{"capabilities":{"max_msg_fds":0,"max_data_xfer_size":99999999999}}"#;
        assert_eq!(decode(text), Ok(Limits { fds: 1, data: MOST_DATA }));
        assert_eq!(decode(r#"{"capabilities":{"max_msg_fds":-3}}"#), Ok(Limits { fds: 1, data: MOST_DATA }));
        assert!(decode(r#"{"capabilities":{"max_data_xfer_size":7}}"#).is_err());
        assert!(decode("nonsense").is_err());
        assert_eq!(Limits::decode(&[0, 0, 1, 0]), Ok(Limits { fds: 1, data: MOST_DATA }));
        for wrong in [&[][..], &[0, 0, 1], &[1, 0, 0, 0], &[0, 0, 2, 0], b"\0\0\0\0{}"] {
            assert!(Limits::decode(wrong).is_err(), "{wrong:?}");
        }
        assert!(decode(&"[".repeat(4000)).is_err(), "deep nesting");
    }

    #[test]
    fn our_version_is_what_the_protocol_wants() {
        let body = Body::version().0;
        assert_eq!(body[..4], [0, 0, 1, 0]);
        assert_eq!(body.last(), Some(&0));
        assert_eq!(Limits::decode(&body), Ok(Limits { fds: MOST_FDS, data: MOST_DATA }));
    }
}
