//! The effect of one instruction on a state.

use super::value::{Frame, Named, SLOTS, Slot, Val, byte_mask};
use super::{MapSet, PtrKind, fixpoint::Pass};
use crate::ebpf::{AluOp, AtomicOp, Cond, Imm64, Insn, MapIdx, Operand, Reg, Size, Width};
use crate::object::Object;
use crate::range::Num;
use crate::verify::protos;
use offwire_image::MapKind;

/// True if the helper may move the packet; unknown ones may.
pub(super) fn changes_packet(helper: u32) -> bool {
    protos::find(helper).is_none_or(|proto| proto.moves_packet)
}

/// True if the helper may give back a record; unknown ones may.
pub(super) fn releases(helper: u32) -> bool {
    protos::find(helper).is_none_or(|proto| proto.args.contains(&protos::Arg::Record))
}

impl Pass<'_> {
    /// Applies an instruction that is no jump, call of a local function or exit.
    pub(super) fn step(&self, at: usize, insn: &Insn, frame: &mut Frame) {
        match *insn {
            Insn::Alu { width, op, dst, src } => alu(at, frame, width, op, dst, src),
            Insn::MovSx { width, bits, dst, src } => {
                let value = Num::mov_sign_extend(width, u32::from(bits), frame.reg(src.0).val.as_num());
                set_num(frame, dst, value);
            }
            Insn::Neg { width, dst } => {
                let value = Num::neg(width, frame.reg(dst.0).val.as_num());
                set_num(frame, dst, value);
            }
            Insn::Endian { bits, to_be, dst } => {
                let value = frame.reg(dst.0).val.as_num();
                let bits = u32::from(bits);
                set_num(frame, dst, if to_be { value.byte_swap(bits) } else { value.zero_extend(bits) });
            }
            Insn::Bswap { bits, dst } => {
                let value = frame.reg(dst.0).val.as_num().byte_swap(u32::from(bits));
                set_num(frame, dst, value);
            }
            Insn::LoadImm64 { dst, value } => {
                let val = match value {
                    Imm64::Const(value) => Val::Num(Num::constant(value)),
                    Imm64::Map(map) => Val::ptr(PtrKind::Map(map), 0),
                    Imm64::MapValue { map, offset } => Val::ptr(PtrKind::MapValue(map), u64::from(offset)),
                    Imm64::Func(entry) => Val::Func(entry),
                };
                frame.set_reg(dst.0, Named::new(val));
            }
            Insn::Load { size, signed, dst, base, off } => {
                let named = self.load(at, frame, size, signed, base, off);
                not_null(frame, base);
                frame.set_reg(dst.0, named);
            }
            Insn::Store { size, base, off, src } => {
                let written = match src {
                    Operand::Reg(reg) if size == Size::B8 => copied(at, frame, reg),
                    Operand::Reg(reg) => Named::new(frame.reg(reg.0).val),
                    Operand::Imm(imm) => Named::new(Val::Num(constant(imm))),
                };
                store(frame, size, base, off, written);
                not_null(frame, base);
            }
            Insn::Atomic { size, op, fetch, base, off, src } => {
                store(frame, size, base, off, Named::new(Val::Num(Num::ANY)));
                not_null(frame, base);
                let old = Num::loaded(size.bytes().saturating_mul(8), false);
                match op {
                    AtomicOp::Cmpxchg => set_num(frame, Reg(0), old),
                    AtomicOp::Xchg => set_num(frame, src, old),
                    _ if fetch => set_num(frame, src, old),
                    _ => {}
                }
            }
            Insn::CallHelper { id } => self.call_helper(id, frame),
            Insn::CallKfunc { .. } => {
                forget_packet(frame);
                frame.forget_slots();
                clobber(frame);
                frame.set_reg(0, Named::UNKNOWN);
            }
            Insn::Wide | Insn::Jump { .. } | Insn::JumpIf { .. } | Insn::CallLocal { .. } | Insn::Exit => {}
        }
    }

    fn load(&self, at: usize, frame: &mut Frame, size: Size, signed: bool, base: Reg, off: i16) -> Named {
        let bits = size.bytes().saturating_mul(8);
        let number = Num::loaded(bits, signed);
        match frame.reg(base.0).val {
            Val::Ptr { kind: PtrKind::Ctx, offset, .. } => {
                let field = offset.as_const().map(|at| at.wrapping_add_signed(off.into()));
                Named::new(match (field, size) {
                    (Some(0), Size::B4) => Val::ptr(PtrKind::Packet, 0),
                    (Some(4), Size::B4) => Val::ptr(PtrKind::PacketEnd, 0),
                    (Some(8), Size::B4) => Val::ptr(PtrKind::PacketMeta, 0),
                    (Some(8), _) | (None, _) => Val::Unknown,
                    _ => Val::Num(number),
                })
            }
            Val::Ptr { kind: PtrKind::Stack, offset, .. } => {
                let Some(first) = offset.as_const().map(|at| at.cast_signed().wrapping_add(off.into())) else {
                    let numbers = touched(offset, off, size)
                        .is_some_and(|(from, to)| (from..=to).all(|slot| frame.slot(slot).is_number()));
                    return Named::new(if numbers || size != Size::B8 { Val::Num(number) } else { Val::Unknown });
                };
                load_slot(at, frame, size, signed, first)
            }
            Val::Ptr { kind: PtrKind::MapValue(map), offset, .. } => {
                let value = offset
                    .as_const()
                    .and_then(|at| read_frozen(self.object, map, at.wrapping_add_signed(off.into()), size));
                Named::new(Val::Num(match value {
                    Some(value) if signed => Num::constant(value).sign_extend(bits),
                    Some(value) => Num::constant(value),
                    None => number,
                }))
            }
            Val::Ptr { kind: PtrKind::CallerStack, .. } if size == Size::B8 => Named::UNKNOWN,
            Val::Ptr { .. } => Named::new(Val::Num(number)),
            // The base may point to a stack slot that holds a pointer, or be the context.
            _ if matches!(size, Size::B4 | Size::B8) => Named::UNKNOWN,
            _ => Named::new(Val::Num(number)),
        }
    }

    fn call_helper(&self, id: u32, frame: &mut Frame) {
        let proto = protos::find(id);
        let result = match proto.map(|proto| proto.result) {
            Some(protos::Result::MapValueOrNull) => self.found(frame),
            Some(protos::Result::RecordOrNull) => match frame.reg(1).val {
                Val::Ptr { kind: PtrKind::Map(map), .. } => {
                    Val::Ptr { kind: PtrKind::Record(map), offset: Num::constant(0), maybe_null: true }
                }
                _ => Val::Unknown,
            },
            Some(protos::Result::Number) => Val::Num(Num::ANY),
            Some(protos::Result::Number32) => Val::Num(Num::loaded(32, false)),
            Some(protos::Result::Nothing) => Val::Uninit,
            None => {
                // The verifier refuses it; assume the worst.
                frame.forget_slots();
                Val::Unknown
            }
        };
        for (reg, &arg) in (1u8..).zip(proto.map_or(&[][..], |proto| proto.args)) {
            match arg {
                protos::Arg::UninitMem => fill(frame, reg),
                protos::Arg::Record => forget_records(frame),
                _ => {}
            }
        }
        if changes_packet(id) {
            forget_packet(frame);
        }
        clobber(frame);
        frame.set_reg(0, Named::new(result));
    }

    /// What a lookup in the map in r1 gives.
    fn found(&self, frame: &Frame) -> Val {
        let (map, inner) = match frame.reg(1).val {
            Val::Ptr { kind: PtrKind::Map(map), .. } => (map, false),
            Val::Ptr { kind: PtrKind::InnerMap(map), .. } => (map, true),
            Val::Ptr { kind: PtrKind::OneOf(set), .. } => return self.found_in(frame, set),
            _ => return Val::Unknown,
        };
        let Some(spec) = protos::spec(self.object, map, inner) else { return Val::Unknown };
        if matches!(spec.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps) {
            return Val::Ptr { kind: PtrKind::InnerMap(map), offset: Num::constant(0), maybe_null: true };
        }
        let found = protos::array_size(spec)
            .is_some_and(|size| constant_key(frame, frame.reg(2).val).is_some_and(|key| key < size));
        let kind = if inner { PtrKind::InnerValue(map) } else { PtrKind::MapValue(map) };
        Val::Ptr { kind, offset: Num::constant(0), maybe_null: !found }
    }

    /// The same in one of several maps.
    fn found_in(&self, frame: &Frame, set: MapSet) -> Val {
        let specs = || set.maps().map(|map| protos::spec(self.object, map, false));
        let values = specs().flatten().all(|spec| !matches!(spec.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps));
        if !values || specs().any(|spec| spec.is_none()) {
            return Val::Unknown;
        }
        let key = constant_key(frame, frame.reg(2).val);
        let found =
            specs().flatten().all(|spec| protos::array_size(spec).zip(key).is_some_and(|(size, key)| key < size));
        Val::Ptr { kind: PtrKind::ValueOf(set), offset: Num::constant(0), maybe_null: !found }
    }

    /// States on both sides of a conditional jump: (taken, not taken); `None` where no execution goes.
    pub(super) fn branch(frame: &Frame, width: Width, cond: Cond, dst: Reg, src: Operand) -> [Option<Frame>; 2] {
        let left = frame.reg(dst.0).val;
        let right = match src {
            Operand::Reg(reg) => frame.reg(reg.0).val,
            Operand::Imm(imm) => Val::Num(constant(imm)),
        };
        [true, false].map(|taken| {
            let mut side = frame.clone();
            match (left, right) {
                (Val::Num(a), Val::Num(b)) => {
                    // A register compared with itself is two operands with one value.
                    if src == Operand::Reg(dst) {
                        return same_taken(cond, width, a).is_none_or(|known| known == taken).then_some(side);
                    }
                    let (a, b) = Num::refine(cond, width, taken, a, b)?;
                    side.refine(dst.0, Val::Num(a));
                    if let Operand::Reg(reg) = src {
                        // Both names may stand for one value.
                        let twin = frame.reg(reg.0).id != 0 && frame.reg(reg.0).id == frame.reg(dst.0).id;
                        let b = if twin { b.intersect(a)? } else { b };
                        side.refine(reg.0, Val::Num(b));
                    }
                }
                (Val::Ptr { kind, offset, maybe_null }, Val::Num(zero))
                    if width == Width::W64
                        && zero.as_const() == Some(0)
                        && matches!(cond, Cond::Eq | Cond::Ne)
                        // A half may be zero without being null.
                        && kind != PtrKind::PacketHalf =>
                {
                    let null = (cond == Cond::Eq) == taken;
                    if null && !maybe_null {
                        return None;
                    }
                    let val = if null { Val::Num(zero) } else { Val::Ptr { kind, offset, maybe_null: false } };
                    side.refine(dst.0, val);
                }
                _ => {}
            }
            Some(side)
        })
    }
}

