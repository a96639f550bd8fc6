//! TAP devices. The kernel finishes checksums and cuts large segments up before a frame comes here, because the device
//! that it sends to says that it can do neither (TUNSETOFFLOAD 0, the default).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use super::interface::{interface_request, set_up};
use super::{FRAME, PortCounters, Wire};
use crate::sys::check;

pub(super) struct Tap {
    file: File,
    buffer: Box<[u8]>,
}

impl Tap {
    /// Makes the TAP device, or takes one that is there and nobody has open, and sets it up.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")
            .map_err(|error| io::Error::new(error.kind(), format!("/dev/net/tun: {error}")))?;
        let mut request = interface_request(name)?;
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the kernel reads and writes one ifreq, which lives in this frame.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        // SAFETY: the argument is a number.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD, 0) })?;
        set_up(name)?;
        Ok(Tap { file, buffer: vec![0; FRAME].into() })
    }
}

impl Wire for Tap {
    fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn receive(&mut self, _: &mut PortCounters, frames: &mut Vec<Vec<u8>>) -> io::Result<bool> {
        match self.file.read(&mut self.buffer) {
            // A longer frame comes cut; the device's MTU bounds it below the buffer unless its owner raises it beyond.
            Ok(len) => frames.push(self.buffer.get(..len).unwrap_or_default().to_vec()),
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        match self.file.write(frame) {
            Ok(len) => Ok(len == frame.len()),
            Err(error) => match error.raw_os_error() {
                // No room; the device is down; a frame that no Ethernet has.
                Some(libc::EAGAIN | libc::EINTR | libc::EIO | libc::ENOBUFS | libc::EINVAL) => Ok(false),
                _ => Err(error),
            },
        }
    }
}
