//! Calls of helpers in random programs: memory with sizes, records of a ring buffer, maps in maps, metadata, locks, loops.

use super::{CTX, FRAME, PACKET, Programs, VALUE};
use crate::common::{copy, load, map, mov, store};
use offload_compiler::ebpf::{AluOp, Cond, Imm64, Insn, InsnIdx, Operand, Reg, Size, Width};

/// Numbers of the maps: an array of hash maps with 16-byte values, a ring buffer, a program array, an array of values with a
/// lock in bytes 4 to 7 of 16.
pub(crate) const RINGS: u16 = 2;
pub(crate) const EVENTS: u16 = 3;
pub(crate) const PROGRAMS: u16 = 4;
pub(crate) const LOCKED: u16 = 6;

const LOOKUP: u32 = 1;
const TAIL_CALL: u32 = 12;
const LOCK: u32 = 93;
const UNLOCK: u32 = 94;
const RESERVE: u32 = 131;
const LOOP: u32 = 181;

impl Programs {
    /// Some call, mostly by the rules.
    pub(super) fn helper(&mut self) {
        match self.rng.below(9) {
            0 => self.memory(),
            1 | 2 => self.record(),
            3 => self.inner_map(),
            4 => self.metadata(),
            5 => self.adjust(),
            6 => self.lock(),
            7 => self.number_call(),
            _ => self.callback_loop(),
        }
        self.refill();
    }

    fn rarely(&mut self) -> bool {
        self.rng.below(10) == 0
    }

    /// A key on the stack, its address in r2.
    fn key(&mut self) {
        let key = self.rng.below(4) as i32;
        self.put([Insn::Store { size: Size::B4, base: FRAME, off: -72, src: Operand::Imm(key) }, copy(Reg(2), FRAME)]);
        self.add(Reg(2), Operand::Imm(-72));
    }

