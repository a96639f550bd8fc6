//! bpf_xdp_load_bytes and bpf_xdp_store_bytes of a few bytes at a known place become a bounds check, loads and stores: no request, and
//! the bytes on the stack become values like any others.
//!
//! The answers stay: 0, or -EINVAL where the packet is too short (net/core/filter.c, bpf_xdp_pointer).

use super::MapTable;
use super::rewrite::constants;
use crate::ir::{Block, BlockData, Func, Inst, Jump, Mem, Op, Request, Term, Value};
use offwire_isa::{RequestOp, Space};

/// Most bytes that are copied so.
const BYTES: u64 = 16;
/// Last byte of the packet that a guard checks without help.
const REACH: u64 = 1023;
/// Most copies of one function: each makes three blocks.
const COPIES: usize = 64;
/// -EINVAL.
const EINVAL: u64 = (-22i64).cast_unsigned();

/// The pass.
pub(super) fn run(func: &mut Func, _: &MapTable) {
    let constants = constants(func);
    for _ in 0..COPIES {
        let found = func.block_ids().find_map(|block| {
            let insts = &func.blocks[block.at()].insts;
            insts.iter().enumerate().find_map(|(index, inst)| Some((block, index, Copy::of(&inst.op, &constants)?)))
        });
        let Some((block, index, copy)) = found else { return };
        split(func, block, index, &copy);
    }
}

/// A copy at a known place.
struct Copy {
    /// Into the packet; else out of it.
    into: bool,
    memory: Mem,
    /// First byte in the packet.
    at: i32,
    bytes: i32,
}

impl Copy {
    fn of(op: &Op, constants: &[Option<u64>]) -> Option<Self> {
        let Op::Request(Request { op, key: Some(memory), value: Some(at), third: Some(bytes), .. }) = op else {
            return None;
        };
        let into = match op {
            RequestOp::LoadBytes => false,
            RequestOp::StoreBytes => true,
            _ => return None,
        };
        // New values are none of those that matter here.
        let constant = |value: Value| constants.get(value.at()).copied().flatten().map(|value| value & 0xffff_ffff);
        let (at, bytes) = (constant(*at)?, constant(*bytes)?);
        let end = at.checked_add(bytes).filter(|end| *end <= REACH)?;
        if !(1..=BYTES).contains(&bytes) || memory.space == Space::Packet {
            return None;
        }
        memory.offset.checked_add(i32::try_from(BYTES).ok()?)?;
        let at = i32::try_from(at).ok()?;
        Some(Copy { into, memory: *memory, at, bytes: i32::try_from(end).ok()?.checked_sub(at)? })
    }
}

/// The block ends with a bounds check; what was behind the request follows in a block of its own.
fn split(func: &mut Func, block: Block, index: usize, copy: &Copy) {
    let next = func.blocks.len() as u32;
    let (done, short, on) = (Block(next), Block(next + 1), Block(next + 2));
    let data = &mut func.blocks[block.at()];
    let rest = data.insts.split_off(index + 1);
    let Some(Inst { result, insn, .. }) = data.insts.pop() else { return };
    let guard = Term::Guard { base: None, len: copy.at + copy.bytes, pass: Jump::to(done), fail: Jump::to(short) };
    let behind = BlockData {
        params: result.into_iter().collect(),
        insts: rest,
        term: std::mem::replace(&mut data.term, guard),
        term_insn: std::mem::replace(&mut data.term_insn, insn),
    };
    let mut insts = Vec::new();
    let mut stores = Vec::new();
    for from in (0..copy.bytes).step_by(8) {
        let size = (copy.bytes - from).min(8) as u8;
        let packet = Mem { space: Space::Packet, map: None, base: None, offset: copy.at + from };
        let memory = Mem { offset: copy.memory.offset + from, ..copy.memory };
        let (source, target) = if copy.into { (memory, packet) } else { (packet, memory) };
        let value = func.new_value();
        insts.push(Inst { result: Some(value), op: Op::Load { mem: source, size, swap: false, dismiss: false }, insn });
        stores.push(Inst { result: None, op: Op::Store { mem: target, size, swap: false, value }, insn });
    }
    insts.append(&mut stores);
    for (answer, insts) in [(0, insts), (EINVAL, Vec::new())] {
        let mut data = BlockData { params: Vec::new(), insts, term: Term::Jump(Jump::to(on)), term_insn: insn };
        if result.is_some() {
            let value = func.new_value();
            data.insts.push(Inst { result: Some(value), op: Op::Const(answer), insn });
            data.term = Term::Jump(Jump { block: on, args: vec![value] });
        }
        func.blocks.push(data);
    }
    func.blocks.push(behind);
}
