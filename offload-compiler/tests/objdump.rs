//! The disassembler against llvm-objdump: the same instructions, after both syntaxes are brought to one form.
//! Skipped by name without llvm-objdump-19.

use offload_compiler::ebpf::{Imm64, Insn, InsnIdx, disasm};
use offload_compiler::object::{LoadOptions, Object, load};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects")
}

/// Numbers as 32-bit patterns or 64-bit values in decimal, blanks and signs of zero dropped.
fn canonical(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if word == 0 {
            if first != ' ' {
                out.push(first);
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let token = &rest[..word];
        rest = &rest[word..];
        let number =
            token.strip_prefix("0x").map_or_else(|| token.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
        match number {
            // "-8" and "0xfffffff8" are one 32-bit immediate.
            Some(number) if out.ends_with('-') && number != 0 && number <= 1 << 31 => {
                out.pop();
                out.push_str(&((1_u64 << 32) - number).to_string());
            }
            Some(number) => out.push_str(&number.to_string()),
            None => out.push_str(token),
        }
    }
    out
}

/// llvm-objdump's form: 32-bit loads and stores name w registers, atomics have names of their own.
fn from_llvm(text: &str) -> String {
    let mut text = match text.trim().rsplit_once(" <") {
        Some((text, label)) if label.ends_with('>') => text.to_owned(),
        _ => text.trim().to_owned(),
    };
    if text.contains("*)(") || text.contains("xchg") {
        text = text.replace('w', "r");
    }
    for (theirs, ours) in
        [("cmpxchg32_32(", "cmpxchg("), ("cmpxchg_64(", "cmpxchg("), ("xchg32_32(", "xchg("), ("xchg_64(", "xchg(")]
    {
        text = text.replace(theirs, ours);
    }
    canonical(text.trim_end_matches(" ll"))
}

/// The kernel's form.
fn from_kernel(text: &str) -> String {
    let mut text = text.replace("goto pc", "goto ").replace("gotol pc", "gotol ").replace("atomic64_", "atomic_");
    if let Some((before, after)) = text.split_once("xchg((") {
        let after = after.replace("u64 *)(", "").replace("u32 *)(", "").replacen(')', "", 1);
        text = format!("{}xchg({after}", before.replace("atomic_", ""));
    }
    if let Some((_, number)) = text.split_once('#') {
        text = format!("call {number}");
    }
    canonical(&text)
}

/// One instruction as llvm-objdump sees it.
struct Theirs {
    /// Slot in the function.
    slot: u32,
    text: String,
    /// Source line by DWARF.
    line: Option<u32>,
}

/// The instructions of one function.
fn objdump(object: &Path, function: &str) -> Vec<Theirs> {
    let output = Command::new("llvm-objdump-19")
        .args(["-d", "-l", "--no-show-raw-insn", "--mcpu=v4", &format!("--disassemble-symbols={function}")])
        .arg(object)
        .output()
        .unwrap();
    assert!(output.status.success());
    let (mut line, mut first, mut found) = (None, None, Vec::new());
    for text in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some(place) = text.strip_prefix("; ") {
            if let Some((_, number)) = place.rsplit_once(".c:") {
                line = number.parse().ok();
            }
        } else if let Some((number, text)) = text.split_once(":\t")
            && let Ok(number) = number.trim().parse::<u32>()
        {
            let slot = number - *first.get_or_insert(number);
            found.push(Theirs { slot, text: text.to_owned(), line });
        }
    }
    found
}

fn have_objdump() -> bool {
    let found = Command::new("llvm-objdump-19").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIP clang: comparison with llvm-objdump-19: it is not installed");
    }
    found
}

fn open(name: &str) -> (PathBuf, Object) {
    let path = folder().join(name);
    let object = load(&std::fs::read(&path).unwrap(), &LoadOptions::default()).unwrap();
    (path, object)
}

/// BTF's line of each instruction is DWARF's, also for functions that were moved behind a program.
#[test]
fn lines_are_what_dwarf_says() {
    if !have_objdump() {
        return;
    }
    let mut compared = 0;
    for name in ["calls.o", "globals.o", "maps.o", "wide.o", "others.o", "statics.o"] {
        let (path, object) = open(name);
        for program in &object.programs {
            for (start, function) in &program.functions {
                for theirs in objdump(&path, function) {
                    let ours = program.span(InsnIdx(start.0 + theirs.slot));
                    let line = ours.line.unwrap();
                    // Before a function's first statement BTF names the line of its head, without a column; DWARF that of the
                    // brace.
                    let head = ours.column.is_none() && Some(line + 1) == theirs.line;
                    assert!(
                        head || Some(line) == theirs.line,
                        "{name} {function} {}: {ours} {:?}",
                        theirs.slot,
                        theirs.line
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 300, "only {compared} lines were compared");
}

#[test]
fn instructions_are_what_llvm_objdump_sees() {
    if !have_objdump() {
        return;
    }
    let mut compared = 0;
    for name in ["calls.o", "globals.o", "maps.o", "wide.o", "others.o", "statics.o", "calls-v1-nobtf.o"] {
        let (path, object) = open(name);
        for program in &object.programs {
            for (number, (start, function)) in program.functions.iter().enumerate() {
                let end = program.functions.get(number + 1).map_or(program.insns.len(), |(next, _)| next.at());
                let theirs = objdump(&path, function);
                let ours: Vec<u32> = (start.0..u32::try_from(end).unwrap())
                    .filter(|&at| !matches!(program.insns[InsnIdx(at).at()], Insn::Wide))
                    .collect();
                let slots: Vec<u32> = theirs.iter().map(|theirs| theirs.slot + start.0).collect();
                assert_eq!(ours, slots, "{name} {function}");
                for (at, Theirs { text: theirs, .. }) in ours.into_iter().zip(theirs) {
                    let insn = &program.insns[InsnIdx(at).at()];
                    match insn {
                        // Relocated: only the kind of instruction can be compared.
                        Insn::CallLocal { .. } => assert!(theirs.starts_with("call "), "{theirs}"),
                        Insn::LoadImm64 { dst, value } if !matches!(value, Imm64::Const(_)) => {
                            assert!(
                                theirs.starts_with(&format!("r{} = ", dst.0)) && theirs.ends_with(" ll"),
                                "{theirs}"
                            );
                        }
                        insn => {
                            let ours = disasm(InsnIdx(at), insn, &object);
                            assert_eq!(
                                from_kernel(&ours),
                                from_llvm(&theirs),
                                "{name} {function} {at}: {ours} / {theirs}"
                            );
                        }
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 400, "only {compared} instructions were compared");
}
