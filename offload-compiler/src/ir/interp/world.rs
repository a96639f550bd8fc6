//! What a program meets outside of its packet and its maps, and what it leaves there.

use crate::ebpf::MapIdx;

/// Most tail calls of one packet (MAX_TAIL_CALL_CNT).
const MAX_TAIL_CALLS: u32 = 33;
/// The generator of random numbers: Knuth's multiplier of MMIX and its increment.
const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// Time, chance, and what the packet has made so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// What bpf_ktime_get_ns answers.
    pub ktime_ns: u64,
    /// What bpf_jiffies64 answers.
    pub jiffies: u64,
    /// State of the generator behind bpf_get_prandom_u32.
    pub random: u64,
    /// What the packet sent to the host, in order.
    pub events: Vec<Event>,
    /// Where XDP_REDIRECT sends the packet: the last request that succeeded.
    pub redirect: Option<Redirect>,
    /// What is kept for the next printed line.
    pub text: Vec<u8>,
    /// Tail calls that were gone.
    pub tail_calls: u32,
}

/// Something for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record of a ring buffer, when it is submitted.
    Ring {
        /// Which one.
        map: MapIdx,
        /// Contents.
        bytes: Vec<u8>,
    },
    /// bpf_perf_event_output.
    Perf {
        /// Which array.
        map: MapIdx,
        /// Which element.
        index: u32,
        /// The program's bytes.
        bytes: Vec<u8>,
        /// Bytes of the packet behind them.
        packet: Vec<u8>,
    },
    /// bpf_trace_printk.
    Print {
        /// Format text, and behind it what was kept.
        format: Vec<u8>,
        /// Its arguments.
        arguments: [u64; 3],
    },
}

/// Target of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// bpf_redirect.
    Interface {
        /// Which one.
        ifindex: u32,
    },
    /// bpf_redirect_map.
    Map {
        /// Which map.
        map: MapIdx,
        /// Which entry.
        key: u32,
        /// As given.
        flags: u64,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this return value.
    Exit(u32),
    /// It goes on in the program with this number ([`super::Maps::link`]), on the packet as it is now.
    TailCall(u32),
}

impl World {
    /// The next random number.
    pub(crate) fn chance(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        self.random >> 32
    }

    /// Counts a tail call; false if there were too many.
    pub(crate) fn tail_call(&mut self) -> bool {
        let goes = self.tail_calls < MAX_TAIL_CALLS;
        self.tail_calls += u32::from(goes);
        goes
    }
}
