//! A function of the machine's PCI bus, through the kernel's VFIO.
//!
//! `vfio-ioctls` opens container, group and device; what it does not do, or does without telling of errors, is in [`ioctl`].

use super::caps::{capabilities, pairs};
use super::{IovaRange, Transport, mappable, vectors_exist};
use crate::bus::{self, Bdf, Root};
use crate::error::Error;
use iommu::{Iommu, Limits};
use offwire_hostif::{AccessError, DmaAccess, HostMemory, Iova, Region};
use offwire_hostmem::{DeviceMemory, EventFd, SharedMemory};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_RESET, VFIO_REGION_INFO_CAP_SPARSE_MMAP, VFIO_REGION_INFO_FLAG_CAPS, VFIO_REGION_INFO_FLAG_MMAP,
};
use vfio_ioctls::{VfioContainer, VfioDevice, VfioOps};

mod diagnose;
mod ioctl;
mod iommu;
#[cfg(feature = "iommufd")]
mod iommufd;

pub use diagnose::{Obstacle, diagnose};

/// A region of the device file.
#[derive(Clone, Copy, Debug)]
struct RegionInfo {
    size: u64,
    /// Where it starts in the file.
    offset: u64,
    /// The whole of it can be mapped.
    mappable: bool,
}

/// The way to a function of the bus.
pub struct Vfio {
    opened: Arc<Opened>,
    bdf: Bdf,
    regions: [RegionInfo; Region::ALL.len()],
    vectors: u16,
    resettable: bool,
    limits: Limits,
    /// Where the vectors go; none of them is enabled if all go nowhere.
    targets: Mutex<Vec<Option<Arc<EventFd>>>>,
}

/// The device and its address space. Closing them ends bus mastering, interrupts and all mappings.
struct Opened {
    /// First to go.
    device: Device,
    iommu: Iommu,
}

enum Device {
    Group(GroupDevice),
    #[cfg(feature = "iommufd")]
    Node(std::fs::File),
}

impl Opened {
    fn fd(&self) -> BorrowedFd<'_> {
        match &self.device {
            // SAFETY: the descriptor is open as long as the device lives.
            Device::Group(device) => unsafe { BorrowedFd::borrow_raw(device.device.as_raw_fd()) },
            #[cfg(feature = "iommufd")]
            Device::Node(file) => file.as_fd(),
        }
    }
}

/// A device of `vfio-ioctls`, which asks sysfs for its group when it is dropped and panics if that is no longer there.
struct GroupDevice {
    device: ManuallyDrop<VfioDevice>,
    folder: PathBuf,
}

impl Drop for GroupDevice {
    fn drop(&mut self) {
        // A card that was pulled out: the kernel cleans up when the process ends.
        if bus::link(&self.folder.join("iommu_group")).is_none() {
            return;
        }
        // SAFETY: dropped here only, and never used again. It may still vanish between the two, hence the net.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut self.device) }));
    }
}

impl Vfio {
    /// Opens the function by its group. If that fails, the error says what is in the way.
    pub fn open(bdf: Bdf) -> Result<Self, Error> {
        Self::explain(bdf, Self::open_group(bdf))
    }

    /// Opens the function by its own node and /dev/iommu.
    #[cfg(feature = "iommufd")]
    pub fn open_node(bdf: Bdf) -> Result<Self, Error> {
        let opened = iommufd::open(&Root::system(), bdf)
            .map(|(file, space)| Opened { device: Device::Node(file), iommu: Iommu::Iommufd(space) });
        Self::explain(bdf, opened.and_then(|opened| Self::with(bdf, opened)))
    }

    fn explain(bdf: Bdf, opened: Result<Self, Error>) -> Result<Self, Error> {
        opened.map_err(|source| Error::Unprepared {
            device: bdf.to_string(),
            obstacles: diagnose(&Root::system(), bdf),
            source: Box::new(source),
        })
    }

