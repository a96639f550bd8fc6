//! The packets in the device, from offer to departure; blocks hand their numbers around.

use offwire_image::DispatchMode;

use crate::departure::{Departure, DeviceEvent, Redirect};
use crate::fault::Fault;
use crate::id::ProgramId;

/// Number of a packet's record while it is in the device.
pub(crate) type PacketId = u32;

/// No packet.
pub(crate) const NONE: PacketId = u32::MAX;

/// What a packet must not run beside; its context knows it too, so that nobody looks at the record when the packet exits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    /// Order bucket.
    pub bucket: u32,
    pub vcpu: u16,
    /// Set when the packet enters the ingress FIFO, as its program.
    pub mode: DispatchMode,
}

/// What few packets leave with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub meta: Vec<u8>,
    pub events: Vec<DeviceEvent>,
    pub redirect: Option<Redirect>,
}

/// What will be told of a packet; see [`Departure`], which has the same names. Two cache lines hold all of a record.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub seq: u64,
    /// The bytes are here unless a context has them.
    pub bytes: Vec<u8>,
    pub told: Option<Box<Told>>,
    pub arrival: u64,
    pub dispatched: u64,
    pub exited: u64,
    pub words: u32,
    pub slots: u32,
    pub retval: u32,
    pub fault: Option<Fault>,
    pub program: Option<ProgramId>,
    pub port: u16,
}

impl Outcome {
    /// A packet that is offered.
    pub(crate) fn new(seq: u64, port: u16, arrival: u64, bytes: Vec<u8>) -> Self {
        Outcome {
            seq,
            bytes,
            told: None,
            arrival,
            dispatched: 0,
            exited: 0,
            words: 0,
            slots: 0,
            retval: 0,
            fault: None,
            program: None,
            port,
        }
    }

    /// What it told, to be added to.
    pub(crate) fn tell(&mut self) -> &mut Told {
        self.told.get_or_insert_default()
    }

    /// The packet leaves with its bytes.
    #[inline(always)]
    pub(crate) fn depart(&mut self, departed: u64) -> Departure {
        let Told { meta, events, redirect } = self.told.take().map_or_else(Told::default, |told| *told);
        Departure {
            seq: self.seq,
            port: self.port,
            program: self.program,
            retval: self.retval,
            bytes: std::mem::take(&mut self.bytes),
            meta,
            events,
            redirect,
            arrival: self.arrival,
            dispatched: self.dispatched,
            exited: self.exited,
            departed,
            words: self.words,
            slots: self.slots,
            fault: self.fault,
        }
    }
}

/// What the device knows of a packet outside its context.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Record {
    pub out: Outcome,
    pub ingress_ifindex: u32,
    pub rx_queue: u32,
    pub wants: Wants,
    /// The epoch that it belongs to.
    pub epoch: u8,
    /// The next packet of the same dispatcher lane, then of the same restorer queue.
    pub next: PacketId,
    /// It is out of its context and waits for its turn to depart.
    pub done: bool,
}

/// All records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packets {
    records: Vec<Record>,
    free: Vec<PacketId>,
}

impl Packets {
    pub(crate) fn add(&mut self, record: Record) -> PacketId {
        match self.free.pop() {
            Some(id) => {
                self.records[id as usize] = record;
                id
            }
            None => {
                self.records.push(record);
                self.records.len() as PacketId - 1
            }
        }
    }

    /// Ends a record. Its bytes are the caller's to take first.
    pub(crate) fn remove(&mut self, id: PacketId) {
        self.free.push(id);
    }

    #[inline(always)]
    pub(crate) fn get(&self, id: PacketId) -> &Record {
        &self.records[id as usize]
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: PacketId) -> &mut Record {
        &mut self.records[id as usize]
    }
}

// Records are copied and looked at all the time.
const _: () = assert!(size_of::<Record>() == 128);
