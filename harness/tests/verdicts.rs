//! The verifier's verdicts against the kernel's, on compiled programs and on random ones.

mod common;
#[path = "verdicts/links.rs"]
mod links;
#[path = "verdicts/programs.rs"]
mod programs;

use common::{Rng, host_works, map_spec, object, packet};
use offload_compiler::ebpf::{Imm64, Insn, InsnIdx, MapIdx};
use offload_compiler::facts;
use offload_compiler::object::{Initial, LoadOptions, Map, Object, load};
use offload_compiler::verify::{Limits, verify};
use offwire_diag::{Code, Diagnostic, codes};
use offwire_harness::host::{kernel_version, load_verdict};
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue};
use offwire_image::MapKind;
use programs::{Programs, VALUE_SIZE};
use std::path::{Path, PathBuf};

/// Rules that the kernel does not have for root: pointers are no numbers on the device.
const STRICTER: [Code; 3] = [codes::verify::POINTER_AS_NUMBER, codes::verify::SPILL, codes::verify::STALE_PACKET];

fn ours(object: &Object, program: usize, limits: &Limits) -> Result<(), Diagnostic> {
    verify(object, &object.programs[program], limits).map(|_| ())
}

/// True if the kernel is the one whose verdicts are the reference; others may know more or less.
fn reference_kernel() -> bool {
    kernel_version().is_some_and(|version| version.starts_with("6.18."))
}

/// Objects of a folder, one level of folders deep, in order of their names.
fn objects(folder: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder is part of the repository") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "o") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut found);
    found.sort();
    found
}

