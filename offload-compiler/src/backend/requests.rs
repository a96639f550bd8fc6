//! Random requests in random functions: each with operands that it takes, and used as a verified program uses it.

use super::random::{Gen, INNER_BYTES, KEY_SIZES, LOCKED, OUTER, PERF, PORTS, PROGRAMS, Pointer, RING, Scope};
use crate::ebpf::MapIdx;
use crate::ir::{Jump, Mem, Op, Request, Term, Value};
use offwire_isa::{AluOp, CmpOp, PRINTK_ARGUMENTS, RequestOp, Space};

use RequestOp::{
    AdjustMeta, AdjustTail, Cmpxchg32, Cmpxchg64, Csum, DeleteIn, DivS32, DivS64, DivU32, DivU64, FetchAdd32,
    FetchAdd64, FetchAnd32, FetchAnd64, FetchOr32, FetchOr64, FetchXor32, FetchXor64, Jiffies, KtimeNs, LoadBytes,
    LookupIn, ModS32, ModS64, ModU32, ModU64, PerfOutput, Prandom, Printk, PrintkText, Redirect, RedirectMap,
    RingDiscard, RingOutput, RingQuery, RingReserve, RingSubmit, SpinLock, SpinUnlock, StoreBytes, TailCall,
    UpdateFlags, UpdateInAny, UpdateInExist, UpdateInFlags, UpdateInNoExist, Xchg32, Xchg64,
};

const DIVISIONS: [RequestOp; 8] = [DivU32, DivU64, DivS32, DivS64, ModU32, ModU64, ModS32, ModS64];
const ATOMICS: [RequestOp; 12] = [
    FetchAdd32, FetchAdd64, FetchOr32, FetchOr64, FetchAnd32, FetchAnd64, FetchXor32, FetchXor64, Xchg32, Xchg64,
    Cmpxchg32, Cmpxchg64,
];

impl Gen {
    pub(super) fn request(&mut self, scope: &mut Scope) {
        match self.rng.below(17) {
            0 | 1 => {
                let op = self.rng.pick(&DIVISIONS);
                self.numbers(scope, op, None);
            }
            2 => {
                let op = self.rng.pick(&[KtimeNs, Jiffies, Prandom, Prandom]);
                let answer = self.ask(Request::new(op));
                self.answer(scope, answer);
            }
            3 => self.reading(scope, Csum, None),
            4 => self.reading(scope, RingOutput, Some(RING)),
            5 => self.reading(scope, PerfOutput, Some(PERF)),
            6 => self.copy(scope),
            7 => self.numbers(scope, Redirect, None),
            8 => self.numbers(scope, RedirectMap, Some(PORTS)),
            9 => self.record(scope),
            10 => {
                let value = self.small(scope, 5);
                let request = Request { map: Some(RING), value: Some(value), ..Request::new(RingQuery) };
                let answer = self.ask(request);
                self.answer(scope, answer);
            }
            11 => self.print(scope),
            12 => self.locked(scope),
            13 => self.atomic(scope),
            14 => self.inner(scope),
            15 => {
                let op = self.rng.pick(&[AdjustTail, AdjustMeta]);
                let delta = (self.rng.below(9) as i64 - 4) * 4;
                let value = if self.rng.chance(80) { self.literal(delta as u64) } else { self.value(scope) };
                scope.packet = 0;
                scope.bases.clear();
                let answer = self.ask(Request { value: Some(value), ..Request::new(op) });
                self.answer(scope, answer);
            }
            _ => {
                let value = self.small(scope, 4);
                let request = Request { map: Some(PROGRAMS), value: Some(value), ..Request::new(TailCall) };
                self.add(Op::Request(request), false);
            }
        }
    }

    fn ask(&mut self, request: Request) -> Value {
        self.add(Op::Request(request), true)
    }

