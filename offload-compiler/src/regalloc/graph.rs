//! Who may not share a register with whom.

use super::live::Liveness;
use crate::schedule::{Code, Read, VReg, WordId};
use offwire_isa::Src;

/// Interference graph with the wishes and demands that words put on pairs.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    row: usize,
    matrix: Vec<u64>,
    pub(super) neighbours: Vec<Vec<VReg>>,
    /// By register: partners in one word's write backs; true if both take the same source, so may share a register.
    pub(super) partners: Vec<Vec<(VReg, bool)>>,
    /// By register: those that it is copied from or to.
    pub(super) moves: Vec<Vec<VReg>>,
    /// By register: how often it is written and read.
    pub(super) uses: Vec<u32>,
}

impl Graph {
    pub(super) fn new(code: &Code, live: &Liveness) -> Self {
        let n = code.vregs as usize;
        let row = n.div_ceil(64).max(1);
        let mut graph = Graph {
            row,
            matrix: vec![0; row * n],
            neighbours: vec![Vec::new(); n],
            partners: vec![Vec::new(); n],
            moves: vec![Vec::new(); n],
            uses: vec![0; n],
        };
        for (at, word) in code.words.iter().enumerate() {
            let id = WordId(at as u32);
            for reg in word.reads() {
                graph.uses[reg.0 as usize] += 1;
            }
            let written: Vec<_> = word.writes.iter().filter(|(_, reg)| live.is_live_after_write(id, *reg)).collect();
            for &&(src, reg) in &written {
                graph.uses[reg.0 as usize] += 1;
                let from = port(src).and_then(|n| match word.ports[n] {
                    Read::Reg(from) => Some(from),
                    _ => None,
                });
                let twin = written.iter().find(|(other, twin)| *other == src && *twin != reg).map(|(_, twin)| *twin);
                for other in live.after_write(id) {
                    // A copy may share the register of what it copies.
                    if other != reg && Some(other) != from && Some(other) != twin {
                        graph.connect(reg, other);
                    }
                }
                if let Some(from) = from {
                    graph.moves[reg.0 as usize].push(from);
                    graph.moves[from.0 as usize].push(reg);
                }
                if let Some(twin) = twin {
                    graph.moves[reg.0 as usize].push(twin);
                }
            }
            if let [(first, a), (second, b)] = written[..] {
                graph.partners[a.0 as usize].push((*b, first == second));
                graph.partners[b.0 as usize].push((*a, first == second));
            }
            if let Some(answer) = word.answer {
                graph.uses[answer.0 as usize] += 1;
                for other in live.after_answer(id) {
                    if other != answer {
                        graph.connect(answer, other);
                    }
                }
            }
        }
        graph
    }

    fn connect(&mut self, a: VReg, b: VReg) {
        let (a_at, b_at) = (a.0 as usize, b.0 as usize);
        if !self.interfere(a, b) {
            self.matrix[a_at * self.row + b_at / 64] |= 1 << (b_at % 64);
            self.matrix[b_at * self.row + a_at / 64] |= 1 << (a_at % 64);
            self.neighbours[a_at].push(b);
            self.neighbours[b_at].push(a);
        }
    }

    pub(super) fn interfere(&self, a: VReg, b: VReg) -> bool {
        let b = b.0 as usize;
        self.matrix[a.0 as usize * self.row + b / 64] >> (b % 64) & 1 == 1
    }
}

/// The read port that a source names.
pub(super) fn port(src: Src) -> Option<usize> {
    match src {
        Src::Ra => Some(0),
        Src::Rb => Some(1),
        Src::Rc => Some(2),
        _ => None,
    }
}
