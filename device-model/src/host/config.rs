//! Configuration space: a type 0 header, a PCI Express capability with function-level reset and an MSI-X capability (PCI Express
//! Base Specification 5.0, chapter 7).

use offwire_hostif::{
    BAR0_BYTES, BAR2_BYTES, BAR4_BYTES, MSIX_PBA, MSIX_TABLE, PCI_CLASS, PCI_DEVICE, PCI_VENDOR, VECTORS,
};

/// Bytes of the space; there are no extended capabilities.
pub(crate) const CONFIG_BYTES: usize = 4096;

const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const CLASS: usize = 0x08;
const CACHE_LINE: usize = 0x0c;
const BARS: usize = 0x10;
const SUBSYSTEM: usize = 0x2c;
const CAPABILITIES: usize = 0x34;
const INTERRUPT_LINE: usize = 0x3c;
/// Where the PCI Express capability starts.
const EXPRESS: usize = 0x40;
const DEVICE_CONTROL: usize = EXPRESS + 0x08;
/// Where the MSI-X capability starts.
const MSIX: usize = 0x80;
const MESSAGE_CONTROL: usize = MSIX + 0x02;

/// Bus Master Enable of the command register.
const BUS_MASTER: u16 = 1 << 2;
/// Memory Space Enable, Bus Master Enable, Interrupt Disable.
const COMMAND_MASK: u16 = 1 << 1 | BUS_MASTER | 1 << 10;
/// Function Level Reset Capability of the device capabilities.
const DEVCAP_FLR: u32 = 1 << 28;
/// Role-Based Error Reporting: each function of version 1.1 and later says it.
const DEVCAP_ROLE_BASED: u32 = 1 << 15;
/// Initiate Function Level Reset of the device control register, in its upper byte.
const DEVCTL_FLR: u8 = 1 << 7;
const MSIX_ENABLE: u16 = 1 << 15;
const MSIX_MASK_ALL: u16 = 1 << 14;
/// Base address register: 64 bits wide, prefetchable.
const BAR_64_PREFETCHABLE: u32 = 0xc;

/// What a write asked for beyond its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing, or what the registers now say.
    Nothing,
    /// A function-level reset.
    Reset,
}

/// The space, and which of its bits can be written.
pub(crate) struct ConfigSpace {
    bytes: Box<[u8; CONFIG_BYTES]>,
    mask: Box<[u8; CONFIG_BYTES]>,
}

impl ConfigSpace {
    /// As after power on.
    pub(crate) fn new() -> Self {
        let mut space = ConfigSpace { bytes: Box::new([0; CONFIG_BYTES]), mask: Box::new([0; CONFIG_BYTES]) };
        let id = PCI_VENDOR | PCI_DEVICE << 16;
        space.put(0, id, 0);
        // Status: there is a list of capabilities.
        space.put16(COMMAND, 0, COMMAND_MASK);
        space.put16(STATUS, 1 << 4, 0);
        space.put(CLASS, PCI_CLASS << 8, 0);
        space.put(CACHE_LINE, 0, 0xff);
        for (number, bytes, kind) in [(0, BAR0_BYTES, 0), (2, BAR2_BYTES, BAR_64_PREFETCHABLE), (4, BAR4_BYTES, 0)] {
            // The bits below the size read 0 whatever is written: that is how software finds the size.
            space.put(BARS + 4 * number, kind, !(bytes - 1));
        }
        space.put(BARS + 4 * 3, 0, u32::MAX);
        space.put(SUBSYSTEM, id, 0);
        space.put(CAPABILITIES, EXPRESS as u32, 0);
        space.put(INTERRUPT_LINE, 0, 0xff);

        // Capability 0x10, version 2, endpoint.
        space.put(EXPRESS, 0x10 | (MSIX as u32) << 8 | 2 << 16, 0);
        space.put(EXPRESS + 0x04, DEVCAP_FLR | DEVCAP_ROLE_BASED, 0);
        // Initiate FLR reads 0.
        space.put16(DEVICE_CONTROL, 0, 0x7fff);
        // Link: 2.5 GT/s, one lane; nobody trains it.
        space.put(EXPRESS + 0x0c, 0x11, 0);
        space.put16(EXPRESS + 0x10, 0, 0x0043);
        space.put16(EXPRESS + 0x12, 0x11, 0);
        // Completion Timeout Disable Supported, and its control.
        space.put(EXPRESS + 0x24, 1 << 4, 0);
        space.put16(EXPRESS + 0x28, 0, 1 << 4);

        space.put(MSIX, 0x11 | (VECTORS - 1) << 16, u32::from(MSIX_ENABLE | MSIX_MASK_ALL) << 16);
        space.put(MSIX + 0x04, MSIX_TABLE | 4, 0);
        space.put(MSIX + 0x08, MSIX_PBA | 4, 0);
        space
    }

    fn put(&mut self, at: usize, value: u32, mask: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self.mask[at..at + 4].copy_from_slice(&mask.to_le_bytes());
    }

