//! The device: opening it, asking it, leaving it.
//!
//! A [`Device`] is a handle that can be cloned and shared by threads. Opening checks that there is a device of ours,
//! turns off what a predecessor left running, and adopts programs, maps and attachments that are there: they belong to
//! the device, not to a driver. The last handle (queues and events count) turns off rings, interrupts and bus mastering
//! before any memory is unmapped. Every wait has a deadline; a device that reads as all ones is gone; a device that
//! somebody else reset is [`Error::WasReset`].

mod buffers;
mod command;
mod info;
mod lifecycle;
mod options;
mod pending;
mod queue;
mod rings;
mod watch;

pub use command::{CommandError, Request};
pub use info::{Info, Life};
pub use options::{Backing, OpenOptions};
pub use pending::{Pending, Reply};

pub(crate) use buffers::LARGE;
pub(crate) use command::{dispatch, padded};
pub(crate) use pending::id;
pub(crate) use rings::{RingGuard, RingSetup, calm};
pub(crate) use watch::{Wait, Watch, nap, running};

use crate::dma::DmaSpace;
use crate::error::Error;
use crate::journal::Record;
use crate::regs::{Regs, registers};
use crate::transport::Transport;
use offwire_hostif::{HostMemory, RINGS, Region, RingId, reg};
use offwire_hostmem::EventFd;
use queue::CommandQueue;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A handle on a device.
#[derive(Clone)]
pub struct Device {
    pub(crate) inner: Arc<Inner>,
}

/// What all handles share.
///
/// Order of fields matters little: rings, interrupts and bus mastering are off when they are dropped ([`Inner::drop`]).
pub(crate) struct Inner {
    pub(crate) options: OpenOptions,
    pub(crate) space: Arc<DmaSpace>,
    pub(crate) regs: Regs,
    /// BAR2, if it can be mapped.
    pub(crate) doorbells: Option<Arc<dyn HostMemory>>,
    /// By ring.
    pub(crate) interrupts: Vec<Option<Arc<EventFd>>>,
    pub(crate) queue: CommandQueue,
    pub(crate) watch: Arc<Watch>,
    /// As it was when the device was opened; of this only what never changes is used.
    pub(crate) info: Info,
    /// Bit r: ring r is somebody's.
    pub(crate) taken: AtomicU64,
    /// Grows when rings are lost; handles from before are stale.
    pub(crate) rings_epoch: AtomicU32,
    /// Grows when programs and maps are lost; handles from before are stale.
    pub(crate) objects_epoch: AtomicU32,
    pub(crate) journal: Mutex<Record>,
    /// Held while the device is reset or recovered.
    pub(crate) lifecycle: Mutex<()>,
}

impl Device {
    /// Opens the device behind a transport.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::NotOurs`], [`Error::Version`] and [`Error::Failed`] if it cannot be used; the
    /// transport's.
    pub fn open(transport: Arc<dyn Transport>, options: OpenOptions) -> Result<Self, Error> {
        let regs = registers(&transport);
        info::check(&regs)?;
        let info = Info::read(&regs)?;
        let options = OpenOptions { queue_pairs: options.queue_pairs.min(info.queue_pairs), ..options };
        let doorbells = transport.map_region(Region::Bar2);
        let watch = Watch::new(&transport, &regs, info.life);
        let interrupts = interrupts(&*transport, &options, info.vectors)?;
        let space = DmaSpace::new(transport);
        let interrupt = |ring: RingId| interrupts.get(ring.number() as usize).cloned().flatten();
        let queue = CommandQueue::new(&space, &options, doorbells.as_ref(), interrupt(RingId::COMPLETION), &watch)?;
        let journal = Mutex::new(Record::new(options.journal));
        let device = Device {
            inner: Arc::new(Inner {
                options,
                space,
                regs,
                doorbells,
                interrupts,
                queue,
                watch,
                info,
                taken: AtomicU64::new(0),
                rings_epoch: AtomicU32::new(0),
                objects_epoch: AtomicU32::new(0),
                journal,
                lifecycle: Mutex::new(()),
            }),
        };
        if !device.inner.interrupts.is_empty() {
            device.transport().set_interrupts(0, &device.inner.interrupts)?;
        }
        device.start()?;
        Ok(device)
    }

    /// Which device it is, for people.
    pub fn describe(&self) -> String {
        self.transport().describe()
    }

    /// What it is and has, read anew.
    ///
    /// # Errors
    /// The transport's; [`Error::Gone`]; [`Error::Nonsense`].
    pub fn info(&self) -> Result<Info, Error> {
        info::check(&self.inner.regs)?;
        Info::read(&self.inner.regs)
    }

    /// Its transport.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        self.inner.space.transport()
    }

    /// Its registers.
    pub fn regs(&self) -> &Regs {
        &self.inner.regs
    }

    /// How long a command may take.
    pub fn deadline(&self) -> Duration {
        self.inner.options.deadline
    }

    /// vCPUs: copies of a per-CPU value.
    pub fn vcpus(&self) -> u32 {
        self.inner.info.vcpus
    }

    /// Buffers that could not be unmapped and were not freed therefore.
    pub fn leaked(&self) -> u64 {
        self.inner.space.leaked()
    }

    /// Checks that the device is there, works, and is the one that was opened.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Failed`], [`Error::WasReset`], [`Error::RingStopped`].
    pub fn check(&self) -> Result<(), Error> {
        self.inner.watch.check(&[RingId::COMMAND, RingId::COMPLETION])
    }

    /// Cycles since power on or reset.
    ///
    /// # Errors
    /// The transport's.
    pub fn cycle(&self) -> Result<u64, Error> {
        Ok(self.inner.regs.read::<reg::Cycle>()?.0)
    }

    pub(crate) fn wait(&self) -> Wait {
        Wait::of(self.inner.options.deadline)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("transport", self.transport()).field("life", &self.inner.watch.life()).finish()
    }
}

/// An eventfd for each ring that interrupts, as far as there are vectors.
fn interrupts(
    transport: &dyn Transport,
    options: &OpenOptions,
    vectors: u16,
) -> Result<Vec<Option<Arc<EventFd>>>, Error> {
    if !options.interrupts {
        return Ok(Vec::new());
    }
    let used = RINGS.min(4 + 2 * u32::from(options.queue_pairs)).min(vectors.into());
    let event = |number| match RingId::new(number) {
        None | Some(RingId::COMMAND) => Ok(None),
        Some(_) => EventFd::new().map(|event| Some(Arc::new(event))).map_err(Error::from),
    };
    (0..used.min(transport.vectors().into())).map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_may_be_shared() {
        fn shared<T: Clone + Send + Sync + 'static>() {}
        shared::<Device>();
    }
}
