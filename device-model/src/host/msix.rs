//! MSI-X: the vector table and the pending bits of BAR4, and where vectors go.
//!
//! Where a vector goes is the bus's to say ([`offwire_hostif::PciFunction::set_interrupt`]), as VFIO_DEVICE_SET_IRQS does; address and
//! data of the table are kept and mean nothing here.

use std::sync::Arc;

use offwire_hostif::{BAR4_BYTES, Interrupt, MSIX_PBA, MSIX_TABLE, VECTORS};

use super::config::range;

/// Bytes of a table entry: address, data, vector control.
const ENTRY: usize = 16;
/// Offset of the vector control in an entry; bit 0 masks.
const CONTROL: usize = 12;

const TABLE: std::ops::Range<usize> = MSIX_TABLE as usize..MSIX_TABLE as usize + VECTORS as usize * ENTRY;

/// The vectors.
pub(crate) struct Msix {
    bar: Box<[u8; BAR4_BYTES as usize]>,
    targets: Vec<Option<Arc<dyn Interrupt>>>,
    /// Of the capability.
    enabled: bool,
    /// Of the capability: all vectors are masked.
    masked: bool,
}

impl Msix {
    pub(crate) fn new() -> Self {
        let mut msix = Msix {
            bar: Box::new([0; BAR4_BYTES as usize]),
            targets: vec![None; VECTORS as usize],
            enabled: false,
            masked: false,
        };
        msix.reset();
        msix
    }

    /// As after power on, targets apart: vectors with one are unmasked, as the bus restores them.
    pub(crate) fn reset(&mut self) {
        self.bar.fill(0);
        for vector in 0..VECTORS as usize {
            self.bar[entry(vector) + CONTROL] = self.targets[vector].is_none().into();
        }
        self.enabled = self.has_target();
        self.masked = false;
    }

    /// True if a vector goes somewhere.
    pub(crate) fn has_target(&self) -> bool {
        self.targets.iter().any(Option::is_some)
    }

    /// Sets where a vector goes, and masks or unmasks it accordingly. A vector that is not there is ignored.
    pub(crate) fn set_target(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        let vector = usize::from(vector);
        let Some(target) = self.targets.get_mut(vector) else { return };
        self.bar[entry(vector) + CONTROL] = to.is_none().into();
        *target = to;
        self.deliver();
    }

    /// Takes all targets away.
    pub(crate) fn disconnect(&mut self) {
        self.targets.fill(None);
        self.reset();
    }

    /// What the capability says.
    pub(crate) fn control(&mut self, (enabled, masked): (bool, bool)) {
        (self.enabled, self.masked) = (enabled, masked);
        self.deliver();
    }

    fn is_masked(&self, vector: usize) -> bool {
        self.masked || self.bar[entry(vector) + CONTROL] & 1 != 0
    }

    /// Signals a vector, or remembers that it is pending while it is masked. False if nobody can be told.
    pub(crate) fn raise(&mut self, vector: u32) -> bool {
        let vector = vector as usize;
        if !self.enabled || vector >= self.targets.len() {
            return false;
        }
        if self.is_masked(vector) {
            self.bar[MSIX_PBA as usize + vector / 8] |= 1 << (vector % 8);
            return true;
        }
        match &self.targets[vector] {
            Some(target) => {
                target.signal();
                true
            }
            None => false,
        }
    }

    /// Signals what is pending and no longer masked.
    fn deliver(&mut self) {
        if !self.enabled || self.masked {
            return;
        }
        for vector in 0..self.targets.len() {
            let (at, bit) = (MSIX_PBA as usize + vector / 8, 1 << (vector % 8));
            if self.bar[at] & bit != 0 && !self.is_masked(vector) {
                self.bar[at] &= !bit;
                self.raise(vector as u32);
            }
        }
    }

    /// Copies out of BAR4; false outside.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(from) = range(offset, bytes.len()).and_then(|range| self.bar.get(range)) else { return false };
        bytes.copy_from_slice(from);
        true
    }

    /// Writes to the table; what lies outside of it cannot be written. False outside BAR4.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let Some(range) = range(offset, bytes.len()) else { return false };
        if range.end > self.bar.len() {
            return false;
        }
        for (at, &byte) in range.zip(bytes).filter(|(at, _)| TABLE.contains(at)) {
            let mask = match at % ENTRY {
                0 => 0xfc,
                CONTROL => 1,
                at if at > CONTROL => 0,
                _ => 0xff,
            };
            self.bar[at] = byte & mask;
        }
        self.deliver();
        true
    }
}

fn entry(vector: usize) -> usize {
    MSIX_TABLE as usize + vector * ENTRY
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Interrupt for Count {
        fn signal(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn taken(count: &Count) -> u32 {
        count.0.swap(0, Ordering::Relaxed)
    }

    fn pending(msix: &Msix) -> u64 {
        let mut bits = [0; 8];
        assert!(msix.read(MSIX_PBA.into(), &mut bits));
        u64::from_le_bytes(bits)
    }

    #[test]
    fn masked_vectors_wait() {
        let mut msix = Msix::new();
        let count = Arc::new(Count::default());
        assert!(!msix.raise(35), "not enabled");
        msix.set_target(35, Some(count.clone()));
        msix.control((true, false));
        assert!(msix.raise(35));
        assert_eq!((taken(&count), pending(&msix)), (1, 0));
        for mask_all in [false, true] {
            if mask_all {
                msix.control((true, true))
            } else {
                assert!(msix.write(35 * 16 + 12, &[1, 0, 0, 0]))
            }
            assert!(msix.raise(35) && msix.raise(35));
            assert_eq!((taken(&count), pending(&msix)), (0, 1 << 35));
            if mask_all {
                msix.control((true, false))
            } else {
                assert!(msix.write(35 * 16 + 12, &[0]))
            }
            assert_eq!((taken(&count), pending(&msix)), (1, 0));
        }
        msix.set_target(35, None);
        assert!(msix.raise(35), "a vector without a target is masked");
        assert_eq!((taken(&count), pending(&msix)), (0, 1 << 35));
        assert!(!msix.raise(36) && !msix.raise(0xffff));
    }

    #[test]
    fn a_reset_leaves_the_targets() {
        let mut msix = Msix::new();
        let count = Arc::new(Count::default());
        msix.set_target(0, Some(count.clone()));
        msix.control((true, true));
        msix.raise(0);
        msix.reset();
        assert_eq!(pending(&msix), 0);
        assert!(msix.raise(0));
        assert_eq!(taken(&count), 1);
        msix.disconnect();
        msix.control((true, false));
        msix.raise(0);
        assert_eq!((taken(&count), Arc::strong_count(&count)), (0, 1));
    }

    #[test]
    fn the_table_keeps_what_it_can() {
        let mut msix = Msix::new();
        assert!(msix.write(0, &[0xff; BAR4_BYTES as usize]));
        let mut bar = [0; BAR4_BYTES as usize];
        assert!(msix.read(0, &mut bar));
        let entry = [0xfc, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0];
        assert!(bar[..36 * 16].chunks(16).all(|chunk| chunk == entry));
        assert!(bar[36 * 16..].iter().all(|&byte| byte == 0));
        assert!(!msix.write(BAR4_BYTES as u64 - 1, &[0; 2]) && !msix.read(u64::MAX, &mut [0; 2]));
    }
}
