//! Which elements of a map are free: the one freed last is taken first, then those that were never taken.

/// Free elements, and how many keys there are.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    max_entries: u32,
    /// Keys in the index.
    used: u32,
    /// New keys whose value is being written.
    inserting: u32,
    /// Elements from here on were never taken.
    fresh: u32,
    /// Elements there are: entries and spares.
    count: u32,
    free: Vec<u32>,
}

impl Pool {
    /// `count` free elements for `max_entries` keys.
    pub(crate) fn new(max_entries: u32, count: u32) -> Self {
        Pool { max_entries, used: 0, inserting: 0, fresh: 0, count, free: Vec::new() }
    }

    /// True if there are, or soon will be, as many keys as there may.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        u64::from(self.used) + u64::from(self.inserting) >= u64::from(self.max_entries)
    }

    /// Takes an element for the value of an update; `None` if it is for a new key and the map is full.
    pub(crate) fn take(&mut self, new: bool) -> Option<u32> {
        if new && self.is_full() {
            return None;
        }
        let element = match self.free.pop() {
            Some(element) => element,
            None if self.fresh < self.count => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        self.inserting += u32::from(new);
        Some(element)
    }

    /// An element that was taken is in the index now, in the place of `old`. `new`: as it was taken for.
    pub(crate) fn settle(&mut self, old: Option<u32>, new: bool) {
        self.inserting = self.inserting.saturating_sub(u32::from(new));
        match old {
            Some(old) => self.free.push(old),
            // Also if the key that was to be replaced has been deleted since.
            None => self.used += 1,
        }
    }

    /// The element of a key that is gone.
    pub(crate) fn give(&mut self, element: u32) {
        self.free.push(element);
        self.used = self.used.saturating_sub(1);
    }
}
