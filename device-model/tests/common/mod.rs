//! What the tests share: a random source, random words and packets, small profiles, maps.
#![allow(dead_code, reason = "each test takes what it needs")]

mod requests;

use device_model::{Arrival, Device, LoadError, MapId, MapImage, Parts, ProgramId, Update};
use offwire_image::{DispatchMode, Link, Lock, MapKind, MapSpec};
use offwire_isa::{
    AluOp, Base, CmpOp, CodeAddr, KeyUse, Profile, Read, RequestOp, SMALL, Space, Src, StoreOp, Target, WORD_BYTES,
    Word,
};

/// A device that is crowded: little of everything, so that all FIFOs fill up and all units are fought for.
pub(crate) static TINY: Profile = Profile {
    name: "tiny",
    engines: 2,
    contexts_per_engine: 5,
    pipeline_depth: 2,
    vcpus: 4,
    order_buckets: 8,
    packet_window_bytes: 64,
    packet_bus_bytes: 16,
    packet_store_cycles: 5,
    map_banks: 2,
    map_index_cycles: 3,
    map_value_cycles: 2,
    map_request_cycles: 5,
    divide_cycles: 7,
    copy_bytes: 4,
    csum_bytes: 2,
    value_window_bytes: 32,
    restorer_entries: 7,
    ingress_fifo_packets: 6,
    ..SMALL
};

