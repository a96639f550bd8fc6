//! What a branch tells of its operands (`regs_refine_cond_op` in kernel/bpf/verifier.c). A side that leaves no member for an
//! operand is never taken.

use super::tnum::low_mask;
use super::{Bounds, Num};
use crate::ebpf::{Cond, Width};
use crate::facts::Tnum;

/// The condition that holds where `cond` does not. `None` for `Set`, whose opposite is no condition of its own.
fn opposite(cond: Cond) -> Option<Cond> {
    Some(match cond {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::Gt => Cond::Le,
        Cond::Ge => Cond::Lt,
        Cond::Lt => Cond::Ge,
        Cond::Le => Cond::Gt,
        Cond::Sgt => Cond::Sle,
        Cond::Sge => Cond::Slt,
        Cond::Slt => Cond::Sge,
        Cond::Sle => Cond::Sgt,
        Cond::Set => return None,
    })
}

impl<const W: u32, const H: u32> Num<W, H> {
    /// Both operands where `a cond b` is `taken` (or not); `None` if it never is. Tightens, never loosens.
    pub fn refine(cond: Cond, width: Width, taken: bool, a: Self, b: Self) -> Option<(Self, Self)> {
        let cond = match (taken, opposite(cond)) {
            (true, _) => cond,
            (false, Some(opposite)) => opposite,
            (false, None) => return Self::refine_clear(width, a, b),
        };
        let (mut a, mut b) = (a, b);
        match (cond, width) {
            (Cond::Eq, Width::W64) => {
                let both = a.intersect(b)?;
                return Some((both, both));
            }
            (Cond::Eq, Width::W32) => {
                let sub = a.sub.intersect(b.sub)?;
                let bits = a.bits.truncate(H).intersect(b.bits.truncate(H))?;
                (a.sub, b.sub) = (sub, sub);
                (a.bits, b.bits) = (a.bits.with_low(H, bits), b.bits.with_low(H, bits));
            }
            (Cond::Set, _) => return Self::refine_set(width, a, b),
            (_, Width::W64) => (a.wide, b.wide) = refine_bounds(cond, a.wide, b.wide)?,
            (_, Width::W32) => (a.sub, b.sub) = refine_bounds(cond, a.sub, b.sub)?,
        }
        Some((a.sync()?, b.sync()?))
    }

    /// `a & b != 0`.
    fn refine_set(width: Width, a: Self, b: Self) -> Option<(Self, Self)> {
        let common = a.possible(width) & b.possible(width);
        if common == 0 {
            return None;
        }
        let (mut a, mut b) = (a, b);
        // If only one bit can be common, both have it.
        if common.is_power_of_two() {
            let bit = Tnum::constant(common);
            a.bits = a.bits.or(bit);
            b.bits = b.bits.or(bit);
        }
        Some((a.sync()?, b.sync()?))
    }

    /// `a & b == 0`: a bit certain in one is zero in the other.
    fn refine_clear(width: Width, a: Self, b: Self) -> Option<(Self, Self)> {
        let within = if width == Width::W64 { low_mask(W) } else { low_mask(H) };
        let (in_a, in_b) = (a.bits.value & within, b.bits.value & within);
        if in_a & in_b != 0 {
            return None;
        }
        let (mut a, mut b) = (a, b);
        a.bits.mask &= !in_b;
        b.bits.mask &= !in_a;
        Some((a.sync()?, b.sync()?))
    }

    /// Bits that may be one.
    fn possible(self, width: Width) -> u64 {
        match width {
            Width::W64 => self.bits.max(),
            Width::W32 => self.bits.truncate(H).max(),
        }
    }
}

/// Both operands where `a cond b` holds, by their bounds; `None` if it never does.
pub(super) fn refine_bounds<const W: u32>(cond: Cond, a: Bounds<W>, b: Bounds<W>) -> Option<(Bounds<W>, Bounds<W>)> {
    match cond {
        Cond::Ne => Some((without(a, b)?, without(b, a)?)),
        Cond::Lt => below(a, b, 1),
        Cond::Le => below(a, b, 0),
        Cond::Gt => below(b, a, 1).map(swap),
        Cond::Ge => below(b, a, 0).map(swap),
        Cond::Slt => below_signed(a, b, 1),
        Cond::Sle => below_signed(a, b, 0),
        Cond::Sgt => below_signed(b, a, 1).map(swap),
        Cond::Sge => below_signed(b, a, 0).map(swap),
        Cond::Eq | Cond::Set => Some((a, b)),
    }
}

fn swap<T>((a, b): (T, T)) -> (T, T) {
    (b, a)
}

/// `a` without the only member of `b`, where that lies at an end.
fn without<const W: u32>(a: Bounds<W>, b: Bounds<W>) -> Option<Bounds<W>> {
    let mut a = a;
    if b.umin == b.umax {
        if a.umin == a.umax && a.umin == b.umin {
            return None;
        }
        if a.umin == b.umin {
            a.umin = a.umin.wrapping_add(1);
        } else if a.umax == b.umin {
            a.umax = a.umax.wrapping_sub(1);
        }
    }
    if b.smin == b.smax {
        if a.smin == a.smax && a.smin == b.smin {
            return None;
        }
        if a.smin == b.smin {
            a.smin = a.smin.wrapping_add(1);
        } else if a.smax == b.smin {
            a.smax = a.smax.wrapping_sub(1);
        }
    }
    Some(a)
}

/// `a + gap <= b`, unsigned.
fn below<const W: u32>(mut a: Bounds<W>, mut b: Bounds<W>, gap: u64) -> Option<(Bounds<W>, Bounds<W>)> {
    a.umax = a.umax.min(b.umax.checked_sub(gap)?);
    b.umin = b.umin.max(a.umin.checked_add(gap)?);
    (a.umin <= a.umax && b.umin <= b.umax).then_some((a, b))
}

/// `a + gap <= b`, signed.
fn below_signed<const W: u32>(mut a: Bounds<W>, mut b: Bounds<W>, gap: i64) -> Option<(Bounds<W>, Bounds<W>)> {
    a.smax = a.smax.min(b.smax.checked_sub(gap)?);
    b.smin = b.smin.max(a.smin.checked_add(gap)?);
    (a.smin <= a.smax && b.smin <= b.smax).then_some((a, b))
}
