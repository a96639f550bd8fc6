//! bpf_loop: its callback is inlined as the body of a loop.
//!
//! The kernel (kernel/bpf/bpf_iter.c, bpf_loop) checks the flags, then the number of rounds, then calls the callback with the
//! round's number and the context until it returns anything but 0. Here that is a few blocks without instructions of their own:
//!
//! ```text
//! call: if 1 << 23 <u rounds then too_big else head     (this and the callee's blocks are the only ones with instructions)
//! head: if i <u rounds then enter else done
//! enter: callee(i, context), which returns to latch
//! latch: i += 1; if result != 0 then done else head
//! too_big: w0 = -E2BIG     done: r0 = i
//! ```
//!
//! i, rounds and context live in registers of a frame of their own.

use super::build::{Builder, exact};
use super::callers::Taken;
use super::expand::{End, Expander, Frame, FrameIdx, Region};
use super::live::{FrameReg, LiveSet};
use crate::ebpf::{AluOp as EbpfAlu, Imm64, Insn, InsnIdx, Operand, Reg};
use crate::facts::Fact;
use crate::ir::{Block, Op, Term};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{AluOp, CmpOp};

/// BPF_MAX_LOOPS.
const MAX_LOOPS: u64 = 1 << 23;
/// Registers of the loop's frame; r0 is what the callback returned.
const ROUND: Reg = Reg(6);
const ROUNDS: Reg = Reg(7);
const CONTEXT: Reg = Reg(8);

/// How a block of a loop ends. `own` is the loop's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The call.
    Call { own: FrameIdx, too_big: Block, head: Block },
    /// The flags are not 0: r0 = -EINVAL.
    Invalid { next: Block },
    /// w0 = -E2BIG, as the kernel expands the call (kernel/bpf/verifier.c, inline_bpf_loop).
    TooBig { next: Block },
    /// Is there another round?
    Head { own: FrameIdx, enter: Block, done: Block },
    /// Into the callback.
    Enter { own: FrameIdx, callee: FrameIdx, entry: Block },
    /// Behind the callback.
    Latch { own: FrameIdx, head: Block, done: Block },
    /// r0 = number of rounds.
    Done { own: FrameIdx, next: Block },
}

impl Step {
    /// Blocks that it goes on at.
    pub(super) fn successors(self) -> (Option<Block>, Option<Block>) {
        match self {
            Step::Call { too_big, head, .. } => (Some(too_big), Some(head)),
            Step::Head { enter, done, .. } => (Some(enter), Some(done)),
            Step::Latch { head, done, .. } => (Some(done), Some(head)),
            Step::Enter { entry, .. } => (Some(entry), None),
            Step::Invalid { next } | Step::TooBig { next } | Step::Done { next, .. } => (Some(next), None),
        }
    }

    /// From what is live behind it to what is live before it; the call's arguments are seen to by the call.
    pub(super) fn before(self, frame: FrameIdx, live: &mut LiveSet) {
        let own = |own: FrameIdx, reg: Reg| FrameReg::new(own, reg);
        match self {
            Step::Call { own: loop_frame, .. } => {
                for reg in [ROUND, ROUNDS, CONTEXT] {
                    live.remove(&own(loop_frame, reg));
                }
            }
            Step::Invalid { .. } | Step::TooBig { .. } => {
                live.remove(&FrameReg::new(frame, Reg(0)));
            }
            Step::Head { own: loop_frame, .. } => live.extend([own(loop_frame, ROUND), own(loop_frame, ROUNDS)]),
            Step::Enter { own: loop_frame, callee, .. } => {
                for reg in (0..10).map(Reg) {
                    live.remove(&FrameReg::new(callee, reg));
                }
                live.extend([own(loop_frame, ROUND), own(loop_frame, CONTEXT)]);
            }
            Step::Latch { own: loop_frame, .. } => {
                live.remove(&own(loop_frame, ROUND));
                live.extend([own(loop_frame, ROUND), own(loop_frame, Reg(0))]);
            }
            Step::Done { own: loop_frame, .. } => {
                live.remove(&FrameReg::new(frame, Reg(0)));
                live.insert(own(loop_frame, ROUND));
            }
        }
    }
}

