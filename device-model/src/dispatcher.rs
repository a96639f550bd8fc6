//! Ingress FIFO and dispatcher: which packet goes to which engine, and when.
//!
//! A packet waits in a bounded FIFO, in the queue of what it is serialised by (its vCPU, its order bucket, or nothing). The first
//! packet of each queue whose former packet has exited is eligible; eligible packets are placed in the order in which they
//! became so, on the engine with the fewest packets, the lowest number among equals.

use std::collections::VecDeque;

use offwire_image::DispatchMode;

use crate::counters::Stall;
use crate::packets::{NONE, PacketId, Packets};

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: PacketId,
    tail: PacketId,
    /// A packet of the queue is eligible or runs.
    busy: bool,
}

/// The dispatcher.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    mode: DispatchMode,
    queues: Vec<Queue>,
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
    pub(crate) fn new(capacity: u32, engines: u32, contexts: u32, width: u32) -> Self {
        Dispatcher {
            mode: DispatchMode::Cpu,
            queues: Vec::new(),
            eligible: VecDeque::with_capacity(capacity as usize),
            waiting: 0,
            capacity,
            load: (0..engines).collect(),
            free_contexts: engines * contexts,
            width,
            accounted: 0,
            placed: 0,
            stalls: [0; Stall::ALL.len()],
        }
    }

    /// Sets the mode while no packet is here.
    pub(crate) fn set_mode(&mut self, mode: DispatchMode, vcpus: u32, buckets: u32) {
        self.mode = mode;
        let queues = match mode {
            DispatchMode::Cpu => vcpus,
            DispatchMode::Flow => buckets,
            DispatchMode::Any => 0,
        };
        self.queues = vec![Queue { head: NONE, tail: NONE, busy: false }; queues as usize];
    }

    pub(crate) fn mode(&self) -> DispatchMode {
        self.mode
    }

    fn queue_of(&self, id: PacketId, packets: &Packets) -> Option<usize> {
        match self.mode {
            DispatchMode::Cpu => Some(usize::from(packets.get(id).vcpu)),
            DispatchMode::Flow => Some(packets.get(id).bucket as usize),
            DispatchMode::Any => None,
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
        packets.get_mut(id).next = NONE;
        let Some(queue) = self.queue_of(id, packets) else {
            self.eligible.push_back(id);
            return;
        };
        let queue = &mut self.queues[queue];
        if !queue.busy {
            queue.busy = true;
            self.eligible.push_back(id);
        } else if queue.tail == NONE {
            queue.head = id;
            queue.tail = id;
        } else {
            let tail = std::mem::replace(&mut queue.tail, id);
            packets.get_mut(tail).next = id;
        }
    }

    /// A packet has exited: the next one of its queue is eligible.
    pub(crate) fn release(&mut self, id: PacketId, packets: &Packets) {
        let Some(queue) = self.queue_of(id, packets) else { return };
        let queue = &mut self.queues[queue];
        if queue.head == NONE {
            queue.busy = false;
            return;
        }
        let first = queue.head;
        queue.head = packets.get(first).next;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        self.eligible.push_back(first);
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
        } else if self.free_contexts == 0 {
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

    /// The packet and the engine that are placed next in this cycle, after `placed` others; counts what is left if none is.
    #[inline]
    pub(crate) fn place(&mut self, placed: u32, restorer_full: bool) -> Option<(PacketId, u16)> {
        if placed == self.width {
            return None;
        }
        if let Some(stall) = self.stall(restorer_full) {
            self.stalls[stall as usize] += u64::from(self.width - placed);
            return None;
        }
        let id = self.eligible.pop_front()?;
        let engine = self.load.iter().min()? & 0xff;
        self.load[engine as usize] += 1 << 8;
        self.free_contexts -= 1;
        self.waiting -= 1;
        self.placed += 1;
        Some((id, engine as u16))
    }

    /// All packets of `cycle` are placed.
    #[inline(always)]
    pub(crate) fn placed(&mut self, cycle: u64) {
        self.accounted = cycle + 1;
    }
}
