//! Packets as they come and go.

use crate::fault::Fault;
use crate::id::{MapId, ProgramId};

/// A packet that comes to a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Cycle at which all of it is in the packet store.
    pub cycle: u64,
    /// Port, 0 to 63.
    pub port: u16,
    /// What the program sees as `xdp_md.ingress_ifindex`.
    pub ingress_ifindex: u32,
    /// What the program sees as `xdp_md.rx_queue_index`.
    pub rx_queue: u32,
    /// The frame without FCS, 14 B to 3,520 B. The vector comes back with the departure.
    pub bytes: Vec<u8>,
    /// The vCPU that runs the packet; `None`: by its flow.
    pub vcpu: Option<u16>,
}

/// A packet that found the ingress FIFO full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Number of the packet, as `offer` gave it.
    pub seq: u64,
    /// Port at which it came.
    pub port: u16,
}

/// A packet that has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Number of the packet since `load`, as `offer` gave it.
    pub seq: u64,
    /// Port at which it came in.
    pub port: u16,
    /// The program that ran it, the one that was attached to the port when the packet entered the ingress FIFO; `None`: there was
    /// none, and the packet is unchanged.
    pub program: Option<ProgramId>,
    /// Return value of the program; `XDP_ABORTED` after a fault; `XDP_PASS` without a program.
    pub retval: u32,
    /// The frame as the program left it, whatever the return value.
    pub bytes: Vec<u8>,
    /// Metadata before the frame (`bpf_xdp_adjust_meta`).
    pub meta: Vec<u8>,
    /// What it told the host, in the order in which it did.
    pub events: Vec<DeviceEvent>,
    /// The last redirect that did not fail.
    pub redirect: Option<Redirect>,
    /// Cycle of arrival.
    pub arrival: u64,
    /// Cycle at which a context was chosen.
    pub dispatched: u64,
    /// Cycle at which the word that ended it left the pipe, or its answer ended it.
    pub exited: u64,
    /// Cycle at which the restorer let it go.
    pub departed: u64,
    /// Words run.
    pub words: u32,
    /// Issue slots taken: words, refused words, and the one that faulted.
    pub slots: u32,
    /// Set if a fault ended it.
    pub fault: Option<Fault>,
}

/// Something that a packet told the host; events of a packet leave with it, in the order in which it made them,
/// records of one ring buffer in the order in which they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// A record that was submitted to a ring buffer.
    Ringbuf {
        /// The ring buffer.
        map: MapId,
        /// The record.
        bytes: Vec<u8>,
    },
    /// An event of `bpf_perf_event_output`.
    Perf {
        /// The perf event array.
        map: MapId,
        /// Index in it.
        index: u32,
        /// What the program gave.
        bytes: Vec<u8>,
        /// Packet bytes behind it.
        packet: Vec<u8>,
    },
    /// A text of `bpf_trace_printk`, to be formatted by the host.
    Printk {
        /// The format, and behind it what `printk.text` has kept.
        format: Vec<u8>,
        /// Its arguments, as registers hold them; [`offwire_isa::PRINTK_TEXT`] and a place in `format` for a text.
        arguments: [u64; 3],
    },
}

/// Where a packet is to go; meant only if it returns `XDP_REDIRECT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// To an interface (`bpf_redirect`).
    Interface {
        /// Its index.
        ifindex: u32,
        /// Flags of the call.
        flags: u64,
    },
    /// To what an entry of a map names (`bpf_redirect_map`).
    Map {
        /// The map.
        map: MapId,
        /// Key of the entry.
        key: u32,
        /// Flags of the call.
        flags: u64,
    },
}
