//! Maps that name programs, maps and devices: the interpreter against the kernel.

mod common;

use common::*;
use offload_compiler::ebpf::{AluOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Size, Width, encode};
use offload_compiler::object::{Initial, LoadOptions, Object, Program, load as load_object};
use offwire_harness::host::Host;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue, PacketIn, RedirectTarget};
use offwire_image::{MapKind, MapSpec};

const LOOKUP: u32 = 1;
const UPDATE: u32 = 2;
const TAIL_CALL: u32 = 12;
const REDIRECT_MAP: u32 = 51;
const SPIN_LOCK: u32 = 93;
const SPIN_UNLOCK: u32 = 94;
const LOOP: u32 = 181;

fn program(name: &str, insns: Vec<Insn>) -> Program {
    Program {
        name: name.into(),
        section: "xdp".into(),
        raw: encode(&insns).expect("a program made by hand encodes"),
        functions: vec![(InsnIdx(0), name.into())],
        insns,
        ..Program::default()
    }
}

fn number(key: u32, value: u32) -> Entry {
    Entry { key: key.to_le_bytes().to_vec(), value: EntryValue::One(value.to_le_bytes().to_vec()) }
}

fn words(words: &[u32]) -> PacketIn {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(64, 0);
    packet(&bytes)
}

/// Counts in byte 32 of the packet, and goes on to the program at the index that stands in word `word`.
fn hop(word: i16, otherwise: i32) -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put([copy(R6, R1)])
        .put(prologue(64))
        .put([load(Size::B1, R2, R5, 32), add(R2, 1), store(Size::B1, R5, 32, R2), load(Size::B4, R3, R5, word)])
        .put(map(R2, 0))
        .put([copy(R1, R6)])
        .helper(TAIL_CALL)
        .put([mov(R0, otherwise), Insn::Exit]);
    let mut insns = asm.done();
    // One instruction stands before the prologue.
    insns.iter_mut().for_each(|insn| {
        if let Insn::JumpIf { target, .. } = insn {
            target.0 += 1;
        }
    });
    insns
}

fn tail_calls() -> Object {
    let mut object = object(&hop(0, 1), &[map_spec("next", MapKind::ProgArray, 4, 4, 4)]);
    object.programs.push(program("second", hop(4, 2)));
    object.programs.push(program("third", vec![mov(R0, 55), Insn::Exit]));
    object
}

/// Into other programs, into itself 33 times and no more, to missing entries and beyond the array.
#[test]
fn tail_calls_go_where_the_kernel_goes() {
    if !host_works() {
        return;
    }
    let mut object = tail_calls();
    object.maps[0].initial = vec![(3, Initial::Program("third".into()))];
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
    let mut kernel = host(&object);
    for entry in [number(0, 0), number(1, 1)] {
        reference.map_update(MapIdx(0), &entry).expect("ours takes it");
        kernel.map_update(MapIdx(0), &entry).expect("the kernel takes it");
    }
    let packets: Vec<PacketIn> = [[0, 0], [1, 0], [1, 1], [1, 3], [3, 0], [2, 0], [4, 0], [u32::MAX, 0], [1, 2]]
        .iter()
        .map(|to| words(to))
        .collect();
    compare("tail calls", &mut reference, &mut kernel, 1, &packets);
    let counted = reference.run(&words(&[0, 0])).expect("runs").bytes[32];
    assert_eq!(counted, 34, "a program that calls itself runs once and 33 times more");
}

