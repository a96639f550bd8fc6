//! `redirect_map`: four ports, of which two are wired, and three VLANs, of which two are.

use super::mapfile::MapFile;
use super::*;

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    // By ifindex: ports 0 and 1 to each other.
    file.add("wires", 1, 2);
    file.add("wires", 2, 1);
    file.add("vlan_wires", 100, 3);
    file.add("vlan_wires", 4094, 4);
    file.text()
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(11);
    let v4 = Addrs::v4(0, 1, 0, 2);
    let mut packets = Vec::new();
    for interface in 0..4 {
        let mut send = |bytes: Vec<u8>| packets.push(Packet { interface, queue: 0, bytes });
        for len in [0, 18, 512, 1472] {
            let packet = ip(v4, UDP, &udp(v4, 40001, 5001, &bytes.take(len)));
            send(frame(ETH_IPV4, &packet));
            // The last one with a priority.
            for tci in [100, 200, 4094, 0xe064] {
                send(frame(ETH_VLAN, &vlan(tci, ETH_IPV4, &packet)));
            }
        }
        send(frame(ETH_QINQ, &vlan(100, ETH_IPV4, &bytes.take(46))));
        send(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
        // Spanning tree, and a group that is not one of the link.
        send(ether(LINK_LOCAL, station(1), 0x0026, &bytes.take(38)));
        send(ether(MULTICAST, station(1), ETH_IPV4, &bytes.take(46)));
        send(short(station(2), station(1), ETH_VLAN, &[0, 100, 8]));
        send(short(station(2), station(1), ETH_IPV4, &[]));
    }
    packets
}
