//! Does a program compute with the number of its CPU?

use crate::ir::{Func, Mem, Op, Term};
use crate::object::Object;
use offwire_isa::{KeyUse, METADATA_VCPU, RequestOp, STACK_BYTES, Space};
use std::collections::BTreeSet;

/// True unless the vCPU's number is only stored: into packet or map values, or on the stack where nothing but the value of an
/// update reads it.
pub(super) fn builds_on_cpu(func: &Func, object: &Object) -> bool {
    let insts = || func.blocks.iter().flat_map(|block| &block.insts);
    let mut numbers = BTreeSet::new();
    for inst in insts() {
        if let (Op::Load { mem: Mem { space: Space::Scratch, offset, .. }, size, .. }, Some(result)) =
            (&inst.op, inst.result)
            && *offset < i32::from(METADATA_VCPU) + 4
            && offset + i32::from(*size) > i32::from(METADATA_VCPU)
        {
            numbers.insert(result);
        }
    }
    if numbers.is_empty() {
        return false;
    }
    let mut builds = false;
    let mut on_stack: Vec<(i64, i64)> = Vec::new();
    for inst in insts() {
        match &inst.op {
            Op::Store { mem, size, value, .. } if numbers.contains(value) => {
                builds |= mem.base.is_some_and(|base| numbers.contains(&base));
                if mem.space == Space::Stack {
                    builds |= mem.base.is_some();
                    on_stack.push((i64::from(mem.offset), i64::from(mem.offset) + i64::from(*size)));
                }
            }
            op => op.for_each_use(|value| builds |= numbers.contains(&value)),
        }
    }
    for block in &func.blocks {
        block.term.for_each_own_use(|value| builds |= numbers.contains(&value) && !matches!(block.term, Term::Exit(_)));
        // A parameter is another name that would have to be followed.
        block.term.jumps().flat_map(|jump| &jump.args).for_each(|value| builds |= numbers.contains(value));
        if let Term::Exit(value) = block.term {
            builds |= numbers.contains(&value);
        }
    }
    // A function that is called, or the caller, may read the stack as well.
    let is_called = func.blocks.iter().any(|block| matches!(block.term, Term::Return(_)));
    builds |= !on_stack.is_empty() && (is_called || insts().any(|inst| matches!(inst.op, Op::Call { .. })));
    // Who reads those bytes of the stack?
    let meets = |mem: &Mem, size: u32| {
        let (start, end) = (i64::from(mem.offset), i64::from(mem.offset) + i64::from(size));
        mem.space == Space::Stack
            && (mem.base.is_some() || on_stack.iter().any(|(low, high)| *low < end && start < *high))
    };
    for inst in insts().filter(|_| !on_stack.is_empty()) {
        builds |= match &inst.op {
            Op::Load { mem, size, .. } => meets(mem, u32::from(*size)),
            Op::Lookup { map, key } | Op::Delete { map, key } | Op::Update { map, key, .. } => {
                let size = object.maps.get(usize::from(map.0)).map_or(u32::from(STACK_BYTES), |map| map.spec.key_size);
                meets(key, size)
            }
            // Events only carry bytes away, and what is summed up or stored is not known by its number.
            Op::Request(request) => {
                let event = matches!(
                    request.op,
                    RequestOp::RingOutput | RequestOp::PerfOutput | RequestOp::Printk | RequestOp::PrintkText
                );
                let reads = !event && !matches!(request.op.shape().key, KeyUse::None | KeyUse::WritesW);
                reads && request.key.as_ref().is_some_and(|key| meets(key, request.key_bytes))
            }
            _ => false,
        };
    }
    builds
}
