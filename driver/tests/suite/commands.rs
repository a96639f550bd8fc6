//! Commands, programs, ports, counters, time.

use super::images::{count, image, long, map, mark};
use super::{Connect, open, options};
use driver::ring::Entries;
use driver::{Chance, CounterOf, Device, Error, OpenOptions, ProgramId, Request};
use offwire_hostif::{DispatchChoice, Opcode, PortFlag, RingId, Status, TimeMode};
use offwire_image::MapKind;
use offwire_isa::SMALL;
use std::sync::Barrier;

/// The status with which a call was refused.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    let error = result.expect_err("the device refuses");
    error.status().unwrap_or_else(|| panic!("{error}"))
}

pub(crate) fn opening_tells_what_it_is(connect: Connect<'_>) {
    let device = open(connect);
    let info = device.info().unwrap();
    assert_eq!((info.isa_version, info.profile_hash), (offwire_isa::ISA_VERSION, SMALL.hash));
    assert_eq!((info.clock_mhz, info.vcpus), (SMALL.clock_mhz, SMALL.vcpus));
    assert!(info.ports > 0 && info.queue_pairs >= 4 && info.max_programs > 1 && info.max_maps > 16, "{info:?}");
    device.check().unwrap();
    let inventory = device.inventory().unwrap();
    assert_eq!((inventory.programs.len(), inventory.maps.len()), (0, 0));
    assert_eq!(inventory.ports.len(), usize::from(info.ports));
    assert!(inventory.ports.iter().all(|port| port.program.is_none() && port.flags & PortFlag::UP != 0));
    assert_eq!(device.leaked(), 0);
}

pub(crate) fn programs_come_and_go(connect: Connect<'_>) {
    let device = open(connect);
    assert_eq!(device.programs().unwrap(), []);
    let first = device.load(&count(), &[]).unwrap();
    let second = device.load(&mark(7, "pass"), &[]).unwrap();
    assert_eq!(device.programs().unwrap(), [first, second]);
    let info = device.program(first).unwrap();
    assert_eq!((info.name.as_str(), info.words, info.maps.len()), ("count", 2, 1));
    assert_eq!((info.mode, &info.ports[..], info.unloading), (DispatchChoice::Any, &[][..], false));
    assert_eq!(device.map_info(info.maps[0]).unwrap().name, "packets");
    device.unload(first).unwrap();
    device.quiesce().unwrap();
    assert_eq!(device.programs().unwrap(), [second]);
    assert_eq!(device.maps().unwrap(), [], "its map went with it");
    assert_eq!(refused(device.program(first)), Status::NoSuchProgram);
    assert_eq!(refused(device.unload(first)), Status::NoSuchProgram);
}

pub(crate) fn what_is_no_image_is_refused(connect: Connect<'_>) {
    let device = open(connect);
    assert_eq!(refused(device.load_bytes(b"\x7fELF, but no image", &[])), Status::ImageContainer);
    let other = offwire_image::Image { profile_hash: 1, ..count() };
    assert_eq!(refused(device.load(&other, &[])), Status::ImageBinding);
    let many = map("large", MapKind::Array, 4, 1 << 20, 1 << 20);
    let error = device.load(&image("x", &["next=pass"], &[many]), &[]).unwrap_err();
    assert!(matches!(error.status(), Some(Status::MapMemory | Status::MapRefused)), "{error}");
    assert_eq!((device.programs().unwrap(), device.maps().unwrap()), (vec![], vec![]), "nothing stays behind");
}

pub(crate) fn maps_can_be_shared_by_programs(connect: Connect<'_>) {
    let device = open(connect);
    let first = device.load(&count(), &[]).unwrap();
    let maps = device.program(first).unwrap().maps;
    let second = device.load(&count(), &[Some(maps[0])]).unwrap();
    assert_eq!(device.program(second).unwrap().maps, maps);
    assert_eq!(device.map_info(maps[0]).unwrap().programs, 2);
    let other = device.create_map(&map("other", MapKind::Hash, 8, 8, 4), None, None).unwrap();
    assert_eq!(refused(device.load(&count(), &[Some(other)])), Status::MapMismatch);
    let found = device.map_of(second, "packets").unwrap().expect("it has this map");
    assert_eq!(found.info().id, maps[0]);
    assert!(device.map_of(second, "nothing").unwrap().is_none());
}

