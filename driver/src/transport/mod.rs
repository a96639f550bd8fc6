//! One device, three ways in.
//!
//! A [`Transport`] is what all of them can do: regions, interrupts, DMA, reset. [`InProcess`] calls a
//! [`offwire_hostif::PciFunction`] of the same process, [`VfioUser`] one behind a Unix socket, [`vfio::Vfio`] a function of the
//! machine's PCI bus. Everything above, rings and commands, is written once.

use crate::error::Error;
use offwire_hostif::{DmaAccess, HostMemory, Iova, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use std::fmt;
use std::sync::Arc;

mod caps;
mod in_process;
pub mod vfio;
mod vfio_user;

pub use in_process::InProcess;
pub use vfio_user::{VfioUser, VfioUserOptions};

/// Device addresses from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IovaRange {
    /// First address.
    pub first: Iova,
    /// Last address.
    pub last: Iova,
}

/// A way to the device.
///
/// Legal order: anything at any time, from any thread; calls of one transport may wait for each other. When the transport is
/// dropped the device forgets mappings and interrupts and stops its rings; programs, maps and attachments stay.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Which device it is, for people: `vfio-user:/run/offwire.sock`.
    fn describe(&self) -> String;

    /// Bytes of a region; 0 if there is none.
    fn region_size(&self, region: Region) -> u64;

    /// Reads from a region. An access that the device does not have is [`Error::Access`].
    fn read(&self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), Error>;

    /// Writes to a region. On a real bus the write may still be on its way when the call returns; reading something back makes
    /// sure.
    fn write(&self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), Error>;

    /// The region as memory, if it can be had as such; its size is the region's. BAR2 only.
    fn map_region(&self, region: Region) -> Option<Arc<dyn HostMemory>>;

    /// MSI-X vectors.
    fn vectors(&self) -> u16;

    /// Sets where the vectors from `first` on go; `None`: nowhere.
    fn set_interrupts(&self, first: u16, to: &[Option<Arc<EventFd>>]) -> Result<(), Error>;

    /// Lets the device use `size` bytes of the memory from `offset` on as `iova` ... All three are multiples of
    /// [`Transport::dma_page`].
    fn dma_map(
        &self,
        iova: Iova,
        memory: &Arc<SharedMemory>,
        offset: u64,
        size: u64,
        access: DmaAccess,
    ) -> Result<(), Error>;

    /// Takes the mappings of the range away. When it returns, the device does not use the memory any more. If not all of the range
    /// was mapped, the error is [`Error::Unmapped`].
    fn dma_unmap(&self, iova: Iova, size: u64) -> Result<(), Error>;

    /// Bytes of the smallest page that can be mapped.
    fn dma_page(&self) -> u64;

    /// Addresses that may be mapped, in order: what the IOMMU has, less what is reserved.
    fn iova_ranges(&self) -> Vec<IovaRange>;

    /// Function-level reset. Mappings and interrupts stay.
    fn reset(&self) -> Result<(), Error>;

    /// Lets the device do what there is to do: runs it until it rests in process, does nothing otherwise. To be called after a
    /// doorbell.
    fn kick(&self) -> Result<(), Error>;

    /// Fails with [`Error::Gone`] if the device is known to be gone.
    fn alive(&self) -> Result<(), Error>;

    /// Reads a little-endian word of 32 bits.
    fn read_u32(&self, region: Region, offset: u64) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.read(region, offset, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads a little-endian word of 64 bits in one access.
    fn read_u64(&self, region: Region, offset: u64) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.read(region, offset, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes a little-endian word of 32 bits.
    fn write_u32(&self, region: Region, offset: u64, value: u32) -> Result<(), Error> {
        self.write(region, offset, &value.to_le_bytes())
    }

    /// Writes a little-endian word of 64 bits in one access.
    fn write_u64(&self, region: Region, offset: u64, value: u64) -> Result<(), Error> {
        self.write(region, offset, &value.to_le_bytes())
    }
}

/// Page of a device without an IOMMU: the function's own DMA table.
const PAGE: u64 = 4096;

/// Addresses of a device without an IOMMU: those that every x86 IOMMU with 48-bit tables has, so that layouts are alike. The
/// first page, where a forgotten address points, and the window of message-signalled interrupts are left out.
fn ordinary_ranges() -> Vec<IovaRange> {
    vec![
        IovaRange { first: Iova(PAGE), last: Iova(0xfedf_ffff) },
        IovaRange { first: Iova(0xfef0_0000), last: Iova((1 << 47) - 1) },
    ]
}

/// Checks a range that is to be mapped.
fn mappable(iova: Iova, memory: &SharedMemory, offset: u64, size: u64, page: u64) -> Result<(), Error> {
    let fits = offset.checked_add(size).is_some_and(|end| end <= memory.size())
        && iova.0.checked_add(size.saturating_sub(1)).is_some();
    if size == 0 || !fits || [iova.0, offset, size].iter().any(|value| !value.is_multiple_of(page)) {
        return Err(Error::Unmappable { iova: iova.0, offset, size, memory: memory.size(), page });
    }
    Ok(())
}

/// Checks vectors that are to be set.
fn vectors_exist(first: u16, count: usize, has: u16) -> Result<(), Error> {
    if usize::from(first) + count > usize::from(has) {
        return Err(Error::Vectors { first, count, has });
    }
    Ok(())
}
