//! The receive side.

use super::{QueueOptions, Report};
use crate::device::{RingGuard, RingSetup, Wait, nap};
use crate::dma::DmaBuf;
use crate::error::Error;
use crate::program::ProgramId;
use crate::ring::{DESCRIPTOR, Entries, Producer, Return};
use offwire_hostif::{DmaAccess, HostMemory, ReceiveStatus, desc, reg};
use std::sync::Arc;
use std::time::Duration;

/// A received packet.
#[derive(Clone, Copy, Debug)]
pub struct RxPacket<'a> {
    /// Port at which it came in.
    pub port: u16,
    /// Return value of the program, `XDP_PASS` without one.
    pub verdict: u32,
    /// The program that ran.
    pub program: Option<ProgramId>,
    /// Whether it is here at all: with another status than [`ReceiveStatus::Ok`] there are no bytes.
    pub status: ReceiveStatus,
    /// Hash of the flow.
    pub flow_hash: u32,
    /// Number of the packet since reset.
    pub seq: u64,
    /// Device cycle of departure.
    pub cycle: u64,
    /// How it went through the device, if it was asked for or the port captures.
    pub report: Option<Report>,
    /// Metadata before the frame.
    pub meta: &'a [u8],
    /// The frame.
    pub frame: &'a [u8],
}

/// The receive ring of a queue pair.
pub struct Rx {
    guard: RingGuard,
    ring: Producer<Arc<DmaBuf>>,
    buffers: DmaBuf,
    entries: Entries,
    stride: u64,
    /// The packet that is looked at.
    copy: Vec<u8>,
}

impl Rx {
    pub(super) fn open(guard: RingGuard, options: &QueueOptions) -> Result<Self, Error> {
        let inner = &guard.device.inner;
        let (entries, stride) = (options.receive_entries, options.stride());
        let allocate = |name, size, access| inner.options.allocate(&inner.space, name, size, access);
        let memory = Arc::new(allocate("offwire receive ring", entries.bytes(), DmaAccess::ReadWrite)?);
        let size = stride * u64::from(entries.count());
        let buffers = allocate("offwire receive buffers", size, DmaAccess::Write)?;
        let setup = RingSetup {
            report: options.report,
            moderation: options.moderation,
            ..RingSetup::new(memory.iova(), entries)
        };
        let ring = Producer::new(memory, entries, Return::InPlace).map_err(|error| guard.broken(error))?;
        inner.enable(guard.ring, &setup)?;
        let mut rx = Rx { guard, ring, buffers, entries, stride, copy: vec![0; stride as usize] };
        for _ in 0..entries.count() {
            rx.post()?;
        }
        if let Some(index) = rx.ring.news() {
            rx.guard.bell.announce(index)?;
        }
        Ok(rx)
    }

    /// Hands the next buffer to the device.
    fn post(&mut self) -> Result<(), Error> {
        let (buffer, buffer_bytes) = self.buffer(self.ring.head());
        let descriptor = desc::Receive { buffer, buffer_bytes, ..desc::Receive::default() };
        self.ring.push(&descriptor.encode()).map(drop).map_err(|error| self.guard.broken(error))
    }

    /// Where the descriptor with this index has its buffer, and its bytes.
    fn buffer(&self, index: u32) -> (u64, u32) {
        (self.buffers.iova().0 + self.offset(index), self.stride as u32)
    }

    fn offset(&self, index: u32) -> u64 {
        u64::from(index & (self.entries.count() - 1)) * self.stride
    }

    /// Takes at most `most` packets; how many there were. The device is told once.
    ///
    /// # Errors
    /// [`Error::Stale`] after a reset; [`Error::Ring`] and [`Error::Nonsense`] if the device breaks the protocol.
    pub fn receive_burst(&mut self, most: usize, mut each: impl FnMut(RxPacket<'_>)) -> Result<usize, Error> {
        self.guard.fresh()?;
        let mut taken = 0;
        let mut result = Ok(());
        while taken < most && result.is_ok() {
            let (index, bytes) = match self.ring.take() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => return Err(self.guard.broken(error)),
            };
            result = self.packet(index, &bytes).map(&mut each).and_then(|()| self.post());
            taken += 1;
        }
        if let Some(index) = self.ring.news() {
            self.guard.bell.tell(index)?;
        }
        result.map(|()| taken)
    }

    /// Copies a packet out.
    fn packet(&mut self, index: u32, bytes: &[u8; DESCRIPTOR]) -> Result<RxPacket<'_>, Error> {
        let packet = desc::Receive::decode(bytes);
        let nonsense = |what, value: u64| Err(Error::Nonsense { what, value });
        if (packet.buffer, packet.buffer_bytes) != self.buffer(index) {
            return nonsense("a receive buffer", packet.buffer);
        }
        let Some(status) = ReceiveStatus::from_code(packet.status) else {
            return nonsense("the status of a packet", packet.status.into());
        };
        let report_bytes = packet.report_bytes as usize;
        if report_bytes != 0 && report_bytes != desc::ReceiveReport::BYTES {
            return nonsense("the size of a report", packet.report_bytes.into());
        }
        let meta_end = report_bytes + usize::from(packet.meta_bytes);
        // 64 bits hold the sum of two numbers of 32 bits.
        let size = if status == ReceiveStatus::Ok { meta_end as u64 + u64::from(packet.packet_bytes) } else { 0 };
        let from = self.offset(index);
        let buffers = &self.buffers;
        let copied = usize::try_from(size).ok().and_then(|size| self.copy.get_mut(..size));
        let copied = copied.and_then(|copy| buffers.read(from, copy).then_some(&*copy));
        let Some(copy) = copied else { return nonsense("the size of a packet", size) };
        let report = match copy.first_chunk() {
            Some(record) if report_bytes > 0 => Some(Report::decode(record)?),
            _ => None,
        };
        let (meta, frame) = copy.get(report_bytes..).unwrap_or_default().split_at(match status {
            ReceiveStatus::Ok => packet.meta_bytes.into(),
            _ => 0,
        });
        Ok(RxPacket {
            port: packet.port,
            verdict: packet.retval,
            program: (packet.program != u16::MAX).then_some(ProgramId(packet.program)),
            status,
            flow_hash: packet.flow_hash,
            seq: packet.seq,
            cycle: packet.cycle,
            report,
            meta,
            frame,
        })
    }

    /// Waits for a packet, at most so long; false if none came.
    ///
    /// # Errors
    /// As [`Rx::receive_burst`]; [`Error::WasReset`], [`Error::RingStopped`] and [`Error::Gone`] if that is why nothing
    /// comes.
    pub fn wait(&mut self, time: Duration) -> Result<bool, Error> {
        let wait = Wait::of(time);
        let mut number = 0;
        loop {
            self.guard.fresh()?;
            if self.ready()? {
                return Ok(true);
            }
            self.guard.device.transport().kick()?;
            if self.ready()? {
                return Ok(true);
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

    /// True if there is a packet.
    ///
    /// # Errors
    /// [`Error::Ring`].
    pub fn ready(&self) -> Result<bool, Error> {
        self.ring.ready().map_err(|error| self.guard.broken(error))
    }

    /// Packets lost since the ring was opened because it had no buffer, as the device counts them (32 bits).
    ///
    /// # Errors
    /// The transport's.
    pub fn lost(&self) -> Result<u32, Error> {
        Ok(self.guard.device.inner.regs.read_ring::<reg::RingLost>(self.guard.ring)?.0)
    }
}
