//! What a device can tell about itself while it runs: a typed event sink, chosen by type, so that [`Off`] costs nothing.

use offwire_isa::{CodeAddr, RequestOp};

use crate::counters::Replay;
use crate::fault::Fault;

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
        /// Map-table slot.
        map: u8,
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
    /// A lookup; 0 if there is no such key, else a handle.
    Lookup {
        /// The key.
        key: &'a [u8],
        /// The answer.
        answer: u64,
    },
    /// An update.
    Update {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
        /// `BPF_ANY` 0, `BPF_NOEXIST` 1, `BPF_EXIST` 2.
        flags: u64,
        /// 0 or a negative errno.
        answer: i32,
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
