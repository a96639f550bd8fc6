//! Captures: what is written reads back, both formats and byte orders say the same, and no bytes make the reader panic.

mod common;

use common::Rng;
use offwire_diag::codes;
use offwire_harness::capture::{self, Captured};
use offwire_harness::require;
use std::io::Write;
use std::process::{Command, Stdio};

/// Numbers in one byte order.
struct Out {
    bytes: Vec<u8>,
    big: bool,
}

impl Out {
    fn new(big: bool) -> Self {
        Self { bytes: Vec::new(), big }
    }
    fn u16(&mut self, n: u16) -> &mut Self {
        self.bytes.extend_from_slice(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }
    fn u32(&mut self, n: u32) -> &mut Self {
        self.bytes.extend_from_slice(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }
    fn u64(&mut self, n: u64) -> &mut Self {
        self.bytes.extend_from_slice(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        self
    }
    fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let len = 12 + body.len().next_multiple_of(4) as u32;
        self.u32(kind).u32(len).raw(body).u32(len)
    }
}

fn section(out: &mut Out) {
    let mut body = Out::new(out.big);
    body.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX);
    let body = body.bytes;
    out.block(0x0a0d_0d0a, &body);
}

fn interface(out: &mut Out, link: u16, snap_len: u32, options: &[(u16, &[u8])]) {
    let mut body = Out::new(out.big);
    body.u16(link).u16(0).u32(snap_len);
    for (code, value) in options {
        body.u16(*code).u16(value.len() as u16).raw(value);
    }
    if !options.is_empty() {
        body.u32(0);
    }
    let body = body.bytes;
    out.block(1, &body);
}

fn enhanced(out: &mut Out, interface: u32, stamp: u64, bytes: &[u8], wire_len: u32) {
    let mut body = Out::new(out.big);
    body.u32(interface).u32((stamp >> 32) as u32).u32(stamp as u32).u32(bytes.len() as u32).u32(wire_len).raw(bytes);
    let body = body.bytes;
    out.block(6, &body);
}

fn frames() -> Vec<Vec<u8>> {
    let mut rng = Rng(7);
    [14, 60, 61, 62, 63, 64, 1514, 3520].iter().map(|&len| (0..len).map(|_| rng.next() as u8).collect()).collect()
}

const START: u64 = 1_700_000_000_123_456_789;

#[test]
fn what_is_written_reads_back() {
    let frames = frames();
    let times: Vec<u64> = (0..frames.len() as u64).map(|n| START + n * 67).collect();
    let file = capture::write(times.iter().copied().zip(frames.iter().map(Vec::as_slice)));
    let read = capture::read(&file).expect("our own capture reads");
    let expected: Vec<Captured> = times
        .iter()
        .zip(&frames)
        .map(|(&ts_ns, bytes)| Captured {
            ts_ns,
            interface: 0,
            rx_queue: 0,
            bytes: bytes.clone(),
            wire_len: bytes.len() as u32,
        })
        .collect();
    assert_eq!(read.packets, expected);
    let packets = read.packets_in();
    assert_eq!(packets[2].arrival_ns, 2 * 67, "time counts from the first packet");
    assert!(read.warning().is_none());
}

#[test]
fn pcap_of_both_byte_orders_and_units() {
    for big in [false, true] {
        for (magic, fraction, ns) in [(0xa1b2_c3d4u32, 5, 5_000), (0xa1b2_3c4d, 5, 5)] {
            let mut out = Out::new(big);
            out.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(64).u32(1);
            out.u32(9).u32(fraction).u32(4).u32(100).raw(&[1, 2, 3, 4]);
            let read = capture::read(&out.bytes).expect("reads");
            let packet = &read.packets[0];
            assert_eq!((packet.ts_ns, packet.wire_len), (9_000_000_000 + ns, 100), "big {big} magic {magic:x}");
            assert_eq!(packet.bytes, [1, 2, 3, 4]);
            assert!(packet.is_cut());
            let warning = read.warning().expect("a cut packet is told");
            assert_eq!(warning.code, codes::data::CAPTURE_CUT_PACKET);
        }
    }
}

#[test]
fn pcap_without_its_check_sequence() {
    // P bit and length 2 * 16 bits (draft-ietf-opsawg-pcap, LinkType and additional information).
    let mut out = Out::new(false);
    out.u32(0xa1b2_3c4d).u16(2).u16(4).u32(0).u32(0).u32(64).u32(0x2400_0001);
    out.u32(0).u32(0).u32(8).u32(8).raw(&[1, 2, 3, 4, 0xf, 0xc, 0x5, 0]);
    let read = capture::read(&out.bytes).expect("reads");
    assert_eq!(read.packets[0].bytes, [1, 2, 3, 4], "a program never sees the check sequence");
    assert_eq!(read.packets[0].wire_len, 4);
}

#[test]
fn pcapng_of_both_byte_orders_with_sections_interfaces_and_resolutions() {
    for big in [false, true] {
        let mut out = Out::new(big);
        let hour = if big { 3600i64.to_be_bytes() } else { 3600i64.to_le_bytes() };
        section(&mut out);
        interface(&mut out, 1, 0, &[]);
        interface(&mut out, 1, 0, &[(2, b"eth1"), (9, &[9])]);
        interface(&mut out, 1, 8, &[(9, &[0x80 | 10]), (14, &hour)]);
        enhanced(&mut out, 0, 1_000_001, &[1; 5], 5);
        enhanced(&mut out, 1, 1_000_001_999, &[2; 6], 6);
        enhanced(&mut out, 2, 1024 + 512, &[3; 7], 70);
        // Interface statistics: skipped.
        out.block(5, &[0; 12]);
        section(&mut out);
        interface(&mut out, 1, 8, &[]);
        enhanced(&mut out, 0, 3_000_000, &[4; 4], 4);
        // Simple packets have no time, and the snap length cuts them.
        let mut body = Out::new(big);
        body.u32(20).raw(&[5; 8]);
        let body = body.bytes;
        out.block(3, &body);
        let read = capture::read(&out.bytes).expect("reads");
        let seen: Vec<(u64, u32, usize, u32)> =
            read.packets.iter().map(|p| (p.ts_ns, p.interface, p.bytes.len(), p.wire_len)).collect();
        assert_eq!(
            seen,
            [
                (1_000_001_000, 0, 5, 5),
                (1_000_001_999, 1, 6, 6),
                (3_600_000_000_000 + 1_500_000_000, 2, 7, 70),
                (3_000_000_000, 3, 4, 4),
                (3_000_000_000, 3, 8, 20),
            ],
            "big {big}"
        );
    }
}

/// epb_queue, behind another option and alone; packets without it came in on queue 0.
#[test]
fn pcapng_tells_the_receive_queue() {
    for big in [false, true] {
        let mut out = Out::new(big);
        section(&mut out);
        interface(&mut out, 1, 0, &[]);
        let packet = |out: &mut Out, options: &dyn Fn(&mut Out)| {
            let mut body = Out::new(big);
            body.u32(0).u32(0).u32(7).u32(5).u32(5).raw(&[1, 2, 3, 4, 5, 0, 0, 0]);
            options(&mut body);
            let body = body.bytes;
            out.block(6, &body);
        };
        packet(&mut out, &|body| {
            body.u16(1).u16(3).raw(b"abc\0").u16(6).u16(4).u32(0x1_0003).u16(0).u16(0);
        });
        packet(&mut out, &|body| {
            body.u16(6).u16(4).u32(9);
        });
        // Behind the end of the options.
        packet(&mut out, &|body| {
            body.u16(0).u16(0).u16(6).u16(4).u32(9);
        });
        packet(&mut out, &|_| {});
        let read = capture::read(&out.bytes).expect("reads");
        let queues: Vec<u32> = read.packets_in().iter().map(|packet| packet.rx_queue).collect();
        assert_eq!(queues, [0x1_0003, 9, 0, 0], "big {big}");
        // An option that claims more than there is.
        packet(&mut out, &|body| {
            body.u16(1).u16(9).raw(b"abcd");
        });
        assert_eq!(capture::read(&out.bytes).expect_err("cut").code, codes::data::BAD_CAPTURE);
    }
}

#[test]
fn other_link_types_are_refused() {
    let mut out = Out::new(false);
    section(&mut out);
    interface(&mut out, 113, 0, &[]);
    let refusal = capture::read(&out.bytes).expect_err("Linux cooked is not Ethernet");
    assert_eq!(refusal.code, codes::data::CAPTURE_LINK_TYPE);
    assert!(refusal.reason.is_some_and(|reason| reason.contains("113 (Linux cooked)")));
}

#[test]
fn lengths_beyond_the_file_are_refused() {
    let mut out = Out::new(false);
    out.u32(0xa1b2_3c4d).u16(2).u16(4).u32(0).u32(0).u32(64).u32(1);
    let header = out.bytes.clone();
    for len in [5, 262_144, 262_145, u32::MAX] {
        out.bytes.clone_from(&header);
        out.u32(0).u32(0).u32(len).u32(len).raw(&[1, 2, 3, 4]);
        assert_eq!(capture::read(&out.bytes).expect_err("too long").code, codes::data::BAD_CAPTURE);
    }
    for short in 1..header.len() {
        assert!(capture::read(&header[..short]).is_err(), "a header of {short} bytes is no capture");
    }
}

#[test]
fn mutated_captures_never_panic() {
    let frames = frames();
    let small = &frames[..4];
    let mut files = vec![capture::write(small.iter().map(|f| (START, f.as_slice())))];
    for big in [false, true] {
        let mut out = Out::new(big);
        section(&mut out);
        interface(&mut out, 1, 0, &[(9, &[9]), (13, &[4]), (14, &[0; 8])]);
        for frame in small {
            enhanced(&mut out, 0, START, frame, frame.len() as u32);
        }
        files.push(out.bytes);
    }
    let mut rng = Rng(3);
    let mut readable = 0;
    for round in 0..6000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..1 + rng.below(4) {
            if file.is_empty() {
                break;
            }
            let at = rng.below(file.len().min(200));
            match rng.below(5) {
                0 => file[at] = rng.next() as u8,
                1 => file[at] = rng.pick(&[0, 1, 0x7f, 0x80, 0xff]),
                2 => file.truncate(at + 1),
                3 => drop(file.drain(at..(at + 4).min(file.len()))),
                _ => file.splice(at..at, [0xff; 3]).for_each(drop),
            }
        }
        match capture::read(&file) {
            Ok(read) => {
                readable += 1;
                let _ = (read.packets_in(), read.warning());
                let held: usize = read.packets.iter().map(|packet| packet.bytes.len()).sum();
                assert!(held <= file.len(), "packets hold more bytes than the file");
            }
            Err(diagnostic) => assert!(diagnostic.reason.is_some()),
        }
    }
    assert!(readable > 500, "mutation is so hard that only the first checks are reached: {readable}");
}

/// tcpdump reads what we write, and sees the same times, lengths and bytes.
#[test]
fn tcpdump_reads_what_we_write() {
    let frames = frames();
    let file = capture::write(frames.iter().enumerate().map(|(n, f)| (START + n as u64, f.as_slice())));
    let command = Command::new("tcpdump")
        .args(["-r", "-", "-w", "-", "--time-stamp-precision=nano", "-U"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match command {
        Ok(child) => child,
        Err(error) => return require::skip_or_fail("tcpdump", &error.to_string()),
    };
    child.stdin.take().expect("piped").write_all(&file).expect("tcpdump reads its input");
    let output = child.wait_with_output().expect("tcpdump ends");
    let theirs = capture::read(&output.stdout).expect("what tcpdump writes reads");
    assert_eq!(theirs, capture::read(&file).expect("reads"), "tcpdump understood the file differently");
    assert_eq!(theirs.packets.len(), frames.len());
}
