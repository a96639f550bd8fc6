//! Traces: which block goes on into which.

use super::prepare::is_exit;
use crate::ir::{Block, Cfg, Func, Op, Term, Value};
use offwire_isa::{CmpOp, RequestOp};

/// Instructions after which a trace takes no further block, so that scheduling stays fast.
const LONG: usize = 512;

/// The traces of a prepared function, the entry's first; every reachable block that is more than an exit is in exactly one. In a
/// trace each next block has the former as its only predecessor, and is the likelier way on: not an exit, the bound check
/// passed, the entry found, else where more code follows.
pub fn regions(func: &Func, cfg: &Cfg, consts: &[Option<u64>]) -> Vec<Vec<Block>> {
    let weight = weights(func, cfg);
    let answers = answers(func);
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
    answers: &[Option<RequestOp>],
    weight: &[u32],
    free: impl Fn(Block) -> bool,
) -> Option<Block> {
    if func.blocks[at.at()].insts.last().is_some_and(|inst| matches!(inst.op, Op::Call { .. })) {
        return None;
    }
    match &func.blocks[at.at()].term {
        Term::Jump(jump) => Some(jump.block).filter(|block| free(*block)),
        // The guard unit can only leave on failure.
        Term::Guard { pass, .. } => Some(pass.block).filter(|block| free(*block)),
        Term::Branch { op, wide, a, b, then, els } => {
            let (then, els) = (then.block, els.block);
            if is_null_test(*wide, *a, *b, consts, answers).is_some_and(leaves_on_null) {
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
        Term::Exit(_) | Term::Return(_) | Term::Unreachable => None,
    }
}

/// True if a trace goes on where the answer of this request is not 0: a handle, which is likelier there than not. And where an
/// adjust failed: what follows success begins with a guard, which stands before compares and would need a word of its own for
/// the test.
fn leaves_on_null(op: RequestOp) -> bool {
    matches!(op, RequestOp::Lookup | RequestOp::LookupIn | RequestOp::RingReserve) || op.moves_packet()
}

/// The request, if the operands of a comparison are its answer and 0, as the request's own test compares them.
pub(super) fn is_null_test(
    wide: bool,
    a: Value,
    b: Value,
    consts: &[Option<u64>],
    answers: &[Option<RequestOp>],
) -> Option<RequestOp> {
    answers[a.at()].filter(|op| consts[b.at()] == Some(0) && (wide || is_narrow(*op)))
}

/// True if the answer is 0 exactly if its low 32 bits are: an errno, or a number of 32 bits.
fn is_narrow(op: RequestOp) -> bool {
    use RequestOp::*;
    matches!(
        op,
        UpdateAny
            | UpdateNoExist
            | UpdateExist
            | UpdateFlags
            | Delete
            | UpdateInAny
            | UpdateInNoExist
            | UpdateInExist
            | UpdateInFlags
            | DeleteIn
            | AdjustHead
            | AdjustTail
            | AdjustMeta
            | LoadBytes
            | StoreBytes
            | Csum
            | Redirect
            | RedirectMap
            | Prandom
            | RingOutput
            | PerfOutput
            | FetchAdd32
            | FetchOr32
            | FetchAnd32
            | FetchXor32
            | Xchg32
            | Cmpxchg32
            | DivU32
            | DivS32
            | ModU32
            | ModS32
    )
}

/// By value: the request whose answer it is.
pub(super) fn answers(func: &Func) -> Vec<Option<RequestOp>> {
    let mut answers = vec![None; func.values as usize];
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        let Some(result) = inst.result else { continue };
        answers[result.at()] = match &inst.op {
            Op::Lookup { .. } => Some(RequestOp::Lookup),
            // Which of the three does not matter.
            Op::Update { .. } => Some(RequestOp::UpdateAny),
            Op::Delete { .. } => Some(RequestOp::Delete),
            Op::AdjustHead { .. } => Some(RequestOp::AdjustHead),
            Op::Request(request) => Some(request.op),
            _ => None,
        };
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
