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
const QUERY: u32 = 134;
const PERF: u32 = 25;
const PRINTK: u32 = 6;
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

/// Word 0: length of the data (from the stack); words 2 and 3: flags, which ask for a CPU and for bytes of the packet.
#[test]
fn perf_events_are_written_as_the_kernel_writes_them() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put([copy(R9, R1)]).put(prologue(64).iter().map(|insn| match *insn {
        Insn::JumpIf { width, cond, dst, src, target } => {
            Insn::JumpIf { width, cond, dst, src, target: offload_compiler::ebpf::InsnIdx(target.0 + 1) }
        }
        other => other,
    }));
    asm.put([copy(R6, R5)]);
    for at in 1..=32 {
        asm.put([store_imm(Size::B8, R10, -8 * at, i32::from(at) * 0x0101_0101)]);
    }
    asm.put([load(Size::B4, R5, R6, 0), load(Size::B8, R3, R6, 8), copy(R4, R10), add(R4, -256), mov(R0, 9)])
        .jump_if(Cond::Gt, R5, 256, "out")
        .put([copy(R7, R5), copy(R8, R3), copy(R1, R9)])
        .put(map(R2, 0))
        .helper(PERF)
        .put([store(Size::B8, R6, 32, R0), copy(R1, R9), copy(R5, R7), copy(R4, R10), add(R4, -256), copy(R3, R8)])
        .put(map(R2, 1))
        .helper(PERF)
        .put([store(Size::B8, R6, 40, R0)])
        .label("out")
        .put([mov(R0, 2), Insn::Exit]);
    let current = 0xffff_ffff_u32;
    let mut packets = Vec::new();
    for len in [0, 1, 3, 4, 5, 8, 12, 255, 256] {
        for (low, high) in [(0, 0), (current, 0), (1, 0), (2, 0), (3, 0), (4, 0), (current, 1), (current, 64), (0, 37)]
        {
            packets.push(words(&[len, 0, low, high]));
        }
        packets.extend(
            [(0, 65), (current, 0xf_ffff), (0, 1 << 20), (9, 65), (9, 64)]
                .map(|(low, high)| words(&[len, 0, low, high])),
        );
    }
    // Many times what the ring holds.
    packets.extend((0..6000).map(|at| words(&[at % 257, 0, 0, at % 65])));
    let maps = [map_spec("three", MapKind::PerfEventArray, 4, 4, 3), map_spec("one", MapKind::PerfEventArray, 4, 4, 1)];
    same_without_facts("perf events", &asm.done(), &maps, &packets);
}

