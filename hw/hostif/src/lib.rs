//! The host interface of the device: what a driver sees of it and what device and driver must agree on.
//!
//! This crate is where the following will live; none of it is here yet:
//!
//! - the trait of the one PCI function: configuration space, BAR0 registers, BAR2 doorbell pages, BAR4 MSI-X. Device model and
//!   Verilated RTL implement it; the driver reaches it through VFIO, a vfio-user socket or in process;
//! - register accessors, generic over the transport, made by `cargo xtask codegen` from a register description in `hw/spec`;
//! - the layouts of the 64-byte ring descriptors with their phase bits: commands and completions, events, packet receive and
//!   transmit.
//!
//! Until then the device model is driven in process through its own interface.
//!
//! Like `offwire-isa` it will know nobody of ours and do no I/O.
#![forbid(unsafe_code)]
