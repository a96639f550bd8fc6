//! `prog show`: programs on a device, with bpftool's keys.

use crate::args::device::ShowArgs;
use crate::connect::{self, Session};
use crate::output::{Outcome, Output};
use crate::state::Kind;
use driver::ProgramInfo;
use serde::Serialize;
use std::fmt::Write;

/// Bytes of an eBPF instruction.
const INSN_BYTES: usize = 8;
/// Bytes of a word.
const WORD_BYTES: u32 = offwire_isa::WORD_BYTES as u32;

#[derive(Serialize)]
struct Program {
    id: u16,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_xlated: Option<usize>,
    jited: bool,
    bytes_jited: u32,
    map_ids: Vec<u16>,
    pinned: Vec<String>,
    words: u32,
    address: u32,
    dispatch: &'static str,
    ports: Vec<u16>,
    in_flight: u32,
    budget_cycles: u64,
    unloading: bool,
}

fn report(session: &Session, info: ProgramInfo) -> Program {
    let record = session.state.program(info.id.0);
    Program {
        id: info.id.0,
        kind: "xdp",
        name: info.name,
        tag: format!("{:016x}", info.tag.swap_bytes()),
        loaded_at: record.map(|record| record.loaded_at),
        uid: record.map(|record| record.uid),
        bytes_xlated: record.map(|record| record.insns * INSN_BYTES),
        jited: true,
        bytes_jited: info.words * WORD_BYTES,
        map_ids: info.maps.iter().map(|map| map.0).collect(),
        pinned: session.state.pins_of(Kind::Program, info.id.0),
        words: info.words,
        address: info.address,
        dispatch: crate::commands::dev::mode(info.mode),
        ports: info.ports,
        in_flight: info.in_flight,
        budget_cycles: info.budget,
        unloading: info.unloading,
    }
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl Program {
    fn text(&self) -> String {
        let mut text = format!("{}: {}  name {}  tag {}", self.id, self.kind, self.name, self.tag);
        if self.unloading {
            text += "  unloading";
        }
        let _ = write!(text, "\n\t{} words at {}  dispatch {}", self.words, self.address, self.dispatch);
        if !self.ports.is_empty() {
            let _ = write!(text, "  ports {}", list(&self.ports));
        }
        if !self.map_ids.is_empty() {
            let _ = write!(text, "  map_ids {}", list(&self.map_ids));
        }
        for pin in &self.pinned {
            let _ = write!(text, "\n\tpinned {pin}");
        }
        text + "\n"
    }
}

/// Programs of a device.
pub(super) fn run(args: &ShowArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(&args.device, output)?;
    let programs: Vec<Program> =
        session.programs(&args.chosen)?.into_iter().map(|info| report(&session, info)).collect();
    match (programs.as_slice(), args.chosen.id.is_some() || args.chosen.pinned.is_some()) {
        // As bpftool: one that was named is no list.
        ([only], true) => output.result(only, || only.text()),
        _ => output.result(&programs, || programs.iter().map(Program::text).collect()),
    }
    Ok(0)
}

/// One program, after something was done with it.
pub(super) fn print_one(session: &Session, info: ProgramInfo, output: &mut Output<'_>) -> Outcome {
    let program = report(session, info);
    output.result(&program, || program.text());
    Ok(0)
}
