//! A pair of datagram sockets as a wire: one frame a datagram.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::{FRAME, PortCounters, Wire};
use crate::socket::{BindError, Bound, Destination};

pub(super) struct Datagram {
    own: Bound,
    peer: Destination,
    buffer: Box<[u8]>,
}

impl Datagram {
    pub(super) fn open(own: &Path, peer: &Path) -> Result<Self, BindError> {
        let peer = Destination::new(peer)?;
        Ok(Datagram { own: Bound::new(own, libc::SOCK_DGRAM)?, peer, buffer: vec![0; FRAME].into() })
    }
}

impl Wire for Datagram {
    fn fd(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }

    fn receive(&mut self, counters: &mut PortCounters, frames: &mut Vec<Vec<u8>>) -> io::Result<bool> {
        let Some(len) = self.own.receive(&mut self.buffer)? else { return Ok(false) };
        match self.buffer.get(..len) {
            Some(frame) => frames.push(frame.to_vec()),
            None => counters.refused += 1,
        }
        Ok(true)
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        self.own.send_to(frame, &self.peer)
    }
}
