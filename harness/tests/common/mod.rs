//! Programs made by hand, and back ends for them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use offload_compiler::ebpf::{Cond, Insn, MapIdx, Size};
use offload_compiler::facts;
use offload_compiler::object::Object;
use offwire_harness::host::{self, Host};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, PacketIn, require};
use offwire_image::MapSpec;

pub use offwire_harness::programs::*;

/// An object with one program.
pub fn object(insns: &[Insn], maps: &[MapSpec]) -> Object {
    object_of(vec![program("test", insns).expect("a program made by hand encodes")], maps)
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
