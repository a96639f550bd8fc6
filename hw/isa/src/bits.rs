//! The 288 bits of a word while it is put together or taken apart.

use crate::generated::consts::WORD_BYTES;

/// Bit 0 of the word is bit 0 of the first number. Fields are at most 16 bits wide.
#[derive(Default)]
pub(crate) struct Bits([u64; WORD_BYTES.div_ceil(8)]);

impl Bits {
    /// Puts the low `width` bits of `value` at `low`, where zeros were.
    #[inline(always)]
    pub(crate) fn put(&mut self, low: usize, width: u32, value: u64) {
        let value = value & ((1 << width) - 1);
        let (limb, shift) = (low / 64, low as u32 % 64);
        self.0[limb] |= value << shift;
        if shift + width > 64 {
            self.0[limb + 1] |= value >> (64 - shift);
        }
    }

    /// The `width` bits at `low`.
    #[inline(always)]
    pub(crate) fn get(&self, low: usize, width: u32) -> u64 {
        let (limb, shift) = (low / 64, low as u32 % 64);
        let mut value = self.0[limb] >> shift;
        if shift + width > 64 {
            value |= self.0[limb + 1] << (64 - shift);
        }
        value & ((1 << width) - 1)
    }

    /// The same, sign-extended.
    #[inline(always)]
    pub(crate) fn get_signed(&self, low: usize, width: u32) -> i16 {
        let unused = 16 - width;
        ((self.get(low, width) as u16) << unused).cast_signed() >> unused
    }

    pub(crate) fn to_bytes(&self) -> [u8; WORD_BYTES] {
        let mut bytes = [0; WORD_BYTES];
        for (chunk, limb) in bytes.chunks_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes()[..chunk.len()]);
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; WORD_BYTES]) -> Self {
        let mut bits = Bits::default();
        for (chunk, limb) in bytes.chunks(8).zip(&mut bits.0) {
            let mut full = [0; 8];
            full[..chunk.len()].copy_from_slice(chunk);
            *limb = u64::from_le_bytes(full);
        }
        bits
    }
}
