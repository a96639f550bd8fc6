//! Turning the device on and off, resetting it, going on after somebody else did.

use super::info::{self, Life};
use super::{Device, Inner, RingSetup, Wait, nap};
use crate::error::Error;
use crate::journal::{Journal, Replayed};
use crate::transport::Transport;
use offwire_hostif::{Opcode, RINGS, Region, RingId, reg};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

/// Offset of the command register in configuration space.
const PCI_COMMAND: u64 = 4;
/// It answers to its BARs.
const MEMORY_SPACE: u16 = 1 << 1;
/// It may access memory.
const BUS_MASTER: u16 = 1 << 2;
/// What the ResetRequest register takes.
const RESET_WORD: u32 = u32::from_le_bytes(*b"RSET");

/// Lets the device access memory, or not.
fn master(transport: &dyn Transport, on: bool) -> Result<(), Error> {
    let mut bytes = [0; 2];
    transport.read(Region::Config, PCI_COMMAND, &mut bytes)?;
    let command = u16::from_le_bytes(bytes);
    let command = if on { command | MEMORY_SPACE | BUS_MASTER } else { command & !BUS_MASTER };
    transport.write(Region::Config, PCI_COMMAND, &command.to_le_bytes())?;
    // Reading makes sure that the write has arrived.
    transport.read(Region::Config, PCI_COMMAND, &mut bytes)
}

impl Device {
    /// Turns the device on: bus mastering, then completions and commands. What a predecessor left running is turned off
    /// first.
    pub(super) fn start(&self) -> Result<(), Error> {
        let inner = &self.inner;
        inner.await_ready(self.wait())?;
        for ring in (0..RINGS).filter_map(RingId::new) {
            inner.disable(ring)?;
        }
        master(&**self.transport(), true)?;
        // The device looks at commands only while completions have somewhere to go.
        for (ring, base, entries) in inner.queue.rings().into_iter().rev() {
            inner.enable(ring, &RingSetup::new(base, entries))?;
        }
        Ok(())
    }

    /// Function-level reset: all is as after power on. Open queues and events, and handles of maps, are stale
    /// afterwards.
    ///
    /// # Errors
    /// The transport's; [`Error::Deadline`] if the device does not come back.
    pub fn reset(&self) -> Result<(), Error> {
        let _exclusive = self.exclusive();
        let inner = &self.inner;
        // What it says just now: somebody else may have reset it before.
        let before = Life::read(&inner.regs).unwrap_or_else(|_| inner.watch.life());
        inner.watch.set_resetting(true);
        let asked = match self.transport().reset() {
            // A bus that cannot reset the function: the function can.
            Err(Error::Refused { .. }) => inner.regs.write(reg::ResetRequest(RESET_WORD)),
            other => other,
        };
        let done = asked.and_then(|()| self.readopt(Some(before)));
        inner.watch.set_resetting(false);
        inner.record().clear();
        done
    }

    /// Programs, maps, ports, counters and time are as after power on; queues and events stay open. Handles of maps are
    /// stale afterwards.
    ///
    /// # Errors
    /// As any command.
    pub fn clear(&self) -> Result<(), Error> {
        let _exclusive = self.exclusive();
        let inner = &self.inner;
        inner.watch.set_resetting(true);
        let done = self.run(&super::Request::new(Opcode::Reset)).map(drop);
        if let Ok(life) = Life::read(&inner.regs) {
            inner.watch.set_life(life);
        }
        inner.watch.set_resetting(false);
        inner.objects_epoch.fetch_add(1, Ordering::AcqRel);
        inner.record().clear();
        done
    }

    /// Goes on after [`Error::WasReset`]: sets the device up again and replays the journal. Open queues, events and
    /// handles of maps are stale; ids may have changed as the result says.
    ///
    /// # Errors
    /// As [`Device::reset`] and [`Device::replay`]. The journal is kept if it could not be replayed.
    pub fn recover(&self) -> Result<Replayed, Error> {
        let journal = self.journal();
        {
            let _exclusive = self.exclusive();
            self.readopt(None)?;
        }
        self.inner.record().clear();
        let replayed = self.replay(&journal);
        if replayed.is_err() {
            self.inner.record().restore(journal);
        }
        replayed
    }

    /// What this handle and its clones loaded, attached and wrote, as far as [`super::OpenOptions::journal`] asks for
    /// it.
    pub fn journal(&self) -> Journal {
        self.inner.record().journal().clone()
    }

    /// Believes in the device's present life and sets up what a reset takes away.
    fn readopt(&self, before: Option<Life>) -> Result<(), Error> {
        let inner = &self.inner;
        let wait = self.wait();
        let mut number = 0;
        let life = loop {
            info::check(&inner.regs)?;
            let life = Life::read(&inner.regs)?;
            if Some(life) != before {
                break life;
            }
            if wait.left().is_zero() {
                return Err(wait.over("a reset"));
            }
            nap(None, number, wait.left())?;
            number += 1;
        };
        inner.rings_epoch.fetch_add(1, Ordering::AcqRel);
        inner.objects_epoch.fetch_add(1, Ordering::AcqRel);
        inner.watch.set_life(life);
        if !inner.interrupts.is_empty() {
            self.transport().set_interrupts(0, &inner.interrupts)?;
        }
        inner.queue.restart(|| self.start())
    }

    fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.inner.lifecycle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Waits until the device takes commands.
    fn await_ready(&self, wait: Wait) -> Result<(), Error> {
        let mut number = 0;
        loop {
            let state = self.regs.read::<reg::State>()?;
            if state.0 == u32::MAX {
                return Err(info::gone());
            }
            if state.failed() {
                return Err(Error::Failed);
            }
            if state.ready() {
                return Ok(());
            }
            if wait.left().is_zero() {
                return Err(wait.over("that it is ready"));
            }
            nap(None, number, wait.left())?;
            number += 1;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whatever fails here fails because the device is gone; then there is nothing to turn off.
        for ring in [RingId::COMMAND, RingId::COMPLETION] {
            let _ = self.disable(ring);
        }
        let transport = self.space.transport();
        if !self.interrupts.is_empty() {
            let _ = transport.set_interrupts(0, &vec![None; self.interrupts.len()]);
        }
        let _ = master(&**transport, false);
    }
}
