//! The host interface of the device: what a driver sees of it and what device and driver must agree on.
//!
//! - [`function`]: the trait of the one PCI function: configuration space, BAR0 registers, BAR2 doorbell pages, BAR4 MSI-X. The
//!   device model and the Verilated RTL implement it; the driver reaches it through VFIO, a vfio-user socket or in process;
//! - [`reg`], [`register`]: registers, typed, over any transport;
//! - [`desc`]: descriptors of the rings and records in buffers;
//! - the numbers in them: [`Opcode`], [`Status`], [`EventKind`] and others.
//!
//! All but the traits is made of hw/spec/regs.toml by `cargo xtask codegen`; docs/registers.md is the same for people.
//!
//! Like `offwire-isa` this crate knows nobody of ours and does no I/O.
#![forbid(unsafe_code)]

pub mod function;
#[path = "gen/mod.rs"]
mod generated;
pub mod register;

pub use function::{AccessError, BarOffset, DmaAccess, DmaError, HostMemory, Interrupt, Iova, PciFunction, Region};
pub use generated::*;
pub use register::{AVAIL, RegisterIo, Registers, RingId, USED, phase};
