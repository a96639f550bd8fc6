//! How fast the model runs on this machine: a 5-tuple firewall in hand-made words (a hash lookup and an atomic add a packet,
//! XDP_TX on a hit), 64 B packets, profile `x16`, offered faster than the device takes them.
//!
//! `cargo run --release -p device-model --example speed [packets] [flows] [runs]`

use std::time::Instant;

use device_model::{Admission, Arrival, Device, Empty, Scheduler, Stall};
use offwire_image::{DispatchMode, MapKind, MapSpec};
use offwire_isa::{AluOp, Base, CmpOp, CodeAddr, Read, RequestOp, Space, Src, StoreOp, Target, Word, X16};

const PASS: Target = Target::Exit(2);
const TX: Target = Target::Exit(3);

fn goto(at: u16) -> Target {
    Target::Goto(CodeAddr(at))
}

/// The firewall. The key is 16 B on the stack from 496: addresses, ports, protocol.
fn firewall() -> Vec<Word> {
    let zero = Read::Const(0).encode();
    let plain = Word { ra: zero, rb: zero, rc: zero, ..Word::default() };
    let load = |off, first: (u8, u8), second: (u8, u8)| Word {
        ld_off: off,
        x0_delta: first.0,
        x0_size: first.1,
        x1_delta: second.0,
        x1_size: second.1,
        ..plain
    };
    vec![
        // In bounds, IPv4 without options.
        Word {
            g_en: true,
            g_len: 42,
            x0_swap: true,
            c1_op: CmpOp::Ne,
            c1_a: Src::X0,
            c1_b: Src::I0,
            i0: 0x0800,
            c2_op: CmpOp::Ne,
            c2_a: Src::X1,
            c2_b: Src::I1,
            i1: 0x45,
            t1: PASS,
            t2: PASS,
            next: goto(1),
            ..load(12, (0, 2), (2, 1))
        },
        // Protocol and source address into the key.
        Word {
            c1_op: CmpOp::Ne,
            c1_a: Src::X0,
            c1_b: Src::I0,
            i0: 17,
            t1: PASS,
            st_op: StoreOp::Store,
            st_space: Space::Stack,
            st_off: 496,
            s0_size: 4,
            s0_src: Src::X1,
            s1_delta: 12,
            s1_size: 4,
            s1_src: Src::X0,
            next: goto(2),
            ..load(23, (0, 1), (3, 4))
        },
        // Destination address and ports into the key.
        Word {
            st_op: StoreOp::Store,
            st_space: Space::Stack,
            st_off: 500,
            s0_size: 4,
            s0_src: Src::X0,
            s1_delta: 4,
            s1_size: 4,
            s1_src: Src::X1,
            next: goto(3),
            ..load(30, (0, 4), (4, 4))
        },
        Word {
            q_op: RequestOp::Lookup,
            q_kspace: Space::Stack,
            q_koff: 496,
            q_dst: 2,
            q_null: true,
            t2: PASS,
            next: goto(4),
            ..plain
        },
        // Packets += 1.
        Word {
            ra: Read::Reg(2).encode(),
            st_op: StoreOp::Add64,
            st_space: Space::MapValue,
            st_base: Base::Ra,
            s0_size: 8,
            s0_src: Src::I0,
            i0: 1,
            next: goto(5),
            ..plain
        },
        // MAC addresses.
        Word {
            st_op: StoreOp::Store,
            s0_delta: 6,
            s0_size: 6,
            s0_src: Src::X0,
            s1_size: 6,
            s1_src: Src::X1,
            next: goto(6),
            ..load(0, (0, 6), (6, 6))
        },
        // IPv4 addresses.
        Word {
            st_op: StoreOp::Store,
            st_off: 26,
            s0_delta: 4,
            s0_size: 4,
            s0_src: Src::X0,
            s1_size: 4,
            s1_src: Src::X1,
            next: goto(7),
            ..load(26, (0, 4), (4, 4))
        },
        // Ports.
        Word {
            st_op: StoreOp::Store,
            st_off: 34,
            s0_delta: 2,
            s0_size: 2,
            s0_src: Src::X0,
            s1_size: 2,
            s1_src: Src::X1,
            next: goto(8),
            ..load(34, (0, 2), (2, 2))
        },
        // TTL - 1; the checksum is patched.
        Word {
            a1_op: AluOp::Sub,
            a1_a: Src::X0,
            a1_b: Src::I0,
            i0: 1,
            c1_op: CmpOp::Ltu,
            c1_a: Src::X0,
            c1_b: Src::I1,
            i1: 2,
            t1: PASS,
            st_op: StoreOp::Store,
            st_off: 22,
            st_kill1: true,
            s0_size: 1,
            s0_src: Src::A1,
            next: goto(9),
            ..load(22, (0, 1), (0, 0))
        },
        Word {
            a1_op: AluOp::Add,
            a1_w: true,
            a1_a: Src::X0,
            a1_b: Src::I0,
            i0: 1,
            st_op: StoreOp::Store,
            st_off: 24,
            s0_size: 2,
            s0_src: Src::A1,
            next: TX,
            ..load(24, (0, 2), (0, 0))
        },
    ]
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

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap_or(0));
    let packets = u64::from(arguments.next().unwrap_or(2_000_000).max(1));
    let flows = arguments.next().unwrap_or(10_000).max(1);
    let runs = arguments.next().unwrap_or(u32::MAX);
    let map = MapSpec {
        name: "flows".into(),
        kind: MapKind::Hash,
        key_size: 16,
        value_size: 16,
        max_entries: flows,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    for (mode, scheduler) in [
        (DispatchMode::Any, Scheduler::Fast),
        (DispatchMode::Flow, Scheduler::Fast),
        (DispatchMode::Cpu, Scheduler::Fast),
        (DispatchMode::Any, Scheduler::Plain),
    ]
    .into_iter()
    .take(runs as usize)
    {
        let mut device = Device::new(&X16);
        device.set_scheduler(scheduler);
        device.set_admission(Admission::Hold);
        let loaded = device.load_words(&firewall(), CodeAddr(0), std::slice::from_ref(&map), mode, 1 << 20);
        if let Err(error) = loaded {
            eprintln!("{error}");
            std::process::exit(1);
        }
        let mut frame = Vec::new();
        for flow in 0..flows {
            make(&mut frame, flow);
            let updated = device.map_update(0, &key(&frame), &[vec![0; 16]], Default::default());
            assert_eq!(updated, Ok(()));
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
                let arrival = Arrival { cycle: device.now(), ingress_ifindex: 1, bytes, ..Arrival::default() };
                if let Err(error) = device.offer(arrival) {
                    eprintln!("{error}");
                    std::process::exit(1);
                }
                offered += 1;
            }
            device.run_until(device.now() + 400);
            for departure in device.departures() {
                latencies.push(departure.exited - departure.dispatched);
                pool.push(departure.bytes);
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let counters = device.counters();
        let share = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
        latencies.sort_unstable();
        println!(
            "{scheduler:?} {mode:?}: {:.2} M packets/s host, {:.1} words a packet, {:.2} packets a cycle ({:.1} Mpps modelled)",
            packets as f64 / seconds / 1e6,
            counters.slots.words as f64 / packets as f64,
            packets as f64 / counters.cycles as f64,
            packets as f64 / counters.cycles as f64 * f64::from(X16.clock_mhz),
        );
        println!(
            "    dispatch to exit {} / {} cycles (p50 / p99), slots used {:.0} %, map conflicts {}, replays {:?}",
            latencies[latencies.len() / 2],
            latencies[latencies.len() * 99 / 100],
            share(counters.slots.used(), counters.slots.total()),
            counters.map.index_conflicts + counters.map.value_conflicts,
            counters.slots.replays,
        );
        let empty = Empty::ALL.map(|cause| {
            format!("{} {:.0} %", cause.name(), share(counters.slots.empty[cause as usize], counters.slots.total()))
        });
        let stalls = Stall::ALL
            .map(|stall| format!("{} {:.0} %", stall.name(), share(counters.stalls[stall as usize], counters.cycles)));
        println!("    empty: {}; dispatcher: {}", empty.join(", "), stalls.join(", "));
    }
}
