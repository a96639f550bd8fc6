//! Many packets: who runs when, who leaves when, what is dropped.

mod common;

use common::{Random, TINY, load, map};
use device_model::{Admission, Arrival, At, Departure, Device, Event, MapId, OfferError, Stall, Trace};
use offwire_image::{DispatchMode, MapKind};
use offwire_isa::{Profile, Word, X16};

fn words(text: &str) -> Vec<Word> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.parse().unwrap()).collect()
}

/// A UDP packet of a flow; byte 42 says how many turns the program shall take.
fn packet(flow: u8, turns: u8) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
    bytes[23] = 17;
    bytes[26..34].copy_from_slice(&[10, 0, 0, flow, 10, 0, 0, 1]);
    bytes[34..38].copy_from_slice(&[1, flow.wrapping_mul(91), 2, flow.wrapping_mul(53)]);
    bytes[42] = turns;
    bytes
}

/// Takes as many turns as byte 42 says; XDP_TX, or XDP_DROP if byte 42 is odd.
const TURNS: &str = "
    ld pkt[0+42] x0=1@0; a1=and.32 x0,i0; i0=1; r2=x0 r3=a1; next=@1
    ra=r2; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r2=a1; t1=@1 next=@2
    ra=r3; c1=ne.32 ra,0; t1=drop next=tx
";

/// A packet, when it started, its vCPU.
type Start = (u64, u64, u16);

/// When each packet started and ended.
#[derive(Clone, Debug, Default)]
struct Spans(Vec<Start>, Vec<u64>);

impl Trace for Spans {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { at: At { cycle, seq, .. }, vcpu } => self.0.push((seq, cycle, vcpu)),
            Event::Exited { cycle, seq, .. } => {
                self.1.resize(self.1.len().max(seq as usize + 1), 0);
                self.1[seq as usize] = cycle;
            }
            _ => {}
        }
    }
}

fn run(profile: &'static Profile, mode: DispatchMode, count: u64, flows: u64) -> (Vec<Departure>, Device<Spans>) {
    let mut device = Device::with_trace(profile, Spans::default());
    device.set_admission(Admission::Hold);
    load(&mut device, &words(TURNS), &[], mode, 10_000);
    let random = &mut Random(count);
    for _ in 0..count {
        let bytes = packet(random.below(flows) as u8, random.below(20) as u8);
        device.offer(Arrival { port: random.below(2) as u16, bytes, ..Arrival::default() }).unwrap();
    }
    device.run_until_idle();
    (device.departures().collect(), device)
}

fn flow(departure: &Departure) -> u8 {
    departure.bytes[29]
}

/// Packets of one port and flow leave in the order in which they came, in every mode; otherwise order is free, and used.
#[test]
fn order_is_kept_per_port_and_flow() {
    for profile in [&TINY, &X16] {
        for mode in [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any] {
            let (departures, _) = run(profile, mode, 300, 7);
            assert_eq!(departures.len(), 300);
            for key in 0..14 {
                let of_key: Vec<u64> = departures
                    .iter()
                    .filter(|out| u16::from(flow(out)) * 2 + out.port == key)
                    .map(|out| out.seq)
                    .collect();
                assert!(of_key.is_sorted(), "{mode:?}: flow and port {key}: {of_key:?}");
                assert!(of_key.len() > 5);
            }
            let all: Vec<u64> = departures.iter().map(|out| out.seq).collect();
            assert!(!all.is_sorted(), "{mode:?}: no packet overtook one of another flow");
            assert!(departures.is_sorted_by_key(|out| out.departed));
        }
    }
}

/// What a mode serialises never overlaps; what it does not, does.
#[test]
fn modes_serialise_what_they_say() {
    for mode in [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any] {
        let (departures, device) = run(&TINY, mode, 300, 7);
        let Spans(started, ended) = device.trace();
        let mut flows = vec![0; departures.len()];
        for out in &departures {
            flows[out.seq as usize] = flow(out);
        }
        let overlaps = |same: &dyn Fn(&Start, &Start) -> bool| {
            let mut count = 0;
            for first in started {
                for second in started {
                    let later = first.1 < second.1 || (first.1 == second.1 && first.0 < second.0);
                    if later && same(first, second) && second.1 < ended[first.0 as usize] {
                        count += 1;
                    }
                }
            }
            count
        };
        let by_vcpu = overlaps(&|first, second| first.2 == second.2);
        let by_flow = overlaps(&|first, second| flows[first.0 as usize] == flows[second.0 as usize]);
        match mode {
            DispatchMode::Cpu => assert_eq!((by_vcpu, by_flow), (0, 0)),
            DispatchMode::Flow => assert!(by_vcpu > 10 && by_flow == 0, "{by_vcpu} {by_flow}"),
            DispatchMode::Any => assert!(by_vcpu > 10 && by_flow > 10, "{by_vcpu} {by_flow}"),
        }
    }
}

