//! Helpers, maps, calls and ctx: the interpreter against the kernel.

mod common;

use common::*;
use offload_compiler::ebpf::{AluOp, Cond, Insn, Operand, Reg, Size, Width};
use offwire_harness::host::Host;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue, PacketIn};
use offwire_image::{MapKind, MapSpec};

const LOOKUP: u32 = 1;
const UPDATE: u32 = 2;
const DELETE: u32 = 3;
const SMP_ID: u32 = 8;
const ADJUST_HEAD: u32 = 44;
const NO_PREALLOC: u32 = 1;

#[test]
fn map_helpers_return_what_the_kernel_returns() {
    if !host_works() {
        return;
    }
    let mut rng = Rng(11);
    let mut packets = Vec::new();
    for _ in 0..1500 {
        let flags = match rng.below(3) {
            0 => rng.pick(&[1, 2, 3, 4, 5, 6, 7, 8, 1 << 32, u64::MAX]),
            _ => 0,
        };
        packets.push(operation(rng.below(3) as u8, rng.below(7) as u32, rng.next(), flags));
    }
    for kind in [MapKind::Array, MapKind::PercpuArray, MapKind::Hash, MapKind::PercpuHash] {
        for flags in [0, NO_PREALLOC] {
            if flags != 0 && matches!(kind, MapKind::Array | MapKind::PercpuArray) {
                continue;
            }
            // Four entries and seven keys: out of range, full, missing and present all happen.
            let spec = MapSpec { flags, ..map_spec("table", kind, 4, 8, 4) };
            same(&format!("{kind:?} flags {flags}"), &map_operations(), &[spec], &packets);
        }
    }
}

/// A pointer from before an update or delete goes on naming the old element, until that element is used again.
#[test]
fn old_elements_stay_readable() {
    if !host_works() {
        return;
    }
    let set_key = |key: i32| [store_imm(Size::B4, R10, -4, key)];
    let lookup = |asm: &mut Asm, key: i32| {
        asm.put(set_key(key)).put(map(R1, 0)).put([copy(R2, R10), add(R2, -4)]).helper(LOOKUP);
    };
    let update = |asm: &mut Asm, key: i32, value: i32| {
        asm.put(set_key(key))
            .put([store_imm(Size::B8, R10, -16, value)])
            .put(map(R1, 0))
            .put([copy(R2, R10), add(R2, -4), copy(R3, R10), add(R3, -16), mov(R4, 0)])
            .helper(UPDATE);
    };
    let delete = |asm: &mut Asm, key: i32| {
        asm.put(set_key(key)).put(map(R1, 0)).put([copy(R2, R10), add(R2, -4)]).helper(DELETE);
    };
    let show = |asm: &mut Asm, at: i16| {
        asm.put([load(Size::B8, R1, R7, 0), store(Size::B8, R6, at, R1)]);
    };
    for flags in [0, NO_PREALLOC] {
        for per_cpu in [false, true] {
            let mut asm = Asm::default();
            asm.put(prologue(96)).put([copy(R6, R5)]);
            update(&mut asm, 1, 100);
            update(&mut asm, 2, 200);
            lookup(&mut asm, 1);
            asm.jump_if(Cond::Eq, R0, 0, "out").put([copy(R7, R0)]);
            update(&mut asm, 1, 101);
            show(&mut asm, 0);
            // A store through the old pointer is lost, or not, as the kernel has it.
            asm.put([store_imm(Size::B8, R7, 0, 555)]);
            show(&mut asm, 8);
            update(&mut asm, 2, 201);
            show(&mut asm, 16);
            update(&mut asm, 1, 102);
            show(&mut asm, 24);
            lookup(&mut asm, 2);
            asm.jump_if(Cond::Eq, R0, 0, "out").put([copy(R7, R0)]);
            delete(&mut asm, 2);
            show(&mut asm, 32);
            update(&mut asm, 3, 300);
            show(&mut asm, 40);
            delete(&mut asm, 1);
            update(&mut asm, 4, 400);
            show(&mut asm, 48);
            asm.label("out").put([mov(R0, 2), Insn::Exit]);
            let kind = if per_cpu { MapKind::PercpuHash } else { MapKind::Hash };
            let spec = MapSpec { flags, ..map_spec("table", kind, 4, 8, 4) };
            let packets = vec![packet(&[0; 96]); 5];
            same(&format!("{kind:?} flags {flags}"), &asm.done(), &[spec], &packets);
        }
    }
}

