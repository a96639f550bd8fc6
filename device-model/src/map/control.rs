//! The control plane's operations on entries. They take effect at once, between two cycles; the kernel's user-space semantics
//! (`bpf_map_update_value` and others of kernel/bpf/syscall.c). Keys are listed in `map::next`, maps of maps are `map::outer`'s.

use offwire_image::MapKind;

use super::index::KeyHash;
use super::table::{Contents, Directory, LOCK_BYTES, MapInfo, MapObject, Table};
use crate::error::MapError;
use crate::id::MapId;

/// Flags of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// `BPF_ANY`: insert or replace.
    #[default]
    Any,
    /// `BPF_NOEXIST`: insert only.
    NoExist,
    /// `BPF_EXIST`: replace only.
    Exist,
}

/// An entry of a map: its key, and its value for each vCPU (one value if the map is not per-CPU).
pub type Entry = (Vec<u8>, Vec<Vec<u8>>);

/// The values of an update.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    /// A value for each vCPU from 0 on; vCPUs without one get zeros.
    Each(&'a [Vec<u8>]),
    /// The value, or those of all vCPUs, each in steps of 8 B.
    Flat(&'a [u8]),
}

impl Values<'_> {
    fn check(self, info: &MapInfo, copies: u32) -> Result<(), MapError> {
        let size = |given: usize, expected: u64| {
            let expected = expected.min(u32::MAX.into()) as u32;
            if given as u64 == u64::from(expected) { Ok(()) } else { Err(MapError::ValueSize { given, expected }) }
        };
        match self {
            Values::Each(values) if values.is_empty() || values.len() as u64 > u64::from(copies) => {
                Err(MapError::Values { given: values.len(), expected: copies })
            }
            Values::Each(values) => values.iter().try_for_each(|value| size(value.len(), info.value_size.into())),
            Values::Flat(bytes) => size(bytes.len(), info.flat_size(copies)),
        }
    }

    /// The value of a copy, after [`Values::check`].
    fn get(&self, copy: u32, info: &MapInfo) -> Option<&[u8]> {
        match self {
            Values::Each(values) => values.get(copy as usize).map(Vec::as_slice),
            Values::Flat(bytes) => {
                let start = copy as usize * info.value_size.next_multiple_of(8) as usize;
                bytes.get(start..start + info.value_size as usize)
            }
        }
    }
}

impl MapInfo {
    /// Bytes of all copies of a value in the kernel's form: each in steps of 8 B if there is one for each vCPU.
    fn flat_size(&self, copies: u32) -> u64 {
        if self.kind.is_per_cpu() {
            u64::from(self.value_size).next_multiple_of(8) * u64::from(copies)
        } else {
            self.value_size.into()
        }
    }
}

/// A map that the control plane works on.
pub(super) struct Map<'a> {
    pub info: MapInfo,
    pub object: &'a MapObject,
    pub contents: &'a Contents,
    pub hash: &'a KeyHash,
    pub vcpus: u32,
}

/// The index that an array's key holds.
pub(super) fn array_index(key: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*key.first_chunk::<4>()?))
}

impl Map<'_> {
    /// Element of the key's first copy.
    pub(super) fn element(&self, key: &[u8]) -> Option<u32> {
        let copies = self.info.copies(self.vcpus);
        match &self.contents.directory {
            Directory::Array => array_index(key).filter(|&at| at < self.info.max_entries).map(|at| at * copies),
            Directory::Sparse(there) => {
                array_index(key).filter(|&at| there.get(at as usize).is_some_and(|&there| there))
            }
            Directory::Hash(index) => {
                index.find(self.contents.keyed(), self.hash.hash(key), key).element.map(|at| at * copies)
            }
            Directory::Trie(trie) if trie.fits(key) => trie.longest(key, |_| ()).element,
            Directory::Trie(_) | Directory::Ring(_) | Directory::Perf => None,
        }
    }

    /// The value as the user sees it: with zeros for a spin lock (`check_and_init_map_value`).
    fn value(&self, element: u32) -> Vec<u8> {
        let mut value = self.contents.elements.value(element, self.info.value_size).to_vec();
        if let Some(lock) = self.info.lock {
            value[lock as usize..(lock + LOCK_BYTES) as usize].fill(0);
        }
        value
    }

    fn values(&self, element: u32) -> Vec<Vec<u8>> {
        (0..self.info.copies(self.vcpus)).map(|copy| self.value(element + copy)).collect()
    }
}

/// A number in the value of a map whose elements are references.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

