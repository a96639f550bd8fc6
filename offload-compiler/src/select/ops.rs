//! Machine operations.

use crate::ebpf::MapIdx;
use crate::ir::{Block, FuncIdx, Value};
use offwire_isa::{AluOp, CmpOp, RequestOp, Space};

/// Index into [`Trace::ops`]; ascending in program order.
pub type OpId = usize;

/// Index into [`Trace::edges`].
pub type EdgeId = usize;

/// A data operand: a value, or a constant that read ports and immediates can give (sign-extended from 32 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opnd {
    /// A value of the IR.
    Val(Value),
    /// A constant.
    Const(i32),
}

impl Opnd {
    /// The value, if it is one.
    pub fn value(self) -> Option<Value> {
        match self {
            Opnd::Val(value) => Some(value),
            Opnd::Const(_) => None,
        }
    }
}

/// Address of an access; as [`crate::ir::Mem`], but the offset fits the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Which memory.
    pub space: Space,
    /// For map values: whose.
    pub map: Option<MapIdx>,
    /// Base register; `None` is 0.
    pub base: Option<Value>,
    /// -512 to 511 bytes.
    pub offset: i16,
}

/// What an operation does. Units: [`Kind::Load`] takes an extract, [`Kind::Store`] an insert, [`Kind::Cmp`] a compare.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the IR's names")]
pub enum Kind {
    Load {
        at: Address,
        size: u8,
        swap: bool,
        dismiss: bool,
    },
    Alu {
        op: AluOp,
        wide: bool,
        a: Opnd,
        b: Opnd,
    },
    Store {
        at: Address,
        size: u8,
        swap: bool,
        src: Opnd,
    },
    Atomic {
        at: Address,
        size: u8,
        src: Opnd,
    },
    /// A request. `map` is a slot of the map table, 0 if it has none. `value_at` tells what memory an update reads; its address
    /// is also in `src` (V). `third` (W) is a register, or a constant that a read port gives. `sizes`: bytes at K and at V, where
    /// they are known.
    Request {
        op: RequestOp,
        map: u8,
        key: Option<Address>,
        value_at: Option<Address>,
        src: Opnd,
        third: Option<Opnd>,
        sizes: [Option<u32>; 2],
    },
    /// A parameter of an edge's target gets its argument: `dst` is the parameter.
    Copy {
        dst: Value,
        src: Opnd,
    },
    /// Leaves by `edge` if base + len > packet length.
    Guard {
        base: Option<Value>,
        len: u16,
        edge: EdgeId,
    },
    /// Leaves by `edge` if the condition holds. `null_of`: the condition is "this answer of a request is 0".
    Cmp {
        op: CmpOp,
        wide: bool,
        a: Opnd,
        b: Opnd,
        edge: EdgeId,
        null_of: Option<Value>,
    },
    /// Last operation: the trace goes on by `edge`.
    End {
        edge: EdgeId,
    },
    /// Last operation: the packet ends with a return value that no target can hold.
    Exit {
        src: Opnd,
    },
    /// Last operation: a function is called, and goes back to `edge`. Arguments are in `passes`, the result comes into `answer`:
    /// named registers, set by copies.
    Call {
        func: FuncIdx,
        passes: Vec<Value>,
        answer: Value,
        edge: EdgeId,
    },
    /// Last operation: the function goes back to its caller, with the result in `pass`, a named register.
    Return {
        pass: Value,
    },
}

/// One machine operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub kind: Kind,
    /// Its value, if it makes one.
    pub result: Option<Value>,
    /// eBPF instruction.
    pub insn: u32,
}

/// Where an edge leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeTarget {
    /// The packet ends with this return value, 0 to 4.
    Exit(u8),
    /// To the head of another trace (or of the same one).
    Block(Block),
}

/// A way out of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where to.
    pub target: EdgeTarget,
    /// Values that are live there, ascending; its parameters not included.
    pub live: Vec<Value>,
    /// Parameters of the target that somebody reads.
    pub params: Vec<Value>,
    /// True if some execution reads the program's stack from there on.
    pub reads_stack: bool,
}

