//! The maps of one object, in memory, as the kernel's code under kernel/bpf has them, with one CPU.

use super::{E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC};
use crate::ebpf::MapIdx;
use offwire_image::{MapKind, MapSpec};
use offwire_isa::{Handle, MapPointer};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a `struct bpf_spin_lock`.
const LOCK_BYTES: usize = 4;
/// BPF_F_LOCK.
const LOCK: u64 = 4;
/// BPF_RINGBUF_HDR_SZ.
const RECORD_HEADER: u64 = 8;
/// RINGBUF_MAX_RECORD_SZ.
const MAX_RECORD: u64 = u32::MAX as u64 / 4;

/// All maps, by their number.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Maps {
    maps: Vec<Store>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) spec: MapSpec,
    /// Element of each key; of a trie by prefix. Arrays without gaps have none.
    index: BTreeMap<Vec<u8>, u32>,
    /// Values by element; of a ring buffer the records of this packet.
    elements: Vec<Vec<u8>>,
    free: Vec<u32>,
    /// Keys of an LRU hash, the least recently used one first.
    ages: Vec<Vec<u8>>,
    /// Programs or maps that stand in it.
    links: BTreeMap<Vec<u8>, u32>,
    /// Where its values hold a spin lock.
    lock: Option<usize>,
    /// Elements whose lock is held.
    held: BTreeSet<u32>,
    /// Records that are reserved and not given back.
    open: BTreeSet<u32>,
    /// Bytes that all packets have put into the ring buffer, and those that the host has taken.
    produced: u64,
    consumed: u64,
}

impl Maps {
    /// Empty maps, arrays with their initial contents.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a MapSpec>) -> Self {
        Maps { maps: specs.into_iter().map(Store::new).collect() }
    }

    /// Puts a program (by its number) or a map (by its slot) into a program array or a map of maps.
    pub fn link(&mut self, map: MapIdx, key: &[u8], to: u32) {
        if let Some(store) = self.maps.get_mut(usize::from(map.0)) {
            store.links.insert(key.to_vec(), to);
        }
    }

    /// Says that values of the map hold a `struct bpf_spin_lock` at this offset.
    pub fn lock_at(&mut self, map: MapIdx, offset: u32) {
        if let Some(store) = self.maps.get_mut(usize::from(map.0)) {
            store.lock = Some(offset as usize);
        }
    }

    /// All entries by key.
    pub fn entries(&self, map: MapIdx) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let Some(store) = self.maps.get(usize::from(map.0)) else { return BTreeMap::new() };
        let key = |at: usize| (at as u32).to_le_bytes().to_vec();
        if is_array(store.spec.kind) {
            store.elements.iter().enumerate().map(|(at, value)| (key(at), value.clone())).collect()
        } else if is_of_links(store.spec.kind) {
            store.links.iter().map(|(key, to)| (key.clone(), to.to_le_bytes().to_vec())).collect()
        } else {
            store.index.iter().map(|(key, at)| (key.clone(), store.elements[*at as usize].clone())).collect()
        }
    }

    pub(crate) fn store(&mut self, map: MapIdx) -> Result<&mut Store, String> {
        self.maps.get_mut(usize::from(map.0)).ok_or_else(|| format!("there is no map {}", map.0))
    }

    /// bpf_map_update_elem; also fills a device map, as its owner does.
    ///
    /// # Errors
    /// There is no such map.
    pub fn update(&mut self, map: MapIdx, key: &[u8], value: &[u8], flags: u64) -> Result<u64, String> {
        Ok(self.store(map)?.update(key, value, flags))
    }

    pub(crate) fn delete(&mut self, map: MapIdx, key: &[u8]) -> Result<u64, String> {
        Ok(self.store(map)?.delete(key))
    }

    /// bpf_map_lookup_elem: a handle, in a map of maps a map pointer, or 0.
    pub(crate) fn lookup(&mut self, map: MapIdx, key: &[u8]) -> Result<u64, String> {
        let slot = u8::try_from(map.0).map_err(|_| "a map without slot")?;
        let store = self.store(map)?;
        if is_of_links(store.spec.kind) {
            let to = store.links.get(key).and_then(|to| u8::try_from(*to).ok());
            return Ok(to.map_or(0, |slot| MapPointer { slot }.pack()));
        }
        let element = store.find(key);
        if element.is_some() && store.spec.kind == MapKind::LruHash {
            store.touch(key);
        }
        Ok(element.map_or(0, |element| Handle { slot, element, offset: 0 }.pack()))
    }

    pub(crate) fn bytes(&mut self, address: u64, map: Option<MapIdx>, size: usize) -> Result<&mut [u8], String> {
        let handle = Handle::unpack(address).ok_or_else(|| format!("{address:#x} is no handle"))?;
        if map.is_some_and(|map| map.0 != u16::from(handle.slot)) {
            return Err(format!("{handle:?} is not of {map:?}"));
        }
        let store = self.store(MapIdx(u16::from(handle.slot)))?;
        if store.spec.kind == MapKind::Ringbuf && !store.open.contains(&handle.element) {
            return Err(format!("{handle:?} is a record that was given back"));
        }
        let value = store.elements.get_mut(handle.element as usize);
        let bytes = value.and_then(|value| value.get_mut(handle.offset as usize..)?.get_mut(..size));
        bytes.ok_or_else(|| format!("{handle:?} with {size} bytes is out of bounds"))
    }

    /// The store and the element of a handle to its first byte.
    pub(crate) fn element(&mut self, address: u64) -> Result<(MapIdx, &mut Store, u32), String> {
        let handle = Handle::unpack(address).filter(|handle| handle.offset == 0);
        let handle = handle.ok_or_else(|| format!("{address:#x} is no handle to the start of a value"))?;
        let map = MapIdx(u16::from(handle.slot));
        Ok((map, self.store(map)?, handle.element))
    }

    /// Takes or gives back the lock of a value.
    pub(crate) fn spin(&mut self, address: u64, take: bool) -> Result<(), String> {
        let handle = Handle::unpack(address).ok_or_else(|| format!("{address:#x} is no handle"))?;
        let store = self.store(MapIdx(u16::from(handle.slot)))?;
        if store.lock.is_some_and(|lock| lock != handle.offset as usize) {
            return Err(format!("{handle:?} is no lock"));
        }
        let changed = if take { store.held.insert(handle.element) } else { store.held.remove(&handle.element) };
        match (changed, take) {
            (true, _) => Ok(()),
            (false, true) => Err("a lock is taken twice".into()),
            (false, false) => Err("a lock that nobody holds is given back".into()),
        }
    }

    /// What a packet must not leave behind.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        for store in &mut self.maps {
            if !store.held.is_empty() {
                return Err(format!("a lock of map {} is still held", store.spec.name));
            }
            if !store.open.is_empty() {
                return Err(format!("a record of map {} is still reserved", store.spec.name));
            }
            if store.spec.kind == MapKind::Ringbuf {
                store.elements.clear();
                store.consumed = store.produced;
            }
        }
        Ok(())
    }
}

