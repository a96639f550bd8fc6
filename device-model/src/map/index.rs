//! The index of a hash map: from key to element, chained buckets under a keyed hash.
//!
//! Elements never move. An update takes a free element, fills it, then puts it in the place of the old one
//! (`htab_map_update_elem` of the kernel's kernel/bpf/hashtab.c); there are spare elements for that, so all `max_entries` keys
//! can be inserted and updated.

use super::lru::Lru;
use super::pool::{Pool, Reuse};

/// End of a chain. Links hold element + 1, so that fresh memory is an empty index.
const END: u32 = 0;

/// Keyed hash of the index (NH of UMAC, RFC 4418 section 5.2, over 32-bit words, then mixed down to 32 bits): 32-bit multipliers
/// and an adder tree in hardware. Who does not know the key cannot make keys collide.
#[derive(Clone, Debug)]
pub(crate) struct KeyHash {
    key: Vec<u32>,
}

impl KeyHash {
    /// The hash for keys up to `key_bytes`, keyed from `seed`.
    pub(crate) fn new(seed: u64, key_bytes: u32) -> Self {
        let words = key_bytes.div_ceil(8) as usize * 2;
        let mut state = seed;
        let mut key = Vec::with_capacity(words);
        for _ in 0..words {
            // SplitMix64 (Steele, Lea, Flood, 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            key.push((z ^ (z >> 31)) as u32);
        }
        KeyHash { key }
    }

    /// Hash of `bytes`, which are at most as long as the longest key; the last 8 B are filled up with zeros.
    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u32 {
        let mut sum = 0u64;
        let mut chunks = bytes.chunks_exact(8);
        let mut keys = self.key.chunks_exact(2);
        let mut add = |word: u64, keys: &[u32]| {
            let low = (word as u32).wrapping_add(keys[0]);
            let high = ((word >> 32) as u32).wrapping_add(keys[1]);
            sum = sum.wrapping_add(u64::from(low) * u64::from(high));
        };
        for (chunk, keys) in chunks.by_ref().zip(keys.by_ref()) {
            add(chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), keys);
        }
        let rest = chunks.remainder();
        if let (false, Some(keys)) = (rest.is_empty(), keys.next()) {
            add(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), keys);
        }
        let folded = (sum ^ (sum >> 32)) as u32;
        let mixed = folded.wrapping_mul(0x9e37_79b1);
        mixed ^ (mixed >> 15)
    }
}

/// What a walk of a chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The key's element.
    pub element: Option<u32>,
    /// Entries that were compared, at least 1.
    pub probes: u32,
}

/// The elements of a map: values, and in a hash map behind each value its key and the link of its chain, so that all that a
/// request touches of an element lies together.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    memory: Vec<u8>,
    stride: usize,
    key_at: usize,
    key_size: usize,
    link_at: usize,
}

impl Elements {
    /// Bytes of an element. Value and key start at multiples of 8 B; a hash map's link has 4 B, with 4 B behind it.
    pub(crate) fn stride(value_size: u32, key_size: Option<u32>) -> u64 {
        let step = |size: u32| u64::from(size).next_multiple_of(8);
        step(value_size) + key_size.map_or(0, |key_size| step(key_size) + 8)
    }

    /// Elements of zeros. `key_size`: that of a hash map.
    pub(crate) fn new(elements: u32, value_size: u32, key_size: Option<u32>) -> Self {
        let stride = Self::stride(value_size, key_size) as usize;
        let key_at = value_size.next_multiple_of(8) as usize;
        let key_size = key_size.unwrap_or(0) as usize;
        let memory = vec![0; elements as usize * stride];
        Elements { memory, stride, key_at, key_size, link_at: key_at + key_size.next_multiple_of(8) }
    }

    /// The bytes of an element's value.
    #[inline(always)]
    pub(crate) fn value(&self, element: u32, size: u32) -> &[u8] {
        let start = element as usize * self.stride;
        &self.memory[start..start + size as usize]
    }

    #[inline(always)]
    pub(crate) fn value_mut(&mut self, element: u32, size: u32) -> &mut [u8] {
        let start = element as usize * self.stride;
        &mut self.memory[start..start + size as usize]
    }

    #[inline(always)]
    pub(crate) fn key(&self, element: u32) -> &[u8] {
        let start = element as usize * self.stride + self.key_at;
        &self.memory[start..start + self.key_size]
    }

