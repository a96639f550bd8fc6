//! `balancer`: services of both families with reals of both families; every way to a real, and every packet that takes none.

use super::mapfile::{MapFile, byte_array};
use super::*;

const RING_SIZE: usize = 61;
const MAX_REALS: u8 = 12;

const HASH_NO_SPORT: u32 = 1;
const HASH_DPORT: u32 = 2;
const NO_TABLE: u32 = 4;
const QUIC: u32 = 8;

const RING_WEB: u32 = 0;
const RING_DNS: u32 = 1;
const RING_QUIC: u32 = 2;
const NO_RING: u32 = 9;

/// Last byte of the address, port, protocol, flags, ring. All services exist for IPv4 and IPv6.
const SERVICES: [(u8, u16, u8, u32, u32); 7] = [
    (1, 80, TCP, 0, RING_WEB),
    (1, 443, UDP, QUIC, RING_QUIC),
    // All ports.
    (2, 0, TCP, HASH_NO_SPORT, RING_WEB),
    (3, 53, UDP, NO_TABLE | HASH_DPORT, RING_DNS),
    (4, 80, TCP, 0, NO_RING),
    (5, 80, TCP, NO_TABLE, RING_WEB),
    (5, 443, UDP, QUIC | NO_TABLE | HASH_NO_SPORT, RING_QUIC),
];

/// Client `host` to service `last`.
fn addrs(v6: bool, host: u8, last: u8) -> Addrs {
    if v6 {
        let address = |net, last| [0x20, 1, 0x0d, 0xb8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        Addrs::V6 { src: address(7, host), dst: address(100, last) }
    } else {
        Addrs::v4(7, host, 100, last)
    }
}

/// An address in the program's union.
fn union(addrs: Addrs) -> [u8; 16] {
    let mut bytes = [0; 16];
    match addrs {
        Addrs::V4 { dst, .. } => bytes[..4].copy_from_slice(&dst),
        Addrs::V6 { dst, .. } => bytes = dst,
    }
    bytes
}

/// A ring as Maglev fills it (Eisenbud et al., NSDI 2016): the reals take turns, each the next free place of its own permutation.
fn ring(seed: u64, reals: &[u8]) -> [u8; RING_SIZE] {
    let mut places = [0; RING_SIZE];
    let mut turns: Vec<(u8, usize, usize)> = reals
        .iter()
        .map(|&real| {
            let mut chance = Bytes::new(seed << 8 | u64::from(real));
            let size = RING_SIZE as u64;
            (real, (chance.next_u64() % size) as usize, 1 + (chance.next_u64() % (size - 1)) as usize)
        })
        .collect();
    let mut filled = 0;
    while filled < RING_SIZE {
        for (real, at, step) in &mut turns {
            while places[*at] != 0 {
                *at = (*at + *step) % RING_SIZE;
            }
            places[*at] = *real;
            filled += 1;
            if filled == RING_SIZE {
                break;
            }
        }
    }
    places
}

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    for v6 in [false, true] {
        for (id, (last, port, protocol, flags, ring)) in SERVICES.into_iter().enumerate() {
            let address = union(addrs(v6, 0, last));
            let key = [address.as_slice(), &port.to_be_bytes(), &u16::from(protocol).to_le_bytes()].concat();
            let id = id + SERVICES.len() * usize::from(v6);
            file.add("vips", byte_array(&key), format!("{{\"flags\": {flags}, \"id\": {id}, \"ring\": {ring}}}"));
        }
    }
    // Every other real has an IPv6 address.
    for real in 1..=MAX_REALS {
        let v6 = real % 2 == 0;
        let value = [union(addrs(v6, 0, 100 + real)).as_slice(), &u32::from(v6).to_le_bytes()].concat();
        file.add("reals", real, byte_array(&value));
    }
    for (name, seed, reals) in
        [("ring_web", 1, [1, 2, 3, 4, 5]), ("ring_dns", 2, [6, 7, 8, 9, 10]), ("ring_quic", 3, [8, 9, 10, 11, 12])]
    {
        for (place, real) in ring(seed, &reals).into_iter().enumerate() {
            file.add(name, place, real);
        }
    }
    for (server, real) in [(1, 8), (2, 9), (3, 10), (0x104, 11), (5, 12)] {
        file.add("quic_servers", server, real);
    }
    file.text()
}