impl Table {
    /// A map, and whether the key may be one of its.
    pub(super) fn map(&self, map: MapId, key: Option<&[u8]>) -> Result<Map<'_>, MapError> {
        let object = self.object(map).ok_or(MapError::NoMap(map))?;
        let info = self.infos[map.index()];
        if let Some(key) = key {
            if matches!(info.kind, MapKind::Ringbuf | MapKind::PerfEventArray) {
                return Err(MapError::Invalid);
            }
            if key.len() as u64 != u64::from(info.key_size) {
                return Err(MapError::KeySize { given: key.len(), expected: info.key_size });
            }
        }
        Ok(Map { info, object, contents: &self.contents[map.index()], hash: &self.hash, vcpus: self.vcpus })
    }

    pub(crate) fn lookup(&self, map: MapId, key: &[u8], cpu: u16) -> Result<Option<Vec<u8>>, MapError> {
        let map = self.map(map, Some(key))?;
        if u32::from(cpu) >= map.vcpus {
            return Err(MapError::Vcpu(cpu));
        }
        let copy = if map.info.kind.is_per_cpu() { u32::from(cpu) } else { 0 };
        Ok(map.element(key).map(|element| map.value(element + copy)))
    }

    /// All copies of a value in the kernel's form.
    pub(crate) fn lookup_into(&self, map: MapId, key: &[u8], out: &mut Vec<u8>) -> Result<(), MapError> {
        out.clear();
        let map = self.map(map, Some(key))?;
        let element = map.element(key).ok_or(MapError::NoSuchKey)?;
        let copies = map.info.copies(map.vcpus);
        for copy in 0..copies {
            let start = out.len();
            out.extend_from_slice(map.contents.elements.value(element + copy, map.info.value_size));
            if let Some(lock) = map.info.lock {
                out[start + lock as usize..start + (lock + LOCK_BYTES) as usize].fill(0);
            }
            if map.info.kind.is_per_cpu() {
                out.resize(out.len().next_multiple_of(8), 0);
            }
        }
        Ok(())
    }

    pub(crate) fn entries(&self, map: MapId) -> Result<Vec<Entry>, MapError> {
        let map = self.map(map, None)?;
        let copies = map.info.copies(map.vcpus);
        let array = |at: u32| (at.to_le_bytes().to_vec(), map.values(at * copies));
        let mut entries: Vec<Entry> = match &map.contents.directory {
            Directory::Array => return Ok((0..map.info.max_entries).map(array).collect()),
            Directory::Sparse(there) => {
                return Ok((0..).zip(there).filter(|(_, there)| **there).map(|(at, _)| array(at)).collect());
            }
            Directory::Hash(index) => {
                let keyed = map.contents.keyed();
                index.elements(keyed).map(|at| (keyed.key(at).to_vec(), map.values(at * copies))).collect()
            }
            Directory::Trie(trie) => {
                trie.entries().into_iter().map(|(key, element)| (key, map.values(element))).collect()
            }
            Directory::Ring(_) | Directory::Perf => Vec::new(),
        };
        entries.sort();
        Ok(entries)
    }

    pub(crate) fn update(
        &mut self,
        map: MapId,
        key: &[u8],
        values: Values<'_>,
        update: Update,
    ) -> Result<(), MapError> {
        if self.map(map, Some(key))?.info.frozen {
            return Err(MapError::Frozen);
        }
        self.set(map, key, values, update)
    }

    /// What an update of a map of maps is to put there, if it may.
    pub(super) fn checked_inner(
        &self,
        map: MapId,
        key: &[u8],
        values: Values<'_>,
        update: Update,
    ) -> Result<MapId, MapError> {
        let map = self.map(map, Some(key))?;
        values.check(&map.info, 1)?;
        let value = values.get(0, &map.info).unwrap_or_default();
        self.check_reference(&map, value, update)?;
        number(value).and_then(|inner| u16::try_from(inner).ok()).map(MapId).ok_or(MapError::Reference)
    }

    /// An update, also of a frozen map.
    pub(crate) fn set(&mut self, map: MapId, key: &[u8], values: Values<'_>, update: Update) -> Result<(), MapError> {
        let id = map;
        let map = self.map(id, Some(key))?;
        let info = map.info;
        let copies = info.copies(self.vcpus);
        values.check(&info, copies)?;
        let first = values.get(0, &info).unwrap_or_default();
        self.check_reference(&map, first, update)?;
        let slot = id.index();
        let hash = self.hash.hash(key);
        let contents = &mut self.contents[slot];
        let element = match &mut contents.directory {
            Directory::Array | Directory::Sparse(_) => {
                let at = array_index(key).filter(|&at| at < info.max_entries).ok_or(MapError::Full)?;
                if update == Update::NoExist {
                    return Err(MapError::Exists);
                }
                if let Directory::Sparse(there) = &mut contents.directory {
                    // __dev_map_update_elem: interface 0 empties the entry.
                    there[at as usize] = info.kind != MapKind::Devmap || number(first) != Some(0);
                }
                at * copies
            }
            Directory::Hash(index) => {
                let keyed = contents.keys.as_mut().unwrap_or(&mut contents.elements);
                let old = index.find(keyed, hash, key).element;
                // __dev_map_hash_update_elem does not ask whether the key is there.
                let exist = update == Update::Exist && info.kind != MapKind::DevmapHash;
                refuse(update == Update::NoExist, exist, old)?;
                match old {
                    Some(old) if info.kind.is_per_cpu() => old * copies,
                    _ => {
                        while old.is_none() && index.must_evict() {
                            let (victim, _) = index.victim(|_| false).ok_or(MapError::Full)?;
                            index.evict(keyed, self.hash.hash(keyed.key(victim)), victim);
                        }
                        let element = index.reserve(old.is_none()).ok_or(MapError::Full)?;
                        index.swap(keyed, hash, key, element, old.is_none());
                        element * copies
                    }
                }
            }
            Directory::Trie(trie) => {
                if !trie.fits(key) {
                    return Err(MapError::Invalid);
                }
                let old = trie.exact(key, |_| ()).element;
                refuse(update == Update::NoExist, update == Update::Exist, old)?;
                let element = trie.reserve(old.is_none()).ok_or(MapError::Full)?;
                trie.swap(key, element, old.is_none());
                element
            }
            Directory::Ring(_) | Directory::Perf => return Err(MapError::Invalid),
        };
        for copy in 0..copies {
            let to = contents.elements.value_mut(element + copy, info.value_size);
            match values.get(copy, &info) {
                Some(value) => info.copy_value(to, value),
                None => to.fill(0),
            }
        }
        Ok(())
    }

    /// What a reference has to name.
    fn check_reference(&self, map: &Map<'_>, value: &[u8], update: Update) -> Result<(), MapError> {
        let to = number(value).unwrap_or(0);
        match map.info.kind {
            MapKind::ProgArray if to >= map.object.entries => Err(MapError::Reference),
            // bpf_fd_array_map_update_elem takes no flags.
            MapKind::ProgArray | MapKind::ArrayOfMaps if update != Update::Any => Err(MapError::Invalid),
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => {
                let inner = u16::try_from(to).ok().map(MapId).filter(|&inner| self.object(inner).is_some());
                let inner = &self.infos[inner.ok_or(MapError::Reference)?.index()];
                let like = map.object.inner.is_none_or(|all| all == inner.as_inner());
                if inner.is_ordinary() && like { Ok(()) } else { Err(MapError::Reference) }
            }
            // No program runs at the egress.
            MapKind::Devmap | MapKind::DevmapHash
                if value.get(4..).is_some_and(|program| number(program).is_some_and(|fd| fd as i32 > 0)) =>
            {
                Err(MapError::Reference)
            }
            MapKind::DevmapHash if to == 0 => Err(MapError::Reference),
            _ => Ok(()),
        }
    }

    pub(crate) fn delete(&mut self, map: MapId, key: &[u8]) -> Result<(), MapError> {
        let info = self.map(map, Some(key))?.info;
        if info.frozen {
            return Err(MapError::Frozen);
        }
        let hash = self.hash.hash(key);
        let contents = &mut self.contents[map.index()];
        let gone = match &mut contents.directory {
            Directory::Array | Directory::Ring(_) | Directory::Perf => return Err(MapError::Invalid),
            Directory::Sparse(there) => {
                let beyond = if info.kind == MapKind::Devmap { MapError::Invalid } else { MapError::Full };
                let at = array_index(key).and_then(|at| there.get_mut(at as usize)).ok_or(beyond)?;
                // dev_map_delete_elem does not tell whether there was one.
                std::mem::take(at) || info.kind == MapKind::Devmap
            }
            Directory::Hash(index) => {
                let keyed = contents.keys.as_mut().unwrap_or(&mut contents.elements);
                index.remove(keyed, hash, key).element.is_some()
            }
            Directory::Trie(trie) if !trie.fits(key) => return Err(MapError::Invalid),
            Directory::Trie(trie) => trie.remove(key, |_| ()).element.is_some(),
        };
        if gone { Ok(()) } else { Err(MapError::NoSuchKey) }
    }
}

/// What the flags of an update say about a key that is there or not.
fn refuse(no_exist: bool, exist: bool, old: Option<u32>) -> Result<(), MapError> {
    match old {
        Some(_) if no_exist => Err(MapError::Exists),
        None if exist => Err(MapError::NoSuchKey),
        _ => Ok(()),
    }
}
