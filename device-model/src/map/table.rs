//! The map table of the running image: geometry, values and indices. What happens at what cycle is `map::unit`'s.

use offwire_image::{ELEMENTS_MAX, MAPS_MAX, MapKind, MapSpec, VALUE_BYTES_MAX};
use offwire_isa::Profile;

use super::index::{Index, KeyHash};
use crate::error::{LoadError, MapRefusal};

/// `BPF_F_*` of include/uapi/linux/bpf.h.
mod flag {
    pub(super) const NO_PREALLOC: u32 = 1 << 0;
    pub(super) const NUMA_NODE: u32 = 1 << 2;
    pub(super) const RDONLY: u32 = 1 << 3;
    pub(super) const WRONLY: u32 = 1 << 4;
    pub(super) const ZERO_SEED: u32 = 1 << 6;
    pub(super) const RDONLY_PROG: u32 = 1 << 7;
    pub(super) const WRONLY_PROG: u32 = 1 << 8;
    pub(super) const MMAPABLE: u32 = 1 << 10;
    /// Flags that change nothing here, or what is done about them is done below. RDONLY and WRONLY bind the user's side.
    pub(super) const KNOWN: u32 =
        NO_PREALLOC | NUMA_NODE | RDONLY | WRONLY | ZERO_SEED | RDONLY_PROG | WRONLY_PROG | MMAPABLE;
}

/// Longest key of a hash map.
const KEY_BYTES_MAX: u32 = 512;

/// What the engines need to know of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapInfo {
    pub kind: MapKind,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// Elements that a handle may name: entries times vCPUs, or entries and spares of a hash map.
    pub elements: u32,
    /// The program cannot change it.
    pub read_only: bool,
    /// The user cannot change it either.
    pub frozen: bool,
}

impl MapInfo {
    /// Copies of a value.
    pub(crate) fn copies(&self, vcpus: u32) -> u32 {
        if self.kind.is_per_cpu() { vcpus } else { 1 }
    }
}

/// A map's contents.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub values: Vec<u8>,
    pub stride: usize,
    pub index: Option<Index>,
}

impl Contents {
    /// The bytes of an element's value.
    #[inline(always)]
    pub(crate) fn value(&self, element: u32, size: u32) -> &[u8] {
        let start = element as usize * self.stride;
        &self.values[start..start + size as usize]
    }

    #[inline(always)]
    pub(crate) fn value_mut(&mut self, element: u32, size: u32) -> &mut [u8] {
        let start = element as usize * self.stride;
        &mut self.values[start..start + size as usize]
    }
}

/// All maps of an image.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub infos: Vec<MapInfo>,
    pub contents: Vec<Contents>,
    pub hash: KeyHash,
}

impl Table {
    /// The table without maps.
    pub(crate) fn empty() -> Self {
        Table { infos: Vec::new(), contents: Vec::new(), hash: KeyHash::new(0, 8) }
    }

    /// Builds the maps of an image with their initial contents.
    pub(crate) fn new(specs: &[MapSpec], profile: &Profile, seed: u64) -> Result<Self, LoadError> {
        if specs.len() > MAPS_MAX {
            return Err(LoadError::TooManyMaps { maps: specs.len() });
        }
        let refuse = |spec: &MapSpec, why| LoadError::Map { name: spec.name.clone(), why };
        let mut infos = Vec::with_capacity(specs.len());
        let mut bytes = 0u64;
        for spec in specs {
            let info = info(spec, profile).map_err(|why| refuse(spec, why))?;
            bytes = bytes.saturating_add(memory(&info, profile));
            infos.push(info);
        }
        if bytes > u64::from(profile.map_memory_bytes) {
            return Err(LoadError::MapMemory { needed: bytes, available: profile.map_memory_bytes });
        }
        let contents = specs.iter().zip(&infos).map(|(spec, info)| contents(spec, info, profile)).collect();
        let longest = infos.iter().map(|info| info.key_size).max().unwrap_or(0);
        Ok(Table { infos, contents, hash: KeyHash::new(seed, longest.max(8)) })
    }
}

/// Spare elements of a hash map: one update can be on its way in each index bank, and the control plane has one.
fn spares(profile: &Profile) -> u32 {
    profile.map_banks + 1
}

fn info(spec: &MapSpec, profile: &Profile) -> Result<MapInfo, MapRefusal> {
    if spec.flags & !flag::KNOWN != 0 {
        return Err(MapRefusal::Flags(spec.flags & !flag::KNOWN));
    }
    if spec.max_entries == 0 {
        return Err(MapRefusal::NoEntries);
    }
    if spec.value_size == 0 || spec.value_size > VALUE_BYTES_MAX {
        return Err(MapRefusal::ValueSize(spec.value_size));
    }
    if spec.init.len() as u64 > u64::from(spec.value_size) {
        return Err(MapRefusal::InitSize { init: spec.init.len(), value_size: spec.value_size });
    }
    let elements = match spec.kind {
        MapKind::Array | MapKind::PercpuArray => {
            if spec.key_size != 4 {
                return Err(MapRefusal::KeySize(spec.key_size));
            }
            let copies = if spec.kind.is_per_cpu() { profile.vcpus } else { 1 };
            u64::from(spec.max_entries) * u64::from(copies)
        }
        MapKind::Hash => {
            if spec.key_size == 0 || spec.key_size > KEY_BYTES_MAX {
                return Err(MapRefusal::KeySize(spec.key_size));
            }
            if !spec.init.is_empty() {
                return Err(MapRefusal::InitSize { init: spec.init.len(), value_size: 0 });
            }
            u64::from(spec.max_entries) + u64::from(spares(profile))
        }
        kind => return Err(MapRefusal::Kind(kind)),
    };
    if elements > ELEMENTS_MAX {
        return Err(MapRefusal::Elements(elements));
    }
    Ok(MapInfo {
        kind: spec.kind,
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries: spec.max_entries,
        elements: elements as u32,
        read_only: spec.frozen || spec.flags & flag::RDONLY_PROG != 0,
        frozen: spec.frozen,
    })
}

fn stride(value_size: u32) -> u32 {
    value_size.next_multiple_of(8)
}

/// Bytes of map memory that a map takes: values in steps of 8 B; for a hash map also keys in steps of 8 B, a link an element
/// and a head a bucket.
fn memory(info: &MapInfo, profile: &Profile) -> u64 {
    let mut element = u64::from(stride(info.value_size));
    let mut rest = 0;
    if info.kind == MapKind::Hash {
        element += u64::from(info.key_size.next_multiple_of(8)) + 4;
        rest = Index::buckets(info.max_entries, profile.map_banks) * 4;
    }
    u64::from(info.elements) * element + rest
}

fn contents(spec: &MapSpec, info: &MapInfo, profile: &Profile) -> Contents {
    let stride = stride(info.value_size) as usize;
    let mut values = vec![0; info.elements as usize * stride];
    if !spec.init.is_empty() {
        for copy in 0..info.copies(profile.vcpus) as usize {
            values[copy * stride..][..spec.init.len()].copy_from_slice(&spec.init);
        }
    }
    let index = (info.kind == MapKind::Hash)
        .then(|| Index::new(info.key_size, info.max_entries, spares(profile), profile.map_banks));
    Contents { values, stride, index }
}
