//! `prog attach`, `prog swap`, `prog detach`, `prog unload`, `prog pin`.

use super::load::choice;
use crate::args::device::{AttachArgs, DetachArgs, PinArgs, UnloadArgs};
use crate::connect::{self, failure};
use crate::output::{Outcome, Output};
use crate::state::Kind;
use driver::{Error, ProgramId};
use offwire_diag::{Diagnostic, codes};
use offwire_hostif::Status;
use serde::Serialize;

#[derive(Serialize)]
struct Change {
    port: u16,
    program: Option<u16>,
    former: Option<u16>,
}

impl Change {
    fn text(&self) -> String {
        let name = |id: Option<u16>| id.map_or_else(|| "none".to_owned(), |id| format!("program {id}"));
        format!("port {}: {} (was {})\n", self.port, name(self.program), name(self.former))
    }
}

/// Attaches to each port, or with `swap` only where a program is attached already. What was done before a failure is undone.
pub(super) fn attach(args: &AttachArgs, swap: bool, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let device = &session.device;
    let program = session.program(&args.program)?;
    let mut done: Vec<Change> = Vec::new();
    for &port in &args.port {
        let before = device.port(port).map_err(|error| failure(&error))?.program;
        let refused = if swap && before.is_none() {
            Some(
                Diagnostic::error(codes::driver::REFUSED, format!("no program is attached to port {port}"))
                    .with_help("use prog attach"),
            )
        } else {
            let expected = args.expect.map(|id| Some(ProgramId(id))).or(swap.then_some(before.map(|(id, _)| id)));
            match device.attach(port, program.id, choice(args.dispatch), expected) {
                Ok(former) => {
                    done.push(Change { port, program: Some(program.id.0), former: former.map(|id| id.0) });
                    None
                }
                Err(error) => Some(connect::diagnostic(&error)),
            }
        };
        if let Some(refused) = refused {
            for change in done.iter().rev() {
                let undone = match change.former {
                    Some(former) => {
                        device.attach(change.port, ProgramId(former), choice(args.dispatch), None).map(drop)
                    }
                    None => device.detach(change.port, Some(program.id)).map(drop),
                };
                undone.map_err(|error| failure(&error))?;
            }
            return Err(refused.into());
        }
    }
    output.result(&done, || done.iter().map(Change::text).collect());
    Ok(0)
}

/// Detaches from each port.
pub(super) fn detach(args: &DetachArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let mut done = Vec::new();
    for &port in &args.port {
        match session.device.detach(port, None) {
            Ok(Some(former)) => done.push(Change { port, program: None, former: Some(former.0) }),
            Ok(None) => {
                return Err(Diagnostic::error(
                    codes::driver::REFUSED,
                    format!("no program is attached to port {port}"),
                )
                .into());
            }
            Err(error) => return Err(failure(&error)),
        }
    }
    output.result(&done, || done.iter().map(Change::text).collect());
    Ok(0)
}

/// Unloads a program that is not attached.
pub(super) fn unload(args: &UnloadArgs, output: &mut Output<'_>) -> Outcome {
    let mut session = connect::open(&args.device, output)?;
    let program = session.program(&args.program)?;
    session.device.unload(program.id).map_err(|error| match &error {
        Error::Command(refused) if refused.status == Status::Busy => connect::diagnostic(&error)
            .with_help(format!("detach it first: prog detach --port {}", refused.argument))
            .into(),
        _ => failure(&error),
    })?;
    session.refresh()?;
    session.state.save()?;
    output.result(&serde_json::json!({ "id": program.id.0 }), || format!("unloaded program {}\n", program.id));
    Ok(0)
}

/// Pins a program.
pub(super) fn pin(args: &PinArgs, output: &mut Output<'_>) -> Outcome {
    let mut session = connect::open(&args.device, output)?;
    let program = session.program(&args.chosen)?;
    session.state.check_pin(Kind::Program, &args.pin)?;
    session.state.pin(Kind::Program, &args.pin, program.id.0);
    session.state.save()?;
    super::show::print_one(&session, program, output)
}
