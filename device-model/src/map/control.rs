//! The control plane's operations on maps. They take effect at once, between two cycles; the kernel's user-space semantics
//! (`bpf_map_update_value` and others of kernel/bpf/syscall.c).

use offwire_image::MapKind;

use super::index::KeyHash;
use super::table::{Contents, MapInfo, Table};
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

impl Map<'_> {
    /// Element of the key's first copy.
    fn element(&self, key: &[u8]) -> Option<u32> {
        match &self.contents.index {
            Some(index) => index.find(&self.contents.elements, self.hash.hash(key), key).element,
            None => {
                let index = key.first_chunk::<4>().map(|key| u32::from_le_bytes(*key))?;
                (index < self.info.max_entries).then(|| index * self.info.copies(self.vcpus))
            }
        }
    }

    fn values(&self, element: u32) -> Vec<Vec<u8>> {
        (0..self.info.copies(self.vcpus))
            .map(|copy| self.contents.elements.value(element + copy, self.info.value_size).to_vec())
            .collect()
    }
}

impl Table {
    fn map(&self, slot: usize, key: Option<&[u8]>, vcpus: u32) -> Result<Map<'_>, MapError> {
        let info = *self.infos.get(slot).ok_or(MapError::Slot(slot))?;
        if let Some(key) = key
            && key.len() as u64 != u64::from(info.key_size)
        {
            return Err(MapError::KeySize { given: key.len(), expected: info.key_size });
        }
        Ok(Map { info, contents: &self.contents[slot], hash: &self.hash, vcpus })
    }

    pub(crate) fn lookup(&self, slot: usize, key: &[u8], cpu: u16, vcpus: u32) -> Result<Option<Vec<u8>>, MapError> {
        let map = self.map(slot, Some(key), vcpus)?;
        if u32::from(cpu) >= vcpus {
            return Err(MapError::Vcpu(cpu));
        }
        let copy = if map.info.kind.is_per_cpu() { u32::from(cpu) } else { 0 };
        Ok(map.element(key).map(|element| map.contents.elements.value(element + copy, map.info.value_size).to_vec()))
    }

    pub(crate) fn entries(&self, slot: usize, vcpus: u32) -> Result<Vec<Entry>, MapError> {
        let map = self.map(slot, None, vcpus)?;
        let elements = &map.contents.elements;
        let mut entries: Vec<Entry> = match &map.contents.index {
            Some(index) => {
                index.elements(elements).map(|element| (elements.key(element).to_vec(), map.values(element))).collect()
            }
            None => (0..map.info.max_entries)
                .map(|key| (key.to_le_bytes().to_vec(), map.values(key * map.info.copies(vcpus))))
                .collect(),
        };
        if map.info.kind == MapKind::Hash {
            entries.sort();
        }
        Ok(entries)
    }

    pub(crate) fn update(
        &mut self,
        slot: usize,
        key: &[u8],
        values: &[Vec<u8>],
        update: Update,
        vcpus: u32,
    ) -> Result<(), MapError> {
        let map = self.map(slot, Some(key), vcpus)?;
        let info = map.info;
        let copies = info.copies(vcpus);
        if info.frozen {
            return Err(MapError::Frozen);
        }
        if values.is_empty() || values.len() as u64 > u64::from(copies) {
            return Err(MapError::Values { given: values.len(), expected: copies });
        }
        if let Some(value) = values.iter().find(|value| value.len() as u64 != u64::from(info.value_size)) {
            return Err(MapError::ValueSize { given: value.len(), expected: info.value_size });
        }
        let element = map.element(key);
        match (update, element) {
            (Update::NoExist, Some(_)) => return Err(MapError::Exists),
            (Update::Exist, None) if info.kind == MapKind::Hash => return Err(MapError::NoSuchKey),
            _ => {}
        }
        let hash = self.hash.hash(key);
        let contents = &mut self.contents[slot];
        let element = match &mut contents.index {
            Some(index) => {
                let fresh = index.reserve(&contents.elements, element.is_none()).ok_or(MapError::Full)?;
                index.swap(&mut contents.elements, hash, key, fresh);
                fresh
            }
            None => element.ok_or(MapError::Full)?,
        };
        for copy in 0..copies {
            let to = contents.elements.value_mut(element + copy, info.value_size);
            match values.get(copy as usize) {
                Some(value) => to.copy_from_slice(value),
                None => to.fill(0),
            }
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, slot: usize, key: &[u8], vcpus: u32) -> Result<(), MapError> {
        let info = self.map(slot, Some(key), vcpus)?.info;
        if info.frozen {
            return Err(MapError::Frozen);
        }
        let hash = self.hash.hash(key);
        let contents = &mut self.contents[slot];
        match &mut contents.index {
            None => Err(MapError::Invalid),
            Some(index) => {
                index.remove(&mut contents.elements, hash, key).element.map(|_| ()).ok_or(MapError::NoSuchKey)
            }
        }
    }
}
