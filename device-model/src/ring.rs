//! A FIFO of fixed capacity whose items leave at known cycles.

/// Most items.
const CAPACITY: usize = 64;
/// When an item leaves that is not there.
const NEVER: u64 = u64::MAX;

/// A ring of items with the cycle at which each leaves, at most 64. Cycles and items are apart so that few cache lines are
/// touched; places without an item never leave, so that the first place tells when the ring has something.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    head: u8,
    tail: u8,
    /// Places in use: the next power of two of what was asked for, less one.
    mask: u8,
    at: [u64; CAPACITY],
    items: [T; CAPACITY],
}

impl<T: Copy + Default> Ring<T> {
    pub(crate) fn new(capacity: u32) -> Self {
        let places = capacity.next_power_of_two().min(CAPACITY as u32);
        Ring { head: 0, tail: 0, mask: (places - 1) as u8, at: [NEVER; CAPACITY], items: [T::default(); CAPACITY] }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.due() == NEVER
    }

    /// When the first item leaves; never, if there is none.
    #[inline(always)]
    pub(crate) fn due(&self) -> u64 {
        self.at[usize::from(self.head) % CAPACITY]
    }

    /// The first item, if there is one.
    #[inline(always)]
    pub(crate) fn first(&self) -> T {
        self.items[usize::from(self.head) % CAPACITY]
    }

    /// Takes the first item if it leaves at `cycle` or before.
    #[inline(always)]
    pub(crate) fn pop(&mut self, cycle: u64) -> Option<T> {
        let head = usize::from(self.head) % CAPACITY;
        if self.at[head] > cycle {
            return None;
        }
        self.at[head] = NEVER;
        self.head = (self.head + 1) & self.mask;
        Some(self.items[head])
    }

    /// Adds an item that leaves at `at`, not before those that are here. Each context is in at most one ring of its engine, so rings
    /// never overflow.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: u64, item: T) {
        let place = usize::from(self.tail) % CAPACITY;
        debug_assert!(self.at[place] == NEVER, "ring overflow");
        self.at[place] = at;
        self.items[place] = item;
        self.tail = (self.tail + 1) & self.mask;
    }
}
