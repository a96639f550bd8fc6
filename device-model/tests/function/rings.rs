//! Rings: phases over many laps, faults, backpressure, interrupts.

use offwire_hostif::{
    CounterDomain, DmaAccess, EventKind, Iova, Opcode, PciFunction, PortFlag, Region, RingFault, RingId, Status,
    TransmitFlag, desc, reg,
};

use crate::common::Random;
use crate::host::{BASE, EVENT_DATA, Guarded, Host, RECEIVE, command, config, frame, image, mark, status};

fn nop() -> desc::Command {
    command(Opcode::Nop)
}

/// Many laps of each ring, with bursts of all sizes.
#[test]
fn indices_and_phases_go_round() {
    let mut host = Host::new(config());
    host.open(0, 3);
    host.port_set(0, PortFlag::UP | PortFlag::CAPTURE, 0);
    let random = &mut Random(3);
    let mut packets = 0;
    for _ in 0..200 {
        let commands = random.below(17);
        let tags: Vec<u32> = (0..commands).map(|_| host.submit(nop())).collect();
        for _ in 0..random.below(9) {
            host.send(0, &frame(1, 60), desc::Transmit { flags: TransmitFlag::INJECT, ..desc::Transmit::default() });
            packets += 1;
        }
        host.settle();
        let done: Vec<u32> = std::iter::from_fn(|| host.completion()).map(|done| done.tag).collect();
        assert_eq!(done, tags, "in order");
        while host.received(0).is_some() {
            packets -= 1;
        }
        while host.transmitted(0).is_some() {}
        assert_eq!(packets, 0);
    }
    assert!(host.command.index > 1000 && host.receive[0].returned > 500);
    for id in [RingId::COMMAND, RingId::COMPLETION, RingId::receive(0).unwrap(), RingId::transmit(0).unwrap()] {
        assert_eq!(host.fault(id), (RingFault::None, 0));
    }
}

#[test]
fn commands_wait_for_room_in_the_completion_ring() {
    let mut host = Host::bare(config());
    host.connect();
    host.disable(RingId::COMPLETION);
    host.completion = host.enable(RingId::COMPLETION, 1);
    for _ in 0..10 {
        host.submit(nop());
    }
    host.settle();
    assert_eq!(host.ring32::<reg::RingIndex>(RingId::COMMAND), 2);
    assert_eq!(host.ring32::<reg::RingIndex>(RingId::COMPLETION), 2);
    for tag in 1..=10 {
        assert_eq!(host.completion().map(|done| done.tag), Some(tag));
        host.settle();
    }
    // Without the ring they wait too.
    host.disable(RingId::COMPLETION);
    host.submit(nop());
    host.settle();
    assert_eq!(host.ring32::<reg::RingIndex>(RingId::COMMAND), 10);
    host.completion = host.enable(RingId::COMPLETION, 1);
    host.settle();
    assert_eq!(host.completion().map(|done| (done.tag, done.command_index)), Some((11, 11)));
}

