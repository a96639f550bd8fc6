//! `rxq`: interfaces with and without a counter, queues with and without, more EtherTypes than the table holds.

use super::*;

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(12);
    let mut packets: Vec<Packet> = Vec::new();
    // The third one's packets are dropped.
    for interface in 0..4 {
        for (n, packet) in mix(13 + u64::from(interface)).into_iter().enumerate() {
            // The first interface has one queue, as a loopback device.
            let queue = if interface == 0 { 0 } else { n as u32 % 5 };
            packets.push(Packet { interface, queue, ..packet });
        }
    }
    // The last two have no counter of their own.
    for (n, ethertype) in (0x88b5..0x88b5 + 18).enumerate() {
        packets.push(Packet { interface: 1, queue: n as u32, bytes: frame(ethertype, &bytes.take(46)) });
    }
    // ifindex 32 has no counter.
    packets.push(Packet { interface: 31, queue: 0, bytes: frame(ETH_IPV4, &bytes.take(46)) });
    packets
}
