//! Wires: captures, datagrams, TAP, and what each time mode makes of them.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use common::client::Client;
use common::{Folder, LATENCY, Served, Small, reg, until};
use offwire_capture::Capture;
use offwire_hostif::TimeMode;
use offwire_serve::{PortCounters, ServeError, Service};

/// A frame that can be told from others.
fn frame(n: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[14..18].copy_from_slice(&n.to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame[14..].first_chunk().expect("a number"))
}

/// Writes a capture of frames at nanoseconds.
fn capture(path: &Path, packets: &[(u64, Vec<u8>)]) {
    let bytes = offwire_capture::write(packets.iter().map(|(ns, frame)| (*ns, frame.as_slice())));
    std::fs::write(path, bytes).expect("written");
}

fn read(path: &Path) -> Capture {
    offwire_capture::read(&std::fs::read(path).expect("there")).expect("a capture")
}

fn pcap(port: u16, input: &Path, output: &Path) -> String {
    format!("{port}=pcap:{},{}", input.display(), output.display())
}

/// Times on 2026-01-01 and later, microsecond-unfriendly.
const START: u64 = 1_767_225_600_000_000_007;

#[test]
fn captures_play_in_virtual_time_and_repeat_to_the_nanosecond() {
    let folder = Folder::new("virtual");
    let (a, b) = (folder.path("a.pcap"), folder.path("b.pcap"));
    // More than a burst, a year of device time in a moment, two ports that interleave.
    let times = |port: u64| (0..1500u64).map(move |n| (START + port * 4 + n * 8 + n / 750 * 31_536_000_000_000_000, n));
    for (port, path) in [(0, &a), (1, &b)] {
        let packets: Vec<_> = times(port).map(|(ns, n)| (ns, frame(n as u32, 60 + n as usize % 1000))).collect();
        capture(path, &packets);
    }
    let (out_a, out_b) = (folder.path("oa.pcap"), folder.path("ob.pcap"));
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let ports = [pcap(0, &a, &out_a), pcap(1, &b, &out_b)];
        let served =
            Served::start(Small::open(), &folder.path("s"), TimeMode::Virtual, &ports.each_ref().map(String::as_str));
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        until("all packets are written", || size(&out_a) == size(&b) && size(&out_b) == size(&a));
        let summary = served.stop().expect("a summary");
        let all = PortCounters { received: 1500, sent: 1500, ..PortCounters::default() };
        assert_eq!(summary.ports, [(0, all), (1, all)]);
        outcomes.push((std::fs::read(&out_a).expect("there"), std::fs::read(&out_b).expect("there")));
        let out = read(&out_b);
        for (packet, (ns, n)) in out.packets.iter().zip(times(0)) {
            assert_eq!((number(&packet.bytes), packet.ts_ns), (n as u32, ns + LATENCY * 4), "4 ns a cycle");
        }
    }
    assert!(outcomes[0] == outcomes[1], "two runs differ");
}

#[test]
fn captures_wait_for_their_ports_and_go_on_after_a_reset() {
    let folder = Folder::new("open");
    let (input, output) = (folder.path("in.pcap"), folder.path("out.pcap"));
    capture(&input, &[(START, frame(1, 60))]);
    let ports = [format!("0=pcap:{}", input.display()), format!("1=pcap:,{}", output.display())];
    let served =
        Served::start(Small::new(), &folder.path("s"), TimeMode::Virtual, &ports.each_ref().map(String::as_str));
    let mut client = Client::new(&served.socket);
    std::thread::sleep(Duration::from_millis(30));
    let header = 24;
    assert_eq!(std::fs::metadata(&output).expect("there").len(), header, "port 0 is closed");
    client.set_register(reg::OPEN, 2);
    client.call(common::client::RESET, &common::client::body()).expect("reset");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(std::fs::metadata(&output).expect("there").len(), header, "port 1 has no capture to wait for");
    client.set_register(reg::OPEN, 1);
    until("the packet is written", || std::fs::metadata(&output).expect("there").len() > header);
    served.stop().expect("a summary");
    assert_eq!(read(&output).packets[0].ts_ns, START + LATENCY * 4);
}

#[test]
fn in_free_time_frames_follow_each_other_at_the_ports_rate() {
    let folder = Folder::new("free");
    let (input, output) = (folder.path("in.pcap"), folder.path("out.pcap"));
    // An hour apart; nobody waits for it.
    let packets: Vec<_> = (0..100u64).map(|n| (START + n * 3_600_000_000_000, frame(n as u32, 60))).collect();
    capture(&input, &packets);
    let ports = [format!("0=pcap:{}", input.display()), format!("1=pcap:,{}", output.display())];
    let served = Served::start(Small::open(), &folder.path("s"), TimeMode::Free, &ports.each_ref().map(String::as_str));
    let written = 24 + 100 * (16 + 60);
    until("all packets are written", || std::fs::metadata(&output).is_ok_and(|file| file.len() == written));
    served.stop().expect("a summary");
    let out = read(&output);
    // 84 B at 100 Gbit/s are 1.68 cycles of 4 ns.
    for (n, packet) in (0u64..).zip(&out.packets) {
        assert_eq!((number(&packet.bytes), packet.ts_ns), (n as u32, START + (n * 168 / 100 + LATENCY) * 4));
    }
}

