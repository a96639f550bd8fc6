//! Generated from `hw/spec`; `cargo xtask codegen` writes it, a test compares it.
pub mod profiles;
pub mod word;
