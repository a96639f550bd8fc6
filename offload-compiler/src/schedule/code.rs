//! Words over virtual registers.

use crate::ir::{Block, FuncIdx};
use offwire_isa::{Src, Word};
use std::collections::BTreeMap;

/// A virtual register. Values and block parameters of the IR keep their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VReg(pub u32);

/// Index into [`Code::words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WordId(pub u32);

impl WordId {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// What a read port delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Read {
    /// Nobody looks.
    #[default]
    None,
    /// A register.
    Reg(VReg),
    /// -16 to 31.
    Const(i8),
}

/// Where a word goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The packet ends with this return value.
    Exit(u8),
    /// The trace that begins with this block.
    Head(Block),
    /// This word.
    Word(WordId),
    /// The first word of a function that is called.
    Func(FuncIdx),
}

/// A word whose registers are virtual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VWord {
    /// All fields but read ports, registers of write backs and answer, and targets; `w0_src` and `w1_src` are off too.
    pub word: Word,
    /// Read ports A, B, C.
    pub ports: [Read; 3],
    /// Write backs, at most two: what goes where. Two of one word need registers of different banks, unless both take the same
    /// source and share a register.
    pub writes: Vec<(Src, VReg)>,
    /// Register of the request's answer, or of a call's result.
    pub answer: Option<VReg>,
    /// Named registers that whoever the word leads to by a call or return finds set.
    pub passes: Vec<VReg>,
    /// Where compare 1 leads; `None` if it is off.
    pub t1: Option<Target>,
    /// Where guard, compare 2 and null test lead, or the function that is called; `None` if all are off.
    pub t2: Option<Target>,
    /// Where it goes on, after a call once that has returned; `None` after a request to exit or return.
    pub next: Option<Target>,
    /// eBPF instructions that it does work for, ascending.
    pub insns: Vec<u32>,
}

impl VWord {
    /// True if it asks a shared unit and waits for an answer.
    pub fn has_answer(&self) -> bool {
        self.word.q_op.shape().answers
    }

    /// Virtual registers that it reads, repeats possible.
    pub fn reads(&self) -> impl Iterator<Item = VReg> {
        self.ports.iter().filter_map(|port| match port {
            Read::Reg(reg) => Some(*reg),
            Read::None | Read::Const(_) => None,
        })
    }
}

/// All words of a program.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// In the order of the traces.
    pub words: Vec<VWord>,
    /// First word of each trace.
    pub heads: BTreeMap<Block, WordId>,
    /// Where a packet starts: a word, or the program does nothing but end it.
    pub entry: Option<WordId>,
    /// One more than the highest virtual register.
    pub vregs: u32,
    /// The named registers r0 to r5, if it calls or is called.
    pub named: Option<[VReg; 6]>,
}

impl Code {
    /// The word of this function that a target leads to; `None` if the packet ends.
    pub fn word_of(&self, target: Target) -> Option<WordId> {
        match target {
            Target::Exit(_) | Target::Func(_) => None,
            Target::Head(block) => self.heads.get(&block).copied(),
            Target::Word(word) => Some(word),
        }
    }
}
