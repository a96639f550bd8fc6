//! The lift on programs by hand and on the checked-in examples.

use super::divide::Reciprocal;
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

#[test]
fn division_by_constants_is_exact() {
    let divide = |x: u32, d: u32| {
        let Reciprocal { low, log } = Reciprocal::of(d);
        let high = (u64::from(x) * u64::from(low)) >> 32;
        ((u64::from(x) + high) >> log) as u32
    };
    let near = |d: u32| [d - 2, d - 1, d, d.saturating_add(1), d.saturating_add(2)];
    let divisors =
        (3..2000).chain((2..32).flat_map(|n| near(1 << n))).chain([u32::MAX - 1, u32::MAX, 641, 6_700_417, 1_000_003]);
    for d in divisors.filter(|d| *d > 2 && !d.is_power_of_two()) {
        // A wrong reciprocal shows first where the remainder is largest.
        let last = u32::MAX / d;
        for q in [0, 1, 2, last / 2, last.saturating_sub(1), last] {
            let at = q.saturating_mul(d);
            for x in [at, at.saturating_sub(1), at.saturating_add(d - 1), u32::MAX, u32::MAX - 1] {
                assert_eq!(divide(x, d), x / d, "{x} / {d}");
            }
        }
    }
}
