//! Steps with helpers that the device does as requests.

use super::{ARRAY, CTX, DATA, FP, HASH, Maker, add, copy, load, mov};
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};

pub(super) const DEV: u16 = 4;
pub(super) const RING: u16 = 5;
pub(super) const PERF: u16 = 6;
pub(super) const OUTER: u16 = 7;
pub(super) const INNER: u16 = 8;
pub(super) const LRU: u16 = 9;

impl Maker {
    fn call(&mut self, id: u32) {
        self.put(Insn::CallHelper { id });
    }

    fn map(&mut self, reg: Reg, map: u16) {
        self.put(Insn::LoadImm64 { dst: reg, value: Imm64::Map(MapIdx(map)) });
        self.put(Insn::Wide);
    }

    /// A jump that is taken if r0 is 0.
    fn unless_null(&mut self) -> usize {
        self.put(Insn::JumpIf {
            width: Width::W64,
            cond: Cond::Eq,
            dst: Reg(0),
            src: Operand::Imm(0),
            target: InsnIdx(0),
        })
    }

    /// `reg` = the address of 8 * `slots` bytes of numbers on the stack.
    fn numbers_at(&mut self, reg: Reg, slots: u64) {
        let first = self.rng.below(9 - slots) as i32;
        self.put(copy(reg, FP));
        self.put(add(reg, -64 + 8 * first));
    }

    /// A number below or at `most`, known or masked; `most` is a power of two less one.
    fn small(&mut self, reg: Reg, most: i32) {
        if self.rng.below(2) == 0 {
            let value = self.rng.below(u64::from(most.unsigned_abs()) + 1) as i32;
            self.put(mov(reg, value));
        } else {
            self.put(copy(reg, Reg(9)));
            self.put(Insn::Alu { width: Width::W64, op: AluOp::And, dst: reg, src: Operand::Imm(most) });
        }
    }

    pub(super) fn request(&mut self) {
        match self.rng.below(17) {
            0 => {
                // The end of the packet moves.
                self.put(copy(Reg(1), CTX));
                let delta = self.rng.below(40) as i32 - 20;
                self.put(mov(Reg(2), delta));
                self.call(65);
                self.pointers();
            }
            1 => self.metadata(),
            2 => self.checksum(),
            3 | 4 => {
                let id = self.rng.pick(&[189, 190]);
                self.put(copy(Reg(1), CTX));
                self.small(Reg(2), 63);
                self.numbers_at(Reg(3), 2);
                let len = 1 + self.rng.below(16) as i32;
                self.put(mov(Reg(4), len));
                self.call(id);
            }
            5 => {
                let flags = self.rng.below(3) as i32 / 2;
                self.put(copy(Reg(1), Reg(9)));
                self.put(mov(Reg(2), flags));
                self.call(23);
            }
            6 => {
                let flags = self.rng.below(5) as i32;
                self.small(Reg(2), 7);
                self.map(Reg(1), DEV);
                self.put(mov(Reg(3), flags));
                self.call(51);
            }
            7 => {
                let (len, flags) = (1 + self.rng.below(24) as i32, self.rng.below(5) as i32);
                self.map(Reg(1), RING);
                self.numbers_at(Reg(2), 3);
                self.put(mov(Reg(3), len));
                self.put(mov(Reg(4), flags));
                self.call(130);
            }
            8 => self.record(),
            9 => {
                let (len, taken) = (1 + self.rng.below(24) as i32, self.rng.below(80));
                self.put(copy(Reg(1), CTX));
                self.map(Reg(2), PERF);
                self.put(Insn::LoadImm64 { dst: Reg(3), value: Imm64::Const(taken << 32 | 0xffff_ffff) });
                self.put(Insn::Wide);
                self.numbers_at(Reg(4), 3);
                self.put(mov(Reg(5), len));
                self.call(25);
            }
            10 => {
                let id = self.rng.pick(&[5, 7, 118, 125, 160]);
                self.call(id);
            }
            11 => self.inner_map(),
            12 => self.atomics(),
            13 | 14 => {
                // bpf_loop over a variable of this function.
                match self.rng.below(8) {
                    0 => drop(self.put(mov(Reg(1), (1 << 23) + 1))),
                    _ => self.small(Reg(1), 7),
                }
                self.others.push((self.insns.len(), 0));
                self.put(Insn::LoadImm64 { dst: Reg(2), value: Imm64::Func(InsnIdx(0)) });
                self.put(Insn::Wide);
                self.numbers_at(Reg(3), 1);
                let flags = i32::from(self.rng.below(8) == 0);
                self.put(mov(Reg(4), flags));
                self.call(181);
            }
            15 => {
                // A local function that works on a variable of this one.
                self.numbers_at(Reg(1), 1);
                self.put(copy(Reg(2), Reg(9)));
                self.others.push((self.insns.len(), 1));
                self.put(Insn::CallLocal { target: InsnIdx(0) });
            }
            _ => {
                self.put(copy(Reg(1), CTX));
                self.call(188);
            }
        }
        self.scramble(&[1, 2, 3, 4, 5]);
    }