/// In mode `cpu` an unlocked read, change and write of shared state loses nothing, with everything in flight that fits.
#[test]
fn unlocked_counters_are_right_where_packets_are_serialised() {
    let program = words(
        "ld scr[0+20] x0=4@0; st stack[0+0] s0=0:4@0; q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
         ra=r2; ld map[ra+0] x0=8@0; a1=add.64 x0,i0; i0=1; st map[ra+0] s0=a1:8@0; next=tx",
    );
    for (mode, exact) in [(DispatchMode::Cpu, true), (DispatchMode::Any, false)] {
        let mut device = Device::new(&X16);
        device.set_admission(Admission::Hold);
        load(&mut device, &program, &[map(MapKind::PercpuArray, 4, 8, 1)], mode, 10_000);
        for n in 0..2000u64 {
            device.offer(Arrival { bytes: packet((n % 5) as u8, 0), ..Arrival::default() }).unwrap();
        }
        device.run_until_idle();
        let values = &device.map_entries(MapId(0)).unwrap()[0].1;
        let sum: u64 = values.iter().map(|value| u64::from_le_bytes(value[..8].try_into().unwrap())).sum();
        assert_eq!(sum == 2000, exact, "{mode:?}: {sum}");
        assert_eq!(device.counters().verdicts[3], 2000);
    }
}

/// Posted adds lose nothing in any mode.
#[test]
fn adds_are_atomic() {
    let program = words(
        "q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
         ra=r2; i0=1 i1=2; st.add64 map[ra+0] s0=i0:8@0; next=@2
         ra=r2; i0=1 i1=2; st.add32 map[ra+12] s0=i1:4@0; next=drop",
    );
    let mut device = Device::new(&X16);
    device.set_admission(Admission::Hold);
    load(&mut device, &program, &[map(MapKind::Array, 4, 16, 1)], DispatchMode::Any, 10_000);
    for n in 0..2000u64 {
        device.offer(Arrival { bytes: packet((n % 50) as u8, 0), ..Arrival::default() }).unwrap();
    }
    device.run_until_idle();
    let value = device.map_lookup(MapId(0), &[0; 4], 0).unwrap().unwrap();
    assert_eq!(value[..8], 2000u64.to_le_bytes());
    assert_eq!(value[8..12], [0; 4]);
    assert_eq!(value[12..], 4000u32.to_le_bytes());
    let counters = device.counters();
    assert_eq!(counters.map.adds, 4000);
    assert!(counters.map.value_conflicts > 1000, "one element is in one bank");
}

/// A packet that finds the FIFO full is dropped and counted; the others are not disturbed.
#[test]
fn a_full_fifo_drops_the_tail() {
    let mut device = Device::new(&TINY);
    load(&mut device, &words(TURNS), &[], DispatchMode::Cpu, 10_000);
    // All in the same cycle: six fill the FIFO, the rest is lost.
    for _ in 0..20 {
        device.offer(Arrival { bytes: packet(1, 2), ..Arrival::default() }).unwrap();
    }
    device.run_until_idle();
    let seqs: Vec<u64> = device.departures().map(|out| out.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 5]);
    let counters = device.counters();
    assert_eq!((counters.arrivals, counters.tail_drops, counters.dispatched), (20, 14, 6));
    assert!(counters.stalls[Stall::Serialised as usize] > 0);
}

/// The restorer's entries bound what is between dispatch and departure, and the dispatcher says so.
#[test]
fn a_full_restorer_stalls_the_dispatcher() {
    static FEW: Profile = Profile { restorer_entries: 2, ..TINY };
    let (departures, device) = run(&FEW, DispatchMode::Any, 40, 7);
    let mut open = 0i32;
    let mut edges: Vec<(u64, i32)> =
        departures.iter().flat_map(|out| [(out.dispatched, 1), (out.departed, -1)]).collect();
    // An entry that is freed in a cycle is free in the next one, so departures come after dispatches.
    edges.sort_by_key(|&(cycle, change)| (cycle, -change));
    for (_, change) in edges {
        open += change;
        assert!(open <= 2);
    }
    assert!(device.counters().stalls[Stall::RestorerFull as usize] > 0);
}

/// A saturated engine issues a word in every cycle.
#[test]
fn a_saturated_engine_loses_no_slot() {
    static ONE: Profile = Profile { engines: 1, ..X16 };
    let mut device = Device::new(&ONE);
    device.set_admission(Admission::Hold);
    load(&mut device, &words(TURNS), &[], DispatchMode::Any, 10_000);
    for n in 0..400u64 {
        device.offer(Arrival { bytes: packet((n % 50) as u8, 30), ..Arrival::default() }).unwrap();
    }
    device.run_until(2000);
    let before = device.counters().slots;
    device.run_until(10_000);
    let after = device.counters().slots;
    assert_eq!(after.words - before.words, 8000, "{after:?}");
}

#[test]
fn packets_that_cannot_be_are_refused() {
    let mut device = Device::new(&TINY);
    let arrival = |len, cycle| Arrival { cycle, bytes: vec![0; len], ..Arrival::default() };
    load(&mut device, &words("next=pass"), &[], DispatchMode::Cpu, 100);
    assert_eq!(device.offer(arrival(13, 0)), Err(OfferError::Length(13)));
    assert_eq!(device.offer(arrival(3521, 0)), Err(OfferError::Length(3521)));
    assert_eq!(device.offer(Arrival { vcpu: Some(4), ..arrival(60, 0) }), Err(OfferError::Vcpu(4)));
    assert_eq!(device.offer(Arrival { port: 64, ..arrival(60, 0) }), Err(OfferError::Port(64)));
    assert_eq!(device.offer(arrival(3520, 50)), Ok(0));
    assert_eq!(device.offer(arrival(14, 49)), Err(OfferError::Past { cycle: 49, now: 50 }));
    device.run_until(1000);
    assert_eq!(device.offer(arrival(14, 999)), Err(OfferError::Past { cycle: 999, now: 1000 }));
    assert_eq!(device.departures().map(|out| (out.seq, out.retval)).collect::<Vec<_>>(), [(0, 2)]);
    assert_eq!(device.now(), 1000);
}
