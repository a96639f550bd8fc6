//! List scheduling: one word after the other, each filled as far as the units allow.

use super::code::{Code, VReg, VWord, WordId};
use super::fill::fill;
use super::graph::Graph;
use super::slots::Slots;
use crate::select::{Kind, OpId, Trace};
use std::collections::BTreeSet;

/// Restrictions found necessary by register allocation.
#[derive(Clone, Debug, Default)]
pub struct Bans {
    /// Pairs, the lower register first, that no word may write together.
    pub pairs: BTreeSet<(VReg, VReg)>,
    /// At most one write back a word.
    pub single: bool,
}

impl Bans {
    /// Forbids writing both in one word. False if it was forbidden before.
    pub fn ban(&mut self, a: VReg, b: VReg) -> bool {
        self.pairs.insert((a.min(b), a.max(b)))
    }

    fn allow(&self, writes: &[VReg]) -> bool {
        match writes {
            [] | [_] => true,
            [a, b] => !self.single && (self.pairs.is_empty() || !self.pairs.contains(&(*a.min(b), *a.max(b)))),
            _ => false,
        }
    }
}

/// An operation that fits no word even alone: a mistake in selection.
#[derive(Clone, Debug)]
pub struct Unschedulable {
    /// eBPF instruction.
    pub insn: u32,
    /// The operation.
    pub what: String,
}

/// Schedules all traces.
///
/// # Errors
/// If an operation fits no word; selection makes none such.
pub fn schedule(traces: &[Trace], values: u32, bans: &Bans) -> Result<Code, Unschedulable> {
    let mut code = Code { vregs: values, ..Code::default() };
    for trace in traces {
        let head = WordId(code.words.len() as u32);
        code.heads.insert(trace.head, head);
        code.entry.get_or_insert(head);
        let graph = Graph::new(trace);
        let plan = Plan::new(trace, &graph, bans)?;
        plan.write(&mut code.words);
    }
    Ok(code)
}

const NEVER: u32 = u32::MAX;

/// Registers in use from which on operations are taken nearly in program order, where the compiler of the program kept few values
/// alive; and how far ahead of that order they may still come.
const TIGHT: usize = 11;
const AHEAD: usize = 8;

/// The words of one trace.
struct Plan<'a> {
    trace: &'a Trace,
    graph: &'a Graph,
    bans: &'a Bans,
    /// By operation.
    word_of: Vec<u32>,
    words: Vec<Slots>,
}

impl<'a> Plan<'a> {
    fn new(trace: &'a Trace, graph: &'a Graph, bans: &'a Bans) -> Result<Self, Unschedulable> {
        let n = trace.ops.len();
        let mut plan = Plan { trace, graph, bans, word_of: vec![NEVER; n], words: Vec::new() };
        let mut left: Vec<OpId> = (0..n).collect();
        left.sort_by_key(|&id| (std::cmp::Reverse(graph.height[id]), id));
        while !left.is_empty() {
            let slots = plan.fill_word(&left);
            plan.words.push(slots);
            let before = left.len();
            left.retain(|&id| plan.word_of[id] == NEVER);
            if left.len() == before {
                let op = &trace.ops[left[0]];
                return Err(Unschedulable { insn: op.insn, what: format!("{:?}", op.kind) });
            }
        }
        Ok(plan)
    }

    /// Fills the next word from `left`, which stands in order of priority.
    fn fill_word(&mut self, left: &[OpId]) -> Slots {
        let word = self.words.len() as u32;
        let mut placed: Vec<OpId> = Vec::new();
        let mut good = (0, Slots::default());
        let mut banned: Vec<OpId> = Vec::new();
        let last = if self.pressure() < TIGHT { OpId::MAX } else { left.iter().min().map_or(0, |first| first + AHEAD) };
        loop {
            for &id in left {
                if self.word_of[id] != NEVER || id > last || banned.contains(&id) || !self.is_ready(id, word) {
                    continue;
                }
                placed.push(id);
                match Slots::new(self.trace, &placed) {
                    Some(slots) => {
                        self.word_of[id] = word;
                        // More results than write backs may be on their way to a unit that is placed later.
                        if self.bans.allow(&self.writes(&slots)) {
                            good = (placed.len(), slots);
                        }
                    }
                    None => {
                        placed.pop();
                    }
                }
            }
            let Some(&first) = placed.get(good.0) else { return good.1 };
            for id in placed.drain(good.0..) {
                self.word_of[id] = NEVER;
            }
            banned.push(first);
        }
    }

    /// Values that are in registers and wanted by what is not placed yet.
    fn pressure(&self) -> usize {
        let waits = |users: &[OpId]| users.iter().any(|&user| self.word_of[user] == NEVER);
        let made = (0..self.word_of.len())
            .filter(|&id| self.word_of[id] != NEVER && (self.graph.live_out[id] || waits(&self.graph.users[id])));
        made.count() + self.graph.live_in.iter().filter(|users| waits(users)).count()
    }

    fn is_ready(&self, id: OpId, word: u32) -> bool {
        self.graph.before[id].iter().all(|dep| {
            let at = self.word_of[dep.op];
            at != NEVER && at + dep.words <= word
        })
    }

    /// True if the result must be in a register after its word.
    fn leaves(&self, id: OpId) -> bool {
        let word = self.word_of[id];
        self.graph.live_out[id] || self.graph.users[id].iter().any(|&user| self.word_of[user] != word)
    }

    /// Registers that a word writes back.
    fn writes(&self, slots: &Slots) -> Vec<VReg> {
        let results = slots.loads.iter().chain(&slots.alus).flatten().filter(|id| self.leaves(**id));
        let results = results.filter_map(|id| self.trace.ops[*id].result);
        let copies = slots.copies.iter().filter_map(|id| match self.trace.ops[*id].kind {
            Kind::Copy { dst, .. } => Some(dst),
            _ => None,
        });
        results.chain(copies).map(|value| VReg(value.0)).collect()
    }

    /// True if an earlier branch of the program may still be taken when the load of this word happens.
    fn is_hoisted(&self, load: OpId) -> bool {
        let word = self.word_of[load];
        self.trace.ops[..load].iter().enumerate().any(|(id, op)| match op.kind {
            Kind::Guard { .. } => self.word_of[id] > word,
            Kind::Cmp { .. } => self.word_of[id] >= word,
            _ => false,
        })
    }

    fn write(self, out: &mut Vec<VWord>) {
        let first = out.len() as u32;
        for (n, slots) in self.words.iter().enumerate() {
            let next = WordId(first + n as u32 + 1);
            let leaves = |id: OpId| self.leaves(id);
            let hoisted = |id: OpId| self.is_hoisted(id);
            out.push(fill(self.trace, slots, next, leaves, hoisted));
        }
    }
}
