//! From packet to order bucket: the Toeplitz hash of receive side scaling over the flow.
//!
//! Hashed are, in frame order: source and destination address of IPv4 or IPv6, with the ports of TCP, UDP and SCTP where they
//! are in the packet (not in fragments, for IPv6 only without extension headers); for everything else the MAC addresses and the
//! EtherType. One or two VLAN tags are passed over.

/// The key of Microsoft's RSS verification suite ("Verifying the RSS Hash Calculation"), which most drivers ship with.
const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

/// Longest hashed input: two IPv6 addresses and two ports.
const INPUT: usize = 36;

/// What each value of each half byte of the input adds to the hash.
static TABLE: [[u32; 16]; INPUT * 2] = table();

const fn table() -> [[u32; 16]; INPUT * 2] {
    let mut table = [[0; 16]; INPUT * 2];
    let mut half = 0;
    while half < INPUT * 2 {
        let mut value = 0;
        while value < 16 {
            let mut hash = 0;
            let mut bit = 0;
            while bit < 4 {
                if value & (8 >> bit) != 0 {
                    hash ^= key_at(half * 4 + bit);
                }
                bit += 1;
            }
            table[half][value] = hash;
            value += 1;
        }
        half += 1;
    }
    table
}

/// 32 bits of the key from bit `at` on.
const fn key_at(at: usize) -> u32 {
    let mut word = 0u64;
    let mut n = 0;
    while n < 5 {
        word = word << 8 | KEY[at / 8 + n] as u64;
        n += 1;
    }
    (word >> (8 - at % 8)) as u32
}

/// Toeplitz hash of an input of at most 36 B.
#[inline]
fn toeplitz(hash: u32, from: usize, input: &[u8]) -> u32 {
    let halves = TABLE.get(from * 2..).unwrap_or(&[]);
    input.iter().zip(halves.chunks_exact(2)).fold(hash, |hash, (&byte, halves)| {
        hash ^ halves[0][usize::from(byte >> 4)] ^ halves[1][usize::from(byte & 15)]
    })
}

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_8021AD: u16 = 0x88a8;

/// True for the protocols whose ports are hashed: TCP, UDP, SCTP.
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 132)
}

/// The flow hash of a frame.
pub(crate) fn hash(frame: &[u8]) -> u32 {
    hash_ip(frame).unwrap_or_else(|| toeplitz(0, 0, frame.get(..14).unwrap_or(frame)))
}

fn hash_ip(frame: &[u8]) -> Option<u32> {
    let ethertype = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut at = 12;
    let mut kind = ethertype(at)?;
    for _ in 0..2 {
        if matches!(kind, ETH_P_8021Q | ETH_P_8021AD) {
            at += 4;
            kind = ethertype(at)?;
        }
    }
    let packet = frame.get(at + 2..)?;
    match kind {
        ETH_P_IP => {
            let header = packet.first_chunk::<20>()?;
            let length = usize::from(header[0] & 15) * 4;
            if header[0] >> 4 != 4 || length < 20 {
                return None;
            }
            let hash = toeplitz(0, 0, &header[12..20]);
            let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
            match packet.get(length..length + 4) {
                Some(ports) if !fragment && has_ports(header[9]) => Some(toeplitz(hash, 8, ports)),
                _ => Some(hash),
            }
        }
        ETH_P_IPV6 => {
            let header = packet.first_chunk::<40>()?;
            if header[0] >> 4 != 6 {
                return None;
            }
            let hash = toeplitz(0, 0, &header[8..40]);
            match packet.get(40..44) {
                Some(ports) if has_ports(header[6]) => Some(toeplitz(hash, 32, ports)),
                _ => Some(hash),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(src: [u8; 4], dst: [u8; 4], ports: Option<(u16, u16)>, tags: usize) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for _ in 0..tags {
            frame.extend([0x81, 0, 0, 7]);
        }
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, if ports.is_some() { 6 } else { 1 }, 0, 0]);
        frame.extend(src);
        frame.extend(dst);
        let (src, dst) = ports.unwrap_or((0x0102, 0x0304));
        frame.extend(src.to_be_bytes());
        frame.extend(dst.to_be_bytes());
        frame
    }

    /// Values of Microsoft's "Verifying the RSS Hash Calculation".
    #[test]
    fn the_published_vectors_come_out() {
        let rows = [
            ([66, 9, 149, 187], 2794, [161, 142, 100, 80], 1766, 0x323e_8fc2, 0x51cc_c178),
            ([199, 92, 111, 2], 14230, [65, 69, 140, 83], 4739, 0xd718_262a, 0xc626_b0ea),
            ([24, 19, 198, 95], 12898, [12, 22, 207, 184], 38024, 0xd2d0_a5de, 0x5c2b_394a),
        ];
        for (src, sport, dst, dport, plain, ports) in rows {
            for tags in 0..3 {
                assert_eq!(hash(&ipv4(src, dst, None, tags)), plain);
                assert_eq!(hash(&ipv4(src, dst, Some((sport, dport)), tags)), ports);
            }
        }
        let mut frame = vec![2; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, 6, 64]);
        frame.extend([0x3f, 0xfe, 0x25, 1, 2, 0, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7]);
        frame.extend([0x3f, 0xfe, 0x25, 1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(hash(&frame), 0x2cc1_8cd5);
        frame.extend(2794u16.to_be_bytes());
        frame.extend(1766u16.to_be_bytes());
        assert_eq!(hash(&frame), 0x4020_7d3d);
    }

    #[test]
    fn fragments_of_a_flow_stay_together() {
        let mut first = ipv4([1, 2, 3, 4], [5, 6, 7, 8], Some((1, 2)), 0);
        let mut second = ipv4([1, 2, 3, 4], [5, 6, 7, 8], Some((77, 88)), 0);
        assert_ne!(hash(&first), hash(&second));
        first[20] = 0x20;
        second[21] = 0x10;
        assert_eq!(hash(&first), hash(&second));
    }

    #[test]
    fn anything_hashes() {
        for len in 0..80 {
            for fill in [0u8, 8, 0x45, 0x81, 0x86, 0xff] {
                hash(&vec![fill; len]);
            }
        }
    }
}
