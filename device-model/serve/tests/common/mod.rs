//! A small device, and a client that says exactly what a test wants it to say.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod client;
pub(crate) mod hosts;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use offwire_hostif::{AccessError, DmaAccess, DmaError, HostMemory, Interrupt, Iova, PciFunction, Region, TimeMode};
use offwire_hostmem::SharedMemory;
use offwire_serve::{Departed, Nic, Options, PortSpec, Rates, ServeError, Service, Stop, Summary};

/// Registers of the small device in BAR0.
pub(crate) mod reg {
    /// A number to know it by.
    pub(crate) const MAGIC: u64 = 0x00;
    pub(crate) const SCRATCH: u64 = 0x08;
    pub(crate) const DMA_ADDRESS: u64 = 0x10;
    pub(crate) const DMA_BYTES: u64 = 0x18;
    /// Writing vector v writes a pattern to host memory and signals v.
    pub(crate) const GO: u64 = 0x1c;
    /// 1: done. 2: refused.
    pub(crate) const STATUS: u64 = 0x20;
    pub(crate) const RESETS: u64 = 0x24;
    pub(crate) const DISCONNECTS: u64 = 0x28;
    /// Bit p: port p is open.
    pub(crate) const OPEN: u64 = 0x2c;
    /// What the device saw last at the doorbell.
    pub(crate) const SEEN: u64 = 0x30;
    /// Writing it breaks the device.
    pub(crate) const PANIC: u64 = 0x34;
    /// Mappings.
    pub(crate) const MAPPINGS: u64 = 0x38;
}

pub(crate) const MAGIC: u32 = 0x7157_0ff1;
pub(crate) const VECTORS: u16 = 36;
pub(crate) const BAR2: u64 = 0x2000;
/// Where the doorbell lies in BAR2.
pub(crate) const DOORBELL: u64 = 0x40;
/// Cycles from port to port.
pub(crate) const LATENCY: u64 = 100;
pub(crate) const PORTS: u16 = 4;

struct Mapping {
    size: u64,
    access: DmaAccess,
    memory: Arc<dyn HostMemory>,
    offset: u64,
}

/// A device that hands the frames of each even port to the next odd one and back, `LATENCY` cycles later.
pub(crate) struct Small {
    registers: [u8; 0x1000],
    config: Vec<u8>,
    table: Vec<u8>,
    doorbells: Arc<SharedMemory>,
    dma: BTreeMap<u64, Mapping>,
    vectors: Vec<Option<Arc<dyn Interrupt>>>,
    frames: VecDeque<Departed>,
    out: VecDeque<Departed>,
    now: u64,
    limit: Option<u64>,
    time: TimeMode,
    /// Calls of `poll`.
    polls: Arc<AtomicU64>,
    /// Frames that one call of `poll` lets out at the most, and frames that may be under way.
    pub(crate) slice: usize,
    pub(crate) flights: usize,
    /// A model that is too slow for real time: it never gets beyond the cycle at which it started.
    pub(crate) stuck: bool,
}

impl Small {
    pub(crate) fn new() -> (Self, Arc<SharedMemory>) {
        let doorbells = Arc::new(SharedMemory::new("doorbells", BAR2).expect("memory"));
        let mut small = Small {
            registers: [0; 0x1000],
            config: vec![0; 4096],
            table: vec![0; 0x1000],
            doorbells: Arc::clone(&doorbells),
            dma: BTreeMap::new(),
            vectors: (0..VECTORS).map(|_| None).collect(),
            frames: VecDeque::new(),
            out: VecDeque::new(),
            now: 0,
            limit: None,
            time: TimeMode::Virtual,
            polls: Arc::default(),
            slice: usize::MAX,
            flights: usize::MAX,
            stuck: false,
        };
        small.config[..4].copy_from_slice(&[0x55, 0x1d, 0xf1, 0x0f]);
        small.set(reg::MAGIC, MAGIC);
        (small, doorbells)
    }

    /// As [`Small::new`] with all ports open.
    pub(crate) fn open() -> (Self, Arc<SharedMemory>) {
        let (mut small, doorbells) = Small::new();
        small.set(reg::OPEN, 0xf);
        (small, doorbells)
    }