#[test]
fn compiled_programs_get_the_kernels_verdict() {
    if !host_works() {
        return;
    }
    let mut failures = Vec::new();
    let mut compared = 0;
    for path in
        ["examples", "offload-compiler/tests/safe", "offload-compiler/tests/unsafe"].into_iter().flat_map(objects)
    {
        let bytes = std::fs::read(&path).expect("readable");
        // What does not even load has no program to give to the kernel.
        let Ok(object) = load(&bytes, &LoadOptions::default()) else { continue };
        for (index, program) in object.programs.iter().enumerate() {
            compared += 1;
            let name = format!("{} {}", path.display(), program.name);
            let kernel = load_verdict(&object, index).expect("bpf(2) works");
            match (&kernel, ours(&object, index, &Limits::default())) {
                (Ok(_), Ok(())) => {}
                (Ok(_), Err(diagnostic)) => failures.push(format!("{name}: the kernel takes it, we say {diagnostic}")),
                (Err(rejected), Ok(())) => {
                    failures.push(format!("{name}: we take it, the kernel says {}", rejected.reason()))
                }
                (Err(rejected), Err(_)) => {
                    let source = std::fs::read_to_string(path.with_extension("c")).unwrap_or_default();
                    let expected = source.lines().find_map(|line| line.strip_prefix("// kernel: ")).unwrap_or("");
                    if reference_kernel() && !rejected.log.contains(expected) {
                        failures
                            .push(format!("{name}: the kernel does not say {expected:?}, but {}", rejected.reason()));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 80, "only {compared} programs were found");
}

/// The maps of random programs.
fn maps() -> Vec<Map> {
    let mut outer: Map = map_spec("rings", MapKind::ArrayOfMaps, 4, 4, 4).into();
    let ring = || map_spec("ring", MapKind::Hash, 4, 16, 4);
    outer.inner = Some(Box::new(ring()));
    outer.initial = vec![(1, Initial::Map(MapIdx(5)))];
    let rows = typed().maps.into_iter().find(|map| map.spec.name == "rows").expect("it has the map");
    vec![
        map_spec("values", MapKind::Hash, 4, VALUE_SIZE, 8).into(),
        map_spec("data", MapKind::Array, 4, VALUE_SIZE, 1).into(),
        outer,
        map_spec("events", MapKind::Ringbuf, 0, 0, 4096).into(),
        map_spec("programs", MapKind::ProgArray, 4, 4, 4).into(),
        ring().into(),
        rows,
    ]
}

/// An object with types for locks and callbacks.
fn typed() -> Object {
    load(include_bytes!("objects/typed.o"), &LoadOptions::default()).expect("the object loads")
}

/// The program with types of its functions, if it has callbacks.
fn random_object(insns: &[Insn], maps: &[Map], typed: &Object) -> Object {
    let mut object = object(insns, &[]);
    object.maps = maps.to_vec();
    object.btf = typed.btf.clone();
    let mut entries: Vec<InsnIdx> = insns
        .iter()
        .filter_map(|insn| match *insn {
            Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } => Some(target),
            _ => None,
        })
        .chain([InsnIdx(0)])
        .collect();
    entries.sort_unstable();
    entries.dedup();
    if insns.iter().any(|insn| matches!(insn, Insn::LoadImm64 { value: Imm64::Func(_), .. })) {
        let types = &typed.programs.iter().find(|program| program.name == "xdp_loop").expect("it is there").func_info;
        let (main, function) = (types[0].1, types[1].1);
        object.programs[0].func_info =
            entries.iter().map(|&entry| (entry, if entry == InsnIdx(0) { main } else { function })).collect();
    }
    object
}

/// Runs an accepted program on random packets; the interpreter asserts facts and bounds at each step.
fn execute(object: &Object, rng: &mut Rng, runs: usize) -> Result<(), String> {
    let facts = facts::analyze(object, &object.programs[0]).map_err(|diagnostic| diagnostic.to_string())?;
    let mut reference = Ref::new(object, 0).map_err(|diagnostic| diagnostic.to_string())?.with_facts(&facts);
    for (map, key, size) in [(0, 1, VALUE_SIZE), (1, 0, VALUE_SIZE), (5, 2, 16)] {
        let value = (0..size).map(|_| corner(rng)).collect();
        let entry = Entry { key: vec![key, 0, 0, 0], value: EntryValue::One(value) };
        reference.map_update(MapIdx(map), &entry).map_err(|diagnostic| diagnostic.to_string())?;
    }
    for _ in 0..runs {
        let bytes: Vec<u8> = (0..80).map(|_| corner(rng)).collect();
        reference.run(&packet(&bytes)).map_err(|diagnostic| format!("{diagnostic}\non packet {bytes:02x?}"))?;
    }
    Ok(())
}

/// A byte that is likely to be at some limit.
fn corner(rng: &mut Rng) -> u8 {
    match rng.below(6) {
        0 | 1 => 0,
        2 => 0xff,
        3 => rng.pick(&[0x7f, 0x80, 1, 0x3f, 0x40]),
        4 => rng.pick(&[3, 5, 7, 8, 31, 33]),
        _ => rng.next() as u8,
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

fn too_complex(verdict: &Result<(), Diagnostic>) -> bool {
    verdict.as_ref().is_err_and(|diagnostic| diagnostic.code == codes::verify::TOO_COMPLEX)
}

#[test]
fn random_programs_get_the_kernels_verdict() {
    let (count, seed) = (from_environment("VERDICTS", 1500), from_environment("SEED", 1));
    let (maps, typed) = (maps(), typed());
    let host = host_works();
    let mut programs = Programs::new(seed);
    let (mut both, mut precise, mut stricter, mut unsound, mut gaps) = (0u64, 0u64, 0u64, 0u64, Vec::new());
    for number in 0..count {
        let insns = programs.next();
        let object = random_object(&insns, &maps, &typed);
        let verdict = ours(&object, 0, &Limits::default());
        let name = || format!("program {number} of seed {seed}:\n{}", object.programs[0].dump(&object));
        // Without any pruning, and with as much as there can be.
        for max_states in [0, 1000] {
            let other = ours(&object, 0, &Limits { max_states, every_state: true, ..Limits::default() });
            let unknown = too_complex(&other) || too_complex(&verdict);
            assert!(
                unknown || other.is_ok() == verdict.is_ok(),
                "pruning changes the verdict {verdict:?} to {other:?}, {}",
                name()
            );
        }
        if verdict.is_ok()
            && let Err(violation) = execute(&object, &mut programs.rng, 10)
        {
            panic!("accepted, but not safe: {violation}\n{}", name());
        }
        if !host {
            continue;
        }
        match (load_verdict(&object, 0).expect("bpf(2) works"), &verdict) {
            (Ok(_), Ok(())) => both += 1,
            (Ok(_), Err(refused)) if STRICTER.contains(&refused.code) => stricter += 1,
            (Ok(_), Err(_)) if links::taken_for_a_wrong_link(&insns, |insns| random_object(insns, &maps, &typed)) => {
                unsound += 1;
            }
            (Ok(_), Err(refused)) => gaps.push(format!("the kernel takes it, we say {refused}, {}", name())),
            // It ran above without harm: the kernel knows less.
            (Err(_), Ok(())) => precise += 1,
            (Err(_), Err(_)) => {}
        }
    }
    println!(
        "{both} accepted by both, {precise} only by us, {stricter} only by the kernel by design, {unsound} for a link that \
         does not hold, {} gaps",
        gaps.len()
    );
    if host && reference_kernel() {
        assert!(gaps.is_empty(), "{} programs that the kernel takes are refused:\n{}", gaps.len(), gaps.join("\n"));
        assert!(both > count / 10, "only {both} of {count} programs are accepted at all");
        assert!(precise < count / 20, "{precise} of {count} programs are accepted that the kernel refuses");
    }
}
