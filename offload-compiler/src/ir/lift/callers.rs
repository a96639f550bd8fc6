//! What is loaded from stack bytes that another function may have written.
//!
//! The facts do not know what stands in a caller's frame, because a function is analysed once for all its callers; and after a
//! call that got a pointer to this frame they do not know what stands here. In the IR each inlined call has its own copy, and of the
//! others it is known what they pass, so addresses are known once it stands. The lift assumes while it translates, and proves it at the end ([`check`]):
//!
//! A value is what the function whose frame it is stores to those bytes: numbers, or pointers of one kind; if the address is not known yet,
//! it is a number. Proof: nobody stores anything else to them, or, for numbers, no pointer.

use super::Lifter;
use crate::ebpf::{Insn, InsnIdx, Operand, Size};
use crate::facts::{Fact, PtrKind, Range, Tnum};
use crate::ir::{Func, Mem, Op, Term, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{AluOp, KeyUse, Space};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Most values that are looked at to find out an address.
const LOOKED_AT: usize = 1024;

/// A number of which nothing is known.
pub(super) const ANY: Range =
    Range { umin: 0, umax: u64::MAX, smin: i64::MIN, smax: i64::MAX, bits: Tnum { value: 0, mask: u64::MAX } };

/// What a value is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Number,
    Pointer(PtrKind),
}

impl Taken {
    /// As the facts would say it.
    pub(super) fn fact(self) -> Fact {
        match self {
            Taken::Number => Fact::Scalar(ANY),
            Taken::Pointer(kind) => Fact::Ptr { kind, offset: ANY, maybe_null: false },
        }
    }

    /// What a fact says without ranges; `None` for what may be anything, or null.
    pub(super) fn of(fact: &Fact) -> Option<Self> {
        match *fact {
            Fact::Scalar(_) => Some(Taken::Number),
            Fact::Ptr { kind, maybe_null: false, .. } => Some(Taken::Pointer(kind)),
            _ => None,
        }
    }
}

/// What is assumed, and what must be proved.
#[derive(Default)]
pub(super) struct Callers {
    /// Loads, what is computed from them, parameters that get only such, and what the facts are certain of at the ends of blocks.
    pub(super) taken: BTreeMap<Value, Taken>,
    /// Values whose facts were asked for in vain, so that what they are taken for counts.
    pub(super) used: RefCell<BTreeSet<Value>>,
    /// Stack addresses that values have as far as the function is built.
    pub(super) addresses: BTreeMap<Value, i64>,
    /// Arguments and results of calls of which the facts know nothing: taken for numbers.
    pub(super) assumed: BTreeSet<Value>,
    /// Stand for registers that were never written.
    pub(super) undefined: BTreeSet<Value>,
    /// The loads, 8 bytes each.
    pub(super) loads: BTreeMap<Value, (Mem, InsnIdx)>,
    /// Stores to the stack of 8 bytes that are not certainly a number: what they are, if that is known.
    pub(super) pointers: Vec<(Mem, Option<Taken>)>,
}

/// What the function around the instruction stores to the 8 bytes at this offset from r10, if it is all of one kind.
pub(super) fn stored(lifter: &Lifter, at: InsnIdx, offset: i64) -> Option<Taken> {
    let mut starts: Vec<u32> = lifter.program.functions.iter().map(|(first, _)| first.0).collect();
    starts.sort_unstable();
    let first = starts.iter().rev().find(|first| **first <= at.0).copied().unwrap_or(0);
    let end = starts.iter().find(|first| **first > at.0).copied().unwrap_or(u32::MAX);
    let mut found = None;
    let insns = (0u32..).zip(&lifter.program.insns).skip(first as usize).take_while(|(at, _)| *at < end);
    for (at, insn) in insns {
        let &Insn::Store { size: Size::B8, base, off, src } = insn else { continue };
        let Some(Some(state)) = lifter.facts.before.get(at as usize) else { continue };
        let Some(Fact::Ptr { kind: PtrKind::Stack, offset: to, .. }) = state.regs.get(usize::from(base.0)) else {
            continue;
        };
        if super::build::exact(to).map(|to| to.cast_signed().wrapping_add(off.into())) != Some(offset) {
            continue;
        }
        let taken = match src {
            Operand::Imm(_) => Taken::Number,
            Operand::Reg(reg) => match state.regs.get(usize::from(reg.0)) {
                Some(fact) => match Taken::of(fact) {
                    Some(taken) => taken,
                    // It will be taken for something itself, and compared at the end.
                    None if *fact == Fact::Unknown => continue,
                    None => return None,
                },
                None => return None,
            },
        };
        if found.is_some_and(|found| found != taken) {
            return None;
        }
        found = Some(taken);
    }
    Some(found.unwrap_or(Taken::Number))
}

