//! Cleaning the control flow before traces are formed: decided branches, empty blocks, exits, parameters with one source.

use super::{constants, exit_code};
use crate::ir::{Block, BlockData, Cfg, Func, Inst, Jump, Op, Term, Value};
use offwire_isa::CmpOp;

/// How far a jump is followed through empty blocks.
const HOPS: usize = 16;

/// Runs all of it.
pub(super) fn simplify(func: &mut Func) {
    decide(func);
    thread(func);
    decide(func);
    drop_unreachable(func);
    rename_single(func);
    drop_dead_params(func);
}

/// Branches that cannot be taken, and those whose sides are the same, become jumps.
fn decide(func: &mut Func) {
    for block in &mut func.blocks {
        let jump = match &block.term {
            Term::Branch { op: CmpOp::Never, els, .. } => Some(els.clone()),
            Term::Branch { then, els, .. } if then == els => Some(els.clone()),
            Term::Guard { pass, fail, .. } if pass == fail => Some(pass.clone()),
            Term::Guard { base: None, len, pass, .. } if *len <= 0 => Some(pass.clone()),
            _ => None,
        };
        if let Some(jump) = jump {
            block.term = Term::Jump(jump);
        }
    }
}

/// How often each value is used, and how often by the terminator of the block that it is a parameter of.
struct Uses {
    all: Vec<u32>,
    own: Vec<u32>,
}

impl Uses {
    fn new(func: &Func) -> Self {
        let mut uses = Uses { all: vec![0; func.values as usize], own: vec![0; func.values as usize] };
        for block in &func.blocks {
            for inst in &block.insts {
                inst.op.for_each_use(|value| uses.all[value.at()] += 1);
            }
            block.term.for_each_use(|value| {
                uses.all[value.at()] += 1;
                if block.params.contains(&value) {
                    uses.own[value.at()] += 1;
                }
            });
        }
        uses
    }

    fn only_own(&self, value: Value) -> bool {
        self.all[value.at()] == self.own[value.at()]
    }
}

/// Sends every jump past empty blocks, and jumps that end the packet with a constant to one block per return value.
fn thread(func: &mut Func) {
    let uses = Uses::new(func);
    let mut consts = constants(func);
    let mut exits: [Option<Block>; 5] = [None; 5];
    for at in 0..func.blocks.len() {
        let mut term = std::mem::replace(&mut func.blocks[at].term, Term::Unreachable);
        // Read through the others; the block's own terminator is in `term`, and a jump to itself stops there.
        for jump in term.jumps_mut() {
            follow(func, &uses, &mut consts, &mut exits, Block(at as u32), jump);
        }
        if let Term::Jump(jump) = &term
            && let Some(value) = tail_exit(func, &consts, jump)
        {
            term = Term::Exit(value);
        }
        func.blocks[at].term = term;
    }
}

fn follow(
    func: &mut Func,
    uses: &Uses,
    consts: &mut Vec<Option<u64>>,
    exits: &mut [Option<Block>; 5],
    from: Block,
    jump: &mut Jump,
) {
    for _ in 0..HOPS {
        if jump.block == from {
            return;
        }
        if let Some(code) = constant_exit(func, consts, jump) {
            *jump = Jump::to(exit_block(func, consts, exits, code, jump.block));
            return;
        }
        let target = &func.blocks[jump.block.at()];
        let Term::Jump(next) = &target.term else { return };
        if !target.insts.is_empty() || !target.params.iter().all(|param| uses.only_own(*param)) {
            return;
        }
        let pass = |arg: &Value| match target.params.iter().position(|param| param == arg) {
            Some(n) => jump.args[n],
            None => *arg,
        };
        *jump = Jump { block: next.block, args: next.args.iter().map(pass).collect() };
    }
}

/// The return value of a jump that only ends the packet, if it is constant and small.
fn constant_exit(func: &Func, consts: &[Option<u64>], jump: &Jump) -> Option<u8> {
    if let Some(code) = exit_code(func, consts, jump.block) {
        return Some(code);
    }
    let value = tail_exit(func, consts, jump)?;
    super::small_exit(consts[value.at()]?)
}