    fn put16(&mut self, at: usize, value: u16, mask: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self.mask[at..at + 2].copy_from_slice(&mask.to_le_bytes());
    }

    fn get16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Copies out; false outside the space.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(from) = range(offset, bytes.len()).and_then(|range| self.bytes.get(range)) else { return false };
        bytes.copy_from_slice(from);
        true
    }

    /// Writes the bits that can be written; `None` outside the space.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Option<Asked> {
        let range = range(offset, bytes.len())?;
        let (there, masks) = (self.bytes.get_mut(range.clone())?, self.mask.get(range.clone())?);
        for ((byte, mask), new) in there.iter_mut().zip(masks).zip(bytes) {
            *byte = *byte & !mask | new & mask;
        }
        let control = (DEVICE_CONTROL + 1).checked_sub(range.start).and_then(|at| bytes.get(at));
        Some(if control.is_some_and(|byte| byte & DEVCTL_FLR != 0) { Asked::Reset } else { Asked::Nothing })
    }

    /// True if the function may use host memory.
    pub(crate) fn bus_master(&self) -> bool {
        self.get16(COMMAND) & BUS_MASTER != 0
    }

    /// MSI-X: enabled, all vectors masked.
    pub(crate) fn msix(&self) -> (bool, bool) {
        let control = self.get16(MESSAGE_CONTROL);
        (control & MSIX_ENABLE != 0, control & MSIX_MASK_ALL != 0)
    }

    /// Switches MSI-X on or off, as the bus does when vectors get targets.
    pub(crate) fn set_msix(&mut self, enable: bool) {
        let control = self.get16(MESSAGE_CONTROL) & !(MSIX_ENABLE | MSIX_MASK_ALL);
        let control = control | if enable { MSIX_ENABLE } else { 0 };
        self.bytes[MESSAGE_CONTROL..MESSAGE_CONTROL + 2].copy_from_slice(&control.to_le_bytes());
    }
}

/// The bytes of an access.
pub(crate) fn range(offset: u64, bytes: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read32(space: &ConfigSpace, at: u64) -> u32 {
        let mut bytes = [0; 4];
        assert!(space.read(at, &mut bytes));
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn sizes_come_back_from_base_registers() {
        let mut space = ConfigSpace::new();
        let sizes: Vec<u32> = (0..6)
            .map(|bar| {
                space.write(0x10 + 4 * bar, &[0xff; 4]).unwrap();
                read32(&space, 0x10 + 4 * bar)
            })
            .collect();
        assert_eq!(sizes, [0xffff_c000, 0, 0xfffe_000c, 0xffff_ffff, 0xffff_f000, 0]);
        space.write(0x18, &0x1234_5678u32.to_le_bytes()).unwrap();
        assert_eq!(read32(&space, 0x18), 0x1234_000c);
    }

    #[test]
    fn capabilities_are_a_list() {
        let space = ConfigSpace::new();
        assert_ne!(read32(&space, 4) >> 16 & 1 << 4, 0);
        let mut found = Vec::new();
        let mut at = read32(&space, 0x34) & 0xff;
        while at != 0 {
            let head = read32(&space, at.into());
            found.push(head & 0xff);
            at = head >> 8 & 0xff;
        }
        assert_eq!(found, [0x10, 0x11]);
        assert_ne!(read32(&space, 0x44) & 1 << 28, 0, "no function-level reset");
        assert_eq!(read32(&space, 0x80) >> 16 & 0x7ff, VECTORS - 1);
    }

    #[test]
    fn only_what_can_be_written_is() {
        let mut space = ConfigSpace::new();
        let before: Vec<u32> = (0..1024).map(|at| read32(&space, at * 4)).collect();
        for at in 0..CONFIG_BYTES as u64 {
            let asked = space.write(at, &[0xff]).unwrap();
            assert_eq!(asked == Asked::Reset, at == 0x49, "{at:#x}");
        }
        assert!(space.bus_master());
        assert_eq!(space.msix(), (true, true));
        let changed: Vec<u64> = (0..1024).filter(|&at| read32(&space, at * 4) != before[at as usize]).collect();
        let registers = [0x04, 0x0c, 0x10, 0x18, 0x1c, 0x20, 0x3c, 0x48, 0x50, 0x68, 0x80];
        assert_eq!(changed, registers.map(|at| at / 4));
        // A write from further ahead that reaches the bit.
        assert_eq!(space.write(0x46, &[0, 0, 0, 0x80]), Some(Asked::Reset));
        assert_eq!(space.write(0x4a, &[0xff; 4]), Some(Asked::Nothing));
    }

    #[test]
    fn nothing_lies_outside() {
        let mut space = ConfigSpace::new();
        assert!(!space.read(CONFIG_BYTES as u64 - 3, &mut [0; 4]));
        assert_eq!(space.write(CONFIG_BYTES as u64, &[0]), None);
        assert_eq!(space.write(u64::MAX, &[0; 2]), None);
    }
}
