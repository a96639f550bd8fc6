//! The index of an LPM trie: from a key to the entry with the longest prefix that covers it (kernel/bpf/lpm_trie.c).
//!
//! A key is a prefix length (4 B) and data; its first bit is the high bit of the first data byte. Nodes stand below the nodes whose
//! prefixes cover theirs, on the side of their next bit. A node between others that no entry has is there where two prefixes
//! part; there are at most as many of these as entries.

use super::pool::{Pool, Reuse};

/// No node, or no element. Links hold number + 1.
const NONE: u32 = 0;

/// A node; its data lie in [`Trie::data`].
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    prefix: u32,
    /// Element + 1; [`NONE`] if no entry has this prefix.
    element: u32,
    children: [u32; 2],
}

/// Where the link to a node stands: in its parent, on one side; or the root.
type Place = Option<(u32, usize)>;

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// The element.
    pub element: Option<u32>,
    /// Nodes that were compared, at least 1.
    pub levels: u32,
}

/// The index of one trie.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    pool: Pool,
    root: u32,
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    /// Data of the nodes' keys, with the bits behind the prefix as they were given.
    data: Vec<u8>,
    data_size: usize,
}

/// Prefix length and data of a key.
fn split(key: &[u8]) -> (u32, &[u8]) {
    key.split_first_chunk::<4>().map_or((u32::MAX, &[]), |(length, data)| (u32::from_le_bytes(*length), data))
}

/// Bit `at` of the data.
fn bit(data: &[u8], at: u32) -> usize {
    data.get(at as usize / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1))
}

/// Leading bits that are alike, at most `limit`.
fn common(a: &[u8], b: &[u8], limit: u32) -> u32 {
    let mut bits = 0;
    for (a, b) in a.iter().zip(b) {
        let differ = a ^ b;
        bits += differ.leading_zeros();
        if differ != 0 || bits >= limit {
            break;
        }
    }
    bits.min(limit)
}

impl Trie {
    /// Bytes of map memory that a node takes: its data, prefix length and element, and two links.
    pub(crate) fn node_bytes(key_size: u32) -> u64 {
        u64::from(key_size.saturating_sub(4)).next_multiple_of(8) + 16
    }

    /// Nodes of a trie with so many entries.
    pub(crate) fn nodes(max_entries: u32) -> u64 {
        2 * u64::from(max_entries)
    }

    /// An empty trie with keys of `key_size` bytes, over so many elements.
    pub(crate) fn new(max_entries: u32, elements: u32, key_size: u32) -> Self {
        Trie {
            pool: Pool::new(max_entries, elements, Reuse::First),
            root: NONE,
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            data: Vec::new(),
            data_size: key_size.saturating_sub(4) as usize,
        }
    }

    /// True if the key's prefix is not longer than its data.
    pub(crate) fn fits(&self, key: &[u8]) -> bool {
        u64::from(split(key).0) <= 8 * self.data_size as u64
    }

    fn data(&self, node: u32) -> &[u8] {
        let start = (node as usize - 1) * self.data_size;
        &self.data[start..start + self.data_size]
    }

    fn node(&self, node: u32) -> Node {
        self.nodes[node as usize - 1]
    }

    fn at(&mut self, place: Place) -> &mut u32 {
        match place {
            None => &mut self.root,
            Some((node, side)) => &mut self.nodes[node as usize - 1].children[side],
        }
    }

    /// Leading bits of a node's prefix that the key has too.
    fn matches(&self, node: u32, key: (u32, &[u8])) -> u32 {
        common(self.data(node), key.1, self.node(node).prefix.min(key.0))
    }

    /// trie_lookup_elem. `visit` is told each node.
    pub(crate) fn longest(&self, key: &[u8], mut visit: impl FnMut(u32)) -> Walked {
        let key = split(key);
        let (mut at, mut levels, mut element) = (self.root, 0, NONE);
        while at != NONE {
            let node = self.node(at);
            levels += 1;
            visit(at - 1);
            let matched = self.matches(at, key);
            if matched < node.prefix {
                break;
            }
            if node.element != NONE {
                element = node.element;
            }
            if node.prefix as usize == 8 * self.data_size {
                break;
            }
            at = node.children[bit(key.1, node.prefix)];
        }
        Walked { element: element.checked_sub(1), levels: levels.max(1) }
    }

    /// Goes down as far as nodes cover the key. Gives the places on the way; the last one is where the key belongs.
    fn walk(&self, key: (u32, &[u8]), mut visit: impl FnMut(u32)) -> (Vec<Place>, u32) {
        let mut places: Vec<Place> = vec![None];
        let (mut at, mut matched) = (self.root, 0);
        while at != NONE {
            visit(at - 1);
            let node = self.node(at);
            matched = self.matches(at, key);
            if node.prefix != matched || node.prefix == key.0 {
                break;
            }
            let side = bit(key.1, node.prefix);
            places.push(Some((at, side)));
            at = node.children[side];
        }
        (places, matched)
    }

    fn link(&self, place: Place) -> u32 {
        match place {
            None => self.root,
            Some((node, side)) => self.node(node).children[side],
        }
    }

