//! Fewer stores: within a block, stores from one base are held back until something may read them; then their bytes are written
//! with as few stores as possible. Overwritten bytes vanish, constants join, copies of neighbouring bytes become wide copies.
//!
//! Values of maps are seen by others: there only stores that directly follow each other and lie in one aligned 8-byte word join.

use super::MapTable;
use super::alias::{self, Overlap, Place};
use super::bytes::{Byte, OneLoad, Origins, as_constant};
use super::rewrite::Edits;
use crate::ebpf::{InsnIdx, MapIdx};
use crate::ir::{Block, Cfg, Func, Inst, Mem, Op, Value};
use offwire_isa::{AluOp, Space};
use std::collections::BTreeMap;

/// The pass.
pub(super) fn run(func: &mut Func, maps: &MapTable) {
    let cfg = Cfg::new(func);
    let origins = Origins::new(func, &cfg);
    let mut edits = Edits::default();
    let mut values = func.values;
    for &block in &cfg.order {
        let insts = &func.blocks[block.at()].insts;
        let mut buffer = Buffer {
            func,
            block,
            cfg: &cfg,
            origins: &origins,
            groups: Vec::new(),
            edits: &mut edits,
            values: &mut values,
        };
        for (index, inst) in insts.iter().enumerate() {
            buffer.inst(index, inst, maps);
        }
        buffer.flush(insts.len(), |_| true);
    }
    func.values = values;
    edits.apply(func);
}

/// Stores from one base that wait.
struct Group {
    mem: Mem,
    /// By offset.
    bytes: BTreeMap<i64, Byte>,
    /// Indices of the stores.
    stores: Vec<usize>,
    insn: InsnIdx,
}

struct Buffer<'a> {
    func: &'a Func,
    block: Block,
    cfg: &'a Cfg,
    origins: &'a Origins,
    groups: Vec<Group>,
    edits: &'a mut Edits,
    values: &'a mut u32,
}

impl<'a> Buffer<'a> {
    fn inst(&mut self, index: usize, inst: &Inst, maps: &MapTable) {
        // Reads first: an atomic add or an update needs what it reads in memory.
        for place in alias::reads(&inst.op, maps) {
            self.flush_overlapping(index, &place);
        }
        match inst.op {
            Op::Load { mem: Mem { space: Space::MapValue, map, .. }, .. }
            | Op::AtomicAdd { mem: Mem { map, .. }, .. } => {
                self.flush(index, |group| of_map(group, map));
            }
            Op::Lookup { map, .. } | Op::Update { map, .. } | Op::Delete { map, .. } => {
                self.flush(index, |group| of_map(group, Some(map)));
            }
            Op::Call { stack, .. } => self.flush(index, |group| stack || group.mem.space != Space::Stack),
            Op::AdjustHead { .. } => self.flush(index, |group| group.mem.space == Space::Packet),
            // What it may change, and what others may see before it.
            Op::Request(ref request) if !request.op.is_division() => {
                self.flush(index, |group| !matches!(group.mem.space, Space::Stack | Space::Scratch));
                if let Some(key) = request.key {
                    self.flush_overlapping(index, &Place::new(key, request.key_bytes));
                }
            }
            Op::Store { mem, size, swap, value } => self.store(index, inst.insn, &mem, size, swap, value),
            _ => {}
        }
    }

