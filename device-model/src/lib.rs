//! The cycle-exact software device.
//!
//! A [`Device`] holds maps and programs, and runs on packets that arrive at given cycles what is attached to their port; each
//! packet leaves in the cycle and with the bytes that the hardware would give it. docs/device.md tells how a packet walks through
//! the blocks and when each thing happens; the modules carry the blocks' names:
//!
//! * `flow`, `dispatcher`: hash to order bucket and vCPU, ingress FIFO, who runs where;
//! * `engine`, `context`, `op`, `execute`, `request`, `packet`: contexts that take turns in a pipe, one word at a time;
//! * `chance`: clock and random numbers;
//! * `map`: index and value banks, the map table, the control plane;
//! * `restorer`: egress order;
//! * `device`: one cycle of all of them, the two schedulers, and what users call;
//! * `objects`, `ports`: the control plane's side: maps, programs, what is attached where;
//! * `load`, `program`: what is checked of an image, the instruction store;
//! * `epoch`, `reclaim`: what was freed waits for the packets that may know of it.
//!
//! Two schedulers drive the same blocks. [`Scheduler::Plain`] steps every block in every cycle. [`Scheduler::Fast`] goes from
//! event to event and lets contexts run ahead to their next word that others could see. Both give the same departures, cycle
//! and bytes, the same maps and the same counters; a test asserts it on random programs.
#![forbid(unsafe_code)]

mod agenda;
mod calendar;
mod chance;
mod context;
mod counters;
mod departure;
mod device;
mod dispatcher;
mod engine;
mod epoch;
mod error;
mod execute;
mod fault;
mod flow;
pub mod geometry;
pub mod host;
mod id;
mod load;
mod map;
mod objects;
mod op;
mod packet;
mod packets;
mod ports;
mod program;
mod reclaim;
mod request;
mod restorer;
mod trace;
pub mod verdict;

pub use counters::{Counters, Empty, MapCounters, MapUse, PortCounters, ProgramCounters, Replay, SlotCounters, Stall};
pub use departure::{Arrival, Departure, DeviceEvent, Dropped, Redirect};
#[doc(hidden)]
pub use device::serves;
pub use device::{Admission, Device, Scheduler};
pub use error::{
    AttachError, LoadError, MapCreateError, MapError, MapFreeError, MapRefusal, Mismatch, OfferError, ProgramError,
};
pub use fault::{Fault, FaultCause};
pub use geometry::{MAPS, PROGRAMS};
pub use id::{MapId, ProgramId};
#[doc(hidden)]
pub use load::Parts;
pub use map::control::{Entry, Update};
pub use map::table::InnerType;
#[doc(hidden)]
pub use map::table::MapImage;
pub use objects::MapState;
pub use program::ProgramState;
pub use reclaim::PendingFrees;
pub use trace::{At, Event, Off, SharedOp, Trace};
