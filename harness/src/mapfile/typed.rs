//! Keys and values between bytes and JSON, by their BTF type.

use super::json::Json;
use offload_compiler::object::{Member, TypeRef};

/// What does not fit, and where: "ports.[3]".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) member: String,
    pub(super) what: String,
}

impl Misfit {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { member: String::new(), what: what.into() }
    }

    pub(super) fn inside(mut self, name: &str) -> Self {
        self.member = format!("{name}{}{}", gap(&self.member), self.member);
        self
    }
}

/// What stands between a place and the member inside of it.
pub(super) fn gap(member: &str) -> &'static str {
    if member.is_empty() || member.starts_with('[') { "" } else { "." }
}

/// Size of a type in bytes; saturates.
pub(super) fn size_of(ty: &TypeRef) -> u64 {
    match ty {
        TypeRef::Int { size, .. }
        | TypeRef::Enum { size, .. }
        | TypeRef::Struct { size, .. }
        | TypeRef::Union { size, .. }
        | TypeRef::Opaque { size, .. } => u64::from(*size),
        TypeRef::Array { element, count } => size_of(element).saturating_mul(u64::from(*count)),
    }
}

/// Bytes of a key or value of `size` bytes, from its typed form or from an array of all its bytes.
pub(super) fn to_bytes(json: &Json, ty: Option<&TypeRef>, size: usize) -> Result<Vec<u8>, Misfit> {
    let ty = ty.filter(|ty| size_of(ty) == size as u64);
    match (json, ty) {
        (Json::Array(items), Some(TypeRef::Array { count, .. })) if items.len() == *count as usize => {}
        (Json::Array(items), _) => return byte_array(items, size),
        (_, None) => {
            let what =
                format!("BTF does not tell its type, so it must be an array of {size} bytes, not {}", json.kind());
            return Err(Misfit::new(what));
        }
        _ => {}
    }
    let mut image = Image { bytes: vec![0; size], set: vec![0; size] };
    if let Some(ty) = ty {
        image.put(json, ty, 0, 0)?;
    }
    Ok(image.bytes)
}

/// The typed form, if it says all; otherwise the bytes, as bpftool prints them.
pub(super) fn from_bytes(bytes: &[u8], ty: Option<&TypeRef>) -> Json {
    if let Some(ty) = ty
        && size_of(ty) == bytes.len() as u64
        && let Some(json) = typed(bytes, ty, 0, 0)
        && to_bytes(&json, Some(ty), bytes.len()).as_deref() == Ok(bytes)
    {
        return json;
    }
    raw(bytes)
}

fn raw(bytes: &[u8]) -> Json {
    Json::Array(bytes.iter().map(|byte| Json::String(format!("0x{byte:02x}"))).collect())
}

fn byte_array(items: &[Json], size: usize) -> Result<Vec<u8>, Misfit> {
    if items.len() != size {
        return Err(Misfit::new(format!("an array of {} items, but it has {size} bytes", items.len())));
    }
    let byte = |item: &Json| u8::try_from(integer(item)?).ok();
    let all = items.iter().enumerate();
    all.map(|(at, item)| byte(item).ok_or_else(|| Misfit::new("not a byte (0 to 255)").inside(&format!("[{at}]"))))
        .collect()
}

/// An integer, as number or as decimal or hexadecimal string.
fn integer(json: &Json) -> Option<i128> {
    match json {
        Json::Unsigned(value) => Some(i128::from(*value)),
        Json::Signed(value) => Some(i128::from(*value)),
        Json::String(text) => {
            let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
            let (hex, decimal) = (digits.strip_prefix("0x"), digits);
            let plain = |digits: &str| digits.starts_with(|c: char| c.is_ascii_hexdigit());
            let value = match hex {
                // All 128 bits may be set.
                Some(hex) if plain(hex) => u128::from_str_radix(hex, 16).ok()? as i128,
                None if plain(decimal) => decimal.parse().ok()?,
                _ => return None,
            };
            Some(if negative { value.checked_neg()? } else { value })
        }
        _ => None,
    }
}

/// True for an array that C would take a string literal for.
fn is_char_array(element: &TypeRef) -> bool {
    matches!(element, TypeRef::Int { size: 1, is_char, is_bool: false, name, .. } if *is_char || name == "char")
}

