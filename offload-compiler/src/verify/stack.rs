//! The stack: 512 bytes a frame, tracked by byte, with registers spilled to aligned slots (`check_stack_read_fixed_off`,
//! `check_stack_write_fixed_off` and their variable-offset kin).

use super::alu::MAX_VAR_OFF;
use super::explore::Verifier;
use super::memory::constant_bits;
use super::refusal::{Check, Refusal, describe};
use super::state::{Byte, Frame, Kind, Reg, SLOTS, Slot, State};
use super::trace::NodeId;
use crate::ebpf;
use crate::range::Num;
use offwire_diag::codes::verify as codes;
use std::rc::Rc;

/// Bytes of a frame (`MAX_BPF_STACK`).
const FRAME_SIZE: i64 = 512;

/// What is stored.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// A register.
    Reg(ebpf::Reg, Reg),
    /// A constant.
    Imm(i32),
    /// Some number.
    Unknown,
}

/// An access to the stack.
#[derive(Clone, Copy)]
pub(super) struct Access {
    /// Register of the address, for messages.
    pub(super) base: ebpf::Reg,
    /// Whose frame.
    pub(super) depth: u8,
    /// What the register holds.
    pub(super) ptr: Reg,
    /// Offset in the instruction.
    pub(super) off: i16,
    /// Bytes.
    pub(super) size: u32,
}

impl Access {
    /// Bits of the number that it reads or writes.
    fn bits(&self) -> u32 {
        self.size.saturating_mul(8)
    }

    fn span(&self) -> Span {
        let fixed = i64::from(self.ptr.off).saturating_add(self.off.into());
        let wide = self.ptr.num.wide;
        Span { from: fixed.saturating_add(wide.smin), to: fixed.saturating_add(wide.smax) }
    }
}

/// Bytes that an access may touch: first bytes from `from` to `to`, as offsets from r10; `to == from` if it is known.
#[derive(Clone, Copy)]
struct Span {
    from: i64,
    to: i64,
}

/// Slot of a byte and its place in it.
fn locate(byte: i64) -> (usize, usize) {
    let below = byte.saturating_neg().saturating_sub(1).clamp(0, FRAME_SIZE.saturating_sub(1));
    let slot = usize::try_from(below.checked_div(8).unwrap_or(0)).unwrap_or(0);
    (slot, usize::try_from(byte.rem_euclid(8)).unwrap_or(0))
}

