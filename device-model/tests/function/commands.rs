//! Every opcode, good and bad.

use offwire_hostif::{
    CommandFlag, CounterDomain, DispatchChoice, Iova, MapRefusal, Opcode, PciFunction, PortFlag, RingId, Status,
    TimeMode, desc, reg,
};
use offwire_image::MapKind;

use crate::common::map;
use crate::host::{BUFFER, Host, command, config, image, load_input, map_record, mark, padded, status};

const NONE: u32 = u32::MAX;

fn object(opcode: Opcode, object: u32) -> desc::Command {
    desc::Command { object, ..command(opcode) }
}

#[test]
fn programs_are_loaded_listed_and_unloaded() {
    let mut host = Host::new(config());
    assert_eq!(host.fails(object(Opcode::ProgramNext, NONE)), (Status::NotFound, 0));
    let hash = map(MapKind::Hash, 4, 8, 16);
    let drops = image("drops", "q.lookup map=0 key=stack[0+0] dst=r2 null; t2=drop next=pass", &[hash]);
    let first = host.load(&drops, &[]);
    let second = host.load(&mark(7, "tx"), &[]);
    assert_eq!((first, second), (0, 1));
    assert_eq!(host.ok(object(Opcode::ProgramNext, NONE)).result, 0);
    assert_eq!(host.ok(object(Opcode::ProgramNext, 0)).result, 1);
    assert_eq!(host.fails(object(Opcode::ProgramNext, 1)), (Status::NotFound, 0));

    let bytes = host.read(object(Opcode::ProgramInfo, first));
    let info = desc::ProgramInfo::decode(bytes.first_chunk().unwrap());
    assert_eq!((info.id, info.words, info.address, info.maps, info.ports), (0, 1, 0, 1, 0));
    assert_eq!((info.mode, info.budget, info.in_flight), (DispatchChoice::Any.code(), 10_000, 0));
    assert_eq!(info.tag.to_le_bytes(), drops.words_digest()[..8]);
    assert_eq!(info.name[..6], *b"drops\0");
    let made = u16::from_le_bytes([bytes[128], bytes[129]]);
    assert_eq!(bytes.len(), 130);
    // A buffer that is too small for it says how large it has to be.
    let small = host.with_output(object(Opcode::ProgramInfo, first), 129);
    assert_eq!(host.fails(small), (Status::BufferSize, 130));

    // Another program over the same map: two hold it then.
    let third = host.load(&drops, &[made]);
    let info = desc::MapInfo::decode(host.read(object(Opcode::MapInfo, made.into())).first_chunk().unwrap());
    assert_eq!(info.programs, 2);
    assert_eq!(host.fails(object(Opcode::MapFree, made.into())), (Status::Busy, first.into()));
    host.ok(object(Opcode::ProgramUnload, first));
    assert_eq!(host.fails(object(Opcode::MapFree, made.into())), (Status::Busy, third.into()));
    host.ok(object(Opcode::ProgramUnload, third));
    assert_eq!(host.fails(object(Opcode::MapInfo, made.into())), (Status::NoSuchMap, made.into()));
    for opcode in [Opcode::ProgramUnload, Opcode::ProgramInfo] {
        assert_eq!(host.fails(object(opcode, first)), (Status::NoSuchProgram, first.into()));
        assert_eq!(host.fails(object(opcode, 0x1_0001)), (Status::NoSuchProgram, 0x1_0001), "ids are not cut");
    }
}

