//! What operations read and change beside values, and which two of them must keep their order.

use crate::select::{Address, Kind, may_alias};
use offwire_isa::{KeyUse, MapUse, PRINTK_ARGUMENT_BYTES, PRINTK_ARGUMENTS, RequestOp, Space};

/// Bytes of memory, from an address on; `None`: how many is not known.
#[derive(Clone, Copy)]
struct Bytes {
    at: Address,
    size: Option<u32>,
}

/// Maps that something is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maps {
    None,
    /// The one in this slot.
    One(u8),
    /// Any.
    All,
}

impl Maps {
    fn meet(self, other: Maps) -> bool {
        match (self, other) {
            (Maps::None, _) | (_, Maps::None) => false,
            (Maps::One(a), Maps::One(b)) => a == b,
            _ => true,
        }
    }
}

/// What a request does with the packet as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    No,
    Reads,
    Writes,
    /// Addresses, length and metadata are others afterwards.
    Moves,
}

/// Rows in which requests stand in program order. A set of bits.
type Rows = u8;
/// Events and records, whose order the host sees.
const EVENTS: Rows = 1;
/// The redirect target: the last one counts.
const TARGET: Rows = 2;
/// The random generator.
const CHANCE: Rows = 4;
/// Clocks do not run backwards.
const TIME: Rows = 8;

/// What an operation does to memory.
pub(super) struct Effect {
    reads: [Option<Bytes>; 3],
    writes: Option<Bytes>,
    request: Option<RequestOp>,
    whole: Whole,
    /// Maps whose values others may change meanwhile, or which it changes or frees itself.
    values: Maps,
    /// Maps whose entries it looks at, and whether it changes them.
    entries: Maps,
    changes: bool,
    rows: Rows,
    /// Nothing about maps passes it: locks and atomics that fetch.
    fence: bool,
    guard: bool,
}

/// The effect of an operation, if it has one.
pub(super) fn effect(kind: &Kind) -> Option<Effect> {
    let mut effect = Effect {
        reads: [None; 3],
        writes: None,
        request: None,
        whole: Whole::No,
        values: Maps::None,
        entries: Maps::None,
        changes: false,
        rows: 0,
        fence: false,
        guard: false,
    };
    match kind {
        Kind::Load { at, size, .. } => effect.reads[0] = Some(Bytes { at: *at, size: Some(u32::from(*size)) }),
        Kind::Store { at, size, .. } | Kind::Atomic { at, size, .. } => {
            effect.writes = Some(Bytes { at: *at, size: Some(u32::from(*size)) });
        }
        Kind::Request { op, map, key, value_at, sizes, .. } => {
            effect.request(*op, *map);
            let key = key.map(|at| Bytes { at, size: sizes[0] });
            match op.shape().key {
                KeyUse::None => {}
                KeyUse::Key | KeyUse::ReadsV | KeyUse::ReadsW => effect.reads[0] = key,
                KeyUse::WritesW | KeyUse::Atomic(_) => effect.writes = key,
            }
            effect.reads[1] = value_at.map(|at| Bytes { at, size: sizes[1] });
            if *op == RequestOp::Printk {
                let offset = PRINTK_ARGUMENTS as i16;
                let at = Address { space: Space::Scratch, map: None, base: None, offset };
                effect.reads[2] = Some(Bytes { at, size: Some(PRINTK_ARGUMENT_BYTES) });
            }
        }
        Kind::Guard { .. } => effect.guard = true,
        _ => return None,
    }
    Some(effect)
}

impl Effect {
    fn request(&mut self, op: RequestOp, slot: u8) {
        use RequestOp::*;
        self.request = Some(op);
        let map = match op.shape().map {
            MapUse::None => Maps::None,
            MapUse::Slot => Maps::One(slot),
            MapUse::Pointer => Maps::All,
        };
        match op {
            Lookup | LookupIn => self.entries = map,
            RingReserve => (self.values, self.rows) = (map, EVENTS),
            // Which record it is, only the handle knows.
            RingSubmit | RingDiscard => (self.values, self.rows) = (Maps::All, EVENTS),
            RingOutput | RingQuery | Printk | PrintkText => self.rows = EVENTS,
            PerfOutput => (self.whole, self.rows) = (Whole::Reads, EVENTS),
            LoadBytes => self.whole = Whole::Reads,
            StoreBytes => self.whole = Whole::Writes,
            AdjustHead | AdjustTail | AdjustMeta => self.whole = Whole::Moves,
            Redirect | RedirectMap => self.rows = TARGET,
            Prandom => self.rows = CHANCE,
            KtimeNs | Jiffies => self.rows = TIME,
            SpinLock | SpinUnlock => (self.values, self.fence) = (Maps::All, true),
            UpdateFlags | UpdateInFlags => {
                (self.values, self.entries, self.changes, self.fence) = (Maps::All, map, true, true);
            }
            _ if op.changes_map() => (self.values, self.entries, self.changes) = (map, map, true),
            _ if matches!(op.shape().key, KeyUse::Atomic(_)) => (self.values, self.fence) = (Maps::All, true),
            _ => {}
        }
    }

