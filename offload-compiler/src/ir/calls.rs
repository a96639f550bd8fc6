//! What a program is made of: functions that call each other.

use super::{Func, FuncIdx, Inst, Mem, Op, Term};
use offwire_isa::{STACK_BYTES, Space};

/// Calls that may be open at a time (docs/isa.md, `call`).
const DEPTH: u32 = 8;

/// Functions that this one calls, repeats included.
pub fn callees(func: &Func) -> impl Iterator<Item = FuncIdx> {
    func.blocks.iter().flat_map(|block| &block.insts).filter_map(|inst| match inst.op {
        Op::Call { func, .. } => Some(func),
        _ => None,
    })
}

/// All functions, each behind those that it calls.
///
/// # Errors
/// A call goes to a function that is not there, or they go round in a circle or deeper than the device can; a function that is called
/// exits or wants more arguments than it is given, or one returns that nobody calls.
pub fn callees_first(funcs: &[Func]) -> Result<Vec<FuncIdx>, String> {
    // By function: how many levels of calls are below it, once that is known.
    let mut levels: Vec<Option<u32>> = vec![None; funcs.len()];
    let mut order = Vec::with_capacity(funcs.len());
    for _ in 0..=DEPTH {
        for (at, func) in (0..).map(FuncIdx).zip(funcs) {
            let level = |callee: FuncIdx| levels.get(callee.at()).copied().flatten();
            let mut below = callees(func).map(|callee| level(callee).map(|level| level + 1));
            if levels[at.at()].is_none()
                && let Some(level) = below.try_fold(0, |most, level| Some(most.max(level?)))
                && level <= DEPTH
            {
                levels[at.at()] = Some(level);
                order.push(at);
            }
        }
    }
    if order.len() < funcs.len() {
        return Err("calls lead to no function, go round in a circle, or are nested too deeply".into());
    }
    let mut given: Vec<Option<usize>> = vec![None; funcs.len()];
    for inst in funcs.iter().flat_map(|func| &func.blocks).flat_map(|block| &block.insts) {
        if let Op::Call { func, args, .. } = &inst.op {
            let given = &mut given[func.at()];
            *given = Some(given.map_or(args.len(), |least| least.min(args.len())));
        }
    }
    for ((at, func), given) in (0..).map(FuncIdx).zip(funcs).zip(given) {
        for block in &func.blocks {
            match block.term {
                Term::Exit(_) if given.is_some() => return Err(format!("{at} is called, but ends the packet")),
                Term::Return(_) if given.is_none() => return Err(format!("{at} returns, but nobody calls it")),
                _ => {}
            }
            for inst in &block.insts {
                if let Op::Named(reg @ 1..) = inst.op
                    && usize::from(reg) > given.unwrap_or(0)
                {
                    return Err(format!("{at} looks at r{reg}, which not every call sets"));
                }
            }
        }
    }
    Ok(order)
}

/// The lowest byte of the stack that the function itself may touch; 0 if it computes an address.
pub fn lowest_stack(func: &Func) -> i16 {
    let mut lowest = STACK_BYTES as i16;
    let mut note = |mem: &Mem| {
        if mem.space == Space::Stack {
            let from = if mem.base.is_some() { 0 } else { mem.offset.clamp(0, i32::from(STACK_BYTES)) as i16 };
            lowest = lowest.min(from);
        }
    };
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        match &inst.op {
            Op::Load { mem, .. } | Op::Store { mem, .. } | Op::AtomicAdd { mem, .. } => note(mem),
            Op::Lookup { key, .. } | Op::Delete { key, .. } => note(key),
            Op::Update { key, value, .. } => [key, value].into_iter().for_each(&mut note),
            Op::Request(request) => request.key.iter().chain(&request.value_at).for_each(&mut note),
            Op::Const(_) | Op::Alu { .. } | Op::AdjustHead { .. } | Op::Call { .. } | Op::Named(_) => {}
        }
    }
    lowest
}

/// Drops arguments that a function does not look at, from it and from all calls of it.
pub fn drop_arguments(funcs: &mut [Func], of: FuncIdx) {
    let Some(func) = funcs.get_mut(of.at()) else { return };
    let named = |inst: &Inst| match inst.op {
        Op::Named(reg @ 1..) => Some(reg),
        _ => None,
    };
    let insts = || func.blocks.iter().flat_map(|block| &block.insts);
    let mut used: Vec<u8> = insts().filter_map(named).collect();
    used.sort_unstable();
    used.dedup();
    for inst in func.blocks.iter_mut().flat_map(|block| &mut block.insts) {
        if let Op::Named(reg @ 1..) = &mut inst.op {
            *reg = used.iter().position(|used| used == reg).map_or(*reg, |at| at as u8 + 1);
        }
    }
    for inst in funcs.iter_mut().flat_map(|func| &mut func.blocks).flat_map(|block| &mut block.insts) {
        if let Op::Call { func, args, .. } = &mut inst.op
            && *func == of
        {
            *args = used.iter().filter_map(|reg| args.get(usize::from(*reg) - 1).copied()).collect();
        }
    }
}

/// The first function and those that it calls, directly or not, under new numbers.
pub fn keep_called(funcs: &[Func]) -> Vec<Func> {
    let mut kept: Vec<FuncIdx> = vec![FuncIdx(0)];
    let mut done = 0;
    while let Some(at) = kept.get(done) {
        done += 1;
        let new: Vec<FuncIdx> = funcs.get(at.at()).into_iter().flat_map(callees).collect();
        for callee in new {
            if !kept.contains(&callee) {
                kept.push(callee);
            }
        }
    }
    let mut out: Vec<Func> = kept.iter().filter_map(|at| funcs.get(at.at()).cloned()).collect();
    for func in &mut out {
        renumber(func, |old| kept.iter().position(|kept| *kept == old).map_or(old, |new| FuncIdx(new as u32)));
    }
    out
}

/// Calls of one function are calls of another.
pub fn renumber(func: &mut Func, new: impl Fn(FuncIdx) -> FuncIdx) {
    for inst in func.blocks.iter_mut().flat_map(|block| &mut block.insts) {
        if let Op::Call { func, .. } = &mut inst.op {
            *func = new(*func);
        }
    }
}
