//! The trace of shared operations, replayed one after the other by plain maps. If this fails, the order that the device tells is
//! not the order in which things happened, and nobody can replay a run.

mod common;

use std::collections::BTreeMap;

use common::{DEVICES, LINKS, LOCKS, Random, TINY, arrivals, load_all, maps, mode, useful_program};
use device_model::{Admission, Device, DeviceEvent, Event, MapId, Redirect, SharedOp, Trace};
use offwire_image::MapKind;
use offwire_isa::RequestOp;

const VCPUS: u32 = 4;

/// A ring buffer as it is told of.
#[derive(Default)]
struct Ring {
    /// Packet and bytes, rounded up with their header, of each record that the host has not read; what it has is `None`.
    records: Vec<(Option<u64>, u64)>,
    produced: u64,
    consumed: u64,
    /// Open records by element.
    open: BTreeMap<u32, u64>,
}

/// Plain maps that follow the trace.
struct Replay {
    seed: u64,
    /// Bytes of all elements, by map and element; those that are not here are zero.
    values: BTreeMap<(u8, u32), Vec<u8>>,
    /// Keys of hash maps and tries, and their elements; of a per-CPU hash that of vCPU 0.
    keys: BTreeMap<u8, BTreeMap<Vec<u8>, u32>>,
    /// Locks that are held, and by whom.
    locks: BTreeMap<(u8, u32, u32), u64>,
    ring: Ring,
    /// What packets have told the host, and where they are to go.
    events: BTreeMap<u64, Vec<DeviceEvent>>,
    redirects: BTreeMap<u64, Option<Redirect>>,
    seen: [u64; 22],
}

/// The value of maps whose elements are references: what the test has put there.
fn reference(map: u8, key: u32) -> Option<u32> {
    let link = LINKS.iter().find(|link| link.map == map && link.key == key).map(|link| link.to);
    let device = DEVICES.iter().find(|device| **device == (usize::from(map), key)).map(|device| device.1 + 7);
    link.or(device)
}

fn has_keys(kind: MapKind) -> bool {
    matches!(kind, MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LpmTrie)
}

/// Prefix length and the 32 bits of a trie's key, those behind the prefix cleared; `None` if the prefix is too long.
fn prefix(key: &[u8]) -> Option<(u32, u32)> {
    let (length, data) = key.split_first_chunk::<4>().unwrap();
    let length = u32::from_le_bytes(*length);
    let data = u32::from_be_bytes(data.try_into().unwrap());
    (length <= 32).then(|| (length, u64::from(data).wrapping_shr(32 - length) as u32))
}

impl Replay {
    fn new(seed: u64) -> Self {
        let mut replay = Replay {
            seed,
            values: BTreeMap::new(),
            keys: BTreeMap::new(),
            locks: BTreeMap::new(),
            ring: Ring::default(),
            events: BTreeMap::new(),
            redirects: BTreeMap::new(),
            seen: [0; 22],
        };
        for (slot, spec) in (0..).zip(maps()) {
            if has_keys(spec.kind) {
                replay.keys.insert(slot, BTreeMap::new());
            } else if !spec.init.is_empty() {
                replay.values.insert((slot, 0), spec.init.clone());
            }
        }
        for (map, key) in DEVICES {
            let mut value = (key + 7).to_le_bytes().to_vec();
            value.resize(maps()[map].value_size as usize, 0);
            // The elements of a hash map are its own choice.
            if maps()[map].kind == MapKind::Devmap {
                replay.values.insert((map as u8, key), value);
            }
        }
        replay
    }

    /// The bytes of an element; `None` if they are not known here.
    fn value(&mut self, map: u8, element: u32) -> Option<&mut Vec<u8>> {
        let spec = &maps()[usize::from(map)];
        let size = match spec.kind {
            MapKind::DevmapHash => return None,
            // As long as the record, or what is left of one.
            MapKind::Ringbuf => return self.values.get_mut(&(map, element)),
            _ => spec.value_size as usize,
        };
        Some(self.values.entry((map, element)).or_insert_with(|| vec![0; size]))
    }

    /// Writes a value but for its spin lock.
    fn write(&mut self, map: u8, element: u32, value: &[u8]) {
        let lock = LOCKS.iter().find(|lock| lock.map == map).map(|lock| lock.offset as usize);
        for (at, (to, from)) in self.value(map, element).unwrap().iter_mut().zip(value).enumerate() {
            if lock.is_none_or(|lock| !(lock..lock + 4).contains(&at)) {
                *to = *from;
            }
        }
    }

