//! An engine: contexts that take turns in one pipe, the ports through which packets and answers come in, and the counters.

use offwire_isa::{CodeAddr, Profile};

use crate::agenda::{Agenda, Queue, join, split};
use crate::chance::Clock;
use crate::context::{Context, Unit, Work};
use crate::counters::{Empty, Replay, SlotCounters};
use crate::execute::{self, Then};
use crate::fault::FaultCause;
use crate::geometry::LINE;
use crate::map::unit::{ContextId, ID_SHIFT, MapUnit};
use crate::op::Op;
use crate::packets::{PacketId, Packets, Wants};
use crate::program::Program;
use crate::request;
use crate::trace::{At, Event, Trace};
use crate::verdict;

/// Words that a context runs ahead at once, at most.
const AHEAD: u64 = 64;

/// What the dispatcher and the restorer have to know of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// It has ended: the next one that waits for it may run.
    Exited { wants: Wants },
    /// It is out of its context, which is free.
    Done { id: PacketId, engine: u16 },
}

/// Contexts in the pipe up to which the engine counts turns instead of taking them.
const FEW: usize = 8;

/// Cycles of a window, at most.
pub(crate) const WINDOW_CYCLES: u64 = 64;

/// What engines tell in each cycle of a window.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    from: u64,
    /// One bit a cycle in which something is told.
    told: u64,
    cycles: Vec<Vec<Ended>>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Outbox { from: 0, told: 0, cycles: (0..WINDOW_CYCLES).map(|_| Vec::new()).collect() }
    }

    /// Starts a window.
    pub(crate) fn start(&mut self, from: u64) {
        debug_assert!(self.told == 0, "something was not heard");
        self.from = from;
    }

    #[inline(always)]
    fn push(&mut self, cycle: u64, ended: Ended) {
        let at = cycle - self.from;
        self.told |= 1 << (at & 63);
        self.cycles[(at & 63) as usize].push(ended);
    }

    /// The next cycle in which something is told that was not yet heard.
    #[inline(always)]
    pub(crate) fn due(&self) -> u64 {
        if self.told == 0 { u64::MAX } else { self.from + u64::from(self.told.trailing_zeros()) }
    }

    /// What is told in a cycle, to be emptied.
    #[inline(always)]
    pub(crate) fn hear(&mut self, cycle: u64) -> Option<&mut Vec<Ended>> {
        let bit = 1 << ((cycle - self.from) & 63);
        if self.told & bit == 0 {
            return None;
        }
        self.told &= !bit;
        self.cycles.get_mut((cycle - self.from) as usize)
    }
}

/// What an engine works with in a window of cycles.
pub(crate) struct Around<'a, T> {
    pub programs: &'a [Program],
    pub clock: Clock,
    pub map: &'a mut MapUnit,
    pub packets: &'a mut Packets,
    pub out: &'a mut Outbox,
    pub trace: &'a mut T,
}

/// What happens to a context when its word leaves the pipe. In the pipe's queue the context's number stands above it.
mod leave {
    /// It is ready again.
    pub(super) const READY: u16 = 0;
    /// It sleeps until the map unit has answered.
    pub(super) const MAP: u16 = 1;
    /// It sleeps until the lines it missed are here.
    pub(super) const LINES: u16 = 2;
    /// It sleeps until a unit of the engine is done.
    pub(super) const UNIT: u16 = 3;
    /// Its packet has ended.
    pub(super) const EXIT: u16 = 4;
}

/// What comes up for an engine at a known cycle, in the order in which it does within one.
mod event {
    /// An answer of the map unit is all in. Item: the context.
    pub(super) const ANSWERED: u8 = 0;
    /// A dispatched packet is at the in-port. Item: the packet.
    pub(super) const ARRIVED: u8 = 1;
    /// Missed lines are at the in-port. Item: the context.
    pub(super) const FETCHED: u8 = 2;
    /// The in-port has brought a packet, or lines, into the context. Item: the context.
    pub(super) const PACKET_IN: u8 = 3;
    pub(super) const LINES_IN: u8 = 4;
    /// A unit of the engine is done. Item: the context.
    pub(super) const UNIT_DONE: u8 = 5;
    /// The out-port has taken the last line of an ended packet. Item: the context.
    pub(super) const OUT: u8 = 6;
}

/// What a context waits for, as far as empty slots ask.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Transfer,
    Lines,
    Unit,
    Map,
}