#[test]
fn a_capture_waits_for_a_slow_model() {
    let folder = Folder::new("slow");
    let (input, output) = (folder.path("in.pcap"), folder.path("out.pcap"));
    let packets: Vec<_> = (0..5000u64).map(|n| (START + n * 8, frame(n as u32, 60))).collect();
    capture(&input, &packets);
    for time in [TimeMode::Virtual, TimeMode::Free] {
        let (mut small, doorbells) = Small::open();
        (small.slice, small.flights) = (10, 1000);
        let ports = [format!("0=pcap:{}", input.display()), format!("1=pcap:,{}", output.display())];
        let served = Served::start((small, doorbells), &folder.path("s"), time, &ports.each_ref().map(String::as_str));
        let written = 24 + 5000 * (16 + 60);
        until("all packets are written", || std::fs::metadata(&output).is_ok_and(|file| file.len() == written));
        let summary = served.stop().expect("a summary");
        assert_eq!((summary.ports[0].1.received, summary.ports[0].1.refused), (5000, 0), "{time:?}");
        std::fs::remove_file(&output).expect("removed");
    }
}

#[test]
fn in_real_time_nothing_arrives_before_its_time() {
    let folder = Folder::new("real");
    let (input, output) = (folder.path("in.pcap"), folder.path("out.pcap"));
    let packets: Vec<_> = (0..5u64).map(|n| (START + n * 20_000_000, frame(n as u32, 60))).collect();
    capture(&input, &packets);
    let ports = [format!("0=pcap:{}", input.display()), format!("1=pcap:,{}", output.display())];
    let start = std::time::Instant::now();
    let served = Served::start(Small::open(), &folder.path("s"), TimeMode::Real, &ports.each_ref().map(String::as_str));
    let written = 24 + 5 * (16 + 60);
    until("all packets are written", || std::fs::metadata(&output).is_ok_and(|file| file.len() == written));
    assert!(start.elapsed() >= Duration::from_millis(80), "four gaps of 20 ms");
    served.stop().expect("a summary");
    let out = read(&output);
    for pair in out.packets.windows(2) {
        assert_eq!(pair[1].ts_ns - pair[0].ts_ns, 20_000_000, "device time is real time");
    }
}

#[test]
fn a_model_that_is_too_slow_for_real_time_drops_at_the_wire() {
    let folder = Folder::new("late");
    let (own, peer) = (folder.path("own"), folder.path("peer"));
    let host = UnixDatagram::bind(&peer).expect("bound");
    let (mut small, doorbells) = Small::open();
    small.stuck = true;
    let polls = small.polls();
    // A turn takes all that has come before it runs the device.
    let turns = || {
        let before = polls.load(std::sync::atomic::Ordering::Relaxed);
        until("some turns", || polls.load(std::sync::atomic::Ordering::Relaxed) > before + 2);
    };
    let ports = format!("0=unix:{},{}", own.display(), peer.display());
    let served = Served::start((small, doorbells), &folder.path("s"), TimeMode::Real, &[&ports]);
    host.send_to(&frame(0, 60), &own).expect("sent");
    turns();
    std::thread::sleep(Duration::from_millis(30));
    for n in 1..=10 {
        host.send_to(&frame(n, 60), &own).expect("sent");
    }
    turns();
    let summary = served.stop().expect("a summary");
    assert_eq!(summary.ports, [(0, PortCounters { received: 11, late: 10, ..PortCounters::default() })]);
}

