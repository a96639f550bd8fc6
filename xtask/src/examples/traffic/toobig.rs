//! `toobig`: packets below, at and above the MTU of 1,280 bytes.

use super::*;

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(10);
    let (v4, v6) = (Addrs::v4(0, 1, 0, 2), Addrs::v6(1, 2));
    let mut frames = Vec::new();
    for len in [0, 18, 1232, 1233, 1252, 1253, 1400, 1472, 3400] {
        for addrs in [v4, v6] {
            frames.push(frame(addrs.ethertype(), &ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(len)))));
        }
    }
    for addrs in [v4, v6] {
        let segment = tcp(addrs, 40000, 443, 1, PSH_ACK, &bytes.take(1440));
        frames.push(frame(addrs.ethertype(), &ip(addrs, TCP, &segment)));
    }
    // A payload of ones, so that sums carry.
    for addrs in [v4, v6] {
        frames.push(frame(addrs.ethertype(), &ip(addrs, UDP, &udp(addrs, 0xffff, 0xffff, &[0xff; 1400]))));
    }
    // Routers may cut these, or no error must answer them.
    let datagram = udp(v4, 40001, 5001, &bytes.take(1400));
    frames.push(frame(ETH_IPV4, &ip_with(v4, UDP, V4::default(), &datagram)));
    frames.push(frame(ETH_IPV4, &ip(v4, ICMP, &echo(v4, 1, &bytes.take(1400)))));
    frames.push(frame(ETH_IPV6, &ip(v6, ICMPV6, &echo(v6, 1, &bytes.take(1400)))));
    frames.push(frame(ETH_VLAN, &vlan(100, ETH_IPV4, &ip(v4, UDP, &datagram))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    on_port_0(frames)
}
