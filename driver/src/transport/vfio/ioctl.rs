//! VFIO's ioctls that we make ourselves: where `vfio-ioctls` drops errors, has no flags, or no call at all.
//!
//! Numbers and structures: include/uapi/linux/vfio.h, `_IO(';', 100 + n)`.

use crate::error::Error;
use offwire_hostif::DmaAccess;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use vfio_bindings::bindings::vfio::{
    VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_IRQ_SET_DATA_NONE, VFIO_PCI_MSIX_IRQ_INDEX, vfio_device_info, vfio_iommu_type1_dma_map,
    vfio_iommu_type1_dma_unmap, vfio_irq_info, vfio_region_info,
};

const fn number(n: libc::Ioctl) -> libc::Ioctl {
    (';' as libc::Ioctl) << 8 | (100 + n)
}

const DEVICE_GET_INFO: libc::Ioctl = number(7);
const DEVICE_GET_REGION_INFO: libc::Ioctl = number(8);
const DEVICE_GET_IRQ_INFO: libc::Ioctl = number(9);
const DEVICE_SET_IRQS: libc::Ioctl = number(10);
const DEVICE_RESET: libc::Ioctl = number(11);
const IOMMU_GET_INFO: libc::Ioctl = number(12);
const IOMMU_MAP_DMA: libc::Ioctl = number(13);
const IOMMU_UNMAP_DMA: libc::Ioctl = number(14);

/// Most bytes of an answer with capabilities.
const MOST_ANSWER: u32 = 1 << 16;

/// Makes an ioctl.
///
/// # Safety
/// The argument is what the request reads and writes, and is as large as it says.
pub(super) unsafe fn call<T: ?Sized>(
    fd: BorrowedFd<'_>,
    request: libc::Ioctl,
    argument: *mut T,
    name: &'static str,
) -> Result<(), Error> {
    // SAFETY: the caller vouches for the argument.
    if unsafe { libc::ioctl(fd.as_raw_fd(), request, argument.cast::<libc::c_void>()) } < 0 {
        return Err(Error::last(name));
    }
    Ok(())
}

/// `argsz` of a structure.
fn argsz<T>() -> u32 {
    size_of::<T>() as u32
}

/// What the device is.
pub(super) fn device_info(device: BorrowedFd<'_>) -> Result<vfio_device_info, Error> {
    let mut info = vfio_device_info { argsz: argsz::<vfio_device_info>(), ..Default::default() };
    // SAFETY: the structure of this request.
    unsafe { call(device, DEVICE_GET_INFO, &raw mut info, "VFIO_DEVICE_GET_INFO")? };
    Ok(info)
}

