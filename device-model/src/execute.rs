//! One word of one context, from registers to write back, as `hw/spec/isa.toml` tells it.
//!
//! A word is all or nothing: all that can refuse it or end the packet is found out before anything is written.

use offwire_isa::{Handle, RequestOp, Space, Src, StoreOp};

use crate::context::{self, Context, formatted, insert, load};
use crate::fault::FaultCause;
use crate::geometry::{METADATA, POSTED_CREDITS, SCRATCH, STACK};
use crate::map::port::{Port, Posted, PostedKind, ValueAddress};
use crate::map::table::MapInfo;
use crate::op::{Access, EXIT, Goto, Op, Part, read, unit};

/// What a word came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It was run; the context goes on at its `pc`.
    Next,
    /// It was run and ends the packet with this return value.
    Exit(u32),
    /// It was run and sent a request to the map unit. `late`: the operands come from the packet store.
    Request { late: bool },
    /// It was run and moved the packet's front; so many changed lines left the window.
    Adjust { written: u32 },
    /// Refused: lines of the packet are missing (`Context::miss`).
    Far,
    /// Refused: bytes of a map value are missing (`Port::wanted`).
    Value,
    /// Refused: no credit for a posted write.
    Credit,
    /// Not run; the packet ends.
    Fault(FaultCause),
}

/// Outcome of a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// A write was posted with this credit.
    pub posted: Option<u8>,
    pub then: Then,
}

impl Outcome {
    const fn plain(then: Then) -> Self {
        Outcome { posted: None, then }
    }
}

/// Checks an access of `size` bytes to a map value.
#[inline(always)]
pub(crate) fn value_at(maps: &[MapInfo], address: u64, size: u32) -> Result<ValueAddress, FaultCause> {
    let handle = Handle::unpack(address).ok_or(FaultCause::BadHandle)?;
    let map = maps.get(usize::from(handle.slot)).ok_or(FaultCause::BadHandle)?;
    if handle.element >= map.elements {
        return Err(FaultCause::BadHandle);
    }
    if handle.offset + size > map.value_size {
        return Err(FaultCause::ValueBounds);
    }
    Ok(ValueAddress { slot: handle.slot, element: handle.element, offset: handle.offset })
}

/// The address if `size` bytes there are in bounds.
#[inline(always)]
fn inside(address: u64, size: u32, limit: u32) -> Option<u32> {
    if address <= u64::from(limit) && size <= limit - address as u32 { Some(address as u32) } else { None }
}

/// The bounds that an access can break.
#[inline(always)]
fn bounds(space: Space, context: &Context) -> (u32, FaultCause) {
    match space {
        Space::Packet => (context.packet.len(), FaultCause::PacketBounds),
        Space::Stack => (STACK, FaultCause::StackBounds),
        Space::Scratch | Space::MapValue => (SCRATCH, FaultCause::ScratchBounds),
    }
}

/// The load unit: both extracts, or why not. An access is in bounds if all of its parts are.
#[inline(always)]
fn extracts(op: &Op, address: u64, context: &mut Context, port: &mut Port, maps: &[MapInfo]) -> Result<[u64; 2], Then> {
    let access = &op.load;
    let span = u32::from(access.span);
    if access.space == Space::MapValue {
        return value_extracts(op, address, port, maps);
    }
    let (limit, cause) = bounds(access.space, context);
    let Some(at) = inside(address, span, limit) else {
        return if op.load_dismiss { dismissed(access, address, context) } else { Err(Then::Fault(cause)) };
    };
    let bytes = match access.space {
        Space::Packet => {
            if !context.packet.holds(at + span) {
                context.miss = context.packet.missing(context.packet.lines_of(at, span));
                if context.miss != 0 {
                    return Err(Then::Far);
                }
            }
            &context.packet.data()[at as usize..]
        }
        Space::Stack => context.stack.at(at, span),
        Space::Scratch | Space::MapValue => context.scratch.at(at, span),
    };
    Ok(context::extracts(bytes, &access.parts))
}