/// adjust_head by the signed 32-bit number at 0, then result, length and the ends of the packet are shown.
#[test]
fn adjust_head_moves_as_the_kernel_does() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(14))
        .put([copy(R6, R1), load(Size::B4, R2, R5, 0), store_imm(Size::B4, R5, 4, 0x55)])
        .helper(ADJUST_HEAD)
        .put([
            copy(R7, R0),
            load(Size::B4, R5, R6, 0),
            load(Size::B4, R3, R6, 4),
            copy(R4, R5),
            add(R4, 14),
            mov(R0, 99),
            copy(R8, R3),
            Insn::Alu { width: Width::W64, op: AluOp::Sub, dst: R8, src: Operand::Reg(R5) },
        ]);
    let at = asm.insns.len();
    asm.put([
        jump_if(Cond::Le, R4, Operand::Reg(R3), at + 2),
        Insn::Exit,
        store(Size::B2, R5, 10, R7),
        store(Size::B2, R5, 12, R8),
        mov(R0, 2),
        Insn::Exit,
    ]);
    let mut packets = Vec::new();
    for len in [14, 15, 60, 64, 1514, 3520] {
        for delta in [
            0,
            1,
            2,
            -1,
            -2,
            -14,
            -215,
            -216,
            -217,
            -256,
            -257,
            46,
            47,
            50,
            51,
            1500,
            1501,
            3506,
            3507,
            4096,
            -4096,
            i32::MAX,
            i32::MIN,
        ] {
            let mut bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            bytes[..4].copy_from_slice(&delta.to_le_bytes());
            packets.push(packet(&bytes));
        }
    }
    same("adjust_head", &asm.done(), &[], &packets);
}

/// There and back: what adjust_head hides comes back unchanged.
#[test]
fn hidden_bytes_come_back() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put([copy(R6, R1), mov(R2, 20)])
        .helper(ADJUST_HEAD)
        .put([copy(R1, R6), mov(R2, -60)])
        .helper(ADJUST_HEAD)
        .put([mov(R0, 2), Insn::Exit]);
    let packets: Vec<PacketIn> = [14, 33, 34, 35, 100]
        .iter()
        .map(|&len| packet(&(0..len).map(|n| n as u8 ^ 0xa5).collect::<Vec<_>>()))
        .collect();
    same("there and back", &asm.done(), &[], &packets);
}

#[test]
fn local_calls_have_frames_of_their_own() {
    if !host_works() {
        return;
    }
    // main(n) > f > g: each keeps a number in its own frame and in r6, and passes a pointer to main's frame down.
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put([copy(R6, R5), load(Size::B8, R7, R6, 0), store(Size::B8, R10, -8, R7)])
        .put([copy(R1, R10), add(R1, -8), copy(R2, R7)])
        .call("f")
        .put([store(Size::B8, R6, 16, R0), load(Size::B8, R1, R10, -8), store(Size::B8, R6, 24, R1)])
        .put([store(Size::B8, R6, 32, R7), mov(R0, 2), Insn::Exit])
        .label("f")
        .put([copy(R6, R1), copy(R7, R2), store(Size::B8, R10, -8, R2)])
        .put([add(R2, 1)])
        .call("g")
        .put([load(Size::B8, R1, R10, -8)])
        .put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R0, src: Operand::Reg(R1) }])
        .put([load(Size::B8, R1, R6, 0)])
        .put([Insn::Alu { width: Width::W64, op: AluOp::Xor, dst: R0, src: Operand::Reg(R1) }])
        .put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R0, src: Operand::Reg(R7) }, Insn::Exit])
        .label("g")
        .put([store(Size::B8, R10, -8, R2), mov(R6, 3), mov(R7, 4)])
        .put([store(Size::B8, R1, 0, R2), load(Size::B8, R0, R10, -8), add(R0, 1000), Insn::Exit]);
    let packets: Vec<PacketIn> = [0u64, 1, u64::MAX, 0x8000_0000]
        .iter()
        .map(|n| {
            let mut bytes = vec![0; 64];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            packet(&bytes)
        })
        .collect();
    same("local calls", &asm.done(), &[], &packets);
}

#[test]
fn ctx_and_cpu_are_those_of_the_packet() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put([copy(R6, R5), load(Size::B4, R7, R1, 12), store(Size::B8, R5, 0, R7)])
        .put([load(Size::B4, R7, R1, 16), store(Size::B8, R5, 8, R7)])
        .put([load(Size::B4, R7, R1, 8), load(Size::B4, R8, R1, 0)])
        .put([Insn::Alu { width: Width::W64, op: AluOp::Sub, dst: R7, src: Operand::Reg(R8) }])
        .put([store(Size::B8, R5, 16, R7)])
        .helper(SMP_ID)
        .put([store(Size::B8, R6, 24, R0), mov(R0, 2), Insn::Exit]);
    let mut packets = Vec::new();
    for (port, rx_queue) in [(0, 0), (1, 0), (1, 5), (7, 63), (0, 0), (300, 1)] {
        packets.push(PacketIn { port, rx_queue, ..packet(&[0xee; 64]) });
    }
    same("ctx", &asm.done(), &[], &packets);
}

