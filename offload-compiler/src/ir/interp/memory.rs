//! The four spaces of memory.

use super::{Maps, Packet, World};
use crate::ebpf::MapIdx;
use offwire_isa::{METADATA_BYTES, SCRATCH_BYTES, STACK_BYTES, Space};

/// All that a program can reach, besides its values.
pub(crate) struct Memory<'a> {
    pub(crate) stack: [u8; STACK_BYTES as usize],
    pub(crate) scratch: [u8; SCRATCH_BYTES as usize],
    pub(crate) packet: &'a mut Packet,
    pub(crate) maps: &'a mut Maps,
    pub(crate) world: &'a mut World,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(packet: &'a mut Packet, maps: &'a mut Maps, world: &'a mut World) -> Self {
        Memory { stack: [0; STACK_BYTES as usize], scratch: [0; SCRATCH_BYTES as usize], packet, maps, world }
    }

    /// The bytes at an address of a space; of map values only those of `map`, if that is given.
    pub(crate) fn bytes(
        &mut self,
        space: Space,
        address: u64,
        map: Option<MapIdx>,
        size: usize,
    ) -> Result<&mut [u8], String> {
        let place = usize::try_from(address).unwrap_or(usize::MAX);
        let bytes = match space {
            Space::MapValue => return self.maps.bytes(address, map, size),
            Space::Packet => self.packet.at(address.cast_signed(), size),
            Space::Stack => self.stack.get_mut(place..).and_then(|rest| rest.get_mut(..size)),
            Space::Scratch => {
                self.scratch[..usize::from(METADATA_BYTES)].copy_from_slice(&self.packet.metadata());
                self.scratch.get_mut(place..).and_then(|rest| rest.get_mut(..size))
            }
        };
        bytes.ok_or_else(|| {
            let space = space.asm();
            format!("{space} address {} with {size} bytes is out of bounds", address.cast_signed())
        })
    }
}