impl Expander<'_> {
    /// The blocks of the loop that starts with the call at `at`, in a region that begins at `first`.
    pub(super) fn bpf_loop(&mut self, frame: FrameIdx, at: InsnIdx, first: u32) -> Result<End, Diagnostic> {
        let Some(next) = self.reachable_block(frame, at.next()) else { return Ok(End::Dead) };
        let Some(target) = self.callback(at, first) else {
            return Err(self
                .lifter
                .refuse(at, compiler::UNSUPPORTED, "it depends on the path which callback bpf_loop calls")
                .with_help("name the callback in the call itself"));
        };
        let flags = match self.lifter.facts.before.get(at.at()) {
            Some(Some(state)) => match &state.regs[4] {
                Fact::Scalar(range) => exact(range),
                _ => None,
            },
            _ => None,
        };
        let Some(flags) = flags else {
            return Err(self.lifter.refuse(at, compiler::UNSUPPORTED, "the flags of bpf_loop are no constant"));
        };
        if flags != 0 {
            return Ok(End::Loop(Step::Invalid { next }));
        }
        let own = self.out.frames.len();
        let loop_frame = Frame { latch: None, ..self.out.frames[frame].clone() };
        self.out.frames.push(loop_frame);
        let callee = self.enter(frame, at, target, Some((own, at.next())))?;
        let mut add = |how: End| {
            let block = Block(self.out.regions.len() as u32);
            self.out.regions.push(Region { frame, first: at.0, end: at.0, how });
            block
        };
        // What is not known yet is set below.
        let (too_big, done) = (add(End::Loop(Step::TooBig { next })), add(End::Loop(Step::Done { own, next })));
        let (enter, latch, head) =
            (add(End::Dead), add(End::Dead), add(End::Loop(Step::Head { own, enter: done, done })));
        self.out.frames[callee].latch = Some(latch);
        let Some(entry) = self.reachable_block(callee, target) else { return Ok(End::Dead) };
        self.out.regions[enter.at()].how = End::Loop(Step::Enter { own, callee, entry });
        self.out.regions[latch.at()].how = End::Loop(Step::Latch { own, head, done });
        self.out.regions[head.at()].how = End::Loop(Step::Head { own, enter, done });
        Ok(End::Loop(Step::Call { own, too_big, head }))
    }

    /// The function whose address is in r2: what the last instructions put there.
    fn callback(&self, at: InsnIdx, first: u32) -> Option<InsnIdx> {
        let mut reg = Reg(2);
        for before in (first..at.0).rev() {
            match *self.lifter.program.insns.get(before as usize)? {
                Insn::LoadImm64 { dst, value } if dst == reg => {
                    return match value {
                        Imm64::Func(target) => Some(target),
                        _ => None,
                    };
                }
                Insn::Alu { op: EbpfAlu::Mov, dst, src: Operand::Reg(src), .. } if dst == reg => reg = src,
                ref insn if super::live::effects(insn).0 == Some(reg) => return None,
                Insn::CallHelper { .. } | Insn::CallLocal { .. } if reg.0 <= 5 => return None,
                _ => {}
            }
        }
        None
    }
}

impl Builder<'_> {
    /// The terminator of a block of a loop, and what it does before.
    pub(super) fn loop_step(&mut self, step: Step) -> Result<Term, Diagnostic> {
        let error = |code: i64| code.cast_unsigned();
        Ok(match step {
            Step::Call { own, too_big, head } => {
                let rounds = self.number(Reg(1))?;
                let context = self.read(Reg(3));
                if let Some(address) = self.stack_address(Reg(3)) {
                    self.callers.addresses.insert(context, address);
                }
                let zero = self.constant(0);
                self.callers.taken.insert(zero, Taken::Number);
                for (reg, value) in [(ROUND, zero), (ROUNDS, rounds), (CONTEXT, context)] {
                    self.regs.insert(FrameReg::new(own, reg), value);
                }
                self.clobber(self.frame);
                let most = self.constant(MAX_LOOPS);
                let (then, els) = (self.jump(too_big), self.jump(head));
                Term::Branch { op: CmpOp::Ltu, wide: true, a: most, b: rounds, then, els }
            }
            Step::Invalid { next } | Step::TooBig { next } => {
                let code =
                    if matches!(step, Step::Invalid { .. }) { error(-22) } else { error(-7) & u64::from(u32::MAX) };
                let value = self.emit(Op::Const(code));
                self.callers.taken.insert(value, Taken::Number);
                self.finish_call(value);
                Term::Jump(self.jump(next))
            }
            Step::Head { own, enter, done } => {
                let (a, b) = (self.own(own, ROUND), self.own(own, ROUNDS));
                let (then, els) = (self.jump(enter), self.jump(done));
                Term::Branch { op: CmpOp::Ltu, wide: true, a, b, then, els }
            }
            Step::Enter { own, callee, entry } => {
                let (round, context) = (self.own(own, ROUND), self.own(own, CONTEXT));
                self.regs.insert(FrameReg::new(callee, Reg(1)), round);
                self.regs.insert(FrameReg::new(callee, Reg(2)), context);
                Term::Jump(self.jump(entry))
            }
            Step::Latch { own, head, done } => {
                let (round, result) = (self.own(own, ROUND), self.own(own, Reg(0)));
                let (one, zero) = (self.constant(1), self.constant(0));
                let next = self.alu(AluOp::Add, true, round, one);
                self.callers.taken.insert(next, Taken::Number);
                self.regs.insert(FrameReg::new(own, ROUND), next);
                let (then, els) = (self.jump(done), self.jump(head));
                Term::Branch { op: CmpOp::Ne, wide: true, a: result, b: zero, then, els }
            }
            Step::Done { own, next } => {
                let round = self.own(own, ROUND);
                self.finish_call(round);
                Term::Jump(self.jump(next))
            }
        })
    }

    fn own(&mut self, own: FrameIdx, reg: Reg) -> crate::ir::Value {
        match self.regs.get(&FrameReg::new(own, reg)) {
            Some(value) => *value,
            None => self.constant(0),
        }
    }
}
