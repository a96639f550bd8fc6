//! The traffic of each example: packets that reach every branch, and the map contents that some of them hit.

mod balancer;
mod dns;
mod mapfile;
mod policer;
mod redirect_map;
mod router;
mod rxq;
mod tailparse;
mod toobig;
mod tunnel;
mod vlan;

use super::capture::{Format, PLAIN, Packet, Style, write};
use super::packet::*;
use mapfile::byte_array;

/// Stations have locally administered addresses 02:00:00:00:00:`n`.
fn station(n: u8) -> Mac {
    [2, 0, 0, 0, 0, n]
}

const BROADCAST: Mac = [0xff; 6];
/// All hosts of 224.0.0.1 (RFC 1112).
const MULTICAST: Mac = [0x01, 0x00, 0x5e, 0, 0, 1];

/// Several interfaces: only pcapng knows them.
const MANY_PORTS: Style = Style { format: Format::Pcapng, ..PLAIN };

/// A file next to an example's source: its name and its bytes.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Captures and map files of one example.
pub(super) fn files(example: &str) -> Option<Vec<File>> {
    let (style, packets, maps) = match example {
        "drop" => (PLAIN, mix(1), None),
        "pass" => (Style { format: Format::Pcapng, ..PLAIN }, mix(2), None),
        "count" => (Style { big_endian: true, ..PLAIN }, count(), None),
        "swap" => (Style { nanoseconds: true, ..PLAIN }, swap(), None),
        "firewall" => (PLAIN, firewall(), Some(firewall_maps())),
        "decap" => (Style { format: Format::Pcapng, big_endian: true, nanoseconds: true }, decap(), None),
        "learn" => (Style { format: Format::Pcapng, nanoseconds: true, ..PLAIN }, learn(), Some(learn_maps())),
        "balancer" => (PLAIN, balancer::packets(), Some(balancer::maps())),
        "dns" => (PLAIN, dns::packets(), Some(dns::maps())),
        "policer" => (Style { nanoseconds: true, ..PLAIN }, policer::packets(), Some(policer::maps())),
        "redirect_map" => (MANY_PORTS, redirect_map::packets(), Some(redirect_map::maps())),
        "router" => (PLAIN, router::packets(), Some(router::maps())),
        "rxq" => (MANY_PORTS, rxq::packets(), None),
        "tailparse" => (PLAIN, tailparse::packets(), Some(tailparse::maps())),
        "toobig" => (PLAIN, toobig::packets(), None),
        "tunnel" => (PLAIN, tunnel::packets(), Some(tunnel::maps())),
        "vlan" => (MANY_PORTS, vlan::packets(), Some(vlan::maps())),
        _ => return None,
    };
    let mut files = vec![File { name: "traffic.pcap", bytes: write(style, &packets) }];
    files.extend(maps.map(|text| File { name: "maps.json", bytes: text.into_bytes() }));
    Some(files)
}

fn on_port_0(frames: Vec<Vec<u8>>) -> Vec<Packet> {
    frames.into_iter().map(|bytes| Packet { interface: 0, queue: 0, bytes }).collect()
}

/// A frame from station 1 to station 2.
fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    ether(station(2), station(1), ethertype, payload)
}

/// What a host sees in a second: all usual protocols, the shortest and the longest frames.
fn mix(seed: u64) -> Vec<Packet> {
    let mut bytes = Bytes::new(seed);
    let (v4, v6) = (Addrs::v4(0, 1, 0, 2), Addrs::v6(1, 2));
    let mut frames = vec![ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2))];
    for addrs in [v4, v6] {
        frames.push(frame(addrs.ethertype(), &ip(addrs, TCP, &tcp(addrs, 40000, 443, 1, SYN, &[]))));
        frames.push(frame(addrs.ethertype(), &ip(addrs, TCP, &tcp(addrs, 40000, 443, 2, PSH_ACK, &bytes.take(517)))));
        frames.push(frame(addrs.ethertype(), &ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(33)))));
    }
    frames.push(frame(ETH_IPV4, &ip(v4, ICMP, &echo(v4, 1, &bytes.take(56)))));
    frames.push(frame(ETH_IPV6, &ip(v6, ICMPV6, &echo(v6, 1, &bytes.take(56)))));
    frames.push(frame(ETH_IPV4, &ip(v4, TCP, &tcp(v4, 40000, 443, 519, PSH_ACK, &bytes.take(1460)))));
    frames.push(short(station(2), station(1), ETH_IPV4, &[]));
    on_port_0(frames)
}

