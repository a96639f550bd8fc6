//! How fast the PCI function runs on this machine in one thread, the model included: map updates one by one and in batches,
//! packets from transmit ring to receive ring through a program of one word.
//!
//! `cargo run --release -p device-model --example function_speed [rounds] [part]`; part: only what has this in its name, for a
//! look at the processor time (`time`, `perf stat`) on a machine that does other things too.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use device_model::host::{Doorbells, HostConfig, HostFunction};
use offwire_hostif::reg::{RingBase, RingControl, RingSize};
use offwire_hostif::{DmaAccess, HostMemory, Iova, Opcode, PciFunction, Region, RingId, TransmitFlag, desc, phase};
use offwire_image::{Dispatch, DispatchMode, Image};
use offwire_isa::{CodeAddr, ISA_VERSION, Word, X16};

/// Memory behind a lock, which nobody else takes.
struct Memory(Mutex<Vec<u8>>);

impl Memory {
    fn with<R>(&self, offset: u64, bytes: usize, run: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).ok()?;
        memory.get_mut(start..start.checked_add(bytes)?).map(run)
    }
}

impl HostMemory for Memory {
    fn size(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        self.with(offset, bytes.len(), |memory| bytes.copy_from_slice(memory)).is_some()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        self.with(offset, bytes.len(), |memory| memory.copy_from_slice(bytes)).is_some()
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        let word = self.with(offset, 4, |memory| memory.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)));
        word.flatten()
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        self.write(offset, &value.to_le_bytes())
    }
}

const LOG2: u32 = 10;
const ENTRIES: u32 = 1 << LOG2;
const BATCH: u32 = 4096;

struct Host {
    function: HostFunction,
    memory: Arc<Memory>,
    next: u64,
}

/// A ring as the host fills it.
struct Ring {
    id: RingId,
    base: u64,
    index: u32,
}

impl Host {
    fn take(&mut self, bytes: u64) -> u64 {
        let at = self.next;
        self.next += bytes.next_multiple_of(4096);
        at
    }

    fn ring(&mut self, id: RingId) -> Result<Ring, Box<dyn Error>> {
        let base = self.take(64 << LOG2);
        self.function.write(Region::Bar0, id.register::<RingBase>().0.into(), &base.to_le_bytes())?;
        self.function.write(Region::Bar0, id.register::<RingSize>().0.into(), &LOG2.to_le_bytes())?;
        self.function.write(Region::Bar0, id.register::<RingControl>().0.into(), &1u32.to_le_bytes())?;
        Ok(Ring { id, base, index: 0 })
    }

    fn put(&self, ring: &mut Ring, mut descriptor: [u8; 64], returns: bool) {
        let avail = u32::from(phase(ring.index, LOG2));
        let word = avail | if returns { (1 - avail) << 1 } else { 0 };
        descriptor[60..].copy_from_slice(&word.to_le_bytes());
        self.memory.write(ring.base + u64::from(ring.index % ENTRIES) * 64, &descriptor);
        ring.index = ring.index.wrapping_add(1);
    }

    fn ring_doorbell(&mut self, ring: &Ring) -> Result<(), Box<dyn Error>> {
        Ok(self.function.write(Region::Bar2, ring.id.doorbell().0.into(), &ring.index.to_le_bytes())?)
    }

