//! How a device is opened.

use crate::dma::{DmaBuf, DmaSpace, Pages};
use crate::error::Error;
use crate::journal::Journaling;
use crate::ring::Entries;
use offwire_hostif::DmaAccess;
use offwire_hostmem::SharedMemory;
use std::sync::Arc;
use std::time::Duration;

/// Memory that rings and buffers are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backing {
    /// Ordinary pages.
    #[default]
    Normal,
    /// Huge pages of 2 MiB, or ordinary ones if there are none to be had.
    Huge,
    /// Ordinary pages between pages that nobody can touch, so that a test sees what leaves a buffer.
    Guarded,
}

/// How a device is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// How long a command, or any other answer of the device, may take.
    pub deadline: Duration,
    /// Queue pairs that may be opened, at most as many as the device has.
    pub queue_pairs: u8,
    /// Entries of the command ring: commands in flight. Up to 32,768.
    pub command_entries: Entries,
    /// Entries of the event ring.
    pub event_entries: Entries,
    /// Bytes of the events' data area: a power of two from 4,096 on.
    pub event_area: u32,
    /// False: nobody waits for interrupts, everything is polled.
    pub interrupts: bool,
    /// Memory of rings and buffers.
    pub backing: Backing,
    /// What is remembered for [`crate::Device::replay`].
    pub journal: Journaling,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            deadline: Duration::from_secs(5),
            queue_pairs: 1,
            command_entries: Entries::from_log2(6).unwrap_or(Entries::MIN),
            event_entries: Entries::from_log2(10).unwrap_or(Entries::MIN),
            event_area: 1 << 20,
            interrupts: true,
            backing: Backing::default(),
            journal: Journaling::default(),
        }
    }
}

impl OpenOptions {
    /// Memory for a ring or for buffers.
    pub(crate) fn allocate(
        &self,
        space: &Arc<DmaSpace>,
        name: &str,
        size: u64,
        access: DmaAccess,
    ) -> Result<DmaBuf, Error> {
        match self.backing {
            Backing::Normal => space.allocate(name, size, access, Pages::Normal),
            Backing::Huge => space.allocate(name, size, access, Pages::Huge),
            Backing::Guarded => space.map(Arc::new(SharedMemory::guarded(name, size)?), access),
        }
    }
}
