//! A context's port to the map unit: its request entry, its posted writes, and the window of a map value that it holds.

use std::collections::VecDeque;

use offwire_isa::{Handle, RequestOp};

use crate::context::WINDOW;
use crate::departure::{DeviceEvent, Redirect};
use crate::geometry::POSTED_CREDITS;
use crate::id::MapId;

/// Bytes that a value window can be built with.
pub(crate) const WINDOW_MAX: usize = 64;

/// Where bytes of a map value are; checked against the map table when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueAddress {
    /// Number of the map.
    pub slot: u16,
    /// The program's map-table slot for it.
    pub local: u8,
    pub element: u32,
    pub offset: u32,
}

/// Bytes of one map value that a context holds: filled by a lookup's answer and by loads that missed it.
#[derive(Clone, Debug)]
pub(crate) struct ValueWindow {
    pub valid: bool,
    pub at: ValueAddress,
    pub len: u32,
    /// More than it holds, so that a window at the last byte needs no second check.
    bytes: [u8; WINDOW_MAX + WINDOW],
}

impl ValueWindow {
    fn new() -> Self {
        ValueWindow { valid: false, at: ValueAddress::default(), len: 0, bytes: [0; WINDOW_MAX + WINDOW] }
    }

    /// The bytes that a handle names if all `size` of them are here. The map table is not asked: a program has one slot for a map.
    #[inline(always)]
    pub(crate) fn get(&self, at: Handle, size: u32) -> Option<&[u8]> {
        let index = at.offset.wrapping_sub(self.at.offset);
        let hit = self.valid
            && at.element == self.at.element
            && at.slot == self.at.local
            && at.offset >= self.at.offset
            && index + size <= self.len;
        if hit { Some(&self.bytes[index as usize..]) } else { None }
    }

    /// Takes the bytes of a value from `at` on.
    pub(crate) fn fill(&mut self, at: ValueAddress, from: &[u8]) {
        let len = from.len().min(WINDOW_MAX);
        self.valid = true;
        self.at = at;
        self.len = len as u32;
        self.bytes[..len].copy_from_slice(&from[..len]);
    }

    /// An own store writes through to what is held.
    #[inline(always)]
    pub(crate) fn write_through(&mut self, at: ValueAddress, size: u8, value: u64) {
        if size == 0 || !self.valid || at.element != self.at.element || at.local != self.at.local {
            return;
        }
        for (n, byte) in value.to_le_bytes().into_iter().take(usize::from(size)).enumerate() {
            let index = (at.offset + n as u32).wrapping_sub(self.at.offset);
            if index < self.len {
                self.bytes[index as usize] = byte;
            }
        }
    }
}

/// What a posted write does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PostedKind {
    #[default]
    Store,
    Add32,
    Add64,
}

/// A posted store or add: up to two inserts into one value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Posted {
    pub kind: PostedKind,
    /// Number of the map.
    pub slot: u16,
    pub element: u32,
    /// Offset, size (0: off) and value of each insert; the second wins.
    pub parts: [(u32, u8, u64); 2],
    /// Packet and vCPU that posted it.
    pub seq: u64,
    pub vcpu: u16,
}

/// A record of a ring buffer that a packet has reserved and not yet submitted or discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Number of the ring buffer.
    pub slot: u16,
    /// Element that its handle names.
    pub element: u32,
    /// Bytes that the program may touch.
    pub size: u32,
    /// Where it ends in the ring, counted from the first record on: the host reads records in this order.
    pub end: u64,
}

/// A record among the events of a packet.
#[derive(Clone, Copy, Debug)]
struct Rung {
    slot: u16,
    end: u64,
    /// Which event.
    at: usize,
}

/// What a packet holds of maps. The map unit fills it before it answers; the engine checks accesses against it, and gives back
/// what a packet still holds when it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Records, in the order in which they were reserved.
    pub records: Vec<Record>,
    /// The lock that it has taken.
    pub lock: Option<ValueAddress>,
    /// Number and vCPU of a packet that has ended.
    pub packet: (u64, u16),
}

impl Held {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.lock.is_none()
    }

    /// The record that a handle's map and element name.
    pub(crate) fn record(&self, slot: u16, element: u32) -> Option<Record> {
        self.records.iter().copied().find(|record| record.slot == slot && record.element == element)
    }
}

