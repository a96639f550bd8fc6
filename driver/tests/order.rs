//! What the device sees of a driver, and when: doorbells, the order of closing, and devices that cannot be opened or do
//! not answer.
#![cfg(target_os = "linux")]

mod suite;

use device_model::host::{Doorbells, HostConfig, HostFunction};
use driver::ring::Entries;
use driver::transport::{InProcess, Transport};
use driver::{Device, Error, Inject, OpenOptions, QueueOptions, Request, TxFrame, Update};
use offwire_hostif::register::Register;
use offwire_hostif::{
    AccessError, DmaAccess, DmaError, HostMemory, Interrupt, Iova, Opcode, PciFunction, RINGS, Region, RingId, reg,
};
use offwire_image::MapKind;
use offwire_isa::SMALL;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use suite::images;

/// Something that the device sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Doorbell(u32),
    RingOn(u32),
    RingOff(u32),
    Master(bool),
    Interrupts(bool),
    Map,
    Unmap,
    Wake,
    Disconnect,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// BAR2 that tells which doorbells are rung.
struct Bells {
    memory: Doorbells,
    log: Log,
}

impl HostMemory for Bells {
    fn size(&self) -> u64 {
        self.memory.size()
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        self.memory.read(offset, bytes)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        self.memory.write(offset, bytes)
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        self.memory.load_acquire(offset)
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        let ring = (0..RINGS).filter_map(RingId::new).find(|ring| u64::from(ring.doorbell().0) == offset);
        // The function clears doorbells too; drivers never say 0 but after 2^32 descriptors.
        if let Some(ring) = ring.filter(|_| value != 0) {
            self.log.lock().unwrap().push(Seen::Doorbell(ring.number()));
        }
        self.memory.store_release(offset, value)
    }
}

/// The software device, with a log, and registers that can be made to say something else.
struct Watched {
    function: HostFunction,
    log: Log,
    /// What registers of BAR0 read instead.
    fake: BTreeMap<u64, u64>,
    /// It does nothing.
    asleep: bool,
    /// BAR2 is not given as memory.
    trapped: bool,
}

impl Watched {
    fn see(&self, seen: Seen) {
        self.log.lock().unwrap().push(seen);
    }
}

impl PciFunction for Watched {
    fn region_size(&self, region: Region) -> u64 {
        self.function.region_size(region)
    }

    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        self.function.region_memory(region).filter(|_| !self.trapped)
    }

    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        self.function.read(region, offset, bytes)?;
        if let Some(fake) = self.fake.get(&offset).filter(|_| region == Region::Bar0) {
            bytes.copy_from_slice(&fake.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        match region {
            Region::Config if offset == 4 => self.see(Seen::Master(bytes[0] & 4 != 0)),
            Region::Bar0 if offset == u64::from(reg::Wake::OFFSET.0) => self.see(Seen::Wake),
            Region::Bar0 => {
                let control = |ring: &RingId| u64::from(ring.register::<reg::RingControl>().0) == offset;
                if let Some(ring) = (0..RINGS).filter_map(RingId::new).find(control) {
                    let on = bytes[0] & 1 != 0;
                    self.see(if on { Seen::RingOn(ring.number()) } else { Seen::RingOff(ring.number()) });
                }
            }
            _ => {}
        }
        self.function.write(region, offset, bytes)
    }

    fn vectors(&self) -> u16 {
        self.function.vectors()
    }

    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        if vector == RingId::COMPLETION.number() as u16 {
            self.see(Seen::Interrupts(to.is_some()));
        }
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
        self.see(Seen::Map);
        self.function.dma_map(iova, size, access, memory, offset)
    }

    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        self.see(Seen::Unmap);
        self.function.dma_unmap(iova, size)
    }

    fn disconnect(&mut self) {
        self.see(Seen::Disconnect);
        self.function.disconnect();
    }

    fn reset(&mut self) {
        self.function.reset();
    }

    fn poll(&mut self) -> bool {
        !self.asleep && self.function.poll()
    }
}

/// A watched device and its log.
fn watched() -> (Arc<Mutex<Watched>>, Log) {
    let log = Log::default();
    let bells = Arc::new(Bells { memory: Doorbells::new(), log: Arc::clone(&log) });
    let function = HostFunction::new(HostConfig::new(&SMALL), bells);
    let (fake, asleep, trapped) = Default::default();
    (Arc::new(Mutex::new(Watched { function, log: Arc::clone(&log), fake, asleep, trapped })), log)
}

