//! Functions of the object: which there are, which of them are programs, and where calls go.

use super::elf::{Elf, Place, Section, SectionIdx, SymbolKind, malformed};
use crate::ebpf::Slot;
use offwire_diag::{Diagnostic, codes::object as code};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Index into [`Functions::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FuncIdx(pub(super) usize);

/// One function.
#[derive(Clone, Debug)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) section: SectionIdx,
    /// Bytes in its section, both ends multiples of 8.
    pub(super) range: Range<u64>,
    pub(super) is_local: bool,
}

/// What a section with code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// XDP programs.
    Xdp,
    /// XDP programs that run behind a redirect.
    Behind,
    /// Functions that programs call.
    Text,
    /// Anything else.
    Other,
}

/// The role of a section by its name. libbpf from 1.0 on takes `xdp` and `xdp.frags`; before it any name that starts with `xdp`.
pub(super) fn role(name: &str) -> Role {
    if name == ".text" {
        return Role::Text;
    }
    if !name.starts_with("xdp") {
        return Role::Other;
    }
    let kind = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let behind = ["xdp_devmap", "xdp_cpumap", "xdp/devmap", "xdp/cpumap", "xdp.frags/devmap", "xdp.frags/cpumap"];
    if behind.into_iter().any(kind) { Role::Behind } else { Role::Xdp }
}

/// All functions of sections that matter.
pub(super) struct Functions<'a> {
    pub(super) list: Vec<Function<'a>>,
    by_place: BTreeMap<(SectionIdx, u64), FuncIdx>,
    /// Programs, ascending.
    programs: BTreeSet<FuncIdx>,
}

impl<'a> Functions<'a> {
    /// Collects the functions of all sections with code.
    pub(super) fn collect(elf: &Elf<'a>) -> Result<Self, Diagnostic> {
        let mut found: BTreeMap<SectionIdx, Vec<Function<'a>>> = BTreeMap::new();
        let mut untyped = found.clone();
        for symbol in &elf.symbols {
            let Place::Section(index) = symbol.place else { continue };
            let Some(section) = elf.section(index) else { continue };
            if !section.is_code || symbol.name.is_empty() {
                continue;
            }
            let list = match symbol.kind {
                SymbolKind::Function => &mut found,
                SymbolKind::Untyped => &mut untyped,
                _ => continue,
            };
            let end = symbol.value.saturating_add(symbol.size);
            list.entry(index).or_default().push(Function {
                name: symbol.name,
                section: index,
                range: symbol.value..end,
                is_local: symbol.is_local,
            });
        }
        let targets = if untyped.is_empty() { BTreeSet::new() } else { targets(elf) };
        for (index, functions) in untyped {
            let functions = choose_untyped(functions, found.get(&index).map_or(&[][..], Vec::as_slice), &targets);
            found.entry(index).or_default().extend(functions);
        }
        let mut list = Vec::new();
        for (index, mut functions) in found {
            let Some(section) = elf.section(index) else { continue };
            match settle(section, &mut functions) {
                Ok(()) => list.extend(functions),
                // Sections that are not ours may be as they like; calls into them will find nothing.
                Err(_) if role(section.name) == Role::Other => {}
                Err(diagnostic) => return Err(diagnostic),
            }
        }
        let by_place = list.iter().enumerate().map(|(n, f)| ((f.section, f.range.start), FuncIdx(n))).collect();
        let mut functions = Functions { list, by_place, programs: BTreeSet::new() };
        functions.programs = functions.find_programs(elf);
        Ok(functions)
    }

    pub(super) fn get(&self, index: FuncIdx) -> Option<&Function<'a>> {
        self.list.get(index.0)
    }

    /// The function that starts at a byte of a section.
    pub(super) fn at(&self, section: SectionIdx, offset: u64) -> Option<FuncIdx> {
        self.by_place.get(&(section, offset)).copied()
    }

    /// The programs of XDP sections, in file order: all global functions, and local ones that nobody calls (tail-call targets
    /// are often static).
    pub(super) fn programs(&self) -> impl ExactSizeIterator<Item = FuncIdx> + '_ {
        self.programs.iter().copied()
    }

    pub(super) fn is_program(&self, function: FuncIdx) -> bool {
        self.programs.contains(&function)
    }

    fn find_programs(&self, elf: &Elf<'a>) -> BTreeSet<FuncIdx> {
        let called = self.called(elf);
        let is_program = |index: &FuncIdx, function: &Function<'_>| {
            let role = elf.section(function.section).map_or(Role::Other, |section| role(section.name));
            matches!(role, Role::Xdp | Role::Behind) && !(function.is_local && called.contains(index))
        };
        let all = self.list.iter().enumerate().map(|(n, function)| (FuncIdx(n), function));
        all.filter(|(index, function)| is_program(index, function)).map(|(index, _)| index).collect()
    }

    fn called(&self, elf: &Elf<'a>) -> BTreeSet<FuncIdx> {
        let mut called = BTreeSet::new();
        for function in &self.list {
            let Some(section) = elf.section(function.section) else { continue };
            for (offset, slot) in slots(section, function.range.clone()) {
                if slot.code == CALL
                    && slot.src == PSEUDO_CALL
                    && let Ok(CallTarget::Place(section, offset)) = call_target(elf, function.section, offset, slot)
                {
                    called.extend(self.at(section, offset));
                }
            }
        }
        called
    }
}

/// Symbols without type that are functions. Compilers before 2018 and hand-written assembly give functions no type, but labels
/// have none either: where no symbol of a section is typed all global ones are functions, elsewhere and among local ones only
/// those that something calls.
fn choose_untyped<'a>(
    untyped: Vec<Function<'a>>,
    typed: &[Function<'a>],
    targets: &BTreeSet<(SectionIdx, u64)>,
) -> Vec<Function<'a>> {
    let mut starts: Vec<(u64, u64)> = typed.iter().map(|function| (function.range.start, function.range.end)).collect();
    starts.sort_unstable();
    let is_covered = |at: u64| {
        let before = starts.partition_point(|(start, _)| *start <= at).checked_sub(1);
        before.and_then(|before| starts.get(before)).is_some_and(|(start, end)| *start == at || at < *end)
    };
    let is_function = |function: &Function<'_>| {
        let is_global = typed.is_empty() && !function.is_local;
        let start = function.range.start;
        is_global || (targets.contains(&(function.section, start)) && !is_covered(start))
    };
    untyped.into_iter().filter(is_function).collect()
}

/// All places that calls and addresses of functions lead to.
fn targets(elf: &Elf<'_>) -> BTreeSet<(SectionIdx, u64)> {
    let mut found = BTreeSet::new();
    for (index, section) in elf.enumerate().filter(|(_, section)| section.is_code) {
        for (offset, slot) in slots(section, 0..section.size) {
            if slot.code == CALL && slot.src == PSEUDO_CALL {
                if let Ok(CallTarget::Place(section, offset)) = call_target(elf, index, offset, slot) {
                    found.insert((section, offset));
                }
            } else if slot.code == LOAD_IMM64
                && let Ok(Some(relocation)) = section.relocation_at(offset)
                && let Some(symbol) = elf.symbols.get(relocation.symbol)
                && let Place::Section(target) = symbol.place
            {
                let offset = symbol.value.checked_add_signed(i64::from(slot.imm));
                found.extend(offset.map(|offset| (target, offset)));
            }
        }
    }
    found
}

/// Sorts the functions of a section, gives those without size one, and checks that they lie in the section side by side.
fn settle(section: &Section<'_>, functions: &mut Vec<Function<'_>>) -> Result<(), Diagnostic> {
    // Of several names for one place a global one comes first and stays.
    functions.sort_by(|a, b| (a.range.start, a.is_local, a.name).cmp(&(b.range.start, b.is_local, b.name)));
    functions.dedup_by(|later, first| later.range.start == first.range.start);
    let size = u64::try_from(section.data.len()).unwrap_or(0);
    let mut next = size;
    for function in functions.iter_mut().rev() {
        if function.range.is_empty() {
            function.range.end = next;
        }
        let Range { start, end } = function.range;
        if !start.is_multiple_of(8) || !end.is_multiple_of(8) || start >= end || end > next {
            return Err(malformed(format!(
                "function `{}` (bytes {start} to {end} of section `{}`, which has {size}) overlaps another or leaves its section",
                function.name, section.name
            )));
        }
        next = start;
    }
    Ok(())
}

/// `BPF_JMP | BPF_CALL`.
pub(super) const CALL: u8 = 0x85;
/// `BPF_LD | BPF_IMM | BPF_DW`.
pub(super) const LOAD_IMM64: u8 = 0x18;
/// `BPF_PSEUDO_CALL`: the call stays in the program.
pub(super) const PSEUDO_CALL: u8 = 1;

/// Slots of a range of a section with their byte offsets, second slots of 64-bit loads left out.
pub(super) fn slots<'b>(section: &'b Section<'_>, range: Range<u64>) -> impl Iterator<Item = (u64, Slot)> + 'b {
    let start = usize::try_from(range.start).unwrap_or(usize::MAX);
    let end = usize::try_from(range.end).unwrap_or(usize::MAX);
    let bytes = section.data.get(start..end).unwrap_or(&[]);
    let mut second = false;
    let offsets = (range.start..).step_by(8);
    offsets.zip(bytes.chunks_exact(8)).filter_map(move |(offset, chunk)| {
        let slot = Slot::read(chunk.try_into().ok()?);
        let is_second = second;
        second = slot.code == LOAD_IMM64 && !is_second;
        (!is_second).then_some((offset, slot))
    })
}

/// Where a call goes.
pub(super) enum CallTarget<'a> {
    /// A byte of a section.
    Place(SectionIdx, u64),
    /// A symbol that the object does not define.
    Extern(&'a str),
}

/// Follows a call (libbpf.c, `bpf_object__reloc_code`): the symbol's offset plus the immediate plus one, or relative to the call
/// where there is no relocation.
pub(super) fn call_target<'a>(
    elf: &Elf<'a>,
    section_index: SectionIdx,
    offset: u64,
    slot: Slot,
) -> Result<CallTarget<'a>, String> {
    let section = elf.section(section_index).ok_or("the section does not exist")?;
    let relocation = section.relocation_at(offset).map_err(|()| "two relocations for one instruction")?;
    let (place, base) = match relocation {
        None => (section_index, offset),
        Some(relocation) => {
            let symbol = elf.symbols.get(relocation.symbol).ok_or("the relocation's symbol does not exist")?;
            match symbol.place {
                _ if relocation.kind != R_BPF_64_32 => {
                    return Err(format!("a call with a relocation of type {}", relocation.kind));
                }
                Place::Undefined => return Ok(CallTarget::Extern(symbol.name)),
                Place::Other => return Err(format!("symbol `{}` is not in a section", symbol.name)),
                Place::Section(place) => (place, symbol.value),
            }
        }
    };
    let slots = i64::from(slot.imm).checked_add(1).and_then(|slots| slots.checked_mul(8));
    let target = slots.and_then(|bytes| base.checked_add_signed(bytes));
    target.map(|target| CallTarget::Place(place, target)).ok_or_else(|| "the call leaves its section".to_owned())
}

/// A call (Documentation/bpf/llvm_reloc.rst).
pub(super) const R_BPF_64_32: u32 = 10;
/// A 64-bit immediate load.
pub(super) const R_BPF_64_64: u32 = 1;

/// Warns of sections whose programs are of other types, unless an XDP program takes functions out of them.
pub(super) fn warn_of_others(elf: &Elf<'_>, used: &BTreeSet<SectionIdx>) -> Vec<Diagnostic> {
    let mut names: BTreeMap<SectionIdx, Vec<&str>> = BTreeMap::new();
    for symbol in &elf.symbols {
        if let (Place::Section(index), SymbolKind::Function) = (symbol.place, symbol.kind) {
            names.entry(index).or_default().push(symbol.name);
        }
    }
    let others = elf
        .enumerate()
        .filter(|(_, section)| section.is_code && section.size != 0 && role(section.name) == Role::Other)
        .filter(|(index, _)| !used.contains(index));
    others
        .map(|(index, section)| {
            let names = names.get(&index).map_or(&[][..], Vec::as_slice);
            let more = if names.len() > 8 { ", ..." } else { "" };
            let names: Vec<&str> = names.iter().take(8).copied().collect();
            let message = format!("section `{}` holds no XDP program; it is left out", section.name);
            let warning = Diagnostic::warning(code::NOT_XDP, message);
            if names.is_empty() {
                warning
            } else {
                warning.with_reason(format!("functions: {}{more}", names.join(", ")))
            }
        })
        .collect()
}
