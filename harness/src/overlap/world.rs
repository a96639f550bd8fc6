//! Maps on which the logged operations happen one after the other.

use super::{Logged, Op};
use crate::mapfile::Contents;
use crate::reference::maps::lock_of;
use crate::{Entry, EntryValue};
use offload_compiler::object::Object;
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, BTreeSet};

const ENOENT: i64 = -2;
const E2BIG: i64 = -7;
const EEXIST: i64 = -17;
const EINVAL: i64 = -22;
const ENOSPC: i64 = -28;
/// BPF_NOEXIST and BPF_EXIST.
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;
/// BPF_F_LOCK.
const LOCK: u64 = 4;

/// The value of an entry, by CPU; CPU 0 alone if the map is not per-CPU.
type Value = BTreeMap<u32, Vec<u8>>;

/// A map with keys.
#[derive(Default)]
struct Keyed {
    entries: BTreeMap<Vec<u8>, Value>,
    /// Keys by the element that a lookup named. An update gives its key another element, which nobody has named yet.
    keys: BTreeMap<u32, Vec<u8>>,
    /// Entries that are still to come: an update was refused because the map was full, with elements that updates of other packets
    /// had taken and not yet put in their places. The kernel's count goes before its entries as well.
    owed: usize,
    /// Elements that were written while it was not known whose they are.
    tainted: BTreeSet<u32>,
    /// Keys whose element was one of these: what a read finds there is taken as it is.
    unsure: BTreeSet<Vec<u8>>,
}

enum Store {
    /// Values by index.
    Array(Vec<Value>),
    Keyed(Keyed),
    /// Nothing that a program changes.
    Fixed,
}

pub(super) struct World {
    specs: Vec<MapSpec>,
    /// Where values hold a spin lock.
    locks: Vec<Option<u32>>,
    stores: Vec<Store>,
    held: BTreeMap<(u16, u32, u32), u64>,
}

fn cpu_of(spec: &MapSpec, cpu: u32) -> u32 {
    if spec.kind.is_per_cpu() { cpu } else { 0 }
}

fn value_of(entry: &Entry) -> Value {
    match &entry.value {
        EntryValue::One(value) => BTreeMap::from([(0, value.clone())]),
        EntryValue::PerCpu(values) => values.iter().cloned().collect(),
    }
}

/// Values that are not zero.
fn told(value: &Value, per_cpu: bool) -> Value {
    value.iter().filter(|(_, bytes)| !per_cpu || bytes.iter().any(|&b| b != 0)).map(|(c, b)| (*c, b.clone())).collect()
}