impl Verifier<'_> {
    /// Checks alignment and bounds of an access and remembers how deep the frame gets.
    fn stack_span(&mut self, state: &State, access: &Access, aligned: bool) -> Check<Span> {
        let &Access { base, depth, ref ptr, off, size } = access;
        let is = |verifier: &Self| format!("R{} is {}", base.0, describe(verifier.object, ptr));
        if aligned && !ptr.num.bits.add(constant_bits(ptr.off, off)).is_aligned(size.into()) {
            return Err(Refusal::new(codes::MISALIGNED, "a misaligned stack access")
                .because(format!("{}; {size} bytes at a further offset of {off} need a multiple of {size}", is(self)))
                .help("do not pack structures on the stack, and index arrays by whole elements"));
        }
        let wide = ptr.num.wide;
        let span = access.span();
        let bounded = wide.smax < MAX_VAR_OFF && wide.smin > MAX_VAR_OFF.saturating_neg();
        if !bounded || span.from < FRAME_SIZE.saturating_neg() || span.to.saturating_add(size.into()) > 0 {
            let reach = match (bounded, span.from == span.to) {
                (false, _) => "the offset is not bounded".to_string(),
                (true, true) => format!("{size} bytes at offset {} are reached", span.from),
                (true, false) => format!("{size} bytes at offsets {} to {} are reached", span.from, span.to),
            };
            return Err(Refusal::new(codes::STACK_BOUNDS, "stack access out of bounds")
                .because(format!("{reach}; a frame is bytes -512 to -1 ({})", is(self)))
                .help("make local variables smaller, or bound the index"));
        }
        if let Some(frame) = state.frame(depth) {
            self.note_depth(frame.entry, span.from.saturating_neg());
        }
        Ok(span)
    }

    pub(super) fn stack_read(&mut self, state: &State, access: &Access, signed: bool) -> Check<Reg> {
        let span = self.stack_span(state, access, true)?;
        let Some(frame) = state.frame(access.depth) else { return Err(lost_frame()) };
        if span.from == span.to {
            return self.read_fixed(frame, span.from, access, signed);
        }
        if pointer_within(frame, span, access.size) || remnant_within(frame, span, access.size) {
            return Err(Refusal::new(
                codes::SPILL,
                "a load at a variable offset may read part of the stack that holds a pointer",
            )
            .because(format!("R{} is {}", access.base.0, describe(self.object, &access.ptr)))
            .help("keep pointers out of arrays that are indexed by a variable"));
        }
        let zero = all_bytes(frame, span, access.size, |slot, at| slot.bytes.get(at) == Some(&Byte::Zero));
        Ok(self.scalar(
            if zero { Num::constant(0) } else { Num::loaded(access.bits(), signed) },
            NodeId::NONE,
            NodeId::NONE,
        ))
    }

    fn read_fixed(&mut self, frame: &Frame, from: i64, access: &Access, signed: bool) -> Check<Reg> {
        let (slot, start) = locate(from);
        let slot = frame.slot(slot);
        let bytes = usize::try_from(access.size).unwrap_or(8);
        let (bits, whole) = (access.bits(), access.size == 8);
        if let Some(pointer) = slot.pointer() {
            if start == 0 && bytes == slot.spill_size() && !signed {
                return Ok(*pointer);
            }
            // Beside half a pointer there is room for a number.
            if start < slot.spill_size() {
                return Err(Refusal::new(codes::SPILL, "part of a pointer is read from the stack")
                    .because(format!("the slot holds {}", describe(self.object, pointer)))
                    .help("copy pointers whole"));
            }
        }
        if let Some(spilled) = slot.spilled.as_deref().filter(|_| start == 0 && bytes <= slot.spill_size()) {
            // A load that gives the same number again. The kernel also keeps the two linked where the extended sign makes
            // them differ.
            let wide = spilled.num.wide;
            let lowest = (-1i64).wrapping_shl(bits.saturating_sub(1));
            let fits = match signed {
                false => whole || wide.umax <= crate::range::low_mask(bits),
                true => lowest <= wide.smin && wide.smax <= !lowest,
            };
            if fits {
                return Ok(*spilled);
            }
            let low = spilled.num.zero_extend(bits);
            return Ok(self.scalar(if signed { low.sign_extend(bits) } else { low }, spilled.node, NodeId::NONE));
        }
        if slot.bytes.iter().skip(start).take(bytes).any(|&byte| byte == Byte::Remnant) {
            return Err(Refusal::new(codes::SPILL, "part of a pointer is read from the stack")
                .because("another part of it was overwritten".to_string())
                .help("copy pointers whole, and write variables before they are read"));
        }
        let zero_spill = slot.spilled.as_deref().is_some_and(|reg| reg.as_const() == Some(0));
        let window = slot.bytes.iter().skip(start).take(bytes);
        let zero = window.clone().all(|&byte| byte == Byte::Zero || byte == Byte::Spill && zero_spill);
        let node = slot.spilled.as_deref().map_or(NodeId::NONE, |reg| reg.node);
        Ok(self.scalar(if zero { Num::constant(0) } else { Num::loaded(bits, signed) }, node, NodeId::NONE))
    }

    pub(super) fn stack_write(&mut self, state: &mut State, access: &Access, value: Value) -> Check {
        let span = self.stack_span(state, access, true)?;
        let (depth, whole) = (access.depth, access.size == 8);
        let fixed = span.from == span.to;
        let aligned = fixed && span.from.rem_euclid(8) == 0;
        let value = match value {
            Value::Reg(reg, value) if value.kind != Kind::Scalar => {
                let half = value.kind == Kind::PacketHalf && access.size == 4;
                if !aligned || !whole && !half {
                    return Err(Refusal::new(
                        codes::SPILL,
                        "a pointer is stored on the stack in part, or at a variable offset",
                    )
                    .because(format!("R{} is {}", reg.0, describe(self.object, &value)))
                    .help("pointers can be kept in variables of pointer type only"));
                }
                if matches!(value.kind, Kind::Stack(_)) && depth != state.depth() {
                    return Err(Refusal::new(
                        codes::SPILL,
                        "a pointer to the stack is stored in the frame of the caller",
                    )
                    .because(format!("R{} is {}", reg.0, describe(self.object, &value)))
                    .help("return values, not addresses of local variables"));
                }
                Some(value)
            }
            Value::Reg(reg, _) if aligned => Some(self.linked(state, reg)),
            Value::Reg(_, value) => Some(value),
            Value::Imm(imm) => Some(Reg::scalar(Num::signed_constant(imm.into()), self.nodes.fresh())),
            Value::Unknown => None,
        };
        let pointers = state.frame(depth).is_some_and(|frame| pointer_within(frame, span, access.size));
        if pointers && !fixed {
            return Err(Refusal::new(
                codes::SPILL,
                "a store at a variable offset may overwrite part of the stack that holds a pointer",
            )
            .because(format!("R{} is {}", access.base.0, describe(self.object, &access.ptr)))
            .help("keep pointers out of arrays that are indexed by a variable"));
        }
        let zero = value.is_some_and(|value| value.as_const() == Some(0));
        if let (true, false, Some(value)) = (zero, aligned, value) {
            // Bytes that are zero whatever the register's range says later.
            self.nodes.mark(value.node);
        }
        let spill = value.filter(|_| aligned).map(|value| self.cut(value, access));
        let Some(frame) = state.frame_mut(depth) else { return Err(lost_frame()) };
        if let Some(spill) = spill {
            let (slot, _) = locate(span.from);
            let Some(slot) = frame.slot_mut(slot) else { return Err(lost_frame()) };
            slot.scrub();
            slot.spilled = Some(Rc::new(spill));
            let bytes = usize::try_from(access.size).unwrap_or(8);
            slot.bytes.iter_mut().take(bytes).for_each(|byte| *byte = Byte::Spill);
            return Ok(());
        }
        for byte in span.from..span.to.saturating_add(access.size.into()) {
            let (slot, at) = locate(byte);
            let Some(slot) = frame.slot_mut(slot) else { continue };
            if at < slot.spill_size() || slot.pointer().is_none() {
                slot.scrub();
            }
            if let Some(byte) = slot.bytes.get_mut(at) {
                // At a variable offset a byte may also keep what it was.
                let stays_zero = zero && (fixed || *byte == Byte::Zero);
                let stays_remnant = !fixed && *byte == Byte::Remnant;
                *byte = match (stays_zero, stays_remnant) {
                    (true, _) => Byte::Zero,
                    (_, true) => Byte::Remnant,
                    _ => Byte::Misc,
                };
            }
        }
        Ok(())
    }

    /// What a spill keeps of a register.
    fn cut(&mut self, value: Reg, access: &Access) -> Reg {
        let bits = access.bits();
        if bits >= 64 || value.num.wide.umax <= crate::range::low_mask(bits) {
            return value;
        }
        self.scalar(value.num.zero_extend(bits), value.node, NodeId::NONE)
    }

    /// Checks that a helper may read the bytes: no pointers are among them (uninitialised bytes may be read).
    pub(super) fn stack_argument(&mut self, state: &State, access: &Access) -> Check {
        let span = self.stack_span(state, access, false)?;
        let Some(frame) = state.frame(access.depth) else { return Err(lost_frame()) };
        if pointer_within(frame, span, access.size) || remnant_within(frame, span, access.size) {
            return Err(Refusal::new(
                codes::POINTER_AS_NUMBER,
                "a pointer is used as a number: a helper is given memory that holds it",
            )
            .because(format!("R{} is {}", access.base.0, describe(self.object, &access.ptr)))
            .help("keys and values of maps cannot hold pointers"));
        }
        Ok(())
    }

    /// A helper fills the bytes with numbers; `whole` if it fills all of them.
    pub(super) fn stack_filled(&mut self, state: &mut State, access: &Access, whole: bool) -> Check {
        let span = self.stack_span(state, access, false)?;
        let certain = whole && span.from == span.to;
        let Some(frame) = state.frame_mut(access.depth) else { return Err(lost_frame()) };
        if !certain && pointer_within(frame, span, access.size) {
            return Err(Refusal::new(
                codes::SPILL,
                "a helper fills an unknown part of the stack, which holds a pointer",
            )
            .because(format!("R{} is {}", access.base.0, describe(self.object, &access.ptr)))
            .help("keep pointers out of buffers that helpers fill"));
        }
        for byte in span.from..span.to.saturating_add(access.size.into()) {
            let (slot, at) = locate(byte);
            let Some(slot) = frame.slot_mut(slot) else { continue };
            slot.scrub();
            if let Some(byte) = slot.bytes.get_mut(at)
                && (certain || *byte != Byte::Remnant)
            {
                *byte = Byte::Misc;
            }
        }
        Ok(())
    }

    /// The 4-byte key on the stack that the pointer points to, if it is certain (`get_constant_map_key`). That it is, decides.
    pub(super) fn constant_key(&mut self, state: &State, key: &Reg) -> Option<u64> {
        let (Kind::Stack(depth), Some(var)) = (key.kind, key.num.as_const()) else { return None };
        let first = i64::from(key.off).wrapping_add(var.cast_signed());
        let (slot, start) = locate(first);
        let slot = state.frame(depth)?.slot(slot);
        let spilled = slot.spilled.as_deref();
        let spilled_zero = spilled.is_some_and(|reg| reg.as_const() == Some(0));
        let mut window = slot.bytes.iter().skip(start).take(4);
        let value = if start <= 4 && window.all(|&byte| byte == Byte::Zero || byte == Byte::Spill && spilled_zero) {
            Some(0)
        } else if start == 0 && slot.spill_size() == 4 {
            spilled.and_then(Reg::as_const)
        } else {
            None
        };
        if let (Some(_), Some(spilled)) = (value, spilled) {
            self.nodes.mark(spilled.node);
        }
        value
    }

    /// True if an access may touch a slot that holds a pointer.
    pub(super) fn holds_pointer(&self, state: &State, access: &Access) -> bool {
        state.frame(access.depth).is_some_and(|frame| pointer_within(frame, access.span(), access.size))
    }
}

fn pointer_within(frame: &Frame, span: Span, size: u32) -> bool {
    !all_bytes(frame, span, size, |slot, _| slot.pointer().is_none())
}

/// True if an access may touch a byte that is left of a pointer.
fn remnant_within(frame: &Frame, span: Span, size: u32) -> bool {
    !all_bytes(frame, span, size, |slot, at| slot.bytes.get(at) != Some(&Byte::Remnant))
}

fn all_bytes(frame: &Frame, span: Span, size: u32, is: impl Fn(&Slot, usize) -> bool) -> bool {
    let from = span.from.clamp(FRAME_SIZE.saturating_neg(), 0);
    let to = span.to.saturating_add(size.into()).clamp(FRAME_SIZE.saturating_neg(), 0);
    (from..to).all(|byte| {
        let (slot, at) = locate(byte);
        slot >= SLOTS || is(frame.slot(slot), at)
    })
}

fn lost_frame() -> Box<Refusal> {
    Refusal::new(codes::STACK_BOUNDS, "a pointer to the stack of a function that has returned")
}
