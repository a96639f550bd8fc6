//! Arithmetic on known bits, as kernel/bpf/tnum.c does it. The product is the one of Vishwanathan et al., "Sound, precise, and
//! fast abstract interpretation with tristate numbers" (CGO 2022).
//!
//! Every function returns a tnum that holds each result of the operation on members of its operands (modulo 2^64).

use crate::facts::Tnum;

impl Tnum {
    /// No bit is known.
    pub const UNKNOWN: Tnum = Tnum { value: 0, mask: u64::MAX };

    /// Exactly `value`.
    pub const fn constant(value: u64) -> Self {
        Tnum { value, mask: 0 }
    }

    /// The leading bits that all numbers from `min` to `max` share.
    pub const fn between(min: u64, max: u64) -> Self {
        let differ = min ^ max;
        let mask = if differ == 0 { 0 } else { u64::MAX >> differ.leading_zeros() };
        Tnum { value: min & !mask, mask }
    }

    /// True if all bits are known.
    pub const fn is_const(self) -> bool {
        self.mask == 0
    }

    /// True if `number` is a member.
    pub const fn contains(self, number: u64) -> bool {
        number & !self.mask == self.value
    }

    /// True if every member of `other` is a member of this one (`tnum_in`).
    pub const fn includes(self, other: Tnum) -> bool {
        other.mask & !self.mask == 0 && self.value == other.value & !self.mask
    }

    /// Smallest member, unsigned.
    pub const fn min(self) -> u64 {
        self.value
    }

    /// Largest member, unsigned.
    pub const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// Smallest member that is not below `from`, unsigned (`tnum_step`).
    pub const fn least_from(self, from: u64) -> Option<u64> {
        let wrong = (from ^ self.value) & !self.mask;
        if wrong == 0 {
            return Some(from);
        }
        // The highest bit that must differ. If it becomes a one, the number is greater already; else a free zero above it must
        // become a one. What is below may then be as small as it can.
        let bit = top_bit(wrong);
        let step = if self.value & bit != 0 {
            bit
        } else {
            let free = self.mask & !from & !below(bit);
            free & free.wrapping_neg()
        };
        if step == 0 {
            return None;
        }
        Some(from & !below(step) | step | self.value & below(step))
    }

    /// Greatest member that is not above `to`, unsigned.
    pub const fn greatest_to(self, to: u64) -> Option<u64> {
        let inverse = Tnum { value: !self.value & !self.mask, mask: self.mask };
        match inverse.least_from(!to) {
            Some(number) => Some(!number),
            None => None,
        }
    }

    /// True if all members are multiples of `size`, a power of two (`tnum_is_aligned`).
    pub const fn is_aligned(self, size: u64) -> bool {
        (self.value | self.mask) & size.wrapping_sub(1) == 0
    }

    /// Keeps the low `bits` bits, the others become zero.
    #[must_use]
    pub const fn truncate(self, bits: u32) -> Self {
        let low = low_mask(bits);
        Tnum { value: self.value & low, mask: self.mask & low }
    }

    /// Replaces the low `bits` bits by those of `low`.
    #[must_use]
    pub const fn with_low(self, bits: u32, low: Tnum) -> Self {
        let keep = !low_mask(bits);
        let low = low.truncate(bits);
        Tnum { value: self.value & keep | low.value, mask: self.mask & keep | low.mask }
    }

    /// Sum.
    #[must_use]
    pub const fn add(self, other: Tnum) -> Self {
        let low = self.value.wrapping_add(other.value);
        let high = low.wrapping_add(self.mask).wrapping_add(other.mask);
        // A bit is unknown if its carry-in may differ or if it was unknown before.
        let mask = (low ^ high) | self.mask | other.mask;
        Tnum { value: low & !mask, mask }
    }

