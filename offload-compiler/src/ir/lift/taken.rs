//! What registers hold where the facts cannot tell, as far as it is known while the function is built; see `callers`.

use super::build::{Builder, exact, is_half};
use super::callers::Taken;
use super::live::{FrameReg, effects};
use crate::ebpf::{AluOp as EbpfAlu, AtomicOp, Imm64, Insn, Operand, Reg, Size, Width};
use crate::facts::{Fact, PtrKind};
use crate::ir::Value;

impl Builder<'_> {
    /// What the register's value is taken for because of where it was loaded from.
    pub(super) fn taken(&self, reg: Reg) -> Option<(Value, Taken)> {
        let value = self.regs.get(&FrameReg::new(self.frame, reg)).filter(|_| reg.0 < 10)?;
        Some((*value, *self.callers.taken.get(value)?))
    }

    /// Notes at the end of a block what the facts are certain of: blocks with several predecessors may need it.
    pub(super) fn note_facts(&mut self, falls: bool) {
        let last = self.lifter.program.insns.get(self.at.at());
        let changed = |reg: Reg| match last {
            Some(Insn::CallHelper { .. } | Insn::CallLocal { .. } | Insn::CallKfunc { .. }) => reg.0 <= 5,
            Some(insn) => effects(insn).0 == Some(reg),
            None => true,
        };
        for reg in (0..10).map(Reg).filter(|reg| !(falls && changed(*reg))) {
            let fact = self.state().and_then(|state| state.regs.get(usize::from(reg.0))).and_then(Taken::of);
            if let (Some(taken), Some(value)) = (fact, self.regs.get(&FrameReg::new(self.frame, reg))) {
                self.callers.taken.entry(*value).or_insert(taken);
            }
        }
        if let Some(reg) = last.filter(|_| falls).and_then(|insn| self.makes_number(insn))
            && let Some(value) = self.regs.get(&FrameReg::new(self.frame, reg))
        {
            self.callers.taken.entry(*value).or_insert(Taken::Number);
        }
    }

    /// The register that the instruction leaves a number in, where its operands tell that.
    pub(super) fn makes_number(&self, insn: &Insn) -> Option<Reg> {
        let number = |reg: Reg| {
            let fact = self.state().and_then(|state| state.regs.get(usize::from(reg.0)));
            matches!(fact, Some(Fact::Scalar(_)))
        };
        match *insn {
            Insn::Alu { width: Width::W32, op: op @ (EbpfAlu::Mov | EbpfAlu::Add | EbpfAlu::Sub), dst, src } => {
                let half = |reg: Reg| {
                    let fact = self.state().and_then(|state| state.regs.get(usize::from(reg.0)));
                    fact.is_some_and(is_half)
                };
                let second = matches!(src, Operand::Reg(src) if half(src));
                // The half of a pointer stays one until it is subtracted from another.
                let first = op != EbpfAlu::Mov && half(dst);
                (first == second).then_some(dst)
            }
            Insn::Alu { width: Width::W32, dst, .. }
            | Insn::MovSx { dst, .. }
            | Insn::Neg { dst, .. }
            | Insn::Endian { dst, .. }
            | Insn::Bswap { dst, .. }
            | Insn::LoadImm64 { dst, value: Imm64::Const(_) } => Some(dst),
            Insn::Alu { op, dst, src, .. } => {
                let second = match src {
                    Operand::Imm(_) => true,
                    Operand::Reg(src) => number(src),
                };
                let sum = matches!(op, EbpfAlu::Add | EbpfAlu::Sub);
                (!matches!(op, EbpfAlu::Mov) || second).then_some(dst).filter(|_| !sum || (second && number(dst)))
            }
            Insn::Load { size: Size::B1 | Size::B2, dst, .. } => Some(dst),
            Insn::Load { size, dst, base, .. } => match self.fact(base) {
                Fact::Ptr { kind: PtrKind::Ctx, .. } => None,
                Fact::Ptr { kind: PtrKind::Stack | PtrKind::CallerStack, .. } => (size == Size::B4).then_some(dst),
                // Pointers stand on the stack only.
                Fact::Ptr { .. } => Some(dst),
                _ => None,
            },
            Insn::Atomic { op: AtomicOp::Cmpxchg, .. } => Some(Reg(0)),
            Insn::Atomic { src, .. } => Some(src),
            Insn::CallHelper { id } => (!matches!(id, 1 | 131)).then_some(Reg(0)),
            _ => None,
        }
    }

    /// The stack address in the register, if it is known so far.
    pub(super) fn stack_address(&self, reg: Reg) -> Option<i64> {
        if let Fact::Ptr { kind: PtrKind::Stack, .. } = self.fact(reg) {
            return self.known(reg).map(u64::cast_signed);
        }
        self.callers.addresses.get(self.regs.get(&FrameReg::new(self.frame, reg)).filter(|_| reg.0 < 10)?).copied()
    }

    /// The same for the result of an operation.
    pub(super) fn address_result(&self, width: Width, op: EbpfAlu, dst: Reg, src: Operand) -> Option<i64> {
        let by = match src {
            Operand::Imm(imm) => Some(i64::from(imm)),
            Operand::Reg(reg) => match self.fact(reg) {
                Fact::Scalar(range) => exact(&range).map(u64::cast_signed),
                _ => None,
            },
        };
        match (width, op, src) {
            (Width::W64, EbpfAlu::Mov, Operand::Reg(reg)) => self.stack_address(reg),
            (Width::W64, EbpfAlu::Add, _) => Some(self.stack_address(dst)?.wrapping_add(by?)),
            (Width::W64, EbpfAlu::Sub, _) => Some(self.stack_address(dst)?.wrapping_sub(by?)),
            _ => None,
        }
    }

    /// What the result of a sum or difference is taken for, if an operand is taken for something.
    pub(super) fn taken_result(&self, width: Width, op: EbpfAlu, dst: Reg, src: Operand) -> Option<Taken> {
        let other = match src {
            Operand::Reg(src) => self.taken(src),
            Operand::Imm(_) => None,
        };
        // Where the facts know the operands, they know the result.
        if op == EbpfAlu::Mov || (self.taken(dst).is_none() && other.is_none()) {
            return None;
        }
        let second = match src {
            Operand::Reg(src) => Taken::of(&self.fact(src))?,
            Operand::Imm(_) => Taken::Number,
        };
        match (op, Taken::of(&self.fact(dst))?, second) {
            (_, Taken::Number, Taken::Number) => Some(Taken::Number),
            (EbpfAlu::Sub, Taken::Pointer(_), Taken::Pointer(_)) => Some(Taken::Number),
            // Nothing else is done to packet pointers in 32 bits.
            (EbpfAlu::Add | EbpfAlu::Sub, ..) if width == Width::W32 => Some(Taken::Pointer(PtrKind::PacketHalf)),
            (EbpfAlu::Add, Taken::Pointer(kind), Taken::Number)
            | (EbpfAlu::Add, Taken::Number, Taken::Pointer(kind)) => Some(Taken::Pointer(kind)),
            (EbpfAlu::Sub, Taken::Pointer(kind), Taken::Number) => Some(Taken::Pointer(kind)),
            _ => None,
        }
    }
}
