//! `router`: every kind of route, neighbours that are known and not, and what is left to the host.

use super::mapfile::{MapFile, byte_array};
use super::*;

const UNICAST: u32 = 0;
const LOCAL: u32 = 1;
const BLACKHOLE: u32 = 2;

/// Prefix, its length, type, port, gateway.
type Route = ([u8; 4], u32, u32, u32, [u8; 4]);

const ON_LINK: [u8; 4] = [0; 4];
const GATEWAY: [u8; 4] = [10, 0, 9, 2];
const UNRESOLVED: [u8; 4] = [10, 0, 9, 3];
const ROUTES: [Route; 8] = [
    ([10, 0, 1, 0], 24, UNICAST, 1, ON_LINK),
    ([10, 0, 2, 0], 23, UNICAST, 2, GATEWAY),
    ([10, 0, 3, 128], 25, BLACKHOLE, 0, ON_LINK),
    ([10, 0, 3, 200], 32, UNICAST, 1, GATEWAY),
    ([10, 0, 1, 1], 32, LOCAL, 0, ON_LINK),
    // No device stands at this port.
    ([10, 0, 5, 0], 24, UNICAST, 7, GATEWAY),
    ([10, 0, 6, 0], 24, UNICAST, 2, UNRESOLVED),
    ([224, 0, 0, 0], 4, LOCAL, 0, ON_LINK),
];

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    for (prefix, length, kind, port, gateway) in ROUTES {
        let addr = u32::from_le_bytes(prefix);
        let gateway = u32::from_le_bytes(gateway);
        let key = format!("{{\"prefixlen\": {length}, \"addr\": {addr}}}");
        file.add("routes", key, format!("{{\"type\": {kind}, \"port\": {port}, \"gateway\": {gateway}}}"));
    }
    for (address, port) in [([10, 0, 1, 5], 1), ([10, 0, 1, 6], 1), (GATEWAY, 2)] {
        let [.., host] = address;
        let value = [station(host).as_slice(), &station(0xf0 + port), &[0; 4 + 16]].concat();
        file.add("neighbours", u32::from_le_bytes(address), byte_array(&value));
    }
    file.add("ports", 1, 2);
    file.add("ports", 2, 3);
    file.text()
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(8);
    let plain = V4 { frag: DF, ..V4::default() };
    let mut frames = Vec::new();
    let mut send = |net, host, v4: V4<'_>, len: usize| {
        let addrs = Addrs::v4(0, 7, net, host);
        frames.push(frame(ETH_IPV4, &ip_with(addrs, UDP, v4, &udp(addrs, 40001, 5001, &bytes.take(len)))));
    };
    // Forwarded: on the link and over the gateway, by prefixes of three lengths.
    for (n, len) in [0, 18, 200, 512, 1024, 1472].into_iter().enumerate() {
        send(1, 5 + (n % 2) as u8, plain, len);
        send(2, n as u8, plain, len);
        send(3, 1, plain, len);
    }
    send(3, 200, plain, 30);
    send(1, 5, V4 { ttl: Some(255), ..plain }, 30);
    send(1, 5, V4 { ttl: Some(2), ..plain }, 30);
    send(2, 9, V4 { frag: MF, ..V4::default() }, 64);
    send(2, 9, V4 { frag: 8, ..V4::default() }, 64);
    // Not: its own addresses, a black hole, no route, no neighbour, no port, the last hop.
    send(1, 1, plain, 40);
    send(3, 129, plain, 40);
    send(4, 1, plain, 40);
    send(1, 7, plain, 40);
    send(6, 1, plain, 40);
    send(5, 1, plain, 40);
    send(1, 5, V4 { ttl: Some(1), ..plain }, 40);
    send(1, 5, V4 { ttl: Some(0), ..plain }, 40);
    let options = ip_options(2);
    send(1, 5, V4 { options: &options, ..plain }, 40);
    send(1, 5, V4 { ihl: Some(4), ..plain }, 40);

    let addrs = Addrs::v4(0, 7, 1, 5);
    // A header whose checksum carries when the TTL goes down.
    let carries =
        (0..=u16::MAX).map(|id| ip_with(addrs, UDP, V4 { id: Some(id), ..plain }, &udp(addrs, 9, 9, &[0; 8])));
    frames
        .extend(carries.filter(|packet| packet[10..12] == [0xfe, 0xff]).take(1).map(|packet| frame(ETH_IPV4, &packet)));
    let echo_to_router = Addrs::v4(0, 7, 1, 1);
    frames.push(frame(ETH_IPV4, &ip(echo_to_router, ICMP, &echo(echo_to_router, 1, &bytes.take(56)))));
    frames.push(frame(ETH_IPV4, &ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, SYN, &[]))));
    let group = Addrs::V4 { src: [10, 0, 0, 7], dst: [224, 0, 0, 5] };
    frames.push(ether(MULTICAST, station(1), ETH_IPV4, &ip(group, 89, &bytes.take(44))));
    // Not IPv4, or not what it says, or cut.
    let mut six = ip(addrs, UDP, &udp(addrs, 9, 9, &[]));
    six[0] = 0x65;
    frames.push(frame(ETH_IPV4, &six));
    let v6 = Addrs::v6(1, 2);
    frames.push(frame(ETH_IPV6, &ip(v6, UDP, &udp(v6, 9, 9, &bytes.take(20)))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(short(station(2), station(1), ETH_IPV4, &ip(addrs, UDP, &[])[..19]));
    on_port_0(frames)
}
