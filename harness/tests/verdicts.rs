//! The verifier's verdicts against the kernel's, on compiled programs and on random ones.

mod common;
#[path = "verdicts/programs.rs"]
mod programs;

use common::{Rng, host_works, map_spec, object, packet};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::facts;
use offload_compiler::object::Object;
use offload_compiler::verify::{Limits, verify};
use offwire_diag::{Code, Diagnostic, codes};
use offwire_harness::host::load_verdict;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue};
use offwire_image::MapKind;
use programs::{Programs, VALUE_SIZE};

/// Rules that the kernel does not have for root: pointers are no numbers on the device.
const STRICTER: [Code; 3] = [codes::verify::POINTER_AS_NUMBER, codes::verify::SPILL, codes::verify::STALE_PACKET];

fn ours(object: &Object) -> Result<(), Diagnostic> {
    verify(object, &object.programs[0], &Limits::default()).map(|_| ())
}

/// Runs an accepted program on random packets; the interpreter asserts facts and bounds at each step.
fn execute(object: &Object, rng: &mut Rng, runs: usize) -> Result<(), String> {
    let facts = facts::analyze(object, &object.programs[0]).map_err(|diagnostic| diagnostic.to_string())?;
    let mut reference = Ref::new(object, 0).map_err(|diagnostic| diagnostic.to_string())?.with_facts(&facts);
    for (map, size) in [(0, 4), (1, 4)] {
        let key = if map == 0 { vec![1, 0, 0, 0] } else { vec![0; size] };
        let value = (0..VALUE_SIZE).map(|_| corner(rng)).collect();
        let entry = Entry { key, value: EntryValue::One(value) };
        reference.map_update(MapIdx(map), &entry).map_err(|diagnostic| diagnostic.to_string())?;
    }
    for _ in 0..runs {
        let bytes: Vec<u8> = (0..80).map(|_| corner(rng)).collect();
        reference.run(&packet(&bytes)).map_err(|diagnostic| format!("{diagnostic}\non packet {bytes:02x?}"))?;
    }
    Ok(())
}

fn corner(rng: &mut Rng) -> u8 {
    match rng.below(6) {
        0 | 1 => 0,
        2 => 0xff,
        3 => rng.pick(&[0x7f, 0x80, 1, 0x3f, 0x40]),
        _ => rng.next() as u8,
    }
}

#[test]
fn random_programs_get_the_kernels_verdict() {
    if !host_works() {
        return;
    }
    let count: usize = std::env::var("VERDICTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let seed: u64 = std::env::var("SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let maps =
        [map_spec("values", MapKind::Hash, 4, VALUE_SIZE, 8), map_spec("data", MapKind::Array, 4, VALUE_SIZE, 1)];
    let mut programs = Programs::new(seed);
    let mut table = [[0usize; 2]; 2];
    for number in 0..count {
        let insns = programs.next();
        let object = object(&insns, &maps);
        let kernel = load_verdict(&object, 0).expect("bpf(2) works");
        let verdict = ours(&object);
        for max_states in [0, 1000] {
            // Without any pruning, and with as much as there can be.
            let limits = Limits { max_states, every_state: true, ..Limits::default() };
            let other = verify(&object, &object.programs[0], &limits);
            let complex = |verdict: &Result<(), Diagnostic>| {
                verdict.as_ref().is_err_and(|d| d.code == codes::verify::TOO_COMPLEX)
            };
            let other = other.map(|_| ());
            if other.is_ok() != verdict.is_ok() && !complex(&other) && !complex(&verdict) {
                panic!(
                    "program {number} (seed {seed}): pruning changes the verdict {verdict:?} to {other:?}\n{}",
                    object.programs[0].dump(&object)
                );
            }
        }
        table[usize::from(kernel.is_ok())][usize::from(verdict.is_ok())] += 1;
        let text = || object.programs[0].dump(&object);
        if let Err(refused) = &verdict
            && kernel.is_ok()
            && !STRICTER.contains(&refused.code)
        {
            println!("program {number} (seed {seed}): the kernel takes it, we say {refused}\n{}", text());
        }
        if let (Ok(()), Err(rejected)) = (&verdict, &kernel) {
            println!(
                "program {number} (seed {seed}): we take it, the kernel says {}\n{}\n{}",
                rejected.reason(),
                text(),
                rejected.log
            );
        }
        if verdict.is_ok()
            && let Err(violation) = execute(&object, &mut programs.rng, 20)
        {
            panic!("program {number} (seed {seed}) is accepted, but not safe: {violation}\n{}", text());
        }
    }
    println!("[kernel][ours]: {table:?}");
}
