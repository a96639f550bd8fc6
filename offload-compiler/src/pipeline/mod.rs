//! The whole way from a loaded program to an image. Programs that call each other by tail calls go into one image.

mod set;

use crate::backend::{self, Generated, Stats};
use crate::dispatch;
use crate::ebpf::{Insn, InsnIdx};
use crate::facts::{self, Facts};
use crate::ir::{self, Func, FuncIdx};
use crate::object::{Object, Program};
use crate::opt::{self, MapTable};
use crate::verify::{self, Limits, Verified};
use offwire_diag::{Diagnostic, Span, codes};
use offwire_image::{Dispatch, DispatchMode, Image, MapSpec};
use offwire_isa::Profile;
use set::Set;

/// What the user may ask of the compiler.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// Dispatch mode instead of the loosest proved one.
    pub dispatch: Option<DispatchMode>,
    /// Where the verifier gives up.
    pub limits: Limits,
    /// Instructions that a program may have after inlining its local calls, before functions stay functions; 0 if all calls are to
    /// stay calls. Without it that is as it fits the device best.
    pub inline_insns: Option<usize>,
    /// Programs that will be put into program arrays from outside, by name; those that the object itself puts there are found.
    pub tail_programs: Vec<String>,
}

/// A program that tail calls may go to.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Its name.
    pub name: String,
    /// What the verifier found.
    pub verified: Verified,
    /// What is certain before each instruction.
    pub facts: Facts,
    /// The IR after the passes.
    pub func: Func,
    /// Functions that it calls: f1, f2 and so on.
    pub functions: Vec<Func>,
}

/// A compiled program.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The image; it has passed [`Image::validate`].
    pub image: Image,
    /// What the verifier found.
    pub verified: Verified,
    /// What is certain before each instruction.
    pub facts: Facts,
    /// The IR after the passes.
    pub func: Func,
    /// Functions that it calls: f1, f2 and so on.
    pub functions: Vec<Func>,
    /// The other programs of the image, in the order of their code.
    pub tails: Vec<Tail>,
    /// Figures.
    pub stats: Stats,
}

/// Compiles one program of an object for a device.
///
/// # Errors
/// The program is not safe, or uses something that is not offloaded, or does not fit the device.
pub fn compile(
    object: &Object,
    program: &Program,
    profile: &Profile,
    options: &CompileOptions,
) -> Result<Compiled, Diagnostic> {
    let set = Set::of(object, program, &options.tail_programs)?;
    let mut checked = Vec::with_capacity(set.programs.len());
    for program in &set.programs {
        let verified = verify::verify(object, program, &options.limits)?;
        checked.push((verified, facts::analyze(object, program)?));
    }
    let maps = MapTable::of(object);
    let lift = |budget: usize| {
        let programs = set.programs.iter().zip(&checked);
        let lift = |(program, (_, facts)): (&&Program, &(Verified, Facts))| {
            Ok(opt::optimize_all(ir::lift_within(object, program, facts, budget)?, &maps))
        };
        programs.map(lift).collect::<Result<Parts, Diagnostic>>()
    };
    let make = |parts: &Parts| generate(object, &set, parts, profile, options);
    let (parts, Generated { image, stats }) = match options.inline_insns {
        None if calls(&set) => as_it_fits(lift, make, profile)?,
        budget => {
            let parts = lift(budget.unwrap_or(usize::MAX))?;
            let made = make(&parts)?;
            (parts, made)
        }
    };
    let mut parts =
        checked.into_iter().zip(parts).zip(&set.programs).map(|(((verified, facts), mut funcs), program)| {
            let func = funcs.remove(0);
            Tail { name: program.name.clone(), verified, facts, func, functions: funcs }
        });
    // The set has the entry first.
    let Some(Tail { verified, facts, func, functions, .. }) = parts.next() else {
        return Err(Diagnostic::error(codes::compiler::INTERNAL, "mistake in the compiler: there is no program"));
    };
    Ok(Compiled { image, verified, facts, func, functions, tails: parts.collect(), stats })
}

/// True if some program calls a local function.
fn calls(set: &Set<'_>) -> bool {
    let mut insns = set.programs.iter().flat_map(|program| &program.insns);
    insns.any(|insn| matches!(insn, Insn::CallLocal { .. }))
}

/// More instructions a word than a program that fills the instruction store has: what is larger inlined does not fit.
const INSNS_A_WORD: usize = 6;
/// How often the budget of inlined instructions is halved, before no call is inlined.
const HALVINGS: u32 = 5;

/// The functions of each program, the program itself first.
type Parts = Vec<Vec<Func>>;

