//! Requests: their checks, what goes to the map unit, what the engine's own units do, and how a context goes on after an answer.

use offwire_isa::{
    Handle, KeyUse, MapPointer, MapUse, POINTER_FLAGS, PRINTK_ARGUMENT_BYTES, PRINTK_ARGUMENTS, PRINTK_TEXT_BYTES,
    RequestOp, Space, ValueUse,
};

use crate::context::{Context, Unit, Work, load};
use crate::departure::{DeviceEvent, Redirect};
use crate::execute::{Then, go, inside, value_at};
use crate::fault::FaultCause;
use crate::geometry::{DATA_BYTES_MAX, METADATA, SCRATCH, STACK};
use crate::map::flags::FLAG_LOCK;
use crate::map::port::{Held, Port, ValueAddress};
use crate::map::table::MapInfo;
use crate::op::{Goto, Op, Request};
use crate::packet::errno;
use crate::verdict;

/// An operand of a request, once it is known to be allowed.
#[derive(Clone, Copy)]
enum Operand {
    /// There is none, or it has no bytes.
    None,
    Packet(u32),
    Stack(u32),
    Scratch(u32),
    Value(ValueAddress),
}

#[inline]
fn operand(
    space: Space,
    address: u64,
    size: u64,
    context: &Context,
    held: &Held,
    maps: &[MapInfo],
    late: &mut bool,
) -> Result<Operand, FaultCause> {
    if size == 0 {
        return Ok(Operand::None);
    }
    // What is longer is out of any bounds.
    let size = if size > u64::from(DATA_BYTES_MAX) { u32::MAX / 2 } else { size as u32 };
    match space {
        Space::Packet => {
            let at = context.packet.inside(address, size).ok_or(FaultCause::PacketBounds)?;
            *late |= context.packet.missing(context.packet.lines_of(at, size)) != 0;
            Ok(Operand::Packet(at))
        }
        Space::Stack => inside(address, size, STACK).map(Operand::Stack).ok_or(FaultCause::StackBounds),
        Space::Scratch => inside(address, size, SCRATCH).map(Operand::Scratch).ok_or(FaultCause::ScratchBounds),
        Space::MapValue => value_at(maps, held, address, size).map(Operand::Value),
    }
}

/// Copies an operand into the request, or tells where the map unit has to read it.
#[inline]
fn gather(operand: Operand, size: u32, context: &mut Context, into: &mut Vec<u8>) -> Option<ValueAddress> {
    // The map unit overwrites all of it.
    into.resize(size as usize, 0);
    let bytes = match operand {
        Operand::None => return None,
        Operand::Packet(at) => context.packet.at(at),
        Operand::Stack(at) => context.stack.at(at, size),
        Operand::Scratch(at) => context.scratch.at(at, size),
        Operand::Value(at) => return Some(at),
    };
    into.copy_from_slice(&bytes[..size as usize]);
    None
}

/// A request that is known to be allowed.
pub(crate) struct Checked {
    /// Number of the map, and the program's map-table slot for it.
    slot: u16,
    local: u8,
    key: Operand,
    key_size: u32,
    value: Operand,
    value_size: u32,
    number: u64,
    third: u64,
    at: ValueAddress,
    late: bool,
    /// `-EFAULT` or `-EINVAL` of a copy that reaches beyond the packet.
    refused: Option<i32>,
}

/// The map of a request.
#[inline]
fn map_of<'a>(
    request: &Request,
    third: u64,
    held: &Held,
    maps: &'a [MapInfo],
) -> Result<Option<(u8, &'a MapInfo)>, FaultCause> {
    let (slot, wrong) = match request.shape.map {
        MapUse::None => return Ok(None),
        MapUse::Slot => (request.map, FaultCause::BadMap),
        MapUse::Pointer => {
            let flags = if request.op == RequestOp::UpdateInFlags { POINTER_FLAGS } else { 0 };
            (MapPointer::unpack(third & !flags).ok_or(FaultCause::BadHandle)?.slot, FaultCause::BadHandle)
        }
    };
    let map = maps.get(usize::from(slot)).filter(|map| map.serves(request.op)).ok_or(wrong)?;
    if map.read_only && request.op.changes_map() {
        return Err(FaultCause::ReadOnly);
    }
    // Who holds a lock would wait for himself.
    let waits = matches!(request.op, RequestOp::UpdateFlags | RequestOp::UpdateInFlags) && third & FLAG_LOCK != 0;
    if waits && held.lock.is_some() {
        return Err(FaultCause::BadLock);
    }
    Ok(Some((slot, map)))
}

