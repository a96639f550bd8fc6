//! bpf_trace_printk: the format language of kernel/bpf/helpers.c, bpf_bprintf_prepare, with what lib/vsprintf.c, bstr_printf
//! makes of it.

use super::maps::EINVAL;

/// MAX_BPRINTF_BUF: bytes of a line with its NUL.
const LINE_BYTES: usize = 1024;
/// MAX_BPRINTF_BIN_ARGS: no string is longer than this.
const MAX_STRING: usize = 512;
/// FIELD_WIDTH_MAX of lib/vsprintf.c.
const MAX_WIDTH: usize = (1 << 23) - 1;

/// What a call gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// A line.
    Line {
        /// The bytes that it would have.
        length: usize,
        /// The line, cut to its buffer.
        text: Vec<u8>,
    },
    /// An error number, and no line.
    Error(i64),
    /// It shows a number that is the kernel's own (addresses are not comparable), or memory that is not known.
    Unsupported(String),
}

/// Memory that a format points to: the bytes at an address, if all of them are known.
pub type Memory<'a> = &'a dyn Fn(u64, usize) -> Option<Vec<u8>>;

/// Flags and width of a conversion.
#[derive(Default)]
struct Spec {
    zero: bool,
    plus: bool,
    left: bool,
    space: bool,
    width: usize,
}

impl Spec {
    /// Puts text into its field.
    fn pad(&self, out: &mut Vec<u8>, text: &[u8]) {
        let missing = self.width.saturating_sub(text.len());
        if !self.left {
            out.resize(out.len() + missing, b' ');
        }
        out.extend_from_slice(text);
        if self.left {
            out.resize(out.len() + missing, b' ');
        }
    }

