//! The device: one cycle of all blocks, the two schedulers, and what users call.

use std::collections::VecDeque;

use offwire_image::{DispatchMode, Image, MapSpec};
use offwire_isa::{CodeAddr, ISA_VERSION, Profile, RequestOp, Word};

use crate::agenda::CYCLES;
use crate::chance::Clock;
use crate::counters::Counters;
use crate::departure::{Arrival, Departure};
use crate::dispatcher::Dispatcher;
use crate::engine::{Around, Ended, Engine, Outbox, Program, WINDOW_CYCLES};
use crate::error::{LoadError, MapError, OfferError};
use crate::geometry::{LINE, MAX_PACKET, MIN_PACKET};
use crate::map::control::{Entry, Update};
use crate::map::port::WINDOW_MAX;
use crate::map::table::{MapImage, Table};
use crate::map::unit::{Arrived, ID_SHIFT, MapUnit};
use crate::op::Op;
use crate::packet::FAR_LINES_MAX;
use crate::packets::{NONE, PacketId, Packets, Record};
use crate::restorer::Restorer;
use crate::trace::{Off, Trace};
use crate::{flow, verdict};

/// Ports of a device.
const PORTS: u16 = 64;

/// Seed of the map unit's keyed hash if none is given.
const SEED: u64 = 0x6f66_6677_6972_6500;

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

/// A device with at most one program.
///
/// Legal order: `load`, then any mix of `offer`, `run_until`, `run_until_idle`, `step`, `departures` and map operations; `load`
/// again while nothing is in flight.
#[derive(Clone, Debug)]
pub struct Device<T: Trace = Off> {
    profile: &'static Profile,
    program: Program,
    engines: Vec<Engine>,
    /// For each engine the next cycle at which something happens there.
    due: Vec<u64>,
    map: MapUnit,
    dispatcher: Dispatcher,
    restorer: Restorer,
    packets: Packets,
    /// Packets that have not come yet.
    pending: VecDeque<PacketId>,
    arrived: Vec<Arrived>,
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
    seed: u64,
    clock: Clock,
    /// Where the random numbers of the next `load` start, if not at the seed.
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
        let (contexts, width) = (profile.contexts_per_engine, width(profile));
        Device {
            profile,
            program: Program::default(),
            engines: (0..profile.engines).map(|number| Engine::new(number as u16, profile)).collect(),
            due: vec![u64::MAX; profile.engines as usize],
            map: MapUnit::new(profile),
            dispatcher: Dispatcher::new(profile.ingress_fifo_packets, profile.engines, contexts, width),
            restorer: Restorer::new(profile.restorer_entries, profile.order_buckets, width),
            packets: Packets::default(),
            pending: VecDeque::new(),
            arrived: Vec::new(),
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

    /// Keys the index hash of the next `load`. A card draws its seed at reset; here runs repeat.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
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

    /// The dispatch mode in force.
    pub fn dispatch_mode(&self) -> DispatchMode {
        self.dispatcher.mode()
    }

    /// Loads a program: code and maps are replaced, everything else is as after power on. `mode` overrides the image's dispatch
    /// mode; it is the user's to know that a looser one than the compiler proved may go wrong.
    ///
    /// An image that was not checked ([`Image::validate`]) may be loaded: the device refuses what it cannot run, and what is wrong
    /// beyond that hurts only the image's own packets.
    pub fn load(&mut self, image: &Image, mode: Option<DispatchMode>) -> Result<(), LoadError> {
        if image.isa_version != ISA_VERSION {
            return Err(LoadError::IsaVersion { image: image.isa_version, device: ISA_VERSION });
        }
        if image.profile_hash != self.profile.hash {
            return Err(LoadError::Profile { image: image.profile.clone(), device: self.profile.name });
        }
        let words = image
            .words
            .iter()
            .enumerate()
            .map(|(address, raw)| Word::decode(raw).map_err(|why| LoadError::BadWord { address, why }))
            .collect::<Result<Vec<_>, _>>()?;
        let programs: Vec<CodeAddr> = image.programs.iter().map(|program| program.entry).collect();
        let maps =
            MapImage { maps: &image.maps, links: &image.links, locks: &image.locks, programs: image.programs.len() };
        let mode = mode.unwrap_or(image.dispatch.mode);
        self.load_linked(&words, image.entry, &programs, maps, mode, image.budget_cycles)
    }

    /// Loads a program of decoded words; [`Device::load`] does it for an image.
    #[doc(hidden)]
    pub fn load_words(
        &mut self,
        words: &[Word],
        entry: CodeAddr,
        maps: &[MapSpec],
        mode: DispatchMode,
        budget_cycles: u32,
    ) -> Result<(), LoadError> {
        self.load_linked(words, entry, &[], MapImage { maps, ..MapImage::default() }, mode, budget_cycles)
    }

    /// The same with all that an image has; `programs` are the entries for tail calls.
    #[doc(hidden)]
    pub fn load_linked(
        &mut self,
        words: &[Word],
        entry: CodeAddr,
        programs: &[CodeAddr],
        maps: MapImage<'_>,
        mode: DispatchMode,
        budget_cycles: u32,
    ) -> Result<(), LoadError> {
        if !self.is_idle() {
            return Err(LoadError::Busy);
        }
        if words.is_empty() {
            return Err(LoadError::NoCode);
        }
        if words.len() as u64 > u64::from(self.profile.instruction_store_words) {
            return Err(LoadError::CodeSize { words: words.len(), store: self.profile.instruction_store_words });
        }
        if usize::from(entry.0) >= words.len() {
            return Err(LoadError::Entry { entry: entry.0, words: words.len() });
        }
        if budget_cycles == 0 {
            return Err(LoadError::NoBudget);
        }
        if let Some(program) = programs.iter().position(|program| usize::from(program.0) >= words.len()) {
            return Err(LoadError::Program { program, words: words.len() });
        }
        let ops = words
            .iter()
            .enumerate()
            .map(|(address, word)| match word.check() {
                Ok(()) if !serves(word.q_op) => Err(LoadError::Request { address, request: word.q_op.asm() }),
                Ok(()) => Ok(Op::new(word)),
                Err(why) => Err(LoadError::BadWord { address, why }),
            })
            .collect::<Result<_, _>>()?;
        let table = Table::new(maps, self.profile, self.seed)?;
        self.reset();
        self.program = Program {
            ops,
            entry: entry.0,
            programs: programs.iter().map(|program| program.0).collect(),
            budget: u64::from(budget_cycles.min(self.profile.packet_cycles_max)),
        };
        self.map.table = table;
        self.dispatcher.set_mode(mode, self.profile.vcpus, self.profile.order_buckets);
        Ok(())
    }

    /// All blocks as after power on. Departures that nobody took are gone.
    fn reset(&mut self) {
        let profile = self.profile;
        let (contexts, width) = (profile.contexts_per_engine, width(profile));
        self.engines = (0..profile.engines).map(|number| Engine::new(number as u16, profile)).collect();
        self.due.fill(u64::MAX);
        self.map = MapUnit::new(profile);
        self.map.random.set(self.random.unwrap_or(self.seed));
        self.dispatcher = Dispatcher::new(profile.ingress_fifo_packets, profile.engines, contexts, width);
        self.restorer = Restorer::new(profile.restorer_entries, profile.order_buckets, width);
        self.packets = Packets::default();
        self.departures.clear();
        self.now = 0;
        self.departed = 0;
        self.last_arrival = 0;
        self.next_seq = 0;
        self.counted = Counters::default();
    }

    /// A packet will arrive. Arrivals are offered in ascending order of their cycles. Returns the packet's number.
    pub fn offer(&mut self, arrival: Arrival) -> Result<u64, OfferError> {
        let Arrival { cycle, port, ingress_ifindex, rx_queue, bytes, vcpu } = arrival;
        if self.program.ops.is_empty() {
            return Err(OfferError::NoProgram);
        }
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
        let out = Departure {
            seq,
            port,
            retval: 0,
            bytes,
            meta: Vec::new(),
            events: Vec::new(),
            redirect: None,
            arrival: cycle,
            dispatched: 0,
            exited: 0,
            departed: 0,
            words: 0,
            slots: 0,
            fault: None,
        };
        let record = Record { out, ingress_ifindex, rx_queue, vcpu, bucket, next: NONE, done: false };
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
    }

    /// Runs until all offered packets have left and all their writes are done; `now` is the cycle after that.
    pub fn run_until_idle(&mut self) {
        if self.is_idle() {
            return;
        }
        while !self.is_idle() && self.advance(u64::MAX) {}
        // The last window may have gone on for a while after that.
        self.now = self.departed.max(self.map.last);
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
            program: &self.program,
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
            let engine = usize::from(engine);
            let at = self.engines[engine].dispatch(cycle, id);
            self.due[engine] = self.due[engine].min(at);
        }
        self.dispatcher.placed(cycle);
    }

