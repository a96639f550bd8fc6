//! Perf events that programs write (bpf_perf_event_output), read from their ring. With `sys`, the only unsafe code of this crate.
//!
//! Layouts follow include/uapi/linux/perf_event.h.

use super::sys::{Map, own};
use crate::PERF_RING_BYTES;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, PERF_FLAG_FD_CLOEXEC.
const TYPE_SOFTWARE: u32 = 1;
const SW_BPF_OUTPUT: u64 = 10;
const SAMPLE_RAW: u64 = 1 << 10;
const FLAG_CLOEXEC: libc::c_ulong = 8;
/// PERF_RECORD_SAMPLE.
const RECORD_SAMPLE: u32 = 9;
/// Offsets of `data_head` and `data_tail` in struct perf_event_mmap_page.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;
/// struct perf_event_header.
const HEADER: usize = 8;

/// struct perf_event_attr, PERF_ATTR_SIZE_VER0.
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    bp_addr: u64,
}

/// Opens an event on CPU 0; a disabled one is on no CPU.
fn open(disabled: bool) -> io::Result<OwnedFd> {
    let mut attr = Attr {
        kind: TYPE_SOFTWARE,
        size: size_of::<Attr>() as u32,
        config: SW_BPF_OUTPUT,
        sample_period: 1,
        sample_type: SAMPLE_RAW,
        flags: u64::from(disabled),
        wakeup_events: 1,
        ..Attr::default()
    };
    // SAFETY: the kernel reads `size` bytes of the structure, and may write into it where it does not know its size.
    let fd =
        unsafe { libc::syscall(libc::SYS_perf_event_open, std::ptr::from_mut(&mut attr), -1, 0, -1, FLAG_CLOEXEC) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(own(fd)) }
}

/// The readers of a perf event array: CPU 0's ring at entry 0, an event that is on no CPU at all others.
pub(super) struct PerfRing {
    pages: *mut libc::c_void,
    page: usize,
    _event: OwnedFd,
    _elsewhere: OwnedFd,
}

impl PerfRing {
    /// Puts readers into all `entries` of the map.
    pub(super) fn open(map: &Map, entries: u32) -> io::Result<Self> {
        let (event, elsewhere) = (open(false)?, open(true)?);
        // SAFETY: sysconf(3) takes a plain number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        let length = page + PERF_RING_BYTES as usize;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let pages = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, event.as_raw_fd(), 0)
        };
        if pages == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let ring = Self { pages, page, _event: event, _elsewhere: elsewhere };
        for entry in 0..entries {
            let fd = if entry == 0 { ring._event.as_raw_fd() } else { ring._elsewhere.as_raw_fd() };
            map.update(&entry.to_ne_bytes(), &(fd as u32).to_ne_bytes())?;
        }
        Ok(ring)
    }

    /// Bytes at a position that counts on for ever.
    fn read(&self, position: u64, len: usize) -> Vec<u8> {
        let size = PERF_RING_BYTES as usize;
        let at = (position % PERF_RING_BYTES) as usize;
        let first = len.min(size - at);
        // SAFETY: the data area has `size` bytes behind the first page; both parts lie inside it, and the kernel does not write
        // what is between data_tail and data_head.
        let (a, b) = unsafe {
            let data = self.pages.byte_add(self.page).cast::<u8>();
            (std::slice::from_raw_parts(data.add(at), first), std::slice::from_raw_parts(data, (len - first).min(at)))
        };
        [a, b].concat()
    }

    /// Takes all events out of the ring, oldest first, each with its padding.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        // SAFETY: the first page holds both positions, aligned; it lives as long as `self` and is shared with the kernel, which
        // uses barriers as we do.
        let (head, tail) = unsafe {
            (&*self.pages.byte_add(DATA_HEAD).cast::<AtomicU64>(), &*self.pages.byte_add(DATA_TAIL).cast::<AtomicU64>())
        };
        let (end, mut at) = (head.load(Ordering::Acquire), tail.load(Ordering::Relaxed));
        let mut events = Vec::new();
        while at < end {
            let header = self.read(at, HEADER + 4);
            let word = |from: usize| header.get(from..from + 4).and_then(|bytes| bytes.try_into().ok());
            let kind = word(0).map_or(0, u32::from_ne_bytes);
            let size = usize::from(header.get(6..8).and_then(|b| b.try_into().ok()).map_or(0, u16::from_ne_bytes));
            if size < HEADER {
                break;
            }
            if kind == RECORD_SAMPLE {
                let len = word(HEADER).map_or(0, u32::from_ne_bytes) as usize;
                events.push(self.read(at + HEADER as u64 + 4, len.min(size - HEADER)));
            }
            at += size as u64;
        }
        tail.store(end, Ordering::Release);
        events
    }
}

impl Drop for PerfRing {
    fn drop(&mut self) {
        // SAFETY: mapped by `open` with this length, and no pointer into it is left.
        unsafe { libc::munmap(self.pages, self.page + PERF_RING_BYTES as usize) };
    }
}
