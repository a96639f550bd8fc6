//! Packets and events.

use super::images::{count, frame, image, map, mark, tell};
use super::{Connect, open, options};
use driver::ring::Entries;
use driver::{CounterOf, Device, Error, Event, Inject, OpenOptions, QueueOptions, QueuePair, Tx, TxFrame, TypedMap};
use offwire_hostif::{DispatchChoice, DropReason, PortFlag, ReceiveStatus, TransmitStatus};
use offwire_image::MapKind;
use std::collections::BTreeMap;
use std::time::Duration;

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Longer than anything takes.
const SOON: Duration = Duration::from_secs(20);

/// A frame that comes in at a port.
fn injected(port: u16, bytes: &[u8]) -> TxFrame<'_> {
    TxFrame { port, bytes, inject: Some(Inject::default()) }
}

/// A packet, copied.
#[derive(Clone, Debug)]
struct Got {
    port: u16,
    verdict: u32,
    frame: Vec<u8>,
    report: Option<driver::Report>,
    seq: u64,
}

/// Takes packets until there are so many.
fn receive(pair: &mut QueuePair, count: usize) -> Vec<Got> {
    let mut got = Vec::new();
    while got.len() < count {
        assert!(pair.rx.wait(SOON).unwrap(), "{} of {count} packets", got.len());
        pair.rx
            .receive_burst(64, |packet| {
                assert_eq!(packet.status, ReceiveStatus::Ok);
                got.push(Got {
                    port: packet.port,
                    verdict: packet.verdict,
                    frame: packet.frame.to_vec(),
                    report: packet.report,
                    seq: packet.seq,
                });
            })
            .unwrap();
    }
    assert!(!pair.rx.ready().unwrap());
    got
}

/// Sends all frames; each must be taken.
fn send(tx: &mut Tx, frames: &[TxFrame<'_>]) {
    let mut sent = 0;
    let ok = |done: driver::TxDone| assert_eq!(done.status, TransmitStatus::Ok);
    while sent < frames.len() {
        sent += tx.transmit_burst(&frames[sent..]).unwrap();
        tx.reclaim(ok).unwrap();
    }
    assert!(tx.flush(SOON, ok).unwrap());
}

fn attach(device: &Device, port: u16, image: &offwire_image::Image) -> driver::ProgramId {
    let program = device.load(image, &[]).unwrap();
    device.attach(port, program, DispatchChoice::Proven, Some(None)).unwrap();
    program
}

pub(crate) fn what_passes_comes_to_the_host(connect: Connect<'_>) {
    let device = open(connect);
    attach(&device, 2, &mark(0xab, "pass"));
    attach(&device, 3, &mark(0xcd, "drop"));
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let frames: Vec<_> = (0..40).map(|flow| frame(flow, 60 + usize::from(flow) * 30)).collect();
    let both: Vec<_> = frames.iter().flat_map(|frame| [injected(2, frame), injected(3, frame)]).collect();
    send(&mut pair.tx, &both);
    let got = receive(&mut pair, frames.len());
    let lengths: BTreeMap<usize, &Got> = got.iter().map(|got| (got.frame.len(), got)).collect();
    for sent in &frames {
        let got = lengths[&sent.len()];
        assert_eq!((got.port, got.verdict, got.frame[0]), (2, XDP_PASS, 0xab));
        assert_eq!(got.frame[1..], sent[1..]);
    }
    let counters = device.counters(CounterOf::Port(3)).unwrap();
    assert_eq!((counters.get("rx_packets"), counters.get("dropped")), (Some(40), Some(40)));
}

pub(crate) fn a_port_that_captures_gives_everything_with_reports(connect: Connect<'_>) {
    let device = open(connect);
    let program = attach(&device, 0, &mark(1, "drop"));
    device.set_port(0, PortFlag::UP | PortFlag::CAPTURE, None).unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions { report: true, ..QueueOptions::default() }).unwrap();
    let frames: Vec<_> = (0..5).map(|flow| frame(flow, 64)).collect();
    for (number, bytes) in frames.iter().enumerate() {
        let vcpu = Some(number as u16 % 2);
        send(
            &mut pair.tx,
            &[TxFrame { port: 0, bytes, inject: Some(Inject { vcpu, alone: true, ..Inject::default() }) }],
        );
    }
    let got = receive(&mut pair, 5);
    for got in &got {
        let report = got.report.expect("a report");
        assert_eq!((got.verdict, report.words, report.redirect, report.fault), (XDP_DROP, 1, None, None));
        assert!(report.dispatched <= report.exited && report.exited <= report.departed, "{report:?}");
    }
    assert!(got.windows(2).all(|pair| pair[0].seq < pair[1].seq), "one at a time, in order");
    let counters = device.counters(CounterOf::Program(program)).unwrap();
    assert_eq!((counters.get("packets"), counters.get("dropped")), (Some(5), Some(5)));
}

