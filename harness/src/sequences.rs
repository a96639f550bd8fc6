//! Random sequences of map operations: for each kind of map a program that takes the packet as a list of operations.
//!
//! A packet is a sequence: [`OPERATIONS`] records of 32 bytes. The program does one after the other and writes into each record what
//! came out. Maps are small, keys few and flags often wrong, so that entries are met again, maps fill up, and every error comes.
//!
//! A record: byte 0 says what to do, byte 3 is set to 1 if a lookup found something; 4 to 7 are flags; 8 to 15 the key; 16 to 23
//! the value; 24 to 31 take the result.

use crate::mapfile::Contents;
use crate::programs::{
    Asm, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Rng, add, copy, load, map, map_spec, mov, object_of, program,
    store, store_imm,
};
use crate::{Entry, EntryValue, PacketIn};
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, MapIdx, Operand, Size, Width};
use offload_compiler::object::{Initial, Map, Object};
use offwire_image::{MapKind, MapSpec};

/// Operations in a packet.
pub const OPERATIONS: usize = 8;
/// Bytes of an operation.
const RECORD: usize = 32;
/// Bytes of a packet.
const LEN: usize = OPERATIONS * RECORD;
/// Programs of the object for program arrays.
const PROGRAMS: usize = 4;

const LOOKUP: u32 = 1;
const UPDATE: u32 = 2;
const DELETE: u32 = 3;
const TAIL_CALL: u32 = 12;
const PERF_EVENT_OUTPUT: u32 = 25;
const REDIRECT_MAP: u32 = 51;
const RINGBUF_OUTPUT: u32 = 130;
const RINGBUF_RESERVE: u32 = 131;
const RINGBUF_SUBMIT: u32 = 132;
const RINGBUF_DISCARD: u32 = 133;

/// BPF_F_NO_PREALLOC.
const NO_PREALLOC: u32 = 1;

/// How updates get their flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    /// BPF_ANY, BPF_NOEXIST and BPF_EXIST, each by a call of its own.
    Constant,
    /// From the packet, often wrong.
    Any,
}

/// What the operations work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "kinds of maps")]
pub enum Subject {
    Array,
    PercpuArray,
    Hash,
    /// A hash map that takes its elements when it needs them (BPF_F_NO_PREALLOC).
    HashOnDemand,
    PercpuHash,
    /// With more room than there are keys.
    LruHash,
    /// With less.
    LruHashFull,
    LpmTrie,
    Devmap,
    DevmapHash,
    ProgArray,
    ArrayOfArrays,
    ArrayOfHashes,
    HashOfArrays,
    HashOfHashes,
    Ringbuf,
    PerfEventArray,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 17] = [
        Subject::Array,
        Subject::PercpuArray,
        Subject::Hash,
        Subject::HashOnDemand,
        Subject::PercpuHash,
        Subject::LruHash,
        Subject::LruHashFull,
        Subject::LpmTrie,
        Subject::Devmap,
        Subject::DevmapHash,
        Subject::ProgArray,
        Subject::ArrayOfArrays,
        Subject::ArrayOfHashes,
        Subject::HashOfArrays,
        Subject::HashOfHashes,
        Subject::Ringbuf,
        Subject::PerfEventArray,
    ];

    /// An object whose first program does the operations. The seed varies sizes of keys, values and maps; `None` if the
    /// generator made what does not encode.
    pub fn object(self, seed: u64, flags: Flags) -> Option<Object> {
        let shape = Shape::new(self, seed);
        let maps = [shape.spec("subject", shape.kind)];
        let one = |insns: Vec<Insn>, maps: &[MapSpec]| Some(object_of(vec![program("sequence", &insns).ok()?], maps));
        match self {
            Subject::Devmap | Subject::DevmapHash => one(each(redirect), &maps),
            Subject::Ringbuf => one(each(ringbuf), &maps),
            Subject::PerfEventArray => one(each(perf), &maps),
            Subject::ProgArray => {
                let programs = (0..PROGRAMS).map(|number| program(&format!("hop{number}"), &hop(number)).ok());
                let mut object = object_of(programs.collect::<Option<_>>()?, &maps);
                if let Some(map) = object.maps.first_mut() {
                    let entry =
                        |number: usize| (number as u32 + number as u32 / 2, Initial::Program(format!("hop{number}")));
                    map.initial = (0..PROGRAMS).map(entry).collect();
                }
                Some(object)
            }
            Subject::ArrayOfArrays | Subject::ArrayOfHashes | Subject::HashOfArrays | Subject::HashOfHashes => {
                let inner = shape.spec("inner", shape.inner);
                let mut object = one(each(|asm, at| inner_operation(asm, at, &shape, flags)), &[])?;
                let outer = map_spec("subject", shape.kind, 4, 4, shape.max_entries);
                let initial = vec![(0, Initial::Map(MapIdx(1))), (1, Initial::Map(MapIdx(2)))];
                object.maps.push(Map { inner: Some(Box::new(inner.clone())), initial, ..Map::from(outer) });
                for number in 1..=2 {
                    object.maps.push(Map::from(MapSpec { name: format!("inner{number}"), ..inner.clone() }));
                }
                Some(object)
            }
            _ => one(each(|asm, at| operation(asm, at, &shape, flags)), &maps),
        }
    }

    /// What stands in the maps at first: entries that only user space can write.
    pub fn contents(self) -> Contents {
        let entry = |key: u32, value: u32| Entry {
            key: key.to_le_bytes().to_vec(),
            value: EntryValue::One(value.to_le_bytes().to_vec()),
        };
        let entries = match self {
            // The loopback device.
            Subject::Devmap | Subject::DevmapHash => vec![entry(0, 1), entry(2, 1)],
            _ => return Contents::new(),
        };
        vec![(MapIdx(0), entries)]
    }

    /// Sequences: as many as one takes.
    pub fn packets(self, seed: u64) -> impl Iterator<Item = PacketIn> {
        let shape = Shape::new(self, seed);
        let mut rng = Rng(seed ^ (self as u64) << 48);
        (0..).map(move |number: u64| {
            let bytes = if self == Subject::ProgArray { hops(&mut rng) } else { records(self, &shape, &mut rng) };
            PacketIn { bytes, port: 0, rx_queue: 0, arrival_ns: number * 1000 }
        })
    }
}

