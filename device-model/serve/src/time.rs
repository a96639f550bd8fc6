//! Cycles, nanoseconds, and how close frames follow each other.

use crate::nic::Rates;

/// A cycle that lies `ns` after cycle `base`.
pub(crate) fn cycle_after(base: u64, ns: u64, rates: Rates) -> u64 {
    let cycles = u128::from(ns) * u128::from(rates.clock_mhz) / 1000;
    u64::try_from(cycles).ok().and_then(|cycles| base.checked_add(cycles)).unwrap_or(u64::MAX)
}

/// Nanoseconds from cycle `base` to `cycle`.
pub(crate) fn ns_since(base: u64, cycle: u64, rates: Rates) -> u64 {
    let ns = u128::from(cycle.saturating_sub(base)) * 1000 / u128::from(rates.clock_mhz.max(1));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// When the frames of one port can follow each other: the wire carries one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spacing {
    /// End of the last frame, in bits at the port's rate since cycle 0, times MHz.
    end: u128,
}

/// Bytes of preamble, start, check sequence and gap around a frame.
const AROUND: u64 = 24;
/// Least bytes of a frame on the wire, without its check sequence.
const LEAST: u64 = 60;

impl Spacing {
    /// The first cycle in which the wire is free.
    pub(crate) fn ready(&self, rates: Rates) -> u64 {
        u64::try_from(self.end / (u128::from(rates.port_gbps.max(1)) * 1000)).unwrap_or(u64::MAX)
    }

    /// The cycle in which a frame of `len` bytes has arrived that may not arrive before `earliest`.
    pub(crate) fn next(&mut self, earliest: u64, len: usize, rates: Rates) -> u64 {
        // A cycle carries so many units, a bit takes clock_mhz of them.
        let cycle = u128::from(rates.port_gbps.max(1)) * 1000;
        let frame = u128::from((len as u64).max(LEAST) + AROUND) * 8 * u128::from(rates.clock_mhz);
        let start = self.end.max(u128::from(earliest) * cycle);
        self.end = start + frame;
        u64::try_from(start / cycle).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { clock_mhz: 250, port_gbps: 100 };

    #[test]
    fn frames_follow_each_other_at_the_ports_rate() {
        let mut spacing = Spacing::default();
        // 84 B at 100 Gbit/s are 6.72 ns, 1.68 cycles.
        let cycles: Vec<u64> = (0..26).map(|_| spacing.next(1000, 60, RATES)).collect();
        assert_eq!(cycles[..4], [1000, 1001, 1003, 1005]);
        assert_eq!((cycles[25], spacing.ready(RATES)), (1042, 1043));
        assert_eq!(spacing.next(5000, 60, RATES), 5000, "a quiet wire keeps nothing back");
    }

    #[test]
    fn cycles_and_nanoseconds_go_over_into_each_other() {
        for ns in [0, 4, 1000, 1_000_000_000, 86_400_000_000_000] {
            assert_eq!(ns_since(7, cycle_after(7, ns, RATES), RATES), ns);
        }
        assert_eq!(cycle_after(1, u64::MAX, Rates { clock_mhz: 4000, port_gbps: 1 }), u64::MAX);
    }
}
