//! `hw/isa/gen/isa.smt2`: the pure operations as SMT-LIB 2.6 functions over bit vectors, for proofs about code and RTL.
//!
//! A value of one bit is a `Bool`, everything else a bit vector.

use super::expr::{self, Binary, Compare, Node, Scope, Shift, Typed};
use super::layout::Isa;
use super::rust_sem::pure;
use super::spec::Ops;
use anyhow::{Context, Result, ensure};
use std::fmt::Write;

/// The file.
pub(crate) fn smt(isa: &Isa) -> Result<String> {
    let mut text = String::from(
        "; Generated from hw/spec by `cargo xtask codegen`; do not edit.
;
; Every operation on 64 bits (NAME64.OP) and on the low 32 bits of its inputs, zero-extended (NAME32.OP); NAME64 and NAME32
; take the operation's code, and give zero or false for codes that do not exist.
",
    );
    ops(&mut text, "alu", &isa.spec.alu, None)?;
    ops(&mut text, "cmp", &isa.spec.cmp, Some(1))?;
    for function in &isa.spec.functions {
        let pure = pure(function)?;
        let args: Vec<String> = pure.args.iter().map(|(name, width)| format!("({name} {})", sort(*width))).collect();
        write!(
            text,
            "\n; {}\n(define-fun {} ({}) {}",
            function.doc,
            function.name,
            args.join(" "),
            sort(function.bits)
        )?;
        for (name, typed) in &pure.lets {
            write!(text, "\n  (let (({name} {}))", emit(typed)?)?;
        }
        let close = ")".repeat(pure.lets.len() + 1);
        writeln!(text, "\n  {}{close}", emit(&pure.result)?)?;
    }
    Ok(text)
}

fn sort(width: u32) -> String {
    if width == 1 { "Bool".into() } else { format!("(_ BitVec {width})") }
}

fn ops(text: &mut String, name: &str, ops: &Ops, result: Option<u32>) -> Result<()> {
    let sort = sort(result.unwrap_or(64));
    for w in [64, 32] {
        text.push('\n');
        for op in &ops.ops {
            let typed = expr::typed(&op.sem, &Scope::operation(w), Some(result.unwrap_or(w)))
                .with_context(|| format!("{name}.{} on {w} bits", op.name))?;
            let body = emit(&typed)?;
            let body = match (w, result) {
                (64, _) => body,
                (_, None) => format!("(let ((a {LOW_A}) (b {LOW_B})) ((_ zero_extend 32) {body}))"),
                (_, Some(_)) => format!("(let ((a {LOW_A}) (b {LOW_B})) {body})"),
            };
            writeln!(text, "(define-fun {name}{w}.{} ((a (_ BitVec 64)) (b (_ BitVec 64))) {sort} {body})", op.asm)?;
        }
        let bits = ops.bits;
        write!(text, "(define-fun {name}{w} ((op (_ BitVec {bits})) (a (_ BitVec 64)) (b (_ BitVec 64))) {sort}")?;
        for op in &ops.ops {
            write!(text, "\n  (ite (= op (_ bv{} {bits})) ({name}{w}.{} a b)", op.code, op.asm)?;
        }
        let none = if result.is_none() { "(_ bv0 64)" } else { "false" };
        writeln!(text, "\n  {none}{})", ")".repeat(ops.ops.len()))?;
    }
    Ok(())
}

const LOW_A: &str = "((_ extract 31 0) a)";
const LOW_B: &str = "((_ extract 31 0) b)";

fn emit(typed: &Typed) -> Result<String> {
    let width = typed.width;
    let one = width == 1;
    Ok(match &typed.node {
        Node::Name(name) => name.clone(),
        Node::Number(value) if one => (*value == 1).to_string(),
        Node::Number(value) => format!("(_ bv{value} {width})"),
        Node::Not(x) => format!("({} {})", if one { "not" } else { "bvnot" }, emit(x)?),
        Node::Binary(operator, x, y) => {
            let name = match (operator, one) {
                (Binary::And, true) => "and",
                (Binary::Or, true) => "or",
                (Binary::Xor, true) => "xor",
                (Binary::And, false) => "bvand",
                (Binary::Or, false) => "bvor",
                (Binary::Xor, false) => "bvxor",
                (_, true) => anyhow::bail!("arithmetic on one bit"),
                (Binary::Add, false) => "bvadd",
                (Binary::Sub, false) => "bvsub",
                (Binary::Mul, false) => "bvmul",
            };
            format!("({name} {} {})", emit(x)?, emit(y)?)
        }
        Node::Shift(kind, x, amount) => {
            let name = match kind {
                Shift::Left => "bvshl",
                Shift::Right => "bvlshr",
                Shift::Arithmetic => "bvashr",
            };
            let bits = width.trailing_zeros().min(amount.width);
            let low = format!("((_ extract {} 0) {})", bits - 1, emit(amount)?);
            format!("({name} {} ((_ zero_extend {}) {low}))", emit(x)?, width - bits)
        }
        Node::Compare(kind, x, y) => {
            let (x, y) = (emit(x)?, emit(y)?);
            match kind {
                Compare::Eq => format!("(= {x} {y})"),
                Compare::Ne => format!("(distinct {x} {y})"),
                Compare::Ult => format!("(bvult {x} {y})"),
                Compare::Ule => format!("(bvule {x} {y})"),
                Compare::Slt => format!("(bvslt {x} {y})"),
                Compare::Sle => format!("(bvsle {x} {y})"),
            }
        }
        Node::If(condition, x, y) => format!("(ite {} {} {})", emit(condition)?, emit(x)?, emit(y)?),
        Node::Low(x) if one => format!("(= ((_ extract 0 0) {}) #b1)", emit(x)?),
        Node::Low(x) => format!("((_ extract {} 0) {})", width - 1, emit(x)?),
        Node::ZeroExtend(x) if x.width == 1 => format!("(ite {} (_ bv1 {width}) (_ bv0 {width}))", emit(x)?),
        Node::ZeroExtend(x) => format!("((_ zero_extend {}) {})", width - x.width, emit(x)?),
        Node::SignExtend(x) => {
            ensure!(x.width > 1, "sx() of one bit");
            format!("((_ sign_extend {}) {})", width - x.width, emit(x)?)
        }
        Node::Concat(x, y) => {
            ensure!(x.width > 1 && y.width > 1, "cat() of one bit");
            format!("(concat {} {})", emit(x)?, emit(y)?)
        }
        Node::Bswap(x) => {
            let x = emit(x)?;
            let bytes: Vec<String> =
                (0..width / 8).map(|byte| format!("((_ extract {} {}) v)", byte * 8 + 7, byte * 8)).collect();
            format!("(let ((v {x})) (concat {}))", bytes.join(" "))
        }
    })
}
