//! A small host: memory, rings by hand, images.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use device_model::host::{Departed, Doorbells, HostConfig, HostFunction};
use offwire_hostif::reg::{
    RingBase, RingControl, RingData, RingDataSize, RingModeration, RingSize, RingState, RingVector,
};
use offwire_hostif::register::RingRegister;
use offwire_hostif::{
    AVAIL, BarOffset, DmaAccess, HostMemory, Interrupt, Iova, Opcode, PciFunction, Region, RingFault, RingId, Status,
    TransmitStatus, USED, desc, phase,
};
use offwire_image::{Dispatch, DispatchMode, Image, MapSpec};
use offwire_isa::{CodeAddr, ISA_VERSION, Profile, SMALL, Word};

/// Memory of which the device may use a window, in one direction or both. An access outside is remembered.
pub(crate) struct Guarded {
    bytes: Mutex<Vec<u8>>,
    window: std::ops::Range<u64>,
    access: DmaAccess,
    foul: Mutex<Option<String>>,
    /// How often each byte was read, if somebody counts.
    reads: Mutex<Option<Vec<u8>>>,
}

impl Guarded {
    pub(crate) fn new(size: u64, window: std::ops::Range<u64>, access: DmaAccess) -> Arc<Self> {
        Arc::new(Guarded {
            bytes: Mutex::new(vec![0; size as usize]),
            window,
            access,
            foul: Mutex::default(),
            reads: Mutex::default(),
        })
    }

    fn check(&self, offset: u64, bytes: usize, write: bool) -> bool {
        let inside = offset >= self.window.start && offset + bytes as u64 <= self.window.end;
        let allowed = if write { self.access.writes() } else { self.access.reads() };
        if !inside || !allowed {
            let foul = format!("write {write}, {bytes} B at {offset:#x}, window {:x?}", self.window);
            self.foul.lock().unwrap().get_or_insert(foul);
        }
        inside && allowed
    }

    /// From now on reads are counted; gives how often the most read byte was read until now.
    pub(crate) fn count_reads(&self) -> u8 {
        let counts = vec![0; self.size() as usize];
        self.reads.lock().unwrap().replace(counts).map_or(0, |counts| counts.into_iter().max().unwrap_or(0))
    }

    /// What the device did that it must not, if anything.
    pub(crate) fn foul(&self) -> Option<String> {
        self.foul.lock().unwrap().clone()
    }

    /// As the host sees it.
    pub(crate) fn get(&self, offset: u64, bytes: usize) -> Vec<u8> {
        self.bytes.lock().unwrap()[offset as usize..offset as usize + bytes].to_vec()
    }

    pub(crate) fn set(&self, offset: u64, bytes: &[u8]) {
        self.bytes.lock().unwrap()[offset as usize..offset as usize + bytes.len()].copy_from_slice(bytes);
    }
}

impl HostMemory for Guarded {
    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        if !self.check(offset, bytes.len(), false) {
            return false;
        }
        let range = offset as usize..offset as usize + bytes.len();
        if let Some(counts) = &mut *self.reads.lock().unwrap() {
            counts[range.clone()].iter_mut().for_each(|count| *count = count.saturating_add(1));
        }
        bytes.copy_from_slice(&self.bytes.lock().unwrap()[range]);
        true
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        if !self.check(offset, bytes.len(), true) {
            return false;
        }
        self.set(offset, bytes);
        true
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        let mut word = [0; 4];
        (offset.is_multiple_of(4) && self.read(offset, &mut word)).then(|| u32::from_le_bytes(word))
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        offset.is_multiple_of(4) && self.write(offset, &value.to_le_bytes())
    }
}

#[derive(Default)]
pub(crate) struct Count(AtomicU32);

impl Interrupt for Count {
    fn signal(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    pub(crate) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A ring as the host keeps it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) id: RingId,
    pub(crate) base: u64,
    pub(crate) log2: u32,
    /// Descriptors written by the host, or consumed from the device.
    pub(crate) index: u32,
    /// Descriptors that the device has given back and the host has looked at.
    pub(crate) returned: u32,
}

