//! One word of one context, from registers to write back, as `hw/spec/isa.toml` tells it.
//!
//! A word is all or nothing: all that can refuse it or end the packet is found out before anything is written. What nearly every
//! word does stands in [`execute`]; what is rare stands apart, in functions that are not inlined.

use offwire_isa::{Handle, RequestOp, StoreOp};

use crate::context::{self, Context, formatted, insert, load};
use crate::fault::FaultCause;
use crate::geometry::{CALLS_MAX, METADATA, POSTED_CREDITS, SCRATCH, STACK};
use crate::map::port::{Held, Port, Posted, PostedKind, ValueAddress};
use crate::map::table::MapInfo;
use crate::op::{A1, A2, Access, EXIT, Goto, Op, Part, Place, X0, X1};
use crate::request;

/// What a word came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It was run; the context goes on at its `pc`.
    Next,
    /// It was run and ends the packet with this return value.
    Exit(u32),
    /// It was run and sent a request to the map unit. `late`: the operands come from the packet store.
    Request { late: bool },
    /// It was run and a unit of the engine works for it (`Context::work`).
    Work,
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

/// Bytes of what a handle names: a value, or a record that the packet holds (ring buffers have no elements).
#[inline(always)]
fn value_size(map: &MapInfo, held: &Held, element: u32) -> Result<u32, FaultCause> {
    if element < map.elements {
        return Ok(map.value_size);
    }
    held.record(map.id, element).map(|record| record.size).ok_or(FaultCause::BadHandle)
}

/// Checks an access of `size` bytes to a map value or a record.
#[inline(always)]
pub(crate) fn value_at(maps: &[MapInfo], held: &Held, address: u64, size: u32) -> Result<ValueAddress, FaultCause> {
    let Handle { slot: local, element, offset } = Handle::unpack(address).ok_or(FaultCause::BadHandle)?;
    let map = maps.get(usize::from(local)).ok_or(FaultCause::BadHandle)?;
    if offset + size > value_size(map, held, element)? {
        return Err(FaultCause::ValueBounds);
    }
    Ok(ValueAddress { slot: map.id, local, element, offset })
}

/// The address if `size` bytes there are in bounds.
#[inline(always)]
pub(crate) fn inside(address: u64, size: u32, limit: u32) -> Option<u32> {
    if address <= u64::from(limit) && size <= limit - address as u32 { Some(address as u32) } else { None }
}

/// The address if `size` bytes there are in bounds of a place in the context, or the bounds that they break.
#[inline(always)]
fn bounded(place: Place, address: u64, size: u32, context: &Context) -> Result<u32, FaultCause> {
    match place {
        Place::Packet => context.packet.inside(address, size).ok_or(FaultCause::PacketBounds),
        Place::Stack => inside(address, size, STACK).ok_or(FaultCause::StackBounds),
        _ => inside(address, size, SCRATCH).ok_or(FaultCause::ScratchBounds),
    }
}

/// The load unit where the short way does not do. `ahead`: the word's slot has not come.
#[inline(never)]
fn extracts(
    op: &Op,
    address: u64,
    ahead: bool,
    context: &mut Context,
    port: &mut Port,
    maps: &[MapInfo],
) -> Result<[u64; 2], Then> {
    let access = &op.load;
    if access.place == Place::Value {
        return value_extracts(op, address, ahead, port, maps);
    }
    let span = u32::from(access.span);
    let at = match bounded(access.place, address, span, context) {
        Ok(at) => at,
        Err(_) if op.load_dismiss => return dismissed(access, address, context),
        Err(cause) => return Err(Then::Fault(cause)),
    };
    let bytes = match access.place {
        Place::Packet => {
            context.miss = context.packet.missing(context.packet.lines_of(at, span));
            if context.miss != 0 {
                return Err(Then::Far);
            }
            context.packet.at(at)
        }
        Place::Stack => context.stack.at(at, span),
        _ => context.scratch.at(at, span),
    };
    Ok(context::extracts(bytes, &access.parts))
}

