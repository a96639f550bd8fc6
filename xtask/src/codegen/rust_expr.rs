//! Typed expressions as Rust. A value of n bits lives in the smallest unsigned type that holds it, 1 bit in a `bool`.
//!
//! Arithmetic happens only at widths that Rust has, so nothing needs masking afterwards; other widths (a 4-bit field) exist
//! only as names and in `lo`, `zx` and comparisons.

use super::expr::{Binary, Compare, Node, Shift, Typed};
use anyhow::{Result, ensure};

/// The Rust type of a value of `width` bits.
pub(crate) fn type_of(width: u32) -> &'static str {
    match width {
        1 => "bool",
        2..=8 => "u8",
        9..=16 => "u16",
        17..=32 => "u32",
        33..=64 => "u64",
        _ => "u128",
    }
}

fn is_native(width: u32) -> bool {
    matches!(width, 8 | 16 | 32 | 64 | 128)
}

/// How tightly the text binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bind {
    /// `if c { x } else { y }`, comparisons.
    Loose,
    /// Binary operators.
    Binary,
    /// `x as T`, `!x`.
    Unary,
    /// Names, numbers, calls.
    Atom,
}

struct Text {
    text: String,
    bind: Bind,
}

impl Text {
    fn atom(text: String) -> Self {
        Text { text, bind: Bind::Atom }
    }

    /// The text where something that binds at least as tightly as `bind` is needed.
    fn at(self, bind: Bind) -> String {
        if self.bind >= bind { self.text } else { format!("({})", self.text) }
    }
}

/// The expression as Rust text.
pub(crate) fn emit(typed: &Typed) -> Result<String> {
    Ok(text(typed)?.text)
}

fn text(typed: &Typed) -> Result<Text> {
    let ty = type_of(typed.width);
    Ok(match &typed.node {
        Node::Name(name) => Text::atom(name.clone()),
        Node::Number(value) if typed.width == 1 => Text::atom((*value == 1).to_string()),
        Node::Number(value) => Text::atom(value.to_string()),
        Node::Not(x) => {
            ensure!(typed.width == 1 || is_native(typed.width), "~ on {} bits", typed.width);
            Text { text: format!("!{}", number_at(x, text(x)?).at(Bind::Atom)), bind: Bind::Unary }
        }
        Node::Binary(operator, x, y) => binary(*operator, typed.width, text(x)?, text(y)?)?,
        Node::Shift(kind, x, amount) => {
            ensure!(is_native(typed.width), "shift of {} bits", typed.width);
            if matches!(amount.node, Node::Number(value) if value % u128::from(typed.width) == 0) {
                return text(x);
            }
            let amount = match amount.node {
                Node::Number(value) => (value % u128::from(typed.width)).to_string(),
                _ if type_of(amount.width) == "u32" => text(amount)?.text,
                _ => format!("{} as u32", text(amount)?.at(Bind::Unary)),
            };
            let x = number_at(x, text(x)?).at(Bind::Atom);
            Text::atom(match kind {
                Shift::Left => format!("{x}.wrapping_shl({amount})"),
                Shift::Right => format!("{x}.wrapping_shr({amount})"),
                Shift::Arithmetic => format!("{x}.cast_signed().wrapping_shr({amount}).cast_unsigned()"),
            })
        }
        Node::Compare(kind, x, y) => compare(*kind, x, y)?,
        Node::If(condition, x, y) => {
            let otherwise = match y.node {
                Node::If(..) => text(y)?.text,
                _ => format!("{{ {} }}", text(y)?.text),
            };
            let text = format!("if {} {{ {} }} else {otherwise}", text(condition)?.text, text(x)?.text);
            Text { text, bind: Bind::Loose }
        }
        Node::Low(x) if typed.width == 1 => {
            Text { text: format!("{} & 1 == 1", text(x)?.at(Bind::Unary)), bind: Bind::Loose }
        }
        Node::Low(x) => {
            ensure!(is_native(typed.width), "lo() of {} bits", typed.width);
            Text { text: format!("{} as {ty}", text(x)?.at(Bind::Unary)), bind: Bind::Unary }
        }
        Node::ZeroExtend(x) if type_of(x.width) == ty => text(x)?,
        Node::ZeroExtend(x) => Text { text: format!("{} as {ty}", text(x)?.at(Bind::Unary)), bind: Bind::Unary },
        Node::SignExtend(x) => {
            ensure!(is_native(x.width) && is_native(typed.width), "sx() from {} to {}", x.width, typed.width);
            let signed = ty.replace('u', "i");
            let x = text(x)?.at(Bind::Atom);
            Text::atom(format!("({x}.cast_signed() as {signed}).cast_unsigned()"))
        }
        Node::Concat(x, y) => {
            let (low, x, y) = (y.width, text(x)?.at(Bind::Unary), text(y)?.at(Bind::Unary));
            Text { text: format!("({x} as {ty}) << {low} | {y} as {ty}"), bind: Bind::Binary }
        }
        Node::Bswap(x) => {
            ensure!(is_native(typed.width), "bswap of {} bits", typed.width);
            Text::atom(format!("{}.swap_bytes()", number_at(x, text(x)?).at(Bind::Atom)))
        }
    })
}

/// A number that a method is called on needs its type.
fn number_at(typed: &Typed, text: Text) -> Text {
    match typed.node {
        Node::Number(value) if typed.width > 1 => Text::atom(format!("{value}_{}", type_of(typed.width))),
        _ => text,
    }
}

fn binary(operator: Binary, width: u32, x: Text, y: Text) -> Result<Text> {
    let sign = match operator {
        Binary::And => '&',
        Binary::Or => '|',
        Binary::Xor => '^',
        Binary::Add | Binary::Sub | Binary::Mul => {
            ensure!(is_native(width), "arithmetic on {width} bits");
            let name = match operator {
                Binary::Add => "wrapping_add",
                Binary::Sub => "wrapping_sub",
                _ => "wrapping_mul",
            };
            let mut x = x.at(Bind::Atom);
            if x.bytes().all(|byte| byte.is_ascii_digit()) {
                x = format!("{x}_{}", type_of(width));
            }
            return Ok(Text::atom(format!("{x}.{name}({})", y.text)));
        }
    };
    Ok(Text { text: format!("{} {sign} {}", x.at(Bind::Unary), y.at(Bind::Unary)), bind: Bind::Binary })
}

fn compare(kind: Compare, x: &Typed, y: &Typed) -> Result<Text> {
    let signed = matches!(kind, Compare::Slt | Compare::Sle);
    ensure!(!signed || is_native(x.width), "signed comparison of {} bits", x.width);
    let side = |side: &Typed| -> Result<String> {
        let text = text(side)?;
        Ok(if signed { format!("{}.cast_signed()", number_at(side, text).at(Bind::Atom)) } else { text.at(Bind::Atom) })
    };
    let sign = match kind {
        Compare::Eq => "==",
        Compare::Ne => "!=",
        Compare::Ult | Compare::Slt => "<",
        Compare::Ule | Compare::Sle => "<=",
    };
    Ok(Text { text: format!("{} {sign} {}", side(x)?, side(y)?), bind: Bind::Loose })
}
