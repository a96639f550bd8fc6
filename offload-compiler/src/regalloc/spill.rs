//! Registers that live in scratch memory: stored after each definition, loaded before each use, by words of their own.

use super::Origin;
use super::live::{Liveness, ways};
use crate::schedule::{Code, Read, Target, VReg, VWord, WordId};
use offwire_isa::{CmpOp, KeyUse, Space, Src, StoreOp, ValueUse};

/// Spill slots of 8 B: scratch bytes 64 to 231. Behind them stand the arguments of a printk.
const SLOTS: usize = 21;
const FIRST: i16 = 64;

/// Code on its way to fewer live registers.
pub(super) struct Spilling {
    pub(super) code: Code,
    /// By word.
    pub(super) origin: Vec<Origin>,
    /// By register: true if it must not be spilled (again).
    pub(super) fixed: Vec<bool>,
    pub(super) spilled: usize,
    /// By slot: where registers live that are kept there, by word of the scheduled code; all true if the program uses it.
    slots: Vec<Vec<bool>>,
    scheduled: usize,
    /// By word: the word whose liveness it has; words inserted since liveness was found have that of a neighbour.
    like: Vec<WordId>,
}

/// Why a register cannot be spilled.
pub(super) enum Refused {
    /// Another one might.
    This,
    /// No slot is free.
    Full,
}

impl Spilling {
    pub(super) fn new(code: &Code) -> Self {
        let scheduled = code.words.len();
        let mut slots = vec![vec![false; scheduled]; SLOTS];
        // Slots that the program itself uses.
        for word in &code.words {
            let load = (word.word.x0_size > 0 || word.word.x1_size > 0) && word.word.ld_space == Space::Scratch;
            let store = word.word.st_op != StoreOp::None && word.word.st_space == Space::Scratch;
            for (used, offset) in [(load, word.word.ld_off), (store, word.word.st_off)] {
                for (n, slot) in slots.iter_mut().enumerate() {
                    let start = FIRST + 8 * n as i16;
                    if used && offset < start + 8 && offset + 16 > start {
                        slot.fill(true);
                    }
                }
            }
            // How many bytes a request touches there, it alone knows.
            let shape = word.word.q_op.shape();
            let key = (shape.key != KeyUse::None && word.word.q_kspace == Space::Scratch).then_some(word.word.q_koff);
            let value = (shape.value == ValueUse::Value && word.word.q_vspace == Space::Scratch).then_some(FIRST);
            for from in key.into_iter().chain(value) {
                for (n, slot) in slots.iter_mut().enumerate() {
                    if from < FIRST + 8 * (n as i16 + 1) {
                        slot.fill(true);
                    }
                }
            }
        }
        Spilling {
            code: code.clone(),
            origin: (0..scheduled as u32).map(|at| Origin::Word(WordId(at))).collect(),
            fixed: vec![false; code.vregs as usize],
            spilled: 0,
            slots,
            scheduled,
            like: Vec::new(),
        }
    }

    /// Liveness has been found anew.
    pub(super) fn begin_round(&mut self) {
        self.like = (0..self.code.words.len() as u32).map(WordId).collect();
    }

    /// Keeps a register in a slot.
    pub(super) fn spill(&mut self, reg: VReg, live: &Liveness) -> Result<(), Refused> {
        if self.fixed[reg.0 as usize] || self.code.words.iter().any(|word| self.is_tangled(word, reg, live)) {
            self.fixed[reg.0 as usize] = true;
            return Err(Refused::This);
        }
        let slot = self.slot(reg, live).ok_or(Refused::Full)?;
        let offset = FIRST + 8 * slot as i16;
        self.spilled += 1;
        self.fixed[reg.0 as usize] = true;
        for at in 0..self.code.words.len() {
            // Words inserted below stand behind, and touch the register no more.
            self.definition(WordId(at as u32), reg, offset, live);
            self.use_(WordId(at as u32), reg, offset);
        }
        Ok(())
    }

    fn is_live(&self, live: &Liveness, target: Target, reg: VReg) -> bool {
        self.code.word_of(target).is_some_and(|to| live.is_live_in(self.like[to.at()], reg))
    }

    /// True if the word writes the register and a guard shares its target with a branch after that: the way could not know
    /// whether there is a new value to store.
    fn is_tangled(&self, word: &VWord, reg: VReg, live: &Liveness) -> bool {
        word.word.g_en
            && (word.word.c2_op != CmpOp::Never || word.word.q_null)
            && (word.answer == Some(reg) || word.writes.iter().any(|(_, to)| *to == reg))
            && word.t2.is_some_and(|to| self.is_live(live, to, reg))
    }