    fn settle(&mut self) {
        while self.function.poll() {}
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u32 = std::env::args().nth(1).map_or(Ok(200), |count| count.parse())?;
    let part = std::env::args().nth(2).unwrap_or_default();
    let memory = Arc::new(Memory(Mutex::new(vec![0; 16 << 20])));
    let mut function = HostFunction::new(HostConfig::new(&X16), Arc::new(Doorbells::new()));
    function.write(Region::Config, 4, &[6, 0])?;
    function.dma_map(Iova(0), 16 << 20, DmaAccess::ReadWrite, memory.clone(), 0)?;
    let mut host = Host { function, memory, next: 0 };
    let mut completions = host.ring(RingId::COMPLETION)?;
    let mut commands = host.ring(RingId::COMMAND)?;
    let buffer = host.take(1 << 20);
    // Runs commands, all of the same kind, until `count` are done.
    let mut run = |host: &mut Host, command: desc::Command, count: u32| -> Result<desc::Completion, Box<dyn Error>> {
        for from in (0..count).step_by(ENTRIES as usize) {
            for _ in from..count.min(from + ENTRIES) {
                host.put(&mut commands, command.encode(), false);
                completions.index = completions.index.wrapping_add(1);
            }
            host.ring_doorbell(&commands)?;
            host.settle();
            host.ring_doorbell(&completions)?;
        }
        let mut last = [0; 64];
        let at = completions.base + u64::from(completions.index.wrapping_sub(1) % ENTRIES) * 64;
        host.memory.read(at, &mut last);
        let last = desc::Completion::decode(&last);
        if last.status == 0 { Ok(last) } else { Err(format!("the command failed: {last:?}").into()) }
    };
    let command = |opcode: Opcode| desc::Command { opcode: opcode.code(), ..desc::Command::default() };

    let record = desc::MapCreate {
        kind: 1,
        key_bytes: 8,
        value_bytes: 16,
        max_entries: BATCH,
        lock: u32::MAX,
        inner: u32::MAX,
        ..desc::MapCreate::default()
    };
    host.memory.write(buffer, &record.encode());
    let create = desc::Command { input: buffer, input_bytes: 128, ..command(Opcode::MapCreate) };
    let map = run(&mut host, create, 1)?.result as u32;
    for key in 0..BATCH {
        let entry = [u64::from(key).to_le_bytes(), [1; 8], [2; 8]].concat();
        host.memory.write(buffer + u64::from(key) * 24, &entry);
    }
    let batch = desc::Command { object: map, input: buffer, count: BATCH, ..command(Opcode::MapUpdateBatch) };
    let one = desc::Command { object: map, input: buffer, ..command(Opcode::MapUpdate) };
    for (name, command, count, each) in [
        ("map updates, in batches", desc::Command { input_bytes: BATCH * 24, ..batch }, rounds, BATCH),
        ("map updates, one by one", desc::Command { input_bytes: 24, ..one }, rounds * ENTRIES, 1),
    ] {
        if !name.contains(&part) {
            continue;
        }
        let start = Instant::now();
        run(&mut host, command, count)?;
        let rate = f64::from(count) * f64::from(each) / start.elapsed().as_secs_f64();
        println!("{name}: {:.2} M/s", rate / 1e6);
    }

    if !"packets".contains(&part) {
        return Ok(());
    }
    let word: Word = "i0=1; st pkt[0+0] s0=i0:1@0; next=pass".parse()?;
    let image = Image {
        isa_version: ISA_VERSION,
        profile: X16.name.into(),
        profile_hash: X16.hash,
        name: "pass".into(),
        words: vec![word.encode()],
        entry: CodeAddr(0),
        maps: Vec::new(),
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode: DispatchMode::Any, reason: "asked for".into() },
        budget_cycles: 1000,
        word_insns: Vec::new(),
    };
    let bytes = image.to_bytes();
    let record = desc::ProgramLoad { image_bytes: bytes.len() as u32, bindings: 0, reserved: 0 };
    host.memory.write(buffer, &[&record.encode()[..], &bytes].concat());
    let load = desc::Command { input: buffer, input_bytes: 16 + bytes.len() as u32, ..command(Opcode::ProgramLoad) };
    let program = run(&mut host, load, 1)?.result as u32;
    run(&mut host, desc::Command { argument: program, ..command(Opcode::PortAttach) }, 1)?;

    let mut receive = host.ring(RingId::receive(0).ok_or("no pair")?)?;
    let mut transmit = host.ring(RingId::transmit(0).ok_or("no pair")?)?;
    let (frames, buffers) = (host.take(u64::from(ENTRIES) * 64), host.take(u64::from(ENTRIES) * 256));
    for flow in 0..ENTRIES {
        let mut frame = [0; 64];
        frame[12..15].copy_from_slice(&[8, 0, 0x45]);
        frame[23] = 17;
        frame[28..30].copy_from_slice(&(flow as u16).to_be_bytes());
        host.memory.write(frames + u64::from(flow) * 64, &frame);
    }
    let start = Instant::now();
    for _ in 0..rounds {
        for n in 0..u64::from(ENTRIES) {
            let posted = desc::Receive { buffer: buffers + n * 256, buffer_bytes: 256, ..desc::Receive::default() };
            host.put(&mut receive, posted.encode(), true);
            let frame = desc::Transmit {
                buffer: frames + n * 64,
                bytes: 64,
                flags: TransmitFlag::INJECT,
                ..desc::Transmit::default()
            };
            host.put(&mut transmit, frame.encode(), true);
        }
        host.ring_doorbell(&receive)?;
        host.ring_doorbell(&transmit)?;
        host.settle();
        let mut last = [0; 64];
        host.memory.read(receive.base + u64::from(ENTRIES - 1) * 64, &mut last);
        let last = desc::Receive::decode(&last);
        if (last.status, last.packet_bytes) != (0, 64) {
            return Err(format!("a packet is missing: {last:?}").into());
        }
    }
    let packets = f64::from(rounds) * f64::from(ENTRIES);
    println!("packets, transmit ring to receive ring: {:.2} M/s", packets / start.elapsed().as_secs_f64() / 1e6);
    Ok(())
}
