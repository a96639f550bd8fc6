//! Liveness of virtual registers at words.

use bitvec::vec::BitVec;

use crate::schedule::{Code, VReg, VWord, WordId};
use offwire_isa::CmpOp;

/// A way out of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) to: WordId,
    /// True if the write backs have happened then.
    pub(super) writes: bool,
    /// True if the answer of the request has come then.
    pub(super) answer: bool,
}

/// The ways out of a word that lead to other words.
pub(super) fn ways(code: &Code, word: &VWord) -> impl Iterator<Item = Way> {
    let guard = word.t2.filter(|_| word.word.g_en).map(|to| (to, false, false));
    let first = word.t1.filter(|_| word.word.c1_op != CmpOp::Never).map(|to| (to, true, false));
    let second = word.t2.filter(|_| word.word.c2_op != CmpOp::Never).map(|to| (to, true, false));
    let null = word.t2.filter(|_| word.word.q_null).map(|to| (to, true, true));
    let next = word.next.map(|to| (to, true, true));
    [guard, first, second, null, next]
        .into_iter()
        .flatten()
        .filter_map(|(to, writes, answer)| Some(Way { to: code.word_of(to)?, writes, answer }))
}

/// A set of virtual registers, a bit each.
type Set = BitVec;

/// Live-in sets of all words.
#[derive(Clone, Debug)]
pub struct Liveness {
    live_in: Vec<Set>,
    /// Live after the write backs, whichever way is taken; and live after the answer.
    after_write: Vec<Set>,
    after_answer: Vec<Set>,
}

impl Liveness {
    /// Solves the usual backward equations.
    pub fn new(code: &Code) -> Self {
        let empty: Vec<Set> = vec![Set::repeat(false, code.vregs as usize); code.words.len()];
        let mut live = Liveness { live_in: empty.clone(), after_write: empty.clone(), after_answer: empty };
        let mut changed = true;
        while changed {
            changed = false;
            for at in (0..code.words.len()).rev() {
                changed |= live.word(code, at);
            }
        }
        live
    }

    fn word(&mut self, code: &Code, at: usize) -> bool {
        let word = &code.words[at];
        let mut killed = Set::repeat(false, code.vregs as usize);
        for way in ways(code, word) {
            let live = &self.live_in[way.to.at()];
            if way.answer {
                self.after_answer[at] |= live;
            }
            if !way.writes {
                killed |= live;
                continue;
            }
            let answer = word.answer.filter(|_| way.answer).map(|reg| reg.0 as usize);
            let before = answer.map(|reg| self.after_write[at][reg]);
            self.after_write[at] |= live;
            if let (Some(reg), Some(before)) = (answer, before) {
                self.after_write[at].set(reg, before);
            }
        }
        let mut now = self.after_write[at].clone();
        for (_, reg) in &word.writes {
            now.set(reg.0 as usize, false);
        }
        for reg in word.reads() {
            now.set(reg.0 as usize, true);
        }
        now |= &killed;
        let changed = self.live_in[at] != now;
        self.live_in[at] = now;
        changed
    }

    /// Registers live before the word.
    pub fn live_in(&self, word: WordId) -> impl Iterator<Item = VReg> {
        members(&self.live_in[word.at()])
    }

    /// True if the register is live before the word.
    pub fn is_live_in(&self, word: WordId, reg: VReg) -> bool {
        has(&self.live_in, word, reg)
    }

    /// Registers that the write backs of the word must not destroy.
    pub(super) fn after_write(&self, word: WordId) -> impl Iterator<Item = VReg> {
        members(&self.after_write[word.at()])
    }

    /// Registers that the answer of the word must not destroy; itself among them.
    pub(super) fn after_answer(&self, word: WordId) -> impl Iterator<Item = VReg> {
        members(&self.after_answer[word.at()])
    }

    /// True if somebody needs what the word writes back to the register.
    pub(super) fn is_live_after_write(&self, word: WordId, reg: VReg) -> bool {
        has(&self.after_write, word, reg)
    }
}

fn has(sets: &[Set], word: WordId, reg: VReg) -> bool {
    sets.get(word.at()).and_then(|set| set.get(reg.0 as usize)).is_some_and(|bit| *bit)
}

fn members(set: &Set) -> impl Iterator<Item = VReg> {
    set.iter_ones().map(|reg| VReg(reg as u32))
}
