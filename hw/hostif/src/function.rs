//! The one PCI function, as a bus sees it: regions, interrupts, DMA, reset.
//!
//! The software device and the Verilated one implement [`PciFunction`]; a vfio-user server or the driver's in-process transport
//! calls it. Nothing here knows of sockets, file descriptors or a model.

use std::sync::Arc;

/// Address that the device uses for host memory: what the IOMMU, or the function's own DMA table, translates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

impl Iova {
    /// The address `bytes` further on; `None` beyond 64 bits.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Iova(sum)),
            None => None,
        }
    }
}

/// Byte offset in a BAR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarOffset(pub u32);

/// A region of the function. Numbers are VFIO's (`VFIO_PCI_*_REGION_INDEX` of include/uapi/linux/vfio.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Region {
    /// Registers; each access reaches the device.
    Bar0 = 0,
    /// Doorbells; memory that the device looks at, and that may be mapped.
    Bar2 = 2,
    /// MSI-X table and pending bits.
    Bar4 = 4,
    /// Configuration space, 4 KiB.
    Config = 7,
}

impl Region {
    /// All regions that the function has.
    pub const ALL: [Region; 4] = [Region::Bar0, Region::Bar2, Region::Bar4, Region::Config];

    /// The region with VFIO's number.
    pub fn from_index(index: u32) -> Option<Self> {
        Region::ALL.into_iter().find(|&region| region as u32 == index)
    }
}

/// An access that the function does not have: outside the region, or of a size or alignment that it does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no access of {size} B at {offset:#x} of {region:?}")]
pub struct AccessError {
    /// Region.
    pub region: Region,
    /// Byte offset.
    pub offset: u64,
    /// Bytes.
    pub size: usize,
}

/// What the device may do with a range of host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DmaAccess {
    /// Read it only: what the host sends.
    Read,
    /// Write it only: what the host receives.
    Write,
    /// Both: rings.
    ReadWrite,
}

impl DmaAccess {
    /// True if the device may read.
    pub const fn reads(self) -> bool {
        !matches!(self, DmaAccess::Write)
    }

    /// True if the device may write.
    pub const fn writes(self) -> bool {
        !matches!(self, DmaAccess::Read)
    }
}

/// Why a range was not mapped or unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// No bytes, or the range leaves 64 bits or the memory behind it.
    #[error("there is no range of {size:#x} B at {iova:#x}")]
    Range {
        /// Start.
        iova: u64,
        /// Bytes.
        size: u64,
    },
    /// Some of it is mapped already.
    #[error("the range of {size:#x} B at {iova:#x} overlaps a mapped one")]
    Overlap {
        /// Start.
        iova: u64,
        /// Bytes.
        size: u64,
    },
    /// The range to unmap cuts a mapped one in two (VFIO type 1 v2 does not do that either).
    #[error("the range of {size:#x} B at {iova:#x} is a part of a mapped one")]
    Split {
        /// Start.
        iova: u64,
        /// Bytes.
        size: u64,
    },
    /// More mappings than the function holds.
    #[error("the function holds {0} mappings at the most")]
    TooMany(usize),
}

/// Memory that host and device share.
///
/// Both sides may write at any moment, so it is never a reference: bytes are copied in and out, and single aligned words are read
/// and written with order. Implementors check bounds; an access outside the memory, or an unaligned word, returns `false` or
/// `None` and does nothing.
pub trait HostMemory: Send + Sync {
    /// Bytes.
    fn size(&self) -> u64;

    /// Copies bytes out. A concurrent writer may tear what is read.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool;

    /// Copies bytes in.
    fn write(&self, offset: u64, bytes: &[u8]) -> bool;

    /// Reads a 32-bit little-endian word; what its writer wrote before is seen by what follows (Acquire).
    fn load_acquire(&self, offset: u64) -> Option<u32>;

    /// Writes a 32-bit little-endian word; who reads it sees what was written before (Release).
    fn store_release(&self, offset: u64, value: u32) -> bool;
}

/// Where an MSI-X vector goes: an eventfd, a condition variable.
pub trait Interrupt: Send + Sync {
    /// Tells the host. Never blocks; signals may merge.
    fn signal(&self);
}

/// The function.
///
/// Legal order: anything at any time; this is what a hostile driver does. Every call is bounded in time. No call waits for packets.
pub trait PciFunction: Send {
    /// Bytes of a region.
    fn region_size(&self, region: Region) -> u64;

    /// Memory behind a region that a driver may map instead of reading and writing it through this trait (BAR2 only).
    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>>;

    /// Reads from a region. BAR0 takes aligned accesses of 4 or 8 B, the others any.
    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError>;

    /// Writes to a region; as [`PciFunction::read`]. A doorbell or a command only marks work to do, [`PciFunction::poll`] does it.
    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError>;

    /// MSI-X vectors.
    fn vectors(&self) -> u16;

    /// Sets where a vector goes; `None`: nowhere. A vector that the function does not have is ignored.
    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>);

    /// Lets the device use `size` bytes of `memory` from `offset` on as `iova` ...
    fn dma_map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError>;

    /// Takes all mappings inside the range away and returns how many bytes they had; 0 if there were none. When it returns, the
    /// device does not touch the memory any more.
    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError>;

    /// The host went away: all mappings and interrupts are gone, rings stop. Programs, maps and attachments stay for the next one.
    fn disconnect(&mut self);

    /// Function-level reset: all is as after power on, the reset count apart. Mappings and interrupt targets belong to the bus and stay.
    fn reset(&mut self);

    /// Does a bounded share of what there is to do: doorbells, commands, packets, events. Returns true if something was done, so
    /// that who calls it in a loop knows when to stop or to sleep.
    fn poll(&mut self) -> bool;
}
