//! From a verified eBPF program and its facts to SSA.
//!
//! Local calls are inlined: every call site gets a copy of the function with registers and a stack frame of its own
//! ([`expand`]), unless that makes too much of the program ([`outline`]): then some functions stay functions, each with one frame below those of all
//! its callers. The callback of a bpf_loop becomes the body of a loop ([`loops`]). Registers become values by giving each block with several predecessors a parameter for each live register
//! ([`live`]); the passes remove what is superfluous. Pointers become what the device's registers hold (see [`super`]);
//! whatever would make that difference visible is refused: nothing but what both sides compute alike may come out.

mod atomic;
mod branch;
mod build;
mod call;
mod callers;
mod divide;
mod events;
mod expand;
mod live;
mod loops;
mod memory;
mod outline;
mod packet;
mod printk;
mod stack;
mod taken;
#[cfg(test)]
mod tests;

use super::{Cfg, Func, FuncIdx};
use crate::ebpf::{InsnIdx, Reg};
use crate::facts::Facts;
use crate::object::{Object, Program};
use callers::Callers;
use expand::{Expanded, Frame, STACK};
use offwire_diag::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

/// Translates one program, all its local calls inlined. The object gives the maps; the program must be verified and the facts must
/// be its own.
///
/// # Errors
/// OW0401 to OW0408: something that the device or the compiler does not do, with instruction, reason and a way out.
pub fn lift(object: &Object, program: &Program, facts: &Facts) -> Result<Func, Diagnostic> {
    let lifter = Lifter { object, program, facts, functions: BTreeMap::new() };
    let mut funcs = translate(lifter, &[]).map_err(|(_, error)| error)?;
    Ok(funcs.swap_remove(0))
}

/// As [`lift`], but local functions stay functions as far as that is needed to keep the whole program within `budget` instructions,
/// and no function with too many inlined calls: the program itself comes first, then those that it calls. With a budget of 0 every
/// call stays one.
///
/// # Errors
/// As [`lift`].
pub fn lift_within(object: &Object, program: &Program, facts: &Facts, budget: usize) -> Result<Vec<Func>, Diagnostic> {
    let lifter = || Lifter { object, program, facts, functions: BTreeMap::new() };
    let graph = outline::CallGraph::new(&lifter());
    let mut inlined = BTreeSet::new();
    loop {
        let stay = graph.choose(budget, &inlined);
        match translate(lifter(), &stay) {
            Ok(funcs) => return Ok(funcs),
            // With its caller's facts, and the addresses that it is given, it may do.
            Err((suspects, error)) => {
                let before = inlined.len();
                inlined.extend(suspects);
                if inlined.len() == before {
                    return Err(error);
                }
            }
        }
    }
}

/// An error, and the functions that may do once they are inlined.
type Failed = (Vec<InsnIdx>, Diagnostic);

/// Translates the program and the functions in `stay`, callers first.
fn translate(mut lifter: Lifter, stay: &[InsnIdx]) -> Result<Vec<Func>, Failed> {
    for first in stay {
        lifter.functions.insert(*first, Function::default());
    }
    // Callers first: where the frame of a function lies, its callers say.
    let mut bodies: Vec<(InsnIdx, Expanded)> = Vec::new();
    let program = Frame { r10: STACK, caller: None, depth: 1, latch: None };
    for first in [InsnIdx(0)].iter().chain(stay) {
        let frame = match lifter.functions.get(first).map(|function| (function.frame.clone(), bodies.len())) {
            None => program.clone(),
            Some((Some(frame), number)) => {
                lifter.functions.entry(*first).and_modify(|function| function.number = FuncIdx(number as u32));
                frame
            }
            // Nobody calls it after all.
            Some((None, _)) => continue,
        };
        let expanded = expand::expand(&lifter, *first, frame).map_err(|error| (Vec::new(), error))?;
        for (target, frame) in &expanded.calls {
            let function = lifter.functions.entry(*target).or_default();
            let lowest = function.frame.get_or_insert_with(|| frame.clone());
            (lowest.r10, lowest.depth) = (lowest.r10.min(frame.r10), lowest.depth.max(frame.depth));
        }
        bodies.push((*first, expanded));
    }
    // Callees first: which arguments a function looks at, it says itself.
    let mut parts: Vec<(Func, Callers)> = Vec::new();
    for (first, expanded) in bodies.iter().rev() {
        let name = if first.0 == 0 { lifter.program.name.as_str() } else { lifter.function(*first) };
        let skeleton = expanded.skeleton(name);
        let cfg = Cfg::new(&skeleton);
        let live = live::live_in(&lifter, expanded, &cfg);
        if let Some(function) = lifter.functions.get_mut(first) {
            function.arguments = live::arguments(&live);
        }
        let mut callers = Callers::default();
        let func = build::build(&lifter, expanded, &cfg, &live, skeleton, &mut callers);
        let func = func.and_then(|func| printk::check(&lifter, &func).map(|()| func));
        parts.push((func.map_err(|error| (suspects(*first, expanded), error))?, callers));
    }
    parts.reverse();
    callers::check(&lifter, &parts).map_err(|(at, error)| {
        let (first, expanded) = &bodies[at];
        (suspects(*first, expanded), error)
    })?;
    Ok(parts.into_iter().map(|(func, _)| func).collect())
}

/// Whom to inline if a function cannot be translated: itself, or those that the program calls.
fn suspects(first: InsnIdx, expanded: &Expanded) -> Vec<InsnIdx> {
    match first.0 {
        0 => expanded.calls.iter().map(|(target, _)| *target).collect(),
        _ => vec![first],
    }
}

/// A local function that stays one.
#[derive(Default)]
struct Function {
    number: FuncIdx,
    /// Where its frame is: below those of all its callers, wherever it is called.
    frame: Option<Frame>,
    /// Registers that it looks at, ascending; they come in named registers r1 and on.
    arguments: Vec<Reg>,
}

/// What every step looks at.
struct Lifter<'a> {
    object: &'a Object,
    program: &'a Program,
    facts: &'a Facts,
    /// Functions that are not inlined, by their first instruction.
    functions: BTreeMap<InsnIdx, Function>,
}

impl Lifter<'_> {
    /// An error at an instruction.
    fn refuse(&self, at: InsnIdx, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).with_span(self.program.span(at))
    }

    /// The name of the function that starts there.
    fn function(&self, at: InsnIdx) -> &str {
        let named = self.program.functions.iter().find(|(first, _)| *first == at);
        named.map_or("the function", |(_, name)| name)
    }

    /// True if some execution comes there.
    fn is_reachable(&self, at: InsnIdx) -> bool {
        self.facts.before.get(at.at()).is_some_and(Option::is_some) && at.at() < self.program.insns.len()
    }
}
