//! States at block starts, by iteration until nothing grows.

use super::blocks::Blocks;
use super::step;
use super::value::{Frame, Named, Val};
use super::{Facts, Place, PtrKind};
use crate::ebpf::{Cond, Insn, InsnIdx, Width};
use crate::object::{Object, Program};
use crate::range::Num;
use crate::verify::protos::{self, number};
use offwire_diag::Diagnostic;
use std::collections::BTreeSet;

/// Growth steps of a loop head's state before it is loosened.
const PATIENCE: u32 = 3;
/// The same for any other block: cycles through calls and returns have to end, too.
const PATIENCE_ELSEWHERE: u32 = 64;
/// Rounds that take back what loosening lost.
const TIGHTEN: u32 = 2;

/// Facts before each instruction.
///
/// Ends on every program; the facts hold for programs that the verifier accepted. No error is defined today.
pub fn analyze(object: &Object, program: &Program) -> Result<Facts, Diagnostic> {
    let mut before = vec![None; program.insns.len()];
    each_state(object, program, &mut |at, frame| {
        if let Some(place) = before.get_mut(at) {
            *place = Some(frame.export());
        }
    });
    Ok(Facts { before })
}

/// Takes an instruction's number and where registers may point before it.
pub(crate) type SeePlaces<'a> = &'a mut dyn FnMut(usize, &dyn Fn(u8) -> Place);

/// Shows where registers may point before each instruction that execution may reach.
pub(crate) fn visit(object: &Object, program: &Program, see: SeePlaces<'_>) {
    each_state(object, program, &mut |at, frame| see(at, &|reg| frame.reg(reg).val.place()));
}

fn each_state(object: &Object, program: &Program, see: &mut dyn FnMut(usize, &Frame)) {
    let pass = Pass { object, insns: &program.insns, blocks: Blocks::new(&program.insns) };
    let (mut solved, widened) = pass.solve();
    for _ in 0..if widened { TIGHTEN } else { 0 } {
        // One more application of all equations at once to a solution gives a solution again, and a tighter one.
        solved = pass.apply(&solved);
    }
    for (block, state) in solved.blocks.iter().enumerate() {
        if let Some(state) = state {
            pass.walk(block, state.clone(), &solved, see);
        }
    }
}

/// What all steps need to know.
pub(super) struct Pass<'a> {
    pub(super) object: &'a Object,
    insns: &'a [Insn],
    blocks: Blocks,
}

/// States at block starts and r0 at function exits; `None` where no execution comes.
#[derive(Clone)]
struct Solution {
    blocks: Vec<Option<Frame>>,
    /// By the function's entry instruction.
    results: Vec<Option<Named>>,
}

impl Solution {
    fn result(&self, entry: usize) -> Option<Named> {
        self.results.get(entry).copied().flatten()
    }
}

/// What a block hands on.
#[expect(clippy::large_enum_variant, reason = "short-lived, and nearly all are the large one")]
enum Out {
    /// A state at the start of a block.
    To(usize, Frame),
    /// r0 at the exit of the function with this entry.
    Returns(usize, Named),
}

