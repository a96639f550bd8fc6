//! Rules for pure operations.

use super::super::rewrite::low_bits;
use super::{Outcome, Simplify};
use crate::ir::{Op, Value};
use offwire_isa::AluOp::{self, *};

impl Simplify {
    /// One rewriting step; `None` if there is nothing to do.
    pub(super) fn alu(&mut self, op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        if let (Some(x), Some(y)) = (self.constant(a), self.constant(b)) {
            return Some(Outcome::Op(Op::Const(op.eval(wide, x, y))));
        }
        self.narrow_operands(op, wide, a, b)
            .or_else(|| self.commute(op, wide, a, b))
            .or_else(|| self.same_operands(op, wide, a, b))
            .or_else(|| self.unary(op, wide, a))
            .or_else(|| self.constant_operand(op, wide, a, b))
    }

    /// The value, cut to 32 bits unless the operation is wide.
    fn copy(&self, wide: bool, a: Value) -> Option<Outcome> {
        if wide || self.maybe(a) <= u64::from(u32::MAX) {
            return Some(Outcome::Copy(a));
        }
        Some(Outcome::Op(Op::Alu { op: Mov, wide: false, a, b: a }))
    }

    fn make(op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        Some(Outcome::Op(Op::Alu { op, wide, a, b }))
    }

    /// Operands of which only low bits matter.
    fn narrow_operands(&self, op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        let all = if wide { 64 } else { 32 };
        let (bits_a, bits_b) = match op {
            Zext8 | Sext8 => (8, 8),
            Zext16 | Sext16 | Bswap16 => (16, 16),
            Bswap32 | Sext32 => (32, 32),
            Pack => (32, 32),
            Lsh | Rsh | Arsh => (all, 8),
            _ => (all, all),
        };
        let (x, y) = (self.low(a, bits_a), self.low(b, bits_b));
        if (x, y) == (a, b) { None } else { Self::make(op, wide, x, y) }
    }

    /// Constants to the right; else the older value to the left, so that equal sums look equal.
    fn commute(&self, op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        let turn = match (self.constant(a).is_some(), self.constant(b).is_some()) {
            (true, false) => true,
            (false, false) => a > b,
            _ => false,
        };
        if turn && matches!(op, Add | And | Or | Xor | Mul) { Self::make(op, wide, b, a) } else { None }
    }

    fn same_operands(&mut self, op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        match op {
            Sub | Xor if a == b => Some(Outcome::Op(Op::Const(0))),
            And | Or if a == b => self.copy(wide, a),
            // (x + y) - x
            Sub => match self.alu_of(a) {
                Some((Add, w, x, y)) if w == wide && y == b => self.copy(wide, x),
                Some((Add, w, x, y)) if w == wide && x == b => self.copy(wide, y),
                _ => None,
            },
            _ => None,
        }
    }

    fn unary(&mut self, op: AluOp, wide: bool, a: Value) -> Option<Outcome> {
        let maybe = self.maybe(a);
        let inner = self.alu_of(a);
        match op {
            Mov => {
                if wide || maybe <= u64::from(u32::MAX) {
                    return Some(Outcome::Copy(a));
                }
                // The low half of an operation whose low half depends on low halves only.
                match inner? {
                    (op @ (Add | Sub | And | Or | Xor | Mul), true, x, y) => Self::make(op, false, x, y),
                    (Lsh, true, x, y) if self.constant(y).is_some_and(|by| by < 32) => Self::make(Lsh, false, x, y),
                    _ => None,
                }
            }
            // The same on both widths.
            Zext8 | Zext16 | Bswap16 | Bswap32 if !wide => Self::make(op, true, a, a),
            Zext8 if maybe <= 0xff => Some(Outcome::Copy(a)),
            Zext16 if maybe <= 0xffff => Some(Outcome::Copy(a)),
            Sext8 if maybe <= 0x7f => Some(Outcome::Copy(a)),
            Sext16 if maybe <= 0x7fff => Some(Outcome::Copy(a)),
            Sext32 if maybe <= 0x7fff_ffff => Some(Outcome::Copy(a)),
            Sext32 if !wide => Self::make(Mov, false, a, a),
            // Reversing twice.
            Bswap16 => match inner? {
                (Bswap16, _, x, _) => Self::make(Zext16, true, x, x),
                _ => None,
            },
            Bswap32 => match inner? {
                (Bswap32, _, x, _) => Self::make(Mov, false, x, x),
                _ => None,
            },
            Bswap64 if wide => match inner? {
                (Bswap64, true, x, _) => Some(Outcome::Copy(x)),
                _ => None,
            },
            Bswap64 => Self::make(Bswap32, false, a, a),
            _ => None,
        }
    }