    /// Counts the calls of `poll`.
    pub(crate) fn polls(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.polls)
    }

    fn get(&self, at: u64) -> u32 {
        u32::from_le_bytes(*self.registers[at as usize..].first_chunk().expect("inside"))
    }

    fn set(&mut self, at: u64, value: u32) {
        self.registers[at as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// Writes a pattern through the mappings, all of it or nothing.
    fn dma_write(&self, iova: u64, bytes: u64) -> bool {
        let mut parts = Vec::new();
        let mut done = 0;
        while done < bytes {
            let at = iova + done;
            let Some((base, mapping)) = self.dma.range(..=at).next_back() else { return false };
            let inside = at - base;
            if inside >= mapping.size || !mapping.access.writes() {
                return false;
            }
            let count = (mapping.size - inside).min(bytes - done);
            parts.push((mapping, mapping.offset + inside, done, count));
            done += count;
        }
        parts.iter().all(|(mapping, offset, done, count)| {
            let pattern: Vec<u8> = (*done..done + count).map(|n| n as u8).collect();
            mapping.memory.write(*offset, &pattern)
        })
    }

    fn region(&mut self, region: Region) -> &mut [u8] {
        match region {
            Region::Bar0 => &mut self.registers,
            Region::Bar4 => &mut self.table,
            Region::Config => &mut self.config,
            Region::Bar2 => &mut [],
        }
    }
}

impl PciFunction for Small {
    fn region_size(&self, region: Region) -> u64 {
        match region {
            Region::Bar2 => BAR2,
            Region::Bar0 | Region::Bar4 | Region::Config => 0x1000,
        }
    }

    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        (region == Region::Bar2).then(|| Arc::clone(&self.doorbells) as Arc<dyn HostMemory>)
    }

    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        let error = AccessError { region, offset, size: bytes.len() };
        if region == Region::Bar2 {
            return if self.doorbells.read(offset, bytes) { Ok(()) } else { Err(error) };
        }
        if region == Region::Bar0 && !matches!(bytes.len(), 4 | 8) {
            return Err(error);
        }
        self.set(reg::MAPPINGS, self.dma.len() as u32);
        // The server has checked the bounds.
        bytes.copy_from_slice(&self.region(region)[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        let error = AccessError { region, offset, size: bytes.len() };
        if region == Region::Bar2 {
            return if self.doorbells.write(offset, bytes) { Ok(()) } else { Err(error) };
        }
        if region == Region::Bar0 && !matches!(bytes.len(), 4 | 8) {
            return Err(error);
        }
        self.region(region)[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        if region == Region::Bar0 {
            self.set(reg::MAGIC, MAGIC);
            assert!(offset != reg::PANIC, "asked to break");
            if offset == reg::GO {
                let address = u64::from(self.get(reg::DMA_ADDRESS)) | u64::from(self.get(reg::DMA_ADDRESS + 4)) << 32;
                let done = self.dma_write(address, u64::from(self.get(reg::DMA_BYTES)));
                self.set(reg::STATUS, if done { 1 } else { 2 });
                let vector = self.get(reg::GO) as usize;
                if let Some(Some(to)) = self.vectors.get(vector).filter(|_| done) {
                    to.signal();
                }
            }
        }
        Ok(())
    }

    fn vectors(&self) -> u16 {
        VECTORS
    }

    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        if let Some(slot) = self.vectors.get_mut(usize::from(vector)) {
            *slot = to;
        }
    }

    fn dma_map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError> {
        let range = DmaError::Range { iova: iova.0, size };
        let end = iova.0.checked_add(size).filter(|_| size > 0).ok_or(range)?;
        assert!(offset + size <= memory.size(), "the server checks the range in the file");
        if self.dma.range(..end).next_back().is_some_and(|(base, mapping)| base + mapping.size > iova.0) {
            return Err(DmaError::Overlap { iova: iova.0, size });
        }
        if self.dma.len() >= 1000 {
            return Err(DmaError::TooMany(1000));
        }
        self.dma.insert(iova.0, Mapping { size, access, memory, offset });
        Ok(())
    }

    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        let end = iova.0.saturating_add(size);
        let inside: Vec<u64> = self
            .dma
            .range(iova.0..end)
            .filter(|(base, mapping)| *base + mapping.size <= end)
            .map(|(b, _)| *b)
            .collect();
        Ok(inside.iter().filter_map(|base| self.dma.remove(base)).map(|mapping| mapping.size).sum())
    }

    fn disconnect(&mut self) {
        self.dma.clear();
        self.vectors.fill(None);
        self.set(reg::DISCONNECTS, self.get(reg::DISCONNECTS) + 1);
    }

    fn reset(&mut self) {
        self.set(reg::SCRATCH, 0);
        self.now = 0;
        self.frames.clear();
        self.set(reg::RESETS, self.get(reg::RESETS) + 1);
    }

    fn poll(&mut self) -> bool {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let rung = self.doorbells.load_acquire(DOORBELL).unwrap_or(0);
        let mut done = rung != self.get(reg::SEEN);
        self.set(reg::SEEN, rung);
        for _ in 0..self.slice {
            let Some(frame) = self.frames.front().filter(|_| !self.stuck) else { break };
            if self.limit.is_some_and(|limit| frame.cycle >= limit) {
                break;
            }
            self.now = self.now.max(frame.cycle + 1);
            self.out.extend(self.frames.pop_front());
            done = true;
        }
        done
    }
}

