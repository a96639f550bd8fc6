//! Events: what programs submit and what the device tells by itself.

use crate::device::{Device, RingGuard, RingSetup, Wait, calm, nap, running};
use crate::dma::DmaBuf;
use crate::error::Error;
use crate::map::MapId;
use crate::program::ProgramId;
use crate::ring::Consumer;
use offwire_hostif::{DmaAccess, DropReason, EventKind, HostMemory, RingFault, RingId, desc, reg};
use std::sync::Arc;
use std::time::Duration;

/// Where and when something happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Device cycle.
    pub cycle: u64,
    /// Number of the packet since reset.
    pub seq: u64,
    /// Its port.
    pub port: u16,
    /// The program that ran.
    pub program: Option<ProgramId>,
}

/// An event, with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A record that was submitted to a ring buffer.
    Ringbuf {
        /// Origin.
        origin: Origin,
        /// Map.
        map: MapId,
        /// The record.
        data: Vec<u8>,
    },
    /// `bpf_perf_event_output`.
    Perf {
        /// Origin.
        origin: Origin,
        /// Map.
        map: MapId,
        /// Index in it.
        index: u32,
        /// The record.
        data: Vec<u8>,
        /// Bytes of the packet that were asked for.
        packet: Vec<u8>,
    },
    /// `bpf_trace_printk`.
    Printk {
        /// Origin.
        origin: Origin,
        /// The format, and behind it the texts that it reads.
        format: Vec<u8>,
        /// Its arguments, as registers hold them (chapter ISA: a text's place in `format`).
        arguments: [u64; 3],
    },
    /// A packet was lost outside a program's verdict.
    Drop {
        /// Origin.
        origin: Origin,
        /// Why.
        reason: DropReason,
    },
    /// A fault ended a packet.
    Fault {
        /// Origin.
        origin: Origin,
        /// Fault cause (chapter ISA).
        cause: u16,
        /// Word address.
        address: u64,
    },
    /// A ring has stopped.
    Ring {
        /// Device cycle.
        cycle: u64,
        /// Which.
        ring: RingId,
        /// Why.
        fault: RingFault,
        /// More about it.
        argument: u64,
    },
}

/// The events of a device. There is one reader; it may live in another thread than everything else.
pub struct Events {
    guard: RingGuard,
    ring: Consumer<Arc<DmaBuf>>,
    area: DmaBuf,
    lost: u64,
    taken: u64,
    /// Bytes of data taken since the device was told.
    held: u32,
}

impl Device {
    /// Opens the events. Events from before are not kept by the device.
    ///
    /// # Errors
    /// [`Error::Taken`] while another reader is open.
    pub fn events(&self) -> Result<Events, Error> {
        self.events_with(calm())
    }

    /// As [`Device::events`]; an interrupt only after so many events, or so late after the first.
    ///
    /// # Errors
    /// As [`Device::events`].
    pub fn events_with(&self, moderation: reg::RingModeration) -> Result<Events, Error> {
        let guard = RingGuard::take(self, RingId::EVENT, "the event ring")?;
        let options = &self.inner.options;
        let (entries, bytes) = (options.event_entries, options.event_area);
        let allocate = |name, size| options.allocate(&self.inner.space, name, size, DmaAccess::ReadWrite);
        let memory = Arc::new(allocate("offwire events", entries.bytes())?);
        let area = allocate("offwire event data", bytes.into())?;
        let base = memory.iova();
        let ring = Consumer::new(memory, entries).map_err(|error| guard.broken(error))?;
        let setup = RingSetup { data: Some((area.iova(), bytes)), moderation, ..RingSetup::new(base, entries) };
        self.inner.enable(RingId::EVENT, &setup)?;
        Ok(Events { guard, ring, area, lost: 0, taken: 0, held: 0 })
    }
}

