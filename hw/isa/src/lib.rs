//! The contract between compiler and device: one microcode [`Word`], its 288-bit encoding, its text form, the meaning of its
//! pure operations, and the [`Profile`]s of the device.
//!
//! Everything here is made from `hw/spec/*.toml`; see `docs/isa.md` for the prose. A word is a row of fields, one group a
//! unit of the pipe; the order in which the units see each other is told there and lived by in `device-model`.
//!
//! This crate knows nobody of ours and does no I/O.
#![forbid(unsafe_code)]

mod asm;
mod bits;
mod error;
mod field;
#[path = "gen/mod.rs"]
mod generated;
mod handle;
mod operand;
mod profile;
mod request;

pub use asm::AsmError;
pub use error::DecodeError;
pub use field::{Field, FieldKind};
pub use generated::consts::*;
pub use generated::enums::{AluOp, Base, CmpOp, RequestOp, Space, Src, StoreOp};
pub use generated::fields::FIELDS;
pub use generated::profiles::{PROFILES, SMALL, X16, X64};
pub use generated::sem::{extract, insert};
pub use generated::word::Word;
pub use handle::{Handle, MapPointer};
pub use operand::{CodeAddr, Read, Target};
pub use profile::Profile;
pub use request::{
    KeyUse, MapUse, POINTER_FLAGS, PRINTK_ARGUMENT_BYTES, PRINTK_ARGUMENTS, PRINTK_TEXT, PRINTK_TEXT_BYTES, Shape,
    ValueUse,
};