fn length(key: &[u8]) -> Option<u32> {
    key.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The first `bits` bits of a trie's key behind its length.
fn prefix(key: &[u8], bits: u32) -> Vec<u8> {
    let data = key.get(4..).unwrap_or(&[]);
    let mask = |at: usize| match i64::from(bits) - 8 * at as i64 {
        8.. => 0xff,
        left @ 1..=7 => !(0xffu8 >> left),
        _ => 0,
    };
    data.iter().enumerate().map(|(at, byte)| byte & mask(at)).collect()
}

impl World {
    pub(super) fn new(object: &Object, initial: &[Vec<Entry>]) -> Self {
        let specs: Vec<MapSpec> = object.maps.iter().map(|map| map.spec.clone()).collect();
        let stores = specs.iter().zip(initial).map(|(spec, entries)| match spec.kind {
            MapKind::Array | MapKind::PercpuArray => {
                let mut values = vec![Value::new(); spec.max_entries as usize];
                for entry in entries {
                    if let Some(place) = length(&entry.key).and_then(|index| values.get_mut(index as usize)) {
                        *place = value_of(entry);
                    }
                }
                Store::Array(values)
            }
            MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LpmTrie => {
                let entries = entries.iter().map(|entry| (entry.key.clone(), value_of(entry))).collect();
                Store::Keyed(Keyed { entries, ..Keyed::default() })
            }
            _ => Store::Fixed,
        });
        let stores = stores.collect();
        let locks = object.maps.iter().map(|map| lock_of(map).and_then(|at| u32::try_from(at).ok())).collect();
        Self { specs, locks, stores, held: BTreeMap::new() }
    }

    /// The key of the entry that a lookup, or with `exact` an update or delete, means.
    fn find(spec: &MapSpec, keyed: &Keyed, key: &[u8], exact: bool) -> Option<Vec<u8>> {
        if spec.kind != MapKind::LpmTrie {
            return keyed.entries.contains_key(key).then(|| key.to_vec());
        }
        let wanted = length(key).filter(|wanted| *wanted <= spec.key_size.saturating_sub(4) * 8)?;
        let covers = |entry: &&Vec<u8>| {
            length(entry)
                .is_some_and(|own| own <= wanted && (!exact || own == wanted) && prefix(entry, own) == prefix(key, own))
        };
        keyed.entries.keys().filter(covers).max_by_key(|entry| length(entry)).cloned()
    }

    /// One operation.
    pub(super) fn step(&mut self, logged: &Logged) -> Result<(), String> {
        let (Some(spec), Some(store)) =
            (self.specs.get(usize::from(logged.map)), self.stores.get_mut(usize::from(logged.map)))
        else {
            return if matches!(logged.op, Op::Answer { .. }) { Ok(()) } else { Err("there is no such map".into()) };
        };
        let cpu = cpu_of(spec, logged.cpu);
        let lock = self.locks.get(usize::from(logged.map)).copied().flatten();
        let wrong = |expected: &dyn std::fmt::Debug| {
            Err(format!("{:?} on map {}: maps in this order say {expected:?}", logged.op, spec.name))
        };
        match (&logged.op, store) {
            (Op::Answer { .. }, _) => {}
            (Op::Lock { element, offset, taken }, _) => {
                let lock = (logged.map, *element, *offset);
                let before = if *taken { self.held.insert(lock, logged.packet) } else { self.held.remove(&lock) };
                if before.is_some() == *taken || before.is_some_and(|packet| packet != logged.packet) {
                    return wrong(&before);
                }
            }
            (Op::Lookup { key, element }, Store::Array(values)) => {
                let there = length(key).filter(|index| (*index as usize) < values.len());
                if there != *element {
                    return wrong(&there);
                }
            }
            (Op::Lookup { key, element }, Store::Keyed(keyed)) => {
                let there = Self::find(spec, keyed, key, false);
                if there.is_some() != element.is_some() {
                    return wrong(&there);
                }
                if let (Some(there), Some(element)) = (there, element) {
                    let before = keyed.keys.get(element).cloned();
                    if before.as_ref() != Some(&there) {
                        // The element has been used again, if it was one before.
                        keyed.keys.retain(|_, key| *key != there);
                        if keyed.tainted.remove(element) {
                            keyed.unsure.insert(there.clone());
                        }
                        keyed.keys.insert(*element, there);
                    }
                }
            }
            (Op::Lookup { .. }, Store::Fixed) => {}
            (Op::Update { key, value, flags, answer }, Store::Array(values)) => {
                let index = length(key);
                let place = index.and_then(|index| values.get_mut(index as usize));
                let held = index.zip(lock).is_some_and(|(i, at)| self.held.contains_key(&(logged.map, i, at)));
                let expected = match place {
                    _ if flags & !LOCK > EXIST => EINVAL,
                    None => E2BIG,
                    Some(_) if flags & NOEXIST != 0 => EEXIST,
                    Some(_) if flags & LOCK != 0 && lock.is_none() => EINVAL,
                    Some(_) if flags & LOCK != 0 && held => return wrong(&"another packet holds the lock"),
                    Some(place) => {
                        place.insert(cpu, value.clone());
                        0
                    }
                };
                if expected != *answer {
                    return wrong(&expected);
                }
            }
            (Op::Update { key, value, flags, answer }, Store::Keyed(keyed)) => {
                let trie = spec.kind == MapKind::LpmTrie;
                let found = Self::find(spec, keyed, key, true);
                let too_long = trie && length(key).is_none_or(|own| own > spec.key_size.saturating_sub(4) * 8);
                let full = keyed.entries.len() >= spec.max_entries as usize;
                let (how, locked) = (flags & !LOCK, flags & LOCK != 0);
                let expected = match &found {
                    _ if how > EXIST || (locked && lock.is_none()) || too_long => EINVAL,
                    Some(_) if how == NOEXIST => EEXIST,
                    None if how == EXIST => ENOENT,
                    None if full && trie => ENOSPC,
                    None if full => E2BIG,
                    _ => 0,
                };
                let refused = if trie { ENOSPC } else { E2BIG };
                if expected == 0 && found.is_none() && *answer == refused {
                    keyed.owed = keyed.owed.max(spec.max_entries as usize - keyed.entries.len());
                    return Ok(());
                }
                if expected != *answer {
                    return wrong(&expected);
                }
                if expected == 0 {
                    if found.is_none() {
                        keyed.owed = keyed.owed.saturating_sub(1);
                    }
                    let mut fresh = Value::new();
                    if let Some(found) = found {
                        let old = keyed.entries.remove(&found);
                        if locked {
                            let element = keyed.keys.iter().find(|(_, of)| **of == found).map(|(element, _)| *element);
                            let held = element.zip(lock).map(|(element, at)| (logged.map, element, at));
                            if held.is_some_and(|held| self.held.contains_key(&held)) {
                                return wrong(&"another packet holds the lock");
                            }
                        } else if spec.kind.is_per_cpu() {
                            // The kernel writes this CPU's copy in place.
                            fresh = old.unwrap_or_default();
                        } else {
                            forget(keyed, &found);
                        }
                    }
                    fresh.insert(cpu, value.clone());
                    keyed.entries.insert(key.clone(), fresh);
                }
            }
            (Op::Delete { key, answer }, Store::Keyed(keyed)) => {
                let found = Self::find(spec, keyed, key, true);
                let too_long = spec.kind == MapKind::LpmTrie
                    && length(key).is_none_or(|own| own > spec.key_size.saturating_sub(4) * 8);
                let expected = match (&found, too_long) {
                    (_, true) => EINVAL,
                    (Some(_), _) => 0,
                    (None, _) => ENOENT,
                };
                if expected != *answer {
                    return wrong(&expected);
                }
                if let Some(found) = found {
                    keyed.entries.remove(&found);
                    keyed.owed = 0;
                    forget(keyed, &found);
                }
            }
            (Op::Delete { answer, .. }, _) => {
                if *answer != EINVAL {
                    return wrong(&EINVAL);
                }
            }
            (Op::Evict { key }, Store::Keyed(keyed)) => match keyed.entries.remove(key) {
                Some(_) => forget(keyed, key),
                None => return wrong(&"no such entry"),
            },
            (op, Store::Array(values)) => {
                let Some(element) = element_of(op) else { return wrong(&"no such operation") };
                let Some(value) = values.get_mut(element as usize) else { return wrong(&"no such element") };
                return touch(op, value, cpu, spec).map_or(Ok(()), |expected| wrong(&expected));
            }
            (op, Store::Keyed(keyed)) => {
                let Some(element) = element_of(op) else { return wrong(&"no such operation") };
                // The element of an entry that is gone may be used again, and an update writes its value before it takes effect: what
                // stands there is not known, and what is written there makes the next entry's value unsure.
                let Some(key) = keyed.keys.get(&element) else {
                    if !matches!(op, Op::Read { .. }) {
                        keyed.tainted.insert(element);
                    }
                    return Ok(());
                };
                let unsure = keyed.unsure.contains(key);
                if let Some(value) = keyed.entries.get_mut(key) {
                    if unsure {
                        adopt(op, value, cpu, spec);
                    }
                    return touch(op, value, cpu, spec).map_or(Ok(()), |expected| wrong(&expected));
                }
            }
            (Op::Read { .. }, Store::Fixed) => {}
            (_, Store::Fixed) => return wrong(&"no program changes such a map"),
        }
        Ok(())
    }

    /// The device's maps at the end.
    pub(super) fn compare(&self, after: &Contents) -> Result<(), String> {
        for (map, entries) in after {
            let (Some(spec), Some(store)) = (self.specs.get(usize::from(map.0)), self.stores.get(usize::from(map.0)))
            else {
                return Err(format!("there is no map {}", map.0));
            };
            if matches!(store, Store::Keyed(keyed) if keyed.owed > 0) {
                return Err(format!("an update of map {} was refused as if it were full, and it never was", spec.name));
            }
            let per_cpu = spec.kind.is_per_cpu();
            let theirs: BTreeMap<Vec<u8>, Value> =
                entries.iter().map(|entry| (entry.key.clone(), told(&value_of(entry), per_cpu))).collect();
            let ours: BTreeMap<Vec<u8>, Value> = match store {
                Store::Fixed => continue,
                Store::Array(values) => {
                    (0u32..).zip(values).map(|(at, value)| (at.to_le_bytes().to_vec(), told(value, per_cpu))).collect()
                }
                Store::Keyed(keyed) => {
                    keyed.entries.iter().map(|(key, value)| (key.clone(), told(value, per_cpu))).collect()
                }
            };
            let unsure = |key: &Vec<u8>| match store {
                Store::Keyed(keyed) => {
                    let named = keyed.keys.values().any(|named| named == key);
                    keyed.unsure.contains(key) || (!named && !keyed.tainted.is_empty())
                }
                _ => false,
            };
            for key in ours.keys().chain(theirs.keys()) {
                let (ours, theirs) = (ours.get(key), theirs.get(key));
                if ours.is_some() != theirs.is_some() || (ours != theirs && !unsure(key)) {
                    return Err(format!(
                        "map {} at key {key:02x?}: in this order {ours:02x?}, on the device {theirs:02x?}",
                        spec.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// An entry has left its element; pointers to it stay.
fn forget(keyed: &mut Keyed, key: &[u8]) {
    keyed.keys.retain(|_, of| of != key);
    keyed.unsure.remove(key);
}

/// What an operation saw in a value of which nobody knows what it was.
fn adopt(op: &Op, value: &mut Value, cpu: u32, spec: &MapSpec) {
    let value = value.entry(cpu).or_insert_with(|| vec![0; spec.value_size as usize]);
    let (offset, bytes) = match op {
        Op::Read { offset, bytes, .. } => (*offset, bytes.clone()),
        Op::Atomic { offset, size, old, .. } => {
            (*offset, old.to_le_bytes().iter().take(usize::from(*size)).copied().collect())
        }
        _ => return,
    };
    for (to, from) in value.iter_mut().skip(offset as usize).zip(bytes) {
        *to = from;
    }
}

fn element_of(op: &Op) -> Option<u32> {
    match op {
        Op::Store { element, .. } | Op::Add { element, .. } | Op::Atomic { element, .. } | Op::Read { element, .. } => {
            Some(*element)
        }
        _ => None,
    }
}

/// A read or write of a value; gives what should have been read, if it was not.
fn touch(op: &Op, value: &mut Value, cpu: u32, spec: &MapSpec) -> Option<Vec<u8>> {
    let value = value.entry(cpu).or_insert_with(|| vec![0; spec.value_size as usize]);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    match op {
        Op::Read { offset, bytes, .. } => {
            let there = value.get(*offset as usize..).and_then(|rest| rest.get(..bytes.len())).unwrap_or(&[]);
            (there != bytes).then(|| there.to_vec())
        }
        Op::Store { offset, bytes, .. } => {
            let place = value.get_mut(*offset as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
            match place {
                Some(place) => place.copy_from_slice(bytes),
                None => return Some(Vec::new()),
            }
            None
        }
        Op::Add { offset, size, value: add, .. } => {
            let place = value.get_mut(*offset as usize..).and_then(|rest| rest.get_mut(..usize::from(*size)));
            let Some(place) = place else { return Some(Vec::new()) };
            let sum = number(place).wrapping_add(*add).to_le_bytes();
            place.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
            None
        }
        Op::Atomic { offset, size, old, new, .. } => {
            let place = value.get_mut(*offset as usize..).and_then(|rest| rest.get_mut(..usize::from(*size)));
            let Some(place) = place else { return Some(Vec::new()) };
            if number(place) != *old {
                return Some(place.to_vec());
            }
            place.iter_mut().zip(new.to_le_bytes()).for_each(|(to, from)| *to = from);
            None
        }
        _ => None,
    }
}
