//! A trace of blocks becomes a row of machine operations.

use super::live::Liveness;
use super::ops::{Address, Edge, EdgeId, EdgeTarget, Kind, Op, Opnd, Trace};
use super::prepare::{is_exit, stack_readers};
use super::region::{answers, is_null_test};
use super::{How, constants, exit_code, named, small_exit};
use crate::ir::{Block, Cfg, Func, FuncIdx, Jump, Mem, Op as IrOp, Request, Term, Value};
use offwire_isa::{AluOp, CmpOp, KeyUse, MapUse, RequestOp, Space};
use std::collections::BTreeMap;

/// Lowers the traces that [`super::regions`] found in a prepared function. Also returns one more than the highest value number
/// used, because constants that do not fit an operand become values of their own in each trace. `sizes`: bytes of key and value by map.
pub fn lower(func: &Func, cfg: &Cfg, regions: &[Vec<Block>], sizes: &[(u32, u32)], how: &How) -> (Vec<Trace>, u32) {
    let consts = constants(func);
    let live = Liveness::new(func, cfg, &consts);
    let answers = answers(func);
    let reads_stack = stack_readers(func, cfg);
    let named = named(func);
    let mut values = func.values + named.map_or(0, |named| named.len() as u32);
    let traces = regions
        .iter()
        .map(|blocks| {
            let mut lower = Lower {
                func,
                consts: &consts,
                live: &live,
                answers: &answers,
                reads_stack: &reads_stack,
                sizes,
                named: named.unwrap_or([Value(u32::MAX); 6]),
                values: &mut values,
                made: BTreeMap::new(),
                frugal: how.frugal,
                set: BTreeMap::new(),
                insn: 0,
                ops: Vec::new(),
                edges: Vec::new(),
            };
            lower.trace(blocks);
            let mut trace = Trace { head: blocks[0], ops: lower.ops, edges: lower.edges };
            drop_unused(&mut trace);
            trace
        })
        .collect();
    (traces, values)
}

struct Lower<'a> {
    func: &'a Func,
    consts: &'a [Option<u64>],
    live: &'a Liveness,
    answers: &'a [Option<RequestOp>],
    reads_stack: &'a [bool],
    sizes: &'a [(u32, u32)],
    named: [Value; 6],
    values: &'a mut u32,
    /// Constants that this trace holds in registers.
    made: BTreeMap<u64, Value>,
    /// Each operation makes its own.
    frugal: bool,
    /// What parameters were last set to in this trace.
    set: BTreeMap<Value, Opnd>,
    insn: u32,
    ops: Vec<Op>,
    edges: Vec<Edge>,
}

