//! Batches: many entries of a map by one command, a share a poll. Device time stands still meanwhile.

use offwire_hostif::{Opcode, Status, desc};

use super::fields::COUNT;
use super::maps::{map_error, padded, update_flags};
use super::{Answer, Done, HostFunction, Refused, bad_field, refuse};
use crate::host::card::Shape;
use crate::{MapError, MapId, Update};

/// Entries of a share, and bytes unless one entry has more.
const SHARE_ENTRIES: usize = 1024;
const SHARE_BYTES: usize = 1 << 16;

/// A batch under way.
pub(in crate::host) struct Batch {
    pub(super) command: desc::Command,
    what: What,
    map: MapId,
    shape: Shape,
    /// Bytes of an entry, or of a key with its padding.
    entry: usize,
    /// Entries done.
    done: u32,
    /// Entries to do.
    count: u32,
    /// Lookups: the last key.
    key: Option<Vec<u8>>,
    /// Entries of a share.
    share: Vec<u8>,
    next: Vec<u8>,
    value: Vec<u8>,
}

#[derive(Clone, Copy)]
enum What {
    Lookup,
    Update(Update),
    Delete,
}

impl Batch {
    /// Entries that a share has at most, and the entries that are left.
    fn most(&self) -> usize {
        let left = (self.count - self.done) as usize;
        left.min(SHARE_ENTRIES).min((SHARE_BYTES / self.entry.max(1)).max(1))
    }

    /// Where the next entry lies from the buffer's start.
    fn offset(&self) -> u64 {
        u64::from(self.done) * self.entry as u64
    }

    fn refuse(&self, refused: Refused) -> Answer {
        Err(Refused { count: self.done, ..refused })
    }
}

impl HostFunction {
    /// Checks a batch command; nothing has happened yet.
    pub(super) fn start_batch(&mut self, opcode: Opcode, command: &desc::Command) -> Result<Batch, Refused> {
        let (map, shape) = self.map_of(command)?;
        let what = match opcode {
            Opcode::MapUpdateBatch => What::Update(update_flags(command.value)?),
            Opcode::MapDeleteBatch => What::Delete,
            _ => What::Lookup,
        };
        let entry = match what {
            What::Delete => padded(shape.key),
            _ => padded(shape.key) + padded(shape.value),
        };
        let (mut count, mut key) = (command.count, None);
        if let What::Lookup = what {
            if count == 0 {
                return Err(bad_field(COUNT));
            }
            if command.input_bytes != 0 {
                self.read_exactly(command, shape.key)?;
                key = Some(self.input.clone());
            }
            let room = command.output_bytes as usize / entry.max(1);
            if room == 0 {
                return Err(refuse(Status::BufferSize, entry as u64));
            }
            count = count.min(room as u32);
        } else {
            let bytes = u64::from(count) * entry as u64;
            if u64::from(command.input_bytes) != bytes {
                return Err(refuse(Status::BufferSize, bytes));
            }
        }
        let (share, next, value) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Batch { command: *command, what, map, shape, entry, done: 0, count, key, share, next, value })
    }

    /// Does a share of a batch; the answer if it is over.
    pub(super) fn run_batch(&mut self, batch: &mut Batch) -> Option<Answer> {
        match batch.what {
            What::Lookup => self.lookup_share(batch),
            What::Update(update) => self.change_share(batch, Some(update)),
            What::Delete => self.change_share(batch, None),
        }
    }

    /// Updates (deletes without flags) a share of entries.
    fn change_share(&mut self, batch: &mut Batch, update: Option<Update>) -> Option<Answer> {
        let entries = batch.most();
        if entries == 0 {
            return Some(Ok(Done { count: batch.done, ..Done::default() }));
        }
        // Copied once: what the host changes now changes nothing.
        batch.share.resize(entries * batch.entry, 0);
        let from = batch.command.input.wrapping_add(batch.offset());
        if let Err(fault) = self.bus.dma.read(from, &mut batch.share) {
            return Some(batch.refuse(fault.into()));
        }
        let (key_bytes, value_at) = (batch.shape.key, padded(batch.shape.key));
        for at in 0..entries {
            let entry = batch.share.get(at * batch.entry..(at + 1) * batch.entry).unwrap_or(&[]);
            let key = entry.get(..key_bytes).unwrap_or(&[]);
            let done = match update {
                Some(update) => {
                    let value = entry.get(value_at..value_at + batch.shape.value).unwrap_or(&[]);
                    self.card.device.map_update_bytes(batch.map, key, value, update)
                }
                None => self.card.device.map_delete(batch.map, key),
            };
            if let Err(error) = done {
                return Some(batch.refuse(map_error(error)));
            }
            batch.done += 1;
        }
        (batch.done == batch.count).then_some(Ok(Done { count: batch.done, ..Done::default() }))
    }

    /// Looks a share of entries up.
    fn lookup_share(&mut self, batch: &mut Batch) -> Option<Answer> {
        let most = batch.most();
        let device = &self.card.device;
        batch.share.clear();
        let (mut found, mut end) = (0, None);
        // Keys without a value, as arrays of maps have them, are passed over; they count for the share.
        for _ in 0..most {
            match device.map_next_key(batch.map, batch.key.as_deref(), &mut batch.next) {
                Ok(()) => {}
                Err(MapError::NoSuchKey) => {
                    end = Some(0);
                    break;
                }
                Err(error) => return Some(batch.refuse(map_error(error))),
            }
            match device.map_lookup_into(batch.map, &batch.next, &mut batch.value) {
                Ok(()) => {
                    found += 1;
                    batch.share.extend_from_slice(&batch.next);
                    batch.share.resize(batch.share.len().next_multiple_of(8), 0);
                    batch.share.extend_from_slice(&batch.value);
                    batch.share.resize(batch.share.len().next_multiple_of(8), 0);
                }
                Err(MapError::NoSuchKey) => {}
                Err(error) => return Some(batch.refuse(map_error(error))),
            }
            std::mem::swap(batch.key.get_or_insert_default(), &mut batch.next);
        }
        let to = batch.command.output.wrapping_add(batch.offset());
        if let Err(fault) = self.bus.dma.write(to, &batch.share) {
            return Some(batch.refuse(fault.into()));
        }
        batch.done += found;
        if end.is_none() && batch.done < batch.count {
            return None;
        }
        let bytes = u32::try_from(batch.offset()).unwrap_or(u32::MAX);
        Some(Ok(Done { result: end.unwrap_or(1), output_bytes: bytes, count: batch.done }))
    }
}
