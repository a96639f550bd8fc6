//! Puts a function back into SSA form after a block was copied: a value that has several definitions now reaches its uses through
//! new block parameters (Braun et al., "Simple and Efficient Construction of Static Single Assignment Form").

use crate::ebpf::InsnIdx;
use crate::ir::{Block, Cfg, Func, Inst, Op, Value};
use std::collections::BTreeMap;

/// Makes each use of `value` outside of `home` get the definition that reaches it: `value` itself at the end of `home`, and the
/// others at the ends of their blocks. The copies of `home` already use their own.
pub(super) fn repair(func: &mut Func, home: Block, value: Value, others: &[(Block, Value)]) {
    let cfg = Cfg::new(func);
    let mut ends: BTreeMap<Block, Value> = others.iter().copied().collect();
    ends.insert(home, value);
    let mut repair = Repair { func, cfg: &cfg, ends, starts: BTreeMap::new(), fixed: Vec::new() };
    for &block in &cfg.order {
        if block == home || others.iter().any(|(copy, _)| *copy == block) {
            continue;
        }
        let data = &repair.func.blocks[block.at()];
        let mut used = false;
        data.insts.iter().for_each(|inst| inst.op.for_each_use(|other| used |= other == value));
        data.term.for_each_use(|other| used |= other == value);
        if used {
            let reaching = repair.at_start(block);
            repair.fixed.push((block, reaching));
        }
    }
    // Uses in a block without a definition of its own all see what reaches its start.
    for (block, reaching) in std::mem::take(&mut repair.fixed) {
        let data = &mut repair.func.blocks[block.at()];
        let replace = |other: &mut Value| {
            if *other == value {
                *other = reaching;
            }
        };
        data.insts.iter_mut().for_each(|inst| inst.op.for_each_use_mut(replace));
        data.term.for_each_use_mut(replace);
    }
}

struct Repair<'a> {
    func: &'a mut Func,
    cfg: &'a Cfg,
    /// What the value is at the end of a block, where a block says so.
    ends: BTreeMap<Block, Value>,
    /// What it is at the start, as far as known.
    starts: BTreeMap<Block, Value>,
    fixed: Vec<(Block, Value)>,
}

impl Repair<'_> {
    fn at_end(&mut self, block: Block) -> Value {
        match self.ends.get(&block) {
            Some(value) => *value,
            None => self.at_start(block),
        }
    }

    /// Walks up without recursion: chains of blocks may be long.
    fn at_start(&mut self, block: Block) -> Value {
        let mut work = vec![block];
        while let Some(&at) = work.last() {
            if self.starts.contains_key(&at) {
                work.pop();
                continue;
            }
            let preds = &self.cfg.preds[at.at()];
            match preds.as_slice() {
                [only] => match self.ends.get(only).or_else(|| self.starts.get(only)) {
                    Some(value) => {
                        self.starts.insert(at, *value);
                    }
                    None => work.push(*only),
                },
                // No definition on the way: dominance says that this does not happen.
                [] => {
                    let zero = self.func.new_value();
                    let insn = InsnIdx::default();
                    let insts = &mut self.func.blocks[at.at()].insts;
                    insts.insert(0, Inst { result: Some(zero), op: Op::Const(0), insn });
                    self.starts.insert(at, zero);
                }
                _ => {
                    // The parameter is there before its arguments are, so loops find it.
                    let param = self.func.new_value();
                    self.func.blocks[at.at()].params.push(param);
                    self.starts.insert(at, param);
                    let mut preds = preds.clone();
                    preds.dedup();
                    for pred in preds {
                        let value = self.at_end(pred);
                        for jump in self.func.blocks[pred.at()].term.jumps_mut().filter(|jump| jump.block == at) {
                            jump.args.push(value);
                        }
                    }
                }
            }
        }
        self.starts.get(&block).copied().unwrap_or(Value(0))
    }
}