/// Sizes of a map.
#[derive(Clone, Copy, Debug)]
struct Shape {
    kind: MapKind,
    inner: MapKind,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    /// Keys are below.
    keys: usize,
}

impl Shape {
    fn new(subject: Subject, seed: u64) -> Self {
        let mut rng = Rng(!seed);
        let value_size = rng.pick(&[8, 24, 72]);
        let hash_key = rng.pick(&[4, 8]);
        let max_entries = rng.pick(&[1, 3, 4, 7]);
        let keys = max_entries as usize + 3;
        let shape = |kind, key_size, flags| Shape {
            kind,
            inner: MapKind::Array,
            key_size,
            value_size,
            max_entries,
            flags,
            keys,
        };
        let outer = |kind, inner| Shape { inner, ..shape(kind, 4, 0) };
        match subject {
            Subject::Array => shape(MapKind::Array, 4, 0),
            Subject::PercpuArray => shape(MapKind::PercpuArray, 4, 0),
            Subject::Hash => shape(MapKind::Hash, hash_key, 0),
            Subject::HashOnDemand => shape(MapKind::Hash, hash_key, NO_PREALLOC),
            Subject::PercpuHash => shape(MapKind::PercpuHash, hash_key, 0),
            Subject::LruHash => Shape { max_entries: 64, keys: 12, ..shape(MapKind::LruHash, hash_key, 0) },
            Subject::LruHashFull => Shape { max_entries: 8, keys: 40, ..shape(MapKind::LruHash, hash_key, 0) },
            Subject::LpmTrie => Shape { keys: 4, ..shape(MapKind::LpmTrie, 8, NO_PREALLOC) },
            Subject::Devmap => Shape { value_size: 4, max_entries: 4, ..shape(MapKind::Devmap, 4, 0) },
            Subject::DevmapHash => Shape { value_size: 4, max_entries: 4, ..shape(MapKind::DevmapHash, 4, 0) },
            Subject::ProgArray => Shape { value_size: 4, max_entries: 6, ..shape(MapKind::ProgArray, 4, 0) },
            Subject::ArrayOfArrays => Shape { max_entries: 3, ..outer(MapKind::ArrayOfMaps, MapKind::Array) },
            Subject::ArrayOfHashes => Shape { max_entries: 3, ..outer(MapKind::ArrayOfMaps, MapKind::Hash) },
            Subject::HashOfArrays => Shape { max_entries: 3, ..outer(MapKind::HashOfMaps, MapKind::Array) },
            Subject::HashOfHashes => Shape { max_entries: 3, ..outer(MapKind::HashOfMaps, MapKind::Hash) },
            Subject::Ringbuf => Shape { value_size: 0, max_entries: 4096, ..shape(MapKind::Ringbuf, 0, 0) },
            Subject::PerfEventArray => Shape { value_size: 4, max_entries: 3, ..shape(MapKind::PerfEventArray, 4, 0) },
        }
    }

