//! Maps defined in BTF: variables in section `.maps` whose struct type holds the definition (libbpf.c, `parse_btf_map_def`).

use super::budget::Budget;
use super::elf::{Elf, SectionIdx};
use super::{Map, TypeRef};
use crate::btf::tree::tree;
use crate::btf::{Btf, Field, Kind, TypeId};
use crate::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes::object as code};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;

/// All maps of the object and how symbols lead to them.
#[derive(Default)]
pub(super) struct MapTable {
    pub(super) maps: Vec<Map>,
    /// By section and byte offset of the variable in `.maps`. A map that cannot be loaded only fails programs that use it.
    pub(super) defined: BTreeMap<(SectionIdx, u64), Result<MapIdx, Diagnostic>>,
    /// Data sections.
    pub(super) data: BTreeMap<SectionIdx, Result<MapIdx, Diagnostic>>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl MapTable {
    pub(super) fn push(&mut self, map: Map) -> Result<MapIdx, Diagnostic> {
        let index = u16::try_from(self.maps.len())
            .map(MapIdx)
            .map_err(|_| Diagnostic::error(code::OBJECT_TOO_LARGE, "the object has more than 65,536 maps"))?;
        self.maps.push(map);
        Ok(index)
    }

    /// Reads all definitions of section `.maps`, in the order of their offsets.
    pub(super) fn collect_defined(
        &mut self,
        elf: &Elf<'_>,
        btf: Option<&Btf<'_>>,
        globals: &BTreeMap<(SectionIdx, &str), u64>,
        budget: &mut Budget,
    ) -> Result<(), Diagnostic> {
        let Some((section_index, section)) = elf.by_name(".maps") else { return Ok(()) };
        let Some((btf, datasec)) = btf.and_then(|btf| Some((btf, btf.datasec(".maps")?))) else { return Ok(()) };
        let mut variables = Vec::new();
        for entry in btf.vars(&datasec) {
            let Some(var) = btf.get(entry.var).filter(|var| var.kind == Kind::Var) else { continue };
            let name = btf.name(&var).into_owned();
            let offset = globals.get(&(section_index, name.as_str())).copied().unwrap_or(u64::from(entry.offset));
            budget.text(name.len().saturating_mul(4).saturating_add(512))?;
            if let Some(target) = var.target() {
                variables.push((offset, name, entry.size, target));
            }
        }
        variables.sort_by_key(|(offset, ..)| *offset);
        for (offset, name, size, target) in variables {
            let end = offset.saturating_add(u64::from(size.max(1)));
            let map = if !section.relocations_in(offset..end).is_empty() {
                Err(unsupported(&name, "it has initial contents (`.values = {...}`)"))
            } else {
                define(btf, &name, target, budget, &mut self.warnings)
            };
            let index = map.and_then(|map| self.push(map));
            if let Err(diagnostic) = &index {
                self.warnings.push(demote(diagnostic));
            }
            self.defined.insert((section_index, offset), index);
        }
        Ok(())
    }
}

/// A refusal as a warning: it only stops programs that use the map.
fn demote(diagnostic: &Diagnostic) -> Diagnostic {
    Diagnostic { severity: offwire_diag::Severity::Warning, ..diagnostic.clone() }
}

fn bad(name: &str, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::BAD_MAP, format!("the definition of map `{name}` is invalid")).with_reason(reason)
}

fn unsupported(name: &str, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::UNSUPPORTED_MAP, format!("map `{name}` cannot be loaded")).with_reason(reason)
}

/// Fields of a definition as they are collected.
#[derive(Default)]
struct Definition {
    kind: Option<u32>,
    key_size: Option<u32>,
    value_size: Option<u32>,
    max_entries: u32,
    flags: u32,
    key: Option<TypeId>,
    value: Option<TypeId>,
}

/// The number in `__uint(name, number)`: a pointer to an array of that many elements.
fn number(btf: &Btf<'_>, id: TypeId) -> Option<u32> {
    let pointer = btf.resolve(id).filter(|ty| ty.kind == Kind::Ptr)?;
    Some(btf.array(&btf.resolve(pointer.target()?)?)?.1)
}

/// The type in `__type(name, type)`: what a pointer points to.
fn pointee(btf: &Btf<'_>, id: TypeId) -> Option<TypeId> {
    btf.resolve(id).filter(|ty| ty.kind == Kind::Ptr)?.target()
}