fn connect(function: &Arc<Mutex<Watched>>) -> Arc<dyn Transport> {
    Arc::new(InProcess::new(Arc::clone(function) as Arc<Mutex<dyn PciFunction>>))
}

/// What was seen since the last call.
fn taken(log: &Log) -> Vec<Seen> {
    std::mem::take(&mut log.lock().unwrap())
}

fn count(seen: &[Seen], what: Seen) -> usize {
    seen.iter().filter(|&&seen| seen == what).count()
}

/// Where something was seen first and last.
fn span(seen: &[Seen], what: impl Fn(&Seen) -> bool) -> (usize, usize) {
    let first = seen.iter().position(&what).expect("it was seen");
    (first, seen.iter().rposition(&what).expect("it was seen"))
}

#[test]
fn a_burst_rings_one_doorbell() {
    let (function, log) = watched();
    let device = Device::open(connect(&function), OpenOptions::default()).unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let seen = taken(&log);
    assert_eq!(count(&seen, Seen::Doorbell(4)), 1, "all receive buffers with one");
    let frame = images::frame(1, 64);
    let burst = [TxFrame { port: 0, bytes: &frame, inject: Some(Inject::default()) }; 32];
    pair.tx.transmit_burst(&burst).unwrap();
    assert_eq!(taken(&log), [Seen::Doorbell(5), Seen::Wake]);
    let mut packets = 0;
    pair.rx.receive_burst(64, |_| packets += 1).unwrap();
    assert_eq!((packets, taken(&log)), (32, vec![Seen::Doorbell(4)]));
    let pending: Vec<_> = (0..20).map(|_| device.submit(&Request::new(Opcode::Nop)).unwrap()).collect();
    assert_eq!(taken(&log), []);
    pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    assert_eq!(taken(&log), [Seen::Doorbell(0), Seen::Wake]);
    // Completions are told of after half a ring, so that a command costs one doorbell.
    for _ in 0..64 {
        device.run(&Request::new(Opcode::Nop)).unwrap();
    }
    let seen = taken(&log);
    assert_eq!((count(&seen, Seen::Doorbell(0)), count(&seen, Seen::Doorbell(1))), (64, 2));
}

#[test]
fn closing_goes_from_the_device_to_the_memory() {
    let (function, log) = watched();
    {
        let device = Device::open(connect(&function), OpenOptions::default()).unwrap();
        let pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
        let events = device.events().unwrap();
        taken(&log);
        // Rings of their own before their own memory, and the device is left on.
        drop(pair);
        let seen = taken(&log);
        for ring in [4, 5] {
            let off = span(&seen, |&seen| seen == Seen::RingOff(ring)).0;
            let unmaps = seen[off..].iter().filter(|&&seen| seen == Seen::Unmap).count();
            assert!(unmaps >= 2, "{seen:?}");
        }
        assert!(seen.iter().all(|seen| !matches!(seen, Seen::Master(_))), "{seen:?}");
        drop((device, events));
    }
    let seen = taken(&log);
    let off = span(&seen, |seen| matches!(seen, Seen::RingOff(0 | 1)));
    let quiet = span(&seen, |&seen| seen == Seen::Interrupts(false));
    let master = span(&seen, |&seen| seen == Seen::Master(false));
    let last = seen.iter().rposition(|&seen| seen == Seen::Unmap).unwrap();
    let unmap = seen[off.0..].iter().position(|&seen| seen == Seen::Unmap).unwrap() + off.0;
    assert!(off.1 < quiet.0 && quiet.1 < master.0 && master.1 < unmap && last + 1 == seen.len() - 1, "{seen:?}");
    assert_eq!(seen.last(), Some(&Seen::Disconnect));
}

#[test]
fn a_failed_opening_leaves_nothing() {
    let (function, log) = watched();
    // The completion ring does not go on.
    let state = RingId::COMPLETION.register::<reg::RingState>().0;
    function.lock().unwrap().fake.insert(state.into(), 0);
    let error = Device::open(connect(&function), OpenOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Nonsense { what: "a ring that stays off", .. }), "{error}");
    let seen = taken(&log);
    assert_eq!(count(&seen, Seen::Map), count(&seen, Seen::Unmap), "{seen:?}");
    let master = span(&seen, |&seen| seen == Seen::Master(false));
    let unmap = span(&seen, |&seen| seen == Seen::Unmap);
    assert!(master.1 < unmap.0, "{seen:?}");
    // A stopped ring says why.
    function.lock().unwrap().fake.insert(state.into(), 0x0502);
    let error = Device::open(connect(&function), OpenOptions::default()).unwrap_err();
    assert!(matches!(error, Error::RingStopped { ring: RingId::COMPLETION, .. }), "{error}");
    function.lock().unwrap().fake.clear();
    Device::open(connect(&function), OpenOptions::default()).unwrap();
}

