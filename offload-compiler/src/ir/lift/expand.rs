//! Basic blocks of a program with all local calls inlined.

use super::Lifter;
use crate::ebpf::{Insn, InsnIdx, Reg};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Block, BlockData, Func, Jump, Term};
use crate::object::Program;
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use std::collections::BTreeMap;

/// Bytes of stack that the device has for all frames together.
const STACK: u32 = 512;
/// Deepest nesting of local calls (the kernel's MAX_CALL_FRAMES).
const DEPTH: u32 = 8;
/// Most instructions after inlining: more would not fit the instruction store by far.
const INSNS: usize = 1 << 17;
/// Most call sites after inlining.
const FRAMES: usize = 512;

/// Index of an inlined copy of a function; 0 is the program itself.
pub(super) type FrameIdx = usize;

/// One inlined copy of a function.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Stack address of its r10.
    pub(super) r10: u32,
    /// Caller and the instruction to return to.
    pub(super) caller: Option<(FrameIdx, InsnIdx)>,
    depth: u32,
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
}

impl Expanded {
    /// The function's blocks with jumps but without instructions.
    pub(super) fn skeleton(&self, program: &Program) -> Func {
        let blocks = self.regions.iter().map(|region| {
            let mut to = region.successors().map(Jump::to);
            let term = match (to.next(), to.next()) {
                (Some(pass), Some(fail)) => Term::Guard { base: None, len: 0, pass, fail },
                (Some(jump), None) => Term::Jump(jump),
                _ => Term::Unreachable,
            };
            BlockData { params: Vec::new(), insts: Vec::new(), term, term_insn: region.last() }
        });
        Func { name: program.name.clone(), blocks: blocks.collect(), values: 0 }
    }
}

/// Cuts the program into regions.
pub(super) fn expand(lifter: &Lifter) -> Result<Expanded, Diagnostic> {
    let insns = &lifter.program.insns;
    if !lifter.is_reachable(InsnIdx(0)) {
        return Err(lifter.refuse(InsnIdx(0), compiler::UNSUPPORTED, "the program has no instructions"));
    }
    let mut leaders = vec![false; insns.len()];
    let mut restarts = false;
    for insn in insns {
        let (Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target }) = insn else { continue };
        restarts |= target.at() == 0;
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
        out: Expanded { frames: vec![Frame { r10: STACK, caller: None, depth: 1 }], regions: Vec::new() },
        insns: 0,
    };
    if restarts {
        // The entry of the IR must have no predecessors.
        expander.out.regions.push(Region { frame: 0, first: 0, end: 0, how: End::Fall(Block(1)) });
    }
    expander.block(0, InsnIdx(0));
    while let Some(block) = expander.work.pop() {
        expander.region(block)?;
    }
    Ok(expander.out)
}

/// For each function (by first instruction) the bytes of stack that it uses.
fn stack_depths(lifter: &Lifter) -> BTreeMap<u32, u32> {
    let mut starts: BTreeMap<u32, u32> = lifter.program.functions.iter().map(|(first, _)| (first.0, 0)).collect();
    for insn in &lifter.program.insns {
        if let Insn::CallLocal { target } = insn {
            starts.entry(target.0).or_default();
        }
    }
    starts.entry(0).or_default();
    for (at, insn) in (0u32..).zip(&lifter.program.insns) {
        let Some(Some(state)) = lifter.facts.before.get(at as usize) else { continue };
        let mut deepest = 0i64;
        let mut look = |reg: Reg, off: i16| {
            if let Some(Fact::Ptr { kind: PtrKind::Stack, offset, .. }) = state.regs.get(usize::from(reg.0)) {
                deepest = deepest.min(offset.smin.saturating_add(i64::from(off)));
            }
        };
        match *insn {
            Insn::Load { base, off, .. } | Insn::Store { base, off, .. } | Insn::Atomic { base, off, .. } => {
                look(base, off);
            }
            Insn::CallHelper { .. } => (1..=5).for_each(|reg| look(Reg(reg), 0)),
            _ => {}
        }
        let bytes = deepest.unsigned_abs().min(u64::from(STACK) + 8) as u32;
        if let Some((_, depth)) = starts.range_mut(..=at).next_back() {
            *depth = (*depth).max(bytes.next_multiple_of(8));
        }
    }
    starts
}

struct Expander<'a> {
    lifter: &'a Lifter<'a>,
    leaders: Vec<bool>,
    depths: BTreeMap<u32, u32>,
    /// Block by frame and first instruction.
    known: BTreeMap<(FrameIdx, InsnIdx), Block>,
    /// Blocks that are not cut yet.
    work: Vec<Block>,
    out: Expanded,
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
    fn reachable_block(&mut self, frame: FrameIdx, first: InsnIdx) -> Option<Block> {
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
                Insn::CallLocal { target } => self.call(frame, at, target)?,
                Insn::Exit => match self.out.frames[frame].caller {
                    None => End::Exit,
                    Some((caller, on)) => match self.reachable_block(caller, on) {
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
            return Err(self.lifter.refuse(InsnIdx(first), compiler::TOO_LARGE, message));
        }
        let region = &mut self.out.regions[block.at()];
        region.end = at.0;
        region.how = how;
        Ok(())
    }

    /// A new frame for a local call.
    fn call(&mut self, frame: FrameIdx, at: InsnIdx, target: InsnIdx) -> Result<End, Diagnostic> {
        let caller = &self.out.frames[frame];
        let function = |insn: InsnIdx| self.depths.range(..=insn.0).next_back().map_or(0, |(_, depth)| *depth);
        let depth = caller.depth + 1;
        let used = STACK - caller.r10 + function(at);
        let needed = used + function(target);
        if depth > DEPTH || self.out.frames.len() >= FRAMES {
            let message = "local calls are nested too deeply or stand in too many places to be inlined";
            return Err(self.lifter.refuse(at, compiler::TOO_LARGE, message).with_reason(format!(
                "the compiler inlines local calls, at most {DEPTH} deep and {FRAMES} call sites in all"
            )));
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
        let r10 = STACK - used;
        let callee = self.out.frames.len();
        self.out.frames.push(Frame { r10, caller: Some((frame, at.next())), depth });
        Ok(match self.reachable_block(callee, target) {
            Some(block) => End::Call(block, callee),
            None => End::Dead,
        })
    }
}
