//! Packets: into the device, out of it, and what is told of them.

use device_model::host::{Departed, HostConfig};
use device_model::{Arrival, Device, Redirect};
use offwire_hostif::{
    CounterDomain, DropReason, EventKind, Opcode, PciFunction, PortFlag, ReceiveStatus, RedirectKind, RingFault,
    RingId, TimeMode, TransmitFlag, TransmitStatus, desc,
};
use offwire_image::{Image, MapKind, MapSpec};
use offwire_isa::SMALL;

use crate::common::{Random, map};
use crate::host::{Host, command, config, frame, image, mark};

const CAPTURE: u16 = PortFlag::UP | PortFlag::CAPTURE;
const INJECT: u16 = TransmitFlag::INJECT;

fn inject(port: u16) -> desc::Transmit {
    desc::Transmit { port, flags: INJECT, ..desc::Transmit::default() }
}

/// Counts packets in an array and remembers the last byte of each flow in a hash; XDP_TX, or a redirect for odd first bytes.
const BUSY: &str = "
    ld pkt[0+0] x0=1@0; st stack[0+4] s0=x0:4@0; r5=x0; q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
    ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@2
    i0=4; q.update.any map=1 key=pkt[0+28] val=pkt:i0 dst=r3; next=@3
    ra=r5; a1=and.32 ra,i0; i0=1; r6=a1; next=@4
    ra=r6; c1=ne.32 ra,0; t1=@5 next=tx
    i0=3; q.redirect val=i0 dst=r4; next=redirect
";

fn busy() -> Image {
    let maps = [map(MapKind::Array, 4, 16, 1), map(MapKind::Hash, 2, 8, 100)];
    image("busy", BUSY, &maps)
}

/// What a driver that runs packets one at a time sees is what the device alone does: bytes, verdicts, cycles, maps.
#[test]
fn packets_alone_are_those_of_the_device() {
    let mut device = Device::new(&SMALL);
    device.load(&busy(), None).unwrap();
    device.set_chance(1, 2, 3);
    let mut host = Host::new(config());
    let program = host.load(&busy(), &[]);
    let chance = desc::Chance { ktime_ns: 1, jiffies: 2, random_state: 3 }.encode();
    let chance = host.with_input(command(Opcode::ChanceSet), &chance);
    host.ok(chance);
    for port in 0..4 {
        host.attach(port, program);
        host.port_set(port, CAPTURE, 0);
    }
    host.open(0, 3);
    let random = &mut Random(1);
    for n in 0..300u64 {
        let mut bytes = frame(random.below(20) as u16, 60 + random.below(1000) as usize);
        bytes[0] = random.next() as u8;
        let (port, queue) = (random.below(4) as u16, random.below(9) as u32);
        let arrival =
            Arrival { cycle: 0, port, ingress_ifindex: 40, rx_queue: queue, bytes: bytes.clone(), vcpu: Some(0) };
        let expected = device.run_one(arrival).unwrap();
        let flags = INJECT | TransmitFlag::VCPU | TransmitFlag::ALONE | TransmitFlag::QUEUE;
        let sent = desc::Transmit { flags, rx_queue: queue, ingress_ifindex: 40, ..inject(port) };
        assert_eq!(host.inject(0, &bytes, sent), (TransmitStatus::Ok, n));
        let packet = host.received(0).expect("it is captured");
        let (got, report) = (packet.descriptor, packet.report.unwrap());
        assert_eq!((got.status, got.port, got.retval, got.seq), (0, port, expected.retval, n));
        assert_eq!((got.cycle, u32::from(got.program)), (expected.departed, program));
        assert_eq!((&packet.bytes, &packet.meta), (&expected.bytes, &expected.meta));
        assert_eq!((report.arrival, report.words, report.slots), (expected.arrival, expected.words, expected.slots));
        let after = |cycle: u64| (cycle - expected.arrival) as u32;
        assert_eq!(report.dispatched, after(expected.dispatched));
        assert_eq!((report.exited, report.departed), (after(expected.exited), after(expected.departed)));
        let (kind, target) = match expected.redirect {
            Some(Redirect::Interface { ifindex, .. }) => (RedirectKind::Interface, ifindex),
            _ => (RedirectKind::None, 0),
        };
        assert_eq!((report.redirect, report.redirect_target, report.fault), (kind.code(), target, 0xffff));
        assert_eq!(host.function.now(), device.now());
    }
    assert_eq!(host.departed(), [], "what is captured goes nowhere else");
    for (id, entries) in [(0u16, 1), (1, 20)] {
        let all = device.map_entries(device_model::MapId(id)).unwrap();
        assert_eq!(all.len(), entries);
        for (key, values) in all {
            assert_eq!(host.lookup(id.into(), &key), values[0]);
        }
    }
    assert_eq!(host.next_event().map(|(event, _)| event.kind), None);
    assert_eq!(host.memory.foul(), None);
}