#[test]
fn what_is_no_image_leaves_nothing_behind() {
    let mut host = Host::new(config());
    let good = image("good", "next=drop", &[map(MapKind::Hash, 4, 8, 16)]);
    let input = load_input(&good, &[]);
    let load = |host: &mut Host, input: &[u8]| {
        let command = host.with_input(command(Opcode::ProgramLoad), input);
        host.fails(command)
    };
    assert_eq!(load(&mut host, &[]), (Status::BufferSize, 16));
    assert_eq!(load(&mut host, &input[..input.len() - 1]), (Status::BufferSize, input.len() as u64));
    for at in 16..input.len() {
        let mut bad = input.clone();
        bad[at] ^= 0x10;
        assert_eq!(load(&mut host, &bad), (Status::ImageContainer, 0), "{at}");
    }
    let refused = |host: &mut Host, image: &offwire_image::Image| load(host, &load_input(image, &[]));
    let other = offwire_image::Image { profile_hash: 1, ..good.clone() };
    assert_eq!(refused(&mut host, &other), (Status::ImageBinding, 0));
    let mut far = image("far", "next=@1\n next=drop", &[]);
    far.words.pop();
    assert_eq!(refused(&mut host, &far), (Status::ImageCheck, 0));
    let no_budget = offwire_image::Image { budget_cycles: 0, ..good.clone() };
    assert_eq!(refused(&mut host, &no_budget), (Status::ImageCheck, NONE.into()));
    let long = offwire_image::Image { words: vec![good.words[0]; 4097], ..good.clone() };
    assert_eq!(refused(&mut host, &long), (Status::StoreFull, 4097));
    let half = offwire_image::Image { words: vec![good.words[0]; 2049], ..good.clone() };
    host.load(&half, &[]);
    assert_eq!(refused(&mut host, &half), (Status::StoreFull, 2049));
    host.ok(object(Opcode::ProgramUnload, 0));
    let memory = image("memory", "next=drop", &[map(MapKind::Array, 4, 4096, 1000)]);
    let (status, needed) = refused(&mut host, &memory);
    assert!(status == Status::MapMemory && needed >= 4_096_000, "{status:?} {needed}");

    let two = image("two", "next=drop", &[map(MapKind::Hash, 4, 8, 16), map(MapKind::Hash, 4, 8, 16)]);
    assert_eq!(load(&mut host, &load_input(&two, &[0xffff])), (Status::BadRecord, 4), "one binding for two maps");
    assert_eq!(load(&mut host, &load_input(&two, &[9, 0xffff])), (Status::NoSuchMap, 9));
    let array = host.create(map_record(2, 4, 8, 16), &[]);
    assert_eq!(load(&mut host, &load_input(&two, &[0xffff, array as u16])), (Status::MapMismatch, 1));
    host.ok(object(Opcode::MapFree, array));
    // All ids are free, and all map memory.
    assert_eq!(host.fails(object(Opcode::ProgramNext, NONE)), (Status::NotFound, 0));
    assert_eq!(host.fails(object(Opcode::MapNext, NONE)), (Status::NotFound, 0));
    assert_eq!(host.load(&good, &[]), 0);
}

#[test]
fn ids_are_used_up_and_come_back() {
    let mut host = Host::new(config());
    let program = mark(1, "drop");
    for id in 0..device_model::PROGRAMS as u32 {
        assert_eq!(host.load(&program, &[]), id);
    }
    let one_more = host.with_input(command(Opcode::ProgramLoad), &load_input(&program, &[]));
    assert_eq!(host.fails(one_more), (Status::TooMany, device_model::PROGRAMS as u64));
    host.ok(object(Opcode::ProgramUnload, 5));
    assert_eq!(host.load(&program, &[]), 5);
}

