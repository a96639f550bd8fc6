//! A FIFO of fixed capacity whose items leave at known cycles.

/// Most items.
const CAPACITY: usize = 64;

/// A ring of items with the cycle at which each leaves, at most 64. Cycles and items are apart so that few cache lines are touched.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    at: [u64; CAPACITY],
    items: [T; CAPACITY],
    head: u8,
    len: u8,
    /// Places in use: the next power of two of what was asked for, less one.
    mask: u8,
}

impl<T: Copy + Default> Ring<T> {
    pub(crate) fn new(capacity: u32) -> Self {
        let places = capacity.next_power_of_two().min(CAPACITY as u32);
        Ring { at: [0; CAPACITY], items: [T::default(); CAPACITY], head: 0, len: 0, mask: (places - 1) as u8 }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When the first item leaves; never, if there is none.
    #[inline(always)]
    pub(crate) fn due(&self) -> u64 {
        if self.len == 0 { u64::MAX } else { self.at[usize::from(self.head) % CAPACITY] }
    }

    /// Takes the first item if it leaves at `cycle` or before.
    #[inline(always)]
    pub(crate) fn pop(&mut self, cycle: u64) -> Option<T> {
        if self.due() > cycle || self.len == 0 {
            return None;
        }
        let item = self.items[usize::from(self.head) % CAPACITY];
        self.head = (self.head + 1) & self.mask;
        self.len -= 1;
        Some(item)
    }

    /// Adds an item that leaves at `at`, not before those that are here. Each context is in at most one ring of its engine, so rings
    /// never overflow.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: u64, item: T) {
        debug_assert!(self.len <= self.mask, "ring overflow");
        let place = usize::from((self.head + self.len) & self.mask) % CAPACITY;
        self.at[place] = at;
        self.items[place] = item;
        self.len += 1;
    }
}
