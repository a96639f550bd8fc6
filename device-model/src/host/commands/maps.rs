//! Maps: MapCreate and its sisters, and single entries.

use offwire_hostif::{MapRefusal, Status, desc};
use offwire_image::{MapKind, MapSpec};

use super::programs::{after, name, refusal};
use super::{Answer, Done, HostFunction, NO_ID, Refused, refuse, result};
use crate::host::card::Shape;
use crate::{MAPS, MapCreateError, MapError, MapFreeError, MapId, Update};

/// Bytes of a key or value with its padding.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// The map that a field names.
pub(super) fn map(id: u32) -> Result<MapId, Refused> {
    u16::try_from(id).map(MapId).map_err(|_| refuse(Status::NoSuchMap, id))
}

pub(super) fn map_error(error: MapError) -> Refused {
    match error {
        MapError::NoMap(id) => refuse(Status::NoSuchMap, id.0),
        MapError::KeySize { expected, .. } | MapError::ValueSize { expected, .. } => {
            refuse(Status::BufferSize, expected)
        }
        MapError::Frozen => refuse(Status::Frozen, 0u32),
        MapError::NoSuchKey => refuse(Status::NotFound, 0u32),
        MapError::Exists => refuse(Status::Exists, 0u32),
        MapError::Full => refuse(Status::Full, 0u32),
        MapError::Reference => refuse(Status::Reference, 0u32),
        MapError::Invalid | MapError::Values { .. } | MapError::Vcpu(_) => refuse(Status::Invalid, 0u32),
    }
}

/// Flags of an update: BPF_ANY, BPF_NOEXIST, BPF_EXIST of include/uapi/linux/bpf.h.
pub(super) fn update_flags(flags: u64) -> Result<Update, Refused> {
    match flags {
        0 => Ok(Update::Any),
        1 => Ok(Update::NoExist),
        2 => Ok(Update::Exist),
        _ => Err(refuse(Status::Invalid, 0u32)),
    }
}

fn refused(why: MapRefusal) -> Refused {
    refuse(Status::MapRefused, why.code())
}

/// What MapCreate's input says: the map, its lock, what its inner maps are like.
fn parse(input: &[u8]) -> Result<(MapSpec, Option<u32>, Option<u32>), Refused> {
    let record_bytes = desc::MapCreate::BYTES;
    let record = desc::MapCreate::decode(input.first_chunk().ok_or(refuse(Status::BufferSize, record_bytes as u64))?);
    let bytes = record_bytes as u64 + u64::from(record.init_bytes);
    if input.len() as u64 != bytes {
        return Err(refuse(Status::BufferSize, bytes));
    }
    let bad = |at: u32| Err(refuse(Status::BadRecord, at));
    if record.frozen > 1 {
        return bad(32);
    }
    let reserved =
        [(36, record.reserved0.into()), (40, record.reserved1), (48, record.reserved2), (56, record.reserved3)];
    if let Some((at, _)) = reserved.into_iter().find(|&(_, value)| value != 0) {
        return bad(at);
    }
    let end = record.name.iter().position(|&byte| byte == 0).unwrap_or(record.name.len());
    let (text, padding) = record.name.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return bad(64) };
    if padding.iter().any(|&byte| byte != 0) {
        return bad(64);
    }
    let Some(kind) = MapKind::from_kernel(record.kind) else { return Err(refused(MapRefusal::Kind)) };
    let spec = MapSpec {
        name: text.to_owned(),
        kind,
        key_size: record.key_bytes,
        value_size: record.value_bytes,
        max_entries: record.max_entries,
        flags: record.flags,
        init: input.get(record_bytes..).unwrap_or(&[]).to_vec(),
        frozen: record.frozen == 1,
    };
    let given = |number: u32| (number != NO_ID).then_some(number);
    Ok((spec, given(record.lock), given(record.inner)))
}

impl HostFunction {
    pub(super) fn map_create(&mut self, command: &desc::Command) -> Answer {
        self.read_input(command)?;
        let (spec, lock, inner) = parse(&self.input)?;
        let inner = inner.map(map).transpose()?;
        let created = self.card.device.map_create(&spec, lock, inner).map_err(|error| match error {
            MapCreateError::Refused(why) => refused(refusal(&why)),
            MapCreateError::Memory { needed, .. } => refuse(Status::MapMemory, needed),
            MapCreateError::TooMany => refuse(Status::TooMany, MAPS as u64),
            MapCreateError::Lock(_) => refused(MapRefusal::Lock),
            MapCreateError::Inner(id) if self.card.device.map_info(id).is_err() => refuse(Status::NoSuchMap, id.0),
            MapCreateError::Inner(_) => refused(MapRefusal::Inner),
            MapCreateError::ProgArray => refused(MapRefusal::Kind),
        })?;
        self.card.forget_shapes();
        result(created.0)
    }

    pub(super) fn map_free(&mut self, command: &desc::Command) -> Answer {
        let id = map(command.object)?;
        self.card.device.map_free(id).map_err(|error| match error {
            MapFreeError::NoMap(id) => refuse(Status::NoSuchMap, id.0),
            MapFreeError::InUse { .. } => refuse(Status::Busy, self.holder(id)),
        })?;
        self.card.forget_shapes();
        result(0u32)
    }

