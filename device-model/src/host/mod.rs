//! The PCI function in front of the device: what a driver sees of it (docs/registers.md).
//!
//! [`HostFunction`] is the device behind registers, rings and DMA. It does no I/O: memory, interrupts and frames come from
//! whoever owns it, a driver in the same process or a vfio-user server. A driver may do anything at any time; what makes no sense
//! stops a ring or fails a command, and nothing that is not in the DMA table is touched.
//!
//! * `config`, `msix`, `registers`: the function as the bus sees it;
//! * `dma`, `bus`, `ring`, `events`: host memory and the rings in it;
//! * `card`: what a reset clears: the device, its ports, what is in flight;
//! * `commands`: the command ring;
//! * `ports`, `transmit`, `receive`, `packets`: packets between rings, wires and the device;
//! * `wire`: what the owner of the wires calls.
//!
//! Nothing moves by itself: [`PciFunction::poll`] does a share of what there is to do. Device time moves only there.

mod bus;
mod card;
mod commands;
mod config;
mod dma;
mod doorbells;
mod events;
mod msix;
mod packets;
mod ports;
mod receive;
mod registers;
mod ring;
mod transmit;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use offwire_hostif::{
    AccessError, BAR0_BYTES, BAR2_BYTES, BAR4_BYTES, DmaAccess, DmaError, HostMemory, Interrupt, Iova, PciFunction,
    Region, TimeMode, VECTORS,
};
use offwire_isa::Profile;

use crate::Departure;
use bus::Bus;
use card::Card;
use commands::Job;
use config::{Asked, CONFIG_BYTES, ConfigSpace};
use events::Events;

pub use doorbells::Doorbells;
pub use wire::Departed;

/// How a function is built.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// Profile of the device.
    pub profile: &'static Profile,
    /// Register Instance: tells this device from one that was there before.
    pub instance: u64,
    /// Time mode after power on and after each reset.
    pub time: TimeMode,
    /// Bit `1 << mode.code()`: time modes that TimeSet may choose.
    pub choices: u32,
    /// Ports that there are, 1 to 64.
    pub ports: u16,
    /// Bit p: somebody takes the frames that leave at port p ([`HostFunction::depart`]). The others count and forget them.
    pub wires: u64,
}

impl HostConfig {
    /// A device with all ports and no wire, whose time is virtual or as fast as it goes.
    pub fn new(profile: &'static Profile) -> Self {
        HostConfig {
            profile,
            instance: 1,
            time: TimeMode::Virtual,
            choices: 1 << TimeMode::Virtual.code() | 1 << TimeMode::Free.code(),
            ports: offwire_hostif::PORTS as u16,
            wires: 0,
        }
    }
}

/// The function.
pub struct HostFunction {
    config: HostConfig,
    space: ConfigSpace,
    bus: Bus,
    events: Events,
    card: Card,
    /// A command that takes several polls.
    job: Option<Job>,
    /// Resets since power on.
    resets: u32,
    /// Cycle to which the owner of the clock lets the device go.
    limit: Option<u64>,
    /// Somebody wrote to a region since the last poll.
    touched: bool,
    /// The last poll did something, so there may be more.
    left: bool,
    /// Queue pair whose transmit ring is looked at first in the next poll.
    turn: u8,
    // Buffers that keep their memory.
    input: Vec<u8>,
    output: Vec<u8>,
    departures: VecDeque<Departure>,
}

impl HostFunction {
    /// A device as after power on. `bar2` is the memory of the doorbells, all zero; [`Doorbells`] is one.
    ///
    /// # Panics
    /// If the profile asks for what no device can be built with; the profiles of `offwire_isa` do not.
    pub fn new(config: HostConfig, bar2: Arc<dyn HostMemory>) -> Self {
        let config = HostConfig { ports: config.ports.clamp(1, offwire_hostif::PORTS as u16), ..config };
        HostFunction {
            config,
            space: ConfigSpace::new(),
            bus: Bus::new(bar2, config.profile.clock_mhz),
            events: Events::default(),
            card: Card::new(&config),
            job: None,
            resets: 0,
            limit: None,
            touched: false,
            left: false,
            turn: 0,
            input: Vec::new(),
            output: Vec::new(),
            departures: VecDeque::new(),
        }
    }

