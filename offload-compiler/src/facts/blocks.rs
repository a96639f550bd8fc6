//! Basic blocks and functions of a program, for the fixpoint.

use crate::ebpf::{Imm64, Insn, InsnIdx};
use crate::verify::protos::number;

/// Block boundaries by instruction, and which functions may change the packet.
pub(super) struct Blocks {
    /// First instruction of each block, ascending.
    pub(super) starts: Vec<usize>,
    /// Block that starts at an instruction.
    block_at: Vec<Option<usize>>,
    /// For each block the entry instruction of its function, by address.
    function: Vec<usize>,
    /// Entry instructions of functions that may move the packet's data, themselves or through calls.
    changes_packet: Vec<usize>,
    /// The same for those that may give back a record.
    releases: Vec<usize>,
    /// Functions whose address is taken.
    pub(super) callbacks: Vec<InsnIdx>,
}

impl Blocks {
    pub(super) fn new(insns: &[Insn]) -> Self {
        let mut starts = vec![0];
        let mut entries = vec![0];
        let mut callbacks = Vec::new();
        for (at, insn) in insns.iter().enumerate() {
            match *insn {
                Insn::Jump { target } | Insn::JumpIf { target, .. } => {
                    starts.extend([target.at(), at.saturating_add(1)])
                }
                Insn::CallLocal { target } => {
                    starts.extend([target.at(), at.saturating_add(1)]);
                    entries.push(target.at());
                }
                Insn::LoadImm64 { value: Imm64::Func(target), .. } => {
                    starts.push(target.at());
                    entries.push(target.at());
                    callbacks.push(target);
                }
                Insn::Exit => starts.push(at.saturating_add(1)),
                _ => {}
            }
        }
        starts.retain(|&start| start < insns.len());
        starts.sort_unstable();
        starts.dedup();
        entries.sort_unstable();
        entries.dedup();
        let mut block_at = vec![None; insns.len()];
        for (block, &start) in starts.iter().enumerate() {
            if let Some(place) = block_at.get_mut(start) {
                *place = Some(block);
            }
        }
        let function = starts.iter().map(|&start| function_of(&entries, start)).collect();
        // A program that a tail call goes to may do all that there is, and then returns to the caller.
        let changes = |id| id == number::TAIL_CALL || super::step::changes_packet(id);
        let changes_packet = functions_with(insns, &entries, changes);
        let releases = functions_with(insns, &entries, super::step::releases);
        callbacks.sort_unstable();
        callbacks.dedup();
        Blocks { starts, block_at, function, changes_packet, releases, callbacks }
    }

    /// The block that starts at the instruction.
    pub(super) fn at(&self, insn: InsnIdx) -> Option<usize> {
        self.block_at.get(insn.at()).copied().flatten()
    }

    /// Entry instruction of the function that a block belongs to.
    pub(super) fn function(&self, block: usize) -> usize {
        self.function.get(block).copied().unwrap_or(0)
    }

    /// True if a call of the function may move the packet's data.
    pub(super) fn changes_packet(&self, entry: InsnIdx) -> bool {
        self.changes_packet.contains(&entry.at())
    }

    /// True if a call of the function may give back a record.
    pub(super) fn releases(&self, entry: InsnIdx) -> bool {
        self.releases.contains(&entry.at())
    }
}

fn function_of(entries: &[usize], insn: usize) -> usize {
    let after = entries.partition_point(|&entry| entry <= insn);
    entries.get(after.saturating_sub(1)).copied().unwrap_or(0)
}

/// Functions that call such a helper, themselves or through calls.
fn functions_with(insns: &[Insn], entries: &[usize], is: impl Fn(u32) -> bool) -> Vec<usize> {
    let mut changers = Vec::new();
    loop {
        let before = changers.len();
        for (at, insn) in insns.iter().enumerate() {
            let changes = match *insn {
                Insn::CallHelper { id } => is(id),
                Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } => {
                    changers.contains(&target.at())
                }
                Insn::CallKfunc { .. } => true,
                _ => false,
            };
            let function = function_of(entries, at);
            if changes && !changers.contains(&function) {
                changers.push(function);
            }
        }
        if changers.len() == before {
            return changers;
        }
    }
}
