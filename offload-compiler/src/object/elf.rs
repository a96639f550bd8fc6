//! The ELF file as the loader needs it: sections with their relocations, symbols, names. On crate `object`.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, Rel64, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use offwire_diag::{Diagnostic, codes::object as code};

/// `EM_BPF` (include/uapi/linux/elf-em.h).
const MACHINE_BPF: u16 = 247;
/// Longest name that is read.
const MAX_NAME: usize = 4096;

/// Index of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SectionIdx(pub(super) usize);

/// One section.
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    /// Contents; empty for sections without (`.bss`).
    pub(super) data: &'a [u8],
    /// Size in bytes, also of sections without contents.
    pub(super) size: u64,
    pub(super) is_code: bool,
    pub(super) has_data: bool,
    pub(super) is_bss: bool,
    /// Relocations that apply to it, ascending by offset.
    pub(super) relocations: Vec<Relocation>,
    /// It has relocations with explicit addends, which no BPF loader takes.
    pub(super) has_rela: bool,
}

/// One relocation without addend (`SHT_REL`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Relocation {
    /// Byte offset in the section.
    pub(super) offset: u64,
    /// `R_BPF_*`.
    pub(super) kind: u32,
    /// Index of the symbol.
    pub(super) symbol: usize,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Undefined,
    Section(SectionIdx),
    /// Absolute, common, or out of range.
    Other,
}

/// Types of symbols that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SymbolKind {
    Untyped,
    Function,
    Section,
    Other,
}

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol<'a> {
    pub(super) name: &'a str,
    pub(super) value: u64,
    pub(super) size: u64,
    pub(super) place: Place,
    pub(super) kind: SymbolKind,
    pub(super) is_local: bool,
    /// It may stay undefined.
    pub(super) is_weak: bool,
}

/// The file.
pub(super) struct Elf<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) symbols: Vec<Symbol<'a>>,
}

pub(super) fn malformed(what: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::MALFORMED_OBJECT, format!("the object is malformed: {}", what.into()))
}

fn not_an_object(what: &str) -> Diagnostic {
    Diagnostic::error(code::NOT_AN_OBJECT, what).with_help("build it with `clang -target bpf -O2 -g -c`")
}

impl<'a> Elf<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Diagnostic> {
        if bytes.get(..4) != Some(b"\x7fELF") {
            return Err(not_an_object("the file is not an ELF object"));
        }
        if bytes.get(4) != Some(&2) {
            return Err(not_an_object("the file is not a 64-bit ELF object"));
        }
        let machine = match (bytes.get(5), bytes.get(18..20)) {
            (Some(1), Some(&[low, high])) => u16::from_le_bytes([low, high]),
            (Some(2), Some(&[high, low])) if u16::from_be_bytes([high, low]) == MACHINE_BPF => {
                return Err(Diagnostic::error(code::BIG_ENDIAN, "the object is for a big-endian machine")
                    .with_help("build it with `clang -target bpfel`"));
            }
            (Some(2), Some(&[high, low])) => u16::from_be_bytes([high, low]),
            _ => return Err(not_an_object("the ELF header is cut short or of an unknown byte order")),
        };
        if machine != MACHINE_BPF {
            return Err(not_an_object(&format!("the object is for machine {machine}, not for BPF (247)")));
        }
        let bad = |error: object::Error| malformed(error.to_string());
        let header = FileHeader64::<LE>::parse(bytes).map_err(bad)?;
        if header.e_type(LE) != elf::ET_REL {
            return Err(not_an_object("the file is not a relocatable object (ET_REL)"));
        }
        let table = header.sections(LE, bytes).map_err(bad)?;
        let names = match usize::try_from(header.shstrndx(LE, bytes).map_err(bad)?) {
            Ok(index) => string_table(table.iter().nth(index), bytes),
            Err(_) => &[],
        };
        let mut sections = Vec::with_capacity(table.len());
        for header in table.iter() {
            sections.push(section(header, names, bytes)?);
        }
        let symbols = symbols(&table, bytes)?;
        let mut total = 0_usize;
        for header in table.iter() {
            let count = attach_relocations(header, bytes, &mut sections)?;
            // Relocation sections of a sane file do not overlap; without this a small file could ask for gigabytes.
            total = total.saturating_add(count);
            if total > bytes.len() {
                return Err(malformed("relocation sections overlap"));
            }
        }
        for section in &mut sections {
            section.relocations.sort_by_key(|relocation| relocation.offset);
        }
        Ok(Elf { sections, symbols })
    }

    pub(super) fn section(&self, index: SectionIdx) -> Option<&Section<'a>> {
        self.sections.get(index.0)
    }

    /// Sections with their indices, in file order.
    pub(super) fn enumerate(&self) -> impl Iterator<Item = (SectionIdx, &Section<'a>)> {
        self.sections.iter().enumerate().map(|(index, section)| (SectionIdx(index), section))
    }

    /// The first section with this name that has contents.
    pub(super) fn by_name(&self, name: &str) -> Option<(SectionIdx, &Section<'a>)> {
        self.enumerate().find(|(_, section)| section.name == name && section.has_data)
    }
}

