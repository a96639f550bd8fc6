//! Hosts in network namespaces of their own, with the device between them. Needs root; without it the tests say so and
//! pass.
#![cfg(target_os = "linux")]

mod common;

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::hosts::{Host, alone, must, run, two_hosts};
use common::{Folder, Served, Small};
use offwire_harness::require::skip_or_fail;
use offwire_hostif::TimeMode;

fn serve(folder: &Folder, ports: &[&str]) -> Served {
    Served::start(Small::open(), &folder.path("s"), TimeMode::Real, ports)
}

#[test]
fn hosts_ping_each_other_through_the_device() {
    alone(|| {
        let folder = Folder::new("ping");
        let hosts = two_hosts();
        let served = serve(&folder, &["0=afpacket:sw0", "1=afpacket:sw1"]);
        let said = hosts[0].must("ping -c 20 -i 0.01 -W 5 -q 10.9.0.2");
        assert!(said.contains(" 0% packet loss"), "{said}");
        let summary = served.stop().expect("a summary");
        let [(0, zero), (1, one)] = summary.ports[..] else { panic!("two ports: {summary:?}") };
        // 20 echoes each way, and ARP.
        assert!(zero.received >= 21 && one.received >= 21, "{summary:?}");
        assert_eq!((zero.sent, one.sent), (one.received, zero.received), "{summary:?}");
        assert!(summary.complaints.is_empty(), "{summary:?}");
    });
}

/// A server and a client of TCP for the hosts, which send each other `len` bytes and check them.
const TALK: &str = "
import socket, sys, threading
role, address, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = bytes(i * 7 % 251 for i in range(1 << 16)) * (size >> 16)
if role == 'serve':
    listener = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 7777)); listener.listen(); print('ready', flush=True)
    peer = listener.accept()[0]
else:
    peer = socket.create_connection((address, 7777), 10)
peer.settimeout(20)
def send():
    peer.sendall(data); peer.shutdown(socket.SHUT_WR)
sender = threading.Thread(target=send); sender.start()
got = bytearray()
while True:
    part = peer.recv(1 << 20)
    if not part: break
    got += part
sender.join()
sys.exit(0 if bytes(got) == data else 1)
";

