//! Numbers of programs: those of the object, which users see, and those of the image, which the device has.

use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::{Initial, Object};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::{Entry, EntryValue};
use offwire_image::{Image, MapKind, MapSpec};
use offwire_isa::{RequestOp, Word};
use std::collections::{BTreeMap, BTreeSet};

/// Programs have a number in the object, which map files and other back ends use, and one in the image, if they are there.
#[derive(Debug)]
pub struct Numbers {
    /// The image's number, by the object's.
    images: Vec<Option<u32>>,
    /// Program arrays that no word looks at, with their entries by the object's numbers: the image does not have what they name.
    unused: BTreeMap<u16, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// The device's number of a map, by the object's.
    maps: Vec<u16>,
}

impl Numbers {
    /// The numbers of a program's object and image.
    pub fn new(object: &Object, image: &Image) -> Self {
        let number =
            |name: &str| (0..).zip(&image.programs).find(|(_, program)| program.name == name).map(|(number, _)| number);
        let images = object.programs.iter().map(|program| number(&program.name)).collect();
        let words = image.words.iter().filter_map(|word| Word::decode(word).ok());
        let calls: BTreeSet<u16> =
            words.filter(|word| word.q_op == RequestOp::TailCall).map(|word| word.q_map.into()).collect();
        let mut unused = BTreeMap::new();
        for (slot, (spec, map)) in (0u16..).zip(image.maps.iter().zip(&object.maps)) {
            if spec.kind == MapKind::ProgArray && !calls.contains(&slot) {
                let named = map.initial.iter().filter_map(|(key, what)| {
                    let Initial::Program(name) = what else { return None };
                    let at = object.programs.iter().position(|program| program.name == *name)?;
                    Some((key.to_le_bytes().to_vec(), u32::try_from(at).ok()?.to_le_bytes().to_vec()))
                });
                unused.insert(slot, named.collect());
            }
        }
        let maps = (0..).take(object.maps.len()).collect();
        Numbers { images, unused, maps }
    }

    /// Only maps, which have these numbers on a device, in the object's order.
    pub fn of_maps(maps: Vec<u16>) -> Self {
        Numbers { images: Vec::new(), unused: BTreeMap::new(), maps }
    }

    /// The same on a device where the maps have these numbers, in the object's order.
    #[must_use]
    pub fn with_maps(self, maps: Vec<u16>) -> Self {
        Numbers { maps, ..self }
    }

    /// What stands in a program array that the device never looks at.
    pub fn kept(&self, map: MapIdx) -> Option<&BTreeMap<Vec<u8>, Vec<u8>>> {
        self.unused.get(&map.0)
    }

    /// The entry, if the array is one that the device never looks at, is kept here.
    pub fn keep(&mut self, map: MapIdx, entry: &Entry) -> bool {
        match (self.unused.get_mut(&map.0), &entry.value) {
            (Some(kept), EntryValue::One(value)) => {
                kept.insert(entry.key.clone(), value.clone());
                true
            }
            _ => false,
        }
    }

    /// The value of an entry as the device has it, where that differs: programs and maps have numbers of their own there.
    ///
    /// # Errors
    /// `OW0602` if the image does not have the program, or there is no such map.
    pub fn to_device(&self, spec: &MapSpec, value: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let number = || value.try_into().map_or(u32::MAX, u32::from_le_bytes);
        let at = |number: u32| usize::try_from(number).ok();
        match spec.kind {
            MapKind::ProgArray => match at(number()).and_then(|number| *self.images.get(number)?) {
                Some(number) => Ok(number.to_le_bytes().to_vec()),
                None => Err(Diagnostic::error(
                    codes::device::MAP,
                    format!("the image does not have program number {}, which map {} is to hold", number(), spec.name),
                )
                .with_reason("an image holds the programs that the object itself puts into program arrays")),
            },
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => match at(number()).and_then(|number| self.maps.get(number)) {
                Some(&map) => Ok(u32::from(map).to_le_bytes().to_vec()),
                None => Err(Diagnostic::error(
                    codes::device::MAP,
                    format!("there is no map number {}, which map {} is to hold", number(), spec.name),
                )),
            },
            _ => Ok(value.to_vec()),
        }
    }

    /// The value of an entry as the object has it. What the object does not have stays as it is.
    pub fn to_object(&self, kind: MapKind, value: &[u8]) -> Vec<u8> {
        let number = || value.try_into().map_or(u32::MAX, u32::from_le_bytes);
        let object = match kind {
            MapKind::ProgArray => self.images.iter().position(|image| *image == Some(number())),
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => self.maps.iter().position(|&map| u32::from(map) == number()),
            _ => None,
        };
        match object.and_then(|object| u32::try_from(object).ok()) {
            Some(object) => object.to_le_bytes().to_vec(),
            None => value.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: MapKind) -> MapSpec {
        MapSpec {
            name: "table".to_owned(),
            kind,
            key_size: 4,
            value_size: 4,
            max_entries: 2,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        }
    }

    #[test]
    fn programs_and_maps_have_the_numbers_of_the_object_outside() {
        let numbers = Numbers { images: vec![None, Some(1), Some(0)], unused: BTreeMap::new(), maps: vec![9, 5, 7] };
        let table = spec(MapKind::ProgArray);
        for object in [1u32, 2] {
            let device = numbers.to_device(&table, &object.to_le_bytes()).unwrap();
            assert_eq!(device, (2 - object).to_le_bytes());
            assert_eq!(numbers.to_object(table.kind, &device), object.to_le_bytes());
        }
        for missing in [0u32, 3] {
            assert_eq!(numbers.to_device(&table, &missing.to_le_bytes()).unwrap_err().code, codes::device::MAP);
        }
        let outer = spec(MapKind::HashOfMaps);
        assert_eq!(numbers.to_device(&outer, &2u32.to_le_bytes()).unwrap(), 7u32.to_le_bytes());
        assert_eq!(numbers.to_object(outer.kind, &7u32.to_le_bytes()), 2u32.to_le_bytes());
        assert_eq!(numbers.to_device(&outer, &3u32.to_le_bytes()).unwrap_err().code, codes::device::MAP);
        assert_eq!(numbers.to_object(outer.kind, &8u32.to_le_bytes()), 8u32.to_le_bytes());
        assert_eq!(numbers.to_device(&spec(MapKind::Hash), &[1, 2, 3, 4]).unwrap(), [1, 2, 3, 4]);
    }
}
