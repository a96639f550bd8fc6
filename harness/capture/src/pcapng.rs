//! pcapng.

use super::{Capture, Captured, Cursor, ETHERNET, MAX_PACKET, bad, frame, not_ethernet};
use offwire_diag::Diagnostic;

/// Type of a section header block, the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete, but still found.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const SECTION: u32 = 0x0a0d_0d0a;

const OPT_END: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const EPB_QUEUE: u16 = 6;
const IF_TSOFFSET: u16 = 14;

/// What an interface description says.
#[derive(Clone, Copy, Debug)]
struct Interface {
    snap_len: u32,
    resolution: Resolution,
    /// Seconds to add.
    offset: i64,
    /// Bytes of the frame check sequence.
    fcs: u32,
}

/// Units of a time stamp: 10 or 2 to the power of minus the exponent seconds.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    Decimal(u32),
    Binary(u32),
}

impl Resolution {
    /// Nanoseconds of a time stamp; beyond 64 bits saturates.
    fn nanoseconds(self, stamp: u64) -> u64 {
        let stamp = u128::from(stamp);
        let ns = match self {
            Resolution::Decimal(exponent @ 0..=9) => stamp * 10u128.pow(9 - exponent),
            // 2^64 / 10^20 is 0.
            Resolution::Decimal(exponent) => 10u128.checked_pow(exponent - 9).map_or(0, |divisor| stamp / divisor),
            Resolution::Binary(exponent) => (stamp * 1_000_000_000).checked_shr(exponent).unwrap_or(0),
        };
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Capture, Diagnostic> {
    let mut packets = Vec::new();
    let mut interfaces: Vec<Interface> = Vec::new();
    // Interfaces of former sections.
    let mut earlier = 0u32;
    let mut big = false;
    let mut last_ns = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at..at.saturating_add(4)) == Some(&SECTION_HEADER) {
            big = byte_order(bytes, at)?;
            earlier = earlier.saturating_add(interfaces.len() as u32);
            interfaces.clear();
        }
        let (kind, body) = block(bytes, at, big)?;
        let start = at;
        // Type, length before, length after.
        at += body.len() + 12;
        let cut = || bad(start, "a block is too short for its kind");
        let mut cursor = Cursor::new(body, 0, big);
        match kind {
            SECTION => {}
            INTERFACE_DESCRIPTION => {
                let number = earlier as usize + interfaces.len();
                let (link_type, snap_len) =
                    read_interface(&mut cursor).ok_or_else(cut).map(|(link, _, snap)| (link, snap))?;
                if u32::from(link_type) != ETHERNET {
                    return Err(not_ethernet(number, u32::from(link_type)));
                }
                interfaces.push(options(cursor, snap_len).ok_or_else(|| bad(start, "an option is cut short"))?);
            }
            ENHANCED_PACKET | PACKET => {
                let interface = if kind == PACKET {
                    let interface = cursor.u16().map(u32::from);
                    // Count of drops.
                    cursor.u16();
                    interface
                } else {
                    cursor.u32()
                };
                let (Some(interface), Some(high), Some(low), Some(len), Some(wire_len)) =
                    (interface, cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32())
                else {
                    return Err(cut());
                };
                let Some(known) = interfaces.get(interface as usize) else {
                    return Err(bad(start, format!("a packet names interface {interface}, which is not described")));
                };
                let data = packet_data(&mut cursor, start, len)?;
                let ns = known.resolution.nanoseconds(u64::from(high) << 32 | u64::from(low));
                last_ns = add_seconds(ns, known.offset);
                let (bytes, wire_len) = frame(data, wire_len.max(len), known.fcs);
                let interface = earlier.saturating_add(interface);
                cursor.at = cursor.at.next_multiple_of(4);
                let rx_queue = if kind == ENHANCED_PACKET { queue(cursor) } else { Some(0) };
                let rx_queue = rx_queue.ok_or_else(|| bad(start, "an option is cut short"))?;
                packets.push(Captured { ts_ns: last_ns, interface, rx_queue, bytes, wire_len });
            }
            SIMPLE_PACKET => {
                let Some(wire_len) = cursor.u32() else { return Err(cut()) };
                let Some(known) = interfaces.first() else {
                    return Err(bad(start, "a packet stands before any interface description"));
                };
                let len = if known.snap_len == 0 { wire_len } else { wire_len.min(known.snap_len) };
                let data = packet_data(&mut cursor, start, len)?;
                let (bytes, wire_len) = frame(data, wire_len, known.fcs);
                // It has no time stamp of its own.
                packets.push(Captured { ts_ns: last_ns, interface: earlier, rx_queue: 0, bytes, wire_len });
            }
            // Names, statistics, secrets, custom blocks: not packets.
            _ => {}
        }
    }
    Ok(Capture { packets })
}