    fn is_tail_call(&self) -> bool {
        self.request == Some(RequestOp::TailCall)
    }

    fn places(&self) -> impl Iterator<Item = &Bytes> {
        self.reads.iter().flatten().chain(&self.writes)
    }

    /// True if a program that a tail call goes to, or the world, can tell whether this was done. The stack and scratch of the
    /// next program are its own.
    fn outlives_program(&self) -> bool {
        match (self.request, &self.writes) {
            (Some(op), _) => !is_silent(op),
            (None, Some(to)) => !matches!(to.at.space, Space::Stack | Space::Scratch) || to.at.base.is_some(),
            (None, None) => false,
        }
    }

    /// True if it changes what the other one looks at.
    fn spoils(&self, other: &Effect) -> bool {
        let overlap = |to: &Bytes| other.places().any(|at| may_alias(&to.at, to.size, &at.at, at.size));
        let in_map = |at: &Bytes| match (self.values, at.at.space, at.at.map) {
            (Maps::None, _, _) => false,
            (Maps::One(slot), Space::MapValue, Some(map)) => map.0 == u16::from(slot),
            (_, space, _) => space == Space::MapValue,
        };
        let in_packet = |at: &Bytes| match self.whole {
            Whole::No | Whole::Reads => false,
            Whole::Writes => at.at.space == Space::Packet,
            Whole::Moves => at.at.space == Space::Packet || (at.at.space == Space::Scratch && at.at.offset < 64),
        };
        let writes_packet = matches!(self.whole, Whole::Writes | Whole::Moves)
            || self.writes.is_some_and(|to| to.at.space == Space::Packet);
        self.writes.iter().any(overlap)
            || other.places().any(|at| in_map(at) || in_packet(at))
            || (writes_packet && other.whole != Whole::No)
            || (self.whole == Whole::Moves && other.guard)
            || (self.fence && (other.entries != Maps::None || other.rows & EVENTS != 0))
    }
}

/// True if nobody can tell whether the request was made, but by its answer.
pub(super) fn is_silent(op: RequestOp) -> bool {
    op.is_silent() || matches!(op, RequestOp::Lookup | RequestOp::LookupIn)
}

/// True if the two must keep their order.
fn conflict(first: &Effect, second: &Effect) -> bool {
    (first.is_tail_call() && second.outlives_program())
        || (second.is_tail_call() && first.outlives_program())
        || first.spoils(second)
        || second.spoils(first)
        || first.values.meet(second.values)
        || ((first.changes || second.changes) && first.entries.meet(second.entries))
        || first.rows & second.rows != 0
}

/// Words between two effects in program order, `None` if they are independent.
pub(super) fn between(first: &Effect, second: &Effect) -> Option<u32> {
    if first.request.is_none() && second.request.is_none() {
        // By far the most pairs.
        let overlap = |to: &Option<Bytes>, at: &Bytes| to.is_some_and(|to| may_alias(&to.at, to.size, &at.at, at.size));
        let meet = second.places().any(|at| overlap(&first.writes, at))
            || first.reads[0].is_some_and(|at| overlap(&second.writes, &at));
        // The load of a word stands before its store.
        return meet.then_some(u32::from(first.writes.is_some()));
    }
    // Where the next program may take over, a miss would cost a sleep for nothing.
    let value = |effect: &Effect| effect.places().any(|at| at.at.space == Space::MapValue);
    if !(conflict(first, second) || (first.is_tail_call() && value(second))) {
        return None;
    }
    let store = first.request.is_none() && first.writes.is_some();
    Some(match (first.request, second.request) {
        (Some(_), _) => 1,
        // The request sees the store of its own word; but the packet must be whole before it moves.
        (None, Some(_)) => u32::from(store && second.whole == Whole::Moves),
        (None, None) => u32::from(store),
    })
}
