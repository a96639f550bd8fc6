//! Does a set of operations fit into one word? Unit by unit, from scratch for every set.

use crate::ir::Value;
use crate::select::{Address, Edge, Kind, OpId, Opnd, Trace};
use offwire_isa::Space;

/// Which operation has which unit of a word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slots {
    pub(super) loads: [Option<OpId>; 2],
    pub(super) alus: [Option<OpId>; 2],
    pub(super) guard: Option<OpId>,
    pub(super) compares: [Option<OpId>; 2],
    /// In program order: the second insert wins where both write.
    pub(super) stores: [Option<OpId>; 2],
    pub(super) request: Option<OpId>,
    /// The branch that the request's own null test does.
    pub(super) null_test: Option<OpId>,
    pub(super) end: Option<OpId>,
    pub(super) copies: [Option<OpId>; 2],
    pub(super) kill: [bool; 2],
    pub(super) operands: Operands,
}

/// A few things without allocation; what does not fit makes the set overfull.
#[derive(Clone, Copy, Debug)]
pub(super) struct Few<T, const N: usize> {
    items: [Option<T>; N],
    overfull: bool,
}

impl<T: Copy + PartialEq, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Few { items: [None; N], overfull: false }
    }
}

impl<T: Copy + PartialEq, const N: usize> Few<T, N> {
    /// Adds it unless it is there already.
    fn add(&mut self, item: T) {
        for place in &mut self.items {
            match place {
                Some(other) if *other == item => return,
                Some(_) => {}
                None => {
                    *place = Some(item);
                    return;
                }
            }
        }
        self.overfull = true;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().map_while(|item| *item)
    }

    fn len(&self) -> usize {
        self.iter().count()
    }
}

/// What the read ports and immediates of a word must give.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operands {
    /// Values from registers, each once.
    pub(super) regs: Few<Value, 3>,
    /// Constants -16 to 31, other 16-bit ones, and others; each once.
    pub(super) small: Few<i32, 5>,
    pub(super) short: Few<i32, 2>,
    pub(super) long: Few<i32, 1>,
    /// What read port C must give: a request looks there.
    pub(super) third: Option<Opnd>,
}

impl Operands {
    fn constant(&mut self, constant: i32) {
        if (-16..=31).contains(&constant) {
            self.small.add(constant);
        } else if i16::try_from(constant).is_ok() {
            self.short.add(constant);
        } else {
            self.long.add(constant);
        }
    }

    /// The constant that read port C must give.
    pub(super) fn third_constant(&self) -> Option<i32> {
        match self.third {
            Some(Opnd::Const(constant)) => Some(constant),
            _ => None,
        }
    }

    /// True if 3 ports and 2 immediates (or one long one) give them all.
    fn fit(&self) -> bool {
        if self.regs.overfull || self.small.overfull || self.short.overfull || self.long.overfull {
            return false;
        }
        let halves = match (self.long.len(), self.short.len()) {
            (0, shorts) => 2 - shorts,
            (_, 0) => 0,
            _ => return false,
        };
        let mut small = self.small.len();
        let mut ports = self.regs.len();
        if let Some(constant) = self.third_constant() {
            // No immediate does.
            small -= usize::from(self.small.iter().any(|other| other == constant));
            ports += 1;
        }
        ports + small.saturating_sub(halves) <= 3
    }
}

/// Unit that gives a value inside its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Load(usize),
    Alu(usize),
    Answer,
}

impl Slots {
    /// The unit that makes `value` in this word, if one does.
    pub(super) fn unit(&self, trace: &Trace, value: Value) -> Option<Unit> {
        let makes = |slot: &Option<OpId>| slot.is_some_and(|op| trace.ops[op].result == Some(value));
        if let Some(n) = self.loads.iter().position(makes) {
            return Some(Unit::Load(n));
        }
        if let Some(n) = self.alus.iter().position(makes) {
            return Some(Unit::Alu(n));
        }
        makes(&self.request).then_some(Unit::Answer)
    }

    /// Assigns units, or says that it cannot be done. `placed` is in any order; the dependences are already kept.
    pub(super) fn new(trace: &Trace, placed: &[OpId]) -> Option<Slots> {
        let mut slots = Slots::default();
        let mut alus = [None; 2];
        for &id in placed {
            let room: &mut [Option<OpId>] = match &trace.ops[id].kind {
                Kind::Load { .. } => &mut slots.loads,
                Kind::Alu { .. } => &mut alus,
                Kind::Store { .. } | Kind::Atomic { .. } => &mut slots.stores,
                Kind::Request { .. } => std::slice::from_mut(&mut slots.request),
                Kind::Guard { .. } => std::slice::from_mut(&mut slots.guard),
                Kind::End { .. } => std::slice::from_mut(&mut slots.end),
                Kind::Exit { .. } | Kind::Call { .. } | Kind::Return { .. } => {
                    // It needs the request unit and is the way on.
                    if slots.request.is_some() || slots.end.is_some() {
                        return None;
                    }
                    slots.request = Some(id);
                    slots.end = Some(id);
                    continue;
                }
                Kind::Copy { .. } => &mut slots.copies,
                Kind::Cmp { null_of, .. } => {
                    let fused = null_of.is_some_and(|answer| {
                        placed.iter().any(|&other| {
                            matches!(trace.ops[other].kind, Kind::Request { .. })
                                && trace.ops[other].result == Some(answer)
                        })
                    });
                    if fused { std::slice::from_mut(&mut slots.null_test) } else { &mut slots.compares }
                }
            };
            *room.iter_mut().find(|slot| slot.is_none())? = Some(id);
        }
        // A call needs the target for the function.
        if slots.calls(trace) && (slots.guard.is_some() || slots.compares[1].is_some()) {
            return None;
        }
        order(&mut slots.compares);
        order(&mut slots.stores);
        slots.branches(trace)?;
        slots.load_window(trace)?;
        slots.store_window(trace)?;
        // Both orders of the ALUs; with one operation, either unit.
        let [first, second] = alus;
        for alus in [[first, second], [second, first]] {
            slots.alus = alus;
            slots.operands = Operands::default();
            if slots.operands(trace).is_some() && slots.operands.fit() {
                return Some(slots);
            }
        }
        None
    }