pub(crate) fn small_rings_carry_many_packets(connect: Connect<'_>) {
    let device = open(connect);
    attach(&device, 1, &count());
    let few = Entries::new(4).unwrap();
    let options = QueueOptions { receive_entries: few, transmit_entries: few, ..QueueOptions::default() };
    let mut pair = device.queue_pair(2, &options).unwrap();
    let bytes = frame(1, 100);
    let mut received = 0;
    for _ in 0..300 {
        let sent = pair.tx.transmit_burst(&[injected(1, &bytes); 6]).unwrap();
        assert_eq!((sent, pair.tx.room()), (4, 0), "as many as the ring holds");
        assert!(pair.tx.flush(SOON, |done| assert_eq!(done.status, TransmitStatus::Ok)).unwrap());
        received += receive(&mut pair, 4).len();
    }
    assert_eq!((received, pair.tx.next_index(), pair.rx.lost().unwrap()), (1200, 1200, 0));
    let packets = device.map_of(device.programs().unwrap()[0], "packets").unwrap().unwrap();
    assert_eq!(TypedMap::<u32, u64>::new(packets).unwrap().lookup(&0).unwrap(), Some(1200));
}

pub(crate) fn bad_frames_are_told_and_the_others_go(connect: Connect<'_>) {
    let device = open(connect);
    let mut pair = device.queue_pair(0, &QueueOptions { buffer_bytes: 256, ..QueueOptions::default() }).unwrap();
    let (good, tiny) = (frame(1, 60), [0; 4]);
    let bad_vcpu = Inject { vcpu: Some(60_000), ..Inject::default() };
    let frames = [
        injected(0, &good),
        injected(250, &good),
        injected(0, &tiny),
        TxFrame { port: 0, bytes: &good, inject: Some(bad_vcpu) },
        injected(0, &good),
    ];
    assert_eq!(pair.tx.transmit_burst(&frames).unwrap(), 5);
    let mut done = Vec::new();
    assert!(pair.tx.flush(SOON, |frame| done.push((frame.index, frame.status))).unwrap());
    use TransmitStatus::{Length, Ok as Sent, Port, Vcpu};
    assert_eq!(done, [(0, Sent), (1, Port), (2, Length), (3, Vcpu), (4, Sent)]);
    let large = frame(1, 300);
    assert!(matches!(pair.tx.transmit_burst(&[injected(0, &large)]), Err(Error::TooLarge { bytes: 300, .. })));
    assert_eq!(pair.tx.transmit_burst(&[injected(0, &good), injected(0, &large)]).unwrap(), 1);
    assert!(pair.tx.flush(SOON, |_| ()).unwrap());
    assert_eq!(receive(&mut pair, 3).len(), 3);
}