#[test]
fn ports_are_attached_swapped_and_detached() {
    let mut host = Host::new(config());
    let (a, b) = (host.load(&mark(1, "tx"), &[]), host.load(&mark(2, "tx"), &[]));
    let attach = |program: u32| desc::Command { argument: program, ..object(Opcode::PortAttach, 3) };
    let expect = |command: desc::Command, count: u32| desc::Command { flags: CommandFlag::EXPECT, count, ..command };
    assert_eq!(host.fails(object(Opcode::PortDetach, 3)), (Status::NotFound, 0));
    assert_eq!(host.fails(expect(attach(a), b)), (Status::Changed, NONE.into()));
    assert_eq!(host.ok(expect(attach(a), NONE)).result, NONE.into());
    assert_eq!(host.fails(expect(attach(b), NONE)), (Status::Changed, a.into()));
    assert_eq!(host.ok(attach(b)).result, u64::from(a));
    assert_eq!(host.fails(attach(9)), (Status::NoSuchProgram, 9));
    let info = |host: &mut Host, port| {
        desc::PortInfo::decode(host.read(object(Opcode::PortInfo, port)).first_chunk().unwrap())
    };
    let port = info(&mut host, 3);
    assert_eq!((port.port, port.flags, port.ifindex, port.program), (3, PortFlag::UP.into(), 4, b));
    assert_eq!(port.mode, DispatchChoice::Any.code().into());
    host.ok(desc::Command { value: DispatchChoice::Flow.code().into(), ..attach(b) });
    assert_eq!(info(&mut host, 3).mode, DispatchChoice::Flow.code().into());
    let program = desc::ProgramInfo::decode(host.read(object(Opcode::ProgramInfo, b)).first_chunk().unwrap());
    assert_eq!(program.ports, 1 << 3);
    assert_eq!(host.fails(object(Opcode::ProgramUnload, b)), (Status::Busy, 3));
    assert_eq!(host.fails(expect(object(Opcode::PortDetach, 3), a)), (Status::Changed, b.into()));
    assert_eq!(host.ok(expect(object(Opcode::PortDetach, 3), b)).result, u64::from(b));
    assert_eq!((info(&mut host, 3).program, info(&mut host, 3).mode), (NONE, 0));
    for value in [4, 0x1_0000, u64::MAX] {
        assert_eq!(host.fails(desc::Command { value, ..attach(b) }), (Status::BadField, 16));
    }
    for opcode in [Opcode::PortAttach, Opcode::PortDetach, Opcode::PortInfo, Opcode::PortSet] {
        for port in [64, 0x1_0000, NONE] {
            assert_eq!(host.fails(object(opcode, port)), (Status::NoSuchPort, port.into()), "{opcode:?}");
        }
    }
    let set = |argument, value| desc::Command { argument, value, ..object(Opcode::PortSet, 2) };
    host.ok(set(PortFlag::CAPTURE.into(), 77));
    assert_eq!((info(&mut host, 2).flags, info(&mut host, 2).ifindex), (PortFlag::CAPTURE.into(), 77));
    host.ok(set(0, 0));
    assert_eq!((info(&mut host, 2).flags, info(&mut host, 2).ifindex), (0, 3));
    assert_eq!(host.fails(set(8, 0)), (Status::BadField, 12));
    assert_eq!(host.fails(set(1, 1 << 32)), (Status::BadField, 16));
}

