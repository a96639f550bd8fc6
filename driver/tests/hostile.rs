//! A device that lies: the software device, but now and then it writes nonsense where it may write, and its registers
//! read as nonsense. The driver must not panic, must not leave its buffers (guard pages), must keep its deadlines, and
//! must work again as soon as the device is honest and has been reset.
#![cfg(target_os = "linux")]

mod suite;

use device_model::host::{HostConfig, HostFunction};
use driver::ring::Entries;
use driver::transport::{InProcess, Transport};
use driver::{
    Backing, CounterOf, Device, Error, Events, Inject, Journaling, MapId, OpenOptions, QueueOptions, QueuePair,
    Request, TxFrame, Update,
};
use offwire_hostif::{
    AccessError, BAR2_BYTES, DmaAccess, DmaError, HostMemory, Interrupt, Iova, Opcode, PciFunction, Region,
};
use offwire_hostmem::SharedMemory;
use offwire_image::MapKind;
use offwire_isa::SMALL;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use suite::images;

/// SplitMix64; the seed is in every message.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A number as those who attack choose it.
    fn odd(&mut self) -> u32 {
        match self.below(6) {
            0 => u32::MAX,
            1 => 0,
            2 => 1 << self.below(32),
            3 => self.below(16) as u32,
            4 => (1 << 31) - 1,
            _ => self.next() as u32,
        }
    }
}

/// Memory that the device was given.
struct Given {
    memory: Arc<dyn HostMemory>,
    offset: u64,
    size: u64,
    access: DmaAccess,
}

/// How often it lies: never if 0, else once in so many turns and register reads.
static ONCE_IN: AtomicU32 = AtomicU32::new(0);

struct Liar {
    function: HostFunction,
    given: BTreeMap<u64, Given>,
    random: Random,
    lies: u64,
}

impl Liar {
    fn lies_now(&mut self, rarer: u64) -> bool {
        let once_in = u64::from(ONCE_IN.load(Ordering::Relaxed)) * rarer;
        once_in > 0 && self.random.once_in(once_in)
    }

    /// Writes nonsense to memory that the device may write.
    fn scribble(&mut self) {
        let writable: Vec<u64> =
            self.given.iter().filter(|(_, given)| given.access.writes()).map(|(&at, _)| at).collect();
        let Some(&at) = writable.get(self.random.below(writable.len() as u64) as usize) else { return };
        let given = &self.given[&at];
        // Mostly at the front, where something is.
        let end = if self.random.once_in(2) { given.size.min(1024) } else { given.size };
        let place = given.offset + self.random.below(end / 4) * 4;
        let wrote = match self.random.below(4) {
            // The phase word of a descriptor.
            0 => given.memory.store_release(place & !63 | 60, self.random.below(4) as u32),
            1 => given.memory.store_release(place & !63 | 60, self.random.odd()),
            2 => given.memory.store_release(place, self.random.odd()),
            _ => {
                let bytes: Vec<u8> = (0..1 + self.random.below(64)).map(|_| self.random.next() as u8).collect();
                let room = given.offset + given.size - place;
                given.memory.write(place, &bytes[..bytes.len().min(room as usize)])
            }
        };
        assert!(wrote, "the liar stays inside what it was given");
        self.lies += 1;
    }
}

impl PciFunction for Liar {
    fn region_size(&self, region: Region) -> u64 {
        self.function.region_size(region)
    }

    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        self.function.region_memory(region)
    }

    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        self.function.read(region, offset, bytes)?;
        if self.lies_now(8) {
            let ones = self.random.once_in(2);
            bytes.iter_mut().for_each(|byte| *byte = if ones { 0xff } else { self.random.next() as u8 });
            self.lies += 1;
        }
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        self.function.write(region, offset, bytes)
    }

    fn vectors(&self) -> u16 {
        self.function.vectors()
    }

    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        self.function.set_interrupt(vector, to);
    }

    fn dma_map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError> {
        self.function.dma_map(iova, size, access, Arc::clone(&memory), offset)?;
        self.given.insert(iova.0, Given { memory, offset, size, access });
        Ok(())
    }

    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        self.given.retain(|&at, given| at < iova.0 || at + given.size > iova.0 + size);
        self.function.dma_unmap(iova, size)
    }

    fn disconnect(&mut self) {
        self.given.clear();
        self.function.disconnect();
    }

    fn reset(&mut self) {
        self.function.reset();
    }

    fn poll(&mut self) -> bool {
        let busy = self.function.poll();
        if self.lies_now(1) {
            self.scribble();
        }
        busy
    }
}