/// A QUIC packet with a long header; the first two bits of the connection id are its version, the next 14 the server.
fn quic_long(kind: u8, cid: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut b = vec![0xc0 | kind << 4, 0, 0, 0, 1, cid.len() as u8];
    b.extend(cid);
    b.extend(payload);
    b
}

fn quic_short(cid: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut b = vec![0x40];
    b.extend(cid);
    b.extend(payload);
    b
}

fn cid(version: u8, server: u16) -> [u8; 8] {
    let [high, low] = server.to_be_bytes();
    [version << 6 | high, low, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f]
}

fn quic(bytes: &mut Bytes) -> Vec<Vec<u8>> {
    let mut packets = vec![
        // Initial and 0-RTT: the client's own ids.
        quic_long(0, &cid(1, 1), &bytes.take(600)),
        quic_long(1, &cid(1, 1), &bytes.take(100)),
        // Handshake and Retry.
        quic_long(2, &cid(1, 2), &bytes.take(200)),
        quic_long(3, &cid(1, 3), &bytes.take(40)),
        quic_long(2, &cid(1, 2)[..4], &bytes.take(40)),
        quic_long(2, &cid(2, 2), &bytes.take(40)),
    ];
    for server in [1, 2, 3, 0x104, 5, 6, 0x3fff] {
        packets.push(quic_short(&cid(1, server), &bytes.take(64)));
    }
    packets.push(quic_short(&cid(0, 1), &bytes.take(64)));
    // Too short for either header.
    packets.push(quic_short(&cid(1, 1)[..6], &[]));
    packets.push(quic_long(2, &cid(1, 1)[..6], &[]));
    packets
}

pub(super) fn packets() -> Vec<Packet> {
    let mut frames = Vec::new();
    for v6 in [false, true] {
        frames.extend(services(v6, &mut Bytes::new(21 + u64::from(v6))));
        frames.extend(errors(v6, &mut Bytes::new(23 + u64::from(v6))));
        frames.extend(others(v6, &mut Bytes::new(25 + u64::from(v6))));
    }
    let v4 = addrs(false, 1, 1);
    let segment = tcp(v4, 40000, 80, 1, SYN, &[]);
    let plain = V4::default();
    let options = ip_options(1);
    for header in [
        V4 { options: &options, ..plain },
        V4 { frag: MF, ..plain },
        V4 { frag: 3, ..plain },
        V4 { ihl: Some(4), ..plain },
        V4 { tos: 0xb8, ..plain },
    ] {
        frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, header, &segment)));
    }
    // Too big for the way ahead, but routers may cut it.
    let large = tcp(v4, 40000, 80, 1, PSH_ACK, &[0x55; 1460]);
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, plain, &large)));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(short(station(2), station(1), ETH_IPV4, &[]));
    on_port_0(frames)
}

/// Connections to all services, from enough clients to meet every real.
fn services(v6: bool, bytes: &mut Bytes) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut send = |addrs: Addrs, protocol, l4: &[u8]| frames.push(frame(addrs.ethertype(), &ip(addrs, protocol, l4)));
    for client in 1..=8 {
        for (last, port, protocol, ..) in SERVICES {
            let addrs = addrs(v6, client, last);
            let sport = 40000 + u16::from(client);
            if protocol == UDP {
                send(addrs, UDP, &udp(addrs, sport, port, &bytes.take(33)));
                continue;
            }
            let port = if port == 0 { 8000 + u16::from(client) } else { port };
            send(addrs, TCP, &tcp(addrs, sport, port, 1, SYN, &[]));
            send(addrs, TCP, &tcp(addrs, sport, port, 2, ACK, &[]));
            send(addrs, TCP, &tcp(addrs, sport, port, 2, PSH_ACK, &bytes.take(200)));
            // A connection from before the balancer was there, and one that begins anew.
            send(addrs, TCP, &tcp(addrs, sport + 100, port, 77, FIN_ACK, &[]));
            send(addrs, TCP, &tcp(addrs, sport, port, 1000, SYN, &[]));
        }
    }
    for last in [1, 5] {
        for client in [1, 2] {
            let addrs = addrs(v6, client, last);
            for payload in quic(bytes) {
                send(addrs, UDP, &udp(addrs, 50000 + u16::from(client), 443, &payload));
            }
        }
    }
    // The largest that fits, and the smallest that does not.
    let addrs = addrs(v6, 1, 1);
    let headers = if v6 { 40 + 20 } else { 20 + 20 };
    for len in [1460 - headers, 1461 - headers, 1500 - headers] {
        send(addrs, TCP, &tcp(addrs, 40001, 80, 3, PSH_ACK, &bytes.take(len)));
    }
    frames
}