    /// number() of lib/vsprintf.c.
    fn number(&self, out: &mut Vec<u8>, negative: bool, signed: bool, digits: &str) {
        let sign = match (signed, negative) {
            (true, true) => "-",
            (true, false) if self.plus => "+",
            (true, false) if self.space => " ",
            _ => "",
        };
        let zeros = match self.zero && !self.left {
            true => self.width.saturating_sub(sign.len() + digits.len()),
            false => 0,
        };
        let text: Vec<u8> = sign.bytes().chain(std::iter::repeat_n(b'0', zeros)).chain(digits.bytes()).collect();
        self.pad(out, &text);
    }
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

/// Formats a line. `format` is what the program handed over, with its NUL somewhere.
pub fn format(format: &[u8], arguments: [u64; 3], mem: Memory<'_>) -> Printed {
    let Some(end) = format.iter().position(|&c| c == 0) else { return Printed::Error(EINVAL) };
    let format = format.get(..end).unwrap_or(&[]);
    // All of it is checked before anything is printed. Bytes of UTF-8 pass.
    if format.iter().any(|&c| c.is_ascii() && !(c.is_ascii_graphic() || is_space(c))) {
        return Printed::Error(EINVAL);
    }
    let at = |i: usize| format.get(i).copied().unwrap_or(0);
    // The kernel's tables of characters (lib/ctype.c) are those of Latin-1.
    let ends = |c: u8| c == 0 || is_space(c) || c.is_ascii_punctuation() || matches!(c, 0xa0..=0xbf | 0xd7 | 0xf7);
    let alphanumeric = |c: u8| c.is_ascii_alphanumeric() || matches!(c, 0xc0..=0xd6 | 0xd8..=0xf6 | 0xf8..);
    let mut out = Vec::new();
    let mut arguments = arguments.into_iter();
    let mut unsupported = None;
    let mut i = 0;
    while i < format.len() {
        if at(i) != b'%' || at(i + 1) == b'%' {
            out.push(at(i));
            i += if at(i) == b'%' { 2 } else { 1 };
            continue;
        }
        let Some(argument) = arguments.next() else { return Printed::Error(EINVAL) };
        i += 1;
        let mut spec = Spec::default();
        while matches!(at(i), b'0' | b'+' | b'-' | b' ') {
            match at(i) {
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.left = true,
                _ => spec.space = true,
            }
            i += 1;
        }
        while at(i).is_ascii_digit() {
            spec.width = (spec.width.saturating_mul(10).saturating_add(usize::from(at(i) - b'0'))).min(MAX_WIDTH);
            i += 1;
        }
        match (at(i), at(i + 1), at(i + 2)) {
            (b'p', b'i' | b'I', b'4' | b'6') => {
                let (form, version) = (at(i + 1), at(i + 2));
                out.extend(address(form, version, argument, mem).bytes());
                i += 1;
                // bstr_printf takes all that may belong to the pointer's kind.
                while alphanumeric(at(i)) {
                    i += 1;
                }
                continue;
            }
            // bstr_printf takes the text as it is, without a field. The user has no memory of a program.
            (b'p', from @ (b'k' | b'u'), b's') if ends(at(i + 3)) => {
                i += 2;
                match if from == b'k' { string(argument, mem) } else { Some(Vec::new()) } {
                    Some(text) => out.extend(text),
                    None => {
                        unsupported.get_or_insert("a string without an end in bpf_trace_printk");
                    }
                }
            }
            (b'p', b'K' | b'x' | b's' | b'S' | b'B', _) => {
                unsupported.get_or_insert("an address in bpf_trace_printk");
                i += 1;
            }
            (b'p', next, _) if ends(next) => {
                unsupported.get_or_insert("an address in bpf_trace_printk");
            }
            (b's', next, _) if ends(next) => match string(argument, mem) {
                Some(text) => spec.pad(&mut out, &text),
                None => {
                    unsupported.get_or_insert("a string without an end in bpf_trace_printk");
                }
            },
            (b'c', ..) => spec.pad(&mut out, &[argument as u8]),
            _ => {
                let longs = usize::from(at(i) == b'l') + usize::from(at(i) == b'l' && at(i + 1) == b'l');
                i += longs;
                let value = if longs == 0 { u64::from(argument as u32) } else { argument };
                let signed = if longs == 0 { i64::from(argument as i32) } else { argument as i64 };
                match at(i) {
                    b'd' | b'i' => {
                        spec.number(&mut out, signed < 0, true, &signed.unsigned_abs().to_string());
                    }
                    b'u' => spec.number(&mut out, false, false, &value.to_string()),
                    b'x' => spec.number(&mut out, false, false, &format!("{value:x}")),
                    b'X' => spec.number(&mut out, false, false, &format!("{value:X}")),
                    _ => return Printed::Error(EINVAL),
                }
            }
        }
        i += 1;
    }
    if let Some(what) = unsupported {
        return Printed::Unsupported(what.into());
    }
    let length = out.len();
    // What is behind a NUL (%c of 0) is not seen.
    out.truncate(LINE_BYTES - 1);
    let seen = out.iter().position(|&c| c == 0).unwrap_or(out.len());
    out.truncate(seen);
    Printed::Line { length, text: out }
}

/// A NUL-terminated string: `None` if the memory that we know ends before it does. No memory at all prints as nothing.
fn string(addr: u64, mem: Memory<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while text.len() < MAX_STRING - 1 {
        match mem(addr.wrapping_add(text.len() as u64), 1) {
            Some(byte) if byte == [0] => return Some(text),
            Some(byte) => text.extend(byte),
            None if text.is_empty() => return Some(text),
            None => return None,
        }
    }
    Some(text)
}

/// %pI4, %pi4, %pI6 and %pi6 (ip4_addr_string and ip6_addr_string of lib/vsprintf.c); zeros where there is no memory.
fn address(form: u8, version: u8, addr: u64, mem: Memory<'_>) -> String {
    let len = if version == b'4' { 4 } else { 16 };
    let bytes = mem(addr, len).unwrap_or_else(|| vec![0; len]);
    let four = |bytes: &[u8]| -> Vec<String> {
        bytes.iter().map(|b| if form == b'i' { format!("{b:03}") } else { b.to_string() }).collect()
    };
    if len == 4 {
        return four(&bytes).join(".");
    }
    let groups: Vec<String> = bytes.chunks(2).map(|pair| pair.iter().map(|b| format!("{b:02x}")).collect()).collect();
    groups.join(if form == b'I' { ":" } else { "" })
}
