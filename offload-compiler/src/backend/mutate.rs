//! The checkers against mistakes made on purpose: a changed schedule or allocation must be refused, or do the same.

use super::random::{self, Rng};
use super::{Parts, eval};
use crate::ebpf::MapIdx;
use crate::ir::Func;
use crate::ir::interp::{self, Maps, Packet};
use crate::regalloc;
use crate::schedule::{self, Read, Target, VReg, VWord, WordId};
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode};
use offwire_isa::{AluOp, CmpOp, SMALL, Src, StoreOp, Word};

const SOURCES: [Src; 11] =
    [Src::Zero, Src::Ra, Src::Rb, Src::Rc, Src::X0, Src::X1, Src::A1, Src::A2, Src::I0, Src::I1, Src::Iw];

fn parts(func: &Func) -> Parts {
    Parts::new(func, &random::maps(), |_| Span::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// True if the words still do what the IR says, on some packets.
fn behaves(func: &Func, parts: &Parts, seed: u64) -> Result<(), String> {
    let dispatch = Dispatch { mode: DispatchMode::Cpu, reason: "a test".into() };
    // The image has a checker of its own.
    let Ok(made) = parts.image(&func.name, &random::maps(), dispatch, &SMALL) else { return Ok(()) };
    let mut rng = Rng::new(seed);
    let specs = random::maps();
    let (mut maps_a, mut maps_b) = (Maps::new(&specs), Maps::new(&specs));
    for _ in 0..30 {
        let bytes: Vec<u8> = (0..14 + rng.below(100)).map(|_| rng.next() as u8 & rng.next() as u8).collect();
        let (mut a, mut b) = (Packet::new(&bytes), Packet::new(&bytes));
        let wanted = interp::run(func, &mut a, &mut maps_a).map_err(|fault| fault.what)?;
        let (got, _) = eval::run(&made.image, &mut b, &mut maps_b)?;
        let same_maps = (0..specs.len()).map(|at| MapIdx(at as u16)).all(|at| maps_a.entries(at) == maps_b.entries(at));
        if got != wanted || a.bytes() != b.bytes() || !same_maps {
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
    match rng.below(26) {
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
        _ => fields.q_koff += 1,
    }
    *word != old
}

#[test]
fn a_changed_schedule_is_refused_or_does_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..random::seeds(1500) {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let func = random::function(seed, 12 + (seed % 40) as u32);
        let mut parts = parts(&func);
        let (vregs, words) = (parts.code.vregs, parts.code.words.len() as u32);
        let at = rng.below(words.into()) as usize;
        if !change_word(&mut parts.code.words[at], &mut rng, vregs, words) {
            continue;
        }
        if schedule::check(&parts.prepared, &parts.regions, &parts.code, &parts.sizes).is_err() {
            refused += 1;
            continue;
        }
        // What a register that is never read holds does not matter, nor whether the pair fits the banks.
        let Ok(allocated) = regalloc::allocate(&parts.code) else { continue };
        parts.allocated = allocated;
        behaves(&func, &parts, seed).unwrap_or_else(|what| panic!("seed {seed}, word {at}: {what}\n{func}"));
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
        let func = random::function(seed, 12 + (seed % 150) as u32);
        let mut parts = parts(&func);
        let at = rng.below(parts.allocated.words.len() as u64) as usize;
        if !change_registers(&mut parts.allocated.words[at].word, &mut rng) {
            continue;
        }
        if regalloc::check(&parts.code, &parts.allocated).is_err() {
            refused += 1;
            continue;
        }
        behaves(&func, &parts, seed).unwrap_or_else(|what| panic!("seed {seed}, word {at}: {what}\n{func}"));
        harmless += 1;
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}
