//! A function in another process, behind a Unix socket: the vfio-user protocol, client side.
//!
//! The server may be hostile. It can refuse, be slow, or leave; it cannot make a call last longer than its deadline, make us
//! allocate more than a message of 1 MiB, or write anywhere but into the bytes that were asked for and the memory that it was
//! given.

use super::caps::{u32_at, u64_at};
use super::{IovaRange, PAGE, Transport, mappable, ordinary_ranges, vectors_exist};
use crate::error::Error;
use channel::Channel;
use offwire_hostif::{AccessError, DmaAccess, HostMemory, Iova, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use regions::RegionInfo;
use std::fmt;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_PCI, VFIO_DEVICE_FLAGS_RESET, VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_SET_ACTION_TRIGGER,
    VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_MSIX_IRQ_INDEX,
};
use wire::{ACCESS, Body, Command, Limits, MOST_VERSION};

mod channel;
mod regions;
mod socket;
mod wire;

/// Flags of a DMA mapping: the device may read, and write.
const MAP_READ: u32 = 1;
const MAP_WRITE: u32 = 2;
/// Most vectors that MSI-X has.
const MOST_VECTORS: u32 = 2048;

/// How to speak to a server.
#[derive(Clone, Copy, Debug)]
pub struct VfioUserOptions {
    /// Longest time for the answer to one message; a year at the most.
    pub deadline: Duration,
    /// Map BAR2 between guard pages.
    pub guard: bool,
}

impl VfioUserOptions {
    /// With a deadline that the clock can show.
    fn bounded(self) -> Self {
        VfioUserOptions { deadline: self.deadline.min(Duration::from_secs(1 << 25)), ..self }
    }
}

impl Default for VfioUserOptions {
    fn default() -> Self {
        VfioUserOptions { deadline: Duration::from_secs(5), guard: false }
    }
}

/// The way to a function behind a socket.
pub struct VfioUser {
    name: String,
    channel: Mutex<Channel>,
    limits: Limits,
    regions: [RegionInfo; Region::ALL.len()],
    vectors: u16,
    resettable: bool,
}

impl VfioUser {
    /// Connects to the server that listens at the path. Who may connect is up to the rights of the socket file.
    pub fn connect(path: &Path, options: VfioUserOptions) -> Result<Self, Error> {
        let options = options.bounded();
        let socket =
            socket::connect(path, Instant::now() + options.deadline).map_err(|source| match source.kind() {
                ErrorKind::TimedOut => Error::Timeout { what: "a connection", after: options.deadline },
                _ => Error::System { call: format!("connect({})", path.display()).into(), source },
            })?;
        Self::open(path.display().to_string(), socket, options)
    }

    /// Speaks to the server at the other end of the stream.
    pub fn over(stream: UnixStream, options: VfioUserOptions) -> Result<Self, Error> {
        Self::open("socket".to_owned(), stream, options.bounded())
    }

    fn open(name: String, stream: UnixStream, options: VfioUserOptions) -> Result<Self, Error> {
        let mut channel = Channel::new(stream, options.deadline);
        let reply = channel.call(Command::Version, &Body::version(), &[], MOST_VERSION)?;
        let limits = Limits::decode(&reply.body).map_err(|what| channel.protocol(what))?;

        let question = Body::words([16, 0, 0, 0]);
        let reply = channel.call(Command::DeviceGetInfo, &question, &[], 64)?;
        let word = |at| u32_at(&reply.body, at);
        let (Some(flags), Some(regions), Some(irqs)) = (word(4), word(8), word(12)) else {
            return Err(channel.protocol("the device's description is cut short"));
        };
        if flags & VFIO_DEVICE_FLAGS_PCI == 0 {
            return Err(channel.protocol("the device is no PCI function"));
        }
        if regions <= Region::Config as u32 || irqs <= VFIO_PCI_MSIX_IRQ_INDEX {
            return Err(channel.protocol("the device lacks the regions or interrupts of a PCI function"));
        }
        let mut ask = |region| regions::ask(&mut channel, region, options.guard);
        let [bar0, bar2, bar4, config] = Region::ALL;
        let regions = [ask(bar0)?, ask(bar2)?, ask(bar4)?, ask(config)?];

        let question = Body::words([16, 0, VFIO_PCI_MSIX_IRQ_INDEX, 0]);
        let reply = channel.call(Command::DeviceGetIrqInfo, &question, &[], 64)?;
        let word = |at| u32_at(&reply.body, at);
        let vectors = match (word(4), word(8), word(12)) {
            (_, Some(VFIO_PCI_MSIX_IRQ_INDEX), Some(0)) => 0,
            (Some(flags), Some(VFIO_PCI_MSIX_IRQ_INDEX), Some(count @ 1..=MOST_VECTORS))
                if flags & VFIO_IRQ_INFO_EVENTFD != 0 =>
            {
                u16::try_from(count).unwrap_or(0)
            }
            _ => return Err(channel.protocol("the description of the interrupts makes no sense")),
        };
        let resettable = flags & VFIO_DEVICE_FLAGS_RESET != 0;
        Ok(VfioUser { name, channel: Mutex::new(channel), limits, regions, vectors, resettable })
    }

    /// Why BAR2 was not mapped though the server offers it; its doorbells are written by message then.
    pub fn unmapped(&self) -> Option<&Error> {
        self.region(Region::Bar2).unmapped.as_ref()
    }

