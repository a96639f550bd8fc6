//! Helpers that change or read the packet: the interpreter against the kernel.

mod common;

use common::*;
use offload_compiler::ebpf::{Cond, Insn, Operand, Size};
use offwire_harness::PacketIn;

const REDIRECT: u32 = 23;
const CSUM_DIFF: u32 = 28;
const ADJUST_HEAD: u32 = 44;
const ADJUST_META: u32 = 54;
const ADJUST_TAIL: u32 = 65;
const GET_BUFF_LEN: u32 = 188;
const LOAD_BYTES: u32 = 189;
const STORE_BYTES: u32 = 190;

/// A packet of `len` bytes, all different, that begins with these words.
fn with_words(len: usize, words: &[u32]) -> PacketIn {
    let mut bytes: Vec<u8> = (0..len).map(|at| at as u8 ^ 0x5a).collect();
    for (at, word) in words.iter().enumerate() {
        bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    packet(&bytes)
}

/// Calls two helpers with the packet's words 0 and 1, and returns the sum of their results shifted apart.
fn two_adjustments(first: u32, second: u32) -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(14))
        .put([copy(R6, R1), load(Size::B4, R7, R5, 0), load(Size::B4, R8, R5, 4), copy(R2, R7)])
        .helper(first)
        .put([copy(R9, R0), copy(R1, R6), copy(R2, R8)])
        .helper(second)
        .put([
            Insn::Alu {
                width: offload_compiler::ebpf::Width::W64,
                op: offload_compiler::ebpf::AluOp::Mul,
                dst: R0,
                src: Operand::Imm(1000),
            },
            Insn::Alu {
                width: offload_compiler::ebpf::Width::W64,
                op: offload_compiler::ebpf::AluOp::Add,
                dst: R0,
                src: Operand::Reg(R9),
            },
            Insn::Exit,
        ]);
    asm.done()
}

#[test]
fn adjustments_move_the_packets_bounds() {
    if !host_works() {
        return;
    }
    let deltas: [i32; 22] =
        [0, 1, -1, 2, 4, -4, 8, -8, 14, -16, 46, 50, -50, 51, -216, -217, -252, 100, 3456, 3457, i32::MAX, i32::MIN];
    let mut packets = Vec::new();
    for a in deltas {
        for b in deltas {
            packets.push(with_words(64, &[a as u32, b as u32]));
        }
    }
    for (a, b) in [
        (ADJUST_TAIL, ADJUST_TAIL),
        (ADJUST_META, ADJUST_META),
        (ADJUST_META, ADJUST_HEAD),
        (ADJUST_HEAD, ADJUST_META),
        (ADJUST_HEAD, ADJUST_TAIL),
        (ADJUST_TAIL, ADJUST_HEAD),
    ] {
        same_without_facts(&format!("helpers {a} and {b}"), &two_adjustments(a, b), &[], &packets);
    }
    let full = [with_words(3520, &[0, 1]), with_words(3520, &[-1i32 as u32, 1]), with_words(14, &[-1i32 as u32, 3506])];
    same_without_facts("long packets", &two_adjustments(ADJUST_TAIL, ADJUST_TAIL), &[], &full);
}

/// Metadata is read and written between data_meta and data, and not beyond.
#[test]
fn metadata_is_memory() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put([copy(R6, R1), mov(R2, -8)])
        .helper(ADJUST_META)
        .put([
            load(Size::B4, R7, R6, 8),
            load(Size::B4, R8, R6, 0),
            copy(R2, R7),
            add(R2, 8),
            jump_if(Cond::Le, R2, Operand::Reg(R8), 9),
            mov(R0, 77),
            Insn::Exit,
        ])
        .put([store_imm(Size::B4, R7, 0, 0x0102_0304), store_imm(Size::B4, R7, 4, -1)])
        .put([copy(R1, R6), mov(R2, -20)])
        .helper(ADJUST_HEAD)
        .put([load(Size::B4, R7, R6, 8), load(Size::B4, R8, R6, 0), copy(R2, R7), add(R2, 8)])
        .put([jump_if(Cond::Le, R2, Operand::Reg(R8), 21), mov(R0, 78), Insn::Exit])
        .put([load(Size::B4, R0, R7, 0), Insn::Exit]);
    let mut insns = asm.done();
    // The jumps skip the two instructions behind them.
    for (at, insn) in insns.iter_mut().enumerate() {
        if let Insn::JumpIf { target, .. } = insn {
            target.0 = at as u32 + 3;
        }
    }
    same_without_facts("metadata", &insns, &[], &[with_words(64, &[]), with_words(14, &[])]);
}

