//! What a network stack leaves to the card: checksums, segmentation, VLAN tags. Pure functions over bytes.
//!
//! The kernel says what is left to do in a `virtio_net_hdr` (include/uapi/linux/virtio_net.h) before the frame. A
//! checksum that is left holds the sum of its pseudo header already, so that only the bytes from `csum_start` on are to
//! be added.

use super::FRAME;

/// Bytes of a `virtio_net_hdr`.
pub(super) const HEADER: usize = 10;

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// Congestion window reduced: only the first segment may tell.
const GSO_ECN: u8 = 0x80;

/// Bytes of both MAC addresses.
const ADDRESSES: usize = 12;
/// Segments of one message at the most: 64 KiB in pieces of 16 B.
const SEGMENTS: usize = 4096;

const TCP_FIN_PSH: u8 = 0x01 | 0x08;
const TCP_CWR: u8 = 0x80;
/// Offset of the checksum in a UDP header, where 0 means that there is none.
const UDP_CHECK: usize = 6;

/// A VLAN tag that stands beside the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Ethertype of the tag.
    pub(super) tpid: u16,
    /// Priority and VLAN.
    pub(super) tci: u16,
}

/// The header's fields.
struct Left {
    needs_csum: bool,
    gso: u8,
    ecn: bool,
    gso_size: usize,
    csum_start: usize,
    csum_offset: usize,
}

impl Left {
    fn decode(header: &[u8; HEADER]) -> Self {
        let [flags, gso, _, _, size_0, size_1, start_0, start_1, offset_0, offset_1] = *header;
        let number = |low, high| usize::from(u16::from_ne_bytes([low, high]));
        Left {
            needs_csum: flags & NEEDS_CSUM != 0,
            gso: gso & !GSO_ECN,
            ecn: gso & GSO_ECN != 0,
            gso_size: number(size_0, size_1),
            csum_start: number(start_0, start_1),
            csum_offset: number(offset_0, offset_1),
        }
    }
}

/// Makes of a message (`virtio_net_hdr`, frame) the frames that a card would have sent. `None`: it is none that a card
/// sends.
pub(super) fn finish(message: &[u8], tag: Option<Tag>, frames: &mut Vec<Vec<u8>>) -> Option<()> {
    let (header, frame) = message.split_first_chunk::<HEADER>()?;
    let left = Left::decode(header);
    if left.gso == GSO_NONE {
        let mut frame = frame.to_vec();
        if left.needs_csum {
            checksum(&mut frame, left.csum_start, left.csum_offset)?;
        }
        return push(frame, tag, frames);
    }
    segment(frame, &left, |frame| push(frame, tag, frames))
}

fn push(mut frame: Vec<u8>, tag: Option<Tag>, frames: &mut Vec<Vec<u8>>) -> Option<()> {
    if let Some(Tag { tpid, tci }) = tag {
        if frame.len() < ADDRESSES {
            return None;
        }
        let [[a, b], [c, d]] = [tpid.to_be_bytes(), tci.to_be_bytes()];
        frame.splice(ADDRESSES..ADDRESSES, [a, b, c, d]);
    }
    if frame.len() > FRAME {
        return None;
    }
    frames.push(frame);
    Some(())
}

/// Sum of big-endian 16-bit words in ones' complement, an odd byte padded with 0.
fn sum(bytes: &[u8]) -> u32 {
    let mut total = 0u64;
    let (pairs, rest) = bytes.as_chunks::<2>();
    for pair in pairs {
        total += u64::from(u16::from_be_bytes(*pair));
    }
    if let [last] = rest {
        total += u64::from(*last) << 8;
    }
    fold(total)
}

fn fold(mut total: u64) -> u32 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u32
}

fn set16(frame: &mut [u8], at: usize, value: u32) -> Option<()> {
    let field = frame.get_mut(at..at.checked_add(2)?)?;
    field.copy_from_slice(&(value as u16).to_be_bytes());
    Some(())
}

fn get16(frame: &[u8], at: usize) -> Option<u32> {
    let field = frame.get(at..)?.first_chunk::<2>()?;
    Some(u32::from(u16::from_be_bytes(*field)))
}

/// Completes the checksum at `start + offset` over the bytes from `start` on.
fn checksum(frame: &mut [u8], start: usize, offset: usize) -> Option<()> {
    let at = start.checked_add(offset)?;
    get16(frame, at)?;
    let total = !sum(frame.get(start..)?) & 0xffff;
    let total = if total == 0 && offset == UDP_CHECK { 0xffff } else { total };
    set16(frame, at, total)
}

/// Where the network header starts and whether it is IPv6.
fn network(frame: &[u8]) -> Option<(usize, bool)> {
    let mut at = ADDRESSES;
    // Tags that stand in the frame: one, or two.
    for _ in 0..3 {
        match get16(frame, at)? {
            0x8100 | 0x88a8 => at += 4,
            0x0800 => return Some((at + 2, false)),
            0x86dd => return Some((at + 2, true)),
            _ => return None,
        }
    }
    None
}

