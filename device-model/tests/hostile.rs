//! Images that nobody checked. If one of these fails, an image can take the device down.

mod common;

use common::{Random, TINY, any_word, arrivals, load_all, map, mode};
use device_model::{Admission, Arrival, Device, LoadError, MapImage, MapRefusal, Parts, Scheduler};
use offwire_image::{Dispatch, DispatchMode, Image, Link, Lock, MapKind, MapSpec};
use offwire_isa::{CodeAddr, ISA_VERSION, Profile, RequestOp, SMALL, Target, WORD_BYTES, Word};

/// Any words that decode: every packet ends, by its budget at the latest, and the device is idle afterwards.
#[test]
fn any_words_end_within_the_budget() {
    let mut ends = [0u64; 2];
    for seed in 0..400 {
        let random = &mut Random(seed);
        let profile: &'static Profile = if seed % 5 == 0 { &SMALL } else { &TINY };
        let mut device = Device::new(profile);
        device.set_admission(Admission::Hold);
        if random.once_in(8) {
            device.set_scheduler(Scheduler::Plain);
        }
        let words: Vec<Word> = (0..1 + random.below(12)).map(|_| any_word(random)).collect();
        let budget = 1 + random.below(1000) as u32;
        load_all(&mut device, &words, mode(random), budget);
        let offered = arrivals(random, 40, u64::from(profile.vcpus));
        let bytes: Vec<Vec<u8>> = offered.iter().map(|arrival| arrival.bytes.clone()).collect();
        for arrival in offered {
            device.offer(arrival).unwrap();
        }
        device.run_until_idle();
        assert!(device.is_idle(), "seed {seed}");
        let departures: Vec<_> = device.departures().collect();
        assert_eq!(departures.len(), bytes.len(), "seed {seed}: packets were lost");
        for out in departures {
            // One sleep may have begun just before the deadline: the longest is an operand or value of 3,520 B and a full bank.
            let slack = 3000;
            assert!(out.exited - out.dispatched <= u64::from(budget) + slack, "seed {seed}: {out:?}");
            assert!(out.bytes.len() >= 14 && out.bytes.len() <= 3520 + 216, "seed {seed}: {} B", out.bytes.len());
            assert!(out.retval == 0 || out.fault.is_none(), "seed {seed}: a fault is XDP_ABORTED");
            ends[usize::from(out.fault.is_some())] += 1;
        }
    }
    assert!(ends.iter().all(|&times| times > 500), "{ends:?}");
}

/// Any words on one port, an honest program on another: its packets, its map and the maps of nobody are as if it were alone.
#[test]
fn a_hostile_program_hurts_only_its_own_packets() {
    let count = "
        q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
        ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@2
        ra=r2; ld map[ra+8] x0=8@0; st pkt[0+0] s0=x0:8@0; next=tx
    ";
    let mut faults = 0;
    for seed in 0..150 {
        let random = &mut Random(seed);
        let mut device = Device::new(&TINY);
        device.set_admission(Admission::Hold);
        let filled = |size: usize| MapSpec { init: vec![7; size], ..map(MapKind::Array, 4, size as u32, 1) };
        let maps: Vec<_> = (0..4).map(|_| device.map_create(&filled(40), None, None).unwrap()).collect();
        let own = MapSpec { init: [[0; 8], [9; 8]].concat(), ..map(MapKind::Array, 4, 16, 1) };
        let honest = common::load_text(&mut device, count, &[own], &[]).unwrap();
        let words: Vec<Word> = (0..1 + random.below(12)).map(|_| any_word(random)).collect();
        let (specs, entry) = (common::maps(), CodeAddr(0));
        let image = MapImage { maps: &specs, links: &common::LINKS, locks: &common::LOCKS, programs: 2 };
        let budget = 1 + random.below(1000) as u32;
        let (mode, programs) = (mode(random), [entry; 2]);
        let parts = Parts { name: "", words: &words, entry, programs: &programs, maps: image, mode, budget };
        let hostile = device.program_load_parts(&parts, &[]).unwrap();
        device.attach(0, hostile, None).unwrap();
        device.attach(1, honest, None).unwrap();
        let mut honest_packets = 0u64;
        for arrival in arrivals(random, 60, u64::from(TINY.vcpus)) {
            honest_packets += u64::from(arrival.port);
            device.offer(arrival).unwrap();
        }
        device.run_until_idle();
        let departures: Vec<_> = device.departures().collect();
        assert_eq!(departures.len(), 60, "seed {seed}: packets were lost");
        for out in departures.iter().filter(|out| out.port == 1) {
            assert_eq!((out.retval, out.fault, &out.bytes[..8]), (3, None, &[9; 8][..]), "seed {seed}");
        }
        let counted = device.program_info(honest).unwrap().maps[0];
        let value = device.map_lookup(counted, &[0; 4], 0).unwrap().unwrap();
        assert_eq!((&value[..8], &value[8..]), (&honest_packets.to_le_bytes()[..], &[9; 8][..]), "seed {seed}");
        for map in maps {
            assert_eq!(device.map_lookup(map, &[0; 4], 0), Ok(Some(vec![7; 40])), "seed {seed}: {map:?} was changed");
        }
        faults += departures.iter().filter(|out| out.fault.is_some()).count();
    }
    assert!(faults > 500, "{faults}");
}

