//! The map unit: index banks by key hash, value banks by element, a FIFO before each.
//!
//! An operation takes effect when it comes to the head of its bank. Within a cycle: first what was on its way, in the order of
//! [`Kind`], then the index banks start in ascending order, then the value banks. docs/device.md has the same in prose.

use std::collections::VecDeque;

use offwire_isa::{Handle, Profile, RequestOp};

use super::port::{Port, Posted, PostedKind, ValueAddress};
use super::table::Table;
use crate::calendar::Calendar;
use crate::chance::Generator;
use crate::context::{load, store};
use crate::counters::MapCounters;
use crate::trace::{self, SharedOp, Trace};
use offwire_image::MapKind;

/// Answers of the kernel's map operations.
pub(crate) mod errno {
    pub(crate) const NOENT: i32 = -2;
    pub(crate) const TOOBIG: i32 = -7;
    pub(crate) const EXIST: i32 = -17;
    pub(crate) const INVAL: i32 = -22;
}

/// A context of the device: the engine's number, then [`ID_SHIFT`] bits for the context.
pub(crate) type ContextId = u16;
/// Bits of a [`ContextId`] that name the context of the engine.
pub(crate) const ID_SHIFT: u32 = 6;

/// What happens in the map unit at a known cycle. Within a cycle things happen in the order of this list.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A hash update's value is written: the index is swapped. Number: the index bank.
    Swap,
    /// The index gave an element: on to its value bank. Number: the index bank.
    Indexed,
    /// An operand was read from a value. Number: the value bank.
    Fetched,
    /// A posted write arrives. Number: the engine.
    Posted,
    /// A request, or a read for a value window, arrives. Number: the engine; a word's own posted write comes first.
    Request,
    Read,
    /// What a packet still held when it ended comes back. Number: the engine.
    Release,
    /// The host has read a record of a ring buffer. Number: 0.
    Consumed,
    /// An answer arrives at its engine. Number: the bank it comes from, value banks after the index banks.
    Answer,
}

/// Something on its way to, in or from the map unit.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// Order within a cycle: kinds, then their numbers.
    order: u16,
    kind: Kind,
    id: ContextId,
    /// The credit of a posted write; the cycles that an answer takes of the answer port.
    extra: u16,
}

impl Event {
    #[inline(always)]
    fn new(kind: Kind, number: u16, id: ContextId, extra: u16) -> Self {
        let order = match kind {
            Kind::Swap => number,
            Kind::Indexed => 1 << 8 | number,
            Kind::Fetched => 2 << 8 | number,
            Kind::Posted => 3 << 8 | number << 1,
            Kind::Request | Kind::Read | Kind::Release => 3 << 8 | number << 1 | 1,
            Kind::Consumed => 4 << 8 | number,
            Kind::Answer => 5 << 8 | number,
        };
        Event { order, kind, id, extra }
    }
}

/// Work of a value bank.
#[derive(Clone, Copy, Debug)]
enum Job {
    Posted {
        id: ContextId,
        credit: u8,
    },
    Window {
        id: ContextId,
    },
    Write {
        id: ContextId,
        index_bank: Option<u8>,
    },
    FetchKey {
        id: ContextId,
    },
    /// Packet bytes into a value (`LoadBytes`).
    Copy {
        id: ContextId,
    },
    FetchValue {
        id: ContextId,
    },
}

#[derive(Clone, Debug)]
struct Bank<J> {
    queue: VecDeque<(u64, J)>,
    /// First cycle at which the next operation can start.
    free: u64,
}

impl<J: Copy> Bank<J> {
    fn new() -> Self {
        Bank { queue: VecDeque::new(), free: 0 }
    }
}

/// An answer that arrives at its engine now and takes so many cycles of the engine's answer port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub id: ContextId,
    pub beats: u32,
}