    fn store(&mut self, index: usize, insn: InsnIdx, mem: &Mem, size: u8, swap: bool, value: Value) {
        let origins: &'a Origins = self.origins;
        let constants = &origins.constants;
        let same = |group: &Group| {
            group.mem.space == mem.space
                && group.mem.map == mem.map
                && alias::same_base(constants, group.mem.base, mem.base)
        };
        let (start, end) = Place::new(*mem, size).range();
        let shared = mem.space == Space::MapValue;
        // Others of the same memory must not be overtaken.
        self.flush(index, |group| {
            group.mem.space == mem.space
                && if shared {
                    (group.mem.map.is_none() || mem.map.is_none() || group.mem.map == mem.map)
                        && !(same(group) && continues_word(group, start, end))
                } else {
                    !same(group)
                }
        });
        let at = match self.groups.iter().position(same) {
            Some(at) => at,
            None => {
                self.groups.push(Group { mem: *mem, bytes: BTreeMap::new(), stores: Vec::new(), insn });
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[at];
        let bytes = self.origins.of(value);
        let count = usize::from(size);
        for n in 0..count {
            let byte = bytes[if swap { count - 1 - n } else { n }];
            group.bytes.insert(start + n as i64, byte);
        }
        group.stores.push(index);
        group.insn = insn;
    }

    fn flush_overlapping(&mut self, index: usize, place: &Place) {
        let origins: &'a Origins = self.origins;
        let constants = &origins.constants;
        self.flush(index, |group| {
            let (Some((first, _)), Some((last, _))) = (group.bytes.first_key_value(), group.bytes.last_key_value())
            else {
                return false;
            };
            let Ok(offset) = i32::try_from(*first) else { return true };
            let size = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
            let whole = Place::new(Mem { offset, ..group.mem }, size);
            match alias::overlap(constants, &whole, place) {
                Overlap::None => false,
                Overlap::Maybe => true,
                Overlap::At(_) => {
                    let (start, end) = place.range();
                    group.bytes.range(start..end).next().is_some()
                }
            }
        });
    }

    /// Writes the groups, in the order in which they began, before the instruction at this index.
    fn flush(&mut self, index: usize, which: impl Fn(&Group) -> bool) {
        let (flushed, kept): (Vec<Group>, Vec<Group>) = std::mem::take(&mut self.groups).into_iter().partition(which);
        self.groups = kept;
        for group in flushed {
            if group.stores.len() < 2 {
                continue;
            }
            if let Some(pieces) = self.pieces(&group) {
                for store in &group.stores {
                    self.edits.remove(self.block, *store);
                }
                for piece in pieces {
                    self.write(&group, &piece, index);
                }
            }
        }
    }

    /// Cuts the group's bytes into as few stores as possible; `None` if that is no gain.
    fn pieces(&self, group: &Group) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        let all: Vec<(i64, Byte)> = group.bytes.iter().map(|(at, byte)| (*at, *byte)).collect();
        let mut rest = &all[..];
        while let Some((start, _)) = rest.first().copied() {
            let neighbours = rest.iter().zip(start..).take_while(|((at, _), want)| at == want).count().min(8);
            let bytes: Vec<Byte> = rest[..neighbours].iter().map(|(_, byte)| *byte).collect();
            let (len, source) = (1..=neighbours).rev().find_map(|len| Some((len, self.source(&bytes[..len])?)))?;
            pieces.push(Piece { offset: i32::try_from(start).ok()?, size: len as u8, source });
            if pieces.len() >= group.stores.len() {
                return None;
            }
            rest = &rest[len..];
        }
        Some(pieces)
    }

    /// Something that one store can write.
    fn source(&self, bytes: &[Byte]) -> Option<Source> {
        if let Some(constant) = as_constant(bytes) {
            // Wider constants take more than the word has.
            return i32::try_from(constant.cast_signed()).ok().map(|_| Source::Const(constant));
        }
        let one_load = || self.origins.one_load(self.func, self.cfg, bytes).map(Source::Load);
        for swap in [false, true] {
            let Some((value, first)) = self.bytes_of_one(bytes, swap) else { continue };
            // Part of a load had better be loaded by itself.
            return if first > 0 && self.origins.load(value).is_some() && !bytes.contains(&Byte::Const(0)) {
                one_load()
            } else {
                Some(Source::Bytes { value, first, swap })
            };
        }
        one_load()
    }

    /// The value and the place of the lowest byte in it if the bytes follow each other there, upwards or downwards.
    fn bytes_of_one(&self, bytes: &[Byte], downwards: bool) -> Option<(Value, u8)> {
        let found = bytes.iter().enumerate().find_map(|(at, byte)| match byte {
            Byte::Of(value, n) => Some((at, *value, usize::from(*n))),
            Byte::Const(_) => None,
        });
        let (at, value, n) = found?;
        let last = bytes.len() - 1;
        // Place of the first byte (upwards) or of the last one (downwards).
        let lowest = if downwards { (n + at).checked_sub(last)? } else { n.checked_sub(at)? };
        let source = self.origins.of(value);
        let follows = |(at, byte): (usize, &Byte)| {
            let n = lowest + if downwards { last - at } else { at };
            source.get(n).copied().unwrap_or(Byte::Const(0)) == *byte
        };
        bytes.iter().enumerate().all(follows).then_some((value, lowest as u8))
    }

    /// Puts one store before the instruction at this index.
    fn write(&mut self, group: &Group, piece: &Piece, index: usize) {
        let (value, swap) = match piece.source {
            Source::Const(constant) => (self.emit(group, index, Op::Const(constant)), false),
            Source::Bytes { value, first: 0, swap } => (value, swap),
            Source::Bytes { value, first, swap } => {
                let by = self.emit(group, index, Op::Const(8 * u64::from(first)));
                (self.emit(group, index, Op::Alu { op: AluOp::Rsh, wide: true, a: value, b: by }), swap)
            }
            Source::Load(load) => {
                let value = self.new_value();
                let op = Op::Load { mem: load.mem, size: load.size, swap: load.swap, dismiss: false };
                self.edits.behind(load.block, load.index, Inst { result: Some(value), op, insn: group.insn });
                (value, false)
            }
        };
        let mem = Mem { offset: piece.offset, ..group.mem };
        let op = Op::Store { mem, size: piece.size, swap, value };
        self.edits.before(self.block, index, Inst { result: None, op, insn: group.insn });
    }

    fn new_value(&mut self) -> Value {
        let value = Value(*self.values);
        *self.values += 1;
        value
    }

    fn emit(&mut self, group: &Group, index: usize, op: Op) -> Value {
        let value = self.new_value();
        self.edits.before(self.block, index, Inst { result: Some(value), op, insn: group.insn });
        value
    }
}

fn of_map(group: &Group, map: Option<MapIdx>) -> bool {
    group.mem.space == Space::MapValue && (map.is_none() || group.mem.map.is_none() || group.mem.map == map)
}

/// True if the bytes from `start` to `end` continue the group without a gap or overlap, in one aligned 8-byte word.
fn continues_word(group: &Group, start: i64, end: i64) -> bool {
    let (Some((first, _)), Some((last, _))) = (group.bytes.first_key_value(), group.bytes.last_key_value()) else {
        return true;
    };
    let (low, high) = ((*first).min(start), (*last + 1).max(end));
    (start == last + 1 || end == *first) && low.div_euclid(8) == (high - 1).div_euclid(8)
}

/// One store to come.
struct Piece {
    offset: i32,
    size: u8,
    source: Source,
}

/// What a store writes.
enum Source {
    Const(u64),
    /// Bytes of a value from byte `first` on.
    Bytes {
        value: Value,
        first: u8,
        swap: bool,
    },
    /// Bytes that one load gives.
    Load(OneLoad),
}