#[test]
fn user_updates_reach_all_cpus_and_programs_only_their_own() {
    if !host_works() {
        return;
    }
    for kind in [MapKind::PercpuArray, MapKind::PercpuHash] {
        // A value size that is no multiple of 8: the kernel's copies are padded.
        let spec = map_spec("table", kind, 4, 12, 4);
        let mut insns = map_operations();
        // The operations above work on 8 bytes; the stack holds 12 from -24 on.
        for insn in &mut insns {
            if let Insn::Alu { dst: Reg(3), src: Operand::Imm(-16), .. } = insn {
                *insn = add(R3, -24);
            }
        }
        insns.insert(7, store_imm(Size::B8, R10, -24, 7));
        for insn in &mut insns {
            if let Insn::JumpIf { target, .. } | Insn::Jump { target } = insn
                && target.0 > 7
            {
                target.0 += 1;
            }
        }
        let object = object(&insns, &[spec]);
        let mut backends: [Box<dyn Backend>; 2] =
            [Box::new(Host::new(&object, 0).expect("loads")), Box::new(Ref::new(&object, 0).expect("loads"))];
        let seen = backends.each_mut().map(|backend| {
            let index = offload_compiler::ebpf::MapIdx(0);
            for key in 0..3u32 {
                let values = vec![(0, vec![key as u8; 12]), (1, vec![0x11; 12])];
                let entry = Entry { key: key.to_le_bytes().to_vec(), value: EntryValue::PerCpu(values) };
                backend.map_update(index, &entry).expect("two CPUs are possible");
            }
            for packet in [operation(1, 1, 5, 0), operation(0, 2, 0, 0), operation(1, 3, 9, 0), operation(2, 0, 0, 0)] {
                backend.run(&packet).expect("runs");
            }
            backend.map_entries(index).expect("reads")
        });
        let [theirs, ours] = seen;
        assert_eq!(ours, theirs, "{kind:?}: interpreter (left) and kernel (right) keep different values by CPU");
        assert!(ours.iter().any(|entry| matches!(&entry.value, EntryValue::PerCpu(v) if v.len() == 2)));
    }
}

#[test]
fn global_data_and_frozen_maps() {
    if !host_works() {
        return;
    }
    let data = MapSpec { init: vec![1, 2, 3, 4, 5, 6, 7, 8, 9], ..map_spec(".data", MapKind::Array, 4, 24, 1) };
    let rodata =
        MapSpec { init: (0..16).collect(), frozen: true, flags: 0x80, ..map_spec(".rodata", MapKind::Array, 4, 16, 1) };
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put(map_value(R6, 0, 8))
        .put(map_value(R7, 1, 4))
        .put([load(Size::B8, R8, R6, 0), store(Size::B8, R5, 0, R8), add(R8, 1), store(Size::B8, R6, 0, R8)])
        .put([load(Size::B4, R8, R7, 8), store(Size::B8, R5, 8, R8), mov(R0, 2), Insn::Exit]);
    same("global data", &asm.done(), &[data, rodata], &vec![packet(&[0; 64]); 300]);
}

#[test]
fn frames_that_the_kernel_cannot_run_are_not_comparable() {
    if !host_works() {
        return;
    }
    let object = object(&[mov(R0, 2), Insn::Exit], &[]);
    let mut kernel = host(&object);
    for (len, port, rx_queue) in [(13, 0, 0), (0, 0, 0), (3521, 0, 0), (64, 0, 1), (64, 1, 64), (64, 4000, 0)] {
        let packet = PacketIn { port, rx_queue, ..packet(&vec![0; len]) };
        for refusal in [kernel.admits(&packet), kernel.run(&packet).map(drop)] {
            let code = refusal.expect_err("the kernel has no such packet").code;
            assert_eq!(code, offwire_diag::codes::host::NOT_COMPARABLE, "{len} bytes, port {port}, queue {rx_queue}");
        }
    }
    for len in [14, 3520] {
        assert_eq!(kernel.run(&packet(&vec![9; len])).expect("runs").bytes, vec![9; len]);
    }
}

#[test]
fn the_kernels_reason_comes_through() {
    if !host_works() {
        return;
    }
    // r0 = *(u8 *)(data + 0) without a bounds check.
    let object = object(&[load(Size::B4, R2, R1, 0), load(Size::B1, R0, R2, 0), Insn::Exit], &[]);
    let rejected = offwire_harness::host::load_verdict(&object, 0).expect("bpf(2) works").expect_err("unsafe");
    assert_eq!(rejected.errno, "EACCES");
    assert!(rejected.reason().contains("outside of the packet"), "{rejected:?}");
    let diagnostic = Host::new(&object, 0).map(drop).expect_err("unsafe");
    assert_eq!(diagnostic.code, offwire_diag::codes::host::HOST_REJECTED);
    let object = common::object(&[mov(R0, 2), Insn::Exit], &[]);
    let accepted = offwire_harness::host::load_verdict(&object, 0).expect("bpf(2) works").expect("safe");
    assert_eq!(accepted.processed, Some(2));
}

#[test]
fn timing_gives_a_number() {
    if !host_works() {
        return;
    }
    let object = object(&[mov(R0, 2), Insn::Exit], &[]);
    let nanoseconds = host(&object).time(&packet(&[0; 64]), 10_000).expect("runs");
    assert!(nanoseconds < 100_000, "two instructions cannot take {nanoseconds} ns");
}
