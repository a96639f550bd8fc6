//! The words' side: symbolic execution, compared with the IR's at each way out.

use super::effects::looked_at;
use super::program::{Program, Way, changes_any, is_pure};
use super::symbols::{Ask, Condition, Effect, EffectId, Node, Symbols, Term};
use crate::ir::{Block, Value};
use crate::regalloc::Liveness;
use crate::schedule::code::{Code, Read, Target, VReg, VWord};
use offwire_isa::{Base, CmpOp, KeyUse, MapUse, RequestOp, Space, Src, StoreOp, ValueUse};
use std::collections::HashMap;

type Step<T> = Result<T, String>;

pub(super) struct Walk<'a> {
    code: &'a Code,
    live: &'a Liveness,
    reads_stack: &'a [bool],
    symbols: &'a mut Symbols,
    program: &'a Program,
    /// Values of the IR; higher registers are the scheduler's own.
    values: u32,
    regs: HashMap<VReg, Term>,
    /// Effects done so far, in order.
    effects: Vec<EffectId>,
    counts: HashMap<Effect, u32>,
    /// By branch of the IR: decided.
    decided: Vec<bool>,
    /// The last branch's other side was chosen as the way out.
    swapped: bool,
}

/// What a word's units see.
struct Units {
    ports: [Option<Term>; 3],
    x: [Option<Term>; 2],
    a: [Option<Term>; 2],
    immediates: [Term; 3],
    zero: Term,
}

impl Units {
    fn src(&self, src: Src) -> Step<Term> {
        let term = match src {
            Src::Zero => Some(self.zero),
            Src::Ra => self.ports[0],
            Src::Rb => self.ports[1],
            Src::Rc => self.ports[2],
            Src::X0 => self.x[0],
            Src::X1 => self.x[1],
            Src::A1 => self.a[0],
            Src::A2 => self.a[1],
            Src::I0 => Some(self.immediates[0]),
            Src::I1 => Some(self.immediates[1]),
            Src::Iw => Some(self.immediates[2]),
        };
        term.ok_or_else(|| format!("{src:?} is read, but nothing makes it"))
    }

