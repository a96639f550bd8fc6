//! Gives every word an address. Words that do nothing are left out, and words that nobody reaches.

use crate::regalloc::{AWord, Allocated};
use crate::schedule::{Target as VTarget, WordId};
use offwire_isa::{CmpOp, CodeAddr, RequestOp, Src, StoreOp, Target, Word};

/// Words in the order of their addresses.
#[derive(Clone, Debug)]
pub struct Laid {
    /// Complete words.
    pub words: Vec<Word>,
    /// For each word the eBPF instructions that it does work for, ascending.
    pub insns: Vec<Vec<u32>>,
    /// Where each function starts: its first word. They stand one behind the other.
    pub entries: Vec<CodeAddr>,
}

/// What cannot be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// More words than a code address reaches.
    TooLong(usize),
    /// A target names a word that is not there: a mistake in an earlier stage.
    Dangling,
}

/// Words that a 12-bit address reaches.
const MAX_WORDS: usize = 1 << 12;

/// Lays the functions out one behind the other, each from its entry on. Calls name them by their place.
///
/// # Errors
/// See [`LayoutError`].
pub fn layout<'a>(functions: impl IntoIterator<Item = &'a Allocated>) -> Result<Laid, LayoutError> {
    let mut laid = Laid { words: Vec::new(), insns: Vec::new(), entries: Vec::new() };
    let functions: Vec<Placed> = functions
        .into_iter()
        .scan(0, |first, allocated| {
            let placed = Placed::new(allocated, *first);
            *first += placed.as_ref().map_or(0, |placed| placed.order.len());
            Some(placed)
        })
        .collect::<Result<_, _>>()?;
    laid.entries = functions.iter().map(|placed| placed.entry).collect();
    for placed in &functions {
        placed.write(&mut laid)?;
    }
    if laid.words.len() > MAX_WORDS { Err(LayoutError::TooLong(laid.words.len())) } else { Ok(laid) }
}

/// A function whose words have addresses.
struct Placed<'a> {
    allocated: &'a Allocated,
    /// Its words, the entry first.
    order: Vec<WordId>,
    entry: CodeAddr,
    /// By word.
    address: Vec<Option<CodeAddr>>,
}

impl<'a> Placed<'a> {
    /// From this address on.
    fn new(allocated: &'a Allocated, first: usize) -> Result<Self, LayoutError> {
        let entry = match skip(allocated, VTarget::Word(allocated.entry))? {
            VTarget::Word(word) => word,
            // The program only ends: its first word says so.
            _ => allocated.entry,
        };
        let order = reachable(allocated, entry)?;
        let mut address = vec![None; allocated.words.len()];
        for (at, id) in order.iter().enumerate() {
            // What wraps around is refused in the end.
            address[id.at()] = Some(CodeAddr((first + at) as u16));
        }
        let entry = address[entry.at()].ok_or(LayoutError::Dangling)?;
        Ok(Placed { allocated, order, entry, address })
    }

    fn write(&self, laid: &mut Laid) -> Result<(), LayoutError> {
        for id in &self.order {
            let word = &self.allocated.words[id.at()];
            let resolve = |target: Option<VTarget>| self.resolve(target, &laid.entries);
            let (t1, t2, next) = (resolve(word.t1)?, resolve(word.t2)?, resolve(word.next)?);
            laid.words.push(Word { t1, t2, next, ..word.word });
            laid.insns.push(word.insns.clone());
        }
        Ok(())
    }

    fn resolve(&self, target: Option<VTarget>, entries: &[CodeAddr]) -> Result<Target, LayoutError> {
        let target = target.map(|target| skip(self.allocated, target)).transpose()?;
        let address = match target {
            None => return Ok(Target::default()),
            Some(VTarget::Exit(code)) => return Ok(Target::Exit(code)),
            Some(VTarget::Word(word)) => self.address.get(word.at()).copied().flatten(),
            Some(VTarget::Func(func)) => entries.get(func.at()).copied(),
            Some(VTarget::Head(_)) => None,
        };
        address.map(Target::Goto).ok_or(LayoutError::Dangling)
    }
}

/// Reachable words, the entry first, then ascending: traces stay together.
fn reachable(allocated: &Allocated, entry: WordId) -> Result<Vec<WordId>, LayoutError> {
    let mut seen = vec![false; allocated.words.len()];
    let mut work = vec![entry];
    while let Some(at) = work.pop() {
        let Some(place) = seen.get_mut(at.at()) else { return Err(LayoutError::Dangling) };
        if std::mem::replace(place, true) {
            continue;
        }
        let word = &allocated.words[at.at()];
        for target in [word.t1, word.t2, word.next].into_iter().flatten() {
            if let VTarget::Word(to) = skip(allocated, target)? {
                work.push(to);
            }
        }
    }
    let others = (0..allocated.words.len() as u32).map(WordId).filter(|id| seen[id.at()] && *id != entry);
    Ok(std::iter::once(entry).chain(others).collect())
}

/// Follows words that do nothing.
fn skip(allocated: &Allocated, target: VTarget) -> Result<VTarget, LayoutError> {
    let mut at = target;
    for _ in 0..allocated.words.len() {
        let VTarget::Word(id) = at else { return Ok(at) };
        let word = allocated.words.get(id.at()).ok_or(LayoutError::Dangling)?;
        match word.next {
            Some(next) if is_idle(word) => at = next,
            _ => return Ok(at),
        }
    }
    // A loop of words that do nothing; one of them must stay.
    Ok(target)
}

/// True if the word does nothing but go on. A load without a reader is nothing, since verified programs do not fault.
fn is_idle(word: &AWord) -> bool {
    let word = &word.word;
    !word.g_en
        && word.c1_op == CmpOp::Never
        && word.c2_op == CmpOp::Never
        && word.st_op == StoreOp::None
        && word.q_op == RequestOp::None
        && word.w0_src == Src::Zero
        && word.w1_src == Src::Zero
}
