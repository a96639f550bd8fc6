//! The checks of the generator: a specification that is wrong must not get through.

use super::expr::{self, Scope};
use super::{generate, layout, profiles, regs, root, rust_expr, spec};

const SPEC: &str = include_str!("../../../hw/spec/isa.toml");
const SMALL: &str = include_str!("../../../hw/spec/profiles/small.toml");

/// If this fails, somebody changed hw/spec or a generated file by hand: run `cargo xtask codegen`.
#[test]
fn generated_files_are_up_to_date() {
    for output in generate(&root()).expect("hw/spec is sound") {
        let found = std::fs::read_to_string(root().join(output.path)).unwrap_or_default().replace("\r\n", "\n");
        assert!(found == output.text, "{} is not what hw/spec says: run `cargo xtask codegen`", output.path);
    }
}

/// The error that a changed specification gives.
fn refused(from: &str, to: &str) -> String {
    let changed = SPEC.replacen(from, to, 1);
    assert_ne!(changed, SPEC, "`{from}` is not in the specification");
    match spec::parse(&changed).and_then(layout::resolve) {
        Ok(_) => panic!("`{to}` instead of `{from}` was accepted"),
        Err(error) => format!("{error:#}"),
    }
}

/// If this fails, a slip in isa.toml becomes hardware.
#[test]
fn wrong_specifications_are_refused() {
    for (from, to, message) in [
        ("word_bits = 288", "word_bits = 280", "too narrow"),
        ("word_bits = 288", "word_bits = 304", "spare bits"),
        ("bits = \"ra:6 rb:6 rc:6\"", "bits = \"ra:6 rb:6 rb:6\"", "used twice"),
        ("bits = \"ra:6 rb:6 rc:6\"", "bits = \"ra:6 rb:6 rc:Reg\"", "no such enum"),
        ("bits = \"ra:6 rb:6 rc:6\"", "bits = \"ra:6 rb:6 rc:17\"", "1 to 16 bits"),
        ("name = \"Stack\",    code = 1", "name = \"Stack\",    code = 0", "used twice"),
        ("name = \"MapValue\", code = 3", "name = \"MapValue\", code = 4", "does not fit 2 bits"),
        ("name = \"Zero\", code = 0,  asm = \"0\"", "name = \"Zero\", code = 15, asm = \"0\"", "code 0 must exist"),
        ("asm = \"sub\"", "asm = \"add\"", "assembler name"),
        ("\"X1\", \"I0\", \"I1\", \"Iw\"]", "\"X9\"]", "no source `X9`"),
        ("x0_size <= 8", "x9_size <= 8", "no field `x9_size`"),
        ("st_op = Add32:", "st_op = Add99:", "no such value"),
        ("s0_size = 4, s0_swap", "s0_size = 16, s0_swap", "does not fit"),
        ("name = \"rx_queue_index\",  offset = 12", "name = \"rx_queue_index\",  offset = 8", "overlaps"),
        ("name = \"vcpu\",            offset = 20", "name = \"vcpu\",            offset = 64", "lies outside"),
        ("status = ", "state = ", "unknown field"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(message), "`{to}`: {error}");
    }
}

/// If this fails, an operation can be written whose meaning the three languages do not share.
#[test]
fn wrong_expressions_are_refused() {
    let scope = Scope::operation(64);
    for (text, message) in [
        ("a +", "a name expected"),
        ("a b", "left over"),
        ("a + c", "no name `c`"),
        ("a + lo(b, 32)", "64 bits against 32 bits"),
        ("eq(a, b)", "has 1 bits, not 64"),
        ("lo(a, 65)", "no low 65"),
        ("rotate(a, b)", "no function rotate"),
        ("ite(a, b, b)", "the condition has 64 bits"),
        ("bswap(lo(a, 12))", "not whole bytes"),
        ("cat(1, a)", "has no width"),
        ("a + 18446744073709551616", "does not fit 64 bits"),
        ("shl(cat(a, lo(a, 1)), b)", "power of two"),
    ] {
        let error = expr::typed(text, &scope, Some(64)).expect_err(text);
        assert!(format!("{error:#}").contains(message), "`{text}`: {error:#}");
    }
}

/// If this fails, operators bind otherwise than the specification's reader expects.
#[test]
fn operators_bind_as_in_rust() {
    for (text, same) in [
        ("a | b & a", "a | (b & a)"),
        ("a & b + a * b", "a & (b + (a * b))"),
        ("a - b - a", "(a - b) - a"),
        ("~a & b", "(~a) & b"),
    ] {
        assert_eq!(expr::parse(text).unwrap(), expr::parse(same).unwrap(), "{text}");
    }
    let emit = |text| rust_expr::emit(&expr::typed(text, &Scope::operation(32), None).unwrap()).unwrap();
    assert_eq!(emit("(a & b) + 1"), "(a & b).wrapping_add(1)");
    assert_eq!(emit("a & (b | a)"), "a & (b | a)");
    assert_eq!(emit("shl(a, 32)"), "a", "32 mod 32 is 0");
}

