//! Programs that use what offwire does not offload yet: each is refused with its code, its C line and what to do about it.

mod common;

use common::{offwire, root};
use offload_compiler::object::{LoadOptions, load};
use offwire_harness::{host, require};
use std::path::PathBuf;

/// What the head of a program's source says.
struct Expected {
    source: PathBuf,
    code: String,
    line: u64,
    kernel: String,
}

fn programs() -> Vec<Expected> {
    let mut sources: Vec<PathBuf> = std::fs::read_dir(root().join("offload-compiler/tests/refused"))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "c"))
        .collect();
    sources.sort();
    assert!(sources.len() >= 12, "only {} programs", sources.len());
    let head = |source: PathBuf| {
        let text = std::fs::read_to_string(&source).expect("readable");
        let mut lines = text.lines();
        let expect = lines.next().and_then(|line| line.strip_prefix("// expect: ")?.split_once(" at "));
        let kernel = lines.next().and_then(|line| line.strip_prefix("// kernel: "));
        let (Some((code, line)), Some(kernel)) = (expect, kernel) else {
            panic!("{}: the head must be `// expect: CODE at LINE` and `// kernel: TEXT`", source.display());
        };
        let line = line.parse().expect("a line number");
        Expected { code: code.to_owned(), line, kernel: kernel.to_owned(), source }
    };
    sources.into_iter().map(head).collect()
}

/// A user who meets a gap must learn which one, where in the source, and why or what to do.
#[test]
fn what_is_not_offloaded_is_refused_with_code_line_and_advice() {
    let mut wrong = Vec::new();
    for program in programs() {
        let name = program.source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let object = program.source.with_extension("o");
        let ran = offwire(&["prog", "check", "-j", &object.to_string_lossy()]);
        assert_eq!(ran.code, 1, "{name}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.json()["programs"][0]["result"], "refused", "{name}");
        let diagnostics = ran.diagnostics();
        let [diagnostic] = &diagnostics[..] else { panic!("{name}: one diagnostic, got {}", ran.stderr) };
        if diagnostic["code"] != program.code.as_str() || diagnostic["span"]["line"] != program.line {
            wrong.push(format!("{name}: expected {} at {}, got {diagnostic}", program.code, program.line));
        }
        let file = diagnostic["span"]["file"].as_str().unwrap_or_default();
        if !file.ends_with(&format!("{name}.c")) {
            wrong.push(format!("{name}: the C file is {file:?}"));
        }
        if diagnostic["reason"].is_null() {
            wrong.push(format!("{name}: no reason: {diagnostic}"));
        }
        if diagnostic["help"].is_null() {
            wrong.push(format!("{name}: no help: {diagnostic}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The programs are gaps of ours, not faults of theirs: the kernel takes them, or says what the head says.
#[test]
fn the_kernel_says_what_the_head_says() {
    if let Err(diagnostic) = host::available() {
        require::skip_or_fail("host", &diagnostic.to_string());
        return;
    }
    let mut wrong = Vec::new();
    for program in programs() {
        let name = program.source.display();
        let bytes = std::fs::read(program.source.with_extension("o")).expect("the object is there");
        let object = load(&bytes, &LoadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        match host::load_verdict(&object, 0).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Ok(_) if program.kernel == "accepts" => {}
            Ok(_) => wrong.push(format!("{name}: the kernel accepts it")),
            Err(rejected) => {
                let said = format!("{rejected:?}");
                if !said.contains(&program.kernel) {
                    wrong.push(format!("{name}: the kernel says {said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
