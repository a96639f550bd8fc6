//! Counters, time, chance, coming to rest.

use crate::device::{Device, Request};
use crate::error::Error;
use crate::map::MapId;
use crate::program::ProgramId;
use offwire_hostif::{
    CommandFlag, CounterDomain, DEVICE_COUNTERS, Opcode, PORT_COUNTERS, PROGRAM_COUNTERS, RING_COUNTERS, RingId,
    Status, TimeMode, desc,
};

/// Whose counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterOf {
    /// The whole device.
    Device,
    /// A port.
    Port(u16),
    /// A program.
    Program(ProgramId),
    /// A ring.
    Ring(RingId),
}

impl CounterOf {
    /// Names of its counters, in the device's order.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            CounterOf::Device => &DEVICE_COUNTERS,
            CounterOf::Port(_) => &PORT_COUNTERS,
            CounterOf::Program(_) => &PROGRAM_COUNTERS,
            CounterOf::Ring(_) => &RING_COUNTERS,
        }
    }

    fn domain(self) -> (CounterDomain, u32) {
        match self {
            CounterOf::Device => (CounterDomain::Device, 0),
            CounterOf::Port(port) => (CounterDomain::Port, port.into()),
            CounterOf::Program(program) => (CounterDomain::Program, program.0.into()),
            CounterOf::Ring(ring) => (CounterDomain::Ring, ring.number()),
        }
    }
}

/// Counters, all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Device cycle of that moment.
    pub cycle: u64,
    names: &'static [&'static str],
    values: Vec<u64>,
}

impl Counters {
    /// The counter with this name, if there is one.
    pub fn get(&self, name: &str) -> Option<u64> {
        let at = self.names.iter().position(|&known| known == name)?;
        self.values.get(at).copied()
    }

    /// Names and values, in the device's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names.iter().copied().zip(self.values.iter().copied())
    }
}

/// Sources of chance that stand still, for compared runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// What bpf_ktime_get_ns gives.
    pub ktime_ns: u64,
    /// What bpf_jiffies64 gives.
    pub jiffies: u64,
    /// State of the random generator.
    pub random_state: u64,
}

impl Device {
    /// Reads counters.
    ///
    /// # Errors
    /// [`Error::Command`] if there is no such port, program or ring.
    pub fn counters(&self, of: CounterOf) -> Result<Counters, Error> {
        let (domain, object) = of.domain();
        let names = of.names();
        let request = Request { argument: domain.code().into(), ..Request::new(Opcode::CountersRead) };
        let reply = self.run(&request.object(object).output(8 * names.len()))?;
        let mut bytes = vec![0; 8 * names.len()];
        if reply.output_bytes() != bytes.len() {
            return Err(Error::Nonsense { what: "the size of counters", value: reply.output_bytes() as u64 });
        }
        reply.read(&mut bytes)?;
        let values = bytes.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
        Ok(Counters { cycle: reply.cycle(), names, values })
    }

    /// Chooses how device time moves, and with `base` the time (ns) that ktime gives now.
    ///
    /// # Errors
    /// [`Error::Command`] if the device cannot do this.
    pub fn set_time(&self, mode: TimeMode, base: Option<u64>) -> Result<(), Error> {
        let flags = if base.is_some() { CommandFlag::BASE } else { 0 };
        let request = Request { argument: mode.code().into(), flags, ..Request::new(Opcode::TimeSet) };
        self.run(&request.value(base.unwrap_or(0))).map(drop)
    }

    /// Lets ktime and jiffies stand still and random numbers go on from a given state.
    ///
    /// # Errors
    /// As any command.
    pub fn set_chance(&self, chance: Chance) -> Result<(), Error> {
        let Chance { ktime_ns, jiffies, random_state } = chance;
        let record = desc::Chance { ktime_ns, jiffies, random_state }.encode();
        self.run(&Request::new(Opcode::ChanceSet).input(&[&record])).map(drop)
    }

    /// Returns when each packet that arrived before has left and its writes are done.
    ///
    /// # Errors
    /// [`Error::Deadline`] if that does not happen.
    pub fn quiesce(&self) -> Result<(), Error> {
        self.run(&Request::new(Opcode::Quiesce)).map(drop)
    }

    /// All maps of programs and ports as they are now, for people and for adopting what a predecessor left.
    ///
    /// # Errors
    /// As any command. What is unloaded or freed while it is listed is left out.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        let gone = |error: &Error| matches!(error.status(), Some(Status::NoSuchProgram | Status::NoSuchMap));
        let mut inventory = Inventory::default();
        for id in self.programs()? {
            match self.program(id) {
                Ok(program) => inventory.programs.push(program),
                Err(error) if gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        for id in self.maps()? {
            match self.map_info(id) {
                Ok(map) => inventory.maps.push(map),
                Err(error) if gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        for port in 0..self.port_count() {
            inventory.ports.push(self.port(port)?);
        }
        Ok(inventory)
    }
}

/// What is on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Programs, by id.
    pub programs: Vec<crate::ProgramInfo>,
    /// Maps, by id.
    pub maps: Vec<crate::MapInfo>,
    /// Ports, by number.
    pub ports: Vec<crate::PortInfo>,
}

impl Inventory {
    /// The map with this id.
    pub fn map(&self, id: MapId) -> Option<&crate::MapInfo> {
        self.maps.iter().find(|map| map.id == id)
    }
}
