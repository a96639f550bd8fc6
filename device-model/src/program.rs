//! The programs of the device and the instruction store that they share.

use offwire_image::DispatchMode;
use offwire_isa::CodeAddr;

use crate::counters::ProgramCounters;
use crate::geometry::PROGRAMS;
use crate::id::{MapId, ProgramId};
use crate::op::{Goto, Op};

/// What the engines run. Code addresses are the image's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub ops: Vec<Op>,
    pub entry: Goto,
    /// Entries of the programs that tail calls can go to.
    pub programs: Vec<Goto>,
    /// Cycles that a packet may take, from its dispatch on.
    pub budget: u64,
}

/// What the control plane knows of a program.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub name: String,
    /// First word in the instruction store, and words.
    pub base: u32,
    pub words: u32,
    pub mode: DispatchMode,
    pub maps: Vec<MapId>,
    /// It was unloaded and waits for its packets.
    pub leaving: bool,
}

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramState {
    /// Name (C function).
    pub name: String,
    /// Where it starts in the instruction store; its own addresses are counted from there.
    pub base: u32,
    /// Words in the instruction store.
    pub words: u32,
    /// Its maps, by the slots of the image's map table.
    pub maps: Vec<MapId>,
    /// The image's dispatch mode.
    pub mode: DispatchMode,
    /// Entry.
    pub entry: CodeAddr,
    /// Cycles that a packet may take.
    pub budget: u64,
    /// Ports that it is attached to, one bit each.
    pub ports: u64,
}

/// All programs, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs {
    pub running: Vec<Program>,
    pub counters: Vec<ProgramCounters>,
    /// Packets that run a program or wait for it.
    pub inside: Vec<u32>,
    loaded: Vec<Option<Loaded>>,
}

impl Programs {
    /// A program that is there and not being unloaded.
    pub(crate) fn get(&self, program: ProgramId) -> Option<&Loaded> {
        self.loaded.get(program.index())?.as_ref().filter(|loaded| !loaded.leaving)
    }

    pub(crate) fn get_mut(&mut self, program: ProgramId) -> Option<&mut Loaded> {
        self.loaded.get_mut(program.index())?.as_mut().filter(|loaded| !loaded.leaving)
    }

    /// Numbers of all programs that are there and not being unloaded, ascending.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ProgramId> + '_ {
        (0..self.loaded.len() as u16).map(ProgramId).filter(|&program| self.get(program).is_some())
    }

    /// The lowest free number.
    pub(crate) fn free_number(&self) -> Option<ProgramId> {
        let free = self.loaded.iter().position(Option::is_none).unwrap_or(self.loaded.len());
        (free < PROGRAMS).then_some(ProgramId(free as u16))
    }

    /// Words of the instruction store that are taken.
    pub(crate) fn words(&self) -> u32 {
        self.loaded.iter().flatten().map(|loaded| loaded.words).sum()
    }

    /// The first gap of the instruction store with so many words, or the length of the longest one.
    pub(crate) fn gap(&self, words: u32, store: u32) -> Result<u32, u32> {
        let mut taken: Vec<(u32, u32)> =
            self.loaded.iter().flatten().map(|loaded| (loaded.base, loaded.words)).collect();
        taken.sort_unstable();
        let (mut start, mut longest) = (0, 0);
        for (base, length) in taken.into_iter().chain([(store, 0)]) {
            let gap = base.saturating_sub(start);
            if gap >= words {
                return Ok(start);
            }
            longest = longest.max(gap);
            start = base + length;
        }
        Err(longest)
    }

    /// Puts a program at a free number.
    pub(crate) fn put(&mut self, at: ProgramId, program: Program, loaded: Loaded) {
        if at.index() >= self.loaded.len() {
            self.loaded.resize(at.index() + 1, None);
            self.running.resize(at.index() + 1, Program::default());
            self.counters.resize(at.index() + 1, ProgramCounters::default());
            self.inside.resize(at.index() + 1, 0);
        }
        self.running[at.index()] = program;
        self.counters[at.index()] = ProgramCounters::default();
        self.loaded[at.index()] = Some(loaded);
    }

    /// Takes a program away that no packet runs.
    pub(crate) fn remove(&mut self, program: ProgramId) {
        self.loaded[program.index()] = None;
        self.running[program.index()] = Program::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs never share a word, a refused one would not have fitted, and the lowest gap is taken.
    #[test]
    fn the_store_is_shared_without_overlap() {
        let mut state = 7u64;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 % below
        };
        let mut programs = Programs::default();
        let (mut refused, mut taken) = (0, 0);
        for _ in 0..5000 {
            if random(3) == 0 {
                let ids: Vec<ProgramId> = programs.ids().collect();
                if !ids.is_empty() {
                    programs.remove(ids[random(ids.len() as u32) as usize]);
                }
                continue;
            }
            let words = 1 + random(20);
            let mut used = [false; 64];
            for loaded in programs.loaded.iter().flatten() {
                for word in loaded.base..loaded.base + loaded.words {
                    assert!(!std::mem::replace(&mut used[word as usize], true), "two programs have word {word}");
                }
            }
            let fits = |start: u32| (start..start + words).all(|word| used.get(word as usize) == Some(&false));
            let gap = programs.gap(words, 64);
            assert_eq!(gap.ok(), (0..64).find(|&start| fits(start)));
            let (Ok(base), Some(at)) = (gap, programs.free_number()) else {
                refused += 1;
                continue;
            };
            let loaded =
                Loaded { name: String::new(), base, words, mode: DispatchMode::Any, maps: Vec::new(), leaving: false };
            programs.put(at, Program::default(), loaded);
            taken += 1;
        }
        assert!(refused > 100 && taken > 100, "{refused} {taken}");
    }
}
