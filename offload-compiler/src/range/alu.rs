//! Transfer functions of the ALU instructions (RFC 9669 section 4.1) on sets of numbers.

use super::tnum::{low_mask, sign_extend};
use super::{Bounds, Num};
use crate::ebpf::{AluOp, Width};
use crate::facts::Tnum;

impl<const W: u32, const H: u32> Num<W, H> {
    /// `a op b` at the width; 32-bit results are zero-extended. Holds for every operand, shifts beyond the width (masked) and
    /// division by zero included.
    #[must_use]
    pub fn alu(op: AluOp, width: Width, a: Self, b: Self) -> Self {
        match width {
            Width::W64 => Self::alu_wide(op, a, b),
            Width::W32 => Self::alu_sub(op, a.zero_extend(H), b.zero_extend(H)),
        }
    }

    /// `-a`.
    #[must_use]
    pub fn neg(width: Width, a: Self) -> Self {
        Self::alu(AluOp::Sub, width, Self::constant(0), a)
    }

    fn alu_wide(op: AluOp, a: Self, b: Self) -> Self {
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            return Self::constant(concrete(op, W, x, y));
        }
        let bits = Self::known_bits(op, W, a.bits, b.bits);
        let result = match op {
            AluOp::Mov => return b,
            AluOp::Add => Num { wide: a.wide.add(b.wide), sub: a.sub.add(b.sub), bits },
            AluOp::Sub => Num { wide: a.wide.sub(b.wide), sub: a.sub.sub(b.sub), bits },
            AluOp::Mul => Num { wide: a.wide.mul(b.wide), sub: a.sub.mul(b.sub), bits },
            AluOp::And => Num { wide: a.wide.and(b.wide), sub: a.sub.and(b.sub), bits },
            AluOp::Or => Num { wide: a.wide.or(b.wide), sub: a.sub.or(b.sub), bits },
            AluOp::Xor => Num { bits, ..Self::ANY },
            AluOp::Div => Num { wide: a.wide.div(b.wide), ..Self::ANY },
            AluOp::Mod => Num { wide: a.wide.rem(b.wide), ..Self::ANY },
            AluOp::Sdiv | AluOp::Smod => Self::ANY,
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => match shift_amount(W, b) {
                Some(by) => Self::shift_wide(op, a, by),
                None => Self::ANY,
            },
        };
        // A contradiction would be a flaw in a rule above; then nothing is known.
        result.sync().unwrap_or(Self::ANY)
    }

    fn shift_wide(op: AluOp, a: Self, by: u32) -> Self {
        match op {
            AluOp::Lsh => {
                let mut wide = a.wide.shl(by);
                // The idiom "shift up, shift down" extends the sign of the low half.
                if by >= W.saturating_sub(H) {
                    let up = a.sub.shl(by.saturating_sub(W.saturating_sub(H)));
                    let by = W.saturating_sub(H);
                    let low = Bounds::signed(up.smin.wrapping_shl(by), up.smax.wrapping_shl(by));
                    wide = wide.intersect(low).unwrap_or(wide);
                }
                let sub = if by < H { a.sub.shl(by) } else { Bounds::constant(0) };
                Num { wide, sub, bits: a.bits.shl(by).truncate(W) }
            }
            AluOp::Rsh => Num { wide: a.wide.shr(by), bits: a.bits.shr(by), ..Self::ANY },
            _ => Num { wide: a.wide.sar(by), bits: sar_bits(a.bits, W, by), ..Self::ANY },
        }
    }

    /// On zero-extended operands.
    fn alu_sub(op: AluOp, a: Self, b: Self) -> Self {
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            return Self::constant(concrete(op, H, x, y));
        }
        let bits = Self::known_bits(op, H, a.bits, b.bits);
        let any = Tnum { value: 0, mask: low_mask(H) };
        let (sub, bits) = match op {
            AluOp::Mov => return b,
            AluOp::Add => (a.sub.add(b.sub), bits),
            AluOp::Sub => (a.sub.sub(b.sub), bits),
            AluOp::Mul => (a.sub.mul(b.sub), bits),
            AluOp::And => (a.sub.and(b.sub), bits),
            AluOp::Or => (a.sub.or(b.sub), bits),
            AluOp::Xor => (Bounds::FULL, bits),
            AluOp::Div => (a.sub.div(b.sub), any),
            AluOp::Mod => (a.sub.rem(b.sub), any),
            AluOp::Sdiv | AluOp::Smod => (Bounds::FULL, any),
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => match (shift_amount(H, b), op) {
                (None, _) => (Bounds::FULL, any),
                (Some(by), AluOp::Lsh) => (a.sub.shl(by), a.bits.shl(by).truncate(H)),
                (Some(by), AluOp::Rsh) => (a.sub.shr(by), a.bits.shr(by)),
                (Some(by), _) => (a.sub.sar(by), sar_bits(a.bits, H, by)),
            },
        };
        Self::of_low_half(sub, bits)
    }

    /// A zero-extended low half.
    fn of_low_half(sub: Bounds<H>, bits: Tnum) -> Self {
        let wide = Bounds::unsigned(0, low_mask(H));
        Num { wide, sub, bits }.sync().unwrap_or(Num { wide, ..Self::ANY })
    }

    fn known_bits(op: AluOp, width: u32, a: Tnum, b: Tnum) -> Tnum {
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And => a.and(b),
            AluOp::Or => a.or(b),
            AluOp::Xor => a.xor(b),
            _ => Tnum::UNKNOWN,
        }
        .truncate(width)
    }

    /// The low `bits` bits, zero-extended (loads, 32-bit moves, `htole`).
    #[must_use]
    pub fn zero_extend(self, bits: u32) -> Self {
        if bits >= W {
            return self;
        }
        if self.wide.umax <= low_mask(bits) {
            return self;
        }
        let known = self.bits.truncate(bits);
        if bits == H {
            return Self::of_low_half(self.sub, known);
        }
        let low = low_mask(bits);
        let same_high = self.wide.umin & !low == self.wide.umax & !low;
        let (umin, umax) = if same_high { (self.wide.umin & low, self.wide.umax & low) } else { (0, low) };
        let cut = Num { wide: Bounds::unsigned(umin, umax), sub: Bounds::FULL, bits: known };
        cut.sync().unwrap_or(Num { bits: known, ..Self::ANY })
    }

    /// The low `bits` bits, sign-extended to `W`.
    #[must_use]
    pub fn sign_extend(self, bits: u32) -> Self {
        if bits >= W || bits == 0 {
            return self;
        }
        let limit = low_mask(bits.saturating_sub(1)).cast_signed();
        if self.wide.smin >= !limit && self.wide.smax <= limit {
            return self;
        }
        let low = self.zero_extend(bits);
        let (smin, smax) = if low.wide.umax <= limit.cast_unsigned() {
            (low.wide.smin, low.wide.smax)
        } else if low.wide.umin > limit.cast_unsigned() {
            (sign_extend(low.wide.umin, bits), sign_extend(low.wide.umax, bits))
        } else if bits == H {
            (self.sub.smin, self.sub.smax)
        } else {
            (!limit, limit)
        };
        let known = low.bits.sign_extend(bits).truncate(W);
        Num { wide: Bounds::signed(smin, smax), sub: Bounds::FULL, bits: known }
            .sync()
            .unwrap_or(Num { bits: known, ..Self::ANY })
    }

    /// `dst = (s8/s16/s32) src` at the width; the 32-bit form zero-extends the result.
    #[must_use]
    pub fn mov_sign_extend(width: Width, bits: u32, src: Self) -> Self {
        let extended = src.sign_extend(bits);
        match width {
            Width::W64 => extended,
            Width::W32 => extended.zero_extend(H),
        }
    }
}

