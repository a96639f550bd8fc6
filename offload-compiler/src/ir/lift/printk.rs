//! bpf_trace_printk: numbers go to the host as they are, texts and addresses of the network as the bytes that they point to; the line is made
//! there. What the call returns is the length of that line, which is computed here from the numbers if the program looks at it.

use super::build::Builder;
use crate::ebpf::Reg;
use crate::facts::{Fact, PtrKind};
use crate::ir::{Func, Mem, Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{AluOp, METADATA_PACKET_LEN, PRINTK_ARGUMENTS, PRINTK_TEXT, RequestOp, STACK_BYTES, Space};

/// No string is longer (MAX_BPRINTF_BIN_ARGS of kernel/bpf/helpers.c).
const STRING_BYTES: u64 = 512;
/// FIELD_WIDTH_MAX of lib/vsprintf.c.
const WIDTH_MAX: u64 = (1 << 23) - 1;

/// What a conversion makes of its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Decimal {
        signed: bool,
        wide: bool,
    },
    Hex {
        wide: bool,
    },
    Character,
    /// %s, %pks: bytes up to a zero.
    String,
    /// %pI4 and others: so many bytes.
    Address(u64),
    /// %pus: memory of the user, of which there is none.
    Nothing,
    /// An address of the kernel, which no device has.
    Other,
}

/// A conversion with what its field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Conversion {
    shown: Shown,
    /// A sign or a space stands before numbers that are not negative.
    signed: bool,
    width: u64,
}

/// A format: characters that stand for themselves, and conversions.
#[derive(Debug, PartialEq, Eq)]
struct Format {
    plain: u64,
    conversions: Vec<Conversion>,
}

/// Reads a format as bpf_bprintf_prepare of kernel/bpf/helpers.c does; `None` if it refuses that.
fn parse(text: &[u8]) -> Option<Format> {
    let end = text.iter().position(|&byte| byte == 0)?;
    let text = text.get(..end)?;
    let at = |i: usize| text.get(i).copied().unwrap_or(0);
    let ends = |byte: u8| byte == 0 || byte.is_ascii_whitespace() || byte == 0x0b || byte.is_ascii_punctuation();
    let mut format = Format { plain: 0, conversions: Vec::new() };
    let mut i = 0;
    while i < text.len() {
        if at(i) != b'%' || at(i + 1) == b'%' {
            format.plain += 1;
            i += if at(i) == b'%' { 2 } else { 1 };
            continue;
        }
        i += 1;
        let mut conversion = Conversion { shown: Shown::Other, signed: false, width: 0 };
        while matches!(at(i), b'0' | b'+' | b'-' | b' ') {
            conversion.signed |= matches!(at(i), b'+' | b' ');
            i += 1;
        }
        while at(i).is_ascii_digit() {
            conversion.width = (conversion.width.saturating_mul(10) + u64::from(at(i) - b'0')).min(WIDTH_MAX);
            i += 1;
        }
        let longs = usize::from(at(i) == b'l') + usize::from(at(i) == b'l' && at(i + 1) == b'l');
        let wide = longs > 0;
        conversion.shown = match (at(i + longs), at(i + 1), at(i + 2)) {
            (b'd' | b'i', ..) => Shown::Decimal { signed: true, wide },
            (b'u', ..) => Shown::Decimal { signed: false, wide },
            (b'x' | b'X', ..) => Shown::Hex { wide },
            _ if wide => return None,
            (b'c', ..) => Shown::Character,
            (b's', next, _) if ends(next) => Shown::String,
            (b'p', b'i' | b'I', version @ (b'4' | b'6')) => {
                i += 1;
                // All that may belong to the pointer's kind is taken.
                while at(i + 2).is_ascii_alphanumeric() {
                    i += 1;
                }
                i += 1;
                Shown::Address(if version == b'4' { 4 } else { 16 })
            }
            (b'p', b'k', b's') if ends(at(i + 3)) => {
                i += 2;
                Shown::String
            }
            (b'p', b'u', b's') if ends(at(i + 3)) => {
                i += 2;
                Shown::Nothing
            }
            (b'p', b'K' | b'x' | b's' | b'S' | b'B', _) => {
                i += 1;
                Shown::Other
            }
            (b'p', next, _) if ends(next) => Shown::Other,
            _ => return None,
        };
        format.conversions.push(conversion);
        i += longs + 1;
    }
    (format.conversions.len() <= 3).then_some(format)
}