    fn constant_operand(&mut self, op: AluOp, wide: bool, a: Value, b: Value) -> Option<Outcome> {
        let width: u32 = if wide { 64 } else { 32 };
        let all = low_bits(width);
        if matches!(op, Lsh | Rsh | Arsh) && self.constant(a).is_some_and(|a| a & all == 0) {
            return Some(Outcome::Op(Op::Const(0)));
        }
        let constant = self.constant(b)?;
        let c = constant & all;
        let maybe = self.maybe(a) & all;
        match (op, c) {
            (Add | Sub | Or | Xor, 0) => return self.copy(wide, a),
            (Lsh | Rsh | Arsh, by) if by & u64::from(width - 1) == 0 => return self.copy(wide, a),
            (Mul, 1) => return self.copy(wide, a),
            (And | Mul, 0) => return Some(Outcome::Op(Op::Const(0))),
            (And, c) if maybe & !c == 0 => return self.copy(wide, a),
            (And, c) if maybe & c == 0 => return Some(Outcome::Op(Op::Const(0))),
            (Or, c) if c == all => return Some(Outcome::Op(Op::Const(all))),
            (Mul, c) if c.is_power_of_two() => {
                let by = self.constant_value(u64::from(c.trailing_zeros()));
                return Self::make(Lsh, wide, a, by);
            }
            // Masks that need no immediate.
            (And, 0xff) => return Self::make(Zext8, wide, a, a),
            (And, 0xffff) => return Self::make(Zext16, wide, a, a),
            (And, 0xffff_ffff) if wide => return Self::make(Mov, false, a, a),
            (Sub, _) => {
                let minus = self.constant_value(sign_extend(c.wrapping_neg() & all, width));
                return Self::make(Add, wide, a, minus);
            }
            _ => {}
        }
        if let Some(by) = shift_by(op, c, width) {
            if let Some(outcome) = self.shift(op, wide, a, by) {
                return Some(outcome);
            }
        } else if let Some(outcome) = self.twice(op, wide, a, c) {
            return Some(outcome);
        }
        self.shorter_constant(op, wide, a, constant, maybe)
    }

