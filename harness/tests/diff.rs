//! A comparison must notice each thing that can differ, and call nothing equal that it did not compare. The liars here are the
//! interpreter with one answer changed.

mod common;

use common::*;
use offload_compiler::ebpf::{AtomicOp, Insn, MapIdx, Size};
use offload_compiler::object::Object;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::diff::{self, Options, Outcome, Report, What};
use offwire_harness::random::RandomPackets;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, Entry, EntryValue, Event, PacketIn, PacketOut, RedirectTarget};
use offwire_image::MapKind;

/// Counts packets in a per-CPU array and in a hash, and returns 2.
fn subject() -> Object {
    let mut asm = Asm::default();
    asm.put(prologue(14)).put([store_imm(Size::B4, R10, -4, 1), store_imm(Size::B8, R10, -16, 9)]);
    asm.put(map(R1, 0)).put([copy(R2, R10), add(R2, -4)]).helper(1);
    asm.jump_if(offload_compiler::ebpf::Cond::Eq, R0, 0, "out");
    asm.put([mov(R1, 1), Insn::Atomic { size: Size::B8, op: AtomicOp::Add, fetch: false, base: R0, off: 0, src: R1 }]);
    asm.put(map(R1, 1)).put([copy(R2, R10), add(R2, -4), copy(R3, R10), add(R3, -16), mov(R4, 0)]).helper(2);
    asm.label("out").put([mov(R0, 2), Insn::Exit]);
    let maps = [map_spec("counts", MapKind::PercpuArray, 4, 8, 2), map_spec("table", MapKind::Hash, 4, 8, 8)];
    object(&asm.done(), &maps)
}

/// What a liar lies about, from packet 3 on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Nothing,
    Retval,
    Byte,
    Length,
    Meta,
    Event,
    Fault,
    Redirect,
    /// In one of the maps.
    Map(u16),
    /// A value of CPU 1 appears.
    OtherCpu,
    /// An error that says that the program is wrong, or one that says that the back end is.
    Error(codes::Code),
    /// Cannot run short packets.
    Picky,
}

struct Liar {
    honest: Ref,
    lie: Lie,
    runs: u64,
}

impl Liar {
    fn lies(&self) -> bool {
        self.runs > 3
    }
}

impl Backend for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }
    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        self.honest.map_update(map, entry)
    }
    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        let mut entries = self.honest.map_entries(map)?;
        if self.lies() {
            match self.lie {
                Lie::Map(0) if map.0 == 0 => entries[0].value = EntryValue::PerCpu(vec![(0, vec![8; 8])]),
                Lie::Map(1) if map.0 == 1 => entries.clear(),
                Lie::OtherCpu if map.0 == 0 => {
                    if let EntryValue::PerCpu(values) = &mut entries[1].value {
                        values.push((1, vec![8; 8]));
                    }
                }
                _ => {}
            }
        }
        Ok(entries)
    }
    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        if self.lie == Lie::Picky && packet.bytes.len() < 40 {
            return Err(Diagnostic::error(codes::host::NOT_COMPARABLE, "too short"));
        }
        Ok(())
    }
    fn set_chance(&mut self, chance: Chance) {
        self.honest.set_chance(chance);
    }
    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        self.runs += 1;
        let mut out = self.honest.run(packet)?;
        if self.lies() {
            match self.lie {
                Lie::Retval => out.retval = 1,
                Lie::Byte => out.bytes[7] ^= 1,
                Lie::Length => out.bytes.push(0),
                Lie::Meta => out.meta.push(1),
                Lie::Event => out.events.push(Event::Ringbuf { map: 0, bytes: vec![1] }),
                Lie::Fault => out.fault = Some("bounds".into()),
                Lie::Redirect => out.redirect = Some(RedirectTarget::Ifindex(2)),
                Lie::Error(code) => return Err(Diagnostic::error(code, "an error")),
                _ => {}
            }
        }
        Ok(out)
    }
}

fn packets() -> Vec<PacketIn> {
    (0..20).map(|n| packet(&vec![n as u8; 30 + n])).collect()
}

fn compare(lie: Lie, options: Options) -> Report {
    let object = subject();
    let honest = || Ref::new(&object, 0).expect("loads");
    let liar = Liar { honest: honest(), lie, runs: 0 };
    let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(honest()), Box::new(liar)];
    diff::run(&mut backends, &object, &Vec::new(), packets(), options)
}

