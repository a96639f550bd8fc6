//! Random sequences of operations on each kind of map, by programs and by the user, against plain maps that were written from the
//! kernel's sources a second time. If this fails, a map answers, keeps or loses something that the kernel's would not.

mod common;

use std::collections::BTreeMap;

use common::{Random, TINY, map};
use device_model::{Arrival, Device, MapError, MapId, MapImage, Update};
use offwire_image::{DispatchMode, Link, MapKind, MapSpec};
use offwire_isa::{CodeAddr, Word};

const VCPUS: usize = 4;

/// What to do is byte 0 of the packet: 0 lookup, 1 to 3 update (any, noexist, exist), 4 delete. The key is at 16, the value at 40; the
/// answer comes to 8, what was found to 48.
const PROGRAM: &str = "
ld pkt[0+0] x0=1@0; r5=x0; c1=eq.64 x0,0; t1=@1 next=@3
q.lookup map=0 key=pkt[0+16] dst=r2 null; t2=tx next=@2
ra=r2; ld map[ra+0] x0=8@0; st pkt[0+48] s0=x0:8@0; next=pass
ra=r5; i0=1; i1=2; c1=eq.64 ra,i0; c2=eq.64 ra,i1; t1=@5 t2=@6 next=@4
ra=r5; i0=3; c1=eq.64 ra,i0; t1=@7 next=@8
i0=40; q.update.any map=0 key=pkt[0+16] val=pkt:i0 dst=r2; next=@9
i0=40; q.update.noexist map=0 key=pkt[0+16] val=pkt:i0 dst=r2; next=@9
i0=40; q.update.exist map=0 key=pkt[0+16] val=pkt:i0 dst=r2; next=@9
q.delete map=0 key=pkt[0+16] dst=r2; next=@9
ra=r2; st pkt[0+8] s0=ra:8@0; next=pass
";

type Value = [u8; 8];

/// What an operation gives back: a value or nothing, or an error number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Gave {
    Value(Option<Value>),
    Code(i64),
}

fn words(text: &str) -> Vec<Word> {
    text.trim().lines().map(|line| line.parse().unwrap()).collect()
}

fn flags(code: u8) -> Update {
    [Update::Any, Update::NoExist, Update::Exist][usize::from(code) - 1]
}

/// A program's operation.
fn by_program(device: &mut Device, what: u8, key: &[u8], value: Value, vcpu: usize) -> Gave {
    let mut bytes = vec![0; 64];
    bytes[0] = what;
    bytes[16..16 + key.len()].copy_from_slice(key);
    bytes[40..48].copy_from_slice(&value);
    let arrival = Arrival { bytes, vcpu: Some(vcpu as u16), ..Arrival::default() };
    let out = device.run_one(arrival).unwrap();
    assert_eq!(out.fault, None);
    if what == 0 {
        // XDP_TX: there is no such key.
        let value: Value = out.bytes[48..56].try_into().unwrap();
        return Gave::Value((out.retval != 3).then_some(value));
    }
    Gave::Code(i64::from_le_bytes(out.bytes[8..16].try_into().unwrap()))
}

fn code(done: Result<(), MapError>, full: i64) -> Gave {
    Gave::Code(match done {
        Ok(()) => 0,
        Err(MapError::NoSuchKey) => -2,
        Err(MapError::Exists) => -17,
        Err(MapError::Full) => full,
        Err(MapError::Invalid) => -22,
        Err(other) => panic!("{other}"),
    })
}

/// A user's operation: an update sets the copies of all vCPUs.
fn by_user(device: &mut Device, what: u8, key: &[u8], value: Value, full: i64, copies: usize, vcpu: usize) -> Gave {
    match what {
        0 => Gave::Value(device.map_lookup(MapId(0), key, vcpu as u16).unwrap().map(|value| value.try_into().unwrap())),
        4 => code(device.map_delete(MapId(0), key), full),
        _ => code(device.map_update(MapId(0), key, &vec![value.to_vec(); copies], flags(what)), full),
    }
}

/// An entry of the plain map: values by vCPU.
type Entry = (Vec<u8>, [Value; VCPUS]);

