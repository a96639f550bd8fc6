//! Symbolic values and effects, each kept once, so that equal ones have equal numbers.

use crate::ebpf::MapIdx;
use crate::ir::Value;
use offwire_isa::{AluOp, CmpOp, RequestOp, Space};
use std::collections::HashMap;

/// Number of a symbolic value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Term(u32);

/// Number of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EffectId(pub(super) u32);

/// A place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) space: Space,
    pub(super) base: Option<Term>,
    pub(super) offset: i64,
}

/// How a value comes about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// What a register held when the trace began.
    Live(Value),
    Const(u64),
    Alu(AluOp, bool, Term, Term),
    /// A load, with all effects before it that may have changed what it reads.
    Load {
        at: Place,
        size: u8,
        swap: bool,
        seen: Vec<EffectId>,
    },
    Answer(EffectId),
}

/// What others can notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    Store {
        at: Place,
        size: u8,
        swap: bool,
        value: Term,
    },
    Add {
        at: Place,
        size: u8,
        value: Term,
    },
    Request {
        op: RequestOp,
        map: u8,
        key: Option<Place>,
        /// An update's value: in which space; its address is `src`.
        value: Option<Space>,
        src: Term,
        /// Effects that may have changed key or value.
        seen: Vec<EffectId>,
    },
}

/// A condition to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Condition {
    Compare(CmpOp, bool, Term, Term),
    /// base + length > packet length.
    Short(Option<Term>, u64),
}

/// All symbols of a trace.
#[derive(Default)]
pub(super) struct Symbols {
    nodes: Vec<Node>,
    numbers: HashMap<Node, Term>,
    effects: Vec<Effect>,
    effect_numbers: HashMap<(Effect, u32), EffectId>,
    /// Which map's values a handle leads to, as the IR says; `None` if it says several things.
    maps: HashMap<Term, Option<MapIdx>>,
    /// Bytes of key and value by map.
    sizes: Vec<(u32, u32)>,
}

fn masked(value: u64, bytes: u8) -> u64 {
    if bytes >= 8 { value } else { value & ((1 << (8 * bytes)) - 1) }
}

fn is_unary(op: AluOp) -> bool {
    use AluOp::*;
    matches!(op, Mov | Bswap16 | Bswap32 | Bswap64 | Sext8 | Sext16 | Sext32 | Zext8 | Zext16)
}

impl Symbols {
    pub(super) fn new(sizes: &[(u32, u32)]) -> Self {
        Symbols { sizes: sizes.to_vec(), ..Symbols::default() }
    }

    /// Bytes of the key (0) or value (1) of a map, if it is known.
    fn size(&self, map: u8, of: usize) -> Option<u32> {
        self.sizes.get(usize::from(map)).map(|sizes| if of == 0 { sizes.0 } else { sizes.1 })
    }

    pub(super) fn node(&self, term: Term) -> &Node {
        &self.nodes[term.0 as usize]
    }

    pub(super) fn effect(&self, effect: EffectId) -> &Effect {
        &self.effects[effect.0 as usize]
    }

    pub(super) fn term(&mut self, node: Node) -> Term {
        if let Some(term) = self.numbers.get(&node) {
            return *term;
        }
        let term = Term(self.nodes.len() as u32);
        self.nodes.push(node.clone());
        self.numbers.insert(node, term);
        term
    }

    pub(super) fn constant(&mut self, value: u64) -> Term {
        self.term(Node::Const(value))
    }

    fn as_const(&self, term: Term) -> Option<u64> {
        match self.node(term) {
            Node::Const(value) => Some(*value),
            _ => None,
        }
    }

    /// The term as a unit sees it that looks at its low bytes only.
    pub(super) fn low(&mut self, term: Term, bytes: u8) -> Term {
        match self.as_const(term) {
            Some(value) => self.constant(masked(value, bytes)),
            None => term,
        }
    }

    pub(super) fn alu(&mut self, op: AluOp, wide: bool, a: Term, b: Term) -> Term {
        if op == AluOp::Mov && wide {
            return a;
        }
        let bytes = if wide { 8 } else { 4 };
        let a = self.low(a, bytes);
        let b = if is_unary(op) { self.constant(0) } else { self.low(b, bytes) };
        match (self.as_const(a), self.as_const(b)) {
            (Some(a), Some(b)) => self.constant(op.eval(wide, a, b)),
            _ => self.term(Node::Alu(op, wide, a, b)),
        }
    }