#[test]
fn what_is_no_device_of_ours_is_not_touched() {
    type Expected = fn(&Error) -> bool;
    let cases: [(u32, u64, Expected); 4] = [
        (reg::Magic::OFFSET.0, u64::MAX, |error| matches!(error, Error::Gone(_))),
        (reg::Magic::OFFSET.0, 0x1af4_1000, |error| matches!(error, Error::NotOurs { magic: 0x1af4_1000 })),
        (reg::Version::OFFSET.0, 0x2_0003, |error| matches!(error, Error::Version { major: 2, minor: 3 })),
        (reg::Vcpus::OFFSET.0, 0, |error| matches!(error, Error::Nonsense { .. })),
    ];
    for (register, value, expected) in cases {
        let (function, log) = watched();
        function.lock().unwrap().fake.insert(register.into(), value);
        let error = Device::open(connect(&function), OpenOptions::default()).unwrap_err();
        assert!(expected(&error), "{error}");
        assert_eq!(taken(&log), [Seen::Disconnect]);
    }
}

#[test]
fn a_device_that_is_not_ready_or_failed_is_told() {
    let short = OpenOptions { deadline: Duration::from_millis(20), ..OpenOptions::default() };
    for (state, expected) in [(0u64, "the device did not answer"), (2, "the device has failed")] {
        let (function, _) = watched();
        function.lock().unwrap().fake.insert(reg::State::OFFSET.0.into(), state);
        let error = Device::open(connect(&function), short).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn a_silent_device_costs_a_deadline_and_late_answers_hurt_nothing() {
    let (function, _) = watched();
    let few = OpenOptions {
        deadline: Duration::from_millis(20),
        command_entries: Entries::new(4).unwrap(),
        ..OpenOptions::default()
    };
    let device = Device::open(connect(&function), few).unwrap();
    let id = device.create_map(&images::map("m", MapKind::Array, 4, 8, 8), None, None).unwrap();
    let map = device.map(id).unwrap();
    map.update(&[0; 4], &[7; 8], Update::Any).unwrap();
    function.lock().unwrap().asleep = true;
    // As many as there are places; the rest finds none.
    for round in 0..6 {
        let error = map.lookup(&[0; 4]).unwrap_err();
        let what = if round < 4 { "a command" } else { "a free command slot" };
        assert!(matches!(&error, Error::Deadline { what: told, .. } if *told == what), "{round}: {error}");
    }
    function.lock().unwrap().asleep = false;
    for _ in 0..20 {
        assert_eq!(map.lookup(&[0; 4]).unwrap(), Some(vec![7; 8]));
    }
    device.check().unwrap();
}

#[test]
fn a_gone_device_is_gone_at_once_for_everybody() {
    let (function, _) = watched();
    let device = Device::open(connect(&function), OpenOptions::default()).unwrap();
    let mut events = device.events().unwrap();
    {
        let mut function = function.lock().unwrap();
        function.asleep = true;
        function.fake = (0..0x60).step_by(4).map(|register| (register, u64::MAX)).collect();
    }
    // The deadline is 5 s; the registers tell long before.
    for _ in 0..3 {
        let error = device.run(&Request::new(Opcode::Nop)).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Gone(_)), "{error}");
    }
    let error = events.wait(Duration::from_secs(60)).unwrap_err();
    assert!(error.is_gone(), "{error}");
    assert!(matches!(device.info(), Err(Error::Gone(_))));
}

#[test]
fn doorbells_that_cannot_be_mapped_are_written() {
    let (function, log) = watched();
    function.lock().unwrap().trapped = true;
    let device = Device::open(connect(&function), OpenOptions::default()).unwrap();
    taken(&log);
    device.run(&Request::new(Opcode::Nop)).unwrap();
    assert!(!taken(&log).contains(&Seen::Wake), "the trapped write wakes it");
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let frame = images::frame(1, 64);
    let burst = [TxFrame { port: 0, bytes: &frame, inject: Some(Inject::default()) }; 8];
    assert_eq!(pair.tx.transmit_burst(&burst).unwrap(), 8);
    assert_eq!(pair.rx.receive_burst(64, |_| ()).unwrap(), 8);
}