    fn array_element(&self, map: u8, key: &[u8], vcpu: u16) -> Option<u32> {
        let spec = &maps()[usize::from(map)];
        let key = u32::from_le_bytes(key.try_into().unwrap());
        let element = if spec.kind.is_per_cpu() { key.wrapping_mul(VCPUS) + u32::from(vcpu) } else { key };
        (key < spec.max_entries).then_some(element)
    }

    /// The key of the entry that a lookup, or `exact` an update or delete, means; `Err` if the key is none.
    fn find(&self, map: u8, key: &[u8], exact: bool) -> Result<Option<Vec<u8>>, ()> {
        let keys = &self.keys[&map];
        if maps()[usize::from(map)].kind != MapKind::LpmTrie {
            return Ok(keys.contains_key(key).then(|| key.to_vec()));
        }
        let own = prefix(key).ok_or(())?;
        let covers = |entry: &&Vec<u8>| {
            let (length, bits) = prefix(entry).unwrap();
            let cut = |bits: u32| u64::from(bits).wrapping_shr(own.0.saturating_sub(length)) as u32;
            length <= own.0 && (length == 0 || bits == cut(own.1)) && (!exact || length == own.0)
        };
        Ok(keys.keys().filter(covers).max_by_key(|entry| prefix(entry)).cloned())
    }

    fn lookup(&mut self, map: u8, vcpu: u16, key: &[u8], answer: u64) {
        let seed = self.seed;
        let spec = &maps()[usize::from(map)];
        let handle = |element: u32| 4 << 60 | u64::from(map) << 52 | u64::from(element) << 24;
        if has_keys(spec.kind) {
            let found = self.find(map, key, false).unwrap_or(None);
            let copy = if spec.kind.is_per_cpu() { u32::from(vcpu) } else { 0 };
            let want = found.map_or(0, |found| handle(self.keys[&map][&found] + copy));
            assert_eq!(answer, want, "seed {seed}: {key:?} in map {map}");
            return;
        }
        let number = u32::from_le_bytes(key.try_into().unwrap());
        match (spec.kind, reference(map, number)) {
            (MapKind::ArrayOfMaps | MapKind::HashOfMaps, inner) => {
                self.seen[6] += 1;
                assert_eq!(answer, inner.map_or(0, |inner| 5 << 60 | u64::from(inner) << 52), "seed {seed}");
            }
            (MapKind::Devmap, there) => assert_eq!(answer, there.map_or(0, |_| handle(number)), "seed {seed}"),
            (MapKind::DevmapHash, there) => assert_eq!(answer != 0, there.is_some(), "seed {seed}"),
            _ => {
                let element = self.array_element(map, key, vcpu);
                assert_eq!(answer, element.map_or(0, handle), "seed {seed}");
            }
        }
    }

    fn update(&mut self, (map, vcpu): (u8, u16), key: &[u8], value: &[u8], flags: u64, told: (i32, Option<u32>)) {
        let (answer, element) = told;
        assert_eq!(element.is_some(), answer == 0);
        let seed = self.seed;
        if let (Some(element), true, Some(lock)) = (element, flags & 4 != 0, LOCKS.iter().find(|lock| lock.map == map))
        {
            let there = !has_keys(maps()[usize::from(map)].kind) || self.keys[&map].contains_key(key);
            self.seen[21] += u64::from(there);
            let held = self.locks.get(&(map, element, lock.offset));
            assert!(!there || held.is_none(), "seed {seed}: written while {held:?} holds the lock");
        }
        let spec = &maps()[usize::from(map)];
        let locked = flags & 4 != 0;
        let no_lock = locked && LOCKS.iter().all(|lock| lock.map != map);
        if has_keys(spec.kind) {
            let found = self.find(map, key, true);
            let full = self.keys[&map].len() == spec.max_entries as usize;
            let none = if spec.kind == MapKind::LpmTrie { -28 } else { -7 };
            let want = match (flags & !4, &found) {
                (3.., _) | (_, Err(())) => -22,
                _ if no_lock => -22,
                (1, Ok(Some(_))) => -17,
                (2, Ok(None)) => -2,
                (_, Ok(None)) if full => none,
                _ => 0,
            };
            // An insert that is on its way holds its place: a full answer may come before its swap is told.
            let early = answer == none && found == Ok(None) && spec.kind != MapKind::LruHash;
            assert!(answer == want || early, "seed {seed}: {answer}, not {want}");
            if answer == 0 {
                let keys = self.keys.get_mut(&map).unwrap();
                let first = element.unwrap() - if spec.kind.is_per_cpu() { u32::from(vcpu) } else { 0 };
                let old = found.ok().flatten().and_then(|old| keys.remove(&old));
                assert!(keys.values().all(|used| *used != first), "seed {seed}: an element of two keys");
                keys.insert(key.to_vec(), first);
                if (spec.kind.is_per_cpu() || locked) && old.is_some() {
                    // In place: nothing was told before.
                    assert_eq!(old, Some(first), "seed {seed}");
                    self.write(map, element.unwrap(), value);
                }
            }
            return;
        }
        let there = self.array_element(map, key, vcpu);
        let want = match there {
            _ if flags & !4 > 2 => -22,
            None => -7,
            Some(_) if flags & 1 != 0 => -17,
            Some(_) if no_lock => -22,
            Some(_) => 0,
        };
        assert_eq!(answer, want, "seed {seed}");
        if let Some(element) = element {
            assert_eq!(there, Some(element), "seed {seed}");
            self.write(map, element, value);
        }
    }

