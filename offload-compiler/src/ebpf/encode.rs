//! From [`Insn`] back to 8-byte slots, for back ends that hand programs to a kernel.

use super::decode::Slot;
use super::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, Operand, Size, Width};

/// Why an instruction has no encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Which one.
    pub at: InsnIdx,
    /// Why.
    pub what: &'static str,
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "instruction {}: {}", self.at.0, self.what)
    }
}

impl std::error::Error for EncodeError {}

/// Encodes a program; the inverse of [`super::decode`]. Jumps take the 16-bit form where it reaches.
///
/// # Errors
/// A conditional jump that needs more than 16 bits, a [`Insn::Wide`] that does not follow a 64-bit load (or is missing), a
/// width that the instruction set lacks.
pub fn encode(insns: &[Insn]) -> Result<Vec<[u8; 8]>, EncodeError> {
    let mut raw = Vec::with_capacity(insns.len());
    let mut previous_was_wide_load = false;
    for (index, insn) in insns.iter().enumerate() {
        let at = InsnIdx(u32::try_from(index).unwrap_or(u32::MAX));
        let error = |what| EncodeError { at, what };
        if matches!(insn, Insn::Wide) != previous_was_wide_load {
            return Err(error("a 64-bit immediate load and its second slot must stand together"));
        }
        previous_was_wide_load = matches!(insn, Insn::LoadImm64 { .. });
        if let Insn::LoadImm64 { dst, value } = insn {
            let (src, low, high) = match *value {
                Imm64::Const(value) => (0, low_half(value), low_half(value >> 32)),
                Imm64::Map(map) => (1, i32::from(map.0), 0),
                Imm64::MapValue { map, offset } => (2, i32::from(map.0), low_half(u64::from(offset))),
                Imm64::Func(target) => (4, delta(at, target).map_err(error)?, 0),
            };
            raw.push(Slot { code: 0x18, dst: dst.0, src, off: 0, imm: low }.write());
            raw.push(Slot { code: 0, dst: 0, src: 0, off: 0, imm: high }.write());
        } else if !matches!(insn, Insn::Wide) {
            raw.push(encode_slot(at, insn).map_err(error)?.write());
        }
    }
    if previous_was_wide_load {
        let at = InsnIdx(u32::try_from(insns.len()).unwrap_or(u32::MAX));
        return Err(EncodeError { at, what: "the second slot of a 64-bit immediate load is missing" });
    }
    Ok(raw)
}

fn low_half(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

fn delta(at: InsnIdx, target: InsnIdx) -> Result<i32, &'static str> {
    i32::try_from(i64::from(target.0) - i64::from(at.0) - 1).map_err(|_| "jump too far")
}

fn size_bits(size: Size) -> u8 {
    match size {
        Size::B4 => 0x00,
        Size::B2 => 0x08,
        Size::B1 => 0x10,
        Size::B8 => 0x18,
    }
}

fn class(width: Width, narrow: u8, wide: u8) -> u8 {
    match width {
        Width::W32 => narrow,
        Width::W64 => wide,
    }
}

/// Source bit, register and immediate of a second operand.
fn operand(src: Operand) -> (u8, u8, i32) {
    match src {
        Operand::Reg(reg) => (8, reg.0, 0),
        Operand::Imm(imm) => (0, 0, imm),
    }
}