impl Side {
    fn at(&self, index: u32) -> u64 {
        self.base + u64::from(index & ((1 << self.log2) - 1)) * 64
    }
}

/// Where the arena lies for the device.
pub(crate) const BASE: u64 = 0x7000_0000;
const ARENA: u64 = 8 << 20;

/// A host with an arena of memory that is mapped as a whole.
pub(crate) struct Host {
    pub(crate) function: HostFunction,
    pub(crate) memory: Arc<Guarded>,
    next: u64,
    pub(crate) command: Side,
    pub(crate) completion: Side,
    pub(crate) event: Side,
    pub(crate) event_data: u64,
    pub(crate) receive: Vec<Side>,
    pub(crate) transmit: Vec<Side>,
    /// Posted buffers of each receive ring.
    posted: Vec<VecDeque<u64>>,
    tag: u32,
    /// Buffers for commands and frames.
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) frame: u64,
}

/// Bytes of the command buffers.
pub(crate) const BUFFER: u32 = 1 << 20;
/// Bytes of a receive buffer.
pub(crate) const RECEIVE: u32 = 4096;
pub(crate) const EVENT_DATA: u32 = 8192;

/// A packet that the host received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) descriptor: desc::Receive,
    pub(crate) report: Option<desc::ReceiveReport>,
    pub(crate) meta: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn config() -> HostConfig {
    HostConfig { wires: u64::MAX, ..HostConfig::new(&SMALL) }
}

impl Host {
    /// A host with command, completion and event ring; queue pairs are opened by [`Host::open`].
    pub(crate) fn new(config: HostConfig) -> Self {
        let mut host = Host::bare(config);
        host.connect();
        host
    }

    /// A function that nobody has set up.
    pub(crate) fn bare(config: HostConfig) -> Self {
        let side = Side { id: RingId::COMMAND, base: 0, log2: 0, index: 0, returned: 0 };
        Host {
            function: HostFunction::new(config, Arc::new(Doorbells::new())),
            memory: Guarded::new(ARENA, 0..ARENA, DmaAccess::ReadWrite),
            next: BASE,
            command: side,
            completion: side,
            event: side,
            event_data: 0,
            receive: Vec::new(),
            transmit: Vec::new(),
            posted: Vec::new(),
            tag: 0,
            input: 0,
            output: 0,
            frame: 0,
        }
    }

    /// Maps memory and enables the first three rings.
    pub(crate) fn connect(&mut self) {
        self.next = BASE;
        (self.receive, self.transmit, self.posted) = Default::default();
        self.master(true);
        self.function.dma_map(Iova(BASE), ARENA, DmaAccess::ReadWrite, self.memory.clone(), 0).unwrap();
        self.enable_basics();
    }

    /// Enables the first three rings, with fresh memory for them.
    pub(crate) fn enable_basics(&mut self) {
        self.event_data = self.take(u64::from(EVENT_DATA));
        self.input = self.take(BUFFER.into());
        self.output = self.take(BUFFER.into());
        self.frame = self.take(4096);
        self.completion = self.enable(RingId::COMPLETION, 5);
        self.event = self.enable(RingId::EVENT, 6);
        self.command = self.enable(RingId::COMMAND, 4);
    }

    /// Bus Master Enable.
    pub(crate) fn master(&mut self, on: bool) {
        self.function.write(Region::Config, 4, &[if on { 6 } else { 0 }]).unwrap();
    }

    /// Zeroed memory of the arena.
    pub(crate) fn take(&mut self, bytes: u64) -> u64 {
        let at = self.next;
        self.next += bytes.next_multiple_of(4096);
        assert!(self.next <= BASE + ARENA, "the arena is too small");
        self.put(at, &vec![0; bytes as usize]);
        at
    }

    pub(crate) fn put(&self, iova: u64, bytes: &[u8]) {
        self.memory.set(iova - BASE, bytes);
    }

    pub(crate) fn get(&self, iova: u64, bytes: usize) -> Vec<u8> {
        self.memory.get(iova - BASE, bytes)
    }

