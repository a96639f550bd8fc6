//! Random sequences of map operations, interpreter against kernel. `OFFWIRE_SEQUENCES=100000` runs so many for each kind of map,
//! `OFFWIRE_SUBJECT=LpmTrie` for one kind alone.

mod common;

use common::*;
use offload_compiler::facts;
use offwire_harness::Backend;
use offwire_harness::diff::{self, Options, Outcome};
use offwire_harness::host::Host;
use offwire_harness::reference::Ref;
use offwire_harness::sequences::{Flags, Subject};

/// Sequences for each kind of map, unless the environment says otherwise.
const SEQUENCES: usize = 2_000;
/// Sequences on one set of maps.
const ROUND: usize = 500;

#[test]
fn sequences_of_operations() {
    if !host_works() {
        return;
    }
    let wanted = std::env::var("OFFWIRE_SEQUENCES").ok().and_then(|text| text.parse().ok()).unwrap_or(SEQUENCES);
    for subject in Subject::ALL {
        if std::env::var("OFFWIRE_SUBJECT").is_ok_and(|only| only != format!("{subject:?}")) {
            continue;
        }
        let mut compared = 0;
        for seed in 0..wanted.div_ceil(ROUND) as u64 {
            let object = subject.object(seed, Flags::Any).expect("the generator's programs encode");
            let mut reference = Ref::new(&object, 0).unwrap_or_else(|d| panic!("{subject:?}: {d}"));
            if let Ok(facts) = facts::analyze(&object, &object.programs[0]) {
                reference = reference.with_facts(&facts);
            }
            let kernel = Host::new(&object, 0).unwrap_or_else(|d| panic!("{subject:?}: {d}"));
            let mut both: Vec<Box<dyn Backend>> = vec![Box::new(reference), Box::new(kernel)];
            let packets = subject.packets(seed).take(ROUND.min(wanted));
            let report = diff::run(&mut both, &object, &subject.contents(), packets, Options::default());
            assert_eq!(report.result, Outcome::Equal, "{subject:?} with seed {seed}: {report:?}");
            assert_eq!(report.not_comparable > 0, report.lru_full.is_some(), "{subject:?}: {report:?}");
            assert_eq!(report.lru_full.is_some(), subject == Subject::LruHashFull, "{subject:?}: {report:?}");
            compared += report.packets;
        }
        println!("{subject:?}: {compared} sequences");
    }
}

/// What the sequences are for: results that show success and each error that the operations of a kind can give.
#[test]
fn sequences_reach_the_errors() {
    const HASH: &[i64] = &[0, -2, -7, -17, -22];
    let expected: [(Subject, &[i64]); 12] = [
        (Subject::Array, &[0, -7, -17, -22]),
        (Subject::PercpuArray, &[0, -7, -17, -22]),
        (Subject::Hash, HASH),
        (Subject::HashOnDemand, HASH),
        (Subject::PercpuHash, HASH),
        (Subject::LruHash, &[0, -2, -17, -22]),
        (Subject::LpmTrie, &[0, -2, -17, -22, -28]),
        (Subject::Devmap, &[0, 1, 2, 3, 4]),
        (Subject::DevmapHash, &[0, 1, 2, 3, 4]),
        (Subject::HashOfHashes, HASH),
        (Subject::Ringbuf, &[0, -22]),
        (Subject::PerfEventArray, &[0, -7, -14, -95]),
    ];
    for (subject, codes) in expected {
        let mut seen = std::collections::BTreeSet::new();
        let (mut found, mut missed) = (0, 0);
        for seed in 0..4 {
            let object = subject.object(seed, Flags::Any).expect("the generator's programs encode");
            let mut reference = Ref::new(&object, 0).unwrap_or_else(|d| panic!("{subject:?}: {d}"));
            offwire_harness::mapfile::apply(&mut reference, &subject.contents()).expect("contents fit");
            for packet in subject.packets(seed).take(500) {
                let out = reference.run(&packet).unwrap_or_else(|d| panic!("{subject:?}: {d}"));
                for record in out.bytes.chunks_exact(32) {
                    let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("8 bytes"));
                    match (record[3], word(24)) {
                        (1, _) => found += 1,
                        (_, 0x5555) => missed += 1,
                        (_, code) => {
                            seen.insert(code as i64);
                        }
                    }
                }
            }
        }
        assert!(codes.iter().all(|code| seen.contains(code)), "{subject:?} gave {seen:?}");
        let looks_up = !matches!(subject, Subject::Devmap | Subject::DevmapHash | Subject::PerfEventArray);
        assert!(!looks_up || (found > 100 && missed > 20), "{subject:?}: {found} lookups hit, {missed} did not");
    }
    // The limit of tail calls comes too.
    let object = Subject::ProgArray.object(0, Flags::Any).expect("the generator's programs encode");
    let mut reference = Ref::new(&object, 0).expect("loads");
    offwire_harness::mapfile::apply(&mut reference, &Subject::ProgArray.contents()).expect("contents fit");
    let packets = Subject::ProgArray.packets(0).take(500);
    let hops: Vec<u8> =
        packets.map(|packet| reference.run(&packet).expect("runs").bytes[0] - packet.bytes[0]).collect();
    assert!(hops.contains(&1) && hops.contains(&34), "{hops:?}");
}
