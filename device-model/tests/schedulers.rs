//! The fast scheduler against the plain one, which steps every block in every cycle: random programs, packets and crowded
//! profiles. If this fails, running ahead or skipping cycles shows, and no cycle count of the fast scheduler can be believed.

mod common;

use common::{Random, TINY, arrivals, load_all, maps, mode, useful_program};
use device_model::{
    Admission, At, Counters, Departure, Device, Empty, Entry, Event, MapError, MapId, Scheduler, Trace, Update,
};
use offwire_image::MapKind;
use offwire_isa::{Profile, SMALL, X16};

/// What can be seen of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    departures: Vec<Departure>,
    counters: Vec<Counters>,
    maps: Vec<Vec<Entry>>,
    answers: Vec<Result<(), MapError>>,
    now: u64,
}

/// An operation of the user on some map, in the middle of things.
fn by_user<T: Trace>(device: &mut Device<T>, random: &mut Random) -> Result<(), MapError> {
    let map = random.pick(&[0, 1, 2, 3, 5, 6, 6, 7, 8, 9, 10, 11, 14]);
    let spec = &maps()[map];
    let mut key = vec![0; spec.key_size as usize];
    key[0] = random.below(5) as u8;
    if spec.kind == MapKind::LpmTrie {
        key[4..].fill(random.below(3) as u8);
    }
    if random.once_in(3) {
        return device.map_delete(MapId(map as u16), &key);
    }
    let mut value = vec![random.below(8) as u8; spec.value_size as usize];
    if matches!(spec.kind, MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps | MapKind::Devmap) {
        value[1..].fill(0);
    }
    let how = random.pick(&[Update::Any, Update::Any, Update::NoExist, Update::Exist]);
    device.map_update(MapId(map as u16), &key, &[value], how)
}

fn run<T: Trace>(mut device: Device<T>, seed: u64, scheduler: Scheduler) -> (Seen, Device<T>) {
    let mut random = Random(seed);
    let random = &mut random;
    device.set_scheduler(scheduler);
    let program = useful_program(random);
    let budget = random.pick(&[40, 300, 3000]);
    load_all(&mut device, &program, mode(random), budget);
    if random.once_in(3) {
        device.set_chance(random.next(), random.next(), random.next());
    }
    device.set_admission(if random.once_in(3) { Admission::Hold } else { Admission::Drop });
    let vcpus = u64::from(device.profile().vcpus);
    let mut seen = Seen { departures: Vec::new(), counters: Vec::new(), maps: Vec::new(), answers: Vec::new(), now: 0 };
    for round in 0..3 {
        // Stop in the middle of things now and then, and look.
        for mut arrival in arrivals(random, 50, vcpus) {
            arrival.cycle += device.now().max(seen.now);
            let stop = random.once_in(10).then(|| arrival.cycle + random.below(100));
            seen.now = arrival.cycle;
            device.offer(arrival).unwrap();
            if let Some(stop) = stop {
                device.run_until(stop);
                seen.now = stop;
                seen.counters.push(device.counters());
                seen.departures.extend(device.departures());
                for _ in 0..random.below(4) {
                    seen.answers.push(by_user(&mut device, random));
                    for (slot, spec) in maps().iter().enumerate() {
                        let entries = device.map_entries(MapId(slot as u16)).unwrap().len() as u64;
                        assert!(entries <= u64::from(spec.max_entries), "seed {seed}: {entries} in map {slot}");
                    }
                }
            }
        }
        if round != 1 {
            device.run_until_idle();
        }
        seen.now = seen.now.max(device.now());
    }
    device.run_until_idle();
    seen.now = device.now();
    seen.counters.push(device.counters());
    seen.departures.extend(device.departures());
    seen.maps = (0..maps().len()).map(|slot| device.map_entries(MapId(slot as u16)).unwrap()).collect();
    (seen, device)
}

/// Counts that add up, whatever ran.
fn audit(seen: &Seen, profile: &Profile, seed: u64) {
    for counters in &seen.counters {
        let slots = &counters.slots;
        assert_eq!(slots.total(), counters.cycles * u64::from(profile.engines), "seed {seed}: slots");
    }
    let last = seen.counters.last().unwrap();
    assert_eq!(last.arrivals, last.dispatched + last.tail_drops, "seed {seed}");
    assert_eq!(last.departed(), last.dispatched, "seed {seed}");
    assert_eq!(last.departed(), seen.departures.len() as u64, "seed {seed}");
    let sum = |field: fn(&Departure) -> u32| seen.departures.iter().map(|out| u64::from(field(out))).sum::<u64>();
    assert_eq!(last.slots.words, sum(|out| out.words), "seed {seed}: words");
    assert_eq!(last.slots.used(), sum(|out| out.slots), "seed {seed}: slots of packets");
}

