//! Events by the cycle at which they are due.

use std::collections::BTreeMap;

/// Cycles ahead that have a slot of their own; what is further away waits in a tree.
const SLOTS: u64 = 256;

/// A calendar queue. Cycles are taken in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Calendar<T> {
    slots: Vec<Vec<T>>,
    /// One bit a slot that holds something.
    used: [u64; 4],
    /// No event is due before this cycle.
    start: u64,
    beyond: BTreeMap<u64, Vec<T>>,
}

impl<T> Calendar<T> {
    pub(crate) fn new() -> Self {
        Calendar { slots: (0..SLOTS).map(|_| Vec::new()).collect(), used: [0; 4], start: 0, beyond: BTreeMap::new() }
    }

    /// Adds an event at `cycle`, which lies after the cycle taken last.
    #[inline]
    pub(crate) fn push(&mut self, cycle: u64, event: T) {
        debug_assert!(cycle >= self.start, "an event in the past");
        if cycle - self.start < SLOTS {
            let slot = cycle % SLOTS;
            self.used[(slot / 64) as usize] |= 1 << (slot % 64);
            self.slots[slot as usize].push(event);
        } else {
            self.beyond.entry(cycle).or_default().push(event);
        }
    }

    /// The cycle of the next event.
    pub(crate) fn next(&self) -> Option<u64> {
        let near = self.next_near();
        match self.beyond.first_key_value() {
            None => near,
            Some((&cycle, _)) => Some(near.map_or(cycle, |near| near.min(cycle))),
        }
    }

    fn next_near(&self) -> Option<u64> {
        let first = self.start % SLOTS;
        let (word, bit) = ((first / 64) as usize, first % 64);
        for step in 0..=4 {
            let at = (word + step) % 4;
            let mut bits = self.used[at];
            if step == 0 {
                bits &= u64::MAX << bit;
            } else if step == 4 {
                bits &= !(u64::MAX << bit);
            }
            if bits != 0 {
                let slot = at as u64 * 64 + u64::from(bits.trailing_zeros());
                return Some(self.start + (slot + SLOTS - first) % SLOTS);
            }
        }
        None
    }

    /// True if there is an event at `cycle`, which is the next one or lies before it.
    #[inline(always)]
    pub(crate) fn is_due(&self, cycle: u64) -> bool {
        let slot = cycle % SLOTS;
        let near = self.used[(slot / 64) as usize] & 1 << (slot % 64) != 0 && cycle - self.start < SLOTS;
        near || (!self.beyond.is_empty() && self.beyond.contains_key(&cycle))
    }

    /// Moves the events of `cycle` to `into`, which is empty, in the order in which they were added. Nothing earlier may be left.
    #[inline]
    pub(crate) fn take(&mut self, cycle: u64, into: &mut Vec<T>) {
        debug_assert!(into.is_empty());
        let slot = cycle % SLOTS;
        let (word, bit) = ((slot / 64) as usize, 1u64 << (slot % 64));
        let near = self.used[word] & bit != 0 && cycle - self.start < SLOTS;
        if !self.beyond.is_empty()
            && let Some(mut far) = self.beyond.remove(&cycle)
        {
            into.append(&mut far);
        }
        if near {
            self.used[word] &= !bit;
            let slot = &mut self.slots[slot as usize];
            if into.is_empty() {
                std::mem::swap(into, slot);
            } else {
                into.append(slot);
            }
        }
        self.start = cycle + 1;
    }

    /// Tells that no event before `cycle` will be added; there is none left either.
    #[inline(always)]
    pub(crate) fn advance(&mut self, cycle: u64) {
        self.start = cycle;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used == [0; 4] && self.beyond.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_in_cycle_order_whatever_their_distance() {
        let mut calendar = Calendar::new();
        for cycle in [3u64, 700, 5, 255, 256, 700, 64, 10_000] {
            calendar.push(cycle, cycle);
        }
        let mut seen = Vec::new();
        let mut events = Vec::new();
        while let Some(cycle) = calendar.next() {
            calendar.take(cycle, &mut events);
            assert!(events.iter().all(|&event| event == cycle));
            seen.append(&mut events);
            if cycle == 5 {
                calendar.push(6, 6);
                calendar.push(261, 261);
            }
        }
        assert_eq!(seen, [3, 5, 6, 64, 255, 256, 261, 700, 700, 10_000]);
        assert!(calendar.is_empty());
    }
}