/// Stamped packets overlap as they do in the device alone, whatever the burst in which the host hands them over.
#[test]
fn stamped_packets_are_those_of_the_device() {
    // The last one is more than the device looks at in a poll.
    for burst in [1, 7, 60, 600] {
        let mut device = Device::new(&SMALL);
        device.load(&busy(), None).unwrap();
        let mut host = Host::new(config());
        let program = host.load(&busy(), &[]);
        host.attach(0, program);
        host.port_set(0, CAPTURE, 0);
        host.open(0, 10);
        let frames = host.take(1024 * 64);
        let random = &mut Random(7);
        let (mut cycle, mut got) = (0, Vec::new());
        for n in 0..600u64 {
            let mut bytes = frame(random.below(20) as u16, 60);
            bytes[0] = random.next() as u8;
            cycle += random.below(30);
            device.offer(Arrival { cycle, ingress_ifindex: 1, bytes: bytes.clone(), ..Arrival::default() }).unwrap();
            let at = frames + n * 64;
            host.put(at, &bytes);
            let flags = INJECT | TransmitFlag::STAMPED;
            host.transmit(0, desc::Transmit { buffer: at, bytes: 60, cycle, flags, ..inject(0) });
            if n % burst == burst - 1 {
                // Time goes to the last arrival at least; what the host sends later must not come too late.
                host.function.set_limit((burst < 600).then_some(cycle));
                host.settle();
                got.extend(std::iter::from_fn(|| host.received(0)));
            }
        }
        host.function.set_limit(None);
        host.settle();
        got.extend(std::iter::from_fn(|| host.received(0)));
        let sent: Vec<_> = std::iter::from_fn(|| host.transmitted(0)).collect();
        assert!(sent.iter().all(|&(status, _)| status == TransmitStatus::Ok), "{burst}");
        device.run_until_idle();
        let expected: Vec<_> = device.departures().collect();
        assert_eq!(got.len(), expected.len(), "{burst}");
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!((got.descriptor.seq, got.descriptor.cycle), (expected.seq, expected.departed), "{burst}");
            assert_eq!(got.bytes, expected.bytes);
        }
    }
}

/// A packet that runs for many polls has the device alone, whatever waits behind it.
#[test]
fn alone_is_alone() {
    let mut host = Host::new(config());
    host.open(0, 4);
    let lookup = "q.lookup map=0 key=stack[0+0] dst=r2; next=@0";
    let forever = image("forever", lookup, &[map(MapKind::Array, 4, 16, 1)]);
    let program = host.load(&Image { budget_cycles: SMALL.packet_cycles_max, ..forever }, &[]);
    host.attach(0, program);
    host.port_set(0, CAPTURE, 0);
    for n in 0..12 {
        let flags = if n % 4 == 3 { INJECT } else { INJECT | TransmitFlag::ALONE };
        host.send(0, &frame(n, 60), desc::Transmit { flags, ..inject(0) });
    }
    assert!(host.function.poll() && host.function.poll() && host.received(0).is_none(), "it takes more polls");
    host.settle();
    let packets: Vec<_> = std::iter::from_fn(|| host.received(0)).collect();
    assert_eq!(packets.len(), 12);
    let mut free = 0;
    for packet in packets {
        let report = packet.report.unwrap();
        assert!(report.fault != 0xffff && report.departed > 9000, "the budget ends it");
        assert!(report.arrival >= free, "{} before {free}", report.arrival);
        if packet.descriptor.seq % 4 != 3 {
            free = packet.descriptor.cycle;
        }
    }
}

