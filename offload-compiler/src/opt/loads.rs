//! Gives loads the value that memory is known to hold: from an earlier load or store with nothing in between that may change it.

use super::MapTable;
use super::alias::{self, Overlap, Place};
use super::known;
use super::rewrite::{Subst, constants, low_bits};
use crate::ir::{Block, Cfg, Func, Inst, Op, Value};
use offwire_isa::{AluOp, Space};

/// Most places that are remembered; older ones are forgotten first.
const REMEMBERED: usize = 64;

/// What is known of some bytes.
#[derive(Clone, PartialEq, Eq)]
struct Held {
    place: Place,
    /// Reading them so gives the value.
    swap: bool,
    value: Value,
    /// The value has no more bytes than the place; else it must be cut.
    exact: bool,
}

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let maybe = known::maybe_ones(func, &cfg);
    let writers: Vec<Op> = func
        .blocks
        .iter()
        .flat_map(|block| &block.insts)
        .map(|inst| &inst.op)
        .filter(|op| alias::writes(op))
        .cloned()
        .collect();
    let mut pass =
        Pass { constants: constants(func), maybe, subst: Subst::new(func), values: func.values, held: Vec::new() };
    let mut ends: Vec<Option<Vec<Held>>> = vec![None; func.blocks.len()];
    for &block in &cfg.order {
        pass.held = meet(&cfg, block, &ends, &pass.constants, &writers);
        let mut out = Vec::new();
        for inst in std::mem::take(&mut func.blocks[block.at()].insts) {
            pass.inst(inst, &mut out);
        }
        func.blocks[block.at()].insts = out;
        ends[block.at()] = Some(std::mem::take(&mut pass.held));
    }
    func.values = pass.values;
    pass.subst.apply(func);
}

/// What is known at the start of the block: what all predecessors agree on.
fn meet(cfg: &Cfg, block: Block, ends: &[Option<Vec<Held>>], constants: &[Option<u64>], writers: &[Op]) -> Vec<Held> {
    let preds = &cfg.preds[block.at()];
    let mut known = preds.iter().filter_map(|pred| ends[pred.at()].as_ref());
    let Some(first) = known.next() else { return Vec::new() };
    let rest: Vec<&Vec<Held>> = known.collect();
    let mut held: Vec<Held> =
        first.iter().filter(|held| rest.iter().all(|other| other.contains(held))).cloned().collect();
    if preds.iter().any(|pred| ends[pred.at()].is_none()) {
        // A loop: only what nothing in the program changes.
        held.retain(|held| !writers.iter().any(|op| alias::clobbers(constants, op, &held.place)));
    }
    held
}

struct Pass {
    constants: Vec<Option<u64>>,
    maybe: Vec<u64>,
    subst: Subst,
    values: u32,
    held: Vec<Held>,
}

impl Pass {
    fn inst(&mut self, mut inst: Inst, out: &mut Vec<Inst>) {
        inst.op.for_each_use_mut(|value| *value = self.subst.get(*value));
        if let (&Op::Load { mem, size, swap, dismiss: false }, Some(result)) = (&inst.op, inst.result) {
            let place = Place::new(mem, size);
            if let Some(value) = self.find(&place, swap, &inst, out) {
                self.subst.set(result, value);
                return;
            }
            self.remember(Held { place, swap, value: result, exact: true });
            out.push(inst);
            return;
        }
        if alias::writes(&inst.op) {
            self.held.retain(|held| !alias::clobbers(&self.constants, &inst.op, &held.place));
        }
        if let &Op::Store { mem, size, swap, value } = &inst.op {
            let maybe = self.maybe.get(value.at()).copied().unwrap_or(u64::MAX);
            let exact = maybe <= low_bits(8 * u32::from(size));
            self.remember(Held { place: Place::new(mem, size), swap, value, exact });
        }
        out.push(inst);
    }

    fn remember(&mut self, held: Held) {
        if self.held.len() >= REMEMBERED {
            self.held.remove(0);
        }
        self.held.push(held);
    }

    /// The value of the load, from what is known.
    fn find(&mut self, place: &Place, swap: bool, load: &Inst, out: &mut Vec<Inst>) -> Option<Value> {
        let at = |held: &Held| match alias::overlap(&self.constants, &held.place, place) {
            Overlap::At(at) => Some(at),
            _ => None,
        };
        let same = self
            .held
            .iter()
            .rev()
            .find(|held| at(held) == Some(0) && held.place.size == place.size && held.swap == swap);
        if let Some(Held { value, exact, .. }) = same.cloned() {
            return Some(if exact { value } else { self.cut(value, place.size, load, out) });
        }
        // Part of a wider value: worth an operation only if the store may go for it.
        if place.mem.space != Space::Stack || swap {
            return None;
        }
        let inside = |held: &&Held| {
            at(held).is_some_and(|at| at >= 0 && at + i64::from(place.size) <= i64::from(held.place.size)) && !held.swap
        };
        let held = self.held.iter().rev().find(inside)?;
        let (wide, by) = (held.value, at(held)?.unsigned_abs() * 8);
        let value = if by == 0 {
            wide
        } else {
            let by = self.emit(Op::Const(by), load, out);
            self.emit(Op::Alu { op: AluOp::Rsh, wide: true, a: wide, b: by }, load, out)
        };
        Some(self.cut(value, place.size, load, out))
    }

    fn cut(&mut self, value: Value, bytes: u32, load: &Inst, out: &mut Vec<Inst>) -> Value {
        let op = match bytes {
            8.. => return value,
            1 => Op::Alu { op: AluOp::Zext8, wide: true, a: value, b: value },
            2 => Op::Alu { op: AluOp::Zext16, wide: true, a: value, b: value },
            4 => Op::Alu { op: AluOp::Mov, wide: false, a: value, b: value },
            _ => {
                let mask = self.emit(Op::Const(low_bits(8 * bytes)), load, out);
                Op::Alu { op: AluOp::And, wide: true, a: value, b: mask }
            }
        };
        self.emit(op, load, out)
    }

    fn emit(&mut self, op: Op, like: &Inst, out: &mut Vec<Inst>) -> Value {
        let value = Value(self.values);
        self.values += 1;
        out.push(Inst { result: Some(value), op, insn: like.insn });
        value
    }
}
