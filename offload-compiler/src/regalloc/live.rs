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

/// A set of virtual registers for each word, a bit each. Plain words of 64 bits, because everything waits for this.
#[derive(Clone, Debug)]
struct Sets {
    row: usize,
    bits: Vec<u64>,
}

impl Sets {
    fn new(words: usize, vregs: u32) -> Self {
        let row = (vregs as usize).div_ceil(64);
        Sets { row, bits: vec![0; words * row] }
    }

    fn get(&self, at: usize) -> &[u64] {
        self.bits.get(at * self.row..(at + 1) * self.row).unwrap_or_default()
    }

    fn get_mut(&mut self, at: usize) -> &mut [u64] {
        &mut self.bits[at * self.row..(at + 1) * self.row]
    }

    fn has(&self, at: usize, reg: VReg) -> bool {
        let reg = reg.0 as usize;
        self.get(at).get(reg / 64).is_some_and(|word| word >> (reg % 64) & 1 == 1)
    }

    fn members(&self, at: usize) -> impl Iterator<Item = VReg> {
        self.get(at).iter().enumerate().flat_map(|(n, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(VReg(64 * n as u32 + bit))
            })
        })
    }
}

fn unite(to: &mut [u64], from: &[u64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to |= from);
}

fn clear(row: &mut [u64], reg: VReg) {
    row[reg.0 as usize / 64] &= !(1 << (reg.0 % 64));
}

fn set(row: &mut [u64], reg: VReg) {
    row[reg.0 as usize / 64] |= 1 << (reg.0 % 64);
}

/// Live-in sets of all words.
#[derive(Clone, Debug)]
pub struct Liveness {
    live_in: Sets,
    /// Live after the write backs, whichever way is taken; and live after the answer.
    after_write: Sets,
    after_answer: Sets,
}

impl Liveness {
    /// Solves the usual backward equations.
    pub fn new(code: &Code) -> Self {
        let ways: Vec<Vec<Way>> = code.words.iter().map(|word| ways(code, word).collect()).collect();
        let empty = Sets::new(code.words.len(), code.vregs);
        let mut live = Liveness { live_in: empty.clone(), after_write: empty.clone(), after_answer: empty };
        let order = postorder(&ways);
        let mut row = vec![0; live.live_in.row];
        let mut changed = true;
        while changed {
            changed = false;
            for &at in &order {
                changed |= live.word(&code.words[at], &ways[at], at, &mut row);
            }
        }
        live
    }

    fn word(&mut self, word: &VWord, ways: &[Way], at: usize, row: &mut [u64]) -> bool {
        // The answer is there on some ways only.
        for way in ways.iter().filter(|way| way.answer) {
            unite(self.after_answer.get_mut(at), self.live_in.get(way.to.at()));
        }
        row.copy_from_slice(self.after_answer.get(at));
        if let Some(answer) = word.answer {
            clear(row, answer);
        }
        for way in ways.iter().filter(|way| way.writes && !way.answer) {
            unite(row, self.live_in.get(way.to.at()));
        }
        // Whoever is called, or returned to, finds them as the write backs leave them.
        for reg in &word.passes {
            set(row, *reg);
        }
        self.after_write.get_mut(at).copy_from_slice(row);
        for (_, reg) in &word.writes {
            clear(row, *reg);
        }
        for reg in word.reads() {
            set(row, reg);
        }
        for way in ways.iter().filter(|way| !way.writes) {
            unite(row, self.live_in.get(way.to.at()));
        }
        let place = self.live_in.get_mut(at);
        if place == row {
            return false;
        }
        place.copy_from_slice(row);
        true
    }

    /// Registers live before the word.
    pub fn live_in(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.live_in.members(word.at())
    }

    /// True if the register is live before the word.
    pub fn is_live_in(&self, word: WordId, reg: VReg) -> bool {
        self.live_in.has(word.at(), reg)
    }

    /// Registers that the write backs of the word must not destroy.
    pub(super) fn after_write(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.after_write.members(word.at())
    }

    /// Registers that the answer of the word must not destroy; itself among them.
    pub(super) fn after_answer(&self, word: WordId) -> impl Iterator<Item = VReg> {
        self.after_answer.members(word.at())
    }

    /// True if somebody needs what the word writes back to the register.
    pub(super) fn is_live_after_write(&self, word: WordId, reg: VReg) -> bool {
        self.after_write.has(word.at(), reg)
    }
}

/// All words, each after those that it leads to, except along back edges.
fn postorder(ways: &[Vec<Way>]) -> Vec<usize> {
    let mut seen = vec![false; ways.len()];
    let mut order = Vec::with_capacity(ways.len());
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..ways.len() {
        if !std::mem::replace(&mut seen[root], true) {
            stack.push((root, 0));
        }
        while let Some((at, next)) = stack.last_mut() {
            let (at, way) = (*at, ways[*at].get(*next));
            *next += 1;
            match way {
                Some(way) => {
                    if seen.get(way.to.at()) == Some(&false) {
                        seen[way.to.at()] = true;
                        stack.push((way.to.at(), 0));
                    }
                }
                None => {
                    order.push(at);
                    stack.pop();
                }
            }
        }
    }
    order
}