    fn spec(&self, name: &str, kind: MapKind) -> MapSpec {
        let spec = map_spec(name, kind, self.key_size, self.value_size, self.max_entries);
        MapSpec { flags: self.flags, ..spec }
    }
}

/// A program that does one thing for each record: r6 is the packet, r9 is ctx; the last result is the return value.
fn each(mut body: impl FnMut(&mut Asm, i16)) -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put([copy(R9, R1), load(Size::B4, R6, R1, 0), load(Size::B4, R3, R1, 4), copy(R4, R6), add(R4, LEN as i32)]);
    asm.put([mov(R0, 0)]).branch(Width::W64, Cond::Le, R4, Operand::Reg(R3), "start").put([Insn::Exit]).label("start");
    for number in 0..OPERATIONS {
        body(&mut asm, (number * RECORD) as i16);
    }
    asm.put([load(Size::B4, R0, R6, (LEN - 8) as i16), Insn::Exit]).done()
}

/// Name of a label of one record.
fn at_record(name: &str, at: i16) -> String {
    format!("{name} {at}")
}

/// Lookup (0), update (1), delete (2), lookup and add (3), lookup and overwrite (4), lookup and add atomically (5).
fn operation(asm: &mut Asm, at: i16, shape: &Shape, flags: Flags) {
    asm.put([load(Size::B8, R1, R6, at + 8), store(Size::B8, R10, -8, R1)]);
    stack_value(asm, at, shape);
    asm.put(map(R1, 0));
    map_operation(asm, at, shape, -8, flags);
}

/// The value, repeated, below the key on the stack.
fn stack_value(asm: &mut Asm, at: i16, shape: &Shape) {
    asm.put([load(Size::B8, R1, R6, at + 16)]);
    for word in 0..(shape.value_size / 8) as i16 {
        asm.put([store(Size::B8, R10, -8 * (word + 2), R1)]);
    }
}

/// The operation on the map in r1, whose key is at `key` on the stack.
fn map_operation(asm: &mut Asm, at: i16, shape: &Shape, key: i32, flags: Flags) {
    let size = shape.value_size as i16;
    let [update, delete, overwrite, atomic, done] =
        ["update", "delete", "overwrite", "atomic", "done"].map(|name| at_record(name, at));
    asm.put([load(Size::B1, R7, R6, at), copy(R2, R10), add(R2, key)]);
    asm.jump_if(Cond::Eq, R7, 1, &update).jump_if(Cond::Eq, R7, 2, &delete).helper(LOOKUP).jump_if(
        Cond::Eq,
        R0,
        0,
        &done,
    );
    asm.put([load(Size::B8, R8, R0, size - 8), store(Size::B8, R6, at + 24, R8), store_imm(Size::B1, R6, at + 3, 1)]);
    asm.put([load(Size::B8, R1, R6, at + 16)]);
    asm.jump_if(Cond::Eq, R7, 4, &overwrite).jump_if(Cond::Eq, R7, 5, &atomic).jump_if(Cond::Ne, R7, 3, &done);
    asm.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R8, src: Operand::Reg(R1) }]);
    asm.put([store(Size::B8, R0, size - 8, R8)]).jump(&done);
    asm.label(&overwrite).put([store(Size::B8, R0, 0, R1)]).jump(&done);
    asm.label(&atomic).put([Insn::Atomic {
        size: Size::B8,
        op: AtomicOp::Add,
        fetch: false,
        base: R0,
        off: size - 8,
        src: R1,
    }]);
    asm.jump(&done);
    asm.label(&update).put([copy(R3, R10), add(R3, -8 - i32::from(size)), load(Size::B4, R4, R6, at + 4)]);
    let updated = at_record("updated", at);
    if flags == Flags::Constant {
        let [fresh, present] = ["fresh", "present"].map(|name| at_record(name, at));
        asm.jump_if(Cond::Eq, R4, 1, &fresh).jump_if(Cond::Eq, R4, 2, &present);
        asm.put([mov(R4, 0)]).helper(UPDATE).jump(&updated);
        asm.label(&fresh).put([mov(R4, 1)]).helper(UPDATE).jump(&updated).label(&present).put([mov(R4, 2)]);
    }
    asm.helper(UPDATE).label(&updated).put([store(Size::B8, R6, at + 24, R0)]).jump(&done);
    asm.label(&delete).helper(DELETE).put([store(Size::B8, R6, at + 24, R0)]).label(&done);
}

