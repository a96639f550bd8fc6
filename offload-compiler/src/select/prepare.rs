//! Makes the IR fit the machine before traces are formed, without leaving the IR.

use super::How;
use super::duplicate::duplicate;
use super::live::Liveness;
use super::remake::remake;
use super::simplify::{drop_unreachable, simplify};
use super::{constants, exit_code};
use crate::ebpf::InsnIdx;
use crate::ir::{Block, BlockData, Cfg, Func, Inst, Jump, Mem, Op, Term, Value};
use offwire_isa::{AluOp, KeyUse, RequestOp, Space};
use std::collections::BTreeMap;

/// What `g_len` holds.
const GUARD_MAX: i32 = 1023;

/// The function as selection wants it: control flow simplified; jumps that only end the packet lead to blocks of one constant;
/// offsets within -512 to 511 and guards within 0 to 1023; parameters can be set on every edge, before it is taken, without harm
/// to the other side; and in an order. A call is the last instruction of its block.
pub fn prepare(func: &Func, how: &How) -> Func {
    let mut func = func.clone();
    simplify(&mut func);
    if how.duplicate {
        duplicate(&mut func);
        simplify(&mut func);
    }
    if how.frugal {
        remake(&mut func);
    }
    reach(&mut func);
    split_edges(&mut func);
    break_cycles(&mut func);
    keep_tested(&mut func);
    drop_unreachable(&mut func);
    drop_unused(&mut func);
    cut_calls(&mut func);
    func
}

/// A block ends with its first call. What follows stands in a block of its own, which takes the result from the named register.
fn cut_calls(func: &mut Func) {
    let mut at = 0;
    while let Some(data) = func.blocks.get(at) {
        at += 1;
        let Some(call) = data.insts.iter().position(|inst| matches!(inst.op, Op::Call { .. })) else { continue };
        let behind = Block(func.blocks.len() as u32);
        let unused = func.new_value();
        let data = &mut func.blocks[at - 1];
        let rest = data.insts.split_off(call + 1);
        let insn = data.insts[call].insn;
        let result = data.insts[call].result.take().unwrap_or(unused);
        let mut insts = vec![Inst { result: Some(result), op: Op::Named(0), insn }];
        insts.extend(rest);
        let term = std::mem::replace(&mut data.term, Term::Jump(Jump::to(behind)));
        let term_insn = std::mem::replace(&mut data.term_insn, insn);
        func.blocks.push(BlockData { params: Vec::new(), insts, term, term_insn });
    }
}

/// Brings offsets into reach: constant bases move into the offset, what is too far is added to the base.
fn reach(func: &mut Func) {
    let mut consts = constants(func);
    for at in 0..func.blocks.len() {
        let insts = std::mem::take(&mut func.blocks[at].insts);
        let mut far = Far { func, consts: &mut consts, known: BTreeMap::new(), out: Vec::with_capacity(insts.len()) };
        for mut inst in insts {
            let insn = inst.insn;
            match &mut inst.op {
                Op::Load { mem, .. } | Op::Store { mem, .. } | Op::AtomicAdd { mem, .. } => far.mem(mem, insn),
                Op::Lookup { key, .. } | Op::Delete { key, .. } => far.mem(key, insn),
                Op::Update { key, value, .. } => {
                    far.mem(key, insn);
                    far.fold(value);
                }
                Op::Request(request) => {
                    request.key.iter_mut().for_each(|key| far.mem(key, insn));
                    request.value_at.iter_mut().for_each(|value| far.fold(value));
                }
                Op::Const(_) | Op::Alu { .. } | Op::AdjustHead { .. } | Op::Call { .. } | Op::Named(_) => {}
            }
            far.out.push(inst);
        }
        let mut term = std::mem::replace(&mut far.func.blocks[at].term, Term::Unreachable);
        let insn = far.func.blocks[at].term_insn;
        if let Term::Guard { base, len, pass, .. } = &mut term {
            if let Some(value) = *base
                && let Some(constant) = far.consts[value.at()]
                && let Ok(sum) = i32::try_from((constant as i64).saturating_add(i64::from(*len)))
            {
                (*base, *len) = (None, sum);
            }
            if base.is_none() && *len <= 0 {
                term = Term::Jump(pass.clone());
            } else if !(0..=GUARD_MAX).contains(len) {
                let (high, low) = (*len & !1023, *len & 1023);
                (*base, *len) = (Some(far.add(*base, high, insn)), low);
            }
        }
        let out = std::mem::take(&mut far.out);
        func.blocks[at].insts = out;
        func.blocks[at].term = term;
    }
}

