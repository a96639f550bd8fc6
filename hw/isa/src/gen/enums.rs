// Generated from hw/spec by `cargo xtask codegen`; do not edit.

/// Memory space of an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Space {
    /// Packet bytes; address 0 is the first byte (`data`). In bounds: 0 <= a, a + size <= packet length.
    #[default]
    Packet = 0,
    /// The program's stack, 512 B; address 0 is the lowest byte, so eBPF r10 is address 512.
    Stack = 1,
    /// Per-context scratch, 256 B. Bytes 0 to 63 are the read-only packet metadata, 64 to 255 spills.
    Scratch = 2,
    /// A map value; the base register holds a handle made by a lookup or by the compiler.
    MapValue = 3,
}

impl Space {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Space] = &[
        Space::Packet,
        Space::Stack,
        Space::Scratch,
        Space::MapValue,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Space::Packet,
            1 => Space::Stack,
            2 => Space::Scratch,
            3 => Space::MapValue,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Space::Packet => "pkt",
            Space::Stack => "stack",
            Space::Scratch => "scr",
            Space::MapValue => "map",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "pkt" => Space::Packet,
            "stack" => Space::Stack,
            "scr" => Space::Scratch,
            "map" => Space::MapValue,
            _ => return None,
        })
    }
}

/// Base of an address: address = base + signed offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Base {
    /// Zero.
    #[default]
    Zero = 0,
    /// Read port A.
    Ra = 1,
    /// Read port B.
    Rb = 2,
    /// Read port C.
    Rc = 3,
}

impl Base {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Base] = &[
        Base::Zero,
        Base::Ra,
        Base::Rb,
        Base::Rc,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Base::Zero,
            1 => Base::Ra,
            2 => Base::Rb,
            3 => Base::Rc,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Base::Zero => "0",
            Base::Ra => "ra",
            Base::Rb => "rb",
            Base::Rc => "rc",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "0" => Base::Zero,
            "ra" => Base::Ra,
            "rb" => Base::Rb,
            "rc" => Base::Rc,
            _ => return None,
        })
    }
}

/// Operand selector. What a unit may select depends on its place in the pipe (`sources` of each unit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Src {
    /// The constant 0; in a write-back field: no write.
    #[default]
    Zero = 0,
    /// Read port A.
    Ra = 1,
    /// Read port B.
    Rb = 2,
    /// Read port C.
    Rc = 3,
    /// First extract of the load, zero-extended.
    X0 = 4,
    /// Second extract of the load, zero-extended.
    X1 = 5,
    /// Result of ALU1.
    A1 = 6,
    /// Result of ALU2.
    A2 = 7,
    /// Immediate 0, sign-extended from 16 bits.
    I0 = 8,
    /// Immediate 1, sign-extended from 16 bits.
    I1 = 9,
    /// Both immediates as one 32-bit value, i1:i0, sign-extended.
    Iw = 10,
}

impl Src {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Src] = &[
        Src::Zero,
        Src::Ra,
        Src::Rb,
        Src::Rc,
        Src::X0,
        Src::X1,
        Src::A1,
        Src::A2,
        Src::I0,
        Src::I1,
        Src::Iw,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Src::Zero,
            1 => Src::Ra,
            2 => Src::Rb,
            3 => Src::Rc,
            4 => Src::X0,
            5 => Src::X1,
            6 => Src::A1,
            7 => Src::A2,
            8 => Src::I0,
            9 => Src::I1,
            10 => Src::Iw,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Src::Zero => "0",
            Src::Ra => "ra",
            Src::Rb => "rb",
            Src::Rc => "rc",
            Src::X0 => "x0",
            Src::X1 => "x1",
            Src::A1 => "a1",
            Src::A2 => "a2",
            Src::I0 => "i0",
            Src::I1 => "i1",
            Src::Iw => "iw",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "0" => Src::Zero,
            "ra" => Src::Ra,
            "rb" => Src::Rb,
            "rc" => Src::Rc,
            "x0" => Src::X0,
            "x1" => Src::X1,
            "a1" => Src::A1,
            "a2" => Src::A2,
            "i0" => Src::I0,
            "i1" => Src::I1,
            "iw" => Src::Iw,
            _ => return None,
        })
    }
}

/// What the store unit does with its inserts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum StoreOp {
    /// Nothing.
    #[default]
    None = 0,
    /// Writes the enabled inserts.
    Store = 1,
    /// Posted atomic 32-bit add of insert 0's source; insert 0 must have size 4, insert 1 is off.
    Add32 = 2,
    /// Posted atomic 64-bit add of insert 0's source; insert 0 must have size 8, insert 1 is off.
    Add64 = 3,
}

