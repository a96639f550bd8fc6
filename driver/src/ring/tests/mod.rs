//! The phase protocol: by hand against a device of a few lines, and under loom.

mod order;

use super::{Consumer, DESCRIPTOR, Entries, PHASE, Producer, Return, RingError};
use offwire_hostif::{AVAIL, HostMemory, USED};
use offwire_hostmem::SharedMemory;
use std::sync::Arc;

/// Starts at which few descriptors lead over a lap, the sign bit and the wrap at 32 bits.
const STARTS: [u32; 4] = [0, 8, (1 << 31) - 8, 0u32.wrapping_sub(8)];

fn memory() -> Arc<SharedMemory> {
    Arc::new(SharedMemory::guarded("ring", 4096).unwrap())
}

fn entries(count: u32) -> Entries {
    Entries::new(count).unwrap()
}

/// A descriptor that tells its index.
fn descriptor(index: u32) -> [u8; DESCRIPTOR] {
    let mut bytes = [index as u8; DESCRIPTOR];
    bytes[..4].copy_from_slice(&index.to_le_bytes());
    bytes
}

fn word(memory: &SharedMemory, entries: Entries, index: u32) -> u32 {
    memory.load_acquire(entries.offset(index) + PHASE as u64).unwrap()
}

/// What a device does to a descriptor that it hands over.
fn hand_over(memory: &SharedMemory, entries: Entries, index: u32, word: u32) {
    assert!(memory.write(entries.offset(index), &descriptor(index)[..PHASE]));
    assert!(memory.store_release(entries.offset(index) + PHASE as u64, word));
}

#[test]
fn entries_are_powers_of_two_in_bounds() {
    assert_eq!(
        [0, 1, 2, 3, 65536, 131_072].map(|count| Entries::new(count).map(Entries::count)),
        [None, None, Some(2), None, Some(65536), None]
    );
    assert_eq!((Entries::MIN.count(), Entries::MAX.count(), Entries::MAX.doubled()), (2, 65536, Entries::MAX));
}

#[test]
fn a_ring_larger_than_its_memory_is_refused() {
    let refused = RingError::Memory { size: 4096, entries: 128 };
    assert_eq!(Consumer::new(memory(), entries(128)).unwrap_err(), refused);
    assert_eq!(Producer::new(memory(), entries(128), Return::InPlace).unwrap_err(), refused);
}

#[test]
fn descriptors_go_there_and_back_over_every_wrap() {
    for start in STARTS {
        let (memory, entries) = (memory(), entries(4));
        let mut ring = Producer::starting_at(Arc::clone(&memory), entries, Return::InPlace, start).unwrap();
        for step in 0..40u32 {
            let index = start.wrapping_add(step);
            let phase = entries.phase(index);
            assert_eq!(ring.push(&descriptor(index)).unwrap(), Some(index));
            let handed = word(&memory, entries, index);
            assert_eq!(((handed & AVAIL != 0), (handed & USED != 0)), (phase, !phase));
            assert_eq!(ring.take().unwrap(), None, "the device has not written it back");
            hand_over(&memory, entries, index, if phase { AVAIL | USED } else { 0 });
            let (taken, bytes) = ring.take().unwrap().expect("it came back");
            assert_eq!((taken, &bytes[..PHASE]), (index, &descriptor(index)[..PHASE]));
        }
    }
}

#[test]
fn a_full_ring_takes_no_more_until_something_comes_back() {
    let (memory, entries) = (memory(), entries(2));
    let mut ring = Producer::new(Arc::clone(&memory), entries, Return::InPlace).unwrap();
    assert_eq!([(); 3].map(|()| ring.push(&descriptor(0)).unwrap()), [Some(0), Some(1), None]);
    hand_over(&memory, entries, 1, AVAIL | USED);
    assert_eq!(ring.take().unwrap(), None, "descriptors come back in order");
    hand_over(&memory, entries, 0, AVAIL | USED);
    assert_eq!(ring.take().unwrap().map(|(index, _)| index), Some(0));
    assert_eq!(ring.push(&descriptor(2)).unwrap(), Some(2));
}

#[test]
fn commands_are_retired_by_another_ring() {
    let (memory, entries) = (memory(), entries(2));
    let mut ring = Producer::new(Arc::clone(&memory), entries, Return::Elsewhere).unwrap();
    for _ in 0..2 {
        ring.push(&descriptor(7)).unwrap();
    }
    assert_eq!((ring.room(), ring.take().unwrap()), (0, None));
    ring.retire(5);
    assert_eq!((ring.room(), ring.outstanding()), (2, 0));
    assert_eq!(ring.push(&descriptor(2)).unwrap(), Some(2));
    assert_eq!(word(&memory, entries, 2), 0, "the second lap");
}

#[test]
fn a_burst_rings_once() {
    let mut ring = Producer::new(memory(), entries(8), Return::InPlace).unwrap();
    assert_eq!(ring.news(), None);
    for index in 0..5 {
        ring.push(&descriptor(index)).unwrap();
    }
    assert_eq!((ring.news(), ring.news()), (Some(5), None));
}

#[test]
fn what_the_device_writes_is_taken_in_order_over_every_wrap() {
    for start in STARTS {
        let (memory, entries) = (memory(), entries(4));
        let mut ring = Consumer::starting_at(Arc::clone(&memory), entries, start).unwrap();
        for step in 0..40u32 {
            let index = start.wrapping_add(step);
            assert_eq!(ring.take().unwrap(), None);
            hand_over(&memory, entries, index, if entries.phase(index) { USED } else { 0 });
            assert_eq!(ring.take().unwrap().unwrap()[..PHASE], descriptor(index)[..PHASE]);
        }
        assert_eq!((ring.news(41), ring.news(40), ring.news(1)), (None, Some(start.wrapping_add(40)), None));
    }
}

#[test]
fn impossible_phase_words_are_errors() {
    let entries = entries(4);
    for bad in [AVAIL, AVAIL | USED, 4, 0x8000_0002, u32::MAX] {
        let memory = memory();
        let mut ring = Consumer::new(Arc::clone(&memory), entries).unwrap();
        hand_over(&memory, entries, 0, bad);
        assert_eq!(ring.take(), Err(RingError::Phase { index: 0, word: bad }));
    }
    for bad in [0, USED, 4 | AVAIL, 0x8000_0003, u32::MAX] {
        let memory = memory();
        let mut ring = Producer::new(Arc::clone(&memory), entries, Return::InPlace).unwrap();
        ring.push(&descriptor(0)).unwrap();
        hand_over(&memory, entries, 0, bad);
        assert_eq!(ring.take(), Err(RingError::Phase { index: 0, word: bad }));
    }
}

#[test]
fn a_device_that_fills_everything_gives_no_more_than_was_posted() {
    let (memory, entries) = (memory(), entries(4));
    let mut ring = Producer::new(Arc::clone(&memory), entries, Return::InPlace).unwrap();
    ring.push(&descriptor(0)).unwrap();
    for index in 0..4 {
        hand_over(&memory, entries, index, AVAIL | USED);
    }
    assert_eq!(ring.take().unwrap().map(|(index, _)| index), Some(0));
    assert_eq!(ring.take().unwrap(), None);
}
