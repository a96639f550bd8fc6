//! The userspace driver: bus, registers, DMA memory, rings, programs, maps, events and packets over VFIO, a vfio-user socket or in
//! process.
//!
//! Nothing is here yet: the host interface (`hw/hostif`) has no registers so far.
#![forbid(unsafe_code)]