#[test]
fn what_makes_no_sense_stops_one_ring() {
    let mut host = Host::new(config());
    let pair = RingId::transmit(3).unwrap();
    let stops = |host: &mut Host, base: u64, log2: u32, expected: (RingFault, u64)| {
        host.enable_at(pair, log2, base);
        host.settle();
        assert_eq!(host.fault(pair), expected);
        let (event, _) = host.next_event().expect("the host is told");
        assert_eq!((event.kind, event.index, event.code), (EventKind::Ring.code(), pair.number(), expected.0.code()));
        assert_eq!(event.argument, expected.1);
        host.disable(pair);
        assert_eq!(host.fault(pair), (RingFault::None, 0));
        host.ok(nop());
    };
    stops(&mut host, BASE + 32, 3, (RingFault::BadBase, BASE + 32));
    stops(&mut host, u64::MAX - 63, 3, (RingFault::BadBase, u64::MAX - 63));
    stops(&mut host, BASE, 0, (RingFault::BadSize, 0));
    stops(&mut host, BASE, 17, (RingFault::BadSize, 17));

    let ring = host.take(64 << 3);
    let doorbell = |host: &mut Host, first: &[u32], expected: (RingFault, u64)| {
        host.put(ring, &[0; 64 << 3]);
        let mut side = host.enable_at(pair, 3, ring);
        host.produce(&mut side, &desc::Transmit::default().encode(), true);
        host.produce(&mut side, &desc::Transmit::default().encode(), true);
        for &value in first {
            host.doorbell(pair, value);
            host.settle();
        }
        assert_eq!(host.fault(pair), expected, "{first:?}");
        host.disable(pair);
        while host.next_event().is_some() {}
        host.ok(nop());
    };
    doorbell(&mut host, &[2], (RingFault::None, 0));
    doorbell(&mut host, &[9], (RingFault::BadDoorbell, 9));
    doorbell(&mut host, &[2, 1], (RingFault::BadDoorbell, 1));
    doorbell(&mut host, &[u32::MAX], (RingFault::BadDoorbell, u32::MAX.into()));
    doorbell(&mut host, &[3], (RingFault::BadPhase, 2));
    // Reserved bits of a phase word.
    host.put(ring, &[0; 64 << 3]);
    let mut side = host.enable_at(pair, 3, ring);
    host.produce(&mut side, &desc::Transmit::default().encode(), true);
    host.put(ring + 60, &5u32.to_le_bytes());
    host.doorbell(pair, 1);
    host.settle();
    assert_eq!(host.fault(pair), (RingFault::BadPhase, 0));
    host.disable(pair);

    host.enable_at(pair, 3, 0x1000);
    host.doorbell(pair, 1);
    host.settle();
    assert_eq!(host.fault(pair), (RingFault::DmaFault, 0x103c));
    assert_eq!(host.counter(CounterDomain::Ring, pair.number(), "stops"), 10);

    // Consumers that go too far, or back; the device looks when it needs room.
    for by in [33, u32::MAX / 2] {
        let value = host.completion.index.wrapping_add(by);
        host.doorbell(RingId::COMPLETION, value);
        for _ in 0..32 {
            host.submit(nop());
            host.settle();
        }
        assert_eq!(host.fault(RingId::COMPLETION), (RingFault::BadDoorbell, value.into()));
        for id in [RingId::COMMAND, RingId::COMPLETION] {
            host.disable(id);
        }
        host.completion = host.enable(RingId::COMPLETION, 5);
        host.command = host.enable(RingId::COMMAND, 4);
        host.ok(nop());
        host.ok(nop());
    }
}

/// A completion ring whose memory goes away stops; commands wait until there is another one.
#[test]
fn completions_without_memory_stop_their_ring() {
    let mut host = Host::new(config());
    let small = Guarded::new(8192, 4096..4096 + 128, DmaAccess::ReadWrite);
    host.function.dma_map(Iova(0x1000), 128, DmaAccess::ReadWrite, small.clone(), 4096).unwrap();
    host.disable(RingId::COMPLETION);
    // Four entries, two of them in memory.
    host.enable_at(RingId::COMPLETION, 2, 0x1000);
    for _ in 0..3 {
        host.submit(nop());
    }
    host.settle();
    assert_eq!(host.fault(RingId::COMPLETION), (RingFault::DmaFault, 0x1080));
    assert_eq!((small.foul(), small.get(4096 + 128, 64)), (None, vec![0; 64]));
    host.submit(nop());
    host.settle();
    assert_eq!(host.ring32::<reg::RingIndex>(RingId::COMMAND), 3, "the third was done, its completion is lost");
    host.disable(RingId::COMPLETION);
    host.completion = host.enable(RingId::COMPLETION, 2);
    host.settle();
    assert_eq!(host.completion().map(|done| done.tag), Some(4));
}

/// Nobody reads events: they are lost and counted, and nothing else waits.
#[test]
fn lost_events_are_counted() {
    let mut host = Host::new(config());
    host.port_set(0, 0, 0);
    for _ in 0..100 {
        host.function.arrive(0, 0, frame(0, 60));
    }
    host.ok(nop());
    assert_eq!(host.ring32::<reg::RingLost>(RingId::EVENT), 36);
    let first: Vec<u32> = (0..64).map(|_| host.next_event().unwrap().0.lost).collect();
    assert_eq!(first, [0; 64]);
    assert!(host.next_event().is_none());
    host.function.arrive(0, 0, frame(0, 60));
    host.function.arrive(0, 0, frame(0, 60));
    let lost: Vec<u32> = std::iter::from_fn(|| host.next_event()).map(|(event, _)| event.lost).collect();
    assert_eq!(lost, [36, 0]);
    assert_eq!(host.counter(CounterDomain::Device, 0, "events_lost"), 36);
    assert_eq!(host.counter(CounterDomain::Device, 0, "events"), 102);
}