    fn open_group(bdf: Bdf) -> Result<Self, Error> {
        let failed = |error| Error::System { call: "open by VFIO".into(), source: io::Error::other(error) };
        let folder = Root::system().function(bdf);
        let container = Arc::new(VfioContainer::new(None).map_err(failed)?);
        let device = VfioDevice::new(&folder, Arc::clone(&container) as Arc<dyn VfioOps>, false).map_err(failed)?;
        let device = Device::Group(GroupDevice { device: ManuallyDrop::new(device), folder });
        Self::with(bdf, Opened { device, iommu: Iommu::Container(container) })
    }

    fn with(bdf: Bdf, opened: Opened) -> Result<Self, Error> {
        let info = ioctl::device_info(opened.fd())?;
        let [bar0, bar2, bar4, config] = Region::ALL;
        let region = |region| region_info(opened.fd(), region);
        let regions = [region(bar0)?, region(bar2)?, region(bar4)?, region(config)?];
        let vectors = ioctl::vectors(opened.fd())?;
        let reserved = Root::system().function(bdf).join("iommu_group/reserved_regions");
        let reserved = iommu::reserved(&bus::read(&reserved).unwrap_or_default());
        let limits = opened.iommu.limits(&reserved)?;
        let resettable = info.flags & VFIO_DEVICE_FLAGS_RESET != 0;
        let targets = Mutex::new(vec![None; usize::from(vectors)]);
        Ok(Vfio { opened: Arc::new(opened), bdf, regions, vectors, resettable, limits, targets })
    }

    fn region(&self, region: Region) -> &RegionInfo {
        let [bar0, bar2, bar4, config] = &self.regions;
        match region {
            Region::Bar0 => bar0,
            Region::Bar2 => bar2,
            Region::Bar4 => bar4,
            Region::Config => config,
        }
    }

    /// Where an access lies in the device file.
    fn place(&self, region: Region, offset: u64, size: usize) -> Result<libc::off_t, AccessError> {
        let refused = AccessError { region, offset, size };
        let info = self.region(region);
        let end = u64::try_from(size).ok().and_then(|size| offset.checked_add(size)).ok_or(refused)?;
        if end > info.size {
            return Err(refused);
        }
        info.offset.checked_add(offset).and_then(|at| libc::off_t::try_from(at).ok()).ok_or(refused)
    }

    /// What a `pread` or `pwrite` means.
    fn moved(moved: isize, region: Region, offset: u64, size: usize) -> Result<(), Error> {
        if usize::try_from(moved) == Ok(size) {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if moved < 0 && matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EIO)) => {
                Err(Error::Gone(format!("the bus answers: {error}").into()))
            }
            _ => Err(AccessError { region, offset, size }.into()),
        }
    }
}

fn region_info(device: BorrowedFd<'_>, region: Region) -> Result<RegionInfo, Error> {
    let (info, answer) = ioctl::region_info(device, region as u32)?;
    let wrong = |what: &'static str| Error::Bus(format!("VFIO_DEVICE_GET_REGION_INFO: {what}"));
    let mut whole = info.flags & VFIO_REGION_INFO_FLAG_MMAP != 0 && info.size != 0;
    if info.flags & VFIO_REGION_INFO_FLAG_CAPS != 0 {
        for capability in capabilities(&answer, info.cap_offset).map_err(wrong)? {
            if u32::from(capability.id) == VFIO_REGION_INFO_CAP_SPARSE_MMAP {
                whole &= pairs(capability.body, 64).map_err(wrong)? == [(0, info.size)];
            }
        }
    }
    Ok(RegionInfo { size: info.size, offset: info.offset, mappable: whole })
}

/// A mapped BAR; it keeps the device open.
struct Bar {
    /// First to go: a mapping keeps the group busy.
    memory: DeviceMemory,
    _device: Arc<Opened>,
}

impl HostMemory for Bar {
    fn size(&self) -> u64 {
        self.memory.size()
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        self.memory.read(offset, bytes)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        self.memory.write(offset, bytes)
    }

    fn load_acquire(&self, offset: u64) -> Option<u32> {
        self.memory.load_acquire(offset)
    }

    fn store_release(&self, offset: u64, value: u32) -> bool {
        self.memory.store_release(offset, value)
    }
}

impl fmt::Debug for Vfio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vfio").field("bdf", &self.bdf).field("limits", &self.limits).finish()
    }
}