    /// The answer is a value, or is tested at once.
    fn answer(&mut self, scope: &mut Scope, answer: Value) {
        scope.values.push(answer);
        if self.rng.chance(70) {
            return;
        }
        if self.rng.chance(30) {
            self.alu(scope);
        }
        let zero = self.literal(0);
        let (one, other) = (self.block(Vec::new()), self.block(Vec::new()));
        let (op, wide) = (self.rng.pick(&[CmpOp::Eq, CmpOp::Ne]), self.rng.chance(50));
        self.end(Term::Branch { op, wide, a: answer, b: zero, then: Jump::to(one), els: Jump::to(other) });
        self.sides(scope, (one, scope.clone()), (other, scope.clone()));
    }

    /// A number below `limit`, a power of two.
    fn small(&mut self, scope: &Scope, limit: u64) -> Value {
        if self.rng.chance(60) {
            let number = self.rng.below(limit);
            return self.literal(number);
        }
        let (value, mask) = (self.value(scope), self.literal(limit.next_power_of_two() / 2 - 1));
        self.add(Op::Alu { op: AluOp::And, wide: true, a: value, b: mask }, true)
    }

    /// V and W are numbers.
    fn numbers(&mut self, scope: &mut Scope, op: RequestOp, map: Option<MapIdx>) {
        let (value, third) = match op {
            Redirect | RedirectMap => (self.small(scope, 8), self.small(scope, 8)),
            _ => (self.value(scope), self.value(scope)),
        };
        let answer = self.ask(Request { map, value: Some(value), third: Some(third), ..Request::new(op) });
        self.answer(scope, answer);
    }

    /// Bytes that may be read: the place and how many there are at the most, a number that is not larger.
    fn bytes(&mut self, scope: &Scope) -> (Mem, u32, Value) {
        let most = 1 + self.rng.below(16) as i32;
        let stack = |offset: u64| Mem { space: Space::Stack, map: None, base: None, offset: offset as i32 };
        let mem = match self.rng.below(4) {
            0 if scope.packet >= most => {
                let offset = self.rng.below((scope.packet - most) as u64 + 1) as i32;
                Mem { space: Space::Packet, map: None, base: None, offset }
            }
            1 if scope.handles.iter().any(|handle| handle.bytes >= most) => {
                let fit: Vec<Pointer> = scope.handles.iter().copied().filter(|handle| handle.bytes >= most).collect();
                let handle = self.rng.pick(&fit);
                handle.mem(self.rng.below((handle.bytes - most) as u64 + 1) as i32)
            }
            _ => stack(self.frame(480) as u64 + self.rng.below(16)),
        };
        if self.rng.chance(70) {
            let bytes = self.literal(most as u64);
            return (mem, most as u32, bytes);
        }
        let bytes = self.small(scope, 1 + most as u64);
        (mem, most as u32, bytes)
    }

    /// Reads V bytes at K.
    fn reading(&mut self, scope: &mut Scope, op: RequestOp, map: Option<MapIdx>) {
        let (key, key_bytes, value) = self.bytes(scope);
        let third = match op {
            RingOutput => self.small(scope, 3),
            PerfOutput => {
                let index = self.rng.pick(&[0, 1, 3, 0xffff_ffff]);
                let taken = self.rng.below(30) << 32;
                self.literal(index | taken)
            }
            _ => self.value(scope),
        };
        let request = Request { map, key: Some(key), key_bytes, value: Some(value), ..Request::new(op) };
        let answer = self.ask(Request { third: Some(third), ..request });
        self.answer(scope, answer);
    }

    /// Between memory and packet.
    fn copy(&mut self, scope: &mut Scope) {
        let op = self.rng.pick(&[LoadBytes, StoreBytes]);
        let (key, key_bytes, third) = self.bytes(scope);
        let value = self.small(scope, 64);
        let request = Request { key: Some(key), key_bytes, value: Some(value), third: Some(third), ..Request::new(op) };
        let answer = self.ask(request);
        self.answer(scope, answer);
    }

