//! Device addresses and buffers.
#![cfg(target_os = "linux")]

mod common;

use common::Random;
use driver::Error;
use driver::dma::{DmaSpace, IovaAllocator, Pages};
use driver::transport::{IovaRange, Transport};
use offwire_hostif::{DmaAccess, HostMemory, Iova, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

fn range(first: u64, last: u64) -> IovaRange {
    IovaRange { first: Iova(first), last: Iova(last) }
}

/// Pages of 64 addresses each, by the slow and obvious way.
struct Model {
    page: u64,
    allowed: Vec<IovaRange>,
    given: Vec<(u64, u64)>,
}

impl Model {
    fn fits(&self, first: u64, last: u64) -> bool {
        self.allowed.iter().any(|range| range.first.0 <= first && last <= range.last.0)
            && self.given.iter().all(|&(start, size)| last < start || start + (size - 1) < first)
            && first >= self.page
    }

    /// The lowest place.
    fn place(&self, size: u64, alignment: u64) -> Option<u64> {
        let step = alignment.max(self.page);
        (0..4096 / step).map(|at| at * step).find(|&first| self.fits(first, first + (size - 1)))
    }
}

#[test]
fn the_allocator_agrees_with_an_obvious_one() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let page = 1 << (2 + random.below(4));
        // Disjoint ranges with gaps, not on pages.
        let mut allowed = Vec::new();
        let mut at = 0;
        while at < 4000 {
            let first = at + random.below(60);
            let last = first + random.below(900);
            allowed.push(range(first, last.min(4095)));
            at = last + 2 + random.below(100);
        }
        let mut model = Model { page, allowed: allowed.clone(), given: Vec::new() };
        let mut allocator = IovaAllocator::new(&allowed, page);
        for _ in 0..300 {
            if random.below(5) < 3 {
                let size = (1 + random.below(300)).next_multiple_of(page);
                let alignment = 1 << random.below(9);
                let given = allocator.allocate(size, alignment);
                assert_eq!(
                    given.map(|iova| iova.0),
                    model.place(size, alignment),
                    "seed {seed}: {size} B, {alignment}"
                );
                model.given.extend(given.map(|iova| (iova.0, size)));
            } else if !model.given.is_empty() {
                let index = usize::try_from(random.below(model.given.len() as u64)).expect("fits");
                let (first, size) = model.given.swap_remove(index);
                if !model.given.contains(&(first + page, size)) {
                    assert!(!allocator.release(Iova(first + page), size), "seed {seed}: another start");
                }
                assert!(!allocator.release(Iova(first), size + page), "seed {seed}: another size");
                assert!(allocator.release(Iova(first), size), "seed {seed}");
                assert!(!allocator.release(Iova(first), size), "seed {seed}: twice");
            }
        }
        let mut given: Vec<(u64, u64)> = model.given.iter().map(|&(first, size)| (first, first + size - 1)).collect();
        given.sort_unstable();
        assert_eq!(allocator.given_ranges().map(|range| (range.first.0, range.last.0)).collect::<Vec<_>>(), given);
        // All given back: as at the start.
        for (first, size) in model.given {
            assert!(allocator.release(Iova(first), size));
        }
        let fresh = IovaAllocator::new(&allowed, page);
        assert!(allocator.free_ranges().eq(fresh.free_ranges()), "seed {seed}: ranges were not joined again");
    }
}

