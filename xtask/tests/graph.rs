//! The house's plan as a test: who may know whom (ARCHITECTURE.md, "Who knows whom"). Development dependencies are free.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Crate, its folder, and the crates of ours that it may depend on.
const ALLOWED: &[(&str, &str, &[&str])] = &[
    ("offwire-isa", "hw/isa", &[]),
    ("offwire-image", "hw/image", &["offwire-isa"]),
    ("offwire-hostif", "hw/hostif", &[]),
    ("offwire-hostmem", "hw/hostmem", &["offwire-hostif"]),
    ("offwire-diag", "diag", &[]),
    ("offload-compiler", "offload-compiler", &["offwire-isa", "offwire-image", "offwire-diag"]),
    ("device-model", "device-model", &["offwire-isa", "offwire-image", "offwire-hostif"]),
    (
        "offwire-serve",
        "device-model/serve",
        &["device-model", "offwire-hostif", "offwire-hostmem", "offwire-capture", "offwire-diag"],
    ),
    ("rtl-sim-bridge", "rtl-sim-bridge", &["device-model", "offwire-isa", "offwire-image"]),
    ("driver", "driver", &["offwire-image", "offwire-hostif", "offwire-hostmem"]),
    ("offwire-capture", "harness/capture", &["offwire-diag"]),
    ("offwire-harness", "harness", &["offload-compiler", "offwire-image", "offwire-diag", "offwire-capture"]),
    (
        "offwire-cli",
        "cli",
        &[
            "offload-compiler",
            "device-model",
            "offwire-harness",
            "offwire-isa",
            "offwire-image",
            "offwire-diag",
            "offwire-hostif",
            "offwire-serve",
            "driver",
            "rtl-sim-bridge",
        ],
    ),
    (
        "offwire-benches",
        "benches",
        &[
            "offload-compiler",
            "device-model",
            "offwire-harness",
            "offwire-cli",
            "offwire-isa",
            "offwire-image",
            "offwire-diag",
        ],
    ),
    ("xtask", "xtask", &[]),
];

fn manifest(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn crates_know_only_whom_they_may_know() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let names: BTreeSet<&str> = ALLOWED.iter().map(|(name, ..)| *name).collect();
    let workspace = manifest(&root.join("Cargo.toml"));
    let members: BTreeSet<String> = workspace["workspace"]["members"]
        .as_array()
        .expect("members is a list")
        .iter()
        .map(|member| member.as_str().expect("member is a string").to_owned())
        .collect();
    let planned: BTreeSet<String> = ALLOWED.iter().map(|(_, folder, _)| (*folder).to_owned()).collect();
    assert_eq!(members, planned, "a crate is missing in the plan or in the workspace");

    let mut wrong = BTreeMap::new();
    for (name, folder, allowed) in ALLOWED {
        let table = manifest(&root.join(folder).join("Cargo.toml"));
        assert_eq!(table["package"]["name"].as_str(), Some(*name), "{folder}");
        for section in ["dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(section).and_then(toml::Value::as_table) else { continue };
            for dependency in dependencies.keys() {
                if names.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                    wrong.entry(*name).or_insert_with(Vec::new).push(dependency.clone());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these crates know somebody whom they may not know: {wrong:?}");
}
