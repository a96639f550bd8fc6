//! Types copied out of BTF.

use super::{Btf, Kind, TypeId, index};
use crate::object::{Member, TypeRef};

/// Deepest nesting that is copied; deeper parts become [`TypeRef::Opaque`].
const MAX_DEPTH: u32 = 24;

/// How much may still be copied, in nodes of a tree; long names count for more. BTF shares types, trees do not, so that a few
/// bytes of BTF could grow to gigabytes without it. What does not fit becomes [`TypeRef::Opaque`].
#[derive(Clone, Debug)]
pub struct TreeBudget(u64);

impl TreeBudget {
    /// A budget in proportion to the length of the input.
    pub fn for_input(length: usize) -> Self {
        TreeBudget(u64::try_from(length).unwrap_or(u64::MAX).saturating_div(8).saturating_add(1024))
    }

    /// Takes one node with its name.
    fn take(&mut self, name: &str) -> bool {
        let cost = u64::try_from(name.len()).unwrap_or(u64::MAX).saturating_div(32).saturating_add(1);
        match self.0.checked_sub(cost) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

/// Copies a type into a tree; `None` if it has no size (void, functions, forward declarations).
pub fn tree(btf: &Btf<'_>, id: TypeId, budget: &mut TreeBudget) -> Option<TypeRef> {
    build(btf, id, 0, budget)
}

fn build(btf: &Btf<'_>, id: TypeId, depth: u32, budget: &mut TreeBudget) -> Option<TypeRef> {
    let size = btf.size(id)?;
    let ty = btf.resolve(id)?;
    let name = btf.name(&ty);
    if depth >= MAX_DEPTH || !budget.take(&name) {
        return Some(TypeRef::Opaque { name: String::new(), size });
    }
    let name = || name.clone().into_owned();
    let below = depth.saturating_add(1);
    Some(match ty.kind {
        Kind::Int => {
            let (signed, is_char, is_bool, bit_offset, bits) = btf.int(&ty)?;
            if bit_offset != 0 || Some(bits) != size.checked_mul(8) {
                return Some(TypeRef::Opaque { name: name(), size });
            }
            TypeRef::Int { name: name(), size, signed, is_bool, is_char }
        }
        Kind::Enum | Kind::Enum64 => {
            let mut values = Vec::new();
            for (name, value) in btf.enumerators(&ty) {
                if !budget.take(&name) {
                    return Some(TypeRef::Opaque { name: String::new(), size });
                }
                values.push((name.into_owned(), value));
            }
            TypeRef::Enum { name: name(), size, signed: ty.flag, values }
        }
        Kind::Array => {
            let (element, count) = btf.array(&ty)?;
            TypeRef::Array { element: Box::new(build(btf, element, below, budget)?), count }
        }
        Kind::Struct | Kind::Union => {
            let mut members = Vec::new();
            for field in btf.fields(&ty) {
                let fits =
                    btf.size(field.ty).is_some_and(|bytes| inside(field.bit_offset, field.bit_width, bytes, size));
                if !fits || !budget.take(&field.name) {
                    return Some(TypeRef::Opaque { name: name(), size });
                }
                let ty = build(btf, field.ty, below, budget)?;
                members.push(Member {
                    name: field.name.into_owned(),
                    bit_offset: field.bit_offset,
                    bit_width: field.bit_width,
                    ty,
                });
            }
            if ty.kind == Kind::Struct {
                TypeRef::Struct { name: name(), size, members }
            } else {
                TypeRef::Union { name: name(), size, members }
            }
        }
        _ => TypeRef::Opaque { name: name(), size },
    })
}

/// True if a member lies inside of its aggregate: `bytes` is the size of the member's type.
fn inside(bit_offset: u32, bit_width: u32, bytes: u32, size: u32) -> bool {
    let width = if bit_width == 0 { u64::from(bytes).saturating_mul(8) } else { u64::from(bit_width) };
    let whole = bit_width != 0 || bit_offset.is_multiple_of(8);
    whole && u64::from(bit_offset).saturating_add(width) <= u64::from(size).saturating_mul(8)
}

/// A data section as a struct of its variables, for printing: `(name, offset, type)` of each variable, ascending.
pub fn section_tree(
    btf: &Btf<'_>,
    name: &str,
    size: u32,
    vars: &[(String, u32, TypeId)],
    budget: &mut TreeBudget,
) -> TypeRef {
    let mut members = Vec::with_capacity(vars.len().min(index(size)));
    for (name, offset, id) in vars {
        let fits = btf.size(*id).and_then(|bytes| offset.checked_add(bytes)).is_some_and(|end| end <= size);
        let Some(bit_offset) = offset.checked_mul(8).filter(|_| fits) else { continue };
        if !budget.take(name) {
            break;
        }
        let Some(ty) = build(btf, *id, 1, budget) else { continue };
        members.push(Member { name: name.clone(), bit_offset, bit_width: 0, ty });
    }
    TypeRef::Struct { name: name.to_owned(), size, members }
}
