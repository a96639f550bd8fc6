//! The program image: all that driver and device need to know of a program.
//!
//! An [`Image`] is bound to an ISA version and a profile (by hash), carries encoded words, the map table, initial map
//! contents, the dispatch mode with its reason, and debug tables that map words back to eBPF instructions. [`Image::to_bytes`]
//! and [`Image::from_bytes`] are its container: a fixed header, a section table, sections, and a SHA-256 digest, which is
//! integrity, not authority. Reading is total: any bytes give an image or an [`ImageError`].
#![forbid(unsafe_code)]

mod check;
mod container;
mod error;

pub use check::{ELEMENTS_MAX, MAPS_MAX, VALUE_BYTES_MAX};
pub use container::{CONTAINER_VERSION, MAGIC};
pub use error::{Class, ImageError};

use offwire_isa::CodeAddr;

/// One encoded word: 288 bits, bit 0 of the word in bit 0 of byte 0.
pub type RawWord = [u8; 36];

/// How packets are kept apart in time; see the compiler's proof in [`Dispatch::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DispatchMode {
    /// The packets of one vCPU run one at a time, in arrival order: what a kernel with RSS gives. Always legal.
    Cpu,
    /// One packet at a time per order bucket (flow).
    Flow,
    /// No serialisation.
    Any,
}

impl DispatchMode {
    /// All modes, strictest first.
    pub const ALL: [DispatchMode; 3] = [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any];

    /// The number in the container.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The mode with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(DispatchMode::Cpu),
            1 => Some(DispatchMode::Flow),
            2 => Some(DispatchMode::Any),
            _ => None,
        }
    }

    /// The word that users write: `cpu`, `flow` or `any`.
    pub const fn name(self) -> &'static str {
        match self {
            DispatchMode::Cpu => "cpu",
            DispatchMode::Flow => "flow",
            DispatchMode::Any => "any",
        }
    }
}

/// The loosest dispatch mode that the compiler could prove, and why not a looser one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The mode.
    pub mode: DispatchMode,
    /// One sentence for the user.
    pub reason: String,
}

/// Kinds of maps. Numbers are the kernel's `enum bpf_map_type` (include/uapi/linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum MapKind {
    Hash = 1,
    Array = 2,
    ProgArray = 3,
    PerfEventArray = 4,
    PercpuHash = 5,
    PercpuArray = 6,
    LruHash = 9,
    LpmTrie = 11,
    ArrayOfMaps = 12,
    HashOfMaps = 13,
    Devmap = 14,
    Cpumap = 16,
    Xskmap = 17,
    DevmapHash = 25,
    Ringbuf = 27,
}

impl MapKind {
    /// The kind with the kernel's number, if offwire knows it.
    pub fn from_kernel(number: u32) -> Option<Self> {
        use MapKind::*;
        [
            Hash,
            Array,
            ProgArray,
            PerfEventArray,
            PercpuHash,
            PercpuArray,
            LruHash,
            LpmTrie,
            ArrayOfMaps,
            HashOfMaps,
            Devmap,
            Cpumap,
            Xskmap,
            DevmapHash,
            Ringbuf,
        ]
        .into_iter()
        .find(|&kind| kind as u32 == number)
    }

    /// True if each CPU has its own copy of a value.
    pub fn is_per_cpu(self) -> bool {
        matches!(self, MapKind::PercpuHash | MapKind::PercpuArray)
    }

    /// bpftool's word for the kind ("percpu_array").
    pub fn name(self) -> &'static str {
        match self {
            MapKind::Hash => "hash",
            MapKind::Array => "array",
            MapKind::ProgArray => "prog_array",
            MapKind::PerfEventArray => "perf_event_array",
            MapKind::PercpuHash => "percpu_hash",
            MapKind::PercpuArray => "percpu_array",
            MapKind::LruHash => "lru_hash",
            MapKind::LpmTrie => "lpm_trie",
            MapKind::ArrayOfMaps => "array_of_maps",
            MapKind::HashOfMaps => "hash_of_maps",
            MapKind::Devmap => "devmap",
            MapKind::Cpumap => "cpumap",
            MapKind::Xskmap => "xskmap",
            MapKind::DevmapHash => "devmap_hash",
            MapKind::Ringbuf => "ringbuf",
        }
    }
}

/// One map of the program; its position in [`Image::maps`] is its map-table slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Name, as in the object.
    pub name: String,
    /// Kind.
    pub kind: MapKind,
    /// Key size in bytes.
    pub key_size: u32,
    /// Value size in bytes, as declared (the kernel's per-CPU stride is rounded up to 8; ours is not visible).
    pub value_size: u32,
    /// Most entries.
    pub max_entries: u32,
    /// Creation flags, the kernel's `BPF_F_*` bits.
    pub flags: u32,
    /// Initial contents of element 0 of an array (`.data`, `.rodata`, `.bss`); empty: zeros. Length is at most `value_size`.
    pub init: Vec<u8>,
    /// True if the program cannot change it and neither can the user once loaded (`.rodata`).
    pub frozen: bool,
}

/// A program that tail calls can go to; its position in [`Image::programs`] is its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramEntry {
    /// Its name (C function).
    pub name: String,
    /// Where it starts.
    pub entry: CodeAddr,
}

/// An initial element of a map that holds programs or maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Map-table slot of the program array, array of maps or hash of maps.
    pub map: u8,
    /// Key.
    pub key: u32,
    /// Number of a program, or map-table slot of a map.
    pub to: u32,
}

/// Where a map's values hold a `struct bpf_spin_lock`: updates leave its 4 bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Map-table slot.
    pub map: u8,
    /// Byte offset in the value.
    pub offset: u32,
}

/// A program, ready for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// ISA version (`offwire_isa::ISA_VERSION`).
    pub isa_version: u32,
    /// Profile name, for messages.
    pub profile: String,
    /// [`offwire_isa::Profile::hash`] of the profile it was compiled for.
    pub profile_hash: u64,
    /// Program name (C function).
    pub name: String,
    /// The code.
    pub words: Vec<RawWord>,
    /// Where a packet starts.
    pub entry: CodeAddr,
    /// Map table.
    pub maps: Vec<MapSpec>,
    /// Programs that tail calls can go to, this one among them if it is one.
    pub programs: Vec<ProgramEntry>,
    /// Initial elements of program arrays and maps of maps.
    pub links: Vec<Link>,
    /// Spin locks in map values.
    pub locks: Vec<Lock>,
    /// Dispatch mode and its reason.
    pub dispatch: Dispatch,
    /// Cycles that a packet may take, sleep included.
    pub budget_cycles: u32,
    /// For each word the eBPF instructions that it does work for, ascending; may be empty. Debug only.
    pub word_insns: Vec<Vec<u32>>,
}
