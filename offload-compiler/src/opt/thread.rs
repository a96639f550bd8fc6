//! Where an argument decides a block's branch, the predecessor gets a copy of the block that jumps on at once. Where an argument
//! only decides a branch behind the block, it gets a copy too, so that the next round finds that branch decided. What clang makes
//! of `a || b` shrinks to the two branches so.

use super::MapTable;
use super::known;
use super::repair::repair;
use super::rewrite::{constants, low_bits, used_elsewhere};
use crate::ir::{Block, BlockData, Cfg, Func, Jump, Op, Term, Value, clear_unreachable};
use offwire_isa::{AluOp, CmpOp};
use std::collections::BTreeMap;

/// Most instructions that are copied.
const COPIED: usize = 4;
/// Most blocks that one run works on.
const BLOCKS: usize = 64;
/// A function with more blocks than this gets no copies.
const GROWTH: usize = 4096;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let mut from = 0;
    for _ in 0..BLOCKS {
        let Some(plan) = find(func, from).filter(|_| func.blocks.len() < GROWTH) else { break };
        from = plan.block.at() + 1;
        apply(func, &plan);
    }
    clear_unreachable(func);
}

/// Copies to make of one block.
struct Plan {
    block: Block,
    /// Jumps that get a copy: from which block, the first or second one; and how the copy's branch goes, if that is known.
    edges: Vec<(Block, usize, Option<bool>)>,
}

/// The first block from this one on that is worth it.
fn find(func: &Func, from: usize) -> Option<Plan> {
    let cfg = Cfg::new(func);
    let constants = constants(func);
    let maybe = known::maybe_ones(func, &cfg);
    func.block_ids().skip(from).filter(|block| cfg.is_reachable(*block)).find_map(|block| {
        let data = &func.blocks[block.at()];
        let preds = &cfg.preds[block.at()];
        let small = data.insts.len() <= COPIED && data.insts.iter().all(|inst| inst.op.is_pure());
        let loops = preds.iter().any(|pred| cfg.is_back_edge(*pred, block));
        if data.params.is_empty() || preds.len() < 2 || !small || loops || !matches!(data.term, Term::Branch { .. }) {
            return None;
        }
        let decides_later = decides_later(func, &cfg, block);
        let mut edges = Vec::new();
        let mut senders = preds.clone();
        senders.dedup();
        for pred in senders {
            for (n, jump) in func.blocks[pred.at()].term.jumps().enumerate().filter(|(_, jump)| jump.block == block) {
                let verdict = decide(data, jump, &constants, &maybe);
                let later = || {
                    let is_constant = |at: &usize| jump.args.get(*at).is_some_and(|arg| constants[arg.at()].is_some());
                    decides_later.iter().any(is_constant)
                };
                if verdict.is_some() || later() {
                    edges.push((pred, n, verdict));
                }
            }
        }
        (!edges.is_empty()).then_some(Plan { block, edges })
    })
}

/// Parameters (by place) that the branch of a small block right behind this one looks at.
fn decides_later(func: &Func, cfg: &Cfg, block: Block) -> Vec<usize> {
    let data = &func.blocks[block.at()];
    let mut found = Vec::new();
    for jump in data.term.jumps() {
        let next = &func.blocks[jump.block.at()];
        if cfg.preds[jump.block.at()].len() != 1
            || next.insts.len() > COPIED
            || !matches!(next.term, Term::Branch { .. })
        {
            continue;
        }
        let mut looked_at = Vec::new();
        next.term.for_each_own_use(|value| looked_at.push(value));
        for inst in next.insts.iter().rev() {
            if inst.result.is_some_and(|result| looked_at.contains(&result)) && inst.op.is_pure() {
                inst.op.for_each_use(|value| looked_at.push(value));
            }
        }
        let places = data.params.iter().enumerate().filter(|(_, param)| looked_at.contains(param));
        found.extend(places.map(|(at, _)| at));
    }
    found
}

/// What is known of a value: bits that may be one, and bits that are.
#[derive(Clone, Copy)]
struct Bits {
    maybe: u64,
    ones: u64,
}

impl Bits {
    fn constant(self) -> Option<u64> {
        (self.maybe == self.ones).then_some(self.ones)
    }
}

