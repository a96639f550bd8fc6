//! Programs by hand, for unit tests: a few short names for instructions.

use crate::ebpf::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};
use crate::object::{Map, Object, Program};
use offwire_image::{MapKind, MapSpec};

pub(crate) fn alu(op: AluOp, dst: u8, src: u8) -> Insn {
    Insn::Alu { width: Width::W64, op, dst: Reg(dst), src: Operand::Reg(Reg(src)) }
}
pub(crate) fn alu_imm(op: AluOp, dst: u8, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op, dst: Reg(dst), src: Operand::Imm(imm) }
}
pub(crate) fn alu32(op: AluOp, dst: u8, src: u8) -> Insn {
    Insn::Alu { width: Width::W32, op, dst: Reg(dst), src: Operand::Reg(Reg(src)) }
}
pub(crate) fn alu32_imm(op: AluOp, dst: u8, imm: i32) -> Insn {
    Insn::Alu { width: Width::W32, op, dst: Reg(dst), src: Operand::Imm(imm) }
}
pub(crate) fn mov(dst: u8, src: u8) -> Insn {
    alu(AluOp::Mov, dst, src)
}
pub(crate) fn mov_imm(dst: u8, imm: i32) -> Insn {
    alu_imm(AluOp::Mov, dst, imm)
}
pub(crate) fn load(size: Size, dst: u8, base: u8, off: i16) -> Insn {
    Insn::Load { size, signed: false, dst: Reg(dst), base: Reg(base), off }
}
pub(crate) fn store(size: Size, base: u8, off: i16, src: u8) -> Insn {
    Insn::Store { size, base: Reg(base), off, src: Operand::Reg(Reg(src)) }
}
pub(crate) fn store_imm(size: Size, base: u8, off: i16, imm: i32) -> Insn {
    Insn::Store { size, base: Reg(base), off, src: Operand::Imm(imm) }
}
pub(crate) fn atomic(size: Size, op: AtomicOp, fetch: bool, base: u8, off: i16, src: u8) -> Insn {
    Insn::Atomic { size, op, fetch, base: Reg(base), off, src: Reg(src) }
}
pub(crate) fn jump(target: u32) -> Insn {
    Insn::Jump { target: InsnIdx(target) }
}
pub(crate) fn jump_if(cond: Cond, dst: u8, src: u8, target: u32) -> Insn {
    Insn::JumpIf { width: Width::W64, cond, dst: Reg(dst), src: Operand::Reg(Reg(src)), target: InsnIdx(target) }
}
pub(crate) fn jump_imm(cond: Cond, dst: u8, imm: i32, target: u32) -> Insn {
    Insn::JumpIf { width: Width::W64, cond, dst: Reg(dst), src: Operand::Imm(imm), target: InsnIdx(target) }
}
pub(crate) fn jump32_imm(cond: Cond, dst: u8, imm: i32, target: u32) -> Insn {
    Insn::JumpIf { width: Width::W32, cond, dst: Reg(dst), src: Operand::Imm(imm), target: InsnIdx(target) }
}
pub(crate) fn jump32_if(cond: Cond, dst: u8, src: u8, target: u32) -> Insn {
    Insn::JumpIf { width: Width::W32, cond, dst: Reg(dst), src: Operand::Reg(Reg(src)), target: InsnIdx(target) }
}
pub(crate) fn helper(id: u32) -> Insn {
    Insn::CallHelper { id }
}
pub(crate) fn call(target: u32) -> Insn {
    Insn::CallLocal { target: InsnIdx(target) }
}
/// Two slots.
pub(crate) fn load_map(dst: u8, map: u16) -> [Insn; 2] {
    [Insn::LoadImm64 { dst: Reg(dst), value: Imm64::Map(MapIdx(map)) }, Insn::Wide]
}
/// Two slots.
pub(crate) fn load_map_value(dst: u8, map: u16, offset: u32) -> [Insn; 2] {
    [Insn::LoadImm64 { dst: Reg(dst), value: Imm64::MapValue { map: MapIdx(map), offset } }, Insn::Wide]
}

pub(crate) fn map(kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    let name = "m".to_string();
    let spec = MapSpec { name, kind, key_size, value_size, max_entries, flags: 0, init: Vec::new(), frozen: false };
    spec.into()
}

pub(crate) fn object(maps: Vec<Map>) -> Object {
    Object { maps, license: "GPL".to_string(), ..Object::default() }
}

pub(crate) fn program(insns: Vec<Insn>) -> Program {
    let functions = vec![(InsnIdx(0), "prog".to_string())];
    Program { name: "prog".to_string(), section: "xdp".to_string(), insns, functions, ..Program::default() }
}
