//! Liveness of virtual registers at words.

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

/// Live-in sets of all words.
#[derive(Clone, Debug)]
pub struct Liveness {
    row: usize,
    live_in: Vec<u64>,
    /// Live after the write backs, whichever way is taken; and live after the answer.
    after_write: Vec<u64>,
    after_answer: Vec<u64>,
}

impl Liveness {
    /// Solves the usual backward equations.
    pub fn new(code: &Code) -> Self {
        let row = (code.vregs as usize).div_ceil(64).max(1);
        let size = row * code.words.len();
        let mut live =
            Liveness { row, live_in: vec![0; size], after_write: vec![0; size], after_answer: vec![0; size] };
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
        let row = self.row;
        let range = at * row..(at + 1) * row;
        let mut killed = vec![0u64; row];
        let mut now = vec![0u64; row];
        for way in ways(code, word) {
            for n in 0..row {
                let live = self.live_in[way.to.at() * row + n];
                if way.answer {
                    self.after_answer[range.start + n] |= live;
                }
                if way.writes {
                    let answer = word.answer.filter(|_| way.answer).map_or(0, |reg| bit(reg, n));
                    now[n] |= live & !answer;
                    self.after_write[range.start + n] |= live & !answer;
                } else {
                    killed[n] |= live;
                }
            }
        }
        for (_, reg) in &word.writes {
            now[reg.0 as usize / 64] &= !(1 << (reg.0 % 64));
        }
        for reg in word.reads() {
            now[reg.0 as usize / 64] |= 1 << (reg.0 % 64);
        }
        let mut changed = false;
        for n in 0..row {
            let new = now[n] | killed[n];
            changed |= self.live_in[range.start + n] != new;
            self.live_in[range.start + n] = new;
        }
        changed
    }

    /// Registers live before the word.
    pub fn live_in(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.bits(&self.live_in, word)
    }

    /// True if the register is live before the word.
    pub fn is_live_in(&self, word: WordId, reg: VReg) -> bool {
        self.has(&self.live_in, word, reg)
    }

    /// Registers that the write backs of the word must not destroy.
    pub(super) fn after_write(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.bits(&self.after_write, word)
    }

    /// Registers that the answer of the word must not destroy; itself among them.
    pub(super) fn after_answer(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.bits(&self.after_answer, word)
    }

    /// True if somebody needs what the word writes back to the register.
    pub(super) fn is_live_after_write(&self, word: WordId, reg: VReg) -> bool {
        self.has(&self.after_write, word, reg)
    }

    fn has(&self, set: &[u64], word: WordId, reg: VReg) -> bool {
        set.get(word.at() * self.row + reg.0 as usize / 64).is_some_and(|bits| bits >> (reg.0 % 64) & 1 == 1)
    }

    fn bits<'a>(&'a self, set: &'a [u64], word: WordId) -> impl Iterator<Item = VReg> + 'a {
        let row = &set[word.at() * self.row..(word.at() + 1) * self.row];
        row.iter().enumerate().flat_map(|(n, &bits)| {
            let mut rest = bits;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let reg = VReg((n * 64) as u32 + rest.trailing_zeros());
                    rest &= rest - 1;
                    reg
                })
            })
        })
    }
}

fn bit(reg: VReg, row: usize) -> u64 {
    if reg.0 as usize / 64 == row { 1 << (reg.0 % 64) } else { 0 }
}
