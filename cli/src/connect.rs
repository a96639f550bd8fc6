//! From `--dev DEV` to an open device with its state folder.

use crate::args::device::{Chosen, ChosenOrAll, DevSpec, DeviceArgs};
use crate::entries::Types;
use crate::output::{Failure, Output};
use crate::program;
use crate::state::{Kind, ProgramRecord, State};
use device_model::host::{Doorbells, HostConfig, HostFunction};
use driver::transport::vfio::Vfio;
use driver::transport::{InProcess, Transport, VfioUser, VfioUserOptions};
use driver::{Device, Info, MapId, MapInfo, OpenOptions, ProgramId, ProgramInfo};
use offload_compiler::object::{self, Object};
use offwire_diag::{Code, Diagnostic, codes};
use offwire_hostif::Status;
use offwire_isa::Profile;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An open device.
#[derive(Debug)]
pub struct Session {
    /// Its driver.
    pub device: Device,
    /// What it is.
    pub info: Info,
    /// How the user named it.
    pub spec: DevSpec,
    /// Names that commands share.
    pub state: State,
}

/// What a driver says, for users.
pub fn failure(error: &driver::Error) -> Failure {
    diagnostic(error).into()
}

/// The same as a diagnostic.
pub fn diagnostic(error: &driver::Error) -> Diagnostic {
    use driver::Error;
    let said = |code: Code, message: &str| Diagnostic::error(code, message).with_reason(error.to_string());
    match error {
        Error::Command(refused) => {
            let code = match refused.status {
                Status::NoSuchProgram | Status::NoSuchMap | Status::NoSuchPort => codes::driver::NO_SUCH_OBJECT,
                _ => codes::driver::REFUSED,
            };
            said(code, "the device refused the command")
        }
        Error::Unprepared { .. } | Error::NotOurs { .. } | Error::Version { .. } | Error::Memory(_) => {
            said(codes::driver::NOT_READY, "the device cannot be opened")
                .with_help("docs/driver.md tells how a machine is prepared")
        }
        Error::WasReset { .. } | Error::Failed => said(codes::driver::GONE, "the device was reset or has failed")
            .with_help("offwire dev show tells what is there"),
        _ if error.is_gone() => said(codes::driver::GONE, "the device does not answer")
            .with_help("is it running, and has no other process opened it? --deadline gives it more time"),
        Error::Deadline { .. } => {
            said(codes::driver::GONE, "the device does not answer").with_help("--deadline gives it more time")
        }
        _ => said(codes::driver::NOT_READY, "the device cannot be used"),
    }
}

/// The device that is meant: `--dev`, or the environment's.
///
/// # Errors
/// Wrong use if there is none.
pub fn spec(args: &DeviceArgs) -> Result<DevSpec, Failure> {
    if let Some(spec) = &args.device {
        return Ok(spec.clone());
    }
    match std::env::var("OFFWIRE_DEV") {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|error| Failure::usage(codes::cli::USAGE, format!("OFFWIRE_DEV={text}: {error}")))
        }
        _ => Err(Failure::usage(codes::cli::USAGE, "which device? --dev DEV or OFFWIRE_DEV is wanted")),
    }
}

/// The way to a device.
///
/// # Errors
/// `OW1001`, `OW1002`, `OW1008`.
pub fn transport(spec: &DevSpec, deadline: Duration) -> Result<Arc<dyn Transport>, Failure> {
    Ok(match spec {
        DevSpec::Pci(address) => Arc::new(Vfio::open(*address).map_err(|error| failure(&error))?),
        DevSpec::VfioUser(path) => {
            let options = VfioUserOptions { deadline, ..VfioUserOptions::default() };
            let open = VfioUser::connect(path, options);
            Arc::new(open.map_err(|error| {
                let mut diagnostic = diagnostic(&error);
                diagnostic.file.get_or_insert_with(|| path.display().to_string());
                Failure::from(diagnostic)
            })?)
        }
        DevSpec::Model(profile) => model(profile),
        DevSpec::Rtl => {
            return Err(Diagnostic::error(
                codes::driver::NO_SUCH_DEVICE_KIND,
                "the SystemVerilog device cannot be opened",
            )
            .with_reason("it is not there yet")
            .with_help("use vfio-user:PATH with offwire dev serve, or model")
            .into());
        }
    })
}

/// A device model in this process.
pub fn model(profile: &'static Profile) -> Arc<dyn Transport> {
    let function = HostFunction::new(HostConfig::new(profile), Arc::new(Doorbells::new()));
    Arc::new(InProcess::new(Arc::new(Mutex::new(function))))
}

/// Opens the device that the arguments name.
///
/// # Errors
/// As [`transport`]; `OW1005`.
pub fn open(args: &DeviceArgs, output: &mut Output<'_>) -> Result<Session, Failure> {
    let spec = spec(args)?;
    let deadline = Duration::from_secs(args.deadline);
    let transport = transport(&spec, deadline)?;
    let options = OpenOptions { deadline, ..OpenOptions::default() };
    let device = Device::open(transport, options).map_err(|error| failure(&error))?;
    let info = device.info().map_err(|error| failure(&error))?;
    let mut state = State::open(args, &spec, info.life.instance, info.life.resets)?;
    if let Some(warning) = state.warning() {
        output.diagnostic(&warning);
    }
    let mut session = Session { device, info, spec, state };
    session.refresh()?;
    Ok(session)
}

fn no_such(what: &str, reason: String) -> Failure {
    Diagnostic::error(codes::driver::NO_SUCH_OBJECT, format!("there is no such {what} on the device"))
        .with_reason(reason)
        .with_help("offwire prog show and offwire map show list what there is")
        .into()
}

