//! A client that says anything: the server survives, keeps nothing, and serves the next one.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use common::client::{self, Body, Client, body, copy, memfd};
use common::{Folder, MAGIC, Served, Small, reg};
use device_model::host::HostConfig;
use offwire_hostif::TimeMode;
use offwire_hostmem::EventFd;
use offwire_isa::Profile;
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

/// Messages in all; OFFWIRE_MESSAGES sets another number.
fn messages() -> u64 {
    std::env::var("OFFWIRE_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// A number that hurts.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            3 => (1u64 << self.below(64)).wrapping_sub(1),
            4 => 0x1000 * self.below(20),
            5 => u64::from(u32::MAX),
            _ => self.below(64),
        }
    }
}

/// A good message of some command, and how many descriptors belong to it.
fn good(random: &mut Random) -> (u16, Body, usize) {
    let page = 0x1000;
    match random.below(10) {
        0 => (client::VERSION, body().u16(0).u16(1).bytes(b"{}\0"), 0),
        1 | 2 => {
            let iova = random.below(40) * page;
            (client::DMA_MAP, body().u32(32).u32(3).u64(0).u64(iova).u64(page * (1 + random.below(3))), 1)
        }
        3 => {
            let iova = random.below(40) * page;
            (client::DMA_UNMAP, body().u32(24).u32(0).u64(iova).u64(page * random.below(9)), 0)
        }
        4 => (client::REGION_INFO, body().u32(64).u32(0).u32(random.below(10) as u32).u32(0).u64(0).u64(0), 0),
        5 => (client::IRQ_INFO, body().u32(16).u32(0).u32(random.below(6) as u32).u32(0), 0),
        6 => {
            let count = random.below(4) as u32;
            (client::SET_IRQS, body().u32(20).u32(36).u32(2).u32(random.below(30) as u32).u32(count), count as usize)
        }
        7 => {
            let region = [0, 2, 4, 7][random.below(4) as usize];
            (client::REGION_READ, body().u64(4 * random.below(1000)).u32(region).u32(4), 0)
        }
        8 => {
            let region = [0, 2, 4, 7][random.below(4) as usize];
            // Not the register that breaks the small device on purpose. The first rings lie from 0x1000 on.
            let at = match 4 * random.below(1000) + if region == 0 { 0x1000 * random.below(2) } else { 0 } {
                reg::PANIC => 0,
                at => at,
            };
            (client::REGION_WRITE, body().u64(at).u32(region).u32(4).u32(random.next() as u32), 0)
        }
        _ => (client::RESET, body(), 0),
    }
}

/// The bytes of one message, good or not, and its descriptors.
fn any(random: &mut Random) -> (Vec<u8>, usize) {
    let (mut command, Body(mut payload), mut fds) = good(random);
    let writes_panic = |payload: &[u8]| payload.len() >= 16 && payload[..8] == reg::PANIC.to_le_bytes();
    if random.below(3) > 0 {
        for _ in 0..=random.below(3) {
            match random.below(7) {
                0 if payload.len() >= 4 => {
                    let at = random.below(payload.len() as u64 - 3) as usize & !3;
                    payload[at..at + 4].copy_from_slice(&(random.number() as u32).to_le_bytes());
                }
                1 if payload.len() >= 8 => {
                    let at = random.below(payload.len() as u64 - 7) as usize & !7;
                    payload[at..at + 8].copy_from_slice(&random.number().to_le_bytes());
                }
                2 if !payload.is_empty() => {
                    let at = random.below(payload.len() as u64) as usize;
                    payload[at] ^= 1 << random.below(8);
                }
                3 => payload.truncate(random.below(payload.len() as u64 + 1) as usize),
                4 => payload.resize(payload.len() + random.below(5000) as usize, random.next() as u8),
                5 => command = random.below(20) as u16,
                _ => fds = random.below(18) as usize,
            }
        }
    }
    if writes_panic(&payload) {
        payload[0] = 0;
    }
    let flags = if random.below(6) == 0 { 1 << 4 } else { 0 };
    let mut bytes = client::message(random.next() as u16, command, flags, &payload);
    match random.below(200) {
        0 => bytes[4..8].copy_from_slice(&(random.number() as u32).to_le_bytes()),
        1 => bytes[8..12].copy_from_slice(&(random.number() as u32).to_le_bytes()),
        2 => bytes.truncate(random.below(bytes.len() as u64) as usize),
        _ => {}
    }
    (bytes, fds)
}

/// Takes all answers that are there; false once the server has closed.
fn drain(client: &mut Client) -> bool {
    let mut buffer = [0; 1 << 16];
    client.stream.set_nonblocking(true).expect("a socket");
    let open = loop {
        match client.stream.read(&mut buffer) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == std::io::ErrorKind::WouldBlock,
        }
    };
    client.stream.set_nonblocking(false).expect("a socket");
    open
}