    pub(crate) fn write32(&mut self, offset: BarOffset, value: u32) {
        self.function.write(Region::Bar0, offset.0.into(), &value.to_le_bytes()).unwrap();
    }

    pub(crate) fn write64(&mut self, offset: BarOffset, value: u64) {
        self.function.write(Region::Bar0, offset.0.into(), &value.to_le_bytes()).unwrap();
    }

    pub(crate) fn read32(&mut self, offset: BarOffset) -> u32 {
        let mut bytes = [0; 4];
        self.function.read(Region::Bar0, offset.0.into(), &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    pub(crate) fn read64(&mut self, offset: BarOffset) -> u64 {
        let mut bytes = [0; 8];
        self.function.read(Region::Bar0, offset.0.into(), &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn ring32<R: RingRegister>(&mut self, id: RingId) -> u32 {
        self.read32(id.register::<R>())
    }

    /// What has stopped a ring, and the argument.
    pub(crate) fn fault(&mut self, id: RingId) -> (RingFault, u64) {
        let state = RingState(self.ring32::<RingState>(id));
        let argument = self.read64(id.register::<offwire_hostif::reg::RingFaultArgument>());
        assert_eq!(state.stopped(), state.fault() != 0);
        assert!(!(state.stopped() && state.enabled()));
        (RingFault::from_code(state.fault() as u16).unwrap(), argument)
    }

    /// Sets a ring up with memory for it and enables it.
    pub(crate) fn enable(&mut self, id: RingId, log2: u32) -> Side {
        let base = self.take(64 << log2);
        self.enable_at(id, log2, base)
    }

    pub(crate) fn enable_at(&mut self, id: RingId, log2: u32, base: u64) -> Side {
        self.write64(id.register::<RingBase>(), base);
        self.write32(id.register::<RingSize>(), log2);
        if id == RingId::EVENT {
            self.write64(id.register::<RingData>(), self.event_data);
            self.write32(id.register::<RingDataSize>(), EVENT_DATA);
        }
        self.write32(id.register::<RingControl>(), 1);
        Side { id, base, log2, index: 0, returned: 0 }
    }

    pub(crate) fn disable(&mut self, id: RingId) {
        self.write32(id.register::<RingControl>(), 0);
    }

    /// A ring's vector and moderation.
    pub(crate) fn interrupt(&mut self, id: RingId, vector: u16, count: u32, delay_us: u32) -> Arc<Count> {
        let count_to = Arc::new(Count::default());
        self.function.set_interrupt(vector, Some(count_to.clone()));
        self.write32(id.register::<RingVector>(), vector.into());
        let moderation = RingModeration::default().with_count(count).with_delay_us(delay_us);
        self.write32(id.register::<RingModeration>(), moderation.0);
        count_to
    }

    /// Opens a queue pair with `1 << log2` entries and posts all receive buffers.
    pub(crate) fn open(&mut self, pair: u8, log2: u32) {
        assert_eq!(self.receive.len(), usize::from(pair));
        let receive = self.enable(RingId::receive(pair).unwrap(), log2);
        let transmit = self.enable(RingId::transmit(pair).unwrap(), log2);
        self.receive.push(receive);
        self.transmit.push(transmit);
        self.posted.push(VecDeque::new());
        for _ in 0..1 << log2 {
            let buffer = self.take(RECEIVE.into());
            self.post(pair, buffer, RECEIVE);
        }
    }

    pub(crate) fn doorbell(&mut self, id: RingId, value: u32) {
        self.function.write(Region::Bar2, id.doorbell().0.into(), &value.to_le_bytes()).unwrap();
    }

    /// Polls until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if !self.function.poll() {
                return;
            }
        }
        panic!("the device is never done");
    }

    /// Writes a descriptor of a ring that the host fills, without its doorbell.
    pub(crate) fn produce(&mut self, side: &mut Side, descriptor: &[u8; 64], returns: bool) {
        let avail = u32::from(phase(side.index, side.log2));
        let word = (avail * AVAIL) | if returns { (1 - avail) * USED } else { 0 };
        let at = side.at(side.index);
        self.put(at, &descriptor[..60]);
        self.put(at + 60, &word.to_le_bytes());
        side.index = side.index.wrapping_add(1);
    }

    /// The next descriptor that the device has written, at `index`.
    pub(crate) fn peek(&self, side: &Side, index: u32) -> Option<[u8; 64]> {
        let bytes: [u8; 64] = self.get(side.at(index), 64).try_into().unwrap();
        let word = u32::from_le_bytes(bytes[60..].try_into().unwrap());
        let used = u32::from(phase(index, side.log2)) * USED;
        (word & USED == used).then_some(bytes)
    }

    /// Submits a command; completions are not looked at.
    pub(crate) fn submit(&mut self, command: desc::Command) -> u32 {
        self.tag += 1;
        let mut side = self.command;
        self.produce(&mut side, &desc::Command { tag: self.tag, ..command }.encode(), false);
        self.command = side;
        self.doorbell(RingId::COMMAND, side.index);
        self.tag
    }

    /// The next completion.
    pub(crate) fn completion(&mut self) -> Option<desc::Completion> {
        let bytes = self.peek(&self.completion, self.completion.index)?;
        self.completion.index = self.completion.index.wrapping_add(1);
        self.doorbell(RingId::COMPLETION, self.completion.index);
        Some(desc::Completion::decode(&bytes))
    }

    /// Runs a command.
    pub(crate) fn run(&mut self, command: desc::Command) -> desc::Completion {
        let tag = self.submit(command);
        self.settle();
        let completion = self.completion().expect("a completion");
        assert_eq!((completion.tag, completion.opcode), (tag, command.opcode));
        assert_eq!(completion.command_index, self.command.index);
        completion
    }

    /// A command with buffers: `input` is put into the input buffer.
    pub(crate) fn with_input(&mut self, command: desc::Command, input: &[u8]) -> desc::Command {
        assert!(input.len() <= BUFFER as usize);
        self.put(self.input, input);
        desc::Command { input: self.input, input_bytes: input.len() as u32, ..command }
    }

    /// The same with the output buffer.
    pub(crate) fn with_output(&self, command: desc::Command, bytes: u32) -> desc::Command {
        desc::Command { output: self.output, output_bytes: bytes, ..command }
    }

    /// Runs a command that has to end well.
    pub(crate) fn ok(&mut self, command: desc::Command) -> desc::Completion {
        let completion = self.run(command);
        assert_eq!(status(&completion), (Status::Ok, 0), "{command:?}");
        completion
    }

    /// Runs a command that has to fail.
    pub(crate) fn fails(&mut self, command: desc::Command) -> (Status, u64) {
        let completion = self.run(command);
        assert_eq!((completion.result, completion.output_bytes), (0, 0));
        status(&completion)
    }

    pub(crate) fn load(&mut self, image: &Image, bindings: &[u16]) -> u32 {
        let command = self.with_input(command(Opcode::ProgramLoad), &load_input(image, bindings));
        self.ok(command).result as u32
    }

    pub(crate) fn attach(&mut self, port: u32, program: u32) {
        self.ok(desc::Command { object: port, argument: program, ..command(Opcode::PortAttach) });
    }

    pub(crate) fn port_set(&mut self, port: u32, flags: u16, ifindex: u64) {
        let set = desc::Command { object: port, argument: flags.into(), value: ifindex, ..command(Opcode::PortSet) };
        self.ok(set);
    }

    pub(crate) fn create(&mut self, record: desc::MapCreate, init: &[u8]) -> u32 {
        let mut input = desc::MapCreate { init_bytes: init.len() as u32, ..record }.encode().to_vec();
        input.extend(init);
        let command = self.with_input(command(Opcode::MapCreate), &input);
        self.ok(command).result as u32
    }

    /// The output of a command that has to end well.
    pub(crate) fn read(&mut self, command: desc::Command) -> Vec<u8> {
        let command = self.with_output(command, BUFFER);
        let completion = self.ok(command);
        self.get(self.output, completion.output_bytes as usize)
    }

    pub(crate) fn update(&mut self, map: u32, key: &[u8], value: &[u8]) {
        let input = [padded(key), value.to_vec()].concat();
        let command = self.with_input(desc::Command { object: map, ..command(Opcode::MapUpdate) }, &input);
        self.ok(command);
    }

    pub(crate) fn lookup(&mut self, map: u32, key: &[u8]) -> Vec<u8> {
        let command = self.with_input(desc::Command { object: map, ..command(Opcode::MapLookup) }, key);
        self.read(command)
    }

    pub(crate) fn counters(&mut self, domain: offwire_hostif::CounterDomain, object: u32) -> Vec<u64> {
        let argument = domain.code().into();
        let bytes = self.read(desc::Command { object, argument, ..command(Opcode::CountersRead) });
        bytes.chunks(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap())).collect()
    }

