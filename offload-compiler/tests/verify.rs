//! The verifier on compiled programs: each of tests/unsafe is refused for its reason at its line, each of tests/safe and of
//! examples/ is accepted.

use offload_compiler::object::{LoadOptions, load};
use offload_compiler::verify::{Limits, Verified, verify};
use offwire_diag::Diagnostic;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Objects of a folder, one level of folders deep, in order of their names.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(objects(&path));
        } else if path.extension().is_some_and(|extension| extension == "o") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All programs of an object; the loader's own refusal counts as well.
fn verdicts(path: &Path) -> Vec<(String, Result<Verified, Diagnostic>)> {
    let bytes = std::fs::read(path).expect("readable");
    match load(&bytes, &LoadOptions::default()) {
        Err(diagnostic) => vec![(String::new(), Err(diagnostic))],
        Ok(object) => {
            let programs = object.programs.iter();
            let refused = object.refused.iter().map(|refused| (refused.name.clone(), Err(refused.diagnostic.clone())));
            programs
                .map(|program| (program.name.clone(), verify(&object, program, &Limits::default())))
                .chain(refused)
                .collect()
        }
    }
}

#[test]
fn safe_programs_are_accepted() {
    let folders = [root().join("offload-compiler/tests/safe"), root().join("examples")];
    let mut failures = Vec::new();
    let mut count = 0;
    for path in folders.iter().flat_map(|folder| objects(folder)) {
        for (name, verdict) in verdicts(&path) {
            count += 1;
            if let Err(diagnostic) = verdict {
                failures.push(format!("{} {name}: {diagnostic}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} refused:\n{}", failures.len(), failures.join("\n\n"));
    assert!(count >= 30, "only {count} programs were found");
}

#[test]
fn unsafe_programs_are_refused_for_their_reason() {
    let (mut failures, mut with_path) = (Vec::new(), 0);
    let paths = objects(&root().join("offload-compiler/tests/unsafe"));
    for path in &paths {
        let source = std::fs::read_to_string(path.with_extension("c")).expect("every object has its source");
        let expected = source.lines().next().and_then(|line| line.strip_prefix("// expect: ")).expect("first line");
        let (text, line) = expected.rsplit_once(" at ").expect("TEXT at LINE");
        let line: u32 = line.parse().expect("a line number");
        for (name, verdict) in verdicts(path) {
            match verdict {
                Ok(_) => failures.push(format!("{} {name}: accepted", path.display())),
                Err(diagnostic) => {
                    let said =
                        format!("{} {}", diagnostic.message, diagnostic.reason.as_deref().unwrap_or("")).to_lowercase();
                    if !said.contains(&text.to_lowercase()) || diagnostic.span.line != Some(line) {
                        failures.push(format!("{} {name}: expected {expected:?}, got {diagnostic}", path.display()));
                    }
                    // Codes 03xx are the verifier's own.
                    let ours = (300..400).contains(&diagnostic.code.0);
                    if ours && (diagnostic.help.is_none() || diagnostic.reason.is_none()) {
                        failures.push(format!("{} {name}: no help or no reason in {diagnostic}", path.display()));
                    }
                    with_path += usize::from(!diagnostic.path.is_empty());
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} are wrong:\n{}", failures.len(), paths.len(), failures.join("\n\n"));
    assert!(paths.len() >= 100, "only {} programs were found", paths.len());
    // The others fail before anything happens that is worth telling.
    assert!(with_path >= 55, "only {with_path} of them tell the path that leads there");
}