fn encode_slot(at: InsnIdx, insn: &Insn) -> Result<Slot, &'static str> {
    let slot = match *insn {
        Insn::Alu { width, op, dst, src } => {
            let (code, off) = match op {
                AluOp::Add => (0x00, 0),
                AluOp::Sub => (0x10, 0),
                AluOp::Mul => (0x20, 0),
                AluOp::Div => (0x30, 0),
                AluOp::Sdiv => (0x30, 1),
                AluOp::Or => (0x40, 0),
                AluOp::And => (0x50, 0),
                AluOp::Lsh => (0x60, 0),
                AluOp::Rsh => (0x70, 0),
                AluOp::Mod => (0x90, 0),
                AluOp::Smod => (0x90, 1),
                AluOp::Xor => (0xa0, 0),
                AluOp::Mov => (0xb0, 0),
                AluOp::Arsh => (0xc0, 0),
            };
            let (bit, src, imm) = operand(src);
            Slot { code: code | bit | class(width, 4, 7), dst: dst.0, src, off, imm }
        }
        Insn::MovSx { width, bits, dst, src } => match (width, bits) {
            (_, 8 | 16) | (Width::W64, 32) => {
                Slot { code: 0xb8 | class(width, 4, 7), dst: dst.0, src: src.0, off: i16::from(bits), imm: 0 }
            }
            _ => return Err("sign extension of a width that does not exist"),
        },
        Insn::Neg { width, dst } => Slot { code: 0x80 | class(width, 4, 7), dst: dst.0, src: 0, off: 0, imm: 0 },
        Insn::Endian { bits, dst, .. } | Insn::Bswap { bits, dst } => {
            if !matches!(bits, 16 | 32 | 64) {
                return Err("byte swap of a width that does not exist");
            }
            let code = match insn {
                Insn::Endian { to_be: true, .. } => 0xdc,
                Insn::Endian { .. } => 0xd4,
                _ => 0xd7,
            };
            Slot { code, dst: dst.0, src: 0, off: 0, imm: i32::from(bits) }
        }
        Insn::Load { size, signed, dst, base, off } => {
            if signed && size == Size::B8 {
                return Err("sign-extending load of 8 bytes");
            }
            let mode = if signed { 0x80 } else { 0x60 };
            Slot { code: 1 | mode | size_bits(size), dst: dst.0, src: base.0, off, imm: 0 }
        }
        Insn::Store { size, base, off, src } => {
            let (bit, src, imm) = operand(src);
            Slot { code: if bit == 0 { 0x62 } else { 0x63 } | size_bits(size), dst: base.0, src, off, imm }
        }
        Insn::Atomic { size, op, fetch, base, off, src } => {
            if !matches!(size, Size::B4 | Size::B8) {
                return Err("atomic operation of a width that does not exist");
            }
            let imm = match (op, fetch) {
                (AtomicOp::Add, _) => 0x00,
                (AtomicOp::Or, _) => 0x40,
                (AtomicOp::And, _) => 0x50,
                (AtomicOp::Xor, _) => 0xa0,
                (AtomicOp::Xchg, true) => 0xe0,
                (AtomicOp::Cmpxchg, true) => 0xf0,
                _ => return Err("exchange without fetch"),
            };
            let imm = imm | i32::from(fetch);
            Slot { code: 0xc3 | size_bits(size), dst: base.0, src: src.0, off, imm }
        }
        Insn::Jump { target } => {
            let delta = delta(at, target)?;
            match i16::try_from(delta) {
                Ok(off) => Slot { code: 0x05, dst: 0, src: 0, off, imm: 0 },
                Err(_) => Slot { code: 0x06, dst: 0, src: 0, off: 0, imm: delta },
            }
        }
        Insn::JumpIf { width, cond, dst, src, target } => {
            let code = match cond {
                Cond::Eq => 0x10,
                Cond::Gt => 0x20,
                Cond::Ge => 0x30,
                Cond::Set => 0x40,
                Cond::Ne => 0x50,
                Cond::Sgt => 0x60,
                Cond::Sge => 0x70,
                Cond::Lt => 0xa0,
                Cond::Le => 0xb0,
                Cond::Slt => 0xc0,
                Cond::Sle => 0xd0,
            };
            let (bit, src, imm) = operand(src);
            let off = i16::try_from(delta(at, target)?).map_err(|_| "jump too far")?;
            Slot { code: code | bit | class(width, 6, 5), dst: dst.0, src, off, imm }
        }
        Insn::CallHelper { id } => Slot { code: 0x85, dst: 0, src: 0, off: 0, imm: low_half(u64::from(id)) },
        Insn::CallLocal { target } => Slot { code: 0x85, dst: 0, src: 1, off: 0, imm: delta(at, target)? },
        Insn::CallKfunc { btf_id } => Slot { code: 0x85, dst: 0, src: 2, off: 0, imm: low_half(u64::from(btf_id)) },
        Insn::Exit => Slot { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
        Insn::LoadImm64 { .. } | Insn::Wide => return Err("not a single slot"),
    };
    Ok(slot)
}
