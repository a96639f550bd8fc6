//! Conditional jumps: which sides are possible, and what each tells of the operands.

use super::explore::Verifier;
use super::refusal::{Check, Refusal, describe};
use super::state::{AT_END, BEYOND_END, Kind, Reg, State};
use super::trace::NodeId;
use crate::ebpf::{self, Cond, Operand, Width};
use crate::range::Num;
use offwire_diag::codes::verify as codes;

/// Packet offsets beyond this give no range (kernel: `MAX_PACKET_OFF`).
const MAX_PACKET_OFF: u64 = 0xffff;

/// Where a conditional jump can go.
pub(super) enum Sides {
    /// Only there: true if taken. The state stays as it is.
    One(bool),
    /// Both ways, with what each tells.
    Both { taken: Box<State>, not_taken: Box<State> },
}

impl Verifier<'_> {
    /// Decides a conditional jump.
    pub(super) fn branch(
        &mut self,
        state: &mut State,
        width: Width,
        cond: Cond,
        dst: ebpf::Reg,
        src: Operand,
    ) -> Check<Sides> {
        let a = self.read(state, dst)?;
        let b = match src {
            Operand::Reg(reg) => self.read(state, reg)?,
            Operand::Imm(imm) => Reg::scalar(Num::signed_constant(imm.into()), NodeId::NONE),
        };
        for (reg, value) in [(Some(dst), &a), (register(src), &b)] {
            if let (Some(reg), Kind::Stale(_) | Kind::Released(_)) = (reg, value.kind) {
                return Err(self.stale(reg, value));
            }
        }
        match (a.kind, b.kind) {
            (Kind::Scalar, Kind::Scalar) => Ok(self.compare_numbers(state, width, cond, dst, src, &a, &b)),
            // Equal or not, the halves are as far apart on the device as on the host; their order is another matter.
            (x, y) if halves(width, x, y) => {
                if !matches!(cond, Cond::Eq | Cond::Ne) {
                    let why = "the order of the low 32 bits is not that of the pointers where the packet crosses 4 GiB";
                    return Err(self.bad_compare(&a, &b, why));
                }
                Ok(Sides::Both { taken: Box::new(state.clone()), not_taken: Box::new(state.clone()) })
            }
            // clang tests the low half of ctx->data where C compares it with NULL. As in the kernel, both ways are followed.
            _ if width == Width::W32 && data_with_null(cond, &a, &b) => {
                self.nodes.mark(a.node);
                self.nodes.mark(b.node);
                Ok(Sides::Both { taken: Box::new(state.clone()), not_taken: Box::new(state.clone()) })
            }
            _ if width == Width::W32 => Err(self.bad_compare(&a, &b, "only the low 32 bits are compared")),
            (_, Kind::Scalar) => self.compare_null(state, cond, &a, &b),
            (Kind::Scalar, _) => self.compare_null(state, cond, &b, &a),
            _ if ends(&a, &b) => {
                let reg = dst.0;
                self.compare_end(state, cond, reg, &a)
                    .ok_or_else(|| self.bad_compare(&a, &b, "packet pointers compare as unsigned"))
            }
            _ if ends(&b, &a) => {
                let reg = register(src).map_or(0, |reg| reg.0);
                let sides = flip(cond).and_then(|cond| self.compare_end(state, cond, reg, &b));
                sides.ok_or_else(|| self.bad_compare(&a, &b, "packet pointers compare as unsigned"))
            }
            (x, y) => {
                let ordered = matches!(cond, Cond::Eq | Cond::Ne | Cond::Gt | Cond::Ge | Cond::Lt | Cond::Le);
                let comparable = match (x, y) {
                    (x, y) if x.is_packet() && y.is_packet() => ordered,
                    (Kind::Stack(x), Kind::Stack(y)) => x == y && ordered,
                    (Kind::MapValue(x), Kind::MapValue(y)) => {
                        ordered && self.same_value(&a, &b) || x == y && matches!(cond, Cond::Eq | Cond::Ne)
                    }
                    (Kind::Record(..), Kind::Record(..)) => a.id == b.id && ordered,
                    _ => false,
                };
                if !comparable {
                    return Err(self.bad_compare(
                        &a,
                        &b,
                        "they do not point into the same object, or their order is signed",
                    ));
                }
                Ok(Sides::Both { taken: Box::new(state.clone()), not_taken: Box::new(state.clone()) })
            }
        }
    }

    fn bad_compare(&self, a: &Reg, b: &Reg, why: &str) -> Box<Refusal> {
        Refusal::new(codes::POINTER_AS_NUMBER, "a pointer is used as a number: it is compared")
            .because(format!("{} is compared with {}: {why}", describe(self.object, a), describe(self.object, b)))
            .help("compare pointers into the same object, or a pointer with NULL")
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one instruction")]
    fn compare_numbers(
        &mut self,
        state: &mut State,
        width: Width,
        cond: Cond,
        dst: ebpf::Reg,
        src: Operand,
        a: &Reg,
        b: &Reg,
    ) -> Sides {
        let same = register(src) == Some(dst);
        let [taken, not_taken] = [true, false].map(|side| {
            if same { refine_same(cond, width, side, a.num) } else { Num::refine(cond, width, side, a.num, b.num) }
        });
        let (taken, not_taken) = match (taken, not_taken) {
            (Some(taken), Some(not_taken)) => (taken, not_taken),
            (taken, _) => {
                // The numbers decide the way.
                self.nodes.mark(a.node);
                self.nodes.mark(b.node);
                return Sides::One(taken.is_some());
            }
        };
        let mut sides = [(taken, state.clone()), (not_taken, state.clone())];
        for ((x, y), state) in &mut sides {
            self.learn(state, dst, a, b, *x);
            if let (Operand::Reg(src), false) = (src, same) {
                self.learn(state, src, b, a, *y);
            }
        }
        let [(_, taken), (_, not_taken)] = sides;
        Sides::Both { taken: Box::new(taken), not_taken: Box::new(not_taken) }
    }

    /// On one side of a branch `reg` (and all that is linked with it) turns out to be `num`, by comparison with `other`.
    fn learn(&mut self, state: &mut State, reg: ebpf::Reg, old: &Reg, other: &Reg, num: Num) {
        let now = state.reg(reg.0);
        // The other operand's refinement may have told more already, if both are linked.
        let num = if now.num == old.num { num } else { now.num.intersect(num).unwrap_or(num) };
        if num == now.num {
            return;
        }
        // A constant adds no dependence: the number stays what it was.
        let node = if other.node == NodeId::NONE { now.node } else { self.nodes.derive(now.node, other.node) };
        let known = Reg { num, node, ..*now };
        state.set(reg.0, known);
        if known.id == 0 {
            return;
        }
        let nodes = &mut self.nodes;
        let old_node = old.node;
        state.update_all(|reg| {
            if reg.kind != Kind::Scalar || reg.id != known.id || *reg == known {
                return None;
            }
            let by = Num::signed_constant(i64::from(reg.delta).wrapping_sub(i64::from(known.delta)));
            let num = if reg.half || known.half {
                let low = Num::alu(ebpf::AluOp::Add, Width::W32, known.num, by);
                Num::refine(Cond::Eq, Width::W32, true, reg.num, low).map_or(reg.num, |(num, _)| num)
            } else {
                let sum = Num::alu(ebpf::AluOp::Add, Width::W64, known.num, by);
                reg.num.intersect(sum).unwrap_or(sum)
            };
            let node = if reg.node == old_node { known.node } else { nodes.derive(reg.node, known.node) };
            Some(Reg { num, node, ..*reg })
        });
    }

    /// A pointer against a number, which must be 0.
    fn compare_null(&mut self, state: &mut State, cond: Cond, ptr: &Reg, zero: &Reg) -> Check<Sides> {
        // Where a packet pointer or null is compared with the packet's end: null is before it, and tells nothing.
        let unsigned = matches!(cond, Cond::Gt | Cond::Ge | Cond::Lt | Cond::Le);
        if ptr.kind == Kind::PacketEnd && unsigned && zero.num.as_const() == Some(0) {
            self.nodes.mark(zero.node);
            let side = || Box::new(state.clone());
            return Ok(Sides::Both { taken: side(), not_taken: side() });
        }
        if zero.num.as_const() != Some(0) || !matches!(cond, Cond::Eq | Cond::Ne) {
            return Err(self.bad_compare(ptr, zero, "the only number that means something as a pointer is 0"));
        }
        if ptr.kind == Kind::PacketHalf {
            return Err(self.bad_compare(ptr, zero, "of an address that is not 0 the low half may be"));
        }
        self.nodes.mark(zero.node);
        let Some(kind) = ptr.kind.not_null() else {
            return Ok(Sides::One(cond == Cond::Ne));
        };
        let [mut null, mut value] = [state.clone(), state.clone()];
        let nodes = &mut self.nodes;
        let node = nodes.fresh();
        null.update_all(|reg| (reg.kind == ptr.kind && reg.id == ptr.id).then(|| Reg::scalar(Num::constant(0), node)));
        // There is nothing to give back.
        null.references.retain(|reference| reference.id != ptr.id);
        value.update_all(|reg| (reg.kind == ptr.kind && reg.id == ptr.id).then_some(Reg { kind, ..*reg }));
        let (taken, not_taken) = if cond == Cond::Eq { (null, value) } else { (value, null) };
        Ok(Sides::Both { taken: Box::new(taken), not_taken: Box::new(not_taken) })
    }

    /// A packet pointer in register `reg` against the packet's end (`find_good_pkt_pointers`, `mark_pkt_end`); `None` if the
    /// order is not defined for pointers.
    fn compare_end(&mut self, state: &State, cond: Cond, reg: u8, ptr: &Reg) -> Option<Sides> {
        // For each side: may it be proven that bytes exist, or that none do?
        let (taken, not_taken) = match cond {
            Cond::Gt => (Known::Beyond, Known::Before),
            Cond::Ge => (Known::AtEnd, Known::StrictlyBefore),
            Cond::Lt => (Known::StrictlyBefore, Known::AtEnd),
            Cond::Le => (Known::Before, Known::Beyond),
            Cond::Eq | Cond::Ne => (Known::Nothing, Known::Nothing),
            _ => return None,
        };
        let decided = match (ptr.range, cond) {
            (BEYOND_END, Cond::Gt) => Some(true),
            (BEYOND_END, Cond::Le) => Some(false),
            (BEYOND_END | AT_END, Cond::Ge) => Some(true),
            (BEYOND_END | AT_END, Cond::Lt) => Some(false),
            _ => None,
        };
        if let Some(decided) = decided {
            return Some(Sides::One(decided));
        }
        let side = |known: Known| {
            let mut state = state.clone();
            known.apply(&mut state, reg, ptr);
            Box::new(state)
        };
        Some(Sides::Both { taken: side(taken), not_taken: side(not_taken) })
    }
}