impl Lower<'_> {
    fn trace(&mut self, blocks: &[Block]) {
        for (n, &block) in blocks.iter().enumerate() {
            let func = self.func;
            let data = &func.blocks[block.at()];
            for inst in &data.insts {
                self.insn = inst.insn.0;
                if self.frugal {
                    self.made.clear();
                }
                self.inst(inst.result, &inst.op);
            }
            self.insn = data.term_insn.0;
            if let (Some(IrOp::Call { func, args, .. }), Term::Jump(jump)) =
                (data.insts.last().map(|inst| &inst.op), &data.term)
            {
                self.call(*func, args, jump);
                continue;
            }
            self.term(&data.term, blocks.get(n + 1).copied());
        }
    }

    fn push(&mut self, kind: Kind, result: Option<Value>) {
        self.ops.push(Op { kind, result, insn: self.insn });
    }

    fn new_value(&mut self) -> Value {
        *self.values += 1;
        Value(*self.values - 1)
    }

    fn alu(&mut self, op: AluOp, wide: bool, a: Opnd, b: Opnd) -> Value {
        let value = self.new_value();
        self.push(Kind::Alu { op, wide, a, b }, Some(value));
        value
    }

    /// A constant in a register.
    fn make(&mut self, constant: u64) -> Value {
        if let Some(value) = self.made.get(&constant) {
            return *value;
        }
        let low = constant as u32 as i32;
        let value = if i64::from(low) as u64 == constant {
            self.alu(AluOp::Mov, true, Opnd::Const(low), Opnd::Const(0))
        } else if u64::from(low as u32) == constant {
            self.alu(AluOp::Mov, false, Opnd::Const(low), Opnd::Const(0))
        } else {
            let high = (constant >> 32) as u32 as i32;
            let high = if together(high, low) {
                Opnd::Const(high)
            } else {
                Opnd::Val(self.alu(AluOp::Mov, true, Opnd::Const(high), Opnd::Const(0)))
            };
            self.alu(AluOp::Pack, true, high, Opnd::Const(low))
        };
        self.made.insert(constant, value);
        value
    }

    /// A value as operand of a unit that looks at its low `bits` bits only.
    fn operand(&mut self, value: Value, bits: u32) -> Opnd {
        let Some(constant) = self.consts[value.at()] else { return Opnd::Val(value) };
        let low = constant as u32 as i32;
        if bits <= 32 || i64::from(low) as u64 == constant {
            // Cut to what is looked at and sign-extended, so that more of them fit a read port or 16 bits.
            let unused = 32 - bits.min(32);
            return Opnd::Const(low << unused >> unused);
        }
        Opnd::Val(self.make(constant))
    }

    /// Two operands that one word can give.
    fn pair(&mut self, a: Value, b: Value, bits: u32) -> (Opnd, Opnd) {
        let (a, b) = (self.operand(a, bits), self.operand(b, bits));
        match (a, b) {
            (Opnd::Const(first), Opnd::Const(second)) if !together(first, second) => {
                (Opnd::Val(self.make(i64::from(first) as u64)), b)
            }
            _ => (a, b),
        }
    }

    /// A base: never a constant.
    fn base(&mut self, base: Option<Value>) -> Option<Value> {
        let value = base?;
        Some(match self.consts[value.at()] {
            Some(constant) => self.make(constant),
            None => value,
        })
    }

    fn address(&mut self, mem: &Mem) -> Address {
        let base = self.base(mem.base);
        Address { space: mem.space, map: mem.map, base, offset: mem.offset.clamp(-512, 511) as i16 }
    }

    fn inst(&mut self, result: Option<Value>, op: &IrOp) {
        match op {
            // A call is seen to at the end of its block.
            IrOp::Const(_) | IrOp::Call { .. } => {}
            IrOp::Named(reg) => {
                let a = Opnd::Val(self.named[usize::from(*reg).min(5)]);
                self.push(Kind::Alu { op: AluOp::Mov, wide: true, a, b: Opnd::Const(0) }, result);
            }
            IrOp::Request(request) => self.ask(request, result),
            IrOp::Alu { op, wide, a, b } => {
                let (a, b) = if is_unary(*op) {
                    (self.operand(*a, if *wide { 64 } else { 32 }), Opnd::Const(0))
                } else {
                    self.pair(*a, *b, if *wide { 64 } else { 32 })
                };
                self.push(Kind::Alu { op: *op, wide: *wide, a, b }, result);
            }
            IrOp::Load { mem, size, swap, dismiss } => {
                let at = self.address(mem);
                self.push(Kind::Load { at, size: *size, swap: *swap, dismiss: *dismiss }, result);
            }
            IrOp::Store { mem, size, swap, value } => {
                let at = self.address(mem);
                let src = self.operand(*value, 8 * u32::from(*size));
                self.push(Kind::Store { at, size: *size, swap: *swap, src }, None);
            }
            IrOp::AtomicAdd { mem, size, value } => {
                let at = self.address(mem);
                let src = self.operand(*value, 8 * u32::from(*size));
                self.push(Kind::Atomic { at, size: *size, src }, None);
            }
            IrOp::Lookup { map, key } => self.request(RequestOp::Lookup, map.0, Some(key), None, result),
            IrOp::Delete { map, key } => self.request(RequestOp::Delete, map.0, Some(key), None, result),
            IrOp::Update { map, key, value, flags } => {
                let op = match flags {
                    1 => RequestOp::UpdateNoExist,
                    2 => RequestOp::UpdateExist,
                    _ => RequestOp::UpdateAny,
                };
                self.request(op, map.0, Some(key), Some(value), result);
            }
            IrOp::AdjustHead { delta } => {
                let src = self.operand(*delta, 32);
                let result = Some(result.unwrap_or_else(|| self.new_value()));
                let op = RequestOp::AdjustHead;
                let kind = Kind::Request { op, map: 0, key: None, value_at: None, src, third: None, sizes: [None; 2] };
                self.push(kind, result);
            }
        }
    }

    fn request(&mut self, op: RequestOp, map: u16, key: Option<&Mem>, value: Option<&Mem>, result: Option<Value>) {
        let key = key.map(|key| self.address(key));
        let (value_at, src) = value.map_or((None, Opnd::Const(0)), |mem| self.value_address(mem));
        let result = Some(result.unwrap_or_else(|| self.new_value()));
        let sizes = self.sizes.get(usize::from(map));
        let sizes = [sizes.map(|sizes| sizes.0), sizes.map(|sizes| sizes.1)];
        self.push(Kind::Request { op, map: map.min(255) as u8, key, value_at, src, third: None, sizes }, result);
    }

    /// Where an update finds its value: for the alias rules, and as V.
    fn value_address(&mut self, mem: &Mem) -> (Option<Address>, Opnd) {
        let base = self.base(mem.base);
        let src = match base {
            None => Opnd::Const(mem.offset),
            Some(base) if mem.offset == 0 => Opnd::Val(base),
            Some(base) => Opnd::Val(self.alu(AluOp::Add, true, Opnd::Val(base), Opnd::Const(mem.offset))),
        };
        // The offset is in `src`; for the alias rules any offset in reach that is not exact must not be trusted.
        let at = match i16::try_from(mem.offset) {
            Ok(offset) => Address { space: mem.space, map: mem.map, base, offset },
            Err(_) => Address { space: mem.space, map: mem.map, base: Some(Value(u32::MAX)), offset: 0 },
        };
        (Some(at), src)
    }

    /// Any other request.
    fn ask(&mut self, request: &Request, result: Option<Value>) {
        let (op, shape) = (request.op, request.op.shape());
        let key = request.key.as_ref().map(|key| self.address(key));
        let (value_at, src) = match (&request.value_at, request.value) {
            (Some(mem), _) => self.value_address(mem),
            (None, Some(value)) => (None, self.operand(value, value_bits(op))),
            (None, None) => (None, Opnd::Const(0)),
        };
        let third = request.third.map(|value| self.port(value, third_bits(op)));
        let result = shape.answers.then(|| result.unwrap_or_else(|| self.new_value()));
        // A map pointer names the map; the slot is not looked at.
        let map = request.map.filter(|_| shape.map == MapUse::Slot).map_or(0, |map| map.0.min(255) as u8);
        let key_bytes = match shape.key {
            KeyUse::Atomic(bytes) => u32::from(bytes),
            _ => request.key_bytes,
        };
        let sizes = [key.map(|_| key_bytes), value_at.map(|_| request.value_bytes)];
        self.push(Kind::Request { op, map, key, value_at, src, third, sizes }, result);
    }

    /// A value as a read port gives it: a register, or -16 to 31.
    fn port(&mut self, value: Value, bits: u32) -> Opnd {
        match self.operand(value, bits) {
            Opnd::Const(constant) if !(-16..=31).contains(&constant) => {
                Opnd::Val(self.make(i64::from(constant) as u64))
            }
            operand => operand,
        }
    }

    /// Adds the edge with its copies before it.
    fn edge(&mut self, jump: &Jump) -> EdgeId {
        if is_exit(self.func, self.consts, jump.block)
            && let Some(code) = exit_code(self.func, self.consts, jump.block)
        {
            return self.add_edge(Edge {
                target: EdgeTarget::Exit(code),
                live: Vec::new(),
                params: Vec::new(),
                reads_stack: false,
            });
        }
        let params = self.func.blocks[jump.block.at()].params.clone();
        for (&dst, &arg) in ordered(&params, &jump.args) {
            let src = self.operand(arg, 64);
            if src != Opnd::Val(dst) && self.set.get(&dst) != Some(&src) {
                self.set.insert(dst, src);
                self.push(Kind::Copy { dst, src }, None);
            }
        }
        let live = self.live.live_in(jump.block);
        let reads_stack = self.reads_stack[jump.block.at()];
        self.add_edge(Edge { target: EdgeTarget::Block(jump.block), live, params, reads_stack })
    }

    fn add_edge(&mut self, edge: Edge) -> EdgeId {
        self.edges.push(edge);
        self.edges.len() - 1
    }

    /// The arguments go into named registers; nothing but what is live behind the call must survive it.
    fn call(&mut self, func: FuncIdx, args: &[Value], on: &Jump) {
        let passes: Vec<Value> = self.named.iter().skip(1).copied().take(args.len()).collect();
        for (&dst, &arg) in passes.iter().zip(args) {
            let src = self.operand(arg, 64);
            self.push(Kind::Copy { dst, src }, None);
        }
        let live = self.live.live_in(on.block);
        let params = passes.clone();
        let edge = self.add_edge(Edge { target: EdgeTarget::Block(on.block), live, params, reads_stack: true });
        self.push(Kind::Call { func, passes, answer: self.named[0], edge }, None);
    }

    fn end(&mut self, jump: &Jump) {
        let edge = self.edge(jump);
        self.push(Kind::End { edge }, None);
    }

    /// The terminator; `next` is the block that follows in the trace.
    fn term(&mut self, term: &Term, next: Option<Block>) {
        match term {
            Term::Jump(jump) if Some(jump.block) == next => {}
            Term::Jump(jump) => self.end(jump),
            Term::Branch { op, wide, a, b, then, els } => {
                let goes_then = Some(then.block) == next && Some(els.block) != next;
                let (op, side, rest) = if goes_then { (inverse(*op), els, then) } else { (*op, then, els) };
                let is_null_test = is_null_test(*wide, *a, *b, self.consts, self.answers).is_some();
                let null_of = (op == CmpOp::Eq && is_null_test).then_some(*a);
                // Out on "not null" with nothing after it but "null": the other way round uses the request's own test.
                let flip = op == CmpOp::Ne && Some(rest.block) != next && is_null_test;
                let (op, side, rest, null_of) =
                    if flip { (CmpOp::Eq, rest, side, Some(*a)) } else { (op, side, rest, null_of) };
                let (a, b) = self.pair(*a, *b, if *wide { 64 } else { 32 });
                let edge = self.edge(side);
                self.push(Kind::Cmp { op, wide: *wide, a, b, edge, null_of }, None);
                if Some(rest.block) != next {
                    self.end(rest);
                }
            }
            Term::Guard { base, len, pass, fail } => {
                let base = self.base(*base);
                let edge = self.edge(fail);
                self.push(Kind::Guard { base, len: (*len).clamp(0, 1023) as u16, edge }, None);
                if Some(pass.block) != next {
                    self.end(pass);
                }
            }
            Term::Exit(value) => {
                if let Some(code) = self.consts[value.at()].and_then(small_exit) {
                    let target = EdgeTarget::Exit(code);
                    let edge = self.add_edge(Edge { target, live: Vec::new(), params: Vec::new(), reads_stack: false });
                    self.push(Kind::End { edge }, None);
                } else {
                    let src = self.operand(*value, 32);
                    self.push(Kind::Exit { src }, None);
                }
            }
            Term::Return(value) => {
                let (pass, src) = (self.named[0], self.operand(*value, 64));
                self.push(Kind::Copy { dst: pass, src }, None);
                self.push(Kind::Return { pass }, None);
            }
            Term::Unreachable => {
                let target = EdgeTarget::Exit(0);
                let edge = self.add_edge(Edge { target, live: Vec::new(), params: Vec::new(), reads_stack: false });
                self.push(Kind::End { edge }, None);
            }
        }
    }
}

