//! The event ring and its data area.

use std::collections::VecDeque;

use offwire_hostif::{RingId, desc};

use super::bus::Bus;

/// What an event tells beside its data: all fields but those that the writer fills.
pub(crate) type Told = desc::Event;

/// Writes events and keeps account of the data area: data of an event is free when the host has consumed the event.
#[derive(Default)]
pub(crate) struct Events {
    /// Bytes handed out since the ring was enabled, what was left out at the end of the area included.
    head: u64,
    /// `head` after each event that the host has not consumed.
    ends: VecDeque<u64>,
    /// Bytes that are free again, counted as `head`.
    tail: u64,
    /// Events lost since the last one that was written.
    lost: u32,
    /// Lost since reset.
    pub(crate) lost_total: u64,
    /// Asked for since reset.
    pub(crate) total: u64,
}

impl Events {
    /// The ring starts or ends: the area is free.
    pub(crate) fn restart(&mut self) {
        (self.head, self.tail, self.lost) = (0, 0, 0);
        self.ends.clear();
    }

    /// Counters start again.
    pub(crate) fn reset_counters(&mut self) {
        (self.lost_total, self.total, self.lost) = (0, 0, 0);
    }

    /// Writes an event with its data, which lies in parts. Without a ring, or without room, it is lost and counted.
    pub(crate) fn write(&mut self, bus: &mut Bus, told: Told, data: &[&[u8]]) {
        self.total += 1;
        if !self.try_write(bus, told, data) {
            self.lost = self.lost.saturating_add(1);
            self.lost_total += 1;
            if bus.is_enabled(RingId::EVENT) {
                let ring = bus.ring_mut(RingId::EVENT);
                ring.lost = ring.lost.saturating_add(1);
                ring.counters.lost += 1;
            }
        }
    }

    fn try_write(&mut self, bus: &mut Bus, told: Told, data: &[&[u8]]) -> bool {
        let ring = bus.ring(RingId::EVENT);
        let (area, area_bytes) = (ring.area, u64::from(ring.area_bytes));
        let bytes: u64 = data.iter().map(|part| part.len() as u64).sum();
        if !ring.enabled || bytes > area_bytes {
            return false;
        }
        let Some(start) = self.place(bus, bytes, area_bytes) else { return false };
        let offset = start % area_bytes;
        let mut at = area.saturating_add(offset);
        for part in data {
            if let Err(fault) = bus.dma.write(at, part) {
                bus.stop(RingId::EVENT, offwire_hostif::RingFault::DmaFault, fault.0);
                return false;
            }
            at = at.saturating_add(part.len() as u64);
        }
        // Both are below 2^32: the area has at most 2^31 bytes.
        let told = Told { bytes: bytes as u32, offset: offset as u32, lost: self.lost, ..told };
        if !bus.produce(RingId::EVENT, &told.encode()) {
            return false;
        }
        self.lost = 0;
        self.head = (start + bytes).next_multiple_of(8);
        self.ends.push_back(self.head);
        true
    }

    /// Where `bytes` of data start, counted as `head`; `None` if there is no room in ring or area.
    fn place(&mut self, bus: &mut Bus, bytes: u64, area_bytes: u64) -> Option<u64> {
        let rest = area_bytes - self.head % area_bytes;
        // What does not fit behind the last data starts anew at the front.
        let start = if bytes > rest { self.head + rest } else { self.head };
        let fits = |tail: u64| (start + bytes).next_multiple_of(8) - tail <= area_bytes;
        if bus.ring(RingId::EVENT).room() == 0 || !fits(self.tail) {
            let (_, consumed) = bus.look(RingId::EVENT);
            for _ in 0..consumed {
                self.tail = self.ends.pop_front().unwrap_or(self.head);
            }
        }
        if self.ends.is_empty() {
            // All is free; what is left out at the end is too.
            self.tail = start;
        }
        let ring = bus.ring(RingId::EVENT);
        (ring.enabled && ring.room() != 0 && fits(self.tail)).then_some(start)
    }
}
