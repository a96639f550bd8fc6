//! Where an argument decides a block's branch, the predecessor jumps past it; where a small block leads only to such a decision,
//! it is copied for that predecessor.

use super::MapTable;
use super::rewrite::{constants, used_elsewhere};
use crate::ir::{Block, BlockData, Func, Inst, Jump, Op, Term, Value, clear_unreachable};
use std::collections::BTreeMap;

/// Most instructions that are copied.
const COPIED: usize = 4;
/// Most copies of one run, so that a program cannot grow without bound.
const COPIES: usize = 256;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let elsewhere = used_elsewhere(func);
    let constants = constants(func);
    let threadable = |data: &BlockData| {
        let results = data.insts.iter().filter_map(|inst| inst.result);
        !data.params.is_empty()
            && matches!(data.term, Term::Branch { .. })
            && data.insts.len() <= COPIED
            && data.insts.iter().all(|inst| inst.op.is_pure())
            && data.params.iter().copied().chain(results).all(|value| !elsewhere[value.at()])
    };
    let candidates: Vec<bool> = func.blocks.iter().map(threadable).collect();
    let mut copies = 0;
    for block in func.block_ids() {
        let mut term = func.blocks[block.at()].term.clone();
        for jump in term.jumps_mut() {
            if candidates[jump.block.at()]
                && copies < COPIES
                && let Some(copy) = specialise(func, jump, &constants)
            {
                copies += 1;
                let new = Block(func.blocks.len() as u32);
                func.blocks.push(copy);
                *jump = Jump::to(new);
            }
        }
        func.blocks[block.at()].term = term;
    }
    clear_unreachable(func);
}

/// A copy of the jump's block for its arguments, if they decide its branch.
fn specialise(func: &mut Func, jump: &Jump, constants: &[Option<u64>]) -> Option<BlockData> {
    let data = func.blocks[jump.block.at()].clone();
    let mut known: BTreeMap<Value, u64> = BTreeMap::new();
    for (param, arg) in data.params.iter().zip(&jump.args) {
        if let Some(Some(constant)) = constants.get(arg.at()) {
            known.insert(*param, *constant);
        }
    }
    let get = |known: &BTreeMap<Value, u64>, value: Value| {
        known.get(&value).copied().or_else(|| constants.get(value.at()).copied().flatten())
    };
    for inst in &data.insts {
        if let (Some(result), &Op::Alu { op, wide, a, b }) = (inst.result, &inst.op)
            && let (Some(a), Some(b)) = (get(&known, a), get(&known, b))
        {
            known.insert(result, op.eval(wide, a, b));
        }
    }
    let Term::Branch { op, wide, a, b, then, els } = data.term else { return None };
    let taken = op.eval(wide, get(&known, a)?, get(&known, b)?);
    let target = if taken { then } else { els };
    let mut names: BTreeMap<Value, Value> = data.params.iter().copied().zip(jump.args.iter().copied()).collect();
    let insts = data.insts.into_iter().map(|mut inst| {
        inst.op.for_each_use_mut(|value| *value = names.get(value).copied().unwrap_or(*value));
        inst.result = inst.result.map(|result| {
            let new = func.new_value();
            names.insert(result, new);
            new
        });
        inst
    });
    let insts: Vec<Inst> = insts.collect();
    let args = target.args.iter().map(|arg| names.get(arg).copied().unwrap_or(*arg)).collect();
    Some(BlockData {
        params: Vec::new(),
        insts,
        term: Term::Jump(Jump { block: target.block, args }),
        term_insn: data.term_insn,
    })
}
