//! bpf_loop: its callback is inlined as the body of a loop; if it depends on the path which one it is, all whose address is taken are.
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
//! i, rounds and context live in registers of a frame of their own. Flags that are no constant are compared with 0 first, and `enter`
//! begins with comparisons of the function if there are several.

use super::build::{Builder, exact};
use super::callers::Taken;
use super::expand::{End, Expander, Frame, FrameIdx, Region};
use super::live::{FrameReg, LiveSet};
use crate::ebpf::{Imm64, Insn, InsnIdx, Reg};
use crate::facts::Fact;
use crate::ir::{Block, Op, Term, Value};
use offwire_diag::Diagnostic;
use offwire_isa::{AluOp, CmpOp};
use std::collections::BTreeSet;

/// BPF_MAX_LOOPS.
const MAX_LOOPS: u64 = 1 << 23;
/// Registers of the loop's frame; r0 is what the callback returned.
const ROUND: Reg = Reg(6);
const ROUNDS: Reg = Reg(7);
const CONTEXT: Reg = Reg(8);
/// Which function, if it depends on the path.
const CALLBACK: Reg = Reg(9);

/// How a block of a loop ends. `own` is the loop's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The call. `expanded`: as the kernel expands it, which looks at 64 bits of the number of rounds instead of 32.
    Call { own: FrameIdx, expanded: bool, too_big: Block, head: Block },
    /// The call with flags that are no constant.
    Flags { own: FrameIdx, invalid: Block, count: Block },
    /// The flags are 0: how many rounds?
    Count { own: FrameIdx, too_big: Block, head: Block },
    /// The flags are not 0: r0 = -EINVAL.
    Invalid { next: Block },
    /// r0 = -E2BIG, or w0 where the kernel expands the call (kernel/bpf/verifier.c, inline_bpf_loop).
    TooBig { next: Block, wide: bool },
    /// Is there another round?
    Head { own: FrameIdx, enter: Block, done: Block },
    /// Is it this callback?
    Choose { own: FrameIdx, target: InsnIdx, enter: Block, other: Block },
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
            Step::Call { too_big, head, .. } | Step::Count { too_big, head, .. } => (Some(too_big), Some(head)),
            Step::Flags { invalid, count, .. } => (Some(invalid), Some(count)),
            Step::Choose { enter, other, .. } => (Some(enter), Some(other)),
            Step::Head { enter, done, .. } => (Some(enter), Some(done)),
            Step::Latch { head, done, .. } => (Some(done), Some(head)),
            Step::Enter { entry, .. } => (Some(entry), None),
            Step::Invalid { next } | Step::TooBig { next, .. } | Step::Done { next, .. } => (Some(next), None),
        }
    }

    /// From what is live behind it to what is live before it; the call's arguments are seen to by the call.
    pub(super) fn before(self, frame: FrameIdx, live: &mut LiveSet) {
        let own = |own: FrameIdx, reg: Reg| FrameReg::new(own, reg);
        match self {
            Step::Call { own: loop_frame, .. } | Step::Flags { own: loop_frame, .. } => {
                for reg in [ROUND, ROUNDS, CONTEXT, CALLBACK] {
                    live.remove(&own(loop_frame, reg));
                }
            }
            Step::Invalid { .. } | Step::TooBig { .. } => {
                live.remove(&FrameReg::new(frame, Reg(0)));
            }
            Step::Count { own: loop_frame, .. } => {
                live.insert(own(loop_frame, ROUNDS));
            }
            Step::Choose { own: loop_frame, .. } => {
                live.insert(own(loop_frame, CALLBACK));
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
    /// The blocks of the loop that starts with the call at `at`.
    pub(super) fn bpf_loop(&mut self, frame: FrameIdx, at: InsnIdx) -> Result<End, Diagnostic> {
        let Some(next) = self.reachable_block(frame, at.next()) else { return Ok(End::Dead) };
        let fact = |reg: usize| match self.lifter.facts.before.get(at.at()) {
            Some(Some(state)) => state.regs.get(reg).copied().unwrap_or(Fact::Unknown),
            _ => Fact::Unknown,
        };
        let flags = match fact(4) {
            Fact::Scalar(range) => exact(&range),
            _ => None,
        };
        if flags.is_some_and(|flags| flags != 0) {
            return Ok(End::Loop(Step::Invalid { next }));
        }
        let targets = match fact(2) {
            Fact::Func(target) => vec![target],
            _ => self.callbacks(),
        };
        // As kernel/bpf/verifier.c decides it, loop_flag_is_zero and update_loop_inline_state.
        let expanded = flags == Some(0) && targets.len() == 1;
        let own = self.out.frames.len();
        let loop_frame = Frame { latch: None, ..self.out.frames[frame].clone() };
        self.out.frames.push(loop_frame);
        let mut callees = Vec::new();
        for target in targets {
            callees.push((target, self.enter(frame, at, target, Some((own, at.next())))?));
        }
        let mut add = |how: End| {
            let block = Block(self.out.regions.len() as u32);
            self.out.regions.push(Region { frame, first: at.0, end: at.0, how });
            block
        };
        // What is not known yet is set below.
        let too_big = add(End::Loop(Step::TooBig { next, wide: !expanded }));
        let done = add(End::Loop(Step::Done { own, next }));
        let (latch, head) = (add(End::Dead), add(End::Dead));
        let enters: Vec<Block> = callees.iter().map(|_| add(End::Dead)).collect();
        let Some(mut first) = enters.last().copied() else { return Ok(End::Dead) };
        for (&(target, _), &enter) in callees.iter().zip(&enters).rev().skip(1) {
            first = add(End::Loop(Step::Choose { own, target, enter, other: first }));
        }
        let call = match flags {
            Some(_) => Step::Call { own, expanded, too_big, head },
            None => {
                let invalid = add(End::Loop(Step::Invalid { next }));
                let count = add(End::Loop(Step::Count { own, too_big, head }));
                Step::Flags { own, invalid, count }
            }
        };
        for (&(target, callee), &enter) in callees.iter().zip(&enters) {
            self.out.frames[callee].latch = Some(latch);
            if let Some(entry) = self.reachable_block(callee, target) {
                self.out.regions[enter.at()].how = End::Loop(Step::Enter { own, callee, entry });
            }
        }
        self.out.regions[latch.at()].how = End::Loop(Step::Latch { own, head, done });
        self.out.regions[head.at()].how = End::Loop(Step::Head { own, enter: first, done });
        Ok(End::Loop(call))
    }

    /// Functions whose address is taken, ascending.
    fn callbacks(&self) -> Vec<InsnIdx> {
        let entries = self.lifter.program.insns.iter().filter_map(|insn| match insn {
            Insn::LoadImm64 { value: Imm64::Func(target), .. } => Some(*target),
            _ => None,
        });
        entries.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Builder<'_> {
    /// The terminator of a block of a loop, and what it does before.
    pub(super) fn loop_step(&mut self, step: Step) -> Result<Term, Diagnostic> {
        let error = |code: i64| code.cast_unsigned();
        Ok(match step {
            Step::Call { own, .. } | Step::Flags { own, .. } => {
                let mut rounds = self.number(Reg(1))?;
                if !matches!(step, Step::Call { expanded: true, .. }) {
                    rounds = self.unary(AluOp::Mov, false, rounds);
                }
                let callback = self.read(Reg(2));
                let context = self.read(Reg(3));
                if let Some(address) = self.stack_address(Reg(3)) {
                    self.callers.addresses.insert(context, address);
                }
                let zero = self.constant(0);
                self.callers.taken.insert(zero, Taken::Number);
                let flags = if let Step::Flags { .. } = step { Some(self.number(Reg(4))?) } else { None };
                for (reg, value) in [(ROUND, zero), (ROUNDS, rounds), (CONTEXT, context), (CALLBACK, callback)] {
                    self.regs.insert(FrameReg::new(own, reg), value);
                }
                self.clobber(self.frame);
                match (step, flags) {
                    (Step::Flags { invalid, count, .. }, Some(a)) => {
                        let (then, els) = (self.jump(invalid), self.jump(count));
                        Term::Branch { op: CmpOp::Ne, wide: true, a, b: zero, then, els }
                    }
                    (Step::Call { too_big, head, .. }, _) => self.count(rounds, too_big, head),
                    _ => Term::Unreachable,
                }
            }
            Step::Count { own, too_big, head } => {
                let rounds = self.own(own, ROUNDS);
                self.count(rounds, too_big, head)
            }
            Step::Choose { own, target, enter, other } => {
                let (a, b) = (self.own(own, CALLBACK), self.constant(target.0.into()));
                let (then, els) = (self.jump(enter), self.jump(other));
                Term::Branch { op: CmpOp::Eq, wide: true, a, b, then, els }
            }
            Step::Invalid { next } | Step::TooBig { next, .. } => {
                let code = match step {
                    Step::Invalid { .. } => error(-22),
                    Step::TooBig { wide: true, .. } => error(-7),
                    _ => error(-7) & u64::from(u32::MAX),
                };
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

    /// Are there too many rounds?
    fn count(&mut self, rounds: Value, too_big: Block, head: Block) -> Term {
        let most = self.constant(MAX_LOOPS);
        let (then, els) = (self.jump(too_big), self.jump(head));
        Term::Branch { op: CmpOp::Ltu, wide: true, a: most, b: rounds, then, els }
    }

    fn own(&mut self, own: FrameIdx, reg: Reg) -> Value {
        match self.regs.get(&FrameReg::new(own, reg)) {
            Some(value) => *value,
            None => self.constant(0),
        }
    }
}
