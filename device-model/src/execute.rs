//! One word of one context, from registers to write back, as `hw/spec/isa.toml` tells it.
//!
//! A word is all or nothing: all that can refuse it or end the packet is found out before anything is written.

use offwire_isa::{Handle, RequestOp, Space, Src, StoreOp};

use crate::context::{Context, formatted, load, store};
use crate::fault::FaultCause;
use crate::geometry::{METADATA, POSTED_CREDITS, SCRATCH, STACK};
use crate::map::port::{Port, Posted, PostedKind, ValueAddress};
use crate::map::table::MapInfo;
use crate::op::{EXIT, Goto, Op, Part, read, unit};

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

/// The address of a part if it is in bounds.
#[inline(always)]
fn inside(address: u64, delta: u8, size: u32, limit: u32) -> Option<u32> {
    let address = address.wrapping_add(u64::from(delta));
    if address <= u64::from(limit) && size <= limit - address as u32 { Some(address as u32) } else { None }
}

/// The load unit: both extracts, or why not.
#[inline(always)]
fn extracts(op: &Op, base: u64, context: &mut Context, port: &mut Port, maps: &[MapInfo]) -> Result<[u64; 2], Then> {
    let address = base.wrapping_add(op.load_off as u64);
    let mut x = [0; 2];
    match op.load_space {
        Space::Packet => {
            let limit = context.packet.len();
            let mut at = [None; 2];
            let mut wanted = 0;
            for (at, part) in at.iter_mut().zip(&op.load) {
                if part.size > 0 {
                    *at = inside(address, part.delta, u32::from(part.size), limit);
                    match *at {
                        Some(address) => wanted |= context.packet.lines_of(address, u32::from(part.size)),
                        None if op.load_dismiss => {}
                        None => return Err(Then::Fault(FaultCause::PacketBounds)),
                    }
                }
            }
            context.miss = context.packet.missing(wanted);
            if context.miss != 0 {
                return Err(Then::Far);
            }
            let data = context.packet.data();
            for ((x, at), part) in x.iter_mut().zip(at).zip(&op.load) {
                if let Some(address) = at {
                    *x = load(&data[address as usize..], part.size, part.swap);
                }
            }
        }
        Space::Stack | Space::Scratch => {
            let stack = op.load_space == Space::Stack;
            for (x, part) in x.iter_mut().zip(&op.load) {
                if part.size > 0 {
                    let size = u32::from(part.size);
                    match inside(address, part.delta, size, if stack { STACK } else { SCRATCH }) {
                        Some(at) if stack => *x = load(context.stack.at(at, size), part.size, part.swap),
                        Some(at) => *x = load(context.scratch.at(at, size), part.size, part.swap),
                        None if op.load_dismiss => {}
                        None if stack => return Err(Then::Fault(FaultCause::StackBounds)),
                        None => return Err(Then::Fault(FaultCause::ScratchBounds)),
                    }
                }
            }
        }
        Space::MapValue => {
            let mut at = [None; 2];
            for (at, part) in at.iter_mut().zip(&op.load) {
                if part.size > 0 {
                    match value_at(maps, address.wrapping_add(u64::from(part.delta)), u32::from(part.size)) {
                        Ok(address) => *at = Some(address),
                        Err(_) if op.load_dismiss => {}
                        Err(cause) => return Err(Then::Fault(cause)),
                    }
                }
            }
            if let [Some(first), Some(second)] = at
                && (first.slot, first.element) != (second.slot, second.element)
            {
                // The sum carried into the element: no honest pointer does, and one window could not hold both.
                return Err(Then::Fault(FaultCause::BadHandle));
            }
            for ((x, place), part) in x.iter_mut().zip(at).zip(&op.load) {
                let Some(address) = place else { continue };
                let Some(bytes) = port.window.get(address, u32::from(part.size)) else {
                    // Both extracts lie within 16 B, so a window from the lower one's 16 B line on holds both.
                    let low = at.iter().flatten().map(|at| at.offset).min().unwrap_or(address.offset);
                    port.wanted = ValueAddress { offset: low & !15, ..address };
                    return Err(Then::Value);
                };
                *x = load(bytes, part.size, part.swap);
            }
        }
    }
    Ok(x)
}

/// Where a store goes, once it is known to be allowed.
#[derive(Clone, Copy)]
enum Place {
    Packet([u32; 2]),
    Stack([u32; 2]),
    Scratch([u32; 2]),
    Value([ValueAddress; 2]),
}