impl Events {
    /// The next event; `None` if there is none now.
    ///
    /// # Errors
    /// [`Error::Stale`] after a reset; [`Error::Ring`] and [`Error::Nonsense`] if the device breaks the protocol; the
    /// reader is of no use afterwards.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        self.guard.fresh()?;
        let Some(bytes) = self.ring.take().map_err(|error| self.guard.broken(error))? else {
            self.acknowledge(1)?;
            return Ok(None);
        };
        let event = desc::Event::decode(&bytes);
        self.lost = self.lost.wrapping_add(event.lost.into());
        self.taken = self.taken.wrapping_add(1);
        let decoded = self.decode(&event);
        // The device may write over the data from now on. It is told in bursts, but before it runs out of room.
        self.held = self.held.saturating_add(event.bytes);
        self.acknowledge(self.batch())?;
        decoded.map(Some)
    }

    /// All events that there are now; how many. The device is told once.
    ///
    /// # Errors
    /// As [`Events::poll`].
    pub fn drain(&mut self, events: &mut Vec<Event>) -> Result<usize, Error> {
        let before = events.len();
        while let Some(event) = self.poll()? {
            events.push(event);
        }
        Ok(events.len() - before)
    }

    /// The next event, waited for at most so long; `None` if none came.
    ///
    /// # Errors
    /// As [`Events::poll`]; [`Error::WasReset`], [`Error::RingStopped`] and [`Error::Gone`] if that is why nothing
    /// comes.
    pub fn wait(&mut self, time: Duration) -> Result<Option<Event>, Error> {
        let wait = Wait::of(time);
        let mut number = 0;
        loop {
            if let Some(event) = self.poll()? {
                return Ok(Some(event));
            }
            self.guard.device.transport().kick()?;
            if let Some(event) = self.poll()? {
                return Ok(Some(event));
            }
            let left = wait.left();
            if left.is_zero() {
                return Ok(None);
            }
            if !nap(self.guard.interrupt.as_deref(), number, left)? {
                self.guard.device.inner.watch.check(&[RingId::EVENT])?;
            }
            number += 1;
        }
    }

    /// Events that were lost because the ring or its data area was full, as far as the events that were read tell.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Events lost since the events were opened, as the device counts them (32 bits).
    ///
    /// # Errors
    /// The transport's; [`Error::RingStopped`].
    pub fn lost_in_device(&self) -> Result<u32, Error> {
        let regs = &self.guard.device.inner.regs;
        running(regs, RingId::EVENT)?;
        Ok(regs.read_ring::<reg::RingLost>(RingId::EVENT)?.0)
    }

    /// Events that were read.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Events after which the device is told.
    fn batch(&self) -> u32 {
        let much = self.held >= self.guard.device.inner.options.event_area / 8;
        if much { 1 } else { self.ring.entries().count() / 8 }
    }

    fn acknowledge(&mut self, batch: u32) -> Result<(), Error> {
        match self.ring.news(batch) {
            Some(index) => {
                self.held = 0;
                self.guard.bell.tell(index).map(drop)
            }
            None => Ok(()),
        }
    }

    fn decode(&self, event: &desc::Event) -> Result<Event, Error> {
        let kind = EventKind::from_code(event.kind).ok_or_else(|| nonsense("a kind of event", event.kind))?;
        let origin = Origin {
            cycle: event.cycle,
            seq: event.seq,
            port: event.port,
            program: (event.program != u16::MAX).then_some(ProgramId(event.program)),
        };
        let map = || crate::device::id(event.map.into(), "a map id").map(MapId);
        match kind {
            EventKind::Ringbuf => Ok(Event::Ringbuf { origin, map: map()?, data: self.data(event)? }),
            EventKind::Perf => {
                let mut data = self.data(event)?;
                let split = data.len().checked_sub(event.packet_bytes as usize);
                let packet = data.split_off(split.ok_or_else(|| nonsense("packet bytes", event.packet_bytes))?);
                Ok(Event::Perf { origin, map: map()?, index: event.index, data, packet })
            }
            EventKind::Printk => printk(origin, event.index, self.data(event)?),
            EventKind::Drop => {
                let reason = DropReason::from_code(event.code);
                Ok(Event::Drop { origin, reason: reason.ok_or_else(|| nonsense("a drop reason", event.code))? })
            }
            EventKind::Fault => Ok(Event::Fault { origin, cause: event.code, address: event.argument }),
            EventKind::Ring => Ok(Event::Ring {
                cycle: event.cycle,
                ring: RingId::new(event.index).ok_or_else(|| nonsense("a ring", event.index))?,
                fault: RingFault::from_code(event.code).ok_or_else(|| nonsense("a ring fault", event.code))?,
                argument: event.argument,
            }),
        }
    }

    /// Copies an event's data out.
    fn data(&self, event: &desc::Event) -> Result<Vec<u8>, Error> {
        let end = u64::from(event.offset) + u64::from(event.bytes);
        // The memory may be larger than what the device was told.
        if !event.offset.is_multiple_of(8) || end > u64::from(self.guard.device.inner.options.event_area) {
            return Err(nonsense("an event's place", event.offset));
        }
        let mut data = vec![0; event.bytes as usize];
        match self.area.read(event.offset.into(), &mut data) {
            true => Ok(data),
            false => Err(nonsense("an event's place", event.offset)),
        }
    }
}

/// The format with its texts, padding to 8 B, three arguments.
fn printk(origin: Origin, format_bytes: u32, mut data: Vec<u8>) -> Result<Event, Error> {
    const ARGUMENTS: usize = 24;
    let length = format_bytes as usize;
    let start = length.next_multiple_of(8);
    if data.len() != start + ARGUMENTS {
        return Err(nonsense("the size of a format", format_bytes));
    }
    let arguments = std::array::from_fn(|number| {
        let at = start + 8 * number;
        u64::from_le_bytes(std::array::from_fn(|byte| data[at + byte]))
    });
    data.truncate(length);
    Ok(Event::Printk { origin, format: data, arguments })
}

fn nonsense(what: &'static str, value: impl Into<u64>) -> Error {
    Error::Nonsense { what, value: value.into() }
}
