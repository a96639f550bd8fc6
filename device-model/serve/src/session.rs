//! The vfio-user server: one connection, from the first message to the last.
//!
//! Everything that comes is a stranger's. Lengths, offsets, indices and counts are checked before anything is allocated
//! or the device is asked; a message that cannot be is answered with an errno, one after which the stream cannot be
//! trusted ends the connection, and nothing else.
//!
//! Why not a crate: `vfio_user` 0.1.7 allocates what the client's count says, loses its place in the stream after a
//! command that it does not know, and gives no errno. Protocol: QEMU's docs/interop/vfio-user.rst.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use libc::{EEXIST, EINVAL, EIO, ENOSPC, EOPNOTSUPP, EPERM};
use offwire_hostif::{DmaAccess, DmaError, HostMemory, Interrupt, Iova, Region};
use offwire_hostmem::{Backings, EventFd, MemoryError, SharedMemory};

use crate::desk::{Broken, Desk};
use crate::nic::Nic;
use crate::socket::{Gone, Stream};
use crate::wire::{
    ACCESS, Command, Fields, HEADER, Header, MAX_FDS, MAX_TRANSFER, NO_REPLY, REGION_INFO, TYPE, finish, put32, put64,
};

/// Regions that VFIO numbers for a PCI device (VFIO_PCI_NUM_REGIONS): six BARs, ROM, configuration space, VGA.
const REGIONS: u32 = 9;
/// Interrupt indices that VFIO numbers for a PCI device (VFIO_PCI_NUM_IRQS).
const IRQS: u32 = 5;
const IRQ_MSIX: u32 = 2;
const IRQ_ERROR: u32 = 3;
const IRQ_REQUEST: u32 = 4;

/// VFIO_DEVICE_FLAGS_RESET and _PCI.
const DEVICE_FLAGS: u32 = 1 | 2;
const REGION_READ: u32 = 1;
const REGION_WRITE: u32 = 2;
const REGION_MMAP: u32 = 4;
const REGION_CAPS: u32 = 8;
const CAP_SPARSE_MMAP: u16 = 1;
/// VFIO_IRQ_INFO_EVENTFD and _NORESIZE.
const IRQ_FLAGS: u32 = 1 | 8;
const IRQ_DATA_NONE: u32 = 1;
const IRQ_DATA_BOOL: u32 = 2;
const IRQ_DATA_EVENTFD: u32 = 4;
const IRQ_ACTION_TRIGGER: u32 = 32;
const DMA_READ: u32 = 1;
const DMA_WRITE: u32 = 2;
/// VFIO_DMA_UNMAP_FLAG_ALL.
const UNMAP_ALL: u32 = 2;

/// What the server can do, as it tells the client.
fn capabilities() -> String {
    format!(
        "{{\"capabilities\":{{\"max_msg_fds\":{MAX_FDS},\"max_data_xfer_size\":{MAX_TRANSFER},\
         \"migration\":{{\"pgsize\":4096}}}}}}\0"
    )
}

/// Why a command fails: the errno that the client is told, or the end of all.
#[derive(Debug)]
enum Refusal {
    Errno(i32),
    Device(Broken),
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Refusal::Device(broken)
    }
}

/// A payload that is too short for its command.
fn field<T>(value: Option<T>) -> Result<T, Refusal> {
    value.ok_or(Refusal::Errno(EINVAL))
}

fn invalid<T>() -> Result<T, Refusal> {
    Err(Refusal::Errno(EINVAL))
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client is gone; what it did wrong, if it did.
    Client(Option<String>),
    /// The server is to end.
    Stopped,
    /// The device is broken.
    Device,
}

/// What clients did, over all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Connections that agreed on a version; whoever only looks whether somebody listens is none.
    pub connections: u64,
    /// Connections that ended because the client broke the protocol.
    pub broken: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that were answered with an error.
    pub refused: u64,
    /// Mappings without a file, which the device cannot reach and leaves out.
    pub unreachable: u64,
}

