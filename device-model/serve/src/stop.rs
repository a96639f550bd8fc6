//! How a served device is told to end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use offwire_hostif::Interrupt;
use offwire_hostmem::{EventFd, MemoryError};

use crate::sys::{self, Watch};

/// Tells a served device to end; clones tell the same one.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Never read, so that once rung all see it.
    raised: Arc<EventFd>,
    signals: Option<Arc<OwnedFd>>,
}

impl Stop {
    /// For [`Stop::raise`] alone.
    ///
    /// # Errors
    /// The machine has no eventfd to give.
    pub fn new() -> Result<Self, MemoryError> {
        Ok(Stop { raised: Arc::new(EventFd::new()?), signals: None })
    }

    /// Also by SIGINT and SIGTERM, of which the process does not die any more. To be called before other threads are
    /// made, as those would still die.
    ///
    /// # Errors
    /// As [`Stop::new`].
    pub fn on_signals() -> Result<Self, crate::ServeError> {
        let stop = Stop::new()?;
        Ok(Stop { signals: Some(Arc::new(sys::signals()?)), ..stop })
    }

    /// The device ends soon.
    pub fn raise(&self) {
        self.raised.signal();
    }

    /// Readable once it is raised.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.raised.as_fd()
    }

    /// Waits until it is raised, or a signal comes, which raises it.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let signals = self.signals.as_deref().map(AsFd::as_fd);
        let watches = [Watch::input(self.fd()), Watch::input(signals.unwrap_or(self.fd()))];
        while sys::wait(&watches, None)? == 0 {}
        self.raise();
        Ok(())
    }
}

/// Raises at the end of a thread, however it ends.
pub(crate) struct RaiseAtEnd<'a>(pub(crate) &'a Stop);

impl Drop for RaiseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.raise();
    }
}