    /// Adds the functions that are used behind the program: their starts and names.
    pub(super) fn add_functions(&mut self) -> Vec<(InsnIdx, String)> {
        let mut added = Vec::new();
        for (which, name) in ["callback", "change"].into_iter().enumerate() {
            let uses: Vec<usize> = self.others.iter().filter(|(_, used)| *used == which).map(|(at, _)| *at).collect();
            if uses.is_empty() {
                continue;
            }
            let start = self.here();
            added.push((start, name.to_string()));
            for at in uses {
                match &mut self.insns[at] {
                    Insn::LoadImm64 { value: Imm64::Func(target), .. } | Insn::CallLocal { target } => *target = start,
                    other => panic!("{other:?} names no function"),
                }
            }
            let number = |op, dst, src| Insn::Alu { width: Width::W64, op, dst: Reg(dst), src };
            let store = Insn::Store { size: Size::B8, base: Reg(6), off: 0, src: Operand::Reg(Reg(3)) };
            self.insns
                .extend([copy(Reg(6), if which == 0 { Reg(2) } else { Reg(1) }), load(Size::B8, Reg(3), Reg(6), 0)]);
            if which == 0 {
                // long callback(u64 index, u64 *sum): *sum += index; return (*sum & 7) == 5;
                self.insns.extend([
                    number(AluOp::Add, 3, Operand::Reg(Reg(1))),
                    store,
                    mov(Reg(0), 1),
                    number(AluOp::And, 3, Operand::Imm(7)),
                    Insn::JumpIf {
                        width: Width::W64,
                        cond: Cond::Eq,
                        dst: Reg(3),
                        src: Operand::Imm(5),
                        target: InsnIdx(start.0 + 8),
                    },
                    mov(Reg(0), 0),
                    Insn::Exit,
                ]);
            } else {
                // u64 change(u64 *number, u64 by): *number ^= by; return its upper half
                self.insns.extend([
                    number(AluOp::Xor, 3, Operand::Reg(Reg(2))),
                    store,
                    load(Size::B4, Reg(0), Reg(6), 4),
                    Insn::Exit,
                ]);
            }
        }
        added
    }

    fn metadata(&mut self) {
        self.put(copy(Reg(1), CTX));
        let delta = self.rng.below(14) as i32 - 11;
        self.put(mov(Reg(2), delta));
        self.call(54);
        self.pointers();
        self.put(load(Size::B4, Reg(2), CTX, 8));
        self.put(copy(Reg(3), Reg(2)));
        self.put(add(Reg(3), 4));
        let cond = self.rng.pick(&[Cond::Gt, Cond::Le]);
        let jump =
            |cond| Insn::JumpIf { width: Width::W64, cond, dst: Reg(3), src: Operand::Reg(DATA), target: InsnIdx(0) };
        let at = self.put(jump(cond));
        let out = match cond {
            Cond::Gt => at,
            _ => {
                let out = self.put(Insn::Jump { target: InsnIdx(0) });
                self.land(at);
                out
            }
        };
        let off = self.rng.below(3) as i16;
        if self.rng.below(2) == 0 {
            self.put(load(Size::B2, Reg(9), Reg(2), off));
        } else {
            self.put(Insn::Store { size: Size::B2, base: Reg(2), off, src: Operand::Reg(Reg(9)) });
        }
        self.land(out);
    }

