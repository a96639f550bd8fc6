//! The assembler: one word a line.

use super::AsmError;
use crate::{AluOp, Base, CmpOp, CodeAddr, Read, RequestOp, Space, Src, StoreOp, Target, Word};
use std::str::FromStr;

/// Return values 0 to 4 as text, the names of `enum xdp_action` (include/uapi/linux/bpf.h).
pub(super) const ACTIONS: [&str; 5] = ["aborted", "drop", "pass", "tx", "redirect"];

type Result<T> = std::result::Result<T, AsmError>;

impl FromStr for Word {
    type Err = AsmError;

    /// Reads what `Display` writes. Units are separated by `;`, their order is free, each may stand once; `//` starts a
    /// comment. The word passes [`Word::check`].
    fn from_str(text: &str) -> Result<Word> {
        let code = text.split("//").next().unwrap_or_default();
        let mut parser = Parser { text, word: Word::default(), seen: Vec::new() };
        for unit in code.split(';') {
            parser.unit(unit)?;
        }
        parser.word.check().map_err(|cause| AsmError { at: 0, message: cause.to_string(), cause: Some(cause) })?;
        Ok(parser.word)
    }
}

struct Parser<'a> {
    text: &'a str,
    word: Word,
    /// What has been set, to refuse a second time.
    seen: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    /// An error at `part`, which lies in the text.
    fn error<T>(&self, part: &str, message: impl Into<String>) -> Result<T> {
        let at = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Err(AsmError { at: at.min(self.text.len()), message: message.into(), cause: None })
    }

    fn once(&mut self, name: &'a str) -> Result<()> {
        if self.seen.contains(&name) {
            return self.error(name, format!("`{name}` stands here twice"));
        }
        self.seen.push(name);
        Ok(())
    }

    fn unit(&mut self, unit: &'a str) -> Result<()> {
        let mut tokens = unit.split_whitespace();
        let Some(head) = tokens.next() else { return Ok(()) };
        let rest: Vec<&'a str> = tokens.collect();
        let (name, suffix) = head.split_once('.').map_or((head, None), |(name, suffix)| (name, Some(suffix)));
        match name {
            "guard" => self.guard(name, suffix, &rest),
            "ld" => self.load(name, suffix, &rest),
            "st" => self.store(name, suffix, &rest),
            "q" => self.request(name, suffix, &rest),
            _ => match head.split_once('=') {
                Some((name @ ("a1" | "a2" | "c1" | "c2"), op)) => self.operation(name, op, &rest),
                _ => {
                    self.assign(head)?;
                    rest.into_iter().try_for_each(|token| self.assign(token))
                }
            },
        }
    }

    fn guard(&mut self, name: &'a str, suffix: Option<&str>, rest: &[&'a str]) -> Result<()> {
        self.once(name)?;
        self.word.g_en = match suffix {
            None => true,
            Some("off") => false,
            Some(other) => return self.error(other, "only `.off` may stand here"),
        };
        let [sum] = rest else { return self.error(name, "a guard is `guard BASE+LENGTH`") };
        let Some((base, length)) = sum.split_once('+') else { return self.error(sum, "BASE+LENGTH expected") };
        self.word.g_base = self.base(base)?;
        self.word.g_len = self.number(length)?;
        Ok(())
    }

    fn load(&mut self, name: &'a str, suffix: Option<&str>, rest: &[&'a str]) -> Result<()> {
        self.once(name)?;
        self.word.ld_dismiss = match suffix {
            None => false,
            Some("dismiss") => true,
            Some(other) => return self.error(other, "only `.dismiss` may stand here"),
        };
        let Some((address, extracts)) = rest.split_first() else {
            return self.error(name, "an address is missing");
        };
        (self.word.ld_space, self.word.ld_base, self.word.ld_off) = self.address(address)?;
        for token in extracts {
            match token.split_once('=') {
                Some((name @ "x0", part)) => {
                    self.once(name)?;
                    (self.word.x0_size, self.word.x0_delta, self.word.x0_swap) = self.part(part)?;
                }
                Some((name @ "x1", part)) => {
                    self.once(name)?;
                    (self.word.x1_size, self.word.x1_delta, self.word.x1_swap) = self.part(part)?;
                }
                _ => return self.error(token, "`x0=SIZE@DELTA` or `x1=..` expected"),
            }
        }
        Ok(())
    }

    fn store(&mut self, name: &'a str, suffix: Option<&str>, rest: &[&'a str]) -> Result<()> {
        self.once(name)?;
        self.word.st_op = match suffix {
            None => StoreOp::Store,
            Some(op) => match StoreOp::from_asm(op) {
                Some(op) => op,
                None => return self.error(op, format!("no store operation `{op}`")),
            },
        };
        let Some((address, inserts)) = rest.split_first() else {
            return self.error(name, "an address is missing");
        };
        (self.word.st_space, self.word.st_base, self.word.st_off) = self.address(address)?;
        for token in inserts {
            let insert = |parser: &Self, text: &str| match text.split_once(':') {
                Some((source, part)) => Ok((parser.source(source)?, parser.part(part)?)),
                None => parser.error(text, "SOURCE:SIZE@DELTA expected"),
            };
            match token.split_once('=') {
                Some((name @ "s0", text)) => {
                    self.once(name)?;
                    let (source, (size, delta, swap)) = insert(self, text)?;
                    (self.word.s0_src, self.word.s0_size) = (source, size);
                    (self.word.s0_delta, self.word.s0_swap) = (delta, swap);
                }
                Some((name @ "s1", text)) => {
                    self.once(name)?;
                    let (source, (size, delta, swap)) = insert(self, text)?;
                    (self.word.s1_src, self.word.s1_size) = (source, size);
                    (self.word.s1_delta, self.word.s1_swap) = (delta, swap);
                }
                None if *token == "kill1" => self.word.st_kill1 = true,
                None if *token == "kill2" => self.word.st_kill2 = true,
                _ => return self.error(token, "`s0=..`, `s1=..`, `kill1` or `kill2` expected"),
            }
        }
        Ok(())
    }

    fn request(&mut self, name: &'a str, suffix: Option<&str>, rest: &[&'a str]) -> Result<()> {
        self.once(name)?;
        let op = suffix.unwrap_or_default();
        let Some(op) = RequestOp::from_asm(op) else { return self.error(name, format!("no request `{op}`")) };
        self.word.q_op = op;
        for token in rest {
            match token.split_once('=') {
                Some(("map", slot)) => self.word.q_map = self.number(slot)?,
                Some(("key", address)) => {
                    (self.word.q_kspace, self.word.q_kbase, self.word.q_koff) = self.address(address)?;
                }
                Some(("val", text)) => {
                    let (space, source) = match text.split_once(':') {
                        Some((space, source)) => (self.space(space)?, source),
                        None => (Space::default(), text),
                    };
                    (self.word.q_vspace, self.word.q_vsrc) = (space, self.source(source)?);
                }
                Some(("dst", register)) => self.word.q_dst = self.register(register)?,
                None if *token == "null" => self.word.q_null = true,
                _ => return self.error(token, "`map=`, `key=`, `val=`, `dst=` or `null` expected"),
            }
        }
        Ok(())
    }

    /// `NAME=OP.WIDTH A,B`.
    fn operation(&mut self, name: &'a str, op: &str, rest: &[&'a str]) -> Result<()> {
        self.once(name)?;
        let Some((op, width)) = op.rsplit_once('.') else {
            return self.error(op, "an operation is OP.32 or OP.64");
        };
        let wide = match width {
            "64" => true,
            "32" => false,
            _ => return self.error(width, "the width is 32 or 64"),
        };
        let [operands] = rest else { return self.error(op, "operands are A or A,B without blanks") };
        let (a, b) = operands.split_once(',').unwrap_or((operands, "0"));
        let a = self.source(a)?;
        // The "0" above lies outside the text, but it is a source.
        let b = self.source(b)?;
        let word = &mut self.word;
        if let "a1" | "a2" = name {
            let Some(op) = AluOp::from_asm(op) else { return self.error(op, format!("no ALU operation `{op}`")) };
            match name {
                "a1" => (word.a1_op, word.a1_w, word.a1_a, word.a1_b) = (op, wide, a, b),
                _ => (word.a2_op, word.a2_w, word.a2_a, word.a2_b) = (op, wide, a, b),
            }
        } else {
            let Some(op) = CmpOp::from_asm(op) else { return self.error(op, format!("no comparison `{op}`")) };
            match name {
                "c1" => (word.c1_op, word.c1_w, word.c1_a, word.c1_b) = (op, wide, a, b),
                _ => (word.c2_op, word.c2_w, word.c2_a, word.c2_b) = (op, wide, a, b),
            }
        }
        Ok(())
    }

    /// `NAME=VALUE` of read ports, write back, immediates and targets.
    fn assign(&mut self, token: &'a str) -> Result<()> {
        let Some((name, value)) = token.split_once('=') else {
            return self.error(token, format!("`{token}` is no unit"));
        };
        self.once(name)?;
        match name {
            "ra" => self.word.ra = self.read(value)?,
            "rb" => self.word.rb = self.read(value)?,
            "rc" => self.word.rc = self.read(value)?,
            "i0" => self.word.i0 = self.number(value)?,
            "i1" => self.word.i1 = self.number(value)?,
            "iw" => {
                if self.seen.contains(&"i0") || self.seen.contains(&"i1") {
                    return self.error(token, "`iw` sets both immediates");
                }
                self.seen.extend(["i0", "i1"]);
                let wide: i64 = self.number(value)?;
                if i32::try_from(wide).is_err() && u32::try_from(wide).is_err() {
                    return self.error(value, "does not fit 32 bits");
                }
                (self.word.i0, self.word.i1) = (wide as i16, (wide >> 16) as i16);
            }
            "t1" => self.word.t1 = self.target(value)?,
            "t2" => self.word.t2 = self.target(value)?,
            "next" => self.word.next = self.target(value)?,
            _ => {
                let register = self.register(name)?;
                let source = self.source(value)?;
                let bank = if register & 1 == 0 { "even register" } else { "odd register" };
                if self.seen.contains(&bank) {
                    return self.error(name, format!("a second write to an {bank}"));
                }
                self.seen.push(bank);
                if register & 1 == 0 {
                    (self.word.w0_src, self.word.w0_reg) = (source, register / 2);
                } else {
                    (self.word.w1_src, self.word.w1_reg) = (source, register / 2);
                }
            }
        }
        Ok(())
    }

    /// `SPACE[BASE+OFFSET]`.
    fn address(&self, text: &str) -> Result<(Space, Base, i16)> {
        let parts = text.strip_suffix(']').and_then(|inner| inner.split_once('['));
        let Some((space, inner)) = parts else { return self.error(text, "SPACE[BASE+OFFSET] expected") };
        let (base, offset) = inner.split_at(inner.find(['+', '-']).unwrap_or(inner.len()));
        let offset = if offset.is_empty() { 0 } else { self.number(offset)? };
        Ok((self.space(space)?, self.base(base)?, offset))
    }

    /// `SIZE@DELTA` or `SIZE@DELTA.swap`.
    fn part(&self, text: &str) -> Result<(u8, u8, bool)> {
        let (numbers, swap) = text.strip_suffix(".swap").map_or((text, false), |numbers| (numbers, true));
        let Some((size, delta)) = numbers.split_once('@') else {
            return self.error(text, "SIZE@DELTA expected");
        };
        Ok((self.number(size)?, self.number(delta)?, swap))
    }

    fn space(&self, text: &str) -> Result<Space> {
        Space::from_asm(text).map_or_else(|| self.error(text, format!("no space `{text}`")), Ok)
    }

    fn base(&self, text: &str) -> Result<Base> {
        Base::from_asm(text).map_or_else(|| self.error(text, format!("no base `{text}`")), Ok)
    }

    fn source(&self, text: &str) -> Result<Src> {
        Src::from_asm(text).map_or_else(|| self.error(text, format!("no operand `{text}`")), Ok)
    }

    fn register(&self, text: &str) -> Result<u8> {
        match text.strip_prefix('r').and_then(|number| number.parse().ok()) {
            Some(register @ 0..=15) => Ok(register),
            _ => self.error(text, format!("`{text}` is no register (r0 to r15)")),
        }
    }

    fn read(&self, text: &str) -> Result<u8> {
        if text.starts_with('r') {
            return Ok(Read::Reg(self.register(text)?).encode());
        }
        match Read::constant(self.number(text)?) {
            Some(read) => Ok(read.encode()),
            None => self.error(text, "a read port gives a register or -16 to 31"),
        }
    }

    fn target(&self, text: &str) -> Result<Target> {
        if let Some(address) = text.strip_prefix('@') {
            return Ok(Target::Goto(CodeAddr(self.number(address)?)));
        }
        match ACTIONS.iter().position(|name| *name == text) {
            Some(value) => Ok(Target::Exit(value as u8)),
            None => self.error(text, format!("`{text}` is no target (@ADDRESS or an XDP action)")),
        }
    }

    /// A decimal or `0x` number with an optional sign that fits the type of its field.
    fn number<T: TryFrom<i64>>(&self, text: &str) -> Result<T> {
        let (digits, negative) = match text.strip_prefix('-') {
            Some(digits) => (digits, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        let value = match digits.strip_prefix("0x") {
            Some(hex) if !hex.starts_with(['+', '-']) => i64::from_str_radix(hex, 16).ok(),
            None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse::<i64>().ok(),
            _ => None,
        };
        let Some(value) = value else { return self.error(text, format!("`{text}` is no number")) };
        let value = if negative { -value } else { value };
        T::try_from(value).or_else(|_| self.error(text, format!("{value} does not fit")))
    }
}