impl Session {
    /// Drops what the state knows of programs and maps that the device does not have any more.
    ///
    /// # Errors
    /// What the driver says.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        let programs: Vec<u16> = self.device.programs().map_err(|e| failure(&e))?.into_iter().map(|id| id.0).collect();
        let maps: Vec<u16> = self.device.maps().map_err(|e| failure(&e))?.into_iter().map(|id| id.0).collect();
        self.state.keep_only(&programs, &maps);
        Ok(())
    }

    /// The device's profile.
    ///
    /// # Errors
    /// `OW1001` if this program does not know it.
    pub fn profile(&self) -> Result<&'static Profile, Failure> {
        let hash = self.info.profile_hash;
        Profile::by_hash(hash).ok_or_else(|| {
            Diagnostic::error(codes::driver::NOT_READY, "this offwire does not know the device's profile")
                .with_reason(format!("no profile has the hash {hash:#018x}"))
                .with_help("device and offwire must be of one version")
                .into()
        })
    }

    /// The program that is meant.
    ///
    /// # Errors
    /// `OW1004`.
    pub fn program(&self, chosen: &Chosen) -> Result<ProgramInfo, Failure> {
        let found =
            self.programs(&ChosenOrAll { id: chosen.id, name: chosen.name.clone(), pinned: chosen.pinned.clone() })?;
        one("program", found, |program| program.id.0)
    }

    /// The programs that are meant, by id.
    ///
    /// # Errors
    /// `OW1004` if some were meant and there are none.
    pub fn programs(&self, chosen: &ChosenOrAll) -> Result<Vec<ProgramInfo>, Failure> {
        let ids = match self.numbers(Kind::Program, "program", chosen)? {
            Some(id) => vec![ProgramId(id)],
            None => self.device.programs().map_err(|error| failure(&error))?,
        };
        let mut found = Vec::new();
        for id in ids {
            let program = self.device.program(id).map_err(|error| failure(&error))?;
            if chosen.name.as_ref().is_none_or(|name| *name == program.name) {
                found.push(program);
            }
        }
        match (&chosen.name, found.is_empty()) {
            (Some(name), true) => Err(no_such("program", format!("none has the name {name}"))),
            _ => Ok(found),
        }
    }

    /// The map that is meant.
    ///
    /// # Errors
    /// `OW1004`.
    pub fn map(&self, chosen: &Chosen) -> Result<MapInfo, Failure> {
        let found =
            self.maps(&ChosenOrAll { id: chosen.id, name: chosen.name.clone(), pinned: chosen.pinned.clone() })?;
        one("map", found, |map| map.id.0)
    }

    /// The maps that are meant, by id.
    ///
    /// # Errors
    /// `OW1004` if some were meant and there are none.
    pub fn maps(&self, chosen: &ChosenOrAll) -> Result<Vec<MapInfo>, Failure> {
        let ids = match self.numbers(Kind::Map, "map", chosen)? {
            Some(id) => vec![MapId(id)],
            None => self.device.maps().map_err(|error| failure(&error))?,
        };
        let mut found = Vec::new();
        for id in ids {
            let map = self.device.map_info(id).map_err(|error| failure(&error))?;
            if chosen.name.as_ref().is_none_or(|name| *name == map.name) {
                found.push(map);
            }
        }
        match (&chosen.name, found.is_empty()) {
            (Some(name), true) => Err(no_such("map", format!("none has the name {name}"))),
            _ => Ok(found),
        }
    }

    fn numbers(&self, kind: Kind, what: &str, chosen: &ChosenOrAll) -> Result<Option<u16>, Failure> {
        match (&chosen.pinned, chosen.id) {
            (Some(pin), _) => match self.state.pinned(kind, pin) {
                Some(id) => Ok(Some(id)),
                None => {
                    let names = self.state.names(kind);
                    let known = if names.is_empty() {
                        "nothing is".to_owned()
                    } else {
                        format!("pinned are {}", names.join(", "))
                    };
                    Err(no_such(what, format!("none is pinned as {pin}; {known}")))
                }
            },
            (None, id) => Ok(id),
        }
    }

    /// The object that a map came from, with the map's place in it, if it was kept.
    ///
    /// # Errors
    /// What is wrong with the kept object.
    pub fn object_of(&self, map: MapId) -> Result<Option<Origin>, Failure> {
        let Some((record, at)) = self.state.object_of_map(map.0) else { return Ok(None) };
        let object = self.load_object(record)?;
        Ok(Some(Origin { object, at, record: record.clone() }))
    }

    fn load_object(&self, record: &ProgramRecord) -> Result<Object, Failure> {
        let path = self.state.object_path(record);
        let bytes = program::read_file(&path)?;
        let options = program::load_options(&record.set, &record.map_entries)?;
        object::load(&bytes, &options).map_err(program::in_file(&path))
    }
}

/// Where a map came from.
#[derive(Debug)]
pub struct Origin {
    /// The object.
    pub object: Object,
    /// The map's place in it.
    pub at: usize,
    /// The program that it was loaded with.
    pub record: ProgramRecord,
}

impl Origin {
    /// The map's types.
    pub fn types(&self) -> Option<Types<'_>> {
        Some(Types { object: &self.object, map: self.object.maps.get(self.at)? })
    }
}

/// The only one.
fn one<T>(what: &str, mut found: Vec<T>, number: impl Fn(&T) -> u16) -> Result<T, Failure> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            let ids: Vec<String> = found.iter().chain(&last).map(|item| number(item).to_string()).collect();
            Err(no_such(what, format!("more than one has the name: {}; choose one with --id", ids.join(", "))))
        }
    }
}
