//! The user's side of maps: the forms that take bytes against those that take vectors, and the order in which keys are listed. If
//! this fails, what one form writes another one reads wrongly, or a listing leaves keys out.

mod common;

use common::{LOCKS, Random, TINY, map};
use device_model::{Device, MapError, MapId, Update};
use offwire_image::{MapKind, MapSpec};

const VCPUS: usize = TINY.vcpus as usize;

fn specs() -> Vec<(MapSpec, Option<u32>)> {
    let open = [
        map(MapKind::Array, 4, 13, 40),
        map(MapKind::PercpuArray, 4, 6, 20),
        map(MapKind::Hash, 3, 9, 60),
        map(MapKind::PercpuHash, 5, 12, 30),
        map(MapKind::LruHash, 4, 8, 20),
        map(MapKind::LpmTrie, 6, 3, 50),
        map(MapKind::Devmap, 4, 8, 30),
        map(MapKind::DevmapHash, 4, 4, 30),
    ];
    let open = open.into_iter().map(|spec| (spec, None));
    open.chain([(map(MapKind::Hash, 4, 24, 30), Some(LOCKS[0].offset))]).collect()
}

fn key(random: &mut Random, spec: &MapSpec) -> Vec<u8> {
    let mut key = vec![0; spec.key_size as usize];
    key[0] = random.below(if spec.kind == MapKind::LpmTrie { 18 } else { 50 }) as u8;
    if spec.kind == MapKind::LpmTrie {
        key[4..].fill_with(|| random.next() as u8);
    }
    key
}

fn is_array(kind: MapKind) -> bool {
    matches!(kind, MapKind::Array | MapKind::PercpuArray | MapKind::Devmap)
}

/// All keys, one after the other.
fn listed(device: &Device, map: MapId, at_most: usize) -> Vec<Vec<u8>> {
    let (mut keys, mut key): (Vec<Vec<u8>>, Vec<u8>) = Default::default();
    loop {
        match device.map_next_key(map, keys.last().map(Vec::as_slice), &mut key) {
            Ok(()) => keys.push(key.clone()),
            Err(error) => {
                assert_eq!((error, key.is_empty()), (MapError::NoSuchKey, true));
                return keys;
            }
        }
        assert!(keys.len() <= at_most, "listed for ever: {keys:?}");
    }
}

