//! The types of a `.BTF` section, by number.

use super::{BtfError, index, part, u16_at, u32_at};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `BTF_MAGIC` (include/uapi/linux/btf.h), little-endian.
pub(super) const MAGIC: u16 = 0xeb9f;

/// Number of a type; 0 is `void`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// Kinds of types (`BTF_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "BTF's names")]
pub enum Kind {
    Void,
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    Datasec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        use Kind::*;
        let kinds = [
            Void, Int, Ptr, Array, Struct, Union, Enum, Fwd, Typedef, Volatile, Const, Restrict, Func, FuncProto, Var,
            Datasec, Float, DeclTag, TypeTag, Enum64,
        ];
        kinds.get(index(number)).copied()
    }

    /// Bytes that follow the 12 bytes of a type of this kind.
    fn extra(self, count: u32) -> Option<usize> {
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => Some(4),
            Kind::Array => Some(12),
            Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => index(count).checked_mul(12),
            Kind::Enum | Kind::FuncProto => index(count).checked_mul(8),
            _ => Some(0),
        }
    }
}

/// The fixed part of a type.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// Its number.
    pub id: TypeId,
    /// Its kind.
    pub kind: Kind,
    /// Members, enumerators, parameters or variables.
    pub count: u32,
    /// The kind's flag: bit fields in structs, signed enumerators.
    pub flag: bool,
    name: u32,
    size_or_type: u32,
    /// Offset of what follows the fixed part.
    pub(super) extra: usize,
}

impl Type {
    /// Size in bytes of kinds that have one of their own.
    pub fn own_size(&self) -> Option<u32> {
        let has = matches!(
            self.kind,
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Float | Kind::Datasec
        );
        has.then_some(self.size_or_type)
    }

    /// The type that a pointer, typedef, qualifier, tag, function or variable refers to.
    pub fn target(&self) -> Option<TypeId> {
        let has = matches!(
            self.kind,
            Kind::Ptr
                | Kind::Typedef
                | Kind::Volatile
                | Kind::Const
                | Kind::Restrict
                | Kind::Func
                | Kind::FuncProto
                | Kind::Var
                | Kind::DeclTag
                | Kind::TypeTag
        );
        has.then_some(TypeId(self.size_or_type))
    }
}

/// A member of a struct or union.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Name; empty if anonymous.
    pub name: Cow<'a, str>,
    /// Type.
    pub ty: TypeId,
    /// Offset in bits.
    pub bit_offset: u32,
    /// Width in bits of a bit field, else 0.
    pub bit_width: u32,
}

/// A variable of a data section (`struct btf_var_secinfo`).
#[derive(Clone, Copy, Debug)]
pub struct DatasecVar {
    /// The variable, a type of [`Kind::Var`].
    pub var: TypeId,
    /// Offset in its section as BTF has it: compilers leave 0 for global variables, the symbol table knows better.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

/// A `.BTF` section.
#[derive(Clone, Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type starts, from type 1 on.
    starts: Vec<u32>,
    /// Data sections by name; the first one of a name counts.
    datasecs: BTreeMap<&'a [u8], TypeId>,
}

impl<'a> Btf<'a> {
    /// Reads the header and finds all types.
    ///
    /// # Errors
    /// A header that does not fit, a type that is cut short, a kind that this reader does not know (its length is unknown, so
    /// nothing behind it can be found).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let cut = || BtfError("the header is cut short".to_owned());
        match u16_at(bytes, 0).ok_or_else(cut)? {
            MAGIC => {}
            magic if magic == MAGIC.swap_bytes() => return Err(BtfError("it is big-endian".to_owned())),
            magic => return Err(BtfError(format!("its magic number is {magic:#06x}, not {MAGIC:#06x}"))),
        }
        let version = bytes.get(2).copied().ok_or_else(cut)?;
        if version != 1 {
            return Err(BtfError(format!("its version is {version}, not 1")));
        }
        let field = |at| u32_at(bytes, at).map(index).ok_or_else(cut);
        let header = field(4)?;
        let body = bytes.get(header..).filter(|_| header >= 24).ok_or_else(cut)?;
        let outside = |what: &str| BtfError(format!("its {what} lie outside of the section"));
        let types = part(body, field(8)?, field(12)?).ok_or_else(|| outside("types"))?;
        let strings = part(body, field(16)?, field(20)?).ok_or_else(|| outside("strings"))?;

