//! The lattice: what one place may hold, and states of all places.

use super::{Fact, Place, PtrKind, State as Exported};
use crate::ebpf::InsnIdx;
use crate::range::Num;

/// What a register or slot may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Val {
    /// Nothing was written on any path: no executed instruction reads it.
    Uninit,
    /// Anything.
    Unknown,
    /// A number.
    Num(Num),
    /// The address of a function.
    Func(InsnIdx),
    /// A pointer at the origin of `kind` plus `offset`, or 0 if `maybe_null`.
    Ptr { kind: PtrKind, offset: Num, maybe_null: bool },
}

impl Val {
    /// A pointer that is not null.
    pub(super) fn ptr(kind: PtrKind, offset: u64) -> Self {
        Val::Ptr { kind, offset: Num::constant(offset), maybe_null: false }
    }

    /// The number, also where nothing is known of it: for instructions that only take numbers.
    pub(super) fn as_num(self) -> Num {
        match self {
            Val::Num(num) => num,
            _ => Num::ANY,
        }
    }

    fn merge(self, other: Self, numbers: impl Fn(Num, Num) -> Num) -> Self {
        let zero = |val: Val| matches!(val, Val::Num(num) if num.as_const() == Some(0));
        match (self, other) {
            (a, b) if a == b => a,
            (Val::Num(a), Val::Num(b)) => Val::Num(numbers(a, b)),
            (
                Val::Ptr { kind, offset: a, maybe_null: null_a },
                Val::Ptr { kind: kind_b, offset: b, maybe_null: null_b },
            ) => match kind.either(kind_b) {
                Some(kind) => Val::Ptr { kind, offset: numbers(a, b), maybe_null: null_a || null_b },
                None => Val::Unknown,
            },
            (Val::Ptr { kind, offset, .. }, number) | (number, Val::Ptr { kind, offset, .. }) if zero(number) => {
                Val::Ptr { kind, offset, maybe_null: true }
            }
            _ => Val::Unknown,
        }
    }

    /// Where it may point.
    pub(super) fn place(self) -> Place {
        match self {
            Val::Uninit | Val::Num(_) | Val::Func(_) => Place::Number,
            Val::Unknown => Place::Unknown,
            Val::Ptr { kind: PtrKind::Stack, offset, .. } => {
                Place::Stack { from: offset.wide.smin, to: offset.wide.smax }
            }
            Val::Ptr { kind: PtrKind::Map(map), .. } => Place::Map { map, inner: false },
            Val::Ptr { kind: PtrKind::InnerMap(map), .. } => Place::Map { map, inner: true },
            // The sizes of its keys and values depend on the path.
            Val::Ptr { .. } => Place::Other,
        }
    }

    fn export(self) -> Fact {
        match self {
            Val::Uninit | Val::Unknown => Fact::Unknown,
            Val::Func(entry) => Fact::Func(entry),
            Val::Num(num) => Fact::Scalar(num.to_range()),
            Val::Ptr { kind, offset, maybe_null } => Fact::Ptr { kind, offset: offset.to_range(), maybe_null },
        }
    }
}

/// A value with its name: places with the same `id` (not 0) hold the same value. The id is the number of the instruction
/// that made the copy, plus one; an instruction that gives out its id again takes it from all old holders first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) val: Val,
    pub(super) id: u32,
}

impl Named {
    pub(super) const UNINIT: Named = Named { val: Val::Uninit, id: 0 };
    pub(super) const UNKNOWN: Named = Named { val: Val::Unknown, id: 0 };

    pub(super) fn new(val: Val) -> Self {
        Named { val, id: 0 }
    }

    /// Either value; linked only where both are.
    pub(super) fn join(self, other: Self) -> Self {
        self.merge(other, |a, b| a.join(b))
    }

    fn merge(self, other: Self, numbers: impl Fn(Num, Num) -> Num) -> Self {
        let id = if self.id == other.id { self.id } else { 0 };
        Named { val: self.val.merge(other.val, numbers), id }
    }
}

/// One aligned 8-byte piece of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Bytes of numbers, or never written: no pointer can be read from it. A bit a byte, by ascending address: it is zero.
    Data { zeros: u8 },
    /// The last store to its first `size` bytes was this value; the others are bytes of numbers.
    Held { named: Named, size: u8 },
}

impl Slot {
    pub(super) const DATA: Slot = Slot::Data { zeros: 0 };
    pub(super) const UNKNOWN: Slot = Slot::Held { named: Named::UNKNOWN, size: 8 };

    /// Bytes that are certainly zero.
    pub(super) fn zeros(self) -> u8 {
        match self {
            Slot::Data { zeros } => zeros,
            Slot::Held { named: Named { val: Val::Num(num), .. }, size } if num.as_const() == Some(0) => {
                byte_mask(0, size)
            }
            Slot::Held { .. } => 0,
        }
    }

