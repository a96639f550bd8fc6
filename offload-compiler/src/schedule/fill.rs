//! Writes one word down: operands become ports and immediates, results become write backs.

use super::code::{Read, Target, VReg, VWord, WordId};
use super::slots::{Slots, Unit, has_answer};
use crate::ir::Value;
use crate::select::{Address, EdgeTarget, Kind, OpId, Opnd, Trace};
use offwire_isa::{Base, RequestOp, Space, Src, StoreOp};

struct Fill<'a> {
    trace: &'a Trace,
    slots: &'a Slots,
    out: VWord,
    /// What stands in i0, i1 and both.
    immediates: [Option<i32>; 2],
    long: Option<i32>,
}

/// The word of `slots`; `next` is the word after it in the trace. `leaves` says whether a result is needed after the word,
/// `hoisted` whether a load may be out of bounds because its checks come later.
pub(super) fn fill(
    trace: &Trace,
    slots: &Slots,
    next: WordId,
    leaves: impl Fn(OpId) -> bool,
    hoisted: impl Fn(OpId) -> bool,
) -> VWord {
    let mut fill = Fill { trace, slots, out: VWord::default(), immediates: [None; 2], long: None };
    fill.ports();
    fill.guard();
    fill.loads(hoisted);
    fill.alus();
    fill.compares();
    fill.stores();
    fill.writes(leaves);
    fill.request();
    fill.targets(next);
    fill.lines();
    fill.out
}

