//! The checkers against mistakes made on purpose: a changed schedule or allocation must be refused, or do the same.

use super::random::{self, Rng};
use super::tests::interpret;
use super::{Links, Parts, eval, image};
use crate::ir::interp::{Packet, World};
use crate::ir::{self, Func, FuncIdx};
use crate::regalloc::{self, AWord, Around, Origin};
use crate::schedule::{self, Read, Target, VReg, VWord, WordId};
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode};
use offwire_isa::{AluOp, Base, CmpOp, RequestOp, SMALL, Space, Src, StoreOp, Word};

const SOURCES: [Src; 11] =
    [Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::I1, Src::Iw];

fn parts(func: &Func) -> Parts {
    Parts::new(func, &random::maps(), true, &Around::default(), |_| Span::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// True if the words still do what the IR says, on some packets. Tail calls start the program anew.
fn behaves(funcs: &[Func], parts: &[Parts], seed: u64) -> Result<(), String> {
    let dispatch = Dispatch { mode: DispatchMode::Cpu, reason: "a test".into() };
    let links = Links { programs: vec![0, 0], ..Links::default() };
    // The image has a checker of its own.
    let Ok(made) = image(parts, &random::maps(), links, dispatch, &SMALL) else { return Ok(()) };
    let mut rng = Rng::new(seed);
    let (mut maps_a, mut maps_b) = (random::filled(), random::filled());
    for _ in 0..30 {
        let bytes: Vec<u8> = (0..14 + rng.below(100)).map(|_| rng.next() as u8 & rng.next() as u8).collect();
        let (mut a, mut b) = (Packet::new(&bytes), Packet::new(&bytes));
        let world = World { ktime_ns: rng.next(), jiffies: rng.next(), random: rng.next(), ..World::default() };
        let (mut world_a, mut world_b) = (world.clone(), world);
        let wanted = interpret(funcs, &[0, 0], &mut a, &mut maps_a, &mut world_a)?;
        let (got, _) = eval::run(&made.image, &mut b, &mut maps_b, &mut world_b)?;
        if got != wanted || a != b || maps_a != maps_b || world_a != world_b {
            return Err("it does something else".into());
        }
    }
    Ok(())
}

/// Changes one thing; false if that was nothing.
fn change_word(word: &mut VWord, rng: &mut Rng, vregs: u32, words: u32) -> bool {
    let old = word.clone();
    let fields = &mut word.word;
    let source = SOURCES[rng.below(11) as usize];
    match rng.below(34) {
        0 => fields.a1_op = AluOp::from_code(rng.below(19) as u8).unwrap_or_default(),
        1 => fields.a2_op = AluOp::from_code(rng.below(19) as u8).unwrap_or_default(),
        2 => fields.c1_op = CmpOp::from_code(rng.below(9) as u8).unwrap_or_default(),
        3 => fields.c2_op = CmpOp::from_code(rng.below(9) as u8).unwrap_or_default(),
        4 => fields.a1_w ^= true,
        5 => fields.c1_w ^= true,
        6 => fields.ld_off += 1,
        7 => fields.x0_size = rng.below(9) as u8,
        8 => fields.x1_swap ^= true,
        9 => fields.ld_dismiss = false,
        10 => fields.st_off += 1,
        11 => fields.st_kill1 ^= true,
        12 => fields.st_kill2 ^= true,
        13 => fields.st_op = StoreOp::None,
        14 => fields.s0_src = source,
        15 => fields.a2_a = source,
        16 => fields.i0 ^= 1 << rng.below(16),
        17 => fields.g_len = fields.g_len.saturating_sub(1 + rng.below(4) as u16),
        18 => std::mem::swap(&mut word.t1, &mut word.t2),
        19 if word.next.is_some() => word.next = Some(Target::Word(WordId(rng.below(words.into()) as u32))),
        20 => {
            let port = &mut word.ports[rng.below(3) as usize];
            if matches!(port, Read::Reg(_)) {
                *port = Read::Reg(VReg(rng.below(vregs.into()) as u32));
            }
        }
        21 => {
            word.writes.pop();
        }
        22 => {
            if let Some((_, reg)) = word.writes.first_mut() {
                *reg = VReg(rng.below(vregs.into()) as u32);
            }
        }
        23 => {
            if let Some((src, _)) = word.writes.first_mut() {
                *src = source;
            }
        }
        24 => fields.q_null ^= true,
        25 => fields.q_koff += 1,
        // Requests, if there is one: another one of the same form; its operands; its answer.
        26 if fields.q_op != RequestOp::None => {
            let shape = fields.q_op.shape();
            let other = RequestOp::from_code(rng.below(58) as u8).unwrap_or_default();
            if other.shape() == shape {
                fields.q_op = other;
            }
        }
        27 if fields.q_op != RequestOp::None => fields.q_op = RequestOp::None,
        28 => fields.q_map = rng.below(10) as u8,
        29 => fields.q_vsrc = source,
        30 => {
            let spaces = [Space::Packet, Space::Stack, Space::Scratch, Space::MapValue];
            fields.q_kspace = spaces[rng.below(4) as usize];
        }
        31 => fields.q_kbase = [Base::Zero, Base::Ra, Base::Rb, Base::Rc][rng.below(4) as usize],
        32 => {
            if let Read::Const(constant) = &mut word.ports[2] {
                *constant ^= 1;
            }
        }
        _ => {
            if let Some(answer) = &mut word.answer {
                *answer = VReg(rng.below(vregs.into()) as u32);
            }
        }
    }
    *word != old
}

/// Requests of neighbouring words change places; false if that was nothing.
fn swap_requests(words: &mut [VWord], at: usize) -> bool {
    let Some([first, second]) = words.get_mut(at..at + 2) else { return false };
    let old = first.clone();
    let (a, b) = (&mut first.word, &mut second.word);
    std::mem::swap(&mut a.q_op, &mut b.q_op);
    std::mem::swap(&mut a.q_map, &mut b.q_map);
    std::mem::swap(&mut a.q_kspace, &mut b.q_kspace);
    std::mem::swap(&mut a.q_kbase, &mut b.q_kbase);
    std::mem::swap(&mut a.q_koff, &mut b.q_koff);
    std::mem::swap(&mut a.q_vspace, &mut b.q_vspace);
    std::mem::swap(&mut a.q_vsrc, &mut b.q_vsrc);
    std::mem::swap(&mut first.answer, &mut second.answer);
    // Operands from ports, so that more of them stay right.
    std::mem::swap(&mut first.ports[2], &mut second.ports[2]);
    *first != old
}

#[test]
fn a_changed_schedule_is_refused_or_does_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..random::seeds(3000) {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let size = 12 + (seed % 40) as u32;
        let func = if seed % 2 == 0 { random::function(seed, size) } else { random::asking(seed, size) };
        let mut parts = parts(&func);
        let (vregs, words) = (parts.code.vregs, parts.code.words.len() as u32);
        let at = rng.below(words.into()) as usize;
        let changed = if rng.chance(10) {
            swap_requests(&mut parts.code.words, at)
        } else {
            change_word(&mut parts.code.words[at], &mut rng, vregs, words)
        };
        if !changed {
            continue;
        }
        if schedule::check(&parts.prepared, &parts.regions, &parts.code, &parts.sizes).is_err() {
            refused += 1;
            continue;
        }
        // What a register that is never read holds does not matter, nor whether the pair fits the banks.
        let Ok(allocated) = regalloc::allocate(&parts.code, &Around::default()) else { continue };
        parts.allocated = allocated;
        behaves(std::slice::from_ref(&func), std::slice::from_ref(&parts), seed)
            .unwrap_or_else(|what| panic!("seed {seed}, word {at}: {what}\n{func}"));
        harmless += 1;
    }
    // Many changes are to units that are off.
    assert!(2 * refused > harmless, "{refused} refused, {harmless} harmless");
}

fn change_registers(word: &mut Word, rng: &mut Rng) -> bool {
    let old = *word;
    let reg = rng.below(16) as u8;
    match rng.below(7) {
        0 if word.ra < 16 => word.ra = reg,
        1 if word.rb < 16 => word.rb = reg,
        2 if word.w0_src != Src::Zero => word.w0_reg = reg / 2,
        3 if word.w1_src != Src::Zero => word.w1_reg = reg / 2,
        4 => word.q_dst = reg,
        5 => word.w0_src = Src::Zero,
        _ => word.w1_src = Src::Zero,
    }
    *word != old
}

#[test]
fn a_changed_allocation_is_refused_or_does_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..random::seeds(1500) {
        let mut rng = Rng::new(seed ^ 0xa110c);
        let size = 12 + (seed % 150) as u32;
        let func = if seed % 2 == 0 { random::function(seed, size) } else { random::asking(seed, size) };
        let mut parts = parts(&func);
        let at = rng.below(parts.allocated.words.len() as u64) as usize;
        if !change_registers(&mut parts.allocated.words[at].word, &mut rng) {
            continue;
        }
        let check = |parts: &Parts| {
            let shared = regalloc::Shared::of(&[&parts.allocated])?;
            regalloc::check(FuncIdx(0), &parts.code, &parts.allocated, &shared)
        };
        if check(&parts).is_err() {
            refused += 1;
            continue;
        }
        behaves(std::slice::from_ref(&func), std::slice::from_ref(&parts), seed)
            .unwrap_or_else(|what| panic!("seed {seed}, word {at}: {what}\n{func}"));
        harmless += 1;
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

/// A set of functions that call each other, translated.
fn calling(seed: u64) -> Option<(Vec<Func>, Vec<Parts>)> {
    let funcs = ir::keep_called(&random::calling(seed, 20 + (seed % 60) as u32));
    // Not all of them fit the slots.
    let parts = super::parts(&funcs, &random::maps(), true, |_, _| Span::default()).ok()?;
    (funcs.len() > 1).then_some((funcs, parts))
}

/// Changes what is passed at a call or return, or where it leads.
fn change_call(word: &mut VWord, rng: &mut Rng, vregs: u32, funcs: u32) -> bool {
    let old = word.clone();
    match rng.below(6) {
        0 => drop(word.passes.pop()),
        1 => word.passes.reverse(),
        2 => {
            if let Some(pass) = word.passes.first_mut() {
                *pass = VReg(rng.below(vregs.into()) as u32);
            }
        }
        3 if word.t2.is_some() => word.t2 = Some(Target::Func(FuncIdx(rng.below(funcs.into()) as u32))),
        4 => word.answer = None,
        // What is passed is set beside it, or before.
        _ => drop(word.writes.pop()),
    }
    *word != old
}

#[test]
fn a_changed_call_is_refused_or_does_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..random::seeds(1200) {
        let Some((funcs, mut parts)) = calling(seed) else { continue };
        let mut rng = Rng::new(seed ^ 0xca11ed);
        let which = rng.below(parts.len() as u64) as usize;
        let code = &mut parts[which].code;
        let (vregs, words) = (code.vregs, code.words.len() as u32);
        let is_call = |word: &&mut VWord| matches!(word.word.q_op, RequestOp::Call | RequestOp::Ret);
        let changed = if rng.chance(50) {
            let at = rng.below(words.into()) as usize;
            change_word(&mut code.words[at], &mut rng, vregs, words)
        } else {
            let mut calls: Vec<&mut VWord> = code.words.iter_mut().filter(is_call).collect();
            let at = rng.below(calls.len() as u64) as usize;
            calls.get_mut(at).is_some_and(|word| change_call(word, &mut rng, vregs, funcs.len() as u32))
        };
        if !changed {
            continue;
        }
        let part = &parts[which];
        if schedule::check(&part.prepared, &part.regions, &part.code, &part.sizes).is_err() {
            refused += 1;
            continue;
        }
        let slots = parts.iter().map(|part| part.allocated.slots).collect();
        let around = Around { slots, ..Around::default() };
        let Ok(allocated) = regalloc::allocate(&parts[which].code, &around) else { continue };
        parts[which].allocated = allocated;
        // Slots that are new may be its callers'.
        if super::check(&parts).is_err() {
            continue;
        }
        behaves(&funcs, &parts, seed).unwrap_or_else(|what| panic!("seed {seed}: {what}\n{}", ir::print_all(&funcs)));
        harmless += 1;
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_changed_allocation_around_calls_is_refused_or_does_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..random::seeds(1200) {
        let Some((funcs, mut parts)) = calling(seed) else { continue };
        let mut rng = Rng::new(seed ^ 0x510f);
        let which = rng.below(parts.len() as u64) as usize;
        let words = &mut parts[which].allocated.words;
        let mut spills: Vec<&mut AWord> =
            words.iter_mut().filter(|word| !matches!(word.origin, Origin::Word(_))).collect();
        let changed = if spills.is_empty() || rng.chance(50) {
            let at = rng.below(words.len() as u64) as usize;
            change_registers(&mut words[at].word, &mut rng)
        } else {
            let at = rng.below(spills.len() as u64) as usize;
            let word = &mut spills[at].word;
            // Another slot.
            let to = 64 + 8 * rng.below(21) as i16;
            let field = if word.st_op == StoreOp::None { &mut word.ld_off } else { &mut word.st_off };
            std::mem::replace(field, to) != to
        };
        if !changed {
            continue;
        }
        if super::check(&parts).is_err() {
            refused += 1;
            continue;
        }
        behaves(&funcs, &parts, seed).unwrap_or_else(|what| panic!("seed {seed}: {what}\n{}", ir::print_all(&funcs)));
        harmless += 1;
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}