/// The packet holds a format of 32 bytes, then three arguments.
#[test]
fn lines_are_formatted_as_the_kernel_formats_them() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(72)).put([copy(R6, R5)]);
    for word in 0..4 {
        asm.put([load(Size::B8, R1, R6, 8 * word), store(Size::B8, R10, 8 * word - 64, R1)]);
    }
    // A string for %s, and an address.
    asm.put([store_imm(Size::B4, R10, -16, 0x6c_6c61), store_imm(Size::B4, R10, -12, 0x0102_a8c0)]);
    asm.put([store_imm(Size::B8, R10, -32, 0x0807_0605), store_imm(Size::B8, R10, -24, -3)]);
    asm.put([
        load(Size::B8, R3, R6, 32),
        load(Size::B8, R4, R6, 40),
        load(Size::B8, R5, R6, 48),
        load(Size::B1, R7, R6, 63),
    ]);
    asm.jump_if(Cond::Eq, R7, 0, "plain");
    for (kind, offset) in [(1, -16), (2, -12), (3, -32)] {
        let next: &'static str = ["b", "c", "plain"][kind as usize - 1];
        asm.jump_if(Cond::Ne, R7, kind, next).put([copy(R3, R10), add(R3, offset)]);
        if kind < 3 {
            asm.jump("plain");
        }
        asm.label(next);
    }
    asm.put([copy(R1, R10), add(R1, -64), mov(R2, 32)]).helper(PRINTK).put([
        store(Size::B8, R6, 56, R0),
        mov(R0, 2),
        Insn::Exit,
    ]);
    let arguments = [0, 1, 42, u64::MAX, i64::MIN as u64, 0x7fff_ffff, 0x8000_0000, 0x1_0000_0041];
    let plain = [
        "x",
        "",
        "%d",
        "%i %u %x",
        "%X|%lx|%llX",
        "%ld %lu %lld",
        "%5d|%-5d|%05d",
        "%+d % d %+u",
        "%-08x|%08X|%3u",
        "a\nb\n",
        "%%",
        "100%% %d%%",
        "%d%d%d",
        "%d%d%d%d",
        "%o",
        "%h",
        "%hd",
        "%hhx",
        "%",
        "%5",
        "%l",
        "%lll",
        "%#x",
        "%.3d",
        "%*d",
        "%c",
        "%5c|%-3c|",
        "%z",
        "%n",
        "\t\r",
        "caf\u{e9}",
        "\u{1}",
        "%010lld",
        "%+ -07d|",
        "%0-9d|",
        "% +5d|",
        "%lc",
        "%dx%uy",
        "%20x",
        "%pI5",
        "%pX",
        "%pi",
        "%sx",
        "%s7",
        "%099d%099d%099d",
    ];
    let mut packets = Vec::new();
    let mut push = |format: &str, arguments: [u64; 3], kind: u8, end: bool| {
        let mut bytes = format.as_bytes().to_vec();
        bytes.resize(32, if end { 0 } else { b'.' });
        for argument in arguments {
            bytes.extend_from_slice(&argument.to_le_bytes());
        }
        bytes.resize(72, 0);
        bytes[63] = kind;
        packets.push(packet(&bytes));
    };
    for format in plain {
        for at in 0..arguments.len() {
            let pick = |n: usize| arguments[(at + n) % arguments.len()];
            push(format, [pick(0), pick(3), pick(5)], 0, true);
        }
    }
    for format in ["%s", "<%s>", "%9s|", "%-9s|", "%s %d", "%s%s", "%s\u{e9}", "%s\u{b7}"] {
        push(format, [0, 7, 8], 1, true);
    }
    for format in ["%pI4", "%pi4", "%pI4:%d", "%9pI4|", "%pI4abc %d", "%pI4%%", "%pI4\u{e9}x"] {
        push(format, [0, 7, 8], 2, true);
    }
    for format in ["%pI6", "%pi6", "%pI6c", "[%pI6]:%u"] {
        push(format, [0, 7, 8], 3, true);
    }
    push("no end", [0; 3], 0, false);
    same_without_facts("lines", &asm.done(), &[], &packets);
}

/// Positions and room of a ring buffer as the program sees them, before and after records of its own; word 0 is the length.
#[test]
fn queries_tell_what_the_ring_holds() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(128)).put([copy(R6, R5), load(Size::B4, R7, R6, 0), load(Size::B8, R8, R6, 8)]);
    asm.jump_if(Cond::Gt, R7, 128, "out");
    for at in 1..=16 {
        asm.put([store_imm(Size::B8, R10, -8 * at, i32::from(at))]);
    }
    for half in 0..2 {
        for what in 0..5 {
            asm.put(map(R1, 0)).put([mov(R2, what)]);
            asm.helper(QUERY).put([store(Size::B8, R6, (16 + 8 * (5 * half + what)) as i16, R0)]);
        }
        asm.put(map(R1, 0)).put([copy(R2, R8)]).helper(QUERY).put([store(Size::B8, R6, 112, R0)]);
        if half == 0 {
            asm.put(map(R1, 0)).put([copy(R2, R10), add(R2, -128), copy(R3, R7), mov(R4, 0)]).helper(OUTPUT);
        }
    }
    asm.label("out").put([mov(R0, 2), Insn::Exit]);
    let packets: Vec<PacketIn> = (0..300)
        .map(|at| {
            let mut packet = words(&[at % 129, 0, at % 6, at % 2]);
            packet.bytes.resize(128, 0);
            packet
        })
        .collect();
    same_without_facts("queries", &asm.done(), &[map_spec("events", MapKind::Ringbuf, 0, 0, 4096)], &packets);
}
