//! Unsigned and signed bounds of a number of `W` bits, the half of a [`super::Num`] that knows no bits. One implementation
//! serves the 64-bit number and its low 32 bits; tests run it at small widths, where everything can be enumerated.

use super::tnum::{low_mask, sign_extend};
use crate::facts::Tnum;

/// All numbers within both bounds. `umin <= umax` and `smin <= smax`, signed bounds are sign-extended from `W` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds<const W: u32> {
    /// Least value, unsigned.
    pub umin: u64,
    /// Greatest value, unsigned.
    pub umax: u64,
    /// Least value, signed.
    pub smin: i64,
    /// Greatest value, signed.
    pub smax: i64,
}

impl<const W: u32> Bounds<W> {
    const UMAX: u64 = low_mask(W);
    const SIGN: u64 = 1 << (W - 1);
    const SMIN: i64 = sign_extend(Self::SIGN, W);
    const SMAX: i64 = (Self::SIGN - 1).cast_signed();

    /// Every number.
    pub const FULL: Self = Bounds { umin: 0, umax: Self::UMAX, smin: Self::SMIN, smax: Self::SMAX };

    /// Exactly the low `W` bits of `value`.
    pub const fn constant(value: u64) -> Self {
        let value = value & Self::UMAX;
        Bounds { umin: value, umax: value, smin: sign_extend(value, W), smax: sign_extend(value, W) }
    }

    /// True if `number` (its low `W` bits) is within.
    pub const fn contains(self, number: u64) -> bool {
        let (u, s) = (number & Self::UMAX, sign_extend(number, W));
        self.umin <= u && u <= self.umax && self.smin <= s && s <= self.smax
    }

    /// True if all of `other` is within.
    pub const fn includes(self, other: Self) -> bool {
        self.umin <= other.umin && other.umax <= self.umax && self.smin <= other.smin && other.smax <= self.smax
    }

    /// From unsigned bounds alone.
    pub const fn unsigned(umin: u64, umax: u64) -> Self {
        Bounds { umin, umax, ..Self::FULL }
    }

    /// From signed bounds alone.
    pub const fn signed(smin: i64, smax: i64) -> Self {
        Bounds { smin, smax, ..Self::FULL }
    }

