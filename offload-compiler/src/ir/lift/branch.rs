//! Conditional jumps: numbers, null checks, and packet bounds.

use super::build::{Builder, exact, immediate, is_half, kind_name};
use crate::ebpf::{Cond, Insn, Operand, Reg, Width};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Block, Jump, Term};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::CmpOp;

/// A comparison: operation, and whether its operands change places.
fn comparison(cond: Cond) -> (CmpOp, bool) {
    match cond {
        Cond::Eq => (CmpOp::Eq, false),
        Cond::Ne => (CmpOp::Ne, false),
        Cond::Gt => (CmpOp::Ltu, true),
        Cond::Ge => (CmpOp::Geu, false),
        Cond::Lt => (CmpOp::Ltu, false),
        Cond::Le => (CmpOp::Geu, true),
        Cond::Set => (CmpOp::Tst, false),
        Cond::Sgt => (CmpOp::Lts, true),
        Cond::Sge => (CmpOp::Ges, false),
        Cond::Slt => (CmpOp::Lts, false),
        Cond::Sle => (CmpOp::Ges, true),
    }
}

/// `b cond' a` for `a cond b`.
fn mirrored(cond: Cond) -> Cond {
    match cond {
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Sgt => Cond::Slt,
        Cond::Sge => Cond::Sle,
        Cond::Slt => Cond::Sgt,
        Cond::Sle => Cond::Sge,
        Cond::Eq | Cond::Ne | Cond::Set => cond,
    }
}

/// What can be compared with what.
enum Plan {
    /// Both as they are, in the condition's own sense.
    Numbers,
    /// Offsets in one object: addresses on the host grow with them, and all lie in one half of the address space, so signed
    /// and unsigned conditions there are the signed ones here.
    Offsets,
    /// Equality of handles, or of a handle and null.
    Handles,
    /// A packet pointer with the end of the packet; `true` if the end stands on the left.
    PacketEnd(bool),
    /// Never equal.
    Different,
    /// Host and device could differ.
    No,
}

fn plan(cond: Cond, wide: bool, a: &Fact, b: &Fact) -> Plan {
    use PtrKind::{InnerMap, InnerValue, Map, MapValue, OneOf, Packet, PacketEnd, PacketMeta, Record, ValueOf};
    let handle =
        |kind| matches!(kind, MapValue(_) | ValueOf(_) | Map(_) | OneOf(_) | InnerMap(_) | InnerValue(_) | Record(_));
    let value = |kind| matches!(kind, MapValue(_) | ValueOf(_) | InnerValue(_));
    let equality = matches!(cond, Cond::Eq | Cond::Ne);
    let unsigned = matches!(cond, Cond::Gt | Cond::Ge | Cond::Lt | Cond::Le);
    let null = |fact: &Fact| matches!(fact, Fact::Scalar(range) if exact(range) == Some(0));
    match (*a, *b) {
        (Fact::Scalar(_), Fact::Scalar(_)) => Plan::Numbers,
        // Their offsets' low halves are equal where theirs are.
        (ref a, ref b) if equality && halves(wide, a, b) => Plan::Numbers,
        // The packet begins in a page, behind its headroom: no half of its address is 0.
        (ref data, ref zero) | (ref zero, ref data) if equality && !wide && begins_packet(data) && null(zero) => {
            Plan::Different
        }
        _ if !wide || cond == Cond::Set => Plan::No,
        (Fact::Ptr { kind, .. }, ref other) | (ref other, Fact::Ptr { kind, .. })
            if handle(kind) && equality && null(other) =>
        {
            Plan::Handles
        }
        // Null is 0 here too, where the pointer is not to the packet's first byte.
        (Fact::Ptr { kind: Packet, offset, maybe_null: true }, ref other)
        | (ref other, Fact::Ptr { kind: Packet, offset, maybe_null: true })
            if equality && null(other) && offset.umin > 0 =>
        {
            Plan::Handles
        }
        // Null is before the end of any packet, as its first byte is.
        (Fact::Ptr { kind: Packet, maybe_null: true, .. }, Fact::Ptr { kind: PacketEnd, maybe_null: false, .. })
            if unsigned =>
        {
            Plan::PacketEnd(false)
        }
        (Fact::Ptr { kind: PacketEnd, maybe_null: false, .. }, Fact::Ptr { kind: Packet, maybe_null: true, .. })
            if unsigned =>
        {
            Plan::PacketEnd(true)
        }
        (Fact::Ptr { kind: PtrKind::PacketHalf, .. }, _) | (_, Fact::Ptr { kind: PtrKind::PacketHalf, .. }) => Plan::No,
        (Fact::Ptr { maybe_null: false, .. }, ref other) | (ref other, Fact::Ptr { maybe_null: false, .. })
            if equality && null(other) =>
        {
            Plan::Different
        }
        (Fact::Ptr { kind: a, .. }, Fact::Ptr { kind: b, .. }) if equality && value(a) && value(b) => Plan::Handles,
        (Fact::Ptr { kind: a, maybe_null: false, .. }, Fact::Ptr { kind: b, maybe_null: false, .. }) => match (a, b) {
            (Packet | PacketMeta, PacketEnd) if !equality => Plan::PacketEnd(false),
            (PacketEnd, Packet | PacketMeta) if !equality => Plan::PacketEnd(true),
            (Packet | PacketEnd | PacketMeta, Packet | PacketEnd | PacketMeta) => Plan::Offsets,
            (PtrKind::Stack, PtrKind::Stack) | (PtrKind::Ctx, PtrKind::Ctx) => Plan::Offsets,
            _ => Plan::No,
        },
        _ => Plan::No,
    }
}

