//! SystemVerilog of the host interface: `hw/rtl/gen/offwire_regs_pkg.sv`.

use super::{Spec, upper};
use crate::codegen::MARK;
use anyhow::Result;
use std::fmt::Write;

pub(crate) fn package(spec: &Spec) -> Result<String> {
    let mut out = format!("{MARK}/* verilator lint_off UNUSEDPARAM */\npackage offwire_regs_pkg;\n");
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
            out.push_str("  typedef struct packed {\n");
            fields.sort_by_key(|field| std::cmp::Reverse(field.0));
            let mut above = register.width;
            let gap = |out: &mut String, above: u32, high: u32| {
                if high + 1 < above {
                    let _ = writeln!(out, "    logic [{}:0] unused_{};", above - high - 2, high + 1);
                }
            };
            for (high, low, field) in fields {
                gap(&mut out, above, high);
                let _ = writeln!(out, "    logic [{}:0] {};", high - low, self::field(&field));
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
    out.push_str("\nendpackage\n/* verilator lint_on UNUSEDPARAM */\n");
    Ok(out)
}

/// Names that are keywords of SystemVerilog or of the C++ that Verilator makes get a `_f`.
fn field(name: &str) -> String {
    if matches!(name, "input" | "output" | "program" | "map" | "vector") {
        format!("{name}_f")
    } else {
        name.to_owned()
    }
}

/// A module that does not elaborate unless each field of each descriptor lies where the specification says.
pub(crate) fn bench(spec: &Spec) -> Result<String> {
    let mut out = format!("{MARK}module offwire_regs_tb;\n  import offwire_regs_pkg::*;\n");
    for descriptor in &spec.descriptor {
        let ty = upper(&descriptor.name).to_lowercase();
        let bits = descriptor.bytes * 8;
        for part in descriptor.parts()? {
            let name = field(part.name);
            let check = format!("{ty}_{}", part.name);
            let (width, low) = (part.ty.bytes() * 8, part.offset * 8);
            let _ = write!(
                out,
                "  localparam {ty}_t Only_{check} = '{{{name}: '1, default: '0}};\n  \
                 if (Only_{check} != ({bits}'({{{width}{{1'b1}}}}) << {low})) begin : gen_{check}\n    $error(\"{}.{} moved\");\n  end\n",
                descriptor.name, part.name
            );
        }
    }
    out.push_str("endmodule\n");
    Ok(out)
}