/// A dismissible load of which a part is out of bounds: that part reads 0.
#[inline(never)]
fn dismissed(access: &Access, address: u64, context: &mut Context) -> Result<[u64; 2], Then> {
    let (limit, _) = bounds(access.space, context);
    let at = access.parts.map(|part| match part.size {
        0 => None,
        size => inside(address.wrapping_add(u64::from(part.delta)), u32::from(size), limit),
    });
    if access.space == Space::Packet {
        let wanted = |(at, part): (&Option<u32>, &Part)| at.map(|at| context.packet.lines_of(at, u32::from(part.size)));
        let wanted = at.iter().zip(&access.parts).filter_map(wanted).fold(0, |all, lines| all | lines);
        context.miss = context.packet.missing(wanted);
        if context.miss != 0 {
            return Err(Then::Far);
        }
    }
    let mut x = [0; 2];
    for ((x, at), part) in x.iter_mut().zip(at).zip(&access.parts) {
        if let Some(at) = at {
            let bytes = match access.space {
                Space::Packet => &context.packet.data()[at as usize..],
                Space::Stack => context.stack.at(at, u32::from(part.size)),
                Space::Scratch | Space::MapValue => context.scratch.at(at, u32::from(part.size)),
            };
            [*x, _] = context::extracts(bytes, &[Part { delta: 0, ..*part }, Part::default()]);
        }
    }
    Ok(x)
}

/// The load unit on a map value. The handle is that of the access's lowest byte.
#[inline(never)]
fn value_extracts(op: &Op, address: u64, port: &mut Port, maps: &[MapInfo]) -> Result<[u64; 2], Then> {
    let access = &op.load;
    let mut span = u32::from(access.span);
    let mut parts = access.parts;
    let at = match value_at(maps, address, span) {
        Ok(at) => at,
        Err(cause) if !op.load_dismiss => return Err(Then::Fault(cause)),
        // Dismissible: what is out of bounds reads 0.
        Err(_) => {
            let Ok(at) = value_at(maps, address, 0) else { return Ok([0; 2]) };
            let left = maps.get(usize::from(at.slot)).map_or(0, |map| map.value_size - at.offset);
            span = 0;
            for part in &mut parts {
                let end = u32::from(part.delta) + u32::from(part.size);
                if end > left {
                    *part = Part::default();
                } else {
                    span = span.max(end);
                }
            }
            if span == 0 {
                return Ok([0; 2]);
            }
            at
        }
    };
    match port.window.get(at, span) {
        Some(bytes) => Ok(context::extracts(bytes, &parts)),
        None => {
            // An access has at most 16 B, so a window from its 16 B line on holds all of it.
            port.wanted = ValueAddress { offset: at.offset & !15, ..at };
            Err(Then::Value)
        }
    }
}

/// Where a store goes, once it is known to be allowed.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    Packet(u32),
    Stack(u32),
    Scratch(u32),
    Value(ValueAddress),
}

/// The store unit's checks.
#[inline(always)]
fn place(access: &Access, address: u64, context: &mut Context, maps: &[MapInfo]) -> Result<Place, Then> {
    let span = u32::from(access.span);
    if access.space == Space::MapValue {
        let at = value_at(maps, address, span).map_err(Then::Fault)?;
        let read_only = maps.get(usize::from(at.slot)).is_none_or(|map| map.read_only);
        return if read_only { Err(Then::Fault(FaultCause::ReadOnly)) } else { Ok(Place::Value(at)) };
    }
    let (limit, cause) = bounds(access.space, context);
    let at = inside(address, span, limit).ok_or(Then::Fault(cause))?;
    match access.space {
        Space::Packet => {
            if !context.packet.holds(at + span) {
                context.miss = context.packet.missing(context.packet.lines_of(at, span));
                if context.miss != 0 {
                    return Err(Then::Far);
                }
            }
            Ok(Place::Packet(at))
        }
        Space::Stack => Ok(Place::Stack(at)),
        // The lowest byte decides: the metadata is at the front.
        _ if at < METADATA => Err(Then::Fault(FaultCause::ReadOnly)),
        _ => Ok(Place::Scratch(at)),
    }
}