    /// A buffer in r3 and its size in r4, then a helper that reads or fills it.
    fn memory(&mut self) {
        let size = self.number();
        self.put([copy(Reg(4), size)]);
        match self.rng.below(4) {
            0 => {
                let bytes = self.rng.below(34) as i32;
                self.put([mov(Reg(4), bytes)]);
            }
            1 => {
                let mask = self.rng.pick(&[7, 15, 31, 63]);
                self.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(4), src: Operand::Imm(mask) }]);
                let least = self.rng.below(3) as i32;
                self.add(Reg(4), Operand::Imm(least));
            }
            2 => {
                let (most, least) = (self.rng.below(36) as i32, self.rng.below(2) as i32);
                let cond = self.rng.pick(&[Cond::Gt, Cond::Sgt]);
                self.leave_if(Width::W64, cond, Reg(4), Operand::Imm(most));
                let cond = self.rng.pick(&[Cond::Lt, Cond::Slt]);
                self.leave_if(Width::W64, cond, Reg(4), Operand::Imm(least));
            }
            _ => {}
        }
        // r4 is a number that the buffer's address must not depend on.
        match self.rng.below(4) {
            0 => self.put([copy(Reg(3), VALUE)]),
            1 => self.put([copy(Reg(3), PACKET)]),
            2 => {
                self.put([copy(Reg(3), FRAME)]);
                self.add(Reg(3), Operand::Imm(-64));
            }
            _ => {
                let at = -64 + self.rng.below(32) as i32;
                self.put([copy(Reg(3), FRAME)]);
                self.add(Reg(3), Operand::Imm(at));
            }
        }
        match self.rng.below(4) {
            0 | 1 => {
                let id = self.rng.pick(&[189, 190]);
                self.put([copy(Reg(1), CTX), mov(Reg(2), 4), Insn::CallHelper { id }]);
            }
            2 => self.put([mov(Reg(1), 0), mov(Reg(2), 0), mov(Reg(5), 0), Insn::CallHelper { id: 28 }]),
            _ => {
                self.put([copy(Reg(2), Reg(3)), copy(Reg(3), Reg(4)), mov(Reg(4), 0)]);
                self.put(map(Reg(1), EVENTS));
                self.put([Insn::CallHelper { id: 130 }]);
            }
        }
        if self.rng.below(2) == 0 {
            // What was filled is used.
            let into = self.number();
            let off = -64 + self.rng.below(4) as i16 * 8;
            self.put([load(Size::B8, into, FRAME, off)]);
        }
    }

    /// Reserves a record, uses it, gives it back.
    fn record(&mut self) {
        self.put(map(Reg(1), EVENTS));
        self.put([mov(Reg(2), 16), mov(Reg(3), 0), Insn::CallHelper { id: RESERVE }]);
        self.put([store(Size::B8, FRAME, -80, Reg(0)), copy(Reg(9), Reg(0))]);
        let cond = if self.rarely() { Cond::Ne } else { Cond::Eq };
        let unchecked = self.rarely();
        let jump = Self::jump_imm(cond, Reg(9), 0);
        let body = |this: &mut Self| {
            for _ in 0..this.rng.below(3) {
                let (size, off) = (this.size(), this.rng.below(16) as i16);
                let from = this.rng.pick(&[Reg(0), Reg(9)]);
                if this.rng.below(2) == 0 {
                    this.put([Insn::Store { size, base: from, off, src: Operand::Imm(7) }]);
                } else {
                    this.put([load(size, Reg(2), from, off)]);
                }
            }
            if this.rng.below(4) == 0 {
                this.put([load(Size::B1, Reg(2), PACKET, 3)]);
                let mask = this.rng.pick(&[7, 15, 31]);
                this.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(2), src: Operand::Imm(mask) }]);
                this.put([copy(Reg(1), Reg(0))]);
                this.add(Reg(1), Operand::Reg(Reg(2)));
                this.put([load(Size::B1, Reg(3), Reg(1), 0)]);
            }
            if !this.rarely() {
                this.put([load(Size::B8, Reg(1), FRAME, -80), mov(Reg(2), 0)]);
                let id = this.rng.pick(&[132, 133]);
                this.put([Insn::CallHelper { id }]);
            }
            if this.rarely() {
                this.put([load(Size::B1, Reg(2), Reg(9), 0)]);
            }
        };
        if unchecked {
            body(self)
        } else {
            self.skip(jump, body)
        }
        self.put([mov(Reg(9), 0), Insn::Store { size: Size::B8, base: FRAME, off: -80, src: Operand::Imm(0) }]);
    }

    fn inner_map(&mut self) {
        self.key();
        self.put(map(Reg(1), RINGS));
        self.put([Insn::CallHelper { id: LOOKUP }]);
        let checked = !self.rarely();
        let inside = |this: &mut Self| {
            this.put([copy(Reg(9), Reg(0)), copy(Reg(1), Reg(0))]);
            this.key();
            let id = this.rng.pick(&[LOOKUP, LOOKUP, LOOKUP, 3]);
            this.put([Insn::CallHelper { id }]);
            let off = this.rng.below(17) as i16;
            let jump = Self::jump_imm(if this.rarely() { Cond::Ne } else { Cond::Eq }, Reg(0), 0);
            let value = |this: &mut Self| {
                this.put([load(Size::B1, Reg(2), Reg(0), off)]);
            };
            if this.rarely() { value(this) } else { this.skip(jump, value) }
        };
        if checked {
            self.skip(Self::jump_imm(Cond::Eq, Reg(0), 0), inside)
        } else {
            inside(self)
        }
        self.put([mov(Reg(9), 0)]);
    }

    /// Bytes of metadata behind a comparison with data.
    fn metadata(&mut self) {
        let ahead = self.rng.below(6) as i32;
        let end = if self.rarely() { 4 } else { 0 };
        self.put([load(Size::B4, Reg(2), CTX, 8), load(Size::B4, Reg(3), CTX, end)]);
        self.put([copy(Reg(1), Reg(2))]);
        if self.rng.below(3) == 0 {
            let index = self.number();
            self.put([load(Size::B1, index, PACKET, 1)]);
            self.put([
                load(Size::B4, Reg(2), CTX, 8),
                load(Size::B4, Reg(3), CTX, 0),
                load(Size::B1, Reg(4), PACKET, 2),
            ]);
            self.add(Reg(2), Operand::Reg(Reg(4)));
            self.put([copy(Reg(1), Reg(2))]);
        }
        self.add(Reg(1), Operand::Imm(ahead));
        let (a, b, cond) = match self.rng.below(4) {
            0 => (Reg(1), Reg(3), Cond::Gt),
            1 => (Reg(1), Reg(3), Cond::Ge),
            2 => (Reg(3), Reg(1), Cond::Lt),
            _ => (Reg(3), Reg(1), self.rng.pick(&[Cond::Le, Cond::Ge, Cond::Gt])),
        };
        let jump = Insn::JumpIf { width: Width::W64, cond, dst: a, src: Operand::Reg(b), target: InsnIdx(0) };
        let off = self.rng.below(6) as i16;
        self.skip(jump, |this| {
            this.put([load(Size::B1, Reg(4), Reg(2), off)]);
            if this.rng.below(2) == 0 {
                this.put([store(Size::B1, Reg(2), off, Reg(4))]);
            }
        });
    }

    /// Moves one of the packet's bounds; mostly loads the pointers again.
    fn adjust(&mut self) {
        let id = self.rng.pick(&[44, 54, 65]);
        self.put([copy(Reg(1), CTX), mov(Reg(2), 4), Insn::CallHelper { id }]);
        self.reload();
    }

    fn reload(&mut self) {
        if !self.rarely() {
            self.put([load(Size::B4, PACKET, CTX, 0), load(Size::B4, Reg(3), CTX, 4), copy(Reg(2), PACKET)]);
            self.add(Reg(2), Operand::Imm(64));
            self.leave_if(Width::W64, Cond::Gt, Reg(2), Operand::Reg(Reg(3)));
        }
    }

    fn lock(&mut self) {
        self.key();
        self.put(map(Reg(1), LOCKED));
        self.put([Insn::CallHelper { id: LOOKUP }]);
        self.skip(Self::jump_imm(Cond::Eq, Reg(0), 0), |this| {
            let at = if this.rarely() { 8 } else { 4 };
            this.put([copy(Reg(9), Reg(0)), copy(Reg(1), Reg(0))]);
            this.add(Reg(1), Operand::Imm(at));
            this.put([Insn::CallHelper { id: LOCK }]);
            let off = if this.rarely() { this.rng.below(16) as i16 } else { 8 };
            this.put([load(Size::B4, Reg(2), Reg(9), off)]);
            if this.rng.below(4) == 0 {
                let skipped = Self::jump_imm(Cond::Eq, Reg(2), 3);
                this.skip(skipped, |this| this.put([store(Size::B4, Reg(9), 12, Reg(2))]));
            }
            if this.rarely() {
                this.put([Insn::CallHelper { id: 7 }]);
            }
            if !this.rarely() {
                this.put([copy(Reg(1), Reg(9))]);
                this.add(Reg(1), Operand::Imm(4));
                this.put([Insn::CallHelper { id: UNLOCK }]);
            }
        });
        self.put([mov(Reg(9), 0)]);
    }

    /// A call that gives a number, or goes to another program.
    fn number_call(&mut self) {
        match self.rng.below(5) {
            0 => {
                let index = self.number();
                self.put([copy(Reg(3), index)]);
                self.put(map(Reg(2), PROGRAMS));
                self.put([copy(Reg(1), CTX), Insn::CallHelper { id: TAIL_CALL }]);
            }
            1 => self.put([copy(Reg(1), CTX), Insn::CallHelper { id: 188 }, store(Size::B8, FRAME, -64, Reg(0))]),
            2 => {
                self.put([mov(Reg(1), 1), mov(Reg(2), 0), Insn::CallHelper { id: 23 }]);
                self.put([store(Size::B8, FRAME, -56, Reg(0))]);
            }
            _ => {
                let id = self.rng.pick(&[5, 7, 8]);
                self.put([Insn::CallHelper { id }, store(Size::B8, FRAME, -48, Reg(0))]);
            }
        }
    }

    /// `bpf_loop` with a function that counts in the spill area, or indexes something with it.
    fn callback_loop(&mut self) {
        let count = self.rng.pick(&[0, 1, 2, 5, 9, 40]);
        self.put([mov(Reg(1), count)]);
        if self.rng.below(4) == 0 {
            self.put([load(Size::B1, Reg(1), PACKET, 5)]);
        }
        if self.rng.below(3) == 0 {
            self.put([Insn::Store { size: Size::B8, base: FRAME, off: -64, src: Operand::Imm(0) }]);
        }
        self.put([copy(Reg(3), FRAME)]);
        self.add(Reg(3), Operand::Imm(-64));
        self.callbacks.push(self.insns.len());
        self.put([Insn::LoadImm64 { dst: Reg(2), value: Imm64::Func(InsnIdx(0)) }, Insn::Wide]);
        self.put([mov(Reg(4), 0), Insn::CallHelper { id: LOOP }]);
        if self.rng.below(2) == 0 {
            // What the callback left is used as an index, checked or not.
            let off = -64 + self.rng.below(2) as i16 * 8;
            self.put([load(Size::B8, Reg(2), FRAME, off)]);
            if self.rng.below(3) > 0 {
                self.leave_if(Width::W64, Cond::Gt, Reg(2), Operand::Imm(63));
            }
            self.put([copy(Reg(1), VALUE)]);
            self.add(Reg(1), Operand::Reg(Reg(2)));
            self.put([load(Size::B1, Reg(3), Reg(1), 0)]);
        }
    }

    /// The function that is called back: r1 is the index, r2 32 bytes of the caller's stack.
    pub(super) fn callback(&mut self) {
        if self.callbacks.is_empty() {
            return;
        }
        let entry = self.here();
        for &at in &self.callbacks {
            self.insns[at] = Insn::LoadImm64 { dst: Reg(2), value: Imm64::Func(entry) };
        }
        self.put([copy(Reg(6), Reg(2)), copy(Reg(7), Reg(1))]);
        for _ in 0..self.rng.below(3) + 1 {
            let off = self.rng.below(4) as i16 * 8;
            match self.rng.below(6) {
                0 => {
                    self.put([load(Size::B8, Reg(3), Reg(6), off)]);
                    self.add(Reg(3), Operand::Imm(1));
                    self.put([store(Size::B8, Reg(6), off, Reg(3))]);
                }
                1 => self.put([store(Size::B8, Reg(6), off, Reg(7))]),
                2 => self.put([Insn::Store { size: Size::B8, base: Reg(6), off, src: Operand::Imm(3) }]),
                3 => {
                    // One turn decides what the next ones do.
                    self.put([load(Size::B8, Reg(3), Reg(6), off)]);
                    let jump = Self::jump_imm(self.rng.pick(&[Cond::Eq, Cond::Gt]), Reg(3), 2);
                    self.skip(jump, |this| this.put([store(Size::B8, Reg(6), 8, Reg(7))]));
                }
                4 => {
                    self.put([load(Size::B8, Reg(3), Reg(6), off), copy(Reg(4), FRAME)]);
                    let limit = self.rng.pick(&[7, 8, 15]);
                    let jump = Self::jump_imm(Cond::Gt, Reg(3), limit);
                    self.skip(jump, |this| {
                        this.add(Reg(4), Operand::Reg(Reg(3)));
                        this.put([Insn::Store { size: Size::B1, base: Reg(4), off: -16, src: Operand::Imm(1) }]);
                    });
                }
                _ => {
                    self.put([copy(Reg(3), Reg(6))]);
                    self.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg(7), src: Operand::Imm(31) }]);
                    self.add(Reg(3), Operand::Reg(Reg(7)));
                    self.put([Insn::Store { size: Size::B1, base: Reg(3), off: 0, src: Operand::Imm(9) }]);
                }
            }
        }
        match self.rng.below(8) {
            0 => self.put([copy(Reg(0), Reg(7))]),
            1 => self.put([mov(Reg(0), 1)]),
            2 => {
                self.put([mov(Reg(0), 0)]);
                self.skip(Self::jump_imm(Cond::Ne, Reg(7), 3), |this| this.put([mov(Reg(0), 1)]));
            }
            _ => self.put([mov(Reg(0), 0)]),
        }
        self.put([Insn::Exit]);
    }
}