/// What the handle of an atomic, a lock or a record names.
fn named(request: &Request, key: u64, number: u64, held: &Held, maps: &[MapInfo]) -> Result<ValueAddress, FaultCause> {
    let changed = |address, size| {
        let at = value_at(maps, held, address, size)?;
        let read_only = maps.get(usize::from(at.local)).is_none_or(|map| map.read_only);
        if read_only { Err(FaultCause::ReadOnly) } else { Ok(at) }
    };
    match (request.shape.key, request.op) {
        (KeyUse::Atomic(_), _) if request.key_space != Space::MapValue => Err(FaultCause::BadHandle),
        (KeyUse::Atomic(size), _) => changed(key, size.into()),
        (_, RequestOp::SpinLock | RequestOp::SpinUnlock) => {
            let at = changed(number, 4)?;
            let wanted = if request.op == RequestOp::SpinLock { None } else { Some(at) };
            if held.lock == wanted { Ok(at) } else { Err(FaultCause::BadLock) }
        }
        (_, RequestOp::RingSubmit | RequestOp::RingDiscard) => match Handle::unpack(number) {
            Some(Handle { slot: local, element, offset: 0 }) => {
                let slot = maps.get(usize::from(local)).map_or(MapInfo::NONE.id, |map| map.id);
                let held = held.record(slot, element).ok_or(FaultCause::BadHandle)?;
                Ok(ValueAddress { slot, local, element: held.element, offset: 0 })
            }
            _ => Err(FaultCause::BadHandle),
        },
        _ => Ok(ValueAddress::default()),
    }
}

/// `bpf_xdp_pointer` of net/core/filter.c: the bytes `len` at `offset` of a packet, both 32 bits wide.
fn beyond_packet(offset: u64, len: u64, packet: u32) -> Option<i32> {
    let (offset, len) = (offset & 0xffff_ffff, len & 0xffff_ffff);
    if offset > 0xffff || len > 0xffff {
        return Some(errno::FAULT);
    }
    (offset + len > packet.into()).then_some(errno::INVAL)
}

/// What a copy from the packet writes must be writable.
fn writable(operand: Operand, maps: &[MapInfo]) -> Result<(), FaultCause> {
    match operand {
        Operand::Scratch(at) if at < METADATA => Err(FaultCause::ReadOnly),
        Operand::Value(at) if maps.get(usize::from(at.local)).is_none_or(|map| map.read_only) => {
            Err(FaultCause::ReadOnly)
        }
        _ => Ok(()),
    }
}

/// Checks a request, before anything of its word is written.
#[inline]
pub(crate) fn check(
    request: &Request,
    context: &Context,
    port: &Port,
    maps: &[MapInfo],
) -> Result<Checked, FaultCause> {
    let held = &port.held;
    let shape = request.shape;
    let (number, third) = (request.value.of(&context.values), request.third.of(&context.values));
    let map = map_of(request, third, held, maps)?;
    let sizes = map.map_or((0, 0), |(_, map)| (map.key_size, map.value_size));
    let key = request.key.of(&context.values);
    // What most requests are not, lookups above all, costs them nothing.
    let at = if map.is_some() { ValueAddress::default() } else { named(request, key, number, held, maps)? };
    let copies = matches!(shape.key, KeyUse::ReadsW | KeyUse::WritesW);
    let refused = if copies { beyond_packet(number, third, context.packet.len()) } else { None };
    let mut late = false;
    let key_size = match shape.key {
        KeyUse::Key => sizes.0.into(),
        KeyUse::ReadsV => number,
        KeyUse::ReadsW | KeyUse::WritesW if refused.is_none() => third & 0xffff,
        KeyUse::None | KeyUse::Atomic(_) | KeyUse::ReadsW | KeyUse::WritesW => 0,
    };
    let key = operand(request.key_space, key, key_size, context, held, maps, &mut late)?;
    if shape.key == KeyUse::WritesW {
        writable(key, maps)?;
        late = false;
        operand(Space::Packet, number & 0xffff, key_size, context, held, maps, &mut late)?;
    }
    let (mut value, mut value_size) = (Operand::None, 0);
    if shape.value == ValueUse::Value {
        value_size = sizes.1;
        value = operand(request.value_space, number, value_size.into(), context, held, maps, &mut late)?;
    } else if request.op == RequestOp::PerfOutput {
        // BPF_F_CTXLEN_MASK of include/uapi/linux/bpf.h: packet bytes behind the event's own.
        let wanted = third >> 32 & 0xf_ffff;
        if wanted <= u64::from(context.packet.len()) {
            value_size = wanted as u32;
            value = operand(Space::Packet, 0, wanted, context, held, maps, &mut late)?;
        }
    }
    let (slot, local) = map.map_or((at.slot, at.local), |(local, map)| (map.id, local));
    Ok(Checked { slot, local, key, key_size: key_size as u32, value, value_size, number, third, at, late, refused })
}