/// A plain map.
struct Plain {
    kind: MapKind,
    max: usize,
    /// Entries, the one that was updated last at the end; and whether a program has looked it up since.
    entries: Vec<(Entry, bool)>,
}

/// The bits of a trie's key that count; `None` if the prefix is too long.
fn bits(key: &[u8]) -> Option<Vec<bool>> {
    let length = u32::from_le_bytes(key[..4].try_into().unwrap()) as usize;
    let all: Vec<bool> = key[4..].iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    all.get(..length).map(<[bool]>::to_vec)
}

impl Plain {
    fn new(kind: MapKind, max: usize) -> Self {
        let mut plain = Plain { kind, max, entries: Vec::new() };
        if matches!(kind, MapKind::Array | MapKind::PercpuArray) {
            let key = |n: usize| (n as u32).to_le_bytes().to_vec();
            plain.entries = (0..max).map(|n| ((key(n), [[0; 8]; VCPUS]), false)).collect();
        }
        plain
    }

    fn exact(&self, key: &[u8]) -> Option<usize> {
        self.entries.iter().position(|entry| match self.kind {
            MapKind::LpmTrie => bits(&entry.0.0) == bits(key),
            _ => entry.0.0 == key,
        })
    }

    fn lookup(&mut self, key: &[u8], vcpu: usize, program: bool) -> Option<Value> {
        let at = if self.kind == MapKind::LpmTrie {
            let wanted = bits(key)?;
            let covers = |at: &usize| wanted.starts_with(&bits(&self.entries[*at].0.0).unwrap());
            (0..self.entries.len()).filter(covers).max_by_key(|at| bits(&self.entries[*at].0.0).unwrap().len())
        } else {
            self.exact(key)
        };
        let ((_, values), marked) = &mut self.entries[at?];
        *marked |= program;
        Some(values[vcpu])
    }

    /// An update of the copy of one vCPU, or of all.
    fn update(&mut self, key: &[u8], value: Value, how: Update, vcpu: Option<usize>) -> i64 {
        let array = matches!(self.kind, MapKind::Array | MapKind::PercpuArray);
        let trie = self.kind == MapKind::LpmTrie;
        if trie && bits(key).is_none() {
            return -22;
        }
        let old = self.exact(key);
        match (old, how) {
            (None, _) if array => return -7,
            (Some(_), Update::NoExist) => return -17,
            (None, Update::Exist) => return -2,
            _ => {}
        }
        let per_cpu = matches!(self.kind, MapKind::PercpuArray | MapKind::PercpuHash);
        let set = |mut values: [Value; VCPUS]| {
            match vcpu {
                Some(vcpu) if per_cpu => values[vcpu] = value,
                _ => values = [value; VCPUS],
            }
            values
        };
        match old {
            Some(at) if array || per_cpu => self.entries[at].0.1 = set(self.entries[at].0.1),
            Some(at) => {
                self.entries.remove(at);
                self.entries.push(((key.to_vec(), set([[0; 8]; VCPUS])), false));
            }
            None => {
                if self.entries.len() == self.max {
                    if self.kind != MapKind::LruHash {
                        return if trie { -28 } else { -7 };
                    }
                    // The oldest that nobody has looked up; who has been is young again.
                    while self.entries[0].1 {
                        let (entry, _) = self.entries.remove(0);
                        self.entries.push((entry, false));
                    }
                    self.entries.remove(0);
                }
                self.entries.push(((key.to_vec(), set([[0; 8]; VCPUS])), false));
            }
        }
        0
    }

    fn delete(&mut self, key: &[u8]) -> i64 {
        let array = matches!(self.kind, MapKind::Array | MapKind::PercpuArray);
        match self.exact(key) {
            _ if array => -22,
            _ if self.kind == MapKind::LpmTrie && bits(key).is_none() => -22,
            None => -2,
            Some(at) => {
                self.entries.remove(at);
                0
            }
        }
    }

