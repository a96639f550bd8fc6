//! Which elements of a map are free, and which is taken next. Programs can tell: a pointer to what was replaced or deleted still
//! names its element.

use std::collections::VecDeque;

/// What becomes of elements that are free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// The one freed last is taken first (kernel/bpf/memalloc.c).
    Last,
    /// The same for keys that were deleted; what was replaced waits for the next replacement (`extra_elems` of
    /// kernel/bpf/hashtab.c, preallocated maps).
    Apart,
    /// The one freed first is taken first, and those that were never taken before it: the kernel frees a trie's nodes when all
    /// programs that may know them are gone.
    First,
}

/// Free elements, and how many keys there are.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    reuse: Reuse,
    max_entries: u32,
    /// Keys in the index.
    used: u32,
    /// New keys whose value is being written.
    inserting: u32,
    /// Elements from here on were never taken.
    fresh: u32,
    /// Elements there are: entries and spares.
    count: u32,
    free: VecDeque<u32>,
    /// Elements of replaced keys that wait for the next replacement.
    replaced: Vec<u32>,
}

impl Pool {
    /// `count` free elements for `max_entries` keys.
    pub(crate) fn new(max_entries: u32, count: u32, reuse: Reuse) -> Self {
        Pool { reuse, max_entries, used: 0, inserting: 0, fresh: 0, count, free: VecDeque::new(), replaced: Vec::new() }
    }

    /// True if there are, or soon will be, as many keys as there may.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        u64::from(self.used) + u64::from(self.inserting) >= u64::from(self.max_entries)
    }

    /// An element that was never taken.
    fn fresh(&mut self) -> Option<u32> {
        let fresh = self.fresh;
        self.fresh += u32::from(fresh < self.count);
        (fresh < self.count).then_some(fresh)
    }

    /// Takes an element for the value of an update; `None` if it is for a new key and the map is full.
    pub(crate) fn take(&mut self, new: bool) -> Option<u32> {
        if new && self.is_full() {
            return None;
        }
        let element = match self.reuse {
            Reuse::Apart if !new => self.replaced.pop().or_else(|| self.fresh()),
            Reuse::First => self.fresh(),
            Reuse::Last | Reuse::Apart => self.free.pop_back().or_else(|| self.fresh()),
        };
        let element = element.or_else(|| self.free.pop_front()).or_else(|| self.replaced.pop())?;
        self.inserting += u32::from(new);
        Some(element)
    }

    /// An element that was taken is in the index now, in the place of `old`. `new`: as it was taken for.
    pub(crate) fn settle(&mut self, old: Option<u32>, new: bool) {
        self.inserting = self.inserting.saturating_sub(u32::from(new));
        match old {
            Some(old) if self.reuse == Reuse::Apart => self.replaced.push(old),
            Some(old) => self.free.push_back(old),
            // Also if the key that was to be replaced has been deleted since.
            None => self.used += 1,
        }
    }

    /// An element that was taken is not needed after all.
    pub(crate) fn abandon(&mut self, element: u32, new: bool) {
        self.inserting = self.inserting.saturating_sub(u32::from(new));
        self.free.push_back(element);
    }

    /// The element of a key that is gone.
    pub(crate) fn give(&mut self, element: u32) {
        self.free.push_back(element);
        self.used = self.used.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_waits_for_the_next_replacement() {
        for (reuse, after_replace, after_delete) in [(Reuse::Apart, 2, 0), (Reuse::Last, 0, 2), (Reuse::First, 2, 3)] {
            let mut pool = Pool::new(3, 5, reuse);
            assert_eq!((pool.take(true), pool.take(false)), (Some(0), Some(1)));
            // Element 0 was the key's, 1 is.
            pool.settle(None, true);
            pool.settle(Some(0), false);
            assert_eq!(pool.take(true), Some(after_replace), "{reuse:?}");
            pool.settle(None, true);
            pool.give(after_replace);
            let next = pool.take(false);
            assert_eq!(next, Some(if reuse == Reuse::Last { after_replace } else { after_delete }), "{reuse:?}");
        }
    }

    #[test]
    fn a_full_map_gives_nothing_to_new_keys_and_all_to_old_ones() {
        for reuse in [Reuse::Last, Reuse::Apart, Reuse::First] {
            let mut pool = Pool::new(2, 4, reuse);
            let mut keys: Vec<u32> = (0..2).map(|_| pool.take(true).unwrap()).collect();
            assert!(pool.is_full() && pool.take(true).is_none());
            keys.iter().for_each(|_| pool.settle(None, true));
            for step in 0..50 {
                // Two updates on their way at the same time.
                let new = [pool.take(false).unwrap(), pool.take(false).unwrap()];
                assert!(new[0] != new[1] && new.iter().all(|new| !keys.contains(new)), "{reuse:?}, step {step}");
                for (key, new) in keys.iter_mut().zip(new) {
                    pool.settle(Some(std::mem::replace(key, new)), false);
                }
                assert!(pool.take(true).is_none());
            }
            pool.give(keys[0]);
            assert!(pool.take(true).is_some());
        }
    }
}
