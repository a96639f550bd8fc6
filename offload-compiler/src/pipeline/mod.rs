//! The whole way from a loaded program to an image. Programs that call each other by tail calls go into one image.

mod set;

use crate::backend::{self, Generated, Stats};
use crate::dispatch;
use crate::ebpf::InsnIdx;
use crate::facts::{self, Facts};
use crate::ir::{self, Func};
use crate::object::{Object, Program};
use crate::opt::{self, MapTable};
use crate::verify::{self, Limits, Verified};
use offwire_diag::{Diagnostic, Span};
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
    let maps = MapTable::of(object);
    let mut parts = Vec::with_capacity(set.programs.len());
    for program in &set.programs {
        let verified = verify::verify(object, program, &options.limits)?;
        let facts = facts::analyze(object, program)?;
        let func = opt::optimize(ir::lift(object, program, &facts)?, &maps);
        parts.push(Tail { name: program.name.clone(), verified, facts, func });
    }
    let funcs: Vec<Func> = parts.iter().map(|part| part.func.clone()).collect();
    let dispatch = match options.dispatch {
        Some(mode) => Dispatch { mode, reason: "asked for by the user".into() },
        None => dispatch::prove(object, &funcs),
    };
    let specs: Vec<MapSpec> = object.maps.iter().map(|map| map.spec.clone()).collect();
    let span =
        |number: usize, at: InsnIdx| set.programs.get(number).map_or_else(Span::default, |program| program.span(at));
    let Generated { image, stats } = backend::generate(&funcs, &specs, set.links(object), dispatch, profile, span)?;
    // The set has the entry first.
    let Tail { verified, facts, func, .. } = parts.remove(0);
    Ok(Compiled { image, verified, facts, func, tails: parts, stats })
}
