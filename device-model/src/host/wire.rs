//! What the owner of the wires and of the clock calls.

use offwire_hostif::{DropReason, PortFlag, TimeMode};
use offwire_isa::Profile;

use super::HostFunction;
use super::card::FLIGHTS_MAX;
use crate::Arrival;
use crate::geometry::{MAX_PACKET, MIN_PACKET};

/// A frame that has left on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Port.
    pub port: u16,
    /// Device cycle.
    pub cycle: u64,
    /// The frame without FCS.
    pub bytes: Vec<u8>,
}

/// True for lengths that a device takes.
pub(super) fn fits(bytes: usize) -> bool {
    (MIN_PACKET as usize..=MAX_PACKET as usize).contains(&bytes)
}

impl HostFunction {
    /// Ports.
    pub fn ports(&self) -> u16 {
        self.config.ports
    }

    /// Profile of the device.
    pub fn profile(&self) -> &'static Profile {
        self.config.profile
    }

    /// The next cycle to be run; 0 after a reset.
    pub fn now(&self) -> u64 {
        self.card.device.now()
    }

    /// Resets since power on: register ResetCount.
    pub fn resets(&self) -> u32 {
        self.resets
    }

    /// Time mode in force.
    pub fn time_mode(&self) -> TimeMode {
        self.card.time
    }

    /// From now on `poll` runs the device to before `cycle` at most; `None`: until it is idle. In real time the device goes to
    /// the limit also when nothing is in flight.
    pub fn set_limit(&mut self, cycle: Option<u64>) {
        self.limit = cycle;
    }

    /// True if a driver lets the port receive: it is up, and a program is attached or a receive ring works.
    pub fn is_open(&self, port: u16) -> bool {
        let up = self.card.ports.get(usize::from(port)).is_some_and(|port| port.is(PortFlag::UP));
        up && (self.card.device.attached(port).is_some() || self.bus.receives())
    }

    /// A frame arrives at a port at `cycle`, but not before what arrived last. False if it is lost at once: there is no such
    /// port, it is down, the frame has a length that the device does not take, or too much is in flight.
    pub fn arrive(&mut self, port: u16, cycle: u64, frame: Vec<u8>) -> bool {
        let Some(state) = self.card.ports.get(usize::from(port)) else { return false };
        let refused = if !state.is(PortFlag::UP) {
            Some(DropReason::PortDown)
        } else if !fits(frame.len()) {
            Some(DropReason::Length)
        } else if self.card.flights.len() >= FLIGHTS_MAX {
            Some(DropReason::Ingress)
        } else {
            None
        };
        let cycle = cycle.max(self.card.earliest());
        let arrival = Arrival { cycle, port, ingress_ifindex: state.ifindex, rx_queue: 0, bytes: frame, vcpu: None };
        let refused = refused.or_else(|| self.card.offer(arrival, None).err().map(|_| DropReason::Ingress));
        if let Some(reason) = refused {
            self.lose_arrival(port, reason);
        }
        refused.is_none()
    }

    /// The next frame that has left on a wire, in order of cycles.
    pub fn depart(&mut self) -> Option<Departed> {
        self.card.departed.pop_front()
    }

    /// True if something is still to run, also if `poll` stopped at the limit.
    pub fn in_flight(&self) -> bool {
        !self.card.device.is_idle()
    }

    /// True if somebody wrote to a region since the last poll, or the last poll did something.
    pub fn wants_poll(&self) -> bool {
        self.touched || self.left
    }

    /// A limit with which `poll` has something to do; `None` if only host or wire can give it something.
    pub fn next_event(&self) -> Option<u64> {
        self.in_flight().then(|| self.card.device.next_event().saturating_add(1))
    }
}
