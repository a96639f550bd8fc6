//! Ring buffers: the interpreter against the kernel, record by record.

mod common;

use common::*;
use offload_compiler::ebpf::{Cond, Insn, Operand, Size};
use offwire_harness::PacketIn;
use offwire_image::MapKind;

const OUTPUT: u32 = 130;
const RESERVE: u32 = 131;
const SUBMIT: u32 = 132;
const DISCARD: u32 = 133;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn words(words: &[u32]) -> PacketIn {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(64, 0);
    packet(&bytes)
}

/// Word 0: length of the record (up to 512, from the stack); word 2 and 3: flags; the code goes to 32.
#[test]
fn output_writes_what_the_kernel_writes() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(64)).put([copy(R6, R5)]);
    for at in 1..=60 {
        asm.put([store_imm(Size::B8, R10, -8 * at, i32::from(at) * 0x0101_0101)]);
    }
    asm.put([load(Size::B4, R3, R6, 0), load(Size::B8, R4, R6, 8), copy(R2, R10), add(R2, -480), mov(R0, 9)])
        .jump_if(Cond::Gt, R3, 480, "out")
        .put(map(R1, 0))
        .helper(OUTPUT)
        .put([store(Size::B8, R6, 32, R0)])
        .label("out")
        .put([Insn::Exit]);
    let mut packets = Vec::new();
    for len in [0, 1, 7, 8, 9, 63, 100, 479, 480] {
        for flags in [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 1], [8, 0]] {
            packets.push(words(&[len, 0, flags[0], flags[1]]));
        }
    }
    // Many times what the ring holds: only a reader that reads keeps it from being full.
    packets.extend((0..800).map(|at| words(&[at % 481])));
    same_without_facts("output", &asm.done(), &[map_spec("events", MapKind::Ringbuf, 0, 0, 4096)], &packets);
}

/// Four records of 1,016 bytes and their headers would fill the ring exactly, which it does not allow. Each is reserved, written
/// and submitted, or discarded, as the bytes of the packet say; codes go to 32 and on.
#[test]
fn reserved_records_are_submitted_or_discarded() {
    if !host_works() {
        return;
    }
    for size in [8, 1016, 1368, 4080, 4088, 4089] {
        let mut asm = Asm::default();
        asm.put(prologue(64)).put([copy(R6, R5)]);
        for (at, name) in NAMES.into_iter().enumerate() {
            let at = at as i16;
            let (taken, done): (&'static str, &'static str) = match name {
                "a" => ("a1", "a2"),
                "b" => ("b1", "b2"),
                "c" => ("c1", "c2"),
                _ => ("d1", "d2"),
            };
            let flags = i32::from(at == 3);
            asm.put(map(R1, 0)).put([mov(R2, size), load(Size::B1, R3, R6, 20)]);
            if flags == 0 {
                asm.put([mov(R3, 0)]);
            }
            asm.helper(RESERVE).jump_if(Cond::Eq, R0, 0, done).put([store_imm(
                Size::B8,
                R0,
                0,
                0x1000 + i32::from(at),
            )]);
            for offset in (8..size.min(4088)).step_by(8) {
                asm.put([store_imm(Size::B8, R0, offset as i16, offset)]);
            }
            if size % 8 != 0 {
                asm.put([store_imm(Size::B1, R0, (size - 1) as i16, 7)]);
            }
            asm.put([copy(R1, R0), mov(R2, 0), load(Size::B1, R7, R6, at), store_imm(Size::B1, R6, 32 + at, 1)])
                .jump_if(Cond::Ne, R7, 0, taken)
                .helper(SUBMIT)
                .jump(done)
                .label(taken)
                .helper(DISCARD)
                .label(done);
        }
        asm.put([mov(R0, 2), Insn::Exit]);
        let packets: Vec<PacketIn> = (0..32u32)
            .map(|bits| {
                let mut packet = words(&[]);
                for at in 0..4 {
                    packet.bytes[at] = (bits >> at & 1) as u8;
                }
                packet.bytes[20] = (bits >> 4) as u8;
                packet
            })
            .collect();
        let maps = [map_spec("events", MapKind::Ringbuf, 0, 0, 4096)];
        same_without_facts(&format!("records of {size}"), &asm.done(), &maps, &packets);
    }
}

/// A record that is no longer ours is no memory.
#[test]
fn a_submitted_record_is_gone() {
    let mut asm = Asm::default();
    asm.put(map(R1, 0)).put([mov(R2, 8), mov(R3, 0)]).helper(RESERVE);
    asm.put([jump_if(Cond::Ne, R0, Operand::Imm(0), 7), Insn::Exit]);
    asm.put([copy(R6, R0), copy(R1, R0), mov(R2, 0)]).helper(SUBMIT).put([load(Size::B8, R0, R6, 0), Insn::Exit]);
    let object = object(&asm.done(), &[map_spec("events", MapKind::Ringbuf, 0, 0, 4096)]);
    let mut reference = offwire_harness::reference::Ref::new(&object, 0).expect("loads");
    let fault =
        offwire_harness::Backend::run(&mut reference, &packet(&[0; 64])).expect_err("it reads a submitted record");
    assert_eq!(fault.code, offwire_diag::codes::host::REF_BOUNDS);
}
