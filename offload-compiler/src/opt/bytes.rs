//! Where each byte of a value comes from: through shifts, masks, joins and byte reversals back to loads and other values.

use super::alias::{self, Place};
use super::known;
use super::rewrite::constants;
use crate::ir::{Block, Cfg, Func, Inst, Mem, Op, Value};
use offwire_isa::AluOp;

/// Origin of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    /// A constant.
    Const(u8),
    /// Byte n of a value, 0 the lowest.
    Of(Value, u8),
}

/// The bytes of a value, lowest first.
pub(super) type Bytes = [Byte; 8];

/// Most blocks between two loads that are looked through for stores.
const MAX_BLOCKS_BETWEEN: usize = 64;

const ZERO: Byte = Byte::Const(0);

/// A load and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) block: Block,
    pub(super) index: usize,
    pub(super) mem: Mem,
    pub(super) size: u8,
    pub(super) swap: bool,
}

/// Origins of all values.
pub(super) struct Origins {
    bytes: Vec<Bytes>,
    loads: Vec<Option<Site>>,
    pub(super) constants: Vec<Option<u64>>,
}

/// One load that would give certain bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneLoad {
    /// It may stand right behind the instruction at this index of this block.
    pub(super) block: Block,
    pub(super) index: usize,
    pub(super) mem: Mem,
    pub(super) size: u8,
    pub(super) swap: bool,
    /// How many loads it stands for.
    pub(super) loads: usize,
}

impl Origins {
    pub(super) fn new(func: &Func, cfg: &Cfg) -> Self {
        let maybe = known::maybe_ones(func, cfg);
        let opaque = |value: Value| -> Bytes {
            std::array::from_fn(
                |n| if maybe[value.at()] >> (8 * n) & 0xff == 0 { ZERO } else { Byte::Of(value, n as u8) },
            )
        };
        let mut origins = Origins {
            bytes: (0..func.values).map(|value| opaque(Value(value))).collect(),
            loads: vec![None; func.values as usize],
            constants: constants(func),
        };
        for &block in &cfg.order {
            for (index, inst) in func.blocks[block.at()].insts.iter().enumerate() {
                let Some(result) = inst.result else { continue };
                match inst.op {
                    Op::Const(value) => origins.bytes[result.at()] = value.to_le_bytes().map(Byte::Const),
                    Op::Load { mem, size, swap, dismiss: false } => {
                        origins.loads[result.at()] = Some(Site { block, index, mem, size, swap });
                    }
                    Op::Alu { op, wide, a, b } => {
                        let own = origins.bytes[result.at()];
                        origins.bytes[result.at()] = origins.alu(op, wide, a, b, &own);
                    }
                    _ => {}
                }
            }
        }
        origins
    }

    /// The bytes of a value.
    pub(super) fn of(&self, value: Value) -> &Bytes {
        &self.bytes[value.at()]
    }

    pub(super) fn load(&self, value: Value) -> Option<&Site> {
        self.loads.get(value.at()).and_then(Option::as_ref)
    }

    /// The bytes of an operation's result; `own` where an operation makes something new of them.
    fn alu(&self, op: AluOp, wide: bool, a: Value, b: Value, own: &Bytes) -> Bytes {
        let width = if wide { 8 } else { 4 };
        let cut =
            |bytes: &Bytes, width: usize| -> Bytes { std::array::from_fn(|n| if n < width { bytes[n] } else { ZERO }) };
        let (x, y) = (cut(self.of(a), width), cut(self.of(b), width));
        let constant = self.constants[b.at()];
        let whole_bytes = constant.filter(|by| by % 8 == 0).map(|by| (by as usize / 8) & (width - 1));
        let reversed =
            |count: usize| -> Bytes { std::array::from_fn(|n| if n < count { x[count - 1 - n] } else { ZERO }) };
        let bytes = match op {
            AluOp::Mov => x,
            AluOp::And => std::array::from_fn(|n| match (x[n], y[n]) {
                (Byte::Const(x), Byte::Const(y)) => Byte::Const(x & y),
                (ZERO, _) | (_, ZERO) => ZERO,
                (x, Byte::Const(0xff)) | (Byte::Const(0xff), x) => x,
                _ => own[n],
            }),
            AluOp::Or | AluOp::Xor => std::array::from_fn(|n| match (x[n], y[n]) {
                (Byte::Const(x), Byte::Const(y)) => Byte::Const(if op == AluOp::Or { x | y } else { x ^ y }),
                (ZERO, z) | (z, ZERO) => z,
                _ => own[n],
            }),
            // Without a carry a sum is a join.
            AluOp::Add if x.iter().zip(&y).all(|(x, y)| *x == ZERO || *y == ZERO) => {
                std::array::from_fn(|n| if x[n] == ZERO { y[n] } else { x[n] })
            }
            AluOp::Lsh => match whole_bytes {
                Some(by) => std::array::from_fn(|n| if n < by { ZERO } else { x[n - by] }),
                None => *own,
            },
            AluOp::Rsh => match whole_bytes {
                Some(by) => std::array::from_fn(|n| x.get(n + by).copied().unwrap_or(ZERO)),
                None => *own,
            },
            AluOp::Bswap16 => reversed(2),
            AluOp::Bswap32 => reversed(4),
            AluOp::Bswap64 => reversed(width),
            AluOp::Zext8 => cut(&x, 1),
            AluOp::Zext16 => cut(&x, 2),
            AluOp::Pack if wide => std::array::from_fn(|n| if n < 4 { y[n] } else { x[n - 4] }),
            _ => *own,
        };
        cut(&bytes, width)
    }

