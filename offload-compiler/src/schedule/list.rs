//! List scheduling: one word after the other, each filled as far as the units allow.

use super::code::{Code, VReg, VWord, WordId};
use super::fill::fill;
use super::graph::Graph;
use super::slots::Slots;
use crate::ir::Value;
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
    /// What a function with these named registers begins with: those of one bank.
    pub fn of(named: Option<[Value; 6]>) -> Self {
        let mut bans = Bans::default();
        for (n, a) in named.iter().flatten().enumerate() {
            for b in named.iter().flatten().skip(n + 2).step_by(2) {
                bans.ban(VReg(a.0), VReg(b.0));
            }
        }
        bans
    }

    /// Forbids writing both in one word. False if it was forbidden before.
    pub fn ban(&mut self, a: VReg, b: VReg) -> bool {
        self.pairs.insert((a.min(b), a.max(b)))
    }

    fn allow(&self, mut writes: impl Iterator<Item = VReg>) -> bool {
        match (writes.next(), writes.next(), writes.next()) {
            (_, None, _) => true,
            (Some(a), Some(b), None) => {
                !self.single && (self.pairs.is_empty() || !self.pairs.contains(&(a.min(b), a.max(b))))
            }
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

/// What matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Few words.
    Short,
    /// Few values in registers: program order, in which the compiler of the program kept few of them alive.
    Frugal,
}

/// The traces of a function on their way to words. What was scheduled stays, until a ban forbids it.
pub struct Schedule<'a> {
    traces: &'a [Trace],
    values: u32,
    named: Option<[Value; 6]>,
    style: Style,
    graphs: Vec<Graph>,
    plans: Vec<Option<Plan>>,
}

impl<'a> Schedule<'a> {
    /// Looks at the dependences of all traces.
    pub fn new(traces: &'a [Trace], values: u32, named: Option<[Value; 6]>, style: Style) -> Self {
        let graphs = traces.iter().map(Graph::new).collect();
        let plans = traces.iter().map(|_| None).collect();
        Schedule { traces, values, named, style, graphs, plans }
    }

    /// The words, under all bans so far.
    ///
    /// # Errors
    /// If an operation fits no word; selection makes none such.
    pub fn code(&mut self, bans: &Bans) -> Result<Code, Unschedulable> {
        let named = self.named.map(|named| named.map(|value| VReg(value.0)));
        let mut code = Code { vregs: self.values, named, ..Code::default() };
        for ((trace, graph), plan) in self.traces.iter().zip(&self.graphs).zip(&mut self.plans) {
            let head = WordId(code.words.len() as u32);
            code.heads.insert(trace.head, head);
            code.entry.get_or_insert(head);
            let kept = plan.take().map(|plan| Planner::resume(trace, graph, bans, plan));
            let best = match kept.filter(Planner::is_allowed) {
                Some(kept) => kept,
                None => best(trace, graph, bans, self.style)?,
            };
            best.write(&mut code.words);
            *plan = Some(best.plan);
        }
        Ok(code)
    }
}

/// The shortest schedule of a trace that some rule finds.
fn best<'a>(trace: &'a Trace, graph: &'a Graph, bans: &'a Bans, style: Style) -> Result<Planner<'a>, Unschedulable> {
    if style == Style::Frugal {
        return Planner::new(trace, graph, bans, 1, style);
    }
    let mut best = Planner::new(trace, graph, bans, 0, style)?;
    for rule in 1..rules(trace) {
        if best.plan.words.len() <= graph.least() {
            break;
        }
        let plan = Planner::new(trace, graph, bans, rule, style)?;
        if plan.cost() < best.cost() {
            best = plan;
        }
    }
    Ok(best)
}

const NEVER: u32 = u32::MAX;

/// Registers in use from which on operations are taken nearly in program order, where the compiler of the program kept few values
/// alive; and how far ahead of that order they may still come.
const TIGHT: usize = 11;
const AHEAD: usize = 8;

/// How many rules of priority are tried: many for short traces, few where that takes time.
fn rules(trace: &Trace) -> u32 {
    (2000 / (trace.ops.len() as u32 + 1)).clamp(2, 12)
}

