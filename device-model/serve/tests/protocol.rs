//! What the server answers: to a client of somebody else's, and to one that says what no decent client says.
#![cfg(target_os = "linux")]

mod common;

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use common::client::{self, Client, body, copy, memfd};
use common::{BAR2, DOORBELL, Folder, MAGIC, Served, Small, VECTORS, reg, until};
use libc::{EEXIST, EINVAL, ENOSPC, EOPNOTSUPP, EPERM};
use offwire_hostif::{HostMemory, TimeMode};
use offwire_hostmem::{EventFd, SharedMemory};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

fn serve(name: &str) -> (Folder, Served) {
    let folder = Folder::new(name);
    let served = Served::start(Small::new(), &folder.path("s"), TimeMode::Virtual, &[]);
    (folder, served)
}

const READ_WRITE: u32 = 3;
const EVENTFD_TRIGGER: u32 = 4 | 32;
const NONE_TRIGGER: u32 = 1 | 32;
const MSIX: u32 = 2;

/// Asks the device to write through DMA and says whether it did.
fn dma(client: &mut Client, iova: u64, bytes: u32, vector: u32) -> bool {
    client.set_register(reg::DMA_ADDRESS, iova as u32);
    client.set_register(reg::DMA_ADDRESS + 4, (iova >> 32) as u32);
    client.set_register(reg::DMA_BYTES, bytes);
    client.set_register(reg::GO, vector);
    client.register(reg::STATUS) == 1
}

#[test]
fn the_client_of_the_vfio_user_crate_drives_the_device() {
    let (_folder, served) = serve("crate");
    let mut client = vfio_user::Client::new(&served.socket).expect("a client");
    for (index, size) in [(0, 0x1000), (1, 0), (2, BAR2), (4, 0x1000), (7, 4096), (8, 0)] {
        assert_eq!(client.region(index).expect("a region").size, size, "region {index}");
    }
    assert_eq!(client.get_irq_info(MSIX).expect("interrupts").count, u32::from(VECTORS));
    let mut word = [0; 4];
    client.region_read(0, reg::MAGIC, &mut word).expect("a register");
    assert_eq!(u32::from_le_bytes(word), MAGIC);

    // BAR2, mapped: what is written there the device sees without a message.
    let region = client.region(2).expect("BAR2");
    assert_eq!(region.sparse_areas.len(), 1);
    let file = region.file_offset.as_ref().expect("a file to map");
    let fd: OwnedFd = file.file().try_clone().expect("a descriptor").into();
    let doorbells = SharedMemory::from_trusted(fd, file.start(), BAR2).expect("mapped");
    assert!(doorbells.store_release(DOORBELL, 77));
    until("the device sees the doorbell", || {
        let mut word = [0; 4];
        client.region_read(0, reg::SEEN, &mut word).expect("a register");
        u32::from_le_bytes(word) == 77
    });

    // Memory and an interrupt.
    let memory = SharedMemory::new("dma", 0x4000).expect("memory");
    client.dma_map(0, 0x10_0000, 0x4000, memory.file().as_raw_fd()).expect("mapped");
    let events: Vec<EventFd> = (0..VECTORS).map(|_| EventFd::new().expect("an eventfd")).collect();
    for (n, events) in events.chunks(16).enumerate() {
        let fds: Vec<i32> = events.iter().map(|event| event.as_fd().as_raw_fd()).collect();
        client.set_irqs(MSIX, EVENTFD_TRIGGER, n as u32 * 16, fds.len() as u32, &fds).expect("set");
    }
    let mut go = |value: u32, client: &mut vfio_user::Client| {
        client.region_write(0, reg::DMA_ADDRESS, &0x10_0ff0u64.to_le_bytes()).expect("written");
        client.region_write(0, reg::DMA_BYTES, &0x20u32.to_le_bytes()).expect("written");
        client.region_write(0, reg::GO, &value.to_le_bytes()).expect("written");
        client.region_read(0, reg::STATUS, &mut word).expect("read");
        u32::from_le_bytes(word)
    };
    assert_eq!(go(35, &mut client), 1);
    assert_eq!(events[35].wait(Duration::from_secs(5)).expect("an eventfd"), Some(1));
    let mut bytes = [0; 0x20];
    assert!(memory.read(0xff0, &mut bytes));
    assert_eq!(bytes.to_vec(), (0..0x20).collect::<Vec<u8>>());
    client.dma_unmap(0x10_0000, 0x4000).expect("unmapped");
    assert_eq!(go(35, &mut client), 2, "DMA after the unmap");
    client.reset().expect("reset");
    client.region_read(0, reg::RESETS, &mut word).expect("read");
    assert_eq!(u32::from_le_bytes(word), 1);
    client.shutdown().expect("closed");
}