    /// Difference.
    #[must_use]
    pub const fn sub(self, other: Tnum) -> Self {
        let middle = self.value.wrapping_sub(other.value);
        let highest = middle.wrapping_add(self.mask);
        let lowest = middle.wrapping_sub(other.mask);
        let mask = (highest ^ lowest) | self.mask | other.mask;
        Tnum { value: middle & !mask, mask }
    }

    /// Bitwise and.
    #[must_use]
    pub const fn and(self, other: Tnum) -> Self {
        let value = self.value & other.value;
        let possible = (self.value | self.mask) & (other.value | other.mask);
        Tnum { value, mask: possible & !value }
    }

    /// Bitwise or.
    #[must_use]
    pub const fn or(self, other: Tnum) -> Self {
        let value = self.value | other.value;
        Tnum { value, mask: (self.mask | other.mask) & !value }
    }

    /// Bitwise exclusive or.
    #[must_use]
    pub const fn xor(self, other: Tnum) -> Self {
        let mask = self.mask | other.mask;
        Tnum { value: (self.value ^ other.value) & !mask, mask }
    }

    /// Product.
    #[must_use]
    pub const fn mul(self, other: Tnum) -> Self {
        // The certain part is one product; each bit of `self` adds the uncertainty of a shifted `other`.
        let mut unsure = Tnum::constant(0);
        let (mut a, mut b) = (self, other);
        while a.value | a.mask != 0 {
            if a.value & 1 != 0 {
                unsure = unsure.add(Tnum { value: 0, mask: b.mask });
            } else if a.mask & 1 != 0 {
                unsure = unsure.add(Tnum { value: 0, mask: b.value | b.mask });
            }
            a = a.shr(1);
            b = b.shl(1);
        }
        Tnum::constant(self.value.wrapping_mul(other.value)).add(unsure)
    }

    /// Left shift by a constant below 64.
    #[must_use]
    pub const fn shl(self, by: u32) -> Self {
        Tnum { value: self.value.wrapping_shl(by), mask: self.mask.wrapping_shl(by) }
    }

    /// Logical right shift by a constant below 64.
    #[must_use]
    pub const fn shr(self, by: u32) -> Self {
        Tnum { value: self.value.wrapping_shr(by), mask: self.mask.wrapping_shr(by) }
    }

    /// Copies bit `bits - 1` into all bits above it.
    #[must_use]
    pub const fn sign_extend(self, bits: u32) -> Self {
        // An unknown sign bit makes the mask negative and the value not: all bits above become unknown.
        Tnum {
            value: sign_extend(self.value, bits).cast_unsigned(),
            mask: sign_extend(self.mask, bits).cast_unsigned(),
        }
    }

    /// Members of both; `None` if there is none.
    pub const fn intersect(self, other: Tnum) -> Option<Self> {
        if (self.value ^ other.value) & !self.mask & !other.mask != 0 {
            return None;
        }
        let mask = self.mask & other.mask;
        Some(Tnum { value: (self.value | other.value) & !mask, mask })
    }

    /// Members of either, and what the form forces in addition.
    #[must_use]
    pub const fn join(self, other: Tnum) -> Self {
        let mask = self.mask | other.mask | (self.value ^ other.value);
        Tnum { value: self.value & !mask, mask }
    }
}

/// The highest one of `number`, which is not 0.
const fn top_bit(number: u64) -> u64 {
    (1u64 << 63).wrapping_shr(number.leading_zeros())
}

/// All bits below `bit`.
const fn below(bit: u64) -> u64 {
    bit.wrapping_sub(1)
}

/// The low `bits` bits set, `bits` from 0 to 64.
pub(crate) const fn low_mask(bits: u32) -> u64 {
    if bits == 0 { 0 } else { u64::MAX >> 64u32.saturating_sub(bits) }
}

/// The low `bits` bits of `value` (1 to 64) as a signed number.
pub(crate) const fn sign_extend(value: u64, bits: u32) -> i64 {
    let up = 64u32.saturating_sub(bits);
    value.wrapping_shl(up).cast_signed().wrapping_shr(up)
}
