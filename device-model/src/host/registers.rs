//! BAR0.

use offwire_hostif::reg::{self, State};
use offwire_hostif::register::{Register, RingRegister};
use offwire_hostif::{
    BAR0_BYTES, INTERFACE_MAJOR, INTERFACE_MINOR, QUEUE_PAIRS, RING_BASE, RING_STRIDE, RINGS, RingId, VECTORS,
};
use offwire_isa::ISA_VERSION;

use super::HostFunction;
use crate::{MAPS, PROGRAMS};

/// What resets the device when it is written to ResetRequest: "RSET".
const RESET_WORD: u32 = 0x5445_5352;

/// A half of a 64-bit register.
fn half(value: u64, offset: u32) -> u32 {
    (if offset & 4 == 0 { value } else { value >> 32 }) as u32
}

/// The value with another half.
fn with_half(value: &mut u64, offset: u32, word: u32) {
    let shift = (offset & 4) * 8;
    *value = *value & !(0xffff_ffff << shift) | u64::from(word) << shift;
}

/// Offset of a register.
const fn at<R: Register>() -> u32 {
    R::OFFSET.0
}

/// Offset of a 64-bit register's upper half.
const fn above<R: Register>() -> u32 {
    R::OFFSET.0 + 4
}

/// Offset of a register in a ring's block.
const fn ring_at<R: RingRegister>() -> u32 {
    R::OFFSET.0
}

/// Offset of the upper half of a 64-bit register in a ring's block.
const fn ring_above<R: RingRegister>() -> u32 {
    R::OFFSET.0 + 4
}

/// The ring in whose block an offset lies, and the offset there.
fn ring(offset: u32) -> Option<(RingId, u32)> {
    let inside = offset.checked_sub(RING_BASE)?;
    let number = inside / RING_STRIDE;
    if number >= RINGS { None } else { Some((RingId::new(number)?, inside % RING_STRIDE)) }
}

/// The words of an access: aligned, of 4 or 8 bytes, inside BAR0.
fn words(offset: u64, bytes: usize) -> Option<impl Iterator<Item = u32>> {
    let fits = matches!(bytes, 4 | 8) && offset.is_multiple_of(bytes as u64) && offset < u64::from(BAR0_BYTES);
    fits.then(|| (offset as u32..offset as u32 + bytes as u32).step_by(4))
}

impl HostFunction {
    /// Reads; false if the access is none that BAR0 takes.
    pub(super) fn read_registers(&mut self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(words) = words(offset, bytes.len()) else { return false };
        for (at, to) in words.zip(bytes.chunks_exact_mut(4)) {
            to.copy_from_slice(&self.register(at).to_le_bytes());
        }
        true
    }

    /// Writes; false if the access is none that BAR0 takes.
    pub(super) fn write_registers(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let Some(words) = words(offset, bytes.len()) else { return false };
        for (at, from) in words.zip(bytes.chunks_exact(4)) {
            if let Some(word) = from.first_chunk() {
                self.set_register(at, u32::from_le_bytes(*word));
            }
        }
        true
    }

    fn register(&self, offset: u32) -> u32 {
        use reg::*;
        if let Some((id, offset)) = ring(offset) {
            return self.ring_register(id, offset);
        }
        let profile = self.config.profile;
        const fn both<R: Register>(offset: u32) -> bool {
            offset == at::<R>() || offset == above::<R>()
        }
        match offset {
            _ if offset == at::<Magic>() => Magic::RESET as u32,
            _ if offset == at::<Version>() => {
                Version::default().with_major(INTERFACE_MAJOR).with_minor(INTERFACE_MINOR).0
            }
            _ if offset == at::<IsaVersion>() => ISA_VERSION,
            _ if offset == at::<Geometry>() => {
                Geometry::default()
                    .with_ports(self.config.ports.into())
                    .with_queue_pairs(QUEUE_PAIRS)
                    .with_vectors(VECTORS)
                    .0
            }
            _ if both::<ProfileHash>(offset) => half(profile.hash, offset),
            _ if offset == at::<ClockMhz>() => profile.clock_mhz,
            _ if offset == at::<Vcpus>() => profile.vcpus,
            _ if offset == at::<StoreWords>() => profile.instruction_store_words,
            _ if offset == at::<MapMemory>() => profile.map_memory_bytes,
            _ if offset == at::<Limits>() => Limits::default().with_programs(PROGRAMS as u32).with_maps(MAPS as u32).0,
            _ if offset == at::<Time>() => {
                Time::default().with_mode(self.card.time.code().into()).with_choices(self.config.choices).0
            }
            _ if both::<Instance>(offset) => half(self.config.instance, offset),
            _ if offset == at::<ResetCount>() => self.resets,
            _ if offset == at::<State>() => self.state().0,
            _ if both::<Cycle>(offset) => half(self.card.device.now(), offset),
            _ if both::<Nanoseconds>(offset) => half(self.card.device.ktime_ns(), offset),
            _ if both::<Packets>(offset) => half(self.card.device.counters().arrivals, offset),
            _ => 0,
        }
    }

