//! Layout of vfio-user messages (protocol 0.1, QEMU's docs/interop/vfio-user.rst), as much of it as a server needs.
//!
//! Numbers are in the byte order of the machine, as the specification has it. Structures are the payloads of the
//! kernel's include/uapi/linux/vfio.h.

/// Bytes of a message's header.
pub(crate) const HEADER: usize = 16;

/// Most bytes that one region access moves; told to the client as `max_data_xfer_size`.
pub(crate) const MAX_TRANSFER: usize = 64 << 10;

/// Most bytes behind a header: a region write, or a version with its capabilities.
pub(crate) const MAX_BODY: usize = MAX_TRANSFER + ACCESS;

/// Most file descriptors in one message; told to the client as `max_msg_fds`.
pub(crate) const MAX_FDS: usize = 16;

/// Bytes of a region access without its data.
pub(crate) const ACCESS: usize = 16;

/// Bytes of `vfio_region_info`.
pub(crate) const REGION_INFO: usize = 32;

/// Bits 0 to 3 of the flags: command or reply.
pub(crate) const TYPE: u32 = 0xf;
/// Type of a reply; that of a command is 0.
pub(crate) const REPLY: u32 = 1;
/// The client wants no answer.
pub(crate) const NO_REPLY: u32 = 1 << 4;
/// The reply says that the command failed.
pub(crate) const ERROR: u32 = 1 << 5;

/// Commands that a client may send and a server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Version,
    DmaMap,
    DmaUnmap,
    DeviceInfo,
    RegionInfo,
    IrqInfo,
    SetIrqs,
    RegionRead,
    RegionWrite,
    Reset,
}

impl Command {
    /// The command with the protocol's number; `None`: the server does not have it.
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Command::Version,
            2 => Command::DmaMap,
            3 => Command::DmaUnmap,
            4 => Command::DeviceInfo,
            5 => Command::RegionInfo,
            7 => Command::IrqInfo,
            8 => Command::SetIrqs,
            9 => Command::RegionRead,
            10 => Command::RegionWrite,
            13 => Command::Reset,
            _ => return None,
        })
    }
}

/// What each message starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) command: u16,
    /// Bytes of the message with its header.
    pub(crate) size: u32,
    pub(crate) flags: u32,
}

impl Header {
    pub(crate) fn decode(bytes: &[u8; HEADER]) -> Self {
        let mut fields = Fields(bytes);
        let mut next = || fields.u16().unwrap_or(0);
        let (id, command) = (next(), next());
        let mut next = || fields.u32().unwrap_or(0);
        Header { id, command, size: next(), flags: next() }
    }

    /// Bytes behind the header; `None` if no message has that many.
    pub(crate) fn body(&self) -> Option<usize> {
        let body = usize::try_from(self.size).ok()?.checked_sub(HEADER)?;
        (body <= MAX_BODY).then_some(body)
    }

    /// The answer to this command, with room for its payload to be appended; [`finish`] sets the length.
    pub(crate) fn reply(&self, error: Option<i32>, out: &mut Vec<u8>) {
        out.clear();
        let flags = if error.is_some() { REPLY | ERROR } else { REPLY };
        out.extend_from_slice(&self.id.to_ne_bytes());
        out.extend_from_slice(&self.command.to_ne_bytes());
        put32(out, HEADER as u32);
        put32(out, flags);
        put32(out, error.unwrap_or(0).unsigned_abs());
    }
}

/// Sets the length of a message that is complete.
pub(crate) fn finish(message: &mut [u8]) {
    let size = (message.len() as u32).to_ne_bytes();
    if let Some(field) = message.get_mut(4..8) {
        field.copy_from_slice(&size);
    }
}

pub(crate) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_ne_bytes());
}

pub(crate) fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_ne_bytes());
}

/// Reads the fields of a payload one after the other; `None` beyond its end.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    /// What has not been read.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_no_message_has_is_refused() {
        let header = |size| Header { id: 1, command: 9, size, flags: 0 };
        assert_eq!(header(HEADER as u32).body(), Some(0));
        assert_eq!(header((HEADER + MAX_BODY) as u32).body(), Some(MAX_BODY));
        for size in [0, 15, (HEADER + MAX_BODY + 1) as u32, u32::MAX] {
            assert_eq!(header(size).body(), None, "{size}");
        }
    }

    #[test]
    fn a_reply_carries_number_command_and_error() {
        let mut out = vec![7; 3];
        Header { id: 0x1234, command: 2, size: 48, flags: 0 }.reply(Some(libc::EEXIST), &mut out);
        put64(&mut out, 5);
        finish(&mut out);
        let header = Header::decode(out.first_chunk().expect("a header"));
        assert_eq!(header, Header { id: 0x1234, command: 2, size: 24, flags: REPLY | ERROR });
        assert_eq!(out[12..16], 17u32.to_ne_bytes(), "EEXIST is 17");
    }
}
