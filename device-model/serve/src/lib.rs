//! The device model as a process: a vfio-user server with ports on captures, TAP devices and raw sockets.
//!
//! Nothing of it is here yet. The crate holds the place for what may not live in `device-model`, which does no I/O and has no
//! unsafe code.
