//! The map unit: index banks by key hash, value banks by element, a FIFO before each.
//!
//! An operation takes effect when it comes to the head of its bank. Within a cycle: first what was on its way, in the order of
//! [`Kind`], then the index banks start in ascending order, then the value banks. docs/device.md has the same in prose.

use std::collections::{BTreeSet, VecDeque};

use offwire_image::MapKind;
use offwire_isa::{KeyUse, MapUse, Profile, RequestOp};

use super::lock::Locks;
use super::port::{Held, Port};
use super::table::{Directory, Table};
use super::view::View;
use crate::calendar::Calendar;
use crate::chance::Generator;
use crate::counters::MapCounters;
use crate::id::MapId;
use crate::trace::{self, SharedOp, Trace};

/// Answers of the kernel's map operations.
pub(crate) mod errno {
    pub(crate) const NOENT: i32 = -2;
    pub(crate) const TOOBIG: i32 = -7;
    pub(crate) const AGAIN: i32 = -11;
    pub(crate) const FAULT: i32 = -14;
    pub(crate) const EXIST: i32 = -17;
    pub(crate) const INVAL: i32 = -22;
    pub(crate) const NOSPC: i32 = -28;
    pub(crate) const OPNOTSUPP: i32 = -95;
}

/// A context of the device: the engine's number, then [`ID_SHIFT`] bits for the context.
pub(crate) type ContextId = u16;
/// Bits of a [`ContextId`] that name the context of the engine.
pub(crate) const ID_SHIFT: u32 = 6;

/// What happens in the map unit at a known cycle. Within a cycle things happen in the order of this list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
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
    /// The host has read the records of a packet. Number: 0.
    Consumed,
    /// An answer arrives at its engine. Number: the bank it comes from, value banks after the index banks.
    Answer,
}

/// Something on its way to, in or from the map unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Order within a cycle: kinds, then their numbers.
    order: u16,
    kind: Kind,
    id: ContextId,
    /// The credit of a posted write; the cycles that an answer takes of the answer port.
    extra: u16,
}

