//! Frames from the inside out: each function wraps a payload into one header, with its checksum.
//!
//! Sources: RFC 768 (UDP), RFC 791 (IPv4), RFC 792 (ICMP), RFC 826 (ARP), RFC 1071 (checksum), RFC 2784 (GRE), RFC 4443 (ICMPv6), RFC 8200 (IPv6),
//! RFC 9293 (TCP), IEEE 802.1Q.

/// A MAC address.
pub(super) type Mac = [u8; 6];

pub(super) const ETH_IPV4: u16 = 0x0800;
pub(super) const ETH_ARP: u16 = 0x0806;
pub(super) const ETH_VLAN: u16 = 0x8100;
pub(super) const ETH_QINQ: u16 = 0x88a8;
pub(super) const ETH_IPV6: u16 = 0x86dd;

/// Where spanning tree frames go; no bridge passes them on (IEEE 802.1D).
pub(super) const LINK_LOCAL: Mac = [0x01, 0x80, 0xc2, 0, 0, 0];

pub(super) const HOPOPT: u8 = 0;
pub(super) const ICMP: u8 = 1;
pub(super) const IPIP: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
pub(super) const ESP: u8 = 50;
pub(super) const ICMPV6: u8 = 58;

/// Shortest frame on a wire, without FCS; senders pad to it.
const MIN_FRAME: usize = 60;

/// Source and destination of an IP packet.
#[derive(Clone, Copy)]
pub(super) enum Addrs {
    V4 { src: [u8; 4], dst: [u8; 4] },
    V6 { src: [u8; 16], dst: [u8; 16] },
}

impl Addrs {
    /// The way back.
    pub(super) fn reversed(self) -> Self {
        match self {
            Addrs::V4 { src, dst } => Addrs::V4 { src: dst, dst: src },
            Addrs::V6 { src, dst } => Addrs::V6 { src: dst, dst: src },
        }
    }

    /// 10.0.`net`.`host` to 10.0.`to_net`.`to_host`.
    pub(super) fn v4(net: u8, host: u8, to_net: u8, to_host: u8) -> Self {
        Addrs::V4 { src: [10, 0, net, host], dst: [10, 0, to_net, to_host] }
    }

    /// 2001:db8::`host` to 2001:db8::`to_host` (RFC 3849).
    pub(super) fn v6(host: u8, to_host: u8) -> Self {
        let address = |last| [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        Addrs::V6 { src: address(host), dst: address(to_host) }
    }

    /// The EtherType that announces such a packet.
    pub(super) fn ethertype(self) -> u16 {
        match self {
            Addrs::V4 { .. } => ETH_IPV4,
            Addrs::V6 { .. } => ETH_IPV6,
        }
    }

    /// Sum over the pseudo header of TCP, UDP and ICMPv6.
    fn pseudo_sum(self, protocol: u8, len: usize) -> u32 {
        let addresses = match self {
            Addrs::V4 { src, dst } => sum(&src) + sum(&dst),
            Addrs::V6 { src, dst } => sum(&src) + sum(&dst),
        };
        addresses + u32::from(protocol) + len as u32
    }
}

/// Sum of the 16-bit words, big-endian, the last one filled up with a zero byte.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | u32::from(c.get(1).copied().unwrap_or(0))).sum()
}

/// The Internet checksum of a sum (RFC 1071).
fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// A UDP datagram.
pub(super) fn udp(addrs: Addrs, sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = Vec::new();
    for field in [sport, dport, 8 + payload.len() as u16, 0] {
        b.extend(field.to_be_bytes());
    }
    b.extend(payload);
    // Zero means "no checksum", so a sum of zero goes out as all ones.
    let checksum = match fold(sum(&b) + addrs.pseudo_sum(UDP, b.len())) {
        0 => 0xffff,
        c => c,
    };
    put_u16(&mut b, 6, checksum);
    b
}

/// TCP flags.
pub(super) const SYN: u8 = 0x02;
pub(super) const ACK: u8 = 0x10;
pub(super) const PSH_ACK: u8 = 0x18;
pub(super) const FIN_ACK: u8 = 0x11;

/// A TCP segment without options.
pub(super) fn tcp(addrs: Addrs, sport: u16, dport: u16, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut b = Vec::new();
    b.extend(sport.to_be_bytes());
    b.extend(dport.to_be_bytes());
    b.extend(seq.to_be_bytes());
    let ack: u32 = if flags & ACK == 0 { 0 } else { 0x1000_0001 };
    b.extend(ack.to_be_bytes());
    b.extend([5 << 4, flags]);
    b.extend(64240u16.to_be_bytes());
    b.extend([0; 4]);
    b.extend(payload);
    let checksum = fold(sum(&b) + addrs.pseudo_sum(TCP, b.len()));
    put_u16(&mut b, 16, checksum);
    b
}

/// An echo request: ICMP over IPv4, ICMPv6 over IPv6.
pub(super) fn echo(addrs: Addrs, seq: u16, payload: &[u8]) -> Vec<u8> {
    let (kind, pseudo) = match addrs {
        Addrs::V4 { .. } => (8, 0),
        Addrs::V6 { .. } => (128, addrs.pseudo_sum(ICMPV6, 8 + payload.len())),
    };
    let mut b = vec![kind, 0, 0, 0, 0x0f, 0xf1];
    b.extend(seq.to_be_bytes());
    b.extend(payload);
    let checksum = fold(sum(&b) + pseudo);
    put_u16(&mut b, 2, checksum);
    b
}

