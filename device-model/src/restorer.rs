//! The order restorer: packets of one port and order bucket depart in the order in which they were dispatched.
//!
//! An entry is reserved at dispatch and marked done when the packet's bytes are out of its context. The oldest entry of each
//! port and bucket, once done, may depart; `width` packets depart per cycle, those that could earliest first.

use std::collections::VecDeque;

use crate::Departure;

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Entry {
    /// The next entry of the same port and bucket.
    next: u32,
    queue: u32,
    done: Option<Departure>,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
}

/// The restorer.
#[derive(Clone, Debug)]
pub(crate) struct Restorer {
    entries: Vec<Entry>,
    free: Vec<u32>,
    queues: Vec<Queue>,
    buckets: u32,
    width: u32,
    /// Entries that may depart, with the cycle from which they may.
    ready: VecDeque<(u64, u32)>,
}

impl Restorer {
    pub(crate) fn new(entries: u32, buckets: u32, width: u32) -> Self {
        Restorer {
            entries: (0..entries).map(|_| Entry { next: NONE, queue: 0, done: None }).collect(),
            free: (0..entries).rev().collect(),
            queues: Vec::new(),
            buckets,
            width,
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.entries.len()
    }

    /// Reserves an entry at the end of the queue of `port` and `bucket`.
    pub(crate) fn reserve(&mut self, port: u16, bucket: u32) -> Option<u32> {
        let at = self.free.pop()?;
        let queue = u32::from(port) * self.buckets + bucket;
        if queue as usize >= self.queues.len() {
            self.queues
                .resize((u32::from(port) + 1) as usize * self.buckets as usize, Queue { head: NONE, tail: NONE });
        }
        let tail = std::mem::replace(&mut self.queues[queue as usize].tail, at);
        if tail == NONE {
            self.queues[queue as usize].head = at;
        } else {
            self.entries[tail as usize].next = at;
        }
        self.entries[at as usize] = Entry { next: NONE, queue, done: None };
        Some(at)
    }

    /// The packet of an entry is out of its context at `cycle`.
    pub(crate) fn done(&mut self, cycle: u64, at: u32, departure: Departure) {
        let entry = &mut self.entries[at as usize];
        entry.done = Some(departure);
        if self.queues[entry.queue as usize].head == at {
            self.ready.push_back((cycle + 1, at));
        }
    }

    /// The next cycle at which a packet departs.
    pub(crate) fn due(&self) -> u64 {
        self.ready.front().map_or(u64::MAX, |&(cycle, _)| cycle)
    }

    /// One cycle: packets depart.
    #[inline]
    pub(crate) fn step(&mut self, cycle: u64, mut depart: impl FnMut(Departure)) {
        for _ in 0..self.width {
            match self.ready.front() {
                Some(&(from, at)) if from <= cycle => {
                    self.ready.pop_front();
                    let entry = &mut self.entries[at as usize];
                    let (next, queue) = (entry.next, entry.queue);
                    if let Some(departure) = entry.done.take() {
                        depart(Departure { departed: cycle, ..departure });
                    }
                    self.free.push(at);
                    self.queues[queue as usize].head = next;
                    if next == NONE {
                        self.queues[queue as usize].tail = NONE;
                    } else if self.entries[next as usize].done.is_some() {
                        self.ready.push_back((cycle + 1, next));
                    }
                }
                _ => break,
            }
        }
    }
}
