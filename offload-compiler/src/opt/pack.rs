//! Two 4-byte stores next to each other become one of 8 bytes through a pack, where a 16-byte window has more stores than the word
//! has inserts.

use super::MapTable;
use super::alias;
use crate::ir::{Func, Inst, Mem, Op, Value};
use offwire_isa::{AluOp, Space};

/// Bytes that one word's store reaches.
const WINDOW: i32 = 16;
/// Stores that one word does.
const INSERTS: usize = 2;

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    for block in func.block_ids() {
        while let Some((low, high)) = find(&func.blocks[block.at()].insts) {
            let result = func.new_value();
            let insts = &mut func.blocks[block.at()].insts;
            let (Some((mem, x)), Some((_, y))) = (quad(&insts[low]), quad(&insts[high])) else { break };
            let last = low.max(high);
            let insn = insts[last].insn;
            insts[last] = Inst { result: None, op: Op::Store { mem, size: 8, swap: false, value: result }, insn };
            let op = Op::Alu { op: AluOp::Pack, wide: true, a: y, b: x };
            insts.insert(last, Inst { result: Some(result), op, insn });
            insts.remove(low.min(high));
        }
    }
}

/// A plain 4-byte store to packet or stack.
fn quad(inst: &Inst) -> Option<(Mem, Value)> {
    match inst.op {
        Op::Store { mem, size: 4, swap: false, value } if mem.space != Space::MapValue => Some((mem, value)),
        _ => None,
    }
}

/// Indices of two stores worth packing, the lower half first.
fn find(insts: &[Inst]) -> Option<(usize, usize)> {
    let mut start = 0;
    for end in 0..=insts.len() {
        // A run of stores is broken by whatever else reads or writes memory.
        let ends =
            insts.get(end).is_none_or(|inst| !matches!(inst.op, Op::Store { .. } | Op::Const(_) | Op::Alu { .. }));
        if ends {
            if let Some(found) = find_in_run(insts, start, end) {
                return Some(found);
            }
            start = end + 1;
        }
    }
    None
}

fn find_in_run(insts: &[Inst], start: usize, end: usize) -> Option<(usize, usize)> {
    let run = || (start..end).filter_map(|at| Some((at, quad(&insts[at])?)));
    for (low, (mem, _)) in run() {
        for (high, (other, _)) in run() {
            let next = other.space == mem.space
                && other.map == mem.map
                && alias::same_base(&[], other.base, mem.base)
                && Some(other.offset) == mem.offset.checked_add(4);
            if next && crowded(&insts[start..end], &mem) && !overwritten(&insts[start..end], &mem) {
                return Some((low, high));
            }
        }
    }
    None
}

/// True if the window around these 8 bytes has more stores than one word does.
fn crowded(run: &[Inst], mem: &Mem) -> bool {
    let near = |inst: &&Inst| match &inst.op {
        Op::Store { mem: other, .. } => {
            other.space == mem.space
                && other.base == mem.base
                && (i64::from(other.offset) - i64::from(mem.offset)).abs() < i64::from(WINDOW - 4)
        }
        _ => false,
    };
    run.iter().filter(near).count() > INSERTS
}

/// True if the run writes one of these 8 bytes more than once, so that moving a store could change the outcome.
fn overwritten(run: &[Inst], mem: &Mem) -> bool {
    let both = alias::Place::new(*mem, 8u32);
    let touches = |inst: &&Inst| match &inst.op {
        Op::Store { mem, size, .. } => {
            alias::overlap(&[], &alias::Place::new(*mem, *size), &both) != alias::Overlap::None
        }
        _ => false,
    };
    run.iter().filter(touches).count() > 2
}