    /// A counter by its name.
    pub(crate) fn counter(&mut self, domain: offwire_hostif::CounterDomain, object: u32, name: &str) -> u64 {
        let names: &[&str] = match domain {
            offwire_hostif::CounterDomain::Device => &offwire_hostif::DEVICE_COUNTERS,
            offwire_hostif::CounterDomain::Port => &offwire_hostif::PORT_COUNTERS,
            offwire_hostif::CounterDomain::Program => &offwire_hostif::PROGRAM_COUNTERS,
            offwire_hostif::CounterDomain::Ring => &offwire_hostif::RING_COUNTERS,
        };
        let at = names.iter().position(|&known| known == name).unwrap();
        self.counters(domain, object)[at]
    }

    pub(crate) fn post(&mut self, pair: u8, buffer: u64, bytes: u32) {
        let mut side = self.receive[usize::from(pair)];
        let posted = desc::Receive { buffer, buffer_bytes: bytes, ..desc::Receive::default() };
        self.produce(&mut side, &posted.encode(), true);
        self.receive[usize::from(pair)] = side;
        self.posted[usize::from(pair)].push_back(buffer);
        self.doorbell(side.id, side.index);
    }

    /// Writes a transmit descriptor without looking at what comes back.
    pub(crate) fn transmit(&mut self, pair: u8, descriptor: desc::Transmit) {
        let mut side = self.transmit[usize::from(pair)];
        self.produce(&mut side, &descriptor.encode(), true);
        self.transmit[usize::from(pair)] = side;
        self.doorbell(side.id, side.index);
    }

