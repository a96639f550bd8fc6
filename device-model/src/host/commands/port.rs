//! Ports: attaching programs, flags.

use offwire_hostif::{CommandFlag, DispatchChoice, PortFlag, Status, desc};
use offwire_image::DispatchMode;

use super::fields::{ARGUMENT, VALUE};
use super::programs::{choice, program};
use super::{Answer, Done, HostFunction, NO_ID, Refused, bad_field, refuse, result};
use crate::AttachError;

fn attach_error(error: AttachError) -> Refused {
    match error {
        AttachError::Port(port) => refuse(Status::NoSuchPort, port),
        AttachError::NoProgram(id) => refuse(Status::NoSuchProgram, id.0),
        AttachError::NotAttached(_) => refuse(Status::NotFound, 0u32),
    }
}

impl HostFunction {
    /// The port that a command names.
    fn port_of_command(&self, command: &desc::Command) -> Result<u16, Refused> {
        let port = u16::try_from(command.object).ok().filter(|&port| port < self.config.ports);
        port.ok_or(refuse(Status::NoSuchPort, command.object))
    }

    /// The program of a port as commands say it.
    fn attached_id(&self, port: u16) -> u32 {
        self.card.device.attached(port).map_or(NO_ID, |(program, _)| program.0.into())
    }

    /// Refuses a command that expects another program than is attached.
    fn expects(&self, command: &desc::Command, port: u16) -> Result<(), Refused> {
        let attached = self.attached_id(port);
        if command.flags & CommandFlag::EXPECT != 0 && command.count != attached {
            return Err(refuse(Status::Changed, attached));
        }
        Ok(())
    }

    /// The port's program changes now.
    fn switched(&mut self, port: u16) {
        let now = self.card.device.now();
        if let Some(port) = self.card.ports.get_mut(usize::from(port)) {
            port.since = now;
        }
    }

    pub(super) fn port_attach(&mut self, command: &desc::Command) -> Answer {
        let port = self.port_of_command(command)?;
        let choice = u16::try_from(command.value).ok().and_then(DispatchChoice::from_code).ok_or(bad_field(VALUE))?;
        let mode = match choice {
            DispatchChoice::Proven => None,
            DispatchChoice::Cpu => Some(DispatchMode::Cpu),
            DispatchChoice::Flow => Some(DispatchMode::Flow),
            DispatchChoice::Any => Some(DispatchMode::Any),
        };
        let program = program(command.argument)?;
        self.expects(command, port)?;
        let before = self.card.device.attach(port, program, mode).map_err(attach_error)?;
        self.switched(port);
        result(before.map_or(NO_ID, |program| program.0.into()))
    }

    pub(super) fn port_detach(&mut self, command: &desc::Command) -> Answer {
        let port = self.port_of_command(command)?;
        self.expects(command, port)?;
        let before = self.card.device.detach(port).map_err(attach_error)?;
        self.switched(port);
        result(before.0)
    }

    pub(super) fn port_info(&mut self, command: &desc::Command) -> Answer {
        let number = self.port_of_command(command)?;
        let port = self.card.ports.get(usize::from(number)).ok_or(refuse(Status::NoSuchPort, number))?;
        let record = desc::PortInfo {
            port: number.into(),
            flags: port.flags.into(),
            ifindex: port.ifindex,
            program: self.attached_id(number),
            mode: self.card.device.attached(number).map_or(0, |(_, mode)| choice(mode).code().into()),
            gbps: self.card.profile.port_gbps,
            since: port.since,
            ..desc::PortInfo::default()
        };
        self.write_output(command, &record.encode())
    }

    pub(super) fn port_set(&mut self, command: &desc::Command) -> Answer {
        let number = self.port_of_command(command)?;
        let flags = u16::try_from(command.argument).ok().filter(|flags| flags & !PortFlag::ALL == 0);
        let flags = flags.ok_or(bad_field(ARGUMENT))?;
        let ifindex = u32::try_from(command.value).map_err(|_| bad_field(VALUE))?;
        if let Some(port) = self.card.ports.get_mut(usize::from(number)) {
            port.flags = flags;
            port.ifindex = if ifindex == 0 { u32::from(number) + 1 } else { ifindex };
        }
        Ok(Done::default())
    }
}