#[test]
fn maps_are_created_and_freed() {
    let mut host = Host::new(config());
    let record = map_record(2, 4, 16, 3);
    let array = host.create(record, &[1, 2, 3]);
    let info = desc::MapInfo::decode(host.read(object(Opcode::MapInfo, array)).first_chunk().unwrap());
    assert_eq!((info.id, info.kind, info.key_bytes, info.value_bytes, info.max_entries), (array, 2, 4, 16, 3));
    assert_eq!((info.lock, info.frozen, info.copies, info.programs), (NONE, 0, 1, 0));
    assert!(info.memory >= 48 && info.name[..5] == *b"made\0");
    assert_eq!(host.lookup(array, &[0; 4])[..4], [1, 2, 3, 0]);
    let hash = host.create(desc::MapCreate { lock: 8, ..map_record(1, 4, 16, 3) }, &[]);
    assert_eq!(host.ok(object(Opcode::MapNext, NONE)).result, u64::from(array));
    assert_eq!(host.ok(object(Opcode::MapNext, array)).result, u64::from(hash));
    assert_eq!(host.fails(object(Opcode::MapNext, hash)), (Status::NotFound, 0));
    // A map of maps, what is inside, and who holds whom.
    let outer = host.create(desc::MapCreate { inner: array, ..map_record(12, 4, 4, 2) }, &[]);
    host.update(outer, &[1, 0, 0, 0], &array.to_le_bytes());
    assert_eq!(host.lookup(outer, &[1, 0, 0, 0]), array.to_le_bytes());
    assert_eq!(host.fails(object(Opcode::MapFree, array)), (Status::Busy, NONE.into()));
    let wrong = [padded(&[0; 4]), hash.to_le_bytes().to_vec()].concat();
    let wrong = host.with_input(object(Opcode::MapUpdate, outer), &wrong);
    assert!(matches!(host.fails(wrong).0, Status::Reference | Status::Invalid));

    let refused = |host: &mut Host, record: desc::MapCreate| {
        let command = host.with_input(command(Opcode::MapCreate), &record.encode());
        host.fails(command)
    };
    let rows = [
        (desc::MapCreate { kind: 99, ..record }, MapRefusal::Kind),
        (desc::MapCreate { kind: 3, value_bytes: 4, ..record }, MapRefusal::Kind),
        (desc::MapCreate { flags: 1 << 30, ..record }, MapRefusal::Flags),
        (desc::MapCreate { max_entries: 0, ..record }, MapRefusal::NoEntries),
        (desc::MapCreate { key_bytes: 8, ..record }, MapRefusal::KeySize),
        (desc::MapCreate { value_bytes: 0, ..record }, MapRefusal::ValueSize),
        (desc::MapCreate { value_bytes: u32::MAX, ..record }, MapRefusal::ValueSize),
        (map_record(27, 0, 0, 5000), MapRefusal::RingSize),
        (desc::MapCreate { max_entries: u32::MAX, ..record }, MapRefusal::Elements),
        (desc::MapCreate { lock: 2, ..record }, MapRefusal::Lock),
        (desc::MapCreate { inner: array, ..record }, MapRefusal::Inner),
    ];
    for (record, why) in rows {
        assert_eq!(refused(&mut host, record), (Status::MapRefused, why.code().into()));
    }
    let init = [&desc::MapCreate { init_bytes: 17, ..record }.encode()[..], &[0; 17]].concat();
    let init = host.with_input(command(Opcode::MapCreate), &init);
    assert_eq!(host.fails(init), (Status::MapRefused, MapRefusal::InitSize.code().into()));
    assert_eq!(refused(&mut host, desc::MapCreate { inner: 500, ..map_record(12, 4, 4, 2) }), (Status::NoSuchMap, 500));
    let (status, needed) = refused(&mut host, desc::MapCreate { max_entries: 1 << 20, ..record });
    assert!(status == Status::MapMemory && needed >= 16 << 20);

    host.ok(object(Opcode::MapFree, outer));
    host.ok(object(Opcode::MapFree, array));
    assert_eq!(host.create(record, &[]), array, "the lowest number");
    for opcode in [Opcode::MapFree, Opcode::MapInfo, Opcode::MapFreeze, Opcode::MapLookup, Opcode::MapUpdate] {
        assert_eq!(host.fails(object(opcode, 900)), (Status::NoSuchMap, 900), "{opcode:?}");
        assert_eq!(host.fails(object(opcode, 0x1_0000)), (Status::NoSuchMap, 0x1_0000), "{opcode:?}");
    }
}

