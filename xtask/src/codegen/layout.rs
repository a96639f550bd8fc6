//! The specification, resolved and checked: where each field lies, what it may hold.
//!
//! Checked here: names and codes are unique, every code fits its bits, the fields fill the word without overlap and leave
//! only low spare bits, limits and rules name fields that exist. Semantics are checked where they are typed (`expr`).

use super::spec::{Enum, Spec, Unit, Value};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;

/// The resolved specification.
pub(crate) struct Isa {
    pub(crate) spec: Spec,
    /// In the order of the file, most significant first.
    pub(crate) fields: Vec<Field>,
    /// Enumerations, with the ALU and compare operations as two more (`AluOp`, `CmpOp`).
    pub(crate) enums: Vec<Enum>,
    /// Number of low bits that no field names; they must be zero.
    pub(crate) spare: u32,
    pub(crate) limits: Vec<Limit>,
    pub(crate) rules: Vec<Rule>,
}

/// One field of the word.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// As the file writes it ("ld_off:10s").
    pub(crate) text: String,
    /// Index of its unit.
    pub(crate) unit: usize,
    pub(crate) low: u32,
    pub(crate) width: u32,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Unsigned,
    Signed,
    /// Index of the enumeration.
    Enum(usize),
    Target,
}

/// The sum of some fields is at most a constant.
pub(crate) struct Limit {
    pub(crate) text: String,
    /// Indices of fields.
    pub(crate) terms: Vec<usize>,
    pub(crate) max: u32,
}

/// If an enumeration field has one value, other fields must have fixed values.
pub(crate) struct Rule {
    pub(crate) text: String,
    pub(crate) field: usize,
    pub(crate) value: Value,
    /// (field, value it must have).
    pub(crate) then: Vec<(usize, u32)>,
}

impl Field {
    pub(crate) fn high(&self) -> u32 {
        self.low + self.width - 1
    }
}

impl Isa {
    /// The unit of a field.
    pub(crate) fn unit(&self, field: &Field) -> &Unit {
        &self.spec.units[field.unit]
    }

    /// The fields of a unit.
    pub(crate) fn fields_of(&self, unit: usize) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.unit == unit)
    }

    /// True if the field selects an operand.
    pub(crate) fn is_source(&self, field: &Field) -> bool {
        matches!(field.kind, Kind::Enum(index) if self.enums[index].name == "Src")
    }

    /// What the encoding depends on, one line an item; the profile hash covers it, so an image of another encoding is refused.
    pub(crate) fn canonical(&self) -> String {
        let mut text = format!("isa_version={}\nword_bits={}\n", self.spec.isa.version, self.spec.isa.word_bits);
        for field in &self.fields {
            text += &format!("field {}@{}\n", field.text, field.low);
        }
        for item in &self.enums {
            for value in &item.values {
                text += &format!("{}.{}={} {}\n", item.name, value.name, value.code, value.sem);
            }
        }
        for function in &self.spec.functions {
            text += &format!("{}({}) {:?} {}\n", function.name, function.args, function.lets, function.sem);
        }
        for unit in &self.spec.units {
            text += &format!("{} {:?} {} {:?}\n", unit.name, unit.sources, unit.limits, unit.rules);
        }
        for field in &self.spec.metadata.fields {
            text += &format!("metadata {}@{}+{}\n", field.name, field.offset, field.size);
        }
        text
    }
}

/// Resolves and checks.
pub(crate) fn resolve(spec: Spec) -> Result<Isa> {
    let mut enums: Vec<Enum> = Vec::new();
    for item in &spec.enums {
        enums.push(Enum {
            name: item.name.clone(),
            bits: item.bits,
            doc: item.doc.clone(),
            values: item.values.clone(),
        });
    }
    for (name, ops, doc) in
        [("AluOp", &spec.alu, "Operation of an ALU."), ("CmpOp", &spec.cmp, "Condition of a compare unit.")]
    {
        enums.push(Enum { name: name.into(), bits: ops.bits, doc: doc.into(), values: ops.ops.clone() });
    }
    for item in &enums {
        check_enum(item)?;
    }
    let mut fields = Vec::new();
    let mut next = spec.isa.word_bits;
    for (unit, item) in spec.units.iter().enumerate() {
        for text in item.bits.split_whitespace() {
            let field = field(text, unit, &mut next, &enums, spec.isa.code_address_bits)
                .with_context(|| format!("unit `{}`, field `{text}`", item.name))?;
            fields.push(field);
        }
    }
    ensure!(spec.isa.word_bits.is_multiple_of(8), "word_bits must be whole bytes");
    ensure!(1 << (spec.isa.code_address_bits) <= u32::from(u16::MAX) + 1, "code addresses must fit 16 bits");
    let mut isa = Isa { spec, fields, enums, spare: next, limits: Vec::new(), rules: Vec::new() };
    check_fields(&isa)?;
    for unit in &isa.spec.units {
        for text in unit.limits.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            isa.limits.push(limit(text, &isa.fields).with_context(|| format!("limit `{text}`"))?);
        }
        for text in &unit.rules {
            isa.rules.push(rule(text, &isa).with_context(|| format!("rule `{text}`"))?);
        }
    }
    check_metadata(&isa)?;
    Ok(isa)
}

