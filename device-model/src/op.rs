//! Predecoded words: what a [`Word`] says, resolved once at load so that the hot loop only looks at units that do something.

use offwire_isa::{AluOp, Base, CmpOp, Read, RequestOp, Shape, Space, Src, StoreOp, Target, Word};

/// A resolved [`Target`]: a code address, or `EXIT` + return value.
pub(crate) type Goto = u16;
/// Flag of a [`Goto`] that ends the packet.
pub(crate) const EXIT: Goto = 1 << 12;

/// Values that operands select from: the registers, then zero, then what the units before have made of the word.
pub(crate) type Values = [u64; VALUES];
const VALUES: usize = 32;
const ZERO: u8 = 16;
pub(crate) const X0: usize = 17;
pub(crate) const X1: usize = 18;
pub(crate) const A1: usize = 19;
pub(crate) const A2: usize = 20;

/// An operand: one of the values, plus a constant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    at: u8,
    add: i32,
}

impl Default for Operand {
    fn default() -> Self {
        Operand::constant(0)
    }
}

impl Operand {
    const fn constant(value: i32) -> Self {
        Operand { at: ZERO, add: value }
    }

    /// The operand plus a constant: the sum of an address. No sum of the fields of a word leaves 32 bits.
    const fn plus(self, add: i32) -> Self {
        Operand { at: self.at, add: self.add + add }
    }

    #[inline(always)]
    pub(crate) fn of(self, values: &Values) -> u64 {
        values[usize::from(self.at & 31)].wrapping_add(i64::from(self.add) as u64)
    }
}

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
    /// The bits of the size.
    pub mask: u64,
    /// What an insert writes.
    pub value: Operand,
}

/// Where an access goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// The unit does nothing.
    #[default]
    Off,
    Packet,
    Stack,
    Scratch,
    Value,
}

/// The access of a load or store, with its two parts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    pub place: Place,
    /// Bytes from the lowest to the highest that a part touches.
    pub span: u8,
    /// Address of the lowest byte that a part touches.
    pub address: Operand,
    pub parts: [Part; 2],
}

/// Delta, size and swap of a part as the word has them, and the operand of an insert.
type RawPart = (u8, u8, bool, Operand);

impl Access {
    fn new(space: Space, base: Operand, off: i16, parts: [RawPart; 2]) -> Self {
        let on = || parts.iter().filter(|part| part.1 > 0);
        let (Some(low), Some(high)) = (on().map(|part| part.0).min(), on().map(|part| part.0 + part.1).max()) else {
            return Access::default();
        };
        let parts = parts.map(|(delta, size, swap, value)| match size {
            0 => Part::default(),
            _ => {
                let unused = 64 - 8 * size;
                Part { delta: delta - low, size, unused, swap, mask: u64::MAX >> unused, value }
            }
        });
        let place = match space {
            Space::Packet => Place::Packet,
            Space::Stack => Place::Stack,
            Space::Scratch => Place::Scratch,
            Space::MapValue => Place::Value,
        };
        Access { place, span: high - low, address: base.plus(i32::from(off) + i32::from(low)), parts }
    }
}

/// Operation, width and operands of an ALU or a compare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pure<T> {
    pub op: T,
    pub on: bool,
    pub wide: bool,
    pub a: Operand,
    pub b: Operand,
}

/// A register that is written back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Write {
    pub on: bool,
    pub register: u8,
    pub value: Operand,
}

/// A request other than exit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub op: RequestOp,
    /// What the operation takes, reads, writes and answers.
    pub shape: Shape,
    pub map: u8,
    pub key_space: Space,
    pub key: Operand,
    pub value_space: Space,
    pub value: Operand,
    pub third: Operand,
    pub answer_register: u8,
    pub answer_null: bool,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            op: RequestOp::None,
            shape: RequestOp::None.shape(),
            map: 0,
            key_space: Space::default(),
            key: Operand::default(),
            value_space: Space::default(),
            value: Operand::default(),
            third: Operand::default(),
            answer_register: 0,
            answer_null: false,
        }
    }
}

/// A predecoded word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Op {
    /// The word may touch what other contexts see, or its issue depends on them: it is never executed ahead of its slot.
    pub shared: bool,
    /// There is a request other than exit.
    pub requests: bool,
    /// The request is exit.
    pub exits: bool,
    pub guards: bool,
    pub load_dismiss: bool,
    pub store_kill1: bool,
    pub store_kill2: bool,
    pub store_op: StoreOp,
    pub t1: Goto,
    pub t2: Goto,
    pub next: Goto,
    /// Where the guard wants the packet to reach.
    pub guard_end: Operand,
    pub load: Access,
    pub alu1: Pure<AluOp>,
    pub alu2: Pure<AluOp>,
    pub cmp1: Pure<CmpOp>,
    pub cmp2: Pure<CmpOp>,
    pub store: Access,
    pub write: [Write; 2],
    /// Return value of an exit.
    pub exit_value: Operand,
    pub request: Request,
}