    fn set_key(&mut self, element: u32, key: &[u8]) {
        let start = element as usize * self.stride + self.key_at;
        self.memory[start..start + self.key_size].copy_from_slice(key);
    }

    #[inline(always)]
    fn link(&self, element: u32) -> u32 {
        let start = element as usize * self.stride + self.link_at;
        self.memory[start..].first_chunk::<4>().map_or(END, |link| u32::from_le_bytes(*link))
    }

    fn set_link(&mut self, element: u32, link: u32) {
        let start = element as usize * self.stride + self.link_at;
        self.memory[start..start + 4].copy_from_slice(&link.to_le_bytes());
    }
}

/// The index of one hash map.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    heads: Vec<u32>,
    pool: Pool,
    /// What goes first if the map is full; `None` if nothing does.
    lru: Option<Lru>,
}

impl Index {
    /// Buckets of an index for so many entries.
    pub(crate) fn buckets(max_entries: u32, banks: u32) -> u64 {
        u64::from(max_entries.max(banks)).next_power_of_two()
    }

    /// An empty index over so many elements, with its spares.
    pub(crate) fn new(max_entries: u32, elements: u32, banks: u32, reuse: Reuse, lru: bool) -> Self {
        let heads = vec![END; Self::buckets(max_entries, banks) as usize];
        Index { heads, pool: Pool::new(max_entries, elements, reuse), lru: lru.then(|| Lru::new(elements)) }
    }

    /// The bucket of a hash.
    #[inline(always)]
    pub(crate) fn bucket(&self, hash: u32) -> u32 {
        hash & (self.heads.len() as u32).wrapping_sub(1)
    }

    /// Looks a key up.
    #[inline(never)]
    pub(crate) fn find(&self, elements: &Elements, hash: u32, key: &[u8]) -> Found {
        self.walk(elements, hash, key)
    }

    /// The same where it matters how fast.
    #[inline(always)]
    pub(crate) fn walk(&self, elements: &Elements, hash: u32, key: &[u8]) -> Found {
        let mut link = self.heads[self.bucket(hash) as usize];
        let mut probes = 0;
        while link != END {
            probes += 1;
            let element = link - 1;
            if elements.key(element) == key {
                return Found { element: Some(element), probes };
            }
            link = elements.link(element);
        }
        Found { element: None, probes: probes.max(1) }
    }

    /// A program's lookup found this element.
    #[inline]
    pub(crate) fn touch(&mut self, element: u32) {
        if let Some(lru) = &mut self.lru {
            lru.touch(element);
        }
    }

    /// True if a new key has no room unless another one goes.
    pub(crate) fn must_evict(&self) -> bool {
        self.lru.is_some() && self.pool.is_full()
    }

    /// Chooses what goes, and tells how many entries were looked at. `None` if `kept` forbids all, or there is nothing.
    pub(crate) fn victim(&mut self, kept: impl Fn(u32) -> bool) -> Option<(u32, u32)> {
        self.lru.as_mut()?.victim(kept)
    }

    /// Takes an element for the value of an update; `None` if the map is full (`-E2BIG`). `new`: the key is not in the index.
    pub(crate) fn reserve(&mut self, new: bool) -> Option<u32> {
        self.pool.take(new)
    }

    /// True if a new key has no room.
    pub(crate) fn is_full(&self) -> bool {
        self.pool.is_full()
    }

    /// An element that was reserved is not needed after all.
    pub(crate) fn abandon(&mut self, element: u32, new: bool) {
        self.pool.abandon(element, new);
    }

    /// Makes `element` the key's element. The one that was there is free again. `new`: as it was reserved.
    pub(crate) fn swap(&mut self, elements: &mut Elements, hash: u32, key: &[u8], element: u32, new: bool) {
        elements.set_key(element, key);
        let old = self.unlink(elements, hash, |elements, at| elements.key(at) == key, Some(element));
        if old.is_none() {
            let bucket = self.bucket(hash) as usize;
            elements.set_link(element, self.heads[bucket]);
            self.heads[bucket] = element + 1;
        }
        if let Some(lru) = &mut self.lru {
            if let Some(old) = old {
                lru.remove(old);
            }
            lru.push(element);
        }
        self.pool.settle(old, new);
    }

