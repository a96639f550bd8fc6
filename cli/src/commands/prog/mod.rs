//! Programs on a device.

mod attach;
mod load;
mod show;

pub(crate) use load::value_bytes;

use crate::args::device::{AttachArgs, DetachArgs, LoadArgs, PinArgs, ShowArgs, UnloadArgs};
use crate::output::{Outcome, Output};

pub(super) fn load(args: &LoadArgs, output: &mut Output<'_>) -> Outcome {
    load::run(args, output)
}

pub(super) fn attach(args: &AttachArgs, output: &mut Output<'_>) -> Outcome {
    attach::attach(args, false, output)
}

pub(super) fn swap(args: &AttachArgs, output: &mut Output<'_>) -> Outcome {
    attach::attach(args, true, output)
}

pub(super) fn detach(args: &DetachArgs, output: &mut Output<'_>) -> Outcome {
    attach::detach(args, output)
}

pub(super) fn unload(args: &UnloadArgs, output: &mut Output<'_>) -> Outcome {
    attach::unload(args, output)
}

pub(super) fn pin(args: &PinArgs, output: &mut Output<'_>) -> Outcome {
    attach::pin(args, output)
}

pub(super) fn show(args: &ShowArgs, output: &mut Output<'_>) -> Outcome {
    show::run(args, output)
}
