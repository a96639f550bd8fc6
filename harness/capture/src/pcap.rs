//! Classic pcap.

use super::{Capture, Captured, Cursor, ETHERNET, MAX_PACKET, bad, frame, not_ethernet};
use offwire_diag::Diagnostic;

/// Byte order and time unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    big: bool,
    /// Nanoseconds of one unit of the second time field.
    unit_ns: u64,
}

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
const FILE_HEADER: usize = 24;

/// What the first four bytes say.
pub(super) fn format(magic: [u8; 4]) -> Option<Format> {
    for big in [false, true] {
        let number = if big { u32::from_be_bytes(magic) } else { u32::from_le_bytes(magic) };
        match number {
            MICRO => return Some(Format { big, unit_ns: 1000 }),
            NANO => return Some(Format { big, unit_ns: 1 }),
            _ => {}
        }
    }
    None
}

pub(super) fn read(bytes: &[u8], format: Format) -> Result<Capture, Diagnostic> {
    let mut cursor = Cursor::new(bytes, 20, format.big);
    let Some(link) = cursor.u32() else {
        return Err(bad(bytes.len(), "the file header is cut short"));
    };
    // The upper bits may hold the length of the frame check sequence in units of 16 bits.
    let link_type = link & 0xffff;
    let fcs = if link & 0x0400_0000 != 0 { (link >> 28) * 2 } else { 0 };
    if link_type != ETHERNET {
        return Err(not_ethernet(0, link_type));
    }
    debug_assert_eq!(cursor.at, FILE_HEADER, "the link type is the last field");
    let mut packets = Vec::new();
    while cursor.at < bytes.len() {
        let start = cursor.at;
        let (Some(seconds), Some(fraction), Some(len), Some(wire_len)) =
            (cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32())
        else {
            return Err(bad(start, format!("the header of packet {} is cut short", packets.len())));
        };
        if len > MAX_PACKET {
            return Err(bad(start, format!("packet {} claims {len} bytes", packets.len())));
        }
        let Some(data) = cursor.take(len as usize) else {
            return Err(bad(start, format!("packet {} claims {len} bytes, but the file ends before", packets.len())));
        };
        // Some writers leave the length on the wire out.
        let (bytes, wire_len) = frame(data, wire_len.max(len), fcs);
        let ts_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * format.unit_ns;
        packets.push(Captured { ts_ns, interface: 0, rx_queue: 0, bytes, wire_len });
    }
    Ok(Capture { packets })
}

/// Writes packets (nanoseconds since 1970, frame) as pcap with nanoseconds, little-endian. Times beyond the year 2106
/// wrap, as the format has 32 bits for seconds.
pub fn write<'a>(packets: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out);
    for (ts_ns, bytes) in packets {
        write_packet(&mut out, ts_ns, bytes);
    }
    out
}

/// Appends what stands before the first packet of what [`write()`] writes, for who writes packets as they come.
pub fn write_header(out: &mut Vec<u8>) {
    // Version 2.4 is two 16-bit fields.
    for number in [NANO, 4 << 16 | 2, 0, 0, MAX_PACKET, ETHERNET] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Appends one packet; as [`write()`].
pub fn write_packet(out: &mut Vec<u8>, ts_ns: u64, bytes: &[u8]) {
    let cut = bytes.get(..MAX_PACKET as usize).unwrap_or(bytes);
    for number in [(ts_ns / 1_000_000_000) as u32, (ts_ns % 1_000_000_000) as u32, cut.len() as u32, bytes.len() as u32]
    {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(cut);
}