pub(crate) fn attaching_and_swapping(connect: Connect<'_>) {
    let device = open(connect);
    let one = device.load(&mark(1, "pass"), &[]).unwrap();
    let two = device.load(&mark(2, "pass"), &[]).unwrap();
    assert_eq!(device.attach(3, one, DispatchChoice::Proven, Some(None)).unwrap(), None);
    assert_eq!(device.port(3).unwrap().program, Some((one, DispatchChoice::Any)));
    assert_eq!(refused(device.attach(3, two, DispatchChoice::Cpu, Some(None))), Status::Changed);
    assert_eq!(refused(device.attach(3, two, DispatchChoice::Cpu, Some(Some(two)))), Status::Changed);
    device.swap(3, one, two, DispatchChoice::Flow).unwrap();
    assert_eq!(device.port(3).unwrap().program, Some((two, DispatchChoice::Flow)));
    assert_eq!(device.program(two).unwrap().ports, [3]);
    let busy = device.unload(two).unwrap_err();
    assert_eq!(busy.status(), Some(Status::Busy));
    assert_eq!(busy.to_string(), format!("ProgramUnload of program {two}: it is in use by port 3"));
    assert_eq!(refused(device.detach(3, Some(one))), Status::Changed);
    assert_eq!(device.detach(3, Some(two)).unwrap(), Some(two));
    assert_eq!(device.detach(3, None).unwrap(), None);
    assert_eq!(refused(device.attach(200, one, DispatchChoice::Proven, None)), Status::NoSuchPort);
    assert_eq!(refused(device.attach(0, ProgramId(60), DispatchChoice::Proven, None)), Status::NoSuchProgram);
}

pub(crate) fn ports_keep_what_is_set(connect: Connect<'_>) {
    let device = open(connect);
    assert_eq!(device.port(5).unwrap().ifindex, 6);
    device.set_port(5, PortFlag::UP | PortFlag::CAPTURE, Some(77)).unwrap();
    let port = device.port(5).unwrap();
    assert_eq!((port.port, port.flags, port.ifindex), (5, PortFlag::UP | PortFlag::CAPTURE, 77));
    device.set_port(5, PortFlag::UP, None).unwrap();
    assert_eq!(device.port(5).unwrap().ifindex, 6);
    assert_eq!(refused(device.set_port(5, 0x8000, None)), Status::BadField);
}

pub(crate) fn counters_time_and_chance(connect: Connect<'_>) {
    let device = open(connect);
    let id = device.create_map(&map("m", MapKind::Array, 4, 8, 4), None, None).unwrap();
    let map = device.map(id).unwrap();
    let counters = device.counters(CounterOf::Device).unwrap();
    assert_eq!(counters.get("arrivals"), Some(0));
    assert_eq!(counters.get("no such counter"), None);
    assert_eq!(counters.iter().count(), CounterOf::Device.names().len());
    map.update(&[0; 4], &[1; 8], driver::Update::Any).unwrap();
    device.counters(CounterOf::Port(0)).unwrap();
    assert_eq!(refused(device.counters(CounterOf::Port(255))), Status::NoSuchPort);
    assert_eq!(refused(device.counters(CounterOf::Program(ProgramId(9)))), Status::NoSuchProgram);
    let ring = device.counters(CounterOf::Ring(RingId::COMMAND)).unwrap();
    assert!(ring.get("entries").unwrap() > 0, "{ring:?}");
    device.set_chance(Chance { ktime_ns: 5, jiffies: 6, random_state: 7 }).unwrap();
    let info = device.info().unwrap();
    for mode in TimeMode::ALL {
        let allowed = info.time_choices.contains(&mode);
        match device.set_time(mode, None) {
            Ok(()) => assert!(allowed && device.info().unwrap().time_mode == mode),
            Err(error) => assert!(!allowed && error.status() == Some(Status::NotSupported), "{mode:?}: {error}"),
        }
    }
    device.quiesce().unwrap();
}

pub(crate) fn many_commands_are_in_flight(connect: Connect<'_>) {
    let device = open(connect);
    let pending: Vec<_> =
        (0..device.depth()).map(|_| device.submit(&Request::new(Opcode::Nop)).expect("there is room")).collect();
    let mut cycles = Vec::new();
    for pending in pending {
        cycles.push(pending.wait().unwrap().cycle());
    }
    assert!(cycles.is_sorted(), "commands complete in order");
    // Answers may be fetched in any order, or not at all.
    let mut pending: Vec<_> = (0..device.depth()).map(|_| device.submit(&Request::new(Opcode::Nop)).unwrap()).collect();
    let last = pending.pop().unwrap();
    pending.truncate(3);
    last.wait().unwrap();
    pending.into_iter().rev().for_each(|pending| drop(pending.wait().unwrap()));
    for _ in 0..3 * device.depth() {
        device.run(&Request::new(Opcode::Nop)).unwrap();
    }
}

