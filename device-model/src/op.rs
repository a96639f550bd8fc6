//! Predecoded words: what a [`Word`] says, resolved once at load so that the hot loop only looks at units that do something.

use offwire_isa::{AluOp, Base, CmpOp, RequestOp, Space, Src, StoreOp, Target, Word};

/// Which units of a word do something.
pub(crate) mod unit {
    pub(crate) const GUARD: u16 = 1 << 0;
    pub(crate) const LOAD: u16 = 1 << 1;
    pub(crate) const ALU1: u16 = 1 << 2;
    pub(crate) const ALU2: u16 = 1 << 3;
    pub(crate) const CMP1: u16 = 1 << 4;
    pub(crate) const CMP2: u16 = 1 << 5;
    pub(crate) const STORE: u16 = 1 << 6;
    pub(crate) const WRITE0: u16 = 1 << 7;
    pub(crate) const WRITE1: u16 = 1 << 8;
    pub(crate) const REQUEST: u16 = 1 << 9;
    /// The word may touch what other contexts see, or its issue depends on them: it is never executed ahead of its slot.
    pub(crate) const SHARED: u16 = 1 << 10;
}

/// A resolved [`Target`]: a code address, or `EXIT` + return value.
pub(crate) type Goto = u16;
/// Flag of a [`Goto`] that ends the packet.
pub(crate) const EXIT: Goto = 1 << 12;

/// One extract or insert.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    /// Bytes from the access's address.
    pub delta: u8,
    /// 0 (off) to 8 bytes.
    pub size: u8,
    /// Byte-reversed.
    pub swap: bool,
    /// Operand of an insert.
    pub src: u8,
}

/// Operation, width and operands of an ALU or a compare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pure<T> {
    pub op: T,
    pub wide: bool,
    pub a: u8,
    pub b: u8,
}

/// A predecoded word. Operands are indices into the row of values that `execute` builds: the codes of [`Src`], of which the
/// codes of [`Base`] are the first four.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Op {
    pub units: u16,
    pub reads: [u8; 3],
    pub guard_base: u8,
    pub guard_len: u16,
    pub load_space: Space,
    pub load_base: u8,
    pub load_dismiss: bool,
    pub load_off: i16,
    pub load: [Part; 2],
    pub alu1: Pure<AluOp>,
    pub alu2: Pure<AluOp>,
    pub cmp1: Pure<CmpOp>,
    pub cmp2: Pure<CmpOp>,
    pub store_op: StoreOp,
    pub store_space: Space,
    pub store_base: u8,
    pub store_kill1: bool,
    pub store_kill2: bool,
    pub store_off: i16,
    pub store: [Part; 2],
    pub write: [(u8, u8); 2],
    pub request: RequestOp,
    pub map: u8,
    pub key_space: Space,
    pub key_base: u8,
    pub key_off: i16,
    pub value_space: Space,
    pub value_src: u8,
    pub answer_reg: u8,
    pub answer_null: bool,
    pub t1: Goto,
    pub t2: Goto,
    pub next: Goto,
    pub i0: u64,
    pub i1: u64,
    pub iw: u64,
}

fn goto(target: Target) -> Goto {
    match target {
        Target::Goto(address) => address.0 & (EXIT - 1),
        Target::Exit(value) => EXIT | Goto::from(value),
    }
}

fn base(base: Base) -> u8 {
    base as u8
}

fn part(delta: u8, size: u8, swap: bool, src: Src) -> Part {
    Part { delta, size, swap, src: src as u8 }
}

impl Op {
    /// Predecodes a word that passes [`Word::check`].
    pub(crate) fn new(word: &Word) -> Op {
        let load = [
            part(word.x0_delta, word.x0_size, word.x0_swap, Src::Zero),
            part(word.x1_delta, word.x1_size, word.x1_swap, Src::Zero),
        ];
        let mut store = [
            part(word.s0_delta, word.s0_size, word.s0_swap, word.s0_src),
            part(word.s1_delta, word.s1_size, word.s1_swap, word.s1_src),
        ];
        if word.st_op == StoreOp::None {
            store = [Part::default(); 2];
        }
        let mut units = 0;
        let mut set = |flag: u16, on: bool| units |= if on { flag } else { 0 };
        let stores = store[0].size > 0 || store[1].size > 0;
        set(unit::GUARD, word.g_en);
        set(unit::LOAD, load[0].size > 0 || load[1].size > 0);
        set(unit::ALU1, word.a1_op != AluOp::Mov || word.a1_a != Src::Zero);
        set(unit::ALU2, word.a2_op != AluOp::Mov || word.a2_a != Src::Zero);
        set(unit::CMP1, word.c1_op != CmpOp::Never);
        set(unit::CMP2, word.c2_op != CmpOp::Never);
        set(unit::STORE, stores);
        set(unit::WRITE0, word.w0_src != Src::Zero);
        set(unit::WRITE1, word.w1_src != Src::Zero);
        set(unit::REQUEST, word.q_op != RequestOp::None);
        set(
            unit::SHARED,
            (stores && word.st_space == Space::MapValue) || !matches!(word.q_op, RequestOp::None | RequestOp::Exit),
        );
        Op {
            units,
            reads: [word.ra & 63, word.rb & 63, word.rc & 63],
            guard_base: base(word.g_base),
            guard_len: word.g_len,
            load_space: word.ld_space,
            load_base: base(word.ld_base),
            load_dismiss: word.ld_dismiss,
            load_off: word.ld_off,
            load,
            alu1: Pure { op: word.a1_op, wide: word.a1_w, a: word.a1_a as u8, b: word.a1_b as u8 },
            alu2: Pure { op: word.a2_op, wide: word.a2_w, a: word.a2_a as u8, b: word.a2_b as u8 },
            cmp1: Pure { op: word.c1_op, wide: word.c1_w, a: word.c1_a as u8, b: word.c1_b as u8 },
            cmp2: Pure { op: word.c2_op, wide: word.c2_w, a: word.c2_a as u8, b: word.c2_b as u8 },
            store_op: word.st_op,
            store_space: word.st_space,
            store_base: base(word.st_base),
            store_kill1: word.st_kill1,
            store_kill2: word.st_kill2,
            store_off: word.st_off,
            store,
            write: [(word.w0_src as u8, word.w0_reg * 2), (word.w1_src as u8, word.w1_reg * 2 + 1)],
            request: word.q_op,
            map: word.q_map,
            key_space: word.q_kspace,
            key_base: base(word.q_kbase),
            key_off: word.q_koff,
            value_space: word.q_vspace,
            value_src: word.q_vsrc as u8,
            answer_reg: word.q_dst,
            answer_null: word.q_null,
            t1: goto(word.t1),
            t2: goto(word.t2),
            next: goto(word.next),
            i0: word.i0 as u64,
            i1: word.i1 as u64,
            iw: ((word.i1 as u16 as u32) << 16 | (word.i0 as u16 as u32)) as i32 as u64,
        }
    }
}

/// What a read port delivers.
#[inline(always)]
pub(crate) fn read(field: u8, registers: &[u64; 16]) -> u64 {
    if field < 16 { registers[field as usize & 15] } else { i64::from(field).wrapping_sub(32) as u64 }
}
