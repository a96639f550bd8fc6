//! `policer`: bursts from sources with and without a bucket.

use super::mapfile::{MapFile, byte_array};
use super::*;

/// Bytes that a full bucket holds.
const BURST: u64 = 4096;

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    // Source, tokens, time of the last ones. The second one's clock is ahead of every packet.
    for (host, tokens, last) in [(1, BURST, 0), (2, 100, u64::MAX), (3, 0, 0)] {
        let key = u32::from_le_bytes([10, 0, 0, host]);
        let value = [[0; 16].as_slice(), &u64::to_le_bytes(tokens), &u64::to_le_bytes(last)].concat();
        // 4 bytes of lock, two counters, and padding up to the 64-bit members.
        file.add("buckets", key, byte_array(&value));
    }
    file.text()
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(19);
    let mut frames = Vec::new();
    // Each source sends more than a burst at once.
    for host in [1, 2, 3, 4, 5] {
        let addrs = Addrs::v4(0, host, 0, 100);
        for len in [18, 1472, 1472, 1472, 1472, 18, 512, 18] {
            frames.push(frame(ETH_IPV4, &ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(len)))));
        }
    }
    // And then in turns.
    for n in 0..40 {
        let addrs = Addrs::v4(0, 1 + n % 5, 0, 100);
        frames.push(frame(ETH_IPV4, &ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(200)))));
    }
    // More sources than there is room for.
    for host in 100..170 {
        let addrs = Addrs::v4(0, host, 0, 100);
        frames.push(frame(ETH_IPV4, &ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, SYN, &[]))));
    }
    let v6 = Addrs::v6(1, 2);
    frames.push(frame(ETH_IPV6, &ip(v6, UDP, &udp(v6, 9, 9, &bytes.take(20)))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(short(station(2), station(1), ETH_IPV4, &ip(Addrs::v4(0, 1, 0, 2), UDP, &[])[..19]));
    on_port_0(frames)
}