impl Pass<'_> {
    fn start(&self) -> Solution {
        let entry = Frame::entry([Val::ptr(PtrKind::Ctx, 0), Val::Uninit, Val::Uninit, Val::Uninit, Val::Uninit]);
        let mut blocks = vec![None; self.blocks.starts.len()];
        if let Some(first) = blocks.first_mut() {
            *first = Some(entry);
        }
        Solution { blocks, results: vec![None; self.insns.len()] }
    }

    /// Also tells whether anything was loosened.
    fn solve(&self) -> (Solution, bool) {
        let mut solution = self.start();
        let mut widened = false;
        let mut growth = vec![0u32; self.blocks.starts.len()];
        let mut result_growth = vec![0u32; self.insns.len()];
        let mut pending = BTreeSet::from([0]);
        while let Some(block) = pending.pop_first() {
            let Some(state) = solution.blocks.get(block).cloned().flatten() else { continue };
            for out in self.walk(block, state, &solution, &mut |_, _| {}) {
                match out {
                    Out::To(target, incoming) => {
                        let (Some(place), Some(count)) = (solution.blocks.get_mut(target), growth.get_mut(target))
                        else {
                            continue;
                        };
                        let patience = if target <= block { PATIENCE } else { PATIENCE_ELSEWHERE };
                        let next = match place {
                            None => incoming,
                            Some(old) if *count >= patience => {
                                widened = true;
                                old.widen(&incoming)
                            }
                            Some(old) => old.join(&incoming),
                        };
                        if place.as_ref() != Some(&next) {
                            *place = Some(next);
                            *count = count.saturating_add(1);
                            pending.insert(target);
                        }
                    }
                    Out::Returns(entry, result) => {
                        let (Some(place), Some(count)) =
                            (solution.results.get_mut(entry), result_growth.get_mut(entry))
                        else {
                            continue;
                        };
                        let next = match place {
                            None => result,
                            // Results are not worth landmarks.
                            Some(_) if *count >= PATIENCE_ELSEWHERE => Named::UNKNOWN,
                            Some(old) => old.join(result),
                        };
                        if *place != Some(next) {
                            *place = Some(next);
                            *count = count.saturating_add(1);
                            pending.extend(self.call_sites(entry));
                        }
                    }
                }
            }
        }
        (solution, widened)
    }

    /// Applies all equations once.
    fn apply(&self, old: &Solution) -> Solution {
        let mut new = self.start();
        for (block, state) in old.blocks.iter().enumerate() {
            let Some(state) = state else { continue };
            for out in self.walk(block, state.clone(), old, &mut |_, _| {}) {
                match out {
                    Out::To(target, incoming) => {
                        if let Some(place) = new.blocks.get_mut(target) {
                            *place = Some(place.as_ref().map_or_else(|| incoming.clone(), |old| old.join(&incoming)));
                        }
                    }
                    Out::Returns(entry, result) => {
                        if let Some(place) = new.results.get_mut(entry) {
                            *place = Some(place.map_or(result, |old| old.join(result)));
                        }
                    }
                }
            }
        }
        new
    }

    /// Runs through a block, shows the state before each instruction, and returns what it hands on.
    fn walk(&self, block: usize, mut frame: Frame, known: &Solution, see: &mut dyn FnMut(usize, &Frame)) -> Vec<Out> {
        let start = self.blocks.starts.get(block).copied().unwrap_or(0);
        let end = self.blocks.starts.get(block.saturating_add(1)).copied().unwrap_or(self.insns.len());
        let to = |insn: InsnIdx, frame: Frame| self.blocks.at(insn).map(|block| Out::To(block, frame));
        let mut outs = Vec::new();
        for (at, insn) in self.insns.iter().enumerate().take(end).skip(start) {
            see(at, &frame);
            let next = InsnIdx(u32::try_from(at).unwrap_or(u32::MAX)).next();
            match *insn {
                Insn::Jump { target } => {
                    outs.extend(to(target, frame));
                    return outs;
                }
                Insn::JumpIf { width, cond, dst, src, target } => {
                    let [taken, not_taken] = Self::branch(&frame, width, cond, dst, src);
                    let sides = [(target, taken), (next, not_taken)];
                    outs.extend(sides.into_iter().filter_map(|(insn, side)| to(insn, side?)));
                    return outs;
                }
                Insn::CallLocal { target } => {
                    outs.extend(self.call(frame, target, next, known));
                    return outs;
                }
                Insn::Exit => {
                    outs.push(Out::Returns(self.blocks.function(block), for_caller(frame.reg(0))));
                    return outs;
                }
                Insn::CallHelper { id: number::TAIL_CALL } => {
                    // The other program returns to the caller.
                    outs.push(Out::Returns(self.blocks.function(block), Named::new(Val::Num(Num::ANY))));
                    self.step(at, insn, &mut frame);
                }
                Insn::CallHelper { id: number::LOOP } => {
                    outs.extend(self.call_back(&mut frame));
                    self.step(at, insn, &mut frame);
                }
                _ => self.step(at, insn, &mut frame),
            }
        }
        let next = InsnIdx(u32::try_from(end).unwrap_or(u32::MAX));
        outs.extend(to(next, frame));
        outs
    }

    /// `bpf_loop` may call any of these functions, any number of times.
    fn call_back(&self, frame: &mut Frame) -> Vec<Out> {
        let [count, callback, context] = [1, 2, 3].map(|reg| frame.reg(reg).val);
        let known;
        let functions = match callback {
            Val::Func(entry) => {
                known = [entry];
                &known[..]
            }
            _ => &self.blocks.callbacks,
        };
        let index = Num::loaded(protos::MAX_LOOPS_LOG2, false);
        // Of the count the low half is used.
        let index = match count {
            Val::Num(num) if num.wide.umax <= u32::MAX.into() => {
                Num::refine(Cond::Lt, Width::W64, true, index, num).map_or(index, |(index, _)| index)
            }
            _ => index,
        };
        let args = [Val::Num(index), for_callee(context), Val::Uninit, Val::Uninit, Val::Uninit];
        let outs = functions.iter().filter_map(|&entry| Some(Out::To(self.blocks.at(entry)?, Frame::entry(args))));
        let outs = outs.collect();
        if matches!(context, Val::Unknown | Val::Ptr { kind: PtrKind::Stack, .. }) {
            frame.forget_slots();
        }
        if functions.iter().any(|&entry| self.blocks.changes_packet(entry)) {
            step::forget_packet(frame);
        }
        if functions.iter().any(|&entry| self.blocks.releases(entry)) {
            step::forget_records(frame);
        }
        outs
    }

    fn call(&self, mut frame: Frame, target: InsnIdx, next: InsnIdx, known: &Solution) -> Vec<Out> {
        let args: [Val; 5] = [1, 2, 3, 4, 5].map(|reg| for_callee(frame.reg(reg).val));
        let mut outs = Vec::new();
        outs.extend(self.blocks.at(target).map(|block| Out::To(block, Frame::entry(args))));
        if let (Some(result), Some(block)) = (known.result(target.at()), self.blocks.at(next)) {
            // The callee can write to this frame only through a pointer that it was given. Frames of callers hold none to
            // this one.
            let own = |reg| matches!(frame.reg(reg).val, Val::Unknown | Val::Ptr { kind: PtrKind::Stack, .. });
            if (1..=5).any(own) {
                frame.forget_slots();
            }
            if self.blocks.changes_packet(target) {
                step::forget_packet(&mut frame);
            }
            if self.blocks.releases(target) {
                step::forget_records(&mut frame);
            }
            step::clobber(&mut frame);
            frame.set_reg(0, result);
            outs.push(Out::To(block, frame));
        }
        outs
    }

    /// Blocks that end with a call of the function.
    fn call_sites(&self, entry: usize) -> Vec<usize> {
        let calls = self
            .insns
            .iter()
            .enumerate()
            .filter(|(_, insn)| matches!(insn, Insn::CallLocal { target } if target.at() == entry));
        calls.map(|(at, _)| self.blocks.starts.partition_point(|&start| start <= at).saturating_sub(1)).collect()
    }
}

/// What a value is in the function that is called: this frame is a caller's there.
fn for_callee(val: Val) -> Val {
    match val {
        Val::Ptr { kind: PtrKind::Stack | PtrKind::CallerStack, maybe_null, .. } => {
            Val::Ptr { kind: PtrKind::CallerStack, offset: Num::ANY, maybe_null }
        }
        val => val,
    }
}

/// What a result is in the caller; which frame a pointer to some caller's points to is not known there. Ids are of one frame.
fn for_caller(named: Named) -> Named {
    match named.val {
        Val::Ptr { kind: PtrKind::Stack | PtrKind::CallerStack, .. } => Named::UNKNOWN,
        val => Named::new(val),
    }
}
