//! What the verifier knows on one path: registers, frames, the whole state.

use super::live;
use super::protos;
use super::trace::NodeId;
use crate::ebpf::MapIdx;
use crate::object::Object;
use crate::range::Num;
use offwire_image::MapSpec;
use std::rc::Rc;

/// A map of the object, or any of the maps that stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapRef {
    pub(super) map: MapIdx,
    /// One of those that stand in it.
    pub(super) inner: bool,
}

impl MapRef {
    /// The map itself.
    pub(super) fn new(map: MapIdx) -> Self {
        MapRef { map, inner: false }
    }

    /// What the map looks like; `None` if there is no such map.
    pub(super) fn spec(self, object: &Object) -> Option<&MapSpec> {
        protos::spec(object, self.map, self.inner)
    }
}

/// What a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never written on this path, or lost by a call.
    Uninit,
    /// A packet pointer from before the packet moved, by the helper called at this instruction.
    Stale(u32),
    /// A number: [`Reg::num`].
    Scalar,
    /// struct xdp_md.
    Ctx,
    /// The frame of a function, by its depth in the call chain.
    Stack(u8),
    /// Packet data.
    Packet,
    /// Packet metadata, in front of the packet.
    PacketMeta,
    /// End of the packet.
    PacketEnd,
    /// The low 32 bits of a pointer into the packet, the high ones zero; which pointer does not matter, as nothing but
    /// differences of such halves can be used.
    PacketHalf,
    /// The map itself.
    Map(MapRef),
    /// A map that stands in another one, or 0.
    MapOrNull(MapRef),
    /// A value of the map.
    MapValue(MapRef),
    /// A value of the map or 0.
    MapValueOrNull(MapRef),
    /// A record that was reserved in the ring buffer, and its size.
    Record(MapRef, u32),
    /// The same or 0.
    RecordOrNull(MapRef, u32),
    /// A function, by its first instruction.
    Func(u32),
    /// A record that was submitted or discarded by this instruction.
    Released(u32),
}

impl Kind {
    /// True for addresses, also stale ones.
    pub(super) fn is_pointer(self) -> bool {
        !matches!(self, Kind::Uninit | Kind::Scalar)
    }

    /// True for pointers into the packet that still are some.
    pub(super) fn is_packet(self) -> bool {
        matches!(self, Kind::Packet | Kind::PacketMeta | Kind::PacketEnd)
    }

    /// True if its low 32 bits are those of a pointer into the packet.
    pub(super) fn has_packet_half(self) -> bool {
        self.is_packet() || self == Kind::PacketHalf
    }

    /// What a pointer that may be null is if it is not.
    pub(super) fn not_null(self) -> Option<Kind> {
        match self {
            Kind::MapOrNull(map) => Some(Kind::Map(map)),
            Kind::MapValueOrNull(map) => Some(Kind::MapValue(map)),
            Kind::RecordOrNull(map, size) => Some(Kind::Record(map, size)),
            _ => None,
        }
    }
}

/// [`Reg::range`] of a packet pointer that is known to lie behind the end of the packet.
pub(super) const BEYOND_END: i32 = -1;
/// The same for one at the end or behind it.
pub(super) const AT_END: i32 = -2;

/// One register, or a register spilled to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reg {
    pub(super) kind: Kind,
    /// A number: its value. A pointer: the variable part of its offset.
    pub(super) num: Num,
    /// A pointer: the constant part of its offset.
    pub(super) off: i32,
    /// A packet pointer: this many bytes from its variable part on are known to exist, or [`BEYOND_END`], [`AT_END`].
    pub(super) range: i32,
    /// A number: all with the same id are one value plus their `delta`. A packet pointer: all with the same id have one
    /// variable part. A map value, an inner map or a record: all with the same id come from one call. 0: none.
    pub(super) id: u32,
    /// A number with an id: what was added to the common value.
    pub(super) delta: i32,
    /// A number with an id: only its low 32 bits are the common value plus `delta`.
    pub(super) half: bool,
    /// A number: where it comes from, for precision.
    pub(super) node: NodeId,
    /// In finished checkpoints: the safety of what follows depends on this number's range.
    pub(super) precise: bool,
}

impl Reg {
    /// Nothing.
    pub(super) const UNINIT: Reg = Reg {
        kind: Kind::Uninit,
        num: Num::ANY,
        off: 0,
        range: 0,
        id: 0,
        delta: 0,
        half: false,
        node: NodeId::NONE,
        precise: false,
    };

    /// A number.
    pub(super) fn scalar(num: Num, node: NodeId) -> Self {
        Reg { kind: Kind::Scalar, num, node, ..Reg::UNINIT }
    }

