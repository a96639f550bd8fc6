//! The same tests over each way to a device: in process, and over a socket to a server that is not ours.
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/server.rs"]
mod server;

use common::{
    ADDRESS, BAR0_SIZE, BAR2_SIZE, BAR4_SIZE, DONE, GO, LENGTH, PATTERN, REFUSED, RESETS, RESULT, SCRATCH, Toy, VECTORS,
};
use driver::Error;
use driver::dma::{DmaSpace, Pages};
use driver::transport::{InProcess, Transport, VfioUser, VfioUserOptions};
use offwire_hostif::{DmaAccess, HostMemory, Iova, PciFunction, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use server::Served;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Runs a test over all ways; it gets the way and the toy behind it.
fn each(test: impl Fn(Arc<dyn Transport>, &Mutex<Toy>)) {
    let toy = Arc::new(Mutex::new(Toy::new()));
    test(Arc::new(InProcess::new(Arc::clone(&toy) as Arc<Mutex<dyn PciFunction>>)), &toy);
    let served = Served::start(Toy::new());
    let way = VfioUser::connect(&served.path, VfioUserOptions::default()).expect("connect");
    assert!(way.unmapped().is_none(), "{:?}", way.unmapped());
    let toy = Arc::clone(&served.toy);
    test(Arc::new(way), &toy);
    served.ended();
}

/// Lets the toy fill memory and returns what it says of it.
fn fill(way: &dyn Transport, iova: Iova, length: u32, pattern: u32, vector: u32) -> u32 {
    way.write_u64(Region::Bar0, ADDRESS, iova.0).expect("address");
    way.write_u32(Region::Bar0, LENGTH, length).expect("length");
    way.write_u32(Region::Bar0, PATTERN, pattern).expect("pattern");
    way.write_u32(Region::Bar0, GO, vector).expect("go");
    way.kick().expect("kick");
    way.read_u32(Region::Bar0, RESULT).expect("result")
}

#[test]
fn regions_are_read_and_written() {
    each(|way, _| {
        assert_eq!(way.region_size(Region::Bar0), BAR0_SIZE);
        assert_eq!(way.region_size(Region::Bar2), BAR2_SIZE);
        assert_eq!(way.region_size(Region::Bar4), BAR4_SIZE);
        assert_eq!(way.read_u32(Region::Config, 0).expect("read"), 0x0ff1_1d55);
        way.write_u64(Region::Bar0, SCRATCH, 0x0102_0304_0506_0708).expect("write");
        assert_eq!(way.read_u32(Region::Bar0, SCRATCH + 4).expect("read"), 0x0102_0304);
        assert_eq!(way.read_u64(Region::Bar0, SCRATCH).expect("read"), 0x0102_0304_0506_0708);
        let bytes: Vec<u8> = (0..BAR2_SIZE).map(|at| (at * 7) as u8).collect();
        way.write(Region::Bar2, 0, &bytes).expect("write");
        let mut read = vec![0; bytes.len()];
        way.read(Region::Bar2, 0, &mut read).expect("read");
        assert_eq!(read, bytes);
        way.read(Region::Bar2, BAR2_SIZE, &mut []).expect("nothing at the end");
    });
}

#[test]
fn accesses_outside_are_refused_and_change_nothing() {
    each(|way, _| {
        for (region, offset, size) in [
            (Region::Bar0, BAR0_SIZE, 4),
            (Region::Bar0, BAR0_SIZE - 2, 4),
            (Region::Bar4, u64::MAX, 1),
            (Region::Bar4, u64::MAX - 3, 8),
            (Region::Config, 0, 5000),
        ] {
            let mut bytes = vec![0x5a; size];
            let refused = way.read(region, offset, &mut bytes);
            assert!(matches!(refused, Err(Error::Access(_))), "{region:?} {offset:#x}: {refused:?}");
            assert_eq!(bytes, vec![0x5a; size]);
            let refused = way.write(region, offset, &bytes);
            assert!(matches!(refused, Err(Error::Access(_))), "{region:?} {offset:#x}: {refused:?}");
        }
        // The device's own rule: BAR0 takes no bytes.
        let refused = way.write(Region::Bar0, SCRATCH, &[1]);
        assert!(matches!(refused, Err(Error::Access(_) | Error::Refused { .. })), "{refused:?}");
        way.alive().expect("a refusal does not end the connection");
        assert_eq!(way.read_u32(Region::Bar0, SCRATCH).expect("read"), 0);
    });
}

#[test]
fn doorbells_are_memory() {
    each(|way, toy| {
        let doorbells = way.map_region(Region::Bar2).expect("BAR2 can be mapped");
        assert_eq!(doorbells.size(), BAR2_SIZE);
        assert!(doorbells.store_release(BAR2_SIZE - 4, 0x1234_5678));
        assert_eq!(toy.lock().expect("toy").doorbells.load_acquire(BAR2_SIZE - 4), Some(0x1234_5678));
        assert_eq!(way.read_u32(Region::Bar2, BAR2_SIZE - 4).expect("read"), 0x1234_5678);
        assert!(way.map_region(Region::Bar0).is_none());
        assert!(way.map_region(Region::Config).is_none());
    });
}

#[test]
fn the_device_writes_what_is_mapped_and_nothing_else() {
    each(|way, toy| {
        let space = DmaSpace::new(Arc::clone(&way));
        let memory = Arc::new(SharedMemory::guarded("test", 0x4000).expect("memory"));
        let buffer = space.map(memory, DmaAccess::ReadWrite).expect("map");
        assert_eq!(fill(&*way, buffer.iova_of(0x1ff0, 0x20).expect("inside"), 0x20, 5, 0), DONE);
        let mut bytes = [0; 0x22];
        assert!(buffer.read(0x1fef, &mut bytes));
        let expected: Vec<u8> = [0].into_iter().chain(5..0x25).chain([0]).collect();
        assert_eq!(bytes[..], expected);
        assert_eq!(fill(&*way, buffer.iova_of(0x3ff0, 0).expect("inside"), 0x11, 5, 0), REFUSED, "beyond the end");
        let read_only = space.allocate("test", 4096, DmaAccess::Read, Pages::Normal).expect("map");
        assert_eq!(fill(&*way, read_only.iova(), 4, 5, 0), REFUSED, "memory that the device may only read");
        let iova = buffer.iova();
        assert_eq!(toy.lock().expect("toy").mappings(), 2);
        buffer.release().expect("unmap");
        assert_eq!(fill(&*way, iova, 4, 5, 0), REFUSED, "after the unmapping");
        drop(read_only);
        assert_eq!((toy.lock().expect("toy").mappings(), space.leaked()), (0, 0));
    });
}

#[test]
fn ranges_of_memory_are_mapped_where_asked() {
    each(|way, _| {
        let memory = Arc::new(SharedMemory::new("test", 0x4000).expect("memory"));
        way.dma_map(Iova(0x10_0000), &memory, 0x1000, 0x1000, DmaAccess::Write).expect("map");
        way.dma_map(Iova(0x10_1000), &memory, 0x3000, 0x1000, DmaAccess::ReadWrite).expect("map");
        assert_eq!(fill(&*way, Iova(0x10_0ffe), 4, 0x11, 0), DONE, "across two mappings");
        let mut bytes = [0; 2];
        assert!(memory.read(0x1ffe, &mut bytes));
        assert_eq!(bytes, [0x11, 0x12]);
        assert!(memory.read(0x3000, &mut bytes));
        assert_eq!(bytes, [0x13, 0x14]);
        let overlap = way.dma_map(Iova(0x10_1000), &memory, 0, 0x1000, DmaAccess::Read);
        assert!(matches!(overlap, Err(Error::Dma(_) | Error::Refused { .. })), "{overlap:?}");
        for (iova, offset, size) in [
            (0x20_0000, 0, 0),
            (0x20_0000, 0x3000, 0x2000),
            (0x20_0000, u64::MAX - 0xfff, 0x1000),
            (0x20_0001, 0, 0x1000),
            (0x20_0000, 1, 0x1000),
            (0x20_0000, 0, 0x1001),
            (u64::MAX - 0xfff, 0, 0x2000),
        ] {
            let refused = way.dma_map(Iova(iova), &memory, offset, size, DmaAccess::Read);
            assert!(matches!(refused, Err(Error::Unmappable { .. })), "{iova:#x} {offset:#x} {size:#x}: {refused:?}");
        }
        way.dma_unmap(Iova(0x10_0000), 0x2000).expect("both at once");
    });
}

#[test]
fn interrupts_go_where_they_are_sent() {
    each(|way, toy| {
        assert_eq!(way.vectors(), VECTORS);
        let events: Vec<Arc<EventFd>> = (0..VECTORS).map(|_| Arc::new(EventFd::new().expect("eventfd"))).collect();
        let all: Vec<_> = events.iter().cloned().map(Some).collect();
        way.set_interrupts(0, &all).expect("all of them");
        assert_eq!(toy.lock().expect("toy").interrupts().len(), usize::from(VECTORS));
        for vector in [0, 17, VECTORS - 1] {
            fill(&*way, Iova(0), 0, 0, u32::from(vector));
            let count = events[usize::from(vector)].wait(Duration::from_secs(5)).expect("wait");
            assert_eq!(count, Some(1), "vector {vector}");
        }
        assert!(events.iter().all(|event| event.take().expect("take") == 0), "a signal went astray");
        way.set_interrupts(2, &[None, None, all[4].clone(), None]).expect("some go");
        let left: Vec<usize> = (0..usize::from(VECTORS)).filter(|vector| ![2, 3, 5].contains(vector)).collect();
        assert_eq!(toy.lock().expect("toy").interrupts(), left);
        way.set_interrupts(0, &vec![None; usize::from(VECTORS)]).expect("none");
        assert_eq!(toy.lock().expect("toy").interrupts(), [0; 0]);
        for (first, count) in [(VECTORS, 1), (VECTORS - 1, 2), (u16::MAX, 1)] {
            let refused = way.set_interrupts(first, &vec![None; count]);
            assert!(matches!(refused, Err(Error::Vectors { .. })), "{refused:?}");
        }
    });
}

#[test]
fn a_reset_is_seen_and_mappings_survive_it() {
    each(|way, toy| {
        let space = DmaSpace::new(Arc::clone(&way));
        let buffer = space.allocate("test", 4096, DmaAccess::ReadWrite, Pages::Huge).expect("map");
        way.write_u32(Region::Bar0, SCRATCH, 1).expect("write");
        way.reset().expect("reset");
        assert_eq!(way.read_u32(Region::Bar0, SCRATCH).expect("read"), 0);
        assert_eq!(way.read_u32(Region::Bar0, RESETS).expect("read"), 1);
        assert_eq!(toy.lock().expect("toy").mappings(), 1);
        assert_eq!(fill(&*way, buffer.iova(), 4, 1, 0), DONE);
    });
}

#[test]
fn dropping_the_transport_disconnects() {
    let toy = Arc::new(Mutex::new(Toy::new()));
    let way: Arc<dyn Transport> = Arc::new(InProcess::new(Arc::clone(&toy) as Arc<Mutex<dyn PciFunction>>));
    let space = DmaSpace::new(way);
    let buffer = space.allocate("test", 4096, DmaAccess::ReadWrite, Pages::Normal).expect("map");
    drop(space);
    assert_eq!(toy.lock().expect("toy").disconnects, 0, "the buffer still holds it");
    drop(buffer);
    assert_eq!(toy.lock().expect("toy").disconnects, 1);

    let served = Served::start(Toy::new());
    let way = VfioUser::connect(&served.path, VfioUserOptions::default()).expect("connect");
    let memory = Arc::new(SharedMemory::new("test", 4096).expect("memory"));
    way.dma_map(Iova(0x1000), &memory, 0, 4096, DmaAccess::Read).expect("map");
    drop(way);
    let toy = served.ended();
    let toy = toy.lock().expect("toy");
    assert_eq!((toy.disconnects, toy.mappings()), (1, 0));
}

#[test]
fn a_device_that_never_rests_is_given_up() {
    let mut toy = Toy::new();
    toy.restless = true;
    let way = InProcess::new(Arc::new(Mutex::new(toy)));
    assert!(matches!(way.kick(), Err(Error::Restless(_))));
    way.alive().expect("the device is still there");
}

#[test]
fn a_panic_of_the_device_is_an_error_of_the_driver() {
    let toy = Arc::new(Mutex::new(Toy::new()));
    let way = InProcess::new(Arc::clone(&toy) as Arc<Mutex<dyn PciFunction>>);
    let poison = std::thread::spawn(move || {
        let _held = toy.lock().expect("toy");
        std::panic::resume_unwind(Box::new("the device breaks"));
    });
    assert!(poison.join().is_err());
    assert!(way.read_u32(Region::Bar0, 0).expect_err("poisoned").is_gone());
    assert!(way.alive().expect_err("poisoned").is_gone());
    assert_eq!((way.region_size(Region::Bar0), way.vectors()), (0, 0));
    assert!(way.map_region(Region::Bar2).is_none());
}

#[test]
fn many_threads_share_a_transport() {
    each(|way, _| {
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let way = Arc::clone(&way);
                scope.spawn(move || {
                    let space = DmaSpace::new(Arc::clone(&way));
                    for round in 0..200u32 {
                        let at = 0x100 + 8 * thread;
                        way.write_u32(Region::Bar0, at, round).expect("write");
                        assert_eq!(way.read_u32(Region::Bar0, at).expect("read"), round);
                        if thread == 0 {
                            drop(space.allocate("test", 4096, DmaAccess::Read, Pages::Normal).expect("map"));
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn nobody_listens() {
    let path = std::env::temp_dir().join("offwire-nobody.sock");
    let refused = VfioUser::connect(&path, VfioUserOptions::default()).expect_err("nobody is there");
    assert!(refused.to_string().contains("offwire-nobody.sock"), "{refused}");
}
