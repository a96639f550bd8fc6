//! `tailparse`: every chain of headers, cut at each link.

use super::mapfile::{MapFile, byte_array};
use super::*;

const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DSTOPTS: u8 = 60;

/// Port, protocol, IP version.
const SERVICES: [(u16, u8, u8); 7] =
    [(443, TCP, 4), (443, TCP, 6), (53, UDP, 4), (53, UDP, 6), (0, ICMP, 4), (0, ICMPV6, 6), (22, TCP, 6)];

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    for (port, protocol, version) in SERVICES {
        let key = [port.to_be_bytes().as_slice(), &[protocol, version]].concat();
        file.add_percpu("services", byte_array(&key), 0);
    }
    file.text()
}

/// An IPv6 extension header of `8 * (1 + more)` bytes in front of a payload.
fn extension(next: u8, more: u8, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![next, more];
    b.resize(8 + 8 * usize::from(more), 0);
    b.extend(payload);
    b
}

/// A fragment header: offset in bytes.
fn fragment(next: u8, offset: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![next, 0];
    b.extend((offset | 1).to_be_bytes());
    b.extend([0, 0, 0x2a, 0x2a]);
    b.extend(payload);
    b
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(17);
    let (v4, v6) = (Addrs::v4(0, 1, 0, 2), Addrs::v6(1, 2));
    let mut frames = Vec::new();
    for addrs in [v4, v6] {
        let kind = addrs.ethertype();
        let icmp = if kind == ETH_IPV4 { ICMP } else { ICMPV6 };
        let packets = [
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, SYN, &[])),
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 2, PSH_ACK, &bytes.take(300))),
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 3, FIN_ACK, &[])),
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 3, 0x04, &[])),
            ip(addrs, TCP, &tcp(addrs, 40000, 25, 1, SYN, &[])),
            ip(addrs, UDP, &udp(addrs, 40001, 53, &bytes.take(40))),
            ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(40))),
            ip(addrs, icmp, &echo(addrs, 1, &bytes.take(56))),
            ip(addrs, GRE, &bytes.take(40)),
            // No flag, and one too many.
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, 0, &[])),
            ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, 0x03, &[])),
        ];
        for packet in &packets {
            frames.push(frame(kind, packet));
            frames.push(frame(ETH_VLAN, &vlan(100, kind, packet)));
        }
        let header = if kind == ETH_IPV4 { 20 } else { 40 };
        for cut in [header - 1, header, header + 19] {
            frames.push(short(station(2), station(1), kind, &packets[0][..cut]));
        }
        frames.push(short(station(2), station(1), kind, &packets[5][..header + 7]));
        // A TCP header that is too short, a datagram that says so of itself.
        let mut segment = packets[0].clone();
        segment[header + 12] = 4 << 4;
        frames.push(frame(kind, &segment));
        let mut datagram = packets[5].clone();
        datagram[header + 5] = 7;
        frames.push(frame(kind, &datagram));
    }
    // IPv4: options, fragments, a bad header length.
    let segment = tcp(v4, 40000, 443, 1, SYN, &[]);
    let plain = V4::default();
    for words in [1, 10] {
        let options = ip_options(words);
        frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, V4 { options: &options, ..plain }, &segment)));
    }
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, V4 { frag: MF, ..plain }, &segment)));
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, V4 { frag: 9, ..plain }, &segment)));
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, V4 { ihl: Some(4), ..plain }, &segment)));

    // IPv6: extension headers alone and in chains, longer and longer, fragments.
    let segment = tcp(v6, 40000, 22, 1, SYN, &[]);
    let mut send = |first: u8, payload: &[u8]| frames.push(frame(ETH_IPV6, &ip(v6, first, payload)));
    send(HOPOPT, &hop_by_hop(TCP, &segment));
    send(ROUTING, &extension(TCP, 2, &segment));
    send(DSTOPTS, &extension(TCP, 0, &segment));
    send(HOPOPT, &hop_by_hop(UDP, &udp(v6, 40001, 53, &bytes.take(12))));
    send(HOPOPT, &hop_by_hop(ICMPV6, &echo(v6, 1, &bytes.take(16))));
    send(HOPOPT, &hop_by_hop(ESP, &bytes.take(32)));
    send(FRAGMENT, &fragment(TCP, 0, &segment));
    send(FRAGMENT, &fragment(TCP, 64, &bytes.take(64)));
    let chain = extension(DSTOPTS, 1, &extension(FRAGMENT, 0, &fragment(TCP, 0, &segment)));
    send(HOPOPT, &hop_by_hop(ROUTING, &chain));
    // Behind the last byte that is looked at; more headers than there may be tail calls.
    send(DSTOPTS, &extension(DSTOPTS, 26, &extension(TCP, 0, &segment)));
    let mut long = extension(TCP, 0, &segment);
    for _ in 0..40 {
        long = extension(DSTOPTS, 0, &long);
    }
    send(DSTOPTS, &long);
    let cut = ip(v6, HOPOPT, &hop_by_hop(TCP, &[]));
    frames.push(short(station(2), station(1), ETH_IPV6, &cut[..47]));

    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(frame(ETH_VLAN, &vlan(100, ETH_ARP, &arp(station(1), 0, 2))));
    frames.push(short(station(2), station(1), ETH_VLAN, &[0, 100, 8]));
    on_port_0(frames)
}