/// Outcome of comparing a number with itself; `None` if it depends on the number.
fn same_taken(cond: Cond, width: Width, a: Num) -> Option<bool> {
    match cond {
        Cond::Eq | Cond::Ge | Cond::Le | Cond::Sge | Cond::Sle => Some(true),
        Cond::Ne | Cond::Gt | Cond::Lt | Cond::Sgt | Cond::Slt => Some(false),
        Cond::Set => match width {
            Width::W64 => a.as_const().map(|value| value != 0),
            Width::W32 => a.as_const_sub().map(|value| value != 0),
        },
    }
}

fn constant(imm: i32) -> Num {
    Num::signed_constant(imm.into())
}

fn set_num(frame: &mut Frame, reg: Reg, num: Num) {
    frame.set_reg(reg.0, Named::new(Val::Num(num)));
}

/// The register's value with an id, so that its copies stay linked.
fn copied(at: usize, frame: &mut Frame, reg: Reg) -> Named {
    let mut named = frame.reg(reg.0);
    if named.id == 0 {
        let id = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
        frame.places_mut().filter(|place| place.id == id).for_each(|place| place.id = 0);
        named.id = id;
        frame.set_reg(reg.0, named);
    }
    named
}

fn alu(at: usize, frame: &mut Frame, width: Width, op: AluOp, dst: Reg, src: Operand) {
    if let (AluOp::Mov, Width::W64, Operand::Reg(reg)) = (op, width, src) {
        let named = copied(at, frame, reg);
        frame.set_reg(dst.0, named);
        return;
    }
    let a = frame.reg(dst.0).val;
    let b = match src {
        Operand::Reg(reg) => frame.reg(reg.0).val,
        Operand::Imm(imm) => Val::Num(constant(imm)),
    };
    let moved = |kind, offset, by, maybe_null| match maybe_null {
        // Null plus something is neither null nor a pointer.
        true => Val::Unknown,
        false => Val::Ptr { kind, offset: Num::alu(op, Width::W64, offset, by), maybe_null },
    };
    if width == Width::W32
        && let Some(result) = half_result(op, a, b)
    {
        frame.set_reg(dst.0, Named::new(result));
        return;
    }
    let result = match (width, op, a, b) {
        (Width::W64, AluOp::Add | AluOp::Sub, ptr @ Val::Ptr { .. }, Val::Num(by)) if by.as_const() == Some(0) => ptr,
        (Width::W64, AluOp::Add | AluOp::Sub, Val::Ptr { kind, offset, maybe_null }, Val::Num(by)) => {
            moved(kind, offset, by, maybe_null)
        }
        (Width::W64, AluOp::Add, Val::Num(by), Val::Ptr { kind, offset, maybe_null }) => {
            moved(kind, offset, by, maybe_null)
        }
        (
            _,
            AluOp::Sub,
            Val::Ptr { kind, offset: x, maybe_null: false },
            Val::Ptr { kind: other, offset: y, maybe_null: false },
        ) if kind == other
            && matches!(
                kind,
                PtrKind::Packet | PtrKind::PacketEnd | PtrKind::PacketMeta | PtrKind::PacketHalf | PtrKind::Stack
            ) =>
        {
            Val::Num(Num::alu(op, width, x, y))
        }
        (Width::W64, AluOp::Sub, Val::Ptr { .. }, Val::Ptr { .. }) => Val::Num(Num::ANY),
        (Width::W64, AluOp::Add | AluOp::Sub, Val::Num(x), Val::Num(y)) => {
            if op == AluOp::Sub && src == Operand::Reg(dst) {
                Val::Num(Num::constant(0))
            } else {
                Val::Num(Num::alu(op, width, x, y))
            }
        }
        (Width::W64, AluOp::Add | AluOp::Sub, ..) => Val::Unknown,
        // Numbers only; of a pointer's bits nothing is said.
        _ => match (a, b) {
            (Val::Num(_), Val::Num(_)) if op == AluOp::Xor && src == Operand::Reg(dst) => Val::Num(Num::constant(0)),
            _ => Val::Num(Num::alu(op, width, a.as_num(), b.as_num())),
        },
    };
    frame.set_reg(dst.0, Named::new(result));
}