/// `count`: the first, the last and the usual protocol numbers, with no, one and two tags, and every cut.
fn count() -> Vec<Packet> {
    let mut bytes = Bytes::new(3);
    let (v4, v6) = (Addrs::v4(0, 1, 0, 2), Addrs::v6(1, 2));
    let mut frames = Vec::new();
    for addrs in [v4, v6] {
        let icmp = if addrs.ethertype() == ETH_IPV4 { ICMP } else { ICMPV6 };
        let packets = [
            ip(addrs, TCP, &tcp(addrs, 40000, 80, 1, SYN, &[])),
            ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(40))),
            ip(addrs, icmp, &echo(addrs, 1, &bytes.take(56))),
            ip(addrs, GRE, &gre(&ip(v4, UDP, &udp(v4, 9, 9, &bytes.take(20))))),
            ip(addrs, ESP, &bytes.take(64)),
            ip(addrs, HOPOPT, &hop_by_hop(ICMPV6, &echo(v6, 2, &bytes.take(16)))),
            ip(addrs, 255, &bytes.take(32)),
        ];
        for packet in &packets {
            let inner = addrs.ethertype();
            frames.push(frame(inner, packet));
            frames.push(frame(ETH_VLAN, &vlan(100, inner, packet)));
            frames.push(frame(ETH_QINQ, &vlan(7, ETH_VLAN, &vlan(100, inner, packet))));
        }
        // Two service tags, as a provider's provider sends.
        frames.push(frame(ETH_QINQ, &vlan(7, ETH_QINQ, &vlan(100, addrs.ethertype(), &packets[1]))));
        // A third tag is not looked through.
        let deep = vlan(7, ETH_VLAN, &vlan(8, ETH_VLAN, &vlan(9, addrs.ethertype(), &packets[0])));
        frames.push(frame(ETH_QINQ, &deep));
        // Cut inside the IP header, with and without a tag.
        let cut = &packets[0][..18];
        frames.push(short(station(2), station(1), addrs.ethertype(), cut));
        frames.push(short(station(2), station(1), ETH_VLAN, &vlan(100, addrs.ethertype(), cut)));
    }
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(frame(ETH_VLAN, &vlan(100, ETH_ARP, &arp(station(1), 0, 2))));
    // Cut inside the first and the second tag.
    frames.push(short(station(2), station(1), ETH_VLAN, &[0, 100, 8]));
    frames.push(short(station(2), station(1), ETH_QINQ, &vlan(7, ETH_VLAN, &[0, 100])));
    on_port_0(frames)
}

