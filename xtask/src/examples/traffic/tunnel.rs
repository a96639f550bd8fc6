//! `tunnel`: services of both families behind tunnels of both families.

use super::mapfile::{MapFile, byte_array};
use super::*;

const INET: u16 = 2;
const INET6: u16 = 10;

/// An address as the program's unions hold it.
fn address(family: u16, last: u8) -> [u8; 16] {
    match family {
        INET => [10, 0, 200, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        _ => [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last],
    }
}

/// Family, last byte of the address, port and protocol of the service; family of the tunnel.
const SERVICES: [(u16, u8, u16, u8, u16); 6] = [
    (INET, 1, 80, TCP, INET),
    (INET, 1, 53, UDP, INET6),
    (INET, 2, 0, GRE, INET),
    (INET6, 1, 443, TCP, INET6),
    (INET6, 1, 53, UDP, INET),
    (INET6, 2, 0, ICMPV6, INET6),
];

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    for (n, (family, last, port, protocol, outer)) in SERVICES.into_iter().enumerate() {
        let mut key = address(family, last).to_vec();
        key.extend([port.to_be_bytes(), family.to_le_bytes()].concat());
        key.extend(u32::from(protocol).to_le_bytes());
        let mut value = [address(outer, 100), address(outer, 101 + n as u8)].concat();
        value.extend(outer.to_le_bytes());
        value.extend(station(9));
        file.add("tunnels", byte_array(&key), byte_array(&value));
    }
    file.text()
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(9);
    let mut frames = Vec::new();
    let addrs = |family, last| match family {
        INET => Addrs::v4(0, 1, 200, last),
        _ => Addrs::v6(77, last),
    };
    for len in [0, 33, 512, 1400] {
        for (family, last, port, protocol, _) in SERVICES {
            let addrs = addrs(family, last);
            let payload = match protocol {
                TCP => tcp(addrs, 40000, port, 1, PSH_ACK, &bytes.take(len)),
                UDP => udp(addrs, 40001, port, &bytes.take(len)),
                GRE => gre(&ip(addrs, UDP, &udp(addrs, 9, 9, &bytes.take(len)))),
                _ => echo(addrs, 1, &bytes.take(len)),
            };
            frames.push(frame(addrs.ethertype(), &ip(addrs, protocol, &payload)));
        }
    }
    // A checksum that has to be folded twice, and another type of service.
    let v4 = addrs(INET, 1);
    for tos in [0x10, 0xb8, 0xff] {
        let header = V4 { tos, frag: MF, ..V4::default() };
        frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, header, &tcp(v4, 40000, 80, 1, SYN, &bytes.take(8)))));
    }
    // Other services, ports and protocols; options; not the first fragment.
    for family in [INET, INET6] {
        let addrs = addrs(family, 3);
        frames.push(frame(addrs.ethertype(), &ip(addrs, TCP, &tcp(addrs, 40000, 80, 1, SYN, &[]))));
        frames.push(frame(addrs.ethertype(), &ip(addrs, ESP, &bytes.take(40))));
    }
    frames.push(frame(ETH_IPV4, &ip(v4, TCP, &tcp(v4, 40000, 8080, 1, SYN, &[]))));
    let options = ip_options(1);
    let header = V4 { options: &options, ..V4::default() };
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, header, &tcp(v4, 40000, 80, 1, SYN, &[]))));
    frames.push(frame(ETH_IPV4, &ip_with(v4, TCP, V4 { frag: 5, ..V4::default() }, &bytes.take(60))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    // Cut inside the IP, TCP and UDP headers.
    for family in [INET, INET6] {
        let addrs = addrs(family, 1);
        let header = if family == INET { 20 } else { 40 };
        let segment = ip(addrs, TCP, &tcp(addrs, 40000, 80, 1, SYN, &[]));
        let datagram = ip(addrs, UDP, &udp(addrs, 40001, 53, &[]));
        for cut in [&segment[..header - 1], &segment[..header + 19], &datagram[..header + 7]] {
            frames.push(short(station(2), station(1), addrs.ethertype(), cut));
        }
    }
    on_port_0(frames)
}
