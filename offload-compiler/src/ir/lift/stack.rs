//! How much of the stack each function uses.

use super::Lifter;
use super::call::Helper;
use super::expand::STACK;
use super::live::effects;
use crate::ebpf::{Imm64, Insn, InsnIdx, Reg};
use crate::facts::{Fact, PtrKind};
use std::collections::BTreeMap;

/// For each function (by first instruction) the bytes of stack that it uses.
pub(super) fn stack_depths(lifter: &Lifter) -> BTreeMap<u32, u32> {
    let mut starts: BTreeMap<u32, u32> = lifter.program.functions.iter().map(|(first, _)| (first.0, 0)).collect();
    for insn in &lifter.program.insns {
        if let Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } = insn {
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
            // Other registers may hold addresses that are long of no use.
            Insn::CallHelper { id } => {
                let arguments = Helper::find(id).map_or(&[][..], Helper::memory_arguments);
                arguments.iter().for_each(|reg| look(*reg, 0));
            }
            // What the function is given it may fill.
            Insn::CallLocal { target } => {
                let uses = arguments_used(lifter, target);
                (1..=5).filter(|reg| uses[usize::from(*reg)]).for_each(|reg| look(Reg(reg), 0));
            }
            _ => {}
        }
        let bytes = deepest.unsigned_abs().min(u64::from(STACK) + 8) as u32;
        if let Some((_, depth)) = starts.range_mut(..=at).next_back() {
            *depth = (*depth).max(bytes.next_multiple_of(8));
        }
    }
    starts
}

/// Which of r1 to r5 a function may look at.
fn arguments_used(lifter: &Lifter, target: InsnIdx) -> [bool; 6] {
    let starts = lifter.program.functions.iter().map(|(first, _)| first.0);
    let end = starts.filter(|first| *first > target.0).min().unwrap_or(u32::MAX);
    let mut used = [false; 6];
    let mut note = |reg: Reg| {
        if let Some(used) = used.get_mut(usize::from(reg.0)) {
            *used = true;
        }
    };
    for insn in lifter.program.insns.iter().take(end as usize).skip(target.at()) {
        match *insn {
            // They go on to somebody else.
            Insn::CallLocal { .. } => (1..=5).map(Reg).for_each(&mut note),
            Insn::CallHelper { id } => Helper::find(id).into_iter().flat_map(Helper::arguments).for_each(&mut note),
            _ => effects(insn).1.into_iter().flatten().for_each(&mut note),
        }
    }
    used
}
