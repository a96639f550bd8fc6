//! An engine: contexts that take turns in one pipe, the ports through which packets and answers come in, and the counters.

use offwire_isa::{CodeAddr, Profile};

use crate::context::{Context, Ticket};
use crate::counters::{Empty, Replay, SlotCounters};
use crate::dispatcher::Dispatcher;
use crate::execute::{self, Then};
use crate::fault::FaultCause;
use crate::geometry::LINE;
use crate::map::unit::{ContextId, MapUnit};
use crate::op::{Goto, Op, unit};
use crate::packet::Packet;
use crate::restorer::Restorer;
use crate::ring::Ring;
use crate::trace::{At, Event, Trace};
use crate::{Departure, verdict};

/// Words that a context runs ahead at once, at most.
const AHEAD: u64 = 64;

/// What happens to a context when its word leaves the pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leave {
    /// It is ready again.
    #[default]
    Ready,
    /// It sleeps until the map unit has answered.
    Map,
    /// It sleeps until the lines it missed are here.
    Lines,
    /// It sleeps until the packet unit is done; so many changed lines left the window.
    Adjust(u8),
    /// Its packet has ended.
    Exit,
}

/// What a context waits for, as far as empty slots ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wait {
    #[default]
    Transfer,
    Lines,
    Adjust,
    Map,
}

/// A context in one of the engine's FIFOs, with the cycle at which it gets to the front of it.
#[derive(Clone, Copy, Debug, Default)]
struct Timed<T> {
    at: u64,
    context: u8,
    what: T,
}

/// The parts of the device that engines share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub dispatcher: Dispatcher,
    pub map: MapUnit,
    pub restorer: Restorer,
}

/// Latencies and widths; see the profile.
#[derive(Clone, Copy, Debug)]
struct Timing {
    depth: u64,
    /// Most cycles from one issue of a ready context to the next.
    turn: u64,
    packet_store: u64,
    adjust: u64,
    bus: u32,
    window: u32,
    far_lines: u32,
}

/// One engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    number: u16,
    first_id: ContextId,
    timing: Timing,
    contexts: Vec<Context>,
    /// One bit a context without a packet.
    free: u64,
    ready: Ring<u8>,
    pipe: Ring<Timed<Leave>>,
    /// Contexts that wait for the in-port, the packet unit, the answer port, the out-port; each in ascending order.
    incoming: Ring<Timed<Wait>>,
    adjusting: Ring<Timed<()>>,
    answered: Ring<Timed<()>>,
    outgoing: Ring<Timed<()>>,
    in_free: u64,
    answer_free: u64,
    out_free: u64,
    /// Contexts by [`Wait`].
    waits: [u8; 4],
    /// Slots before this cycle are counted.
    accounted: u64,
    counters: SlotCounters,
}

impl Engine {
    pub(crate) fn new(number: u16, profile: &Profile) -> Self {
        let contexts = profile.contexts_per_engine;
        Engine {
            number,
            first_id: number * contexts as u16,
            timing: Timing {
                depth: u64::from(profile.pipeline_depth),
                turn: u64::from(profile.pipeline_depth) + u64::from(contexts),
                packet_store: u64::from(profile.packet_store_cycles),
                adjust: u64::from(profile.adjust_cycles.max(1)),
                bus: profile.packet_bus_bytes.max(1),
                window: profile.packet_window_bytes,
                far_lines: profile.far_lines,
            },
            contexts: (0..contexts).map(|_| Context::new()).collect(),
            free: u64::MAX >> (64 - contexts),
            ready: Ring::new(contexts),
            pipe: Ring::new(contexts),
            incoming: Ring::new(contexts),
            adjusting: Ring::new(contexts),
            answered: Ring::new(contexts),
            outgoing: Ring::new(contexts),
            in_free: 0,
            answer_free: 0,
            out_free: 0,
            waits: [0; 4],
            accounted: 0,
            counters: SlotCounters::default(),
        }
    }

    fn id(&self, context: u8) -> ContextId {
        self.first_id + ContextId::from(context)
    }

    /// Counts the empty slots up to `cycle` (not with it). Nothing has changed since the last event of the engine.
    #[inline(always)]
    fn account(&mut self, cycle: u64) {
        if self.accounted < cycle {
            let cause = self.cause();
            self.counters.empty[cause as usize] += cycle - self.accounted;
            self.accounted = cycle;
        }
    }