/// How many bits of V a request looks at.
fn value_bits(op: RequestOp) -> u32 {
    use RequestOp::*;
    match op {
        AdjustHead | AdjustTail | AdjustMeta | Redirect | RedirectMap | TailCall => 32,
        FetchAdd32 | FetchOr32 | FetchAnd32 | FetchXor32 | Xchg32 | Cmpxchg32 => 32,
        DivU32 | DivS32 | ModU32 | ModS32 => 32,
        _ => 64,
    }
}

/// How many bits of W a request looks at.
fn third_bits(op: RequestOp) -> u32 {
    use RequestOp::*;
    match op {
        Csum | Cmpxchg32 | DivU32 | DivS32 | ModU32 | ModS32 => 32,
        _ => 64,
    }
}

/// The copies of an edge in an order in which none overwrites what a later one reads; there are no cycles.
fn ordered<'a>(params: &'a [Value], args: &'a [Value]) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    let mut left: Vec<(&Value, &Value)> = params.iter().zip(args).filter(|(param, arg)| param != arg).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free = left.iter().position(|(param, _)| left.iter().all(|(_, arg)| arg != param)).unwrap_or(0);
        order.push(left.remove(free));
    }
    order.into_iter()
}

/// True if one word can give both constants.
fn together(a: i32, b: i32) -> bool {
    let short = |c: i32| i16::try_from(c).is_ok();
    let small = |c: i32| (-16..=31).contains(&c);
    a == b || small(a) || small(b) || (short(a) && short(b))
}