    /// Packets whose cycle has come enter the ingress FIFO.
    fn arrive(&mut self, cycle: u64) {
        while let Some(&id) = self.pending.front() {
            let room = self.dispatcher.has_room();
            if self.packets.get(id).out.arrival > cycle || (self.admission == Admission::Hold && !room) {
                break;
            }
            self.pending.pop_front();
            self.counted.arrivals += 1;
            if room {
                self.dispatcher.arrive(id, &mut self.packets);
            } else {
                self.counted.tail_drops += 1;
                self.packets.remove(id);
            }
        }
    }

    /// What the engines told in this cycle.
    fn collect(&mut self, cycle: u64) {
        let Some(told) = self.outbox.hear(cycle) else { return };
        for ended in told.drain(..) {
            match ended {
                Ended::Exited { id } => self.dispatcher.release(id, &self.packets),
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
        let map = &mut self.map;
        self.restorer.step(cycle, &mut self.packets, |id, packets| {
            let out = &mut packets.get_mut(id).out;
            let [bytes, meta] = [&mut out.bytes, &mut out.meta].map(std::mem::take);
            let departure = Departure { bytes, meta, events: std::mem::take(&mut out.events), departed: cycle, ..*out };
            packets.remove(id);
            counted.verdicts[(departure.retval as usize).min(verdict::REDIRECT as usize + 1)] += 1;
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

    /// The value of a key; of a per-CPU map the copy of vCPU `cpu`.
    pub fn map_lookup(&self, slot: usize, key: &[u8], cpu: u16) -> Result<Option<Vec<u8>>, MapError> {
        self.map.table.lookup(slot, key, cpu, self.profile.vcpus)
    }

    /// Sets the value of a key. A per-CPU map takes a value for each vCPU from 0 on; vCPUs without one get zeros.
    pub fn map_update(&mut self, slot: usize, key: &[u8], values: &[Vec<u8>], update: Update) -> Result<(), MapError> {
        self.map.table.update(slot, key, values, update, self.profile.vcpus)
    }

    /// Takes a key out of a map.
    pub fn map_delete(&mut self, slot: usize, key: &[u8]) -> Result<(), MapError> {
        self.map.table.delete(slot, key, self.profile.vcpus)
    }

    /// All entries of a map: of arrays in order of the index, else in order of the key's bytes.
    pub fn map_entries(&self, slot: usize) -> Result<Vec<Entry>, MapError> {
        self.map.table.entries(slot, self.profile.vcpus)
    }
}
