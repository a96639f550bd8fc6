//! Device addresses: which are free.

use crate::transport::IovaRange;
use offwire_hostif::Iova;
use std::collections::BTreeMap;

/// An allocator of device addresses, first fit from below. Address 0 is never given.
///
/// Ranges are multiples of the page that it was made with. The order of calls alone decides what is given.
#[derive(Clone, Debug)]
pub struct IovaAllocator {
    /// Free ranges, first address to last; they neither touch nor overlap.
    free: BTreeMap<u64, u64>,
    /// Given ranges, first address to last.
    given: BTreeMap<u64, u64>,
    page: u64,
}

impl IovaAllocator {
    /// All addresses of the ranges are free, cut to whole pages; ranges may touch and overlap. `page` is a power of two.
    pub fn new(ranges: &[IovaRange], page: u64) -> Self {
        let page = page.max(1).checked_next_power_of_two().unwrap_or(1 << 63);
        let mut sorted: Vec<(u64, u64)> = ranges.iter().map(|range| (range.first.0, range.last.0)).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (first, last) in sorted.into_iter().filter(|(first, last)| first <= last) {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        let mut free = BTreeMap::new();
        for (first, last) in merged {
            // Address 0 is left out with its page.
            let Some(start) = first.max(1).checked_next_multiple_of(page) else { continue };
            // The last address of the last whole page; the very last page of 64 bits has no end, but a last address.
            let pages_end = match last.checked_add(1) {
                None => u64::MAX,
                Some(end) => match (end - end % page).checked_sub(1) {
                    None => continue,
                    Some(last) => last,
                },
            };
            if start < pages_end {
                free.insert(start, pages_end);
            }
        }
        IovaAllocator { free, given: BTreeMap::new(), page }
    }

    /// Gives `size` bytes, rounded up to pages, at a multiple of `alignment` (a power of two).
    pub fn allocate(&mut self, size: u64, alignment: u64) -> Option<Iova> {
        let size = size.checked_next_multiple_of(self.page).filter(|&size| size > 0)?;
        if !alignment.is_power_of_two() {
            return None;
        }
        let alignment = alignment.max(self.page);
        let (&first, &last, start, end) = self.free.iter().find_map(|(first, last)| {
            let start = first.checked_next_multiple_of(alignment)?;
            let end = start.checked_add(size - 1)?;
            (end <= *last).then_some((first, last, start, end))
        })?;
        self.free.remove(&first);
        if first < start {
            self.free.insert(first, start - 1);
        }
        if end < last {
            self.free.insert(end + 1, last);
        }
        self.given.insert(start, end);
        Some(Iova(start))
    }

    /// Takes a range back; false, and nothing is changed, if it was not given with this size.
    pub fn release(&mut self, iova: Iova, size: u64) -> bool {
        let Some(size) = size.checked_next_multiple_of(self.page).filter(|&size| size > 0) else { return false };
        let mut first = iova.0;
        let Some(mut last) = first.checked_add(size - 1) else { return false };
        if self.given.get(&first) != Some(&last) {
            return false;
        }
        self.given.remove(&first);
        if let Some((&before, &end)) = self.free.range(..first).next_back()
            && end == first - 1
        {
            self.free.remove(&before);
            first = before;
        }
        if let Some(after) = last.checked_add(1)
            && let Some(end) = self.free.remove(&after)
        {
            last = end;
        }
        self.free.insert(first, last);
        true
    }

    /// Free ranges, in order.
    pub fn free_ranges(&self) -> impl Iterator<Item = IovaRange> + '_ {
        self.free.iter().map(|(&first, &last)| IovaRange { first: Iova(first), last: Iova(last) })
    }

    /// Given ranges, in order.
    pub fn given_ranges(&self) -> impl Iterator<Item = IovaRange> + '_ {
        self.given.iter().map(|(&first, &last)| IovaRange { first: Iova(first), last: Iova(last) })
    }
}
