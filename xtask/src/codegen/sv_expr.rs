//! Typed expressions as SystemVerilog.
//!
//! SystemVerilog widens operands to the width of their surroundings; that never changes a result here, because both sides of
//! an operator and the target have the same width, and what widens (`zx`, `sx`, `cat`) is written as a concatenation. A part
//! of a value can only be selected from a name, so such values get a name first.

use super::expr::{Binary, Compare, Node, Shift, Typed};

/// Writes expressions; collects the named parts that they need.
#[derive(Default)]
pub(crate) struct Emitter {
    /// (name, width) of parts, to be declared.
    pub(crate) parts: Vec<(String, u32)>,
    /// Assignments to parts, in order.
    pub(crate) before: Vec<String>,
}

/// The vector type of `width` bits.
pub(crate) fn type_of(width: u32) -> String {
    if width == 1 { "logic".into() } else { format!("logic [{}:0]", width - 1) }
}

/// The text without parentheses around the whole of it.
pub(crate) fn bare(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    for c in inner.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth < 0 {
            return text;
        }
    }
    inner
}

impl Emitter {
    /// The expression, in parentheses where it is not an atom.
    pub(crate) fn emit(&mut self, typed: &Typed) -> String {
        let width = typed.width;
        match &typed.node {
            Node::Name(name) => name.clone(),
            Node::Number(value) => format!("{width}'d{value}"),
            Node::Not(x) => format!("(~{})", self.emit(x)),
            Node::Binary(operator, x, y) => {
                let sign = match operator {
                    Binary::Add => '+',
                    Binary::Sub => '-',
                    Binary::Mul => '*',
                    Binary::And => '&',
                    Binary::Or => '|',
                    Binary::Xor => '^',
                };
                format!("({} {sign} {})", self.emit(x), self.emit(y))
            }
            Node::Shift(kind, x, amount) => {
                let bits = width.trailing_zeros();
                let amount = self.slice(amount, bits.min(amount.width) - 1, 0);
                let x = self.emit(x);
                match kind {
                    Shift::Left => format!("({x} << {amount})"),
                    Shift::Right => format!("({x} >> {amount})"),
                    Shift::Arithmetic => format!("$unsigned($signed({x}) >>> {amount})"),
                }
            }
            Node::Compare(kind, x, y) => {
                let (x, y) = (self.emit(x), self.emit(y));
                match kind {
                    Compare::Eq => format!("({x} == {y})"),
                    Compare::Ne => format!("({x} != {y})"),
                    Compare::Ult => format!("({x} < {y})"),
                    Compare::Ule => format!("({x} <= {y})"),
                    Compare::Slt => format!("($signed({x}) < $signed({y}))"),
                    Compare::Sle => format!("($signed({x}) <= $signed({y}))"),
                }
            }
            Node::If(condition, x, y) => {
                format!("({} ? {} : {})", self.emit(condition), self.emit(x), self.emit(y))
            }
            Node::Low(x) => self.slice(x, width - 1, 0),
            Node::ZeroExtend(x) => format!("{{{}'d0, {}}}", width - x.width, self.emit(x)),
            Node::SignExtend(x) => {
                let sign = self.slice(x, x.width - 1, x.width - 1);
                format!("{{{{{}{{{sign}}}}}, {}}}", width - x.width, self.emit(x))
            }
            Node::Concat(x, y) => format!("{{{}, {}}}", self.emit(x), self.emit(y)),
            Node::Bswap(x) => {
                let bytes: Vec<String> = (0..width / 8).map(|byte| self.slice(x, byte * 8 + 7, byte * 8)).collect();
                format!("{{{}}}", bytes.join(", "))
            }
        }
    }

    /// Bits `high` to `low` of the value.
    fn slice(&mut self, typed: &Typed, high: u32, low: u32) -> String {
        if low == 0 && high + 1 == typed.width {
            return self.emit(typed);
        }
        match &typed.node {
            Node::Name(name) if high == low => format!("{name}[{high}]"),
            Node::Name(name) => format!("{name}[{high}:{low}]"),
            Node::Number(value) => {
                let width = high - low + 1;
                format!("{width}'d{}", value >> low & (u128::MAX >> (128 - width)))
            }
            Node::Low(x) => self.slice(x, high, low),
            Node::ZeroExtend(x) if high < x.width => self.slice(x, high, low),
            _ => {
                let text = self.emit(typed);
                let name = format!("part{}", self.parts.len());
                self.parts.push((name.clone(), typed.width));
                self.before.push(format!("{name} = {};", bare(&text)));
                if high == low { format!("{name}[{high}]") } else { format!("{name}[{high}:{low}]") }
            }
        }
    }
}