/// Latencies and widths; see the profile.
#[derive(Clone, Copy, Debug)]
struct Timing {
    index: u64,
    value: u64,
    random: u64,
    request: u64,
    depth: u64,
    packet_store: u64,
    /// Logarithm of the bytes that a bank moves in a cycle.
    bank_bytes: u32,
    window: u32,
    /// A power of two.
    banks: u32,
    vcpus: u32,
}

/// The map unit.
#[derive(Clone, Debug)]
pub(crate) struct MapUnit {
    pub table: Table,
    pub ports: Vec<Port>,
    pub counters: MapCounters,
    pub random: Generator,
    /// One more than the last cycle at which anything happened here.
    pub last: u64,
    events: Calendar<Event>,
    now_due: Vec<Event>,
    /// Ring buffer and bytes of records that the host has read, on their way here.
    consumed: VecDeque<(u8, u32)>,
    index_banks: Vec<Bank<ContextId>>,
    value_banks: Vec<Bank<Job>>,
    /// Banks with something in their queue.
    index_waiting: u64,
    value_waiting: u64,
    timing: Timing,
}

/// What an update asks of the key, and its flags argument.
fn update_flags(op: RequestOp) -> u64 {
    match op {
        RequestOp::UpdateNoExist => 1,
        RequestOp::UpdateExist => 2,
        _ => 0,
    }
}

fn negative(errno: i32) -> u64 {
    i64::from(errno) as u64
}

impl MapUnit {
    pub(crate) fn new(profile: &Profile) -> Self {
        MapUnit {
            table: Table::empty(),
            ports: (0..profile.engines << ID_SHIFT).map(|_| Port::new()).collect(),
            counters: MapCounters::default(),
            random: Generator::new(0),
            last: 0,
            events: Calendar::new(),
            now_due: Vec::new(),
            consumed: VecDeque::new(),
            index_banks: (0..profile.map_banks).map(|_| Bank::new()).collect(),
            value_banks: (0..profile.map_banks).map(|_| Bank::new()).collect(),
            index_waiting: 0,
            value_waiting: 0,
            timing: Timing {
                index: u64::from(profile.map_index_cycles.max(1)),
                value: u64::from(profile.map_value_cycles.max(1)),
                random: u64::from(profile.random_cycles),
                request: u64::from(profile.map_request_cycles.max(1)),
                depth: u64::from(profile.pipeline_depth),
                packet_store: u64::from(profile.packet_store_cycles),
                bank_bytes: profile.map_bank_bytes.ilog2(),
                window: profile.value_window_bytes,
                banks: profile.map_banks,
                vcpus: profile.vcpus,
            },
        }
    }

    /// True if the map unit has the request.
    pub(crate) fn serves(op: RequestOp) -> bool {
        use RequestOp::*;
        matches!(op, Lookup | UpdateAny | UpdateNoExist | UpdateExist | Delete | Prandom)
    }