impl Callers {
    /// The stack address that all these values have, if they have one.
    pub(super) fn common_address(&self, values: impl Iterator<Item = Value>) -> Option<i64> {
        let mut found = None;
        for value in values.filter(|value| !self.undefined.contains(value)) {
            let address = *self.addresses.get(&value)?;
            if found.is_some_and(|found| found != address) {
                return None;
            }
            found = Some(address);
        }
        found
    }

    /// What all these values are taken for, if that is known and the same; of those that stand for nothing, nothing is asked.
    pub(super) fn common(&self, values: impl Iterator<Item = Value>) -> Option<Taken> {
        let mut found = None;
        for value in values.filter(|value| !self.undefined.contains(value)) {
            let taken = *self.taken.get(&value)?;
            if found.is_some_and(|found| found != taken) {
                return None;
            }
            found = Some(taken);
        }
        found
    }
}

/// Refuses what the finished functions do not prove; tells in which one that is.
pub(super) fn check(lifter: &Lifter, parts: &[(Func, Callers)]) -> Result<(), (usize, Diagnostic)> {
    if parts.iter().all(|(_, callers)| callers.used.borrow().is_empty()) {
        return Ok(());
    }
    let addresses = Addresses::new(parts.iter().map(|(func, _)| func));
    let place = |home: usize, mem: &Mem, bytes: u32| Place { starts: addresses.of(home, mem), bytes };
    // Each with the function that it stands in.
    let (mut pointers, mut stores) = (Vec::new(), Vec::new());
    for (home, (func, callers)) in parts.iter().enumerate() {
        pointers.extend(callers.pointers.iter().map(|(mem, taken)| (place(home, mem, 8), *taken)));
        let own = func.blocks.iter().flat_map(|block| &block.insts).filter_map(stack_store);
        stores.extend(own.map(|(mem, bytes)| (place(home, &mem, bytes), home, mem)));
    }
    let refuse = |home: usize, insn: InsnIdx| {
        let error = lifter
            .refuse(insn, compiler::POINTER_UNKNOWN, "what is loaded from the stack may be a pointer or a number")
            .with_reason(
                "functions that get pointers to each other's variables write there, and the device holds pointers in another form \
                 than the host",
            )
            .with_help("pass pointers as arguments, or make the function __always_inline");
        (home, error)
    };
    let used = |(home, (_, callers)): (usize, &(Func, Callers))| -> Vec<(usize, Value)> {
        callers.used.borrow().iter().map(|value| (home, *value)).collect()
    };
    let mut work: Vec<(usize, Value)> = parts.iter().enumerate().flat_map(used).collect();
    let mut seen: BTreeSet<(usize, Value)> = work.iter().copied().collect();
    while let Some((home, value)) = work.pop() {
        let callers = &parts[home].1;
        let Some(taken) = callers.taken.get(&value) else { continue };
        if let Some((mem, insn)) = callers.loads.get(&value) {
            let from = place(home, mem, 8);
            let pointer_in_way = pointers.iter().any(|(to, what)| *what != Some(*taken) && from.meets(to));
            let same = |to: &Place, other_home: usize, other: &Mem| {
                let mut others = parts[other_home].1.pointers.iter();
                let stored = others.any(|(mem, what)| mem == other && *what == Some(*taken));
                stored && to.bytes == 8 && from.is_one() && from.starts == to.starts
            };
            let is_pointer = matches!(taken, Taken::Pointer(_));
            let mut stores = stores.iter();
            if pointer_in_way || (is_pointer && stores.any(|(to, home, mem)| from.meets(to) && !same(to, *home, mem))) {
                return Err(refuse(home, *insn));
            }
        }
        let mut args: Vec<(usize, Value)> = addresses.args(home, value).iter().map(|arg| (home, *arg)).collect();
        if callers.assumed.contains(&value) {
            args.extend(addresses.passed(home, value).ok_or_else(|| refuse(home, addresses.home(home, value)))?);
        }
        for (from, arg) in args {
            if parts[from].1.undefined.contains(&arg) {
                continue;
            }
            if parts[from].1.taken.get(&arg) != Some(taken) {
                return Err(refuse(home, addresses.home(home, value)));
            }
            if seen.insert((from, arg)) {
                work.push((from, arg));
            }
        }
    }
    Ok(())
}

