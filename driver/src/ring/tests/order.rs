//! The order of memory under loom: all interleavings of a host and a device over rings of two entries, and what happens
//! if one of the two sides forgets its half of the handover.

use super::super::{Consumer, DESCRIPTOR, Entries, PHASE, Producer, Return};
use offwire_hostif::{AVAIL, HostMemory, USED};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, Ordering};

/// Whether phase words are read and written with order.
#[derive(Clone, Copy)]
struct Order {
    acquire: bool,
    release: bool,
}

const RIGHT: Order = Order { acquire: true, release: true };

/// One descriptor. Its bytes lie in a mutex that loom does not see; `race` is what loom watches in their stead: it
/// fails if bytes are read or written without order by two threads.
struct Slot {
    race: UnsafeCell<()>,
    bytes: Mutex<[u8; PHASE]>,
    phase: AtomicU32,
}

/// A ring's memory as loom sees it.
struct Watched {
    slots: Vec<Slot>,
    order: Order,
}

// SAFETY: `race` holds nothing; loom reports unordered accesses to it, which is what it is for.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    fn new(entries: Entries, order: Order) -> Arc<Self> {
        let slot = |_| Slot { race: UnsafeCell::new(()), bytes: Mutex::new([0; PHASE]), phase: AtomicU32::new(0) };
        Arc::new(Watched { slots: (0..entries.count()).map(slot).collect(), order })
    }

    /// The slot and the bytes in it; accesses of rings stay inside one descriptor's body.
    fn find(&self, offset: u64, size: usize) -> Option<(&Slot, Range<usize>)> {
        let start = offset as usize % DESCRIPTOR;
        let slot = self.slots.get(offset as usize / DESCRIPTOR)?;
        (start + size <= PHASE).then_some((slot, start..start + size))
    }
}

impl HostMemory for Watched {
    fn size(&self) -> u64 {
        (self.slots.len() * DESCRIPTOR) as u64
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some((slot, range)) = self.find(offset, bytes.len()) else { return false };
        slot.race.with(|_| ());
        bytes.copy_from_slice(&slot.bytes.lock().unwrap_or_else(PoisonError::into_inner)[range]);
        true
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let Some((slot, range)) = self.find(offset, bytes.len()) else { return false };
        slot.race.with_mut(|_| ());
        slot.bytes.lock().unwrap_or_else(PoisonError::into_inner)[range].copy_from_slice(bytes);
        true
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        let slot = self.slots.get(offset as usize / DESCRIPTOR)?;
        Some(slot.phase.load(if self.order.acquire { Ordering::Acquire } else { Ordering::Relaxed }))
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        let Some(slot) = self.slots.get(offset as usize / DESCRIPTOR) else { return false };
        slot.phase.store(value, if self.order.release { Ordering::Release } else { Ordering::Relaxed });
        true
    }
}

/// Runs all interleavings with up to three preemptions.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// True if loom finds something wrong.
fn is_found(model: impl Fn() + Sync + Send + 'static) -> bool {
    catch_unwind(AssertUnwindSafe(|| explore(model))).is_err()
}

fn body(index: u32, salt: u8) -> [u8; DESCRIPTOR] {
    [index as u8 ^ salt; DESCRIPTOR]
}

/// A device that produces `count` events into a ring of two as the host makes room, and a host that takes them.
fn events(order: Order, count: u32) {
    let entries = Entries::MIN;
    let memory = Watched::new(entries, order);
    let doorbell = Arc::new(AtomicU32::new(0));
    let mut ring = Consumer::new(Arc::clone(&memory), entries).unwrap();
    let device = loom::thread::spawn({
        let doorbell = Arc::clone(&doorbell);
        move || {
            for index in 0..count {
                while index.wrapping_sub(doorbell.load(Ordering::Acquire)) >= entries.count() {
                    loom::thread::yield_now();
                }
                let at = entries.offset(index);
                assert!(memory.write(at, &body(index, 0)[..PHASE]));
                assert!(memory.store_release(at + PHASE as u64, if entries.phase(index) { USED } else { 0 }));
            }
        }
    });
    for index in 0..count {
        let bytes = loop {
            match ring.take().unwrap() {
                Some(bytes) => break bytes,
                None => loom::thread::yield_now(),
            }
        };
        assert_eq!(bytes[..PHASE], body(index, 0)[..PHASE]);
        if let Some(news) = ring.news(1) {
            doorbell.store(news, Ordering::Release);
        }
    }
    device.join().unwrap();
}

