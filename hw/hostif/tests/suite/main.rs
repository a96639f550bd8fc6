//! Tests of the generated layouts; one binary, for the sake of build time.

mod layout;
mod rtl;
#[path = "../../../isa/tests/suite/tool.rs"]
mod tool;
