//! Words as text, one a line: `Display` writes, `FromStr` reads. `docs/isa.md` tells the syntax.
//!
//! Idle units (all fields zero) are left out and every field that is not zero is written, so reading gives the same word back.

mod parse;
mod print;

use crate::DecodeError;
use std::fmt;

/// Why a text is not a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsmError {
    /// Byte in the text where the trouble starts.
    pub at: usize,
    /// What is wrong, in one clause.
    pub message: String,
    /// Set if the text was understood, but [`crate::Word::check`] refuses the word.
    pub cause: Option<DecodeError>,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.at + 1, self.message)
    }
}

impl std::error::Error for AsmError {}
