//! The userspace driver: bus, registers, DMA memory, rings, programs, maps, events and packets over VFIO, a vfio-user socket or in
//! process. Linux only.
//!
//! - [`transport`]: one device, three ways in;
//! - [`dma`]: memory that the device may use;
//! - [`bus`]: which devices there are, and whose they are.
#![cfg(target_os = "linux")]

pub mod bus;
pub mod dma;
mod error;
pub mod transport;

pub use error::Error;