#[test]
fn honest_back_ends_are_equal() {
    let report = compare(Lie::Nothing, Options::default());
    assert_eq!((report.result, report.packets, report.not_comparable), (Outcome::Equal, 20, 0), "{report:?}");
    assert!(report.first.is_none() && report.to_diagnostic().is_none());
    let json = serde_json::to_string(&report).expect("serializes");
    assert_eq!(json, r#"{"result":"equal","on":["ref","liar"],"packets":20,"not_comparable":0}"#);
}

#[test]
fn each_difference_is_found_at_its_packet() {
    for (lie, what, at) in [
        (Lie::Retval, What::Retval, ""),
        (Lie::Byte, What::Bytes, "byte 7"),
        (Lie::Length, What::Bytes, "length"),
        (Lie::Meta, What::Meta, ""),
        (Lie::Event, What::Event, "event 0"),
        (Lie::Fault, What::Fault, ""),
        (Lie::Redirect, What::Redirect, ""),
        (Lie::Map(0), What::Map, "map counts"),
        (Lie::Map(1), What::Map, "map table"),
        (Lie::OtherCpu, What::OtherCpu, "map counts"),
        (Lie::Error(codes::host::REF_FACT), What::Diagnostic, ""),
        (Lie::Error(codes::host::REF_BOUNDS), What::Diagnostic, ""),
    ] {
        let report = compare(lie, Options::default());
        assert_eq!(report.result, Outcome::Differ, "{lie:?} went unnoticed: {report:?}");
        let first = report.first.clone().expect("a difference has a place");
        assert_eq!((first.packet, first.what, first.at.as_str()), (3, what, at), "{lie:?}: {first:?}");
        assert_eq!(first.backends[1], "liar");
        assert_ne!(first.values[0], first.values[1], "{lie:?}");
        assert_eq!(first.input, "03".repeat(33));
        let diagnostic = report.to_diagnostic().expect("a difference is an error");
        assert_eq!(diagnostic.code, codes::data::DIFFER);
        let json: serde_json::Value = serde_json::to_value(&report).expect("serializes");
        assert_eq!((&json["result"], &json["first"]["packet"]), (&"differ".into(), &3.into()));
    }
}

#[test]
fn large_maps_are_compared_now_and_then_and_at_the_end() {
    let options = Options { maps_every: 8, small: 0 };
    let first = compare(Lie::Map(1), options).first.expect("found");
    assert_eq!((first.packet, first.equal_after), (7, Some(0)), "packet 0 shows that the maps are not small");
    let options = Options { maps_every: 1000, small: 0 };
    let first = compare(Lie::Map(1), options).first.expect("found at the end");
    assert_eq!((first.packet, first.equal_after), (19, Some(0)));
}

#[test]
fn what_cannot_be_compared_is_counted_and_runs_nowhere() {
    let report = compare(Lie::Picky, Options::default());
    // Ten packets are shorter than 40 bytes. Had the first back end run them, the counts in its maps would differ.
    assert_eq!((report.result, report.packets, report.not_comparable), (Outcome::Equal, 20, 10), "{report:?}");
    let object = subject();
    let honest = || Ref::new(&object, 0).expect("loads");
    let liar = Liar { honest: honest(), lie: Lie::Picky, runs: 0 };
    let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(honest()), Box::new(liar)];
    let report = diff::run(&mut backends, &object, &Vec::new(), vec![packet(&[0; 20])], Options::default());
    assert_eq!(report.result, Outcome::Refused, "nothing was compared, so nothing is equal");
    assert_eq!(report.to_diagnostic().map(|diagnostic| diagnostic.code), Some(codes::host::NOT_COMPARABLE));
}

#[test]
fn a_back_end_that_fails_ends_the_comparison() {
    for code in [codes::host::HOST_FAILED, codes::host::NOT_COMPARABLE] {
        let report = compare(Lie::Error(code), Options::default());
        assert_eq!((report.result, report.packets), (Outcome::Refused, 4), "{report:?}");
        assert_eq!(report.to_diagnostic().map(|diagnostic| diagnostic.code), Some(code));
    }
}

