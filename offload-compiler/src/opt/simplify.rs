//! Folds constants and copies, and rewrites operations into cheaper ones.

#[path = "simplify_alu.rs"]
mod alu;
#[path = "simplify_cmp.rs"]
mod cmp;

use super::MapTable;
use super::known;
use super::requests::{self, Division};
use super::rewrite::{Subst, low_bits};
use crate::ebpf::InsnIdx;
use crate::ir::{Cfg, Func, Inst, Jump, Mem, Op, Request, Term, Value, clear_unreachable};
use offwire_isa::{AluOp, CmpOp, Handle, Space};

/// Most steps for one operation.
const STEPS: usize = 64;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let maybe = known::maybe_ones(func, &cfg);
    let mut ops = vec![None; func.values as usize];
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        if let (Some(result), Op::Const(_)) = (inst.result, &inst.op) {
            ops[result.at()] = Some(inst.op.clone());
        }
    }
    let mut pass = Simplify { ops, maybe, subst: Subst::new(func), out: Vec::new(), insn: InsnIdx(0) };
    for &block in &cfg.order {
        let data = &mut func.blocks[block.at()];
        for inst in std::mem::take(&mut data.insts) {
            pass.inst(inst);
        }
        pass.insn = data.term_insn;
        let mut term = std::mem::replace(&mut data.term, Term::Unreachable);
        term.for_each_use_mut(|value| *value = pass.subst.get(*value));
        data.term = pass.term(term);
        data.insts = std::mem::take(&mut pass.out);
    }
    func.values = pass.ops.len() as u32;
    pass.subst.apply(func);
    clear_unreachable(func);
}

/// What an operation becomes.
enum Outcome {
    /// The same value as another.
    Copy(Value),
    /// An operation.
    Op(Op),
}

struct Simplify {
    /// Definitions seen so far, simplified; constants from the start.
    ops: Vec<Option<Op>>,
    maybe: Vec<u64>,
    subst: Subst,
    /// Instructions of the current block.
    out: Vec<Inst>,
    /// The instruction that new ones come from.
    insn: InsnIdx,
}

impl Simplify {
    fn inst(&mut self, mut inst: Inst) {
        self.insn = inst.insn;
        inst.op.for_each_use_mut(|value| *value = self.subst.get(*value));
        self.effects(&mut inst.op);
        let Some(result) = inst.result else {
            self.out.push(inst);
            return;
        };
        let mut op = match inst.op {
            Op::Request(request) => self.division(request),
            op => op,
        };
        // The rules shorten or order; the bound is for safety.
        for _ in 0..STEPS {
            let Op::Alu { op: alu, wide, a, b } = op else { break };
            match self.alu(alu, wide, a, b) {
                None => break,
                Some(Outcome::Copy(to)) => {
                    self.subst.set(result, to);
                    return;
                }
                Some(Outcome::Op(new)) => op = new,
            }
        }
        self.define(result, &op);
        self.out.push(Inst { result: Some(result), op, insn: inst.insn });
    }

    fn define(&mut self, result: Value, op: &Op) {
        let shift = match *op {
            Op::Alu { op, wide, a, b } => {
                self.constant(b).and_then(|by| known::of_shift(op, wide, self.maybe[a.at()], by))
            }
            _ => None,
        };
        self.maybe[result.at()] = shift.unwrap_or_else(|| known::of_op(op, &|value| self.maybe[value.at()]));
        self.ops[result.at()] = Some(op.clone());
    }

    /// A new instruction in the current block.
    fn emit(&mut self, op: Op) -> Value {
        let value = Value(self.ops.len() as u32);
        self.ops.push(None);
        self.maybe.push(u64::MAX);
        self.define(value, &op);
        self.out.push(Inst { result: Some(value), op, insn: self.insn });
        value
    }

    fn constant_value(&mut self, value: u64) -> Value {
        self.emit(Op::Const(value))
    }

    fn constant(&self, value: Value) -> Option<u64> {
        match self.ops.get(value.at()) {
            Some(Some(Op::Const(constant))) => Some(*constant),
            _ => None,
        }
    }

    fn op(&self, value: Value) -> Option<&Op> {
        self.ops.get(value.at()).and_then(Option::as_ref)
    }

    /// The operands of the operation that defines the value, if it is this one.
    fn alu_of(&self, value: Value) -> Option<(AluOp, bool, Value, Value)> {
        match self.op(value) {
            Some(&Op::Alu { op, wide, a, b }) => Some((op, wide, a, b)),
            _ => None,
        }
    }

    fn maybe(&self, value: Value) -> u64 {
        self.maybe[value.at()]
    }

    /// A value with the same low `bits` bits, with less work behind it.
    fn low(&self, mut value: Value, bits: u32) -> Value {
        let mask = low_bits(bits);
        while let Some((op, wide, a, b)) = self.alu_of(value) {
            let whole = wide || bits <= 32;
            value = match op {
                AluOp::Mov | AluOp::Sext32 if bits <= 32 => a,
                AluOp::Mov if wide => a,
                AluOp::Zext8 | AluOp::Sext8 if bits <= 8 => a,
                AluOp::Zext16 | AluOp::Sext16 if bits <= 16 => a,
                AluOp::And if whole && self.constant(b).is_some_and(|b| b & mask == mask) => a,
                AluOp::Or | AluOp::Xor if whole && self.constant(b).is_some_and(|b| b & mask == 0) => a,
                AluOp::Pack if wide && bits <= 32 => b,
                AluOp::Arsh | AluOp::Rsh if wide && bits <= 32 && self.is_word_shifted_up(a, b) => {
                    return self.undo_shift(a);
                }
                _ => break,
            };
        }
        value
    }