    /// Reserves a record, writes it, and gives it back.
    fn record(&mut self, scope: &mut Scope) {
        let bytes = self.rng.pick(&[8, 12, 24, 40]);
        let (value, flags) = (self.literal(bytes as u64), self.literal(0));
        let request = Request { map: Some(RING), value: Some(value), third: Some(flags), ..Request::new(RingReserve) };
        let base = self.ask(request);
        let null = self.literal(0);
        let (found, missing, after) = (self.block(Vec::new()), self.block(Vec::new()), self.block(Vec::new()));
        let (then, els) = (Jump::to(missing), Jump::to(found));
        self.end(Term::Branch { op: CmpOp::Eq, wide: true, a: base, b: null, then, els });
        self.at = missing;
        self.end(Term::Jump(Jump::to(after)));
        self.at = found;
        let mut inside = scope.clone();
        inside.handles = vec![Pointer { base, map: Some(RING), bytes }];
        self.straight(&mut inside);
        let op = self.rng.pick(&[RingSubmit, RingSubmit, RingDiscard]);
        let flags = self.small(scope, 2);
        self.ask(Request { value: Some(base), third: Some(flags), ..Request::new(op) });
        if self.rng.chance(30) {
            let mem = self.place(scope, 4);
            let value = self.value(scope);
            self.add(Op::Store { mem, size: 4, swap: false, value }, false);
        }
        self.end(Term::Jump(Jump::to(after)));
        self.at = after;
    }

    /// A few loads and stores.
    fn straight(&mut self, scope: &mut Scope) {
        for _ in 0..self.rng.below(5) {
            let size = 1 + self.rng.below(8) as u8;
            let mem = self.place(scope, size);
            if self.rng.chance(50) {
                let value = self.value(scope);
                self.add(Op::Store { mem, size, swap: false, value }, false);
            } else {
                let value = self.add(Op::Load { mem, size, swap: false, dismiss: false }, true);
                scope.values.push(value);
            }
        }
    }

    fn print(&mut self, scope: &mut Scope) {
        for n in 0..3 {
            // What another function left there is nobody's.
            if self.shares() || self.rng.chance(60) {
                let mem = Mem { space: Space::Scratch, map: None, base: None, offset: PRINTK_ARGUMENTS + 8 * n };
                let value = self.value(scope);
                self.add(Op::Store { mem, size: 8, swap: false, value }, false);
            }
        }
        if self.rng.chance(40) {
            let (key, key_bytes, value) = self.bytes(scope);
            let request = Request { key: Some(key), key_bytes, value: Some(value), ..Request::new(PrintkText) };
            let answer = self.ask(request);
            self.answer(scope, answer);
        }
        let (key, key_bytes, value) = self.bytes(scope);
        let request = Request { key: Some(key), key_bytes, value: Some(value), ..Request::new(Printk) };
        let answer = self.ask(request);
        self.answer(scope, answer);
    }

    /// An update with flags of which most exist.
    pub(super) fn flagged(&mut self, scope: &Scope, map: MapIdx, key: Mem, value: (Mem, u32)) -> Value {
        let third = self.small(scope, 8);
        let key_bytes = if map == LOCKED { 4 } else { u32::from(KEY_SIZES[usize::from(map.0)]) };
        let (map, key, value_at, value_bytes) = (Some(map), Some(key), Some(value.0), value.1);
        let request = Request { map, key, key_bytes, value_at, value_bytes, ..Request::new(UpdateFlags) };
        self.ask(Request { third: Some(third), ..request })
    }

    /// Changes a value under its lock.
    fn locked(&mut self, scope: &mut Scope) {
        let mem = Mem { space: Space::Stack, map: None, base: None, offset: self.frame(488) };
        let number = self.small(scope, 2);
        self.add(Op::Store { mem, size: 4, swap: false, value: number }, false);
        if self.rng.chance(40) {
            let value = Mem { offset: 440 + self.rng.below(30) as i32, ..mem };
            let answer = self.flagged(scope, LOCKED, mem, (value, 16));
            self.answer(scope, answer);
        }
        let base = self.add(Op::Lookup { map: LOCKED, key: mem }, true);
        let null = self.literal(0);
        let (found, missing) = (self.block(Vec::new()), self.block(Vec::new()));
        let (then, els) = (Jump::to(found), Jump::to(missing));
        self.end(Term::Branch { op: CmpOp::Ne, wide: true, a: base, b: null, then, els });
        let mut inside = scope.clone();
        inside.handles.push(Pointer { base, map: Some(LOCKED), bytes: 16 });
        self.at = found;
        let request = |op| Request { value: Some(base), ..Request::new(op) };
        self.ask(request(SpinLock));
        self.straight(&mut inside);
        self.ask(request(SpinUnlock));
        let found = self.at;
        self.sides(scope, (found, inside), (missing, scope.clone()));
    }

