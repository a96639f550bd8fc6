//! SSA form of a program: basic blocks with parameters, values of 64 bits. Prints and parses.
//!
//! Pure operations are the device's own ([`offwire_isa::AluOp`], [`offwire_isa::CmpOp`]), so that there is one meaning for the
//! constant folder, the model, the RTL and the proofs. Pointers are what the device's registers hold: a packet pointer is its
//! signed byte offset from `data`, a stack pointer its address (r10 = 512), a map-value pointer a handle
//! ([`offwire_isa::Handle`]) or 0.

mod calls;
mod cfg;
mod check;
pub mod interp;
mod lift;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod visit;

pub use calls::{callees, callees_first, drop_arguments, keep_called, lowest_stack, renumber};
pub use cfg::{Cfg, clear_unreachable};
pub use check::check;
pub use lift::{lift, lift_within};
pub use parse::{ParseError, parse, parse_all};
#[cfg(test)]
pub(crate) use print::is_unary;
pub use print::{print, print_all};

use crate::ebpf::{InsnIdx, MapIdx};
use offwire_isa::{AluOp, CmpOp, RequestOp, Space};

/// A value: result of an instruction or a block parameter. Index into [`Func::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// A basic block. Index into [`Func::blocks`]; block 0 is the entry and has no parameters and no predecessors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block(pub u32);

/// A function of a program, by its place in the list of them: 0 is the program itself, where packets start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncIdx(pub u32);

/// The program itself, with those local calls inlined that are no [`Op::Call`]; or a function that it calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Func {
    /// Program name.
    pub name: String,
    /// Blocks; dead ones are empty with `Term::Unreachable`.
    pub blocks: Vec<BlockData>,
    /// Number of values handed out so far.
    pub values: u32,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockData {
    /// Parameters, given by each predecessor.
    pub params: Vec<Value>,
    /// Instructions, in order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Term,
    /// eBPF instruction of the terminator, for messages and the debug table.
    pub term_insn: InsnIdx,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inst {
    /// Its value, if it has one.
    pub result: Option<Value>,
    /// What it does.
    pub op: Op,
    /// The eBPF instruction that it comes from.
    pub insn: InsnIdx,
}

/// A memory operand: address = base + offset in the space. Base `None` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mem {
    /// Which memory.
    pub space: Space,
    /// For map values: whose (two maps never alias).
    pub map: Option<MapIdx>,
    /// Base value.
    pub base: Option<Value>,
    /// Byte offset.
    pub offset: i32,
}

/// Operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A constant.
    Const(u64),
    /// Pure ALU operation; 32-bit ones (`wide` false) zero-extend. The second operand of a unary operation (mov, bswap, sext,
    /// zext) repeats the first.
    Alu {
        /// Operation.
        op: AluOp,
        /// 64 bits, else 32.
        wide: bool,
        /// First operand.
        a: Value,
        /// Second operand.
        b: Value,
    },
    /// Memory read.
    Load {
        /// Address.
        mem: Mem,
        /// Bytes, 1 to 8; little-endian, zero-extended.
        size: u8,
        /// Byte-reversed within its size.
        swap: bool,
        /// Reads 0 where out of bounds, instead of a fault: it was hoisted above its check.
        dismiss: bool,
    },
    /// Writes the low `size` bytes of `value`.
    Store {
        /// Address.
        mem: Mem,
        /// Bytes, 1 to 8.
        size: u8,
        /// Byte-reversed within its size.
        swap: bool,
        /// What.
        value: Value,
    },
    /// Atomic add without fetch, relaxed order.
    AtomicAdd {
        /// Address.
        mem: Mem,
        /// 4 or 8.
        size: u8,
        /// Addend.
        value: Value,
    },
    /// bpf_map_lookup_elem: handle or 0.
    Lookup {
        /// Map.
        map: MapIdx,
        /// Where the key stands.
        key: Mem,
    },
    /// bpf_map_update_elem: 0 or negative errno. Flags are a constant 0 to 2 (BPF_ANY, BPF_NOEXIST, BPF_EXIST).
    Update {
        /// Map.
        map: MapIdx,
        /// Where the key stands.
        key: Mem,
        /// Where the value stands.
        value: Mem,
        /// Flags.
        flags: u8,
    },
    /// bpf_map_delete_elem: 0 or negative errno.
    Delete {
        /// Map.
        map: MapIdx,
        /// Where the key stands.
        key: Mem,
    },
    /// bpf_xdp_adjust_head: 0 or -22; all packet loads before it see the old front.
    AdjustHead {
        /// Signed bytes, low 32 bits.
        delta: Value,
    },
    /// A call of another function: its result, 64 bits. It may do all that a program can, but exit.
    Call {
        /// Which one.
        func: FuncIdx,
        /// What it finds in named registers r1 to r5, in this order.
        args: Vec<Value>,
        /// One of them may be an address of the stack, so it may read and write what stands there. Else it touches nothing of the
        /// stack that the caller reads.
        stack: bool,
    },
    /// What a named register holds: r1 to r5 at the start of a function that is called; r0 right behind a call, where `select` has
    /// cut the block.
    Named(u8),
    /// Any other request; its form is that of [`RequestOp::shape`].
    Request(Request),
}

/// A request of the device that has no operation of its own in the IR. K, V and W are those of `docs/isa.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which one.
    pub op: RequestOp,
    /// The map: the slot's, or for a map pointer in `third` the map of maps that it was looked up in.
    pub map: Option<MapIdx>,
    /// K.
    pub key: Option<Mem>,
    /// Most bytes that are read or written at K.
    pub key_bytes: u32,
    /// V, where it is an address: the value of an update.
    pub value_at: Option<Mem>,
    /// Bytes that are read there.
    pub value_bytes: u32,
    /// V, where it is a number or a pointer that is taken as it is.
    pub value: Option<Value>,
    /// W.
    pub third: Option<Value>,
}

impl Request {
    /// A request without operands.
    pub fn new(op: RequestOp) -> Self {
        Request { op, map: None, key: None, key_bytes: 0, value_at: None, value_bytes: 0, value: None, third: None }
    }
}

/// A jump with arguments for the parameters of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Where to.
    pub block: Block,
    /// One argument a parameter.
    pub args: Vec<Value>,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Goes on there.
    Jump(Jump),
    /// If `op(a, b)` then there, else there.
    Branch {
        /// Condition.
        op: CmpOp,
        /// 64 bits, else the low 32.
        wide: bool,
        /// First operand.
        a: Value,
        /// Second operand.
        b: Value,
        /// Taken.
        then: Jump,
        /// Not taken.
        els: Jump,
    },
    /// Packet bounds check: if (signed) base + len <= packet length then `pass` else `fail`.
    Guard {
        /// Variable part of the packet offset; `None` is 0.
        base: Option<Value>,
        /// Constant part, bytes.
        len: i32,
        /// Enough bytes.
        pass: Jump,
        /// Too short.
        fail: Jump,
    },
    /// The program ends; the low 32 bits are its return value.
    Exit(Value),
    /// A function that was called goes back to its caller with this result, 64 bits.
    Return(Value),
    /// No execution comes here.
    Unreachable,
}
