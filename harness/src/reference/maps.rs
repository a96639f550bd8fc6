//! Maps of the reference back end, with the kernel's semantics as a program on CPU 0 sees them.
//!
//! Sources: kernel/bpf/arraymap.c, hashtab.c, lpm_trie.c and devmap.c. What shows to a program: return codes, the capacity, and
//! that an update of an existing hash entry writes a new element and leaves the old one, which earlier pointers still name.
//!
//! An LRU map evicts its least recently updated entry when it is full. The kernel's choice is an approximation that depends
//! on reference bits, batches and CPUs; what holds for both is that an update never fails and that the capacity is kept.

use crate::references::holds_references;
use crate::{Entry, EntryValue};
use offload_compiler::object::{Map, TypeRef};
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, HashMap};

/// Kernel error numbers, as helpers return them.
pub(crate) const ENOENT: i64 = -2;
pub(crate) const E2BIG: i64 = -7;
pub(crate) const EEXIST: i64 = -17;
pub(crate) const EINVAL: i64 = -22;
pub(crate) const ENOSPC: i64 = -28;

/// BPF_NOEXIST, BPF_EXIST and BPF_F_LOCK of include/uapi/linux/bpf.h.
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;
const LOCK: u64 = 4;
/// Creation flags.
const NO_PREALLOC: u32 = 1;
const RDONLY_PROG: u32 = 1 << 7;

/// PAGE_SIZE.
const PAGE: u32 = 4096;
/// Bytes that the values of one map may take.
const MAX_BYTES: u64 = 1 << 30;
/// Elements beyond the capacity: the one that an update of an existing entry takes before it gives the old one back.
const SPARE: u32 = 1;

/// One map.
pub(crate) struct MapStore {
    spec: MapSpec,
    /// Values of CPU 0, one after the other.
    values: Vec<u8>,
    /// Values of other CPUs that differ from zero.
    others: BTreeMap<(u32, u32), Vec<u8>>,
    /// Maps with an index: hash maps, tries and arrays whose entries may be missing.
    hash: Option<Hash>,
    /// LRU maps: true once an update found so many entries that the kernel may have evicted one.
    filled: bool,
    /// Offset of the `struct bpf_spin_lock` in a value, if BTF shows one: no update touches it.
    lock: Option<usize>,
}

/// Bytes of a `struct bpf_spin_lock`.
const LOCK_BYTES: usize = 4;

/// Where the type of a value has its spin lock (kernel/bpf/btf.c, btf_parse_fields).
fn lock_offset(ty: &TypeRef) -> Option<usize> {
    let TypeRef::Struct { members, .. } = ty else { return None };
    let lock = members.iter().find(|member| match &member.ty {
        TypeRef::Struct { name, .. } => name == "bpf_spin_lock",
        _ => false,
    })?;
    usize::try_from(lock.bit_offset / 8).ok()
}

/// Longest prefix match needs more than an index of the keys.
#[derive(Default)]
struct Prefixes {
    /// Entries by prefix length.
    count: BTreeMap<u32, u32>,
    /// Keys as they were given: the trie keeps bits behind the prefix, but does not look at them.
    given: HashMap<Box<[u8]>, Box<[u8]>>,
}

#[derive(Default)]
struct Hash {
    index: HashMap<Box<[u8]>, u32>,
    /// Elements to take next, last first: both kernel/bpf/percpu_freelist.c and the free list of kernel/bpf/memalloc.c are
    /// stacks per CPU.
    free: Vec<u32>,
    /// Elements never used start here.
    fresh: u32,
    /// The element that the next update of an existing entry takes (`extra_elems`).
    extra: Option<u32>,
    /// LRU maps: keys by age of their last update.
    ages: BTreeMap<u64, Box<[u8]>>,
    /// LRU maps: the age of each key.
    age: HashMap<Box<[u8]>, u64>,
    /// LPM tries only.
    prefixes: Prefixes,
}

impl Hash {
    /// Takes a key as the youngest one.
    fn touch(&mut self, key: &[u8]) {
        let now = self.ages.last_key_value().map_or(0, |(last, _)| last + 1);
        if let Some(before) = self.age.insert(key.into(), now) {
            self.ages.remove(&before);
        }
        self.ages.insert(now, key.into());
    }

