//! The pure-expression language of the `sem` entries: parsed once, given widths, then emitted as Rust, SystemVerilog and
//! SMT-LIB by one emitter each.
//!
//! Every typed node has one exact width, both sides of an operator have the same one, and only `zx`, `sx`, `lo` and `cat`
//! change it. So the emitters never depend on the widening rules of their languages.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// A parsed expression without widths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    Name(String),
    Number(u128),
    Not(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    Left,
    Right,
    Arithmetic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Ult,
    Ule,
    Slt,
    Sle,
}

/// An expression with widths in bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) width: u32,
    pub(crate) node: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Name(String),
    Number(u128),
    Not(Box<Typed>),
    Binary(Binary, Box<Typed>, Box<Typed>),
    /// The amount counts modulo the width, which is a power of two.
    Shift(Shift, Box<Typed>, Box<Typed>),
    Compare(Compare, Box<Typed>, Box<Typed>),
    If(Box<Typed>, Box<Typed>, Box<Typed>),
    Low(Box<Typed>),
    ZeroExtend(Box<Typed>),
    SignExtend(Box<Typed>),
    Concat(Box<Typed>, Box<Typed>),
    Bswap(Box<Typed>),
}

/// Names in reach and their widths; `W` is the width that `zx(x)` and `sx(x)` extend to.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    pub(crate) names: BTreeMap<String, u32>,
    pub(crate) w: u32,
}

impl Scope {
    /// The scope of an operation of two inputs at width `w`.
    pub(crate) fn operation(w: u32) -> Self {
        Scope { names: [("a".to_owned(), w), ("b".to_owned(), w)].into(), w }
    }
}

/// Parses and types in one go; the result has width `width`.
pub(crate) fn typed(text: &str, scope: &Scope, width: Option<u32>) -> Result<Typed> {
    let result = parse(text).and_then(|expr| give_width(&expr, scope, width));
    let result = result.with_context(|| format!("expression `{text}`"))?;
    if let Some(width) = width {
        ensure!(result.width == width, "expression `{text}` has {} bits, not {width}", result.width);
    }
    Ok(result)
}

/// Parses the whole text.
pub(crate) fn parse(text: &str) -> Result<Expr> {
    let mut parser = Parser { rest: text };
    let expr = parser.binary(0)?;
    ensure!(parser.peek().is_none(), "`{}` is left over", parser.rest.trim());
    Ok(expr)
}

struct Parser<'a> {
    rest: &'a str,
}

/// Levels of binding, loosest first, as in Rust.
const LEVELS: [&[(char, Binary)]; 5] = [
    &[('|', Binary::Or)],
    &[('^', Binary::Xor)],
    &[('&', Binary::And)],
    &[('+', Binary::Add), ('-', Binary::Sub)],
    &[('*', Binary::Mul)],
];

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        ensure!(self.take(wanted), "`{wanted}` expected before `{}`", self.rest);
        Ok(())
    }

    fn word(&mut self) -> &'a str {
        self.peek();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn binary(&mut self, level: usize) -> Result<Expr> {
        let Some(operators) = LEVELS.get(level) else { return self.atom() };
        let mut left = self.binary(level + 1)?;
        while let Some(&(_, operator)) = operators.iter().find(|(sign, _)| self.peek() == Some(*sign)) {
            self.rest = &self.rest[1..];
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expr> {
        if self.take('(') {
            let inner = self.binary(0)?;
            self.expect(')')?;
            return Ok(inner);
        }
        if self.take('~') {
            return Ok(Expr::Not(Box::new(self.atom()?)));
        }
        let word = self.word();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Expr::Number(word.parse().with_context(|| format!("number `{word}`"))?));
        }
        ensure!(!word.is_empty(), "a name expected before `{}`", self.rest);
        if !self.take('(') {
            return Ok(Expr::Name(word.into()));
        }
        let mut args = vec![self.binary(0)?];
        while self.take(',') {
            args.push(self.binary(0)?);
        }
        self.expect(')')?;
        Ok(Expr::Call(word.into(), args))
    }
}

/// Gives every node its width. `hint` is the width that a bare number takes.
fn give_width(expr: &Expr, scope: &Scope, hint: Option<u32>) -> Result<Typed> {
    Ok(match expr {
        Expr::Name(name) => {
            let width = *scope.names.get(name).with_context(|| format!("no name `{name}`"))?;
            Typed { width, node: Node::Name(name.clone()) }
        }
        Expr::Number(value) => {
            let width = hint.with_context(|| format!("the number {value} has no width here"))?;
            ensure!(width == 128 || value >> width == 0, "{value} does not fit {width} bits");
            Typed { width, node: Node::Number(*value) }
        }
        Expr::Not(x) => {
            let x = give_width(x, scope, hint)?;
            Typed { width: x.width, node: Node::Not(Box::new(x)) }
        }
        Expr::Binary(operator, x, y) => {
            let (x, y) = pair(x, y, scope, hint)?;
            Typed { width: x.width, node: Node::Binary(*operator, Box::new(x), Box::new(y)) }
        }
        Expr::Call(name, args) => call(name, args, scope, hint).with_context(|| format!("in {name}()"))?,
    })
}

