//! `docs/isa.md`: the prose of `hw/spec/isa.md.in` with tables and bit pictures filled in.

use super::layout::{Field, Isa, Kind};
use super::profiles::Profile;
use super::spec::{Ops, Value};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write;

/// Fills in every `{{...}}`.
pub(crate) fn chapter(template: &str, isa: &Isa, profiles: &[Profile]) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("`{{` without `}}`")?;
        text += before;
        text += fill(name, isa, profiles).with_context(|| format!("{{{{{name}}}}}"))?.trim_end();
        rest = after;
    }
    text += rest;
    Ok(text)
}

fn fill(name: &str, isa: &Isa, profiles: &[Profile]) -> Result<String> {
    let head = &isa.spec.isa;
    Ok(match name {
        "version" => head.version.to_string(),
        "status" => head.status.clone(),
        "registers" => head.registers.to_string(),
        "stack" => head.stack_bytes.to_string(),
        "scratch" => head.scratch_bytes.to_string(),
        "code_bits" => head.code_address_bits.to_string(),
        "target_bits" => (head.code_address_bits + 1).to_string(),
        "target_stray" => (head.code_address_bits - 1).to_string(),
        "word_bits" => head.word_bits.to_string(),
        "word_bytes" => (head.word_bits / 8).to_string(),
        "metadata_bytes" => isa.spec.metadata.bytes.to_string(),
        "metadata_last" => (isa.spec.metadata.bytes - 1).to_string(),
        "word_table" => word_table(isa)?,
        "units" => units(isa)?,
        "ops alu" => ops(&isa.spec.alu)?,
        "ops cmp" => ops(&isa.spec.cmp)?,
        "functions" => functions(isa)?,
        "metadata" => metadata(isa)?,
        "handle" => format!("{}\n", one_line(&isa.spec.handle.doc)),
        "profiles" => profile_table(profiles)?,
        _ => match name.strip_prefix("enum ") {
            Some(name) => enumeration(isa, name)?,
            None => bail!("unknown"),
        },
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bars would end a cell of a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn word_table(isa: &Isa) -> Result<String> {
    let mut text = String::from("| bits | width | unit | fields |\n|---|---|---|---|\n");
    for (index, unit) in isa.spec.units.iter().enumerate() {
        let fields: Vec<&Field> = isa.fields_of(index).collect();
        let (Some(first), Some(last)) = (fields.first(), fields.last()) else { bail!("unit {} is empty", unit.name) };
        let width = first.high() - last.low + 1;
        let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
        writeln!(text, "| {}:{} | {width} | {} | {} |", first.high(), last.low, unit.name, names.join(" "))?;
    }
    if isa.spare > 0 {
        writeln!(text, "| {}:0 | {} | spare | must be zero |", isa.spare - 1, isa.spare)?;
    }
    Ok(text)
}

fn units(isa: &Isa) -> Result<String> {
    let mut text = String::new();
    for (index, unit) in isa.spec.units.iter().enumerate() {
        let fields: Vec<&Field> = isa.fields_of(index).collect();
        write!(text, "### {}\n\n```text\n{}```\n\n{}\n\n", unit.name, picture(&fields), one_line(&unit.doc))?;
        text += "| field | bits | holds |\n|---|---|---|\n";
        for field in &fields {
            let bits = if field.width == 1 { field.low.to_string() } else { format!("{}:{}", field.high(), field.low) };
            writeln!(text, "| `{}` | {bits} | {} |", field.name, holds(isa, field))?;
        }
        text += "\n";
        let codes = |name: &String| -> String {
            let source = isa.enums.iter().find(|item| item.name == "Src");
            let value = source.and_then(|item| item.values.iter().find(|value| value.name == *name));
            format!("`{}`", value.map_or(name.as_str(), |value| value.asm.as_str()))
        };
        if !unit.sources.is_empty() {
            let list: Vec<String> = unit.sources.iter().map(codes).collect();
            write!(text, "Operands: {}.\n\n", list.join(", "))?;
        }
        if !unit.limits.is_empty() {
            let list: Vec<String> = unit.limits.split(',').map(|limit| format!("`{}`", limit.trim())).collect();
            write!(text, "Limits: {}.\n\n", list.join(", "))?;
        }
        if !unit.rules.is_empty() {
            let list: Vec<String> = unit.rules.iter().map(|rule| format!("`{rule}`")).collect();
            write!(text, "Rules (if the first holds, so must the others): {}.\n\n", list.join("; "))?;
        }
    }
    Ok(text)
}

fn holds(isa: &Isa, field: &Field) -> String {
    match field.kind {
        Kind::Bool => "flag".into(),
        Kind::Unsigned => format!("0 to {}", (1u32 << field.width) - 1),
        Kind::Signed => {
            let half = 1i32 << (field.width - 1);
            format!("-{half} to {}", half - 1)
        }
        Kind::Target => "target".into(),
        Kind::Enum(_) if isa.is_source(field) => "operand".into(),
        Kind::Enum(index) => match isa.enums[index].name.as_str() {
            "AluOp" => "ALU operation".into(),
            "CmpOp" => "compare operation".into(),
            name => name.into(),
        },
    }
}

/// The unit's bits, most significant first, in rows that fit a page.
fn picture(fields: &[&Field]) -> String {
    const PAGE: usize = 100;
    let mut text = String::new();
    let mut row: Vec<(String, String)> = Vec::new();
    let mut width = 1;
    for field in fields {
        let bits = if field.width == 1 { field.low.to_string() } else { format!("{} {}", field.high(), field.low) };
        let size = bits.len().max(field.name.len()) + 2;
        if width + size + 1 > PAGE {
            draw(&mut text, &row);
            row.clear();
            width = 1;
        }
        width += size + 1;
        row.push((bits, field.name.clone()));
    }
    draw(&mut text, &row);
    text
}

fn draw(text: &mut String, row: &[(String, String)]) {
    let (mut bits, mut line, mut names) = (String::from(" "), String::from("+"), String::from("|"));
    for (numbers, name) in row {
        let size = numbers.len().max(name.len()) + 2;
        // The high bit stands at the left edge of its cell, the low bit at the right edge.
        bits += &match numbers.split_once(' ') {
            Some((high, low)) => format!("{high}{low:>width$} ", width = size - high.len()),
            None => format!("{numbers:^size$} "),
        };
        line += &format!("{}+", "-".repeat(size));
        names += &format!("{name:^size$}|");
    }
    *text += &format!("{}\n{line}\n{names}\n{line}\n", bits.trim_end());
}

fn enumeration(isa: &Isa, name: &str) -> Result<String> {
    let item = isa.enums.iter().find(|item| item.name == name).context("no such enum")?;
    let mut text = format!(
        "**{name}** ({} bits): {}\n\n| code | text | name | meaning |\n|---|---|---|---|\n",
        item.bits, item.doc
    );
    for Value { name, code, asm, doc, .. } in &item.values {
        writeln!(text, "| {code} | `{asm}` | {name} | {} |", cell(doc))?;
    }
    Ok(text)
}

fn ops(ops: &Ops) -> Result<String> {
    let mut text = String::from("| code | text | meaning | expression |\n|---|---|---|---|\n");
    for op in &ops.ops {
        writeln!(text, "| {} | `{}` | {} | `{}` |", op.code, op.asm, cell(&op.doc), cell(&op.sem))?;
    }
    Ok(text)
}

fn functions(isa: &Isa) -> Result<String> {
    let mut text = String::new();
    for function in &isa.spec.functions {
        let args = function.args.split_whitespace().collect::<Vec<_>>().join(", ");
        write!(text, "`{}({args})`, {} bits: {}\n\n```text\n", function.name, function.bits, one_line(&function.doc))?;
        for (name, value) in &function.lets {
            writeln!(text, "{name} = {value}")?;
        }
        write!(text, "{}\n```\n\n", function.sem)?;
    }
    Ok(text)
}

fn metadata(isa: &Isa) -> Result<String> {
    let mut text = String::from("| offset | bytes | field | meaning |\n|---|---|---|---|\n");
    for field in &isa.spec.metadata.fields {
        writeln!(text, "| {} | {} | `{}` | {} |", field.offset, field.size, field.name, cell(&field.doc))?;
    }
    Ok(text)
}

fn profile_table(profiles: &[Profile]) -> Result<String> {
    let first = profiles.first().context("no profiles")?;
    let mut text = String::from("| field |");
    for profile in profiles {
        write!(text, " `{}` |", profile.name)?;
    }
    write!(text, " meaning |\n|---|{}---|\n| `part` |", "---|".repeat(profiles.len()))?;
    for profile in profiles {
        write!(text, " {} |", profile.part)?;
    }
    writeln!(text, " {} |", cell(first.comment("part")))?;
    for (index, (key, _)) in first.numbers.iter().enumerate() {
        write!(text, "| `{key}` |")?;
        for profile in profiles {
            ensure!(profile.numbers[index].0 == *key, "profiles differ in their fields");
            write!(text, " {} |", profile.numbers[index].1)?;
        }
        writeln!(text, " {} |", cell(first.comment(key)))?;
    }
    Ok(text)
}