/// Both inserts of a store, or the addition of an add that stays in the context.
#[inline(always)]
fn inserts(op: &Op, bytes: &mut [u8], row: &[u64; 16]) {
    for part in &op.store.parts {
        if part.size > 0 {
            let bytes = &mut bytes[usize::from(part.delta)..];
            let value = formatted(row[usize::from(part.src & 15)], part);
            let value = match op.store_op {
                StoreOp::Store | StoreOp::None => value,
                StoreOp::Add32 | StoreOp::Add64 => load(bytes, part.size).wrapping_add(value) & part.mask,
            };
            insert(bytes, part, value);
        }
    }
}

/// The store unit's write.
#[inline(always)]
fn write(op: &Op, place: Place, row: &[u64; 16], credit: u8, context: &mut Context, port: &mut Port) {
    let span = u32::from(op.store.span);
    match place {
        Place::Nowhere => {}
        Place::Packet(at) => {
            context.packet.touch(context.packet.lines_of(at, span));
            inserts(op, &mut context.packet.data_mut()[at as usize..], row);
        }
        Place::Stack(at) => inserts(op, context.stack.at(at, span), row),
        Place::Scratch(at) => inserts(op, context.scratch.at(at, span), row),
        Place::Value(at) => post(op, at, row, credit, port),
    }
}

/// A store or add to a map value is posted.
#[inline(never)]
fn post(op: &Op, at: ValueAddress, row: &[u64; 16], credit: u8, port: &mut Port) {
    let kind = match op.store_op {
        StoreOp::Add32 => PostedKind::Add32,
        StoreOp::Add64 => PostedKind::Add64,
        StoreOp::None | StoreOp::Store => PostedKind::Store,
    };
    let parts = op.store.parts.map(|part| match part.size {
        0 => (0, 0, 0),
        size => (at.offset + u32::from(part.delta), size, formatted(row[usize::from(part.src & 15)], &part)),
    });
    if kind == PostedKind::Store {
        for (offset, size, value) in parts {
            port.window.write_through(ValueAddress { offset, ..at }, size, value);
        }
    } else {
        port.window.valid = false;
    }
    let (seq, vcpu) = (port.seq, port.vcpu);
    port.posted[usize::from(credit) % POSTED_CREDITS] =
        Posted { kind, slot: at.slot, element: at.element, parts, seq, vcpu };
}

/// An operand of a request, once it is known to be allowed.
#[derive(Clone, Copy)]
enum Operand {
    Packet(u32),
    Stack(u32),
    Scratch(u32),
    Value(ValueAddress),
}

fn operand(
    space: Space,
    address: u64,
    size: u32,
    context: &Context,
    maps: &[MapInfo],
    late: &mut bool,
) -> Result<Operand, FaultCause> {
    match space {
        Space::Packet => {
            let at = inside(address, size, context.packet.len()).ok_or(FaultCause::PacketBounds)?;
            *late |= context.packet.missing(context.packet.lines_of(at, size)) != 0;
            Ok(Operand::Packet(at))
        }
        Space::Stack => inside(address, size, STACK).map(Operand::Stack).ok_or(FaultCause::StackBounds),
        Space::Scratch => inside(address, size, SCRATCH).map(Operand::Scratch).ok_or(FaultCause::ScratchBounds),
        Space::MapValue => value_at(maps, address, size).map(Operand::Value),
    }
}