    /// The entry with exactly this prefix. `visit` is told each node.
    pub(crate) fn exact(&self, key: &[u8], visit: impl FnMut(u32)) -> Walked {
        let key = split(key);
        let (places, matched) = self.walk(key, visit);
        let at = self.link(places.last().copied().flatten());
        let there = at != NONE && matched == key.0 && self.node(at).prefix == key.0;
        let element = if there { self.node(at).element.checked_sub(1) } else { None };
        let levels = places.len() as u32 - u32::from(at == NONE);
        Walked { element, levels: levels.max(1) }
    }

    /// Takes an element for the value of an update; `None` if the trie is full (`-ENOSPC`). `new`: the prefix has no entry.
    pub(crate) fn reserve(&mut self, new: bool) -> Option<u32> {
        self.pool.take(new)
    }

    /// True if a new prefix has no room.
    pub(crate) fn is_full(&self) -> bool {
        self.pool.is_full()
    }

    /// An element that was reserved is not needed after all.
    pub(crate) fn abandon(&mut self, element: u32, new: bool) {
        self.pool.abandon(element, new);
    }

    fn add(&mut self, node: Node, data: &[u8]) -> u32 {
        match self.free_nodes.pop() {
            Some(free) => {
                self.nodes[free as usize - 1] = node;
                let start = (free as usize - 1) * self.data_size;
                self.data[start..start + self.data_size].copy_from_slice(data);
                free
            }
            None => {
                self.nodes.push(node);
                self.data.extend_from_slice(data);
                self.nodes.len() as u32
            }
        }
    }

    /// Makes `element` the element of the key's prefix (`trie_update_elem`). `new`: as it was reserved.
    pub(crate) fn swap(&mut self, key: &[u8], element: u32, new: bool) {
        let (prefix, data) = split(key);
        let (places, matched) = self.walk((prefix, data), |_| ());
        let place = places.last().copied().flatten();
        let at = self.link(place);
        let fresh = Node { prefix, element: element + 1, children: [NONE; 2] };
        let mut old = None;
        if at == NONE {
            let node = self.add(fresh, data);
            *self.at(place) = node;
        } else if self.node(at).prefix == matched {
            // The same prefix: an entry is replaced, or a node gets one. The key is kept as it is given now.
            old = self.node(at).element.checked_sub(1);
            self.nodes[at as usize - 1].element = element + 1;
            let start = (at as usize - 1) * self.data_size;
            self.data[start..start + self.data_size].copy_from_slice(data);
        } else if matched == prefix {
            let mut parent = fresh;
            parent.children[bit(self.data(at), matched)] = at;
            let node = self.add(parent, data);
            *self.at(place) = node;
        } else {
            let node = self.add(fresh, data);
            let mut between = Node { prefix: matched, element: NONE, children: [at; 2] };
            between.children[bit(data, matched)] = node;
            let common = self.data(at).to_vec();
            let between = self.add(between, &common);
            *self.at(place) = between;
        }
        self.pool.settle(old, new);
    }

    /// Takes the entry of a prefix out (`trie_delete_elem`); its element is free again.
    pub(crate) fn remove(&mut self, key: &[u8], visit: impl FnMut(u32)) -> Walked {
        let walked = self.exact(key, visit);
        let Some(element) = walked.element else { return walked };
        self.pool.give(element);
        let (places, _) = self.walk(split(key), |_| ());
        let place = places.last().copied().flatten();
        let at = self.link(place);
        let node = self.node(at);
        self.nodes[at as usize - 1].element = NONE;
        let [left, right] = node.children;
        if left != NONE && right != NONE {
            return walked;
        }
        self.free_nodes.push(at);
        let child = left.max(right);
        // A parent without an entry that would have one child left goes too.
        let parent = places.len().checked_sub(2).and_then(|above| places.get(above)).copied();
        match (place, parent) {
            (Some((parent, side)), Some(above)) if child == NONE && self.node(parent).element == NONE => {
                self.free_nodes.push(parent);
                *self.at(above) = self.node(parent).children[1 - side];
            }
            _ => *self.at(place) = child,
        }
        walked
    }

    /// Writes the key of the entry behind that of another key, or of the first entry; more specific ones come first, smaller bits
    /// before larger ones (`trie_get_next_key`). False if there is none.
    pub(crate) fn next_key(&self, key: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
        let first = |at: u32| {
            let mut at = at;
            // A node without children is an entry.
            while at != NONE {
                match self.node(at).children {
                    [NONE, NONE] => break,
                    [NONE, right] => at = right,
                    [left, _] => at = left,
                }
            }
            at
        };
        let known = key.filter(|key| self.fits(key) && self.exact(key, |_| ()).element.is_some());
        let next = match known {
            None => first(self.root),
            Some(key) => {
                let (mut places, _) = self.walk(split(key), |_| ());
                loop {
                    let Some(Some((parent, side))) = places.pop() else { break NONE };
                    let right = self.node(parent).children[1];
                    if side == 0 && right != NONE {
                        break first(right);
                    }
                    if self.node(parent).element != NONE {
                        break parent;
                    }
                }
            }
        };
        out.clear();
        if next == NONE {
            return false;
        }
        out.extend_from_slice(&self.node(next).prefix.to_le_bytes());
        out.extend_from_slice(self.data(next));
        true
    }

