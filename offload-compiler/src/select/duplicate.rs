//! Tail duplication: what follows a merge is copied for each way into it, so that traces run on to the end of the program. Worth a
//! fifth of the words and more; the price is code, so it is bounded.

use super::constants;
use super::prepare::is_exit;
use crate::ir::{Block, Cfg, Func, Op, Value};
use std::collections::BTreeMap;

/// Instructions that may be copied at a time.
const TAIL: usize = 64;
/// Instructions that a function may grow by: one and a half times its own and some more, but never beyond what surely fits the
/// instruction store at two instructions a word.
const SOME: usize = 128;
const STORE: usize = 6000;

/// Duplicates tails, the last ones first, as long as the function stays small enough.
pub(super) fn duplicate(func: &mut Func) {
    let start = size(func, (0..func.blocks.len()).map(|at| Block(at as u32)));
    let mut room = (start + start / 2 + SOME).min(STORE.saturating_sub(start));
    while let Some((ways, tail, cost)) = candidate(func, room) {
        for (from, n) in ways.into_iter().skip(1) {
            copy(func, from, n, &tail);
        }
        room = room.saturating_sub(cost);
    }
}

/// Instructions that become machine operations.
fn size(func: &Func, blocks: impl Iterator<Item = Block>) -> usize {
    let real = |block: Block| {
        let insts = &func.blocks[block.at()].insts;
        insts.iter().filter(|inst| !matches!(inst.op, Op::Const(_))).count() + 1
    };
    blocks.map(real).sum()
}

/// A way into a block: which block jumps there, with which of its jumps.
type Way = (Block, usize);

/// The last merge, in reverse postorder, whose tail may be copied: the ways into it, all blocks that it dominates, and what the
/// copies cost.
fn candidate(func: &Func, room: usize) -> Option<(Vec<Way>, Vec<Block>, usize)> {
    let cfg = Cfg::new(func);
    let consts = constants(func);
    let exit: Vec<bool> = func.block_ids().map(|block| is_exit(func, &consts, block)).collect();
    // Instructions of all that a block dominates; a dominator stands before what it dominates.
    let mut sizes = vec![0usize; func.blocks.len()];
    for &block in cfg.order.iter().rev() {
        if !exit[block.at()] {
            sizes[block.at()] += size(func, std::iter::once(block));
        }
        if let Some(dominator) = cfg.idom(block) {
            sizes[dominator.at()] += sizes[block.at()];
        }
    }
    for &merge in cfg.order.iter().rev() {
        let preds = &cfg.preds[merge.at()];
        let is_loop = preds.iter().any(|pred| cfg.dominates(merge, *pred));
        if preds.len() < 2 || is_loop || exit[merge.at()] {
            continue;
        }
        let cost = sizes[merge.at()];
        let copies = cost.saturating_mul(preds.len() - 1);
        if cost > TAIL || copies > room {
            continue;
        }
        let dominated = cfg.order.iter().copied().filter(|block| cfg.dominates(merge, *block));
        let tail: Vec<Block> = dominated.filter(|block| !exit[block.at()]).collect();
        let mut ways = Vec::new();
        for &from in &cfg.order {
            for (n, jump) in func.blocks[from.at()].term.jumps().enumerate() {
                if jump.block == merge {
                    ways.push((from, n));
                }
            }
        }
        return Some((ways, tail, copies));
    }
    None
}

/// Gives one jump a copy of the tail of its own. Nothing outside the tail uses its values, because it dominates all their uses.
fn copy(func: &mut Func, from: Block, n: usize, tail: &[Block]) {
    let first = func.blocks.len() as u32;
    let blocks: BTreeMap<Block, Block> = tail.iter().copied().zip((first..).map(Block)).collect();
    let mut values: BTreeMap<Value, Value> = BTreeMap::new();
    for &block in tail {
        let mut data = func.blocks[block.at()].clone();
        for param in &mut data.params {
            *param = *values.entry(*param).or_insert_with(|| func.new_value());
        }
        for inst in &mut data.insts {
            if let Some(result) = &mut inst.result {
                *result = *values.entry(*result).or_insert_with(|| func.new_value());
            }
        }
        func.blocks.push(data);
    }
    for data in &mut func.blocks[first as usize..] {
        let rename = |value: &mut Value| *value = values.get(value).copied().unwrap_or(*value);
        data.insts.iter_mut().for_each(|inst| inst.op.for_each_use_mut(rename));
        data.term.for_each_use_mut(rename);
        for jump in data.term.jumps_mut() {
            jump.block = blocks.get(&jump.block).copied().unwrap_or(jump.block);
        }
    }
    if let Some(jump) = func.blocks[from.at()].term.jumps_mut().nth(n) {
        jump.block = blocks.get(&jump.block).copied().unwrap_or(jump.block);
    }
}
