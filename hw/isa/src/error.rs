//! Why bits are not a word, or text is not one.

use crate::Src;
use std::fmt;

/// Why an encoded word, or a [`crate::Word`] on its way to one, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A bit that no field owns is one.
    Spare,
    /// The field holds a code that its enumeration lacks.
    Code {
        /// The field.
        field: &'static str,
        /// What it holds.
        code: u16,
    },
    /// The operand comes from behind the unit that selects it, or is unknown to it.
    Source {
        /// The field.
        field: &'static str,
        /// What it selects.
        source: Src,
    },
    /// The target is neither a code address nor an exit with return value 0 to 4.
    Target {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u16,
    },
    /// The field breaks a limit or rule of its unit.
    Limit {
        /// The field.
        field: &'static str,
        /// The limit, as the specification writes it.
        limit: &'static str,
    },
    /// A number does not fit the bits of its field (only from [`crate::Word::check`]).
    Range {
        /// The field.
        field: &'static str,
        /// The number.
        value: i32,
    },
}

impl DecodeError {
    /// The field that is wrong; "spare" for bits that no field owns.
    pub const fn field(&self) -> &'static str {
        match self {
            DecodeError::Spare => "spare",
            DecodeError::Code { field, .. }
            | DecodeError::Source { field, .. }
            | DecodeError::Target { field, .. }
            | DecodeError::Limit { field, .. }
            | DecodeError::Range { field, .. } => field,
        }
    }

    pub(crate) const fn code(field: &'static str, code: u64) -> Self {
        DecodeError::Code { field, code: code as u16 }
    }

    pub(crate) const fn target(field: &'static str, value: u64) -> Self {
        DecodeError::Target { field, value: value as u16 }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Spare => write!(f, "a spare bit is not zero"),
            DecodeError::Code { field, code } => write!(f, "field {field}: no code {code}"),
            DecodeError::Source { field, source } => {
                write!(f, "field {field}: this unit cannot select {}", source.asm())
            }
            DecodeError::Target { field, value } => {
                write!(f, "field {field}: {value:#x} is neither a code address nor an exit with 0 to 4")
            }
            DecodeError::Limit { field, limit } => write!(f, "field {field}: breaks `{limit}`"),
            DecodeError::Range { field, value } => write!(f, "field {field}: {value} does not fit"),
        }
    }
}

impl std::error::Error for DecodeError {}
