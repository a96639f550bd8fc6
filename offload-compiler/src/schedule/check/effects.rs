//! What effects read and change, and which two may not change places.

use super::symbols::{Ask, Effect, EffectId, Node, Place, Symbols, Term};
use crate::ebpf::MapIdx;
use offwire_isa::{AluOp, KeyUse, MapUse, PRINTK_ARGUMENT_BYTES, PRINTK_ARGUMENTS, RequestOp, Space};

/// A place with its bytes; `None`: nobody knows how many.
pub(super) type Extent = (Place, Option<u32>);

/// Bytes of V that a request looks at.
pub(super) fn value_bytes(op: RequestOp) -> u8 {
    use RequestOp::*;
    match op {
        Exit | AdjustHead | AdjustTail | AdjustMeta | Redirect | RedirectMap | TailCall => 4,
        DivU32 | DivS32 | ModU32 | ModS32 => 4,
        FetchAdd32 | FetchOr32 | FetchAnd32 | FetchXor32 | Xchg32 | Cmpxchg32 => 4,
        _ => 8,
    }
}

/// Bytes of W that a request looks at.
pub(super) fn third_bytes(op: RequestOp) -> u8 {
    use RequestOp::*;
    if matches!(op, DivU32 | DivS32 | ModU32 | ModS32 | Csum | Cmpxchg32) { 4 } else { 8 }
}

/// True if the answer is 0 exactly if its low half is: numbers of 32 bits, and 0 or an errno.
pub(super) fn answers_narrow(op: RequestOp) -> bool {
    use RequestOp::*;
    let handle = matches!(op, Lookup | LookupIn | RingReserve);
    let wide = matches!(op, KtimeNs | Jiffies | RingQuery | DivU64 | DivS64 | ModU64 | ModS64)
        || matches!(op, FetchAdd64 | FetchOr64 | FetchAnd64 | FetchXor64 | Xchg64 | Cmpxchg64);
    op.shape().answers && !handle && !wide
}

/// Nobody but who reads the answer can tell whether the request was made.
fn is_silent(op: RequestOp) -> bool {
    use RequestOp::*;
    matches!(op, Lookup | LookupIn | KtimeNs | Jiffies | RingQuery)
}

fn is_fence(op: RequestOp) -> bool {
    use RequestOp::*;
    matches!(op, SpinLock | SpinUnlock | UpdateFlags | UpdateInFlags) || matches!(op.shape().key, KeyUse::Atomic(_))
}

/// Looks at a map's entries.
fn is_entry(op: RequestOp) -> bool {
    matches!(op, RequestOp::Lookup | RequestOp::LookupIn) || op.changes_map()
}

/// Makes or holds what the host sees: events and records.
fn is_event(op: RequestOp) -> bool {
    use RequestOp::*;
    matches!(op, RingReserve | RingSubmit | RingDiscard | RingOutput | RingQuery | PerfOutput | Printk | PrintkText)
}

fn is_target(op: RequestOp) -> bool {
    matches!(op, RequestOp::Redirect | RequestOp::RedirectMap)
}

/// The whole packet, however long it is.
const PACKET: Extent = (Place { space: Space::Packet, base: None, offset: i64::MIN / 2 }, None);

impl Symbols {
    /// Stack and scratch at constant places: only the program itself sees them.
    pub(super) fn is_private(&self, effect: EffectId) -> bool {
        matches!(
            self.effect(effect),
            Effect::Store { at: Place { space: Space::Stack | Space::Scratch, base: None, .. }, .. }
        )
    }

    pub(super) fn is_silent(&self, effect: EffectId) -> bool {
        matches!(self.effect(effect), Effect::Request(ask) if is_silent(ask.op))
    }

    fn map_of(&self, at: &Place) -> Option<MapIdx> {
        self.maps.get(&at.base?).copied().flatten()
    }

    fn overlap(&self, a: &Place, a_size: Option<u32>, b: &Place, b_size: Option<u32>) -> bool {
        if a.space != b.space {
            return false;
        }
        if a.space == Space::MapValue
            && let (Some(a), Some(b)) = (self.map_of(a), self.map_of(b))
            && a != b
        {
            return false;
        }
        if a.base != b.base {
            return true;
        }
        let before =
            |a: &Place, size: Option<u32>, b: &Place| size.is_some_and(|n| a.offset + i64::from(n) <= b.offset);
        !before(a, a_size, b) && !before(b, b_size, a)
    }

    /// What the effect writes, or somebody else may while it waits.
    fn writes(&self, effect: EffectId) -> Option<Extent> {
        match self.effect(effect) {
            Effect::Store { at, size, .. } | Effect::Add { at, size, .. } => Some((*at, Some(u32::from(*size)))),
            Effect::Request(ask) if ask.op == RequestOp::StoreBytes || ask.op.moves_packet() => Some(PACKET),
            Effect::Request(ask) if ask.op.shape().key == KeyUse::WritesW => Some((ask.key?, self.key_bytes(ask))),
            Effect::Request(_) => None,
        }
    }