    /// True if nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.events.is_empty() && self.index_waiting == 0 && self.value_waiting == 0
    }

    /// False if surely nothing happens here at `cycle`, which is the next cycle or one after it up to the next event.
    #[inline(always)]
    pub(crate) fn may_be_due(&self, cycle: u64) -> bool {
        self.index_waiting | self.value_waiting != 0 || self.events.is_due(cycle)
    }

    /// The next cycle at which something happens here.
    pub(crate) fn due(&self) -> u64 {
        let mut due = self.events.next().unwrap_or(u64::MAX);
        let mut banks = self.index_waiting;
        while banks != 0 {
            due = due.min(self.index_banks[banks.trailing_zeros() as usize].free);
            banks &= banks - 1;
        }
        let mut banks = self.value_waiting;
        while banks != 0 {
            due = due.min(self.value_banks[banks.trailing_zeros() as usize].free);
            banks &= banks - 1;
        }
        due
    }

    /// A word that leaves the pipe at `leaves` posted a write.
    pub(crate) fn post(&mut self, leaves: u64, credit: u8, id: ContextId) {
        self.ports[usize::from(id)].credits[usize::from(credit)] = u64::MAX;
        self.events.push(leaves + self.timing.request, Event::new(Kind::Posted, id >> ID_SHIFT, id, credit.into()));
    }

    /// A word that leaves the pipe at `leaves` sent a request; `late` if its operands come from the packet store.
    pub(crate) fn request(&mut self, leaves: u64, late: bool, id: ContextId) {
        let late = if late { self.timing.packet_store } else { 0 };
        self.events.push(leaves + late + self.timing.request, Event::new(Kind::Request, id >> ID_SHIFT, id, 0));
    }

    /// A refused word that leaves the pipe at `leaves` wants a value window.
    pub(crate) fn read(&mut self, leaves: u64, id: ContextId) {
        self.ports[usize::from(id)].reads = true;
        self.events.push(leaves + self.timing.request, Event::new(Kind::Read, id >> ID_SHIFT, id, 0));
    }

    /// A packet that holds something has ended at `ended`: it is here a pipe and a request way later, so that a window of cycles
    /// never misses it.
    pub(crate) fn release(&mut self, ended: u64, id: ContextId) {
        let port = &mut self.ports[usize::from(id)];
        port.left.push_back(std::mem::take(&mut port.held));
        let at = ended + self.timing.depth + self.timing.request;
        self.events.push(at, Event::new(Kind::Release, id >> ID_SHIFT, id, 0));
    }

    /// A packet with a record has departed at `departed`; the host reads it at once, and tells the map unit as late as above.
    pub(crate) fn consume(&mut self, departed: u64, slot: u8, bytes: u32) {
        self.consumed.push_back((slot, bytes));
        let at = departed + self.timing.depth + self.timing.request;
        self.events.push(at, Event::new(Kind::Consumed, 0, 0, 0));
    }

    /// Tells that no cycle before `cycle` will come again.
    #[inline(always)]
    pub(crate) fn advance(&mut self, cycle: u64) {
        self.events.advance(cycle);
    }

    fn lines(&self, offset: u32, size: u32) -> u64 {
        let bank_bytes = self.timing.bank_bytes;
        u64::from(((offset + size - 1) >> bank_bytes) - (offset >> bank_bytes) + 1)
    }

    fn value_bank(&self, slot: u8, element: u32) -> usize {
        (element.wrapping_add(u32::from(slot)) & (self.timing.banks - 1)) as usize
    }

    fn queue_value(&mut self, cycle: u64, slot: u8, element: u32, job: Job) {
        let bank = self.value_bank(slot, element);
        self.value_waiting |= 1 << bank;
        self.value_banks[bank].queue.push_back((cycle, job));
    }

    fn answer(&mut self, at: u64, source: usize, id: ContextId, answer: u64) {
        self.ports[usize::from(id)].answer = answer;
        self.events.push(at + self.timing.request, Event::new(Kind::Answer, source as u16, id, 1));
    }

    /// One cycle. Answers that arrive at engines are added to `arrived`.
    pub(crate) fn step<T: Trace>(&mut self, cycle: u64, arrived: &mut Vec<Arrived>, trace: &mut T) {
        let mut due = std::mem::take(&mut self.now_due);
        self.events.take(cycle, &mut due);
        if !due.is_empty() || self.index_waiting | self.value_waiting != 0 {
            self.last = cycle + 1;
        }
        // A few at most, and stable.
        for at in 1..due.len() {
            let mut at = at;
            while at > 0 && due[at - 1].order > due[at].order {
                due.swap(at - 1, at);
                at -= 1;
            }
        }
        for &event in &due {
            self.happen(cycle, event, arrived, trace);
        }
        due.clear();
        self.now_due = due;
        let mut banks = self.index_waiting;
        while banks != 0 {
            let bank = banks.trailing_zeros() as usize;
            banks &= banks - 1;
            if self.index_banks[bank].free <= cycle {
                self.start_index(cycle, bank, trace);
            }
        }
        let mut banks = self.value_waiting;
        while banks != 0 {
            let bank = banks.trailing_zeros() as usize;
            banks &= banks - 1;
            if self.value_banks[bank].free <= cycle {
                self.start_value(cycle, bank, trace);
            }
        }
    }

    fn happen<T: Trace>(&mut self, cycle: u64, event: Event, arrived: &mut Vec<Arrived>, trace: &mut T) {
        let Event { order, kind, id, extra } = event;
        match kind {
            Kind::Swap => {
                let bank = usize::from(order & 0xff);
                let port = &self.ports[usize::from(id)];
                let contents = &mut self.table.contents[usize::from(port.slot)];
                if let Some(index) = &mut contents.index {
                    index.swap(&mut contents.elements, port.hash, &port.key, port.element);
                }
                self.index_banks[bank].free = cycle;
                self.note_update(cycle, id, 0, trace);
                self.answer(cycle, bank, id, 0);
            }
            Kind::Indexed => {
                let port = &mut self.ports[usize::from(id)];
                let (slot, element) = (port.slot, port.element);
                let job = if port.op == RequestOp::Lookup {
                    port.wanted = ValueAddress { slot, element, offset: 0 };
                    Job::Window { id }
                } else {
                    let bank = self.index_bank(id);
                    Job::Write { id, index_bank: Some(bank as u8) }
                };
                self.queue_value(cycle, slot, element, job);
            }
            Kind::Fetched => self.operands(cycle, id, trace),
            Kind::Posted => {
                let credit = extra as u8;
                let posted = &self.ports[usize::from(id)].posted[usize::from(credit)];
                self.queue_value(cycle, posted.slot, posted.element, Job::Posted { id, credit });
            }
            Kind::Request => {
                self.counters.requests += 1;
                self.operands(cycle, id, trace);
            }
            Kind::Read => {
                let at = self.ports[usize::from(id)].wanted;
                self.queue_value(cycle, at.slot, at.element, Job::Window { id });
            }
            // Nothing that the unit serves so far is held or read by the host.
            Kind::Release => {
                let _left = self.ports[usize::from(id)].left.pop_front();
            }
            Kind::Consumed => {
                let _record = self.consumed.pop_front();
            }
            Kind::Answer => arrived.push(Arrived { id, beats: u32::from(extra) }),
        }
    }

    /// A request that is here: reads the operands that lie in map values, then goes to its bank.
    fn operands<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        let port = &mut self.ports[usize::from(id)];
        if port.op == RequestOp::Prandom {
            let (number, start) = self.random.next(cycle);
            self.answer(start + self.timing.random, 0, id, number.into());
        } else if port.op == RequestOp::LoadBytes {
            let at = port.at;
            self.queue_value(cycle, at.slot, at.element, Job::Copy { id });
        } else if let Some(at) = port.key_from {
            self.queue_value(cycle, at.slot, at.element, Job::FetchKey { id });
        } else if let Some(at) = port.value_from {
            self.queue_value(cycle, at.slot, at.element, Job::FetchValue { id });
        } else if port.fetches {
            // Some 64 KiB at most, in lines of at least 1 B.
            let (at, size) = (port.at, port.key.len() as u32);
            let beats = self.lines(0, size);
            let source = self.timing.banks as usize + self.value_bank(at.slot, at.element);
            let arrives = cycle + self.timing.request;
            self.events.push(arrives, Event::new(Kind::Answer, source as u16, id, beats as u16));
        } else if self.table.infos[usize::from(port.slot)].kind == MapKind::Hash {
            port.hash = self.table.hash.hash(&port.key);
            let bank = self.index_bank(id);
            self.index_waiting |= 1 << bank;
            self.index_banks[bank].queue.push_back((cycle, id));
        } else {
            self.array(cycle, id, trace);
        }
    }

    fn index_bank(&self, id: ContextId) -> usize {
        let port = &self.ports[usize::from(id)];
        match &self.table.contents[usize::from(port.slot)].index {
            Some(index) => (index.bucket(port.hash) & (self.timing.banks - 1)) as usize,
            None => 0,
        }
    }

    /// A request to an array (`array_map_lookup_elem` and others of the kernel's kernel/bpf/arraymap.c): the index is a compare.
    fn array<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        let port = &mut self.ports[usize::from(id)];
        let slot = port.slot;
        let info = self.table.infos[usize::from(slot)];
        let key = load(&port.key, 4) as u32;
        let inside = key < info.max_entries;
        if inside {
            port.element = if info.kind.is_per_cpu() { key * self.timing.vcpus + u32::from(port.vcpu) } else { key };
        }
        let element = port.element;
        match port.op {
            RequestOp::Lookup => {
                self.counters.lookups += 1;
                self.counters.lookup_hits += u64::from(inside);
                let handle = if inside { Handle { slot, element, offset: 0 }.pack() } else { 0 };
                self.note(cycle, id, trace, |port| SharedOp::Lookup { key: &port.key, answer: handle });
                if inside {
                    let port = &mut self.ports[usize::from(id)];
                    port.answer = handle;
                    port.wanted = ValueAddress { slot, element, offset: 0 };
                    self.queue_value(cycle, slot, element, Job::Window { id });
                } else {
                    self.answer(cycle + 1, 0, id, 0);
                }
            }
            RequestOp::Delete => {
                self.counters.deletes += 1;
                self.note(cycle, id, trace, |port| SharedOp::Delete { key: &port.key, answer: errno::INVAL });
                self.answer(cycle + 1, 0, id, negative(errno::INVAL));
            }
            op => {
                self.counters.updates += 1;
                let refused = if !inside {
                    errno::TOOBIG
                } else if op == RequestOp::UpdateNoExist {
                    errno::EXIST
                } else {
                    0
                };
                if refused == 0 {
                    self.queue_value(cycle, slot, element, Job::Write { id, index_bank: None });
                } else {
                    self.note_update(cycle, id, refused, trace);
                    self.answer(cycle + 1, 0, id, negative(refused));
                }
            }
        }
    }

    /// The request at the head of an index bank takes effect.
    fn start_index<T: Trace>(&mut self, cycle: u64, bank: usize, trace: &mut T) {
        let Some((since, id)) = self.index_banks[bank].queue.pop_front() else { return };
        if self.index_banks[bank].queue.is_empty() {
            self.index_waiting &= !(1 << bank);
        }
        self.counters.index_conflicts += u64::from(since < cycle);
        self.counters.index_wait_cycles += cycle - since;
        let port = &mut self.ports[usize::from(id)];
        let slot = port.slot;
        let contents = &mut self.table.contents[usize::from(slot)];
        let Some(index) = &mut contents.index else { return };
        let beats = (port.key.len() as u64 + (1 << self.timing.bank_bytes) - 1) >> self.timing.bank_bytes;
        let found = match port.op {
            RequestOp::Delete => index.remove(&mut contents.elements, port.hash, &port.key),
            _ => index.find(&contents.elements, port.hash, &port.key),
        };
        let walked = cycle + u64::from(found.probes - 1) * beats;
        let ready = walked + self.timing.index;
        self.index_banks[bank].free = walked + beats;
        self.counters.index_busy_cycles += walked + beats - cycle;
        self.counters.index_probes += u64::from(found.probes);
        match port.op {
            RequestOp::Lookup => {
                self.counters.lookups += 1;
                self.counters.lookup_hits += u64::from(found.element.is_some());
                let answer = found.element.map_or(0, |element| Handle { slot, element, offset: 0 }.pack());
                port.answer = answer;
                port.element = found.element.unwrap_or(0);
                self.note(cycle, id, trace, |port| SharedOp::Lookup { key: &port.key, answer });
                if found.element.is_some() {
                    self.events.push(ready, Event::new(Kind::Indexed, bank as u16, id, 0));
                } else {
                    self.answer(ready, bank, id, 0);
                }
            }
            RequestOp::Delete => {
                self.counters.deletes += 1;
                let answer = if found.element.is_some() { 0 } else { errno::NOENT };
                self.note(cycle, id, trace, |port| SharedOp::Delete { key: &port.key, answer });
                self.answer(ready, bank, id, negative(answer));
            }
            op => {
                self.counters.updates += 1;
                let taken = match (op, found.element) {
                    (RequestOp::UpdateNoExist, Some(_)) => Err(errno::EXIST),
                    (RequestOp::UpdateExist, None) => Err(errno::NOENT),
                    (_, element) => index.reserve(&contents.elements, element.is_none()).ok_or(errno::TOOBIG),
                };
                match taken {
                    Ok(element) => {
                        port.element = element;
                        // The bank waits for the swap, so nobody sees the index in between.
                        self.index_banks[bank].free = u64::MAX;
                        self.events.push(ready, Event::new(Kind::Indexed, bank as u16, id, 0));
                    }
                    Err(errno) => {
                        self.note_update(cycle, id, errno, trace);
                        self.answer(ready, bank, id, negative(errno));
                    }
                }
            }
        }
    }

    /// The operation at the head of a value bank takes effect.
    fn start_value<T: Trace>(&mut self, cycle: u64, bank: usize, trace: &mut T) {
        let Some((since, job)) = self.value_banks[bank].queue.pop_front() else { return };
        if self.value_banks[bank].queue.is_empty() {
            self.value_waiting &= !(1 << bank);
        }
        self.counters.value_conflicts += u64::from(since < cycle);
        self.counters.value_wait_cycles += cycle - since;
        let source = self.timing.banks as usize + bank;
        let beats = match job {
            Job::Posted { id, credit } => {
                let port = &mut self.ports[usize::from(id)];
                port.credits[usize::from(credit)] = cycle + self.timing.request;
                let posted = port.posted[usize::from(credit)];
                self.write_posted(cycle, &posted, trace)
            }
            Job::Window { id } => {
                let at = self.ports[usize::from(id)].wanted;
                let value_size = self.table.infos[usize::from(at.slot)].value_size;
                let len = (value_size - at.offset).min(self.timing.window);
                let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, value_size);
                let bytes = &value[at.offset as usize..(at.offset + len) as usize];
                self.ports[usize::from(id)].window.fill(at, bytes);
                self.counters.value_reads += 1;
                self.note_read(cycle, id, at, len, trace);
                let beats = self.lines(at.offset, len);
                let arrives = cycle + self.timing.value + self.timing.request;
                self.events.push(arrives, Event::new(Kind::Answer, source as u16, id, beats as u16));
                beats
            }
            Job::Write { id, index_bank } => {
                let port = &self.ports[usize::from(id)];
                let size = port.value.len() as u32;
                self.table.contents[usize::from(port.slot)]
                    .elements
                    .value_mut(port.element, size)
                    .copy_from_slice(&port.value);
                let beats = self.lines(0, size);
                match index_bank {
                    Some(bank) => {
                        self.events.push(cycle + beats, Event::new(Kind::Swap, bank.into(), id, 0));
                    }
                    None => {
                        self.note_update(cycle, id, 0, trace);
                        self.answer(cycle + beats, source, id, 0);
                    }
                }
                beats
            }
            Job::Copy { id } => {
                let port = &self.ports[usize::from(id)];
                let (at, size) = (port.at, port.value.len() as u32);
                let value_size = self.table.infos[usize::from(at.slot)].value_size;
                let value = self.table.contents[usize::from(at.slot)].elements.value_mut(at.element, value_size);
                value[at.offset as usize..(at.offset + size) as usize].copy_from_slice(&port.value);
                self.counters.stores += 1;
                self.note(cycle, id, trace, |port| SharedOp::Store {
                    element: at.element,
                    offset: at.offset,
                    bytes: &port.value,
                });
                let beats = self.lines(at.offset, size);
                self.answer(cycle + beats, source, id, 0);
                beats
            }
            Job::FetchKey { id } | Job::FetchValue { id } => {
                let port = &mut self.ports[usize::from(id)];
                let (from, into) = match job {
                    Job::FetchKey { .. } => {
                        let len = port.key.len();
                        (port.key_from.take(), &mut port.key[..len])
                    }
                    _ => (port.value_from.take(), &mut port.value[..]),
                };
                let at = from.unwrap_or_default();
                let size = into.len() as u32;
                let value_size = self.table.infos[usize::from(at.slot)].value_size;
                let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, value_size);
                into.copy_from_slice(&value[at.offset as usize..(at.offset + size) as usize]);
                self.counters.value_reads += 1;
                self.note_read(cycle, id, at, size, trace);
                let beats = self.lines(at.offset, size);
                let at = cycle + self.timing.value + beats - 1;
                self.events.push(at, Event::new(Kind::Fetched, bank as u16, id, 0));
                beats
            }
        };
        self.counters.value_busy_cycles += beats;
        self.value_banks[bank].free = cycle + beats;
    }

    /// A posted write takes effect. Returns the cycles that the bank is busy with it; an add reads first, so it takes twice as many.
    fn write_posted<T: Trace>(&mut self, cycle: u64, posted: &Posted, trace: &mut T) -> u64 {
        let value_size = self.table.infos[usize::from(posted.slot)].value_size;
        let value = self.table.contents[usize::from(posted.slot)].elements.value_mut(posted.element, value_size);
        let (mut low, mut high) = (u32::MAX, 0);
        for (offset, size, operand) in posted.parts {
            if size > 0 {
                low = low.min(offset);
                high = high.max(offset + u32::from(size));
                let bytes = &mut value[offset as usize..];
                let new = match posted.kind {
                    PostedKind::Store => operand,
                    PostedKind::Add32 | PostedKind::Add64 => load(bytes, size).wrapping_add(operand),
                };
                store(bytes, size, new);
            }
        }
        let lines = self.lines(low, high - low);
        let beats = if posted.kind == PostedKind::Store {
            self.counters.stores += 1;
            lines
        } else {
            self.counters.adds += 1;
            2 * lines
        };
        if T::ON {
            for (offset, size, operand) in posted.parts {
                let bytes = operand.to_le_bytes();
                let element = posted.element;
                let op = match posted.kind {
                    _ if size == 0 => continue,
                    PostedKind::Store => SharedOp::Store { element, offset, bytes: &bytes[..usize::from(size)] },
                    PostedKind::Add32 | PostedKind::Add64 => SharedOp::Add { element, offset, size, value: operand },
                };
                let (seq, vcpu, map) = (posted.seq, posted.vcpu, posted.slot);
                trace.event(trace::Event::Shared { cycle, seq, vcpu, map, op });
            }
        }
        beats
    }

    fn note<'a, T: Trace>(
        &'a self,
        cycle: u64,
        id: ContextId,
        trace: &mut T,
        op: impl FnOnce(&'a Port) -> SharedOp<'a>,
    ) {
        if T::ON {
            let port = &self.ports[usize::from(id)];
            let (seq, vcpu, map) = (port.seq, port.vcpu, port.slot);
            trace.event(trace::Event::Shared { cycle, seq, vcpu, map, op: op(port) });
        }
    }

    fn note_update<T: Trace>(&self, cycle: u64, id: ContextId, answer: i32, trace: &mut T) {
        self.note(cycle, id, trace, |port| SharedOp::Update {
            key: &port.key,
            value: &port.value,
            flags: update_flags(port.op),
            answer,
        });
    }

    fn note_read<T: Trace>(&self, cycle: u64, id: ContextId, at: ValueAddress, len: u32, trace: &mut T) {
        if T::ON {
            let port = &self.ports[usize::from(id)];
            let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, at.offset + len);
            let op = SharedOp::Read { element: at.element, offset: at.offset, bytes: &value[at.offset as usize..] };
            trace.event(trace::Event::Shared { cycle, seq: port.seq, vcpu: port.vcpu, map: at.slot, op });
        }
    }
}
