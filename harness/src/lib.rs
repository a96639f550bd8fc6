//! One way to run a program anywhere: maps in, packets through, maps out.
//!
//! A [`Backend`] executes one program. `reference` (our interpreter, which asserts facts and bounds) and `host` (the kernel
//! through bpf(2)) live here; the device's back ends live in the cli, the only crate that names them all. `capture` (a crate of
//! its own) reads and writes pcap and pcapng, `mapfile` reads and writes map contents, `diff` runs several back ends side by side; `programs` and `classes` make programs
//! for tests of all of them.

mod chance;
pub mod classes;
pub mod conform;
pub mod diff;
pub mod host;
pub mod mapfile;
pub mod overlap;
pub mod programs;
pub mod random;
pub mod reference;
mod references;
pub mod require;
pub mod sequences;

pub use offwire_capture::{self as capture, PacketIn};

pub use chance::{Chance, RANDOM_FACTOR, RANDOM_INCREMENT};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::{Diagnostic, Span};
use serde::Serialize;

/// Shortest frame that back ends take (ETH_HLEN).
pub use host::MIN_FRAME;

/// XDP actions (include/uapi/linux/bpf.h, enum xdp_action). Any other return value counts as [`Verdict::Aborted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum Verdict {
    Aborted,
    Drop,
    Pass,
    Tx,
    Redirect,
}

impl Verdict {
    /// All of them, in the kernel's order.
    pub const ALL: [Verdict; 5] = [Verdict::Aborted, Verdict::Drop, Verdict::Pass, Verdict::Tx, Verdict::Redirect];

    /// The action that a driver takes for a return value.
    pub fn from_retval(retval: u32) -> Self {
        Self::ALL.get(retval as usize).copied().unwrap_or(Verdict::Aborted)
    }
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PacketOut {
    /// r0 at exit, low 32 bits.
    pub retval: u32,
    /// The frame after the program ran.
    pub bytes: Vec<u8>,
    /// Metadata before the frame (bpf_xdp_adjust_meta); empty if the program made none.
    pub meta: Vec<u8>,
    /// Events in the order in which the program made them.
    pub events: Vec<Event>,
    /// Where the packet goes, if the return value is XDP_REDIRECT and the back end can tell.
    pub redirect: Option<RedirectTarget>,
    /// eBPF instructions executed, where the back end can count them.
    pub insns: Option<u64>,
    /// Microcode words retired, on devices.
    pub words: Option<u64>,
    /// Issue slots taken (words and replays), on devices.
    pub slots: Option<u64>,
    /// Why the device ended the packet, if it faulted.
    pub fault: Option<String>,
}

/// Where a redirected packet goes (struct bpf_redirect_info of include/linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectTarget {
    /// bpf_redirect: out of the device with this ifindex.
    Ifindex(u32),
    /// bpf_redirect_map: to what stands in the map.
    Entry {
        /// Number of the map in the object.
        map: u16,
        /// Key of the entry.
        key: u32,
    },
    /// bpf_redirect_map with BPF_F_BROADCAST: to all that stands in the map.
    Broadcast {
        /// Number of the map in the object.
        map: u16,
        /// Not back where it came from (BPF_F_EXCLUDE_INGRESS).
        exclude_ingress: bool,
    },
}

/// Bytes of the ring that takes the perf events of one packet (user space empties it after each).
pub const PERF_RING_BYTES: u64 = 1 << 19;

/// What a program told user space while it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A record of a ring buffer, submitted.
    Ringbuf {
        /// Number of the map in the object.
        map: u16,
        /// The record.
        bytes: Vec<u8>,
    },
    /// bpf_perf_event_output on CPU 0: the data, then bytes of the packet if the flags ask for them.
    Perf {
        /// Number of the map in the object.
        map: u16,
        /// The data, without the padding of the perf ring.
        bytes: Vec<u8>,
    },
    /// The same, as the kernel hands it out: up to 7 bytes of padding behind it, which hold anything, make the number of bytes
    /// 4 more than a multiple of 8.
    PerfPadded {
        /// Number of the map in the object.
        map: u16,
        /// The data and the padding.
        bytes: Vec<u8>,
    },
    /// bpf_trace_printk: the line, without the prefix that the tracer adds.
    Trace {
        /// As the program formatted it.
        text: String,
    },
}

impl Event {
    /// True if both tell the same, padding left aside.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Event::Perf { map, bytes }, Event::PerfPadded { map: other, bytes: padded })
            | (Event::PerfPadded { map: other, bytes: padded }, Event::Perf { map, bytes }) => {
                map == other && (bytes.len() + 4).next_multiple_of(8) == padded.len() + 4 && padded.starts_with(bytes)
            }
            _ => self == other,
        }
    }
}

/// Entries up to which an LRU map of `max` entries takes another one without evicting any. The kernel evicts when it finds fewer
/// free elements than it takes at a time (kernel/bpf/bpf_lru_list.c, `target_free`), at most so many; more CPUs make it fewer.
pub(crate) fn lru_limit(max: usize) -> usize {
    max.saturating_sub((max / 2).clamp(1, 128))
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// `key_size` bytes.
    pub key: Vec<u8>,
    /// One value of `value_size` bytes; per-CPU maps: (cpu, value) for each CPU that was written or differs from zero.
    pub value: EntryValue,
}

/// Value of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryValue {
    /// An ordinary map.
    One(Vec<u8>),
    /// A per-CPU map: CPU and value, ascending; CPUs not named hold zeros.
    PerCpu(Vec<(u32, Vec<u8>)>),
}

/// Executes one program. Call order: any number of `map_update`, then `run` and `map_*` as one likes. One packet at a time, on vCPU 0.
pub trait Backend {
    /// "ref", "host", "model", ...
    fn name(&self) -> &'static str;

    /// Inserts or replaces an entry (BPF_ANY).
    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic>;

    /// All entries, ascending by key bytes. Arrays list every index.
    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic>;

    /// Whether this back end can run such a packet at all. An `Err` carries `OW0804`; nothing has changed. A comparison asks all
    /// back ends before any of them runs the packet.
    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        let _ = packet;
        Ok(())
    }

    /// What the program draws from clocks and from the random generator, from the next packet on: the clocks stand still, the
    /// generator goes on from its state, also from packet to packet, until this is called again. Without it the back end starts
    /// from [`Chance::default`].
    fn set_chance(&mut self, chance: Chance);

    /// Runs one packet to its end. An `Err` means that the back end cannot run it at all (`not_comparable` where the code says
    /// so), never that the program dropped it.
    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic>;

    /// True if an LRU map is known to have been full, or nearly so, at some moment, be it inside of a packet.
    fn filled_lru(&self) -> bool {
        false
    }

    /// True if [`PacketOut::redirect`] is told.
    fn tells_redirect(&self) -> bool {
        true
    }

    /// Where the last packet took its last conditional branch, if the back end knows.
    fn last_branch(&self) -> Option<Span> {
        None
    }
}