    /// Within both; `None` if that is empty.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Bounds {
            umin: self.umin.max(other.umin),
            umax: self.umax.min(other.umax),
            smin: self.smin.max(other.smin),
            smax: self.smax.min(other.smax),
        };
        (both.umin <= both.umax && both.smin <= both.smax).then_some(both)
    }

    /// Within either.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Bounds {
            umin: self.umin.min(other.umin),
            umax: self.umax.max(other.umax),
            smin: self.smin.min(other.smin),
            smax: self.smax.max(other.smax),
        }
    }

    /// Tightens signed bounds by unsigned ones and the reverse; `None` if no number is left. Exact: the set splits at the sign
    /// bit into at most two runs, whose ends are the four bounds.
    pub fn agree(self) -> Option<Self> {
        let low = run(
            self.umin.max(clamp_unsigned(self.smin)),
            self.umax.min(Self::SMAX.cast_unsigned()),
            self.smax >= 0,
            self.smax.cast_unsigned(),
        );
        let high = if self.smin < 0 {
            let from = self.umin.max(Self::SIGN).max(self.smin.cast_unsigned() & Self::UMAX);
            let to = self.umax.min(self.smax.min(-1).cast_unsigned() & Self::UMAX);
            (from <= to).then_some((from, to))
        } else {
            None
        };
        let ((least, _), (_, greatest)) = (low.or(high)?, high.or(low)?);
        let ((lowest, _), (_, highest)) = (high.or(low)?, low.or(high)?);
        Some(Bounds { umin: least, umax: greatest, smin: sign_extend(lowest, W), smax: sign_extend(highest, W) })
    }

    /// Moves each bound to the next member of `bits` (of `W` bits); `None` if there is none in between. Where bounds and bits
    /// leave one number, that is both bounds.
    pub fn within_bits(self, bits: Tnum) -> Option<Self> {
        // With the sign bit flipped signed order is unsigned order.
        let flipped = Tnum { value: (bits.value ^ Self::SIGN) & !bits.mask, mask: bits.mask };
        let flip = |number: i64| (number.cast_unsigned() ^ Self::SIGN) & Self::UMAX;
        let back = |number: u64| sign_extend(number ^ Self::SIGN, W);
        let within = Bounds {
            umin: bits.least_from(self.umin)?,
            umax: bits.greatest_to(self.umax)?,
            smin: back(flipped.least_from(flip(self.smin))?),
            smax: back(flipped.greatest_to(flip(self.smax))?),
        };
        (within.umin <= within.umax && within.smin <= within.smax).then_some(within)
    }

    /// Sum; each pair of bounds is kept where both ends overflow alike.
    #[must_use]
    pub const fn add(self, other: Self) -> Self {
        let (umin, low) = self.umin.overflowing_add(other.umin);
        let (umax, high) = self.umax.overflowing_add(other.umax);
        let (low, high) = (low || umin > Self::UMAX, high || umax > Self::UMAX);
        let mut sum = Self::FULL;
        if low == high {
            (sum.umin, sum.umax) = (umin & Self::UMAX, umax & Self::UMAX);
        }
        if let (Some(smin), Some(smax)) =
            (fit::<W>(self.smin.checked_add(other.smin)), fit::<W>(self.smax.checked_add(other.smax)))
        {
            (sum.smin, sum.smax) = (smin, smax);
        }
        sum
    }

    /// Difference.
    #[must_use]
    pub const fn sub(self, other: Self) -> Self {
        let mut difference = Self::FULL;
        if (self.umin < other.umax) == (self.umax < other.umin) {
            difference.umin = self.umin.wrapping_sub(other.umax) & Self::UMAX;
            difference.umax = self.umax.wrapping_sub(other.umin) & Self::UMAX;
        }
        if let (Some(smin), Some(smax)) =
            (fit::<W>(self.smin.checked_sub(other.smax)), fit::<W>(self.smax.checked_sub(other.smin)))
        {
            (difference.smin, difference.smax) = (smin, smax);
        }
        difference
    }

    /// Product.
    #[must_use]
    pub fn mul(self, other: Self) -> Self {
        let mut product = Self::FULL;
        if let Some(umax) = self.umax.checked_mul(other.umax).filter(|&umax| umax <= Self::UMAX) {
            (product.umin, product.umax) = (self.umin.wrapping_mul(other.umin), umax);
        }
        let corners =
            [(self.smin, other.smin), (self.smin, other.smax), (self.smax, other.smin), (self.smax, other.smax)];
        let (mut smin, mut smax) = (i64::MAX, i64::MIN);
        for (a, b) in corners {
            let Some(corner) = fit::<W>(a.checked_mul(b)) else { return product };
            (smin, smax) = (smin.min(corner), smax.max(corner));
        }
        (product.smin, product.smax) = (smin, smax);
        product
    }

    /// Unsigned quotient; x / 0 = 0 (RFC 9669 section 4.1).
    #[must_use]
    pub const fn div(self, other: Self) -> Self {
        let umax = match self.umax.checked_div(if other.umin == 0 { 1 } else { other.umin }) {
            Some(umax) => umax,
            None => 0,
        };
        let umin = match self.umin.checked_div(other.umax) {
            Some(umin) if other.umin > 0 => umin,
            _ => 0,
        };
        // By zero alone: nothing but 0.
        if other.umax == 0 { Self::constant(0) } else { Self::unsigned(umin, umax) }
    }

    /// Unsigned remainder; x % 0 = x.
    #[must_use]
    pub fn rem(self, other: Self) -> Self {
        if other.umax == 0 || (other.umin > self.umax) {
            self
        } else if other.umin == 0 {
            Self::unsigned(0, self.umax)
        } else {
            Self::unsigned(0, self.umax.min(other.umax.wrapping_sub(1)))
        }
    }

    /// Bitwise and: no more than the smaller operand.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::unsigned(0, self.umax.min(other.umax))
    }

    /// Bitwise or: no less than the greater operand.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::unsigned(self.umin.max(other.umin), Self::UMAX)
    }

    /// Left shift by a constant below `W`.
    #[must_use]
    pub const fn shl(self, by: u32) -> Self {
        let mut shifted = Self::FULL;
        if self.umax <= Self::UMAX >> by {
            (shifted.umin, shifted.umax) = (self.umin << by, self.umax << by);
        }
        if self.smin >= Self::SMIN >> by && self.smax <= Self::SMAX >> by {
            (shifted.smin, shifted.smax) = (self.smin << by, self.smax << by);
        }
        shifted
    }

    /// Logical right shift by a constant below `W`.
    #[must_use]
    pub const fn shr(self, by: u32) -> Self {
        Self::unsigned(self.umin >> by, self.umax >> by)
    }

    /// Arithmetic right shift by a constant below `W`.
    #[must_use]
    pub const fn sar(self, by: u32) -> Self {
        Self::signed(self.smin >> by, self.smax >> by)
    }
}

/// `number` if it is one of `W` bits.
const fn fit<const W: u32>(number: Option<i64>) -> Option<i64> {
    match number {
        Some(number) if Bounds::<W>::SMIN <= number && number <= Bounds::<W>::SMAX => Some(number),
        _ => None,
    }
}

fn clamp_unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}

fn run(from: u64, to: u64, any: bool, limit: u64) -> Option<(u64, u64)> {
    let to = to.min(limit);
    (any && from <= to).then_some((from, to))
}
