//! Ingress FIFO and dispatcher: which packet goes to which engine, and when.
//!
//! A packet waits in a bounded FIFO until it is eligible. It passes two lanes, that of its vCPU, then that of its order bucket,
//! alone or beside others as its dispatch mode says: `cpu` wants the vCPU's lane for itself, `flow` the bucket's. So it never runs
//! beside a packet that either of them must not run beside, whatever the programs of both. Who comes to a lane while others wait
//! there waits behind them. Eligible packets are placed in the order in which they became so, on the engine with the fewest
//! packets, the lowest number among equals.

use std::collections::VecDeque;

use offwire_image::DispatchMode;
use offwire_isa::Profile;

use crate::counters::Stall;
use crate::packets::{NONE, PacketId, Packets};

/// The packets of a vCPU or of an order bucket that are eligible or run, and those that wait.
#[derive(Clone, Copy, Debug)]
struct Lane {
    head: PacketId,
    tail: PacketId,
    /// Packets in the lane that take others beside them.
    shared: u32,
    /// A packet is in the lane that wants it for itself.
    alone: bool,
}

impl Lane {
    /// Enters the lane, if nobody is there that minds and nobody waits.
    #[inline(always)]
    fn enter(&mut self, alone: bool) -> bool {
        let enters = !self.alone && self.head == NONE && !(alone && self.shared > 0);
        if enters {
            self.alone = alone;
            self.shared += u32::from(!alone);
        }
        enters
    }

    #[inline(always)]
    fn leave(&mut self, alone: bool) {
        if alone {
            self.alone = false;
        } else {
            self.shared -= 1;
        }
    }

    fn wait(&mut self, id: PacketId, packets: &mut Packets) {
        packets.get_mut(id).next = NONE;
        let tail = std::mem::replace(&mut self.tail, id);
        if tail == NONE {
            self.head = id;
        } else {
            packets.get_mut(tail).next = id;
        }
    }

    /// The first packet that waits enters, if it may.
    #[inline(always)]
    fn next(&mut self, packets: &Packets, alone: fn(DispatchMode) -> bool) -> Option<PacketId> {
        if self.head == NONE || self.alone {
            return None;
        }
        let first = packets.get(self.head);
        let wants = alone(first.mode);
        if wants && self.shared > 0 {
            return None;
        }
        self.alone = wants;
        self.shared += u32::from(!wants);
        let id = std::mem::replace(&mut self.head, first.next);
        if self.head == NONE {
            self.tail = NONE;
        }
        Some(id)
    }
}

fn wants_vcpu(mode: DispatchMode) -> bool {
    mode == DispatchMode::Cpu
}

fn wants_bucket(mode: DispatchMode) -> bool {
    mode == DispatchMode::Flow
}

/// Flag of an eligible packet without a program: it needs no context.
const PASSES: PacketId = 1 << 31;

/// The dispatcher.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    vcpus: Vec<Lane>,
    buckets: Vec<Lane>,
    eligible: VecDeque<PacketId>,
    /// Packets in the FIFO.
    waiting: u32,
    capacity: u32,
    /// Packets per engine shifted left by 8, plus the number of the engine.
    load: Vec<u32>,
    free_contexts: u32,
    width: u32,
    accounted: u64,
    pub placed: u64,
    stalls: [u64; Stall::ALL.len()],
}

