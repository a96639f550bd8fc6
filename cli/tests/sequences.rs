//! Random sequences of map operations on the device: interpreter and model side by side. `OFFWIRE_SEQUENCES=100000` runs so many
//! for each kind of map.

mod common;

use offload_compiler::CompileOptions;
use offwire_cli::args::{DispatchArg, On};
use offwire_cli::backends::{self, Prepared};
use offwire_harness::Backend;
use offwire_harness::diff::{self, Options, Outcome};
use offwire_harness::sequences::{Flags, Subject};
use offwire_isa::Profile;

/// Kinds of maps that compiler and device may refuse. Whatever they take must be right, listed or not.
const NOT_ON_DEVICE: &[Subject] = &[];

/// Sequences for each kind of map, unless the environment says otherwise.
const SEQUENCES: usize = 500;
/// Sequences on one set of maps.
const ROUND: usize = 250;

#[test]
fn sequences_of_operations() {
    let wanted = std::env::var("OFFWIRE_SEQUENCES").ok().and_then(|text| text.parse().ok()).unwrap_or(SEQUENCES);
    let profile = Profile::by_name("x16").expect("the profile x16");
    let (mut refused, mut wrong) = (Vec::new(), Vec::new());
    for subject in Subject::ALL {
        let rounds = (0..wanted.div_ceil(ROUND) as u64).flat_map(|seed| [(seed, Flags::Constant), (seed, Flags::Any)]);
        for (seed, flags) in rounds {
            let object = subject.object(seed, flags).expect("the generator's programs encode");
            let chosen = (0, &object.programs[0]);
            let prepared = match Prepared::new(&object, chosen, profile, &CompileOptions::default(), DispatchArg::Auto)
            {
                Ok(prepared) => prepared,
                Err(diagnostic) => {
                    if !NOT_ON_DEVICE.contains(&subject) {
                        refused.push(format!("{subject:?}, {flags:?} flags: {diagnostic}"));
                    }
                    continue;
                }
            };
            let mut both: Vec<Box<dyn Backend + '_>> = Vec::new();
            for on in [On::Ref, On::Model] {
                both.push(backends::make(on, &prepared).unwrap_or_else(|d| panic!("{subject:?}: {d}")));
            }
            let packets = subject.packets(seed).take(ROUND.min(wanted));
            let report = diff::run(&mut both, &object, &subject.contents(), packets, Options::default());
            if report.result != Outcome::Equal || (report.not_comparable > 0) != report.lru_full.is_some() {
                wrong.push(format!("{subject:?} with seed {seed}, {flags:?} flags: {report:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    refused.dedup();
    assert!(refused.is_empty(), "the compiler refuses {} kinds:\n{}", refused.len(), refused.join("\n"));
}