/// A dismissible load of which a part is out of bounds: that part reads 0.
fn dismissed(access: &Access, address: u64, context: &mut Context) -> Result<[u64; 2], Then> {
    let at = access.parts.map(|part| match part.size {
        0 => None,
        size => bounded(access.place, address.wrapping_add(u64::from(part.delta)), u32::from(size), context).ok(),
    });
    if access.place == Place::Packet {
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
            let bytes = match access.place {
                Place::Packet => context.packet.at(at),
                Place::Stack => context.stack.at(at, u32::from(part.size)),
                _ => context.scratch.at(at, u32::from(part.size)),
            };
            [*x, _] = context::extracts(bytes, &[Part { delta: 0, ..*part }, Part::default()]);
        }
    }
    Ok(x)
}

/// The load unit on a map value. The handle is that of the access's lowest byte.
fn value_extracts(op: &Op, address: u64, ahead: bool, port: &mut Port, maps: &[MapInfo]) -> Result<[u64; 2], Then> {
    let access = &op.load;
    let mut span = u32::from(access.span);
    let mut parts = access.parts;
    let Some(handle) = Handle::unpack(address) else {
        return if op.load_dismiss { Ok([0; 2]) } else { Err(Then::Fault(FaultCause::BadHandle)) };
    };
    // What the window holds was in bounds when it was filled, and what a request makes invalid it takes away.
    if let Some(bytes) = port.window.get(handle, span) {
        return Ok(context::extracts(bytes, &parts));
    }
    if ahead {
        // The user may give the program a map, or take one away, before the word's slot comes: it is found out there.
        return Err(Then::Value);
    }
    let at = match value_at(maps, &port.held, address, span) {
        Ok(at) => at,
        Err(cause) if !op.load_dismiss => return Err(Then::Fault(cause)),
        // Dismissible: what is out of bounds reads 0.
        Err(_) => {
            let Ok(at) = value_at(maps, &port.held, address, 0) else { return Ok([0; 2]) };
            let map = maps.get(usize::from(at.local)).unwrap_or(&MapInfo::NONE);
            let left = value_size(map, &port.held, at.element).map_or(0, |size| size - at.offset);
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
    match port.window.get(handle, span) {
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
enum Target {
    Nowhere,
    Packet(u32),
    Stack(u32),
    Scratch(u32),
    Value(ValueAddress),
}

/// The store unit's checks.
fn target(access: &Access, address: u64, context: &mut Context, held: &Held, maps: &[MapInfo]) -> Result<Target, Then> {
    let span = u32::from(access.span);
    if access.place == Place::Value {
        let at = value_at(maps, held, address, span).map_err(Then::Fault)?;
        let read_only = maps.get(usize::from(at.local)).is_none_or(|map| map.read_only);
        return if read_only { Err(Then::Fault(FaultCause::ReadOnly)) } else { Ok(Target::Value(at)) };
    }
    let at = bounded(access.place, address, span, context).map_err(Then::Fault)?;
    match access.place {
        Place::Packet => {
            context.miss = context.packet.missing(context.packet.lines_of(at, span));
            if context.miss != 0 { Err(Then::Far) } else { Ok(Target::Packet(at)) }
        }
        Place::Stack => Ok(Target::Stack(at)),
        // The lowest byte decides: the metadata is at the front.
        _ if at < METADATA => Err(Then::Fault(FaultCause::ReadOnly)),
        _ => Ok(Target::Scratch(at)),
    }
}

/// Both inserts of a store, or the addition of an add that stays in the context.
#[inline(always)]
fn inserts(op: &Op, bytes: &mut [u8], values: [u64; 2]) {
    for (part, value) in op.store.parts.iter().zip(values) {
        if part.size > 0 {
            let bytes = &mut bytes[usize::from(part.delta)..];
            let value = match op.store_op {
                StoreOp::Store | StoreOp::None => value,
                StoreOp::Add32 | StoreOp::Add64 => load(bytes, part.size).wrapping_add(value) & part.mask,
            };
            insert(bytes, part, value);
        }
    }
}

/// What the inserts write.
#[inline(always)]
fn inserted(op: &Op, context: &Context) -> [u64; 2] {
    let [first, second] = &op.store.parts;
    [formatted(first.value.of(&context.values), first), formatted(second.value.of(&context.values), second)]
}

/// The store unit's write.
#[inline(always)]
fn write(op: &Op, target: Target, credit: u8, context: &mut Context, port: &mut Port) {
    let span = u32::from(op.store.span);
    let values = inserted(op, context);
    match target {
        Target::Nowhere => {}
        Target::Packet(at) => inserts(op, context.packet.at_mut(at, span), values),
        Target::Stack(at) => inserts(op, context.stack.at(at, span), values),
        Target::Scratch(at) => inserts(op, context.scratch.at(at, span), values),
        Target::Value(at) => post(op, at, values, credit, port),
    }
}

/// A store or add to a map value is posted.
fn post(op: &Op, at: ValueAddress, values: [u64; 2], credit: u8, port: &mut Port) {
    let kind = match op.store_op {
        StoreOp::Add32 => PostedKind::Add32,
        StoreOp::Add64 => PostedKind::Add64,
        StoreOp::None | StoreOp::Store => PostedKind::Store,
    };
    let mut parts = [(0, 0, 0); 2];
    for ((to, part), value) in parts.iter_mut().zip(&op.store.parts).zip(values) {
        if part.size > 0 {
            *to = (at.offset + u32::from(part.delta), part.size, value);
            if kind == PostedKind::Store {
                port.window.write_through(ValueAddress { offset: to.0, ..at }, to.1, value);
            }
        }
    }
    if kind != PostedKind::Store {
        port.window.valid = false;
    }
    let (seq, vcpu) = (port.seq, port.vcpu);
    port.posted[usize::from(credit) % POSTED_CREDITS] =
        Posted { kind, slot: at.slot, element: at.element, parts, seq, vcpu };
}

/// Runs the word `op` of `context` at cycle `now`. `PRIVATE`: it is known not to be `shared`.
#[inline(always)]
pub(crate) fn execute<const PRIVATE: bool>(
    op: &Op,
    context: &mut Context,
    port: &mut Port,
    maps: &[MapInfo],
    now: u64,
) -> Outcome {
    let refuse = |then| Outcome { posted: None, then };
    if op.guards && op.guard_end.of(&context.values) as i64 > i64::from(context.packet.len()) {
        return refuse(go(op.t2, context));
    }
    if op.load.place != Place::Off {
        let address = op.load.address.of(&context.values);
        let span = u32::from(op.load.span);
        let bytes = match op.load.place {
            Place::Packet if context.packet.holds(address, span) => Some(context.packet.at(address as u32)),
            Place::Stack => match inside(address, span, STACK) {
                Some(at) => Some(&*context.stack.at(at, span)),
                None => None,
            },
            Place::Scratch => match inside(address, span, SCRATCH) {
                Some(at) => Some(&*context.scratch.at(at, span)),
                None => None,
            },
            _ => None,
        };
        let [x0, x1] = match bytes {
            Some(bytes) => context::extracts(bytes, &op.load.parts),
            None => match extracts(op, address, PRIVATE, context, port, maps) {
                Ok(x) => x,
                Err(then) => return refuse(then),
            },
        };
        context.values[X0] = x0;
        context.values[X1] = x1;
    }
    let values = &mut context.values;
    if op.alu1.on {
        values[A1] = op.alu1.op.eval(op.alu1.wide, op.alu1.a.of(values), op.alu1.b.of(values));
    }
    if op.alu2.on {
        values[A2] = op.alu2.op.eval(op.alu2.wide, op.alu2.a.of(values), op.alu2.b.of(values));
    }
    let (mut taken1, mut taken2) = (false, false);
    let mut next = op.next;
    if op.cmp1.on {
        taken1 = op.cmp1.op.eval(op.cmp1.wide, op.cmp1.a.of(values), op.cmp1.b.of(values));
    }
    if op.cmp2.on {
        taken2 = !taken1 && op.cmp2.op.eval(op.cmp2.wide, op.cmp2.a.of(values), op.cmp2.b.of(values));
        next = if taken2 { op.t2 } else { next };
    }
    next = if taken1 { op.t1 } else { next };
    let taken = taken1 || taken2;
    let stores = op.store.place != Place::Off && !(taken1 && op.store_kill1) && !(taken2 && op.store_kill2);

    if !PRIVATE && op.shared {
        return finish(op, stores, taken, next, context, port, maps, now);
    }
    if stores {
        let address = op.store.address.of(&context.values);
        let span = u32::from(op.store.span);
        if op.store.place == Place::Packet && context.packet.holds(address, span) {
            let values = inserted(op, context);
            inserts(op, context.packet.at_mut(address as u32, span), values);
        } else {
            match target(&op.store, address, context, &port.held, maps) {
                Ok(target) => write(op, target, 0, context, port),
                Err(then) => return refuse(then),
            }
        }
    }
    let exit = op.exit_value.of(&context.values);
    write_back(op, context);
    if op.exits && !taken {
        return refuse(Then::Exit(exit as u32));
    }
    refuse(go(next, context))
}

/// Runs a word that is not `shared`, ahead of its slot.
#[inline(never)]
pub(crate) fn private(op: &Op, context: &mut Context, port: &mut Port, maps: &[MapInfo]) -> Then {
    execute::<true>(op, context, port, maps, 0).then
}

/// Store, write back and request of a word that is `shared`.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "the second half of a function, cut off because it is rare")]
fn finish(
    op: &Op,
    stores: bool,
    taken: bool,
    next: Goto,
    context: &mut Context,
    port: &mut Port,
    maps: &[MapInfo],
    now: u64,
) -> Outcome {
    // What may refuse the word or end the packet comes before the first write.
    let refuse = |then| Outcome { posted: None, then };
    let mut place = Target::Nowhere;
    let mut posted = None;
    if stores {
        match target(&op.store, op.store.address.of(&context.values), context, &port.held, maps) {
            Ok(target) => place = target,
            Err(then) => return refuse(then),
        }
        if let Target::Value(_) = place {
            posted = port.credit(now);
            if posted.is_none() {
                return refuse(Then::Credit);
            }
        }
    }
    let requests = op.requests && !taken;
    let called = if requests { op.request.op } else { RequestOp::None };
    let mut checked = None;
    match called {
        RequestOp::Call if usize::from(context.depth) >= CALLS_MAX => {
            return refuse(Then::Fault(FaultCause::CallDepth));
        }
        RequestOp::Ret if context.depth == 0 => return refuse(Then::Fault(FaultCause::CallDepth)),
        RequestOp::None | RequestOp::Call | RequestOp::Ret => {}
        _ => match request::check(&op.request, context, port, maps) {
            Ok(request) => checked = Some(request),
            Err(cause) => return refuse(Then::Fault(cause)),
        },
    }
    let exit = op.exit_value.of(&context.values);
    write(op, place, posted.unwrap_or(0), context, port);
    write_back(op, context);
    let then = match checked {
        Some(checked) => request::make(&op.request, &checked, context, port),
        None if called == RequestOp::Call => {
            context.calls[usize::from(context.depth) % CALLS_MAX] = op.next;
            context.depth += 1;
            go(op.t2, context)
        }
        None if called == RequestOp::Ret => {
            context.depth -= 1;
            go(context.calls[usize::from(context.depth) % CALLS_MAX], context)
        }
        None if op.exits && !taken => Then::Exit(exit as u32),
        None => go(next, context),
    };
    Outcome { posted, then }
}

/// Both registers; the operands are read before either is written.
#[inline(always)]
fn write_back(op: &Op, context: &mut Context) {
    let [first, second] = &op.write;
    let (even, odd) = (first.value.of(&context.values), second.value.of(&context.values));
    if first.on {
        context.values[usize::from(first.register & 15)] = even;
    }
    if second.on {
        context.values[usize::from(second.register & 15)] = odd;
    }
}

#[inline(always)]
pub(crate) fn go(target: Goto, context: &mut Context) -> Then {
    if target & EXIT != 0 {
        return Then::Exit(u32::from(target & 7));
    }
    context.pc = target;
    Then::Next
}
