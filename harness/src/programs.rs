//! Programs made by hand: a small assembler with labels, for the generators of this crate and for tests.

use offload_compiler::ebpf::{
    AluOp, Cond, EncodeError, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width, decode, encode,
};
use offload_compiler::object::{Map, Object, Program};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;

#[expect(missing_docs, reason = "the registers")]
pub const R0: Reg = Reg(0);
#[expect(missing_docs, reason = "the registers")]
pub const R1: Reg = Reg(1);
#[expect(missing_docs, reason = "the registers")]
pub const R2: Reg = Reg(2);
#[expect(missing_docs, reason = "the registers")]
pub const R3: Reg = Reg(3);
#[expect(missing_docs, reason = "the registers")]
pub const R4: Reg = Reg(4);
#[expect(missing_docs, reason = "the registers")]
pub const R5: Reg = Reg(5);
#[expect(missing_docs, reason = "the registers")]
pub const R6: Reg = Reg(6);
#[expect(missing_docs, reason = "the registers")]
pub const R7: Reg = Reg(7);
#[expect(missing_docs, reason = "the registers")]
pub const R8: Reg = Reg(8);
#[expect(missing_docs, reason = "the registers")]
pub const R9: Reg = Reg(9);
#[expect(missing_docs, reason = "the registers")]
pub const R10: Reg = Reg(10);

/// `dst = imm`.
pub fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Imm(imm) }
}

/// `dst = src`.
pub fn copy(dst: Reg, src: Reg) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Operand::Reg(src) }
}

/// `dst += imm`.
pub fn add(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(imm) }
}

/// `dst = *(uN *)(base + off)`.
pub fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Insn {
    Insn::Load { size, signed: false, dst, base, off }
}

/// `*(uN *)(base + off) = src`.
pub fn store(size: Size, base: Reg, off: i16, src: Reg) -> Insn {
    Insn::Store { size, base, off, src: Operand::Reg(src) }
}

/// `*(uN *)(base + off) = imm`.
pub fn store_imm(size: Size, base: Reg, off: i16, imm: i32) -> Insn {
    Insn::Store { size, base, off, src: Operand::Imm(imm) }
}

/// `if dst cond src goto target`.
pub fn jump_if(cond: Cond, dst: Reg, src: Operand, target: usize) -> Insn {
    Insn::JumpIf { width: Width::W64, cond, dst, src, target: index(target) }
}

/// `dst = constant ll`.
pub fn constant(dst: Reg, value: u64) -> [Insn; 2] {
    [Insn::LoadImm64 { dst, value: Imm64::Const(value) }, Insn::Wide]
}

/// `dst = map ll`.
pub fn map(dst: Reg, number: u16) -> [Insn; 2] {
    [Insn::LoadImm64 { dst, value: Imm64::Map(MapIdx(number)) }, Insn::Wide]
}

/// `dst = map[0] + offset ll`.
pub fn map_value(dst: Reg, number: u16, offset: u32) -> [Insn; 2] {
    [Insn::LoadImm64 { dst, value: Imm64::MapValue { map: MapIdx(number), offset } }, Insn::Wide]
}

/// `r5 = data`; returns 0 unless the packet has `len` bytes. Seven instructions; the rest of the program follows. Uses r0, r3 and r4.
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

/// A map without flags and initial contents.
pub fn map_spec(name: &str, kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    MapSpec { name: name.into(), kind, key_size, value_size, max_entries, flags: 0, init: Vec::new(), frozen: false }
}

/// A program of section `xdp` with one function.
///
/// # Errors
/// What [`encode`] does not take.
pub fn program(name: &str, insns: &[Insn]) -> Result<Program, EncodeError> {
    Ok(program_of(name, insns.to_vec(), encode(insns)?))
}

/// The same from encoded instructions; `None` if they do not decode.
pub fn raw_program(name: &str, raw: Vec<[u8; 8]>) -> Option<Program> {
    let insns = decode(&raw).ok()?;
    Some(program_of(name, insns, raw))
}

fn program_of(name: &str, insns: Vec<Insn>, raw: Vec<[u8; 8]>) -> Program {
    Program {
        name: name.into(),
        section: "xdp".into(),
        insns,
        raw,
        functions: vec![(InsnIdx(0), name.into())],
        ..Program::default()
    }
}

/// An object of programs and maps.
pub fn object_of(programs: Vec<Program>, maps: &[MapSpec]) -> Object {
    let maps = maps.iter().cloned().map(Map::from).collect();
    Object { programs, maps, license: "Dual MIT/GPL".into(), ..Object::default() }
}

fn index(at: usize) -> InsnIdx {
    InsnIdx(u32::try_from(at).unwrap_or(u32::MAX))
}

/// A program with named jump targets.
#[derive(Clone, Debug, Default)]
pub struct Asm {
    /// What there is so far; targets of jumps to labels are not yet filled in.
    pub insns: Vec<Insn>,
    labels: BTreeMap<String, usize>,
    jumps: Vec<(usize, String)>,
}

impl Asm {
    /// Appends instructions.
    pub fn put(&mut self, insns: impl IntoIterator<Item = Insn>) -> &mut Self {
        self.insns.extend(insns);
        self
    }

    /// Names the place of the next instruction.
    pub fn label(&mut self, name: &str) -> &mut Self {
        self.labels.insert(name.into(), self.insns.len());
        self
    }

    /// `if dst cond imm goto label`.
    pub fn jump_if(&mut self, cond: Cond, dst: Reg, imm: i32, to: &str) -> &mut Self {
        self.branch(Width::W64, cond, dst, Operand::Imm(imm), to)
    }

    /// `if dst cond src goto label`, in either width.
    pub fn branch(&mut self, width: Width, cond: Cond, dst: Reg, src: Operand, to: &str) -> &mut Self {
        self.jumps.push((self.insns.len(), to.into()));
        self.put([Insn::JumpIf { width, cond, dst, src, target: InsnIdx(0) }])
    }

    /// `goto label`.
    pub fn jump(&mut self, to: &str) -> &mut Self {
        self.jumps.push((self.insns.len(), to.into()));
        self.put([Insn::Jump { target: InsnIdx(0) }])
    }

    /// `call label`.
    pub fn call(&mut self, to: &str) -> &mut Self {
        self.jumps.push((self.insns.len(), to.into()));
        self.put([Insn::CallLocal { target: InsnIdx(0) }])
    }

    /// `call helper`.
    pub fn helper(&mut self, id: u32) -> &mut Self {
        self.put([Insn::CallHelper { id }])
    }

    /// The instructions, jumps filled in. A label that was never placed is the end of the program.
    pub fn done(&self) -> Vec<Insn> {
        let mut insns = self.insns.clone();
        for (at, name) in &self.jumps {
            let to = index(self.labels.get(name).copied().unwrap_or(self.insns.len()));
            if let Some(Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target }) =
                insns.get_mut(*at)
            {
                *target = to;
            }
        }
        insns
    }
}

/// Numbers from a seed (splitmix64, S. Vigna).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// One of them.
    pub fn pick<T: Copy, const N: usize>(&mut self, from: &[T; N]) -> T {
        const { assert!(N > 0, "there must be something to pick from") };
        from[self.below(N)]
    }
}
