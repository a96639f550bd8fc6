//! One module a verb.

mod build;
mod check;
mod conform;
mod dev;
mod diff;
mod dump;
mod explain;
mod run;

use crate::args::{DevVerb, ObjectArg, ProgVerb};
use crate::output::{Outcome, Output};

/// Runs the command that the user typed.
pub fn dispatch(object: ObjectArg, output: &mut Output<'_>) -> Outcome {
    match object {
        ObjectArg::Prog(ProgVerb::Check(args)) => check::run(&args, output),
        ObjectArg::Prog(ProgVerb::Build(args)) => build::run(&args, output),
        ObjectArg::Prog(ProgVerb::Dump(args)) => dump::run(&args, output),
        ObjectArg::Prog(ProgVerb::Run(args)) => run::run(&args, output),
        ObjectArg::Dev(DevVerb::Serve(args)) => dev::serve::run(&args, output),
        ObjectArg::Conform(args) => conform::run(&args, output),
        ObjectArg::Diff(args) => diff::run(&args, output),
        ObjectArg::Explain { code } => explain::run(code.as_deref(), output),
    }
}

/// Dispatch mode as `check`, `build` and `run` print it.
#[derive(Clone, Debug, serde::Serialize)]
struct DispatchReport {
    mode: &'static str,
    reason: String,
}

impl DispatchReport {
    fn of(dispatch: &offwire_image::Dispatch) -> Self {
        DispatchReport { mode: mode_name(dispatch.mode), reason: dispatch.reason.clone() }
    }

    /// The mode that the device runs in: proven, or as the user wishes.
    fn chosen(prepared: &crate::backends::Prepared<'_>) -> Self {
        match prepared.dispatch {
            Some(mode) => DispatchReport { mode: mode_name(mode), reason: "asked for with --dispatch".to_owned() },
            None => Self::of(&prepared.compiled.image.dispatch),
        }
    }
}

/// The word that `--dispatch` takes for a mode.
pub(crate) fn mode_name(mode: offwire_image::DispatchMode) -> &'static str {
    match mode {
        offwire_image::DispatchMode::Cpu => "cpu",
        offwire_image::DispatchMode::Flow => "flow",
        offwire_image::DispatchMode::Any => "any",
    }
}
