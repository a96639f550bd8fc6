//! Registers, resets, drivers that come and go.

use offwire_hostif::{
    BarOffset, CounterDomain, DmaAccess, Iova, Opcode, PciFunction, PortFlag, QUEUE_PAIRS, Region, RingFault, RingId,
    TransmitFlag, VECTORS, desc, reg,
};
use offwire_isa::{ISA_VERSION, SMALL};

use crate::common::Random;
use crate::host::{BASE, Guarded, Host, command, config, frame, mark};

const RESET: BarOffset = BarOffset(0x50);
const RESET_COUNT: BarOffset = BarOffset(0x38);
const CYCLE: BarOffset = BarOffset(0x40);

#[test]
fn registers_tell_the_device() {
    let mut host = Host::new(config());
    let words = [0x00, 0x04, 0x08, 0x0c, 0x18, 0x1c, 0x20, 0x24].map(|at| host.read32(BarOffset(at)));
    let geometry = 64 | QUEUE_PAIRS << 8 | VECTORS << 16;
    let (vcpus, store) = (SMALL.vcpus, SMALL.instruction_store_words);
    assert_eq!(
        words,
        [0x5257_464f, 1 << 16, ISA_VERSION, geometry, SMALL.clock_mhz, vcpus, store, SMALL.map_memory_bytes]
    );
    assert_eq!(host.read64(BarOffset(0x10)), SMALL.hash);
    assert_eq!((host.read32(BarOffset(0x28)), host.read32(BarOffset(0x2c))), (64 | 1024 << 16, 5 << 8));
    assert_eq!((host.read64(BarOffset(0x30)), host.read32(RESET_COUNT)), (1, 0));
    assert_eq!(host.read32(BarOffset(0x3c)), 0b101);
    host.function.set_limit(Some(124));
    host.function.arrive(0, 123, frame(0, 60));
    host.settle();
    assert_eq!((host.read64(CYCLE), host.read64(BarOffset(0x58))), (124, 1));
    assert_eq!(host.read64(BarOffset(0x48)), 124 * 1000 / u64::from(SMALL.clock_mhz));
    assert_eq!(host.read32(BarOffset(0x3c)) & 4, 0, "a packet is in flight");
    // Nothing, write-only, ring 3: 0. Read-only registers stay.
    for at in [0x50, 0x54, 0x60, 0xff8, 0x1180, 0x11a4, 0x2200, 0x3ffc] {
        assert_eq!(host.read32(BarOffset(at)), 0, "{at:#x}");
    }
    for at in (0..0x4000).step_by(4).filter(|&at| at != RESET.0) {
        let before = host.read32(BarOffset(at));
        if at < 0x1000 {
            host.write32(BarOffset(at), 0xffff_ffff);
            assert_eq!(host.read32(BarOffset(at)), before, "{at:#x}");
        }
    }
    for (offset, bytes) in [(2, 4), (4, 8), (0, 2), (0, 1), (0, 16), (0x4000, 4), (u64::MAX - 3, 4)] {
        assert!(host.function.read(Region::Bar0, offset, &mut vec![0; bytes]).is_err(), "{offset} {bytes}");
        assert!(host.function.write(Region::Bar0, offset, &vec![0xff; bytes]).is_err(), "{offset} {bytes}");
    }
    // Only the word resets.
    host.write32(RESET, 0x5445_5353);
    assert_eq!(host.read32(RESET_COUNT), 0);
    assert!(host.function.region_memory(Region::Bar2).is_some_and(|memory| memory.size() == 0x2_0000));
    assert!(host.function.region_memory(Region::Bar0).is_none());
}

