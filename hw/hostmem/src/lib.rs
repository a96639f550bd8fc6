//! Memory and eventfds that a driver and a device share, in one process or in two. Linux only.
//!
//! [`SharedMemory`] is a mapped file: a memfd that we made, or the file descriptor that a peer sent. It is what a driver hands to
//! a device for DMA, and what a served device maps of its driver or of a virtual machine. [`DeviceMemory`] is a mapped BAR.
//! Both are seen only as [`offwire_hostif::HostMemory`]: bytes are copied in and out and aligned words are read and written with
//! order, because the other side may write at any moment; a reference into such memory would be a promise that nobody keeps.
//! [`EventFd`] is an interrupt.
//!
//! What a peer can do to us with a file descriptor, and what stands against it:
//!
//! - make the file shorter once it is mapped, so that we die of SIGBUS: [`SharedMemory::from_peer`] takes only files that are
//!   sealed against it, or that it can seal itself. QEMU's `memory-backend-memfd` seals by default (`seal=on`);
//! - name a range outside the file: the range is compared with the size that the seal keeps;
//! - send a pipe for an eventfd, so that a signal blocks: [`EventFd::from_peer`] takes eventfds only;
//! - punch holes: reads give zeros. With huge pages and an empty pool the next touch of the hole is a SIGBUS all the same, and
//!   no check helps; who gives huge pages to strangers takes that risk.
#![cfg(target_os = "linux")]

mod access;
mod backing;
mod error;
mod event;
mod file;
mod mapping;
mod memory;
mod wait;

pub use backing::Backings;
pub use error::MemoryError;
pub use event::EventFd;
pub use file::FileId;
pub use memory::{DeviceMemory, SharedMemory};
pub use wait::{Interest, wait};