impl Transport for Vfio {
    fn describe(&self) -> String {
        format!("vfio:{}", self.bdf)
    }

    fn region_size(&self, region: Region) -> u64 {
        self.region(region).size
    }

    fn read(&self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let place = self.place(region, offset, bytes.len())?;
        // SAFETY: as many bytes of our own are filled.
        let moved = unsafe { libc::pread(self.opened.fd().as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), place) };
        Self::moved(moved, region, offset, bytes.len())
    }

    fn write(&self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let place = self.place(region, offset, bytes.len())?;
        // SAFETY: as many bytes of our own are read.
        let moved = unsafe { libc::pwrite(self.opened.fd().as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), place) };
        Self::moved(moved, region, offset, bytes.len())
    }

    fn map_region(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        let info = self.region(region);
        if region != Region::Bar2 || !info.mappable {
            return None;
        }
        let memory = DeviceMemory::new(self.opened.fd(), info.offset, info.size).ok()?;
        Some(Arc::new(Bar { memory, _device: Arc::clone(&self.opened) }))
    }

    fn vectors(&self) -> u16 {
        self.vectors
    }

    fn set_interrupts(&self, first: u16, to: &[Option<Arc<EventFd>>]) -> Result<(), Error> {
        vectors_exist(first, to.len(), self.vectors)?;
        let gone = |_| Error::Gone("a thread panicked while it set interrupts".into());
        let mut targets = self.targets.lock().map_err(gone)?;
        let mut wanted = targets.clone();
        for (target, event) in wanted.iter_mut().skip(usize::from(first)).zip(to) {
            target.clone_from(event);
        }
        let fd = |event: &Option<Arc<EventFd>>| event.as_ref().map_or(-1, |event| event.as_fd().as_raw_fd());
        let enabled = targets.iter().any(Option::is_some);
        if wanted.iter().all(Option::is_none) {
            if enabled {
                ioctl::disable_vectors(self.opened.fd())?;
            }
        } else if enabled {
            ioctl::set_vectors(self.opened.fd(), first, &to.iter().map(fd).collect::<Vec<_>>())?;
        } else {
            // Enabling gives the device as many vectors as are named; all at once, as old kernels cannot add any later.
            ioctl::set_vectors(self.opened.fd(), 0, &wanted.iter().map(fd).collect::<Vec<_>>())?;
        }
        *targets = wanted;
        Ok(())
    }

    fn dma_map(
        &self,
        iova: Iova,
        memory: &Arc<SharedMemory>,
        offset: u64,
        size: u64,
        access: DmaAccess,
    ) -> Result<(), Error> {
        mappable(iova, memory, offset, size, self.limits.page)?;
        let start =
            usize::try_from(offset).map_or(std::ptr::null_mut(), |offset| memory.address().wrapping_add(offset));
        // SAFETY: the range lies in the memory, which no reference covers. The kernel pins its pages, so that they stay the device's
        // even if the memory is dropped before the mapping.
        unsafe { self.opened.iommu.map(iova.0, start, size, access) }
    }

    fn dma_unmap(&self, iova: Iova, size: u64) -> Result<(), Error> {
        match self.opened.iommu.unmap(iova.0, size)? {
            unmapped if unmapped == size => Ok(()),
            unmapped => Err(Error::Unmapped { iova: iova.0, size, unmapped }),
        }
    }

    fn dma_page(&self) -> u64 {
        self.limits.page
    }

    fn iova_ranges(&self) -> Vec<IovaRange> {
        self.limits.ranges.clone()
    }

    fn reset(&self) -> Result<(), Error> {
        if !self.resettable {
            return Err(Error::Refused { what: "a reset", source: io::Error::from_raw_os_error(libc::ENOTTY) });
        }
        ioctl::reset(self.opened.fd())
    }

    fn kick(&self) -> Result<(), Error> {
        Ok(())
    }

    fn alive(&self) -> Result<(), Error> {
        let mut vendor = [0; 2];
        self.read(Region::Config, 0, &mut vendor)?;
        if vendor == [0xff; 2] {
            return Err(Error::Gone("the bus reads all ones".into()));
        }
        Ok(())
    }
}
