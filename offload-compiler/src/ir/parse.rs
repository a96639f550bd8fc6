//! Reads the textual form of the IR, as [`super::print()`] writes it.

use super::print::{UPDATE, is_unary};
use super::{Block, BlockData, Func, FuncIdx, Inst, Jump, Mem, Op, Request, Term, Value};
use crate::ebpf::{InsnIdx, MapIdx};
use offwire_isa::{AluOp, CmpOp, RequestOp, Space};
use std::fmt;

/// Highest number of a value; passes keep tables by value.
const MAX_VALUE: u32 = 1 << 24;

/// Text that is no IR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// 1-based line.
    pub line: u32,
    /// What was expected there.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// What a parsing step gives; the message says what was expected.
type Step<T> = Result<T, String>;

/// Reads one function. Lines that are empty or only a comment are skipped. A comment that starts with `insn N` gives the eBPF
/// instruction, which is 0 otherwise.
///
/// # Errors
/// The first line that does not follow the grammar in `docs/ir.md`. Nothing is said about whether the function makes sense:
/// [`super::check()`] does.
pub fn parse(text: &str) -> Result<Func, ParseError> {
    parse_lines(1, text.lines())
}

/// Reads a program and the functions that it calls, one behind the other.
///
/// # Errors
/// As [`parse`].
pub fn parse_all(text: &str) -> Result<Vec<Func>, ParseError> {
    let lines: Vec<&str> = text.lines().collect();
    let head = |line: &&str| line.trim_start().strip_prefix("func").is_some_and(|rest| rest.starts_with([' ', '"']));
    let mut heads: Vec<usize> = (0..lines.len()).filter(|at| head(&lines[*at])).skip(1).collect();
    heads.insert(0, 0);
    let ends = heads.iter().skip(1).copied().chain([lines.len()]);
    (heads.iter().zip(ends))
        .map(|(first, end)| parse_lines(*first as u32 + 1, lines[*first..end].iter().copied()))
        .collect()
}

/// The lines of one function; the first one has this number.
fn parse_lines<'a>(first: u32, lines: impl Iterator<Item = &'a str>) -> Result<Func, ParseError> {
    let mut parser = FuncParser { func: None, open: false };
    let mut count = first;
    for (line, text) in (first..).zip(lines) {
        count = line;
        parser.line(text).map_err(|message| ParseError { line, message })?;
    }
    let at_end = |message: &str| ParseError { line: count, message: message.into() };
    if parser.open {
        return Err(at_end("the last block has no terminator"));
    }
    let mut func = parser.func.ok_or_else(|| at_end("expected `func NAME`"))?;
    func.values = func.values.max(func.used_values());
    Ok(func)
}

/// State between lines.
struct FuncParser {
    func: Option<Func>,
    /// The last block has no terminator yet.
    open: bool,
}

impl FuncParser {
    fn line(&mut self, text: &str) -> Step<()> {
        let mut cursor = Cursor { rest: text };
        if cursor.at_end() {
            return Ok(());
        }
        let Some(func) = &mut self.func else {
            self.func = Some(cursor.header()?);
            return cursor.end();
        };
        if let Some((block, params)) = cursor.block_head()? {
            if self.open {
                return Err("the block before has no terminator".into());
            }
            if block.at() != func.blocks.len() {
                return Err(format!("expected block b{}", func.blocks.len()));
            }
            func.blocks.push(BlockData {
                params,
                insts: Vec::new(),
                term: Term::Unreachable,
                term_insn: InsnIdx::default(),
            });
            self.open = true;
            return cursor.end();
        }
        let block = func.blocks.last_mut().filter(|_| self.open).ok_or("expected a block (`b0:`)")?;
        let insn = cursor.insn()?;
        if let Some(term) = cursor.term()? {
            block.term = term;
            block.term_insn = insn;
            self.open = false;
        } else {
            let (result, op) = cursor.inst()?;
            block.insts.push(Inst { result, op, insn });
        }
        cursor.end()
    }
}

