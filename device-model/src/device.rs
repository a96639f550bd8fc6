//! The device: one cycle of all blocks, the two schedulers, and what users call.

use std::collections::VecDeque;

use offwire_image::DispatchMode;
use offwire_isa::{Profile, RequestOp};

use crate::agenda::CYCLES;
use crate::chance::Clock;
use crate::counters::{Counters, PortCounters};
use crate::departure::{Arrival, Departure, Dropped};
use crate::dispatcher::{Dispatcher, PACKETS_MAX};
use crate::engine::{Around, Ended, Engine, Outbox, WINDOW_CYCLES};
use crate::error::OfferError;
use crate::geometry::{LINE, MAX_PACKET, MIN_PACKET, PORTS};
use crate::id::ProgramId;
use crate::map::port::WINDOW_MAX;
use crate::map::unit::{Arrived, ID_SHIFT, MapUnit};
use crate::op::Op;
use crate::packet::FAR_LINES_MAX;
use crate::packets::{NONE, Outcome, PacketId, Packets, Record, Wants};
use crate::program::Programs;
use crate::reclaim::Reclaim;
use crate::restorer::Restorer;
use crate::trace::{Off, Trace};
use crate::{flow, verdict};

/// Seed of the map unit's keyed hash if none is given.
pub(crate) const SEED: u64 = 0x6f66_6677_6972_6500;

/// How the device goes from cycle to cycle. The results are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduler {
    /// From event to event; contexts run ahead to their next word that others could see.
    #[default]
    Fast,
    /// Every block in every cycle; the oracle of the fast one.
    Plain,
}

/// What happens to a packet that finds the ingress FIFO full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// It is dropped and counted, as a port does.
    #[default]
    Drop,
    /// It waits outside, and those behind it too, as with flow control on the link; for measuring the sustained rate.
    Hold,
}

/// A program on a port, and what it serialises.
pub(crate) type Attached = (ProgramId, DispatchMode);

/// A device: maps, programs, and ports that programs are attached to.
///
/// All calls are legal at any time, between two cycles; what is on its way goes on. [`Device::load`] alone, which replaces
/// everything, wants an idle device.
#[derive(Clone, Debug)]
pub struct Device<T: Trace = Off> {
    pub(crate) profile: &'static Profile,
    pub(crate) programs: Programs,
    /// Programs by port.
    pub(crate) attached: [Option<Attached>; PORTS as usize],
    pub(crate) ports: Vec<PortCounters>,
    pub(crate) reclaim: Reclaim,
    engines: Vec<Engine>,
    /// For each engine the next cycle at which something happens there.
    due: Vec<u64>,
    pub(crate) map: MapUnit,
    dispatcher: Dispatcher,
    restorer: Restorer,
    packets: Packets,
    /// Packets that have not come yet.
    pending: VecDeque<PacketId>,
    arrived: Vec<Arrived>,
    /// Packets without a program that are placed in this cycle.
    passed: Vec<PacketId>,
    outbox: Outbox,
    departures: VecDeque<Departure>,
    /// The next cycle to be run.
    now: u64,
    /// One more than the last cycle at which a packet departed.
    departed: u64,
    last_arrival: u64,
    next_seq: u64,
    /// Counters of the ports; those of the blocks are theirs.
    counted: Counters,
    scheduler: Scheduler,
    admission: Admission,
    pub(crate) seed: u64,
    clock: Clock,
    /// Packets that found the ingress FIFO full, if somebody wants to know.
    drops: Option<Vec<Dropped>>,
    /// Where random numbers start after a reset, if not at the seed.
    random: Option<u64>,
    trace: T,
}

/// Packets that dispatcher and restorer handle per cycle: as many as the ports bring in frames of least size (84 B on the wire).
fn width(profile: &Profile) -> u32 {
    let frames = u64::from(profile.port_gbps) * 1000 / (84 * 8);
    frames.div_ceil(u64::from(profile.clock_mhz.max(1))).clamp(1, 16) as u32
}

