//! The registry of diagnostic codes. A code never changes its meaning and is never used again for something else.
//!
//! Ranges: 01xx object loading, 02xx BTF, 03xx verifier, 04xx compiler, 05xx image, 06xx device, 07xx captures and map
//! files, 08xx host kernel and reference interpreter, 09xx command line, 10xx devices behind their driver. Each range lives in a file of its own, each code
//! has a page in `docs/codes/`.

pub mod cli;
pub mod compiler;
pub mod data;
pub mod device;
pub mod driver;
pub mod host;
pub mod image;
pub mod object;
pub mod verify;

use serde::{Serialize, Serializer};
use std::fmt;

/// A stable diagnostic code, such as `OW0301`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OW{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What the registry knows of a code.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// A few words, as a heading.
    pub title: &'static str,
    /// The page (Markdown), as `offwire explain` prints it.
    pub page: &'static str,
}

/// Declares the codes of one range: `NAME = number, "title";`. The page is `docs/codes/OW<number>.md`.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $title:literal;)*) => {
        $(
            #[doc = $title]
            #[allow(clippy::zero_prefixed_literal, reason = "a code is four digits")]
            pub const $name: crate::Code = crate::Code($number);
        )*
        /// The entries of this range, in order.
        pub const ENTRIES: &[crate::codes::Entry] = &[
            $(crate::codes::Entry {
                code: $name,
                title: $title,
                page: include_str!(concat!("../../../docs/codes/OW", stringify!($number), ".md")),
            },)*
        ];
    };
}
pub(crate) use codes;

/// All codes, in order.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [
        object::ENTRIES,
        verify::ENTRIES,
        compiler::ENTRIES,
        image::ENTRIES,
        device::ENTRIES,
        data::ENTRIES,
        host::ENTRIES,
        cli::ENTRIES,
        driver::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// Finds a code by what a user types: `OW0301`, `ow0301`, `0301` or `301`.
pub fn find(text: &str) -> Option<&'static Entry> {
    let digits = text.trim().trim_start_matches(['O', 'o']).trim_start_matches(['W', 'w']);
    let number: u16 = digits.parse().ok()?;
    all().find(|entry| entry.code.0 == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_pages_start_with_their_code() {
        let mut last = 0;
        for entry in all() {
            assert!(entry.code.0 > last, "{} is out of order or used twice", entry.code);
            last = entry.code.0;
            let heading = format!("# {}: {}", entry.code, entry.title);
            assert!(entry.page.starts_with(&heading), "page of {} must start with {heading:?}", entry.code);
            assert!(entry.page.lines().count() > 3, "page of {} says nothing", entry.code);
        }
    }
}
