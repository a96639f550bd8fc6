//! The order in which the user lists the keys of a map, a key at a time (`map_get_next_key` of kernel/bpf/syscall.c). A step costs
//! a lookup and what lies between two entries, so all steps together are one walk through the map.

use super::control::array_index;
use super::table::{Directory, Table};
use crate::error::MapError;
use crate::id::MapId;

impl Table {
    /// Writes the key behind `key` to `out`; the first one if there is no such key. `NoSuchKey` behind the last.
    pub(crate) fn next_key(&self, map: MapId, key: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), MapError> {
        out.clear();
        let map = self.map(map, key)?;
        match &map.contents.directory {
            // array_map_get_next_key: every index, also those whose entry is empty.
            Directory::Array | Directory::Sparse(_) => {
                let next = match key.and_then(array_index) {
                    Some(at) if at < map.info.max_entries => at + 1,
                    _ => 0,
                };
                if next >= map.info.max_entries {
                    return Err(MapError::NoSuchKey);
                }
                out.extend_from_slice(&next.to_le_bytes());
            }
            Directory::Hash(index) => {
                let keyed = map.contents.keyed();
                let before = key.and_then(|key| {
                    let hash = map.hash.hash(key);
                    Some((hash, index.find(keyed, hash, key).element?))
                });
                let next = index.after(keyed, before).ok_or(MapError::NoSuchKey)?;
                out.extend_from_slice(keyed.key(next));
            }
            Directory::Trie(trie) => {
                if !trie.next_key(key, out) {
                    return Err(MapError::NoSuchKey);
                }
            }
            Directory::Ring(_) | Directory::Perf => return Err(MapError::Invalid),
        }
        Ok(())
    }
}