/// The wire's packets go where the verdict says.
#[test]
fn verdicts_are_followed() {
    let mut host = Host::new(config());
    host.open(0, 4);
    let ends = ["aborted", "drop", "pass", "tx"];
    for (port, end) in (0..).zip(ends) {
        let program = host.load(&mark(port as u8 + 1, end), &[]);
        host.attach(port, program);
    }
    let to_port = |ifindex: u32| image("to", &format!("i0={ifindex}; q.redirect val=i0 dst=r3; next=redirect"), &[]);
    let (to_seven, to_nowhere) = (host.load(&to_port(7), &[]), host.load(&to_port(1000), &[]));
    host.attach(4, to_seven);
    host.attach(5, to_nowhere);
    for port in 0..8 {
        assert!(host.function.arrive(port, 100 * u64::from(port), frame(port, 60)), "{port}");
    }
    host.settle();
    let departed: Vec<(u16, u8)> = host.departed().into_iter().map(|out| (out.port, out.bytes[0])).collect();
    assert_eq!(departed, [(3, 4), (6, 0)]);
    let received: Vec<_> = std::iter::from_fn(|| host.received(0)).collect();
    let ports: Vec<_> = received
        .iter()
        .map(|packet| (packet.descriptor.port, packet.descriptor.program, packet.descriptor.retval, packet.bytes[0]))
        .collect();
    assert_eq!(ports, [(2, 2, 2, 3), (6, 0xffff, 2, 0), (7, 0xffff, 2, 0)], "no program: to the host as it is");
    assert!(received.iter().all(|packet| packet.report.is_none()));
    let (event, _) = host.next_event().unwrap();
    assert_eq!((event.kind, event.code, event.port), (EventKind::Drop.code(), DropReason::Redirect.code(), 5));
    assert!(host.next_event().is_none(), "a verdict is no loss");
    let port = |host: &mut Host, port, name| host.counter(CounterDomain::Port, port, name);
    let verdicts = ["aborted", "dropped", "passed", "transmitted", "redirected", "redirected", "passed", "passed"];
    for (number, verdict) in (0..).zip(verdicts) {
        assert_eq!(port(&mut host, number, verdict), 1, "{number}");
        assert_eq!((port(&mut host, number, "rx_packets"), port(&mut host, number, "rx_bytes")), (1, 60));
    }
    assert_eq!((port(&mut host, 3, "tx_packets"), port(&mut host, 6, "tx_bytes")), (1, 60));
    let device = |host: &mut Host, name| host.counter(CounterDomain::Device, 0, name);
    assert_eq!(
        ["arrivals", "departures", "passed", "redirected", "host_received", "host_lost"]
            .map(|name| device(&mut host, name)),
        [8, 8, 3, 2, 3, 0]
    );
    let tx = |host: &mut Host, name| host.counter(CounterDomain::Program, 3, name);
    assert_eq!(
        ["packets", "bytes", "words", "transmitted", "dropped"].map(|name| tx(&mut host, name)),
        [1, 60, 1, 1, 0]
    );
}

