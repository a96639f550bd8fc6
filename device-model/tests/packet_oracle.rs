//! What requests make of a packet, against a plain buffer as the kernel has it: `data_meta`, `data` and `data_end` in a page
//! (net/core/filter.c, `bpf_xdp_adjust_*`, `bpf_xdp_load_bytes`, `bpf_xdp_store_bytes`). If this fails, windows, lines or moved bounds show
//! in what a program sees or sends.

mod common;

use std::ops::Range;

use common::{Random, TINY, load};
use device_model::{Arrival, Device, Event, Trace};
use offwire_image::DispatchMode;
use offwire_isa::{Base, CodeAddr, Profile, Read, RequestOp, SMALL, Space, Src, StoreOp, Target, Word};

/// The kernel's page of a linear packet, and the program's stack.
struct Page {
    bytes: Vec<u8>,
    meta: usize,
    data: usize,
    end: usize,
    stack: [u8; 512],
}

/// `XDP_PACKET_HEADROOM`, `sizeof(struct xdp_frame)`, and a page without `struct skb_shared_info`.
const HEADROOM: usize = 256;
const FRAME: i64 = 40;
const HARD_END: i64 = 4096 - 320;

impl Page {
    fn new(packet: &[u8]) -> Self {
        let mut bytes = vec![0; HARD_END as usize];
        bytes[HEADROOM..HEADROOM + packet.len()].copy_from_slice(packet);
        Page { bytes, meta: HEADROOM, data: HEADROOM, end: HEADROOM + packet.len(), stack: [0; 512] }
    }

    fn adjust_head(&mut self, delta: i64) -> i64 {
        let metadata = self.bytes[self.meta..self.data].to_vec();
        let data = self.data as i64 + delta;
        if data < FRAME + metadata.len() as i64 || data > self.end as i64 - 14 {
            return -22;
        }
        self.data = data as usize;
        self.meta = self.data - metadata.len();
        self.bytes[self.meta..self.data].copy_from_slice(&metadata);
        0
    }

    fn adjust_meta(&mut self, delta: i64) -> i64 {
        let meta = self.meta as i64 + delta;
        if meta < FRAME || meta > self.data as i64 {
            return -22;
        }
        let length = self.data as i64 - meta;
        if length % 4 != 0 || length > 255 {
            return -13;
        }
        self.meta = meta as usize;
        0
    }

    fn adjust_tail(&mut self, delta: i64) -> i64 {
        let end = self.end as i64 + delta;
        if end > HARD_END || end < self.data as i64 + 14 {
            return -22;
        }
        if delta > 0 {
            self.bytes[self.end..end as usize].fill(0);
        }
        self.end = end as usize;
        0
    }

    /// `bpf_xdp_pointer`.
    fn range(&self, offset: u64, length: usize) -> Result<Range<usize>, i64> {
        if offset > 0xffff {
            return Err(-14);
        }
        let start = self.data + offset as usize;
        if start + length > self.end { Err(-22) } else { Ok(start..start + length) }
    }

    fn csum(&self, from: Range<usize>, seed: u32) -> i64 {
        let words = self.bytes[from].chunks(4).map(|word| {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            u128::from(u32::from_le_bytes(bytes))
        });
        let mut sum = words.sum::<u128>() + u128::from(seed);
        while sum >> 32 != 0 {
            sum = (sum & 0xffff_ffff) + (sum >> 32);
        }
        sum as i64
    }
}

#[derive(Default)]
struct Answers(Vec<u64>);

impl Trace for Answers {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Answered { answer, .. } = event {
            self.0.push(answer);
        }
    }
}