/// Descriptors that this process, which is the server too, holds.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// A well-behaved conversation with the small device.
fn check(socket: &Path, seed: u64) {
    let mut client = Client::new(socket);
    assert_eq!(client.register(reg::MAGIC), MAGIC, "seed {seed}");
    assert_eq!(client.register(reg::MAPPINGS), 0, "seed {seed}: a mapping of the last client is left");
    client.map(3, 0, 0x1000, 0x1000, Some(&memfd(0x1000, true))).expect("mapped");
    client.set_register(reg::SCRATCH, seed as u32);
    assert_eq!(client.register(reg::SCRATCH), seed as u32);
}

/// Sends mutated conversations and checks in between that the device is well.
fn attack(served: Served, total: u64, check: impl Fn(&Path, u64)) {
    let event = copy(&EventFd::new().expect("an eventfd"));
    let files = [memfd(0x3000, true), memfd(0x1000, false), event];
    check(&served.socket, 0);
    let before = descriptors();
    let (mut sent, mut seed) = (0, 0u64);
    while sent < total {
        seed += 1;
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut client =
            if random.below(20) == 0 { Client::silent(&served.socket) } else { Client::new(&served.socket) };
        let strange = copy(&client.stream);
        for _ in 0..1 + random.below(40) {
            let (bytes, fds) = any(&mut random);
            // Now and then the client's own end, which the server must not keep.
            let other = if random.below(100) == 0 { &strange } else { &files[0] };
            let fds: Vec<&OwnedFd> = (0..fds).map(|_| files.get(random.below(8) as usize).unwrap_or(other)).collect();
            let raw: Vec<i32> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
            sent += 1;
            let done = if bytes.is_empty() {
                Ok(0)
            } else if raw.is_empty() {
                client.stream.write(&bytes)
            } else {
                client
                    .stream
                    .send_with_fds(&[&bytes[..]], &raw)
                    .map_err(|e| std::io::Error::from_raw_os_error(e.errno()))
            };
            if done.is_err() || !drain(&mut client) {
                break;
            }
        }
        // The server is to see all of it before it sees the end. It may have closed already.
        drop(strange);
        let _ = client.stream.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut client.stream, &mut std::io::sink());
        if seed % 16 == 0 {
            check(&served.socket, seed);
        }
    }
    check(&served.socket, seed);
    // The last client's descriptors go once the server has seen that it is gone.
    common::until("no descriptor of a client is left", || descriptors() <= before);
    let summary = served.stop().expect("the server survives");
    assert!(summary.clients.broken > 100, "the conversations were too good: {summary:?}");
    assert!(summary.clients.messages > sent / 2, "the conversations ended too early: {summary:?}");
    assert!(summary.clients.refused > sent / 10, "{summary:?}");
}

/// Both in one test: they count the descriptors of the process.
#[test]
fn mutated_conversations_hurt_nobody_but_their_client() {
    let folder = Folder::new("hostile");
    let total = messages();
    attack(Served::start(Small::new(), &folder.path("s"), TimeMode::Virtual, &[]), total, check);

    // The same to the device itself, which does more with what it is sent: rings start at any address, resets come at
    // any time.
    let profile = Profile::by_name("small").expect("a profile");
    let (function, doorbells) = offwire_serve::device(HostConfig::new(profile)).expect("a device");
    let served = Served::start_any(function, doorbells, &folder.path("h"), &[]);
    attack(served, total, |socket, seed| {
        let mut client = Client::new(socket);
        assert_eq!(&client.read(0, 0, 4).expect("the first register"), b"OFWR", "seed {seed}");
    });
}

#[test]
fn a_client_that_takes_no_answers_does_not_keep_the_device() {
    let folder = Folder::new("deaf");
    let served = Served::start(Small::new(), &folder.path("s"), TimeMode::Virtual, &[]);
    let mut client = Client::new(&served.socket);
    client.stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    // Answers of 8 KiB to questions of 32 B: the server's side fills first.
    let question = client::message(1, client::REGION_READ, 0, &body().u64(0).u32(2).u32(0x2000).0);
    while client.stream.write_all(&question).is_ok() {}
    let waiting = served.socket.clone();
    let next = std::thread::spawn(move || check(&waiting, 1));
    next.join().expect("the next client is served");
    let summary = served.stop().expect("a summary");
    assert_eq!((summary.clients.connections, summary.clients.broken), (2, 1));
}

#[test]
fn a_client_that_stays_in_the_middle_of_a_message_does_not_keep_the_server_from_ending() {
    let folder = Folder::new("half");
    let served = Served::start(Small::new(), &folder.path("s"), TimeMode::Virtual, &[]);
    let mut client = Client::new(&served.socket);
    client.stream.write_all(&client::message(1, client::REGION_WRITE, 0, &[0; 20])[..17]).expect("sent");
    std::thread::sleep(Duration::from_millis(20));
    served.stop().expect("a summary");
}
