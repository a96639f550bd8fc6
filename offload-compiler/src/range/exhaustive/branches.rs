//! What branches tell of their operands: every member that can go there stays.

use super::super::Num;
use super::super::tests::{CONDS, holds};
use super::sets::{self, Case, Members, Set};
use super::{Tally, each};
use crate::ebpf::{Cond, Width};

/// For each operand of a list: the numbers that, as the other operand, have a member to go there with.
pub(super) struct Sides {
    /// By the second operand.
    pub(super) of_first: Vec<Set>,
    /// By the first operand.
    pub(super) of_second: Vec<Set>,
}

/// For all `cases` of numbers of `width` bits.
pub(super) fn sides<N>(cases: &[Case<N>], width: u32, goes: impl Fn(u64, u64) -> bool) -> Sides {
    let all = || 0..1u64 << width;
    let by_second: Vec<Set> = all().map(|b| Set::of(all().filter(|&a| goes(a, b)))).collect();
    let by_first: Vec<Set> = all().map(|a| Set::of(all().filter(|&b| goes(a, b)))).collect();
    let union = |case: &Case<N>, of: &[Set]| case.members.iter().fold(Set::EMPTY, |set, x| set.or(of[x as usize]));
    Sides {
        of_first: cases.iter().map(|case| union(case, &by_second)).collect(),
        of_second: cases.iter().map(|case| union(case, &by_first)).collect(),
    }
}

/// All comparisons at both widths. The side that is not taken is the opposite's other side (all of them at 4 bits in
/// `range/tests.rs`); only `Set` has none.
fn check<const W: u32, const H: u32>(what: &str, cases: &[Case<Num<W, H>>], firsts: &[usize], stride: usize) {
    let members = Members::<W, H>::new();
    for cond in CONDS {
        for (width, bits, taken) in
            [(Width::W64, W), (Width::W32, H)].into_iter().flat_map(|(w, bits)| [(w, bits, true), (w, bits, false)])
        {
            if !taken && cond != Cond::Set {
                continue;
            }
            let Sides { of_first, of_second } = sides(cases, W, |a, b| holds(cond, bits, a, b) == taken);
            let tally = each(
                firsts,
                stride,
                || (),
                |(), &first| {
                    let (a, mut tally) = (&cases[first], Tally::default());
                    for (second, b) in cases.iter().enumerate() {
                        let (xs, ys) = (a.members.and(of_first[second]), b.members.and(of_second[first]));
                        let refined = Num::refine(cond, width, taken, a.given, b.given);
                        let (left, right) = match &refined {
                            Some((a, b)) => (members.of(a), members.of(b)),
                            None => (Set::EMPTY, Set::EMPTY),
                        };
                        assert!(
                            xs.without(left).is_empty() && ys.without(right).is_empty(),
                            "{cond:?} at {bits} bits ({taken}) of {:?} and {:?} loses members: {refined:?}",
                            a.given,
                            b.given
                        );
                        assert!(
                            left.without(a.members).is_empty() && right.without(b.members).is_empty(),
                            "{cond:?} at {bits} bits ({taken}) loosens {:?} or {:?}: {refined:?}",
                            a.given,
                            b.given
                        );
                        tally += Tally::one(left == xs && right == ys);
                    }
                    tally
                },
            );
            tally.print(&format!("{what}, {cond:?} at {bits} bits {taken}"));
        }
    }
}

#[test]
fn branches_on_all_pairs_of_known_bits() {
    let cases = sets::known_bits::<8, 4>();
    check("known bits", &cases, &Vec::from_iter(0..cases.len()), 499);
}

/// Known bits, bounds, and bounds of the low half, each with each.
#[test]
fn branches_on_all_pairs_of_simple_sets_of_6_bits() {
    let mut cases = sets::known_bits::<6, 3>();
    cases.extend(sets::intervals());
    cases.extend(sets::low_halves());
    check("simple sets of 6 bits", &cases, &Vec::from_iter(0..cases.len()), 397);
}

/// The same at 8 bits, a share of the first operands also in the full run; bounds run whole in `bounds.rs`.
#[test]
fn branches_on_simple_sets_of_8_bits() {
    let mut cases = sets::low_halves::<8, 4>();
    cases.extend(sets::known_bits());
    cases.extend(sets::intervals());
    let firsts: Vec<usize> = (0..cases.len()).step_by(4_001).collect();
    check("simple sets", &cases, &firsts, 7);
}
