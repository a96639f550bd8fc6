//! The host interface of the device: what a driver sees of it and what device and driver must agree on.
//!
//! [`function`] is the trait of the one PCI function: configuration space, BAR0 registers, BAR2 doorbell pages, BAR4 MSI-X. The
//! device model and the Verilated RTL implement it; the driver reaches it through VFIO, a vfio-user socket or in process.
//!
//! Like `offwire-isa` this crate knows nobody of ours and does no I/O.
#![forbid(unsafe_code)]

pub mod function;

pub use function::{AccessError, BarOffset, DmaAccess, DmaError, HostMemory, Interrupt, Iova, PciFunction, Region};
