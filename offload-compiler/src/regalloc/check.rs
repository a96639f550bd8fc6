//! Proves an allocation: symbolic execution of the allocated words over all paths. Shares nothing with the allocator but the
//! definition of a word's ways out; knows nothing of liveness or colours.
//!
//! Each machine register and spill slot holds a set of virtual registers, those whose value it is known to have. A read of a
//! virtual register must find it in the set of the machine register that the word reads.

use super::graph::port;
use super::{AWord, Allocated, Origin, REGISTERS};
use crate::ir::FuncIdx;
use crate::schedule::{Code, Read, Target, VReg, VWord, WordId};
use offwire_isa::{Base, CmpOp, KeyUse, RequestOp, STACK_BYTES, Space, Src, StoreOp, ValueUse, Word};

/// Spill slots of 8 B: from scratch byte 64 on up to the arguments of a printk, then the stack.
const SCRATCH_SLOTS: usize = (offwire_isa::PRINTK_ARGUMENTS as usize - 64) / 8;
const SLOTS: usize = SCRATCH_SLOTS + STACK_BYTES as usize / 8;

/// What is wrong with an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The allocated word.
    pub word: WordId,
    /// One sentence.
    pub what: String,
}

/// What each place is known to hold; `None` until a path reaches the word.
type Places = Vec<Vec<VReg>>;

/// What functions do to memory that others share with them, found in their words.
pub struct Shared {
    /// By function: true for spill slots that it, or a function that it calls, may write.
    written: Vec<[bool; SLOTS]>,
    /// By function: the lowest byte of the stack that it, or a function that it calls, may touch, and the end of those that it spills to.
    touched: Vec<i64>,
    spilled: Vec<i64>,
}

impl Shared {
    /// Of all functions of an image.
    ///
    /// # Errors
    /// A spill to no slot, or calls that go round in a circle or to no function.
    pub fn of(all: &[&Allocated]) -> Result<Self, Mismatch> {
        let mut shared = Shared { written: Vec::new(), touched: Vec::new(), spilled: Vec::new() };
        for allocated in all {
            let mut written = [false; SLOTS];
            for (at, word) in allocated.words.iter().enumerate() {
                let fail = |what: String| Mismatch { word: WordId(at as u32), what };
                match word.origin {
                    Origin::Spill => written[slot(word.word.st_space, word.word.st_off).map_err(fail)?] = true,
                    Origin::Reload => {}
                    Origin::Word(_) => {
                        own_slots(&word.word, |slot| written[slot] = true).map_err(|what| fail(what.into()))?;
                    }
                }
            }
            shared.written.push(written);
            shared.touched.push(allocated.words.iter().filter_map(touches).min().unwrap_or(i64::from(STACK_BYTES)));
            shared.spilled.push(spill_end(allocated).unwrap_or(0));
        }
        // Each call leads one level down; after as many rounds as there are functions nothing grows, unless there is a circle.
        for _ in 0..all.len() {
            let mut grows = false;
            for (caller, allocated) in all.iter().enumerate() {
                for func in allocated.words.iter().filter_map(called) {
                    let Some(callee) = shared.written.get(func.at()).copied() else {
                        return Err(Mismatch {
                            word: allocated.entry,
                            what: format!("it calls {func}, which is not there"),
                        });
                    };
                    for (mine, theirs) in shared.written[caller].iter_mut().zip(callee) {
                        grows |= theirs && !*mine;
                        *mine |= theirs;
                    }
                    let (touched, spilled) = (shared.touched[func.at()], shared.spilled[func.at()]);
                    grows |= touched < shared.touched[caller] || spilled > shared.spilled[caller];
                    shared.touched[caller] = shared.touched[caller].min(touched);
                    shared.spilled[caller] = shared.spilled[caller].max(spilled);
                }
            }
            if !grows {
                break;
            }
        }
        Ok(shared)
    }
}

fn called(word: &AWord) -> Option<FuncIdx> {
    match word.t2 {
        Some(Target::Func(func)) if word.word.q_op == RequestOp::Call => Some(func),
        _ => None,
    }
}