    /// Asks for room in the ring buffer; true if there is.
    fn reserve(&mut self, seq: u64, bytes: u64) -> bool {
        let room = (bytes.min(1 << 40) + 8).next_multiple_of(8);
        // Behind the oldest record that is not read, all is taken.
        let taken = self.ring.produced - self.ring.consumed;
        let fits = taken + room < 4096;
        if fits {
            self.ring.records.push((Some(seq), room));
            self.ring.produced += room;
        }
        fits
    }
}

fn atomic(op: RequestOp, old: u64, operand: u64, compare: u64) -> (u64, usize) {
    use RequestOp::*;
    let low = |value: u64| u64::from(value as u32);
    match op {
        FetchAdd32 => (low(old.wrapping_add(operand)), 4),
        FetchOr32 => (low(old | operand), 4),
        FetchAnd32 => (low(old & operand), 4),
        FetchXor32 => (low(old ^ operand), 4),
        Xchg32 => (low(operand), 4),
        Cmpxchg32 => (if low(compare) == old { low(operand) } else { old }, 4),
        FetchAdd64 => (old.wrapping_add(operand), 8),
        FetchOr64 => (old | operand, 8),
        FetchAnd64 => (old & operand, 8),
        FetchXor64 => (old ^ operand, 8),
        Xchg64 => (operand, 8),
        Cmpxchg64 => (if compare == old { operand } else { old }, 8),
        _ => panic!("{op:?} is no atomic"),
    }
}