/// Bytes under construction; `set` has a one for each bit that a member has given.
struct Image {
    bytes: Vec<u8>,
    set: Vec<u8>,
}

impl Image {
    /// Puts a value of `ty` at a bit offset; `bit_width` is not 0 for a bit field.
    fn put(&mut self, json: &Json, ty: &TypeRef, bit_offset: u64, bit_width: u32) -> Result<(), Misfit> {
        match ty {
            TypeRef::Int { name, size, signed, is_bool, .. } => {
                let value = match json {
                    Json::Bool(value) if *is_bool => Some(i128::from(*value)),
                    _ => integer(json),
                };
                let Some(value) = value else {
                    return Err(Misfit::new(format!("{} where {name} is an integer", json.kind())));
                };
                // Hexadecimal is taken as a bit pattern.
                let pattern = matches!(json, Json::String(text) if text.starts_with("0x"));
                self.put_number(value, *size, bit_offset, bit_width, *signed, pattern)
            }
            TypeRef::Enum { name, size, signed, values } => {
                let by_name = match json {
                    Json::String(text) => values.iter().find(|(name, _)| name == text).map(|(_, value)| *value),
                    _ => None,
                };
                let Some(value) = by_name.map(i128::from).or_else(|| integer(json)) else {
                    let text = if let Json::String(text) = json { format!("{text:?}") } else { json.kind().into() };
                    return Err(Misfit::new(format!("{text} is no value of enum {name}")));
                };
                // The values of an unsigned 64-bit enum above i64 stand as negative numbers in `values`.
                let wraps = by_name.is_some() && !*signed && value < 0;
                let value = if wraps { i128::from(value as i64 as u64) & (mask(*size * 8) as i128) } else { value };
                self.put_number(value, *size, bit_offset, bit_width, *signed, false)
            }
            TypeRef::Array { element, count } => {
                let step = size_of(element).saturating_mul(8);
                if let (Json::String(text), true) = (json, is_char_array(element)) {
                    if text.len() > *count as usize {
                        return Err(Misfit::new(format!("a string of {} bytes for char[{count}]", text.len())));
                    }
                    let mut bytes = text.as_bytes().to_vec();
                    bytes.resize(*count as usize, 0);
                    return self.put_bits(&bytes, bit_offset, u64::from(*count) * 8);
                }
                let Json::Array(items) = json else {
                    return Err(Misfit::new(format!("{} where an array of {count} is wanted", json.kind())));
                };
                if items.len() != *count as usize {
                    return Err(Misfit::new(format!("an array of {} items, not {count}", items.len())));
                }
                for (at, item) in items.iter().enumerate() {
                    let offset = bit_offset.saturating_add(step.saturating_mul(at as u64));
                    self.put(item, element, offset, 0).map_err(|misfit| misfit.inside(&format!("[{at}]")))?;
                }
                Ok(())
            }
            TypeRef::Struct { name, members, .. } | TypeRef::Union { name, members, .. } => {
                let Json::Object(given) = json else {
                    let what = if matches!(ty, TypeRef::Union { .. }) { "union" } else { "struct" };
                    return Err(Misfit::new(format!("{} where {what} {name} is an object", json.kind())));
                };
                for (at, (name, _)) in given.iter().enumerate() {
                    if given.iter().take(at).any(|(earlier, _)| earlier == name) {
                        return Err(Misfit::new("given twice").inside(name));
                    }
                    if !has_member(members, name) {
                        return Err(Misfit::new("no such member").inside(name));
                    }
                }
                let is_union = matches!(ty, TypeRef::Union { .. });
                match self.put_members(given, members, is_union, bit_offset)? {
                    false if !members.is_empty() => Err(Misfit::new("no member is given")),
                    _ => Ok(()),
                }
            }
            TypeRef::Opaque { size, .. } => {
                let Json::Array(items) = json else {
                    return Err(Misfit::new(format!("{} where an array of {size} bytes is wanted", json.kind())));
                };
                let bytes = byte_array(items, *size as usize)?;
                self.put_bits(&bytes, bit_offset, u64::from(*size) * 8)
            }
        }
    }

