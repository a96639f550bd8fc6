//! Every transfer function against enumeration; no result may fall outside. All pairs of 8-bit operands are in `exhaustive`;
//! here are sets that several parts describe together, and samples at full width.
//!
//! - At a width of 4 bits with a low half of 2: all pairs of sets that known bits, unsigned or signed bounds alone describe, with
//!   all their members.
//! - At 8 bits with a low half of 4: all pairs of constants; for functions of one operand all such sets; for those of two, all
//!   members of random sets that all three describe together.
//! - At 6 bits with a low half of 3, widths that are no powers of 2: the same with many more random sets.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a panic is a failed test"
)]
use super::alu::concrete;
use super::{Bounds, Num, low_mask, sign_extend};
use crate::ebpf::{AluOp, Cond, Width};
use crate::facts::Tnum;

const W: u32 = 6;
const H: u32 = 3;
type Small = Num<W, H>;

pub(super) const ALU: [AluOp; 14] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Or,
    AluOp::And,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Xor,
    AluOp::Mov,
    AluOp::Arsh,
];
pub(super) const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

/// xorshift64*; seeded, so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }
}

fn members<const W: u32, const H: u32>(set: Num<W, H>) -> Vec<u64> {
    (0..1 << W).filter(|&number| set.contains(number)).collect()
}

fn random_bounds<const B: u32>(random: &mut Random) -> Bounds<B> {
    let mut pair = || (random.below(1 << B), random.below(1 << B));
    let ((a, b), (c, d)) = (pair(), pair());
    let (c, d) = (sign_extend(c, B), sign_extend(d, B));
    Bounds { umin: a.min(b), umax: a.max(b), smin: c.min(d), smax: c.max(d) }
}

fn random_set<const W: u32, const H: u32>(random: &mut Random) -> Num<W, H> {
    loop {
        let mut set = Num::<W, H>::ANY;
        match random.below(5) {
            0 => return Num::constant(random.next()),
            1 => {
                // The hull of a few numbers, as joins make it.
                set = Num::constant(random.next());
                for _ in 0..random.below(3) {
                    set = set.join(Num::constant(random.next()));
                }
                return set;
            }
            _ => {
                if random.below(2) == 0 {
                    set.wide = random_bounds(random);
                }
                if random.below(2) == 0 {
                    set.sub = random_bounds(random);
                }
                if random.below(2) == 0 {
                    let mask = random.below(1 << W);
                    set.bits = Tnum { value: random.below(1 << W) & !mask, mask };
                }
            }
        }
        if let Some(set) = set.sync() {
            return set;
        }
    }
}

#[test]
fn sync_loses_no_member_and_finds_contradictions() {
    let mut random = Random(1);
    let (mut empty, mut inhabited, mut tight) = (0, 0, 0);
    for _ in 0..40_000 {
        let set = Small {
            wide: random_bounds(&mut random),
            sub: random_bounds(&mut random),
            bits: {
                let mask = random.below(1 << W);
                Tnum { value: random.below(1 << W) & !mask, mask }
            },
        };
        let want = members(set);
        match set.sync() {
            None => {
                assert!(want.is_empty(), "{set:?} is not empty: {want:?}");
                empty += 1;
            }
            Some(synced) => {
                assert!(want.iter().all(|&number| synced.contains(number)), "{set:?} lost members as {synced:?}");
                inhabited += 1;
                tight += usize::from(synced.wide.umin == want.first().copied().unwrap_or(64));
            }
        }
    }
    assert!(empty > 1_000, "hardly any contradiction was found: {empty}");
    assert!(tight * 2 > inhabited, "only {tight} of {inhabited} least bounds are tight");
}

#[test]
fn agree_is_exact() {
    for umin in 0..16u64 {
        for umax in umin..16 {
            for smin in -8..8i64 {
                for smax in smin..8 {
                    let bounds = Bounds::<4> { umin, umax, smin, smax };
                    let all: Vec<u64> = (0..16).filter(|&number| bounds.contains(number)).collect();
                    let signed = || all.iter().map(|&number| sign_extend(number, 4));
                    let want = all.first().map(|&first| Bounds::<4> {
                        umin: first,
                        umax: all.last().copied().unwrap_or(first),
                        smin: signed().min().unwrap_or(0),
                        smax: signed().max().unwrap_or(0),
                    });
                    assert_eq!(bounds.agree(), want, "{bounds:?}");
                }
            }
        }
    }
}

