//! Counters: what the issue slots, the map unit, the dispatcher and the ports did.

use crate::fault::{Fault, FaultCause};

/// Why a word was refused and issued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Replay {
    /// Lines of the packet had to be fetched from the packet store.
    PacketLines,
    /// Bytes of a map value had to be fetched.
    Value,
    /// The context had no credit for a posted write.
    Credit,
}

impl Replay {
    /// All causes, in order of their numbers.
    pub const ALL: [Replay; 3] = [Replay::PacketLines, Replay::Value, Replay::Credit];

    /// A short name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Replay::PacketLines => "packet_lines",
            Replay::Value => "value",
            Replay::Credit => "credit",
        }
    }
}

/// Why an issue slot stayed empty: no context of the engine was ready. Of several causes the first of this list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Empty {
    /// A context has a word in the pipe; too few contexts are busy to fill the distance between two words of one.
    Pipeline,
    /// A context waits for its packet to be brought in.
    Transfer,
    /// A context waits for a line of its packet.
    PacketStore,
    /// A context waits for a unit of the engine: packet unit, divider, byte unit, clock.
    Unit,
    /// All contexts that hold a running packet wait for the map unit.
    Map,
    /// No context holds a running packet.
    NoContext,
}

impl Empty {
    /// All causes, in order of their numbers.
    pub const ALL: [Empty; 6] =
        [Empty::Pipeline, Empty::Transfer, Empty::PacketStore, Empty::Unit, Empty::Map, Empty::NoContext];

    /// A short name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Empty::Pipeline => "pipeline",
            Empty::Transfer => "transfer",
            Empty::PacketStore => "packet_store",
            Empty::Unit => "unit",
            Empty::Map => "map",
            Empty::NoContext => "no_context",
        }
    }
}

/// Why the dispatcher did not place a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stall {
    /// The ingress FIFO is empty.
    NoPacket,
    /// Each waiting packet waits for another one of its vCPU or flow.
    Serialised,
    /// No entry of the order restorer is free.
    RestorerFull,
    /// No context is free.
    ContextsFull,
}

impl Stall {
    /// All causes, in order of their numbers.
    pub const ALL: [Stall; 4] = [Stall::NoPacket, Stall::Serialised, Stall::RestorerFull, Stall::ContextsFull];

    /// A short name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Stall::NoPacket => "no_packet",
            Stall::Serialised => "serialised",
            Stall::RestorerFull => "restorer_full",
            Stall::ContextsFull => "contexts_full",
        }
    }
}

/// Issue slots of one engine, or of all. `words`, `replays`, `faulted` and `empty` add up to all slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCounters {
    /// Words run.
    pub words: u64,
    /// Words refused, by [`Replay`].
    pub replays: [u64; Replay::ALL.len()],
    /// Slots of words that faulted.
    pub faulted: u64,
    /// Empty slots, by [`Empty`].
    pub empty: [u64; Empty::ALL.len()],
    /// Cycles in which packet bytes entered the contexts.
    pub in_cycles: u64,
    /// Cycles in which packet bytes left the contexts.
    pub out_cycles: u64,
    /// Cycles that answers of the map unit waited for the engine's answer port.
    pub answer_wait_cycles: u64,
}

impl SlotCounters {
    /// Slots in which a word was issued.
    pub fn used(&self) -> u64 {
        self.words + self.replays.iter().sum::<u64>() + self.faulted
    }

    /// All slots.
    pub fn total(&self) -> u64 {
        self.used() + self.empty.iter().sum::<u64>()
    }

    pub(crate) fn add(&mut self, other: &SlotCounters) {
        self.words += other.words;
        self.faulted += other.faulted;
        self.in_cycles += other.in_cycles;
        self.out_cycles += other.out_cycles;
        self.answer_wait_cycles += other.answer_wait_cycles;
        for (to, from) in self.replays.iter_mut().zip(other.replays) {
            *to += from;
        }
        for (to, from) in self.empty.iter_mut().zip(other.empty) {
            *to += from;
        }
    }
}

