//! Which functions stay functions, so that a program with many calls fits the device. Inlining gives the fewer words per packet, so
//! only what it makes too large is left out of it: the functions with most to gain first.

use super::Lifter;
use super::call::Helper;
use super::expand::FRAMES;
use crate::ebpf::{Imm64, Insn, InsnIdx};
use std::collections::{BTreeMap, BTreeSet};

/// Instructions that a call costs, about: arguments, the call, the return, values kept over it.
const CALL: usize = 6;

/// The functions of a program and their calls.
pub(super) struct CallGraph {
    /// Callers first; the program itself is the first one.
    order: Vec<InsnIdx>,
    functions: BTreeMap<InsnIdx, Function>,
}

#[derive(Default)]
struct Function {
    /// Instructions of its own.
    size: usize,
    /// Calls and callbacks, in order.
    calls: Vec<InsnIdx>,
    /// Functions that it may become: not those that make tail calls, which end their callers, too.
    may_stay: bool,
}

/// A set of functions that stay, and what it makes of the program.
struct Estimate {
    /// Copies of each function.
    copies: BTreeMap<InsnIdx, usize>,
    /// Instructions of each with all that is inlined in it.
    total: BTreeMap<InsnIdx, usize>,
    /// All instructions, and the most calls that are inlined in one function.
    insns: usize,
    frames: usize,
}

impl CallGraph {
    /// Of all instructions that some execution reaches.
    pub(super) fn new(lifter: &Lifter) -> Self {
        let mut functions: BTreeMap<InsnIdx, Function> = BTreeMap::from([(InsnIdx(0), Function::default())]);
        functions.extend(lifter.program.functions.iter().map(|(first, _)| (*first, Function::default())));
        for insn in &lifter.program.insns {
            if let Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } = insn {
                functions.entry(*target).or_default();
            }
        }
        let mut called = BTreeSet::new();
        let mut ends: BTreeSet<InsnIdx> = BTreeSet::new();
        for (at, insn) in (0..).map(InsnIdx).zip(&lifter.program.insns).filter(|(at, _)| lifter.is_reachable(*at)) {
            let Some((first, function)) = functions.range_mut(..=at).next_back() else { continue };
            function.size += 1;
            match *insn {
                Insn::CallLocal { target } => {
                    called.insert(target);
                    function.calls.push(target);
                }
                Insn::LoadImm64 { value: Imm64::Func(target), .. } => function.calls.push(target),
                Insn::CallHelper { id } if Helper::find(id) == Some(Helper::TailCall) => drop(ends.insert(*first)),
                _ => {}
            }
        }
        let order = callers_first(&functions);
        for first in order.iter().rev() {
            if functions.get(first).is_some_and(|function| function.calls.iter().any(|callee| ends.contains(callee))) {
                ends.insert(*first);
            }
        }
        for (first, function) in &mut functions {
            function.may_stay = called.contains(first) && !ends.contains(first) && first.0 != 0;
        }
        CallGraph { order, functions }
    }

    /// The functions that stay, callers first, so that the program has no more than `budget` instructions if that can be: none if all
    /// fit inlined; for a budget of 0 all that may.
    pub(super) fn choose(&self, budget: usize, inlined: &BTreeSet<InsnIdx>) -> Vec<InsnIdx> {
        let may = |first: &&InsnIdx| {
            self.functions.get(*first).is_some_and(|function| function.may_stay) && !inlined.contains(*first)
        };
        let mut stay: BTreeSet<InsnIdx> = BTreeSet::new();
        if budget == 0 {
            stay.extend(self.order.iter().filter(may));
        }
        loop {
            let now = self.estimate(&stay);
            if now.insns <= budget && now.frames < FRAMES {
                break;
            }
            let gain = |first: &InsnIdx| {
                let (copies, total) = (now.copies.get(first).copied()?, now.total.get(first).copied()?);
                copies.saturating_mul(total).checked_sub(total.saturating_add(copies.saturating_mul(CALL)))
            };
            let left = self.order.iter().filter(may).filter(|first| !stay.contains(*first));
            let best = left.filter_map(|first| Some((gain(first)?, *first))).max();
            let Some((_, first)) = best else { break };
            stay.insert(first);
        }
        self.order.iter().copied().filter(|first| stay.contains(first)).collect()
    }

    fn estimate(&self, stay: &BTreeSet<InsnIdx>) -> Estimate {
        let mut copies: BTreeMap<InsnIdx, usize> = BTreeMap::from([(InsnIdx(0), 1)]);
        copies.extend(stay.iter().map(|first| (*first, 1)));
        let mut total: BTreeMap<InsnIdx, usize> = BTreeMap::new();
        let mut frames: BTreeMap<InsnIdx, usize> = BTreeMap::new();
        for first in self.order.iter().rev() {
            let Some(function) = self.functions.get(first) else { continue };
            let (mut insns, mut inside) = (function.size, 0usize);
            for callee in function.calls.iter().filter(|callee| !stay.contains(*callee)) {
                insns = insns.saturating_add(total.get(callee).copied().unwrap_or(0));
                inside = inside.saturating_add(frames.get(callee).copied().unwrap_or(0).saturating_add(1));
            }
            total.insert(*first, insns);
            frames.insert(*first, inside);
        }
        for first in &self.order {
            let own = copies.get(first).copied().unwrap_or(0);
            let Some(function) = self.functions.get(first) else { continue };
            for callee in function.calls.iter().filter(|callee| !stay.contains(*callee)) {
                let copies = copies.entry(*callee).or_default();
                *copies = copies.saturating_add(own);
            }
        }
        let roots = || stay.iter().chain([&InsnIdx(0)]);
        let insns = roots().filter_map(|first| total.get(first)).fold(0usize, |sum, size| sum.saturating_add(*size));
        let frames = roots().filter_map(|first| frames.get(first)).copied().max().unwrap_or(0);
        Estimate { copies, total, insns, frames }
    }
}

/// Functions that are called from the program on, each before those that it calls; one that calls itself stands anywhere.
fn callers_first(functions: &BTreeMap<InsnIdx, Function>) -> Vec<InsnIdx> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([InsnIdx(0)]);
    let mut work = vec![(InsnIdx(0), 0)];
    while let Some((first, next)) = work.last_mut() {
        let first = *first;
        let callee = functions.get(&first).and_then(|function| function.calls.get(*next)).copied();
        *next += 1;
        match callee {
            Some(callee) => {
                if seen.insert(callee) {
                    work.push((callee, 0));
                }
            }
            None => {
                order.push(first);
                work.pop();
            }
        }
    }
    order.reverse();
    order
}