    fn base(&self, base: Base) -> Step<Option<Term>> {
        match base {
            Base::Zero => Ok(None),
            Base::Ra => self.src(Src::Ra).map(Some),
            Base::Rb => self.src(Src::Rb).map(Some),
            Base::Rc => self.src(Src::Rc).map(Some),
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn run(
        code: &'a Code,
        head: Block,
        live: &'a Liveness,
        reads_stack: &'a [bool],
        symbols: &'a mut Symbols,
        program: &'a Program,
        values: u32,
    ) -> Step<()> {
        let decided = vec![false; program.branches.len()];
        let mut walk = Walk {
            code,
            live,
            reads_stack,
            symbols,
            program,
            values,
            regs: HashMap::new(),
            effects: Vec::new(),
            counts: HashMap::new(),
            decided,
            swapped: false,
        };
        let mut at = code.heads.get(&head).copied().ok_or("the trace has no words")?;
        for _ in 0..=code.words.len() {
            let word = code.words.get(at.at()).ok_or("a word is missing")?;
            match walk.word(word).map_err(|what| format!("word {}: {what}", at.0))? {
                Some(Target::Word(next)) => at = next,
                _ => return walk.order(),
            }
        }
        Err("the words never end".into())
    }

    fn reg(&mut self, reg: VReg) -> Term {
        match self.regs.get(&reg) {
            Some(term) => *term,
            None => match self.named(reg) {
                Some(n) => self.symbols.term(Node::Named(n)),
                None => self.symbols.term(Node::Live(Value(reg.0))),
            },
        }
    }

    /// Which named register it is.
    fn named(&self, reg: VReg) -> Option<u8> {
        self.code.named?.iter().position(|named| *named == reg).map(|n| n as u8)
    }

    /// One word; gives the way on inside the trace.
    fn word(&mut self, word: &VWord) -> Step<Option<Target>> {
        let fields = &word.word;
        let mut units = self.units(word);
        if fields.g_en {
            let base = units.base(fields.g_base)?;
            let place = self.symbols.place(Space::Packet, base, i64::from(fields.g_len));
            let before = self.effects.clone();
            self.leave(Condition::Short(place.base, place.offset as u64), word.t2, &before)?;
        }
        self.loads(word, &mut units)?;
        let a1 = (units.src(fields.a1_a).ok(), units.src(fields.a1_b).ok());
        if let (Some(a), Some(b)) = a1 {
            units.a[0] = Some(self.symbols.alu(fields.a1_op, fields.a1_w, a, b));
        }
        let a2 = (units.src(fields.a2_a).ok(), units.src(fields.a2_b).ok());
        if let (Some(a), Some(b)) = a2 {
            units.a[1] = Some(self.symbols.alu(fields.a2_op, fields.a2_w, a, b));
        }
        let before = self.effects.clone();
        self.stores(word, &units)?;
        let mut written = Vec::new();
        for (src, reg) in &word.writes {
            if *src == Src::Zero {
                return Err("a write back of zero does not happen".into());
            }
            written.push((*reg, units.src(*src)?));
        }
        self.regs.extend(written);
        let sees_a2 = |src: Src| src == Src::A2;
        let compares = [
            (fields.c1_op, fields.c1_w, fields.c1_a, fields.c1_b, word.t1, fields.st_kill1),
            (fields.c2_op, fields.c2_w, fields.c2_a, fields.c2_b, word.t2, fields.st_kill2),
        ];
        for (op, wide, a, b, target, kill) in compares {
            if op == CmpOp::Never {
                continue;
            }
            if sees_a2(a) || sees_a2(b) {
                return Err("a compare cannot see ALU2".into());
            }
            let (a, b) = (units.src(a)?, units.src(b)?);
            let condition = self.symbols.compare(op, wide, a, b);
            let done = if kill { before.clone() } else { self.effects.clone() };
            self.leave(condition, target, &done)?;
        }
        self.request(word, &units)
    }

    fn units(&mut self, word: &VWord) -> Units {
        let fields = &word.word;
        let ports = word.ports.map(|port| match port {
            Read::None => None,
            Read::Reg(reg) => Some(self.reg(reg)),
            Read::Const(constant) => Some(self.symbols.constant(i64::from(constant) as u64)),
        });
        let wide = (i32::from(fields.i1) << 16) | i32::from(fields.i0 as u16);
        let immediates = [i64::from(fields.i0), i64::from(fields.i1), i64::from(wide)];
        Units {
            ports,
            x: [None; 2],
            a: [None; 2],
            immediates: immediates.map(|value| self.symbols.constant(value as u64)),
            zero: self.symbols.constant(0),
        }
    }

    fn loads(&mut self, word: &VWord, units: &mut Units) -> Step<()> {
        let fields = &word.word;
        let extracts =
            [(fields.x0_delta, fields.x0_size, fields.x0_swap), (fields.x1_delta, fields.x1_size, fields.x1_swap)];
        for (n, (delta, size, swap)) in extracts.into_iter().enumerate() {
            if size == 0 {
                continue;
            }
            let base = units.base(fields.ld_base)?;
            let at = self.symbols.place(fields.ld_space, base, i64::from(fields.ld_off) + i64::from(delta));
            let symbols = &*self.symbols;
            let mut seen: Vec<EffectId> = self
                .effects
                .iter()
                .copied()
                .filter(|effect| symbols.changes(*effect, &at, Some(u32::from(size))))
                .collect();
            seen.sort_unstable();
            let term = self.symbols.term(Node::Load { at, size, swap, seen });
            let branches = *self.program.loads.get(&term).ok_or("it loads what the program does not load")?;
            let safe = match at.space {
                Space::Stack | Space::Scratch => at.base.is_none() || fields.ld_dismiss,
                Space::Packet => fields.ld_dismiss,
                Space::MapValue => false,
            };
            if !safe && self.decided[..branches].contains(&false) {
                return Err("a load stands above a check that it needs".into());
            }
            units.x[n] = Some(term);
        }
        Ok(())
    }

    fn stores(&mut self, word: &VWord, units: &Units) -> Step<()> {
        let fields = &word.word;
        let inserts = [
            (fields.s0_delta, fields.s0_size, fields.s0_src, fields.s0_swap),
            (fields.s1_delta, fields.s1_size, fields.s1_src, fields.s1_swap),
        ];
        if fields.st_op == StoreOp::None {
            return Ok(());
        }
        for (delta, size, src, swap) in inserts {
            if size == 0 {
                continue;
            }
            let base = units.base(fields.st_base)?;
            let at = self.symbols.place(fields.st_space, base, i64::from(fields.st_off) + i64::from(delta));
            let value = units.src(src)?;
            let value = self.symbols.low(value, size);
            let effect = match fields.st_op {
                StoreOp::Store => Effect::Store { at, size, swap, value },
                _ => Effect::Add { at, size, value },
            };
            self.add(effect);
        }
        Ok(())
    }

    fn add(&mut self, effect: Effect) -> EffectId {
        let nth = self.counts.entry(effect.clone()).or_insert(0);
        *nth += 1;
        let id = self.symbols.effect_id(effect, *nth);
        self.effects.push(id);
        id
    }

    fn request(&mut self, word: &VWord, units: &Units) -> Step<Option<Target>> {
        let fields = &word.word;
        let src = units.src(fields.q_vsrc)?;
        match fields.q_op {
            RequestOp::None => {}
            RequestOp::Call => {
                let (Some(Target::Func(func)), Some(Target::Head(on))) = (word.t2, word.next) else {
                    return Err("a call leads nowhere".into());
                };
                let named = self.code.named.ok_or("a call without named registers")?;
                if word.answer != Some(named[0]) || word.passes != named.get(1..=word.passes.len()).unwrap_or_default()
                {
                    return Err("a call passes other registers".into());
                }
                let args = word.passes.iter().map(|reg| self.reg(*reg)).collect();
                self.finish(&Way::Call(func, args, on))?;
                return Ok(None);
            }
            RequestOp::Ret => {
                let result = self.code.named.ok_or("a return without named registers")?[0];
                if word.passes != [result] || word.next.is_some() {
                    return Err("a return passes other registers".into());
                }
                let value = self.reg(result);
                self.finish(&Way::Return(value))?;
                return Ok(None);
            }
            RequestOp::Exit => {
                let value = self.symbols.low(src, 4);
                self.finish(&Way::Exit(value))?;
                return Ok(None);
            }
            op => {
                let term = self.ask(op, word, units, src)?;
                match (word.answer, op.shape().answers) {
                    (Some(answer), true) => {
                        self.regs.insert(answer, term);
                    }
                    (None, false) => {}
                    _ => return Err("an answer goes nowhere, or comes from nowhere".into()),
                }
                if fields.q_null {
                    if !op.shape().answers {
                        return Err("an answer is tested that does not come".into());
                    }
                    let zero = self.symbols.constant(0);
                    let condition = self.symbols.compare(CmpOp::Eq, true, term, zero);
                    let done = self.effects.clone();
                    self.leave(condition, word.t2, &done)?;
                }
            }
        }
        match word.next {
            Some(Target::Word(_)) => Ok(word.next),
            Some(Target::Exit(code)) => {
                let value = self.symbols.constant(u64::from(code));
                self.finish(&Way::Exit(value))?;
                Ok(None)
            }
            Some(Target::Head(block)) => {
                self.finish(&Way::Block(block, Vec::new()))?;
                Ok(None)
            }
            Some(Target::Func(_)) | None => Err("the word goes nowhere".into()),
        }
    }

    /// A request to a shared unit; gives its answer.
    fn ask(&mut self, op: RequestOp, word: &VWord, units: &Units, src: Term) -> Step<Term> {
        let (fields, shape) = (&word.word, op.shape());
        let key = match shape.key {
            KeyUse::None => None,
            _ => {
                let base = units.base(fields.q_kbase)?;
                Some(self.symbols.place(fields.q_kspace, base, i64::from(fields.q_koff)))
            }
        };
        let value = (shape.value == ValueUse::Value).then_some(fields.q_vspace);
        let src = if shape.value == ValueUse::None { self.symbols.constant(0) } else { src };
        let third = if shape.third { Some(units.src(Src::Rc)?) } else { None };
        let (src, third) = looked_at(self.symbols, op, src, third);
        let map = if shape.map == MapUse::Slot { fields.q_map } else { 0 };
        let mut ask = Ask { op, map, key, value, src, third, seen: Vec::new() };
        let branches = *self.program.asked.get(&ask).ok_or("it asks what the program does not ask")?;
        if self.decided[..branches].contains(&false) {
            return Err("a request stands above a check that it needs".into());
        }
        let symbols = &*self.symbols;
        let reads = symbols.request_reads(&ask);
        ask.seen = self.effects.iter().copied().filter(|effect| changes_any(symbols, *effect, &reads)).collect();
        ask.seen.sort_unstable();
        if is_pure(op) {
            return Ok(self.symbols.term(Node::Pure(ask)));
        }
        let id = self.add(Effect::Request(ask));
        Ok(self.symbols.term(Node::Answer(id)))
    }

    /// A conditional way out, with the effects done when it is taken.
    fn leave(&mut self, condition: Condition, target: Option<Target>, done: &[EffectId]) -> Step<()> {
        let program = self.program;
        let target = target.ok_or("a branch leads nowhere")?;
        let last = program.branches.len().saturating_sub(1);
        let found = program.branches.iter().enumerate().find_map(|(n, branch)| {
            if self.decided[n] {
                return None;
            }
            if branch.condition == condition && self.leads(target, &branch.to) {
                return Some((n, &branch.to, false));
            }
            let (other, to) = branch.other.as_ref()?;
            (n == last && *other == condition && self.leads(target, to)).then_some((n, to, true))
        });
        let (n, to, swapped) = found.ok_or("it leaves where the program does not")?;
        for earlier in 0..n {
            if !self.decided[earlier] && !self.alike(&program.branches[earlier].to, to) {
                return Err("branches stand in the wrong order".into());
            }
        }
        self.decided[n] = true;
        self.swapped |= swapped;
        self.arrive(to, target, done, &program.effects[..program.branches[n].effects])
    }

    /// True if both end the packet with the same value.
    fn alike(&self, a: &Way, b: &Way) -> bool {
        matches!((a, b), (Way::Exit(a), Way::Exit(b)) if a == b)
    }

    fn leads(&self, target: Target, to: &Way) -> bool {
        match (target, to) {
            (Target::Head(got), Way::Block(wanted, _)) => got == *wanted,
            (Target::Exit(code), Way::Exit(value)) => *self.symbols.node(*value) == Node::Const(u64::from(code)),
            (_, Way::Nowhere) => true,
            _ => false,
        }
    }

    /// The state on a way out must be the IR's.
    fn arrive(&mut self, to: &Way, target: Target, done: &[EffectId], wanted: &[EffectId]) -> Step<()> {
        let stack = match to {
            Way::Block(block, _) => self.reads_stack[block.at()],
            Way::Call(..) => true,
            // Only the function itself reads what stands at known places of its stack.
            Way::Exit(_) | Way::Return(_) | Way::Nowhere => false,
        };
        let symbols = &*self.symbols;
        let counts = |effect: &&EffectId| !symbols.is_silent(**effect) && (stack || !symbols.is_private(**effect));
        let set = |effects: &[EffectId]| {
            let mut set: Vec<EffectId> = effects.iter().filter(counts).copied().collect();
            set.sort_unstable();
            set.dedup();
            set
        };
        let (got, wanted) = (set(done), set(wanted));
        if got != wanted && !matches!(to, Way::Nowhere) {
            let missing = wanted.iter().filter(|effect| got.binary_search(effect).is_err()).count();
            let extra = got.iter().filter(|effect| wanted.binary_search(effect).is_err()).count();
            return Err(format!("{missing} effects are missing and {extra} too many on a way out"));
        }
        let (params, result) = match to {
            Way::Block(_, params) => (&params[..], None),
            Way::Call(..) => (&[][..], self.code.named.map(|named| named[0])),
            Way::Exit(_) | Way::Return(_) | Way::Nowhere => return Ok(()),
        };
        let head = self.code.word_of(target).ok_or("the target has no words")?;
        let live: Vec<VReg> = self.live.live_in(head).collect();
        for reg in live.into_iter().filter(|reg| Some(*reg) != result) {
            let value = Value(reg.0);
            let wanted = match params.iter().find(|(param, _)| *param == value) {
                Some((_, term)) => *term,
                None if reg.0 >= self.values => return Err(format!("v{} crosses traces", reg.0)),
                None => match self.program.values.get(&value) {
                    Some(term) => *term,
                    None => self.symbols.term(Node::Live(value)),
                },
            };
            if self.reg(reg) != wanted {
                return Err(format!("v{} has the wrong value on a way out", reg.0));
            }
        }
        Ok(())
    }

    /// The last way out.
    fn finish(&mut self, got: &Way) -> Step<()> {
        if self.decided.contains(&false) {
            return Err("a branch is missing".into());
        }
        let program = self.program;
        let wanted = match program.branches.last() {
            Some(branch) if self.swapped => &branch.to,
            _ => &program.end,
        };
        let done = self.effects.clone();
        match (got, wanted) {
            (_, Way::Nowhere) => Ok(()),
            (Way::Exit(a), Way::Exit(b)) if a == b => self.arrive(wanted, Target::Exit(0), &done, &program.effects),
            (Way::Call(..), Way::Call(_, _, on)) if got == wanted => {
                self.arrive(wanted, Target::Head(*on), &done, &program.effects)
            }
            (Way::Return(a), Way::Return(b)) if a == b => self.arrive(wanted, Target::Exit(0), &done, &program.effects),
            (Way::Block(a, _), Way::Block(b, _)) if a == b => {
                self.arrive(wanted, Target::Head(*a), &done, &program.effects)
            }
            _ => Err("the trace ends elsewhere".into()),
        }
    }

    /// Effects that may conflict stand in program order.
    fn order(&self) -> Step<()> {
        let place: HashMap<EffectId, usize> = self.effects.iter().enumerate().map(|(n, id)| (*id, n)).collect();
        for (n, later) in self.program.effects.iter().enumerate() {
            for earlier in &self.program.effects[..n] {
                if let (Some(first), Some(second)) = (place.get(earlier), place.get(later))
                    && first > second
                    && self.symbols.conflict(*earlier, *later)
                {
                    return Err("two effects stand in the wrong order".into());
                }
            }
        }
        Ok(())
    }
}