/// The same on a map that stands in a map: the low half of the key finds it, the high half is the key in it.
fn inner_operation(asm: &mut Asm, at: i16, shape: &Shape, flags: Flags) {
    let (found, done) = (at_record("inner", at), at_record("done", at));
    asm.put([load(Size::B8, R1, R6, at + 8), store(Size::B8, R10, -8, R1)]);
    stack_value(asm, at, shape);
    asm.put(map(R1, 0)).put([copy(R2, R10), add(R2, -8)]).helper(LOOKUP).jump_if(Cond::Ne, R0, 0, &found);
    asm.put([store_imm(Size::B1, R6, at + 2, 1)]).jump(&done).label(&found).put([copy(R1, R0)]);
    map_operation(asm, at, shape, -4, flags);
}

/// bpf_redirect_map with key and flags of the record; what the map holds under the key goes to byte 3.
fn redirect(asm: &mut Asm, at: i16) {
    asm.put([load(Size::B4, R2, R6, at + 8), load(Size::B4, R3, R6, at + 4)]).put(map(R1, 0)).helper(REDIRECT_MAP);
    asm.put([store(Size::B8, R6, at + 24, R0)]);
}

/// A record of 0 to 31 bytes (0), of 16 bytes that is submitted (1) or not (2), of 1,016 bytes that is not (3).
fn ringbuf(asm: &mut Asm, at: i16) {
    let [reserve, large, discard, drop, done] =
        ["reserve", "large", "discard", "drop", "done"].map(|name| at_record(name, at));
    asm.put([load(Size::B1, R7, R6, at), load(Size::B8, R8, R6, at + 16)]).put(map(R1, 0));
    asm.jump_if(Cond::Eq, R7, 3, &large).jump_if(Cond::Ne, R7, 0, &reserve);
    for word in 1..=4 {
        asm.put([store(Size::B8, R10, -8 * word, R8)]);
    }
    asm.put([load(Size::B1, R3, R6, at + 8)]);
    asm.put([Insn::Alu { width: Width::W64, op: AluOp::And, dst: R3, src: Operand::Imm(31) }]);
    asm.put([copy(R2, R10), add(R2, -32), load(Size::B4, R4, R6, at + 4)]).helper(RINGBUF_OUTPUT);
    asm.put([store(Size::B8, R6, at + 24, R0)]).jump(&done);
    asm.label(&reserve).put([mov(R2, 16), mov(R3, 0)]).helper(RINGBUF_RESERVE).jump_if(Cond::Eq, R0, 0, &done);
    asm.put([store_imm(Size::B1, R6, at + 3, 1), store(Size::B8, R0, 0, R8), store_imm(Size::B8, R0, 8, -2)]);
    asm.put([copy(R1, R0), mov(R2, 0)]).jump_if(Cond::Eq, R7, 2, &discard).helper(RINGBUF_SUBMIT).jump(&done);
    asm.label(&large).put([mov(R2, 1016), mov(R3, 0)]).helper(RINGBUF_RESERVE).jump_if(Cond::Eq, R0, 0, &drop);
    asm.put([store_imm(Size::B1, R6, at + 3, 1), store(Size::B8, R0, 1008, R8), copy(R1, R0), mov(R2, 0)]);
    asm.label(&discard).helper(RINGBUF_DISCARD).jump(&done);
    asm.label(&drop).put([store_imm(Size::B1, R6, at + 2, 1)]).label(&done);
}

/// bpf_perf_event_output: flags of the record below, byte 8 of it bytes of the packet, byte 9 of data (up to 15).
fn perf(asm: &mut Asm, at: i16) {
    asm.put([load(Size::B8, R8, R6, at + 16), store(Size::B8, R10, -16, R8), store(Size::B8, R10, -8, R8)]);
    asm.put([load(Size::B2, R8, R6, at + 8), load(Size::B4, R3, R6, at + 4), load(Size::B1, R5, R6, at + 10)]);
    asm.put([
        Insn::Alu { width: Width::W64, op: AluOp::Lsh, dst: R8, src: Operand::Imm(32) },
        Insn::Alu { width: Width::W64, op: AluOp::Or, dst: R3, src: Operand::Reg(R8) },
        Insn::Alu { width: Width::W64, op: AluOp::And, dst: R5, src: Operand::Imm(15) },
    ]);
    asm.put([copy(R1, R9)]).put(map(R2, 0)).put([copy(R4, R10), add(R4, -16)]).helper(PERF_EVENT_OUTPUT);
    asm.put([store(Size::B8, R6, at + 24, R0)]);
}

