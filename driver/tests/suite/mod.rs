//! What a driver must be able to do with a device, however it gets there.
//!
//! A case takes a way to connect to one device of profile `small` as after power on; it may connect several times, one after the other.
//! In process it is run by tests/model.rs; a server's tests can run the same file over a socket.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod commands;
pub(crate) mod images;
pub(crate) mod life;
pub(crate) mod maps;
pub(crate) mod packets;

use driver::transport::Transport;
use driver::{Backing, Device, OpenOptions};
use std::sync::Arc;

/// Connects to the device of a case.
pub(crate) type Connect<'a> = &'a dyn Fn() -> Arc<dyn Transport>;

/// A case.
pub(crate) type Case = fn(Connect<'_>);

/// Options of a case: buffers between guard pages.
pub(crate) fn options() -> OpenOptions {
    OpenOptions { queue_pairs: 4, backing: Backing::Guarded, ..OpenOptions::default() }
}

/// Opens the device.
pub(crate) fn open(connect: Connect<'_>) -> Device {
    Device::open(connect(), options()).expect("the device opens")
}

/// Makes a test of each case.
#[macro_export]
macro_rules! suite {
    ($run:path: $($module:ident { $($case:ident),* $(,)? })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                $run(super::suite::$module::$case);
            })*
        })*
    };
}