impl Section<'_> {
    /// The relocation at a byte offset; an error if there are several.
    pub(super) fn relocation_at(&self, offset: u64) -> Result<Option<Relocation>, ()> {
        let first = self.relocations.partition_point(|relocation| relocation.offset < offset);
        let mut here = self.relocations.iter().skip(first).take_while(|relocation| relocation.offset == offset);
        match (here.next(), here.next()) {
            (_, Some(_)) => Err(()),
            (found, None) => Ok(found.copied()),
        }
    }

    /// Relocations in a range of bytes.
    pub(super) fn relocations_in(&self, range: std::ops::Range<u64>) -> &[Relocation] {
        let from = self.relocations.partition_point(|relocation| relocation.offset < range.start);
        let to = self.relocations.partition_point(|relocation| relocation.offset < range.end);
        self.relocations.get(from..to).unwrap_or(&[])
    }
}

fn section<'a>(header: &'a SectionHeader64<LE>, names: &'a [u8], bytes: &'a [u8]) -> Result<Section<'a>, Diagnostic> {
    let name = string(names, header.sh_name.get(LE));
    let kind = header.sh_type(LE);
    let data = header.data(LE, bytes);
    let data = data.map_err(|_| malformed(format!("section `{name}` lies outside of the file")))?;
    let flags = header.sh_flags(LE);
    let is_bits = kind == elf::SHT_PROGBITS;
    Ok(Section {
        name,
        data: if kind == elf::SHT_NOBITS { &[] } else { data },
        size: header.sh_size(LE),
        is_code: is_bits && flags.0 & elf::SHF_EXECINSTR.0 != 0,
        has_data: is_bits,
        is_bss: kind == elf::SHT_NOBITS,
        relocations: Vec::new(),
        has_rela: false,
    })
}

fn string_table<'a>(header: Option<&'a SectionHeader64<LE>>, bytes: &'a [u8]) -> &'a [u8] {
    header.and_then(|header| header.data(LE, bytes).ok()).unwrap_or(&[])
}

/// A string of a string table; empty if it is not there, too long or not UTF-8.
fn string(table: &[u8], offset: u32) -> &str {
    let read = || {
        let from = table.get(usize::try_from(offset).ok()?..)?;
        let end = from.iter().take(MAX_NAME).position(|&byte| byte == 0)?;
        std::str::from_utf8(from.get(..end)?).ok()
    };
    read().unwrap_or("")
}

fn symbols<'a>(
    table: &object::read::elf::SectionTable<'a, FileHeader64<LE>>,
    bytes: &'a [u8],
) -> Result<Vec<Symbol<'a>>, Diagnostic> {
    let bad = |error: object::Error| malformed(error.to_string());
    let symbols = table.symbols(LE, bytes, elf::SHT_SYMTAB).map_err(bad)?;
    let names = string_table(table.iter().nth(symbols.string_section().0), bytes);
    let read = symbols.enumerate().map(|(index, symbol)| {
        let place = match symbols.symbol_section(LE, symbol, index) {
            Ok(Some(section)) => Place::Section(SectionIdx(section.0)),
            _ if symbol.is_undefined(LE) => Place::Undefined,
            _ => Place::Other,
        };
        let kind = match symbol.st_type() {
            elf::STT_NOTYPE => SymbolKind::Untyped,
            elf::STT_FUNC => SymbolKind::Function,
            elf::STT_SECTION => SymbolKind::Section,
            _ => SymbolKind::Other,
        };
        Symbol {
            name: string(names, symbol.st_name(LE)),
            value: symbol.st_value(LE),
            size: symbol.st_size(LE),
            place,
            kind,
            is_local: symbol.is_local(),
            is_weak: symbol.st_bind() == elf::STB_WEAK,
        }
    });
    Ok(read.collect())
}

fn attach_relocations(
    header: &SectionHeader64<LE>,
    bytes: &[u8],
    sections: &mut [Section<'_>],
) -> Result<usize, Diagnostic> {
    let kind = header.sh_type(LE);
    if kind != elf::SHT_REL && kind != elf::SHT_RELA {
        return Ok(0);
    }
    let target = usize::try_from(header.sh_info(LE)).ok().and_then(|index| sections.get_mut(index));
    let Some(target) = target else {
        return Err(malformed("relocations for a section that does not exist"));
    };
    if kind == elf::SHT_RELA {
        target.has_rela = true;
        return Ok(0);
    }
    let relocations: &[Rel64<LE>] = match header.rel(LE, bytes) {
        Ok(Some((relocations, _))) => relocations,
        _ => return Err(malformed(format!("the relocations of section `{}` lie outside of the file", target.name))),
    };
    target.relocations.extend(relocations.iter().map(|relocation| Relocation {
        offset: relocation.r_offset.get(LE),
        kind: relocation.r_type(LE).0,
        symbol: usize::try_from(relocation.r_sym(LE)).unwrap_or(usize::MAX),
    }));
    Ok(relocations.len())
}