    /// The connection, if it still is one. That it is gone is told before anything else is found wrong.
    fn lock(&self) -> Result<MutexGuard<'_, Channel>, Error> {
        let poisoned = |_| Error::Gone("a thread panicked in the midst of a message".into());
        let channel = self.channel.lock().map_err(poisoned)?;
        channel.alive()?;
        Ok(channel)
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

    /// The pieces of an access, offset and range of the buffer, each small enough for a message.
    fn pieces(&self, region: Region, offset: u64, size: usize) -> Result<Vec<(u64, std::ops::Range<usize>)>, Error> {
        let end = u64::try_from(size).ok().and_then(|size| offset.checked_add(size));
        if end.is_none_or(|end| end > self.region(region).size) {
            return Err(AccessError { region, offset, size }.into());
        }
        let most = self.limits.data;
        let piece = |start: usize| (offset + start as u64, start..size.min(start + most));
        Ok((0..size).step_by(most).map(piece).collect())
    }

    /// One message of interrupts: descriptors, or none for vectors that go nowhere.
    fn set_some(channel: &mut Channel, start: u16, count: usize, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let body = Body::words([20, flags, VFIO_PCI_MSIX_IRQ_INDEX, u32::from(start), count]);
        channel.call(Command::DeviceSetIrqs, &body, fds, 64).map(drop)
    }
}

impl fmt::Debug for VfioUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VfioUser").field("name", &self.name).field("limits", &self.limits).finish()
    }
}

impl Transport for VfioUser {
    fn describe(&self) -> String {
        format!("vfio-user:{}", self.name)
    }

    fn region_size(&self, region: Region) -> u64 {
        self.region(region).size
    }

    fn read(&self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let mut channel = self.lock()?;
        let size = bytes.len();
        for (offset, range) in self.pieces(region, offset, size)? {
            let Some(out) = bytes.get_mut(range) else { continue };
            let count = u32::try_from(out.len()).unwrap_or(0);
            let question = Body::access(offset, region as u32, count);
            let reply = channel.call(Command::RegionRead, &question, &[], ACCESS + out.len())?;
            match reply.body.split_at_checked(ACCESS) {
                Some((echo, data)) if echo == question.0 && data.len() == out.len() => out.copy_from_slice(data),
                _ => return Err(channel.protocol("the answer to a read is not what was asked for")),
            }
        }
        Ok(())
    }

    fn write(&self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut channel = self.lock()?;
        for (offset, range) in self.pieces(region, offset, bytes.len())? {
            let Some(data) = bytes.get(range) else { continue };
            let mut body = Body::access(offset, region as u32, u32::try_from(data.len()).unwrap_or(0));
            let echo = body.0.clone();
            body.0.extend_from_slice(data);
            let reply = channel.call(Command::RegionWrite, &body, &[], ACCESS)?;
            if reply.body != echo {
                return Err(channel.protocol("the answer to a write is not what was asked for"));
            }
        }
        Ok(())
    }

    fn map_region(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        self.region(region).memory.clone()
    }

    fn vectors(&self) -> u16 {
        self.vectors
    }

    fn set_interrupts(&self, first: u16, to: &[Option<Arc<EventFd>>]) -> Result<(), Error> {
        let mut channel = self.lock()?;
        vectors_exist(first, to.len(), self.vectors)?;
        let mut start = first;
        for run in to.chunk_by(|left, right| left.is_some() == right.is_some()) {
            let fds: Vec<BorrowedFd<'_>> = run.iter().flatten().map(|event| event.as_fd()).collect();
            if fds.is_empty() {
                Self::set_some(&mut channel, start, run.len(), &[])?;
            } else {
                let mut at = start;
                for some in fds.chunks(self.limits.fds) {
                    Self::set_some(&mut channel, at, some.len(), some)?;
                    at += some.len() as u16;
                }
            }
            start += run.len() as u16;
        }
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
        let mut channel = self.lock()?;
        mappable(iova, memory, offset, size, PAGE)?;
        let read = if access.reads() { MAP_READ } else { 0 };
        let write = if access.writes() { MAP_WRITE } else { 0 };
        let body = Body::words([32, read | write]).long([memory.file_offset() + offset, iova.0, size]);
        channel.call(Command::DmaMap, &body, &[memory.file()], 64).map(drop)
    }

    fn dma_unmap(&self, iova: Iova, size: u64) -> Result<(), Error> {
        let body = Body::words([24, 0]).long([iova.0, size]);
        let mut channel = self.lock()?;
        let reply = channel.call(Command::DmaUnmap, &body, &[], 64)?;
        match (u64_at(&reply.body, 8), u64_at(&reply.body, 16)) {
            (Some(at), Some(unmapped)) if at == iova.0 && unmapped == size => Ok(()),
            (Some(at), Some(unmapped)) if at == iova.0 && unmapped < size => {
                Err(Error::Unmapped { iova: iova.0, size, unmapped })
            }
            _ => Err(channel.protocol("the answer to the end of a mapping is not what was asked for")),
        }
    }

    fn dma_page(&self) -> u64 {
        PAGE
    }

    fn iova_ranges(&self) -> Vec<IovaRange> {
        ordinary_ranges()
    }

    fn reset(&self) -> Result<(), Error> {
        let mut channel = self.lock()?;
        if !self.resettable {
            let source = std::io::Error::from_raw_os_error(libc::ENOTTY);
            return Err(Error::Refused { what: Command::DeviceReset.what(), source });
        }
        channel.call(Command::DeviceReset, &Body::default(), &[], 64).map(drop)
    }

    fn kick(&self) -> Result<(), Error> {
        self.lock().map(drop)
    }

    fn alive(&self) -> Result<(), Error> {
        self.lock()?.look()
    }
}
