//! Maps of the reference back end, with the kernel's semantics as a program on CPU 0 sees them.
//!
//! Sources: kernel/bpf/arraymap.c and kernel/bpf/hashtab.c. What shows to a program: return codes, the capacity, and that an
//! update of an existing hash entry writes a new element and leaves the old one, which earlier pointers still name.

use crate::{Entry, EntryValue};
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, HashMap};

/// Kernel error numbers, as helpers return them.
pub(crate) const ENOENT: i64 = -2;
pub(crate) const E2BIG: i64 = -7;
pub(crate) const EEXIST: i64 = -17;
pub(crate) const EINVAL: i64 = -22;

/// BPF_NOEXIST, BPF_EXIST and BPF_F_LOCK of include/uapi/linux/bpf.h.
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;
const LOCK: u64 = 4;
/// Creation flags.
const NO_PREALLOC: u32 = 1;
const RDONLY_PROG: u32 = 1 << 7;

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
    /// Hash maps only.
    hash: Option<Hash>,
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
}

impl Hash {
    /// An element that nobody uses. There are at most the capacity and one, see [`SPARE`].
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}

impl MapStore {
    /// A map with its initial contents.
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
            MapKind::Hash | MapKind::PercpuHash => Some(Hash::default()),
            other => return Err(refuse(format!("maps of kind {} are not supported", other.name()))),
        };
        if spec.key_size == 0 || spec.value_size == 0 || spec.max_entries == 0 {
            return Err(refuse("key size, value size and number of entries must not be zero".into()));
        }
        if hash.is_none() && spec.key_size != 4 {
            return Err(refuse(format!("keys of arrays have 4 bytes, not {}", spec.key_size)));
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
        Ok(Self { spec: spec.clone(), values, others: BTreeMap::new(), hash })
    }

    pub(crate) fn spec(&self) -> &MapSpec {
        &self.spec
    }

    /// True if the program may not write values.
    #[inline]
    pub(crate) fn read_only(&self) -> bool {
        self.spec.frozen || self.spec.flags & RDONLY_PROG != 0
    }

    /// Number of value regions.
    #[inline]
    pub(crate) fn slots(&self) -> u64 {
        match &self.hash {
            None => u64::from(self.spec.max_entries),
            Some(_) => u64::from(self.spec.max_entries) + u64::from(SPARE),
        }
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
            Some(hash) => hash.index.get(key).copied(),
        }
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
                if flags & LOCK != 0 {
                    return EINVAL;
                }
                self.write(slot, value);
                0
            }
            Some(_) => self.update_hash(key, value, flags),
        }
    }

    /// htab_map_update_elem and __htab_percpu_map_update_elem.
    fn update_hash(&mut self, key: &[u8], value: &[u8], flags: u64) -> i64 {
        let per_cpu = self.spec.kind.is_per_cpu();
        // BPF_F_LOCK needs a spin lock in the value, which these maps do not have.
        if (if per_cpu { flags } else { flags & !LOCK }) > EXIST || flags & LOCK != 0 {
            return EINVAL;
        }
        let old = self.lookup(key);
        match old {
            Some(_) if flags == NOEXIST => return EEXIST,
            None if flags == EXIST => return ENOENT,
            _ => {}
        }
        if let (Some(slot), true) = (old, per_cpu) {
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

    fn write(&mut self, slot: u32, value: &[u8]) {
        if let Some(bytes) = self.value_mut(slot)
            && bytes.len() == value.len()
        {
            bytes.copy_from_slice(value);
        }
    }

    fn clear_others(&mut self, slot: u32) {
        if !self.others.is_empty() {
            self.others.retain(|&(at, _), _| at != slot);
        }
    }

    /// bpf_map_delete_elem, called by a program.
    pub(crate) fn delete(&mut self, key: &[u8]) -> i64 {
        let Some(hash) = &mut self.hash else { return EINVAL };
        match hash.index.remove(key) {
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
                E2BIG if self.hash.is_some() => format!("it is full with {} entries", self.spec.max_entries),
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
            Some(hash) => hash.index.iter().map(|(key, &slot)| self.entry(key.to_vec(), slot)).collect(),
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
