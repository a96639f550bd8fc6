//! Maps defined without BTF, as structs in section `maps`: libbpf's `struct bpf_map_def` (before 1.0; five words, any more must
//! be zero) and iproute2's `struct bpf_elf_map` (include/bpf_elf.h: nine words, the last four may be missing).

use super::budget::Budget;
use super::check::{check, check_inner};
use super::elf::{Place, Section, SectionIdx};
use super::maps::{Draft, Source, bad, invalid, is_variable, kind_of};
use super::values::{Link, Target};
use super::{Map, TypeRef};
use crate::btf::tree::tree;
use crate::btf::{Btf, Kind, TypeId};
use offwire_diag::{Diagnostic, codes::object as code};
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;

/// Words of `struct bpf_map_def`: type, key size, value size, entries, flags.
const PLAIN: usize = 5;
/// Words of `struct bpf_elf_map`: the same, then id, pinning, inner id, inner index.
const EXTENDED: usize = 9;
/// `inner_idx` of a map that shows what stands in a map of maps, but stands in none.
const NO_INDEX: u32 = u32::MAX;
/// Largest entry that is read, in bytes.
const MAX_ENTRY: usize = 4096;

/// What iproute2's definition adds.
#[derive(Clone, Copy, Default)]
struct Extension {
    id: u32,
    pinning: u32,
    inner_id: u32,
    inner_index: u32,
}

/// Reads the definitions of section `maps`, ascending by offset.
pub(super) fn collect(
    source: Source<'_, '_>,
    budget: &mut Budget,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Draft>, Diagnostic> {
    let Some((index, section)) = source.elf.by_name("maps") else { return Ok(Vec::new()) };
    let mut drafts = Vec::new();
    let mut extensions = Vec::new();
    let structs = source.btf.map(|btf| struct_names(btf, section.name)).unwrap_or_default();
    let types = source.btf.map(annotations).unwrap_or_default();
    for (name, range) in variables(source, index, section) {
        budget.text(name.len().saturating_mul(4).saturating_add(512))?;
        let is_plain = structs.get(name).is_some_and(|name| name == "bpf_map_def");
        let read = words(section, range.clone())
            .map_err(|reason| damaged(name, reason))
            .and_then(|words| define(name, &words, is_plain, source.entries.get(name).copied()));
        let (map, extension) = match read {
            Ok((spec, extension)) => {
                if extension.pinning != 0 {
                    let message = format!("`pinning` of map `{name}` has no effect on the device");
                    warnings.push(Diagnostic::warning(code::MAP_ATTRIBUTE_IGNORED, message));
                }
                (Ok(annotate(source.btf, &types, spec, budget)), extension)
            }
            Err(diagnostic) => (Err(diagnostic), Extension::default()),
        };
        extensions.push(extension);
        drafts.push(Draft {
            place: (index, range.start),
            size: range.end.saturating_sub(range.start),
            name: name.to_owned(),
            map,
            values_offset: None,
            links: Vec::new(),
        });
    }
    nest(&mut drafts, &extensions, budget)?;
    Ok(drafts)
}

fn damaged(name: &str, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::LEGACY_MAPS, format!("the legacy definition of map `{name}` cannot be read"))
        .with_reason(reason)
        .with_help("define it in section `.maps`")
}

/// Variables of the section with the bytes of each: as long as its symbol says, else up to the next one.
fn variables<'a>(
    source: Source<'_, 'a>,
    index: SectionIdx,
    section: &Section<'_>,
) -> Vec<(&'a str, std::ops::Range<u64>)> {
    let here = source.elf.symbols.iter().filter(|symbol| symbol.place == Place::Section(index) && is_variable(symbol));
    let mut found: Vec<(u64, bool, &str, u64)> =
        here.map(|symbol| (symbol.value, symbol.is_local, symbol.name, symbol.size)).collect();
    // Of several names for one place a global one comes first and stays.
    found.sort_unstable();
    found.dedup_by(|later, first| later.0 == first.0);
    let mut next = section.size;
    let mut variables = Vec::with_capacity(found.len());
    for (start, _, name, size) in found.into_iter().rev() {
        let end = if size == 0 { next } else { start.saturating_add(size) };
        variables.push((name, start..end));
        next = start;
    }
    variables.reverse();
    variables
}