impl Trace for Replay {
    fn event(&mut self, event: Event<'_>) {
        let Event::Shared { seq, vcpu, map: id, op, .. } = event else { return };
        // Numbers of maps are slots of the map table after `load`.
        let map = id.0 as u8;
        let seed = self.seed;
        match op {
            SharedOp::Lookup { key, answer } => {
                self.seen[0] += 1;
                self.lookup(map, vcpu, key, answer);
            }
            SharedOp::Update { key, value, flags, answer, element } => {
                self.seen[1] += 1;
                self.update((map, vcpu), key, value, flags, (answer, element));
            }
            SharedOp::Write { element, bytes } => {
                self.seen[20] += 1;
                let first = element - element % VCPUS;
                if maps()[usize::from(map)].kind.is_per_cpu() {
                    (first..first + VCPUS).for_each(|copy| self.write(map, copy, &[0; 64][..bytes.len()]));
                }
                self.write(map, element, bytes);
            }
            SharedOp::Delete { key, answer } => {
                self.seen[2] += 1;
                let found = if self.keys.contains_key(&map) { self.find(map, key, true) } else { Err(()) };
                let want = match &found {
                    Ok(Some(_)) => 0,
                    Ok(None) => -2,
                    Err(()) => -22,
                };
                assert_eq!(answer, want, "seed {seed}");
                if let Ok(Some(old)) = found {
                    self.keys.get_mut(&map).unwrap().remove(&old);
                }
            }
            SharedOp::Store { element, offset, bytes } => {
                self.seen[3] += 1;
                if let Some(value) = self.value(map, element) {
                    value[offset as usize..][..bytes.len()].copy_from_slice(bytes);
                }
            }
            SharedOp::Add { element, offset, size, value: add } => {
                self.seen[4] += 1;
                if let Some(value) = self.value(map, element) {
                    let place = &mut value[offset as usize..][..usize::from(size)];
                    let mut old = [0; 8];
                    old[..place.len()].copy_from_slice(place);
                    let new = u64::from_le_bytes(old).wrapping_add(add).to_le_bytes();
                    place.copy_from_slice(&new[..place.len()]);
                }
            }
            SharedOp::Read { element, offset, bytes } => {
                self.seen[5] += 1;
                if let Some(value) = self.value(map, element) {
                    assert_eq!(&value[offset as usize..][..bytes.len()], bytes, "seed {seed}");
                }
            }
            SharedOp::Evict { key } => {
                self.seen[7] += 1;
                assert!(self.keys.get_mut(&map).unwrap().remove(key).is_some(), "seed {seed}: {key:?} was not there");
            }
            SharedOp::Atomic { op, element, offset, operand, compare, old } => {
                self.seen[8] += 1;
                let (new, size) = atomic(op, old, operand, compare);
                if let Some(value) = self.value(map, element) {
                    let place = &mut value[offset as usize..][..size];
                    assert_eq!(place, &old.to_le_bytes()[..size], "seed {seed}: {op:?}");
                    place.copy_from_slice(&new.to_le_bytes()[..size]);
                }
            }
            SharedOp::Lock { element, offset } => {
                self.seen[9] += 1;
                assert_eq!(self.locks.insert((map, element, offset), seq), None, "seed {seed}: held twice");
            }
            SharedOp::Unlock { element, offset } => {
                self.seen[10] += 1;
                assert_eq!(self.locks.remove(&(map, element, offset)), Some(seq), "seed {seed}: not the holder");
            }
            SharedOp::RingReserve { bytes, answer } => {
                self.seen[11] += 1;
                // Flags, and a ninth record, get none either; neither is told.
                if answer != 0 {
                    assert!(self.reserve(seq, bytes), "seed {seed}: there was no room");
                    assert_eq!(answer >> 52, 0x400 | u64::from(map), "seed {seed}");
                    let element = (answer >> 24) as u32 & 0xfff_ffff;
                    assert_eq!(self.ring.open.insert(element, bytes), None, "seed {seed}: a record within another");
                    self.values.insert((map, element), vec![0; bytes as usize]);
                }
            }
            SharedOp::RingSubmit { element, bytes } => {
                self.seen[12] += 1;
                assert_eq!(self.ring.open.remove(&element), Some(bytes.len() as u64), "seed {seed}");
                assert_eq!(self.values[&(map, element)], bytes, "seed {seed}: a record");
                let event = DeviceEvent::Ringbuf { map: id, bytes: bytes.to_vec() };
                self.events.entry(seq).or_default().push(event);
            }
            SharedOp::RingDiscard { element } => {
                self.seen[13] += 1;
                assert!(self.ring.open.remove(&element).is_some(), "seed {seed}");
            }
            SharedOp::RingOutput { bytes, answer } => {
                self.seen[14] += 1;
                match answer {
                    0 => {
                        assert!(self.reserve(seq, bytes.len() as u64), "seed {seed}: there was no room");
                        let event = DeviceEvent::Ringbuf { map: id, bytes: bytes.to_vec() };
                        self.events.entry(seq).or_default().push(event);
                    }
                    -11 => assert!(!self.reserve(seq, bytes.len() as u64), "seed {seed}: there was room"),
                    answer => assert_eq!(answer, -22, "seed {seed}"),
                }
            }
            SharedOp::RingQuery { flags, answer } => {
                self.seen[15] += 1;
                let ring = &self.ring;
                let want = [ring.produced - ring.consumed, 4096, ring.consumed, ring.produced];
                assert_eq!(answer, want.get(flags as usize).copied().unwrap_or(0), "seed {seed}");
            }
            SharedOp::RingRead => {
                self.seen[16] += 1;
                for record in self.ring.records.iter_mut().filter(|record| record.0 == Some(seq)) {
                    record.0 = None;
                }
                let read = self.ring.records.iter().take_while(|record| record.0.is_none()).count();
                self.ring.consumed += self.ring.records.drain(..read).map(|record| record.1).sum::<u64>();
            }
            SharedOp::PerfOutput { bytes, flags, answer } => {
                self.seen[17] += 1;
                let index = if flags as u32 == u32::MAX { u32::from(vcpu) } else { flags as u32 };
                let want = match index {
                    _ if flags >> 52 != 0 => -22,
                    6.. => -7,
                    4.. => -2,
                    index if index != u32::from(vcpu) => -95,
                    _ => 0,
                };
                assert!(answer == want || (answer == -14 && want != -22), "seed {seed}: {answer}, not {want}");
                if answer == 0 {
                    let event = DeviceEvent::Perf { map: id, index, bytes: bytes.to_vec(), packet: Vec::new() };
                    self.events.entry(seq).or_default().push(event);
                }
            }
            SharedOp::RedirectMap { key, flags, answer } => {
                self.seen[18] += 1;
                let there = reference(map, key).is_some() || flags & 8 != 0;
                let want = match flags {
                    32.. | 4..8 | 20..24 => 0,
                    _ if flags & 4 != 0 => 0,
                    _ if there => 4,
                    _ => flags as u32 & 3,
                };
                assert_eq!(answer, want, "seed {seed}: key {key} flags {flags}");
                if flags & !0x1b == 0 {
                    self.redirects.insert(seq, there.then_some(Redirect::Map { map: id, key, flags }));
                }
            }
            SharedOp::TailCall { index, program } => {
                self.seen[19] += 1;
                assert_eq!(program, reference(map, index), "seed {seed}");
            }
        }
    }
}