/// True if the comparison sees the low halves of two pointers into the packet.
fn halves(wide: bool, a: &Fact, b: &Fact) -> bool {
    let whole = |fact: &Fact| !matches!(fact, Fact::Ptr { kind: PtrKind::PacketHalf, .. });
    is_half(a) && is_half(b) && !(wide && (whole(a) || whole(b)))
}

/// True for `ctx->data` itself.
fn begins_packet(fact: &Fact) -> bool {
    matches!(fact, Fact::Ptr { kind: PtrKind::Packet, offset, maybe_null: false } if exact(offset) == Some(0))
}

impl Builder<'_> {
    /// The terminator for the conditional jump at the current instruction.
    pub(super) fn branch(&mut self, taken: Option<Block>, next: Option<Block>) -> Result<Term, Diagnostic> {
        let Some(&Insn::JumpIf { width, cond, dst, src, .. }) = self.lifter.program.insns.get(self.at.at()) else {
            return Ok(Term::Unreachable);
        };
        let (taken, next) = match (taken, next) {
            (Some(taken), Some(next)) if taken != next => (taken, next),
            // The facts say that one side never happens, or both are the same.
            (Some(only), _) | (None, Some(only)) => return Ok(Term::Jump(self.jump(only))),
            (None, None) => return Ok(Term::Unreachable),
        };
        let a = self.fact(dst);
        let b = match src {
            Operand::Reg(reg) => self.fact(reg),
            Operand::Imm(imm) => immediate(imm),
        };
        let wide = width == Width::W64;
        let (op, turned) = comparison(cond);
        let op = match plan(cond, wide, &a, &b) {
            Plan::Numbers | Plan::Handles => op,
            Plan::Offsets => match op {
                CmpOp::Ltu => CmpOp::Lts,
                CmpOp::Geu => CmpOp::Ges,
                op => op,
            },
            Plan::PacketEnd(end_first) => {
                let (pointer, cond) = match src {
                    Operand::Reg(reg) if end_first => (reg, mirrored(cond)),
                    _ => (dst, cond),
                };
                return Ok(self.guard(pointer, cond, taken, next));
            }
            Plan::Different => {
                let to = if cond == Cond::Ne { taken } else { next };
                return Ok(Term::Jump(self.jump(to)));
            }
            Plan::No => return Err(self.incomparable(&a, &b)),
        };
        let a = self.read(dst);
        let b = match src {
            Operand::Reg(reg) => self.read(reg),
            Operand::Imm(imm) => self.constant(i64::from(imm).cast_unsigned()),
        };
        let (a, b) = if turned { (b, a) } else { (a, b) };
        Ok(Term::Branch { op, wide, a, b, then: self.jump(taken), els: self.jump(next) })
    }

    /// `pointer cond data_end`, cond one of the orders: a guard with the right length and senses.
    fn guard(&mut self, pointer: Reg, cond: Cond, taken: Block, next: Block) -> Term {
        // p > end fails the guard p + 0 <= end; p >= end fails p + 1 <= end.
        let (len, taken_passes) = match cond {
            Cond::Gt | Cond::Sgt => (0, false),
            Cond::Ge | Cond::Sge => (1, false),
            Cond::Lt | Cond::Slt => (1, true),
            _ => (0, true),
        };
        let (base, len) = match self.known_i32(pointer).and_then(|known| known.checked_add(len)) {
            Some(len) => (None, len),
            None => (Some(self.read(pointer)), len),
        };
        let (taken, next): (Jump, Jump) = (self.jump(taken), self.jump(next));
        let (pass, fail) = if taken_passes { (taken, next) } else { (next, taken) };
        Term::Guard { base, len, pass, fail }
    }

    fn incomparable(&self, a: &Fact, b: &Fact) -> Diagnostic {
        let name = |fact: &Fact| match fact {
            Fact::Ptr { kind, maybe_null: false, .. } => kind_name(*kind).to_string(),
            Fact::Ptr { kind, maybe_null: true, .. } => format!("{} or null", kind_name(*kind)),
            Fact::Scalar(_) => "a number".to_string(),
            Fact::Func(_) => "the address of a function".to_string(),
            Fact::Unknown => "something that depends on the path".to_string(),
        };
        self.refuse(compiler::POINTER_AS_NUMBER, format!("{} is compared with {}", name(a), name(b)))
            .with_reason("the device holds pointers in another form than the host, so the outcome could differ")
            .with_help("compare packet pointers with data_end or with each other, and map values with NULL")
    }
}
