//! What the parts of a description tell each other, and unions, intersections and widening of descriptions.

use super::super::{Bounds, Num};
use super::sets::{self, Case, Members, Set};
use super::{Tally, each};
use crate::facts::Tnum;

/// Synchronises a description with those members: no member may go, none may come.
fn check<const W: u32, const H: u32>(members: &Members<W, H>, given: Num<W, H>, want: Set) -> Tally {
    match given.sync() {
        Some(synced) => {
            assert_eq!(members.of(&synced), want, "{given:?} has other members as {synced:?}");
            assert!(given.includes(synced), "{given:?} is loosened to {synced:?}");
            Tally::one(!want.is_empty())
        }
        None => {
            assert!(want.is_empty(), "{given:?} is not empty");
            Tally::one(true)
        }
    }
}

/// The next member of known bits, in both directions, from every number; and the same in the highest byte of 64 bits.
#[test]
fn next_members_of_known_bits() {
    for bits in sets::ternary(8) {
        let high = Tnum { value: bits.value << 56, mask: bits.mask << 56 };
        let all: Vec<u64> = (0..256).filter(|number| (number ^ bits.value) & !bits.mask == 0).collect();
        for number in 0..256 {
            let least = all.iter().copied().find(|&member| member >= number);
            let greatest = all.iter().copied().rev().find(|&member| member <= number);
            assert_eq!(
                (bits.least_from(number), bits.greatest_to(number)),
                (least, greatest),
                "{bits:?} from {number}"
            );
            let from = (number << 56).saturating_sub(1);
            let least = all.iter().copied().find(|&member| member << 56 >= from);
            assert_eq!(high.least_from(from), least.map(|member| member << 56), "{high:?} from {from:#x}");
        }
    }
}

/// Every pair of two of the three parts at 8 bits.
#[test]
fn sync_of_all_pairs_of_parts() {
    let members = Members::<8, 4>::new();
    let (bits, wide, sub) = (sets::ternary(8), sets::bounds::<8>(), sets::bounds::<4>());
    let tally = each(
        &wide,
        1_009,
        || (),
        |(), wide| {
            let num = Num::<8, 4> { wide: wide.given, ..Num::ANY };
            let with_bits = bits.iter().map(|&bits| Num { bits, ..num });
            let with_sub = sub.iter().map(|sub| Num { sub: sub.given, ..num });
            with_bits
                .chain(with_sub)
                .map(|num| check(&members, num, members.of(&num)))
                .fold(Tally::default(), |a, b| a + b)
        },
    );
    tally.print("two parts, bounds and another");
    let tally = each(
        &bits,
        101,
        || (),
        |(), &bits| {
            let nums = sub.iter().map(|sub| Num::<8, 4> { sub: sub.given, bits, ..Num::ANY });
            nums.map(|num| check(&members, num, members.of(&num))).fold(Tally::default(), |a, b| a + b)
        },
    );
    tally.print("two parts, known bits and low half");
}

/// All bounds of `W` bits that a description can have: unsigned and signed ones that agree.
fn agreed<const W: u32>() -> Vec<Bounds<W>> {
    let half = 1i64 << (W - 1);
    let pairs = |from: i64, to: i64| (from..to).flat_map(move |low| (low..to).map(move |high| (low, high)));
    let all = pairs(0, 2 * half).flat_map(|(umin, umax)| {
        pairs(-half, half).map(move |(smin, smax)| Bounds { umin: umin as u64, umax: umax as u64, smin, smax })
    });
    all.filter(|bounds| bounds.agree() == Some(*bounds)).collect()
}

/// Every description there is at 4 bits with a low half of 2: all bounds, all bounds of the low half, all known bits.
#[test]
fn sync_of_every_description_of_4_bits() {
    let members = Members::<4, 2>::new();
    let (wide, sub, bits) = (agreed::<4>(), agreed::<2>(), sets::ternary(4));
    // Runs below and above the sign bit: 36 of each, and one of each together; but joining both ends is one of them twice.
    assert!(wide.len() >= 1_296, "{}", wide.len());
    let tally = each(
        &wide,
        17,
        || (),
        |(), &wide| {
            let nums = sub.iter().flat_map(|&sub| bits.iter().map(move |&bits| Num::<4, 2> { wide, sub, bits }));
            nums.map(|num| check(&members, num, members.of(&num))).fold(Tally::default(), |a, b| a + b)
        },
    );
    tally.print("three parts of 4 bits");
}

/// All three parts at 6 bits with a low half of 3.
#[test]
fn sync_of_all_simple_parts_of_6_bits() {
    let members = Members::<6, 3>::new();
    let (wide, sub, bits) = (sets::bounds::<6>(), sets::bounds::<3>(), sets::ternary(6));
    let tally = each(
        &wide,
        211,
        || (),
        |(), wide| {
            let mut tally = Tally::default();
            for sub in &sub {
                for &bits in &bits {
                    let num = Num::<6, 3> { wide: wide.given, sub: sub.given, bits };
                    tally += check(&members, num, members.of(&num));
                }
            }
            tally
        },
    );
    tally.print("three parts of 6 bits");
}

fn check_pairs<const W: u32, const H: u32>(what: &str, cases: &[Case<Num<W, H>>], stride: usize) {
    let members = Members::<W, H>::new();
    let tally = each(
        cases,
        stride,
        || (),
        |(), a| {
            let mut tally = Tally::default();
            for b in cases {
                let (either, both) = (a.members.or(b.members), a.members.and(b.members));
                let join = a.given.join(b.given);
                for (form, num) in [("join", join), ("widening", a.given.widen(join))] {
                    assert!(
                        either.without(members.of(&num)).is_empty(),
                        "the {form} of {:?} and {:?} loses members: {num:?}",
                        a.given,
                        b.given
                    );
                }
                let met = a.given.intersect(b.given);
                let got = met.as_ref().map_or(Set::EMPTY, |met| members.of(met));
                assert_eq!(got, both, "{:?} and {:?} intersect as {met:?}", a.given, b.given);
                if a.given.includes(b.given) {
                    assert!(b.members.without(a.members).is_empty(), "{:?} does not include {:?}", a.given, b.given);
                }
                tally += Tally::one(met.is_none() == both.is_empty());
            }
            tally
        },
    );
    tally.print(what);
}

#[test]
fn unions_and_intersections_of_known_bits() {
    check_pairs("forms, known bits", &sets::known_bits::<8, 4>(), 83);
}

#[test]
fn unions_and_intersections_of_simple_sets_of_6_bits() {
    let mut cases = sets::known_bits::<6, 3>();
    cases.extend(sets::intervals());
    cases.extend(sets::low_halves());
    check_pairs("forms, simple sets of 6 bits", &cases, 61);
}
