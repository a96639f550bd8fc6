//! The packets in the device, from offer to departure; blocks hand their numbers around.

use offwire_image::DispatchMode;

use crate::departure::Departure;

/// Number of a packet's record while it is in the device.
pub(crate) type PacketId = u32;

/// No packet.
pub(crate) const NONE: PacketId = u32::MAX;

/// What the device knows of a packet outside its context.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Record {
    /// What will be told of it; `bytes` are here unless a context has them.
    pub out: Departure,
    pub ingress_ifindex: u32,
    pub rx_queue: u32,
    pub vcpu: u16,
    /// What it must not run beside; set when it enters the ingress FIFO, as its program.
    pub mode: DispatchMode,
    /// The epoch that it belongs to.
    pub epoch: u8,
    /// Order bucket.
    pub bucket: u32,
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
