//! The interpreter against the kernel: same program, same packets, same answer.

mod common;

use common::*;
use offload_compiler::ebpf::{AtomicOp, Cond, Insn, InsnIdx, Operand, Reg, Size, Width};
use offwire_harness::PacketIn;
use offwire_harness::classes::{ALU, ATOMICS, CONDS, CORNERS, IMMS, SIZES, WIDTHS, accepted};
use offwire_image::MapKind;

/// Packets of 64 bytes that hold the pairs of corner values in their first 16 bytes.
fn pairs() -> Vec<PacketIn> {
    let mut packets = Vec::new();
    for a in CORNERS {
        for b in CORNERS {
            let mut bytes = vec![0; 64];
            bytes[..8].copy_from_slice(&a.to_le_bytes());
            bytes[8..16].copy_from_slice(&b.to_le_bytes());
            packets.push(packet(&bytes));
        }
    }
    let mut rng = Rng(1);
    for _ in 0..32 {
        let mut bytes = vec![0; 64];
        bytes[..8].copy_from_slice(&rng.next().to_le_bytes());
        bytes[8..16].copy_from_slice(&rng.next().to_le_bytes());
        packets.push(packet(&bytes));
    }
    packets
}

/// r6 and r7 from the packet, then `body`, then r6 into the packet.
fn on_packet(body: &[Insn]) -> Vec<Insn> {
    let mut insns = prologue(64);
    insns.extend([load(Size::B8, R6, R5, 0), load(Size::B8, R7, R5, 8)]);
    insns.extend_from_slice(body);
    insns.extend([store(Size::B8, R5, 16, R6), mov(R0, 2), Insn::Exit]);
    insns
}

#[test]
fn alu_with_registers() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    for width in WIDTHS {
        for op in ALU {
            let body = [Insn::Alu { width, op, dst: R6, src: Operand::Reg(R7) }];
            same(&format!("{op:?} {width:?} with registers"), &on_packet(&body), &[], &packets);
        }
        let body = [Insn::Neg { width, dst: R6 }];
        same(&format!("neg {width:?}"), &on_packet(&body), &[], &packets);
    }
}

#[test]
fn alu_with_immediates() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    for width in WIDTHS {
        for op in ALU {
            for imm in IMMS {
                if !accepted(op, Width::W32, imm) {
                    continue;
                }
                let body = [Insn::Alu { width, op, dst: R6, src: Operand::Imm(imm) }];
                same(&format!("{op:?} {width:?} with {imm}"), &on_packet(&body), &[], &packets);
            }
        }
    }
}

#[test]
fn sign_extension_and_swaps() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    for (width, bits) in [(Width::W32, 8), (Width::W32, 16), (Width::W64, 8), (Width::W64, 16), (Width::W64, 32)] {
        let body = [Insn::MovSx { width, bits, dst: R6, src: R7 }];
        same(&format!("movsx {width:?} {bits}"), &on_packet(&body), &[], &packets);
    }
    for bits in [16, 32, 64] {
        for insn in [
            Insn::Endian { bits, to_be: false, dst: R6 },
            Insn::Endian { bits, to_be: true, dst: R6 },
            Insn::Bswap { bits, dst: R6 },
        ] {
            same(&format!("{insn:?}"), &on_packet(&[insn]), &[], &packets);
        }
    }
}

#[test]
fn loads_and_stores_of_each_size() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    for size in SIZES {
        for signed in [false, true] {
            if signed && size == Size::B8 {
                continue;
            }
            let body = [Insn::Load { size, signed, dst: R6, base: R5, off: 7 }];
            same(&format!("load {size:?} signed {signed}"), &on_packet(&body), &[], &packets);
        }
        let body = [store(size, R5, 25, R6), store_imm(size, R5, 41, -2)];
        same(&format!("store {size:?}"), &on_packet(&body), &[], &packets);
        let body = [store_imm(Size::B8, R10, -16, -1), store(size, R10, -16, R6), load(Size::B8, R6, R10, -16)];
        same(&format!("stack store {size:?}"), &on_packet(&body), &[], &packets);
    }
}

#[test]
fn conditional_jumps() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    for width in WIDTHS {
        for cond in CONDS {
            let operands = IMMS.iter().map(|&imm| Operand::Imm(imm)).chain([Operand::Reg(R7)]);
            for src in operands {
                // if r6 cond src: r6 = 1, else r6 = 0
                let body = [
                    Insn::JumpIf { width, cond, dst: R6, src, target: InsnIdx(12) },
                    mov(R6, 0),
                    Insn::Jump { target: InsnIdx(13) },
                    mov(R6, 1),
                ];
                same(&format!("{cond:?} {width:?} {src:?}"), &on_packet(&body), &[], &packets);
            }
        }
    }
}

