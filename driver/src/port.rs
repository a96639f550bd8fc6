//! Ports.

use crate::device::{Device, Request, dispatch, id};
use crate::error::Error;
use crate::program::{NO_PROGRAM, ProgramId};
use offwire_hostif::{DispatchChoice, Opcode, desc};

/// What a port is and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// Number.
    pub port: u16,
    /// `PortFlag` bits.
    pub flags: u16,
    /// What programs see.
    pub ifindex: u32,
    /// The attached program and its dispatch mode, never [`DispatchChoice::Proven`].
    pub program: Option<(ProgramId, DispatchChoice)>,
    /// Rate, Gb/s.
    pub gbps: u32,
    /// Cycle of the last attach, detach or swap.
    pub since: u64,
}

impl Device {
    /// How many ports there are.
    pub fn port_count(&self) -> u16 {
        self.inner.info.ports
    }

    /// What a port is and does.
    ///
    /// # Errors
    /// [`Error::Command`] if there is none with this number.
    pub fn port(&self, port: u16) -> Result<PortInfo, Error> {
        let request = Request::new(Opcode::PortInfo).object(port.into()).output(desc::PortInfo::BYTES);
        let info = desc::PortInfo::decode(&self.run(&request)?.record("a port record's size")?);
        let flags = u16::try_from(info.flags);
        let mode = || {
            let known = dispatch(info.mode).filter(|&mode| mode != DispatchChoice::Proven);
            known.ok_or(Error::Nonsense { what: "a dispatch mode", value: info.mode.into() })
        };
        Ok(PortInfo {
            port,
            flags: flags.map_err(|_| Error::Nonsense { what: "port flags", value: info.flags.into() })?,
            ifindex: info.ifindex,
            program: match info.program {
                NO_PROGRAM => None,
                program => Some((ProgramId(id(program.into(), "a program id")?), mode()?)),
            },
            gbps: info.gbps,
            since: info.since,
        })
    }

    /// Sets what a port does (`PortFlag` bits) and the ifindex that programs see (`None`: the port's number + 1).
    ///
    /// # Errors
    /// [`Error::Command`].
    pub fn set_port(&self, port: u16, flags: u16, ifindex: Option<u32>) -> Result<(), Error> {
        let request = Request { argument: flags.into(), ..Request::new(Opcode::PortSet) };
        self.run(&request.object(port.into()).value(ifindex.unwrap_or(0).into()))?;
        self.inner.record().port_set(port, flags, ifindex);
        Ok(())
    }
}