/// Priority of an operation under a rule: rule 0 goes by height alone, rule 1 by program order, the others by height with a
/// little chance, always the same.
fn priority(rule: u32, id: OpId, height: u32) -> u32 {
    match rule {
        0 => height * 64,
        1 => 0,
        _ => {
            let mut noise = (id as u32 + 1).wrapping_mul(0x9e37_79b9) ^ rule.wrapping_mul(0x85eb_ca6b);
            noise = (noise ^ noise >> 15).wrapping_mul(0x2c1b_3c6d);
            noise = (noise ^ noise >> 12).wrapping_mul(0x297a_2d39);
            // Up to one and a half words' worth, more in every fourth rule.
            let range = if rule.is_multiple_of(4) { 64 * 24 } else { 64 * 8 };
            height * 64 + (noise ^ noise >> 15) % range
        }
    }
}

/// Units taken in a word: a quick answer before [`Slots`] looks closely.
#[derive(Default)]
struct Room([u8; 6]);

impl Room {
    fn unit(kind: &Kind) -> (usize, u8) {
        match kind {
            Kind::Load { .. } => (0, 2),
            Kind::Alu { .. } => (1, 2),
            Kind::Store { .. } | Kind::Atomic { .. } => (2, 2),
            Kind::Request { .. } => (3, 1),
            Kind::Copy { .. } => (4, 2),
            // Two compares and a null test; guard and end have their own.
            Kind::Cmp { .. }
            | Kind::Guard { .. }
            | Kind::End { .. }
            | Kind::Exit { .. }
            | Kind::Call { .. }
            | Kind::Return { .. } => (5, 5),
        }
    }

    fn has(&self, kind: &Kind) -> bool {
        let (unit, room) = Self::unit(kind);
        self.0[unit] < room
    }

    fn take(&mut self, kind: &Kind) {
        self.0[Self::unit(kind).0] += 1;
    }
}

/// The words of one trace.
struct Plan {
    /// By operation.
    word_of: Vec<u32>,
    words: Vec<Slots>,
}

/// Makes a plan.
struct Planner<'a> {
    trace: &'a Trace,
    graph: &'a Graph,
    bans: &'a Bans,
    plan: Plan,
    /// By operation: those before it that are not placed yet.
    waits_for: Vec<u32>,
    /// From how many values in registers on program order counts, and how far ahead of it operations may come then.
    tight: usize,
    ahead: usize,
}

impl<'a> Planner<'a> {
    fn resume(trace: &'a Trace, graph: &'a Graph, bans: &'a Bans, plan: Plan) -> Self {
        Planner { trace, graph, bans, plan, waits_for: Vec::new(), tight: TIGHT, ahead: AHEAD }
    }

    /// True if no word writes what a ban forbids.
    fn is_allowed(&self) -> bool {
        self.plan.words.iter().all(|slots| self.bans.allow(self.writes(slots)))
    }

    fn new(trace: &'a Trace, graph: &'a Graph, bans: &'a Bans, rule: u32, style: Style) -> Result<Self, Unschedulable> {
        let n = trace.ops.len();
        let mut plan = Self::resume(trace, graph, bans, Plan { word_of: vec![NEVER; n], words: Vec::new() });
        plan.waits_for = graph.before.iter().map(|deps| deps.len() as u32).collect();
        if style == Style::Frugal {
            (plan.tight, plan.ahead) = (0, 1);
        }
        let mut left: Vec<OpId> = (0..n).collect();
        let mut priority: Vec<u32> = (0..n).map(|id| priority(rule, id, graph.height[id])).collect();
        // What must come before others is no less urgent: one pass over `left` then finds all that fits a word.
        for id in (0..n).rev() {
            for dep in &graph.before[id] {
                priority[dep.op] = priority[dep.op].max(priority[id]);
            }
        }
        left.sort_by_key(|&id| (std::cmp::Reverse(priority[id]), id));
        while !left.is_empty() {
            let slots = plan.fill_word(&left);
            plan.plan.words.push(slots);
            let before = left.len();
            left.retain(|&id| plan.plan.word_of[id] == NEVER);
            if left.len() == before {
                let op = &trace.ops[left[0]];
                return Err(Unschedulable { insn: op.insn, what: format!("{:?}", op.kind) });
            }
        }
        Ok(plan)
    }

