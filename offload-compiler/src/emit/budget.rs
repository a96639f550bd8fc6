//! How many cycles may a packet take?

use super::Laid;
use offwire_isa::{CmpOp, KeyUse, Profile, Read, RequestOp, Space, Src, StoreOp, Target, Word};

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
/// Bytes that a request copies or adds up at the most; more are out of bounds.
const COPY_BYTES: u64 = 0xffff;
/// Turns for which each context before this one holds a lock.
const LOCK_TURNS: u64 = 8;

/// Finds the longest way through the words from the first function's entry, over as many tail calls as a packet may make to the
/// functions in `programs`. A call takes the longest way through its function. Each word is charged a turn of all contexts for itself and one for a replay, and for
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
        // First through the function, then on.
        if let Some(called) = callee(&laid.words[at]) {
            most = most.saturating_add(words[called]);
            longest = longest.saturating_add(cycles[called]);
        }
        words[at] = most.saturating_add(1);
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
    let lines = |bytes: u64, a_cycle: u32| bytes.min(COPY_BYTES).div_ceil(u64::from(a_cycle.max(1)));
    let bytes = match word.q_op.shape().key {
        KeyUse::ReadsW | KeyUse::WritesW => constant(word, Src::Rc),
        _ => constant(word, word.q_vsrc),
    };
    let moved = lines(bytes, profile.map_bank_bytes);
    use RequestOp::*;
    cycles += match word.q_op {
        None | Exit | Call | Ret => 0,
        KtimeNs | Jiffies | Redirect => turn,
        op if op.is_division() => own(profile.divide_cycles.into()),
        AdjustHead | AdjustTail | AdjustMeta => own(profile.adjust_cycles.into()),
        LoadBytes | StoreBytes | Csum | Printk | PrintkText => {
            // Bytes of map values come from the map unit, those of the packet may have to be fetched.
            let far = u64::from(profile.packet_store_cycles);
            let unit = if word.q_op == Csum { profile.csum_bytes } else { profile.copy_bytes };
            own(lines(bytes, unit).max(1) + far) + if word.q_kspace == Space::MapValue { shared(moved) } else { 0 }
        }
        // With as much of the packet as there may be.
        PerfOutput => shared(service + moved + lines(COPY_BYTES, profile.map_bank_bytes)),
        RingOutput => shared(service + moved),
        Prandom => shared(profile.random_cycles.into()),
        // An update may wait for a lock.
        SpinLock | UpdateFlags | UpdateInFlags => shared(service) + LOCK_TURNS * turn * contexts,
        _ => shared(service),
    };
    cycles
}

/// What a unit selects, if that is a constant; else more than any request takes.
fn constant(word: &Word, src: Src) -> u64 {
    let port = |field: u8| match Read::decode(field) {
        Read::Const(constant) => i64::from(constant),
        Read::Reg(_) => -1,
    };
    let value = match src {
        Src::Zero => 0,
        Src::Ra => port(word.ra),
        Src::Rb => port(word.rb),
        Src::Rc => port(word.rc),
        Src::I0 => word.i0.into(),
        Src::I1 => word.i1.into(),
        _ => -1,
    };
    u64::try_from(value).unwrap_or(u64::MAX)
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

/// The first word of the function that the word calls.
fn callee(word: &Word) -> Option<usize> {
    match word.t2 {
        Target::Goto(address) if word.q_op == RequestOp::Call => Some(usize::from(address.0)),
        _ => None,
    }
}

/// Successors, and the function that is called.
fn behind(word: &Word) -> impl Iterator<Item = usize> {
    successors(word).chain(callee(word))
}

/// Words so that each stands after its successors and those of functions that it calls; `None` if there is a loop.
fn topological(laid: &Laid) -> Option<Vec<usize>> {
    let mut missing: Vec<usize> = laid.words.iter().map(|word| behind(word).count()).collect();
    let mut before = vec![Vec::new(); laid.words.len()];
    for (at, word) in laid.words.iter().enumerate() {
        for to in behind(word) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use offwire_isa::{CodeAddr, SMALL};

    fn laid(words: &[&str], entries: &[u16]) -> Laid {
        let words: Vec<Word> = words.iter().map(|word| word.parse().unwrap()).collect();
        let insns = vec![Vec::new(); words.len()];
        Laid { words, insns, entries: entries.iter().copied().map(CodeAddr).collect() }
    }

    #[test]
    fn a_tail_call_may_lead_to_the_longest_program_33_times() {
        let words = ["ra=1; q.tail_call map=0 val=ra; next=pass", "next=@2", "next=drop", "next=drop"];
        let laid = laid(&words, &[0, 1, 3]);
        let turn = 2 * u64::from(SMALL.contexts_per_engine);
        let alone = bound(&laid, &[], &SMALL);
        let chained = bound(&laid, &[1, 2], &SMALL);
        assert_eq!((alone.words, chained.words), (Some(1), Some(1 + 33 * 2)));
        let both = (alone.worst_cycles.unwrap(), chained.worst_cycles.unwrap());
        assert_eq!(both.1 - both.0, 33 * 2 * turn);
    }

    #[test]
    fn a_request_costs_what_its_unit_takes_for_all_that_wait() {
        let cost = |word: &str| bound(&laid(&[word], &[0]), &[], &SMALL).worst_cycles.unwrap();
        let idle = cost("next=pass");
        let contexts = u64::from(SMALL.contexts_per_engine);
        let divide = u64::from(SMALL.divide_cycles) * contexts + contexts;
        assert_eq!(cost("ra=r1; rc=r2; q.divu64 val=ra dst=r0; next=pass") - idle, divide);
        // 20 bytes are two lines, an unknown number 4,096.
        let some = cost("ra=20; rc=0; q.csum key=stack[0+0] val=ra dst=r0; next=pass");
        let many = cost("ra=r1; rc=0; q.csum key=stack[0+0] val=ra dst=r0; next=pass");
        assert_eq!((SMALL.csum_bytes, many - some), (16, (4096 - 2) * contexts));
        assert!(
            cost("ra=r1; q.spin.lock val=ra dst=r0; next=pass") > cost("q.lookup key=stack[0+0] dst=r0; next=pass")
        );
    }

    #[test]
    fn a_call_costs_the_way_through_the_function() {
        let words = [
            "q.call; t2=@2; next=@1",
            "q.call; t2=@4; next=pass",
            "q.call; t2=@4; next=@3",
            "q.ret",
            "c1=eq.64 0,0; t1=@5; next=@5",
            "q.ret",
        ];
        let bound = bound(&laid(&words, &[0, 2, 4]), &[], &SMALL);
        // The program's two words, the first function's two, and twice the second one's.
        assert_eq!(bound.words, Some(2 + 2 + 2 * 2));
        // A loop in a function is one of the program.
        assert_eq!(super::bound(&laid(&["q.call; t2=@1; next=pass", "next=@1"], &[0, 1]), &[], &SMALL).words, None);
    }

    #[test]
    fn a_loop_has_what_the_profile_grants() {
        let loops = bound(&laid(&["next=@0"], &[0]), &[], &SMALL);
        assert_eq!(loops, Bound { words: None, worst_cycles: None, budget: SMALL.packet_cycles_max });
    }
}
