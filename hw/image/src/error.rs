//! Why bytes are not an image, or an image cannot run.

use crate::{MapKind, RawWord};
use offwire_isa::DecodeError;

/// What kind of trouble an [`ImageError`] is; each has a diagnostic code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The bytes are not an image (`OW0501`).
    Container,
    /// The image was made for another instruction set or profile (`OW0502`).
    Binding,
    /// The checker refuses the program (`OW0503`).
    Program,
}

/// Why bytes are not an image ([`crate::Image::from_bytes`]), or an image cannot run ([`crate::Image::validate`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The first bytes are not the magic number.
    #[error("this is no offwire image: it does not start with the magic number")]
    Magic,
    /// A container version that this code does not read.
    #[error("container version {found}; this version of offwire reads version {}", crate::CONTAINER_VERSION)]
    Version {
        /// Version in the header.
        found: u32,
    },
    /// The length in the header is not the length of the bytes.
    #[error("the image is {actual} bytes long, its header says {header}")]
    Length {
        /// Bytes, by the header.
        header: u64,
        /// Bytes given.
        actual: usize,
    },
    /// The digest does not match: the bytes were changed or damaged.
    #[error("the SHA-256 digest does not match the contents: the image is damaged")]
    Digest,
    /// A part ends before its contents do.
    #[error("{part}: cut short")]
    Short {
        /// Header, section table or a section.
        part: &'static str,
    },
    /// A part has bytes that mean nothing, or that must be zero and are not.
    #[error("{part}: bytes left over or not zero where they must be")]
    Stray {
        /// Header, section table or a section.
        part: &'static str,
    },
    /// The section table does not list the sections of this container version, in order and without gaps.
    #[error("section table: entry {index} is not what must stand there")]
    Table {
        /// Number of the entry, from 0.
        index: usize,
    },
    /// A text is not UTF-8.
    #[error("{part}: a text is not UTF-8")]
    Text {
        /// The section.
        part: &'static str,
    },
    /// A number that stands for nothing.
    #[error("{part}: {value} is not a {what}")]
    Code {
        /// The section.
        part: &'static str,
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: u32,
    },

    /// Another version of the instruction set.
    #[error("the image has instruction set version {found}, this device has {}", offwire_isa::ISA_VERSION)]
    IsaVersion {
        /// The image's.
        found: u32,
    },
    /// No profile has this name.
    #[error("no profile is called {name:?}")]
    NoProfile {
        /// The name.
        name: String,
    },
    /// The profile has changed since the image was made.
    #[error("profile {name} has changed since the image was made (its hash was {image:#018x}, is {now:#018x})")]
    ProfileHash {
        /// The name.
        name: String,
        /// Hash in the image.
        image: u64,
        /// Hash now.
        now: u64,
    },

    /// A call whose `t2` something else needs as well.
    #[error("word {address}: a call needs t2 for itself: no guard, compare 2 or null test beside it")]
    Call {
        /// Address of the word.
        address: usize,
    },
    /// An initial element that names nothing, or stands nowhere.
    #[error("map {map}: the initial element {to} at key {key} is none that the map can hold")]
    Link {
        /// Map-table slot.
        map: u8,
        /// Key.
        key: u32,
        /// Program or map.
        to: u32,
    },
    /// A spin lock outside of the values of its map.
    #[error("map {map}: there cannot be a spin lock at offset {offset} of its values")]
    Lock {
        /// Map-table slot.
        map: u8,
        /// Byte offset.
        offset: u32,
    },
    /// No words.
    #[error("the program has no words")]
    Empty,
    /// More words than the instruction store has.
    #[error("the program has {words} words, the instruction store of profile {profile} {store}")]
    TooLong {
        /// Words of the program.
        words: usize,
        /// The profile's name.
        profile: String,
        /// Words of the store.
        store: u32,
    },
    /// A word that is none.
    #[error("word {address}: {cause} (bytes {})", hex(.bytes))]
    Word {
        /// Its address.
        address: usize,
        /// The bytes.
        bytes: Box<RawWord>,
        /// What is wrong.
        cause: DecodeError,
    },
    /// A word goes on behind the program's end.
    #[error("word {address}: {field} is {target}, but the program has {words} words")]
    Target {
        /// The word's address.
        address: usize,
        /// The field.
        field: &'static str,
        /// Where it goes.
        target: u16,
        /// Words of the program.
        words: usize,
    },
    /// The entry is behind the program's end.
    #[error("the entry is {entry}, but the program has {words} words")]
    Entry {
        /// The entry.
        entry: u16,
        /// Words of the program.
        words: usize,
    },
    /// A request names a map-table slot that does not exist.
    #[error("word {address}: map slot {slot} does not exist, the image has {maps} maps")]
    NoMap {
        /// The word's address.
        address: usize,
        /// The slot.
        slot: u8,
        /// Maps of the image.
        maps: usize,
    },
    /// A request that maps of this kind cannot serve.
    #[error("word {address}: {request} on map slot {slot}, which is {} {}", if *.frozen { "a frozen" } else { "of kind" }, .kind.name())]
    Request {
        /// The word's address.
        address: usize,
        /// The request, in assembler's words.
        request: &'static str,
        /// The slot.
        slot: u8,
        /// The map's kind.
        kind: MapKind,
        /// True if the map is frozen and the request would change it.
        frozen: bool,
    },
    /// More maps than handles can name.
    #[error("the image has {maps} maps, a handle can name {}", crate::MAPS_MAX)]
    TooManyMaps {
        /// Maps of the image.
        maps: usize,
    },
    /// A map that makes no sense.
    #[error("map {slot} ({name}): {what}")]
    Map {
        /// Its slot.
        slot: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A budget of zero cycles or above the profile's.
    #[error("the packet budget is {cycles} cycles; it must be 1 to {max}")]
    Budget {
        /// The image's.
        cycles: u32,
        /// The profile's `packet_cycles_max`.
        max: u32,
    },
    /// The debug table is neither empty nor one entry a word, or an entry does not ascend.
    #[error("the debug table does not fit the words")]
    Debug,
}

impl ImageError {
    /// What kind of trouble it is.
    pub const fn class(&self) -> Class {
        use ImageError::*;
        match self {
            Magic
            | Version { .. }
            | Length { .. }
            | Digest
            | Short { .. }
            | Stray { .. }
            | Table { .. }
            | Text { .. }
            | Code { .. } => Class::Container,
            IsaVersion { .. } | NoProfile { .. } | ProfileHash { .. } => Class::Binding,
            Empty
            | Call { .. }
            | Link { .. }
            | Lock { .. }
            | TooLong { .. }
            | Word { .. }
            | Target { .. }
            | Entry { .. }
            | NoMap { .. }
            | Request { .. }
            | TooManyMaps { .. }
            | Map { .. }
            | Budget { .. }
            | Debug => Class::Program,
        }
    }
}

fn hex(bytes: &RawWord) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