#[test]
fn device_maps_name_ports() {
    let mut host = Host::new(config());
    host.open(0, 2);
    let maps = [map(MapKind::Devmap, 4, 8, 8), map(MapKind::DevmapHash, 4, 4, 8)];
    // Byte 0: key, byte 1: flags of the call, for the map of the port.
    let to = |map: u8| {
        let text = format!(
            "ld pkt[0+0] x0=1@0 x1=1@1; st stack[0+0] s0=x0:4@0; r2=x0 r3=x1; next=@1
             ra=r2 rc=r3; q.redirect_map map={map} val=ra dst=r6; next=@2
             rb=r6; q.exit val=rb; next=drop"
        );
        image("to", &text, &maps)
    };
    let first = host.load(&to(0), &[]);
    let second = host.load(&to(1), &[0, 1]);
    host.attach(0, first);
    host.attach(1, second);
    host.port_set(9, PortFlag::UP, 500);
    for (map, key, value) in [(0, 1, 500u64), (0, 4, 6), (1, 77, 3), (1, 5, 99)] {
        let value = &value.to_le_bytes()[..if map == 0 { 8 } else { 4 }];
        host.update(map, &u32::to_le_bytes(key), value);
    }
    let go = |host: &mut Host, port, key, flags| {
        let mut bytes = frame(0, 60);
        bytes[..2].copy_from_slice(&[key, flags]);
        assert!(host.function.arrive(port, 0, bytes));
        host.settle();
        let mut ports: Vec<u16> = host.departed().into_iter().map(|out| out.port).collect();
        ports.sort_unstable();
        let drops = std::iter::from_fn(|| host.next_event()).filter(|(event, _)| event.kind == EventKind::Drop.code());
        (ports, drops.map(|(event, _)| event.code).collect::<Vec<_>>())
    };
    let lost = DropReason::Redirect.code();
    assert_eq!(go(&mut host, 0, 1, 0), (vec![9], vec![]));
    assert_eq!(go(&mut host, 0, 4, 0), (vec![5], vec![]));
    assert_eq!(go(&mut host, 0, 3, 0), (vec![], vec![]), "the helper fails: XDP_ABORTED");
    assert_eq!(go(&mut host, 1, 77, 0), (vec![2], vec![]));
    assert_eq!(go(&mut host, 1, 5, 0), (vec![], vec![lost]), "ifindex 99 is no port");
    // To all of a map, with and without the port at which it came in.
    assert_eq!(go(&mut host, 0, 0, 8), (vec![5, 9], vec![]));
    host.update(0, &[2, 0, 0, 0], &1u64.to_le_bytes());
    assert_eq!(go(&mut host, 0, 0, 8), (vec![0, 5, 9], vec![]));
    assert_eq!(go(&mut host, 0, 0, 24), (vec![5, 9], vec![]));
    host.port_set(9, 0, 500);
    assert_eq!(go(&mut host, 0, 1, 0), (vec![], vec![DropReason::PortDown.code()]));
}

#[test]
fn the_host_sends_and_hears_itself() {
    let mut host = Host::new(config());
    host.open(0, 3);
    let out = |port| desc::Transmit { port, ..desc::Transmit::default() };
    assert_eq!(host.inject(0, &frame(9, 100), out(2)), (TransmitStatus::Ok, 0));
    assert_eq!(host.departed(), [Departed { port: 2, cycle: 0, bytes: frame(9, 100) }]);
    host.port_set(2, PortFlag::UP | PortFlag::LOOPBACK, 0);
    assert_eq!(host.inject(0, &frame(9, 100), out(2)), (TransmitStatus::Ok, 0));
    assert_eq!(host.departed(), []);
    assert_eq!(host.received(0).unwrap().bytes, frame(9, 100));
    host.port_set(3, 0, 0);
    assert_eq!(host.inject(0, &frame(9, 100), out(3)), (TransmitStatus::Port, 0));
    assert!(!host.function.arrive(3, 0, frame(9, 60)) && !host.function.is_open(3) && host.function.is_open(2));
    assert_eq!(host.next_event().unwrap().0.code, DropReason::PortDown.code());
    assert!(!host.function.arrive(64, 0, frame(9, 60)));
    for bytes in [0, 13, 3521, 1 << 20] {
        assert!(!host.function.arrive(0, 0, vec![0; bytes]), "{bytes}");
        assert_eq!(host.next_event().unwrap().0.code, DropReason::Length.code());
    }
    assert_eq!(host.counter(CounterDomain::Port, 3, "rx_dropped"), 1);
}

