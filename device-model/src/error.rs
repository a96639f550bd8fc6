//! What the device refuses.

use offwire_image::MapKind;
use offwire_isa::DecodeError;

use crate::id::{MapId, ProgramId};

/// Why an image was not loaded. All that was there before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Packets are in the device.
    #[error("packets are in flight")]
    Busy,
    /// The image was made for another ISA.
    #[error("the image has ISA version {image}, the device {device}")]
    IsaVersion {
        /// Of the image.
        image: u32,
        /// Of the device.
        device: u32,
    },
    /// The image was made for another profile.
    #[error("the image is for profile {image}, the device is {device}")]
    Profile {
        /// Name of the image's profile.
        image: String,
        /// Name of the device's profile.
        device: &'static str,
    },
    /// No code.
    #[error("the image has no words")]
    NoCode,
    /// More words than the instruction store holds.
    #[error("the image has {words} words, the instruction store holds {store}")]
    CodeSize {
        /// Words of the image.
        words: usize,
        /// Words of the store.
        store: u32,
    },
    /// The entry lies outside the code.
    #[error("the entry {entry} lies outside the {words} words")]
    Entry {
        /// Entry.
        entry: u16,
        /// Words of the image.
        words: usize,
    },
    /// A word that does not decode.
    #[error("word {address} does not decode: {why}")]
    BadWord {
        /// Its address.
        address: usize,
        /// The broken rule.
        why: DecodeError,
    },
    /// A request that this device does not have.
    #[error("word {address} makes a request that the device does not have: {request}")]
    Request {
        /// Its address.
        address: usize,
        /// The request, as the assembler writes it.
        request: &'static str,
    },
    /// A program that tail calls can go to starts outside the code.
    #[error("program {program} starts outside the {words} words")]
    Program {
        /// Its number.
        program: usize,
        /// Words of the image.
        words: usize,
    },
    /// An initial element that its map does not take, or that names no program or map.
    #[error("map {map} cannot have the initial element {key}")]
    Link {
        /// Map-table slot.
        map: u8,
        /// Key.
        key: u32,
    },
    /// A spin lock that cannot be there: outside the value, not at a multiple of 4 B, the second of its map, or in a map that is
    /// neither a hash map nor an array.
    #[error("the device has no spin lock at byte {offset} of the values of map {map}")]
    Lock {
        /// Map-table slot.
        map: u8,
        /// Byte offset in the value.
        offset: u32,
    },
    /// A packet would have no cycle to run.
    #[error("the image gives its packets no cycles")]
    NoBudget,
    /// Handles name at most 256 maps.
    #[error("the image has {maps} maps, a device holds {}", offwire_image::MAPS_MAX)]
    TooManyMaps {
        /// Maps of the image.
        maps: usize,
    },
    /// A map that the device cannot hold.
    #[error("map {name}: {why}")]
    Map {
        /// Name of the map.
        name: String,
        /// Why.
        why: MapRefusal,
    },
    /// The maps do not fit.
    #[error("the maps take {needed} B of map memory, the device has {available} B")]
    MapMemory {
        /// Bytes of all maps that are to be created, with their indices.
        needed: u64,
        /// Bytes of the device that are free.
        available: u32,
    },
    /// The device has no numbers for so many maps more.
    #[error("{maps} maps are to be created, the device has numbers for {free} more")]
    MapNumbers {
        /// Maps to be created.
        maps: usize,
        /// Numbers that are free.
        free: usize,
    },
    /// More maps are given than the image has.
    #[error("{given} maps are given, the image has {maps}")]
    MapsGiven {
        /// Maps given.
        given: usize,
        /// Maps of the image.
        maps: usize,
    },
    /// An existing map that cannot be the image's.
    #[error("map {map} cannot be map {slot} of the image: {what}")]
    Mismatch {
        /// Map-table slot of the image.
        slot: u8,
        /// The map.
        map: MapId,
        /// Why.
        what: Mismatch,
    },
    /// The maps of maps hold more maps than the program's map table has slots for.
    #[error("the maps of maps hold more maps than fit a map table of {}", offwire_image::MAPS_MAX)]
    InnerMaps,
    /// No gap of the instruction store is long enough.
    #[error("the image has {words} words, the longest gap of the instruction store {longest}")]
    StoreFull {
        /// Words of the image.
        words: usize,
        /// Words of the longest gap.
        longest: u32,
    },
    /// As many programs as there can be are loaded, or still being unloaded.
    #[error("a device holds {} programs", crate::geometry::PROGRAMS)]
    TooManyPrograms,
}

/// Why an existing map cannot be a map of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// There is no such map.
    #[error("there is none")]
    NoMap,
    /// The image has it in another slot already; a map has one slot in a map table.
    #[error("it is another map of the image already")]
    Twice,
    /// Its kind.
    #[error("another kind")]
    Kind,
    /// Its key size.
    #[error("another key size")]
    KeySize,
    /// Its value size.
    #[error("another value size")]
    ValueSize,
    /// Its number of entries.
    #[error("another number of entries")]
    MaxEntries,
    /// Its flags.
    #[error("other flags")]
    Flags,
    /// Where its values have a spin lock, or whether they have one.
    #[error("another place of the spin lock")]
    Lock,
    /// What its inner maps are like.
    #[error("other inner maps")]
    Inner,
    /// The image's map has constant contents; this one has others, or may get others.
    #[error("other contents, or contents that may change")]
    Contents,
    /// The elements of a program array name programs of the image that it was loaded with.
    #[error("a program array belongs to the image that it was loaded with")]
    ProgArray,
}

