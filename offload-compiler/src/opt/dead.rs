//! Removes instructions whose results nobody uses, and stores to stack bytes that nobody reads.

use super::MapTable;
use super::alias::{self, Place};
use super::params::keep_arguments;
use crate::ir::{Cfg, Func, Mem, Op, Term, Value};
use offwire_isa::{STACK_BYTES, Space};

/// The pass.
pub(super) fn run(func: &mut Func, maps: &MapTable) {
    dead_stores(func, maps);
    dead_values(func);
}

/// Keeps what effects and terminators need, and what that needs.
fn dead_values(func: &mut Func) {
    // Arguments by parameter, to be needed once the parameter is.
    let mut feeds: Vec<Vec<Value>> = vec![Vec::new(); func.values as usize];
    let mut work: Vec<Value> = Vec::new();
    for block in &func.blocks {
        for inst in &block.insts {
            match inst.result {
                Some(result) if inst.op.is_removable() => inst.op.for_each_use(|value| feeds[result.at()].push(value)),
                _ => inst.op.for_each_use(|value| work.push(value)),
            }
        }
        block.term.for_each_own_use(|value| work.push(value));
        for jump in block.term.jumps() {
            let params = &func.blocks[jump.block.at()].params;
            for (param, arg) in params.iter().zip(&jump.args) {
                feeds[param.at()].push(*arg);
            }
        }
    }
    let mut live = vec![false; func.values as usize];
    while let Some(value) = work.pop() {
        if !std::mem::replace(&mut live[value.at()], true) {
            work.append(&mut feeds[value.at()]);
        }
    }
    for block in func.block_ids() {
        let data = &mut func.blocks[block.at()];
        data.insts.retain_mut(|inst| match inst.result {
            Some(result) if !live[result.at()] => {
                // Nobody wants to know how an update went.
                inst.result = None;
                !inst.op.is_removable()
            }
            _ => true,
        });
        let keep: Vec<usize> = (0..data.params.len()).filter(|at| live[data.params[*at].at()]).collect();
        if keep.len() < data.params.len() {
            data.params = keep.iter().map(|at| data.params[*at]).collect();
            keep_arguments(func, block, &keep);
        }
    }
}

/// A set of stack bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StackBytes([u64; STACK_BYTES as usize / 64]);

impl StackBytes {
    pub(super) const ALL: Self = StackBytes([u64::MAX; STACK_BYTES as usize / 64]);

    /// The bytes of a place on the stack; all if its address is not constant.
    pub(super) fn of(place: &Place) -> Self {
        if place.mem.base.is_some() {
            return Self::ALL;
        }
        let (start, end) = place.range();
        let mut set = StackBytes::default();
        for at in start.clamp(0, i64::from(STACK_BYTES))..end.clamp(0, i64::from(STACK_BYTES)) {
            set.0[at as usize / 64] |= 1 << (at % 64);
        }
        set
    }

    pub(super) fn union(self, other: Self) -> Self {
        StackBytes(std::array::from_fn(|n| self.0[n] | other.0[n]))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        StackBytes(std::array::from_fn(|n| self.0[n] & !other.0[n]))
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }
}

/// Stack bytes that an operation reads.
pub(super) fn stack_reads(op: &Op, maps: &MapTable) -> StackBytes {
    let places = alias::reads(op, maps);
    let stack = places.iter().filter(|place| place.mem.space == Space::Stack);
    stack.map(StackBytes::of).fold(StackBytes::default(), StackBytes::union)
}

/// The place of a store to a constant stack address.
pub(super) fn stack_store(op: &Op) -> Option<Place> {
    match op {
        Op::Store { mem: mem @ Mem { space: Space::Stack, base: None, .. }, size, .. } => Some(Place::new(*mem, *size)),
        _ => None,
    }
}

/// Stack bytes that may still be read, at the start of each block.
pub(super) fn live_stack(func: &Func, cfg: &Cfg, maps: &MapTable) -> Vec<StackBytes> {
    let mut live = vec![StackBytes::default(); func.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in cfg.order.iter().rev() {
            let data = &func.blocks[block.at()];
            let mut now = live_behind(&data.term, &live);
            for inst in data.insts.iter().rev() {
                now = live_before(&inst.op, now, maps);
            }
            changed |= now != live[block.at()];
            live[block.at()] = now;
        }
    }
    live
}

/// Stack bytes that may be read behind a terminator.
pub(super) fn live_behind(term: &Term, live: &[StackBytes]) -> StackBytes {
    term.jumps().map(|jump| live[jump.block.at()]).fold(StackBytes::default(), StackBytes::union)
}

/// From what is live after an operation to what is live before it.
pub(super) fn live_before(op: &Op, after: StackBytes, maps: &MapTable) -> StackBytes {
    match stack_store(op) {
        Some(place) => after.minus(StackBytes::of(&place)),
        None => after.union(stack_reads(op, maps)),
    }
}

fn dead_stores(func: &mut Func, maps: &MapTable) {
    let cfg = Cfg::new(func);
    let live = live_stack(func, &cfg, maps);
    for &block in &cfg.order {
        let data = &mut func.blocks[block.at()];
        let mut now = live_behind(&data.term, &live);
        let mut keep = vec![true; data.insts.len()];
        for (keep, inst) in keep.iter_mut().zip(&data.insts).rev() {
            if stack_store(&inst.op).is_some_and(|place| !now.meets(StackBytes::of(&place))) {
                *keep = false;
            } else {
                now = live_before(&inst.op, now, maps);
            }
        }
        let mut keep = keep.into_iter();
        data.insts.retain(|_| keep.next().unwrap_or(true));
    }
}
