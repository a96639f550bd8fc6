//! Registers that live in scratch memory, or in a part of the stack that the program does not use: stored after each definition, loaded before each use, by words of their own.

use super::Origin;
use super::live::{Liveness, ways};
use crate::schedule::{Code, Read, Target, VReg, VWord, WordId};
use bitvec::vec::BitVec;
use offwire_isa::{Base, CmpOp, KeyUse, STACK_BYTES, Space, Src, StoreOp, ValueUse};

/// Spill slots of 8 B: scratch bytes 64 to 231. Behind them stand the arguments of a printk. Further ones are below the part of the
/// stack that the program uses.
const SLOTS: usize = 21;
const FIRST: i16 = 64;

/// Where a slot is.
#[derive(Clone, Copy)]
struct Slot {
    space: Space,
    offset: i16,
}

impl Slot {
    fn new(number: usize) -> Self {
        match number.checked_sub(SLOTS) {
            None => Slot { space: Space::Scratch, offset: FIRST + 8 * number as i16 },
            Some(number) => Slot { space: Space::Stack, offset: 8 * number as i16 },
        }
    }
}

/// The lowest byte of the stack that the word may touch, if it touches any.
fn lowest_stack(word: &VWord) -> Option<i16> {
    let fields = &word.word;
    let from = |base: Base, offset: i16| if base == Base::Zero { offset } else { 0 };
    let port = |n: usize| match word.ports[n] {
        Read::Const(constant) => i16::from(constant),
        Read::Reg(_) | Read::None => 0,
    };
    let shape = fields.q_op.shape();
    let touches = [
        (fields.x0_size > 0 || fields.x1_size > 0, fields.ld_space, from(fields.ld_base, fields.ld_off)),
        (fields.st_op != StoreOp::None, fields.st_space, from(fields.st_base, fields.st_off)),
        (shape.key != KeyUse::None, fields.q_kspace, from(fields.q_kbase, fields.q_koff)),
        (
            shape.value == ValueUse::Value,
            fields.q_vspace,
            match fields.q_vsrc {
                Src::I0 => fields.i0,
                Src::I1 => fields.i1,
                Src::Ra => port(0),
                Src::Rb => port(1),
                Src::Rc => port(2),
                _ => 0,
            },
        ),
    ];
    touches.into_iter().filter(|(is, space, _)| *is && *space == Space::Stack).map(|(_, _, from)| from).min()
}

/// Spill slots by number, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotSet(u128);

impl SlotSet {
    fn add(&mut self, slot: usize) {
        self.0 |= 1u128.checked_shl(slot as u32).unwrap_or(0);
    }

    fn has(self, slot: usize) -> bool {
        self.0.checked_shr(slot as u32).is_some_and(|bits| bits & 1 == 1)
    }

    /// All slots of both.
    pub fn union(self, other: Self) -> Self {
        SlotSet(self.0 | other.0)
    }
}

/// What a function must know of those that it shares memory with.
#[derive(Clone, Debug)]
pub struct Around {
    /// The stack below this byte is free in all functions of the program.
    pub free_stack: i16,
    /// By function: slots that it, or one that it calls, may write.
    pub slots: Vec<SlotSet>,
}

impl Default for Around {
    fn default() -> Self {
        Around { free_stack: STACK_BYTES as i16, slots: Vec::new() }
    }
}

/// The lowest byte of the stack that the code may touch.
pub fn stack_floor(code: &Code) -> i16 {
    code.words.iter().filter_map(lowest_stack).min().unwrap_or(STACK_BYTES as i16)
}