#[test]
fn accesses_outside_their_region_are_refused_and_the_connection_goes_on() {
    let (_folder, served) = serve("bounds");
    let mut client = Client::new(&served.socket);
    client.write(0, reg::SCRATCH, &7u64.to_le_bytes()).expect("inside");
    for (region, offset, count) in [
        (0, 0x1000, 4),
        (0, 0xffe, 4),
        (0, u64::MAX, 4),
        (0, u64::MAX - 3, 4),
        (0, 0, 0),
        (0, 1 << 32, 4),
        (1, 0, 4),
        (2, BAR2, 1),
        (3, 0, 1),
        (7, 4095, 2),
        (8, 0, 1),
        (9, 0, 1),
        (u32::MAX, 0, 1),
        (0, 0, u32::MAX),
        // A register access of a size that the device does not have.
        (0, 0, 3),
    ] {
        let refusal = client.read(region, offset, count).expect_err("no such access");
        assert_eq!(refusal.errno(), EINVAL, "read of {count} at {offset:#x} of region {region}");
        let request = body().u64(offset).u32(region).u32(count).bytes(&vec![9; count.min(4096) as usize]);
        let refusal = client.call(client::REGION_WRITE, &request).expect_err("no such access");
        assert_eq!(refusal.errno(), EINVAL, "write of {count} at {offset:#x} of region {region}");
    }
    // More and less data than the count says.
    for data in [0usize, 3, 5, 4096] {
        let request = body().u64(reg::SCRATCH).u32(0).u32(4).bytes(&vec![9; data]);
        assert_eq!(client.call(client::REGION_WRITE, &request).expect_err("not 4 B").errno(), EINVAL);
    }
    assert_eq!(client.read(0, reg::SCRATCH, 8).expect("inside"), 7u64.to_le_bytes());
    assert_eq!(client.read(2, 0, BAR2 as u32).expect("all of BAR2").len(), BAR2 as usize);
    let summary = served.stop().expect("a summary");
    assert_eq!((summary.clients.connections, summary.clients.broken), (1, 0));
    assert_eq!(summary.clients.refused, 34);
}

#[test]
fn payloads_that_are_too_short_and_unknown_commands_are_refused() {
    let (_folder, served) = serve("short");
    let mut client = Client::new(&served.socket);
    for command in [2, 3, 5, 7, 8, 9, 10] {
        for len in 0..12 {
            let refusal = client.call(command, &body().bytes(&vec![0; len])).expect_err("too short");
            assert_eq!(refusal.errno(), EINVAL, "command {command} with {len} bytes");
        }
    }
    // The bodies of these are not looked at, but taken off the stream.
    for command in [0, 6, 11, 12, 14, 15, 16, 17, 18, 99, u16::MAX] {
        let refusal = client.call(command, &body().bytes(&vec![0xaa; 5000])).expect_err("unknown");
        assert_eq!(refusal.errno(), EOPNOTSUPP, "command {command}");
    }
    assert_eq!(client.call(client::VERSION, &body().u16(0).u16(1)).expect_err("twice").errno(), EINVAL);
    assert_eq!(client.register(reg::MAGIC), MAGIC, "the stream has not slipped");
}

