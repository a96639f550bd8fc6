//! A program as text, in the manner of `bpftool prog dump xlated linum`.

use super::Program;
use crate::ebpf::{Insn, InsnIdx, Names, disasm};
use std::fmt::Write;

impl Program {
    /// The whole program: functions by name, source lines before the instructions that they hold for. `names` is the
    /// [`super::Object`] or its maps.
    pub fn dump(&self, names: &(impl Names + ?Sized)) -> String {
        let mut out = String::new();
        let mut functions = self.functions.iter().peekable();
        let mut lines = self.lines.iter().peekable();
        for (insn, at) in self.insns.iter().zip((0..).map(InsnIdx)) {
            while let Some((_, name)) = functions.next_if(|(first, _)| *first <= at) {
                let _ = writeln!(out, "{name}:");
            }
            while let Some(line) = lines.next_if(|line| line.insn <= at) {
                let text = line.text.trim();
                let _ = writeln!(out, "; {text} [file:{} line_num:{} line_col:{}]", line.file, line.line, line.column);
            }
            if !matches!(insn, Insn::Wide) {
                let _ = writeln!(out, "{:4}: {}", at.0, disasm(at, insn, names));
            }
        }
        out
    }
}