/// Code on its way to fewer live registers.
pub(super) struct Spilling {
    pub(super) code: Code,
    /// By word.
    pub(super) origin: Vec<Origin>,
    /// By register: true if it must not be spilled (again).
    pub(super) fixed: Vec<bool>,
    pub(super) spilled: usize,
    /// Slots that it or one that it calls may write.
    pub(super) used: SlotSet,
    /// By slot: where registers live that are kept there, by word of the scheduled code; all true if the program uses it.
    slots: Vec<BitVec>,
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
    pub(super) fn new(code: &Code, around: &Around) -> Self {
        let scheduled = code.words.len();
        let limit = stack_floor(code).min(around.free_stack);
        let spare = (limit.clamp(0, STACK_BYTES as i16) / 8) as usize;
        let mut slots = vec![BitVec::repeat(false, scheduled); SLOTS + spare];
        // Slots that the program itself uses.
        for word in &code.words {
            let load = (word.word.x0_size > 0 || word.word.x1_size > 0) && word.word.ld_space == Space::Scratch;
            let store = word.word.st_op != StoreOp::None && word.word.st_space == Space::Scratch;
            for (used, offset) in [(load, word.word.ld_off), (store, word.word.st_off)] {
                for (n, slot) in slots.iter_mut().enumerate().take(SLOTS) {
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
                for (n, slot) in slots.iter_mut().enumerate().take(SLOTS) {
                    if from < FIRST + 8 * (n as i16 + 1) {
                        slot.fill(true);
                    }
                }
            }
        }
        let mut used = SlotSet::default();
        for (n, _) in slots.iter().enumerate().filter(|(_, slot)| slot.any()) {
            used.add(n);
        }
        // What a function writes, its callers do not keep anything in while it runs.
        for (at, word) in code.words.iter().enumerate() {
            let Some(Target::Func(func)) = word.t2 else { continue };
            let written = around.slots.get(func.at()).copied().unwrap_or_default();
            for (_, slot) in slots.iter_mut().enumerate().filter(|(n, _)| written.has(*n)) {
                slot.set(at, true);
            }
            used = used.union(written);
        }
        let mut fixed = vec![false; code.vregs as usize];
        for named in code.named.iter().flatten() {
            fixed[named.0 as usize] = true;
        }
        Spilling {
            code: code.clone(),
            origin: (0..scheduled as u32).map(|at| Origin::Word(WordId(at))).collect(),
            fixed,
            spilled: 0,
            used,
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
        self.keep(reg, live)
    }

    /// Registers whose values are needed after some call: it leaves nothing in registers.
    pub(super) fn across_calls(&self, live: &Liveness) -> Vec<VReg> {
        let calls = self.code.words.iter().enumerate().filter(|(_, word)| matches!(word.t2, Some(Target::Func(_))));
        let mut across: Vec<VReg> = calls
            .flat_map(|(at, word)| live.after_answer(WordId(at as u32)).filter(|reg| Some(*reg) != word.answer))
            .collect();
        across.sort_unstable();
        across.dedup();
        across
    }

    /// Keeps a register in a slot, whatever that costs.
    pub(super) fn keep(&mut self, reg: VReg, live: &Liveness) -> Result<(), Refused> {
        let number = self.slot(reg, live).ok_or(Refused::Full)?;
        let slot = Slot::new(number);
        self.used.add(number);
        self.spilled += 1;
        self.fixed[reg.0 as usize] = true;
        for at in 0..self.code.words.len() {
            // Words inserted below stand behind, and touch the register no more.
            self.definition(WordId(at as u32), reg, slot, live);
            self.use_(WordId(at as u32), reg, slot);
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
        let mut busy: BitVec = BitVec::repeat(false, self.scheduled);
        for (at, origin) in self.origin.iter().enumerate() {
            let Origin::Word(home) = origin else { continue };
            let word = &self.code.words[at];
            let defines = word.writes.iter().any(|(_, to)| *to == reg) || word.answer == Some(reg);
            let after = || ways(&self.code, word).any(|way| live.is_live_in(self.like[way.to.at()], reg));
            busy.set(home.at(), defines || live.is_live_in(self.like[at], reg) || after());
        }
        let pairs =
            |slot: &BitVec| slot.as_raw_slice().iter().zip(busy.as_raw_slice()).any(|(slot, reg)| slot & reg != 0);
        let slot = self.slots.iter().position(|slot| !pairs(slot))?;
        for (to, from) in self.slots[slot].as_raw_mut_slice().iter_mut().zip(busy.as_raw_slice()) {
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
    fn definition(&mut self, at: WordId, reg: VReg, slot: Slot, live: &Liveness) {
        let word = &self.code.words[at.at()];
        let is_write = word.writes.iter().any(|(_, to)| *to == reg);
        let is_answer = word.answer == Some(reg);
        if !is_write && !is_answer {
            return;
        }
        let tangled = self.is_tangled(word, reg, live);
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
            needed.then(|| Target::Word(spilling.push(store_word(temp, slot, to), Origin::Spill, like)))
        };
        let first = store(first, self);
        let second = store(second, self);
        let next = store(word.next, self);
        let word = &mut self.code.words[at.at()];
        word.t1 = first.or(word.t1);
        word.t2 = second.or(word.t2);
        word.next = next.or(word.next);
        if tangled {
            // Where the guard has failed, the store finds the old value.
            for port in word.ports.iter_mut().filter(|port| **port == Read::Reg(reg)) {
                *port = Read::Reg(temp);
            }
            self.load_before(at, temp, slot);
        }
    }

    /// The load takes the word's place, so that all ways to the word lead to it.
    fn load_before(&mut self, at: WordId, temp: VReg, slot: Slot) {
        let word = self.code.words[at.at()].clone();
        let origin = self.origin[at.at()];
        let moved = self.push(word, origin, self.like[at.at()]);
        self.code.words[at.at()] = load_word(temp, slot, Target::Word(moved));
        self.origin[at.at()] = Origin::Reload;
    }

    /// Before a word that reads the register, a load.
    fn use_(&mut self, at: WordId, reg: VReg, slot: Slot) {
        if !self.code.words[at.at()].reads().any(|read| read == reg) {
            return;
        }
        let temp = self.temporary();
        for port in self.code.words[at.at()].ports.iter_mut().filter(|port| **port == Read::Reg(reg)) {
            *port = Read::Reg(temp);
        }
        self.load_before(at, temp, slot);
    }
}

fn store_word(reg: VReg, slot: Slot, next: Target) -> VWord {
    let mut out = VWord { ports: [Read::Reg(reg), Read::None, Read::None], next: Some(next), ..VWord::default() };
    let word = &mut out.word;
    (word.st_op, word.st_space, word.st_off) = (StoreOp::Store, slot.space, slot.offset);
    (word.s0_size, word.s0_src) = (8, Src::Ra);
    out
}

fn load_word(reg: VReg, slot: Slot, next: Target) -> VWord {
    let mut out = VWord { writes: vec![(Src::X0, reg)], next: Some(next), ..VWord::default() };
    let word = &mut out.word;
    (word.ld_space, word.ld_off, word.x0_size) = (slot.space, slot.offset, 8);
    out
}
