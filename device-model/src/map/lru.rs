//! The order in which an LRU hash map gives its entries away (kernel/bpf/bpf_lru_list.c approximates the same end).
//!
//! Entries stand in the order of their last update. Who needs room looks at the oldest: one that was looked up since it came, or
//! since it was last passed over, gets a second chance and counts as young again; the others are given away. After
//! [`LRU_SCAN`] entries there are no more second chances, so the time is bounded.

/// Entries that get a second chance in one eviction, at most.
pub(crate) const LRU_SCAN: u32 = 16;

/// End of the list. Links hold element + 1.
const END: u32 = 0;

/// The list of an LRU map, by element.
#[derive(Clone, Debug)]
pub(crate) struct Lru {
    /// The next younger and the next older one of each element.
    younger: Vec<u32>,
    older: Vec<u32>,
    referenced: Vec<bool>,
    oldest: u32,
    youngest: u32,
}

impl Lru {
    /// The empty list of a map with so many elements.
    pub(crate) fn new(elements: u32) -> Self {
        let elements = elements as usize;
        Lru {
            younger: vec![END; elements],
            older: vec![END; elements],
            referenced: vec![false; elements],
            oldest: END,
            youngest: END,
        }
    }

    /// A lookup found this element.
    #[inline]
    pub(crate) fn touch(&mut self, element: u32) {
        self.referenced[element as usize] = true;
    }

    /// An element becomes the youngest.
    pub(crate) fn push(&mut self, element: u32) {
        let at = element as usize;
        self.referenced[at] = false;
        self.older[at] = self.youngest;
        self.younger[at] = END;
        match self.youngest {
            END => self.oldest = element + 1,
            other => self.younger[other as usize - 1] = element + 1,
        }
        self.youngest = element + 1;
    }

    /// An element that is in the list leaves it.
    pub(crate) fn remove(&mut self, element: u32) {
        let (younger, older) = (self.younger[element as usize], self.older[element as usize]);
        match older {
            END => self.oldest = younger,
            other => self.younger[other as usize - 1] = younger,
        }
        match younger {
            END => self.youngest = older,
            other => self.older[other as usize - 1] = older,
        }
    }

    /// Chooses the element to give away, and tells how many were looked at; `None` if `kept` forbids all. It stays in the list.
    pub(crate) fn victim(&mut self, kept: impl Fn(u32) -> bool) -> Option<(u32, u32)> {
        let (mut at, mut looked) = (self.oldest, 0);
        while at != END {
            let element = at - 1;
            at = self.younger[element as usize];
            looked += 1;
            if kept(element) {
                continue;
            }
            if !self.referenced[element as usize] || looked > LRU_SCAN {
                return Some((element, looked));
            }
            self.remove(element);
            self.push(element);
            if at == END {
                at = element + 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_but_who_was_looked_up_has_a_second_chance() {
        let mut lru = Lru::new(8);
        (0..4).for_each(|element| lru.push(element));
        assert_eq!(lru.victim(|_| false), Some((0, 1)));
        lru.touch(0);
        lru.touch(1);
        assert_eq!(lru.victim(|_| false), Some((2, 3)));
        lru.remove(2);
        // 0 and 1 are young again, behind 3, and their marks are gone.
        assert_eq!(lru.victim(|_| false), Some((3, 1)));
        lru.remove(3);
        assert_eq!(lru.victim(|_| false), Some((0, 1)));
        assert_eq!(lru.victim(|element| element == 0), Some((1, 2)));
        assert_eq!(lru.victim(|_| true), None);
        lru.remove(0);
        lru.touch(1);
        assert_eq!(lru.victim(|_| false), Some((1, 2)), "alone, it is found again without its mark");
        lru.remove(1);
        assert_eq!(lru.victim(|_| false), None);
    }

    #[test]
    fn an_eviction_is_bounded() {
        let mut lru = Lru::new(100);
        for element in 0..100 {
            lru.push(element);
            lru.touch(element);
        }
        assert_eq!(lru.victim(|_| false), Some((LRU_SCAN, LRU_SCAN + 1)));
    }
}
