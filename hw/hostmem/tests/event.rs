//! Eventfds: signals, deadlines, and what a peer may send instead.
#![cfg(target_os = "linux")]

use offwire_hostif::Interrupt;
use offwire_hostmem::{EventFd, Interest, MemoryError, wait};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn signals_merge_and_are_taken_once() {
    let event = EventFd::new().expect("eventfd");
    assert_eq!(event.take().expect("take"), 0);
    event.signal();
    event.signal();
    assert_eq!(event.wait(Duration::from_secs(5)).expect("wait"), Some(2));
    assert_eq!(event.take().expect("take"), 0);
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let event = EventFd::new().expect("eventfd");
    let start = Instant::now();
    assert_eq!(event.wait(Duration::from_millis(20)).expect("wait"), None);
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(event.wait(Duration::ZERO).expect("wait"), None);
    assert!(!wait(event.as_fd(), Interest::Readable, Instant::now()).expect("poll"));
    assert!(wait(event.as_fd(), Interest::Writable, Instant::now()).expect("poll"));
}

#[test]
fn a_signal_wakes_a_waiter() {
    let event = Arc::new(EventFd::new().expect("eventfd"));
    let waiter = Arc::clone(&event);
    let thread = std::thread::spawn(move || waiter.wait(Duration::MAX).expect("wait"));
    std::thread::sleep(Duration::from_millis(5));
    event.signal();
    assert_eq!(thread.join().expect("waiter"), Some(1));
}

#[test]
fn a_full_counter_does_not_block() {
    let ours = EventFd::new().expect("eventfd");
    let most = u64::MAX - 1;
    // SAFETY: 8 B of our own are read.
    let done = unsafe { libc::write(ours.as_fd().as_raw_fd(), (&raw const most).cast(), 8) };
    assert_eq!(done, 8);
    ours.signal();
    let theirs = EventFd::from_peer(ours.as_fd().try_clone_to_owned().expect("dup")).expect("an eventfd");
    // The peer makes it blocking again: the flag belongs to the open file, not to the descriptor.
    // SAFETY: no pointers.
    unsafe {
        let flags = libc::fcntl(ours.as_fd().as_raw_fd(), libc::F_GETFL);
        assert_eq!(libc::fcntl(ours.as_fd().as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK), 0);
    }
    theirs.signal();
    assert_eq!(ours.take().expect("take"), most);
}

#[test]
fn what_is_no_eventfd_is_refused() {
    let (reader, writer) = std::io::pipe().expect("pipe");
    assert!(matches!(EventFd::from_peer(writer.into()), Err(MemoryError::NotEventFd)));
    assert!(matches!(EventFd::from_peer(reader.into()), Err(MemoryError::NotEventFd)));
    let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("socketpair");
    assert!(matches!(EventFd::from_peer(socket.into()), Err(MemoryError::NotEventFd)));
}