    /// Shifts of shifts.
    fn shift(&mut self, op: AluOp, wide: bool, a: Value, by: u32) -> Option<Outcome> {
        let width: u32 = if wide { 64 } else { 32 };
        if op == Arsh && self.maybe(a) >> (width - 1) & 1 == 0 {
            let by = self.constant_value(u64::from(by));
            return Self::make(Rsh, wide, a, by);
        }
        // Everything is shifted out.
        let maybe = self.maybe(a) & low_bits(width);
        if (op == Rsh && maybe >> by == 0) || (op == Lsh && maybe << by & low_bits(width) == 0) {
            return Some(Outcome::Op(Op::Const(0)));
        }
        let (inner, w, x, y) = self.alu_of(a)?;
        // A mask under a shift that keeps less than the mask, such as (x & 0xf0) >> 4 of a byte.
        if inner == And && op == Rsh && (w || !wide) {
            let mask = self.constant(y)? & low_bits(width);
            let kept = self.maybe(x) & low_bits(width);
            return if mask >> by == kept >> by && w == wide {
                let by = self.constant_value(u64::from(by));
                Self::make(Rsh, wide, x, by)
            } else {
                None
            };
        }
        let inner_by = shift_by(inner, self.constant(y)?, width).filter(|_| w == wide)?;
        match (inner, op) {
            (Lsh, Lsh) | (Rsh, Rsh) => {
                if inner_by + by >= width {
                    return Some(Outcome::Op(Op::Const(0)));
                }
                let by = self.constant_value(u64::from(inner_by + by));
                Self::make(op, wide, x, by)
            }
            (Lsh, Rsh | Arsh) if inner_by == by => {
                // Nothing was lost at the top.
                if op == Rsh && self.maybe(x) & low_bits(width) & !low_bits(width - by) == 0 {
                    return self.copy(wide, x);
                }
                let extend = match (width - by, op) {
                    (8, Rsh) => Zext8,
                    (16, Rsh) => Zext16,
                    (32, Rsh) => return Self::make(Mov, false, x, x),
                    (8, _) => Sext8,
                    (16, _) => Sext16,
                    (32, _) => Sext32,
                    (bits, Rsh) => {
                        let mask = self.constant_value(low_bits(bits));
                        return Self::make(And, wide, x, mask);
                    }
                    _ => return None,
                };
                Self::make(extend, wide, x, x)
            }
            (Rsh, Lsh) if inner_by == by => {
                let mask = self.constant_value(sign_extend(low_bits(width) & !low_bits(by), width));
                Self::make(And, wide, x, mask)
            }
            _ => None,
        }
    }

    /// The same operation with two constants.
    fn twice(&mut self, op: AluOp, wide: bool, a: Value, c: u64) -> Option<Outcome> {
        if !matches!(op, Add | And | Or | Xor | Mul) {
            return None;
        }
        let (inner, w, x, y) = self.alu_of(a)?;
        let d = self.constant(y)?;
        if inner == op && w == wide {
            let both = self.constant_value(op.eval(wide, d, c));
            return Self::make(op, wide, x, both);
        }
        // A mask over a shift that already shifts zeros in is caught by `maybe`; a mask over an extension becomes one mask.
        match (op, inner) {
            (And, Zext8) => {
                let mask = self.constant_value(c & 0xff);
                Self::make(And, wide, x, mask)
            }
            (And, Zext16) => {
                let mask = self.constant_value(c & 0xffff);
                Self::make(And, wide, x, mask)
            }
            _ => None,
        }
    }

    /// Another constant that does the same and fits 16 bits with sign: bits of a mask where the operand has zeros anyway do not
    /// matter, nor do the high bits on 32 bits.
    fn shorter_constant(&mut self, op: AluOp, wide: bool, a: Value, constant: u64, maybe: u64) -> Option<Outcome> {
        let short = self.short_constant(op == And, wide, constant, maybe)?;
        let b = self.constant_value(short);
        Self::make(op, wide, a, b)
    }

    /// See [`Simplify::shorter_constant`].
    pub(super) fn short_constant(&self, mask: bool, wide: bool, constant: u64, maybe: u64) -> Option<u64> {
        let mut short = constant;
        if mask
            && i16::try_from((constant | !maybe).cast_signed()).is_ok()
            && i16::try_from(constant.cast_signed()).is_err()
        {
            short = constant | !maybe;
        }
        if !wide {
            short = sign_extend(short & low_bits(32), 32);
        }
        (short != constant).then_some(short)
    }
}

/// The amount of a shift, masked as the device does.
fn shift_by(op: AluOp, c: u64, width: u32) -> Option<u32> {
    matches!(op, Lsh | Rsh | Arsh).then_some(c as u32 & (width - 1))
}

/// From `width` bits to 64.
pub(super) fn sign_extend(value: u64, width: u32) -> u64 {
    if width == 32 { i64::from(value as u32 as i32).cast_unsigned() } else { value }
}
