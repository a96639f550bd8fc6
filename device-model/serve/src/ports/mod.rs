//! The wires of a served device: captures, TAP devices, interfaces of this machine, datagram sockets.

mod capture;
mod datagram;
mod interface;
mod offload;
mod spec;
mod tap;

use std::io;
use std::os::fd::BorrowedFd;

pub use spec::{PortKind, PortSpec, SpecError};

pub(crate) use capture::{Playback, Recorder, read};

use crate::error::ServeError;

/// Most bytes of a frame on its way to the device; longer ones the device refuses. With room for a VLAN tag.
pub(crate) const FRAME: usize = 9018 + 4;

/// What a port has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames that came in from the wire.
    pub received: u64,
    /// Frames that went out to the wire.
    pub sent: u64,
    /// Frames from the wire that the device does not take: longer or shorter than it has room for, or of a form that no
    /// card gets.
    pub refused: u64,
    /// Frames from the wire that were dropped because the model was too slow for real time.
    pub late: u64,
    /// Frames that the wire did not take: nobody there, no room, too long.
    pub unsent: u64,
}

/// A live wire: something that frames come from at their own time.
pub(crate) trait Wire: Send {
    /// Readable when a frame has come.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Takes the frames of one message, without waiting: none if there is no message, several if the sender left it to
    /// the card to cut one up. `Err`: the wire is out of order for the moment.
    fn receive(&mut self, counters: &mut PortCounters, frames: &mut Vec<Vec<u8>>) -> io::Result<bool>;

    /// Sends one frame, without waiting. False if nobody took it.
    fn send(&mut self, frame: &[u8]) -> io::Result<bool>;

    /// Says why it will never work again, if that does not show elsewhere.
    fn check(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what a port specification names; a capture is not opened but returned as `None`.
pub(crate) fn open(spec: &PortSpec) -> Result<Option<Box<dyn Wire>>, ServeError> {
    let failed = |source: io::Error| ServeError::Port { port: spec.port, what: spec.kind.to_string(), source };
    Ok(match &spec.kind {
        PortKind::Capture { .. } => None,
        PortKind::Tap(name) => Some(Box::new(tap::Tap::open(name).map_err(failed)?)),
        PortKind::Interface(name) => Some(Box::new(interface::Interface::open(name).map_err(failed)?)),
        PortKind::Datagram { own, peer } => Some(Box::new(
            datagram::Datagram::open(own, peer).map_err(|error| failed(io::Error::other(error.to_string())))?,
        )),
    })
}