    fn all(&self) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
        let per_cpu = matches!(self.kind, MapKind::PercpuArray | MapKind::PercpuHash);
        let copies = if per_cpu { VCPUS } else { 1 };
        let values = |entry: &Entry| entry.1[..copies].iter().map(|value| value.to_vec()).collect();
        self.entries.iter().map(|(entry, _)| (entry.0.clone(), values(entry))).collect()
    }
}

fn key(random: &mut Random, kind: MapKind, size: usize) -> Vec<u8> {
    match kind {
        MapKind::Array | MapKind::PercpuArray => (random.below(6) as u32).to_le_bytes().to_vec(),
        MapKind::LpmTrie => {
            let bits = (size as u64 - 4) * 8;
            let length = random.below_mostly(bits + 1, 9, bits + 3);
            let length = if random.once_in(2) { random.pick(&[0, 1, 9, 15, bits]) } else { length };
            let mut key = (length as u32).to_le_bytes().to_vec();
            // Few that differ early, so that prefixes cover each other.
            let first = random.pick(&[0u8, 0x80, 0xff, 0xfe]);
            key.extend((4..size).map(|at| if at == 6 { random.pick(&[first, 0, 0xff]) } else { first }));
            key
        }
        _ => (0..size).map(|at| if at == size - 1 { random.below(9) as u8 } else { 7 }).collect(),
    }
}

#[test]
fn every_kind_is_a_plain_map() {
    let kinds = [
        (MapKind::Array, 4),
        (MapKind::PercpuArray, 4),
        (MapKind::Hash, 3),
        (MapKind::Hash, 20),
        (MapKind::PercpuHash, 5),
        (MapKind::LruHash, 2),
        (MapKind::LpmTrie, 6),
        (MapKind::LpmTrie, 8),
        (MapKind::LpmTrie, 20),
    ];
    for (seed, (kind, size)) in (0..).zip(kinds) {
        let mut codes = BTreeMap::new();
        for max in [1, 4, 7] {
            let random = &mut Random(seed * 16 + max as u64);
            let mut device = Device::new(&TINY);
            let spec = MapSpec { value_size: 8, ..map(kind, size as u32, 8, max as u32) };
            device.load_words(&words(PROGRAM), CodeAddr(0), &[spec], DispatchMode::Any, 10_000).unwrap();
            let mut plain = Plain::new(kind, max);
            let copies = if kind.is_per_cpu() { VCPUS } else { 1 };
            for step in 0..1500 {
                let what = random.pick(&[0, 0, 1, 1, 1, 2, 3, 4]);
                let key = key(random, kind, size);
                let value = random.next().to_le_bytes();
                let vcpu = random.below(VCPUS as u64) as usize;
                let program = !random.once_in(4);
                let full = if kind == MapKind::LpmTrie { -28 } else { -7 };
                let got = if program {
                    by_program(&mut device, what, &key, value, vcpu)
                } else {
                    by_user(&mut device, what, &key, value, full, copies, vcpu)
                };
                let want = match what {
                    0 => Gave::Value(plain.lookup(&key, vcpu, program)),
                    4 => Gave::Code(plain.delete(&key)),
                    _ => Gave::Code(plain.update(&key, value, flags(what), program.then_some(vcpu))),
                };
                let told = format!("{kind:?} of {max}, step {step}: {what} {key:?} program {program}");
                assert_eq!(got, want, "{told}");
                if let Gave::Code(code) = got {
                    *codes.entry(code).or_insert(0) += 1;
                }
                if step % 16 == 0 {
                    let entries: BTreeMap<_, _> = device.map_entries(MapId(0)).unwrap().into_iter().collect();
                    assert_eq!(entries, plain.all(), "{told}");
                }
            }
        }
        let expected: &[i64] = match kind {
            MapKind::Array | MapKind::PercpuArray => &[-22, -17, -7, 0],
            MapKind::LpmTrie => &[-28, -22, -17, -2, 0],
            MapKind::LruHash => &[-17, -2, 0],
            _ => &[-17, -7, -2, 0],
        };
        assert_eq!(codes.keys().copied().collect::<Vec<_>>(), expected, "{kind:?}");
    }
}

