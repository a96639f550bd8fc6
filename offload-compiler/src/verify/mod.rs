//! Is a program safe to run? Explores its paths as the kernel's verifier does (kernel/bpf/verifier.c, 6.18 with root's
//! privileges) and refuses the first unsafe step with its C line, the values that matter and the path that leads there.
//!
//! | module | part |
//! |---|---|
//! | `structure` | what can be said without following paths: targets, registers, unreachable code |
//! | `live` | registers and stack slots that may still be read |
//! | `explore` | one path after the other, checkpoints, budget, endless loops |
//! | `prune` | when an earlier checkpoint covers a state |
//! | `trace` | precision of numbers, the path for messages |
//! | `state` | registers, frames |
//! | `alu`, `branch`, `memory`, `stack`, `call` | the rules of each kind of instruction |
//! | `args` | arguments of helpers |
//! | `global` | functions that are checked on their own |
//! | `protos` | the helpers |
//!
//! Where it differs from the kernel on purpose is listed in docs/verifier.md; it is never laxer on memory safety.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::as_conversions)]

mod alu;
mod args;
mod branch;
mod call;
mod explore;
mod global;
#[cfg(test)]
mod helper_tests;
mod live;
mod memory;
pub(crate) mod protos;
mod prune;
#[cfg(test)]
mod prune_tests;
mod refusal;
mod report;
mod stack;
mod state;
mod structure;
#[cfg(test)]
mod tests;
mod trace;

use crate::object::{Object, Program};
use offwire_diag::Diagnostic;

pub use protos::supported_helpers;

/// Where the exploration gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions processed over all paths (kernel: `BPF_COMPLEXITY_LIMIT_INSNS`).
    pub max_processed: u64,
    /// Branches that wait to be explored (kernel: `BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
    pub max_pending: usize,
    /// Checkpoints kept at a time; what is beyond is not pruned against, which costs time and never correctness.
    pub max_states: usize,
    /// A checkpoint at every place that can have one, to test pruning (kernel: `BPF_F_TEST_STATE_FREQ`).
    pub every_state: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_processed: 1_000_000, max_pending: 8192, max_states: 200_000, every_state: false }
    }
}

/// What the exploration took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions processed over all paths.
    pub processed: u64,
    /// Checkpoints made.
    pub states: u64,
    /// Checkpoints kept at the same time, at most.
    pub peak_states: u64,
    /// Branches that waited at the same time, at most.
    pub peak_pending: u64,
    /// Paths that ended at a checkpoint that covers them.
    pub pruned: u64,
}

/// A program that is safe to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it took.
    pub stats: Stats,
    /// Bytes of stack of the deepest chain of calls, each frame rounded up to 16.
    pub stack_depth: u32,
    /// Instructions that no path reaches, ascending: behind branches that always go the other way.
    pub dead: Vec<crate::ebpf::InsnIdx>,
}

/// Verifies one program of the object.
///
/// # Errors
/// The broken rule (codes OW0301 to OW0399), or that the budget is used up.
pub fn verify(object: &Object, program: &Program, limits: &Limits) -> Result<Verified, Diagnostic> {
    structure::check(object, program)
        .map_err(|(at, refusal)| report::diagnostic(object, program, at, *refusal, None))?;
    explore::Verifier::new(object, program, limits).run()
}