    /// The first program that holds a map; none if only maps do.
    fn holder(&self, id: MapId) -> u32 {
        let device = &self.card.device;
        let programs = std::iter::successors(device.program_next_id(None), |&last| device.program_next_id(Some(last)));
        let holds =
            |program: &crate::ProgramId| device.program_info(*program).is_ok_and(|info| info.maps.contains(&id));
        programs.into_iter().find(holds).map_or(NO_ID, |program| program.0.into())
    }

    pub(super) fn map_info(&mut self, command: &desc::Command) -> Answer {
        let id = map(command.object)?;
        let info = self.card.device.map_info(id).map_err(map_error)?;
        let record = desc::MapInfo {
            id: id.0.into(),
            kind: info.spec.kind as u32,
            key_bytes: info.spec.key_size,
            value_bytes: info.spec.value_size,
            max_entries: info.spec.max_entries,
            flags: info.spec.flags,
            lock: info.lock.unwrap_or(NO_ID),
            frozen: u32::from(info.frozen) | u32::from(info.spec.frozen) << 1,
            copies: self.card.device.map_copies(id).map_err(map_error)?,
            programs: info.programs,
            memory: info.memory,
            reserved0: 0,
            reserved1: 0,
            name: name(&info.spec.name),
        };
        self.write_output(command, &record.encode())
    }

    pub(super) fn map_next(&mut self, command: &desc::Command) -> Answer {
        let next = self.card.device.map_next_id(after(command.object).map(MapId));
        result(next.ok_or(refuse(Status::NotFound, 0u32))?.0)
    }

    pub(super) fn map_freeze(&mut self, command: &desc::Command) -> Answer {
        self.card.device.map_freeze(map(command.object)?).map_err(map_error)?;
        result(0u32)
    }

    /// The map that a command names, and its sizes.
    pub(super) fn map_of(&mut self, command: &desc::Command) -> Result<(MapId, Shape), Refused> {
        let id = map(command.object)?;
        let shape = self.card.shape(id).ok_or(refuse(Status::NoSuchMap, id.0))?;
        Ok((id, shape))
    }

    pub(super) fn map_lookup(&mut self, command: &desc::Command) -> Answer {
        let (id, shape) = self.map_of(command)?;
        self.read_exactly(command, shape.key)?;
        Self::needs_output(command, shape.value)?;
        self.card.device.map_lookup_into(id, &self.input, &mut self.output).map_err(map_error)?;
        self.put_output(command)
    }

    /// Writes `self.output`.
    fn put_output(&mut self, command: &desc::Command) -> Answer {
        let output = std::mem::take(&mut self.output);
        let answer = self.write_output(command, &output);
        self.output = output;
        answer
    }

    pub(super) fn map_update(&mut self, command: &desc::Command) -> Answer {
        let (id, shape) = self.map_of(command)?;
        let update = update_flags(command.value)?;
        let value = padded(shape.key);
        self.read_exactly(command, value + shape.value)?;
        let (key, value) = (self.input.get(..shape.key).unwrap_or(&[]), self.input.get(value..).unwrap_or(&[]));
        self.card.device.map_update_bytes(id, key, value, update).map_err(map_error)?;
        Ok(Done::default())
    }

    pub(super) fn map_delete(&mut self, command: &desc::Command) -> Answer {
        let (id, shape) = self.map_of(command)?;
        self.read_exactly(command, shape.key)?;
        self.card.device.map_delete(id, &self.input).map_err(map_error)?;
        Ok(Done::default())
    }

    pub(super) fn map_next_key(&mut self, command: &desc::Command) -> Answer {
        let (id, shape) = self.map_of(command)?;
        if command.input_bytes != 0 {
            self.read_exactly(command, shape.key)?;
        }
        Self::needs_output(command, shape.key)?;
        let key = (command.input_bytes != 0).then_some(&self.input[..]);
        self.card.device.map_next_key(id, key, &mut self.output).map_err(map_error)?;
        self.put_output(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> desc::MapCreate {
        let mut name = [0; 64];
        name[..3].copy_from_slice(b"map");
        desc::MapCreate { kind: 1, name, lock: NO_ID, inner: NO_ID, ..desc::MapCreate::default() }
    }

    #[test]
    fn any_bytes_are_a_map_or_none() {
        let mut input = desc::MapCreate { init_bytes: 2, lock: 8, ..record() }.encode().to_vec();
        input.extend([5, 6]);
        let (spec, lock, inner) = parse(&input).unwrap();
        assert_eq!((&spec.name[..], &spec.init[..], lock, inner), ("map", &[5, 6][..], Some(8), None));
        let refused = |input: &[u8]| parse(input).map(|_| ()).map_err(|refused| (refused.status, refused.argument));
        for bytes in 0..input.len() {
            let needed = if bytes < 128 { 128 } else { 130 };
            assert_eq!(refused(&input[..bytes]), Err((Status::BufferSize, needed)));
        }
        let reserved = (36..64).map(|at| (at, if at < 40 { 36 } else { at / 8 * 8 }));
        for (at, says) in reserved.chain([(32, 32), (35, 32), (64, 64), (70, 64)]) {
            let mut bad = input.clone();
            bad[at] = 0x80;
            assert_eq!(refused(&bad), Err((Status::BadRecord, says as u64)), "{at}");
        }
        let kind = desc::MapCreate { kind: 0, ..record() }.encode();
        assert_eq!(refused(&kind), Err((Status::MapRefused, MapRefusal::Kind.code().into())));
    }
}
