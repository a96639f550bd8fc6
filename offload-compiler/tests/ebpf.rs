//! Decoding, encoding and printing of instructions.

use offload_compiler::ebpf::{Imm64, Insn, InsnIdx, MapIdx, decode, disasm, encode, helper_id, helper_name};

/// Deterministic stream of random numbers (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.next() % list.len() as u64).unwrap()]
    }
}

const NOP: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];
const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

fn slot(code: u8, regs: u8, off: i16, imm: i32) -> [u8; 8] {
    let (o, i) = (off.to_le_bytes(), imm.to_le_bytes());
    [code, regs, o[0], o[1], i[0], i[1], i[2], i[3]]
}

/// Whatever decodes must encode to the same bytes; else the kernel would run another program than the device.
#[test]
fn what_decodes_encodes_to_the_same_bytes() {
    let mut random = Random(0x0ff_1ce);
    let mut decoded = 0;
    for _ in 0..200_000 {
        let code = random.next().to_le_bytes()[0];
        let regs = [0, 0x10, 0x21, 0x0a, 0xa0, 0x40, 0x0b];
        let imms = [0, 0, 1, 16, 32, 64, -1, 0x40, 0x41, 0x50, 0xa1, 0xe1, 0xf1, 0x7fff_ffff];
        let raw = slot(code, random.pick(&regs), random.pick(&[0, 0, 1, 2, 8, 16, 32, -2]), random.pick(&imms));
        let second = if code == 0x18 { slot(0, 0, 0, random.pick(&imms)) } else { NOP };
        // A long jump that reaches with 16 bits encodes as a short one: the one legal difference.
        if code == 0x06 {
            continue;
        }
        let program = [NOP, NOP, raw, second, NOP, EXIT];
        if let Ok(insns) = decode(&program) {
            decoded += 1;
            assert_eq!(insns.len(), program.len());
            assert_eq!(encode(&insns).unwrap(), program, "{insns:?}");
            assert!(!disasm(InsnIdx(2), &insns[2], &()).is_empty());
        }
    }
    assert!(decoded > 5_000, "only {decoded} programs were valid");
}

/// Arbitrary bytes never panic, and a refusal names the slot.
#[test]
fn arbitrary_bytes_decode_or_are_refused() {
    let mut random = Random(7);
    for _ in 0..50_000 {
        let length = usize::try_from(random.next() % 6).unwrap();
        let program: Vec<[u8; 8]> = (0..length).map(|_| random.next().to_le_bytes()).collect();
        match decode(&program) {
            Ok(insns) => assert_eq!(insns.len(), program.len()),
            Err(error) => assert_eq!(error.raw, program[error.at.at()]),
        }
    }
}

