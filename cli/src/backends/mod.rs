//! Any back end by name: this crate is the only one that knows them all.

mod model;
pub mod numbers;
pub mod remote;

use crate::args::{DispatchArg, On};
use offload_compiler::object::{Object, Program};
use offload_compiler::{CompileOptions, Compiled, compile};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::{Backend, host, reference};
use offwire_image::DispatchMode;
use offwire_isa::Profile;

pub use model::{Model, arrival, device, fault_name, fits_device, packet_out, printed, traced_device};

/// A program that is verified and compiled, ready for any back end.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The object that the program comes from.
    pub object: &'a Object,
    /// The program's number in the object.
    pub index: usize,
    /// The program.
    pub program: &'a Program,
    /// The device's profile.
    pub profile: &'static Profile,
    /// Facts, IR and image.
    pub compiled: Compiled,
    /// The user's wish for the dispatch mode; `None` is the proven one.
    pub dispatch: Option<DispatchMode>,
}

impl<'a> Prepared<'a> {
    /// Verifies and compiles.
    pub fn new(
        object: &'a Object,
        (index, program): (usize, &'a Program),
        profile: &'static Profile,
        options: &CompileOptions,
        dispatch: DispatchArg,
    ) -> Result<Self, Diagnostic> {
        let compiled = compile(object, program, profile, options)?;
        let dispatch = match dispatch {
            DispatchArg::Auto => None,
            DispatchArg::Cpu => Some(DispatchMode::Cpu),
            DispatchArg::Flow => Some(DispatchMode::Flow),
            DispatchArg::Any => Some(DispatchMode::Any),
        };
        Ok(Prepared { object, index, program, profile, compiled, dispatch })
    }

    /// The mode that the device will run in.
    pub fn mode(&self) -> DispatchMode {
        self.dispatch.unwrap_or(self.compiled.image.dispatch.mode)
    }

    /// What to tell a user who asked for a looser mode than is proven.
    pub fn dispatch_warning(&self) -> Option<Diagnostic> {
        let proven = &self.compiled.image.dispatch;
        (self.mode() > proven.mode).then(|| {
            Diagnostic::warning(
                codes::cli::LOOSE_DISPATCH,
                "the dispatch mode is looser than what is proven for the program",
            )
            .with_reason(format!("proven is {}: {}", crate::commands::mode_name(proven.mode), proven.reason))
            .with_help(
                "packets that run at the same time may lose updates of map values; leave --dispatch out to be safe",
            )
        })
    }
}

/// Times that a device took; only devices have them.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Sum over the packets, arrival to departure, cycles.
    pub cycles: u64,
    /// Arrival to departure, cycles, one a packet.
    pub latencies: Vec<u64>,
}

/// A back end that may know cycles.
pub trait TimedBackend: Backend {
    /// Times of the packets so far, on devices.
    fn timing(&self) -> Option<Timing> {
        None
    }
}

impl TimedBackend for reference::Ref {}
impl TimedBackend for host::Host {}

/// The name that users type.
pub fn name(on: On) -> &'static str {
    match on {
        On::Model => "model",
        On::Ref => "ref",
        On::Host => "host",
    }
}

/// Makes a back end that holds the program, its maps empty.
pub fn make<'a>(on: On, prepared: &'a Prepared<'_>) -> Result<Box<dyn TimedBackend + 'a>, Diagnostic> {
    Ok(match on {
        On::Model => Box::new(Model::new(prepared)?),
        On::Ref => Box::new(reference::Ref::new(prepared.object, prepared.index)?.with_facts(&prepared.compiled.facts)),
        On::Host => Box::new(host::Host::new(prepared.object, prepared.index)?),
    })
}
