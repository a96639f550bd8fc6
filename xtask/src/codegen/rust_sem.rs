//! `hw/isa/src/gen/sem.rs`: the meaning of pure operations in Rust.

use super::MARK;
use super::expr::{self, Scope, Typed};
use super::layout::Isa;
use super::rust_expr;
use super::spec::{Function, Ops};
use anyhow::{Context, Result};
use std::fmt::Write;

/// One pure function with widths: its parts (`let`), then its result.
pub(crate) struct Pure {
    /// (name, width).
    pub(crate) args: Vec<(String, u32)>,
    pub(crate) lets: Vec<(String, Typed)>,
    pub(crate) result: Typed,
}

/// Types a `[[function]]`.
pub(crate) fn pure(function: &Function) -> Result<Pure> {
    let mut scope = Scope { w: function.bits, ..Scope::default() };
    let mut args = Vec::new();
    for arg in function.args.split_whitespace() {
        let (name, width) = arg.split_once(':').context("an argument is name:width")?;
        let width = width.parse().context("width of an argument")?;
        args.push((name.to_owned(), width));
        scope.names.insert(name.into(), width);
    }
    let mut lets = Vec::new();
    for (name, text) in &function.lets {
        let typed = expr::typed(text, &scope, None)?;
        scope.names.insert(name.clone(), typed.width);
        lets.push((name.clone(), typed));
    }
    let result = expr::typed(&function.sem, &scope, Some(function.bits))?;
    Ok(Pure { args, lets, result })
}

/// The file.
pub(crate) fn sem(isa: &Isa) -> Result<String> {
    let mut text = format!("{MARK}\nuse super::enums::{{AluOp, CmpOp}};\n");
    ops(&mut text, "AluOp", &isa.spec.alu, None)?;
    ops(&mut text, "CmpOp", &isa.spec.cmp, Some(1))?;
    for function in &isa.spec.functions {
        write_function(&mut text, function).with_context(|| format!("function {}", function.name))?;
    }
    Ok(text)
}

/// `eval` of one enumeration; `result` is the width of the result if it is not the width of the inputs.
fn ops(text: &mut String, name: &str, ops: &Ops, result: Option<u32>) -> Result<()> {
    let (ty, extend) = if result.is_none() { ("u64", " as u64") } else { ("bool", "") };
    write!(
        text,
        "
impl {name} {{
    /// The result on 64 bits (`wide`), or on the low 32 bits of both inputs{}.
    #[inline(always)]
    pub const fn eval(self, wide: bool, a: u64, b: u64) -> {ty} {{
        if wide {{ self.eval64(a, b) }} else {{ self.eval32(a as u32, b as u32){extend} }}
    }}
",
        if result.is_none() { ", zero-extended" } else { "" }
    )?;
    for w in [64, 32] {
        let ty = rust_expr::type_of(result.unwrap_or(w));
        write!(
            text,
            "
    /// The result on {w} bits.
    #[inline]
    pub const fn eval{w}(self, a: u{w}, b: u{w}) -> {ty} {{
        match self {{
"
        )?;
        for op in &ops.ops {
            let typed = expr::typed(&op.sem, &Scope::operation(w), Some(result.unwrap_or(w)))
                .with_context(|| format!("{name}.{} on {w} bits", op.name))?;
            writeln!(text, "            {name}::{} => {},", op.name, rust_expr::emit(&typed)?)?;
        }
        text.push_str("        }\n    }\n");
    }
    text.push_str("}\n");
    Ok(())
}

fn write_function(text: &mut String, function: &Function) -> Result<()> {
    let pure = pure(function)?;
    let args: Vec<String> =
        pure.args.iter().map(|(name, width)| format!("{name}: {}", rust_expr::type_of(*width))).collect();
    write!(
        text,
        "\n/// {}\n#[inline]\npub const fn {}({}) -> {} {{\n",
        function.doc,
        function.name,
        args.join(", "),
        rust_expr::type_of(function.bits)
    )?;
    for (name, width) in &pure.args {
        // Arguments narrower than their Rust type: higher bits do not count.
        if *width > 1 && !matches!(width, 8 | 16 | 32 | 64 | 128) {
            writeln!(text, "    let {name} = {name} & {:#x};", (1u64 << width) - 1)?;
        }
    }
    for (name, typed) in &pure.lets {
        writeln!(text, "    let {name} = {};", rust_expr::emit(typed)?)?;
    }
    writeln!(text, "    {}\n}}", rust_expr::emit(&pure.result)?)?;
    Ok(())
}
