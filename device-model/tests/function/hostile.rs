//! A driver that does anything: no panic, no end to polling, nothing touched that is not in the DMA table, and a reset gives a
//! device that works. `OFFWIRE_DESCRIPTORS` says how many descriptors (20,000).

use std::sync::Arc;

use offwire_hostif::{
    BAR0_BYTES, CounterDomain, DmaAccess, Iova, Opcode, PciFunction, PortFlag, QUEUE_PAIRS, RING_BASE, RINGS, Region,
    RingId, Status, TransmitFlag, desc, phase,
};

use crate::common::{self, Random, any_word, map, useful_word};
use crate::host::{Guarded, Host, command, config, frame, image, load_input, map_record, mark};

fn descriptors() -> u64 {
    std::env::var("OFFWIRE_DESCRIPTORS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// Windows of memory in both directions and in one, with bytes around them that nobody may touch.
struct Windows(Vec<(u64, u64, Arc<Guarded>)>);

impl Windows {
    fn new(host: &mut Host) -> Self {
        let rows = [
            (0x1000u64, 0x1000u64, DmaAccess::ReadWrite),
            (0x2000, 0x801, DmaAccess::ReadWrite),
            (0x4000, 0x1000, DmaAccess::Read),
            (0x5000, 0x1000, DmaAccess::Write),
            (u64::MAX - 0xfff, 0x1000, DmaAccess::ReadWrite),
        ];
        let map = |(iova, size, access): (u64, u64, DmaAccess)| {
            let memory = Guarded::new(size + 0x2000, 0x1000..0x1000 + size, access);
            host.function.dma_map(Iova(iova), size, access, memory.clone(), 0x1000).unwrap();
            (iova, size, memory)
        };
        Windows(rows.map(map).into())
    }

    /// An address in or near a window.
    fn address(&self, random: &mut Random) -> u64 {
        let &(iova, size, _) = &self.0[random.below(self.0.len() as u64) as usize];
        match random.below(6) {
            0 => random.next(),
            1 => iova.wrapping_sub(random.below(70)),
            2 => iova.wrapping_add(size).wrapping_sub(random.below(70)),
            3 => iova,
            _ => iova.wrapping_add(random.below(size)),
        }
    }

    /// Random bytes in all windows; some look like records.
    fn fill(&self, random: &mut Random) {
        let (_, size, memory) = &self.0[random.below(self.0.len() as u64) as usize];
        let bytes: Vec<u8> = match random.below(3) {
            0 => vec![0; *size as usize],
            1 => (0..*size).map(|_| random.next() as u8).collect(),
            _ => {
                let sizes = [1, 2, 4, 8, 16, 64, 4096];
                let record = desc::MapCreate {
                    flags: random.below(2) as u32,
                    ..map_record(
                        random.below(30) as u32,
                        random.pick(&sizes),
                        random.pick(&sizes),
                        random.below(70) as u32,
                    )
                };
                let mut bytes = record.encode().to_vec();
                bytes.resize(*size as usize, 0);
                bytes
            }
        };
        memory.set(0x1000, &bytes);
    }

    fn check(&self, seed: u64) {
        for (iova, size, memory) in &self.0 {
            assert_eq!(memory.foul(), None, "seed {seed}: {iova:#x}");
            let around = [memory.get(0, 0x1000), memory.get(0x1000 + size, 0x1000)].concat();
            assert!(around.iter().all(|&byte| byte == 0), "seed {seed}: {iova:#x}");
        }
    }
}

/// A number that somebody may not have thought of.
fn extreme(random: &mut Random, bits: u32) -> u64 {
    let top = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    match random.below(8) {
        0 => 0,
        1 => top,
        2 => top >> 1,
        3 => (top >> 1) + 1,
        4 => 1 << random.below(bits.into()),
        5 => (1u64 << random.below(bits.into())) - 1,
        6 => random.below(20),
        _ => random.next() & top,
    }
}

/// A descriptor of which some fields have extreme values.
fn twist(random: &mut Random, raw: &mut [u8; 64], fields: &[(&str, u32, u32)], windows: &Windows) {
    for &(name, at, bytes) in fields {
        let address = matches!(name, "input" | "output" | "buffer");
        if name == "phase" || !random.once_in(if address { 2 } else { 5 }) {
            continue;
        }
        let value = if address { windows.address(random) } else { extreme(random, bytes * 8) };
        raw[at as usize..(at + bytes) as usize].copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
    }
}

/// The device works: a program, a map, a packet through it.
fn works(host: &mut Host, seed: u64) {
    host.function.reset();
    host.function.set_limit(None);
    for half in [0, 1 << 63] {
        host.function.dma_unmap(Iova(half), 1 << 63).unwrap();
    }
    while host.function.depart().is_some() {}
    host.connect();
    host.open(0, 2);
    let program = host.load(&mark(7, "tx"), &[]);
    host.attach(0, program);
    assert!(host.function.arrive(0, 0, frame(1, 60)), "seed {seed}");
    host.settle();
    assert_eq!(host.departed().len(), 1, "seed {seed}");
}

/// Polls a bounded number of times; a program that sends in circles never ends.
fn poll(host: &mut Host) {
    for _ in 0..50 {
        if !host.function.poll() {
            break;
        }
    }
}

#[test]
fn commands_with_fields_at_their_extremes() {
    let random = &mut Random(1);
    let mut host = Host::new(config());
    let windows = Windows::new(&mut host);
    let mut statuses = std::collections::BTreeMap::<_, u64>::new();
    let image = image("hostile", "next=drop", &[map(offwire_image::MapKind::Hash, 4, 8, 16)]);
    let (load, mut refused) = (load_input(&image, &[]), 0);
    for round in 0..descriptors() {
        if random.once_in(20) {
            windows.fill(random);
        }
        let opcode = Opcode::ALL[random.below(Opcode::ALL.len() as u64) as usize];
        if opcode == Opcode::Reset && !random.once_in(20) {
            continue;
        }
        let sane = desc::Command {
            object: random.below(4) as u32,
            input: windows.address(random),
            output: windows.address(random),
            input_bytes: random.pick(&[0, 4, 8, 16, 24, 128, 192]),
            output_bytes: random.pick(&[0, 8, 128, 200, 4096]),
            argument: random.below(3) as u32,
            count: random.below(5) as u32,
            ..command(opcode)
        };
        // What the opcode does not use is mostly 0, so that more than the first check is met.
        let mut raw = sane.encode();
        for _ in 0..4 {
            let refusal = host.run(desc::Command::decode(&raw));
            if Status::from_code(refusal.status) != Some(Status::BadField) || random.once_in(10) {
                break;
            }
            let field = desc::Command::FIELDS.iter().find(|(_, at, _)| u64::from(*at) == refusal.argument);
            let &(_, at, bytes) = field.expect("BadField names a field");
            raw[at as usize..(at + bytes) as usize].fill(0);
        }
        twist(random, &mut raw, &desc::Command::FIELDS, &windows);
        if opcode == Opcode::ProgramLoad && random.once_in(3) {
            let mut bytes = load.clone();
            if random.once_in(2) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            raw = host.with_input(command(opcode), &bytes).encode();
        }
        let completion = host.run(desc::Command::decode(&raw));
        let status = Status::from_code(completion.status).expect("a status");
        refused += u64::from(status != Status::Ok);
        *statuses.entry(status).or_default() += 1;
        while host.next_event().is_some() {}
        if round % 512 == 0 {
            windows.check(1);
        }
    }
    windows.check(1);
    assert_eq!(host.memory.foul(), None);
    assert!(refused > descriptors() / 4 && refused < descriptors(), "{statuses:?}");
    assert!(statuses.len() >= 14, "{statuses:?}");
    assert!(!statuses.contains_key(&Status::Internal));
    works(&mut host, 1);
}

#[test]
fn packets_with_fields_at_their_extremes() {
    let random = &mut Random(2);
    let mut host = Host::new(config());
    let windows = Windows::new(&mut host);
    host.open(0, 4);
    let program = host.load(&mark(9, "pass"), &[]);
    host.attach(0, program);
    host.attach(1, program);
    host.port_set(1, 3, 0);
    let mut statuses = std::collections::BTreeMap::<_, u64>::new();
    for round in 0..descriptors() {
        if random.once_in(50) {
            windows.fill(random);
        }
        let sane = desc::Transmit {
            buffer: windows.address(random),
            bytes: 14 + random.below(200) as u32,
            port: random.below(3) as u16,
            flags: random.below(32) as u16 & !TransmitFlag::STAMPED | TransmitFlag::INJECT,
            ..desc::Transmit::default()
        };
        let mut raw = sane.encode();
        if random.once_in(2) {
            twist(random, &mut raw, &desc::Transmit::FIELDS, &windows);
        }
        host.transmit(0, desc::Transmit::decode(&raw));
        let mut side = host.receive[0];
        let posted = desc::Receive { buffer: windows.address(random), ..desc::Receive::default() };
        let bytes = if random.once_in(3) { extreme(random, 32) as u32 } else { 300 };
        host.produce(&mut side, &desc::Receive { buffer_bytes: bytes, ..posted }.encode(), true);
        if side.index.wrapping_sub(host.ring32::<offwire_hostif::reg::RingIndex>(side.id)) <= 16 {
            host.receive[0] = side;
            host.doorbell(side.id, side.index);
        }
        poll(&mut host);
        let mut back = false;
        while let Some((status, _)) = host.transmitted(0) {
            *statuses.entry(status).or_default() += 1;
            back = true;
        }
        // A packet stamped far ahead may keep others waiting; a reset ends that.
        if !back && host.transmit[0].index.wrapping_sub(host.transmit[0].returned) > 8 {
            host.function.set_limit(Some(u64::MAX));
            poll(&mut host);
        }
        while host.next_event().is_some() {}
        while host.function.depart().is_some() {}
        if round % 512 == 0 {
            windows.check(2);
        }
    }
    windows.check(2);
    assert_eq!(host.memory.foul(), None);
    assert!(statuses.len() >= 6, "{statuses:?}");
    works(&mut host, 2);
}

/// Whatever a program leaves behind, it goes somewhere and is counted: return values, redirects, metadata, events, faults.
#[test]
fn programs_that_do_anything() {
    let random = &mut Random(3);
    let mut host = Host::new(config());
    host.open(0, 4);
    for port in 0..4 {
        let flags = random.pick(&[PortFlag::UP, PortFlag::UP | PortFlag::CAPTURE]);
        host.port_set(port, flags, random.below(9));
    }
    let (mut loaded, mut refused, mut kinds) = (0, 0, std::collections::BTreeSet::new());
    for _ in 0..descriptors() / 20 {
        let count = 1 + random.below(12);
        let mut image = image("any", "", &common::maps());
        for _ in 0..count {
            let word = if random.once_in(6) { any_word(random) } else { useful_word(random, count as u16) };
            image.words.push(word.encode());
        }
        let load = host.with_input(command(Opcode::ProgramLoad), &load_input(&image, &[]));
        let completion = host.run(load);
        if completion.status != 0 {
            refused += 1;
            continue;
        }
        loaded += 1;
        let program = completion.result as u32;
        for port in 0..4 {
            host.attach(port, program);
        }
        for port in 0..4 {
            let mut bytes = frame(random.below(5) as u16, 60 + random.below(200) as usize);
            bytes[..12].fill_with(|| random.next() as u8);
            let inject = desc::Transmit { port, flags: TransmitFlag::INJECT, ..desc::Transmit::default() };
            host.send(0, &bytes, inject);
            host.settle();
        }
        while let Some(packet) = host.received(0) {
            kinds.insert(packet.descriptor.retval.min(5));
        }
        while let Some((event, _)) = host.next_event() {
            kinds.insert(100 + u32::from(event.kind));
        }
        while host.transmitted(0).is_some() {}
        for port in 0..4 {
            host.ok(desc::Command { object: port, ..command(Opcode::PortDetach) });
        }
        host.departed();
        host.ok(desc::Command { object: program, ..command(Opcode::ProgramUnload) });
    }
    let device = |host: &mut Host, name| host.counter(CounterDomain::Device, 0, name);
    let verdicts = ["aborted", "dropped", "passed", "transmitted", "redirected", "other_verdicts"];
    let departures = device(&mut host, "departures");
    assert_eq!(verdicts.map(|name| device(&mut host, name)).iter().sum::<u64>(), departures);
    assert_eq!(departures + device(&mut host, "tail_drops"), device(&mut host, "arrivals"));
    assert!(loaded > 100 && refused > 100, "{loaded} {refused}");
    assert!(kinds.len() >= 9, "{kinds:?}");
    assert_eq!((device(&mut host, "pending_frees"), host.memory.foul()), (0, None));
    works(&mut host, 3);
}

/// Random bytes in rings, doorbells, registers, configuration space and MSI-X while everything runs.
#[test]
fn anything_anywhere() {
    for seed in 0..descriptors() / 500 {
        let random = &mut Random(1000 + seed);
        let mut host = Host::new(config());
        let windows = Windows::new(&mut host);
        host.open(0, 3);
        let program = host.load(&mark(9, ["pass", "tx", "drop"][seed as usize % 3]), &[]);
        host.attach(0, program);
        for _ in 0..500 {
            match random.below(12) {
                0 => {
                    let offset = random.below(u64::from(BAR0_BYTES) / 8) * 8 + random.below(2) * 4;
                    let _ = host.function.write(Region::Bar0, offset, &(extreme(random, 32) as u32).to_le_bytes());
                }
                // A ring that is set up somewhere.
                1 => {
                    let number = random.below(RINGS.into()) as u32;
                    let block = u64::from(RING_BASE + number * 0x80);
                    let base = windows.address(random) & !(if random.once_in(4) { 0 } else { 63 });
                    let _ = host.function.write(Region::Bar0, block, &base.to_le_bytes());
                    let data = windows.address(random);
                    let _ = host.function.write(Region::Bar0, block + 8, &data.to_le_bytes());
                    let log2 = random.below_mostly(6, 5, 20) as u32;
                    let _ = host.function.write(Region::Bar0, block + 0x10, &log2.to_le_bytes());
                    let _ = host.function.write(Region::Bar0, block + 0x14, &4096u32.to_le_bytes());
                    let _ = host.function.write(Region::Bar0, block + 0x18, &0u32.to_le_bytes());
                    let _ = host.function.write(Region::Bar0, block + 0x18, &1u32.to_le_bytes());
                }
                2 => {
                    let number = random.below(u64::from(3 + 2 * QUEUE_PAIRS)) as u32;
                    let id = RingId::new(number + u32::from(number > 2)).unwrap();
                    let index = host.ring32::<offwire_hostif::reg::RingIndex>(id);
                    let value = if random.once_in(3) {
                        extreme(random, 32) as u32
                    } else {
                        index.wrapping_add(random.below(4) as u32)
                    };
                    host.doorbell(id, value);
                }
                3 => {
                    let offset = random.below(4096);
                    // Bus mastering mostly stays on, and resets are rare.
                    if !(4..8).contains(&offset) && !(0x40..0x50).contains(&offset) || random.once_in(50) {
                        let _ = host.function.write(Region::Config, offset, &[random.next() as u8]);
                    }
                }
                4 => {
                    let _ = host.function.write(Region::Bar4, random.below(4200), &[random.next() as u8; 4]);
                }
                5 => {
                    let _ = host.function.write(Region::Bar2, random.below(0x2_0010), &[random.next() as u8; 3]);
                }
                // Descriptors with the right phase of the first laps in the windows.
                6 | 7 => {
                    let (_, size, memory) = &windows.0[random.below(windows.0.len() as u64) as usize];
                    let at = random.below(*size) / 64 * 64;
                    if at + 64 <= *size {
                        let mut raw = [0; 64];
                        twist(random, &mut raw, &desc::Command::FIELDS, &windows);
                        raw[60..].copy_from_slice(&u32::from(phase(random.below(8) as u32, 2)).to_le_bytes());
                        memory.set(0x1000 + at, &raw);
                    }
                }
                8 => windows.fill(random),
                9 => drop(host.function.arrive(random.below(3) as u16, extreme(random, 48) % 1_000_000, frame(0, 60))),
                10 => drop(host.function.dma_unmap(Iova(windows.address(random)), extreme(random, 64))),
                _ => {
                    let at = random.below(64) * 64 + crate::host::BASE;
                    host.put(at, &(0..64).map(|_| random.next() as u8).collect::<Vec<_>>());
                }
            }
            host.function.poll();
            for region in Region::ALL {
                let _ = host.function.read(region, random.next() & 0xffff, &mut [0; 8]);
            }
        }
        windows.check(seed);
        assert_eq!(host.memory.foul(), None, "seed {seed}");
        works(&mut host, seed);
    }
}
