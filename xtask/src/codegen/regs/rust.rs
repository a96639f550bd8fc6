//! Rust of the host interface: `hw/hostif/src/gen`.

use super::{Access, Descriptor, Enum, Flags, Register, Spec, Type, upper};
use crate::codegen::MARK;
use anyhow::Result;
use std::fmt::Write;

pub(crate) fn module() -> String {
    format!(
        "{MARK}//! Made of `hw/spec/regs.toml`.\n\n#[rustfmt::skip]\nmod consts;\n#[rustfmt::skip]\npub mod desc;\n#[rustfmt::skip]\nmod enums;\n#[rustfmt::skip]\npub mod reg;\n\npub use consts::*;\npub use enums::*;\n"
    )
}

pub(crate) fn consts(spec: &Spec) -> String {
    let mut out = MARK.to_owned();
    for (name, value, doc) in spec.interface.constants().into_iter().chain(spec.ring.constants()) {
        let number = if value > 255 { format!("{value:#x}") } else { value.to_string() };
        let _ = write!(out, "\n/// {doc}\npub const {name}: u32 = {number};\n");
    }
    for counters in &spec.counters {
        let _ = write!(
            out,
            "\n/// Names of the counters of domain {}, in their order.\npub const {}_COUNTERS: [&str; {}] = [\n",
            counters.domain,
            upper(&counters.domain),
            counters.names.len()
        );
        for name in &counters.names {
            let _ = writeln!(out, "    {name:?},");
        }
        out += "];\n";
    }
    out
}

pub(crate) fn enums(spec: &Spec) -> String {
    let mut out = MARK.to_owned();
    for item in &spec.enums {
        enumeration(&mut out, item);
    }
    for item in &spec.flags {
        flags(&mut out, item);
    }
    out
}

fn enumeration(out: &mut String, item: &Enum) {
    let name = &item.name;
    let _ = write!(
        out,
        "\n/// {}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u16)]\npub enum {name} {{\n",
        item.doc
    );
    for value in &item.values {
        let _ = writeln!(out, "    /// {}\n    {} = {},", value.doc, value.name, value.code);
    }
    let _ = write!(
        out,
        "}}\n\nimpl {name} {{\n    /// All values.\n    pub const ALL: [{name}; {}] = [\n",
        item.values.len()
    );
    for value in &item.values {
        let _ = writeln!(out, "        {name}::{},", value.name);
    }
    out.push_str("    ];\n\n    /// The number in a descriptor.\n    pub const fn code(self) -> u16 {\n        self as u16\n    }\n\n");
    let _ = write!(
        out,
        "    /// The value with this number.\n    pub const fn from_code(code: u16) -> Option<Self> {{\n        Some(match code {{\n"
    );
    for value in &item.values {
        let _ = writeln!(out, "            {} => {name}::{},", value.code, value.name);
    }
    out.push_str("            _ => return None,\n        })\n    }\n\n");
    out.push_str(
        "    /// What it says, for people.\n    pub const fn doc(self) -> &'static str {\n        match self {\n",
    );
    for value in &item.values {
        let _ = writeln!(out, "            {name}::{} => {:?},", value.name, value.doc);
    }
    out.push_str("        }\n    }\n}\n");
}

fn flags(out: &mut String, item: &Flags) {
    let name = &item.name;
    let _ = write!(out, "\n/// {}\n#[derive(Debug)]\npub struct {name};\n\nimpl {name} {{\n", item.doc);
    for value in &item.values {
        let _ = writeln!(out, "    /// {}\n    pub const {}: u16 = 1 << {};", value.doc, upper(&value.name), value.bit);
    }
    let all = item.values.iter().fold(0u32, |all, value| all | 1 << value.bit);
    let _ = write!(out, "    /// All that there are.\n    pub const ALL: u16 = {all:#x};\n}}\n");
}

pub(crate) fn registers(spec: &Spec) -> Result<String> {
    let mut out = format!(
        "{MARK}//! Registers.\n\nuse crate::BarOffset;\nuse crate::register::{{Readable, Register, RingRegister, Writable}};\n"
    );
    for register in &spec.register {
        one(&mut out, register, "Register")?;
    }
    for register in &spec.ring_register {
        one(&mut out, register, "RingRegister")?;
    }
    Ok(out)
}

