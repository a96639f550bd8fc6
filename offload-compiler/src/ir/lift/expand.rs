//! Basic blocks of a program with all local calls inlined.

use super::Lifter;
use super::call::Helper;
use super::loops::Step;
use super::stack::stack_depths;
use crate::ebpf::{Insn, InsnIdx};
use crate::ir::{Block, BlockData, Func, Jump, Term};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use std::collections::BTreeMap;

/// Bytes of stack that the device has for all frames together.
pub(super) const STACK: u32 = 512;
/// Deepest nesting of local calls (the kernel's MAX_CALL_FRAMES).
const DEPTH: u32 = 8;
/// Most instructions after inlining: more would not fit the instruction store by far.
const INSNS: usize = 1 << 17;
/// Most call sites after inlining.
pub(super) const FRAMES: usize = 512;

/// Index of an inlined copy of a function; 0 is the program itself.
pub(super) type FrameIdx = usize;

/// One inlined copy of a function.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Stack address of its r10.
    pub(super) r10: u32,
    /// Caller and the instruction to return to.
    pub(super) caller: Option<(FrameIdx, InsnIdx)>,
    pub(super) depth: u32,
    /// The callback of a bpf_loop returns to this block.
    pub(super) latch: Option<Block>,
}

/// How a block of instructions ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With its last instruction, which goes on there.
    Jump(Block),
    /// Falls into the next block; its last instruction is an ordinary one.
    Fall(Block),
    /// With its last instruction, a conditional jump; `None` where the facts say that it never goes.
    Branch { taken: Option<Block>, next: Option<Block> },
    /// With its last instruction, a local call into this block of that frame.
    Call(Block, FrameIdx),
    /// With an exit of an inlined function: on in the caller.
    Return(Block),
    /// With an exit of the program.
    Exit,
    /// A part of a bpf_loop.
    Loop(Step),
    /// Execution never gets to its end.
    Dead,
}

/// A block of instructions `first..end` of one frame.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) frame: FrameIdx,
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) how: End,
}

impl Region {
    /// Its last instruction.
    pub(super) fn last(&self) -> InsnIdx {
        InsnIdx(self.end.saturating_sub(1).max(self.first))
    }

    /// Blocks that it may go on at.
    pub(super) fn successors(&self) -> impl Iterator<Item = Block> + use<> {
        let (a, b) = match self.how {
            End::Jump(to) | End::Fall(to) | End::Call(to, _) | End::Return(to) => (Some(to), None),
            End::Branch { taken, next } => (taken, next),
            End::Loop(step) => step.successors(),
            End::Exit | End::Dead => (None, None),
        };
        a.into_iter().chain(b)
    }
}

/// The program as regions; region n becomes block n.
#[derive(Clone, Debug)]
pub(super) struct Expanded {
    pub(super) frames: Vec<Frame>,
    /// The first one is empty if something jumps back to the first instruction.
    pub(super) regions: Vec<Region>,
    /// Functions that are called, not inlined, each with where its frame would be for that call.
    pub(super) calls: Vec<(InsnIdx, Frame)>,
}

impl Expanded {
    /// The function's blocks with jumps but without instructions.
    pub(super) fn skeleton(&self, name: &str) -> Func {
        let blocks = self.regions.iter().map(|region| {
            let mut to = region.successors().map(Jump::to);
            let term = match (to.next(), to.next()) {
                (Some(pass), Some(fail)) => Term::Guard { base: None, len: 0, pass, fail },
                (Some(jump), None) => Term::Jump(jump),
                _ => Term::Unreachable,
            };
            BlockData { params: Vec::new(), insts: Vec::new(), term, term_insn: region.last() }
        });
        Func { name: name.to_string(), blocks: blocks.collect(), values: 0 }
    }
}

/// Cuts the program, or the function that starts there, into regions. `frame` is its own.
pub(super) fn expand(lifter: &Lifter, start: InsnIdx, frame: Frame) -> Result<Expanded, Diagnostic> {
    let insns = &lifter.program.insns;
    if !lifter.is_reachable(start) {
        return Err(lifter.refuse(start, compiler::UNSUPPORTED, "the program has no instructions"));
    }
    let mut leaders = vec![false; insns.len()];
    let mut restarts = false;
    for insn in insns {
        let (Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target }) = insn else { continue };
        restarts |= *target == start && !matches!(insn, Insn::CallLocal { .. } if start.0 != 0);
        if let Some(leader) = leaders.get_mut(target.at()) {
            *leader = true;
        }
    }
    let mut expander = Expander {
        lifter,
        leaders,
        depths: stack_depths(lifter),
        known: BTreeMap::new(),
        work: Vec::new(),
        out: Expanded { frames: vec![frame], regions: Vec::new(), calls: Vec::new() },
        insns: 0,
    };
    if restarts {
        // The entry of the IR must have no predecessors.
        expander.out.regions.push(Region { frame: 0, first: start.0, end: start.0, how: End::Fall(Block(1)) });
    }
    expander.block(0, start);
    while let Some(block) = expander.work.pop() {
        expander.region(block)?;
    }
    Ok(expander.out)
}

pub(super) struct Expander<'a> {
    pub(super) lifter: &'a Lifter<'a>,
    leaders: Vec<bool>,
    depths: BTreeMap<u32, u32>,
    /// Block by frame and first instruction.
    known: BTreeMap<(FrameIdx, InsnIdx), Block>,
    /// Blocks that are not cut yet.
    work: Vec<Block>,
    pub(super) out: Expanded,
    insns: usize,
}