    /// The memory byte that a byte is, for bytes of loads.
    fn memory(&self, byte: Byte) -> Option<(&Site, i32)> {
        let Byte::Of(value, n) = byte else { return None };
        let site = self.load(value)?;
        if n >= site.size {
            return None;
        }
        let n = if site.swap { site.size - 1 - n } else { n };
        Some((site, site.mem.offset.checked_add(i32::from(n))?))
    }

    /// One load that gives exactly these bytes, if they are neighbours in memory that nothing changes between their loads.
    pub(super) fn one_load(&self, func: &Func, cfg: &Cfg, bytes: &[Byte]) -> Option<OneLoad> {
        let (first, start) = self.memory(*bytes.first()?)?;
        let (_, second) = bytes.get(1).map_or(Some((first, start)), |byte| self.memory(*byte))?;
        let swap = second < start;
        let order = |site: &Site| (cfg.place(site.block), site.index);
        let mut last = first;
        let mut sites: Vec<(&Site, i32)> = Vec::new();
        for (n, byte) in (0i32..).zip(bytes) {
            let (site, at) = self.memory(*byte)?;
            let wanted = if swap { start.checked_sub(n)? } else { start.checked_add(n)? };
            let same_memory = site.mem.space == first.mem.space
                && site.mem.map == first.mem.map
                && alias::same_base(&self.constants, site.mem.base, first.mem.base);
            if at != wanted || !same_memory {
                return None;
            }
            if order(site) > order(last) {
                last = site;
            }
            sites.push((site, at));
        }
        // The last one comes after all others, and still finds what they found.
        for (site, at) in &sites {
            let place = Place::new(Mem { offset: *at, ..first.mem }, 1u32);
            if !cfg.dominates(site.block, last.block) || self.changed_between(func, cfg, site, last, &place) {
                return None;
            }
        }
        let size = u8::try_from(bytes.len()).ok().filter(|size| *size <= 8)?;
        let offset = if swap { start.checked_sub(i32::from(size) - 1)? } else { start };
        sites.sort_by_key(|(site, _)| order(site));
        sites.dedup_by_key(|(site, _)| order(site));
        // The base of the last load is certainly there.
        let mem = Mem { offset, ..last.mem };
        Some(OneLoad { block: last.block, index: last.index, mem, size, swap, loads: sites.len() })
    }

    /// True if something may change the place after `from`, on a way to `to` that does not come by `from` again.
    fn changed_between(&self, func: &Func, cfg: &Cfg, from: &Site, to: &Site, place: &Place) -> bool {
        let changes = |insts: &[Inst]| insts.iter().any(|inst| alias::clobbers(&self.constants, &inst.op, place));
        let insts = |block: Block| &func.blocks[block.at()].insts[..];
        if from.block == to.block {
            return changes(&insts(to.block)[from.index..to.index.max(from.index)]);
        }
        if changes(&insts(to.block)[..to.index]) || changes(&insts(from.block)[from.index..]) {
            return true;
        }
        // Backwards from `to`; all ways end at `from`, which dominates it.
        let mut seen = vec![from.block];
        let mut work = vec![to.block];
        while let Some(block) = work.pop() {
            for &pred in &cfg.preds[block.at()] {
                if seen.contains(&pred) {
                    continue;
                }
                if seen.len() > MAX_BLOCKS_BETWEEN || changes(insts(pred)) {
                    return true;
                }
                seen.push(pred);
                work.push(pred);
            }
        }
        false
    }
}

/// Number of bytes without the zeros at the top.
pub(super) fn significant(bytes: &Bytes) -> usize {
    8 - bytes.iter().rev().take_while(|byte| **byte == ZERO).count()
}

/// The bytes of constants as a number of which only the low `bytes.len()` bytes count, chosen to be small with sign. `None` if one
/// is not constant.
pub(super) fn as_constant(bytes: &[Byte]) -> Option<u64> {
    let mut value = 0;
    for byte in bytes.iter().rev() {
        let Byte::Const(byte) = byte else { return None };
        value = value << 8 | u64::from(*byte);
    }
    let unused = 64u32.saturating_sub(8 * bytes.len() as u32);
    Some((value << (unused & 63)).cast_signed().wrapping_shr(unused).cast_unsigned())
}
