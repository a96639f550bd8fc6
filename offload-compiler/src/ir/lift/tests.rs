//! The lift on programs by hand and on the checked-in examples.

use crate::{facts, ir, object};

/// The IR of every program of an example.
fn lift_example(name: &str) -> Vec<ir::Func> {
    let path = format!("{}/../examples/{name}/{name}.o", env!("CARGO_MANIFEST_DIR"));
    let object = object::load(&std::fs::read(path).unwrap(), &object::LoadOptions::default()).unwrap();
    let lift = |program| ir::lift(&object, program, &facts::analyze(&object, program).unwrap()).unwrap();
    object.programs.iter().map(lift).collect()
}

#[test]
fn examples_lift_to_well_formed_ir() {
    for name in ["drop", "pass", "count", "firewall", "learn", "decap", "swap"] {
        for func in lift_example(name) {
            assert_eq!(ir::check(&func), Ok(()), "{name}\n{func}");
            assert_eq!(ir::parse(&func.to_string()).as_ref(), Ok(&func));
        }
    }
}

#[test]
fn bounds_checks_become_guards() {
    let text = lift_example("firewall")[0].to_string();
    assert!(text.contains("guard 14 then") && text.contains("guard 34 then"), "{text}");
    assert!(text.contains("lookup map0, stack[496]"), "{text}");
}
