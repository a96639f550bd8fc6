//! The device's RTL under Verilator, behind the traits of the device model: lockstep and co-simulation.
//!
//! Nothing is here yet, because the RTL of the engine is not written. The cargo feature `verilator` is reserved for it and
//! changes nothing today; a build without it will never need Verilator.
#![forbid(unsafe_code)]
