//! BTF types copied out of BTF.

/// A BTF type, copied out of BTF into a tree of its own: sizes in bytes, offsets in bits. Used to print and parse keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "BTF's names (Documentation/bpf/btf.rst)")]
pub enum TypeRef {
    Int {
        name: String,
        size: u32,
        signed: bool,
        is_bool: bool,
        is_char: bool,
    },
    Enum {
        name: String,
        size: u32,
        signed: bool,
        values: Vec<(String, i64)>,
    },
    Array {
        element: Box<TypeRef>,
        count: u32,
    },
    Struct {
        name: String,
        size: u32,
        members: Vec<Member>,
    },
    Union {
        name: String,
        size: u32,
        members: Vec<Member>,
    },
    /// Anything else (pointers, floats, functions): raw bytes.
    Opaque {
        name: String,
        size: u32,
    },
}

impl TypeRef {
    /// Size in bytes; saturates where an array is too large for 32 bits.
    pub fn size(&self) -> u32 {
        match self {
            TypeRef::Int { size, .. }
            | TypeRef::Enum { size, .. }
            | TypeRef::Struct { size, .. }
            | TypeRef::Union { size, .. }
            | TypeRef::Opaque { size, .. } => *size,
            TypeRef::Array { element, count } => element.size().saturating_mul(*count),
        }
    }
}

/// Member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name; empty for an anonymous struct or union.
    pub name: String,
    /// Offset from the start of the aggregate, in bits.
    pub bit_offset: u32,
    /// Width in bits of a bit field; 0 for an ordinary member.
    pub bit_width: u32,
    /// Type.
    pub ty: TypeRef,
}