/// Checks `allocated`, the function of this number, against the words that it was made from.
///
/// # Errors
/// The first thing that could not be proved.
pub fn check(func: FuncIdx, code: &Code, allocated: &Allocated, shared: &Shared) -> Result<(), Mismatch> {
    let mut before: Vec<Option<Places>> = vec![None; allocated.words.len()];
    let entry = code.entry.and_then(|entry| code.words.get(entry.at()).map(|_| entry));
    let fail = |word: WordId, what: &str| Mismatch { word, what: what.into() };
    let entry = entry.ok_or_else(|| fail(WordId(0), "there is no entry"))?;
    same_place(code, allocated, Some(Target::Word(entry)), Some(Target::Word(allocated.entry)))
        .map_err(|what| fail(allocated.entry, what))?;
    // Values are spilled only below all that the program itself, in this function and those below it, may touch of its stack.
    match (shared.touched.get(func.at()), shared.spilled.get(func.at())) {
        (Some(touched), Some(spilled)) if spilled <= touched || *spilled == 0 => {}
        _ => return Err(fail(allocated.entry, "the program may touch its stack where values are spilled")),
    }
    let mut first = vec![Vec::new(); REGISTERS + SLOTS];
    for (set, argument) in first.iter_mut().zip(code.named.iter().flatten()).skip(1) {
        set.push(*argument);
    }
    let mut work = vec![(allocated.entry, first)];
    while let Some((at, incoming)) = work.pop() {
        let Some(place) = before.get_mut(at.at()) else { return Err(fail(at, "no such word")) };
        let state = match place {
            None => place.insert(incoming).clone(),
            Some(known) => {
                let mut less = false;
                for (set, other) in known.iter_mut().zip(&incoming) {
                    let before = set.len();
                    set.retain(|reg| other.contains(reg));
                    less |= set.len() != before;
                }
                if !less {
                    continue;
                }
                known.clone()
            }
        };
        let word = &allocated.words[at.at()];
        let ways = step(code, allocated, shared, word, state).map_err(|what| Mismatch { word: at, what })?;
        work.extend(ways);
    }
    Ok(())
}

fn step(
    code: &Code,
    allocated: &Allocated,
    shared: &Shared,
    word: &AWord,
    state: Places,
) -> Result<Vec<(WordId, Places)>, String> {
    let next = |state: Places| match word.next {
        Some(Target::Word(to)) => Ok(vec![(to, state)]),
        _ => Err("a spill must lead to a word".to_string()),
    };
    match word.origin {
        Origin::Spill => {
            let mut state = state;
            let slot = slot(word.word.st_space, word.word.st_off)?;
            let from = usize::from(word.word.ra);
            let set = state.get(from).filter(|_| from < REGISTERS).ok_or("a spill reads no register")?.clone();
            state[REGISTERS + slot] = set;
            next(state)
        }
        Origin::Reload => {
            let mut state = state;
            let slot = slot(word.word.ld_space, word.word.ld_off)?;
            let to = match (word.word.w0_src, word.word.w1_src) {
                (Src::X0, Src::Zero) => 2 * usize::from(word.word.w0_reg & 7),
                (Src::Zero, Src::X0) => 2 * usize::from(word.word.w1_reg & 7) + 1,
                _ => return Err("a reload writes no register".into()),
            };
            state[to] = state[REGISTERS + slot].clone();
            next(state)
        }
        Origin::Word(home) => {
            let vword = code.words.get(home.at()).ok_or("it comes from no word")?;
            let mut state = state;
            own_scratch(&word.word, &mut state)?;
            word_ways(code, allocated, shared, vword, word, &state)
        }
    }
}

/// Slots in scratch that the program's own accesses may write.
fn own_slots(word: &Word, mut writes: impl FnMut(usize)) -> Result<(), &'static str> {
    let mut forget = |from: i64, to: i64| {
        for n in 0..SCRATCH_SLOTS {
            let start = 64 + 8 * n as i64;
            if from < start + 8 && to > start {
                writes(n);
            }
        }
    };
    if word.st_op != StoreOp::None && word.st_space == Space::Scratch {
        if word.st_base != Base::Zero {
            return Err("a store somewhere into scratch");
        }
        forget(word.st_off.into(), i64::from(word.st_off) + 16);
    }
    if word.q_op.shape().key == KeyUse::WritesW && word.q_kspace == Space::Scratch {
        forget(if word.q_kbase == Base::Zero { word.q_koff.into() } else { 0 }, i64::MAX);
    }
    Ok(())
}

/// What the program itself writes into scratch is no spilled value any more. A store happens while the word may still leave, so
/// on all ways.
fn own_scratch(word: &Word, state: &mut Places) -> Result<(), String> {
    Ok(own_slots(word, |slot| state[REGISTERS + slot].clear())?)
}

/// The end of the stack bytes that values are spilled to, if there are such.
fn spill_end(allocated: &Allocated) -> Option<i64> {
    let spills = allocated.words.iter().filter(|word| word.origin == Origin::Spill);
    spills.filter(|word| word.word.st_space == Space::Stack).map(|word| i64::from(word.word.st_off) + 8).max()
}