impl Edge {
    /// True if the value, or parameter, must be in its register when the edge is taken.
    pub fn needs(&self, value: Value) -> bool {
        self.live.binary_search(&value).is_ok() || self.params.contains(&value)
    }
}

/// A chain of blocks as one row of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// First block.
    pub head: Block,
    /// In program order; the last one ends the trace ([`Op::is_end`]), and nowhere else stands such.
    pub ops: Vec<Op>,
    /// Ways out.
    pub edges: Vec<Edge>,
}

impl Op {
    /// The values that must come from a register, because no unit of the word is in front of their use: bases of load, store, guard
    /// and request, and a request's third operand.
    pub fn address_uses(&self) -> impl Iterator<Item = Value> {
        let (first, second) = match &self.kind {
            Kind::Load { at, .. } | Kind::Store { at, .. } | Kind::Atomic { at, .. } => (at.base, None),
            Kind::Request { key, third, .. } => (key.and_then(|key| key.base), third.and_then(Opnd::value)),
            Kind::Guard { base, .. } => (*base, None),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Operands that a chained unit of the same word may give.
    pub fn data_uses(&self) -> impl Iterator<Item = Opnd> {
        let (first, second) = match &self.kind {
            Kind::Alu { a, b, .. } | Kind::Cmp { a, b, .. } => (Some(*a), Some(*b)),
            Kind::Store { src, .. }
            | Kind::Atomic { src, .. }
            | Kind::Request { src, .. }
            | Kind::Copy { src, .. }
            | Kind::Exit { src } => (Some(*src), None),
            Kind::Load { .. } | Kind::Guard { .. } | Kind::End { .. } | Kind::Call { .. } | Kind::Return { .. } => {
                (None, None)
            }
        };
        first.into_iter().chain(second)
    }

    /// All values used.
    pub fn uses(&self) -> impl Iterator<Item = Value> {
        self.address_uses().chain(self.data_uses().filter_map(Opnd::value))
    }

    /// The edge by which it may leave.
    pub fn edge(&self) -> Option<EdgeId> {
        match self.kind {
            Kind::Guard { edge, .. } | Kind::Cmp { edge, .. } | Kind::End { edge } | Kind::Call { edge, .. } => {
                Some(edge)
            }
            _ => None,
        }
    }

    /// True for conditional ways out.
    pub fn is_branch(&self) -> bool {
        matches!(self.kind, Kind::Guard { .. } | Kind::Cmp { .. })
    }

    /// True for what ends the trace by a request.
    pub fn ends_by_request(&self) -> bool {
        matches!(self.kind, Kind::Exit { .. } | Kind::Call { .. } | Kind::Return { .. })
    }

    /// True for what ends the trace.
    pub fn is_end(&self) -> bool {
        matches!(self.kind, Kind::End { .. }) || self.ends_by_request()
    }
}

impl Trace {
    /// The edge of a branch or end.
    pub fn edge_of(&self, op: OpId) -> Option<&Edge> {
        self.edges.get(self.ops.get(op)?.edge()?)
    }

    /// True if two branches may change places: whichever is taken, the packet ends in the same way.
    pub fn commute(&self, a: OpId, b: OpId) -> bool {
        match (self.edge_of(a), self.edge_of(b)) {
            (Some(a), Some(b)) => matches!(a.target, EdgeTarget::Exit(_)) && a.target == b.target,
            _ => false,
        }
    }

    /// True if nobody can tell whether `store` was done when `branch` leaves: only the program itself reads its stack, and a
    /// constant stack address never faults.
    pub fn unobserved(&self, store: OpId, branch: OpId) -> bool {
        let private = matches!(
            self.ops[store].kind,
            Kind::Store { at: Address { space: Space::Stack | Space::Scratch, base: None, .. }, .. }
        );
        private && self.edge_of(branch).is_some_and(|edge| !edge.reads_stack)
    }
}