    /// Puts a frame into memory that is used again when the arena's frames are used up.
    pub(crate) fn send(&mut self, pair: u8, bytes: &[u8], descriptor: desc::Transmit) {
        self.put(self.frame, bytes);
        self.transmit(pair, desc::Transmit { buffer: self.frame, bytes: bytes.len() as u32, ..descriptor });
    }

    /// The next transmit descriptor that came back.
    pub(crate) fn transmitted(&mut self, pair: u8) -> Option<(TransmitStatus, u64)> {
        let side = self.transmit[usize::from(pair)];
        if side.returned == side.index {
            return None;
        }
        let back = desc::Transmit::decode(&self.peek(&side, side.returned)?);
        self.transmit[usize::from(pair)].returned = side.returned.wrapping_add(1);
        Some((TransmitStatus::from_code(back.status).unwrap(), back.seq))
    }

    /// Injects a frame and waits for its status.
    pub(crate) fn inject(&mut self, pair: u8, bytes: &[u8], descriptor: desc::Transmit) -> (TransmitStatus, u64) {
        self.send(pair, bytes, descriptor);
        self.settle();
        self.transmitted(pair).expect("the descriptor comes back")
    }

    /// The next packet, and its buffer posted again if `repost`.
    pub(crate) fn received_from(&mut self, pair: u8, repost: bool) -> Option<Received> {
        let side = self.receive[usize::from(pair)];
        if side.returned == side.index {
            return None;
        }
        let descriptor = desc::Receive::decode(&self.peek(&side, side.returned)?);
        self.receive[usize::from(pair)].returned = side.returned.wrapping_add(1);
        let buffer = self.posted[usize::from(pair)].pop_front().unwrap();
        assert_eq!(descriptor.buffer, buffer);
        let mut at = buffer;
        let mut part = |bytes: usize| {
            let part = self.get(at, bytes);
            at += bytes as u64;
            part
        };
        let report = part(descriptor.report_bytes as usize);
        let report = report.first_chunk().map(desc::ReceiveReport::decode);
        let (meta, bytes) = (part(descriptor.meta_bytes.into()), part(descriptor.packet_bytes as usize));
        if repost {
            self.post(pair, buffer, descriptor.buffer_bytes);
        }
        Some(Received { descriptor, report, meta, bytes })
    }

