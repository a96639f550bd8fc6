//! Container and checker.

use offwire_image::{
    Class, Dispatch, DispatchMode, ELEMENTS_MAX, Image, ImageError, Link, Lock, MAGIC, MapKind, MapSpec, ProgramEntry,
    RawWord, VALUE_BYTES_MAX,
};
use offwire_isa::{Base, CmpOp, CodeAddr, DecodeError, ISA_VERSION, RequestOp, SMALL, Space, Src, Target, Word};
use sha2::{Digest, Sha256};

fn map(name: &str, kind: MapKind) -> MapSpec {
    MapSpec {
        name: name.into(),
        kind,
        key_size: 4,
        value_size: 8,
        max_entries: 16,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    }
}

/// A program that counts packets, then lets them pass.
fn image() -> Image {
    let words = [
        Word {
            g_en: true,
            g_len: 14,
            c1_op: CmpOp::Ne,
            c1_a: Src::X0,
            c1_b: Src::I0,
            x0_size: 2,
            i0: 8,
            t1: Target::Exit(2),
            t2: Target::Exit(1),
            next: Target::Goto(CodeAddr(1)),
            ..Word::default()
        },
        Word {
            q_op: RequestOp::Lookup,
            q_map: 1,
            q_kspace: Space::Stack,
            q_kbase: Base::Zero,
            q_koff: 508,
            q_dst: 3,
            q_null: true,
            t2: Target::Exit(0),
            next: Target::Exit(2),
            ..Word::default()
        },
    ];
    Image {
        isa_version: ISA_VERSION,
        profile: SMALL.name.into(),
        profile_hash: SMALL.hash,
        name: "count".into(),
        words: words.iter().map(Word::encode).collect(),
        entry: CodeAddr(0),
        maps: vec![
            MapSpec { init: vec![1, 2, 3], frozen: true, ..map(".rodata", MapKind::Array) },
            map("counts", MapKind::PercpuArray),
            map("flows", MapKind::Hash),
        ],
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode: DispatchMode::Flow, reason: "per-CPU state is only added to".into() },
        budget_cycles: 4096,
        word_insns: vec![vec![0, 1, 5], vec![]],
    }
}

