//! What is served: a PCI function that has ports and a clock.

use offwire_hostif::{PciFunction, TimeMode};

/// A frame that left on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Port at which it leaves.
    pub port: u16,
    /// Cycle of the device in which it left.
    pub cycle: u64,
    /// The frame without its check sequence.
    pub frame: Vec<u8>,
}

/// How fast things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Clock of the device, MHz.
    pub clock_mhz: u32,
    /// Rate of a port, Gbit/s.
    pub port_gbps: u32,
}

/// A function with ports and a clock.
///
/// Legal order: anything at any time. [`PciFunction::poll`] runs the device; without a limit until it is idle, in
/// bounded slices.
pub trait Nic: PciFunction {
    /// Ports that may have a wire, numbered from 0.
    fn ports(&self) -> u16;

    /// Clock and port rate.
    fn rates(&self) -> Rates;

    /// How device time goes; a driver may change it where the device lets it. `Virtual`: only to the next arrival, so
    /// that captures play with their own times and runs repeat to the cycle. `Real`: with CLOCK_MONOTONIC. `Free`: as
    /// fast as it goes; frames arrive when they come, one behind the other at the port's rate.
    fn time(&self) -> TimeMode;

    /// The next cycle to be run; 0 again after a reset.
    fn now(&self) -> u64;

    /// Resets since power on.
    fn resets(&self) -> u32;

    /// From now on `poll` runs the device to this cycle at the most, which is not run itself. `None`: until it is idle.
    fn set_limit(&mut self, cycle: Option<u64>);

    /// True once a driver lets the port receive: a program is attached, or a receive queue is there.
    fn is_open(&self, port: u16) -> bool;

    /// A frame will have arrived at `port` in `cycle`, or as soon after as arrivals in order allow. False: the device
    /// does not take such a frame.
    fn arrive(&mut self, port: u16, cycle: u64, frame: Vec<u8>) -> bool;

    /// The next frame that left; cycles ascend.
    fn depart(&mut self) -> Option<Departed>;

    /// True while something is still to be run, a limit in the way or not.
    fn in_flight(&self) -> bool;
}