/// A host that posts `count` descriptors to a ring of two, and a device that looks at memory alone and writes each
/// back.
fn packets(order: Order, count: u32) {
    let entries = Entries::MIN;
    let memory = Watched::new(entries, order);
    let mut ring = Producer::new(Arc::clone(&memory), entries, Return::InPlace).unwrap();
    let device = loom::thread::spawn(move || {
        for index in 0..count {
            let (at, phase) = (entries.offset(index), entries.phase(index));
            let available = if phase { AVAIL } else { USED };
            while memory.load_acquire(at + PHASE as u64) != Some(available) {
                loom::thread::yield_now();
            }
            let mut bytes = [0; PHASE];
            assert!(memory.read(at, &mut bytes));
            assert_eq!(bytes, body(index, 0)[..PHASE]);
            assert!(memory.write(at, &body(index, 0x80)[..PHASE]));
            assert!(memory.store_release(at + PHASE as u64, available ^ USED));
        }
    });
    let (mut posted, mut taken) = (0, 0);
    while taken < count {
        while posted < count && ring.push(&body(posted, 0)).unwrap().is_some() {
            posted += 1;
        }
        match ring.take().unwrap() {
            Some((index, bytes)) => {
                assert_eq!((index, &bytes[..PHASE]), (taken, &body(index, 0x80)[..PHASE]));
                taken += 1;
            }
            None => loom::thread::yield_now(),
        }
    }
    device.join().unwrap();
}

/// Commands and their completions, two rings: a command's descriptor is free because its completion came.
fn commands(order: Order, count: u32) {
    let entries = Entries::MIN;
    let (asked, answered) = (Watched::new(entries, order), Watched::new(entries, order));
    let doorbell = Arc::new(AtomicU32::new(0));
    let mut commands = Producer::new(Arc::clone(&asked), entries, Return::Elsewhere).unwrap();
    let mut completions = Consumer::new(Arc::clone(&answered), entries).unwrap();
    let device = loom::thread::spawn({
        let doorbell = Arc::clone(&doorbell);
        move || {
            for index in 0..count {
                while doorbell.load(Ordering::Acquire) == index {
                    loom::thread::yield_now();
                }
                let at = entries.offset(index);
                let phase = if entries.phase(index) { AVAIL } else { 0 };
                assert_eq!(asked.load_acquire(at + PHASE as u64), Some(phase));
                let mut bytes = [0; PHASE];
                assert!(asked.read(at, &mut bytes));
                assert_eq!(bytes, body(index, 0)[..PHASE]);
                assert!(answered.write(at, &body(index, 0x40)[..PHASE]));
                assert!(answered.store_release(at + PHASE as u64, if entries.phase(index) { USED } else { 0 }));
            }
        }
    });
    let (mut sent, mut done) = (0, 0);
    while done < count {
        while sent < count && commands.push(&body(sent, 0)).unwrap().is_some() {
            sent += 1;
        }
        if let Some(news) = commands.news() {
            doorbell.store(news, Ordering::Release);
        }
        match completions.take().unwrap() {
            Some(bytes) => {
                assert_eq!(bytes[..PHASE], body(done, 0x40)[..PHASE]);
                commands.retire(1);
                done += 1;
            }
            None => loom::thread::yield_now(),
        }
    }
    device.join().unwrap();
}

#[test]
fn events_arrive_whole_in_every_interleaving() {
    explore(|| events(RIGHT, 5));
}

#[test]
fn packets_go_there_and_back_whole_in_every_interleaving() {
    explore(|| packets(RIGHT, 4));
}

#[test]
fn commands_are_answered_whole_in_every_interleaving() {
    explore(|| commands(RIGHT, 3));
}

#[test]
fn loom_finds_a_phase_that_is_read_without_acquire() {
    let order = Order { acquire: false, release: true };
    assert!(is_found(move || events(order, 3)));
    assert!(is_found(move || packets(order, 3)));
}

#[test]
fn loom_finds_a_phase_that_is_written_without_release() {
    let order = Order { acquire: true, release: false };
    assert!(is_found(move || events(order, 3)));
    assert!(is_found(move || packets(order, 3)));
}