    /// True if no pointer can be read from it.
    pub(super) fn is_number(self) -> bool {
        match self {
            Slot::Data { .. } => true,
            Slot::Held { named, .. } => matches!(named.val, Val::Num(_)),
        }
    }

    fn merge(self, other: Self, numbers: impl Fn(Num, Num) -> Num) -> Self {
        match (self, other) {
            (Slot::Held { named: a, size }, Slot::Held { named: b, size: other }) if size == other => {
                Slot::Held { named: a.merge(b, numbers), size }
            }
            _ if self.is_number() && other.is_number() => Slot::Data { zeros: self.zeros() & other.zeros() },
            _ => Slot::UNKNOWN,
        }
    }
}

/// The bits of `size` bytes of a slot, from byte `start` on.
pub(super) fn byte_mask(start: u8, size: u8) -> u8 {
    let bytes = 0xffu16.checked_shr(8u32.saturating_sub(size.into())).unwrap_or(0);
    u8::try_from(bytes.checked_shl(start.into()).unwrap_or(0) & 0xff).unwrap_or(0)
}

/// Slots of a frame.
pub(super) const SLOTS: usize = 64;

/// All places of the current function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    regs: [Named; 11],
    /// Slot n as in [`super::State::slots`]; those beyond the end are [`Slot::DATA`].
    slots: Vec<Slot>,
}

impl Frame {
    /// At the start of a function with the given r1 to r5.
    pub(super) fn entry(args: [Val; 5]) -> Self {
        let [a, b, c, d, e] = args.map(Named::new);
        let none = Named::UNINIT;
        let frame = Named::new(Val::ptr(PtrKind::Stack, 0));
        Frame { regs: [none, a, b, c, d, e, none, none, none, none, frame], slots: Vec::new() }
    }

    /// A register; out of range reads as never written.
    pub(super) fn reg(&self, reg: u8) -> Named {
        self.regs.get(usize::from(reg)).copied().unwrap_or(Named::UNINIT)
    }

    /// Writes a register; out of range does nothing.
    pub(super) fn set_reg(&mut self, reg: u8, named: Named) {
        if let Some(place) = self.regs.get_mut(usize::from(reg)) {
            *place = named;
        }
    }

    /// A slot.
    pub(super) fn slot(&self, slot: usize) -> Slot {
        self.slots.get(slot).copied().unwrap_or(Slot::DATA)
    }

    /// Writes a slot; beyond the frame does nothing.
    pub(super) fn set_slot(&mut self, slot: usize, held: Slot) {
        if slot >= SLOTS {
            return;
        }
        if slot >= self.slots.len() {
            if held == Slot::DATA {
                return;
            }
            self.slots.resize(slot.saturating_add(1), Slot::DATA);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = held;
        }
    }

    /// Forgets all of the stack.
    pub(super) fn forget_slots(&mut self) {
        self.slots = vec![Slot::UNKNOWN; SLOTS];
    }

    /// All named places, registers first.
    pub(super) fn places_mut(&mut self) -> impl Iterator<Item = &mut Named> {
        let slots = self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Held { named, .. } => Some(named),
            Slot::Data { .. } => None,
        });
        self.regs.iter_mut().chain(slots)
    }

    /// Sets the value of a register and of all places that hold the same.
    pub(super) fn refine(&mut self, reg: u8, val: Val) {
        let id = self.reg(reg).id;
        self.set_reg(reg, Named { val, id });
        if id != 0 {
            self.places_mut().filter(|place| place.id == id).for_each(|place| place.val = val);
        }
    }

    /// Both states' places.
    pub(super) fn join(&self, other: &Self) -> Self {
        self.merge(other, |a, b| a.join(b))
    }

    /// As [`Frame::join`], but whatever grows beyond `self` grows to a landmark.
    pub(super) fn widen(&self, other: &Self) -> Self {
        self.merge(other, |a, b| a.widen(a.join(b)))
    }

    fn merge(&self, other: &Self, numbers: impl Fn(Num, Num) -> Num + Copy) -> Self {
        let mut regs = self.regs;
        for (place, &named) in regs.iter_mut().zip(&other.regs) {
            *place = place.merge(named, numbers);
        }
        let slots = (0..self.slots.len().max(other.slots.len()))
            .map(|slot| self.slot(slot).merge(other.slot(slot), numbers))
            .collect();
        Frame { regs, slots }
    }

    /// As others see it.
    pub(super) fn export(&self) -> Exported {
        let mut slots = [Fact::Unknown; SLOTS];
        for (fact, slot) in slots.iter_mut().zip(&self.slots) {
            if let Slot::Held { named, size: 8 } = slot {
                *fact = named.val.export();
            }
        }
        Exported { regs: self.regs.map(|named| named.val.export()), slots }
    }
}