/// If this fails, an image could run on a device of another encoding or another profile.
#[test]
fn the_hash_covers_profile_and_encoding() {
    let isa = |text: &str| layout::resolve(spec::parse(text).unwrap()).unwrap();
    let hash = |profile: &str, spec: &str| profiles::parse(profile).unwrap().hash(&isa(spec));
    let base = hash(SMALL, SPEC);
    assert_eq!(base, hash(SMALL, SPEC));
    assert_eq!(base, hash(&format!("# a comment\n{SMALL}"), SPEC));
    for (from, to) in [("uram = 0", "uram = 1"), ("clock_mhz = 200", "clock_mhz = 201"), ("xc7a100t", "xc7a200t")] {
        let changed = SMALL.replace(from, to);
        assert_ne!(changed, SMALL);
        assert_ne!(hash(&changed, SPEC), base, "{to}");
    }
    for (from, to) in [
        ("version = 1", "version = 2"),
        ("ra:6 rb:6 rc:6", "rb:6 ra:6 rc:6"),
        ("sem = \"a + b\"", "sem = \"b + b\""),
        ("offset = 24", "offset = 32"),
    ] {
        let changed = SPEC.replacen(from, to, 1);
        assert_ne!(changed, SPEC);
        assert_ne!(hash(SMALL, &changed), base, "{to}");
    }
    assert!(profiles::parse(&SMALL.replace("vcpus = 4", "vcpus = 3")).is_err());
    assert!(profiles::parse(&SMALL.replace("uram = 0", "")).is_err());
    assert!(profiles::parse(&format!("{SMALL}\nfans = 2\n")).is_err());
}

/// If this fails, CI takes a file that was edited by hand, or does not say how to repair it.
#[test]
fn check_names_the_file_and_the_command_that_repairs() {
    let folder = std::env::temp_dir().join(format!("offwire-codegen-{}", std::process::id()));
    for path in [
        "hw/spec/isa.toml",
        "hw/spec/isa.md.in",
        "hw/spec/regs.toml",
        "hw/spec/regs.md.in",
        "hw/spec/profiles/small.toml",
    ] {
        let to = folder.join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(root().join(path), to).unwrap();
    }
    let refused = |what: &str| {
        let error = super::run(&folder, true).expect_err(what).to_string();
        assert!(error.contains("run `cargo xtask codegen`"), "{what}: {error}");
        error
    };
    let missing = refused("nothing is written yet");
    assert!(missing.contains("docs/isa.md") && missing.contains("hw/isa/gen/isa.smt2"), "{missing}");
    super::run(&folder, false).unwrap();
    super::run(&folder, true).unwrap();
    let word = folder.join("hw/isa/src/gen/word.rs");
    let text = std::fs::read_to_string(&word).unwrap();
    std::fs::write(&word, text.replace("pub ra: u8", "pub ra: u16")).unwrap();
    let error = refused("an edited file");
    assert!(error.contains("hw/isa/src/gen/word.rs") && !error.contains("isa.md"), "{error}");
    super::run(&folder, false).unwrap();
    super::run(&folder, true).unwrap();
    // A checkout with Windows line ends is not stale.
    std::fs::write(&word, text.replace('\n', "\r\n")).unwrap();
    super::run(&folder, true).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// If this fails, a slip in regs.toml becomes an interface.
#[test]
fn wrong_interfaces_are_refused() {
    const REGS: &str = include_str!("../../../hw/spec/regs.toml");
    for (from, to, message) in [
        ("offset = 0x004", "offset = 0x000", "overlaps"),
        ("offset = 0x010", "offset = 0x014", "not aligned"),
        ("bits = \"31:16\", doc = \"A driver", "bits = \"31:15\", doc = \"A driver", "overlaps another field"),
        ("bits = \"31:16\", doc = \"A driver", "bits = \"32:16\", doc = \"A driver", "Version.major"),
        ("count = 36", "count = 38", "queue pairs"),
        ("bar2_bytes = 0x20000", "bar2_bytes = 0x10000", "doorbells leave BAR2"),
        ("vectors = 36", "vectors = 136", "MSI-X table"),
        ("f = \"tag:u32\"", "f = \"tag:u16\"", "not aligned"),
        ("f = \"flags:u16\", doc = \"CommandFlag", "f = \"opcode:u16\", doc = \"CommandFlag", "twice"),
        ("f = \"name:bytes64\"", "f = \"name:bytes60\"", "is not aligned"),
        ("f = \"reserved:bytes32\"", "f = \"reserved:bytes31\"", "63 B, not 64"),
        ("name = \"ProgramLoad\",    code = 0x10", "name = \"ProgramLoad\",    code = 0x00", "code 0 twice"),
        ("domain = \"Ring\"", "domain = \"Rings\"", "no counters of Ring"),
    ] {
        let changed = REGS.replacen(from, to, 1);
        assert_ne!(changed, REGS, "`{from}` is not in the specification");
        match regs::parse(&changed) {
            Ok(_) => panic!("`{to}` instead of `{from}` was accepted"),
            Err(error) => assert!(format!("{error:#}").contains(message), "`{to}`: {error:#}"),
        }
    }
}