#[test]
fn alu_covers_every_result() {
    let mut random = Random(2);
    for round in 0..6_000 {
        let (a, b): (Small, Small) = (random_set(&mut random), random_set(&mut random));
        let (xs, ys) = (members(a), members(b));
        for op in ALU {
            for (width, bits) in [(Width::W64, W), (Width::W32, H)] {
                let result = Small::alu(op, width, a, b);
                for &x in &xs {
                    for &y in &ys {
                        let value = concrete(op, bits, x, y);
                        assert!(
                            result.contains(value),
                            "round {round}: {x} {op:?} {y} = {value} at {bits} bits is not in {result:?} of {a:?} and {b:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn extensions_cover_every_result() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let a: Small = random_set(&mut random);
        for bits in 1..=W {
            let (zero, sign) = (a.zero_extend(bits), a.sign_extend(bits));
            let narrow = Small::mov_sign_extend(Width::W32, bits.min(H), a);
            for x in members(a) {
                let signed = sign_extend(x, bits).cast_unsigned();
                assert!(zero.contains(x & low_mask(bits)), "{x} zero-extended from {bits} of {a:?} is not in {zero:?}");
                assert!(sign.contains(signed), "{x} sign-extended from {bits} of {a:?} is not in {sign:?}");
                let signed = sign_extend(x, bits.min(H)).cast_unsigned() & low_mask(H);
                assert!(narrow.contains(signed), "{x} at half width from {bits} of {a:?} is not in {narrow:?}");
            }
        }
    }
}

pub(super) fn holds(cond: Cond, bits: u32, a: u64, b: u64) -> bool {
    let (a, b) = (a & low_mask(bits), b & low_mask(bits));
    let (sa, sb) = (sign_extend(a, bits), sign_extend(b, bits));
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Set => a & b != 0,
        Cond::Sgt => sa > sb,
        Cond::Sge => sa >= sb,
        Cond::Slt => sa < sb,
        Cond::Sle => sa <= sb,
    }
}

#[test]
fn branches_keep_every_pair_that_goes_there() {
    let mut random = Random(4);
    let (mut dead, mut really_dead) = (0u32, 0u32);
    for _ in 0..6_000 {
        let (a, b): (Small, Small) = (random_set(&mut random), random_set(&mut random));
        let (xs, ys) = (members(a), members(b));
        for cond in CONDS {
            for (width, bits) in [(Width::W64, W), (Width::W32, H)] {
                for taken in [true, false] {
                    let refined = Small::refine(cond, width, taken, a, b);
                    let mut any = false;
                    for &x in &xs {
                        for &y in &ys {
                            if holds(cond, bits, x, y) == taken {
                                any = true;
                                assert!(
                                    refined.is_some_and(|(a, b)| a.contains(x) && b.contains(y)),
                                    "{x} {cond:?} {y} at {bits} bits, {taken}: not in {refined:?} of {a:?} and {b:?}"
                                );
                            }
                        }
                    }
                    if let Some((na, nb)) = refined {
                        assert!(
                            a.wide.includes(na.wide) && b.wide.includes(nb.wide),
                            "a branch loosened {a:?} or {b:?}"
                        );
                    }
                    really_dead += u32::from(!any);
                    dead += u32::from(refined.is_none());
                }
            }
        }
    }
    // Not all dead sides can be seen (sets have holes that bounds do not show), but most.
    assert!(dead > really_dead / 2, "only {dead} of {really_dead} dead sides are seen");
}

#[test]
fn joins_and_widening_cover_both() {
    let mut random = Random(5);
    for _ in 0..20_000 {
        let (a, b): (Small, Small) = (random_set(&mut random), random_set(&mut random));
        let (join, wide) = (a.join(b), a.widen(a.join(b)));
        for x in members(a).into_iter().chain(members(b)) {
            assert!(join.contains(x) && wide.contains(x), "{x} is lost in {join:?} or {wide:?}");
        }
        assert_eq!(a.includes(join), a.includes(b), "includes() must agree with join(): {a:?} {b:?}");
        if let Some(both) = a.intersect(b) {
            assert!(members(a).iter().all(|&x| !b.contains(x) || both.contains(x)));
        }
    }
}

/// The sets that known bits, unsigned or signed bounds alone describe.
fn simple_sets<const W: u32, const H: u32>() -> Vec<Num<W, H>> {
    let any = Num::<W, H>::ANY;
    let all = 1u64 << W;
    let mut sets = Vec::new();
    for mask in 0..all {
        let values = (0..all).filter(|value| value & mask == 0);
        sets.extend(values.filter_map(|value| Num { bits: Tnum { value, mask }, ..any }.sync()));
    }
    for low in 0..all {
        for high in low..all {
            let unsigned = Bounds { umin: low, umax: high, ..any.wide };
            sets.extend(Num { wide: unsigned, ..any }.sync());
            let half = i64::from(1u32 << (W - 1));
            let signed = Bounds { smin: low as i64 - half, smax: high as i64 - half, ..any.wide };
            sets.extend(Num { wide: signed, ..any }.sync());
        }
    }
    sets
}

/// All members of both sets go through all operations and comparisons of two operands.
fn every_pair<const W: u32, const H: u32>(a: Num<W, H>, b: Num<W, H>) {
    let (xs, ys) = (members(a), members(b));
    for (width, bits) in [(Width::W64, W), (Width::W32, H)] {
        for op in ALU {
            let result = Num::alu(op, width, a, b);
            for &x in &xs {
                for &y in &ys {
                    let value = concrete(op, bits, x, y);
                    assert!(
                        result.contains(value),
                        "{x} {op:?} {y} at {bits} bits is not in {result:?} of {a:?} and {b:?}"
                    );
                }
            }
        }
        for cond in CONDS {
            let sides = [true, false].map(|taken| Num::refine(cond, width, taken, a, b));
            for &x in &xs {
                for &y in &ys {
                    let side = sides[usize::from(!holds(cond, bits, x, y))];
                    assert!(
                        side.is_some_and(|(a, b)| a.contains(x) && b.contains(y)),
                        "{x} {cond:?} {y} at {bits} bits is not in {side:?} of {a:?} and {b:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn all_pairs_of_simple_sets_of_4_bits() {
    let mut sets: Vec<Num<4, 2>> = Vec::new();
    for set in simple_sets() {
        // Several descriptions may mean the same.
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    assert!(sets.len() > 100, "{}", sets.len());
    for &a in &sets {
        sets.iter().for_each(|&b| every_pair(a, b));
    }
}

#[test]
fn all_pairs_of_constants_of_8_bits() {
    for x in 0..256 {
        for y in 0..256 {
            every_pair(Num::<8, 4>::constant(x), Num::constant(y));
        }
    }
}

#[test]
fn random_pairs_of_sets_of_8_bits() {
    let mut random = Random(7);
    for _ in 0..200 {
        every_pair::<8, 4>(random_set(&mut random), random_set(&mut random));
    }
}

#[test]
fn all_simple_sets_of_8_bits_with_one_operand() {
    let sets = simple_sets::<8, 4>();
    assert!(sets.len() > 70_000, "{}", sets.len());
    for a in sets {
        let all = members(a);
        for bits in [1, 3, 4, 7, 8] {
            let (zero, sign) = (a.zero_extend(bits), a.sign_extend(bits));
            for &x in &all {
                assert!(zero.contains(x & low_mask(bits)), "{x} of {a:?} to {bits} bits is not in {zero:?}");
                let signed = sign_extend(x, bits).cast_unsigned();
                assert!(sign.contains(signed), "{x} of {a:?} from {bits} bits is not in {sign:?}");
            }
        }
        for (width, bits) in [(Width::W64, 8), (Width::W32, 4)] {
            let negated = Num::neg(width, a);
            for &x in &all {
                let value = x.wrapping_neg() & low_mask(bits);
                assert!(negated.contains(value), "-{x} of {a:?} at {bits} bits is not in {negated:?}");
            }
        }
    }
}

#[test]
fn widening_ends() {
    let mut state = Num::<64, 32>::constant(0);
    let mut steps = 0;
    for turn in 1u64.. {
        let next = state.join(Num::constant(turn.wrapping_mul(3)));
        if next == state {
            break;
        }
        state = state.widen(next);
        steps += 1;
        assert!(steps < 100, "still growing at {state:?}");
    }
}

/// The same at the real widths, where only samples are possible; near the corners, where carries and signs change.
#[test]
fn alu_covers_samples_at_full_width() {
    let mut random = Random(6);
    let corner = |random: &mut Random| {
        let base = [
            0,
            1,
            0x7f,
            0xff,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 32,
            i64::MAX.cast_unsigned(),
            1 << 63,
            u64::MAX,
        ][random.below(12) as usize];
        base.wrapping_add(random.below(5)).wrapping_sub(2)
    };
    for _ in 0..200_000 {
        let (x, y) = (corner(&mut random), corner(&mut random));
        let around = |random: &mut Random, x: u64| {
            let mut set = Num::<64, 32>::constant(x);
            if random.below(3) > 0 {
                set = set.join(Num::constant(corner(random)));
            }
            if random.below(3) == 0 {
                set = set.sync().unwrap_or(set);
            }
            set
        };
        let (a, b) = (around(&mut random, x), around(&mut random, y));
        for op in ALU {
            for (width, bits) in [(Width::W64, 64), (Width::W32, 32)] {
                let (result, value) = (Num::<64, 32>::alu(op, width, a, b), concrete(op, bits, x, y));
                assert!(
                    result.contains(value),
                    "{x:#x} {op:?} {y:#x} at {bits} bits = {value:#x} is not in {result:?} of {a:?}, {b:?}"
                );
            }
        }
        for cond in CONDS {
            for (width, bits) in [(Width::W64, 64), (Width::W32, 32)] {
                let taken = holds(cond, bits, x, y);
                let refined = Num::<64, 32>::refine(cond, width, taken, a, b);
                assert!(
                    refined.is_some_and(|(a, b)| a.contains(x) && b.contains(y)),
                    "{x:#x} {cond:?} {y:#x} at {bits} bits: not in {refined:?} of {a:?}, {b:?}"
                );
            }
        }
        for bits in [16, 32, 64] {
            let swapped = a.byte_swap(bits);
            let value = x.swap_bytes() >> (64 - bits);
            assert!(swapped.contains(value), "bswap{bits} {x:#x} = {value:#x} is not in {swapped:?} of {a:?}");
        }
    }
}

#[test]
fn common_idioms_are_precise() {
    let any = Num::<64, 32>::ANY;
    let imm = |value: i64| Num::<64, 32>::signed_constant(value);
    let op = |op, a, b| Num::alu(op, Width::W64, a, b);
    // ihl = (byte & 15) << 2
    let ihl = op(AluOp::Lsh, op(AluOp::And, Num::loaded(8, false), imm(15)), imm(2));
    assert_eq!((ihl.wide.umin, ihl.wide.umax, ihl.bits.mask), (0, 60, 60));
    // Sign extension by shifts keeps a 32-bit range.
    let small = Num::refine(Cond::Slt, Width::W32, true, any, imm(10)).expect("possible").0;
    let small = Num::refine(Cond::Sgt, Width::W32, true, small, imm(-5)).expect("possible").0;
    let extended = op(AluOp::Arsh, op(AluOp::Lsh, small, imm(32)), imm(32));
    assert_eq!((extended.wide.smin, extended.wide.smax), (-4, 9));
    // A 32-bit check bounds the zero-extended register.
    let low = any.zero_extend(32);
    let low = Num::refine(Cond::Gt, Width::W32, false, low, imm(7)).expect("possible").0;
    assert_eq!(low.wide.umax, 7);
    // r & 0xff00 == 0x800 leaves one value of those bits.
    let masked = op(AluOp::And, any, imm(0xff00));
    assert_eq!(
        Num::refine(Cond::Eq, Width::W64, true, masked, imm(0x800)).expect("possible").0.as_const(),
        Some(0x800)
    );
    assert_eq!(Num::refine(Cond::Eq, Width::W64, true, masked, imm(0x801)), None);
    // Remainder and quotient by constants.
    assert_eq!(op(AluOp::Mod, any, imm(48)).wide.umax, 47);
    assert_eq!(op(AluOp::Div, Num::loaded(16, false), imm(16)).wide.umax, 4095);
    // x != 0 from 0..=1 is 1.
    assert_eq!(
        Num::refine(Cond::Ne, Width::W64, true, Num::between(0, 1), imm(0)).expect("possible").0.as_const(),
        Some(1)
    );
}
