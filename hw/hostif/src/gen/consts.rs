// Generated from hw/spec by `cargo xtask codegen`; do not edit.

/// Version of the interface; a driver refuses another one.
pub const INTERFACE_MAJOR: u32 = 1;

/// Grows with what older drivers may ignore.
pub const INTERFACE_MINOR: u32 = 0;

/// PCI vendor id (provisional).
pub const PCI_VENDOR: u32 = 0x1d55;

/// PCI device id (provisional).
pub const PCI_DEVICE: u32 = 0xff1;

/// PCI class code.
pub const PCI_CLASS: u32 = 0x20000;

/// Pairs of receive and transmit rings.
pub const QUEUE_PAIRS: u32 = 16;

/// Ports.
pub const PORTS: u32 = 64;

/// MSI-X vectors.
pub const VECTORS: u32 = 36;

/// Bytes of a ring's descriptor.
pub const DESCRIPTOR_BYTES: u32 = 64;

/// Bytes of BAR0, the registers.
pub const BAR0_BYTES: u32 = 0x4000;

/// Bytes of BAR2, the doorbells.
pub const BAR2_BYTES: u32 = 0x20000;

/// Bytes of BAR4, MSI-X.
pub const BAR4_BYTES: u32 = 0x1000;

/// Offset of the MSI-X table in BAR4.
pub const MSIX_TABLE: u32 = 0;

/// Offset of the pending bits in BAR4.
pub const MSIX_PBA: u32 = 0x800;

/// Offset of the first ring's registers in BAR0.
pub const RING_BASE: u32 = 0x1000;

/// Bytes from one ring's registers to the next one's.
pub const RING_STRIDE: u32 = 128;

/// Rings.
pub const RINGS: u32 = 36;

/// Number of the command ring.
pub const RING_COMMAND: u32 = 0;

/// Number of the completion ring.
pub const RING_COMPLETION: u32 = 1;

/// Number of the event ring.
pub const RING_EVENT: u32 = 2;

/// Number of the first receive ring; every second one is one.
pub const RING_RECEIVE: u32 = 4;

/// Number of the first transmit ring; every second one is one.
pub const RING_TRANSMIT: u32 = 5;

/// Binary logarithm of the least entries of a ring.
pub const RING_LOG2_MIN: u32 = 1;

/// Binary logarithm of the most entries of a ring.
pub const RING_LOG2_MAX: u32 = 16;

/// Bytes of a doorbell page in BAR2.
pub const DOORBELL_PAGE: u32 = 0x1000;

/// Bytes between the doorbells of a page.
pub const DOORBELL_STRIDE: u32 = 64;

/// Names of the counters of domain Device, in their order.
pub const DEVICE_COUNTERS: [&str; 22] = [
    "cycles",
    "arrivals",
    "departures",
    "tail_drops",
    "faults",
    "aborted",
    "dropped",
    "passed",
    "transmitted",
    "redirected",
    "other_verdicts",
    "words",
    "slots_used",
    "slots_empty",
    "events",
    "events_lost",
    "lookups",
    "updates",
    "deletes",
    "host_received",
    "host_lost",
    "pending_frees",
];

/// Names of the counters of domain Port, in their order.
pub const PORT_COUNTERS: [&str; 12] = [
    "rx_packets",
    "rx_bytes",
    "tx_packets",
    "tx_bytes",
    "rx_dropped",
    "tx_dropped",
    "aborted",
    "dropped",
    "passed",
    "transmitted",
    "redirected",
    "faults",
];

/// Names of the counters of domain Program, in their order.
pub const PROGRAM_COUNTERS: [&str; 10] = [
    "packets",
    "bytes",
    "words",
    "aborted",
    "dropped",
    "passed",
    "transmitted",
    "redirected",
    "faults",
    "cycles",
];

/// Names of the counters of domain Ring, in their order.
pub const RING_COUNTERS: [&str; 4] = [
    "entries",
    "lost",
    "interrupts",
    "stops",
];