        let mut btf = Btf { types, strings, starts: Vec::new(), datasecs: BTreeMap::new() };
        let mut at = 0_usize;
        while at < types.len() {
            let number = btf.starts.len().saturating_add(1);
            let ty = btf.type_at(TypeId(u32::try_from(number).unwrap_or(u32::MAX)), at).map_err(|kind| match kind {
                Some(kind) => BtfError(format!("type {number} is of the unknown kind {kind}")),
                None => BtfError(format!("type {number} is cut short")),
            })?;
            if ty.kind == Kind::Datasec
                && let Some(name) = btf.string_bytes(ty.name)
            {
                btf.datasecs.entry(name).or_insert(ty.id);
            }
            let end = ty.kind.extra(ty.count).and_then(|extra| ty.extra.checked_add(extra));
            let end = end.filter(|&end| end <= types.len());
            btf.starts.push(u32::try_from(at).map_err(|_| outside("types"))?);
            at = end.ok_or_else(|| BtfError(format!("type {number} is cut short")))?;
        }
        Ok(btf)
    }

    /// The fixed part at an offset; an error is an unknown kind, or `None` for a type that is cut short.
    fn type_at(&self, id: TypeId, at: usize) -> Result<Type, Option<u32>> {
        let fixed = part(self.types, at, 12).ok_or(None)?;
        let read = |offset| u32_at(fixed, offset).ok_or(None);
        let (name, info, size_or_type) = (read(0)?, read(4)?, read(8)?);
        let number = info >> 24 & 0x1f;
        let kind = Kind::from_number(number).filter(|&kind| kind != Kind::Void).ok_or(Some(number))?;
        let extra = at.checked_add(12).ok_or(None)?;
        Ok(Type { id, kind, count: info & 0xffff, flag: info >> 31 != 0, name, size_or_type, extra })
    }

    /// Number of types, `void` not counted.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// True if there is no type.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// A type by its number; `None` if there is none. Number 0 is [`Kind::Void`].
    pub fn get(&self, id: TypeId) -> Option<Type> {
        let Some(position) = id.0.checked_sub(1) else {
            return Some(Type { id, kind: Kind::Void, count: 0, flag: false, name: 0, size_or_type: 0, extra: 0 });
        };
        let start = self.starts.get(index(position))?;
        self.type_at(id, index(*start)).ok()
    }

    /// All types, ascending by number.
    pub fn types(&self) -> impl Iterator<Item = Type> + '_ {
        let numbers = 1..=u32::try_from(self.len()).unwrap_or(u32::MAX);
        numbers.filter_map(|number| self.get(TypeId(number)))
    }

    /// A string by its offset, bytes that are not UTF-8 replaced; `None` outside of the section.
    pub fn string(&self, offset: u32) -> Option<Cow<'a, str>> {
        Some(String::from_utf8_lossy(self.string_bytes(offset)?))
    }

    /// A string by its offset. Strings above 4 KiB count as absent, so that thousands of references into one long string cost
    /// little.
    pub(super) fn string_bytes(&self, offset: u32) -> Option<&'a [u8]> {
        let from = self.strings.get(index(offset)..)?;
        let end = from.iter().take(4096).position(|&byte| byte == 0)?;
        from.get(..end)
    }

    /// Name of a type; empty if anonymous.
    pub fn name(&self, ty: &Type) -> Cow<'a, str> {
        self.string(ty.name).unwrap_or(Cow::Borrowed(""))
    }

    fn extra_u32(&self, ty: &Type, offset: usize) -> Option<u32> {
        u32_at(self.types, ty.extra.checked_add(offset)?)
    }

    fn entry_u32(&self, ty: &Type, entry: u32, stride: usize, offset: usize) -> Option<u32> {
        self.extra_u32(ty, index(entry).checked_mul(stride)?.checked_add(offset)?)
    }

    /// Encoding and width of an integer: (signed, char, bool, offset in bits, width in bits).
    pub fn int(&self, ty: &Type) -> Option<(bool, bool, bool, u32, u32)> {
        let word = self.extra_u32(ty, 0).filter(|_| ty.kind == Kind::Int)?;
        let encoding = word >> 24;
        Some((encoding & 1 != 0, encoding & 2 != 0, encoding & 4 != 0, word >> 16 & 0xff, word & 0xff))
    }

    /// Element type and number of elements of an array.
    pub fn array(&self, ty: &Type) -> Option<(TypeId, u32)> {
        if ty.kind != Kind::Array {
            return None;
        }
        Some((TypeId(self.extra_u32(ty, 0)?), self.extra_u32(ty, 8)?))
    }

    /// Members of a struct or union; empty for other kinds.
    pub fn fields(&self, ty: &Type) -> impl Iterator<Item = Field<'a>> + '_ {
        let ty = *ty;
        let count = if matches!(ty.kind, Kind::Struct | Kind::Union) { ty.count } else { 0 };
        (0..count).filter_map(move |entry| {
            let offset = self.entry_u32(&ty, entry, 12, 8)?;
            let (bit_offset, bit_width) = if ty.flag { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
            Some(Field {
                name: self.string(self.entry_u32(&ty, entry, 12, 0)?)?,
                ty: TypeId(self.entry_u32(&ty, entry, 12, 4)?),
                bit_offset,
                bit_width,
            })
        })
    }

    /// Enumerators of an enum with their values; empty for other kinds. Unsigned 64-bit values keep their bits.
    pub fn enumerators(&self, ty: &Type) -> impl Iterator<Item = (Cow<'a, str>, i64)> + '_ {
        let ty = *ty;
        let count = if matches!(ty.kind, Kind::Enum | Kind::Enum64) { ty.count } else { 0 };
        (0..count).filter_map(move |entry| {
            let stride = if ty.kind == Kind::Enum { 8 } else { 12 };
            let name = self.string(self.entry_u32(&ty, entry, stride, 0)?)?;
            let low = self.entry_u32(&ty, entry, stride, 4)?;
            let value = match ty.kind {
                Kind::Enum if ty.flag => i64::from(i32::from_le_bytes(low.to_le_bytes())),
                Kind::Enum => i64::from(low),
                _ => {
                    let high = self.entry_u32(&ty, entry, stride, 8)?;
                    i64::from_le_bytes((u64::from(high) << 32 | u64::from(low)).to_le_bytes())
                }
            };
            Some((name, value))
        })
    }

    /// Types of the parameters of a function's prototype; empty for other kinds.
    pub fn params(&self, ty: &Type) -> impl Iterator<Item = TypeId> + '_ {
        let ty = *ty;
        let count = if ty.kind == Kind::FuncProto { ty.count } else { 0 };
        (0..count).filter_map(move |entry| Some(TypeId(self.entry_u32(&ty, entry, 8, 4)?)))
    }

    /// Variables of a data section; empty for other kinds.
    pub fn vars(&self, ty: &Type) -> impl Iterator<Item = DatasecVar> + '_ {
        let ty = *ty;
        let count = if ty.kind == Kind::Datasec { ty.count } else { 0 };
        (0..count).filter_map(move |entry| {
            Some(DatasecVar {
                var: TypeId(self.entry_u32(&ty, entry, 12, 0)?),
                offset: self.entry_u32(&ty, entry, 12, 4)?,
                size: self.entry_u32(&ty, entry, 12, 8)?,
            })
        })
    }

    /// True if a variable is static (`BTF_VAR_STATIC`): its offset in a data section is right as it stands.
    pub fn is_static_var(&self, ty: &Type) -> bool {
        ty.kind == Kind::Var && self.extra_u32(ty, 0) == Some(0)
    }

    /// True if a variable is only declared (`BTF_VAR_GLOBAL_EXTERN`).
    pub fn is_extern_var(&self, ty: &Type) -> bool {
        ty.kind == Kind::Var && self.extra_u32(ty, 0) == Some(2)
    }

    /// The data section with this name.
    pub fn datasec(&self, name: &str) -> Option<Type> {
        self.get(*self.datasecs.get(name.as_bytes())?)
    }

    /// Follows typedefs, qualifiers and type tags to the type itself. A circle of them gives `None`.
    pub fn resolve(&self, id: TypeId) -> Option<Type> {
        let mut ty = self.get(id)?;
        // A chain without a circle cannot be longer than the number of types; 64 is more than any compiler makes.
        for _ in 0..64 {
            match ty.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    ty = self.get(ty.target()?)?;
                }
                _ => return Some(ty),
            }
        }
        None
    }

    /// Size of a type in bytes, typedefs followed and arrays multiplied out; `None` for what has no size, does not fit 32
    /// bits or nests too deep.
    pub fn size(&self, id: TypeId) -> Option<u32> {
        let mut id = id;
        let mut factor = 1_u32;
        for _ in 0..64 {
            let ty = self.resolve(id)?;
            match ty.kind {
                Kind::Ptr => return factor.checked_mul(8),
                Kind::Array => {
                    let (element, count) = self.array(&ty)?;
                    factor = factor.checked_mul(count)?;
                    id = element;
                }
                _ => return factor.checked_mul(ty.own_size()?),
            }
        }
        None
    }
}
