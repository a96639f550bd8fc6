//! Variables that the object declares and a loader gives values to: `extern int CONFIG_HZ __kconfig`. Here the user does, with
//! `--set`; weak ones are zero otherwise. They stand in one read-only map, laid out as libbpf does (libbpf.c,
//! `bpf_object__collect_externs`).

use super::budget::Budget;
use super::data::{READ_ONLY_PROGRAM, Variable};
use super::elf::{Elf, Place, SectionIdx};
use super::maps::MapTable;
use super::{Map, TypeRef};
use crate::btf::tree::section_tree;
use crate::btf::{Btf, Kind, TypeId};
use crate::ebpf::MapIdx;
use offwire_diag::Diagnostic;
use offwire_image::{MapKind, MapSpec};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Stands for the section that the variables do not have.
const NO_SECTION: SectionIdx = SectionIdx(usize::MAX);
/// Name of the map, and of the section that `__kconfig` names.
const NAME: &str = ".kconfig";

/// Extern variables that can have a value.
#[derive(Default)]
pub(super) struct Externs {
    /// Those that have one: map and offset in its value.
    pub(super) resolved: BTreeMap<String, (MapIdx, u32)>,
    /// The others.
    pub(super) unset: BTreeSet<String>,
}

/// Collects the extern variables; makes their map if one of them has a value, and adds them to those that can be set.
pub(super) fn collect(
    elf: &Elf<'_>,
    btf: Option<&Btf<'_>>,
    set: &[(String, String)],
    table: &mut MapTable,
    variables: &mut Vec<Variable>,
    budget: &mut Budget,
) -> Result<Externs, Diagnostic> {
    let mut externs = Externs::default();
    let Some(btf) = btf else { return Ok(externs) };
    let undefined = elf.symbols.iter().filter(|symbol| symbol.place == Place::Undefined && !symbol.name.is_empty());
    let is_weak: BTreeMap<&str, bool> = undefined.map(|symbol| (symbol.name, symbol.is_weak)).collect();
    if is_weak.is_empty() {
        return Ok(externs);
    }
    let of_kernel: BTreeSet<TypeId> =
        btf.datasec(".ksyms").iter().flat_map(|datasec| btf.vars(datasec)).map(|entry| entry.var).collect();
    let mut found: Vec<(Reverse<u32>, u32, String, TypeId)> = Vec::new();
    for ty in btf.types().filter(|ty| btf.is_extern_var(ty) && !of_kernel.contains(&ty.id)) {
        let name = btf.name(&ty);
        let Some(target) = ty.target().filter(|_| is_weak.contains_key(name.as_ref())) else { continue };
        let Some((size, align)) = btf.size(target).zip(align(btf, target)).filter(|(size, _)| *size != 0) else {
            continue;
        };
        budget.text(name.len().saturating_mul(4).saturating_add(256))?;
        found.push((Reverse(align), size, name.into_owned(), target));
    }
    found.sort();
    found.dedup_by(|later, first| later.2 == first.2);
    let has_value = |name: &str| set.iter().any(|(set, _)| set == name) || is_weak.get(name) == Some(&true);
    externs.unset = found.iter().map(|(_, _, name, _)| name.clone()).filter(|name| !has_value(name)).collect();
    if externs.unset.len() == found.len() {
        return Ok(externs);
    }
    let mut end = 0_u32;
    let mut members = Vec::new();
    for (Reverse(align), size, name, ty) in found {
        let offset = end.checked_next_multiple_of(align);
        let next = offset.and_then(|offset| offset.checked_add(size)).filter(|end| *end < 1 << 30);
        // What does not fit stays without a value.
        let Some((offset, next)) = offset.zip(next) else { continue };
        end = next;
        members.push((name, offset, ty));
    }
    let spec = MapSpec {
        name: NAME.to_owned(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: end,
        max_entries: 1,
        flags: READ_ONLY_PROGRAM,
        init: Vec::new(),
        frozen: true,
    };
    let key = TypeRef::Int { name: "unsigned int".to_owned(), size: 4, signed: false, is_bool: false, is_char: false };
    let value = section_tree(btf, NAME, end, &members, &mut budget.types);
    let map = table.push(Map { key_type: Some(key), value_type: Some(value), ..Map::from(spec) })?;
    table.data.insert(NO_SECTION, Ok(map));
    for (name, offset, ty) in members {
        if !externs.unset.contains(&name) {
            externs.resolved.insert(name.clone(), (map, offset));
        }
        variables.push(Variable { name, section: NO_SECTION, offset, ty });
    }
    Ok(externs)
}

/// Alignment of scalars and of arrays of them; other types have no value here.
fn align(btf: &Btf<'_>, id: TypeId) -> Option<u32> {
    let mut ty = btf.resolve(id)?;
    for _ in 0..8 {
        match ty.kind {
            Kind::Array => ty = btf.resolve(btf.array(&ty)?.0)?,
            Kind::Int | Kind::Enum | Kind::Enum64 => return ty.own_size().filter(|size| [1, 2, 4, 8].contains(size)),
            _ => return None,
        }
    }
    None
}
