//! What an engine's contexts wait for: the pipe, the ready queue, and all else at known cycles. Cycle and item share a 64-bit
//! number, so little memory is touched; cycles have 48 bits (see `Device::offer`).

/// Most items: each context of an engine is in one place at a time.
const CAPACITY: usize = 64;

/// Cycles that the device can be at: below 2^48.
pub(crate) const CYCLES: u64 = 1 << 48;

/// A queue of items that leave at ascending cycles, the pipe above all.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    head: u8,
    tail: u8,
    items: [u64; CAPACITY],
}

/// An item that never leaves.
const NEVER: u64 = u64::MAX;

/// Cycle and item of an entry of a queue.
#[inline(always)]
pub(crate) fn split(entry: u64) -> (u64, u16) {
    (entry >> 16, entry as u16)
}

/// An entry of a queue.
#[inline(always)]
pub(crate) fn join(at: u64, item: u16) -> u64 {
    at << 16 | u64::from(item)
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue { head: 0, tail: 0, items: [NEVER; CAPACITY] }
    }

    /// Items.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.tail.wrapping_sub(self.head))
    }

    /// The n-th item with its cycle, to be split by [`split`].
    #[inline(always)]
    pub(crate) fn get(&self, n: usize) -> u64 {
        self.items[(usize::from(self.head) + n) % CAPACITY]
    }

    /// Replaces the n-th item.
    #[inline(always)]
    pub(crate) fn set(&mut self, n: usize, item: u64) {
        self.items[(usize::from(self.head) + n) % CAPACITY] = item;
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.items[usize::from(self.head) % CAPACITY] == NEVER
    }

    /// When the first item leaves; never, if there is none.
    #[inline(always)]
    pub(crate) fn due(&self) -> u64 {
        let first = self.items[usize::from(self.head) % CAPACITY];
        if first == NEVER { u64::MAX } else { first >> 16 }
    }

    /// The first item, whatever if there is none.
    #[inline(always)]
    pub(crate) fn first(&self) -> u16 {
        self.items[usize::from(self.head) % CAPACITY] as u16
    }

    /// Takes the first item, which is there.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> u16 {
        let place = &mut self.items[usize::from(self.head) % CAPACITY];
        self.head = self.head.wrapping_add(1);
        std::mem::replace(place, NEVER) as u16
    }

    /// Adds an item that leaves at `at`, not before those that are here.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: u64, item: u16) {
        let place = &mut self.items[usize::from(self.tail) % CAPACITY];
        debug_assert!(*place == NEVER, "queue overflow");
        *place = join(at, item);
        self.tail = self.tail.wrapping_add(1);
    }
}

/// Items that come up at any cycles. Those of one cycle come up by kind, those of one kind in the order in which they were added.
#[derive(Clone, Debug)]
pub(crate) struct Agenda {
    head: u8,
    len: u8,
    /// Cycle and kind.
    keys: [u64; CAPACITY],
    items: [u32; CAPACITY],
}

impl Agenda {
    pub(crate) fn new() -> Self {
        Agenda { head: 0, len: 0, keys: [NEVER; CAPACITY], items: [0; CAPACITY] }
    }

    /// When the first item comes up; never, if there is none.
    #[inline(always)]
    pub(crate) fn due(&self) -> u64 {
        if self.len == 0 { u64::MAX } else { self.keys[usize::from(self.head) % CAPACITY] >> 8 }
    }

    /// Takes the first item if it comes up at `cycle` or before: its kind and itself.
    #[inline(always)]
    pub(crate) fn pop(&mut self, cycle: u64) -> Option<(u8, u32)> {
        if self.due() > cycle {
            return None;
        }
        let head = usize::from(self.head) % CAPACITY;
        self.head = self.head.wrapping_add(1);
        self.len -= 1;
        Some((self.keys[head] as u8, self.items[head]))
    }

    /// Adds an item.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: u64, kind: u8, item: u32) {
        debug_assert!(usize::from(self.len) < CAPACITY, "agenda overflow");
        let key = at << 8 | u64::from(kind);
        let place = |index: u8| usize::from(self.head.wrapping_add(index)) % CAPACITY;
        let mut index = self.len;
        // Nearly always it is the last one.
        while index > 0 && self.keys[place(index - 1)] > key {
            self.keys[place(index)] = self.keys[place(index - 1)];
            self.items[place(index)] = self.items[place(index - 1)];
            index -= 1;
        }
        self.keys[place(index)] = key;
        self.items[place(index)] = item;
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agenda_sorts_by_cycle_kind_and_age() {
        let mut agenda = Agenda::new();
        let mut state = 1u64;
        let mut model: Vec<(u64, u8, u32)> = Vec::new();
        for item in 0..5000u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let now = u64::from(item);
            if model.len() < CAPACITY {
                let (at, kind) = (now + (state >> 40) % 40, (state >> 60) as u8 % 3);
                agenda.push(at, kind, item);
                let after = model.iter().position(|other| (other.0, other.1) > (at, kind)).unwrap_or(model.len());
                model.insert(after, (at, kind, item));
            }
            assert_eq!(agenda.due(), model.first().map_or(u64::MAX, |first| first.0));
            while let Some((kind, item)) = agenda.pop(now) {
                let first = model.remove(0);
                assert_eq!((kind, item), (first.1, first.2));
                assert!(first.0 <= now);
            }
        }
    }

    #[test]
    fn a_queue_is_a_queue() {
        let mut queue = Queue::new();
        for round in 0..300u64 {
            assert_eq!((queue.is_empty(), queue.due()), (true, u64::MAX));
            for item in 0..round % 65 {
                queue.push(round + item, item as u16);
            }
            for item in 0..round % 65 {
                assert_eq!((queue.due(), queue.first(), queue.is_empty()), (round + item, item as u16, false));
                assert_eq!(queue.pop(), item as u16);
            }
        }
    }
}
