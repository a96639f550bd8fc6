//! Random small programs for the verifier: numbers from the packet, bounded by comparisons, masks and arithmetic, copied and
//! spilled, that then index a map value, the packet or the stack.

#[path = "calls.rs"]
pub(crate) mod calls;

use crate::common::{Rng, copy, load, map, map_value, mov, store};
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, InsnIdx, Operand, Reg, Size, Width};

/// Sizes of the value of map 0 (hash) and map 1 (one element, addressed directly).
pub(crate) const VALUE_SIZE: u32 = 64;

const PACKET: Reg = Reg(6);
const VALUE: Reg = Reg(7);
const CTX: Reg = Reg(8);
const FRAME: Reg = Reg(10);
/// Registers that hold numbers between the steps; r1 is for addresses.
const NUMBERS: [Reg; 5] = [Reg(0), Reg(2), Reg(3), Reg(4), Reg(9)];
/// First byte of the spill area, and its slots.
const SPILLS: (i16, usize) = (-64, 4);

/// Where pointers are spilled, below the numbers.
const POINTER_SPILL: i16 = -80;

/// Makes programs.
pub(crate) struct Programs {
    pub(crate) rng: Rng,
    insns: Vec<Insn>,
    /// Jumps to the end.
    exits: Vec<usize>,
    /// Calls of the local function.
    calls: Vec<usize>,
    /// Loads of the address of the function that is called back.
    callbacks: Vec<usize>,
    loops: bool,
    family: Family,
}

/// Which pointers a diamond deals with.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Packet,
    Value,
    Lookup,
}

impl Programs {
    pub(crate) fn new(seed: u64) -> Self {
        Programs {
            rng: Rng(seed),
            insns: Vec::new(),
            exits: Vec::new(),
            calls: Vec::new(),
            callbacks: Vec::new(),
            loops: false,
            family: Family::Value,
        }
    }

    /// One more program.
    pub(crate) fn next(&mut self) -> Vec<Insn> {
        self.insns.clear();
        self.exits.clear();
        self.calls.clear();
        self.callbacks.clear();
        self.loops = false;
        self.prologue();
        match self.rng.below(4) {
            0 | 1 => {
                self.diamond();
                return self.done();
            }
            2 => {
                for _ in 0..self.rng.below(3) + 1 {
                    self.helper();
                    (0..self.rng.below(3)).for_each(|_| self.step());
                }
                return self.done();
            }
            _ => {}
        }
        for _ in 0..self.rng.below(4) + 1 {
            for _ in 0..self.rng.below(10) {
                self.step();
            }
            self.bound();
            for _ in 0..self.rng.below(4) {
                self.step();
            }
            self.probe();
            match self.rng.below(12) {
                0 if !self.loops => self.counted_loop(),
                1 => self.lookup(),
                2 => self.call(),
                3 => self.adjust_head(),
                4 | 5 => self.helper(),
                6 | 7 => self.length(),
                _ => {}
            }
        }
        self.done()
    }