/// The result of a 32-bit operation on pointers into the packet, or the low halves of some; `None` for other operands.
fn half_result(op: AluOp, a: Val, b: Val) -> Option<Val> {
    // Offset from `ctx->data` modulo 2^32.
    let half = |val| match val {
        Val::Ptr { kind: PtrKind::Packet | PtrKind::PacketHalf, offset, maybe_null: false } => Some(offset),
        Val::Ptr { kind: PtrKind::PacketEnd | PtrKind::PacketMeta, maybe_null: false, .. } => Some(Num::ANY),
        _ => None,
    };
    let num = |val| if let Val::Num(num) = val { Some(num) } else { None };
    let is = |offset| Some(Val::Ptr { kind: PtrKind::PacketHalf, offset, maybe_null: false });
    let low = |op, x, y| Num::alu(op, Width::W32, x, y);
    match (op, half(a), half(b)) {
        (AluOp::Mov, _, Some(y)) => is(low(op, y, y)),
        // Of pointers relative to one place more is known.
        (AluOp::Sub, Some(_), Some(_)) if same_origin(a, b) => None,
        (AluOp::Sub, Some(x), Some(y)) => Some(Val::Num(low(op, x, y))),
        (AluOp::Add | AluOp::Sub, Some(x), None) => is(low(op, x, num(b)?)),
        (AluOp::Add, None, Some(y)) => is(low(op, num(a)?, y)),
        _ => None,
    }
}

