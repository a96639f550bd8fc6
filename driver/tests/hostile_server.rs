//! A server that means harm: valid conversations with a message changed, 20,000 of them (`OFFWIRE_HOSTILE` sets another number).
//!
//! Whatever it sends, the client does not panic, does not hang, does not keep file descriptors, does not allocate much, and writes
//! into nothing but what was asked for: a canary stands on both sides of each buffer, guard pages on both sides of the mapping.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/conversation.rs"]
mod conversation;

use common::Random;
use conversation::{BAR2, answer, memfd, message, word};
use driver::Error;
use driver::transport::{Transport, VfioUser, VfioUserOptions};
use offwire_hostif::{DmaAccess, HostMemory, Iova, Region};
use offwire_hostmem::{EventFd, SharedMemory};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

/// Remembers the largest allocation.
struct Largest(AtomicUsize);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Largest {
    // SAFETY: as the trait asks.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as the trait asks.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest(AtomicUsize::new(0));

/// Longest wait for an answer. The server ends its side long before if the client waits for more.
const DEADLINE: Duration = Duration::from_millis(500);
/// Conversations at the same time; they mostly sleep.
const PAIRS: u64 = 8;

/// One conversation on the server's side; the message with number `change` is changed.
fn converse(mut stream: UnixStream, mut random: Random, change: Option<u64>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let doorbells = memfd(BAR2, libc::MFD_ALLOW_SEALING);
    let mut number = 0;
    loop {
        let mut header = [0; 16];
        if stream.read_exact(&mut header).is_err() {
            return;
        }
        if word(&header, 8) & 1 != 0 {
            // The answer to a command of ours.
            continue;
        }
        let command = u16::from_le_bytes([header[2], header[3]]);
        let mut body = vec![0; word(&header, 4) as usize - 16];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let id = u16::from_le_bytes([header[0], header[1]]);
        let good = message(id, command, 1, 0, &answer(command, &body));
        let mapped = command == 5 && word(&body, 8) == 2;
        let fds: Vec<RawFd> = mapped.then(|| doorbells.as_raw_fd()).into_iter().collect();
        let sent = if change == Some(number) {
            // Who waits for more than was sent gets an end instead.
            stream.set_read_timeout(Some(Duration::from_millis(1))).expect("timeout");
            harm(&mut stream, &mut random, good, &fds, &doorbells)
        } else {
            send(&stream, &good, &fds)
        };
        if !sent {
            return;
        }
        number += 1;
    }
}

fn send(stream: &UnixStream, bytes: &[u8], fds: &[RawFd]) -> bool {
    stream.send_with_fds(&[bytes], fds).is_ok_and(|sent| sent == bytes.len())
}

/// Sends something else than the good answer; false if that was the end.
fn harm(stream: &mut UnixStream, random: &mut Random, good: Vec<u8>, fds: &[RawFd], doorbells: &File) -> bool {
    let mut bytes = good.clone();
    let somewhere = |random: &mut Random, size: usize| random.below(size as u64) as usize;
    let extreme = |random: &mut Random| match random.below(8) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => u64::MAX - 0xfff,
        4 => 1 << 63,
        5 => 0x7fff_ffff,
        6 => 0x1000 << random.below(40),
        _ => random.next() >> random.below(64),
    };
    match random.below(16) {
        0 => bytes[somewhere(random, 16)] ^= 1 << random.below(8),
        1 => {
            let at = somewhere(random, bytes.len());
            bytes[at] = random.next() as u8;
        }
        2 => bytes.truncate(somewhere(random, good.len())),
        3 => {
            let more = 1 + random.below(64);
            bytes.extend((0..more).map(|_| random.next() as u8));
        }
        4 | 5 => {
            let at = somewhere(random, bytes.len() / 4) * 4;
            bytes[at..at + 4].copy_from_slice(&(extreme(random) as u32).to_le_bytes());
        }
        6 if bytes.len() >= 24 => {
            let at = somewhere(random, bytes.len() / 8 - 1) * 8;
            bytes[at..at + 8].copy_from_slice(&extreme(random).to_le_bytes());
        }
        7 => bytes.extend(good),
        8 => {
            let files =
                [memfd(0x1000, libc::MFD_ALLOW_SEALING), memfd(BAR2, 0), File::open("/dev/null").expect("open")];
            let (pipe, _end) = std::io::pipe().expect("pipe");
            let mut other: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).chain([pipe.as_raw_fd()]).collect();
            let turn = somewhere(random, other.len());
            other.rotate_left(turn);
            let count = [0, 1, 2, 16, 17, 40][somewhere(random, 6)];
            let other: Vec<RawFd> = other.iter().copied().cycle().take(count).collect();
            return send(stream, &bytes, &other);
        }
        9 => {
            // A command of the server first, or many.
            for _ in 0..[1, 2, 300][somewhere(random, 3)] {
                let flags = [0, 16][somewhere(random, 2)];
                let size = somewhere(random, 600);
                if stream.write_all(&message(random.next() as u16, 11, flags, 0, &vec![7; size])).is_err() {
                    return false;
                }
            }
        }
        10 => return false,
        11 => bytes.iter_mut().for_each(|byte| *byte = random.next() as u8),
        12 => return bytes.iter().all(|&byte| stream.write_all(&[byte]).is_ok()),
        13 => {
            let size = [0, 0, 16, 5000][somewhere(random, 4)];
            let (id, command) = (u16::from_le_bytes([good[0], good[1]]), u16::from_le_bytes([good[2], good[3]]));
            bytes = message(id, command, 1 | 32, extreme(random) as u32, &vec![0; size]);
        }
        14 => {
            let sent = send(stream, &bytes, fds);
            // The client may have it mapped by now.
            let _ = doorbells.set_len(0);
            return sent;
        }
        _ => {
            let size = (bytes.len() as u32 + random.below(9) as u32).wrapping_sub(4);
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
        }
    }
    send(stream, &bytes, fds)
}