#[test]
fn invalid_instructions_are_refused_by_name() {
    let cases: &[(&[[u8; 8]], &str)] = &[
        (&[slot(0xb7, 0x0b, 0, 0)], "register R11 is invalid"),
        (&[slot(0xbf, 0xc0, 0, 0)], "register R12 is invalid"),
        (&[slot(0xb7, 0x10, 0, 0)], "BPF_MOV uses reserved fields"),
        (&[slot(0xb7, 0, 8, 0)], "BPF_MOV uses reserved fields"),
        (&[slot(0xbf, 0x10, 0, 1)], "BPF_MOV uses reserved fields"),
        (&[slot(0xbc, 0x10, 32, 0)], "BPF_MOV uses reserved fields"),
        (&[slot(0x07, 0, 1, 0)], "BPF_ALU uses reserved fields"),
        (&[slot(0x37, 0, 2, 1)], "BPF_ALU uses reserved fields"),
        (&[slot(0x87, 0, 0, 1)], "BPF_NEG uses reserved fields"),
        (&[slot(0xdc, 0, 0, 8)], "BPF_END uses reserved fields"),
        (&[slot(0xdf, 0, 0, 16)], "unknown opcode df"),
        (&[slot(0x8f, 0, 0, 0)], "unknown opcode 8f"),
        (&[slot(0x61, 0x10, 0, 1)], "BPF_LDX uses reserved fields"),
        (&[slot(0x99, 0x10, 0, 0)], "unknown opcode 99"),
        (&[slot(0x62, 0x10, 0, 1)], "BPF_ST uses reserved fields"),
        (&[slot(0x63, 0x10, 0, 1)], "BPF_STX uses reserved fields"),
        (&[slot(0xdb, 0x10, 0, 0x10)], "BPF_ATOMIC uses invalid atomic opcode 10"),
        (&[slot(0xd3, 0x10, 0, 0)], "unknown opcode d3"),
        (&[slot(0xdb, 0x10, 0, 0x100)], "load-acquire is not part of RFC 9669 and not supported"),
        (&[slot(0x05, 1, 0, 0)], "BPF_JA uses reserved fields"),
        (&[slot(0x05, 0, 0, 1)], "BPF_JA uses reserved fields"),
        (&[slot(0x06, 0, 1, 0)], "BPF_JA uses reserved fields"),
        (&[slot(0x15, 0x10, 0, 0)], "BPF_JMP uses reserved fields"),
        (&[slot(0x1d, 0x10, 0, 1)], "BPF_JMP uses reserved fields"),
        (&[slot(0x15, 0, 5, 0)], "jump out of the program"),
        (&[slot(0x15, 0, -9, 0)], "jump out of the program"),
        (
            &[slot(0x05, 0, 1, 0), slot(0x18, 0, 0, 0), slot(0, 0, 0, 0)],
            "jump into the middle of a 64-bit immediate load",
        ),
        (&[slot(0x85, 0, 1, 1)], "BPF_CALL uses reserved fields"),
        (&[slot(0x85, 0x30, 0, 1)], "BPF_CALL uses reserved fields"),
        (&[slot(0x8d, 0, 0, 1)], "unknown opcode 8d"),
        (&[slot(0x95, 0, 0, 1)], "BPF_EXIT uses reserved fields"),
        (&[slot(0xe5, 0, 0, 0)], "may_goto is not part of RFC 9669 and not supported"),
        (&[slot(0x20, 0, 0, 0)], "legacy packet access (BPF_ABS, BPF_IND) is not allowed in XDP programs"),
        (&[slot(0x18, 0, 0, 0), NOP], "64-bit immediate load without its second slot"),
        (&[slot(0x18, 0x70, 0, 0), slot(0, 0, 0, 0)], "BPF_LD_IMM64 uses reserved fields"),
        (&[slot(0x18, 0x10, 0, 0), slot(0, 0, 0, 1)], "BPF_LD_IMM64 uses reserved fields"),
        (&[slot(0x18, 0x10, 0, 70_000), slot(0, 0, 0, 0)], "map index out of range"),
    ];
    for (program, what) in cases {
        let mut program = program.to_vec();
        program.push(EXIT);
        let error = decode(&program).expect_err(what);
        assert_eq!((error.at, error.what.as_str()), (InsnIdx(0), *what), "{program:?}");
    }
    // A load in the last slot has nowhere to go on.
    assert!(decode(&[slot(0x18, 0, 0, 0)]).is_err());
}