    /// Takes a key out; its element is free again.
    pub(crate) fn remove(&mut self, elements: &mut Elements, hash: u32, key: &[u8]) -> Found {
        let found = self.find(elements, hash, key);
        if let Some(element) = found.element {
            self.evict(elements, hash, element);
        }
        found
    }

    /// Takes an element out whose key has this hash.
    pub(crate) fn evict(&mut self, elements: &mut Elements, hash: u32, element: u32) {
        if let Some(element) = self.unlink(elements, hash, |_, at| at == element, None) {
            if let Some(lru) = &mut self.lru {
                lru.remove(element);
            }
            self.pool.give(element);
        }
    }

    /// Unlinks an element, or puts `instead` in its place.
    fn unlink(
        &mut self,
        elements: &mut Elements,
        hash: u32,
        is: impl Fn(&Elements, u32) -> bool,
        instead: Option<u32>,
    ) -> Option<u32> {
        let bucket = self.bucket(hash) as usize;
        let mut before = None;
        let mut link = self.heads[bucket];
        while link != END {
            let element = link - 1;
            let after = elements.link(element);
            if is(elements, element) {
                let to = match instead {
                    Some(other) => {
                        elements.set_link(other, after);
                        other + 1
                    }
                    None => after,
                };
                match before {
                    Some(before) => elements.set_link(before, to),
                    None => self.heads[bucket] = to,
                }
                return Some(element);
            }
            before = Some(element);
            link = after;
        }
        None
    }

    /// The element that comes after another one whose key has the hash, or the first one: in the order of buckets, then chains.
    pub(crate) fn after(&self, elements: &Elements, before: Option<(u32, u32)>) -> Option<u32> {
        let mut bucket = 0;
        if let Some((hash, element)) = before {
            let link = elements.link(element);
            if link != END {
                return Some(link - 1);
            }
            bucket = self.bucket(hash) as usize + 1;
        }
        self.heads.get(bucket..)?.iter().find(|&&head| head != END).map(|head| head - 1)
    }

    /// All elements in the index, in no order that means something.
    pub(crate) fn elements<'a>(&'a self, elements: &'a Elements) -> impl Iterator<Item = u32> + 'a {
        let element = |link: u32| (link != END).then(|| link - 1);
        self.heads
            .iter()
            .flat_map(move |&head| std::iter::successors(element(head), move |&at| element(elements.link(at))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against an ordinary map: all keys can be inserted, updated at capacity, removed, and found again, and elements in use never
    /// move or are shared.
    #[test]
    fn an_index_is_a_map() {
        for (max, seed) in [(1u32, 3u64), (7, 5), (64, 7)] {
            let hash = KeyHash::new(seed, 8);
            let mut elements = Elements::new(max + 2, 4, Some(5));
            let mut index = Index::new(max, max + 2, 4, Reuse::Apart, false);
            let mut model = BTreeMap::new();
            let mut state = seed;
            for _ in 0..5000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = [(state >> 33) as u8 % (max as u8 + 3), 1, 2, 3, 4];
                let hash = hash.hash(&key);
                let found = index.find(&elements, hash, &key).element;
                assert_eq!(found, model.get(&key).copied());
                if (state >> 50) % 3 == 0 {
                    assert_eq!(index.remove(&mut elements, hash, &key).element, model.remove(&key));
                } else if let Some(element) = index.reserve(found.is_none()) {
                    assert!(!model.values().any(|&used| used == element), "an element in use was given away");
                    index.swap(&mut elements, hash, &key, element, found.is_none());
                    model.insert(key, element);
                } else {
                    assert!(found.is_none() && model.len() == max as usize, "refused below capacity");
                }
                let mut listed: Vec<u32> = index.elements(&elements).collect();
                let mut used: Vec<u32> = model.values().copied().collect();
                listed.sort_unstable();
                used.sort_unstable();
                assert_eq!(listed, used);
            }
        }
    }

    #[test]
    fn keys_do_not_collide_by_pattern() {
        let hash = KeyHash::new(1, 16);
        let mut buckets = [0u32; 1024];
        for n in 0..8192u32 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&n.to_be_bytes());
            buckets[hash.hash(&key) as usize % 1024] += 1;
        }
        let longest = buckets.iter().max().copied().unwrap_or(0);
        assert!(longest < 32, "a chain of {longest} for a mean of 8");
    }
}
