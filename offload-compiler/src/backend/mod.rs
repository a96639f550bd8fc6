//! The back half of the compiler: IR in, image out, every step checked.

use crate::ebpf::InsnIdx;
use crate::emit::{self, Bound, LayoutError};
use crate::ir::{self, Block, Cfg, Func, FuncIdx};
use crate::regalloc::{self, Allocated, Around, Failure, SlotSet};
use crate::schedule::{self, Bans, Code, Schedule, Style};
use crate::select::{self, How};
use offwire_diag::{Diagnostic, Span, codes};
use offwire_image::{Dispatch, Image, Link, Lock, MAPS_MAX, MapSpec, ProgramEntry};
use offwire_isa::{CodeAddr, ISA_VERSION, Profile, STACK_BYTES};

/// Figures of a compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Words of the image.
    pub words: usize,
    /// Traces that were scheduled.
    pub regions: usize,
    /// Values kept in scratch memory.
    pub spills: usize,
    /// Longest way through the words, and the cycle budget.
    pub bound: Bound,
}

/// What the back half makes.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The image; it has passed [`Image::validate`].
    pub image: Image,
    /// Figures.
    pub stats: Stats,
}

/// How often scheduling is tried again with more pairs of write backs forbidden, before there is only one a word.
const TRIES: usize = 64;
/// Words from which on all pairs are forbidden at once that allocation objects to.
const LARGE: usize = 400;

/// Everything between the IR and the image.
struct Parts {
    prepared: Func,
    regions: Vec<Vec<Block>>,
    code: Code,
    allocated: Allocated,
    /// Bytes of key and value by map.
    sizes: Vec<(u32, u32)>,
}

/// What an image holds beside the words and maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The functions that tail calls may go to, by their place among those that are translated; the position here is the program's
    /// number.
    pub programs: Vec<usize>,
    /// Initial elements of program arrays and maps of maps.
    pub links: Vec<Link>,
    /// Spin locks in map values.
    pub locks: Vec<Lock>,
}

/// Translates functions into one image; packets start in the first one. Calls name functions by their place among all of them. `span` tells where an eBPF instruction of a function
/// stands, for messages.
///
/// # Errors
/// The programs do not fit the device; or a check found a mistake of the compiler.
pub fn generate(
    funcs: &[Func],
    maps: &[MapSpec],
    links: Links,
    dispatch: Dispatch,
    profile: &Profile,
    span: impl Fn(usize, InsnIdx) -> Span,
) -> Result<Generated, Diagnostic> {
    if maps.len() > MAPS_MAX {
        let message = format!("{} maps, but a device's map table has {MAPS_MAX} slots", maps.len());
        return Err(Diagnostic::error(codes::compiler::TOO_MANY_MAPS, message));
    }
    let translate = |duplicate: bool| {
        let parts = parts(funcs, maps, duplicate, &span)?;
        check(&parts)?;
        Ok::<_, Diagnostic>(parts)
    };
    match image(&translate(true)?, maps, links.clone(), dispatch.clone(), profile) {
        // Copies of code are what can be left out first.
        Err(error) if error.code == codes::compiler::TOO_MANY_WORDS => {
            image(&translate(false)?, maps, links, dispatch, profile)
        }
        made => made,
    }
}

/// All functions, those first that others call.
fn parts(
    funcs: &[Func],
    maps: &[MapSpec],
    duplicate: bool,
    span: impl Fn(usize, InsnIdx) -> Span,
) -> Result<Vec<Parts>, Diagnostic> {
    let order = ir::callees_first(funcs).map_err(|what| internal("calls are wrong", &what))?;
    let mut parts: Vec<Option<Parts>> = funcs.iter().map(|_| None).collect();
    let mut around = Around { free_stack: free_stack(funcs), slots: vec![SlotSet::default(); funcs.len()] };
    for func in order {
        let part = Parts::new(&funcs[func.at()], maps, duplicate, &around, |at| span(func.at(), at))?;
        around.slots[func.at()] = part.allocated.slots;
        parts[func.at()] = Some(part);
    }
    Ok(parts.into_iter().flatten().collect())
}

/// The lowest byte of the stack that functions which call, or are called, may touch: below that nothing is in the way of spilled
/// values. Without calls each function looks for itself.
fn free_stack(funcs: &[Func]) -> i16 {
    let takes_part = |func: &&Func| select::named(func).is_some();
    let touched = funcs.iter().filter(takes_part).map(ir::lowest_stack).min();
    touched.unwrap_or(STACK_BYTES as i16)
}

/// Proves schedules and register allocation of all functions.
fn check(parts: &[Parts]) -> Result<(), Diagnostic> {
    let wrong = |error: regalloc::Mismatch| {
        internal("register allocation is wrong", &format!("word {}: {}", error.word.0, error.what))
    };
    let all: Vec<&Allocated> = parts.iter().map(|part| &part.allocated).collect();
    let shared = regalloc::Shared::of(&all).map_err(wrong)?;
    for (func, part) in (0..).map(FuncIdx).zip(parts) {
        schedule::check(&part.prepared, &part.regions, &part.code, &part.sizes)
            .map_err(|error| internal("the schedule is wrong", &format!("trace of {}: {}", error.head, error.what)))?;
        regalloc::check(func, &part.code, &part.allocated, &shared).map_err(wrong)?;
    }
    Ok(())
}