/// The texts are those of the kernel's verifier log.
#[test]
fn instructions_print_as_in_the_verifier_log() {
    let cases = [
        (slot(0x61, 0x61, 4, 0), "r1 = *(u32 *)(r6 +4)"),
        (slot(0x91, 0x61, -4, 0), "r1 = *(s8 *)(r6 -4)"),
        (slot(0x55, 1, 3, 8), "if r1 != 0x8 goto pc+3"),
        (slot(0x6e, 0x21, -2, 0), "if w1 s> w2 goto pc-2"),
        (slot(0xc5, 1, 3, -8), "if r1 s< 0xfffffff8 goto pc+3"),
        (slot(0x85, 0, 0, 1), "call bpf_map_lookup_elem#1"),
        (slot(0x85, 0, 0, 9999), "call unknown#9999"),
        (slot(0x85, 0x10, 0, 2), "call pc+2"),
        (slot(0x54, 1, 0, 255), "w1 &= 255"),
        (slot(0xdb, 0x10, 0, 0), "lock *(u64 *)(r0 +0) += r1"),
        (slot(0xc3, 0x10, 8, 1), "r1 = atomic_fetch_add((u32 *)(r0 +8), r1)"),
        (slot(0xdb, 0x12, 8, 0xe1), "r1 = atomic64_xchg((u64 *)(r2 +8), r1)"),
        (slot(0xdb, 0x12, 8, 0xf1), "r0 = atomic64_cmpxchg((u64 *)(r2 +8), r0, r1)"),
        (slot(0xdc, 3, 0, 16), "r3 = be16 r3"),
        (slot(0xd4, 3, 0, 64), "r3 = le64 r3"),
        (slot(0xd7, 3, 0, 32), "r3 = bswap32 r3"),
        (slot(0x84, 3, 0, 0), "w3 = -w3"),
        (slot(0xbf, 0x21, 32, 0), "r1 = (s32)r2"),
        (slot(0xbc, 0x21, 8, 0), "w1 = (s8)w2"),
        (slot(0x3f, 0x21, 1, 0), "r1 s/= r2"),
        (slot(0x97, 0x1, 1, 7), "r1 s%= 7"),
        (slot(0xc7, 0x1, 0, 7), "r1 s>>= 7"),
        (slot(0x7a, 10, -8, -1), "*(u64 *)(r10 -8) = -1"),
        (slot(0x6b, 0x4a, -8, 0), "*(u16 *)(r10 -8) = r4"),
        (slot(0x05, 0, 0, 0), "goto pc+0"),
        (EXIT, "exit"),
    ];
    for (raw, text) in cases {
        let insns = decode(&[NOP, NOP, raw, NOP, NOP, NOP, NOP, EXIT]).expect(text);
        assert_eq!(disasm(InsnIdx(2), &insns[2], &()), text);
    }
    let long = [NOP].iter().cycle().take(40_000).copied();
    let far: Vec<[u8; 8]> = std::iter::once(slot(0x06, 0, 0, 39_000)).chain(long).collect();
    let insns = decode(&far).unwrap();
    assert_eq!(disasm(InsnIdx(0), &insns[0], &()), "gotol pc+39000");
    assert_eq!(encode(&insns).unwrap(), far);
    let load = |value| disasm(InsnIdx(0), &Insn::LoadImm64 { dst: offload_compiler::ebpf::Reg(1), value }, &());
    assert_eq!(load(Imm64::Const(0x1_0000_0000)), "r1 = 0x100000000");
    assert_eq!(load(Imm64::Map(MapIdx(3))), "r1 = map[3]");
    assert_eq!(load(Imm64::MapValue { map: MapIdx(3), offset: 4 }), "r1 = map[3][0]+4");
    assert_eq!(load(Imm64::Func(InsnIdx(6))), "r1 = subprog[+5]");
}

#[test]
fn what_has_no_encoding_is_refused() {
    use offload_compiler::ebpf::{Cond, Operand, Reg, Width};
    let jump =
        Insn::JumpIf { width: Width::W64, cond: Cond::Eq, dst: Reg(0), src: Operand::Imm(0), target: InsnIdx(40_000) };
    assert_eq!(encode(&[jump]).unwrap_err().what, "jump too far");
    assert!(encode(&[Insn::Wide]).is_err());
    let load = Insn::LoadImm64 { dst: Reg(0), value: Imm64::Const(0) };
    assert!(encode(&[load, Insn::Exit]).is_err());
    assert!(encode(&[load]).is_err());
    assert!(encode(&[Insn::MovSx { width: Width::W32, bits: 32, dst: Reg(0), src: Reg(0) }]).is_err());
}

/// Numbers of include/uapi/linux/bpf.h, spread over the table.
#[test]
fn helpers_have_the_kernels_numbers() {
    let known = [
        (1, "map_lookup_elem"),
        (8, "get_smp_processor_id"),
        (12, "tail_call"),
        (23, "redirect"),
        (28, "csum_diff"),
        (44, "xdp_adjust_head"),
        (51, "redirect_map"),
        (54, "xdp_adjust_meta"),
        (65, "xdp_adjust_tail"),
        (69, "fib_lookup"),
        (130, "ringbuf_output"),
        (163, "check_mtu"),
        (181, "loop"),
        (189, "xdp_load_bytes"),
        (204, "tcp_raw_gen_syncookie_ipv4"),
        (211, "cgrp_storage_delete"),
    ];
    for (id, name) in known {
        assert_eq!(helper_id(name), Some(id));
        assert_eq!(helper_name(id), Some(format!("bpf_{name}").as_str()));
        assert_eq!(helper_id(&format!("bpf_{name}")), Some(id));
    }
    assert_eq!(helper_name(0), None);
    assert_eq!(helper_name(212), None);
    assert_eq!(helper_id("unspec"), None);
    assert_eq!(helper_id("nothing"), None);
}
