//! Many entries at a time: commands as large as a buffer, two of them in flight.

use super::Map;
use super::handle::Update;
use crate::device::{LARGE, Pending, Request, padded};
use crate::error::Error;
use offwire_hostif::Opcode;
use std::collections::VecDeque;
use std::ops::Range;

/// Batches in flight: one that the device works on, one that waits for it while the next is put together.
const IN_FLIGHT: usize = 2;

/// Commands of one batch that are in flight.
struct Stream<'a> {
    map: &'a Map,
    request: Request<'static>,
    /// Commands with their first entry and how many they have.
    pending: VecDeque<(Pending<'a>, usize, usize)>,
    /// Entries that the device has done.
    done: Vec<Range<usize>>,
    /// Entries posted.
    posted: usize,
    /// Entries that are put together.
    bytes: Vec<u8>,
    gathered: usize,
}

impl<'a> Stream<'a> {
    fn new(map: &'a Map, request: Request<'static>) -> Self {
        let (pending, bytes) = (VecDeque::with_capacity(IN_FLIGHT), Vec::with_capacity(LARGE));
        Stream { map, request, pending, done: Vec::new(), posted: 0, bytes, gathered: 0 }
    }

    /// Adds an entry: parts that are padded to 8 B each.
    fn add(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        let size: usize = parts.iter().map(|part| padded(part.len())).sum();
        if !self.bytes.is_empty() && self.bytes.len() + size > LARGE {
            self.send()?;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
            self.bytes.resize(padded(self.bytes.len()), 0);
        }
        self.gathered += 1;
        Ok(())
    }

    /// Posts what has been put together.
    fn send(&mut self) -> Result<(), Error> {
        if self.gathered == 0 {
            return Ok(());
        }
        while self.pending.len() >= IN_FLIGHT {
            self.settle()?;
        }
        let device = self.map.device();
        let request = Request { count: self.gathered as u32, ..self.request };
        let pending = match device.try_submit(&request.input(&[&self.bytes]))? {
            Some(pending) => pending,
            None => {
                // Others hold all places: not without giving back ours first.
                while !self.pending.is_empty() {
                    self.settle()?;
                }
                device.submit(&request.input(&[&self.bytes]))?
            }
        };
        device.flush()?;
        self.pending.push_back((pending, self.posted, self.gathered));
        self.posted += self.gathered;
        self.gathered = 0;
        self.bytes.clear();
        Ok(())
    }

    /// Waits for the oldest command; the first entry that failed ends it.
    fn settle(&mut self) -> Result<(), Error> {
        let Some((pending, first, count)) = self.pending.pop_front() else { return Ok(()) };
        let (reply, refused) = pending.outcome()?;
        let done = reply.count() as usize;
        if done > count || (refused.is_none() && done != count) {
            return Err(Error::Nonsense { what: "the entries of a batch", value: done as u64 });
        }
        self.done.push(first..first + done);
        match refused {
            None => Ok(()),
            Some(source) => Err(Error::Batch { entry: first + done, done: self.count(), source }),
        }
    }

    /// How many entries the device has done.
    fn count(&self) -> usize {
        self.done.iter().map(Range::len).sum()
    }

    /// Posts the rest and waits for all.
    fn finish(&mut self) -> Result<(), Error> {
        self.send()?;
        while !self.pending.is_empty() {
            self.settle()?;
        }
        Ok(())
    }

    /// After an error: what the commands behind it have done counts too.
    fn abandon(&mut self, mut error: Error) -> Error {
        while !self.pending.is_empty() {
            // The first error is the one that is told.
            let _ = self.settle();
        }
        let count = self.count();
        if let Error::Batch { done, .. } = &mut error {
            *done = count;
        }
        error
    }
}

impl Map {
    /// Writes entries; how many. Commands are as large as a buffer and two are in flight, so that entries behind one
    /// that fails may have been written.
    ///
    /// # Errors
    /// [`Error::Batch`] with the first entry that failed and how many were written; [`Error::Size`]; as any command.
    pub fn update_batch<'k>(
        &self,
        entries: impl IntoIterator<Item = (&'k [u8], &'k [u8])>,
        update: Update,
    ) -> Result<usize, Error> {
        let mut stream = Stream::new(self, self.request(Opcode::MapUpdateBatch)?.value(update.code()));
        let keeps = self.device().inner.keeps_contents();
        let mut written = Vec::new();
        let result = entries.into_iter().try_for_each(|(key, value)| {
            self.check_key(key)?;
            self.check_value(value)?;
            if keeps {
                written.push((key, value));
            }
            stream.add(&[key, value])
        });
        let result = result.and_then(|()| stream.finish()).map_err(|error| stream.abandon(error));
        for &(key, value) in stream.done.iter().filter_map(|range| written.get(range.clone())).flatten() {
            self.device().inner.wrote(self.info(), key, Some(value));
        }
        result.map(|()| stream.count())
    }

    /// Deletes entries; how many.
    ///
    /// # Errors
    /// As [`Map::update_batch`]; a key that is not there ends the batch.
    pub fn delete_batch<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> Result<usize, Error> {
        let mut stream = Stream::new(self, self.request(Opcode::MapDeleteBatch)?);
        let keeps = self.device().inner.keeps_contents();
        let mut deleted = Vec::new();
        let result = keys.into_iter().try_for_each(|key| {
            self.check_key(key)?;
            if keeps {
                deleted.push(key);
            }
            stream.add(&[key])
        });
        let result = result.and_then(|()| stream.finish()).map_err(|error| stream.abandon(error));
        for key in stream.done.iter().filter_map(|range| deleted.get(range.clone())).flatten() {
            self.device().inner.wrote(self.info(), key, None);
        }
        result.map(|()| stream.count())
    }

    /// Reads the values of given keys, many commands in flight; `each` is called for each key in turn, with `None` if
    /// it is not there.
    ///
    /// # Errors
    /// [`Error::Size`]; as any command.
    pub fn lookup_many<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        mut each: impl FnMut(&'k [u8], Option<&[u8]>),
    ) -> Result<(), Error> {
        let depth = (self.device().depth() / 2).clamp(1, 32);
        let mut pending = VecDeque::with_capacity(depth);
        let mut value = Vec::new();
        let mut take = |(key, answer): (&'k [u8], Pending<'_>)| -> Result<(), Error> {
            let found = self.take_lookup(answer, &mut value)?;
            each(key, found.then_some(&value[..]));
            Ok(())
        };
        for key in keys {
            self.check_key(key)?;
            let parts = [key];
            let request = self.request(Opcode::MapLookup)?.input(&parts).output(self.value_size());
            let asked = loop {
                let asked = if pending.len() < depth { self.device().try_submit(&request)? } else { None };
                match (asked, pending.pop_front()) {
                    (Some(asked), None) => break asked,
                    (Some(asked), Some(oldest)) => {
                        pending.push_front(oldest);
                        break asked;
                    }
                    // Our own commands first: others may wait for their places.
                    (None, Some(oldest)) => take(oldest)?,
                    (None, None) => break self.device().submit(&request)?,
                }
            };
            pending.push_back((key, asked));
        }
        pending.into_iter().try_for_each(take)
    }
}
