//! Packets: a queue pair is a receive and a transmit ring with buffers, for one thread each.
//!
//! Each descriptor has a buffer of its own for as long as the ring is open, so that a packet costs one copy, and
//! neither an allocation nor a mapping. What is received is copied out before the buffer goes back: a reference into
//! memory that the device writes would be a promise that nobody keeps. Transmit buffers are read-only for the device,
//! receive buffers write-only.

mod report;
mod rx;
mod tx;

pub use report::{Redirect, Report};
pub use rx::{Rx, RxPacket};
pub use tx::{Inject, Tx, TxDone, TxFrame};

use crate::device::{Device, RingGuard, calm};
use crate::error::Error;
use crate::ring::Entries;
use offwire_hostif::{RingId, reg};

/// How a queue pair is opened.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// Entries of the receive ring.
    pub receive_entries: Entries,
    /// Entries of the transmit ring.
    pub transmit_entries: Entries,
    /// Bytes of a buffer, rounded up to 64; a received packet with its metadata and report, or a frame to be sent, must
    /// fit.
    pub buffer_bytes: u32,
    /// Each received packet tells how it went through the device.
    pub report: bool,
    /// When the receive ring interrupts.
    pub moderation: reg::RingModeration,
}

impl Default for QueueOptions {
    fn default() -> Self {
        let entries = Entries::from_log2(8).unwrap_or(Entries::MIN);
        QueueOptions {
            receive_entries: entries,
            transmit_entries: entries,
            buffer_bytes: 4096,
            report: false,
            moderation: calm(),
        }
    }
}

impl QueueOptions {
    /// Bytes between buffers.
    fn stride(&self) -> u64 {
        u64::from(self.buffer_bytes.max(64)).next_multiple_of(64)
    }
}

/// A receive and a transmit ring that belong together.
pub struct QueuePair {
    /// What comes in.
    pub rx: Rx,
    /// What goes out.
    pub tx: Tx,
}

impl QueuePair {
    /// Both rings, for two threads.
    pub fn split(self) -> (Rx, Tx) {
        (self.rx, self.tx)
    }
}

impl Device {
    /// Queue pairs that may be opened.
    pub fn queue_pairs(&self) -> u8 {
        self.inner.options.queue_pairs
    }

    /// Opens a queue pair. While a receive ring is open, packets for the host come to it.
    ///
    /// # Errors
    /// [`Error::NoQueuePair`]; [`Error::Taken`] while it is open.
    pub fn queue_pair(&self, pair: u8, options: &QueueOptions) -> Result<QueuePair, Error> {
        let has = self.queue_pairs();
        let (receive, transmit) = match (RingId::receive(pair), RingId::transmit(pair)) {
            (Some(receive), Some(transmit)) if pair < has => (receive, transmit),
            _ => return Err(Error::NoQueuePair { pair, has }),
        };
        let receive = RingGuard::take(self, receive, "the receive ring")?;
        let transmit = RingGuard::take(self, transmit, "the transmit ring")?;
        let tx = Tx::open(transmit, options)?;
        Ok(QueuePair { rx: Rx::open(receive, options)?, tx })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_may_go_to_threads() {
        fn sent<T: Send + 'static>() {}
        sent::<Rx>();
        sent::<Tx>();
        sent::<crate::Events>();
    }
}
