//! Typed views of the raw fields of a word.

use crate::generated::consts::CODE_ADDRESS_BITS;

/// Address of a word in the instruction store, in words; 12 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeAddr(pub u16);

/// Where a word goes on (13-bit field): at a code address, or the packet ends with a small return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Go on at this word.
    Goto(CodeAddr),
    /// The packet ends; return value (XDP action) 0 to 4.
    Exit(u8),
}

impl Target {
    /// The field's value: bit 12 = 0: code address, bit 12 = 1: exit with the return value in bits 2 to 0. Larger numbers are
    /// cut; [`crate::Word::check`] finds them.
    pub const fn encode(self) -> u16 {
        match self {
            Target::Goto(CodeAddr(address)) => address & ((1 << CODE_ADDRESS_BITS) - 1),
            Target::Exit(value) => 1 << CODE_ADDRESS_BITS | (value & 7) as u16,
        }
    }

    /// `None` if it is an exit with a value above 4 or with other bits set, or wider than a target.
    pub const fn decode(field: u16) -> Option<Self> {
        if field >> CODE_ADDRESS_BITS == 0 {
            return Some(Target::Goto(CodeAddr(field)));
        }
        match field ^ 1 << CODE_ADDRESS_BITS {
            value @ 0..=4 => Some(Target::Exit(value as u8)),
            _ => None,
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        Target::Goto(CodeAddr(0))
    }
}

/// What a read port delivers (6-bit field).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// Register 0 to 15.
    Reg(u8),
    /// Constant -16 to 31.
    Const(i8),
}

impl Read {
    /// The field's value: registers are 0 to 15, constants 16 to 63 (value + 32).
    pub const fn encode(self) -> u8 {
        match self {
            Read::Reg(r) => r & 15,
            Read::Const(c) => (c + 32) as u8,
        }
    }

    /// Total: every 6-bit value is a read. Higher bits are ignored.
    pub const fn decode(field: u8) -> Self {
        let field = field & 63;
        if field < 16 { Read::Reg(field) } else { Read::Const(field as i8 - 32) }
    }

    /// The constant as a read port delivers it if `value` fits -16 to 31.
    pub fn constant(value: i64) -> Option<Self> {
        if (-16..=31).contains(&value) { Some(Read::Const(value as i8)) } else { None }
    }
}