/// Where an instruction writes to the stack, and at most how many bytes.
fn stack_store(inst: &crate::ir::Inst) -> Option<(Mem, u32)> {
    let (mem, bytes) = match &inst.op {
        Op::Store { mem, size, .. } => (*mem, u32::from(*size)),
        Op::Request(request) if request.op.shape().key == KeyUse::WritesW => (request.key?, request.key_bytes),
        _ => return None,
    };
    (mem.space == Space::Stack).then_some((mem, bytes))
}

/// Bytes from some address on.
struct Place {
    /// `None` if it may be any.
    starts: Option<BTreeSet<i64>>,
    bytes: u32,
}

impl Place {
    fn is_one(&self) -> bool {
        self.starts.as_ref().is_some_and(|starts| starts.len() == 1)
    }

    fn meets(&self, other: &Place) -> bool {
        match (&self.starts, &other.starts) {
            (Some(from), Some(to)) => {
                let (length, other_length) = (i64::from(self.bytes), i64::from(other.bytes));
                from.iter().any(|a| to.iter().any(|b| a - b < other_length && b - a < length))
            }
            _ => true,
        }
    }
}

/// Where values of all functions come from.
struct Addresses<'a> {
    funcs: Vec<Origins<'a>>,
    /// By function: the calls of it, each with the function that it stands in and the arguments.
    calls: Vec<Vec<(usize, &'a [Value])>>,
}

/// Where the values of one function come from.
struct Origins<'a> {
    ops: Vec<Option<&'a Op>>,
    /// Arguments by parameter.
    args: Vec<Vec<Value>>,
    /// The instruction of a value; of a parameter the first one of its block.
    homes: Vec<Option<InsnIdx>>,
    /// What the function returns.
    results: Vec<Value>,
}

impl<'a> Origins<'a> {
    fn new(func: &'a Func) -> Self {
        let mut ops = vec![None; func.values as usize];
        let mut args = vec![Vec::new(); func.values as usize];
        let mut homes = vec![None; func.values as usize];
        let mut results = Vec::new();
        for block in &func.blocks {
            results.extend(if let Term::Return(value) = block.term { Some(value) } else { None });
            for param in &block.params {
                if let Some(home) = homes.get_mut(param.at()) {
                    *home = Some(block.insts.first().map_or(block.term_insn, |inst| inst.insn));
                }
            }
            for inst in &block.insts {
                if let Some(place) = inst.result.and_then(|result| ops.get_mut(result.at())) {
                    *place = Some(&inst.op);
                }
                if let Some(home) = inst.result.and_then(|result| homes.get_mut(result.at())) {
                    *home = Some(inst.insn);
                }
            }
            for jump in block.term.jumps() {
                let params = func.blocks.get(jump.block.at()).map_or(&[][..], |block| &block.params);
                for (param, arg) in params.iter().zip(&jump.args) {
                    if let Some(args) = args.get_mut(param.at()) {
                        args.push(*arg);
                    }
                }
            }
        }
        Origins { ops, args, homes, results }
    }

