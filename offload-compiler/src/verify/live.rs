//! Which registers and stack slots may still be read: what is dead need not be equal for pruning.
//!
//! Registers are counted exactly. For the stack the pointer kinds of [`crate::facts`] say which slots an instruction may read.
//! Facts hold on every execution up to its first unsafe action, and so does liveness; that is enough: two states that agree
//! on what is live run the same instructions up to the first unsafe action of either, which is then unsafe in both.

use super::protos;
use crate::ebpf::{AluOp, AtomicOp, Insn, InsnIdx, Operand, Reg, Size};
use crate::facts::{self, Place};
use crate::object::{Object, Program};

/// What is live before an instruction: a bit a register, a bit a slot of the current frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) regs: u16,
    pub(super) slots: u64,
}

impl Live {
    fn union(self, other: Self) -> Self {
        Live { regs: self.regs | other.regs, slots: self.slots | other.slots }
    }
}

/// Liveness of a program.
pub(super) struct Liveness {
    before: Vec<Live>,
    /// Slots of the caller that a local call may read.
    call_reads: Vec<u64>,
}

/// True if the bit is set.
pub(super) fn has(set: u64, bit: u32) -> bool {
    set.checked_shr(bit).unwrap_or(0) & 1 != 0
}

fn bit(reg: Reg) -> u16 {
    1u16.checked_shl(reg.0.into()).unwrap_or(0)
}

fn operand(src: Operand) -> u16 {
    match src {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    }
}

/// r0 to r5.
const CALLER_SAVED: u16 = 0x3f;
/// r1 to r5.
const ARGS: u16 = 0x3e;

/// Effects of an instruction, by execution order: reads, then writes.
#[derive(Clone, Copy, Default)]
struct Effect {
    reads: Live,
    writes: Live,
}

impl Liveness {
    pub(super) fn new(object: &Object, program: &Program) -> Self {
        let insns = &program.insns;
        let mut effects: Vec<Effect> = insns
            .iter()
            .map(|insn| {
                let (reads, writes) = registers(insn);
                // Where the facts see no execution, assume that all of the stack is read.
                Effect { reads: Live { regs: reads, slots: u64::MAX }, writes: Live { regs: writes, slots: 0 } }
            })
            .collect();
        let mut arguments = vec![[Place::Number; 5]; insns.len()];
        facts::visit(object, program, &mut |at, place| {
            let (Some(insn), Some(effect)) = (insns.get(at), effects.get_mut(at)) else { return };
            (effect.reads.slots, effect.writes.slots) = stack_access(object, insn, place);
            if let (Insn::CallLocal { .. }, Some(places)) = (insn, arguments.get_mut(at)) {
                *places = [1, 2, 3, 4, 5].map(place);
            }
        });
        let mut liveness = Liveness { before: vec![Live::default(); insns.len()], call_reads: vec![0; insns.len()] };
        // Backwards until nothing grows; loops and functions need several rounds.
        let mut grew = true;
        while grew {
            grew = false;
            for (at, insn) in insns.iter().enumerate().rev() {
                let Some(&(mut effect)) = effects.get(at) else { continue };
                if let Insn::CallLocal { target } = *insn {
                    let used = liveness.at(target).regs & ARGS;
                    effect.reads.regs = used;
                    effect.reads.slots = call_reads(used, arguments.get(at));
                    if let Some(reads) = liveness.call_reads.get_mut(at) {
                        *reads = effect.reads.slots;
                    }
                }
                let after = liveness.after(at, insn);
                let live = Live {
                    regs: after.regs & !effect.writes.regs | effect.reads.regs,
                    slots: after.slots & !effect.writes.slots | effect.reads.slots,
                };
                if let Some(place) = liveness.before.get_mut(at)
                    && *place != live
                {
                    *place = live;
                    grew = true;
                }
            }
        }
        liveness
    }

    /// Before an instruction.
    pub(super) fn at(&self, insn: InsnIdx) -> Live {
        self.before.get(insn.at()).copied().unwrap_or_default()
    }

    /// In a function that waits at a local call: what is live after it, and what the callee may read.
    pub(super) fn during_call(&self, call: InsnIdx) -> Live {
        let mut live = self.at(call.next());
        live.regs &= !CALLER_SAVED;
        live.slots |= self.call_reads.get(call.at()).copied().unwrap_or(u64::MAX);
        live
    }

    fn after(&self, at: usize, insn: &Insn) -> Live {
        let next = InsnIdx(u32::try_from(at).unwrap_or(u32::MAX)).next();
        match *insn {
            Insn::Jump { target } => self.at(target),
            Insn::JumpIf { target, .. } => self.at(target).union(self.at(next)),
            Insn::Exit => Live::default(),
            _ => self.at(next),
        }
    }
}

