//! The trace of shared operations, replayed one after the other by plain maps. If this fails, the order that the device tells is
//! not the order in which things happened, and nobody can replay a run.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Random, TINY, arrivals, load, maps, mode, useful_program};
use device_model::{Admission, Device, Event, SharedOp, Trace};
use offwire_image::MapKind;

/// Plain maps that follow the trace.
struct Replay {
    seed: u64,
    /// Value bytes of arrays, all elements.
    arrays: BTreeMap<u8, Vec<u8>>,
    /// Keys of hash maps.
    keys: BTreeMap<u8, BTreeSet<Vec<u8>>>,
    seen: [u64; 6],
}

const VCPUS: u32 = 4;

impl Replay {
    fn new(seed: u64) -> Self {
        let mut replay = Replay { seed, arrays: BTreeMap::new(), keys: BTreeMap::new(), seen: [0; 6] };
        for (slot, spec) in (0..).zip(maps()) {
            if spec.kind == MapKind::Hash {
                replay.keys.insert(slot, BTreeSet::new());
                continue;
            }
            let copies = if spec.kind.is_per_cpu() { VCPUS } else { 1 };
            let mut bytes = vec![0; (spec.max_entries * copies * spec.value_size) as usize];
            bytes[..spec.init.len()].copy_from_slice(&spec.init);
            replay.arrays.insert(slot, bytes);
        }
        replay
    }

    /// The bytes of an array's value.
    fn value(&mut self, map: u8, element: u32) -> Option<&mut [u8]> {
        let size = maps()[usize::from(map)].value_size as usize;
        let bytes = self.arrays.get_mut(&map)?;
        bytes.chunks_mut(size).nth(element as usize)
    }

    fn array_element(&self, map: u8, key: &[u8], vcpu: u16) -> Option<u32> {
        let spec = &maps()[usize::from(map)];
        let key = u32::from_le_bytes(key.try_into().unwrap());
        let element = if spec.kind.is_per_cpu() { key.wrapping_mul(VCPUS) + u32::from(vcpu) } else { key };
        (key < spec.max_entries).then_some(element)
    }
}

impl Trace for Replay {
    fn event(&mut self, event: Event<'_>) {
        let Event::Shared { vcpu, map, op, .. } = event else { return };
        let seed = self.seed;
        let spec = &maps()[usize::from(map)];
        let hash = spec.kind == MapKind::Hash;
        match op {
            SharedOp::Lookup { key, answer } => {
                self.seen[0] += 1;
                if hash {
                    assert_eq!(answer != 0, self.keys[&map].contains(key), "seed {seed}");
                } else {
                    let element = self.array_element(map, key, vcpu);
                    let handle = element.map_or(0, |element| 4 << 60 | u64::from(map) << 52 | u64::from(element) << 24);
                    assert_eq!(answer, handle, "seed {seed}");
                }
            }
            SharedOp::Update { key, value, flags, answer } => {
                self.seen[1] += 1;
                if hash {
                    let keys = self.keys.get_mut(&map).unwrap();
                    let there = keys.contains(key);
                    let want = match (flags, there) {
                        (1, true) => -17,
                        (2, false) => -2,
                        (_, false) if keys.len() == spec.max_entries as usize => -7,
                        _ => 0,
                    };
                    // An insert that is on its way holds its place: a full answer may come before its swap is told.
                    assert!(answer == want || (answer == -7 && !there), "seed {seed}: {answer}, not {want}");
                    if answer == 0 {
                        keys.insert(key.to_vec());
                    }
                } else {
                    let element = self.array_element(map, key, vcpu);
                    let want = if element.is_none() {
                        -7
                    } else if flags == 1 {
                        -17
                    } else {
                        0
                    };
                    assert_eq!(answer, want, "seed {seed}");
                    if let (0, Some(element)) = (answer, element) {
                        self.value(map, element).unwrap().copy_from_slice(value);
                    }
                }
            }
            SharedOp::Delete { key, answer } => {
                self.seen[2] += 1;
                let want = match self.keys.get_mut(&map) {
                    Some(keys) => {
                        if keys.remove(key) {
                            0
                        } else {
                            -2
                        }
                    }
                    None => -22,
                };
                assert_eq!(answer, want, "seed {seed}");
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
        }
    }
}

#[test]
fn the_told_order_explains_every_answer() {
    let mut seen = [0; 6];
    for seed in 0..400 {
        let random = &mut Random(seed);
        let mut device = Device::with_trace(&TINY, Replay::new(seed));
        device.set_admission(Admission::Hold);
        let program = useful_program(random);
        load(&mut device, &program, &maps(), mode(random), 400);
        for arrival in arrivals(random, 60, u64::from(VCPUS)) {
            device.offer(arrival).unwrap();
        }
        device.run_until_idle();
        let entries: Vec<_> = (0..maps().len()).map(|slot| device.map_entries(slot).unwrap()).collect();
        let replay = device.trace();
        for (slot, entries) in (0..).zip(entries) {
            if let Some(keys) = replay.keys.get(&slot) {
                let there: BTreeSet<Vec<u8>> = entries.into_iter().map(|(key, _)| key).collect();
                assert_eq!(&there, keys, "seed {seed}: keys of map {slot}");
            } else {
                let bytes: Vec<u8> = entries.into_iter().flat_map(|(_, values)| values.concat()).collect();
                assert_eq!(bytes, replay.arrays[&slot], "seed {seed}: map {slot}");
            }
        }
        for (sum, times) in seen.iter_mut().zip(replay.seen) {
            *sum += times;
        }
    }
    assert!(seen.iter().all(|&times| times > 100), "something was hardly seen: {seen:?}");
}
