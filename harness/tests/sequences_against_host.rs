//! Random sequences of map operations, interpreter against kernel. `OFFWIRE_SEQUENCES=100000` runs so many for each kind of map.

mod common;

use common::*;
use offload_compiler::facts;
use offwire_harness::Backend;
use offwire_harness::diff::{self, Options, Outcome};
use offwire_harness::host::Host;
use offwire_harness::reference::Ref;
use offwire_harness::sequences::Subject;

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
        let mut compared = 0;
        for seed in 0..wanted.div_ceil(ROUND) as u64 {
            let object = subject.object(seed).expect("the generator's programs encode");
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
