//! Programs made by hand, and back ends for them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use offload_compiler::ebpf::{AluOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width, encode};
use offload_compiler::facts;
use offload_compiler::object::{Map, Object, Program};
use offwire_harness::host::{self, Host};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, PacketIn, require};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;

pub const R0: Reg = Reg(0);
pub const R1: Reg = Reg(1);
pub const R2: Reg = Reg(2);
pub const R3: Reg = Reg(3);
pub const R4: Reg = Reg(4);
pub const R5: Reg = Reg(5);
pub const R6: Reg = Reg(6);
pub const R7: Reg = Reg(7);
pub const R8: Reg = Reg(8);
pub const R9: Reg = Reg(9);
pub const R10: Reg = Reg(10);

pub fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Imm(imm) }
}
pub fn copy(dst: Reg, src: Reg) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Reg(src) }
}
pub fn add(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(imm) }
}
pub fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Insn {
    Insn::Load { size, signed: false, dst, base, off }
}
pub fn store(size: Size, base: Reg, off: i16, src: Reg) -> Insn {
    Insn::Store { size, base, off, src: Operand::Reg(src) }
}
pub fn store_imm(size: Size, base: Reg, off: i16, imm: i32) -> Insn {
    Insn::Store { size, base, off, src: Operand::Imm(imm) }
}
pub fn jump_if(cond: Cond, dst: Reg, src: Operand, target: usize) -> Insn {
    Insn::JumpIf { width: Width::W64, cond, dst, src, target: InsnIdx(target as u32) }
}
pub fn map(dst: Reg, index: u16) -> [Insn; 2] {
    [Insn::LoadImm64 { dst, value: Imm64::Map(MapIdx(index)) }, Insn::Wide]
}
pub fn map_value(dst: Reg, index: u16, offset: u32) -> [Insn; 2] {
    [Insn::LoadImm64 { dst, value: Imm64::MapValue { map: MapIdx(index), offset } }, Insn::Wide]
}

/// `r5 = data`; returns 0 unless the packet has `len` bytes. Seven instructions; the rest of the program follows.
pub fn prologue(len: i32) -> Vec<Insn> {
    vec![
        load(Size::B4, R5, R1, 0),
        load(Size::B4, R3, R1, 4),
        copy(R4, R5),
        add(R4, len),
        mov(R0, 0),
        jump_if(Cond::Le, R4, Operand::Reg(R3), 7),
        Insn::Exit,
    ]
}

pub fn map_spec(name: &str, kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    MapSpec { name: name.into(), kind, key_size, value_size, max_entries, flags: 0, init: Vec::new(), frozen: false }
}

/// An object with one program.
pub fn object(insns: &[Insn], maps: &[MapSpec]) -> Object {
    let raw = encode(insns).expect("a program made by hand encodes");
    let program = Program {
        name: "test".into(),
        section: "xdp".into(),
        insns: insns.to_vec(),
        raw,
        functions: vec![(InsnIdx(0), "test".into())],
        ..Program::default()
    };
    let maps = maps.iter().cloned().map(Map::from).collect();
    Object { programs: vec![program], maps, license: "Dual MIT/GPL".into(), ..Object::default() }
}

pub fn packet(bytes: &[u8]) -> PacketIn {
    PacketIn { bytes: bytes.to_vec(), port: 0, rx_queue: 0, arrival_ns: 0 }
}

/// False, and a line that says so, if bpf(2) cannot be used here.
pub fn host_works() -> bool {
    match host::available() {
        Ok(()) => true,
        Err(diagnostic) => {
            require::skip_or_fail("host", diagnostic.reason.as_deref().unwrap_or(&diagnostic.message));
            false
        }
    }
}

/// Loads the program into the kernel; a refusal is a mistake of the test and shows the log.
pub fn host(object: &Object) -> Host {
    Host::new(object, 0).unwrap_or_else(|diagnostic| {
        let log = host::load_verdict(object, 0).map(|verdict| verdict.map_err(|rejected| rejected.log));
        panic!("{diagnostic}\n{log:?}")
    })
}

/// Runs the packets through both and compares return value, bytes and all maps after each. The interpreter asserts all facts.
pub fn same(what: &str, insns: &[Insn], maps: &[MapSpec], packets: &[PacketIn]) {
    let object = object(insns, maps);
    let facts = facts::analyze(&object, &object.programs[0]).unwrap_or_else(|d| panic!("{what}: {d}"));
    let mut reference = Ref::new(&object, 0).expect("the interpreter takes the program").with_facts(&facts);
    compare(what, &mut reference, &mut host(&object), maps.len(), packets);
}

/// The same for programs that the compiler's facts do not know yet.
pub fn same_without_facts(what: &str, insns: &[Insn], maps: &[MapSpec], packets: &[PacketIn]) {
    let object = object(insns, maps);
    let mut reference = Ref::new(&object, 0).unwrap_or_else(|d| panic!("{what}: {d}"));
    compare(what, &mut reference, &mut host(&object), maps.len(), packets);
}