    /// Puts the members that are given; false if there is none. A struct wants all of them, a union at least one.
    fn put_members(
        &mut self,
        given: &[(String, Json)],
        members: &[Member],
        is_union: bool,
        base: u64,
    ) -> Result<bool, Misfit> {
        let mut any = false;
        let mut missing = None;
        for member in members {
            let offset = base.saturating_add(u64::from(member.bit_offset));
            let found = match (&member.ty, member.name.as_str()) {
                // Members of an anonymous aggregate are the parent's, as in C.
                (TypeRef::Struct { members, .. }, "") => self.put_members(given, members, false, offset)?,
                (TypeRef::Union { members, .. }, "") => self.put_members(given, members, true, offset)?,
                (ty, name) => match given.iter().find(|(given, _)| given == name) {
                    Some((_, json)) => {
                        self.put(json, ty, offset, member.bit_width).map_err(|misfit| misfit.inside(name))?;
                        true
                    }
                    None => false,
                },
            };
            any |= found;
            if !found && !is_empty(&member.ty) {
                missing = missing.or_else(|| first_name(member));
            }
        }
        match missing {
            Some(name) if any && !is_union => Err(Misfit::new("not given").inside(&name)),
            _ => Ok(any),
        }
    }

    fn put_number(
        &mut self,
        value: i128,
        size: u32,
        bit_offset: u64,
        bit_width: u32,
        signed: bool,
        pattern: bool,
    ) -> Result<(), Misfit> {
        let bits = if bit_width == 0 { size.saturating_mul(8) } else { bit_width };
        let fits = match (bits, signed && !pattern) {
            (1..=126, true) => value >= -(1i128 << (bits - 1)) && value < 1i128 << (bits - 1),
            (1..=126, false) => (0..1i128 << bits).contains(&value),
            (127.., true) => true,
            (127.., false) => value >= 0 || pattern,
            (0, _) => false,
        };
        if !fits {
            let sign = if signed { "a signed" } else { "an unsigned" };
            return Err(Misfit::new(format!("{value} does not fit {sign} integer of {bits} bits")));
        }
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.resize((bits as usize).div_ceil(8), if value < 0 { 0xff } else { 0 });
        self.put_bits(&bytes, bit_offset, u64::from(bits))
    }

    /// Puts the low `width` bits of `from` at a bit offset. Bits that another member of a union has set must agree.
    fn put_bits(&mut self, from: &[u8], offset: u64, width: u64) -> Result<(), Misfit> {
        for bit in 0..width {
            let at = offset.saturating_add(bit);
            let (Some(to), Some(set)) = (self.bytes.get_mut((at / 8) as usize), self.set.get_mut((at / 8) as usize))
            else {
                return Err(Misfit::new("it stands outside its type"));
            };
            let one = from.get((bit / 8) as usize).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
            let place = 1u8 << (at % 8);
            if *set & place != 0 && (*to & place != 0) != one {
                return Err(Misfit::new("it overlaps another member of the union and differs from it"));
            }
            *set |= place;
            *to = if one { *to | place } else { *to & !place };
        }
        Ok(())
    }
}

fn is_empty(ty: &TypeRef) -> bool {
    size_of(ty) == 0
        || matches!(ty, TypeRef::Struct { members, .. } | TypeRef::Union { members, .. } if members.is_empty())
}

fn has_member(members: &[Member], name: &str) -> bool {
    members.iter().any(|member| match (&member.ty, member.name.as_str()) {
        (TypeRef::Struct { members, .. } | TypeRef::Union { members, .. }, "") => has_member(members, name),
        (_, own) => own == name,
    })
}

/// Name of a member or of the first named one inside.
fn first_name(member: &Member) -> Option<String> {
    match (&member.ty, member.name.as_str()) {
        (TypeRef::Struct { members, .. } | TypeRef::Union { members, .. }, "") => members.iter().find_map(first_name),
        (_, name) => Some(name.to_string()),
    }
}

/// All ones in the low `bits` bits.
fn mask(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |top| top - 1)
}