    pub(crate) fn received(&mut self, pair: u8) -> Option<Received> {
        self.received_from(pair, true)
    }

    /// The next event with its data.
    pub(crate) fn next_event(&mut self) -> Option<(desc::Event, Vec<u8>)> {
        let event = desc::Event::decode(&self.peek(&self.event, self.event.index)?);
        let data = self.get(self.event_data + u64::from(event.offset), event.bytes as usize);
        self.event.index = self.event.index.wrapping_add(1);
        self.doorbell(RingId::EVENT, self.event.index);
        Some((event, data))
    }

    pub(crate) fn departed(&mut self) -> Vec<Departed> {
        std::iter::from_fn(|| self.function.depart()).collect()
    }
}

pub(crate) fn command(opcode: Opcode) -> desc::Command {
    desc::Command { opcode: opcode.code(), ..desc::Command::default() }
}

pub(crate) fn status(completion: &desc::Completion) -> (Status, u64) {
    (Status::from_code(completion.status).unwrap(), completion.argument)
}

pub(crate) fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// ProgramLoad's input.
pub(crate) fn load_input(image: &Image, bindings: &[u16]) -> Vec<u8> {
    let bytes = image.to_bytes();
    let record = desc::ProgramLoad { image_bytes: bytes.len() as u32, bindings: bindings.len() as u32, reserved: 0 };
    let list: Vec<u8> = bindings.iter().flat_map(|map| map.to_le_bytes()).collect();
    [record.encode().to_vec(), padded(&list), bytes].concat()
}

/// An image of words in the assembler's language.
pub(crate) fn image(name: &str, words: &str, maps: &[MapSpec]) -> Image {
    image_for(&SMALL, name, words, maps)
}

pub(crate) fn image_for(profile: &Profile, name: &str, words: &str, maps: &[MapSpec]) -> Image {
    let lines = words.lines().filter(|line| !line.trim().is_empty());
    Image {
        isa_version: ISA_VERSION,
        profile: profile.name.to_owned(),
        profile_hash: profile.hash,
        name: name.to_owned(),
        words: lines.map(|line| line.parse::<Word>().unwrap().encode()).collect(),
        entry: CodeAddr(0),
        maps: maps.to_vec(),
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode: DispatchMode::Any, reason: String::new() },
        budget_cycles: 10_000,
        word_insns: Vec::new(),
    }
}

/// A program that writes a byte to the front of each packet and ends it.
pub(crate) fn mark(byte: u8, end: &str) -> Image {
    image(&format!("mark_{byte}"), &format!("i0={byte}; st pkt[0+0] s0=i0:1@0; next={end}"), &[])
}

/// MapCreate's record.
pub(crate) fn map_record(kind: u32, key_bytes: u32, value_bytes: u32, max_entries: u32) -> desc::MapCreate {
    let mut name = [0; 64];
    name[..4].copy_from_slice(b"made");
    desc::MapCreate {
        kind,
        key_bytes,
        value_bytes,
        max_entries,
        lock: u32::MAX,
        inner: u32::MAX,
        name,
        ..desc::MapCreate::default()
    }
}

/// A UDP frame of a flow.
pub(crate) fn frame(flow: u16, bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; bytes.max(60)];
    frame[12..15].copy_from_slice(&[8, 0, 0x45]);
    frame[23] = 17;
    frame[26..28].copy_from_slice(&[10, 0]);
    frame[28..30].copy_from_slice(&flow.to_be_bytes());
    frame[30..34].copy_from_slice(&[10, 0, 0, 1]);
    frame[34..36].copy_from_slice(&flow.to_be_bytes());
    frame
}
