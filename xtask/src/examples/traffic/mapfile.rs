//! Map files, one entry a line.

use std::fmt::Display;

/// Maps by name, in the order in which they were begun.
#[derive(Default)]
pub(super) struct MapFile(Vec<(&'static str, Vec<String>)>);

impl MapFile {
    fn push(&mut self, map: &'static str, entry: String) {
        match self.0.iter_mut().find(|(name, _)| *name == map) {
            Some((_, entries)) => entries.push(entry),
            None => self.0.push((map, vec![entry])),
        }
    }

    /// An entry; key and value are JSON.
    pub(super) fn add(&mut self, map: &'static str, key: impl Display, value: impl Display) {
        self.push(map, format!("{{\"key\": {key}, \"value\": {value}}}"));
    }

    /// An entry of a per-CPU map, with a value for CPU 0.
    pub(super) fn add_percpu(&mut self, map: &'static str, key: impl Display, value: impl Display) {
        self.push(map, format!("{{\"key\": {key}, \"values\": [{{\"cpu\": 0, \"value\": {value}}}]}}"));
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let maps: Vec<String> = self
            .0
            .iter()
            .map(|(name, entries)| format!("  \"{name}\": [\n    {}\n  ]", entries.join(",\n    ")))
            .collect();
        format!("{{\n{}\n}}\n", maps.join(",\n"))
    }
}

/// Bytes as bpftool prints them where it has no BTF.
pub(super) fn byte_array(bytes: &[u8]) -> String {
    let items: Vec<String> = bytes.iter().map(|b| format!("\"0x{b:02x}\"")).collect();
    format!("[{}]", items.join(", "))
}
