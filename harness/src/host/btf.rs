//! Types for the kernel: the object's BTF, which types keys and values have, and which function stands where.
//!
//! As libbpf does it (src/libbpf.c, bpf_object__create_map and bpf_object_load_prog): what the kernel does not take is left
//! out, and the program or map then says whether it can live without.

use super::rewrite::Rewritten;
use super::sys;
use offload_compiler::btf::{Btf, Kind, TypeId};
use offload_compiler::object::{Object, Program};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// Types of an object in the kernel.
pub(super) struct Types {
    pub(super) fd: OwnedFd,
    /// Types of key and value by the name of the map.
    maps: BTreeMap<String, (TypeId, TypeId)>,
}

impl Types {
    /// Loads the object's BTF; `None` if it has none that the kernel takes.
    pub(super) fn load(object: &Object) -> Option<Self> {
        if object.btf.is_empty() {
            return None;
        }
        let btf = Btf::parse(&object.btf).ok()?;
        let fd = sys::btf_load(&object.btf).ok()?;
        Some(Self { fd, maps: map_types(&btf) })
    }

    /// Types of key and value of a map, where the kernel takes them for its kind.
    pub(super) fn of(&self, spec: &MapSpec) -> Option<sys::MapTypes<'_>> {
        let typed = matches!(
            spec.kind,
            MapKind::Hash
                | MapKind::Array
                | MapKind::PercpuHash
                | MapKind::PercpuArray
                | MapKind::LruHash
                | MapKind::LpmTrie
        );
        let (key, value) = self.maps.get(&spec.name).filter(|_| typed)?;
        Some(sys::MapTypes { btf: &self.fd, key: key.0, value: value.0 })
    }
}

/// `struct bpf_func_info` of each function of a program, at the places where they stand now.
pub(super) fn func_info(program: &Program, rewritten: Option<&Rewritten>) -> Vec<[u32; 2]> {
    let place = |at: usize| match rewritten {
        Some(rewritten) => rewritten.places.get(at).copied().unwrap_or(at),
        None => at,
    };
    program.func_info.iter().map(|(at, ty)| [u32::try_from(place(at.at())).unwrap_or(u32::MAX), ty.0]).collect()
}

/// Keys and values by map: a variable whose type is a struct with pointers `key` and `value` (`__type` of bpf_helpers.h).
fn map_types(btf: &Btf<'_>) -> BTreeMap<String, (TypeId, TypeId)> {
    let pointee = |ty: TypeId| btf.get(ty).filter(|ty| ty.kind == Kind::Ptr).and_then(|ty| ty.target());
    let mut found = BTreeMap::new();
    for variable in btf.types().filter(|ty| ty.kind == Kind::Var) {
        let Some(definition) = variable.target().and_then(|ty| resolve(btf, ty)) else { continue };
        let field = |name: &str| {
            let field = btf.fields(&definition).find(|field| field.name == name)?;
            pointee(field.ty)
        };
        if let (Some(key), Some(value)) = (field("key"), field("value")) {
            found.insert(btf.name(&variable).into_owned(), (key, value));
        }
    }
    found
}

/// The struct behind typedefs and qualifiers.
fn resolve(btf: &Btf<'_>, mut id: TypeId) -> Option<offload_compiler::btf::Type> {
    // A chain is no longer than this unless it goes round in a circle.
    for _ in 0..32 {
        let ty = btf.get(id)?;
        match ty.kind {
            Kind::Struct => return Some(ty),
            Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict => id = ty.target()?,
            _ => return None,
        }
    }
    None
}