/// One of the programs that call each other: byte 0 counts, the three bits of the word at 8 that it points to name the next one,
/// the word at 16 remembers the way, the byte at 24 says who found nobody.
fn hop(number: usize) -> Vec<Insn> {
    let number = number as i32;
    let alu = |op, dst, src| Insn::Alu { width: Width::W64, op, dst, src };
    let mut asm = Asm::default();
    asm.put([copy(R9, R1), load(Size::B4, R6, R1, 0), load(Size::B4, R3, R1, 4), copy(R4, R6), add(R4, 64)]);
    asm.put([mov(R0, 0)]).branch(Width::W64, Cond::Le, R4, Operand::Reg(R3), "start").put([Insn::Exit]).label("start");
    asm.put([load(Size::B1, R7, R6, 0), load(Size::B8, R8, R6, 8)]);
    asm.put([alu(AluOp::And, R7, Operand::Imm(63)), alu(AluOp::Rsh, R8, Operand::Reg(R7))]);
    asm.put([alu(AluOp::And, R8, Operand::Imm(7)), add(R7, 1), store(Size::B1, R6, 0, R7), load(Size::B8, R0, R6, 16)]);
    asm.put([alu(AluOp::Mul, R0, Operand::Imm(31)), add(R0, number), store(Size::B8, R6, 16, R0)]);
    asm.put([copy(R1, R9)]).put(map(R2, 0)).put([copy(R3, R8)]).helper(TAIL_CALL);
    asm.put([store_imm(Size::B1, R6, 24, 0x40 + number), mov(R0, number), Insn::Exit]).done()
}

/// A packet for [`hop`]: often a long way, sometimes the limit.
fn hops(rng: &mut Rng) -> Vec<u8> {
    // Bits of which any three in a row name a program that is there: 0, 1, 3, 4 are, 2, 5, 6, 7 are not.
    let bits = match rng.below(6) {
        0 => 0,
        1 => rng.next() & rng.next() & rng.next() & rng.next(),
        2 => 1 << rng.below(64),
        3 => 0b11 << rng.below(64),
        _ => rng.next(),
    };
    let mut bytes = vec![0; 64];
    let mut put = |at: usize, word: u64| {
        if let Some(place) = bytes.get_mut(at..at + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    };
    put(8, bits);
    put(16, rng.next());
    put(0, rng.below(4) as u64);
    bytes
}

fn records(subject: Subject, shape: &Shape, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LEN);
    for _ in 0..OPERATIONS {
        let what = match subject {
            Subject::Ringbuf => rng.pick(&[0, 0, 0, 1, 1, 2, 3]),
            _ => rng.pick(&[0, 0, 1, 1, 1, 2, 3, 4, 5u8]),
        };
        let flags: u32 = match subject {
            Subject::Devmap | Subject::DevmapHash => rng.pick(&[0, 1, 2, 3, 2, 3, 4, 8, 16, 24, 27, 32, u32::MAX]),
            Subject::Ringbuf => rng.pick(&[0, 0, 0, 1, 2, 3, 4, u32::MAX]),
            Subject::PerfEventArray => rng.pick(&[u32::MAX, u32::MAX, u32::MAX, 0, 1, 2, 3, 0x8000_0000]),
            _ => rng.pick(&[0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 8, u32::MAX]),
        };
        let key = match subject {
            Subject::LpmTrie => {
                let length = rng.pick(&[0, 1, 8, 9, 16, 24, 31, 32, 32, 33, u32::MAX]);
                let data = rng.pick(&[0, 0x0100_000a, 0x0200_000a, 0x0201_a8c0, 0x80ff_ffff, u32::MAX]);
                u64::from(length) | u64::from(data) << 32
            }
            Subject::PerfEventArray => rng.next() & 0x0f_0000 | rng.pick(&[0, 0, 1, 64, 256, 257, 0xffff]),
            Subject::Ringbuf => rng.next() & 31,
            Subject::ArrayOfArrays | Subject::ArrayOfHashes | Subject::HashOfArrays | Subject::HashOfHashes => {
                (rng.below(4) | rng.below(shape.keys) << 32) as u64
            }
            // Some keys are far away.
            _ if rng.below(16) == 0 => rng.pick(&[u64::MAX, 1 << 32, 0x8000_0000, 0xffff_ffff]),
            _ => rng.below(shape.keys) as u64,
        };
        let value = if rng.below(4) == 0 { rng.next() } else { rng.below(5) as u64 };
        bytes.extend_from_slice(&[what, rng.next() as u8, 0, 0]);
        bytes.extend_from_slice(&flags.to_le_bytes());
        for word in [key, value, 0x5555] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}