    /// A pointer to the origin of its object.
    pub(super) fn pointer(kind: Kind) -> Self {
        Reg { kind, num: Num::constant(0), ..Reg::UNINIT }
    }

    /// The number, if it is a known one.
    pub(super) fn as_const(&self) -> Option<u64> {
        if self.kind == Kind::Scalar { self.num.as_const() } else { None }
    }
}

/// What one byte of the stack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    /// Never written. Programs loaded by root may read it (kernel: `allow_uninit_stack`): some number.
    Invalid,
    /// Some number.
    Misc,
    /// Zero.
    Zero,
    /// Part of the spilled register.
    Spill,
    /// What is left of a pointer of which another part was overwritten: no number, since the device's pointers have other bits.
    Remnant,
}

/// An aligned 8-byte slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// By ascending address.
    pub(super) bytes: [Byte; 8],
    /// The spilled register; its low bytes are the leading [`Byte::Spill`]s.
    pub(super) spilled: Option<Rc<Reg>>,
}

impl Slot {
    pub(super) const INVALID: Slot = Slot { bytes: [Byte::Invalid; 8], spilled: None };

    /// A spilled pointer.
    pub(super) fn pointer(&self) -> Option<&Reg> {
        self.spilled.as_deref().filter(|reg| reg.kind.is_pointer())
    }

    /// How many bytes of the spilled register it holds.
    pub(super) fn spill_size(&self) -> usize {
        self.bytes.iter().take_while(|&&byte| byte == Byte::Spill).count()
    }

    /// Forgets the spilled register; its bytes are some number now, or what is left of a pointer.
    pub(super) fn scrub(&mut self) {
        if let Some(spilled) = self.spilled.take() {
            let left = if spilled.kind.is_pointer() { Byte::Remnant } else { Byte::Misc };
            for byte in &mut self.bytes {
                if *byte == Byte::Spill {
                    *byte = left;
                }
            }
        }
    }

    /// True if a byte is left of a pointer.
    pub(super) fn has_remnant(&self) -> bool {
        self.bytes.contains(&Byte::Remnant)
    }
}

/// Slots of a frame.
pub(super) const SLOTS: usize = 64;

/// One function's registers and stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    regs: [Reg; 11],
    /// Slot n is bytes r10 - 8(n+1) to r10 - 8n - 1; those beyond the end were never written.
    stack: Vec<Slot>,
    /// The call that made the frame; `None` for the program itself.
    pub(super) call: Option<u32>,
    /// First instruction of the function.
    pub(super) entry: u32,
    /// It was called by a helper, and returns to the helper's call.
    pub(super) callback: bool,
    /// How often a helper that this function is calling has called back, as far as it is counted.
    pub(super) turns: u64,
}

impl Frame {
    /// At a function's entry: r1 to r5 are to be set.
    pub(super) fn new(depth: u8, call: Option<u32>, entry: u32) -> Self {
        let mut regs = [Reg::UNINIT; 11];
        if let Some(frame) = regs.last_mut() {
            *frame = Reg::pointer(Kind::Stack(depth));
        }
        Frame { regs, stack: Vec::new(), call, entry, callback: false, turns: 0 }
    }

    /// A register (numbers above 10 are refused before the exploration; here they read as never written).
    pub(super) fn reg(&self, reg: u8) -> &Reg {
        self.regs.get(usize::from(reg)).unwrap_or(&Reg::UNINIT)
    }

    /// Writes a register.
    pub(super) fn set(&mut self, reg: u8, value: Reg) {
        if let Some(place) = self.regs.get_mut(usize::from(reg)) {
            *place = value;
        }
    }

    /// r0 to r10.
    pub(super) fn regs(&self) -> &[Reg; 11] {
        &self.regs
    }

    /// A slot.
    pub(super) fn slot(&self, slot: usize) -> &Slot {
        self.stack.get(slot).unwrap_or(&Slot::INVALID)
    }

    /// A slot to write to; `None` beyond the frame.
    pub(super) fn slot_mut(&mut self, slot: usize) -> Option<&mut Slot> {
        if slot >= SLOTS {
            return None;
        }
        if slot >= self.stack.len() {
            self.stack.resize(slot.saturating_add(1), Slot::INVALID);
        }
        self.stack.get_mut(slot)
    }

