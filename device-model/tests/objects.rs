//! Random programs that come and go, with maps that they share, hand over and lose, while packets are in flight: both schedulers
//! see the same, no packet is lost, and what was freed comes back. If this fails, the device forgets something that a packet still
//! uses, or keeps something for ever.

mod common;

use common::{LINKS, LOCKS, Random, TINY, arrivals, maps, mode, useful_program};
use device_model::{
    Counters, Departure, Device, MapId, MapImage, Parts, PendingFrees, ProgramId, Scheduler, Trace, Update,
};
use offwire_image::MapKind;
use offwire_isa::{CodeAddr, Profile, Word};

/// A store that three programs fill.
static FEW: Profile = Profile { instruction_store_words: 64, ..TINY };

#[derive(Debug, PartialEq)]
struct Seen {
    departures: Vec<Departure>,
    /// Each call of the control plane with its result.
    calls: Vec<String>,
    counters: Counters,
}

/// A program that forges a pointer: registers 12 and 13 name an element of a slot that it may have or not.
fn forged(random: &mut Random) -> Vec<Word> {
    let mut words = useful_program(random);
    let (slot, register) = (0x400 + random.below(22), 12 + random.below(2));
    let text = format!("a1=lsh.64 i0,i1; i0={slot:#x} i1=52; r{register}=a1; next=@2");
    words[1] = text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"));
    words
}

/// Loads a random program; the maps of its image come from other programs as often as not.
fn load<T: Trace>(device: &mut Device<T>, random: &mut Random) -> String {
    let words = if random.once_in(3) { forged(random) } else { useful_program(random) };
    let specs = maps();
    let image = MapImage { maps: &specs, links: &LINKS, locks: &LOCKS, programs: 2 };
    let given: Vec<Option<MapId>> = (0..specs.len())
        .map(|slot| {
            let other = ProgramId(random.below(4) as u16);
            let wanted = random.once_in(2) && specs[slot].kind != MapKind::ProgArray;
            let slot = if random.once_in(100) { 0 } else { slot };
            wanted.then(|| device.program_info(other).ok().map(|other| other.maps[slot])).flatten()
        })
        .collect();
    let entry = CodeAddr(0);
    let programs = [entry, CodeAddr(2)];
    let parts = Parts {
        name: "random",
        words: &words,
        entry,
        programs: &programs,
        maps: image,
        mode: mode(random),
        budget: random.pick(&[40, 300, 3000]),
    };
    format!("{:?} {given:?}", device.program_load_parts(&parts, &given))
}

/// A map of maps that some program has.
fn outer<T: Trace>(device: &Device<T>, random: &mut Random) -> MapId {
    let program = ProgramId(random.below(4) as u16);
    device.program_info(program).map_or(MapId(11), |program| program.maps[random.pick(&[11, 11, 14])])
}

/// A call of the control plane, and what came of it.
fn call<T: Trace>(device: &mut Device<T>, random: &mut Random) -> String {
    let program = ProgramId(random.below(5) as u16);
    let any = MapId(random.below(60) as u16);
    let port = random.below(2) as u16;
    let key = [random.below(3) as u8, 0, 0, 0];
    match random.below(17) {
        0..3 => {
            let mode = random.once_in(2).then(|| mode(random));
            format!("attach {port} {program:?} {mode:?}: {:?}", device.attach(port, program, mode))
        }
        3 if random.once_in(2) => format!("detach {port}: {:?}", device.detach(port)),
        3..6 => format!("load: {}", load(device, random)),
        6 | 7 => format!("unload {program:?}: {:?}", device.program_unload(program)),
        8 | 9 => {
            // An inner map as the images have them, put into a map of maps.
            let like = random.pick(&[12, 2]);
            let lock = LOCKS.iter().find(|lock| usize::from(lock.map) == like).map(|lock| lock.offset);
            let made = device.map_create(&maps()[like], lock, None);
            let outer = outer(device, random);
            let put =
                made.ok().map(|map| device.map_update_bytes(outer, &key, &u32::from(map.0).to_le_bytes(), Update::Any));
            format!("inner {made:?} in {outer:?}: {put:?}")
        }
        10 => {
            let outer = outer(device, random);
            format!("delete in {outer:?}: {:?}", device.map_delete(outer, &key))
        }
        11 => {
            let (outer, to) = (outer(device, random), u32::from(any.0).to_le_bytes());
            format!("{any:?} in {outer:?}: {:?}", device.map_update_bytes(outer, &key, &to, Update::Any))
        }
        12 | 13 => format!("free {any:?}: {:?}", device.map_free(any)),
        14 => {
            let Ok(state) = device.map_info(any) else { return format!("{any:?} is none") };
            let copies = device.map_copies(any).unwrap() as usize;
            let mut key = vec![0; state.spec.key_size as usize];
            if let Some(first) = key.first_mut() {
                *first = random.below(4) as u8;
            }
            let value = vec![random.below(9) as u8; state.spec.value_size as usize];
            format!("update {any:?}: {:?}", device.map_update(any, &key, &vec![value; copies], Update::Any))
        }
        15 => format!("counters {:?} {:?}", device.program_counters(program), device.port_counters(port)),
        _ => format!("{:?} {:?} {:?}", device.pending_frees(), device.map_memory(), device.store_words()),
    }
}

