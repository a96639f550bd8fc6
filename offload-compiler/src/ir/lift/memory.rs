//! Loads and stores.

use super::build::{Builder, exact, kind_name};
use super::callers::{Taken, stored};
use crate::ebpf::{InsnIdx, MapIdx, Operand, Reg, Size};
use crate::facts::{Fact, PtrKind, Range};
use crate::ir::{Mem, Op, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{
    AluOp, METADATA_EGRESS_IFINDEX, METADATA_INGRESS_IFINDEX, METADATA_META_LEN, METADATA_PACKET_LEN,
    METADATA_RX_QUEUE_INDEX, Space,
};

impl Builder<'_> {
    /// The memory operand for an access through `base`; not for the context.
    pub(super) fn address(&mut self, base: Reg, off: i16) -> Result<Mem, Diagnostic> {
        let (space, map) = match self.fact(base) {
            Fact::Ptr { kind: PtrKind::Packet | PtrKind::PacketMeta, .. } => (Space::Packet, None),
            Fact::Ptr { kind: PtrKind::Stack | PtrKind::CallerStack, .. } => (Space::Stack, None),
            Fact::Ptr { kind: PtrKind::MapValue(map) | PtrKind::Record(map), .. } => (Space::MapValue, Some(map)),
            // Any map may stand in a map of maps.
            Fact::Ptr { kind: PtrKind::InnerValue(_) | PtrKind::ValueOf(_), .. } => (Space::MapValue, None),
            Fact::Ptr { kind, .. } => {
                let message = format!("memory is accessed through {}", kind_name(kind));
                return Err(self.refuse(compiler::POINTER_UNKNOWN, message));
            }
            Fact::Scalar(_) | Fact::Func(_) | Fact::Unknown => {
                return Err(self
                    .refuse(compiler::POINTER_UNKNOWN, format!("r{} points to different kinds of memory", base.0))
                    .with_reason(
                        "the compiler must know at each access whether it is the packet, the stack or a map value",
                    )
                    .with_help("access the memory in each branch, before the pointers come together"));
            }
        };
        if space != Space::MapValue
            && let Some(known) = self.known(base)
            && let Ok(offset) = i32::try_from(known.cast_signed().saturating_add(i64::from(off)))
        {
            return Ok(Mem { space, map, base: None, offset });
        }
        let base = self.read(base);
        Ok(Mem { space, map, base: Some(base), offset: i32::from(off) })
    }

    pub(super) fn load(&mut self, size: Size, signed: bool, base: Reg, off: i16) -> Result<Value, Diagnostic> {
        let bytes = size.bytes() as u8;
        let value = match self.fact(base) {
            Fact::Ptr { kind: PtrKind::Ctx, offset, .. } => return self.context_field(bytes, &offset, off),
            Fact::Ptr { kind: PtrKind::MapValue(map), offset, .. } => {
                match self.constant_data(map, &offset, off, bytes) {
                    Some(value) => self.constant(value),
                    None => {
                        let mem = self.address(base, off)?;
                        self.emit(Op::Load { mem, size: bytes, swap: false, dismiss: false })
                    }
                }
            }
            _ => {
                let mem = self.address(base, off)?;
                if mem.space == Space::Stack && bytes < 8 {
                    self.no_pointer_in(&mem, u32::from(bytes))?;
                }
                let value = self.emit(Op::Load { mem, size: bytes, swap: false, dismiss: false });
                if mem.space == Space::Stack && bytes == 8 {
                    self.take(value, mem, base, off);
                }
                if mem.space != Space::Stack {
                    // Pointers stand on the stack only.
                    self.callers.taken.insert(value, Taken::Number);
                }
                value
            }
        };
        if signed { self.sign_extend(bytes.saturating_mul(8), true, value) } else { Ok(value) }
    }

    /// Decides what a value from the stack is taken for where the facts cannot tell, because other functions may write there.
    fn take(&mut self, value: Value, mem: Mem, base: Reg, off: i16) {
        let taken = match self.fact(base) {
            Fact::Ptr { kind: PtrKind::CallerStack, .. } => {
                let address = self.stack_address(base).map(|address| address.wrapping_add(off.into()));
                Some(address.and_then(|address| self.stored_by_caller(address)).unwrap_or(Taken::Number))
            }
            Fact::Ptr { kind: PtrKind::Stack, offset, .. } => {
                let offset = exact(&offset).map(|offset| offset.cast_signed().wrapping_add(off.into()));
                let slot =
                    offset.filter(|offset| offset % 8 == 0).and_then(|offset| usize::try_from(-offset / 8 - 1).ok());
                let fact = slot.and_then(|slot| self.state()?.slots.get(slot)).copied();
                match offset {
                    Some(offset) if fact == Some(Fact::Unknown) => stored(self.lifter, self.at, offset),
                    _ => {
                        // The facts know it behind this instruction, which may be the last before other blocks join.
                        if let Some(taken) = fact.as_ref().and_then(Taken::of) {
                            self.callers.taken.insert(value, taken);
                        }
                        None
                    }
                }
            }
            _ => None,
        };
        if let Some(taken) = taken {
            self.callers.taken.insert(value, taken);
            self.callers.loads.insert(value, (mem, self.at));
        }
    }

    /// What the caller whose frame the address lies in stores there.
    fn stored_by_caller(&self, address: i64) -> Option<Taken> {
        let mut frame = self.frame;
        while let Some((caller, back)) = self.expanded.frames[frame].caller {
            let (low, high) = (i64::from(self.expanded.frames[frame].r10), i64::from(self.expanded.frames[caller].r10));
            if (low..high).contains(&address) {
                let offset = address.wrapping_sub(high);
                let call = InsnIdx(back.0.saturating_sub(1));
                return if offset % 8 == 0 { stored(self.lifter, call, offset) } else { None };
            }
            frame = caller;
        }
        None
    }

    /// Bytes of a frozen map (`.rodata`) are constants.
    pub(super) fn constant_data(&self, map: MapIdx, offset: &Range, off: i16, bytes: u8) -> Option<u64> {
        let spec = &self.lifter.object.maps.get(usize::from(map.0))?.spec;
        if !spec.frozen || spec.max_entries != 1 {
            return None;
        }
        let start = usize::try_from(exact(offset)?.cast_signed().checked_add(i64::from(off))?).ok()?;
        let end = start.checked_add(usize::from(bytes))?;
        if end > usize::try_from(spec.value_size).ok()? {
            return None;
        }
        let byte = |at: usize| u64::from(spec.init.get(at).copied().unwrap_or(0));
        Some((start..end).rev().fold(0, |value, at| value << 8 | byte(at)))
    }

    /// A field of struct xdp_md (include/uapi/linux/bpf.h).
    fn context_field(&mut self, bytes: u8, offset: &Range, off: i16) -> Result<Value, Diagnostic> {
        let at = exact(offset).map(|offset| offset.wrapping_add(i64::from(off).cast_unsigned()));
        let (place, size) = match (at, bytes) {
            (Some(0), 4) => return Ok(self.constant(0)),
            (Some(4), 4) => (METADATA_PACKET_LEN, 8),
            (Some(12), 4) => (METADATA_INGRESS_IFINDEX, 4),
            (Some(16), 4) => (METADATA_RX_QUEUE_INDEX, 4),
            (Some(20), 4) => (METADATA_EGRESS_IFINDEX, 4),
            (Some(8), 4) => {
                // The metadata ends where the packet begins.
                let length = self.scratch(METADATA_META_LEN, 8);
                let zero = self.constant(0);
                return Ok(self.alu(AluOp::Sub, true, zero, length));
            }
            _ => return Err(self.refuse(compiler::UNSUPPORTED, "this part of the context is not on the device")),
        };
        Ok(self.scratch(place, size))
    }

    /// Packet metadata.
    pub(super) fn scratch(&mut self, place: u16, size: u8) -> Value {
        let mem = Mem { space: Space::Scratch, map: None, base: None, offset: i32::from(place) };
        self.emit(Op::Load { mem, size, swap: false, dismiss: false })
    }

    pub(super) fn store(&mut self, size: Size, base: Reg, off: i16, src: Operand) -> Result<(), Diagnostic> {
        let mem = self.address(base, off)?;
        let value = match src {
            // Pointers live on the stack in the device's form; anywhere else somebody could read them.
            Operand::Reg(reg)
                if mem.space == Space::Stack && (size == Size::B8 || self.is_half_to_spill(reg, size)) =>
            {
                let fact = self.fact(reg);
                if !matches!(fact, Fact::Scalar(_)) {
                    self.callers.pointers.push((mem, Taken::of(&fact)));
                }
                self.read(reg)
            }
            src => self.operand(src)?,
        };
        self.emit_effect(Op::Store { mem, size: size.bytes() as u8, swap: false, value });
        Ok(())
    }

    /// True if the store keeps all that there is of half a packet pointer.
    fn is_half_to_spill(&self, reg: Reg, size: Size) -> bool {
        let fact = self.fact(reg);
        size == Size::B4 && matches!(fact, Fact::Ptr { kind: PtrKind::PacketHalf, maybe_null: false, .. })
    }

    /// Refuses to look at the bytes of a pointer on the stack as numbers.
    pub(super) fn no_pointer_in(&self, mem: &Mem, bytes: u32) -> Result<(), Diagnostic> {
        if mem.space != Space::Stack || mem.base.is_some() {
            return Ok(());
        }
        let below = i64::from(self.expanded.frames[self.frame].r10) - i64::from(mem.offset);
        // Slot n is the bytes from r10 - 8 (n + 1) on.
        let (first, last) = ((below - i64::from(bytes)).max(0) / 8, (below - 1).max(0) / 8);
        let slots = self.state().map_or(&[][..], |state| &state.slots);
        let range = usize::try_from(first).unwrap_or(0)..=usize::try_from(last).unwrap_or(0);
        match slots.iter().enumerate().find(|(n, fact)| range.contains(n) && matches!(fact, Fact::Ptr { .. })) {
            None => Ok(()),
            Some(_) => Err(self
                .refuse(compiler::POINTER_AS_NUMBER, "bytes of a pointer on the stack are used as a number")
                .with_reason("the device holds pointers in another form than the host, so the result would differ")
                .with_help("keep pointers out of keys and values")),
        }
    }
}