/// Puts the right digest into bytes that were changed, so that the reader goes on to the contents.
fn sign(bytes: &mut [u8]) {
    if bytes.len() >= 88 {
        bytes[56..88].fill(0);
        let digest = Sha256::digest(&*bytes);
        bytes[56..88].copy_from_slice(&digest);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

/// If this fails, a program on disk is not the program that was compiled.
#[test]
fn images_survive_their_container() {
    let mut images = vec![image()];
    images.push(Image { words: Vec::new(), maps: Vec::new(), word_insns: Vec::new(), ..image() });
    images.push(Image { profile: String::new(), name: "ü".repeat(100), isa_version: 7, ..image() });
    images.push(Image {
        entry: CodeAddr(u16::MAX),
        budget_cycles: u32::MAX,
        dispatch: Dispatch { mode: DispatchMode::Any, reason: String::new() },
        word_insns: vec![vec![u32::MAX]; 3],
        programs: vec![ProgramEntry { name: "tail".into(), entry: CodeAddr(7) }],
        links: vec![Link { map: 255, key: 9, to: u32::MAX }],
        locks: vec![Lock { map: 3, offset: 4 }, Lock { map: 0, offset: 0 }],
        ..image()
    });
    for image in images {
        let bytes = image.to_bytes();
        assert_eq!(Image::from_bytes(&bytes).as_ref(), Ok(&image));
        assert_eq!(bytes.len() % 8, 0);
    }
}

/// If this fails, the container has changed without a new version, and images that users have cannot be read.
#[test]
fn the_container_is_version_2() {
    let bytes = image().to_bytes();
    assert_eq!(bytes[..8], MAGIC);
    assert_eq!(bytes[8..16], [2, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(bytes[16..24], (bytes.len() as u64).to_le_bytes());
    assert_eq!(bytes[24..28], ISA_VERSION.to_le_bytes());
    assert_eq!(bytes[32..40], SMALL.hash.to_le_bytes());
    // Section 2 (code) follows section 1 (names), 88 + 5 * 24 bytes from the start.
    let entry = &bytes[88 + 24..][..24];
    let offset = u64::from_le_bytes(entry[8..16].try_into().unwrap()) as usize;
    assert_eq!(entry[..8], [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[offset..offset + 36], image().words[0]);
}

/// If this fails, a damaged file is taken for a program.
#[test]
fn every_changed_byte_is_noticed() {
    let good = image().to_bytes();
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= change;
            let error = Image::from_bytes(&bad).expect_err("a changed byte");
            assert_eq!(error.class(), Class::Container, "byte {at}: {error}");
        }
    }
    for length in 0..good.len() {
        assert!(Image::from_bytes(&good[..length]).is_err(), "cut to {length}");
    }
    let longer = [good.as_slice(), &[0; 8]].concat();
    assert!(matches!(Image::from_bytes(&longer), Err(ImageError::Length { .. })));
}

/// If this fails, a hostile file (its digest is right) can make the reader panic, take memory that the file does not pay for,
/// or be read as something that is written otherwise.
#[test]
fn mutated_contents_are_refused_or_canonical() {
    let good = image().to_bytes();
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut read, mut valid) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(8) {
                0 => bytes[at] = 0xff,
                1 => {
                    // A count or length that promises a lot.
                    let at = at & !3;
                    if let Some(word) = bytes.get_mut(at..at + 4) {
                        word.copy_from_slice(&(u32::MAX >> random.below(24)).to_le_bytes());
                    }
                }
                2 => bytes.truncate(at),
                3 => bytes.insert(at, 0),
                _ => bytes[at] ^= 1 << random.below(8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        if random.below(4) > 0 && bytes.len() >= 24 {
            let length = (bytes.len() as u64).to_le_bytes();
            bytes[16..24].copy_from_slice(&length);
        }
        sign(&mut bytes);
        if let Ok(image) = Image::from_bytes(&bytes) {
            read += 1;
            assert_eq!(image.to_bytes(), bytes, "an image has one form");
            valid += usize::from(image.validate().is_ok());
        }
    }
    assert!(read > 1000, "only {read} were read: the contents were never looked at");
    assert!(valid > 0 && valid < read, "{valid} of {read} valid: the checker does not tell apart");
}

/// If this fails, a reader reserves what a header promises instead of what is there.
#[test]
fn counts_are_believed_only_as_far_as_bytes_go() {
    let good = image().to_bytes();
    let at = |section: usize| {
        let entry = &good[88 + section * 24..][..24];
        u64::from_le_bytes(entry[8..16].try_into().unwrap()) as usize
    };
    for (offset, part) in [(at(0), "names"), (at(2), "maps"), (at(3), "debug"), (at(3) + 4, "debug"), (at(4), "links")]
    {
        let mut bytes = good.clone();
        bytes[offset..offset + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        sign(&mut bytes);
        assert_eq!(Image::from_bytes(&bytes), Err(ImageError::Short { part }), "{part}");
    }
}

/// The error of an image that was changed by `change`.
fn refused(change: impl FnOnce(&mut Image)) -> ImageError {
    let mut image = image();
    change(&mut image);
    let error = image.validate().expect_err("must be refused");
    assert!(!error.to_string().is_empty());
    assert_ne!(error.class(), Class::Container);
    error
}

fn word(address: usize, change: impl FnOnce(&mut Word)) -> ImageError {
    refused(|image| {
        let mut word = Word::decode(&image.words[address]).unwrap();
        change(&mut word);
        image.words[address] = word.encode();
    })
}

/// If this fails, a program that the device cannot run safely gets past the checker.
#[test]
fn the_checker_refuses_what_cannot_run() {
    let words = image().validate().expect("the base image is good");
    assert_eq!(words.len(), 2);
    assert_eq!(words[1].q_map, 1);
    assert!(Image { word_insns: Vec::new(), ..image() }.validate().is_ok(), "debug tables may be left out");

    assert_eq!(refused(|image| image.isa_version += 1), ImageError::IsaVersion { found: ISA_VERSION + 1 });
    assert!(matches!(refused(|image| image.profile = "x17".into()), ImageError::NoProfile { .. }));
    assert!(matches!(refused(|image| image.profile_hash ^= 1), ImageError::ProfileHash { .. }));
    assert!(matches!(refused(|image| image.profile = "x16".into()), ImageError::ProfileHash { .. }));

    assert_eq!(refused(|image| image.words.clear()), ImageError::Empty);
    let word0: RawWord = Word { next: Target::Exit(2), ..Word::default() }.encode();
    assert!(matches!(
        refused(|image| image.words = vec![word0; SMALL.instruction_store_words as usize + 1]),
        ImageError::TooLong { .. }
    ));
    assert_eq!(refused(|image| image.entry = CodeAddr(2)), ImageError::Entry { entry: 2, words: 2 });
    assert!(matches!(
        refused(|image| image.words[1] = [0xff; 36]),
        ImageError::Word { address: 1, cause: DecodeError::Spare, .. }
    ));
    for (field, change) in [
        ("t1", (|word| word.t1 = Target::Goto(CodeAddr(2))) as fn(&mut Word)),
        ("t2", |word| word.t2 = Target::Goto(CodeAddr(2))),
        ("next", |word| word.next = Target::Goto(CodeAddr(2))),
    ] {
        let expected = ImageError::Target { address: 1, field, target: 2, words: 2 };
        assert_eq!(word(1, change), expected);
    }
    assert_eq!(word(1, |word| word.q_map = 3), ImageError::NoMap { address: 1, slot: 3, maps: 3 });
    assert!(matches!(
        word(1, |word| (word.q_op, word.q_map) = (RequestOp::UpdateAny, 0)),
        ImageError::Request { slot: 0, frozen: true, .. }
    ));
    assert!(matches!(
        refused(|image| image.maps[1].kind = MapKind::Ringbuf),
        ImageError::Request { slot: 1, frozen: false, kind: MapKind::Ringbuf, .. }
    ));
    for budget in [0, SMALL.packet_cycles_max + 1] {
        assert!(matches!(refused(|image| image.budget_cycles = budget), ImageError::Budget { .. }));
    }
    assert_eq!(
        refused(|image| image.maps = vec![map("m", MapKind::Array); 257]),
        ImageError::TooManyMaps { maps: 257 }
    );
    assert_eq!(refused(|image| drop(image.word_insns.pop())), ImageError::Debug);
    assert_eq!(refused(|image| image.word_insns[0] = vec![2, 1]), ImageError::Debug);
}

/// If this fails, a map gets past the checker that handles cannot name or the kernel would not make.
#[test]
fn the_checker_refuses_maps_without_sense() {
    let per_cpu = (ELEMENTS_MAX / u64::from(SMALL.vcpus)) as u32 + 1;
    for (slot, change) in [
        (1, (|map| map.max_entries = 0) as fn(&mut MapSpec)),
        (1, |map| map.key_size = 8),
        (2, |map| map.key_size = 0),
        (2, |map| map.value_size = 0),
        (2, |map| map.value_size = VALUE_BYTES_MAX + 1),
        (2, |map| map.max_entries = ELEMENTS_MAX as u32 + 1),
        (0, |map| map.init = vec![0; 9]),
        (2, |map| map.init = vec![0]),
    ] {
        let error = refused(|image| change(&mut image.maps[slot]));
        assert!(matches!(error, ImageError::Map { slot: found, .. } if found == slot), "{error}");
    }
    assert!(matches!(refused(|image| image.maps[1].max_entries = per_cpu), ImageError::Map { slot: 1, .. }));
    // A perf event array of no size has an entry for each vCPU.
    let mut events = image();
    events.maps.push(MapSpec { key_size: 4, value_size: 4, max_entries: 0, ..map("events", MapKind::PerfEventArray) });
    assert!(events.validate().is_ok());
}

/// If this fails, a tail call, a map of maps or a lock leads nowhere.
#[test]
fn the_checker_refuses_links_and_locks_that_lead_nowhere() {
    let linked = |image: &mut Image| {
        image.maps.extend([map("progs", MapKind::ProgArray), map("rings", MapKind::ArrayOfMaps)]);
        image.programs.push(ProgramEntry { name: "tail".into(), entry: CodeAddr(1) });
        image.links = vec![Link { map: 3, key: 15, to: 0 }, Link { map: 4, key: 0, to: 2 }];
        image.locks = vec![Lock { map: 2, offset: 4 }];
    };
    let mut good = image();
    linked(&mut good);
    assert!(good.validate().is_ok());
    let refused = |change: fn(&mut Image)| {
        refused(|image| {
            linked(image);
            change(image);
        })
    };
    assert!(matches!(refused(|image| image.programs[0].entry = CodeAddr(2)), ImageError::Entry { entry: 2, .. }));
    for change in [
        (|image| image.links[0].key = 16) as fn(&mut Image),
        |image| image.links[0].to = 1,
        |image| image.links[0].map = 2,
        |image| image.links[0].map = 5,
        |image| image.links[1].to = 4,
        |image| image.links[1].to = 5,
    ] {
        assert!(matches!(refused(change), ImageError::Link { .. }));
    }
    for change in [
        (|image| image.locks[0].offset = 8) as fn(&mut Image),
        |image| image.locks[0].offset = 2,
        |image| image.locks[0].offset = u32::MAX - 3,
        |image| image.locks[0].map = 5,
    ] {
        assert!(matches!(refused(change), ImageError::Lock { .. }));
    }
    for change in [(|word| word.g_en = true) as fn(&mut Word), |word| word.q_null = true, |word| word.c2_op = CmpOp::Eq]
    {
        let call = |word_: &mut Word| {
            *word_ = Word { q_op: RequestOp::Call, t2: Target::Goto(CodeAddr(0)), ..Word::default() };
            change(word_);
        };
        assert_eq!(word(1, call), ImageError::Call { address: 1 });
    }
}

/// If this fails, words and kinds that users read have changed.
#[test]
fn modes_and_kinds_have_stable_numbers() {
    for mode in DispatchMode::ALL {
        assert_eq!(DispatchMode::from_code(mode.code()), Some(mode));
    }
    assert_eq!(DispatchMode::from_code(3), None);
    // include/uapi/linux/bpf.h: enum bpf_map_type counts from 0, BPF_MAP_TYPE_UNSPEC.
    for (number, kind) in [(1, MapKind::Hash), (6, MapKind::PercpuArray), (14, MapKind::Devmap), (27, MapKind::Ringbuf)]
    {
        assert_eq!(MapKind::from_kernel(number), Some(kind));
    }
    assert_eq!(MapKind::from_kernel(0), None);
    assert_eq!(MapKind::from_kernel(7), None);
}