/// All that a driver can see is as after power on, the reset count apart.
#[test]
fn a_reset_is_a_power_on() {
    let read = |host: &mut Host, regions: [Region; 2]| -> Vec<u8> {
        let mut all = Vec::new();
        for region in regions {
            for offset in (0..host.function.region_size(region)).step_by(4) {
                let mut word = [0; 4];
                host.function.read(region, offset, &mut word).unwrap();
                if region != Region::Bar0 || offset != u64::from(RESET_COUNT.0) {
                    all.extend(word);
                }
            }
        }
        all
    };
    let (function, bus) = ([Region::Bar0, Region::Bar2], [Region::Bar4, Region::Config]);
    let mut bare = Host::bare(config());
    let (fresh, fresh_bus) = (read(&mut bare, function), read(&mut bare, bus));
    for how in 0..3u32 {
        let mut host = Host::new(config());
        host.open(0, 4);
        let program = host.load(&mark(1, "pass"), &[]);
        host.attach(0, program);
        host.port_set(1, 0, 9);
        host.create(crate::host::map_record(1, 4, 4, 4), &[]);
        for n in 0..30 {
            host.function.arrive(0, n, frame(0, 60));
        }
        host.function.poll();
        for offset in (0..4096).step_by(4).filter(|&offset| offset != 0x48) {
            host.function.write(Region::Config, offset, &[0xff; 4]).unwrap();
            host.function.write(Region::Bar4, offset, &[0xff; 4]).unwrap();
        }
        let set_up = read(&mut host, bus);
        assert!(set_up != fresh_bus);
        match how {
            0 => host.write32(RESET, 0x5445_5352),
            1 => host.function.write(Region::Config, 0x48, &[0, 0x80]).unwrap(),
            _ => host.function.reset(),
        }
        assert_eq!(read(&mut host, function), fresh, "{how}");
        // A register does not take from the bus what only the bus can set up again.
        assert_eq!(read(&mut host, bus), if how == 0 { set_up } else { fresh_bus.clone() }, "{how}");
        assert_eq!(host.read32(RESET_COUNT), 1);
        // The mapping belongs to the bus and is still there; the first ids are free again.
        host.settle();
        assert_eq!((host.function.now(), host.departed().len(), host.function.resets()), (0, 0, 1));
        host.function.dma_unmap(Iova(BASE), u64::MAX - BASE).unwrap();
        host.connect();
        assert_eq!(host.load(&mark(1, "pass"), &[]), 0);
        assert_eq!(host.create(crate::host::map_record(1, 4, 4, 4), &[]), 0);
        assert_eq!(host.counter(CounterDomain::Device, 0, "arrivals"), 0);
    }
}

#[test]
fn the_reset_command_leaves_the_rings() {
    let mut host = Host::new(config());
    host.open(0, 4);
    host.load(&mark(1, "pass"), &[]);
    host.port_set(1, 0, 9);
    for n in 0..30 {
        host.function.arrive(0, n * 1000, frame(0, 60));
    }
    host.ok(command(Opcode::Reset));
    assert_eq!((host.read32(RESET_COUNT), host.function.in_flight()), (1, false));
    assert_eq!(host.load(&mark(1, "pass"), &[]), 0);
    host.function.arrive(1, 0, frame(0, 60));
    host.settle();
    let packet = host.received(0).expect("the ring is there, and the port up");
    assert_eq!((packet.descriptor.seq, packet.descriptor.port), (0, 1));
}

/// The next driver finds programs, maps and attachments, and nothing of the rings.
#[test]
fn drivers_come_and_go() {
    let mut host = Host::new(config());
    host.open(0, 4);
    let told = host.interrupt(RingId::receive(0).unwrap(), 3, 0, 0);
    let program = host.load(&mark(7, "pass"), &[]);
    host.attach(0, program);
    let map = host.create(crate::host::map_record(1, 4, 8, 4), &[]);
    host.update(map, &[1; 4], &[2; 8]);
    for n in 0..10 {
        host.function.arrive(0, n * 100, frame(0, 60));
    }
    host.function.set_limit(Some(450));
    host.settle();
    let got = told.take();
    host.function.disconnect();
    let before = host.memory.get(0, 1 << 20);
    host.function.set_limit(None);
    host.settle();
    assert_eq!((told.take(), std::sync::Arc::strong_count(&told)), (0, 1), "the target is gone");
    assert!(got > 0 && host.memory.get(0, 1 << 20) == before);
    for number in 0..36 {
        let Some(id) = RingId::new(number) else { continue };
        assert_eq!((host.fault(id), host.ring32::<reg::RingControl>(id)), ((RingFault::None, 0), 0));
    }
    host.connect();
    host.open(0, 4);
    assert_eq!(host.read32(RESET_COUNT), 0);
    let next = |opcode| desc::Command { object: u32::MAX, ..command(opcode) };
    assert_eq!(host.ok(next(Opcode::ProgramNext)).result, u64::from(program));
    assert_eq!(host.ok(next(Opcode::MapNext)).result, u64::from(map));
    assert_eq!(host.lookup(map, &[1; 4]), [2; 8]);
    host.function.arrive(0, 0, frame(0, 60));
    host.settle();
    assert_eq!(host.received(0).map(|packet| (packet.bytes[0], packet.descriptor.seq)), Some((7, 10)));
    assert_eq!(host.counter(CounterDomain::Program, program, "packets"), 11);
}