fn define(
    btf: &Btf<'_>,
    name: &str,
    ty: TypeId,
    budget: &mut Budget,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Map, Diagnostic> {
    let definition = btf.resolve(ty).filter(|ty| ty.kind == Kind::Struct);
    let definition = definition.ok_or_else(|| bad(name, "its type is not a struct"))?;
    let mut def = Definition::default();
    for field in btf.fields(&definition) {
        take_field(btf, name, &field, &mut def, warnings)?;
    }
    let number = def.kind.ok_or_else(|| bad(name, "it has no `type`"))?;
    let kind = MapKind::from_kernel(number)
        .ok_or_else(|| unsupported(name, format!("the device has no maps of type {}", kind_name(number))))?;
    if matches!(kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps) {
        return Err(unsupported(name, "maps of maps are not loaded yet"));
    }
    let implied = if matches!(kind, MapKind::ProgArray) { Some(4) } else { None };
    let spec = MapSpec {
        name: name.to_owned(),
        kind,
        key_size: def.key_size.or(implied).unwrap_or(0),
        value_size: def.value_size.or(implied).unwrap_or(0),
        max_entries: def.max_entries,
        flags: def.flags,
        init: Vec::new(),
        frozen: false,
    };
    check(&spec).map_err(|reason| bad(name, reason))?;
    let mut copy = |id: Option<TypeId>| -> Option<TypeRef> { tree(btf, id?, &mut budget.types) };
    Ok(Map { key_type: copy(def.key), value_type: copy(def.value), ..Map::from(spec) })
}

fn take_field(
    btf: &Btf<'_>,
    map: &str,
    field: &Field<'_>,
    def: &mut Definition,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), Diagnostic> {
    let uint = || number(btf, field.ty).ok_or_else(|| bad(map, format!("field `{}` is not a `__uint`", field.name)));
    let mut set_size = |slot: fn(&mut Definition) -> &mut Option<u32>, size: u32| {
        let slot = slot(def);
        match slot.replace(size) {
            Some(former) if former != size => {
                Err(bad(map, format!("`{}` says {size} bytes, an earlier field {former}", field.name)))
            }
            _ => Ok(()),
        }
    };
    let type_size = || {
        let pointee = pointee(btf, field.ty);
        let pointee = pointee.ok_or_else(|| bad(map, format!("field `{}` is not a `__type`", field.name)))?;
        let size = btf.size(pointee).ok_or_else(|| bad(map, format!("the type of `{}` has no size", field.name)))?;
        Ok((pointee, size))
    };
    match field.name.as_ref() {
        "type" => def.kind = Some(uint()?),
        "max_entries" => def.max_entries = uint()?,
        "map_flags" => def.flags = uint()?,
        "key_size" => set_size(|def| &mut def.key_size, uint()?)?,
        "value_size" => set_size(|def| &mut def.value_size, uint()?)?,
        "key" => {
            let (pointee, size) = type_size()?;
            set_size(|def| &mut def.key_size, size)?;
            def.key = Some(pointee);
        }
        "value" => {
            let (pointee, size) = type_size()?;
            set_size(|def| &mut def.value_size, size)?;
            def.value = Some(pointee);
        }
        // What stands in maps of maps and program arrays; the kind of map decides below.
        "values" => {}
        "pinning" | "numa_node" => {
            if uint()? != 0 {
                let message = format!("`{}` of map `{map}` has no effect on the device", field.name);
                warnings.push(Diagnostic::warning(code::MAP_ATTRIBUTE_IGNORED, message));
            }
        }
        other => return Err(bad(map, format!("it has the unknown field `{other}`"))),
    }
    Ok(())
}

/// Largest per-CPU value (kernel's `PCPU_MIN_UNIT_SIZE`).
const PER_CPU_VALUE: u32 = 32 << 10;

/// What the kernel demands when it creates a map (`array_map_alloc_check`, `htab_map_alloc_check`, `trie_alloc`, ...).
fn check(spec: &MapSpec) -> Result<(), String> {
    use MapKind::*;
    let (key, value, entries) = (spec.key_size, spec.value_size, spec.max_entries);
    let name = spec.kind.name();
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("a map of type {name} {what}")) };
    let indexed = [Array, PercpuArray, ProgArray, PerfEventArray, Devmap, Cpumap, Xskmap];
    if indexed.contains(&spec.kind) {
        demand(key == 4, &format!("needs a key of 4 bytes, not {key}"))?;
    }
    // The number of CPUs stands in for 0 there.
    demand(entries != 0 || spec.kind == PerfEventArray, "needs `max_entries`")?;
    if spec.kind == Ringbuf {
        demand(key == 0 && value == 0, "has neither key nor value")?;
        return demand(
            entries.is_power_of_two() && entries.is_multiple_of(4096),
            "needs a power of two of whole pages",
        );
    }
    demand(key != 0, "needs a key")?;
    demand(value != 0, "needs a value")?;
    demand(value < 1 << 31, "cannot have values that large")?;
    if spec.kind.is_per_cpu() {
        demand(value <= PER_CPU_VALUE, "cannot have values above 32 KiB")?;
    }
    match spec.kind {
        LpmTrie => {
            demand((5..=260).contains(&key), "needs a key of 4 bytes prefix length and 1 to 256 bytes of data")?;
            demand(spec.flags & 1 != 0, "needs the flag BPF_F_NO_PREALLOC")
        }
        ProgArray | PerfEventArray | Xskmap => demand(value == 4, &format!("needs a value of 4 bytes, not {value}")),
        Devmap | DevmapHash | Cpumap => demand(value == 4 || value == 8, "needs a value of 4 or 8 bytes"),
        Hash | PercpuHash | LruHash => demand(key <= 512 << 10, "cannot have keys that large"),
        _ => Ok(()),
    }
}

/// Types of maps that the kernel has and the device does not.
fn kind_name(number: u32) -> String {
    let name = match number {
        7 => "stack_trace",
        8 => "cgroup_array",
        10 => "lru_percpu_hash",
        15 => "sockmap",
        18 => "sockhash",
        19 => "cgroup_storage",
        20 => "reuseport_sockarray",
        21 => "percpu_cgroup_storage",
        22 => "queue",
        23 => "stack",
        24 => "sk_storage",
        26 => "struct_ops",
        28 => "inode_storage",
        29 => "task_storage",
        30 => "bloom_filter",
        31 => "user_ringbuf",
        32 => "cgrp_storage",
        33 => "arena",
        _ => return number.to_string(),
    };
    name.to_owned()
}
