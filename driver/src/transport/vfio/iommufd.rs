//! VFIO by /dev/iommu: the device has a node of its own, and address spaces are objects of another file. Linux 6.6 and newer.
//!
//! `vfio-ioctls` does this only with KVM, so that the two ioctls of the device are made here; `iommufd-ioctls` does the rest.

use super::ioctl;
use super::iommu::Limits;
use crate::bus::{Bdf, Root};
use crate::error::Error;
use crate::transport::IovaRange;
use iommufd_bindings::iommufd::{
    iommu_ioas_iova_ranges, iommu_ioas_map, iommu_ioas_unmap, iommu_iova_range,
    iommufd_ioas_map_flags_IOMMU_IOAS_MAP_FIXED_IOVA, iommufd_ioas_map_flags_IOMMU_IOAS_MAP_READABLE,
    iommufd_ioas_map_flags_IOMMU_IOAS_MAP_WRITEABLE,
};
use iommufd_ioctls::{IommuFd, IommufdIoas};
use offwire_hostif::{DmaAccess, Iova};
use std::fs::{self, File};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use vfio_bindings::bindings::vfio::{vfio_device_attach_iommufd_pt, vfio_device_bind_iommufd};

/// `_IO(';', 100 + 18)` and `+ 19` of include/uapi/linux/vfio.h, `_IO(';', 0x84)` of include/uapi/linux/iommufd.h.
const DEVICE_BIND_IOMMUFD: libc::Ioctl = 0x3b76;
const DEVICE_ATTACH_IOMMUFD_PT: libc::Ioctl = 0x3b77;
const IOAS_IOVA_RANGES: libc::Ioctl = 0x3b84;
/// Ranges that are asked for.
const MOST_RANGES: usize = 256;

/// An I/O address space.
pub(super) struct Space {
    ioas: IommufdIoas,
    iommufd: Arc<IommuFd>,
}

fn failed(call: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::System { call: call.into(), source: std::io::Error::other(error) }
}

/// Opens the device's node and attaches it to a new address space.
pub(super) fn open(root: &Root, bdf: Bdf) -> Result<(File, Space), Error> {
    let folder = root.function(bdf).join("vfio-dev");
    let name = fs::read_dir(&folder).ok().and_then(|mut entries| entries.next()?.ok()?.file_name().into_string().ok());
    let Some(name) = name else {
        return Err(Error::Bus(format!(
            "{bdf} has no node of its own; the kernel lacks VFIO_DEVICE_CDEV, or vfio-pci does not have it"
        )));
    };
    let path = root.path("dev/vfio/devices").join(name);
    let device = File::options().read(true).write(true).open(&path);
    let device = device.map_err(|source| Error::System { call: format!("open {}", path.display()).into(), source })?;
    let iommufd = Arc::new(IommuFd::new().map_err(|error| failed("open /dev/iommu", error))?);
    let mut bind = vfio_device_bind_iommufd {
        argsz: size_of::<vfio_device_bind_iommufd>() as u32,
        iommufd: iommufd.as_raw_fd(),
        ..Default::default()
    };
    // SAFETY: the structure of this request.
    unsafe { ioctl::call(device.as_fd(), DEVICE_BIND_IOMMUFD, &raw mut bind, "VFIO_DEVICE_BIND_IOMMUFD")? };
    let ioas = IommufdIoas::new(Arc::clone(&iommufd)).map_err(|error| failed("IOMMU_IOAS_ALLOC", error))?;
    let mut attach = vfio_device_attach_iommufd_pt {
        argsz: size_of::<vfio_device_attach_iommufd_pt>() as u32,
        pt_id: ioas.id(),
        ..Default::default()
    };
    // SAFETY: the structure of this request.
    unsafe { ioctl::call(device.as_fd(), DEVICE_ATTACH_IOMMUFD_PT, &raw mut attach, "VFIO_DEVICE_ATTACH_IOMMUFD_PT")? };
    Ok((device, Space { ioas, iommufd }))
}

impl Space {
    pub(super) fn limits(&self) -> Result<Limits, Error> {
        let mut ranges = vec![iommu_iova_range::default(); MOST_RANGES];
        let mut question = iommu_ioas_iova_ranges {
            size: size_of::<iommu_ioas_iova_ranges>() as u32,
            ioas_id: self.ioas.id(),
            num_iovas: MOST_RANGES as u32,
            allowed_iovas: ranges.as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: the descriptor is open as long as the value lives.
        let fd = unsafe { BorrowedFd::borrow_raw(self.iommufd.as_raw_fd()) };
        // SAFETY: the structure of this request; its pointer and count are those of `ranges`, which outlives the call.
        unsafe { ioctl::call(fd, IOAS_IOVA_RANGES, &raw mut question, "IOMMU_IOAS_IOVA_RANGES")? };
        ranges.truncate(question.num_iovas as usize);
        let range = |range: &iommu_iova_range| IovaRange { first: Iova(range.start), last: Iova(range.last) };
        Ok(Limits { ranges: ranges.iter().map(range).collect(), page: question.out_iova_alignment.max(1) })
    }

    /// # Safety
    /// As [`super::iommu::Iommu::map`].
    pub(super) unsafe fn map(&self, iova: u64, address: *mut u8, size: u64, access: DmaAccess) -> Result<(), Error> {
        let read = if access.reads() { iommufd_ioas_map_flags_IOMMU_IOAS_MAP_READABLE } else { 0 };
        let write = if access.writes() { iommufd_ioas_map_flags_IOMMU_IOAS_MAP_WRITEABLE } else { 0 };
        let map = iommu_ioas_map {
            size: size_of::<iommu_ioas_map>() as u32,
            flags: iommufd_ioas_map_flags_IOMMU_IOAS_MAP_FIXED_IOVA | read | write,
            ioas_id: self.ioas.id(),
            __reserved: 0,
            user_va: address as u64,
            length: size,
            iova,
        };
        self.iommufd.map_iommu_ioas(&map).map_err(|error| failed("IOMMU_IOAS_MAP", error))
    }

    pub(super) fn unmap(&self, iova: u64, size: u64) -> Result<u64, Error> {
        let mut unmap = iommu_ioas_unmap {
            size: size_of::<iommu_ioas_unmap>() as u32,
            ioas_id: self.ioas.id(),
            iova,
            length: size,
        };
        self.iommufd.unmap_iommu_ioas(&mut unmap).map_err(|error| failed("IOMMU_IOAS_UNMAP", error))?;
        Ok(unmap.length)
    }
}