/// True if both are offsets from the same place.
fn same_origin(a: Val, b: Val) -> bool {
    matches!((a, b), (Val::Ptr { kind: a, .. }, Val::Ptr { kind: b, .. }) if a == b)
}

/// An access through the register went well, so it is not null.
fn not_null(frame: &mut Frame, base: Reg) {
    if let Val::Ptr { kind, offset, maybe_null: true } = frame.reg(base.0).val {
        frame.refine(base.0, Val::Ptr { kind, offset, maybe_null: false });
    }
}

/// Slot of the byte at an offset from r10 (-512 to -1).
fn slot_of(offset: i64) -> Option<usize> {
    let slot = usize::try_from(offset.checked_neg()?.checked_sub(1)?).ok()?.checked_div(8)?;
    (slot < SLOTS).then_some(slot)
}

/// First and last slot that an access at a pointer into the frame may touch. Slots count downwards from r10.
fn touched(offset: Num, off: i16, size: Size) -> Option<(usize, usize)> {
    let first = offset.wide.smin.saturating_add(off.into());
    let last = offset.wide.smax.saturating_add(off.into()).saturating_add(i64::from(size.bytes())).saturating_sub(1);
    Some((slot_of(last.min(-1))?, slot_of(first.max(-512))?))
}

fn load_slot(at: usize, frame: &mut Frame, size: Size, signed: bool, first: i64) -> Named {
    let bits = size.bytes().saturating_mul(8);
    let number = Named::new(Val::Num(Num::loaded(bits, signed)));
    let Some(slot) = slot_of(first) else { return Named::UNKNOWN };
    let aligned = first.rem_euclid(8) == 0;
    match frame.slot(slot) {
        Slot::Held { named, size: 8 } if aligned && size == Size::B8 => {
            if named.id != 0 {
                return named;
            }
            let id = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
            frame.places_mut().filter(|place| place.id == id).for_each(|place| place.id = 0);
            frame.set_slot(slot, Slot::Held { named: Named { id, ..named }, size: 8 });
            Named { id, ..named }
        }
        Slot::Held { named: Named { val: Val::Num(num), .. }, size: held }
            if aligned && bits <= u32::from(held).saturating_mul(8) =>
        {
            let low = num.zero_extend(bits);
            Named::new(Val::Num(if signed { low.sign_extend(bits) } else { low }))
        }
        Slot::Held { named: named @ Named { val: Val::Ptr { kind: PtrKind::PacketHalf, .. }, .. }, size: 4 }
            if aligned =>
        {
            match size {
                Size::B4 if !signed => Named::new(named.val),
                Size::B8 => Named::UNKNOWN,
                _ => number,
            }
        }
        slot => {
            let window = window(first, size);
            // Across two slots, or narrower than a pointer: a number.
            if slot.zeros() & window == window { Named::new(Val::Num(Num::constant(0))) } else { number }
        }
    }
}

