//! The map table of the running image: geometry, values and indices. What happens at what cycle is `map::unit`'s.

use offwire_image::{ELEMENTS_MAX, Link, Lock, MAPS_MAX, MapKind, MapSpec, VALUE_BYTES_MAX};
use offwire_isa::{Profile, RequestOp};

use super::index::{Elements, Index, KeyHash};
use crate::error::{LoadError, MapRefusal};
use crate::geometry::KEY_BYTES_MAX;

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

    /// True if maps of this kind answer such requests; an engine does not send others.
    pub(crate) fn serves(&self, op: RequestOp) -> bool {
        use MapKind::*;
        let values = matches!(self.kind, Hash | Array | PercpuHash | PercpuArray | LruHash | LpmTrie);
        match op {
            RequestOp::Lookup => values || matches!(self.kind, ArrayOfMaps | HashOfMaps | Devmap | DevmapHash),
            RequestOp::RedirectMap => matches!(self.kind, Devmap | DevmapHash | Cpumap | Xskmap),
            RequestOp::TailCall => self.kind == ProgArray,
            RequestOp::PerfOutput => self.kind == PerfEventArray,
            RequestOp::RingReserve | RequestOp::RingOutput | RequestOp::RingQuery => self.kind == Ringbuf,
            _ => values,
        }
    }
}

/// What an image says of maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapImage<'a> {
    /// The maps.
    pub maps: &'a [MapSpec],
    /// Initial elements of program arrays and maps of maps.
    pub links: &'a [Link],
    /// Spin locks in map values.
    pub locks: &'a [Lock],
    /// Programs that tail calls can go to.
    pub programs: usize,
}

/// A map's contents.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub elements: Elements,
    pub index: Option<Index>,
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
    pub(crate) fn new(image: MapImage<'_>, profile: &Profile, seed: u64) -> Result<Self, LoadError> {
        let specs = image.maps;
        if let Some(link) = image.links.iter().find(|link| usize::from(link.map) >= specs.len()) {
            return Err(LoadError::Link { map: link.map, key: link.key });
        }
        if let Some(lock) = image.locks.first() {
            return Err(LoadError::Lock { map: lock.map, offset: lock.offset });
        }
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

/// The key size of a map whose elements hold their keys.
fn held_key(info: &MapInfo) -> Option<u32> {
    (info.kind == MapKind::Hash).then_some(info.key_size)
}

/// Bytes of map memory that a map takes: its elements, and for a hash map 4 B a bucket.
fn memory(info: &MapInfo, profile: &Profile) -> u64 {
    let heads = match held_key(info) {
        Some(_) => Index::buckets(info.max_entries, profile.map_banks) * 4,
        None => 0,
    };
    u64::from(info.elements) * Elements::stride(info.value_size, held_key(info)) + heads
}

fn contents(spec: &MapSpec, info: &MapInfo, profile: &Profile) -> Contents {
    let mut elements = Elements::new(info.elements, info.value_size, held_key(info));
    if !spec.init.is_empty() {
        for copy in 0..info.copies(profile.vcpus) {
            elements.value_mut(copy, spec.init.len() as u32).copy_from_slice(&spec.init);
        }
    }
    let index = held_key(info).map(|_| Index::new(info.max_entries, profile.map_banks));
    Contents { elements, index }
}
