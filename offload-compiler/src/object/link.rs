//! From functions of the object to programs: appends to each program the functions that it calls, in the order in which libbpf
//! does (libbpf.c, `bpf_object__reloc_code`), resolves relocations, decodes, and adds lines.

use super::budget::{Budget, MAX_PROGRAM};
use super::elf::{Elf, Place, Relocation, Section, SectionIdx, Symbol};
use super::externs::Externs;
use super::functions::{CALL, CallTarget, FuncIdx, Function, Functions, LOAD_IMM64, PSEUDO_CALL};
use super::functions::{R_BPF_64_64, call_target};
use super::lines::Debug;
use super::maps::MapTable;
use super::{Program, core_relo};
use crate::ebpf::{InsnIdx, MapIdx, Slot, decode, disasm};
use offwire_diag::{Diagnostic, Span, codes::object as code};
use std::collections::{BTreeMap, BTreeSet};

/// `BPF_PSEUDO_MAP_FD` (include/uapi/linux/bpf.h).
const PSEUDO_MAP: u8 = 1;
/// `BPF_PSEUDO_MAP_VALUE`.
const PSEUDO_MAP_VALUE: u8 = 2;
/// `BPF_PSEUDO_FUNC`.
const PSEUDO_FUNC: u8 = 4;
/// `BPF_PSEUDO_KFUNC_CALL`.
const PSEUDO_KFUNC: u8 = 2;

/// Everything that programs are made of.
pub(super) struct Linker<'a> {
    pub(super) elf: &'a Elf<'a>,
    pub(super) functions: &'a Functions<'a>,
    pub(super) debug: &'a Debug<'a>,
    pub(super) maps: &'a MapTable,
    pub(super) externs: &'a Externs,
}

/// A function in its place in a program.
struct Placed {
    function: FuncIdx,
    /// Its first slot.
    start: u32,
    /// Slots that refer to functions, ascending.
    references: Vec<(u32, FuncIdx)>,
}

/// A program while it grows.
#[derive(Default)]
struct Build {
    raw: Vec<[u8; 8]>,
    placed: Vec<Placed>,
    start: BTreeMap<FuncIdx, u32>,
}

/// What an instruction refers to.
enum Reference {
    Nothing,
    Map(MapIdx),
    Value(MapIdx, u32),
    /// A weak symbol that nothing defines: address zero.
    Zero,
    Function(FuncIdx),
}

fn unresolved(reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::BAD_RELOCATION, "a reference of the program cannot be resolved").with_reason(reason)
}

fn external(name: &str) -> Diagnostic {
    Diagnostic::error(code::EXTERN_SYMBOL, format!("the program refers to `{name}`, which the object does not define"))
        .with_help("link the objects first, or do without functions and variables of the kernel")
}