impl StoreOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [StoreOp] = &[
        StoreOp::None,
        StoreOp::Store,
        StoreOp::Add32,
        StoreOp::Add64,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => StoreOp::None,
            1 => StoreOp::Store,
            2 => StoreOp::Add32,
            3 => StoreOp::Add64,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            StoreOp::None => "none",
            StoreOp::Store => "st",
            StoreOp::Add32 => "add32",
            StoreOp::Add64 => "add64",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "none" => StoreOp::None,
            "st" => StoreOp::Store,
            "add32" => StoreOp::Add32,
            "add64" => StoreOp::Add64,
            _ => return None,
        })
    }
}

/// Request to a shared unit. The context sleeps until the answer is in; the answer goes to register `q_dst`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RequestOp {
    /// No request.
    #[default]
    None = 0,
    /// Ends the packet with the low 32 bits of `q_vsrc` as its return value. No answer.
    Exit = 1,
    /// Key at (q_kspace, q_kbase + q_koff); answers a handle or 0.
    Lookup = 2,
    /// Key as for lookup, value at address q_vsrc of q_vspace; answers 0 or a negative errno. BPF_ANY.
    UpdateAny = 3,
    /// As UpdateAny, BPF_NOEXIST.
    UpdateNoExist = 4,
    /// As UpdateAny, BPF_EXIST.
    UpdateExist = 5,
    /// Key as for lookup; answers 0 or a negative errno.
    Delete = 6,
    /// Moves the front of the packet by the signed low 32 bits of `q_vsrc`; answers 0 or -22.
    AdjustHead = 7,
}

impl RequestOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [RequestOp] = &[
        RequestOp::None,
        RequestOp::Exit,
        RequestOp::Lookup,
        RequestOp::UpdateAny,
        RequestOp::UpdateNoExist,
        RequestOp::UpdateExist,
        RequestOp::Delete,
        RequestOp::AdjustHead,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => RequestOp::None,
            1 => RequestOp::Exit,
            2 => RequestOp::Lookup,
            3 => RequestOp::UpdateAny,
            4 => RequestOp::UpdateNoExist,
            5 => RequestOp::UpdateExist,
            6 => RequestOp::Delete,
            7 => RequestOp::AdjustHead,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            RequestOp::None => "none",
            RequestOp::Exit => "exit",
            RequestOp::Lookup => "lookup",
            RequestOp::UpdateAny => "update.any",
            RequestOp::UpdateNoExist => "update.noexist",
            RequestOp::UpdateExist => "update.exist",
            RequestOp::Delete => "delete",
            RequestOp::AdjustHead => "adjust_head",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "none" => RequestOp::None,
            "exit" => RequestOp::Exit,
            "lookup" => RequestOp::Lookup,
            "update.any" => RequestOp::UpdateAny,
            "update.noexist" => RequestOp::UpdateNoExist,
            "update.exist" => RequestOp::UpdateExist,
            "delete" => RequestOp::Delete,
            "adjust_head" => RequestOp::AdjustHead,
            _ => return None,
        })
    }
}

/// Operation of an ALU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AluOp {
    /// a.
    #[default]
    Mov = 0,
    /// Wrapping sum.
    Add = 1,
    /// Wrapping difference.
    Sub = 2,
    /// Bitwise and.
    And = 3,
    /// Bitwise or.
    Or = 4,
    /// Bitwise exclusive or.
    Xor = 5,
    /// Left shift by b mod W.
    Lsh = 6,
    /// Logical right shift by b mod W.
    Rsh = 7,
    /// Arithmetic right shift by b mod W.
    Arsh = 8,
    /// Low W bits of the product.
    Mul = 9,
    /// Low 16 bits byte-reversed, zero-extended (BPF_TO_BE 16).
    Bswap16 = 10,
    /// Low 32 bits byte-reversed, zero-extended.
    Bswap32 = 11,
    /// All W bits byte-reversed.
    Bswap64 = 12,
    /// Low 8 bits sign-extended.
    Sext8 = 13,
    /// Low 16 bits sign-extended.
    Sext16 = 14,
    /// Low 32 bits sign-extended.
    Sext32 = 15,
    /// Low 8 bits zero-extended.
    Zext8 = 16,
    /// Low 16 bits zero-extended.
    Zext16 = 17,
    /// On 64 bits a:b, the low halves joined; makes wide constants. On 32 bits a | b (the shift is by 32 mod 32 = 0).
    Pack = 18,
}