/// A region, and the bytes of the whole answer with its capabilities.
pub(super) fn region_info(device: BorrowedFd<'_>, index: u32) -> Result<(vfio_region_info, Vec<u8>), Error> {
    let mut info = vfio_region_info { argsz: argsz::<vfio_region_info>(), index, ..Default::default() };
    // SAFETY: the structure of this request.
    unsafe { call(device, DEVICE_GET_REGION_INFO, &raw mut info, "VFIO_DEVICE_GET_REGION_INFO")? };
    let mut answer = Answer::new(info.argsz);
    answer.set(0, answer.bytes());
    answer.set(2, index);
    answer.ask(device, DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO")?;
    let bytes = answer.to_bytes();
    // Its offset does not depend on how much was asked for; where the capabilities are does.
    info.cap_offset = crate::transport::caps::u32_at(&bytes, 12).unwrap_or(0);
    Ok((info, bytes))
}

/// MSI-X vectors.
pub(super) fn vectors(device: BorrowedFd<'_>) -> Result<u16, Error> {
    let mut info =
        vfio_irq_info { argsz: argsz::<vfio_irq_info>(), index: VFIO_PCI_MSIX_IRQ_INDEX, ..Default::default() };
    // SAFETY: the structure of this request.
    unsafe { call(device, DEVICE_GET_IRQ_INFO, &raw mut info, "VFIO_DEVICE_GET_IRQ_INFO")? };
    Ok(u16::try_from(info.count).unwrap_or(u16::MAX))
}

/// Sets MSI-X vectors from `first` on to eventfds, -1 for none.
pub(super) fn set_vectors(device: BorrowedFd<'_>, first: u16, fds: &[i32]) -> Result<(), Error> {
    let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    set_irqs(device, flags, first, fds)
}

/// Switches MSI-X off.
pub(super) fn disable_vectors(device: BorrowedFd<'_>) -> Result<(), Error> {
    set_irqs(device, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, &[])
}

fn set_irqs(device: BorrowedFd<'_>, flags: u32, first: u16, fds: &[i32]) -> Result<(), Error> {
    let count = u32::try_from(fds.len()).unwrap_or(u32::MAX);
    let bytes = u32::try_from((5 + fds.len()) * 4).unwrap_or(u32::MAX);
    let mut words = vec![bytes, flags, VFIO_PCI_MSIX_IRQ_INDEX, u32::from(first), count];
    words.extend(fds.iter().map(|fd| fd.cast_unsigned()));
    // SAFETY: `struct vfio_irq_set` is five words and the descriptors; the first word says how many bytes there are.
    unsafe { call(device, DEVICE_SET_IRQS, words.as_mut_ptr(), "VFIO_DEVICE_SET_IRQS") }
}

/// Resets the function.
pub(super) fn reset(device: BorrowedFd<'_>) -> Result<(), Error> {
    // SAFETY: the request has no argument.
    unsafe { call(device, DEVICE_RESET, std::ptr::null_mut::<u8>(), "VFIO_DEVICE_RESET") }
}

/// `struct vfio_iommu_type1_info` with its capabilities.
pub(super) fn iommu_info(container: BorrowedFd<'_>) -> Result<Vec<u8>, Error> {
    // Without room for the capabilities the kernel only says how much they need.
    let mut answer = Answer::new(24);
    for _ in 0..2 {
        answer.set(0, answer.bytes());
        answer.ask(container, IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO")?;
        let bytes = answer.to_bytes();
        match crate::transport::caps::u32_at(&bytes, 0) {
            Some(wanted) if wanted > answer.bytes() => answer = Answer::new(wanted),
            _ => return Ok(bytes),
        }
    }
    Ok(answer.to_bytes())
}

/// Maps memory of this process.
///
/// # Safety
/// Until it is unmapped again, `size` bytes at `address` stay mapped, and no reference covers them.
pub(super) unsafe fn map(
    container: BorrowedFd<'_>,
    iova: u64,
    address: *mut u8,
    size: u64,
    access: DmaAccess,
) -> Result<(), Error> {
    let read = if access.reads() { VFIO_DMA_MAP_FLAG_READ } else { 0 };
    let write = if access.writes() { VFIO_DMA_MAP_FLAG_WRITE } else { 0 };
    let mut map = vfio_iommu_type1_dma_map {
        argsz: argsz::<vfio_iommu_type1_dma_map>(),
        flags: read | write,
        vaddr: address as u64,
        iova,
        size,
    };
    // SAFETY: the structure of this request; the caller vouches for the memory.
    unsafe { call(container, IOMMU_MAP_DMA, &raw mut map, "VFIO_IOMMU_MAP_DMA") }
}

/// Unmaps a range and returns how many bytes of it were mapped.
pub(super) fn unmap(container: BorrowedFd<'_>, iova: u64, size: u64) -> Result<u64, Error> {
    let mut unmap = vfio_iommu_type1_dma_unmap {
        argsz: argsz::<vfio_iommu_type1_dma_unmap>(),
        flags: 0,
        iova,
        size,
        ..Default::default()
    };
    // SAFETY: the structure of this request, without the bitmap that the flags would ask for.
    unsafe { call(container, IOMMU_UNMAP_DMA, &raw mut unmap, "VFIO_IOMMU_UNMAP_DMA")? };
    Ok(unmap.size)
}

/// Room for a structure with capabilities, aligned for its widest field.
struct Answer(Vec<u64>);

impl Answer {
    /// Zeros, at least `bytes` of them and no more than an answer has.
    fn new(bytes: u32) -> Self {
        Answer(vec![0; bytes.min(MOST_ANSWER).div_ceil(8) as usize])
    }

    fn bytes(&self) -> u32 {
        (self.0.len() * 8) as u32
    }

    /// Sets a word of 32 bits.
    fn set(&mut self, word: usize, value: u32) {
        if let Some(pair) = self.0.get_mut(word / 2) {
            let shift = word % 2 * 32;
            *pair = *pair & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
        }
    }

    fn ask(&mut self, fd: BorrowedFd<'_>, request: libc::Ioctl, name: &'static str) -> Result<(), Error> {
        // SAFETY: the first word says how many bytes there are, and the kernel keeps to it.
        unsafe { call(fd, request, self.0.as_mut_ptr(), name) }
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        // VFIO_DEVICE_SET_IRQS and VFIO_IOMMU_UNMAP_DMA as strace shows them.
        assert_eq!((DEVICE_SET_IRQS, IOMMU_UNMAP_DMA), (0x3b6e, 0x3b72));
    }

    #[test]
    fn answers_have_words_where_structures_have_them() {
        let mut answer = Answer::new(33);
        assert_eq!(answer.bytes(), 40);
        answer.set(0, 40);
        answer.set(3, 0x0102_0304);
        answer.set(3, 0x0506_0708);
        answer.set(99, 1);
        let bytes = answer.to_bytes();
        assert_eq!(bytes[..4], [40, 0, 0, 0]);
        assert_eq!(bytes[12..16], [8, 7, 6, 5]);
        assert_eq!(Answer::new(u32::MAX).bytes(), MOST_ANSWER);
    }

    #[test]
    fn a_file_that_is_no_device_refuses() {
        use std::os::fd::AsFd;
        let file = std::fs::File::open("/dev/null").expect("open");
        for error in [
            device_info(file.as_fd()).err(),
            region_info(file.as_fd(), 0).err(),
            vectors(file.as_fd()).err(),
            set_vectors(file.as_fd(), 0, &[-1]).err(),
            reset(file.as_fd()).err(),
            iommu_info(file.as_fd()).err(),
            unmap(file.as_fd(), 0, 4096).err(),
        ] {
            assert!(matches!(error, Some(Error::System { .. })), "{error:?}");
        }
    }
}
