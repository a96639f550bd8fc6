//! The loaded object: programs, maps and lines, all relocations resolved.

use crate::ebpf::{Insn, InsnIdx};
use offwire_diag::{Diagnostic, Span};
use offwire_image::MapSpec;

/// An ELF object, loaded.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its XDP programs, in file order.
    pub programs: Vec<Program>,
    /// All its maps, in symbol-value order; global data sections come as arrays with one element and initial contents.
    pub maps: Vec<Map>,
    /// Contents of the `license` section, without the final NUL; empty if there is none.
    pub license: String,
    /// What was odd but did not stop the load.
    pub warnings: Vec<Diagnostic>,
}

/// One map with what BTF says of its types.
#[derive(Clone, Debug)]
pub struct Map {
    /// All that the device needs to know.
    pub spec: MapSpec,
    /// Type of the key in [`Map::types`], if BTF has it.
    pub key_type: Option<crate::object::TypeRef>,
    /// Type of the value.
    pub value_type: Option<crate::object::TypeRef>,
}

/// A BTF type, copied out of BTF into a tree of its own: sizes in bytes, offsets in bits. Used to print and parse keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "BTF's names (Documentation/bpf/btf.rst)")]
pub enum TypeRef {
    Int {
        name: String,
        size: u32,
        signed: bool,
        is_bool: bool,
        is_char: bool,
    },
    Enum {
        name: String,
        size: u32,
        signed: bool,
        values: Vec<(String, i64)>,
    },
    Array {
        element: Box<TypeRef>,
        count: u32,
    },
    Struct {
        name: String,
        size: u32,
        members: Vec<Member>,
    },
    Union {
        name: String,
        size: u32,
        members: Vec<Member>,
    },
    /// Anything else (pointers, floats, functions): raw bytes.
    Opaque {
        name: String,
        size: u32,
    },
}

/// Member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name; empty for an anonymous struct or union.
    pub name: String,
    /// Offset from the start of the aggregate, in bits.
    pub bit_offset: u32,
    /// Width in bits of a bit field; 0 for an ordinary member.
    pub bit_width: u32,
    /// Type.
    pub ty: TypeRef,
}

/// One XDP program; local functions that it calls follow its own instructions.
#[derive(Clone, Debug)]
pub struct Program {
    /// C function.
    pub name: String,
    /// ELF section ("xdp", "xdp/tail", "xdp.frags").
    pub section: String,
    /// Instructions, relocated.
    pub insns: Vec<Insn>,
    /// The same as the kernel takes them, 8 bytes a slot. The immediates of map loads hold the map's index in
    /// [`Object::maps`] (and the offset in the second slot for map values), with src_reg 1 or 2 as usual (BPF_PSEUDO_MAP_FD,
    /// BPF_PSEUDO_MAP_VALUE): a back end puts file descriptors there.
    pub raw: Vec<[u8; 8]>,
    /// Source lines, ascending by instruction; a line holds until the next one.
    pub lines: Vec<Line>,
    /// Functions of the program: first instruction and name; the program itself is the first one.
    pub functions: Vec<(InsnIdx, String)>,
}

/// One record of `.BTF.ext` line information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// First instruction that it holds for.
    pub insn: InsnIdx,
    /// File name as BTF has it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
    /// Source text; may be empty.
    pub text: String,
}

impl Program {
    /// Where an instruction stands: function, C file and line, and the instruction's text.
    pub fn span(&self, at: InsnIdx) -> Span {
        let record = match self.lines.partition_point(|line| line.insn <= at) {
            0 => None,
            n => self.lines.get(n - 1),
        };
        let function = self.functions.iter().rev().find(|(first, _)| *first <= at).map(|(_, name)| name.clone());
        Span {
            insn: Some(at.0),
            insn_text: None,
            function: function.or_else(|| Some(self.name.clone())),
            file: record.map(|line| line.file.clone()),
            line: record.map(|line| line.line),
            column: record.map(|line| line.column),
            source: record.map(|line| line.text.clone()).filter(|text| !text.is_empty()),
        }
    }
}
