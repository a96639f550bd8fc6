//! What the forms of the domain say at best of a set of numbers.

use super::super::{Bounds, Num};
use super::sets::{Case, Set, Shape, ternary};
use crate::facts::Tnum;

/// A hull that grows.
pub(super) trait Grow: Copy {
    /// Of no number.
    const EMPTY: Self;
    fn one(number: u8) -> Self;
    #[must_use]
    fn or(self, other: Self) -> Self;
}

/// The tightest bounds of a set of numbers of `W` bits: least number, greatest, least signed one, greatest. Signed numbers are
/// kept with the sign bit flipped, which makes their order that of unsigned ones, and the greatest as the distance from 255,
/// so that each grows by becoming less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends<const W: u32>([u8; 4]);

impl<const W: u32> Grow for Ends<W> {
    const EMPTY: Self = Ends([u8::MAX; 4]);

    fn one(number: u8) -> Self {
        let signed = number ^ 1 << (W - 1);
        Ends([number, !number, signed, !signed])
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Ends(std::array::from_fn(|end| self.0[end].min(other.0[end])))
    }
}

impl<const W: u32> Ends<W> {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// True if the bounds hold all members.
    #[inline(always)]
    pub(super) fn is_within(&self, bounds: &Bounds<W>) -> bool {
        let [umin, umax, smin, smax] = self.0;
        let bias = 1i64 << (W - 1);
        bounds.umin <= u64::from(umin)
            && u64::from(!umax) <= bounds.umax
            && bounds.smin + bias <= i64::from(smin)
            && i64::from(!smax) <= bounds.smax + bias
    }

    /// As bounds.
    pub(super) fn bounds(&self) -> Bounds<W> {
        let [umin, umax, smin, smax] = self.0;
        let signed = |end: u8| i64::from(end) - (1 << (W - 1));
        Bounds { umin: umin.into(), umax: u64::from(!umax), smin: signed(smin), smax: signed(!smax) }
    }
}

impl Ends<8> {
    /// Of the members: the ends of those below the sign bit and of the others, put together in both orders.
    #[inline(always)]
    pub(super) fn of(set: Set) -> Self {
        let [low, high] = set.halves();
        let end = |run: Option<(u8, u8)>| run.map_or(Self::EMPTY, |(least, most)| Self::one(least).or(Self::one(most)));
        end(low).or(end(high))
    }
}

/// The tightest description of a set of numbers of `W` bits with a low half of `H`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hull<const W: u32, const H: u32> {
    wide: Ends<W>,
    sub: Ends<H>,
    /// Bits that are set in all members.
    all: u8,
    /// Bits that are set in some.
    some: u8,
}

impl<const W: u32, const H: u32> Grow for Hull<W, H> {
    const EMPTY: Self = Hull { wide: Ends::EMPTY, sub: Ends::EMPTY, all: u8::MAX, some: 0 };

    fn one(number: u8) -> Self {
        let low = number & ((1u32 << H) - 1) as u8;
        Hull { wide: Ends::one(number), sub: Ends::one(low), all: number, some: number }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Hull {
            wide: self.wide.or(other.wide),
            sub: self.sub.or(other.sub),
            all: self.all & other.all,
            some: self.some | other.some,
        }
    }
}

impl<const W: u32, const H: u32> Hull<W, H> {
    /// True if `num` holds all members.
    #[inline(always)]
    pub(super) fn is_within(&self, num: &Num<W, H>) -> bool {
        self.wide.is_within(&num.wide) && self.sub.is_within(&num.sub) && self.bits_within(num.bits)
    }

    #[inline(always)]
    pub(super) fn bits_within(&self, bits: Tnum) -> bool {
        let (all, some) = (u64::from(self.all), u64::from(self.some));
        bits.value & !all == 0 && some & !(bits.value | bits.mask) == 0 && bits.value & bits.mask == 0
    }

    /// The hull as known bits.
    pub(super) fn bits(&self) -> Tnum {
        Tnum { value: u64::from(self.all), mask: u64::from(self.some & !self.all) }
    }

    /// True if `num` could not be tighter in its form.
    pub(super) fn is_all_of(&self, num: &Num<W, H>) -> bool {
        self.wide.bounds() == num.wide && self.bits() == num.bits
    }
}

/// Hulls of the results for one first operand and second operands of all shapes.
pub(super) struct Hulls<T, const W: u32> {
    /// By the second operand, where that is one number.
    row: Vec<T>,
    bits: Vec<T>,
    /// By `low << W | high`.
    runs: Vec<T>,
    halves: Vec<Halves>,
}

/// Where the hull of known bits comes from.
enum Halves {
    One(usize),
    Two(usize, usize),
}

impl<T: Grow, const W: u32> Hulls<T, W> {
    pub(super) fn new() -> Self {
        let halves = ternary(W).into_iter().enumerate().map(|(index, bits)| match bits.mask {
            0 => Halves::One(bits.value as usize),
            mask => {
                let digit = 3usize.pow(mask.trailing_zeros());
                Halves::Two(index - 2 * digit, index - digit)
            }
        });
        Hulls {
            row: vec![T::EMPTY; 1 << W],
            bits: vec![T::EMPTY; 3usize.pow(W)],
            runs: vec![T::EMPTY; 1 << (2 * W)],
            halves: halves.collect(),
        }
    }

    /// For all first operands in `members`; `results` has those of `a op b` at `a << W | b`. Second operands may have the
    /// shape of known bits if `bits`, of runs if `runs`.
    pub(super) fn fill(&mut self, members: Set, results: &[T], bits: bool, runs: bool) {
        self.row.fill(T::EMPTY);
        for a in members.iter() {
            let from = (a as usize) << W;
            for (hull, &result) in self.row.iter_mut().zip(&results[from..from + (1 << W)]) {
                *hull = hull.or(result);
            }
        }
        if bits {
            self.fill_bits();
        }
        if runs {
            self.fill_runs();
        }
    }

    fn fill_bits(&mut self) {
        for index in 0..self.bits.len() {
            self.bits[index] = match self.halves[index] {
                Halves::One(number) => self.row[number],
                Halves::Two(zero, one) => self.bits[zero].or(self.bits[one]),
            };
        }
    }

    fn fill_runs(&mut self) {
        for low in 0..1usize << W {
            let mut hull = T::EMPTY;
            for high in low..1 << W {
                hull = hull.or(self.row[high]);
                self.runs[low << W | high] = hull;
            }
        }
    }

    /// The hull of the results for the second operand.
    #[inline(always)]
    pub(super) fn of<N>(&self, second: &Case<N>) -> T {
        let run = |(low, high): (u64, u64)| self.runs[(low << W | high) as usize];
        match second.shape {
            Shape::Bits(index) => self.bits[index],
            Shape::Runs(first, second) => run(first).or(run(second)),
            Shape::Listed => second.members.iter().fold(T::EMPTY, |hull, b| hull.or(self.row[b as usize])),
        }
    }
}

/// The meaning of an operation, for all pairs of numbers at `a << W | b`.
pub(super) fn results<T: Grow, const W: u32>(meaning: impl Fn(u64, u64) -> u64) -> Vec<T> {
    (0..1u64 << (2 * W)).map(|pair| T::one(meaning(pair >> W, pair & ((1 << W) - 1)) as u8)).collect()
}