fn check_enum(item: &Enum) -> Result<()> {
    let (mut codes, mut names, mut texts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    ensure!((1..=8).contains(&item.bits), "enum {}: 1 to 8 bits", item.name);
    for value in &item.values {
        let what = format!("{}.{}", item.name, value.name);
        ensure!(value.code < 1 << item.bits, "{what}: code {} does not fit {} bits", value.code, item.bits);
        ensure!(codes.insert(value.code), "{what}: code {} is used twice", value.code);
        ensure!(names.insert(&value.name), "{what}: the name is used twice");
        ensure!(texts.insert(&value.asm), "{what}: the assembler name `{}` is used twice", value.asm);
    }
    ensure!(codes.contains(&0), "enum {}: code 0 must exist, an all-zero word is idle", item.name);
    Ok(())
}

fn field(text: &str, unit: usize, next: &mut u32, enums: &[Enum], code_bits: u32) -> Result<Field> {
    let (name, kind) = text.split_once(':').context("a field is name:type")?;
    let (width, kind) = if let Some(width) = kind.strip_suffix('s').and_then(|width| width.parse().ok()) {
        (width, Kind::Signed)
    } else if let Ok(width) = kind.parse() {
        (width, if width == 1 { Kind::Bool } else { Kind::Unsigned })
    } else if kind == "Target" {
        (code_bits + 1, Kind::Target)
    } else {
        let kind = match kind {
            "Alu" => "AluOp",
            "Cmp" => "CmpOp",
            other => other,
        };
        let index = enums.iter().position(|item| item.name == kind).context("no such enum")?;
        (enums[index].bits, Kind::Enum(index))
    };
    ensure!((1..=16).contains(&width), "1 to 16 bits");
    ensure!(width <= *next, "the word is too narrow: {width} bits wanted, {next} left");
    *next -= width;
    Ok(Field { name: name.into(), text: text.into(), unit, low: *next, width, kind })
}

fn check_fields(isa: &Isa) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut owner = vec![None; isa.spec.isa.word_bits as usize];
    for field in &isa.fields {
        ensure!(names.insert(&field.name), "field name `{}` is used twice", field.name);
        for bit in field.low..=field.high() {
            let slot = &mut owner[bit as usize];
            if let Some(other) = slot.replace(&field.name) {
                bail!("bit {bit} belongs to `{other}` and `{}`", field.name);
            }
        }
        let unit = isa.unit(field);
        if isa.is_source(field) {
            ensure!(!unit.sources.is_empty(), "unit `{}` has operands but no sources", unit.name);
        }
    }
    ensure!(isa.spare < 8, "{} spare bits: make the word narrower", isa.spare);
    for (bit, owner) in owner.iter().enumerate() {
        ensure!(owner.is_some() == (bit >= isa.spare as usize), "bit {bit} is a hole");
    }
    let sources = isa.enums.iter().find(|item| item.name == "Src").context("no enum Src")?;
    for unit in &isa.spec.units {
        for source in &unit.sources {
            ensure!(sources.values.iter().any(|value| value.name == *source), "no source `{source}`");
        }
    }
    Ok(())
}

fn find(name: &str, fields: &[Field]) -> Result<usize> {
    fields.iter().position(|field| field.name == name.trim()).with_context(|| format!("no field `{}`", name.trim()))
}

fn limit(text: &str, fields: &[Field]) -> Result<Limit> {
    let (sum, max) = text.split_once("<=").context("a limit is field + field <= number")?;
    let terms = sum.split('+').map(|name| find(name, fields)).collect::<Result<Vec<_>>>()?;
    ensure!(
        terms.iter().all(|&term| fields[term].kind == Kind::Unsigned && fields[term].width <= 8),
        "only small unsigned fields"
    );
    Ok(Limit { text: text.into(), terms, max: max.trim().parse()? })
}

fn rule(text: &str, isa: &Isa) -> Result<Rule> {
    let (condition, then) = text.split_once(':').context("a rule is field = Value: field = number, ..")?;
    let (field, value) = condition.split_once('=').context("no `=` in the condition")?;
    let field = find(field, &isa.fields)?;
    let Kind::Enum(index) = isa.fields[field].kind else { bail!("the condition needs an enumeration") };
    let value = isa.enums[index].values.iter().find(|item| item.name == value.trim()).context("no such value")?.clone();
    let mut list = Vec::new();
    for item in then.split(',') {
        let (name, value) = item.split_once('=').context("no `=`")?;
        let target = find(name, &isa.fields)?;
        let value: u32 = value.trim().parse()?;
        ensure!(matches!(isa.fields[target].kind, Kind::Unsigned | Kind::Bool), "only unsigned fields and flags");
        ensure!(value < 1 << isa.fields[target].width, "{value} does not fit");
        list.push((target, value));
    }
    Ok(Rule { text: text.into(), field, value, then: list })
}

fn check_metadata(isa: &Isa) -> Result<()> {
    let metadata = &isa.spec.metadata;
    ensure!(metadata.bytes <= isa.spec.isa.scratch_bytes, "metadata is larger than scratch");
    let mut used = vec![false; metadata.bytes as usize];
    for field in &metadata.fields {
        ensure!(field.size.is_power_of_two() && field.size <= 8, "metadata {}: size", field.name);
        ensure!(field.offset.is_multiple_of(field.size), "metadata {} is not aligned", field.name);
        for byte in field.offset..field.offset + field.size {
            let Some(slot) = used.get_mut(byte as usize) else { bail!("metadata {} lies outside", field.name) };
            ensure!(!std::mem::replace(slot, true), "metadata {} overlaps", field.name);
        }
    }
    Ok(())
}
