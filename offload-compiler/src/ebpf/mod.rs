//! eBPF instructions (RFC 9669): decoded form, one [`Insn`] a slot.
//!
//! A program is a `Vec<Insn>` indexed by [`InsnIdx`], so that numbers agree with the kernel and llvm-objdump: the second slot
//! of a 64-bit immediate load is [`Insn::Wide`]. Jump targets are absolute indices. Instruction set versions 1 to 4 decode;
//! later stages refuse what they do not know.
//!
//! [`decode`] and [`encode`] turn them from and into 8-byte slots, [`disasm`] prints them as the kernel's verifier does,
//! [`helper_name`] and [`helper_id`] know the helpers.

mod decode;
mod disasm;
mod encode;
mod helpers;

pub(crate) use decode::Slot;
pub use decode::{DecodeError, decode};
pub use disasm::{Names, disasm};
pub use encode::{EncodeError, encode};
pub use helpers::{helper_id, helper_name};

/// Index of an instruction slot in its program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InsnIdx(pub u32);

impl InsnIdx {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }
    /// The slot after this one (saturating).
    #[must_use]
    pub fn next(self) -> Self {
        InsnIdx(self.0.saturating_add(1))
    }
}

/// Register r0 to r10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u8);

/// Operand width of ALU and jump instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 32 bits; ALU results are zero-extended.
    W32,
    /// 64 bits.
    W64,
}

/// Width of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "names say it")]
pub enum Size {
    B1,
    B2,
    B4,
    B8,
}

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }
}

/// Second operand: register, or immediate sign-extended from 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "names say it")]
pub enum Operand {
    Reg(Reg),
    Imm(i32),
}

/// ALU operations with two operands (RFC 9669 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "RFC 9669's names")]
pub enum AluOp {
    Add,
    Sub,
    Mul,
    Div,
    Sdiv,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    Smod,
    Xor,
    Mov,
    Arsh,
}

/// Jump conditions (RFC 9669 section 4.3): `dst cond src`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "RFC 9669's names")]
pub enum Cond {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    Set,
    Sgt,
    Sge,
    Slt,
    Sle,
}

/// Atomic operations (RFC 9669 section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "RFC 9669's names")]
pub enum AtomicOp {
    Add,
    Or,
    And,
    Xor,
    Xchg,
    Cmpxchg,
}

/// What a 64-bit immediate load loads, relocations resolved (RFC 9669 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Imm64 {
    /// A plain constant.
    Const(u64),
    /// The map itself, as helpers want it: index into [`crate::object::Object::maps`].
    Map(MapIdx),
    /// Address of byte `offset` of element 0 of an array map (global data).
    MapValue {
        /// Which map.
        map: MapIdx,
        /// Byte offset into its value.
        offset: u32,
    },
    /// Address of a function of the object (callbacks).
    Func(InsnIdx),
}

/// Index of a map in its object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapIdx(pub u16);

/// One decoded instruction slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "fields are RFC 9669's")]
pub enum Insn {
    Alu {
        width: Width,
        op: AluOp,
        dst: Reg,
        src: Operand,
    },
    /// `dst = (s8/s16/s32) src` (v4).
    MovSx {
        width: Width,
        bits: u8,
        dst: Reg,
        src: Reg,
    },
    Neg {
        width: Width,
        dst: Reg,
    },
    /// `dst = htobe/htole bits (dst)`: to big endian swaps on our little-endian machine, to little endian truncates.
    Endian {
        bits: u8,
        to_be: bool,
        dst: Reg,
    },
    /// Unconditional byte swap (v4).
    Bswap {
        bits: u8,
        dst: Reg,
    },
    LoadImm64 {
        dst: Reg,
        value: Imm64,
    },
    /// Second slot of a LoadImm64; never executed or jumped to.
    Wide,
    Load {
        size: Size,
        signed: bool,
        dst: Reg,
        base: Reg,
        off: i16,
    },
    Store {
        size: Size,
        base: Reg,
        off: i16,
        src: Operand,
    },
    Atomic {
        size: Size,
        op: AtomicOp,
        fetch: bool,
        base: Reg,
        off: i16,
        src: Reg,
    },
    Jump {
        target: InsnIdx,
    },
    JumpIf {
        width: Width,
        cond: Cond,
        dst: Reg,
        src: Operand,
        target: InsnIdx,
    },
    CallHelper {
        id: u32,
    },
    CallLocal {
        target: InsnIdx,
    },
    CallKfunc {
        btf_id: u32,
    },
    Exit,
}
