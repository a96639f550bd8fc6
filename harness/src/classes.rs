//! Every instruction of eBPF versions 1 to 4, a small program for each: operands come from the packet, results go into it.
//!
//! [`cases`] is what the tests of all back ends share. A program of a case reads r6 and r7 from the first 16 bytes of the packet
//! and writes its results from byte 16 on; the packets hold all pairs of [`CORNERS`] and some random pairs.

use crate::PacketIn;
use crate::programs::{
    Asm, R0, R1, R3, R5, R6, R7, R8, R9, R10, Rng, constant, copy, load, map, map_spec, map_value, mov, object_of,
    program, prologue, raw_program, store, store_imm,
};
use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Insn, Operand, Reg, Size, Width, encode};
use offload_compiler::object::Object;
use offwire_image::{MapKind, MapSpec};

/// Operations with two operands.
pub const ALU: [AluOp; 14] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Or,
    AluOp::And,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Xor,
    AluOp::Mov,
    AluOp::Arsh,
];
/// Conditions of jumps.
pub const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];
/// Both widths.
pub const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
/// Atomic operations.
pub const ATOMICS: [AtomicOp; 6] =
    [AtomicOp::Add, AtomicOp::Or, AtomicOp::And, AtomicOp::Xor, AtomicOp::Xchg, AtomicOp::Cmpxchg];
/// Access sizes.
pub const SIZES: [Size; 4] = [Size::B1, Size::B2, Size::B4, Size::B8];
/// Values at which something changes.
pub const CORNERS: [u64; 18] = [
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];
/// The same as immediates.
pub const IMMS: [i32; 10] = [0, 1, 2, 7, 31, -1, -2, i32::MAX, i32::MIN, 0x1234_5678];

/// True if the verifier takes the immediate: it refuses shifts by the width or more, and division by a constant zero.
pub fn accepted(op: AluOp, width: Width, imm: i32) -> bool {
    match op {
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => (0..i32::from(bits(width))).contains(&imm),
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => imm != 0,
        _ => true,
    }
}

/// Bytes that the programs want, and that the packets have.
const LEN: i32 = 128;
/// Where results begin.
const RESULTS: i16 = 16;

/// A program for an instruction.
#[derive(Clone, Debug)]
pub struct Case {
    /// "sdiv32 reg", "atomic fetch add 8 map", ...
    pub name: String,
    /// Its only program, and maps if it uses any.
    pub object: Object,
}

/// Packets for each case: pairs of corner values, then 32 random pairs.
pub fn packets() -> Vec<PacketIn> {
    let mut rng = Rng(1);
    let corners = CORNERS.iter().flat_map(|&a| CORNERS.iter().map(move |&b| (a, b)));
    let random: Vec<(u64, u64)> = (0..32).map(|_| (rng.next(), rng.next())).collect();
    let packet = |(number, (a, b)): (usize, (u64, u64))| {
        let mut bytes = a.to_le_bytes().to_vec();
        bytes.extend_from_slice(&b.to_le_bytes());
        let filler = Rng(number as u64).next().to_le_bytes();
        bytes.extend(filler.iter().cycle().take(LEN as usize - 16));
        PacketIn { bytes, port: 0, rx_queue: 0, arrival_ns: 0 }
    };
    corners.chain(random).enumerate().map(packet).collect()
}

/// All cases, in a fixed order.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    cases.alu();
    cases.unary();
    cases.wide_constants();
    cases.jumps();
    cases.memory();
    cases.atomics();
    cases.calls();
    cases.0
}

struct Cases(Vec<Case>);