/// Latencies and widths; see the profile.
#[derive(Clone, Copy, Debug)]
struct Timing {
    depth: u64,
    /// Most cycles from one issue of a ready context to the next.
    turn: u64,
    packet_store: u64,
    adjust: u64,
    divide: u64,
    /// Logarithm of the bytes that the byte unit copies and sums up in a cycle.
    copy: u32,
    sum: u32,
    /// Logarithm of the bytes of the packet bus.
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
    /// Slots before this cycle are counted.
    accounted: u64,
    /// One bit a context without a packet.
    free: u64,
    /// One bit a context whose last word run ahead ended its packet.
    ends: u64,
    counters: SlotCounters,
    /// Words that each context has run ahead of their slots.
    ahead: [u8; 64],
    ready: Queue,
    pipe: Queue,
    events: Agenda,
    in_free: u64,
    answer_free: u64,
    out_free: u64,
    /// First cycles at which divider and byte unit can start.
    divider_free: u64,
    bytes_free: u64,
    /// Contexts by [`Wait`].
    waits: [u8; 4],
    contexts: Vec<Context>,
}

impl Engine {
    pub(crate) fn new(number: u16, profile: &Profile) -> Self {
        let contexts = profile.contexts_per_engine;
        Engine {
            number,
            first_id: number << ID_SHIFT,
            timing: Timing {
                depth: u64::from(profile.pipeline_depth),
                turn: u64::from(profile.pipeline_depth) + u64::from(contexts),
                packet_store: u64::from(profile.packet_store_cycles.max(1)),
                adjust: u64::from(profile.adjust_cycles.max(1)),
                divide: u64::from(profile.divide_cycles.max(1)),
                copy: profile.copy_bytes.ilog2(),
                sum: profile.csum_bytes.ilog2(),
                bus: profile.packet_bus_bytes.ilog2(),
                window: profile.packet_window_bytes,
                far_lines: profile.far_lines,
            },
            accounted: 0,
            free: u64::MAX >> (64 - contexts),
            ends: 0,
            counters: SlotCounters::default(),
            ahead: [0; 64],
            ready: Queue::new(),
            pipe: Queue::new(),
            events: Agenda::new(),
            in_free: 0,
            answer_free: 0,
            out_free: 0,
            divider_free: 0,
            bytes_free: 0,
            waits: [0; 4],
            contexts: (0..contexts).map(|_| Context::new()).collect(),
        }
    }

    fn id(&self, context: u8) -> ContextId {
        self.first_id | ContextId::from(context)
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
        let turns = (0..self.pipe.len()).map(|n| self.turns(split(self.pipe.get(n)).0, cycle)).sum::<u64>();
        counters.words += turns;
        counters.empty[self.cause() as usize] += cycle.saturating_sub(self.accounted + turns);
        counters
    }

    /// Turns that a word takes before `cycle` if it leaves the pipe at `at` and its context has run ahead far enough.
    #[inline(always)]
    fn turns(&self, at: u64, cycle: u64) -> u64 {
        if at < cycle { (cycle - at - 1) / self.timing.depth + 1 } else { 0 }
    }

    fn cause(&self) -> Empty {
        let waits = |wait: Wait| self.waits[wait as usize] > 0;
        if !self.pipe.is_empty() {
            Empty::Pipeline
        } else if waits(Wait::Transfer) {
            Empty::Transfer
        } else if waits(Wait::Lines) {
            Empty::PacketStore
        } else if waits(Wait::Unit) {
            Empty::Unit
        } else if waits(Wait::Map) {
            Empty::Map
        } else {
            Empty::NoContext
        }
    }

    /// Cycles that so many bytes take on the packet bus.
    fn beats(&self, bytes: u32) -> u64 {
        u64::from((bytes + (1 << self.timing.bus) - 1) >> self.timing.bus)
    }

