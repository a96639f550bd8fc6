//! The map table of the running image: geometry, values and indices. What happens at what cycle is `map::unit`'s.

use offwire_image::{ELEMENTS_MAX, Link, Lock, MAPS_MAX, MapKind, MapSpec, VALUE_BYTES_MAX};
use offwire_isa::{Profile, RequestOp};

use super::index::{Elements, Index, KeyHash};
use super::pool::Reuse;
use super::ring::Ring;
use super::trie::Trie;
use crate::error::{LoadError, MapRefusal};
use crate::geometry::KEY_BYTES_MAX;

/// `BPF_F_*` of include/uapi/linux/bpf.h.
mod flag {
    pub(super) const NO_PREALLOC: u32 = 1 << 0;
    pub(super) const NO_COMMON_LRU: u32 = 1 << 1;
    pub(super) const NUMA_NODE: u32 = 1 << 2;
    pub(super) const RDONLY: u32 = 1 << 3;
    pub(super) const WRONLY: u32 = 1 << 4;
    pub(super) const ZERO_SEED: u32 = 1 << 6;
    pub(super) const RDONLY_PROG: u32 = 1 << 7;
    pub(super) const WRONLY_PROG: u32 = 1 << 8;
    pub(super) const MMAPABLE: u32 = 1 << 10;
    pub(super) const INNER_MAP: u32 = 1 << 12;
    /// Flags that change nothing here, or what is done about them is done below. RDONLY and WRONLY bind the user's side.
    pub(super) const KNOWN: u32 =
        NO_PREALLOC | NUMA_NODE | RDONLY | WRONLY | ZERO_SEED | RDONLY_PROG | WRONLY_PROG | MMAPABLE;
}

/// Page of the kernel's `PAGE_SIZE`; ring buffers are made of whole ones.
const PAGE: u32 = 4096;
/// Data bytes of an LPM trie's key, at most (`LPM_DATA_SIZE_MAX`), and the prefix length before them.
const LPM_DATA_MAX: u32 = 256;
const LPM_LENGTH: u32 = 4;
/// Bytes that an LRU map keeps an element in order with: two links, and the mark of a lookup in their spare bits.
const LRU_BYTES: u64 = 8;

/// What the engines need to know of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapInfo {
    pub kind: MapKind,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// Elements that a handle may name: entries times vCPUs, or entries and spares of a hash map; none of a map whose elements
    /// are programs, maps or records.
    pub elements: u32,
    /// The program cannot change it.
    pub read_only: bool,
    /// The user cannot change it either.
    pub frozen: bool,
    /// Where values hold a spin lock: updates leave its bytes alone.
    pub lock: Option<u32>,
    /// BPF_F_INNER_MAP: arrays of any length may stand beside it in a map of maps.
    pub any_length: bool,
}

/// Bytes of a `struct bpf_spin_lock`.
pub(crate) const LOCK_BYTES: u32 = 4;

impl MapInfo {
    /// Copies of a value.
    pub(crate) fn copies(&self, vcpus: u32) -> u32 {
        if self.kind.is_per_cpu() { vcpus } else { 1 }
    }

    /// True if a map of this kind can serve a request of a program.
    pub(crate) fn serves(&self, op: RequestOp) -> bool {
        use MapKind::*;
        match op {
            RequestOp::Lookup => !matches!(self.kind, ProgArray | PerfEventArray | Ringbuf | Cpumap | Xskmap),
            RequestOp::RedirectMap => matches!(self.kind, Devmap | DevmapHash),
            RequestOp::TailCall => self.kind == ProgArray,
            RequestOp::PerfOutput => self.kind == PerfEventArray,
            RequestOp::RingReserve | RequestOp::RingOutput | RequestOp::RingQuery => self.kind == Ringbuf,
            // What is left works on values: the map has some, and the program may see them.
            _ => matches!(self.kind, Hash | Array | PercpuHash | PercpuArray | LruHash | LpmTrie),
        }
    }

