//! Which values are live where a block begins. Constants never are: every trace makes its own.

use crate::ir::{Block, Cfg, Func, Value};

/// Live-in sets of all blocks, parameters not included.
#[derive(Clone, Debug)]
pub struct Liveness {
    words: usize,
    live_in: Vec<u64>,
}

impl Liveness {
    /// Solves the usual backward equations.
    pub fn new(func: &Func, cfg: &Cfg, constants: &[Option<u64>]) -> Self {
        let words = (func.values as usize).div_ceil(64);
        let blocks = func.blocks.len();
        let mut live = Liveness { words, live_in: vec![0; words * blocks] };
        let mut row = vec![0u64; words];
        let mut changed = true;
        while changed {
            changed = false;
            for &block in cfg.order.iter().rev() {
                live.block(func, constants, block, &mut row);
                let place = &mut live.live_in[block.at() * words..(block.at() + 1) * words];
                if place != row {
                    place.copy_from_slice(&row);
                    changed = true;
                }
            }
        }
        live
    }

    fn block(&self, func: &Func, constants: &[Option<u64>], block: Block, row: &mut [u64]) {
        row.fill(0);
        let data = &func.blocks[block.at()];
        for jump in data.term.jumps() {
            let at = jump.block.at() * self.words;
            for (to, from) in row.iter_mut().zip(&self.live_in[at..at + self.words]) {
                *to |= from;
            }
        }
        let add = |row: &mut [u64], value: Value| {
            if constants[value.at()].is_none() {
                row[value.at() / 64] |= 1 << (value.at() % 64);
            }
        };
        data.term.for_each_use(|value| add(row, value));
        for inst in data.insts.iter().rev() {
            if let Some(result) = inst.result {
                row[result.at() / 64] &= !(1 << (result.at() % 64));
            }
            inst.op.for_each_use(|value| add(row, value));
        }
        for param in &data.params {
            row[param.at() / 64] &= !(1 << (param.at() % 64));
        }
    }

    /// True if the value is live where the block begins.
    pub fn is_live_in(&self, block: Block, value: Value) -> bool {
        self.live_in[block.at() * self.words + value.at() / 64] >> (value.at() % 64) & 1 == 1
    }

    /// All values live where the block begins, ascending.
    pub fn live_in(&self, block: Block) -> Vec<Value> {
        let row = &self.live_in[block.at() * self.words..(block.at() + 1) * self.words];
        let mut values = Vec::new();
        for (at, &word) in row.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                values.push(Value((at * 64) as u32 + rest.trailing_zeros()));
                rest &= rest - 1;
            }
        }
        values
    }
}
