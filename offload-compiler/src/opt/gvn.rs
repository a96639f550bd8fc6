//! Computes every pure value once: a later equal operation takes the value of an earlier one that dominates it.

use super::MapTable;
use super::requests;
use super::rewrite::Subst;
use crate::ir::{Block, Cfg, Func, Op, Term, Value};
use offwire_isa::{AluOp, RequestOp};
use std::collections::HashMap;

/// What makes two pure operations equal.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Const(u64),
    Alu(AluOp, bool, Value, Value),
    Division(RequestOp, Option<Value>, Option<Value>),
}

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let mut subst = Subst::new(func);
    // Only looked up, never walked over, so its order does not matter.
    let mut known: HashMap<Key, Vec<(Block, Value)>> = HashMap::new();
    for &block in &cfg.order {
        let data = &mut func.blocks[block.at()];
        data.insts.retain_mut(|inst| {
            inst.op.for_each_use_mut(|value| *value = subst.get(*value));
            let key = match inst.op {
                Op::Const(constant) => Key::Const(constant),
                Op::Alu { op, wide, a, b } => Key::Alu(op, wide, a, b),
                Op::Request(ref request) if requests::is_pure(request) => {
                    Key::Division(request.op, request.value, request.third)
                }
                _ => return true,
            };
            let Some(result) = inst.result else { return true };
            // A block that ends with its own constant can be shared by everybody; see the flow pass.
            if matches!(inst.op, Op::Const(_)) && data.term == Term::Exit(result) {
                return true;
            }
            let same = known.entry(key).or_default();
            match same.iter().find(|(home, _)| cfg.dominates(*home, block)) {
                Some((_, value)) => {
                    subst.set(result, *value);
                    false
                }
                None => {
                    same.push((block, result));
                    true
                }
            }
        });
    }
    subst.apply(func);
}
