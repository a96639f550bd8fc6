//! The IOMMU: what it can map, and mapping.

use super::ioctl;
use crate::error::Error;
use crate::transport::caps::{capabilities, pairs, u32_at, u64_at};
use crate::transport::{IovaRange, PAGE, ordinary_ranges};
use offwire_hostif::{DmaAccess, Iova};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use vfio_bindings::bindings::vfio::{
    VFIO_IOMMU_INFO_CAPS, VFIO_IOMMU_INFO_PGSIZES, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
};
use vfio_ioctls::VfioContainer;

/// Most ranges of addresses that we read.
const MOST_RANGES: usize = 1024;

/// Address space of a device.
pub(super) enum Iommu {
    /// A container (type 1, version 2).
    Container(Arc<VfioContainer>),
    /// An I/O address space of /dev/iommu.
    #[cfg(feature = "iommufd")]
    Iommufd(super::iommufd::Space),
}

/// What can be mapped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) ranges: Vec<IovaRange>,
    pub(super) page: u64,
}

impl Iommu {
    /// What can be mapped; `reserved` are ranges that cannot, in case that the kernel does not say it here.
    pub(super) fn limits(&self, reserved: &[IovaRange]) -> Result<Limits, Error> {
        match self {
            Iommu::Container(container) => limits(&ioctl::iommu_info(fd(container))?, reserved),
            #[cfg(feature = "iommufd")]
            Iommu::Iommufd(space) => space.limits(),
        }
    }

    /// Maps memory of this process.
    ///
    /// # Safety
    /// Until it is unmapped again, `size` bytes at `address` stay mapped, and no reference covers them.
    pub(super) unsafe fn map(&self, iova: u64, address: *mut u8, size: u64, access: DmaAccess) -> Result<(), Error> {
        match self {
            // SAFETY: as asked of the caller.
            Iommu::Container(container) => unsafe { ioctl::map(fd(container), iova, address, size, access) },
            #[cfg(feature = "iommufd")]
            // SAFETY: as asked of the caller.
            Iommu::Iommufd(space) => unsafe { space.map(iova, address, size, access) },
        }
    }

    /// Unmaps and returns how many bytes were mapped.
    pub(super) fn unmap(&self, iova: u64, size: u64) -> Result<u64, Error> {
        match self {
            Iommu::Container(container) => ioctl::unmap(fd(container), iova, size),
            #[cfg(feature = "iommufd")]
            Iommu::Iommufd(space) => space.unmap(iova, size),
        }
    }
}

fn fd(container: &VfioContainer) -> BorrowedFd<'_> {
    // SAFETY: the descriptor is open as long as the container lives.
    unsafe { BorrowedFd::borrow_raw(container.as_raw_fd()) }
}

/// Reads `struct vfio_iommu_type1_info` and its capabilities.
fn limits(info: &[u8], reserved: &[IovaRange]) -> Result<Limits, Error> {
    let wrong = |what: &'static str| Error::Bus(format!("VFIO_IOMMU_GET_INFO: {what}"));
    let flags = u32_at(info, 4).unwrap_or(0);
    let sizes = u64_at(info, 8).filter(|&sizes| flags & VFIO_IOMMU_INFO_PGSIZES != 0 && sizes != 0);
    let mut limits = Limits { ranges: Vec::new(), page: sizes.map_or(PAGE, |sizes| sizes & sizes.wrapping_neg()) };
    if flags & VFIO_IOMMU_INFO_CAPS != 0 {
        for capability in capabilities(info, u32_at(info, 16).unwrap_or(0)).map_err(wrong)? {
            if u32::from(capability.id) == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE {
                let ranges = pairs(capability.body, MOST_RANGES).map_err(wrong)?;
                limits.ranges.extend(ranges.into_iter().map(range));
            }
        }
    }
    if limits.ranges.is_empty() {
        // Kernels before 5.4.
        limits.ranges = without(ordinary_ranges(), reserved);
    }
    Ok(limits)
}

