//! `hw/rtl/gen/*.sv`: the word, its checks and the pure operations for the engine's RTL, and the profiles.
//!
//! The text keeps to what Verilator 5.006 and yosys' own front end both read: packages by scope, packed structs, no `$bits`.

use super::expr::{self, Scope};
use super::layout::{Field, Isa, Kind};
use super::profiles::Profile;
use super::rust_sem::pure;
use super::spec::{Function, Ops};
use super::sv_expr::{Emitter, bare, type_of};
use super::{MARK, sv_expr};
use anyhow::{Context, Result};
use std::fmt::Write;

/// Nobody uses every constant of a package, nor every field of a word in its checks.
const UNUSED_ON: &str = "  // verilator lint_off UNUSEDPARAM\n  // verilator lint_off UNUSEDSIGNAL\n";
const UNUSED_OFF: &str = "  // verilator lint_on UNUSEDSIGNAL\n  // verilator lint_on UNUSEDPARAM\n";

/// `CamelCase` to `snake_case`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// `snake_case` to `CamelCase`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
        })
        .collect()
}

fn field_type(isa: &Isa, field: &Field) -> String {
    match field.kind {
        Kind::Enum(index) => format!("{}_e", snake(&isa.enums[index].name)),
        Kind::Target => "target_t".into(),
        _ => type_of(field.width),
    }
}

