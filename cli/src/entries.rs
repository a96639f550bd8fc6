//! Keys and values on the command line and in output, as bpftool has them.
//!
//! Output has the bytes as `"0x0a"` strings; where the map's types are known `formatted` is added, as bpftool does with BTF.

use offload_compiler::object::{Map, Object};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::mapfile::{self, Shown};
use serde::Serialize;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A map's types, if the object that it came from is known.
#[derive(Clone, Copy, Debug)]
pub struct Types<'a> {
    /// The object.
    pub object: &'a Object,
    /// The map in it.
    pub map: &'a Map,
}

/// What is read: a key or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A key.
    Key,
    /// A value.
    Value,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Key => "key",
            Part::Value => "value",
        }
    }
}

/// Reads what stood behind `--key` or `--value`: JSON by the map's types; a number, little-endian; an IPv4, IPv6 or MAC address of the
/// part's size, in network order; or bytes (`10 0 0 1`, `0x0a 0 0 1`, `hex 0a 00 00 01`).
///
/// # Errors
/// `OW1010`, `OW0713`.
pub fn parse(part: Part, tokens: &[String], size: u32, types: Option<Types<'_>>) -> Result<Vec<u8>, Diagnostic> {
    let refuse = |reason: String| {
        Diagnostic::error(codes::driver::BAD_DATA, format!("the {} does not fit the map", part.name()))
            .with_reason(reason)
            .with_help("a number, an address, JSON by the map's types, or bytes: 10 0 0 1, 0x0a 0 0 1, hex 0a 00 00 01")
    };
    let bytes = match tokens {
        [one] if one.starts_with(['{', '[', '"']) => {
            return match (types, part) {
                (Some(Types { map, .. }), Part::Key) => mapfile::read_key(map, one),
                (Some(Types { object, map }), Part::Value) => mapfile::read_value(object, map, one),
                (None, _) => Err(refuse(
                    "the types of the map are not known: its program was loaded by somebody else".to_owned(),
                )),
            };
        }
        [one] if size != 1 || number(one).is_none() => {
            scalar(one, size).ok_or_else(|| refuse(format!("{one:?} is no number or address of {size} B")))?
        }
        [first, rest @ ..] if first == "hex" => {
            let byte = |text: &String| {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                u8::from_str_radix(digits, 16).map_err(|_| refuse(format!("{text:?} is no hexadecimal byte")))
            };
            rest.iter().map(byte).collect::<Result<Vec<u8>, _>>()?
        }
        all => {
            let byte = |text: &String| {
                let value = number(text).and_then(|value| u8::try_from(value).ok());
                value.ok_or_else(|| refuse(format!("{text:?} is no byte")))
            };
            all.iter().map(byte).collect::<Result<Vec<u8>, _>>()?
        }
    };
    if bytes.len() as u64 != u64::from(size) {
        return Err(refuse(format!("it has {} B, the map's {}s have {size}", bytes.len(), part.name())));
    }
    Ok(bytes)
}

/// Decimal or 0x.
fn number(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(i128::from),
        None => text.parse().ok(),
    }
}

/// One token that is all of the bytes.
fn scalar(text: &str, size: u32) -> Option<Vec<u8>> {
    let address = match size {
        4 => text.parse::<Ipv4Addr>().ok().map(|address| address.octets().to_vec()),
        16 => text.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec()),
        6 if text.contains(':') => {
            return text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<Vec<u8>>>();
        }
        _ => None,
    };
    if address.is_some() {
        return address;
    }
    let value = number(text)?;
    let bits = (size * 8).min(64);
    let fits = if value < 0 { value >= -(1i128 << (bits - 1)) } else { value < 1i128 << bits };
    fits.then(|| {
        let mut bytes = (value as u64).to_le_bytes().to_vec();
        bytes.resize(size as usize, 0);
        bytes
    })
}

/// Bytes as bpftool prints them in JSON.
pub fn hex(bytes: &[u8]) -> Vec<String> {
    bytes.iter().map(|byte| format!("0x{byte:02x}")).collect()
}

/// A value of a map: one, or one for each CPU.
#[derive(Clone, Debug)]
pub enum Values {
    /// An ordinary map's.
    One(Vec<u8>),
    /// A per-CPU map's, from CPU 0 on.
    PerCpu(Vec<Vec<u8>>),
}

impl Values {
    /// From what a lookup gave: of a per-CPU map each value is padded to 8 B.
    pub fn new(bytes: &[u8], value_size: u32, per_cpu: bool) -> Self {
        let size = value_size as usize;
        if per_cpu {
            let step = size.next_multiple_of(8).max(8);
            Values::PerCpu(bytes.chunks(step).map(|value| value.get(..size).unwrap_or(value).to_vec()).collect())
        } else {
            Values::One(bytes.get(..size).unwrap_or(bytes).to_vec())
        }
    }
}

#[derive(Serialize)]
struct CpuBytes {
    cpu: usize,
    value: Vec<String>,
}

#[derive(Serialize)]
struct CpuShown {
    cpu: usize,
    value: Shown,
}

/// An entry as bpftool's `map dump -j` has it.
#[derive(Serialize)]
pub struct EntryReport {
    key: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<CpuBytes>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted: Option<Formatted>,
}

