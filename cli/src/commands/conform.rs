//! `conform`: a bare program on a back end, the contract of bpf_conformance's plugins.
//!
//! Hexadecimal instructions come from stdin, memory as the first argument; r0 goes to stdout in hexadecimal.

use crate::args::{ConformArgs, DispatchArg, On};
use crate::backends::{self, Prepared};
use crate::output::{Failure, Outcome, Output};
use offload_compiler::CompileOptions;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::{EntryValue, Verdict, conform};
use offwire_isa::Profile;
use std::io::Read;

/// Runs the program.
pub(super) fn run(args: &ConformArgs, output: &mut Output<'_>) -> Outcome {
    let wrong = |what: &str| Failure::from(Diagnostic::error(codes::cli::USAGE, format!("{what} is not hexadecimal")));
    let memory = conform::parse_hex(args.memory.as_deref().unwrap_or("")).ok_or_else(|| wrong("the memory"))?;
    let text = match &args.program {
        Some(text) => text.clone(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Diagnostic::error(codes::cli::FILE, "stdin cannot be read").with_reason(error.to_string())
            })?;
            text
        }
    };
    let program = conform::parse_hex(&text).ok_or_else(|| wrong("the program"))?;
    let r0 = match args.on {
        On::Ref => conform::run(&program, &memory)?,
        On::Model | On::Host => wrapped(&program, &memory, args.on)?,
    };
    let text = format!("{r0:x}");
    output.result(&serde_json::json!({ "r0": text }), || text.clone() + "\n");
    Ok(0)
}

/// As an XDP program, on a back end that runs nothing else.
fn wrapped(program: &[u8], memory: &[u8], on: On) -> Result<u64, Diagnostic> {
    let (object, packet) = conform::wrap(program, memory)?;
    let failed = |reason: String| {
        Diagnostic::error(codes::device::PACKET, "the program did not come to its end").with_reason(reason)
    };
    let (Some(program), Some(profile)) = (object.programs.first(), Profile::by_name("x16")) else {
        return Err(failed("there is no such device".into()));
    };
    let prepared = Prepared::new(&object, (0, program), profile, &CompileOptions::default(), DispatchArg::Auto)?;
    let mut backend = backends::make(on, &prepared)?;
    let out = backend.run(&packet)?;
    if Verdict::from_retval(out.retval) != Verdict::Pass {
        return Err(failed(out.fault.unwrap_or_else(|| format!("it returned {}", out.retval))));
    }
    let entries = backend.map_entries(conform::RESULT)?;
    match entries.first().map(|entry| &entry.value) {
        Some(EntryValue::One(value)) => match value.as_slice().try_into() {
            Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
            Err(_) => Err(failed(format!("the result has {} bytes", value.len()))),
        },
        _ => Err(failed("there is no result".into())),
    }
}