#[test]
fn datagrams_are_frames() {
    let folder = Folder::new("datagram");
    let path = |name: &str| folder.path(name);
    let ports: Vec<String> = (0..2)
        .map(|n| format!("{n}=unix:{},{}", path(&format!("own{n}")).display(), path(&format!("peer{n}")).display()))
        .collect();
    let hosts = [0, 1].map(|n| UnixDatagram::bind(path(&format!("peer{n}"))).expect("bound"));
    hosts.iter().for_each(|host| host.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout"));
    let served =
        Served::start(Small::open(), &path("s"), TimeMode::Free, &ports.iter().map(String::as_str).collect::<Vec<_>>());
    let mut buffer = [0; 10_000];
    for n in 0..500u32 {
        let (from, to) = (n as usize % 2, 1 - n as usize % 2);
        let sent = frame(n, 60 + n as usize * 6);
        hosts[from].send_to(&sent, path(&format!("own{from}"))).expect("sent");
        let len = hosts[to].recv(&mut buffer).expect("a frame");
        assert!(buffer[..len] == sent, "frame {n} has changed");
    }
    // Too short, too long for the device, too long for a wire: counted, and the next one passes.
    for len in [0, 13, 3521, 9500] {
        hosts[0].send_to(&vec![1; len], path("own0")).expect("sent");
    }
    hosts[0].send_to(&frame(7, 60), path("own0")).expect("sent");
    assert_eq!(hosts[1].recv(&mut buffer).expect("a frame"), 60);
    // Nobody there: the wire is cut, and mended.
    drop(hosts);
    std::fs::remove_file(path("peer1")).expect("removed");
    let host = UnixDatagram::unbound().expect("a socket");
    host.send_to(&frame(8, 60), path("own0")).expect("sent");
    std::thread::sleep(Duration::from_millis(50));
    let mended = UnixDatagram::bind(path("peer1")).expect("bound");
    mended.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    host.send_to(&frame(9, 60), path("own0")).expect("sent");
    let len = mended.recv(&mut buffer).expect("a frame");
    assert_eq!((len, number(&buffer)), (60, 9));
    let summary = served.stop().expect("a summary");
    let [(0, zero), (1, one)] = summary.ports[..] else { panic!("two ports: {summary:?}") };
    assert_eq!((zero.sent, zero.refused), (250, 4));
    assert_eq!((one.received, one.sent, one.unsent), (250, 252, 1));
    assert!(summary.complaints.is_empty(), "{summary:?}");
    assert!(!path("own0").exists() && !path("own1").exists(), "the sockets are gone");
}

#[test]
fn what_cannot_be_had_is_told_before_anything_is_served() {
    let folder = Folder::new("refused");
    let no_capture = folder.path("no.pcap");
    std::fs::write(&no_capture, "not a capture").expect("written");
    let service = |socket: &Path, ports: &[String]| {
        let (small, doorbells) = Small::open();
        let ports = ports.iter().map(|text| text.parse().expect("a port")).collect();
        Service::new(small, Some(doorbells), &offwire_serve::Options { socket: socket.to_owned(), ports })
    };
    let socket = folder.path("s");
    let refusal = |ports: &[&str]| {
        let ports: Vec<String> = ports.iter().map(|&text| text.to_owned()).collect();
        let refusal = service(&socket, &ports).err().expect("refused");
        assert!(!socket.exists(), "{refusal}: it listens all the same");
        refusal
    };
    assert!(matches!(refusal(&["4=tap:x"]), ServeError::Number { port: 4, .. }));
    assert!(matches!(refusal(&["0=pcap:,/dev/null", "0=pcap:,/dev/null"]), ServeError::Number { port: 0, .. }));
    assert!(matches!(refusal(&["0=pcap:/nowhere/x"]), ServeError::File { .. }));
    assert!(matches!(refusal(&["0=pcap:,/nowhere/x"]), ServeError::File { .. }));
    assert!(matches!(refusal(&[&format!("0=pcap:{}", no_capture.display())]), ServeError::Capture { .. }));
    assert!(matches!(refusal(&["1=afpacket:offwire-none"]), ServeError::Port { port: 1, .. }));
    assert!(matches!(refusal(&["1=unix:/nowhere/a,/nowhere/b"]), ServeError::Port { port: 1, .. }));
    let long = format!("1=unix:/tmp/a,/{}", "x".repeat(200));
    assert!(matches!(refusal(&[&long]), ServeError::Port { port: 1, .. }));
    assert!(matches!(service(Path::new("/nowhere/s"), &[]).err(), Some(ServeError::Socket { .. })));
    let first = service(&socket, &[]).expect("the first one listens");
    assert!(matches!(service(&socket, &[]).err(), Some(ServeError::Socket { .. })));
    drop(first);
    service(&socket, &[]).expect("the next one may");
}

#[test]
fn a_device_that_has_nothing_to_do_sleeps() {
    use std::sync::atomic::Ordering;
    let folder = Folder::new("idle");
    for time in TimeMode::ALL {
        let (small, doorbells) = Small::open();
        let polls = small.polls();
        let own = format!("0=unix:{},{}", folder.path("own").display(), folder.path("peer").display());
        let served = Served::start((small, doorbells), &folder.path("s"), time, &[&own]);
        let during = |ms: u64| {
            let before = polls.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(ms));
            polls.load(Ordering::Relaxed) - before
        };
        // Sleeps double from 20 us on.
        during(100);
        let alone = during(500);
        let mut client = Client::new(&served.socket);
        assert_eq!(client.register(reg::MAGIC), common::MAGIC);
        during(100);
        let watched = during(500);
        assert!(alone <= 10, "{time:?}: {alone} turns in half a second without a client");
        assert!((1..=60).contains(&watched), "{time:?}: {watched} turns in half a second to look at doorbells");
        served.stop().expect("a summary");
    }
}
