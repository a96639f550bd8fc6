//! Unsigned division and modulo by constants, which the device does by multiplication and shifts.

use super::build::{Builder, exact};
use crate::ebpf::{Operand, Reg};
use crate::facts::Fact;
use crate::ir::Value;
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::AluOp;

impl Builder<'_> {
    /// Unsigned division and modulo by a constant; RFC 9669 section 4.1: x / 0 = 0, x % 0 = x.
    pub(super) fn divide(
        &mut self,
        wide: bool,
        modulo: bool,
        a: Value,
        dst: Reg,
        src: Operand,
    ) -> Result<Value, Diagnostic> {
        let divisor = match src {
            Operand::Imm(imm) => Some(i64::from(imm).cast_unsigned()),
            Operand::Reg(reg) => match self.fact(reg) {
                Fact::Scalar(range) => exact(&range),
                _ => None,
            },
        };
        let divisor = divisor.map(|divisor| if wide { divisor } else { divisor & u64::from(u32::MAX) });
        let small = match self.fact(dst) {
            Fact::Scalar(range) => !wide || range.umax <= u64::from(u32::MAX),
            _ => !wide,
        };
        let quotient = match divisor {
            Some(0) if modulo => return Ok(self.unary(AluOp::Mov, wide, a)),
            Some(0) => return Ok(self.constant(0)),
            Some(d) if d.is_power_of_two() && modulo => {
                let mask = self.constant(d - 1);
                return Ok(self.alu(AluOp::And, wide, a, mask));
            }
            Some(d) if d.is_power_of_two() => {
                let shift = self.constant(u64::from(d.trailing_zeros()));
                return Ok(self.alu(AluOp::Rsh, wide, a, shift));
            }
            Some(d) if small => match u32::try_from(d) {
                Ok(d) => {
                    let a = if wide { a } else { self.unary(AluOp::Mov, false, a) };
                    self.divide_by(a, d)
                }
                // A 32-bit number by a larger one.
                Err(_) => self.constant(0),
            },
            _ => {
                let what = if modulo { "modulo" } else { "division" };
                return Err(self
                    .refuse(compiler::INSTRUCTION, format!("{what} by this divisor is not on the device"))
                    .with_reason("the device multiplies, but does not divide: 32-bit numbers by constants, any by constant powers of two")
                    .with_help("divide 32-bit numbers by a compile-time constant (also a `const volatile` global)"));
            }
        };
        if !modulo {
            return Ok(quotient);
        }
        let d = self.constant(divisor.unwrap_or_default());
        let product = self.alu(AluOp::Mul, wide, quotient, d);
        Ok(self.alu(AluOp::Sub, wide, a, product))
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
