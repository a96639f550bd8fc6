//! Every diagnostic code is provoked by a test. Codes that no input file leads to are provoked here, through the libraries.

mod common;

use common::root;
use offload_compiler::backend::{Links, generate};
use offload_compiler::ebpf::Insn;
use offload_compiler::facts::Facts;
use offload_compiler::ir::lift;
use offload_compiler::object::{LoadOptions, Object, load};
use offload_compiler::verify::{Limits, verify};
use offload_compiler::{CompileOptions, compile};
use offwire_diag::{Code, Span, codes};
use offwire_image::{Dispatch, DispatchMode, MapSpec};
use offwire_isa::Profile;
use std::path::{Path, PathBuf};

/// Codes that cannot be provoked from outside, each with the reason.
const EXEMPT: [(&str, &str); 1] = [("OW0459", "it reports a mistake of the compiler, and none is known")];

/// The files that may hold tests or what tests expect.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be listed").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            // Codes stand in each page of docs/codes, and in gen/ and target/ nobody writes tests.
            if !name.starts_with('.') && !["target", "gen", "docs"].contains(&name.as_ref()) {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// What a test says in the file, without comments: all of a file below `tests/`, of sources the modules that only tests have.
/// Of a C file the line that says what is expected of it.
fn test_text(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_str()?;
    let part = |name: &str| path.components().any(|part| part.as_os_str() == name);
    let below_tests = part("tests");
    let may_hold_tests = ending == "rs" || below_tests && ["c", "txt", "json", "ir", "test"].contains(&ending);
    if !may_hold_tests {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    match ending {
        "c" => return text.lines().find_map(|line| line.strip_prefix("// expect: ")).map(str::to_owned),
        "rs" => {}
        _ => return Some(text.lines().filter(|line| !line.trim_start().starts_with(['#', ';', '/'])).collect()),
    }
    let whole = below_tests || path.file_stem().is_some_and(|stem| stem == "tests");
    let tests = if path.ends_with("cli/tests/codes.rs") {
        // The list of exempt codes is no test; what follows the table of codes without an input is.
        text.split_once("PROVOKED HERE").map(|(_, rest)| rest)
    } else if whole {
        Some(text.as_str())
    } else {
        text.split_once("#[cfg(test)]\nmod tests {").map(|(_, tests)| tests)
    };
    tests.map(without_comments)
}

/// Rust source without its comments; strings and characters stay as they are.
fn without_comments(source: &str) -> String {
    let (mut kept, mut rest) = (String::new(), source);
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[end..];
            continue;
        } else if rest.starts_with("/*") {
            rest = &rest[block_comment(rest)..];
            kept.push(' ');
            continue;
        } else if first == '"' {
            quoted(rest, '"')
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{hashes}");
            let open = hashes.len() + 2;
            rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len())
        } else if rest.starts_with("'\\") || (first == '\'' && rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else if first.is_alphanumeric() || first == '_' {
            // A whole word, so that the r of `for"` begins no raw string.
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        kept.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    kept
}

/// Length of the comment that begins here; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0u32, 0);
    while let Some(next) = text[at..].find(['/', '*']).map(|found| at + found) {
        let (step, now) = match text.get(next..next + 2) {
            Some("/*") => (2, depth + 1),
            Some("*/") => (2, depth - 1),
            _ => (1, depth),
        };
        (at, depth) = (next + step, now);
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Length of a string or character with its quotes, escapes stepped over.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The hashes of a raw string that begins here.
fn raw_string(text: &str) -> Option<&str> {
    let after = text.strip_prefix('r')?;
    let hashes = &after[..after.find(|c| c != '#')?];
    after[hashes.len()..].starts_with('"').then_some(hashes)
}

#[test]
fn comments_are_no_tests() {
    let source = r##"a // OW1 " b
"s // OW2 \" */" /* OW3 /* OW4 */ " */ 'x' '"' '\'' r#"r " // OW5"# for"t""##;
    let kept = without_comments(source);
    let have: Vec<&str> = ["OW1", "OW2", "OW3", "OW4", "OW5"].into_iter().filter(|code| kept.contains(code)).collect();
    assert_eq!(have, ["OW2", "OW5"], "{kept}");
    assert!(kept.starts_with("a \n\"s") && kept.ends_with("for\"t\""), "{kept}");
}

/// The constants of the registry: module, name, code. Read from the sources, because Rust does not keep the names.
fn constants() -> Vec<(String, String, String)> {
    let folder = root().join("diag/src/codes");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the registry is there").flatten() {
        let module = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).expect("readable");
        for line in text.lines() {
            let Some((name, rest)) = line.trim().split_once(" = ") else { continue };
            let Some((number, _)) = rest.split_once(',') else { continue };
            found.push((module.clone(), name.to_owned(), format!("OW{number}")));
        }
    }
    found
}

/// True if the text has the word with nothing on either side that would make it a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(joins) && !text[at + word.len()..].starts_with(joins))
}