/// A tail call in a local function that succeeds returns to the function's caller, with the other program's number.
#[test]
fn tail_calls_in_functions_return_to_the_caller() {
    if !host_works() {
        return;
    }
    let mut asm = Asm::default();
    asm.put([copy(R6, R1)])
        .call("function")
        .put([add(R0, 1000), Insn::Exit])
        .label("function")
        .put(map(R2, 0))
        .put([load(Size::B4, R3, R1, 16), mov(R3, 1)])
        .helper(TAIL_CALL)
        .put([mov(R0, 1), Insn::Exit]);
    let mut object = object(&asm.done(), &[map_spec("next", MapKind::ProgArray, 4, 4, 4)]);
    // The kernel wants to know that the function gives a number.
    let typed = load_object(include_bytes!("objects/typed.o"), &LoadOptions::default()).expect("it loads");
    let types = &typed.programs.iter().find(|program| program.name == "xdp_loop").expect("it is there").func_info;
    object.programs[0].func_info = vec![(InsnIdx(0), types[0].1), (InsnIdx(4), types[1].1)];
    object.btf = typed.btf.clone();
    object.programs.push(program("other", vec![mov(R6, 3), mov(R0, 55), Insn::Exit]));
    for (entry, expected) in [(None, 1001), (Some(number(1, 1)), 1055)] {
        let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
        let mut kernel = host(&object);
        if let Some(entry) = &entry {
            reference.map_update(MapIdx(0), entry).expect("ours takes it");
            kernel.map_update(MapIdx(0), entry).expect("the kernel takes it");
        }
        compare("a tail call in a function", &mut reference, &mut kernel, 1, &[words(&[0])]);
        assert_eq!(reference.run(&words(&[0])).expect("runs").retval, expected);
    }
}

#[test]
fn entries_that_name_nothing_are_refused() {
    if !host_works() {
        return;
    }
    let maps = [
        map_spec("next", MapKind::ProgArray, 4, 4, 2),
        map_spec("ports", MapKind::Devmap, 4, 8, 2),
        map_spec("other", MapKind::DevmapHash, 4, 4, 2),
    ];
    let object = object(&[mov(R0, 2), Insn::Exit], &maps);
    let backends: [Box<dyn Backend>; 2] =
        [Box::new(Ref::new(&object, 0).expect("loads")), Box::new(Host::new(&object, 0).expect("loads"))];
    for mut backend in backends {
        let name = backend.name();
        let device = |key: u32, value: &[u32]| Entry {
            key: key.to_le_bytes().to_vec(),
            value: EntryValue::One(value.iter().flat_map(|word| word.to_le_bytes()).collect()),
        };
        assert!(backend.map_update(MapIdx(0), &number(0, 1)).is_err(), "{name}: there is one program");
        assert!(backend.map_update(MapIdx(0), &number(2, 0)).is_err(), "{name}: beyond the array");
        assert!(backend.map_update(MapIdx(1), &device(0, &[0, 0])).is_err(), "{name}: no device");
        assert!(backend.map_update(MapIdx(1), &device(2, &[1, 0])).is_err(), "{name}: beyond the array");
        assert!(backend.map_update(MapIdx(1), &device(0, &[1, 9])).is_err(), "{name}: no such program");
        assert!(backend.map_update(MapIdx(1), &device(0, &[1])).is_err(), "{name}: short");
        for key in [7, 8] {
            backend.map_update(MapIdx(2), &device(key, &[1])).unwrap_or_else(|d| panic!("{name}: {d}"));
        }
        assert!(backend.map_update(MapIdx(2), &device(9, &[1])).is_err(), "{name}: full");
        backend.map_update(MapIdx(1), &device(1, &[1, 0])).unwrap_or_else(|d| panic!("{name}: {d}"));
        assert_eq!(backend.map_entries(MapIdx(1)), Ok(vec![device(1, &[1, 0])]), "{name}");
    }
}

/// Words 0 and 1 of the packet are the key, 2 and 3 the flags.
#[test]
fn redirect_map_gives_its_code() {
    if !host_works() {
        return;
    }
    for kind in [MapKind::Devmap, MapKind::DevmapHash] {
        let mut asm = Asm::default();
        asm.put(prologue(32)).put([load(Size::B8, R2, R5, 0), load(Size::B8, R3, R5, 8)]).put(map(R1, 0));
        asm.helper(REDIRECT_MAP).put([Insn::Exit]);
        let object = object(&asm.done(), &[map_spec("ports", kind, 4, 4, 8)]);
        let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
        let mut kernel = host(&object);
        reference.map_update(MapIdx(0), &number(3, 1)).expect("ours takes it");
        kernel.map_update(MapIdx(0), &number(3, 1)).expect("the kernel takes it");
        let mut packets = Vec::new();
        for key in [[0, 0], [3, 0], [3, 1], [8, 0], [u32::MAX, 0]] {
            for flags in [0u64, 1, 2, 3, 4, 8, 16, 24, 27, 32, 1 << 32] {
                packets.push(words(&[key[0], key[1], flags as u32, (flags >> 32) as u32]));
            }
        }
        compare(kind.name(), &mut reference, &mut kernel, 1, &packets);
    }
}