fn range((first, last): (u64, u64)) -> IovaRange {
    IovaRange { first: Iova(first), last: Iova(last) }
}

/// What is left of ranges if others are taken out.
pub(super) fn without(ranges: Vec<IovaRange>, reserved: &[IovaRange]) -> Vec<IovaRange> {
    reserved.iter().fold(ranges, |ranges, hole| {
        let mut left = Vec::new();
        for part in ranges {
            if hole.last < part.first || hole.first > part.last {
                left.push(part);
                continue;
            }
            if part.first < hole.first {
                left.push(range((part.first.0, hole.first.0 - 1)));
            }
            if hole.last < part.last {
                left.push(range((hole.last.0 + 1, part.last.0)));
            }
        }
        left
    })
}

/// Reads `reserved_regions` of a group: first address, last address, sort, a line each. Regions that the kernel maps itself one
/// to one (`direct-relaxable`) may be used.
pub(super) fn reserved(text: &str) -> Vec<IovaRange> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (first, last) = (number(words.next()?)?, number(words.next()?)?);
            (first <= last && words.next() != Some("direct-relaxable")).then(|| range((first, last)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel with VT-d answers: pages of 4 KiB, 2 MiB and 1 GiB, two ranges around the interrupt window.
    fn answer() -> Vec<u8> {
        let mut info = Vec::new();
        for word in [72u32, 3] {
            info.extend(word.to_le_bytes());
        }
        info.extend(0x4020_1000u64.to_le_bytes());
        for word in [24u32, 0] {
            info.extend(word.to_le_bytes());
        }
        info.extend([1, 0, 1, 0, 0, 0, 0, 0]);
        info.extend([2, 0, 0, 0, 0, 0, 0, 0]);
        for word in [0u64, 0xfedf_ffff, 0xfef0_0000, (1 << 39) - 1] {
            info.extend(word.to_le_bytes());
        }
        info
    }

    #[test]
    fn ranges_and_page_come_from_the_kernel() {
        let found = limits(&answer(), &[]).expect("a good answer");
        assert_eq!(found.page, 4096);
        assert_eq!(found.ranges, [range((0, 0xfedf_ffff)), range((0xfef0_0000, (1 << 39) - 1))]);
        let mut wrong = answer();
        wrong[32] = 3;
        assert!(limits(&wrong, &[]).is_err(), "three ranges where two are");
        wrong = answer();
        wrong[28] = 24;
        assert!(limits(&wrong, &[]).is_err(), "a capability that points to itself");
    }

    #[test]
    fn old_kernels_say_it_in_sysfs() {
        let text = "0x0000000000000000 0x0000000000ffffff direct-relaxable\n0x00000000fee00000 0x00000000feefffff msi\n\
                    0x0000002000000000 0x0000002000000fff reserved\nnonsense\n0x2 0x1 reserved\n";
        let holes = reserved(text);
        assert_eq!(holes, [range((0xfee0_0000, 0xfeef_ffff)), range((0x20_0000_0000, 0x20_0000_0fff))]);
        let mut info = vec![0; 24];
        info[0] = 24;
        let found = limits(&info, &holes).expect("a good answer");
        assert_eq!(
            found.ranges,
            [range((PAGE, 0xfedf_ffff)), range((0xfef0_0000, 0x1f_ffff_ffff)), range((0x20_0000_1000, (1 << 47) - 1))]
        );
    }

    #[test]
    fn holes_at_the_ends_leave_no_empty_range() {
        let all = vec![range((0, u64::MAX))];
        assert_eq!(without(all.clone(), &[range((0, 9))]), [range((10, u64::MAX))]);
        assert_eq!(without(all.clone(), &[range((9, u64::MAX))]), [range((0, 8))]);
        assert_eq!(without(all, &[range((0, u64::MAX))]), []);
    }
}