/// An update of a full LRU map never fails, whatever is written at the same time in other banks, and the capacity is kept.
#[test]
fn a_crowded_lru_map_takes_everything() {
    let program =
        words("q.update.any map=0 key=pkt[0+16] val=pkt:0 dst=r2; next=@1\nra=r2; st pkt[0+8] s0=ra:8@0; next=tx");
    for max in [1u32, 2, 5] {
        let mut device = Device::new(&TINY);
        device.set_admission(device_model::Admission::Hold);
        let maps = [map(MapKind::LruHash, 4, 4, max)];
        device.load_words(&program, CodeAddr(0), &maps, DispatchMode::Any, 100_000).unwrap();
        let random = &mut Random(u64::from(max));
        for cycle in 0..500 {
            let mut bytes = vec![0; 60];
            bytes[16] = random.below(12) as u8;
            device.offer(Arrival { cycle, bytes, ..Arrival::default() }).unwrap();
        }
        device.run_until_idle();
        for departure in device.departures() {
            assert_eq!(departure.bytes[8..16], [0; 8], "an update failed");
        }
        assert_eq!(device.map_entries(MapId(0)).unwrap().len(), max as usize);
        let counters = device.counters().map;
        assert!(counters.evictions > 100, "{counters:?}");
        assert!(max > 2 || counters.eviction_wait_cycles > 0, "nobody ever had to wait: {counters:?}");
    }
}