/// The bytes of its slot that an access within one slot touches.
fn window(first: i64, size: Size) -> u8 {
    byte_mask(u8::try_from(first.rem_euclid(8)).unwrap_or(0), u8::try_from(size.bytes()).unwrap_or(8))
}

/// The key that a lookup in an array finds at the pointer, if it is certain.
fn constant_key(frame: &Frame, key: Val) -> Option<u64> {
    let Val::Ptr { kind: PtrKind::Stack, offset, .. } = key else { return None };
    let first = offset.as_const()?.cast_signed();
    let slot = frame.slot(slot_of(first)?);
    let window = window(first, Size::B4);
    match slot {
        _ if slot.zeros() & window == window && first.rem_euclid(8) <= 4 => Some(0),
        Slot::Held { named: Named { val: Val::Num(num), .. }, size: 4 } if first.rem_euclid(8) == 0 => num.as_const(),
        _ => None,
    }
}

fn store(frame: &mut Frame, size: Size, base: Reg, off: i16, written: Named) {
    let bytes = u8::try_from(size.bytes()).unwrap_or(8);
    match frame.reg(base.0).val {
        Val::Ptr { kind: PtrKind::Stack, offset, .. } => {
            let first = offset.wide.smin.saturating_add(off.into());
            let Some((from, to)) = touched(offset, off, size) else { return };
            if offset.as_const().is_none() || from != to {
                // Numbers stay numbers if some of them are overwritten by numbers; of a pointer a part may stay.
                let number = size != Size::B8 || matches!(written.val, Val::Num(_));
                for slot in from..=to {
                    let now = if number && frame.slot(slot).is_number() { Slot::DATA } else { Slot::UNKNOWN };
                    frame.set_slot(slot, now);
                }
                return;
            }
            let old = frame.slot(from);
            let window = window(first, size);
            let now = match (old, written.val) {
                (_, _) if first.rem_euclid(8) == 0 && size == Size::B8 => Slot::Held { named: written, size: 8 },
                (_, Val::Num(num)) if first.rem_euclid(8) == 0 => {
                    let low = num.zero_extend(u32::from(bytes).saturating_mul(8));
                    Slot::Held { named: Named::new(Val::Num(low)), size: bytes }
                }
                (_, val @ Val::Ptr { kind: PtrKind::PacketHalf, .. })
                    if first.rem_euclid(8) == 0 && size == Size::B4 =>
                {
                    Slot::Held { named: Named::new(val), size: 4 }
                }
                (Slot::Held { size, .. }, _) if byte_mask(0, size) & window == 0 => old,
                (_, Val::Num(num)) if num.as_const() == Some(0) => Slot::Data { zeros: old.zeros() | window },
                _ => Slot::Data { zeros: old.zeros() & !window },
            };
            frame.set_slot(from, now);
        }
        // Other objects are not tracked.
        Val::Ptr { .. } => {}
        _ => frame.forget_slots(),
    }
}

