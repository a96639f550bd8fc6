//! Random functions made of what clang makes: byte loads joined by shifts, byte stores of shifted values, keys built on the stack
//! in pieces, counters, masks, null tests, guards on the same base.

use crate::backend::random::Rng;
use crate::ebpf::{InsnIdx, MapIdx};
use crate::ir::{Block, BlockData, Func, Inst, Jump, Mem, Op, Term, Value};
use offwire_image::{MapKind, MapSpec};
use offwire_isa::{AluOp, CmpOp, Handle, Space};

/// Bytes of packet that all packets here have.
const PACKET: u64 = 14;

/// The maps of these functions.
pub(super) fn maps() -> Vec<MapSpec> {
    let map = |name: &str, kind, key_size, value_size| MapSpec {
        name: name.into(),
        kind,
        key_size,
        value_size,
        max_entries: 4,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    vec![
        map("array", MapKind::Array, 4, 32),
        map("hash", MapKind::Hash, 8, 16),
        map("cpu", MapKind::PercpuArray, 4, 16),
    ]
}

struct Gen {
    rng: Rng,
    func: Func,
    values: Vec<Value>,
    insn: u32,
}

/// A function from a seed with about as many idioms.
pub(super) fn function(seed: u64, idioms: u32) -> Func {
    let mut made = Gen {
        rng: Rng::new(seed ^ 0x1d10_3000),
        func: Func { name: format!("idioms{seed}"), blocks: Vec::new(), values: 0 },
        values: Vec::new(),
        insn: 0,
    };
    made.block();
    let first = made.load(made_mem(Space::Packet, None, 0), 1, false);
    made.values.push(first);
    for _ in 0..idioms {
        made.idiom();
    }
    let value = made.value();
    made.end(Term::Exit(value));
    made.func
}

fn made_mem(space: Space, base: Option<Value>, offset: u64) -> Mem {
    Mem { space, map: None, base, offset: offset as i32 }
}

impl Gen {
    fn block(&mut self) -> Block {
        let data = BlockData { params: Vec::new(), insts: Vec::new(), term: Term::Unreachable, term_insn: InsnIdx(0) };
        self.func.blocks.push(data);
        Block(self.func.blocks.len() as u32 - 1)
    }

    fn last(&mut self) -> &mut BlockData {
        self.func.blocks.last_mut().expect("there is one")
    }

    fn end(&mut self, term: Term) {
        self.last().term = term;
    }

    fn add(&mut self, op: Op) -> Value {
        self.insn += 1;
        let (result, insn) = (self.func.new_value(), InsnIdx(self.insn));
        self.last().insts.push(Inst { result: Some(result), op, insn });
        result
    }

    fn effect(&mut self, op: Op) {
        self.insn += 1;
        let insn = InsnIdx(self.insn);
        self.last().insts.push(Inst { result: None, op, insn });
    }

    fn literal(&mut self, value: u64) -> Value {
        self.add(Op::Const(value))
    }

    fn alu(&mut self, op: AluOp, wide: bool, a: Value, b: Value) -> Value {
        self.add(Op::Alu { op, wide, a, b })
    }

    fn load(&mut self, mem: Mem, size: u8, swap: bool) -> Value {
        self.add(Op::Load { mem, size, swap, dismiss: false })
    }

    fn store(&mut self, mem: Mem, size: u8, swap: bool, value: Value) {
        self.effect(Op::Store { mem, size, swap, value });
    }

    fn value(&mut self) -> Value {
        let young = self.values.len().min(6) as u64;
        let at = self.values.len() as u64 - 1 - self.rng.below(young);
        self.values[at as usize]
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.below(from.len() as u64) as usize]
    }

    /// Somewhere with room for the bytes: packet, stack or the array's element 1 through a constant handle.
    fn place(&mut self, bytes: u64) -> Mem {
        match self.rng.below(5) {
            0 | 1 => {
                let offset = self.rng.below(PACKET - bytes + 1);
                made_mem(Space::Packet, None, offset)
            }
            2 | 3 => {
                let offset = 488 + self.rng.below(24 - bytes + 1);
                made_mem(Space::Stack, None, offset)
            }
            _ => {
                let offset = self.rng.below(32 - bytes + 1) as u32;
                // Part of the offset may stand in the handle.
                let own = self.rng.below(u64::from(offset) + 1) as u32;
                let base = self.literal(Handle { slot: 0, element: 1, offset: own }.pack());
                Mem { map: Some(MapIdx(0)), ..made_mem(Space::MapValue, Some(base), u64::from(offset - own)) }
            }
        }
    }

    fn idiom(&mut self) {
        match self.rng.below(13) {
            0..=2 => self.join(),
            3 | 4 => self.scatter(),
            5 => self.copy(),
            6 => self.mask(),
            7 => self.spill(),
            8 => self.counter(),
            9 => self.key(),
            10 => self.compare(),
            11 => self.guard(),
            _ => self.constants(),
        }
    }

    /// `b[0] | b[1] << 8 ...`, either end first, perhaps with a store in between.
    fn join(&mut self) {
        let bytes = 2 + self.rng.below(7);
        let mem = self.place(bytes);
        let (wide, big) = (bytes > 4 || self.rng.below(2) == 0, self.rng.below(2) == 0);
        let disturb = self.rng.below(bytes * 3);
        let mut sum = None;
        for n in 0..bytes {
            if n == disturb {
                self.scatter();
            }
            let part = self.load(Mem { offset: mem.offset + n as i32, ..mem }, 1, false);
            let by = self.literal(8 * if big { bytes - 1 - n } else { n });
            let part = self.alu(AluOp::Lsh, wide, part, by);
            let op = self.pick(&[AluOp::Or, AluOp::Or, AluOp::Add, AluOp::Xor]);
            sum = Some(match sum {
                None => part,
                Some(sum) => self.alu(op, wide, sum, part),
            });
            if self.rng.below(8) == 0 {
                self.values.push(part);
            }
        }
        self.values.extend(sum);
    }

    /// Bytes of a value to neighbouring places, either end first, in any order.
    fn scatter(&mut self) {
        let value = self.value();
        let bytes = 2 + self.rng.below(7);
        let mem = self.place(bytes);
        let step = self.pick(&[1u64, 1, 2, 4]);
        let (big, backwards) = (self.rng.below(3) == 0, self.rng.below(2) == 0);
        let wide = self.rng.below(2) == 0;
        for n in (0..bytes / step).map(|n| if backwards { bytes / step - 1 - n } else { n }) {
            let by = self.literal(8 * step * if big { bytes / step - 1 - n } else { n });
            let part = self.alu(AluOp::Rsh, wide || bytes > 4, value, by);
            self.store(Mem { offset: mem.offset + (n * step) as i32, ..mem }, step as u8, big && step > 1, part);
        }
    }

    /// Memory to memory, in pieces, loads first or one by one.
    fn copy(&mut self) {
        let bytes = 2 + self.rng.below(7);
        let (from, to) = (self.place(bytes), self.place(bytes));
        let swap = self.rng.below(4) == 0;
        let at = |mem: Mem, n: u64| Mem { offset: mem.offset + n as i32, ..mem };
        if self.rng.below(2) == 0 {
            let parts: Vec<Value> = (0..bytes).map(|n| self.load(at(from, n), 1, false)).collect();
            for (n, part) in (0..).zip(parts) {
                self.store(at(to, if swap { bytes - 1 - n } else { n }), 1, false, part);
            }
        } else {
            for n in 0..bytes {
                let part = self.load(at(from, n), 1, false);
                self.store(at(to, n), 1, false, part);
            }
        }
    }

    fn mask(&mut self) {
        let value = self.value();
        let wide = self.rng.below(2) == 0;
        let constant = self.pick(&[
            0xff,
            0xffff,
            0xffff_ffff,
            0xf,
            0xff1f,
            0x3c,
            8,
            16,
            24,
            32,
            48,
            56,
            1,
            0,
            u64::MAX,
            0xffff_ff00,
            4,
        ]);
        let b = self.literal(constant);
        let op = self.pick(&[
            AluOp::And,
            AluOp::And,
            AluOp::Lsh,
            AluOp::Rsh,
            AluOp::Arsh,
            AluOp::Or,
            AluOp::Add,
            AluOp::Sub,
            AluOp::Xor,
            AluOp::Mul,
            AluOp::Bswap16,
            AluOp::Bswap32,
            AluOp::Bswap64,
            AluOp::Mov,
            AluOp::Sext16,
            AluOp::Zext16,
            AluOp::Zext8,
            AluOp::Sext32,
        ]);
        let b = if crate::ir::is_unary(op) { value } else { b };
        let result = self.alu(op, wide, value, b);
        self.values.push(result);
    }

    /// To the stack and back, whole or in parts.
    fn spill(&mut self) {
        let value = self.value();
        let (size, small) = self.pick(&[(8u8, 8u8), (4, 4), (8, 4), (8, 1), (4, 2), (2, 2), (6, 6)]);
        let mem = made_mem(Space::Stack, None, 440 + 8 * self.rng.below(4));
        let swap = self.rng.below(4) == 0;
        self.store(mem, size, swap, value);
        if self.rng.below(3) == 0 {
            self.idiom();
        }
        let offset = mem.offset + self.rng.below(u64::from(size - small) + 1) as i32;
        let back = self.load(Mem { offset, ..mem }, small, swap);
        self.values.push(back);
    }

    /// `value += x`, on a shared or a per-CPU value.
    fn counter(&mut self) {
        let map = self.pick(&[0u8, 2]);
        let element = self.rng.below(4) as u32;
        let base = self.literal(Handle { slot: map, element, offset: 0 }.pack());
        let size = self.pick(&[4u8, 8]);
        let offset = (self.rng.below(2) * 8) as i32;
        let mem = Mem { space: Space::MapValue, map: Some(MapIdx(u16::from(map))), base: Some(base), offset };
        if self.rng.below(4) == 0 {
            let value = self.value();
            self.effect(Op::AtomicAdd { mem, size, value });
            return;
        }
        let old = self.load(mem, size, false);
        let addend = self.value();
        let new = self.alu(AluOp::Add, size == 8, old, addend);
        self.store(mem, size, false, new);
        if self.rng.below(4) == 0 {
            let seen = self.pick(&[old, new]);
            self.values.push(seen);
        }
    }

    /// A key in pieces, a lookup, and something with the value.
    fn key(&mut self) {
        let mem = made_mem(Space::Stack, None, 504);
        let zero = self.literal(0);
        self.store(mem, 8, false, zero);
        for n in 0..self.rng.below(4) {
            let size = self.pick(&[1u8, 2]);
            let mask = self.literal(1);
            let value = self.value();
            let value = self.alu(AluOp::And, true, value, mask);
            self.store(Mem { offset: 504 + 2 * n as i32, ..mem }, size, false, value);
        }
        match self.rng.below(4) {
            0 => {
                let value = made_mem(Space::Stack, None, 488);
                self.effect(Op::Update { map: MapIdx(1), key: mem, value, flags: 0 });
            }
            1 => self.effect(Op::Delete { map: MapIdx(1), key: mem }),
            _ => {
                let map = self.pick(&[0u16, 1, 2]);
                let handle = self.add(Op::Lookup { map: MapIdx(map), key: mem });
                let null = self.literal(0);
                let (found, on) = (Block(self.func.blocks.len() as u32), Block(self.func.blocks.len() as u32 + 1));
                self.end(Term::Branch {
                    op: CmpOp::Ne,
                    wide: true,
                    a: handle,
                    b: null,
                    then: Jump::to(found),
                    els: Jump::to(on),
                });
                self.block();
                let place = Mem { space: Space::MapValue, map: Some(MapIdx(map)), base: Some(handle), offset: 8 };
                let value = self.value();
                self.store(place, 4, false, value);
                self.store(Mem { offset: 12, ..place }, 4, false, value);
                let old = self.load(Mem { offset: 0, ..place }, 8, false);
                let one = self.literal(1);
                let new = self.alu(AluOp::Add, true, old, one);
                self.store(Mem { offset: 0, ..place }, 8, false, new);
                self.end(Term::Jump(Jump::to(on)));
                self.block();
            }
        }
    }

    /// A comparison that leaves, or gives one of two values, or is made twice.
    fn compare(&mut self) {
        let (a, wide) = (self.value(), self.rng.below(2) == 0);
        let op =
            self.pick(&[CmpOp::Eq, CmpOp::Ne, CmpOp::Ltu, CmpOp::Geu, CmpOp::Tst, CmpOp::Ntst, CmpOp::Lts, CmpOp::Ges]);
        let constant = self.pick(&[0u64, 1, 5, 8, 0x800, 0xdd86, 0xff, 0x8000, 0x1_0000, u64::MAX, 0xff1f, 0xf0]);
        let b = self.literal(constant);
        let (yes, no) = (Block(self.func.blocks.len() as u32), Block(self.func.blocks.len() as u32 + 1));
        self.end(Term::Branch { op, wide, a, b, then: Jump::to(yes), els: Jump::to(no) });
        self.block();
        if self.rng.below(2) == 0 {
            let number = self.rng.below(3);
            let result = self.literal(number);
            self.end(Term::Exit(result));
            self.block();
            return;
        }
        let join = Block(no.0 + 1);
        let number = self.rng.below(3);
        let (x, y) = (self.literal(number), self.value());
        self.end(Term::Jump(Jump { block: join, args: vec![x] }));
        self.block();
        self.end(Term::Jump(Jump { block: join, args: vec![y] }));
        self.block();
        let param = self.func.new_value();
        self.last().params.push(param);
        self.values.push(param);
        if self.rng.below(2) == 0 {
            // Decided by the argument from one side.
            let two = self.literal(2);
            let (out, on) = (Block(join.0 + 1), Block(join.0 + 2));
            self.end(Term::Branch { op: CmpOp::Ltu, wide, a: param, b: two, then: Jump::to(out), els: Jump::to(on) });
            self.block();
            self.end(Term::Exit(param));
            self.block();
        }
    }

    /// Guards on one base, in any order, that fail to an exit.
    fn guard(&mut self) {
        let base = if self.rng.below(2) == 0 {
            None
        } else {
            let (value, mask) = (self.value(), self.literal(0x3c));
            Some(self.alu(AluOp::And, false, value, mask))
        };
        for _ in 0..1 + self.rng.below(3) {
            let extra = self.literal(4);
            let shifted = match base {
                Some(base) if self.rng.below(2) == 0 => Some(self.alu(AluOp::Add, true, base, extra)),
                base => base,
            };
            let len = 1 + self.rng.below(60) as i32;
            let (pass, fail) = (Block(self.func.blocks.len() as u32 + 1), Block(self.func.blocks.len() as u32));
            self.end(Term::Guard { base: shifted, len, pass: Jump::to(pass), fail: Jump::to(fail) });
            self.block();
            let number = self.rng.below(3);
            let value = self.literal(number);
            self.end(Term::Exit(value));
            self.block();
            if self.rng.below(8) == 0 {
                let number = self.rng.below(9);
                let delta = self.literal(number.wrapping_sub(8));
                let result = self.add(Op::AdjustHead { delta });
                self.values.push(result);
            }
        }
    }

    /// Constants side by side, overwriting each other.
    fn constants(&mut self) {
        for _ in 0..2 + self.rng.below(4) {
            let size = self.pick(&[1u8, 2, 4, 8]);
            let mem = self.place(u64::from(size));
            let constant = self.pick(&[0u64, 0, 1, 0xff, 0x1234_5678_9abc_def0, u64::MAX]);
            let value = self.literal(constant);
            let swap = self.rng.below(4) == 0;
            self.store(mem, size, swap, value);
        }
    }
}