/// A context's port. What most requests touch comes first.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Port {
    pub op: RequestOp,
    /// Number of the request's map; of an atomic, a lock or a record that of its handle.
    pub slot: u16,
    /// The program's map-table slot for it.
    pub local: u8,
    /// A load missed the window: the answer fills it and nothing else.
    pub reads: bool,
    /// A unit of the engine only wants the bytes at K: they are fetched, and the answer says so.
    pub fetches: bool,
    /// vCPU, program and number of the context's packet.
    pub vcpu: u16,
    pub program: u16,
    /// Element that the request is about.
    pub element: u32,
    /// The element was taken for a new key.
    pub new: bool,
    /// The element is written where it is in the index.
    pub in_place: bool,
    /// The request waits until the writes that the context posted before have taken effect.
    pub fenced: bool,
    /// An update whose flags are W.
    pub flagged: bool,
    /// An update that takes the lock of a value that is there and writes in place.
    pub locked: bool,
    /// It has the lock.
    pub granted: bool,
    /// Hash of the key.
    pub hash: u32,
    pub seq: u64,
    pub answer: u64,
    /// V as a number, and W.
    pub number: u64,
    pub third: u64,
    /// Bytes of the packet when the request was made.
    pub packet_len: u32,
    /// The key, or the other bytes that the request takes at K.
    pub key: Vec<u8>,
    /// Where the window is to be filled from.
    pub wanted: ValueAddress,
    /// The key, or the value, is read from a map by the map unit itself.
    pub key_from: Option<ValueAddress>,
    pub value_from: Option<ValueAddress>,
    /// What a handle names: the operand of an atomic, a lock, a record, where copied bytes go to. Checked.
    pub at: ValueAddress,
    pub window: ValueWindow,
    /// Cycle from which each credit is free again; `u64::MAX` while the map unit has not taken the write.
    pub credits: [u64; POSTED_CREDITS],
    /// Records and lock of the packet.
    pub held: Held,
    /// What the packet has told the host so far.
    pub events: Vec<DeviceEvent>,
    /// What it has kept for the next printed line.
    pub text: Vec<u8>,
    /// Records among them, in their order.
    rung: Vec<Rung>,
    /// The last redirect of the packet that did not fail.
    pub redirect: Option<Redirect>,
    /// The writes that hold the credits.
    pub posted: [Posted; POSTED_CREDITS],
    /// Value of an update; packet bytes of an event.
    pub value: Vec<u8>,
    /// What packets of this context still held when they ended, on its way back.
    pub left: VecDeque<Held>,
}

impl Port {
    /// Tells the host of a record that ends at `end` in its ring: before those that lie behind it in the same ring, whichever was
    /// submitted first (kernel/bpf/ringbuf.c: the consumer waits at a record that is not submitted).
    pub(crate) fn tell_record(&mut self, slot: u16, end: u64, bytes: Vec<u8>) {
        let place = self.rung.iter().position(|other| other.slot == slot && other.end > end);
        let place = place.unwrap_or(self.rung.len());
        let at = self.rung.get(place).map_or(self.events.len(), |behind| behind.at);
        self.rung.iter_mut().skip(place).for_each(|behind| behind.at += 1);
        self.rung.insert(place, Rung { slot, end, at });
        self.events.insert(at, DeviceEvent::Ringbuf { map: MapId(slot), bytes });
    }

    /// What the packet has told the host; the next packet begins anew.
    pub(crate) fn take_events(&mut self) -> Vec<DeviceEvent> {
        self.rung.clear();
        self.text.clear();
        std::mem::take(&mut self.events)
    }

    pub(crate) fn new() -> Self {
        Port {
            op: RequestOp::None,
            slot: 0,
            local: 0,
            reads: false,
            fetches: false,
            vcpu: 0,
            program: 0,
            element: 0,
            new: false,
            in_place: false,
            fenced: false,
            flagged: false,
            locked: false,
            granted: false,
            hash: 0,
            seq: 0,
            answer: 0,
            key_from: None,
            value_from: None,
            wanted: ValueAddress::default(),
            number: 0,
            third: 0,
            at: ValueAddress::default(),
            packet_len: 0,
            held: Held::default(),
            left: VecDeque::new(),
            events: Vec::new(),
            text: Vec::new(),
            rung: Vec::new(),
            redirect: None,
            window: ValueWindow::new(),
            credits: [0; POSTED_CREDITS],
            posted: [Posted::default(); POSTED_CREDITS],
            value: Vec::new(),
            key: Vec::new(),
        }
    }

    /// A packet comes into the context; what the last one held was given back.
    pub(crate) fn take(&mut self, seq: u64, vcpu: u16, program: u16) {
        self.window.valid = false;
        self.seq = seq;
        self.vcpu = vcpu;
        self.program = program;
        self.redirect = None;
        self.text.clear();
    }

    /// True if a write that was posted to a map has not taken effect, or something of it that a packet held is on its way back.
    pub(crate) fn is_on_its_way_to(&self, slot: u16) -> bool {
        let posted =
            self.credits.iter().zip(&self.posted).any(|(&free, posted)| free == u64::MAX && posted.slot == slot);
        let held = |held: &Held| {
            held.lock.is_some_and(|at| at.slot == slot) || held.records.iter().any(|record| record.slot == slot)
        };
        posted || self.left.iter().any(held)
    }

    /// A free credit at cycle `now`.
    #[inline(always)]
    pub(crate) fn credit(&self, now: u64) -> Option<u8> {
        self.credits.iter().position(|&free| free <= now).map(|index| index as u8)
    }
}
