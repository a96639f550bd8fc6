//! The ALU operations on whole descriptions, and on known bits alone.

use super::super::alu::concrete;
use super::super::tests::ALU;
use super::super::{Num, low_mask};
use super::hull::{Grow, Hull, Hulls, results};
use super::sets::{self, Case};
use super::{Tally, each};
use crate::ebpf::{AluOp, Width};
use crate::facts::Tnum;

/// RFC 9669 section 4.1 at `bits` bits, in plain arithmetic on integers without a width.
fn meaning(op: AluOp, bits: u32, a: u64, b: u64) -> u64 {
    let all = 1i64 << bits;
    let (a, b) = (a as i64 % all, b as i64 % all);
    let signed = |number: i64| if number >= all / 2 { number - all } else { number };
    let (sa, sb) = (signed(a), signed(b));
    let power = 1i64 << (b % i64::from(bits));
    let result = match op {
        AluOp::Add => a + b,
        AluOp::Sub => a - b,
        AluOp::Mul => a * b,
        AluOp::Div if b == 0 => 0,
        AluOp::Div => a / b,
        AluOp::Mod if b == 0 => a,
        AluOp::Mod => a % b,
        AluOp::Sdiv if b == 0 => 0,
        AluOp::Sdiv => sa / sb,
        AluOp::Smod if b == 0 => a,
        AluOp::Smod => sa % sb,
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Mov => b,
        AluOp::Lsh => a * power,
        AluOp::Rsh => a / power,
        AluOp::Arsh => sa.div_euclid(power),
    };
    result.rem_euclid(all) as u64
}

fn widths<const W: u32, const H: u32>() -> [(Width, u32); 2] {
    [(Width::W64, W), (Width::W32, H)]
}

/// Shift amounts count modulo the width, which must be a power of 2 for "the low bits of the amount" to mean that.
fn defined(op: AluOp, bits: u32) -> bool {
    bits.is_power_of_two() || !matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh)
}

/// All operations at both widths on all pairs of `firsts` (or a share) and `seconds`.
fn check<const W: u32, const H: u32>(
    what: &str,
    firsts: &[Case<Num<W, H>>],
    stride: usize,
    seconds: &[Case<Num<W, H>>],
) {
    let runs = seconds.iter().any(|case| matches!(case.shape, sets::Shape::Runs(..)));
    for op in ALU {
        for (width, bits) in widths::<W, H>() {
            if !defined(op, bits) {
                continue;
            }
            let table = results::<Hull<W, H>, W>(|a, b| meaning(op, bits, a, b));
            let tally = each(firsts, stride, Hulls::<Hull<W, H>, W>::new, |hulls, a| {
                hulls.fill(a.members, &table, true, runs);
                let mut tally = Tally::default();
                for b in seconds {
                    let (hull, result) = (hulls.of(b), Num::alu(op, width, a.given, b.given));
                    assert!(
                        hull.is_within(&result),
                        "{op:?} at {bits} bits of {:?} and {:?}: {hull:?} is not within {result:?}",
                        a.given,
                        b.given
                    );
                    tally += Tally::one(hull.is_all_of(&result));
                }
                tally
            });
            tally.print(&format!("{what}, {op:?} at {bits} bits"));
        }
    }
}

#[test]
fn the_meaning_of_operations_on_all_pairs_of_numbers() {
    for op in ALU {
        for bits in [4, 8] {
            for (a, b) in (0..256).flat_map(|a| (0..256).map(move |b| (a, b))) {
                assert_eq!(concrete(op, bits, a, b), meaning(op, bits, a, b), "{a} {op:?} {b} at {bits} bits");
            }
        }
    }
}

#[test]
fn alu_on_all_pairs_of_known_bits() {
    let cases = sets::known_bits::<8, 4>();
    assert_eq!(cases.len(), 6_561);
    check("known bits", &cases, 499, &cases);
}

