//! The server's regions and what of them can be mapped.

use super::channel::{Channel, Reply};
use super::wire::{Body, Command, MOST_REGION_INFO, REGION_INFO};
use crate::error::Error;
use crate::transport::caps::{capabilities, pairs, u32_at, u64_at};
use offwire_hostif::{HostMemory, Region};
use offwire_hostmem::SharedMemory;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use vfio_bindings::bindings::vfio::{
    VFIO_REGION_INFO_CAP_SPARSE_MMAP, VFIO_REGION_INFO_FLAG_CAPS, VFIO_REGION_INFO_FLAG_MMAP,
};

/// Most areas of a region that may be mapped one by one. We use regions that are one area.
const MOST_AREAS: usize = 64;

/// A region.
pub(super) struct RegionInfo {
    pub(super) size: u64,
    /// The whole of it, if it can be mapped.
    pub(super) memory: Option<Arc<dyn HostMemory>>,
    /// Why it was not mapped though the server offers it.
    pub(super) unmapped: Option<Error>,
}

/// Asks for a region. Only BAR2 is mapped; file descriptors of others are closed.
pub(super) fn ask(channel: &mut Channel, region: Region, guard: bool) -> Result<RegionInfo, Error> {
    let question = Body::words([MOST_REGION_INFO as u32, 0, region as u32, 0]).long([0, 0]);
    let reply = channel.call(Command::DeviceGetRegionInfo, &question, &[], MOST_REGION_INFO)?;
    let described = describe(&reply, region).map_err(|what| channel.protocol(what))?;
    let mut info = RegionInfo { size: described.size, memory: None, unmapped: None };
    let Reply { mut fds, .. } = reply;
    if let Some(offset) = described.file_offset
        && region == Region::Bar2
        && !fds.is_empty()
    {
        match map(fds.swap_remove(0), offset, described.size, guard) {
            Ok(memory) => info.memory = Some(Arc::new(memory)),
            Err(error) => info.unmapped = Some(error),
        }
    }
    Ok(info)
}

fn map(fd: OwnedFd, offset: u64, size: u64, guard: bool) -> Result<SharedMemory, Error> {
    let map = if guard { SharedMemory::from_peer_guarded } else { SharedMemory::from_peer };
    Ok(map(fd, offset, size)?)
}

/// What an answer says.
struct Described {
    size: u64,
    /// Where the region starts in the file that came along, if all of it can be mapped as one.
    file_offset: Option<u64>,
}

fn describe(reply: &Reply, region: Region) -> Result<Described, &'static str> {
    let body = &reply.body;
    let word = |at| u32_at(body, at).ok_or("a region's description is cut short");
    let long = |at| u64_at(body, at).ok_or("a region's description is cut short");
    let (flags, index, first) = (word(4)?, word(8)?, word(12)?);
    let (size, offset) = (long(16)?, long(24)?);
    if index != region as u32 {
        return Err("a region's description is that of another one");
    }
    let mut described = Described { size, file_offset: None };
    if flags & VFIO_REGION_INFO_FLAG_MMAP == 0 || size == 0 {
        return Ok(described);
    }
    described.file_offset = Some(offset);
    if flags & VFIO_REGION_INFO_FLAG_CAPS != 0 {
        if first != 0 && usize::try_from(first).is_ok_and(|first| first < REGION_INFO) {
            return Err("a capability lies in the description itself");
        }
        for capability in capabilities(body, first)? {
            if u32::from(capability.id) != VFIO_REGION_INFO_CAP_SPARSE_MMAP {
                continue;
            }
            let areas = pairs(capability.body, MOST_AREAS)?;
            for &(start, bytes) in &areas {
                if start.checked_add(bytes).is_none_or(|end| end > size) {
                    return Err("an area to map leaves its region");
                }
            }
            if areas != [(0, size)] {
                described.file_offset = None;
            }
        }
    }
    Ok(described)
}
