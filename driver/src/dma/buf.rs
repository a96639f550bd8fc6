//! Mapped memory and the space that it is mapped in.

use super::iova::IovaAllocator;
use crate::error::Error;
use crate::transport::Transport;
use offwire_hostif::{DmaAccess, HostMemory, Iova};
use offwire_hostmem::SharedMemory;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Pages of new memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// The system's ordinary ones.
    #[default]
    Normal,
    /// Huge ones of 2 MiB; ordinary ones if there are none to be had.
    Huge,
}

/// Device addresses of one transport, and what is mapped there.
pub struct DmaSpace {
    transport: Arc<dyn Transport>,
    iovas: Mutex<IovaAllocator>,
    leaked: AtomicU64,
}

impl DmaSpace {
    /// A space without mappings.
    pub fn new(transport: Arc<dyn Transport>) -> Arc<Self> {
        let iovas = IovaAllocator::new(&transport.iova_ranges(), transport.dma_page());
        Arc::new(DmaSpace { transport, iovas: Mutex::new(iovas), leaked: AtomicU64::new(0) })
    }

    /// The transport.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Makes memory of at least `size` bytes, zeros, whole pages of the IOMMU, and maps it. `name` shows in `/proc/PID/maps`.
    pub fn allocate(self: &Arc<Self>, name: &str, size: u64, access: DmaAccess, pages: Pages) -> Result<DmaBuf, Error> {
        let size = size.checked_next_multiple_of(self.transport.dma_page().max(1)).unwrap_or(u64::MAX);
        let memory = match pages {
            Pages::Normal => SharedMemory::new(name, size)?,
            Pages::Huge => SharedMemory::huge(name, size)?.0,
        };
        self.map(Arc::new(memory), access)
    }

    /// Maps all of a memory, at a multiple of its page.
    pub fn map(self: &Arc<Self>, memory: Arc<SharedMemory>, access: DmaAccess) -> Result<DmaBuf, Error> {
        let (size, alignment) = (memory.size(), memory.page_size().max(self.transport.dma_page()));
        let iova = self.iovas().allocate(size, alignment).ok_or(Error::NoIova { size, alignment })?;
        if let Err(error) = self.transport.dma_map(iova, &memory, 0, size, access) {
            // If it is not known whether the device has the mapping, the address is not given again.
            if !error.is_gone() {
                self.iovas().release(iova, size);
            }
            return Err(error);
        }
        Ok(DmaBuf { space: Arc::clone(self), memory, iova, size, access, released: false })
    }

    /// Buffers that could not be unmapped and therefore were not freed.
    pub fn leaked(&self) -> u64 {
        self.leaked.load(Ordering::Relaxed)
    }

    fn iovas(&self) -> std::sync::MutexGuard<'_, IovaAllocator> {
        // The allocator is whole between any two statements of its callers.
        self.iovas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unmaps, then frees; what cannot be unmapped is not freed, as the device may still write there.
    fn release(&self, iova: Iova, memory: &Arc<SharedMemory>, size: u64) -> Result<(), Error> {
        match self.transport.dma_unmap(iova, size) {
            Ok(()) => {
                self.iovas().release(iova, size);
                Ok(())
            }
            // With the connection went the mappings: the server lost them, or holds the file, which outlives our mapping of it.
            Err(error) if error.is_gone() => Err(error),
            Err(error) => {
                self.leaked.fetch_add(1, Ordering::Relaxed);
                std::mem::forget(Arc::clone(memory));
                Err(error)
            }
        }
    }
}

impl fmt::Debug for DmaSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmaSpace").field("transport", &self.transport).field("leaked", &self.leaked()).finish()
    }
}

/// Memory that the device may use until this is dropped.
///
/// Dropping unmaps first and frees then, and keeps the transport until it is done. Who needs to know whether the unmapping worked
/// calls [`DmaBuf::release`] or looks at [`DmaSpace::leaked`].
pub struct DmaBuf {
    space: Arc<DmaSpace>,
    memory: Arc<SharedMemory>,
    iova: Iova,
    size: u64,
    access: DmaAccess,
    /// Nothing is left for `drop` to do.
    released: bool,
}

impl DmaBuf {
    /// Where the device sees it.
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// Where the device sees `size` bytes from `offset` on; `None` if they are not inside.
    pub fn iova_of(&self, offset: u64, size: u64) -> Option<Iova> {
        let end = offset.checked_add(size)?;
        if end > self.size { None } else { self.iova.checked_add(offset) }
    }

    /// What the device may do.
    pub fn access(&self) -> DmaAccess {
        self.access
    }

    /// The memory. It may be kept beyond the buffer's life; the device's right to it ends with the buffer.
    pub fn memory(&self) -> &Arc<SharedMemory> {
        &self.memory
    }

    /// Unmaps and frees, and tells whether it worked.
    pub fn release(mut self) -> Result<(), Error> {
        self.released = true;
        self.space.release(self.iova, &self.memory, self.size)
    }
}

impl Drop for DmaBuf {
    fn drop(&mut self) {
        if !self.released {
            // Counted in `leaked`; there is nobody to tell.
            let _ = self.space.release(self.iova, &self.memory, self.size);
        }
    }
}

impl fmt::Debug for DmaBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DmaBuf")
            .field("iova", &self.iova)
            .field("size", &self.size)
            .field("access", &self.access)
            .finish()
    }
}

impl HostMemory for DmaBuf {
    fn size(&self) -> u64 {
        self.size
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
