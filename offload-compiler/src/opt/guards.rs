//! Branches and packet bounds checks whose outcome an earlier one decides.

use super::MapTable;
use super::rewrite::constants;
use crate::ir::{Block, Cfg, Func, Op, Term, Value, clear_unreachable};
use offwire_isa::CmpOp;

/// How far up the tree of dominators to look.
const DEPTH: usize = 200;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let constants = constants(func);
    let lengths = lengths(func, &cfg);
    for &block in &cfg.order {
        let verdict = match &func.blocks[block.at()].term {
            Term::Guard { base, len, .. } => decide_guard(func, &cfg, &lengths, block, *base, *len),
            Term::Branch { op, wide, a, b, .. } => decide_branch(func, &cfg, &constants, block, *op, *wide, *a, *b),
            _ => None,
        };
        let term = &mut func.blocks[block.at()].term;
        let (Some(verdict), Some((first, second))) = (verdict, term.two_ways()) else { continue };
        *term = Term::Jump(if verdict { first.clone() } else { second.clone() });
    }
    merge(func, &cfg);
    clear_unreachable(func);
}

/// A guard right behind another one on the same base, with nothing in between that anybody could notice, and the same way to fail:
/// the longer one does for both, because every packet goes the same way as before.
fn merge(func: &mut Func, cfg: &Cfg) {
    // From the end, so that chains become one.
    for &block in cfg.order.iter().rev() {
        let Term::Guard { base, len, pass, fail } = &func.blocks[block.at()].term else { continue };
        let next = &func.blocks[pass.block.at()];
        let harmless = |op: &Op| op.is_pure() || matches!(op, Op::Load { .. });
        if cfg.preds[pass.block.at()].len() != 1 || !next.insts.iter().all(|inst| harmless(&inst.op)) {
            continue;
        }
        // Loads between the two become safe for fewer packets only.
        let Term::Guard { base: other, len: more, pass: on, fail: other_fail } = &next.term else { continue };
        if base != other || len > more || fail != other_fail {
            continue;
        }
        let (more, on, next) = (*more, on.clone(), pass.block);
        func.blocks[next.at()].term = Term::Jump(on);
        if let Term::Guard { len, .. } = &mut func.blocks[block.at()].term {
            *len = more;
        }
    }
}

/// Which packet length holds at the start and at the end of each block, as numbers that change with each move of the packet's ends.
fn lengths(func: &Func, cfg: &Cfg) -> Vec<(u32, u32)> {
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        next
    };
    let moves = |op: &Op| match op {
        Op::AdjustHead { .. } | Op::Call { .. } => true,
        Op::Request(request) => request.op.moves_packet(),
        _ => false,
    };
    let adjusts = |block: Block| func.blocks[block.at()].insts.iter().any(|inst| moves(&inst.op));
    let anywhere = cfg.order.iter().any(|block| adjusts(*block));
    let mut lengths: Vec<Option<(u32, u32)>> = vec![None; func.blocks.len()];
    for &block in &cfg.order {
        let mut ends = cfg.preds[block.at()].iter().map(|pred| lengths[pred.at()].map(|(_, end)| end));
        let start = match ends.next() {
            None => 0,
            Some(_) if !anywhere => 0,
            Some(Some(first)) if ends.all(|end| end == Some(first)) => first,
            Some(_) => fresh(),
        };
        let end = if adjusts(block) { fresh() } else { start };
        lengths[block.at()] = Some((start, end));
    }
    lengths.into_iter().map(Option::unwrap_or_default).collect()
}

/// The ways into `block`: each block above it in the tree of dominators with the side (first jump or second) that leads here, if
/// only one does.
fn ways<'a>(func: &'a Func, cfg: &'a Cfg, block: Block) -> impl Iterator<Item = (Block, bool)> + 'a {
    let side = move |above: Block| {
        let (first, second) = func.blocks[above.at()].term.two_ways()?;
        let leads = |to: Block| cfg.preds[to.at()].len() == 1 && cfg.dominates(to, block);
        match (leads(first.block), leads(second.block)) {
            (true, false) => Some((above, true)),
            (false, true) => Some((above, false)),
            _ => None,
        }
    };
    std::iter::successors(cfg.idom(block), |above| cfg.idom(*above)).take(DEPTH).filter_map(side)
}

fn decide_guard(
    func: &Func,
    cfg: &Cfg,
    lengths: &[(u32, u32)],
    block: Block,
    base: Option<Value>,
    len: i32,
) -> Option<bool> {
    let same_length = |above: Block| lengths[above.at()].1 == lengths[block.at()].1;
    ways(func, cfg, block).filter(|(above, _)| same_length(*above)).find_map(|(above, passed)| {
        match &func.blocks[above.at()].term {
            Term::Guard { base: other, len: known, .. } if *other == base => match passed {
                true if *known >= len => Some(true),
                false if *known <= len => Some(false),
                _ => None,
            },
            _ => None,
        }
    })
}

#[expect(clippy::too_many_arguments, reason = "a comparison has four parts")]
fn decide_branch(
    func: &Func,
    cfg: &Cfg,
    constants: &[Option<u64>],
    block: Block,
    op: CmpOp,
    wide: bool,
    a: Value,
    b: Value,
) -> Option<bool> {
    let constant = |value: Value| constants[value.at()];
    let same = |x: Value, y: Value| x == y || (constant(x).is_some() && constant(x) == constant(y));
    ways(func, cfg, block).find_map(|(above, taken)| {
        let &Term::Branch { op: known, wide: known_wide, a: x, b: y, .. } = &func.blocks[above.at()].term else {
            return None;
        };
        if known_wide == wide && same(x, a) && same(y, b) {
            if known == op {
                return Some(taken);
            }
            if opposite(known) == Some(op) {
                return Some(!taken);
            }
        }
        // A value that is known to equal a constant.
        let equal = matches!((known, taken), (CmpOp::Eq, true) | (CmpOp::Ne, false));
        let at_least_as_wide = known_wide || !wide;
        if equal && at_least_as_wide && x == a {
            return Some(op.eval(wide, constant(y)?, constant(b)?));
        }
        None
    })
}

fn opposite(op: CmpOp) -> Option<CmpOp> {
    Some(match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Ltu => CmpOp::Geu,
        CmpOp::Geu => CmpOp::Ltu,
        CmpOp::Lts => CmpOp::Ges,
        CmpOp::Ges => CmpOp::Lts,
        CmpOp::Tst => CmpOp::Ntst,
        CmpOp::Ntst => CmpOp::Tst,
        CmpOp::Never => return None,
    })
}