#[test]
fn the_told_order_explains_every_answer() {
    let mut seen = [0; 22];
    for seed in 0..600 {
        let random = &mut Random(seed);
        let mut device = Device::with_trace(&TINY, Replay::new(seed));
        device.set_admission(Admission::Hold);
        let program = useful_program(random);
        load_all(&mut device, &program, mode(random), 400);
        for arrival in arrivals(random, 60, u64::from(VCPUS)) {
            device.offer(arrival).unwrap();
        }
        device.run_until_idle();
        let entries: Vec<_> = (0..maps().len()).map(|slot| device.map_entries(MapId(slot as u16)).unwrap()).collect();
        let departures: Vec<_> = device.departures().collect();
        let replay = device.trace_mut();
        for (slot, entries) in (0..).zip(entries) {
            let spec = &maps()[usize::from(slot)];
            let copies = if spec.kind.is_per_cpu() { VCPUS } else { 1 };
            let listed: BTreeMap<Vec<u8>, u32> = match (replay.keys.get(&slot), spec.kind) {
                (Some(keys), _) => keys.clone(),
                (None, MapKind::Array | MapKind::PercpuArray) => {
                    (0..spec.max_entries).map(|key| (key.to_le_bytes().to_vec(), key * copies)).collect()
                }
                _ => continue,
            };
            let mut want = BTreeMap::new();
            for (key, first) in listed {
                let mut values: Vec<Vec<u8>> =
                    (first..first + copies).map(|element| replay.value(slot, element).unwrap().clone()).collect();
                // The user sees zeros in the place of a lock.
                for lock in LOCKS.iter().filter(|lock| lock.map == slot) {
                    values.iter_mut().for_each(|value| value[lock.offset as usize..][..4].fill(0));
                }
                want.insert(key, values);
            }
            assert_eq!(entries.into_iter().collect::<BTreeMap<_, _>>(), want, "seed {seed}: map {slot}");
        }
        assert!(replay.locks.is_empty(), "seed {seed}: a lock outlives its packet");
        assert!(replay.ring.open.is_empty(), "seed {seed}: a record outlives its packet");
        assert_eq!(replay.ring.produced, replay.ring.consumed, "seed {seed}: memory of a ring buffer is lost");
        for departure in departures {
            let of_maps = |event: &DeviceEvent| !matches!(event, DeviceEvent::Printk { .. });
            let mut events: Vec<DeviceEvent> = departure.events.into_iter().filter(of_maps).collect();
            for event in &mut events {
                if let DeviceEvent::Perf { packet, .. } = event {
                    packet.clear();
                }
            }
            assert_eq!(events, replay.events.remove(&departure.seq).unwrap_or_default(), "seed {seed}");
            if let Some(Redirect::Map { .. }) = departure.redirect {
                assert_eq!(Some(&departure.redirect), replay.redirects.get(&departure.seq), "seed {seed}");
            }
        }
        assert!(replay.events.is_empty(), "seed {seed}: an event did not leave");
        for (sum, times) in seen.iter_mut().zip(replay.seen) {
            *sum += times;
        }
    }
    assert!(seen.iter().all(|&times| times > 50), "something was hardly seen: {seen:?}");
}
