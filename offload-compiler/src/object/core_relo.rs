//! CO-RE relocations: found and refused. They ask for facts about the running kernel's types (libbpf's relo_core.c).

use crate::btf::Btf;
use crate::btf::ext::CoreRelocation;

/// What a relocation asks for, for the message ("the offset of a field in `struct sk_buff`").
pub(super) fn describe(btf: &Btf<'_>, relocation: &CoreRelocation) -> String {
    // enum bpf_core_relo_kind, include/uapi/linux/bpf.h
    let what = match relocation.kind {
        0 => "the offset of a field in",
        1 => "the size of a field in",
        2 => "the existence of a field in",
        3 => "the signedness of a field in",
        4 | 5 => "the position of a bit field in",
        6 => "the local number of",
        7 => "the kernel's number of",
        8 => "the existence of",
        9 => "the size of",
        10 => "the existence of an enumerator in",
        11 => "the value of an enumerator in",
        12 => "the compatibility of",
        _ => "something unknown about",
    };
    let name = btf.get(relocation.ty).map(|ty| btf.name(&ty).into_owned()).unwrap_or_default();
    if name.is_empty() { format!("{what} a type without a name") } else { format!("{what} type `{name}`") }
}