#[test]
fn entries_come_and_go() {
    let mut host = Host::new(config());
    let hash = host.create(map_record(1, 6, 10, 2), &[]);
    let with = |host: &mut Host, opcode, input: &[u8]| host.with_input(object(opcode, hash), input);
    let update = |host: &mut Host, key: u8, value: u8, flags: u64| {
        let input = [padded(&[key; 6]), vec![value; 10]].concat();
        let command = with(host, Opcode::MapUpdate, &input);
        status(&host.run(desc::Command { value: flags, ..command }))
    };
    assert_eq!(update(&mut host, 1, 10, 2), (Status::NotFound, 0));
    assert_eq!(update(&mut host, 1, 10, 1), (Status::Ok, 0));
    assert_eq!(update(&mut host, 1, 11, 1), (Status::Exists, 0));
    assert_eq!(update(&mut host, 1, 12, 2), (Status::Ok, 0));
    assert_eq!(update(&mut host, 2, 20, 0), (Status::Ok, 0));
    assert_eq!(update(&mut host, 3, 30, 0), (Status::Full, 0));
    assert_eq!(update(&mut host, 3, 30, 3), (Status::Invalid, 0));
    assert_eq!(host.lookup(hash, &[1; 6]), [12; 10]);
    let missing = with(&mut host, Opcode::MapLookup, &[3; 6]);
    let missing = host.with_output(missing, 10);
    assert_eq!(host.fails(missing), (Status::NotFound, 0));
    let short = with(&mut host, Opcode::MapLookup, &[1; 5]);
    assert_eq!(host.fails(short), (Status::BufferSize, 6));
    let small = with(&mut host, Opcode::MapLookup, &[1; 6]);
    let small = host.with_output(small, 9);
    assert_eq!(host.fails(small), (Status::BufferSize, 10));
    let wrong = with(&mut host, Opcode::MapUpdate, &[1; 17]);
    assert_eq!(host.fails(wrong), (Status::BufferSize, 18));

    let next = |host: &mut Host, key: &[u8]| {
        let command = with(host, Opcode::MapNextKey, key);
        let command = host.with_output(command, 100);
        let completion = host.run(command);
        let key = host.get(host.output, completion.output_bytes as usize);
        if status(&completion).0 == Status::Ok { Ok(key) } else { Err(status(&completion)) }
    };
    let first = next(&mut host, &[]).unwrap();
    let second = next(&mut host, &first).unwrap();
    assert_eq!(next(&mut host, &second), Err((Status::NotFound, 0)));
    assert_eq!(next(&mut host, &[9; 6]).as_ref(), Ok(&first), "a key that is not there: from the start");
    assert_eq!(next(&mut host, &[9; 7]), Err((Status::BufferSize, 6)));
    let mut keys = [first, second];
    keys.sort();
    assert_eq!(keys, [vec![1; 6], vec![2; 6]]);

    let delete = with(&mut host, Opcode::MapDelete, &[1; 6]);
    host.ok(delete);
    assert_eq!(host.fails(delete), (Status::NotFound, 0));
    host.ok(object(Opcode::MapFreeze, hash));
    assert_eq!(update(&mut host, 2, 1, 0), (Status::Frozen, 0));
    let delete = with(&mut host, Opcode::MapDelete, &[2; 6]);
    assert_eq!(host.fails(delete), (Status::Frozen, 0));
    assert_eq!(host.lookup(hash, &[2; 6]), [20; 10]);
    let ring = host.create(map_record(27, 0, 0, 4096), &[]);
    for opcode in [Opcode::MapLookup, Opcode::MapUpdate, Opcode::MapDelete, Opcode::MapNextKey] {
        assert_eq!(host.fails(object(opcode, ring)), (Status::Invalid, 0), "{opcode:?}");
    }
    let array = host.create(map_record(2, 4, 8, 2), &[]);
    let beyond = host.with_input(object(Opcode::MapUpdate, array), &[2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(host.fails(beyond), (Status::Full, 0));
}

#[test]
fn per_cpu_values_are_seen_together() {
    let mut host = Host::new(config());
    let vcpus = offwire_isa::SMALL.vcpus as usize;
    let map = host.create(map_record(5, 4, 5, 4), &[]);
    let info = desc::MapInfo::decode(host.read(object(Opcode::MapInfo, map)).first_chunk().unwrap());
    assert_eq!(info.copies as usize, vcpus);
    let value: Vec<u8> = (0..vcpus as u8).flat_map(|cpu| [cpu + 1, 0, 0, 0, 9, 0, 0, 0]).collect();
    host.update(map, &[7; 4], &value);
    assert_eq!(host.lookup(map, &[7; 4]), value);
    let batch = host.with_output(desc::Command { count: 10, ..object(Opcode::MapLookupBatch, map) }, BUFFER);
    let completion = host.ok(batch);
    assert_eq!((completion.count, completion.output_bytes as usize), (1, 8 + value.len()));
    assert_eq!(host.get(host.output, 8 + value.len()), [padded(&[7; 4]), value].concat());
}

#[test]
fn batches_stop_at_the_first_that_fails() {
    let mut host = Host::new(config());
    let map = host.create(map_record(1, 4, 8, 5000), &[]);
    let entry = |key: u32, value: u64| [padded(&key.to_le_bytes()), value.to_le_bytes().to_vec()].concat();
    let batch = |host: &mut Host, opcode, count: u32, value, input: &[u8]| {
        let command = host.with_input(object(opcode, map), input);
        host.run(desc::Command { count, value, ..command })
    };
    // More than a share.
    let all: Vec<u8> = (0..5000).flat_map(|key| entry(key, u64::from(key) * 3)).collect();
    let done = batch(&mut host, Opcode::MapUpdateBatch, 5000, 0, &all);
    assert_eq!((status(&done), done.count), ((Status::Ok, 0), 5000));
    assert_eq!(host.lookup(map, &4999u32.to_le_bytes()), 14997u64.to_le_bytes());
    let some = [entry(0, 1), entry(5000, 1), entry(1, 1)].concat();
    let done = batch(&mut host, Opcode::MapUpdateBatch, 3, 0, &some);
    assert_eq!((status(&done), done.count), ((Status::Full, 0), 1));
    assert_eq!(host.lookup(map, &1u32.to_le_bytes()), 3u64.to_le_bytes(), "what comes behind is not done");
    let done = batch(&mut host, Opcode::MapUpdateBatch, 3, 9, &some);
    assert_eq!((status(&done), done.count), ((Status::Invalid, 0), 0));
    let done = batch(&mut host, Opcode::MapUpdateBatch, 4, 0, &some);
    assert_eq!((status(&done), done.count), ((Status::BufferSize, 64), 0));
    assert_eq!(batch(&mut host, Opcode::MapUpdateBatch, 0, 0, &[]).count, 0);

    // All entries, by buffers of different sizes.
    for size in [16, 100, 16 * 1024, BUFFER] {
        let (mut found, mut key) = (std::collections::BTreeMap::new(), Vec::new());
        loop {
            let command = host.with_input(object(Opcode::MapLookupBatch, map), &key);
            let command = host.with_output(desc::Command { count: NONE, ..command }, size);
            let done = host.ok(command);
            assert_eq!(done.output_bytes, done.count * 16);
            let bytes = host.get(host.output, done.output_bytes as usize);
            for entry in bytes.chunks(16) {
                key = entry[..4].to_vec();
                found.insert(u32::from_le_bytes(entry[..4].try_into().unwrap()), entry[8..].to_vec());
            }
            // Small buffers would take long to the end.
            if done.result == 0 || size <= 100 && found.len() > 30 {
                break;
            }
        }
        assert!(found.len() == 5000 || size <= 100, "{size}: {}", found.len());
        assert!(
            found
                .iter()
                .all(|(&key, value)| *value
                    == [(if key == 0 { 1 } else { u64::from(key) * 3 })].map(u64::to_le_bytes)[0])
        );
    }
    let none = host.with_output(desc::Command { count: 5, ..object(Opcode::MapLookupBatch, map) }, 15);
    assert_eq!(host.fails(none), (Status::BufferSize, 16));
    assert_eq!(host.fails(object(Opcode::MapLookupBatch, map)), (Status::BadField, 48));

    let keys: Vec<u8> = (0..4990u32).chain([0, 4991]).flat_map(|key| padded(&key.to_le_bytes())).collect();
    let done = batch(&mut host, Opcode::MapDeleteBatch, 4992, 0, &keys);
    assert_eq!((status(&done), done.count), ((Status::NotFound, 0), 4990));
    let rest = host.with_output(desc::Command { count: NONE, ..object(Opcode::MapLookupBatch, map) }, BUFFER);
    let done = host.ok(rest);
    assert_eq!((done.count, done.result), (10, 0));
}

/// A command's fields at their extremes are refused by name, and reserved ones have to be 0.
#[test]
fn fields_that_an_opcode_does_not_use_are_zero() {
    let mut host = Host::new(config());
    for opcode in [Opcode::Nop, Opcode::Quiesce, Opcode::Reset] {
        for (name, at, bytes) in desc::Command::FIELDS {
            if matches!(name, "opcode" | "tag" | "phase") {
                continue;
            }
            let mut raw = command(opcode).encode();
            raw[(at + bytes - 1) as usize] = 0x80;
            assert_eq!(host.fails(desc::Command::decode(&raw)), (Status::BadField, at.into()), "{opcode:?} {name}");
        }
    }
    for code in 0..=u16::MAX {
        if Opcode::from_code(code).is_none() && code.count_ones() < 4 {
            let unknown = desc::Command { opcode: code, ..desc::Command::default() };
            assert_eq!(host.fails(unknown), (Status::BadOpcode, code.into()));
        }
    }
}

#[test]
fn buffers_have_to_be_mapped() {
    let mut host = Host::new(config());
    let map = host.create(map_record(2, 4, 8, 1), &[]);
    let lookup = object(Opcode::MapLookup, map);
    let outside = desc::Command { input: 0x1000, input_bytes: 4, ..lookup };
    let outside = host.with_output(outside, 8);
    assert_eq!(host.fails(outside), (Status::DmaFault, 0x1000));
    let output = host.with_input(desc::Command { output: u64::MAX - 2, output_bytes: 8, ..lookup }, &[0; 4]);
    assert_eq!(host.fails(output), (Status::DmaFault, u64::MAX - 2));
    let huge = desc::Command { input: 0x1000, input_bytes: u32::MAX, ..command(Opcode::ProgramLoad) };
    assert_eq!(host.fails(huge), (Status::BufferSize, 32 << 20));
    let large = desc::Command { input: host.input, input_bytes: 32 << 20, ..command(Opcode::ProgramLoad) };
    assert_eq!(host.fails(large).0, Status::DmaFault);
}

/// The host may change memory at any moment: what the device has looked at it does not look at again.
#[test]
fn nothing_is_fetched_twice() {
    let mut host = Host::new(config());
    host.open(0, 3);
    let map = host.create(map_record(1, 4, 8, 100), &[]);
    let entries: Vec<u8> = (0..50u32).flat_map(|key| [key.to_le_bytes(), [0; 4], [1; 4], [2; 4]].concat()).collect();
    let image = load_input(&image("once", "next=drop", &[]), &[]);
    let key = desc::Command { object: map, output: host.output, output_bytes: 4096, ..command(Opcode::Nop) };
    let batch =
        |opcode: Opcode| desc::Command { opcode: opcode.code(), object: map, count: 50, ..command(Opcode::Nop) };
    let of = |opcode: Opcode| desc::Command { opcode: opcode.code(), ..key };
    let rows = [
        (command(Opcode::ProgramLoad), image),
        (command(Opcode::MapCreate), map_record(1, 4, 8, 100).encode().to_vec()),
        (object(Opcode::MapUpdate, map), entries[..16].to_vec()),
        (of(Opcode::MapLookup), vec![0; 4]),
        (of(Opcode::MapNextKey), vec![9; 4]),
        (batch(Opcode::MapUpdateBatch), entries),
        (desc::Command { count: 9, ..of(Opcode::MapLookupBatch) }, vec![0; 4]),
        (batch(Opcode::MapDeleteBatch), (0..50u32).flat_map(|key| padded(&key.to_le_bytes())).collect()),
        (command(Opcode::ChanceSet), vec![0; 24]),
    ];
    for (command, input) in rows {
        host.memory.count_reads();
        let command = host.with_input(command, &input);
        host.ok(command);
        assert_eq!(host.memory.count_reads(), 1, "{command:?}");
    }
    for flags in [0, offwire_hostif::TransmitFlag::INJECT] {
        host.memory.count_reads();
        host.inject(0, &crate::host::frame(1, 100), desc::Transmit { flags, ..desc::Transmit::default() });
        assert_eq!(host.memory.count_reads(), 1);
    }
    assert!(host.received(0).is_some());
}

/// A batch whose memory goes away ends there, and says how far it came.
#[test]
fn batches_outlive_their_memory() {
    let mut host = Host::new(config());
    let map = host.create(map_record(1, 4, 8, 5000), &[]);
    let memory = crate::host::Guarded::new(1 << 17, 0..1 << 17, offwire_hostif::DmaAccess::Read);
    let entries: Vec<u8> = (0..5000u32).flat_map(|key| [key.to_le_bytes(), [0; 4], [1; 4], [2; 4]].concat()).collect();
    memory.set(0, &entries);
    host.function.dma_map(Iova(0x1000), 1 << 17, offwire_hostif::DmaAccess::Read, memory, 0).unwrap();
    let update =
        desc::Command { count: 5000, input: 0x1000, input_bytes: 80_000, ..object(Opcode::MapUpdateBatch, map) };
    host.submit(update);
    // The first poll takes the command and a share of it.
    assert!(host.function.poll() && host.completion().is_none());
    assert_eq!(host.function.dma_unmap(Iova(0x1000), 1 << 17), Ok(1 << 17));
    host.settle();
    let done = host.completion().unwrap();
    assert_eq!((status(&done).0, done.count % 1024), (Status::DmaFault, 0));
    assert_eq!(status(&done).1, 0x1000 + u64::from(done.count) * 16);
    assert!((1..5000).contains(&done.count));
    let all = host.with_output(desc::Command { count: NONE, ..object(Opcode::MapLookupBatch, map) }, BUFFER);
    assert_eq!(host.ok(all).count, done.count);
    // A reset in the middle of one leaves nothing of it.
    host.submit(desc::Command { input: host.input, ..update });
    assert!(host.function.poll());
    host.function.reset();
    host.settle();
    assert!(host.completion().is_none());
}

#[test]
fn counters_have_names() {
    let mut host = Host::new(config());
    host.load(&mark(1, "drop"), &[]);
    assert_eq!(host.counters(CounterDomain::Device, 0).len(), offwire_hostif::DEVICE_COUNTERS.len());
    assert_eq!(host.counters(CounterDomain::Port, 63).len(), offwire_hostif::PORT_COUNTERS.len());
    assert_eq!(host.counters(CounterDomain::Program, 0).len(), offwire_hostif::PROGRAM_COUNTERS.len());
    let entries = host.counter(CounterDomain::Ring, RingId::COMMAND.number(), "entries");
    assert_eq!(entries, 5, "the command that reads it is one");
    let read = |argument, object| desc::Command { argument, object, ..command(Opcode::CountersRead) };
    assert_eq!(host.fails(read(9, 0)), (Status::BadField, 12));
    assert_eq!(host.fails(read(0x1_0000, 0)), (Status::BadField, 12));
    assert_eq!(host.fails(read(CounterDomain::Device.code().into(), 1)), (Status::BadField, 8));
    assert_eq!(host.fails(read(CounterDomain::Port.code().into(), 64)), (Status::NoSuchPort, 64));
    assert_eq!(host.fails(read(CounterDomain::Program.code().into(), 1)), (Status::NoSuchProgram, 1));
    assert_eq!(host.fails(read(CounterDomain::Ring.code().into(), 3)), (Status::BadField, 8));
    assert_eq!(host.fails(read(CounterDomain::Ring.code().into(), 1)), (Status::BufferSize, 32));
}

#[test]
fn time_and_chance_are_set() {
    let mut host = Host::new(config());
    let set = |mode: u32| desc::Command { argument: mode, ..command(Opcode::TimeSet) };
    let mode = |host: &mut Host| reg::Time(host.read32(offwire_hostif::BarOffset(0x2c))).mode();
    assert_eq!(host.fails(set(TimeMode::Real.code().into())), (Status::NotSupported, 0));
    assert_eq!(host.fails(set(3)), (Status::BadField, 12));
    host.ok(set(TimeMode::Free.code().into()));
    assert_eq!(mode(&mut host), TimeMode::Free.code().into());
    host.ok(desc::Command { flags: CommandFlag::BASE, value: 1 << 40, ..set(0) });
    let ns = host.read64(offwire_hostif::BarOffset(0x48));
    assert_eq!(ns, 1 << 40);
    assert_eq!(host.fails(desc::Command { value: 1, ..set(0) }), (Status::BadField, 16), "no Base");
    let chance = desc::Chance { ktime_ns: 5, jiffies: 6, random_state: 7 }.encode();
    let chance = host.with_input(command(Opcode::ChanceSet), &chance);
    host.ok(chance);
    assert_eq!(host.read64(offwire_hostif::BarOffset(0x48)), 5);
    assert_eq!(host.fails(desc::Command { input_bytes: 23, ..chance }), (Status::BufferSize, 24));
}