fn goto(target: Target) -> Goto {
    match target {
        Target::Goto(address) => address.0 & (EXIT - 1),
        Target::Exit(value) => EXIT | Goto::from(value),
    }
}

fn read(field: u8) -> Operand {
    match Read::decode(field) {
        Read::Reg(register) => Operand { at: register, add: 0 },
        Read::Const(value) => Operand::constant(value.into()),
    }
}

impl Op {
    /// True if the engine itself has the request.
    pub(crate) fn serves(op: RequestOp) -> bool {
        use RequestOp::*;
        let own =
            matches!(op, None | Exit | Call | Ret | AdjustHead | AdjustTail | AdjustMeta | LoadBytes | StoreBytes);
        own || op.is_division() || matches!(op, Csum | Printk | PrintkText | Redirect | KtimeNs | Jiffies)
    }

    /// Predecodes a word that passes [`Word::check`].
    pub(crate) fn new(word: &Word) -> Op {
        let reads = [Operand::default(), read(word.ra), read(word.rb), read(word.rc)];
        let base = |base: Base| reads[base as usize];
        let iw = (word.i1 as u16 as u32) << 16 | word.i0 as u16 as u32;
        let loads = word.x0_size > 0 || word.x1_size > 0;
        let works = |op: AluOp, a: Src| op != AluOp::Mov || a != Src::Zero;
        let (alu1, alu2) = (works(word.a1_op, word.a1_a), works(word.a2_op, word.a2_a));
        let made = |on: bool, at: usize| if on { Operand { at: at as u8, add: 0 } } else { Operand::default() };
        let operand = |src: Src| match src {
            Src::Zero => Operand::default(),
            Src::Ra => reads[1],
            Src::Rb => reads[2],
            Src::Rc => reads[3],
            Src::X0 => made(loads, X0),
            Src::X1 => made(loads, X1),
            Src::A1 => made(alu1, A1),
            Src::A2 => made(alu2, A2),
            Src::I0 => Operand::constant(word.i0.into()),
            Src::I1 => Operand::constant(word.i1.into()),
            Src::Iw => Operand::constant(iw as i32),
        };
        let none = Operand::default();
        let load = Access::new(
            word.ld_space,
            base(word.ld_base),
            word.ld_off,
            [(word.x0_delta, word.x0_size, word.x0_swap, none), (word.x1_delta, word.x1_size, word.x1_swap, none)],
        );
        let store = match word.st_op {
            StoreOp::None => Access::default(),
            _ => Access::new(
                word.st_space,
                base(word.st_base),
                word.st_off,
                [
                    (word.s0_delta, word.s0_size, word.s0_swap, operand(word.s0_src)),
                    (word.s1_delta, word.s1_size, word.s1_swap, operand(word.s1_src)),
                ],
            ),
        };
        let requests = !matches!(word.q_op, RequestOp::None | RequestOp::Exit);
        Op {
            shared: requests || store.place == Place::Value,
            requests,
            exits: word.q_op == RequestOp::Exit,
            guards: word.g_en,
            load_dismiss: word.ld_dismiss,
            store_kill1: word.st_kill1,
            store_kill2: word.st_kill2,
            store_op: word.st_op,
            t1: goto(word.t1),
            t2: goto(word.t2),
            next: goto(word.next),
            guard_end: base(word.g_base).plus(word.g_len.into()),
            load,
            alu1: Pure { op: word.a1_op, on: alu1, wide: word.a1_w, a: operand(word.a1_a), b: operand(word.a1_b) },
            alu2: Pure { op: word.a2_op, on: alu2, wide: word.a2_w, a: operand(word.a2_a), b: operand(word.a2_b) },
            cmp1: Pure {
                op: word.c1_op,
                on: word.c1_op != CmpOp::Never,
                wide: word.c1_w,
                a: operand(word.c1_a),
                b: operand(word.c1_b),
            },
            cmp2: Pure {
                op: word.c2_op,
                on: word.c2_op != CmpOp::Never,
                wide: word.c2_w,
                a: operand(word.c2_a),
                b: operand(word.c2_b),
            },
            store,
            write: [
                Write { on: word.w0_src != Src::Zero, register: word.w0_reg * 2, value: operand(word.w0_src) },
                Write { on: word.w1_src != Src::Zero, register: word.w1_reg * 2 + 1, value: operand(word.w1_src) },
            ],
            exit_value: operand(word.q_vsrc),
            request: Request {
                op: word.q_op,
                shape: word.q_op.shape(),
                map: word.q_map,
                key_space: word.q_kspace,
                key: base(word.q_kbase).plus(word.q_koff.into()),
                value_space: word.q_vspace,
                value: operand(word.q_vsrc),
                third: reads[3],
                answer_register: word.q_dst,
                answer_null: word.q_null,
            },
        }
    }
}
