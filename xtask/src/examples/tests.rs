//! What is checked in is what the sources give, and tells nothing of the machine that made it.

use super::*;
use std::collections::BTreeSet;
use std::io::Write;

#[test]
fn captures_and_map_files_are_what_the_generator_gives() {
    let outcome = compare(&root().unwrap(), true, false).unwrap();
    assert_eq!(outcome.different, Vec::<String>::new(), "run `cargo xtask examples --traffic`");
    assert!(outcome.equal >= 9, "{} files compared", outcome.equal);
}

#[test]
fn two_generations_are_equal() {
    let root = root().unwrap();
    assert!(traffic_files(&root).unwrap() == traffic_files(&root).unwrap(), "a capture depends on chance");
}

#[test]
fn each_source_has_an_object_and_each_object_a_source() {
    let root = root().unwrap();
    let sources = build::sources(&root).unwrap();
    let wanted: BTreeSet<PathBuf> = sources.iter().map(|s| s.with_extension("o")).collect();
    let mut present = BTreeSet::new();
    for folder in sources.iter().filter_map(|s| s.parent()).collect::<BTreeSet<_>>() {
        let files = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
        present.extend(files.filter(|p| p.extension().is_some_and(|e| e == "o")));
    }
    assert_eq!(wanted, present);
}

#[test]
fn objects_carry_no_path_of_a_machine() {
    let root = root().unwrap();
    let mut sources = 0;
    for source in build::sources(&root).unwrap() {
        let object = fs::read(source.with_extension("o")).unwrap();
        let name = relative(&root, &source);
        for path in ["/root", "/work", "/home", "/usr/", "/tmp", "/build"] {
            assert!(!contains(&object, path.as_bytes()), "{name}: the object names {path}");
        }
        // The way to the source must stand in the line information, as the repository sees it.
        assert!(contains(&object, name.as_bytes()), "{name}: the object does not name its source");
        assert!(!contains(&object, b".debug_info"), "{name}: the object carries DWARF");
        sources += 1;
    }
    assert!(sources >= 111, "{sources} objects looked at");
}

/// A directive that names a blank line or another form would let a test pass for the wrong reason, or not run it at all.
#[test]
fn heads_of_test_programs_are_well_formed() {
    let root = root().unwrap();
    let (mut safe, mut unsafe_, mut refused) = (0, 0, 0);
    for source in build::sources(&root).unwrap() {
        let text = fs::read_to_string(&source).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let name = relative(&root, &source);
        assert!(text.contains("// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only\n"), "{name}: no licence");
        if name.contains("/tests/safe/") {
            assert!(lines[0].starts_with("// accept: "), "{name}: {}", lines[0]);
            safe += 1;
        } else if name.contains("/tests/unsafe/") || name.contains("/tests/refused/") {
            let (expected, line) = lines[0].rsplit_once(" at ").unwrap();
            assert!(expected.len() > "// expect: ".len() && expected.starts_with("// expect: "), "{name}: {expected}");
            let line: usize = line.parse().unwrap();
            assert!(line > 4 && !lines[line - 1].trim().is_empty(), "{name}: line {line} holds nothing");
            assert!(
                lines[1].len() > "// kernel: ".len() && lines[1].starts_with("// kernel: "),
                "{name}: {}",
                lines[1]
            );
            let folder = if name.contains("/tests/unsafe/") { &mut unsafe_ } else { &mut refused };
            *folder += 1;
        }
    }
    assert!(
        safe >= 48 && unsafe_ >= 126 && refused >= 12,
        "{safe} safe, {unsafe_} unsafe and {refused} refused programs"
    );
}

/// Runs only where the one compiler is; `OFFWIRE_REQUIRE=clang` makes that a must.
#[test]
fn objects_are_what_their_sources_give() {
    if let Some(why) = build::unfit().unwrap() {
        let required = std::env::var("OFFWIRE_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name.trim() == "clang"), "clang is required: {why}");
        // Not eprintln!, which the test runner would swallow.
        let line = format!("SKIP objects_are_what_their_sources_give: clang: {why}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    let outcome = compare(&root().unwrap(), false, true).unwrap();
    assert_eq!(outcome.different, Vec::<String>::new(), "run `cargo xtask examples --objects`");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}