    /// The counters as they are when `account(cycle)` has been called.
    pub(crate) fn counted(&self, cycle: u64) -> SlotCounters {
        let mut counters = self.counters;
        counters.empty[self.cause() as usize] += cycle.saturating_sub(self.accounted);
        counters
    }

    fn cause(&self) -> Empty {
        let waits = |wait: Wait| self.waits[wait as usize] > 0;
        if !self.pipe.is_empty() {
            Empty::Pipeline
        } else if waits(Wait::Transfer) {
            Empty::Transfer
        } else if waits(Wait::Lines) {
            Empty::PacketStore
        } else if waits(Wait::Adjust) {
            Empty::Adjust
        } else if waits(Wait::Map) {
            Empty::Map
        } else {
            Empty::NoContext
        }
    }

    /// Cycles that so many bytes take on the packet bus.
    fn beats(&self, bytes: u32) -> u64 {
        u64::from(bytes.div_ceil(self.timing.bus))
    }

    /// The in-port brings `bytes` that were asked for at `cycle`. Returns when they are here.
    fn bring_in(&mut self, cycle: u64, bytes: u32) -> u64 {
        let beats = self.beats(bytes);
        self.in_free = self.in_free.max(cycle + self.timing.packet_store) + beats;
        self.counters.in_cycles += beats;
        self.in_free
    }

    /// The out-port takes so many lines away from `cycle` on. Returns when they are gone.
    fn send_out(&mut self, cycle: u64, lines: u32) -> u64 {
        if lines == 0 {
            return cycle;
        }
        let beats = self.beats(lines * LINE);
        self.out_free = self.out_free.max(cycle) + beats;
        self.counters.out_cycles += beats;
        self.out_free
    }

    /// A packet is dispatched to the lowest free context. Returns the cycle at which its first word can be issued.
    pub(crate) fn dispatch<T: Trace>(
        &mut self,
        cycle: u64,
        bytes: Vec<u8>,
        ticket: Ticket,
        entry: Goto,
        map: &mut MapUnit,
        trace: &mut T,
    ) -> u64 {
        self.account(cycle);
        let number = self.free.trailing_zeros().min(self.contexts.len() as u32 - 1) as u8;
        self.free &= !(1 << number);
        let at = self.bring_in(cycle, (bytes.len() as u32).min(self.timing.window));
        let packet = Packet::new(bytes, self.timing.window, self.timing.far_lines);
        self.contexts[usize::from(number)].take(packet, ticket, entry);
        let port = &mut map.ports[usize::from(self.id(number))];
        port.window.valid = false;
        port.seq = ticket.seq;
        port.vcpu = ticket.vcpu;
        self.incoming.push(Timed { at, context: number, what: Wait::Transfer });
        self.waits[Wait::Transfer as usize] += 1;
        if T::ON {
            trace.event(Event::Dispatched { at: self.at(cycle, number), vcpu: ticket.vcpu });
        }
        at
    }

    /// An answer arrives that takes so many cycles of the answer port. Returns the cycle at which its context is ready.
    pub(crate) fn answer(&mut self, cycle: u64, id: ContextId, beats: u32) -> u64 {
        let start = self.answer_free.max(cycle);
        self.counters.answer_wait_cycles += start - cycle;
        self.answer_free = start + u64::from(beats);
        self.answered.push(Timed { at: self.answer_free, context: (id - self.first_id) as u8, what: () });
        self.answer_free
    }

    /// The next cycle at which something happens here, after `cycle`.
    #[inline]
    fn due(&self, cycle: u64) -> u64 {
        if !self.ready.is_empty() {
            return cycle + 1;
        }
        let at = |timed: Option<u64>| timed.unwrap_or(u64::MAX);
        at(self.pipe.front().map(|timed| timed.at))
            .min(at(self.incoming.front().map(|timed| timed.at)))
            .min(at(self.answered.front().map(|timed| timed.at)))
            .min(at(self.adjusting.front().map(|timed| timed.at)))
            .min(at(self.outgoing.front().map(|timed| timed.at)))
    }

