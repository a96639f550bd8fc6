//! Microcode as text, with the eBPF instructions and C lines that each word does work for.

use crate::ebpf::InsnIdx;
use crate::object::Program;
use offwire_image::Image;
use offwire_isa::{CodeAddr, Word};
use std::fmt::Write;

/// One word a paragraph: address, assembler text, instructions; below it the C lines, each once in a row. In an image with
/// several programs a line says where each of them begins; `program` is the first one, or the one of that name.
pub fn dump(image: &Image, program: Option<&Program>) -> String {
    dump_set(image, |name| program.filter(|program| name == image.name || name == program.name))
}

/// The same, with the C lines of all programs that `find` knows by their name.
pub fn dump_set<'a>(image: &Image, find: impl Fn(&str) -> Option<&'a Program>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "; {}: {} words, profile {}", image.name, image.words.len(), image.profile);
    if image.entry.0 != 0 {
        let _ = writeln!(out, "; entry at {}", image.entry.0);
    }
    let others = image.programs.iter().filter(|program| program.entry != image.entry);
    let many = others.count() > 0;
    let mut program = find(&image.name);
    let mut last = None;
    for (at, bytes) in image.words.iter().enumerate() {
        let begins = |entry: CodeAddr| usize::from(entry.0) == at;
        let numbers = image.programs.iter().enumerate().filter(|(_, program)| begins(program.entry));
        for (number, entry) in numbers.clone() {
            let _ = writeln!(out, "; program {number}, {}:", entry.name);
        }
        let name = if begins(image.entry) { Some(&image.name) } else { numbers.clone().next().map(|n| &n.1.name) };
        if let Some(name) = name {
            if many && numbers.count() == 0 {
                let _ = writeln!(out, "; {name}:");
            }
            program = find(name);
            last = None;
        }
        let text = match Word::decode(bytes) {
            Ok(word) => word.to_string(),
            Err(error) => format!("; not a word: {error}"),
        };
        let insns = image.word_insns.get(at).map(Vec::as_slice).unwrap_or_default();
        if let Some(program) = program {
            for &insn in insns {
                let span = program.span(InsnIdx(insn));
                let line = (span.file, span.line);
                if line.1.is_some() && last.as_ref() != Some(&line) {
                    let file = line.0.as_deref().unwrap_or("?");
                    let source = span.source.as_deref().unwrap_or("").trim();
                    let _ = writeln!(out, "; {file}:{}: {source}", line.1.unwrap_or(0));
                    last = Some(line);
                }
            }
        }
        let _ = writeln!(out, "{at:4}: {text}{}", list(insns));
    }
    out
}

fn list(insns: &[u32]) -> String {
    if insns.is_empty() {
        return String::new();
    }
    let mut text = String::from("  ; insn");
    let mut rest = insns;
    while let Some((&first, tail)) = rest.split_first() {
        // Runs as a-b.
        let run = tail.iter().zip(first + 1..).take_while(|(insn, next)| **insn == *next).count();
        let _ = match run {
            0 => write!(text, " {first}"),
            run => write!(text, " {first}-{}", first + run as u32),
        };
        rest = &tail[run..];
    }
    text
}