/// One connection.
pub(crate) struct Session<'a, N> {
    desk: &'a Desk<N>,
    stream: Stream,
    stop: BorrowedFd<'a>,
    /// BAR2 as a file, if the client may map it.
    doorbells: Option<&'a SharedMemory>,
    counters: &'a mut ClientCounters,
    files: Backings,
    vectors: Vec<Option<Arc<EventFd>>>,
    /// Rung when the server wants the device back.
    request: Option<EventFd>,
    /// Rung when the device broke.
    error: Option<EventFd>,
    agreed: bool,
}

impl<'a, N: Nic> Session<'a, N> {
    pub(crate) fn new(
        desk: &'a Desk<N>,
        stream: Stream,
        stop: BorrowedFd<'a>,
        doorbells: Option<&'a SharedMemory>,
        counters: &'a mut ClientCounters,
    ) -> Result<Self, Broken> {
        let vectors = desk.with(|nic| nic.vectors())?;
        Ok(Session {
            desk,
            stream,
            stop,
            doorbells,
            counters,
            files: Backings::new(),
            vectors: (0..vectors).map(|_| None).collect(),
            request: None,
            error: None,
            agreed: false,
        })
    }

    /// Serves until the client goes or the server ends; the device is left without the client's memory and interrupts.
    pub(crate) fn run(mut self) -> End {
        let mut end = self.serve();
        match end {
            End::Stopped => self.request.iter().for_each(Interrupt::signal),
            End::Device => self.error.iter().for_each(Interrupt::signal),
            End::Client(None) => {}
            End::Client(Some(_)) => self.counters.broken += 1,
        }
        // Before the version nothing has been asked of the device.
        if self.agreed && self.desk.with(|nic| nic.disconnect()).is_err() {
            end = End::Device;
        }
        self.desk.ring();
        end
    }

    fn serve(&mut self) -> End {
        let (mut body, mut answer, mut fds) = (Vec::new(), Vec::new(), Vec::with_capacity(MAX_FDS));
        loop {
            fds.clear();
            let result = self.message(&mut body, &mut answer, &mut fds);
            match result {
                Ok(Ok(())) => {}
                Ok(Err(Broken)) => return End::Device,
                Err(Gone::Closed) => return End::Client(None),
                Err(Gone::Stopped) => return End::Stopped,
                Err(Gone::Broken(why)) => return End::Client(Some(why.to_owned())),
                Err(Gone::Os(error)) => return End::Client(Some(error.to_string())),
            }
        }
    }

