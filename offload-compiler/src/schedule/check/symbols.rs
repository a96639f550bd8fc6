//! Symbolic values and effects, each kept once, so that equal ones have equal numbers.

use super::effects::answers_narrow;
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
    /// The same of a named register: an argument, or the result of the call that the trace stands behind.
    Named(u8),
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
    /// The answer of a request that depends on its operands and memory alone.
    Pure(Ask),
}

/// What others can notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    Store { at: Place, size: u8, swap: bool, value: Term },
    Add { at: Place, size: u8, value: Term },
    Request(Ask),
}

/// A request, with what it looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) op: RequestOp,
    /// Slot of the map table, 0 if it looks at none.
    pub(super) map: u8,
    /// K.
    pub(super) key: Option<Place>,
    /// An update's value: in which space; its address is `src`.
    pub(super) value: Option<Space>,
    /// V; 0 if it looks at none.
    pub(super) src: Term,
    /// W.
    pub(super) third: Option<Term>,
    /// Effects that may have changed what it reads.
    pub(super) seen: Vec<EffectId>,
}

impl Ask {
    /// The request by its operands alone.
    pub(super) fn operands(&self) -> Ask {
        Ask { seen: Vec::new(), ..self.clone() }
    }
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
    pub(super) maps: HashMap<Term, Option<MapIdx>>,
    /// Bytes of key and value by map.
    pub(super) sizes: Vec<(u32, u32)>,
    /// Bytes that requests may touch at K and at V, as the IR says, where the map does not say it.
    pub(super) extents: HashMap<Ask, (u32, u32)>,
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

    pub(super) fn as_const(&self, term: Term) -> Option<u64> {
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

    /// The request whose answer it is.
    fn asked(&self, term: Term) -> Option<RequestOp> {
        match self.node(term) {
            Node::Pure(ask) => Some(ask.op),
            Node::Answer(effect) => match self.effect(*effect) {
                Effect::Request(ask) => Some(ask.op),
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes how many bytes a request touches at K and at V at the most. False if that is news about a request known before.
    pub(super) fn extent(&mut self, ask: &Ask, key: u32, value: u32) -> bool {
        let known = self.extents.entry(ask.operands()).or_insert((key, value));
        let most = (known.0.max(key), known.1.max(value));
        std::mem::replace(known, most) == most
    }

    pub(super) fn compare(&mut self, op: CmpOp, wide: bool, a: Term, b: Term) -> Condition {
        // Some answers are 0 if their low half is.
        let zero = matches!(op, CmpOp::Eq | CmpOp::Ne) && self.as_const(b) == Some(0);
        let wide = wide || (zero && self.asked(a).is_some_and(answers_narrow));
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

    /// The effect, as the `nth` equal one.
    pub(super) fn effect_id(&mut self, effect: Effect, nth: u32) -> EffectId {
        let next = EffectId(self.effects.len() as u32);
        let id = *self.effect_numbers.entry((effect.clone(), nth)).or_insert(next);
        if id == next {
            self.effects.push(effect);
        }
        id
    }
}
