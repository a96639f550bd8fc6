//! What a script may rely on: exit codes, diagnostic codes, JSON on stdout and on stderr, files that are written.

mod common;

use common::{Folder, Ran, example_arguments, offwire, root};
use offwire_cli::args::{DispatchArg, On};
use offwire_cli::backends::{self, Prepared};
use offwire_diag::codes;
use offwire_harness::{PacketIn, capture};
use offwire_image::Image;
use std::path::{Path, PathBuf};

fn object(name: &str) -> String {
    root().join(format!("examples/{name}/{name}.o")).to_string_lossy().into_owned()
}

fn traffic(name: &str) -> String {
    root().join(format!("examples/{name}/traffic.pcap")).to_string_lossy().into_owned()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Runs with -j and checks what holds for each failure: the exit code, one diagnostic with this code, nothing on stdout.
fn fails(arguments: &[&str], exit: u8, code: &str) -> serde_json::Value {
    let plain = offwire(arguments);
    assert_eq!(plain.code, exit, "{arguments:?}: {}{}", plain.stdout, plain.stderr);
    assert!(plain.stderr.starts_with(&format!("error[{code}]: ")), "{arguments:?}: {}", plain.stderr);
    let ran = offwire(&[arguments, &["-j"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (exit, ""), "{arguments:?} -j");
    let mut diagnostics = ran.diagnostics();
    assert_eq!(diagnostics.len(), 1, "{arguments:?} -j: {}", ran.stderr);
    assert_eq!(diagnostics[0]["code"], code, "{arguments:?} -j: {}", ran.stderr);
    assert_eq!(diagnostics[0]["severity"], "error", "{arguments:?} -j: {}", ran.stderr);
    diagnostics.remove(0)
}

/// Wrong use is exit code 2, so that a script can tell its own mistake from a program that is refused.
#[test]
fn wrong_use_is_exit_code_2() {
    let (drop, pcap) = (object("drop"), traffic("drop"));
    let several = text(&root().join("offload-compiler/tests/objects/nested.o"));
    let table: &[(&[&str], &str)] = &[
        (&[], "OW0901"),
        (&["frobnicate"], "OW0901"),
        (&["prog"], "OW0901"),
        (&["prog", "check"], "OW0901"),
        (&["prog", "check", &drop, "--no-such-option"], "OW0901"),
        (&["prog", "check", &drop, "--profile", "x1"], "OW0901"),
        (&["prog", "check", &drop, "--set", "novalue"], "OW0901"),
        (&["prog", "check", &drop, "--map-entries", "flows=many"], "OW0901"),
        (&["prog", "check", &drop, "--max-insns", "-1"], "OW0901"),
        (&["prog", "build", &drop], "OW0901"),
        (&["prog", "dump", &drop, "--as", "elf"], "OW0901"),
        (&["prog", "run", &drop], "OW0901"),
        (&["prog", "run", &drop, "--pcap", &pcap, "--on", "fpga"], "OW0901"),
        (&["prog", "run", &drop, "--pcap", &pcap, "--dispatch", "none"], "OW0901"),
        (&["diff", &drop, "--pcap", &pcap, "--on", "ref,fpga"], "OW0901"),
        (&["prog", "check", &drop, "--prog", "nobody"], "OW0105"),
        (&["prog", "dump", &several], "OW0105"),
        (&["prog", "build", &several, "-o", "never-written"], "OW0105"),
        (&["prog", "run", &several, "--pcap", &pcap], "OW0105"),
        (&["diff", &several, "--pcap", &pcap], "OW0105"),
        (&["explain", "OW9999"], "OW0903"),
        (&["explain", "nonsense"], "OW0903"),
    ];
    for (arguments, code) in table {
        fails(arguments, 2, code);
    }
}

/// Help and version are no failures and go to stdout.
#[test]
fn help_is_no_failure() {
    for arguments in [&["--help"][..], &["--version"], &["prog", "--help"], &["prog", "run", "-h"], &["diff", "-h"]] {
        let ran = offwire(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ran.stdout.is_empty(), "{arguments:?}");
    }
}

/// Files that are not there, are folders or cannot be written: refused, and the file is named.
#[test]
fn files_that_cannot_be_read_or_written() {
    let folder = Folder::new("command-line-files");
    let (drop, pcap, directory) = (object("drop"), traffic("drop"), text(&folder.0));
    let missing = text(&folder.0.join("missing"));
    let nowhere = text(&folder.0.join("missing/file"));
    let table: &[(&[&str], &str)] = &[
        (&["prog", "check", &missing], &missing),
        (&["prog", "check", &directory], &directory),
        (&["prog", "build", &missing, "-o", &nowhere], &missing),
        (&["prog", "build", &drop, "-o", &nowhere], &nowhere),
        (&["prog", "build", &drop, "-o", &directory], &directory),
        (&["prog", "dump", &directory], &directory),
        (&["prog", "dump", &missing, "--as", "ucode"], &missing),
        (&["prog", "run", &missing, "--pcap", &pcap], &missing),
        (&["prog", "run", &drop, "--pcap", &missing], &missing),
        (&["prog", "run", &drop, "--pcap", &directory], &directory),
        (&["prog", "run", &drop, "--pcap", &pcap, "--maps", &missing], &missing),
        (&["prog", "run", &drop, "--pcap", &pcap, "--out", &nowhere], &nowhere),
        (&["prog", "run", &drop, "--pcap", &pcap, "--dump-maps", &nowhere], &nowhere),
        (&["diff", &drop, "--on", "ref,model", "--pcap", &missing], &missing),
        (&["diff", &drop, "--on", "ref,model", "--pcap", &pcap, "--maps", &directory], &directory),
    ];
    for (arguments, file) in table {
        let diagnostic = fails(arguments, 1, "OW0902");
        assert_eq!(diagnostic["file"], *file, "{arguments:?}");
    }
}

/// An image of an example, changed, as a file.
fn image_file(folder: &Folder, name: &str, change: impl FnOnce(&mut Image)) -> String {
    let path = folder.0.join(name);
    let built = offwire(&["prog", "build", &object("count"), "-o", &text(&path)]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    let mut image = Image::from_bytes(&std::fs::read(&path).expect("the image is there")).expect("it is whole");
    change(&mut image);
    std::fs::write(&path, image.to_bytes()).expect("written");
    text(&path)
}

/// Broken images, images for another device and images with a broken program are told apart: what helps differs.
#[test]
fn images_are_refused_by_class() {
    let folder = Folder::new("command-line-images");
    let sound = image_file(&folder, "sound", |_| ());
    assert_eq!(offwire(&["prog", "dump", &sound, "--as", "ucode"]).code, 0);
    fails(&["prog", "dump", &sound, "--as", "ir"], 1, "OW0905");
    fails(&["prog", "dump", &sound, "--as", "xlated"], 1, "OW0905");

    let refused = |name: &str, code: &str, word: &str| {
        let file = text(&folder.0.join(name));
        let diagnostic = fails(&["prog", "dump", &file, "--as", "ucode"], 1, code);
        assert_eq!(diagnostic["file"], file);
        let reason = diagnostic["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(word), "{name}: {reason:?}");
    };
    let bytes = std::fs::read(&sound).expect("the image is there");
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(folder.0.join("flipped"), &flipped).expect("written");
    refused("flipped", "OW0501", "digest");
    std::fs::write(folder.0.join("short"), &bytes[..bytes.len() - 1]).expect("written");
    refused("short", "OW0501", "long");

    image_file(&folder, "isa", |image| image.isa_version += 1);
    refused("isa", "OW0502", "instruction set version");
    image_file(&folder, "profile", |image| image.profile = "x128".to_owned());
    refused("profile", "OW0502", "x128");
    image_file(&folder, "hash", |image| image.profile_hash ^= 1);
    refused("hash", "OW0502", "changed since");

    image_file(&folder, "word", |image| image.words[0] = [0xff; offwire_isa::WORD_BYTES]);
    refused("word", "OW0503", "");
    image_file(&folder, "target", |image| image.words.truncate(1));
    refused("target", "OW0503", "");
}

/// A mode that is looser than proven is the user's choice: the command goes on and says so.
#[test]
fn a_looser_dispatch_mode_is_a_warning() {
    let arguments = example_arguments("learn");
    let run = |mode: &str| {
        let mut line: Vec<std::ffi::OsString> = vec!["prog".into(), "run".into(), "-j".into()];
        line.extend(arguments.iter().cloned());
        line.extend(["--dispatch".into(), mode.into()]);
        let ran = offwire(&line);
        assert_eq!(ran.code, 0, "{mode}: {}", ran.stderr);
        (ran.json()["dispatch"]["mode"].clone(), ran.diagnostics())
    };
    let (mode, diagnostics) = run("any");
    assert_eq!(mode, "any");
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert_eq!((&diagnostics[0]["code"], &diagnostics[0]["severity"]), (&"OW0904".into(), &"warning".into()));
    for mode in ["auto", "cpu"] {
        assert!(run(mode).1.is_empty(), "{mode} is not looser than what is proven");
    }
}

/// What is too large for the device is refused before the first packet.
#[test]
fn the_device_refuses_what_does_not_fit() {
    let (firewall, pcap) = (object("firewall"), traffic("firewall"));
    let entries = "flows=8000000";
    let diagnostic = fails(&["prog", "run", &firewall, "--pcap", &pcap, "--map-entries", entries], 1, "OW0601");
    assert!(diagnostic["reason"].as_str().unwrap_or_default().contains("map memory"), "{diagnostic}");
}

/// A value for a vCPU that the profile lacks would be lost.
#[test]
fn a_value_for_a_missing_vcpu_is_refused() {
    let folder = Folder::new("command-line-vcpu");
    let maps = text(&folder.0.join("maps.json"));
    std::fs::write(&maps, r#"{"packets": [{"key": 1, "values": [{"cpu": 60, "value": 5}]}]}"#).expect("written");
    let (count, pcap) = (object("count"), traffic("count"));
    let diagnostic =
        fails(&["prog", "run", &count, "--pcap", &pcap, "--maps", &maps, "--profile", "small"], 1, "OW0602");
    assert!(diagnostic["message"].as_str().unwrap_or_default().contains("CPU 60"), "{diagnostic}");
}

/// Packets of a length that no frame has are counted, not run, and the device says why.
#[test]
fn packets_that_no_device_takes_are_counted() {
    let folder = Folder::new("command-line-short");
    let pcap = text(&folder.0.join("short.pcap"));
    let packets: [&[u8]; 3] = [&[0; 13], &[0; 14], &[0; 60]];
    std::fs::write(&pcap, capture::write(packets.into_iter().map(|packet| (0, packet)))).expect("written");
    let ran = offwire(&["prog", "run", "-j", &object("drop"), "--pcap", &pcap]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((&ran.json()["packets"], &ran.json()["not_comparable"]), (&2.into(), &1.into()));

    let bytes = std::fs::read(object("drop")).expect("the object is there");
    let object = offload_compiler::object::load(&bytes, &Default::default()).expect("it loads");
    let profile = offwire_isa::Profile::by_name("x16").expect("there is one");
    let prepared = Prepared::new(&object, (0, &object.programs[0]), profile, &Default::default(), DispatchArg::Auto)
        .expect("it compiles");
    let mut model = backends::make(On::Model, &prepared).expect("it fits");
    let packet = |len: usize| PacketIn { bytes: vec![0; len], port: 0, rx_queue: 0, arrival_ns: 0 };
    for (len, taken) in [(13, false), (14, true), (3520, true), (3521, false)] {
        let admitted = model.admits(&packet(len)).map_err(|diagnostic| diagnostic.code);
        assert_eq!(admitted, if taken { Ok(()) } else { Err(codes::device::PACKET) }, "{len} bytes");
    }
}

/// True if the document has all of these keys.
fn has(document: &serde_json::Value, keys: &[&str]) {
    for key in keys {
        assert!(document.get(key).is_some(), "no {key} in {document}");
    }
}

/// Runs with -j: exit code 0, one document on one line, with these keys; whatever stands on stderr is a diagnostic a line.
fn document(arguments: &[&str], keys: &[&str]) -> serde_json::Value {
    let ran: Ran = offwire(&[arguments, &["-j"]].concat());
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 1, "{arguments:?}: {}", ran.stdout);
    let document = ran.json();
    has(&document, keys);
    ran.diagnostics();
    // The indented form is the same document.
    let pretty = offwire(&[arguments, &["-p"]].concat());
    assert!(pretty.stdout.lines().count() > 1, "{arguments:?} -p: {}", pretty.stdout);
    assert_eq!(pretty.json(), document, "{arguments:?} -p");
    document
}

/// Scripts read these keys.
#[test]
fn each_verb_prints_one_document() {
    let folder = Folder::new("command-line-json");
    let (count, pcap, image) = (object("count"), traffic("count"), text(&folder.0.join("image")));
    let check = document(&["prog", "check", &count], &["object", "profile", "programs"]);
    has(&check["programs"][0], &["name", "section", "result", "ebpf_insns", "words", "image_bytes", "dispatch"]);
    document(&["prog", "build", &count, "-o", &image], &["program", "profile", "image", "bytes", "words", "dispatch"]);
    for form in ["xlated", "ir", "ucode"] {
        let dump = document(&["prog", "dump", &count, "--as", form], &["program", "form", "lines"]);
        assert_eq!(dump["form"], form);
    }
    document(&["prog", "dump", &image, "--as", "ucode"], &["program", "form", "lines"]);
    let diff = document(
        &["diff", &count, "--pcap", &pcap, "--on", "ref,model", "--random", "20"],
        &["result", "packets", "not_comparable"],
    );
    assert_eq!(diff["result"], "equal");
    document(&["explain", "OW0301"], &["code", "title", "page"]);
    assert!(document(&["explain"], &[]).as_array().is_some_and(|list| list.len() == codes::all().count()));
}

/// `prog run -j`: the keys, and that the parts add up to the whole.
#[test]
fn run_prints_what_scripts_read() {
    let (count, pcap) = (object("count"), traffic("count"));
    let keys = [
        "program",
        "on",
        "profile",
        "packets",
        "verdicts",
        "ebpf_insns",
        "words",
        "slots",
        "cycles",
        "words_per_packet",
        "slots_per_packet",
        "latency_cycles",
        "clock_mhz",
        "mpps",
        "limit",
    ];
    let report = document(&["prog", "run", &count, "--pcap", &pcap], &keys);
    let verdicts = ["ABORTED", "DROP", "PASS", "TX", "REDIRECT"];
    has(&report["verdicts"], &verdicts);
    has(&report["latency_cycles"], &["p50", "p99", "max"]);
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let sum: u64 = verdicts.iter().map(|verdict| number(&report["verdicts"][verdict])).sum();
    assert_eq!(sum, number(&report["packets"]));
    let mean = number(&report["words"]) as f64 / sum as f64;
    assert!((report["words_per_packet"].as_f64().expect("a number") - mean).abs() < 1e-9, "{report}");
    for on in ["ref", "model"] {
        assert_eq!(document(&["prog", "run", &count, "--pcap", &pcap, "--on", on], &keys)["on"], on);
    }
}

/// `--set` reaches the program before it is verified; what does not fit is refused.
#[test]
fn set_changes_a_global_variable() {
    let globals = text(&root().join("offload-compiler/tests/objects/globals.o"));
    let dump = |set: &[&str]| {
        let ran = offwire(&[&["prog", "dump", &globals, "--as", "xlated"], set].concat());
        assert_eq!(ran.code, 0, "{set:?}: {}", ran.stderr);
        ran.stdout
    };
    assert!(!dump(&[]).is_empty());
    // `limit` is constant data that the compiler folds: 67 more of it are 67 more in the sum of constants.
    let sum = |set: &[&str]| {
        let ran = offwire(&[&["prog", "dump", &globals, "--as", "ir"], set].concat());
        assert_eq!(ran.code, 0, "{set:?}: {}", ran.stderr);
        let constants = ran.stdout.lines().filter_map(|line| line.split("const 0x").nth(1)?.split_whitespace().next());
        let small =
            constants.filter_map(|digits| u64::from_str_radix(digits, 16).ok()).filter(|value| *value < 1 << 32);
        small.sum::<u64>()
    };
    assert_eq!(sum(&["--set", "limit=77"]), sum(&["--set", "limit=10"]) + 67);
    fails(&["prog", "dump", &globals, "--set", "nobody=1"], 1, "OW0116");
    fails(&["prog", "dump", &globals, "--set", "offset=1000"], 1, "OW0117");
}

/// A dump of the maps, fed back and not changed by any packet, is the same dump.
#[test]
fn a_dump_of_maps_can_be_fed_back() {
    let folder = Folder::new("command-line-maps");
    let (first, second) = (text(&folder.0.join("first.json")), text(&folder.0.join("second.json")));
    let empty = text(&folder.0.join("empty.pcap"));
    let nothing: [(u64, &[u8]); 0] = [];
    std::fs::write(&empty, capture::write(nothing)).expect("written");
    for name in ["count", "firewall", "learn"] {
        let mut line: Vec<std::ffi::OsString> = vec!["prog".into(), "run".into()];
        line.extend(example_arguments(name));
        line.extend(["--dump-maps".into(), first.clone().into()]);
        assert_eq!(offwire(&line).code, 0, "{name}");
        let again =
            offwire(&["prog", "run", &object(name), "--pcap", &empty, "--maps", &first, "--dump-maps", &second]);
        assert_eq!(again.code, 0, "{name}: {}", again.stderr);
        let read = |path: &str| std::fs::read_to_string(path).expect("the dump is there");
        assert!(read(&first).len() > 20, "{name}: {}", read(&first));
        assert_eq!(read(&first), read(&second), "{name}");
    }
}

/// `--out` holds the packets that were not dropped, in order.
#[test]
fn out_holds_the_packets_that_were_not_dropped() {
    let folder = Folder::new("command-line-out");
    for name in ["drop", "pass", "swap", "decap"] {
        let out: PathBuf = folder.0.join(format!("{name}.pcap"));
        let ran = offwire(&["prog", "run", "-j", &object(name), "--pcap", &traffic(name), "--out", &text(&out)]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let verdicts = &ran.json()["verdicts"];
        let kept: u64 = ["PASS", "TX", "REDIRECT"].iter().filter_map(|verdict| verdicts[verdict].as_u64()).sum();
        let written = capture::read(&std::fs::read(&out).expect("written")).expect("a capture").packets_in();
        assert_eq!(written.len() as u64, kept, "{name}: {verdicts}");
        if name == "pass" {
            let sent = capture::read(&std::fs::read(traffic(name)).expect("there")).expect("a capture").packets_in();
            let bytes = |packets: &[PacketIn]| packets.iter().map(|packet| packet.bytes.clone()).collect::<Vec<_>>();
            assert_eq!(bytes(&sent), bytes(&written));
        }
    }
}