/// What a comparison with the packet's end tells of a packet pointer.
#[derive(Clone, Copy)]
enum Known {
    /// pointer <= end: all bytes before it exist.
    Before,
    /// pointer < end: the byte at it exists, too.
    StrictlyBefore,
    /// pointer >= end.
    AtEnd,
    /// pointer > end.
    Beyond,
    Nothing,
}

impl Known {
    fn apply(self, state: &mut State, reg: u8, ptr: &Reg) {
        let strict = match self {
            Known::Before => false,
            Known::StrictlyBefore => true,
            // Of metadata it is not remembered, as in the kernel.
            Known::AtEnd | Known::Beyond if ptr.kind != Kind::Packet => return,
            Known::AtEnd => return state.set(reg, Reg { range: AT_END, ..*ptr }),
            Known::Beyond => return state.set(reg, Reg { range: BEYOND_END, ..*ptr }),
            Known::Nothing => return,
        };
        let Ok(off) = u64::try_from(ptr.off) else { return };
        if off == 0 && strict {
            return;
        }
        // No packet is that long; what wraps around proves nothing.
        if ptr.num.wide.umax.saturating_add(off) > MAX_PACKET_OFF {
            return;
        }
        let range = ptr.off.saturating_add(i32::from(strict));
        state.update_all(|reg| {
            (reg.kind == ptr.kind && reg.id == ptr.id && reg.range < range).then_some(Reg { range, ..*reg })
        });
    }
}