/// A code that no test provokes may be dead, or come with the wrong exit code, and nobody would see.
#[test]
fn every_code_has_a_test() {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    let tests: Vec<String> = paths.iter().filter_map(|path| test_text(path)).collect();
    assert!(tests.len() > 50, "only {} files with tests found", tests.len());
    let constants = constants();
    let mut without = Vec::new();
    for entry in codes::all() {
        let code = entry.code.to_string();
        let (module, name, _) =
            constants.iter().find(|(_, _, other)| *other == code).unwrap_or_else(|| panic!("{code} has no constant"));
        let constant = format!("{module}::{name}");
        let tested = tests.iter().any(|text| {
            has_word(text, &code)
                || has_word(text, &constant)
                // `use codes::verify as rules; ... rules::NAME`, and the other way round.
                || (text.contains(&format!("codes::{module} as ")) && has_word(text, name))
        });
        let exempt = EXEMPT.iter().any(|(other, _)| *other == code);
        if tested == exempt {
            without.push(match tested {
                false => format!("{code} ({constant}): no test names it outside of its comments"),
                true => format!("{code} ({constant}): it has a test, so it is not exempt"),
            });
        }
    }
    assert!(without.is_empty(), "{}", without.join("\n"));
}

// PROVOKED HERE: what follows is read as test text by the test above.

use offwire_diag::codes::verify as rules;

fn object(name: &str) -> Object {
    let bytes = std::fs::read(root().join(format!("examples/{name}/{name}.o"))).expect("the object is there");
    load(&bytes, &LoadOptions::default()).expect("it loads")
}

/// OW0320: the loader refuses calls of kernel functions (OW0110) before the verifier sees them, but programs may come from elsewhere.
#[test]
fn the_verifier_refuses_kernel_functions() {
    let mut object = object("pass");
    object.programs[0].insns.insert(0, Insn::CallKfunc { btf_id: 7 });
    let refused = verify(&object, &object.programs[0], &Limits::default()).expect_err("no kernel function is known");
    assert_eq!(refused.code, codes::verify::KFUNC_UNSUPPORTED, "{refused}");
}

/// The rules that programs in tests/unsafe break.
const BROKEN: [Code; 32] = [
    rules::PACKET_BOUNDS,
    rules::MAP_VALUE_BOUNDS,
    rules::STACK_BOUNDS,
    rules::MISALIGNED,
    rules::UNINITIALISED,
    rules::NULL_POINTER,
    rules::BAD_POINTER,
    rules::CONTEXT_ACCESS,
    rules::POINTER_ARITHMETIC,
    rules::POINTER_RANGE,
    rules::POINTER_AS_NUMBER,
    rules::READ_ONLY,
    rules::FRAME_POINTER,
    rules::BAD_JUMP,
    rules::UNREACHABLE,
    rules::ENDLESS_LOOP,
    rules::TOO_COMPLEX,
    rules::HELPER_ARGUMENT,
    rules::HELPER_UNSUPPORTED,
    rules::MAP_UNSUPPORTED,
    rules::ATOMIC,
    rules::CONTEXT_FIELD,
    rules::STALE_PACKET,
    rules::SPILL,
    rules::SPECIAL_FIELD,
    rules::BAD_INSTRUCTION,
    rules::HELPER_SIZE,
    rules::RECORD_BOUNDS,
    rules::REFERENCE_LEAK,
    rules::RELEASED,
    rules::LOCK,
    rules::CALLBACK_RESULT,
];