    fn done(&mut self) -> Vec<Insn> {
        let end = self.here();
        self.insns.extend([mov(Reg(0), 2), Insn::Exit]);
        for &at in &self.exits {
            if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                *target = end;
            }
        }
        self.function();
        self.callback();
        self.insns.clone()
    }

    fn here(&self) -> InsnIdx {
        InsnIdx(u32::try_from(self.insns.len()).expect("small"))
    }

    fn add(&mut self, dst: Reg, src: Operand) {
        self.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src }]);
    }

    /// A few turns with an exit in between; r5 counts.
    fn counted_loop(&mut self) {
        self.loops = true;
        let turns = self.rng.below(6) as i32 + 1;
        self.put([mov(Reg(5), 0)]);
        let start = self.here();
        for _ in 0..self.rng.below(5) + 1 {
            self.step();
        }
        if self.rng.below(2) == 0 {
            self.bound();
            let (index, into) = (self.number(), self.number());
            self.put([copy(Reg(1), VALUE)]);
            let index = if self.rng.below(2) == 0 { Reg(5) } else { index };
            self.add(Reg(1), Operand::Reg(index));
            self.put([load(Size::B1, into, Reg(1), 0)]);
        }
        self.add(Reg(5), Operand::Imm(1));
        let (width, cond) = (self.width(), self.rng.pick(&[Cond::Lt, Cond::Ne, Cond::Slt]));
        self.put([Insn::JumpIf { width, cond, dst: Reg(5), src: Operand::Imm(turns), target: start }]);
    }

    /// Numbers in the registers that a call took, and in r0.
    fn refill(&mut self) {
        for reg in [0, 2, 3, 4].map(Reg) {
            let size = self.size();
            let off = self.rng.below(56) as i16;
            self.put([load(size, reg, PACKET, off)]);
        }
    }

    /// A lookup with a known or unknown key; its result is spilled, one copy is compared, another one used.
    fn lookup(&mut self) {
        let (key, table) = (self.rng.below(3) as i32, self.rng.below(2) as u16);
        let reg = self.number();
        match self.rng.below(3) {
            0 => self.put([store(Size::B4, FRAME, -68, reg)]),
            1 => self.put([Insn::Store { size: Size::B4, base: FRAME, off: -68, src: Operand::Imm(key) }]),
            _ => self.put([Insn::Store { size: Size::B4, base: FRAME, off: -72, src: Operand::Imm(key) }]),
        }
        let off = self.rng.pick(&[-68, -72]);
        self.put([copy(Reg(2), FRAME)]);
        self.add(Reg(2), Operand::Imm(off));
        self.put(map(Reg(1), table));
        self.put([Insn::CallHelper { id: 1 }, store(Size::B8, FRAME, POINTER_SPILL, Reg(0)), copy(Reg(5), Reg(0))]);
        let checked = self.rng.pick(&[Reg(0), Reg(5)]);
        let at = self.insns.len();
        let (cond, width) = (self.rng.pick(&[Cond::Eq, Cond::Ne]), Width::W64);
        if self.rng.below(8) > 0 {
            self.put([Insn::JumpIf { width, cond, dst: checked, src: Operand::Imm(0), target: InsnIdx(0) }]);
        }
        if self.rng.below(2) == 0 {
            self.put([load(Size::B8, Reg(1), FRAME, POINTER_SPILL)]);
        } else {
            let from = self.rng.pick(&[Reg(0), Reg(5)]);
            self.put([copy(Reg(1), from)]);
        }
        let off = self.rng.below(66) as i16;
        if self.rng.below(4) > 0 {
            self.put([load(Size::B1, Reg(2), Reg(1), off)]);
        } else {
            self.put([copy(VALUE, Reg(1))]);
        }
        let end = self.here();
        if let Some(Insn::JumpIf { target, .. }) = self.insns.get_mut(at) {
            *target = end;
        }
        self.refill();
    }

    fn adjust_head(&mut self) {
        self.put([copy(Reg(1), CTX), mov(Reg(2), 4), Insn::CallHelper { id: 44 }]);
        if self.rng.below(4) > 0 {
            self.put([load(Size::B4, PACKET, CTX, 0), load(Size::B4, Reg(3), CTX, 4), copy(Reg(2), PACKET)]);
            self.add(Reg(2), Operand::Imm(64));
            self.leave_if(Width::W64, Cond::Gt, Reg(2), Operand::Reg(Reg(3)));
        }
        self.refill();
    }

    /// Calls the local function with a number and a pointer to a map value or to the stack.
    fn call(&mut self) {
        let number = self.number();
        self.put([copy(Reg(1), number)]);
        if self.rng.below(2) == 0 {
            self.put([copy(Reg(2), VALUE)]);
        } else {
            self.put([copy(Reg(2), FRAME)]);
            self.add(Reg(2), Operand::Imm(SPILLS.0.into()));
        }
        self.calls.push(self.insns.len());
        self.put([Insn::CallLocal { target: InsnIdx(0) }]);
        if self.rng.below(2) == 0 {
            self.refill();
        } else {
            for reg in [2, 3, 4].map(Reg) {
                self.put([copy(reg, Reg(0))]);
            }
        }
    }

    /// The local function: r1 is a number, r2 a pointer to 32 bytes.
    fn function(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let entry = self.here();
        for &at in &self.calls {
            self.insns[at] = Insn::CallLocal { target: entry };
        }
        let mask = self.rng.pick(&[7, 15, 31, 33]);
        self.put([copy(Reg(0), Reg(1)), copy(Reg(3), Reg(1))]);
        match self.rng.below(3) {
            0 => self.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(3), src: Operand::Imm(mask) }]),
            1 => {
                let target = InsnIdx(self.here().0 + 2);
                self.put([Insn::JumpIf {
                    width: Width::W64,
                    cond: Cond::Le,
                    dst: Reg(3),
                    src: Operand::Imm(mask),
                    target,
                }]);
                self.put([Insn::Exit]);
            }
            _ => self.put([mov(Reg(3), mask)]),
        }
        self.add(Reg(2), Operand::Reg(Reg(3)));
        let insn = match self.rng.below(4) {
            0 => load(Size::B1, Reg(0), Reg(2), 0),
            1 => store(Size::B1, Reg(2), 0, Reg(0)),
            2 => store(Size::B8, FRAME, -8, Reg(0)),
            _ => Insn::Store { size: Size::B1, base: Reg(2), off: 0, src: Operand::Imm(0) },
        };
        self.put([insn, Insn::Exit]);
    }

    fn put(&mut self, insns: impl IntoIterator<Item = Insn>) {
        self.insns.extend(insns);
    }

    /// A jump to the end of the program if the condition holds.
    fn leave_if(&mut self, width: Width, cond: Cond, dst: Reg, src: Operand) {
        self.exits.push(self.insns.len());
        self.put([Insn::JumpIf { width, cond, dst, src, target: InsnIdx(0) }]);
    }

    fn number(&mut self) -> Reg {
        self.rng.pick(&NUMBERS)
    }

    fn width(&mut self) -> Width {
        self.rng.pick(&[Width::W32, Width::W64])
    }

    fn size(&mut self) -> Size {
        self.rng.pick(&[Size::B1, Size::B2, Size::B4, Size::B8])
    }

    fn cond(&mut self) -> Cond {
        use Cond::{Eq, Ge, Gt, Le, Lt, Ne, Set, Sge, Sgt, Sle, Slt};
        self.rng.pick(&[Eq, Ne, Gt, Ge, Lt, Le, Set, Sgt, Sge, Slt, Sle])
    }

    fn imm(&mut self) -> i32 {
        match self.rng.below(4) {
            0 => self.rng.pick(&[0, 1, -1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256]),
            1 => self.rng.pick(&[i32::MIN, i32::MAX, -2, -8, -16, -64, 0xffff, 0x1_0000, -0x8000]),
            2 => self.rng.below(128) as i32 - 64,
            _ => self.rng.next() as i32,
        }
    }

    fn prologue(&mut self) {
        self.put([
            copy(CTX, Reg(1)),
            load(Size::B4, PACKET, CTX, 0),
            load(Size::B4, Reg(3), CTX, 4),
            copy(Reg(2), PACKET),
        ]);
        self.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(2), src: Operand::Imm(64) }, mov(Reg(0), 1)]);
        self.leave_if(Width::W64, Cond::Gt, Reg(2), Operand::Reg(Reg(3)));
        if self.rng.below(2) == 0 {
            self.put([
                Insn::Store { size: Size::B4, base: FRAME, off: -68, src: Operand::Imm(1) },
                copy(Reg(2), FRAME),
            ]);
            self.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(2), src: Operand::Imm(-68) }]);
            self.put(map(Reg(1), 0));
            self.put([Insn::CallHelper { id: 1 }]);
            self.leave_if(Width::W64, Cond::Eq, Reg(0), Operand::Imm(0));
            self.put([copy(VALUE, Reg(0))]);
        } else {
            self.put(map_value(VALUE, 1, 0));
        }
        for (index, reg) in NUMBERS.into_iter().enumerate() {
            let size = self.size();
            self.put([load(size, reg, PACKET, (index * 8) as i16)]);
        }
        for slot in 0..SPILLS.1 {
            let reg = self.number();
            self.put([store(Size::B8, FRAME, SPILLS.0 + slot as i16 * 8, reg)]);
        }
    }

    /// An instruction on numbers, or a short jump over some.
    fn step(&mut self) {
        use AluOp::{Add, And, Arsh, Div, Lsh, Mod, Mov, Mul, Or, Rsh, Sub, Xor};
        let (dst, other, width) = (self.number(), self.number(), self.width());
        match self.rng.below(16) {
            0..=4 => {
                let op = self.rng.pick(&[Add, Sub, Mul, Or, And, Xor, Lsh, Rsh, Arsh, Mod, Div, Add, And, Rsh]);
                let src = match op {
                    Lsh | Rsh | Arsh if self.rng.below(8) > 0 => {
                        let bits = if width == Width::W64 { 64 } else { 32 };
                        let by = if self.rng.below(2) == 0 { self.rng.below(bits) } else { self.rng.below(6) };
                        Operand::Imm(by as i32)
                    }
                    Mod | Div => Operand::Imm(self.imm().max(1)),
                    _ if self.rng.below(3) == 0 => Operand::Reg(other),
                    Lsh | Rsh | Arsh => Operand::Reg(other),
                    _ => Operand::Imm(self.imm()),
                };
                self.put([Insn::Alu { width, op, dst, src }]);
            }
            5 | 6 => self.put([Insn::Alu { width, op: Mov, dst, src: Operand::Reg(other) }]),
            7 => {
                let imm = self.imm();
                self.put([Insn::Alu { width, op: Mov, dst, src: Operand::Imm(imm) }]);
            }
            8 => {
                let bits = if width == Width::W64 { self.rng.pick(&[8, 16, 32]) } else { self.rng.pick(&[8, 16]) };
                self.put([Insn::MovSx { width, bits, dst, src: other }]);
            }
            9 => {
                let bits = self.rng.pick(&[16, 32, 64]);
                let insn = self.rng.pick(&[
                    Insn::Neg { width, dst },
                    Insn::Endian { bits, to_be: true, dst },
                    Insn::Endian { bits, to_be: false, dst },
                    Insn::Bswap { bits, dst },
                ]);
                self.put([insn]);
            }
            10 | 11 => {
                // The sign, the range and the other side of a comparison.
                let (cond, skip) = (self.cond(), self.rng.below(4) + 1);
                let src = if self.rng.below(2) == 0 { Operand::Reg(other) } else { Operand::Imm(self.imm()) };
                let at = self.insns.len();
                self.put([Insn::JumpIf { width, cond, dst, src, target: InsnIdx(0) }]);
                for _ in 0..skip {
                    self.step();
                }
                let end = self.here();
                if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                    *target = end;
                }
            }
            12 | 13 => {
                let size = self.size();
                let off = SPILLS.0 + (self.rng.below(SPILLS.1 * 8) as i16 & !(size.bytes() as i16 - 1));
                if self.rng.below(2) == 0 {
                    self.put([store(size, FRAME, off, dst)]);
                } else {
                    let signed = size != Size::B8 && self.rng.below(4) == 0;
                    self.put([Insn::Load { size, signed, dst, base: FRAME, off }]);
                }
            }
            14 => {
                let (size, off) = (self.size(), self.rng.below(56) as i16);
                let signed = size != Size::B8 && self.rng.below(3) == 0;
                self.put([Insn::Load { size, signed, dst, base: PACKET, off }]);
            }
            _ => {
                let (size, op) = (
                    self.rng.pick(&[Size::B4, Size::B8]),
                    self.rng.pick(&[AtomicOp::Add, AtomicOp::Xchg, AtomicOp::Or]),
                );
                let off = self.rng.below(7) as i16 * 8;
                self.put([Insn::Atomic { size, op, fetch: true, base: VALUE, off, src: dst }]);
            }
        }
    }

    /// Something that bounds a number.
    fn bound(&mut self) {
        let (reg, width) = (self.number(), self.width());
        let limit = self.rng.below(VALUE_SIZE as usize + 2) as i32;
        match self.rng.below(8) {
            0 => {
                let mask = self.rng.pick(&[1, 3, 7, 15, 31, 60, 63]);
                self.put([Insn::Alu { width, op: AluOp::And, dst: reg, src: Operand::Imm(mask) }]);
            }
            1 => self.leave_if(width, Cond::Gt, reg, Operand::Imm(limit)),
            2 => self.leave_if(width, Cond::Ge, reg, Operand::Imm(limit)),
            3 => {
                self.leave_if(width, Cond::Sgt, reg, Operand::Imm(limit));
                let least = self.rng.below(20) as i32 - 16;
                self.leave_if(width, Cond::Slt, reg, Operand::Imm(least));
            }
            4 => {
                let other = self.number();
                self.leave_if(width, Cond::Gt, other, Operand::Imm(limit));
                self.leave_if(width, Cond::Gt, reg, Operand::Reg(other));
            }
            5 => {
                let by = if width == Width::W64 { 58 } else { 26 };
                self.put([Insn::Alu { width, op: AluOp::Rsh, dst: reg, src: Operand::Imm(by) }]);
            }
            6 => {
                let bits = !63i32 & if self.rng.below(4) == 0 { 0x7fff_ffff } else { -1 };
                self.leave_if(width, Cond::Set, reg, Operand::Imm(bits));
            }
            _ => {
                let size = if self.rng.below(2) == 0 { Size::B1 } else { Size::B2 };
                let off = self.rng.below(40) as i16;
                self.put([Insn::Load { size, signed: false, dst: reg, base: PACKET, off }]);
                self.leave_if(width, Cond::Gt, reg, Operand::Imm(limit));
            }
        }
    }

    /// An access at an index.
    fn probe(&mut self) {
        let index = self.number();
        let add = |src| Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(1), src };
        let off = self.rng.below(8) as i32 - if self.rng.below(3) == 0 { 4 } else { 0 };
        match self.rng.below(8) {
            0 => {
                self.put([copy(Reg(1), FRAME), add(Operand::Imm(-64)), add(Operand::Reg(index))]);
                let size = if self.rng.below(4) == 0 { Size::B4 } else { Size::B1 };
                let into = self.number();
                let insn =
                    if self.rng.below(2) == 0 { store(size, Reg(1), 0, into) } else { load(size, into, Reg(1), 0) };
                self.put([insn]);
            }
            1 => {
                self.put([copy(Reg(1), PACKET), add(Operand::Reg(index))]);
                self.put([load(Size::B4, Reg(5), CTX, 4), copy(Reg(0), Reg(1))]);
                self.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(0), src: Operand::Imm(4) }]);
                let swapped = self.rng.below(2) == 0;
                let at = self.insns.len();
                let (a, b, cond) = if swapped { (Reg(5), Reg(0), Cond::Lt) } else { (Reg(0), Reg(5), Cond::Gt) };
                self.put([Insn::JumpIf { width: Width::W64, cond, dst: a, src: Operand::Reg(b), target: InsnIdx(0) }]);
                self.put([load(Size::B1, Reg(0), Reg(1), off as i16)]);
                let end = self.here();
                if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                    *target = end;
                }
                // r0 may hold a pointer on the other side.
                self.put([mov(Reg(0), 0)]);
            }
            2 if self.rng.below(2) == 0 => {
                // The pointer is spilled, a copy of it compared, and the spilled one used.
                self.put([
                    copy(Reg(1), PACKET),
                    add(Operand::Reg(index)),
                    store(Size::B8, FRAME, POINTER_SPILL, Reg(1)),
                ]);
                self.put([load(Size::B4, Reg(5), CTX, 4)]);
                let ahead = self.rng.below(5) as i32;
                self.put([add(Operand::Imm(ahead))]);
                let at = self.insns.len();
                let cond = self.rng.pick(&[Cond::Gt, Cond::Ge]);
                self.put([Insn::JumpIf {
                    width: Width::W64,
                    cond,
                    dst: Reg(1),
                    src: Operand::Reg(Reg(5)),
                    target: InsnIdx(0),
                }]);
                let off = self.rng.below(5) as i16;
                let into = self.number();
                self.put([load(Size::B8, Reg(1), FRAME, POINTER_SPILL), load(Size::B1, into, Reg(1), off)]);
                let end = self.here();
                if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                    *target = end;
                }
            }
            2 => {
                // Backwards.
                self.put([copy(Reg(1), VALUE), add(Operand::Imm(63))]);
                self.put([Insn::Alu { width: Width::W64, op: AluOp::Sub, dst: Reg(1), src: Operand::Reg(index) }]);
                let into = self.number();
                self.put([load(Size::B1, into, Reg(1), 0)]);
            }
            _ => {
                self.put([copy(Reg(1), VALUE), add(Operand::Reg(index))]);
                let (size, into) = (self.size(), self.number());
                let load = Insn::Load { size, signed: false, dst: into, base: Reg(1), off: off as i16 };
                self.put([load]);
            }
        }
    }

    /// A length in 32 bits, by the low halves of two packet pointers, which are copied, moved, spilled and rarely abused before.
    fn length(&mut self) {
        let (low, high, by) = (Reg(1), Reg(5), self.number());
        let alu = |width, op, dst, src| Insn::Alu { width, op, dst, src };
        let from = self.rng.pick(&[0, 4, 8]);
        self.put([copy(low, PACKET), load(Size::B4, high, CTX, from)]);
        for reg in [low, high] {
            if self.rng.below(4) == 0 {
                continue;
            }
            self.put([alu(Width::W32, AluOp::Mov, reg, Operand::Reg(reg))]);
            for _ in 0..self.rng.below(3) {
                let op = self.rng.pick(&[AluOp::Add, AluOp::Sub]);
                let src = if self.rng.below(2) == 0 { Operand::Imm(self.imm()) } else { Operand::Reg(by) };
                self.put([alu(Width::W32, op, reg, src)]);
            }
            match self.rng.below(24) {
                0..=5 => {
                    let size = self.rng.pick(&[Size::B4, Size::B8]);
                    self.put([store(size, FRAME, POINTER_SPILL, reg)]);
                    if size == Size::B4 && self.rng.below(2) == 0 {
                        self.put([store(size, FRAME, POINTER_SPILL + 4, by), load(size, by, FRAME, POINTER_SPILL + 4)]);
                    }
                    self.put([load(size, reg, FRAME, POINTER_SPILL)]);
                }
                6..=9 => {
                    let cond = self.rng.pick(&[Cond::Eq, Cond::Ne]);
                    self.leave_if(Width::W32, cond, low, Operand::Reg(high));
                }
                10 => self.put([alu(Width::W64, AluOp::Add, reg, Operand::Imm(1))]),
                11 => self.put([alu(Width::W32, AluOp::And, reg, Operand::Imm(7))]),
                12 => self.leave_if(Width::W32, Cond::Gt, low, Operand::Reg(high)),
                13 => self.put([store(Size::B8, PACKET, 0, reg)]),
                _ => {}
            }
        }
        if self.rng.below(2) == 0 {
            // `if (!ctx->data)`
            let cond = self.rng.pick(&[Cond::Eq, Cond::Ne]);
            self.leave_if(Width::W32, cond, PACKET, Operand::Imm(0));
        }
        let (into, width) = (self.number(), self.width());
        let (a, b) = if self.rng.below(2) == 0 { (low, high) } else { (high, low) };
        self.put([alu(Width::W32, AluOp::Sub, a, Operand::Reg(b)), alu(width, AluOp::Mov, into, Operand::Reg(a))]);
    }

    /// A jump over what `body` makes.
    fn skip(&mut self, jump: Insn, body: impl FnOnce(&mut Self)) {
        let at = self.insns.len();
        self.put([jump]);
        body(self);
        let end = self.here();
        if let Some(Insn::JumpIf { target, .. } | Insn::Jump { target }) = self.insns.get_mut(at) {
            *target = end;
        }
    }

    fn jump_imm(cond: Cond, dst: Reg, imm: i32) -> Insn {
        Insn::JumpIf { width: Width::W64, cond, dst, src: Operand::Imm(imm), target: InsnIdx(0) }
    }

    /// Two or three ways to the same place, which differ in one or two respects, and then something that depends on one.
    fn diamond(&mut self) {
        // r9 and the pointer slot hold the same pointer, to begin with.
        self.family = self.rng.pick(&[Family::Packet, Family::Value, Family::Lookup]);
        let first = if self.family == Family::Packet { PACKET } else { VALUE };
        self.put([copy(Reg(9), first), store(Size::B8, FRAME, POINTER_SPILL, first)]);
        self.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(2), src: Operand::Imm(31) }]);
        self.put([copy(Reg(3), Reg(2)), store(Size::B8, FRAME, -64, Reg(2)), mov(Reg(4), 3)]);
        for _ in 0..self.rng.below(3) {
            self.definition();
        }
        for way in 0..self.rng.below(2) + 1 {
            self.skip(Self::jump_imm(Cond::Ne, Reg(0), way as i32 + 7), |programs| {
                for _ in 0..programs.rng.below(3) + 1 {
                    programs.definition();
                }
            });
        }
        for _ in 0..self.rng.below(3) {
            // Nothing happens but that there is a jump.
            let imm = self.imm();
            self.skip(Self::jump_imm(Cond::Eq, Reg(0), imm), |_| {});
        }
        for _ in 0..self.rng.below(2) + 1 {
            self.usage();
        }
    }

    /// Gives one of the places of a diamond a value. r0 is a number that nobody changes.
    fn definition(&mut self) {
        let (a, b) = (self.rng.pick(&[Reg(2), Reg(3), Reg(4)]), self.rng.pick(&[Reg(2), Reg(3), Reg(4)]));
        let limit = self.rng.pick(&[7, 31, 63, 127]);
        let width = self.width();
        match self.rng.below(14) {
            0 => self.put([mov(a, limit)]),
            1 => {
                let off = self.rng.below(50) as i16;
                self.put([load(Size::B1, a, PACKET, off)]);
                self.put([Insn::Alu { width, op: AluOp::And, dst: a, src: Operand::Imm(limit) }]);
            }
            2 => self.put([copy(a, b)]),
            3 => {
                let by = self.rng.pick(&[1, -1, 4, 40]);
                self.put([copy(a, b), Insn::Alu { width, op: AluOp::Add, dst: a, src: Operand::Imm(by) }]);
            }
            4 => {
                self.put([copy(a, b), Insn::Alu { width, op: AluOp::Add, dst: a, src: Operand::Reg(Reg(4)) }]);
            }
            5 => {
                let (size, off) = (self.rng.pick(&[Size::B4, Size::B8]), self.rng.pick(&[-64, -56, -48]));
                self.put([store(size, FRAME, off, a)]);
            }
            6 => {
                let (size, off) = (self.size(), self.rng.pick(&[-64, -60, -56, -48]));
                let off = off & !(size.bytes() as i16 - 1);
                let imm = self.rng.pick(&[0, 0, 1]);
                self.put([Insn::Store { size, base: FRAME, off, src: Operand::Imm(imm) }]);
            }
            7..=9 if self.family == Family::Packet => {
                // A packet pointer, with or without a check.
                self.put([copy(Reg(9), PACKET)]);
                if self.rng.below(3) > 0 {
                    self.add(Reg(9), Operand::Reg(a));
                }
                if self.rng.below(3) > 0 {
                    self.put([store(Size::B8, FRAME, POINTER_SPILL, Reg(9))]);
                }
                if self.rng.below(3) > 0 {
                    self.check_packet();
                }
            }
            10 if self.family == Family::Packet => self.check_packet(),
            7..=9 if self.family == Family::Value => {
                self.put([copy(Reg(9), VALUE)]);
                let by = self.rng.pick(&[0, 1, 40, 60]);
                self.add(Reg(9), Operand::Imm(by));
                if self.rng.below(2) == 0 {
                    self.put([store(Size::B8, FRAME, POINTER_SPILL, Reg(9))]);
                }
            }
            10 if self.family == Family::Value => {
                self.put([copy(Reg(9), VALUE)]);
                self.add(Reg(9), Operand::Reg(a));
            }
            7..=10 => {
                // A lookup that may fail; r0 and the numbers come back from the stack.
                for (reg, off) in [(0, -104), (2, -112), (3, -120), (4, -128)] {
                    self.put([store(Size::B8, FRAME, off, Reg(reg))]);
                }
                self.put([
                    Insn::Store { size: Size::B4, base: FRAME, off: -68, src: Operand::Imm(1) },
                    copy(Reg(2), FRAME),
                ]);
                self.add(Reg(2), Operand::Imm(-68));
                self.put(map(Reg(1), 0));
                self.put([Insn::CallHelper { id: 1 }]);
                let (copies, spills) = (self.rng.below(4) > 0, self.rng.below(4) > 0);
                if copies {
                    self.put([copy(Reg(9), Reg(0))]);
                }
                if spills {
                    self.put([store(Size::B8, FRAME, POINTER_SPILL, Reg(0))]);
                }
                for (reg, off) in [(0, -104), (2, -112), (3, -120), (4, -128)] {
                    self.put([load(Size::B8, Reg(reg), FRAME, off)]);
                }
            }
            11 | 12 => {
                let first = if self.family == Family::Packet { PACKET } else { VALUE };
                let spilled = self.rng.pick(&[Reg(9), Reg(9), first, Reg(2)]);
                let off = self.rng.pick(&[POINTER_SPILL, POINTER_SPILL, -56, -64]);
                self.put([store(Size::B8, FRAME, off, spilled)]);
            }
            _ => {
                let imm = self.rng.pick(&[0, 5, 31]);
                let cond = self.cond();
                self.leave_if(width, cond, a, Operand::Imm(imm));
            }
        }
    }

    /// Compares r9 with the packet's end, if it is a packet pointer at all.
    fn check_packet(&mut self) {
        let ahead = self.rng.pick(&[1, 4, 8]);
        self.put([load(Size::B4, Reg(5), CTX, 4), copy(Reg(1), Reg(9))]);
        self.add(Reg(1), Operand::Imm(ahead));
        self.leave_if(Width::W64, Cond::Gt, Reg(1), Operand::Reg(Reg(5)));
    }

    /// Something whose safety depends on the places of a diamond.
    fn usage(&mut self) {
        let (a, b) = (self.rng.pick(&[Reg(2), Reg(3), Reg(4)]), self.rng.pick(&[Reg(2), Reg(3), Reg(4)]));
        let off = self.rng.pick(&[0, 0, 3, 24, 33]);
        let limit = self.rng.pick(&[3, 7, 31, 45]);
        match self.rng.below(13) {
            0 => {
                // Compare one, use the other.
                let cond = self.rng.pick(&[Cond::Gt, Cond::Ge, Cond::Sgt, Cond::Ne]);
                let width = self.width();
                self.leave_if(width, cond, a, Operand::Imm(limit));
                self.index_with(b, off);
            }
            1 => self.index_with(a, off),
            2 => {
                // Only one outcome is dangerous.
                let cond = self.cond();
                let width = self.width();
                let jump = Insn::JumpIf { width, cond, dst: a, src: Operand::Imm(limit), target: InsnIdx(0) };
                self.skip(jump, |programs| programs.put([load(Size::B1, Reg(5), VALUE, 64)]));
            }
            3 => {
                let jump = Insn::JumpIf {
                    width: Width::W64,
                    cond: Cond::Gt,
                    dst: a,
                    src: Operand::Reg(b),
                    target: InsnIdx(0),
                };
                self.exits.push(self.insns.len());
                self.put([jump]);
                self.index_with(a, off);
            }
            4 | 5 => {
                let (size, from) =
                    (self.rng.pick(&[Size::B1, Size::B2, Size::B4, Size::B8]), self.rng.pick(&[-64, -56, -48]));
                self.put([load(size, a, FRAME, from)]);
                if self.rng.below(3) == 0 {
                    self.leave_if(Width::W64, Cond::Gt, a, Operand::Imm(limit));
                }
                self.index_with(b, off);
            }
            7 => self.put([load(Size::B8, Reg(1), FRAME, POINTER_SPILL), load(Size::B1, Reg(5), Reg(1), off)]),
            8 if self.family == Family::Lookup => {
                // One of two names is compared with null, the other one used.
                self.put([load(Size::B8, Reg(1), FRAME, POINTER_SPILL)]);
                let (checked, used) = if self.rng.below(2) == 0 { (Reg(1), Reg(9)) } else { (Reg(9), Reg(1)) };
                self.leave_if(Width::W64, Cond::Eq, checked, Operand::Imm(0));
                self.put([load(Size::B1, Reg(5), used, off)]);
            }
            6 | 8 => self.put([load(Size::B1, Reg(5), Reg(9), off)]),
            9 if self.family == Family::Packet => {
                self.put([
                    load(Size::B4, Reg(5), CTX, 4),
                    load(Size::B8, Reg(1), FRAME, POINTER_SPILL),
                    copy(Reg(4), Reg(1)),
                ]);
                self.add(Reg(4), Operand::Imm(off.into()));
                self.leave_if(Width::W64, Cond::Ge, Reg(4), Operand::Reg(Reg(5)));
                let used = self.rng.pick(&[Reg(1), Reg(9)]);
                self.put([load(Size::B1, Reg(5), used, off), mov(Reg(4), 1)]);
            }
            9 | 10 => {
                // A lookup with what the slot holds, without a check of the result.
                let from = self.rng.pick(&[-64, -60, -56, -48]);
                self.put([copy(Reg(2), FRAME)]);
                self.add(Reg(2), Operand::Imm(from));
                self.put(map(Reg(1), 1));
                self.put([Insn::CallHelper { id: 1 }, load(Size::B1, Reg(1), Reg(0), 0)]);
                self.refill();
            }
            11 => {
                self.put([store(Size::B8, VALUE, 8, a), load(Size::B8, a, FRAME, -56), store(Size::B8, VALUE, 16, a)]);
            }
            _ => self.call(),
        }
    }

    fn index_with(&mut self, index: Reg, off: i16) {
        self.put([copy(Reg(1), VALUE)]);
        self.add(Reg(1), Operand::Reg(index));
        self.put([load(Size::B1, Reg(5), Reg(1), off)]);
    }
}