/// `offwire_isa_pkg.sv`.
pub(crate) fn package(isa: &Isa) -> Result<String> {
    let head = &isa.spec.isa;
    let mut text = format!(
        "{MARK}\n// The instruction set of the offwire engine; docs/isa.md explains it.\npackage offwire_isa_pkg;\n{UNUSED_ON}\n"
    );
    for (name, value, doc) in [
        ("IsaVersion", head.version, "version of the encoding and of its meaning"),
        ("WordBits", head.word_bits, "bits of a word"),
        ("Registers", head.registers, "registers of a context, 64 bits each"),
        ("CodeAddressBits", head.code_address_bits, "bits of a code address"),
        ("StackBytes", head.stack_bytes, "space Stack"),
        ("ScratchBytes", head.scratch_bytes, "space Scratch, packet metadata included"),
        ("MetadataBytes", isa.spec.metadata.bytes, "read-only packet metadata at the start of the scratch"),
    ] {
        writeln!(text, "  localparam int unsigned {name} = {value};  // {doc}")?;
    }
    for field in &isa.spec.metadata.fields {
        let (name, size) = (camel(&field.name), field.size);
        writeln!(text, "  localparam int unsigned Metadata{name} = {};  // {size} bytes: {}", field.offset, field.doc)?;
    }
    writeln!(
        text,
        "  localparam logic [3:0] HandleTag = 4'd{};  // bits 63 to 60 of a map-value handle",
        isa.spec.handle.tag
    )?;
    for item in &isa.enums {
        write!(text, "\n  // {}\n  typedef enum logic [{}:0] {{\n", item.doc, item.bits - 1)?;
        for (index, value) in item.values.iter().enumerate() {
            let comma = if index + 1 == item.values.len() { "" } else { "," };
            let (bits, code) = (item.bits, value.code);
            writeln!(text, "    {}{} = {bits}'d{code}{comma}  // {}", item.name, value.name, value.doc)?;
        }
        writeln!(text, "  }} {}_e;", snake(&item.name))?;
    }
    write!(
        text,
        "
  // Where to go on: {{0, code address}}, or {{1, zeros, return value 0 to 4}}.
  typedef logic [{}:0] target_t;

  // One word; the first field is in the most significant bits.
  typedef struct packed {{
",
        head.code_address_bits
    )?;
    let mut unit = usize::MAX;
    for field in &isa.fields {
        if field.unit != unit {
            unit = field.unit;
            writeln!(text, "    // {}", isa.unit(field).name)?;
        }
        writeln!(text, "    {} {};  // {}:{}", field_type(isa, field), field.name, field.high(), field.low)?;
    }
    if isa.spare > 0 {
        write!(text, "    // must be zero\n    {} spare;\n", type_of(isa.spare))?;
    }
    text += "  } word_t;\n";
    valid(&mut text, isa)?;
    ops(&mut text, "alu", &isa.spec.alu, None)?;
    ops(&mut text, "cmp", &isa.spec.cmp, Some(1))?;
    for function in &isa.spec.functions {
        write_function(&mut text, function).with_context(|| format!("function {}", function.name))?;
    }
    Ok(text + "\n" + UNUSED_OFF + "endpackage\n")
}

/// Bit n is set if code n is legal.
fn mask(bits: u32, codes: impl Iterator<Item = u32>) -> String {
    let size = 1usize << bits;
    let mut digits = vec!['0'; size];
    for code in codes {
        digits[size - 1 - code as usize] = '1';
    }
    format!("{size}'b{}", digits.into_iter().collect::<String>())
}

/// The field's bits in a vector called `word`.
fn slice(field: &Field) -> String {
    if field.width == 1 { format!("word[{}]", field.low) } else { format!("word[{}:{}]", field.high(), field.low) }
}

/// The decoder's checks.
fn valid(text: &mut String, isa: &Isa) -> Result<()> {
    text.push('\n');
    for item in isa.enums.iter().filter(|item| item.name != "Src" && item.values.len() < 1 << item.bits) {
        let (name, size) = (&item.name, 1u32 << item.bits);
        let mask = mask(item.bits, item.values.iter().map(|value| value.code));
        writeln!(
            text,
            "  // Codes of {} that are legal.\n  localparam logic [{}:0] {name}Codes = {mask};",
            snake(name),
            size - 1
        )?;
    }
    let sources = isa.enums.iter().find(|item| item.name == "Src").context("no enum Src")?;
    for unit in isa.spec.units.iter().filter(|unit| !unit.sources.is_empty()) {
        let size = 1u32 << sources.bits;
        let codes = sources.values.iter().filter(|value| unit.sources.contains(&value.name)).map(|value| value.code);
        let (name, mask) = (camel(&unit.name), mask(sources.bits, codes));
        writeln!(
            text,
            "  // Operands that unit {} can select.\n  localparam logic [{}:0] {name}Sources = {mask};",
            unit.name,
            size - 1
        )?;
    }
    text.push_str(
        "
  function automatic logic target_valid(target_t target);
",
    );
    let bits = isa.spec.isa.code_address_bits;
    write!(
        text,
        "    target_valid = !target[{bits}] || target[{}:0] <= {bits}'d4;\n  endfunction

  // True if the word is one; what decode refuses in software is refused here. Takes bits and not a word_t, because yosys
  // finds no members of a function's arguments.
  function automatic logic word_valid(logic [{}:0] word);
    logic ok;
    ok = 1'b1;
",
        bits - 1,
        isa.spec.isa.word_bits - 1
    )?;
    if isa.spare > 0 {
        writeln!(text, "    ok = ok & (word[{}:0] == {}'d0);  // spare", isa.spare - 1, isa.spare)?;
    }
    for field in &isa.fields {
        let (name, bits) = (&field.name, slice(field));
        match field.kind {
            Kind::Enum(_) if isa.is_source(field) => {
                writeln!(text, "    ok = ok & {}Sources[{bits}];  // {name}", camel(&isa.unit(field).name))?;
            }
            Kind::Enum(index) if isa.enums[index].values.len() < 1 << field.width => {
                writeln!(text, "    ok = ok & {}Codes[{bits}];  // {name}", isa.enums[index].name)?;
            }
            Kind::Target => writeln!(text, "    ok = ok & target_valid({bits});  // {name}")?,
            _ => {}
        }
    }
    for limit in &isa.limits {
        let fields = || limit.terms.iter().map(|&term| &isa.fields[term]);
        let most: u32 = fields().map(|field| (1u32 << field.width) - 1).sum();
        let width = u32::BITS - most.leading_zeros();
        let sum: Vec<String> = fields()
            .map(|field| match width - field.width {
                0 => slice(field),
                more => format!("{{{more}'d0, {}}}", slice(field)),
            })
            .collect();
        writeln!(text, "    ok = ok & ({} <= {width}'d{});  // {}", sum.join(" + "), limit.max, limit.text)?;
    }
    for rule in &isa.rules {
        let field = &isa.fields[rule.field];
        writeln!(text, "    if ({} == {}'d{}) begin  // {}", slice(field), field.width, rule.value.code, rule.text)?;
        for &(target, value) in &rule.then {
            let target = &isa.fields[target];
            writeln!(text, "      ok = ok & ({} == {}'d{value});  // {}", slice(target), target.width, target.name)?;
        }
        text.push_str("    end\n");
    }
    text.push_str("    word_valid = ok;\n  endfunction\n");
    Ok(())
}

/// The labels carry the package's name, or yosys does not find them when a module calls the function.
/// `alu64`, `alu32` and `alu` (or `cmp`); codes that do not exist give zero.
fn ops(text: &mut String, name: &str, ops: &Ops, result: Option<u32>) -> Result<()> {
    let (prefix, ty) = (camel(name) + "Op", format!("{name}_op_e"));
    for w in [64, 32] {
        let width = result.unwrap_or(w);
        let mut emitter = Emitter::default();
        let mut cases = String::new();
        for op in &ops.ops {
            let typed = expr::typed(&op.sem, &Scope::operation(w), Some(width))?;
            writeln!(
                cases,
                "      offwire_isa_pkg::{prefix}{}: {name}{w} = {};",
                op.name,
                bare(&emitter.emit(&typed))
            )?;
        }
        write!(
            text,
            "
  // On {w} bits.
  function automatic {} {name}{w}({ty} op, {} a, {} b);
",
            type_of(width),
            type_of(w),
            type_of(w)
        )?;
        write_parts(text, &emitter)?;
        write!(text, "    case (op)\n{cases}      default: {name}{w} = {width}'d0;\n    endcase\n  endfunction\n")?;
    }
    let (result, narrow) = if result.is_none() {
        (64, format!("{{32'd0, {name}32(op, a[31:0], b[31:0])}}"))
    } else {
        (1, format!("{name}32(op, a[31:0], b[31:0])"))
    };
    write!(
        text,
        "
  // On 64 bits if wide, else on the low 32 bits{}.
  function automatic {} {name}({ty} op, logic wide, logic [63:0] a, logic [63:0] b);
    {name} = wide ? {name}64(op, a, b) : {narrow};
  endfunction
",
        if result == 1 { "" } else { ", zero-extended" },
        type_of(result)
    )?;
    Ok(())
}

fn write_parts(text: &mut String, emitter: &Emitter) -> Result<()> {
    for (name, width) in &emitter.parts {
        writeln!(text, "    {} {name};", sv_expr::type_of(*width))?;
    }
    for line in &emitter.before {
        writeln!(text, "    {line}")?;
    }
    Ok(())
}

fn write_function(text: &mut String, function: &Function) -> Result<()> {
    let pure = pure(function)?;
    let args: Vec<String> = pure.args.iter().map(|(name, width)| format!("{} {name}", type_of(*width))).collect();
    write!(
        text,
        "\n  // {}\n  function automatic {} {}({});\n",
        function.doc,
        type_of(function.bits),
        function.name,
        args.join(", ")
    )?;
    let mut emitter = Emitter::default();
    for (name, typed) in &pure.lets {
        let value = emitter.emit(typed);
        emitter.before.push(format!("{name} = {};", bare(&value)));
        emitter.parts.push((name.clone(), typed.width));
    }
    let result = emitter.emit(&pure.result);
    write_parts(text, &emitter)?;
    write!(text, "    {} = {};\n  endfunction\n", function.name, bare(&result))?;
    Ok(())
}

/// `offwire_profiles_pkg.sv`.
pub(crate) fn profiles(isa: &Isa, profiles: &[Profile]) -> Result<String> {
    let mut text = format!(
        "{MARK}\n// Sizes of the device, hw/spec/profiles/*.toml; names carry their units.\npackage offwire_profiles_pkg;\n{UNUSED_ON}"
    );
    for profile in profiles {
        let name = camel(&profile.name);
        writeln!(text, "\n  // {}: {}", profile.name, profile.part)?;
        for (key, value) in &profile.numbers {
            writeln!(text, "  localparam int unsigned {name}{} = {value};", camel(key))?;
        }
        writeln!(text, "  localparam logic [63:0] {name}Hash = 64'h{:016x};", profile.hash(isa))?;
    }
    Ok(text + "\n" + UNUSED_OFF + "endpackage\n")
}

/// A bench that computes: one line of numbers in, one line of results out. It judges nothing; a test compares.
pub(crate) fn bench(isa: &Isa) -> Result<String> {
    let mut text = format!(
        "{MARK}\n// Reads vectors, writes what the package makes of them; the tests of crate offwire-isa compare with Rust.\n"
    );
    text += "module offwire_isa_tb;
  int in_file;
  int out_file;
  string in_name;
  string out_name;
  logic [287:0] raw;
  logic [4:0] op;
  logic [63:0] a;
  logic [63:0] b;
  logic [127:0] window;
  logic [3:0] delta;
  logic [3:0] size;
  logic swap;
  offwire_isa_pkg::word_t word;

  initial begin
    if (!$value$plusargs(\"in=%s\", in_name) || !$value$plusargs(\"out=%s\", out_name)) begin
      $fatal(1, \"+in=FILE +out=FILE\");
    end
    in_file = $fopen(in_name, \"r\");
    out_file = $fopen(out_name, \"w\");
    if (in_file == 0 || out_file == 0) begin
      $fatal(1, \"cannot open files\");
    end
    while ($fscanf(in_file, \"%h %h %h %h %h %h %h %h\", raw, op, a, b, window, delta, size, swap) == 8) begin
      word = raw;
      $fwrite(out_file, \"%h\", offwire_isa_pkg::word_valid(raw));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::alu(offwire_isa_pkg::alu_op_e'(op), 1'b1, a, b));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::alu(offwire_isa_pkg::alu_op_e'(op), 1'b0, a, b));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::cmp(offwire_isa_pkg::cmp_op_e'(op[3:0]), 1'b1, a, b));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::cmp(offwire_isa_pkg::cmp_op_e'(op[3:0]), 1'b0, a, b));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::extract(window, delta, size, swap));
      $fwrite(out_file, \" %h\", offwire_isa_pkg::insert(window, a, delta, size, swap));
";
    for field in &isa.fields {
        writeln!(text, "      $fwrite(out_file, \" %h\", word.{});", field.name)?;
    }
    if isa.spare > 0 {
        text += "      $fwrite(out_file, \" %h\", word.spare);\n";
    }
    text += "      $fwrite(out_file, \"\\n\");
    end
    $fclose(in_file);
    $fclose(out_file);
    $finish;
  end
endmodule
";
    Ok(text)
}