fn one(out: &mut String, register: &Register, of: &str) -> Result<()> {
    let Register { name, offset, width, access, reset, doc, fields } = register;
    let _ = write!(
        out,
        "\n/// {doc}\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\npub struct {name}(pub u{width});\n\nimpl {of} for {name} {{\n    \
         const NAME: &'static str = {name:?};\n    const OFFSET: BarOffset = BarOffset({offset:#x});\n    const RESET: u64 = {reset:#x};\n    const BYTES: u32 = {};\n\n    \
         fn to_raw(self) -> u64 {{\n        {}\n    }}\n\n    fn from_raw(raw: u64) -> Self {{\n        {name}(raw{})\n    }}\n}}\n",
        width / 8,
        if *width == 64 { "self.0" } else { "self.0.into()" },
        if *width == 64 { "" } else { " as u32" },
    );
    if *access != Access::Wo {
        let _ = write!(out, "\nimpl Readable for {name} {{}}\n");
    }
    if *access != Access::Ro {
        let _ = write!(out, "\nimpl Writable for {name} {{}}\n");
    }
    if fields.is_empty() {
        return Ok(());
    }
    let _ = write!(out, "\nimpl {name} {{\n");
    for field in fields {
        let (high, low) = field.range()?;
        let mask = u64::MAX >> (63 - (high - low));
        let (name, doc) = (&field.name, &field.doc);
        let shifted = if low == 0 { "self.0".to_owned() } else { format!("(self.0 >> {low})") };
        let (ty, get, put) = if mask == 1 {
            ("bool", format!("{shifted} & 1 != 0"), format!("({name} as u{width})"))
        } else {
            let ty = format!("u{width}");
            let ty = if ty == "u32" { "u32" } else { "u64" };
            (ty, format!("{shifted} & {mask:#x}"), format!("({name} & {mask:#x})"))
        };
        let put = if low == 0 { put } else { format!("{put} << {low}") };
        let clear = mask << low;
        let _ = write!(
            out,
            "    /// {doc}\n    pub const fn {name}(self) -> {ty} {{\n        {get}\n    }}\n\n    \
             /// The same with another `{name}`; a number that does not fit is cut.\n    pub const fn with_{name}(self, {name}: {ty}) -> Self {{\n        Self(self.0 & !{clear:#x} | {put})\n    }}\n\n"
        );
    }
    out.truncate(out.trim_end().len());
    out.push_str("\n}\n");
    Ok(())
}

pub(crate) fn descriptors(spec: &Spec) -> Result<String> {
    let mut out = format!("{MARK}//! Descriptors of rings and records in buffers.\n");
    for descriptor in &spec.descriptor {
        layout(&mut out, descriptor)?;
    }
    Ok(out)
}

fn layout(out: &mut String, descriptor: &Descriptor) -> Result<()> {
    let Descriptor { name, bytes, doc, .. } = descriptor;
    let parts = descriptor.parts()?;
    let _ = write!(out, "\n/// {doc}\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub struct {name} {{\n");
    for part in &parts {
        let ty = match part.ty {
            Type::Number(bytes) => format!("u{}", bytes * 8),
            Type::Bytes(bytes) => format!("[u8; {bytes}]"),
        };
        let _ = writeln!(out, "    /// {}\n    pub {}: {ty},", part.doc, part.name);
    }
    let _ = write!(
        out,
        "}}\n\nimpl Default for {name} {{\n    fn default() -> Self {{\n        Self::decode(&[0; {bytes}])\n    }}\n}}\n"
    );
    let _ = write!(
        out,
        "\nimpl {name} {{\n    /// Its bytes.\n    pub const BYTES: usize = {bytes};\n\n    /// Offset and bytes of each field, in order.\n    pub const FIELDS: [(&'static str, u32, u32); {}] = [\n",
        parts.len()
    );
    for part in &parts {
        let _ = writeln!(out, "        ({:?}, {}, {}),", part.name, part.offset, part.ty.bytes());
    }
    let _ = write!(
        out,
        "    ];\n\n    /// The bytes as they lie in memory.\n    pub fn encode(&self) -> [u8; {bytes}] {{\n        let mut bytes = [0; {bytes}];\n"
    );
    for part in &parts {
        let range = format!("{}..{}", part.offset, part.offset + part.ty.bytes());
        let value = match part.ty {
            Type::Number(_) => format!("self.{}.to_le_bytes()", part.name),
            Type::Bytes(_) => format!("self.{}", part.name),
        };
        let _ = writeln!(out, "        bytes[{range}].copy_from_slice(&{value});");
    }
    let _ = write!(
        out,
        "        bytes\n    }}\n\n    /// Reads the bytes; any are possible.\n    pub fn decode(bytes: &[u8; {bytes}]) -> Self {{\n        {name} {{\n"
    );
    for part in &parts {
        let at = |byte: u32| format!("bytes[{}]", part.offset + byte);
        let value = match part.ty {
            Type::Number(width) => {
                let list: Vec<String> = (0..width).map(at).collect();
                format!("u{}::from_le_bytes([{}])", width * 8, list.join(", "))
            }
            Type::Bytes(width) => {
                let list: Vec<String> = (0..width).map(at).collect();
                format!("[{}]", list.join(", "))
            }
        };
        let _ = writeln!(out, "            {}: {value},", part.name);
    }
    out.push_str("        }\n    }\n}\n");
    Ok(())
}
