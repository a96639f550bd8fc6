//! All entries of a map.

use super::Map;
use super::handle::found;
use crate::device::{LARGE, padded};
use crate::error::Error;
use offwire_hostif::Opcode;
use offwire_image::MapKind;
use std::collections::HashSet;

/// How often a walk may be thrown back to the start by deletions of just the key at which it stood.
const MOST_RESTARTS: u32 = 64;
/// Entries beyond twice the map's size that a walk may see before the map counts as unsteady.
const SLACK: u64 = 1024;

/// Key and value.
pub type Entry<'a> = (&'a [u8], &'a [u8]);

/// A walk over all entries of a map, some thousand a command.
///
/// As with the kernel's `get_next_key`, entries that are added or deleted meanwhile may be seen or not, and a walk
/// whose key was deleted starts again at the first one. Each key is given once all the same, and a walk that is thrown
/// back too often ends with [`Error::Unsteady`].
pub struct Entries<'a> {
    map: &'a Map,
    /// Entries of the last command, and where the next one is.
    bytes: Vec<u8>,
    at: usize,
    /// The key at which the walk stands.
    last: Option<Vec<u8>>,
    ended: bool,
    /// Keys that were given; arrays have each index once.
    seen: Option<HashSet<Vec<u8>>>,
    given: u64,
    restarts: u32,
}

impl Map {
    /// All entries.
    pub fn entries(&self) -> Entries<'_> {
        use MapKind::{Array, ArrayOfMaps, Cpumap, Devmap, PercpuArray, PerfEventArray, ProgArray, Xskmap};
        let indexed = [Array, PercpuArray, ProgArray, PerfEventArray, ArrayOfMaps, Devmap, Cpumap, Xskmap];
        let seen = (!indexed.contains(&self.info().kind)).then(HashSet::new);
        Entries { map: self, bytes: Vec::new(), at: 0, last: None, ended: false, seen, given: 0, restarts: 0 }
    }
}

impl Entries<'_> {
    /// The next entry, without a copy for each; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unsteady`]; as any command.
    pub fn advance(&mut self) -> Result<Option<Entry<'_>>, Error> {
        let (key_size, value_size) = (self.map.key_size(), self.map.value_size());
        let stride = padded(key_size) + padded(value_size);
        if stride == 0 {
            // Ring buffers have no entries.
            return Ok(None);
        }
        loop {
            if self.at == self.bytes.len() {
                if self.ended {
                    return Ok(None);
                }
                self.fetch(stride)?;
                continue;
            }
            let start = self.at;
            self.at += stride;
            let key = &self.bytes[start..start + key_size];
            let fresh = self.seen.as_mut().is_none_or(|seen| seen.insert(key.to_vec()));
            if !fresh {
                if start == 0 {
                    self.restarts += 1;
                }
                continue;
            }
            self.given += 1;
            let value = start + padded(key_size);
            return Ok(Some((&self.bytes[start..start + key_size], &self.bytes[value..value + value_size])));
        }
    }

    /// Reads on from the last key.
    fn fetch(&mut self, stride: usize) -> Result<(), Error> {
        let most = u64::from(self.map.info().max_entries).saturating_mul(2).saturating_add(SLACK);
        if self.restarts > MOST_RESTARTS || self.given > most {
            return Err(Error::Unsteady(self.map.info().id));
        }
        let count = (LARGE / stride).max(1);
        let mut request = self.map.request(Opcode::MapLookupBatch)?.output(count * stride);
        request.count = count as u32;
        let key = [self.last.as_deref().unwrap_or_default()];
        let request = request.input(if self.last.is_some() { &key } else { &[] });
        self.bytes.clear();
        self.at = 0;
        let Some(reply) = found(self.map.device().run(&request))? else {
            self.ended = true;
            return Ok(());
        };
        let (entries, more) = (reply.count() as usize, reply.result() & 1 != 0);
        if entries > count || reply.output_bytes() != entries * stride || (entries == 0 && more) {
            return Err(Error::Nonsense { what: "the entries of a batch", value: entries as u64 });
        }
        reply.read_into(&mut self.bytes)?;
        self.ended = !more;
        if let Some(start) = self.bytes.len().checked_sub(stride) {
            let last = self.last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(&self.bytes[start..start + self.map.key_size()]);
        }
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(entry) => entry.map(|(key, value)| Ok((key.to_vec(), value.to_vec()))),
            Err(error) => {
                self.ended = true;
                self.bytes.clear();
                self.at = 0;
                Some(Err(error))
            }
        }
    }
}