/// True for a big-endian section.
fn byte_order(bytes: &[u8], at: usize) -> Result<bool, Diagnostic> {
    let mut cursor = Cursor::new(bytes, at.saturating_add(8), false);
    match cursor.u32() {
        Some(BYTE_ORDER_MAGIC) => Ok(false),
        Some(other) if other == BYTE_ORDER_MAGIC.swap_bytes() => Ok(true),
        _ => Err(bad(at, "a section header without byte-order magic")),
    }
}

/// Type and body of the block at `at`.
fn block(bytes: &[u8], at: usize, big: bool) -> Result<(u32, &[u8]), Diagnostic> {
    let mut cursor = Cursor::new(bytes, at, big);
    let (Some(kind), Some(length)) = (cursor.u32(), cursor.u32()) else {
        return Err(bad(at, "a block header is cut short"));
    };
    if length < 12 || length % 4 != 0 {
        return Err(bad(at, format!("a block claims {length} bytes")));
    }
    let (Some(body), Some(again)) = (cursor.take(length as usize - 12), cursor.u32()) else {
        return Err(bad(at, format!("a block claims {length} bytes, but the file ends before")));
    };
    if again != length {
        return Err(bad(at, format!("a block claims {length} bytes at its start and {again} at its end")));
    }
    Ok((kind, body))
}

fn packet_data<'a>(cursor: &mut Cursor<'a>, start: usize, len: u32) -> Result<&'a [u8], Diagnostic> {
    if len > MAX_PACKET {
        return Err(bad(start, format!("a packet claims {len} bytes")));
    }
    cursor
        .take(len as usize)
        .ok_or_else(|| bad(start, format!("a packet claims {len} bytes, but its block ends before")))
}

/// Link type, reserved, snap length.
fn read_interface(cursor: &mut Cursor<'_>) -> Option<(u16, u16, u32)> {
    Some((cursor.u16()?, cursor.u16()?, cursor.u32()?))
}

/// Options of an interface description; `None` if one is cut short.
fn options(mut cursor: Cursor<'_>, snap_len: u32) -> Option<Interface> {
    let mut interface = Interface { snap_len, resolution: Resolution::Decimal(6), offset: 0, fcs: 0 };
    while cursor.at < cursor.bytes.len() {
        let (code, len) = (cursor.u16()?, cursor.u16()?);
        if code == OPT_END {
            break;
        }
        let value = cursor.take(usize::from(len))?;
        cursor.at = cursor.at.next_multiple_of(4);
        match (code, value) {
            (IF_TSRESOL, &[value]) => {
                let exponent = u32::from(value & 0x7f);
                interface.resolution =
                    if value & 0x80 == 0 { Resolution::Decimal(exponent) } else { Resolution::Binary(exponent) };
            }
            (IF_FCSLEN, &[value]) => interface.fcs = u32::from(value),
            (IF_TSOFFSET, value) => {
                let bytes: [u8; 8] = value.try_into().ok()?;
                interface.offset = if cursor.big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
            }
            _ => {}
        }
    }
    Some(interface)
}

/// The receive queue in the options of a packet, 0 if they do not name it; `None` if one is cut short.
fn queue(mut cursor: Cursor<'_>) -> Option<u32> {
    while cursor.at < cursor.bytes.len() {
        let (code, len) = (cursor.u16()?, cursor.u16()?);
        if code == OPT_END {
            break;
        }
        if (code, len) == (EPB_QUEUE, 4) {
            return cursor.u32();
        }
        cursor.take(usize::from(len))?;
        cursor.at = cursor.at.next_multiple_of(4);
    }
    Some(0)
}

/// Saturates at both ends.
fn add_seconds(ns: u64, seconds: i64) -> u64 {
    let sum = i128::from(ns) + i128::from(seconds) * 1_000_000_000;
    u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
}
