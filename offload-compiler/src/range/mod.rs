//! Sets of numbers, shared by the verifier and the facts: bounds of the 64-bit number and of its low 32 bits, signed and
//! unsigned, and known bits, kept consistent with each other as kernel/bpf/verifier.c does it (`reg_bounds_sync`).
//!
//! Everything is written for a number of `W` bits with a low half of `H`: programs use 64 and 32, the tests use widths at
//! which every member of every set can be enumerated.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::should_implement_trait, reason = "these are not the operators: they lose precision")]

mod alu;
mod bounds;
#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a panic is a failed test, and all numbers are below 256"
)]
mod exhaustive;
mod refine;
#[cfg(test)]
mod tests;
mod tnum;

pub use bounds::Bounds;
pub(crate) use tnum::{low_mask, sign_extend};

use crate::facts::{Range, Tnum};
use std::fmt;

/// A non-empty set of `W`-bit numbers: all that are within `wide`, whose low `H` bits are within `sub`, and that agree with
/// `bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Num<const W: u32 = 64, const H: u32 = 32> {
    /// Bounds of the whole number.
    pub wide: Bounds<W>,
    /// Bounds of its low half.
    pub sub: Bounds<H>,
    /// Known bits.
    pub bits: Tnum,
}

impl<const W: u32, const H: u32> Num<W, H> {
    /// Every number.
    pub const ANY: Self = Num { wide: Bounds::FULL, sub: Bounds::FULL, bits: Tnum { value: 0, mask: low_mask(W) } };

    /// Exactly `value` (its low `W` bits).
    pub const fn constant(value: u64) -> Self {
        Num { wide: Bounds::constant(value), sub: Bounds::constant(value), bits: Tnum::constant(value & low_mask(W)) }
    }

    /// Exactly the number, sign-extended to `W` bits.
    pub const fn signed_constant(value: i64) -> Self {
        Self::constant(value.cast_unsigned())
    }

    /// All numbers from `umin` to `umax`; [`Num::ANY`] if the bounds are the wrong way round.
    pub fn between(umin: u64, umax: u64) -> Self {
        Num { wide: Bounds::unsigned(umin, umax), ..Self::ANY }.sync().unwrap_or(Self::ANY)
    }

    /// What a load of `bits` bits can give, zero- or sign-extended.
    pub fn loaded(bits: u32, signed: bool) -> Self {
        if bits >= W {
            Self::ANY
        } else if signed {
            Self::ANY.sign_extend(bits)
        } else {
            Self::ANY.zero_extend(bits)
        }
    }

    /// The number, if there is only one.
    pub const fn as_const(self) -> Option<u64> {
        if self.wide.umin == self.wide.umax { Some(self.wide.umin) } else { None }
    }

    /// The low half, if it is only one number.
    pub const fn as_const_sub(self) -> Option<u64> {
        if self.sub.umin == self.sub.umax { Some(self.sub.umin) } else { None }
    }

    /// True if nothing is known.
    pub fn is_any(self) -> bool {
        self == Self::ANY
    }

    /// True if `number` is a member.
    pub const fn contains(self, number: u64) -> bool {
        self.wide.contains(number) && self.sub.contains(number) && self.bits.contains(number & low_mask(W))
    }

    /// True if the description of `other` is within this one (`range_within` and `tnum_in`).
    pub const fn includes(self, other: Self) -> bool {
        self.wide.includes(other.wide) && self.sub.includes(other.sub) && self.bits.includes(other.bits)
    }

