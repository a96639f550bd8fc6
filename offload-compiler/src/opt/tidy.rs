//! Drops dead blocks, orders the others as they may be executed, and numbers blocks and values from 0.

use super::MapTable;
use crate::ir::{Block, Cfg, Func, Value};

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let mut blocks: Vec<Option<_>> = std::mem::take(&mut func.blocks).into_iter().map(Some).collect();
    func.blocks = cfg.order.iter().filter_map(|block| blocks[block.at()].take()).collect();
    let mut numbers: Vec<Option<Value>> = vec![None; func.values as usize];
    let mut count = 0;
    let mut define = |value: &mut Value| {
        numbers[value.at()] = Some(Value(count));
        *value = Value(count);
        count += 1;
    };
    for block in &mut func.blocks {
        block.params.iter_mut().for_each(&mut define);
        block.insts.iter_mut().filter_map(|inst| inst.result.as_mut()).for_each(&mut define);
    }
    let number = |value: &mut Value| *value = numbers[value.at()].unwrap_or(*value);
    for block in &mut func.blocks {
        for inst in &mut block.insts {
            inst.op.for_each_use_mut(number);
        }
        block.term.for_each_use_mut(number);
        for jump in block.term.jumps_mut() {
            jump.block = cfg.place(jump.block).map_or(jump.block, Block);
        }
    }
    func.values = count;
}
