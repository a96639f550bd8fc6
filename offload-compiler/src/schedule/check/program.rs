//! The IR's side: what a trace does, in program order.

use super::effects::{Extent, looked_at};
use super::symbols::{Ask, Condition, Effect, EffectId, Node, Place, Symbols, Term};
use crate::ir::{Block, Func, FuncIdx, Inst, Mem, Op, Request, Term as IrTerm, Value};
use offwire_isa::{AluOp, CmpOp, MapUse, RequestOp, Space};
use std::collections::{BTreeMap, HashMap};

/// A conditional way out of the trace.
pub(super) struct Branch {
    /// Taken if this holds.
    pub(super) condition: Condition,
    /// Where to, and with which values.
    pub(super) to: Way,
    /// Effects before it.
    pub(super) effects: usize,
    /// Both ways leave: if the inverse holds, it is the other one.
    pub(super) other: Option<(Condition, Way)>,
}

/// A way out: to a block, with the values of its parameters; or the end.
#[derive(Clone, PartialEq)]
pub(super) enum Way {
    Block(Block, Vec<(Value, Term)>),
    Exit(Term),
    /// A function is called with these arguments, and comes back to the block.
    Call(FuncIdx, Vec<Term>, Block),
    /// Back to the caller.
    Return(Term),
    /// No execution comes here.
    Nowhere,
}

/// The whole trace.
pub(super) struct Program {
    pub(super) branches: Vec<Branch>,
    pub(super) effects: Vec<EffectId>,
    /// Loads, with the number of branches before the first one of their kind.
    pub(super) loads: HashMap<Term, usize>,
    /// The same for requests, by their operands.
    pub(super) asked: HashMap<Ask, usize>,
    pub(super) end: Way,
    /// Values defined in the trace.
    pub(super) values: BTreeMap<Value, Term>,
}

