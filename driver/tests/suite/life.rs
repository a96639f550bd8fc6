//! Coming, going, resets.

use super::images::{count, map, mark};
use super::{Connect, open, options};
use driver::{Device, Error, Journaling, OpenOptions, QueueOptions, Request, TypedMap, Update};
use offwire_hostif::{DispatchChoice, Opcode, PortFlag};
use offwire_image::MapKind;

fn journaling(connect: Connect<'_>, journal: Journaling) -> Device {
    Device::open(connect(), OpenOptions { journal, ..options() }).expect("the device opens")
}

pub(crate) fn the_next_driver_adopts_what_is_there(connect: Connect<'_>) {
    let before = {
        let device = open(connect);
        let program = device.load(&count(), &[]).unwrap();
        device.attach(1, program, DispatchChoice::Proven, None).unwrap();
        device.set_port(2, PortFlag::UP | PortFlag::CAPTURE, Some(9)).unwrap();
        let id = device.create_map(&map("kept", MapKind::Hash, 4, 8, 16), None, None).unwrap();
        TypedMap::<u32, u64>::new(device.map(id).unwrap()).unwrap().update(&4, &44, Update::Any).unwrap();
        // As a driver that crashes would leave it.
        let _pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
        let _events = device.events().unwrap();
        let _forgotten = device.submit(&Request::new(Opcode::Nop)).unwrap();
        device.inventory().unwrap()
    };
    let device = open(connect);
    let after = device.inventory().unwrap();
    assert_eq!(after, before);
    let kept = after.maps.iter().find(|map| map.name == "kept").expect("the map is kept");
    let kept = TypedMap::<u32, u64>::new(device.map(kept.id).unwrap()).unwrap();
    assert_eq!(kept.lookup(&4).unwrap(), Some(44));
    let attached = after.ports[1].program.expect("it is still attached").0;
    assert_eq!(device.detach(1, Some(attached)).unwrap(), Some(attached));
    device.unload(attached).unwrap();
}

pub(crate) fn a_reset_leaves_nothing_and_the_handle_goes_on(connect: Connect<'_>) {
    let device = open(connect);
    let life = device.info().unwrap().life;
    let program = device.load(&count(), &[]).unwrap();
    device.attach(0, program, DispatchChoice::Proven, None).unwrap();
    let packets = device.map_of(program, "packets").unwrap().unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let mut events = device.events().unwrap();
    device.reset().unwrap();
    let now = device.info().unwrap().life;
    assert_eq!((now.instance, now.resets), (life.instance, life.resets + 1));
    device.check().unwrap();
    let inventory = device.inventory().unwrap();
    assert!(inventory.programs.is_empty() && inventory.maps.is_empty() && inventory.ports[0].program.is_none());
    assert!(matches!(packets.lookup(&[0; 4]), Err(Error::Stale)));
    assert!(matches!(pair.rx.receive_burst(1, |_| ()), Err(Error::Stale)));
    assert!(matches!(pair.tx.transmit_burst(&[]), Err(Error::Stale)));
    assert!(matches!(events.poll(), Err(Error::Stale)));
    drop((pair, events));
    drop((device.queue_pair(0, &QueueOptions::default()).unwrap(), device.events().unwrap()));
    device.load(&count(), &[]).unwrap();
}

pub(crate) fn clearing_keeps_rings_open(connect: Connect<'_>) {
    let device = open(connect);
    let program = device.load(&count(), &[]).unwrap();
    let packets = device.map_of(program, "packets").unwrap().unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    device.clear().unwrap();
    device.check().unwrap();
    assert!(device.programs().unwrap().is_empty());
    assert!(matches!(packets.lookup(&[0; 4]), Err(Error::Stale)));
    assert_eq!(pair.rx.receive_burst(1, |_| ()).unwrap(), 0);
}

