//! `.BTF.ext`: source lines and CO-RE relocations of each section (include/uapi/linux/bpf.h has the records; the header is
//! libbpf's `struct btf_ext_header`), and the types of functions, which the kernel asks for.

use super::view::MAGIC;
use super::{Btf, BtfError, TypeId, index, part, u16_at, u32_at};
use std::collections::BTreeMap;

/// A `.BTF.ext` section.
#[derive(Clone, Copy, Debug)]
pub struct BtfExt<'a> {
    functions: &'a [u8],
    lines: &'a [u8],
    relocations: &'a [u8],
}

/// One record of source line information (`struct bpf_line_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineInfo {
    /// Byte offset of the instruction in its ELF section.
    pub offset: u32,
    /// File name, a string of BTF.
    pub file: u32,
    /// Source text, a string of BTF.
    pub text: u32,
    /// 1-based line.
    pub line: u32,
    /// 1-based column, 0 if unknown.
    pub column: u32,
}

/// The type of a function (`struct bpf_func_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuncInfo {
    /// Byte offset of its first instruction in its ELF section.
    pub offset: u32,
    /// A type of kind `Func`.
    pub ty: TypeId,
}

/// One CO-RE relocation (`struct bpf_core_relo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRelocation {
    /// Byte offset of the instruction in its ELF section.
    pub offset: u32,
    /// The type whose layout it asks for.
    pub ty: TypeId,
    /// The access, a string of BTF such as "0:1:2".
    pub access: u32,
    /// What it asks for (`enum bpf_core_relo_kind`).
    pub kind: u32,
}

impl<'a> BtfExt<'a> {
    /// Reads the header and walks all records once, so that later reads cannot fail.
    ///
    /// # Errors
    /// A header or records that do not fit.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let cut = || BtfError("the header is cut short".to_owned());
        if u16_at(bytes, 0) != Some(MAGIC) || bytes.get(2) != Some(&1) {
            return Err(BtfError("it does not start with the magic number and version of BTF".to_owned()));
        }
        let field = |at| u32_at(bytes, at).map(index).ok_or_else(cut);
        let header = field(4)?;
        let body = bytes.get(header..).filter(|_| header >= 24).ok_or_else(cut)?;
        let table = |at: usize, smallest: usize, what: &str| {
            if at >= header {
                return Ok(&[][..]);
            }
            let table = part(body, field(at)?, field(at.saturating_add(4))?);
            let table = table.ok_or_else(|| BtfError(format!("its {what} lie outside of the section")))?;
            check_records(table, smallest).ok_or_else(|| BtfError(format!("its {what} are cut short")))?;
            Ok(table)
        };
        Ok(BtfExt {
            functions: table(8, 8, "function records")?,
            lines: table(16, 16, "source lines")?,
            relocations: table(24, 16, "CO-RE relocations")?,
        })
    }

    /// Source lines by section name, ascending by offset.
    pub fn lines(&self, btf: &Btf<'a>) -> BTreeMap<&'a [u8], Vec<LineInfo>> {
        by_section(self.lines, btf, |record| {
            let place = u32_at(record, 12)?;
            Some(LineInfo {
                offset: u32_at(record, 0)?,
                file: u32_at(record, 4)?,
                text: u32_at(record, 8)?,
                line: place >> 10,
                column: place & 0x3ff,
            })
        })
    }

    /// Types of functions by section name, ascending by offset.
    pub fn functions(&self, btf: &Btf<'a>) -> BTreeMap<&'a [u8], Vec<FuncInfo>> {
        by_section(self.functions, btf, |record| {
            Some(FuncInfo { offset: u32_at(record, 0)?, ty: TypeId(u32_at(record, 4)?) })
        })
    }

    /// CO-RE relocations by section name, ascending by offset.
    pub fn relocations(&self, btf: &Btf<'a>) -> BTreeMap<&'a [u8], Vec<CoreRelocation>> {
        by_section(self.relocations, btf, |record| {
            Some(CoreRelocation {
                offset: u32_at(record, 0)?,
                ty: TypeId(u32_at(record, 4)?),
                access: u32_at(record, 8)?,
                kind: u32_at(record, 12)?,
            })
        })
    }
}

/// One run of records for one section: name, bytes of the records, and what follows.
fn split_run(table: &[u8], record: usize) -> Option<(u32, &[u8], &[u8])> {
    let (name, count) = (u32_at(table, 0)?, u32_at(table, 4)?);
    let end = index(count).checked_mul(record)?.checked_add(8)?;
    Some((name, table.get(8..end)?, table.get(end..)?))
}

/// `None` if the records do not fill the table exactly.
fn check_records(table: &[u8], smallest: usize) -> Option<()> {
    if table.is_empty() {
        return Some(());
    }
    let record = index(u32_at(table, 0)?);
    if record < smallest || !record.is_multiple_of(4) {
        return None;
    }
    let mut rest = table.get(4..)?;
    while !rest.is_empty() {
        rest = split_run(rest, record)?.2;
    }
    Some(())
}

/// Reads all records of a table, in one pass; there may be several runs for one section.
fn by_section<'a, T: Offset>(
    table: &'a [u8],
    btf: &Btf<'a>,
    read: impl Fn(&'a [u8]) -> Option<T>,
) -> BTreeMap<&'a [u8], Vec<T>> {
    let record = u32_at(table, 0).map_or(1, index).max(1);
    let mut sections: BTreeMap<&[u8], Vec<T>> = BTreeMap::new();
    let mut rest = table.get(4..).unwrap_or(&[]);
    while let Some((name, run, after)) = split_run(rest, record) {
        rest = after;
        let Some(name) = btf.string_bytes(name) else { continue };
        sections.entry(name).or_default().extend(run.chunks_exact(record).filter_map(&read));
    }
    for records in sections.values_mut() {
        records.sort_by_key(Offset::offset);
    }
    sections
}

/// What all records have: where they hold.
trait Offset {
    fn offset(&self) -> u32;
}

impl Offset for LineInfo {
    fn offset(&self) -> u32 {
        self.offset
    }
}

impl Offset for FuncInfo {
    fn offset(&self) -> u32 {
        self.offset
    }
}

impl Offset for CoreRelocation {
    fn offset(&self) -> u32 {
        self.offset
    }
}