/// Sends a request to the map unit.
#[inline]
fn ask(checked: &Checked, context: &mut Context, port: &mut Port) -> Then {
    port.slot = checked.slot;
    port.local = checked.local;
    port.at = checked.at;
    port.packet_len = context.packet.len();
    port.window.valid = false;
    port.key_from = gather(checked.key, checked.key_size, context, &mut port.key);
    port.value_from = gather(checked.value, checked.value_size, context, &mut port.value);
    Then::Request { late: checked.late }
}

fn negative(errno: i32) -> u64 {
    i64::from(errno) as u64
}

/// Makes a request that passed its checks. It sees the word's own store; what the engine's own units do has happened then, only
/// the answer comes later.
#[inline]
pub(crate) fn make(request: &Request, checked: &Checked, context: &mut Context, port: &mut Port) -> Then {
    let Checked { number, third, .. } = *checked;
    port.op = request.op;
    port.number = number;
    port.third = third;
    if request.shape.map != MapUse::None {
        return ask(checked, context, port);
    }
    work(request, checked, context, port)
}

/// A request that names no map: most are served by the engine's own units.
fn work(request: &Request, checked: &Checked, context: &mut Context, port: &mut Port) -> Then {
    let Checked { number, third, late, .. } = *checked;
    let mut work = Work { late, ..Work::default() };
    match request.op {
        RequestOp::AdjustHead | RequestOp::AdjustTail | RequestOp::AdjustMeta => {
            let delta = number as u32 as i32;
            let moved = match request.op {
                RequestOp::AdjustHead => context.packet.adjust_head(delta).ok_or(errno::INVAL),
                RequestOp::AdjustTail => context.packet.adjust_tail(delta).ok_or(errno::INVAL),
                _ => context.packet.adjust_meta(delta),
            };
            context.note_length();
            port.answer = moved.map_or_else(negative, |_| 0);
            work = Work { unit: Unit::Packet, written: moved.unwrap_or(0), ..work };
        }
        op if op.is_division() => {
            port.answer = divide(op, number, third);
            work.unit = Unit::Divider;
        }
        RequestOp::KtimeNs => work.unit = Unit::Time,
        RequestOp::Jiffies => work.unit = Unit::Ticks,
        // bpf_xdp_redirect of net/core/filter.c.
        RequestOp::Redirect if third != 0 => port.answer = verdict::ABORTED.into(),
        RequestOp::Redirect => {
            port.redirect = Some(Redirect::Interface { ifindex: number as u32, flags: 0 });
            port.answer = verdict::REDIRECT.into();
        }
        RequestOp::LoadBytes | RequestOp::StoreBytes if checked.refused.is_some() => {
            port.answer = checked.refused.map_or(0, negative);
        }
        RequestOp::LoadBytes => {
            let from = if checked.key_size == 0 { Operand::None } else { Operand::Packet(number as u32) };
            gather(from, checked.key_size, context, &mut port.value);
            if let Operand::Value(at) = checked.key {
                port.at = at;
                port.slot = at.slot;
                port.local = at.local;
                port.window.valid = false;
                return Then::Request { late };
            }
            let written = put(checked.key, &port.value, context);
            port.answer = 0;
            work = Work { unit: Unit::Copy, bytes: checked.key_size, written, ..work };
        }
        RequestOp::StoreBytes | RequestOp::Csum | RequestOp::Printk | RequestOp::PrintkText => {
            if let Operand::Value(at) = checked.key {
                port.fetches = true;
                return ask(&Checked { slot: at.slot, local: at.local, at, ..*checked }, context, port);
            }
            gather(checked.key, checked.key_size, context, &mut port.key);
            work = Work { late, ..taken(context, port) };
        }
        _ => return ask(checked, context, port),
    }
    context.work = work;
    Then::Work
}

/// Writes copied bytes to memory of the context. Returns the number of lines that went to the packet store.
fn put(operand: Operand, bytes: &[u8], context: &mut Context) -> u32 {
    let size = bytes.len() as u32;
    let to = match operand {
        Operand::Packet(at) => return context.packet.copy_in(at, bytes),
        Operand::Stack(at) => context.stack.at(at, size),
        Operand::Scratch(at) => context.scratch.at(at, size),
        Operand::None | Operand::Value(_) => return 0,
    };
    to[..bytes.len()].copy_from_slice(bytes);
    0
}