#[test]
fn bytes_and_vectors_say_the_same() {
    let mut reached = [0; 5];
    for (number, (spec, lock)) in specs().into_iter().enumerate() {
        let random = &mut Random(number as u64);
        let (mut flat, mut vectors) = (Device::new(&TINY), Device::new(&TINY));
        let map = flat.map_create(&spec, lock, None).unwrap();
        assert_eq!(vectors.map_create(&spec, lock, None), Ok(map));
        let copies = if spec.kind.is_per_cpu() { VCPUS } else { 1 };
        assert_eq!(flat.map_copies(map), Ok(copies as u32));
        let size = spec.value_size as usize;
        for step in 0..1500 {
            let key = key(random, &spec);
            if random.once_in(3) {
                assert_eq!(flat.map_delete(map, &key), vectors.map_delete(map, &key), "{} {step}", spec.name);
                reached[0] += 1;
            } else {
                let mut values = vec![vec![0; size]; copies];
                values.iter_mut().for_each(|value| value.fill_with(|| random.next() as u8));
                if matches!(spec.kind, MapKind::Devmap | MapKind::DevmapHash) {
                    values[0][1..].fill(0);
                }
                let mut bytes = values.concat();
                if copies > 1 {
                    let padded = |value: &Vec<u8>| {
                        let mut padded = value.clone();
                        // What is behind a value is not looked at.
                        padded.resize(size.next_multiple_of(8), 0xee);
                        padded
                    };
                    bytes = values.iter().flat_map(padded).collect();
                }
                let how = random.pick(&[Update::Any, Update::NoExist, Update::Exist]);
                let answer = flat.map_update_bytes(map, &key, &bytes, how);
                assert_eq!(answer, vectors.map_update(map, &key, &values, how), "{} {step}", spec.name);
                reached[1 + usize::from(answer.is_ok())] += 1;
            }
            let entries = flat.map_entries(map).unwrap();
            assert_eq!(entries, vectors.map_entries(map).unwrap(), "{} {step}", spec.name);
            let mut keys = listed(&flat, map, spec.max_entries as usize);
            if is_array(spec.kind) {
                let all: Vec<Vec<u8>> = (0..spec.max_entries).map(|at| at.to_le_bytes().to_vec()).collect();
                assert_eq!(keys, all, "{} {step}", spec.name);
            } else {
                keys.sort();
                let all: Vec<&Vec<u8>> = entries.iter().map(|entry| &entry.0).collect();
                assert_eq!(keys.iter().collect::<Vec<_>>(), all, "{} {step}", spec.name);
            }
            // What is not there is followed by the first key.
            let (mut first, mut other) = (Vec::new(), Vec::new());
            let there = flat.map_next_key(map, None, &mut first);
            let absent = vec![0xff; spec.key_size as usize];
            assert_eq!(flat.map_next_key(map, Some(&absent), &mut other), there);
            assert_eq!(first, other);
            let mut bytes = vec![1; 3];
            match flat.map_lookup_into(map, &key, &mut bytes) {
                Ok(()) => {
                    let stride = if copies > 1 { size.next_multiple_of(8) } else { size };
                    assert_eq!(bytes.len(), stride * copies);
                    for (cpu, value) in bytes.chunks(stride).enumerate() {
                        let (value, rest) = value.split_at(size);
                        let cpu = if copies > 1 { cpu as u16 } else { 0 };
                        assert_eq!(vectors.map_lookup(map, &key, cpu).unwrap().unwrap(), value);
                        assert!(rest.iter().all(|&byte| byte == 0));
                    }
                    reached[3] += 1;
                }
                Err(error) => {
                    assert_eq!((error, bytes.is_empty()), (MapError::NoSuchKey, true));
                    assert_eq!(vectors.map_lookup(map, &key, 0), Ok(None));
                    reached[4] += 1;
                }
            }
        }
        let long = vec![0; size * copies + 1];
        assert!(matches!(
            flat.map_update_bytes(map, &key(random, &spec), &long, Update::Any),
            Err(MapError::ValueSize { .. })
        ));
        assert!(matches!(flat.map_update_bytes(map, &[], &long, Update::Any), Err(MapError::KeySize { .. })));
        assert!(matches!(flat.map_next_key(map, Some(&[]), &mut Vec::new()), Err(MapError::KeySize { .. })));
        assert!(matches!(flat.map_lookup_into(map, &[], &mut Vec::new()), Err(MapError::KeySize { .. })));
    }
    assert!(reached.iter().all(|&times| times > 200), "{reached:?}");
}

/// A trie lists what is more specific first, smaller bits before larger ones (`trie_get_next_key` of kernel/bpf/lpm_trie.c).
#[test]
fn a_trie_is_listed_as_the_kernel_does() {
    let mut device = Device::new(&TINY);
    let trie = device.map_create(&map(MapKind::LpmTrie, 8, 1, 9), None, None).unwrap();
    let key = |length: u8, data: [u8; 4]| [&[length, 0, 0, 0], &data[..]].concat();
    let order = [
        key(32, [10, 0, 0, 1]),
        key(24, [10, 0, 0, 0]),
        key(32, [10, 1, 0, 1]),
        key(8, [10, 0, 0, 0]),
        key(24, [192, 168, 0, 0]),
        key(24, [192, 168, 1, 0]),
        key(0, [0; 4]),
    ];
    for at in [3, 6, 0, 5, 1, 4, 2] {
        device.map_update_bytes(trie, &order[at], &[1], Update::Any).unwrap();
    }
    assert_eq!(listed(&device, trie, 9), order);
}

/// Maps without keys have nothing to list.
#[test]
fn rings_and_perf_event_arrays_have_no_keys() {
    let mut device = Device::new(&TINY);
    for spec in [map(MapKind::Ringbuf, 0, 0, 4096), map(MapKind::PerfEventArray, 4, 4, 4)] {
        let map = device.map_create(&spec, None, None).unwrap();
        assert_eq!(device.map_next_key(map, None, &mut Vec::new()), Err(MapError::Invalid));
        assert_eq!(device.map_update_bytes(map, &[0; 4], &[0; 4], Update::Any), Err(MapError::Invalid));
    }
}
