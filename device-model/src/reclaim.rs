//! What was freed and waits for packets that may know of it.
//!
//! A program goes when all packets have left that were inside when it was unloaded. A map goes in three steps: when those packets
//! have left, the slots that programs had been given for it are taken away; when those have left that were inside then (a program
//! may have made up a handle), nobody can reach the map; when the last write that was posted to it has taken effect, it is gone.

use crate::epoch::{Epochs, Grace};
use crate::id::{MapId, ProgramId};
use crate::map::unit::MapUnit;
use crate::map::view::View;
use crate::program::Programs;

#[derive(Clone, Copy, Debug)]
enum What {
    Program(ProgramId),
    /// A map that some program may have a slot for.
    Map(MapId),
    /// A map that nobody has a slot for.
    Unreachable(MapId),
}

/// What is still being freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingFrees {
    /// Maps.
    pub maps: usize,
    /// Programs.
    pub programs: usize,
}

/// All that was freed and is not gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reclaim {
    pub epochs: Epochs,
    waiting: Vec<(What, Grace)>,
}

impl Reclaim {
    /// A program was unloaded.
    pub(crate) fn program(&mut self, program: ProgramId) {
        let grace = self.epochs.request();
        self.waiting.push((What::Program(program), grace));
    }

    /// A map was freed.
    pub(crate) fn map(&mut self, map: MapId) {
        let grace = self.epochs.request();
        self.waiting.push((What::Map(map), grace));
    }

    pub(crate) fn pending(&self) -> PendingFrees {
        let programs = self.waiting.iter().filter(|(what, _)| matches!(what, What::Program(_))).count();
        PendingFrees { maps: self.waiting.len() - programs, programs }
    }

    /// Takes away what nobody can know of any more. To be called between two calls of the scheduler.
    #[inline]
    pub(crate) fn reap(&mut self, map: &mut MapUnit, programs: &mut Programs) {
        if !self.waiting.is_empty() {
            self.reap_waiting(map, programs);
        }
    }

    fn reap_waiting(&mut self, map: &mut MapUnit, programs: &mut Programs) {
        let epochs = &mut self.epochs;
        self.waiting.retain_mut(|(what, grace)| {
            if !epochs.passed(*grace) {
                return true;
            }
            if let What::Map(freed) = *what {
                *what = What::Unreachable(freed);
                let named = map.views.iter_mut().filter_map(|view| view.remove(freed.0).then_some(())).count();
                if named > 0 {
                    *grace = epochs.request();
                }
            }
            match *what {
                What::Program(program) => {
                    programs.remove(program);
                    map.views[program.index()] = View::default();
                    false
                }
                What::Map(freed) | What::Unreachable(freed) => {
                    if !epochs.passed(*grace) || map.is_on_its_way_to(freed) {
                        return true;
                    }
                    map.table.destroy(freed);
                    false
                }
            }
        });
    }
}