/// SplitMix64; the seed is in every message.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Below `end`, but once in `n` below `far`.
    pub(crate) fn below_mostly(&mut self, end: u64, n: u64, far: u64) -> u64 {
        let end = if self.once_in(n) { far } else { end };
        self.below(end)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

pub(crate) fn map(kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    MapSpec {
        name: format!("{}_{max_entries}", kind.name()),
        kind,
        key_size,
        value_size,
        max_entries,
        // BPF_F_NO_PREALLOC: what a trie has to have.
        flags: u32::from(kind == MapKind::LpmTrie),
        init: Vec::new(),
        frozen: false,
    }
}

/// The maps that random programs work on.
pub(crate) fn maps() -> Vec<MapSpec> {
    vec![
        map(MapKind::Array, 4, 24, 3),
        map(MapKind::PercpuArray, 4, 8, 2),
        map(MapKind::Hash, 2, 40, 4),
        map(MapKind::Hash, 20, 100, 3),
        MapSpec { init: (0..64).collect(), frozen: true, ..map(MapKind::Array, 4, 64, 1) },
        map(MapKind::PercpuHash, 2, 12, 3),
        map(MapKind::LruHash, 2, 16, 3),
        map(MapKind::LpmTrie, 8, 20, 5),
        map(MapKind::Devmap, 4, 8, 4),
        map(MapKind::DevmapHash, 4, 4, 3),
        map(MapKind::ProgArray, 4, 4, 4),
        map(MapKind::ArrayOfMaps, 4, 4, 3),
        map(MapKind::Array, 4, 24, 2),
        map(MapKind::Array, 4, 24, 2),
        map(MapKind::HashOfMaps, 4, 4, 2),
        map(MapKind::Ringbuf, 0, 0, 4096),
        map(MapKind::PerfEventArray, 4, 4, 6),
    ]
}

/// Initial elements of the maps above: a program or map each.
pub(crate) const LINKS: [Link; 5] = [
    Link { map: 10, key: 0, to: 1 },
    Link { map: 10, key: 2, to: 0 },
    Link { map: 11, key: 0, to: 12 },
    Link { map: 11, key: 2, to: 13 },
    Link { map: 14, key: 0, to: 2 },
];

/// Spin locks in their values.
pub(crate) const LOCKS: [Lock; 2] = [Lock { map: 0, offset: 20 }, Lock { map: 2, offset: 0 }];

/// What user space has put into the maps that programs only read.
pub(crate) const DEVICES: [(usize, u32); 4] = [(8, 0), (8, 3), (9, 0), (9, 1)];

/// A word of random bits that decodes: whatever a hostile image can hold.
pub(crate) fn any_word(random: &mut Random) -> Word {
    loop {
        let mut raw = [0; WORD_BYTES];
        for byte in &mut raw {
            *byte = random.next() as u8;
        }
        // Most random bits break a rule; a few fields are put right, the rest is tried again.
        raw[0] &= !1;
        if let Ok(word) = Word::decode(&raw)
            && device_model::serves(word.q_op)
        {
            return word;
        }
        let mut word = useful_word(random, 64);
        word.ra = random.below(64) as u8;
        word.ld_off = random.below(1024) as i16 - 512;
        word.st_off = random.below(1024) as i16 - 512;
        word.q_koff = random.below(1024) as i16 - 512;
        word.q_map = random.next() as u8;
        word.g_len = random.below(1024) as u16;
        if let Ok(word) = Word::decode(&word.encode()) {
            return word;
        }
    }
}

/// A word that does something sensible more often than not, in a program of `words` words.
pub(crate) fn useful_word(random: &mut Random, words: u16) -> Word {
    let mut word = Word::default();
    let small = |random: &mut Random| Read::Const(random.below(8) as i8).encode();
    let read = |random: &mut Random| match random.below(3) {
        0 => Read::Const(random.below(48) as i8 - 16).encode(),
        1 => Read::Reg(random.below(16) as u8).encode(),
        _ => small(random),
    };
    // Registers 12 and 13 tend to hold handles.
    word.ra = read(random);
    word.rb = read(random);
    word.rc = if random.once_in(2) { Read::Reg(12 + random.below(2) as u8).encode() } else { read(random) };
    let target = |random: &mut Random| match random.below(9) {
        0 => Target::Exit(random.below(5) as u8),
        _ => Target::Goto(CodeAddr(random.below(u64::from(words)) as u16)),
    };
    word.t1 = target(random);
    word.t2 = target(random);
    word.next = target(random);
    word.i0 = random.next() as i16 >> random.below(16);
    word.i1 = random.next() as i16 >> random.below(16);
    let base = |random: &mut Random| random.pick(&[Base::Zero, Base::Zero, Base::Ra, Base::Rb]);
    let part = |random: &mut Random| {
        let size = random.pick(&[0, 1, 2, 4, 6, 8]);
        (random.below(17 - u64::from(size)).min(15) as u8, size, random.once_in(2))
    };
    if random.once_in(3) {
        word.g_en = true;
        word.g_base = base(random);
        word.g_len = random.below(200) as u16;
    }
    let place = |random: &mut Random| match random.below(8) {
        0..3 => (Space::Packet, base(random), random.below_mostly(60, 3, 500) as i16),
        3 | 4 => (Space::Stack, Base::Zero, random.below(496) as i16),
        5 => (Space::Scratch, Base::Zero, 64 + random.below(176) as i16),
        _ => (Space::MapValue, Base::Rc, random.below_mostly(16, 4, 90) as i16),
    };
    if random.once_in(2) {
        (word.ld_space, word.ld_base, word.ld_off) = place(random);
        if word.ld_space == Space::Scratch && random.once_in(2) {
            word.ld_off = random.below(32) as i16;
        }
        word.ld_dismiss = !random.once_in(4);
        (word.x0_delta, word.x0_size, word.x0_swap) = part(random);
        (word.x1_delta, word.x1_size, word.x1_swap) = part(random);
    }
    let early = [Src::Ra, Src::Rb, Src::X0, Src::X1, Src::I0, Src::I1, Src::Iw, Src::Zero];
    let middle = [Src::Ra, Src::Rb, Src::X0, Src::X1, Src::A1, Src::A1, Src::I0, Src::Iw, Src::Zero];
    let late = [Src::Ra, Src::Rb, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::Iw];
    if random.once_in(2) {
        word.a1_op = random.pick(AluOp::ALL);
        word.a1_w = random.once_in(2);
        word.a1_a = random.pick(&early);
        word.a1_b = random.pick(&early);
    }
    if random.once_in(2) {
        word.a2_op = random.pick(AluOp::ALL);
        word.a2_w = random.once_in(2);
        word.a2_a = random.pick(&middle);
        word.a2_b = random.pick(&middle);
    }
    if random.once_in(3) {
        word.c1_op = random.pick(CmpOp::ALL);
        word.c1_w = random.once_in(2);
        word.c1_a = random.pick(&middle);
        word.c1_b = random.pick(&middle);
    }
    if random.once_in(3) {
        word.c2_op = random.pick(CmpOp::ALL);
        word.c2_w = random.once_in(2);
        word.c2_a = random.pick(&middle);
        word.c2_b = random.pick(&middle);
    }
    if random.once_in(2) {
        (word.st_space, word.st_base, word.st_off) = place(random);
        word.st_kill1 = random.once_in(2);
        word.st_kill2 = random.once_in(2);
        word.s0_src = random.pick(&late);
        word.s1_src = random.pick(&late);
        word.st_op = random.pick(&[StoreOp::Store, StoreOp::Store, StoreOp::Add32, StoreOp::Add64]);
        match word.st_op {
            StoreOp::Store => {
                (word.s0_delta, word.s0_size, word.s0_swap) = part(random);
                (word.s1_delta, word.s1_size, word.s1_swap) = part(random);
            }
            StoreOp::Add32 => (word.s0_delta, word.s0_size) = (random.below(12) as u8, 4),
            _ => (word.s0_delta, word.s0_size) = (random.below(8) as u8, 8),
        }
    }
    if random.once_in(2) {
        word.w0_src = random.pick(&late);
        // Not register 12.
        word.w0_reg = random.below(6) as u8;
    }
    if random.once_in(2) {
        word.w1_src = random.pick(&late);
        word.w1_reg = random.below(6) as u8;
    }
    if random.once_in(2) {
        if random.once_in(3) {
            requests::of_engines(random, &mut word, &late);
        } else {
            requests::of_maps(random, &mut word, &late);
        }
    }
    word
}

/// A random program that tends to run for a while.
pub(crate) fn useful_program(random: &mut Random) -> Vec<Word> {
    let words = 10 + random.below(18) as u16;
    let mut program: Vec<Word> = (0..words).map(|_| useful_word(random, words)).collect();
    // Registers 12 and 13 get handles first: of element 0, and of element 1 or that of the packet's first bytes.
    let lookup = Word { q_op: RequestOp::Lookup, q_kspace: Space::Stack, q_koff: 8, ..Word::default() };
    program[0] = Word { q_map: random.below(2) as u8, q_dst: 12, next: Target::Goto(CodeAddr(1)), ..lookup };
    program[1] = Word {
        q_map: random.below(4) as u8,
        q_dst: 13,
        q_kspace: random.pick(&[Space::Stack, Space::Packet]),
        q_koff: 30,
        next: Target::Goto(CodeAddr(2)),
        ..lookup
    };
    let step = |at: u16, word: Word| Word { next: Target::Goto(CodeAddr(at + 1)), ..word };
    match random.below(6) {
        // A map in a map, and what it holds.
        0 => {
            program[0] = step(0, Word { q_map: random.pick(&[11, 14]), q_dst: 13, ..lookup });
            let inner = Word { rc: Read::Reg(13).encode(), q_op: RequestOp::LookupIn, q_dst: 12, ..lookup };
            program[1] = step(1, inner);
        }
        // A record, and what is written to it; submitted or discarded as often as not.
        1 => {
            let record = Word { rc: Read::Reg(13).encode(), q_vsrc: Src::Rc, ..Word::default() };
            let reserve =
                Word { q_op: RequestOp::RingReserve, q_map: 15, q_vsrc: Src::I0, q_dst: 13, ..Word::default() };
            program[1] = step(1, Word { i0: random.pick(&[8, 30, 700]), ..reserve });
            for at in 2..4 {
                let place = (Space::MapValue, Base::Rc, random.below(9) as i16);
                let (st_space, st_base, st_off) = place;
                let store =
                    Word { st_op: StoreOp::Store, st_space, st_base, st_off, s0_size: 4, s0_src: Src::I0, ..record };
                program[usize::from(at)] = step(at, Word { i0: random.next() as i16, ..store });
            }
            if random.once_in(2) {
                let q_op = random.pick(&[RequestOp::RingSubmit, RequestOp::RingSubmit, RequestOp::RingDiscard]);
                program[4] = step(4, Word { q_op, ..record });
            }
            return program;
        }
        // A lock around what follows; given back as often as not.
        2 => {
            let lock = Word { rc: Read::Reg(12).encode(), q_vsrc: Src::Rc, ..Word::default() };
            program[0] = step(0, Word { q_map: 0, q_dst: 12, ..lookup });
            program[1] = step(1, Word { q_op: RequestOp::SpinLock, ..lock });
            for at in 2..5 {
                let st = Word { st_op: StoreOp::Add64, st_space: Space::MapValue, st_base: Base::Rc, ..lock };
                program[usize::from(at)] = step(at, Word { s0_size: 8, s0_src: Src::I0, i0: 3, ..st });
            }
            if random.once_in(2) {
                program[5] = step(5, Word { q_op: RequestOp::SpinUnlock, ..lock });
            }
            return program;
        }
        _ => {}
    }
    if random.once_in(2) {
        // Requests one after the other, whatever they are.
        for at in 2..7 {
            let mut word = Word { rc: Read::Reg(12 + random.below(2) as u8).encode(), ..Word::default() };
            requests::of_maps(random, &mut word, &[Src::Ra, Src::I0]);
            let ends = matches!(word.q_op, RequestOp::Exit | RequestOp::SpinUnlock | RequestOp::RingSubmit);
            let atomic = matches!(word.q_op.shape().key, KeyUse::Atomic(_));
            if !ends && (atomic || word.q_kspace != Space::MapValue) {
                word.t2 = Target::Goto(CodeAddr(at + 1));
                program[usize::from(at)] = step(at, word);
            }
        }
    } else if random.once_in(3) {
        // More posted writes in a row than there are credits.
        for (at, word) in program.iter_mut().enumerate().take(8).skip(2) {
            *word = Word {
                ra: Read::Reg(12).encode(),
                st_op: StoreOp::Add64,
                st_space: Space::MapValue,
                st_base: Base::Ra,
                s0_size: 8,
                s0_src: Src::I0,
                i0: random.below(100) as i16,
                next: Target::Goto(CodeAddr(at as u16 + 1)),
                ..Word::default()
            };
        }
        if random.once_in(2) {
            // An atomic waits for them.
            let atomic =
                Word { q_op: RequestOp::FetchAdd64, q_kspace: Space::MapValue, q_kbase: Base::Rc, ..Word::default() };
            let (rc, q_vsrc) = (Read::Reg(12).encode(), Src::Iw);
            program[8] = step(8, Word { rc, q_vsrc, i0: 1, ..atomic });
        }
    }
    program
}

/// A random packet: IPv4 of a few flows, or anything.
pub(crate) fn packet(random: &mut Random) -> Vec<u8> {
    let len = match random.below(4) {
        0 => 14 + random.below(60),
        1 | 2 => 60 + random.below(80),
        _ => 60 + random.below(700),
    };
    let mut bytes: Vec<u8> = (0..len).map(|_| random.below(4) as u8).collect();
    if random.once_in(2) {
        // Prefix lengths.
        for chunk in bytes.chunks_exact_mut(8) {
            chunk[0] = random.below(35) as u8;
            chunk[1..4].fill(0);
        }
    }
    if random.once_in(2) && len >= 42 {
        bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
        bytes[20..24].copy_from_slice(&[0, 0, 64, 17]);
        bytes[26..36].copy_from_slice(&[10, 0, 0, random.below(4) as u8, 10, 0, 0, 1, 0, random.below(3) as u8]);
    }
    bytes
}

/// Arrivals of random packets: bursts and gaps.
pub(crate) fn arrivals(random: &mut Random, count: u64, vcpus: u64) -> Vec<Arrival> {
    let mut cycle = random.below(50);
    let gap = 1 + random.below(40);
    (0..count)
        .map(|_| {
            cycle += if random.once_in(40) { random.below(3000) } else { random.below(gap) };
            let port = random.below(2) as u16;
            Arrival {
                cycle,
                port,
                ingress_ifindex: u32::from(port) + 1,
                rx_queue: random.below(4) as u32,
                bytes: packet(random),
                vcpu: random.once_in(6).then(|| random.below(vcpus) as u16),
            }
        })
        .collect()
}

pub(crate) fn mode(random: &mut Random) -> DispatchMode {
    random.pick(&[DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any])
}

/// Loads words or fails the test.
pub(crate) fn load<T: device_model::Trace>(
    device: &mut Device<T>,
    words: &[Word],
    maps: &[MapSpec],
    mode: DispatchMode,
    budget: u32,
) {
    device.load_words(words, CodeAddr(0), maps, mode, budget).unwrap();
}

/// Loads a random program with [`maps`] and all that stands in them.
pub(crate) fn load_all<T: device_model::Trace>(
    device: &mut Device<T>,
    words: &[Word],
    mode: DispatchMode,
    budget: u32,
) {
    let image = MapImage { maps: &maps(), links: &LINKS, locks: &LOCKS, programs: 2 };
    let second = CodeAddr(2.min(words.len() as u16 - 1));
    device.load_linked(words, CodeAddr(0), &[CodeAddr(0), second], image, mode, budget).unwrap();
    for (map, key) in DEVICES {
        let mut value = (key + 7).to_le_bytes().to_vec();
        value.resize(maps()[map].value_size as usize, 0);
        device.map_update(MapId(map as u16), &key.to_le_bytes(), &[value], Update::Any).unwrap();
    }
}

/// Words as the assembler writes them, one a line.
pub(crate) fn words(text: &str) -> Vec<Word> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.trim().parse().unwrap()).collect()
}

/// Loads words with the maps that are given.
pub(crate) fn load_with<T: device_model::Trace>(
    device: &mut Device<T>,
    text: &str,
    programs: &[CodeAddr],
    maps: MapImage<'_>,
    given: &[Option<MapId>],
    mode: DispatchMode,
) -> Result<ProgramId, LoadError> {
    let words = words(text);
    let entry = CodeAddr(0);
    device
        .program_load_parts(&Parts { name: "test", words: &words, entry, programs, maps, mode, budget: 100_000 }, given)
}

/// The same without programs for tail calls, links and locks.
pub(crate) fn load_text(
    device: &mut Device,
    text: &str,
    maps: &[MapSpec],
    given: &[Option<MapId>],
) -> Result<ProgramId, LoadError> {
    load_with(device, text, &[], MapImage { maps, ..MapImage::default() }, given, DispatchMode::Any)
}
