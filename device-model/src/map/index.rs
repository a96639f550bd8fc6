//! The index of a hash map: from key to element, chained buckets under a keyed hash.
//!
//! Elements never move. An update takes a free element, fills it, then puts it in the place of the old one
//! (`htab_map_update_elem` of the kernel's kernel/bpf/hashtab.c); there are spare elements for that, so all `max_entries` keys
//! can be inserted and updated. A freed element is the next to be taken.

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

/// The index of one hash map.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    heads: Vec<u32>,
    links: Vec<u32>,
    keys: Vec<u8>,
    key_size: usize,
    max_entries: u32,
    /// Keys in the index, and new keys whose value is being written.
    used: u32,
    /// Elements from here on were never taken.
    fresh: u32,
    free: Vec<u32>,
}

impl Index {
    /// Buckets of an index for so many entries.
    pub(crate) fn buckets(max_entries: u32, banks: u32) -> u64 {
        u64::from(max_entries.max(banks)).next_power_of_two()
    }

    /// An empty index. `spare` elements are there for updates on their way.
    pub(crate) fn new(key_size: u32, max_entries: u32, spare: u32, banks: u32) -> Self {
        let elements = (u64::from(max_entries) + u64::from(spare)) as usize;
        Index {
            heads: vec![END; Self::buckets(max_entries, banks) as usize],
            links: vec![END; elements],
            keys: vec![0; elements * key_size as usize],
            key_size: key_size as usize,
            max_entries,
            used: 0,
            fresh: 0,
            free: Vec::new(),
        }
    }

    /// The bucket of a hash.
    #[inline(always)]
    pub(crate) fn bucket(&self, hash: u32) -> u32 {
        hash & (self.heads.len() as u32).wrapping_sub(1)
    }

    #[inline(always)]
    pub(crate) fn key(&self, element: u32) -> &[u8] {
        let start = element as usize * self.key_size;
        &self.keys[start..start + self.key_size]
    }

    /// Looks a key up.
    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Found {
        let mut link = self.heads[self.bucket(hash) as usize];
        let mut probes = 0;
        while link != END {
            probes += 1;
            let element = link - 1;
            if self.key(element) == key {
                return Found { element: Some(element), probes };
            }
            link = self.links[element as usize];
        }
        Found { element: None, probes: probes.max(1) }
    }

    /// Takes an element for the value of an update; `None` if the map is full (`-E2BIG`). `new`: the key is not in the index.
    pub(crate) fn reserve(&mut self, new: bool) -> Option<u32> {
        if new {
            if self.used == self.max_entries {
                return None;
            }
            self.used += 1;
        }
        let element = self.free.pop().or_else(|| {
            let fresh = self.fresh;
            ((fresh as usize) < self.links.len()).then(|| {
                self.fresh += 1;
                fresh
            })
        });
        if element.is_none() && new {
            self.used -= 1;
        }
        element
    }

    /// Makes `element` the key's element. The one that was there is free again.
    pub(crate) fn swap(&mut self, hash: u32, key: &[u8], element: u32) {
        let start = element as usize * self.key_size;
        self.keys[start..start + self.key_size].copy_from_slice(key);
        let old = self.unlink(hash, key, Some(element));
        if let Some(old) = old {
            self.free.push(old);
        } else {
            let bucket = self.bucket(hash) as usize;
            self.links[element as usize] = self.heads[bucket];
            self.heads[bucket] = element + 1;
        }
    }

    /// Takes a key out; its element is free again.
    pub(crate) fn remove(&mut self, hash: u32, key: &[u8]) -> Found {
        let found = self.find(hash, key);
        if let Some(element) = self.unlink(hash, key, None) {
            self.free.push(element);
            self.used -= 1;
        }
        found
    }

    /// Unlinks the key's element, or puts `instead` in its place.
    fn unlink(&mut self, hash: u32, key: &[u8], instead: Option<u32>) -> Option<u32> {
        let bucket = self.bucket(hash) as usize;
        let mut before = None;
        let mut link = self.heads[bucket];
        while link != END {
            let element = link - 1;
            let after = self.links[element as usize];
            if self.key(element) == key {
                let to = match instead {
                    Some(other) => {
                        self.links[other as usize] = after;
                        other + 1
                    }
                    None => after,
                };
                match before {
                    Some(before) => self.links[before] = to,
                    None => self.heads[bucket] = to,
                }
                return Some(element);
            }
            before = Some(element as usize);
            link = after;
        }
        None
    }

    /// All elements in the index, in no order that means something.
    pub(crate) fn elements(&self) -> impl Iterator<Item = u32> + '_ {
        self.heads.iter().flat_map(move |&head| {
            std::iter::successors((head != END).then(|| head - 1), move |&element| {
                let link = self.links[element as usize];
                (link != END).then(|| link - 1)
            })
        })
    }
}
