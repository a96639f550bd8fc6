//! Walking over the operands of instructions and terminators.

use super::{Block, Func, FuncIdx, Inst, Jump, Mem, Op, Term, Value};
use offwire_isa::RequestOp;

impl Mem {
    /// The value in the address, if there is one.
    pub fn uses(&self) -> impl Iterator<Item = Value> {
        self.base.into_iter()
    }
}

impl Op {
    /// Calls `each` for every value that the operation uses, in order, repeats included.
    pub fn for_each_use(&self, mut each: impl FnMut(Value)) {
        let mut copy = self.clone();
        copy.for_each_use_mut(|value| each(*value));
    }

    /// As [`Op::for_each_use`], to change them.
    pub fn for_each_use_mut(&mut self, mut each: impl FnMut(&mut Value)) {
        fn mem(mem: &mut Mem, each: &mut impl FnMut(&mut Value)) {
            if let Some(base) = &mut mem.base {
                each(base);
            }
        }
        match self {
            Op::Const(_) | Op::Named(_) => {}
            Op::Call { args, .. } => args.iter_mut().for_each(each),
            Op::Alu { a, b, .. } => {
                each(a);
                each(b);
            }
            Op::Load { mem: m, .. } => mem(m, &mut each),
            Op::Store { mem: m, value, .. } | Op::AtomicAdd { mem: m, value, .. } => {
                mem(m, &mut each);
                each(value);
            }
            Op::Lookup { key, .. } | Op::Delete { key, .. } => mem(key, &mut each),
            Op::Update { key, value, .. } => {
                mem(key, &mut each);
                mem(value, &mut each);
            }
            Op::AdjustHead { delta } => each(delta),
            Op::Request(request) => {
                request.key.iter_mut().chain(&mut request.value_at).for_each(|at| mem(at, &mut each));
                request.value.iter_mut().chain(&mut request.third).for_each(&mut each);
            }
        }
    }

    /// True if nothing but its result can be noticed, so it may go when the result is unused. Loads are: verified programs
    /// never fault.
    pub fn is_removable(&self) -> bool {
        match self {
            Op::Const(_) | Op::Alu { .. } | Op::Load { .. } | Op::Lookup { .. } | Op::Named(_) => true,
            Op::Request(request) => request.op.is_silent() || request.op == RequestOp::LookupIn,
            _ => false,
        }
    }

    /// True if the result depends on the operands alone.
    pub fn is_pure(&self) -> bool {
        match self {
            Op::Const(_) | Op::Alu { .. } => true,
            Op::Request(request) => request.op.is_division(),
            _ => false,
        }
    }
}

impl Term {
    /// Where it may go on, in order: taken or pass first.
    pub fn jumps(&self) -> impl Iterator<Item = &Jump> {
        let (first, second) = match self {
            Term::Jump(jump) => (Some(jump), None),
            Term::Branch { then, els, .. } => (Some(then), Some(els)),
            Term::Guard { pass, fail, .. } => (Some(pass), Some(fail)),
            Term::Exit(_) | Term::Return(_) | Term::Unreachable => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Both ways of a branch or guard: taken or pass first.
    pub fn two_ways(&self) -> Option<(&Jump, &Jump)> {
        match self {
            Term::Branch { then, els, .. } => Some((then, els)),
            Term::Guard { pass, fail, .. } => Some((pass, fail)),
            Term::Jump(_) | Term::Exit(_) | Term::Return(_) | Term::Unreachable => None,
        }
    }

    /// As [`Term::jumps`], to change them.
    pub fn jumps_mut(&mut self) -> impl Iterator<Item = &mut Jump> {
        let (first, second) = match self {
            Term::Jump(jump) => (Some(jump), None),
            Term::Branch { then, els, .. } => (Some(then), Some(els)),
            Term::Guard { pass, fail, .. } => (Some(pass), Some(fail)),
            Term::Exit(_) | Term::Return(_) | Term::Unreachable => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Calls `each` for every value that the terminator itself uses, jump arguments not included.
    pub fn for_each_own_use(&self, mut each: impl FnMut(Value)) {
        match self {
            Term::Branch { a, b, .. } => {
                each(*a);
                each(*b);
            }
            Term::Guard { base: Some(base), .. } => each(*base),
            Term::Exit(value) | Term::Return(value) => each(*value),
            Term::Jump(_) | Term::Guard { base: None, .. } | Term::Unreachable => {}
        }
    }

    /// Calls `each` for every value that the terminator uses, jump arguments included.
    pub fn for_each_use(&self, mut each: impl FnMut(Value)) {
        self.for_each_own_use(&mut each);
        for jump in self.jumps() {
            jump.args.iter().copied().for_each(&mut each);
        }
    }

    /// As [`Term::for_each_use`], to change them.
    pub fn for_each_use_mut(&mut self, mut each: impl FnMut(&mut Value)) {
        match self {
            Term::Branch { a, b, .. } => {
                each(a);
                each(b);
            }
            Term::Guard { base: Some(base), .. } => each(base),
            Term::Exit(value) | Term::Return(value) => each(value),
            Term::Jump(_) | Term::Guard { base: None, .. } | Term::Unreachable => {}
        }
        for jump in self.jumps_mut() {
            jump.args.iter_mut().for_each(&mut each);
        }
    }
}

impl Func {
    /// A value that nobody has used yet.
    pub fn new_value(&mut self) -> Value {
        let value = Value(self.values);
        self.values += 1;
        value
    }

    /// One more than the highest value that appears.
    pub fn used_values(&self) -> u32 {
        let mut used = 0;
        self.for_each_value(|value| used = used.max(value.0.saturating_add(1)));
        used
    }

    /// Calls `each` for every value that appears anywhere.
    fn for_each_value(&self, mut each: impl FnMut(Value)) {
        for block in &self.blocks {
            block.params.iter().copied().for_each(&mut each);
            for Inst { result, op, .. } in &block.insts {
                result.iter().copied().for_each(&mut each);
                op.for_each_use(&mut each);
            }
            block.term.for_each_use(&mut each);
        }
    }

    /// The blocks by number.
    pub fn block_ids(&self) -> impl Iterator<Item = Block> + use<> {
        (0..self.blocks.len() as u32).map(Block)
    }
}

impl FuncIdx {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl Value {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl Block {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }

    /// Block 0.
    pub const ENTRY: Block = Block(0);
}

impl Jump {
    /// A jump without arguments.
    pub fn to(block: Block) -> Self {
        Jump { block, args: Vec::new() }
    }
}
