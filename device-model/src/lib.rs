//! The cycle-exact software device.
#![forbid(unsafe_code)]