pub(crate) fn a_packet_that_fits_no_buffer_is_told(connect: Connect<'_>) {
    let device = open(connect);
    let mut sender = device.queue_pair(1, &QueueOptions::default()).unwrap();
    let mut events = device.events().unwrap();
    let narrow = QueueOptions { buffer_bytes: 128, ..QueueOptions::default() };
    drop(sender.rx);
    let mut receiver = device.queue_pair(0, &narrow).unwrap();
    send(&mut sender.tx, &[injected(0, &frame(1, 1000))]);
    assert!(receiver.rx.wait(SOON).unwrap());
    let mut statuses = Vec::new();
    receiver.rx.receive_burst(8, |packet| statuses.push((packet.status, packet.frame.len()))).unwrap();
    assert_eq!(statuses, [(ReceiveStatus::Size, 0)]);
    match events.wait(SOON).unwrap() {
        Some(Event::Drop { reason: DropReason::BufferSize, origin }) => assert_eq!(origin.port, 0),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn a_thread_for_each_queue(connect: Connect<'_>) {
    const PACKETS: usize = 400;
    let device = open(connect);
    for port in 0..4 {
        attach(&device, port, &mark(port as u8 + 1, "drop"));
        device.set_port(port, PortFlag::UP | PortFlag::CAPTURE, None).unwrap();
    }
    std::thread::scope(|scope| {
        for queue in 0..4u8 {
            let device = &device;
            scope.spawn(move || {
                let mut pair = device.queue_pair(queue, &QueueOptions::default()).unwrap();
                let frames: Vec<_> = (0..PACKETS).map(|number| frame(number as u16, 60 + number % 200)).collect();
                let mut got = 0;
                for burst in frames.chunks(16) {
                    let burst: Vec<_> = burst.iter().map(|frame| injected(queue.into(), frame)).collect();
                    send(&mut pair.tx, &burst);
                    for packet in receive(&mut pair, burst.len()) {
                        assert_eq!((packet.port, packet.frame[0]), (queue.into(), queue + 1));
                        got += 1;
                    }
                }
                assert_eq!(got, PACKETS);
            });
        }
    });
    assert_eq!(device.counters(CounterOf::Device).unwrap().get("arrivals"), Some(4 * PACKETS as u64));
}

pub(crate) fn queues_have_one_owner(connect: Connect<'_>) {
    let device = open(connect);
    let pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    assert!(matches!(device.queue_pair(0, &QueueOptions::default()), Err(Error::Taken(_))));
    assert!(matches!(device.queue_pair(4, &QueueOptions::default()), Err(Error::NoQueuePair { pair: 4, has: 4 })));
    let (rx, tx) = pair.split();
    drop(rx);
    assert!(matches!(device.queue_pair(0, &QueueOptions::default()), Err(Error::Taken(_))));
    drop(tx);
    drop(device.queue_pair(0, &QueueOptions::default()).unwrap());
    let events = device.events().unwrap();
    assert!(matches!(device.events(), Err(Error::Taken(_))));
    drop(events);
    device.events().unwrap();
}

pub(crate) fn records_come_as_events_in_order(connect: Connect<'_>) {
    let device = open(connect);
    let program = attach(&device, 0, &tell());
    let records = device.program(program).unwrap().maps[0];
    let mut events = device.events().unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    assert_eq!(events.poll().unwrap(), None);
    let mut told = Vec::new();
    for round in 0..30u16 {
        let frames: Vec<_> = (0..100u16)
            .map(|number| {
                let mut frame = frame(1, 60);
                frame[..2].copy_from_slice(&(100 * round + number).to_le_bytes());
                frame
            })
            .collect();
        let frames: Vec<_> = frames.iter().map(|frame| injected(0, frame)).collect();
        send(&mut pair.tx, &frames);
        let until = told.len() + frames.len();
        while told.len() < until {
            told.push(events.wait(SOON).unwrap().expect("an event"));
        }
    }
    for (number, event) in (0u16..).zip(&told) {
        match event {
            Event::Ringbuf { origin, map, data } => {
                assert_eq!((*map, origin.port, origin.program), (records, 0, Some(program)));
                assert_eq!((data.len(), &data[..2]), (8, &number.to_le_bytes()[..]));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((events.taken(), events.lost(), events.lost_in_device().unwrap()), (3000, 0, 0));
}

pub(crate) fn events_without_room_are_counted(connect: Connect<'_>) {
    let device = {
        let few = OpenOptions { event_entries: Entries::new(8).unwrap(), event_area: 4096, ..options() };
        Device::open(connect(), few).unwrap()
    };
    attach(&device, 0, &tell());
    let mut events = device.events().unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let bytes = frame(1, 60);
    send(&mut pair.tx, &[injected(0, &bytes); 100]);
    device.quiesce().unwrap();
    let mut told = Vec::new();
    events.drain(&mut told).unwrap();
    assert_eq!(told.len(), 8);
    assert_eq!(events.lost_in_device().unwrap(), 92);
    send(&mut pair.tx, &[injected(0, &bytes)]);
    assert!(events.wait(SOON).unwrap().is_some());
    assert_eq!(events.lost(), 92, "the next event tells of the lost ones");
}

pub(crate) fn faults_and_formats_come_as_events(connect: Connect<'_>) {
    let device = open(connect);
    let text =
        offwire_image::MapSpec { init: b"hi %u\0".to_vec(), frozen: true, ..map("text", MapKind::Array, 4, 16, 1) };
    let words = [
        "q.lookup map=0 key=stack[0+0] dst=r7 null; t2=drop next=@1",
        "i0=5; i1=-1; st scr[0+232] s0=i0:8@0 s1=i1:8@8; next=@2",
        "i0=-2; st scr[0+248] s0=i0:8@0; next=@3",
        "rb=r7; i0=6; q.printk key=map[rb+0] val=i0 dst=r2; next=@4",
        "ld pkt[0+100] x0=8@0; r2=x0; next=pass",
    ];
    attach(&device, 0, &image("prints", &words, &[text]));
    let mut events = device.events().unwrap();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    send(&mut pair.tx, &[injected(0, &frame(1, 60))]);
    match events.wait(SOON).unwrap() {
        Some(Event::Printk { format, arguments, .. }) => {
            assert_eq!((&format[..], arguments), (&b"hi %u\0"[..], [5, u64::MAX, u64::MAX - 1]));
        }
        other => panic!("{other:?}"),
    }
    match events.wait(SOON).unwrap() {
        Some(Event::Fault { origin, address, .. }) => assert_eq!((origin.port, address), (0, 4)),
        other => panic!("{other:?}"),
    }
}
