//! Sets of numbers below 256 as they are, and the operands that are enumerated.

use super::super::{Bounds, Num};
use crate::facts::Tnum;

/// Numbers below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set([u64; 4]);

impl Set {
    pub(super) const EMPTY: Set = Set([0; 4]);

    pub(super) fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut set = Set::EMPTY;
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }

    pub(super) fn insert(&mut self, number: u64) {
        self.0[(number / 64) as usize] |= 1 << (number % 64);
    }

    /// All numbers below `limit`.
    fn below(limit: u64) -> Self {
        Set(std::array::from_fn(|word| match limit.saturating_sub(64 * word as u64) {
            bits @ 0..64 => (1 << bits) - 1,
            _ => u64::MAX,
        }))
    }

    pub(super) fn is_empty(self) -> bool {
        self == Set::EMPTY
    }

    pub(super) fn and(self, other: Set) -> Self {
        Set(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    pub(super) fn or(self, other: Set) -> Self {
        Set(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    pub(super) fn without(self, other: Set) -> Self {
        Set(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// Least and greatest of the members below 128, and of the others.
    #[inline(always)]
    pub(super) fn halves(self) -> [Option<(u8, u8)>; 2] {
        let ends = |low: u64, high: u64, first: u8| {
            let both = u128::from(high) << 64 | u128::from(low);
            (both != 0).then(|| (first + both.trailing_zeros() as u8, first + 127 - both.leading_zeros() as u8))
        };
        let [a, b, c, d] = self.0;
        [ends(a, b, 0), ends(c, d, 128)]
    }

    /// All members, the least first.
    pub(super) fn iter(self) -> impl Iterator<Item = u64> {
        (0..4u64).flat_map(move |word| {
            let mut left = self.0[word as usize];
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| u64::from(left.trailing_zeros()))?;
                left &= left - 1;
                Some(word * 64 + bit)
            })
        })
    }
}

/// How the hull of a case is put together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Known bits: the index in [`ternary`].
    Bits(usize),
    /// One or two runs of numbers.
    Runs((u64, u64), (u64, u64)),
    /// By its members.
    Listed,
}

/// One operand: the description that the functions get, and the members that it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<N> {
    pub(super) given: N,
    pub(super) members: Set,
    pub(super) shape: Shape,
}

/// All known bits of numbers of `width` bits. Bit k is digit k of the index in base 3: 0, 1, or 2 if it is unknown.
pub(super) fn ternary(width: u32) -> Vec<Tnum> {
    let digits = |mut index: usize| {
        let mut tnum = Tnum::constant(0);
        for bit in 0..width {
            match index % 3 {
                0 => {}
                1 => tnum.value |= 1 << bit,
                _ => tnum.mask |= 1 << bit,
            }
            index /= 3;
        }
        tnum
    };
    (0..3usize.pow(width)).map(digits).collect()
}

/// Runs `low` to `high` of the numbers of `width` bits, ordered by `low`, then by `high`.
fn runs(width: u32) -> impl Iterator<Item = (u64, u64)> {
    (0..1u64 << width).flat_map(move |low| (low..1 << width).map(move |high| (low, high)))
}

/// Signed bounds as the numbers of `width` bits between them: one run, or one on each side of zero.
fn signed_runs(width: u32) -> impl Iterator<Item = ((i64, i64), [(u64, u64); 2])> {
    let (half, all) = (1i64 << (width - 1), 1u64 << width);
    runs(width).map(move |(low, high)| {
        let (smin, smax) = (low as i64 - half, high as i64 - half);
        let number = |signed: i64| signed as u64 & (all - 1);
        let runs = if smin < 0 && smax >= 0 {
            [(0, number(smax)), (number(smin), all - 1)]
        } else {
            [(number(smin), number(smax)); 2]
        };
        ((smin, smax), runs)
    })
}

fn members(runs: [(u64, u64); 2]) -> Set {
    Set::of(runs.into_iter().flat_map(|(low, high)| low..=high))
}

/// All sets that known bits alone describe.
pub(super) fn known_bits<const W: u32, const H: u32>() -> Vec<Case<Num<W, H>>> {
    let case = |(index, bits): (usize, Tnum)| Case {
        given: synced(Num { bits, ..Num::ANY }),
        members: Set::of((0..1 << W).filter(|number| (number ^ bits.value) & !bits.mask == 0)),
        shape: Shape::Bits(index),
    };
    ternary(W).into_iter().enumerate().map(case).collect()
}

/// All sets that unsigned bounds alone or signed bounds alone describe, each once.
pub(super) fn intervals<const W: u32, const H: u32>() -> Vec<Case<Num<W, H>>> {
    bounds::<W>()
        .into_iter()
        .map(|case| Case {
            given: synced(Num { wide: case.given, ..Num::ANY }),
            members: case.members,
            shape: case.shape,
        })
        .collect()
}

