// Generated from hw/spec by `cargo xtask codegen`; do not edit.
//! Made of `hw/spec/regs.toml`.

#[rustfmt::skip]
mod consts;
#[rustfmt::skip]
pub mod desc;
#[rustfmt::skip]
mod enums;
#[rustfmt::skip]
pub mod reg;

pub use consts::*;
pub use enums::*;