    /// True if the word calls a function.
    fn calls(&self, trace: &Trace) -> bool {
        self.end.is_some_and(|end| matches!(trace.ops[end].kind, Kind::Call { .. }))
    }

    /// Order and targets of the branches.
    fn branches(&self, trace: &Trace) -> Option<()> {
        let sequence = [self.guard, self.compares[0], self.compares[1], self.null_test];
        for (n, &later) in sequence.iter().enumerate() {
            let Some(later) = later else { continue };
            if sequence[..n].iter().flatten().any(|&earlier| earlier > later && !trace.commute(earlier, later)) {
                return None;
            }
        }
        // Guard, compare 2 and null test share a target.
        let mut shared = [self.guard, self.compares[1], self.null_test].into_iter().flatten();
        if let Some(first) = shared.next() {
            let target = |id: OpId| trace.edge_of(id).map(|edge: &Edge| edge.target);
            if shared.any(|other| target(other) != target(first)) {
                return None;
            }
        }
        // What follows the null test has not happened when the answer comes.
        if let Some(test) = self.null_test {
            let after = |id: &OpId| *id > test && !trace.unobserved(*id, test);
            if self.stores.iter().flatten().any(after) {
                return None;
            }
            if self.request.is_some_and(|request| request > test) {
                return None;
            }
        }
        Some(())
    }

    /// Both extracts in one access.
    fn load_window(&self, trace: &Trace) -> Option<()> {
        let [Some(first), Some(second)] = self.loads else { return Some(()) };
        let (Kind::Load { at: a, size: a_size, .. }, Kind::Load { at: b, size: b_size, .. }) =
            (&trace.ops[first].kind, &trace.ops[second].kind)
        else {
            return None;
        };
        same_window(a, *a_size, b, *b_size)
    }

    /// Both inserts in one access, killed alike.
    fn store_window(&mut self, trace: &Trace) -> Option<()> {
        if let [Some(first), Some(second)] = self.stores {
            let (Kind::Store { at: a, size: a_size, .. }, Kind::Store { at: b, size: b_size, .. }) =
                (&trace.ops[first].kind, &trace.ops[second].kind)
            else {
                // An atomic add has the unit for itself.
                return None;
            };
            same_window(a, *a_size, b, *b_size)?;
        }
        for (kill, compare) in self.kill.iter_mut().zip(self.compares) {
            let Some(compare) = compare else { continue };
            let mut wanted = None;
            for store in self.stores.into_iter().flatten() {
                if trace.unobserved(store, compare) {
                    continue;
                }
                let must = store > compare;
                if wanted.is_some_and(|wanted| wanted != must) {
                    return None;
                }
                wanted = Some(must);
            }
            *kill = wanted.unwrap_or(false);
        }
        Some(())
    }

    /// Where each operand comes from.
    fn operands(&mut self, trace: &Trace) -> Option<()> {
        let mut operands = Operands::default();
        let units = [
            (self.loads[0], 0),
            (self.loads[1], 0),
            (self.guard, 0),
            (self.alus[0], 1),
            (self.alus[1], 2),
            (self.compares[0], 2),
            (self.compares[1], 2),
            (self.stores[0], 3),
            (self.stores[1], 3),
            (self.request, 3),
            (self.copies[0], 3),
            (self.copies[1], 3),
        ];
        for (id, place) in units {
            let Some(id) = id else { continue };
            let op = &trace.ops[id];
            if let Kind::Request { third, .. } = op.kind {
                operands.third = third;
            }
            for value in op.address_uses() {
                if self.unit(trace, value).is_some() {
                    return None;
                }
                operands.regs.add(value);
            }
            for operand in op.data_uses() {
                match operand {
                    Opnd::Val(value) => match self.unit(trace, value) {
                        None => operands.regs.add(value),
                        Some(Unit::Load(_)) if place > 0 => {}
                        // ALU2 and the compares see ALU1; what comes after them sees both.
                        Some(Unit::Alu(n)) if place > n + 1 => {}
                        Some(_) => return None,
                    },
                    // A source of zero is free, but a write back would not happen.
                    Opnd::Const(0) if !matches!(op.kind, Kind::Copy { .. }) => {}
                    Opnd::Const(constant) => operands.constant(constant),
                }
            }
        }
        self.operands = operands;
        Some(())
    }
}

fn order(slots: &mut [Option<OpId>; 2]) {
    if let [Some(first), Some(second)] = slots
        && *first > *second
    {
        std::mem::swap(first, second);
    }
}

fn same_window(a: &Address, a_size: u8, b: &Address, b_size: u8) -> Option<()> {
    if a.space != b.space || a.base != b.base {
        return None;
    }
    // Handles of different maps never share a window, even if the base were the same.
    if a.space == Space::MapValue && a.map != b.map {
        return None;
    }
    let start = i32::from(a.offset.min(b.offset));
    let end = (i32::from(a.offset) + i32::from(a_size)).max(i32::from(b.offset) + i32::from(b_size));
    (end - start <= 16).then_some(())
}

/// True for requests whose answer somebody waits for.
pub(super) fn has_answer(kind: &Kind) -> bool {
    matches!(kind, Kind::Request { op, .. } if op.shape().answers)
}
