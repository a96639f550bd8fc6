//! The loaded object: programs, maps and lines, all relocations resolved.
//!
//! [`load`] reads an ELF object as libbpf does (src/libbpf.c is the reference for what objects mean): it finds XDP programs by
//! section, maps by BTF, global data by section, appends to each program the functions that it calls, and resolves every
//! relocation. A program that cannot be loaded stands in [`Object::refused`] with the reason and does not keep the others from
//! loading. Any bytes give an [`Object`] or a Diagnostic; memory stays in proportion to the input.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

mod budget;
mod check;
mod core_relo;
mod data;
mod define;
mod dump;
mod elf;
mod externs;
mod functions;
mod legacy;
mod lines;
mod link;
mod load;
mod maps;
mod set;
mod types;
mod values;

use crate::btf::TypeId;
use crate::ebpf::{Insn, InsnIdx, MapIdx, Names, disasm};
pub use load::{LoadOptions, load};
use offwire_diag::{Diagnostic, Span, codes::object as code};
use offwire_image::MapSpec;
pub use types::{Member, TypeRef};

/// An ELF object, loaded.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its XDP programs, in file order.
    pub programs: Vec<Program>,
    /// XDP programs that could not be loaded, in file order.
    pub refused: Vec<Refused>,
    /// All its maps, in symbol-value order; global data sections come as arrays with one element and initial contents.
    pub maps: Vec<Map>,
    /// Contents of the `license` section, without the final NUL; empty if there is none.
    pub license: String,
    /// What was odd but did not stop the load.
    pub warnings: Vec<Diagnostic>,
    /// Section `.BTF` as the kernel takes it (`BPF_BTF_LOAD`): sizes and offsets of data sections filled in as libbpf does
    /// (`btf_fixup_datasec`). Empty if the object has none. [`Program::func_info`] refers to it.
    pub btf: Vec<u8>,
}

/// An XDP program that could not be loaded.
#[derive(Clone, Debug)]
pub struct Refused {
    /// C function.
    pub name: String,
    /// ELF section.
    pub section: String,
    /// Why.
    pub diagnostic: Diagnostic,
}

/// One map with what BTF says of its types.
#[derive(Clone, Debug)]
pub struct Map {
    /// All that the device needs to know.
    pub spec: MapSpec,
    /// Type of the key, if BTF has it.
    pub key_type: Option<TypeRef>,
    /// Type of the value.
    pub value_type: Option<TypeRef>,
    /// For maps of maps: what each map that stands in it looks like. Its name is `OUTER.inner`, or that of the map that
    /// defines it (legacy definitions).
    pub inner: Option<Box<MapSpec>>,
    /// What stands in the map before the first packet, ascending by key: programs in a program array, maps in a map of maps.
    pub initial: Vec<(u32, Initial)>,
}

/// An initial element of a program array or of a map of maps (`.values = {...}`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initial {
    /// The program with this name, in [`Object::programs`] or [`Object::refused`].
    Program(String),
    /// This map.
    Map(MapIdx),
}

impl From<MapSpec> for Map {
    /// A map of which no more is known.
    fn from(spec: MapSpec) -> Self {
        Map { spec, key_type: None, value_type: None, inner: None, initial: Vec::new() }
    }
}

/// One XDP program; local functions that it calls follow its own instructions.
#[derive(Clone, Debug, Default)]
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
    /// Types of these functions: first instruction and number of the `BTF_KIND_FUNC` in [`Object::btf`]; ascending, empty
    /// unless `.BTF.ext` knows all of them (`struct bpf_func_info`). The kernel asks for it where a program has callbacks.
    pub func_info: Vec<(InsnIdx, TypeId)>,
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

impl Object {
    /// The program with this name, or the only one.
    ///
    /// # Errors
    /// No such program, several to choose from, or the reason why it could not be loaded.
    pub fn program(&self, name: Option<&str>) -> Result<&Program, Diagnostic> {
        let wanted = |candidate: &str| name.is_none_or(|name| name == candidate);
        let mut loaded = self.programs.iter().filter(|program| wanted(&program.name));
        let mut refused = self.refused.iter().filter(|program| wanted(&program.name));
        match (loaded.next(), refused.next(), loaded.next().is_some() || refused.next().is_some()) {
            (Some(program), None, false) => Ok(program),
            (None, Some(refused), false) => Err(refused.diagnostic.clone()),
            (None, None, _) => Err(self.no_such_program(&match name {
                Some(name) => format!("the object has no XDP program `{name}`"),
                None => "the object has no XDP program".to_owned(),
            })),
            _ => Err(self.no_such_program("the object has several XDP programs; choose one with `--prog`")),
        }
    }

    fn no_such_program(&self, message: &str) -> Diagnostic {
        let programs = self.programs.iter().map(|program| program.name.as_str());
        let names: Vec<&str> =
            programs.chain(self.refused.iter().map(|program| program.name.as_str())).take(40).collect();
        Diagnostic::error(code::NO_SUCH_PROGRAM, message).with_help(format!("its programs: {}", names.join(", ")))
    }
}

/// Maps name the operands of 64-bit loads.
impl Names for [Map] {
    fn map(&self, map: MapIdx) -> Option<&str> {
        self.get(usize::from(map.0)).map(|map| map.spec.name.as_str())
    }
}

impl Names for Object {
    fn map(&self, map: MapIdx) -> Option<&str> {
        self.maps.as_slice().map(map)
    }
}

impl Program {
    /// The instruction as text, in the kernel's syntax; empty if there is none.
    pub fn text(&self, at: InsnIdx, names: &(impl Names + ?Sized)) -> String {
        self.insns.get(at.at()).map(|insn| disasm(at, insn, names)).unwrap_or_default()
    }

    /// As [`Program::span`], with the text of the instruction; `names` is the [`Object`] or its maps.
    pub fn span_with_text(&self, at: InsnIdx, names: &(impl Names + ?Sized)) -> Span {
        let text = Some(self.text(at, names)).filter(|text| !text.is_empty());
        Span { insn_text: text, ..self.span(at) }
    }

    /// Where an instruction stands: function, C file and line, and the instruction's text.
    pub fn span(&self, at: InsnIdx) -> Span {
        let record = match self.lines.partition_point(|line| line.insn <= at) {
            0 => None,
            n => self.lines.get(n.saturating_sub(1)),
        };
        let function = self.functions.iter().rev().find(|(first, _)| *first <= at).map(|(_, name)| name.clone());
        Span {
            insn: Some(at.0),
            insn_text: None,
            function: function.or_else(|| Some(self.name.clone())),
            file: record.map(|line| line.file.clone()),
            line: record.map(|line| line.line).filter(|&line| line != 0),
            column: record.map(|line| line.column).filter(|&column| column != 0),
            source: record.map(|line| line.text.clone()).filter(|text| !text.is_empty()),
        }
    }
}
