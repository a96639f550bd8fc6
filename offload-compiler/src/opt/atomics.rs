//! `value += x` on a per-CPU value becomes a posted atomic add, where nobody looks at the old value.
//!
//! On the host no two packets of a CPU overlap, so the load, the add and the store are as good as one. On the device they are one
//! only so, and then packets of one vCPU may overlap ([`crate::dispatch`]); nor does the program wait for the load. Values of maps
//! that all CPUs share stay as the program has them: there the host may lose counts too.

use super::MapTable;
use super::alias::{self, Place};
use super::rewrite::{constants, use_counts};
use crate::ir::{Func, Inst, Mem, Op, Value};
use offwire_isa::{AluOp, Space};

/// The pass.
pub(super) fn run(func: &mut Func, maps: &MapTable) {
    let constants = constants(func);
    let uses = use_counts(func);
    for block in &mut func.blocks {
        for at in 0..block.insts.len() {
            if let Some(op) = atomic_add(&block.insts, at, maps, &constants, &uses) {
                // The load and the sum have no use any more; the dead pass takes them.
                block.insts[at].op = op;
            }
        }
    }
}

/// The atomic add that the store at this index can be.
fn atomic_add(insts: &[Inst], at: usize, maps: &MapTable, constants: &[Option<u64>], uses: &[u32]) -> Option<Op> {
    let &Op::Store { mem, size, swap: false, value } = &insts[at].op else { return None };
    if mem.space != Space::MapValue || !matches!(size, 4 | 8) || !maps.get(mem.map?)?.per_cpu || uses[value.at()] != 1 {
        return None;
    }
    let &Op::Alu { op: AluOp::Add, wide, a, b } = &defined(insts, value)?.1.op else { return None };
    if size == 8 && !wide {
        return None;
    }
    [(a, b), (b, a)].into_iter().find_map(|(old, addend)| {
        let (from, load) = defined(insts, old)?;
        let same = |other: &Mem| {
            (other.space, other.map, other.offset) == (mem.space, mem.map, mem.offset)
                && alias::same_base(constants, other.base, mem.base)
        };
        let own = matches!(&load.op, Op::Load { mem, size: n, swap: false, .. } if same(mem) && *n == size);
        let place = Place::new(mem, size);
        let untouched = || insts[from..at].iter().all(|inst| !alias::clobbers(constants, &inst.op, &place));
        (own && old != addend && uses[old.at()] == 1 && untouched()).then_some(Op::AtomicAdd {
            mem,
            size,
            value: addend,
        })
    })
}

/// The instruction of this block that defines the value.
fn defined(insts: &[Inst], value: Value) -> Option<(usize, &Inst)> {
    insts.iter().enumerate().find(|(_, inst)| inst.result == Some(value))
}
