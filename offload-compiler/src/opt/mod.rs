//! Passes over the IR: plain functions that make a function smaller and leave its meaning alone.
//!
//! Meaning is the return value, the packet's bytes, and the order of what others can see: stores and atomics to the values of one
//! map, requests to maps. Stack contents at the end are nobody's business. Every pass takes well-formed IR and leaves well-formed
//! IR ([`crate::ir::check`]); what it may assume is that the program is verified, so accesses that are executed are in bounds.
//!
//! [`PASSES`] names them; [`optimize`] runs them in rounds until nothing changes. What is worth it on this device is measured by
//! words: loads and stores of up to 8 bytes with byte reversal, two of each side by side, few branches, exits right behind them.

mod alias;
mod atomics;
mod bytes;
mod combine;
mod copies;
mod dead;
mod flow;
mod guards;
mod gvn;
mod known;
mod loads;
mod pack;
mod params;
mod promote;
mod repair;
mod requests;
mod rewrite;
mod simplify;
mod stores;
#[cfg(test)]
mod tests;
mod thread;
mod tidy;

use crate::ebpf::MapIdx;
use crate::ir::{self, Func, FuncIdx};
use crate::object::{Map, Object};

/// What the passes must know of the maps, by map index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapTable(pub Vec<MapEntry>);

/// What the passes must know of one map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapEntry {
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Each vCPU has its own copy of a value.
    pub per_cpu: bool,
}

impl MapTable {
    /// The maps of an object.
    pub fn of(object: &Object) -> Self {
        let entry = |map: &Map| MapEntry {
            key_size: map.spec.key_size,
            value_size: map.spec.value_size,
            per_cpu: map.spec.kind.is_per_cpu(),
        };
        MapTable(object.maps.iter().map(entry).collect())
    }

    fn get(&self, map: MapIdx) -> Option<&MapEntry> {
        self.0.get(usize::from(map.0))
    }
}

/// A pass.
#[derive(Clone, Copy)]
pub struct Pass {
    /// Its name, for dumps and file tests.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Does it.
    pub run: fn(&mut Func, &MapTable),
}

/// All passes, in the order of a round.
pub const PASSES: &[Pass] = &[
    Pass { name: "simplify", about: "folds constants, copies, masks, addresses and comparisons", run: simplify::run },
    Pass { name: "params", about: "removes block parameters that always get the same value", run: params::run },
    Pass { name: "flow", about: "folds branches, merges blocks, moves exits into predecessors", run: flow::run },
    Pass { name: "thread", about: "lets predecessors that decide a branch jump past it", run: thread::run },
    Pass {
        name: "copies",
        about: "makes loads and stores of short copies out of and into the packet",
        run: copies::run,
    },
    Pass { name: "guards", about: "removes packet bounds checks that earlier ones decide", run: guards::run },
    Pass { name: "promote", about: "keeps stack slots in values", run: promote::run },
    Pass { name: "loads", about: "forwards stored and loaded values to later loads", run: loads::run },
    Pass { name: "gvn", about: "computes every pure value once", run: gvn::run },
    Pass { name: "combine", about: "makes one load of loads and shifts of neighbouring bytes", run: combine::run },
    Pass { name: "stores", about: "merges stores of neighbouring bytes", run: stores::run },
    Pass {
        name: "atomics",
        about: "adds to per-CPU values atomically where the old value is not used",
        run: atomics::run,
    },
    Pass { name: "dead", about: "removes what nobody uses, dead stack stores too", run: dead::run },
];

/// Runs once behind the rounds, because it spends operations to save stores.
pub const LATE: &[Pass] = &[
    Pass { name: "pack", about: "joins two 4-byte stores into one of 8 bytes by a pack", run: pack::run },
    Pass { name: "tidy", about: "drops dead blocks and numbers blocks and values anew", run: tidy::run },
];

/// Most rounds; what is left over then is merely not as small as it could be.
const ROUNDS: usize = 12;

/// Runs all passes until nothing changes.
pub fn optimize(func: Func, maps: &MapTable) -> Func {
    optimize_with(func, maps, &mut |_, _| {})
}

/// Runs all passes on a program and the functions that it calls, those first: what a function does not look at, its callers need not
/// compute. Functions that nobody calls any more go.
pub fn optimize_all(mut funcs: Vec<Func>, maps: &MapTable) -> Vec<Func> {
    // A program that is not well formed is refused later.
    let order = ir::callees_first(&funcs).unwrap_or_else(|_| (0..funcs.len() as u32).map(FuncIdx).collect());
    for at in order {
        if let Some(func) = funcs.get_mut(at.at()) {
            let name = func.name.clone();
            let empty = Func { name, blocks: Vec::new(), values: 0 };
            *func = optimize(std::mem::replace(func, empty), maps);
            ir::drop_arguments(&mut funcs, at);
        }
    }
    ir::keep_called(&funcs)
}

/// As [`optimize`]; shows the function after each pass that changed something.
pub fn optimize_with(mut func: Func, maps: &MapTable, show: &mut dyn FnMut(&Pass, &Func)) -> Func {
    let mut step = |pass: &Pass, func: &mut Func| {
        let before = func.clone();
        (pass.run)(func, maps);
        debug_assert_eq!(crate::ir::check(func), Ok(()), "after {}:\n{func}\nbefore:\n{before}", pass.name);
        let changed = *func != before;
        if changed {
            show(pass, func);
        }
        changed
    };
    for _ in 0..ROUNDS {
        let mut changed = false;
        for pass in PASSES {
            changed |= step(pass, &mut func);
        }
        if !changed {
            break;
        }
    }
    for pass in LATE {
        step(pass, &mut func);
    }
    func
}

/// Runs one pass by name; `None` if there is none of that name.
pub fn run_pass(name: &str, func: &mut Func, maps: &MapTable) -> Option<()> {
    let pass = PASSES.iter().chain(LATE).find(|pass| pass.name == name)?;
    (pass.run)(func, maps);
    Some(())
}
