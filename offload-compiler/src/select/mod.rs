//! From the IR to machine operations: what the units of a word do, in traces of blocks.
//!
//! | step | in | out |
//! |---|---|---|
//! | [`prepare()`] | IR | IR with jumps threaded, exits resolved, offsets in reach, copies placeable |
//! | [`regions()`] | prepared IR | traces: chains of blocks in which each next one has the former as its only predecessor |
//! | [`lower()`] | a trace | a [`Trace`] of [`Op`]s in program order, with the edges that leave it |
//!
//! A trace has one way in and many ways out. Its blocks' order is the program order that the scheduler must respect; each
//! operation fits into one unit of one word.

mod duplicate;
mod live;
mod lower;
mod ops;
mod prepare;
mod region;
mod remake;
mod simplify;

pub use live::Liveness;
pub use lower::lower;
pub(crate) use lower::may_alias;
pub use ops::{Address, Edge, EdgeId, EdgeTarget, Kind, Op, OpId, Opnd, Trace};
pub use prepare::prepare;
pub use region::regions;

use crate::ir::{BlockData, Func, Op as IrOp, Term, Value};

/// How a function is translated. First as it gives the fewest words; where that does not fit, more sparingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Tails are copied for each way into them.
    pub duplicate: bool,
    /// Few values are kept in registers: constants and metadata are made anew for each use, operations keep program order.
    pub frugal: bool,
}

/// Values that stand for the named registers r0 to r5 of calls, if the prepared function calls one or is called. They are none of the
/// function's own.
pub fn named(func: &Func) -> Option<[Value; 6]> {
    let calls = |op: &IrOp| matches!(op, IrOp::Call { .. } | IrOp::Named(_));
    let takes_part =
        |block: &BlockData| matches!(block.term, Term::Return(_)) || block.insts.iter().any(|inst| calls(&inst.op));
    let first = func.blocks.iter().any(takes_part).then_some(func.values)?;
    Some(std::array::from_fn(|n| Value(first + n as u32)))
}

/// Constants by value number.
pub fn constants(func: &Func) -> Vec<Option<u64>> {
    let mut constants = vec![None; func.values as usize];
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        if let (Some(result), IrOp::Const(value)) = (inst.result, &inst.op)
            && let Some(place) = constants.get_mut(result.at())
        {
            *place = Some(*value);
        }
    }
    constants
}

/// The return value of a block that does nothing but end the packet with a constant that fits a branch target.
pub(crate) fn exit_code(func: &Func, constants: &[Option<u64>], block: crate::ir::Block) -> Option<u8> {
    let data = &func.blocks[block.at()];
    if data.insts.iter().any(|inst| !matches!(inst.op, IrOp::Const(_))) {
        return None;
    }
    match data.term {
        Term::Exit(value) => small_exit(constants[value.at()]?),
        Term::Unreachable => Some(0),
        _ => None,
    }
}

/// A return value as a branch target holds it, if it does: 0 to 4, of the low 32 bits.
pub(crate) fn small_exit(value: u64) -> Option<u8> {
    let low = value as u32;
    (low <= 4).then_some(low as u8)
}
