//! Typed registers over any transport.

use crate::BarOffset;
use crate::generated::{DOORBELL_PAGE, DOORBELL_STRIDE, RING_BASE, RING_RECEIVE, RING_STRIDE, RINGS};

/// A register of BAR0.
pub trait Register: Copy {
    /// Its name in hw/spec/regs.toml.
    const NAME: &'static str;
    /// Where it is.
    const OFFSET: BarOffset;
    /// Value after reset, where the specification says one.
    const RESET: u64;
    /// 4 or 8.
    const BYTES: u32;
    /// The number.
    fn to_raw(self) -> u64;
    /// From the number; bits beyond the register are cut.
    fn from_raw(raw: u64) -> Self;
}

/// A register of each ring; `OFFSET` is relative to the ring's block.
pub trait RingRegister: Copy {
    /// Its name in hw/spec/regs.toml.
    const NAME: &'static str;
    /// Where it is in the block.
    const OFFSET: BarOffset;
    /// Value after reset, where the specification says one.
    const RESET: u64;
    /// 4 or 8.
    const BYTES: u32;
    /// The number.
    fn to_raw(self) -> u64;
    /// From the number; bits beyond the register are cut.
    fn from_raw(raw: u64) -> Self;
}

/// A register that can be read.
pub trait Readable {}

/// A register that can be written.
pub trait Writable {}

/// Number of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingId(u8);

impl RingId {
    /// Commands, host to device.
    pub const COMMAND: RingId = RingId(crate::generated::RING_COMMAND as u8);
    /// Completions, device to host.
    pub const COMPLETION: RingId = RingId(crate::generated::RING_COMPLETION as u8);
    /// Events, device to host.
    pub const EVENT: RingId = RingId(crate::generated::RING_EVENT as u8);

    /// The receive ring of a queue pair; `None` if there is no such pair.
    pub const fn receive(pair: u8) -> Option<RingId> {
        if (pair as u32) < crate::generated::QUEUE_PAIRS { Some(RingId(RING_RECEIVE as u8 + 2 * pair)) } else { None }
    }

    /// The transmit ring of a queue pair; `None` if there is no such pair.
    pub const fn transmit(pair: u8) -> Option<RingId> {
        match Self::receive(pair) {
            Some(RingId(receive)) => Some(RingId(receive + 1)),
            None => None,
        }
    }