/// A request of the engine's byte unit has its bytes in `Port::key`.
pub(crate) fn taken(context: &mut Context, port: &mut Port) -> Work {
    let bytes = port.key.len() as u32;
    port.answer = 0;
    match port.op {
        RequestOp::StoreBytes => {
            let written = context.packet.copy_in(port.number as u32, &port.key);
            Work { unit: Unit::Copy, bytes, written, late: false }
        }
        RequestOp::Csum => {
            port.answer = csum(&port.key, port.third as u32).into();
            Work { unit: Unit::Sum, bytes, ..Work::default() }
        }
        RequestOp::PrintkText => {
            port.answer = port.text.len() as u64;
            let room = (PRINTK_TEXT_BYTES as usize).saturating_sub(port.text.len() + 1);
            port.text.extend(port.key.iter().take(room));
            // Nothing without a byte behind it that ends a string.
            if port.text.len() < PRINTK_TEXT_BYTES as usize {
                port.text.push(0);
            }
            Work { unit: Unit::Copy, bytes, ..Work::default() }
        }
        _ => {
            let texts = context.scratch.at(PRINTK_ARGUMENTS as u32, PRINTK_ARGUMENT_BYTES);
            let mut arguments = [0; 3];
            for (argument, bytes) in arguments.iter_mut().zip(texts.chunks_exact(8)) {
                *argument = load(bytes, 8);
            }
            let format = [port.key.as_slice(), &std::mem::take(&mut port.text)].concat();
            port.events.push(DeviceEvent::Printk { format, arguments });
            Work { unit: Unit::Copy, bytes, ..Work::default() }
        }
    }
}

/// The 32-bit ones' complement sum that bpf_csum_diff is made of (csum_partial of lib/checksum.c, before folding).
fn csum(bytes: &[u8], seed: u32) -> u32 {
    bytes.chunks(4).fold(seed, |sum, word| {
        let (sum, carry) = sum.overflowing_add(load(word, 4) as u32);
        sum.wrapping_add(carry.into())
    })
}

/// Division and remainder (RFC 9669, section 4.1).
fn divide(op: RequestOp, dividend: u64, divisor: u64) -> u64 {
    let (low, by) = (dividend as u32, divisor as u32);
    let (signed, signed_by) = (dividend as i64, divisor as i64);
    let (low_signed, low_by) = (low as i32, by as i32);
    match op {
        RequestOp::DivU32 => low.checked_div(by).unwrap_or(0).into(),
        RequestOp::DivU64 => dividend.checked_div(divisor).unwrap_or(0),
        RequestOp::DivS32 if by == 0 => 0,
        RequestOp::DivS32 => (low_signed.wrapping_div(low_by) as u32).into(),
        RequestOp::DivS64 if divisor == 0 => 0,
        RequestOp::DivS64 => signed.wrapping_div(signed_by) as u64,
        RequestOp::ModU32 => low.checked_rem(by).unwrap_or(low).into(),
        RequestOp::ModU64 => dividend.checked_rem(divisor).unwrap_or(dividend),
        RequestOp::ModS32 if by == 0 => low.into(),
        RequestOp::ModS32 => (low_signed.wrapping_rem(low_by) as u32).into(),
        RequestOp::ModS64 if divisor == 0 => dividend,
        _ => signed.wrapping_rem(signed_by) as u64,
    }
}

/// Tail calls of a packet (`MAX_TAIL_CALL_CNT` of include/linux/bpf.h).
const MAX_TAIL_CALLS: u8 = 33;

/// The context goes on after an answer: the answer is written, `q_null` looks at it. Returns the return value if the packet
/// ends.
pub(crate) fn resume(op: &Op, answer: u64, programs: &[Goto], context: &mut Context) -> Option<u32> {
    if op.request.op == RequestOp::TailCall {
        // The answer is the program's number + 1.
        let program = usize::try_from(answer).ok().and_then(|answer| programs.get(answer.checked_sub(1)?));
        match program.filter(|_| context.tail_calls < MAX_TAIL_CALLS) {
            Some(&entry) => {
                context.enter(entry);
                return None;
            }
            None => return exit_of(go(op.next, context)),
        }
    }
    context.values[usize::from(op.request.answer_register & 15)] = answer;
    let target = if op.request.answer_null && answer == 0 { op.t2 } else { op.next };
    exit_of(go(target, context))
}

fn exit_of(then: Then) -> Option<u32> {
    match then {
        Then::Exit(value) => Some(value),
        _ => None,
    }
}