/// Where the block's branch goes for this jump's arguments, if they decide it.
fn decide(data: &BlockData, jump: &Jump, constants: &[Option<u64>], maybe: &[u64]) -> Option<bool> {
    let plain = |value: Value| match constants[value.at()] {
        Some(constant) => Bits { maybe: constant, ones: constant },
        None => Bits { maybe: maybe[value.at()], ones: 0 },
    };
    let mut known: BTreeMap<Value, Bits> =
        data.params.iter().zip(&jump.args).map(|(param, arg)| (*param, plain(*arg))).collect();
    let get = |known: &BTreeMap<Value, Bits>, value: Value| known.get(&value).copied().unwrap_or_else(|| plain(value));
    for inst in &data.insts {
        let Some(result) = inst.result else { continue };
        let bits = match inst.op {
            Op::Alu { op, wide, a, b } => alu(op, wide, get(&known, a), get(&known, b)),
            _ => plain(result),
        };
        known.insert(result, bits);
    }
    let Term::Branch { op, wide, a, b, .. } = data.term else { return None };
    let (a, b) = (get(&known, a), get(&known, b));
    let mask = low_bits(if wide { 64 } else { 32 });
    if let (Some(a), Some(b)) = (a.constant(), b.constant()) {
        return Some(op.eval(wide, a, b));
    }
    // A bit that is certainly set on one side and clear on the other.
    let differ = (a.ones & !b.maybe | b.ones & !a.maybe) & mask != 0;
    let common = a.maybe & b.maybe & mask != 0;
    match op {
        CmpOp::Eq if differ => Some(false),
        CmpOp::Ne if differ => Some(true),
        CmpOp::Tst if !common => Some(false),
        CmpOp::Ntst if !common => Some(true),
        CmpOp::Tst if a.ones & b.ones & mask != 0 => Some(true),
        CmpOp::Ntst if a.ones & b.ones & mask != 0 => Some(false),
        _ => None,
    }
}

fn alu(op: AluOp, wide: bool, a: Bits, b: Bits) -> Bits {
    let mask = low_bits(if wide { 64 } else { 32 });
    if let (Some(a), Some(b)) = (a.constant(), b.constant()) {
        let result = op.eval(wide, a, b);
        return Bits { maybe: result, ones: result };
    }
    match op {
        AluOp::Mov => Bits { maybe: a.maybe & mask, ones: a.ones & mask },
        AluOp::And => Bits { maybe: a.maybe & b.maybe & mask, ones: a.ones & b.ones & mask },
        AluOp::Or => Bits { maybe: (a.maybe | b.maybe) & mask, ones: (a.ones | b.ones) & mask },
        _ => Bits { maybe: mask, ones: 0 },
    }
}

fn apply(func: &mut Func, plan: &Plan) {
    let original = func.blocks[plan.block.at()].clone();
    let elsewhere = used_elsewhere(func);
    let results = original.insts.iter().filter_map(|inst| inst.result);
    let shared: Vec<Value> =
        original.params.iter().copied().chain(results).filter(|value| elsewhere[value.at()]).collect();
    let mut others: Vec<Vec<(Block, Value)>> = vec![Vec::new(); shared.len()];
    for &(pred, n, verdict) in &plan.edges {
        let new = Block(func.blocks.len() as u32);
        let Some(jump) = func.blocks[pred.at()].term.jumps_mut().nth(n) else { continue };
        let args = std::mem::replace(jump, Jump::to(new)).args;
        let mut names: BTreeMap<Value, Value> = original.params.iter().copied().zip(args).collect();
        let mut copy = original.clone();
        copy.params.clear();
        for inst in &mut copy.insts {
            inst.op.for_each_use_mut(|value| *value = names.get(value).copied().unwrap_or(*value));
            if let Some(result) = &mut inst.result {
                let name = func.new_value();
                names.insert(*result, name);
                *result = name;
            }
        }
        copy.term.for_each_use_mut(|value| *value = names.get(value).copied().unwrap_or(*value));
        if let (Term::Branch { then, els, .. }, Some(taken)) = (&copy.term, verdict) {
            copy.term = Term::Jump(if taken { then.clone() } else { els.clone() });
        }
        func.blocks.push(copy);
        for (value, others) in shared.iter().zip(&mut others) {
            others.extend(names.get(value).map(|name| (new, *name)));
        }
    }
    clear_unreachable(func);
    for (value, others) in shared.into_iter().zip(others) {
        repair(func, plan.block, value, &others);
    }
}
