//! How many cycles may a packet take?

use super::Laid;
use offwire_isa::{CmpOp, Profile, RequestOp, Space, StoreOp, Target, Word};

/// Bound on a program's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Words on the longest way; `None` if there are loops.
    pub words: Option<u32>,
    /// Cycles of the longest way under full load; `None` if there are loops.
    pub worst_cycles: Option<u64>,
    /// What goes into the image: at most what the profile grants.
    pub budget: u32,
}

/// Finds the longest way through the words. Each word is charged a turn of all contexts for itself and one for a replay, and for
/// each shared unit that it uses as much as if all contexts of the device stood before it in the queue.
pub fn bound(laid: &Laid, profile: &Profile) -> Bound {
    let cap = profile.packet_cycles_max.max(1);
    let Some(order) = topological(laid) else {
        return Bound { words: None, worst_cycles: None, budget: cap };
    };
    let mut words = vec![0u32; laid.words.len()];
    let mut cycles = vec![0u64; laid.words.len()];
    for at in order {
        let (mut most, mut longest) = (0, 0);
        for to in successors(&laid.words[at]) {
            most = most.max(words[to]);
            longest = longest.max(cycles[to]);
        }
        words[at] = most + 1;
        cycles[at] = longest.saturating_add(cost(&laid.words[at], profile));
    }
    let entry = usize::from(laid.entry.0);
    let worst = cycles.get(entry).copied().unwrap_or(0);
    Bound {
        words: words.get(entry).copied(),
        worst_cycles: Some(worst),
        budget: u32::try_from(worst).unwrap_or(cap).clamp(1, cap),
    }
}

fn cost(word: &Word, profile: &Profile) -> u64 {
    let turn = u64::from(profile.contexts_per_engine.max(profile.pipeline_depth));
    let contexts = u64::from(profile.engines) * u64::from(profile.contexts_per_engine);
    let mut cycles = 2 * turn;
    let loads = word.x0_size > 0 || word.x1_size > 0;
    let stores = word.st_op != StoreOp::None;
    if (loads && word.ld_space == Space::Packet) || (stores && word.st_space == Space::Packet) {
        cycles += 2 * u64::from(profile.packet_store_cycles) + turn;
    }
    let values = (loads && word.ld_space == Space::MapValue) || (stores && word.st_space == Space::MapValue);
    let request = !matches!(word.q_op, RequestOp::None | RequestOp::Exit);
    let service = u64::from(profile.map_index_cycles) + u64::from(profile.map_value_cycles);
    for _ in 0..u32::from(values) + u32::from(request) {
        cycles += 2 * u64::from(profile.map_request_cycles) + service * contexts + turn;
    }
    cycles
}

fn successors(word: &Word) -> impl Iterator<Item = usize> {
    let t1 = (word.c1_op != CmpOp::Never).then_some(word.t1);
    let t2 = (word.g_en || word.c2_op != CmpOp::Never || word.q_null).then_some(word.t2);
    let next = (word.q_op != RequestOp::Exit).then_some(word.next);
    [t1, t2, next].into_iter().flatten().filter_map(|target| match target {
        Target::Goto(address) => Some(usize::from(address.0)),
        Target::Exit(_) => None,
    })
}

/// Words so that each stands after its successors; `None` if there is a loop.
fn topological(laid: &Laid) -> Option<Vec<usize>> {
    let mut missing: Vec<usize> = laid.words.iter().map(|word| successors(word).count()).collect();
    let mut before = vec![Vec::new(); laid.words.len()];
    for (at, word) in laid.words.iter().enumerate() {
        for to in successors(word) {
            before.get_mut(to)?.push(at);
        }
    }
    let mut order: Vec<usize> = (0..laid.words.len()).filter(|at| missing[*at] == 0).collect();
    let mut done = 0;
    while let Some(&at) = order.get(done) {
        done += 1;
        for &from in &before[at] {
            missing[from] -= 1;
            if missing[from] == 0 {
                order.push(from);
            }
        }
    }
    (order.len() == laid.words.len()).then_some(order)
}
