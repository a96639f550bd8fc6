//! `hw/isa/src/gen/{codec,fields}.rs`: the 288-bit encoding.

use super::MARK;
use super::layout::{Isa, Kind};
use super::rust_word::type_of;
use std::fmt::Write;

/// Encode, decode and the checks.
pub(crate) fn codec(isa: &Isa) -> String {
    let mut names: Vec<&str> = isa.enums.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    let mut text = format!(
        "{MARK}\nuse super::consts::*;\nuse super::enums::{{{}}};\nuse super::word::Word;\nuse crate::bits::Bits;\nuse crate::{{DecodeError, Target}};\n",
        names.join(", ")
    );
    text += "
impl Word {
    /// The 288-bit encoding; bit 0 of the word is bit 0 of byte 0.
    ///
    /// Never fails: a number too large for its field is cut to the field's bits. [`Word::check`] tells whether anything would
    /// be cut, or refused by [`Word::decode`]; whoever makes words calls it first.
    pub fn encode(&self) -> [u8; WORD_BYTES] {
        let mut bits = Bits::default();
";
    for field in &isa.fields {
        let name = &field.name;
        let value = match field.kind {
            Kind::Bool | Kind::Unsigned => format!("self.{name} as u64"),
            Kind::Signed => format!("self.{name} as u64"),
            Kind::Enum(_) => format!("self.{name}.code() as u64"),
            Kind::Target => format!("self.{name}.encode() as u64"),
        };
        let _ = writeln!(text, "        bits.put({}, {}, {value});", field.low, field.width);
    }
    text += "        bits.to_bytes()
    }

    /// Reads an encoded word. Total: any bytes give a word or an error that names the field.
    ///
    /// # Errors
    /// Spare bits that are not zero, codes that an enumeration lacks, bad targets, and all that [`Word::check`] refuses.
    pub fn decode(bytes: &[u8; WORD_BYTES]) -> Result<Word, DecodeError> {
        let bits = Bits::from_bytes(bytes);
";
    if isa.spare > 0 {
        let _ = writeln!(
            text,
            "        if bits.get(0, {}) != 0 {{\n            return Err(DecodeError::Spare);\n        }}",
            isa.spare
        );
    }
    text += "        let word = Word {\n";
    for field in &isa.fields {
        let name = &field.name;
        let get = format!("bits.get({}, {})", field.low, field.width);
        let value = match field.kind {
            Kind::Bool => format!("{get} != 0"),
            Kind::Unsigned => format!("{get} as {}", type_of(isa, field)),
            Kind::Signed => format!("bits.get_signed({}, {})", field.low, field.width),
            Kind::Enum(index) => {
                let ty = &isa.enums[index].name;
                format!("{ty}::from_code({get} as u8).ok_or(DecodeError::code(\"{name}\", {get}))?")
            }
            Kind::Target => {
                format!("Target::decode({get} as u16).ok_or(DecodeError::target(\"{name}\", {get}))?")
            }
        };
        let _ = writeln!(text, "            {name}: {value},");
    }
    text += "        };
        word.check_rules()?;
        Ok(word)
    }

    /// Tells whether [`Word::decode`] gives this word back from its encoding: every number fits its field, every operand is
    /// in reach of its unit, limits and rules hold.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), DecodeError> {
";
    for field in &isa.fields {
        let name = &field.name;
        let bound = match field.kind {
            Kind::Unsigned if field.width == 8 || field.width == 16 => continue,
            Kind::Unsigned => format!("self.{name} > {}", (1u32 << field.width) - 1),
            Kind::Signed if field.width == 16 => continue,
            Kind::Signed => {
                let half = 1i32 << (field.width - 1);
                format!("self.{name} < -{half} || self.{name} > {}", half - 1)
            }
            Kind::Target => {
                let _ = write!(
                    text,
                    "        if Target::decode(self.{name}.encode()) != Some(self.{name}) {{\n            return Err(DecodeError::target(\"{name}\", self.{name}.encode() as u64));\n        }}\n"
                );
                continue;
            }
            Kind::Bool | Kind::Enum(_) => continue,
        };
        let _ = write!(
            text,
            "        if {bound} {{\n            return Err(DecodeError::Range {{ field: \"{name}\", value: self.{name}.into() }});\n        }}\n"
        );
    }
    text += "        self.check_rules()
    }

    /// Operand sources, limits and rules.
    fn check_rules(&self) -> Result<(), DecodeError> {
";
    for field in isa.fields.iter().filter(|field| isa.is_source(field)) {
        let (name, unit) = (&field.name, isa.unit(field).name.to_uppercase());
        let _ = write!(
            text,
            "        if !{unit}_SOURCES.contains(&self.{name}) {{\n            return Err(DecodeError::Source {{ field: \"{name}\", source: self.{name} }});\n        }}\n"
        );
    }
    for limit in &isa.limits {
        let sum: Vec<String> =
            limit.terms.iter().map(|&term| format!("self.{} as u32", isa.fields[term].name)).collect();
        let sum = if sum.len() == 1 { format!("self.{}", isa.fields[limit.terms[0]].name) } else { sum.join(" + ") };
        let field = limit.terms.last().map_or("", |&term| &isa.fields[term].name);
        let _ = write!(
            text,
            "        if {sum} > {} {{\n            return Err(DecodeError::Limit {{ field: \"{field}\", limit: \"{}\" }});\n        }}\n",
            limit.max, limit.text
        );
    }
    for rule in &isa.rules {
        let field = &isa.fields[rule.field];
        let Kind::Enum(index) = field.kind else { continue };
        let _ = writeln!(text, "        if self.{} == {}::{} {{", field.name, isa.enums[index].name, rule.value.name);
        for &(target, value) in &rule.then {
            let target = &isa.fields[target];
            let wrong = match (&target.kind, value) {
                (Kind::Bool, 0) => format!("self.{}", target.name),
                (Kind::Bool, _) => format!("!self.{}", target.name),
                _ => format!("self.{} != {value}", target.name),
            };
            let _ = write!(
                text,
                "            if {wrong} {{\n                return Err(DecodeError::Limit {{ field: \"{}\", limit: \"{}\" }});\n            }}\n",
                target.name, rule.text
            );
        }
        text += "        }\n";
    }
    text + "        Ok(())\n    }\n}\n"
}

/// The table of fields.
pub(crate) fn fields(isa: &Isa) -> String {
    let mut text = format!(
        "{MARK}\nuse crate::field::{{Field, FieldKind}};\n\n/// All fields of the word, most significant first.\npub const FIELDS: &[Field] = &[\n"
    );
    for field in &isa.fields {
        let kind = match field.kind {
            Kind::Bool => "FieldKind::Flag".into(),
            Kind::Unsigned => "FieldKind::Unsigned".into(),
            Kind::Signed => "FieldKind::Signed".into(),
            Kind::Enum(index) => {
                let all = &isa.enums[index];
                let unit = isa.unit(field);
                let codes: Vec<String> = all
                    .values
                    .iter()
                    .filter(|value| !isa.is_source(field) || unit.sources.contains(&value.name))
                    .map(|value| value.code.to_string())
                    .collect();
                format!("FieldKind::Codes(&[{}])", codes.join(", "))
            }
            Kind::Target => "FieldKind::Target".into(),
        };
        let _ = writeln!(
            text,
            "    Field {{ name: \"{}\", unit: \"{}\", low: {}, width: {}, kind: {kind} }},",
            field.name,
            isa.unit(field).name,
            field.low,
            field.width
        );
    }
    text + "];\n"
}
