//! The toy behind the server of the `vfio_user` crate, which is not ours.

use crate::common::{BAR0_SIZE, BAR2_SIZE, BAR4_SIZE, CONFIG_SIZE, Toy, VECTORS};
use offwire_hostif::{DmaAccess, Interrupt, Iova, PciFunction, Region};
use offwire_hostmem::{Backings, EventFd};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS,
    VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
    vfio_region_sparse_mmap_area,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion, SparseArea};

/// A served toy; the server ends when its client leaves.
pub(crate) struct Served {
    pub(crate) toy: Arc<Mutex<Toy>>,
    pub(crate) path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(toy: Toy) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("offwire-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let doorbells = toy.doorbells.file().as_raw_fd();
        let server = Server::new(&path, true, irqs(), regions(doorbells)).expect("server");
        let toy = Arc::new(Mutex::new(toy));
        let mut backend = Backend { toy: Arc::clone(&toy), files: Backings::new() };
        let thread = std::thread::spawn(move || {
            server.run(&mut backend).expect("the server ends well");
            backend.toy.lock().expect("toy").disconnect();
        });
        Served { toy, path, thread: Some(thread) }
    }

    /// Waits until the client's end was seen.
    pub(crate) fn ended(mut self) -> Arc<Mutex<Toy>> {
        self.thread.take().expect("started").join().expect("server thread");
        Arc::clone(&self.toy)
    }
}

fn irqs() -> Vec<IrqInfo> {
    let count = |index| if index == VFIO_PCI_MSIX_IRQ_INDEX { u32::from(VECTORS) } else { 0 };
    (0..VFIO_PCI_NUM_IRQS).map(|index| IrqInfo { index, flags: VFIO_IRQ_INFO_EVENTFD, count: count(index) }).collect()
}

fn regions(doorbells: i32) -> Vec<ServerRegion> {
    let region = |index| {
        let size = match Region::from_index(index) {
            Some(Region::Bar0) => BAR0_SIZE,
            Some(Region::Bar2) => BAR2_SIZE,
            Some(Region::Bar4) => BAR4_SIZE,
            Some(Region::Config) => CONFIG_SIZE,
            None => 0,
        };
        let mapped = index == Region::Bar2 as u32;
        let map = if mapped { VFIO_REGION_INFO_FLAG_MMAP } else { 0 };
        let flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | map;
        let area = SparseArea { area: vfio_region_sparse_mmap_area { offset: 0, size } };
        ServerRegion {
            region_info: vfio_region_info { argsz: 32, index, flags, size, ..Default::default() },
            sparse_areas: if mapped { vec![area] } else { Vec::new() },
            mmap_fd: mapped.then_some(doorbells),
        }
    };
    (0..VFIO_PCI_NUM_REGIONS).map(region).collect()
}

struct Backend {
    toy: Arc<Mutex<Toy>>,
    files: Backings,
}

fn refused(_: impl std::fmt::Debug) -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let region = Region::from_index(region).ok_or(io::ErrorKind::InvalidInput)?;
        self.toy.lock().expect("toy").read(region, offset, data).map_err(refused)
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        let region = Region::from_index(region).ok_or(io::ErrorKind::InvalidInput)?;
        let mut toy = self.toy.lock().expect("toy");
        toy.write(region, offset, data).map_err(refused)?;
        while toy.poll() {}
        Ok(())
    }

    fn dma_map(&mut self, flags: DmaMapFlags, offset: u64, iova: u64, size: u64, fd: Option<File>) -> io::Result<()> {
        let access = match (flags.contains(DmaMapFlags::READ), flags.contains(DmaMapFlags::WRITE)) {
            (true, true) => DmaAccess::ReadWrite,
            (true, false) => DmaAccess::Read,
            _ => DmaAccess::Write,
        };
        let memory = self.files.map(fd.ok_or(io::ErrorKind::InvalidInput)?.into()).map_err(refused)?;
        self.toy.lock().expect("toy").dma_map(Iova(iova), size, access, memory, offset).map_err(refused)
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, iova: u64, size: u64) -> io::Result<()> {
        self.toy.lock().expect("toy").dma_unmap(Iova(iova), size).map(drop).map_err(refused)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.toy.lock().expect("toy").reset();
        Ok(())
    }

    fn set_irqs(&mut self, _: u32, _: u32, start: u32, count: u32, fds: Vec<File>) -> io::Result<()> {
        let mut fds = fds.into_iter();
        let mut toy = self.toy.lock().expect("toy");
        for vector in start..start + count {
            let event = fds.next().map(|fd| EventFd::from_peer(fd.into()).map_err(refused)).transpose()?;
            toy.set_interrupt(vector as u16, event.map(|event| Arc::new(event) as Arc<dyn Interrupt>));
        }
        Ok(())
    }
}
