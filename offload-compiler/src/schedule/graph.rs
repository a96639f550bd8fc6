//! Dependences between the operations of a trace.

use super::effects::{Effect, between, effect, is_silent};
use crate::ir::Value;
use crate::select::{Kind, OpId, Trace};
use offwire_isa::Space;
use std::collections::BTreeMap;

/// `before` must come first; `words` later at the earliest: 0 if both may share a word as far as the units allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dep {
    pub(super) op: OpId,
    pub(super) words: u32,
}

/// Dependences of one trace. All of them lead from an operation to a later one in program order.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    /// By operation: what must come before.
    pub(super) before: Vec<Vec<Dep>>,
    /// By operation: what must come after.
    pub(super) after: Vec<Vec<OpId>>,
    /// By operation: a measure of the way to the end of the trace; those before others have more.
    pub(super) height: Vec<u32>,
    /// By operation: the operations that use its result, ascending.
    pub(super) users: Vec<Vec<OpId>>,
    /// The users of each value from outside; branches and the end, where an edge needs it.
    pub(super) live_in: Vec<Vec<OpId>>,
    /// By operation: true if an edge needs its result in a register.
    pub(super) live_out: Vec<bool>,
}

impl Graph {
    pub(super) fn new(trace: &Trace) -> Self {
        let n = trace.ops.len();
        let mut graph = Graph {
            before: vec![Vec::new(); n],
            after: vec![Vec::new(); n],
            height: vec![0; n],
            users: vec![Vec::new(); n],
            live_in: Vec::new(),
            live_out: vec![false; n],
        };
        graph.data(trace);
        graph.memory(trace);
        graph.control(trace);
        graph.copies(trace);
        for deps in &mut graph.before {
            deps.sort_unstable_by_key(|dep| (dep.op, std::cmp::Reverse(dep.words)));
            deps.dedup_by_key(|dep| dep.op);
        }
        graph.heights(trace);
        for (id, deps) in graph.before.iter().enumerate() {
            for dep in deps {
                graph.after[dep.op].push(id);
            }
        }
        graph
    }

    /// Words that the trace takes at least.
    pub(super) fn least(&self) -> usize {
        self.height.iter().max().map_or(0, |height| *height as usize / 16 + 1)
    }

    fn add(&mut self, before: OpId, after: OpId, words: u32) {
        self.before[after].push(Dep { op: before, words });
    }

    /// Definitions before uses. An address needs its base from an earlier word; so does everybody who needs an answer, but its
    /// null test.
    fn data(&mut self, trace: &Trace) {
        let mut home = BTreeMap::new();
        let mut outside: BTreeMap<Value, Vec<OpId>> = BTreeMap::new();
        for (id, op) in trace.ops.iter().enumerate() {
            let null_of = match op.kind {
                Kind::Cmp { null_of, .. } => null_of,
                _ => None,
            };
            let needed = trace.edge_of(id).into_iter().flat_map(|edge| edge.live.iter().copied());
            for value in op.uses().chain(needed) {
                if !home.contains_key(&value) {
                    outside.entry(value).or_default().push(id);
                }
            }
            for value in op.address_uses() {
                if let Some(&from) = home.get(&value) {
                    self.add(from, id, 1);
                    self.users[from].push(id);
                }
            }
            for value in op.data_uses().filter_map(|operand| operand.value()) {
                if let Some(&from) = home.get(&value) {
                    let answer = matches!(trace.ops[from].kind, Kind::Request { .. });
                    self.add(from, id, u32::from(answer && null_of != Some(value)));
                    self.users[from].push(id);
                }
            }
            if let Some(edge) = trace.edge_of(id) {
                for value in &edge.live {
                    if let Some(&from) = home.get(value) {
                        let killed = matches!(op.kind, Kind::Guard { .. });
                        let null_test = null_of == Some(*value);
                        let answer = matches!(trace.ops[from].kind, Kind::Request { .. });
                        // A guard kills write backs, and what must survive a call is stored before it. An answer comes after compares,
                        // but before the null test.
                        let call = matches!(op.kind, Kind::Call { .. });
                        let words = u32::from(killed || call || (answer && !null_test && !op.is_end()));
                        self.add(from, id, words);
                        self.live_out[from] = true;
                    }
                }
            }
            if let Some(result) = op.result {
                home.insert(result, id);
            }
        }
        for users in &mut self.users {
            users.dedup();
        }
        self.live_in = outside.into_values().collect();
    }