/// Why a map was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapCreateError {
    /// The device cannot hold such a map.
    #[error(transparent)]
    Refused(#[from] MapRefusal),
    /// Not enough map memory is free.
    #[error("the map takes {needed} B of map memory, {available} B are free")]
    Memory {
        /// Bytes of the map with its index.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// All numbers of maps are taken.
    #[error("a device holds {} maps", crate::geometry::MAPS)]
    TooMany,
    /// There cannot be a spin lock.
    #[error("the device has no spin lock at byte {0} of the values of such a map")]
    Lock(u32),
    /// An inner map for a map that has none, one that does not exist, or one that cannot stand in a map of maps.
    #[error("map {0} cannot be the type of the inner maps")]
    Inner(MapId),
    /// The elements of a program array name programs of an image; it is created with the image.
    #[error("a program array is created with the image whose programs it holds")]
    ProgArray,
}

/// Why a map was not freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapFreeError {
    /// There is no such map.
    #[error("there is no map {0}")]
    NoMap(MapId),
    /// It is in use.
    #[error("{programs} programs and {outers} elements of maps of maps hold the map")]
    InUse {
        /// Programs that hold it.
        programs: u32,
        /// Elements of maps of maps that name it.
        outers: u32,
    },
}

/// Why an operation on a program failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// There is no such program.
    #[error("there is no program {0}")]
    NoProgram(ProgramId),
    /// It is attached.
    #[error("the program is attached to port {port}")]
    Attached {
        /// The lowest of its ports.
        port: u16,
    },
}

/// Why a program was not attached or detached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Port number too high.
    #[error("there is no port {0}")]
    Port(u16),
    /// There is no such program.
    #[error("there is no program {0}")]
    NoProgram(ProgramId),
    /// No program is attached to the port.
    #[error("no program is attached to port {0}")]
    NotAttached(u16),
}

/// Why the device cannot hold a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapRefusal {
    /// A kind that this device does not have yet.
    #[error("the device has no maps of kind {}", .0.name())]
    Kind(MapKind),
    /// Flags that this device does not know.
    #[error("the device does not know the flags {0:#x}")]
    Flags(u32),
    /// No entries.
    #[error("max_entries is 0")]
    NoEntries,
    /// Key size that does not fit the kind.
    #[error("keys of {0} B do not fit the kind")]
    KeySize(u32),
    /// Value size outside 1 B to what a handle names.
    #[error("values of {0} B are not possible")]
    ValueSize(u32),
    /// More initial bytes than the value has.
    #[error("{init} B of initial contents for a value of {value_size} B")]
    InitSize {
        /// Bytes given.
        init: usize,
        /// Bytes possible.
        value_size: u32,
    },
    /// A ring buffer that is no power of two of whole pages, or larger than what a handle names of a record.
    #[error("a ring buffer of {0} B is not possible: a power of two from 4096 B to 16 MiB is")]
    RingSize(u32),
    /// More elements than a handle can name.
    #[error("{0} elements, a handle names 2^28")]
    Elements(u64),
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The cycle lies before now or before the last packet's.
    #[error("the packet arrives at cycle {cycle}, but the device is at {now}")]
    Past {
        /// Cycle of the packet.
        cycle: u64,
        /// First cycle that is still possible.
        now: u64,
    },
    /// The cycle lies 2^47 or more cycles after `load`.
    #[error("a device runs for 2^47 cycles, the packet arrives at cycle {0}")]
    Future(u64),
    /// Length outside 14 B to 3,520 B, what the kernel's test_run takes in one linear buffer.
    #[error("a packet has 14 to 3520 B, this one {0}")]
    Length(usize),
    /// No such vCPU.
    #[error("there is no vCPU {0}")]
    Vcpu(u16),
    /// The ingress FIFO was full behind packets that were offered before.
    #[error("the ingress FIFO was full")]
    Dropped,
    /// Port number too high.
    #[error("there is no port {0}")]
    Port(u16),
}

/// Why an operation of the control plane on a map failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// No such map.
    #[error("there is no map {0}")]
    NoMap(MapId),
    /// Wrong key length.
    #[error("the key has {given} B, the map's keys {expected}")]
    KeySize {
        /// Given.
        given: usize,
        /// Expected.
        expected: u32,
    },
    /// Wrong value length.
    #[error("the value has {given} B, the map's values {expected}")]
    ValueSize {
        /// Given.
        given: usize,
        /// Expected.
        expected: u32,
    },
    /// Wrong number of values.
    #[error("{given} values for a map with {expected} copies")]
    Values {
        /// Given.
        given: usize,
        /// Copies of the map.
        expected: u32,
    },
    /// No such vCPU.
    #[error("there is no vCPU {0}")]
    Vcpu(u16),
    /// Nobody can change the map.
    #[error("the map is frozen")]
    Frozen,
    /// `-ENOENT`.
    #[error("there is no such key")]
    NoSuchKey,
    /// `-EEXIST`.
    #[error("the key is there already")]
    Exists,
    /// `-E2BIG`.
    #[error("the map is full, or the index beyond its end")]
    Full,
    /// The value of a reference names no program, map or interface that may stand there.
    #[error("the value names nothing that may stand in the map")]
    Reference,
    /// `-EINVAL`.
    #[error("the map's kind cannot do this, or the flags are unknown")]
    Invalid,
}
