//! One load instead of loads and shifts of neighbouring bytes: `b[0] << 8 | b[1]`, byte reversals, masks of loads.

use super::MapTable;
use super::bytes::{Byte, Origins, significant};
use super::rewrite::{Edits, Subst, use_counts};
use crate::ir::{Cfg, Func, Inst, Op, Value};

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let cfg = Cfg::new(func);
    let origins = Origins::new(func, &cfg);
    let uses = use_counts(func);
    let mut subst = Subst::new(func);
    let mut edits = Edits::default();
    let mut values = func.values;
    for &block in &cfg.order {
        for inst in &func.blocks[block.at()].insts {
            let (Some(result), Op::Alu { .. }) = (inst.result, &inst.op) else { continue };
            let bytes = origins.of(result);
            let count = significant(bytes);
            let Some(&Byte::Of(first, _)) = bytes.first().filter(|_| count > 0) else { continue };
            if first == result || uses[result.at()] == 0 {
                continue;
            }
            // All of another value, and nothing else.
            if bytes == origins.of(first) {
                subst.set(result, first);
                continue;
            }
            let Some(load) = origins.one_load(func, &cfg, &bytes[..count]) else { continue };
            // Part of one load that is needed anyway: an operation is cheaper than another load.
            let all = origins.load(first).is_some_and(|site| usize::from(site.size) == count);
            if load.loads == 1 && !all && uses[first.at()] > 1 {
                continue;
            }
            let value = Value(values);
            values += 1;
            let op = Op::Load { mem: load.mem, size: load.size, swap: load.swap, dismiss: false };
            edits.behind(load.block, load.index, Inst { result: Some(value), op, insn: inst.insn });
            subst.set(result, value);
        }
    }
    func.values = values;
    edits.apply(func);
    subst.apply(func);
}