    /// One cycle. Returns the next at which something happens. `AHEAD`: contexts may run ahead of their slots.
    pub(crate) fn step<T: Trace, const RUN_AHEAD: bool>(
        &mut self,
        cycle: u64,
        program: &[Op],
        shared: &mut Shared,
        trace: &mut T,
    ) -> u64 {
        self.account(cycle);
        while let Some(&Timed { at, context, what }) = self.pipe.front()
            && at <= cycle
        {
            self.pipe.pop();
            self.leave(cycle, context, what, shared, trace);
        }
        while let Some(&Timed { at, context, .. }) = self.answered.front()
            && at <= cycle
        {
            self.answered.pop();
            self.waits[Wait::Map as usize] -= 1;
            self.wake(cycle, context, program, shared, trace);
        }
        while let Some(&Timed { at, context, what }) = self.incoming.front()
            && at <= cycle
        {
            self.incoming.pop();
            self.waits[what as usize] -= 1;
            self.ready.push(context);
        }
        while let Some(&Timed { at, context, .. }) = self.adjusting.front()
            && at <= cycle
        {
            self.adjusting.pop();
            self.waits[Wait::Adjust as usize] -= 1;
            self.wake(cycle, context, program, shared, trace);
        }
        while let Some(&Timed { at, context, .. }) = self.outgoing.front()
            && at <= cycle
        {
            self.outgoing.pop();
            self.done(cycle, context, shared);
        }
        if let Some(context) = self.ready.pop() {
            let leave = self.issue::<T, RUN_AHEAD>(cycle, context, program, shared, trace);
            self.pipe.push(Timed { at: cycle + self.timing.depth, context, what: leave });
            self.accounted = cycle + 1;
        }
        self.due(cycle)
    }

    /// A word leaves the pipe.
    #[inline(always)]
    fn leave<T: Trace>(&mut self, cycle: u64, number: u8, leave: Leave, shared: &mut Shared, trace: &mut T) {
        match leave {
            Leave::Ready => self.ready.push(number),
            Leave::Map => self.waits[Wait::Map as usize] += 1,
            Leave::Lines => {
                let context = &mut self.contexts[usize::from(number)];
                let lines = context.miss.count_ones();
                let written = context.packet.fetch(context.miss);
                let at = self.bring_in(cycle, lines * LINE);
                self.send_out(cycle, written);
                self.incoming.push(Timed { at, context: number, what: Wait::Lines });
                self.waits[Wait::Lines as usize] += 1;
            }
            Leave::Adjust(written) => {
                self.send_out(cycle, u32::from(written));
                self.adjusting.push(Timed { at: cycle + self.timing.adjust, context: number, what: () });
                self.waits[Wait::Adjust as usize] += 1;
            }
            Leave::Exit => self.end(cycle, number, shared, trace),
        }
    }

    /// A context has its answer.
    fn wake<T: Trace>(&mut self, cycle: u64, number: u8, program: &[Op], shared: &mut Shared, trace: &mut T) {
        let id = self.id(number);
        let context = &mut self.contexts[usize::from(number)];
        let port = &mut shared.map.ports[usize::from(id)];
        if std::mem::take(&mut port.reads) {
            // The value window is filled; the refused word is issued again.
            self.ready.push(number);
            return;
        }
        let ended = program.get(usize::from(context.pc)).and_then(|op| execute::resume(op, port.answer, context));
        match ended {
            None => self.ready.push(number),
            Some(value) => {
                context.retval = value;
                self.end(cycle, number, shared, trace);
            }
        }
    }

    /// A packet has ended: what it changed goes out, unless it is dropped.
    fn end<T: Trace>(&mut self, cycle: u64, number: u8, shared: &mut Shared, trace: &mut T) {
        let context = &mut self.contexts[usize::from(number)];
        context.exited = cycle;
        shared.dispatcher.release(&context.ticket);
        if T::ON {
            let (seq, retval, fault) = (context.ticket.seq, context.retval, context.fault);
            trace.event(Event::Exited { cycle, seq, retval, fault });
        }
        let lines = if verdict::leaves(context.retval) { context.packet.changed_lines() } else { 0 };
        if lines == 0 {
            self.done(cycle, number, shared);
        } else {
            let at = self.send_out(cycle, lines);
            self.outgoing.push(Timed { at, context: number, what: () });
        }
    }

    /// A context is free again; its packet waits in the restorer.
    fn done(&mut self, cycle: u64, number: u8, shared: &mut Shared) {
        let context = &mut self.contexts[usize::from(number)];
        let ticket = &context.ticket;
        let departure = Departure {
            seq: ticket.seq,
            port: ticket.port,
            retval: context.retval,
            bytes: std::mem::take(&mut context.packet).into_bytes(),
            arrival: ticket.arrival,
            dispatched: ticket.dispatched,
            exited: context.exited,
            departed: 0,
            words: context.words,
            slots: context.slots,
            fault: context.fault,
        };
        shared.restorer.done(cycle, ticket.entry, departure);
        shared.dispatcher.context_freed(self.number);
        self.free |= 1 << number;
    }

