//! Proves a schedule: symbolic execution of each trace, once as the IR has it and once as the words do it. Shares nothing with
//! selection, dependence graph and scheduler; knows only the IR and the contract of a word.
//!
//! Both sides name values by how they come about ([`symbols`]); a load's name holds all effects before it that may have changed what
//! it reads. On each way out of the words there must be a branch of the IR with the same condition and target, in the same order
//! (branches that end the packet alike may change places); with the same effects done before it, except stores that nobody can read any
//! more and requests that leave no trace; and with every register that the target reads holding the value that the IR says. Effects that may conflict
//! must stand in program order. A call ends its trace: all effects have been done, the arguments stand in the named registers that the
//! callee looks at, and it leaves nothing in registers but its result. Loads above a check must be such that they cannot fault.

mod effects;
mod program;
mod symbols;
mod words;

use super::code::Code;
use crate::ir::{Block, Cfg, Func, Mem, Op, Term};
use crate::regalloc::Liveness;
use offwire_isa::{KeyUse, RequestOp, Space};

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The trace.
    pub head: Block,
    /// One sentence.
    pub what: String,
}

/// Checks the words of all traces of a prepared function. `sizes`: bytes of key and value by map.
///
/// # Errors
/// The first thing that could not be proved.
pub fn check(func: &Func, regions: &[Vec<Block>], code: &Code, sizes: &[(u32, u32)]) -> Result<(), Wrong> {
    let constants = crate::select::constants(func);
    let live = Liveness::new(code);
    let reads_stack = stack_readers(func);
    entry(func, code, &live)?;
    for blocks in regions {
        let Some(&head) = blocks.first() else { continue };
        let mut symbols = symbols::Symbols::new(sizes);
        program::Walk::run(func, &constants, &mut symbols, blocks)
            .and_then(|program| words::Walk::run(code, head, &live, &reads_stack, &mut symbols, &program, func.values))
            .map_err(|what| Wrong { head, what })?;
    }
    Ok(())
}

/// Nothing is there when the function begins but arguments, if it is called.
fn entry(func: &Func, code: &Code, live: &Liveness) -> Result<(), Wrong> {
    let is_called = func.blocks.iter().any(|block| matches!(block.term, Term::Return(_)));
    let arguments = code.named.filter(|_| is_called);
    let arguments = arguments.as_ref().map_or(&[][..], |named| &named[1..]);
    let first = code.entry.ok_or_else(|| Wrong { head: Block::ENTRY, what: "there is no entry".into() })?;
    match live.live_in(first).find(|reg| !arguments.contains(reg)) {
        None => Ok(()),
        Some(reg) => Err(Wrong { head: Block::ENTRY, what: format!("v{} is read, but nothing sets it", reg.0) }),
    }
}

/// By block: may the program's own memory be read from there on?
fn stack_readers(func: &Func) -> Vec<bool> {
    let own = |mem: &Mem| matches!(mem.space, Space::Stack | Space::Scratch);
    let mut reads: Vec<bool> = Vec::with_capacity(func.blocks.len());
    for block in &func.blocks {
        reads.push(block.insts.iter().any(|inst| match &inst.op {
            Op::Call { .. } => true,
            Op::Load { mem, .. } => own(mem) && !(mem.space == Space::Scratch && mem.offset < 64),
            Op::Lookup { key, .. } | Op::Delete { key, .. } => own(key),
            Op::Update { key, value, .. } => own(key) || own(value),
            Op::Request(request) => {
                let key = request.key.iter().any(own) && !matches!(request.op.shape().key, KeyUse::WritesW);
                key || request.value_at.iter().any(own) || request.op == RequestOp::Printk
            }
            _ => false,
        }));
    }
    // Backwards along all edges, from every block that reads.
    let cfg = Cfg::new(func);
    let mut work: Vec<Block> = func.block_ids().filter(|block| reads[block.at()]).collect();
    while let Some(block) = work.pop() {
        for from in &cfg.preds[block.at()] {
            if !std::mem::replace(&mut reads[from.at()], true) {
                work.push(*from);
            }
        }
    }
    reads
}
