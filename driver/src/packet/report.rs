//! How a packet went through the device.

use crate::error::Error;
use crate::map::MapId;
use offwire_hostif::{RedirectKind, desc};

/// Where a packet was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// `bpf_redirect`.
    Interface {
        /// Interface index.
        ifindex: u32,
        /// Flags of the call.
        flags: u64,
    },
    /// `bpf_redirect_map`.
    Map {
        /// Map.
        map: MapId,
        /// Key in it.
        key: u32,
        /// Flags of the call.
        flags: u64,
    },
}

/// How a packet went through the device. Times are cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// When it arrived.
    pub arrival: u64,
    /// From arrival to dispatch.
    pub dispatched: u32,
    /// From arrival to the end of the program.
    pub exited: u32,
    /// From arrival to departure.
    pub departed: u32,
    /// Words run.
    pub words: u32,
    /// Issue slots taken.
    pub slots: u32,
    /// Where the program redirected it; meant only if it returned `XDP_REDIRECT`.
    pub redirect: Option<Redirect>,
    /// Fault cause (chapter ISA) and word address.
    pub fault: Option<(u16, u32)>,
    /// Events that it made, lost ones included.
    pub events: u32,
}

impl Report {
    /// Reads a record.
    pub(super) fn decode(bytes: &[u8; desc::ReceiveReport::BYTES]) -> Result<Self, Error> {
        let record = desc::ReceiveReport::decode(bytes);
        let (target, flags) = (record.redirect_target, record.redirect_flags);
        let redirect = match RedirectKind::from_code(record.redirect) {
            Some(RedirectKind::None) => None,
            Some(RedirectKind::Interface) => Some(Redirect::Interface { ifindex: target, flags }),
            Some(RedirectKind::Map) => {
                let map = MapId(crate::device::id(target.into(), "a map id")?);
                Some(Redirect::Map { map, key: record.redirect_key, flags })
            }
            None => return Err(Error::Nonsense { what: "a kind of redirect", value: record.redirect.into() }),
        };
        Ok(Report {
            arrival: record.arrival,
            dispatched: record.dispatched,
            exited: record.exited,
            departed: record.departed,
            words: record.words,
            slots: record.slots,
            redirect,
            fault: (record.fault != u16::MAX).then_some((record.fault, record.fault_address)),
            events: record.events,
        })
    }
}
