//! Programs that break one rule each, and programs that look as if they did: what our verifier says, and what the kernel says.

mod common;

use common::{offwire, root};
use offload_compiler::object::{LoadOptions, Object, load};
use offload_compiler::verify::{Limits, verify};
use offwire_diag::Diagnostic;
use offwire_harness::{host, require};
use std::path::PathBuf;

/// C sources in a folder of the compiler's tests, ascending.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = std::fs::read_dir(root().join("offload-compiler/tests").join(folder))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "c"))
        .collect();
    list.sort();
    assert!(list.len() >= 20, "{folder} has only {} programs", list.len());
    list
}

fn object(source: &std::path::Path) -> Result<Object, Diagnostic> {
    load(&std::fs::read(source.with_extension("o")).expect("the object is there"), &LoadOptions::default())
}

fn host_available() -> bool {
    match host::available() {
        Ok(()) => true,
        Err(diagnostic) => {
            require::skip_or_fail("host", &diagnostic.to_string());
            false
        }
    }
}

/// A refusal must name the rule and the C line: `// expect: TEXT at LINE` in the first line of the source.
#[test]
fn unsafe_programs_are_refused_with_line_and_reason() {
    let mut wrong = Vec::new();
    for source in sources("unsafe") {
        let text = std::fs::read_to_string(&source).expect("readable");
        let first = text.lines().next().unwrap_or_default();
        let (expected, line) = first
            .strip_prefix("// expect: ")
            .and_then(|rest| rest.rsplit_once(" at "))
            .unwrap_or_else(|| panic!("{}: first line must be `// expect: TEXT at LINE`", source.display()));
        let line: u32 = line.trim().parse().expect("a line number");
        let result =
            object(&source).and_then(|object| verify(&object, &object.programs[0], &Limits::default()).map(|_| ()));
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match result {
            Ok(()) => wrong.push(format!("{name}: accepted")),
            Err(diagnostic) => {
                let said = format!("{} {}", diagnostic.message, diagnostic.reason.as_deref().unwrap_or_default());
                if !said.to_lowercase().contains(&expected.to_lowercase()) {
                    wrong.push(format!("{name}: expected {expected:?}, got {said:?}"));
                }
                if diagnostic.span.line != Some(line) {
                    wrong.push(format!("{name}: expected line {line}, got {:?}: {said}", diagnostic.span.line));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The kernel refuses them as well: the rules are not of our own making.
#[test]
fn the_kernel_refuses_unsafe_programs() {
    if !host_available() {
        return;
    }
    for source in sources("unsafe") {
        let Ok(object) = object(&source) else { continue };
        let verdict = host::load_verdict(&object, 0).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        assert!(verdict.is_err(), "{}: the kernel accepts it", source.display());
    }
}

/// What the kernel accepts, our verifier accepts.
#[test]
fn safe_programs_are_accepted() {
    let kernel = host_available();
    for source in sources("safe") {
        let object = object(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        if kernel {
            let verdict =
                host::load_verdict(&object, 0).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            assert!(verdict.is_ok(), "{}: the kernel refuses it: {verdict:?}", source.display());
        }
        if let Err(diagnostic) = verify(&object, &object.programs[0], &Limits::default()) {
            panic!("{}: {diagnostic}", source.display());
        }
    }
}

/// Safe programs do the same on each back end, or the compiler says what it lacks.
#[test]
fn safe_programs_agree_on_all_back_ends() {
    let on = common::all_backends();
    let capture = root().join("examples/count/traffic.pcap");
    let mut compared = 0;
    for source in sources("safe") {
        let object = source.with_extension("o");
        let (object, capture) = (object.to_string_lossy(), capture.to_string_lossy());
        let ran = offwire(&["diff", "-j", &object, "--pcap", &capture, "--on", on, "--random", "300"]);
        if ran.code == 1 && ran.stdout.is_empty() {
            assert!(ran.stderr.contains("\"OW04"), "{object}: {}", ran.stderr);
            continue;
        }
        assert_eq!(ran.code, 0, "{object}: {}{}", ran.stdout, ran.stderr);
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} of the safe programs could be compared");
}
