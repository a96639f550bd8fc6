//! Faults: what a program did that the device does not allow. A fault ends its packet as `XDP_ABORTED`; stores to maps that
//! were made before stay.

use offwire_isa::CodeAddr;

/// Causes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FaultCause {
    /// A load, store or operand outside the packet.
    PacketBounds,
    /// Outside the 512 B stack.
    StackBounds,
    /// Outside the 256 B scratch.
    ScratchBounds,
    /// Outside the map value.
    ValueBounds,
    /// A map-value access whose base is no handle, or whose slot, element or record does not exist in the running image; a request
    /// whose W is no map pointer; a record to be submitted or discarded that the packet does not hold.
    BadHandle,
    /// A store or add to the packet metadata or to a map that the program cannot change, or an update or delete of one.
    ReadOnly,
    /// A request to a map-table slot that the image does not have, or to a map of a kind that does not serve it.
    BadMap,
    /// The code address has no word.
    BadCodeAddress,
    /// The packet took more cycles than the image or the profile allow.
    Budget,
    /// A call with [`crate::geometry::CALLS_MAX`] calls that have not returned, or a return without a call.
    CallDepth,
    /// A lock was taken while the packet holds one, or given back that it does not hold.
    BadLock,
}

impl FaultCause {
    /// All causes, in order of their numbers.
    pub const ALL: [FaultCause; 11] = [
        FaultCause::PacketBounds,
        FaultCause::StackBounds,
        FaultCause::ScratchBounds,
        FaultCause::ValueBounds,
        FaultCause::BadHandle,
        FaultCause::ReadOnly,
        FaultCause::BadMap,
        FaultCause::BadCodeAddress,
        FaultCause::Budget,
        FaultCause::CallDepth,
        FaultCause::BadLock,
    ];

    /// A short name for tables.
    pub fn name(self) -> &'static str {
        match self {
            FaultCause::PacketBounds => "packet_bounds",
            FaultCause::StackBounds => "stack_bounds",
            FaultCause::ScratchBounds => "scratch_bounds",
            FaultCause::ValueBounds => "value_bounds",
            FaultCause::BadHandle => "bad_handle",
            FaultCause::ReadOnly => "read_only",
            FaultCause::BadMap => "bad_map",
            FaultCause::BadCodeAddress => "bad_code_address",
            FaultCause::Budget => "budget",
            FaultCause::CallDepth => "call_depth",
            FaultCause::BadLock => "bad_lock",
        }
    }
}

/// A fault as it is latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub cause: FaultCause,
    /// The word that did it; for [`FaultCause::BadCodeAddress`] and [`FaultCause::Budget`] the word that was not run.
    pub word: CodeAddr,
}
