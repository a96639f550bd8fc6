//! The text of `hw/spec/isa.toml` as values, not yet checked.

use anyhow::Result;
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) isa: Isa,
    #[serde(rename = "enum")]
    pub(crate) enums: Vec<Enum>,
    #[serde(rename = "unit")]
    pub(crate) units: Vec<Unit>,
    pub(crate) alu: Ops,
    pub(crate) cmp: Ops,
    #[serde(rename = "function")]
    pub(crate) functions: Vec<Function>,
    pub(crate) metadata: Metadata,
    pub(crate) handle: Handle,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Isa {
    pub(crate) version: u32,
    pub(crate) status: String,
    pub(crate) word_bits: u32,
    pub(crate) registers: u32,
    pub(crate) code_address_bits: u32,
    pub(crate) stack_bytes: u32,
    pub(crate) scratch_bytes: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) bits: u32,
    pub(crate) doc: String,
    pub(crate) values: Vec<Value>,
}

/// One value of an enumeration, or one operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) code: u32,
    pub(crate) asm: String,
    pub(crate) doc: String,
    /// Only operations have one.
    #[serde(default)]
    pub(crate) sem: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) bits: String,
    #[serde(default)]
    pub(crate) sources: Vec<String>,
    pub(crate) doc: String,
    #[serde(default)]
    pub(crate) limits: String,
    #[serde(default)]
    pub(crate) rules: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ops {
    pub(crate) bits: u32,
    pub(crate) ops: Vec<Value>,
}

/// A pure function that is not an ALU or compare operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) args: String,
    pub(crate) bits: u32,
    #[serde(default, rename = "let")]
    pub(crate) lets: Vec<(String, String)>,
    pub(crate) sem: String,
    pub(crate) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) bytes: u32,
    pub(crate) fields: Vec<MetadataField>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetadataField {
    pub(crate) name: String,
    pub(crate) offset: u32,
    pub(crate) size: u32,
    pub(crate) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handle {
    pub(crate) doc: String,
    pub(crate) tag: u64,
}

/// Reads the file's text.
pub(crate) fn parse(text: &str) -> Result<Spec> {
    Ok(toml::from_str(text)?)
}