/// True if the second pointer is the end of what the first one points into: of the packet `data_end`, of the metadata `data`.
fn ends(ptr: &Reg, end: &Reg) -> bool {
    match (ptr.kind, end.kind) {
        (Kind::Packet, Kind::PacketEnd) => true,
        (Kind::PacketMeta, Kind::Packet) => end.off == 0 && end.id == 0 && end.num.as_const() == Some(0),
        _ => false,
    }
}

/// True if the comparison sees the low halves of two pointers into the packet.
fn halves(width: Width, x: Kind, y: Kind) -> bool {
    match width {
        Width::W32 => x.has_packet_half() && y.has_packet_half(),
        Width::W64 => x == Kind::PacketHalf && y == Kind::PacketHalf,
    }
}

/// True if `ctx->data` itself is tested for being 0. It never is, nor are its low 32 bits: the headroom in front of it lies in
/// the same page.
fn data_with_null(cond: Cond, a: &Reg, b: &Reg) -> bool {
    let data = |reg: &Reg| reg.kind == Kind::Packet && reg.off == 0 && reg.id == 0 && reg.num.as_const() == Some(0);
    let null = |reg: &Reg| reg.as_const() == Some(0);
    matches!(cond, Cond::Eq | Cond::Ne) && (data(a) && null(b) || null(a) && data(b))
}

fn register(src: Operand) -> Option<ebpf::Reg> {
    match src {
        Operand::Reg(reg) => Some(reg),
        Operand::Imm(_) => None,
    }
}

/// A number against itself.
fn refine_same(cond: Cond, width: Width, taken: bool, num: Num) -> Option<(Num, Num)> {
    let holds = match cond {
        Cond::Eq | Cond::Ge | Cond::Le | Cond::Sge | Cond::Sle => true,
        Cond::Ne | Cond::Gt | Cond::Lt | Cond::Sgt | Cond::Slt => false,
        Cond::Set => {
            let zero = Num::constant(0);
            let not_zero = if taken { Cond::Ne } else { Cond::Eq };
            return Num::refine(not_zero, width, true, num, zero).map(|(num, _)| (num, num));
        }
    };
    (holds == taken).then_some((num, num))
}

/// The condition with its operands exchanged.
fn flip(cond: Cond) -> Option<Cond> {
    Some(match cond {
        Cond::Eq | Cond::Ne | Cond::Set => cond,
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Sgt | Cond::Sge | Cond::Slt | Cond::Sle => return None,
    })
}
