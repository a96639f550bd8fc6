//! One map defined in BTF: the struct type of a variable in section `.maps` holds the definition (libbpf.c, `parse_btf_map_def`).

use super::budget::Budget;
use super::check::{check, check_inner};
use super::maps::{bad, invalid, kind_of, unsupported};
use super::{Map, TypeRef};
use crate::btf::tree::tree;
use crate::btf::{Btf, Field, Kind, TypeId};
use offwire_diag::{Diagnostic, codes::object as code};
use offwire_image::{MapKind, MapSpec};

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
    /// Type of `values` and its offset in the variable.
    values: Option<(TypeId, u32)>,
}

/// A map as its definition says.
pub(super) struct Defined {
    pub(super) map: Map,
    /// Where the pointers to initial elements start in the variable, in bytes.
    pub(super) values_offset: Option<u32>,
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

/// Reads the definition of a map.
pub(super) fn define(
    btf: &Btf<'_>,
    name: &str,
    ty: TypeId,
    entries: Option<u32>,
    budget: &mut Budget,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Defined, Diagnostic> {
    let mut def = collect(btf, name, ty, warnings)?;
    def.max_entries = entries.unwrap_or(def.max_entries);
    let values = def.values.take();
    let mut map = finish(btf, name, &def, budget)?;
    let of_maps = matches!(map.spec.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps);
    let wrong = || bad(name, "field `values` is not an `__array` of what stands in such a map");
    let Some((values_type, values_offset)) = values else {
        return if of_maps {
            Err(unsupported(name, "its definition does not say what maps stand in it (`__array(values, ...)`)"))
        } else {
            Ok(Defined { map, values_offset: None })
        };
    };
    // An array without length of pointers.
    let element = btf.resolve(values_type).and_then(|array| btf.array(&array)).filter(|(_, count)| *count == 0);
    let element = element.and_then(|(element, _)| pointee(btf, element)).ok_or_else(wrong)?;
    if of_maps {
        let inner_name = format!("{name}.inner");
        let inner = collect(btf, &inner_name, element, warnings)?;
        if inner.values.is_some() {
            return Err(bad(name, "maps of maps of maps do not exist"));
        }
        let inner = finish(btf, &inner_name, &inner, budget)?;
        check_inner(&inner.spec).map_err(|reason| bad(name, reason))?;
        map.inner = Some(Box::new(inner.spec));
    } else if map.spec.kind != MapKind::ProgArray || btf.resolve(element).is_none_or(|ty| ty.kind != Kind::FuncProto) {
        return Err(wrong());
    }
    Ok(Defined { map, values_offset: Some(values_offset) })
}

/// Collects the fields of a definition.
fn collect(btf: &Btf<'_>, name: &str, ty: TypeId, warnings: &mut Vec<Diagnostic>) -> Result<Definition, Diagnostic> {
    let definition = btf.resolve(ty).filter(|ty| ty.kind == Kind::Struct);
    let definition = definition.ok_or_else(|| bad(name, "its type is not a struct"))?;
    let mut def = Definition::default();
    for field in btf.fields(&definition) {
        take_field(btf, name, &field, &mut def, warnings)?;
    }
    Ok(def)
}

fn finish(btf: &Btf<'_>, name: &str, def: &Definition, budget: &mut Budget) -> Result<Map, Diagnostic> {
    let number = def.kind.ok_or_else(|| bad(name, "it has no `type`"))?;
    let kind = kind_of(name, number)?;
    let implied = match kind {
        MapKind::ProgArray => Some((Some(4), 4)),
        MapKind::ArrayOfMaps | MapKind::HashOfMaps => Some((None, 4)),
        _ => None,
    };
    let spec = MapSpec {
        name: name.to_owned(),
        kind,
        key_size: def.key_size.or(implied.and_then(|(key, _)| key)).unwrap_or(0),
        value_size: def.value_size.or(implied.map(|(_, value)| value)).unwrap_or(0),
        max_entries: def.max_entries,
        flags: def.flags,
        init: Vec::new(),
        frozen: false,
    };
    check(&spec).map_err(|reason| invalid(&spec, reason))?;
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
        // What stands in maps of maps and program arrays; the kind of map decides above.
        "values" => def.values = Some((field.ty, field.bit_offset.checked_div(8).unwrap_or(0))),
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
