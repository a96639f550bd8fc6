//! A map's handle: one entry at a time.

use super::MapInfo;
use crate::device::{Device, Pending, Request};
use crate::error::Error;
use offwire_hostif::{Opcode, Status};
use std::sync::atomic::Ordering;

/// Whether an update may add or replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// Both (`BPF_ANY`).
    #[default]
    Any,
    /// Add only (`BPF_NOEXIST`).
    New,
    /// Replace only (`BPF_EXIST`).
    Existing,
}

impl Update {
    /// The kernel's number.
    pub const fn code(self) -> u64 {
        match self {
            Update::Any => 0,
            Update::New => 1,
            Update::Existing => 2,
        }
    }
}

/// A handle on a map, for any number of threads. It does not keep the map alive.
#[derive(Clone, Debug)]
pub struct Map {
    device: Device,
    info: MapInfo,
    value_size: usize,
    epoch: u32,
}

impl Map {
    pub(super) fn new(device: Device, info: MapInfo, epoch: u32) -> Self {
        let value_size = info.value_size();
        Map { device, info, value_size, epoch }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the map was when the handle was made.
    pub fn info(&self) -> &MapInfo {
        &self.info
    }

    /// Bytes of a key.
    pub fn key_size(&self) -> usize {
        self.info.key_bytes as usize
    }

    /// Bytes of a value here: of a per-CPU map all copies, each padded to 8 B.
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// The copy of a value that belongs to a vCPU (any vCPU for maps that are not per CPU); `None` beyond the last.
    pub fn copy<'a>(&self, value: &'a [u8], vcpu: u32) -> Option<&'a [u8]> {
        let bytes = self.info.value_bytes as usize;
        if !self.info.kind.is_per_cpu() {
            return value.get(..bytes);
        }
        let start = bytes.next_multiple_of(8).checked_mul(vcpu as usize)?;
        value.get(start..start.checked_add(bytes)?)
    }

    /// Reads a value in place of what is in `value`; false if there is no such key.
    ///
    /// # Errors
    /// [`Error::Size`] if the key has the wrong size; as any command.
    pub fn lookup_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Error> {
        self.check_key(key)?;
        let request = self.request(Opcode::MapLookup)?;
        let asked = self.device.submit(&request.input(&[key]).output(self.value_size))?;
        self.take_lookup(asked, value)
    }

    /// Reads a value; `None` if there is no such key.
    ///
    /// # Errors
    /// As [`Map::lookup_into`].
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut value = Vec::new();
        Ok(self.lookup_into(key, &mut value)?.then_some(value))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// [`Error::Size`] if key or value have the wrong size; [`Error::Command`] if the map is full, frozen, or the key
    /// is there or is not against [`Update`].
    pub fn update(&self, key: &[u8], value: &[u8], update: Update) -> Result<(), Error> {
        self.check_key(key)?;
        self.check_value(value)?;
        let request = self.request(Opcode::MapUpdate)?.value(update.code());
        self.device.run(&request.input(&[key, value]))?;
        self.device.inner.wrote(&self.info, key, Some(value));
        Ok(())
    }

    /// Deletes an entry; false if there is no such key.
    ///
    /// # Errors
    /// [`Error::Size`]; [`Error::Command`], among others for arrays, whose entries cannot be deleted.
    pub fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        self.check_key(key)?;
        let deleted = found(self.device.run(&self.request(Opcode::MapDelete)?.input(&[key])))?.is_some();
        if deleted {
            self.device.inner.wrote(&self.info, key, None);
        }
        Ok(deleted)
    }

    /// The key after `key` in the map's own order, or the first one if `key` is `None` or not in the map; `None` at the
    /// end.
    ///
    /// # Errors
    /// [`Error::Size`]; as any command.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> {
        if let Some(key) = key {
            self.check_key(key)?;
        }
        let input = [key.unwrap_or_default()];
        let request = self.request(Opcode::MapNextKey)?.input(if key.is_some() { &input } else { &[] });
        let Some(reply) = found(self.device.run(&request.output(self.key_size())))? else { return Ok(None) };
        let mut next = Vec::new();
        reply.read_into(&mut next)?;
        match next.len() == self.key_size() {
            true => Ok(Some(next)),
            false => Err(Error::Nonsense { what: "the size of a key", value: next.len() as u64 }),
        }
    }

    /// From now on only programs change the map.
    ///
    /// # Errors
    /// As any command.
    pub fn freeze(&self) -> Result<(), Error> {
        self.device.run(&self.request(Opcode::MapFreeze)?)?;
        self.device.inner.record().froze(self.info.id);
        Ok(())
    }

    /// Takes a lookup's answer.
    pub(super) fn take_lookup(&self, pending: Pending<'_>, value: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(reply) = found(pending.wait())? else { return Ok(false) };
        reply.read_into(value)?;
        match value.len() == self.value_size {
            true => Ok(true),
            false => Err(Error::Nonsense { what: "the size of a value", value: value.len() as u64 }),
        }
    }

    /// A command about this map.
    pub(super) fn request(&self, opcode: Opcode) -> Result<Request<'static>, Error> {
        if self.device.inner.objects_epoch.load(Ordering::Acquire) != self.epoch {
            return Err(Error::Stale);
        }
        Ok(Request::new(opcode).object(self.info.id.0.into()))
    }

    pub(super) fn check_key(&self, key: &[u8]) -> Result<(), Error> {
        let (has, given) = (self.key_size(), key.len());
        if has == given { Ok(()) } else { Err(Error::Size { what: "a key", map: self.info.id, has, given }) }
    }

    pub(super) fn check_value(&self, value: &[u8]) -> Result<(), Error> {
        let (has, given) = (self.value_size, value.len());
        if has == given { Ok(()) } else { Err(Error::Size { what: "a value", map: self.info.id, has, given }) }
    }
}

/// `None` if the device says that there is no such key.
pub(super) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(Status::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