/// Known bits, bounds, and bounds of the low half, each with each.
#[test]
fn alu_on_all_pairs_of_simple_sets_of_6_bits() {
    let mut cases = sets::known_bits::<6, 3>();
    cases.extend(sets::intervals());
    cases.extend(sets::low_halves());
    check("simple sets of 6 bits", &cases, 293, &cases);
}

/// The same at 8 bits: a share of the first operands also in the full run; its parts run whole in `bounds.rs` and above.
#[test]
fn alu_on_simple_sets_of_8_bits() {
    let bits = sets::known_bits::<8, 4>();
    let mut cases = sets::low_halves();
    cases.extend(sets::intervals());
    let share = |cases: &[_], stride| cases.iter().copied().step_by(stride).collect::<Vec<Case<_>>>();
    let (some_bits, some_cases) = (share(&bits, 211), share(&cases, 1_327));
    check("known bits and intervals", &some_bits, 11, &cases);
    check("intervals and known bits", &some_cases, 13, &bits);
    check("intervals", &some_cases, 19, &cases);
}

type OnBits = fn(Tnum, Tnum) -> Tnum;

/// The functions on known bits by themselves. All but the product are the best that their form allows.
#[test]
fn known_bits_of_all_pairs() {
    let functions: [(AluOp, OnBits); 6] = [
        (AluOp::Add, Tnum::add),
        (AluOp::Sub, Tnum::sub),
        (AluOp::Mul, Tnum::mul),
        (AluOp::And, Tnum::and),
        (AluOp::Or, Tnum::or),
        (AluOp::Xor, Tnum::xor),
    ];
    let cases = sets::known_bits::<8, 4>();
    for (op, function) in functions {
        let table = results::<Hull<8, 4>, 8>(|a, b| meaning(op, 8, a, b));
        let tally = each(&cases, 83, Hulls::<Hull<8, 4>, 8>::new, |hulls, a| {
            hulls.fill(a.members, &table, true, false);
            let mut tally = Tally::default();
            for b in &cases {
                let (hull, result) = (hulls.of(b), function(a.given.bits, b.given.bits).truncate(8));
                assert!(
                    hull.bits_within(result),
                    "{op:?} of {:?} and {:?}: {hull:?} is not within {result:?}",
                    a.given.bits,
                    b.given.bits
                );
                tally += Tally::one(hull.bits() == result);
            }
            tally
        });
        tally.print(&format!("known bits alone, {op:?}"));
        assert!(op == AluOp::Mul || tally.best == tally.pairs, "{op:?} forgets bits that are known");
    }
}