impl Builder<'_> {
    /// The call: texts are kept first, then the arguments go into scratch, and the format stays where it is.
    pub(super) fn trace_printk(&mut self) -> Result<Value, Diagnostic> {
        let key_bytes = self.most_bytes(Reg(2));
        let key = self.bytes_argument(Reg(1), key_bytes)?;
        let size = self.number(Reg(2))?;
        let format = self.constant_format(key_bytes).and_then(|text| parse(&text));
        let mut shown = Vec::new();
        for (n, reg) in (0i32..).zip([Reg(3), Reg(4), Reg(5)]) {
            let conversion = format.as_ref().map(|format| format.conversions.get(n as usize).map(|one| one.shown));
            let value = match (conversion, self.fact(reg)) {
                (Some(None), _) => self.constant(0),
                (Some(Some(Shown::Nothing)), _) => self.constant(u64::MAX),
                (Some(Some(Shown::String)), _) => self.text(reg, None, size)?,
                (Some(Some(Shown::Address(bytes))), _) => self.text(reg, Some(bytes), size)?,
                // Never written: the text does not name it.
                (None, Fact::Unknown) if !self.has(reg) => self.constant(0),
                _ => self.number(reg)?,
            };
            shown.push(value);
        }
        for (n, value) in (0i32..).zip(&shown) {
            let mem = Mem { space: Space::Scratch, map: None, base: None, offset: PRINTK_ARGUMENTS + 8 * n };
            self.emit_effect(Op::Store { mem, size: 8, swap: false, value: *value });
        }
        let op = RequestOp::Printk;
        let request = Request { key: Some(key), key_bytes, value: Some(size), ..Request::new(op) };
        let answer = self.emit(Op::Request(request));
        Ok(format.and_then(|format| self.line_length(&format, &shown)).unwrap_or(answer))
    }

    /// The format, if it is constant data.
    fn constant_format(&self, bytes: u32) -> Option<Vec<u8>> {
        let Fact::Ptr { kind: PtrKind::MapValue(map), offset, .. } = self.fact(Reg(1)) else { return None };
        let byte = |at: i16| self.constant_data(map, &offset, at, 1).and_then(|byte| u8::try_from(byte).ok());
        (0..i16::try_from(bytes).ok()?).map(byte).collect()
    }

    /// Keeps the bytes that an argument points to: so many, or those of a string. Returns what stands for them.
    fn text(&mut self, reg: Reg, wanted: Option<u64>, format: Value) -> Result<Value, Diagnostic> {
        let none = self.constant(u64::MAX);
        let (kind, maybe_null) = match self.fact(reg) {
            // No memory is there.
            Fact::Scalar(_) => return Ok(none),
            Fact::Ptr { kind, maybe_null, .. } => (kind, maybe_null),
            _ => {
                self.number(reg)?;
                return Ok(none);
            }
        };
        let pointer = self.read(reg);
        // Bytes of the object from there on.
        let room = match kind {
            PtrKind::Stack | PtrKind::CallerStack => {
                let end = self.constant(STACK_BYTES.into());
                self.alu(AluOp::Sub, true, end, pointer)
            }
            PtrKind::Packet => {
                let end = self.scratch(METADATA_PACKET_LEN, 8);
                self.alu(AluOp::Sub, true, end, pointer)
            }
            PtrKind::MapValue(map) => self.room_in_value(map, false, pointer),
            PtrKind::InnerValue(map) => self.room_in_value(map, true, pointer),
            _ => {
                return Err(self
                    .refuse(compiler::POINTER_AS_NUMBER, "bpf_trace_printk shows memory whose bounds are not known")
                    .with_reason("the device hands over the bytes of the stack, the packet, or a value of one map")
                    .with_help("copy the text to the stack first, or print numbers"));
            }
        };
        // Null is no pointer, and what lies before the packet or the frame is not known either.
        let usable = match (kind, maybe_null) {
            (PtrKind::Packet, false) => self.not_negative(pointer),
            (_, true) => {
                let (zero, ones) = (self.constant(0), self.constant(u64::MAX));
                self.select(pointer, ones, zero)
            }
            _ => self.constant(u64::MAX),
        };
        let bytes = match wanted {
            Some(wanted) => {
                let wanted = self.constant(wanted);
                let spare = self.alu(AluOp::Sub, true, room, wanted);
                let enough = self.not_negative(spare);
                self.alu(AluOp::And, true, wanted, enough)
            }
            None => self.string_bytes(room),
        };
        let bytes = self.alu(AluOp::And, true, bytes, usable);
        let mem = self.address(reg, 0)?;
        let most = match self.known_i32(reg) {
            Some(at) if mem.space == Space::Stack => u64::try_from(i64::from(STACK_BYTES) - i64::from(at)).unwrap_or(0),
            _ => STRING_BYTES,
        };
        let key_bytes = wanted.unwrap_or(STRING_BYTES).min(most) as u32;
        let request = Request { key: Some(mem), key_bytes, value: Some(bytes), ..Request::new(RequestOp::PrintkText) };
        let before = self.emit(Op::Request(request));
        let tag = self.constant(PRINTK_TEXT);
        let place = self.alu(AluOp::Add, true, before, format);
        let text = self.alu(AluOp::Or, true, place, tag);
        Ok(self.select(bytes, text, none))
    }

    /// Bytes of the value behind a handle.
    fn room_in_value(&mut self, map: crate::ebpf::MapIdx, inner: bool, pointer: Value) -> Value {
        let spec = self.lifter.object.maps.get(usize::from(map.0));
        let spec = spec.and_then(|map| if inner { map.inner.as_deref() } else { Some(&map.spec) });
        let size = self.constant(spec.map_or(0, |spec| spec.value_size.into()));
        // The offset of a handle are its lowest 24 bits.
        let mask = self.constant(0xff_ffff);
        let offset = self.alu(AluOp::And, true, pointer, mask);
        self.alu(AluOp::Sub, true, size, offset)
    }

    /// All ones if the number is not negative, else 0.
    fn not_negative(&mut self, number: Value) -> Value {
        let (last, ones) = (self.constant(63), self.constant(u64::MAX));
        let sign = self.alu(AluOp::Arsh, true, number, last);
        self.alu(AluOp::Xor, true, sign, ones)
    }

    /// The room, but at least 0 and at most as many bytes as a string has.
    fn string_bytes(&mut self, room: Value) -> Value {
        let kept = self.not_negative(room);
        let room = self.alu(AluOp::And, true, room, kept);
        let most = self.constant(STRING_BYTES);
        self.larger_or_smaller(room, most, false)
    }

    /// The larger or the smaller of two numbers whose difference has no carry into the sign.
    fn larger_or_smaller(&mut self, a: Value, b: Value, larger: bool) -> Value {
        let last = self.constant(63);
        let difference = self.alu(AluOp::Sub, true, a, b);
        let less = self.alu(AluOp::Arsh, true, difference, last);
        let part = self.alu(AluOp::And, true, difference, less);
        // b plus the part that a is less: the smaller one; a without it: the larger one.
        if larger { self.alu(AluOp::Sub, true, a, part) } else { self.alu(AluOp::Add, true, b, part) }
    }

    /// How long the line is, if it shows numbers and characters only.
    fn line_length(&mut self, format: &Format, arguments: &[Value]) -> Option<Value> {
        let mut length = self.constant(format.plain);
        for (conversion, argument) in format.conversions.iter().zip(arguments) {
            let number = |builder: &mut Self, wide: bool| match wide {
                true => *argument,
                false => builder.unary(AluOp::Mov, false, *argument),
            };
            let field = match conversion.shown {
                Shown::Character => self.constant(1),
                Shown::Hex { wide } => {
                    let number = number(self, wide);
                    self.digits(number, 16)
                }
                Shown::Decimal { signed: false, wide } => {
                    let number = number(self, wide);
                    self.digits(number, 10)
                }
                Shown::Decimal { signed: true, wide } => {
                    let number = if wide { *argument } else { self.unary(AluOp::Sext32, true, *argument) };
                    let last = self.constant(63);
                    let sign = self.alu(AluOp::Arsh, true, number, last);
                    let turned = self.alu(AluOp::Xor, true, number, sign);
                    let absolute = self.alu(AluOp::Sub, true, turned, sign);
                    let digits = self.digits(absolute, 10);
                    let before = if conversion.signed { self.constant(u64::MAX) } else { sign };
                    self.alu(AluOp::Sub, true, digits, before)
                }
                Shown::String | Shown::Address(_) | Shown::Nothing | Shown::Other => return None,
            };
            let field = match conversion.width {
                0 | 1 => field,
                width => {
                    let width = self.constant(width);
                    self.larger_or_smaller(field, width, true)
                }
            };
            length = self.alu(AluOp::Add, true, length, field);
        }
        Some(length)
    }

    /// Digits of a number without sign.
    fn digits(&mut self, number: Value, base: u64) -> Value {
        let powers: Vec<u64> = std::iter::successors(Some(base), |power| power.checked_mul(base)).collect();
        let (ones, last) = (self.constant(u64::MAX), self.constant(63));
        let turned = self.alu(AluOp::Xor, true, number, ones);
        let mut digits = self.constant(powers.len() as u64 + 1);
        for power in powers {
            let large = power >> 63 != 0;
            let power = self.constant(power);
            let difference = self.alu(AluOp::Sub, true, number, power);
            // The number is less: if its first bit is 0, and the power's is 1 or the difference is negative; or if both are 1 and that is so.
            let join = if large { AluOp::Or } else { AluOp::And };
            let less = self.alu(join, true, difference, turned);
            let less = self.alu(AluOp::Rsh, true, less, last);
            digits = self.alu(AluOp::Sub, true, digits, less);
        }
        digits
    }
}

