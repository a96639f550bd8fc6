//! Which bits of a value may be one: enough to drop masks and extensions.

use super::requests;
use super::rewrite::low_bits;
use crate::ir::{Cfg, Func, Op, Value};
use offwire_isa::AluOp;

/// For each value the bits that may be one.
pub(super) fn maybe_ones(func: &Func, cfg: &Cfg) -> Vec<u64> {
    let mut maybe = vec![u64::MAX; func.values as usize];
    for &block in &cfg.order {
        let data = &func.blocks[block.at()];
        let preds = &cfg.preds[block.at()];
        if !data.params.is_empty() && !preds.iter().any(|pred| cfg.is_back_edge(*pred, block)) {
            let mut union = vec![0; data.params.len()];
            let jumps = preds.iter().flat_map(|pred| func.blocks[pred.at()].term.jumps());
            for jump in jumps.filter(|jump| jump.block == block) {
                for (union, arg) in union.iter_mut().zip(&jump.args) {
                    *union |= maybe[arg.at()];
                }
            }
            for (param, union) in data.params.iter().zip(union) {
                maybe[param.at()] = union;
            }
        }
        for inst in &data.insts {
            if let Some(result) = inst.result {
                maybe[result.at()] = of_op(&inst.op, &|value| maybe[value.at()]);
            }
        }
    }
    maybe
}

/// The bits of one operation's result that may be one, given those of its operands.
pub(super) fn of_op(op: &Op, maybe: &impl Fn(Value) -> u64) -> u64 {
    match *op {
        Op::Const(value) => value,
        Op::Load { size, .. } => low_bits(8 * u32::from(size)),
        Op::Alu { op, wide, a, b } => {
            let width = low_bits(if wide { 64 } else { 32 });
            of_alu(op, if wide { 64 } else { 32 }, maybe(a) & width, maybe(b) & width) & width
        }
        Op::Request(ref request) => requests::answers(request.op),
        _ => u64::MAX,
    }
}

/// Bits that a sum or smaller number may have.
fn smear(bits: u64) -> u64 {
    low_bits(64 - bits.leading_zeros())
}

fn of_alu(op: AluOp, width: u32, a: u64, b: u64) -> u64 {
    let sign_extended = |bits: u32| if a >> (bits - 1) & 1 == 0 { a & low_bits(bits) } else { u64::MAX };
    match op {
        AluOp::Mov => a,
        AluOp::Add if a == 0 || b == 0 => a | b,
        AluOp::Add => smear(a | b) << 1 | 1,
        AluOp::Sub if b == 0 => a,
        AluOp::And => a & b,
        AluOp::Or | AluOp::Xor => a | b,
        AluOp::Mul if a == 0 || b == 0 => 0,
        AluOp::Mul => low_bits((64 - a.leading_zeros()) + (64 - b.leading_zeros())),
        AluOp::Rsh => smear(a),
        AluOp::Bswap16 => u64::from((a as u16).swap_bytes()),
        AluOp::Bswap32 => u64::from((a as u32).swap_bytes()),
        AluOp::Bswap64 if width == 64 => a.swap_bytes(),
        AluOp::Bswap64 => u64::from((a as u32).swap_bytes()),
        AluOp::Sext8 => sign_extended(8),
        AluOp::Sext16 => sign_extended(16),
        AluOp::Sext32 => sign_extended(32),
        AluOp::Zext8 => a & 0xff,
        AluOp::Zext16 => a & 0xffff,
        AluOp::Pack if width == 64 => a << 32 | b & low_bits(32),
        AluOp::Pack => a | b,
        AluOp::Sub | AluOp::Lsh | AluOp::Arsh => u64::MAX,
    }
}

/// As [`of_op`], with a constant second operand of a shift.
pub(super) fn of_shift(op: AluOp, wide: bool, a: u64, by: u64) -> Option<u64> {
    let width = if wide { 64 } else { 32 };
    let by = by as u32 & (width - 1);
    let a = a & low_bits(width);
    Some(match op {
        AluOp::Lsh => a << by & low_bits(width),
        AluOp::Rsh => a >> by,
        AluOp::Arsh if a >> (width - 1) & 1 == 0 => a >> by,
        _ => return None,
    })
}
