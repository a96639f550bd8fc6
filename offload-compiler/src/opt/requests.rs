//! Requests whose answer is known, and how much of their operands they look at.

use super::rewrite::low_bits;
use crate::ir::Request;
use offwire_isa::RequestOp;

/// Low bits of V and of W that the request looks at.
pub(super) fn looked_at(op: RequestOp) -> (u32, u32) {
    use RequestOp::*;
    match op {
        AdjustHead | AdjustTail | AdjustMeta | Redirect | RedirectMap | TailCall | FetchAdd32 | FetchOr32
        | FetchAnd32 | FetchXor32 | Xchg32 => (32, 64),
        Csum => (64, 32),
        LoadBytes | StoreBytes | Cmpxchg32 | DivU32 | DivS32 | ModU32 | ModS32 => (32, 32),
        _ => (64, 64),
    }
}

/// Bits of the answer that may be one.
pub(super) fn answers(op: RequestOp) -> u64 {
    use RequestOp::*;
    match op {
        Csum | Prandom | FetchAdd32 | FetchOr32 | FetchAnd32 | FetchXor32 | Xchg32 | Cmpxchg32 | DivU32 | DivS32
        | ModU32 | ModS32 => low_bits(32),
        // An XDP action.
        Redirect | RedirectMap => 7,
        _ => u64::MAX,
    }
}

/// What a division is instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Division {
    /// This number.
    Constant(u64),
    /// The dividend, all of it or its low half.
    Dividend,
    /// The dividend shifted right.
    Shift(u32),
    /// The dividend with only these bits.
    Mask(u64),
}

/// True if the division is one on 64 bits.
pub(super) fn is_wide(op: RequestOp) -> bool {
    matches!(op, RequestOp::DivU64 | RequestOp::DivS64 | RequestOp::ModU64 | RequestOp::ModS64)
}

/// What is left of a division (RFC 9669, section 4.1) once one or both operands are known.
pub(super) fn division(op: RequestOp, a: Option<u64>, b: u64) -> Option<Division> {
    use RequestOp::{DivS32, DivS64, ModS32, ModS64, ModU32, ModU64};
    let wide = is_wide(op);
    let bits = if wide { 64 } else { 32 };
    let modulo = matches!(op, ModU32 | ModU64 | ModS32 | ModS64);
    let signed = matches!(op, DivS32 | DivS64 | ModS32 | ModS64);
    let divisor = b & low_bits(bits);
    if divisor == 0 {
        return Some(if modulo { Division::Dividend } else { Division::Constant(0) });
    }
    if let Some(a) = a {
        // As numbers of 128 bits nothing overflows.
        let number = |value: u64| {
            let value = value & low_bits(bits);
            let negative = signed && value >> (bits - 1) & 1 == 1;
            i128::from(value) - if negative { 1i128 << bits } else { 0 }
        };
        let (a, b) = (number(a), number(divisor));
        let result = if modulo { a % b } else { a / b };
        return Some(Division::Constant(result as u64 & low_bits(bits)));
    }
    match (signed, modulo) {
        (true, false) if divisor == 1 => Some(Division::Dividend),
        (true, true) if divisor == 1 => Some(Division::Constant(0)),
        (false, false) if divisor.is_power_of_two() => Some(Division::Shift(divisor.trailing_zeros())),
        (false, true) if divisor.is_power_of_two() => Some(Division::Mask(divisor - 1)),
        _ => None,
    }
}

/// Equal ones give equal answers: those of divisions.
pub(super) fn is_pure(request: &Request) -> bool {
    request.op.is_division()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::interp::divide;

    #[test]
    fn what_is_left_of_a_division_gives_the_same_answer() {
        use RequestOp::{DivS32, DivS64, DivU32, DivU64, ModS32, ModS64, ModU32, ModU64};
        let numbers = [
            0,
            1,
            2,
            3,
            7,
            8,
            10,
            641,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_fff3,
            0xffff_ffff,
            0x1_0000_0000,
            0x1_0000_0001,
            i64::MAX as u64,
            1 << 63,
            u64::MAX - 12,
            u64::MAX,
        ];
        let mut folded = 0;
        for op in [DivU32, DivU64, DivS32, DivS64, ModU32, ModU64, ModS32, ModS64] {
            for a in numbers {
                for b in numbers {
                    let want = divide(op, a, b);
                    for known in [None, Some(a)] {
                        let Some(left) = division(op, known, b) else { continue };
                        let a = if is_wide(op) { a } else { a & low_bits(32) };
                        let got = match left {
                            Division::Constant(value) => value,
                            Division::Dividend => a,
                            Division::Shift(by) => a >> by,
                            Division::Mask(mask) => a & mask,
                        };
                        assert_eq!(got, want, "{} {a:#x} {b:#x} {left:?}", op.asm());
                        folded += 1;
                    }
                }
            }
        }
        assert!(folded > 8 * 18 * 18);
    }
}