/// The condition that holds exactly if this one does not.
fn inverse(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Ltu => CmpOp::Geu,
        CmpOp::Geu => CmpOp::Ltu,
        CmpOp::Lts => CmpOp::Ges,
        CmpOp::Ges => CmpOp::Lts,
        CmpOp::Tst => CmpOp::Ntst,
        CmpOp::Ntst => CmpOp::Tst,
        // `prepare` turns these into jumps.
        CmpOp::Never => CmpOp::Never,
    }
}

/// Operations that look only at their first operand.
fn is_unary(op: AluOp) -> bool {
    use AluOp::*;
    matches!(op, Mov | Bswap16 | Bswap32 | Bswap64 | Sext8 | Sext16 | Sext32 | Zext8 | Zext16)
}

/// Loads and ALU operations whose results nobody uses go.
fn drop_unused(trace: &mut Trace) {
    let mut used: Vec<Value> = trace.edges.iter().flat_map(|edge| edge.live.iter().copied()).collect();
    used.sort_unstable();
    used.dedup();
    let mut used: std::collections::BTreeSet<Value> = used.into_iter().collect();
    let mut kept: Vec<Op> = Vec::with_capacity(trace.ops.len());
    for op in std::mem::take(&mut trace.ops).into_iter().rev() {
        let removable = matches!(op.kind, Kind::Load { .. } | Kind::Alu { .. });
        if removable && !op.result.is_some_and(|result| used.contains(&result)) {
            continue;
        }
        used.extend(op.uses());
        kept.push(op);
    }
    kept.reverse();
    trace.ops = kept;
}

/// Two accesses may touch the same byte. Sizes in bytes; a key or value has its map's size, unknown here: `None`.
pub(crate) fn may_alias(a: &Address, a_size: Option<u32>, b: &Address, b_size: Option<u32>) -> bool {
    if a.space != b.space {
        return false;
    }
    if a.space == Space::MapValue && a.map != b.map && a.map.is_some() && b.map.is_some() {
        return false;
    }
    if a.base != b.base {
        return true;
    }
    let ends = |first: &Address, size: Option<u32>, second: &Address| {
        size.is_some_and(|size| i64::from(first.offset) + i64::from(size) <= i64::from(second.offset))
    };
    !(ends(a, a_size, b) || ends(b, b_size, a))
}
