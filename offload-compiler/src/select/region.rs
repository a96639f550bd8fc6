//! Traces: which block goes on into which.

use super::prepare::is_exit;
use crate::ir::{Block, Cfg, Func, Op, Term, Value};
use offwire_isa::CmpOp;

/// Instructions after which a trace takes no further block, so that scheduling stays fast.
const LONG: usize = 512;

/// The traces of a prepared function, the entry's first; every reachable block that is more than an exit is in exactly one. In a
/// trace each next block has the former as its only predecessor, and is the likelier way on: not an exit, the bound check
/// passed, the entry found, else where more code follows.
pub fn regions(func: &Func, cfg: &Cfg, consts: &[Option<u64>]) -> Vec<Vec<Block>> {
    let weight = weights(func, cfg);
    let answers = lookups(func);
    let mut taken = vec![false; func.blocks.len()];
    let mut traces = Vec::new();
    for &head in &cfg.order {
        if taken[head.at()] || is_exit(func, consts, head) {
            continue;
        }
        let mut trace = vec![head];
        taken[head.at()] = true;
        let mut size = func.blocks[head.at()].insts.len();
        let mut at = head;
        while size < LONG {
            let free =
                |block: Block| !taken[block.at()] && !is_exit(func, consts, block) && cfg.preds[block.at()].len() == 1;
            let Some(next) = likely(func, at, consts, &answers, &weight, free) else { break };
            taken[next.at()] = true;
            size += func.blocks[next.at()].insts.len() + 1;
            trace.push(next);
            at = next;
        }
        traces.push(trace);
    }
    traces
}

fn likely(
    func: &Func,
    at: Block,
    consts: &[Option<u64>],
    answers: &[bool],
    weight: &[u32],
    free: impl Fn(Block) -> bool,
) -> Option<Block> {
    match &func.blocks[at.at()].term {
        Term::Jump(jump) => Some(jump.block).filter(|block| free(*block)),
        // The guard unit can only leave on failure.
        Term::Guard { pass, .. } => Some(pass.block).filter(|block| free(*block)),
        Term::Branch { op, wide, a, b, then, els } => {
            let (then, els) = (then.block, els.block);
            if is_null_test(*wide, *a, *b, consts, answers) {
                // The unit for it can only leave on null.
                match op {
                    CmpOp::Eq => return Some(els).filter(|block| free(*block)),
                    CmpOp::Ne => return Some(then).filter(|block| free(*block)),
                    _ => {}
                }
            }
            match (free(then), free(els)) {
                (true, true) if weight[then.at()] > weight[els.at()] => Some(then),
                (_, true) => Some(els),
                (true, false) => Some(then),
                (false, false) => None,
            }
        }
        Term::Exit(_) | Term::Unreachable => None,
    }
}

/// True if the operands of a comparison are the answer of a lookup and 0.
pub(super) fn is_null_test(wide: bool, a: Value, b: Value, consts: &[Option<u64>], answers: &[bool]) -> bool {
    wide && answers[a.at()] && consts[b.at()] == Some(0)
}

/// True for the results of lookups.
pub(super) fn lookups(func: &Func) -> Vec<bool> {
    let mut answers = vec![false; func.values as usize];
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        if let (Some(result), Op::Lookup { .. }) = (inst.result, &inst.op) {
            answers[result.at()] = true;
        }
    }
    answers
}

/// Instructions on the longest way from the beginning of each block to the end of the program, loops counted once.
fn weights(func: &Func, cfg: &Cfg) -> Vec<u32> {
    let mut weight = vec![0u32; func.blocks.len()];
    for &block in cfg.order.iter().rev() {
        let data = &func.blocks[block.at()];
        let longest = data
            .term
            .jumps()
            .filter(|jump| !cfg.is_back_edge(block, jump.block))
            .map(|jump| weight[jump.block.at()])
            .max()
            .unwrap_or(0);
        weight[block.at()] = longest.saturating_add(data.insts.len() as u32 + 1);
    }
    weight
}