/// Refuses programs that look at what bpf_trace_printk returns where that cannot be computed.
pub(super) fn check(lifter: &super::Lifter, func: &Func) -> Result<(), Diagnostic> {
    let insts = || func.blocks.iter().flat_map(|block| &block.insts);
    let printed: Vec<_> = insts()
        .filter(|inst| matches!(&inst.op, Op::Request(request) if request.op == RequestOp::Printk))
        .filter_map(|inst| Some((inst.result?, inst.insn)))
        .collect();
    if printed.is_empty() {
        return Ok(());
    }
    let mut used = vec![false; func.values as usize];
    let mut note = |value: Value| {
        if let Some(used) = used.get_mut(value.at()) {
            *used = true;
        }
    };
    insts().for_each(|inst| inst.op.for_each_use(&mut note));
    func.blocks.iter().for_each(|block| block.term.for_each_use(&mut note));
    match printed.iter().find(|(value, _)| used.get(value.at()) == Some(&true)) {
        None => Ok(()),
        Some((_, insn)) => Err(lifter
            .refuse(*insn, compiler::HELPER, "the return value of bpf_trace_printk is used")
            .with_reason(
                "it is the length of the line, which is made on the host only after the packet has left; the compiler computes it \
                 for constant formats of numbers and characters",
            )
            .with_help("print numbers, or do not look at what bpf_printk returns")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<(u64, Vec<Shown>)> {
        let format = parse(&[text.as_bytes(), &[0]].concat())?;
        Some((format.plain, format.conversions.iter().map(|one| one.shown).collect()))
    }

    /// If this fails, an argument goes to the host as a number that is read as a text there, or the other way round.
    #[test]
    fn formats_are_read_as_the_kernel_reads_them() {
        use Shown::{Address, Character, Decimal, Hex, Nothing, Other, String};
        let decimal = |signed, wide| Decimal { signed, wide };
        assert_eq!(shown("100%% of it\n"), Some((11, vec![])));
        assert_eq!(
            shown("%d %lu %lld"),
            Some((2, vec![decimal(true, false), decimal(false, true), decimal(true, true)]))
        );
        assert_eq!(shown("%x%lX%c"), Some((0, vec![Hex { wide: false }, Hex { wide: true }, Character])));
        assert_eq!(shown("%pI4h:%pi6, %s"), Some((3, vec![Address(4), Address(16), String])));
        assert_eq!(shown("%pks %pus %p"), Some((2, vec![String, Nothing, Other])));
        assert_eq!(shown("%pK%pxy"), Some((1, vec![Other, Other])));
        for refused in ["%", "%q", "%lc", "%sd", "%d%d%d%d", "%p4", "%lllu"] {
            assert_eq!(shown(refused), None, "{refused}");
        }
        assert_eq!(parse(b"no end"), None);
    }

    #[test]
    fn fields_have_widths_and_signs() {
        let format = parse(b"<%-08d>%+5x\0").expect("a format");
        assert_eq!(format.plain, 2);
        let fields: Vec<(bool, u64)> = format.conversions.iter().map(|one| (one.signed, one.width)).collect();
        assert_eq!(fields, [(false, 8), (true, 5)]);
    }
}
