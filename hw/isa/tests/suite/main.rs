//! Tests of the generated instruction set, one binary.

mod asm;
mod codec;
mod random;
mod rtl;
mod sem;
mod smt;
mod tool;
