//! `.BTF.ext` by place: source lines and CO-RE relocations of a byte of a section.

use super::Line;
use super::budget::Budget;
use crate::btf::ext::{BtfExt, CoreRelocation, FuncInfo, LineInfo};
use crate::btf::{Btf, BtfError, TypeId};
use crate::ebpf::InsnIdx;
use offwire_diag::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::ops::Range;

/// What `.BTF` and `.BTF.ext` say of instructions; empty if the object lacks them.
#[derive(Default)]
pub(super) struct Debug<'a> {
    pub(super) btf: Option<Btf<'a>>,
    functions: BTreeMap<&'a [u8], Vec<FuncInfo>>,
    lines: BTreeMap<&'a [u8], Vec<LineInfo>>,
    relocations: BTreeMap<&'a [u8], Vec<CoreRelocation>>,
}

impl<'a> Debug<'a> {
    pub(super) fn parse(btf: Option<&'a [u8]>, ext: Option<&'a [u8]>) -> Result<Self, BtfError> {
        let Some(btf) = btf else { return Ok(Self::default()) };
        let btf = Btf::parse(btf).map_err(|error| BtfError(format!("section .BTF: {error}")))?;
        let Some(ext) = ext else { return Ok(Debug { btf: Some(btf), ..Self::default() }) };
        let ext = BtfExt::parse(ext).map_err(|error| BtfError(format!("section .BTF.ext: {error}")))?;
        Ok(Debug {
            functions: ext.functions(&btf),
            lines: ext.lines(&btf),
            relocations: ext.relocations(&btf),
            btf: Some(btf),
        })
    }

    /// Lines of a range of bytes of a section.
    fn lines_in(&self, section: &str, range: Range<u64>) -> &[LineInfo] {
        let all = self.lines.get(section.as_bytes()).map_or(&[][..], Vec::as_slice);
        let from = all.partition_point(|line| u64::from(line.offset) < range.start);
        let to = all.partition_point(|line| u64::from(line.offset) < range.end);
        all.get(from..to).unwrap_or(&[])
    }

    /// The first CO-RE relocation in a range of bytes of a section.
    pub(super) fn relocation_in(&self, section: &str, range: Range<u64>) -> Option<CoreRelocation> {
        let all = self.relocations.get(section.as_bytes())?;
        let from = all.partition_point(|relocation| u64::from(relocation.offset) < range.start);
        all.get(from).filter(|relocation| u64::from(relocation.offset) < range.end).copied()
    }

    /// The type of the function that starts at a byte of a section.
    pub(super) fn function_at(&self, section: &str, offset: u64) -> Option<TypeId> {
        let all = self.functions.get(section.as_bytes())?;
        let at = all.partition_point(|info| u64::from(info.offset) < offset);
        all.get(at).filter(|info| u64::from(info.offset) == offset).map(|info| info.ty)
    }

    fn text(&self, offset: u32) -> String {
        let text = self.btf.as_ref().and_then(|btf| btf.string(offset));
        text.map(std::borrow::Cow::into_owned).unwrap_or_default()
    }

    /// Appends the lines of a function that stands at slot `start` of its program.
    pub(super) fn append(
        &self,
        lines: &mut Vec<Line>,
        section: &str,
        range: Range<u64>,
        start: u32,
        budget: &mut Budget,
    ) -> Result<(), Diagnostic> {
        for info in self.lines_in(section, range.clone()) {
            let slot = u64::from(info.offset).saturating_sub(range.start).checked_div(8);
            let Some(insn) = slot.and_then(|slot| u32::try_from(slot).ok()?.checked_add(start)) else { continue };
            let (file, text) = (self.text(info.file), self.text(info.text));
            budget.text(file.len().saturating_add(text.len()).saturating_add(64))?;
            lines.push(Line { insn: InsnIdx(insn), file, line: info.line, column: info.column, text });
        }
        Ok(())
    }

    /// Where a byte of a function stands in the source.
    pub(super) fn span(
        &self,
        section: &str,
        function: &str,
        range: Range<u64>,
        offset: u64,
        insn: Option<u32>,
    ) -> Span {
        let end = offset.saturating_add(1).min(range.end);
        let line = self.lines_in(section, range.start..end).last();
        Span {
            insn,
            insn_text: None,
            function: Some(function.to_owned()),
            file: line.map(|line| self.text(line.file)),
            line: line.map(|line| line.line).filter(|&line| line != 0),
            column: line.map(|line| line.column).filter(|&column| column != 0),
            source: line.map(|line| self.text(line.text)).filter(|text| !text.is_empty()),
        }
    }
}
