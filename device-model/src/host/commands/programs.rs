//! Programs: ProgramLoad and its sisters.

use offwire_hostif::{DispatchChoice, MapRefusal, Status, desc};
use offwire_image::{Class, Image, ImageError};

use super::{Answer, HostFunction, NO_ID, Refused, refuse, result};
use crate::host::card::ProgramUse;
use crate::{LoadError, MAPS, MapId, Mismatch, PROGRAMS, ProgramError, ProgramId};

/// A binding that asks for a map to be created.
const CREATE: u16 = 0xffff;
/// Where the bindings start.
const BINDINGS: usize = desc::ProgramLoad::BYTES;

/// A text as records hold it: cut at a character's end, padded with zeros.
pub(super) fn name(text: &str) -> [u8; 64] {
    let mut bytes = [0; 64];
    let end = (0..=text.len().min(bytes.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = text.as_bytes().get(..end).unwrap_or(&[]);
    bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    bytes
}

/// The number of a map refusal.
pub(super) fn refusal(why: &crate::MapRefusal) -> MapRefusal {
    match why {
        crate::MapRefusal::Kind(_) => MapRefusal::Kind,
        crate::MapRefusal::Flags(_) => MapRefusal::Flags,
        crate::MapRefusal::NoEntries => MapRefusal::NoEntries,
        crate::MapRefusal::KeySize(_) => MapRefusal::KeySize,
        crate::MapRefusal::ValueSize(_) => MapRefusal::ValueSize,
        crate::MapRefusal::InitSize { .. } => MapRefusal::InitSize,
        crate::MapRefusal::RingSize(_) => MapRefusal::RingSize,
        crate::MapRefusal::Elements(_) => MapRefusal::Elements,
    }
}

/// An image that the checker refuses.
fn image_error(error: &ImageError) -> Refused {
    use ImageError::*;
    match error.class() {
        Class::Container => refuse(Status::ImageContainer, 0u32),
        Class::Binding => refuse(Status::ImageBinding, 0u32),
        Class::Program => match error {
            TooLong { words, .. } => refuse(Status::StoreFull, *words as u64),
            Call { address } | Word { address, .. } | Target { address, .. } => check_error(*address),
            NoMap { address, .. } | Request { address, .. } => check_error(*address),
            _ => refuse(Status::ImageCheck, NO_ID),
        },
    }
}

/// A word that breaks a rule.
fn check_error(address: usize) -> Refused {
    refuse(Status::ImageCheck, address as u64)
}

fn load_error(error: LoadError, image: &Image) -> Refused {
    match error {
        LoadError::Busy => refuse(Status::Busy, NO_ID),
        LoadError::IsaVersion { .. } | LoadError::Profile { .. } => refuse(Status::ImageBinding, 0u32),
        LoadError::CodeSize { words, .. } | LoadError::StoreFull { words, .. } => {
            refuse(Status::StoreFull, words as u64)
        }
        LoadError::BadWord { address, .. } | LoadError::Request { address, .. } => check_error(address),
        LoadError::Map { name, why } => {
            let slot = image.maps.iter().position(|map| map.name == name).unwrap_or(0);
            refuse(Status::MapRefused, (slot as u64) << 32 | u64::from(refusal(&why).code()))
        }
        LoadError::Lock { map, .. } => {
            refuse(Status::MapRefused, u64::from(map) << 32 | u64::from(MapRefusal::Lock.code()))
        }
        LoadError::MapMemory { needed, .. } => refuse(Status::MapMemory, needed),
        LoadError::MapNumbers { .. } => refuse(Status::TooMany, MAPS as u64),
        LoadError::TooManyPrograms => refuse(Status::TooMany, PROGRAMS as u64),
        LoadError::InnerMaps => refuse(Status::TooMany, offwire_image::MAPS_MAX as u64),
        LoadError::MapsGiven { .. } => refuse(Status::BadRecord, 4u32),
        LoadError::Mismatch { map, what: Mismatch::NoMap, .. } => refuse(Status::NoSuchMap, u16::from(map)),
        LoadError::Mismatch { slot, .. } => refuse(Status::MapMismatch, slot),
        _ => refuse(Status::ImageCheck, NO_ID),
    }
}

/// What ProgramLoad's input says: bindings and the image's bytes.
fn parse(input: &[u8]) -> Result<(Vec<Option<MapId>>, &[u8]), Refused> {
    let short = |bytes: usize| refuse(Status::BufferSize, bytes as u64);
    let record = desc::ProgramLoad::decode(input.first_chunk().ok_or(short(BINDINGS))?);
    if record.reserved != 0 {
        return Err(refuse(Status::BadRecord, 8u32));
    }
    let bindings = record.bindings as usize;
    if bindings > offwire_image::MAPS_MAX {
        return Err(refuse(Status::BadRecord, 4u32));
    }
    let image = BINDINGS + (2 * bindings).next_multiple_of(8);
    let bytes = image as u64 + u64::from(record.image_bytes);
    if input.len() as u64 != bytes {
        return Err(refuse(Status::BufferSize, bytes));
    }
    let list = input.get(BINDINGS..BINDINGS + 2 * bindings).unwrap_or(&[]);
    let padding = input.get(BINDINGS + 2 * bindings..image).unwrap_or(&[]);
    if let Some(at) = padding.iter().position(|&byte| byte != 0) {
        return Err(refuse(Status::BadRecord, (BINDINGS + 2 * bindings + at) as u64));
    }
    let maps = list.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok((maps.map(|map| (map != CREATE).then_some(MapId(map))).collect(), input.get(image..).unwrap_or(&[])))
}

/// The program that a field names.
pub(super) fn program(id: u32) -> Result<ProgramId, Refused> {
    u16::try_from(id).map(ProgramId).map_err(|_| refuse(Status::NoSuchProgram, id))
}

/// What an id to start after says; `None`: from the beginning. Ids beyond all are the highest.
pub(super) fn after(id: u32) -> Option<u16> {
    (id != NO_ID).then(|| u16::try_from(id).unwrap_or(u16::MAX))
}

fn program_error(error: ProgramError) -> Refused {
    match error {
        ProgramError::NoProgram(id) => refuse(Status::NoSuchProgram, id.0),
        ProgramError::Attached { port } => refuse(Status::Busy, port),
    }
}

impl HostFunction {
    pub(super) fn program_load(&mut self, command: &desc::Command) -> Answer {
        self.read_input(command)?;
        let (maps, bytes) = parse(&self.input)?;
        let image = Image::from_bytes(bytes).map_err(|error| image_error(&error))?;
        image.validate().map_err(|error| image_error(&error))?;
        if !maps.is_empty() && maps.len() != image.maps.len() {
            return Err(refuse(Status::BadRecord, 4u32));
        }
        let loaded = self.card.device.program_load(&image, &maps).map_err(|error| load_error(error, &image))?;
        let now = self.card.device.now();
        let tag = image.words_digest().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if let Some(used) = self.card.program_mut(loaded) {
            *used = ProgramUse { loaded: now, tag, ..ProgramUse::default() };
        }
        self.card.forget_shapes();
        result(loaded.0)
    }

    pub(super) fn program_unload(&mut self, command: &desc::Command) -> Answer {
        self.card.device.program_unload(program(command.object)?).map_err(program_error)?;
        self.card.forget_shapes();
        result(0u32)
    }

    pub(super) fn program_info(&mut self, command: &desc::Command) -> Answer {
        let id = program(command.object)?;
        let info = self.card.device.program_info(id).map_err(program_error)?;
        let used = self.card.program_mut(id).copied().unwrap_or_default();
        let record = desc::ProgramInfo {
            id: id.0.into(),
            words: info.words,
            address: info.base,
            mode: choice(info.mode).code(),
            maps: info.maps.len() as u16,
            ports: info.ports,
            tag: used.tag,
            loaded: used.loaded,
            in_flight: self.card.device.program_inside(id).map_err(program_error)?,
            // A program that is being unloaded has no number any more.
            unloading: 0,
            reserved: 0,
            name: name(&info.name),
            budget: info.budget,
        };
        let mut bytes = record.encode().to_vec();
        bytes.extend(info.maps.iter().flat_map(|map| map.0.to_le_bytes()));
        self.write_output(command, &bytes)
    }

    pub(super) fn program_next(&mut self, command: &desc::Command) -> Answer {
        let next = self.card.device.program_next_id(after(command.object).map(ProgramId));
        result(next.ok_or(refuse(Status::NotFound, 0u32))?.0)
    }
}

/// The number of a dispatch mode.
pub(super) fn choice(mode: offwire_image::DispatchMode) -> DispatchChoice {
    match mode {
        offwire_image::DispatchMode::Cpu => DispatchChoice::Cpu,
        offwire_image::DispatchMode::Flow => DispatchChoice::Flow,
        offwire_image::DispatchMode::Any => DispatchChoice::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(name("xdp")[..4], *b"xdp\0");
        let long = "x".repeat(63) + "ö";
        assert_eq!(name(&long)[..], *("x".repeat(63) + "\0").as_bytes());
        assert_eq!(name(&"y".repeat(64))[..], *"y".repeat(64).as_bytes());
    }

    #[test]
    fn any_bytes_are_a_load_or_none() {
        let mut input = desc::ProgramLoad { image_bytes: 3, bindings: 3, reserved: 0 }.encode().to_vec();
        input.extend([1, 0, 0xff, 0xff, 2, 0, 0, 0, 7, 8, 9]);
        let (maps, image) = parse(&input).unwrap();
        assert_eq!((maps, image), (vec![Some(MapId(1)), None, Some(MapId(2))], &[7, 8, 9][..]));
        let refused = |input: &[u8]| parse(input).map(|_| ()).map_err(|refused| (refused.status, refused.argument));
        for bytes in 0..input.len() {
            let needed = if bytes < BINDINGS { BINDINGS } else { input.len() };
            assert_eq!(refused(&input[..bytes]), Err((Status::BufferSize, needed as u64)));
        }
        for (at, says) in [(8, 8), (15, 8), (22, 22), (23, 23), (6, 4)] {
            let mut bad = input.clone();
            bad[at] = 1;
            assert_eq!(refused(&bad), Err((Status::BadRecord, says)), "{at}");
        }
    }
}