/// Two sides of the same width; a number takes the width of the other side.
fn pair(x: &Expr, y: &Expr, scope: &Scope, hint: Option<u32>) -> Result<(Typed, Typed)> {
    let (x, y) = if matches!(x, Expr::Number(_)) {
        let y = give_width(y, scope, hint)?;
        (give_width(x, scope, Some(y.width))?, y)
    } else {
        let x = give_width(x, scope, hint)?;
        let y = give_width(y, scope, Some(x.width))?;
        (x, y)
    };
    ensure!(x.width == y.width, "{} bits against {} bits", x.width, y.width);
    Ok((x, y))
}

fn call(name: &str, args: &[Expr], scope: &Scope, hint: Option<u32>) -> Result<Typed> {
    let constant = |expr: &Expr| match expr {
        Expr::Number(value @ 1..=128) => Ok(*value as u32),
        _ => bail!("a number of bits expected"),
    };
    let two = |make: fn(Box<Typed>, Box<Typed>) -> Node| -> Result<Typed> {
        let (x, y) = pair(&args[0], &args[1], scope, None)?;
        Ok(Typed { width: 1, node: make(Box::new(x), Box::new(y)) })
    };
    let shift = |kind: Shift| -> Result<Typed> {
        let x = give_width(&args[0], scope, hint)?;
        ensure!(x.width.is_power_of_two(), "a shift needs a width that is a power of two");
        let amount = give_width(&args[1], scope, Some(x.width))?;
        Ok(Typed { width: x.width, node: Node::Shift(kind, Box::new(x), Box::new(amount)) })
    };
    let extend = |make: fn(Box<Typed>) -> Node| -> Result<Typed> {
        let width = args.get(1).map_or(Ok(scope.w), constant)?;
        let x = give_width(&args[0], scope, Some(width))?;
        ensure!(x.width <= width, "{} bits cannot be extended to {width}", x.width);
        Ok(if x.width == width { x } else { Typed { width, node: make(Box::new(x)) } })
    };
    Ok(match (name, args.len()) {
        ("shl", 2) => shift(Shift::Left)?,
        ("shr", 2) => shift(Shift::Right)?,
        ("sar", 2) => shift(Shift::Arithmetic)?,
        ("eq", 2) => two(|x, y| Node::Compare(Compare::Eq, x, y))?,
        ("ne", 2) => two(|x, y| Node::Compare(Compare::Ne, x, y))?,
        ("ult", 2) => two(|x, y| Node::Compare(Compare::Ult, x, y))?,
        ("ule", 2) => two(|x, y| Node::Compare(Compare::Ule, x, y))?,
        ("slt", 2) => two(|x, y| Node::Compare(Compare::Slt, x, y))?,
        ("sle", 2) => two(|x, y| Node::Compare(Compare::Sle, x, y))?,
        ("ite", 3) => {
            let condition = give_width(&args[0], scope, Some(1))?;
            ensure!(condition.width == 1, "the condition has {} bits", condition.width);
            let (x, y) = pair(&args[1], &args[2], scope, hint)?;
            Typed { width: x.width, node: Node::If(Box::new(condition), Box::new(x), Box::new(y)) }
        }
        ("lo", 2) => {
            let width = constant(&args[1])?;
            let x = give_width(&args[0], scope, None)?;
            ensure!(width <= x.width, "{} bits have no low {width}", x.width);
            if x.width == width { x } else { Typed { width, node: Node::Low(Box::new(x)) } }
        }
        ("zx", 1 | 2) => extend(Node::ZeroExtend)?,
        ("sx", 1 | 2) => extend(Node::SignExtend)?,
        ("cat", 2) => {
            let x = give_width(&args[0], scope, None)?;
            let y = give_width(&args[1], scope, None)?;
            Typed { width: x.width + y.width, node: Node::Concat(Box::new(x), Box::new(y)) }
        }
        ("bswap", 1) => {
            let x = give_width(&args[0], scope, hint)?;
            ensure!(x.width.is_multiple_of(8), "{} bits are not whole bytes", x.width);
            Typed { width: x.width, node: Node::Bswap(Box::new(x)) }
        }
        (name, count) => bail!("no function {name} of {count} arguments"),
    })
}