struct Far<'a> {
    func: &'a mut Func,
    consts: &'a mut Vec<Option<u64>>,
    /// Sums that the block already has, by base and addend.
    known: BTreeMap<(Option<Value>, i32), Value>,
    out: Vec<Inst>,
}

impl Far<'_> {
    /// Moves a constant base into the offset.
    fn fold(&mut self, mem: &mut Mem) {
        if mem.space != Space::MapValue
            && let Some(value) = mem.base
            && let Some(constant) = self.consts[value.at()]
            && let Ok(sum) = i32::try_from((constant as i64).saturating_add(i64::from(mem.offset)))
        {
            (mem.base, mem.offset) = (None, sum);
        }
    }

    fn mem(&mut self, mem: &mut Mem, insn: InsnIdx) {
        self.fold(mem);
        if !(-512..=511).contains(&mem.offset) {
            // The nearest multiple of 1024, so that accesses side by side share it.
            let low = (mem.offset.wrapping_add(512) & 1023) - 512;
            mem.base = Some(self.add(mem.base, mem.offset.wrapping_sub(low), insn));
            mem.offset = low;
        }
    }

    /// base + addend as a value.
    fn add(&mut self, base: Option<Value>, addend: i32, insn: InsnIdx) -> Value {
        if let Some(value) = self.known.get(&(base, addend)) {
            return *value;
        }
        let constant = self.value(Some(i64::from(addend) as u64));
        self.out.push(Inst { result: Some(constant), op: Op::Const(i64::from(addend) as u64), insn });
        let sum = match base {
            None => constant,
            Some(base) => {
                let sum = self.value(None);
                let op = Op::Alu { op: AluOp::Add, wide: true, a: base, b: constant };
                self.out.push(Inst { result: Some(sum), op, insn });
                sum
            }
        };
        self.known.insert((base, addend), sum);
        sum
    }

    fn value(&mut self, constant: Option<u64>) -> Value {
        self.consts.push(constant);
        self.func.new_value()
    }
}

/// A conditional edge whose target's parameters are still read on the other side gets a block of its own for the copies.
fn split_edges(func: &mut Func) {
    let consts = constants(func);
    let live = Liveness::new(func, &Cfg::new(func), &consts);
    for at in 0..func.blocks.len() {
        let jumps: Vec<Jump> = func.blocks[at].term.jumps().cloned().collect();
        let [first, second] = jumps.as_slice() else { continue };
        let clash = |jump: &Jump, other: &Jump| {
            let params = &func.blocks[jump.block.at()].params;
            let read = |param: &Value| live.is_live_in(other.block, *param) || other.args.contains(param);
            params.iter().zip(&jump.args).any(|(param, arg)| param != arg && read(param))
        };
        for (n, split) in [clash(first, second), clash(second, first)].into_iter().enumerate() {
            if !split {
                continue;
            }
            let term_insn = func.blocks[at].term_insn;
            let middle = Block(func.blocks.len() as u32);
            let term = Term::Jump(jumps[n].clone());
            func.blocks.push(BlockData { params: Vec::new(), insts: Vec::new(), term, term_insn });
            if let Some(jump) = func.blocks[at].term.jumps_mut().nth(n) {
                *jump = Jump::to(middle);
            }
        }
    }
}

/// Parameters that swap their values on an edge (a, b := b, a) go over a value of their own.
fn break_cycles(func: &mut Func) {
    for at in 0..func.blocks.len() {
        let mut term = std::mem::replace(&mut func.blocks[at].term, Term::Unreachable);
        let insn = func.blocks[at].term_insn;
        for jump in term.jumps_mut() {
            // A block that jumps to itself keeps its parameters while `term` is out.
            let params = func.blocks[jump.block.at()].params.clone();
            for n in 0..params.len() {
                if !on_cycle(&params, &jump.args, n) {
                    continue;
                }
                let old = jump.args[n];
                let copy = func.new_value();
                let op = Op::Alu { op: AluOp::Mov, wide: true, a: old, b: old };
                func.blocks[at].insts.push(Inst { result: Some(copy), op, insn });
                jump.args[n] = copy;
            }
        }
        func.blocks[at].term = term;
    }
}

