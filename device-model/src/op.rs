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
    /// Bytes from the lowest byte of the access.
    pub delta: u8,
    /// 0 (off) to 8 bytes.
    pub size: u8,
    /// Bits of a 64-bit value beyond the size; 0 if off.
    pub unused: u8,
    /// Byte-reversed.
    pub swap: bool,
    /// Operand of an insert.
    pub src: u8,
    /// The bits of the size.
    pub mask: u64,
}

/// The access of a load or store, with its two parts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    pub space: Space,
    pub base: u8,
    /// From the base to the lowest byte that a part touches.
    pub off: u64,
    /// Bytes from the lowest to the highest that a part touches; 0 if both are off.
    pub span: u8,
    pub parts: [Part; 2],
}

impl Access {
    /// `parts`: delta, size, swap, operand.
    fn new(space: Space, base: Base, off: i16, parts: [(u8, u8, bool, Src); 2]) -> Self {
        let on = || parts.iter().filter(|part| part.1 > 0);
        let low = on().map(|part| part.0).min().unwrap_or(0);
        let high = on().map(|part| part.0 + part.1).max().unwrap_or(low);
        let parts = parts.map(|(delta, size, swap, src)| match size {
            0 => Part::default(),
            _ => {
                let unused = 64 - 8 * size;
                Part { delta: delta - low, size, unused, swap, src: src as u8, mask: u64::MAX >> unused }
            }
        });
        Access { space, base: base as u8, off: (i64::from(off) + i64::from(low)) as u64, span: high - low, parts }
    }
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
    pub load: Access,
    pub load_dismiss: bool,
    pub alu1: Pure<AluOp>,
    pub alu2: Pure<AluOp>,
    pub cmp1: Pure<CmpOp>,
    pub cmp2: Pure<CmpOp>,
    pub store_op: StoreOp,
    pub store: Access,
    pub store_kill1: bool,
    pub store_kill2: bool,
    pub write: [(u8, u8); 2],
    pub request: RequestOp,
    pub map: u8,
    pub key_space: Space,
    pub key_base: u8,
    pub key_off: u64,
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

impl Op {
    /// Predecodes a word that passes [`Word::check`].
    pub(crate) fn new(word: &Word) -> Op {
        let load = Access::new(
            word.ld_space,
            word.ld_base,
            word.ld_off,
            [
                (word.x0_delta, word.x0_size, word.x0_swap, Src::Zero),
                (word.x1_delta, word.x1_size, word.x1_swap, Src::Zero),
            ],
        );
        let store = match word.st_op {
            StoreOp::None => Access::default(),
            _ => Access::new(
                word.st_space,
                word.st_base,
                word.st_off,
                [
                    (word.s0_delta, word.s0_size, word.s0_swap, word.s0_src),
                    (word.s1_delta, word.s1_size, word.s1_swap, word.s1_src),
                ],
            ),
        };
        let mut units = 0;
        let mut set = |flag: u16, on: bool| units |= if on { flag } else { 0 };
        let stores = store.span > 0;
        set(unit::GUARD, word.g_en);
        set(unit::LOAD, load.span > 0);
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
            guard_base: word.g_base as u8,
            guard_len: word.g_len,
            load,
            load_dismiss: word.ld_dismiss,
            alu1: Pure { op: word.a1_op, wide: word.a1_w, a: word.a1_a as u8, b: word.a1_b as u8 },
            alu2: Pure { op: word.a2_op, wide: word.a2_w, a: word.a2_a as u8, b: word.a2_b as u8 },
            cmp1: Pure { op: word.c1_op, wide: word.c1_w, a: word.c1_a as u8, b: word.c1_b as u8 },
            cmp2: Pure { op: word.c2_op, wide: word.c2_w, a: word.c2_a as u8, b: word.c2_b as u8 },
            store_op: word.st_op,
            store,
            store_kill1: word.st_kill1,
            store_kill2: word.st_kill2,
            write: [(word.w0_src as u8, word.w0_reg * 2), (word.w1_src as u8, word.w1_reg * 2 + 1)],
            request: word.q_op,
            map: word.q_map,
            key_space: word.q_kspace,
            key_base: word.q_kbase as u8,
            key_off: word.q_koff as u64,
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
    let register = registers[usize::from(field & 15)];
    if field < 16 { register } else { i64::from(field).wrapping_sub(32) as u64 }
}
