//! Division and modulo (RFC 9669, section 4.1): by constants with shifts, masks or a multiplication where that is exact, else by
//! the device's divider.

use super::build::{Builder, exact};
use crate::ebpf::{AluOp as EbpfAlu, Operand, Reg};
use crate::facts::{Fact, Range};
use crate::ir::{Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_isa::{AluOp, RequestOp};

impl Builder<'_> {
    /// `dst op src`, op one of the four.
    pub(super) fn divide(&mut self, wide: bool, op: EbpfAlu, dst: Reg, src: Operand) -> Result<Value, Diagnostic> {
        let (signed, modulo) =
            (matches!(op, EbpfAlu::Sdiv | EbpfAlu::Smod), matches!(op, EbpfAlu::Mod | EbpfAlu::Smod));
        let a = self.number(dst)?;
        let (dividend, divisor) = (self.range(Operand::Reg(dst)), self.range(src));
        // Numbers without sign divide alike either way.
        let positive = |range: &Option<Range>| {
            let most = if wide { i64::MAX.unsigned_abs() } else { i32::MAX.unsigned_abs().into() };
            range.is_some_and(|range| range.umax <= most)
        };
        if (!signed || (positive(&dividend) && positive(&divisor)))
            && let Some(divisor) = divisor.and_then(|range| exact(&range))
        {
            let divisor = if wide { divisor } else { divisor & u64::from(u32::MAX) };
            let small = !wide || dividend.is_some_and(|range| range.umax <= u64::from(u32::MAX));
            if let Some(result) = self.divide_by_constant(wide, modulo, a, divisor, small) {
                return Ok(result);
            }
        }
        let b = self.operand(src)?;
        let op = match (modulo, signed, wide) {
            (false, false, false) => RequestOp::DivU32,
            (false, false, true) => RequestOp::DivU64,
            (false, true, false) => RequestOp::DivS32,
            (false, true, true) => RequestOp::DivS64,
            (true, false, false) => RequestOp::ModU32,
            (true, false, true) => RequestOp::ModU64,
            (true, true, false) => RequestOp::ModS32,
            (true, true, true) => RequestOp::ModS64,
        };
        Ok(self.emit(Op::Request(Request { value: Some(a), third: Some(b), ..Request::new(op) })))
    }

    fn range(&self, operand: Operand) -> Option<Range> {
        let fact = match operand {
            Operand::Imm(imm) => super::build::immediate(imm),
            Operand::Reg(reg) => self.fact(reg),
        };
        match fact {
            Fact::Scalar(range) => Some(range),
            _ => None,
        }
    }

    /// Unsigned, by shifts, masks and multiplications; `None` if the number is too large for those. `small`: it has 32 bits.
    fn divide_by_constant(&mut self, wide: bool, modulo: bool, a: Value, divisor: u64, small: bool) -> Option<Value> {
        let quotient = match divisor {
            0 if modulo => return Some(self.unary(AluOp::Mov, wide, a)),
            0 => return Some(self.constant(0)),
            d if d.is_power_of_two() && modulo => {
                let mask = self.constant(d - 1);
                return Some(self.alu(AluOp::And, wide, a, mask));
            }
            d if d.is_power_of_two() => {
                let shift = self.constant(u64::from(d.trailing_zeros()));
                return Some(self.alu(AluOp::Rsh, wide, a, shift));
            }
            d if small => match u32::try_from(d) {
                Ok(d) => {
                    let a = if wide { a } else { self.unary(AluOp::Mov, false, a) };
                    self.divide_by(a, d)
                }
                // A 32-bit number by a larger one.
                Err(_) => self.constant(0),
            },
            _ => return None,
        };
        if !modulo {
            return Some(quotient);
        }
        let d = self.constant(divisor);
        let product = self.alu(AluOp::Mul, wide, quotient, d);
        Some(self.alu(AluOp::Sub, wide, a, product))
    }

    /// a / d for a 32-bit number in 64 bits, d not a power of two.
    fn divide_by(&mut self, a: Value, d: u32) -> Value {
        let Reciprocal { low, log } = Reciprocal::of(d);
        let low = self.constant(u64::from(low));
        let product = self.alu(AluOp::Mul, true, a, low);
        let word = self.constant(32);
        let high = self.alu(AluOp::Rsh, true, product, word);
        let sum = self.alu(AluOp::Add, true, high, a);
        let log = self.constant(u64::from(log));
        self.alu(AluOp::Rsh, true, sum, log)
    }
}

/// 1 / d as a fraction (2^32 + low) / 2^(32 + log), rounded up, for d from 3 on that is no power of two. With x of 32 bits
/// x / d = (x + (x * low >> 32)) >> log (Granlund and Montgomery, "Division by Invariant Integers using Multiplication").
#[derive(Clone, Copy, Debug)]
pub(super) struct Reciprocal {
    pub(super) low: u32,
    pub(super) log: u32,
}

impl Reciprocal {
    pub(super) fn of(d: u32) -> Self {
        let log = 32 - d.saturating_sub(1).leading_zeros();
        // Between 2^32 and 2^33, because d is no power of two: the cast takes the 32 bits below the highest one.
        let fraction = (1u128 << (32 + log)) / u128::from(d.max(1)) + 1;
        Reciprocal { low: fraction as u32, log }
    }
}