/// Copies an operand into the request, or notes where the map unit has to read it.
fn gather(operand: Operand, size: u32, context: &mut Context, into: &mut Vec<u8>, from: &mut Option<ValueAddress>) {
    let size_bytes = size as usize;
    into.clear();
    *from = None;
    match operand {
        Operand::Packet(at) => into.extend_from_slice(&context.packet.data()[at as usize..][..size_bytes]),
        Operand::Stack(at) => into.extend_from_slice(&context.stack.at(at, size)[..size_bytes]),
        Operand::Scratch(at) => into.extend_from_slice(&context.scratch.at(at, size)[..size_bytes]),
        Operand::Value(at) => {
            into.resize(size_bytes, 0);
            *from = Some(at);
        }
    }
}

/// The request unit's checks of a request to the map unit.
struct Checked {
    key: Operand,
    key_size: u32,
    value: Option<(Operand, u32)>,
    late: bool,
}

#[inline(never)]
fn check_request(op: &Op, row: &[u64; 16], context: &Context, maps: &[MapInfo]) -> Result<Checked, FaultCause> {
    let map = maps.get(usize::from(op.map)).ok_or(FaultCause::BadMap)?;
    if map.read_only && op.request != RequestOp::Lookup {
        return Err(FaultCause::ReadOnly);
    }
    let mut late = false;
    let address = row[usize::from(op.key_base & 3)].wrapping_add(op.key_off);
    let key = operand(op.key_space, address, map.key_size, context, maps, &mut late)?;
    let value = if matches!(op.request, RequestOp::UpdateAny | RequestOp::UpdateNoExist | RequestOp::UpdateExist) {
        let address = row[usize::from(op.value_src & 15)];
        Some((operand(op.value_space, address, map.value_size, context, maps, &mut late)?, map.value_size))
    } else {
        None
    };
    Ok(Checked { key, key_size: map.key_size, value, late })
}

/// Runs the word `op` of `context` at cycle `now`.
#[inline(always)]
pub(crate) fn execute(op: &Op, context: &mut Context, port: &mut Port, maps: &[MapInfo], now: u64) -> Outcome {
    let units = op.units;
    // The row of values that operands select from, by the codes of `Src`.
    let mut row = [0u64; 16];
    row[Src::Ra as usize] = read(op.reads[0], &context.registers);
    row[Src::Rb as usize] = read(op.reads[1], &context.registers);
    row[Src::Rc as usize] = read(op.reads[2], &context.registers);
    row[Src::I0 as usize] = op.i0;
    row[Src::I1 as usize] = op.i1;
    row[Src::Iw as usize] = op.iw;

    if units & unit::GUARD != 0 {
        let end = (row[usize::from(op.guard_base & 3)] as i64).wrapping_add(i64::from(op.guard_len));
        if end > i64::from(context.packet.len()) {
            return go(op.t2, context, None);
        }
    }
    if units & unit::LOAD != 0 {
        let address = row[usize::from(op.load.base & 3)].wrapping_add(op.load.off);
        match extracts(op, address, context, port, maps) {
            Ok([x0, x1]) => {
                row[Src::X0 as usize] = x0;
                row[Src::X1 as usize] = x1;
            }
            Err(then) => return Outcome::plain(then),
        }
    }
    if units & unit::ALU1 != 0 {
        let alu = op.alu1;
        row[Src::A1 as usize] = alu.op.eval(alu.wide, row[usize::from(alu.a & 15)], row[usize::from(alu.b & 15)]);
    }
    if units & unit::ALU2 != 0 {
        let alu = op.alu2;
        row[Src::A2 as usize] = alu.op.eval(alu.wide, row[usize::from(alu.a & 15)], row[usize::from(alu.b & 15)]);
    }
    let mut taken1 = false;
    let mut taken2 = false;
    if units & unit::CMP1 != 0 {
        let cmp = op.cmp1;
        taken1 = cmp.op.eval(cmp.wide, row[usize::from(cmp.a & 15)], row[usize::from(cmp.b & 15)]);
    }
    if units & unit::CMP2 != 0 && !taken1 {
        let cmp = op.cmp2;
        taken2 = cmp.op.eval(cmp.wide, row[usize::from(cmp.a & 15)], row[usize::from(cmp.b & 15)]);
    }

    // What may refuse the word or end the packet comes before the first write.
    let mut target = Place::Nowhere;
    let mut posted = None;
    if units & unit::STORE != 0 && !(taken1 && op.store_kill1) && !(taken2 && op.store_kill2) {
        let address = row[usize::from(op.store.base & 3)].wrapping_add(op.store.off);
        match place(&op.store, address, context, maps) {
            Ok(place) => target = place,
            Err(then) => return Outcome::plain(then),
        }
        if let Place::Value(_) = target {
            posted = port.credit(now);
            if posted.is_none() {
                return Outcome::plain(Then::Credit);
            }
        }
    }
    let requests = units & unit::REQUEST != 0 && !taken1 && !taken2;
    let mut checked = None;
    if requests && !matches!(op.request, RequestOp::Exit | RequestOp::AdjustHead) {
        match check_request(op, &row, context, maps) {
            Ok(request) => checked = Some(request),
            Err(cause) => return Outcome::plain(Then::Fault(cause)),
        }
    }

    write(op, target, &row, posted.unwrap_or(0), context, port);
    if units & unit::WRITE0 != 0 {
        let (src, register) = op.write[0];
        context.registers[usize::from(register & 15)] = row[usize::from(src & 15)];
    }
    if units & unit::WRITE1 != 0 {
        let (src, register) = op.write[1];
        context.registers[usize::from(register & 15)] = row[usize::from(src & 15)];
    }
    if requests {
        return Outcome { posted, then: request(op, &row, checked, context, port) };
    }
    let next = if taken1 {
        op.t1
    } else if taken2 {
        op.t2
    } else {
        op.next
    };
    go(next, context, posted)
}

