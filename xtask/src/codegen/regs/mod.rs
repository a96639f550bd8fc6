//! `hw/spec/regs.toml`: registers, rings, descriptors, commands and counters of the host interface.

pub(crate) mod docs;
pub(crate) mod rust;
pub(crate) mod sv;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) interface: Interface,
    #[serde(rename = "enum")]
    pub(crate) enums: Vec<Enum>,
    pub(crate) flags: Vec<Flags>,
    pub(crate) register: Vec<Register>,
    pub(crate) ring: Ring,
    pub(crate) ring_register: Vec<Register>,
    pub(crate) descriptor: Vec<Descriptor>,
    pub(crate) counters: Vec<Counters>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interface {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) pci_vendor: u32,
    pub(crate) pci_device: u32,
    pub(crate) pci_class: u32,
    pub(crate) queue_pairs: u32,
    pub(crate) ports: u32,
    pub(crate) vectors: u32,
    pub(crate) descriptor_bytes: u32,
    pub(crate) bar0_bytes: u32,
    pub(crate) bar2_bytes: u32,
    pub(crate) bar4_bytes: u32,
    pub(crate) msix_table: u32,
    pub(crate) msix_pba: u32,
}

impl Interface {
    /// Constants that all languages get, with what they are.
    pub(crate) fn constants(&self) -> [(&'static str, u32, &'static str); 14] {
        [
            ("INTERFACE_MAJOR", self.major, "Version of the interface; a driver refuses another one."),
            ("INTERFACE_MINOR", self.minor, "Grows with what older drivers may ignore."),
            ("PCI_VENDOR", self.pci_vendor, "PCI vendor id (provisional)."),
            ("PCI_DEVICE", self.pci_device, "PCI device id (provisional)."),
            ("PCI_CLASS", self.pci_class, "PCI class code."),
            ("QUEUE_PAIRS", self.queue_pairs, "Pairs of receive and transmit rings."),
            ("PORTS", self.ports, "Ports."),
            ("VECTORS", self.vectors, "MSI-X vectors."),
            ("DESCRIPTOR_BYTES", self.descriptor_bytes, "Bytes of a ring's descriptor."),
            ("BAR0_BYTES", self.bar0_bytes, "Bytes of BAR0, the registers."),
            ("BAR2_BYTES", self.bar2_bytes, "Bytes of BAR2, the doorbells."),
            ("BAR4_BYTES", self.bar4_bytes, "Bytes of BAR4, MSI-X."),
            ("MSIX_TABLE", self.msix_table, "Offset of the MSI-X table in BAR4."),
            ("MSIX_PBA", self.msix_pba, "Offset of the pending bits in BAR4."),
        ]
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) values: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) code: u16,
    pub(crate) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flags {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) values: Vec<Flag>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flag {
    pub(crate) name: String,
    pub(crate) bit: u32,
    pub(crate) doc: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    Ro,
    Rw,
    Wo,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) offset: u32,
    #[serde(default = "width")]
    pub(crate) width: u32,
    pub(crate) access: Access,
    #[serde(default)]
    pub(crate) reset: u64,
    pub(crate) doc: String,
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
}

fn width() -> u32 {
    32
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// "high:low" or "bit".
    bits: String,
    pub(crate) doc: String,
}

impl Field {
    /// Highest and lowest bit.
    pub(crate) fn range(&self) -> Result<(u32, u32)> {
        let number = |text: &str| text.parse::<u32>().with_context(|| format!("bits {:?} of {}", self.bits, self.name));
        match self.bits.split_once(':') {
            Some((high, low)) => Ok((number(high)?, number(low)?)),
            None => Ok((number(&self.bits)?, number(&self.bits)?)),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ring {
    pub(crate) base: u32,
    pub(crate) stride: u32,
    pub(crate) count: u32,
    pub(crate) command: u32,
    pub(crate) completion: u32,
    pub(crate) event: u32,
    pub(crate) receive: u32,
    pub(crate) transmit: u32,
    pub(crate) entries_min_log2: u32,
    pub(crate) entries_max_log2: u32,
    pub(crate) doorbell_page: u32,
    pub(crate) doorbell_stride: u32,
    pub(crate) doc: String,
}

impl Ring {
    pub(crate) fn constants(&self) -> [(&'static str, u32, &'static str); 12] {
        [
            ("RING_BASE", self.base, "Offset of the first ring's registers in BAR0."),
            ("RING_STRIDE", self.stride, "Bytes from one ring's registers to the next one's."),
            ("RINGS", self.count, "Rings."),
            ("RING_COMMAND", self.command, "Number of the command ring."),
            ("RING_COMPLETION", self.completion, "Number of the completion ring."),
            ("RING_EVENT", self.event, "Number of the event ring."),
            ("RING_RECEIVE", self.receive, "Number of the first receive ring; every second one is one."),
            ("RING_TRANSMIT", self.transmit, "Number of the first transmit ring; every second one is one."),
            ("RING_LOG2_MIN", self.entries_min_log2, "Binary logarithm of the least entries of a ring."),
            ("RING_LOG2_MAX", self.entries_max_log2, "Binary logarithm of the most entries of a ring."),
            ("DOORBELL_PAGE", self.doorbell_page, "Bytes of a doorbell page in BAR2."),
            ("DOORBELL_STRIDE", self.doorbell_stride, "Bytes between the doorbells of a page."),
        ]
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub(crate) name: String,
    pub(crate) bytes: u32,
    pub(crate) doc: String,
    fields: Vec<RawPart>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    f: String,
    doc: String,
}

/// Type of a descriptor's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// An unsigned number of so many bytes.
    Number(u32),
    /// So many bytes.
    Bytes(u32),
}

impl Type {
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Type::Number(bytes) | Type::Bytes(bytes) => bytes,
        }
    }
}

/// A field of a descriptor in its place.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: Type,
    pub(crate) offset: u32,
    pub(crate) doc: &'a str,
}