    /// Slots in use.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.stack
    }

    /// Changes every register and spilled register that `change` wants changed.
    pub(super) fn update_all(&mut self, mut change: impl FnMut(&Reg) -> Option<Reg>) {
        for reg in &mut self.regs {
            if let Some(new) = change(reg) {
                *reg = new;
            }
        }
        for slot in &mut self.stack {
            if let Some(reg) = &mut slot.spilled
                && let Some(new) = change(reg)
            {
                *reg = Rc::new(new);
            }
        }
    }

    /// True if some register or spilled register is so.
    fn any(&self, mut is: impl FnMut(&Reg) -> bool) -> bool {
        self.regs.iter().any(&mut is) || self.stack.iter().filter_map(|slot| slot.spilled.as_deref()).any(is)
    }

    /// Drops what is dead: registers and slots whose bit is not set.
    pub(super) fn clean(&mut self, regs: u16, slots: u64) {
        for (number, reg) in (0u32..).zip(&mut self.regs) {
            if !live::has(regs.into(), number) {
                *reg = Reg::UNINIT;
            }
        }
        for (number, slot) in (0u32..).zip(&mut self.stack) {
            if !live::has(slots, number) {
                *slot = Slot::INVALID;
            }
        }
        while self.stack.last() == Some(&Slot::INVALID) {
            self.stack.pop();
        }
    }
}

/// Something that the program has and must give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// [`Reg::id`] of the pointers to it.
    pub(super) id: u32,
    /// The call that took it.
    pub(super) insn: u32,
}

/// A spin lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) map: MapRef,
    /// [`Reg::id`] of the value that it stands in.
    pub(super) id: u32,
    /// The call that took it.
    pub(super) insn: u32,
}

/// All frames of one path. Frames of callers are shared between states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The program's own frame first.
    callers: Vec<Rc<Frame>>,
    top: Frame,
    /// What was taken and not given back, in order.
    pub(super) references: Vec<Reference>,
    /// The lock that is held.
    pub(super) lock: Option<Lock>,
}

impl State {
    /// At the program's start.
    pub(super) fn new() -> Self {
        let mut top = Frame::new(0, None, 0);
        top.set(1, Reg::pointer(Kind::Ctx));
        State::of(top)
    }

    /// At the start of a function that nobody called.
    pub(super) fn of(top: Frame) -> Self {
        State { callers: Vec::new(), top, references: Vec::new(), lock: None }
    }

    /// Frames of the functions that wait for the current one, the program itself first.
    pub(super) fn callers(&self) -> &[Rc<Frame>] {
        &self.callers
    }

    /// The current function's frame.
    pub(super) fn top(&self) -> &Frame {
        &self.top
    }

    /// The same, to change it.
    pub(super) fn top_mut(&mut self) -> &mut Frame {
        &mut self.top
    }

    /// Depth of the current function, 0 for the program itself.
    pub(super) fn depth(&self) -> u8 {
        u8::try_from(self.callers.len()).unwrap_or(u8::MAX)
    }

    /// A frame by depth.
    pub(super) fn frame(&self, depth: u8) -> Option<&Frame> {
        match usize::from(depth) {
            depth if depth == self.callers.len() => Some(&self.top),
            depth => self.callers.get(depth).map(|frame| &**frame),
        }
    }

    /// A frame by depth, to change it.
    pub(super) fn frame_mut(&mut self, depth: u8) -> Option<&mut Frame> {
        match usize::from(depth) {
            depth if depth == self.callers.len() => Some(&mut self.top),
            depth => self.callers.get_mut(depth).map(Rc::make_mut),
        }
    }

    /// All frames, to change them.
    pub(super) fn frames_mut(&mut self) -> impl Iterator<Item = &mut Frame> {
        self.callers.iter_mut().map(Rc::make_mut).chain(std::iter::once(&mut self.top))
    }

    /// Enters a function.
    pub(super) fn push(&mut self, frame: Frame) {
        let caller = std::mem::replace(&mut self.top, frame);
        self.callers.push(Rc::new(caller));
    }

    /// Leaves a function and gives its frame; the program's own cannot be left.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        let caller = self.callers.pop()?;
        Some(std::mem::replace(&mut self.top, Rc::unwrap_or_clone(caller)))
    }

    /// A register of the current function.
    pub(super) fn reg(&self, reg: u8) -> &Reg {
        self.top.reg(reg)
    }

    /// Writes a register of the current function.
    pub(super) fn set(&mut self, reg: u8, value: Reg) {
        self.top.set(reg, value);
    }

    /// Changes every register and spilled register of every frame that `change` wants changed.
    pub(super) fn update_all(&mut self, mut change: impl FnMut(&Reg) -> Option<Reg>) {
        self.top.update_all(&mut change);
        for frame in &mut self.callers {
            // A shared frame that stays as it is need not be copied.
            if frame.any(|reg| change(reg).is_some()) {
                Rc::make_mut(frame).update_all(&mut change);
            }
        }
    }
}