#[test]
fn atomics_on_stack_and_map_values() {
    if !host_works() {
        return;
    }
    let packets = pairs();
    let maps = [map_spec("cell", MapKind::Array, 4, 16, 1)];
    for size in [Size::B4, Size::B8] {
        for op in ATOMICS {
            for fetch in [false, true] {
                if !fetch && matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg) {
                    continue;
                }
                // Memory holds r6, the operand is r7, r0 is the expected value of cmpxchg: half of the packets hit.
                let mut on_stack = vec![
                    store(Size::B8, R10, -8, R6),
                    load(Size::B8, R0, R5, 0),
                    Insn::JumpIf {
                        width: Width::W64,
                        cond: Cond::Set,
                        dst: R7,
                        src: Operand::Imm(1),
                        target: InsnIdx(13),
                    },
                    mov(R0, 5),
                    Insn::Atomic { size, op, fetch, base: R10, off: -8, src: R7 },
                    store(Size::B8, R5, 24, R7),
                    store(Size::B8, R5, 32, R0),
                    load(Size::B8, R6, R10, -8),
                ];
                same(&format!("atomic {op:?} {size:?} {fetch} on the stack"), &on_packet(&on_stack), &[], &packets);
                // The same on a map value, which keeps its contents from packet to packet.
                on_stack.splice(0..1, map_value(R8, 0, 8));
                on_stack[3] = Insn::JumpIf {
                    width: Width::W64,
                    cond: Cond::Set,
                    dst: R7,
                    src: Operand::Imm(1),
                    target: InsnIdx(14),
                };
                on_stack[5] = Insn::Atomic { size, op, fetch, base: R8, off: 0, src: R7 };
                on_stack[8] = load(Size::B8, R6, R8, 0);
                same(&format!("atomic {op:?} {size:?} {fetch} on a map"), &on_packet(&on_stack), &maps, &packets);
            }
        }
    }
}

/// A scalar program from a seed: five registers from the packet, operations and forward jumps, all registers into the packet.
fn random_program(seed: u64) -> Vec<Insn> {
    const REGS: [Reg; 5] = [R0, R6, R7, R8, R9];
    let mut rng = Rng(seed);
    let mut insns = prologue(64);
    for (n, reg) in REGS.into_iter().enumerate() {
        // Narrow loads give the compiler's facts something to say.
        let size = rng.pick(&[Size::B1, Size::B2, Size::B4, Size::B8, Size::B8]);
        insns.push(load(size, reg, R5, 8 * n as i16));
    }
    let length = 8 + rng.below(40);
    let end = insns.len() + length;
    while insns.len() < end {
        let (width, dst, src) = (rng.pick(&WIDTHS), rng.pick(&REGS), rng.pick(&REGS));
        let at = insns.len();
        insns.push(match rng.below(10) {
            0..=4 => {
                let op = rng.pick(&ALU);
                let bits = if width == Width::W32 { 32 } else { 64 };
                let imm = rng.pick(&IMMS);
                let src = match rng.below(3) {
                    0 => Operand::Reg(src),
                    1 if accepted(op, width, imm) => Operand::Imm(imm),
                    _ => Operand::Imm(1 + rng.below(bits - 1) as i32),
                };
                Insn::Alu { width, op, dst, src }
            }
            5 => Insn::Neg { width, dst },
            6 => Insn::MovSx { width, bits: rng.pick(&[8, 16]), dst, src },
            7 => match rng.below(2) {
                0 => Insn::Endian { bits: rng.pick(&[16, 32, 64]), to_be: rng.below(2) == 0, dst },
                _ => Insn::Bswap { bits: rng.pick(&[16, 32, 64]), dst },
            },
            _ => {
                let src = if rng.below(2) == 0 { Operand::Reg(src) } else { Operand::Imm(rng.pick(&IMMS)) };
                let target = InsnIdx((at + 1 + rng.below((end - at).min(6))) as u32);
                Insn::JumpIf { width, cond: rng.pick(&CONDS), dst, src, target }
            }
        });
    }
    for (n, reg) in REGS.into_iter().enumerate() {
        insns.push(store(Size::B8, R5, 8 * n as i16, reg));
    }
    insns.extend([mov(R0, 1), Insn::Exit]);
    insns
}

#[test]
fn random_scalar_programs() {
    if !host_works() {
        return;
    }
    for seed in 0..2000 {
        let mut rng = Rng(!seed);
        let packets: Vec<PacketIn> = (0..8)
            .map(|_| {
                let mut bytes = Vec::new();
                for _ in 0..8 {
                    let value = if rng.below(3) == 0 { rng.next() } else { rng.pick(&CORNERS) };
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
                packet(&bytes)
            })
            .collect();
        same(&format!("random program {seed}"), &random_program(seed), &[], &packets);
    }
}
