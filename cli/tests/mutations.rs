//! Bad input is input: mutated objects, captures, map files and images end in exit code 0, 1 or 2, never in a panic.

mod common;

use common::{Random, offwire, root};
use offwire_image::Image;
use offwire_isa::{PROFILES, Profile};
use std::path::{Path, PathBuf};

/// Mutations of each kind of file; `OFFWIRE_MUTATIONS=25000` runs so many.
const EACH: usize = 2_500;

/// A folder of this test process, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("offwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for mutated files");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Changes a few bytes, cuts, doubles or inserts; interesting values more often than others.
fn mutate(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + random.below(64)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            2 => {
                let end = (at + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let value = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff, 0x1_0000][random.below(7)];
                for (byte, new) in bytes[at..].iter_mut().zip(value.to_le_bytes()) {
                    *byte = new;
                }
            }
            4 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            5 => bytes[at] ^= 1 << random.below(8),
            _ => bytes[at] = random.next() as u8,
        }
    }
    bytes
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// Runs `command` on mutations of `seeds`; `arguments` gets the mutated file's path.
fn drive(name: &str, seeds: &[Vec<u8>], arguments: impl Fn(&str) -> Vec<String>) {
    let folder = Folder::new(name);
    let file = folder.0.join("input");
    let mut codes = [0u64; 3];
    let each = std::env::var("OFFWIRE_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(EACH);
    for number in 0..each {
        let mut random = Random(number as u64 * 2 + 1);
        random.next();
        let bytes = mutate(&mut random, &seeds[number % seeds.len()]);
        std::fs::write(&file, &bytes).expect("the temporary folder takes files");
        let arguments = arguments(text(&file));
        let ran = std::panic::catch_unwind(|| offwire(&arguments)).unwrap_or_else(|_| {
            let kept = std::env::temp_dir().join(format!("offwire-{name}-{number}.bad"));
            let _ = std::fs::write(&kept, &bytes);
            panic!("mutation {number} of {name} panics; kept as {}", kept.display())
        });
        assert!(ran.code <= 2, "mutation {number} of {name}: exit code {}", ran.code);
        assert!(
            ran.code == 0 || !ran.stderr.is_empty() || !ran.stdout.is_empty(),
            "mutation {number} of {name} says nothing"
        );
        codes[usize::from(ran.code)] += 1;
    }
    assert!(codes[1] > 0, "no mutation of {name} was refused: {codes:?}");
}

#[test]
fn mutated_objects() {
    let mut seeds: Vec<Vec<u8>> = common::examples()
        .iter()
        .map(|name| read(&root().join("examples").join(name).join(format!("{name}.o"))))
        .collect();
    let mut features: Vec<PathBuf> = std::fs::read_dir(root().join("cli/tests/features"))
        .expect("the folder of features")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "o"))
        .collect();
    features.sort();
    seeds.extend(features.iter().map(|path| read(path)));
    let strings = |list: &[&str]| list.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
    drive("objects", &seeds, |file| strings(&["prog", "check", "--max-insns", "20000", file]));
}

#[test]
fn mutated_captures() {
    let seeds: Vec<Vec<u8>> = common::examples()
        .iter()
        .map(|name| {
            let mut bytes = read(&root().join("examples").join(name).join("traffic.pcap"));
            // The first packets are enough, and quick.
            bytes.truncate(1200);
            bytes
        })
        .collect();
    let object = root().join("examples/firewall/firewall.o");
    drive("captures", &seeds, |file| {
        ["prog", "run", text(&object), "--on", "ref", "--pcap", file].map(str::to_owned).to_vec()
    });
}

#[test]
fn mutated_map_files() {
    let seeds = [
        read(&root().join("examples/firewall/maps.json")),
        read(&root().join("examples/learn/maps.json")),
        br#"{"flows":[{"key":["0x0a",1,2],"value":[255]}],"x":[{"key":0,"values":[{"cpu":0,"value":1}]}]}"#.to_vec(),
    ];
    let object = root().join("examples/firewall/firewall.o");
    let capture = root().join("examples/drop/traffic.pcap");
    drive("map-files", &seeds, |file| {
        ["prog", "run", text(&object), "--on", "ref", "--pcap", text(&capture), "--maps", file]
            .map(str::to_owned)
            .to_vec()
    });
}

/// `prog dump` and the device's loader read images; a hostile one may hurt its own packets only.
#[test]
fn mutated_images() {
    let folder = Folder::new("images");
    let mut seeds = Vec::new();
    for name in common::model_examples() {
        let file = folder.0.join(&name);
        let object = root().join("examples").join(&name).join(format!("{name}.o"));
        let program = format!("xdp_{name}");
        let ran =
            offwire(&["prog", "build", text(&object), "--prog", &program, "-o", text(&file), "--profile", "small"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        seeds.push(read(&file));
    }
    let profile: &'static Profile = PROFILES.iter().find(|profile| profile.name == "small").expect("profile small");
    let (mut refused, mut ran) = (0, 0);
    for number in 0..EACH {
        let mut random = Random(number as u64 * 2 + 1);
        random.next();
        let seed = &seeds[number % seeds.len()];
        // Half of them are mutated in the container, half in the code behind a container that is whole.
        if number % 2 == 0 {
            let bytes = mutate(&mut random, seed);
            // A mutation may give back what it took.
            let file = folder.0.join("mutated");
            std::fs::write(&file, &bytes).expect("the temporary folder takes files");
            let dumped = offwire(&["prog", "dump", text(&file), "--as", "ucode"]);
            assert!(bytes == *seed || dumped.code == 1, "image {number}: exit code {}", dumped.code);
            refused += 1;
            continue;
        }
        let mut image = Image::from_bytes(seed).expect("a fresh image is valid");
        for _ in 0..=random.below(3) {
            let word = random.below(image.words.len());
            let byte = random.below(36);
            image.words[word][byte] ^= 1 << random.below(8);
        }
        image.budget_cycles = image.budget_cycles.min(5_000);
        let mut device = device_model::Device::new(profile);
        match device.load(&image, None) {
            Err(_) => refused += 1,
            Ok(()) => {
                ran += 1;
                for length in [14, 60, 200] {
                    let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                    let arrival = device_model::Arrival { bytes, ..Default::default() };
                    device.run_one(arrival).expect("a loaded device takes a packet of legal length");
                }
            }
        }
    }
    assert!(refused > 0 && ran > 0, "{refused} refused, {ran} ran");
}