/// Cycles that all blocks can run one after the other without one missing what another does in them: the shortest way from
/// the engines to the map unit, and from the dispatcher to the engines.
fn lookahead(profile: &Profile) -> u64 {
    let to_map = u64::from(profile.pipeline_depth) + u64::from(profile.map_request_cycles.max(1));
    to_map.min(u64::from(profile.packet_store_cycles.max(1))).min(WINDOW_CYCLES)
}

/// True if the device has the request; `load` refuses words that make another one.
#[doc(hidden)]
pub fn serves(op: RequestOp) -> bool {
    Op::serves(op) || MapUnit::serves(op)
}

impl Device {
    /// A device without a program.
    ///
    /// # Panics
    /// If the profile asks for what no device can be built with; the profiles of `offwire_isa` do not.
    pub fn new(profile: &'static Profile) -> Self {
        Device::with_trace(profile, Off)
    }
}

impl<T: Trace> Device<T> {
    /// A device whose events go to `trace`.
    ///
    /// # Panics
    /// As [`Device::new`].
    pub fn with_trace(profile: &'static Profile, trace: T) -> Self {
        assert!((1..=64).contains(&profile.contexts_per_engine), "1 to 64 contexts per engine");
        assert!((1..=128).contains(&profile.engines), "1 to 128 engines");
        assert!((1..=64).contains(&profile.map_banks), "1 to 64 map banks");
        let powers = [profile.map_banks, profile.map_bank_bytes, profile.packet_bus_bytes];
        assert!(powers.iter().all(|width| width.is_power_of_two()), "widths and banks are powers of two");
        assert!((32..=WINDOW_MAX as u32).contains(&profile.value_window_bytes), "a value window of 32 to 64 B");
        assert!((4..=FAR_LINES_MAX as u32).contains(&profile.far_lines), "4 to 16 far lines");
        assert!((64..=4096).contains(&profile.packet_window_bytes), "a packet window of 64 to 4096 B");
        assert!(profile.packet_window_bytes.is_multiple_of(LINE), "a packet window of whole lines");
        assert!(profile.pipeline_depth >= 1 && profile.restorer_entries >= 1 && profile.ingress_fifo_packets >= 1);
        assert!((1..=65536).contains(&profile.vcpus) && profile.order_buckets >= 1);
        assert!(profile.restorer_entries + profile.ingress_fifo_packets <= PACKETS_MAX, "16,383 packets");
        let width = width(profile);
        let mut map = MapUnit::new(profile, SEED);
        map.random.set(SEED);
        Device {
            profile,
            programs: Programs::default(),
            attached: [None; PORTS as usize],
            ports: vec![PortCounters::default(); usize::from(PORTS)],
            reclaim: Reclaim::default(),
            engines: (0..profile.engines).map(|number| Engine::new(number as u16, profile)).collect(),
            due: vec![u64::MAX; profile.engines as usize],
            map,
            dispatcher: Dispatcher::new(profile, width),
            restorer: Restorer::new(profile.restorer_entries, profile.order_buckets, width),
            packets: Packets::default(),
            pending: VecDeque::new(),
            arrived: Vec::new(),
            passed: Vec::new(),
            outbox: Outbox::new(),
            departures: VecDeque::new(),
            now: 0,
            departed: 0,
            last_arrival: 0,
            next_seq: 0,
            counted: Counters::default(),
            scheduler: Scheduler::Fast,
            admission: Admission::Drop,
            seed: SEED,
            clock: Clock::new(profile.clock_mhz),
            drops: None,
            random: None,
            trace,
        }
    }

    /// The profile.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Chooses the scheduler; the results are the same.
    pub fn set_scheduler(&mut self, scheduler: Scheduler) {
        self.scheduler = scheduler;
    }

    /// Chooses what happens to packets that find the ingress FIFO full.
    pub fn set_admission(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// Keys the index hash from the next `load` or reset on, or at once while there is no map. A card draws its seed at reset; here
    /// runs repeat.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
        if self.map.table.objects.is_empty() {
            self.map.table.set_seed(seed);
        }
    }