/// The user's side of maps whose elements are references.
#[test]
fn references_are_checked() {
    let maps = [
        map(MapKind::ProgArray, 4, 4, 2),
        map(MapKind::ArrayOfMaps, 4, 4, 2),
        map(MapKind::HashOfMaps, 8, 4, 1),
        map(MapKind::Devmap, 4, 8, 2),
        map(MapKind::DevmapHash, 4, 8, 1),
        map(MapKind::Array, 4, 8, 2),
        map(MapKind::Array, 4, 8, 2),
        map(MapKind::Array, 4, 8, 3),
        map(MapKind::Ringbuf, 0, 0, 4096),
        map(MapKind::PerfEventArray, 4, 4, 4),
    ];
    let links = [Link { map: 1, key: 0, to: 5 }];
    let image = MapImage { maps: &maps, links: &links, locks: &[], programs: 1 };
    let mut device = Device::new(&TINY);
    let entries = [CodeAddr(0)];
    device.load_linked(&words("next=pass"), CodeAddr(0), &entries, image, DispatchMode::Any, 100).unwrap();
    let word = |number: u32| number.to_le_bytes().to_vec();
    let wide = |low: u32, high: u32| [word(low), word(high)].concat();
    let mut set = |map: usize, key: Vec<u8>, value: Vec<u8>, how: Update| {
        device.map_update(MapId(map as u16), &key, &[value], how)
    };
    use MapError::*;
    assert_eq!(set(0, word(0), word(1), Update::Any), Err(Reference), "no such program");
    assert_eq!(set(0, word(2), word(0), Update::Any), Err(Full), "beyond the end");
    assert_eq!(set(0, word(1), word(0), Update::NoExist), Err(Invalid), "no flags");
    assert_eq!(set(0, word(1), word(0), Update::Any), Ok(()));
    assert_eq!(set(1, word(1), word(7), Update::Any), Err(Reference), "another number of entries");
    assert_eq!(set(1, word(1), word(8), Update::Any), Err(Reference), "another kind");
    assert_eq!(set(1, word(1), word(2), Update::Any), Err(Reference), "a map of maps");
    assert_eq!(set(1, word(1), word(10), Update::Any), Err(Reference), "no map");
    assert_eq!(set(1, word(1), word(6), Update::Any), Ok(()));
    assert_eq!(set(2, wide(1, 2), word(8), Update::Exist), Err(NoSuchKey));
    assert_eq!(set(2, wide(1, 2), word(8), Update::NoExist), Ok(()));
    assert_eq!(set(2, wide(1, 2), word(6), Update::NoExist), Err(Exists));
    assert_eq!(set(2, wide(1, 3), word(6), Update::Any), Err(Full));
    assert_eq!(set(3, word(1), wide(4, 9), Update::Any), Err(Reference), "a program at the egress");
    assert_eq!(set(3, word(1), wide(4, u32::MAX), Update::Any), Ok(()));
    assert_eq!(set(3, word(0), wide(4, 0), Update::NoExist), Err(Exists), "as in any array");
    assert_eq!(set(3, word(0), wide(4, 0), Update::Any), Ok(()));
    assert_eq!(set(3, word(0), wide(0, 0), Update::Any), Ok(()), "interface 0 empties the entry");
    assert_eq!(set(4, word(9), wide(0, 0), Update::Any), Err(Reference), "interface 0");
    assert_eq!(set(4, word(9), wide(3, 0), Update::Exist), Ok(()), "it is not asked whether the key is there");
    assert_eq!(set(4, word(9), wide(3, 0), Update::NoExist), Err(Exists));
    assert_eq!(set(4, word(8), wide(3, 0), Update::Any), Err(Full));
    assert_eq!(set(8, vec![], vec![], Update::Any), Err(Invalid));
    assert_eq!(set(9, word(0), word(0), Update::Any), Err(Invalid));
    let entries = |slot| device.map_entries(MapId(slot as u16)).unwrap();
    assert_eq!(entries(0), [(word(1), vec![word(0)])]);
    assert_eq!(entries(1), [(word(0), vec![word(5)]), (word(1), vec![word(6)])]);
    assert_eq!(entries(2), [(wide(1, 2), vec![word(8)])]);
    assert_eq!(entries(3), [(word(1), vec![wide(4, u32::MAX)])]);
    assert_eq!(entries(4), [(word(9), vec![wide(3, 0)])]);
    assert_eq!((entries(8), entries(9)), (vec![], vec![]));
    assert_eq!(device.map_lookup(MapId(0), &word(1), 0), Ok(Some(word(0))));
    assert_eq!(device.map_lookup(MapId(0), &word(0), 0), Ok(None));
    assert_eq!(device.map_delete(MapId(0), &word(1)), Ok(()));
    assert_eq!(device.map_delete(MapId(0), &word(1)), Err(NoSuchKey));
    assert_eq!(device.map_delete(MapId(0), &word(2)), Err(Full));
    assert_eq!(device.map_delete(MapId(3), &word(0)), Ok(()), "a device map does not tell whether there was one");
    assert_eq!(device.map_delete(MapId(3), &word(2)), Err(Invalid));
    assert_eq!(device.map_delete(MapId(4), &word(8)), Err(NoSuchKey));
    assert_eq!(device.map_delete(MapId(2), &wide(1, 2)), Ok(()));
    assert_eq!(device.map_delete(MapId(8), &[]), Err(Invalid));
}

/// The host's ring for perf events takes 512 KiB of one packet, each event with its header and length (struct perf_event_header and
/// the size of PERF_SAMPLE_RAW).
#[test]
fn perf_events_fill_their_ring() {
    let program = words(
        "iw=0xffffffff; r2=iw; next=@1
        ra=-1; i0=3000; a1=pack.64 i0,ra; r5=a1; next=@2
        i0=512; rc=r5; q.perf.output map=0 key=stack[0+0] val=i0 dst=r3 null; t2=@2 next=@3
        ra=r3; st pkt[0+8] s0=ra:8@0; next=pass",
    );
    // 0 entries: one for each vCPU.
    let maps = [map(MapKind::PerfEventArray, 4, 4, 0)];
    let mut device = Device::new(&TINY);
    device.load_words(&program, CodeAddr(0), &maps, DispatchMode::Any, 1_000_000).unwrap();
    for vcpu in [0, 3] {
        let arrival = Arrival { bytes: vec![0; 3100], vcpu: Some(vcpu), ..Arrival::default() };
        let out = device.run_one(arrival).unwrap();
        assert_eq!(out.fault, None);
        assert_eq!(out.bytes[8..16], (-28i64).to_le_bytes());
        // 3,512 B and 4 B in steps of 8 B, and 8 B.
        assert_eq!(out.events.len(), ((1 << 19) - 1) / 3528);
    }
}

