//! Waiting with a deadline, and finding out why nothing comes.

use super::info::{self, Life};
use crate::error::Error;
use crate::regs::Regs;
use crate::transport::Transport;
use offwire_hostif::{RingFault, RingId, reg};
use offwire_hostmem::EventFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long something may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    until: Instant,
    budget: Duration,
}

impl Wait {
    /// So long from now on.
    pub(crate) fn of(budget: Duration) -> Self {
        let now = Instant::now();
        Wait { until: now.checked_add(budget).unwrap_or(now), budget }
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// It is over.
    pub(crate) fn over(&self, what: &'static str) -> Error {
        Error::Deadline { what, after: self.budget }
    }
}

/// First sleep of somebody who waits.
const DOZE: Duration = Duration::from_micros(200);
/// Longest sleep; then who waits looks whether the device is still there.
const NAP: Duration = Duration::from_millis(50);
/// Longest sleep of somebody whom no interrupt wakes.
const BLIND_NAP: Duration = Duration::from_millis(1);

/// Sleeps until an interrupt, or for a time that grows with the number of sleeps; true if it was an interrupt.
pub(crate) fn nap(interrupt: Option<&EventFd>, number: u32, left: Duration) -> Result<bool, Error> {
    let time = DOZE.saturating_mul(1 << number.min(8)).min(NAP).min(left);
    match interrupt {
        Some(event) => Ok(event.wait(time)?.is_some()),
        None => {
            std::thread::sleep(time.min(BLIND_NAP));
            Ok(false)
        }
    }
}

/// What a handle believes about its device.
#[derive(Debug)]
pub(crate) struct Watch {
    transport: Arc<dyn Transport>,
    regs: Regs,
    life: Mutex<Life>,
    /// We reset the device ourselves just now.
    resetting: AtomicBool,
}

impl Watch {
    pub(crate) fn new(transport: &Arc<dyn Transport>, regs: &Regs, life: Life) -> Arc<Self> {
        Arc::new(Watch {
            transport: Arc::clone(transport),
            regs: regs.clone(),
            life: Mutex::new(life),
            resetting: AtomicBool::new(false),
        })
    }

    /// The life in which the handle's objects are.
    pub(crate) fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new life has begun, and the handle knows.
    pub(crate) fn set_life(&self, life: Life) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// While true, resets are our own.
    pub(crate) fn set_resetting(&self, resetting: bool) {
        self.resetting.store(resetting, Ordering::Release);
    }

    /// Why the device may not answer: it is gone, failed, was reset, or a ring has stopped.
    pub(crate) fn check(&self, rings: &[RingId]) -> Result<(), Error> {
        self.transport.alive()?;
        info::check(&self.regs)?;
        let (known, now) = (self.life(), Life::read(&self.regs)?);
        if known != now && !self.resetting.load(Ordering::Acquire) {
            return Err(Error::WasReset { known, now });
        }
        if self.regs.read::<reg::State>()?.failed() {
            return Err(Error::Failed);
        }
        rings.iter().try_for_each(|&ring| running(&self.regs, ring).map(drop))
    }
}

/// Checks that a ring has not stopped; true if it is enabled.
pub(crate) fn running(regs: &Regs, ring: RingId) -> Result<bool, Error> {
    let state = regs.read_ring::<reg::RingState>(ring)?;
    if !state.stopped() {
        return Ok(state.enabled());
    }
    let fault = RingFault::from_code(state.fault() as u16).unwrap_or(RingFault::None);
    let argument = regs.read_ring::<reg::RingFaultArgument>(ring)?.0;
    Err(Error::RingStopped { ring, fault, argument })
}
