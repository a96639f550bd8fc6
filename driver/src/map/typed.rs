//! Maps of types.

use super::{Map, Plain, Update};
use crate::error::Error;
use std::marker::PhantomData;

/// A map whose keys and values are types.
#[derive(Debug)]
pub struct TypedMap<K, V> {
    map: Map,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for TypedMap<K, V> {
    fn clone(&self) -> Self {
        TypedMap { map: self.map.clone(), types: PhantomData }
    }
}

impl<K: Plain, V: Plain> TypedMap<K, V> {
    /// The map with types; `V` is the value of one vCPU.
    ///
    /// # Errors
    /// [`Error::Size`] if the types do not have the map's sizes.
    pub fn new(map: Map) -> Result<Self, Error> {
        map.check_key(&vec![0; K::BYTES])?;
        let (has, given) = (map.info().value_bytes as usize, V::BYTES);
        if has != given {
            return Err(Error::Size { what: "a value", map: map.info().id, has, given });
        }
        Ok(TypedMap { map, types: PhantomData })
    }

    /// The map without types.
    pub fn raw(&self) -> &Map {
        &self.map
    }

    /// Reads a value; `None` if there is no such key. Of a per-CPU map it is the first vCPU's.
    ///
    /// # Errors
    /// As [`Map::lookup_into`].
    pub fn lookup(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.lookup_copies(key)?.and_then(|values| values.into_iter().next()))
    }

    /// Reads the value of each vCPU, or the only one; `None` if there is no such key.
    ///
    /// # Errors
    /// As [`Map::lookup_into`].
    pub fn lookup_copies(&self, key: &K) -> Result<Option<Vec<V>>, Error> {
        let mut value = Vec::new();
        let found = with_bytes(key, |key| self.map.lookup_into(key, &mut value))?;
        Ok(found.then(|| self.copies(&value)))
    }

    /// Writes a value; of a per-CPU map to each vCPU.
    ///
    /// # Errors
    /// As [`Map::update`].
    pub fn update(&self, key: &K, value: &V, update: Update) -> Result<(), Error> {
        if !self.map.info().kind.is_per_cpu() {
            return with_bytes(key, |key| with_bytes(value, |value| self.map.update(key, value, update)));
        }
        let mut bytes = vec![0; self.map.value_size()];
        bytes.chunks_exact_mut(V::BYTES.next_multiple_of(8)).for_each(|copy| value.put(&mut copy[..V::BYTES]));
        with_bytes(key, |key| self.map.update(key, &bytes, update))
    }

    /// Writes the value of each vCPU.
    ///
    /// # Errors
    /// [`Error::Size`] if there are more or fewer values than vCPUs; as [`Map::update`].
    pub fn update_copies(&self, key: &K, values: &[V], update: Update) -> Result<(), Error> {
        let info = self.map.info();
        if values.len() != info.copies as usize {
            return Err(Error::Size {
                what: "the copies",
                map: info.id,
                has: info.copies as usize,
                given: values.len(),
            });
        }
        let mut bytes = vec![0; self.map.value_size()];
        let stride = if info.kind.is_per_cpu() { V::BYTES.next_multiple_of(8) } else { V::BYTES };
        for (value, copy) in values.iter().zip(bytes.chunks_exact_mut(stride.max(1))) {
            value.put(&mut copy[..V::BYTES]);
        }
        with_bytes(key, |key| self.map.update(key, &bytes, update))
    }

    /// Deletes an entry; false if there is no such key.
    ///
    /// # Errors
    /// As [`Map::delete`].
    pub fn delete(&self, key: &K) -> Result<bool, Error> {
        with_bytes(key, |key| self.map.delete(key))
    }

    /// All entries, of per-CPU maps with the first vCPU's value.
    pub fn entries(&self) -> impl Iterator<Item = Result<(K, V), Error>> + '_ {
        let typed = |(key, value): (Vec<u8>, Vec<u8>)| (K::get(&key), V::get(&value[..V::BYTES]));
        self.map.entries().map(move |entry| entry.map(typed))
    }

    /// Writes entries; how many. Of per-CPU maps each vCPU gets the value.
    ///
    /// # Errors
    /// As [`Map::update_batch`].
    pub fn update_batch(&self, entries: &[(K, V)], update: Update) -> Result<usize, Error> {
        let size = self.map.value_size();
        let copies = self.map.info().copies as usize;
        let stride = if copies > 1 { size / copies } else { size };
        let mut bytes = vec![0; entries.len() * (K::BYTES + size)];
        for ((key, value), entry) in entries.iter().zip(bytes.chunks_exact_mut((K::BYTES + size).max(1))) {
            let (first, second) = entry.split_at_mut(K::BYTES);
            key.put(first);
            second.chunks_exact_mut(stride.max(1)).for_each(|copy| value.put(&mut copy[..V::BYTES]));
        }
        self.map
            .update_batch(bytes.chunks_exact((K::BYTES + size).max(1)).map(|entry| entry.split_at(K::BYTES)), update)
    }

    fn copies(&self, value: &[u8]) -> Vec<V> {
        (0..self.map.info().copies).filter_map(|vcpu| self.map.copy(value, vcpu)).map(V::get).collect()
    }
}

/// Lends the bytes of a value: on the stack if they are few.
fn with_bytes<T: Plain, R>(value: &T, with: impl FnOnce(&[u8]) -> R) -> R {
    let mut few = [0; 128];
    match few.get_mut(..T::BYTES) {
        Some(bytes) => {
            value.put(bytes);
            with(bytes)
        }
        None => {
            let mut bytes = vec![0; T::BYTES];
            value.put(&mut bytes);
            with(&bytes)
        }
    }
}
