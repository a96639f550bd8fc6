//! Ports and what is in flight between them.

use std::collections::VecDeque;

use offwire_hostif::PortFlag;

/// Counters of a port, in the order of `PORT_COUNTERS`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PortCounters {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) rx_dropped: u64,
    pub(crate) tx_dropped: u64,
    pub(crate) verdicts: Verdicts,
}

/// How packets ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) aborted: u64,
    pub(crate) dropped: u64,
    pub(crate) passed: u64,
    pub(crate) transmitted: u64,
    pub(crate) redirected: u64,
    pub(crate) other: u64,
    pub(crate) faults: u64,
}

impl Verdicts {
    /// Counts a return value, and a fault.
    #[inline]
    pub(crate) fn count(&mut self, retval: u32, fault: bool) {
        let counter = match retval {
            crate::verdict::ABORTED => &mut self.aborted,
            crate::verdict::DROP => &mut self.dropped,
            crate::verdict::PASS => &mut self.passed,
            crate::verdict::TX => &mut self.transmitted,
            crate::verdict::REDIRECT => &mut self.redirected,
            _ => &mut self.other,
        };
        *counter += 1;
        self.faults += u64::from(fault);
    }
}

/// A port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    /// [`PortFlag`] bits.
    pub(crate) flags: u16,
    /// What programs see.
    pub(crate) ifindex: u32,
    /// Cycle of the last attach, detach or swap.
    pub(crate) since: u64,
    pub(crate) counters: PortCounters,
}

impl Port {
    /// As after power on.
    pub(crate) fn new(number: u16) -> Self {
        let ifindex = u32::from(number) + 1;
        Port { flags: PortFlag::UP, ifindex, since: 0, counters: PortCounters::default() }
    }

    pub(crate) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// What is known of a packet that was offered and has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    /// Hash of the flow, as it came.
    pub(crate) hash: u32,
    /// Queue pair on which it was injected.
    pub(crate) pair: Option<u8>,
}

/// Packets that were offered and have not left, by their numbers, which ascend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights {
    /// Number of the first entry.
    first: u64,
    entries: VecDeque<Option<Flight>>,
    /// Entries that are still there.
    count: usize,
}

impl Flights {
    /// A packet was offered; its number is higher than all before.
    #[inline]
    pub(crate) fn add(&mut self, seq: u64, flight: Flight) {
        if self.entries.is_empty() {
            self.first = seq;
        }
        self.entries.push_back(Some(flight));
        self.count += 1;
    }

    /// A packet has left or was dropped.
    #[inline]
    pub(crate) fn take(&mut self, seq: u64) -> Option<Flight> {
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        let flight = self.entries.get_mut(at)?.take()?;
        self.count -= 1;
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        Some(flight)
    }

    /// Packets in flight.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The number that the next packet must at least have.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// True if no packet with a number below `seq` is in flight.
    pub(crate) fn passed(&self, seq: u64) -> bool {
        self.entries.is_empty() || self.first >= seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_in_any_order() {
        let mut flights = Flights::default();
        let flight = |hash| Flight { hash, pair: None };
        for seq in 7..12 {
            flights.add(seq, flight(seq as u32));
        }
        assert_eq!(flights.take(9), Some(flight(9)));
        assert_eq!(flights.take(9), None, "it has left");
        assert_eq!((flights.take(6), flights.take(12), flights.len()), (None, None, 4));
        assert!(flights.passed(7) && !flights.passed(8));
        assert_eq!(flights.take(7), Some(flight(7)));
        assert_eq!(flights.take(8), Some(flight(8)));
        assert!(flights.passed(10) && !flights.passed(11));
        assert_eq!((flights.take(10), flights.take(11), flights.len()), (Some(flight(10)), Some(flight(11)), 0));
        assert!(flights.passed(100));
        flights.add(30, flight(1));
        assert_eq!((flights.next(), flights.take(30)), (31, Some(flight(1))));
    }
}
