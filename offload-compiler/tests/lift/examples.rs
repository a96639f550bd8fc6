//! The examples on their captures: lift and passes against the eBPF interpreter, over tail calls and with the entries of their map files.

use super::{by_map, entries, events, holds_values, redirect};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::facts;
use offload_compiler::ir::interp::{self, Maps, Outcome, Packet, World};
use offload_compiler::ir::{Func, lift};
use offload_compiler::object::{Initial, LoadOptions, Object, load};
use offload_compiler::opt::{MapTable, optimize};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Chance, EntryValue, PacketIn, capture, mapfile};
use offwire_image::MapKind;
use std::path::{Path, PathBuf};

/// Most packets of one capture.
const PACKETS: usize = 300;

/// Programs by their number in the object, without and with passes.
fn programs(object: &Object) -> [Vec<Func>; 2] {
    let plain: Vec<Func> = object
        .programs
        .iter()
        .map(|program| {
            lift(object, program, &facts::analyze(object, program).unwrap()).unwrap_or_else(|d| panic!("{d}"))
        })
        .collect();
    let table = MapTable::of(object);
    let small = plain.iter().map(|func| optimize(func.clone(), &table)).collect();
    [plain, small]
}

/// The maps with the initial elements of the object and the entries of the file, in both.
fn filled(object: &Object, folder: &Path, reference: &mut Ref) -> Maps {
    let mut maps = Maps::new(object.maps.iter().map(|map| &map.spec));
    for (index, map) in (0..).map(MapIdx).zip(&object.maps) {
        for (key, initial) in &map.initial {
            let to = match initial {
                Initial::Map(inner) => usize::from(inner.0),
                Initial::Program(name) => object.programs.iter().position(|program| program.name == *name).unwrap(),
            };
            maps.link(index, &key.to_le_bytes(), to as u32);
        }
    }
    let Ok(text) = std::fs::read(folder.join("maps.json")) else { return maps };
    for (index, entries) in mapfile::parse(&text, object).unwrap() {
        let kind = object.maps[usize::from(index.0)].spec.kind;
        for entry in entries {
            reference.map_update(index, &entry).unwrap();
            let value = match entry.value {
                EntryValue::One(value) => value,
                EntryValue::PerCpu(values) => values.into_iter().next().map(|(_, value)| value).unwrap_or_default(),
            };
            if matches!(kind, MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps) {
                maps.link(index, &entry.key, u32::from_le_bytes(*value.first_chunk().unwrap()));
            } else {
                assert_eq!(maps.update(index, &entry.key, &value, 0), Ok(0), "{}", folder.display());
            }
        }
    }
    maps
}

fn run(funcs: &[Func], entry: usize, packet: &mut Packet, maps: &mut Maps, world: &mut World) -> u32 {
    let mut at = entry;
    loop {
        match interp::run_in(&funcs[at], packet, maps, world).unwrap_or_else(|f| panic!("{f:?}\n{}", funcs[at])) {
            Outcome::Exit(value) => return value,
            Outcome::TailCall(next) => at = next as usize,
        }
    }
}

fn check_example(folder: &Path, name: &str) {
    let object = load(&std::fs::read(folder.join(format!("{name}.o"))).unwrap(), &LoadOptions::default()).unwrap();
    let entry = object.programs.iter().position(|program| program.name.starts_with("xdp")).unwrap_or(0);
    let mut reference = Ref::new(&object, entry).unwrap();
    let maps = filled(&object, folder, &mut reference);
    let mut ours = programs(&object).map(|funcs| (funcs, maps.clone()));
    let capture = capture::read(&std::fs::read(folder.join("traffic.pcap")).unwrap()).unwrap();
    for (n, input) in (0u64..).zip(capture.packets_in().into_iter().take(PACKETS)) {
        let input = PacketIn { port: 0, rx_queue: 0, ..input };
        let chance = Chance::of_packet(n, input.arrival_ns);
        reference.set_chance(chance);
        let wanted = reference.run(&input).unwrap();
        for (funcs, maps) in &mut ours {
            let mut packet = Packet::new(&input.bytes);
            let (ktime_ns, jiffies, random) = (chance.ktime_ns, chance.jiffies, chance.random_state);
            let mut world = World { ktime_ns, jiffies, random, ..World::default() };
            let got = run(funcs, entry, &mut packet, maps, &mut world);
            assert_eq!((got, packet.bytes()), (wanted.retval, &wanted.bytes[..]), "{name}, packet {n}");
            assert_eq!(packet.meta(), wanted.meta, "{name}, packet {n}");
            assert_eq!(by_map(events(&world)), by_map(wanted.events.clone()), "{name}, packet {n}");
            if got == 4 {
                assert_eq!(redirect(&world), wanted.redirect, "{name}, packet {n}");
            }
        }
    }
    for (map, spec) in (0..).map(MapIdx).zip(object.maps.iter().map(|map| &map.spec)) {
        if holds_values(spec.kind) {
            let wanted = entries(&mut reference, map, &vec![0; spec.value_size as usize]);
            ours.iter().for_each(|(_, maps)| assert_eq!(maps.entries(map), wanted, "{name}, map {}", spec.name));
        }
    }
}

#[test]
fn ir_of_examples_does_what_they_do_on_their_captures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("traffic.pcap").exists());
    folders.sort();
    assert!(folders.len() >= 7, "only {} examples", folders.len());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        check_example(&folder, &name);
    }
}
