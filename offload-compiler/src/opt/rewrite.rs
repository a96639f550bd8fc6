//! Tools of the passes: replacing values, looking up definitions, counting uses.

use crate::ir::{Block, Func, Inst, Op, Value};
use std::collections::BTreeMap;

/// Which value stands for which; most stand for themselves.
pub(super) struct Subst {
    to: Vec<Value>,
    changed: bool,
}

impl Subst {
    pub(super) fn new(func: &Func) -> Self {
        Subst { to: (0..func.values).map(Value).collect(), changed: false }
    }

    /// What stands for the value now.
    pub(super) fn get(&self, mut value: Value) -> Value {
        // A value beyond the table is new and stands for itself.
        while let Some(&next) = self.to.get(value.at()).filter(|next| **next != value) {
            value = next;
        }
        value
    }

    /// From now on `to` stands for `value`.
    pub(super) fn set(&mut self, value: Value, to: Value) {
        let to = self.get(to);
        if to != value && value.at() < self.to.len() {
            self.to[value.at()] = to;
            self.changed = true;
        }
    }

    /// Replaces all uses in the function.
    pub(super) fn apply(&self, func: &mut Func) {
        if !self.changed {
            return;
        }
        for block in &mut func.blocks {
            for inst in &mut block.insts {
                inst.op.for_each_use_mut(|value| *value = self.get(*value));
            }
            block.term.for_each_use_mut(|value| *value = self.get(*value));
        }
    }
}

/// The constants among the values.
pub(super) fn constants(func: &Func) -> Vec<Option<u64>> {
    let mut constants = vec![None; func.values as usize];
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        if let (Some(result), Op::Const(value)) = (inst.result, &inst.op) {
            constants[result.at()] = Some(*value);
        }
    }
    constants
}

/// How often each value is used.
pub(super) fn use_counts(func: &Func) -> Vec<u32> {
    let mut counts = vec![0; func.values as usize];
    for block in &func.blocks {
        for inst in &block.insts {
            inst.op.for_each_use(|value| counts[value.at()] += 1);
        }
        block.term.for_each_use(|value| counts[value.at()] += 1);
    }
    counts
}

/// For each value whether it is used outside of the block that defines it.
pub(super) fn used_elsewhere(func: &Func) -> Vec<bool> {
    let mut home: Vec<Option<Block>> = vec![None; func.values as usize];
    for (block, data) in func.block_ids().zip(&func.blocks) {
        let results = data.insts.iter().filter_map(|inst| inst.result);
        for value in data.params.iter().copied().chain(results) {
            home[value.at()] = Some(block);
        }
    }
    let mut elsewhere = vec![false; func.values as usize];
    for (block, data) in func.block_ids().zip(&func.blocks) {
        let mut note = |value: Value| elsewhere[value.at()] |= home[value.at()] != Some(block);
        data.insts.iter().for_each(|inst| inst.op.for_each_use(&mut note));
        data.term.for_each_use(&mut note);
    }
    elsewhere
}

/// All ones in the low `bits` bits.
pub(super) fn low_bits(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Changes to instruction lists, collected while they are walked over, by block and index before the changes.
#[derive(Default)]
pub(super) struct Edits {
    at: BTreeMap<(Block, usize), Edit>,
}

#[derive(Default)]
struct Edit {
    before: Vec<Inst>,
    remove: bool,
    behind: Vec<Inst>,
}

impl Edits {
    /// Puts an instruction before the one at the index (or at the end).
    pub(super) fn before(&mut self, block: Block, index: usize, inst: Inst) {
        self.at.entry((block, index)).or_default().before.push(inst);
    }

    /// Puts an instruction behind the one at the index.
    pub(super) fn behind(&mut self, block: Block, index: usize, inst: Inst) {
        self.at.entry((block, index)).or_default().behind.push(inst);
    }

    /// Removes the instruction at the index.
    pub(super) fn remove(&mut self, block: Block, index: usize) {
        self.at.entry((block, index)).or_default().remove = true;
    }

    /// Makes the changes.
    pub(super) fn apply(self, func: &mut Func) {
        let mut edits = self.at.into_iter().peekable();
        while let Some(&((block, _), _)) = edits.peek() {
            let insts = &mut func.blocks[block.at()].insts;
            let mut old = std::mem::take(insts).into_iter();
            let mut done = 0;
            while let Some(((_, index), edit)) = edits.next_if(|((at, _), _)| *at == block) {
                insts.extend(old.by_ref().take(index - done));
                insts.extend(edit.before);
                insts.extend(old.next().filter(|_| !edit.remove));
                insts.extend(edit.behind);
                done = index + 1;
            }
            insts.extend(old);
        }
    }
}
