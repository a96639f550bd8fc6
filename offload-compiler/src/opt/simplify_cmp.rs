//! Rules for comparisons.

use super::super::rewrite::low_bits;
use super::Simplify;
use super::alu::sign_extend;
use crate::ir::Value;
use offwire_isa::{AluOp, CmpOp};

/// What is known of a comparison.
pub(super) enum Verdict {
    Always,
    Never,
    If(CmpOp, bool, Value, Value),
}

impl From<bool> for Verdict {
    fn from(verdict: bool) -> Self {
        if verdict { Verdict::Always } else { Verdict::Never }
    }
}

impl Simplify {
    /// Simplifies `op(a, b)`.
    pub(super) fn compare(&mut self, mut op: CmpOp, wide: bool, mut a: Value, mut b: Value) -> Verdict {
        // Each step makes the operands older or the constant's side fixed; the bound is for safety.
        for _ in 0..32 {
            if let (Some(x), Some(y)) = (self.constant(a), self.constant(b)) {
                return op.eval(wide, x, y).into();
            }
            if !wide {
                (a, b) = (self.low(a, 32), self.low(b, 32));
            }
            let symmetric = matches!(op, CmpOp::Eq | CmpOp::Ne | CmpOp::Tst | CmpOp::Ntst);
            if symmetric && (self.constant(a).is_some() || (self.constant(b).is_none() && a > b)) {
                (a, b) = (b, a);
            }
            match self.step(op, wide, a, b) {
                Step::Done => break,
                Step::Known(verdict) => return verdict.into(),
                Step::Go(new_op, new_a, new_b) => (op, a, b) = (new_op, new_a, new_b),
            }
        }
        Verdict::If(op, wide, a, b)
    }

    fn step(&mut self, op: CmpOp, wide: bool, a: Value, b: Value) -> Step {
        if op == CmpOp::Never {
            return Step::Known(false);
        }
        if a == b {
            match op {
                CmpOp::Eq | CmpOp::Geu | CmpOp::Ges => return Step::Known(true),
                CmpOp::Ne | CmpOp::Ltu | CmpOp::Lts | CmpOp::Never => return Step::Known(false),
                CmpOp::Tst | CmpOp::Ntst => {}
            }
        }
        let width = if wide { 64 } else { 32 };
        let all = low_bits(width);
        let (maybe_a, maybe_b) = (self.maybe(a) & all, self.maybe(b) & all);
        // `maybe` is also the largest number that a value can be.
        if let Some(x) = self.constant(a).map(|x| x & all) {
            match op {
                CmpOp::Ltu if x >= maybe_b => return Step::Known(false),
                CmpOp::Geu if x >= maybe_b => return Step::Known(true),
                _ => {}
            }
        }
        let Some(constant) = self.constant(b) else { return Step::Done };
        let c = constant & all;
        let verdict = match op {
            CmpOp::Eq if c & !maybe_a != 0 => Some(false),
            CmpOp::Ne if c & !maybe_a != 0 => Some(true),
            CmpOp::Ltu if c > maybe_a => Some(true),
            CmpOp::Geu if c > maybe_a => Some(false),
            CmpOp::Ltu if c == 0 => Some(false),
            CmpOp::Geu if c == 0 => Some(true),
            CmpOp::Tst if c & maybe_a == 0 => Some(false),
            CmpOp::Ntst if c & maybe_a == 0 => Some(true),
            _ => None,
        };
        if let Some(verdict) = verdict {
            return Step::Known(verdict);
        }
        // Equality is what two-way compares and null tests like best.
        let zero_test = match (op, c) {
            (CmpOp::Ltu, 1) => Some(CmpOp::Eq),
            (CmpOp::Geu, 1) => Some(CmpOp::Ne),
            (CmpOp::Tst, c) if maybe_a & !c == 0 => Some(CmpOp::Ne),
            (CmpOp::Ntst, c) if maybe_a & !c == 0 => Some(CmpOp::Eq),
            _ => None,
        };
        if let Some(op) = zero_test {
            let zero = self.constant_value(0);
            return Step::Go(op, a, zero);
        }
        if let Some(step) = self.through(op, wide, a, c) {
            return step;
        }
        match self.short_constant(matches!(op, CmpOp::Tst | CmpOp::Ntst), wide, constant, maybe_a) {
            Some(short) => {
                let b = self.constant_value(short);
                Step::Go(op, a, b)
            }
            None => Step::Done,
        }
    }

    /// Comparisons of an operation's result with a constant.
    fn through(&mut self, op: CmpOp, wide: bool, a: Value, c: u64) -> Option<Step> {
        let width = if wide { 64 } else { 32 };
        let all = low_bits(width);
        let (alu, w, x, y) = self.alu_of(a)?;
        let equality = matches!(op, CmpOp::Eq | CmpOp::Ne);
        let maybe_x = self.maybe(x);
        let d = self.constant(y).map(|d| d & all);
        let go = |pass: &mut Self, op: CmpOp, c: u64| {
            let b = pass.constant_value(sign_extend(c & all, width));
            Some(Step::Go(op, x, b))
        };
        // The operation must see the same bits as the comparison.
        let same_width = w == wide;
        match (alu, d) {
            (AluOp::And, d) if (w || !wide || self.maybe(x) & self.maybe(y) <= low_bits(32)) && c == 0 && equality => {
                let op = if op == CmpOp::Eq { CmpOp::Ntst } else { CmpOp::Tst };
                // A narrow mask cuts high bits, which a wide test would see.
                match d {
                    Some(d) if !w => go(self, op, d & low_bits(32)),
                    _ if w || !wide => Some(Step::Go(op, x, y)),
                    _ => None,
                }
            }
            (AluOp::And, Some(d)) if same_width && matches!(op, CmpOp::Tst | CmpOp::Ntst) => go(self, op, c & d),
            (AluOp::Add, Some(d)) if same_width && equality => go(self, op, c.wrapping_sub(d)),
            (AluOp::Xor, Some(d)) if same_width && equality => go(self, op, c ^ d),
            (AluOp::Xor | AluOp::Sub, None) if same_width && equality && c == 0 => Some(Step::Go(op, x, y)),
            (AluOp::Bswap16, _) if equality && maybe_x <= 0xffff && c <= 0xffff => {
                go(self, op, u64::from((c as u16).swap_bytes()))
            }
            (AluOp::Bswap32, _) if equality && (!wide || maybe_x <= low_bits(32)) && c <= low_bits(32) => {
                go(self, op, u64::from((c as u32).swap_bytes()))
            }
            (AluOp::Bswap64, _) if equality && w && wide => go(self, op, c.swap_bytes()),
            // (x >> d) == c: the bits above.
            (AluOp::Lsh, Some(d)) if same_width && equality => {
                let by = d as u32 & (width - 1);
                // Nothing may be lost at the top.
                if maybe_x & all & !low_bits(width - by) != 0 {
                    None
                } else if c & low_bits(by) != 0 {
                    Some(Step::Known(op == CmpOp::Ne))
                } else {
                    go(self, op, c >> by)
                }
            }
            (AluOp::Rsh, Some(d)) if same_width && c == 0 && equality => {
                // The bits that are not shifted out are all zero.
                let by = d as u32 & (width - 1);
                let mask = all & !low_bits(by);
                let op = if op == CmpOp::Eq { CmpOp::Ntst } else { CmpOp::Tst };
                go(self, op, mask)
            }
            _ => None,
        }
    }
}

enum Step {
    Done,
    Known(bool),
    Go(CmpOp, Value, Value),
}
