//! SystemVerilog of the host interface: `hw/rtl/gen/offwire_regs_pkg.sv`.

use super::{Spec, upper};
use crate::codegen::MARK;
use anyhow::Result;
use std::fmt::Write;

pub(crate) fn package(spec: &Spec) -> Result<String> {
    let mut out = format!("{MARK}package offwire_regs_pkg;\n");
    for (name, value, doc) in spec.interface.constants().into_iter().chain(spec.ring.constants()) {
        let _ = write!(out, "\n  // {doc}\n  localparam int unsigned {name} = 32'h{value:x};\n");
    }
    for item in &spec.enums {
        let _ = write!(out, "\n  // {}\n  typedef enum logic [15:0] {{\n", item.doc);
        let values: Vec<String> = item
            .values
            .iter()
            .map(|value| format!("    {}_{} = 16'h{:04x}", upper(&item.name), upper(&value.name), value.code))
            .collect();
        let _ = write!(out, "{}\n  }} {}_e;\n", values.join(",\n"), upper(&item.name).to_lowercase());
    }
    for item in &spec.flags {
        let _ = write!(out, "\n  // {}\n", item.doc);
        for value in &item.values {
            let _ = writeln!(
                out,
                "  localparam int unsigned {}_{}_BIT = {};",
                upper(&item.name),
                upper(&value.name),
                value.bit
            );
        }
    }
    for register in spec.register.iter().chain(&spec.ring_register) {
        let name = upper(&register.name);
        let _ = write!(
            out,
            "\n  // {}\n  localparam logic [15:0] {name}_OFFSET = 16'h{:04x};\n",
            register.doc, register.offset
        );
        if !register.fields.is_empty() {
            let mut fields: Vec<(u32, u32, String)> = Vec::new();
            for field in &register.fields {
                let (high, low) = field.range()?;
                fields.push((high, low, field.name.clone()));
            }
            let _ = write!(out, "  typedef struct packed {{\n");
            fields.sort_by(|a, b| b.0.cmp(&a.0));
            let mut above = register.width;
            let gap = |out: &mut String, above: u32, high: u32| {
                if high + 1 < above {
                    let _ = writeln!(out, "    logic [{}:0] unused_{};", above - high - 2, high + 1);
                }
            };
            for (high, low, field) in fields {
                gap(&mut out, above, high);
                let _ = writeln!(out, "    logic [{}:0] {field};", high - low);
                above = low;
            }
            if above > 0 {
                let _ = writeln!(out, "    logic [{}:0] unused_0;", above - 1);
            }
            let _ = writeln!(out, "  }} {}_t;", name.to_lowercase());
        }
    }
    for descriptor in &spec.descriptor {
        let _ = write!(out, "\n  // {}\n  typedef struct packed {{\n", descriptor.doc);
        // The first byte of memory is the lowest of the packed structure.
        for part in descriptor.parts()?.iter().rev() {
            let bytes = part.ty.bytes();
            let _ = writeln!(out, "    logic [{}:0] {};", bytes * 8 - 1, field(part.name));
        }
        let _ = writeln!(out, "  }} {}_t;", upper(&descriptor.name).to_lowercase());
    }
    out.push_str("\nendpackage\n");
    Ok(out)
}

/// Names that are keywords of SystemVerilog get a `_f`.
fn field(name: &str) -> String {
    if matches!(name, "input" | "output" | "program") { format!("{name}_f") } else { name.to_owned() }
}

/// A bench that prints offset and width of each field of each descriptor, as the package has them.
pub(crate) fn bench(spec: &Spec) -> Result<String> {
    let mut out = format!("{MARK}module offwire_regs_tb;\n  import offwire_regs_pkg::*;\n");
    for descriptor in &spec.descriptor {
        let ty = upper(&descriptor.name).to_lowercase();
        let _ = writeln!(out, "  {ty}_t d_{ty};");
    }
    out.push_str("  initial begin\n");
    for descriptor in &spec.descriptor {
        let ty = upper(&descriptor.name).to_lowercase();
        for part in descriptor.parts()? {
            let name = field(part.name);
            let _ = write!(
                out,
                "    d_{ty} = '0; d_{ty}.{name} = '1;\n    $display(\"{} {} %0d %h\", $bits(d_{ty}), d_{ty});\n",
                descriptor.name, part.name
            );
        }
    }
    out.push_str("    $finish;\n  end\nendmodule\n");
    Ok(out)
}
