//! `dev`: devices.

mod bus;
mod serve;
mod show;

pub(crate) use show::mode;

use crate::args::device::DevVerb;
use crate::output::{Outcome, Output};

/// The verb.
pub(super) fn run(verb: &DevVerb, output: &mut Output<'_>) -> Outcome {
    match verb {
        DevVerb::Serve(args) => serve::run(args, output),
        DevVerb::List => bus::list(output),
        DevVerb::Show(args) => show::show(args, output),
        DevVerb::Stats(args) => show::stats(args, output),
        DevVerb::Reset(args) => show::reset(args, output),
        DevVerb::Bind { address } => bus::bind(*address, output),
        DevVerb::Unbind { address } => bus::unbind(*address, output),
        DevVerb::Port(args) => show::port(args, output),
    }
}