#[test]
fn ends_of_the_address_space_are_usable() {
    let mut all = IovaAllocator::new(&[range(0, u64::MAX)], 4096);
    assert_eq!(all.allocate(4096, 4096), Some(Iova(4096)), "address 0 is not given");
    assert_eq!(all.allocate(u64::MAX, 1), None);
    assert_eq!(all.allocate(0, 1), None);
    assert_eq!(all.allocate(4096, 3), None, "no alignment");
    assert_eq!(all.allocate(4096, 1 << 63), Some(Iova(1 << 63)));
    let mut last = IovaAllocator::new(&[range(u64::MAX - 4095, u64::MAX)], 4096);
    assert_eq!(last.allocate(1, 1), Some(Iova(u64::MAX - 4095)));
    assert_eq!(last.allocate(1, 1), None);
    assert!(last.release(Iova(u64::MAX - 4095), 1));
    assert_eq!(last.allocate(4096, 4096), Some(Iova(u64::MAX - 4095)));
    assert!(!last.release(Iova(u64::MAX), 4096));
    for none in [vec![], vec![range(1, 4095)], vec![range(4097, 8191)], vec![range(9, 3)], vec![range(0, 4095)]] {
        assert_eq!(IovaAllocator::new(&none, 4096).allocate(1, 1), None, "{none:?}");
    }
    let mut touching = IovaAllocator::new(&[range(8192, 16383), range(4096, 8191), range(4096, 9000)], 4096);
    assert_eq!(touching.allocate(12288, 4096), Some(Iova(4096)), "ranges that touch are one");
}

/// What happened to a [`Recorder`].
#[derive(Debug, Default)]
struct State {
    maps: Vec<(u64, u64, DmaAccess)>,
    calls: Vec<String>,
    /// The next unmapping fails so.
    unmap_fails: Option<fn() -> Error>,
    map_fails: Option<fn() -> Error>,
}

/// A transport that maps nothing and remembers it.
#[derive(Debug, Default)]
struct Recorder(Mutex<State>);

impl Recorder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("state")
    }
}

impl Transport for Recorder {
    fn describe(&self) -> String {
        "recorder".to_owned()
    }

    fn region_size(&self, _: Region) -> u64 {
        0
    }