    /// Forgets a key; gives its element.
    fn remove(&mut self, key: &[u8]) -> Option<u32> {
        if let Some(age) = self.age.remove(key) {
            self.ages.remove(&age);
        }
        self.index.remove(key)
    }

    /// An element that nobody uses. There are at most the capacity and one, see [`SPARE`].
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}

/// Offset of the spin lock in a map's values, if they have one.
pub(crate) fn lock_of(map: &Map) -> Option<usize> {
    let lock = map.value_type.as_ref().and_then(lock_offset);
    lock.filter(|at| at.saturating_add(LOCK_BYTES) <= map.spec.value_size as usize)
}

impl MapStore {
    /// A map of an object with its initial contents.
    pub(crate) fn of(map: &Map) -> Result<Self, Diagnostic> {
        Ok(Self { lock: lock_of(map), ..Self::new(&map.spec)? })
    }

    /// A map with its initial contents, without a lock.
    pub(crate) fn new(spec: &MapSpec) -> Result<Self, Diagnostic> {
        let refuse = |reason: String| {
            Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("the reference interpreter cannot make map {}", spec.name),
            )
            .with_reason(reason)
        };
        let hash = match spec.kind {
            MapKind::Array | MapKind::PercpuArray => None,
            MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::DevmapHash | MapKind::HashOfMaps => {
                Some(Hash::default())
            }
            MapKind::Devmap | MapKind::ProgArray | MapKind::ArrayOfMaps => Some(Hash::default()),
            MapKind::Ringbuf | MapKind::PerfEventArray => Some(Hash::default()),
            MapKind::LpmTrie if (5..=260).contains(&spec.key_size) && spec.flags & NO_PREALLOC != 0 => {
                Some(Hash::default())
            }
            MapKind::LpmTrie => {
                return Err(refuse("an LPM trie wants BPF_F_NO_PREALLOC and keys of 5 to 260 bytes".into()));
            }
            other => return Err(refuse(format!("maps of kind {} are not supported", other.name()))),
        };
        if spec.kind == MapKind::Ringbuf {
            // ringbuf_map_alloc
            if spec.key_size != 0 || spec.value_size != 0 {
                return Err(refuse("a ring buffer has neither keys nor values".into()));
            }
            if !spec.max_entries.is_power_of_two() || !spec.max_entries.is_multiple_of(PAGE) {
                return Err(refuse(format!("{} bytes are no power of two of whole pages", spec.max_entries)));
            }
            return Ok(Self {
                spec: spec.clone(),
                values: Vec::new(),
                others: BTreeMap::new(),
                hash,
                filled: false,
                lock: None,
            });
        }
        if spec.kind == MapKind::PerfEventArray {
            // perf_event_array_map_alloc_check: array_map_alloc_check with values that are file descriptors.
            if spec.key_size != 4 || spec.value_size != 4 {
                return Err(refuse("a perf event array has keys and values of 4 bytes".into()));
            }
            return Ok(Self {
                // Without a number it has an entry for each CPU (libbpf, map__create); programs run on CPU 0 here.
                spec: MapSpec { max_entries: spec.max_entries.max(1), ..spec.clone() },
                values: Vec::new(),
                others: BTreeMap::new(),
                hash,
                filled: false,
                lock: None,
            });
        }
        if spec.key_size == 0 || spec.value_size == 0 || spec.max_entries == 0 {
            return Err(refuse("key size, value size and number of entries must not be zero".into()));
        }
        if (hash.is_none() || matches!(spec.kind, MapKind::Devmap | MapKind::DevmapHash | MapKind::ProgArray))
            && spec.key_size != 4
        {
            return Err(refuse(format!("keys of such maps have 4 bytes, not {}", spec.key_size)));
        }
        let values = match spec.kind {
            MapKind::Devmap | MapKind::DevmapHash => &[4, 8][..],
            MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps => &[4],
            _ => &[],
        };
        if !values.is_empty() && !values.contains(&spec.value_size) {
            return Err(refuse(format!("its values cannot have {} bytes", spec.value_size)));
        }
        let bytes = u64::from(spec.value_size) * (u64::from(spec.max_entries) + u64::from(SPARE));
        if bytes > MAX_BYTES {
            return Err(refuse(format!("its values take {bytes} bytes, more than {MAX_BYTES}")));
        }
        if spec.init.len() > spec.value_size as usize {
            return Err(refuse(format!("{} initial bytes do not fit its value", spec.init.len())));
        }
        let mut values = match hash {
            None => vec![0; spec.value_size as usize * spec.max_entries as usize],
            Some(_) => Vec::new(),
        };
        if hash.is_none()
            && let Some(first) = values.get_mut(..spec.init.len())
        {
            first.copy_from_slice(&spec.init);
        }
        Ok(Self { spec: spec.clone(), values, others: BTreeMap::new(), hash, filled: false, lock: None })
    }

    /// True for an LRU map in which the kernel may have evicted an entry: its contents are no rule for others any more.
    pub(crate) fn filled(&self) -> bool {
        self.filled
    }

    pub(crate) fn spec(&self) -> &MapSpec {
        &self.spec
    }

    /// True if the program may not write values.
    #[inline]
    pub(crate) fn read_only(&self) -> bool {
        // dev_map_init_map sets the flag by itself; the verifier lets no program write a prog array.
        self.spec.frozen || self.spec.flags & RDONLY_PROG != 0 || holds_references(self.spec.kind)
    }

    /// Number of value regions.
    #[inline]
    pub(crate) fn slots(&self) -> u64 {
        match &self.hash {
            None => u64::from(self.spec.max_entries),
            Some(_) if matches!(self.spec.kind, MapKind::Ringbuf | MapKind::PerfEventArray) => 0,
            Some(_) => u64::from(self.spec.max_entries) + u64::from(SPARE),
        }
    }

    /// True if nobody changes it while the program runs.
    pub(crate) fn frozen(&self) -> bool {
        self.spec.frozen
    }

    /// The value of a slot that may never have been used.
    pub(crate) fn value_grown(&mut self, slot: u32) -> Option<&mut [u8]> {
        if u64::from(slot) < self.slots() {
            self.grow(slot);
        }
        self.value_mut(slot)
    }

    fn preallocated(&self) -> bool {
        self.spec.flags & NO_PREALLOC == 0
    }

    /// Value of CPU 0; `None` if the slot was never used.
    #[inline]
    pub(crate) fn value(&self, slot: u32) -> Option<&[u8]> {
        let size = self.spec.value_size as usize;
        let start = (slot as usize).checked_mul(size)?;
        self.values.get(start..start.checked_add(size)?)
    }

    /// The program or map that an entry names, by its number in the object.
    pub(crate) fn reference(&self, key: &[u8]) -> Option<usize> {
        let value = self.value(self.lookup(key)?)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*value)).ok()
    }

    /// True if some entry names the program or map with this number.
    pub(crate) fn names(&self, number: usize) -> bool {
        let number = u32::try_from(number).ok();
        let mut values = (0..self.slots()).filter_map(|slot| self.value(u32::try_from(slot).ok()?)?.first_chunk());
        values.any(|value| Some(u32::from_le_bytes(*value)) == number)
    }

    /// The same, to be written.
    #[inline]
    pub(crate) fn value_mut(&mut self, slot: u32) -> Option<&mut [u8]> {
        let size = self.spec.value_size as usize;
        let start = (slot as usize).checked_mul(size)?;
        self.values.get_mut(start..start.checked_add(size)?)
    }

    /// bpf_map_lookup_elem; `key` has `key_size` bytes.
    #[inline]
    pub(crate) fn lookup(&self, key: &[u8]) -> Option<u32> {
        match &self.hash {
            None => array_index(key).filter(|&index| index < self.spec.max_entries),
            Some(hash) if self.spec.kind == MapKind::LpmTrie => {
                let (wanted, _) = prefix(key)?;
                let longest = wanted;
                if longest > self.longest_prefix() {
                    return None;
                }
                // The longest prefix that covers the key; a longer one than the key's own does not.
                let lengths = hash.prefixes.count.range(..=longest).rev().map(|(length, _)| *length);
                lengths.filter_map(|length| hash.index.get(&*canonical(key, length)?)).next().copied()
            }
            Some(hash) => hash.index.get(key).copied(),
        }
    }

    /// LPM tries: bits of the data behind the prefix length.
    fn longest_prefix(&self) -> u32 {
        self.spec.key_size.saturating_sub(4) * 8
    }

    /// trie_update_elem.
    fn update_trie(&mut self, key: &[u8], value: &[u8], flags: u64) -> i64 {
        let (longest, max) = (self.longest_prefix(), self.spec.max_entries as usize);
        let Some((length, _)) = prefix(key) else { return EINVAL };
        if flags > EXIST || length > longest {
            return EINVAL;
        }
        let (Some(own), Some(hash)) = (canonical(key, length), &mut self.hash) else { return EINVAL };
        let old = hash.index.get(&own).copied();
        match old {
            Some(_) if flags == NOEXIST => return EEXIST,
            None if flags == EXIST => return ENOENT,
            None if hash.index.len() >= max => return ENOSPC,
            _ => {}
        }
        let slot = hash.take();
        match old {
            Some(old) => hash.free.push(old),
            None => *hash.prefixes.count.entry(length).or_default() += 1,
        }
        hash.prefixes.given.insert(own.clone(), key.into());
        hash.index.insert(own, slot);
        self.grow(slot);
        self.write(slot, value);
        0
    }

    /// trie_delete_elem.
    fn delete_trie(&mut self, key: &[u8]) -> i64 {
        let longest = self.longest_prefix();
        let Some((length, _)) = prefix(key) else { return EINVAL };
        if length > longest {
            return EINVAL;
        }
        let (Some(own), Some(hash)) = (canonical(key, length), &mut self.hash) else { return EINVAL };
        let Some(slot) = hash.index.remove(&own) else { return ENOENT };
        hash.free.push(slot);
        hash.prefixes.given.remove(&own);
        if let Some(count) = hash.prefixes.count.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                hash.prefixes.count.remove(&length);
            }
        }
        0
    }

    /// htab_lru_map_update_elem: takes a new element first, and so makes room even to replace an entry.
    fn update_lru(&mut self, key: &[u8], value: &[u8], flags: u64) -> i64 {
        if flags > EXIST {
            return EINVAL;
        }
        let old = self.lookup(key);
        match old {
            Some(_) if flags == NOEXIST => return EEXIST,
            None if flags == EXIST => return ENOENT,
            _ => {}
        }
        let max = self.spec.max_entries as usize;
        let Some(hash) = &mut self.hash else { return EINVAL };
        self.filled |= hash.index.len() > crate::lru_limit(max);
        if old.is_none()
            && hash.index.len() >= max
            && let Some((_, oldest)) = hash.ages.first_key_value()
        {
            let oldest = oldest.clone();
            if let Some(slot) = hash.remove(&oldest) {
                hash.free.push(slot);
            }
        }
        let slot = hash.take();
        hash.free.extend(old);
        hash.index.insert(key.into(), slot);
        hash.touch(key);
        self.grow(slot);
        self.write(slot, value);
        0
    }

    /// bpf_map_update_elem, called by a program.
    pub(crate) fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> i64 {
        match &self.hash {
            None => {
                // array_map_update_elem
                if flags & !LOCK > EXIST {
                    return EINVAL;
                }
                let Some(slot) = self.lookup(key) else { return E2BIG };
                if flags & NOEXIST != 0 {
                    return EEXIST;
                }
                if flags & LOCK != 0 && self.lock.is_none() {
                    return EINVAL;
                }
                self.write(slot, value);
                0
            }
            Some(_) => match self.spec.kind {
                MapKind::LpmTrie => self.update_trie(key, value, flags),
                MapKind::LruHash => self.update_lru(key, value, flags),
                MapKind::Devmap | MapKind::ProgArray | MapKind::ArrayOfMaps => self.update_sparse(key, value),
                _ => self.update_hash(key, value, flags),
            },
        }
    }

    /// An array whose entries may be missing; only user space writes it.
    fn update_sparse(&mut self, key: &[u8], value: &[u8]) -> i64 {
        let Some(slot) = array_index(key).filter(|&index| index < self.spec.max_entries) else { return E2BIG };
        if let Some(hash) = &mut self.hash {
            hash.index.insert(key.into(), slot);
        }
        self.grow(slot);
        self.write(slot, value);
        0
    }

    /// htab_map_update_elem and __htab_percpu_map_update_elem.
    fn update_hash(&mut self, key: &[u8], value: &[u8], flags: u64) -> i64 {
        let per_cpu = self.spec.kind.is_per_cpu();
        let locked = flags & LOCK != 0;
        if (if per_cpu { flags } else { flags & !LOCK }) > EXIST || (locked && self.lock.is_none()) {
            return EINVAL;
        }
        let old = self.lookup(key);
        match old {
            Some(_) if flags & !LOCK == NOEXIST => return EEXIST,
            None if flags & !LOCK == EXIST => return ENOENT,
            _ => {}
        }
        // Under the lock of the old value it is written in place.
        if let (Some(slot), true) = (old, per_cpu || locked) {
            self.write(slot, value);
            return 0;
        }
        let slot = match old {
            Some(old) => self.replace(old),
            None => self.allocate(),
        };
        let Some(slot) = slot else { return E2BIG };
        if let Some(hash) = &mut self.hash {
            hash.index.insert(key.into(), slot);
        }
        self.clear_others(slot);
        self.write(slot, value);
        0
    }

    /// An element for a new entry.
    fn allocate(&mut self) -> Option<u32> {
        let max = self.spec.max_entries as usize;
        let hash = self.hash.as_mut()?;
        if hash.index.len() >= max {
            return None;
        }
        let slot = hash.take();
        self.grow(slot);
        Some(slot)
    }

    /// An element for a new value of an existing entry, whose old element stays readable: it becomes the extra element of a
    /// preallocated map, else the next one to be taken.
    fn replace(&mut self, old: u32) -> Option<u32> {
        let preallocated = self.preallocated();
        let hash = self.hash.as_mut()?;
        let slot = if preallocated {
            let extra = hash.extra.take().unwrap_or_else(|| hash.take());
            hash.extra = Some(old);
            extra
        } else {
            let slot = hash.take();
            hash.free.push(old);
            slot
        };
        self.grow(slot);
        Some(slot)
    }

    fn grow(&mut self, slot: u32) {
        let end = (slot as usize + 1) * self.spec.value_size as usize;
        if self.values.len() < end {
            self.values.resize(end, 0);
        }
    }

    /// Writes a value, all but its lock (copy_map_value).
    fn write(&mut self, slot: u32, value: &[u8]) {
        let lock = self.lock.map(|at| at..at + LOCK_BYTES);
        if let Some(bytes) = self.value_mut(slot)
            && bytes.len() == value.len()
        {
            let kept: Option<[u8; LOCK_BYTES]> = lock.clone().and_then(|lock| bytes.get(lock)?.try_into().ok());
            bytes.copy_from_slice(value);
            if let (Some(kept), Some(place)) = (kept, lock.and_then(|lock| bytes.get_mut(lock))) {
                place.copy_from_slice(&kept);
            }
        }
    }

    fn clear_others(&mut self, slot: u32) {
        if !self.others.is_empty() {
            self.others.retain(|&(at, _), _| at != slot);
        }
    }

    /// bpf_map_delete_elem, called by a program.
    pub(crate) fn delete(&mut self, key: &[u8]) -> i64 {
        if self.spec.kind == MapKind::LpmTrie {
            return self.delete_trie(key);
        }
        let Some(hash) = &mut self.hash else { return EINVAL };
        match hash.remove(key) {
            None => ENOENT,
            Some(slot) => {
                hash.free.push(slot);
                0
            }
        }
    }

    /// Inserts or replaces an entry from outside (BPF_ANY).
    pub(crate) fn set(&mut self, entry: &Entry) -> Result<(), Diagnostic> {
        let refuse = |reason: String| {
            Diagnostic::error(codes::host::MAP_UPDATE, format!("map {} refuses an entry", self.spec.name))
                .with_reason(reason)
        };
        let value_size = self.spec.value_size as usize;
        if self.spec.kind == MapKind::Ringbuf {
            return Err(refuse("a ring buffer takes records from programs alone".into()));
        }
        if self.spec.kind == MapKind::PerfEventArray {
            return Err(refuse("a perf event array holds readers, which each back end brings along".into()));
        }
        if self.spec.frozen {
            return Err(refuse("the map is read-only once the program is loaded".into()));
        }
        if entry.key.len() != self.spec.key_size as usize {
            return Err(refuse(format!("the key has {} bytes, not {}", entry.key.len(), self.spec.key_size)));
        }
        let none = Vec::new();
        let (first, others) = match (&entry.value, self.spec.kind.is_per_cpu()) {
            (EntryValue::One(value), false) => (value.clone(), &none),
            (EntryValue::PerCpu(values), true) => {
                let first = values.iter().find(|(cpu, _)| *cpu == 0);
                (first.map_or_else(|| vec![0; value_size], |(_, value)| value.clone()), values)
            }
            (_, true) => return Err(refuse("a per-CPU map takes one value for each CPU".into())),
            (_, false) => return Err(refuse("only per-CPU maps take values by CPU".into())),
        };
        for length in others.iter().map(|(_, value)| value.len()).chain([first.len()]) {
            if length != value_size {
                return Err(refuse(format!("the value has {length} bytes, not {value_size}")));
            }
        }
        let code = self.update(&entry.key, &first, 0);
        if code != 0 {
            let reason = match code {
                ENOSPC => format!("it is full with {} entries", self.spec.max_entries),
                EINVAL if self.spec.kind == MapKind::LpmTrie => {
                    format!("a prefix is longer than {} bits", self.longest_prefix())
                }
                E2BIG
                    if !matches!(
                        self.spec.kind,
                        MapKind::Array
                            | MapKind::PercpuArray
                            | MapKind::Devmap
                            | MapKind::ProgArray
                            | MapKind::ArrayOfMaps
                    ) =>
                {
                    format!("it is full with {} entries", self.spec.max_entries)
                }
                E2BIG => format!("the index is not below {}", self.spec.max_entries),
                _ => format!("error {code}"),
            };
            return Err(Diagnostic::error(codes::host::MAP_UPDATE, format!("map {} refuses an entry", self.spec.name))
                .with_reason(reason));
        }
        if let Some(slot) = self.lookup(&entry.key) {
            self.clear_others(slot);
            for (cpu, value) in others.iter().filter(|(cpu, value)| *cpu != 0 && value.iter().any(|&b| b != 0)) {
                self.others.insert((slot, *cpu), value.clone());
            }
        }
        Ok(())
    }

    /// All entries, ascending by key bytes.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = match &self.hash {
            None => (0..self.spec.max_entries).map(|slot| self.entry(slot.to_le_bytes().to_vec(), slot)).collect(),
            Some(hash) => {
                let given = |key: &[u8]| hash.prefixes.given.get(key).map_or_else(|| key.to_vec(), |key| key.to_vec());
                hash.index.iter().map(|(key, &slot)| self.entry(given(key), slot)).collect()
            }
        };
        entries.sort_unstable();
        entries
    }

    fn entry(&self, key: Vec<u8>, slot: u32) -> Entry {
        let first = self.value(slot).unwrap_or(&[]);
        let value = if self.spec.kind.is_per_cpu() {
            let zero = first.iter().all(|&b| b == 0);
            let own = (!zero).then(|| (0, first.to_vec()));
            let others = self.others.range((slot, 0)..=(slot, u32::MAX)).map(|(&(_, cpu), value)| (cpu, value.clone()));
            EntryValue::PerCpu(own.into_iter().chain(others).collect())
        } else {
            EntryValue::One(first.to_vec())
        };
        Entry { key, value }
    }
}

/// The index that an array's key holds.
fn array_index(key: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(key.try_into().ok()?))
}

/// The prefix length and the data of a trie's key (struct bpf_lpm_trie_key_u8).
fn prefix(key: &[u8]) -> Option<(u32, &[u8])> {
    let (length, data) = key.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*length), data))
}

/// The key of the prefix of `length` bits that covers `key`: what is behind the prefix is zero.
fn canonical(key: &[u8], length: u32) -> Option<Box<[u8]>> {
    let mut own: Box<[u8]> = key.into();
    let (head, data) = own.split_first_chunk_mut::<4>()?;
    *head = length.to_le_bytes();
    for (at, byte) in data.iter_mut().enumerate() {
        let bits = i64::from(length) - 8 * at as i64;
        *byte &= match bits {
            8.. => 0xff,
            1..=7 => !(0xffu8 >> bits),
            _ => 0,
        };
    }
    Some(own)
}