/// Data of events never overlaps what the host has not consumed, and never wraps.
#[test]
fn event_data_goes_round() {
    let text = "
        ld pkt[0+0] x0=2@0; r2=x0; next=@1
        ra=r2; rc=0; q.ring.output map=0 key=pkt[0+0] val=ra dst=r2; next=drop
    ";
    let ring = crate::common::map(offwire_image::MapKind::Ringbuf, 0, 0, 1 << 20);
    let mut host = Host::new(config());
    let program = host.load(&image("out", text, &[ring]), &[]);
    host.attach(0, program);
    let random = &mut Random(11);
    let (mut sent, mut got, mut lost) = (std::collections::VecDeque::new(), 0, 0u32);
    for turn in 0..3000u32 {
        let size = 60 + random.below_mostly(500, 4, 3400) as usize;
        let mut bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        bytes[..2].copy_from_slice(&(size as u16).to_le_bytes());
        assert!(host.function.arrive(0, 0, bytes.clone()));
        host.settle();
        sent.push_back(bytes);
        // Slower than they come, in bursts.
        if turn % 40 == 39 || random.once_in(6) {
            for _ in 0..random.below(12) {
                let Some((event, data)) = host.next_event() else { break };
                assert!(event.offset % 8 == 0 && event.offset + event.bytes <= EVENT_DATA);
                for _ in 0..event.lost {
                    sent.pop_front();
                }
                lost += event.lost;
                assert_eq!(Some(data), sent.pop_front(), "{turn}");
                got += 1;
            }
        }
    }
    assert!(got > 500 && lost > 100, "{got} {lost}");
}

#[test]
fn interrupts_come_when_they_are_asked_for() {
    let mut host = Host::new(config());
    let each = host.interrupt(RingId::COMPLETION, 4, 0, 0);
    for _ in 0..3 {
        host.submit(nop());
    }
    host.settle();
    assert_eq!(each.take(), 3);
    // After so many, and the rest when there is nothing left to do.
    let some = host.interrupt(RingId::COMPLETION, 5, 4, 0);
    for _ in 0..10 {
        host.submit(nop());
    }
    assert!(host.function.poll());
    assert_eq!(some.take(), 2);
    host.settle();
    assert_eq!((some.take(), each.take()), (1, 0));
    while host.completion().is_some() {}
    // Masked by the host: pending, and told later.
    host.function.write(Region::Bar4, 5 * 16 + 12, &[1, 0, 0, 0]).unwrap();
    host.ok(nop());
    let mut pending = [0; 8];
    host.function.read(Region::Bar4, 0x800, &mut pending).unwrap();
    assert_eq!((some.take(), pending), (0, [1 << 5, 0, 0, 0, 0, 0, 0, 0]));
    host.function.write(Region::Bar4, 5 * 16 + 12, &[0, 0, 0, 0]).unwrap();
    assert_eq!(some.take(), 1);
    host.write32(RingId::COMPLETION.register::<reg::RingVector>(), 0xffff);
    host.ok(nop());
    assert_eq!(some.take(), 0);
    // A ring that stops is told too.
    let transmit = RingId::transmit(0).unwrap();
    let stopped = host.interrupt(transmit, 7, 100, 100);
    host.enable_at(transmit, 0, 0);
    host.settle();
    assert_eq!(stopped.take(), 1);
}

/// With a delay the host is told when it is over, though the device goes on.
#[test]
fn moderation_has_a_delay() {
    let mut host = Host::new(config());
    host.open(0, 8);
    let told = host.interrupt(RingId::receive(0).unwrap(), 9, 0xffff, 2);
    // A packet a microsecond (200 cycles and more), for 100 of them; the limit keeps the device from being done.
    let mhz = u64::from(offwire_isa::SMALL.clock_mhz);
    for n in 0..100 {
        assert!(host.function.arrive(0, n * mhz, frame(0, 60)));
    }
    let mut count = 0;
    for limit in 1..=100 {
        host.function.set_limit(Some(limit * mhz));
        host.function.poll();
        count += told.take();
    }
    assert!((25..=60).contains(&count), "{count}");
}