    /// True if the effect may change what is at the place.
    pub(super) fn changes(&self, effect: EffectId, at: &Place, size: Option<u32>) -> bool {
        if self.writes(effect).is_some_and(|(to, bytes)| self.overlap(&to, bytes, at, size)) {
            return true;
        }
        let Effect::Request(ask) = self.effect(effect) else { return false };
        if at.space == Space::Scratch {
            return ask.op.moves_packet() && at.offset < 64;
        }
        let op = ask.op;
        let frees = matches!(op, RequestOp::RingReserve | RequestOp::RingSubmit | RequestOp::RingDiscard);
        at.space == Space::MapValue
            && (op.changes_map() || frees || is_fence(op))
            && (is_fence(op)
                || op.shape().map != MapUse::Slot
                || self.map_of(at).is_none_or(|of| of.0 == u16::from(ask.map)))
    }

    /// What the effect reads, or writes in such a way that order matters.
    fn reads(&self, effect: EffectId) -> Vec<Extent> {
        match self.effect(effect) {
            Effect::Request(ask) => self.request_reads(ask),
            _ => Vec::new(),
        }
    }

    /// Bytes at K.
    fn key_bytes(&self, ask: &Ask) -> Option<u32> {
        let shape = ask.op.shape();
        match (shape.key, shape.map) {
            (KeyUse::Atomic(bytes), _) => Some(u32::from(bytes)),
            (KeyUse::Key, MapUse::Slot) => self.sizes.get(usize::from(ask.map)).map(|sizes| sizes.0),
            _ => self.extents.get(&ask.operands()).map(|bytes| bytes.0),
        }
    }

    /// What a request reads.
    pub(super) fn request_reads(&self, ask: &Ask) -> Vec<Extent> {
        let op = ask.op;
        let mut reads = Vec::new();
        if let (Some(key), KeyUse::Key | KeyUse::ReadsV | KeyUse::ReadsW | KeyUse::Atomic(_)) =
            (ask.key, op.shape().key)
        {
            reads.push((key, self.key_bytes(ask)));
        }
        if let Some(space) = ask.value {
            let bytes = match op.shape().map {
                MapUse::Slot => self.sizes.get(usize::from(ask.map)).map(|sizes| sizes.1),
                _ => self.extents.get(&ask.operands()).map(|bytes| bytes.1),
            };
            reads.push((self.split(&self.place(space, Some(ask.src), 0)), bytes));
        }
        match op {
            RequestOp::Printk => {
                let offset = i64::from(PRINTK_ARGUMENTS);
                reads.push((Place { space: Space::Scratch, base: None, offset }, Some(PRINTK_ARGUMENT_BYTES)));
            }
            RequestOp::LoadBytes | RequestOp::PerfOutput => reads.push(PACKET),
            op if op.moves_packet() || op == RequestOp::StoreBytes => reads.push(PACKET),
            _ => {}
        }
        reads
    }

    /// A place whose base is a sum with a constant, with that in the offset.
    fn split(&self, at: &Place) -> Place {
        if let Some(base) = at.base
            && let Node::Alu(AluOp::Add, true, base, offset) = self.node(base)
            && let Some(offset) = self.as_const(*offset)
        {
            return Place { base: Some(*base), offset: at.offset.wrapping_add(offset as i64), ..*at };
        }
        *at
    }

    /// True if the two may not change places.
    pub(super) fn conflict(&self, a: EffectId, b: EffectId) -> bool {
        let spoils = |a: EffectId, b: EffectId| {
            self.reads(b).iter().chain(&self.writes(b)).any(|(place, bytes)| self.changes(a, place, *bytes))
        };
        if spoils(a, b) || spoils(b, a) {
            return true;
        }
        let op = |effect: EffectId| match self.effect(effect) {
            Effect::Request(ask) => Some((ask.op, ask.map)),
            _ => None,
        };
        // Whoever a tail call goes to sees all but what only this program sees.
        let tail = |first: Option<(RequestOp, u8)>, second: EffectId| {
            first.is_some_and(|first| first.0 == RequestOp::TailCall)
                && !self.is_silent(second)
                && !self.is_private(second)
        };
        if tail(op(a), b) || tail(op(b), a) {
            return true;
        }
        match (op(a), op(b)) {
            (Some((a, a_map)), Some((b, b_map))) => {
                let slots = a.shape().map == MapUse::Slot && b.shape().map == MapUse::Slot;
                let entries =
                    is_entry(a) && is_entry(b) && (a.changes_map() || b.changes_map()) && !(slots && a_map != b_map);
                let maps = |op: RequestOp| is_entry(op) || is_event(op) || is_fence(op);
                entries
                    || (is_event(a) && is_event(b))
                    || (is_target(a) && is_target(b))
                    || (a == RequestOp::Prandom && b == RequestOp::Prandom)
                    || (is_fence(a) && maps(b))
                    || (is_fence(b) && maps(a))
            }
            _ => false,
        }
    }
}

/// Of two terms that are V and W of a pure request: what it looks at.
pub(super) fn looked_at(symbols: &mut Symbols, op: RequestOp, src: Term, third: Option<Term>) -> (Term, Option<Term>) {
    let src = symbols.low(src, value_bytes(op));
    (src, third.map(|third| symbols.low(third, third_bytes(op))))
}