/// The image of all functions, checked.
fn image(
    parts: &[Parts],
    maps: &[MapSpec],
    links: Links,
    dispatch: Dispatch,
    profile: &Profile,
) -> Result<Generated, Diagnostic> {
    let name = parts.first().map_or("nothing", |first| first.prepared.name.as_str()).to_string();
    let laid = emit::layout(parts.iter().map(|part| &part.allocated)).map_err(|error| match error {
        LayoutError::TooLong(words) => too_long(words, profile),
        LayoutError::Dangling => internal("a target leads nowhere", &name),
    })?;
    if laid.words.len() > profile.instruction_store_words as usize {
        return Err(too_long(laid.words.len(), profile));
    }
    let bound = emit::bound(&laid, &links.programs, profile);
    let stats = Stats {
        words: laid.words.len(),
        regions: parts.iter().map(|part| part.regions.len()).sum(),
        spills: parts.iter().map(|part| part.allocated.spills).sum(),
        bound,
    };
    let program = |number: &usize| {
        let (part, entry) = parts.get(*number).zip(laid.entries.get(*number))?;
        Some(ProgramEntry { name: part.prepared.name.clone(), entry: *entry })
    };
    let programs: Option<Vec<ProgramEntry>> = links.programs.iter().map(program).collect();
    let image = Image {
        isa_version: ISA_VERSION,
        profile: profile.name.to_string(),
        profile_hash: profile.hash,
        name,
        words: laid.words.iter().map(|word| word.encode()).collect(),
        entry: laid.entries.first().copied().unwrap_or(CodeAddr(0)),
        maps: maps.to_vec(),
        programs: programs.ok_or_else(|| internal("a tail call leads nowhere", "there is no such function"))?,
        links: links.links,
        locks: links.locks,
        dispatch,
        budget_cycles: bound.budget,
        word_insns: laid.insns,
    };
    image.validate().map_err(|error| {
        Diagnostic::error(codes::compiler::IMAGE_REFUSED, format!("the image of {} is refused", image.name))
            .with_reason(error.to_string())
    })?;
    Ok(Generated { image, stats })
}

impl Parts {
    /// Selects, schedules and allocates registers; sparingly, if that does not fit otherwise.
    fn new(
        func: &Func,
        maps: &[MapSpec],
        duplicate: bool,
        around: &Around,
        span: impl Fn(InsnIdx) -> Span,
    ) -> Result<Self, Diagnostic> {
        match Self::translate(func, maps, &How { duplicate, frugal: false }, around, &span)? {
            Ok(parts) => Ok(parts),
            Err(Failure::Full) => Self::translate(func, maps, &How { duplicate, frugal: true }, around, &span)?
                .map_err(|failure| refuse(&failure, &func.name)),
            Err(failure) => Err(refuse(&failure, &func.name)),
        }
    }

    fn translate(
        func: &Func,
        maps: &[MapSpec],
        how: &How,
        around: &Around,
        span: impl Fn(InsnIdx) -> Span,
    ) -> Result<Result<Self, Failure>, Diagnostic> {
        let sizes: Vec<(u32, u32)> = maps.iter().map(|map| (map.key_size, map.value_size)).collect();
        let prepared = select::prepare(func, how);
        let cfg = Cfg::new(&prepared);
        let regions = select::regions(&prepared, &cfg, &select::constants(&prepared));
        let (traces, values) = select::lower(&prepared, &cfg, &regions, &sizes, how);
        let style = if how.frugal { Style::Frugal } else { Style::Short };
        let named = select::named(&prepared);
        let mut schedule = Schedule::new(&traces, values, named, style);
        let mut bans = Bans::of(named);
        let mut tries = 0;
        loop {
            let code = schedule.code(&bans).map_err(|error| {
                internal("an operation fits no word", &error.what).with_span(span(InsnIdx(error.insn)))
            })?;
            match regalloc::allocate(&code, around) {
                Ok(allocated) => return Ok(Ok(Parts { prepared, regions, code, allocated, sizes })),
                Err(Failure::Ban(pairs)) if !bans.single => {
                    // One at a time gives the better words; where there are many words, there are many pairs.
                    let some = if code.words.len() > LARGE { pairs.len() } else { 1 };
                    let new = pairs.iter().take(some).filter(|(a, b)| bans.ban(*a, *b)).count();
                    tries += 1;
                    bans.single = new == 0 || tries > TRIES;
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
    }
}

fn refuse(failure: &Failure, name: &str) -> Diagnostic {
    match failure {
        Failure::Ban(_) => internal("no bank for a write back", name),
        Failure::Full => {
            let message = format!("{name} keeps more values alive at a time than the device holds");
            Diagnostic::error(codes::compiler::TOO_MANY_LIVE, message)
                .with_reason("a context has 16 registers, 21 spill slots, and what the program leaves of its stack")
                .with_help("split the program's longest function, or recompute values instead of keeping them")
        }
        Failure::Undefined(reg) => internal("a register is read before it is written", &format!("v{}", reg.0)),
        Failure::Empty => internal("there is no code", name),
    }
}

fn too_long(words: usize, profile: &Profile) -> Diagnostic {
    let store = profile.instruction_store_words;
    Diagnostic::error(
        codes::compiler::TOO_MANY_WORDS,
        format!("the program has {words} words, but profile {} holds {store}", profile.name),
    )
    .with_help("split the program with tail calls, or unroll less")
}

fn internal(message: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(codes::compiler::INTERNAL, format!("mistake in the compiler: {message}")).with_reason(reason)
}

#[cfg(test)]
mod eval;
#[cfg(test)]
mod mutate;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod tests;
