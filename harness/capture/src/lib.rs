//! Captures: classic pcap and pcapng in, pcap with nanoseconds out.
//!
//! Reading is total: any bytes give packets or a Diagnostic, and no length in the file makes us allocate more than the
//! file has. Both byte orders, micro- and nanoseconds, all time resolutions of pcapng, several sections and interfaces.
//! Link type Ethernet only. Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
#![forbid(unsafe_code)]

mod pcap;
mod pcapng;

use offwire_diag::{Diagnostic, codes};

pub use pcap::{write, write_header, write_packet};

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
/// Longest packet that is believed (libpcap's MAXIMUM_SNAPLEN).
const MAX_PACKET: u32 = 262_144;

/// A capture, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Its packets, in file order.
    pub packets: Vec<Captured>,
}

/// One captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Nanoseconds since 1970-01-01 UTC, or since whatever the file counts from.
    pub ts_ns: u64,
    /// Number of the interface in the file, from 0; always 0 in pcap. Sections of pcapng count on.
    pub interface: u32,
    /// Receive queue, where the file tells it (pcapng's epb_queue), else 0.
    pub rx_queue: u32,
    /// The frame, without its check sequence.
    pub bytes: Vec<u8>,
    /// Length on the wire; longer than `bytes` if the capture cut it.
    pub wire_len: u32,
}

/// A packet on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketIn {
    /// The frame, from the destination MAC on, without FCS.
    pub bytes: Vec<u8>,
    /// Device port; shows to the program as ifindex port + 1.
    pub port: u32,
    /// Receive queue.
    pub rx_queue: u32,
    /// Arrival in nanoseconds since the first packet.
    pub arrival_ns: u64,
}

impl Captured {
    /// True if the capture holds only the packet's first bytes.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.wire_len as usize
    }
}

impl Capture {
    /// As packets for a back end: the interface is the port, time counts from the first packet on and never runs back.
    pub fn packets_in(&self) -> Vec<PacketIn> {
        let start = self.packets.first().map_or(0, |packet| packet.ts_ns);
        let mut last = 0;
        self.packets
            .iter()
            .map(|packet| {
                last = last.max(packet.ts_ns.saturating_sub(start));
                let (port, rx_queue) = (packet.interface, packet.rx_queue);
                PacketIn { bytes: packet.bytes.clone(), port, rx_queue, arrival_ns: last }
            })
            .collect()
    }

    /// A warning if packets were cut.
    pub fn warning(&self) -> Option<Diagnostic> {
        let cut = self.packets.iter().filter(|packet| packet.is_cut()).count();
        let first = self.packets.iter().position(Captured::is_cut)?;
        Some(
            Diagnostic::warning(codes::data::CAPTURE_CUT_PACKET, format!("{cut} packets of the capture were cut"))
                .with_reason(format!(
                    "packet {first} has {} of {} bytes; the program sees a packet of the shorter length",
                    self.packets.get(first).map_or(0, |packet| packet.bytes.len()),
                    self.packets.get(first).map_or(0, |packet| packet.wire_len),
                ))
                .with_help("capture with `tcpdump -s 0`"),
        )
    }
}

/// Reads a capture of either format.
///
/// # Errors
/// `OW0701` if the bytes are neither or are cut short, `OW0702` if an interface is not Ethernet.
pub fn read(bytes: &[u8]) -> Result<Capture, Diagnostic> {
    match bytes.first_chunk::<4>() {
        Some(&pcapng::SECTION_HEADER) => pcapng::read(bytes),
        Some(magic) => match pcap::format(*magic) {
            Some(format) => pcap::read(bytes, format),
            None => Err(bad(0, format!("its first bytes {magic:02x?} belong to neither pcap nor pcapng"))),
        },
        None => Err(bad(0, format!("it has {} bytes", bytes.len()))),
    }
}

/// `OW0701` at a byte offset.
fn bad(offset: usize, reason: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(codes::data::BAD_CAPTURE, "the capture is not readable")
        .with_reason(format!("at byte {offset}: {reason}"))
}

fn not_ethernet(interface: usize, link_type: u32) -> Diagnostic {
    let name = match link_type {
        0 => " (BSD loopback)",
        101 => " (raw IP)",
        105 => " (802.11)",
        113 => " (Linux cooked)",
        276 => " (Linux cooked, version 2)",
        _ => "",
    };
    Diagnostic::error(codes::data::CAPTURE_LINK_TYPE, "the capture is not Ethernet")
        .with_reason(format!(
            "interface {interface} has link type {link_type}{name}; XDP programs see Ethernet frames (1)"
        ))
        .with_help("capture on an Ethernet interface, not on `any`")
}

/// Reads numbers of one byte order at growing offsets.
#[derive(Clone)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], at: usize, big: bool) -> Self {
        Self { bytes, at, big }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

/// The frame without a check sequence of `fcs` bytes, which stands at the end of the wire length.
fn frame(captured: &[u8], wire_len: u32, fcs: u32) -> (Vec<u8>, u32) {
    let wire = wire_len.saturating_sub(fcs);
    let keep = captured.len().min(wire as usize);
    (captured.get(..keep).unwrap_or(&[]).to_vec(), wire)
}
