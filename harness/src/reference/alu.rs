//! What ALU and jump instructions compute (RFC 9669 sections 4.1 to 4.3), as pure functions of 64-bit values.
//!
//! Written from the RFC on its own: the device's operations are generated from `hw/spec`, and an oracle that shared them would
//! share their mistakes.

use offload_compiler::ebpf::{AluOp, AtomicOp, Cond, Width};

/// `dst op src`. A 32-bit operation works on the low halves and zero-extends its result.
#[inline]
pub(crate) fn alu(width: Width, op: AluOp, dst: u64, src: u64) -> u64 {
    match width {
        Width::W64 => alu64(op, dst, src),
        Width::W32 => u64::from(alu32(op, dst as u32, src as u32)),
    }
}

#[inline]
fn alu64(op: AluOp, dst: u64, src: u64) -> u64 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        // Division by zero gives 0, modulo by zero leaves dst (RFC 9669 section 4.1).
        AluOp::Div => dst.checked_div(src).unwrap_or(0),
        AluOp::Mod => dst.checked_rem(src).unwrap_or(dst),
        AluOp::Sdiv if src == 0 => 0,
        AluOp::Sdiv => (dst as i64).wrapping_div(src as i64) as u64,
        AluOp::Smod if src == 0 => dst,
        AluOp::Smod => (dst as i64).wrapping_rem(src as i64) as u64,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Xor => dst ^ src,
        AluOp::Lsh => dst << (src & 63),
        AluOp::Rsh => dst >> (src & 63),
        AluOp::Arsh => ((dst as i64) >> (src & 63)) as u64,
        AluOp::Mov => src,
    }
}

#[inline]
fn alu32(op: AluOp, dst: u32, src: u32) -> u32 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        AluOp::Div => dst.checked_div(src).unwrap_or(0),
        AluOp::Mod => dst.checked_rem(src).unwrap_or(dst),
        AluOp::Sdiv if src == 0 => 0,
        AluOp::Sdiv => (dst as i32).wrapping_div(src as i32) as u32,
        AluOp::Smod if src == 0 => dst,
        AluOp::Smod => (dst as i32).wrapping_rem(src as i32) as u32,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Xor => dst ^ src,
        AluOp::Lsh => dst << (src & 31),
        AluOp::Rsh => dst >> (src & 31),
        AluOp::Arsh => ((dst as i32) >> (src & 31)) as u32,
        AluOp::Mov => src,
    }
}

/// Negation.
#[inline]
pub(crate) fn neg(width: Width, dst: u64) -> u64 {
    match width {
        Width::W64 => dst.wrapping_neg(),
        Width::W32 => u64::from((dst as u32).wrapping_neg()),
    }
}

/// Sign extension of the low `bits` bits to `width`; a 32-bit result is zero-extended.
#[inline]
pub(crate) fn sign_extend(width: Width, bits: u8, src: u64) -> u64 {
    let wide = match bits {
        8 => src as u8 as i8 as i64,
        16 => src as u16 as i16 as i64,
        32 => src as u32 as i32 as i64,
        _ => src as i64,
    };
    match width {
        Width::W64 => wide as u64,
        Width::W32 => u64::from(wide as u32),
    }
}

/// Byte swap of the low `bits` bits; the rest becomes zero.
#[inline]
pub(crate) fn byte_swap(bits: u8, value: u64) -> u64 {
    match bits {
        16 => u64::from((value as u16).swap_bytes()),
        32 => u64::from((value as u32).swap_bytes()),
        _ => value.swap_bytes(),
    }
}

/// To little endian on a little-endian machine: keeps the low `bits` bits.
#[inline]
pub(crate) fn truncate(bits: u8, value: u64) -> u64 {
    match bits {
        16 => u64::from(value as u16),
        32 => u64::from(value as u32),
        _ => value,
    }
}

/// True if `dst cond src` holds.
#[inline]
pub(crate) fn holds(width: Width, cond: Cond, dst: u64, src: u64) -> bool {
    let (a, b, sa, sb) = match width {
        Width::W64 => (dst, src, dst as i64, src as i64),
        Width::W32 => {
            let (a, b) = (dst as u32, src as u32);
            (u64::from(a), u64::from(b), i64::from(a as i32), i64::from(b as i32))
        }
    };
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Set => a & b != 0,
        Cond::Sgt => sa > sb,
        Cond::Sge => sa >= sb,
        Cond::Slt => sa < sb,
        Cond::Sle => sa <= sb,
    }
}

/// New memory contents of an atomic operation; `expected` is r0 for compare-and-exchange. The caller cuts to the access size.
#[inline]
pub(crate) fn atomic(op: AtomicOp, old: u64, src: u64, expected: u64) -> u64 {
    match op {
        AtomicOp::Add => old.wrapping_add(src),
        AtomicOp::Or => old | src,
        AtomicOp::And => old & src,
        AtomicOp::Xor => old ^ src,
        AtomicOp::Xchg => src,
        AtomicOp::Cmpxchg if old == expected => src,
        AtomicOp::Cmpxchg => old,
    }
}
