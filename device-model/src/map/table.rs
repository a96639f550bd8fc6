//! The maps of the device: geometry, values and indices. What happens at what cycle is `map::unit`'s.

use offwire_image::{ELEMENTS_MAX, Link, Lock, MapKind, MapSpec, VALUE_BYTES_MAX};
use offwire_isa::{Profile, RequestOp};

use super::index::{Elements, Index, KeyHash};
use super::pool::Reuse;
use super::ring::Ring;
use super::trie::Trie;
use crate::counters::MapUse;
use crate::epoch::Grace;
use crate::error::MapRefusal;
use crate::geometry::{KEY_BYTES_MAX, MAPS};
use crate::id::MapId;

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
    /// Number of the map.
    pub id: u16,
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
    /// No map: it has no elements and serves no request.
    pub(crate) const NONE: MapInfo = MapInfo {
        id: u16::MAX,
        kind: MapKind::Cpumap,
        key_size: 0,
        value_size: 0,
        max_entries: 0,
        elements: 0,
        read_only: true,
        frozen: true,
        lock: None,
        any_length: false,
    };

    /// What a map of maps asks of its inner maps if this is one of them.
    pub(crate) fn as_inner(&self) -> InnerType {
        let array = matches!(self.kind, MapKind::Array | MapKind::PercpuArray);
        InnerType {
            kind: self.kind,
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: (array && !self.any_length).then_some(self.max_entries),
            any_length: self.any_length,
        }
    }

    /// True if the map can stand in a map of maps: its elements are values or records; an inner map is no map of maps
    /// (`bpf_map_meta_alloc`).
    pub(crate) fn is_ordinary(&self) -> bool {
        self.serves(RequestOp::Delete) || self.kind == MapKind::Ringbuf
    }

    /// True if its elements are maps.
    pub(crate) fn is_outer(&self) -> bool {
        matches!(self.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps)
    }

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
    pub counted: MapUse,
}

impl Contents {
    /// Those of no map.
    fn none() -> Self {
        Contents {
            elements: Elements::new(0, 0, None),
            keys: None,
            directory: Directory::Perf,
            counted: MapUse::default(),
        }
    }

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

/// What all inner maps of a map of maps have in common (`bpf_map_meta_equal`, `array_map_meta_equal`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerType {
    /// Kind.
    pub kind: MapKind,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes.
    pub value_size: u32,
    /// Entries; `None` where any number is allowed.
    pub max_entries: Option<u32>,
    /// `BPF_F_INNER_MAP`: inner arrays of any length.
    pub any_length: bool,
}

/// What the control plane knows of a map.
#[derive(Clone, Debug)]
pub(crate) struct MapObject {
    /// As it was created, without the initial contents.
    pub spec: MapSpec,
    /// For maps of maps what all inner ones are like, if that is said.
    pub inner: Option<InnerType>,
    /// Bytes of map memory.
    pub memory: u64,
    /// Programs that hold it.
    pub programs: u32,
    /// Elements of maps of maps that name it.
    pub outers: u32,
    /// It goes with the last program that holds it.
    pub follows: bool,
    /// It was freed and waits for packets that may know of it.
    pub leaving: bool,
    /// When the last packet has left that was inside when the last element that named it went.
    pub unnamed: Grace,
    /// Programs that the elements of a program array can name.
    pub entries: u32,
}

/// All maps of the device, by number.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub infos: Vec<MapInfo>,
    pub contents: Vec<Contents>,
    pub objects: Vec<Option<MapObject>>,
    pub hash: KeyHash,
    /// Bytes of map memory that are taken.
    pub memory: u64,
    /// Numbers of the ring buffers, ascending.
    pub rings: Vec<u16>,
    pub(super) vcpus: u32,
}

impl Table {
    /// No maps; `seed` keys the index hash.
    pub(crate) fn new(profile: &Profile, seed: u64) -> Self {
        Table {
            infos: Vec::new(),
            contents: Vec::new(),
            objects: Vec::new(),
            hash: KeyHash::new(seed, KEY_BYTES_MAX),
            memory: 0,
            rings: Vec::new(),
            vcpus: profile.vcpus,
        }
    }

    /// Keys the index hash; there are no maps.
    pub(crate) fn set_seed(&mut self, seed: u64) {
        self.hash = KeyHash::new(seed, KEY_BYTES_MAX);
    }

    /// A map that is there and not being freed.
    pub(crate) fn object(&self, map: MapId) -> Option<&MapObject> {
        self.objects.get(map.index())?.as_ref().filter(|object| !object.leaving)
    }

    /// The same, to be changed.
    pub(crate) fn object_mut(&mut self, map: MapId) -> Option<&mut MapObject> {
        self.objects.get_mut(map.index())?.as_mut().filter(|object| !object.leaving)
    }

    /// Numbers that are free.
    pub(crate) fn free_numbers(&self) -> usize {
        MAPS - self.objects.iter().flatten().count()
    }

    /// Makes a map of a type that [`info`] and [`Table::free_numbers`] allow, with its initial contents.
    pub(crate) fn create(&mut self, spec: &MapSpec, info: MapInfo, profile: &Profile) -> MapId {
        let free = self.objects.iter().position(Option::is_none).unwrap_or(self.objects.len());
        if free == self.objects.len() {
            self.objects.push(None);
            self.infos.push(MapInfo::NONE);
            self.contents.push(Contents::none());
        }
        let info = MapInfo { id: free as u16, ..info };
        let memory = memory(&info, profile);
        self.memory += memory;
        if info.kind == MapKind::Ringbuf {
            let at = self.rings.partition_point(|&ring| ring < info.id);
            self.rings.insert(at, info.id);
        }
        self.infos[free] = info;
        self.contents[free] = contents(spec, &info, profile);
        self.objects[free] = Some(MapObject {
            spec: MapSpec { init: Vec::new(), ..spec.clone() },
            inner: None,
            memory,
            programs: 0,
            outers: 0,
            follows: false,
            leaving: false,
            unnamed: Grace::default(),
            entries: 0,
        });
        MapId(info.id)
    }

    /// Takes a map away that nobody can reach any more.
    pub(crate) fn destroy(&mut self, map: MapId) {
        if let Some(object) = self.objects.get_mut(map.index()).and_then(Option::take) {
            self.memory -= object.memory;
            self.rings.retain(|&ring| ring != map.0);
            self.infos[map.index()] = MapInfo::NONE;
            self.contents[map.index()] = Contents::none();
        }
    }
}

/// True if a spin lock can be at this byte of a map's values (`map_check_btf` of kernel/bpf/syscall.c); a value holds one at most.
pub(crate) fn can_lock(info: &MapInfo, offset: u32) -> bool {
    let fits = offset.checked_add(LOCK_BYTES).is_some_and(|end| end <= info.value_size);
    let kind = matches!(info.kind, MapKind::Hash | MapKind::Array);
    fits && kind && offset.is_multiple_of(4) && info.lock.is_none()
}

/// Spare elements of a hash map or trie: one update can be on its way in each index bank, and the control plane has one. Copies
/// for vCPUs are updated in place.
fn spares(kind: MapKind, profile: &Profile) -> u32 {
    if kind.is_per_cpu() { 0 } else { profile.map_banks + 1 }
}

/// The type of a map that the device can hold.
pub(crate) fn info(spec: &MapSpec, profile: &Profile) -> Result<MapInfo, MapRefusal> {
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
        id: u16::MAX,
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
pub(crate) fn memory(info: &MapInfo, profile: &Profile) -> u64 {
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
    Contents { elements, keys, directory, counted: MapUse::default() }
}