fn run<T: Trace>(device: &mut Device<T>, seed: u64, scheduler: Scheduler) -> Seen {
    let random = &mut Random(seed);
    device.set_scheduler(scheduler);
    let mut seen = Seen { departures: Vec::new(), calls: Vec::new(), counters: Counters::default() };
    for _ in 0..2 {
        seen.calls.push(load(device, random));
        seen.calls.push(call(device, random));
    }
    let mut now = 0;
    for mut arrival in arrivals(random, 250, u64::from(TINY.vcpus)) {
        arrival.cycle = (arrival.cycle / 3).max(now);
        let stop = random.once_in(5).then(|| arrival.cycle + random.below(60));
        now = arrival.cycle;
        device.offer(arrival).unwrap();
        if let Some(stop) = stop {
            device.run_until(stop);
            now = stop;
            seen.departures.extend(device.departures());
            for _ in 0..=random.below(6) {
                seen.calls.push(call(device, random));
            }
        }
    }
    device.run_until_idle();
    seen.departures.extend(device.departures());
    seen.counters = device.counters();
    seen
}

/// Everything is taken down: nothing is left.
fn empty<T: Trace>(device: &mut Device<T>, seed: u64) {
    for port in 0..2 {
        let _ = device.detach(port);
    }
    while let Some(program) = device.program_next_id(None) {
        device.program_unload(program).unwrap();
    }
    // Maps of maps hold others.
    for _ in 0..2 {
        let mut map = None;
        while let Some(next) = device.map_next_id(map) {
            let _ = device.map_free(next);
            map = Some(next);
        }
    }
    device.run_until(device.now() + 1000);
    assert_eq!(device.map_next_id(None), None, "seed {seed}: a map cannot be freed");
    assert_eq!(device.pending_frees(), PendingFrees::default(), "seed {seed}");
    assert!(device.quiesced(), "seed {seed}");
    assert_eq!((device.map_memory().0, device.store_words().0), (0, 0), "seed {seed}");
}

#[test]
fn both_schedulers_see_the_same() {
    let mut reached = [0usize; 14];
    for seed in 0..150 {
        let (mut fast, mut plain) = (Device::new(&FEW), Device::new(&FEW));
        let seen = run(&mut fast, seed, Scheduler::Fast);
        let other = run(&mut plain, seed, Scheduler::Plain);
        for (n, (fast, plain)) in seen.calls.iter().zip(&other.calls).enumerate() {
            assert_eq!(fast, plain, "seed {seed}, call {n}");
        }
        for (n, (fast, plain)) in seen.departures.iter().zip(&other.departures).enumerate() {
            assert_eq!(fast, plain, "seed {seed}, departure {n}");
        }
        assert_eq!(seen, other, "seed {seed}");
        let counters = &seen.counters;
        assert_eq!(counters.arrivals, 250, "seed {seed}");
        assert_eq!(counters.departed() + counters.tail_drops, 250, "seed {seed}: packets were lost");
        assert_eq!(counters.slots.total(), counters.cycles * u64::from(FEW.engines), "seed {seed}: slots");
        empty(&mut fast, seed);

        let calls =
            |what: &[&str]| seen.calls.iter().filter(|call| what.iter().all(|what| call.contains(what))).count();
        let marks = [
            seen.departures.iter().filter(|out| out.program.is_none()).count(),
            seen.departures.iter().filter(|out| out.program.is_some()).count(),
            calls(&["attach", "Ok(Some"]),
            calls(&["detach", "Ok"]),
            calls(&["load: Ok", "Some(MapId"]),
            calls(&["load: Err(StoreFull"]),
            calls(&["load: Err(Mismatch"]),
            calls(&["unload", "Ok"]),
            calls(&["inner Ok", "Some(Ok"]),
            calls(&["MapId", "in MapId", ": Ok(())"]),
            calls(&["free MapId", "Ok"]),
            calls(&["free MapId", "InUse"]),
            calls(&["PendingFrees { maps: 0, programs: 1 }"]) + calls(&["PendingFrees { maps: 1"]),
            counters.map.updates as usize,
        ];
        for (reached, mark) in reached.iter_mut().zip(marks) {
            *reached += mark;
        }
    }
    assert!(reached.iter().all(|&times| times > 20), "something was hardly reached: {reached:?}");
}
