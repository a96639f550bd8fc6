//! Many packets in flight on the model: what they did to maps, in the order in which it took effect, is what eBPF allows.

mod common;

use common::{example_arguments, examples, offwire};
use offwire_harness::overlap::{Op, Run};
use std::ffi::OsString;

fn overlap(name: &str, random: &str) -> common::Ran {
    let mut arguments: Vec<OsString> = vec!["diff".into(), "-j".into(), "--overlap".into()];
    arguments.extend(example_arguments(name));
    arguments.extend(["--random".into(), random.into(), "--seed".into(), "3".into()]);
    offwire(&arguments)
}

#[test]
fn examples_agree_with_the_logged_order_in_each_mode() {
    let mut most = 0;
    for name in examples() {
        let ran = overlap(&name, "3000");
        assert_eq!(ran.code, 0, "{name}: {}\n{}", ran.stdout, ran.stderr);
        let report = ran.json();
        assert_eq!(report["result"], "equal", "{name}: {report}");
        let modes = report["modes"].as_array().expect("modes");
        assert!(!modes.is_empty() && modes[0]["mode"] == "cpu", "{name}: {report}");
        most = modes.iter().filter_map(|mode| mode["overlapping"].as_u64()).max().unwrap_or(0).max(most);
    }
    assert!(most >= 16, "at most {most} packets were at work on maps at the same time: that tests nothing");
}

/// A run of the example `learn`, and whether it is found to be one that eBPF allows.
mod learn {
    use super::common::root;
    use offload_compiler::CompileOptions;
    use offload_compiler::object::{LoadOptions, Object, load};
    use offwire_cli::args::DispatchArg;
    use offwire_cli::backends::{Prepared, fits_device};
    use offwire_harness::PacketIn;
    use offwire_harness::capture;
    use offwire_harness::mapfile::Contents;
    use offwire_harness::overlap::{Finding, Run, check};
    use offwire_harness::random::RandomPackets;
    use offwire_image::DispatchMode;
    use offwire_isa::Profile;

    pub(super) struct Learn {
        object: Object,
        packets: Vec<PacketIn>,
        pub(super) run: Run,
    }

    impl Learn {
        pub(super) fn new() -> Self {
            let folder = root().join("examples/learn");
            let bytes = std::fs::read(folder.join("learn.o")).expect("the object is there");
            let object = load(&bytes, &LoadOptions::default()).expect("the object loads");
            let capture = std::fs::read(folder.join("traffic.pcap")).expect("the capture is there");
            let capture = capture::read(&capture).expect("the capture reads").packets_in();
            let random = RandomPackets::new(5, &capture).take(300);
            let packets: Vec<PacketIn> = capture.iter().cloned().chain(random).filter(fits_device).collect();
            let profile = Profile::by_name("x16").expect("the profile x16");
            let chosen = (0, &object.programs[0]);
            let prepared = Prepared::new(&object, chosen, profile, &CompileOptions::default(), DispatchArg::Auto)
                .expect("the example compiles");
            let run = offwire_cli::overlap::run(&prepared, DispatchMode::Cpu, &Contents::new(), &packets)
                .expect("the device takes it");
            Self { object, packets, run }
        }

        pub(super) fn check(&self, run: &Run) -> Result<(), Finding> {
            check(&self.object, 0, &Contents::new(), &self.packets, run)
        }
    }
}

/// A check that finds nothing finds nothing wrong either.
#[test]
fn what_no_order_explains_is_found() {
    let learn = learn::Learn::new();
    assert_eq!(learn.check(&learn.run), Ok(()));
    let position = |wanted: &dyn Fn(&Op) -> bool| learn.run.log.iter().position(|logged| wanted(&logged.op));
    let changed = |what: &str, change: &dyn Fn(&mut Run)| {
        let mut run = learn.run.clone();
        change(&mut run);
        assert_ne!(run.log.len() + run.packets.len() + run.after.len(), 0);
        assert!(learn.check(&run).is_err(), "nobody saw: {what}");
    };
    let out = |run: &mut Run, change: &dyn Fn(&mut offwire_harness::PacketOut)| {
        change(run.packets[7].as_mut().expect("the packet came out"));
    };
    changed("another verdict", &|run| out(run, &|out| out.retval ^= 1));
    changed("another byte", &|run| out(run, &|out| out.bytes[3] ^= 1));
    changed("a fault", &|run| out(run, &|out| out.fault = Some("bounds".into())));
    changed("a packet that did not come out", &|run| run.packets[7] = None);
    changed("another CPU", &|run| run.cpus.iter_mut().for_each(|cpu| *cpu += 1));
    changed("an entry that is not there", &|run| drop(run.after[0].1.pop()));

    let store = position(&|op| matches!(op, Op::Store { .. })).expect("a store");
    changed("a store that did not happen", &|run| drop(run.log.remove(store)));
    changed("another store", &|run| match &mut run.log[store].op {
        Op::Store { bytes, .. } => bytes[0] ^= 1,
        other => panic!("{other:?}"),
    });
    let add = position(&|op| matches!(op, Op::Add { .. })).expect("an add");
    changed("an add that happened twice", &|run| {
        let twice = run.log[add].clone();
        run.log.insert(add, twice);
    });
    let update = position(&|op| matches!(op, Op::Update { answer: 0, .. })).expect("an update");
    changed("an update with another value", &|run| match &mut run.log[update].op {
        Op::Update { value, .. } => value[4] ^= 1,
        other => panic!("{other:?}"),
    });
    changed("an update that was refused", &|run| match &mut run.log[update].op {
        Op::Update { answer, .. } => *answer = -17,
        other => panic!("{other:?}"),
    });
    let hit = position(&|op| matches!(op, Op::Lookup { element: Some(_), .. })).expect("a lookup that hits");
    changed("a lookup that finds nothing", &|run| match &mut run.log[hit].op {
        Op::Lookup { element, .. } => *element = None,
        other => panic!("{other:?}"),
    });
    // A lookup that found what an update of another packet had put there, told before it.
    changed("a lookup before its update", &|run| {
        let early = run.log.remove(hit);
        run.log.insert(0, early);
    });
    let read = position(&|op| matches!(op, Op::Read { .. })).expect("a read");
    changed("a read of something else", &|run| match &mut run.log[read].op {
        Op::Read { bytes, .. } => bytes[8] ^= 1,
        other => panic!("{other:?}"),
    });
}