#[test]
fn device_region_and_interrupt_information() {
    let (_folder, served) = serve("info");
    let mut client = Client::new(&served.socket);
    let info = client.call(client::DEVICE_INFO, &body().u32(16).u32(0).u32(0).u32(0)).expect("information");
    assert_eq!(info, body().u32(16).u32(3).u32(9).u32(5).0, "resettable, PCI, 9 regions, 5 interrupts");

    let ask = |argsz: u32, index: u32| body().u32(argsz).u32(0).u32(index).u32(0).u64(0).u64(0);
    // Too small for the capability: the size that is needed, and no file.
    let id = client.send(client::REGION_INFO, 0, &ask(32, 2), &[]).expect("sent");
    let (info, file) = client.answer_with_fd(id, client::REGION_INFO).expect("information");
    assert_eq!(info, body().u32(64).u32(0xf).u32(2).u32(32).u64(BAR2).u64(0).0);
    assert!(file.is_none());
    let id = client.send(client::REGION_INFO, 0, &ask(64, 2), &[]).expect("sent");
    let (info, file) = client.answer_with_fd(id, client::REGION_INFO).expect("information");
    let sparse = body().u16(1).u16(1).u32(0).u32(1).u32(0).u64(0).u64(BAR2);
    assert_eq!(info[32..], sparse.0);
    assert!(file.is_some(), "a file to map");
    let info = client.call(client::REGION_INFO, &ask(64, 7)).expect("information");
    assert_eq!(info, body().u32(32).u32(3).u32(7).u32(0).u64(4096).u64(0).0);
    for (argsz, index) in [(64, 9), (64, u32::MAX), (31, 0), (0, 0)] {
        assert_eq!(client.call(client::REGION_INFO, &ask(argsz, index)).expect_err("refused").errno(), EINVAL);
    }
    for (index, count) in [(0, 0), (1, 0), (2, u32::from(VECTORS)), (3, 1), (4, 1)] {
        let info = client.call(client::IRQ_INFO, &body().u32(16).u32(0).u32(index).u32(0)).expect("information");
        let flags = if count == 0 { 0 } else { 9 };
        assert_eq!(info, body().u32(16).u32(flags).u32(index).u32(count).0);
    }
    assert_eq!(client.call(client::IRQ_INFO, &body().u32(16).u32(0).u32(5).u32(0)).expect_err("no").errno(), EINVAL);
}