    /// The first slot that is free wherever the register is live or written.
    fn slot(&mut self, reg: VReg, live: &Liveness) -> Option<usize> {
        let mut busy = vec![false; self.scheduled];
        for (at, origin) in self.origin.iter().enumerate() {
            let Origin::Word(home) = origin else { continue };
            let word = &self.code.words[at];
            let defines = word.writes.iter().any(|(_, to)| *to == reg) || word.answer == Some(reg);
            let after = || ways(&self.code, word).any(|way| live.is_live_in(self.like[way.to.at()], reg));
            busy[home.at()] = defines || live.is_live_in(self.like[at], reg) || after();
        }
        let free = |slot: &Vec<bool>| slot.iter().zip(&busy).all(|(slot, reg)| !(*slot && *reg));
        let slot = self.slots.iter().position(free)?;
        for (to, from) in self.slots[slot].iter_mut().zip(busy) {
            *to |= from;
        }
        Some(slot)
    }

    fn temporary(&mut self) -> VReg {
        let reg = VReg(self.code.vregs);
        self.code.vregs += 1;
        self.fixed.push(true);
        reg
    }

    fn push(&mut self, word: VWord, origin: Origin, like: WordId) -> WordId {
        self.code.words.push(word);
        self.origin.push(origin);
        self.like.push(like);
        WordId(self.code.words.len() as u32 - 1)
    }

    /// After a word that defines the register, a store on each way on which it is needed.
    fn definition(&mut self, at: WordId, reg: VReg, offset: i16, live: &Liveness) {
        let word = &self.code.words[at.at()];
        let is_write = word.writes.iter().any(|(_, to)| *to == reg);
        let is_answer = word.answer == Some(reg);
        if !is_write && !is_answer {
            return;
        }
        let temp = self.temporary();
        let word = &mut self.code.words[at.at()];
        for (_, to) in word.writes.iter_mut().filter(|(_, to)| *to == reg) {
            *to = temp;
        }
        if is_answer {
            word.answer = Some(temp);
        }
        let word = self.code.words[at.at()].clone();
        // Ways on which the definition has happened.
        let compare2 = word.word.c2_op != CmpOp::Never;
        let first = (is_write && word.word.c1_op != CmpOp::Never).then_some(word.t1).flatten();
        let second = ((is_write && compare2) || word.word.q_null).then_some(word.t2).flatten();
        let store = |target: Option<Target>, spilling: &mut Spilling| {
            let to = target?;
            let like = spilling.like[spilling.code.word_of(to)?.at()];
            let needed = live.is_live_in(like, reg);
            needed.then(|| Target::Word(spilling.push(store_word(temp, offset, to), Origin::Spill, like)))
        };
        let first = store(first, self);
        let second = store(second, self);
        let next = store(word.next, self);
        let word = &mut self.code.words[at.at()];
        word.t1 = first.or(word.t1);
        word.t2 = second.or(word.t2);
        word.next = next.or(word.next);
    }

    /// Before a word that reads the register, a load.
    fn use_(&mut self, at: WordId, reg: VReg, offset: i16) {
        if !self.code.words[at.at()].reads().any(|read| read == reg) {
            return;
        }
        let temp = self.temporary();
        let mut word = self.code.words[at.at()].clone();
        for port in word.ports.iter_mut().filter(|port| **port == Read::Reg(reg)) {
            *port = Read::Reg(temp);
        }
        // The load takes the word's place, so that all ways to the word lead to it.
        let origin = self.origin[at.at()];
        let moved = self.push(word, origin, self.like[at.at()]);
        self.code.words[at.at()] = load_word(temp, offset, Target::Word(moved));
        self.origin[at.at()] = Origin::Reload;
    }
}

fn store_word(reg: VReg, offset: i16, next: Target) -> VWord {
    let mut out = VWord { ports: [Read::Reg(reg), Read::None, Read::None], next: Some(next), ..VWord::default() };
    let word = &mut out.word;
    (word.st_op, word.st_space, word.st_off) = (StoreOp::Store, Space::Scratch, offset);
    (word.s0_size, word.s0_src) = (8, Src::Ra);
    out
}

fn load_word(reg: VReg, offset: i16, next: Target) -> VWord {
    let mut out = VWord { writes: vec![(Src::X0, reg)], next: Some(next), ..VWord::default() };
    let word = &mut out.word;
    (word.ld_space, word.ld_off, word.x0_size) = (Space::Scratch, offset, 8);
    out
}