/// All sets that unsigned or signed bounds of the low half alone describe, each once.
pub(super) fn low_halves<const W: u32, const H: u32>() -> Vec<Case<Num<W, H>>> {
    bounds::<H>()
        .into_iter()
        .map(|case| Case {
            given: synced(Num { sub: case.given, ..Num::ANY }),
            members: Set::of((0..1 << W).filter(|&number| !case.members.and(Set::of([number % (1 << H)])).is_empty())),
            shape: Shape::Listed,
        })
        .collect()
}

/// All unsigned and all signed bounds, those that mean the same once.
pub(super) fn bounds<const W: u32>() -> Vec<Case<Bounds<W>>> {
    let unsigned = runs(W).map(|run| (Bounds::unsigned(run.0, run.1), [run, run]));
    let signed = signed_runs(W)
        .filter(|(_, [first, second])| first != second && first.1 + 1 != second.0)
        .map(|((smin, smax), runs)| (Bounds::signed(smin, smax), runs));
    unsigned
        .chain(signed)
        .map(|(given, runs)| Case {
            given: given.agree().expect("not empty"),
            members: members(runs),
            shape: Shape::Runs(runs[0], runs[1]),
        })
        .collect()
}

/// The bounds of all known bits that are neither unsigned nor signed bounds: runs on both sides of the sign bit.
pub(super) fn bounds_of_bits<const W: u32>() -> Vec<Case<Bounds<W>>> {
    let sign = 1 << (W - 1);
    ternary(W)
        .into_iter()
        .filter(|bits| bits.mask & sign != 0)
        .map(|bits| {
            let (low, high) = (bits.value, bits.value | bits.mask & !sign);
            let runs = [(low, high), (low | sign, high | sign)];
            let given = Bounds::FULL.within_bits(bits).expect("not empty");
            Case { given, members: members(runs), shape: Shape::Runs(runs[0], runs[1]) }
        })
        .filter(|case| case.members != members([(case.given.umin, case.given.umax); 2]))
        .collect()
}

fn synced<const W: u32, const H: u32>(num: Num<W, H>) -> Num<W, H> {
    num.sync().expect("not empty")
}

/// Turns descriptions back into members, by definition of their parts.
pub(super) struct Members<const W: u32, const H: u32> {
    below: Vec<Set>,
    /// By `value << W | mask`.
    bits: Vec<Set>,
    /// By `low << H | high`: numbers whose low half is in between.
    sub: Vec<Set>,
}

impl<const W: u32, const H: u32> Members<W, H> {
    pub(super) fn new() -> Self {
        let mut bits = vec![Set::EMPTY; 1 << (2 * W)];
        for case in ternary(W) {
            let all = Set::of((0..1 << W).filter(|number| (number ^ case.value) & !case.mask == 0));
            bits[(case.value << W | case.mask) as usize] = all;
        }
        let mut sub = vec![Set::EMPTY; 1 << (2 * H)];
        for (low, high) in runs(H) {
            let within = |number: &u64| (low..=high).contains(&(number % (1 << H)));
            sub[(low << H | high) as usize] = Set::of((0..1 << W).filter(within));
        }
        Members { below: (0..=1 << W).map(Set::below).collect(), bits, sub }
    }

    /// Members of `num`, whose parts must be well-formed.
    pub(super) fn of(&self, num: &Num<W, H>) -> Set {
        self.bounds(&num.wide)
            .and(self.low_half(&num.sub))
            .and(self.bits[(num.bits.value << W | num.bits.mask) as usize])
    }

    pub(super) fn bounds(&self, bounds: &Bounds<W>) -> Set {
        let unsigned = self.run(bounds.umin, bounds.umax);
        let (smin, smax) = (bounds.smin as u64 & ((1 << W) - 1), bounds.smax as u64 & ((1 << W) - 1));
        // On both sides of zero what is between greatest and least is left out.
        let signed = if smin <= smax {
            self.run(smin, smax)
        } else {
            self.below[1 << W].without(self.below[smin as usize]).or(self.below[smax as usize + 1])
        };
        unsigned.and(signed)
    }

    fn low_half(&self, sub: &Bounds<H>) -> Set {
        let run = |low: u64, high: u64| self.sub[(low << H | high) as usize];
        let low = |signed: i64| signed as u64 & ((1 << H) - 1);
        let (smin, smax) = (low(sub.smin), low(sub.smax));
        let signed = if smin <= smax { run(smin, smax) } else { run(0, smax).or(run(smin, (1 << H) - 1)) };
        run(sub.umin, sub.umax).and(signed)
    }

    fn run(&self, low: u64, high: u64) -> Set {
        self.below[high as usize + 1].without(self.below[low as usize])
    }
}