pub(super) struct Walk<'a> {
    func: &'a Func,
    constants: &'a [Option<u64>],
    pub(super) symbols: &'a mut Symbols,
    program: Program,
    counts: HashMap<Effect, u32>,
    /// The function that is called at the end, and its arguments.
    called: Option<(FuncIdx, Vec<Term>)>,
    /// A request turned out to touch more bytes than it did when it was met before.
    news: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn run(
        func: &'a Func,
        constants: &'a [Option<u64>],
        symbols: &'a mut Symbols,
        blocks: &[Block],
    ) -> Result<Program, String> {
        let program = Program {
            branches: Vec::new(),
            effects: Vec::new(),
            loads: HashMap::new(),
            asked: HashMap::new(),
            end: Way::Nowhere,
            values: BTreeMap::new(),
        };
        let mut walk = Walk { func, constants, symbols, program, counts: HashMap::new(), called: None, news: false };
        for (n, block) in blocks.iter().enumerate() {
            let data = func.blocks.get(block.at()).ok_or("no such block")?;
            if n > 0 && !data.params.is_empty() {
                return Err(format!("{block} has parameters inside a trace"));
            }
            for inst in &data.insts {
                if walk.called.is_some() {
                    return Err("something stands behind a call".into());
                }
                walk.inst(inst);
            }
            walk.term(&data.term, blocks.get(n + 1).copied())?;
        }
        if walk.news {
            // Once more, now that all is known; what is made twice has the same name.
            return Self::run(func, constants, walk.symbols, blocks);
        }
        Ok(walk.program)
    }

    fn value(&mut self, value: Value) -> Term {
        if let Some(term) = self.program.values.get(&value) {
            return *term;
        }
        match self.constants.get(value.at()).copied().flatten() {
            Some(constant) => self.symbols.constant(constant),
            None => self.symbols.term(Node::Live(value)),
        }
    }

    fn place(&mut self, mem: &Mem) -> Place {
        let base = mem.base.map(|base| self.value(base));
        let place = self.symbols.place(mem.space, base, i64::from(mem.offset));
        self.symbols.belongs(place, mem.map);
        place
    }

    fn add(&mut self, effect: Effect) -> EffectId {
        let nth = self.counts.entry(effect.clone()).or_insert(0);
        *nth += 1;
        let id = self.symbols.effect_id(effect, *nth);
        self.program.effects.push(id);
        id
    }

    fn seen(&self, by: impl Fn(&Symbols, EffectId) -> bool) -> Vec<EffectId> {
        let mut seen: Vec<EffectId> =
            self.program.effects.iter().copied().filter(|effect| by(self.symbols, *effect)).collect();
        seen.sort_unstable();
        seen
    }

    fn inst(&mut self, inst: &Inst) {
        let result = match &inst.op {
            Op::Const(constant) => self.symbols.constant(*constant),
            Op::Named(reg) => self.symbols.term(Node::Named(*reg)),
            Op::Call { func, args, .. } => {
                let args = args.iter().map(|arg| self.value(*arg)).collect();
                self.called = Some((*func, args));
                return;
            }
            Op::Alu { op, wide, a, b } => {
                let (a, b) = (self.value(*a), self.value(*b));
                self.symbols.alu(*op, *wide, a, b)
            }
            Op::Load { mem, size, swap, .. } => {
                let at = self.place(mem);
                let seen = self.seen(|symbols, effect| symbols.changes(effect, &at, Some(u32::from(*size))));
                let term = self.symbols.term(Node::Load { at, size: *size, swap: *swap, seen });
                let branches = self.program.branches.len();
                self.program.loads.entry(term).or_insert(branches);
                term
            }
            Op::Store { mem, size, swap, value } => {
                let (at, value) = (self.place(mem), self.value(*value));
                let value = self.symbols.low(value, *size);
                self.add(Effect::Store { at, size: *size, swap: *swap, value });
                return;
            }
            Op::AtomicAdd { mem, size, value } => {
                let (at, value) = (self.place(mem), self.value(*value));
                let value = self.symbols.low(value, *size);
                self.add(Effect::Add { at, size: *size, value });
                return;
            }
            Op::Lookup { map, key } => self.map_request(RequestOp::Lookup, map.0, key, None),
            Op::Delete { map, key } => self.map_request(RequestOp::Delete, map.0, key, None),
            Op::Update { map, key, value, flags } => {
                let op = [RequestOp::UpdateAny, RequestOp::UpdateNoExist, RequestOp::UpdateExist];
                let op = op.get(usize::from(*flags)).copied().unwrap_or(RequestOp::None);
                self.map_request(op, map.0, key, Some(value))
            }
            Op::AdjustHead { delta } => {
                let src = self.value(*delta);
                self.ask(Ask {
                    op: RequestOp::AdjustHead,
                    map: 0,
                    key: None,
                    value: None,
                    src,
                    third: None,
                    seen: Vec::new(),
                })
            }
            Op::Request(request) => self.request(request),
        };
        if let Some(value) = inst.result {
            self.program.values.insert(value, result);
        }
    }

    fn map_request(&mut self, op: RequestOp, map: u16, key: &Mem, value: Option<&Mem>) -> Term {
        let key = Some(self.place(key));
        let src = match value {
            Some(mem) => self.address(mem),
            None => self.symbols.constant(0),
        };
        let value = value.map(|mem| mem.space);
        self.ask(Ask { op, map: map as u8, key, value, src, third: None, seen: Vec::new() })
    }

    fn request(&mut self, request: &Request) -> Term {
        let op = request.op;
        let key = request.key.as_ref().map(|key| self.place(key));
        let third = request.third.map(|third| self.value(third));
        let src = match (&request.value_at, request.value) {
            (Some(mem), _) => self.address(mem),
            (None, Some(value)) => self.value(value),
            (None, None) => self.symbols.constant(0),
        };
        let (src, third) = looked_at(self.symbols, op, src, third);
        let map = request.map.filter(|_| op.shape().map == MapUse::Slot).map_or(0, |map| map.0 as u8);
        let value = request.value_at.map(|mem| mem.space);
        let ask = Ask { op, map, key, value, src, third, seen: Vec::new() };
        self.news |= !self.symbols.extent(&ask, request.key_bytes, request.value_bytes);
        self.ask(ask)
    }

    /// Where an update finds its value, as a number.
    fn address(&mut self, mem: &Mem) -> Term {
        let offset = self.symbols.constant(i64::from(mem.offset) as u64);
        let Some(base) = mem.base else { return offset };
        let base = self.value(base);
        self.symbols.belongs(Place { space: mem.space, base: Some(base), offset: 0 }, mem.map);
        if mem.offset == 0 { base } else { self.symbols.alu(AluOp::Add, true, base, offset) }
    }

    /// Makes the request; gives its answer.
    fn ask(&mut self, mut ask: Ask) -> Term {
        (ask.src, ask.third) = looked_at(self.symbols, ask.op, ask.src, ask.third);
        let branches = self.program.branches.len();
        self.program.asked.entry(ask.operands()).or_insert(branches);
        let reads = self.symbols.request_reads(&ask);
        ask.seen = self.seen(|symbols, effect| changes_any(symbols, effect, &reads));
        if is_pure(ask.op) {
            return self.symbols.term(Node::Pure(ask));
        }
        let id = self.add(Effect::Request(ask));
        self.symbols.term(Node::Answer(id))
    }

    fn way(&mut self, jump: &crate::ir::Jump) -> Way {
        let func = self.func;
        let data = &func.blocks[jump.block.at()];
        if let Some(exit) = self.exit(jump.block) {
            return exit;
        }
        let params = data.params.iter().zip(&jump.args).map(|(param, arg)| (*param, self.value(*arg))).collect();
        Way::Block(jump.block, params)
    }

    /// A block that only ends the packet with a constant that a target can hold.
    fn exit(&mut self, block: Block) -> Option<Way> {
        let func = self.func;
        let data = &func.blocks[block.at()];
        if data.insts.iter().any(|inst| !matches!(inst.op, Op::Const(_))) {
            return None;
        }
        match data.term {
            IrTerm::Exit(value) => {
                let constant = self.constants.get(value.at()).copied().flatten()?;
                (constant as u32 <= 4).then_some(())?;
                Some(Way::Exit(self.symbols.constant(u64::from(constant as u32))))
            }
            IrTerm::Unreachable => Some(Way::Nowhere),
            _ => None,
        }
    }

    fn branch(&mut self, condition: Condition, to: Way, other: Option<(Condition, Way)>) {
        let effects = self.program.effects.len();
        self.program.branches.push(Branch { condition, to, effects, other });
    }

    fn term(&mut self, term: &IrTerm, next: Option<Block>) -> Result<(), String> {
        if let Some((func, args)) = self.called.take() {
            let (IrTerm::Jump(jump), None) = (term, next) else { return Err("a trace goes on behind a call".into()) };
            if !jump.args.is_empty() {
                return Err("a call leads to a block with parameters".into());
            }
            self.program.end = Way::Call(func, args, jump.block);
            return Ok(());
        }
        match (term, next) {
            (IrTerm::Return(value), None) => self.program.end = Way::Return(self.value(*value)),
            (IrTerm::Jump(jump), Some(next)) if jump.block == next => {}
            (IrTerm::Jump(jump), None) => self.program.end = self.way(jump),
            (IrTerm::Branch { op, wide, a, b, then, els }, next) => {
                let (a, b) = (self.value(*a), self.value(*b));
                let taken = self.symbols.compare(*op, *wide, a, b);
                let skipped = self.symbols.compare(opposite(*op).ok_or("a branch never taken")?, *wide, a, b);
                let (then_way, els_way) = (self.way(then), self.way(els));
                match next {
                    Some(next) if next == els.block => self.branch(taken, then_way, None),
                    Some(next) if next == then.block => self.branch(skipped, els_way, None),
                    Some(_) => return Err("a trace goes on where no edge leads".into()),
                    None => {
                        self.branch(taken, then_way.clone(), Some((skipped, els_way.clone())));
                        self.program.end = els_way;
                    }
                }
            }
            (IrTerm::Guard { base, len, pass, fail }, next) => {
                let base = base.map(|base| self.value(base));
                let place = self.symbols.place(Space::Packet, base, i64::from(*len));
                let short = Condition::Short(place.base, place.offset as u64);
                let fail = self.way(fail);
                self.branch(short, fail, None);
                match next {
                    Some(next) if next == pass.block => {}
                    Some(_) => return Err("a trace goes on where no edge leads".into()),
                    None => self.program.end = self.way(pass),
                }
            }
            (IrTerm::Exit(value), None) => {
                let value = self.value(*value);
                self.program.end = Way::Exit(self.symbols.low(value, 4));
            }
            (IrTerm::Unreachable, None) => self.program.end = Way::Nowhere,
            _ => return Err("a trace goes on where no edge leads".into()),
        }
        Ok(())
    }
}

/// True if the effect may change one of the places.
pub(super) fn changes_any(symbols: &Symbols, effect: EffectId, places: &[Extent]) -> bool {
    places.iter().any(|(place, bytes)| symbols.changes(effect, place, *bytes))
}

/// The answer is a matter of operands and memory, and asking leaves no trace.
pub(super) fn is_pure(op: RequestOp) -> bool {
    op.is_division() || op == RequestOp::Csum
}

/// The condition that holds exactly if this one does not.
fn opposite(op: CmpOp) -> Option<CmpOp> {
    Some(match op {
        CmpOp::Never => return None,
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Ltu => CmpOp::Geu,
        CmpOp::Geu => CmpOp::Ltu,
        CmpOp::Lts => CmpOp::Ges,
        CmpOp::Ges => CmpOp::Lts,
        CmpOp::Tst => CmpOp::Ntst,
        CmpOp::Ntst => CmpOp::Tst,
    })
}
