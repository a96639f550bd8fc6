//! Keeps stack slots in values: slots that are only loaded and stored whole, at constant addresses, by no request.

use super::MapTable;
use super::alias::{self, Place};
use super::rewrite::{Subst, low_bits};
use crate::ir::{Block, Cfg, Func, Inst, Jump, Op, Value};
use offwire_isa::{AluOp, Space};
use std::collections::{BTreeMap, BTreeSet};

/// A slot: offset and size.
type Slot = (i32, u8);

/// The pass.
pub(super) fn run(func: &mut Func, maps: &MapTable) {
    let slots = promotable(func, maps);
    if slots.is_empty() {
        return;
    }
    let cfg = Cfg::new(func);
    let live = live_slots(func, &cfg, &slots);
    let mut promoter = Promoter { values: func.values, subst: Subst::new(func), out: Vec::new() };
    // Each block with several predecessors gets a parameter for each live slot.
    let joins = |block: Block| cfg.preds[block.at()].len() > 1;
    let mut params: Vec<BTreeMap<Slot, Value>> = vec![BTreeMap::new(); func.blocks.len()];
    for &block in cfg.order.iter().filter(|block| joins(**block)) {
        for slot in &live[block.at()] {
            let param = promoter.new_value();
            func.blocks[block.at()].params.push(param);
            params[block.at()].insert(*slot, param);
        }
    }
    let mut ends: Vec<BTreeMap<Slot, Value>> = vec![BTreeMap::new(); func.blocks.len()];
    for &block in &cfg.order {
        let mut held = match cfg.preds[block.at()].first() {
            _ if joins(block) => params[block.at()].clone(),
            Some(pred) => ends[pred.at()].clone(),
            None => BTreeMap::new(),
        };
        let data = &mut func.blocks[block.at()];
        let mut term = data.term.clone();
        for inst in std::mem::take(&mut data.insts) {
            promoter.inst(inst, &slots, &mut held);
        }
        for jump in term.jumps_mut() {
            promoter.arguments(jump, &params, &held, data.term_insn);
        }
        data.term = term;
        data.insts = std::mem::take(&mut promoter.out);
        held.retain(|slot, _| term_reaches(&data.term, &live, slot));
        ends[block.at()] = held;
    }
    func.values = promoter.values;
    promoter.subst.apply(func);
}

fn term_reaches(term: &crate::ir::Term, live: &[BTreeSet<Slot>], slot: &Slot) -> bool {
    term.jumps().any(|jump| live[jump.block.at()].contains(slot))
}

struct Promoter {
    values: u32,
    subst: Subst,
    out: Vec<Inst>,
}

impl Promoter {
    fn new_value(&mut self) -> Value {
        let value = Value(self.values);
        self.values += 1;
        value
    }

    fn emit(&mut self, op: Op, insn: crate::ebpf::InsnIdx) -> Value {
        let value = self.new_value();
        self.out.push(Inst { result: Some(value), op, insn });
        value
    }

    fn inst(&mut self, inst: Inst, slots: &BTreeSet<Slot>, held: &mut BTreeMap<Slot, Value>) {
        match (&inst.op, inst.result) {
            (&Op::Store { mem, size, swap, value }, _) if is_slot(slots, &Place::new(mem, size)) => {
                let value = self.cut(value, size, inst.insn);
                let value = self.swap(value, size, swap, inst.insn);
                held.insert((mem.offset, size), value);
            }
            (&Op::Load { mem, size, swap, .. }, Some(result)) if is_slot(slots, &Place::new(mem, size)) => {
                let value = match held.get(&(mem.offset, size)) {
                    Some(value) => *value,
                    // Nothing was stored: the stack starts as zeros.
                    None => self.emit(Op::Const(0), inst.insn),
                };
                let value = self.swap(value, size, swap, inst.insn);
                self.subst.set(result, value);
            }
            _ => self.out.push(inst),
        }
    }

    fn arguments(
        &mut self,
        jump: &mut Jump,
        params: &[BTreeMap<Slot, Value>],
        held: &BTreeMap<Slot, Value>,
        insn: crate::ebpf::InsnIdx,
    ) {
        for slot in params[jump.block.at()].keys() {
            let value = match held.get(slot) {
                Some(value) => *value,
                None => self.emit(Op::Const(0), insn),
            };
            jump.args.push(value);
        }
    }