    fn op(&self, value: Value) -> Option<&'a Op> {
        self.ops.get(value.at()).copied().flatten()
    }

    fn constant(&self, value: Value) -> Option<i64> {
        match self.op(value) {
            Some(Op::Const(value)) => Some(value.cast_signed()),
            _ => None,
        }
    }
}

impl<'a> Addresses<'a> {
    fn new(all: impl Iterator<Item = &'a Func> + Clone) -> Self {
        let mut calls = vec![Vec::new(); all.clone().count()];
        for (home, func) in all.clone().enumerate() {
            for inst in func.blocks.iter().flat_map(|block| &block.insts) {
                if let Op::Call { func, args, .. } = &inst.op
                    && let Some(calls) = calls.get_mut(func.at())
                {
                    calls.push((home, &args[..]));
                }
            }
        }
        Addresses { funcs: all.map(Origins::new).collect(), calls }
    }

    /// What a parameter of a block may be.
    fn args(&self, home: usize, value: Value) -> &[Value] {
        self.funcs[home].args.get(value.at()).map_or(&[][..], |args| args)
    }

    /// What callers pass for an argument, or a function returns for a result; `None` if it is neither.
    fn passed(&self, home: usize, value: Value) -> Option<Vec<(usize, Value)>> {
        match self.funcs[home].op(value)? {
            Op::Named(reg) => {
                let at = usize::from(*reg).checked_sub(1)?;
                self.calls[home].iter().map(|(caller, args)| Some((*caller, *args.get(at)?))).collect()
            }
            Op::Call { func, .. } => {
                let results = &self.funcs.get(func.at())?.results;
                Some(results.iter().map(|result| (func.at(), *result)).collect())
            }
            _ => None,
        }
    }

    /// The instruction of a value.
    fn home(&self, home: usize, value: Value) -> InsnIdx {
        self.funcs[home].homes.get(value.at()).copied().flatten().unwrap_or_default()
    }

    /// All addresses that it may have, in a function; `None` if they are not known.
    fn of(&self, home: usize, mem: &Mem) -> Option<BTreeSet<i64>> {
        let offset = i64::from(mem.offset);
        let Some(base) = mem.base else { return Some(BTreeSet::from([offset])) };
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([(home, base, offset)]);
        let mut work = vec![(home, base, offset)];
        while let Some((home, value, offset)) = work.pop() {
            let func = &self.funcs[home];
            let mut next = Vec::new();
            match func.op(value) {
                Some(Op::Const(base)) => {
                    found.insert(base.cast_signed().wrapping_add(offset));
                }
                Some(&Op::Alu { op: AluOp::Add, wide: true, a, b }) => match (func.constant(a), func.constant(b)) {
                    (_, Some(more)) => next.push((home, a, offset.wrapping_add(more))),
                    (Some(more), _) => next.push((home, b, offset.wrapping_add(more))),
                    _ => return None,
                },
                Some(&Op::Alu { op: AluOp::Sub, wide: true, a, b }) => {
                    next.push((home, a, offset.wrapping_sub(func.constant(b)?)));
                }
                Some(&Op::Alu { op: AluOp::Mov, wide: true, a, .. }) => next.push((home, a, offset)),
                // What all callers pass.
                Some(&Op::Named(reg)) => {
                    for (caller, args) in &self.calls[home] {
                        next.push((*caller, *args.get(usize::from(reg).checked_sub(1)?)?, offset));
                    }
                }
                None if !self.args(home, value).is_empty() => {
                    next.extend(self.args(home, value).iter().map(|arg| (home, *arg, offset)));
                }
                _ => return None,
            }
            for step in next {
                if seen.insert(step) {
                    work.push(step);
                }
            }
            if seen.len() > LOOKED_AT {
                return None;
            }
        }
        Some(found)
    }
}