    /// Makes repeatable what programs cannot know before: from now on time (`ktime_ns`) and ticks (`jiffies`) stand still until
    /// the next call, and random numbers go on from `random_state`. A device of which this was never asked counts time and ticks
    /// (250 a second) from `load`. It holds beyond `load`.
    pub fn set_chance(&mut self, ktime_ns: u64, jiffies: u64, random_state: u64) {
        self.clock.fix(ktime_ns, jiffies);
        self.random = Some(random_state);
        self.map.random.set(random_state);
    }

    /// The sink of events.
    pub fn trace(&self) -> &T {
        &self.trace
    }

    /// The sink of events.
    pub fn trace_mut(&mut self) -> &mut T {
        &mut self.trace
    }

    /// The device as after power on, whatever is in it: no maps, no programs, no packets; the first cycle is 0. Scheduler,
    /// admission, seed and [`Device::set_chance`] stay.
    pub fn reset_all(&mut self) {
        self.reset(MapUnit::new(self.profile, self.seed), Programs::default());
    }

    /// The same with maps and programs. Departures that nobody took are gone.
    pub(crate) fn reset(&mut self, map: MapUnit, programs: Programs) {
        let profile = self.profile;
        let width = width(profile);
        self.programs = programs;
        self.attached = [None; PORTS as usize];
        self.ports.fill(PortCounters::default());
        self.reclaim = Reclaim::default();
        self.pending.clear();
        self.arrived.clear();
        self.outbox = Outbox::new();
        self.engines = (0..profile.engines).map(|number| Engine::new(number as u16, profile)).collect();
        self.due.fill(u64::MAX);
        self.map = map;
        self.map.random.set(self.random.unwrap_or(self.seed));
        self.dispatcher = Dispatcher::new(profile, width);
        self.restorer = Restorer::new(profile.restorer_entries, profile.order_buckets, width);
        self.packets = Packets::default();
        self.departures.clear();
        self.now = 0;
        self.departed = 0;
        self.last_arrival = 0;
        self.next_seq = 0;
        self.counted = Counters::default();
        if let Some(drops) = &mut self.drops {
            drops.clear();
        }
    }

    /// A packet will arrive. Arrivals are offered in ascending order of their cycles. Returns the packet's number.
    pub fn offer(&mut self, arrival: Arrival) -> Result<u64, OfferError> {
        let Arrival { cycle, port, ingress_ifindex, rx_queue, bytes, vcpu } = arrival;
        if !(MIN_PACKET as usize..=MAX_PACKET as usize).contains(&bytes.len()) {
            return Err(OfferError::Length(bytes.len()));
        }
        if port >= PORTS {
            return Err(OfferError::Port(port));
        }
        if let Some(vcpu) = vcpu.filter(|&vcpu| u32::from(vcpu) >= self.profile.vcpus) {
            return Err(OfferError::Vcpu(vcpu));
        }
        let earliest = self.now.max(self.last_arrival);
        if cycle < earliest {
            return Err(OfferError::Past { cycle, now: earliest });
        }
        // A packet stays for less than its budget and what it waits for others; half of the range is left for that.
        if cycle >= CYCLES / 2 {
            return Err(OfferError::Future(cycle));
        }
        self.last_arrival = cycle;
        let bucket = flow::hash(&bytes) % self.profile.order_buckets;
        let seq = self.next_seq;
        self.next_seq += 1;
        let vcpu = vcpu.unwrap_or((bucket % self.profile.vcpus) as u16);
        let out = Outcome::new(seq, port, cycle, bytes);
        let wants = Wants { bucket, vcpu, mode: DispatchMode::Any };
        let record = Record { out, ingress_ifindex, rx_queue, wants, epoch: 0, next: NONE, done: false };
        self.pending.push_back(self.packets.add(record));
        Ok(seq)
    }

