// Generated from hw/spec by `cargo xtask codegen`; do not edit.
//! What `cargo xtask codegen` makes from `hw/spec`; a test compares it.

#[rustfmt::skip]
pub(crate) mod codec;
#[rustfmt::skip]
pub(crate) mod consts;
#[rustfmt::skip]
pub(crate) mod enums;
#[rustfmt::skip]
pub(crate) mod fields;
#[rustfmt::skip]
pub(crate) mod profiles;
#[rustfmt::skip]
pub(crate) mod sem;
#[rustfmt::skip]
pub(crate) mod word;