/// Up to 128 bits at a bit offset; `None` outside.
fn get_bits(bytes: &[u8], offset: u64, width: u32) -> Option<u128> {
    let mut value = 0u128;
    for bit in 0..width.min(128) {
        let at = offset.checked_add(u64::from(bit))?;
        let byte = bytes.get(usize::try_from(at / 8).ok()?)?;
        value |= u128::from(byte >> (at % 8) & 1) << bit;
    }
    Some(value)
}

/// The typed form of the value at a bit offset; `None` if the type does not fit the bytes.
fn typed(bytes: &[u8], ty: &TypeRef, offset: u64, bit_width: u32) -> Option<Json> {
    let number = |size: u32, signed: bool| {
        let bits = if bit_width == 0 { size.checked_mul(8)? } else { bit_width };
        let value = get_bits(bytes, offset, bits)?;
        if bits > 64 {
            return (bits <= 128).then(|| Json::String(format!("0x{value:x}")));
        }
        let negative = signed && bits > 0 && value >> (bits - 1) & 1 == 1;
        Some(if negative { Json::Signed((value | !mask(bits)) as i64) } else { Json::Unsigned(value as u64) })
    };
    Some(match ty {
        TypeRef::Int { size, signed, is_bool, .. } => match number(*size, *signed)? {
            Json::Unsigned(0) if *is_bool => Json::Bool(false),
            Json::Unsigned(1) if *is_bool => Json::Bool(true),
            other => other,
        },
        TypeRef::Enum { size, signed, values, .. } => {
            let plain = number(*size, *signed)?;
            let value = match plain {
                Json::Unsigned(value) => value as i64,
                Json::Signed(value) => value,
                _ => return Some(plain),
            };
            values.iter().find(|(_, known)| *known == value).map_or(plain, |(name, _)| Json::String(name.clone()))
        }
        TypeRef::Array { element, count } => {
            let step = size_of(element).checked_mul(8)?;
            if is_char_array(element)
                && offset.is_multiple_of(8)
                && let Some(text) = text(bytes, offset / 8, *count)
            {
                return Some(Json::String(text));
            }
            let items =
                (0..u64::from(*count)).map(|at| typed(bytes, element, offset.checked_add(step.checked_mul(at)?)?, 0));
            Json::Array(items.collect::<Option<_>>()?)
        }
        TypeRef::Struct { members, .. } => {
            let mut out = Vec::new();
            for member in members {
                add_member(&mut out, bytes, member, offset)?;
            }
            Json::Object(out)
        }
        TypeRef::Union { members, .. } => {
            let mut out = Vec::new();
            if let Some(member) = widest(members) {
                add_member(&mut out, bytes, member, offset)?;
            }
            Json::Object(out)
        }
        TypeRef::Opaque { size, .. } => {
            let start = usize::try_from(offset / 8).ok()?;
            raw(bytes.get(start..start.checked_add(*size as usize)?)?)
        }
    })
}

fn add_member(out: &mut Vec<(String, Json)>, bytes: &[u8], member: &Member, base: u64) -> Option<()> {
    let offset = base.checked_add(u64::from(member.bit_offset))?;
    match (&member.ty, member.name.as_str()) {
        (TypeRef::Struct { .. } | TypeRef::Union { .. }, "") => {
            if let Json::Object(inner) = typed(bytes, &member.ty, offset, 0)? {
                out.extend(inner);
            }
        }
        (ty, name) => out.push((name.to_string(), typed(bytes, ty, offset, member.bit_width)?)),
    }
    Some(())
}

/// The member of a union that says most: the first of the largest.
fn widest(members: &[Member]) -> Option<&Member> {
    members.iter().rev().max_by_key(|member| size_of(&member.ty))
}

/// A char array as bpftool's `is_str_array` sees it: printable up to a NUL; and, so that nothing is lost, only zeros behind.
fn text(bytes: &[u8], start: u64, count: u32) -> Option<String> {
    let start = usize::try_from(start).ok()?;
    let chars = bytes.get(start..start.checked_add(count as usize)?)?;
    let end = chars.iter().position(|&b| b == 0)?;
    let (text, rest) = chars.split_at_checked(end)?;
    let printable = text.iter().all(|&b| (0x20..0x7f).contains(&b)) && rest.iter().all(|&b| b == 0);
    printable.then(|| text.iter().map(|&b| char::from(b)).collect())
}