/// Calls that were made and calls that worked.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Tally {
    made: u32,
    worked: u32,
}

/// The client's side of a conversation. Once the device is gone it stays so.
struct Client {
    gone: bool,
    tally: Tally,
}

impl Client {
    fn check<T>(&mut self, result: Result<T, Error>, started: Instant, case: u64) -> Option<T> {
        self.tally.made += 1;
        // A message may take the deadline; no call here is more than four.
        assert!(started.elapsed() < 8 * DEADLINE, "case {case}: a call took {:?}", started.elapsed());
        match result {
            Ok(value) => {
                assert!(!self.gone, "case {case}: something worked after the end");
                self.tally.worked += 1;
                Some(value)
            }
            Err(error) => {
                assert!(!self.gone || error.is_gone(), "case {case}: {error} after the end");
                self.gone |= error.is_gone();
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }
}

/// All that a driver does, once.
fn drive(stream: UnixStream, memory: &Arc<SharedMemory>, events: &[Option<Arc<EventFd>>], case: u64) -> Tally {
    let mut client = Client { gone: false, tally: Tally::default() };
    let options = VfioUserOptions { deadline: DEADLINE, guard: true };
    let start = Instant::now();
    let Some(way) = client.check(VfioUser::over(stream, options), start, case) else { return client.tally };
    if let Some(doorbells) = way.map_region(Region::Bar2) {
        let mut bytes = vec![0; usize::try_from(doorbells.size().min(1 << 16)).expect("fits")];
        assert!(doorbells.read(doorbells.size() - bytes.len() as u64, &mut bytes));
        assert!(doorbells.write(0, &bytes) && !doorbells.write(doorbells.size(), &[0]));
        assert!(doorbells.store_release(doorbells.size() - 4, 1));
    }
    for (region, offset, size) in [(Region::Bar0, 8, 4), (Region::Config, 0, 256), (Region::Bar2, 16, 10_000)] {
        let start = Instant::now();
        let mut buffer = vec![0xc5; size + 64];
        let read = way.read(region, offset, &mut buffer[32..32 + size]);
        assert!(buffer[..32].iter().chain(&buffer[32 + size..]).all(|&byte| byte == 0xc5), "case {case}: canary");
        client.check(read, start, case);
    }
    let start = Instant::now();
    client.check(way.write(Region::Bar2, 1, &[9; 9000]), start, case);
    let start = Instant::now();
    client.check(way.set_interrupts(3, events), start, case);
    let start = Instant::now();
    client.check(way.dma_map(Iova(0x1_0000), memory, 0, memory.size(), DmaAccess::ReadWrite), start, case);
    let start = Instant::now();
    client.check(way.dma_unmap(Iova(0x1_0000), memory.size()), start, case);
    let start = Instant::now();
    client.check(way.reset(), start, case);
    let start = Instant::now();
    client.check(way.alive(), start, case);
    client.tally
}

/// A thread that converses with whom it is given.
struct Opponent {
    cases: mpsc::Sender<(UnixStream, Random, Option<u64>)>,
    thread: std::thread::JoinHandle<()>,
}

impl Opponent {
    fn start() -> Self {
        let (cases, inbox) = mpsc::channel();
        let thread =
            std::thread::spawn(move || inbox.into_iter().for_each(|(stream, random, at)| converse(stream, random, at)));
        Opponent { cases, thread }
    }

    fn meet(&self, random: Random, change: Option<u64>) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        self.cases.send((theirs, random, change)).expect("the opponent lives");
        ours
    }

    fn end(self) {
        drop(self.cases);
        self.thread.join().expect("the opponent does not panic");
    }
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

#[test]
fn no_server_harms_the_client() {
    let cases = std::env::var("OFFWIRE_HOSTILE").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let memory = Arc::new(SharedMemory::guarded("test", 8192).expect("memory"));
    let event = || Some(Arc::new(EventFd::new().expect("eventfd")));
    let events = [event(), event(), None, event()];
    let files = open_files();

    let opponent = Opponent::start();
    let whole = drive(opponent.meet(Random(0), None), &memory, &events, 0);
    assert_eq!(whole, Tally { made: 10, worked: 10 }, "an honest conversation");

    opponent.end();

    ALLOCATOR.0.store(0, Ordering::Relaxed);
    let ended = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for pair in 0..PAIRS {
            let (memory, events, ended) = (&memory, &events, &ended);
            scope.spawn(move || {
                let opponent = Opponent::start();
                for case in (pair..cases).step_by(PAIRS as usize) {
                    let mut random = Random(case);
                    // An honest conversation has 21 messages.
                    let change = random.below(21);
                    let tally = drive(opponent.meet(random, Some(change)), memory, events, case);
                    ended.fetch_add(u64::from(tally.worked < 10), Ordering::Relaxed);
                }
                opponent.end();
            });
        }
    });
    let ended = ended.into_inner();
    assert!(ended > cases / 3, "the changes did no harm: {ended} of {cases}");
    assert!(ended < cases, "the changes were all the same");
    let largest = ALLOCATOR.0.load(Ordering::Relaxed);
    assert!(largest < 2 << 20, "{largest} B were allocated at once");
    assert_eq!(open_files(), files, "file descriptors were kept");
    println!("{cases} conversations, {ended} ended early, largest allocation {largest} B");
}