#[test]
fn contents_that_do_not_fit_end_the_comparison() {
    let object = subject();
    let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(Ref::new(&object, 0).expect("loads"))];
    let contents = vec![(MapIdx(0), vec![Entry { key: vec![9; 4], value: EntryValue::PerCpu(vec![]) }])];
    let report = diff::run(&mut backends, &object, &contents, packets(), Options::default());
    assert_eq!(report.result, Outcome::Refused);
}

/// Values of other CPUs that the map file gave stay as they are.
#[test]
fn given_values_of_other_cpus_are_no_difference() {
    let object = subject();
    let honest = || Ref::new(&object, 0).expect("loads");
    let mut backends: Vec<Box<dyn Backend>> = vec![Box::new(honest()), Box::new(honest())];
    let value = EntryValue::PerCpu(vec![(0, vec![0; 8]), (1, vec![5; 8])]);
    let contents = vec![(MapIdx(0), vec![Entry { key: vec![1, 0, 0, 0], value }])];
    let report = diff::run(&mut backends, &object, &contents, packets(), Options::default());
    assert_eq!(report.result, Outcome::Equal, "{report:?}");
}

#[test]
fn random_packets_repeat_and_fit() {
    let capture = packets();
    let take = |seed| RandomPackets::new(seed, &capture).take(5000).collect::<Vec<_>>();
    let first = take(7);
    assert!(first == take(7), "the same seed gives other packets");
    assert!(first != take(8), "another seed gives the same packets");
    assert!(first.iter().all(|packet| (14..=3520).contains(&packet.bytes.len())));
    assert!(first.windows(2).all(|pair| pair[0].arrival_ns < pair[1].arrival_ns));
    let lengths: std::collections::BTreeSet<usize> = first.iter().map(|packet| packet.bytes.len()).collect();
    assert!(lengths.len() > 200, "only {} different lengths", lengths.len());
    // Packets that no kernel takes are no base, and without a base there are still packets.
    let odd = [packet(&[0; 5]), packet(&vec![0; 9000])];
    assert!(RandomPackets::new(1, &odd).take(100).all(|packet| packet.bytes.len() >= 14));
}

/// Below its capacity an LRU map is compared like any other; from there on packets run, but are not called equal.
#[test]
fn lru_maps_are_compared_below_their_capacity() {
    if !host_works() {
        return;
    }
    let object = object(&map_operations(), &[map_spec("recent", MapKind::LruHash, 4, 8, 16)]);
    let run = |keys: u32| {
        let mut backends: Vec<Box<dyn Backend>> =
            vec![Box::new(Ref::new(&object, 0).expect("loads")), Box::new(host(&object))];
        let packets = (0..300u32).map(|at| operation((at % 2) as u8, at * 7 % keys, u64::from(at), 0));
        diff::run(&mut backends, &object, &Vec::new(), packets, Options::default())
    };
    let below = run(12);
    assert_eq!((below.result, below.not_comparable, below.lru_full), (Outcome::Equal, 0, None), "{below:?}");
    let above = run(100);
    assert_eq!(above.result, Outcome::Equal, "{above:?}");
    assert!(above.lru_full.is_some_and(|packet| packet > 16) && above.not_comparable > 200, "{above:?}");
}

/// The kernel pads perf events; what it padded them with does not count, all else does.
#[test]
fn padding_of_perf_events_is_no_difference() {
    let perf = |bytes: &[u8]| Event::Perf { map: 0, bytes: bytes.to_vec() };
    let padded = |bytes: &[u8]| Event::PerfPadded { map: 0, bytes: bytes.to_vec() };
    assert!(perf(&[1, 2]).same(&padded(&[1, 2, 7, 7])));
    assert!(padded(&[1, 2, 3, 4]).same(&perf(&[1, 2, 3, 4])));
    assert!(!perf(&[1, 2]).same(&padded(&[1, 3, 0, 0])), "another byte");
    assert!(!perf(&[1, 2]).same(&padded(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), "more than padding");
    assert!(!perf(&[1, 2]).same(&perf(&[1, 2, 0, 0])), "only the kernel pads");
    assert!(!perf(&[1, 2]).same(&Event::PerfPadded { map: 1, bytes: vec![1, 2, 0, 0] }), "another map");
}
