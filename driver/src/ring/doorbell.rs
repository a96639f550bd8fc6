//! Doorbells: one word a ring in BAR2.

use crate::error::Error;
use crate::regs::{Regs, registers};
use crate::transport::Transport;
use offwire_hostif::{HostMemory, Region, RingId, reg};
use std::fmt;
use std::sync::Arc;

/// The doorbell of a ring.
///
/// If BAR2 can be mapped, ringing is a store, and a write to the Wake register follows for a device that sleeps.
/// Otherwise the write to BAR2 is trapped and wakes it too.
pub struct Doorbell {
    transport: Arc<dyn Transport>,
    mapped: Option<Arc<dyn HostMemory>>,
    regs: Regs,
    at: u64,
}

impl Doorbell {
    /// The doorbell of `ring`. `mapped` is [`Transport::map_region`] of BAR2.
    pub fn new(transport: &Arc<dyn Transport>, mapped: Option<&Arc<dyn HostMemory>>, ring: RingId) -> Self {
        Doorbell {
            transport: Arc::clone(transport),
            mapped: mapped.cloned(),
            regs: registers(transport),
            at: ring.doorbell().0.into(),
        }
    }

    /// Says the index and lets the device work.
    ///
    /// # Errors
    /// The transport's.
    pub fn ring(&self, index: u32) -> Result<(), Error> {
        self.announce(index)?;
        self.transport.kick()
    }

    /// Says the index and wakes the device; in process it does not work yet ([`Transport::kick`]).
    ///
    /// # Errors
    /// The transport's.
    pub fn announce(&self, index: u32) -> Result<(), Error> {
        if self.tell(index)? {
            self.regs.write(reg::Wake(1))?;
        }
        Ok(())
    }

    /// Says the index; a device that sleeps may stay asleep. True if the doorbell is mapped memory.
    ///
    /// # Errors
    /// The transport's.
    pub fn tell(&self, index: u32) -> Result<bool, Error> {
        match &self.mapped {
            Some(memory) if memory.store_release(self.at, index) => Ok(true),
            _ => self.transport.write_u32(Region::Bar2, self.at, index).map(|()| false),
        }
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").field("at", &self.at).field("mapped", &self.mapped.is_some()).finish()
    }
}