impl Expander<'_> {
    /// The block that starts there.
    fn block(&mut self, frame: FrameIdx, first: InsnIdx) -> Block {
        if let Some(block) = self.known.get(&(frame, first)) {
            return *block;
        }
        let block = Block(self.out.regions.len() as u32);
        self.out.regions.push(Region { frame, first: first.0, end: first.0, how: End::Dead });
        self.known.insert((frame, first), block);
        self.work.push(block);
        block
    }

    /// The same, `None` if no execution comes there.
    pub(super) fn reachable_block(&mut self, frame: FrameIdx, first: InsnIdx) -> Option<Block> {
        self.lifter.is_reachable(first).then(|| self.block(frame, first))
    }

    /// Finds the end of a region.
    fn region(&mut self, block: Block) -> Result<(), Diagnostic> {
        let (frame, first) = (self.out.regions[block.at()].frame, self.out.regions[block.at()].first);
        let mut at = InsnIdx(first);
        let how = loop {
            let Some(insn) = self.lifter.program.insns.get(at.at()).filter(|_| self.lifter.is_reachable(at)) else {
                // Behind an instruction that never ends (or of the second half of a wide one).
                match self.lifter.program.insns.get(at.at()) {
                    Some(Insn::Wide) if at.0 > first => {
                        at = at.next();
                        continue;
                    }
                    _ => break End::Dead,
                }
            };
            if at.0 > first && self.leaders[at.at()] {
                break End::Fall(self.block(frame, at));
            }
            let next = at.next();
            self.insns += 1;
            let how = match *insn {
                Insn::Jump { target } => match self.reachable_block(frame, target) {
                    Some(target) => End::Jump(target),
                    None => End::Dead,
                },
                Insn::JumpIf { target, .. } => {
                    let taken = self.reachable_block(frame, target);
                    End::Branch { taken, next: self.reachable_block(frame, next) }
                }
                Insn::CallLocal { target } if self.lifter.functions.contains_key(&target) => {
                    let callee = self.frame(frame, at, target)?;
                    self.out.calls.push((target, callee));
                    at = next;
                    continue;
                }
                Insn::CallLocal { target } => self.call(frame, at, target)?,
                Insn::CallHelper { id } if Helper::find(id) == Some(Helper::Loop) => self.bpf_loop(frame, at)?,
                Insn::Exit => match (self.out.frames[frame].caller, self.out.frames[frame].latch) {
                    (None, _) => End::Exit,
                    (Some(_), Some(latch)) => End::Return(latch),
                    (Some((caller, on)), None) => match self.reachable_block(caller, on) {
                        Some(on) => End::Return(on),
                        None => End::Dead,
                    },
                },
                _ => {
                    at = next;
                    continue;
                }
            };
            at = next;
            break how;
        };
        if self.insns > INSNS {
            let message = format!("the program has more than {INSNS} instructions after inlining its local calls");
            return Err(self
                .lifter
                .refuse(InsnIdx(first), compiler::TOO_LARGE, message)
                .with_reason(format!("{} calls are inlined so far", self.out.frames.len().saturating_sub(1)))
                .with_help("call large functions from fewer places, or split the program by tail calls"));
        }
        let region = &mut self.out.regions[block.at()];
        region.end = at.0;
        region.how = how;
        Ok(())
    }

    /// A local call.
    fn call(&mut self, frame: FrameIdx, at: InsnIdx, target: InsnIdx) -> Result<End, Diagnostic> {
        let callee = self.enter(frame, at, target, Some((frame, at.next())))?;
        Ok(match self.reachable_block(callee, target) {
            Some(block) => End::Call(block, callee),
            None => End::Dead,
        })
    }

    /// A new frame for a function that is called from there.
    pub(super) fn enter(
        &mut self,
        frame: FrameIdx,
        at: InsnIdx,
        target: InsnIdx,
        back: Option<(FrameIdx, InsnIdx)>,
    ) -> Result<FrameIdx, Diagnostic> {
        if self.out.frames.len() >= FRAMES {
            let name = self.lifter.function(target);
            let message = format!("the call of {name} stands in one place too many to be inlined");
            return Err(self
                .lifter
                .refuse(at, compiler::TOO_LARGE, message)
                .with_reason(format!("at most {FRAMES} calls are inlined in one function"))
                .with_help(format!("call {name} from fewer places, or split the program by tail calls")));
        }
        let callee = self.frame(frame, at, target)?;
        self.out.frames.push(Frame { caller: back, ..callee });
        Ok(self.out.frames.len() - 1)
    }

    /// Where the frame of a function is that is called from there.
    fn frame(&self, frame: FrameIdx, at: InsnIdx, target: InsnIdx) -> Result<Frame, Diagnostic> {
        let caller = &self.out.frames[frame];
        let function = |insn: InsnIdx| self.depths.range(..=insn.0).next_back().map_or(0, |(_, depth)| *depth);
        let depth = caller.depth + 1;
        let used = STACK - caller.r10 + function(at);
        let needed = used + function(target);
        if depth > DEPTH {
            let name = self.lifter.function(target);
            return Err(self
                .lifter
                .refuse(at, compiler::TOO_LARGE, format!("the call of {name} is nested too deeply"))
                .with_reason(format!("calls may be {DEPTH} deep, the program itself included"))
                .with_help("make some of the functions __always_inline"));
        }
        if needed > STACK {
            let message = "the stack frames of nested functions do not fit the device's stack";
            let reason = format!(
                "the callers' frames and this one take {needed} bytes; the device has {STACK} for all of them together"
            );
            return Err(self
                .lifter
                .refuse(at, compiler::STACK_TOO_DEEP, message)
                .with_reason(reason)
                .with_help("make the buffers on the stack smaller, or move one of them into a per-CPU array map"));
        }
        Ok(Frame { r10: STACK - used, caller: None, depth, latch: None })
    }
}