/// Where nobody takes frames from the wire, they are counted and forgotten; where somebody does but is slow, some are lost.
#[test]
fn wires_end_somewhere() {
    let mut host = Host::new(HostConfig { wires: 1 << 1, ..config() });
    host.open(0, 3);
    let out = |port| desc::Transmit { port, ..desc::Transmit::default() };
    for _ in 0..70_000 {
        host.inject(0, &frame(1, 60), out(0));
    }
    assert_eq!(host.departed(), []);
    for _ in 0..70_000 {
        host.inject(0, &frame(1, 60), out(1));
    }
    assert_eq!(host.departed().len(), 65_536);
    let sent =
        |host: &mut Host, port| ["tx_packets", "tx_dropped"].map(|name| host.counter(CounterDomain::Port, port, name));
    assert_eq!((sent(&mut host, 0), sent(&mut host, 1)), ([70_000, 0], [65_536, 4464]));
    assert_eq!(host.inject(0, &frame(1, 60), out(1)).0, TransmitStatus::Ok);
    assert_eq!(host.departed().len(), 1);
}

/// A ring without buffers for long stops nobody: packets are lost, the next ones come when there are buffers again.
#[test]
fn a_host_that_sleeps_gets_the_next_packets() {
    let mut host = Host::new(config());
    host.open(0, 3);
    for round in 0..20_000u64 {
        assert!(host.function.arrive(0, 0, frame(round as u16, 60)));
        host.function.poll();
    }
    host.settle();
    let missed = 20_000 - 8;
    assert_eq!(host.counter(CounterDomain::Device, 0, "host_lost"), missed);
    assert_eq!(host.counter(CounterDomain::Ring, RingId::receive(0).unwrap().number(), "lost"), missed);
    let first: Vec<u64> = std::iter::from_fn(|| host.received(0)).map(|packet| packet.descriptor.seq).collect();
    assert_eq!(first, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(host.function.arrive(0, 0, frame(0, 60)));
    host.settle();
    assert_eq!(host.received(0).map(|packet| packet.descriptor.seq), Some(20_000));
}

#[test]
fn transmit_descriptors_are_checked() {
    let mut host = Host::new(config());
    host.open(0, 3);
    let buffer = host.frame;
    let good = desc::Transmit { buffer, bytes: 60, ..inject(0) };
    let stamped = TransmitFlag::INJECT | TransmitFlag::STAMPED;
    let rows = [
        (desc::Transmit { reserved0: 1, ..good }, TransmitStatus::BadField),
        (desc::Transmit { reserved1: 1 << 63, ..good }, TransmitStatus::BadField),
        (desc::Transmit { reserved2: 1, ..good }, TransmitStatus::BadField),
        (desc::Transmit { flags: 1 << 5 | INJECT, ..good }, TransmitStatus::BadField),
        (desc::Transmit { flags: TransmitFlag::STAMPED, ..good }, TransmitStatus::BadField),
        (desc::Transmit { port: 64, ..good }, TransmitStatus::Port),
        (desc::Transmit { port: u16::MAX, ..good }, TransmitStatus::Port),
        (desc::Transmit { bytes: 13, ..good }, TransmitStatus::Length),
        (desc::Transmit { bytes: 3521, ..good }, TransmitStatus::Length),
        (desc::Transmit { bytes: u32::MAX, flags: 0, ..good }, TransmitStatus::Length),
        (desc::Transmit { flags: INJECT | TransmitFlag::VCPU, vcpu: 4, ..good }, TransmitStatus::Vcpu),
        (desc::Transmit { flags: stamped, cycle: u64::MAX, ..good }, TransmitStatus::Past),
        (desc::Transmit { buffer: 0x10, ..good }, TransmitStatus::DmaFault),
        (desc::Transmit { buffer: u64::MAX, flags: 0, ..good }, TransmitStatus::DmaFault),
        (desc::Transmit { flags: stamped, cycle: 1000, ..good }, TransmitStatus::Ok),
        (desc::Transmit { flags: stamped, cycle: 999, ..good }, TransmitStatus::Past),
    ];
    for (descriptor, status) in rows {
        host.transmit(0, descriptor);
        host.settle();
        assert_eq!(host.transmitted(0).unwrap().0, status, "{descriptor:?}");
    }
}

/// Packets of a flow come on one ring, flows are spread over those that work, captured ones come where they went in.
#[test]
fn flows_are_spread_over_the_rings() {
    let mut host = Host::new(config());
    for pair in 0..3 {
        host.open(pair, 5);
    }
    let mut rings = std::collections::BTreeMap::new();
    let mut used = std::collections::BTreeSet::new();
    for turn in 0..4 {
        for flow in 0..40 {
            assert!(host.function.arrive(0, 0, frame(flow, 60 + turn)));
            host.settle();
            let pair = (0..3).find(|&pair| host.received(pair).is_some_and(|packet| packet.bytes.len() == 60 + turn));
            assert_eq!(*rings.entry(flow).or_insert(pair.unwrap()), pair.unwrap());
            used.insert(pair.unwrap());
        }
    }
    assert_eq!(used.len(), 3);
    host.disable(RingId::receive(1).unwrap());
    for flow in 0..40 {
        assert!(host.function.arrive(0, 0, frame(flow, 60)));
        host.settle();
        assert_eq!([0, 2].map(|pair| host.received(pair).is_some()).iter().filter(|&&got| got).count(), 1);
    }
    host.port_set(0, CAPTURE, 0);
    for pair in [0, 2] {
        for flow in 0..10 {
            assert_eq!(host.inject(pair, &frame(flow, 60), inject(0)).0, TransmitStatus::Ok);
            assert!(host.received(pair).is_some_and(|packet| packet.report.is_some()));
        }
    }
    // Its own ring does not work: lost, and told.
    host.inject(1, &frame(0, 60), inject(0));
    assert_eq!(host.next_event().unwrap().0.code, DropReason::NoQueue.code());
}

#[test]
fn what_has_no_room_is_lost_and_told() {
    let mut host = Host::new(config());
    host.open(0, 2);
    // Four buffers for ten packets.
    for n in 0..10 {
        host.function.arrive(0, n * 10_000, frame(0, 60));
    }
    host.settle();
    let got: Vec<u64> =
        std::iter::from_fn(|| host.received_from(0, false)).map(|packet| packet.descriptor.seq).collect();
    assert_eq!(got, [0, 1, 2, 3]);
    let lost: Vec<_> =
        std::iter::from_fn(|| host.next_event()).map(|(event, _)| (event.kind, event.code, event.seq)).collect();
    assert_eq!(lost, [4, 5, 6, 7, 8, 9].map(|seq| (EventKind::Drop.code(), DropReason::NoBuffer.code(), seq)));
    let receive = RingId::receive(0).unwrap();
    assert_eq!(host.ring32::<offwire_hostif::reg::RingLost>(receive), 6);
    assert_eq!(host.counter(CounterDomain::Ring, receive.number(), "lost"), 6);
    // A buffer that is too small, one that is not there, and then a good one.
    let buffer = host.take(4096);
    host.post(0, buffer, 59);
    host.post(0, 0x123, 4096);
    host.post(0, buffer, 60);
    for _ in 0..3 {
        host.function.arrive(0, 0, frame(1, 60));
    }
    host.settle();
    let side = host.receive[0];
    let statuses: Vec<u16> =
        (4..7).map(|index| desc::Receive::decode(&host.peek(&side, index).unwrap()).status).collect();
    let expected = [ReceiveStatus::Size, ReceiveStatus::DmaFault, ReceiveStatus::Ok];
    assert_eq!(statuses, expected.map(ReceiveStatus::code));
    let lost: Vec<u16> = std::iter::from_fn(|| host.next_event()).map(|(event, _)| event.code).collect();
    assert_eq!(lost, [DropReason::BufferSize.code(), DropReason::DmaFault.code()]);
    assert_eq!(host.get(buffer, 60), frame(1, 60));
    assert_eq!(host.fault(receive), (RingFault::None, 0));
    assert_eq!(host.counter(CounterDomain::Device, 0, "host_lost"), 8);
}

/// A burst that is not stamped waits for room and is not dropped; the wire's is.
#[test]
fn injected_packets_wait_for_room() {
    let turns = "
        ld pkt[0+42] x0=1@0; r2=x0; next=@1
        ra=r2; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r2=a1; t1=@1 next=tx
    ";
    for wire in [false, true] {
        let mut host = Host::new(config());
        host.open(0, 10);
        let program = host.load(&image("turns", turns, &[]), &[]);
        host.attach(0, program);
        let mut bytes = frame(3, 60);
        bytes[42] = 200;
        host.put(host.frame, &bytes);
        for _ in 0..1000 {
            if wire {
                assert!(host.function.arrive(0, 0, bytes.clone()));
            } else {
                host.transmit(0, desc::Transmit { buffer: host.frame, bytes: 60, ..inject(0) });
            }
        }
        host.settle();
        let left = host.departed().len();
        let drops = host.counter(CounterDomain::Port, 0, "rx_dropped");
        assert_eq!(left as u64 + drops, 1000);
        assert_eq!(drops > 0, wire, "{left}");
        let told =
            std::iter::from_fn(|| host.next_event()).filter(|(event, _)| event.code == DropReason::Ingress.code());
        assert_eq!(told.count() as u64 + host.counter(CounterDomain::Device, 0, "events_lost"), drops);
        assert_eq!(host.counter(CounterDomain::Device, 0, "tail_drops"), drops);
        assert!(!host.function.in_flight());
    }
}

#[test]
fn events_carry_what_programs_say() {
    let text = "
        i0=3; rc=0; q.ring.output map=0 key=pkt[0+0] val=i0 dst=r2; next=@1
        iw=0xffffffff; r2=iw; next=@2
        ra=r2; rb=4; a1=pack.64 rb,ra; r5=a1; next=@3
        i0=9; rc=r5; q.perf.output map=1 key=pkt[0+2] val=i0 dst=r3; next=@4
        i0=5; q.printk key=pkt[0+1] val=i0 dst=r3; next=@5
        ra=-1; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=drop
    ";
    let maps: [MapSpec; 2] = [map(MapKind::Ringbuf, 0, 0, 4096), map(MapKind::PerfEventArray, 4, 4, 4)];
    let mut host = Host::new(config());
    let program = host.load(&image("says", text, &maps), &[]);
    host.attach(2, program);
    let bytes: Vec<u8> = (1..61).collect();
    assert!(host.function.arrive(2, 50, bytes.clone()));
    host.settle();
    let events: Vec<_> = std::iter::from_fn(|| host.next_event()).collect();
    let kinds: Vec<u16> = events.iter().map(|(event, _)| event.kind).collect();
    assert_eq!(kinds, [EventKind::Ringbuf, EventKind::Perf, EventKind::Printk, EventKind::Fault].map(EventKind::code));
    assert!(events.iter().all(|(event, _)| event.offset % 8 == 0 && event.seq == 0 && event.lost == 0));
    assert!(events.iter().all(|(event, _)| event.port == 2 && u32::from(event.program) == program));
    let [(ring, record), (perf, sample), (printk, printed), (fault, _)] = &events[..] else { panic!("four") };
    assert_eq!((ring.map, &record[..]), (0, &bytes[..3]));
    assert_eq!((perf.map, perf.packet_bytes), (1, 4));
    assert_eq!(sample[..], [&bytes[2..11], &bytes[..4]].concat());
    assert_eq!((printk.index, printed.len(), &printed[..8]), (5, 8 + 24, &[2, 3, 4, 5, 6, 0, 0, 0][..]));
    assert_eq!(fault.argument, 5);
    assert_eq!(host.counter(CounterDomain::Program, program, "faults"), 1);
    assert_eq!(host.counter(CounterDomain::Device, 0, "events"), events.len() as u64);
}

/// Swaps through the command ring while packets come at full rate: none is lost, each runs under one of the two.
#[test]
fn programs_are_swapped_under_load() {
    let mut host = Host::new(config());
    host.open(0, 8);
    let programs = [host.load(&mark(1, "tx"), &[]), host.load(&mark(2, "tx"), &[])];
    host.attach(0, programs[0]);
    let (mut out, mut sent, mut now) = (Vec::new(), 0u32, 0);
    for swap in 1..200usize {
        for _ in 0..20 {
            let mut bytes = frame((sent % 16) as u16, 60);
            bytes[44..48].copy_from_slice(&sent.to_be_bytes());
            assert!(host.function.arrive(0, 0, bytes));
            sent += 1;
        }
        let attach = desc::Command { argument: programs[swap % 2], ..command(Opcode::PortAttach) };
        host.submit(attach);
        // A few polls only: the device is in the middle of it when the next swap comes.
        now += 60;
        host.function.set_limit(Some(now));
        host.settle();
        let completion = host.completion().unwrap();
        assert_eq!((completion.status, completion.result), (0, programs[(swap + 1) % 2].into()));
        out.extend(host.departed());
    }
    host.function.set_limit(None);
    host.settle();
    out.extend(host.departed());
    let drops = host.counter(CounterDomain::Port, 0, "rx_dropped");
    assert_eq!((out.len() as u64, drops), (sent.into(), 0));
    let mut last = [None; 16];
    let mut seen = [0; 3];
    for packet in &out {
        let number = u32::from_be_bytes(packet.bytes[44..48].try_into().unwrap());
        let flow = &mut last[(number % 16) as usize];
        assert!(flow.is_none_or(|last| last < number), "a flow keeps its order");
        *flow = Some(number);
        seen[usize::from(packet.bytes[0])] += 1;
    }
    assert!(seen[0] == 0 && seen[1] > 500 && seen[2] > 500, "{seen:?}");
    let packets = programs.map(|program| host.counter(CounterDomain::Program, program, "packets"));
    assert_eq!(packets, [seen[1], seen[2]]);
}

/// In real time the device follows the limit, also when nothing is there.
#[test]
fn real_time_follows_the_limit() {
    let choices = 1 << TimeMode::Real.code();
    let mut host = Host::new(HostConfig { time: TimeMode::Real, choices, ..config() });
    host.open(0, 3);
    host.function.set_limit(Some(5000));
    host.settle();
    assert_eq!(host.function.now(), 5000);
    assert_eq!(
        host.inject(0, &frame(0, 60), desc::Transmit { flags: INJECT | TransmitFlag::ALONE, ..inject(0) }).0,
        TransmitStatus::BadField
    );
    assert_eq!(host.inject(0, &frame(0, 60), inject(0)).0, TransmitStatus::Ok);
    assert!(host.received(0).is_none() && host.function.in_flight());
    let next = host.function.next_event().unwrap();
    assert!(next > 5000);
    host.function.set_limit(Some(100_000));
    assert!(host.function.poll());
    host.settle();
    assert_eq!((host.function.now(), host.function.in_flight()), (100_000, false));
    assert!(host.received(0).is_some());
    assert_eq!(host.function.next_event(), None);
    host.settle();
    assert!(!host.function.wants_poll());
    host.doorbell(RingId::COMMAND, 0);
    assert!(host.function.wants_poll());
}
