//! Which registers are live at the start of each region.

use super::Lifter;
use super::call::Helper;
use super::expand::{End, Expanded, FrameIdx, Region};
use crate::ebpf::{AluOp, AtomicOp, Insn, Operand, Reg};
use crate::ir::{Block, Cfg};
use std::collections::BTreeSet;

/// A register of a frame: r0 to r9 of each inlined copy of a function; r10 is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FrameReg(pub(super) u32);

impl FrameReg {
    /// The register of the frame. r10 never stands here.
    pub(super) fn new(frame: FrameIdx, reg: Reg) -> Self {
        FrameReg(frame as u32 * 10 + u32::from(reg.0))
    }
}

/// A set of live registers. Few are live at a time, however many frames there are.
pub(super) type LiveSet = BTreeSet<FrameReg>;

/// Live registers at the start of each region.
pub(super) fn live_in(lifter: &Lifter, expanded: &Expanded, cfg: &Cfg) -> Vec<LiveSet> {
    let mut live: Vec<LiveSet> = vec![LiveSet::new(); expanded.regions.len()];
    let mut waiting: Vec<bool> = vec![true; expanded.regions.len()];
    let mut work: Vec<Block> = cfg.order.clone();
    // Popped from the end, so successors come first.
    while let Some(block) = work.pop() {
        waiting[block.at()] = false;
        let region = &expanded.regions[block.at()];
        let mut now = LiveSet::new();
        for next in region.successors() {
            now.extend(&live[next.at()]);
        }
        before(lifter, expanded, region, &mut now);
        if now != live[block.at()] {
            live[block.at()] = now;
            for &pred in &cfg.preds[block.at()] {
                if !std::mem::replace(&mut waiting[pred.at()], true) {
                    work.push(pred);
                }
            }
        }
    }
    live
}

/// Turns what is live after the region into what is live before it.
fn before(lifter: &Lifter, expanded: &Expanded, region: &Region, live: &mut LiveSet) {
    let key = |reg: u8| FrameReg::new(region.frame, Reg(reg));
    match region.how {
        // The callee's r1 to r5 are the caller's.
        End::Call(_, callee) => {
            for reg in 1..=5 {
                if live.remove(&FrameReg::new(callee, Reg(reg))) {
                    live.insert(key(reg));
                }
            }
        }
        // The caller's r0 is the callee's; its r1 to r5 hold nothing any more.
        End::Return(_) => {
            if let Some((caller, _)) = expanded.frames[region.frame].caller {
                let result = live.remove(&FrameReg::new(caller, Reg(0)));
                for reg in 1..=5 {
                    live.remove(&FrameReg::new(caller, Reg(reg)));
                }
                if result {
                    live.insert(key(0));
                }
            }
        }
        End::Exit => {
            live.insert(key(0));
        }
        End::Loop(step) => step.before(region.frame, live),
        _ => {}
    }
    for at in (region.first..region.end).rev() {
        match lifter.program.insns.get(at as usize) {
            Some(Insn::CallLocal { target }) => {
                if let Some(function) = lifter.functions.get(target) {
                    call(region.frame, &function.arguments, live);
                }
            }
            Some(insn) => step(region.frame, insn, live),
            None => {}
        }
    }
}

/// A call that is not inlined, backwards.
fn call(frame: FrameIdx, arguments: &[Reg], live: &mut LiveSet) {
    for reg in 0..=5 {
        live.remove(&FrameReg::new(frame, Reg(reg)));
    }
    live.extend(arguments.iter().map(|reg| FrameReg::new(frame, *reg)));
}

/// Arguments that a function looks at: what is live where it begins.
pub(super) fn arguments(live: &[LiveSet]) -> Vec<Reg> {
    let first = live.first();
    (1..=5).map(Reg).filter(|reg| first.is_some_and(|live| live.contains(&FrameReg::new(0, *reg)))).collect()
}

/// One instruction, backwards.
fn step(frame: FrameIdx, insn: &Insn, live: &mut LiveSet) {
    let key = |reg: Reg| FrameReg::new(frame, reg);
    if let Insn::CallHelper { id } = *insn {
        for reg in 0..=5 {
            live.remove(&key(Reg(reg)));
        }
        live.extend(Helper::find(id).into_iter().flat_map(Helper::arguments).map(key));
        return;
    }
    let (defines, uses) = effects(insn);
    if let Some(reg) = defines {
        live.remove(&key(reg));
    }
    live.extend(uses.into_iter().flatten().filter(|reg| reg.0 < 10).map(key));
}

/// The register that an instruction defines and those that it uses. Calls and exits are told by the region's end.
pub(super) fn effects(insn: &Insn) -> (Option<Reg>, [Option<Reg>; 3]) {
    let source = |src: Operand| match src {
        Operand::Reg(reg) => Some(reg),
        Operand::Imm(_) => None,
    };
    match *insn {
        Insn::Alu { op: AluOp::Mov, dst, src, .. } => (Some(dst), [source(src), None, None]),
        Insn::Alu { dst, src, .. } => (Some(dst), [Some(dst), source(src), None]),
        Insn::MovSx { dst, src, .. } => (Some(dst), [Some(src), None, None]),
        Insn::Neg { dst, .. } | Insn::Endian { dst, .. } | Insn::Bswap { dst, .. } => {
            (Some(dst), [Some(dst), None, None])
        }
        Insn::LoadImm64 { dst, .. } => (Some(dst), [None; 3]),
        Insn::Load { dst, base, .. } => (Some(dst), [Some(base), None, None]),
        Insn::Store { base, src, .. } => (None, [Some(base), source(src), None]),
        Insn::Atomic { op: AtomicOp::Cmpxchg, base, src, .. } => (Some(Reg(0)), [Some(base), Some(src), Some(Reg(0))]),
        Insn::Atomic { fetch, base, src, .. } => (fetch.then_some(src), [Some(base), Some(src), None]),
        Insn::JumpIf { dst, src, .. } => (None, [Some(dst), source(src), None]),
        Insn::CallHelper { .. }
        | Insn::CallLocal { .. }
        | Insn::CallKfunc { .. }
        | Insn::Wide
        | Insn::Jump { .. }
        | Insn::Exit => (None, [None; 3]),
    }
}
