//! The loader's way through an object.

use super::budget::{Budget, MAX_PROGRAMS};
use super::elf::{Elf, Place, SectionIdx};
use super::functions::{Functions, Role, role, warn_of_others};
use super::lines::Debug;
use super::link::Linker;
use super::maps::{MapTable, Source};
use super::{Object, Refused, data, externs, set};
use crate::btf::fixup::{Layout, for_kernel};
use offwire_diag::{Diagnostic, codes::object as code};
use std::collections::{BTreeMap, BTreeSet};

/// What the user may ask of the loader.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--set VARIABLE=VALUE`: initial values of global variables, in the order given. Integers in decimal or 0x hexadecimal,
    /// `true` and `false` for bools, names of enumerators for enums.
    pub set: Vec<(String, String)>,
    /// `--map-entries NAME=N`: `max_entries` of maps, instead of what the object says. Checked as if it stood there.
    pub map_entries: Vec<(String, u32)>,
}

/// Loads an ELF object.
///
/// # Errors
/// The file is not a BPF object or contradicts itself, it has no XDP program, none of its XDP programs can be loaded (then the
/// reason of the first one), or a variable cannot be set. One program that cannot be loaded beside others that can stands in
/// [`Object::refused`].
pub fn load(bytes: &[u8], options: &LoadOptions) -> Result<Object, Diagnostic> {
    let elf = Elf::parse(bytes)?;
    let mut budget = Budget::for_input(bytes.len());
    let contents = |name| elf.by_name(name).map(|(_, section)| section.data);
    let debug = Debug::parse(contents(".BTF"), contents(".BTF.ext"))
        .map_err(|error| Diagnostic::error(code::BAD_BTF, "the object's BTF is malformed").with_reason(error.0))?;

    let mut globals: BTreeMap<(SectionIdx, &str), u64> = BTreeMap::new();
    for symbol in &elf.symbols {
        if let Place::Section(section) = symbol.place {
            globals.entry((section, symbol.name)).or_insert(symbol.value);
        }
    }
    let functions = Functions::collect(&elf)?;
    let entries = options.map_entries.iter().map(|(name, entries)| (name.as_str(), *entries)).collect();
    let source =
        Source { elf: &elf, btf: debug.btf.as_ref(), symbols: &globals, functions: &functions, entries: &entries };
    let mut table = MapTable::default();
    table.collect(source, &mut budget)?;
    let mut variables = data::collect(&elf, debug.btf.as_ref(), &globals, &mut table, &mut budget)?;
    let externs = externs::collect(&elf, debug.btf.as_ref(), &options.set, &mut table, &mut variables, &mut budget)?;
    set::apply(&options.set, debug.btf.as_ref(), &variables, &mut table)?;

    let linker = Linker { elf: &elf, functions: &functions, debug: &debug, maps: &table, externs: &externs };
    let (mut programs, mut refused, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    let candidates = functions.programs();
    if candidates.len() > MAX_PROGRAMS {
        let message = format!("the object has {} XDP programs, more than {MAX_PROGRAMS}", candidates.len());
        return Err(Diagnostic::error(code::OBJECT_TOO_LARGE, message));
    }
    for index in candidates {
        let Some(function) = functions.get(index) else { continue };
        let section = elf.section(function.section).map_or("", |section| section.name);
        let program = match role(section) {
            Role::Behind => Err(Diagnostic::error(
                code::ATTACH_TYPE,
                format!("program `{}` runs behind a redirect (section `{section}`)", function.name),
            )
            .with_span(linker.span(index))),
            _ => linker.link(index, &mut budget, &mut used),
        };
        match program {
            Ok(program) => programs.push(program),
            // Memory is short for all of them.
            Err(diagnostic) if diagnostic.code == code::OBJECT_TOO_LARGE => return Err(diagnostic),
            Err(diagnostic) => {
                refused.push(Refused { name: function.name.to_owned(), section: section.to_owned(), diagnostic });
            }
        }
    }
    let mut warnings = warn_of_others(&elf, &used);
    warnings.append(&mut table.warnings);
    if programs.is_empty() {
        return Err(match refused.into_iter().next() {
            Some(refused) => refused.diagnostic,
            None => no_program(&warnings),
        });
    }
    let layout = SectionLayout::new(&elf, &globals);
    let btf = debug.btf.as_ref().zip(contents(".BTF")).and_then(|(btf, bytes)| for_kernel(bytes, btf, &layout));
    let btf = btf.unwrap_or_default();
    Ok(Object { programs, refused, maps: table.maps, license: license(&elf), warnings, btf })
}

/// Sections and symbols, as BTF asks for them.
struct SectionLayout<'e, 'a> {
    sections: BTreeMap<&'a str, (SectionIdx, u64)>,
    symbols: &'e BTreeMap<(SectionIdx, &'a str), u64>,
}

impl<'e, 'a> SectionLayout<'e, 'a> {
    fn new(elf: &Elf<'a>, symbols: &'e BTreeMap<(SectionIdx, &'a str), u64>) -> Self {
        let mut sections = BTreeMap::new();
        for (index, section) in elf.enumerate() {
            sections.entry(section.name).or_insert((index, section.size));
        }
        SectionLayout { sections, symbols }
    }
}

impl Layout for SectionLayout<'_, '_> {
    fn size(&self, section: &str) -> Option<u32> {
        u32::try_from(self.sections.get(section)?.1).ok()
    }

    fn offset(&self, section: &str, variable: &str) -> Option<u32> {
        let (index, _) = self.sections.get(section)?;
        self.symbols.get(&(*index, variable)).and_then(|&offset| u32::try_from(offset).ok())
    }
}

fn no_program(warnings: &[Diagnostic]) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::NO_PROGRAM, "the object has no XDP program")
        .with_help("an XDP program stands in a section `xdp`, `xdp/...` or `xdp.frags`");
    let left_out = warnings.iter().find(|warning| warning.code == code::NOT_XDP);
    match left_out {
        Some(warning) => diagnostic.with_reason(warning.message.clone()),
        None => diagnostic,
    }
}

fn license(elf: &Elf<'_>) -> String {
    let bytes = elf.by_name("license").map_or(&[][..], |(_, section)| section.data);
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into_owned()
}
