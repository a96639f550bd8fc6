//! Writes captures: classic pcap and pcapng, either byte order, micro- or nanoseconds.
//!
//! Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

use super::packet::Bytes;

/// Byte order and clock of a file.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) format: Format,
    pub(super) big_endian: bool,
    pub(super) nanoseconds: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Pcap,
    Pcapng,
}

/// Classic pcap, little-endian, microseconds: what tcpdump writes by default.
pub(super) const PLAIN: Style = Style { format: Format::Pcap, big_endian: false, nanoseconds: false };

/// One frame, and the interface and the receive queue that it came in on.
pub(super) struct Packet {
    pub(super) interface: u32,
    /// Only pcapng knows of queues.
    pub(super) queue: u32,
    pub(super) bytes: Vec<u8>,
}

/// 2024-01-01 00:00:00 UTC, the time of the first packet of each capture.
const START_S: u64 = 1_704_067_200;
const SNAPLEN: u32 = 262_144;
const LINKTYPE_ETHERNET: u16 = 1;

/// The capture as a file. Packets are 0.5 to 2.5 us apart.
pub(super) fn write(style: Style, packets: &[Packet]) -> Vec<u8> {
    let mut gaps = Bytes::new(0x7ca9);
    let mut at_ns = START_S * 1_000_000_000;
    let mut w = Writer { style, out: Vec::new() };
    w.start(packets.iter().map(|p| p.interface + 1).max().unwrap_or(1));
    for packet in packets {
        w.packet(at_ns, packet);
        at_ns += 500 + gaps.next_u64() % 2000;
    }
    w.out
}

struct Writer {
    style: Style,
    out: Vec<u8>,
}

impl Writer {
    fn u16(&mut self, v: u16) {
        self.out.extend(if self.style.big_endian { v.to_be_bytes() } else { v.to_le_bytes() });
    }

    fn u32(&mut self, v: u32) {
        self.out.extend(if self.style.big_endian { v.to_be_bytes() } else { v.to_le_bytes() });
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
        self.out.extend(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()]);
    }

    fn start(&mut self, interfaces: u32) {
        if self.style.format == Format::Pcap {
            self.u32(if self.style.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
            self.u16(2);
            self.u16(4);
            self.u32(0);
            self.u32(0);
            self.u32(SNAPLEN);
            self.u32(u32::from(LINKTYPE_ETHERNET));
            return;
        }
        self.block(0x0a0d_0d0a, |w| {
            w.u32(0x1a2b_3c4d);
            w.u16(1);
            w.u16(0);
            w.u32(u32::MAX); // length of the section: not given
            w.u32(u32::MAX);
        });
        for _ in 0..interfaces {
            self.block(1, |w| {
                w.u16(LINKTYPE_ETHERNET);
                w.u16(0);
                w.u32(SNAPLEN);
                if w.style.nanoseconds {
                    w.u16(9); // if_tsresol: a power of ten
                    w.u16(1);
                    w.padded(&[9]);
                    w.u16(0); // opt_endofopt
                    w.u16(0);
                }
            });
        }
    }

    fn packet(&mut self, at_ns: u64, packet: &Packet) {
        let len = packet.bytes.len() as u32;
        let per_second: u64 = if self.style.nanoseconds { 1_000_000_000 } else { 1_000_000 };
        let ticks = at_ns / (1_000_000_000 / per_second);
        if self.style.format == Format::Pcap {
            self.u32((ticks / per_second) as u32);
            self.u32((ticks % per_second) as u32);
            self.u32(len);
            self.u32(len);
            self.out.extend(&packet.bytes);
            return;
        }
        self.block(6, |w| {
            w.u32(packet.interface);
            w.u32((ticks >> 32) as u32);
            w.u32(ticks as u32);
            w.u32(len);
            w.u32(len);
            w.padded(&packet.bytes);
            if packet.queue != 0 {
                w.u16(6); // epb_queue
                w.u16(4);
                w.u32(packet.queue);
                w.u16(0); // opt_endofopt
                w.u16(0);
            }
        });
    }

    /// A pcapng block: type, length, body, length.
    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        let mut inner = Writer { style: self.style, out: Vec::new() };
        body(&mut inner);
        let len = inner.out.len() as u32 + 12;
        self.u32(kind);
        self.u32(len);
        self.out.extend(inner.out);
        self.u32(len);
    }
}