    fn read(&self, _: Region, _: u64, _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, _: Region, _: u64, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn map_region(&self, _: Region) -> Option<Arc<dyn HostMemory>> {
        None
    }

    fn vectors(&self) -> u16 {
        0
    }

    fn set_interrupts(&self, _: u16, _: &[Option<Arc<EventFd>>]) -> Result<(), Error> {
        Ok(())
    }

    fn dma_map(&self, iova: Iova, _: &Arc<SharedMemory>, _: u64, size: u64, access: DmaAccess) -> Result<(), Error> {
        let mut state = self.state();
        if let Some(error) = state.map_fails.take() {
            return Err(error());
        }
        state.maps.push((iova.0, size, access));
        Ok(())
    }

    fn dma_unmap(&self, iova: Iova, size: u64) -> Result<(), Error> {
        let mut state = self.state();
        state.calls.push(format!("unmap {:#x} {size:#x}", iova.0));
        match state.unmap_fails.take() {
            Some(error) => Err(error()),
            None => {
                state.maps.retain(|map| map.0 != iova.0);
                Ok(())
            }
        }
    }

    fn dma_page(&self) -> u64 {
        0x1_0000
    }

    fn iova_ranges(&self) -> Vec<IovaRange> {
        vec![range(0, 0xf_ffff)]
    }

    fn reset(&self) -> Result<(), Error> {
        Ok(())
    }

    fn kick(&self) -> Result<(), Error> {
        Ok(())
    }

    fn alive(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        assert!(self.state().maps.len() <= 1, "the transport went before its mappings");
    }
}

/// Memory of a page of the recorder's IOMMU.
fn page() -> Arc<SharedMemory> {
    Arc::new(SharedMemory::new("test", 0x1_0000).expect("memory"))
}

#[test]
fn buffers_have_their_place_and_give_it_back() {
    let recorder = Arc::new(Recorder::default());
    let space = DmaSpace::new(Arc::clone(&recorder) as Arc<dyn Transport>);
    let first = space.map(page(), DmaAccess::Read).expect("map");
    let second = space.map(page(), DmaAccess::Write).expect("map");
    assert_eq!((first.iova(), second.iova()), (Iova(0x1_0000), Iova(0x2_0000)));
    assert_eq!(recorder.state().maps, [(0x1_0000, 0x1_0000, DmaAccess::Read), (0x2_0000, 0x1_0000, DmaAccess::Write)]);
    assert_eq!(second.iova_of(0x10, 0xfff0), Some(Iova(0x2_0010)));
    for (offset, size) in [(0x10, 0xfff1), (0x1_0001, 0), (u64::MAX, 2)] {
        assert_eq!(second.iova_of(offset, size), None);
    }
    drop(first);
    assert_eq!(recorder.state().calls, ["unmap 0x10000 0x10000"]);
    assert_eq!(space.map(page(), DmaAccess::Read).expect("map").iova(), Iova(0x1_0000));
    let large = Arc::new(SharedMemory::new("test", 0x10_0000).expect("memory"));
    assert!(matches!(space.map(large, DmaAccess::Read), Err(Error::NoIova { size: 0x10_0000, .. })));
}

#[test]
fn what_cannot_be_unmapped_is_not_freed() {
    let recorder = Arc::new(Recorder::default());
    let space = DmaSpace::new(Arc::clone(&recorder) as Arc<dyn Transport>);
    let memory = page();
    let watch = Arc::downgrade(&memory);
    let buffer = space.map(memory, DmaAccess::ReadWrite).expect("map");
    recorder.state().unmap_fails = Some(|| Error::Unmapped { iova: 0, size: 1, unmapped: 0 });
    drop(buffer);
    assert_eq!(space.leaked(), 1);
    assert!(watch.upgrade().is_some(), "memory that the device may still write was freed");
    assert_eq!(space.map(page(), DmaAccess::Read).expect("map").iova(), Iova(0x2_0000), "its address was given again");

    // With a connection that is gone the mappings are gone.
    let memory = page();
    let watch = Arc::downgrade(&memory);
    let buffer = space.map(memory, DmaAccess::ReadWrite).expect("map");
    recorder.state().unmap_fails = Some(|| Error::Gone("test".into()));
    assert!(buffer.release().expect_err("gone").is_gone());
    assert_eq!((space.leaked(), watch.strong_count()), (1, 0));
    // What the recorder holds is the first buffer and this one.
    recorder.state().maps.clear();
}

#[test]
fn a_refused_mapping_leaves_nothing() {
    let recorder = Arc::new(Recorder::default());
    let space = DmaSpace::new(Arc::clone(&recorder) as Arc<dyn Transport>);
    let refusal = || Error::Refused { what: "a DMA mapping", source: io::Error::from_raw_os_error(12) };
    recorder.state().map_fails = Some(refusal);
    let memory = page();
    let watch = Arc::downgrade(&memory);
    assert!(matches!(space.map(memory, DmaAccess::Read), Err(Error::Refused { .. })));
    assert_eq!(watch.strong_count(), 0);
    assert_eq!(space.map(page(), DmaAccess::Read).expect("map").iova(), Iova(0x1_0000));
    assert!(recorder.state().calls.iter().all(|call| call.starts_with("unmap 0x10000")));
}

#[test]
fn ordinary_pages_below_the_page_of_the_iommu_are_rounded_or_refused() {
    // 4 KiB of memory cannot be mapped by an IOMMU with pages of 64 KiB; the real transports refuse it (`Unmappable`), and the space
    // rounds what it makes itself.
    let recorder = Arc::new(Recorder::default());
    let space = DmaSpace::new(Arc::clone(&recorder) as Arc<dyn Transport>);
    let buffer = space.allocate("test", 100, DmaAccess::Read, Pages::Normal).expect("map");
    assert_eq!((buffer.size(), recorder.state().maps[0].1), (0x1_0000, 0x1_0000));
    assert!(buffer.write(0xffff, &[1]));
    let mut byte = [0];
    assert!(buffer.read(0xffff, &mut byte));
    assert_eq!(byte, [1]);
    assert!(buffer.store_release(8, 9) && buffer.load_acquire(8) == Some(9));
    assert_eq!(buffer.memory().size(), 0x1_0000);
    assert_eq!(buffer.access(), DmaAccess::Read);
}