/// The lowest byte of the stack that the program may touch by a word of its own. What it touches goes up from a constant address, or
/// is anywhere.
fn touches(AWord { word, origin, .. }: &AWord) -> Option<i64> {
    if !matches!(origin, Origin::Word(_)) {
        return None;
    }
    let place = |base: Base, offset: i16| if base == Base::Zero { i64::from(offset) } else { 0 };
    let read = |field: u8| match offwire_isa::Read::decode(field) {
        offwire_isa::Read::Const(constant) => i64::from(constant),
        offwire_isa::Read::Reg(_) => 0,
    };
    let mut touched = Vec::new();
    if word.ld_space == Space::Stack && (word.x0_size > 0 || word.x1_size > 0) {
        touched.push(place(word.ld_base, word.ld_off));
    }
    if word.st_space == Space::Stack && word.st_op != StoreOp::None {
        touched.push(place(word.st_base, word.st_off));
    }
    if word.q_kspace == Space::Stack && word.q_op.shape().key != KeyUse::None {
        touched.push(place(word.q_kbase, word.q_koff));
    }
    if word.q_vspace == Space::Stack && word.q_op.shape().value == ValueUse::Value {
        touched.push(match word.q_vsrc {
            Src::I0 => word.i0.into(),
            Src::I1 => word.i1.into(),
            Src::Ra => read(word.ra),
            Src::Rb => read(word.rb),
            Src::Rc => read(word.rc),
            _ => 0,
        });
    }
    touched.into_iter().min()
}

fn slot(space: Space, offset: i16) -> Result<usize, String> {
    let (first, from, slots) = match space {
        Space::Scratch => (0, offset.checked_sub(64), SCRATCH_SLOTS),
        Space::Stack => (SCRATCH_SLOTS, Some(offset), SLOTS - SCRATCH_SLOTS),
        Space::Packet | Space::MapValue => (0, None, 0),
    };
    let number = from.filter(|from| *from >= 0 && from % 8 == 0).map(|from| (from / 8) as usize);
    number.filter(|number| *number < slots).map(|number| first + number).ok_or_else(|| "no such spill slot".to_string())
}

fn word_ways(
    code: &Code,
    allocated: &Allocated,
    shared: &Shared,
    vword: &VWord,
    word: &AWord,
    state: &Places,
) -> Result<Vec<(WordId, Places)>, String> {
    same_fields(&vword.word, &word.word)?;
    let ports = [word.word.ra, word.word.rb, word.word.rc];
    for (port, field) in vword.ports.iter().zip(ports) {
        match (*port, offwire_isa::Read::decode(field)) {
            (Read::None, _) => {}
            (Read::Const(wanted), offwire_isa::Read::Const(got)) if wanted == got => {}
            (Read::Reg(reg), offwire_isa::Read::Reg(at)) => {
                if !state[usize::from(at)].contains(&reg) {
                    return Err(format!("r{at} is read for v{}, but holds {:?}", reg.0, state[usize::from(at)]));
                }
            }
            _ => return Err("a read port differs".into()),
        }
    }
    let written = write(vword, &word.word, state);
    if let RequestOp::Call | RequestOp::Ret = word.word.q_op {
        for reg in &vword.passes {
            let at = code
                .named
                .and_then(|named| named.iter().position(|named| named == reg))
                .ok_or("it passes no named register")?;
            if !written[at].contains(reg) {
                return Err(format!("r{at} does not hold v{}, which is passed in it", reg.0));
            }
        }
    }
    if word.word.q_op == RequestOp::Call {
        return call_ways(code, allocated, shared, vword, word, &written);
    }
    let answered = vword.answer.map(|answer| {
        let mut answered = written.clone();
        answered.iter_mut().for_each(|set| set.retain(|reg| *reg != answer));
        answered[usize::from(word.word.q_dst & 15)] = vec![answer];
        answered
    });
    let answered = answered.as_ref().unwrap_or(&written);
    let mut ways = Vec::new();
    let mut way = |wanted: Option<Target>, got: Option<Target>, places: &Places| {
        same_place(code, allocated, wanted, got)?;
        if let Some(Target::Word(to)) = got {
            ways.push((to, places.clone()));
        }
        Ok::<(), &'static str>(())
    };
    if vword.word.g_en {
        way(vword.t2, word.t2, state)?;
    }
    if vword.word.c1_op != CmpOp::Never {
        way(vword.t1, word.t1, &written)?;
    }
    if vword.word.c2_op != CmpOp::Never {
        way(vword.t2, word.t2, &written)?;
    }
    if vword.word.q_null {
        way(vword.t2, word.t2, answered)?;
    }
    way(vword.next, word.next, answered)?;
    Ok(ways)
}

