//! Rings: registers, indices and phases. Nothing here touches memory; `bus` does.

use offwire_hostif::{RING_LOG2_MAX, RING_LOG2_MIN, RingFault, RingId, phase, reg};

/// Least bytes of the data area of events.
const DATA_BYTES_MIN: u32 = 4096;
/// Vector register: none.
const NO_VECTOR: u32 = 0xffff;

/// What a ring counts since reset; CounterDomain Ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RingCounters {
    /// Descriptors consumed or written.
    pub(crate) entries: u64,
    /// Events or packets for which there was no room.
    pub(crate) lost: u64,
    /// Interrupts asked for.
    pub(crate) interrupts: u64,
    /// Faults that stopped it.
    pub(crate) stops: u64,
}

/// A ring.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(crate) id: RingId,
    // Registers as the host wrote them.
    pub(crate) base: u64,
    pub(crate) data: u64,
    pub(crate) size: u32,
    pub(crate) data_size: u32,
    pub(crate) control: reg::RingControl,
    pub(crate) vector: u32,
    pub(crate) moderation: reg::RingModeration,
    /// It works.
    pub(crate) enabled: bool,
    /// What has stopped it, and the argument.
    pub(crate) fault: Option<(RingFault, u64)>,
    /// First descriptor, as it was when the ring was enabled.
    at: u64,
    /// Binary logarithm of the entries.
    log2: u32,
    /// Data area of events, as it was when the ring was enabled.
    pub(crate) area: u64,
    /// Its bytes.
    pub(crate) area_bytes: u32,
    /// Descriptors consumed or produced since the ring was enabled.
    pub(crate) index: u32,
    /// The doorbell when it was last looked at: how far the host has produced or consumed.
    pub(crate) seen: u32,
    /// Lost since the ring was enabled.
    pub(crate) lost: u32,
    /// Entries of which no interrupt has told.
    pub(crate) unsignalled: u32,
    /// Cycle of the first of them.
    pub(crate) first: u64,
    pub(crate) counters: RingCounters,
}

impl Ring {
    pub(crate) fn new(id: RingId) -> Self {
        Ring {
            id,
            base: 0,
            data: 0,
            size: 0,
            data_size: 0,
            control: reg::RingControl::default(),
            vector: NO_VECTOR,
            moderation: reg::RingModeration::default(),
            enabled: false,
            fault: None,
            at: 0,
            log2: RING_LOG2_MIN,
            area: 0,
            area_bytes: 0,
            index: 0,
            seen: 0,
            lost: 0,
            unsignalled: 0,
            first: 0,
            counters: RingCounters::default(),
        }
    }

    /// Takes base and size; what is wrong with them if the ring cannot be.
    pub(crate) fn enable(&mut self) -> Result<(), (RingFault, u64)> {
        (self.index, self.seen, self.lost, self.unsignalled) = (0, 0, 0, 0);
        self.fault = None;
        let log2 = reg::RingSize(self.size).log2();
        if !(RING_LOG2_MIN..=RING_LOG2_MAX).contains(&log2) {
            return Err((RingFault::BadSize, self.size.into()));
        }
        if !self.base.is_multiple_of(64) || self.base.checked_add((64 << log2) - 1).is_none() {
            return Err((RingFault::BadBase, self.base));
        }
        if self.id == RingId::EVENT {
            if !self.data_size.is_power_of_two() || self.data_size < DATA_BYTES_MIN {
                return Err((RingFault::BadSize, self.data_size.into()));
            }
            if self.data.checked_add(u64::from(self.data_size) - 1).is_none() {
                return Err((RingFault::BadBase, self.data));
            }
        }
        (self.area, self.area_bytes) = (self.data, self.data_size);
        (self.at, self.log2, self.enabled) = (self.base, log2, true);
        Ok(())
    }

    /// The ring stops at the host's wish.
    pub(crate) fn disable(&mut self) {
        self.enabled = false;
        self.fault = None;
        self.unsignalled = 0;
    }

    /// Entries.
    pub(crate) fn entries(&self) -> u32 {
        1 << self.log2
    }

    /// Address of the next descriptor.
    pub(crate) fn address(&self) -> u64 {
        self.at + u64::from(self.index & (self.entries() - 1)) * 64
    }

    /// The phase bit of the next descriptor.
    pub(crate) fn phase(&self) -> u32 {
        phase(self.index, self.log2).into()
    }

    /// Descriptors that the host has announced and the device has not consumed, as far as was seen.
    pub(crate) fn announced(&self) -> u32 {
        self.seen.wrapping_sub(self.index)
    }