/// One TCP connection with as much data in each direction.
fn talk(folder: &Folder, hosts: &[Host; 2], address: &str, bytes: usize) {
    let script = folder.path("talk.py");
    std::fs::write(&script, TALK).expect("written");
    let line = |host: &Host, role: &str| host.line(&format!("python3 {} {role} {address} {bytes}", script.display()));
    let server = line(&hosts[1], "serve");
    let mut words = server.split_whitespace();
    let mut server = Command::new(words.next().expect("nsenter"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut ready = [0; 6];
    std::io::Read::read_exact(server.stdout.as_mut().expect("piped"), &mut ready).expect("the server is ready");
    let client = run(&line(&hosts[0], "connect"));
    if !client.status.success() {
        let _ = server.kill();
    }
    let status = server.wait().expect("ends");
    assert!(client.status.success() && status.success(), "{status}: {}", String::from_utf8_lossy(&client.stderr));
}

#[test]
fn what_a_stack_leaves_to_the_card_is_done() {
    alone(|| {
        if run("python3 -V").status.code() != Some(0) {
            skip_or_fail("namespaces", "it needs python3");
            return;
        }
        let folder = Folder::new("tcp");
        let hosts = two_hosts();
        for (n, host) in hosts.iter().enumerate() {
            host.must(&format!("ip -6 addr add fd09::{}/64 dev eth0 nodad", n + 1));
        }
        let served = serve(&folder, &["0=afpacket:sw0", "1=afpacket:sw1"]);
        // Segments of 64 KiB, checksums left out: what veth does by default.
        for address in ["10.9.0.2", "fd09::2"] {
            talk(&folder, &hosts, address, 2 << 20);
        }
        let summary = served.stop().expect("a summary");
        for (port, counters) in &summary.ports {
            // Twice 2 MiB in frames of 1,514 B at the most.
            assert!(counters.received > 2 * (2 << 20) / 1448, "port {port}: {counters:?}");
            assert_eq!((counters.refused, counters.unsent), (0, 0), "port {port}: {counters:?}");
        }
        assert!(summary.complaints.is_empty(), "{summary:?}");
    });
}

/// Sends frames of one number each: plain, tagged, tagged twice.
const TAGS: &str = "
import socket
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(('eth0', 0))
for n, tags in enumerate(['', '81002064', '88a80065' '81000066']):
    raw.send(bytes.fromhex('02' * 12 + tags + '88b5' + '%02x' % n) + bytes(50))
";

#[test]
fn a_tag_that_the_kernel_keeps_beside_the_frame_is_put_back() {
    alone(|| {
        if run("python3 -V").status.code() != Some(0) {
            skip_or_fail("namespaces", "it needs python3");
            return;
        }
        let folder = Folder::new("tag");
        let hosts = two_hosts();
        let peer = std::os::unix::net::UnixDatagram::bind(folder.path("peer")).expect("bound");
        peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let wire = format!("1=unix:{},{}", folder.path("own").display(), folder.path("peer").display());
        let served = serve(&folder, &["0=afpacket:sw0", &wire]);
        let script = folder.path("tags.py");
        std::fs::write(&script, TAGS).expect("written");
        hosts[0].must(&format!("python3 {}", script.display()));
        let tags: [&[u8]; 3] = [&[], &[0x81, 0, 0x20, 0x64], &[0x88, 0xa8, 0, 0x65, 0x81, 0, 0, 0x66]];
        let mut buffer = [0; 2000];
        for (n, tags) in (0u8..).zip(tags) {
            let frame = loop {
                let len = peer.recv(&mut buffer).expect("a frame");
                // What else the host says is not ours.
                if buffer[..len].starts_with(&[2; 12]) {
                    break &buffer[..len];
                }
            };
            let want = [&[2; 12][..], tags, &[0x88, 0xb5, n], &[0; 50]].concat();
            assert!(frame == want, "frame {n}: {frame:x?}");
        }
        served.stop().expect("a summary");
    });
}

#[test]
fn a_tap_device_is_a_port() {
    alone(|| {
        if !std::path::Path::new("/dev/net/tun").exists() {
            skip_or_fail("namespaces", "it needs /dev/net/tun");
            return;
        }
        let folder = Folder::new("tap");
        let host = Host::new();
        must(&format!("ip link add sw0 type veth peer name eth0 netns {}", host.0.id()));
        must("ip link set sw0 up");
        host.must("ip addr add 10.9.0.1/24 dev eth0");
        host.must("ip link set eth0 up");
        let served = serve(&folder, &["0=afpacket:sw0", "1=tap:tap7"]);
        // The device's other side is this namespace's own stack.
        must("ip addr add 10.9.0.2/24 dev tap7");
        let said = host.must("ping -c 5 -i 0.01 -W 5 -q 10.9.0.2");
        assert!(said.contains(" 0% packet loss"), "{said}");
        if run("python3 -V").status.code() == Some(0) {
            let script = folder.path("talk.py");
            std::fs::write(&script, TALK).expect("written");
            let mut server = Command::new("python3")
                .arg(&script)
                .args(["serve", "10.9.0.2", "1048576"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("starts");
            let mut ready = [0; 6];
            std::io::Read::read_exact(server.stdout.as_mut().expect("piped"), &mut ready).expect("ready");
            host.must(&format!("python3 {} connect 10.9.0.2 1048576", script.display()));
            assert!(server.wait().expect("ends").success());
        }
        let summary = served.stop().expect("a summary");
        assert!(summary.ports.iter().all(|(_, counters)| counters.refused == 0), "{summary:?}");
        // The device goes with its owner; a child of another test may hold its descriptor until it executes.
        common::until("the TAP device is gone", || !run("ip link show tap7").status.success());
    });
}

#[test]
fn an_interface_that_goes_away_is_told_and_the_others_work_on() {
    alone(|| {
        let folder = Folder::new("gone");
        let hosts = two_hosts();
        must("ip link add spare type veth peer name other");
        must("ip link set spare up");
        let served = serve(&folder, &["0=afpacket:sw0", "1=afpacket:sw1", "2=afpacket:spare"]);
        hosts[0].must("ping -c 2 -i 0.01 -W 5 -q 10.9.0.2");
        // Down and up again is nothing; gone is gone.
        must("ip link set sw1 down");
        thread::sleep(Duration::from_millis(20));
        must("ip link set sw1 up");
        must("ip link del spare");
        hosts[0].must("ping -c 3 -i 0.01 -W 5 -q 10.9.0.2");
        let summary = served.stop().expect("a summary");
        assert_eq!(summary.complaints.len(), 1, "{summary:?}");
        assert!(summary.complaints[0].contains("port 2"), "{summary:?}");
    });
}