    /// The configuration space as after power on; what follows from it.
    fn reset_space(&mut self) {
        self.space = ConfigSpace::new();
        self.bus.msix.reset();
        self.space.set_msix(self.bus.msix.has_target());
        self.follow_space();
    }

    /// Makes true what the configuration space says.
    fn follow_space(&mut self) {
        self.bus.dma.master = self.space.bus_master();
        self.bus.msix.control(self.space.msix());
    }

    /// The rings as after power on.
    fn reset_rings(&mut self) {
        self.bus.reset_rings();
        self.events.restart();
        self.job = None;
    }

    /// All as after power on but configuration space and MSI-X.
    fn reset_function(&mut self) {
        self.reset_rings();
        self.reset_card();
    }

    /// Programs, maps, ports, counters and time as after power on.
    fn reset_card(&mut self) {
        self.card = Card::new(&self.config);
        self.bus.reset_counters();
        self.events.reset_counters();
        self.resets = self.resets.wrapping_add(1);
    }
}

impl PciFunction for HostFunction {
    fn region_size(&self, region: Region) -> u64 {
        match region {
            Region::Bar0 => BAR0_BYTES.into(),
            Region::Bar2 => BAR2_BYTES.into(),
            Region::Bar4 => BAR4_BYTES.into(),
            Region::Config => CONFIG_BYTES as u64,
        }
    }

    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        (region == Region::Bar2).then(|| self.bus.doorbells().clone())
    }

    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        let done = match region {
            Region::Bar0 => self.read_registers(offset, bytes),
            Region::Bar2 => self.bus.doorbells().read(offset, bytes),
            Region::Bar4 => self.bus.msix.read(offset, bytes),
            Region::Config => self.space.read(offset, bytes),
        };
        if done { Ok(()) } else { Err(AccessError { region, offset, size: bytes.len() }) }
    }

    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        self.touched = true;
        let done = match region {
            Region::Bar0 => self.write_registers(offset, bytes),
            Region::Bar2 => match bytes.first_chunk() {
                // A doorbell: what was written before it is seen by who sees it.
                Some(word) if bytes.len() == 4 && offset.is_multiple_of(4) => {
                    self.bus.doorbells().store_release(offset, u32::from_le_bytes(*word))
                }
                _ => self.bus.doorbells().write(offset, bytes),
            },
            Region::Bar4 => self.bus.msix.write(offset, bytes),
            Region::Config => match self.space.write(offset, bytes) {
                Some(Asked::Reset) => {
                    self.reset();
                    true
                }
                Some(Asked::Nothing) => {
                    self.follow_space();
                    true
                }
                None => false,
            },
        };
        if done { Ok(()) } else { Err(AccessError { region, offset, size: bytes.len() }) }
    }

    fn vectors(&self) -> u16 {
        VECTORS as u16
    }

    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        if vector >= VECTORS as u16 {
            return;
        }
        let on = to.is_some();
        self.bus.msix.set_target(vector, to);
        // As VFIO_DEVICE_SET_IRQS does: the first target switches MSI-X on, the last one off.
        if on || !self.bus.msix.has_target() {
            self.space.set_msix(self.bus.msix.has_target());
            self.bus.msix.control(self.space.msix());
        }
    }

    fn dma_map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError> {
        self.bus.dma.map(iova, size, access, memory, offset)
    }

    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        self.bus.dma.unmap(iova, size)
    }

    fn disconnect(&mut self) {
        self.bus.dma.clear();
        self.bus.msix.disconnect();
        self.reset_space();
        self.reset_rings();
    }

    fn reset(&mut self) {
        self.reset_space();
        self.reset_function();
    }

    fn poll(&mut self) -> bool {
        self.touched = false;
        self.left = self.work();
        self.left
    }
}