/// ICMP: errors about packets that reals sent to clients, and about others; echo requests.
fn errors(v6: bool, bytes: &mut Bytes) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    // From a router on the way.
    let from = addrs(v6, 200, 1);
    let protocol = if v6 { ICMPV6 } else { ICMP };
    let (unreachable, too_big) = if v6 { ((1, 4), (2, 0)) } else { ((3, 3), (3, 4)) };
    let mut send = |kind: (u8, u8), quoted: &[u8]| {
        let error = icmp_error(from, kind.0, kind.1, 1280, quoted);
        frames.push(frame(from.ethertype(), &ip(from, protocol, &error)));
    };
    for client in [1, 2, 3, 9] {
        let back = addrs(v6, client, 1).reversed();
        let sport = 40000 + u16::from(client);
        let segment = ip(back, TCP, &tcp(back, 80, sport, 1, PSH_ACK, &bytes.take(64)));
        let datagram = ip(back, UDP, &udp(back, 443, sport, &bytes.take(64)));
        send(unreachable, &segment);
        send(too_big, &segment);
        send(unreachable, &datagram);
        // About no service; about a protocol without ports; all of another kind.
        let other = addrs(v6, client, 9).reversed();
        send(unreachable, &ip(other, TCP, &tcp(other, 80, sport, 1, ACK, &[])));
        send(unreachable, &ip(back, ESP, &bytes.take(20)));
        send((if v6 { 3 } else { 11 }, 0), &segment);
    }
    let back = addrs(v6, 1, 1).reversed();
    // An error too big to be sent on, cuts inside the quoted packet, and an IPv4 header with options.
    let segment = ip(back, TCP, &tcp(back, 80, 40001, 1, PSH_ACK, &bytes.take(1440)));
    let header = if v6 { 40 } else { 20 };
    send(too_big, &segment);
    let plain = V4::default();
    let options = ip_options(1);
    send(unreachable, &ip_with(back, TCP, V4 { options: &options, ..plain }, &tcp(back, 80, 40001, 1, ACK, &[])));
    let error = |quoted: &[u8]| ip(from, protocol, &icmp_error(from, unreachable.0, unreachable.1, 0, quoted));
    for cut in [error(&segment[..header + 7]), error(&segment[..header - 1]), error(&segment)[..header + 7].to_vec()] {
        frames.push(short(station(2), station(1), from.ethertype(), &cut));
    }
    for len in [0, 56, 1400] {
        frames.push(frame(from.ethertype(), &ip(from, protocol, &echo(from, len as u16, &bytes.take(len)))));
    }
    frames
}

/// What is for no service, or is no whole packet.
fn others(v6: bool, bytes: &mut Bytes) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let host = addrs(v6, 1, 9);
    let kind = host.ethertype();
    frames.push(frame(kind, &ip(host, TCP, &tcp(host, 40001, 80, 1, SYN, &[]))));
    frames.push(frame(kind, &ip(host, UDP, &udp(host, 40001, 443, &bytes.take(20)))));
    frames.push(frame(kind, &ip(host, ESP, &bytes.take(40))));
    let service = addrs(v6, 1, 1);
    frames.push(frame(kind, &ip(service, TCP, &tcp(service, 40001, 81, 1, SYN, &[]))));
    let header = if v6 { 40 } else { 20 };
    let segment = ip(service, TCP, &tcp(service, 40001, 80, 1, SYN, &[]));
    let datagram = ip(service, UDP, &udp(service, 40001, 443, &[]));
    for cut in [&segment[..header - 1], &segment[..header + 19], &datagram[..header + 7]] {
        frames.push(short(station(2), station(1), kind, cut));
    }
    frames
}
