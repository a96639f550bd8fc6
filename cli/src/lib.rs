//! The `offwire` command as a library, so that benches and tests use the same back ends.
//!
//! [`args`] is the command line, [`commands`] one module a verb, [`backends`] makes any [`offwire_harness::Backend`] by name, and
//! [`output`] decides what goes where: with `-j` stdout is one JSON document and nothing else, diagnostics go to stderr as JSON
//! lines. Exit codes: 0 done, 1 refused or differing, 2 wrong use.
#![forbid(unsafe_code)]

pub mod args;
pub mod backends;
pub mod commands;
pub mod output;
pub mod program;

use clap::Parser;
use offwire_diag::{Diagnostic, codes};
use output::{Failure, Output};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line to its end.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match args::Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&arguments, &error),
    };
    let mut output = Output::new(cli.json || cli.pretty, cli.pretty);
    let result = commands::dispatch(cli.object, &mut output);
    let code = match result {
        Ok(code) => code,
        Err(Failure { diagnostics, code }) => {
            for diagnostic in &diagnostics {
                output.diagnostic(diagnostic);
            }
            code
        }
    };
    ExitCode::from(code)
}

/// clap's message, in our forms: help and version are no failures, all else is wrong use.
fn usage(arguments: &[OsString], error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help or version; a closed pipe is nobody's fault.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let json = arguments.iter().any(|argument| {
        let text = argument.to_string_lossy();
        matches!(text.as_ref(), "--json" | "--pretty")
            || text.starts_with('-') && !text.starts_with("--") && text.contains(['j', 'p'])
    });
    if json {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or("wrong use").trim_start_matches("error: ").to_owned();
        let diagnostic = Diagnostic::error(codes::cli::USAGE, message).with_help("offwire --help");
        Output::new(true, false).diagnostic(&diagnostic);
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}
