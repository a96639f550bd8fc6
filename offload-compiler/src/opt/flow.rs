//! Control flow: folds branches, skips empty blocks, joins blocks that follow each other, ends programs where the result is known.

use super::MapTable;
use super::rewrite::{Subst, constants, used_elsewhere};
use crate::ir::{Block, BlockData, Cfg, Func, Inst, Jump, Op, Term, Value, clear_unreachable};
use std::collections::BTreeMap;

/// Most rounds of one run.
const ROUNDS: usize = 100;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    clear_unreachable(func);
    // The bound is for circles of empty blocks, which verified programs do not have.
    for _ in 0..ROUNDS {
        let before = func.clone();
        fold_same(func);
        skip_empty(func);
        exits(func);
        clear_unreachable(func);
        join(func);
        if *func == before {
            return;
        }
    }
}

/// Branches with one way, or with a way that is never gone.
fn fold_same(func: &mut Func) {
    let dead: Vec<bool> =
        func.blocks.iter().map(|block| block.insts.is_empty() && block.term == Term::Unreachable).collect();
    for block in &mut func.blocks {
        let Some((first, second)) = block.term.two_ways() else { continue };
        let only = if first == second || dead[second.block.at()] {
            first.clone()
        } else if dead[first.block.at()] {
            second.clone()
        } else {
            continue;
        };
        block.term = Term::Jump(only);
    }
}

/// Jumps to a block that only jumps on go on directly.
fn skip_empty(func: &mut Func) {
    let elsewhere = used_elsewhere(func);
    let forward = |data: &BlockData, block: Block| match &data.term {
        Term::Jump(jump) if data.insts.is_empty() && jump.block != block => {
            let private = data.params.iter().all(|param| !elsewhere[param.at()]);
            private.then(|| (data.params.clone(), jump.clone()))
        }
        _ => None,
    };
    let forwards: Vec<Option<(Vec<Value>, Jump)>> =
        func.block_ids().zip(&func.blocks).map(|(block, data)| forward(data, block)).collect();
    for data in &mut func.blocks {
        for jump in data.term.jumps_mut() {
            // One step a round: chains of empty blocks end, circles of them do not.
            if let Some((params, next)) = &forwards[jump.block.at()] {
                let args = next.args.iter().map(|arg| substitute(params, &jump.args, *arg)).collect();
                *jump = Jump { block: next.block, args };
            }
        }
    }
}

/// The argument for a parameter; other values stay.
fn substitute(params: &[Value], args: &[Value], value: Value) -> Value {
    params.iter().position(|param| *param == value).and_then(|at| args.get(at).copied()).unwrap_or(value)
}

/// A block that only ends the program.
struct ExitBlock {
    params: Vec<Value>,
    value: Value,
    constant: Option<u64>,
    /// The constant stands in the block, so anybody may jump there.
    own: bool,
}

/// Ends the program in the predecessors of blocks that only end it. Jumps become exits; branches and guards get a block for each
/// constant, which costs no word: the device ends a packet with a small constant at any target.
fn exits(func: &mut Func) {
    let mut constants = constants(func);
    let exit = |data: &BlockData| match data.term {
        Term::Exit(value) if data.insts.iter().all(|inst| matches!(inst.op, Op::Const(_))) => {
            let own = data.insts.iter().any(|inst| inst.result == Some(value));
            Some(ExitBlock { params: data.params.clone(), value, constant: constants[value.at()], own })
        }
        _ => None,
    };
    let exits: Vec<Option<ExitBlock>> = func.blocks.iter().map(exit).collect();
    // One block for each constant and for each value.
    let mut shared: BTreeMap<u64, Block> = BTreeMap::new();
    for (block, exit) in func.block_ids().zip(&exits) {
        if let Some(ExitBlock { constant: Some(constant), own: true, params, .. }) = exit
            && params.is_empty()
        {
            shared.entry(*constant & u64::from(u32::MAX)).or_insert(block);
        }
    }
    for block in func.block_ids().filter(|block| block.at() < exits.len()) {
        if let Term::Jump(jump) = &func.blocks[block.at()].term {
            let Some(exit) = &exits[jump.block.at()] else { continue };
            let value = substitute(&exit.params, &jump.args, exit.value);
            match exit.constant {
                // The constant may stand in the other block.
                Some(constant) => {
                    let own = func.new_value();
                    constants.push(Some(constant));
                    let data = &mut func.blocks[block.at()];
                    let insn = data.term_insn;
                    data.insts.push(Inst { result: Some(own), op: Op::Const(constant), insn });
                    data.term = Term::Exit(own);
                }
                None => func.blocks[block.at()].term = Term::Exit(value),
            }
            continue;
        }
        let mut term = std::mem::replace(&mut func.blocks[block.at()].term, Term::Unreachable);
        for jump in term.jumps_mut() {
            let Some(Some(exit)) = exits.get(jump.block.at()) else { continue };
            let value = substitute(&exit.params, &jump.args, exit.value);
            let constant = exit.constant.or_else(|| constants[value.at()]);
            let key = constant.map(|constant| constant & u64::from(u32::MAX));
            if exit.params.is_empty() && key.is_none() {
                continue;
            }
            let target = match key.and_then(|key| shared.get(&key)) {
                Some(target) => *target,
                None => {
                    let insn = func.blocks[jump.block.at()].term_insn;
                    let mut insts = Vec::new();
                    let mut result = value;
                    if let Some(constant) = constant {
                        result = func.new_value();
                        constants.push(Some(constant));
                        insts.push(Inst { result: Some(result), op: Op::Const(constant), insn });
                    }
                    let new = Block(func.blocks.len() as u32);
                    func.blocks.push(BlockData {
                        params: Vec::new(),
                        insts,
                        term: Term::Exit(result),
                        term_insn: insn,
                    });
                    if let Some(key) = key {
                        shared.insert(key, new);
                    }
                    new
                }
            };
            *jump = Jump::to(target);
        }
        func.blocks[block.at()].term = term;
    }
}

/// Appends a block to its only predecessor if that only jumps there.
fn join(func: &mut Func) {
    let cfg = Cfg::new(func);
    let mut subst = Subst::new(func);
    for &block in &cfg.order {
        while let Term::Jump(jump) = &func.blocks[block.at()].term {
            let next = jump.block;
            if cfg.preds[next.at()].len() != 1 || next == block {
                break;
            }
            let args = jump.args.clone();
            let taken = std::mem::replace(
                &mut func.blocks[next.at()],
                BlockData {
                    params: Vec::new(),
                    insts: Vec::new(),
                    term: Term::Unreachable,
                    term_insn: Default::default(),
                },
            );
            for (param, arg) in taken.params.iter().zip(args) {
                subst.set(*param, arg);
            }
            let data = &mut func.blocks[block.at()];
            data.insts.extend(taken.insts);
            data.term = taken.term;
            data.term_insn = taken.term_insn;
        }
    }
    subst.apply(func);
}