    pub(super) fn compare(&mut self, op: CmpOp, wide: bool, a: Term, b: Term) -> Condition {
        let bytes = if wide { 8 } else { 4 };
        Condition::Compare(op, wide, self.low(a, bytes), self.low(b, bytes))
    }

    /// A place; constant bases become offsets, except handles.
    pub(super) fn place(&self, space: Space, base: Option<Term>, offset: i64) -> Place {
        match base.and_then(|base| self.as_const(base)) {
            Some(constant) if space != Space::MapValue => {
                Place { space, base: None, offset: offset.wrapping_add(constant as i64) }
            }
            _ => Place { space, base, offset },
        }
    }

    /// Notes that a handle belongs to a map.
    pub(super) fn belongs(&mut self, at: Place, map: Option<MapIdx>) {
        if let (Space::MapValue, Some(base)) = (at.space, at.base) {
            let known = self.maps.entry(base).or_insert(map);
            if *known != map {
                *known = None;
            }
        }
    }

    fn map_of(&self, at: &Place) -> Option<MapIdx> {
        self.maps.get(&at.base?).copied().flatten()
    }

    /// The effect, as the `nth` equal one.
    pub(super) fn effect_id(&mut self, effect: Effect, nth: u32) -> EffectId {
        let next = EffectId(self.effects.len() as u32);
        let id = *self.effect_numbers.entry((effect.clone(), nth)).or_insert(next);
        if id == next {
            self.effects.push(effect);
        }
        id
    }

    /// Stack and scratch at constant places: only the program itself sees them.
    pub(super) fn is_private(&self, effect: EffectId) -> bool {
        matches!(
            self.effect(effect),
            Effect::Store { at: Place { space: Space::Stack | Space::Scratch, base: None, .. }, .. }
        )
    }

    pub(super) fn is_lookup(&self, effect: EffectId) -> bool {
        matches!(self.effect(effect), Effect::Request { op: RequestOp::Lookup, .. })
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

    /// True if the effect may change what is at the place.
    pub(super) fn changes(&self, effect: EffectId, at: &Place, size: Option<u32>) -> bool {
        match self.effect(effect) {
            Effect::Store { at: to, size: n, .. } | Effect::Add { at: to, size: n, .. } => {
                self.overlap(to, Some(u32::from(*n)), at, size)
            }
            Effect::Request { op: RequestOp::AdjustHead, .. } => {
                at.space == Space::Packet || (at.space == Space::Scratch && at.offset < 64)
            }
            Effect::Request { op: RequestOp::Lookup | RequestOp::Exit | RequestOp::None, .. } => false,
            Effect::Request { map, .. } => {
                at.space == Space::MapValue && self.map_of(at).is_none_or(|of| of.0 == u16::from(*map))
            }
        }
    }

    /// True if the two may not change places.
    pub(super) fn conflict(&self, a: EffectId, b: EffectId) -> bool {
        use Effect::{Add, Request, Store};
        match (self.effect(a), self.effect(b)) {
            (Request { .. }, Request { .. }) => true,
            (Store { at, size, .. } | Add { at, size, .. }, _) => self.touches(b, at, u32::from(*size)),
            (_, Store { at, size, .. } | Add { at, size, .. }) => self.touches(a, at, u32::from(*size)),
        }
    }

    /// True if the effect reads or writes, or may, the place that a store goes to.
    fn touches(&self, effect: EffectId, at: &Place, size: u32) -> bool {
        self.changes(effect, at, Some(size))
            || self
                .reads(effect)
                .into_iter()
                .flatten()
                .any(|(place, bytes)| self.overlap(&place, bytes, at, Some(size)))
    }

    /// What a request reads: key and value, with their bytes.
    fn reads(&self, effect: EffectId) -> [Option<(Place, Option<u32>)>; 2] {
        match self.effect(effect) {
            Effect::Request { map, key, value, src, .. } => self.request_reads(*map, *key, *value, *src),
            _ => [None; 2],
        }
    }

    /// What a request with this map, key and value reads.
    pub(super) fn request_reads(
        &self,
        map: u8,
        key: Option<Place>,
        value: Option<Space>,
        src: Term,
    ) -> [Option<(Place, Option<u32>)>; 2] {
        let value = value.map(|space| self.split(&self.place(space, Some(src), 0)));
        [key.map(|key| (key, self.size(map, 0))), value.map(|value| (value, self.size(map, 1)))]
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
}