/// Registers that an instruction reads and writes.
fn registers(insn: &Insn) -> (u16, u16) {
    match *insn {
        Insn::Alu { op: AluOp::Mov, dst, src, .. } => (operand(src), bit(dst)),
        Insn::Alu { dst, src, .. } => (bit(dst) | operand(src), bit(dst)),
        Insn::MovSx { dst, src, .. } => (bit(src), bit(dst)),
        Insn::Neg { dst, .. } | Insn::Endian { dst, .. } | Insn::Bswap { dst, .. } => (bit(dst), bit(dst)),
        Insn::LoadImm64 { dst, .. } => (0, bit(dst)),
        Insn::Load { dst, base, .. } => (bit(base), bit(dst)),
        Insn::Store { base, src, .. } => (bit(base) | operand(src), 0),
        Insn::Atomic { op: AtomicOp::Cmpxchg, base, src, .. } => (bit(base) | bit(src) | 1, 1),
        Insn::Atomic { op, fetch, base, src, .. } => {
            (bit(base) | bit(src), if fetch || op == AtomicOp::Xchg { bit(src) } else { 0 })
        }
        Insn::JumpIf { dst, src, .. } => (bit(dst) | operand(src), 0),
        Insn::CallHelper { id } => {
            let reads = protos::find(id).map_or(ARGS, |proto| {
                let args = (1u8..).zip(proto.args).filter(|&(_, &arg)| arg != protos::Arg::Any);
                args.fold(0, |reads, (reg, _)| reads | bit(Reg(reg)))
            });
            (reads, CALLER_SAVED)
        }
        // What the callee reads is added while solving.
        Insn::CallLocal { .. } => (0, CALLER_SAVED),
        Insn::CallKfunc { .. } => (ARGS, CALLER_SAVED),
        Insn::Exit => (1, 0),
        Insn::Wide | Insn::Jump { .. } => (0, 0),
    }
}

/// Slots that an instruction may read, and those that it certainly overwrites.
fn stack_access(object: &Object, insn: &Insn, place: &dyn Fn(u8) -> Place) -> (u64, u64) {
    match *insn {
        Insn::Load { size, base, off, .. } => (may_touch(place(base.0), off.into(), size.bytes()), 0),
        Insn::Atomic { size, base, off, .. } => (may_touch(place(base.0), off.into(), size.bytes()), 0),
        Insn::Store { size: Size::B8, base, off, .. } => match place(base.0) {
            Place::Stack { from, to } if from == to && from.saturating_add(off.into()).rem_euclid(8) == 0 => {
                (0, may_touch(place(base.0), off.into(), 8))
            }
            _ => (0, 0),
        },
        Insn::CallHelper { id } => {
            let Some(proto) = protos::find(id) else { return (u64::MAX, 0) };
            let spec = match place(1) {
                Place::Map { map, inner } => protos::spec(object, map, inner),
                _ => None,
            };
            let reads = (1u8..).zip(proto.args).filter_map(|(reg, arg)| {
                let size = match arg {
                    // Where the size is not known: from the first byte to the end of the frame.
                    protos::Arg::MapKey => spec.map_or(u32::MAX, |spec| spec.key_size),
                    protos::Arg::MapValue => spec.map_or(u32::MAX, |spec| spec.value_size),
                    protos::Arg::Mem | protos::Arg::MemOrNull | protos::Arg::UninitMem => u32::MAX,
                    // A function that is called back may read all of it.
                    protos::Arg::CallbackContext if matches!(place(reg), Place::Stack { .. } | Place::Unknown) => {
                        return Some(u64::MAX);
                    }
                    _ => return None,
                };
                Some(may_touch(place(reg), 0, size))
            });
            (reads.fold(0, |all, one| all | one), 0)
        }
        Insn::CallKfunc { .. } => (u64::MAX, 0),
        _ => (0, 0),
    }
}

/// Slots of the caller that a callee may read through the arguments that it uses.
fn call_reads(used: u16, arguments: Option<&[Place; 5]>) -> u64 {
    let places = (1u8..).zip(arguments.copied().unwrap_or([Place::Unknown; 5]));
    let mut pointers = places.filter(|&(reg, _)| used & bit(Reg(reg)) != 0).map(|(_, place)| place);
    if pointers.any(|place| matches!(place, Place::Stack { .. } | Place::Unknown)) { u64::MAX } else { 0 }
}

/// Slots that an access of `size` bytes at `off` from the place may touch.
fn may_touch(place: Place, off: i64, size: u32) -> u64 {
    let (first, last) = match place {
        Place::Stack { from, to } => {
            (from.saturating_add(off), to.saturating_add(off).saturating_add(i64::from(size)).saturating_sub(1))
        }
        Place::Unknown => (-512, -1),
        Place::Number | Place::Map { .. } | Place::Other => return 0,
    };
    // Slot n is bytes -8(n+1) to -8n-1.
    let slot =
        |byte: i64| u32::try_from(byte.clamp(-512, -1).saturating_neg().saturating_sub(1).checked_div(8).unwrap_or(0));
    let (Ok(low), Ok(high)) = (slot(last), slot(first)) else { return u64::MAX };
    let below = |bits: u32| 1u64.checked_shl(bits).map_or(u64::MAX, |bit| bit.wrapping_sub(1));
    if size == 0 || low > high { 0 } else { below(high.saturating_add(1)) & !below(low) }
}