/// What a jump to a block that only ends the packet returns, if that value exists before the jump.
fn tail_exit(func: &Func, consts: &[Option<u64>], jump: &Jump) -> Option<Value> {
    let target = &func.blocks[jump.block.at()];
    let Term::Exit(value) = target.term else { return None };
    if target.insts.iter().any(|inst| !matches!(inst.op, Op::Const(_)) || inst.result == Some(value)) {
        return None;
    }
    match target.params.iter().position(|param| *param == value) {
        Some(n) => jump.args.get(n).copied(),
        None => consts[value.at()].is_some().then_some(value),
    }
}

/// The one block that ends the packet with `code`; `like` is the block whose place in the source it takes first.
fn exit_block(
    func: &mut Func,
    consts: &mut Vec<Option<u64>>,
    exits: &mut [Option<Block>; 5],
    code: u8,
    like: Block,
) -> Block {
    if let Some(block) = exits[usize::from(code)] {
        return block;
    }
    let value = func.new_value();
    consts.push(Some(u64::from(code)));
    let insn = func.blocks[like.at()].term_insn;
    let inst = Inst { result: Some(value), op: Op::Const(u64::from(code)), insn };
    func.blocks.push(BlockData { params: Vec::new(), insts: vec![inst], term: Term::Exit(value), term_insn: insn });
    let block = Block(func.blocks.len() as u32 - 1);
    exits[usize::from(code)] = Some(block);
    block
}

/// Empties blocks that nobody reaches.
pub(super) fn drop_unreachable(func: &mut Func) {
    let cfg = Cfg::new(func);
    for (block, data) in func.block_ids().zip(&mut func.blocks) {
        if !cfg.is_reachable(block) {
            data.params.clear();
            data.insts.clear();
            data.term = Term::Unreachable;
        }
    }
}

/// Parameters of blocks with one predecessor are other names of the arguments.
fn rename_single(func: &mut Func) {
    let cfg = Cfg::new(func);
    let mut other: Vec<Option<Value>> = vec![None; func.values as usize];
    // Dominators first, so that an argument is already under its final name.
    for &block in &cfg.order {
        let &[from] = cfg.preds[block.at()].as_slice() else { continue };
        let params = std::mem::take(&mut func.blocks[block.at()].params);
        let Some(jump) = func.blocks[from.at()].term.jumps_mut().find(|jump| jump.block == block) else { continue };
        for (param, arg) in params.into_iter().zip(std::mem::take(&mut jump.args)) {
            other[param.at()] = Some(other[arg.at()].unwrap_or(arg));
        }
    }
    for block in &mut func.blocks {
        let rename = |value: &mut Value| *value = other[value.at()].unwrap_or(*value);
        block.insts.iter_mut().for_each(|inst| inst.op.for_each_use_mut(rename));
        block.term.for_each_use_mut(rename);
    }
}

/// Parameters that nobody reads, or only to hand them on to such a parameter, go.
fn drop_dead_params(func: &mut Func) {
    let mut read = vec![false; func.values as usize];
    for block in &func.blocks {
        block.insts.iter().for_each(|inst| inst.op.for_each_use(|value| read[value.at()] = true));
        block.term.for_each_own_use(|value| read[value.at()] = true);
    }
    loop {
        let mut changed = false;
        for at in 0..func.blocks.len() {
            for jump in func.blocks[at].term.jumps() {
                for (param, arg) in func.blocks[jump.block.at()].params.iter().zip(&jump.args) {
                    if read[param.at()] && !read[arg.at()] {
                        read[arg.at()] = true;
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            break;
        }
    }
    for at in 0..func.blocks.len() {
        let mut term = std::mem::replace(&mut func.blocks[at].term, Term::Unreachable);
        for jump in term.jumps_mut() {
            let mut keep = func.blocks[jump.block.at()].params.iter().map(|param| read[param.at()]);
            jump.args.retain(|_| keep.next().unwrap_or(true));
        }
        func.blocks[at].term = term;
    }
    for block in &mut func.blocks {
        block.params.retain(|param| read[param.at()]);
    }
}