#[test]
fn mappings_are_checked() {
    let (_folder, served) = serve("map");
    let mut client = Client::new(&served.socket);
    let file = memfd(0x4000, true);
    client.map(READ_WRITE, 0x1000, 0x8000, 0x3000, Some(&file)).expect("mapped");
    for (flags, offset, iova, size, errno) in [
        (READ_WRITE, 0, 0x9000, 0x1000, EEXIST),
        (READ_WRITE, 0, 0x7000, 0x1001, EEXIST),
        (READ_WRITE, 0, 0x2_0000, 0x4001, EINVAL),
        (READ_WRITE, 0x4000, 0x2_0000, 0x1000, EINVAL),
        (READ_WRITE, u64::MAX, 0x2_0000, 0x1000, EINVAL),
        (READ_WRITE, 0, 0x2_0000, u64::MAX, EINVAL),
        (READ_WRITE, 0, 0x2_0000, 0, EINVAL),
        (READ_WRITE, 0, u64::MAX, 0x1000, EINVAL),
        (0, 0, 0x2_0000, 0x1000, EINVAL),
        (4, 0, 0x2_0000, 0x1000, EINVAL),
        (u32::MAX, 0, 0x2_0000, 0x1000, EINVAL),
    ] {
        let refusal = client.map(flags, offset, iova, size, Some(&file)).expect_err("refused");
        assert_eq!(refusal.errno(), errno, "{flags} {offset:#x} {iova:#x} {size:#x}");
    }
    // Memory that its owner could take away while the device uses it, and what is no memory at all.
    let unsealed = memfd(0x1000, false);
    assert_eq!(client.map(READ_WRITE, 0, 0x2_0000, 0x1000, Some(&unsealed)).expect_err("refused").errno(), EPERM);
    let odd: OwnedFd = std::fs::File::open("/dev/zero").expect("there").into();
    client.map(READ_WRITE, 0, 0x2_0000, 0x1000, Some(&odd)).expect_err("no memory");
    let two = body().u32(32).u32(READ_WRITE).u64(0).u64(0x2_0000).u64(0x1000);
    assert_eq!(client.call_with(client::DMA_MAP, &two, &[&file, &file]).expect_err("two files").errno(), EINVAL);
    // Without a file: a guest's ROM. Nothing to reach, and no reason to fail.
    client.map(READ_WRITE, 0, 0xf_0000, 0x1000, None).expect("ignored");
    assert_eq!(client.register(reg::MAPPINGS), 1);

    // A direction is kept.
    client.map(1, 0, 0x10_0000, 0x1000, Some(&file)).expect("mapped");
    assert!(!dma(&mut client, 0x10_0000, 16, 99), "the device may only read there");
    assert!(dma(&mut client, 0x8ff8, 16, 99), "and write here");

    client.unmap(0, 0x50_0000, 0x1000).expect("nothing there is unmapped already");
    client.unmap(0, 0, 1 << 63).expect("the low half");
    assert_eq!(client.register(reg::MAPPINGS), 0);
    assert_eq!(client.unmap(8, 0, 0x1000).expect_err("no such flag").errno(), EINVAL);
    client.map(READ_WRITE, 0, 0x8000, 0x1000, Some(&file)).expect("mapped again");
    client.unmap(2, 0, 0).expect("all");
    assert_eq!(client.register(reg::MAPPINGS), 0);

    // As a guest's virtual IOMMU does it: page by page, over one file.
    let file = memfd(1 << 22, true);
    let mut full = 0;
    for page in 0..1024u64 {
        match client.map(READ_WRITE, (page * 7 % 1024) << 12, page << 12, 0x1000, Some(&file)) {
            Ok(()) => {}
            Err(refusal) => {
                assert_eq!(refusal.errno(), ENOSPC);
                full += 1;
            }
        }
    }
    assert_eq!((client.register(reg::MAPPINGS), full), (1000, 24));
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let mapped = maps.lines().filter(|line| line.contains("memfd:test")).count();
    assert!(mapped <= 2, "{mapped} mappings of one file");
    assert!(dma(&mut client, 0x10_0f00, 0x3000, 99), "a buffer over scattered pages");
    let summary = served.stop().expect("a summary");
    assert_eq!(summary.clients.unreachable, 1);
}

