//! Initial elements of program arrays and maps of maps: `.values = { [0] = &program }` in BTF definitions leaves a relocation
//! for each element in section `.maps` (libbpf.c, `bpf_object__collect_map_relos`).

use super::budget::Budget;
use super::elf::{Place, Relocation, Section, SectionIdx};
use super::functions::{FuncIdx, Role, role};
use super::maps::{Draft, Source, bad, unsupported};
use offwire_diag::Diagnostic;
use offwire_image::MapKind;

/// One initial element.
pub(super) struct Link {
    pub(super) key: u32,
    pub(super) target: Target,
}

/// What stands there.
pub(super) enum Target {
    /// A program of the object.
    Program(String),
    /// The map whose variable stands at this place.
    Map((SectionIdx, u64)),
}

/// `R_BPF_64_ABS64` (Documentation/bpf/llvm_reloc.rst): a pointer in data. Compilers before 2021 wrote `R_BPF_64_64` there.
const POINTERS: [u32; 2] = [2, 1];

/// Reads the initial elements of a map. The outer error stops the load.
pub(super) fn read(
    source: Source<'_, '_>,
    section: &Section<'_>,
    draft: &Draft,
    budget: &mut Budget,
) -> Result<Result<Vec<Link>, Diagnostic>, Diagnostic> {
    let start = draft.place.1;
    let relocations = section.relocations_in(start..start.saturating_add(draft.size.max(1)));
    let mut links = Vec::new();
    let Ok(map) = &draft.map else { return Ok(Ok(links)) };
    for relocation in relocations {
        // Variables may overlap in a file that is made to.
        budget.text(128)?;
        match link(source, section, draft, map.spec.kind, *relocation) {
            Ok(link) => {
                if let Target::Program(name) = &link.target {
                    budget.text(name.len().saturating_add(64))?;
                }
                links.push(link);
            }
            Err(diagnostic) => return Ok(Err(diagnostic)),
        }
    }
    Ok(Ok(links))
}

fn link(
    source: Source<'_, '_>,
    section: &Section<'_>,
    draft: &Draft,
    kind: MapKind,
    relocation: Relocation,
) -> Result<Link, Diagnostic> {
    let name = draft.name.as_str();
    let Some(values) = draft.values_offset else {
        return Err(unsupported(
            name,
            "it has initial contents (`.values = {...}`), which maps of its type cannot have",
        ));
    };
    let values = draft.place.1.saturating_add(u64::from(values));
    let bytes = relocation.offset.checked_sub(values).filter(|bytes| bytes.is_multiple_of(8));
    let key = bytes.and_then(|bytes| u32::try_from(bytes.checked_div(8)?).ok());
    let key = key.ok_or_else(|| bad(name, "a pointer stands outside of its `values`"))?;
    let fail = |reason: String| bad(name, format!("its initial element {key}: {reason}"));
    if kind == MapKind::HashOfMaps && draft.map.as_ref().is_ok_and(|map| map.spec.key_size != 4) {
        return Err(fail("the key of a map with initial elements has 4 bytes".to_owned()));
    }
    if !POINTERS.contains(&relocation.kind) {
        return Err(fail(format!("a relocation of type {}", relocation.kind)));
    }
    let symbol = source.elf.symbols.get(relocation.symbol);
    let symbol = symbol.ok_or_else(|| fail("the relocation's symbol does not exist".to_owned()))?;
    let Place::Section(target) = symbol.place else {
        return Err(fail(format!("the object does not define `{}`", symbol.name)));
    };
    // The pointer's own bytes are the addend.
    let at = usize::try_from(relocation.offset).ok();
    let addend = at.and_then(|at| section.data.get(at..at.checked_add(8)?)?.try_into().ok()).map(u64::from_le_bytes);
    let offset = addend.and_then(|addend| symbol.value.checked_add(addend));
    let offset = offset.ok_or_else(|| fail("it points outside of everything".to_owned()))?;
    if kind != MapKind::ProgArray {
        return Ok(Link { key, target: Target::Map((target, offset)) });
    }
    let function = source.functions.at(target, offset).filter(|&function| is_program(source, function));
    let function = function.and_then(|function| source.functions.get(function));
    let function = function.ok_or_else(|| fail(format!("`{}` is no XDP program", symbol.name)))?;
    Ok(Link { key, target: Target::Program(function.name.to_owned()) })
}

fn is_program(source: Source<'_, '_>, function: FuncIdx) -> bool {
    let section = source.functions.get(function).and_then(|function| source.elf.section(function.section));
    section.is_some_and(|section| role(section.name) == Role::Xdp) && source.functions.is_program(function)
}