/// The kernel does not show where a packet goes; the rules are those of include/linux/filter.h, __bpf_xdp_redirect_map.
#[test]
fn redirects_have_targets() {
    let mut asm = Asm::default();
    asm.put(prologue(32)).put([load(Size::B8, R2, R5, 0), load(Size::B8, R3, R5, 8)]).put(map(R1, 0));
    asm.helper(REDIRECT_MAP).put([Insn::Exit]);
    let object = object(&asm.done(), &[map_spec("ports", MapKind::Devmap, 4, 4, 8)]);
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
    reference.map_update(MapIdx(0), &number(3, 1)).expect("it takes an entry");
    let mut target = |key: u32, flags: u32| {
        reference.run(&words(&[key, 0, flags, 0])).map(|out| out.redirect).unwrap_or_else(|d| panic!("{d}"))
    };
    assert_eq!(target(3, 2), Some(RedirectTarget::Entry { map: 0, key: 3 }));
    assert_eq!(target(4, 2), None, "nothing stands there");
    assert_eq!(target(4, 8), Some(RedirectTarget::Broadcast { map: 0, exclude_ingress: false }));
    assert_eq!(target(3, 24), Some(RedirectTarget::Broadcast { map: 0, exclude_ingress: true }));
    assert_eq!(target(3, 32), None, "unknown flags");
}

/// Looks a map up by word 0, then a value in it by word 1, and adds 1 there.
fn two_lookups() -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(32))
        .put([load(Size::B4, R6, R5, 0), load(Size::B4, R7, R5, 4), store(Size::B4, R10, -4, R6), copy(R2, R10)])
        .put([add(R2, -4)])
        .put(map(R1, 0))
        .helper(LOOKUP)
        .jump_if(Cond::Ne, R0, 0, "inner")
        .put([mov(R0, 1), Insn::Exit])
        .label("inner")
        .put([copy(R1, R0), store(Size::B4, R10, -4, R7), copy(R2, R10), add(R2, -4), copy(R8, R0)])
        .helper(LOOKUP)
        .jump_if(Cond::Ne, R0, 0, "value")
        .put([store_imm(Size::B8, R10, -16, 40), copy(R1, R8), copy(R2, R10), add(R2, -4), copy(R3, R10)])
        .put([add(R3, -16), mov(R4, 1)])
        .helper(UPDATE)
        .put([Insn::Exit])
        .label("value")
        .put([load(Size::B8, R1, R0, 0), add(R1, 1), store(Size::B8, R0, 0, R1), copy(R0, R1), Insn::Exit]);
    asm.done()
}

#[test]
fn maps_in_maps_lead_to_their_maps() {
    if !host_works() {
        return;
    }
    for (outer, inner) in [
        (MapKind::ArrayOfMaps, MapKind::Array),
        (MapKind::ArrayOfMaps, MapKind::Hash),
        (MapKind::HashOfMaps, MapKind::Array),
        (MapKind::HashOfMaps, MapKind::Hash),
    ] {
        let spec = |name: &str| map_spec(name, inner, 4, 8, 3);
        let maps = [map_spec("rings", outer, 4, 4, 4), spec("a"), spec("b")];
        let mut object = object(&two_lookups(), &maps);
        object.maps[0].inner = Some(Box::new(spec("rings.inner")));
        object.maps[0].initial = vec![(0, Initial::Map(MapIdx(1)))];
        let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
        let mut kernel = host(&object);
        let wrong = number(1, 3);
        assert!(reference.map_update(MapIdx(0), &wrong).is_err() && kernel.map_update(MapIdx(0), &wrong).is_err());
        for entry in [number(2, 2), number(3, 1)] {
            reference.map_update(MapIdx(0), &entry).expect("ours takes it");
            kernel.map_update(MapIdx(0), &entry).expect("the kernel takes it");
        }
        let mut rng = Rng(3);
        let packets: Vec<PacketIn> = (0..200).map(|_| words(&[rng.below(6) as u32, rng.below(5) as u32])).collect();
        compare(&format!("{} of {}", outer.name(), inner.name()), &mut reference, &mut kernel, 3, &packets);
    }
}

