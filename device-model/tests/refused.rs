//! Objects that the device refuses, each by name. If this fails, something gets in that cannot work, or a refusal leaves something
//! behind.

mod common;

use common::{load_text as load, load_with, map};
use device_model::{
    AttachError, Device, LoadError, MapCreateError, MapError, MapFreeError, MapId, MapImage, MapRefusal, Mismatch,
    ProgramError, ProgramId, Update,
};
use offwire_image::{DispatchMode, Link, MapKind, MapSpec};
use offwire_isa::SMALL;

/// Existing maps must be what the image says; nothing has changed if one is not.
#[test]
fn maps_that_do_not_fit_are_refused() {
    let mut device = Device::new(&SMALL);
    let spec = map(MapKind::Hash, 4, 8, 5);
    let create = |device: &mut Device, spec: &MapSpec| device.map_create(spec, None, None).unwrap();
    let made = create(&mut device, &spec);
    let refused = |device: &mut Device, spec: &MapSpec, map: MapId| {
        let before = (device.map_memory(), device.store_words());
        let fresh = common::map(MapKind::Array, 4, 8, 1);
        let answer = load(device, "next=pass", &[fresh, spec.clone()], &[None, Some(map)]);
        assert_eq!((device.map_memory(), device.store_words()), before);
        match answer {
            Err(LoadError::Mismatch { slot: 1, what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    let changed = [
        (MapSpec { kind: MapKind::LruHash, ..spec.clone() }, Mismatch::Kind),
        (MapSpec { key_size: 5, ..spec.clone() }, Mismatch::KeySize),
        (MapSpec { value_size: 9, ..spec.clone() }, Mismatch::ValueSize),
        (MapSpec { max_entries: 6, ..spec.clone() }, Mismatch::MaxEntries),
        (MapSpec { flags: 1, ..spec.clone() }, Mismatch::Flags),
    ];
    for (changed, what) in changed {
        assert_eq!(refused(&mut device, &changed, made), what);
    }
    assert_eq!(refused(&mut device, &spec, MapId(77)), Mismatch::NoMap);
    let locked = device.map_create(&spec, Some(4), None).unwrap();
    assert_eq!(refused(&mut device, &spec, locked), Mismatch::Lock);
    let twice = load(&mut device, "next=pass", &[spec.clone(), spec.clone()], &[Some(made), Some(made)]);
    assert_eq!(twice, Err(LoadError::Mismatch { slot: 1, map: made, what: Mismatch::Twice }));
    assert_eq!(
        load(&mut device, "next=pass", std::slice::from_ref(&spec), &[None, None]),
        Err(LoadError::MapsGiven { given: 2, maps: 1 })
    );
    // Constants have to be the same constants.
    let constant = MapSpec { init: vec![1, 2], frozen: true, ..map(MapKind::Array, 4, 8, 1) };
    let right = create(&mut device, &constant);
    let wrong = create(&mut device, &MapSpec { init: vec![1, 3], ..constant.clone() });
    let open = create(&mut device, &MapSpec { frozen: false, ..constant.clone() });
    assert_eq!(refused(&mut device, &constant, wrong), Mismatch::Contents);
    assert_eq!(refused(&mut device, &constant, open), Mismatch::Contents);
    assert!(load(&mut device, "next=pass", std::slice::from_ref(&constant), &[Some(right)]).is_ok());
    // Program arrays belong to their image, inner maps to their like.
    let programs = map(MapKind::ProgArray, 4, 4, 1);
    let image = MapImage { maps: std::slice::from_ref(&programs), ..MapImage::default() };
    let first = load_with(&mut device, "next=pass", &[], image, &[], DispatchMode::Any).unwrap();
    let array = device.program_info(first).unwrap().maps[0];
    assert_eq!(refused(&mut device, &programs, array), Mismatch::ProgArray);
    assert_eq!(device.map_create(&programs, None, None), Err(MapCreateError::ProgArray));
    let outer = map(MapKind::ArrayOfMaps, 4, 4, 1);
    let existing = device.map_create(&outer, None, Some(made)).unwrap();
    let links = [Link { map: 0, key: 0, to: 1 }];
    for (inner, what) in [(spec.clone(), None), (map(MapKind::Hash, 4, 16, 5), Some(Mismatch::Inner))] {
        let maps = [outer.clone(), inner];
        let image = MapImage { maps: &maps, links: &links, ..MapImage::default() };
        let answer = load_with(&mut device, "next=pass", &[], image, &[Some(existing)], DispatchMode::Any);
        let map = existing;
        assert_eq!(answer.err(), what.map(|what| LoadError::Mismatch { slot: 0, map, what }));
    }
}

/// What cannot be created, freed or attached is refused by name.
#[test]
fn impossible_objects_are_refused() {
    let mut device = Device::new(&SMALL);
    let hash = map(MapKind::Hash, 4, 8, 1);
    assert_eq!(device.map_create(&hash, Some(6), None), Err(MapCreateError::Lock(6)));
    let cpus = map(MapKind::Cpumap, 4, 8, 1);
    assert_eq!(device.map_create(&cpus, None, None), Err(MapRefusal::Kind(MapKind::Cpumap).into()));
    assert_eq!(device.map_create(&hash, None, Some(MapId(3))), Err(MapCreateError::Inner(MapId(3))));
    let outer = map(MapKind::ArrayOfMaps, 4, 4, 1);
    let first = device.map_create(&outer, None, None).unwrap();
    assert_eq!(device.map_create(&outer, None, Some(first)), Err(MapCreateError::Inner(first)));
    let large = map(MapKind::Array, 4, 1 << 19, 1);
    let created = (0..9).map(|_| device.map_create(&large, None, None)).collect::<Vec<_>>();
    let (used, total) = device.map_memory();
    assert_eq!(created.last(), Some(&Err(MapCreateError::Memory { needed: 1 << 19, available: total - used })));
    let large = created.into_iter().flatten().next().unwrap();
    device.map_free(large).unwrap();
    assert_eq!(device.map_memory().0, used - (1 << 19));
    assert_eq!(device.map_free(large), Err(MapFreeError::NoMap(large)));
    let small = map(MapKind::PerfEventArray, 4, 4, 1);
    while device.map_create(&small, None, None).is_ok() {}
    assert_eq!(device.map_create(&small, None, None), Err(MapCreateError::TooMany));
    assert_eq!((0..).map_while(|n| device.map_info(MapId(n)).ok()).count(), 1024);
    assert_eq!(load(&mut device, "next=pass", &[small], &[]), Err(LoadError::MapNumbers { maps: 1, free: 0 }));
    let program = load(&mut device, "next=pass", &[], &[]).unwrap();
    assert_eq!(device.attach(64, program, None), Err(AttachError::Port(64)));
    assert_eq!(device.attach(0, ProgramId(9), None), Err(AttachError::NoProgram(ProgramId(9))));
    assert_eq!(device.detach(64), Err(AttachError::Port(64)));
    assert_eq!(device.detach(0), Err(AttachError::NotAttached(0)));
    assert_eq!(device.program_unload(ProgramId(9)), Err(ProgramError::NoProgram(ProgramId(9))));
    assert_eq!(device.program_counters(ProgramId(9)), Err(ProgramError::NoProgram(ProgramId(9))));
    device.map_freeze(first).unwrap();
    assert_eq!(device.map_update_bytes(first, &[0; 4], &[0; 4], Update::Any), Err(MapError::Frozen));
}