pub(crate) fn commands_of_many_threads_are_not_mixed_up(connect: Connect<'_>) {
    const THREADS: u32 = 4;
    let device = open(connect);
    let id = device.create_map(&map("shared", MapKind::Hash, 4, 4, 4096), None, None).unwrap();
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (map, start) = (device.map(id).unwrap(), &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..300 {
                    let key = (number * THREADS + thread).to_le_bytes();
                    map.update(&key, &(!number).to_le_bytes(), driver::Update::New).unwrap();
                    assert_eq!(map.lookup(&key).unwrap().as_deref(), Some(&(!number).to_le_bytes()[..]));
                    if number % 3 == 0 {
                        assert!(map.delete(&key).unwrap());
                    }
                }
            });
        }
    });
    assert_eq!(device.map(id).unwrap().entries().count(), 200 * THREADS as usize);
}

/// Somebody else holds all places but one; who wants two at a time must give his own back.
pub(crate) fn pipelines_do_not_wait_for_each_other(connect: Connect<'_>) {
    let few = OpenOptions { command_entries: Entries::new(8).unwrap(), ..options() };
    let device = Device::open(connect(), few).unwrap();
    let id = device.create_map(&map("shared", MapKind::Array, 4, 1000, 300), None, None).unwrap();
    let map = device.map(id).unwrap();
    let held: Vec<_> = (0..7).map(|_| device.submit(&Request::new(Opcode::Nop)).unwrap()).collect();
    let keys: Vec<_> = (0..300u32).map(u32::to_le_bytes).collect();
    let entries = keys.iter().map(|key| (&key[..], &[7; 1000][..]));
    assert_eq!(map.update_batch(entries, driver::Update::Any).unwrap(), 300);
    let mut seen = 0;
    map.lookup_many(keys.iter().map(|key| &key[..]), |_, value| {
        assert_eq!(value, Some(&[7; 1000][..]));
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, 300);
    assert!(device.try_submit(&Request::new(Opcode::Nop)).unwrap().is_some());
    held.into_iter().for_each(|held| drop(held.wait().unwrap()));
}

pub(crate) fn impossible_commands_are_refused_and_hurt_nothing(connect: Connect<'_>) {
    let device = open(connect);
    let nop = Request { count: 1, ..Request::new(Opcode::Nop) };
    assert_eq!(refused(device.run(&nop).map(|_| ())), Status::BadField);
    let load = Request::new(Opcode::ProgramLoad).input(&[b"short"]);
    assert!(matches!(refused(device.run(&load).map(|_| ())), Status::BufferSize | Status::BadRecord));
    let huge = Request::new(Opcode::MapLookup).output(1 << 40);
    assert!(matches!(device.run(&huge).map(|_| ()), Err(Error::TooLarge { .. })));
    device.run(&Request::new(Opcode::Nop)).unwrap();
}

pub(crate) fn a_large_image_is_loaded(connect: Connect<'_>) {
    let device = open(connect);
    let image = long(2000);
    assert!(image.to_bytes().len() > 1 << 16, "it has buffers of its own");
    let program = device.load(&image, &[]).unwrap();
    assert_eq!(device.program(program).unwrap().words, 2000);
    let full = device.load(&long(4000), &[]).unwrap_err();
    assert_eq!(full.status(), Some(Status::StoreFull), "{full}");
    assert_eq!(device.leaked(), 0);
}

/// Handles outlive what they were cloned from.
pub(crate) fn the_last_handle_turns_it_off(connect: Connect<'_>) {
    let device = open(connect);
    let map = {
        let id = device.create_map(&map("m", MapKind::Array, 4, 8, 4), None, None).unwrap();
        device.map(id).unwrap()
    };
    let regs = device.regs().clone();
    let running =
        |ring| -> bool { regs.read_ring::<offwire_hostif::reg::RingState>(ring).map(|state| state.enabled()).unwrap() };
    drop(device);
    map.update(&[0; 4], &[9; 8], driver::Update::Any).unwrap();
    assert!(running(RingId::COMMAND));
    let device: Device = map.device().clone();
    drop(map);
    assert!(running(RingId::COMMAND));
    drop(device);
    assert!(!running(RingId::COMMAND) && !running(RingId::COMPLETION));
}