/// The kernel wants BTF for callbacks; what is expected here is bpf_loop's contract in include/uapi/linux/bpf.h.
#[test]
fn loops_call_back() {
    // Words 0 and 1 are count and flags; the callback stops at its call number word 2, and counts in the context.
    let mut asm = Asm::default();
    asm.put(prologue(32)).put([
        load(Size::B4, R1, R5, 0),
        load(Size::B8, R4, R5, 4),
        load(Size::B4, R6, R5, 12),
        store(Size::B4, R10, -8, R6),
        store_imm(Size::B4, R10, -4, 0),
        copy(R3, R10),
        add(R3, -8),
    ]);
    let function = asm.insns.len();
    asm.put([Insn::LoadImm64 { dst: R2, value: Imm64::Const(0) }, Insn::Wide]).helper(LOOP).put([
        load(Size::B4, R1, R10, -4),
        Insn::Alu { width: Width::W64, op: AluOp::Mul, dst: R1, src: Operand::Imm(1000) },
        Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R0, src: Operand::Reg(R1) },
        Insn::Exit,
    ]);
    let callback = asm.insns.len();
    asm.put([load(Size::B4, R3, R2, 4), add(R3, 1), store(Size::B4, R2, 4, R3), load(Size::B4, R4, R2, 0), mov(R0, 0)])
        .put([jump_if(Cond::Ne, R1, Operand::Reg(R4), callback + 7), mov(R0, 1), Insn::Exit]);
    let mut insns = asm.done();
    insns[function] = Insn::LoadImm64 { dst: R2, value: Imm64::Func(InsnIdx(callback as u32)) };
    let object = object(&[mov(R0, 0), Insn::Exit], &[]);
    let object = Object { programs: vec![Program { insns, ..object.programs[0].clone() }], ..object };
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
    let mut run = |count: u32, flags: u32, stop: u32| {
        reference.run(&words(&[count, flags, 0, stop])).unwrap_or_else(|d| panic!("{d}")).retval as i32
    };
    assert_eq!(run(0, 0, 9), 0);
    assert_eq!(run(5, 0, 9), 5005, "five calls");
    assert_eq!(run(5, 0, 2), 3003, "the third call stops the loop");
    assert_eq!(run(5, 1, 9), -22, "flags are refused");
    assert_eq!(run((1 << 23) + 1, 0, 9), -7, "too many");
}

#[test]
fn a_lock_is_taken_once() {
    let with = |calls: &[u32]| {
        let mut asm = Asm::default();
        asm.put([store_imm(Size::B4, R10, -4, 0), copy(R2, R10), add(R2, -4)])
            .put(map(R1, 0))
            .helper(LOOKUP)
            .jump_if(Cond::Eq, R0, 0, "out")
            .put([copy(R6, R0)]);
        for &call in calls {
            asm.put([copy(R1, R6)]).helper(call);
        }
        asm.label("out").put([mov(R0, 2), Insn::Exit]);
        let object = object(&asm.done(), &[MapSpec { ..map_spec("locked", MapKind::Array, 4, 16, 1) }]);
        let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program");
        reference.run(&packet(&[0; 64])).map(|out| out.retval).map_err(|d| d.reason.unwrap_or_default())
    };
    assert_eq!(with(&[SPIN_LOCK, SPIN_UNLOCK, SPIN_LOCK, SPIN_UNLOCK]), Ok(2));
    assert!(with(&[SPIN_LOCK, SPIN_LOCK]).is_err_and(|reason| reason.contains("taken twice")));
    assert!(with(&[SPIN_UNLOCK]).is_err_and(|reason| reason.contains("released twice")));
}