/// The ways out of a word that calls: behind the call no register holds anything but the result.
fn call_ways(
    code: &Code,
    allocated: &Allocated,
    shared: &Shared,
    vword: &VWord,
    word: &AWord,
    written: &Places,
) -> Result<Vec<(WordId, Places)>, String> {
    let fields = &word.word;
    if fields.g_en || fields.c2_op != CmpOp::Never || fields.q_null {
        return Err("a call has other ways out".into());
    }
    let (Some(Target::Func(wanted)), Some(func)) = (vword.t2, called(word)) else {
        return Err("it calls no function".into());
    };
    let slots = shared.written.get(func.at()).filter(|_| wanted == func).ok_or("it calls another function")?;
    let mut ways = Vec::new();
    if fields.c1_op != CmpOp::Never {
        same_place(code, allocated, vword.t1, word.t1)?;
        if let Some(Target::Word(to)) = word.t1 {
            ways.push((to, written.clone()));
        }
    }
    let mut after = written.clone();
    after[..REGISTERS].iter_mut().for_each(Vec::clear);
    for (set, _) in after[REGISTERS..].iter_mut().zip(slots).filter(|(_, written)| **written) {
        set.clear();
    }
    if let Some(answer) = vword.answer {
        if code.named.map(|named| named[0]) != Some(answer) || fields.q_dst != 0 {
            return Err("the result comes into another register".into());
        }
        after.iter_mut().for_each(|set| set.retain(|reg| *reg != answer));
        after[0] = vec![answer];
    }
    same_place(code, allocated, vword.next, word.next)?;
    if let Some(Target::Word(to)) = word.next {
        ways.push((to, after));
    }
    Ok(ways)
}

/// After the write backs. All reads happen before.
fn write(vword: &VWord, word: &Word, state: &Places) -> Places {
    let mut after = state.clone();
    if vword.writes.is_empty() && word.w0_src == Src::Zero && word.w1_src == Src::Zero {
        return after;
    }
    for set in &mut after {
        set.retain(|held| vword.writes.iter().all(|(_, reg)| reg != held));
    }
    // What copies a register names its value anew wherever that already is.
    for (src, reg) in &vword.writes {
        if let Some(Read::Reg(from)) = port(*src).map(|n| vword.ports[n]) {
            for (set, old) in after.iter_mut().zip(state) {
                if old.contains(&from) {
                    set.push(*reg);
                }
            }
        }
    }
    let first = (word.w0_src, 2 * usize::from(word.w0_reg & 7));
    let second = (word.w1_src, 2 * usize::from(word.w1_reg & 7) + 1);
    let ports = [word.ra, word.rb, word.rc];
    let copies: Vec<(usize, Vec<VReg>)> = [first, second]
        .into_iter()
        .filter(|(src, _)| *src != Src::Zero)
        .map(|(src, to)| {
            let mut set: Vec<VReg> = match port(src).map(|n| offwire_isa::Read::decode(ports[n])) {
                Some(offwire_isa::Read::Reg(from)) => after[usize::from(from)].clone(),
                _ => Vec::new(),
            };
            let new = vword.writes.iter().filter(|(from, _)| *from == src).map(|(_, reg)| *reg);
            set.extend(new);
            (to, set)
        })
        .collect();
    for (to, set) in copies {
        after[to] = set;
    }
    for set in &mut after {
        set.sort_unstable();
        set.dedup();
    }
    after
}

/// All that is neither a register nor a target must be as scheduled.
fn same_fields(vword: &Word, word: &Word) -> Result<(), String> {
    let mut plain = *word;
    (plain.ra, plain.rb, plain.rc) = (vword.ra, vword.rb, vword.rc);
    (plain.w0_src, plain.w0_reg) = (vword.w0_src, vword.w0_reg);
    (plain.w1_src, plain.w1_reg) = (vword.w1_src, vword.w1_reg);
    plain.q_dst = vword.q_dst;
    if plain == *vword { Ok(()) } else { Err("a field differs from the scheduled word".into()) }
}

/// True if both targets are the same end or, over words of the allocator, the same word.
fn same_place(
    code: &Code,
    allocated: &Allocated,
    wanted: Option<Target>,
    got: Option<Target>,
) -> Result<(), &'static str> {
    let wrong = "it goes on elsewhere";
    let mut at = match (wanted.map(|wanted| code.word_of(wanted).ok_or(wanted)), got) {
        (None, None) => return Ok(()),
        (Some(Err(Target::Exit(wanted))), Some(Target::Exit(got))) if wanted == got => return Ok(()),
        (Some(Ok(_)), Some(Target::Word(to))) => to,
        _ => return Err(wrong),
    };
    let wanted = wanted.and_then(|wanted| code.word_of(wanted)).ok_or(wrong)?;
    for _ in 0..=allocated.words.len() {
        let word = allocated.words.get(at.at()).ok_or(wrong)?;
        match (word.origin, word.next) {
            (Origin::Word(home), _) => return if home == wanted { Ok(()) } else { Err(wrong) },
            (_, Some(Target::Word(to))) => at = to,
            _ => return Err(wrong),
        }
    }
    Err(wrong)
}