    /// The in-port takes `bytes` that are there from `cycle` on. Returns when they are in their context.
    fn take_in(&mut self, cycle: u64, bytes: u32) -> u64 {
        let beats = self.beats(bytes);
        self.in_free = self.in_free.max(cycle) + beats;
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

    /// A packet is dispatched to this engine at `cycle`. Returns the cycle at which it comes to the in-port.
    pub(crate) fn dispatch(&mut self, cycle: u64, id: PacketId) -> u64 {
        let at = cycle + self.timing.packet_store;
        self.events.push(at, event::ARRIVED, id);
        at
    }

    /// An answer comes at `cycle` and takes so many cycles of the answer port. Returns the cycle at which its context is ready.
    pub(crate) fn answer(&mut self, cycle: u64, id: ContextId, beats: u32) -> u64 {
        let start = self.answer_free.max(cycle);
        self.counters.answer_wait_cycles += start - cycle;
        self.answer_free = start + u64::from(beats);
        self.events.push(self.answer_free, event::ANSWERED, u32::from(id & ((1 << ID_SHIFT) - 1)));
        self.answer_free
    }

    /// Runs the cycles from `from` to `to` (not with it); `due` is the first at which something happens. Returns the next one.
    ///
    /// Answers and packets that come within these cycles are announced already. `AHEAD`: goes from event to event, and contexts
    /// run ahead of their slots.
    pub(crate) fn run<T: Trace, const FAST: bool>(&mut self, due: u64, to: u64, around: &mut Around<'_, T>) -> u64 {
        let mut cycle = due;
        while cycle < to {
            if FAST && self.ready.is_empty() && self.pipe.len() > FEW {
                cycle = self.rotate(cycle, to);
                if cycle >= to {
                    break;
                }
            }
            cycle = self.cycle::<T, FAST>(cycle, around);
            if FAST && self.ready.is_empty() && self.pipe.len() <= FEW {
                cycle = self.attention().min(self.events.due());
            }
        }
        cycle
    }

    /// When the first context in the pipe has no word left that it has run ahead. Until then, if nothing comes up, contexts only
    /// take turns in the pipe; `catch_up` does that later.
    #[inline(always)]
    fn attention(&self) -> u64 {
        let mut first = u64::MAX;
        for n in 0..self.pipe.len().min(FEW) {
            let (at, word) = split(self.pipe.get(n));
            let turns = if word & 0xff == leave::READY { self.ahead[usize::from(word >> 8 & 63)] } else { 0 };
            first = first.min(at + u64::from(turns) * self.timing.depth);
        }
        first
    }

    /// The turns that contexts took in the pipe before `cycle`.
    #[inline(never)]
    fn catch_up(&mut self, cycle: u64) {
        let len = self.pipe.len().min(FEW);
        let mut entries = [0; FEW];
        let (mut taken, mut first) = (0, 0);
        for n in 0..len {
            let (at, mut word) = split(self.pipe.get(n));
            let turns = self.turns(at, cycle);
            if turns > 0 {
                let context = word >> 8;
                let ahead = &mut self.ahead[usize::from(context & 63)];
                *ahead -= turns as u8;
                if *ahead == 0 && self.ends & 1 << context != 0 {
                    word = context << 8 | leave::EXIT;
                }
                taken += turns;
            }
            entries[n] = join(at + turns * self.timing.depth, word);
            if entries[n] < entries[first] {
                first = n;
            }
        }
        // They keep their order, but another one may be the first now.
        for n in 0..len {
            let from = if first + n < len { first + n } else { first + n - len };
            self.pipe.set(n, entries[from]);
        }
        self.counters.words += taken;
        self.counters.empty[Empty::Pipeline as usize] += cycle - self.accounted - taken;
        self.accounted = cycle;
    }

    /// The short way while nothing happens but that contexts which have run ahead leave the pipe, find nobody ready before them
    /// and enter it again. Returns the next cycle at which something happens.
    #[inline(always)]
    fn rotate(&mut self, cycle: u64, to: u64) -> u64 {
        let event = self.events.due();
        let end = event.min(to);
        loop {
            let (at, word) = (self.pipe.due(), self.pipe.first());
            let context = word >> 8;
            let ahead = &mut self.ahead[usize::from(context & 63)];
            if at >= end || word & 0xff != leave::READY || *ahead == 0 {
                return cycle.max(at).min(event);
            }
            *ahead -= 1;
            let ends = *ahead == 0 && self.ends & 1 << context != 0;
            self.counters.empty[Empty::Pipeline as usize] += at - self.accounted;
            self.accounted = at + 1;
            self.counters.words += 1;
            self.pipe.pop();
            self.pipe.push(at + self.timing.depth, context << 8 | if ends { leave::EXIT } else { leave::READY });
        }
    }

    /// One cycle. Returns the next at which something happens.
    #[inline(always)]
    fn cycle<T: Trace, const FAST: bool>(&mut self, cycle: u64, around: &mut Around<'_, T>) -> u64 {
        if FAST && self.pipe.due() < cycle {
            self.catch_up(cycle);
        } else {
            self.account(cycle);
        }
        // One word enters the pipe in a cycle, so at most one leaves it.
        if self.pipe.due() <= cycle {
            let word = self.pipe.pop();
            if word & 0xff == leave::READY {
                self.ready.push(cycle, word >> 8);
            } else {
                self.leave(cycle, (word >> 8) as u8, word & 0xff, around);
            }
        }
        if self.events.due() <= cycle {
            self.happen(cycle, around);
        }
        if !self.ready.is_empty() {
            let context = self.ready.pop();
            let leave = self.issue::<T, FAST>(cycle, context as u8, around);
            self.pipe.push(cycle + self.timing.depth, context << 8 | leave);
            self.accounted = cycle + 1;
        }
        if !self.ready.is_empty() {
            return cycle + 1;
        }
        self.events.due().min(self.pipe.due())
    }

    /// What comes up at `cycle`.
    #[inline(never)]
    fn happen<T: Trace>(&mut self, cycle: u64, around: &mut Around<'_, T>) {
        while let Some((kind, item)) = self.events.pop(cycle) {
            let context = item as u8;
            match kind {
                event::ANSWERED => {
                    self.waits[Wait::Map as usize] -= 1;
                    self.wake(cycle, context, around);
                }
                event::ARRIVED => self.start(cycle, item, around),
                event::FETCHED => self.fetched(cycle, context),
                event::PACKET_IN => {
                    self.waits[Wait::Transfer as usize] -= 1;
                    self.ready.push(cycle, context.into());
                }
                event::LINES_IN => {
                    self.waits[Wait::Lines as usize] -= 1;
                    self.ready.push(cycle, context.into());
                }
                event::UNIT_DONE => {
                    self.waits[Wait::Unit as usize] -= 1;
                    self.wake(cycle, context, around);
                }
                _ => self.done(cycle, context, around),
            }
        }
    }

    /// Missed lines are at the in-port; changed ones make room for them.
    fn fetched(&mut self, cycle: u64, number: u8) {
        let context = &mut self.contexts[usize::from(number)];
        let lines = context.miss.count_ones();
        let written = context.packet.fetch(context.miss);
        let at = self.take_in(cycle, lines * LINE);
        self.send_out(cycle, written);
        self.events.push(at, event::LINES_IN, number.into());
    }

    /// A packet is at the in-port and gets the lowest free context.
    fn start<T: Trace>(&mut self, cycle: u64, id: PacketId, around: &mut Around<'_, T>) {
        // The dispatcher has made sure that there is one.
        let number = self.free.trailing_zeros().min(self.contexts.len() as u32 - 1) as u8;
        self.free &= !(1 << number);
        let record = around.packets.get_mut(id);
        // The dispatcher places packets with a program only, and one that has packets stays where it is.
        let running = record.out.program.unwrap_or_default();
        let program = &around.programs[running.index()];
        let at = self.take_in(cycle, (record.out.bytes.len() as u32).min(self.timing.window));
        let port = &mut around.map.ports[usize::from(self.first_id | ContextId::from(number))];
        port.take(record.out.seq, record.wants.vcpu, running.0);
        let timing = self.timing;
        let context = &mut self.contexts[usize::from(number)];
        context.take(id, record, program, timing.window, timing.far_lines);
        self.events.push(at, event::PACKET_IN, number.into());
        self.waits[Wait::Transfer as usize] += 1;
        if T::ON {
            let vcpu = around.packets.get(id).wants.vcpu;
            around.trace.event(Event::Started { at: self.at(cycle, number), vcpu });
        }
    }

    /// A word leaves the pipe, and its context is not ready.
    #[inline(never)]
    fn leave<T: Trace>(&mut self, cycle: u64, number: u8, leave: u16, around: &mut Around<'_, T>) {
        match leave {
            leave::MAP => self.waits[Wait::Map as usize] += 1,
            leave::LINES => {
                self.events.push(cycle + self.timing.packet_store, event::FETCHED, number.into());
                self.waits[Wait::Lines as usize] += 1;
            }
            leave::UNIT => {
                let work = self.contexts[usize::from(number)].work;
                self.work(cycle, number, work, around);
            }
            _ => self.end(cycle, number, around),
        }
    }

    /// A unit of the engine has work from `cycle` on. Work comes in the order in which it was sent.
    fn work<T: Trace>(&mut self, cycle: u64, number: u8, work: Work, around: &mut Around<'_, T>) {
        self.send_out(cycle, work.written);
        let port = &mut around.map.ports[usize::from(self.id(number))];
        let here = cycle + if work.late { self.timing.packet_store } else { 0 };
        let bytes = |width: u32| ((u64::from(work.bytes) + (1 << width) - 1) >> width).max(1);
        let done = match work.unit {
            Unit::Direct => cycle + 1,
            Unit::Time => {
                port.answer = around.clock.ktime_ns(cycle);
                cycle + 1
            }
            Unit::Ticks => {
                port.answer = around.clock.jiffies(cycle);
                cycle + 1
            }
            Unit::Packet => cycle + self.timing.adjust,
            Unit::Divider => {
                self.divider_free = self.divider_free.max(cycle) + self.timing.divide;
                self.divider_free
            }
            Unit::Copy | Unit::Sum => {
                let width = if work.unit == Unit::Copy { self.timing.copy } else { self.timing.sum };
                self.bytes_free = self.bytes_free.max(here) + bytes(width);
                self.bytes_free
            }
        };
        self.events.push(done, event::UNIT_DONE, number.into());
        self.waits[Wait::Unit as usize] += 1;
    }

    /// A context has its answer.
    fn wake<T: Trace>(&mut self, cycle: u64, number: u8, around: &mut Around<'_, T>) {
        let id = self.id(number);
        let context = &mut self.contexts[usize::from(number)];
        let port = &mut around.map.ports[usize::from(id)];
        if std::mem::take(&mut port.reads) {
            // The value window is filled; the refused word is issued again.
            self.ready.push(cycle, number.into());
            return;
        }
        if std::mem::take(&mut port.fetches) {
            let work = request::taken(context, port);
            self.work(cycle, number, work, around);
            return;
        }
        let Program { ops, programs, .. } = &around.programs[usize::from(context.program)];
        let word = ops.get(usize::from(context.pc));
        if T::ON
            && let Some(op) = word
        {
            let (seq, request, answer) = (context.seq, op.request.op, port.answer);
            around.trace.event(Event::Answered { cycle, seq, word: CodeAddr(context.pc), request, answer });
        }
        match word.and_then(|op| request::resume(op, port.answer, programs, context)) {
            None => self.ready.push(cycle, number.into()),
            Some(value) => {
                context.retval = value;
                self.end(cycle, number, around);
            }
        }
    }

    /// A packet has ended: what it changed goes out, unless it is dropped.
    fn end<T: Trace>(&mut self, cycle: u64, number: u8, around: &mut Around<'_, T>) {
        let id = self.id(number);
        if !around.map.ports[usize::from(id)].held.is_empty() {
            around.map.release(cycle, id);
        }
        let vcpu = around.map.ports[usize::from(id)].vcpu;
        let context = &mut self.contexts[usize::from(number)];
        context.exited = cycle;
        let wants = Wants { bucket: context.bucket, vcpu, mode: context.mode };
        around.out.push(cycle, Ended::Exited { wants });
        if T::ON {
            let (seq, retval, fault) = (context.seq, context.retval, context.fault);
            around.trace.event(Event::Exited { cycle, seq, retval, fault });
        }
        let lines = if verdict::leaves(context.retval) { context.packet.changed_lines() } else { 0 };
        if lines == 0 {
            self.done(cycle, number, around);
        } else {
            let at = self.send_out(cycle, lines);
            self.events.push(at, event::OUT, number.into());
        }
    }

    /// A context is free again; its packet waits in the restorer.
    fn done<T: Trace>(&mut self, cycle: u64, number: u8, around: &mut Around<'_, T>) {
        let port = &mut around.map.ports[usize::from(self.id(number))];
        let context = &mut self.contexts[usize::from(number)];
        let id = context.id;
        let record = around.packets.get_mut(id);
        context.give(record);
        if !port.events.is_empty() {
            record.out.tell().events = port.take_events();
        }
        if port.redirect.is_some() {
            record.out.tell().redirect = port.redirect;
        }
        self.free |= 1 << number;
        around.out.push(cycle, Ended::Done { id, engine: self.number });
    }

    fn at(&self, cycle: u64, number: u8) -> At {
        let context = &self.contexts[usize::from(number)];
        At { cycle, seq: context.seq, engine: self.number, context: u16::from(number), word: CodeAddr(context.pc) }
    }

    /// A context has the slot.
    #[inline(always)]
    fn issue<T: Trace, const FAST: bool>(&mut self, cycle: u64, number: u8, around: &mut Around<'_, T>) -> u16 {
        let ahead = &mut self.ahead[usize::from(number & 63)];
        if *ahead == 0 {
            return self.issue_word::<T, FAST>(cycle, number, around);
        }
        self.counters.words += 1;
        *ahead -= 1;
        if *ahead == 0 && self.ends & 1 << number != 0 { leave::EXIT } else { leave::READY }
    }

    /// A context has the slot and has not run ahead.
    #[inline(never)]
    fn issue_word<T: Trace, const FAST: bool>(&mut self, cycle: u64, number: u8, around: &mut Around<'_, T>) -> u16 {
        let id = self.id(number);
        let where_at = if T::ON { Some(self.at(cycle, number)) } else { None };
        let context = &mut self.contexts[usize::from(number)];
        context.slots += 1;
        if cycle >= context.deadline {
            return self.fault(number, FaultCause::Budget);
        }
        let program = usize::from(context.program);
        let ops = &around.programs[program].ops;
        let Some(op) = ops.get(usize::from(context.pc)) else {
            return self.fault(number, FaultCause::BadCodeAddress);
        };
        let map = &mut *around.map;
        let maps = &map.views[program].infos;
        let outcome = execute::execute::<false>(op, context, &mut map.ports[usize::from(id)], maps, cycle);
        let leaves = cycle + self.timing.depth;
        if let Some(credit) = outcome.posted {
            map.post(leaves, credit, id);
        }
        let leave = match outcome.then {
            Then::Next => leave::READY,
            Then::Exit(value) => {
                context.retval = value;
                leave::EXIT
            }
            Then::Request { late } => {
                map.request(leaves, late, id);
                leave::MAP
            }
            Then::Work => leave::UNIT,
            Then::Far => return self.refused(Replay::PacketLines, leave::LINES, where_at, around.trace),
            Then::Value => {
                map.read(leaves, id);
                return self.refused(Replay::Value, leave::MAP, where_at, around.trace);
            }
            Then::Credit => return self.refused(Replay::Credit, leave::READY, where_at, around.trace),
            Then::Fault(cause) => return self.fault(number, cause),
        };
        context.words += 1;
        self.counters.words += 1;
        if let Some(at) = where_at {
            around.trace.event(Event::Retired { at, registers: context.registers() });
        }
        if FAST && !T::ON && leave == leave::READY {
            let left = context.deadline - cycle;
            let limit = if left > AHEAD * self.timing.turn { AHEAD } else { (left - 1) / self.timing.turn };
            let (ahead, ends) = run_ahead(context, map, id, ops, limit);
            self.ahead[usize::from(number & 63)] = ahead;
            self.ends = self.ends & !(1 << number) | u64::from(ends) << number;
        }
        leave
    }

    fn refused<T: Trace>(&mut self, why: Replay, leave: u16, at: Option<At>, trace: &mut T) -> u16 {
        self.counters.replays[why as usize] += 1;
        if let Some(at) = at {
            trace.event(Event::Refused { at, why });
        }
        leave
    }

    fn fault(&mut self, number: u8, cause: FaultCause) -> u16 {
        self.counters.faulted += 1;
        self.contexts[usize::from(number)].fail(cause);
        leave::EXIT
    }
}

/// Runs words that nobody else can see or delay ahead of their slots, at most `limit`: that many are issued before the deadline
/// whatever the other contexts do. Returns how many, and whether the last one ended the packet.
#[inline(always)]
fn run_ahead(context: &mut Context, map: &mut MapUnit, id: ContextId, program: &[Op], limit: u64) -> (u8, bool) {
    let port = &mut map.ports[usize::from(id)];
    let maps = &map.views[usize::from(context.program)].infos;
    let mut ahead = 0;
    let mut ends = false;
    while u64::from(ahead) < limit {
        let Some(op) = program.get(usize::from(context.pc)) else { break };
        if op.shared {
            break;
        }
        match execute::private(op, context, port, maps) {
            Then::Next => ahead += 1,
            Then::Exit(value) => {
                context.retval = value;
                ends = true;
                ahead += 1;
                break;
            }
            // Refused or faulted, so nothing has happened: it will be found out again in its own slot.
            _ => break,
        }
    }
    context.words += u32::from(ahead);
    context.slots += u32::from(ahead);
    (ahead, ends)
}