    /// Copies a value to its element; a spin lock in it stays as it is (`copy_map_value`).
    #[inline]
    pub(crate) fn copy_value(&self, to: &mut [u8], from: &[u8]) {
        match self.lock {
            None => to.copy_from_slice(from),
            Some(lock) => {
                let (lock, behind) = (lock as usize, (lock + LOCK_BYTES) as usize);
                to[..lock].copy_from_slice(&from[..lock]);
                to[behind..].copy_from_slice(&from[behind..]);
            }
        }
    }
}

/// How elements are found.
#[derive(Clone, Debug)]
pub(crate) enum Directory {
    /// By index: all are there.
    Array,
    /// By index: an entry for each that is there.
    Sparse(Vec<bool>),
    Hash(Index),
    Trie(Trie),
    Ring(Ring),
    /// Not at all: the host's perf events, one for each vCPU.
    Perf,
}

/// A map's contents.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Values; those of a hash map hold their keys.
    pub elements: Elements,
    /// Keys of a per-CPU hash map, by entry.
    pub keys: Option<Elements>,
    pub directory: Directory,
}

impl Contents {
    /// The index of a hash map, and the elements that hold its keys.
    #[inline]
    pub(crate) fn hash(&mut self) -> Option<(&mut Index, &mut Elements)> {
        match &mut self.directory {
            Directory::Hash(index) => Some((index, self.keys.as_mut().unwrap_or(&mut self.elements))),
            _ => None,
        }
    }

    /// Elements that hold keys.
    pub(crate) fn keyed(&self) -> &Elements {
        self.keys.as_ref().unwrap_or(&self.elements)
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

/// All maps of an image.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub infos: Vec<MapInfo>,
    pub contents: Vec<Contents>,
    pub hash: KeyHash,
    /// Programs that tail calls can go to.
    pub programs: u32,
    /// For maps of maps the slot of a map that all inner ones are like, if the image names one.
    pub templates: Vec<Option<u8>>,
}

impl Table {
    /// The table without maps.
    pub(crate) fn empty() -> Self {
        Table { infos: Vec::new(), contents: Vec::new(), hash: KeyHash::new(0, 8), programs: 0, templates: Vec::new() }
    }