    /// Takes a producer's doorbell; false if it is none that can be.
    pub(crate) fn announce(&mut self, doorbell: u32) -> bool {
        let (new, old) = (doorbell.wrapping_sub(self.index), self.announced());
        if new > self.entries() || new < old {
            return false;
        }
        self.seen = doorbell;
        true
    }

    /// Descriptors for which there is room, as far as was seen.
    pub(crate) fn room(&self) -> u32 {
        self.entries() - self.index.wrapping_sub(self.seen)
    }

    /// Takes a consumer's doorbell and gives by how many entries it went on; `None` if it is none that can be.
    pub(crate) fn release(&mut self, doorbell: u32) -> Option<u32> {
        let by = doorbell.wrapping_sub(self.seen);
        if by > self.index.wrapping_sub(self.seen) {
            return None;
        }
        self.seen = doorbell;
        Some(by)
    }

    /// RingState.
    pub(crate) fn state(&self) -> reg::RingState {
        let fault = self.fault.map_or(RingFault::None, |(fault, _)| fault);
        reg::RingState::default()
            .with_enabled(self.enabled)
            .with_stopped(self.fault.is_some())
            .with_fault(fault.code().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(log2: u32) -> Ring {
        let mut ring = Ring { base: 0x1000, size: log2, ..Ring::new(RingId::COMMAND) };
        ring.enable().unwrap();
        ring
    }

    #[test]
    fn sizes_and_bases_have_limits() {
        for size in 0..=0x3f {
            let mut ring = Ring { size, ..Ring::new(RingId::COMMAND) };
            assert_eq!(ring.enable().is_ok(), (1..=16).contains(&(size & 31)), "{size}");
        }
        let enable = |base, size| Ring { base, size, ..Ring::new(RingId::COMMAND) }.enable();
        assert_eq!(enable(0x20, 1), Err((RingFault::BadBase, 0x20)));
        assert_eq!(enable(u64::MAX - 127, 1), Ok(()));
        assert_eq!(enable(u64::MAX - 63, 1), Err((RingFault::BadBase, u64::MAX - 63)));
        let event = |data, data_size| Ring { size: 4, data, data_size, ..Ring::new(RingId::EVENT) }.enable();
        assert_eq!(event(0, 4096), Ok(()));
        assert_eq!(event(u64::MAX - 4095, 4096), Ok(()));
        assert_eq!(event(u64::MAX - 4094, 4096), Err((RingFault::BadBase, u64::MAX - 4094)));
        for size in [0, 2048, 4097, 12288] {
            assert_eq!(event(0, size), Err((RingFault::BadSize, size.into())));
        }
        assert_eq!(event(0, 1 << 31), Ok(()));
    }

    #[test]
    fn producers_can_announce_no_more_than_the_ring_holds() {
        for start in [0, u32::MAX - 5, 0x8000_0000 - 3] {
            let mut ring = ring(3);
            (ring.index, ring.seen) = (start, start);
            assert!(ring.announce(start.wrapping_add(8)));
            assert!(!ring.announce(start.wrapping_add(9)), "{start:#x}");
            assert!(!ring.announce(start.wrapping_add(7)), "{start:#x}: taken back");
            for left in (0..8).rev() {
                ring.index = ring.index.wrapping_add(1);
                assert_eq!(ring.announced(), left);
            }
            assert!(!ring.announce(start) && !ring.announce(start.wrapping_add(7)));
            assert!(ring.announce(start.wrapping_add(16)));
        }
    }

    #[test]
    fn consumers_can_release_no_more_than_there_is() {
        for start in [0, u32::MAX - 5, 0x8000_0000 - 3] {
            let mut ring = ring(3);
            (ring.index, ring.seen) = (start, start);
            assert_eq!(ring.room(), 8);
            ring.index = start.wrapping_add(8);
            assert_eq!(ring.room(), 0);
            assert_eq!(ring.release(start.wrapping_add(9)), None);
            assert_eq!(ring.release(start.wrapping_sub(1)), None);
            assert_eq!(ring.release(start.wrapping_add(3)), Some(3));
            assert_eq!(ring.release(start.wrapping_add(2)), None, "taken back");
            assert_eq!((ring.release(start.wrapping_add(8)), ring.room()), (Some(5), 8));
        }
    }

    #[test]
    fn addresses_and_phases_go_on_beyond_32_bits_of_index() {
        let mut ring = ring(4);
        let walk: Vec<(u64, u32)> = (0..64)
            .map(|by| {
                ring.index = u32::MAX.wrapping_sub(31).wrapping_add(by);
                (ring.address(), ring.phase())
            })
            .collect();
        for (by, (address, phase)) in walk.into_iter().enumerate() {
            assert_eq!(address, 0x1000 + by as u64 % 16 * 64);
            assert_eq!(phase, u32::from(by / 16 % 2 == 0), "{by}");
        }
    }
}