/// The map unit. Cycles are sums over banks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapCounters {
    /// Requests that arrived.
    pub requests: u64,
    /// Lookups.
    pub lookups: u64,
    /// Lookups that found their key.
    pub lookup_hits: u64,
    /// Updates, refused ones too.
    pub updates: u64,
    /// Deletes, refused ones too.
    pub deletes: u64,
    /// Posted stores.
    pub stores: u64,
    /// Posted adds.
    pub adds: u64,
    /// Reads of value bytes: with lookups, for loads that missed, for operands.
    pub value_reads: u64,
    /// Fetching atomics.
    pub atomics: u64,
    /// Atomics, locks and records that had to wait for writes that their context had posted before.
    pub fences: u64,
    /// Locks taken.
    pub locks: u64,
    /// Locks that another packet held.
    pub lock_conflicts: u64,
    /// Cycles that packets waited for a lock that another one held.
    pub lock_wait_cycles: u64,
    /// Entries that an LRU map gave away.
    pub evictions: u64,
    /// Cycles that updates of LRU maps waited until an entry could be given away.
    pub eviction_wait_cycles: u64,
    /// Records of ring buffers: reserved, and submitted at once.
    pub ring_records: u64,
    /// Records that did not get room.
    pub ring_full: u64,
    /// Events for perf event arrays, refused ones too.
    pub perf_events: u64,
    /// Redirects through maps, refused ones too.
    pub redirects: u64,
    /// Tail calls, those to no program too.
    pub tail_calls: u64,
    /// Requests that found their index bank busy.
    pub index_conflicts: u64,
    /// Cycles that requests waited for their index bank.
    pub index_wait_cycles: u64,
    /// Cycles that index banks compared keys.
    pub index_busy_cycles: u64,
    /// Entries and nodes compared.
    pub index_probes: u64,
    /// Operations that found their value bank busy.
    pub value_conflicts: u64,
    /// Cycles that operations waited for their value bank.
    pub value_wait_cycles: u64,
    /// Cycles that value banks moved bytes.
    pub value_busy_cycles: u64,
}

/// Packets and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramCounters {
    /// Packets that left the device.
    pub packets: u64,
    /// Bytes that they had when they left.
    pub bytes: u64,
    /// Packets by verdict: `XDP_ABORTED`, `DROP`, `PASS`, `TX`, `REDIRECT`, and other return values.
    pub verdicts: [u64; 6],
    /// Packets ended by a fault, by [`FaultCause`].
    pub faults: [u64; FaultCause::ALL.len()],
}

impl ProgramCounters {
    /// A packet has left.
    #[inline]
    pub(crate) fn count(&mut self, verdict: usize, bytes: usize, fault: Option<Fault>) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.verdicts[verdict] += 1;
        if let Some(fault) = fault {
            self.faults[fault.cause as usize] += 1;
        }
    }
}

/// What came to a port, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Packets that came.
    pub arrivals: u64,
    /// Bytes that they had.
    pub arrived_bytes: u64,
    /// Packets dropped because the ingress FIFO was full.
    pub tail_drops: u64,
    /// Packets that came here and have left the device.
    pub left: ProgramCounters,
}

/// What programs did with a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapUse {
    /// Requests that came to it: lookups, updates, deletes, redirects, tail calls, records.
    pub requests: u64,
    /// Posted stores and adds that took effect.
    pub posted: u64,
}

/// All counters of a device since `load`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cycles.
    pub cycles: u64,
    /// Packets that came to a port.
    pub arrivals: u64,
    /// Packets dropped because the ingress FIFO was full.
    pub tail_drops: u64,
    /// Packets given to a context, and those without a program that were let pass.
    pub dispatched: u64,
    /// Packets that left the device, by verdict: `XDP_ABORTED`, `DROP`, `PASS`, `TX`, `REDIRECT`, and other return values.
    pub verdicts: [u64; 6],
    /// Packets ended by a fault, by [`FaultCause`].
    pub faults: [u64; FaultCause::ALL.len()],
    /// The first fault since `load`: packet and fault.
    pub first_fault: Option<(u64, Fault)>,
    /// Packets that the dispatcher could have placed but did not, by [`Stall`]; with `dispatched` they add up to cycles times
    /// packets per cycle.
    pub stalls: [u64; Stall::ALL.len()],
    /// Issue slots of all engines.
    pub slots: SlotCounters,
    /// The map unit.
    pub map: MapCounters,
}

impl Counters {
    /// Packets that left the device.
    pub fn departed(&self) -> u64 {
        self.verdicts.iter().sum()
    }
}
