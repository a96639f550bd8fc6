//! Random small programs for the verifier: numbers from the packet, bounded by comparisons, masks and arithmetic, copied and
//! spilled, that then index a map value, the packet or the stack.

use crate::common::{Rng, copy, load, map, map_value, mov, store};
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, InsnIdx, Operand, Reg, Size, Width};

/// Sizes of the value of map 0 (hash) and map 1 (one element, addressed directly).
pub const VALUE_SIZE: u32 = 64;

const PACKET: Reg = Reg(6);
const VALUE: Reg = Reg(7);
const CTX: Reg = Reg(8);
const FRAME: Reg = Reg(10);
/// Registers that hold numbers between the steps; r1 is for addresses.
const NUMBERS: [Reg; 5] = [Reg(0), Reg(2), Reg(3), Reg(4), Reg(9)];
/// First byte of the spill area, and its slots.
const SPILLS: (i16, usize) = (-64, 4);

/// A program and where its parts jump to when a bound does not hold.
pub struct Programs {
    pub rng: Rng,
    insns: Vec<Insn>,
    /// Jumps to the end.
    exits: Vec<usize>,
}

impl Programs {
    pub fn new(seed: u64) -> Self {
        Programs { rng: Rng(seed), insns: Vec::new(), exits: Vec::new() }
    }

    /// One more program.
    pub fn next(&mut self) -> Vec<Insn> {
        self.insns.clear();
        self.exits.clear();
        self.prologue();
        for _ in 0..self.rng.below(4) + 1 {
            for _ in 0..self.rng.below(10) {
                self.step();
            }
            self.bound();
            for _ in 0..self.rng.below(4) {
                self.step();
            }
            self.probe();
        }
        let end = InsnIdx(u32::try_from(self.insns.len()).expect("small"));
        self.insns.extend([mov(Reg(0), 2), Insn::Exit]);
        for &at in &self.exits {
            if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                *target = end;
            }
        }
        self.insns.clone()
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
        self.put([copy(CTX, Reg(1)), load(Size::B4, PACKET, CTX, 0), load(Size::B4, Reg(3), CTX, 4), copy(Reg(2), PACKET)]);
        self.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(2), src: Operand::Imm(64) }, mov(Reg(0), 1)]);
        self.leave_if(Width::W64, Cond::Gt, Reg(2), Operand::Reg(Reg(3)));
        if self.rng.below(2) == 0 {
            self.put([Insn::Store { size: Size::B4, base: FRAME, off: -68, src: Operand::Imm(1) }, copy(Reg(2), FRAME)]);
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
                let end = InsnIdx(u32::try_from(self.insns.len()).expect("small"));
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
                let (size, op) = (self.rng.pick(&[Size::B4, Size::B8]), self.rng.pick(&[AtomicOp::Add, AtomicOp::Xchg, AtomicOp::Or]));
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
                let insn = if self.rng.below(2) == 0 { store(size, Reg(1), 0, into) } else { load(size, into, Reg(1), 0) };
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
                let end = InsnIdx(u32::try_from(self.insns.len()).expect("small"));
                if let Insn::JumpIf { target, .. } = &mut self.insns[at] {
                    *target = end;
                }
                // r0 may hold a pointer on the other side.
                self.put([mov(Reg(0), 0)]);
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
}