fn bits(width: Width) -> u8 {
    match width {
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

fn lower(name: &impl std::fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

/// A program that has r5 = packet, r6 and r7 = operands.
fn start() -> Asm {
    let mut asm = Asm::default();
    asm.put(prologue(LEN)).put([load(Size::B8, R6, R5, 0), load(Size::B8, R7, R5, 8)]);
    asm
}

fn end(asm: &mut Asm) -> Vec<Insn> {
    asm.put([mov(R0, 2), Insn::Exit]).done()
}

impl Cases {
    /// A generator that made what does not encode would lose its case; the tests count them.
    fn add(&mut self, name: String, insns: &[Insn], maps: &[MapSpec]) {
        if let Ok(program) = program("test", insns) {
            self.0.push(Case { name, object: object_of(vec![program], maps) });
        }
    }

    fn alu(&mut self) {
        for width in WIDTHS {
            for op in ALU {
                let name = format!("{}{}", lower(&op), bits(width));
                let mut asm = start();
                asm.put([Insn::Alu { width, op, dst: R6, src: Operand::Reg(R7) }, store(Size::B8, R5, RESULTS, R6)]);
                // With itself, and with operands that a narrow load bounds.
                asm.put([copy(R8, R7), Insn::Alu { width, op, dst: R8, src: Operand::Reg(R8) }]);
                asm.put([store(Size::B8, R5, RESULTS + 8, R8), load(Size::B1, R8, R5, 0), load(Size::B2, R9, R5, 8)]);
                asm.put([Insn::Alu { width, op, dst: R8, src: Operand::Reg(R9) }]);
                asm.put([store(Size::B8, R5, RESULTS + 16, R8)]);
                self.add(format!("{name} reg"), &end(&mut asm), &[]);

                let mut asm = start();
                let mut place = RESULTS;
                for imm in IMMS {
                    let shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
                    let imm = if shift { imm & 31 } else { imm };
                    if !accepted(op, width, imm) {
                        continue;
                    }
                    asm.put([copy(R8, R6), Insn::Alu { width, op, dst: R8, src: Operand::Imm(imm) }]);
                    asm.put([store(Size::B8, R5, place, R8)]);
                    place += 8;
                }
                self.add(format!("{name} imm"), &end(&mut asm), &[]);
            }
        }
    }

    fn unary(&mut self) {
        let mut one = |name: String, insn: &dyn Fn(Reg) -> Insn| {
            let mut asm = start();
            asm.put([copy(R8, R6), insn(R8), store(Size::B8, R5, RESULTS, R8)]);
            asm.put([copy(R8, R7), insn(R8), store(Size::B8, R5, RESULTS + 8, R8)]);
            self.add(name, &end(&mut asm), &[]);
        };
        for width in WIDTHS {
            one(format!("neg{}", bits(width)), &|dst| Insn::Neg { width, dst });
        }
        for (width, from) in [(Width::W32, 8), (Width::W32, 16), (Width::W64, 8), (Width::W64, 16), (Width::W64, 32)] {
            one(format!("movsx{} {from}", bits(width)), &|dst| Insn::MovSx { width, bits: from, dst, src: R6 });
        }
        for bits in [16, 32, 64] {
            one(format!("le{bits}"), &|dst| Insn::Endian { bits, to_be: false, dst });
            one(format!("be{bits}"), &|dst| Insn::Endian { bits, to_be: true, dst });
            one(format!("bswap{bits}"), &|dst| Insn::Bswap { bits, dst });
        }
    }

    fn wide_constants(&mut self) {
        let mut asm = start();
        for (place, value) in (0..14).zip(CORNERS.iter().rev()) {
            asm.put(constant(R8, *value)).put([
                Insn::Alu { width: Width::W64, op: AluOp::Xor, dst: R8, src: Operand::Reg(R6) },
                store(Size::B8, R5, RESULTS + 8 * place, R8),
            ]);
        }
        self.add("lddw".into(), &end(&mut asm), &[]);
    }

    fn jumps(&mut self) {
        for width in WIDTHS {
            for cond in CONDS {
                let name = format!("j{}{}", lower(&cond), bits(width));
                let mut asm = start();
                let operands = [(R6, R7), (R7, R6), (R6, R6)];
                for (place, (a, b)) in (0..).zip(operands) {
                    let (taken, over) = (format!("taken {place}"), format!("over {place}"));
                    asm.branch(width, cond, a, Operand::Reg(b), &taken).put([mov(R8, 1)]).jump(&over);
                    asm.label(&taken).put([mov(R8, 2)]);
                    asm.label(&over).put([store(Size::B1, R5, RESULTS + place, R8)]);
                }
                self.add(format!("{name} reg"), &end(&mut asm), &[]);

                let mut asm = start();
                for (place, imm) in (0..).zip(IMMS) {
                    let taken = format!("taken {place}");
                    asm.put([mov(R8, 1)]).branch(width, cond, R6, Operand::Imm(imm), &taken).put([mov(R8, 2)]);
                    asm.label(&taken).put([store(Size::B1, R5, RESULTS + place, R8)]);
                }
                self.add(format!("{name} imm"), &end(&mut asm), &[]);
            }
        }
        // Forward and backward, by offset and by immediate (gotol): if r6 is odd, r7 is added four times.
        let mut asm = start();
        asm.put([mov(R8, 0), mov(R9, 0)]).branch(Width::W64, Cond::Set, R6, Operand::Imm(1), "loop").jump("out");
        asm.label("loop").put([
            Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R8, src: Operand::Reg(R7) },
            Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R9, src: Operand::Imm(1) },
        ]);
        asm.branch(Width::W64, Cond::Lt, R9, Operand::Imm(4), "back").jump("out");
        asm.label("back").jump("loop");
        asm.label("out").put([store(Size::B8, R5, RESULTS, R8)]);
        let insns = end(&mut asm);
        self.add("goto".into(), &insns, &[]);
        let Ok(mut raw) = encode(&insns) else { return };
        for slot in raw.iter_mut().filter(|slot| slot.first() == Some(&0x05)) {
            let [_, regs, low, high, ..] = *slot;
            let [a, b, c, d] = i32::from(i16::from_le_bytes([low, high])).to_le_bytes();
            *slot = [0x06, regs, 0, 0, a, b, c, d];
        }
        if let Some(program) = raw_program("test", raw) {
            self.0.push(Case { name: "gotol".into(), object: object_of(vec![program], &[]) });
        }
    }

    fn memory(&mut self) {
        let maps = [map_spec("cell", MapKind::Array, 4, 64, 1)];
        for size in SIZES {
            let width = size.bytes();
            // What lies at r6 and r7, at each alignment, from packet, stack and map value.
            for signed in [false, true] {
                if signed && size == Size::B8 {
                    continue;
                }
                let name = if signed { format!("ldxs{width}") } else { format!("ldx{width}") };
                let from = |asm: &mut Asm, base: Reg, first: i16, step: i16| {
                    for (place, off) in (0..).zip((0..8).step_by(step.unsigned_abs().into())) {
                        asm.put([Insn::Load { size, signed, dst: R9, base, off: first + off }]);
                        asm.put([store(Size::B8, R5, RESULTS + 8 * place, R9)]);
                    }
                };
                let mut asm = start();
                from(&mut asm, R5, 0, 1);
                self.add(format!("{name} packet"), &end(&mut asm), &[]);
                let mut asm = start();
                asm.put([store(Size::B8, R10, -16, R6), store(Size::B8, R10, -8, R7)]);
                from(&mut asm, R10, -16, width as i16);
                self.add(format!("{name} stack"), &end(&mut asm), &[]);
                let mut asm = start();
                asm.put(map_value(R8, 0, 8)).put([store(Size::B8, R8, 0, R6), store(Size::B8, R8, 8, R7)]);
                from(&mut asm, R8, 0, 1);
                self.add(format!("{name} map"), &end(&mut asm), &maps);
            }
            // Both forms of store, over what is there.
            let mut asm = start();
            for (place, off) in (0..8).zip([0, 1, 2, 3, 4, 5, 6, 7]) {
                asm.put([store(size, R5, RESULTS + 8 * place + off, R6)]);
            }
            asm.put([store_imm(size, R5, 90, -2), store_imm(size, R5, 105, 0x1234_5678)]);
            self.add(format!("stx{width} packet"), &end(&mut asm), &[]);
            let mut asm = start();
            asm.put([store(Size::B8, R10, -16, R7), store(Size::B8, R10, -8, R7), store(size, R10, -16, R6)]);
            asm.put([store_imm(size, R10, -8, -2), load(Size::B8, R8, R10, -16), load(Size::B8, R9, R10, -8)]);
            asm.put([store(Size::B8, R5, RESULTS, R8), store(Size::B8, R5, RESULTS + 8, R9)]);
            self.add(format!("stx{width} stack"), &end(&mut asm), &[]);
            let mut asm = start();
            asm.put(map_value(R8, 0, 0)).put([store(Size::B8, R8, 0, R7), store(size, R8, 3, R6)]);
            asm.put([store_imm(size, R8, 17, -2), load(Size::B8, R9, R8, 0), store(Size::B8, R5, RESULTS, R9)]);
            self.add(format!("stx{width} map"), &end(&mut asm), &maps);
        }
    }

    fn atomics(&mut self) {
        let maps = [map_spec("cell", MapKind::Array, 4, 16, 1)];
        for size in [Size::B4, Size::B8] {
            for op in ATOMICS {
                for fetch in [false, true] {
                    if !fetch && matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg) {
                        continue;
                    }
                    // Memory holds r6, the operand is r7, r0 is what cmpxchg expects: half of the packets hit.
                    let body = |asm: &mut Asm, base: Reg, off: i16| {
                        asm.put([store(Size::B8, base, off, R6), load(Size::B8, R0, R5, 0)]);
                        asm.branch(Width::W64, Cond::Set, R7, Operand::Imm(1), "hit").put([mov(R0, 5)]);
                        asm.label("hit").put([
                            Insn::Atomic { size, op, fetch, base, off, src: R7 },
                            store(Size::B8, R5, RESULTS, R7),
                            store(Size::B8, R5, RESULTS + 8, R0),
                            load(Size::B8, R6, base, off),
                            store(Size::B8, R5, RESULTS + 16, R6),
                        ]);
                    };
                    let kind = if fetch { "fetch " } else { "" };
                    let name = format!("atomic {kind}{} {}", lower(&op), size.bytes());
                    let mut asm = start();
                    body(&mut asm, R10, -8);
                    self.add(format!("{name} stack"), &end(&mut asm), &[]);
                    let mut asm = start();
                    asm.put(map_value(R8, 0, 8));
                    body(&mut asm, R8, 0);
                    self.add(format!("{name} map"), &end(&mut asm), &maps);
                    // Without writing memory first: it keeps its contents from packet to packet, and shows at the end.
                    let mut asm = start();
                    asm.put([store_imm(Size::B4, R10, -4, 0), copy(Reg(2), R10)]);
                    asm.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg(2), src: Operand::Imm(-4) }]);
                    asm.put([copy(R9, R5)]).put(map(R1, 0)).helper(1).jump_if(Cond::Eq, R0, 0, "out");
                    asm.put([copy(R8, R0), copy(R0, R6), Insn::Atomic { size, op, fetch, base: R8, off: 8, src: R7 }]);
                    asm.put([store(Size::B8, R9, RESULTS, R7), store(Size::B8, R9, RESULTS + 8, R0)]).label("out");
                    self.add(format!("{name} lookup"), &end(&mut asm), &maps);
                }
            }
        }
    }

    fn calls(&mut self) {
        let mut asm = start();
        asm.put([copy(R9, R5), copy(R1, R6), copy(Reg(2), R7)]).call("mix").put([store(Size::B8, R9, RESULTS, R0)]);
        asm.put([copy(R1, R0), mov(Reg(2), 3)]).call("twice").put([
            store(Size::B8, R9, RESULTS + 8, R0),
            store(Size::B8, R9, RESULTS + 16, R6),
            mov(R0, 2),
            Insn::Exit,
        ]);
        // Each has a frame of its own; r6 to r9 are the caller's.
        asm.label("mix").put([
            store(Size::B8, R10, -8, R1),
            copy(R6, Reg(2)),
            Insn::Alu { width: Width::W64, op: AluOp::Mul, dst: R6, src: Operand::Imm(31) },
            load(Size::B8, R0, R10, -8),
            Insn::Alu { width: Width::W64, op: AluOp::Xor, dst: R0, src: Operand::Reg(R6) },
            Insn::Exit,
        ]);
        asm.label("twice")
            .put([copy(R7, R1), store(Size::B8, R10, -8, Reg(2))])
            .call("mix")
            .put([copy(R1, R0), copy(Reg(2), R7)]);
        asm.call("mix").put([
            load(Size::B8, R3, R10, -8),
            Insn::Alu { width: Width::W32, op: AluOp::Add, dst: R0, src: Operand::Reg(R3) },
            Insn::Exit,
        ]);
        let insns = asm.done();
        self.add("call".into(), &insns, &[]);
    }
}