/// A reset at any moment of a busy life: the device is as new and works.
#[test]
fn resets_come_at_any_moment() {
    let random = &mut Random(99);
    let mut host = Host::new(config());
    for round in 0..100 {
        host.open(0, 5);
        let end = ["pass", "tx", "drop"][random.below(3) as usize];
        let program = host.load(&mark(3, end), &[]);
        assert_eq!(program, 0, "round {round}");
        host.attach(0, program);
        host.port_set(1, PortFlag::UP | PortFlag::LOOPBACK, 0);
        let map = host.create(crate::host::map_record(1, 4, 8, 4000), &[]);
        let entries: Vec<u8> =
            (0..4000u32).flat_map(|key| [key.to_le_bytes(), [0; 4], [1; 4], [2; 4]].concat()).collect();
        for step in 0..random.below(60) {
            match random.below(6) {
                0 => {
                    let update = desc::Command { object: map, count: 4000, ..command(Opcode::MapUpdateBatch) };
                    let update = host.with_input(update, &entries);
                    host.submit(update);
                }
                1 => drop(host.submit(command(Opcode::Quiesce))),
                2 => host.send(0, &frame(step as u16, 70), desc::Transmit { port: 1, ..desc::Transmit::default() }),
                3 => host.send(
                    0,
                    &frame(step as u16, 70),
                    desc::Transmit { flags: TransmitFlag::INJECT, ..desc::Transmit::default() },
                ),
                _ => drop(host.function.arrive(0, 0, frame(step as u16, 60))),
            }
            host.function.poll();
            while host.completion().is_some() {}
            while host.received(0).is_some() {}
            while host.next_event().is_some() {}
            while host.transmitted(0).is_some() {}
            if host.command.index.wrapping_sub(host.ring32::<reg::RingIndex>(RingId::COMMAND)) > 8 {
                break;
            }
        }
        host.function.reset();
        let before = host.memory.get(0, 1 << 20);
        host.settle();
        assert!(host.memory.get(0, 1 << 20) == before, "round {round}: memory was written after the reset");
        host.function.dma_unmap(Iova(BASE), u64::MAX - BASE).unwrap();
        host.connect();
    }
    assert_eq!((host.function.resets(), host.memory.foul()), (100, None));
}

/// Memory goes away while packets are written to it: they are lost, and nothing is touched any more.
#[test]
fn memory_goes_away_under_traffic() {
    let mut host = Host::new(config());
    let pages: Vec<_> = (0..16).map(|_| Guarded::new(3 << 12, 1 << 12..2 << 12, DmaAccess::Write)).collect();
    let iova = |page: usize| Iova(0x100_0000 + ((page as u64) << 12));
    for (page, memory) in pages.iter().enumerate() {
        host.function.dma_map(iova(page), 1 << 12, DmaAccess::Write, memory.clone(), 1 << 12).unwrap();
    }
    let receive = RingId::receive(0).unwrap();
    let mut side = host.enable(receive, 6);
    let random = &mut Random(5);
    let mut gone = [false; 16];
    let (mut ok, mut faults) = (0, 0);
    for _ in 0..40 {
        // Buffers that lie over page borders too.
        let mut buffers = Vec::new();
        for _ in 0..random.below(30) + 1 {
            let buffer = 0x100_0000 + random.below((16 << 12) - 2000);
            let posted = desc::Receive { buffer, buffer_bytes: 2000, ..desc::Receive::default() };
            host.produce(&mut side, &posted.encode(), true);
            buffers.push(buffer);
        }
        host.doorbell(receive, side.index);
        let first = side.index.wrapping_sub(buffers.len() as u32);
        for n in 0..buffers.len() as u16 {
            assert!(host.function.arrive(0, 0, frame(n, 1500)));
        }
        let page = random.below(16) as usize;
        let unmapped = host.function.dma_unmap(iova(page), 1 << 12).unwrap();
        assert_eq!(unmapped, if gone[page] { 0 } else { 1 << 12 });
        gone[page] = true;
        let before = pages[page].get(0, 3 << 12);
        host.settle();
        assert!(pages[page].get(0, 3 << 12) == before);
        for (by, buffer) in (0..).zip(buffers) {
            let status = desc::Receive::decode(&host.peek(&side, first.wrapping_add(by)).unwrap()).status;
            let (from, to) = ((buffer >> 12) as usize & 15, ((buffer + 1499) >> 12) as usize & 15);
            assert_eq!(status != 0, gone[from] || gone[to]);
            if status == 0 { ok += 1 } else { faults += 1 }
        }
        if gone.iter().filter(|&&gone| gone).count() > 8 {
            let back = random.below(16) as usize;
            if std::mem::take(&mut gone[back]) {
                host.function.dma_map(iova(back), 1 << 12, DmaAccess::Write, pages[back].clone(), 1 << 12).unwrap();
            }
        }
    }
    assert!(ok > 50 && faults > 50, "{ok} {faults}");
    assert!(pages.iter().all(|memory| memory.foul().is_none()));
}
