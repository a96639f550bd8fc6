//! A FIFO of fixed capacity.

/// A ring. Its capacity is the next power of two of what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    items: Box<[T]>,
    head: u32,
    len: u32,
}

impl<T: Copy + Default> Ring<T> {
    pub(crate) fn new(capacity: u32) -> Self {
        Ring { items: vec![T::default(); capacity.next_power_of_two() as usize].into_boxed_slice(), head: 0, len: 0 }
    }

    #[inline(always)]
    fn mask(&self) -> u32 {
        self.items.len() as u32 - 1
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    pub(crate) fn front(&self) -> Option<&T> {
        if self.len == 0 { None } else { self.items.get(self.head as usize) }
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = *self.front()?;
        self.head = (self.head + 1) & self.mask();
        self.len -= 1;
        Some(item)
    }

    /// Adds at the end. Each context is in at most one ring of its engine, so rings never overflow.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) {
        debug_assert!((self.len as usize) < self.items.len(), "ring overflow");
        let at = (self.head + self.len) & self.mask();
        self.items[at as usize] = item;
        self.len += 1;
    }
}