/// Runs the packets through both and compares all that comes out.
pub fn compare(what: &str, reference: &mut Ref, kernel: &mut Host, maps: usize, packets: &[PacketIn]) {
    for (number, packet) in (0..).zip(packets) {
        let chance = Chance::of_packet(number, packet.arrival_ns);
        reference.set_chance(chance);
        kernel.set_chance(chance);
        let ours = reference.run(packet).unwrap_or_else(|d| panic!("{what}: {d}"));
        let theirs = kernel.run(packet).unwrap_or_else(|d| panic!("{what}: {d}"));
        let same = ours.events.len() == theirs.events.len()
            && ours.events.iter().zip(&theirs.events).all(|(ours, theirs)| ours.same(theirs));
        assert!(same, "{what}: events {:?} and {:?} on packet {:02x?}", ours.events, theirs.events, packet.bytes);
        assert_eq!(
            (ours.retval, &ours.bytes, &ours.meta),
            (theirs.retval, &theirs.bytes, &theirs.meta),
            "{what}: interpreter (left) and kernel (right) differ on packet {:02x?}",
            packet.bytes
        );
        for index in (0..maps).map(|index| MapIdx(index as u16)) {
            let ours = reference.map_entries(index).expect("our map reads");
            let theirs = kernel.map_entries(index).expect("the kernel's map reads");
            assert_eq!(ours, theirs, "{what}: map {} differs after {:02x?}", index.0, packet.bytes);
        }
    }
}

/// Byte 0 of the packet says what to do (1 update, 2 delete, else look up and add 1), 4 holds the key, 8 the value, 16 the flags;
/// the result goes to 24.
pub fn map_operations() -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(64))
        .put([
            copy(R6, R5),
            load(Size::B4, R7, R6, 4),
            store(Size::B4, R10, -4, R7),
            load(Size::B8, R7, R6, 8),
            store(Size::B8, R10, -16, R7),
            load(Size::B1, R7, R6, 0),
        ])
        .put(map(R1, 0))
        .put([copy(R2, R10), add(R2, -4)])
        .jump_if(Cond::Eq, R7, 1, "update")
        .jump_if(Cond::Eq, R7, 2, "delete")
        .helper(1)
        .jump_if(Cond::Eq, R0, 0, "out")
        .put([
            load(Size::B8, R7, R0, 0),
            mov(R1, 1),
            Insn::Atomic {
                size: Size::B8,
                op: offload_compiler::ebpf::AtomicOp::Add,
                fetch: false,
                base: R0,
                off: 0,
                src: R1,
            },
            copy(R0, R7),
        ])
        .jump("out")
        .label("update")
        .put([copy(R3, R10), add(R3, -16), load(Size::B8, R4, R6, 16)])
        .helper(2)
        .jump("out")
        .label("delete")
        .helper(3)
        .label("out")
        .put([store(Size::B8, R6, 24, R0), mov(R0, 2), Insn::Exit]);
    asm.done()
}

pub fn operation(op: u8, key: u32, value: u64, flags: u64) -> PacketIn {
    let mut bytes = vec![0; 64];
    bytes[0] = op;
    bytes[4..8].copy_from_slice(&key.to_le_bytes());
    bytes[8..16].copy_from_slice(&value.to_le_bytes());
    bytes[16..24].copy_from_slice(&flags.to_le_bytes());
    packet(&bytes)
}

/// A program with named jump targets.
#[derive(Default)]
pub struct Asm {
    pub insns: Vec<Insn>,
    labels: BTreeMap<&'static str, usize>,
    jumps: Vec<(usize, &'static str)>,
}

impl Asm {
    pub fn put(&mut self, insns: impl IntoIterator<Item = Insn>) -> &mut Self {
        self.insns.extend(insns);
        self
    }
    pub fn label(&mut self, name: &'static str) -> &mut Self {
        self.labels.insert(name, self.insns.len());
        self
    }
    pub fn jump_if(&mut self, cond: Cond, dst: Reg, imm: i32, to: &'static str) -> &mut Self {
        self.jumps.push((self.insns.len(), to));
        self.put([jump_if(cond, dst, Operand::Imm(imm), 0)])
    }
    pub fn jump(&mut self, to: &'static str) -> &mut Self {
        self.jumps.push((self.insns.len(), to));
        self.put([Insn::Jump { target: InsnIdx(0) }])
    }
    pub fn call(&mut self, to: &'static str) -> &mut Self {
        self.jumps.push((self.insns.len(), to));
        self.put([Insn::CallLocal { target: InsnIdx(0) }])
    }
    pub fn helper(&mut self, id: u32) -> &mut Self {
        self.put([Insn::CallHelper { id }])
    }
    pub fn done(&self) -> Vec<Insn> {
        let mut insns = self.insns.clone();
        for (at, name) in &self.jumps {
            let to = InsnIdx(self.labels[name] as u32);
            match &mut insns[*at] {
                Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target } => *target = to,
                other => panic!("{other:?} is no jump"),
            }
        }
        insns
    }
}

/// Numbers from a seed (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
