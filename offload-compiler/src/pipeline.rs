//! The whole way from a loaded program to an image.

use crate::backend::{self, Generated, Links, Stats};
use crate::dispatch;
use crate::ebpf::InsnIdx;
use crate::facts::{self, Facts};
use crate::ir::{self, Func};
use crate::object::{Object, Program};
use crate::opt::{self, MapTable};
use crate::verify::{self, Limits, Verified};
use offwire_diag::Diagnostic;
use offwire_image::{Dispatch, DispatchMode, Image, MapSpec};
use offwire_isa::Profile;

/// What the user may ask of the compiler.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// Dispatch mode instead of the loosest proved one.
    pub dispatch: Option<DispatchMode>,
    /// Where the verifier gives up.
    pub limits: Limits,
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
    let verified = verify::verify(object, program, &options.limits)?;
    let facts = facts::analyze(object, program)?;
    let func = opt::optimize(ir::lift(object, program, &facts)?, &MapTable::of(object));
    let dispatch = match options.dispatch {
        Some(mode) => Dispatch { mode, reason: "asked for by the user".into() },
        None => dispatch::prove(object, &func),
    };
    let maps: Vec<MapSpec> = object.maps.iter().map(|map| map.spec.clone()).collect();
    let span = |_: usize, at: InsnIdx| program.span(at);
    let links = Links::default();
    let Generated { image, stats } =
        backend::generate(std::slice::from_ref(&func), &maps, links, dispatch, profile, span)?;
    Ok(Compiled { image, verified, facts, func, stats })
}