impl Event {
    #[inline(always)]
    pub(super) fn new(kind: Kind, number: u16, id: ContextId, extra: u16) -> Self {
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
pub(super) enum Job {
    Posted {
        id: ContextId,
        credit: u8,
    },
    Window {
        id: ContextId,
    },
    /// The value of an update; with an index bank, the index is swapped afterwards.
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
    /// An element that names a program, a map or an interface, if it is there.
    Reference {
        id: ContextId,
    },
    /// A fetching atomic.
    Atomic {
        id: ContextId,
    },
    Lock {
        id: ContextId,
    },
    Unlock {
        id: ContextId,
    },
    /// A record is submitted or discarded.
    Submit {
        id: ContextId,
    },
    /// The bytes of a record that is submitted at once.
    Output {
        id: ContextId,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Bank<J> {
    pub queue: VecDeque<(u64, J)>,
    /// First cycle at which the next operation can start; [`HELD`] while an update waits for its value.
    pub free: u64,
}

/// An index bank that waits for the value of an update.
pub(super) const HELD: u64 = u64::MAX;

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
pub(super) struct Timing {
    pub index: u64,
    pub value: u64,
    random: u64,
    pub request: u64,
    depth: u64,
    packet_store: u64,
    /// Logarithm of the bytes that a bank moves in a cycle.
    pub bank_bytes: u32,
    pub window: u32,
    /// A power of two.
    pub banks: u32,
    pub vcpus: u32,
}

/// The map unit.
#[derive(Clone, Debug)]
pub(crate) struct MapUnit {
    pub table: Table,
    /// The map tables of the programs, by program.
    pub views: Vec<View>,
    pub ports: Vec<Port>,
    pub counters: MapCounters,
    pub random: Generator,
    /// One more than the last cycle at which anything happened here.
    pub last: u64,
    pub(super) events: Calendar<Event>,
    now_due: Vec<Event>,
    /// Packets with records in ring buffers that have not departed.
    pub(super) ringing: BTreeSet<u64>,
    /// Packets whose records the host has read, on their way here.
    consumed: VecDeque<u64>,
    pub(super) locks: Locks,
    pub(super) index_banks: Vec<Bank<ContextId>>,
    pub(super) value_banks: Vec<Bank<Job>>,
    /// Banks with something in their queue.
    pub(super) index_waiting: u64,
    pub(super) value_waiting: u64,
    /// Nodes of a trie that the last walk came by.
    pub(super) walked: Vec<u32>,
    pub(super) timing: Timing,
}

/// A request in the map that a map pointer names is like one in a map of the table: the engine has resolved it.
fn plain(op: RequestOp) -> RequestOp {
    match op {
        RequestOp::LookupIn => RequestOp::Lookup,
        RequestOp::UpdateInAny => RequestOp::UpdateAny,
        RequestOp::UpdateInNoExist => RequestOp::UpdateNoExist,
        RequestOp::UpdateInExist => RequestOp::UpdateExist,
        RequestOp::DeleteIn => RequestOp::Delete,
        op => op,
    }
}

pub(super) fn negative(errno: i32) -> u64 {
    i64::from(errno) as u64
}

impl MapUnit {
    /// A map unit without maps; `seed` keys the index hash.
    pub(crate) fn new(profile: &Profile, seed: u64) -> Self {
        MapUnit {
            table: Table::new(profile, seed),
            views: Vec::new(),
            ports: (0..profile.engines << ID_SHIFT).map(|_| Port::new()).collect(),
            counters: MapCounters::default(),
            random: Generator::new(0),
            last: 0,
            events: Calendar::new(),
            now_due: Vec::new(),
            ringing: BTreeSet::new(),
            consumed: VecDeque::new(),
            locks: Locks::default(),
            index_banks: (0..profile.map_banks).map(|_| Bank::new()).collect(),
            value_banks: (0..profile.map_banks).map(|_| Bank::new()).collect(),
            index_waiting: 0,
            value_waiting: 0,
            walked: Vec::new(),
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
        let other = matches!(op, RingSubmit | RingDiscard | SpinLock | SpinUnlock | Prandom);
        let shape = op.shape();
        other || shape.map != MapUse::None || matches!(shape.key, KeyUse::Atomic(_))
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
        let packet = (port.seq, port.vcpu);
        port.left.push_back(Held { packet, ..std::mem::take(&mut port.held) });
        let at = ended + self.timing.depth + self.timing.request;
        self.events.push(at, Event::new(Kind::Release, id >> ID_SHIFT, id, 0));
    }

    /// A packet has departed at `departed`. The host reads its records at once, and tells the map unit as late as above.
    pub(crate) fn departed(&mut self, departed: u64, seq: u64) {
        if self.ringing.remove(&seq) {
            self.consumed.push_back(seq);
            let at = departed + self.timing.depth + self.timing.request;
            self.events.push(at, Event::new(Kind::Consumed, 0, 0, 0));
        }
    }

    /// Tells that no cycle before `cycle` will come again.
    #[inline(always)]
    pub(crate) fn advance(&mut self, cycle: u64) {
        self.events.advance(cycle);
    }

    /// Lines that an operation on `size` bytes touches, at least 1.
    pub(super) fn lines(&self, offset: u32, size: u32) -> u64 {
        let bank_bytes = self.timing.bank_bytes;
        u64::from(((offset + size.max(1) - 1) >> bank_bytes) - (offset >> bank_bytes) + 1)
    }

    pub(super) fn value_bank(&self, slot: u16, element: u32) -> usize {
        (element.wrapping_add(u32::from(slot)) & (self.timing.banks - 1)) as usize
    }

    pub(super) fn queue_value(&mut self, cycle: u64, slot: u16, element: u32, job: Job) {
        let bank = self.value_bank(slot, element);
        self.value_waiting |= 1 << bank;
        self.value_banks[bank].queue.push_back((cycle, job));
    }

    pub(super) fn answer(&mut self, at: u64, source: usize, id: ContextId, answer: u64) {
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
            Kind::Swap => self.swap(cycle, usize::from(order & 0xff), id, trace),
            Kind::Indexed => self.indexed(cycle, usize::from(order & 0xff), id),
            Kind::Fetched => self.operands(cycle, id, trace),
            Kind::Posted => {
                let credit = extra as u8;
                let posted = &self.ports[usize::from(id)].posted[usize::from(credit)];
                self.queue_value(cycle, posted.slot, posted.element, Job::Posted { id, credit });
            }
            Kind::Request => {
                self.counters.requests += 1;
                let port = &mut self.ports[usize::from(id)];
                port.op = plain(port.op);
                self.operands(cycle, id, trace);
            }
            Kind::Read => {
                let at = self.ports[usize::from(id)].wanted;
                self.queue_value(cycle, at.slot, at.element, Job::Window { id });
            }
            Kind::Release => self.release_held(cycle, id, trace),
            Kind::Consumed => {
                let seq = self.consumed.pop_front().unwrap_or(u64::MAX);
                for &map in &self.table.rings {
                    if let Directory::Ring(ring) = &mut self.table.contents[usize::from(map)].directory
                        && ring.read(seq)
                        && T::ON
                    {
                        let map = MapId(map);
                        trace.event(trace::Event::Shared { cycle, seq, vcpu: 0, map, op: SharedOp::RingRead });
                    }
                }
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
        } else {
            self.place(cycle, id, trace);
        }
    }

    /// A request that has all its operands goes to its bank.
    fn place<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        use MapKind::*;
        let port = &mut self.ports[usize::from(id)];
        let at = port.at;
        let job = match port.op {
            RequestOp::Lookup
            | RequestOp::UpdateAny
            | RequestOp::UpdateNoExist
            | RequestOp::UpdateExist
            | RequestOp::Delete
            | RequestOp::TailCall
            | RequestOp::RingReserve
            | RequestOp::RingOutput
            | RequestOp::RingQuery => None,
            RequestOp::RedirectMap => {
                port.key.clear();
                port.key.extend_from_slice(&(port.number as u32).to_le_bytes());
                if self.refuses_redirect(cycle, id, trace) {
                    return;
                }
                None
            }
            RequestOp::PerfOutput => return self.perf(cycle, id, trace),
            RequestOp::SpinLock => Some(Job::Lock { id }),
            RequestOp::SpinUnlock => Some(Job::Unlock { id }),
            RequestOp::RingSubmit | RequestOp::RingDiscard => Some(Job::Submit { id }),
            _ => Some(Job::Atomic { id }),
        };
        let port = &mut self.ports[usize::from(id)];
        if let Some(job) = job {
            // A fence: what the context wrote before is seen before.
            if port.credits.contains(&u64::MAX) {
                port.fenced = true;
                self.counters.fences += 1;
            } else {
                self.queue_value(cycle, at.slot, at.element, job);
            }
            return;
        }
        let slot = usize::from(port.slot);
        self.table.contents[slot].counted.requests += 1;
        let bank = match self.table.infos[slot].kind {
            Array | PercpuArray | Devmap | ProgArray | ArrayOfMaps => return self.array(cycle, id, trace),
            Hash | PercpuHash | LruHash | DevmapHash | HashOfMaps => {
                port.hash = self.table.hash.hash(&port.key);
                self.index_bank(id)
            }
            // Where the root of a trie is, and the positions of a ring buffer.
            _ => usize::from(port.slot) & (self.timing.banks as usize - 1),
        };
        self.index_waiting |= 1 << bank;
        self.index_banks[bank].queue.push_back((cycle, id));
    }

    /// The index bank of a hash map's key.
    pub(super) fn index_bank(&self, id: ContextId) -> usize {
        let port = &self.ports[usize::from(id)];
        match &self.table.contents[usize::from(port.slot)].directory {
            Directory::Hash(index) => (index.bucket(port.hash) & (self.timing.banks - 1)) as usize,
            _ => 0,
        }
    }
}