impl Num {
    /// The byte order instructions: reversed low `bits` bits (16, 32, 64), zero-extended.
    #[must_use]
    pub fn byte_swap(self, bits: u32) -> Self {
        if let Some(value) = self.as_const() {
            let swapped = value.swap_bytes().checked_shr(64u32.saturating_sub(bits)).unwrap_or(0);
            return Self::constant(swapped);
        }
        let down = 64u32.saturating_sub(bits);
        let reverse = |value: u64| value.swap_bytes().checked_shr(down).unwrap_or(0);
        let known = Tnum { value: reverse(self.bits.value), mask: reverse(self.bits.mask) };
        Num { bits: known, ..Self::ANY }.sync().unwrap_or(Self::ANY)
    }
}

/// The amount of a shift that is a constant; it counts modulo the width (RFC 9669 section 4.1).
fn shift_amount<const W: u32, const H: u32>(width: u32, by: Num<W, H>) -> Option<u32> {
    let amount = by.as_const()? & u64::from(width.wrapping_sub(1));
    u32::try_from(amount).ok()
}

fn sar_bits(bits: Tnum, width: u32, by: u32) -> Tnum {
    let value = sign_extend(bits.value, width).wrapping_shr(by);
    let mask = sign_extend(bits.mask, width).wrapping_shr(by);
    Tnum { value: value.cast_unsigned(), mask: mask.cast_unsigned() }.truncate(width)
}

/// One result at `width` bits (RFC 9669 section 4.1): the meaning that the sets above must cover.
pub(crate) fn concrete(op: AluOp, width: u32, a: u64, b: u64) -> u64 {
    let low = low_mask(width);
    let (a, b) = (a & low, b & low);
    let (sa, sb) = (sign_extend(a, width), sign_extend(b, width));
    let by = u32::try_from(b & u64::from(width.wrapping_sub(1))).unwrap_or(0);
    let result = match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b).unwrap_or(0),
        AluOp::Mod => a.checked_rem(b).unwrap_or(a),
        // The quotient of the least number by -1 wraps around to itself; only then does `checked_div` fail for `sb != 0`.
        AluOp::Sdiv if sb == 0 => 0,
        AluOp::Sdiv => sa.checked_div(sb).unwrap_or(sa).cast_unsigned(),
        AluOp::Smod if sb == 0 => a,
        AluOp::Smod => sa.checked_rem(sb).unwrap_or(0).cast_unsigned(),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Mov => b,
        AluOp::Lsh => a.wrapping_shl(by),
        AluOp::Rsh => a.wrapping_shr(by),
        AluOp::Arsh => sa.wrapping_shr(by).cast_unsigned(),
    };
    result & low
}
