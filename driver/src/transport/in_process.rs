//! A function of the same process.

use super::{IovaRange, PAGE, Transport, mappable, ordinary_ranges, vectors_exist};
use crate::error::Error;
use offwire_hostif::{DmaAccess, HostMemory, Interrupt, Iova, PciFunction, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// Turns of [`PciFunction::poll`] after which a device that always finds something to do is given up. A turn does a bounded
/// share of work, so this is minutes of it.
const MOST_TURNS: u64 = 1 << 24;

/// The way to a function of the same process. Nothing happens by itself: the device runs inside [`Transport::kick`], so the same
/// calls give the same results.
///
/// One at a time for a function: who is dropped disconnects it.
pub struct InProcess {
    function: Arc<Mutex<dyn PciFunction>>,
}

impl InProcess {
    /// The way to `function`.
    pub fn new(function: Arc<Mutex<dyn PciFunction>>) -> Self {
        InProcess { function }
    }

    fn lock(&self) -> Result<MutexGuard<'_, dyn PciFunction + 'static>, Error> {
        self.function.lock().map_err(|_| Error::Gone("it panicked in another thread".into()))
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Ok(mut function) = self.lock() {
            function.disconnect();
        }
    }
}

impl Transport for InProcess {
    fn describe(&self) -> String {
        "in process".to_owned()
    }

    fn region_size(&self, region: Region) -> u64 {
        self.lock().map_or(0, |function| function.region_size(region))
    }

    fn read(&self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        Ok(self.lock()?.read(region, offset, bytes)?)
    }

    fn write(&self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.lock()?.write(region, offset, bytes)?)
    }

    fn map_region(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        self.lock().ok()?.region_memory(region)
    }

    fn vectors(&self) -> u16 {
        self.lock().map_or(0, |function| function.vectors())
    }

    fn set_interrupts(&self, first: u16, to: &[Option<Arc<EventFd>>]) -> Result<(), Error> {
        let mut function = self.lock()?;
        vectors_exist(first, to.len(), function.vectors())?;
        for (vector, target) in (first..).zip(to) {
            function.set_interrupt(vector, target.clone().map(|event| event as Arc<dyn Interrupt>));
        }
        Ok(())
    }

    fn dma_map(
        &self,
        iova: Iova,
        memory: &Arc<SharedMemory>,
        offset: u64,
        size: u64,
        access: DmaAccess,
    ) -> Result<(), Error> {
        mappable(iova, memory, offset, size, PAGE)?;
        let memory = Arc::clone(memory) as Arc<dyn HostMemory>;
        Ok(self.lock()?.dma_map(iova, size, access, memory, offset)?)
    }

    fn dma_unmap(&self, iova: Iova, size: u64) -> Result<(), Error> {
        match self.lock()?.dma_unmap(iova, size)? {
            unmapped if unmapped == size => Ok(()),
            unmapped => Err(Error::Unmapped { iova: iova.0, size, unmapped }),
        }
    }

    fn dma_page(&self) -> u64 {
        PAGE
    }

    fn iova_ranges(&self) -> Vec<IovaRange> {
        ordinary_ranges()
    }

    fn reset(&self) -> Result<(), Error> {
        self.lock()?.reset();
        Ok(())
    }

    fn kick(&self) -> Result<(), Error> {
        for _ in 0..MOST_TURNS {
            // The lock is given back after each turn, so that other threads get theirs.
            if !self.lock()?.poll() {
                return Ok(());
            }
        }
        Err(Error::Restless(MOST_TURNS))
    }

    fn alive(&self) -> Result<(), Error> {
        self.lock().map(drop)
    }
}
