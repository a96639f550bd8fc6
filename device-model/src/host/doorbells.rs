//! Memory of a BAR without any mapping: doorbells of a device in the driver's own process.

use std::sync::atomic::{AtomicU32, Ordering};

use offwire_hostif::{BAR2_BYTES, HostMemory};

/// BAR2 as words that both sides share.
#[derive(Debug)]
pub struct Doorbells {
    words: Box<[AtomicU32]>,
}

impl Doorbells {
    /// All zero.
    pub fn new() -> Self {
        Doorbells { words: (0..BAR2_BYTES / 4).map(|_| AtomicU32::new(0)).collect() }
    }

    /// The words that hold the bytes from `offset` on, and where they start in the first of them.
    fn words(&self, offset: u64, bytes: usize) -> Option<(&[AtomicU32], usize)> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(bytes).filter(|&end| end <= self.words.len() * 4)?;
        Some((self.words.get(offset / 4..end.div_ceil(4))?, offset % 4))
    }

    fn word(&self, offset: u64) -> Option<&AtomicU32> {
        if !offset.is_multiple_of(4) {
            return None;
        }
        self.words.get(usize::try_from(offset / 4).ok()?)
    }
}

impl Default for Doorbells {
    fn default() -> Self {
        Self::new()
    }
}

impl HostMemory for Doorbells {
    fn size(&self) -> u64 {
        self.words.len() as u64 * 4
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some((words, mut skip)) = self.words(offset, bytes.len()) else { return false };
        let mut rest = bytes;
        for word in words {
            let word = word.load(Ordering::Acquire).to_le_bytes();
            let count = rest.len().min(4 - skip);
            let (here, behind) = rest.split_at_mut(count);
            here.copy_from_slice(&word[skip..skip + count]);
            (rest, skip) = (behind, 0);
        }
        true
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let Some((words, mut skip)) = self.words(offset, bytes.len()) else { return false };
        let mut rest = bytes;
        for word in words {
            let count = rest.len().min(4 - skip);
            let (here, behind) = rest.split_at(count);
            let put = |old: u32| {
                let mut new = old.to_le_bytes();
                new[skip..skip + count].copy_from_slice(here);
                Some(u32::from_le_bytes(new))
            };
            // The closure always gives a word, so there is no error.
            let _ = word.fetch_update(Ordering::Release, Ordering::Relaxed, put);
            (rest, skip) = (behind, 0);
        }
        true
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        Some(self.word(offset)?.load(Ordering::Acquire))
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        match self.word(offset) {
            Some(word) => {
                word.store(value, Ordering::Release);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_words_are_the_same_memory() {
        let doorbells = Doorbells::new();
        assert!(doorbells.write(3, &[1, 2, 3, 4, 5, 6]));
        assert_eq!([0, 4, 8].map(|at| doorbells.load_acquire(at)), [0x0100_0000, 0x0504_0302, 6].map(Some));
        assert!(doorbells.store_release(4, 0xaabb_ccdd));
        let mut bytes = [0; 7];
        assert!(doorbells.read(2, &mut bytes));
        assert_eq!(bytes, [0, 1, 0xdd, 0xcc, 0xbb, 0xaa, 6]);
    }

    #[test]
    fn nothing_lies_outside() {
        let doorbells = Doorbells::new();
        let size = doorbells.size();
        assert!(doorbells.write(size - 1, &[1]) && doorbells.read(size, &mut []));
        assert!(!doorbells.write(size - 1, &[1, 2]) && !doorbells.read(u64::MAX, &mut [0; 2]));
        assert_eq!((doorbells.load_acquire(size), doorbells.load_acquire(2)), (None, None));
        assert!(!doorbells.store_release(size, 1) && !doorbells.store_release(1, 1));
    }
}
