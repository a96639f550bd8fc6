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
use crate::packets::{NONE, PacketId, Packets, Wants};

/// A packet is in the lane that wants it for itself.
const ALONE: u16 = 1 << 15;
/// Packets wait for the lane.
const WAITING: u16 = 1 << 14;

/// Packets that the lanes can count: those in FIFO and restorer.
pub(crate) const PACKETS_MAX: u32 = WAITING as u32 - 1;

/// The lanes of all vCPUs, or of all order buckets.
#[derive(Clone, Debug)]
struct Lanes {
    /// Packets in each lane, and the flags. Nearly all that is ever looked at, so it is small.
    gates: Vec<u16>,
    /// The first and the last packet that waits.
    queues: Vec<(PacketId, PacketId)>,
}

impl Lanes {
    fn new(count: u32) -> Self {
        Lanes { gates: vec![0; count as usize], queues: vec![(NONE, NONE); count as usize] }
    }

    /// Enters a lane, if nobody is there that minds and nobody waits.
    #[inline(always)]
    fn enter(&mut self, at: usize, alone: bool) -> bool {
        let gate = &mut self.gates[at];
        let enters = *gate & (ALONE | WAITING) == 0 && !(alone && *gate > 0);
        if enters {
            *gate = (*gate + 1) | if alone { ALONE } else { 0 };
        }
        enters
    }

    /// Leaves a lane. True if packets wait there.
    #[inline(always)]
    fn leave(&mut self, at: usize, alone: bool) -> bool {
        let gate = &mut self.gates[at];
        *gate = (*gate - 1) & if alone { !ALONE } else { u16::MAX };
        *gate & WAITING != 0
    }

    fn wait(&mut self, at: usize, id: PacketId, packets: &mut Packets) {
        self.gates[at] |= WAITING;
        packets.get_mut(id).next = NONE;
        let (head, tail) = &mut self.queues[at];
        match std::mem::replace(tail, id) {
            NONE => *head = id,
            tail => packets.get_mut(tail).next = id,
        }
    }

    /// The first packet that waits enters, if it may.
    fn next(&mut self, at: usize, packets: &Packets, alone: fn(DispatchMode) -> bool) -> Option<PacketId> {
        let (gate, (head, tail)) = (&mut self.gates[at], &mut self.queues[at]);
        if *gate & WAITING == 0 || *gate & ALONE != 0 {
            return None;
        }
        let first = packets.get(*head);
        let wants = alone(first.wants.mode);
        if wants && *gate & !WAITING > 0 {
            return None;
        }
        *gate = (*gate + 1) | if wants { ALONE } else { 0 };
        let id = std::mem::replace(head, first.next);
        if *head == NONE {
            *tail = NONE;
            *gate &= !WAITING;
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
    vcpus: Lanes,
    buckets: Lanes,
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
        Dispatcher {
            vcpus: Lanes::new(profile.vcpus),
            buckets: Lanes::new(profile.order_buckets),
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
    #[inline(always)]
    pub(crate) fn arrive(&mut self, id: PacketId, packets: &mut Packets) {
        self.waiting += 1;
        let record = packets.get(id);
        let (wants, passes) = (record.wants, record.out.program.is_none());
        let vcpu = usize::from(wants.vcpu);
        if self.vcpus.enter(vcpu, wants_vcpu(wants.mode)) {
            self.enter_bucket(id, wants, passes, packets);
        } else {
            self.vcpus.wait(vcpu, id, packets);
        }
    }

    /// A packet is in the lane of its vCPU.
    #[inline(always)]
    fn enter_bucket(&mut self, id: PacketId, wants: Wants, passes: bool, packets: &mut Packets) {
        let bucket = wants.bucket as usize;
        if self.buckets.enter(bucket, wants_bucket(wants.mode)) {
            self.admit(id, passes);
        } else {
            self.buckets.wait(bucket, id, packets);
        }
    }

    /// A packet is in both lanes.
    #[inline(always)]
    fn admit(&mut self, id: PacketId, passes: bool) {
        self.eligible.push_back(if passes { id | PASSES } else { id });
    }

    /// A packet has exited: those that waited for it enter its lanes.
    #[inline(always)]
    pub(crate) fn release(&mut self, wants: Wants, packets: &mut Packets) {
        let (vcpu, bucket) = (usize::from(wants.vcpu), wants.bucket as usize);
        if self.buckets.leave(bucket, wants_bucket(wants.mode)) {
            self.follow_in_bucket(bucket, packets);
        }
        if self.vcpus.leave(vcpu, wants_vcpu(wants.mode)) {
            self.follow_on_vcpu(vcpu, packets);
        }
    }

    fn follow_in_bucket(&mut self, bucket: usize, packets: &Packets) {
        while let Some(next) = self.buckets.next(bucket, packets, wants_bucket) {
            self.admit(next, packets.get(next).out.program.is_none());
        }
    }

    fn follow_on_vcpu(&mut self, vcpu: usize, packets: &mut Packets) {
        while let Some(next) = self.vcpus.next(vcpu, packets, wants_vcpu) {
            let record = packets.get(next);
            let (wants, passes) = (record.wants, record.out.program.is_none());
            self.enter_bucket(next, wants, passes, packets);
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