impl Fill<'_> {
    fn ports(&mut self) {
        let operands = self.slots.operands;
        let mut ports = operands.regs.iter().map(|value| Read::Reg(VReg(value.0))).collect::<Vec<_>>();
        if let Some(third) = operands.third_constant() {
            ports.push(Read::Const(third as i8));
        }
        let word = &mut self.out.word;
        if let Some(long) = operands.long.iter().next() {
            (word.i0, word.i1) = (long as i16, (long >> 16) as i16);
            self.long = Some(long);
        } else {
            let mut halves = self.immediates.iter_mut();
            for (short, half) in operands.short.iter().zip(&mut halves) {
                *half = Some(short);
            }
        }
        for small in operands.small.iter().filter(|small| Some(*small) != operands.third_constant()) {
            if ports.len() < 3 {
                ports.push(Read::Const(small as i8));
            } else if self.long.is_none()
                && let Some(half) = self.immediates.iter_mut().find(|half| half.is_none())
            {
                *half = Some(small);
            }
        }
        if self.long.is_none() {
            word.i0 = self.immediates[0].unwrap_or(0) as i16;
            word.i1 = self.immediates[1].unwrap_or(0) as i16;
        }
        for (to, from) in self.out.ports.iter_mut().zip(ports) {
            *to = from;
        }
        let third = operands.third.map(|third| match third {
            Opnd::Val(value) => Read::Reg(VReg(value.0)),
            Opnd::Const(constant) => Read::Const(constant as i8),
        });
        if let Some(at) = third.and_then(|third| self.port(third)) {
            self.out.ports.swap(at, 2);
        }
    }

    fn port(&self, wanted: Read) -> Option<usize> {
        self.out.ports.iter().position(|port| *port == wanted)
    }

    fn base(&self, base: Option<Value>) -> Base {
        match base.and_then(|value| self.port(Read::Reg(VReg(value.0)))) {
            None => Base::Zero,
            Some(0) => Base::Ra,
            Some(1) => Base::Rb,
            Some(_) => Base::Rc,
        }
    }

    fn src(&self, operand: Opnd) -> Src {
        let ports = [Src::Ra, Src::Rb, Src::Rc];
        match operand {
            Opnd::Val(value) => match self.slots.unit(self.trace, value) {
                Some(Unit::Load(n)) => [Src::X0, Src::X1][n & 1],
                Some(Unit::Alu(n)) => [Src::A1, Src::A2][n & 1],
                Some(Unit::Answer) => Src::Zero,
                None => self.port(Read::Reg(VReg(value.0))).map_or(Src::Zero, |n| ports[n]),
            },
            Opnd::Const(constant) => {
                let small = i8::try_from(constant).ok().and_then(|small| self.port(Read::Const(small)));
                if let Some(n) = small {
                    ports[n]
                } else if let Some(n) = self.immediates.iter().position(|half| *half == Some(constant)) {
                    [Src::I0, Src::I1][n & 1]
                } else if self.long == Some(constant) {
                    Src::Iw
                } else {
                    Src::Zero
                }
            }
        }
    }

    fn guard(&mut self) {
        let Some(Kind::Guard { base, len, .. }) = self.slots.guard.map(|id| &self.trace.ops[id].kind) else { return };
        self.out.word.g_en = true;
        self.out.word.g_base = self.base(*base);
        self.out.word.g_len = *len;
    }

    fn loads(&mut self, hoisted: impl Fn(OpId) -> bool) {
        let ops = self.slots.loads.into_iter().flatten();
        let loads: Vec<_> = ops.map(|id| (id, &self.trace.ops[id].kind)).collect();
        let start = loads.iter().filter_map(|(_, kind)| address(kind)).map(|at| at.offset).min().unwrap_or(0);
        for (n, (id, kind)) in loads.into_iter().enumerate() {
            let Kind::Load { at, size, swap, dismiss } = kind else { continue };
            let base = self.base(at.base);
            let word = &mut self.out.word;
            (word.ld_space, word.ld_base, word.ld_off) = (at.space, base, start);
            let checked = matches!(at.space, Space::Packet) || (at.space == Space::Stack && at.base.is_some());
            word.ld_dismiss |= *dismiss || (checked && hoisted(id));
            let delta = (at.offset - start) as u8;
            if n == 0 {
                (word.x0_delta, word.x0_size, word.x0_swap) = (delta, *size, *swap);
            } else {
                (word.x1_delta, word.x1_size, word.x1_swap) = (delta, *size, *swap);
            }
        }
    }

    fn alus(&mut self) {
        for (n, id) in self.slots.alus.into_iter().enumerate() {
            let Some(Kind::Alu { op, wide, a, b }) = id.map(|id| &self.trace.ops[id].kind) else { continue };
            let (a, b) = (self.src(*a), self.src(*b));
            let word = &mut self.out.word;
            if n == 0 {
                (word.a1_op, word.a1_w, word.a1_a, word.a1_b) = (*op, *wide, a, b);
            } else {
                (word.a2_op, word.a2_w, word.a2_a, word.a2_b) = (*op, *wide, a, b);
            }
        }
    }

    fn compares(&mut self) {
        for (n, id) in self.slots.compares.into_iter().enumerate() {
            let Some(Kind::Cmp { op, wide, a, b, .. }) = id.map(|id| &self.trace.ops[id].kind) else { continue };
            let (a, b) = (self.src(*a), self.src(*b));
            let word = &mut self.out.word;
            if n == 0 {
                (word.c1_op, word.c1_w, word.c1_a, word.c1_b) = (*op, *wide, a, b);
            } else {
                (word.c2_op, word.c2_w, word.c2_a, word.c2_b) = (*op, *wide, a, b);
            }
        }
    }

    fn stores(&mut self) {
        let stores: Vec<_> = self.slots.stores.into_iter().flatten().map(|id| &self.trace.ops[id].kind).collect();
        let start = stores.iter().filter_map(|kind| address(kind)).map(|at| at.offset).min().unwrap_or(0);
        for (n, kind) in stores.into_iter().enumerate() {
            let (at, size, swap, src, op) = match kind {
                Kind::Store { at, size, swap, src } => (at, *size, *swap, *src, StoreOp::Store),
                Kind::Atomic { at, size, src } => {
                    (at, *size, false, *src, if *size == 4 { StoreOp::Add32 } else { StoreOp::Add64 })
                }
                _ => continue,
            };
            let (base, src) = (self.base(at.base), self.src(src));
            let word = &mut self.out.word;
            (word.st_op, word.st_space, word.st_base, word.st_off) = (op, at.space, base, start);
            [word.st_kill1, word.st_kill2] = self.slots.kill;
            let delta = (at.offset - start) as u8;
            if n == 0 {
                (word.s0_delta, word.s0_size, word.s0_src, word.s0_swap) = (delta, size, src, swap);
            } else {
                (word.s1_delta, word.s1_size, word.s1_src, word.s1_swap) = (delta, size, src, swap);
            }
        }
    }

    fn writes(&mut self, leaves: impl Fn(OpId) -> bool) {
        for id in self.slots.loads.into_iter().chain(self.slots.alus).flatten().filter(|id| leaves(*id)) {
            if let Some(result) = self.trace.ops[id].result {
                self.out.writes.push((self.src(Opnd::Val(result)), VReg(result.0)));
            }
        }
        for id in self.slots.copies.into_iter().flatten() {
            if let Kind::Copy { dst, src } = self.trace.ops[id].kind {
                self.out.writes.push((self.src(src), VReg(dst.0)));
            }
        }
    }

    fn request(&mut self) {
        let Some(id) = self.slots.request else { return };
        let op = &self.trace.ops[id];
        match &op.kind {
            Kind::Exit { src } => {
                self.out.word.q_op = RequestOp::Exit;
                self.out.word.q_vsrc = self.src(*src);
            }
            Kind::Request { op: request, map, key, value_at, src, .. } => {
                let src = self.src(*src);
                let base = self.base(key.and_then(|key| key.base));
                let word = &mut self.out.word;
                (word.q_op, word.q_map, word.q_vsrc) = (*request, *map, src);
                if let Some(key) = key {
                    (word.q_kspace, word.q_kbase, word.q_koff) = (key.space, base, key.offset);
                }
                if let Some(value) = value_at {
                    word.q_vspace = value.space;
                }
                word.q_null = self.slots.null_test.is_some();
                if has_answer(&op.kind) {
                    self.out.answer = op.result.map(|value| VReg(value.0));
                }
            }
            Kind::Call { passes, answer, .. } => {
                self.out.word.q_op = RequestOp::Call;
                self.out.passes = passes.iter().map(|value| VReg(value.0)).collect();
                self.out.answer = Some(VReg(answer.0));
            }
            Kind::Return { pass } => {
                self.out.word.q_op = RequestOp::Ret;
                self.out.passes = vec![VReg(pass.0)];
            }
            _ => {}
        }
    }

    fn targets(&mut self, next: WordId) {
        let target = |id: OpId| {
            self.trace.edge_of(id).map(|edge| match edge.target {
                EdgeTarget::Exit(code) => Target::Exit(code),
                EdgeTarget::Block(block) => Target::Head(block),
            })
        };
        let slots = self.slots;
        self.out.t1 = slots.compares[0].and_then(target);
        self.out.t2 = slots.guard.or(slots.compares[1]).or(slots.null_test).and_then(target);
        if let Some(Kind::Call { func, .. }) = slots.end.map(|end| &self.trace.ops[end].kind) {
            self.out.t2 = Some(Target::Func(*func));
        }
        self.out.next = match slots.end {
            // An end without an edge is a request to exit or return.
            Some(end) => target(end),
            None => Some(Target::Word(next)),
        };
    }

    fn lines(&mut self) {
        let slots = self.slots;
        let branches = [slots.guard, slots.null_test, slots.end, slots.request].into_iter();
        let all = branches.chain(slots.loads).chain(slots.alus).chain(slots.compares).chain(slots.stores).flatten();
        let mut insns: Vec<u32> =
            all.chain(slots.copies.into_iter().flatten()).map(|id| self.trace.ops[id].insn).collect();
        insns.sort_unstable();
        insns.dedup();
        self.out.insns = insns;
    }
}

fn address(kind: &Kind) -> Option<Address> {
    match kind {
        Kind::Load { at, .. } | Kind::Store { at, .. } | Kind::Atomic { at, .. } => Some(*at),
        _ => None,
    }
}
