//! `dns`: names that are blocked, that are below a blocked one, above one, and none of it; every way to be no query.

use super::mapfile::MapFile;
use super::*;

/// Blocked domains; the rule's number is the place here.
const BLOCKED: [&str; 6] = [
    "ads.example",
    "tracker.test",
    "command.control.malware.invalid",
    "a.very.deep.name.below.the.root.test",
    "a-label-of-thirty-characters-xx.and-one-that-is-a-bit-longer.te",
    // A whole top-level domain.
    "zip",
];

/// The labels of a name behind their lengths, without the root's.
fn labels(name: &str) -> Vec<u8> {
    let mut b = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        b.push(label.len() as u8);
        b.extend(label.as_bytes());
    }
    b
}

/// FNV-1a over a name from its last byte to its first, as the program's blocklist has it.
fn hash(name: &str) -> u64 {
    labels(name)
        .iter()
        .rev()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x100_0000_01b3))
}

pub(super) fn maps() -> String {
    let mut file = MapFile::default();
    for (id, name) in BLOCKED.into_iter().enumerate() {
        file.add("blocklist", hash(name), format!("{{\"id\": {id}, \"hits\": 0}}"));
    }
    file.text()
}

/// A message with these flags, this number of questions and these bytes behind the header.
fn message(flags: u16, questions: u16, rest: &[u8]) -> Vec<u8> {
    let mut b = vec![0x2a, 0x2a];
    for field in [flags, questions, 0, 0, 0] {
        b.extend(field.to_be_bytes());
    }
    b.extend(rest);
    b
}

/// Recursion is desired: what stub resolvers ask for.
const RD: u16 = 0x0100;

/// A question for the A record of a name.
fn question(name: &str) -> Vec<u8> {
    let mut b = labels(name);
    b.extend([0, 0, 1, 0, 1]);
    b
}

pub(super) fn packets() -> Vec<Packet> {
    let mut bytes = Bytes::new(20);
    let (v4, v6) = (Addrs::v4(0, 1, 0, 53), Addrs::v6(1, 53));
    let mut frames = Vec::new();
    for addrs in [v4, v6] {
        let mut ask = |message: &[u8]| {
            frames.push(frame(addrs.ethertype(), &ip(addrs, UDP, &udp(addrs, 40053, 53, message))));
        };
        let long = format!("{}.{}.{}", "x".repeat(30), "y".repeat(30), "z".repeat(9));
        let longest_label = "w".repeat(62);
        for name in [
            "ads.example",
            "banner.ads.example",
            "ADS.Example",
            "x.Y.z.tracker.TEST",
            "command.control.malware.invalid",
            "control.malware.invalid",
            "not-ads.example",
            "ads.example.test",
            "example",
            "www.rust-lang.test",
            "",
            // Eight labels are looked at, nine go by.
            "a.very.deep.name.below.the.root.test",
            "b.very.deep.name.below.the.root.test",
            "one.two.three.four.five.six.seven.zip",
            "even.a.very.deep.name.below.the.root.test",
            "a-label-of-thirty-characters-xx.and-one-that-is-a-bit-longer.te",
            longest_label.as_str(),
            long.as_str(),
        ] {
            ask(&message(RD, 1, &question(name)));
        }
        // Answers and other operations.
        ask(&message(0x8180, 1, &question("ads.example")));
        ask(&message(0x2800, 1, &question("ads.example")));
        // Malformed: no question, two of them, a pointer, a label that leads out of the name or beyond the packet.
        ask(&message(RD, 0, &[]));
        ask(&message(RD, 2, &question("ads.example")));
        ask(&message(RD, 1, &[0xc0, 0x0c, 0, 1, 0, 1]));
        ask(&message(RD, 1, &[3, b'a', b'd', 0, 0, 1, 0, 1, 0]));
        ask(&message(RD, 1, &[9, b'a', b'd', 0, 0, 1, 0, 1, 0]));
        // Cuts: no room for the end of the name, for any of it, for the header.
        let whole = ip(addrs, UDP, &udp(addrs, 40053, 53, &message(RD, 1, &question("ads.example"))));
        let header = whole.len() - question("ads.example").len() - 12 - 8;
        for cut in [whole.len() - 5, header + 8 + 12, header + 8 + 11, header + 7, header - 1] {
            frames.push(short(station(2), station(1), addrs.ethertype(), &whole[..cut]));
        }
        // Other ports and protocols.
        frames.push(frame(addrs.ethertype(), &ip(addrs, UDP, &udp(addrs, 40053, 5353, &bytes.take(40)))));
        frames.push(frame(addrs.ethertype(), &ip(addrs, TCP, &tcp(addrs, 40053, 53, 1, SYN, &[]))));
    }
    let datagram = udp(v4, 40053, 53, &message(RD, 1, &question("ads.example")));
    let plain = V4::default();
    for words in [1, 10] {
        let options = ip_options(words);
        frames.push(frame(ETH_IPV4, &ip_with(v4, UDP, V4 { options: &options, ..plain }, &datagram)));
    }
    frames.push(frame(ETH_IPV4, &ip_with(v4, UDP, V4 { frag: 3, ..plain }, &datagram)));
    frames.push(frame(ETH_IPV4, &ip_with(v4, UDP, V4 { ihl: Some(4), ..plain }, &datagram)));
    frames.push(ether(BROADCAST, station(1), ETH_ARP, &arp(station(1), 0, 2)));
    on_port_0(frames)
}