    /// One message and its answer.
    fn message(
        &mut self,
        body: &mut Vec<u8>,
        answer: &mut Vec<u8>,
        fds: &mut Vec<OwnedFd>,
    ) -> Result<Result<(), Broken>, Gone> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header, fds, self.stop, true)?;
        let header = Header::decode(&header);
        let Some(len) = header.body() else { return Err(Gone::Broken("a length that no message has")) };
        if header.flags & TYPE != 0 {
            return Err(Gone::Broken("a reply to nothing"));
        }
        body.resize(len, 0);
        self.stream.read_exact(body, fds, self.stop, false)?;
        self.counters.messages += 1;

        let command = Command::from_number(header.command);
        if !self.agreed && command != Some(Command::Version) {
            return Err(Gone::Broken("a command before the version"));
        }
        header.reply(None, answer);
        let result = match command {
            Some(command) => self.command(command, body, answer, std::mem::take(fds)),
            None => Err(Refusal::Errno(EOPNOTSUPP)),
        };
        let mut file = None;
        match result {
            Ok(with) => file = with,
            Err(Refusal::Errno(errno)) => {
                self.counters.refused += 1;
                header.reply(Some(errno), answer);
            }
            Err(Refusal::Device(broken)) => return Ok(Err(broken)),
        }
        if header.flags & NO_REPLY == 0 {
            finish(answer);
            let file = self.doorbells.filter(|_| file == Some(Doorbells)).map(SharedMemory::file);
            self.stream.write_all(answer, file, self.stop)?;
        }
        if !self.agreed {
            return Err(Gone::Broken("a version that is not spoken here"));
        }
        Ok(Ok(()))
    }

    /// Does a command; appends the payload of its answer. Returns what file goes with it.
    fn command(
        &mut self,
        command: Command,
        body: &[u8],
        answer: &mut Vec<u8>,
        fds: Vec<OwnedFd>,
    ) -> Result<Option<Doorbells>, Refusal> {
        match command {
            Command::Version => self.version(body, answer)?,
            Command::DmaMap => self.dma_map(body, fds)?,
            Command::DmaUnmap => self.dma_unmap(body, answer)?,
            Command::DeviceInfo => {
                for value in [16, DEVICE_FLAGS, REGIONS, IRQS] {
                    put32(answer, value);
                }
            }
            Command::RegionInfo => return self.region_info(body, answer),
            Command::IrqInfo => {
                let mut fields = Fields(body);
                let (_argsz, _flags) = (fields.u32(), fields.u32());
                let index = field(fields.u32())?;
                let count = self.irqs(index)?;
                for value in [16, if count == 0 { 0 } else { IRQ_FLAGS }, index, count] {
                    put32(answer, value);
                }
            }
            Command::SetIrqs => self.set_irqs(body, fds)?,
            Command::RegionRead => self.read(body, answer)?,
            Command::RegionWrite => self.write(body, answer)?,
            Command::Reset => {
                self.desk.with(|nic| nic.reset())?;
                self.desk.ring();
            }
        }
        Ok(None)
    }

    fn version(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut fields = Fields(body);
        let (major, minor) = (field(fields.u16())?, field(fields.u16())?);
        if self.agreed || major != 0 {
            return invalid();
        }
        // The client's capabilities bind what the server would send it; it sends one descriptor at the most and no
        // requests.
        self.agreed = true;
        self.counters.connections += 1;
        answer.extend_from_slice(&0u16.to_ne_bytes());
        answer.extend_from_slice(&minor.min(1).to_ne_bytes());
        answer.extend_from_slice(capabilities().as_bytes());
        Ok(())
    }

    fn dma_map(&mut self, body: &[u8], mut fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        let mut fields = Fields(body);
        let (_argsz, flags) = (field(fields.u32())?, field(fields.u32())?);
        let (offset, iova, size) = (field(fields.u64())?, field(fields.u64())?, field(fields.u64())?);
        let access = match flags {
            DMA_READ => DmaAccess::Read,
            DMA_WRITE => DmaAccess::Write,
            flags if flags == DMA_READ | DMA_WRITE => DmaAccess::ReadWrite,
            _ => return invalid(),
        };
        let Some(fd) = fds.pop() else {
            // ROM and other devices' BARs in a guest: nobody's DMA goes there.
            self.counters.unreachable += 1;
            return Ok(());
        };
        if !fds.is_empty() {
            return invalid();
        }
        let memory = self.files.map(fd).map_err(|error| Refusal::Errno(memory_errno(&error)))?;
        if offset.checked_add(size).is_none_or(|end| end > memory.size()) {
            return invalid();
        }
        let mapped = self.desk.with(|nic| nic.dma_map(Iova(iova), size, access, memory, offset))?;
        mapped.map_err(|error| Refusal::Errno(dma_errno(error)))
    }

    fn dma_unmap(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut fields = Fields(body);
        let (_argsz, flags) = (field(fields.u32())?, field(fields.u32())?);
        let (iova, size) = (field(fields.u64())?, field(fields.u64())?);
        let range = match flags {
            0 => (iova, size),
            UNMAP_ALL if (iova, size) == (0, 0) => (0, u64::MAX),
            _ => return invalid(),
        };
        // What was never mapped is unmapped already: a guest that turns its IOMMU on unmaps everything.
        let unmapped = self.desk.with(|nic| nic.dma_unmap(Iova(range.0), range.1))?;
        unmapped.map_err(|error| Refusal::Errno(dma_errno(error)))?;
        // The answer repeats the request.
        answer.extend_from_slice(body.get(..24).unwrap_or(body));
        Ok(())
    }

    fn region_info(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Result<Option<Doorbells>, Refusal> {
        let mut fields = Fields(body);
        let (argsz, _flags, index) = (field(fields.u32())?, field(fields.u32())?, field(fields.u32())?);
        if index >= REGIONS || (argsz as usize) < REGION_INFO {
            return invalid();
        }
        let region = Region::from_index(index);
        let size = match region {
            Some(region) => self.desk.with(|nic| nic.region_size(region))?,
            None => 0,
        };
        let file = self.doorbells.filter(|memory| region == Some(Region::Bar2) && memory.size() >= size && size > 0);
        let mut flags = if size > 0 { REGION_READ | REGION_WRITE } else { 0 };
        // Header, number of areas, one area.
        let capability = 8 + 8 + 16;
        let mut need = REGION_INFO as u32;
        if file.is_some() {
            flags |= REGION_MMAP | REGION_CAPS;
            need += capability;
        }
        let fits = argsz >= need;
        let (cap_offset, offset) = match file {
            Some(memory) => (REGION_INFO as u32, memory.file_offset()),
            None => (0, 0),
        };
        for value in [need, flags, index, cap_offset] {
            put32(answer, value);
        }
        put64(answer, size);
        put64(answer, offset);
        if file.is_none() {
            return Ok(None);
        }
        if fits {
            answer.extend_from_slice(&CAP_SPARSE_MMAP.to_ne_bytes());
            answer.extend_from_slice(&1u16.to_ne_bytes());
            // No next capability; one area, reserved.
            for value in [0, 1, 0] {
                put32(answer, value);
            }
            put64(answer, 0);
            put64(answer, size);
        }
        Ok(fits.then_some(Doorbells))
    }

    /// Interrupts of an index.
    fn irqs(&self, index: u32) -> Result<u32, Refusal> {
        match index {
            IRQ_MSIX => Ok(self.vectors.len() as u32),
            IRQ_ERROR | IRQ_REQUEST => Ok(1),
            index if index < IRQS => Ok(0),
            _ => invalid(),
        }
    }

    fn set_irqs(&mut self, body: &[u8], fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        let mut fields = Fields(body);
        let (_argsz, flags, index) = (field(fields.u32())?, field(fields.u32())?, field(fields.u32())?);
        let (start, count) = (field(fields.u32())?, field(fields.u32())?);
        let data = fields.rest();
        let have = self.irqs(index)?;
        if start.checked_add(count).is_none_or(|end| end > have) || (count == 0 && start != 0) {
            return invalid();
        }
        // Masks of MSI-X live in its table, those of the others do not exist: triggers are all there is.
        let events = match flags {
            flags if flags == IRQ_ACTION_TRIGGER | IRQ_DATA_EVENTFD => Some(fds),
            flags if flags == IRQ_ACTION_TRIGGER | IRQ_DATA_NONE && count == 0 => None,
            flags if flags == IRQ_ACTION_TRIGGER | IRQ_DATA_NONE => return self.trigger(index, start, count, |_| true),
            flags if flags == IRQ_ACTION_TRIGGER | IRQ_DATA_BOOL && data.len() == count as usize => {
                return self.trigger(index, start, count, |n| data.get(n).is_some_and(|&byte| byte != 0));
            }
            _ => return invalid(),
        };
        // A count without descriptors takes those of the range away; none at all takes away everything.
        let (range, mut events) = match events {
            None => (0..have, Vec::new()),
            Some(fds) if fds.is_empty() || fds.len() == count as usize => (start..start + count, fds),
            Some(_) => return invalid(),
        };
        let mut new = Vec::with_capacity(events.len());
        for fd in events.drain(..) {
            new.push(EventFd::from_peer(fd).map_err(|error| Refusal::Errno(memory_errno(&error)))?);
        }
        let mut new = new.into_iter();
        for vector in range {
            let event = new.next();
            match index {
                IRQ_ERROR => self.error = event,
                IRQ_REQUEST => self.request = event,
                _ => self.set_vector(vector, event.map(Arc::new))?,
            }
        }
        Ok(())
    }

    fn set_vector(&mut self, vector: u32, event: Option<Arc<EventFd>>) -> Result<(), Refusal> {
        let Ok(number) = u16::try_from(vector) else { return invalid() };
        let Some(slot) = self.vectors.get_mut(usize::from(number)) else { return invalid() };
        slot.clone_from(&event);
        self.desk.with(|nic| nic.set_interrupt(number, event.map(|event| event as Arc<dyn Interrupt>)))?;
        Ok(())
    }

    /// Signals interrupts as if the device had: a client tests its own wiring.
    fn trigger(&self, index: u32, start: u32, count: u32, wanted: impl Fn(usize) -> bool) -> Result<(), Refusal> {
        for (_, number) in (start..start + count).enumerate().filter(|&(n, _)| wanted(n)) {
            match index {
                IRQ_ERROR => self.error.iter().for_each(Interrupt::signal),
                IRQ_REQUEST => self.request.iter().for_each(Interrupt::signal),
                _ => self.vectors.get(number as usize).into_iter().flatten().for_each(|event| event.signal()),
            }
        }
        Ok(())
    }

    /// Region, offset and count of an access that lies inside its region.
    fn access(&self, fields: &mut Fields<'_>) -> Result<(Region, u64, usize), Refusal> {
        let (offset, index, count) = (field(fields.u64())?, field(fields.u32())?, field(fields.u32())?);
        let Some(region) = Region::from_index(index) else { return invalid() };
        let size = self.desk.with(|nic| nic.region_size(region))?;
        let inside = offset.checked_add(u64::from(count)).is_some_and(|end| end <= size);
        let count = count as usize;
        if !inside || count > MAX_TRANSFER || count == 0 {
            return invalid();
        }
        Ok((region, offset, count))
    }

    fn read(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Result<(), Refusal> {
        let (region, offset, count) = self.access(&mut Fields(body))?;
        answer.extend_from_slice(body.get(..ACCESS).unwrap_or(body));
        let data = answer.len();
        answer.resize(data + count, 0);
        let bytes = answer.get_mut(data..).unwrap_or_default();
        let done = self.desk.with(|nic| nic.read(region, offset, bytes))?;
        done.map_err(|_| Refusal::Errno(EINVAL))
    }

    fn write(&mut self, body: &[u8], answer: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut fields = Fields(body);
        let (region, offset, count) = self.access(&mut fields)?;
        let data = fields.rest();
        if data.len() != count {
            return invalid();
        }
        let done = self.desk.with(|nic| nic.write(region, offset, data))?;
        self.desk.ring();
        answer.extend_from_slice(body.get(..ACCESS).unwrap_or(body));
        done.map_err(|_| Refusal::Errno(EINVAL))
    }
}

/// The file that goes with an answer: there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doorbells;

fn dma_errno(error: DmaError) -> i32 {
    match error {
        DmaError::Overlap { .. } => EEXIST,
        DmaError::TooMany(_) => ENOSPC,
        _ => EINVAL,
    }
}

fn memory_errno(error: &MemoryError) -> i32 {
    match error {
        MemoryError::System { source, .. } => source.raw_os_error().unwrap_or(EIO),
        MemoryError::NotSealed => EPERM,
        _ => EINVAL,
    }
}
