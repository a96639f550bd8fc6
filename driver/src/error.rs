//! What can go wrong between a driver and its device.

use crate::device::{CommandError, Life};
use crate::map::MapId;
use crate::ring::RingError;
use crate::transport::vfio::Obstacle;
use offwire_hostif::{AccessError, DmaError, INTERFACE_MAJOR, INTERFACE_MINOR, RingFault, RingId, Status};
use offwire_hostmem::MemoryError;
use std::borrow::Cow;
use std::io;
use std::time::Duration;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device, its server or its connection is no more; whatever is done with this handle fails from now on.
    #[error("the device is gone: {0}")]
    Gone(Cow<'static, str>),
    /// No answer in time. The connection is given up, as the answer may still come.
    #[error("no answer to {what} within {after:?}")]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The server sent what the vfio-user protocol does not allow. The connection is given up.
    #[error("the server broke the vfio-user protocol: {0}")]
    Protocol(Cow<'static, str>),
    /// The server, or the kernel in its name, said no. Nothing was changed.
    #[error("the device refused {what}: {source}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its reason.
        source: io::Error,
    },
    /// A system call failed.
    #[error("{call}: {source}")]
    System {
        /// The call, with the file if there is one.
        call: Cow<'static, str>,
        /// The kernel's reason.
        source: io::Error,
    },
    /// An access that the function does not have.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A mapping that the function does not take.
    #[error(transparent)]
    Dma(#[from] DmaError),
    /// No such memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A range to map that is not inside the memory, or not made of pages of the IOMMU.
    #[error(
        "{size:#x} B at {offset:#x} of a memory of {memory:#x} B cannot be mapped at {iova:#x} in pages of {page:#x} B"
    )]
    Unmappable {
        /// Device address.
        iova: u64,
        /// Start in the memory.
        offset: u64,
        /// Bytes.
        size: u64,
        /// Bytes of the memory.
        memory: u64,
        /// Bytes of a page.
        page: u64,
    },
    /// The range to unmap was not mapped as a whole.
    #[error("only {unmapped:#x} of {size:#x} B at {iova:#x} were mapped")]
    Unmapped {
        /// Device address.
        iova: u64,
        /// Bytes asked for.
        size: u64,
        /// Bytes that were mapped before.
        unmapped: u64,
    },
    /// No free range of device addresses is so large.
    #[error("there is no free range of {size:#x} B at a multiple of {alignment:#x} for the device")]
    NoIova {
        /// Bytes.
        size: u64,
        /// Alignment, bytes.
        alignment: u64,
    },
    /// Interrupt vectors that the device does not have.
    #[error("the device has {has} interrupt vectors, not {count} from {first} on")]
    Vectors {
        /// First vector.
        first: u16,
        /// How many.
        count: usize,
        /// Vectors of the device.
        has: u16,
    },
    /// The device in process did not run out of work.
    #[error("the device did not come to rest within {0} turns")]
    Restless(u64),
    /// The device could not be opened; what is in the way, in the order to be solved, and the failure itself.
    #[error("{device} cannot be opened: {source}{}", list(.obstacles))]
    Unprepared {
        /// PCI address.
        device: String,
        /// What is in the way.
        obstacles: Vec<Obstacle>,
        /// What failed.
        source: Box<Error>,
    },
    /// No PCI address.
    #[error("{0:?} is no PCI address; they look like 0000:03:00.0")]
    NoPciAddress(String),
    /// The registers are those of something else.
    #[error("this is no offwire device: its first register reads {magic:#010x}")]
    NotOurs {
        /// What it reads.
        magic: u32,
    },
    /// The device speaks another version of the host interface.
    #[error("the device has host interface {major}.{minor}; this driver has {}.{}", INTERFACE_MAJOR, INTERFACE_MINOR)]
    Version {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
    },
    /// The device says of itself that it failed.
    #[error("the device has failed and must be reset")]
    Failed,
    /// Nothing came in time. What was asked may still happen.
    #[error("the device did not answer {what} within {after:?}")]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// Somebody else reset the device, or it came back from power off. What was loaded is gone; `Device::recover` goes
    /// on.
    #[error("the device was reset by somebody else (reset {} of instance {:#x}, known was {} of {:#x}); what was loaded is gone",
        .now.resets, .now.instance, .known.resets, .known.instance)]
    WasReset {
        /// What the handle knew.
        known: Life,
        /// What the device says.
        now: Life,
    },
    /// A handle, or a command in flight, from before a reset through another handle.
    #[error("this was opened or asked before the device was reset; open it again")]
    Stale,
    /// A ring's memory says what it cannot say.
    #[error("the device broke ring {}: {source}", .ring.number())]
    Ring {
        /// Which.
        ring: RingId,
        /// How.
        source: RingError,
    },
    /// The device stopped a ring.
    #[error("ring {} has stopped: {} (argument {argument:#x})", .ring.number(), .fault.doc())]
    RingStopped {
        /// Which.
        ring: RingId,
        /// Why.
        fault: RingFault,
        /// More about it.
        argument: u64,
    },
    /// The device said something that cannot be.
    #[error("the device gave {what} that cannot be: {value:#x}")]
    Nonsense {
        /// What it is about.
        what: &'static str,
        /// What it said.
        value: u64,
    },
    /// The device refused a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A batch stopped at an entry. Entries behind it, in commands that were in flight, may have been done.
    #[error("entry {entry} of the batch: {source}; {done} entries were done")]
    Batch {
        /// The entry that failed, counted from 0.
        entry: usize,
        /// Entries that were done, some of them perhaps behind it.
        done: usize,
        /// Why it failed.
        source: CommandError,
    },
    /// Somebody in this process has it open already.
    #[error("{0} is open already")]
    Taken(&'static str),
    /// There is no such queue pair.
    #[error("there is no queue pair {pair}: {has} may be opened")]
    NoQueuePair {
        /// Number.
        pair: u8,
        /// How many there are, or were asked for when the device was opened.
        has: u8,
    },
    /// More than fits.
    #[error("{bytes} B are too many for {what}")]
    TooLarge {
        /// What for.
        what: &'static str,
        /// How many.
        bytes: usize,
    },
    /// A key or a value of the wrong size.
    #[error("{what} of map {map} has {has} B, not {given}")]
    Size {
        /// Key or value.
        what: &'static str,
        /// Map id.
        map: MapId,
        /// Bytes that it has.
        has: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// The map changed so often while it was read that no end was found.
    #[error("map {0} changes faster than it can be read")]
    Unsteady(MapId),
    /// A journal cannot be replayed on this device.
    #[error("the journal names {what} {id}, which it did not make")]
    Journal {
        /// Program or map.
        what: &'static str,
        /// Its id.
        id: u16,
    },
    /// The device node or its files say something else than expected.
    #[error("{0}")]
    Bus(String),
}

impl Error {
    /// How the device ended the command that failed, if that is what went wrong.
    pub fn status(&self) -> Option<Status> {
        match self {
            Error::Command(error) | Error::Batch { source: error, .. } => Some(error.status),
            _ => None,
        }
    }

    /// True if the device is gone, so that only opening it again helps.
    pub fn is_gone(&self) -> bool {
        matches!(self, Error::Gone(_) | Error::Timeout { .. } | Error::Protocol(_))
    }

    /// The last error of the calling thread, from `call`.
    pub(crate) fn last(call: &'static str) -> Self {
        Error::System { call: call.into(), source: io::Error::last_os_error() }
    }
}

/// The obstacles, a line each.
fn list(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(|obstacle| format!("\n- {obstacle}")).collect()
}
