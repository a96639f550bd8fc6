//! The served device behind one lock, shared by the connection and the device's own thread.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use offwire_hostif::Interrupt;
use offwire_hostmem::{EventFd, MemoryError};

/// A thread panicked while it held the device: its state cannot be trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl<T> From<PoisonError<T>> for Broken {
    fn from(_: PoisonError<T>) -> Self {
        Broken
    }
}

/// The device and who waits for it.
///
/// A mutex alone would let the device's thread, which takes it again at once, starve the others; so it asks before
/// whether somebody waits. Others hold the lock for one register access or one mapping.
pub(crate) struct Desk<N> {
    nic: Mutex<N>,
    waiting: AtomicU32,
    /// Tells the device's thread that there may be work.
    bell: EventFd,
    /// A client is there, which may ring doorbells that nobody but the device sees.
    connected: AtomicBool,
}

impl<N> Desk<N> {
    pub(crate) fn new(nic: N) -> Result<Self, MemoryError> {
        Ok(Desk {
            nic: Mutex::new(nic),
            waiting: AtomicU32::new(0),
            bell: EventFd::new()?,
            connected: AtomicBool::new(false),
        })
    }

    /// For the connection: one short access.
    pub(crate) fn with<R>(&self, access: impl FnOnce(&mut N) -> R) -> Result<R, Broken> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = self.nic.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Ok(access(&mut *guard?))
    }

    /// For the device's thread: the device, after those who wait have had it.
    pub(crate) fn take(&self) -> Result<MutexGuard<'_, N>, Broken> {
        while self.waiting.load(Ordering::SeqCst) > 0 && !self.nic.is_poisoned() {
            std::thread::yield_now();
        }
        Ok(self.nic.lock()?)
    }

    /// Wakes the device's thread.
    pub(crate) fn ring(&self) {
        self.bell.signal();
    }

    /// What [`Desk::ring`] makes readable.
    pub(crate) fn bell(&self) -> &EventFd {
        &self.bell
    }

    /// A client came or went.
    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::SeqCst);
        self.ring();
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst)
    }
}
