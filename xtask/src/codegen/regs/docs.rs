//! The register chapter: `docs/registers.md`.

use super::{Access, Register, Spec, Type};
use anyhow::{Context, Result, bail};
use std::fmt::Write;

/// Fills in every `{{...}}` of the template.
pub(crate) fn chapter(template: &str, spec: &Spec) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("`{{` without `}}`")?;
        text += before;
        text += fill(name, spec).with_context(|| format!("{{{{{name}}}}}"))?.trim_end();
        rest = after;
    }
    text += rest;
    Ok(text)
}

fn fill(name: &str, spec: &Spec) -> Result<String> {
    Ok(match name {
        "version" => format!("{}.{}", spec.interface.major, spec.interface.minor),
        "constants" => {
            let mut out = "| name | value | what it is |\n|---|---|---|\n".to_owned();
            for (name, value, doc) in spec.interface.constants().into_iter().chain(spec.ring.constants()) {
                let _ = writeln!(out, "| `{name}` | {value:#x} | {} |", cell(doc));
            }
            out
        }
        "registers" => registers(&spec.register)?,
        "ring registers" => registers(&spec.ring_register)?,
        "ring" => spec.ring.doc.clone(),
        "counters" => {
            let mut out = String::new();
            for counters in &spec.counters {
                let names: Vec<String> = counters.names.iter().map(|name| format!("`{name}`")).collect();
                let _ = writeln!(out, "- **{}**: {}.", counters.domain, names.join(", "));
            }
            out
        }
        _ => match name.split_once(' ') {
            Some(("enum", name)) => {
                let item = spec.enums.iter().find(|item| item.name == name).context("no such enum")?;
                let mut out = format!("{}\n\n| code | name | meaning |\n|---|---|---|\n", item.doc);
                for value in &item.values {
                    let _ = writeln!(out, "| {:#04x} | {} | {} |", value.code, value.name, cell(&value.doc));
                }
                out
            }
            Some(("flags", name)) => {
                let item = spec.flags.iter().find(|item| item.name == name).context("no such flags")?;
                let mut out = format!("{}\n\n| bit | name | meaning |\n|---|---|---|\n", item.doc);
                for value in &item.values {
                    let _ = writeln!(out, "| {} | {} | {} |", value.bit, value.name, cell(&value.doc));
                }
                out
            }
            Some(("descriptor", name)) => {
                let item = spec.descriptor.iter().find(|item| item.name == name).context("no such descriptor")?;
                let mut out = format!(
                    "{} {} B.\n\n| offset | field | type | meaning |\n|---|---|---|---|\n",
                    item.doc, item.bytes
                );
                for part in item.parts()? {
                    let ty = match part.ty {
                        Type::Number(bytes) => format!("u{}", bytes * 8),
                        Type::Bytes(bytes) => format!("{bytes} B"),
                    };
                    let _ = writeln!(out, "| {} | `{}` | {ty} | {} |", part.offset, part.name, cell(part.doc));
                }
                out
            }
            _ => bail!("unknown"),
        },
    })
}

fn registers(registers: &[Register]) -> Result<String> {
    let mut out = "| offset | name | bits | access | meaning |\n|---|---|---|---|---|\n".to_owned();
    for register in registers {
        let access = match register.access {
            Access::Ro => "ro",
            Access::Rw => "rw",
            Access::Wo => "wo",
        };
        let reset = if register.reset == 0 { String::new() } else { format!(" Reset value {:#x}.", register.reset) };
        let _ = writeln!(
            out,
            "| {:#05x} | **{}** | {} | {access} | {}{reset} |",
            register.offset,
            register.name,
            register.width,
            cell(&register.doc)
        );
        for field in &register.fields {
            let (high, low) = field.range()?;
            let bits = if high == low { high.to_string() } else { format!("{high}:{low}") };
            let _ = writeln!(out, "| | `{}` | {bits} | | {} |", field.name, cell(&field.doc));
        }
    }
    Ok(out)
}

/// Bars would end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