    /// True for `(x << 32) >> 32`.
    fn is_word_shifted_up(&self, a: Value, by: Value) -> bool {
        let shifted = matches!(self.alu_of(a), Some((AluOp::Lsh, true, _, up)) if self.constant(up) == Some(32));
        shifted && self.constant(by) == Some(32)
    }

    fn undo_shift(&self, a: Value) -> Value {
        self.alu_of(a).map_or(a, |(_, _, x, _)| x)
    }

    /// Operands of everything but pure operations.
    fn effects(&mut self, op: &mut Op) {
        match op {
            Op::Store { mem, size, value, .. } => {
                self.address(mem);
                *value = self.low(*value, 8 * u32::from(*size));
            }
            Op::AtomicAdd { mem, size, value } => {
                self.address(mem);
                *value = self.low(*value, 8 * u32::from(*size));
            }
            Op::Load { mem, .. } => self.address(mem),
            Op::Lookup { key, .. } | Op::Delete { key, .. } => self.address(key),
            Op::Update { key, value, .. } => {
                self.address(key);
                self.address(value);
            }
            Op::AdjustHead { delta } => *delta = self.low(*delta, 32),
            Op::Request(request) => {
                request.key.iter_mut().chain(&mut request.value_at).for_each(|mem| self.address(mem));
                let (first, second) = requests::looked_at(request.op);
                request.value.iter_mut().for_each(|value| *value = self.low(*value, first));
                request.third.iter_mut().for_each(|third| *third = self.low(*third, second));
            }
            Op::Const(_) | Op::Alu { .. } | Op::Call { .. } | Op::Named(_) => {}
        }
    }

    /// A division by something known may be less than one.
    fn division(&mut self, request: Request) -> Op {
        let known = match request.value.zip(request.third) {
            Some((a, b)) if request.op.is_division() => self.constant(b).map(|b| (a, b)),
            _ => None,
        };
        let Some((a, b)) = known else { return Op::Request(request) };
        let wide = requests::is_wide(request.op);
        match requests::division(request.op, self.constant(a), b) {
            None => Op::Request(request),
            Some(Division::Constant(value)) => Op::Const(value),
            Some(Division::Dividend) => Op::Alu { op: AluOp::Mov, wide, a, b: a },
            Some(Division::Shift(by)) => {
                let b = self.constant_value(by.into());
                Op::Alu { op: AluOp::Rsh, wide, a, b }
            }
            Some(Division::Mask(mask)) => {
                let b = self.constant_value(mask);
                Op::Alu { op: AluOp::And, wide, a, b }
            }
        }
    }

    /// Moves constants from the base into the offset.
    fn address(&mut self, mem: &mut Mem) {
        while let Some((base, more)) = mem.base.and_then(|base| self.base_and_constant(base)) {
            let Some(offset) = mem.offset.checked_add(more) else { return };
            (mem.base, mem.offset) = (Some(base), offset);
        }
        let Some(constant) = mem.base.and_then(|base| self.constant(base)) else { return };
        match mem.space {
            Space::Packet | Space::Stack | Space::Scratch => {
                let sum = constant.cast_signed().checked_add(i64::from(mem.offset));
                if let Some(Ok(offset)) = sum.map(i32::try_from)
                    && (mem.space == Space::Packet || (0..512).contains(&offset))
                {
                    (mem.base, mem.offset) = (None, offset);
                }
            }
            // One base for all accesses to the element; it needs no wide constant.
            Space::MapValue => {
                if let Some(handle) = Handle::unpack(constant)
                    && handle.offset != 0
                    && let Some(offset) =
                        i32::try_from(handle.offset).ok().and_then(|more| mem.offset.checked_add(more))
                {
                    (mem.base, mem.offset) = (Some(self.constant_value(Handle { offset: 0, ..handle }.pack())), offset);
                }
            }
        }
    }

    /// Splits `x + constant`.
    fn base_and_constant(&self, base: Value) -> Option<(Value, i32)> {
        let (AluOp::Add, true, x, by) = self.alu_of(base)? else { return None };
        Some((x, i32::try_from(self.constant(by)?.cast_signed()).ok()?))
    }

    fn term(&mut self, term: Term) -> Term {
        match term {
            Term::Branch { op, wide, a, b, then, els } => self.branch(op, wide, a, b, then, els),
            Term::Guard { base, len, pass, fail } => {
                let (mut base, mut len) = (base, len);
                while let Some((x, more)) = base.and_then(|base| self.base_and_constant(base)) {
                    let Some(sum) = len.checked_add(more) else { break };
                    (base, len) = (Some(x), sum);
                }
                if let Some(constant) = base.and_then(|base| self.constant(base))
                    && let Some(Ok(sum)) = constant.cast_signed().checked_add(i64::from(len)).map(i32::try_from)
                {
                    (base, len) = (None, sum);
                }
                if pass == fail || (base.is_none() && len <= 0) {
                    return Term::Jump(pass);
                }
                Term::Guard { base, len, pass, fail }
            }
            Term::Exit(value) => Term::Exit(self.low(value, 32)),
            term => term,
        }
    }

    fn branch(&mut self, op: CmpOp, wide: bool, a: Value, b: Value, then: Jump, els: Jump) -> Term {
        if then == els {
            return Term::Jump(then);
        }
        match self.compare(op, wide, a, b) {
            cmp::Verdict::Always => Term::Jump(then),
            cmp::Verdict::Never => Term::Jump(els),
            cmp::Verdict::If(op, wide, a, b) => Term::Branch { op, wide, a, b, then, els },
        }
    }
}