    fn atomic(&mut self, scope: &mut Scope) {
        if scope.handles.is_empty() {
            return;
        }
        let handle = self.rng.pick(&scope.handles);
        let op = self.rng.pick(&ATOMICS);
        let size: i32 = if op.asm().ends_with("32") { 4 } else { 8 };
        let offset = self.rng.below((handle.bytes / size) as u64) as i32 * size;
        let value = self.value(scope);
        let third = op.shape().third.then(|| self.small(scope, 2));
        let (key, key_bytes) = (Some(handle.mem(offset)), size as u32);
        let answer = self.ask(Request { key, key_bytes, value: Some(value), third, ..Request::new(op) });
        self.answer(scope, answer);
    }

    /// Finds a map in a map and asks that.
    fn inner(&mut self, scope: &mut Scope) {
        let own = self.frame(0);
        let mem = |offset: i32| Mem { space: Space::Stack, map: None, base: None, offset: own + offset };
        for offset in [492, 496] {
            let number = self.small(scope, 4);
            self.add(Op::Store { mem: mem(offset), size: 4, swap: false, value: number }, false);
        }
        let pointer = self.add(Op::Lookup { map: OUTER, key: mem(492) }, true);
        let null = self.literal(0);
        let (there, missing) = (self.block(Vec::new()), self.block(Vec::new()));
        let (then, els) = (Jump::to(missing), Jump::to(there));
        self.end(Term::Branch { op: CmpOp::Eq, wide: true, a: pointer, b: null, then, els });
        self.at = there;
        let request = |op| Request {
            map: Some(OUTER),
            key: Some(mem(496)),
            key_bytes: 4,
            third: Some(pointer),
            ..Request::new(op)
        };
        let mut inside = scope.clone();
        match self.rng.below(4) {
            0 => {
                let op = self.rng.pick(&[UpdateInAny, UpdateInNoExist, UpdateInExist, UpdateInFlags]);
                let value_at = match scope.handles.iter().find(|handle| handle.bytes >= INNER_BYTES) {
                    Some(handle) if self.rng.chance(40) => handle.mem(0),
                    _ => mem(440 + self.rng.below(40) as i32),
                };
                let value_bytes = INNER_BYTES as u32;
                let mut asked = Request { value_at: Some(value_at), value_bytes, ..request(op) };
                if op == UpdateInFlags {
                    let flags = self.small(&inside, 8);
                    asked.third = Some(self.add(Op::Alu { op: AluOp::Or, wide: true, a: pointer, b: flags }, true));
                }
                let answer = self.ask(asked);
                inside.values.push(answer);
            }
            1 => {
                let answer = self.ask(request(DeleteIn));
                inside.values.push(answer);
            }
            _ => {
                let base = self.ask(request(LookupIn));
                let (found, none) = (self.block(Vec::new()), self.block(Vec::new()));
                let (then, els) = (Jump::to(none), Jump::to(found));
                self.end(Term::Branch { op: CmpOp::Eq, wide: true, a: base, b: null, then, els });
                let mut with = inside.clone();
                with.handles.push(Pointer { base, map: None, bytes: INNER_BYTES });
                let without = inside.clone();
                self.sides(&mut inside, (found, with), (none, without));
            }
        }
        let there = self.at;
        self.sides(scope, (there, inside), (missing, scope.clone()));
    }
}
