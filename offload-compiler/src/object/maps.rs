//! The maps of an object: from their definitions, in BTF or legacy, to numbered maps with what stands in them at the start.

use super::budget::Budget;
use super::check::{check_element, kind_name};
use super::define::{Defined, define};
use super::elf::{Elf, SectionIdx, Symbol, SymbolKind};
use super::functions::Functions;
use super::values::{self, Link, Target};
use super::{Initial, Map, legacy};
use crate::btf::{Btf, Kind};
use crate::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes::object as code};
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, BTreeSet};

/// All maps of the object and how symbols lead to them.
#[derive(Default)]
pub(super) struct MapTable {
    pub(super) maps: Vec<Map>,
    /// By section and byte offset of the variable in `maps` or `.maps`. A map that cannot be loaded only fails programs that
    /// use it.
    pub(super) defined: BTreeMap<(SectionIdx, u64), Result<MapIdx, Diagnostic>>,
    /// Data sections.
    pub(super) data: BTreeMap<SectionIdx, Result<MapIdx, Diagnostic>>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// A map before it has a number.
pub(super) struct Draft {
    /// Its variable: section, offset and size.
    pub(super) place: (SectionIdx, u64),
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) map: Result<Map, Diagnostic>,
    /// Where pointers to initial elements start in the variable.
    pub(super) values_offset: Option<u32>,
    /// Initial elements.
    pub(super) links: Vec<Link>,
}

/// What definitions are read from.
#[derive(Clone, Copy)]
pub(super) struct Source<'s, 'a> {
    pub(super) elf: &'s Elf<'a>,
    pub(super) btf: Option<&'s Btf<'a>>,
    pub(super) symbols: &'s BTreeMap<(SectionIdx, &'a str), u64>,
    pub(super) functions: &'s Functions<'a>,
    /// `max_entries` that the user asks for.
    pub(super) entries: &'s BTreeMap<&'s str, u32>,
}

impl MapTable {
    pub(super) fn push(&mut self, map: Map) -> Result<MapIdx, Diagnostic> {
        let index = u16::try_from(self.maps.len())
            .map(MapIdx)
            .map_err(|_| Diagnostic::error(code::OBJECT_TOO_LARGE, "the object has more than 65,536 maps"))?;
        self.maps.push(map);
        Ok(index)
    }

    /// Reads all definitions: of section `maps`, then of section `.maps`, each in the order of their offsets.
    pub(super) fn collect(&mut self, source: Source<'_, '_>, budget: &mut Budget) -> Result<(), Diagnostic> {
        let mut drafts = legacy::collect(source, budget, &mut self.warnings)?;
        drafts.append(&mut self.defined_in_btf(source, budget)?);
        let names: BTreeSet<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        if let Some(unknown) = source.entries.keys().find(|name| !names.contains(*name)) {
            let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).take(40).collect();
            let help = if names.is_empty() {
                "the object defines no maps".to_owned()
            } else {
                format!("its maps: {}", names.join(", "))
            };
            let message = format!("the object defines no map `{unknown}`");
            return Err(Diagnostic::error(code::UNKNOWN_MAP, message).with_help(help));
        }
        self.number(drafts);
        Ok(())
    }

    /// Checks initial elements and numbers the maps.
    fn number(&mut self, mut drafts: Vec<Draft>) {
        let faults: Vec<Option<Diagnostic>> = {
            let by_place: BTreeMap<_, &Draft> = drafts.iter().map(|draft| (draft.place, draft)).collect();
            drafts.iter().map(|draft| check_links(draft, &by_place).err()).collect()
        };
        for (draft, fault) in drafts.iter_mut().zip(faults) {
            if let (Ok(_), Some(fault)) = (&draft.map, fault) {
                draft.map = Err(fault);
            }
        }
        let mut linked = Vec::new();
        for draft in drafts {
            let index = draft.map.and_then(|map| self.push(map));
            match &index {
                Ok(index) => linked.push((*index, draft.links)),
                Err(diagnostic) => self.warnings.push(demote(diagnostic)),
            }
            self.defined.insert(draft.place, index);
        }
        for (index, links) in linked {
            let mut initial = Vec::new();
            for link in links {
                match link.target {
                    Target::Program(name) => initial.push((link.key, Initial::Program(name))),
                    // `check_links` saw that it is there.
                    Target::Map(place) => {
                        let map = self.defined.get(&place).and_then(|map| map.as_ref().ok());
                        initial.extend(map.map(|map| (link.key, Initial::Map(*map))));
                    }
                }
            }
            if let Some(map) = self.maps.get_mut(usize::from(index.0)) {
                map.initial = initial;
            }
        }
    }

    /// Reads the definitions of section `.maps`.
    fn defined_in_btf(&mut self, source: Source<'_, '_>, budget: &mut Budget) -> Result<Vec<Draft>, Diagnostic> {
        let mut drafts = Vec::new();
        let Some((section_index, section)) = source.elf.by_name(".maps") else { return Ok(drafts) };
        let Some((btf, datasec)) = source.btf.and_then(|btf| Some((btf, btf.datasec(".maps")?))) else {
            return Ok(drafts);
        };
        let mut variables = Vec::new();
        for entry in btf.vars(&datasec) {
            let Some(var) = btf.get(entry.var).filter(|var| var.kind == Kind::Var) else { continue };
            let name = btf.name(&var).into_owned();
            let symbol = source.symbols.get(&(section_index, name.as_str())).copied();
            let offset = symbol.unwrap_or(u64::from(entry.offset));
            budget.text(name.len().saturating_mul(4).saturating_add(512))?;
            if let Some(target) = var.target() {
                variables.push((offset, name, u64::from(entry.size), target));
            }
        }
        variables.sort_by_key(|(offset, ..)| *offset);
        for (offset, name, size, target) in variables {
            let entries = source.entries.get(name.as_str()).copied();
            let (map, values_offset) = match define(btf, &name, target, entries, budget, &mut self.warnings) {
                Ok(Defined { map, values_offset }) => (Ok(map), values_offset),
                Err(diagnostic) => (Err(diagnostic), None),
            };
            let place = (section_index, offset);
            let mut draft = Draft { place, size, name, map, values_offset, links: Vec::new() };
            let links = values::read(source, section, &draft, budget)?;
            match links {
                Ok(links) => draft.links = links,
                Err(diagnostic) => draft.map = draft.map.and(Err(diagnostic)),
            }
            drafts.push(draft);
        }
        Ok(drafts)
    }
}

