//! The control plane's operations on maps. They take effect at once, between two cycles; the kernel's user-space semantics
//! (`bpf_map_update_value` and others of kernel/bpf/syscall.c).

use offwire_image::MapKind;

use super::index::KeyHash;
use super::table::{Contents, Directory, LOCK_BYTES, MapInfo, Table};
use crate::error::MapError;

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

/// A map that the control plane works on.
struct Map<'a> {
    info: MapInfo,
    contents: &'a Contents,
    hash: &'a KeyHash,
    vcpus: u32,
}

/// The index that an array's key holds.
fn array_index(key: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*key.first_chunk::<4>()?))
}

impl Map<'_> {
    /// Element of the key's first copy.
    fn element(&self, key: &[u8]) -> Option<u32> {
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
fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

impl Table {
    fn map(&self, slot: usize, key: Option<&[u8]>, vcpus: u32) -> Result<Map<'_>, MapError> {
        let info = *self.infos.get(slot).ok_or(MapError::Slot(slot))?;
        if let Some(key) = key {
            if matches!(info.kind, MapKind::Ringbuf | MapKind::PerfEventArray) {
                return Err(MapError::Invalid);
            }
            if key.len() as u64 != u64::from(info.key_size) {
                return Err(MapError::KeySize { given: key.len(), expected: info.key_size });
            }
        }
        Ok(Map { info, contents: &self.contents[slot], hash: &self.hash, vcpus })
    }

    pub(crate) fn lookup(&self, slot: usize, key: &[u8], cpu: u16, vcpus: u32) -> Result<Option<Vec<u8>>, MapError> {
        let map = self.map(slot, Some(key), vcpus)?;
        if u32::from(cpu) >= vcpus {
            return Err(MapError::Vcpu(cpu));
        }
        let copy = if map.info.kind.is_per_cpu() { u32::from(cpu) } else { 0 };
        Ok(map.element(key).map(|element| map.value(element + copy)))
    }

    pub(crate) fn entries(&self, slot: usize, vcpus: u32) -> Result<Vec<Entry>, MapError> {
        let map = self.map(slot, None, vcpus)?;
        let array = |at: u32| (at.to_le_bytes().to_vec(), map.values(at * map.info.copies(vcpus)));
        let mut entries: Vec<Entry> = match &map.contents.directory {
            Directory::Array => return Ok((0..map.info.max_entries).map(array).collect()),
            Directory::Sparse(there) => {
                return Ok((0..).zip(there).filter(|(_, there)| **there).map(|(at, _)| array(at)).collect());
            }
            Directory::Hash(index) => {
                let keyed = map.contents.keyed();
                let copies = map.info.copies(vcpus);
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

    /// Puts an initial element of the image in its place.
    pub(crate) fn link(&mut self, slot: usize, key: u32, to: u32, vcpus: u32) -> Result<(), MapError> {
        let info = self.map(slot, None, vcpus)?.info;
        if !matches!(info.kind, MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps) {
            return Err(MapError::Invalid);
        }
        let value = to.to_le_bytes().to_vec();
        self.set(slot, &key.to_le_bytes(), &[value], Update::Any, vcpus)?;
        if info.kind != MapKind::ProgArray {
            self.templates[slot].get_or_insert(to as u8);
        }
        Ok(())
    }

    pub(crate) fn update(
        &mut self,
        slot: usize,
        key: &[u8],
        values: &[Vec<u8>],
        update: Update,
        vcpus: u32,
    ) -> Result<(), MapError> {
        if self.map(slot, Some(key), vcpus)?.info.frozen {
            return Err(MapError::Frozen);
        }
        self.set(slot, key, values, update, vcpus)
    }

    /// An update, also of a frozen map.
    fn set(&mut self, slot: usize, key: &[u8], values: &[Vec<u8>], update: Update, vcpus: u32) -> Result<(), MapError> {
        let map = self.map(slot, Some(key), vcpus)?;
        let info = map.info;
        let copies = info.copies(vcpus);
        if values.is_empty() || values.len() as u64 > u64::from(copies) {
            return Err(MapError::Values { given: values.len(), expected: copies });
        }
        if let Some(value) = values.iter().find(|value| value.len() as u64 != u64::from(info.value_size)) {
            return Err(MapError::ValueSize { given: value.len(), expected: info.value_size });
        }
        self.check_reference(slot, info.kind, &values[0], update)?;
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
                    there[at as usize] = info.kind != MapKind::Devmap || number(&values[0]) != Some(0);
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
                            let victim = keyed.key(victim).to_vec();
                            index.remove(keyed, self.hash.hash(&victim), &victim);
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
            match values.get(copy as usize) {
                Some(value) => info.copy_value(to, value),
                None => to.fill(0),
            }
        }
        Ok(())
    }

    /// What a reference has to name.
    fn check_reference(&self, slot: usize, kind: MapKind, value: &[u8], update: Update) -> Result<(), MapError> {
        let to = number(value).unwrap_or(0);
        match kind {
            MapKind::ProgArray if to >= self.programs => Err(MapError::Reference),
            // bpf_fd_array_map_update_elem takes no flags.
            MapKind::ProgArray | MapKind::ArrayOfMaps if update != Update::Any => Err(MapError::Invalid),
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => {
                let inner = self.infos.get(to as usize).ok_or(MapError::Reference)?;
                // Maps whose elements are values or records; the inner map of a map of maps is none (bpf_map_meta_alloc).
                let ordinary = inner.serves(offwire_isa::RequestOp::Delete) || inner.kind == MapKind::Ringbuf;
                let like = match self.templates[slot].and_then(|template| self.infos.get(usize::from(template))) {
                    // bpf_map_meta_equal, array_map_meta_equal
                    Some(template) => {
                        let array = matches!(inner.kind, MapKind::Array | MapKind::PercpuArray);
                        template.kind == inner.kind
                            && template.key_size == inner.key_size
                            && template.value_size == inner.value_size
                            && template.any_length == inner.any_length
                            && (!array || inner.any_length || template.max_entries == inner.max_entries)
                    }
                    None => true,
                };
                if ordinary && like { Ok(()) } else { Err(MapError::Reference) }
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

    pub(crate) fn delete(&mut self, slot: usize, key: &[u8], vcpus: u32) -> Result<(), MapError> {
        let info = self.map(slot, Some(key), vcpus)?.info;
        if info.frozen {
            return Err(MapError::Frozen);
        }
        let hash = self.hash.hash(key);
        let contents = &mut self.contents[slot];
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