/// An ICMP error about a packet: type, code and the four bytes behind the checksum. Over IPv6 it is ICMPv6.
pub(super) fn icmp_error(addrs: Addrs, kind: u8, code: u8, rest: u32, quoted: &[u8]) -> Vec<u8> {
    let pseudo = match addrs {
        Addrs::V4 { .. } => 0,
        Addrs::V6 { .. } => addrs.pseudo_sum(ICMPV6, 8 + quoted.len()),
    };
    let mut b = vec![kind, code, 0, 0];
    b.extend(rest.to_be_bytes());
    b.extend(quoted);
    let checksum = fold(sum(&b) + pseudo);
    put_u16(&mut b, 2, checksum);
    b
}

/// GRE around an IPv4 packet (RFC 2784).
pub(super) fn gre(packet: &[u8]) -> Vec<u8> {
    let mut b = vec![0, 0];
    b.extend(ETH_IPV4.to_be_bytes());
    b.extend(packet);
    b
}

/// An IPv6 hop-by-hop header that holds padding alone, and what follows.
pub(super) fn hop_by_hop(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![next, 0, 1, 4, 0, 0, 0, 0];
    b.extend(payload);
    b
}

/// What an IPv4 header may have beyond the usual.
#[derive(Clone, Copy, Default)]
pub(super) struct V4<'a> {
    /// Options; a multiple of 4 bytes, at most 40.
    pub(super) options: &'a [u8],
    /// Flags and fragment offset as they stand in the header.
    pub(super) frag: u16,
    /// The header length field, where it is to differ from the truth.
    pub(super) ihl: Option<u8>,
    /// Time to live, 64 if not given.
    pub(super) ttl: Option<u8>,
    /// Identification, 0x2a2a if not given.
    pub(super) id: Option<u16>,
    /// Type of service.
    pub(super) tos: u8,
}

/// More fragments follow.
pub(super) const MF: u16 = 0x2000;
/// The sender forbids fragments; what most stacks send.
pub(super) const DF: u16 = 0x4000;

/// An IP packet; for IPv6 without extension headers.
pub(super) fn ip(addrs: Addrs, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip_with(addrs, protocol, V4 { frag: DF, ..V4::default() }, payload)
}

/// An IP packet; `v4` does not matter to IPv6.
pub(super) fn ip_with(addrs: Addrs, protocol: u8, v4: V4<'_>, payload: &[u8]) -> Vec<u8> {
    let mut b;
    match addrs {
        Addrs::V4 { src, dst } => {
            let header = 20 + v4.options.len();
            b = vec![0x40 | v4.ihl.unwrap_or((header / 4) as u8), v4.tos];
            b.extend(((header + payload.len()) as u16).to_be_bytes());
            b.extend(v4.id.unwrap_or(0x2a2a).to_be_bytes());
            b.extend(v4.frag.to_be_bytes());
            b.extend([v4.ttl.unwrap_or(64), protocol, 0, 0]);
            b.extend(src);
            b.extend(dst);
            b.extend(v4.options);
            let checksum = fold(sum(&b));
            put_u16(&mut b, 10, checksum);
        }
        Addrs::V6 { src, dst } => {
            b = vec![0x60, 0, 0, 0];
            b.extend((payload.len() as u16).to_be_bytes());
            b.extend([protocol, 64]);
            b.extend(src);
            b.extend(dst);
        }
    }
    b.extend(payload);
    b
}

/// `words` 32-bit words of IPv4 options that every stack skips: no-operations, then the end of the list.
pub(super) fn ip_options(words: usize) -> Vec<u8> {
    let mut options = vec![1; 4 * words];
    if let Some(last) = options.last_mut() {
        *last = 0;
    }
    options
}

/// A VLAN tag and what follows, to be put under `ETH_VLAN` or `ETH_QINQ`.
pub(super) fn vlan(id: u16, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = Vec::new();
    b.extend(id.to_be_bytes());
    b.extend(ethertype.to_be_bytes());
    b.extend(payload);
    b
}

/// A request for the owner of 10.0.`net`.`host`.
pub(super) fn arp(from: Mac, net: u8, host: u8) -> Vec<u8> {
    let mut b = vec![0, 1, 8, 0, 6, 4, 0, 1];
    b.extend(from);
    b.extend([10, 0, net, 1]);
    b.extend([0; 6]);
    b.extend([10, 0, net, host]);
    b
}

/// A frame, padded to the shortest that a wire carries.
pub(super) fn ether(dst: Mac, src: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = short(dst, src, ethertype, payload);
    if b.len() < MIN_FRAME {
        b.resize(MIN_FRAME, 0);
    }
    b
}

/// A frame without padding: what a tunnel or a virtual port may hand over.
pub(super) fn short(dst: Mac, src: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = Vec::new();
    b.extend(dst);
    b.extend(src);
    b.extend(ethertype.to_be_bytes());
    b.extend(payload);
    b
}

/// Reproducible bytes (splitmix64), so that payloads do not look alike.
pub(super) struct Bytes(u64);

impl Bytes {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }
}
