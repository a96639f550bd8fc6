//! The software device as it is served.

use std::sync::Arc;

use device_model::host::{HostConfig, HostFunction};
use offwire_hostif::{BAR2_BYTES, TimeMode};
use offwire_hostmem::SharedMemory;

use crate::error::ServeError;
use crate::nic::{Departed, Nic, Rates};

/// Builds the software device and the memory behind its doorbells, for [`Service::new`](crate::Service::new).
///
/// # Errors
/// The machine has no shared memory to give.
pub fn device(config: HostConfig) -> Result<(HostFunction, Arc<SharedMemory>), ServeError> {
    let doorbells = Arc::new(SharedMemory::new("offwire-doorbells", u64::from(BAR2_BYTES))?);
    let memory = Arc::clone(&doorbells);
    Ok((HostFunction::new(config, memory), doorbells))
}

impl Nic for HostFunction {
    fn ports(&self) -> u16 {
        HostFunction::ports(self)
    }

    fn rates(&self) -> Rates {
        Rates { clock_mhz: self.profile().clock_mhz, port_gbps: self.profile().port_gbps }
    }

    fn time(&self) -> TimeMode {
        self.time_mode()
    }

    fn now(&self) -> u64 {
        HostFunction::now(self)
    }

    fn resets(&self) -> u32 {
        HostFunction::resets(self)
    }

    fn set_limit(&mut self, cycle: Option<u64>) {
        HostFunction::set_limit(self, cycle);
    }

    fn is_open(&self, port: u16) -> bool {
        HostFunction::is_open(self, port)
    }

    fn arrive(&mut self, port: u16, cycle: u64, frame: Vec<u8>) -> bool {
        HostFunction::arrive(self, port, cycle, frame)
    }

    fn depart(&mut self) -> Option<Departed> {
        let departed = HostFunction::depart(self)?;
        Some(Departed { port: departed.port, cycle: departed.cycle, frame: departed.bytes })
    }

    fn in_flight(&self) -> bool {
        HostFunction::in_flight(self)
    }
}