#[test]
fn unsafe_programs_break_each_rule_of_the_verifier() {
    let mut broken = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(root().join("offload-compiler/tests/unsafe")).expect("the folder is there").flatten()
    {
        if entry.path().extension().is_some_and(|ending| ending == "o") {
            let bytes = std::fs::read(entry.path()).expect("readable");
            let result = load(&bytes, &LoadOptions::default())
                .and_then(|object| verify(&object, &object.programs[0], &Limits::default()).map(|_| ()));
            broken.insert(result.expect_err("it is unsafe").code.0);
        }
    }
    let missing: Vec<Code> = BROKEN.into_iter().filter(|code| !broken.contains(&code.0)).collect();
    assert!(missing.is_empty(), "no unsafe program is refused with {missing:?}");
}

/// What the generator says of a program for a profile of our own.
fn generated(ir: &str, maps: &[MapSpec], profile: &Profile) -> Code {
    let func = offload_compiler::ir::parse(ir).expect("it parses");
    let dispatch = Dispatch { mode: DispatchMode::Any, reason: String::new() };
    let made = generate(&[func], maps, Links::default(), dispatch, profile, |_, _| Span::default());
    made.expect_err("it is refused").code
}

/// OW0450, OW0452, OW0453: what does not fit the device is refused by the compiler, not found out by the device.
#[test]
fn the_compiler_refuses_what_does_not_fit() {
    let profile = Profile::by_name("x16").expect("there is one");
    let object = object("swap");
    let compiled = compile(&object, &object.programs[0], profile, &CompileOptions::default()).expect("it compiles");
    let (ir, maps) = (compiled.func.to_string(), compiled.image.maps);
    let small = Profile { instruction_store_words: 1, ..*profile };
    assert_eq!(generated(&ir, &maps, &small), codes::compiler::TOO_MANY_WORDS);
    let many = vec![maps[0].clone(); 257];
    assert_eq!(generated(&ir, &many, profile), codes::compiler::TOO_MANY_MAPS);
    let broken = [MapSpec { key_size: 0, ..maps[0].clone() }];
    assert_eq!(generated(&ir, &broken, profile), codes::compiler::IMAGE_REFUSED);
}

/// OW0451: 240 words of the packet change places with those 120 further on, so at least 120 of them are held at a time. Registers,
/// scratch and the whole stack hold 101.
#[test]
fn the_compiler_refuses_too_many_live_values() {
    let mut ir = String::from("func rotate\nb0:\n  v0 = const 2\n  guard 960 then b1 else b2\nb1:\n");
    for n in 0..240 {
        ir.push_str(&format!("  v{} = load.4 pkt[{}]\n", n + 1, n * 4));
    }
    for n in 0..240 {
        ir.push_str(&format!("  store.4 pkt[{}], v{}\n", n * 4, (n + 120) % 240 + 1));
    }
    ir.push_str("  exit v0\nb2:\n  exit v0\n");
    let profile = Profile::by_name("x16").expect("there is one");
    assert_eq!(generated(&ir, &[], profile), codes::compiler::TOO_MANY_LIVE);
}

/// OW0801: without the right to use bpf(2), the kernel back end says so and how to do without it.
#[cfg(target_os = "linux")]
#[test]
fn the_kernel_back_end_needs_rights() {
    use std::os::unix::process::CommandExt;
    let folder = common::Folder::new("codes-unprivileged");
    let place = |from: PathBuf, name: &str| {
        let to = folder.0.join(name);
        std::fs::copy(from, &to).expect("copied");
        to
    };
    let program = place(env!("CARGO_BIN_EXE_offwire").into(), "offwire");
    let object = place(root().join("examples/drop/drop.o"), "drop.o");
    let pcap = place(root().join("examples/drop/traffic.pcap"), "traffic.pcap");
    let mut command = std::process::Command::new(program);
    command.args(["prog", "run", "-j", "--on", "host", "--pcap"]).arg(pcap).arg(object);
    // Root gives its rights up; others have none.
    let output = command.uid(65534).output().or_else(|_| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_offwire"));
        command.args(["prog", "run", "-j", "--on", "host", "--pcap"]);
        command.arg(root().join("examples/drop/traffic.pcap")).arg(root().join("examples/drop/drop.o")).output()
    });
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("\"OW0801\"") && said.contains("\"help\""), "{said}");
}

/// OW0401: facts that reach no instruction leave nothing to translate.
#[test]
fn the_compiler_refuses_a_program_without_instructions() {
    let object = object("pass");
    let program = &object.programs[0];
    let facts = Facts { before: vec![None; program.insns.len()] };
    let refused = lift(&object, program, &facts).expect_err("there is nothing to translate");
    assert_eq!(refused.code, codes::compiler::UNSUPPORTED, "{refused}");
}