/// True if parameter `n` gets its value, over others, from itself, and not at once.
fn on_cycle(params: &[Value], args: &[Value], n: usize) -> bool {
    let mut at = n;
    for step in 0..=params.len() {
        let Some(source) = params.iter().position(|param| Some(param) == args.get(at)) else { return false };
        if source == n {
            return step > 0;
        }
        at = source;
    }
    // Runs into a cycle that does not hold `n`.
    false
}

/// What a branch tests and one of its edges sets anew is tested under another name: the edge's copies stand before the branch.
fn keep_tested(func: &mut Func) {
    for at in 0..func.blocks.len() {
        let mut term = std::mem::replace(&mut func.blocks[at].term, Term::Unreachable);
        let insn = func.blocks[at].term_insn;
        let set = |value: Value| {
            term.jumps().any(|jump| {
                // A block that jumps to itself keeps its parameters while `term` is out.
                let params = &func.blocks[jump.block.at()].params;
                params.iter().zip(&jump.args).any(|(param, arg)| *param == value && arg != param)
            })
        };
        let mut tested = Vec::new();
        term.for_each_own_use(|value| {
            if set(value) && !tested.contains(&value) {
                tested.push(value);
            }
        });
        let is_exit = matches!(term, Term::Exit(_));
        for old in tested.into_iter().filter(|_| !is_exit) {
            let copy = func.new_value();
            let op = Op::Alu { op: AluOp::Mov, wide: true, a: old, b: old };
            func.blocks[at].insts.push(Inst { result: Some(copy), op, insn });
            let rename = |value: &mut Value| {
                if *value == old {
                    *value = copy;
                }
            };
            match &mut term {
                Term::Branch { a, b, .. } => [a, b].into_iter().for_each(rename),
                Term::Guard { base: Some(base), .. } => rename(base),
                _ => {}
            }
        }
        func.blocks[at].term = term;
    }
}

/// Instructions whose results nobody uses go.
fn drop_unused(func: &mut Func) {
    let mut uses = vec![0u32; func.values as usize];
    for block in &func.blocks {
        block.insts.iter().for_each(|inst| inst.op.for_each_use(|value| uses[value.at()] += 1));
        block.term.for_each_use(|value| uses[value.at()] += 1);
    }
    let mut changed = true;
    while changed {
        changed = false;
        for block in &mut func.blocks {
            let before = block.insts.len();
            let mut kept: Vec<Inst> = Vec::with_capacity(before);
            for inst in std::mem::take(&mut block.insts).into_iter().rev() {
                if inst.op.is_removable() && inst.result.is_none_or(|result| uses[result.at()] == 0) {
                    inst.op.for_each_use(|value| uses[value.at()] -= 1);
                } else {
                    kept.push(inst);
                }
            }
            kept.reverse();
            changed |= kept.len() != before;
            block.insts = kept;
        }
    }
}

/// For each block: may an execution read the program's stack, or scratch beyond the metadata, from its beginning on?
pub(super) fn stack_readers(func: &Func, cfg: &Cfg) -> Vec<bool> {
    let private = |mem: &Mem| match mem.space {
        Space::Stack => true,
        Space::Scratch => mem.offset >= 64,
        Space::Packet | Space::MapValue => false,
    };
    let mut reads: Vec<bool> = func
        .blocks
        .iter()
        .map(|block| {
            block.insts.iter().any(|inst| match &inst.op {
                Op::Call { .. } => true,
                Op::Load { mem, .. } => private(mem),
                Op::Lookup { key, .. } | Op::Delete { key, .. } => private(key),
                Op::Update { key, value, .. } => private(key) || private(value),
                Op::Request(request) => {
                    // A printk has its arguments in scratch.
                    request.op == RequestOp::Printk
                        || request.value_at.as_ref().is_some_and(private)
                        || (request.op.shape().key != KeyUse::WritesW && request.key.as_ref().is_some_and(private))
                }
                _ => false,
            })
        })
        .collect();
    let mut changed = true;
    while changed {
        changed = false;
        for &block in cfg.order.iter().rev() {
            let from_here = func.blocks[block.at()].term.jumps().any(|jump| reads[jump.block.at()]);
            if from_here && !reads[block.at()] {
                reads[block.at()] = true;
                changed = true;
            }
        }
    }
    reads
}

/// True if the block is nothing but an end of the packet that any target can hold.
pub(super) fn is_exit(func: &Func, consts: &[Option<u64>], block: Block) -> bool {
    block != Block::ENTRY && exit_code(func, consts, block).is_some()
}