#[test]
fn interrupts_are_set_and_taken_away() {
    let (_folder, served) = serve("irq");
    let mut client = Client::new(&served.socket);
    let events: Vec<EventFd> = (0..17).map(|_| EventFd::new().expect("an eventfd")).collect();
    let fds: Vec<OwnedFd> = events.iter().map(copy).collect();
    let fds: Vec<&OwnedFd> = fds.iter().collect();
    client.map(READ_WRITE, 0, 0, 0x1000, Some(&memfd(0x1000, true))).expect("mapped");
    client.set_irqs(EVENTFD_TRIGGER, MSIX, 4, 16, &fds[..16]).expect("set");
    assert!(dma(&mut client, 0, 16, 19));
    assert_eq!(events[15].take().expect("a count"), 1, "vector 19 is the 16th");

    // QEMU: a range without descriptors takes them away.
    client.set_irqs(EVENTFD_TRIGGER, MSIX, 19, 1, &[]).expect("taken away");
    assert!(dma(&mut client, 0, 16, 19));
    assert_eq!(events[15].take().expect("a count"), 0);
    // A client tries its wiring out.
    client.set_irqs(NONE_TRIGGER, MSIX, 4, 2, &[]).expect("triggered");
    let picked = body().u32(20).u32(2 | 32).u32(MSIX).u32(5).u32(3).bytes(&[1, 0, 1]);
    client.call(client::SET_IRQS, &picked).expect("triggered");
    let counts: Vec<u64> = events[..4].iter().map(|event| event.take().expect("a count")).collect();
    assert_eq!(counts, [1, 2, 0, 1]);
    client.set_irqs(NONE_TRIGGER, MSIX, 0, 0, &[]).expect("all taken away");
    assert!(dma(&mut client, 0, 16, 4));
    assert_eq!(events[0].take().expect("a count"), 0);
    // Error and request have one each; the server asks for the device when it ends.
    client.set_irqs(EVENTFD_TRIGGER, 4, 0, 1, &fds[16..]).expect("set");

    for (flags, index, start, count, with) in [
        (EVENTFD_TRIGGER, MSIX, 0, u32::from(VECTORS) + 1, 0),
        (EVENTFD_TRIGGER, MSIX, u32::from(VECTORS), 1, 1),
        (EVENTFD_TRIGGER, MSIX, u32::MAX, 1, 1),
        (EVENTFD_TRIGGER, MSIX, 0, u32::MAX, 0),
        (EVENTFD_TRIGGER, MSIX, 0, 2, 1),
        (EVENTFD_TRIGGER, MSIX, 0, 1, 2),
        (EVENTFD_TRIGGER, 0, 0, 1, 1),
        (EVENTFD_TRIGGER, 4, 0, 2, 2),
        (EVENTFD_TRIGGER, 5, 0, 1, 1),
        (NONE_TRIGGER, MSIX, 3, 0, 0),
        (4, MSIX, 0, 1, 1),
        (4 | 8, MSIX, 0, 1, 1),
        (7 | 32, MSIX, 0, 1, 1),
        (2 | 32, MSIX, 0, 1, 0),
        (u32::MAX, MSIX, 0, 1, 1),
    ] {
        let refusal = client.set_irqs(flags, index, start, count, &fds[..with]).expect_err("refused");
        assert_eq!(refusal.errno(), EINVAL, "{flags} {index} {start} {count} {with}");
    }
    // A full pipe would block the device.
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let pipe: OwnedFd = writer.into();
    assert_eq!(client.set_irqs(EVENTFD_TRIGGER, MSIX, 0, 1, &[&pipe]).expect_err("no eventfd").errno(), EINVAL);
    served.stop().expect("a summary");
    assert_eq!(events[16].take().expect("a count"), 1, "the device was asked for");
}

#[test]
fn what_wants_no_answer_gets_none() {
    let (_folder, served) = serve("posted");
    let mut client = Client::new(&served.socket);
    const NO_REPLY: u32 = 1 << 4;
    for n in 0..1000u32 {
        let write = body().u64(reg::SCRATCH).u32(0).u32(4).u32(n);
        client.send(client::REGION_WRITE, NO_REPLY, &write, &[]).expect("sent");
        // Refused, and still no answer.
        client.send(client::REGION_WRITE, NO_REPLY, &body().u64(1 << 40).u32(0).u32(4).u32(n), &[]).expect("sent");
    }
    assert_eq!(client.register(reg::SCRATCH), 999, "writes are done in order before the read");
}

#[test]
fn the_next_client_finds_the_device_as_the_last_one_left_it() {
    let (_folder, served) = serve("next");
    let mut first = Client::new(&served.socket);
    let event = EventFd::new().expect("an eventfd");
    first.set_register(reg::SCRATCH, 42);
    first.map(READ_WRITE, 0, 0, 0x1000, Some(&memfd(0x1000, true))).expect("mapped");
    first.set_irqs(EVENTFD_TRIGGER, MSIX, 0, 1, &[&copy(&event)]).expect("set");
    assert!(dma(&mut first, 0, 16, 0));
    assert_eq!(event.take().expect("a count"), 1);
    // The second one waits for the first to go: in the middle of a message.
    let path = served.socket.clone();
    let second = std::thread::spawn(move || Client::new(&path));
    first.stream.write_all(&client::message(9, client::REGION_WRITE, 0, &[0; 20])[..30]).expect("sent");
    drop(first);
    let mut second = second.join().expect("a client");
    assert_eq!(second.register(reg::SCRATCH), 42, "state stays");
    assert_eq!((second.register(reg::MAPPINGS), second.register(reg::DISCONNECTS)), (0, 1), "memory goes");
    assert!(!dma(&mut second, 0, 16, 0));
    second.map(READ_WRITE, 0, 0, 0x1000, Some(&memfd(0x1000, true))).expect("mapped");
    assert!(dma(&mut second, 0, 16, 0));
    assert_eq!(event.take().expect("a count"), 0, "interrupts go");
    let summary = served.stop().expect("a summary");
    assert_eq!((summary.clients.connections, summary.clients.broken), (2, 1));
    assert_eq!(summary.complaints.len(), 1, "{:?}", summary.complaints);
}

