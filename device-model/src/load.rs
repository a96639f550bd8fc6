//! Loading an image: what is checked, which maps are created, and what the program's map table is.

use offwire_image::{DispatchMode, Image, MAPS_MAX, MapKind, MapSpec};
use offwire_isa::{CodeAddr, ISA_VERSION, Profile, Word};

use crate::error::{LoadError, Mismatch};
use crate::id::{MapId, ProgramId};
use crate::map::control::{Update, Values};
use crate::map::table::{self, MapImage, MapInfo};
use crate::map::unit::MapUnit;
use crate::map::view::View;
use crate::op::Op;
use crate::program::{Loaded, Program, Programs};
use crate::reclaim::Reclaim;

/// What the device takes of an image, its words decoded.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Name of the program.
    pub name: &'a str,
    /// The code.
    pub words: &'a [Word],
    /// Where a packet starts.
    pub entry: CodeAddr,
    /// Entries for tail calls.
    pub programs: &'a [CodeAddr],
    /// Maps; its number of programs is not looked at.
    pub maps: MapImage<'a>,
    /// Dispatch mode.
    pub mode: DispatchMode,
    /// Cycles that a packet may take.
    pub budget: u32,
}

/// The words of an image for the profile, decoded, and the entries of its programs.
pub(crate) fn decode(image: &Image, profile: &Profile) -> Result<(Vec<Word>, Vec<CodeAddr>), LoadError> {
    if image.isa_version != ISA_VERSION {
        return Err(LoadError::IsaVersion { image: image.isa_version, device: ISA_VERSION });
    }
    if image.profile_hash != profile.hash {
        return Err(LoadError::Profile { image: image.profile.clone(), device: profile.name });
    }
    let decoded = (0..)
        .zip(&image.words)
        .map(|(address, raw)| Word::decode(raw).map_err(|why| LoadError::BadWord { address, why }));
    Ok((decoded.collect::<Result<_, _>>()?, image.programs.iter().map(|program| program.entry).collect()))
}

impl<'a> Parts<'a> {
    /// Those of an image that [`decode`] has looked at.
    pub(crate) fn of(image: &'a Image, words: &'a [Word], programs: &'a [CodeAddr]) -> Self {
        let maps = MapImage { maps: &image.maps, links: &image.links, locks: &image.locks, programs: programs.len() };
        let (entry, mode, budget) = (image.entry, image.dispatch.mode, image.budget_cycles);
        Parts { name: &image.name, words, entry, programs, maps, mode, budget }
    }

    /// The code as the engines run it.
    fn program(&self, profile: &Profile) -> Result<Program, LoadError> {
        let count = self.words.len();
        if count == 0 {
            return Err(LoadError::NoCode);
        }
        if count as u64 > u64::from(profile.instruction_store_words) {
            return Err(LoadError::CodeSize { words: count, store: profile.instruction_store_words });
        }
        if usize::from(self.entry.0) >= count {
            return Err(LoadError::Entry { entry: self.entry.0, words: count });
        }
        if self.budget == 0 {
            return Err(LoadError::NoBudget);
        }
        if let Some(program) = self.programs.iter().position(|program| usize::from(program.0) >= count) {
            return Err(LoadError::Program { program, words: count });
        }
        let ops = (0..).zip(self.words).map(|(address, word)| match word.check() {
            Ok(()) if !crate::device::serves(word.q_op) => {
                Err(LoadError::Request { address, request: word.q_op.asm() })
            }
            Ok(()) => Ok(Op::new(word)),
            Err(why) => Err(LoadError::BadWord { address, why }),
        });
        Ok(Program {
            ops: ops.collect::<Result<_, _>>()?,
            entry: self.entry.0,
            programs: self.programs.iter().map(|program| program.0).collect(),
            budget: u64::from(self.budget.min(profile.packet_cycles_max)),
        })
    }
}

/// Where a program is put.
pub(crate) struct Place<'a> {
    pub programs: &'a mut Programs,
    pub map: &'a mut MapUnit,
    pub reclaim: &'a mut Reclaim,
    pub profile: &'a Profile,
}