/// The unread rest of one line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// True if only a comment is left.
    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty() || self.rest.starts_with(';')
    }

    fn end(&mut self) -> Step<()> {
        if self.at_end() { Ok(()) } else { Err(format!("unexpected `{}`", self.rest.trim_end())) }
    }

    /// The instruction number in the comment of this line.
    fn insn(&self) -> Step<InsnIdx> {
        let comment = self.rest.split_once(';').map_or("", |(_, comment)| comment).trim_start();
        let Some(number) = comment.strip_prefix("insn ") else { return Ok(InsnIdx::default()) };
        let digits = number.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().map(InsnIdx).map_err(|_| "expected a number after `insn`".into())
    }

    fn accept(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Step<()> {
        if self.accept(token) { Ok(()) } else { Err(format!("expected `{token}` before `{}`", self.rest.trim_end())) }
    }

    /// Letters, digits, dots, underscores and dollars; may be empty.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// Accepts `word` only as a whole word.
    fn accept_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        let found = self.word() == word;
        if !found {
            self.rest = before;
        }
        found
    }

    fn header(&mut self) -> Step<Func> {
        if !self.accept_word("func") {
            return Err("expected `func NAME`".into());
        }
        let name = if self.accept("\"") { self.quoted()? } else { self.word().to_owned() };
        let mut values = 0;
        if self.accept_word("values") {
            let word = self.word();
            values = word.parse().ok().filter(|n| *n <= MAX_VALUE).ok_or("expected the number of values")?;
        }
        Ok(Func { name, blocks: Vec::new(), values })
    }

    /// The rest of a quoted name, escapes as [`str::escape_default`] makes them.
    fn quoted(&mut self) -> Step<String> {
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(name);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => name.push('\n'),
                    Some('r') => name.push('\r'),
                    Some('t') => name.push('\t'),
                    Some('u') => {
                        let code: String = chars.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                        let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                        name.push(c.ok_or("bad escape in the name")?);
                    }
                    Some(c @ ('"' | '\'' | '\\')) => name.push(c),
                    _ => return Err("bad escape in the name".into()),
                },
                c => name.push(c),
            }
        }
        Err("the name has no closing quote".into())
    }

    /// `b3(v1, v2):`; `None` if the line is no block head.
    fn block_head(&mut self) -> Step<Option<(Block, Vec<Value>)>> {
        let code = self.rest.split(';').next().unwrap_or_default();
        if !code.trim_end().ends_with(':') {
            return Ok(None);
        }
        let block = self.block()?;
        let params = self.args()?;
        self.expect(":")?;
        Ok(Some((block, params)))
    }

    fn numbered(&mut self, letter: &str, what: &str) -> Step<u32> {
        let word = self.word();
        let number = word.strip_prefix(letter).and_then(|digits| digits.parse().ok());
        number.filter(|n| *n < MAX_VALUE).ok_or_else(|| format!("expected {what} instead of `{word}`"))
    }

    fn block(&mut self) -> Step<Block> {
        self.numbered("b", "a block").map(Block)
    }

    fn value(&mut self) -> Step<Value> {
        self.numbered("v", "a value").map(Value)
    }

    fn comma_value(&mut self) -> Step<Value> {
        self.expect(",")?;
        self.value()
    }

    fn args(&mut self) -> Step<Vec<Value>> {
        let mut args = Vec::new();
        if self.accept("(") {
            loop {
                args.push(self.value()?);
                if self.accept(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        Ok(args)
    }

    fn jump(&mut self) -> Step<Jump> {
        Ok(Jump { block: self.block()?, args: self.args()? })
    }

    /// `then b1 else b2`.
    fn two_jumps(&mut self) -> Step<(Jump, Jump)> {
        self.expect("then")?;
        let first = self.jump()?;
        self.expect("else")?;
        Ok((first, self.jump()?))
    }

    fn i32(&mut self) -> Step<i32> {
        let sign = if self.accept("-") { "-" } else { "" };
        let word = self.word();
        format!("{sign}{word}").parse().map_err(|_| format!("expected a 32-bit number instead of `{sign}{word}`"))
    }

    /// `v3 + 4`, `v3 - 4`, `v3` or `4`.
    fn sum(&mut self) -> Step<(Option<Value>, i32)> {
        self.skip_space();
        if !self.rest.starts_with('v') {
            return Ok((None, self.i32()?));
        }
        let base = Some(self.value()?);
        self.skip_space();
        if self.accept("+") {
            Ok((base, self.i32()?))
        } else if self.rest.starts_with('-') {
            // The sign is read with the number, so that the lowest i32 fits; a space may stand between.
            self.accept("-");
            let word = self.word();
            let offset = format!("-{word}").parse().map_err(|_| format!("expected a number instead of `{word}`"))?;
            Ok((base, offset))
        } else {
            Ok((base, 0))
        }
    }

    fn mem(&mut self) -> Step<Mem> {
        let word = self.word();
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let space = Space::from_asm(name).ok_or_else(|| format!("expected a memory operand instead of `{word}`"))?;
        let mut digits = word.strip_prefix(name).unwrap_or_default();
        if digits.is_empty() && space != Space::MapValue && self.accept("!") {
            digits = self.word();
        }
        let map = match digits {
            "" => None,
            digits => Some(MapIdx(digits.parse().map_err(|_| "expected a map number".to_string())?)),
        };
        self.expect("[")?;
        let (base, offset) = self.sum()?;
        self.expect("]")?;
        Ok(Mem { space, map, base, offset })
    }

    fn comma_mem(&mut self) -> Step<Mem> {
        self.expect(",")?;
        self.mem()
    }

    fn map(&mut self) -> Step<MapIdx> {
        let number = self.numbered("map", "a map")?;
        u16::try_from(number).map(MapIdx).map_err(|_| "map number too large".into())
    }

    /// A terminator; `None` if the line is none.
    fn term(&mut self) -> Step<Option<Term>> {
        let before = self.rest;
        let term = match self.word() {
            "jump" => Term::Jump(self.jump()?),
            "if" => {
                let word = self.word();
                let (op, wide) = word.split_once('.').unwrap_or((word, ""));
                let op = CmpOp::from_asm(op).ok_or_else(|| format!("unknown condition `{word}`"))?;
                let wide = width(wide)?;
                let a = self.value()?;
                let b = self.comma_value()?;
                let (then, els) = self.two_jumps()?;
                Term::Branch { op, wide, a, b, then, els }
            }
            "guard" => {
                let (base, len) = self.sum()?;
                let (pass, fail) = self.two_jumps()?;
                Term::Guard { base, len, pass, fail }
            }
            "exit" => Term::Exit(self.value()?),
            "return" => Term::Return(self.value()?),
            "unreachable" => Term::Unreachable,
            _ => {
                self.rest = before;
                return Ok(None);
            }
        };
        Ok(Some(term))
    }

    fn inst(&mut self) -> Step<(Option<Value>, Op)> {
        let code = self.rest.split(';').next().unwrap_or_default();
        let result = if code.contains('=') {
            let value = self.value()?;
            self.expect("=")?;
            Some(value)
        } else {
            None
        };
        Ok((result, self.op()?))
    }

    fn op(&mut self) -> Step<Op> {
        let word = self.word();
        let (name, suffix) = word.split_once('.').unwrap_or((word, ""));
        Ok(match name {
            "const" => Op::Const(self.constant()?),
            "load" => {
                let (suffix, dismiss) = match suffix.strip_suffix(".dismiss") {
                    Some(rest) => (rest, true),
                    None => (suffix, false),
                };
                let (size, swap) = access(suffix)?;
                Op::Load { mem: self.mem()?, size, swap, dismiss }
            }
            "store" => {
                let (size, swap) = access(suffix)?;
                Op::Store { mem: self.mem()?, size, swap, value: self.comma_value()? }
            }
            "atomic_add" => match access(suffix)? {
                (size, false) => Op::AtomicAdd { mem: self.mem()?, size, value: self.comma_value()? },
                _ => return Err("an atomic add does not swap".into()),
            },
            "lookup" => Op::Lookup { map: self.map()?, key: self.comma_mem()? },
            "delete" => Op::Delete { map: self.map()?, key: self.comma_mem()? },
            "update" => {
                let known = UPDATE.iter().position(|word| *word == suffix).and_then(|at| u8::try_from(at).ok());
                let flags = known.or_else(|| suffix.parse().ok()).ok_or("unknown flags of an update")?;
                Op::Update { flags, map: self.map()?, key: self.comma_mem()?, value: self.comma_mem()? }
            }
            "call" => {
                let stack = match suffix {
                    "" => false,
                    "stack" => true,
                    _ => return Err(format!("unknown form of a call `{suffix}`")),
                };
                Op::Call { func: FuncIdx(self.numbered("f", "a function")?), args: self.args()?, stack }
            }
            "named" => {
                let reg = self.numbered("r", "a named register")?;
                Op::Named(u8::try_from(reg).ok().filter(|reg| *reg <= 5).ok_or("named registers are r0 to r5")?)
            }
            "adjust_head" => Op::AdjustHead { delta: self.value()? },
            "request" => {
                let op = RequestOp::from_asm(suffix).ok_or_else(|| format!("unknown request `{suffix}`"))?;
                Op::Request(self.request(Request::new(op))?)
            }
            _ => {
                let op = AluOp::from_asm(name).ok_or_else(|| format!("unknown operation `{word}`"))?;
                let wide = width(suffix)?;
                let a = self.value()?;
                self.skip_space();
                let b = if is_unary(op) && !self.rest.starts_with(',') { a } else { self.comma_value()? };
                Op::Alu { op, wide, a, b }
            }
        })
    }

    fn request(&mut self, mut request: Request) -> Step<Request> {
        self.skip_space();
        if self.rest.starts_with("map") {
            request.map = Some(self.map()?);
        }
        loop {
            let before = self.rest;
            match self.word() {
                "key" => (request.key, request.key_bytes) = self.bytes()?,
                "at" => (request.value_at, request.value_bytes) = self.bytes()?,
                "value" => request.value = Some(self.value()?),
                "third" => request.third = Some(self.value()?),
                _ => {
                    self.rest = before;
                    return Ok(request);
                }
            }
        }
    }

    /// `SPACE[ADDRESS]:BYTES`.
    fn bytes(&mut self) -> Step<(Option<Mem>, u32)> {
        let mem = self.mem()?;
        self.expect(":")?;
        let bytes = self.word().parse().map_err(|_| "expected a number of bytes")?;
        Ok((Some(mem), bytes))
    }

    fn constant(&mut self) -> Step<u64> {
        let negative = self.accept("-");
        let word = self.word();
        let magnitude = match word.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.parse(),
        };
        let magnitude = magnitude.map_err(|_| format!("expected a constant instead of `{word}`"))?;
        Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
    }
}

/// The `.32` or `.64` of an operation.
fn width(suffix: &str) -> Step<bool> {
    match suffix {
        "64" => Ok(true),
        "32" => Ok(false),
        _ => Err("expected a width, `.32` or `.64`".into()),
    }
}

/// The `2be` of an access: size and swap.
fn access(suffix: &str) -> Step<(u8, bool)> {
    let (digits, swap) = match suffix.strip_suffix("be") {
        Some(digits) => (digits, true),
        None => (suffix, false),
    };
    digits.parse().map(|size| (size, swap)).map_err(|_| "expected a size in bytes, such as `.4` or `.2be`".into())
}
