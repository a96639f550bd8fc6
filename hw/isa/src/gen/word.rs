// Generated from hw/spec by `cargo xtask codegen`; do not edit.

use crate::Target;

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

/// One decoded word. The default is all zeros: a word that does nothing and goes on at address 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
    /// Unit `read`, field `ra:6`.
    pub ra: u8,
    /// Unit `read`, field `rb:6`.
    pub rb: u8,
    /// Unit `read`, field `rc:6`.
    pub rc: u8,
    /// Unit `guard`, field `g_en:1`.
    pub g_en: bool,
    /// Unit `guard`, field `g_base:Base`.
    pub g_base: Base,
    /// Unit `guard`, field `g_len:10`.
    pub g_len: u16,
    /// Unit `load`, field `ld_space:Space`.
    pub ld_space: Space,
    /// Unit `load`, field `ld_base:Base`.
    pub ld_base: Base,
    /// Unit `load`, field `ld_off:10s`.
    pub ld_off: i16,
    /// Unit `load`, field `ld_dismiss:1`.
    pub ld_dismiss: bool,
    /// Unit `load`, field `x0_delta:4`.
    pub x0_delta: u8,
    /// Unit `load`, field `x0_size:4`.
    pub x0_size: u8,
    /// Unit `load`, field `x0_swap:1`.
    pub x0_swap: bool,
    /// Unit `load`, field `x1_delta:4`.
    pub x1_delta: u8,
    /// Unit `load`, field `x1_size:4`.
    pub x1_size: u8,
    /// Unit `load`, field `x1_swap:1`.
    pub x1_swap: bool,
    /// Unit `alu1`, field `a1_op:Alu`.
    pub a1_op: AluOp,
    /// Unit `alu1`, field `a1_w:1`.
    pub a1_w: bool,
    /// Unit `alu1`, field `a1_a:Src`.
    pub a1_a: Src,
    /// Unit `alu1`, field `a1_b:Src`.
    pub a1_b: Src,
    /// Unit `alu2`, field `a2_op:Alu`.
    pub a2_op: AluOp,
    /// Unit `alu2`, field `a2_w:1`.
    pub a2_w: bool,
    /// Unit `alu2`, field `a2_a:Src`.
    pub a2_a: Src,
    /// Unit `alu2`, field `a2_b:Src`.
    pub a2_b: Src,
    /// Unit `compare1`, field `c1_op:Cmp`.
    pub c1_op: CmpOp,
    /// Unit `compare1`, field `c1_w:1`.
    pub c1_w: bool,
    /// Unit `compare1`, field `c1_a:Src`.
    pub c1_a: Src,
    /// Unit `compare1`, field `c1_b:Src`.
    pub c1_b: Src,
    /// Unit `compare2`, field `c2_op:Cmp`.
    pub c2_op: CmpOp,
    /// Unit `compare2`, field `c2_w:1`.
    pub c2_w: bool,
    /// Unit `compare2`, field `c2_a:Src`.
    pub c2_a: Src,
    /// Unit `compare2`, field `c2_b:Src`.
    pub c2_b: Src,
    /// Unit `store`, field `st_op:StoreOp`.
    pub st_op: StoreOp,
    /// Unit `store`, field `st_space:Space`.
    pub st_space: Space,
    /// Unit `store`, field `st_base:Base`.
    pub st_base: Base,
    /// Unit `store`, field `st_off:10s`.
    pub st_off: i16,
    /// Unit `store`, field `st_kill1:1`.
    pub st_kill1: bool,
    /// Unit `store`, field `st_kill2:1`.
    pub st_kill2: bool,
    /// Unit `store`, field `s0_delta:4`.
    pub s0_delta: u8,
    /// Unit `store`, field `s0_size:4`.
    pub s0_size: u8,
    /// Unit `store`, field `s0_src:Src`.
    pub s0_src: Src,
    /// Unit `store`, field `s0_swap:1`.
    pub s0_swap: bool,
    /// Unit `store`, field `s1_delta:4`.
    pub s1_delta: u8,
    /// Unit `store`, field `s1_size:4`.
    pub s1_size: u8,
    /// Unit `store`, field `s1_src:Src`.
    pub s1_src: Src,
    /// Unit `store`, field `s1_swap:1`.
    pub s1_swap: bool,
    /// Unit `write`, field `w0_src:Src`.
    pub w0_src: Src,
    /// Unit `write`, field `w0_reg:3`.
    pub w0_reg: u8,
    /// Unit `write`, field `w1_src:Src`.
    pub w1_src: Src,
    /// Unit `write`, field `w1_reg:3`.
    pub w1_reg: u8,
    /// Unit `immediate`, field `i0:16s`.
    pub i0: i16,
    /// Unit `immediate`, field `i1:16s`.
    pub i1: i16,
    /// Unit `request`, field `q_op:RequestOp`.
    pub q_op: RequestOp,
    /// Unit `request`, field `q_map:8`.
    pub q_map: u8,
    /// Unit `request`, field `q_kspace:Space`.
    pub q_kspace: Space,
    /// Unit `request`, field `q_kbase:Base`.
    pub q_kbase: Base,
    /// Unit `request`, field `q_koff:10s`.
    pub q_koff: i16,
    /// Unit `request`, field `q_vspace:Space`.
    pub q_vspace: Space,
    /// Unit `request`, field `q_vsrc:Src`.
    pub q_vsrc: Src,
    /// Unit `request`, field `q_dst:4`.
    pub q_dst: u8,
    /// Unit `request`, field `q_null:1`.
    pub q_null: bool,
    /// Unit `target`, field `t1:Target`.
    pub t1: Target,
    /// Unit `target`, field `t2:Target`.
    pub t2: Target,
    /// Unit `target`, field `next:Target`.
    pub next: Target,
}