impl AluOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [AluOp] = &[
        AluOp::Mov,
        AluOp::Add,
        AluOp::Sub,
        AluOp::And,
        AluOp::Or,
        AluOp::Xor,
        AluOp::Lsh,
        AluOp::Rsh,
        AluOp::Arsh,
        AluOp::Mul,
        AluOp::Bswap16,
        AluOp::Bswap32,
        AluOp::Bswap64,
        AluOp::Sext8,
        AluOp::Sext16,
        AluOp::Sext32,
        AluOp::Zext8,
        AluOp::Zext16,
        AluOp::Pack,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => AluOp::Mov,
            1 => AluOp::Add,
            2 => AluOp::Sub,
            3 => AluOp::And,
            4 => AluOp::Or,
            5 => AluOp::Xor,
            6 => AluOp::Lsh,
            7 => AluOp::Rsh,
            8 => AluOp::Arsh,
            9 => AluOp::Mul,
            10 => AluOp::Bswap16,
            11 => AluOp::Bswap32,
            12 => AluOp::Bswap64,
            13 => AluOp::Sext8,
            14 => AluOp::Sext16,
            15 => AluOp::Sext32,
            16 => AluOp::Zext8,
            17 => AluOp::Zext16,
            18 => AluOp::Pack,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            AluOp::Mov => "mov",
            AluOp::Add => "add",
            AluOp::Sub => "sub",
            AluOp::And => "and",
            AluOp::Or => "or",
            AluOp::Xor => "xor",
            AluOp::Lsh => "lsh",
            AluOp::Rsh => "rsh",
            AluOp::Arsh => "arsh",
            AluOp::Mul => "mul",
            AluOp::Bswap16 => "bswap16",
            AluOp::Bswap32 => "bswap32",
            AluOp::Bswap64 => "bswap64",
            AluOp::Sext8 => "sext8",
            AluOp::Sext16 => "sext16",
            AluOp::Sext32 => "sext32",
            AluOp::Zext8 => "zext8",
            AluOp::Zext16 => "zext16",
            AluOp::Pack => "pack",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "mov" => AluOp::Mov,
            "add" => AluOp::Add,
            "sub" => AluOp::Sub,
            "and" => AluOp::And,
            "or" => AluOp::Or,
            "xor" => AluOp::Xor,
            "lsh" => AluOp::Lsh,
            "rsh" => AluOp::Rsh,
            "arsh" => AluOp::Arsh,
            "mul" => AluOp::Mul,
            "bswap16" => AluOp::Bswap16,
            "bswap32" => AluOp::Bswap32,
            "bswap64" => AluOp::Bswap64,
            "sext8" => AluOp::Sext8,
            "sext16" => AluOp::Sext16,
            "sext32" => AluOp::Sext32,
            "zext8" => AluOp::Zext8,
            "zext16" => AluOp::Zext16,
            "pack" => AluOp::Pack,
            _ => return None,
        })
    }
}

/// Condition of a compare unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CmpOp {
    /// Not taken.
    #[default]
    Never = 0,
    /// a = b.
    Eq = 1,
    /// a /= b.
    Ne = 2,
    /// a < b, unsigned.
    Ltu = 3,
    /// a >= b, unsigned.
    Geu = 4,
    /// a < b, signed.
    Lts = 5,
    /// a >= b, signed.
    Ges = 6,
    /// a and b have a common one bit (BPF_JSET).
    Tst = 7,
    /// a and b have no common one bit.
    Ntst = 8,
}

impl CmpOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [CmpOp] = &[
        CmpOp::Never,
        CmpOp::Eq,
        CmpOp::Ne,
        CmpOp::Ltu,
        CmpOp::Geu,
        CmpOp::Lts,
        CmpOp::Ges,
        CmpOp::Tst,
        CmpOp::Ntst,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => CmpOp::Never,
            1 => CmpOp::Eq,
            2 => CmpOp::Ne,
            3 => CmpOp::Ltu,
            4 => CmpOp::Geu,
            5 => CmpOp::Lts,
            6 => CmpOp::Ges,
            7 => CmpOp::Tst,
            8 => CmpOp::Ntst,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            CmpOp::Never => "never",
            CmpOp::Eq => "eq",
            CmpOp::Ne => "ne",
            CmpOp::Ltu => "ltu",
            CmpOp::Geu => "geu",
            CmpOp::Lts => "lts",
            CmpOp::Ges => "ges",
            CmpOp::Tst => "tst",
            CmpOp::Ntst => "ntst",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "never" => CmpOp::Never,
            "eq" => CmpOp::Eq,
            "ne" => CmpOp::Ne,
            "ltu" => CmpOp::Ltu,
            "geu" => CmpOp::Geu,
            "lts" => CmpOp::Lts,
            "ges" => CmpOp::Ges,
            "tst" => CmpOp::Tst,
            "ntst" => CmpOp::Ntst,
            _ => return None,
        })
    }
}