impl Store {
    fn new(spec: &MapSpec) -> Self {
        let count = if is_array(spec.kind) { spec.max_entries as usize } else { 0 };
        let mut elements = vec![vec![0; spec.value_size as usize]; count];
        if let Some(first) = elements.first_mut() {
            let len = spec.init.len().min(first.len());
            first[..len].copy_from_slice(&spec.init[..len]);
        }
        Store {
            spec: spec.clone(),
            index: BTreeMap::new(),
            elements,
            free: Vec::new(),
            ages: Vec::new(),
            links: BTreeMap::new(),
            lock: None,
            held: BTreeSet::new(),
            open: BTreeSet::new(),
            produced: 0,
            consumed: 0,
        }
    }

    /// The program or map that stands there.
    pub(crate) fn linked(&self, key: &[u8]) -> Option<u32> {
        self.links.get(key).copied()
    }

    /// True if there is an entry; of a map with gaps as of any other.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    fn find(&self, key: &[u8]) -> Option<u32> {
        match self.spec.kind {
            kind if is_array(kind) => {
                let at = u32::from_le_bytes(key.try_into().ok()?);
                (at < self.spec.max_entries).then_some(at)
            }
            MapKind::LpmTrie => {
                let wanted = prefix_len(key)?;
                if wanted > self.longest_prefix() {
                    return None;
                }
                (0..=wanted).rev().find_map(|len| self.index.get(&prefix(key, len))).copied()
            }
            _ => self.index.get(key).copied(),
        }
    }

    fn longest_prefix(&self) -> u32 {
        self.spec.key_size.saturating_sub(4) * 8
    }

    /// The key was used just now.
    fn touch(&mut self, key: &[u8]) {
        self.ages.retain(|other| other != key);
        self.ages.push(key.to_vec());
    }

    /// Everything but the lock.
    fn write(&mut self, element: u32, value: &[u8]) {
        let Some(to) = self.elements.get_mut(element as usize) else { return };
        let lock = self.lock.map_or(0..0, |at| at..at + LOCK_BYTES);
        for (at, (to, from)) in to.iter_mut().zip(value).enumerate() {
            if !lock.contains(&at) {
                *to = *from;
            }
        }
    }

    /// An element that nobody uses.
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.elements.push(vec![0; self.spec.value_size as usize]);
            self.elements.len() as u32 - 1
        })
    }

    fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> u64 {
        let locked = flags & LOCK != 0;
        if flags & !LOCK > 2 {
            return EINVAL;
        }
        let flags = flags & !LOCK;
        match self.spec.kind {
            kind if is_array(kind) => match self.find(key) {
                None => return E2BIG,
                Some(_) if flags == 1 => return EEXIST,
                Some(_) if locked && self.lock.is_none() => return EINVAL,
                Some(at) => {
                    self.write(at, value);
                    return 0;
                }
            },
            _ if locked && self.lock.is_none() => return EINVAL,
            MapKind::LpmTrie if prefix_len(key).is_none_or(|len| len > self.longest_prefix()) => return EINVAL,
            MapKind::Devmap if key.try_into().map_or(u32::MAX, u32::from_le_bytes) >= self.spec.max_entries => {
                return E2BIG;
            }
            _ => {}
        }
        let trie = self.spec.kind == MapKind::LpmTrie;
        let own = if trie { prefix(key, prefix_len(key).unwrap_or(0)) } else { key.to_vec() };
        let old = self.index.get(&own).copied();
        match (old, flags) {
            (Some(_), 1) => return EEXIST,
            (None, 2) => return ENOENT,
            _ => {}
        }
        if old.is_none() && self.index.len() >= self.spec.max_entries as usize {
            match self.spec.kind {
                MapKind::LruHash => {
                    let oldest = self.ages.remove(0);
                    self.free.extend(self.index.remove(&oldest));
                }
                MapKind::LpmTrie => return ENOSPC,
                _ => return E2BIG,
            }
        }
        if let (Some(old), true) = (old, locked || self.spec.kind == MapKind::PercpuHash) {
            self.write(old, value);
            return 0;
        }
        // Replacing takes another element, so that who still has the old one sees the old value.
        let at = self.take();
        self.write(at, value);
        self.free.extend(old);
        if self.spec.kind == MapKind::LruHash {
            self.touch(&own);
        }
        self.index.insert(own, at);
        0
    }

    fn delete(&mut self, key: &[u8]) -> u64 {
        if is_array(self.spec.kind) {
            return EINVAL;
        }
        let own = match self.spec.kind {
            MapKind::LpmTrie => match prefix_len(key) {
                Some(len) if len <= self.longest_prefix() => prefix(key, len),
                _ => return EINVAL,
            },
            _ => key.to_vec(),
        };
        self.ages.retain(|other| *other != own);
        match self.index.remove(&own) {
            Some(at) => {
                self.free.push(at);
                0
            }
            None => ENOENT,
        }
    }

    /// __bpf_ringbuf_reserve: the record's element.
    pub(crate) fn reserve(&mut self, len: u64) -> Option<u32> {
        let room = len.checked_add(RECORD_HEADER)?.next_multiple_of(8);
        let size = u64::from(self.spec.max_entries);
        if len > MAX_RECORD || self.produced - self.consumed + room >= size {
            return None;
        }
        self.produced += room;
        let at = self.elements.len() as u32;
        self.elements.push(vec![0; len as usize]);
        self.open.insert(at);
        Some(at)
    }

    /// Ends a record: its bytes.
    pub(crate) fn commit(&mut self, element: u32) -> Option<Vec<u8>> {
        self.open.remove(&element).then(|| self.elements[element as usize].clone())
    }

    /// bpf_ringbuf_query.
    pub(crate) fn query(&self, flags: u64) -> u64 {
        match flags {
            0 => self.produced - self.consumed,
            1 => self.spec.max_entries.into(),
            2 => self.consumed,
            3 => self.produced,
            _ => 0,
        }
    }
}

fn is_array(kind: MapKind) -> bool {
    matches!(kind, MapKind::Array | MapKind::PercpuArray)
}

fn is_of_links(kind: MapKind) -> bool {
    matches!(kind, MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps)
}

/// Bits of a trie's key that count (struct bpf_lpm_trie_key).
fn prefix_len(key: &[u8]) -> Option<u32> {
    key.first_chunk().map(|len| u32::from_le_bytes(*len))
}

/// The key with `len` bits that are left, the others zero.
fn prefix(key: &[u8], len: u32) -> Vec<u8> {
    let data = key.get(4..).unwrap_or_default();
    let cut = (0u32..).zip(data).map(|(at, byte)| match len.saturating_sub(8 * at) {
        8.. => *byte,
        bits => byte & !(0xff >> bits),
    });
    len.to_le_bytes().into_iter().chain(cut).collect()
}