    /// Builds the maps of an image with their initial contents.
    pub(crate) fn new(image: MapImage<'_>, profile: &Profile, seed: u64) -> Result<Self, LoadError> {
        let maps = image.maps;
        if maps.len() > MAPS_MAX {
            return Err(LoadError::TooManyMaps { maps: maps.len() });
        }
        let refuse = |spec: &MapSpec, why| LoadError::Map { name: spec.name.clone(), why };
        let mut infos = Vec::with_capacity(maps.len());
        let mut bytes = 0u64;
        for spec in maps {
            let info = info(spec, profile).map_err(|why| refuse(spec, why))?;
            bytes = bytes.saturating_add(memory(&info, profile));
            infos.push(info);
        }
        if bytes > u64::from(profile.map_memory_bytes) {
            return Err(LoadError::MapMemory { needed: bytes, available: profile.map_memory_bytes });
        }
        for lock in image.locks {
            let info = infos.get_mut(usize::from(lock.map)).filter(|info| {
                let fits = lock.offset.checked_add(LOCK_BYTES).is_some_and(|end| end <= info.value_size);
                // map_check_btf of kernel/bpf/syscall.c; a value holds one lock at most.
                let kind = matches!(info.kind, MapKind::Hash | MapKind::Array);
                fits && kind && lock.offset.is_multiple_of(4) && info.lock.is_none()
            });
            info.ok_or(LoadError::Lock { map: lock.map, offset: lock.offset })?.lock = Some(lock.offset);
        }
        let contents = maps.iter().zip(&infos).map(|(spec, info)| contents(spec, info, profile)).collect();
        let longest = infos.iter().map(|info| info.key_size).max().unwrap_or(0);
        let mut table = Table {
            templates: vec![None; infos.len()],
            infos,
            contents,
            hash: KeyHash::new(seed, longest.max(8)),
            programs: image.programs.min(u32::MAX as usize) as u32,
        };
        for link in image.links {
            let done = table.link(usize::from(link.map), link.key, link.to, profile.vcpus);
            done.map_err(|_| LoadError::Link { map: link.map, key: link.key })?;
        }
        Ok(table)
    }
}

/// Spare elements of a hash map or trie: one update can be on its way in each index bank, and the control plane has one. Copies
/// for vCPUs are updated in place.
fn spares(kind: MapKind, profile: &Profile) -> u32 {
    if kind.is_per_cpu() { 0 } else { profile.map_banks + 1 }
}

fn info(spec: &MapSpec, profile: &Profile) -> Result<MapInfo, MapRefusal> {
    use MapKind::*;
    let kind = spec.kind;
    let known = flag::KNOWN
        | match kind {
            LruHash => flag::NO_COMMON_LRU,
            Array => flag::INNER_MAP,
            _ => 0,
        };
    if spec.flags & !known != 0 {
        return Err(MapRefusal::Flags(spec.flags & !known));
    }
    let no_prealloc = spec.flags & flag::NO_PREALLOC != 0;
    let max_entries = match (kind, spec.max_entries) {
        // As libbpf makes it.
        (PerfEventArray, 0) => profile.vcpus,
        (_, 0) => return Err(MapRefusal::NoEntries),
        (Ringbuf, size) if !size.is_power_of_two() || !size.is_multiple_of(PAGE) || size > VALUE_BYTES_MAX => {
            return Err(MapRefusal::RingSize(size));
        }
        (_, entries) => entries,
    };
    let sizes = match kind {
        Ringbuf => 0..=0,
        Devmap | DevmapHash => 4..=8,
        ProgArray | PerfEventArray | ArrayOfMaps | HashOfMaps => 4..=4,
        _ => 1..=VALUE_BYTES_MAX,
    };
    if !sizes.contains(&spec.value_size) || (matches!(kind, Devmap | DevmapHash) && !spec.value_size.is_multiple_of(4))
    {
        return Err(MapRefusal::ValueSize(spec.value_size));
    }
    let limit = if matches!(kind, Array | PercpuArray) { spec.value_size } else { 0 };
    if spec.init.len() as u64 > u64::from(limit) {
        return Err(MapRefusal::InitSize { init: spec.init.len(), value_size: limit });
    }
    let keys = match kind {
        Ringbuf => 0..=0,
        Hash | PercpuHash | LruHash | HashOfMaps => 1..=KEY_BYTES_MAX,
        LpmTrie => LPM_LENGTH + 1..=LPM_LENGTH + LPM_DATA_MAX,
        _ => 4..=4,
    };
    if !keys.contains(&spec.key_size) {
        return Err(MapRefusal::KeySize(spec.key_size));
    }
    // htab_map_alloc_check: what an LRU map gives away must be there; trie_alloc: a trie is never preallocated.
    if matches!(kind, LruHash) && no_prealloc || kind == LpmTrie && !no_prealloc {
        return Err(MapRefusal::Flags(flag::NO_PREALLOC));
    }
    let entries = u64::from(max_entries);
    let elements = match kind {
        Array | Devmap => entries,
        PercpuArray | PercpuHash => entries * u64::from(profile.vcpus),
        Hash | LruHash | LpmTrie | DevmapHash => entries + u64::from(spares(kind, profile)),
        ProgArray | PerfEventArray | ArrayOfMaps | HashOfMaps | Ringbuf => 0,
        Cpumap | Xskmap => return Err(MapRefusal::Kind(kind)),
    };
    if elements.max(entries) > ELEMENTS_MAX {
        return Err(MapRefusal::Elements(elements.max(entries)));
    }
    let references = matches!(kind, Devmap | DevmapHash | ProgArray | PerfEventArray | ArrayOfMaps | HashOfMaps);
    Ok(MapInfo {
        kind,
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries,
        elements: elements as u32,
        read_only: spec.frozen || spec.flags & flag::RDONLY_PROG != 0 || references,
        frozen: spec.frozen,
        lock: None,
        any_length: spec.flags & flag::INNER_MAP != 0,
    })
}

/// True if entries are found by the hash of their key.
fn is_hash(kind: MapKind) -> bool {
    use MapKind::*;
    matches!(kind, Hash | PercpuHash | LruHash | DevmapHash | HashOfMaps)
}

/// The key size of a map whose elements hold their keys.
fn held_key(info: &MapInfo) -> Option<u32> {
    (is_hash(info.kind) && !info.kind.is_per_cpu()).then_some(info.key_size)
}

/// Elements in map memory.
fn count(info: &MapInfo, profile: &Profile) -> u32 {
    use MapKind::*;
    match info.kind {
        ProgArray | ArrayOfMaps => info.max_entries,
        HashOfMaps => info.max_entries + spares(info.kind, profile),
        _ => info.elements,
    }
}

/// Bytes of map memory that a map takes: its elements with their keys, and what finds them.
fn memory(info: &MapInfo, profile: &Profile) -> u64 {
    use MapKind::*;
    let elements = u64::from(count(info, profile));
    let values = elements * Elements::stride(info.value_size, held_key(info));
    let entries = u64::from(info.max_entries);
    let heads = Index::buckets(info.max_entries, profile.map_banks) * 4;
    let directory = match info.kind {
        Hash | DevmapHash | HashOfMaps => heads,
        LruHash => heads + elements * LRU_BYTES,
        PercpuHash => heads + entries * Elements::stride(0, Some(info.key_size)),
        LpmTrie => Trie::nodes(info.max_entries) * Trie::node_bytes(info.key_size),
        Ringbuf => entries,
        _ => 0,
    };
    values + directory
}

fn contents(spec: &MapSpec, info: &MapInfo, profile: &Profile) -> Contents {
    use MapKind::*;
    let mut elements = match info.kind {
        // Steps of 8 B, twice: a record may reach around the end of the ring, and lies in one piece all the same.
        Ringbuf => Elements::new(info.max_entries / 4, 8, None),
        _ => Elements::new(count(info, profile), info.value_size.max(1), held_key(info)),
    };
    if !spec.init.is_empty() {
        for copy in 0..info.copies(profile.vcpus) {
            elements.value_mut(copy, spec.init.len() as u32).copy_from_slice(&spec.init);
        }
    }
    let preallocated = spec.flags & flag::NO_PREALLOC == 0 && info.kind != LruHash;
    let reuse = if preallocated { Reuse::Apart } else { Reuse::Last };
    let index = |elements, lru| Directory::Hash(Index::new(info.max_entries, elements, profile.map_banks, reuse, lru));
    let mut keys = None;
    let directory = match info.kind {
        Devmap | ProgArray | ArrayOfMaps => Directory::Sparse(vec![false; info.max_entries as usize]),
        Hash | DevmapHash | HashOfMaps => index(count(info, profile), false),
        LruHash => index(info.elements, true),
        PercpuHash => {
            keys = Some(Elements::new(info.max_entries, 0, Some(info.key_size)));
            index(info.max_entries, false)
        }
        LpmTrie => Directory::Trie(Trie::new(info.max_entries, info.elements, info.key_size)),
        Ringbuf => Directory::Ring(Ring::new(info.max_entries)),
        PerfEventArray | Cpumap | Xskmap => Directory::Perf,
        Array | PercpuArray => Directory::Array,
    };
    Contents { elements, keys, directory }
}
