//! The transmit side.

use super::QueueOptions;
use crate::device::{RingGuard, RingSetup, Wait, nap};
use crate::dma::DmaBuf;
use crate::error::Error;
use crate::ring::{Entries, Producer, Return};
use offwire_hostif::{DmaAccess, HostMemory, TransmitFlag, TransmitStatus, desc};
use std::sync::Arc;
use std::time::Duration;

/// How a frame comes in at a port as if from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inject {
    /// Cycle of arrival; else now.
    pub at: Option<u64>,
    /// The vCPU that runs it; else its flow decides.
    pub vcpu: Option<u16>,
    /// The device runs until nothing is in flight before it looks at the next frame.
    pub alone: bool,
    /// `rx_queue` and `ingress_ifindex` as the program sees them; else the port's.
    pub queue: Option<(u32, u32)>,
}

/// A frame to be sent.
#[derive(Clone, Copy, Debug)]
pub struct TxFrame<'a> {
    /// Port.
    pub port: u16,
    /// The frame.
    pub bytes: &'a [u8],
    /// It comes in at the port instead of going out.
    pub inject: Option<Inject>,
}

/// A frame whose buffer is free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxDone {
    /// Number of the frame in this ring, counted from 0 (32 bits).
    pub index: u32,
    /// What became of it.
    pub status: TransmitStatus,
    /// Number of an injected packet since reset.
    pub seq: u64,
}

/// The transmit ring of a queue pair.
pub struct Tx {
    guard: RingGuard,
    ring: Producer<Arc<DmaBuf>>,
    buffers: DmaBuf,
    entries: Entries,
    stride: u64,
}

impl Tx {
    pub(super) fn open(guard: RingGuard, options: &QueueOptions) -> Result<Self, Error> {
        let inner = &guard.device.inner;
        let (entries, stride) = (options.transmit_entries, options.stride());
        let allocate = |name, size, access| inner.options.allocate(&inner.space, name, size, access);
        let memory = Arc::new(allocate("offwire transmit ring", entries.bytes(), DmaAccess::ReadWrite)?);
        let size = stride * u64::from(entries.count());
        let buffers = allocate("offwire transmit buffers", size, DmaAccess::Read)?;
        let setup = RingSetup::new(memory.iova(), entries);
        let ring = Producer::new(memory, entries, Return::InPlace).map_err(|error| guard.broken(error))?;
        inner.enable(guard.ring, &setup)?;
        Ok(Tx { guard, ring, buffers, entries, stride })
    }

    /// Sends as many of the frames as the ring has room for; how many. The device is told once. It stops before a frame
    /// that fits no buffer, and fails if that is the first.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Stale`] after a reset; the transport's.
    pub fn transmit_burst(&mut self, frames: &[TxFrame<'_>]) -> Result<usize, Error> {
        self.guard.fresh()?;
        let room = frames.len().min(self.ring.room() as usize);
        let mut sent = 0;
        for frame in &frames[..room] {
            if frame.bytes.len() as u64 > self.stride {
                if sent == 0 {
                    return Err(Error::TooLarge { what: "a transmit buffer", bytes: frame.bytes.len() });
                }
                break;
            }
            let at = u64::from(self.ring.head() & (self.entries.count() - 1)) * self.stride;
            if !self.buffers.write(at, frame.bytes) {
                return Err(Error::TooLarge { what: "a transmit buffer", bytes: frame.bytes.len() });
            }
            let descriptor = descriptor(frame, self.buffers.iova().0 + at).encode();
            self.ring.push(&descriptor).map_err(|error| self.guard.broken(error))?;
            sent += 1;
        }
        if let Some(index) = self.ring.news() {
            self.guard.bell.ring(index)?;
        }
        Ok(sent)
    }

    /// Takes back buffers that the device does not need any more; how many.
    ///
    /// # Errors
    /// [`Error::Stale`] after a reset; [`Error::Ring`] and [`Error::Nonsense`] if the device breaks the protocol.
    pub fn reclaim(&mut self, mut each: impl FnMut(TxDone)) -> Result<usize, Error> {
        self.guard.fresh()?;
        let mut taken = 0;
        while let Some((index, bytes)) = self.ring.take().map_err(|error| self.guard.broken(error))? {
            let done = desc::Transmit::decode(&bytes);
            let status = TransmitStatus::from_code(done.status);
            let status = status.ok_or(Error::Nonsense { what: "the status of a frame", value: done.status.into() })?;
            each(TxDone { index, status, seq: done.seq });
            taken += 1;
        }
        Ok(taken)
    }

    /// Waits until all frames have been taken, at most so long; false if some have not.
    ///
    /// # Errors
    /// As [`Tx::reclaim`]; [`Error::WasReset`], [`Error::RingStopped`] and [`Error::Gone`] if that is why nothing comes
    /// back.
    pub fn flush(&mut self, time: Duration, mut each: impl FnMut(TxDone)) -> Result<bool, Error> {
        let wait = Wait::of(time);
        let mut number = 0;
        loop {
            let taken = self.reclaim(&mut each)?;
            if self.ring.outstanding() == 0 {
                return Ok(true);
            }
            if taken > 0 {
                number = 0;
            }
            self.guard.device.transport().kick()?;
            if self.ring.ready().map_err(|error| self.guard.broken(error))? {
                continue;
            }
            let left = wait.left();
            if left.is_zero() {
                return Ok(false);
            }
            if !nap(self.guard.interrupt.as_deref(), number, left)? {
                self.guard.device.inner.watch.check(&[self.guard.ring])?;
            }
            number += 1;
        }
    }

    /// Frames that can be sent now; [`Tx::reclaim`] makes room.
    pub fn room(&self) -> usize {
        self.ring.room() as usize
    }

    /// Number of the next frame ([`TxDone::index`]).
    pub fn next_index(&self) -> u32 {
        self.ring.head()
    }
}

/// The descriptor of a frame whose bytes lie at `buffer`.
fn descriptor(frame: &TxFrame<'_>, buffer: u64) -> desc::Transmit {
    let plain =
        desc::Transmit { buffer, bytes: frame.bytes.len() as u32, port: frame.port, ..desc::Transmit::default() };
    let Some(inject) = frame.inject else { return plain };
    let flag = |on: bool, flag| if on { flag } else { 0 };
    let (rx_queue, ingress_ifindex) = inject.queue.unwrap_or_default();
    desc::Transmit {
        flags: TransmitFlag::INJECT
            | flag(inject.at.is_some(), TransmitFlag::STAMPED)
            | flag(inject.vcpu.is_some(), TransmitFlag::VCPU)
            | flag(inject.alone, TransmitFlag::ALONE)
            | flag(inject.queue.is_some(), TransmitFlag::QUEUE),
        cycle: inject.at.unwrap_or_default(),
        vcpu: inject.vcpu.unwrap_or_default(),
        rx_queue,
        ingress_ifindex,
        ..plain
    }
}