pub(crate) fn a_reset_by_others_is_told_and_recovered_from(connect: Connect<'_>) {
    let device = journaling(connect, Journaling::Contents);
    let template = device.create_map(&map("template", MapKind::Array, 4, 8, 2), None, None).unwrap();
    let outer = map("outer", MapKind::ArrayOfMaps, 4, 4, 3);
    let outer = device.create_map(&outer, None, Some(template)).unwrap();
    let inner = device.create_map(&map("inner", MapKind::Array, 4, 8, 2), None, None).unwrap();
    let typed = TypedMap::<u32, u64>::new(device.map(inner).unwrap()).unwrap();
    typed.update(&1, &11, Update::Any).unwrap();
    typed.update(&1, &12, Update::Any).unwrap();
    let directory = TypedMap::<u32, u32>::new(device.map(outer).unwrap()).unwrap();
    directory.update(&2, &inner.0.into(), Update::Any).unwrap();
    device.free_map(template).unwrap();
    let table = device.create_map(&map("table", MapKind::Hash, 4, 8, 5000), None, None).unwrap();
    let table = TypedMap::<u32, u64>::new(device.map(table).unwrap()).unwrap();
    let entries: Vec<_> = (0..3000).map(|key| (key, u64::from(key) << 8)).collect();
    table.update_batch(&entries, Update::Any).unwrap();
    table
        .raw()
        .delete_batch(
            entries[..1000].iter().map(|entry| entry.0.to_le_bytes()).collect::<Vec<_>>().iter().map(|key| &key[..]),
        )
        .unwrap();
    let counting = device.load(&count(), &[]).unwrap();
    let gone = device.load(&mark(1, "pass"), &[]).unwrap();
    let other = device
        .load(&count(), &device.program(counting).unwrap().maps.iter().copied().map(Some).collect::<Vec<_>>())
        .unwrap();
    device.attach(0, counting, DispatchChoice::Proven, None).unwrap();
    device.attach(1, other, DispatchChoice::Cpu, None).unwrap();
    device.set_port(1, PortFlag::UP | PortFlag::CAPTURE, Some(99)).unwrap();
    device.unload(gone).unwrap();
    let packets = TypedMap::<u32, u64>::new(device.map_of(counting, "packets").unwrap().unwrap()).unwrap();
    packets.update(&0, &1000, Update::Any).unwrap();
    let journal = device.journal();
    // Somebody else's reset.
    device.transport().reset().unwrap();
    match device.run(&Request::new(Opcode::Nop)).map(|_| ()) {
        Err(Error::WasReset { known, now }) => assert_eq!(known.resets + 1, now.resets),
        other => panic!("{other:?}"),
    }
    assert!(matches!(device.check(), Err(Error::WasReset { .. })));
    let replayed = device.recover().unwrap();
    device.check().unwrap();
    let at = |old| TypedMap::<u32, u64>::new(device.map(replayed.maps[&old]).unwrap()).unwrap();
    assert_eq!(at(inner).lookup(&1).unwrap(), Some(12));
    assert_eq!(at(packets.raw().info().id).lookup(&0).unwrap(), Some(1000));
    let mut read: Vec<_> = at(table.raw().info().id).entries().map(Result::unwrap).collect();
    read.sort_unstable();
    assert_eq!(read, entries[1000..]);
    let directory = TypedMap::<u32, u32>::new(device.map(replayed.maps[&outer]).unwrap()).unwrap();
    assert_eq!(directory.lookup(&2).unwrap(), Some(replayed.maps[&inner].0.into()));
    let inventory = device.inventory().unwrap();
    assert_eq!((inventory.programs.len(), inventory.maps.len()), (2, 4), "what was gone is not back");
    assert_eq!(inventory.ports[0].program, Some((replayed.programs[&counting], DispatchChoice::Any)));
    assert_eq!(inventory.ports[1].program, Some((replayed.programs[&other], DispatchChoice::Cpu)));
    assert_eq!((inventory.ports[1].ifindex, inventory.ports[1].flags), (99, PortFlag::UP | PortFlag::CAPTURE));
    assert_eq!(device.program(replayed.programs[&other]).unwrap().maps[0], at(packets.raw().info().id).raw().info().id);
    // The new journal does the same again.
    let again = device.journal();
    assert_eq!(again.writes(), journal.writes());
    device.clear().unwrap();
    device.replay(&again).unwrap();
    assert_eq!(device.inventory().unwrap().programs.len(), 2);
}

pub(crate) fn a_journal_moves_to_a_new_handle(connect: Connect<'_>) {
    let journal = {
        let device = journaling(connect, Journaling::Objects);
        let program = device.load(&count(), &[]).unwrap();
        device.attach(4, program, DispatchChoice::Proven, None).unwrap();
        device.journal()
    };
    assert_eq!((journal.programs().count(), journal.maps().count(), journal.writes()), (1, 1, 0));
    let device = open(connect);
    device.clear().unwrap();
    let replayed = device.replay(&journal).unwrap();
    assert_eq!(device.port(4).unwrap().program.map(|(program, _)| program), replayed.programs.values().next().copied());
    assert!(device.journal().is_empty(), "this handle keeps none");
}

pub(crate) fn a_journal_that_needs_what_it_did_not_make_is_refused(connect: Connect<'_>) {
    let foreign = {
        let device = open(connect);
        device.create_map(&map("packets", MapKind::Array, 4, 8, 1), None, None).unwrap()
    };
    let device = journaling(connect, Journaling::Contents);
    device.load(&count(), &[Some(foreign)]).unwrap();
    let journal = device.journal();
    device.clear().unwrap();
    assert!(matches!(device.replay(&journal), Err(Error::Journal { what: "map", .. })));
}

pub(crate) fn resets_under_load_of_threads(connect: Connect<'_>) {
    let device = open(connect);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 200 {
                    match device.run(&Request::new(Opcode::Nop)) {
                        Ok(_) | Err(Error::Stale) => done += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        for _ in 0..10 {
            device.reset().unwrap();
        }
    });
    device.check().unwrap();
    device.run(&Request::new(Opcode::Nop)).unwrap();
    assert_eq!(device.leaked(), 0);
}
