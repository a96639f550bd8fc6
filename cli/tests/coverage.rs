//! The captures of the examples reach their programs: what they leave out says nothing about the device.

mod common;

use common::{example_arguments, examples, offwire, root};
use serde_json::Value;
use std::ffi::OsString;

/// Source lines of which instructions stay unreached, and why no packet reaches them.
const UNREACHED: [(&str, &[&str]); 4] = [
    // A place on a ring that the ring does not have: the hash is taken modulo its size.
    ("balancer", &["if (!found)"]),
    (
        "dns",
        &[
            // Counts a ring buffer that is full: it is read after each packet.
            "__u32 key = which;",
            "__u64 *value = bpf_map_lookup_elem(&counters, &key);",
            "if (value)",
            "*value += 1;",
            "if (!event) {",
        ],
    ),
    (
        "router",
        &[
            // Counts a frame that is shorter than an Ethernet header.
            "__u32 key = which;",
            "__u64 *value = bpf_map_lookup_elem(&counters, &key);",
            "if (value)",
            "*value += 1;",
            "if ((void *)(eth + 1) > data_end)",
        ],
    ),
    // Behind tail calls that cannot fail.
    ("tailparse", &["break;", "break;", "break;"]),
];

fn coverage(name: &str) -> Value {
    let mut arguments: Vec<OsString> = vec!["prog".into(), "run".into(), "-j".into(), "--coverage".into()];
    arguments.extend(example_arguments(name));
    let ran = offwire(&arguments);
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    ran.json()
}

/// A capture that leaves a branch out would let a wrong translation of it pass.
#[test]
fn captures_reach_the_examples() {
    for name in examples() {
        let report = coverage(&name);
        let percent = report["coverage"]["percent"].as_f64().expect("a number");
        assert!(percent >= 95.0, "{name}: {percent} %: {report:#}");
        let parts = report["programs"].as_array().expect("programs");
        let lines = parts.iter().flat_map(|part| part["unreached"].as_array().expect("unreached"));
        let found: Vec<&str> = lines.map(|line| line["source"].as_str().expect("source")).collect();
        let expected = UNREACHED.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, lines)| lines);
        assert_eq!(found, expected, "{name}: {report:#}");
    }
}

/// The counts are those of the program: with one packet that is dropped at once, the rest of it is named, line by line.
#[test]
fn what_is_not_reached_is_named() {
    let folder = root().join("examples");
    let object = folder.join("firewall/firewall.o");
    let capture = folder.join("pass/traffic.pcap");
    let mut words: Vec<OsString> = vec!["prog".into(), "run".into(), object.into(), "--pcap".into(), capture.into()];
    words.push("--coverage".into());
    let text = offwire(&words).stdout;
    words.push("-j".into());
    let report = offwire(&words).json();
    let share = &report["coverage"];
    let (insns, reached) = (share["insns"].as_u64().expect("insns"), share["reached"].as_u64().expect("reached"));
    assert!(0 < reached && reached < insns, "{report:#}");
    // Nothing is in the table, so no packet is counted.
    let unreached = report["programs"][0]["unreached"].as_array().expect("unreached");
    let missing: u64 = unreached.iter().map(|line| line["insns"].as_array().expect("insns").len() as u64).sum();
    assert_eq!(missing, insns - reached, "{report:#}");
    let counting = "__sync_fetch_and_add(&counters->packets, 1);";
    let found = unreached.iter().find(|line| line["source"] == counting).expect("the line that counts");
    let source = std::fs::read_to_string(folder.join("firewall/firewall.c")).expect("the source is there");
    let number = source.lines().position(|text| text.trim() == counting).expect("it is in the source") as u64 + 1;
    assert_eq!(found["line"], number, "{report:#}");
    assert!(text.contains(&format!("firewall.c:{number} at ")), "{text}");
    assert!(text.contains(&format!("{reached} of {insns} instructions")), "{text}");
}