    fn checksum(&mut self) {
        for (pointer, size) in [(Reg(1), Reg(2)), (Reg(3), Reg(4))] {
            match self.rng.below(3) {
                0 => {
                    self.put(mov(pointer, 0));
                    self.put(mov(size, 0));
                }
                1 => {
                    self.numbers_at(pointer, 3);
                    let len = 4 * (1 + self.rng.below(6) as i32);
                    self.put(mov(size, len));
                }
                _ => {
                    self.numbers_at(pointer, 3);
                    self.put(copy(size, Reg(9)));
                    self.put(Insn::Alu { width: Width::W64, op: AluOp::And, dst: size, src: Operand::Imm(12) });
                }
            }
        }
        self.put(copy(Reg(5), Reg(9)));
        self.call(28);
    }

    fn record(&mut self) {
        let len = 8 * (1 + self.rng.below(3) as i32);
        self.map(Reg(1), RING);
        self.put(mov(Reg(2), len));
        self.put(mov(Reg(3), 0));
        self.call(131);
        let out = self.unless_null();
        for _ in 0..self.rng.below(4) {
            let size = self.rng.pick(&super::SIZES);
            let off = (self.rng.below(u64::from(len.unsigned_abs() / size.bytes())) * u64::from(size.bytes())) as i16;
            if self.rng.below(2) == 0 {
                self.put(load(size, Reg(9), Reg(0), off));
            } else {
                self.put(Insn::Store { size, base: Reg(0), off, src: Operand::Reg(Reg(9)) });
            }
        }
        self.put(copy(Reg(1), Reg(0)));
        self.put(mov(Reg(2), 0));
        let id = self.rng.pick(&[132, 132, 133]);
        self.call(id);
        self.land(out);
        self.scramble(&[0]);
    }

    /// r1 = the map, r2 = the address of its key.
    fn inner_map(&mut self) {
        let (outer, inner) = (self.rng.below(3) as i32, self.rng.below(3) as i32);
        self.put(Insn::Store { size: Size::B4, base: FP, off: -72, src: Operand::Imm(outer) });
        self.map(Reg(1), OUTER);
        self.put(copy(Reg(2), FP));
        self.put(add(Reg(2), -72));
        self.call(1);
        let out = self.unless_null();
        self.put(copy(Reg(1), Reg(0)));
        self.put(Insn::Store { size: Size::B8, base: FP, off: -72, src: Operand::Imm(inner) });
        self.put(copy(Reg(2), FP));
        self.put(add(Reg(2), -72));
        match self.rng.below(4) {
            0 => {
                self.put(copy(Reg(3), FP));
                self.put(add(Reg(3), -32));
                let flags = self.rng.below(3) as i32;
                self.put(mov(Reg(4), flags));
                self.call(2);
                self.land(out);
            }
            1 => {
                self.call(3);
                self.land(out);
            }
            _ => {
                self.call(1);
                let none = self.unless_null();
                self.put(load(Size::B8, Reg(9), Reg(0), 8));
                self.put(Insn::Store { size: Size::B4, base: Reg(0), off: 8, src: Operand::Reg(Reg(9)) });
                let fetch = self.rng.below(2) == 0;
                self.put(Insn::Atomic { size: Size::B8, op: AtomicOp::Add, fetch, base: Reg(0), off: 0, src: Reg(9) });
                self.land(out);
                self.land(none);
            }
        }
        self.scramble(&[0]);
    }

    /// Atomic operations of all kinds on a map value and on the stack.
    fn atomics(&mut self) {
        let size = self.rng.pick(&[Size::B4, Size::B8]);
        let ops = [AtomicOp::Add, AtomicOp::Or, AtomicOp::And, AtomicOp::Xor, AtomicOp::Xchg, AtomicOp::Cmpxchg];
        if self.rng.below(2) == 0 {
            self.put(copy(Reg(0), Reg(9)));
            self.put(Insn::Atomic { size, op: AtomicOp::Cmpxchg, fetch: true, base: FP, off: -40, src: Reg(9) });
            return;
        }
        let map = self.rng.pick(&[ARRAY, HASH, LRU]);
        self.key(map);
        self.call(1);
        let out = self.unless_null();
        self.put(copy(Reg(3), Reg(0)));
        for _ in 0..1 + self.rng.below(3) {
            let op = self.rng.pick(&ops);
            let fetch = matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg) || self.rng.below(2) == 0;
            match self.rng.below(2) {
                0 => self.put(load(size, Reg(0), Reg(3), 8)),
                _ => self.put(copy(Reg(0), Reg(9))),
            };
            self.put(Insn::Atomic { size, op, fetch, base: Reg(3), off: 8, src: Reg(9) });
        }
        self.land(out);
        self.scramble(&[0]);
    }
}
