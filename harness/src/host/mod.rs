//! `host`: the running kernel, through bpf(2).
//!
//! Maps and the program are loaded as they are; packets run one at a time with BPF_PROG_TEST_RUN at repeat 1. Everything
//! happens on a thread of its own, pinned to CPU 0 (so that per-CPU state and bpf_get_smp_processor_id are those of vCPU 0)
//! and in a network namespace of its own, where devices are made so that port n is ifindex n + 1. Nothing is attached to any
//! interface. On other systems than Linux the back end exists, but is never available.

use crate::{Backend, Chance, Entry, PacketIn, PacketOut};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::Object;
use offwire_diag::Diagnostic;

#[cfg(target_os = "linux")]
mod btf;
#[cfg(target_os = "linux")]
mod errno;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod perf;
#[cfg(target_os = "linux")]
mod printk;
#[cfg(target_os = "linux")]
mod rewrite;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod worker;

/// Shortest frame that BPF_PROG_TEST_RUN takes (ETH_HLEN).
pub const MIN_FRAME: usize = 14;
/// Longest frame in one linear buffer: a page less headroom (256) and skb_shared_info (320).
pub const MAX_LINEAR_FRAME: usize = 3520;

/// The kernel took the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Instructions that the kernel's verifier processed, if it said so.
    pub processed: Option<u64>,
}

/// The kernel's verifier refused the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Error number by name ("EACCES").
    pub errno: String,
    /// Its log.
    pub log: String,
}

impl Rejected {
    /// The sentence that says why: the last line of the log that is neither state nor statistics.
    pub fn reason(&self) -> &str {
        let told = |line: &&str| {
            let line = line.trim();
            !(line.is_empty()
                || line.starts_with("processed ")
                || line.starts_with("verification time")
                || line.starts_with("stack depth")
                || line.starts_with("mark_precise"))
        };
        self.log.lines().rfind(told).unwrap_or(&self.errno)
    }
}

/// The kernel with one program and its maps.
pub struct Host {
    #[cfg(target_os = "linux")]
    inner: worker::Handle,
    #[cfg(not(target_os = "linux"))]
    inner: std::convert::Infallible,
}

#[cfg(target_os = "linux")]
impl Host {
    /// Makes the maps and loads program number `program` of the object.
    ///
    /// # Errors
    /// `OW0801` if bpf(2) cannot be used here, `OW0802` with the verifier's log if the kernel refuses the program, `OW0803` if
    /// it refuses a map.
    pub fn new(object: &Object, program: usize) -> Result<Self, Diagnostic> {
        Ok(Self { inner: worker::Handle::spawn(object, program)? })
    }

    /// Nanoseconds per run, as the kernel measures them over `repeat` runs of the packet. Packet bytes are not reset between
    /// the runs, and a measurement at repeat 1 carries about 40 ns of timer.
    pub fn time(&mut self, packet: &PacketIn, repeat: u32) -> Result<u32, Diagnostic> {
        let packet = packet.clone();
        self.inner.call(move |worker| worker.time(&packet, repeat))?
    }

    /// Why a packet cannot run on this kernel, if so: `OW0804`.
    fn admit(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        let (len, port, rx_queue) = (packet.bytes.len(), packet.port, packet.rx_queue);
        self.inner.call(move |worker| worker.admit(len, port, rx_queue))?
    }
}

#[cfg(target_os = "linux")]
impl Backend for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        self.admit(packet)
    }

    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        let entry = entry.clone();
        self.inner.call(move |worker| worker.update(map, &entry))?
    }

    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        self.inner.call(move |worker| worker.entries(map))?
    }

    fn tells_redirect(&self) -> bool {
        false
    }

    fn set_chance(&mut self, chance: Chance) {
        // Only a thread that has ended does not take it; the run that follows tells.
        let _ = self.inner.call(move |worker| worker.set_chance(chance));
    }

    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        let packet = packet.clone();
        self.inner.call(move |worker| worker.run(&packet))?
    }
}

/// The kernel's verdict on a program.
///
/// # Errors
/// `OW0801` if bpf(2) cannot be used here, `OW0803` if the kernel refuses a map.
#[cfg(target_os = "linux")]
pub fn load_verdict(object: &Object, program: usize) -> Result<Result<Accepted, Rejected>, Diagnostic> {
    load::verdict(object, program)
}

/// Whether bpf(2) can be used here at all: `OW0801` with the reason if not.
#[cfg(target_os = "linux")]
pub fn available() -> Result<(), Diagnostic> {
    load::available()
}

/// Version of the running kernel ("6.18.44").
#[cfg(target_os = "linux")]
pub fn kernel_version() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_string())
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;
    use offwire_diag::codes;

    fn unavailable() -> Diagnostic {
        Diagnostic::error(codes::host::HOST_UNAVAILABLE, "the kernel back end is not available")
            .with_reason("bpf(2) exists on Linux only")
            .with_help("use the back end `ref` or `model`")
    }

    impl Host {
        /// Always `OW0801`: there is no bpf(2) here.
        pub fn new(_object: &Object, _program: usize) -> Result<Self, Diagnostic> {
            Err(unavailable())
        }

        /// Never comes to pass: there is no `Host` here.
        pub fn time(&mut self, _packet: &PacketIn, _repeat: u32) -> Result<u32, Diagnostic> {
            match self.inner {}
        }
    }

    impl Backend for Host {
        fn name(&self) -> &'static str {
            "host"
        }

        fn map_update(&mut self, _map: MapIdx, _entry: &Entry) -> Result<(), Diagnostic> {
            match self.inner {}
        }

        fn map_entries(&mut self, _map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
            match self.inner {}
        }

        fn set_chance(&mut self, _chance: Chance) {
            match self.inner {}
        }

        fn run(&mut self, _packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
            match self.inner {}
        }
    }

    /// Always `OW0801`: there is no bpf(2) here.
    pub fn load_verdict(_object: &Object, _program: usize) -> Result<Result<Accepted, Rejected>, Diagnostic> {
        Err(unavailable())
    }

    /// Always `OW0801`: there is no bpf(2) here.
    pub fn available() -> Result<(), Diagnostic> {
        Err(unavailable())
    }

    /// There is no Linux kernel here.
    pub fn kernel_version() -> Option<String> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{available, kernel_version, load_verdict};