/// The first words are offset and length; 1 to 16 bytes go over the stack.
fn bytes_helper(id: u32) -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(32)).put([copy(R6, R1), copy(R7, R5)]);
    for at in [-8, -16] {
        asm.put([store_imm(Size::B8, R10, at, 0x1234_5678)]);
    }
    asm.put([load(Size::B4, R2, R7, 0), load(Size::B4, R4, R7, 4), copy(R3, R10), add(R3, -16), mov(R0, 99)])
        .jump_if(Cond::Eq, R4, 0, "out")
        .jump_if(Cond::Gt, R4, 16, "out")
        .helper(id)
        .put([copy(R9, R0), copy(R1, R6)])
        .helper(GET_BUFF_LEN)
        .put([
            copy(R8, R0),
            load(Size::B4, R5, R6, 0),
            load(Size::B4, R3, R6, 4),
            copy(R4, R5),
            add(R4, 32),
            copy(R0, R9),
        ])
        .put([jump_if(Cond::Gt, R4, Operand::Reg(R3), 0)]);
    let check = asm.insns.len() - 1;
    asm.put([
        store(Size::B4, R5, 28, R8),
        load(Size::B8, R1, R10, -8),
        store(Size::B8, R5, 8, R1),
        load(Size::B8, R1, R10, -16),
        store(Size::B8, R5, 16, R1),
    ])
    .label("out")
    .put([Insn::Exit]);
    let end = asm.insns.len() as u32 - 1;
    let mut insns = asm.done();
    if let Insn::JumpIf { target, .. } = &mut insns[check] {
        target.0 = end;
    }
    insns
}

#[test]
fn bytes_are_copied_or_refused() {
    if !host_works() {
        return;
    }
    let mut packets = Vec::new();
    for offset in [0, 1, 13, 31, 47, 48, 49, 55, 56, 63, 64, 65, 0xfff0, 0xffff, 0x1_0000, u32::MAX, 1 << 31] {
        for len in 1..=16 {
            packets.push(with_words(64, &[offset, len]));
        }
    }
    for id in [LOAD_BYTES, STORE_BYTES] {
        same_without_facts(&format!("helper {id}"), &bytes_helper(id), &[], &packets);
    }
}

/// Words 0 and 1 are the sizes, 2 the seed; up to 16 bytes from 16 and from 32.
#[test]
fn checksum_differences_agree() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(64)).put([copy(R6, R5)]);
    for at in 0..4i16 {
        asm.put([load(Size::B8, R1, R6, 16 + 8 * at), store(Size::B8, R10, -32 + 8 * at, R1)]);
    }
    asm.put([
        copy(R1, R10),
        add(R1, -32),
        copy(R3, R10),
        add(R3, -16),
        load(Size::B4, R2, R6, 0),
        load(Size::B4, R4, R6, 4),
        load(Size::B4, R5, R6, 8),
        mov(R0, 1),
    ])
    .jump_if(Cond::Gt, R2, 16, "out")
    .jump_if(Cond::Gt, R4, 16, "out")
    .helper(CSUM_DIFF)
    .put([store(Size::B8, R6, 0, R0)])
    .label("out")
    .put([Insn::Exit]);
    let insns = asm.done();
    let mut rng = Rng(8);
    let mut packets = Vec::new();
    for from in 0..=16 {
        for to in 0..=16 {
            for round in 0..4 {
                let mut packet =
                    with_words(64, &[from, to, rng.pick(&[0, 1, 0xffff, 0x1_0000, u32::MAX, 0xffff_0000])]);
                for byte in &mut packet.bytes[16..48] {
                    *byte = match round {
                        0 => 0,
                        1 => 0xff,
                        _ => rng.next() as u8,
                    };
                }
                packets.push(packet);
            }
        }
    }
    same_without_facts("csum_diff", &insns, &[], &packets);
}

#[test]
fn redirect_gives_its_code() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(14))
        .put([load(Size::B4, R1, R5, 0), load(Size::B4, R2, R5, 4)])
        .helper(REDIRECT)
        .put([Insn::Exit]);
    let packets: Vec<PacketIn> = [(0, 0), (1, 0), (77, 0), (1, 1), (1, 8), (u32::MAX, u32::MAX)]
        .map(|(ifindex, flags)| with_words(32, &[ifindex, flags]))
        .to_vec();
    same_without_facts("redirect", &asm.done(), &[], &packets);
}