/// When the write that disables a ring is done, the device does not touch its memory any more.
#[test]
fn disabled_rings_are_left_alone() {
    let mut host = Host::new(config());
    let window = 4096..4096 + (64 << 4);
    let own = Guarded::new(16384, window.clone(), DmaAccess::ReadWrite);
    host.function.dma_map(Iova(0x10_0000), 64 << 4, DmaAccess::ReadWrite, own.clone(), 4096).unwrap();
    let id = RingId::receive(0).unwrap();
    let mut side = host.enable_at(id, 4, 0x10_0000);
    let buffer = host.take(RECEIVE.into());
    for index in 0..16u64 {
        let posted = desc::Receive { buffer, buffer_bytes: RECEIVE, ..desc::Receive::default() }.encode();
        own.set(4096 + index * 64, &posted[..60]);
        own.set(4096 + index * 64 + 60, &1u32.to_le_bytes());
        side.index += 1;
    }
    host.doorbell(id, side.index);
    assert!(host.function.arrive(0, 0, frame(0, 60)));
    host.settle();
    assert_eq!(own.get(4096 + 60, 4), [3, 0, 0, 0]);
    assert!(host.function.arrive(0, 0, frame(0, 60)));
    host.disable(id);
    let before = own.get(0, 16384);
    host.settle();
    assert_eq!((own.get(0, 16384) == before, own.foul()), (true, None));
    assert_eq!(host.function.dma_unmap(Iova(0x10_0000), 64 << 4), Ok(64 << 4));
    host.function.arrive(0, 0, frame(0, 60));
    host.settle();
    assert_eq!((own.get(0, 16384) == before, own.foul()), (true, None));
}

/// What the device may only read it does not write, and the other way round.
#[test]
fn directions_are_kept() {
    let mut host = Host::new(config());
    let input = Guarded::new(4096, 0..4096, DmaAccess::Read);
    let output = Guarded::new(4096, 0..4096, DmaAccess::Write);
    host.function.dma_map(Iova(0x1000), 4096, DmaAccess::Read, input.clone(), 0).unwrap();
    host.function.dma_map(Iova(0x2000), 4096, DmaAccess::Write, output.clone(), 0).unwrap();
    let map = host.create(crate::host::map_record(2, 4, 8, 1), &[1, 2, 3]);
    let lookup = |input, output| desc::Command {
        object: map,
        input,
        input_bytes: 4,
        output,
        output_bytes: 8,
        ..command(Opcode::MapLookup)
    };
    host.ok(lookup(0x1000, 0x2ff8));
    assert_eq!(output.get(4088, 8), [1, 2, 3, 0, 0, 0, 0, 0]);
    assert_eq!(host.fails(lookup(0x2000, 0x2000)), (Status::DmaFault, 0x2000));
    assert_eq!(host.fails(lookup(0x1000, 0x1000)), (Status::DmaFault, 0x1000));
    assert_eq!(host.fails(lookup(0x1ffe, 0x2000)), (Status::DmaFault, 0x2000));
    assert_eq!(host.fails(lookup(0x1000, 0x2ffc)), (Status::DmaFault, 0x3000));
    assert_eq!((input.foul(), output.foul()), (None, None), "the table is asked, not the memory");
    host.master(false);
    host.submit(nop());
    host.settle();
    assert_eq!(host.fault(RingId::COMMAND).0, RingFault::DmaFault);
}

/// Moderation and quiet: Quiesce ends when what came before it has left, though more comes.
#[test]
fn quiesce_waits_for_what_was_there() {
    let mut host = Host::new(config());
    let program = host.load(&mark(1, "drop"), &[]);
    host.attach(0, program);
    for n in 0..50 {
        assert!(host.function.arrive(0, n * 10, frame(n as u16, 60)));
    }
    host.function.set_limit(Some(100));
    host.settle();
    let info = desc::Command { object: program, ..command(Opcode::ProgramInfo) };
    let inside = |host: &mut Host| desc::ProgramInfo::decode(host.read(info).first_chunk().unwrap()).in_flight;
    assert!((1..=10).contains(&inside(&mut host)));
    host.submit(command(Opcode::Quiesce));
    host.submit(nop());
    host.settle();
    assert!(host.completion().is_none(), "packets are on their way");
    assert!(!reg::State(host.read32(offwire_hostif::BarOffset(0x3c))).quiet());
    host.function.set_limit(None);
    host.settle();
    let done = [host.completion().unwrap(), host.completion().unwrap()];
    assert_eq!(done.map(|done| (status(&done).0, done.opcode)), [(Status::Ok, 0x60), (Status::Ok, 0)]);
    assert_eq!(host.counter(CounterDomain::Program, program, "dropped"), 50);
    assert_eq!(inside(&mut host), 0);
    assert!(reg::State(host.read32(offwire_hostif::BarOffset(0x3c))).quiet());
    // Under traffic that never ends.
    host.submit(command(Opcode::Quiesce));
    let mut waited = 0;
    for n in 0..200_000u64 {
        let now = host.function.now();
        host.function.arrive(0, now + 50, frame(n as u16, 60));
        host.function.set_limit(Some(now + 20));
        host.function.poll();
        if let Some(done) = host.completion() {
            assert_eq!(done.opcode, Opcode::Quiesce.code());
            waited = n;
            break;
        }
    }
    assert!(waited > 10 && host.function.in_flight());
}
