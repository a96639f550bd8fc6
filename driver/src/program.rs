//! Programs: loading, listing, unloading.

use crate::device::{Device, Reply, Request, dispatch};
use crate::error::Error;
use crate::map::MapId;
use crate::name;
use offwire_hostif::{CommandFlag, DispatchChoice, Opcode, Status, desc};
use offwire_image::Image;
use std::fmt;

/// A program on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId(pub u16);

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// No program, where a descriptor names one.
pub(crate) const NO_PROGRAM: u32 = u32::MAX;
/// In a list of bindings: the device makes the map.
const MAKE: u16 = u16::MAX;

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// Id.
    pub id: ProgramId,
    /// Name (C function).
    pub name: String,
    /// Words.
    pub words: u32,
    /// First word in the instruction store.
    pub address: u32,
    /// Proven dispatch mode.
    pub mode: DispatchChoice,
    /// Maps, in order of the image's slots.
    pub maps: Vec<MapId>,
    /// Ports that it is attached to.
    pub ports: Vec<u16>,
    /// First 8 bytes of the SHA-256 over the words.
    pub tag: u64,
    /// Cycle at which it was loaded.
    pub loaded: u64,
    /// Packets that run it or wait for it.
    pub in_flight: u32,
    /// True if it is unloaded and goes when the last packet has left.
    pub unloading: bool,
    /// Cycles that a packet may take.
    pub budget: u64,
}

impl Device {
    /// Loads an image. `bindings` are maps that exist already, by the image's slot; where there is none, or if the list
    /// is empty, the device makes the map.
    ///
    /// # Errors
    /// [`Error::Command`] if the device refuses; nothing stays behind then.
    pub fn load(&self, image: &Image, bindings: &[Option<MapId>]) -> Result<ProgramId, Error> {
        self.load_bytes(&image.to_bytes(), bindings)
    }

    /// Loads the bytes of an image; the device checks them.
    ///
    /// # Errors
    /// As [`Device::load`].
    pub fn load_bytes(&self, image: &[u8], bindings: &[Option<MapId>]) -> Result<ProgramId, Error> {
        let too_large = Error::TooLarge { what: "an image", bytes: image.len() };
        let Ok(image_bytes) = u32::try_from(image.len()) else { return Err(too_large) };
        let record = desc::ProgramLoad { image_bytes, bindings: bindings.len() as u32, reserved: 0 };
        let ids = bindings.iter().map(|binding| binding.map_or(MAKE, |map| map.0));
        let ids: Vec<u8> = ids.flat_map(u16::to_le_bytes).collect();
        let record = record.encode();
        let input = [&record[..], &ids, image];
        let reply = self.run(&Request::new(Opcode::ProgramLoad).input(&input))?;
        let id = ProgramId(crate::device::id(reply.result(), "a program id")?);
        drop(reply);
        let mut journal = self.inner.record();
        if journal.is_on() {
            drop(journal);
            let maps = self.program(id)?.maps;
            journal = self.inner.record();
            journal.loaded(id, image, bindings, &maps);
        }
        Ok(id)
    }

    /// Unloads a program. Its words, and the maps that only it held and that were made with it, are free when its last
    /// packet has left.
    ///
    /// # Errors
    /// [`Error::Command`], among others while it is attached.
    pub fn unload(&self, program: ProgramId) -> Result<(), Error> {
        self.run(&Request::new(Opcode::ProgramUnload).object(program.0.into()))?;
        self.inner.record().unloaded(program);
        Ok(())
    }

    /// All programs, by id.
    ///
    /// # Errors
    /// As any command.
    pub fn programs(&self) -> Result<Vec<ProgramId>, Error> {
        let ids = self.ids(Opcode::ProgramNext, "a program id")?;
        Ok(ids.into_iter().map(ProgramId).collect())
    }

