//! Reader of BTF, the type information of BPF objects (Documentation/bpf/btf.rst, include/uapi/linux/btf.h).
//!
//! [`Btf`] is a view of the bytes of `.BTF`: [`Btf::parse`] walks the types once and remembers where each one starts, all
//! else is read on demand. [`ext`] reads `.BTF.ext` (source lines, CO-RE relocations), [`tree`] copies a type out
//! into a [`crate::object::TypeRef`]. Nothing here trusts an offset or a count, nothing allocates more than the input is long.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

pub mod ext;
pub mod fixup;
pub mod tree;
mod view;

pub use view::{Btf, DatasecVar, Field, Kind, Type, TypeId};

/// Why BTF cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtfError(pub String);

impl std::fmt::Display for BtfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BtfError {}

/// Reads a little-endian `u32` at a byte offset.
fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// Reads a little-endian `u16` at a byte offset.
fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

/// A `u32` as an index; our hosts have at least 32 bits.
fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// `length` bytes from `offset`.
fn part(bytes: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(length)?)
}