    /// Less is better: words, then how late the ways out are, then values kept in registers between words.
    fn cost(&self) -> (usize, u32, u32) {
        let branches = self.trace.ops.iter().zip(&self.plan.word_of).filter(|(op, _)| op.is_branch());
        let kept =
            |id: OpId| self.graph.users[id].iter().map(|&user| self.plan.word_of[user] - self.plan.word_of[id]).max();
        let kept = (0..self.plan.word_of.len()).filter_map(kept).sum();
        (self.plan.words.len(), branches.map(|(_, word)| *word).sum(), kept)
    }

    /// Fills the next word from `left`, which stands in order of priority.
    fn fill_word(&mut self, left: &[OpId]) -> Slots {
        let word = self.plan.words.len() as u32;
        let mut placed: Vec<OpId> = Vec::with_capacity(16);
        let mut good = (0, Slots::default());
        let mut banned: Vec<OpId> = Vec::new();
        let mut room = Room::default();
        let last = match self.tight > 0 && self.pressure() < self.tight {
            true => OpId::MAX,
            false => left.iter().min().map_or(0, |first| first + self.ahead),
        };
        loop {
            for &id in left {
                if self.waits_for[id] > 0
                    || self.plan.word_of[id] != NEVER
                    || id > last
                    || !room.has(&self.trace.ops[id].kind)
                    || banned.contains(&id)
                    || !self.is_ready(id, word)
                {
                    continue;
                }
                placed.push(id);
                match Slots::new(self.trace, &placed) {
                    Some(slots) => {
                        self.place(id, word);
                        room.take(&self.trace.ops[id].kind);
                        // More results than write backs may be on their way to a unit that is placed later.
                        if self.bans.allow(self.writes(&slots)) {
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
                self.plan.word_of[id] = NEVER;
                self.graph.after[id].iter().for_each(|&later| self.waits_for[later] += 1);
            }
            room = Room::default();
            placed.iter().for_each(|&id| room.take(&self.trace.ops[id].kind));
            banned.push(first);
        }
    }

    /// Values that are in registers and wanted by what is not placed yet.
    fn pressure(&self) -> usize {
        let waits = |users: &[OpId]| users.iter().any(|&user| self.plan.word_of[user] == NEVER);
        let made = (0..self.plan.word_of.len())
            .filter(|&id| self.plan.word_of[id] != NEVER && (self.graph.live_out[id] || waits(&self.graph.users[id])));
        made.count() + self.graph.live_in.iter().filter(|users| waits(users)).count()
    }

    fn place(&mut self, id: OpId, word: u32) {
        self.plan.word_of[id] = word;
        self.graph.after[id].iter().for_each(|&later| self.waits_for[later] -= 1);
    }

    fn is_ready(&self, id: OpId, word: u32) -> bool {
        self.graph.before[id].iter().all(|dep| {
            let at = self.plan.word_of[dep.op];
            at != NEVER && at + dep.words <= word
        })
    }

    /// True if the result must be in a register after its word.
    fn leaves(&self, id: OpId) -> bool {
        let word = self.plan.word_of[id];
        self.graph.live_out[id] || self.graph.users[id].iter().any(|&user| self.plan.word_of[user] != word)
    }

    /// Registers that a word writes back.
    fn writes(&self, slots: &Slots) -> impl Iterator<Item = VReg> {
        let results = slots.loads.into_iter().chain(slots.alus).flatten().filter(|id| self.leaves(*id));
        let results = results.filter_map(|id| self.trace.ops[id].result);
        let copies = slots.copies.into_iter().flatten().filter_map(|id| match self.trace.ops[id].kind {
            Kind::Copy { dst, .. } => Some(dst),
            _ => None,
        });
        results.chain(copies).map(|value| VReg(value.0))
    }

    /// True if an earlier branch of the program may still be taken when the load of this word happens.
    fn is_hoisted(&self, load: OpId) -> bool {
        let word = self.plan.word_of[load];
        self.trace.ops[..load].iter().enumerate().any(|(id, op)| match op.kind {
            Kind::Guard { .. } => self.plan.word_of[id] > word,
            Kind::Cmp { .. } => self.plan.word_of[id] >= word,
            _ => false,
        })
    }

    fn write(&self, out: &mut Vec<VWord>) {
        let first = out.len() as u32;
        for (n, slots) in self.plan.words.iter().enumerate() {
            let next = WordId(first + n as u32 + 1);
            let leaves = |id: OpId| self.leaves(id);
            let hoisted = |id: OpId| self.is_hoisted(id);
            out.push(fill(self.trace, slots, next, leaves, hoisted));
        }
    }
}