/// Whether the initial elements of a map may stand in it.
fn check_links(draft: &Draft, by_place: &BTreeMap<(SectionIdx, u64), &Draft>) -> Result<(), Diagnostic> {
    let Ok(map) = &draft.map else { return Ok(()) };
    let mut keys = BTreeSet::new();
    for link in &draft.links {
        let fail = |reason: String| Err(bad(&draft.name, format!("its initial element {}: {reason}", link.key)));
        if map.spec.kind != MapKind::HashOfMaps && link.key >= map.spec.max_entries {
            return fail(format!("the map has {} elements", map.spec.max_entries));
        }
        if !keys.insert(link.key) {
            return fail("there are two of them".to_owned());
        }
        let Target::Map(place) = &link.target else { continue };
        let (element, inner) = match (by_place.get(place), &map.inner) {
            (Some(element), Some(inner)) => (element, inner),
            _ => return fail("it is not a map".to_owned()),
        };
        let spec = match &element.map {
            Ok(map) => &map.spec,
            Err(diagnostic) => return fail(format!("map `{}` cannot be loaded ({diagnostic})", element.name)),
        };
        if let Err(reason) = check_element(inner, spec) {
            return fail(format!("map `{}` cannot stand there: {reason}", element.name));
        }
    }
    if map.spec.kind == MapKind::HashOfMaps && keys.len() > usize::try_from(map.spec.max_entries).unwrap_or(usize::MAX)
    {
        return Err(bad(&draft.name, format!("{} initial elements, `max_entries` is less", keys.len())));
    }
    Ok(())
}

/// Whether a symbol may name a variable.
pub(super) fn is_variable(symbol: &Symbol<'_>) -> bool {
    matches!(symbol.kind, SymbolKind::Untyped | SymbolKind::Other) && !symbol.name.is_empty()
}

/// The kind with the kernel's number.
pub(super) fn kind_of(map: &str, number: u32) -> Result<MapKind, Diagnostic> {
    MapKind::from_kernel(number)
        .ok_or_else(|| unsupported(map, format!("the device has no maps of type {}", kind_name(number))))
}

/// A refusal as a warning: it only stops programs that use the map.
fn demote(diagnostic: &Diagnostic) -> Diagnostic {
    Diagnostic { severity: offwire_diag::Severity::Warning, ..diagnostic.clone() }
}

pub(super) fn bad(name: &str, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::BAD_MAP, format!("the definition of map `{name}` is invalid")).with_reason(reason)
}

/// A map that breaks a rule of the kernel.
pub(super) fn invalid(spec: &MapSpec, reason: String) -> Diagnostic {
    let diagnostic = bad(&spec.name, reason);
    if spec.max_entries == 0 && spec.kind != MapKind::PerfEventArray {
        return diagnostic.with_help(format!("say how many entries it should have: `--map-entries {}=N`", spec.name));
    }
    diagnostic
}

pub(super) fn unsupported(name: &str, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::UNSUPPORTED_MAP, format!("map `{name}` cannot be loaded")).with_reason(reason)
}
