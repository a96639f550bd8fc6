//! Bounds by themselves: all pairs of unsigned and of signed intervals of 8 bits, mixed, and the bounds of known bits.

use super::super::Bounds;
use super::super::refine::refine_bounds;
use super::super::tests::holds;
use super::branches::{Sides, sides};
use super::hull::{Ends, Grow, Hulls, results};
use super::sets::{self, Case, Members, Set};
use super::{Tally, each};
use crate::ebpf::Cond;

/// The low half plays no part here.
const H: u32 = 4;

fn all() -> Vec<Case<Bounds<8>>> {
    let mut all = sets::bounds::<8>();
    // 256 * 257 / 2 unsigned ones, and the 128 * 128 signed ones with zero within, but for the one that is all numbers.
    assert_eq!(all.len(), 32_896 + 16_384 - 1);
    all.extend(sets::bounds_of_bits());
    all
}

fn check(what: &str, function: impl Fn(Bounds<8>, Bounds<8>) -> Bounds<8> + Sync, meaning: impl Fn(i64, i64) -> i64) {
    let table = results::<Ends<8>, 8>(|a, b| meaning(a as i64, b as i64).rem_euclid(256) as u64);
    let cases = all();
    let tally = each(&cases, 1_009, Hulls::<Ends<8>, 8>::new, |hulls, a| {
        hulls.fill(a.members, &table, false, true);
        let mut tally = Tally::default();
        for b in &cases {
            let (hull, result) = (hulls.of(b), function(a.given, b.given));
            assert!(
                hull.is_within(&result),
                "{what} of {:?} and {:?}: {hull:?} is not within {result:?}",
                a.given,
                b.given
            );
            tally += Tally::one(hull.bounds() == result);
        }
        tally
    });
    tally.print(&format!("bounds, {what}"));
}

#[test]
fn sums() {
    check("sum", Bounds::add, |a, b| a + b);
}

#[test]
fn differences() {
    check("difference", Bounds::sub, |a, b| a - b);
}

#[test]
fn products() {
    check("product", Bounds::mul, |a, b| a * b);
}

#[test]
fn quotients() {
    check("quotient", Bounds::div, |a, b| if b == 0 { 0 } else { a / b });
}

#[test]
fn remainders() {
    check("remainder", Bounds::rem, |a, b| if b == 0 { a } else { a % b });
}

#[test]
fn conjunctions() {
    check("and", Bounds::and, |a, b| a & b);
}

#[test]
fn disjunctions() {
    check("or", Bounds::or, |a, b| a | b);
}

#[test]
fn shifts() {
    let shift = |what: &str, function: fn(Bounds<8>, u32) -> Bounds<8>, meaning: fn(i64, u32) -> i64| {
        let tally = each(
            &all(),
            7,
            || (),
            |(), a| {
                let mut tally = Tally::default();
                for by in 0..8 {
                    let result = function(a.given, by);
                    let hull = a.members.iter().fold(Ends::<8>::EMPTY, |hull, x| {
                        hull.or(Ends::one(meaning(x as i64, by).rem_euclid(256) as u8))
                    });
                    assert!(
                        hull.is_within(&result),
                        "{what} of {:?} by {by}: {hull:?} is not within {result:?}",
                        a.given
                    );
                    tally += Tally::one(hull.bounds() == result);
                }
                tally
            },
        );
        tally.print(&format!("bounds, {what}"));
    };
    shift("left shift", Bounds::shl, |x, by| x << by);
    shift("right shift", Bounds::shr, |x, by| x >> by);
    shift("arithmetic right shift", Bounds::sar, |x, by| if x < 128 { x >> by } else { (x - 256) >> by });
}

/// What signed and unsigned bounds tell each other is exact, for all of both.
#[test]
fn agreement_of_all_signed_and_unsigned_bounds() {
    let members = Members::<8, H>::new();
    let unsigned: Vec<(u64, u64)> = (0..256).flat_map(|low| (low..256).map(move |high| (low, high))).collect();
    let tally = each(
        &unsigned,
        997,
        || (),
        |(), &(umin, umax)| {
            let mut tally = Tally::default();
            for smin in -128..128i64 {
                for smax in smin..128 {
                    let bounds = Bounds::<8> { umin, umax, smin, smax };
                    let hull = Ends::of(members.bounds(&bounds));
                    assert_eq!(bounds.agree(), (!hull.is_empty()).then(|| hull.bounds()), "{bounds:?}");
                    tally += Tally::one(true);
                }
            }
            tally
        },
    );
    tally.print("agreement");
}

/// What a comparison tells of both operands, by the functions behind all comparisons; which operand of `>` and `>=` they take
/// for which is seen in `branches.rs`.
#[test]
fn comparisons() {
    let cases = all();
    for cond in [Cond::Ne, Cond::Lt, Cond::Le, Cond::Slt, Cond::Sle] {
        let Sides { of_first, of_second } = sides(&cases, 8, |a, b| holds(cond, 8, a, b));
        // There are few sets of partners, as they depend on one end of an operand.
        let (mut partners, mut class) = (Vec::<Set>::new(), Vec::<u16>::new());
        for set in &of_first {
            let known = partners.iter().position(|known| known == set).unwrap_or(partners.len());
            if known == partners.len() {
                partners.push(*set);
            }
            class.push(known as u16);
        }
        let numbered: Vec<usize> = (0..cases.len()).collect();
        let tally = each(
            &numbered,
            1_009,
            || (Set::EMPTY, vec![Ends::EMPTY; cases.len()]),
            |(kept, of_cases), &first| {
                let (a, mut tally) = (&cases[first], Tally::default());
                let of_a: Vec<_> = partners.iter().map(|set| Ends::of(a.members.and(*set))).collect();
                if *kept != of_second[first] {
                    *kept = of_second[first];
                    *of_cases = cases.iter().map(|b| Ends::of(b.members.and(*kept))).collect();
                }
                for ((b, class), right) in cases.iter().zip(&class).zip(of_cases.iter()) {
                    let left = &of_a[usize::from(*class)];
                    let refined = refine_bounds(cond, a.given, b.given);
                    let (holds, best) = match &refined {
                        Some((a, b)) => {
                            (left.is_within(a) && right.is_within(b), left.bounds() == *a && right.bounds() == *b)
                        }
                        None => (left.is_empty() && right.is_empty(), true),
                    };
                    assert!(holds, "{cond:?} of {:?} and {:?} loses members: {refined:?}", a.given, b.given);
                    tally += Tally::one(best);
                }
                tally
            },
        );
        tally.print(&format!("bounds, {cond:?}"));
    }
}
