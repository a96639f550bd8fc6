//! What can go wrong between a driver and its device.

use crate::transport::vfio::Obstacle;
use offwire_hostif::{AccessError, DmaError};
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
    /// The device node or its files say something else than expected.
    #[error("{0}")]
    Bus(String),
}

impl Error {
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