impl Dispatcher {
    pub(crate) fn new(profile: &Profile, width: u32) -> Self {
        let lanes = |count: u32| vec![Lane { head: NONE, tail: NONE, shared: 0, alone: false }; count as usize];
        Dispatcher {
            vcpus: lanes(profile.vcpus),
            buckets: lanes(profile.order_buckets),
            eligible: VecDeque::with_capacity(profile.ingress_fifo_packets as usize),
            waiting: 0,
            capacity: profile.ingress_fifo_packets,
            load: (0..profile.engines).collect(),
            free_contexts: profile.engines * profile.contexts_per_engine,
            width,
            accounted: 0,
            placed: 0,
            stalls: [0; Stall::ALL.len()],
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting < self.capacity
    }

    /// True if no packet is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// A packet comes in, for which there must be room.
    pub(crate) fn arrive(&mut self, id: PacketId, packets: &mut Packets) {
        self.waiting += 1;
        let record = packets.get(id);
        let (vcpu, mode) = (usize::from(record.vcpu), record.mode);
        if self.vcpus[vcpu].enter(wants_vcpu(mode)) {
            self.enter_bucket(id, packets);
        } else {
            self.vcpus[vcpu].wait(id, packets);
        }
    }

    /// A packet is in the lane of its vCPU.
    #[inline(always)]
    fn enter_bucket(&mut self, id: PacketId, packets: &mut Packets) {
        let record = packets.get(id);
        let (bucket, mode) = (record.bucket as usize, record.mode);
        if self.buckets[bucket].enter(wants_bucket(mode)) {
            self.admit(id, packets);
        } else {
            self.buckets[bucket].wait(id, packets);
        }
    }

    /// A packet is in both lanes.
    #[inline(always)]
    fn admit(&mut self, id: PacketId, packets: &Packets) {
        let passes = if packets.get(id).out.program.is_none() { PASSES } else { 0 };
        self.eligible.push_back(id | passes);
    }

    /// A packet has exited: those that waited for it enter its lanes.
    pub(crate) fn release(&mut self, id: PacketId, packets: &mut Packets) {
        let record = packets.get(id);
        let (vcpu, bucket, mode) = (usize::from(record.vcpu), record.bucket as usize, record.mode);
        self.buckets[bucket].leave(wants_bucket(mode));
        while let Some(next) = self.buckets[bucket].next(packets, wants_bucket) {
            self.admit(next, packets);
        }
        self.vcpus[vcpu].leave(wants_vcpu(mode));
        while let Some(next) = self.vcpus[vcpu].next(packets, wants_vcpu) {
            self.enter_bucket(next, packets);
        }
    }

    /// A context of the engine is free again.
    pub(crate) fn context_freed(&mut self, engine: u16) {
        self.load[usize::from(engine)] -= 1 << 8;
        self.free_contexts += 1;
    }

    /// What stalls the dispatcher, if anything.
    #[inline(always)]
    fn stall(&self, restorer_full: bool) -> Option<Stall> {
        if self.eligible.is_empty() {
            Some(if self.is_empty() { Stall::NoPacket } else { Stall::Serialised })
        } else if restorer_full {
            Some(Stall::RestorerFull)
        } else if self.free_contexts == 0 && self.eligible.front().is_some_and(|id| id & PASSES == 0) {
            Some(Stall::ContextsFull)
        } else {
            None
        }
    }

    /// True if a packet can be placed.
    pub(crate) fn can_place(&self, restorer_full: bool) -> bool {
        self.stall(restorer_full).is_none()
    }

    /// Counts the cycles up to `cycle` (not with it) in which nothing was placed; nothing has changed since.
    pub(crate) fn account(&mut self, cycle: u64, restorer_full: bool) {
        self.stalls = self.counted(cycle, restorer_full);
        self.accounted = self.accounted.max(cycle);
    }

    /// The stalls as they are when `account(cycle)` has been called.
    pub(crate) fn counted(&self, cycle: u64, restorer_full: bool) -> [u64; Stall::ALL.len()] {
        let mut stalls = self.stalls;
        if let Some(stall) = self.stall(restorer_full) {
            stalls[stall as usize] += cycle.saturating_sub(self.accounted) * u64::from(self.width);
        }
        stalls
    }

    /// The packet and the engine that are placed next in this cycle, after `placed` others; counts what is left if none is. A packet
    /// without a program needs no engine.
    #[inline]
    pub(crate) fn place(&mut self, placed: u32, restorer_full: bool) -> Option<(PacketId, Option<u16>)> {
        if placed == self.width {
            return None;
        }
        if let Some(stall) = self.stall(restorer_full) {
            self.stalls[stall as usize] += u64::from(self.width - placed);
            return None;
        }
        let id = self.eligible.pop_front()?;
        self.waiting -= 1;
        self.placed += 1;
        if id & PASSES != 0 {
            return Some((id & !PASSES, None));
        }
        let engine = self.load.iter().min()? & 0xff;
        self.load[engine as usize] += 1 << 8;
        self.free_contexts -= 1;
        Some((id, Some(engine as u16)))
    }

    /// All packets of `cycle` are placed.
    #[inline(always)]
    pub(crate) fn placed(&mut self, cycle: u64) {
        self.accounted = cycle + 1;
    }
}