/// The store unit's checks.
#[inline(always)]
fn place(op: &Op, base: u64, context: &mut Context, maps: &[MapInfo]) -> Result<Place, Then> {
    let address = base.wrapping_add(op.store_off as u64);
    let (limit, cause) = match op.store_space {
        Space::Packet => (context.packet.len(), FaultCause::PacketBounds),
        Space::Stack => (STACK, FaultCause::StackBounds),
        Space::Scratch => (SCRATCH, FaultCause::ScratchBounds),
        Space::MapValue => {
            let mut at = [ValueAddress::default(); 2];
            for (at, part) in at.iter_mut().zip(&op.store) {
                if part.size > 0 {
                    *at = value_at(maps, address.wrapping_add(u64::from(part.delta)), u32::from(part.size))
                        .map_err(Then::Fault)?;
                    if maps.get(usize::from(at.slot)).is_none_or(|map| map.read_only) {
                        return Err(Then::Fault(FaultCause::ReadOnly));
                    }
                }
            }
            if op.store[0].size > 0
                && op.store[1].size > 0
                && (at[0].slot, at[0].element) != (at[1].slot, at[1].element)
            {
                return Err(Then::Fault(FaultCause::BadHandle));
            }
            return Ok(Place::Value(at));
        }
    };
    let mut at = [0; 2];
    for (at, part) in at.iter_mut().zip(&op.store) {
        if part.size > 0 {
            *at = inside(address, part.delta, u32::from(part.size), limit).ok_or(Then::Fault(cause))?;
        }
    }
    match op.store_space {
        Space::Packet => {
            let mut wanted = 0;
            for (&at, part) in at.iter().zip(&op.store) {
                if part.size > 0 {
                    wanted |= context.packet.lines_of(at, u32::from(part.size));
                }
            }
            context.miss = context.packet.missing(wanted);
            if context.miss != 0 { Err(Then::Far) } else { Ok(Place::Packet(at)) }
        }
        Space::Stack => Ok(Place::Stack(at)),
        _ => {
            let protected = at.iter().zip(&op.store).any(|(&at, part)| part.size > 0 && at < METADATA);
            if protected { Err(Then::Fault(FaultCause::ReadOnly)) } else { Ok(Place::Scratch(at)) }
        }
    }
}

/// One insert, or the addition of a posted add that stays in the context.
#[inline(always)]
fn insert(op: StoreOp, bytes: &mut [u8], part: &Part, value: u64) {
    let value = match op {
        StoreOp::Add32 | StoreOp::Add64 => load(bytes, part.size, false).wrapping_add(value),
        StoreOp::None | StoreOp::Store => value,
    };
    store(bytes, part.size, value);
}

/// The store unit's write. Returns true if it was posted to the map unit.
#[inline(always)]
fn write(op: &Op, place: Place, row: &[u64; 16], credit: u8, context: &mut Context, port: &mut Port) -> bool {
    let value = |part: &Part| formatted(row[usize::from(part.src & 15)], part.size, part.swap);
    match place {
        Place::Packet(at) => {
            for (at, part) in at.into_iter().zip(&op.store) {
                if part.size > 0 {
                    let lines = context.packet.lines_of(at, u32::from(part.size));
                    context.packet.touch(lines);
                    insert(op.store_op, &mut context.packet.data_mut()[at as usize..], part, value(part));
                }
            }
            false
        }
        Place::Stack(at) => {
            for (at, part) in at.into_iter().zip(&op.store) {
                if part.size > 0 {
                    insert(op.store_op, context.stack.at(at, u32::from(part.size)), part, value(part));
                }
            }
            false
        }
        Place::Scratch(at) => {
            for (at, part) in at.into_iter().zip(&op.store) {
                if part.size > 0 {
                    insert(op.store_op, context.scratch.at(at, u32::from(part.size)), part, value(part));
                }
            }
            false
        }
        Place::Value(at) => {
            let kind = match op.store_op {
                StoreOp::Add32 => PostedKind::Add32,
                StoreOp::Add64 => PostedKind::Add64,
                StoreOp::None | StoreOp::Store => PostedKind::Store,
            };
            let first = if op.store[0].size > 0 { at[0] } else { at[1] };
            let mut parts = [(0, 0, 0); 2];
            for ((to, at), part) in parts.iter_mut().zip(at).zip(&op.store) {
                if part.size > 0 {
                    *to = (at.offset, part.size, value(part));
                    if kind == PostedKind::Store {
                        port.window.write_through(at, part.size, to.2);
                    }
                }
            }
            if kind != PostedKind::Store {
                port.window.valid = false;
            }
            let (seq, vcpu) = (port.seq, port.vcpu);
            port.posted[usize::from(credit) % POSTED_CREDITS] =
                Posted { kind, slot: first.slot, element: first.element, parts, seq, vcpu };
            true
        }
    }
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
            let at = inside(address, 0, size, context.packet.len()).ok_or(FaultCause::PacketBounds)?;
            *late |= context.packet.missing(context.packet.lines_of(at, size)) != 0;
            Ok(Operand::Packet(at))
        }
        Space::Stack => inside(address, 0, size, STACK).map(Operand::Stack).ok_or(FaultCause::StackBounds),
        Space::Scratch => inside(address, 0, size, SCRATCH).map(Operand::Scratch).ok_or(FaultCause::ScratchBounds),
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
    let address = row[usize::from(op.key_base & 3)].wrapping_add(op.key_off as u64);
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
        match extracts(op, row[usize::from(op.load_base & 3)], context, port, maps) {
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
    let mut target = None;
    let mut credit = 0;
    if units & unit::STORE != 0 && !(taken1 && op.store_kill1) && !(taken2 && op.store_kill2) {
        match place(op, row[usize::from(op.store_base & 3)], context, maps) {
            Ok(place) => {
                if let Place::Value(_) = place {
                    match port.credit(now) {
                        Some(free) => credit = free,
                        None => return Outcome::plain(Then::Credit),
                    }
                }
                target = Some(place);
            }
            Err(then) => return Outcome::plain(then),
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

    let posted = match target {
        Some(place) => write(op, place, &row, credit, context, port).then_some(credit),
        None => None,
    };
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
