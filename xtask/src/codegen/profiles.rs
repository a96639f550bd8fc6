//! `hw/spec/profiles/*.toml` and what is made of them.

use super::MARK;
use super::layout::Isa;
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::Path;

/// The fields of a profile, in the order of `offwire_isa::Profile`. A profile has each of them and no other.
const NUMBERS: [&str; 29] = [
    "engines",
    "contexts_per_engine",
    "pipeline_depth",
    "clock_mhz",
    "vcpus",
    "order_buckets",
    "instruction_store_words",
    "port_gbps",
    "packet_bus_bytes",
    "packet_window_bytes",
    "far_lines",
    "packet_store_cycles",
    "map_banks",
    "map_index_cycles",
    "map_value_cycles",
    "map_request_cycles",
    "map_bank_bytes",
    "value_window_bytes",
    "adjust_cycles",
    "divide_cycles",
    "copy_bytes",
    "csum_bytes",
    "random_cycles",
    "restorer_entries",
    "ingress_fifo_packets",
    "map_memory_bytes",
    "packet_cycles_max",
    "luts",
    "bram36",
];
/// May be zero.
const LAST: &str = "uram";

/// One profile.
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) part: String,
    /// (name, value), in the order of the struct.
    pub(crate) numbers: Vec<(&'static str, u32)>,
    /// The file's text, for the comments beside the values.
    text: String,
}

impl Profile {
    /// The comment beside a value.
    pub(crate) fn comment(&self, key: &str) -> &str {
        let line = self.text.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == key));
        line.and_then(|line| line.split_once('#')).map_or("", |(_, comment)| comment.trim())
    }

    /// What the hash covers: the encoding and every field, one line each.
    fn canonical(&self, isa: &Isa) -> String {
        let mut text = isa.canonical();
        let _ = write!(text, "name={}\npart={}\n", self.name, self.part);
        for (name, value) in &self.numbers {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    /// The hash that binds an image to encoding and profile: FNV-1a, 64 bits.
    pub(crate) fn hash(&self, isa: &Isa) -> u64 {
        fnv1a(self.canonical(isa).as_bytes())
    }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Reads all profiles of a folder, ordered by engines.
pub(crate) fn read(folder: &Path) -> Result<Vec<Profile>> {
    let mut profiles = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = super::read(&path)?;
            profiles.push(parse(&text).with_context(|| path.display().to_string())?);
        }
    }
    profiles.sort_by_key(|profile| (profile.numbers[0].1, profile.name.clone()));
    Ok(profiles)
}

/// Reads one profile.
pub(crate) fn parse(text: &str) -> Result<Profile> {
    let table: toml::Table = text.parse()?;
    let string = |key: &str| -> Result<String> {
        Ok(table.get(key).and_then(toml::Value::as_str).with_context(|| format!("`{key}` is missing"))?.to_owned())
    };
    let mut numbers = Vec::new();
    for key in NUMBERS.into_iter().chain([LAST]) {
        let value = table.get(key).and_then(toml::Value::as_integer).with_context(|| format!("`{key}` is missing"))?;
        ensure!(value > 0 || key == LAST, "`{key}` must be at least 1");
        numbers.push((key, u32::try_from(value).with_context(|| format!("`{key}`"))?));
    }
    for key in table.keys() {
        ensure!(key == "name" || key == "part" || numbers.iter().any(|(name, _)| name == key), "unknown key `{key}`");
    }
    let of = |key: &str| numbers.iter().find(|(name, _)| *name == key).map_or(0, |(_, value)| *value);
    ensure!(of("contexts_per_engine") >= of("pipeline_depth"), "fewer contexts than slots in the pipe");
    ensure!(of("vcpus") <= of("order_buckets"), "more vCPUs than order buckets");
    let powers = ["vcpus", "order_buckets", "map_banks", "map_bank_bytes", "packet_bus_bytes", "packet_window_bytes"];
    for key in powers.into_iter().chain(["copy_bytes", "csum_bytes"]) {
        ensure!(of(key).is_power_of_two(), "`{key}` must be a power of two");
    }
    Ok(Profile { name: string("name")?, part: string("part")?, numbers, text: text.to_owned() })
}

/// `hw/isa/src/gen/profiles.rs`.
pub(crate) fn rust(isa: &Isa, profiles: &[Profile]) -> String {
    let mut text = format!("{MARK}\nuse crate::Profile;\n");
    for profile in profiles {
        let name = &profile.name;
        let _ = write!(
            text,
            "
/// Profile `{name}`.
pub const {}: Profile = Profile {{
    name: \"{name}\",
    part: \"{}\",
",
            name.to_uppercase(),
            profile.part
        );
        for (key, value) in &profile.numbers {
            let _ = writeln!(text, "    {key}: {value},");
        }
        let _ = write!(text, "    hash: {:#018x},\n}};\n", profile.hash(isa));
    }
    let list: Vec<String> = profiles.iter().map(|profile| format!("&{}", profile.name.to_uppercase())).collect();
    let _ = write!(text, "\n/// All profiles.\npub const PROFILES: &[&Profile] = &[{}];\n", list.join(", "));
    text
}