#[derive(Serialize)]
struct Formatted {
    key: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<CpuShown>>,
}

impl EntryReport {
    /// An entry, with its types if they are known.
    pub fn new(key: &[u8], values: &Values, types: Option<Types<'_>>) -> Self {
        let formatted = types.map(|Types { object, map }| {
            let shown = |value: &[u8]| mapfile::show_value(object, map, value);
            let (value, values) = match values {
                Values::One(value) => (Some(shown(value)), None),
                Values::PerCpu(values) => {
                    let list = values.iter().enumerate().map(|(cpu, value)| CpuShown { cpu, value: shown(value) });
                    (None, Some(list.collect()))
                }
            };
            Formatted { key: mapfile::show_key(map, key), value, values }
        });
        let (value, values) = match values {
            Values::One(value) => (Some(hex(value)), None),
            Values::PerCpu(values) => {
                let list = values.iter().enumerate().map(|(cpu, value)| CpuBytes { cpu, value: hex(value) });
                (None, Some(list.collect()))
            }
        };
        EntryReport { key: hex(key), value, values, formatted }
    }

    /// For people: by the types, or as bytes.
    pub fn text(&self) -> String {
        let plain =
            |bytes: &[String]| bytes.iter().map(|byte| byte.trim_start_matches("0x")).collect::<Vec<_>>().join(" ");
        match &self.formatted {
            Some(Formatted { key, value: Some(value), .. }) => format!("{key}: {value}\n"),
            Some(Formatted { key, values: Some(values), .. }) => {
                let list = values.iter().map(|CpuShown { cpu, value }| format!("  cpu {cpu}: {value}\n"));
                format!("{key}:\n{}", list.collect::<String>())
            }
            _ => {
                let key = plain(&self.key);
                match (&self.value, &self.values) {
                    (Some(value), _) => format!("key: {key}  value: {}\n", plain(value)),
                    (None, values) => {
                        let list = values.iter().flatten();
                        let list = list.map(|CpuBytes { cpu, value }| format!("  cpu {cpu}: {}\n", plain(value)));
                        format!("key: {key}\n{}", list.collect::<String>())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tokens: &[&str], size: u32) -> Result<Vec<u8>, Diagnostic> {
        parse(Part::Key, &tokens.iter().map(|token| (*token).to_owned()).collect::<Vec<_>>(), size, None)
    }

    #[test]
    fn bytes_numbers_and_addresses_are_read() {
        for (tokens, size, bytes) in [
            (vec!["10", "0", "0", "1"], 4, vec![10, 0, 0, 1]),
            (vec!["0x0a", "0", "0", "0x1"], 4, vec![10, 0, 0, 1]),
            (vec!["hex", "0a", "00", "00", "ff"], 4, vec![10, 0, 0, 255]),
            (vec!["1"], 4, vec![1, 0, 0, 0]),
            (vec!["0x102"], 8, vec![2, 1, 0, 0, 0, 0, 0, 0]),
            (vec!["-1"], 2, vec![255, 255]),
            (vec!["7"], 1, vec![7]),
            (vec!["hex", "07"], 1, vec![7]),
            (vec!["192.168.0.1"], 4, vec![192, 168, 0, 1]),
            (vec!["::1"], 16, [vec![0; 15], vec![1]].concat()),
            (vec!["02:00:00:00:00:ff"], 6, vec![2, 0, 0, 0, 0, 255]),
            (vec!["1"], 12, [vec![1], vec![0; 11]].concat()),
        ] {
            assert_eq!(read(&tokens, size).unwrap(), bytes, "{tokens:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (tokens, size) in [
            (vec!["1", "2"], 4),
            (vec!["256"], 1),
            (vec!["1", "256", "0", "0"], 4),
            (vec!["65536"], 2),
            (vec!["-40000"], 2),
            (vec!["hex", "0g"], 1),
            (vec!["hex"], 4),
            (vec!["10.0.0.1"], 8),
            (vec!["02:00:00:00:ff"], 6),
            (vec!["{\"a\": 1}"], 4),
            (vec!["x"], 4),
            (vec!["-1", "0"], 2),
        ] {
            assert_eq!(read(&tokens, size).unwrap_err().code, codes::driver::BAD_DATA, "{tokens:?}");
        }
    }

    #[test]
    fn values_of_cpus_are_taken_apart() {
        let bytes = [[1u8, 2, 3, 4, 0, 0, 0, 0], [5, 6, 7, 8, 0, 0, 0, 0]].concat();
        let Values::PerCpu(values) = Values::new(&bytes, 4, true) else { panic!("one value") };
        assert_eq!(values, [[1, 2, 3, 4], [5, 6, 7, 8]]);
        let report = EntryReport::new(&[9], &Values::PerCpu(values), None);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"key":["0x09"],"values":[{"cpu":0,"value":["0x01","0x02","0x03","0x04"]},{"cpu":1,"value":["0x05","0x06","0x07","0x08"]}]}"#
        );
        assert_eq!(report.text(), "key: 09\n  cpu 0: 01 02 03 04\n  cpu 1: 05 06 07 08\n");
    }
}