/// The user deletes a key and inserts another one while a program's update of the first is on its way, at each cycle of it: the one
/// or the other comes first, and the map never has more than its one entry.
#[test]
fn updates_that_the_user_overtakes_come_after_it() {
    for (kind, full) in [(MapKind::Hash, -7), (MapKind::LpmTrie, -28), (MapKind::LruHash, 0)] {
        for how in ["any", "noexist", "exist"] {
            let text = format!(
                "q.update.{how} map=0 key=pkt[0+16] val=pkt:0 dst=r2; next=@1\nra=r2; st pkt[0+8] s0=ra:8@0; next=pass"
            );
            let mut seen = std::collections::BTreeSet::new();
            for cycle in 1..140 {
                let mut device = Device::new(&TINY);
                device.load_words(&words(&text), CodeAddr(0), &[map(kind, 8, 4, 1)], DispatchMode::Any, 1000).unwrap();
                let key = |last: u8| vec![32, 0, 0, 0, 10, 0, 0, last];
                let mut bytes = vec![0; 60];
                bytes[16..24].copy_from_slice(&key(1));
                if how != "noexist" {
                    device.map_update(MapId(0), &key(1), &[vec![9; 4]], Update::Any).unwrap();
                }
                device.offer(Arrival { bytes, ..Arrival::default() }).unwrap();
                device.run_until(cycle);
                let first = device.map_entries(MapId(0)).unwrap();
                match how {
                    // The key is gone, and another one has its place.
                    "any" | "exist" => {
                        device.map_delete(MapId(0), &key(1)).unwrap();
                        device.map_update(MapId(0), &key(2), &[vec![7; 4]], Update::Any).unwrap();
                    }
                    // The key is there already.
                    _ => drop(device.map_update(MapId(0), &key(1), &[vec![7; 4]], Update::NoExist)),
                }
                device.run_until_idle();
                let out = device.departures().next().unwrap();
                let answer = i64::from_le_bytes(out.bytes[8..16].try_into().unwrap());
                let entries: Vec<Vec<u8>> =
                    device.map_entries(MapId(0)).unwrap().into_iter().map(|entry| entry.0).collect();
                assert_eq!(entries.len(), 1, "{kind:?} {how} at {cycle}: {answer}");
                // Whose update came first cannot be told from the answer alone, but what is there afterwards fits it.
                let want: &[(i64, u8)] = match how {
                    "any" => &[(0, 2), (full, if full == 0 { 1 } else { 2 })],
                    "exist" => &[(0, 2), (-2, 2)],
                    _ => &[(0, 1), (-17, 1)],
                };
                assert!(want.contains(&(answer, entries[0][7])), "{kind:?} {how} at {cycle}: {answer} {entries:?}");
                assert!(first.len() <= 1);
                seen.insert((answer, entries[0][7]));
            }
            assert_eq!(seen.len(), 2, "{kind:?} {how}: {seen:?}");
        }
    }
}

/// array_map_meta_equal of the kernel's kernel/bpf/arraymap.c.
#[test]
fn inner_arrays_may_differ_in_their_entries_if_all_of_them_say_so() {
    let any = |entries| MapSpec { flags: 1 << 12, ..map(MapKind::Array, 4, 8, entries) };
    let maps = [map(MapKind::ArrayOfMaps, 4, 4, 2), any(2), any(3), map(MapKind::Array, 4, 8, 2)];
    let links = [Link { map: 0, key: 0, to: 1 }];
    let image = MapImage { maps: &maps, links: &links, locks: &[], programs: 0 };
    let mut device = Device::new(&TINY);
    device.load_linked(&words("next=pass"), CodeAddr(0), &[], image, DispatchMode::Any, 100).unwrap();
    let mut set = |to: u32| device.map_update(MapId(0), &[1, 0, 0, 0], &[to.to_le_bytes().to_vec()], Update::Any);
    assert_eq!(set(2), Ok(()));
    assert_eq!(set(3), Err(MapError::Reference), "other flags");
}
