//! Maps.

use super::commands::refused;
use super::images::map;
use super::{Connect, open};
use driver::{Device, Error, Map, TypedMap, Update};
use offwire_hostif::Status;
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, BTreeSet};

fn make(device: &Device, spec: &MapSpec) -> Map {
    let id = device.create_map(spec, None, None).expect("the map is made");
    device.map(id).expect("it is there")
}

fn key(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

pub(crate) fn making_and_freeing(connect: Connect<'_>) {
    let device = open(connect);
    let spec = MapSpec { init: vec![5; 20], ..map("configuration", MapKind::Array, 4, 24, 3) };
    let id = device.create_map(&spec, None, None).unwrap();
    let info = device.map_info(id).unwrap();
    assert_eq!((info.name.as_str(), info.kind, info.max_entries), ("configuration", MapKind::Array, 3));
    assert_eq!((info.key_bytes, info.value_bytes, info.copies, info.programs), (4, 24, 1, 0));
    assert!(info.memory >= 72 && !info.frozen && !info.read_only && info.lock.is_none());
    let value = device.map(id).unwrap().lookup(&key(0)).unwrap().unwrap();
    assert_eq!((&value[..20], &value[20..]), (&[5; 20][..], &[0; 4][..]), "initial bytes");
    assert_eq!(device.maps().unwrap(), [id]);
    device.free_map(id).unwrap();
    device.quiesce().unwrap();
    assert_eq!(device.maps().unwrap(), []);
    assert_eq!(refused(device.free_map(id)), Status::NoSuchMap);
    let none = map("none", MapKind::Hash, 4, 4, 0);
    let error = device.create_map(&none, None, None).unwrap_err();
    assert_eq!(error.status(), Some(Status::MapRefused));
    assert!(error.to_string().contains("max_entries is 0"), "{error}");
}

pub(crate) fn one_entry_at_a_time(connect: Connect<'_>) {
    let device = open(connect);
    let map = make(&device, &map("flows", MapKind::Hash, 12, 20, 2));
    let (one, two, three) = ([1; 12], [2; 12], [3; 12]);
    assert_eq!(map.lookup(&one).unwrap(), None);
    assert_eq!(map.next_key(None).unwrap(), None);
    map.update(&one, &[7; 20], Update::New).unwrap();
    assert_eq!(map.lookup(&one).unwrap(), Some(vec![7; 20]));
    assert_eq!(refused(map.update(&one, &[8; 20], Update::New)), Status::Exists);
    assert_eq!(refused(map.update(&two, &[8; 20], Update::Existing)), Status::NotFound);
    map.update(&two, &[8; 20], Update::Any).unwrap();
    assert_eq!(refused(map.update(&three, &[8; 20], Update::Any)), Status::Full);
    let first = map.next_key(None).unwrap().unwrap();
    let second = map.next_key(Some(&first)).unwrap().unwrap();
    assert_eq!(BTreeSet::from([first, second.clone()]), BTreeSet::from([one.to_vec(), two.to_vec()]));
    assert_eq!(map.next_key(Some(&second)).unwrap(), None);
    assert!(map.delete(&one).unwrap());
    assert!(!map.delete(&one).unwrap());
    assert!(matches!(map.lookup(&[0; 11]), Err(Error::Size { what: "a key", has: 12, given: 11, .. })));
    assert!(matches!(map.update(&one, &[0; 24], Update::Any), Err(Error::Size { what: "a value", .. })));
    map.freeze().unwrap();
    assert_eq!(refused(map.update(&two, &[9; 20], Update::Any)), Status::Frozen);
    assert!(device.map_info(map.info().id).unwrap().frozen);
}

pub(crate) fn batches_of_any_size(connect: Connect<'_>) {
    let device = open(connect);
    for count in [0, 1, 5, 4096, 4097, 10_000u32] {
        let map = make(&device, &map("many", MapKind::Hash, 4, 12, 16384));
        let value = |number: u32| [number.to_le_bytes(), (!number).to_le_bytes(), [3; 4]].concat();
        let entries: Vec<_> = (0..count).map(|number| (key(number), value(number))).collect();
        let done = map.update_batch(entries.iter().map(|(key, value)| (&key[..], &value[..])), Update::New);
        assert_eq!(done.unwrap(), count as usize);
        let read: BTreeMap<_, _> = map.entries().map(Result::unwrap).collect();
        assert!(read.iter().map(|(key, value)| (&key[..], &value[..])).eq({
            let sorted: BTreeMap<_, _> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
            sorted
        }));
        let mut seen = 0;
        let keys: Vec<_> = (0..count + 7).map(key).collect();
        map.lookup_many(keys.iter().map(|key| &key[..]), |asked, found| {
            let number = u32::from_le_bytes(asked.try_into().unwrap());
            assert_eq!((number, found), (seen, (number < count).then(|| value(number)).as_deref()));
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, count + 7);
        let deleted = map.delete_batch(keys[..count as usize].iter().map(|key| &key[..])).unwrap();
        assert_eq!((deleted, map.entries().count()), (count as usize, 0));
        device.free_map(map.info().id).unwrap();
        device.quiesce().unwrap();
    }
    assert_eq!(device.leaked(), 0);
}

pub(crate) fn a_batch_tells_where_it_stopped(connect: Connect<'_>) {
    let device = open(connect);
    let map = make(&device, &map("few", MapKind::Hash, 4, 4, 6000));
    let keys: Vec<_> = (0..12_000).map(key).collect();
    let entries = || keys.iter().map(|key| (&key[..], &key[..]));
    let error = map.update_batch(entries(), Update::New).unwrap_err();
    match error {
        Error::Batch { entry: 6000, done: 6000, source } => assert_eq!(source.status, Status::Full),
        other => panic!("{other}"),
    }
    let error = map.delete_batch(keys[5000..].iter().map(|key| &key[..])).unwrap_err();
    match error {
        Error::Batch { entry: 1000, done: 1000, source } => assert_eq!(source.status, Status::NotFound),
        other => panic!("{other}"),
    }
    assert_eq!(map.entries().count(), 5000);
    let wrong = [(&keys[0][..], &keys[0][..]), (&keys[1][..3], &keys[1][..])];
    assert!(matches!(map.update_batch(wrong, Update::Any), Err(Error::Size { .. })));
}

pub(crate) fn a_walk_sees_each_key_once_while_others_delete(connect: Connect<'_>) {
    let device = open(connect);
    let map = make(&device, &map("walked", MapKind::Hash, 4, 56, 8192));
    let entries: Vec<_> = (0..8000).map(|number| (key(number), [number as u8; 56])).collect();
    map.update_batch(entries.iter().map(|(key, value)| (&key[..], &value[..])), Update::Any).unwrap();
    let mut seen = BTreeSet::new();
    let mut walk = map.entries();
    while let Some((key, _)) = walk.advance().unwrap() {
        let key = key.to_vec();
        // Half of what was seen goes, now and then just the key at which the walk stands.
        if key[0] % 2 == 0 {
            assert!(map.delete(&key).unwrap());
        }
        assert!(seen.insert(key), "a key came twice");
    }
    assert_eq!(seen.len(), 8000);
    assert_eq!(map.entries().count(), 4000);
}

pub(crate) fn arrays_are_walked_in_order(connect: Connect<'_>) {
    let device = open(connect);
    let map = make(&device, &map("array", MapKind::Array, 4, 8, 20_000));
    map.update(&key(19_999), &[1; 8], Update::Any).unwrap();
    assert_eq!(refused(map.update(&key(20_000), &[1; 8], Update::Any)), Status::Full);
    assert_eq!(refused(map.delete(&key(3))), Status::Invalid);
    let keys: Vec<u32> = map.entries().map(|entry| u32::from_le_bytes(entry.unwrap().0.try_into().unwrap())).collect();
    assert!(keys.iter().copied().eq(0..20_000));
}

pub(crate) fn values_larger_than_any_buffer(connect: Connect<'_>) {
    let device = open(connect);
    let map = make(&device, &map("blocks", MapKind::Array, 4, 100_000, 3));
    let value: Vec<u8> = (0..100_000u32).map(|byte| (byte * 7) as u8).collect();
    map.update(&key(1), &value, Update::Any).unwrap();
    assert_eq!(map.lookup(&key(1)).unwrap().as_ref(), Some(&value));
    map.update_batch([(&key(0)[..], &value[..]), (&key(2)[..], &value[..])], Update::Any).unwrap();
    assert!(map.entries().all(|entry| entry.unwrap().1 == value));
    assert_eq!(device.leaked(), 0);
}

pub(crate) fn each_vcpu_has_its_copy(connect: Connect<'_>) {
    let device = open(connect);
    let vcpus = device.vcpus();
    let id = device.create_map(&map("stats", MapKind::PercpuHash, 4, 12, 8), None, None).unwrap();
    let raw = device.map(id).unwrap();
    assert_eq!(raw.value_size(), 16 * vcpus as usize);
    let typed = TypedMap::<u32, [u32; 3]>::new(raw.clone()).unwrap();
    let values: Vec<[u32; 3]> = (0..vcpus).map(|vcpu| [vcpu, 10 + vcpu, u32::MAX - vcpu]).collect();
    typed.update_copies(&3, &values, Update::Any).unwrap();
    assert_eq!(typed.lookup_copies(&3).unwrap(), Some(values.clone()));
    let bytes = raw.lookup(&key(3)).unwrap().unwrap();
    for (vcpu, value) in (0..).zip(&values) {
        let expected: Vec<u8> = value.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(raw.copy(&bytes, vcpu), Some(&expected[..]));
    }
    assert_eq!(raw.copy(&bytes, vcpus), None);
    typed.update(&4, &[1, 2, 3], Update::Any).unwrap();
    assert_eq!(typed.lookup_copies(&4).unwrap(), Some(vec![[1, 2, 3]; vcpus as usize]));
    assert!(matches!(typed.update_copies(&4, &[[0; 3]], Update::Any), Err(Error::Size { .. })));
    assert!(matches!(TypedMap::<u32, u64>::new(raw.clone()), Err(Error::Size { .. })));
    assert!(matches!(TypedMap::<u64, [u32; 3]>::new(raw), Err(Error::Size { .. })));
}

pub(crate) fn typed_entries(connect: Connect<'_>) {
    let device = open(connect);
    let id = device.create_map(&map("ports", MapKind::Hash, 4, 8, 64), None, None).unwrap();
    let ports = TypedMap::<(u16, [u8; 2]), u64>::new(device.map(id).unwrap()).unwrap();
    let entries: Vec<_> = (0..50u16).map(|port| ((port, port.to_be_bytes()), u64::from(port) << 40)).collect();
    assert_eq!(ports.update_batch(&entries, Update::New).unwrap(), 50);
    assert_eq!(ports.lookup(&(7, [0, 7])).unwrap(), Some(7 << 40));
    assert_eq!(ports.lookup(&(7, [7, 0])).unwrap(), None);
    let mut read: Vec<_> = ports.entries().map(Result::unwrap).collect();
    read.sort_unstable();
    assert_eq!(read, entries);
    assert!(ports.delete(&(7, [0, 7])).unwrap());
}

pub(crate) fn maps_of_maps(connect: Connect<'_>) {
    let device = open(connect);
    let inner = map("inner", MapKind::Array, 4, 8, 2);
    let [one, two] = [(); 2].map(|()| device.create_map(&inner, None, None).unwrap());
    let outer = map("outer", MapKind::HashOfMaps, 4, 4, 4);
    let outer = device.map(device.create_map(&outer, None, Some(one)).unwrap()).unwrap();
    let id = |map: driver::MapId| u32::from(map.0).to_le_bytes();
    outer.update(&key(1), &id(two), Update::Any).unwrap();
    assert_eq!(outer.lookup(&key(1)).unwrap(), Some(id(two).to_vec()));
    let held = device.free_map(two).unwrap_err();
    assert_eq!(held.status(), Some(Status::Busy), "{held}");
    device.free_map(one).unwrap();
    let other = device.create_map(&map("other", MapKind::Hash, 8, 8, 2), None, None).unwrap();
    let wrong = outer.update(&key(2), &id(other), Update::Any).unwrap_err();
    assert!(matches!(wrong.status(), Some(Status::Invalid | Status::Reference)), "{wrong}");
    assert!(outer.delete(&key(1)).unwrap());
    device.quiesce().unwrap();
    device.free_map(two).unwrap();
}
