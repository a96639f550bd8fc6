//! From 8-byte slots to [`Insn`].
//!
//! Strict where the kernel is (kernel/bpf/verifier.c, `resolve_pseudo_ldimm64`, `check_alu_op`, `do_check`): unused fields
//! must be zero (RFC 9669 section 3), registers must exist, jumps must stay in the program and may not land in the second
//! slot of a 64-bit immediate. What depends on values (division by a zero immediate, shift amounts) is the verifier's.

use super::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};
use std::fmt;

/// Why a slot is not an instruction that offwire knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Which slot.
    pub at: InsnIdx,
    /// Its bytes.
    pub raw: [u8; 8],
    /// What is wrong with it, in a few words.
    pub what: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instruction {} (", self.at.0)?;
        for (n, byte) in self.raw.iter().enumerate() {
            write!(f, "{}{byte:02x}", if n == 0 { "" } else { " " })?;
        }
        write!(f, "): {}", self.what)
    }
}

impl std::error::Error for DecodeError {}

/// Fields of one slot, little-endian (RFC 9669 section 3.1).
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) code: u8,
    pub(crate) dst: u8,
    pub(crate) src: u8,
    pub(crate) off: i16,
    pub(crate) imm: i32,
}

impl Slot {
    pub(crate) fn read(raw: [u8; 8]) -> Self {
        let [code, regs, o0, o1, i0, i1, i2, i3] = raw;
        Slot {
            code,
            dst: regs & 0xf,
            src: regs >> 4,
            off: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    pub(crate) fn write(self) -> [u8; 8] {
        let [o0, o1] = self.off.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        [self.code, (self.dst & 0xf) | (self.src << 4), o0, o1, i0, i1, i2, i3]
    }
}

/// Bits of an immediate, unchanged.
fn bits(imm: i32) -> u32 {
    u32::from_le_bytes(imm.to_le_bytes())
}

/// Decodes a program of instruction set versions 1 to 4. Map references are expected as [`crate::object::Program::raw`] has
/// them: the index of the map in the immediate.
///
/// # Errors
/// The first slot that is not a valid instruction.
pub fn decode(raw: &[[u8; 8]]) -> Result<Vec<Insn>, DecodeError> {
    let mut insns = Vec::with_capacity(raw.len());
    let mut slots = raw.iter().copied().enumerate();
    while let Some((index, bytes)) = slots.next() {
        let at = u32::try_from(index).map(InsnIdx).unwrap_or(InsnIdx(u32::MAX));
        let slot = Slot::read(bytes);
        let refuse = |what: String| DecodeError { at, raw: bytes, what };
        if slot.dst > 10 || slot.src > 10 {
            return Err(refuse(format!("register R{} is invalid", slot.dst.max(slot.src))));
        }
        if slot.code == 0x18 {
            let second = slots.next().map(|(_, bytes)| Slot::read(bytes));
            insns.push(decode_imm64(at, slot, second).map_err(refuse)?);
            insns.push(Insn::Wide);
        } else {
            insns.push(decode_slot(at, slot).map_err(refuse)?);
        }
    }
    check_targets(&insns, raw)?;
    Ok(insns)
}

/// Every target must be a slot of the program and the start of an instruction.
fn check_targets(insns: &[Insn], raw: &[[u8; 8]]) -> Result<(), DecodeError> {
    for (index, (insn, bytes)) in insns.iter().zip(raw).enumerate() {
        let target = match *insn {
            Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target } => target,
            Insn::LoadImm64 { value: Imm64::Func(target), .. } => target,
            _ => continue,
        };
        let what = match insns.get(target.at()) {
            None => "jump out of the program",
            Some(Insn::Wide) => "jump into the middle of a 64-bit immediate load",
            Some(_) => continue,
        };
        let at = InsnIdx(u32::try_from(index).unwrap_or(u32::MAX));
        return Err(DecodeError { at, raw: *bytes, what: what.to_owned() });
    }
    Ok(())
}

fn reserved(name: &str) -> String {
    format!("{name} uses reserved fields")
}

fn unknown(code: u8) -> String {
    format!("unknown opcode {code:02x}")
}

/// `at + 1 + delta`, as jumps count.
fn target(at: InsnIdx, delta: i32) -> Result<InsnIdx, String> {
    let to = i64::from(at.0) + 1 + i64::from(delta);
    u32::try_from(to).map(InsnIdx).map_err(|_| "jump out of the program".to_owned())
}

fn decode_imm64(at: InsnIdx, slot: Slot, second: Option<Slot>) -> Result<Insn, String> {
    let second = second
        .filter(|next| next.code == 0 && next.dst == 0 && next.src == 0 && next.off == 0)
        .ok_or("64-bit immediate load without its second slot")?;
    if slot.off != 0 {
        return Err(reserved("BPF_LD_IMM64"));
    }
    let map = || u16::try_from(slot.imm).map(MapIdx).map_err(|_| "map index out of range".to_owned());
    let no_second = |value| if second.imm == 0 { Ok(value) } else { Err(reserved("BPF_LD_IMM64")) };
    let value = match slot.src {
        0 => Imm64::Const(u64::from(bits(slot.imm)) | u64::from(bits(second.imm)) << 32),
        1 => no_second(Imm64::Map(map()?))?,
        2 => Imm64::MapValue { map: map()?, offset: bits(second.imm) },
        3 => return Err("address of a kernel variable (BPF_PSEUDO_BTF_ID) is not supported".to_owned()),
        4 => no_second(Imm64::Func(target(at, slot.imm)?))?,
        5 | 6 => {
            return Err(
                "map by index into an array of file descriptors (BPF_PSEUDO_MAP_IDX) is not supported".to_owned()
            );
        }
        _ => return Err(reserved("BPF_LD_IMM64")),
    };
    Ok(Insn::LoadImm64 { dst: Reg(slot.dst), value })
}

fn decode_slot(at: InsnIdx, slot: Slot) -> Result<Insn, String> {
    match slot.code & 7 {
        0 => Err(match slot.code >> 5 {
            1 | 2 if matches!(slot.code & 0x18, 0 | 0x08 | 0x10) => {
                "legacy packet access (BPF_ABS, BPF_IND) is not allowed in XDP programs".to_owned()
            }
            _ => unknown(slot.code),
        }),
        1 => decode_load(slot),
        2 | 3 => decode_store(slot),
        4 => decode_alu(slot, Width::W32),
        7 => decode_alu(slot, Width::W64),
        5 => decode_jump(at, slot, Width::W64),
        _ => decode_jump(at, slot, Width::W32),
    }
}

fn size(code: u8) -> Size {
    match code & 0x18 {
        0x00 => Size::B4,
        0x08 => Size::B2,
        0x10 => Size::B1,
        _ => Size::B8,
    }
}

fn decode_load(slot: Slot) -> Result<Insn, String> {
    let size = size(slot.code);
    let signed = match slot.code & 0xe0 {
        0x60 => false,
        0x80 if size != Size::B8 => true,
        _ => return Err(unknown(slot.code)),
    };
    if slot.imm != 0 {
        return Err(reserved("BPF_LDX"));
    }
    Ok(Insn::Load { size, signed, dst: Reg(slot.dst), base: Reg(slot.src), off: slot.off })
}

fn decode_store(slot: Slot) -> Result<Insn, String> {
    let (size, base, off) = (size(slot.code), Reg(slot.dst), slot.off);
    match (slot.code & 0xe0, slot.code & 7) {
        (0x60, 2) if slot.src == 0 => Ok(Insn::Store { size, base, off, src: Operand::Imm(slot.imm) }),
        (0x60, 2) => Err(reserved("BPF_ST")),
        (0x60, 3) if slot.imm == 0 => Ok(Insn::Store { size, base, off, src: Operand::Reg(Reg(slot.src)) }),
        (0x60, 3) => Err(reserved("BPF_STX")),
        (0xc0, 3) => {
            let fetch = slot.imm & 1 != 0;
            let op = match slot.imm {
                0x00 | 0x01 => AtomicOp::Add,
                0x40 | 0x41 => AtomicOp::Or,
                0x50 | 0x51 => AtomicOp::And,
                0xa0 | 0xa1 => AtomicOp::Xor,
                0xe1 => AtomicOp::Xchg,
                0xf1 => AtomicOp::Cmpxchg,
                0x100 => return Err("load-acquire is not part of RFC 9669 and not supported".to_owned()),
                0x110 => return Err("store-release is not part of RFC 9669 and not supported".to_owned()),
                other => return Err(format!("BPF_ATOMIC uses invalid atomic opcode {other:02x}")),
            };
            if !matches!(size, Size::B4 | Size::B8) {
                return Err(unknown(slot.code));
            }
            Ok(Insn::Atomic { size, op, fetch, base, off, src: Reg(slot.src) })
        }
        _ => Err(unknown(slot.code)),
    }
}

/// Second operand; the unused one of register and immediate must be zero.
fn operand(slot: Slot, name: &str) -> Result<Operand, String> {
    if slot.code & 8 != 0 {
        if slot.imm == 0 { Ok(Operand::Reg(Reg(slot.src))) } else { Err(reserved(name)) }
    } else if slot.src == 0 {
        Ok(Operand::Imm(slot.imm))
    } else {
        Err(reserved(name))
    }
}

fn decode_alu(slot: Slot, width: Width) -> Result<Insn, String> {
    let dst = Reg(slot.dst);
    let by_register = slot.code & 8 != 0;
    let op = match (slot.code >> 4, slot.off) {
        (0x0, _) => AluOp::Add,
        (0x1, _) => AluOp::Sub,
        (0x2, _) => AluOp::Mul,
        (0x3, 1) => AluOp::Sdiv,
        (0x3, _) => AluOp::Div,
        (0x4, _) => AluOp::Or,
        (0x5, _) => AluOp::And,
        (0x6, _) => AluOp::Lsh,
        (0x7, _) => AluOp::Rsh,
        (0x8, _) => {
            if by_register || slot.src != 0 || slot.off != 0 || slot.imm != 0 {
                return Err(if by_register { unknown(slot.code) } else { reserved("BPF_NEG") });
            }
            return Ok(Insn::Neg { width, dst });
        }
        (0x9, 1) => AluOp::Smod,
        (0x9, _) => AluOp::Mod,
        (0xa, _) => AluOp::Xor,
        (0xb, _) => AluOp::Mov,
        (0xc, _) => AluOp::Arsh,
        (0xd, _) => return decode_end(slot, width),
        _ => return Err(unknown(slot.code)),
    };
    let src = operand(slot, if op == AluOp::Mov { "BPF_MOV" } else { "BPF_ALU" })?;
    match (op, slot.off, src) {
        (_, 0, _) | (AluOp::Sdiv | AluOp::Smod, _, _) => Ok(Insn::Alu { width, op, dst, src }),
        (AluOp::Mov, off @ (8 | 16), Operand::Reg(src)) => {
            Ok(Insn::MovSx { width, bits: if off == 8 { 8 } else { 16 }, dst, src })
        }
        (AluOp::Mov, 32, Operand::Reg(src)) if width == Width::W64 => Ok(Insn::MovSx { width, bits: 32, dst, src }),
        (AluOp::Mov, _, _) => Err(reserved("BPF_MOV")),
        _ => Err(reserved("BPF_ALU")),
    }
}

fn decode_end(slot: Slot, width: Width) -> Result<Insn, String> {
    let dst = Reg(slot.dst);
    let bits = match slot.imm {
        16 => 16,
        32 => 32,
        64 => 64,
        _ => return Err(reserved("BPF_END")),
    };
    if slot.src != 0 || slot.off != 0 {
        return Err(reserved("BPF_END"));
    }
    match (width, slot.code & 8 != 0) {
        (Width::W32, to_be) => Ok(Insn::Endian { bits, to_be, dst }),
        (Width::W64, false) => Ok(Insn::Bswap { bits, dst }),
        (Width::W64, true) => Err(unknown(slot.code)),
    }
}

fn decode_jump(at: InsnIdx, slot: Slot, width: Width) -> Result<Insn, String> {
    let wide = width == Width::W64;
    let cond = match slot.code >> 4 {
        0x0 => {
            let (delta, other) = if wide { (i32::from(slot.off), slot.imm) } else { (slot.imm, i32::from(slot.off)) };
            if slot.code & 8 != 0 {
                return Err(unknown(slot.code));
            }
            if slot.src != 0 || slot.dst != 0 || other != 0 {
                return Err(reserved("BPF_JA"));
            }
            return Ok(Insn::Jump { target: target(at, delta)? });
        }
        0x8 if slot.code == 0x85 => return decode_call(at, slot),
        0x9 if slot.code == 0x95 => {
            if slot.src != 0 || slot.dst != 0 || slot.off != 0 || slot.imm != 0 {
                return Err(reserved("BPF_EXIT"));
            }
            return Ok(Insn::Exit);
        }
        0x1 => Cond::Eq,
        0x2 => Cond::Gt,
        0x3 => Cond::Ge,
        0x4 => Cond::Set,
        0x5 => Cond::Ne,
        0x6 => Cond::Sgt,
        0x7 => Cond::Sge,
        0xa => Cond::Lt,
        0xb => Cond::Le,
        0xc => Cond::Slt,
        0xd => Cond::Sle,
        0xe if slot.code == 0xe5 => return Err("may_goto is not part of RFC 9669 and not supported".to_owned()),
        _ => return Err(unknown(slot.code)),
    };
    let src = operand(slot, "BPF_JMP")?;
    Ok(Insn::JumpIf { width, cond, dst: Reg(slot.dst), src, target: target(at, i32::from(slot.off))? })
}

fn decode_call(at: InsnIdx, slot: Slot) -> Result<Insn, String> {
    if slot.dst != 0 || slot.off != 0 {
        return Err(reserved("BPF_CALL"));
    }
    match slot.src {
        0 => Ok(Insn::CallHelper { id: bits(slot.imm) }),
        1 => Ok(Insn::CallLocal { target: target(at, slot.imm)? }),
        2 => Ok(Insn::CallKfunc { btf_id: bits(slot.imm) }),
        _ => Err(reserved("BPF_CALL")),
    }
}