/// With all calls inlined if that fits the device; else with as few functions that stay functions as needed, about.
fn as_it_fits(
    lift: impl Fn(usize) -> Result<Parts, Diagnostic>,
    make: impl Fn(&Parts) -> Result<Generated, Diagnostic>,
    profile: &Profile,
) -> Result<(Parts, Generated), Diagnostic> {
    let mut budget = (profile.instruction_store_words as usize).saturating_mul(INSNS_A_WORD);
    let (mut first, mut last) = (None, None);
    for halving in 0..=HALVINGS + 1 {
        let parts = lift(if halving > HALVINGS { 0 } else { budget });
        budget /= 2;
        if parts.as_ref().is_ok_and(|parts| last.as_ref() == Some(parts)) {
            continue;
        }
        let error = match parts {
            Err(error) => error,
            Ok(parts) => match make(&parts) {
                Ok(made) => return Ok((parts, made)),
                Err(error) => {
                    last = Some(parts);
                    error
                }
            },
        };
        if !fits_not(&error) {
            return Err(first.unwrap_or(error));
        }
        first.get_or_insert(error);
    }
    Err(first.unwrap_or_else(|| Diagnostic::error(codes::compiler::INTERNAL, "mistake in the compiler: no budget")))
}

/// True for what fewer inlined calls may help against.
fn fits_not(error: &Diagnostic) -> bool {
    use codes::compiler::{TOO_LARGE, TOO_MANY_LIVE, TOO_MANY_WORDS};
    [TOO_LARGE, TOO_MANY_LIVE, TOO_MANY_WORDS].contains(&error.code)
}

/// The image of all programs.
fn generate(
    object: &Object,
    set: &Set<'_>,
    parts: &Parts,
    profile: &Profile,
    options: &CompileOptions,
) -> Result<Generated, Diagnostic> {
    // All functions in one row, those of each program behind it.
    let mut funcs: Vec<Func> = Vec::new();
    let (mut homes, mut entries) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        let first = funcs.len() as u32;
        entries.push(funcs.len());
        for func in part {
            let mut func = func.clone();
            ir::renumber(&mut func, |callee| FuncIdx(first + callee.0));
            funcs.push(func);
            homes.push(number);
        }
    }
    let dispatch = match options.dispatch {
        Some(mode) => Dispatch { mode, reason: "asked for by the user".into() },
        None => dispatch::prove(object, &funcs),
    };
    let mut links = set.links(object);
    for program in &mut links.programs {
        *program = entries.get(*program).copied().unwrap_or(*program);
    }
    let specs: Vec<MapSpec> = object.maps.iter().map(|map| map.spec.clone()).collect();
    let span = |number: usize, at: InsnIdx| {
        let program = homes.get(number).and_then(|home| set.programs.get(*home));
        program.map_or_else(Span::default, |program| program.span(at))
    };
    backend::generate(&funcs, &specs, links, dispatch, profile, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebpf::{AluOp, Size};
    use crate::testing::{self, alu_imm, call, load, mov};
    use offwire_isa::SMALL;

    /// Three calls of a function of some forty words.
    fn three_calls() -> (Object, Program) {
        let mut insns = vec![load(Size::B4, 1, 1, 12)];
        for _ in 0..3 {
            insns.extend([call(9), mov(1, 0)]);
        }
        insns.extend([alu_imm(AluOp::And, 0, 3), Insn::Exit, mov(0, 1)]);
        for n in 0..40 {
            insns.extend([alu_imm(AluOp::Mul, 0, 2 * n + 31), alu_imm(AluOp::Xor, 0, n + 1)]);
        }
        insns.push(Insn::Exit);
        let functions = vec![(InsnIdx(0), "prog".to_string()), (InsnIdx(9), "mix".to_string())];
        (testing::object(Vec::new()), Program { functions, ..testing::program(insns) })
    }

    #[test]
    fn functions_stay_functions_where_the_program_does_not_fit_otherwise() {
        let (object, program) = three_calls();
        let compile = |store: u32, inline_insns: Option<usize>| {
            let profile = Profile { instruction_store_words: store, ..SMALL };
            super::compile(&object, &program, &profile, &CompileOptions { inline_insns, ..CompileOptions::default() })
        };
        let inlined = compile(SMALL.instruction_store_words, None).unwrap();
        assert!(inlined.functions.is_empty() && inlined.stats.words > 100, "{:?}", inlined.stats);
        let called = compile(100, None).unwrap();
        assert!(called.functions.len() == 1 && called.stats.words <= 100, "{:?}", called.stats);
        // Neither form fits.
        assert_eq!(compile(20, None).unwrap_err().code, codes::compiler::TOO_MANY_WORDS);
        // The user may want it so.
        assert_eq!(compile(SMALL.instruction_store_words, Some(0)).unwrap().image.words, called.image.words);
        assert_eq!(compile(100, Some(usize::MAX)).unwrap_err().code, codes::compiler::TOO_MANY_WORDS);
    }
}