impl Nic for Small {
    fn ports(&self) -> u16 {
        PORTS
    }

    fn rates(&self) -> Rates {
        Rates { clock_mhz: 250, port_gbps: 100 }
    }

    fn time(&self) -> TimeMode {
        self.time
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn resets(&self) -> u32 {
        self.get(reg::RESETS)
    }

    fn set_limit(&mut self, cycle: Option<u64>) {
        self.limit = cycle;
    }

    fn is_open(&self, port: u16) -> bool {
        self.get(reg::OPEN) >> port & 1 != 0
    }

    fn arrive(&mut self, port: u16, cycle: u64, frame: Vec<u8>) -> bool {
        if !(14..=3520).contains(&frame.len()) || port >= PORTS || self.frames.len() >= self.flights {
            return false;
        }
        let last = self.frames.back().map_or(0, |frame| frame.cycle - LATENCY);
        let cycle = cycle.max(self.now).max(last) + LATENCY;
        self.frames.push_back(Departed { port: port ^ 1, cycle, frame });
        true
    }

    fn depart(&mut self) -> Option<Departed> {
        self.out.pop_front()
    }

    fn in_flight(&self) -> bool {
        !self.frames.is_empty()
    }
}

/// A folder of this test, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("offwire-serve-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test's files");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A served device, stopped at the end.
pub(crate) struct Served {
    pub(crate) socket: PathBuf,
    stop: Stop,
    thread: Option<JoinHandle<Result<Summary, ServeError>>>,
}

impl Served {
    pub(crate) fn start(device: (Small, Arc<SharedMemory>), socket: &Path, time: TimeMode, ports: &[&str]) -> Self {
        let (mut small, doorbells) = device;
        small.time = time;
        Self::start_any(small, doorbells, socket, ports)
    }

    pub(crate) fn start_any<N: Nic + 'static>(
        nic: N,
        doorbells: Arc<SharedMemory>,
        socket: &Path,
        ports: &[&str],
    ) -> Self {
        let ports: Vec<PortSpec> = ports.iter().map(|text| text.parse().expect("a port")).collect();
        let options = Options { socket: socket.to_owned(), ports };
        let service = Service::new(nic, Some(doorbells), &options).expect("a service");
        let stop = Stop::new().expect("an eventfd");
        let stopper = stop.clone();
        let thread = std::thread::spawn(move || service.run(&stopper));
        Served { socket: socket.to_owned(), stop, thread: Some(thread) }
    }

    /// Ends it and gives what it has to say.
    pub(crate) fn stop(mut self) -> Result<Summary, ServeError> {
        self.stop.raise();
        self.thread.take().expect("it runs").join().expect("the service does not panic")
    }

    /// Waits for it to end by itself.
    pub(crate) fn join(mut self) -> Result<Summary, ServeError> {
        self.thread.take().expect("it runs").join().expect("the service does not panic")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until something is so, 10 s at the most.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