fn image() -> Image {
    Image {
        isa_version: ISA_VERSION,
        profile: SMALL.name.into(),
        profile_hash: SMALL.hash,
        name: "pass".into(),
        words: vec![Word { next: Target::Exit(2), ..Word::default() }.encode()],
        entry: CodeAddr(0),
        maps: Vec::new(),
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode: DispatchMode::Any, reason: String::new() },
        budget_cycles: 1000,
        word_insns: Vec::new(),
    }
}

fn refused(change: impl FnOnce(&mut Image)) -> LoadError {
    let mut image = image();
    change(&mut image);
    Device::new(&SMALL).load(&image, None).expect_err("loaded")
}

#[test]
fn images_that_do_not_fit_are_refused() {
    assert_eq!(
        refused(|image| image.isa_version += 1),
        LoadError::IsaVersion { image: ISA_VERSION + 1, device: ISA_VERSION }
    );
    assert!(matches!(refused(|image| image.profile_hash ^= 1), LoadError::Profile { .. }));
    assert_eq!(refused(|image| image.words.clear()), LoadError::NoCode);
    assert!(matches!(
        refused(|image| image.words = vec![image.words[0]; 4097]),
        LoadError::CodeSize { words: 4097, .. }
    ));
    assert_eq!(refused(|image| image.entry = CodeAddr(1)), LoadError::Entry { entry: 1, words: 1 });
    assert!(matches!(refused(|image| image.words.push([0xff; WORD_BYTES])), LoadError::BadWord { address: 1, .. }));
    assert_eq!(refused(|image| image.budget_cycles = 0), LoadError::NoBudget);
    let with = |spec: MapSpec| move |image: &mut Image| image.maps.push(spec);
    assert_eq!(
        refused(|image| image.maps = vec![map(MapKind::Array, 4, 8, 1); 257]),
        LoadError::TooManyMaps { maps: 257 }
    );
    let why = |spec: MapSpec| match refused(with(spec)) {
        LoadError::Map { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(map(MapKind::Cpumap, 4, 8, 1)), MapRefusal::Kind(MapKind::Cpumap));
    assert_eq!(why(map(MapKind::Xskmap, 4, 4, 1)), MapRefusal::Kind(MapKind::Xskmap));
    assert_eq!(why(map(MapKind::Devmap, 4, 6, 1)), MapRefusal::ValueSize(6));
    assert_eq!(why(map(MapKind::DevmapHash, 8, 4, 1)), MapRefusal::KeySize(8));
    assert_eq!(why(map(MapKind::ProgArray, 4, 8, 1)), MapRefusal::ValueSize(8));
    assert_eq!(why(map(MapKind::HashOfMaps, 4, 1, 1)), MapRefusal::ValueSize(1));
    assert_eq!(why(map(MapKind::LpmTrie, 4, 8, 1)), MapRefusal::KeySize(4));
    assert_eq!(why(map(MapKind::LpmTrie, 261, 8, 1)), MapRefusal::KeySize(261));
    assert_eq!(why(MapSpec { flags: 0, ..map(MapKind::LpmTrie, 8, 8, 1) }), MapRefusal::Flags(1));
    assert_eq!(why(MapSpec { flags: 1, ..map(MapKind::LruHash, 4, 8, 1) }), MapRefusal::Flags(1));
    for size in [1, 2048, 4096 + 8, 12288, 1 << 25] {
        assert_eq!(why(map(MapKind::Ringbuf, 0, 0, size)), MapRefusal::RingSize(size));
    }
    assert_eq!(why(map(MapKind::Ringbuf, 4, 0, 4096)), MapRefusal::KeySize(4));
    assert!(matches!(refused(with(map(MapKind::Ringbuf, 0, 0, 1 << 21))), LoadError::MapMemory { .. }));
    let hash = map(MapKind::Hash, 4, 8, 1);
    for (locks, offset) in
        [(vec![6], 6), (vec![2], 2), (vec![0, 4], 4), (vec![8], 8), (vec![u32::MAX - 3], u32::MAX - 3)]
    {
        let lock = |offset| Lock { map: 0, offset };
        let image = |image: &mut Image| {
            image.maps = vec![hash.clone()];
            image.locks = locks.iter().copied().map(lock).collect();
        };
        assert_eq!(refused(image), LoadError::Lock { map: 0, offset });
    }
    let lock = |image: &mut Image| {
        image.maps = vec![map(MapKind::PercpuHash, 4, 8, 1)];
        image.locks = vec![Lock { map: 0, offset: 0 }];
    };
    assert_eq!(refused(lock), LoadError::Lock { map: 0, offset: 0 });
    let outer = map(MapKind::ArrayOfMaps, 4, 4, 2);
    let tables = [outer.clone(), hash.clone(), map(MapKind::Hash, 4, 16, 1), map(MapKind::ProgArray, 4, 4, 1)];
    // Beyond the end, no such map, an outer map, a map of programs, another geometry than the first one, no such program.
    let wrong = [(0, 2, 1), (0, 0, 4), (0, 0, 0), (0, 0, 3), (0, 1, 2), (3, 0, 0), (1, 0, 1), (9, 0, 0)];
    for (map, key, to) in wrong {
        let links = |image: &mut Image| {
            image.maps = tables.to_vec();
            image.links = vec![Link { map: 0, key: 0, to: 1 }, Link { map, key, to }];
        };
        assert_eq!(refused(links), LoadError::Link { map, key });
    }
    assert_eq!(why(map(MapKind::Array, 8, 8, 1)), MapRefusal::KeySize(8));
    assert_eq!(why(map(MapKind::Hash, 0, 8, 1)), MapRefusal::KeySize(0));
    assert_eq!(why(map(MapKind::Hash, 513, 8, 1)), MapRefusal::KeySize(513));
    assert_eq!(why(map(MapKind::Hash, 4, 0, 1)), MapRefusal::ValueSize(0));
    assert_eq!(why(map(MapKind::Array, 4, 8, 0)), MapRefusal::NoEntries);
    assert_eq!(why(MapSpec { flags: 1 << 12, ..map(MapKind::Hash, 4, 8, 1) }), MapRefusal::Flags(1 << 12));
    assert!(matches!(why(MapSpec { init: vec![0; 9], ..map(MapKind::Array, 4, 8, 1) }), MapRefusal::InitSize { .. }));
    assert!(matches!(why(map(MapKind::PercpuArray, 4, 8, u32::MAX)), MapRefusal::Elements(_)));
    assert!(matches!(refused(with(map(MapKind::Array, 4, 1 << 20, 2))), LoadError::MapMemory { .. }));
    assert!(matches!(refused(with(map(MapKind::Hash, 4, 8, 1 << 27))), LoadError::MapMemory { .. }));
}

/// Words that make requests that the device does not have are refused by name.
#[test]
fn requests_that_the_device_does_not_have_are_refused() {
    for request in (0..64).filter_map(RequestOp::from_code) {
        let word = Word { q_op: request, ..Word::default() };
        let load = Device::new(&SMALL).load_words(&[word], CodeAddr(0), &[], DispatchMode::Any, 100);
        let refused = Err(LoadError::Request { address: 0, request: request.asm() });
        assert_eq!(load, if device_model::serves(request) { Ok(()) } else { refused });
    }
}

/// A refused image leaves the running program alone.
#[test]
fn a_refused_image_leaves_the_old_one() {
    let mut device = Device::new(&SMALL);
    device.load(&image(), None).unwrap();
    let bad = Image { budget_cycles: 0, ..image() };
    device.load(&bad, None).unwrap_err();
    let out = device.run_one(Arrival { bytes: vec![0; 60], ..Arrival::default() }).unwrap();
    assert_eq!(out.retval, 2);
    device.offer(Arrival { cycle: device.now(), bytes: vec![0; 60], ..Arrival::default() }).unwrap();
    assert_eq!(device.load(&image(), None), Err(LoadError::Busy));
}

/// Images of random bytes and random map tables load or are refused.
#[test]
fn random_images_load_or_are_refused() {
    let mut loaded = 0;
    for seed in 0..3000 {
        let random = &mut Random(seed);
        let mut image = image();
        image.words = (0..1 + random.below(3))
            .map(|_| {
                if random.once_in(4) { std::array::from_fn(|_| random.next() as u8) } else { any_word(random).encode() }
            })
            .collect();
        image.entry = CodeAddr(random.below(4) as u16);
        image.budget_cycles = random.below(500) as u32;
        let number = |random: &mut Random| random.next() as u32 >> random.below(32);
        image.maps = (0..random.below(4))
            .map(|_| MapSpec {
                flags: if random.once_in(4) { number(random) } else { 0 },
                init: vec![1; random.below(9) as usize * random.below(2) as usize],
                frozen: random.once_in(3),
                ..map(
                    random.pick(&[
                        MapKind::Array,
                        MapKind::PercpuArray,
                        MapKind::Hash,
                        MapKind::Hash,
                        MapKind::LpmTrie,
                    ]),
                    if random.once_in(4) { number(random) } else { 4 },
                    number(random),
                    number(random),
                )
            })
            .collect();
        let mut device = Device::new(&SMALL);
        if device.load(&image, None).is_ok() {
            loaded += 1;
            for _ in 0..3 {
                let bytes = common::packet(random);
                device.run_one(Arrival { bytes, vcpu: Some(0), ..Arrival::default() }).unwrap();
            }
        }
    }
    assert!(loaded > 150, "only {loaded} loaded");
}

/// Every profile makes a device, and the same image runs on it.
#[test]
fn every_profile_is_a_device() {
    for profile in offwire_isa::PROFILES {
        let mut device = Device::new(profile);
        device.load(&Image { profile: profile.name.into(), profile_hash: profile.hash, ..image() }, None).unwrap();
        for n in 0..200 {
            let bytes = vec![n as u8; 60];
            device.offer(Arrival { cycle: n / 3, port: n as u16 % 64, bytes, ..Arrival::default() }).unwrap();
        }
        device.run_until_idle();
        assert_eq!(device.departures().map(|out| out.retval).collect::<Vec<_>>(), [2; 200], "{}", profile.name);
    }
}

/// What maps take of the map memory is what docs/device.md says.
#[test]
fn maps_take_the_memory_that_the_page_says() {
    // 4 vCPUs and 4 banks, so 5 spare elements.
    let (n, buckets) = (100_000u64, 1 << 17);
    let elements = n + 5;
    let cases = [
        (map(MapKind::Array, 4, 20, n as u32), n * 24),
        (map(MapKind::PercpuArray, 4, 20, n as u32), 4 * n * 24),
        (map(MapKind::Hash, 5, 20, n as u32), elements * (24 + 8 + 8) + buckets * 4),
        (map(MapKind::PercpuHash, 5, 20, n as u32), n * (4 * 24 + 8 + 8) + buckets * 4),
        (map(MapKind::LruHash, 5, 20, n as u32), elements * (24 + 8 + 8 + 8) + buckets * 4),
        (map(MapKind::LpmTrie, 20, 20, n as u32), elements * 24 + 2 * n * (16 + 16)),
        (map(MapKind::Devmap, 4, 8, 2 * n as u32), 2 * n * 8),
        (map(MapKind::DevmapHash, 4, 4, n as u32), elements * (8 + 8 + 8) + buckets * 4),
        (map(MapKind::ProgArray, 4, 4, 2 * n as u32), 2 * n * 8),
        (map(MapKind::ArrayOfMaps, 4, 4, 2 * n as u32), 2 * n * 8),
        (map(MapKind::HashOfMaps, 4, 4, n as u32), elements * (8 + 8 + 8) + buckets * 4),
        (map(MapKind::Ringbuf, 0, 0, 1 << 21), 1 << 21),
    ];
    for (spec, needed) in cases {
        let kind = spec.kind;
        let refused = refused(|image| image.maps = vec![spec.clone()]);
        assert_eq!(refused, LoadError::MapMemory { needed, available: SMALL.map_memory_bytes }, "{kind:?}");
    }
    // Perf events go to the host: no memory at all.
    let perf = map(MapKind::PerfEventArray, 4, 4, 1 << 20);
    Device::new(&SMALL).load(&Image { maps: vec![perf], ..image() }, None).unwrap();
}
