//! Metadata that nothing changes is read anew in each block that uses it, so that it takes no register in between.

use crate::ir::{Func, Inst, Mem, Op, Value};
use offwire_isa::{METADATA_BYTES, Space};
use std::collections::BTreeMap;

/// Does it for the whole function. What becomes useless is left.
pub(super) fn remake(func: &mut Func) {
    let moves = func.blocks.iter().flat_map(|block| &block.insts).any(|inst| match &inst.op {
        Op::AdjustHead { .. } | Op::Call { .. } => true,
        Op::Request(request) => request.op.moves_packet(),
        _ => false,
    });
    let constant = |mem: &Mem| {
        mem.space == Space::Scratch && mem.base.is_none() && mem.offset < i32::from(METADATA_BYTES) && !moves
    };
    let mut home: BTreeMap<Value, (usize, Op)> = BTreeMap::new();
    for (at, block) in func.blocks.iter().enumerate() {
        for inst in &block.insts {
            if let (Some(result), Op::Load { mem, .. }) = (inst.result, &inst.op)
                && constant(mem)
            {
                home.insert(result, (at, inst.op.clone()));
            }
        }
    }
    if home.is_empty() {
        return;
    }
    for at in 0..func.blocks.len() {
        let mut copies: BTreeMap<Value, Value> = BTreeMap::new();
        let insts = std::mem::take(&mut func.blocks[at].insts);
        let mut out: Vec<Inst> = Vec::with_capacity(insts.len());
        for mut inst in insts {
            let insn = inst.insn;
            inst.op.for_each_use_mut(|value| anew(func, &home, &mut copies, &mut out, at, insn, value));
            out.push(inst);
        }
        let insn = func.blocks[at].term_insn;
        let mut term = std::mem::replace(&mut func.blocks[at].term, crate::ir::Term::Unreachable);
        term.for_each_use_mut(|value| anew(func, &home, &mut copies, &mut out, at, insn, value));
        func.blocks[at].insts = out;
        func.blocks[at].term = term;
    }
}

/// Replaces a use by one of a load in the same block.
fn anew(
    func: &mut Func,
    home: &BTreeMap<Value, (usize, Op)>,
    copies: &mut BTreeMap<Value, Value>,
    out: &mut Vec<Inst>,
    at: usize,
    insn: crate::ebpf::InsnIdx,
    value: &mut Value,
) {
    let Some((_, op)) = home.get(value).filter(|(block, _)| *block != at) else { return };
    *value = *copies.entry(*value).or_insert_with(|| {
        let copy = func.new_value();
        out.push(Inst { result: Some(copy), op: op.clone(), insn });
        copy
    });
}