/// Cuts a large segment up; each piece has the headers of the whole, made true for it.
fn segment(frame: &[u8], left: &Left, mut push: impl FnMut(Vec<u8>) -> Option<()>) -> Option<()> {
    let (network, is_v6) = network(frame)?;
    let transport = left.csum_start;
    let is_tcp = match left.gso {
        GSO_TCPV4 if !is_v6 => true,
        GSO_TCPV6 if is_v6 => true,
        GSO_UDP_L4 => false,
        _ => return None,
    };
    let header = if is_tcp { usize::from(*frame.get(transport.checked_add(12)?)? >> 4) * 4 } else { 8 };
    let fits = transport >= network + if is_v6 { 40 } else { 20 }
        && header >= if is_tcp { 20 } else { 8 }
        && left.csum_offset == if is_tcp { 16 } else { UDP_CHECK };
    if !fits || left.gso_size == 0 {
        return None;
    }
    let (headers, payload) = frame.split_at_checked(transport.checked_add(header)?)?;
    let pieces = payload.len().div_ceil(left.gso_size).max(1);
    if pieces > SEGMENTS {
        return None;
    }
    // The sum of the pseudo header holds the length of the whole; in ones' complement it can be taken out again.
    let check = transport + left.csum_offset;
    let whole = (frame.len() - transport) as u64;
    let pseudo = u64::from(get16(headers, check)?) + (0xffff - whole % 0xffff);
    for n in 0..pieces {
        let (start, last) = (n * left.gso_size, n + 1 == pieces);
        let data = payload.get(start..payload.len().min(start + left.gso_size))?;
        let mut piece = [headers, data].concat();
        let transport_len = piece.len() - transport;
        if is_v6 {
            let len = (piece.len() - network - 40) as u32;
            set16(&mut piece, network + 4, len)?;
        } else {
            let len = (piece.len() - network) as u32;
            set16(&mut piece, network + 2, len)?;
            let id = get16(&piece, network + 4)?.wrapping_add(n as u32);
            set16(&mut piece, network + 4, id)?;
            set16(&mut piece, network + 10, 0)?;
            let header = piece.get(network..transport)?;
            let check = !sum(header) & 0xffff;
            set16(&mut piece, network + 10, check)?;
        }
        if is_tcp {
            let sequence = piece.get_mut(transport + 4..)?.first_chunk_mut::<4>()?;
            *sequence = u32::from_be_bytes(*sequence).wrapping_add(start as u32).to_be_bytes();
            let flags = piece.get_mut(transport + 13)?;
            if !last {
                *flags &= !TCP_FIN_PSH;
            }
            if n > 0 && left.ecn {
                *flags &= !TCP_CWR;
            }
        } else {
            set16(&mut piece, transport + 4, transport_len as u32)?;
        }
        set16(&mut piece, check, fold(pseudo + transport_len as u64))?;
        checksum(&mut piece, transport, left.csum_offset)?;
        push(piece)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left to do, as the kernel tells it.
    fn message(flags: u8, gso: u8, gso_size: u16, start: u16, offset: u16, frame: &[u8]) -> Vec<u8> {
        let mut bytes = vec![flags, gso];
        for number in [0, gso_size, start, offset] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes.extend_from_slice(frame);
        bytes
    }

    /// A frame with the sum of its pseudo header where the checksum goes, and where its transport header starts.
    fn packet(is_v6: bool, is_tcp: bool, payload: &[u8]) -> (Vec<u8>, usize) {
        let header = if is_tcp { 20 } else { 8 };
        let len = (header + payload.len()) as u16;
        let protocol = if is_tcp { 6u8 } else { 17 };
        let mut frame = vec![2; ADDRESSES];
        let addresses: Vec<u8> = (1..=if is_v6 { 32 } else { 8 }).collect();
        if is_v6 {
            frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend_from_slice(&len.to_be_bytes());
            frame.extend_from_slice(&[protocol, 64]);
        } else {
            frame.extend_from_slice(&[8, 0, 0x45, 0]);
            frame.extend_from_slice(&(20 + len).to_be_bytes());
            frame.extend_from_slice(&[0xff, 0xff, 0x40, 0, 64, protocol, 0, 0]);
        }
        frame.extend_from_slice(&addresses);
        let transport = frame.len();
        let pseudo = fold(u64::from(sum(&addresses)) + u64::from(protocol) + u64::from(len)) as u16;
        if is_tcp {
            frame.extend_from_slice(&[0, 80, 1, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 1, 0x50, 0x99, 1, 0]);
            frame.extend_from_slice(&pseudo.to_be_bytes());
            frame.extend_from_slice(&[0, 0]);
        } else {
            frame.extend_from_slice(&[0, 80, 1, 0]);
            frame.extend_from_slice(&len.to_be_bytes());
            frame.extend_from_slice(&pseudo.to_be_bytes());
        }
        frame.extend_from_slice(payload);
        (frame, transport)
    }

    /// What a receiver does: all sums are 0xffff.
    fn assert_sums(frame: &[u8], is_v6: bool, is_tcp: bool) {
        let network = ADDRESSES + 2;
        let (addresses, transport) = if is_v6 { (8..40, 40) } else { (12..20, 20) };
        let ip = &frame[network..];
        if !is_v6 {
            assert_eq!(sum(&ip[..20]), 0xffff, "IPv4 header");
            assert_eq!(get16(ip, 2), Some(ip.len() as u32), "IPv4 length");
        } else {
            assert_eq!(get16(ip, 4), Some(ip.len() as u32 - 40), "IPv6 length");
        }
        let rest = &ip[transport..];
        let pseudo = u64::from(sum(&ip[addresses])) + if is_tcp { 6 } else { 17 } + rest.len() as u64;
        assert_eq!(fold(pseudo + u64::from(sum(rest))), 0xffff, "transport");
    }

    #[test]
    fn a_checksum_that_is_left_is_completed() {
        for is_v6 in [false, true] {
            for is_tcp in [false, true] {
                for payload in [&b""[..], b"x", b"hello, world", &[0xff; 1400]] {
                    let (mut frame, transport) = packet(is_v6, is_tcp, payload);
                    if !is_v6 {
                        let check = !sum(&frame[ADDRESSES + 2..transport]) & 0xffff;
                        set16(&mut frame, ADDRESSES + 2 + 10, check).expect("there");
                    }
                    let offset = if is_tcp { 16 } else { 6 };
                    let mut frames = Vec::new();
                    finish(&message(1, 0, 0, transport as u16, offset, &frame), None, &mut frames).expect("a frame");
                    assert_eq!(frames.len(), 1);
                    assert_sums(&frames[0], is_v6, is_tcp);
                }
            }
        }
    }

    #[test]
    fn a_large_segment_becomes_frames_of_the_mtu() {
        let payload: Vec<u8> = (0..40_000u32).map(|n| (n * 7 % 251) as u8).collect();
        for (is_v6, is_tcp, gso) in [
            (false, true, GSO_TCPV4 | GSO_ECN),
            (true, true, GSO_TCPV6 | GSO_ECN),
            (false, false, GSO_UDP_L4),
            (true, false, GSO_UDP_L4),
        ] {
            let (frame, transport) = packet(is_v6, is_tcp, &payload);
            let (header, offset) = if is_tcp { (20, 16) } else { (8, 6) };
            let mut frames = Vec::new();
            let tag = Some(Tag { tpid: 0x8100, tci: 0x2064 });
            finish(&message(1, gso, 1400, transport as u16, offset, &frame), tag, &mut frames).expect("frames");
            assert_eq!(frames.len(), 29);
            let mut joined = Vec::new();
            for (n, frame) in frames.iter_mut().enumerate() {
                assert_eq!(frame[ADDRESSES..ADDRESSES + 4], [0x81, 0, 0x20, 0x64]);
                frame.drain(ADDRESSES..ADDRESSES + 4);
                assert_sums(frame, is_v6, is_tcp);
                if is_tcp {
                    let sequence = u32::from_be_bytes(*frame[transport + 4..].first_chunk().expect("there"));
                    assert_eq!(sequence, 0xffff_fff0u32.wrapping_add(n as u32 * 1400));
                    let want = 0x10 | if n == 0 { 0x80 } else { 0 } | if n == 28 { 9 } else { 0 };
                    assert_eq!(frame[transport + 13], want, "flags of segment {n}");
                }
                if !is_v6 {
                    assert_eq!(get16(frame, ADDRESSES + 6), Some((0xffff + n as u32) & 0xffff), "id of segment {n}");
                }
                joined.extend_from_slice(&frame[transport + header..]);
            }
            assert!(joined == payload, "the segments are not the whole");
        }
    }

    #[test]
    fn any_message_is_answered_without_panic() {
        let (frame, transport) = packet(false, true, &[1; 3000]);
        let mut state = 1u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = message(1, GSO_TCPV4, 1000, transport as u16, 16, &frame);
            for _ in 0..random() % 4 {
                let at = random() as usize % 60;
                bytes[at] = random() as u8;
            }
            bytes.truncate(if random() % 4 == 0 { random() as usize % bytes.len() } else { bytes.len() });
            match finish(&bytes, None, &mut Vec::new()) {
                Some(()) => taken += 1,
                None => refused += 1,
            }
        }
        assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
    }
}