/// One step: a word, and what it does to the page. `None`: it has no answer.
fn step(random: &mut Random, page: &mut Page) -> (Word, Option<i64>) {
    use RequestOp::*;
    let mut word = Word::default();
    let length = page.end - page.data;
    let some = |random: &mut Random, end: usize| random.below(end as u64 + 1) as usize;
    let near = |random: &mut Random| {
        let far = random.pick(&[20, 20, 70, 300, 4000]);
        random.below(2 * far) as i64 - far as i64
    };
    let op = random.pick(&[
        AdjustHead, AdjustHead, AdjustTail, AdjustTail, AdjustMeta, AdjustMeta, LoadBytes, StoreBytes, StoreBytes,
        Csum, None, None,
    ]);
    word.q_op = op;
    word.q_vsrc = Src::I0;
    let answer = match op {
        AdjustHead | AdjustTail | AdjustMeta => {
            let delta = if op == AdjustMeta && !random.once_in(4) { near(random) & !3 } else { near(random) };
            word.i0 = delta as i16;
            match op {
                AdjustHead => page.adjust_head(delta),
                AdjustTail => page.adjust_tail(delta),
                _ => page.adjust_meta(delta),
            }
        }
        LoadBytes | StoreBytes => {
            let (bytes, at) = (random.below(32) as usize, random.below(480) as usize);
            let offset = if random.once_in(12) { 0x1_0000 } else { some(random, length + 10) as u64 };
            (word.i0, word.i1, word.q_vsrc) = (offset as i16, (offset >> 16) as i16, Src::Iw);
            word.rc = Read::Const(bytes as i8).encode();
            (word.q_kspace, word.q_koff) = (Space::Stack, at as i16);
            match page.range(offset, bytes) {
                Err(errno) => errno,
                Ok(range) if op == LoadBytes => {
                    page.stack[at..at + bytes].copy_from_slice(&page.bytes[range]);
                    0
                }
                Ok(range) => {
                    page.bytes[range].copy_from_slice(&page.stack[at..at + bytes]);
                    0
                }
            }
        }
        Csum => {
            let start = some(random, 400.min(length));
            let bytes = some(random, length - start);
            (word.q_kspace, word.q_koff, word.i0) = (Space::Packet, start as i16, bytes as i16);
            word.rc = Read::Const(-1).encode();
            page.csum(page.data + start..page.data + start + bytes, u32::MAX)
        }
        _ => {
            // A store, to the metadata as often as there is some.
            let (from, value) = (page.meta as i64 - page.data as i64, random.next() as i16);
            let reach = (length as i64).min(500) - 8;
            let at = if reach < from { from } else { from + random.below((reach - from + 1) as u64) as i64 };
            let at = at.max(-512);
            if at + 8 <= length as i64 {
                word.st_op = StoreOp::Store;
                (word.st_space, word.st_base, word.st_off) = (Space::Packet, Base::Zero, at as i16);
                (word.s0_size, word.s0_src, word.i0) = (8, Src::I0, value);
                let start = (page.data as i64 + at) as usize;
                page.bytes[start..start + 8].copy_from_slice(&i64::from(value).to_le_bytes());
            }
            word.q_vsrc = Src::Zero;
            return (word, Option::None);
        }
    };
    word.q_dst = random.below(12) as u8;
    (word, Some(answer))
}

#[test]
fn requests_make_of_a_packet_what_the_kernel_does() {
    let mut answers = [0u32; 3];
    let mut metas = 0;
    for seed in 0..3000 {
        let random = &mut Random(seed);
        let profile: &'static Profile = if random.once_in(3) { &SMALL } else { &TINY };
        let length = random.pick(&[14, 60, 200, 700, 3520]);
        let packet: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let mut page = Page::new(&packet);
        let steps: Vec<_> = (0..2 + random.below(24)).map(|_| step(random, &mut page)).collect();
        let count = steps.len();
        let next = |at: usize| if at + 1 == count { Target::Exit(2) } else { Target::Goto(CodeAddr(at as u16 + 1)) };
        let words: Vec<Word> = steps.iter().enumerate().map(|(at, step)| Word { next: next(at), ..step.0 }).collect();
        let mut device = Device::with_trace(profile, Answers::default());
        load(&mut device, &words, &[], DispatchMode::Cpu, 1_000_000);
        let out = device.run_one(Arrival { bytes: packet, ..Arrival::default() }).unwrap();
        assert_eq!(out.fault, None, "seed {seed}");
        let expected: Vec<i64> = steps.iter().filter_map(|step| step.1).collect();
        let told: Vec<i64> = device.trace().0.iter().map(|&answer| answer as i64).collect();
        assert_eq!(told, expected, "seed {seed}");
        assert!(out.bytes == page.bytes[page.data..page.end], "seed {seed}: bytes of the packet");
        assert!(out.meta == page.bytes[page.meta..page.data], "seed {seed}: metadata");
        for answer in expected {
            match answer {
                -22 => answers[0] += 1,
                -13 | -14 => answers[1] += 1,
                _ => answers[2] += 1,
            }
        }
        metas += u32::from(!out.meta.is_empty());
    }
    assert!(answers.iter().all(|&times| times > 500) && metas > 500, "hardly reached: {answers:?}, {metas}");
}
