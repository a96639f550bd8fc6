//! Random functions that never fault, for tests: structured control flow, loads behind guards, map values behind null tests.

use crate::ebpf::{InsnIdx, MapIdx};
use crate::ir::interp::Maps;
use crate::ir::{Block, BlockData, Func, FuncIdx, Inst, Jump, Mem, Op, Term, Value};
use offwire_image::{MapKind, MapSpec};
use offwire_isa::{AluOp, CmpOp, Space};

/// Deterministic numbers (xorshift64*, Vigna).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n.max(1)
    }
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How many seeds to try: `OFFWIRE_SEEDS` or that many.
pub(super) fn seeds(usual: u64) -> u64 {
    std::env::var("OFFWIRE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The maps that random functions use.
pub(crate) fn maps() -> Vec<MapSpec> {
    let map = |name: &str, kind, key_size, value_size, max_entries| MapSpec {
        name: name.into(),
        kind,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    vec![
        map("array", MapKind::Array, 4, 32, 4),
        map("hash", MapKind::Hash, 8, 16, 5),
        map("small", MapKind::Hash, 2, 8, 3),
        map("ring", MapKind::Ringbuf, 0, 0, 128),
        map("perf", MapKind::PerfEventArray, 4, 4, 2),
        map("programs", MapKind::ProgArray, 4, 4, 4),
        map("ports", MapKind::Devmap, 4, 4, 4),
        map("outer", MapKind::ArrayOfMaps, 4, 4, 4),
        map("inner", MapKind::Array, 4, 32, 2),
        map("locked", MapKind::Array, 4, 16, 2),
    ]
}

/// The maps as a packet finds them, with programs, ports and inner maps in them.
pub(crate) fn filled() -> Maps {
    let mut maps = Maps::new(&self::maps());
    let key = |number: u32| number.to_le_bytes();
    maps.link(PROGRAMS, &key(0), 0);
    maps.link(PROGRAMS, &key(1), 1);
    maps.link(OUTER, &key(0), 0);
    maps.link(OUTER, &key(2), INNER.0.into());
    maps.lock_at(LOCKED, 0);
    for port in [0, 2] {
        let _ = maps.update(PORTS, &key(port), &key(port + 7), 0);
    }
    maps
}

pub(super) const RING: MapIdx = MapIdx(3);
pub(super) const PERF: MapIdx = MapIdx(4);
pub(super) const PROGRAMS: MapIdx = MapIdx(5);
pub(super) const PORTS: MapIdx = MapIdx(6);
pub(super) const OUTER: MapIdx = MapIdx(7);
const INNER: MapIdx = MapIdx(8);
pub(super) const LOCKED: MapIdx = MapIdx(9);
/// Bytes of the values of `outer`'s maps.
pub(super) const INNER_BYTES: i32 = 32;

const VALUE_SIZES: [i32; 3] = [32, 16, 8];
pub(super) const KEY_SIZES: [u8; 3] = [4, 8, 2];

/// What is known where code is added.
#[derive(Clone)]
pub(super) struct Scope {
    /// Any 64-bit values.
    pub(super) values: Vec<Value>,
    /// Bytes of packet that are certainly there.
    pub(super) packet: i32,
    /// (value, bytes): packet offsets up to that many bytes from which are there.
    pub(super) bases: Vec<(Value, i32)>,
    /// Non-null handles.
    pub(super) handles: Vec<Pointer>,
    /// Address of so many bytes of a caller's stack.
    frame: Option<(Value, i32)>,
    pub(super) depth: u32,
}

/// A handle that is not null, and what it leads to.
#[derive(Clone, Copy)]
pub(super) struct Pointer {
    pub(super) base: Value,
    /// `None`: some inner map.
    pub(super) map: Option<MapIdx>,
    pub(super) bytes: i32,
}

impl Pointer {
    pub(super) fn mem(&self, offset: i32) -> Mem {
        Mem { space: Space::MapValue, map: self.map, base: Some(self.base), offset }
    }
}

pub(crate) struct Gen {
    pub(super) rng: Rng,
    func: Func,
    pub(super) at: Block,
    insn: u32,
    budget: u32,
    /// Of 100 steps, about so many are requests without an operation of their own in the IR.
    requests: u64,
    /// How many values are used again later; the oldest ones are forgotten.
    kept: usize,
    /// Which function of a set it is, and the others that it may call: each with its number of arguments and whether the first of
    /// them is an address of the caller's stack.
    own: u32,
    callees: Vec<(FuncIdx, u64, bool)>,
}

/// Bytes of stack of each function in a set.
const FRAME: i32 = 72;

/// A function from a seed; `size` is about the number of instructions.
pub(crate) fn function(seed: u64, size: u32) -> Func {
    mixed(seed, size, 0)
}

/// The same with all requests.
pub(crate) fn asking(seed: u64, size: u32) -> Func {
    mixed(seed, size, 40)
}

/// A program and functions that it calls, all with all requests.
pub(crate) fn calling(seed: u64, size: u32) -> Vec<Func> {
    let mut rng = Rng::new(seed ^ 0xca11);
    let count = 1 + rng.below(5) as u32;
    let forms: Vec<(FuncIdx, u64, bool)> = (1..=count)
        .map(|n| {
            let args = rng.below(6);
            (FuncIdx(n), args, args > 0 && rng.chance(50))
        })
        .collect();
    let function = |own: u32| {
        let callees = forms[own as usize..].to_vec();
        let form = (own > 0).then(|| forms[own as usize - 1]);
        let requests = if seed.is_multiple_of(3) { 0 } else { 30 };
        let seed = seed ^ (u64::from(own) << 48);
        let func = Func { name: format!("random{seed}"), blocks: Vec::new(), values: 0 };
        let size = if own == 0 { size } else { size / 2 + 12 };
        let made = Gen {
            rng: Rng::new(seed),
            func,
            at: Block::ENTRY,
            insn: 0,
            budget: size,
            requests,
            kept: 30,
            own,
            callees,
        };
        made.whole(form.map(|(_, args, stack)| (args, stack)))
    };
    (0..=count).map(function).collect()
}

fn mixed(seed: u64, size: u32, requests: u64) -> Func {
    let func = Func { name: format!("random{seed}"), blocks: Vec::new(), values: 0 };
    let kept = if size < 500 { usize::MAX } else { 30 };
    let callees = Vec::new();
    let made =
        Gen { rng: Rng::new(seed), func, at: Block::ENTRY, insn: 0, budget: size, requests, kept, own: 0, callees };
    made.whole(None)
}

impl Gen {
    /// All of it; `form` are the arguments of a function that is called.
    fn whole(mut self, form: Option<(u64, bool)>) -> Func {
        self.block(Vec::new());
        let first = self.constant();
        let (bases, handles) = (Vec::new(), Vec::new());
        let mut scope = Scope { values: vec![first], packet: 0, bases, handles, frame: None, depth: 0 };
        let (args, stack) = form.unwrap_or_default();
        for n in 1..=args {
            let arg = self.add(Op::Named(n as u8), true);
            match n {
                1 if stack => scope.frame = Some((arg, FRAME)),
                _ => scope.values.push(arg),
            }
        }
        if self.own > 0 {
            // What an earlier call left there is nobody's.
            let value = self.literal(0);
            for offset in (512 - FRAME..512).step_by(8) {
                let mem = Mem { space: Space::Stack, map: None, base: None, offset: self.frame(offset) };
                self.add(Op::Store { mem, size: 8, swap: false, value }, false);
            }
        }
        while self.budget > 0 {
            self.step(&mut scope);
        }
        self.exit(&scope);
        self.func
    }

    /// The end of the program, or of the function.
    fn exit(&mut self, scope: &Scope) {
        let value = self.exit_value(scope);
        self.end(if self.own == 0 { Term::Exit(value) } else { Term::Return(value) });
    }

    /// Where the function's stack of a set is.
    pub(super) fn frame(&self, offset: i32) -> i32 {
        offset - FRAME * self.own as i32
    }

    /// True if stack and scratch are other functions', too.
    pub(super) fn shares(&self) -> bool {
        self.own > 0 || !self.callees.is_empty()
    }

    fn call(&mut self, scope: &mut Scope) {
        let (func, count, stack) = self.rng.pick(&self.callees.clone());
        let mut args = Vec::new();
        for n in 0..count {
            args.push(match scope.frame {
                _ if n > 0 || !stack => self.value(scope),
                Some((address, _)) if self.rng.chance(40) => address,
                _ => {
                    let address = self.frame(512 - FRAME);
                    self.literal(address as u64)
                }
            });
        }
        let result = self.rng.chance(80);
        let value = self.add(Op::Call { func, args, stack }, result);
        if result {
            scope.values.push(value);
        }
        // It may have moved the packet's front.
        scope.packet = 0;
        scope.bases.clear();
    }

    pub(super) fn block(&mut self, params: Vec<Value>) -> Block {
        let term_insn = InsnIdx(self.insn);
        self.func.blocks.push(BlockData { params, insts: Vec::new(), term: Term::Unreachable, term_insn });
        Block(self.func.blocks.len() as u32 - 1)
    }

    pub(super) fn end(&mut self, term: Term) {
        self.insn += 1;
        let block = &mut self.func.blocks[self.at.at()];
        block.term = term;
        block.term_insn = InsnIdx(self.insn);
    }

    pub(super) fn add(&mut self, op: Op, result: bool) -> Value {
        self.insn += 1;
        self.budget = self.budget.saturating_sub(1);
        let value = if result { self.func.new_value() } else { Value(0) };
        let inst = Inst { result: result.then_some(value), op, insn: InsnIdx(self.insn) };
        self.func.blocks[self.at.at()].insts.push(inst);
        value
    }

    pub(super) fn literal(&mut self, value: u64) -> Value {
        self.add(Op::Const(value), true)
    }

    fn constant(&mut self) -> Value {
        let value = match self.rng.below(7) {
            0 => self.rng.below(5),
            1 => (self.rng.below(64) as i64 - 32) as u64,
            2 => (self.rng.below(1 << 17) as i64 - (1 << 16)) as u64,
            3 => self.rng.next() as u32 as u64,
            4 => self.rng.next() as i32 as i64 as u64,
            5 => self.rng.next(),
            _ => self.rng.next() & 0xffff_0000_ffff_0000,
        };
        self.literal(value)
    }

    pub(super) fn value(&mut self, scope: &Scope) -> Value {
        match self.rng.below(4) {
            0 => self.constant(),
            // Young ones more often.
            1 => {
                let n = scope.values.len();
                let from = n.saturating_sub(4);
                scope.values[from + self.rng.below((n - from) as u64) as usize]
            }
            _ => self.rng.pick(&scope.values),
        }
    }

    fn exit_value(&mut self, scope: &Scope) -> Value {
        match self.rng.below(3) {
            0 => self.value(scope),
            1 => {
                let value = self.rng.below(7);
                self.literal(value)
            }
            _ => {
                let value = self.rng.below(5);
                self.literal(value)
            }
        }
    }

    pub(super) fn alu(&mut self, scope: &mut Scope) {
        use AluOp::*;
        const TWO: [AluOp; 10] = [Add, Sub, And, Or, Xor, Lsh, Rsh, Arsh, Mul, Pack];
        const ONE: [AluOp; 9] = [Mov, Bswap16, Bswap32, Bswap64, Sext8, Sext16, Sext32, Zext8, Zext16];
        let a = self.value(scope);
        let wide = self.rng.chance(60);
        let op = if self.rng.chance(75) {
            let b = self.value(scope);
            Op::Alu { op: self.rng.pick(&TWO), wide, a, b }
        } else {
            Op::Alu { op: self.rng.pick(&ONE), wide, a, b: a }
        };
        let value = self.add(op, true);
        scope.values.push(value);
    }

    /// A place that may be read and written.
    pub(super) fn place(&mut self, scope: &Scope, size: u8) -> Mem {
        let room = |bytes: i32| (bytes - i32::from(size)).max(0) as u64 + 1;
        if let Some((base, bytes)) = scope.frame.filter(|_| self.rng.chance(20)) {
            let offset = self.rng.below(room(bytes)) as i32;
            return Mem { space: Space::Stack, map: None, base: Some(base), offset };
        }
        let alone = !self.shares();
        let low = self.frame(480) as u64;
        let mem = |space, base, offset: u64| Mem { space, map: None, base, offset: offset as i32 };
        match self.rng.below(5) {
            0 if scope.packet >= i32::from(size) => mem(Space::Packet, None, self.rng.below(room(scope.packet))),
            1 if scope.bases.iter().any(|base| base.1 >= i32::from(size)) => {
                let fit: Vec<_> = scope.bases.iter().copied().filter(|base| base.1 >= i32::from(size)).collect();
                let (base, bytes) = self.rng.pick(&fit);
                mem(Space::Packet, Some(base), self.rng.below(room(bytes)))
            }
            2 | 3 if !scope.handles.is_empty() => {
                let handle = self.rng.pick(&scope.handles);
                handle.mem(self.rng.below(room(handle.bytes)) as i32)
            }
            // Close together, so that they meet; now and then far.
            _ if self.rng.chance(90) => mem(Space::Stack, None, low + self.rng.below(25)),
            _ if alone => mem(Space::Stack, None, self.rng.below(500)),
            _ => mem(Space::Stack, None, low - 40 + self.rng.below(60)),
        }
    }

    fn key(&mut self, map: usize, scope: &Scope) -> Mem {
        // Few keys, so that they hit: mostly a small constant on the stack.
        let offset = self.frame(480) + self.rng.below(16) as i32;
        let mem = Mem { space: Space::Stack, map: None, base: None, offset };
        if self.rng.chance(80) {
            let number = self.rng.below(5);
            let value = if self.rng.chance(70) {
                self.literal(number)
            } else {
                let mask = self.literal(3);
                let value = self.value(scope);
                self.add(Op::Alu { op: AluOp::And, wide: true, a: value, b: mask }, true)
            };
            self.add(Op::Store { mem, size: KEY_SIZES[map], swap: false, value }, false);
        }
        mem
    }

    fn step(&mut self, scope: &mut Scope) {
        let old = scope.values.len().saturating_sub(self.kept);
        scope.values.drain(..old);
        scope.handles.drain(..scope.handles.len().saturating_sub(self.kept / 4));
        if !self.callees.is_empty() && self.rng.chance(12) {
            return self.call(scope);
        }
        if self.requests > 0 && self.rng.chance(self.requests) {
            return self.request(scope);
        }
        match self.rng.below(24) {
            0..=4 => self.alu(scope),
            5..=8 => {
                let size = 1 + self.rng.below(8) as u8;
                let mem = self.place(scope, size);
                let swap = self.rng.chance(30);
                let value = self.add(Op::Load { mem, size, swap, dismiss: false }, true);
                scope.values.push(value);
            }
            9..=12 => {
                let size = 1 + self.rng.below(8) as u8;
                let mem = self.place(scope, size);
                let (swap, value) = (self.rng.chance(30), self.value(scope));
                self.add(Op::Store { mem, size, swap, value }, false);
            }
            13 => {
                if let Some(&handle) = scope.handles.last() {
                    let size = self.rng.pick(&[4, 8]);
                    let offset = self.rng.below((handle.bytes / i32::from(size)) as u64) as i32 * i32::from(size);
                    let mem = handle.mem(offset);
                    let value = self.value(scope);
                    self.add(Op::AtomicAdd { mem, size, value }, false);
                }
            }
            14 => self.metadata(scope),
            15 => self.change(scope),
            16 | 17 => self.lookup(scope),
            18 | 19 => self.guard(scope),
            20 | 21 => self.branch(scope),
            22 => self.repeat(scope),
            _ => self.leave(scope),
        }
    }

    fn metadata(&mut self, scope: &mut Scope) {
        let (offset, size) = self.rng.pick(&[(0, 8), (8, 4), (12, 4), (20, 4)]);
        let mem = Mem { space: Space::Scratch, map: None, base: None, offset };
        let value = self.add(Op::Load { mem, size, swap: false, dismiss: false }, true);
        scope.values.push(value);
    }

    fn change(&mut self, scope: &mut Scope) {
        let map = self.rng.below(3) as usize;
        let result = self.rng.chance(50);
        let value = match self.rng.below(3) {
            0 => {
                let delta = self.rng.below(13) as i64 - 6;
                let delta = if self.rng.chance(70) { self.literal(delta as u64) } else { self.value(scope) };
                scope.packet = 0;
                scope.bases.clear();
                self.add(Op::AdjustHead { delta }, true)
            }
            1 => {
                let key = self.key(map, scope);
                self.add(Op::Delete { map: MapIdx(map as u16), key }, true)
            }
            _ => {
                let key = self.key(map, scope);
                let map = MapIdx(map as u16);
                let value = match scope.handles.iter().find(|handle| handle.map == Some(map)) {
                    Some(handle) if self.rng.chance(30) => handle.mem(0),
                    _ => {
                        let offset = self.frame(460) + self.rng.below(20) as i32;
                        Mem { space: Space::Stack, map: None, base: None, offset }
                    }
                };
                if self.rng.chance(30) {
                    self.flagged(scope, map, key, (value, VALUE_SIZES[usize::from(map.0)] as u32))
                } else {
                    let flags = self.rng.below(3) as u8;
                    self.add(Op::Update { map, key, value, flags }, true)
                }
            }
        };
        if result {
            scope.values.push(value);
        }
    }

    fn lookup(&mut self, scope: &mut Scope) {
        let map = self.rng.below(3) as usize;
        let key = self.key(map, scope);
        let handle = self.add(Op::Lookup { map: MapIdx(map as u16), key }, true);
        if self.rng.chance(30) {
            self.alu(scope);
        }
        let null = self.literal(0);
        let (found, missing) = (self.block(Vec::new()), self.block(Vec::new()));
        let (then, els) = (Jump::to(missing), Jump::to(found));
        let term = if self.rng.chance(50) {
            Term::Branch { op: CmpOp::Eq, wide: true, a: handle, b: null, then, els }
        } else {
            Term::Branch { op: CmpOp::Ne, wide: true, a: handle, b: null, then: els, els: then }
        };
        self.end(term);
        let mut with = scope.clone();
        with.handles.push(Pointer { base: handle, map: Some(MapIdx(map as u16)), bytes: VALUE_SIZES[map] });
        with.values.push(handle);
        self.sides(scope, (found, with), (missing, scope.clone()));
    }

    fn guard(&mut self, scope: &mut Scope) {
        let mut inside = scope.clone();
        let (base, len) = if self.rng.chance(70) {
            let len = 1 + self.rng.below(80) as i32;
            inside.packet = inside.packet.max(len);
            (None, len)
        } else {
            let value = self.value(scope);
            let mask = self.literal(31);
            let base = self.add(Op::Alu { op: AluOp::And, wide: true, a: value, b: mask }, true);
            let len = 1 + self.rng.below(20) as i32;
            inside.bases.push((base, len));
            inside.values.push(base);
            (Some(base), len)
        };
        let (pass, fail) = (self.block(Vec::new()), self.block(Vec::new()));
        self.end(Term::Guard { base, len, pass: Jump::to(pass), fail: Jump::to(fail) });
        self.sides(scope, (pass, inside), (fail, scope.clone()));
    }

    fn branch(&mut self, scope: &mut Scope) {
        use CmpOp::*;
        const OPS: [CmpOp; 9] = [Never, Eq, Ne, Ltu, Geu, Lts, Ges, Tst, Ntst];
        let (a, b) = (self.value(scope), self.value(scope));
        let (then, els) = (self.block(Vec::new()), self.block(Vec::new()));
        let (op, wide) = (self.rng.pick(&OPS), self.rng.chance(60));
        self.end(Term::Branch { op, wide, a, b, then: Jump::to(then), els: Jump::to(els) });
        self.sides(scope, (then, scope.clone()), (els, scope.clone()));
    }

    /// Two sides that each do something and then meet, or leave.
    pub(super) fn sides(&mut self, scope: &mut Scope, first: (Block, Scope), second: (Block, Scope)) {
        let leaves = self.rng.below(4);
        if leaves == 0 {
            // The second side ends the packet.
            self.at = second.0;
            self.exit(&second.1);
            self.at = first.0;
            *scope = first.1;
            return;
        }
        let params: Vec<Value> = (0..self.rng.below(4)).map(|_| self.func.new_value()).collect();
        let meet = self.block(params.clone());
        let mut packet = i32::MAX;
        for (block, mut side) in [first, second] {
            self.at = block;
            side.depth += 1;
            let steps = if side.depth > 3 { 0 } else { self.rng.below(6) };
            for _ in 0..steps {
                self.step(&mut side);
            }
            packet = packet.min(side.packet);
            let args = params.iter().map(|_| self.value(&side)).collect();
            self.end(Term::Jump(Jump { block: meet, args }));
            // A side that moved the head spoils what was known.
            scope.packet = scope.packet.min(side.packet);
            scope.bases.retain(|base| side.bases.contains(base));
        }
        scope.packet = packet;
        scope.values.extend(params);
        self.at = meet;
    }

    /// A loop of a few rounds that carries values, some of them swapping places.
    fn repeat(&mut self, scope: &mut Scope) {
        if scope.depth > 2 {
            return;
        }
        let start = self.literal(0);
        let carried: Vec<Value> = (0..=self.rng.below(3)).map(|_| self.func.new_value()).collect();
        let counter = self.func.new_value();
        let mut params = vec![counter];
        params.extend(&carried);
        let head = self.block(params.clone());
        let after = self.block(Vec::new());
        let mut args = vec![start];
        args.extend(carried.iter().map(|_| self.value(scope)));
        self.end(Term::Jump(Jump { block: head, args }));
        self.at = head;
        let mut inside = scope.clone();
        inside.depth += 1;
        inside.packet = 0;
        inside.bases.clear();
        inside.values.extend(&params);
        for _ in 0..self.rng.below(5) {
            self.step(&mut inside);
        }
        let one = self.literal(1);
        let next = self.add(Op::Alu { op: AluOp::Add, wide: true, a: counter, b: one }, true);
        let rounds = 1 + self.rng.below(4);
        let limit = self.literal(rounds);
        let mut args = vec![next];
        for n in 0..carried.len() {
            let swap = carried[(n + 1) % carried.len()];
            args.push(if self.rng.chance(50) { swap } else { self.value(&inside) });
        }
        let again = Jump { block: head, args };
        let (op, then, els) = if self.rng.chance(50) {
            (CmpOp::Ltu, again, Jump::to(after))
        } else {
            (CmpOp::Geu, Jump::to(after), again)
        };
        let tested = if self.rng.chance(80) { next } else { counter };
        self.end(Term::Branch { op, wide: true, a: tested, b: limit, then, els });
        self.at = after;
        scope.values.extend(params);
        scope.values.push(next);
        // What the rounds did to the packet's front is not known.
        scope.packet = 0;
        scope.bases.clear();
    }

    /// Now and then the packet ends here.
    fn leave(&mut self, scope: &mut Scope) {
        let (a, b) = (self.value(scope), self.value(scope));
        let (out, on) = (self.block(Vec::new()), self.block(Vec::new()));
        self.end(Term::Branch { op: CmpOp::Tst, wide: true, a, b, then: Jump::to(out), els: Jump::to(on) });
        self.at = out;
        self.exit(scope);
        self.at = on;
    }
}
