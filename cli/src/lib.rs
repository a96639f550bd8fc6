//! The `offwire` command as a library, so that benches and tests use the same back ends.
//!
//! [`args`] is the command line, [`commands`] one module a verb, [`backends`] makes any [`offwire_harness::Backend`] by name, and
//! [`output`] decides what goes where: with `-j` stdout is one JSON document and nothing else, diagnostics go to stderr as JSON
//! lines. Exit codes: 0 done, 1 refused or differing, 2 wrong use.
#![forbid(unsafe_code)]

pub mod args;
pub mod backends;
pub mod commands;
pub mod connect;
mod coverage;
pub mod entries;
pub mod output;
pub mod overlap;
pub mod program;
pub mod state;
pub mod throughput;

use clap::Parser;
use offwire_diag::{Diagnostic, codes};
use output::{Failure, Form, Output};
use std::ffi::OsString;
use std::io::Write;

/// Runs one command line (with the program's name in front) and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match args::Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&arguments, &error, stdout, stderr),
    };
    let form = match (cli.pretty, cli.json) {
        (true, _) => Form::Pretty,
        (false, true) => Form::Json,
        (false, false) => Form::Text,
    };
    let mut output = Output::new(form, stdout, stderr);
    match commands::dispatch(cli.object, &mut output) {
        Ok(code) => code,
        Err(Failure { diagnostics, code }) => {
            for diagnostic in &diagnostics {
                output.diagnostic(diagnostic);
            }
            code
        }
    }
}

/// clap's message, in our forms: help and version are no failures, all else is wrong use.
fn usage(arguments: &[OsString], error: &clap::Error, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
    // The arguments did not parse, so the wish for JSON is read off them by hand.
    let json = arguments.iter().skip(1).any(|argument| {
        let text = argument.to_string_lossy();
        matches!(text.as_ref(), "--json" | "--pretty" | "-j" | "-p" | "-jp" | "-pj")
    });
    let text = error.to_string();
    let form = if json { Form::Json } else { Form::Text };
    let mut output = Output::new(form, stdout, stderr);
    if !error.use_stderr() {
        output.plain(&text);
        return 0;
    }
    let message = text.trim_start_matches("error: ").trim_end().to_owned();
    let (message, rest) = message.split_once("\n").map_or((message.as_str(), ""), |(first, rest)| (first, rest));
    let mut diagnostic = Diagnostic::error(codes::cli::USAGE, message);
    if !rest.trim().is_empty() {
        diagnostic = diagnostic.with_help(rest.trim());
    }
    output.diagnostic(&diagnostic);
    2
}