const DEADLINE: Duration = Duration::from_millis(2);

fn options() -> OpenOptions {
    OpenOptions {
        deadline: DEADLINE,
        queue_pairs: 2,
        command_entries: Entries::new(8).unwrap(),
        event_entries: Entries::new(16).unwrap(),
        event_area: 4096,
        backing: Backing::Guarded,
        journal: Journaling::Contents,
        ..OpenOptions::default()
    }
}

/// What a user of the driver holds.
struct User {
    device: Device,
    maps: Vec<MapId>,
    pair: Option<QueuePair>,
    events: Option<Events>,
}

impl User {
    fn new(transport: Arc<dyn Transport>) -> Result<Self, Error> {
        Ok(User { device: Device::open(transport, options())?, maps: Vec::new(), pair: None, events: None })
    }

    /// Does something.
    fn act(&mut self, random: &mut Random) -> Result<(), Error> {
        let device = &self.device;
        let key = (random.below(64) as u32).to_le_bytes();
        let map = self.maps.get(random.below(self.maps.len() as u64) as usize).copied();
        match (random.below(18), map) {
            (0, _) | (1.., None) if self.maps.len() < 8 => {
                let kind = [MapKind::Hash, MapKind::Array, MapKind::PercpuArray][random.below(3) as usize];
                self.maps.push(device.create_map(&images::map("m", kind, 4, 8, 64), None, None)?);
            }
            (1 | 2, Some(map)) => {
                let map = device.map(map)?;
                let value = vec![random.next() as u8; map.value_size()];
                map.update(&key, &value, Update::Any)?;
            }
            (3, Some(map)) => drop(device.map(map)?.lookup(&key)?),
            (4, Some(map)) => {
                let map = device.map(map)?;
                let value = vec![1; map.value_size()];
                let keys: Vec<_> = (0..64u32).map(u32::to_le_bytes).collect();
                map.update_batch(keys.iter().map(|key| (&key[..], &value[..])), Update::Any)?;
                map.lookup_many(keys.iter().map(|key| &key[..]), |_, _| ())?;
            }
            (5, Some(map)) => device.map(map)?.entries().try_for_each(|entry| entry.map(drop))?,
            (6, Some(map)) => {
                let map = device.map(map)?;
                map.next_key(Some(&key))?;
                map.delete(&key)?;
            }
            (7, Some(map)) => {
                device.free_map(map)?;
                self.maps.retain(|&other| other != map);
            }
            (8, _) => {
                let program = device.load(&images::tell(), &[])?;
                device.attach(0, program, offwire_hostif::DispatchChoice::Proven, None)?;
            }
            (9, _) => {
                device.detach(0, None)?;
                for program in device.programs()? {
                    device.program(program)?;
                    device.unload(program)?;
                }
            }
            (10, _) => drop(device.inventory()?),
            (11, _) => drop((device.counters(CounterOf::Device)?, device.info()?, device.quiesce()?)),
            (12, _) => {
                let pending: Vec<_> =
                    (0..device.depth()).map_while(|_| device.submit(&Request::new(Opcode::Nop)).ok()).collect();
                for pending in pending.into_iter().skip(1) {
                    pending.wait()?;
                }
            }
            (13, _) if self.events.is_none() => self.events = Some(device.events()?),
            (14, _) if self.pair.is_none() => {
                let entries = Entries::new(8).unwrap();
                let options = QueueOptions {
                    receive_entries: entries,
                    transmit_entries: entries,
                    buffer_bytes: 512,
                    report: true,
                    ..QueueOptions::default()
                };
                self.pair = Some(device.queue_pair(0, &options)?);
            }
            (15 | 16, _) => {
                let Some(pair) = &mut self.pair else { return Ok(()) };
                let bytes = images::frame(random.next() as u16, 60 + random.below(200) as usize);
                let inject = random.once_in(2).then(Inject::default);
                pair.tx.transmit_burst(&[TxFrame { port: random.below(3) as u16, bytes: &bytes, inject }; 5])?;
                pair.tx.flush(DEADLINE, |_| ())?;
                pair.rx.wait(Duration::ZERO)?;
                let mut sum = 0;
                pair.rx.receive_burst(16, |packet| sum += packet.frame.len() + packet.meta.len())?;
            }
            _ => {
                let Some(events) = &mut self.events else { return Ok(()) };
                for _ in 0..32 {
                    if events.wait(Duration::ZERO)?.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// What one does after an error that is not just a refusal.
    fn repair(&mut self, random: &mut Random) -> Result<(), Error> {
        (self.pair, self.events) = (None, None);
        self.maps.clear();
        match random.below(3) {
            0 => self.device.recover().map(drop),
            _ => self.device.reset(),
        }
    }
}

fn rounds() -> u64 {
    std::env::var("OFFWIRE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000)
}

#[test]
fn a_device_that_lies_does_no_harm() {
    let doorbells = Arc::new(SharedMemory::guarded("doorbells", BAR2_BYTES.into()).unwrap());
    let function = HostFunction::new(HostConfig::new(&SMALL), doorbells);
    let liar = Arc::new(Mutex::new(Liar { function, given: BTreeMap::new(), random: Random(1), lies: 0 }));
    let connect = || Arc::new(InProcess::new(Arc::clone(&liar) as Arc<Mutex<dyn PciFunction>>)) as Arc<dyn Transport>;
    let mut random = Random(2);
    let mut user: Option<User> = None;
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    let mut slowest = Duration::ZERO;
    for round in 0..rounds() {
        let once_in = if round % 8 == 0 { 1 + random.below(8) as u32 } else { 40 + random.below(200) as u32 };
        ONCE_IN.store(once_in, Ordering::Relaxed);
        let start = Instant::now();
        let result = match &mut user {
            Some(user) => user.act(&mut random),
            None => User::new(connect()).map(|opened| user = Some(opened)),
        };
        slowest = slowest.max(start.elapsed());
        let Err(error) = result else { continue };
        let name = format!("{error:?}");
        *errors.entry(name.split([' ', '(', '{']).next().unwrap_or_default().to_owned()).or_default() += 1;
        if error.status().is_some() {
            continue;
        }
        if random.once_in(2) && user.as_mut().is_some_and(|user| user.repair(&mut random).is_ok()) {
            continue;
        }
        user = None;
        if round % 16 == 0 {
            // Honest and reset, everything works.
            ONCE_IN.store(0, Ordering::Relaxed);
            let device =
                Device::open(connect(), OpenOptions { deadline: Duration::from_secs(20), ..options() }).unwrap();
            device.reset().unwrap();
            let id = device.create_map(&images::map("m", MapKind::Hash, 4, 4, 8), None, None).unwrap();
            let map = device.map(id).unwrap();
            map.update(&[1; 4], &[2; 4], Update::Any).unwrap();
            assert_eq!(map.lookup(&[1; 4]).unwrap(), Some(vec![2; 4]), "seed 2, round {round}");
            assert_eq!(device.leaked(), 0);
        }
    }
    let lies = liar.lock().unwrap().lies;
    println!("{lies} lies, slowest call {slowest:?}, errors {errors:?}");
    assert!(lies > rounds() / 20, "it lied {lies} times");
    for name in ["Gone", "Nonsense", "Ring", "Deadline"] {
        assert!(errors.contains_key(name), "no {name} among {errors:?}");
    }
    // Nothing waits for much longer than its deadlines: the largest calls have some hundred commands.
    assert!(slowest < Duration::from_secs(30), "{slowest:?}");
}
