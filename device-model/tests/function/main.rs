//! The PCI function as a driver sees it, driven by hand over plain memory that tells each access it should not get.

#[path = "../common/mod.rs"]
mod common;
mod host;

mod commands;
mod hostile;
mod life;
mod packets;
mod rings;
