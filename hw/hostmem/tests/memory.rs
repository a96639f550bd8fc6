//! Shared memory: what is copied, what is refused, what a peer cannot do.
#![cfg(target_os = "linux")]

use offwire_hostif::HostMemory;
use offwire_hostmem::{Backings, MemoryError, SharedMemory};
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// A memfd as a peer makes it.
fn memfd(size: u64, flags: libc::c_uint) -> OwnedFd {
    const NAME: &CStr = c"peer";
    // SAFETY: a constant C string.
    let raw = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC | flags) };
    assert!(raw >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    let file = File::from(fd);
    file.set_len(size).expect("ftruncate");
    OwnedFd::from(file)
}

fn clone(fd: &OwnedFd) -> OwnedFd {
    fd.try_clone().expect("dup")
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("fits")
    }
}

#[test]
fn copies_agree_with_a_vector_at_every_alignment() {
    let memory = SharedMemory::guarded("test", 8192).expect("memory");
    let mut model = vec![0u8; 8192];
    let mut random = Random(1);
    for _ in 0..4000 {
        // Often at the ends, where the guard pages are.
        let length = random.below(200);
        let start = match random.below(4) {
            0 => 0,
            1 => 8192 - length,
            _ => random.below(8192 - length + 1),
        };
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(memory.write(start as u64, &bytes));
        model[start..start + length].copy_from_slice(&bytes);
        let length = random.below(200);
        let start = random.below(8192 - length + 1);
        let mut read = vec![0xa5; length];
        assert!(memory.read(start as u64, &mut read));
        assert_eq!(read, model[start..start + length], "{length} B at {start}");
    }
    let mut all = vec![0; 8192];
    assert!(memory.read(0, &mut all));
    assert_eq!(all, model);
}

#[test]
fn accesses_outside_do_nothing() {
    let memory = SharedMemory::guarded("test", 4096).expect("memory");
    assert_eq!(memory.size(), 4096);
    let mut bytes = [7; 8];
    for offset in [4089, 4096, 1 << 40, u64::MAX, u64::MAX - 7] {
        assert!(!memory.read(offset, &mut bytes), "{offset:#x}");
        assert!(!memory.write(offset, &bytes), "{offset:#x}");
    }
    assert_eq!(bytes, [7; 8], "a refused read touched the buffer");
    for offset in [1, 2, 3, 4093, 4094, 4096, u64::MAX - 3, u64::MAX] {
        assert_eq!(memory.load_acquire(offset), None, "{offset:#x}");
        assert!(!memory.store_release(offset, 1), "{offset:#x}");
    }
    assert!(memory.read(4096, &mut []), "nothing at the very end is inside");
    assert!(memory.store_release(4092, 0x0403_0201));
    let mut word = [0; 4];
    assert!(memory.read(4092, &mut word));
    assert_eq!(word, [1, 2, 3, 4], "words are little-endian");
    assert_eq!(memory.load_acquire(4092), Some(0x0403_0201));
}

#[test]
fn sizes_become_whole_pages() {
    assert_eq!(SharedMemory::new("test", 1).expect("memory").size(), 4096);
    assert!(matches!(SharedMemory::new("test", 0), Err(MemoryError::Size(0))));
    assert!(matches!(SharedMemory::new("test", u64::MAX), Err(MemoryError::Size(_))));
    assert!(SharedMemory::new("a\0name", 4096).is_ok(), "a name is cleaned, not refused");
}

#[test]
fn huge_pages_or_the_reason_why_not() {
    let (memory, reason) = SharedMemory::huge("test", 100).expect("memory of either kind");
    match reason {
        None => assert_eq!((memory.page_size(), memory.size()), (2 << 20, 2 << 20)),
        Some(reason) => {
            assert_eq!((memory.page_size(), memory.size()), (4096, 4096));
            assert!(reason.to_string().contains(": "), "{reason}");
        }
    }
    assert!(memory.write(0, &[1]));
}

/// The signal that ends a child that touches the byte at `address`; `None` if it lives.
fn signal_of_touching(address: *mut u8) -> Option<i32> {
    // SAFETY: the child makes no call but _exit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        // SAFETY: the very question; if it faults, the child alone dies.
        unsafe {
            address.read_volatile();
            libc::_exit(0)
        }
    }
    let mut status = 0;
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
}

#[test]
fn guard_pages_cannot_be_touched() {
    let memory = SharedMemory::guarded("test", 3 * 4096).expect("memory");
    let first = memory.address();
    assert_eq!(signal_of_touching(first), None);
    assert_eq!(signal_of_touching(first.wrapping_add(3 * 4096 - 1)), None);
    assert_eq!(signal_of_touching(first.wrapping_sub(1)), Some(libc::SIGSEGV));
    assert_eq!(signal_of_touching(first.wrapping_add(3 * 4096)), Some(libc::SIGSEGV));
}