impl Place<'_> {
    /// Loads a program with existing maps, by slot, and creates the others. If it is refused, nothing has changed.
    pub(crate) fn load(&mut self, parts: &Parts<'_>, given: &[Option<MapId>]) -> Result<ProgramId, LoadError> {
        let program = parts.program(self.profile)?;
        let specs = parts.maps.maps;
        if specs.len() > MAPS_MAX {
            return Err(LoadError::TooManyMaps { maps: specs.len() });
        }
        if given.len() > specs.len() {
            return Err(LoadError::MapsGiven { given: given.len(), maps: specs.len() });
        }
        let given = |slot: usize| given.get(slot).copied().flatten();
        let mut infos = self.types(parts, &given)?;
        let words = program.ops.len();
        let at = self.programs.free_number().ok_or(LoadError::TooManyPrograms)?;
        let base = self
            .programs
            .gap(words as u32, self.profile.instruction_store_words)
            .map_err(|longest| LoadError::StoreFull { words, longest })?;

        // From here on there is something to take back.
        let mut created = Vec::new();
        for (slot, (spec, info)) in specs.iter().zip(&mut infos).enumerate() {
            if given(slot).is_none() {
                let map = self.map.table.create(spec, *info, self.profile);
                created.push(map);
                if let Some(object) = self.map.table.object_mut(map) {
                    object.follows = true;
                    object.entries = program.programs.len() as u32;
                }
                info.id = map.0;
            }
        }
        let maps: Vec<MapId> = infos.iter().map(|info| MapId(info.id)).collect();
        for &map in &maps {
            if let Some(object) = self.map.table.object_mut(map) {
                object.programs += 1;
            }
        }
        let view = match self.link(parts, &infos, &given).and_then(|()| self.view(&infos)) {
            Ok(view) => view,
            Err(error) => {
                self.take_back(&maps, &created);
                return Err(error);
            }
        };
        if at.index() >= self.map.views.len() {
            self.map.views.resize(at.index() + 1, View::default());
        }
        self.map.views[at.index()] = view;
        let name = parts.name.to_owned();
        let loaded = Loaded { name, base, words: words as u32, mode: parts.mode, maps, leaving: false };
        self.programs.put(at, program, loaded);
        Ok(at)
    }

    /// The types of all maps of an image, which fit the device and the maps that are given.
    fn types(&self, parts: &Parts<'_>, given: &dyn Fn(usize) -> Option<MapId>) -> Result<Vec<MapInfo>, LoadError> {
        let mut infos = Vec::with_capacity(parts.maps.maps.len());
        let (mut needed, mut fresh) = (0u64, 0);
        for (slot, spec) in parts.maps.maps.iter().enumerate() {
            let info =
                table::info(spec, self.profile).map_err(|why| LoadError::Map { name: spec.name.clone(), why })?;
            if given(slot).is_none() {
                needed = needed.saturating_add(table::memory(&info, self.profile));
                fresh += 1;
            }
            infos.push(info);
        }
        let available = u64::from(self.profile.map_memory_bytes).saturating_sub(self.map.table.memory);
        if needed > available {
            return Err(LoadError::MapMemory { needed, available: available as u32 });
        }
        let free = self.map.table.free_numbers();
        if fresh > free {
            return Err(LoadError::MapNumbers { maps: fresh, free });
        }
        for lock in parts.maps.locks {
            let info = infos.get_mut(usize::from(lock.map)).filter(|info| table::can_lock(info, lock.offset));
            info.ok_or(LoadError::Lock { map: lock.map, offset: lock.offset })?.lock = Some(lock.offset);
        }
        for slot in 0..infos.len() {
            let Some(map) = given(slot) else { continue };
            let spec = &parts.maps.maps[slot];
            let twice = infos[..slot].iter().any(|other| other.id == map.0);
            let what = if twice { Some(Mismatch::Twice) } else { self.mismatch(spec, &infos[slot], map) };
            if let Some(what) = what {
                return Err(LoadError::Mismatch { slot: slot as u8, map, what });
            }
            let existing = self.map.table.infos[map.index()];
            // What the image may not write, the program may not, whoever else may.
            infos[slot] = MapInfo { read_only: existing.read_only || infos[slot].read_only, ..existing };
        }
        Ok(infos)
    }

    /// Why an existing map is not the image's.
    fn mismatch(&self, spec: &MapSpec, wanted: &MapInfo, map: MapId) -> Option<Mismatch> {
        let Some(object) = self.map.table.object(map) else { return Some(Mismatch::NoMap) };
        let info = &self.map.table.infos[map.index()];
        if info.kind != wanted.kind {
            return Some(Mismatch::Kind);
        }
        if info.kind == MapKind::ProgArray {
            return Some(Mismatch::ProgArray);
        }
        if info.key_size != wanted.key_size {
            return Some(Mismatch::KeySize);
        }
        if info.value_size != wanted.value_size {
            return Some(Mismatch::ValueSize);
        }
        if info.max_entries != wanted.max_entries {
            return Some(Mismatch::MaxEntries);
        }
        if object.spec.flags != spec.flags {
            return Some(Mismatch::Flags);
        }
        if info.lock != wanted.lock {
            return Some(Mismatch::Lock);
        }
        if spec.frozen {
            // The compiler may have used what stands there.
            let constant = object.spec.frozen && info.kind == MapKind::Array;
            let value = constant.then(|| self.map.table.contents[map.index()].elements.value(0, info.value_size));
            let same = value.is_some_and(|value| {
                let (front, rest) = value.split_at(spec.init.len().min(value.len()));
                front == spec.init && rest.iter().all(|&byte| byte == 0)
            });
            return (!same || info.max_entries != 1).then_some(Mismatch::Contents);
        }
        None
    }

    /// Puts the initial elements of maps that were created in their places; what stands in existing ones must be like it.
    fn link(
        &mut self,
        parts: &Parts<'_>,
        infos: &[MapInfo],
        given: &dyn Fn(usize) -> Option<MapId>,
    ) -> Result<(), LoadError> {
        for link in parts.maps.links {
            let refused = LoadError::Link { map: link.map, key: link.key };
            let slot = usize::from(link.map);
            let Some(info) = infos.get(slot) else { return Err(refused) };
            let map = MapId(info.id);
            let to = if info.is_outer() {
                let Some(inner) = infos.get(link.to as usize) else { return Err(refused) };
                let like = inner.as_inner();
                let Some(object) = self.map.table.object_mut(map) else { return Err(refused) };
                if given(slot).is_some() {
                    if object.inner != Some(like) {
                        return Err(LoadError::Mismatch { slot: link.map, map, what: Mismatch::Inner });
                    }
                    continue;
                }
                if !inner.is_ordinary() {
                    return Err(refused);
                }
                object.inner.get_or_insert(like);
                u32::from(inner.id)
            } else if info.kind == MapKind::ProgArray {
                link.to
            } else {
                return Err(refused);
            };
            let (key, value) = (link.key.to_le_bytes(), to.to_le_bytes());
            let values = Values::Flat(&value);
            let put = if info.is_outer() {
                self.map.put_inner(map, &key, values, Update::Any, self.reclaim)
            } else {
                self.map.table.set(map, &key, values, Update::Any)
            };
            put.map_err(|_| refused)?;
        }
        Ok(())
    }

    /// A program is refused that holds these maps already; no packet has seen those that were created.
    fn take_back(&mut self, maps: &[MapId], created: &[MapId]) {
        let table = &mut self.map.table;
        for &map in created {
            for inner in table.named(map) {
                if let Some(object) = table.object_mut(inner) {
                    object.outers = object.outers.saturating_sub(1);
                }
            }
        }
        for &map in maps {
            if let Some(object) = table.object_mut(map) {
                object.programs = object.programs.saturating_sub(1);
            }
        }
        created.iter().for_each(|&map| table.destroy(map));
    }

    /// The map table of the program: its own maps, and those that stand in its maps of maps.
    fn view(&self, infos: &[MapInfo]) -> Result<View, LoadError> {
        let mut view = View::new(infos.to_vec());
        for info in infos {
            for inner in self.map.table.named(MapId(info.id)) {
                if view.slot_of(inner.0).is_none() {
                    let slot = view.room(|_| false).ok_or(LoadError::InnerMaps)?;
                    view.put(slot, self.map.table.infos[inner.index()]);
                }
            }
        }
        Ok(view)
    }
}
