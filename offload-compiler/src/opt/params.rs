//! Removes block parameters that are superfluous: always the same value, always the same as another parameter, or never used.

use super::MapTable;
use super::rewrite::{Subst, constants, use_counts};
use crate::ir::{Block, Cfg, Func, Inst, Op, Value};

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let mut constants = constants(func);
    let mut subst = Subst::new(func);
    loop {
        let mut changed = false;
        for &block in &cfg.order {
            changed |= same_arguments(func, &cfg, block, &mut subst, &mut constants);
        }
        if !changed {
            break;
        }
    }
    subst.apply(func);
    unused(func);
}

/// Arguments of each jump to the block, by parameter.
fn arguments(func: &Func, cfg: &Cfg, block: Block, subst: &Subst) -> Vec<Vec<Value>> {
    let mut columns = vec![Vec::new(); func.blocks[block.at()].params.len()];
    let mut last = None;
    // A predecessor with two jumps to the block stands twice in the list.
    for &pred in cfg.preds[block.at()].iter().filter(|pred| last.replace(**pred) != Some(**pred)) {
        for jump in func.blocks[pred.at()].term.jumps().filter(|jump| jump.block == block) {
            for (column, arg) in columns.iter_mut().zip(&jump.args) {
                column.push(subst.get(*arg));
            }
        }
    }
    columns
}

/// Removes parameters that stand for a value that is there anyway. True if there were any.
fn same_arguments(func: &mut Func, cfg: &Cfg, block: Block, subst: &mut Subst, constants: &mut [Option<u64>]) -> bool {
    if func.blocks[block.at()].params.is_empty() {
        return false;
    }
    let columns = arguments(func, cfg, block, subst);
    let params = func.blocks[block.at()].params.clone();
    let mut keep: Vec<usize> = Vec::new();
    let mut new_constants = Vec::new();
    for (at, (&param, column)) in params.iter().zip(&columns).enumerate() {
        let mut others = column.iter().copied().filter(|arg| *arg != param);
        let first = others.next();
        let constant = first.and_then(|first| constants.get(first.at()).copied().flatten());
        let twin = keep.iter().copied().find(|kept| columns[*kept] == *column);
        match first {
            Some(first) if others.clone().all(|arg| arg == first) => subst.set(param, first),
            Some(_) if constant.is_some() && others.all(|arg| constants[arg.at()] == constant) => {
                new_constants.push((param, constant.unwrap_or_default()));
            }
            _ => match twin {
                Some(twin) => subst.set(param, params[twin]),
                None => keep.push(at),
            },
        }
    }
    if keep.len() == params.len() {
        return false;
    }
    let data = &mut func.blocks[block.at()];
    data.params = keep.iter().map(|at| params[*at]).collect();
    let insn = data.insts.first().map_or(data.term_insn, |inst| inst.insn);
    for (param, constant) in new_constants.into_iter().rev() {
        constants[param.at()] = Some(constant);
        data.insts.insert(0, Inst { result: Some(param), op: Op::Const(constant), insn });
    }
    keep_arguments(func, block, &keep);
    true
}

/// Removes parameters that are used by nothing but jumps that give them to themselves or to other such parameters.
fn unused(func: &mut Func) {
    loop {
        let counts = use_counts(func);
        let mut changed = false;
        for block in func.block_ids() {
            let params = &func.blocks[block.at()].params;
            let keep: Vec<usize> = (0..params.len()).filter(|at| counts[params[*at].at()] > 0).collect();
            if keep.len() < params.len() {
                changed = true;
                let params = keep.iter().map(|at| params[*at]).collect();
                func.blocks[block.at()].params = params;
                keep_arguments(func, block, &keep);
            }
        }
        if !changed {
            return;
        }
    }
}

/// Leaves only these arguments in all jumps to the block.
pub(super) fn keep_arguments(func: &mut Func, block: Block, keep: &[usize]) {
    for data in &mut func.blocks {
        for jump in data.term.jumps_mut().filter(|jump| jump.block == block) {
            jump.args = keep.iter().filter_map(|at| jump.args.get(*at).copied()).collect();
        }
    }
}
