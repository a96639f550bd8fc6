//! The textual form of the IR; `docs/ir.md` describes it. [`super::parse()`] reads it back exactly.

use super::{Block, Func, FuncIdx, Inst, Jump, Mem, Op, Request, Term, Value};
use crate::ebpf::InsnIdx;
use offwire_isa::Space;
use std::fmt;

/// Flags of an update, by number.
pub(super) const UPDATE: [&str; 3] = ["any", "noexist", "exist"];

/// Column of the comment that names the eBPF instruction.
const COMMENT: usize = 48;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for FuncIdx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

/// `(a, b)`, or nothing without values.
fn list(f: &mut fmt::Formatter<'_>, values: &[Value]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if i == 0 { "(" } else { ", " })?;
    }
    if values.is_empty() { Ok(()) } else { f.write_str(")") }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.block)?;
        list(f, &self.args)
    }
}

/// `v3 + 4`, `v3 - 4`, `v3 + 0` if `zero`, or only the offset.
fn sum(f: &mut fmt::Formatter<'_>, base: Option<Value>, offset: i32, zero: bool) -> fmt::Result {
    match base {
        None => write!(f, "{offset}"),
        Some(base) if offset == 0 && !zero => write!(f, "{base}"),
        Some(base) => {
            let sign = if offset < 0 { '-' } else { '+' };
            write!(f, "{base} {sign} {}", offset.unsigned_abs())
        }
    }
}

impl fmt::Display for Mem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.space.asm())?;
        if let Some(map) = self.map {
            // A map number on another space is an error that `check` reports; it must not vanish in print.
            let mark = if self.space == Space::MapValue { "" } else { "!" };
            write!(f, "{mark}{}", map.0)?;
        }
        f.write_str("[")?;
        sum(f, self.base, self.offset, false)?;
        f.write_str("]")
    }
}

/// True for operations that look only at their first operand; their second one is written as the first again.
pub(crate) fn is_unary(op: offwire_isa::AluOp) -> bool {
    use offwire_isa::AluOp::*;
    matches!(op, Mov | Bswap16 | Bswap32 | Bswap64 | Sext8 | Sext16 | Sext32 | Zext8 | Zext16)
}

fn bits(wide: bool) -> u8 {
    if wide { 64 } else { 32 }
}

fn swapped(swap: bool) -> &'static str {
    if swap { "be" } else { "" }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Const(value) => match *value as i64 {
                small @ -65_536..=65_535 => write!(f, "const {small}"),
                _ => write!(f, "const {value:#x}"),
            },
            Op::Alu { op, wide, a, b } => {
                write!(f, "{}.{} {a}", op.asm(), bits(*wide))?;
                if is_unary(*op) && a == b { Ok(()) } else { write!(f, ", {b}") }
            }
            Op::Load { mem, size, swap, dismiss } => {
                write!(f, "load.{size}{}{} {mem}", swapped(*swap), if *dismiss { ".dismiss" } else { "" })
            }
            Op::Store { mem, size, swap, value } => write!(f, "store.{size}{} {mem}, {value}", swapped(*swap)),
            Op::AtomicAdd { mem, size, value } => write!(f, "atomic_add.{size} {mem}, {value}"),
            Op::Lookup { map, key } => write!(f, "lookup map{}, {key}", map.0),
            Op::Update { map, key, value, flags } => {
                match UPDATE.get(usize::from(*flags)) {
                    Some(word) => write!(f, "update.{word}")?,
                    None => write!(f, "update.{flags}")?,
                }
                write!(f, " map{}, {key}, {value}", map.0)
            }
            Op::Delete { map, key } => write!(f, "delete map{}, {key}", map.0),
            Op::AdjustHead { delta } => write!(f, "adjust_head {delta}"),
            Op::Call { func, args, stack } => {
                write!(f, "call{} {func}", if *stack { ".stack" } else { "" })?;
                list(f, args)
            }
            Op::Named(reg) => write!(f, "named r{reg}"),
            Op::Request(request) => write!(f, "{request}"),
        }
    }
}

impl fmt::Display for Request {
    /// `request.csum key stack[500]:20 value v1 third v2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request.{}", self.op.asm())?;
        if let Some(map) = self.map {
            write!(f, " map{}", map.0)?;
        }
        if let Some(key) = &self.key {
            write!(f, " key {key}:{}", self.key_bytes)?;
        }
        if let Some(value) = &self.value_at {
            write!(f, " at {value}:{}", self.value_bytes)?;
        }
        if let Some(value) = self.value {
            write!(f, " value {value}")?;
        }
        match self.third {
            Some(third) => write!(f, " third {third}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Jump(jump) => write!(f, "jump {jump}"),
            Term::Branch { op, wide, a, b, then, els } => {
                write!(f, "if {}.{} {a}, {b} then {then} else {els}", op.asm(), bits(*wide))
            }
            Term::Guard { base, len, pass, fail } => {
                f.write_str("guard ")?;
                sum(f, *base, *len, true)?;
                write!(f, " then {pass} else {fail}")
            }
            Term::Exit(value) => write!(f, "exit {value}"),
            Term::Return(value) => write!(f, "return {value}"),
            Term::Unreachable => f.write_str("unreachable"),
        }
    }
}

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(result) = self.result {
            write!(f, "{result} = ")?;
        }
        write!(f, "{}", self.op)
    }
}

/// One line with the eBPF instruction in a comment.
fn line(f: &mut fmt::Formatter<'_>, text: &str, insn: InsnIdx) -> fmt::Result {
    writeln!(f, "  {text:COMMENT$} ; insn {}", insn.0)
}

/// True if a name stands without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(&self.name) {
            write!(f, "func {}", self.name)?;
        } else {
            write!(f, "func \"{}\"", self.name.escape_default())?;
        }
        if self.values == self.used_values() {
            writeln!(f)?
        } else {
            writeln!(f, " values {}", self.values)?
        }
        for (index, block) in self.blocks.iter().enumerate() {
            write!(f, "b{index}")?;
            list(f, &block.params)?;
            writeln!(f, ":")?;
            for inst in &block.insts {
                line(f, &inst.to_string(), inst.insn)?;
            }
            line(f, &block.term.to_string(), block.term_insn)?;
        }
        Ok(())
    }
}

/// The textual form.
pub fn print(func: &Func) -> String {
    func.to_string()
}

/// The textual form of a program and the functions that it calls: f0, f1 and so on. [`super::parse_all()`] reads it back.
pub fn print_all<'a>(funcs: impl IntoIterator<Item = &'a Func>) -> String {
    funcs.into_iter().map(print).collect()
}