#[test]
fn both_sides_see_the_same_file() {
    let ours = SharedMemory::new("test", 4 * 4096).expect("memory");
    let fd = ours.file().try_clone_to_owned().expect("dup");
    let theirs = SharedMemory::from_peer(fd, 4096, 8192).expect("our own memory is sealed");
    assert_eq!((theirs.file_offset(), theirs.size()), (4096, 8192));
    assert_eq!(theirs.file_id(), ours.file_id());
    assert!(theirs.write(3, b"here"));
    let mut bytes = [0; 4];
    assert!(ours.read(4099, &mut bytes));
    assert_eq!(&bytes, b"here");
}

#[test]
fn a_peer_cannot_shorten_what_is_mapped() {
    let fd = memfd(8192, libc::MFD_ALLOW_SEALING);
    let file = File::from(clone(&fd));
    let memory = SharedMemory::from_peer(fd, 0, 8192).expect("a file that can be sealed");
    assert!(file.set_len(4096).is_err(), "the file became shorter");
    assert!(memory.write(8191, &[1]));

    let unsealable = memfd(8192, 0);
    assert!(matches!(SharedMemory::from_peer(clone(&unsealable), 0, 8192), Err(MemoryError::NotSealed)));
    assert!(SharedMemory::from_trusted(unsealable, 0, 8192).is_ok());

    let ours = SharedMemory::new("test", 8192).expect("memory");
    let file = File::from(ours.file().try_clone_to_owned().expect("dup"));
    assert!(file.set_len(0).is_err() && file.set_len(1 << 20).is_err(), "our own memory changed its size");
}

#[test]
fn ranges_of_a_peer_are_checked() {
    let fd = memfd(3 * 4096 + 5, libc::MFD_ALLOW_SEALING);
    for (offset, size) in [(0, 4 * 4096), (3 * 4096, 4096), (4096, 1 << 62), (u64::MAX - 4095, 4096), (1 << 63, 4096)] {
        let refused = SharedMemory::from_peer(clone(&fd), offset, size);
        assert!(matches!(refused, Err(MemoryError::Range { .. })), "{offset:#x} {size:#x}: {refused:?}");
    }
    for (offset, size) in [(1, 4096), (0, 5), (4096, 4095)] {
        let refused = SharedMemory::from_peer(clone(&fd), offset, size);
        assert!(matches!(refused, Err(MemoryError::Alignment { .. })), "{offset:#x} {size:#x}: {refused:?}");
    }
    assert!(matches!(SharedMemory::from_peer(clone(&fd), 0, 0), Err(MemoryError::Size(0))));
    assert!(SharedMemory::from_peer(fd, 0, 3 * 4096).is_ok());
    let (pipe, _other) = std::io::pipe().expect("pipe");
    assert!(SharedMemory::from_peer(pipe.into(), 0, 4096).is_err());
    let (pipe, _other) = std::io::pipe().expect("pipe");
    assert!(matches!(SharedMemory::from_trusted(pipe.into(), 0, 4096), Err(MemoryError::NotFile)));
}

#[test]
fn a_file_is_mapped_once() {
    let mut files = Backings::new();
    let one = memfd(8192, libc::MFD_ALLOW_SEALING);
    let two = memfd(4096, libc::MFD_ALLOW_SEALING);
    let first = files.map(clone(&one)).expect("map");
    let again = files.map(clone(&one)).expect("map");
    assert!(Arc::ptr_eq(&first, &again));
    let other = files.map(clone(&two)).expect("map");
    assert!(!Arc::ptr_eq(&first, &other));
    assert_eq!(files.mapped(), 2);
    drop((first, again));
    assert_eq!(files.mapped(), 1);
    // The file grew since: the old mapping does not reach its end.
    File::from(clone(&two)).set_len(8192).expect("only shrinking is sealed");
    let larger = files.map(clone(&two)).expect("map");
    assert_eq!((other.size(), larger.size()), (4096, 8192));
    assert!(files.map(memfd(0, libc::MFD_ALLOW_SEALING)).is_err());
    assert!(matches!(files.map(memfd(4096, 0)), Err(MemoryError::NotSealed)));
    for _ in 0..200 {
        files.map(memfd(4096, libc::MFD_ALLOW_SEALING)).expect("map");
    }
    assert_eq!(files.mapped(), 1);
}

#[test]
fn a_phase_word_publishes_what_was_written_before() {
    let memory = Arc::new(SharedMemory::new("test", 4096).expect("memory"));
    let writer = Arc::clone(&memory);
    let rounds = 20_000u32;
    let thread = std::thread::spawn(move || {
        for round in 1..=rounds {
            assert!(writer.write(8, &[round as u8; 52]));
            assert!(writer.store_release(60, round));
            while writer.load_acquire(64) != Some(round) {
                std::thread::yield_now();
            }
        }
    });
    for round in 1..=rounds {
        while memory.load_acquire(60) != Some(round) {
            std::thread::yield_now();
        }
        let mut bytes = [0; 52];
        assert!(memory.read(8, &mut bytes));
        assert_eq!(bytes, [round as u8; 52]);
        assert!(memory.store_release(64, round));
    }
    thread.join().expect("writer");
}

#[test]
fn nothing_leaks_into_a_child() {
    let memory = SharedMemory::new("test", 4096).expect("memory");
    // SAFETY: no pointers.
    let flags = unsafe { libc::fcntl(memory.file().as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}
