//! The pure operations, against plain definitions written down a second time.

use crate::random::Random;
use offwire_isa::{AluOp, CmpOp, extract, insert};

/// RFC 9669 sections 4.1 and 4.2, in 128-bit arithmetic so that nothing wraps by accident.
fn alu(op: AluOp, bits: u32, a: u64, b: u64) -> u64 {
    let mask = (1u128 << bits) - 1;
    let (a, b) = (u128::from(a) & mask, u128::from(b) & mask);
    let signed =
        |value: u128, from: u32| if value >> (from - 1) & 1 == 1 { value.wrapping_sub(1 << from) } else { value };
    let amount = b as u32 % bits;
    let reversed =
        |bytes: u32| (0..bytes).fold(0, |sum, byte| sum | (a >> (8 * byte) & 0xff) << (8 * (bytes - 1 - byte)));
    let result = match op {
        AluOp::Mov => a,
        AluOp::Add => a + b,
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::And => a & b,
        AluOp::Or => a | b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh => a << amount,
        AluOp::Rsh => a >> amount,
        AluOp::Arsh => (signed(a, bits).cast_signed() >> amount).cast_unsigned(),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Bswap16 => reversed(2),
        AluOp::Bswap32 => reversed(4),
        AluOp::Bswap64 => reversed(bits / 8),
        AluOp::Sext8 => signed(a & 0xff, 8),
        AluOp::Sext16 => signed(a & 0xffff, 16),
        AluOp::Sext32 => signed(a & 0xffff_ffff, 32),
        AluOp::Zext8 => a & 0xff,
        AluOp::Zext16 => a & 0xffff,
        AluOp::Pack if bits == 32 => a | b,
        AluOp::Pack => a << 32 | b & 0xffff_ffff,
    };
    (result & mask) as u64
}

fn cmp(op: CmpOp, bits: u32, a: u64, b: u64) -> bool {
    let (a, b) = if bits == 32 { (a & 0xffff_ffff, b & 0xffff_ffff) } else { (a, b) };
    let signed = |value: u64| if bits == 32 { i64::from(value as u32 as i32) } else { value as i64 };
    match op {
        CmpOp::Never => false,
        CmpOp::Eq => a == b,
        CmpOp::Ne => a != b,
        CmpOp::Ltu => a < b,
        CmpOp::Geu => a >= b,
        CmpOp::Lts => signed(a) < signed(b),
        CmpOp::Ges => signed(a) >= signed(b),
        CmpOp::Tst => a & b > 0,
        CmpOp::Ntst => a & b == 0,
    }
}

/// If this fails, a specification entry, or the way from it to Rust, means something else than eBPF does.
#[test]
fn operations_mean_what_ebpf_means() {
    let mut random = Random::new(6);
    for _ in 0..20_000 {
        let (a, b) = (random.operand(), if random.below(8) == 0 { None } else { Some(random.operand()) });
        let b = b.unwrap_or(a);
        for (wide, bits) in [(true, 64), (false, 32)] {
            for &op in AluOp::ALL {
                assert_eq!(op.eval(wide, a, b), alu(op, bits, a, b), "{}.{bits} {a:#x}, {b:#x}", op.asm());
            }
            for &op in CmpOp::ALL {
                assert_eq!(op.eval(wide, a, b), cmp(op, bits, a, b), "{}.{bits} {a:#x}, {b:#x}", op.asm());
            }
        }
    }
}

/// If this fails, a load or store takes other bytes than it names.
#[test]
fn extracts_and_inserts_move_the_bytes_they_name() {
    let mut random = Random::new(7);
    for size in 0..=8u8 {
        for delta in 0..=16 - size {
            for swap in [false, true] {
                let mut bytes = [0u8; 16];
                bytes.fill_with(|| random.next() as u8);
                let value = random.next();
                let delta = delta & 15;
                let (from, to) = (usize::from(delta), usize::from(delta + size));
                let mut part = bytes[from..to].to_vec();
                if swap {
                    part.reverse();
                }
                part.resize(8, 0);
                let expected = u64::from_le_bytes(part.try_into().unwrap());
                let window = u128::from_le_bytes(bytes);
                assert_eq!(extract(window, delta, size, swap), expected, "{size}@{delta} {swap}");

                let mut put = value.to_le_bytes()[..usize::from(size)].to_vec();
                if swap {
                    put.reverse();
                }
                bytes[from..to].copy_from_slice(&put);
                assert_eq!(
                    insert(window, value, delta, size, swap),
                    u128::from_le_bytes(bytes),
                    "{size}@{delta} {swap}"
                );
            }
        }
    }
}
