// Generated from hw/spec by `cargo xtask codegen`; do not edit.

use super::enums::{AluOp, CmpOp};

impl AluOp {
    /// The result on 64 bits (`wide`), or on the low 32 bits of both inputs, zero-extended.
    #[inline(always)]
    pub const fn eval(self, wide: bool, a: u64, b: u64) -> u64 {
        if wide { self.eval64(a, b) } else { self.eval32(a as u32, b as u32) as u64 }
    }

    /// The result on 64 bits.
    #[inline]
    pub const fn eval64(self, a: u64, b: u64) -> u64 {
        match self {
            AluOp::Mov => a,
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::And => a & b,
            AluOp::Or => a | b,
            AluOp::Xor => a ^ b,
            AluOp::Lsh => a.wrapping_shl(b as u32),
            AluOp::Rsh => a.wrapping_shr(b as u32),
            AluOp::Arsh => a.cast_signed().wrapping_shr(b as u32).cast_unsigned(),
            AluOp::Mul => a.wrapping_mul(b),
            AluOp::Bswap16 => (a as u16).swap_bytes() as u64,
            AluOp::Bswap32 => (a as u32).swap_bytes() as u64,
            AluOp::Bswap64 => a.swap_bytes(),
            AluOp::Sext8 => ((a as u8).cast_signed() as i64).cast_unsigned(),
            AluOp::Sext16 => ((a as u16).cast_signed() as i64).cast_unsigned(),
            AluOp::Sext32 => ((a as u32).cast_signed() as i64).cast_unsigned(),
            AluOp::Zext8 => a as u8 as u64,
            AluOp::Zext16 => a as u16 as u64,
            AluOp::Pack => a.wrapping_shl(32) | b as u32 as u64,
        }
    }

    /// The result on 32 bits.
    #[inline]
    pub const fn eval32(self, a: u32, b: u32) -> u32 {
        match self {
            AluOp::Mov => a,
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::And => a & b,
            AluOp::Or => a | b,
            AluOp::Xor => a ^ b,
            AluOp::Lsh => a.wrapping_shl(b),
            AluOp::Rsh => a.wrapping_shr(b),
            AluOp::Arsh => a.cast_signed().wrapping_shr(b).cast_unsigned(),
            AluOp::Mul => a.wrapping_mul(b),
            AluOp::Bswap16 => (a as u16).swap_bytes() as u32,
            AluOp::Bswap32 => a.swap_bytes(),
            AluOp::Bswap64 => a.swap_bytes(),
            AluOp::Sext8 => ((a as u8).cast_signed() as i32).cast_unsigned(),
            AluOp::Sext16 => ((a as u16).cast_signed() as i32).cast_unsigned(),
            AluOp::Sext32 => a,
            AluOp::Zext8 => a as u8 as u32,
            AluOp::Zext16 => a as u16 as u32,
            AluOp::Pack => a | b,
        }
    }
}

impl CmpOp {
    /// The result on 64 bits (`wide`), or on the low 32 bits of both inputs.
    #[inline(always)]
    pub const fn eval(self, wide: bool, a: u64, b: u64) -> bool {
        if wide { self.eval64(a, b) } else { self.eval32(a as u32, b as u32) }
    }

    /// The result on 64 bits.
    #[inline]
    pub const fn eval64(self, a: u64, b: u64) -> bool {
        match self {
            CmpOp::Never => false,
            CmpOp::Eq => a == b,
            CmpOp::Ne => a != b,
            CmpOp::Ltu => a < b,
            CmpOp::Geu => b <= a,
            CmpOp::Lts => a.cast_signed() < b.cast_signed(),
            CmpOp::Ges => b.cast_signed() <= a.cast_signed(),
            CmpOp::Tst => (a & b) != 0,
            CmpOp::Ntst => (a & b) == 0,
        }
    }

    /// The result on 32 bits.
    #[inline]
    pub const fn eval32(self, a: u32, b: u32) -> bool {
        match self {
            CmpOp::Never => false,
            CmpOp::Eq => a == b,
            CmpOp::Ne => a != b,
            CmpOp::Ltu => a < b,
            CmpOp::Geu => b <= a,
            CmpOp::Lts => a.cast_signed() < b.cast_signed(),
            CmpOp::Ges => b.cast_signed() <= a.cast_signed(),
            CmpOp::Tst => (a & b) != 0,
            CmpOp::Ntst => (a & b) == 0,
        }
    }
}

/// `size` bytes of the window from byte `delta` on, little-endian, byte-reversed if `swap`, zero-extended; size 0 gives 0. Byte 0 of the window is its low byte.
#[inline]
pub const fn extract(window: u128, delta: u8, size: u8, swap: bool) -> u64 {
    let delta = delta & 0xf;
    let size = size & 0xf;
    let n = 64_u8.wrapping_sub(size.wrapping_shl(3));
    let top = (window.wrapping_shr(delta.wrapping_shl(3) as u32) as u64).wrapping_shl(n as u32);
    if size == 0 { 0 } else if swap { top.swap_bytes() } else { top.wrapping_shr(n as u32) }
}

/// The window with its bytes `delta` to `delta + size - 1` replaced by the low `size` bytes of `value`, little-endian, byte-reversed if `swap`.
#[inline]
pub const fn insert(window: u128, value: u64, delta: u8, size: u8, swap: bool) -> u128 {
    let delta = delta & 0xf;
    let size = size & 0xf;
    let n = 64_u8.wrapping_sub(size.wrapping_shl(3));
    let at = delta.wrapping_shl(3);
    let top = value.wrapping_shl(n as u32);
    let part = if size == 0 { 0 } else if swap { top.swap_bytes() } else { top.wrapping_shr(n as u32) };
    let ones = if size == 0 { 0 } else { (!0_u64).wrapping_shr(n as u32) };
    (window & !(ones as u128).wrapping_shl(at as u32)) | (part as u128).wrapping_shl(at as u32)
}
