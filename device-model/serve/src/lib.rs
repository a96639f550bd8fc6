//! The device as a process: a vfio-user server with ports on captures, TAP devices, packet sockets and datagram
//! sockets. Linux only.
//!
//! [`Service`] serves one [`Nic`], a [`PciFunction`](offwire_hostif::PciFunction) that has ports and a clock. Three
//! threads: one waits for the end, one speaks with the client (`session`), one runs the device (`runner`); the last two
//! share the device behind one lock (`desk`). A client that goes, killed or not, leaves programs, maps and attachments
//! in the device; the next one finds them. A client that breaks the protocol loses its connection and nothing else
//! happens.
//!
//! Sockets, descriptors and unsafe code of the software device are here, so that `device-model` has none of them.
#![cfg(target_os = "linux")]

mod desk;
mod error;
mod host;
mod nic;
mod ports;
mod runner;
mod service;
mod session;
mod socket;
mod stop;
mod sys;
mod time;
mod wire;

pub use error::ServeError;
pub use host::device;
pub use nic::{Departed, Nic, Rates};
pub use ports::{PortCounters, PortKind, PortSpec, SpecError};
pub use service::{Options, Service, Summary};
pub use session::ClientCounters;
pub use stop::Stop;
