//! The table of fields, for tools and tests that treat all fields alike.

/// One field of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as in [`crate::Word`].
    pub name: &'static str,
    /// The unit of the pipe that it belongs to.
    pub unit: &'static str,
    /// Its lowest bit in the word.
    pub low: u16,
    /// Its width in bits, 1 to 16.
    pub width: u8,
    /// What it holds.
    pub kind: FieldKind,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// One bit.
    Flag,
    /// A number without sign.
    Unsigned,
    /// A number in two's complement.
    Signed,
    /// One of these codes.
    Codes(&'static [u8]),
    /// Where to go on: [`crate::Target`].
    Target,
}