    /// The ring with this number, if there is one.
    pub const fn new(number: u32) -> Option<RingId> {
        if number < RINGS && number != 3 { Some(RingId(number as u8)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The queue pair of a receive or transmit ring.
    pub const fn pair(self) -> Option<u8> {
        if (self.0 as u32) < RING_RECEIVE { None } else { Some((self.0 - RING_RECEIVE as u8) / 2) }
    }

    /// True if the device writes to it and the host consumes: completions and events.
    pub const fn is_from_device(self) -> bool {
        matches!(self, RingId::COMPLETION | RingId::EVENT)
    }

    /// Offset of one of its registers in BAR0.
    pub const fn register<R: RingRegister>(self) -> BarOffset {
        BarOffset(RING_BASE + self.0 as u32 * RING_STRIDE + R::OFFSET.0)
    }

    /// Offset of its doorbell in BAR2.
    pub const fn doorbell(self) -> BarOffset {
        let number = self.0 as u32;
        if number < RING_RECEIVE {
            return BarOffset(number * DOORBELL_STRIDE);
        }
        let pair = (number - RING_RECEIVE) / 2;
        BarOffset((1 + pair) * DOORBELL_PAGE + (number - RING_RECEIVE) % 2 * DOORBELL_STRIDE)
    }
}

/// The phase bit of a descriptor of a ring with `1 << log2` entries that is written as number `index` since the ring was enabled:
/// 1 on the first lap, then alternating.
pub const fn phase(index: u32, log2: u32) -> bool {
    (index >> log2) & 1 == 0
}

/// Bit of the phase word: the host has filled the descriptor on this lap.
pub const AVAIL: u32 = 1 << 0;
/// Bit of the phase word: the device has written the descriptor on this lap.
pub const USED: u32 = 1 << 1;

/// Access to BAR0, whatever the transport: a mapped page, a message, a call.
pub trait RegisterIo {
    /// What can go wrong.
    type Error;
    /// Reads 4 B.
    fn read_u32(&self, offset: BarOffset) -> Result<u32, Self::Error>;
    /// Reads 8 B.
    fn read_u64(&self, offset: BarOffset) -> Result<u64, Self::Error>;
    /// Writes 4 B.
    fn write_u32(&self, offset: BarOffset, value: u32) -> Result<(), Self::Error>;
    /// Writes 8 B.
    fn write_u64(&self, offset: BarOffset, value: u64) -> Result<(), Self::Error>;
}

/// The registers behind a transport.
#[derive(Clone, Copy, Debug)]
pub struct Registers<B>(pub B);

impl<B: RegisterIo> Registers<B> {
    /// Reads a register.
    ///
    /// # Errors
    /// The transport's.
    pub fn read<R: Register + Readable>(&self) -> Result<R, B::Error> {
        let raw = if R::BYTES == 8 { self.0.read_u64(R::OFFSET)? } else { self.0.read_u32(R::OFFSET)?.into() };
        Ok(R::from_raw(raw))
    }

    /// Writes a register.
    ///
    /// # Errors
    /// The transport's.
    pub fn write<R: Register + Writable>(&self, value: R) -> Result<(), B::Error> {
        match R::BYTES {
            8 => self.0.write_u64(R::OFFSET, value.to_raw()),
            _ => self.0.write_u32(R::OFFSET, value.to_raw() as u32),
        }
    }

    /// Reads a register of a ring.
    ///
    /// # Errors
    /// The transport's.
    pub fn read_ring<R: RingRegister + Readable>(&self, ring: RingId) -> Result<R, B::Error> {
        let at = ring.register::<R>();
        let raw = if R::BYTES == 8 { self.0.read_u64(at)? } else { self.0.read_u32(at)?.into() };
        Ok(R::from_raw(raw))
    }

    /// Writes a register of a ring.
    ///
    /// # Errors
    /// The transport's.
    pub fn write_ring<R: RingRegister + Writable>(&self, ring: RingId, value: R) -> Result<(), B::Error> {
        match R::BYTES {
            8 => self.0.write_u64(ring.register::<R>(), value.to_raw()),
            _ => self.0.write_u32(ring.register::<R>(), value.to_raw() as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::{BAR0_BYTES, BAR2_BYTES, QUEUE_PAIRS, reg};
    use std::collections::BTreeSet;

    #[test]
    fn doorbells_and_blocks_are_apart_and_inside() {
        let rings: Vec<RingId> = (0..RINGS).filter_map(RingId::new).collect();
        assert_eq!(rings.len() as u32, 3 + 2 * QUEUE_PAIRS);
        let doorbells: BTreeSet<u32> = rings.iter().map(|ring| ring.doorbell().0).collect();
        assert_eq!(doorbells.len(), rings.len());
        assert!(doorbells.iter().all(|&at| at + 4 <= BAR2_BYTES));
        assert!(rings.iter().all(|ring| ring.register::<reg::RingLost>().0 + 4 <= BAR0_BYTES));
    }

    #[test]
    fn pairs_have_their_rings() {
        for pair in 0..QUEUE_PAIRS as u8 {
            let (receive, transmit) = (RingId::receive(pair).unwrap(), RingId::transmit(pair).unwrap());
            assert_eq!((receive.pair(), transmit.pair()), (Some(pair), Some(pair)));
            assert_eq!(receive.doorbell().0 / DOORBELL_PAGE, transmit.doorbell().0 / DOORBELL_PAGE);
        }
        assert_eq!(RingId::receive(QUEUE_PAIRS as u8), None);
        assert_eq!(RingId::EVENT.pair(), None);
    }

    #[test]
    fn the_phase_alternates_by_lap() {
        assert_eq!([0, 3, 4, 7, 8].map(|index| phase(index, 2)), [true, true, false, false, true]);
        // The index wraps after a whole number of laps.
        assert_eq!(phase(u32::MAX, 16), phase(0, 16) ^ true);
    }

    #[test]
    fn fields_read_what_was_put_in() {
        let moderation = reg::RingModeration::default().with_count(7).with_delay_us(0xffff);
        assert_eq!((moderation.count(), moderation.delay_us(), moderation.0), (7, 0xffff, 0xffff_0007));
        assert_eq!(moderation.with_delay_us(0x1_0001).delay_us(), 1);
        assert!(reg::RingControl::default().with_report(true).with_enable(true).with_enable(false).report());
    }
}