/// True if the server closes: orderly, or with a reset if it has not read all that was sent; before that one refusal at
/// the most.
fn ended(client: &mut Client) -> bool {
    match std::io::copy(&mut client.stream, &mut std::io::sink()) {
        Ok(answer) => answer <= 16,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn conversations_that_cannot_go_on_end_and_the_next_client_is_served() {
    let (_folder, served) = serve("ends");
    let version = |major: u16| client::message(0, client::VERSION, 0, &body().u16(major).u16(0).0);
    let read = client::message(1, client::REGION_READ, 0, &body().u64(0).u32(0).u32(4).0);
    let mut long = version(0);
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut short = version(0);
    short[4..8].copy_from_slice(&15u32.to_le_bytes());
    let mut reply = version(0);
    reply[8] = 1;
    for (what, bytes) in [
        ("a command before the version", read),
        ("a version of the future", version(1)),
        ("an endless message", long),
        ("a message shorter than its header", short),
        ("a reply", reply),
        ("no version in the version", client::message(0, client::VERSION, 0, &[0; 3])),
    ] {
        let mut client = Client::silent(&served.socket);
        client.stream.write_all(&bytes).expect("sent");
        assert!(ended(&mut client), "{what} is no conversation");
    }
    // The client's own end, with the half of a message: if the server kept it, the client could not even go.
    let mut client = Client::new(&served.socket);
    let own = copy(&client.stream);
    client.stream.send_with_fd(&client::message(1, client::DMA_MAP, 0, &[0; 32])[..40], own.as_raw_fd()).expect("sent");
    drop(own);
    assert!(ended(&mut client), "a socket is no part of a conversation");
    // 17 descriptors in one message.
    let mut client = Client::new(&served.socket);
    let event = EventFd::new().expect("an eventfd");
    let fds: Vec<OwnedFd> = (0..17).map(|_| copy(&event)).collect();
    let fds: Vec<&OwnedFd> = fds.iter().collect();
    let ask = body().u32(20).u32(EVENTFD_TRIGGER).u32(MSIX).u32(0).u32(17);
    client.call_with(client::SET_IRQS, &ask, &fds).expect_err("too many");
    assert_eq!(Client::new(&served.socket).register(reg::MAGIC), MAGIC);
    let summary = served.stop().expect("a summary");
    assert_eq!((summary.clients.connections, summary.clients.broken), (3, 8));
}

#[test]
fn a_device_that_breaks_is_told_and_not_served() {
    let (folder, served) = serve("broken");
    let mut client = Client::new(&served.socket);
    let event = EventFd::new().expect("an eventfd");
    client.set_irqs(EVENTFD_TRIGGER, 3, 0, 1, &[&copy(&event)]).expect("set");
    let write = body().u64(reg::PANIC).u32(0).u32(4).u32(1);
    client.call(client::REGION_WRITE, &write).expect_err("no answer");
    let error = served.join().expect_err("the device is broken");
    assert!(error.to_string().contains("asked to break") || error.to_string().contains("panicked"), "{error}");
    assert_eq!(error.diagnostic().code, offwire_diag::codes::device::SERVE_FAILED);
    assert!(!folder.path("s").exists(), "the socket is gone");
}

#[test]
fn a_service_ends_while_a_client_is_there() {
    let (folder, served) = serve("stop");
    let mut client = Client::new(&served.socket);
    assert_eq!(client.register(reg::MAGIC), MAGIC);
    served.stop().expect("a summary");
    assert!(!folder.path("s").exists(), "the socket is gone");
    let write = body().u64(reg::SCRATCH).u32(0).u32(4).u32(1);
    assert!(client.call(client::REGION_WRITE, &write).is_err(), "nobody is there");
}