/// After the packet moved, old pointers into it are of no use.
pub(super) fn forget_packet(frame: &mut Frame) {
    for place in frame.places_mut() {
        if matches!(
            place.val,
            Val::Ptr { kind: PtrKind::Packet | PtrKind::PacketEnd | PtrKind::PacketMeta | PtrKind::PacketHalf, .. }
        ) {
            *place = Named::UNKNOWN;
        }
    }
}

/// Calls leave nothing in r1 to r5.
pub(super) fn clobber(frame: &mut Frame) {
    (1..=5).for_each(|reg| frame.set_reg(reg, Named::UNINIT));
}

/// After a record was given back, pointers to it are of no use; which ones they are is not known.
pub(super) fn forget_records(frame: &mut Frame) {
    for place in frame.places_mut() {
        if matches!(place.val, Val::Ptr { kind: PtrKind::Record(_), .. }) {
            *place = Named::UNKNOWN;
        }
    }
}

/// A helper fills the memory at the register with numbers; its size is in the next register.
fn fill(frame: &mut Frame, reg: u8) {
    match frame.reg(reg).val {
        Val::Ptr { kind: PtrKind::Stack, offset, .. } => {
            let size = match frame.reg(reg.wrapping_add(1)).val {
                Val::Num(num) => i64::try_from(num.wide.umax).unwrap_or(i64::MAX),
                _ => i64::MAX,
            };
            if size == 0 {
                return;
            }
            let last = offset.wide.smax.saturating_add(size).saturating_sub(1);
            let (Some(from), Some(to)) = (slot_of(last.clamp(-512, -1)), slot_of(offset.wide.smin.clamp(-512, -1)))
            else {
                return;
            };
            // No pointer is left in a slot that may be filled in part.
            (from..=to).for_each(|slot| frame.set_slot(slot, Slot::DATA));
        }
        Val::Ptr { .. } | Val::Num(_) | Val::Func(_) => {}
        Val::Uninit | Val::Unknown => frame.forget_slots(),
    }
}

/// A load from a map that nobody can change any more: global read-only data, whose one element the object initialises.
pub(crate) fn read_frozen(object: &Object, map: MapIdx, offset: u64, size: Size) -> Option<u64> {
    let spec = &object.maps.get(usize::from(map.0))?.spec;
    let end = offset.checked_add(size.bytes().into())?;
    if !spec.frozen || spec.kind != MapKind::Array || spec.max_entries != 1 || end > u64::from(spec.value_size) {
        return None;
    }
    let mut bytes = [0; 8];
    for (byte, at) in bytes.iter_mut().zip(offset..end) {
        *byte = spec.init.get(usize::try_from(at).ok()?).copied().unwrap_or(0);
    }
    Some(u64::from_le_bytes(bytes))
}