    fn at(&self, cycle: u64, number: u8) -> At {
        let context = &self.contexts[usize::from(number)];
        At {
            cycle,
            seq: context.ticket.seq,
            engine: self.number,
            context: u16::from(number),
            word: CodeAddr(context.pc),
        }
    }

    /// A context has the slot.
    #[inline(always)]
    fn issue<T: Trace, const RUN_AHEAD: bool>(
        &mut self,
        cycle: u64,
        number: u8,
        program: &[Op],
        shared: &mut Shared,
        trace: &mut T,
    ) -> Leave {
        let id = self.id(number);
        let where_at = if T::ON { Some(self.at(cycle, number)) } else { None };
        let context = &mut self.contexts[usize::from(number)];
        context.slots += 1;
        if context.ahead > 0 {
            context.ahead -= 1;
            context.words += 1;
            self.counters.words += 1;
            return if context.ahead == 0 && context.ends { Leave::Exit } else { Leave::Ready };
        }
        let op = match program.get(usize::from(context.pc)) {
            _ if cycle >= context.ticket.deadline => return self.fault(number, FaultCause::Budget),
            None => return self.fault(number, FaultCause::BadCodeAddress),
            Some(op) => op,
        };
        let map = &mut shared.map;
        let outcome = execute::execute(op, context, &mut map.ports[usize::from(id)], &map.table.infos, cycle);
        let leaves = cycle + self.timing.depth;
        let engine = self.number as u8;
        if outcome.posted {
            map.post(leaves, engine, id);
        }
        let leave = match outcome.then {
            Then::Next => Leave::Ready,
            Then::Exit(value) => {
                context.retval = value;
                Leave::Exit
            }
            Then::Request { late } => {
                map.request(leaves, late, engine, id);
                Leave::Map
            }
            Then::Adjust { written } => Leave::Adjust(written as u8),
            Then::Far => return self.refused(Replay::PacketLines, Leave::Lines, where_at, trace),
            Then::Value => {
                map.read(leaves, engine, id);
                return self.refused(Replay::Value, Leave::Map, where_at, trace);
            }
            Then::Credit => return self.refused(Replay::Credit, Leave::Ready, where_at, trace),
            Then::Fault(cause) => return self.fault(number, cause),
        };
        context.words += 1;
        self.counters.words += 1;
        if let Some(at) = where_at {
            trace.event(Event::Retired { at, registers: &context.registers });
        }
        if RUN_AHEAD && !T::ON && leave == Leave::Ready {
            let left = context.ticket.deadline - cycle;
            let limit = if left > AHEAD * self.timing.turn { AHEAD } else { (left - 1) / self.timing.turn };
            run_ahead(context, map, id, program, cycle, limit);
        }
        leave
    }

    fn refused<T: Trace>(&mut self, why: Replay, leave: Leave, at: Option<At>, trace: &mut T) -> Leave {
        self.counters.replays[why as usize] += 1;
        if let Some(at) = at {
            trace.event(Event::Refused { at, why });
        }
        leave
    }

    fn fault(&mut self, number: u8, cause: FaultCause) -> Leave {
        self.counters.faulted += 1;
        self.contexts[usize::from(number)].fail(cause);
        Leave::Exit
    }
}

/// Runs words that nobody else can see or delay ahead of their slots, at most `limit`: that many are issued before the deadline
/// whatever the other contexts do.
#[inline(always)]
fn run_ahead(context: &mut Context, map: &mut MapUnit, id: ContextId, program: &[Op], cycle: u64, limit: u64) {
    let port = &mut map.ports[usize::from(id)];
    let mut ahead = 0;
    while ahead < limit {
        let Some(op) = program.get(usize::from(context.pc)) else { break };
        if op.units & unit::SHARED != 0 {
            break;
        }
        match execute::execute(op, context, port, &map.table.infos, cycle).then {
            Then::Next => ahead += 1,
            Then::Exit(value) => {
                context.retval = value;
                context.ends = true;
                ahead += 1;
                break;
            }
            // Refused or faulted, so nothing has happened: it will be found out again in its own slot.
            _ => break,
        }
    }
    context.ahead = ahead as u16;
}
