//! The userspace driver: bus, registers, DMA memory, rings, programs, maps, events and packets over VFIO, a vfio-user
//! socket or in process. Linux only.
//!
//! - [`transport`]: one device, three ways in;
//! - [`dma`]: memory that the device may use;
//! - [`bus`]: which devices there are, and whose they are;
//! - [`regs`], [`ring`]: registers, and the phase protocol of rings;
//! - [`Device`]: what all this makes: commands, programs, maps, ports, counters;
//! - [`Map`], [`Events`], [`QueuePair`]: what a device is used by.
//!
//! Nothing here knows a word of a program or believes a device: what it says is checked, and what cannot be is an
//! [`Error`]. Every wait has a deadline. docs/driver.md tells how the driver is used and how it is made.
#![cfg(target_os = "linux")]

pub mod bus;
mod control;
mod device;
pub mod dma;
mod error;
mod event;
mod journal;
mod map;
mod name;
mod packet;
mod port;
mod program;
pub mod regs;
pub mod ring;
pub mod transport;

pub use control::{Chance, CounterOf, Counters, Inventory};
pub use device::{Backing, CommandError, Device, Info, Life, OpenOptions, Pending, Reply, Request};
pub use error::Error;
pub use event::{Event, Events, Origin};
pub use journal::{Journal, Journaling, Replayed};
pub use map::{Entries, Entry, Map, MapId, MapInfo, Plain, TypedMap, Update};
pub use packet::{Inject, QueueOptions, QueuePair, Redirect, Report, Rx, RxPacket, Tx, TxDone, TxFrame};
pub use port::PortInfo;
pub use program::{ProgramId, ProgramInfo};