    fn memory(&mut self, trace: &Trace) {
        let effects: Vec<(OpId, Effect)> =
            trace.ops.iter().enumerate().filter_map(|(id, op)| Some((id, effect(&op.kind)?))).collect();
        for (n, (after, second)) in effects.iter().enumerate() {
            for (before, first) in &effects[..n] {
                if let Some(words) = between(first, second) {
                    self.add(*before, *after, words);
                }
            }
        }
    }

    /// Branches against branches and side effects.
    fn control(&mut self, trace: &Trace) {
        let branches: Vec<OpId> = (0..trace.ops.len()).filter(|id| trace.ops[*id].is_branch()).collect();
        for (id, op) in trace.ops.iter().enumerate() {
            for &branch in &branches {
                if branch == id {
                    continue;
                }
                let guard = matches!(trace.ops[branch].kind, Kind::Guard { .. });
                let earlier = branch < id;
                match &op.kind {
                    Kind::Guard { .. } | Kind::Cmp { .. } => {
                        if earlier && !trace.commute(branch, id) {
                            self.add(branch, id, 0);
                        }
                    }
                    Kind::End { .. } | Kind::Exit { .. } | Kind::Call { .. } | Kind::Return { .. } => {
                        self.add(branch, id, 0)
                    }
                    Kind::Store { .. } | Kind::Atomic { .. } => {
                        if trace.unobserved(id, branch) {
                            continue;
                        }
                        match earlier {
                            true => self.add(branch, id, 0),
                            false => self.add(id, branch, u32::from(guard)),
                        }
                    }
                    Kind::Request { op: request, .. } => {
                        let tests = matches!(trace.ops[branch].kind, Kind::Cmp { null_of, .. }
                            if null_of.is_some() && null_of == op.result);
                        match earlier {
                            true => self.add(branch, id, 0),
                            // Nobody can tell whether it was made; or it is its own test.
                            false if is_silent(*request) || tests => {}
                            false => self.add(id, branch, 1),
                        }
                    }
                    // A miss costs a sleep, so map values are not read before it is sure that they are wanted.
                    Kind::Load { at, .. } if at.space == Space::MapValue && earlier => {
                        self.add(branch, id, u32::from(!guard));
                    }
                    Kind::Load { .. } | Kind::Alu { .. } | Kind::Copy { .. } => {}
                }
            }
        }
        let end = trace.ops.len().saturating_sub(1);
        for (id, op) in trace.ops.iter().enumerate().take(end) {
            match op.kind {
                Kind::Store { .. } | Kind::Atomic { .. } | Kind::Copy { .. } => self.add(id, end, 0),
                Kind::Request { .. } => {
                    self.add(id, end, u32::from(trace.ops[end].ends_by_request()));
                }
                _ => {}
            }
        }
    }

    /// Parameters of edges: their old value is read before the copy, and each edge finds the value that it should.
    fn copies(&mut self, trace: &Trace) {
        for (id, op) in trace.ops.iter().enumerate() {
            let Kind::Copy { dst, .. } = op.kind else { continue };
            for (other, user) in trace.ops.iter().enumerate() {
                if other < id && user.uses().any(|value| value == dst) {
                    self.add(other, id, 0);
                }
                if other < id && matches!(user.kind, Kind::Copy { dst: same, .. } if same == dst) {
                    self.add(other, id, 1);
                }
                if trace.edge_of(other).is_some_and(|edge| edge.needs(dst)) {
                    let guard = matches!(user.kind, Kind::Guard { .. });
                    match other < id {
                        true => self.add(other, id, u32::from(!guard)),
                        false => self.add(id, other, u32::from(guard)),
                    }
                }
            }
        }
    }

    /// Longest way to the end: a word counts 16, a step inside a word less.
    fn heights(&mut self, trace: &Trace) {
        for id in (0..self.before.len()).rev() {
            let own = self.height[id];
            for n in 0..self.before[id].len() {
                let dep = self.before[id][n];
                let chained = match (&trace.ops[dep.op].kind, &trace.ops[id].kind) {
                    (Kind::Alu { .. }, Kind::Alu { .. }) => 6,
                    (Kind::Load { .. }, _) => 1,
                    _ => 0,
                };
                let height = own + if dep.words > 0 { 16 * dep.words } else { chained };
                self.height[dep.op] = self.height[dep.op].max(height);
            }
        }
    }
}
