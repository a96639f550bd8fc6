//! Virtual registers become the machine's 16, in two banks.
//!
//! [`allocate`] colours the interference graph of the words ([`live`], [`graph`], [`color`]); what finds no register goes to
//! scratch memory ([`spill`]); where two write backs of one word cannot be kept in different banks, the pair is reported and the
//! caller schedules again without it. [`check`] proves each result on its own: it walks the allocated words over all paths and
//! shows that every read gets the value that the virtual words name.

mod check;
mod color;
mod graph;
mod live;
mod spill;

pub use check::{Mismatch, Shared, check};
pub use live::Liveness;
pub use spill::{Around, SlotSet, stack_floor};

use crate::schedule::{Code, Read, Target, VReg, VWord, WordId};
use color::Colors;
use graph::Graph;
use offwire_isa::{Src, Word};

/// Registers of the machine.
pub const REGISTERS: usize = 16;

/// Where a word of the allocated code comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A word of the scheduled code.
    Word(WordId),
    /// Stores a register into a spill slot.
    Spill,
    /// Loads a register from a spill slot.
    Reload,
}

/// A word with machine registers; targets still name words.
#[derive(Clone, Debug, PartialEq)]
pub struct AWord {
    /// All fields but targets.
    pub word: Word,
    /// As in [`VWord`].
    pub t1: Option<Target>,
    /// As in [`VWord`].
    pub t2: Option<Target>,
    /// As in [`VWord`].
    pub next: Option<Target>,
    /// eBPF instructions.
    pub insns: Vec<u32>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Allocated code.
#[derive(Clone, Debug)]
pub struct Allocated {
    /// The words. Targets are [`Target::Word`] or [`Target::Exit`].
    pub words: Vec<AWord>,
    /// Where a packet starts.
    pub entry: WordId,
    /// Virtual registers that live in scratch memory.
    pub spills: usize,
    /// Spill slots that it, or a function that it calls, may write.
    pub slots: SlotSet,
}

/// Why there is no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The two of each pair cannot be written by the same word; schedule again without that.
    Ban(Vec<(VReg, VReg)>),
    /// More values are live at a time than registers and spill slots hold.
    Full,
    /// Some path reads a register that nothing wrote: a mistake in an earlier stage.
    Undefined(VReg),
    /// There are no words.
    Empty,
}

/// Rounds of spilling before it is given up.
const ROUNDS: usize = 40;

/// Allocates registers. Values that are needed after a call live in slots that the functions below do not write (`around`).
///
/// # Errors
/// See [`Failure`].
pub fn allocate(code: &Code, around: &Around) -> Result<Allocated, Failure> {
    let mut spilling = spill::Spilling::new(code, around);
    if code.named.is_some() {
        let live = Liveness::new(&spilling.code);
        spilling.begin_round();
        for reg in spilling.across_calls(&live) {
            spilling.keep(reg, &live).map_err(|_| Failure::Full)?;
        }
    }
    for _ in 0..ROUNDS {
        let live = Liveness::new(&spilling.code);
        let entry = spilling.code.entry.ok_or(Failure::Empty)?;
        let is_argument = |reg: &VReg| code.named.is_some_and(|named| named[1..].contains(reg));
        if let Some(reg) = live.live_in(entry).find(|reg| !is_argument(reg)) {
            return Err(Failure::Undefined(reg));
        }
        let graph = Graph::new(&spilling.code, &live);
        match color::color(&graph, &spilling.code, &spilling.fixed) {
            Colors::All(colors) => return Ok(finish(&spilling, &live, &colors, entry)),
            Colors::Clash(pairs) => return Err(Failure::Ban(pairs)),
            Colors::Spill(regs) => {
                spilling.begin_round();
                for reg in regs {
                    if let Err(spill::Refused::Full) = spilling.spill(reg, &live) {
                        return Err(Failure::Full);
                    }
                }
            }
        }
    }
    Err(Failure::Full)
}

fn finish(spilling: &spill::Spilling, live: &Liveness, colors: &[u8], entry: WordId) -> Allocated {
    let code = &spilling.code;
    let resolve = |target: Option<Target>| target.map(|target| code.word_of(target).map_or(target, Target::Word));
    let words = code.words.iter().enumerate().map(|(at, vword)| AWord {
        word: registers(vword, WordId(at as u32), live, colors),
        t1: resolve(vword.t1),
        t2: resolve(vword.t2),
        next: resolve(vword.next),
        insns: vword.insns.clone(),
        origin: spilling.origin[at],
    });
    Allocated { words: words.collect(), entry, spills: spilling.spilled, slots: spilling.used }
}

/// The word with registers put in; write backs that nobody needs, or that copy a register to itself, go.
fn registers(vword: &VWord, at: WordId, live: &Liveness, colors: &[u8]) -> Word {
    let mut word = vword.word;
    let color = |reg: VReg| colors.get(reg.0 as usize).copied().unwrap_or(0) & 15;
    let read = |read: Read| match read {
        // Whatever it delivers, nobody looks.
        Read::None => 0,
        Read::Reg(reg) => offwire_isa::Read::Reg(color(reg)).encode(),
        Read::Const(constant) => offwire_isa::Read::Const(constant).encode(),
    };
    [word.ra, word.rb, word.rc] = vword.ports.map(read);
    for &(src, reg) in &vword.writes {
        let to = color(reg);
        let same = match src {
            Src::Ra => Some(vword.ports[0]),
            Src::Rb => Some(vword.ports[1]),
            Src::Rc => Some(vword.ports[2]),
            _ => None,
        };
        let is_copy_to_itself = matches!(same, Some(Read::Reg(from)) if color(from) == to);
        if is_copy_to_itself || !live.is_live_after_write(at, reg) {
            continue;
        }
        if to & 1 == 0 {
            (word.w0_src, word.w0_reg) = (src, to >> 1);
        } else {
            (word.w1_src, word.w1_reg) = (src, to >> 1);
        }
    }
    if let Some(answer) = vword.answer {
        word.q_dst = color(answer);
    }
    word
}
