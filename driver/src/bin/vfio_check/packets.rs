//! Packets, events, interrupts.

use crate::guest::{Outcome, SOON, ensure, equal, frame, interrupts, more_interrupts};
use driver::bus::Bdf;
use driver::{Device, Event, Inject, ProgramId, QueueOptions, Tx, TxFrame, TypedMap};
use offwire_hostif::{DropReason, PortFlag, ReceiveStatus, RingId, TransmitStatus};
use std::time::{Duration, Instant};

const XDP_DROP: u32 = 1;
/// A port without a program.
const EMPTY: u16 = 5;
/// Protocol number.
const UDP: u32 = 17;

fn injected(bytes: &[u8]) -> TxFrame<'_> {
    TxFrame { port: 0, bytes, inject: Some(Inject::default()) }
}

/// Sends all of them; each must be taken.
fn send(tx: &mut Tx, frames: &[TxFrame<'_>]) -> Outcome {
    let mut bad = Vec::new();
    let mut sent = 0;
    while sent < frames.len() {
        sent += tx.transmit_burst(&frames[sent..])?;
        ensure(tx.flush(SOON, |done| bad.extend((done.status != TransmitStatus::Ok).then_some(done)))?, "not sent")?;
    }
    ensure(bad.is_empty(), format!("refused: {bad:?}"))
}

/// Frames go in at a port that captures, run through the program, and come back with the report of their way.
pub(crate) fn with_reports(device: &Device, program: ProgramId) -> Outcome {
    const FRAMES: u16 = 200;
    let counts = TypedMap::<u32, u64>::new(device.map_of(program, "packets")?.ok_or("no map `packets`")?)?;
    let count = || -> Outcome<u64> { Ok(counts.lookup_copies(&UDP)?.unwrap_or_default().iter().sum()) };
    let before = count()?;
    device.set_port(0, PortFlag::UP | PortFlag::CAPTURE, None)?;
    let mut pair = device.queue_pair(0, &QueueOptions { report: true, ..QueueOptions::default() })?;
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|flow| frame(flow, 60 + usize::from(flow) * 5)).collect();
    send(&mut pair.tx, &frames.iter().map(|frame| injected(frame)).collect::<Vec<_>>())?;
    let mut wrong = Vec::new();
    let mut seen = vec![false; frames.len()];
    let mut got = 0;
    while got < frames.len() {
        ensure(pair.rx.wait(SOON)?, format!("{got} packets of {FRAMES}"))?;
        got += pair.rx.receive_burst(64, |packet| {
            let number = packet.frame.len().wrapping_sub(60) / 5;
            let known = frames.get(number).is_some_and(|sent| sent == packet.frame);
            let timed = packet.report.is_some_and(|report| {
                report.words > 0 && report.dispatched <= report.exited && report.exited <= report.departed
            });
            let ours = packet.status == ReceiveStatus::Ok && packet.program == Some(program);
            if !(known && timed && ours && packet.verdict == XDP_DROP && !std::mem::replace(&mut seen[number], true)) {
                wrong.push(format!("{:?} verdict {} {:?}", packet.status, packet.verdict, packet.report));
            }
        })?;
    }
    ensure(wrong.is_empty(), format!("{} wrong packets, first: {:?}", wrong.len(), wrong.first()))?;
    equal("packets in the map", &(count()? - before), &u64::from(FRAMES))
}

/// A reader that has long been asleep is woken by MSI-X, and the kernel counts it.
pub(crate) fn wake(device: &Device, bdf: Bdf) -> Outcome {
    let ring = RingId::receive(1).ok_or("no ring")?.number();
    let (mut rx, mut tx) = device.queue_pair(1, &QueueOptions::default())?.split();
    let before = interrupts(bdf, ring)?;
    let bytes = frame(1, 100);
    let woken = std::thread::scope(|scope| -> Outcome<Duration> {
        let reader = scope.spawn(move || {
            let woken = rx.wait(SOON).map(|woken| (woken, Instant::now())).map_err(|error| error.to_string());
            (rx, woken)
        });
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        send(&mut tx, &[injected(&bytes)])?;
        let (mut rx, woken) = reader.join().map_err(|_| "the reader panicked")?;
        let (woken, at) = woken?;
        ensure(woken, "nobody woke the reader")?;
        equal("packets", &rx.receive_burst(8, |_| ())?, &1)?;
        Ok(at.saturating_duration_since(start))
    })?;
    more_interrupts(bdf, ring, before)?;
    let completions = more_interrupts(bdf, RingId::COMPLETION.number(), 0)?;
    println!("  awake {} us after the frame was sent; {completions} interrupts for commands", woken.as_micros());
    Ok(())
}

/// A packet that fits no buffer is told of, by an event. It comes in at a port without a program and without a capture, as from a
/// wire: so it goes to the one receive ring that is open.
pub(crate) fn events(device: &Device, bdf: Bdf) -> Outcome {
    let mut events = device.events()?;
    let before = interrupts(bdf, RingId::EVENT.number())?;
    let mut pair = device.queue_pair(0, &QueueOptions { buffer_bytes: 256, ..QueueOptions::default() })?;
    let mut sender = device.queue_pair(1, &QueueOptions::default())?.split();
    drop(sender.0);
    let large = frame(1, 1000);
    send(&mut sender.1, &[TxFrame { port: EMPTY, ..injected(&large) }])?;
    match events.wait(SOON)? {
        Some(Event::Drop { reason: DropReason::BufferSize, origin }) => equal("port", &origin.port, &EMPTY)?,
        other => return Err(format!("{other:?} came").into()),
    }
    more_interrupts(bdf, RingId::EVENT.number(), before)?;
    let mut statuses = Vec::new();
    ensure(pair.rx.wait(SOON)?, "no descriptor came back")?;
    pair.rx.receive_burst(8, |packet| statuses.push(packet.status))?;
    equal("statuses", &statuses, &vec![ReceiveStatus::Size])
}