/// Sequences of map operations that meet each other: each mode, also those that are not proven, gives runs that eBPF allows.
#[test]
fn sequences_of_operations_that_meet() {
    use offload_compiler::CompileOptions;
    use offwire_cli::args::DispatchArg;
    use offwire_cli::backends::Prepared;
    use offwire_harness::overlap::check;
    use offwire_harness::sequences::{Flags, Subject};
    use offwire_image::DispatchMode;

    let profile = offwire_isa::Profile::by_name("x16").expect("the profile x16");
    let (mut ran, mut most, mut wrong) = (0, 0, Vec::new());
    for subject in Subject::ALL {
        for (seed, flags) in (0..4).flat_map(|seed| [(seed, Flags::Constant), (seed, Flags::Any)]) {
            let object = subject.object(seed, flags).expect("the generator's programs encode");
            let chosen = (0, &object.programs[0]);
            let options = CompileOptions::default();
            // What the compiler refuses is the business of another test.
            let Ok(prepared) = Prepared::new(&object, chosen, profile, &options, DispatchArg::Auto) else { continue };
            let packets: Vec<_> = subject.packets(seed).take(300).collect();
            for mode in [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any] {
                let run = offwire_cli::overlap::run(&prepared, mode, &subject.contents(), &packets)
                    .unwrap_or_else(|d| panic!("{subject:?}: {d}"));
                let found = check(&object, 0, &subject.contents(), &packets, &run);
                if found != Ok(()) {
                    wrong.push(format!("{subject:?} with seed {seed}, {flags:?} flags, in mode {mode:?}: {found:?}"));
                }
                most = run.overlapping().max(most);
                ran += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 72 && most >= 16, "only {ran} runs, at most {most} packets met");
}

/// Updates with BPF_F_LOCK that meet each other, deletes and insertions.
#[test]
fn updates_under_locks_that_meet() {
    use offload_compiler::CompileOptions;
    use offload_compiler::object::{LoadOptions, load};
    use offwire_cli::args::DispatchArg;
    use offwire_cli::backends::Prepared;
    use offwire_harness::PacketIn;
    use offwire_harness::mapfile::Contents;
    use offwire_harness::overlap::check;
    use offwire_image::DispatchMode;

    let bytes =
        std::fs::read(common::root().join("cli/tests/features/spin_lock_flags.o")).expect("the object is there");
    let object = load(&bytes, &LoadOptions::default()).expect("the object loads");
    let profile = offwire_isa::Profile::by_name("x16").expect("the profile x16");
    let chosen = (0, &object.programs[0]);
    let prepared = Prepared::new(&object, chosen, profile, &CompileOptions::default(), DispatchArg::Auto)
        .expect("the feature compiles");
    let (mut most, mut in_place) = (0, 0);
    for seed in 0..40u32 {
        let packets: Vec<PacketIn> = (0..200u32)
            .map(|n| {
                let chance = (n * 7 + seed).wrapping_mul(2_654_435_761) >> 8;
                let mut bytes = vec![0; 64];
                bytes[0] = (chance % 8) as u8;
                bytes[4] = (chance / 8 % 4) as u8;
                bytes[8] = n as u8;
                // Another flow each.
                bytes[40..44].copy_from_slice(&chance.to_le_bytes());
                PacketIn { bytes, port: 0, rx_queue: 0, arrival_ns: 0 }
            })
            .collect();
        for mode in [DispatchMode::Cpu, DispatchMode::Any] {
            let run =
                offwire_cli::overlap::run(&prepared, mode, &Contents::new(), &packets).expect("the device takes it");
            assert_eq!(check(&object, 0, &Contents::new(), &packets, &run), Ok(()), "seed {seed} in mode {mode:?}");
            most = run.overlapping().max(most);
            let locked = |op: &Op| matches!(op, Op::Update { flags: 4.., answer: 0, .. });
            in_place += run.log.iter().filter(|logged| locked(&logged.op)).count();
        }
    }
    assert!(most >= 8 && in_place > 1000, "at most {most} packets met, {in_place} updates under locks");
}