#[inline(always)]
fn go(target: Goto, context: &mut Context, posted: Option<u8>) -> Outcome {
    if target & EXIT != 0 {
        return Outcome { posted, then: Then::Exit(u32::from(target & 7)) };
    }
    context.pc = target;
    Outcome { posted, then: Then::Next }
}

/// Sends a request that passed its checks. It sees the word's own store.
#[inline(never)]
fn request(op: &Op, row: &[u64; 16], checked: Option<Checked>, context: &mut Context, port: &mut Port) -> Then {
    let operand = row[usize::from(op.value_src & 15)];
    let Some(checked) = checked else {
        if op.request == RequestOp::Exit {
            return Then::Exit(operand as u32);
        }
        let written = context.packet.adjust_head(operand as u32 as i32);
        port.answer = if written.is_some() { 0 } else { ADJUST_REFUSED };
        context.note_length();
        return Then::Adjust { written: written.unwrap_or(0) };
    };
    port.op = op.request;
    port.slot = op.map;
    port.window.valid = false;
    gather(checked.key, checked.key_size, context, &mut port.key, &mut port.key_from);
    port.value_from = None;
    if let Some((value, size)) = checked.value {
        gather(value, size, context, &mut port.value, &mut port.value_from);
    }
    Then::Request { late: checked.late }
}

/// `-EINVAL` of `bpf_xdp_adjust_head`, as a 64-bit register holds it.
const ADJUST_REFUSED: u64 = -22i64 as u64;

/// The context goes on after an answer: the answer is written, `q_null` looks at it. Returns the return value if the packet
/// ends.
pub(crate) fn resume(op: &Op, answer: u64, context: &mut Context) -> Option<u32> {
    context.registers[usize::from(op.answer_reg & 15)] = answer;
    let target = if op.answer_null && answer == 0 { op.t2 } else { op.next };
    match go(target, context, None).then {
        Then::Exit(value) => Some(value),
        _ => None,
    }
}
