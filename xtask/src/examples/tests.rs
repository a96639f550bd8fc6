//! What is checked in is what the sources give, and tells nothing of the machine that made it.

use super::*;
use std::collections::BTreeSet;

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
    assert!(sources >= 7, "{sources} objects looked at");
}

/// Runs only where the one compiler is; `cargo xtask examples --check` names what it skips.
#[test]
fn objects_are_what_their_sources_give() {
    let outcome = compare(&root().unwrap(), false, true).unwrap();
    for line in &outcome.skipped {
        println!("{line}");
    }
    assert_eq!(outcome.different, Vec::<String>::new(), "run `cargo xtask examples --objects`");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}