#[test]
fn both_schedulers_see_the_same() {
    let mut reached = [0u64; 26];
    for seed in 0..360 {
        let profile: &'static Profile = match seed % 8 {
            0 => &SMALL,
            1 if seed < 20 => &X16,
            _ => &TINY,
        };
        let (fast, _) = run(Device::new(profile), seed, Scheduler::Fast);
        let (plain, _) = run(Device::new(profile), seed, Scheduler::Plain);
        for (n, (fast, plain)) in fast.departures.iter().zip(&plain.departures).enumerate() {
            assert_eq!(fast, plain, "seed {seed}, departure {n}");
        }
        assert_eq!(fast, plain, "seed {seed}");
        audit(&fast, profile, seed);
        let last = fast.counters.last().unwrap();
        let marks = [
            last.slots.replays[0],
            last.slots.replays[1],
            last.slots.replays[2],
            last.tail_drops,
            last.map.lookup_hits,
            last.map.updates,
            last.map.deletes,
            last.map.adds,
            last.map.index_conflicts,
            last.map.value_conflicts,
            last.slots.answer_wait_cycles,
            last.stalls[2],
            last.map.atomics,
            last.map.fences,
            last.map.locks,
            last.map.lock_conflicts,
            last.map.evictions,
            last.map.ring_records,
            last.map.ring_full,
            last.map.perf_events,
            last.map.redirects,
            last.map.tail_calls,
            last.slots.empty[Empty::Unit as usize],
            fast.departures.iter().filter(|out| !out.meta.is_empty()).count() as u64,
            fast.departures.iter().map(|out| out.events.len() as u64).sum(),
            fast.departures.iter().filter(|out| out.redirect.is_some()).count() as u64,
        ];
        for (reached, mark) in reached.iter_mut().zip(marks) {
            *reached += mark;
        }
    }
    assert!(reached.iter().all(|&times| times > 50), "something was hardly reached: {reached:?}");
}

/// Keeps what it is told, in words.
#[derive(Clone, Debug, Default, PartialEq)]
struct Log(Vec<String>);

impl Trace for Log {
    fn event(&mut self, event: Event<'_>) {
        self.0.push(format!("{event:?}"));
    }
}

/// A trace changes nothing, and is the same under both schedulers.
#[test]
fn a_trace_changes_nothing() {
    for seed in 1000..1040 {
        let (silent, _) = run(Device::new(&TINY), seed, Scheduler::Fast);
        let (fast, fast_log) = run(Device::with_trace(&TINY, Log::default()), seed, Scheduler::Fast);
        let (plain, plain_log) = run(Device::with_trace(&TINY, Log::default()), seed, Scheduler::Plain);
        assert_eq!(silent, fast, "seed {seed}");
        assert_eq!(silent, plain, "seed {seed}");
        let (fast, plain) = (&fast_log.trace().0, &plain_log.trace().0);
        for (fast, plain) in fast.iter().zip(plain) {
            assert_eq!(fast, plain, "seed {seed}");
        }
        assert_eq!(fast.len(), plain.len(), "seed {seed}");
        assert!(fast.len() > 100, "seed {seed}: nothing was told");
    }
}

/// Words of one context are at least the pipeline's depth apart, and an engine issues one word in a cycle at most.
#[test]
fn no_context_issues_twice_within_the_pipe() {
    #[derive(Default)]
    struct Issues(Vec<At>);
    impl Trace for Issues {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Retired { at, .. } | Event::Refused { at, .. } = event {
                self.0.push(at);
            }
        }
    }
    for seed in 2000..2020 {
        let (_, device) = run(Device::with_trace(&TINY, Issues::default()), seed, Scheduler::Fast);
        let depth = u64::from(TINY.pipeline_depth);
        let issues = &device.trace().0;
        for engine in 0..2 {
            let mut last = [None::<u64>; 64];
            let mut before = None;
            for at in issues.iter().filter(|at| at.engine == engine) {
                assert!(before < Some(at.cycle), "seed {seed}: two words in cycle {}", at.cycle);
                before = Some(at.cycle);
                let context = &mut last[usize::from(at.context)];
                assert!(context.is_none_or(|last| at.cycle >= last + depth), "seed {seed}: {at:?} after {context:?}");
                *context = Some(at.cycle);
            }
        }
    }
}
