//! Ingress FIFO and dispatcher: which packet goes to which engine, and when.
//!
//! A packet waits in a bounded FIFO, in the queue of what it is serialised by (its vCPU, its order bucket, or nothing). The first
//! packet of each queue whose former packet has exited is eligible; eligible packets are placed in the order in which they
//! became so, on the engine with the fewest packets, the lowest number among equals.

use std::collections::VecDeque;

use offwire_image::DispatchMode;

use crate::context::Ticket;
use crate::counters::Stall;

const NONE: u32 = u32::MAX;

/// A packet in the ingress FIFO.
#[derive(Clone, Debug, Default)]
struct Waiting {
    ticket: Ticket,
    bytes: Vec<u8>,
    /// The next packet of the same queue.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
    /// A packet of the queue is eligible or runs.
    busy: bool,
}

/// The dispatcher.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    mode: DispatchMode,
    waiting: Vec<Waiting>,
    free: Vec<u32>,
    queues: Vec<Queue>,
    eligible: VecDeque<u32>,
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
            waiting: (0..capacity).map(|_| Waiting::default()).collect(),
            free: (0..capacity).rev().collect(),
            queues: Vec::new(),
            eligible: VecDeque::with_capacity(capacity as usize),
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

    fn queue_of(&self, ticket: &Ticket) -> Option<usize> {
        match self.mode {
            DispatchMode::Cpu => Some(usize::from(ticket.vcpu)),
            DispatchMode::Flow => Some(ticket.bucket as usize),
            DispatchMode::Any => None,
        }
    }

    /// Packets in the FIFO.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() - self.free.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// True if no packet is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A packet comes in. Gives the bytes back if the FIFO is full.
    pub(crate) fn arrive(&mut self, ticket: Ticket, bytes: Vec<u8>) -> Result<(), Vec<u8>> {
        let Some(at) = self.free.pop() else { return Err(bytes) };
        self.waiting[at as usize] = Waiting { ticket, bytes, next: NONE };
        match self.queue_of(&ticket) {
            None => self.eligible.push_back(at),
            Some(queue) => {
                let queue = &mut self.queues[queue];
                if !queue.busy {
                    queue.busy = true;
                    self.eligible.push_back(at);
                } else if queue.tail == NONE {
                    queue.head = at;
                    queue.tail = at;
                } else {
                    let tail = std::mem::replace(&mut queue.tail, at);
                    self.waiting[tail as usize].next = at;
                }
            }
        }
        Ok(())
    }

    /// The packet of `ticket` has exited: the next one of its queue is eligible.
    pub(crate) fn release(&mut self, ticket: &Ticket) {
        let Some(queue) = self.queue_of(ticket) else { return };
        let queue = &mut self.queues[queue];
        if queue.head == NONE {
            queue.busy = false;
            return;
        }
        let at = queue.head;
        queue.head = self.waiting[at as usize].next;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        self.eligible.push_back(at);
    }

    /// A context of the engine is free again.
    pub(crate) fn context_freed(&mut self, engine: u16) {
        self.load[usize::from(engine)] -= 1 << 8;
        self.free_contexts += 1;
    }

    /// What stalls the dispatcher, if anything.
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
        if self.accounted < cycle {
            if let Some(stall) = self.stall(restorer_full) {
                self.stalls[stall as usize] += (cycle - self.accounted) * u64::from(self.width);
            }
            self.accounted = cycle;
        }
    }

    /// The stalls as they are when `account(cycle)` has been called.
    pub(crate) fn counted(&self, cycle: u64, restorer_full: bool) -> [u64; Stall::ALL.len()] {
        let mut stalls = self.stalls;
        if let Some(stall) = self.stall(restorer_full) {
            stalls[stall as usize] += cycle.saturating_sub(self.accounted) * u64::from(self.width);
        }
        stalls
    }

    /// One cycle: up to `width` packets are given to `place` with their engine. `restorer_full` asks anew before each.
    pub(crate) fn step<C>(
        &mut self,
        cycle: u64,
        shared: &mut C,
        restorer_full: impl Fn(&C) -> bool,
        mut place: impl FnMut(&mut C, u16, Ticket, Vec<u8>),
    ) {
        for left in (1..=self.width).rev() {
            if let Some(stall) = self.stall(restorer_full(shared)) {
                self.stalls[stall as usize] += u64::from(left);
                break;
            }
            let (Some(at), Some(&load)) = (self.eligible.pop_front(), self.load.iter().min()) else { break };
            let engine = load & 0xff;
            self.load[engine as usize] += 1 << 8;
            self.free_contexts -= 1;
            self.placed += 1;
            let waiting = &mut self.waiting[at as usize];
            let (ticket, bytes) = (waiting.ticket, std::mem::take(&mut waiting.bytes));
            self.free.push(at);
            place(shared, engine as u16, ticket, bytes);
        }
        self.accounted = cycle + 1;
    }
}