    /// What a program is.
    ///
    /// # Errors
    /// [`Error::Command`] if there is none with this id.
    pub fn program(&self, program: ProgramId) -> Result<ProgramInfo, Error> {
        /// Room for all maps that a program can have: slots are 8-bit numbers.
        const MAPS: usize = 256;
        let request = Request::new(Opcode::ProgramInfo).object(program.0.into());
        let reply = self.run(&request.output(desc::ProgramInfo::BYTES + 2 * MAPS))?;
        let mut bytes = Vec::new();
        reply.read_into(&mut bytes)?;
        let (record, ids) = bytes.split_first_chunk().ok_or_else(|| short(&reply))?;
        let info = desc::ProgramInfo::decode(record);
        let ids = ids.get(..2 * usize::from(info.maps)).ok_or_else(|| short(&reply))?;
        let mode = dispatch(info.mode.into());
        Ok(ProgramInfo {
            id: ProgramId(crate::device::id(info.id.into(), "a program id")?),
            name: name::decode(&info.name),
            words: info.words,
            address: info.address,
            mode: mode.ok_or(Error::Nonsense { what: "a dispatch mode", value: info.mode.into() })?,
            maps: ids.chunks_exact(2).map(|id| MapId(u16::from_le_bytes([id[0], id[1]]))).collect(),
            ports: (0..64).filter(|port| info.ports >> port & 1 != 0).collect(),
            tag: info.tag,
            loaded: info.loaded,
            in_flight: info.in_flight,
            unloading: info.unloading != 0,
            budget: info.budget,
        })
    }

    /// Attaches a program to a port, or swaps: each packet runs under exactly one of the two. With `expected` only if
    /// that program (or none) is attached now. Gives the former one.
    ///
    /// # Errors
    /// [`Error::Command`]; [`Status::Changed`] if another program is attached than expected.
    pub fn attach(
        &self,
        port: u16,
        program: ProgramId,
        dispatch: DispatchChoice,
        expected: Option<Option<ProgramId>>,
    ) -> Result<Option<ProgramId>, Error> {
        let request = Request { argument: program.0.into(), ..expecting(Opcode::PortAttach, expected) };
        let former = former(&self.run(&request.object(port.into()).value(dispatch.code().into()))?)?;
        self.inner.record().attached(port, program, dispatch);
        Ok(former)
    }

    /// Puts `to` in the place of `from`, if that is attached: each packet runs under exactly one of the two.
    ///
    /// # Errors
    /// As [`Device::attach`].
    pub fn swap(&self, port: u16, from: ProgramId, to: ProgramId, dispatch: DispatchChoice) -> Result<(), Error> {
        self.attach(port, to, dispatch, Some(Some(from))).map(drop)
    }

    /// Detaches what is attached to a port, with `expected` only if it is that program. `None` if nothing was.
    ///
    /// # Errors
    /// As [`Device::attach`].
    pub fn detach(&self, port: u16, expected: Option<ProgramId>) -> Result<Option<ProgramId>, Error> {
        let request = expecting(Opcode::PortDetach, expected.map(Some)).object(port.into());
        let former = match self.run(&request) {
            Ok(reply) => former(&reply)?,
            Err(error) if error.status() == Some(Status::NotFound) => None,
            Err(error) => return Err(error),
        };
        self.inner.record().detached(port);
        Ok(former)
    }

    /// All ids that a command lists one by one.
    pub(crate) fn ids(&self, opcode: Opcode, what: &'static str) -> Result<Vec<u16>, Error> {
        let mut ids = Vec::new();
        let mut last = None;
        loop {
            let request = Request::new(opcode).object(last.map_or(u32::MAX, u32::from));
            match self.run(&request) {
                Ok(reply) => {
                    let id = crate::device::id(reply.result(), what)?;
                    if last.is_some_and(|last| id <= last) {
                        return Err(Error::Nonsense { what, value: id.into() });
                    }
                    ids.push(id);
                    last = Some(id);
                }
                Err(error) if error.status() == Some(Status::NotFound) => return Ok(ids),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A command about a port that is to be refused if another program is attached.
fn expecting(opcode: Opcode, expected: Option<Option<ProgramId>>) -> Request<'static> {
    match expected {
        None => Request::new(opcode),
        Some(program) => Request {
            flags: CommandFlag::EXPECT,
            count: program.map_or(NO_PROGRAM, |program| program.0.into()),
            ..Request::new(opcode)
        },
    }
}

/// The program that was attached before.
fn former(reply: &Reply<'_>) -> Result<Option<ProgramId>, Error> {
    match reply.result() {
        none if none == u64::from(NO_PROGRAM) => Ok(None),
        id => Ok(Some(ProgramId(crate::device::id(id, "a program id")?))),
    }
}

fn short(reply: &Reply<'_>) -> Error {
    Error::Nonsense { what: "a program record's size", value: reply.output_bytes() as u64 }
}