/// The words of an entry.
fn words(section: &Section<'_>, range: std::ops::Range<u64>) -> Result<Vec<u32>, String> {
    let from = usize::try_from(range.start).unwrap_or(usize::MAX);
    let to = usize::try_from(range.end).unwrap_or(usize::MAX);
    let bytes = section.data.get(from..to).ok_or("it lies outside of its section")?;
    let (words, rest) = bytes.as_chunks::<4>();
    if words.len() < PLAIN.saturating_sub(1) {
        return Err(format!("it has {} bytes, less than 16", bytes.len()));
    }
    if !rest.is_empty() || bytes.len() > MAX_ENTRY {
        return Err(format!("it has {} bytes, which fits no known definition", bytes.len()));
    }
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn define(name: &str, words: &[u32], is_plain: bool, entries: Option<u32>) -> Result<(MapSpec, Extension), Diagnostic> {
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let known = if is_plain { PLAIN } else { EXTENDED };
    if words.iter().skip(known).any(|word| *word != 0) {
        let what = if is_plain { "`struct bpf_map_def`" } else { "`struct bpf_elf_map`" };
        return Err(damaged(
            name,
            format!("it says more than {what} does, in bytes {} and up", known.saturating_mul(4)),
        ));
    }
    let spec = MapSpec {
        name: name.to_owned(),
        kind: kind_of(name, word(0))?,
        key_size: word(1),
        value_size: word(2),
        max_entries: entries.unwrap_or(word(3)),
        flags: word(4),
        init: Vec::new(),
        frozen: false,
    };
    check(&spec).map_err(|reason| invalid(&spec, reason))?;
    Ok((spec, Extension { id: word(5), pinning: word(6), inner_id: word(7), inner_index: word(8) }))
}

/// Maps of maps: `inner_id` is the `id` of the map that shows what stands in it; maps with this `id` stand at their `inner_idx`
/// (iproute2's lib/bpf_legacy.c, `bpf_maps_attach_all`).
fn nest(drafts: &mut [Draft], extensions: &[Extension], budget: &mut Budget) -> Result<(), Diagnostic> {
    let mut by_id: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, extension) in extensions.iter().enumerate() {
        if extension.id != 0 && extension.inner_id == 0 {
            by_id.entry(extension.id).or_default().push(at);
        }
    }
    for (at, extension) in extensions.iter().enumerate() {
        let inner = by_id.get(&extension.inner_id).map_or(&[][..], Vec::as_slice);
        let Some(Ok(map)) = drafts.get(at).map(|draft| &draft.map) else { continue };
        if !matches!(map.spec.kind, MapKind::ArrayOfMaps | MapKind::HashOfMaps) {
            continue;
        }
        let (name, key_size) = (map.spec.name.clone(), map.spec.key_size);
        let shown = inner.first().and_then(|&first| drafts.get(first)).and_then(|draft| draft.map.as_ref().ok());
        let shown = shown.map(|map| Box::new(map.spec.clone()));
        let name_length = shown.as_ref().map_or(0, |shown| shown.name.len());
        budget.text(inner.len().saturating_mul(128).saturating_add(name_length))?;
        let placed = inner.iter().filter_map(|&at| Some((drafts.get(at)?, extensions.get(at)?)));
        let links: Vec<Link> = placed
            .filter(|(_, extension)| extension.inner_index != NO_INDEX)
            .map(|(draft, extension)| Link { key: extension.inner_index, target: Target::Map(draft.place) })
            .collect();
        let fault = match &shown {
            None => Some(bad(&name, "no map shows what stands in it (`inner_id`)")),
            Some(_) if key_size != 4 && !links.is_empty() => {
                Some(bad(&name, "the key of a map with initial elements has 4 bytes"))
            }
            Some(spec) => check_inner(spec).err().map(|reason| bad(&name, reason)),
        };
        let Some(draft) = drafts.get_mut(at) else { continue };
        match (fault, &mut draft.map) {
            (Some(fault), map) => *map = Err(fault),
            (None, Ok(map)) => {
                map.inner = shown;
                draft.links = links;
                draft.links.sort_by_key(|link| link.key);
            }
            (None, Err(_)) => {}
        }
    }
    Ok(())
}

/// Names of the struct types of the variables in a section.
fn struct_names(btf: &Btf<'_>, section: &str) -> BTreeMap<String, String> {
    let Some(datasec) = btf.datasec(section) else { return BTreeMap::new() };
    let vars = btf.vars(&datasec).filter_map(|entry| {
        let var = btf.get(entry.var).filter(|var| var.kind == Kind::Var)?;
        Some((btf.name(&var).into_owned(), btf.name(&btf.resolve(var.target()?)?).into_owned()))
    });
    vars.collect()
}

/// `BPF_ANNOTATE_KV_PAIR` defines a struct with this name and the map's behind it, of a key and a value.
const ANNOTATION: &str = "____btf_map_";

/// Types of keys and values by name of the map.
fn annotations(btf: &Btf<'_>) -> BTreeMap<String, (TypeId, TypeId)> {
    let structs = btf.types().filter(|ty| ty.kind == Kind::Struct && ty.count == 2);
    let pairs = structs.filter_map(|ty| {
        let name = btf.name(&ty).strip_prefix(ANNOTATION)?.to_owned();
        let mut fields = btf.fields(&ty);
        Some((name, (fields.next()?.ty, fields.next()?.ty)))
    });
    pairs.collect()
}

/// Adds the types if they fit the sizes.
fn annotate(
    btf: Option<&Btf<'_>>,
    types: &BTreeMap<String, (TypeId, TypeId)>,
    spec: MapSpec,
    budget: &mut Budget,
) -> Map {
    let mut map = Map::from(spec);
    if let (Some(btf), Some((key, value))) = (btf, types.get(&map.spec.name))
        && (btf.size(*key), btf.size(*value)) == (Some(map.spec.key_size), Some(map.spec.value_size))
    {
        let mut copy = |id: TypeId| -> Option<TypeRef> { tree(btf, id, &mut budget.types) };
        (map.key_type, map.value_type) = (copy(*key), copy(*value));
    }
    map
}
