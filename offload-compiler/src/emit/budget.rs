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

/// Tail calls of one packet, at most (MAX_TAIL_CALL_CNT in include/linux/bpf.h).
const TAIL_CALLS: u32 = 33;
/// Bytes that a request copies or adds up, at the most that a packet has.
const COPY_BYTES: u64 = 9216;

/// Finds the longest way through the words from the first function's entry, over as many tail calls as a packet may make to the
/// functions in `programs`. Each word is charged a turn of all contexts for itself and one for a replay, and for
/// each shared unit that it uses as much as if all contexts of the device stood before it in the queue.
pub fn bound(laid: &Laid, programs: &[usize], profile: &Profile) -> Bound {
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
    let from = |function: usize| {
        let entry = laid.entries.get(function).map_or(0, |entry| usize::from(entry.0));
        (words.get(entry).copied().unwrap_or(0), cycles.get(entry).copied().unwrap_or(0))
    };
    let (mut most, mut worst) = from(0);
    if laid.words.iter().any(|word| word.q_op == RequestOp::TailCall) {
        let longest = programs.iter().map(|program| from(*program));
        let (words, cycles) = longest.fold((0, 0), |(a, b), (words, cycles)| (a.max(words), b.max(cycles)));
        most = most.saturating_add(words.saturating_mul(TAIL_CALLS));
        worst = worst.saturating_add(cycles.saturating_mul(TAIL_CALLS.into()));
    }
    Bound { words: Some(most), worst_cycles: Some(worst), budget: u32::try_from(worst).unwrap_or(cap).clamp(1, cap) }
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
    let service = u64::from(profile.map_index_cycles) + u64::from(profile.map_value_cycles);
    let shared = |service: u64| 2 * u64::from(profile.map_request_cycles) + service * contexts + turn;
    if values {
        cycles += shared(service);
    }
    // What the engine does itself only its own contexts wait for.
    let own = |service: u64| service * u64::from(profile.contexts_per_engine) + turn;
    let bytes = |bytes: u64| bytes.div_ceil(u64::from(profile.map_bank_bytes.max(1)));
    use RequestOp::*;
    cycles += match word.q_op {
        None | Exit | Call | Ret => 0,
        op if op.is_division() => own(64),
        AdjustHead | AdjustTail | AdjustMeta => own(profile.adjust_cycles.into()),
        LoadBytes | StoreBytes | Csum => {
            // Bytes of map values come from the map unit.
            own(bytes(COPY_BYTES)) + if word.q_kspace == Space::MapValue { shared(bytes(COPY_BYTES)) } else { 0 }
        }
        RingOutput | PerfOutput | Printk | RingSubmit => shared(service + bytes(COPY_BYTES)),
        _ => shared(service),
    };
    cycles
}

fn successors(word: &Word) -> impl Iterator<Item = usize> {
    let t1 = (word.c1_op != CmpOp::Never).then_some(word.t1);
    let t2 = (word.g_en || word.c2_op != CmpOp::Never || word.q_null).then_some(word.t2);
    let next = (!matches!(word.q_op, RequestOp::Exit | RequestOp::Ret)).then_some(word.next);
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
