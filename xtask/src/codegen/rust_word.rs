//! `hw/isa/src/gen/{mod,word,enums,consts}.rs`.

use super::MARK;
use super::layout::{Field, Isa, Kind};
use std::fmt::Write;

/// The module file. Its modules are kept from the formatter, so their text does not depend on its version.
pub(crate) fn module() -> String {
    let mut text = format!("{MARK}//! What `cargo xtask codegen` makes from `hw/spec`; a test compares it.\n\n");
    for name in ["codec", "consts", "enums", "fields", "profiles", "sem", "word"] {
        let _ = writeln!(text, "#[rustfmt::skip]\npub(crate) mod {name};");
    }
    text
}

/// The Rust type of a field.
pub(crate) fn type_of(isa: &Isa, field: &Field) -> String {
    match field.kind {
        Kind::Bool => "bool".into(),
        Kind::Unsigned => if field.width <= 8 { "u8" } else { "u16" }.into(),
        Kind::Signed => "i16".into(),
        Kind::Enum(index) => isa.enums[index].name.clone(),
        Kind::Target => "Target".into(),
    }
}

/// The struct of a word.
pub(crate) fn word(isa: &Isa) -> String {
    let mut names: Vec<&str> = isa.enums.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    let mut text = format!("{MARK}\nuse super::enums::{{{}}};\nuse crate::Target;\n", names.join(", "));
    text += "
/// One decoded word. The default is all zeros: a word that does nothing and goes on at address 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
";
    for field in &isa.fields {
        let unit = &isa.unit(field).name;
        let _ = writeln!(
            text,
            "    /// Unit `{unit}`, field `{}`, bits {} to {}.\n    pub {}: {},",
            field.text,
            field.high(),
            field.low,
            field.name,
            type_of(isa, field)
        );
    }
    text + "}\n"
}

/// The enumerations, with codes and assembler names.
pub(crate) fn enums(isa: &Isa) -> String {
    let mut text = MARK.to_owned();
    for item in &isa.enums {
        let name = &item.name;
        let _ = write!(
            text,
            "
/// {}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum {name} {{
",
            item.doc
        );
        for value in &item.values {
            let _ = writeln!(text, "    /// {}", value.doc);
            if value.code == 0 {
                text += "    #[default]\n";
            }
            let _ = writeln!(text, "    {} = {},", value.name, value.code);
        }
        let _ = write!(
            text,
            "}}

impl {name} {{
    /// All values, in the order of the specification.
    pub const ALL: &'static [{name}] = &[
"
        );
        for value in &item.values {
            let _ = writeln!(text, "        {name}::{},", value.name);
        }
        let _ = write!(
            text,
            "    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {{
        self as u8
    }}

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {{
        Some(match code {{
"
        );
        for value in &item.values {
            let _ = writeln!(text, "            {} => {name}::{},", value.code, value.name);
        }
        text += "            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
";
        for value in &item.values {
            let _ = writeln!(text, "            {name}::{} => {:?},", value.name, value.asm);
        }
        text += "        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
";
        for value in &item.values {
            let _ = writeln!(text, "            {:?} => {name}::{},", value.asm, value.name);
        }
        text += "            _ => return None,
        })
    }
}
";
    }
    text
}

/// Constants: sizes, operand sources of the units, packet metadata.
pub(crate) fn consts(isa: &Isa) -> String {
    let head = &isa.spec.isa;
    let mut text = format!("{MARK}\nuse super::enums::Src;\n");
    let mut constant = |doc: &str, name: &str, ty: &str, value: String| {
        let _ = write!(text, "\n/// {doc}\npub const {name}: {ty} = {value};\n");
    };
    constant("Version of the encoding and of its meaning.", "ISA_VERSION", "u32", head.version.to_string());
    constant("Bits of a word.", "WORD_BITS", "usize", head.word_bits.to_string());
    constant("Bytes of an encoded word.", "WORD_BYTES", "usize", (head.word_bits / 8).to_string());
    constant("Registers of a context, 64 bits each.", "REGISTERS", "usize", head.registers.to_string());
    constant("Bits of a code address.", "CODE_ADDRESS_BITS", "u32", head.code_address_bits.to_string());
    constant("Bytes of the space `Stack`.", "STACK_BYTES", "u16", head.stack_bytes.to_string());
    constant(
        "Bytes of the space `Scratch`, packet metadata included.",
        "SCRATCH_BYTES",
        "u16",
        head.scratch_bytes.to_string(),
    );
    constant(
        "Bytes of read-only packet metadata at the start of the scratch.",
        "METADATA_BYTES",
        "u16",
        isa.spec.metadata.bytes.to_string(),
    );
    for field in &isa.spec.metadata.fields {
        let name = field.name.to_uppercase();
        let doc = format!("Scratch address of `{}` ({} bytes): {}", field.name, field.size, field.doc);
        constant(&doc, &format!("METADATA_{name}"), "u16", field.offset.to_string());
    }
    constant("Tag of a map-value handle, bits 63 to 60.", "HANDLE_TAG", "u64", isa.spec.handle.tag.to_string());
    for unit in isa.spec.units.iter().filter(|unit| !unit.sources.is_empty()) {
        let list: Vec<String> = unit.sources.iter().map(|source| format!("Src::{source}")).collect();
        let doc = format!("What the operands of unit `{}` may select.", unit.name);
        constant(&doc, &format!("{}_SOURCES", unit.name.to_uppercase()), "&[Src]", format!("&[{}]", list.join(", ")));
    }
    text
}
