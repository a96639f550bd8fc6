//! Packets as they come and go.

use crate::fault::Fault;

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

/// A packet that has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Number of the packet since `load`, as `offer` gave it.
    pub seq: u64,
    /// Port at which it came in.
    pub port: u16,
    /// Return value of the program; `XDP_ABORTED` after a fault.
    pub retval: u32,
    /// The frame as the program left it, whatever the return value.
    pub bytes: Vec<u8>,
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