    /// Offers one packet now, waits until the device is idle and takes the packet's departure; its arrival cycle is ignored.
    pub fn run_one(&mut self, arrival: Arrival) -> Result<Departure, OfferError> {
        let seq = self.offer(Arrival { cycle: self.now.max(self.last_arrival), ..arrival })?;
        self.run_until_idle();
        match self
            .departures
            .iter()
            .position(|departure| departure.seq == seq)
            .and_then(|at| self.departures.remove(at))
        {
            Some(departure) => Ok(departure),
            // The packet found a full FIFO behind packets offered before it.
            None => Err(OfferError::Dropped),
        }
    }

    /// The next cycle to be run.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// True if no packet is offered, waiting, running or on its way out, and no write is on its way to a map.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.restorer.is_empty() && self.dispatcher.is_empty() && self.map.is_idle()
    }

    /// The packets that have left and were not yet taken, in the order in which they left.
    pub fn departures(&mut self) -> std::collections::vec_deque::Drain<'_, Departure> {
        self.departures.drain(..)
    }

    /// Runs one cycle.
    pub fn step(&mut self) {
        self.run_until(self.now + 1);
    }

    /// Runs all cycles before `cycle`.
    pub fn run_until(&mut self, cycle: u64) {
        while self.now < cycle {
            self.advance(cycle);
        }
        self.reclaim.reap(&mut self.map, &mut self.programs);
    }

    /// Runs until all offered packets have left and all their writes are done; `now` is the cycle after that.
    pub fn run_until_idle(&mut self) {
        if self.is_idle() {
            return;
        }
        while !self.is_idle() && self.advance(u64::MAX) {}
        // The last window may have gone on for a while after that.
        self.now = self.departed.max(self.map.last);
        self.reclaim.reap(&mut self.map, &mut self.programs);
    }

    /// As [`Device::run_until_idle`], but for at most so many windows of cycles and to no cycle from `to` on. Returns true if the
    /// device is idle.
    pub fn run_share(&mut self, windows: u32, to: u64) -> bool {
        if self.is_idle() {
            return true;
        }
        let mut left = windows;
        while left > 0 && self.now < to && !self.is_idle() && self.advance(to) {
            left -= 1;
        }
        let idle = self.is_idle();
        if idle {
            self.now = self.departed.max(self.map.last);
        }
        self.reclaim.reap(&mut self.map, &mut self.programs);
        idle
    }

    /// The next cycle at which something happens in a device that is not idle.
    pub fn next_event(&self) -> u64 {
        self.next_due()
    }

    /// From now on packets that find the ingress FIFO full can be taken from [`Device::drops`].
    pub fn report_drops(&mut self) {
        self.drops.get_or_insert_default();
    }

    /// The packets that found the ingress FIFO full and were not yet taken.
    pub fn drops(&mut self) -> std::vec::Drain<'_, Dropped> {
        self.drops.get_or_insert_default().drain(..)
    }

    /// The time that programs see goes on from `ns` now, also if it stood still.
    pub fn set_ktime(&mut self, ns: u64) {
        self.clock.set(self.now, ns);
    }

    /// The time that programs see now, ns.
    pub fn ktime_ns(&self) -> u64 {
        self.clock.ktime_ns(self.now)
    }

    /// True if nothing is in the device, see [`Device::is_idle`], and nothing is still being freed.
    pub fn quiesced(&self) -> bool {
        self.is_idle() && self.reclaim.pending() == crate::PendingFrees::default()
    }

    /// Goes on to the next event and runs a window of cycles from there, at most to `to` (not with it). Returns false if nothing
    /// will ever happen.
    fn advance(&mut self, to: u64) -> bool {
        match self.scheduler {
            Scheduler::Plain => self.window::<false>(self.now + 1),
            Scheduler::Fast => {
                let due = self.next_due();
                debug_assert!(due != u64::MAX || to != u64::MAX, "busy without a next event");
                if due.min(to) == u64::MAX {
                    return false;
                }
                self.now = due.min(to);
                let lookahead = if T::ON { 1 } else { lookahead(self.profile) };
                let end = self.now.saturating_add(lookahead).min(to);
                if self.now < end {
                    self.window::<true>(end);
                }
            }
        }
        true
    }

    /// The next cycle at which something happens, at least now.
    fn next_due(&self) -> u64 {
        let now = self.now;
        if self.dispatcher.can_place(self.restorer.is_full()) {
            return now;
        }
        let due = self.due.iter().fold(u64::MAX, |due, &engine| due.min(engine));
        if due <= now {
            return now;
        }
        due.min(self.arrives()).min(self.restorer.due()).min(self.map.due()).max(now)
    }

    /// Runs all blocks from `now` to `to` (not with it), one after the other.
    ///
    /// A window is never longer than the shortest way from one block to another that runs before it: what the map unit gets
    /// from the engines has been on its way for a pipe and a request way, what the engines get from the dispatcher has been in
    /// the packet store. What goes the other way is handed over cycle by cycle.
    fn window<const FAST: bool>(&mut self, to: u64) {
        let from = self.now;
        self.map.advance(from);
        let mut cycle = from;
        while cycle < to {
            if FAST && !self.map.may_be_due(cycle) {
                cycle = self.map.due().max(cycle);
                if cycle >= to {
                    break;
                }
            }
            self.map.step(cycle, &mut self.arrived, &mut self.trace);
            for Arrived { id, beats } in self.arrived.drain(..) {
                let engine = usize::from(id >> ID_SHIFT);
                let ready = self.engines[engine].answer(cycle, id, beats);
                self.due[engine] = self.due[engine].min(ready);
            }
            cycle += 1;
        }

        self.outbox.start(from);
        let mut around = Around {
            programs: &self.programs.running,
            clock: self.clock,
            map: &mut self.map,
            packets: &mut self.packets,
            out: &mut self.outbox,
            trace: &mut self.trace,
        };
        for (engine, due) in self.engines.iter_mut().zip(&mut self.due) {
            if !FAST {
                *due = engine.run::<T, FAST>(from, to, &mut around);
            } else if *due < to {
                *due = engine.run::<T, FAST>(*due, to, &mut around);
            }
        }

        self.settle::<FAST>(from, to);
        self.now = to;
    }

    /// Dispatcher, ports and restorer from `from` to `to` (not with it).
    fn settle<const FAST: bool>(&mut self, from: u64, to: u64) {
        let mut cycle = from;
        loop {
            let full = self.restorer.is_full();
            let places = self.dispatcher.can_place(full);
            if FAST && !places {
                cycle = self.arrives().min(self.restorer.due()).min(self.outbox.due()).max(cycle);
            }
            if cycle >= to {
                break;
            }
            if places {
                self.dispatcher.account(cycle, full);
                self.place(cycle);
            } else {
                // Nothing changes before the dispatcher's turn in this cycle either.
                self.dispatcher.account(cycle + 1, full);
            }
            if self.arrives() <= cycle {
                self.arrive(cycle);
            }
            if self.outbox.due() == cycle {
                self.collect(cycle);
            }
            if self.restorer.due() <= cycle {
                self.depart(cycle);
            }
            cycle += 1;
        }
    }

    /// When the next packet enters the ingress FIFO, as far as can be told now.
    #[inline(always)]
    fn arrives(&self) -> u64 {
        match self.pending.front() {
            Some(&id) if self.admission == Admission::Drop || self.dispatcher.has_room() => {
                self.packets.get(id).out.arrival
            }
            _ => u64::MAX,
        }
    }

    /// The dispatcher's cycle.
    fn place(&mut self, cycle: u64) {
        let mut placed = 0;
        while let Some((id, engine)) = self.dispatcher.place(placed, self.restorer.is_full()) {
            placed += 1;
            self.packets.get_mut(id).out.dispatched = cycle;
            self.restorer.reserve(id, &mut self.packets);
            let Some(engine) = engine.map(usize::from) else {
                self.passed.push(id);
                continue;
            };
            let at = self.engines[engine].dispatch(cycle, id);
            self.due[engine] = self.due[engine].min(at);
        }
        self.dispatcher.placed(cycle);
        // A packet without a program is done at once.
        for id in self.passed.drain(..) {
            let record = self.packets.get_mut(id);
            record.out.exited = cycle;
            record.out.retval = verdict::PASS;
            let wants = record.wants;
            self.dispatcher.release(wants, &mut self.packets);
            self.restorer.done(cycle, id, &mut self.packets);
        }
    }

    /// Packets whose cycle has come enter the ingress FIFO.
    fn arrive(&mut self, cycle: u64) {
        while let Some(&id) = self.pending.front() {
            let room = self.dispatcher.has_room();
            if self.packets.get(id).out.arrival > cycle || (self.admission == Admission::Hold && !room) {
                break;
            }
            self.pending.pop_front();
            let record = self.packets.get_mut(id);
            let port = usize::from(record.out.port);
            let counters = &mut self.ports[port];
            counters.arrivals += 1;
            counters.arrived_bytes += record.out.bytes.len() as u64;
            self.counted.arrivals += 1;
            if room {
                // A packet's program is the one that is attached now.
                if let Some((program, mode)) = self.attached[port] {
                    record.out.program = Some(program);
                    self.programs.inside[program.index()] += 1;
                    record.wants.mode = mode;
                }
                record.epoch = self.reclaim.epochs.enter();
                self.dispatcher.arrive(id, &mut self.packets);
            } else {
                self.counted.tail_drops += 1;
                counters.tail_drops += 1;
                if let Some(drops) = &mut self.drops {
                    drops.push(Dropped { seq: record.out.seq, port: record.out.port });
                }
                self.packets.remove(id);
            }
        }
    }

    /// What the engines told in this cycle.
    fn collect(&mut self, cycle: u64) {
        let Some(told) = self.outbox.hear(cycle) else { return };
        for ended in told.drain(..) {
            match ended {
                Ended::Exited { wants } => self.dispatcher.release(wants, &mut self.packets),
                Ended::Done { id, engine } => {
                    self.dispatcher.context_freed(engine);
                    self.restorer.done(cycle, id, &mut self.packets);
                }
            }
        }
    }

    /// The restorer's cycle.
    fn depart(&mut self, cycle: u64) {
        let (counted, departures, departed) = (&mut self.counted, &mut self.departures, &mut self.departed);
        let (map, ports, programs) = (&mut self.map, &mut self.ports, &mut self.programs);
        let epochs = &mut self.reclaim.epochs;
        self.restorer.step(cycle, &mut self.packets, |id, packets| {
            let record = packets.get_mut(id);
            epochs.leave(record.epoch);
            let departure = record.out.depart(cycle);
            packets.remove(id);
            let verdict = (departure.retval as usize).min(verdict::REDIRECT as usize + 1);
            counted.verdicts[verdict] += 1;
            let (bytes, fault) = (departure.bytes.len(), departure.fault);
            ports[usize::from(departure.port)].left.count(verdict, bytes, fault);
            if let Some(program) = departure.program {
                programs.counters[program.index()].count(verdict, bytes, fault);
                programs.inside[program.index()] -= 1;
            }
            if let Some(fault) = departure.fault {
                counted.faults[fault.cause as usize] += 1;
                counted.first_fault.get_or_insert((departure.seq, fault));
            }
            map.departed(cycle, departure.seq);
            departures.push_back(departure);
            *departed = cycle + 1;
        });
    }

    /// All counters since `load`, up to now.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counted.clone();
        counters.cycles = self.now;
        counters.dispatched = self.dispatcher.placed;
        counters.stalls = self.dispatcher.counted(self.now, self.restorer.is_full());
        for engine in self.engine_counters() {
            counters.slots.add(&engine);
        }
        counters.map = self.map.counters;
        counters
    }

    /// Issue slots of each engine, up to now.
    pub fn engine_counters(&self) -> Vec<crate::SlotCounters> {
        self.engines.iter().map(|engine| engine.counted(self.now)).collect()
    }
}
