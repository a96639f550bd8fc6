//! The examples through interpreter and kernel: their captures, and 10,000 random packets each. The interpreter asserts all facts
//! on the way.

mod common;

use common::host_works;
use offload_compiler::facts;
use offload_compiler::object::{self, LoadOptions, Object};
use offwire_harness::diff::{self, Options, Outcome};
use offwire_harness::host::Host;
use offwire_harness::mapfile::{self, Contents};
use offwire_harness::random::RandomPackets;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, PacketIn, Verdict, capture};
use std::path::{Path, PathBuf};

struct Example {
    name: String,
    object: Object,
    /// Number of the program that packets start in.
    entry: usize,
    packets: Vec<PacketIn>,
    maps: Contents,
}

fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("the examples are there")
        .map(|entry| entry.expect("the folder reads").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let all: Vec<Example> = folders.iter().map(|folder| example(folder)).collect();
    assert!(all.len() >= 5, "only {} examples found in {}", all.len(), root.display());
    all
}

fn example(folder: &Path) -> Example {
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    let read =
        |file: String| std::fs::read(folder.join(&file)).unwrap_or_else(|error| panic!("{name}/{file}: {error}"));
    let object = object::load(&read(format!("{name}.o")), &LoadOptions::default())
        .unwrap_or_else(|diagnostic| panic!("{name}: {diagnostic}"));
    let packets = capture::read(&read("traffic.pcap".into()))
        .unwrap_or_else(|diagnostic| panic!("{name}: {diagnostic}"))
        .packets_in();
    let maps = match folder.join("maps.json").exists() {
        true => mapfile::parse(&read("maps.json".into()), &object)
            .unwrap_or_else(|diagnostic| panic!("{name}: {diagnostic}")),
        false => Contents::new(),
    };
    let entry = object.programs.iter().position(|program| program.name == format!("xdp_{name}"));
    let entry = entry.unwrap_or_else(|| panic!("{name}: no program xdp_{name}"));
    Example { name, object, entry, packets, maps }
}

fn reference(example: &Example) -> Ref {
    let object = &example.object;
    let mut made = Ref::new(object, example.entry).expect("the interpreter takes the program");
    // Tail calls may reach all programs.
    for (index, program) in object.programs.iter().enumerate() {
        let facts = facts::analyze(object, program).expect("facts are found");
        made = made.with_facts_of(index, &facts);
    }
    made
}

#[test]
fn interpreter_and_kernel_agree() {
    if !host_works() {
        return;
    }
    for example in examples() {
        let random = RandomPackets::new(1, &example.packets).take(10_000);
        let packets = example.packets.iter().cloned().chain(random);
        let host = Host::new(&example.object, example.entry)
            .unwrap_or_else(|diagnostic| panic!("{}: {diagnostic}", example.name));
        let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(host), Box::new(reference(&example))];
        let report = diff::run(&mut backends, &example.object, &example.maps, packets, Options::default());
        assert_eq!(report.result, Outcome::Equal, "{}: {report:#?}", example.name);
        assert_eq!(report.packets, example.packets.len() as u64 + 10_000);
        assert_eq!(report.not_comparable, 0, "{}: random packets are made to fit", example.name);
        println!("{}: {} packets equal", example.name, report.packets);
    }
}

/// Random packets must reach what captures reach, or 10,000 of them say nothing.
#[test]
fn random_packets_reach_every_instruction_that_the_capture_reaches() {
    for example in examples() {
        let coverage = |packets: &mut dyn Iterator<Item = PacketIn>| {
            let mut run = reference(&example).with_coverage();
            mapfile::apply(&mut run, &example.maps).expect("the map file fits");
            let mut verdicts = [0u32; 5];
            for packet in packets {
                let out = run.run(&packet).unwrap_or_else(|diagnostic| panic!("{}: {diagnostic}", example.name));
                verdicts[Verdict::from_retval(out.retval) as usize] += 1;
            }
            let counts: Vec<u64> =
                (0..example.object.programs.len()).flat_map(|index| run.coverage_of(index).to_vec()).collect();
            (counts, verdicts)
        };
        let (captured, _) = coverage(&mut example.packets.iter().cloned());
        let (random, verdicts) = coverage(&mut RandomPackets::new(1, &example.packets).take(10_000));
        let missed: Vec<usize> = (0..captured.len()).filter(|&at| captured[at] > 0 && random[at] == 0).collect();
        println!("{}: verdicts of random packets {verdicts:?}, instructions missed {missed:?}", example.name);
        assert!(missed.is_empty(), "{}: random packets never reach instructions {missed:?}", example.name);
    }
}

/// What a run leaves in the maps can be dumped, fed back, and dumps to the same text.
#[test]
fn dumps_feed_back() {
    for example in examples() {
        let mut first = reference(&example);
        mapfile::apply(&mut first, &example.maps).expect("the map file fits");
        for packet in &example.packets {
            first.run(packet).unwrap_or_else(|diagnostic| panic!("{}: {diagnostic}", example.name));
        }
        let contents = mapfile::collect(&mut first, &example.object).expect("maps read");
        let text = mapfile::dump(&example.object, &contents).to_string();
        let parsed = mapfile::parse(text.as_bytes(), &example.object).unwrap_or_else(|d| panic!("{text}\n{d}"));
        assert_eq!(parsed, contents, "{}: the dump lost something: {text}", example.name);
        let mut second = reference(&example);
        mapfile::apply(&mut second, &parsed).expect("the dump fits");
        let again = mapfile::collect(&mut second, &example.object).expect("maps read");
        assert_eq!(mapfile::dump(&example.object, &again).to_string(), text, "{}", example.name);
    }
}
