//! The order restorer: packets of one port and order bucket depart in the order in which they were dispatched.
//!
//! An entry is reserved at dispatch and marked done when the packet's bytes are out of its context. The oldest entry of each
//! port and bucket, once done, may depart from the next cycle on; `width` packets depart per cycle, those that could earliest first.

use std::collections::VecDeque;

use crate::packets::{NONE, PacketId, Packets};

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: PacketId,
    tail: PacketId,
}

/// The restorer.
#[derive(Clone, Debug)]
pub(crate) struct Restorer {
    free: u32,
    entries: u32,
    queues: Vec<Queue>,
    buckets: u32,
    width: u32,
    /// Packets that may depart, with the cycle from which they may.
    ready: VecDeque<(u64, PacketId)>,
}

impl Restorer {
    pub(crate) fn new(entries: u32, buckets: u32, width: u32) -> Self {
        Restorer { free: entries, entries, queues: Vec::new(), buckets, width, ready: VecDeque::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free == self.entries
    }

    fn queue_of(&self, id: PacketId, packets: &Packets) -> usize {
        let record = packets.get(id);
        usize::from(record.out.port) * self.buckets as usize + record.wants.bucket as usize
    }

    /// Reserves an entry, which must be free, at the end of the packet's queue.
    pub(crate) fn reserve(&mut self, id: PacketId, packets: &mut Packets) {
        self.free -= 1;
        let queue = self.queue_of(id, packets);
        if queue >= self.queues.len() {
            let queues = (queue / self.buckets as usize + 1) * self.buckets as usize;
            self.queues.resize(queues, Queue { head: NONE, tail: NONE });
        }
        let queue = &mut self.queues[queue];
        let tail = std::mem::replace(&mut queue.tail, id);
        if tail == NONE {
            queue.head = id;
        } else {
            packets.get_mut(tail).next = id;
        }
        packets.get_mut(id).next = NONE;
    }

    /// A packet is out of its context at `cycle`.
    pub(crate) fn done(&mut self, cycle: u64, id: PacketId, packets: &mut Packets) {
        packets.get_mut(id).done = true;
        let queue = self.queue_of(id, packets);
        if self.queues[queue].head == id {
            self.ready.push_back((cycle + 1, id));
        }
    }

    /// The next cycle at which a packet departs.
    pub(crate) fn due(&self) -> u64 {
        self.ready.front().map_or(u64::MAX, |&(cycle, _)| cycle)
    }

    /// One cycle: the packets that depart.
    #[inline]
    pub(crate) fn step(&mut self, cycle: u64, packets: &mut Packets, mut depart: impl FnMut(PacketId, &mut Packets)) {
        for _ in 0..self.width {
            match self.ready.front() {
                Some(&(from, id)) if from <= cycle => {
                    self.ready.pop_front();
                    self.free += 1;
                    let next = packets.get(id).next;
                    let queue = self.queue_of(id, packets);
                    let queue = &mut self.queues[queue];
                    queue.head = next;
                    if next == NONE {
                        queue.tail = NONE;
                    } else if packets.get(next).done {
                        self.ready.push_back((cycle + 1, next));
                    }
                    depart(id, packets);
                }
                _ => break,
            }
        }
    }
}
