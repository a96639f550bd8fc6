//! Registers over a transport.

use crate::error::Error;
use crate::transport::Transport;
use offwire_hostif::{BarOffset, Region, RegisterIo, Registers};
use std::sync::Arc;

/// BAR0 of a transport.
#[derive(Clone, Debug)]
pub struct Bar0(Arc<dyn Transport>);

/// The typed registers of a device.
pub type Regs = Registers<Bar0>;

/// The registers of the device behind a transport.
pub fn registers(transport: &Arc<dyn Transport>) -> Regs {
    Registers(Bar0(Arc::clone(transport)))
}

impl RegisterIo for Bar0 {
    type Error = Error;

    fn read_u32(&self, offset: BarOffset) -> Result<u32, Error> {
        self.0.read_u32(Region::Bar0, offset.0.into())
    }

    fn read_u64(&self, offset: BarOffset) -> Result<u64, Error> {
        self.0.read_u64(Region::Bar0, offset.0.into())
    }

    fn write_u32(&self, offset: BarOffset, value: u32) -> Result<(), Error> {
        self.0.write_u32(Region::Bar0, offset.0.into(), value)
    }

    fn write_u64(&self, offset: BarOffset, value: u64) -> Result<(), Error> {
        self.0.write_u64(Region::Bar0, offset.0.into(), value)
    }
}