impl Descriptor {
    pub(crate) fn parts(&self) -> Result<Vec<Part<'_>>> {
        let mut offset = 0;
        let mut parts = Vec::new();
        for part in &self.fields {
            let (name, ty) = part.f.split_once(':').with_context(|| format!("{:?} is not name:type", part.f))?;
            let ty = match ty {
                "u8" => Type::Number(1),
                "u16" => Type::Number(2),
                "u32" => Type::Number(4),
                "u64" => Type::Number(8),
                _ => match ty.strip_prefix("bytes").and_then(|bytes| bytes.parse().ok()) {
                    Some(bytes) => Type::Bytes(bytes),
                    None => bail!("type {ty:?} of {name}"),
                },
            };
            if let Type::Number(bytes) = ty {
                ensure!(offset % bytes == 0, "{}.{name} is not aligned", self.name);
            }
            parts.push(Part { name, ty, offset, doc: &part.doc });
            offset += ty.bytes();
        }
        ensure!(offset == self.bytes, "{} has {offset} B, not {}", self.name, self.bytes);
        Ok(parts)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counters {
    pub(crate) domain: String,
    pub(crate) names: Vec<String>,
}

/// Reads and checks the specification: no overlap, everything aligned and inside its region, codes and names once.
pub(crate) fn parse(text: &str) -> Result<Spec> {
    let spec: Spec = toml::from_str(text)?;
    let interface = &spec.interface;
    for item in &spec.enums {
        once(&item.name, item.values.iter().map(|value| (value.name.clone(), u32::from(value.code))))?;
    }
    for item in &spec.flags {
        once(&item.name, item.values.iter().map(|value| (value.name.clone(), value.bit)))?;
        ensure!(item.values.iter().all(|value| value.bit < 16), "{}: a bit beyond 15", item.name);
    }
    registers("registers", &spec.register, spec.ring.base)?;
    registers("ring registers", &spec.ring_register, spec.ring.stride)?;
    let ring = &spec.ring;
    ensure!(ring.base + ring.stride * ring.count <= interface.bar0_bytes, "rings leave BAR0");
    ensure!(ring.receive + 2 * interface.queue_pairs == ring.count, "rings do not fit the queue pairs");
    ensure!(ring.doorbell_page * (1 + interface.queue_pairs) <= interface.bar2_bytes, "doorbells leave BAR2");
    ensure!(interface.msix_table + 16 * interface.vectors <= interface.msix_pba, "the MSI-X table is too large");
    let bars = [interface.bar0_bytes, interface.bar2_bytes, interface.bar4_bytes];
    ensure!(bars.iter().all(|bytes| bytes.is_power_of_two() && *bytes >= 4096), "BARs are powers of two");
    for descriptor in &spec.descriptor {
        let parts = descriptor.parts()?;
        let mut names = BTreeSet::new();
        ensure!(parts.iter().all(|part| names.insert(part.name)), "{}: a field twice", descriptor.name);
        if let Some(phase) = parts.iter().find(|part| part.name == "phase") {
            ensure!(phase.offset + 4 == interface.descriptor_bytes, "{}: phase is not last", descriptor.name);
        }
    }
    let domains = spec.enums.iter().find(|item| item.name == "CounterDomain").context("no CounterDomain")?;
    for value in &domains.values {
        ensure!(spec.counters.iter().any(|counters| counters.domain == value.name), "no counters of {}", value.name);
    }
    Ok(spec)
}

fn once(of: &str, values: impl Iterator<Item = (String, u32)>) -> Result<()> {
    let (mut names, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for (name, code) in values {
        ensure!(codes.insert(code), "{of}: code {code} twice");
        ensure!(names.insert(name.clone()), "{of}: {name} twice");
    }
    Ok(())
}

fn registers(what: &str, registers: &[Register], end: u32) -> Result<()> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeSet::new();
    for register in registers {
        let name = &register.name;
        ensure!(matches!(register.width, 32 | 64), "{name}: width {}", register.width);
        let bytes = register.width / 8;
        ensure!(register.offset % bytes == 0, "{name} is not aligned");
        ensure!(register.offset + bytes <= end, "{name} leaves the {what}");
        ensure!(
            (register.offset..register.offset + bytes).all(|byte| taken.insert(byte)),
            "{name} overlaps another one"
        );
        ensure!(names.insert(name), "{name} twice");
        let mut bits = BTreeSet::new();
        for field in &register.fields {
            let (high, low) = field.range()?;
            ensure!(low <= high && high < register.width, "{name}.{}", field.name);
            ensure!((low..=high).all(|bit| bits.insert(bit)), "{name}.{} overlaps another field", field.name);
        }
    }
    Ok(())
}

/// CamelCase as UPPER_SNAKE.
pub(crate) fn upper(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}
