//! Every instruction, interpreter against kernel; the interpreter asserts all facts that the compiler has.

mod common;

use common::*;
use offload_compiler::facts;
use offwire_harness::classes::{ALU, ATOMICS, CONDS, cases, packets};
use offwire_harness::reference::Ref;
use std::collections::BTreeSet;

/// A case that is lost would not be missed by anybody else.
#[test]
fn there_is_a_case_for_each_instruction() {
    let names: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
    let memory = 3 * (4 + 3) + 3 * 4;
    let atomics = 2 * 3 * (ATOMICS.len() + 4);
    let expected = 2 * 2 * ALU.len() + 2 + 5 + 9 + 1 + 2 * 2 * CONDS.len() + 2 + memory + atomics + 1;
    assert_eq!((names.len(), cases().len()), (expected, expected), "{names:?}");
    assert_eq!(packets().len(), 18 * 18 + 32);
}

#[test]
fn all_instructions() {
    if !host_works() {
        return;
    }
    let packets = packets();
    for case in cases() {
        let mut reference = Ref::new(&case.object, 0).unwrap_or_else(|d| panic!("{}: {d}", case.name));
        // Some instructions the compiler does not know yet.
        if let Ok(facts) = facts::analyze(&case.object, &case.object.programs[0]) {
            reference = reference.with_facts(&facts);
        }
        compare(&case.name, &mut reference, &mut host(&case.object), case.object.maps.len(), &packets);
    }
}
