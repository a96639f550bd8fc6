//! What a device can tell about itself while it runs: a typed event sink, chosen by type, so that [`Off`] costs nothing.

use offwire_isa::{CodeAddr, RequestOp};

use crate::counters::Replay;
use crate::fault::Fault;
use crate::id::MapId;

/// A sink of events. Events come in cycle order; those of one cycle in the order of the blocks: map unit, then engines. With a sink that is on, contexts do not run ahead of their slots, so a traced device is slower, never different.
pub trait Trace {
    /// False only for sinks that drop everything.
    const ON: bool = true;

    /// One event.
    fn event(&mut self, event: Event<'_>);
}

/// The sink that is off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

impl Trace for Off {
    const ON: bool = false;

    #[inline(always)]
    fn event(&mut self, _event: Event<'_>) {}
}

/// Where and whose a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Cycle.
    pub cycle: u64,
    /// Packet.
    pub seq: u64,
    /// Engine.
    pub engine: u16,
    /// Context of the engine.
    pub context: u16,
    /// Address of the word.
    pub word: CodeAddr,
}

/// Something happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A packet that was dispatched has come to the in-port of its engine and got a context.
    Started {
        /// When and where; the word is the entry.
        at: At,
        /// The vCPU of the packet.
        vcpu: u16,
    },
    /// A word was run; the registers are as after its write back. The answer to a request is not yet among them.
    Retired {
        /// When and where, at issue.
        at: At,
        /// All registers.
        registers: &'a [u64; 16],
    },
    /// A word was refused and will be issued again.
    Refused {
        /// When and where, at issue.
        at: At,
        /// Why.
        why: Replay,
    },
    /// An operation on a map took effect; all of them in the order in which they did.
    Shared {
        /// Cycle.
        cycle: u64,
        /// Packet.
        seq: u64,
        /// vCPU of the packet.
        vcpu: u16,
        /// The map.
        map: MapId,
        /// What it was.
        op: SharedOp<'a>,
    },
    /// A context has the answer to a request and goes on; of a tail call it is the program's number + 1, or 0.
    Answered {
        /// Cycle.
        cycle: u64,
        /// Packet.
        seq: u64,
        /// The word that made the request.
        word: CodeAddr,
        /// The request.
        request: RequestOp,
        /// The answer.
        answer: u64,
    },
    /// A packet ended: the word that ended it has left the pipe.
    Exited {
        /// Cycle.
        cycle: u64,
        /// Packet.
        seq: u64,
        /// Return value.
        retval: u32,
        /// Set if the packet was ended by a fault.
        fault: Option<Fault>,
    },
}

/// An operation on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedOp<'a> {
    /// A lookup; 0 if there is no such key, else a handle, or in a map of maps a map pointer. Both name slots of the map table of
    /// the packet's program.
    Lookup {
        /// The key.
        key: &'a [u8],
        /// The answer.
        answer: u64,
    },
    /// An update. What its value overwrites in place it overwrites now; else [`SharedOp::Write`] has told of that, and now the index
    /// names the new element.
    Update {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
        /// `BPF_ANY` 0, `BPF_NOEXIST` 1, `BPF_EXIST` 2.
        flags: u64,
        /// 0 or a negative errno.
        answer: i32,
        /// The element that the key has from now on; of a per-CPU map the copy of the packet's vCPU. `None` if the update is refused.
        element: Option<u32>,
    },
    /// The value of an update is written to an element that the index does not name yet. In a per-CPU hash map the copies of other
    /// vCPUs are zero then.
    Write {
        /// Element.
        element: u32,
        /// The value; a spin lock in it is not written.
        bytes: &'a [u8],
    },
    /// A delete.
    Delete {
        /// The key.
        key: &'a [u8],
        /// 0 or a negative errno.
        answer: i32,
    },
    /// A store of one insert.
    Store {
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A posted add.
    Add {
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
        /// 4 or 8.
        size: u8,
        /// What is added.
        value: u64,
    },
    /// An LRU map gave an entry away, for the update that follows.
    Evict {
        /// Its key.
        key: &'a [u8],
    },
    /// A fetching atomic.
    Atomic {
        /// Which one.
        op: RequestOp,
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
        /// V.
        operand: u64,
        /// What a compare and exchange compares with.
        compare: u64,
        /// What was there, zero-extended: the answer.
        old: u64,
    },
    /// A packet has taken a spin lock.
    Lock {
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
    },
    /// A packet has given a spin lock back, or has ended with it.
    Unlock {
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
    },
    /// A record of a ring buffer was reserved.
    RingReserve {
        /// Bytes that were asked for.
        bytes: u64,
        /// 0 if there is no room, else a handle.
        answer: u64,
    },
    /// A record was submitted.
    RingSubmit {
        /// Its element.
        element: u32,
        /// The record.
        bytes: &'a [u8],
    },
    /// A record was discarded, by the program or because the packet has ended with it.
    RingDiscard {
        /// Its element.
        element: u32,
    },
    /// A record was submitted at once.
    RingOutput {
        /// The record.
        bytes: &'a [u8],
        /// 0 or a negative errno.
        answer: i32,
    },
    /// A ring buffer was asked about itself.
    RingQuery {
        /// What was asked.
        flags: u64,
        /// The answer.
        answer: u64,
    },
    /// The host has read the packet's records, discarded ones too, and given their memory back.
    RingRead,
    /// An event for a perf event array.
    PerfOutput {
        /// V bytes of the program.
        bytes: &'a [u8],
        /// W.
        flags: u64,
        /// 0 or a negative errno.
        answer: i32,
    },
    /// A redirect through a map.
    RedirectMap {
        /// Key of the entry.
        key: u32,
        /// W.
        flags: u64,
        /// `XDP_REDIRECT`, or another return value.
        answer: u32,
    },
    /// A tail call.
    TailCall {
        /// Index in the program array.
        index: u32,
        /// The program there; the packet has made too many tail calls if it does not go on in it.
        program: Option<u32>,
    },
    /// Bytes of a value were read into a context's value window or into a request.
    Read {
        /// Element.
        element: u32,
        /// Offset in the value.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
}