    /// Members of either, and what the form forces in addition.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Num { wide: self.wide.join(other.wide), sub: self.sub.join(other.sub), bits: self.bits.join(other.bits) }
    }

    /// Members of both; `None` if there is none.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Num {
            wide: self.wide.intersect(other.wide)?,
            sub: self.sub.intersect(other.sub)?,
            bits: self.bits.intersect(other.bits)?,
        }
        .sync()
    }

    /// Tightens all parts by each other; `None` if no number is left.
    pub fn sync(self) -> Option<Self> {
        let mut now = self;
        // Each round only tightens; three reach more than what the kernel's fixed sequence reaches.
        for _ in 0..3 {
            let before = now;
            now = now.sync_once()?;
            if now == before {
                break;
            }
        }
        Some(now)
    }

    fn sync_once(self) -> Option<Self> {
        let mut bits = self.bits;
        let wide = self.wide.within_bits(bits)?.agree()?;
        let mut sub = self.sub.within_bits(bits.truncate(H))?.agree()?;
        // A run of fewer than 2^H numbers is a run of low halves, unless it wraps around.
        for (from, to) in [(wide.umin, wide.umax), (wide.smin.cast_unsigned(), wide.smax.cast_unsigned())] {
            if to.wrapping_sub(from) & low_mask(W) <= low_mask(H) {
                let (low, high) = (from & low_mask(H), to & low_mask(H));
                if low <= high {
                    sub = sub.intersect(Bounds::unsigned(low, high))?;
                }
                if sign_extend(low, H) <= sign_extend(high, H) {
                    sub = sub.intersect(Bounds::signed(sign_extend(low, H), sign_extend(high, H)))?;
                }
            }
        }
        let sub = sub.agree()?;
        let wide = wide.intersect(Self::from_halves(wide, sub))?.agree()?;
        bits = bits.intersect(Tnum::between(wide.umin, wide.umax))?;
        bits = bits.with_low(H, bits.truncate(H).intersect(Tnum::between(sub.umin, sub.umax))?);
        Some(Num { wide, sub, bits })
    }

    /// Bounds of the whole number that its high half and the bounds of the low half imply.
    fn from_halves(wide: Bounds<W>, sub: Bounds<H>) -> Bounds<W> {
        let low = low_mask(H);
        let smin = wide.smin.cast_unsigned() & !low | sub.umin;
        let smax = wide.smax.cast_unsigned() & !low | sub.umax;
        let mut implied = Bounds {
            umin: wide.umin & !low | sub.umin,
            umax: wide.umax & !low | sub.umax,
            smin: sign_extend(smin, W),
            smax: sign_extend(smax, W),
        };
        // A number that fits the signed low half is its low half.
        if wide.smin >= Bounds::<H>::FULL.smin && wide.smax <= Bounds::<H>::FULL.smax {
            implied.smin = implied.smin.max(sub.smin);
            implied.smax = implied.smax.min(sub.smax);
        }
        implied
    }

    /// Loosens every part of `next` that grew beyond this set to the next landmark, so that repeated joins end soon.
    #[must_use]
    pub fn widen(self, next: Self) -> Self {
        let mut wide = next.wide;
        widen_bounds(&mut wide, self.wide);
        let mut sub = next.sub;
        widen_bounds(&mut sub, self.sub);
        // Bits only ever become unknown, at most W times.
        Num { wide, sub, bits: next.bits }
    }
}

impl Num {
    /// As the facts show it.
    pub const fn to_range(self) -> Range {
        Range {
            umin: self.wide.umin,
            umax: self.wide.umax,
            smin: self.wide.smin,
            smax: self.wide.smax,
            bits: self.bits,
        }
    }
}

fn widen_bounds<const W: u32>(new: &mut Bounds<W>, old: Bounds<W>) {
    let full = Bounds::<W>::FULL;
    if new.umax > old.umax {
        new.umax = [8, 16, 31, 32, 63]
            .map(low_mask)
            .into_iter()
            .find(|&mark| mark >= new.umax)
            .map_or(full.umax, |mark| mark.min(full.umax));
    }
    if new.umin < old.umin {
        new.umin = 0;
    }
    if new.smax > old.smax {
        new.smax = [8, 16, 31, 32]
            .map(|bits| low_mask(bits).cast_signed())
            .into_iter()
            .find(|&mark| mark >= new.smax)
            .map_or(full.smax, |mark| mark.min(full.smax));
    }
    if new.smin < old.smin {
        new.smin = if new.smin >= 0 { 0 } else { full.smin };
    }
}

impl<const W: u32, const H: u32> fmt::Display for Num<W, H> {
    /// "5", "0 to 255", "-4 to 4, low 2 bits known": the bounds that say most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wide, full) = (self.wide, Bounds::<W>::FULL);
        if self.as_const().is_some() {
            return write!(f, "{}", wide.smin);
        }
        let signed_span = wide.smax.cast_unsigned().wrapping_sub(wide.smin.cast_unsigned()) & low_mask(W);
        if wide == full {
            write!(f, "any number")?;
        } else if signed_span < wide.umax.wrapping_sub(wide.umin) {
            write!(f, "{} to {}", wide.smin, wide.smax)?;
        } else if wide.umin == 0 && wide.umax == low_mask(H) && self.sub.umax < low_mask(H) {
            write!(f, "{} to {} (low half)", self.sub.umin, self.sub.umax)?;
        } else {
            write!(f, "{} to {}", wide.umin, wide.umax)?;
        }
        let implied = Tnum::between(wide.umin, wide.umax);
        if self.bits.mask != implied.mask {
            write!(f, ", bits {:#x} of {:#x} unknown", self.bits.mask, implied.mask)?;
        }
        Ok(())
    }
}