/// Negation, and extensions from all widths, of every set that one or two of the parts describe.
#[test]
fn one_operand() {
    let (bits, wide, sub) = (sets::known_bits::<8, 4>(), sets::intervals::<8, 4>(), sets::low_halves::<8, 4>());
    let unary = |case: &Case<Num<8, 4>>| {
        let hull_of = |meaning: &dyn Fn(u64) -> u64| {
            case.members.iter().fold(Hull::EMPTY, |hull, x| hull.or(Hull::one(meaning(x) as u8)))
        };
        let mut tally = Tally::default();
        let mut holds = |what: &str, hull: Hull<8, 4>, result: Num<8, 4>| {
            assert!(hull.is_within(&result), "{what} of {:?}: {hull:?} is not within {result:?}", case.given);
            tally += Tally::one(hull.is_all_of(&result));
        };
        for (width, bits) in widths::<8, 4>() {
            let hull = hull_of(&|x| x.wrapping_neg() & low_mask(bits));
            holds("negation", hull, Num::neg(width, case.given));
        }
        for from in 1..=8 {
            let signed = |x: u64, to: u32| {
                let sign = x >> (from - 1) & 1;
                (x & low_mask(from) | (0xff * sign) << from) & low_mask(to)
            };
            holds("zero extension", hull_of(&|x| x & low_mask(from)), case.given.zero_extend(from));
            holds("sign extension", hull_of(&|x| signed(x, 8)), case.given.sign_extend(from));
            if from < 8 {
                holds("moves", hull_of(&|x| signed(x, 8)), Num::mov_sign_extend(Width::W64, from, case.given));
            }
            if from <= 4 {
                holds("short moves", hull_of(&|x| signed(x, 4)), Num::mov_sign_extend(Width::W32, from, case.given));
            }
        }
        tally
    };
    let single: Vec<_> = bits.iter().chain(&wide).chain(&sub).copied().collect();
    each(&single, 29, || (), |(), case| unary(case)).print("one operand");
    // Two parts at once; of the bounds beside a low half each seventh, which are of all kinds.
    let wide: Vec<_> = wide.into_iter().step_by(7).collect();
    for (what, left, right, stride) in
        [("low halves and known bits", &sub, &bits, 59), ("low halves and bounds", &sub, &wide, 59)]
    {
        let tally = each(
            left,
            stride,
            || (),
            |(), left| {
                let both = right.iter().filter_map(|right| {
                    Some(Case {
                        given: left.given.intersect(right.given)?,
                        members: left.members.and(right.members),
                        shape: sets::Shape::Listed,
                    })
                });
                both.map(|case| unary(&case)).fold(Tally::default(), |a, b| a + b)
            },
        );
        tally.print(&format!("one operand, {what}"));
    }
}

/// Shifts by constants of sets that bounds and bounds of the low half describe together: the idiom that extends a sign.
#[test]
fn shifts_of_low_halves_within_bounds() {
    // Of the bounds each 13th, which are of all kinds.
    let wide: Vec<_> = sets::intervals::<8, 4>().into_iter().step_by(13).collect();
    let sub = sets::low_halves::<8, 4>();
    for op in [AluOp::Lsh, AluOp::Rsh, AluOp::Arsh] {
        let tally = each(
            &wide,
            307,
            || (),
            |(), wide| {
                let mut tally = Tally::default();
                for sub in &sub {
                    let Some(given) = wide.given.intersect(sub.given) else { continue };
                    let members = wide.members.and(sub.members);
                    for (width, bits, by) in
                        widths::<8, 4>().into_iter().flat_map(|(w, bits)| (0..9).map(move |by| (w, bits, by)))
                    {
                        let hull = members
                            .iter()
                            .fold(Hull::<8, 4>::EMPTY, |hull, x| hull.or(Hull::one(meaning(op, bits, x, by) as u8)));
                        let result = Num::alu(op, width, given, Num::constant(by));
                        assert!(
                            hull.is_within(&result),
                            "{given:?} {op:?} {by} at {bits} bits: {hull:?} is not within {result:?}"
                        );
                        tally += Tally::one(hull.is_all_of(&result));
                    }
                }
                tally
            },
        );
        tally.print(&format!("low halves within bounds, {op:?}"));
    }
}

/// The one function that only exists at 64 bits moves bits: each must go where it goes in a number.
#[test]
fn byte_swap_moves_every_bit() {
    for bits in [16, 32, 64] {
        for from in 0..64u32 {
            let swapped = |x: u64| x.swap_bytes() >> (64 - bits);
            let bit = 1u64 << from;
            for (value, mask) in [(0, !bit), (bit, !bit), (0, bit), (!bit, bit)] {
                let given = Num::<64, 32> { bits: Tnum { value, mask }, ..Num::ANY }.sync().expect("not empty");
                let result = given.byte_swap(bits);
                let want = Tnum { value: swapped(value), mask: swapped(mask) };
                assert_eq!(result.bits, want, "bit {from} of {bits}");
                for member in [value, value | mask, value | mask & 0x5555_5555_5555_5555] {
                    assert!(result.contains(swapped(member)), "{member:#x} of {given:?}");
                }
            }
        }
    }
}