    /// All entries: their keys as given, and their elements.
    pub(crate) fn entries(&self) -> Vec<(Vec<u8>, u32)> {
        let mut entries = Vec::new();
        let mut open = vec![self.root];
        while let Some(at) = open.pop() {
            if at == NONE {
                continue;
            }
            let node = self.node(at);
            open.extend(node.children);
            if let Some(element) = node.element.checked_sub(1) {
                let mut key = node.prefix.to_le_bytes().to_vec();
                key.extend_from_slice(self.data(at));
                entries.push((key, element));
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn covers(prefix: u32, data: u16, other: u16) -> bool {
        prefix == 0 || (data ^ other) >> (16 - prefix) == 0
    }

    /// Against a list of all prefixes that is searched from end to end.
    #[test]
    fn a_trie_finds_the_longest_prefix() {
        for max in [1u32, 6, 40] {
            let mut trie = Trie::new(max, max + 3, 6);
            let mut model: BTreeMap<(u32, u16), (u16, u32)> = BTreeMap::new();
            let mut state = u64::from(max);
            let mut most = 0;
            for _ in 0..20_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let prefix = (state >> 60) as u32 + (state >> 59 & 1) as u32;
                // Few different bits, so that prefixes cover each other.
                let data = (state >> 40) as u16 & 0xb0c1;
                let own = if prefix == 0 { 0 } else { data & (u16::MAX << (16 - prefix)) };
                let mut key = prefix.to_le_bytes().to_vec();
                key.extend(data.to_be_bytes());
                let exact = model.get(&(prefix, own)).map(|entry| entry.1);
                assert_eq!(trie.exact(&key, |_| ()).element, exact);
                let covering = model.iter().filter(|((length, of), _)| *length <= prefix && covers(*length, *of, data));
                let longest = covering.max_by_key(|((length, _), _)| *length).map(|(_, entry)| entry.1);
                assert_eq!(trie.longest(&key, |_| ()).element, longest);
                if state >> 34 & 3 == 0 {
                    assert_eq!(trie.remove(&key, |_| ()).element, model.remove(&(prefix, own)).map(|entry| entry.1));
                } else if let Some(element) = trie.reserve(exact.is_none()) {
                    assert!(!model.values().any(|entry| entry.1 == element), "an element in use was given away");
                    trie.swap(&key, element, exact.is_none());
                    model.insert((prefix, own), (data, element));
                } else {
                    assert!(exact.is_none() && model.len() == max as usize, "refused below capacity");
                }
                let mut entries = trie.entries();
                entries.sort();
                let mut want: Vec<(Vec<u8>, u32)> = model
                    .iter()
                    .map(|((prefix, _), (data, element))| {
                        ([prefix.to_le_bytes().to_vec(), data.to_be_bytes().to_vec()].concat(), *element)
                    })
                    .collect();
                want.sort();
                assert_eq!(entries, want);
                let (mut listed, mut key) = (Vec::new(), Vec::new());
                while trie.next_key((!listed.is_empty()).then_some(key.clone().as_slice()), &mut key) {
                    let element = trie.exact(&key, |_| ()).element;
                    listed.push((key.clone(), element.unwrap()));
                    assert!(listed.len() <= want.len(), "listed for ever");
                }
                listed.sort();
                assert_eq!(listed, want);
                most = most.max(trie.nodes.len() - trie.free_nodes.len());
                assert!(trie.nodes.len() as u64 <= Trie::nodes(max), "more nodes than there is memory for");
            }
            assert!(most > max as usize || max < 3, "no node without an entry was ever there");
        }
    }

    #[test]
    fn levels_are_the_nodes_on_the_way() {
        let mut trie = Trie::new(8, 9, 8);
        let key = |length: u32, data: [u8; 4]| [length.to_le_bytes(), data].concat();
        assert_eq!(trie.longest(&key(32, [10, 1, 2, 3]), |_| ()), Walked { element: None, levels: 1 });
        for (n, length) in [8u32, 16, 24, 32].into_iter().enumerate() {
            assert_eq!(trie.reserve(true), Some(n as u32));
            trie.swap(&key(length, [10, 1, 2, 3]), n as u32, true);
        }
        let mut seen = Vec::new();
        assert_eq!(
            trie.longest(&key(32, [10, 1, 2, 3]), |node| seen.push(node)),
            Walked { element: Some(3), levels: 4 }
        );
        assert_eq!(seen, [0, 1, 2, 3]);
        assert_eq!(trie.longest(&key(32, [10, 1, 9, 9]), |_| ()), Walked { element: Some(1), levels: 3 });
        assert_eq!(trie.longest(&key(12, [10, 1, 2, 3]), |_| ()), Walked { element: Some(0), levels: 2 });
        assert!(!trie.fits(&key(33, [10, 1, 2, 3])));
        assert!(trie.fits(&key(32, [10, 1, 2, 3])));
    }
}
