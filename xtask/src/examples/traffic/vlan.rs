//! `vlan`: a trunk, two access ports, a port that is none of both.

use super::mapfile::MapFile;
use super::*;

const TRUNK: u32 = 0;
const ACCESS: u32 = 1;

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    // By ifindex.
    for (ifindex, mode, vid, priority, service) in
        [(1, TRUNK, 0, 0, 0), (2, ACCESS, 100, 5, 0), (3, ACCESS, 4094, 0, 1)]
    {
        let value = format!("{{\"mode\": {mode}, \"vid\": {vid}, \"priority\": {priority}, \"service\": {service}}}");
        file.add("ports", ifindex, value);
    }
    for vid in [0, 7, 100, 4095] {
        file.add("allowed", vid, 1);
    }
    file.text()
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(18);
    let v4 = Addrs::v4(0, 1, 0, 2);
    let mut packets = Vec::new();
    for interface in 0..4 {
        let mut send = |bytes: Vec<u8>| packets.push(Packet { interface, queue: 0, bytes });
        for len in [0, 18, 512, 1472] {
            let packet = ip(v4, UDP, &udp(v4, 40001, 5001, &bytes.take(len)));
            send(frame(ETH_IPV4, &packet));
            for tci in [0, 7, 0x6064, 101, 0xffff] {
                send(frame(ETH_VLAN, &vlan(tci, ETH_IPV4, &packet)));
            }
            send(frame(ETH_QINQ, &vlan(7, ETH_VLAN, &vlan(100, ETH_IPV4, &packet))));
        }
        send(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
        send(short(station(2), station(1), ETH_VLAN, &[0, 100, 8]));
        send(short(station(2), station(1), ETH_VLAN, &[0, 100, 8, 0]));
        send(short(station(2), station(1), ETH_IPV4, &[]));
    }
    packets
}