impl Linker<'_> {
    /// Makes one program; adds the sections that its functions came from to `used`.
    pub(super) fn link(
        &self,
        main: FuncIdx,
        budget: &mut Budget,
        used: &mut BTreeSet<SectionIdx>,
    ) -> Result<Program, Diagnostic> {
        let mut build = Build::default();
        self.place(main, &mut build, budget)?;
        // A walk in depth without recursion: functions that are being read, innermost last, each with its next reference.
        let mut open = vec![(0_usize, 0_usize)];
        while let Some((position, next)) = open.pop() {
            let reference = build.placed.get(position).and_then(|placed| placed.references.get(next));
            let Some(&(insn, target)) = reference else { continue };
            open.push((position, next.saturating_add(1)));
            let start = match build.start.get(&target) {
                Some(&start) => start,
                None => {
                    open.push((build.placed.len(), 0));
                    self.place(target, &mut build, budget)?
                }
            };
            // Both are below MAX_PROGRAM.
            let delta = i64::from(start).saturating_sub(i64::from(insn)).saturating_sub(1);
            let imm = i32::try_from(delta).unwrap_or(i32::MAX);
            build.patch(insn, |slot| slot.imm = imm);
        }
        used.extend(build.placed.iter().filter_map(|placed| Some(self.functions.get(placed.function)?.section)));
        self.finish(main, build, budget)
    }

    fn function(&self, index: FuncIdx) -> Result<(&Function<'_>, &Section<'_>), Diagnostic> {
        let function = self.functions.get(index);
        let section = function.and_then(|function| self.elf.section(function.section));
        function.zip(section).ok_or_else(|| unresolved("a function does not exist"))
    }

    /// Appends a function, references to maps and data resolved, those to functions noted.
    fn place(&self, index: FuncIdx, build: &mut Build, budget: &mut Budget) -> Result<u32, Diagnostic> {
        let (function, section) = self.function(index)?;
        let start = u32::try_from(build.raw.len()).unwrap_or(u32::MAX);
        let span = |offset: u64, insn: Option<u32>| Span {
            insn_text: insn.and_then(|insn| self.text(section, offset, insn)),
            ..self.debug.span(section.name, function.name, function.range.clone(), offset, insn)
        };
        self.check_function(function, section).map_err(|(offset, diagnostic)| {
            let slot = offset.saturating_sub(function.range.start).checked_div(8);
            let insn = slot.and_then(|slot| u32::try_from(slot).ok()?.checked_add(start));
            diagnostic.with_span(span(offset, insn))
        })?;
        let from = usize::try_from(function.range.start).unwrap_or(usize::MAX);
        let to = usize::try_from(function.range.end).unwrap_or(usize::MAX);
        let bytes = section.data.get(from..to).unwrap_or(&[]);
        let (slots, _) = bytes.as_chunks::<8>();
        budget.slots(slots.len())?;
        if build.raw.len().saturating_add(slots.len()) > MAX_PROGRAM {
            let message = format!("the program has more than {MAX_PROGRAM} instructions");
            return Err(Diagnostic::error(code::OBJECT_TOO_LARGE, message).with_span(span(function.range.start, None)));
        }
        build.raw.extend_from_slice(slots);
        build.start.insert(index, start);
        let mut references = Vec::new();
        let mut used = 0_usize;
        let (mut insn, mut offset) = (start, function.range.start);
        while offset < function.range.end {
            let Some(slot) = build.slot(insn) else { break };
            let high = build.slot(insn.saturating_add(1)).map_or(0, |second| second.imm);
            let (reference, relocated) = self
                .resolve(function, offset, slot, high)
                .map_err(|fault| fault.with_span(span(offset, Some(insn))))?;
            used = used.saturating_add(usize::from(relocated));
            match reference {
                Reference::Nothing => {}
                Reference::Zero => build.patch(insn, |slot| (slot.src, slot.imm) = (0, 0)),
                Reference::Map(map) => build.patch(insn, |slot| {
                    slot.src = PSEUDO_MAP;
                    slot.imm = i32::from(map.0);
                }),
                Reference::Value(map, offset) => {
                    build.patch(insn, |slot| {
                        slot.src = PSEUDO_MAP_VALUE;
                        slot.imm = i32::from(map.0);
                    });
                    let offset = i32::from_le_bytes(offset.to_le_bytes());
                    build.patch(insn.saturating_add(1), |slot| slot.imm = offset);
                }
                Reference::Function(target) => {
                    if slot.code == LOAD_IMM64 {
                        build.patch(insn, |slot| slot.src = PSEUDO_FUNC);
                    }
                    references.push((insn, target));
                }
            }
            let step = if slot.code == LOAD_IMM64 { 2 } else { 1 };
            insn = insn.saturating_add(step);
            offset = offset.saturating_add(u64::from(step).saturating_mul(8));
        }
        if used != section.relocations_in(function.range.clone()).len() {
            let fault = unresolved("a relocation does not stand at the start of an instruction");
            return Err(fault.with_span(span(function.range.start, None)));
        }
        build.placed.push(Placed { function: index, start, references });
        Ok(start)
    }

    /// The instruction at a byte of a section as text, as it stands there; the symbol's name in place of what a relocation will
    /// fill in.
    fn text(&self, section: &Section<'_>, offset: u64, insn: u32) -> Option<String> {
        let bytes = section.data.get(usize::try_from(offset).ok()?..)?;
        let (slots, _) = bytes.as_chunks::<8>();
        let slot = Slot::read(*slots.first()?);
        let symbol = section.relocation_at(offset).ok().flatten().and_then(|found| self.elf.symbols.get(found.symbol));
        match (slot.code, symbol.map(|symbol| symbol.name).filter(|name| !name.is_empty())) {
            (LOAD_IMM64, Some(name)) => return Some(format!("r{} = {name}", slot.dst)),
            (CALL, Some(name)) => return Some(format!("call {name}")),
            _ => {}
        }
        let length = if slot.code == LOAD_IMM64 { 2 } else { 1 };
        let insns = decode(slots.get(..length)?).ok()?;
        Some(disasm(InsnIdx(insn), insns.first()?, self.maps.maps.as_slice()))
    }

    /// What stops a function as a whole, with the byte offset to blame.
    fn check_function(&self, function: &Function<'_>, section: &Section<'_>) -> Result<(), (u64, Diagnostic)> {
        if section.has_rela {
            let fault = unresolved("the section has relocations with explicit addends (SHT_RELA)");
            return Err((function.range.start, fault));
        }
        if let Some(relocation) = self.debug.relocation_in(section.name, function.range.clone()) {
            let what = self.debug.btf.as_ref().map(|btf| core_relo::describe(btf, &relocation)).unwrap_or_default();
            let fault = Diagnostic::error(code::CORE_RELOCATION, "the program needs a CO-RE relocation")
                .with_reason(format!("it asks for {what}, and relocations of this kind are not supported yet"))
                .with_help("use the UAPI headers instead of vmlinux.h, or drop `preserve_access_index`");
            return Err((u64::from(relocation.offset), fault));
        }
        Ok(())
    }

    /// What an instruction refers to, and whether a relocation said so. `high` is the immediate of the next slot.
    fn resolve(
        &self,
        function: &Function<'_>,
        offset: u64,
        slot: Slot,
        high: i32,
    ) -> Result<(Reference, bool), Diagnostic> {
        let section = self.elf.section(function.section).ok_or_else(|| unresolved("the section does not exist"))?;
        let relocation =
            section.relocation_at(offset).map_err(|()| unresolved("two relocations for one instruction"))?;
        let relocated = relocation.is_some();
        let reference = match (slot.code, slot.src, relocation) {
            (CALL, PSEUDO_CALL, _) => {
                match call_target(self.elf, function.section, offset, slot).map_err(unresolved)? {
                    CallTarget::Extern(name) => return Err(external(name)),
                    CallTarget::Place(place, offset) => Reference::Function(self.function_at(place, offset)?),
                }
            }
            (CALL, PSEUDO_KFUNC, _) => return Err(external(&format!("kernel function #{}", slot.imm))),
            (LOAD_IMM64, 0, None) => Reference::Nothing,
            (LOAD_IMM64, _, None) => {
                return Err(unresolved("a map or function is loaded by number, without a relocation that names it"));
            }
            (LOAD_IMM64, _, Some(relocation)) => self.load_target(relocation, slot.imm, high)?,
            (_, _, None) => Reference::Nothing,
            (_, _, Some(relocation)) => {
                return Err(unresolved(format!(
                    "a relocation of type {} at an instruction that takes none",
                    relocation.kind
                )));
            }
        };
        Ok((reference, relocated))
    }

    fn function_at(&self, section: SectionIdx, offset: u64) -> Result<FuncIdx, Diagnostic> {
        self.functions.at(section, offset).ok_or_else(|| {
            let name = self.elf.section(section).map_or("?", |section| section.name);
            unresolved(format!("no function starts at byte {offset} of section `{name}`"))
        })
    }

    /// The symbol that a 64-bit load refers to; its immediate is an addend in bytes.
    fn load_target(&self, relocation: Relocation, low: i32, high: i32) -> Result<Reference, Diagnostic> {
        if relocation.kind != R_BPF_64_64 {
            return Err(unresolved(format!("a 64-bit load with a relocation of type {}", relocation.kind)));
        }
        let symbol = self.elf.symbols.get(relocation.symbol);
        let symbol = symbol.ok_or_else(|| unresolved("the relocation's symbol does not exist"))?;
        let index = match symbol.place {
            Place::Undefined => return self.undefined(symbol, low, high),
            Place::Other => return Err(unresolved(format!("symbol `{}` is not in a section", symbol.name))),
            Place::Section(index) => index,
        };
        let section = self.elf.section(index).ok_or_else(|| unresolved("the symbol's section does not exist"))?;
        let offset = symbol.value.checked_add_signed(i64::from(low)).filter(|_| high == 0);
        let offset = offset.ok_or_else(|| unresolved(format!("`{}` with an offset out of range", symbol.name)))?;
        if let Some(map) = self.maps.defined.get(&(index, offset)) {
            return map.clone().map(Reference::Map);
        }
        if let Some(map) = self.maps.data.get(&index) {
            // One byte past the end is a legal address.
            let inside = u32::try_from(offset).ok().filter(|_| offset <= section.size);
            let inside =
                inside.ok_or_else(|| unresolved(format!("an address outside of section `{}`", section.name)))?;
            return map.clone().map(|map| Reference::Value(map, inside));
        }
        if section.is_code {
            return self.function_at(index, offset).map(Reference::Function);
        }
        Err(self.no_target(symbol, section))
    }

    /// A symbol that the object does not define: a variable with a value of the user's, or zero if it is weak.
    fn undefined(&self, symbol: &Symbol<'_>, low: i32, high: i32) -> Result<Reference, Diagnostic> {
        let name = symbol.name;
        if let Some((map, offset)) = self.externs.resolved.get(name) {
            let offset = offset.checked_add_signed(low).filter(|_| high == 0);
            let offset = offset.ok_or_else(|| unresolved(format!("`{name}` with an offset out of range")))?;
            return Ok(Reference::Value(*map, offset));
        }
        if self.externs.unset.contains(name) {
            return Err(external(name).with_help(format!("give it a value: `--set {name}=VALUE`")));
        }
        if symbol.is_weak && low == 0 && high == 0 { Ok(Reference::Zero) } else { Err(external(name)) }
    }

    fn no_target(&self, symbol: &Symbol<'_>, section: &Section<'_>) -> Diagnostic {
        let name = symbol.name;
        match section.name {
            "maps" => unresolved(format!("no legacy map definition stands at the place of `{name}`")),
            ".maps" if self.debug.btf.is_none() => {
                Diagnostic::error(code::NO_BTF, format!("map `{name}` cannot be read: the object has no BTF"))
                    .with_help("build it with `clang -g`; strip it with `llvm-strip -g` at most")
            }
            ".maps" => unresolved(format!("BTF knows no map at the place of `{name}`")),
            other => unresolved(format!("`{name}` stands in section `{other}`, which is neither code, data nor maps")),
        }
    }

    /// Decodes and adds lines.
    fn finish(&self, main: FuncIdx, build: Build, budget: &mut Budget) -> Result<Program, Diagnostic> {
        let (function, section) = self.function(main)?;
        let (mut lines, mut functions, mut func_info) = (Vec::new(), Vec::new(), Vec::new());
        for placed in &build.placed {
            let (function, section) = self.function(placed.function)?;
            functions.push((InsnIdx(placed.start), function.name.to_owned()));
            let ty = self.debug.function_at(section.name, function.range.start);
            func_info.extend(ty.map(|ty| (InsnIdx(placed.start), ty)));
            self.debug.append(&mut lines, section.name, function.range.clone(), placed.start, budget)?;
        }
        if func_info.len() != functions.len() {
            func_info.clear();
        }
        let mut program = Program {
            name: function.name.to_owned(),
            section: section.name.to_owned(),
            insns: Vec::new(),
            raw: build.raw,
            lines,
            functions,
            func_info,
        };
        program.insns = decode(&program.raw).map_err(|error| {
            Diagnostic::error(code::BAD_INSTRUCTION, error.to_string()).with_span(program.span(error.at))
        })?;
        Ok(program)
    }

    /// Where a program stands, for refusals that concern it as a whole.
    pub(super) fn span(&self, main: FuncIdx) -> Span {
        match self.function(main) {
            Ok((f, section)) => self.debug.span(section.name, f.name, f.range.clone(), f.range.start, None),
            Err(_) => Span::default(),
        }
    }
}

impl Build {
    fn slot(&self, insn: u32) -> Option<Slot> {
        self.raw.get(usize::try_from(insn).ok()?).copied().map(Slot::read)
    }

    fn patch(&mut self, insn: u32, change: impl FnOnce(&mut Slot)) {
        let raw = usize::try_from(insn).ok().and_then(|insn| self.raw.get_mut(insn));
        if let Some(raw) = raw {
            let mut slot = Slot::read(*raw);
            change(&mut slot);
            *raw = slot.write();
        }
    }
}
