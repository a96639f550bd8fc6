//! Rings of a device, turned on and off.

use super::{Device, Inner, running};
use crate::error::Error;
use crate::ring::{Doorbell, Entries};
use offwire_hostif::register::RingRegister;
use offwire_hostif::{Iova, RingId, reg};
use offwire_hostmem::EventFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the device is told of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingSetup {
    pub(crate) base: Iova,
    pub(crate) entries: Entries,
    /// Events: the data area and its bytes.
    pub(crate) data: Option<(Iova, u32)>,
    /// Receive: packets are preceded by reports.
    pub(crate) report: bool,
    /// When it interrupts.
    pub(crate) moderation: reg::RingModeration,
}

impl RingSetup {
    pub(crate) fn new(base: Iova, entries: Entries) -> Self {
        RingSetup { base, entries, data: None, report: false, moderation: calm() }
    }
}

/// Moderation unless told otherwise: an interrupt for a burst of 32, after 20 us of device time, or when the device
/// rests, so that a single answer is told at once.
pub(crate) const fn calm() -> reg::RingModeration {
    reg::RingModeration(0).with_count(32).with_delay_us(20)
}

impl Inner {
    /// Turns a ring on; its memory is zeros and mapped. After an error it is off.
    pub(crate) fn enable(&self, ring: RingId, setup: &RingSetup) -> Result<(), Error> {
        let enabled = self.try_enable(ring, setup);
        if enabled.is_err() {
            // The memory may go now, whatever the device says of the ring.
            let _ = self.disable(ring);
        }
        enabled
    }

    fn try_enable(&self, ring: RingId, setup: &RingSetup) -> Result<(), Error> {
        let vector = if self.interrupt(ring).is_some() { ring.number() } else { reg::RingVector::RESET as u32 };
        self.regs.write_ring(ring, reg::RingBase(setup.base.0))?;
        self.regs.write_ring(ring, reg::RingSize::default().with_log2(setup.entries.log2()))?;
        if let Some((area, bytes)) = setup.data {
            self.regs.write_ring(ring, reg::RingData(area.0))?;
            self.regs.write_ring(ring, reg::RingDataSize(bytes))?;
        }
        self.regs.write_ring(ring, reg::RingVector::default().with_vector(vector))?;
        self.regs.write_ring(ring, setup.moderation)?;
        self.regs.write_ring(ring, reg::RingControl::default().with_enable(true).with_report(setup.report))?;
        if running(&self.regs, ring)? {
            return Ok(());
        }
        let state = self.regs.read_ring::<reg::RingState>(ring)?;
        Err(Error::Nonsense { what: "a ring that stays off", value: state.0.into() })
    }

    /// Turns a ring off. When this returns the device does not touch its memory any more.
    pub(crate) fn disable(&self, ring: RingId) -> Result<(), Error> {
        self.regs.write_ring(ring, reg::RingControl::default())?;
        // Reading makes sure that the write has arrived.
        self.regs.read_ring::<reg::RingControl>(ring).map(drop)
    }

    /// What a ring's interrupt signals.
    pub(crate) fn interrupt(&self, ring: RingId) -> Option<Arc<EventFd>> {
        self.interrupts.get(ring.number() as usize).cloned().flatten()
    }
}

/// A ring that is ours until this is dropped, and then off.
pub(crate) struct RingGuard {
    pub(crate) device: Device,
    pub(crate) ring: RingId,
    pub(crate) bell: Doorbell,
    pub(crate) interrupt: Option<Arc<EventFd>>,
    epoch: u32,
}

impl RingGuard {
    /// Takes a ring that nobody has; `what` names it. It is not on yet.
    pub(crate) fn take(device: &Device, ring: RingId, what: &'static str) -> Result<Self, Error> {
        let inner = &device.inner;
        let bit = 1 << ring.number();
        if inner.taken.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(Error::Taken(what));
        }
        Ok(RingGuard {
            device: device.clone(),
            ring,
            bell: Doorbell::new(device.transport(), inner.doorbells.as_ref(), ring),
            interrupt: inner.interrupt(ring),
            epoch: inner.rings_epoch.load(Ordering::Acquire),
        })
    }

    /// Fails if the ring was lost by a reset.
    pub(crate) fn fresh(&self) -> Result<(), Error> {
        match self.device.inner.rings_epoch.load(Ordering::Acquire) == self.epoch {
            true => Ok(()),
            false => Err(Error::Stale),
        }
    }

    /// A breach of the protocol in this ring.
    pub(crate) fn broken(&self, source: crate::ring::RingError) -> Error {
        Error::Ring { ring: self.ring, source }
    }
}

impl Drop for RingGuard {
    fn drop(&mut self) {
        // If the device does not hear it, it is gone, or will be told when its bus mastering goes.
        let _ = self.device.inner.disable(self.ring);
        self.device.inner.taken.fetch_and(!(1 << self.ring.number()), Ordering::AcqRel);
    }
}