    fn state(&self) -> State {
        State::default()
            .with_ready(!self.card.failed)
            .with_failed(self.card.failed)
            .with_quiet(self.card.flights.len() == 0 && self.card.device.is_idle())
    }

    fn ring_register(&self, id: RingId, offset: u32) -> u32 {
        use reg::*;
        const fn both<R: RingRegister>(offset: u32) -> bool {
            offset == ring_at::<R>() || offset == ring_above::<R>()
        }
        let ring = self.bus.ring(id);
        match offset {
            _ if both::<RingBase>(offset) => half(ring.base, offset),
            _ if both::<RingData>(offset) => half(ring.data, offset),
            _ if offset == ring_at::<RingSize>() => ring.size,
            _ if offset == ring_at::<RingDataSize>() => ring.data_size,
            _ if offset == ring_at::<RingControl>() => ring.control.0,
            _ if offset == ring_at::<RingVector>() => ring.vector,
            _ if offset == ring_at::<RingModeration>() => ring.moderation.0,
            _ if offset == ring_at::<RingState>() => ring.state().0,
            _ if both::<RingFaultArgument>(offset) => half(ring.fault.map_or(0, |(_, argument)| argument), offset),
            _ if offset == ring_at::<RingIndex>() => ring.index,
            _ if offset == ring_at::<RingLost>() => ring.lost,
            _ => 0,
        }
    }

    fn set_register(&mut self, offset: u32, word: u32) {
        use reg::*;
        if let Some((id, offset)) = ring(offset) {
            self.set_ring_register(id, offset, word);
        } else if offset == at::<ResetRequest>() && word == RESET_WORD {
            // Configuration space is the bus's: whoever writes here cannot set it up again, and nobody else knows that it must be.
            self.reset_function();
        }
        // A write to Wake wakes as each write does.
    }

    fn set_ring_register(&mut self, id: RingId, offset: u32, word: u32) {
        use reg::*;
        const fn both<R: RingRegister>(offset: u32) -> bool {
            offset == ring_at::<R>() || offset == ring_above::<R>()
        }
        let ring = self.bus.ring_mut(id);
        match offset {
            _ if both::<RingBase>(offset) => with_half(&mut ring.base, offset, word),
            _ if both::<RingData>(offset) => with_half(&mut ring.data, offset, word),
            _ if offset == ring_at::<RingSize>() => ring.size = RingSize::default().with_log2(RingSize(word).log2()).0,
            _ if offset == ring_at::<RingDataSize>() => ring.data_size = word,
            _ if offset == ring_at::<RingVector>() => ring.vector = RingVector(word).vector(),
            _ if offset == ring_at::<RingModeration>() => ring.moderation = RingModeration(word),
            _ if offset == ring_at::<RingControl>() => {
                let was = ring.control.enable();
                self.bus.control(id, RingControl(word));
                if was != RingControl(word).enable() {
                    self.ring_switched(id);
                }
            }
            _ => {}
        }
    }

    /// What depends on a ring that was switched on or off.
    fn ring_switched(&mut self, id: RingId) {
        match id {
            RingId::EVENT => self.events.restart(),
            // What a command still had to do ends with its ring; what it did stays done.
            RingId::COMMAND | RingId::COMPLETION => self.job = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_make_a_register() {
        let mut value = 0;
        with_half(&mut value, 0x1004, 0x8000_0001);
        with_half(&mut value, 0x1000, 0xdead_beef);
        assert_eq!(value, 0x8000_0001_dead_beef);
        assert_eq!((half(value, 0), half(value, 4)), (0xdead_beef, 0x8000_0001));
    }

    #[test]
    fn accesses_are_aligned_words() {
        let count = |offset, bytes| words(offset, bytes).map(Iterator::count);
        assert_eq!((count(0, 4), count(8, 8), count(4, 8), count(2, 4)), (Some(1), Some(2), None, None));
        assert_eq!((count(0x3ffc, 4), count(0x4000, 4), count(0, 1), count(0, 16)), (Some(1), None, None, None));
        assert_eq!(count(u64::MAX - 7, 8), None);
    }

    #[test]
    fn blocks_belong_to_rings() {
        assert_eq!(ring(RING_BASE - 4), None);
        assert_eq!(ring(RING_BASE), Some((RingId::COMMAND, 0)));
        assert_eq!(ring(RING_BASE + 3 * RING_STRIDE), None);
        assert_eq!(ring(RING_BASE + 35 * RING_STRIDE + 4), Some((RingId::transmit(15).unwrap(), 4)));
        assert_eq!(ring(RING_BASE + 36 * RING_STRIDE), None);
    }
}
