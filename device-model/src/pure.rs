//! Shim of the generated pure semantics, until `AluOp::eval` and `CmpOp::eval` are there.

use offwire_isa::{AluOp, CmpOp};

#[inline(always)]
pub(crate) fn alu(op: AluOp, wide: bool, a: u64, b: u64) -> u64 {
    if wide {
        match op {
            AluOp::Mov => a,
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::And => a & b,
            AluOp::Or => a | b,
            AluOp::Xor => a ^ b,
            AluOp::Lsh => a << (b & 63),
            AluOp::Rsh => a >> (b & 63),
            AluOp::Arsh => ((a as i64) >> (b & 63)) as u64,
            AluOp::Mul => a.wrapping_mul(b),
            AluOp::Bswap16 => (a as u16).swap_bytes() as u64,
            AluOp::Bswap32 => (a as u32).swap_bytes() as u64,
            AluOp::Bswap64 => a.swap_bytes(),
            AluOp::Sext8 => a as i8 as u64,
            AluOp::Sext16 => a as i16 as u64,
            AluOp::Sext32 => a as i32 as u64,
            AluOp::Zext8 => a as u8 as u64,
            AluOp::Zext16 => a as u16 as u64,
            AluOp::Pack => a << 32 | (b as u32 as u64),
        }
    } else {
        let (a, b) = (a as u32, b as u32);
        let r = match op {
            AluOp::Mov => a,
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::And => a & b,
            AluOp::Or => a | b,
            AluOp::Xor => a ^ b,
            AluOp::Lsh => a << (b & 31),
            AluOp::Rsh => a >> (b & 31),
            AluOp::Arsh => ((a as i32) >> (b & 31)) as u32,
            AluOp::Mul => a.wrapping_mul(b),
            AluOp::Bswap16 => (a as u16).swap_bytes() as u32,
            AluOp::Bswap32 | AluOp::Bswap64 => a.swap_bytes(),
            AluOp::Sext8 => a as i8 as u32,
            AluOp::Sext16 => a as i16 as u32,
            AluOp::Sext32 => a,
            AluOp::Zext8 => a as u8 as u32,
            AluOp::Zext16 => a as u16 as u32,
            AluOp::Pack => a | b,
        };
        r as u64
    }
}

#[inline(always)]
pub(crate) fn cmp(op: CmpOp, wide: bool, a: u64, b: u64) -> bool {
    let (sa, sb) = if wide { (a as i64, b as i64) } else { (a as i32 as i64, b as i32 as i64) };
    let (a, b) = if wide { (a, b) } else { (a as u32 as u64, b as u32 as u64) };
    match op {
        CmpOp::Never => false,
        CmpOp::Eq => a == b,
        CmpOp::Ne => a != b,
        CmpOp::Ltu => a < b,
        CmpOp::Geu => a >= b,
        CmpOp::Lts => sa < sb,
        CmpOp::Ges => sa >= sb,
        CmpOp::Tst => a & b != 0,
        CmpOp::Ntst => a & b == 0,
    }
}
