//! Global data: sections `.data*`, `.rodata*` and `.bss*` become arrays with one element (libbpf.c,
//! `bpf_object__init_global_data_maps`).

use super::budget::Budget;
use super::elf::{Elf, Section, SectionIdx};
use super::maps::MapTable;
use super::{Map, TypeRef};
use crate::btf::tree::section_tree;
use crate::btf::{Btf, Kind, TypeId};
use offwire_diag::{Diagnostic, codes::object as code};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;

/// `BPF_F_RDONLY_PROG` (include/uapi/linux/bpf.h): the program may only read.
pub(super) const READ_ONLY_PROGRAM: u32 = 1 << 7;

/// A global variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Its section, and the byte in it.
    pub(super) section: SectionIdx,
    pub(super) offset: u32,
    pub(super) ty: TypeId,
}

fn is_data(section: &Section<'_>) -> bool {
    let named =
        |name: &str| section.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let kind = (section.has_data && (named(".data") || named(".rodata"))) || (section.is_bss && named(".bss"));
    kind && section.size != 0
}

/// Makes the maps of all data sections, in file order, and lists their variables.
pub(super) fn collect(
    elf: &Elf<'_>,
    btf: Option<&Btf<'_>>,
    globals: &BTreeMap<(SectionIdx, &str), u64>,
    table: &mut MapTable,
    budget: &mut Budget,
) -> Result<Vec<Variable>, Diagnostic> {
    let mut variables = Vec::new();
    for (index, section) in elf.enumerate().filter(|(_, section)| is_data(section)) {
        let Ok(size) = u32::try_from(section.size) else {
            let message = format!("section `{}` is larger than 4 GiB", section.name);
            table.data.insert(index, Err(Diagnostic::error(code::OBJECT_TOO_LARGE, message)));
            continue;
        };
        let here = variables_of(btf, index, section, globals);
        let value_type = btf.filter(|_| !here.is_empty()).map(|btf| {
            let vars: Vec<_> = here.iter().map(|var| (var.name.clone(), var.offset, var.ty)).collect();
            section_tree(btf, section.name, size, &vars, &mut budget.types)
        });
        variables.extend(here);
        budget.contents(section.data.len())?;
        let read_only = section.name.starts_with(".rodata");
        let spec = MapSpec {
            name: section.name.to_owned(),
            kind: MapKind::Array,
            key_size: 4,
            value_size: size,
            max_entries: 1,
            flags: if read_only { READ_ONLY_PROGRAM } else { 0 },
            init: section.data.to_vec(),
            frozen: read_only,
        };
        if !section.relocations.is_empty() {
            let message = format!("section `{}` holds pointers, which are not filled in", section.name);
            table.warnings.push(Diagnostic::warning(code::DATA_RELOCATION, message));
        }
        let key =
            TypeRef::Int { name: "unsigned int".to_owned(), size: 4, signed: false, is_bool: false, is_char: false };
        let map = table.push(Map { key_type: Some(key), value_type, ..Map::from(spec) });
        table.data.insert(index, map);
    }
    Ok(variables)
}

/// Variables of a section, ascending by offset. Compilers leave the offsets of global variables 0; the symbol table has them
/// (libbpf.c, `btf_fixup_datasec`).
fn variables_of(
    btf: Option<&Btf<'_>>,
    index: SectionIdx,
    section: &Section<'_>,
    globals: &BTreeMap<(SectionIdx, &str), u64>,
) -> Vec<Variable> {
    let Some((btf, datasec)) = btf.and_then(|btf| Some((btf, btf.datasec(section.name)?))) else { return Vec::new() };
    let read = btf.vars(&datasec).filter_map(|entry| {
        let var = btf.get(entry.var).filter(|var| var.kind == Kind::Var)?;
        let name = btf.name(&var).into_owned();
        let symbol = globals.get(&(index, name.as_str())).filter(|_| !btf.is_static_var(&var));
        let offset = symbol.map_or(Ok(entry.offset), |&offset| u32::try_from(offset)).ok()?;
        Some(Variable { name, section: index, offset, ty: var.target()? })
    });
    let mut variables: Vec<Variable> = read.collect();
    variables.sort_by_key(|variable| variable.offset);
    variables
}