    /// The low bytes, zero-extended.
    fn cut(&mut self, value: Value, size: u8, insn: crate::ebpf::InsnIdx) -> Value {
        let op = match size {
            8.. => return value,
            1 => Op::Alu { op: AluOp::Zext8, wide: true, a: value, b: value },
            2 => Op::Alu { op: AluOp::Zext16, wide: true, a: value, b: value },
            4 => Op::Alu { op: AluOp::Mov, wide: false, a: value, b: value },
            _ => {
                let b = self.emit(Op::Const(low_bits(8 * u32::from(size))), insn);
                Op::Alu { op: AluOp::And, wide: true, a: value, b }
            }
        };
        self.emit(op, insn)
    }

    fn swap(&mut self, value: Value, size: u8, swap: bool, insn: crate::ebpf::InsnIdx) -> Value {
        let op = match size {
            2 if swap => AluOp::Bswap16,
            4 if swap => AluOp::Bswap32,
            8 if swap => AluOp::Bswap64,
            _ => return value,
        };
        self.emit(Op::Alu { op, wide: true, a: value, b: value }, insn)
    }
}

/// True if the place is one of the slots.
fn is_slot(slots: &BTreeSet<Slot>, place: &Place) -> bool {
    place.mem.space == Space::Stack
        && place.mem.base.is_none()
        && u8::try_from(place.size).is_ok_and(|size| slots.contains(&(place.mem.offset, size)))
}

/// Slots that are accessed whole and by loads and stores only.
fn promotable(func: &Func, maps: &MapTable) -> BTreeSet<Slot> {
    let mut slots: BTreeSet<Slot> = BTreeSet::new();
    // Ranges that keep a slot in memory.
    let mut fixed: Vec<(i64, i64)> = Vec::new();
    for inst in func.blocks.iter().flat_map(|block| &block.insts) {
        let accessed: Vec<Place> = match &inst.op {
            Op::Store { mem, size, swap, .. } | Op::Load { mem, size, swap, .. } if mem.space == Space::Stack => {
                if mem.base.is_some() {
                    return BTreeSet::new();
                }
                if !swap || matches!(size, 1 | 2 | 4 | 8) {
                    slots.insert((mem.offset, *size));
                    continue;
                }
                vec![Place::new(*mem, *size)]
            }
            op => {
                let places = alias::reads(op, maps).into_iter().chain(alias::request_writes(op));
                places.filter(|place| place.mem.space == Space::Stack).collect()
            }
        };
        for place in accessed {
            if place.mem.base.is_some() {
                return BTreeSet::new();
            }
            fixed.push(place.range());
        }
    }
    let range = |slot: &Slot| (i64::from(slot.0), i64::from(slot.0) + i64::from(slot.1));
    let meet = |a: (i64, i64), b: (i64, i64)| a.0 < b.1 && b.0 < a.1;
    let alone = |slot: &&Slot| {
        let own = range(slot);
        slots.iter().all(|other| other == *slot || !meet(range(other), own))
            && !fixed.iter().any(|fixed| meet(*fixed, own))
    };
    slots.iter().filter(alone).copied().collect()
}

/// Slots that may be loaded before they are stored, at the start of each block.
fn live_slots(func: &Func, cfg: &Cfg, slots: &BTreeSet<Slot>) -> Vec<BTreeSet<Slot>> {
    let mut live: Vec<BTreeSet<Slot>> = vec![BTreeSet::new(); func.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for &block in cfg.order.iter().rev() {
            let data = &func.blocks[block.at()];
            let mut now: BTreeSet<Slot> = data.term.jumps().flat_map(|jump| &live[jump.block.at()]).copied().collect();
            for inst in data.insts.iter().rev() {
                match &inst.op {
                    Op::Store { mem, size, .. } if is_slot(slots, &Place::new(*mem, *size)) => {
                        now.remove(&(mem.offset, *size));
                    }
                    Op::Load { mem, size, .. } if is_slot(slots, &Place::new(*mem, *size)) => {
                        now.insert((mem.offset, *size));
                    }
                    _ => {}
                }
            }
            changed |= now != live[block.at()];
            live[block.at()] = now;
        }
    }
    live
}
