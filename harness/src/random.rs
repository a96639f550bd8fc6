//! Random packets from a seed: mutations of a capture's packets, and packets of nothing but chance.
//!
//! All of them have 14 to 3,520 bytes, so every back end can run them.

use crate::PacketIn;
use crate::host::{MAX_LINEAR_FRAME, MIN_FRAME};

/// Nanoseconds between two packets.
const GAP_NS: u64 = 100;

/// An endless sequence of packets; the same for the same seed and capture.
#[derive(Clone, Debug)]
pub struct RandomPackets {
    rng: Rng,
    base: Vec<PacketIn>,
    count: u64,
}

impl RandomPackets {
    /// Mutates these packets. If there are none, a few plain frames (ARP, IPv4 and IPv6 with UDP and TCP) take their place.
    pub fn new(seed: u64, capture: &[PacketIn]) -> Self {
        let mut base: Vec<PacketIn> = capture.iter().filter(|packet| fits(&packet.bytes)).cloned().collect();
        if base.is_empty() {
            base = plain_frames()
                .into_iter()
                .map(|bytes| PacketIn { bytes, port: 0, rx_queue: 0, arrival_ns: 0 })
                .collect();
        }
        Self { rng: Rng(seed), base, count: 0 }
    }

    fn base(&mut self) -> PacketIn {
        let at = self.rng.below(self.base.len());
        self.base.get(at).cloned().unwrap_or(PacketIn { bytes: vec![0; 64], port: 0, rx_queue: 0, arrival_ns: 0 })
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let rng = &mut self.rng;
        match rng.below(12) {
            0 => {
                let len = rng.between(MIN_FRAME, bytes.len());
                bytes.truncate(len);
            }
            // At the edges of headers.
            1 => {
                let len = rng.pick(&[14, 18, 22, 33, 34, 35, 37, 38, 41, 42, 43, 53, 54, 55, 58, 62, 74]);
                bytes.resize(len, 0);
            }
            2 => {
                let more = rng.between(1, 64);
                bytes.extend((0..more).map(|_| rng.next() as u8));
            }
            3 | 4 => {
                for _ in 0..rng.between(1, 3) {
                    let at = rng.below(bytes.len().min(64));
                    let value = rng.next() as u8;
                    put(bytes, at, &[value]);
                }
            }
            5 => {
                let at = rng.below(bytes.len().min(64));
                let value = rng.pick(&[0, 1, 0x7f, 0x80, 0xff]);
                put(bytes, at, &[value]);
            }
            6 => {
                let ether_type = rng.pick(&[0x0800u16, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x0842, 0]);
                put(bytes, 12, &ether_type.to_be_bytes());
            }
            // Version and header length, protocol, fragment, length of IPv4.
            7 => {
                let (at, value) = rng.pick(&[
                    (14, 0x45u8),
                    (14, 0x46),
                    (14, 0x4f),
                    (14, 0x44),
                    (14, 0x60),
                    (23, 1),
                    (23, 6),
                    (23, 17),
                    (23, 41),
                    (20, 0x20),
                    (21, 1),
                    (17, 0),
                    (22, 0),
                    (22, 1),
                    (20, 6),
                ]);
                put(bytes, at, &[value]);
            }
            8 => {
                for _ in 0..rng.between(1, 2) {
                    let tag = rng.pick(&[[0x81, 0x00], [0x88, 0xa8]]);
                    let vlan = (rng.next() as u16).to_be_bytes();
                    if bytes.len() >= 12 {
                        bytes.splice(12..12, [tag[0], tag[1], vlan[0], vlan[1]]).for_each(drop);
                    }
                }
            }
            // There and back: addresses and ports change places.
            9 => {
                for n in 0..4 {
                    swap(bytes, 26 + n, 30 + n);
                }
                swap(bytes, 34, 36);
                swap(bytes, 35, 37);
            }
            _ => {
                let at = rng.pick(&[0usize, 6, 26, 30, 34, 36]);
                let len = rng.between(1, 6);
                let other = self.base().bytes;
                if let Some(part) = other.get(at..at + len) {
                    put(bytes, at, part);
                }
            }
        }
    }

    fn by_chance(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let longest = rng.pick(&[64, 128, 1514, MAX_LINEAR_FRAME]);
        let len = rng.between(MIN_FRAME, longest);
        let mut bytes: Vec<u8> = (0..len).map(|_| rng.next() as u8).collect();
        if rng.below(2) == 0 {
            let ether_type = rng.pick(&[0x0800u16, 0x86dd, 0x0806, 0x8100]);
            put(&mut bytes, 12, &ether_type.to_be_bytes());
        }
        bytes
    }
}

impl Iterator for RandomPackets {
    type Item = PacketIn;

    fn next(&mut self) -> Option<PacketIn> {
        let mut packet = self.base();
        match self.rng.below(10) {
            0 => packet.bytes = self.by_chance(),
            1 => {}
            _ => {
                for _ in 0..self.rng.between(1, 3) {
                    self.mutate(&mut packet.bytes);
                }
            }
        }
        if packet.bytes.len() < MIN_FRAME {
            packet.bytes.resize(MIN_FRAME, 0);
        }
        packet.bytes.truncate(MAX_LINEAR_FRAME);
        packet.arrival_ns = self.count * GAP_NS;
        self.count += 1;
        Some(packet)
    }
}

fn fits(bytes: &[u8]) -> bool {
    (MIN_FRAME..=MAX_LINEAR_FRAME).contains(&bytes.len())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = bytes.get_mut(at..at + value.len()) {
        to.copy_from_slice(value);
    }
}

fn swap(bytes: &mut [u8], a: usize, b: usize) {
    if a.max(b) < bytes.len() {
        bytes.swap(a, b);
    }
}

/// Ethernet frames to start from.
fn plain_frames() -> Vec<Vec<u8>> {
    let frame = |ether_type: u16, rest: &[u8]| {
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        bytes.extend_from_slice(&ether_type.to_be_bytes());
        bytes.extend_from_slice(rest);
        bytes.resize(bytes.len().max(64), 0);
        bytes
    };
    let ipv4 = |protocol: u8| {
        let mut rest = vec![0x45, 0, 0, 50, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        rest.extend_from_slice(&[0x30, 0x39, 0, 53, 0, 30, 0, 0]);
        frame(0x0800, &rest)
    };
    let ipv6 = |protocol: u8| {
        let mut rest = vec![0x60, 0, 0, 0, 0, 20, protocol, 64];
        rest.extend_from_slice(&[0xfd; 32]);
        rest.extend_from_slice(&[0x30, 0x39, 0, 80]);
        frame(0x86dd, &rest)
    };
    vec![frame(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]), ipv4(17), ipv4(6), ipv4(1), ipv6(17), ipv6(6)]
}

/// splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Clone, Debug)]
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to n - 1; 0 if n is 0.
    fn below(&mut self, n: usize) -> usize {
        self.next().checked_rem(n as u64).unwrap_or(0) as usize
    }

    /// Both ends included.
    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