/// `swap`: unicast of several lengths, multicast and broadcast.
fn swap() -> Vec<Packet> {
    let mut bytes = Bytes::new(4);
    let v4 = Addrs::v4(0, 1, 0, 2);
    let mut frames = Vec::new();
    for (n, len) in [18, 64, 256, 512, 1024, 1472].into_iter().enumerate() {
        let packet = ip(v4, UDP, &udp(v4, 9, 9, &bytes.take(len)));
        frames.push(ether(station(n as u8 + 2), station(1), ETH_IPV4, &packet));
    }
    let group = Addrs::V4 { src: [10, 0, 0, 1], dst: [224, 0, 0, 1] };
    frames.push(ether(MULTICAST, station(1), ETH_IPV4, &ip(group, UDP, &udp(group, 9, 9, &bytes.take(30)))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(frame(ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(short(station(2), station(1), ETH_IPV4, &[]));
    on_port_0(frames)
}

/// A flow of the firewall's table.
#[derive(Clone, Copy)]
struct Flow {
    addrs: (u8, u8),
    sport: u16,
    dport: u16,
    protocol: u8,
}

impl Flow {
    fn addrs(self) -> Addrs {
        Addrs::v4(1, self.addrs.0, 2, self.addrs.1)
    }

    /// A packet of this flow; `v4.ihl` is what the header is to claim.
    fn packet(self, v4: V4<'_>, payload: &[u8]) -> Vec<u8> {
        let l4 = match self.protocol {
            TCP => tcp(self.addrs(), self.sport, self.dport, 1, PSH_ACK, payload),
            _ => udp(self.addrs(), self.sport, self.dport, payload),
        };
        ip_with(self.addrs(), self.protocol, v4, &l4)
    }
}

/// The flows that the firewall lets through.
const FLOWS: [Flow; 6] = [
    Flow { addrs: (1, 1), sport: 40000, dport: 443, protocol: TCP },
    Flow { addrs: (1, 1), sport: 40000, dport: 443, protocol: UDP },
    Flow { addrs: (2, 1), sport: 40001, dport: 80, protocol: TCP },
    Flow { addrs: (3, 1), sport: 5004, dport: 5004, protocol: UDP },
    Flow { addrs: (3, 9), sport: 51820, dport: 51820, protocol: UDP },
    Flow { addrs: (4, 9), sport: 1024, dport: 22, protocol: TCP },
];

/// `firewall`: known flows with every header length, one miss per field of the key, and every refusal.
fn firewall() -> Vec<Packet> {
    let mut bytes = Bytes::new(5);
    let plain = V4::default();
    let mut frames = Vec::new();
    let mut send = |packet: &[u8]| frames.push(frame(ETH_IPV4, packet));

    // Hits: short and long payloads, all header lengths, a first fragment.
    for flow in FLOWS {
        for len in [0, 12, 200, 1400] {
            send(&flow.packet(plain, &bytes.take(len)));
        }
    }
    for words in 1..=10 {
        let options = ip_options(words);
        send(&FLOWS[words % FLOWS.len()].packet(V4 { options: &options, ..plain }, &bytes.take(24)));
    }
    send(&FLOWS[3].packet(V4 { frag: MF, ..plain }, &bytes.take(1472)));

    // Misses: each field of the key differs once, both of the protocols.
    let known = FLOWS[2];
    for miss in [
        Flow { addrs: (5, 1), ..known },
        Flow { addrs: (2, 2), ..known },
        Flow { sport: 40002, ..known },
        Flow { dport: 8080, ..known },
        Flow { protocol: UDP, ..known },
        Flow { protocol: TCP, ..FLOWS[3] },
    ] {
        send(&miss.packet(plain, &bytes.take(12)));
    }

    // Refusals: a later fragment, a header length below 5, other protocols.
    send(&FLOWS[3].packet(V4 { frag: 185, ..plain }, &bytes.take(64)));
    send(&FLOWS[0].packet(V4 { ihl: Some(4), ..plain }, &bytes.take(12)));
    let addrs = FLOWS[0].addrs();
    send(&ip(addrs, ICMP, &echo(addrs, 1, &bytes.take(56))));
    send(&ip(addrs, ESP, &bytes.take(32)));

    // Cut: inside the IP header, the TCP header, the UDP header, and behind options.
    let whole = FLOWS[0].packet(plain, &[]);
    let datagram = FLOWS[1].packet(plain, &[]);
    let options = ip_options(6);
    let behind = FLOWS[0].packet(V4 { options: &options, ..plain }, &[]);
    for cut in [&whole[..19], &whole[..39], &datagram[..27], &behind[..60]] {
        frames.push(short(station(2), station(1), ETH_IPV4, cut));
    }

    // Not IPv4.
    let v6 = Addrs::v6(1, 2);
    frames.push(frame(ETH_IPV6, &ip(v6, TCP, &tcp(v6, 40000, 443, 1, SYN, &[]))));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    frames.push(frame(ETH_VLAN, &vlan(100, ETH_IPV4, &whole)));
    on_port_0(frames)
}

/// The firewall's table by the names of its BTF. A `__be32` or `__be16` is the number that a little-endian CPU loads, as bpftool
/// prints it; the last entry is written as bytes.
fn firewall_maps() -> String {
    let mut entries = Vec::new();
    for flow in FLOWS {
        let Addrs::V4 { src, dst } = flow.addrs() else { continue };
        let (sport, dport) = (flow.sport.swap_bytes(), flow.dport.swap_bytes());
        let key = if entries.len() + 1 < FLOWS.len() {
            let (src, dst) = (u32::from_le_bytes(src), u32::from_le_bytes(dst));
            format!(
                "{{\"saddr\": {src}, \"daddr\": {dst}, \"sport\": {sport}, \"dport\": {dport}, \"protocol\": {}}}",
                flow.protocol
            )
        } else {
            let mut key = [src, dst].concat();
            key.extend([flow.sport.to_be_bytes(), flow.dport.to_be_bytes()].concat());
            key.extend(u32::from(flow.protocol).to_le_bytes());
            byte_array(&key)
        };
        entries.push(format!("    {{\"key\": {key}, \"value\": {{\"packets\": 0, \"bytes\": 0}}}}"));
    }
    format!("{{\n  \"flows\": [\n{}\n  ]\n}}\n", entries.join(",\n"))
}

/// `decap`: IPv4 and IPv6 inside IPv4 with every outer header length, and all that stays as it is.
fn decap() -> Vec<Packet> {
    let mut bytes = Bytes::new(6);
    let (outer, v4, v6) = (Addrs::v4(9, 1, 9, 2), Addrs::v4(0, 1, 0, 2), Addrs::v6(1, 2));
    let plain = V4::default();
    let inner4 = ip(v4, UDP, &udp(v4, 40001, 5001, &bytes.take(40)));
    let inner6 = ip(v6, TCP, &tcp(v6, 40000, 443, 1, FIN_ACK, &bytes.take(100)));
    let mut frames = Vec::new();
    let mut send = |packet: &[u8]| frames.push(frame(ETH_IPV4, packet));

    for words in 0..=10 {
        let options = ip_options(words);
        let header = V4 { options: &options, ..plain };
        send(&ip_with(outer, IPIP, header, &inner4));
        send(&ip_with(outer, IPV6, header, &inner6));
    }
    // Two tunnels, one in the other: only the outer one goes.
    send(&ip(outer, IPIP, &ip(outer, IPIP, &inner4)));
    let long = ip(v4, TCP, &tcp(v4, 40000, 443, 1, PSH_ACK, &bytes.take(1400)));
    send(&ip(outer, IPIP, &long));

    // Left alone: fragments, other protocols, not IPv4.
    send(&ip_with(outer, IPIP, V4 { frag: MF, ..plain }, &inner4));
    send(&ip_with(outer, IPIP, V4 { frag: 3, ..plain }, &inner4));
    send(&inner4);
    send(&ip(v4, ICMP, &echo(v4, 1, &bytes.take(56))));
    send(&ip(v4, GRE, &gre(&inner4)));
    // Dropped: a header length below 5, and one that leaves too little of the frame.
    send(&ip_with(outer, IPIP, V4 { ihl: Some(4), ..plain }, &inner4));
    send(&ip_with(outer, IPIP, V4 { ihl: Some(15), ..plain }, &bytes.take(20)));
    frames.push(frame(ETH_IPV6, &inner6));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    // Cut inside the outer header; and nothing behind it.
    frames.push(short(station(2), station(1), ETH_IPV4, &ip(outer, IPIP, &[])[..19]));
    frames.push(short(station(2), station(1), ETH_IPV4, &ip(outer, IPIP, &[])));
    on_port_0(frames)
}

/// Says goodbye to `learn` (IEEE 802 local experimental EtherType 1).
const ETH_GOODBYE: u16 = 0x88b5;
/// Stations that its table holds.
const TABLE: u8 = 16;

/// `learn`: new and known stations on two interfaces, a full table, goodbyes.
fn learn() -> Vec<Packet> {
    let mut bytes = Bytes::new(7);
    let mut packets = Vec::new();
    let mut send = |interface, from: Mac, ethertype| {
        let payload = match ethertype {
            ETH_ARP => arp(from, 0, 2),
            ETH_GOODBYE => Vec::new(),
            _ => {
                let last = from[5];
                let addrs = if ethertype == ETH_IPV4 { Addrs::v4(0, last, 0, 2) } else { Addrs::v6(last, 2) };
                ip(addrs, UDP, &udp(addrs, 40001, 5001, &bytes.take(18 + 20 * usize::from(last % 16))))
            }
        };
        packets.push(Packet { interface, queue: 0, bytes: ether(BROADCAST, from, ethertype, &payload) });
    };
    // Station 200 stands in maps.json, so the last two of these find no room.
    send(1, station(200), ETH_ARP);
    for n in 0..=TABLE {
        send(u32::from(n % 2), station(n), ETH_IPV4);
    }
    // All come again, and have moved to the other interface; one still finds no room.
    for n in 0..TABLE {
        send(u32::from(n % 2 == 0), station(n), ETH_IPV6);
    }
    // Known and unknown stations leave; one that left comes back, another takes the other place, a third finds none.
    send(0, station(3), ETH_GOODBYE);
    send(0, station(3), ETH_GOODBYE);
    send(0, station(200), ETH_GOODBYE);
    send(0, station(77), ETH_GOODBYE);
    send(1, station(3), ETH_IPV4);
    send(1, station(77), ETH_IPV4);
    send(1, station(78), ETH_IPV4);
    // No station has a group address.
    send(0, MULTICAST, ETH_IPV4);
    packets
}

/// One station that `learn` knows from the start, as bytes: ifindex 9, CPU 5, 41 packets.
fn learn_maps() -> String {
    let value = [9u32.to_le_bytes().as_slice(), &5u32.to_le_bytes(), &41u64.to_le_bytes()].concat();
    let (key, value) = (byte_array(&station(200)), byte_array(&value));
    format!("{{\n  \"stations\": [\n    {{\"key\": {key}, \"value\": {value}}}\n  ]\n}}\n")
}
