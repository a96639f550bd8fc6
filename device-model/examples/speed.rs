//! How fast the model runs on this machine: a 5-tuple firewall in hand-made words (a hash lookup and an atomic add a packet,
//! XDP_TX on a hit), 64 B packets, profile `x16`, offered faster than the device takes them, or every GAP cycles.
//!
//! `cargo run --release -p device-model --example speed [packets] [flows] [runs] [gap]`

use std::error::Error;
use std::time::Instant;

use device_model::{Admission, Arrival, Device, Empty, MapId, Scheduler, Stall, Update};
use offwire_image::{Dispatch, DispatchMode, Image, MapKind, MapSpec};
use offwire_isa::{AsmError, CodeAddr, ISA_VERSION, Word, X16};

/// The firewall. The key is 16 B on the stack from 496: addresses, ports, protocol.
const FIREWALL: [&str; 10] = [
    // In bounds, IPv4 without options.
    "guard 0+42; ld pkt[0+12] x0=2@0.swap x1=1@2; c1=ne.32 x0,i0; i0=0x800; c2=ne.32 x1,i1; i1=0x45; t1=pass t2=pass next=@1",
    // Protocol and source address into the key.
    "ld pkt[0+23] x0=1@0 x1=4@3; c1=ne.32 x0,i0; i0=17; st stack[0+496] s0=x1:4@0 s1=x0:4@12; t1=pass next=@2",
    // Destination address and ports into the key.
    "ld pkt[0+30] x0=4@0 x1=4@4; st stack[0+500] s0=x0:4@0 s1=x1:4@4; next=@3",
    "q.lookup map=0 key=stack[0+496] dst=r2 null; t2=pass next=@4",
    // Packets += 1.
    "ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@5",
    // MAC addresses, IPv4 addresses, ports change sides.
    "ld pkt[0+0] x0=6@0 x1=6@6; st pkt[0+0] s0=x0:6@6 s1=x1:6@0; next=@6",
    "ld pkt[0+26] x0=4@0 x1=4@4; st pkt[0+26] s0=x0:4@4 s1=x1:4@0; next=@7",
    "ld pkt[0+34] x0=2@0 x1=2@2; st pkt[0+34] s0=x0:2@2 s1=x1:2@0; next=@8",
    // TTL - 1; the checksum is patched.
    "ld pkt[0+22] x0=1@0; a1=sub.32 x0,i0; i0=1; c1=ltu.32 x0,i1; i1=2; st pkt[0+22] s0=a1:1@0 kill1; t1=pass next=@9",
    "ld pkt[0+24] x0=2@0; a1=add.64 x0,i0; i0=1; st pkt[0+24] s0=a1:2@0; next=tx",
];

fn image(flows: u32, mode: DispatchMode) -> Result<Image, AsmError> {
    let words = FIREWALL.iter().map(|line| line.parse::<Word>().map(|word| word.encode())).collect::<Result<_, _>>()?;
    Ok(Image {
        isa_version: ISA_VERSION,
        profile: X16.name.into(),
        profile_hash: X16.hash,
        name: "firewall".into(),
        words,
        entry: CodeAddr(0),
        maps: vec![MapSpec {
            name: "flows".into(),
            kind: MapKind::Hash,
            key_size: 16,
            value_size: 16,
            max_entries: flows,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        }],
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode, reason: "asked for".into() },
        budget_cycles: 1 << 20,
        word_insns: Vec::new(),
    })
}

/// Makes `frame` a packet of the flow, without touching memory that grows with the number of flows.
fn make(frame: &mut Vec<u8>, flow: u32) {
    frame.clear();
    frame.extend_from_slice(&TEMPLATE);
    frame[28..30].copy_from_slice(&(flow as u16).to_be_bytes());
    frame[34..36].copy_from_slice(&((flow >> 16) as u16 ^ 4000).to_be_bytes());
}

const TEMPLATE: [u8; 64] = {
    let mut frame = [0; 64];
    let head = [
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 0, 0, 192, 0, 2, 1,
        0, 0, 0, 53,
    ];
    let mut n = 0;
    while n < head.len() {
        frame[n] = head[n];
        n += 1;
    }
    frame
};

fn key(frame: &[u8]) -> Vec<u8> {
    [&frame[26..38], &[17, 0, 0, 0]].concat()
}

/// Runs so many packets and prints what came of it.
fn measure(packets: u64, flows: u32, gap: u64, mode: DispatchMode, scheduler: Scheduler) -> Result<(), Box<dyn Error>> {
    let mut device = Device::new(&X16);
    device.set_scheduler(scheduler);
    device.set_admission(Admission::Hold);
    device.load(&image(flows, mode)?, None)?;
    let mut frame = Vec::new();
    for flow in 0..flows {
        make(&mut frame, flow);
        device.map_update(MapId(0), &key(&frame), &[vec![0; 16]], Update::Any)?;
    }
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut latencies: Vec<u64> = Vec::with_capacity(packets as usize);
    let (mut offered, mut state) = (0u64, 1u64);
    let start = Instant::now();
    while (latencies.len() as u64) < packets {
        // Enough packets stay offered, so the device never runs dry.
        while offered < packets && offered - (latencies.len() as u64) < 1200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = pool.pop().unwrap_or_default();
            make(&mut bytes, ((state >> 33) % u64::from(flows)) as u32);
            let cycle = device.now().max(gap * offered);
            device.offer(Arrival { cycle, ingress_ifindex: 1, bytes, ..Arrival::default() })?;
            offered += 1;
        }
        device.run_until(device.now() + 400 * gap.max(1));
        for departure in device.departures() {
            latencies.push(departure.exited - departure.dispatched);
            pool.push(departure.bytes);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let counters = device.counters();
    let slots = &counters.slots;
    let share = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
    let rate = packets as f64 / counters.cycles as f64;
    latencies.sort_unstable();
    println!(
        "{scheduler:?} {mode:?}: {:.2} M packets/s host, {:.1} words a packet, {rate:.2} packets a cycle ({:.1} Mpps modelled)",
        packets as f64 / seconds / 1e6,
        slots.words as f64 / packets as f64,
        rate * f64::from(X16.clock_mhz),
    );
    println!(
        "    dispatch to exit {} / {} cycles (p50 / p99), slots used {:.0} %, map conflicts {}, replays {:?}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        share(slots.used(), slots.total()),
        counters.map.index_conflicts + counters.map.value_conflicts,
        slots.replays,
    );
    let named = |name: &str, part, whole| format!("{name} {:.0} %", share(part, whole));
    let empty = Empty::ALL.map(|cause| named(cause.name(), slots.empty[cause as usize], slots.total()));
    let stalls = Stall::ALL.map(|stall| named(stall.name(), counters.stalls[stall as usize], counters.cycles));
    println!("    empty: {}; dispatcher: {}", empty.join(", "), stalls.join(", "));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let packets = u64::from(argument(2_000_000)?.max(1));
    let flows = argument(10_000)?.max(1);
    let runs = argument(u32::MAX)? as usize;
    let gap = argument(0)?.into();
    let modes = [
        (DispatchMode::Any, Scheduler::Fast),
        (DispatchMode::Flow, Scheduler::Fast),
        (DispatchMode::Cpu, Scheduler::Fast),
        (DispatchMode::Any, Scheduler::Plain),
    ];
    modes.into_iter().take(runs).try_for_each(|(mode, scheduler)| measure(packets, flows, gap, mode, scheduler))
}
