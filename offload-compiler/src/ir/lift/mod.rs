//! From a verified eBPF program and its facts to SSA.
//!
//! Local calls are inlined: every call site gets a copy of the function with registers and a stack frame of its own
//! ([`expand`]); the callback of a bpf_loop becomes the body of a loop ([`loops`]). Registers become values by giving each block with several predecessors a parameter for each live register
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
mod packet;
mod printk;
mod stack;
mod taken;
#[cfg(test)]
mod tests;

use super::{Cfg, Func};
use crate::ebpf::InsnIdx;
use crate::facts::Facts;
use crate::object::{Object, Program};
use offwire_diag::{Code, Diagnostic};

/// Translates one program. The object gives the maps; the program must be verified and the facts must be its own.
///
/// # Errors
/// OW0401 to OW0408: something that the device or the compiler does not do, with instruction, reason and a way out.
pub fn lift(object: &Object, program: &Program, facts: &Facts) -> Result<Func, Diagnostic> {
    let lifter = Lifter { object, program, facts };
    let expanded = expand::expand(&lifter)?;
    let skeleton = expanded.skeleton(program);
    let cfg = Cfg::new(&skeleton);
    let live = live::live_in(&lifter, &expanded, &cfg);
    let mut callers = callers::Callers::default();
    let func = build::build(&lifter, &expanded, &cfg, &live, skeleton, &mut callers)?;
    callers::check(&lifter, &func, &callers)?;
    printk::check(&lifter, &func)?;
    Ok(func)
}

/// What every step looks at.
struct Lifter<'a> {
    object: &'a Object,
    program: &'a Program,
    facts: &'a Facts,
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
